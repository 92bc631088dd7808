/*
 * holds: what is not carried over, and why (journal.h, struct jhold).
 *
 * Of each mailbox they are read before the first pass, and again before one
 * that looks at it; between the two a hold that is replaced, or goes, is only
 * marked (jhold.ended).
 */
#include "sync/internal.h"

#include "base/map.h"

/* First wait after a failure, in seconds. */
#define HOLD_FIRST (15 * 60)

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
holds_find(const struct sbox *b, uint32_t uid, struct span base)
{
	const struct jhold *h = find_hold(b, uid, base);

	return h && uid && b->r.renumbered && h->kind != JHOLD_SUSPECT
		   ? NULL
		   : h;
}

static bool
is_waiting(const struct jhold *h)
{
	return h && h->kind == JHOLD_RETRY && !h->ended;
}

/* OLD is replaced, or goes; files with one base share it. */
static void
waits_no_more(struct run *r, struct sbox *b, const struct jhold *old)
{
	r->rep->waiting -= is_waiting(old);
	if (old)
		b->hold[old - b->hold].ended = true;
}

bool
holds_any(const struct sbox *b, bool (*is_one)(const struct jhold *))
{
	for (size_t i = 0; i < b->nhold; i++)
		if (is_one(&b->hold[i]))
			return true;
	return false;
}

static bool
is_kept(const struct jhold *h)
{
	return h->kind == JHOLD_KEPT;
}

bool
holds_has_kept(const struct sbox *b)
{
	return holds_any(b, is_kept);
}

static void
hold(struct run *r, struct sbox *b, struct journal_batch *batch, uint32_t uid,
    struct span base, struct span why)
{
	const struct jhold *old = holds_find(b, uid, base);
	struct jhold h = {.uid = uid, .base = base, .why = why};
	int64_t wait = HOLD_FIRST;

	h.tries = old ? old->tries + 1 : 1;
	for (uint32_t i = 1; i < h.tries && wait < JHOLD_LONGEST; i++)
		wait *= 4;
	h.next = r->now + (wait < JHOLD_LONGEST ? wait : JHOLD_LONGEST);
	r->rep->waiting += !is_waiting(old);
	journal_put_hold(batch, b->j.id, &h);
}

void
holds_put_uid(struct run *r, struct sbox *b, struct journal_batch *batch,
    uint32_t uid, struct span why)
{
	hold(r, b, batch, uid, SPAN_NONE, why);
}

static void
hold_sent(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct pair *row, struct jhold h)
{
	h.base = plan_base(row->file);
	h.next = b->r.uidnext;
	h.size = row->fsize;
	h.idate = row->mtime_ns;
	waits_no_more(r, b, holds_find(b, 0, h.base));
	journal_put_hold(batch, b->j.id, &h);
}

void
holds_put_sent(struct run *r, struct sbox *b, struct journal_batch *batch,
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
holds_put_unanswered(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct pair *row, const struct err *e)
{
	const struct jhold *old = holds_find(b, 0, plan_base(row->file));
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
	const struct jhold *old = holds_find(b, uid, SPAN_NONE);
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
holds_ended_opening(struct run *r, struct sbox *b, const struct err *e)
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
holds_ended_at(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	ended_at(r, b, uid, 0, e);
}

void
holds_ended_comparing(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	const struct rmsg *m = rview_find(&b->r, uid);

	ended_at(r, b, uid, m ? m->size : 0, e);
}

void
holds_ended_measuring(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e)
{
	ended_at(r, b, uid, JHOLD_UNSIZED, e);
}

void
holds_put_edited(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct span base)
{
	const struct jhold *old = holds_find(b, 0, base);
	struct jhold h = {.base = base, .why = SPAN("edited, and on its way")};

	/* it does the same, and knows how often that ended the connection */
	if (old && old->kind == JHOLD_SUSPECT)
		return;
	h.tries = old ? old->tries : 0;
	r->rep->waiting += !is_waiting(old);
	journal_put_hold(batch, b->j.id, &h);
}

void
holds_put_file(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct span base, struct span why)
{
	hold(r, b, batch, 0, base, why);
}

void
holds_put_policy(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op)
{
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
	waits_no_more(r, b, holds_find(b, h.uid, h.base));
	journal_put_hold(batch, b->j.id, &h);
}

int
holds_read(struct run *r, struct sbox *b, struct err *e)
{
	b->nhold = 0;
	arena_release(&b->hold_mem);
	return b->j.id ? journal_holds(r->j, b->j.id, &b->hold_mem, &b->hold,
			     &b->nhold, e)
		       : 0;
}

bool
holds_is_due(const struct run *r, const struct jhold *h)
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
		/* with fewer: its mailbox could not be opened till now */
		return h->tries <= r->suspects;
	case JHOLD_KEPT:
	case JHOLD_SENT:
		break;
	}
	return false;
}

void
holds_drop(struct run *r, struct sbox *b, struct journal_batch *batch,
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
	       ((h->kind == JHOLD_RETRY || h->kind == JHOLD_SUSPECT) &&
		   !map_get(open, h->base, &at));
}

void
holds_drop_old(
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

		/*
		 * What a run recorded that did not come to its end is measured
		 * once more, as if it were new.  By direction: push a size is
		 * all that is asked for.
		 */
		if (h->uid)
			gone = pairs_find(&b->base, h->uid) ||
			       uidset_has(&b->r.vanished, h->uid) ||
			       b->r.renumbered || (b->r.complete && !m) ||
			       (r->a->direction == CONFIG_PUSH && m &&
				   m->has_meta && jhold_is_unsized(h));
		else
			gone = b->l.complete && has_no_file(h, &bases, &open);
		/* maybe it made another message wait */
		if (b->r.renumbered && h->kind == JHOLD_SUSPECT)
			b->undone = b->rescan = true;
		if (gone)
			holds_drop(r, b, batch, h);
	}
	map_release(&open);
	map_release(&bases);
}
