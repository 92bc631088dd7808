/*
 * brake: what plan/brake.c holds back in a pass, measured, told and noted.
 */
#include "sync/internal.h"

const char *
brake_words(enum brake why)
{
	switch (why) {
	case BRAKE_BOX:
		return "too many for one mailbox (max_deletes and a quarter "
		       "of it)";
	case BRAKE_ACCOUNT:
		return "more than half of the account";
	case BRAKE_DAMAGED:
		return "the Maildir looks damaged or not mounted";
	case BRAKE_LIST:
		return "the server's list lost most mailboxes";
	case BRAKE_REPLACED:
		return "its directory is not the one of the last run; if it "
		       "was put back from a backup, remove the account's "
		       "journal, and what came since is fetched again";
	case BRAKE_STILL:
		return "so they were by an earlier run, and nobody has "
		       "allowed them since";
	case BRAKE_OFF:
		break;
	}
	return "";
}

int
brake_measure(struct run *r, struct plan_policy *policy, struct err *e)
{
	struct map rows;
	struct jbox *v;
	size_t n = 0;
	int rc = journal_boxes(r->j, &r->pass, &v, &n, e);

	if (rc != 0)
		return rc;
	map_init(&rows);
	policy->account_messages = 0;
	for (size_t i = 0; i < n; i++) {
		policy->account_messages += v[i].rows;
		map_set_u64(&rows, v[i].id, v[i].rows);
	}
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].j.id)
			map_get_u64(&rows, r->box[i].j.id, &r->box[i].j.rows);
	map_release(&rows);
	return 0;
}

void
brake_judge(struct run *r, const struct plan_policy *policy)
{
	for (size_t i = 0; i < r->plan.nbox; i++) {
		struct plan_box *pb = &r->plan.box[i];
		uint32_t held = r->box[pb->box].j.held;

		pb->was_held_l = held & JBOX_HELD_HERE;
		pb->was_held_r = held & JBOX_HELD_THERE;
	}
	plan_brake(&r->plan, policy);
}

void
brake_report(struct run *r)
{
	for (size_t i = 0; i < r->plan.nbox; i++) {
		const struct plan_box *pb = &r->plan.box[i];
		const struct sbox *b = &r->box[pb->box];

		if (pb->held == 0 || b->held_said)
			continue;
		r->box[pb->box].held_said = true;
		report_held(r, b,
		    (struct held){pb->held_l, pb->held - pb->held_l},
		    brake_words(pb->brake), pb->brake == BRAKE_REPLACED);
	}
}

int
brake_note(struct run *r, struct err *e)
{
	struct sbox **v =
	    arena_array(&r->pass, r->plan.nbox + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < r->plan.nbox; i++) {
		const struct plan_box *pb = &r->plan.box[i];
		struct sbox *b = &r->box[pb->box];
		uint32_t held = (pb->keep_cursor ? JBOX_HELD_HERE : 0) |
				(pb->keep_stamp ? JBOX_HELD_THERE : 0);

		if ((b->j.held & held) == held)
			continue;
		b->j.held |= held;
		v[n++] = b;
	}
	return record_marks(r, v, n, e);
}

int
brake_note_box(struct run *r, struct sbox *b, uint32_t sides, struct err *e)
{
	if (r->o->dry_run || b->j.id == 0 || (b->j.held & sides) == sides)
		return 0;
	b->j.held |= sides;
	return record_marks(r, &b, 1, e);
}

/* Of all that the journal has: no mailbox is here any more. */
int
brake_note_all(struct run *r, struct jbox *v, size_t n, struct err *e)
{
	struct journal_batch *batch = journal_begin(r->j, r->kw);

	for (size_t i = 0; i < n && !r->o->dry_run; i++) {
		if (v[i].held & JBOX_HELD_THERE)
			continue;
		v[i].held |= JBOX_HELD_THERE;
		journal_put_box(batch, &v[i]);
	}
	if (journal_batch_size(batch) > 0)
		return journal_commit(&batch, e);
	journal_batch_free(&batch);
	return 0;
}
