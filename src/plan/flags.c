#include "plan/plan.h"

/*
 * What a side shows for the first time since BASE, and what it shows no
 * more.  A flag that a side never showed cannot be missing there: that is
 * why each side has its own base.
 */
void
plan_merge_flags(struct arena *mem, struct flags bl, struct flags br,
    struct flags l, struct flags r, struct flags *to_l_r,
    struct flags *to_r_r)
{
	struct flags add = flags_or(mem, flags_minus(mem, l, bl),
	    flags_minus(mem, r, br));
	struct flags del = flags_or(mem, flags_minus(mem, bl, l),
	    flags_minus(mem, br, r));

	del = flags_minus(mem, del, add);
	*to_l_r = flags_minus(mem, flags_or(mem, l, add), del);
	*to_r_r = flags_minus(mem, flags_or(mem, r, add), del);
}
