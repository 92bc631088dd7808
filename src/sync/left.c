/*
 * left: what the configuration left undone when the marks were taken, and does
 * not any more.
 */
#include "sync/internal.h"

/*
 * Bits of journal_left_out(); never to be renumbered.  TOOK_MARKED is set where
 * nothing was left out: journals that do not know of it lack it.
 */
#define LEFT_THERE 1 /* direction: pull */
#define LEFT_HERE 2  /* direction: push */
#define LEFT_KEPT 4  /* deletes: keep */
#define TOOK_MARKED 8 /* what is marked as deleted went (case 19) */
#define LEFT_NAMES 16 /* renames that a direction left out, to be done */

void
left_unmark(const struct run *r, struct jbox *j)
{
	/* what is here did not go there */
	if (r->let_in & LEFT_THERE)
		record_look_again(j);
	if (r->let_in & (LEFT_HERE | LEFT_KEPT | TOOK_MARKED))
		j->highestmodseq = 0;
}

/* By the configuration. */
static uint64_t
leaves_out(const struct run *r)
{
	return (r->a->direction == CONFIG_PULL ? LEFT_THERE : 0) |
	       (r->a->direction == CONFIG_PUSH ? LEFT_HERE : 0) |
	       (r->a->keep ? LEFT_KEPT : 0) |
	       (run_takes_marked(r) ? TOOK_MARKED : 0);
}

int
left_judge(struct run *r, struct err *e)
{
	uint64_t was = journal_left_out(r->j), now = leaves_out(r);
	struct journal_batch *batch;
	struct jbox *v;
	size_t n = 0;
	int rc;

	r->let_in = (was ^ now) & (was ^ TOOK_MARKED) & ~(uint64_t)LEFT_NAMES;
	r->names_left = (was & LEFT_NAMES) ||
			(r->let_in & (LEFT_HERE | LEFT_THERE));
	if (r->names_left)
		now |= LEFT_NAMES;
	if (was == now || r->o->dry_run)
		return 0;
	rc = journal_boxes(r->j, &r->mem, &v, &n, e);
	if (rc != 0)
		return rc;
	batch = journal_begin(r->j, r->kw);
	for (size_t i = 0; i < n; i++) {
		left_unmark(r, &v[i]);
		journal_put_box(batch, &v[i]);
	}
	journal_put_left_out(batch, now);
	return journal_commit(&batch, e);
}

void
left_names_done(struct run *r, struct journal_batch *batch)
{
	if (r->names_left)
		journal_put_left_out(batch, leaves_out(r));
	r->names_left = false;
}
