/*
 * adopt: which new files and new UIDs of one mailbox are the same message.
 *
 * First sync with both sides full, a lost journal, a crash between an effect
 * and its record, UIDVALIDITY changed: all are the same case, an unmatched
 * pair.  Rules:
 *
 *  1. Only messages of equal size are compared.
 *     (By the canonical size; a server that keeps bare LFs in messages of
 *     over SAMPLE_ALL octets is not recognised: such a message is carried
 *     over once more, never lost.)
 *  2. Up to SAMPLE_ALL octets the server's whole message is compared by
 *     digest.  Of a longer one its first and last SAMPLE_END octets are, byte
 *     by byte: they hold the header with Message-ID, Date and trace fields.
 *  3. When the samples fit files of different content, the whole message is
 *     read and its digest decides.
 *  4. Equal content is interchangeable: any pairing among equals is right.
 *  5. A file that could not be read may be any message that is new on the
 *     server.  So none of these comes down in that pass: the file is read
 *     again in the next one.  What cannot be read twice is reported, and no
 *     longer waited for.
 */
#include "sync/internal.h"

#include "base/map.h"
#include "mail/eol.h"

#define SAMPLE_ALL 4096
#define SAMPLE_END 2048

struct adoption {
	struct run *r;
	struct sbox *b;
	uint32_t *file; /* indexes into l.v of files to be paired */
	size_t nfile;
	struct map klass_of; /* sha -> klass */
	uint32_t klasses;
	struct map by_size;  /* canonical size -> 1 + index into file[] */
	uint32_t *same_size; /* chain of by_size, 0 ends */
	bool unread;	     /* rule 5 */
};

/* Reading M failed: rule 5. */
static int
unread(struct adoption *a, struct lmsg *m, struct err *e)
{
	struct sbox *b = a->b;

	if (e->scope > ERR_SCOPE_MSG)
		return e->code;
	m->hold = true; /* not in this pass */
	b->undone = true;
	if (e->code == ERR_STALE || !b->unread_once) {
		log_debug(a->r->o->log, "%s, reading it again", e->text);
		a->unread = b->rescan = true;
	} else {
		report_failed(a->r, b, 0, m->file, e->text);
	}
	err_clear(e);
	return 0;
}

static void
wait_for_unread(struct adoption *a)
{
	struct sbox *b = a->b;

	for (size_t i = 0; a->unread && i < b->r.n; i++)
		b->r.v[i].hold = true;
}

/* Stat, hold and, where nothing else names them, content of new files. */
static int
read_new_files(struct adoption *a, struct err *e)
{
	struct run *r = a->r;
	struct sbox *b = a->b;
	size_t n;
	uint32_t *v;
	int rc;

	plan_new_files(&r->pass, &b->base, &b->l, &b->r, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct lmsg *m = &b->l.v[v[i]];
		const struct jhold *h = record_find_hold(b, 0, m->base);

		m->hold = h && h->kind == JHOLD_RETRY && h->next > r->now;
		m->kept = h && h->kind == JHOLD_KEPT;
		m->skipped = h && h->kind == JHOLD_SKIPPED;
		if (!m->has_stat && maildir_stat(r->m, b->j.path, m, e) != 0 &&
		    unread(a, m, e) != 0)
			return e->code;
	}
	plan_new_files(&r->pass, &b->base, &b->l, &b->r, &a->file, &a->nfile);
	for (size_t i = 0; i < a->nfile; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];

		m->fresh = true;
		rc = cancel_check(r->o->cancel, e);
		if (rc != 0)
			return rc;
		/* what is kept is not read again in each run */
		if (m->has_content || !m->has_stat || m->kept)
			continue;
		if (maildir_digest(r->m, b->j.path, m, r->o->cancel, e) != 0 &&
		    unread(a, m, e) != 0)
			return e->code;
	}
	return 0;
}

/* UIDs mean nothing: content of files that rows name need not be read. */
static void
content_from_rows(struct run *r, struct sbox *b)
{
	struct map by_file;
	uint64_t at;

	map_init(&by_file);
	for (size_t i = 0; i < b->base.n; i++)
		map_add(&by_file, b->base.v[i].file, i);
	for (size_t i = 0; i < b->l.n; i++) {
		struct lmsg *m = &b->l.v[i];
		const struct pair *row;

		if (!map_get(&by_file, m->file, &at))
			continue;
		row = &b->base.v[at];
		if (maildir_stat(r->m, b->j.path, m, &(struct err){0}) != 0 ||
		    m->fsize != row->fsize || m->mtime_ns != row->mtime_ns)
			continue;
		m->content.size = row->size;
		m->content.raw = row->fsize;
		memcpy(m->content.sha, row->sha, sizeof row->sha);
		m->has_content = true;
	}
	map_release(&by_file);
}

static uint32_t
klass_of_sha(struct adoption *a, const uint8_t *sha)
{
	uint64_t k;
	struct span key = span_of((const char *)sha, DIGEST_LEN);

	if (map_get(&a->klass_of, key, &k))
		return (uint32_t)k;
	map_add(&a->klass_of, key, ++a->klasses);
	return a->klasses;
}

/* The canonical form of a sample, and its digest. */
static void
canon(struct span s, struct buf *out)
{
	struct eol_canon c;

	eol_canon_init(&c);
	buf_clear(out);
	eol_canon_feed(&c, s.p, s.n, out);
}

/* Does M begin, or end, with S in canonical form? */
static int
holds(struct adoption *a, struct lmsg *m, struct span s, bool at_end,
    bool *holds_r, struct err *e)
{
	struct buf local, remote;
	int rc = 0;

	*holds_r = false;
	buf_init(&local, 4 * SAMPLE_ALL);
	buf_init(&remote, 4 * SAMPLE_ALL);
	canon(s, &remote);
	if (remote.n <= m->content.size)
		rc = maildir_sample(a->r->m, a->b->j.path, m->file,
		    at_end ? m->content.size - remote.n : 0, remote.n, &local,
		    e);
	if (rc == 0)
		*holds_r = span_eq(buf_span(&local), buf_span(&remote));
	buf_release(&local);
	buf_release(&remote);
	return rc;
}

static int
ends_equal(struct adoption *a, struct lmsg *m, struct span head,
    struct span tail, bool *equal_r, struct err *e)
{
	int rc = holds(a, m, head, false, equal_r, e);

	if (rc == 0 && *equal_r)
		rc = holds(a, m, tail, true, equal_r, e);
	if (rc == 0)
		return 0;
	*equal_r = false;
	return unread(a, m, e);
}

/* Rule 3: the whole message, only to know its digest. */
static int
digest_remote(struct adoption *a, struct rmsg *m, struct err *e)
{
	AUTO(digest) d = digest_new();
	struct imap_fetch *f = NULL;
	struct content c;
	struct rmsg got;
	struct span chunk;
	uint64_t k;
	int rc;

	rc = imap_fetch_begin(
	    a->r->imap, &m->uid, &m->size, 1, &a->r->pass, &f, e);
	while (rc == 0 && (rc = imap_fetch_next(f, &got, e)) > 0) {
		while ((rc = imap_fetch_read(f, &chunk, e)) > 0)
			digest_feed(d, chunk.p, chunk.n);
		if (rc == 0)
			rc = imap_fetch_done(f, &got, e);
		digest_finish(d, &c);
		if (rc == 0 &&
		    map_get(&a->klass_of,
			span_of((const char *)c.sha, DIGEST_LEN), &k))
			m->klass = (uint32_t)k;
	}
	imap_fetch_end(&f);
	return rc;
}

static int
classify(struct adoption *a, struct rmsg *m, struct span head, struct span tail,
    struct err *e)
{
	AUTO(digest) d = digest_new();
	struct content c;
	uint32_t found = 0;
	uint64_t k, at = 0;

	if (head.n == 0)
		return 0;
	if (m->size <= SAMPLE_ALL) {
		digest_feed(d, head.p, head.n);
		digest_finish(d, &c);
		if (map_get(&a->klass_of,
			span_of((const char *)c.sha, DIGEST_LEN), &k))
			m->klass = (uint32_t)k;
		return 0;
	}
	map_get_u64(&a->by_size, m->size, &at);
	for (; at; at = a->same_size[at - 1]) {
		struct lmsg *f = &a->b->l.v[a->file[at - 1]];
		bool equal;

		if (f->klass == found)
			continue;
		if (ends_equal(a, f, head, tail, &equal, e) != 0)
			return e->code;
		if (!equal)
			continue;
		if (found)
			return digest_remote(a, m, e);
		found = f->klass;
	}
	m->klass = found;
	return 0;
}

static int
compare(struct adoption *a, const uint32_t *cand, size_t n, struct err *e)
{
	struct run *r = a->r;
	struct imap_sample *s;
	size_t ns = 0;
	int rc;

	rc = observe_reselect(r, a->b, e);
	if (rc != 0)
		return rc;
	s = arena_array(&r->pass, 2 * n, sizeof *s);
	for (size_t i = 0; i < n; i++) {
		const struct rmsg *m = &a->b->r.v[cand[i]];
		bool whole = m->size <= SAMPLE_ALL;

		s[ns++] = (struct imap_sample){
		    .uid = m->uid, .len = whole ? SAMPLE_ALL : SAMPLE_END};
		if (!whole)
			s[ns++] = (struct imap_sample){.uid = m->uid,
			    .off = m->size - SAMPLE_END,
			    .len = SAMPLE_END};
	}
	rc = imap_fetch_samples(r->imap, &r->pass, s, ns, e);
	ns = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct rmsg *m = &a->b->r.v[cand[i]];
		struct span head = s[ns++].got, tail = SPAN_NONE;

		if (m->size > SAMPLE_ALL)
			tail = s[ns++].got;
		rc = classify(a, m, head, tail, e);
	}
	return rc;
}

/* Classes of new files, and the server's candidates compared with them. */
static int
pair_equal(struct adoption *a, struct err *e)
{
	struct sbox *b = a->b;
	uint32_t *cand;
	size_t n;
	int rc;

	plan_candidates(&a->r->pass, &b->base, &b->l, &b->r, &cand, &n);
	if (n == 0)
		return 0;
	map_init(&a->klass_of);
	map_init(&a->by_size);
	a->same_size = arena_array(&a->r->pass, a->nfile, sizeof *a->same_size);
	for (size_t i = 0; i < a->nfile; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];
		uint64_t first = 0;

		if (!m->has_content)
			continue;
		m->klass = klass_of_sha(a, m->content.sha);
		map_get_u64(&a->by_size, m->content.size, &first);
		a->same_size[i] = (uint32_t)first;
		map_set_u64(&a->by_size, m->content.size, i + 1);
	}
	rc = compare(a, cand, n, e);
	map_release(&a->klass_of);
	map_release(&a->by_size);
	return rc;
}

int
adopt_box(struct run *r, struct sbox *b, struct err *e)
{
	struct adoption a = {.r = r, .b = b};
	int rc;

	if (b->l.same)
		return 0;
	if (b->r.renumbered)
		content_from_rows(r, b);
	rc = read_new_files(&a, e);
	if (rc == 0 && !b->r.same && !b->remote_missing)
		rc = pair_equal(&a, e);
	wait_for_unread(&a);
	b->unread_once |= a.unread;
	return rc;
}
