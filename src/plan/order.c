#include "plan/plan.h"

#include "base/alloc.h"

#include <stdlib.h>

enum { STAGE_ROUND_1, STAGE_TRANSFER, STAGE_DELETE };

struct key {
	unsigned stage;
	size_t box;    /* in the order of merging; of transfers: in stage 1 */
	unsigned kind;
	uint32_t from;
	uint64_t uid;  /* newest first */
	size_t at;     /* stable */
};

static int
by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	/* all copies before all moves; else mailbox by mailbox */
	if (x->stage == STAGE_TRANSFER && x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->box != y->box)
		return x->box < y->box ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->uid != y->uid)
		return x->uid > y->uid ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static unsigned
rank(enum op_kind kind)
{
	static const enum op_kind order[] = {OP_RECORD, OP_ADOPT, OP_FORGET,
	    OP_KEEP, OP_SKIP, OP_LFLAGS, OP_RFLAGS, OP_PULL, OP_PUSH, OP_LATER,
	    OP_WAIT, OP_LCOPY, OP_RCOPY, OP_LMOVE, OP_RMOVE, OP_LDELETE,
	    OP_RDELETE};
	unsigned i = 0;

	while (i < sizeof order / sizeof *order && order[i] != kind)
		i++;
	return i;
}

bool
op_is_delete(const struct op *op)
{
	return op->kind == OP_LDELETE || op->kind == OP_RDELETE;
}

bool
op_is_transfer(const struct op *op)
{
	return op->kind == OP_LCOPY || op->kind == OP_RCOPY ||
	    op->kind == OP_LMOVE || op->kind == OP_RMOVE;
}

bool
op_is_new_there(const struct op *op)
{
	return op->kind == OP_PULL || (op->kind == OP_SKIP && op->uid != 0);
}

bool
op_is_new_here(const struct op *op)
{
	return op->why == CASE_L_NEW ? op->kind == OP_PUSH
				     : op->kind == OP_SKIP && op->uid == 0;
}

bool
op_has_left_both(const struct op *op)
{
	return op->kind == OP_FORGET && op->why == CASE_LR_GONE;
}

bool
op_stays_here(const struct op *op)
{
	return op->kind == OP_WAIT && op->why == CASE_L_NEW;
}

bool
op_goes_up_again(const struct op *op)
{
	return (op->kind == OP_PUSH || op->kind == OP_WAIT) &&
	    (op->why == CASE_RENUM_L_ONLY || op->why == CASE_DOUBT_R_GONE);
}

static unsigned
stage(const struct op *op)
{
	if (op_is_delete(op))
		return STAGE_DELETE;
	return op_is_transfer(op) ? STAGE_TRANSFER : STAGE_ROUND_1;
}

void
plan_order(struct plan *pl)
{
	struct key *key = xcalloc(pl->n + 1, sizeof *key);
	struct op *op = arena_array(pl->mem, pl->n + 1, sizeof *op);
	size_t box = 0;

	for (size_t i = 0; i < pl->n; i++) {
		const struct op *o = &pl->op[i];

		while (pl->box[box].box != o->box)
			box++;
		key[i] = (struct key){.stage = stage(o), .box = box,
		    .kind = rank(o->kind), .from = o->from,
		    .uid = o->kind == OP_PULL ? o->uid : 0, .at = i};
	}
	qsort(key, pl->n, sizeof *key, by_key);
	for (size_t i = 0; i < pl->n; i++)
		op[i] = pl->op[key[i].at];
	pl->op = op;
	pl->cap = pl->n + 1;
	xfree(key);
}
