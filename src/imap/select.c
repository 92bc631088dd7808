#include "imap/internal.h"

static void
begin_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq)
{
	imap_begin(s, read_only ? "EXAMINE " : "SELECT ");
	wire_cmd_mailbox(&s->cmd, wire);
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

int
imap_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq, struct arena *mem,
    struct imap_selected *sel_r, struct rview *r, struct err *e)
{
	struct imap_selected sel = {.any_keyword = true,
	    .permanent = {.sys = FLAG_ALL}};
	int rc;

	begin_select(s, wire, read_only, uidvalidity, modseq);
	/*
	 * RFC 7162 §3.2.11: until CLOSED what comes is about the mailbox that
	 * was selected before.
	 */
	s->until_closed = s->selected && (s->caps & IMAP_CAP_QRESYNC);
	s->selected = false;
	s->exists = 0;
	s->sel = &sel;
	s->view = r;
	s->mem = mem;
	rc = imap_run(s, ERR_SCOPE_BOX, read_only ? "EXAMINE" : "SELECT", e);
	s->sel = NULL;
	s->view = NULL;
	s->until_closed = false;
	if (rc < 0)
		return rc;
	s->selected = true;
	/* NOMODSEQ (RFC 7162 §3.1.2.2), or no CONDSTORE at all. */
	s->modseqs = (s->caps & IMAP_CAP_CONDSTORE) && sel.highestmodseq != 0;
	if (sel.uidvalidity == 0)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "SELECT: the server gives no UIDVALIDITY");
	if (!(s->caps & IMAP_CAP_CONDSTORE))
		sel.highestmodseq = 0;
	sel.exists = s->exists;
	sel.qresync = uidvalidity && modseq && sel.highestmodseq &&
	    uidvalidity == sel.uidvalidity && (s->caps & IMAP_CAP_QRESYNC);
	r->same = false;
	r->uidvalidity = sel.uidvalidity;
	r->uidnext = sel.uidnext;
	r->highestmodseq = sel.highestmodseq;
	r->exists = sel.exists;
	*sel_r = sel;
	return 0;
}

int
imap_unselect(struct imap *s, struct err *e)
{
	int rc;

	/* CLOSE would expunge (RFC 3501 §6.4.2). */
	if (!s->selected || !(s->caps & IMAP_CAP_UNSELECT))
		return 0;
	imap_begin(s, "UNSELECT");
	rc = imap_run(s, ERR_SCOPE_BOX, "UNSELECT", e);
	if (rc == 0)
		s->selected = false;
	return rc;
}
