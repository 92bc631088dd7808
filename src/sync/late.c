/*
 * late: what the server may still be storing.
 *
 *  1. Before messages are sent or copied there (APPEND, UID COPY), a note goes
 *     into the lock's file, and it is taken off once all answers have come.  So
 *     it outlives a run that ended before they had.
 *  2. A server works off what it had received by then, though nobody waits for
 *     the answers.  A run that finds a fresh note looks until the numbers of
 *     the mailboxes stand still: what it lists too early it would send again.
 *  3. Nothing makes the note durable.  When the power failed here, the server
 *     has long done what it had to when we are back.
 */
#include "sync/internal.h"

#include "base/clock.h"

#define FRESH_S 60 /* a note counts so long */
/* Numbers that did not change for so long stand still. */
#define STILL_MS 3000
#define STILL_HERE_MS 300 /* no line on which anything could be under way */
#define LOOK_MS 100
#define WAIT_MAX_MS 30000

bool
late_may_be(const struct run *r)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];

		if (!op->held && (op->kind == OP_PUSH || op->kind == OP_RCOPY ||
				     op->kind == OP_RMOVE))
			return true;
	}
	return false;
}

/* All that grows when something is stored, in one number. */
static int
numbers(struct run *r, uint64_t *sum_r, struct err *e)
{
	struct imap_listing l;
	struct arena mem;
	int rc;

	arena_init(&mem);
	rc = imap_list(r->imap, &mem, &l, e);
	*sum_r = 0;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		*sum_r += l.v[i].uidnext + l.v[i].messages;
	arena_release(&mem);
	return rc;
}

int
late_wait(struct run *r, struct err *e)
{
	int64_t now = clock_wall_s(), since, end, still;
	uint64_t last, sum;
	int rc;

	if (!r->lock || !journal_lock_noted(r->lock, &since) ||
	    since > now + FRESH_S || since < now - FRESH_S)
		return 0;
	log_info(r->o->log,
	    "%s: the last run did not hear the end of what it sent; looking "
	    "whether the server is done with it",
	    r->a->name);
	end = clock_mono_ms() + WAIT_MAX_MS;
	still = imap_is_near(r->imap) ? STILL_HERE_MS : STILL_MS;
	rc = numbers(r, &last, e);
	for (int64_t from = clock_mono_ms(); rc == 0;) {
		if (clock_mono_ms() - from >= still || clock_mono_ms() >= end)
			break;
		rc = cancel_wait(r->o->cancel, LOOK_MS, e);
		if (rc == 0)
			rc = numbers(r, &sum, e);
		if (rc == 0 && sum != last) {
			last = sum;
			from = clock_mono_ms();
		}
	}
	if (rc == 0)
		journal_lock_note(r->lock, false);
	return rc;
}
