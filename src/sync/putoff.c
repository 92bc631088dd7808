/*
 * putoff: what a pass had better not carry out, as something could not be read,
 * or as others are at work.
 *
 *  1. What the server was asked (identify.c) and did not tell, while the message
 *     is there, is not known to be another one: it waits, and so does what
 *     would delete, keep or push a message of its size.
 *  2. A new file that cannot be read, or waits (adopt.c, rule 4), may be one
 *     that was moved, and then it is no better than none: what is gone here, and
 *     was as long, stays on the server; until the next pass, when that reads the
 *     file again.
 *  3. Nothing is moved into a mailbox that the server does not have.
 *  4. Mailboxes are looked at one after the other, and some not at all, for they
 *     have not changed.  What is moved meanwhile may be in none of these views.
 *     But whoever moves it has it in one place before it is gone from another.
 *     So, once all have been looked at, and before anything is taken for gone
 *     here: if each of them still is as it was seen then, and there is no other
 *     one, then the views show what there was at one moment, now.  Else what is
 *     gone waits until what changed has been looked at once more; or, when
 *     there is another mailbox, for the next run, which will have it listed.
 *  5. A mailbox that failed in this run (its SELECT, CREATE, or the move into it
 *     was refused) is in no view either, nor is one that the command line left
 *     out.  What is gone elsewhere, and was as long as one of its new files,
 *     stays on the server.
 *  6. A mailbox with new numbers that takes no part, as its messages could not
 *     be compared, has its rows still.  By them it will look once more for what
 *     the server lacks; what it finds nowhere goes up.  So a new message
 *     elsewhere that is as large as one of them waits as well: once it had a
 *     row of its own, nobody would ask what it was.
 *  7. For the same reason such a mailbox waits for a message elsewhere that
 *     could not be fetched yet, or waits in this pass, and is as large as what
 *     would go up.  Not for one that ended the connection: it is tried only when
 *     all else is done.  What is kept here (case 28) waits for what waits, too.
 *  8. What would go up may also be in a mailbox that failed, or was left out,
 *     where there is something new by the list of this run.  As nobody knows
 *     what that is, the mailbox with new numbers waits for it; where that one
 *     failed, or waits, only once sizes were known, if it has one of that size.
 */
#include "sync/internal.h"

#include "base/map.h"
#include "wire/resp.h"

#include <errno.h>

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
 * What may be a message of SIZE octets waits: for the next pass (AGAIN) or run.
 * A mailbox that is numbered anew loses its rows, and with them what tells that
 * this file is no new one: it takes no part at all.
 */
static void
put_off_like(struct run *r, uint64_t size, bool again)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];
		struct sbox *b = &r->box[op->box];

		if (op->row.size != size)
			continue;
		if (op_goes_up_again(op)) {
			b->waits |= again;
			b->failed |= !again;
		} else if ((op->kind == OP_LDELETE &&
			       op->why != CASE_EXPUNGE) ||
			   (op->kind == OP_FORGET &&
			       op->why == CASE_LR_GONE) ||
			   op->kind == OP_KEEP || op->kind == OP_PUSH) {
			b->rescan |= again;
			put_off(r, op);
		}
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

		if (!op_is_new_there(op) || op->box != box ||
		    !uidset_has(untold, op->uid))
			continue;
		put_off_like(r, op->row.size, false);
		put_off(r, op);
		report_failed(r, &r->box[box], op->uid, SPAN_NONE,
		    "not compared with what is here: the server sends no "
		    "octets of it; it waits, and what is gone there and has "
		    "its size does");
	}
	return rc;
}

void
putoff_unsampled(struct run *r, struct op *pull, uint32_t box)
{
	put_off_like(r, pull->row.size, true);
	put_off(r, pull);
	r->box[pull->box].rescan = true;
	r->box[box].changed = true;
}

/* Rule 7, of mailbox B: SIZES are those of what would go up again. */
static int
hold_against(
    struct run *r, struct sbox *b, const struct map *sizes, struct err *e)
{
	struct rview view = {0};
	struct uidset held;
	uint64_t one;
	int rc = 0;

	uidset_init(&held);
	uidset_init(&view.vanished);
	for (size_t i = 0; i < b->nhold; i++) {
		const struct jhold *h = &b->hold[i];

		/* those due are in the plan */
		if (h->uid && h->kind == JHOLD_RETRY &&
		    !record_hold_due(r, h))
			uidset_add(&held, h->uid);
	}
	if (held.n > 0)
		rc = observe_reselect(r, b, e);
	if (rc == 0 && held.n > 0)
		rc = imap_fetch_meta(
		    r->imap, &held, false, true, &r->pass, &view, e);
	for (size_t i = 0; i < view.n && rc == 0; i++) {
		const struct rmsg *m = &view.v[i];

		if (!m->has_meta || !map_get_u64(sizes, m->size, &one))
			continue;
		put_off_like(r, m->size, false);
		report_failed(r, b, m->uid, SPAN_NONE,
		    "not fetched yet; it may be a message of a mailbox that "
		    "the server has numbered anew, which waits until it is");
	}
	uidset_release(&held);
	uidset_release(&view.vanished);
	return rc;
}

static bool
ended_the_connection(const struct sbox *b, uint32_t uid)
{
	const struct jhold *h = record_find_hold(b, uid, SPAN_NONE);

	return h && h->kind == JHOLD_SUSPECT;
}

/* Rule 7, of what waits for a file to be read, or for the server to tell. */
static void
hold_against_waiting(struct run *r, const struct map *sizes)
{
	uint64_t one;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];
		const struct sbox *b = &r->box[op->box];

		if (op->kind == OP_WAIT && op->why == CASE_R_HOLD &&
		    map_get_u64(sizes, op->row.size, &one) &&
		    !ended_the_connection(b, op->uid))
			put_off_like(r, op->row.size, b->rescan);
	}
}

int
putoff_held(struct run *r, struct err *e)
{
	struct map sizes, kept;
	bool any = false;
	int rc = 0;

	map_init(&sizes);
	map_init(&kept);
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];
		bool again = op_goes_up_again(op);

		any |= again;
		if (again)
			map_set_u64(&sizes, op->row.size, 1);
		if (again || op->kind == OP_KEEP)
			map_set_u64(&kept, op->row.size, 1);
	}
	if (kept.n > 0)
		hold_against_waiting(r, &kept);
	for (size_t i = 0; i < r->nbox && any && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (b->failed || b->gone || b->remote_missing ||
		    b->r.renumbered)
			continue;
		rc = hold_against(r, b, &sizes, e);
		if (rc != 0)
			rc = report_contain(r, b, e);
	}
	map_release(&sizes);
	map_release(&kept);
	return rc;
}

/* Rule 8: is there in B what this run does not see? */
static bool
has_unseen(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;

	/* what never could be synced need not ever be */
	if (!b->failed || b->gone || b->remote_missing ||
	    (b->j.id == 0 && !b->left_out) ||
	    ((x->has & HAS_MESSAGES) && x->messages == 0))
		return false;
	return !b->is_listed || x->uidnext == 0 ||
	       x->uidvalidity != b->j.uidvalidity ||
	       x->uidnext > b->j.uidnext;
}

/* Where all that would go up again waits for UNSEEN. */
static void
wait_for(struct run *r, const struct sbox *unseen)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct sbox *b = &r->box[r->plan.op[i].box];
		char *text;

		if (b->failed || !op_goes_up_again(&r->plan.op[i]))
			continue;
		text = xasprintf("what the server lacks of it may be in "
				 "'%.*s', which was not looked at; it waits "
				 "until that is",
		    SPAN_ARG(unseen->j.name));
		report_failed(r, b, 0, SPAN_NONE, text);
		xfree(text);
		b->failed = true;
	}
}

/* How many take no part. */
static size_t
count_out(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nbox; i++)
		n += r->box[i].failed || r->box[i].waits;
	return n;
}

/* Where what B has and is not carried out may be what would go up again. */
static void
wait_by_size(struct run *r, const struct sbox *b, const struct map *sizes)
{
	uint64_t one;

	for (size_t i = 0; i < b->r.n && b->measured; i++)
		if (b->r.v[i].has_meta &&
		    map_get_u64(sizes, b->r.v[i].size, &one))
			put_off_like(r, b->r.v[i].size, !b->failed);
}

void
putoff_unseen(struct run *r)
{
	struct map sizes;
	size_t out;

	map_init(&sizes);
	for (size_t i = 0; i < r->plan.n; i++)
		if (op_goes_up_again(&r->plan.op[i]))
			map_set_u64(&sizes, r->plan.op[i].row.size, 1);
	for (size_t i = 0; i < r->nbox && sizes.n > 0; i++)
		if (has_unseen(&r->box[i]) && !r->box[i].measured)
			wait_for(r, &r->box[i]);
	/* who waits may be waited for */
	do {
		out = count_out(r);
		for (size_t i = 0; i < r->nbox && sizes.n > 0; i++)
			if (r->box[i].failed || r->box[i].waits)
				wait_by_size(r, &r->box[i], &sizes);
	} while (count_out(r) > out);
	map_release(&sizes);
}

/* Do the numbers of its listing say that those of B's rows mean nothing? */
static bool
is_listed_anew(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;
	const struct jbox *j = &b->j;

	return b->is_listed &&
	       ((x->uidvalidity && x->uidvalidity != j->uidvalidity) ||
		   (x->uidnext && x->uidnext < j->uidnext) ||
		   (x->highestmodseq &&
		       x->highestmodseq < j->highestmodseq));
}

/* Rule 6. */
static bool
is_cut_off(const struct sbox *b)
{
	return b->j.id && !b->gone && (b->failed || b->waits) &&
	       (b->r.renumbered || b->r.doubt || is_listed_anew(b));
}

/*
 * May OP's message be of one of BOXES (journal id -> number)?  *at_r: 1 + the
 * number; 0: no.
 */
static int
cut_off_by(struct run *r, const struct op *op, const struct map *boxes,
    uint64_t *at_r, struct err *e)
{
	struct arena mem;
	struct jfound *found;
	uint64_t at;
	size_t n;
	int rc;

	*at_r = 0;
	arena_init(&mem);
	rc = journal_rows_of_size(
	    r->j, op->row.size, SIZE_MAX, &mem, &found, &n, e);
	for (size_t i = 0; i < n && rc == 0 && *at_r == 0; i++)
		if (map_get_u64(boxes, found[i].box, &at))
			*at_r = at + 1;
	arena_release(&mem);
	return rc;
}

int
putoff_cut_off(struct run *r, struct err *e)
{
	struct map boxes, sizes;
	bool any = false;
	int rc = 0;

	map_init(&boxes);
	map_init(&sizes);
	for (size_t i = 0; i < r->nbox; i++)
		if (is_cut_off(&r->box[i])) {
			any = true;
			map_set_u64(&boxes, r->box[i].j.id, i);
		}
	for (size_t i = 0; i < r->plan.n && any && rc == 0; i++) {
		struct op *op = &r->plan.op[i];
		uint64_t at = 0;

		if (r->box[op->box].failed || r->box[op->box].waits ||
		    !(op_is_new_there(op) || op_is_new_here(op)))
			continue;
		if (!map_get_u64(&sizes, op->row.size, &at)) {
			rc = cut_off_by(r, op, &boxes, &at, e);
			map_set_u64(&sizes, op->row.size, at);
		}
		if (rc != 0 || at == 0)
			continue;
		r->box[op->box].rescan |= r->box[at - 1].waits;
		put_off(r, op);
	}
	map_release(&boxes);
	map_release(&sizes);
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

/* On the server, what is not here any more. */
static bool
deletes_gone(const struct op *op)
{
	return op->kind == OP_RDELETE &&
	       (op->why == CASE_L_GONE || op->why == CASE_L_GONE_R_FLAGS);
}

/* Rule 5: its new files are like those that cannot be read. */
static void
note_failed(struct run *r, struct sbox *b)
{
	static const struct lmsg unknown = {0};
	struct maildir_stamp now;
	struct err e = {0};

	if (maildir_stamp(r->m, b->j.path, &now, &e) != 0) {
		if (e.sys == ENOENT)
			return; /* not even a directory */
	} else if (b->j.id && maildir_stamp_eq(&now, &b->j.stamp)) {
		return;
	}
	if (local_unknown(r, b, &e) != 0)
		putoff_note_unread(r, &unknown, false);
	for (size_t i = 0; i < b->l.n; i++)
		putoff_note_unread(r, &b->l.v[i], false);
}

/* Rules 2 and 5. */
void
putoff_unread(struct run *r)
{
	bool any = false;

	for (size_t i = 0; i < r->plan.n && r->m; i++)
		any |= deletes_gone(&r->plan.op[i]);
	for (size_t i = 0; i < r->nbox && any; i++)
		if (r->box[i].failed && !r->box[i].gone)
			note_failed(r, &r->box[i]);
	for (size_t i = 0; i < r->plan.n && r->nunread > 0; i++) {
		struct op *op = &r->plan.op[i];
		bool may_be = false;

		if (!deletes_gone(op))
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

/* What the brake holds back in any case is said by it. */
static bool
takes_for_gone(const struct run *r, const struct op *op)
{
	return deletes_gone(op) && !r->box[op->box].l.damaged;
}

/* A mailbox that no list of this run had; NULL: there is none. */
static int
find_unknown(struct run *r, const struct maildir_dir **dir_r, struct err *e)
{
	struct maildir_dir *dir;
	uint64_t one;
	size_t n;
	int rc = maildir_list(r->m, &r->pass, &dir, &n, e);

	*dir_r = NULL;
	/* those that were made by this run, too */
	for (size_t i = 0; i < r->nbox; i++)
		if (!r->box[i].gone && !r->box[i].local_missing)
			map_add(&r->dirs, r->box[i].j.path, 1);
	for (size_t i = 0; rc == 0 && i < n && !*dir_r; i++)
		if (!dir[i].is_link && !map_get(&r->dirs, dir[i].path, &one))
			*dir_r = &dir[i];
	return rc;
}

/* Those that changed are marked. */
static bool
have_changed(struct run *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];
		struct maildir_stamp now;
		struct err e = {0};

		if (b->failed || b->gone || b->local_missing)
			continue;
		b->changed = maildir_stamp(r->m, b->j.path, &now, &e) != 0 ||
			     !maildir_stamp_eq(&now, &b->seen);
		any |= b->changed;
	}
	return any;
}

/* Rule 4. */
void
putoff_gone(struct run *r)
{
	const struct maildir_dir *unknown;
	struct err e = {0};
	bool any = false, changed;

	for (size_t i = 0; i < r->plan.n; i++)
		any |= takes_for_gone(r, &r->plan.op[i]);
	if (!any || !r->m)
		return;
	/* in this order: what leaves an unknown one meanwhile changes others */
	changed = find_unknown(r, &unknown, &e) != 0;
	changed |= have_changed(r);
	if (unknown && !r->appeared)
		log_info(r->o->log,
		    "%s: the mailbox '%.*s' has appeared meanwhile; the next "
		    "run sees whether what is gone here is there",
		    r->a->name, SPAN_ARG(unknown->path));
	r->appeared |= unknown != NULL;
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if ((!changed && !r->appeared) || !takes_for_gone(r, op))
			continue;
		r->box[op->box].rescan |= !r->appeared;
		put_off(r, op);
	}
}
