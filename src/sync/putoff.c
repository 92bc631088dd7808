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
 *     file again.  What is gone on both sides may have been moved on both: its
 *     row stays as well, and what is new there and as large waits; so it is
 *     wherever such a row stays for its size.
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
 *     out, or whose name or directory is such that nothing is done with it.  What
 *     is gone elsewhere, and was as long as one of its new files, stays on the
 *     server; all that is gone does where not all of these can be seen.
 *  6. A message at which the connection ended is tried at the end of the run.
 *     Where it ended as they were compared, what is named in rule 1 waits until
 *     then.  (Before a message is fetched, all has been compared with it.)
 *     Where its size was asked for, it may be anything, and all that waits.
 *     Once it has ended UNSIZED_TRIES runs, all but the first of them when it
 *     alone was asked for, the line is not to blame.  So that all else goes on,
 *     only what would go up to its own mailbox still waits: that is where the
 *     same message is, without a row, when a journal or an answer was lost.
 *  7. With direction: pull what was moved here has stayed where it is, and its
 *     mailbox did not change since.  Before what both sides have left is
 *     forgotten, and what is new there and as large comes, it is looked for
 *     everywhere here.
 *  8. What is gone there may have been moved into a mailbox that did not seem to
 *     have changed when this run began.  If it was changed here meanwhile, what
 *     goes with it is more than a file that comes again: so the server is asked
 *     once more which mailboxes have got something.  While one that failed has
 *     new mail, it waits.
 *  9. What has left a mailbox on both sides may have gone to one there that
 *     failed, or that the command line left out, and that has new mail.  A file
 *     with its content, which is new here, is no new message until that one was
 *     looked at (case 26): it waits, and the row stays.  (With direction: pull
 *     the plan has no such files any more, and each of these rows does.)
 * 10. Nor is it known of a mailbox that failed, or was left out, what has left
 *     it.  What is new on both sides, in two mailboxes, and has the content of
 *     one of its rows, may have been moved out of it on both: it waits as well.
 */
#include "sync/internal.h"

#include "wire/resp.h"

#include <errno.h>

#define UNSIZED_TRIES 3

void
putoff_op(struct run *r, struct op *op)
{
	struct plan *pl = &r->plan;

	for (size_t i = 0; i < pl->nbox; i++) {
		if (pl->box[i].box != op->box)
			continue;
		pl->box[i].ldeletes -= op->kind == OP_LDELETE;
		pl->box[i].rdeletes -= op->kind == OP_RDELETE;
	}
	r->box[op->box].undone = r->box[op->box].put_off = true;
	r->box[op->box].undeleted |=
	    op->kind == OP_LDELETE || op->kind == OP_KEEP;
	op->kind = OP_WAIT;
}

/* Is OP about a file that may be what is new on the server? */
static bool
may_be_new_there(const struct op *op)
{
	return (op->kind == OP_LDELETE && op->why != CASE_EXPUNGE) ||
	       op->kind == OP_KEEP || op->kind == OP_PUSH;
}

/* New on the server, of SIZE. */
static void
putoff_new_there(struct run *r, uint64_t size, bool again)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if (!op_is_new_there(op) || op->row.size != size)
			continue;
		r->box[op->box].rescan |= again;
		putoff_op(r, op);
	}
}

/* Case 9, and what is new there and may be its message (case 26). */
static void
putoff_gone_on_both(struct run *r, struct op *op, bool again)
{
	putoff_new_there(r, op->row.size, again);
	r->box[op->box].rescan |= again;
	putoff_op(r, op);
}

void
putoff_like(struct run *r, uint64_t size, bool again)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];
		struct sbox *b = &r->box[op->box];

		if (op->row.size != size)
			continue;
		if (op_goes_up_again(op)) {
			b->waits |= again;
			b->failed |= !again;
		} else if (op_has_left_both(op)) {
			putoff_gone_on_both(r, op, again);
		} else if (may_be_new_there(op)) {
			b->rescan |= again;
			putoff_op(r, op);
		}
	}
}

/*
 * Rule 6, of the suspect H in mailbox number BOX.  A file that waits may have
 * been moved here, as in rule 2.
 */
static void
putoff_to_the_end(struct run *r, size_t box, const struct jhold *h)
{
	bool unsized = jhold_is_unsized(h);
	bool for_long = unsized && h->tries >= UNSIZED_TRIES;

	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];
		struct sbox *b = &r->box[op->box];
		const struct lmsg file = {
		    .has_stat = true, .fsize = op->row.fsize};

		if (!unsized && op->row.size != h->size)
			continue;
		if (for_long && (op->box != box ||
				    (op->kind != OP_PUSH &&
					!op_goes_up_again(op))))
			continue;
		if (op_goes_up_again(op)) {
			b->waits = b->undone = true;
		} else if (op_has_left_both(op)) {
			putoff_gone_on_both(r, op, false);
		} else if (may_be_new_there(op)) {
			if (op->kind == OP_PUSH)
				putoff_note_unread(r, &file, false);
			putoff_op(r, op);
		}
	}
}

void
putoff_suspects(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++) {
		const struct sbox *b = &r->box[i];

		if (b->gone || b->remote_missing)
			continue;
		for (size_t k = 0; k < b->nhold; k++) {
			const struct jhold *h = &b->hold[k];

			/* a mailbox that takes no part has no turn for it */
			if (jhold_is_unsized(h) && b->failed)
				continue;
			if (h->uid && h->kind == JHOLD_SUSPECT && h->size > 0 &&
			    !holds_is_due(r, h))
				putoff_to_the_end(r, i, h);
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
		putoff_like(r, op->row.size, false);
		putoff_op(r, op);
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
	putoff_like(r, pull->row.size, true);
	putoff_op(r, pull);
	r->box[pull->box].rescan = true;
	r->box[box].changed = r->source_gone_l = true;
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

	if (b->local_missing)
		return;
	if (maildir_stamp(r->m, b->j.path, &now, &e) != 0) {
		if (e.sys == ENOENT)
			return; /* not even a directory */
	} else if (b->j.id && maildir_stamp_eq(&now, &b->j.stamp)) {
		return;
	}
	if (local_unknown(r, b, &e) != 0 || b->l.damaged)
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
		any |= deletes_gone(&r->plan.op[i]) ||
		       op_has_left_both(&r->plan.op[i]);
	for (size_t i = 0; i < r->nbox && any; i++)
		if (r->box[i].failed && !r->box[i].gone)
			note_failed(r, &r->box[i]);
	for (size_t i = 0; i < r->plan.n && r->nunread > 0; i++) {
		struct op *op = &r->plan.op[i];
		bool may_be = false, again = false;

		if (!deletes_gone(op) && !op_has_left_both(op))
			continue;
		for (size_t k = 0; k < r->nunread; k++) {
			const struct unread *x = &r->unread[k];

			if (x->has_size && x->fsize != op->row.fsize)
				continue;
			may_be = true;
			again |= x->again;
		}
		if (!may_be)
			continue;
		if (op_has_left_both(op)) {
			putoff_gone_on_both(r, op, again);
			continue;
		}
		r->box[op->box].rescan |= again;
		putoff_op(r, op);
	}
	r->unread = NULL;
	r->nunread = r->unreadcap = 0;
}

/* All others are looked at here in the next pass; are there any? */
static bool
look_here(struct run *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];

		if (b->failed || b->gone || b->local_missing || b->slice.on ||
		    (b->observed && !b->l.same))
			continue;
		b->changed = any = true;
	}
	return any;
}

/* Rule 7. */
void
putoff_unlooked(struct run *r)
{
	struct map sizes;
	uint64_t one;
	bool any = false;

	if (r->a->direction != CONFIG_PULL || !r->m)
		return;
	map_init(&sizes);
	for (size_t i = 0; i < r->plan.n; i++)
		if (op_is_new_there(&r->plan.op[i]))
			map_set_u64(&sizes, r->plan.op[i].row.size, 1);
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if (!op_has_left_both(op) ||
		    !map_get_u64(&sizes, op->row.size, &one))
			continue;
		if (!any && !look_here(r))
			break;
		any = true;
		putoff_gone_on_both(r, op, true);
	}
	map_release(&sizes);
}

/* By the listing.  What only the server has, and is skipped, stays unseen. */
static bool
has_got_unseen(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;
	const uint32_t all = HAS_MESSAGES | HAS_UIDNEXT | HAS_UIDVALIDITY;

	return b->failed && !b->gone && !b->remote_missing &&
	       (b->left_out || !b->local_missing) && b->is_listed &&
	       (x->has & all) == all && x->messages > 0 &&
	       (x->uidvalidity != b->j.uidvalidity ||
		   x->uidnext > b->j.uidnext);
}

static struct span
digest_of(const struct op *op)
{
	return span_of((const char *)op->row.sha, DIGEST_LEN);
}

/* A file that goes up for no row's sake. */
static bool
is_new_here(const struct op *op)
{
	return op->kind == OP_RCOPY ||
	       (op->kind == OP_PUSH && op->why == CASE_L_NEW);
}

/* A UID of which it is known what it is, and that no row was moved to. */
static bool
is_known_there(const struct op *op)
{
	return op->kind == OP_LCOPY || (op->kind == OP_PULL && op->known);
}

/* Rule 9. */
static void
putoff_unmatched(struct run *r)
{
	bool any = false, stays = r->a->direction == CONFIG_PULL;
	struct map left, met; /* digests */
	uint64_t one;

	for (size_t i = 0; i < r->nbox; i++)
		any |= r->a->direction != CONFIG_PUSH &&
		       has_got_unseen(&r->box[i]);
	map_init(&left);
	map_init(&met);
	for (size_t i = 0; i < r->plan.n && any; i++)
		if (op_has_left_both(&r->plan.op[i]))
			map_add(&left, digest_of(&r->plan.op[i]), 1);
	for (size_t i = 0; i < r->plan.n && left.n > 0; i++) {
		struct op *op = &r->plan.op[i];

		if (is_new_here(op) && map_get(&left, digest_of(op), &one)) {
			map_add(&met, digest_of(op), 1);
			putoff_op(r, op);
		}
	}
	for (size_t i = 0; i < r->plan.n && left.n > 0; i++)
		if (op_has_left_both(&r->plan.op[i]) &&
		    (stays || map_get(&met, digest_of(&r->plan.op[i]), &one)))
			putoff_op(r, &r->plan.op[i]);
	map_release(&left);
	map_release(&met);
}

/* Rule 10. */
static void
putoff_unsourced(struct run *r, const struct map *unseen)
{
	struct map there, met; /* digests */
	uint64_t one;

	map_init(&there);
	map_init(&met);
	for (size_t i = 0; i < r->plan.n && unseen->n > 0; i++)
		if (is_known_there(&r->plan.op[i]) &&
		    map_get(unseen, digest_of(&r->plan.op[i]), &one))
			map_add(&there, digest_of(&r->plan.op[i]), 1);
	for (size_t i = 0; i < r->plan.n && there.n > 0; i++) {
		struct op *op = &r->plan.op[i];

		if (is_new_here(op) && map_get(&there, digest_of(op), &one)) {
			map_add(&met, digest_of(op), 1);
			putoff_op(r, op);
		}
	}
	for (size_t i = 0; i < r->plan.n && met.n > 0; i++)
		if (is_known_there(&r->plan.op[i]) &&
		    map_get(&met, digest_of(&r->plan.op[i]), &one))
			putoff_op(r, &r->plan.op[i]);
	map_release(&there);
	map_release(&met);
}

void
putoff_unseen(struct run *r, const struct map *unseen)
{
	putoff_unmatched(r);
	putoff_unsourced(r, unseen);
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
	const char *left;

	for (size_t i = 0; i < r->plan.n; i++)
		any |= takes_for_gone(r, &r->plan.op[i]);
	if (!any || !r->m)
		return;
	/* in this order: what leaves an unknown one meanwhile changes others */
	changed = find_unknown(r, &unknown, &e) != 0;
	changed |= have_changed(r);
	if (unknown && r->appeared.n == 0)
		r->appeared = arena_span(&r->mem, unknown->path);
	left = r->appeared.n == 0
		   ? NULL
		   : arena_printf(&r->mem,
			 "'%.*s' has appeared meanwhile, and what is gone "
			 "here may be in it",
			 SPAN_ARG(r->appeared));
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if ((!changed && !left) || !takes_for_gone(r, op))
			continue;
		r->box[op->box].rescan |= left == NULL;
		r->box[op->box].left = left;
		putoff_op(r, op);
	}
}

static bool
takes_change_along(const struct op *op)
{
	return op->kind == OP_LDELETE && op->why == CASE_R_GONE_L_FLAGS;
}

/* Those with new mail since they were looked at are marked. */
static bool
have_got(struct run *r, const struct imap_listing *now)
{
	struct map next; /* wire name -> UIDNEXT */
	uint64_t uidnext;
	bool any = false;

	map_init(&next);
	for (size_t i = 0; i < now->n; i++)
		if (now->v[i].has & HAS_UIDNEXT)
			map_set(&next, now->v[i].wire, now->v[i].uidnext);
	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];

		if (b->failed || b->gone || b->remote_missing ||
		    !map_get(&next, b->j.wire, &uidnext) ||
		    (b->is_listed && uidnext <= b->listed.uidnext) ||
		    uidnext <= b->r.uidnext || uidnext <= b->j.uidnext)
			continue;
		b->touched = any = true;
	}
	map_release(&next);
	return any;
}

/* Rule 8. */
int
putoff_gone_there(struct run *r, struct err *e)
{
	struct imap_listing now;
	bool any = false, unseen = false;

	for (size_t i = 0; i < r->plan.n; i++)
		any |= takes_change_along(&r->plan.op[i]);
	for (size_t i = 0; i < r->nbox; i++)
		unseen |= !r->box[i].left_out && has_got_unseen(&r->box[i]);
	if (!any || (r->o->dry_run && !unseen))
		return 0;
	if (!unseen) {
		r->selected_wire = SPAN_NONE; /* it may open others */
		if (imap_list(r->imap, &r->pass, &now, e) < 0)
			return e->code;
		if (!have_got(r, &now))
			return 0;
	}
	for (size_t i = 0; i < r->plan.n; i++) {
		struct op *op = &r->plan.op[i];

		if (!takes_change_along(op))
			continue;
		r->box[op->box].rescan |= !unseen;
		putoff_op(r, op);
	}
	return 0;
}
