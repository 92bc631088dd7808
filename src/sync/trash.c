/*
 * trash: what becomes, on the server, of messages that were deleted here.
 *
 * on_local_delete: trash moves them to the trash; so it is always at Gmail's,
 * where mailboxes are labels and an expunge only takes one away.  But:
 *
 *  1. In the trash itself a delete is a delete.
 *  2. An older version of a draft is expunged (not at Gmail's), and so is what
 *     was moved here: a move that was cut off between COPY and EXPUNGE leaves a
 *     row without a file, or, before it could be recorded, an equal message
 *     elsewhere that is new on both sides (case 12).
 *  3. At Gmail's a message that keeps another label only loses this one: the
 *     trash would take it out of the other mailboxes, too.
 *  4. Without MOVE a message is copied there, and then expunged.  When that
 *     was refused, or the connection ended in between, its like is in the trash
 *     already: then it is only expunged, or each run would add another.
 *  5. A trash that is missing, or only a name that others are below, is made
 *     when the first message goes there.
 */
#include "sync/tree.h"

#include "wire/resp.h"

/* These show the messages of other mailboxes. */
#define ATTR_VIRTUAL (ATTR_ALL | ATTR_IMPORTANT | ATTR_FLAGGED)

int
trash_find(struct run *r, const struct lists *ls, struct err *e)
{
	const uint32_t none = ATTR_NOSELECT | ATTR_NONEXISTENT;
	const char *name = r->a->trash;
	bool gmail = (imap_caps(r->imap) & IMAP_CAP_GMAIL) != 0;
	struct span wire;

	if ((!r->a->to_trash && !gmail) || r->a->direction == CONFIG_PULL)
		return 0;
	for (size_t i = 0; i < ls->remote.n; i++) {
		const struct imap_box *x = &ls->remote.v[i];

		if (name ? !span_eq(layout_name(&r->mem, x->wire, x->delim,
					ls->remote.prefix),
			       span_str(name))
			 : (x->attrs & ATTR_TRASH) == 0)
			continue;
		r->trash = x->wire;
		r->trash_missing = (x->attrs & none) != 0;
	}
	if (r->trash.n || !r->a->to_trash)
		return 0;
	if (!name)
		return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    "on_local_delete: trash, but the server marks no mailbox "
		    "as \\Trash; name it with trash: NAME");
	if (!layout_wire(&r->mem, span_str(name), ls->remote.delim,
		ls->remote.prefix, &wire))
		return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    "trash: '%s' cannot be a mailbox on this server", name);
	r->trash = wire;
	r->trash_missing = true;
	return 0;
}

/*
 * How many messages of OP's content this plan still deletes there.  Of
 * mailboxes before OP's that has been done, and their rows are gone
 * (finish_pass); what case 20 replaces may stay after all.
 */
static size_t
count_deletes(const struct run *r, const struct op *op)
{
	size_t n = 0;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *x = &r->plan.op[i];

		n += x->kind == OP_RDELETE && !x->held && x->box >= op->box &&
		     x->why != CASE_L_REPLACED &&
		     memcmp(x->row.sha, op->row.sha, DIGEST_LEN) == 0;
	}
	return n;
}

/* Rule 3.  What cannot be looked up may be elsewhere, too. */
static bool
keeps_label(struct run *r, const struct op *op)
{
	struct jfound *found;
	struct arena mem;
	struct err e = {0};
	size_t n = 0, rows = 0;
	bool all;

	arena_init(&mem);
	all = journal_rows_of_size(r->j, op->row.size, SYNC_SAME_SIZE, &mem,
		  &found, &n, &e) == 0 &&
	      n < SYNC_SAME_SIZE;
	for (size_t i = 0; i < n && all; i++) {
		if (memcmp(found[i].row.sha, op->row.sha, DIGEST_LEN) != 0)
			continue;
		for (size_t k = 0; k < r->nbox; k++)
			rows += r->box[k].j.id == found[i].box &&
				!(r->box[k].listed.attrs & ATTR_VIRTUAL);
	}
	arena_release(&mem);
	return !all || (rows > 1 && rows > count_deletes(r, op));
}

/* Does the row UID of the trash T stay, on the server? */
static bool
stays_there(const struct run *r, const struct sbox *t, uint32_t uid)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *x = &r->plan.op[i];

		if (x->uid == uid && &r->box[x->box] == t && op_is_delete(x))
			return false;
	}
	return true;
}

/* Rule 4. */
static bool
is_in_trash(struct run *r, const struct op *op)
{
	struct jfound *found;
	struct arena mem;
	struct err e = {0};
	bool any = false;
	size_t n = 0;

	arena_init(&mem);
	if (journal_rows_of_size(
		r->j, op->row.size, SYNC_SAME_SIZE, &mem, &found, &n, &e) != 0)
		n = 0;
	for (size_t i = 0; i < n && !any; i++) {
		const struct pair *row = &found[i].row;

		if (memcmp(row->sha, op->row.sha, DIGEST_LEN) != 0)
			continue;
		for (size_t k = 0; k < r->nbox && !any; k++)
			any = r->box[k].j.id == found[i].box &&
			      span_eq(r->box[k].j.wire, r->trash) &&
			      stays_there(r, &r->box[k], row->uid);
	}
	arena_release(&mem);
	return any;
}

/* Rule 2. */
static bool
was_moved(const struct run *r, const struct op *op)
{
	bool any = op->row.file.n == 0;

	for (size_t i = 0; i < r->plan.n && !any; i++) {
		const struct op *x = &r->plan.op[i];

		any = x->kind == OP_ADOPT && x->why == CASE_LR_NEW_EQUAL &&
		      memcmp(x->row.sha, op->row.sha, DIGEST_LEN) == 0;
	}
	return any;
}

bool
trash_takes(struct run *r, const struct sbox *b, const struct op *op)
{
	bool gmail = (imap_caps(r->imap) & IMAP_CAP_GMAIL) != 0;

	if (r->trash.n == 0 || span_eq(b->j.wire, r->trash))
		return false;
	if (gmail)
		return !keeps_label(r, op);
	if (op->why == CASE_L_REPLACED)
		return false;
	return (imap_caps(r->imap) & IMAP_CAP_MOVE) ||
	       (!was_moved(r, op) && !is_in_trash(r, op));
}

/* Their place is another mailbox now: it is looked at in the next pass. */
static void
touch(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++)
		if (span_eq(r->box[i].j.wire, r->trash))
			r->box[i].touched = true;
}

int
trash_move(
    struct run *r, struct uidset *set, struct rview *back, struct err *e)
{
	bool can_move = (imap_caps(r->imap) & IMAP_CAP_MOVE) != 0;
	struct imap_copied c = {0};
	struct uidset gone;
	int rc;

	if (r->trash_closed ||
	    (!can_move && !(imap_caps(r->imap) & IMAP_CAP_UIDPLUS)))
		return err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "this server cannot move messages to the trash (neither "
		    "MOVE nor COPYUID); set on_local_delete: expunge");
	if (r->trash_missing && gone_make_again(r, r->trash, e) < 0)
		return e->code;
	r->trash_missing = false;
	if (!can_move)
		late_sending(r);
	rc = imap_move(r->imap, set, r->trash, &r->pass, back, &c, e);
	touch(r);
	if (rc != 0 || can_move)
		return rc; /* what was not there, is gone all the same */
	uidset_init(&gone);
	for (size_t i = 0; i < c.n; i++)
		uidset_add(&gone, c.v[i].from);
	if (uidset_count(&gone) < uidset_count(set))
		r->trash_closed = true;
	uidset_clear(set);
	uidset_add_set(set, &gone);
	uidset_release(&gone);
	return 0;
}
