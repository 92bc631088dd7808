/*
 * A SELECT is taken in three steps, for others may be under way before it
 * (survey.c, body.c):
 *
 *	imap_begin_select	the command, when it is sent
 *	imap_expect_select	when all commands before it are answered: what
 *				comes now is about its mailbox
 *	imap_end_select		when its answer has come
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

int
imap_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq, struct arena *mem,
    struct imap_selected *sel_r, struct rview *r, struct err *e)
{
	const uint32_t tiers = IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE;
	uint32_t had, lacked = s->dropped;
	struct imap_selected sel;
	int rc = imap_enabled(s, e);

	if (rc < 0)
		return rc;
	had = s->caps & tiers;
	for (;;) {
		bool asked = uidvalidity && modseq;

		imap_begin_select(s, wire, read_only, uidvalidity, modseq);
		imap_expect_select(s, mem, &sel, r);
		rc = imap_run(s, ERR_SCOPE_BOX,
		    read_only ? "EXAMINE" : "SELECT", e);
		rc = imap_end_select(s, rc, uidvalidity, modseq, &sel, r, e);
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
	int rc;

	if (!s->selected)
		return 0;
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
