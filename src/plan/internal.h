/*
 * internal: what the files of plan/ share.
 */
#ifndef PLAN_INTERNAL_H
#define PLAN_INTERNAL_H

#include "plan/plan.h"

#define PLAN_NONE SIZE_MAX

/*
 * Which file is which row's, by index.  In this order: the same name; the
 * same base (renamed by another program, new/ to cur/, flags), of several of it
 * those that are alike in what is known of the files; the same inode, size and
 * time (another base); the same content.  A file that was read, and has other
 * content than the row with its name, is tried with other rows before: two may
 * have exchanged their names.  Each step only for files
 * and rows that no earlier one has paired, files in the order of their names,
 * rows in that of their UIDs; of n equal files and m equal rows the smaller
 * number is paired.
 */
struct plan_match {
	size_t *file_of; /* by row: index into l->v, or PLAN_NONE */
	size_t *row_of;  /* by file: index into base->v, or PLAN_NONE */
	size_t *sorted;  /* indexes into l->v in the order of file names */
};

void plan_match(struct arena *mem, const struct pairs *base,
    const struct lview *l, struct plan_match *m_r);

/*
 * Case 18: ROW's message is gone there, which is not believed.  Its file may be
 * a message that is new there; somebody else may have brought it back.
 */
bool plan_is_doubtful(const struct rview *r, const struct pair *row);

/*
 * May file I be a message that is new there?  One without a row; one whose
 * message is in doubt, or means nothing any more; one that was edited.
 */
bool plan_is_open(const struct plan_match *m, const struct pairs *base,
    const struct lview *l, const struct rview *r, size_t i);

/*
 * Mailbox BOX is missing there: unless new mail makes it again, it may come
 * back, and its rows stay (case 118).
 */
void plan_keep_rows(struct plan *pl, uint32_t box);

/* A new op at the end; valid until the next one. */
struct op *plan_add(struct plan *pl, enum op_kind kind, enum plan_case why,
    uint32_t group, const struct pair *row);

#endif
