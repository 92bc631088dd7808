#include "plan/plan.h"

#include "base/alloc.h"

#include <stdlib.h>

struct key {
	bool del;      /* round 2 */
	size_t box;    /* in the order of merging */
	unsigned kind;
	uint64_t uid;  /* newest first */
	size_t at;     /* stable */
};

static int
by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->del != y->del)
		return x->del ? 1 : -1;
	if (x->box != y->box)
		return x->box < y->box ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->uid != y->uid)
		return x->uid > y->uid ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static unsigned
rank(enum op_kind kind)
{
	switch (kind) {
	case OP_RECORD:
		return 0;
	case OP_ADOPT:
		return 1;
	case OP_FORGET:
		return 2;
	case OP_LFLAGS:
		return 3;
	case OP_RFLAGS:
		return 4;
	case OP_PULL:
		return 5;
	case OP_PUSH:
		return 6;
	case OP_WAIT:
		return 7;
	case OP_LDELETE:
		return 8;
	case OP_RDELETE:
		return 9;
	}
	return 10;
}

void
plan_order(struct plan *pl)
{
	struct key *key = xcalloc(pl->n + 1, sizeof *key);
	struct op *op = arena_array(pl->mem, pl->n + 1, sizeof *op);
	size_t box = 0;

	for (size_t i = 0; i < pl->n; i++) {
		enum op_kind kind = pl->op[i].kind;

		while (pl->box[box].box != pl->op[i].box)
			box++;
		key[i] = (struct key){
		    .del = kind == OP_LDELETE || kind == OP_RDELETE,
		    .box = box, .kind = rank(kind),
		    .uid = kind == OP_PULL ? pl->op[i].uid : 0, .at = i};
	}
	qsort(key, pl->n, sizeof *key, by_key);
	for (size_t i = 0; i < pl->n; i++)
		op[i] = pl->op[key[i].at];
	pl->op = op;
	pl->cap = pl->n + 1;
	xfree(key);
}
