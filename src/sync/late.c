/*
 * late: what the server may still be storing.
 *
 *  1. When messages are sent or copied there (APPEND, UID COPY, MOVE; into the
 *     trash as well, unless it is a MOVE, which cannot do it twice), a note
 *     goes into the lock's file, again and again as long as they are, and it is
 *     taken off once all answers have come.  So it outlives a run that ended
 *     before they had, and its time is the last at which something was sent.
 *  2. A server works off what it had received by then, though nobody waits for
 *     the answers.  A run that finds a fresh note looks until the numbers of
 *     the mailboxes stand still: what it lists too early it would send again.
 *  3. What has an address of this machine may be a door to another (ssh -L,
 *     stunnel).  There is no such way between where answers come at once.
 *  4. Nothing makes the note durable.  When the power failed here, the server
 *     has long done what it had to when we are back.
 */
#include "sync/internal.h"

#include "base/clock.h"

/* Looking costs little; and a run may have waited so long for an answer. */
#define FRESH_S 3600
#define AGAIN_MS 1000
/* Numbers that did not change for so long stand still. */
#define STILL_MS 3000
#define STILL_HERE_MS 300 /* at least; and for so many round trips: */
#define STILL_HERE_LOOKS 100
#define LOOK_MS 100
#define WAIT_MAX_MS 30000

static void
note(struct run *r)
{
	journal_lock_note(r->lock, true);
	r->noted_ms = clock_mono_ms();
}

void
late_sending(struct run *r)
{
	if (r->noted_ms == 0 || clock_mono_ms() - r->noted_ms >= AGAIN_MS)
		note(r);
}

void
late_over(struct run *r, bool answered)
{
	if (r->noted_ms == 0)
		return;
	if (answered) {
		journal_lock_note(r->lock, false);
		r->noted_ms = 0;
	} else {
		note(r);
	}
}

/*
 * All that grows when something is stored, in one number; and how long numbers
 * have to stand still (rule 3), which grows, too.
 */
static int
numbers(struct run *r, uint64_t *sum_r, int64_t *still, struct err *e)
{
	int64_t from = clock_mono_ms(), took;
	struct imap_listing l;
	struct arena mem;
	int rc;

	arena_init(&mem);
	rc = imap_list(r->imap, &mem, &l, e);
	*sum_r = 0;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		*sum_r += l.v[i].uidnext + l.v[i].messages;
	arena_release(&mem);
	took = STILL_HERE_LOOKS * (clock_mono_ms() - from);
	if (!imap_is_near(r->imap) || took > STILL_MS)
		*still = STILL_MS;
	else if (*still < took)
		*still = took;
	return rc;
}

int
late_wait(struct run *r, struct err *e)
{
	int64_t now = clock_wall_s(), since, end;
	int64_t still = STILL_HERE_MS;
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
	rc = numbers(r, &last, &still, e);
	for (int64_t from = clock_mono_ms(); rc == 0;) {
		if (clock_mono_ms() - from >= still || clock_mono_ms() >= end)
			break;
		rc = cancel_wait(r->o->cancel, LOOK_MS, e);
		if (rc == 0)
			rc = numbers(r, &sum, &still, e);
		if (rc == 0 && sum != last) {
			last = sum;
			from = clock_mono_ms();
		}
	}
	if (rc == 0)
		journal_lock_note(r->lock, false);
	return rc;
}
