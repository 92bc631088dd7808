/*
 * known: what each mailbox of the journal is now, and what it is going to be
 * on both sides; the lists that tree_plan() works with.  PURE.
 */
#ifndef PLAN_KNOWN_H
#define PLAN_KNOWN_H

#include "base/map.h"
#include "plan/rename.h"

#define KNOWN_NONE SIZE_MAX

/* A mailbox of the journal, as it is going to be. */
struct known {
	size_t r, l; /* KNOWN_NONE: gone on that side */
	struct span lname;
	bool lname_ok;
	bool r_new, l_new; /* it has another name there, given by a person */
	struct span name;
	struct span wire, path; /* wanted; .p NULL: as it comes */
	enum tree_case why;
	bool bad;  /* why says what is wrong with its new name */
	bool follows; /* gone there, and renamed here: tree.c, rule 5 */
	bool left; /* not selected */
	bool back; /* case 120 */
	bool crossed; /* case 121 */
	/*
	 * What an earlier attempt found not to work.  What floats stays where
	 * it is; when that is aside, because its place was taken meanwhile, it
	 * goes by that name from now on.
	 */
	bool drop_r, drop_l, float_r, float_l;
};

struct known_tree {
	struct arena *mem;
	const struct tree_policy *policy;
	const struct tree_journal *j;
	const struct tree_remote *r;
	const struct tree_local *l;
	const struct tree_match *m;
	size_t nj, nr, nl;
	struct known *k; /* nj */
	size_t *r_of, *l_of; /* whose they are, index into j; KNOWN_NONE */
	bool *r_held; /* known not to be the mailbox of that name */
	/*
	 * The first nj are the journal's, the rest in the order of the lists;
	 * then, of .lm, those of the server that are to be made here.
	 */
	struct rename_mover *rm, *lm;
	struct rename_steps steps;
	struct map r_by_wire, l_by_path; /* where they are now */
	size_t had, lost; /* how many LIST should have, and does not */
	bool r_back; /* tree.c, rule 8 */

	/* tree.c */
	struct map r_by_case, l_by_case;
	struct map taken; /* paths */
	struct tree_op *op;
	size_t n;
};

/* Fills in .k, .rm, .lm, .steps, .r_of, .l_of, the indexes by final place. */
void known_settle(struct known_tree *b);
/* Where mailbox I of the server's list, and directory I, come to. */
struct span known_wire(const struct known_tree *b, size_t i);
struct span known_path(const struct known_tree *b, size_t i);
/* By the patterns; R (may be NULL) is what it is on the server. */
bool known_selected(const struct known_tree *b, struct span name,
    const struct tree_remote *r);

#endif
