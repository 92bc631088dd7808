/*
 * slice: a great many new messages on the server, a part of them at a time.
 *
 * A pass holds what it looks at in memory.  So it looks at no more than
 * SLICE_ACCOUNT new messages of the account, SLICE_BOX of one mailbox, the
 * newest first.  Of the others it knows the UIDs; the passes that follow take
 * them, a slice each, until none is left.  Then the mailbox is observed as
 * usual.
 *
 * Invariants:
 *  1. Nothing is concluded from what has not been looked at.  A UID without a
 *     row may be a message that vanished elsewhere, or one that is here without
 *     a row.  So as long as something is left (run.slicing), nothing goes on
 *     either side, no row is forgotten, and no file goes up of which one of
 *     these might be the like, be it as a copy or a move of what is there.
 *     Such ops are taken out of the plan and planned again in each pass, so
 *     that what is found in a later slice may still make a move of them.
 *  2. The same UID is never looked at twice: what comes by itself for others
 *     than those that were asked for is dropped.  It lies beyond the cursor.
 *  3. The cursor that is recorded while this goes on (JBOX_BEGUN) is good for
 *     flags only: those of each row are known as of it, or later.  It is the
 *     one of the SELECT before the first row, or of the one whose changes of
 *     flags are all done.  Which UIDs have no row, and which rows no UID, a
 *     SEARCH tells whoever finds such a cursor: this run, at the end, or the
 *     one after it was killed.
 *  4. New files are read once.  Those that no slice had the like of are kept,
 *     and the slices are made as large as they are many: the work stays linear.
 *  5. It comes to an end.  A mailbox that waits as a whole is looked at again
 *     in each pass: it takes no room from others.  And whatever takes it, each
 *     pass has one slice of what is left.
 */
#include "sync/internal.h"

#include "base/map.h"

#define SLICE_BOX 10000
#define SLICE_ACCOUNT 20000

/* In a dry run no row comes of a slice, and with push no row of anything. */
static bool
may_slice(const struct run *r)
{
	return !r->o->dry_run && r->a->direction != CONFIG_PUSH;
}

/* Does it wait as a whole?  What it has depends on what is found elsewhere. */
static bool
waits(const struct sbox *b)
{
	return b->observed && (b->r.renumbered || b->r.doubt ||
				  b->remote_missing || b->local_missing);
}

/* How many new messages of B this pass may look at. */
static uint64_t
room(const struct run *r, const struct sbox *b)
{
	uint64_t n = SLICE_BOX;

	if (!may_slice(r) || b->slice.over)
		return UINT64_MAX;
	if (r->looked_at >= SLICE_ACCOUNT)
		return 0;
	if (n > SLICE_ACCOUNT - r->looked_at)
		n = SLICE_ACCOUNT - r->looked_at;
	return n > b->slice.files.n ? n : b->slice.files.n;
}

size_t
slice_most(const struct run *r)
{
	return may_slice(r) ? SLICE_ACCOUNT : 0;
}

/* Invariant 2: what a delta told of them comes with their slice. */
static void
drop_later(struct sbox *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->r.n; i++)
		if (!uidset_has(&b->slice.later, b->r.v[i].uid))
			b->r.v[n++] = b->r.v[i];
	b->r.n = n;
}

/* The newest of UNKNOWN that there is room for; the others are for later. */
static void
cut(struct run *r, struct sbox *b, struct uidset *unknown)
{
	struct slicing *s = &b->slice;
	uint64_t n = room(r, b);
	struct uidset look = {0};

	if (uidset_count(unknown) > n) {
		uidset_take_last(unknown, n, &look);
		uidset_release(&s->later);
		s->later = *unknown;
		*unknown = look;
		s->on = s->first = true;
		s->left = uidset_count(&s->later);
		s->all = s->left + n;
		uidset_clear(&s->gone);
		uidset_add_set(&s->gone, &b->r.vanished);
		s->seen = (struct rview){.uidvalidity = b->r.uidvalidity,
		    .uidnext = b->r.uidnext,
		    .highestmodseq = b->r.highestmodseq,
		    .exists = b->r.exists};
		drop_later(b);
	}
	r->looked_at += uidset_count(unknown);
}

int
slice_more(struct run *r, struct sbox *b, struct err *e)
{
	struct uidset known, again = {0};
	int rc;

	if (b->r.more.n == 0)
		return 0;
	uidset_init(&known);
	rc = journal_uids(r->j, b->j.id, &known, e);
	uidset_add_set(&again, &b->r.more);
	uidset_keep_set(&again, &known);
	uidset_remove_set(&b->r.more, &again);
	if (rc == 0 && again.n > 0)
		rc = observe_reopen(r, b, e);
	if (rc == 0 && again.n > 0)
		rc = imap_fetch_meta(
		    r->imap, &again, false, false, &r->pass, &b->r, e);
	uidset_release(&known);
	uidset_release(&again);
	return rc;
}

/* Is it worth a SEARCH?  BEGUN: invariant 3. */
static int
needs_search(
    struct run *r, struct sbox *b, bool begun, bool *needs_r, struct err *e)
{
	uint64_t known = 0, n = room(r, b);
	int rc = 0;

	*needs_r = begun;
	if (begun || n == UINT64_MAX || waits(b))
		return 0;
	if (b->j.id)
		rc = journal_count(r->j, b->j.id, &known, e);
	*needs_r = rc == 0 && b->r.exists > known && b->r.exists - known > n;
	return rc;
}

/* The rows are those of KNOWN, the server has THERE. */
static void
take_search(struct run *r, struct sbox *b, bool begun, struct uidset *known,
    struct uidset *there)
{
	struct uidset unknown = {0};

	uidset_add_set(&unknown, there);
	uidset_remove_set(&unknown, known);
	uidset_remove_set(known, there);
	uidset_clear(&b->r.vanished);
	uidset_add_set(&b->r.vanished, known);
	rview_drop_vanished(&b->r);
	cut(r, b, &unknown);
	uidset_release(&b->r.more);
	b->r.more = unknown;
	b->slice.flags_known = begun;
}

/* Invariant 3: there is no row yet. */
static void
begin_cursor(struct sbox *b)
{
	b->j.uidvalidity = b->r.uidvalidity;
	b->j.uidnext = b->r.uidnext;
	b->j.highestmodseq = b->r.highestmodseq;
	b->j.messages = JBOX_BEGUN;
}

int
slice_search(
    struct run *r, struct sbox *b, bool delta, bool *ok_r, struct err *e)
{
	bool begun = delta && b->j.messages == JBOX_BEGUN, needs, fresh;
	struct uidset known, there;
	int rc = needs_search(r, b, begun, &needs, e);

	*ok_r = false;
	if (rc != 0 || !needs)
		return rc;
	uidset_init(&known);
	uidset_init(&there);
	if (!survey_searched(b, &there)) {
		rc = observe_reopen(r, b, e);
		if (rc == 0)
			rc = imap_search_uids(r->imap, &there, e);
	}
	if (delta_no_answer(rc, e)) {
		err_clear(e);
		rc = 0;
		goto out;
	}
	if (rc == 0 && b->j.id)
		rc = journal_uids(r->j, b->j.id, &known, e);
	if (rc != 0)
		goto out;
	fresh = known.n == 0;
	if (!begun) {
		/* a delta that does not add up tells nothing of flags */
		b->r.n = 0;
		b->j.highestmodseq = 0;
	}
	take_search(r, b, begun, &known, &there);
	/* without slices, and without flags of the rows: list them */
	*ok_r = b->slice.on || begun;
	if (b->slice.on && fresh && b->r.highestmodseq)
		begin_cursor(b);
out:
	uidset_release(&known);
	uidset_release(&there);
	return rc;
}

void
slice_cut(struct run *r, struct sbox *b, struct uidset *fresh)
{
	bool was = b->slice.on;

	uidset_add_set(fresh, &b->r.more);
	if (waits(b))
		return; /* invariant 5 */
	if (was || b->r.complete) {
		if (!was)
			r->looked_at += uidset_count(fresh);
		return;
	}
	cut(r, b, fresh);
	b->slice.flags_known = true;
}

void
slice_drop_strays(struct sbox *b, const struct uidset *asked)
{
	size_t n = 0;

	if (b->r.complete)
		return;
	for (size_t i = 0; i < b->r.n; i++) {
		uint32_t uid = b->r.v[i].uid;

		if (uidset_has(asked, uid) || pairs_find(&b->base, uid) ||
		    holds_find(b, uid, SPAN_NONE))
			b->r.v[n++] = b->r.v[i];
	}
	b->r.n = n;
}

/* The files that are kept, as a view of this pass. */
static struct lview
kept_files(struct run *r, const struct slicing *s)
{
	struct lview l = {.same = s->files.n == 0, .delta = true};

	l.n = l.cap = s->files.n;
	l.v = arena_array(&r->pass, l.n + 1, sizeof *l.v);
	if (l.n)
		memcpy(l.v, s->files.v, l.n * sizeof *l.v);
	return l;
}

int
slice_observe(struct run *r, struct sbox *b, struct err *e)
{
	struct slicing *s = &b->slice;
	struct uidset look = {0};
	uint64_t n = room(r, b);
	int rc;

	if (n == 0 && !r->sliced)
		n = SLICE_BOX; /* invariant 5 */
	r->sliced = true;
	b->observed = true;
	b->rescan = b->undone = b->put_off = b->undeleted = false;
	b->wrote_l = b->wrote_r = false;
	b->left = NULL;
	s->first = false;
	b->l = kept_files(r, s);
	b->r = s->seen;
	uidset_take_last(&s->later, n, &look);
	s->left -= uidset_count(&look);
	r->looked_at += uidset_count(&look);
	b->base = (struct pairs){0};
	rc = sizes_fetch(r, b, &look, &b->r, e);
	uidset_clear(&b->r.vanished);
	uidset_add_set(&b->r.vanished, &s->gone);
	if (rc == 0)
		rc = journal_pairs_in(
		    r->j, b->j.id, &s->gone, &r->pass, &b->base, e);
	slice_drop_strays(b, &look); /* invariant 2 */
	uidset_release(&look);
	return rc;
}

/* Invariant 1; BOTH: a message that is gone on both sides may be moved. */
static bool
is_for_later(const struct run *r, const struct op *op, bool both)
{
	const struct sbox *b = &r->box[op->box];

	if (b->waits)
		return true;
	if (op->kind == OP_PUSH)
		return b->slice.on || both || op->why != CASE_L_NEW;
	if (op->kind == OP_RCOPY || op->kind == OP_RMOVE)
		return b->slice.on || both;
	return op_is_delete(op) || op->kind == OP_FORGET || op->kind == OP_KEEP;
}

void
slice_defer(struct run *r)
{
	struct plan *pl = &r->plan;
	bool both = false;
	size_t n = 0;

	r->slicing = false;
	for (size_t i = 0; i < r->nbox; i++)
		r->slicing |= r->box[i].slice.on && !r->box[i].failed;
	if (!r->slicing)
		return;
	for (size_t i = 0; i < r->nbox; i++) {
		r->box[i].waits |= waits(&r->box[i]);
		r->box[i].deferred = r->box[i].waits;
	}
	for (size_t i = 0; i < pl->n; i++)
		both |= op_has_left_both(&pl->op[i]);
	for (size_t i = 0; i < pl->n; i++) {
		struct op *op = &pl->op[i];

		if (!is_for_later(r, op, both)) {
			pl->op[n++] = *op;
			continue;
		}
		r->box[op->box].deferred = true;
		if (op_is_transfer(op))
			r->box[op->from].deferred = true;
		if (op_is_transfer(op) && op->left_uid)
			r->box[op->left_box].deferred = true;
	}
	pl->n = n;
	for (size_t i = 0; i < pl->nbox; i++)
		pl->box[i].ldeletes = pl->box[i].rdeletes = 0;
}

void
slice_mark(struct sbox *b)
{
	if (b->slice.first && b->slice.flags_known && !b->undone &&
	    !b->failed && b->r.highestmodseq)
		begin_cursor(b);
}

/* Does OP make a message of a file of B? */
static bool
uses_file(const struct run *r, const struct op *op, const struct sbox *b)
{
	bool from = op->kind == OP_LCOPY || op->kind == OP_LMOVE;

	return op->file.n && (op->kind == OP_ADOPT || op_is_transfer(op)) &&
	       &r->box[from ? op->from : op->box] == b;
}

/* New files that the plan has made no message of (invariant 4). */
static void
keep_files(struct run *r, struct sbox *b)
{
	struct slicing *s = &b->slice;
	struct arena mem;
	struct lview files = {0};
	struct map used;
	uint64_t at;

	arena_init(&mem);
	map_init(&used);
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];

		if (uses_file(r, op, b))
			map_add(&used, op->file, i);
	}
	for (size_t i = 0; i < b->l.n; i++) {
		struct lmsg m = b->l.v[i];

		if (!m.fresh || !m.has_content || m.kept ||
		    map_get(&used, m.file, &at))
			continue;
		m.file = arena_span(&mem, m.file);
		m.base = plan_base(m.file);
		m.flags = flags_copy(&mem, m.flags);
		m.klass = 0;
		lview_add(&mem, &files, m);
	}
	map_release(&used);
	arena_release(&s->mem);
	s->mem = mem;
	s->files = files;
}

void
slice_release(struct sbox *b)
{
	struct slicing *s = &b->slice;

	uidset_release(&s->later);
	uidset_release(&s->gone);
	arena_release(&s->mem);
	s->files = (struct lview){0};
	s->on = false;
}

bool
slice_next(struct run *r, struct sbox *b)
{
	struct slicing *s = &b->slice;

	if (!s->on)
		return false;
	if (s->later.n > 0 && !b->failed && !b->gone) {
		keep_files(r, b);
		return true;
	}
	slice_release(b);
	s->over = true;
	b->rescan = true; /* as a whole, from its cursor on */
	return false;
}
