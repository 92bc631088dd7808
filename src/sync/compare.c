/*
 * compare: octets of new messages of the server, held against files.
 *
 *  1. Up to WHOLE_ALWAYS octets a message is read whole, as a stream, and its
 *     digest decides.  So are larger ones, until these come to WHOLE_BUDGET:
 *     all that a run which was cut off can have left (pull.c, its batches).
 *  2. Of what a lost journal has beyond that, three windows are compared byte
 *     by byte: both ends, and one from a place that nobody can foresee.  In
 *     the first are Message-ID, Date, trace fields and most of the text.
 *  3. Who edits a draft may put another one in its place that differs by a
 *     letter: what either side calls a draft is read whole, whatever its size.
 *  4. When windows fit files of different content, the whole message is read;
 *     so is one whose size no file has, or only but for a line of mbsync's.
 *  5. No octets are no answer: while the message is there, it is neither equal
 *     nor different.  It waits, and so do the files of its size; of a mailbox
 *     that is numbered anew, everything, or its rows would be lost.
 *  6. A file that cannot be read has a length at least.  The LF form of a
 *     message, its canonical form, and any mixture lie in between these two.
 */
#include "sync/adopt.h"

#define WHOLE_ALWAYS 65536
#define WHOLE_BUDGET (64u << 20)
#define WINDOW 8192
#define WINDOWS 3
/* Messages whose windows are in memory at once. */
#define SLICE 128

/* A message that is compared. */
struct question {
	struct rmsg *m;
	bool told;
	struct content content; /* of the whole message: */
	uint64_t lines;		/* LFs in it */
};

/* The body that begins, into Q's content. */
static int
read_body(
    struct imap_fetch *f, struct digest *d, struct question *q, struct err *e)
{
	struct span chunk;
	int rc;

	q->lines = 0;
	while ((rc = imap_fetch_read(f, &chunk, e)) > 0) {
		const char *p = chunk.p, *end = chunk.p + chunk.n;

		digest_feed(d, chunk.p, chunk.n);
		while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
			q->lines++;
			p++;
		}
	}
	digest_finish(d, &q->content);
	return rc;
}

/* Whole messages: content and lines of those of V that come. */
static int
read_whole(struct adoption *a, struct question *v, size_t n, struct err *e)
{
	struct run *r = a->r;
	AUTO(digest) d = digest_new();
	uint32_t *uids = arena_array(&r->pass, n, sizeof *uids);
	uint64_t *sizes = arena_array(&r->pass, n, sizeof *sizes);
	struct imap_fetch *f = NULL;
	uint64_t octets = 0;
	struct map by_uid;
	struct rmsg got;
	int rc;

	if (n == 0)
		return 0;
	map_init(&by_uid);
	for (size_t i = 0; i < n; i++) {
		uids[i] = v[i].m->uid;
		sizes[i] = v[i].m->size;
		map_set_u64(&by_uid, uids[i], i);
		octets += sizes[i];
	}
	rc = imap_expect(r->imap, octets, e);
	if (rc == 0)
		rc = imap_fetch_begin(r->imap, uids, sizes, n, &r->pass, &f, e);
	while (rc == 0 && (rc = imap_fetch_next(f, &got, e)) > 0) {
		struct question q = {.told = true};
		uint64_t at;

		rc = read_body(f, d, &q, e);
		if (rc == 0)
			rc = imap_fetch_done(f, &got, e);
		if (rc == 0)
			rc = cancel_check(r->o->cancel, e);
		if (rc == 0 && map_get_u64(&by_uid, got.uid, &at)) {
			q.m = v[at].m;
			v[at] = q;
		}
	}
	if (rc < 0 && e->scope >= ERR_SCOPE_CONN) {
		if (f) /* else nothing was asked for yet */
			holds_ended_comparing(
			    r, a->b, imap_fetch_pending(f, &(size_t){0}), e);
		r->selected_wire = SPAN_NONE;
	}
	imap_fetch_end(&f);
	map_release(&by_uid);
	return rc;
}

static void
klass_by_digest(struct adoption *a, const struct question *v, size_t n)
{
	uint64_t k;

	for (size_t i = 0; i < n; i++)
		if (v[i].told &&
		    map_get(&a->klass_of,
			span_of((const char *)v[i].content.bare_sha,
			    DIGEST_LEN),
			&k))
			v[i].m->klass = (uint32_t)k;
}

static size_t
first_of_size(const struct adoption *a, uint64_t size)
{
	uint64_t at = 0;

	map_get_u64(&a->by_size, size, &at);
	return (size_t)at;
}

/* Rule 3. */
static bool
is_draft(const struct adoption *a, const struct rmsg *m)
{
	size_t at = first_of_size(a, m->size);

	if (m->flags.sys & FLAG_DRAFT)
		return true;
	for (; at; at = a->same_size[at - 1])
		if (a->b->l.v[a->file[at - 1]].flags.sys & FLAG_DRAFT)
			return true;
	return false;
}

/* Rule 4: windows of it tell nothing. */
static bool
needs_whole(const struct adoption *a, const struct rmsg *m)
{
	uint64_t one;

	return first_of_size(a, m->size) == 0 ||
	       map_get_u64(&a->tuid_sizes, m->size, &one);
}

/* Rule 2: where the Kth window of M begins. */
static uint64_t
window_at(const struct adoption *a, const struct rmsg *m, unsigned k)
{
	uint64_t last = m->size - WINDOW;
	uint64_t mix = ((a->r->seed ^ m->uid) * 0x9e3779b97f4a7c15u) >> 16;

	return k == 0 ? 0 : k == 1 ? mix % last : last;
}

static int
windows_equal(struct adoption *a, struct lmsg *file, const struct rmsg *m,
    const struct imap_sample *s, bool *equal_r, struct err *e)
{
	struct buf local;
	bool equal = true;
	int rc = 0;

	buf_init(&local, WINDOW);
	for (unsigned k = 0; k < WINDOWS && equal && rc == 0; k++) {
		buf_clear(&local);
		rc = maildir_sample(a->r->m, a->b->j.path, file->file,
		    window_at(a, m, k), s[k].got.n, &local, e);
		equal = rc == 0 && span_eq(buf_span(&local), s[k].got);
	}
	buf_release(&local);
	*equal_r = equal;
	return rc == 0 ? 0 : adopt_unread(a, file, e);
}

/* Rule 4: *again_r is for those that have to be read whole. */
static int
judge_windows(struct adoption *a, struct question *q,
    const struct imap_sample *s, bool *again_r, struct err *e)
{
	size_t at = first_of_size(a, q->m->size);
	uint32_t found = 0;

	*again_r = false;
	for (unsigned k = 0; k < WINDOWS; k++) {
		if (s[k].got.n == 0)
			return 0;
		*again_r |= s[k].got.n != WINDOW; /* not of that size */
	}
	q->told = !*again_r;
	for (; at && q->told; at = a->same_size[at - 1]) {
		struct lmsg *file = &a->b->l.v[a->file[at - 1]];
		bool equal;

		if (file->klass == found)
			continue;
		if (windows_equal(a, file, q->m, s, &equal, e) != 0)
			return e->code;
		if (equal && found) {
			q->told = false;
			*again_r = true;
			return 0;
		}
		if (equal)
			found = file->klass;
	}
	q->m->klass = found;
	return 0;
}

/* Windows of N messages, which then are in memory. */
static int
compare_slice(struct adoption *a, struct question *v, size_t n, struct err *e)
{
	struct question *again = arena_array(&a->r->pass, n, sizeof *again);
	size_t nagain = 0, ns = 0;
	struct imap_sample *s;
	struct arena mem;
	int rc;

	arena_init(&mem);
	s = arena_array(&mem, n * WINDOWS, sizeof *s);
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < WINDOWS; k++)
			s[ns++] = (struct imap_sample){.uid = v[i].m->uid,
			    .off = window_at(a, v[i].m, k),
			    .len = WINDOW};
	rc = imap_fetch_samples(a->r->imap, &mem, s, ns, e);
	if (rc != 0 && e->scope >= ERR_SCOPE_CONN)
		holds_ended_comparing(
		    a->r, a->b, imap_pending(a->r->imap), e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool whole;

		rc = judge_windows(a, &v[i], s + i * WINDOWS, &whole, e);
		if (rc == 0 && whole)
			again[nagain++] = v[i];
	}
	arena_release(&mem);
	if (rc != 0 || nagain == 0)
		return rc;
	rc = read_whole(a, again, nagain, e);
	klass_by_digest(a, again, nagain);
	for (size_t i = 0, k = 0; i < n && k < nagain; i++)
		if (again[k].m == v[i].m)
			v[i] = again[k++];
	return rc;
}

/* Rule 5.  WHY, in words. */
static void
wait_uid(struct adoption *a, struct rmsg *m, const char *why)
{
	m->hold = true;
	m->klass = 0;
	a->b->undone = true;
	report_failed(a->r, a->b, m->uid, SPAN_NONE, why);
}

static void
files_wait(struct adoption *a, const struct rmsg *m)
{
	struct sbox *b = a->b;

	b->untold = arena_grow(&a->r->mem, b->untold, b->nuntold, &b->untoldcap,
	    sizeof *b->untold);
	b->untold[b->nuntold++] = m->size;
}

/* Rule 5, of those of V that were not told. */
static int
judge_untold(struct adoption *a, struct question *v, size_t n, struct err *e)
{
	struct uidset untold;
	int rc;

	uidset_init(&untold);
	for (size_t i = 0; i < n; i++)
		if (!v[i].told)
			uidset_add(&untold, v[i].m->uid);
	rc = observe_there(a->r, &untold, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (v[i].told || !uidset_has(&untold, v[i].m->uid))
			continue;
		if (a->b->r.renumbered) {
			rc = err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
			    "the server sends no octets of uid %u; nothing is "
			    "paired again until it does",
			    v[i].m->uid);
			break;
		}
		files_wait(a, v[i].m);
		wait_uid(a, v[i].m,
		    "not compared with what is here: the server sends no "
		    "octets of it; it waits, and files of its size do");
	}
	uidset_release(&untold);
	return rc;
}

/* Rules 1 and 3: those to be read whole come first; how many. */
static size_t
whole_first(struct adoption *a, struct question *v, size_t n)
{
	size_t nwhole = 0;
	uint64_t spent = 0;

	for (size_t i = 0; i < n; i++) {
		struct question q = v[i];
		bool large = q.m->size > WHOLE_ALWAYS;

		if (large && spent >= WHOLE_BUDGET && !is_draft(a, q.m) &&
		    !needs_whole(a, q.m))
			continue;
		if (large)
			spent += q.m->size;
		v[i] = v[nwhole];
		v[nwhole++] = q;
	}
	return nwhole;
}

/*
 * Rule 5, of those that are not to be asked for now: they have a hold of their
 * own (or, in this pass, wait for an unread file).
 */
static size_t
questions(
    struct adoption *a, const uint32_t *cand, size_t n, struct question *v)
{
	size_t asked = 0;

	for (size_t i = 0; i < n; i++) {
		struct rmsg *m = &a->b->r.v[cand[i]];

		if (m->hold)
			files_wait(a, m);
		else
			v[asked++] = (struct question){.m = m};
	}
	return asked;
}

int
compare_held(struct adoption *a, struct err *e)
{
	struct sbox *b = a->b;
	struct rview view = {0};
	struct uidset held;
	int rc;

	uidset_init(&held);
	uidset_init(&view.vanished);
	/* numbered anew: all that there is has been listed with its size */
	for (size_t i = 0; i < b->nhold && !b->r.renumbered; i++) {
		const struct jhold *h = &b->hold[i];
		struct rmsg *m = h->uid ? rview_find(&b->r, h->uid) : NULL;

		if (h->uid && !(m && m->has_meta) && !jhold_is_unsized(h) &&
		    (h->kind == JHOLD_RETRY || h->kind == JHOLD_SUSPECT))
			uidset_add(&held, h->uid);
	}
	rc = sizes_fetch(a->r, b, &held, &view, e);
	for (size_t i = 0; i < view.n && rc == 0; i++)
		if (uidset_has(&held, view.v[i].uid) && view.v[i].has_meta) {
			view.v[i].hold = true;
			rview_add(&a->r->pass, &b->r, view.v[i]);
		}
	rview_sort(&b->r);
	uidset_release(&held);
	uidset_release(&view.vanished);
	return rc;
}

int
compare_candidates(
    struct adoption *a, const uint32_t *cand, size_t n, struct err *e)
{
	struct question *v = arena_array(&a->r->pass, n, sizeof *v);
	size_t whole;
	int rc;

	n = questions(a, cand, n, v);
	if (n == 0)
		return 0;
	whole = whole_first(a, v, n);
	rc = observe_reopen(a->r, a->b, e);
	if (rc == 0)
		rc = read_whole(a, v, whole, e);
	if (rc != 0)
		return rc;
	klass_by_digest(a, v, whole);
	for (size_t i = whole; i < n && rc == 0; i += SLICE)
		rc = compare_slice(a, v + i, n - i < SLICE ? n - i : SLICE, e);
	return rc == 0 ? judge_untold(a, v, n, e) : rc;
}

/* Rule 6.  Whatever the server's line ends are, they come to that at most. */
static struct lmsg *
unread_of_length(const struct adoption *a, uint64_t least, uint64_t most)
{
	for (size_t i = 0; i < a->nbad; i++) {
		struct lmsg *file = &a->b->l.v[a->bad[i]];

		if (!file->has_stat ||
		    (file->fsize >= least && file->fsize <= most))
			return file;
	}
	return NULL;
}

/* New on the server, to come down, and no file is known to be it. */
static bool
is_unmatched(const struct adoption *a, const struct rmsg *m)
{
	const struct config_account *conf = a->r->a;
	const struct sbox *b = a->b;

	if (m->has_meta && ((conf->max_size && m->size > conf->max_size) ||
			       m->idate < run_not_before(a->r)))
		return false;
	return m->klass == 0 && !m->hold && !m->skipped &&
	       !uidset_has(&b->r.vanished, m->uid) &&
	       (b->r.renumbered || !pairs_find(&b->base, m->uid));
}

int
compare_unread(struct adoption *a, struct err *e)
{
	struct sbox *b = a->b;
	struct question *v = arena_array(&a->r->pass, b->r.n + 1, sizeof *v);
	size_t n = 0;
	int rc = 0;

	if (a->nbad == 0 || a->r->a->direction == CONFIG_PUSH)
		return 0;
	for (size_t i = 0; i < b->r.n; i++) {
		struct rmsg *m = &b->r.v[i];

		if (is_unmatched(a, m) &&
		    (!m->has_meta ||
			unread_of_length(a, m->size / 2, 2 * m->size)))
			v[n++].m = m;
	}
	if (n > 0)
		rc = observe_reopen(a->r, b, e);
	if (rc == 0)
		rc = read_whole(a, v, n, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct content *c = &v[i].content;
		const struct lmsg *file = !v[i].told
		    ? unread_of_length(a, 0, UINT64_MAX)
		    : unread_of_length(
			  a, c->bare_size - v[i].lines, c->size + TUID_LINE);
		char *why;

		if (!file)
			continue;
		why = xasprintf("not fetched: it may be '%.*s', which cannot "
				"be read",
		    SPAN_ARG(file->file));
		wait_uid(a, v[i].m, why);
		xfree(why);
	}
	return rc;
}
