/*
 * merge: what the merge of one mailbox (merge.c) and the pairing of equal
 * content within it (adopt.c) share.  Pure; nothing fails; what is made lives
 * in the plan's arena.
 */
#ifndef PLAN_MERGE_H
#define PLAN_MERGE_H

#include "plan/internal.h"

enum side { SIDE_SAME, SIDE_SEEN, SIDE_GONE };

/* What is known of one row. */
struct seen {
	const struct pair *row;
	const struct lmsg *l; /* SIDE_SEEN */
	const struct rmsg *r;
	enum side lside, rside;
	bool replaced; /* the name is the row's, the content is not */
};

struct merge {
	struct plan *pl;
	uint32_t box;
	const struct pairs *base;
	const struct lview *l;
	const struct rview *r;
	const struct plan_policy *policy;
	struct plan_match match;
	struct plan_box count;
	bool *l_used, *r_used; /* paired with each other as new */
};

/* What is known of row I of the base. */
struct seen merge_look_at(const struct merge *m, size_t i);

/*
 * The server's flags of S->row's message by now.  Who marked it as deleted
 * meant what it was, before the edit of case 20.
 */
struct flags merge_shown_by_old(const struct seen *s);

/* ROW gets name, status and content of file L, as far as they were read. */
void merge_row_from_file(struct pair *row, const struct lmsg *l);

/*
 * A side that is not written to stays as it is: L or R, where BL and BR were
 * agreed on.  The other one shows what the merge gives, ROW; but what was
 * changed there is not agreed on: *REC is the row without that.
 */
void merge_leave_side(const struct merge *m, struct pair *row, struct flags bl,
    struct flags br, struct flags l, struct flags r, struct pair *rec);

/*
 * Both sides are there and show L and R: ops that make them show what ROW
 * says, or else, when there is nothing to carry out and RECORD, KIND for the
 * row, which is recorded as REC.  An OP_ADOPT is always there; OLD_UID: what it
 * was before, or 0.
 */
void merge_settle(struct merge *m, enum plan_case why, enum op_kind kind,
    bool record, const struct pair *row, const struct pair *rec,
    struct flags l, struct flags r, uint32_t old_uid);

/*
 * Cases 12 and 15: files that may be new, and messages that are, are paired by
 * equal content: rows first, files by name, UIDs ascending.  Sets l_used and
 * r_used of what it paired; to be called before any other case.
 */
void merge_equal(struct merge *m);

#endif
