/*
 * delta: is what the server says of changes to be believed?
 *
 *   QRESYNC    SELECT has brought what changed and what vanished
 *   CONDSTORE  FETCH CHANGEDSINCE brings what changed; when the numbers say
 *              that something is gone, SEARCH says what is left
 *
 * A delta counts only when it adds up: what rows and holds know, less what
 * vanished of it, plus what is new, is EXISTS.
 */
#include "sync/internal.h"

/*
 * More vanished than this, and than a quarter of the rows, is asked about; and
 * whatever a listing lacks that has arrivals, too.
 */
#define CONFIRM_MIN 10

/*
 * Does the delta agree with EXISTS?  *since_r: how many UIDs given out since
 * the cursor it shows.
 */
static int
delta_adds_up(struct run *r, struct sbox *b, bool *ok_r, uint64_t *since_r,
    struct err *e)
{
	struct uidset seen;
	uint64_t known, vanished, both, since = 0;
	int rc;

	uidset_init(&seen);
	for (size_t i = 0; i < b->r.n; i++) {
		if (uidset_has(&b->r.vanished, b->r.v[i].uid))
			continue;
		uidset_add(&seen, b->r.v[i].uid);
		since += b->r.v[i].uid >= b->j.uidnext;
	}
	uidset_remove_set(&b->r.more, &b->r.vanished);
	uidset_add_set(&seen, &b->r.more);
	since += uidset_count(&b->r.more);
	rc = journal_count(r->j, b->j.id, &known, e);
	if (rc == 0)
		rc = journal_count_in(
		    r->j, b->j.id, &b->r.vanished, &vanished, e);
	if (rc == 0)
		rc = journal_count_in(r->j, b->j.id, &seen, &both, e);
	if (rc == 0) {
		*ok_r = known - vanished + uidset_count(&seen) - both ==
			b->r.exists;
		*since_r = since;
	}
	uidset_release(&seen);
	return rc;
}

bool
delta_no_answer(int rc, const struct err *e)
{
	return (rc == ERR_NO || rc == ERR_BAD || rc == ERR_PROTO) &&
	       e->scope <= ERR_SCOPE_BOX;
}

/* How many messages that rows and holds know the view says are gone. */
static int
count_gone(struct run *r, struct sbox *b, uint64_t known, uint64_t *n_r,
    struct err *e)
{
	struct uidset listed;
	uint64_t n;
	int rc;

	if (!b->r.complete)
		return journal_count_in(
		    r->j, b->j.id, &b->r.vanished, n_r, e);
	uidset_init(&listed);
	for (size_t i = 0; i < b->r.n; i++)
		uidset_add(&listed, b->r.v[i].uid);
	rc = journal_count_in(r->j, b->j.id, &listed, &n, e);
	uidset_release(&listed);
	if (rc == 0)
		*n_r = known - n;
	return rc;
}

/* What rows and holds know, and the view says is gone. */
static int
gone_uids(struct run *r, struct sbox *b, struct uidset *gone, struct err *e)
{
	struct uidset stay;
	int rc = journal_uids(r->j, b->j.id, gone, e);

	uidset_init(&stay);
	if (b->r.complete) {
		for (size_t i = 0; i < b->r.n; i++)
			uidset_add(&stay, b->r.v[i].uid);
	} else {
		uidset_add_set(&stay, gone);
		uidset_remove_set(&stay, &b->r.vanished);
	}
	uidset_remove_set(gone, &stay);
	uidset_release(&stay);
	return rc;
}

/* EXISTS agrees with a listing also when these make up for what it lacks. */
static bool
has_arrivals(const struct sbox *b)
{
	return b->r.complete && b->r.n > 0 && b->r.uidnext > 0 &&
	       b->r.v[b->r.n - 1].uid >= b->r.uidnext;
}

/* Is any of that still there?  Then !*ok_r. */
static int
ask_for_gone(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	struct uidset gone, there;
	bool said = true;
	uint64_t n;
	int rc;

	uidset_init(&gone);
	uidset_init(&there);
	rc = gone_uids(r, b, &gone, e);
	n = uidset_count(&gone);
	if (rc == 0 && n > 0)
		rc = observe_reopen(r, b, e);
	if (rc == 0 && n > 0) {
		rc = imap_search_range(r->imap, gone.v[0].lo,
		    gone.v[gone.n - 1].hi, &there, &said, e);
		if (delta_no_answer(rc, e) || (rc == 0 && !said)) {
			/* A listing that EXISTS agrees with has to do. */
			*ok_r = b->r.complete && !has_arrivals(b);
			err_clear(e);
			rc = 0;
		} else if (rc == 0) {
			uidset_remove_set(&gone, &there);
			*ok_r = uidset_count(&gone) == n;
		}
	}
	uidset_release(&gone);
	uidset_release(&there);
	return rc;
}

/*
 * Servers have named nearly all UIDs as vanished while the messages were there
 * and EXISTS fitted by chance, and have shown mailboxes as empty that were not:
 * when much is said to be gone, ask.
 */
int
delta_confirm(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	uint64_t known, gone;
	int rc = journal_count(r->j, b->j.id, &known, e);

	*ok_r = true;
	if (rc == 0)
		rc = count_gone(r, b, known, &gone, e);
	if (rc == 0 && gone > 0 &&
	    ((gone > CONFIRM_MIN && gone * 4 > known) || has_arrivals(b)))
		rc = ask_for_gone(r, b, ok_r, e);
	return rc;
}

/*
 * Whatever comes moves HIGHESTMODSEQ (RFC 7162 section 3.1).  Where it did not,
 * an index was rebuilt, whose numbers are those of before by chance.
 */
static bool
is_rebuilt(const struct sbox *b)
{
	return b->j.uidnext && b->r.uidnext > b->j.uidnext &&
	       b->r.highestmodseq <= b->j.highestmodseq;
}

static int
delta_qresync(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	uint64_t since;
	int rc;

	if (is_rebuilt(b))
		return 0;
	rc = delta_adds_up(r, b, ok_r, &since, e);
	return rc == 0 && *ok_r ? delta_confirm(r, b, ok_r, e) : rc;
}

static uint64_t
count_from(const struct uidset *set, uint32_t uid)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].hi >= uid)
			n += set->v[i].hi -
			     (set->v[i].lo > uid ? set->v[i].lo : uid) + 1;
	return n;
}

/*
 * The mailbox has the UIDs NOW: what else is KNOWN has vanished.  A UID that is
 * neither known nor in the view, and was there at the SELECT, is one that
 * CHANGEDSINCE kept back: then !*ok_r, for it may have kept back more.
 */
static void
take_uids(struct sbox *b, const struct uidset *now, const struct uidset *known,
    bool *ok_r)
{
	struct uidset unseen, shown = {0};
	size_t n = 0;

	for (size_t i = 0; i < b->r.n; i++)
		if (uidset_has(now, b->r.v[i].uid))
			b->r.v[n++] = b->r.v[i];
	b->r.n = n;
	uidset_keep_set(&b->r.more, now);
	uidset_add_set(&b->r.vanished, known);
	uidset_remove_set(&b->r.vanished, now);
	uidset_init(&unseen);
	uidset_add_set(&unseen, now);
	uidset_remove_set(&unseen, known);
	for (size_t i = 0; i < b->r.n; i++)
		uidset_add(&shown, b->r.v[i].uid);
	uidset_remove_set(&unseen, &shown);
	uidset_release(&shown);
	uidset_remove_set(&unseen, &b->r.more);
	/* what arrived meanwhile is for the next pass */
	b->r.exists = (uint32_t)uidset_count(now);
	if (b->r.uidnext) {
		b->r.exists -= (uint32_t)count_from(now, b->r.uidnext);
		uidset_remove_range(&unseen, b->r.uidnext, UINT32_MAX);
	}
	*ok_r = unseen.n == 0;
	uidset_release(&unseen);
}

static int
settle_by_search(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	struct uidset now, known;
	int rc = observe_reopen(r, b, e);

	if (rc != 0)
		return rc;
	uidset_init(&now);
	uidset_init(&known);
	rc = imap_search_uids(r->imap, &now, e);
	if (delta_no_answer(rc, e)) {
		log_debug(r->o->log, "%s: %.*s: %s", r->a->name,
		    SPAN_ARG(b->j.name), e->text);
		err_clear(e);
		rc = 0;
	} else if (rc == 0) {
		rc = journal_uids(r->j, b->j.id, &known, e);
		if (rc == 0)
			take_uids(b, &now, &known, ok_r);
	}
	uidset_release(&now);
	uidset_release(&known);
	return rc;
}

/*
 * CHANGEDSINCE shows no expunges (RFC 7162 §3.2.1), and an expunge need not
 * move HIGHESTMODSEQ.  Nothing is gone when EXISTS fits and each UID given out
 * since is shown; equal counts alone could be one message gone and one not
 * shown.
 */
static int
delta_condstore(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	const struct jbox *j = &b->j;
	uint64_t since = 0;
	int rc = 0;

	if (b->r.highestmodseq > j->highestmodseq && !survey_changed(r, b)) {
		rc = observe_reopen(r, b, e);
		if (rc != 0)
			return rc;
		rc = imap_fetch_changed(
		    r->imap, j->highestmodseq, &r->pass, &b->r, e);
	}
	if (delta_no_answer(rc, e)) {
		log_debug(r->o->log, "%s: %.*s: %s", r->a->name,
		    SPAN_ARG(j->name), e->text);
		err_clear(e);
		/* there is no delta: slice_search() must not take it for one */
		b->sel.modseqs = false;
		return 0;
	}
	if (rc == 0)
		rc = delta_adds_up(r, b, ok_r, &since, e);
	if (rc == 0 && j->uidnext && b->r.uidnext &&
	    since != b->r.uidnext - j->uidnext)
		*ok_r = false;
	/* nor do numbers tell which before it have a row (slice.c, 3) */
	if (j->messages == JBOX_BEGUN)
		*ok_r = false;
	return rc == 0 && !*ok_r ? settle_by_search(r, b, ok_r, e) : rc;
}

int
delta_judge(struct run *r, struct sbox *b, bool *ok_r, struct err *e)
{
	*ok_r = false;
	if (b->sel.qresync)
		return delta_qresync(r, b, ok_r, e);
	return b->sel.modseqs ? delta_condstore(r, b, ok_r, e) : 0;
}
