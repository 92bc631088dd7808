/*
 * The brake (doc/merge-table.md): absence proves nothing.  Counted are messages
 * that would go, on whichever side; when there are too many, none goes.  Nor
 * later: what they are measured by changes with all mail that comes, and with
 * each file that somebody puts back, and nobody has said that the rest is meant.
 */
#include "plan/plan.h"

#define ACCOUNT_MIN 20

/* Messages to be deleted; a message that goes on both sides counts once. */
static uint64_t
deletes_of(const struct plan_box *b)
{
	return b->ldeletes > b->rdeletes ? b->ldeletes : b->rdeletes;
}

static enum brake
judge(const struct plan_box *b, const struct plan_policy *policy,
    uint64_t account)
{
	uint64_t n = deletes_of(b);

	if (n == 0)
		return BRAKE_OFF;
	if (b->damaged)
		return BRAKE_DAMAGED;
	if (policy->allow_deletes)
		return BRAKE_OFF;
	if (policy->root_damaged)
		return BRAKE_DAMAGED;
	if (policy->list_damaged)
		return BRAKE_LIST;
	if (b->replaced && b->rdeletes > 0)
		return BRAKE_REPLACED;
	if (account > ACCOUNT_MIN && account > policy->account_messages / 2)
		return BRAKE_ACCOUNT;
	if (n > policy->max_deletes && n > b->rows / 4)
		return BRAKE_BOX;
	if ((b->was_held_l && b->ldeletes > 0) ||
	    (b->was_held_r && b->rdeletes > 0))
		return BRAKE_STILL;
	return BRAKE_OFF;
}

/* What was held on one side says nothing of deletes on the other one. */
static bool
holds(const struct plan_box *b, const struct op *op)
{
	switch (b->brake) {
	case BRAKE_OFF:
		return false;
	case BRAKE_STILL:
		return op->kind == OP_LDELETE ? b->was_held_l : b->was_held_r;
	default:
		return true;
	}
}

void
plan_brake(struct plan *pl, const struct plan_policy *policy)
{
	uint64_t account = 0;
	size_t at = 0;

	for (size_t i = 0; i < pl->nbox; i++)
		account += deletes_of(&pl->box[i]);
	for (size_t i = 0; i < pl->nbox; i++)
		pl->box[i].brake = judge(&pl->box[i], policy, account);
	/* Ops stand in the order in which their mailboxes were merged. */
	for (size_t i = 0; i < pl->n; i++) {
		struct op *op = &pl->op[i];

		while (pl->box[at].box != op->box)
			at++;
		struct plan_box *b = &pl->box[at];
		if (!op_is_delete(op) || !holds(b, op))
			continue;
		op->held = true;
		b->held++;
		b->held_l += op->kind == OP_LDELETE;
		/*
		 * What holds back a deletion seen on one side must see it
		 * again in the next run.
		 */
		if (op->kind == OP_LDELETE)
			b->keep_cursor = true;
		else
			b->keep_stamp = true;
	}
}
