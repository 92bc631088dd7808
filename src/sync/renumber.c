/*
 * renumber: what a mailbox waits for whose numbers mean nothing any more, and
 * what waits for that mailbox.
 *
 * By its rows it looks for what the server lacks; what it finds nowhere goes up
 * again (cases 16 and 18), and then the rows are those of the new numbers.  So:
 *
 *  1. One that takes no part, as its messages could not be compared, has its
 *     rows still, and will look once more.  A new message elsewhere that is as
 *     large as one of them waits as well: once it had a row of its own, nobody
 *     would ask what it was.  Where the command line left that mailbox out, each
 *     run says so.
 *  2. For the same reason it waits for a message elsewhere that could not be
 *     fetched yet, or waits in this pass, and is as large as what would go up.
 *     Not for one that ended the connection: it is tried only when all else is
 *     done.  What is kept here (case 28) waits for what waits, too.
 *  3. What would go up may also be in a mailbox that failed, or was left out,
 *     where there is something new by the list of this run.  As nobody knows
 *     what that is, the mailbox with new numbers waits for it; where that one
 *     failed, or waits, only once sizes were known, if it has one of that size.
 */
#include "sync/internal.h"

#include "base/map.h"
#include "wire/resp.h"

/* Rule 2, of mailbox B: SIZES are those of what would go up again. */
static int
hold_against(
    struct run *r, struct sbox *b, const struct map *sizes, struct err *e)
{
	struct rview view = {0};
	struct uidset held;
	uint64_t one;
	int rc;

	uidset_init(&held);
	uidset_init(&view.vanished);
	for (size_t i = 0; i < b->nhold; i++) {
		const struct jhold *h = &b->hold[i];

		/* those due are in the plan */
		if (h->uid && h->kind == JHOLD_RETRY &&
		    !holds_is_due(r, h))
			uidset_add(&held, h->uid);
	}
	rc = sizes_fetch(r, b, &held, &view, e);
	for (size_t i = 0; i < view.n && rc == 0; i++) {
		const struct rmsg *m = &view.v[i];

		if (!m->has_meta || !map_get_u64(sizes, m->size, &one))
			continue;
		putoff_like(r, m->size, false);
		report_failed(r, b, m->uid, SPAN_NONE,
		    "not fetched yet; it may be a message of a mailbox that "
		    "the server has numbered anew, which waits until it is");
	}
	uidset_release(&held);
	uidset_release(&view.vanished);
	return rc;
}

static bool
ended_the_connection(const struct sbox *b, uint32_t uid)
{
	const struct jhold *h = holds_find(b, uid, SPAN_NONE);

	return h && h->kind == JHOLD_SUSPECT;
}

/* Rule 2, of what waits for a file to be read, or for the server to tell. */
static void
hold_against_waiting(struct run *r, const struct map *sizes)
{
	uint64_t one;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];
		const struct sbox *b = &r->box[op->box];

		if (op->kind == OP_WAIT && op->why == CASE_R_HOLD &&
		    map_get_u64(sizes, op->row.size, &one) &&
		    !ended_the_connection(b, op->uid))
			putoff_like(r, op->row.size, b->rescan);
	}
}

/* The sizes of what would go up again; of what is KEPT here, too. */
static void
take_sizes(const struct run *r, bool kept, struct map *sizes)
{
	map_init(sizes);
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];

		if (op_goes_up_again(op) || (kept && op->kind == OP_KEEP))
			map_set_u64(sizes, op->row.size, 1);
	}
}

int
renumber_held(struct run *r, struct err *e)
{
	struct map sizes, kept;
	int rc = 0;

	take_sizes(r, false, &sizes);
	take_sizes(r, true, &kept);
	if (kept.n > 0)
		hold_against_waiting(r, &kept);
	for (size_t i = 0; i < r->nbox && sizes.n > 0 && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (b->failed || b->gone || b->remote_missing ||
		    b->r.renumbered)
			continue;
		rc = hold_against(r, b, &sizes, e);
		if (rc != 0)
			rc = report_contain(r, b, e);
	}
	map_release(&sizes);
	map_release(&kept);
	return rc;
}

/* Rule 3: is there in B what this run does not see? */
static bool
has_unseen(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;

	/* what never could be synced need not ever be */
	if (!b->failed || b->gone || b->remote_missing ||
	    (b->j.id == 0 && !b->left_out) ||
	    ((x->has & HAS_MESSAGES) && x->messages == 0))
		return false;
	return !b->is_listed || x->uidnext == 0 ||
	       x->uidvalidity != b->j.uidvalidity ||
	       x->uidnext > b->j.uidnext;
}

/* Where all that would go up again waits for UNSEEN; it has its turn with it. */
static void
wait_for(struct run *r, const struct sbox *unseen)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct sbox *b = &r->box[r->plan.op[i].box];
		char *text;

		if (b->failed || !op_goes_up_again(&r->plan.op[i]))
			continue;
		b->failed = true;
		b->last = unseen->last;
		if (b->last)
			continue;
		text = xasprintf("what the server lacks of it may be in "
				 "'%.*s', which was not looked at; it waits "
				 "until that is",
		    SPAN_ARG(unseen->j.name));
		report_failed(r, b, 0, SPAN_NONE, text);
		xfree(text);
	}
}

/* How many take no part. */
static size_t
count_out(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nbox; i++)
		n += r->box[i].failed || r->box[i].waits;
	return n;
}

/* What would go up again, of SIZE, has its turn with what is last. */
static void
wait_as_last(struct run *r, uint64_t size)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];
		struct sbox *b = &r->box[op->box];

		if (op->row.size == size && op_goes_up_again(op) && !b->failed)
			b->failed = b->last = true;
	}
}

/* Where what B has and is not carried out may be what would go up again. */
static void
wait_by_size(struct run *r, const struct sbox *b, const struct map *sizes)
{
	uint64_t one;

	for (size_t i = 0; i < b->r.n && b->measured; i++) {
		uint64_t size = b->r.v[i].size;

		if (!b->r.v[i].has_meta || !map_get_u64(sizes, size, &one))
			continue;
		if (b->last)
			wait_as_last(r, size);
		putoff_like(r, size, !b->failed);
	}
}

void
renumber_unseen(struct run *r)
{
	struct map sizes;
	size_t out;

	take_sizes(r, false, &sizes);
	for (size_t i = 0; i < r->nbox && sizes.n > 0; i++)
		if (has_unseen(&r->box[i]) && !r->box[i].measured)
			wait_for(r, &r->box[i]);
	/* who waits may be waited for */
	do {
		out = count_out(r);
		for (size_t i = 0; i < r->nbox && sizes.n > 0; i++)
			if (r->box[i].failed || r->box[i].waits)
				wait_by_size(r, &r->box[i], &sizes);
	} while (count_out(r) > out);
	map_release(&sizes);
}

/* Do the numbers of its listing say that those of B's rows mean nothing? */
static bool
is_listed_anew(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;
	const struct jbox *j = &b->j;

	return b->is_listed &&
	       ((x->uidvalidity && x->uidvalidity != j->uidvalidity) ||
		   (x->uidnext && x->uidnext < j->uidnext) ||
		   (x->highestmodseq &&
		       x->highestmodseq < j->highestmodseq));
}

/* Rule 1. */
static bool
is_cut_off(const struct sbox *b)
{
	return b->j.id && !b->gone && (b->failed || b->waits) &&
	       (b->r.renumbered || b->r.doubt || is_listed_anew(b));
}

/*
 * May OP's message be of one of BOXES (journal id -> number)?  *at_r: 1 + the
 * number; 0: no.
 */
static int
cut_off_by(struct run *r, const struct op *op, const struct map *boxes,
    uint64_t *at_r, struct err *e)
{
	struct arena mem;
	struct jfound *found;
	uint64_t at;
	size_t n;
	int rc;

	*at_r = 0;
	arena_init(&mem);
	rc = journal_rows_of_size(
	    r->j, op->row.size, SIZE_MAX, &mem, &found, &n, e);
	for (size_t i = 0; i < n && rc == 0 && *at_r == 0; i++)
		if (map_get_u64(boxes, found[i].box, &at))
			*at_r = at + 1;
	arena_release(&mem);
	return rc;
}

/* OP waits for B, which says nothing itself. */
static void
wait_for_left_out(struct run *r, const struct op *op, const struct sbox *b)
{
	char *text = xasprintf("it may be a message of '%.*s', which the server "
			       "has numbered anew, and which was not looked "
			       "at; it waits until that is",
	    SPAN_ARG(b->j.name));

	report_failed(r, &r->box[op->box], op->uid, op->file, text);
	xfree(text);
}

int
renumber_cut_off(struct run *r, struct err *e)
{
	struct map boxes, sizes;
	bool any = false;
	int rc = 0;

	map_init(&boxes);
	map_init(&sizes);
	for (size_t i = 0; i < r->nbox; i++)
		if (is_cut_off(&r->box[i])) {
			any = true;
			map_set_u64(&boxes, r->box[i].j.id, i);
		}
	for (size_t i = 0; i < r->plan.n && any && rc == 0; i++) {
		struct op *op = &r->plan.op[i];
		uint64_t at = 0;

		if (r->box[op->box].failed || r->box[op->box].waits ||
		    !(op_is_new_there(op) || op_is_new_here(op)))
			continue;
		if (!map_get_u64(&sizes, op->row.size, &at)) {
			rc = cut_off_by(r, op, &boxes, &at, e);
			map_set_u64(&sizes, op->row.size, at);
		}
		if (rc != 0 || at == 0)
			continue;
		r->box[op->box].rescan |= r->box[at - 1].waits;
		if (r->box[at - 1].left_out)
			wait_for_left_out(r, op, &r->box[at - 1]);
		putoff_op(r, op);
	}
	map_release(&boxes);
	map_release(&sizes);
	return rc;
}
