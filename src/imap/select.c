/*
 * A SELECT is taken in three steps, for others may be under way before it
 * (survey.c, body.c):
 *
 *	imap_begin_select	the command, when it is sent
 *	imap_expect_select	when all commands before it are answered: what
 *				comes now is about its mailbox
 *	imap_end_select		when its answer has come
 *
 * One that changes something needs more care (change.c, copy.c):
 *
 *  1. What changes messages is sent when the SELECT before it was answered, and
 *     showed the UIDVALIDITY that its UIDs belong to; never together with it.
 *     One that is refused would leave the server without a mailbox, and nothing
 *     would happen (RFC 3501 section 6.3.1).  But one that opens another
 *     generation would give the UIDs to other messages.  To look beforehand
 *     (STATUS, EXAMINE) does not help: a server may find only in the SELECT
 *     that it has to number the messages anew.  Nor does UNCHANGEDSINCE: in
 *     another generation the mod-sequences begin anew, low, and pass.
 *  2. But the SELECT of the next mailbox may stand behind the changes in this
 *     one, which come first (section 5.5).  So each mailbox costs one round
 *     trip (imap_select_next).
 *  3. From that SELECT on the mailbox before is closed.  No command is sent
 *     until it is answered, and none but by imap_select() is about its mailbox.
 */
#include "imap/internal.h"

void
imap_begin_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq)
{
	imap_begin(s, read_only ? "EXAMINE " : "SELECT ");
	wire_cmd_astring(&s->cmd, wire);
	if (uidvalidity && modseq && (s->caps & IMAP_CAP_QRESYNC)) {
		/* RFC 7162 §3.2.5 */
		wire_cmd_raw(&s->cmd, " (QRESYNC (");
		wire_cmd_u64(&s->cmd, uidvalidity);
		wire_cmd_raw(&s->cmd, " ");
		wire_cmd_u64(&s->cmd, modseq);
		wire_cmd_raw(&s->cmd, "))");
	} else if ((s->caps & IMAP_CAP_CONDSTORE) &&
	    !(s->caps & IMAP_CAP_QRESYNC)) {
		/* §3.1.8; QRESYNC, once enabled, includes it. */
		wire_cmd_raw(&s->cmd, " (CONDSTORE)");
	}
}

void
imap_expect_select(struct imap *s, struct arena *mem,
    struct imap_selected *sel, struct rview *r)
{
	s->next_wire = SPAN_NONE; /* that was about another mailbox */
	*sel = (struct imap_selected){.any_keyword = true,
	    .permanent = {.sys = FLAG_ALL}};
	/*
	 * RFC 7162 §3.2.11: until CLOSED what comes is about the mailbox that
	 * was selected before.
	 */
	s->until_closed = s->selected && (s->caps & IMAP_CAP_QRESYNC);
	s->selected = s->has_exists = false;
	s->exists = 0;
	s->sel = sel;
	s->view = r;
	s->mem = mem;
}

int
imap_end_select(struct imap *s, int rc, uint32_t uidvalidity, uint64_t modseq,
    struct imap_selected *sel, struct rview *r, struct err *e)
{
	bool closed = !s->until_closed;

	s->sel = NULL;
	s->view = NULL;
	s->until_closed = false;
	if (rc < 0)
		return rc;
	s->selected = true;
	/* NOMODSEQ (RFC 7162 §3.1.2.2), or no CONDSTORE at all. */
	s->modseqs = (s->caps & IMAP_CAP_CONDSTORE) && sel->highestmodseq != 0;
	s->uidnext = sel->uidnext;
	s->due = s->exists + s->expunged;
	if (sel->uidvalidity == 0)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "SELECT: the server gives no UIDVALIDITY");
	/* Not said is not 0: an empty mailbox means that all were deleted. */
	if (!s->has_exists)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "SELECT: the server does not say how many messages there "
		    "are");
	if (!(s->caps & IMAP_CAP_CONDSTORE))
		sel->highestmodseq = 0;
	sel->exists = s->exists;
	sel->modseqs = s->modseqs;
	/* A server that forgets CLOSED: the delta went with the old mailbox. */
	sel->qresync = closed && modseq && (s->caps & IMAP_CAP_QRESYNC) &&
	    sel->highestmodseq && uidvalidity == sel->uidvalidity;
	r->same = false;
	r->uidvalidity = sel->uidvalidity;
	r->uidnext = sel->uidnext;
	r->highestmodseq = sel->highestmodseq;
	r->exists = sel->exists;
	return 0;
}

void
imap_select_next(struct imap *s, struct span wire, bool read_only)
{
	s->next_wire = wire;
	s->next_read_only = read_only;
}

int
imap_send_among(struct imap *s, struct err *e)
{
	/* A literal has to wait for its "+", and may not with others. */
	if (s->cmd.nwait > 0) {
		s->tag--; /* nothing was sent: the number is still free */
		return 0;
	}
	if (imap_send(s, e) < 0) {
		if (s->broken)
			return e->code;
		s->tag--;
		err_clear(e); /* a name that cannot be sent */
		return 0;
	}
	return 1;
}

int
imap_send_next(struct imap *s, struct err *e)
{
	struct span wire = s->next_wire;
	int rc;

	s->next_wire = SPAN_NONE;
	if (wire.n == 0)
		return 0;
	imap_begin_select(s, wire, s->next_read_only, 0, 0);
	rc = imap_send_among(s, e);
	if (rc <= 0)
		return rc;
	s->ahead_tag = s->tag;
	s->ahead_wire = wire;
	s->ahead_read_only = s->next_read_only;
	return 0;
}

static int
take_ahead(struct imap *s, struct arena *mem, struct imap_selected *sel,
    struct rview *r, struct err *e)
{
	uint32_t tag = s->ahead_tag;
	int rc;

	s->ahead_tag = 0;
	imap_expect_select(s, mem, sel, r);
	rc = imap_wait(s, tag, e);
	if (rc == 0)
		rc = imap_check_ok(s, ERR_SCOPE_BOX, e,
		    s->ahead_read_only ? "EXAMINE" : "SELECT");
	return imap_end_select(s, rc, 0, 0, sel, r, e);
}

int
imap_settle_ahead(struct imap *s, struct err *e)
{
	struct rview *view = s->view, scratch = {0};
	struct arena *mem = s->mem, own;
	struct imap_selected sel;

	if (s->ahead_tag == 0)
		return 0;
	arena_init(&own);
	uidset_init(&scratch.vanished);
	if (take_ahead(s, &own, &sel, &scratch, e) < 0 && !s->broken)
		err_clear(e);
	uidset_release(&scratch.vanished);
	arena_release(&own);
	s->view = view;
	s->mem = mem;
	return s->broken ? e->code : 0;
}

void
imap_drop(struct imap *s, uint32_t caps)
{
	/* What builds on mod-sequences goes with them. */
	if (caps & IMAP_CAP_CONDSTORE) {
		caps |= IMAP_CAP_QRESYNC;
		s->modseqs = false;
	}
	if (s->caps & caps)
		imap_trace_note(s, '*', "not used any more in this session: %s",
		    caps & IMAP_CAP_CONDSTORE ? "CONDSTORE" : "QRESYNC");
	s->caps &= ~caps;
	s->dropped |= caps;
}

static bool
is_ahead(const struct imap *s, struct span wire, bool read_only)
{
	return s->ahead_tag != 0 && span_eq(s->ahead_wire, wire) &&
	    s->ahead_read_only == read_only;
}

static int
select_now(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq, struct arena *mem,
    struct imap_selected *sel, struct rview *r, struct err *e)
{
	int rc;

	imap_begin_select(s, wire, read_only, uidvalidity, modseq);
	imap_expect_select(s, mem, sel, r);
	rc = imap_run(s, ERR_SCOPE_BOX, read_only ? "EXAMINE" : "SELECT", e);
	return imap_end_select(s, rc, uidvalidity, modseq, sel, r, e);
}

int
imap_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq, struct arena *mem,
    struct imap_selected *sel_r, struct rview *r, struct err *e)
{
	const uint32_t tiers = IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE;
	uint32_t had, lacked = s->dropped;
	struct imap_selected sel;
	bool asked = uidvalidity && modseq;
	int rc = imap_enabled(s, e);

	if (rc == 0 && (asked || !is_ahead(s, wire, read_only)))
		rc = imap_settle_ahead(s, e);
	if (rc < 0)
		return rc;
	had = s->caps & tiers;
	for (;;) {
		rc = s->ahead_tag ? take_ahead(s, mem, &sel, r, e)
				  : select_now(s, wire, read_only, uidvalidity,
					modseq, mem, &sel, r, e);
		if (rc != ERR_BAD || !(s->caps & tiers))
			break;
		/* It claims more than it can: the next lower tier. */
		if ((s->caps & IMAP_CAP_QRESYNC) && !asked)
			break;
		imap_drop(s, s->caps & IMAP_CAP_QRESYNC ? IMAP_CAP_QRESYNC
							: IMAP_CAP_CONDSTORE);
		err_clear(e);
		r->n = 0;
		uidset_clear(&r->vanished);
		uidset_clear(&r->more);
	}
	if (rc < 0) {
		if (!s->selected) {
			/* It was the mailbox. */
			s->caps |= had;
			s->dropped = lacked;
		}
		return rc;
	}
	*sel_r = sel;
	return 0;
}

int
imap_unselect(struct imap *s, struct err *e)
{
	bool can = s->caps & IMAP_CAP_UNSELECT;
	int rc = imap_settle_ahead(s, e);

	if (rc < 0 || !s->selected)
		return rc;
	/*
	 * CLOSE would expunge (RFC 3501 §6.4.2).  Opening another mailbox, or
	 * failing to, closes this one (§6.3.1).
	 */
	imap_begin(s, can ? "UNSELECT" : "EXAMINE INBOX");
	rc = imap_run(s, ERR_SCOPE_BOX, can ? "UNSELECT" : "EXAMINE", e);
	if (rc == 0)
		s->selected = !can;
	if (rc == ERR_NO && !can) {
		err_clear(e);
		s->selected = false;
		rc = 0;
	}
	return rc;
}
