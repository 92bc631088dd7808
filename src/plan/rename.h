/*
 * rename: in which order mailboxes can be renamed on one side.  PURE.
 *
 * A rename takes along what is below it.  It needs a free target: nothing
 * there, and nothing below it.
 */
#ifndef PLAN_RENAME_H
#define PLAN_RENAME_H

#include "plan/tree.h"

struct rename_mover {
	uint64_t id;      /* for the steps */
	struct span now;  /* where it is; at the end: where it came to */
	struct span want; /* .p NULL: wherever it is taken along to */
	bool doomed;      /* will be deleted: may be put out of the way */
	bool aside;       /* it was */
	bool fresh;       /* nowhere; it will be made where it wants to be */
	bool fixed;       /* a rename of it failed: it is not put aside */
};

struct rename_steps {
	struct tree_step *v;
	size_t n, cap;
};

/*
 * SEP: the delimiter of levels; 0: nothing is taken along.  PREFIX: in front
 * of top-level names.  What has to get out of another's way, and cannot go
 * where it wants to yet, or is doomed, is put aside (TREE_ASIDE); so is what is
 * doomed and came to where one that is fresh wants to be, unless others would
 * have to go aside with it.  False when v[*blocked_r] cannot come to where it
 * has to: what is in the way stays there.  Then V and OUT are of no use.
 */
bool rename_order(struct arena *mem, struct rename_mover *v, size_t n,
    char sep, struct span prefix, bool remote, struct rename_steps *out,
    size_t *blocked_r);

#endif
