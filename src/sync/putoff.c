/*
 * putoff: what a pass had better not carry out, as something could not be read.
 *
 *  1. What the server was asked (identify.c) and did not tell, while the message
 *     is there, is not known to be another one: it waits, and so does what
 *     would delete, keep or push a message of its size.
 *  2. A new file that cannot be read may be one that was moved, and then it is
 *     no better than none: what is gone here, and was as long, stays on the
 *     server; until the next pass, when that reads the file again.
 *  3. Nothing is moved into a mailbox that the server does not have.
 */
#include "sync/internal.h"

/* It is carried out in another pass, or run. */
static void
put_off(struct run *r, struct op *op)
{
	struct plan *pl = &r->plan;

	for (size_t i = 0; i < pl->nbox; i++) {
		if (pl->box[i].box != op->box)
			continue;
		pl->box[i].ldeletes -= op->kind == OP_LDELETE;
		pl->box[i].rdeletes -= op->kind == OP_RDELETE;
	}
	r->box[op->box].undone = true;
	op->kind = OP_WAIT;
}

/*
 * Rule 1, of what may be the message of P.  A mailbox that is numbered anew
 * loses its rows, and with them what tells that this file is no new one: it
 * takes no part at all.
 */
static void
put_off_like(struct run *r, const struct op *p)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if (op->row.size != p->row.size)
			continue;
		if (op->kind == OP_PUSH && op->why != CASE_L_NEW)
			r->box[op->box].failed = true;
		else if ((op->kind == OP_LDELETE && op->why != CASE_EXPUNGE) ||
			 (op->kind == OP_FORGET && op->why == CASE_LR_GONE) ||
			 op->kind == OP_KEEP || op->kind == OP_PUSH)
			put_off(r, op);
	}
}

/* Rule 1: those of UNTOLD, in mailbox BOX, that are there. */
int
putoff_untold(
    struct run *r, uint32_t box, struct uidset *untold, struct err *e)
{
	int rc = observe_there(r, untold, e);

	for (size_t i = 0; i < r->plan.n && rc == 0; i++) {
		struct op *op = &r->plan.op[i];

		if (op->kind != OP_PULL || op->box != box ||
		    !uidset_has(untold, op->uid))
			continue;
		put_off_like(r, op);
		put_off(r, op);
		report_failed(r, &r->box[box], op->uid, SPAN_NONE,
		    "not compared with what is here: the server sends no "
		    "octets of it; it waits, and what is gone there and has "
		    "its size does");
	}
	return rc;
}

void
putoff_note_unread(struct run *r, const struct lmsg *m, bool again)
{
	r->unread = arena_grow(
	    &r->pass, r->unread, r->nunread, &r->unreadcap, sizeof *r->unread);
	r->unread[r->nunread++] = (struct unread){
	    .again = again, .has_size = m->has_stat, .fsize = m->fsize};
}

/* Rule 2. */
void
putoff_unread(struct run *r)
{
	for (size_t i = 0; i < r->plan.n && r->nunread > 0; i++) {
		struct op *op = &r->plan.op[i];
		bool may_be = false;

		if (op->kind != OP_RDELETE ||
		    (op->why != CASE_L_GONE && op->why != CASE_L_GONE_R_FLAGS))
			continue;
		for (size_t k = 0; k < r->nunread; k++) {
			const struct unread *x = &r->unread[k];

			if (x->has_size && x->fsize != op->row.fsize)
				continue;
			may_be = true;
			r->box[op->box].rescan |= x->again;
		}
		if (may_be)
			put_off(r, op);
	}
	r->unread = NULL;
	r->nunread = r->unreadcap = 0;
}

/*
 * Rule 3.  A mailbox that the server lost comes back with the new mail that is
 * here: until then nothing can be moved into it, and what it was moved from
 * waits.
 */
void
putoff_into_missing(struct run *r)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if ((op->kind != OP_RMOVE && op->kind != OP_RCOPY) ||
		    !r->box[op->box].remote_missing)
			continue;
		if (op->kind == OP_RMOVE) {
			struct sbox *from = &r->box[op->from];

			from->undone = from->rescan = true;
		}
		op->kind = OP_PUSH;
	}
}
