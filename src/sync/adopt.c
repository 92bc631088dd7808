/*
 * adopt: which new files and new UIDs of one mailbox are the same message.
 *
 * First sync with both sides full, a lost journal, a crash between an effect
 * and its record, UIDVALIDITY changed: all are the same case, an unmatched
 * pair.  Rules:
 *
 *  1. Only messages of equal size are compared, by what compare.c asks of the
 *     server.  A line X-TUID of mbsync on one side, or another on either, makes
 *     no difference (mail/digest.h): who comes from there has them.
 *  2. Equal content is interchangeable: any pairing among equals is right.
 *  3. A file that could not be read may be any message that is new on the
 *     server.  So none of these comes down in that pass: the file is read
 *     again in the next one.  What cannot be read twice is reported, and only
 *     those wait that have such a length that they may be it.  Nor does any of
 *     them in the first pass whose listing of files may lack one (scan.c).
 *  4. "Not known to be equal" is not "different": a message of which the
 *     server has told nothing is not carried over, and no file of its size is.
 */
#include "sync/adopt.h"

int
adopt_unread(struct adoption *a, struct lmsg *m, struct err *e)
{
	struct sbox *b = a->b;
	bool again = e->code == ERR_STALE || !b->unread_once;

	if (e->scope > ERR_SCOPE_MSG)
		return e->code;
	m->hold = true; /* not in this pass */
	b->undone = true;
	putoff_note_unread(a->r, m, again);
	if (again) {
		log_debug(a->r->o->log, "%s, reading it again", e->text);
		a->unread = b->rescan = true;
	} else {
		report_failed(a->r, b, 0, m->file, e->text);
		a->bad = arena_grow(
		    &a->r->pass, a->bad, a->nbad, &a->badcap, sizeof *a->bad);
		a->bad[a->nbad++] = (uint32_t)(m - b->l.v);
	}
	err_clear(e);
	return 0;
}

static bool
is_untold(const struct sbox *b, const struct lmsg *m)
{
	for (size_t k = 0; k < b->nuntold && m->has_content; k++)
		if (m->content.size == b->untold[k] ||
		    m->content.raw == b->untold[k] ||
		    m->content.bare_size == b->untold[k])
			return true;
	return false;
}

/*
 * Rule 4; also in a pass that looks at this side alone.  What waits may have
 * been moved here, and is not gone from where it was.  (Where the mailbox is
 * numbered anew, it waits for the next pass only: holds_drop_old.)
 */
static void
wait_for_untold(struct adoption *a)
{
	struct sbox *b = a->b;

	for (size_t i = 0; i < a->nfile; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];

		if (!is_untold(b, m))
			continue;
		m->hold = b->undone = true;
		putoff_note_unread(a->r, m, b->r.renumbered);
	}
}

static void
wait_for_unread(struct adoption *a)
{
	struct sbox *b = a->b;

	for (size_t i = 0; a->unread && i < b->r.n; i++)
		b->r.v[i].hold = true;
}

/* Sizes of what is new there, of which that is known; where any is kept here. */
static void
new_sizes(const struct sbox *b, struct map *sizes)
{
	size_t n = holds_has_kept(b) ? b->r.n : 0;

	for (size_t i = 0; i < n; i++) {
		const struct rmsg *x = &b->r.v[i];

		if (x->has_meta && !uidset_has(&b->r.vanished, x->uid) &&
		    (b->r.renumbered || !pairs_find(&b->base, x->uid)))
			map_set_u64(sizes, x->size, 1);
	}
}

/*
 * Case 28: H is of a file that is kept here.  Its message may be back, when one
 * of its size is new there.
 */
static bool
may_be_back(const struct map *sizes, const struct jhold *h)
{
	uint64_t one;

	return h->kind == JHOLD_KEPT && map_get_u64(sizes, h->size, &one);
}

bool
adopt_wants_kept(const struct sbox *b)
{
	struct map sizes;
	bool found = false;

	map_init(&sizes);
	new_sizes(b, &sizes);
	for (size_t i = 0; i < b->nhold && sizes.n > 0 && !found; i++)
		found = may_be_back(&sizes, &b->hold[i]);
	map_release(&sizes);
	return found;
}

/*
 * Too large, and that is recorded: by then it was read once, as it could have
 * been a message that moved.  What goes over the wire is no smaller.
 */
static bool
stays_skipped(const struct run *r, const struct lmsg *m)
{
	return m->skipped && r->a->max_size && m->fsize > r->a->max_size;
}

/*
 * Refused before.  With --full an edited file, which has been read by now, is
 * tried again: it may have been mended.
 */
static bool
stays_refused(const struct run *r, const struct lmsg *m, const struct jhold *h)
{
	return h && h->kind == JHOLD_RETRY && !holds_is_due(r, h) &&
	       !(r->o->full && m->has_content);
}

/* Stat, hold and, where nothing else names them, content of new files. */
static int
read_new_files(struct adoption *a, const struct map *sizes, struct err *e)
{
	struct run *r = a->r;
	struct sbox *b = a->b;
	size_t n;
	uint32_t *v;
	int rc;

	plan_new_files(&r->pass, &b->base, &b->l, &b->r, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct lmsg *m = &b->l.v[v[i]];
		const struct jhold *h = holds_find(b, 0, m->base);

		m->suspect = h && h->kind == JHOLD_SUSPECT &&
			     !holds_is_due(r, h);
		m->hold = m->suspect || stays_refused(r, m, h);
		m->kept = h && h->kind == JHOLD_KEPT;
		m->skipped = h && h->kind == JHOLD_SKIPPED;
		if (!m->has_stat && maildir_stat(r->m, b->j.path, m, e) != 0 &&
		    adopt_unread(a, m, e) != 0)
			return e->code;
	}
	plan_new_files(&r->pass, &b->base, &b->l, &b->r, &a->file, &a->nfile);
	sent_hold(a);
	for (size_t i = 0; i < a->nfile; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];
		const struct jhold *h;

		m->fresh = true;
		h = m->kept ? holds_find(b, 0, m->base) : NULL;
		rc = observe_keep(r, e);
		if (rc != 0)
			return rc;
		/* what is kept is not read again in each run; rows do not know
		 * of X-TUID */
		if ((m->has_content && !b->r.renumbered && !b->r.doubt) ||
		    !m->has_stat || (h && !may_be_back(sizes, h)) ||
		    stays_skipped(r, m))
			continue;
		if (maildir_digest(r->m, b->j.path, m, r->o->cancel, e) != 0 &&
		    adopt_unread(a, m, e) != 0)
			return e->code;
	}
	return 0;
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

static void
add_file(struct adoption *a, size_t i, bool tuids)
{
	struct lmsg *m = &a->b->l.v[a->file[i]];
	const struct content *c = &m->content;
	uint64_t first = 0;

	if (!m->has_content)
		return;
	m->klass = klass_of_sha(a, c->bare_sha);
	map_get_u64(&a->by_size, c->size, &first);
	a->same_size[i] = (uint32_t)first;
	map_set_u64(&a->by_size, c->size, i + 1);
	if (c->has_tuid)
		map_set_u64(&a->tuid_sizes, c->bare_size, 1);
	else if (tuids)
		map_set_u64(&a->tuid_sizes, c->bare_size + TUID_LINE, 1);
}

/* Classes of new files, and the server's candidates compared with them. */
static int
pair_equal(struct adoption *a, struct err *e)
{
	struct sbox *b = a->b;
	bool tuids = plan_has_tuids(&b->l);
	uint32_t *cand;
	size_t n;
	int rc;

	rc = a->nfile > 0 ? compare_held(a, e) : 0;
	if (rc != 0)
		return rc;
	plan_candidates(&a->r->pass, &b->base, &b->l, &b->r, &cand, &n);
	if (n == 0)
		return 0;
	map_init(&a->klass_of);
	map_init(&a->by_size);
	map_init(&a->tuid_sizes);
	a->same_size = arena_array(&a->r->pass, a->nfile, sizeof *a->same_size);
	for (size_t i = 0; i < a->nfile; i++)
		add_file(a, i, tuids);
	rc = compare_candidates(a, cand, n, e);
	map_release(&a->tuid_sizes);
	map_release(&a->klass_of);
	map_release(&a->by_size);
	return rc;
}

/* Rule 3.  (Slices behind the first read no directory, and lack nothing.) */
static bool
may_lack_files(const struct sbox *b)
{
	return !b->l.complete && !b->l.damaged &&
	       (!b->slice.on || b->slice.first);
}

int
adopt_box(struct run *r, struct sbox *b, struct err *e)
{
	struct adoption a = {.r = r, .b = b};
	struct map sizes;
	int rc;

	if (b->l.same)
		return 0;
	if (!b->r.same)
		b->nuntold = 0;
	map_init(&sizes);
	new_sizes(b, &sizes);
	rc = read_new_files(&a, &sizes, e);
	map_release(&sizes);
	if (may_lack_files(b) && !b->unread_once)
		a.unread = b->undone = b->rescan = true;
	wait_for_unread(&a);
	if (rc == 0 && !b->r.same && !b->remote_missing)
		rc = pair_equal(&a, e);
	if (rc == 0 && !b->r.same && !b->remote_missing)
		rc = sent_find(&a, e);
	wait_for_unread(&a); /* of a window, too */
	if (rc == 0 && !b->r.same && !b->remote_missing)
		rc = compare_unread(&a, e);
	wait_for_untold(&a);
	b->unread_once |= a.unread;
	return rc;
}
