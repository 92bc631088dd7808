/*
 * record: what is agreed now.  See internal.h, invariants 1 to 3 and 5.
 */
#include "sync/internal.h"

#include "base/map.h"

/* First wait after a failure, in seconds. */
#define HOLD_FIRST (15 * 60)

static bool
box_equal(const struct jbox *a, const struct jbox *b)
{
	return a->id == b->id && span_eq(a->wire, b->wire) &&
	       span_eq(a->name, b->name) && span_eq(a->path, b->path) &&
	       a->delim == b->delim && a->uidvalidity == b->uidvalidity &&
	       a->uidnext == b->uidnext &&
	       a->highestmodseq == b->highestmodseq &&
	       a->messages == b->messages &&
	       memcmp(&a->stamp, &b->stamp, sizeof a->stamp) == 0 &&
	       memcmp(&a->letters, &b->letters, sizeof a->letters) == 0 &&
	       a->letters_seen == b->letters_seen && a->held == b->held &&
	       a->ended == b->ended &&
	       span_eq(a->mailboxid, b->mailboxid);
}

bool
record_differs(const struct sbox *b)
{
	return !box_equal(&b->j, &b->recorded);
}

void
record_join(struct run *r, struct sbox *b, struct journal_batch *batch)
{
	if (b->j.id == 0) {
		b->j.synced = r->now;
		b->j.id = journal_put_box(batch, &b->j);
	}
}

struct journal_batch *
record_begin(struct run *r, struct sbox *b)
{
	struct journal_batch *batch = journal_begin(r->j, r->kw);

	record_join(r, b, batch);
	return batch;
}

void
record_theirs(struct run *r, const struct sbox *b, struct span file)
{
	r->theirs = arena_grow(&r->pass, r->theirs, r->ntheirs, &r->theirscap,
	    sizeof *r->theirs);
	r->theirs[r->ntheirs++] =
	    (struct maildir_name){.path = b->j.path, .file = file};
}

/* The names in those of V where some may not be on disk. */
static int
sync_names(struct run *r, struct sbox *const *v, size_t n, struct err *e)
{
	struct span *path = arena_array(&r->pass, n + 1, sizeof *path);
	size_t k = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (v[i]->undurable)
			path[k++] = v[i]->j.path;
	rc = maildir_sync_many(r->m, path, k, e);
	if (rc == ERR_STALE) {
		/* one was removed meanwhile: so are its names */
		rc = 0;
		for (size_t i = 0; i < k && rc == 0; i++) {
			rc = maildir_sync(r->m, path[i], e);
			rc = rc == ERR_STALE ? 0 : rc;
		}
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		v[i]->undurable = false;
	return rc;
}

/* Invariant 1. */
static int
make_durable(struct run *r, struct sbox *const *v, size_t n, struct err *e)
{
	int rc = maildir_sync_files(r->m, r->theirs, r->ntheirs, e);

	r->ntheirs = 0;
	return rc == 0 ? sync_names(r, v, n, e) : rc;
}

int
record_commit_many(struct run *r, struct sbox *const *v, size_t n,
    struct journal_batch **batch, struct err *e)
{
	bool changed = journal_batch_size(*batch) > 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		changed |= record_differs(v[i]);
	if (!changed) {
		journal_batch_free(batch);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		v[i]->j.synced = r->now;
		journal_put_box(*batch, &v[i]->j);
	}
	rc = make_durable(r, v, n, e);
	if (rc == 0)
		rc = journal_commit(batch, e);
	else
		journal_batch_free(batch);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			v[i]->recorded = v[i]->j;
		else if (v[i]->recorded.id == 0)
			v[i]->j.id = 0;
	}
	return rc;
}

int
record_commit(
    struct run *r, struct sbox *b, struct journal_batch **batch, struct err *e)
{
	return record_commit_many(r, &b, 1, batch, e);
}

void
record_look_again(struct jbox *j)
{
	/* the inodes stay: they tell whether the directory is another one */
	j->stamp.cur_mtime_ns = j->stamp.new_mtime_ns = 0;
}

/* What moved out of one that is gone there may be in any other. */
static bool
all_take_part(const struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].failed && !r->box[i].remote_missing)
			return false;
	return true;
}

/*
 * None are held on a side that was looked at to the end, and whose deletes are
 * ours to do: they were undone, or allowed.
 */
static void
unmark_held(const struct run *r, struct sbox *b)
{
	if (!(b->r.same || b->keep_cursor || r->a->keep) &&
	    r->a->direction != CONFIG_PUSH)
		b->j.held &= ~(uint32_t)JBOX_HELD_HERE;
	if (!(b->l.same || b->keep_stamp) && b->l.complete &&
	    r->a->direction != CONFIG_PULL)
		b->j.held &= ~(uint32_t)JBOX_HELD_THERE;
}

void
record_mark(struct run *r, struct sbox *b)
{
	bool marks =
	    !b->undone && !b->failed && !b->deferred && !b->slice.on;
	bool keep_stamp = b->keep_stamp || r->keep_stamps;
	struct maildir_stamp ours;

	if (b->slice.on)
		slice_mark(b);
	if (marks)
		unmark_held(r, b);
	if (marks && !b->r.same && !b->keep_cursor && !b->remote_missing) {
		b->j.uidvalidity = b->r.uidvalidity;
		b->j.uidnext = b->r.uidnext;
		b->j.highestmodseq = b->r.highestmodseq;
		b->j.messages = b->r.exists;
	}
	if (marks && b->remote_missing && !b->keep_cursor && all_take_part(r))
		b->j.messages = JBOX_GONE;
	if (!b->l.same && b->l.complete)
		b->j.letters_seen = b->letters_seen;
	if (local_untouched(r, b, &ours) && marks && !keep_stamp &&
	    !b->rescan) {
		b->j.stamp = b->seen = ours;
		b->wrote_l = false;
	} else if (!b->l.same && b->l.complete && !b->l.damaged) {
		if (b->l.replaced && b->keep_stamp)
			b->j.stamp = MAILDIR_STAMP_OTHER;
		else if (marks && !keep_stamp && !b->stamp_coarse)
			b->j.stamp = b->stamp;
		else if (maildir_stamp_eq(&b->j.stamp, &b->stamp))
			/* something is left to do although nothing moved */
			b->j.stamp = MAILDIR_STAMP_NONE;
	}
}

int
record_marks(struct run *r, struct sbox **v, size_t n, struct err *e)
{
	struct journal_batch *batch;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (record_differs(v[i]))
			v[k++] = v[i];
	if (k == 0)
		return 0;
	batch = journal_begin(r->j, r->kw);
	for (size_t i = 0; i < k; i++)
		record_join(r, v[i], batch);
	return record_commit_many(r, v, k, &batch, e);
}

/* They come in the order of the journal's keys: files by name, then UIDs. */
static int
compare_hold(const struct jhold *h, uint32_t uid, struct span base)
{
	if (h->uid != uid)
		return h->uid < uid ? -1 : 1;
	return uid ? 0 : span_cmp(h->base, base);
}

static const struct jhold *
find_hold(const struct sbox *b, uint32_t uid, struct span base)
{
	size_t lo = 0, hi = b->nhold;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int way = compare_hold(&b->hold[mid], uid, base);

		if (way == 0)
			return &b->hold[mid];
		if (way < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/*
 * Holds of UIDs say nothing of the UIDs of another generation.  But what ended
 * the connection may be one of these: nothing else is recorded before the rows
 * of the new numbers are (apply.c, rows_of_box).
 */
const struct jhold *
record_find_hold(const struct sbox *b, uint32_t uid, struct span base)
{
	const struct jhold *h = find_hold(b, uid, base);

	return h && uid && b->r.renumbered && h->kind != JHOLD_SUSPECT
		   ? NULL
		   : h;
}

static void
hold(struct run *r, struct sbox *b, struct journal_batch *batch, uint32_t uid,
    struct span base, struct span why)
{
	const struct jhold *old = record_find_hold(b, uid, base);
	struct jhold h = {.uid = uid, .base = base, .why = why};
	int64_t wait = HOLD_FIRST;

	h.tries = old ? old->tries + 1 : 1;
	for (uint32_t i = 1; i < h.tries && wait < JHOLD_LONGEST; i++)
		wait *= 4;
	h.next = r->now + (wait < JHOLD_LONGEST ? wait : JHOLD_LONGEST);
	r->rep->waiting += !old || old->kind != JHOLD_RETRY;
	journal_put_hold(batch, b->j.id, &h);
}

void
record_hold_uid(struct run *r, struct sbox *b, struct journal_batch *batch,
    uint32_t uid, struct span why)
{
	hold(r, b, batch, uid, SPAN_NONE, why);
}

bool
record_has_kept(const struct sbox *b)
{
	for (size_t i = 0; i < b->nhold; i++)
		if (b->hold[i].kind == JHOLD_KEPT)
			return true;
	return false;
}

/* OLD is replaced, or goes; files with one base share it. */
static void
waits_no_more(struct run *r, struct sbox *b, const struct jhold *old)
{
	if (!old || old->kind != JHOLD_RETRY)
		return;
	r->rep->waiting--;
	b->hold[old - b->hold].kind = JHOLD_KEPT;
}

static void
hold_sent(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct pair *row, struct jhold h)
{
	h.base = plan_base(row->file);
	h.next = b->r.uidnext;
	h.size = row->fsize;
	h.idate = row->mtime_ns;
	waits_no_more(r, b, record_find_hold(b, 0, h.base));
	journal_put_hold(batch, b->j.id, &h);
}

void
record_hold_sent(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct pair *row)
{
	const struct jhold h = {.kind = JHOLD_SENT,
	    .why = SPAN("it went up, and the server did not say as which "
			"message")};

	hold_sent(r, b, batch, row, h);
}

/* Whatever did it: the line, or what was asked for last. */
static bool
ended_connection(const struct err *e)
{
	return e->code == ERR_NET || e->code == ERR_BYE ||
	       e->code == ERR_TIMEOUT || e->code == ERR_PROTO;
}

void
record_unanswered(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct pair *row, const struct err *e)
{
	const struct jhold *old =
	    record_find_hold(b, 0, plan_base(row->file));
	struct jhold h = {.kind = JHOLD_SUSPECT,
	    .why = SPAN("the connection ended when it was sent")};

	if (old && old->kind == JHOLD_SUSPECT)
		h.tries = old->tries;
	if (e && ended_connection(e) && ++h.tries > 1)
		report_failed(r, b, 0, row->file,
		    "the connection ends whenever it is sent; it is left to "
		    "the end of each run");
	hold_sent(r, b, batch, row, h);
}

static void
suspect(struct sbox *b, struct journal_batch *batch, uint32_t uid,
    uint64_t size, uint32_t *tries_r)
{
	const struct jhold *old = record_find_hold(b, uid, SPAN_NONE);
	struct jhold h = {.kind = JHOLD_SUSPECT,
	    .uid = uid,
	    .tries = 1,
	    .size = size,
	    .why = size == JHOLD_UNSIZED
		? SPAN("the connection ended when its size was asked for")
		: SPAN("the connection ended when it was asked for")};

	if (old && old->kind == JHOLD_SUSPECT)
		h.tries = old->tries + 1;
	journal_put_hold(batch, b->j.id, &h);
	*tries_r = h.tries;
}

/*
 * A message that ends the connection would do so in each run, and nothing
 * behind it would ever be synced.  So next time it comes last; if the line was
 * to blame, that costs nothing.
 */
static void
ended_at(struct run *r, struct sbox *b, uint32_t uid, uint64_t size,
    const struct err *e)
{
	struct journal_batch *batch;
	struct err late = {0};
	uint32_t tries;

	if (uid == 0 || r->o->dry_run || !ended_connection(e))
		return;
	batch = record_begin(r, b);
	suspect(b, batch, uid, size, &tries);
	if (tries > 1)
		report_failed(r, b, uid, SPAN_NONE,
		    size == JHOLD_UNSIZED
			? "the connection ends whenever it is asked for; it is "
			  "left to the end of each run, and what is new here "
			  "waits for it"
			: "the connection ends whenever it is asked for; it is "
			  "left to the end of each run");
	if (record_commit(r, b, &batch, &late) != 0)
		journal_batch_free(&batch);
}

void
record_ended_opening(struct run *r, struct sbox *b, const struct err *e)
{
	struct journal_batch *batch;
	struct err late = {0};

	if (r->o->dry_run || !ended_connection(e))
		return;
	if (b->j.ended < UINT32_MAX)
		b->j.ended++;
	if (b->j.ended > 1)
		report_failed(r, b, 0, SPAN_NONE,
		    "the connection ends whenever it is opened; it is left to "
		    "the end of each run");
	batch = record_begin(r, b);
	if (record_commit(r, b, &batch, &late) != 0)
		journal_batch_free(&batch);
}

void
record_ended_at(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	ended_at(r, b, uid, 0, e);
}

void
record_ended_comparing(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	const struct rmsg *m = rview_find(&b->r, uid);

	ended_at(r, b, uid, m ? m->size : 0, e);
}

void
record_ended_measuring(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	ended_at(r, b, uid, JHOLD_UNSIZED, e);
}

void
record_hold_edited(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct span base)
{
	const struct jhold *old = record_find_hold(b, 0, base);
	struct jhold h = {.base = base, .why = SPAN("edited, and on its way")};

	h.tries = old ? old->tries : 0;
	r->rep->waiting += !old || old->kind != JHOLD_RETRY;
	journal_put_hold(batch, b->j.id, &h);
}

void
record_hold_file(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct span base, struct span why)
{
	hold(r, b, batch, 0, base, why);
}

void
record_policy(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op)
{
	const struct jhold *old;
	struct jhold h = {.kind = JHOLD_SKIPPED,
	    .uid = op->uid,
	    .size = op->row.size,
	    .idate = op->row.idate,
	    .why = span_str(plan_case_words(op->why))};

	if (op->kind == OP_KEEP) {
		h.kind = JHOLD_KEPT;
		h.uid = 0;
	}
	if (h.uid == 0)
		h.base = plan_base(op->file);
	old = record_find_hold(b, h.uid, h.base);
	r->rep->waiting -= old && old->kind == JHOLD_RETRY;
	journal_put_hold(batch, b->j.id, &h);
}

int
record_read_holds(struct run *r, struct sbox *b, struct err *e)
{
	b->nhold = 0;
	arena_release(&b->hold_mem);
	return b->j.id ? journal_holds(r->j, b->j.id, &b->hold_mem, &b->hold,
			     &b->nhold, e)
		       : 0;
}

bool
record_hold_due(const struct run *r, const struct jhold *h)
{
	switch (h->kind) {
	case JHOLD_RETRY:
		return jhold_has_come(h, r->now);
	case JHOLD_SKIPPED:
		/* until the configuration lets it through */
		return (r->a->max_size == 0 || h->size <= r->a->max_size) &&
		       (r->a->max_age_days == 0 || h->uid == 0 ||
			   h->idate >= run_not_before(r));
	case JHOLD_SUSPECT:
		return h->tries == 0 || h->tries == r->suspects;
	case JHOLD_KEPT:
	case JHOLD_SENT:
		break;
	}
	return false;
}

void
record_drop_hold(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct jhold *h)
{
	if (!h)
		return;
	journal_del_hold(batch, b->j.id, h->uid, h->base);
	waits_no_more(r, b, h);
}

/*
 * The bases of B's files; in *OPEN those of files that no row names, or that
 * are not known to be as it says.
 */
static void
collect_bases(
    struct run *r, const struct sbox *b, struct map *bases, struct map *open)
{
	const size_t *row_of = plan_row_of(&r->pass, &b->base, &b->l);

	for (size_t i = 0; i < b->l.n; i++) {
		const struct lmsg *m = &b->l.v[i];

		map_add(bases, m->base, i);
		if (row_of[i] == SIZE_MAX || !m->has_content ||
		    plan_is_other(m, &b->base.v[row_of[i]]))
			map_add(open, m->base, i);
	}
}

/*
 * H is of a file of which there is none by now, or (case 20) of an edit that
 * was undone: what its files are, rows say again.
 */
static bool
has_no_file(
    const struct jhold *h, const struct map *bases, const struct map *open)
{
	uint64_t at;

	return !map_get(bases, h->base, &at) ||
	       (h->kind == JHOLD_RETRY && !map_get(open, h->base, &at));
}

void
record_drop_old_holds(
    struct run *r, struct sbox *b, struct journal_batch *batch)
{
	struct map bases, open;

	if (b->nhold == 0)
		return;
	map_init(&bases);
	map_init(&open);
	/* those of files are the first */
	if (b->l.complete && b->hold[0].uid == 0)
		collect_bases(r, b, &bases, &open);
	for (size_t i = 0; i < b->nhold; i++) {
		const struct jhold *h = &b->hold[i];
		const struct rmsg *m = rview_find(&b->r, h->uid);
		bool gone;

		if (h->uid)
			/* by direction: push a size is all that is asked for */
			gone = uidset_has(&b->r.vanished, h->uid) ||
			       b->r.renumbered || (b->r.complete && !m) ||
			       (r->a->direction == CONFIG_PUSH && m &&
				   m->has_meta && jhold_is_unsized(h));
		else
			gone = b->l.complete && has_no_file(h, &bases, &open);
		if (gone)
			record_drop_hold(r, b, batch, h);
		/* maybe it made another message wait */
		if (b->r.renumbered && h->kind == JHOLD_SUSPECT)
			b->undone = b->rescan = true;
	}
	map_release(&open);
	map_release(&bases);
}
