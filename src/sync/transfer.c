/*
 * transfer: messages that are in the account already go where they are new.
 *
 * All copies come before all moves, so that what is copied is still there.
 *
 * Invariants:
 *  1. The row moves in one transaction: it leaves the one mailbox and enters
 *     the other.  Before that the rename is durable (first the directory that
 *     the file is in now, then the one that it left), or the server has told
 *     the new UID and that the old one is gone.  (A message without a row,
 *     below the cursor, would never be looked at again.)
 *  2. What a crash leaves behind is a file without a row beside a UID without
 *     a row, of equal content: adoption pairs them.
 *  3. COPYUID is believed only for the UIDVALIDITY that was observed.  Where
 *     it is not told, the new UID is found by its Message-ID, or not at all:
 *     then the next pass decides.
 *  4. What a letter meant where somebody moved a file from ends there.  One
 *     without a meaning where it is now goes: it would be that of whoever
 *     names the letter next.
 */
#include "sync/internal.h"

#include "base/map.h"
#include "mail/header.h"

#define HEAD_OCTETS 16384
#define NO_KEYWORD (UINT32_MAX - 1) /* of a letter that nothing shows */

void
transfer_undone(struct run *r, const struct op *op)
{
	struct sbox *from = &r->box[op->from];

	apply_undone(r, &r->box[op->box], op);
	/* what stays where it is may not have been looked at */
	if (from->observed)
		from->undone = from->rescan = true;
	if (op->left_uid) {
		struct sbox *left = &r->box[op->left_box];

		left->undone = left->rescan = true;
	}
}

/* One message failed; the others go on. Wider errors are returned. */
static int
contain(struct run *r, const struct op *op, int rc, struct err *e)
{
	if (rc == 0 || e->scope > ERR_SCOPE_MSG)
		return rc;
	if (rc != ERR_STALE)
		report_failed(
		    r, &r->box[op->box], op->uid, op->file, e->text);
	transfer_undone(r, op);
	err_clear(e);
	return 0;
}

static void
row_from(struct pair *row, const struct lmsg *m)
{
	row->file = m->file;
	row->ino = m->ino;
	row->fsize = m->fsize;
	row->mtime_ns = m->mtime_ns;
}

/*
 * Is the file of ROW in FROM what it was?  Where its time or inode are others,
 * the content tells.  One that was edited is no source, and goes up itself,
 * once it is looked at.
 */
static int
check_source(struct run *r, struct sbox *from, struct span file,
    const struct pair *row, struct err *e)
{
	struct lmsg m = {.file = file};
	int rc = local_still(r, from, file, row, e);

	if (rc != ERR_STALE)
		return rc;
	err_clear(e);
	rc = maildir_digest(r->m, from->j.path, &m, r->o->cancel, e);
	r->source_gone_l |= rc == ERR_STALE;
	if (rc != 0 || memcmp(m.content.sha, row->sha, DIGEST_LEN) == 0)
		return rc;
	from->look_all = from->changed = true;
	return err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
	    "'%.*s' is not what it was", SPAN_ARG(file));
}

static int
copy_here(struct run *r, struct sbox *b, const struct op *op, struct err *e)
{
	static const enum maildir_copy_how how[] = {
	    [CONFIG_REFLINK] = MAILDIR_COPY_REFLINK,
	    [CONFIG_LINK] = MAILDIR_COPY_LINK,
	    [CONFIG_BYTES] = MAILDIR_COPY_BYTES,
	};
	struct pair *row = r->group[op->group].row;
	struct flags shown;
	struct lmsg m;
	int rc;

	rc = check_source(r, &r->box[op->from], op->file, row, e);
	if (rc == 0)
		rc = letters_give(r, b, row->l, e);
	if (rc == 0)
		rc = maildir_copy_to(r->m, &r->pass,
		    r->box[op->from].j.path, op->file, b->j.path,
		    how[r->a->copy], row->l, &b->letters, &shown, &m, e);
	if (rc != 0)
		return rc;
	row->l = shown;
	row_from(row, &m);
	return 0;
}

static int
move_here(struct run *r, struct sbox *b, const struct op *op, struct err *e)
{
	struct sbox *from = &r->box[op->from];
	struct pair *row = r->group[op->group].row;
	struct flags shown;
	struct lmsg m;
	int rc;

	if (from == b) {
		row->file = op->file;
		return 0;
	}
	rc = check_source(r, from, op->file, row, e);
	if (rc == 0)
		rc = letters_give(r, b, op->shown, e);
	if (rc == 0)
		rc = maildir_move_to(r->m, &r->pass, from->j.path, op->file,
		    b->j.path, op->shown, &b->letters, &shown, &m, e);
	if (rc != 0)
		return rc;
	/* what has no letter there was not removed by anybody */
	row->l = flags_minus(
	    &r->pass, row->l, flags_minus(&r->pass, op->shown, shown));
	row_from(row, &m);
	from->wrote_l = true;
	return 0;
}

/* Names of the mailboxes that V came from, on disk. */
static int
sync_sources(struct run *r, struct op **v, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (v[i]->from != v[i]->box &&
		    (i == 0 || v[i]->from != v[i - 1]->from))
			rc = maildir_sync(
			    r->m, r->box[v[i]->from].j.path, e);
	return rc;
}

/* Invariant 4, of LMOVE ops from one mailbox into another. */
static int
move_early(struct run *r, struct op **v, size_t n, struct err *e)
{
	struct sbox *b = &r->box[v[0]->box], *from = &r->box[v[0]->from];
	int rc = local_make(r, b, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = observe_keep(r, e);
		if (rc == 0)
			rc = move_here(r, b, v[i], e);
		if (rc == 0)
			r->group[v[i]->group].moved = b->wrote_l = true;
	}
	if (rc == 0)
		rc = maildir_sync(r->m, b->j.path, e);
	return rc == 0 ? maildir_sync(r->m, from->j.path, e) : rc;
}

int
transfer_early(struct run *r, struct err *e)
{
	struct op **v = arena_array(
	    &r->pass, r->transfer_to - r->transfer_from + 1, sizeof *v);
	size_t n = 0;
	int rc = 0;

	for (size_t i = r->transfer_from; i < r->transfer_to && rc == 0; i++) {
		struct op *op = &r->plan.op[i], *next = op + 1;
		struct sbox *from = &r->box[op->from];

		if (op->kind == OP_LMOVE && op->from != op->box &&
		    !op->from_uid && !op->left_uid && !from->waits &&
		    !from->failed && !r->box[op->box].failed)
			v[n++] = op;
		if (n == 0 ||
		    (i + 1 < r->transfer_to && next->kind == op->kind &&
			next->box == op->box && next->from == op->from))
			continue;
		rc = move_early(r, v, n, e);
		n = 0;
		if (rc == 0 || e->scope > ERR_SCOPE_BOX)
			continue;
		/* its rows stay, and with them all else of it, in this pass */
		from->waits = true;
		if (rc != ERR_STALE)
			report_failed(r, from, 0, SPAN_NONE, e->text);
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/* LCOPY or LMOVE ops into one mailbox. */
static int
transfer_here(struct run *r, struct op **v, size_t n, struct err *e)
{
	struct sbox *b = &r->box[v[0]->box];
	struct journal_batch *batch;
	struct op **done = arena_array(&r->pass, n, sizeof *done);
	size_t ndone = 0;
	int rc;

	rc = local_make(r, b, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = observe_keep(r, e);
		if (rc == 0 && v[i]->kind == OP_LCOPY)
			rc = copy_here(r, b, v[i], e);
		else if (rc == 0 && !r->group[v[i]->group].moved)
			rc = move_here(r, b, v[i], e);
		if (rc == 0)
			done[ndone++] = v[i];
		else
			rc = contain(r, v[i], rc, e);
	}
	if (rc == 0 && ndone > 0) {
		b->wrote_l = true;
		rc = maildir_sync(r->m, b->j.path, e);
	}
	if (rc == 0 && ndone > 0 && v[0]->kind == OP_LMOVE)
		rc = sync_sources(r, done, ndone, e);
	if (rc != 0)
		return rc;
	batch = record_begin(r, b);
	for (size_t i = 0; i < ndone; i++) {
		const struct op *op = done[i];

		if (op->kind == OP_LMOVE && op->from_uid)
			journal_del_pair(
			    batch, r->box[op->from].j.id, op->from_uid);
		apply_done(r, b, batch, op);
	}
	return record_commit(r, b, &batch, e);
}

/*
 * An RCOPY or RMOVE op has its new UID.  LEFT: what it was moved from is gone
 * there; else its row stays without its file, and the next pass expunges it (a
 * COPY was done, and the EXPUNGE was not; see trash.c, rule 2).
 */
static void
landed(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op, uint32_t uid, bool left)
{
	struct sbox *from = &r->box[op->from];

	r->group[op->group].row->uid = uid;
	if (op->kind == OP_RMOVE && left) {
		journal_del_pair(batch, from->j.id, op->from_uid);
	} else if (op->kind == OP_RMOVE) {
		from->undone = from->rescan = true;
		apply_lose_file(from, batch, op->from_uid);
	}
	apply_done(r, b, batch, op);
}

int
transfer_message_id(struct run *r, const struct sbox *b, struct span file,
    struct span *id_r, struct err *e)
{
	struct buf head;
	int rc;

	*id_r = SPAN_NONE;
	buf_init(&head, 2 * HEAD_OCTETS);
	rc = maildir_sample(r->m, b->j.path, file, 0, HEAD_OCTETS, &head, e);
	if (rc == 0)
		header_field(&r->pass, buf_span(&head), "Message-ID", id_r);
	buf_release(&head);
	return rc;
}

/* What B has from UIDNEXT on, by Message-ID, but for what C tells; and how much
 * of it has none. */
static int
ids_there(struct run *r, struct sbox *b, const struct imap_copied *c,
    struct map *uid_of, uint64_t *without_r, struct err *e)
{
	struct uidset set;
	bool said;
	int rc;

	rc = observe_reopen(r, b, e);
	if (rc != 0)
		return rc;
	uidset_init(&set);
	rc = imap_search_range(
	    r->imap, b->r.uidnext, UINT32_MAX, &set, &said, e);
	for (size_t i = 0; i < c->n && rc == 0; i++)
		uidset_remove_range(&set, c->v[i].to, c->v[i].to);
	if (rc == 0)
		rc = sent_ids_there(r, &set, uid_of, without_r, e);
	uidset_release(&set);
	return rc;
}

/*
 * Invariant 3: the server did it and did not say (all of) what came of it; what
 * it said is in C.  *more_r: how much has come there that may be what is left
 * in V, as it has no Message-ID, or one that is there twice.
 */
static int
find_untold(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct imap_copied *c, struct op **v, size_t *n, uint64_t *more_r,
    struct err *e)
{
	struct map uid_of;
	size_t left = 0;
	int rc;

	if (b->r.uidnext == 0 || *n == 0)
		return 0;
	map_init(&uid_of);
	rc = ids_there(r, b, c, &uid_of, more_r, e);
	for (size_t i = 0; i < *n && rc == 0; i++) {
		struct err unread = {0};
		struct span id;
		uint64_t uid = 0;
		bool found =
		    transfer_message_id(r, b, v[i]->file, &id, &unread) == 0 &&
		    id.n > 0 && map_get(&uid_of, id, &uid);

		if (found && uid != 0) {
			map_del(&uid_of, id);
			landed(r, b, batch, v[i], (uint32_t)uid,
			    (imap_caps(r->imap) & IMAP_CAP_MOVE) != 0);
		} else {
			*more_r += found;
			v[left++] = v[i];
		}
	}
	if (rc == 0)
		*n = left;
	map_release(&uid_of);
	return rc;
}

/*
 * The server said OK, and which message each of V is now is not to be found.
 * What is still there where it was copied from was there to be copied; and
 * where as much has come as was asked for, ENOUGH, that is it.  So it has been
 * stored, and is not asked for once more.
 */
static int
hold_untold(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t n, bool enough, struct err *e)
{
	struct uidset there;
	int rc = 0;

	uidset_init(&there);
	for (size_t i = 0; i < n; i++)
		uidset_add(&there, v[i]->from_uid);
	if (n > 0 && !enough)
		rc = observe_reopen(r, &r->box[v[0]->from], e);
	if (n > 0 && !enough && rc == 0)
		rc = observe_there(r, &there, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (uidset_has(&there, v[i]->from_uid))
			holds_put_sent(
			    r, b, batch, r->group[v[i]->group].row);
		else
			r->source_gone_r |= v[i]->kind == OP_RCOPY;
	uidset_release(&there);
	return rc;
}

/*
 * One command for each UID of V once; what is left over stays in V.  NEXT (or
 * NULL) is opened behind it.
 */
static int
copy_there(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t *n, const struct sbox *next, struct err *e)
{
	struct sbox *from = &r->box[v[0]->from];
	bool move = v[0]->kind == OP_RMOVE;
	struct imap_copied c = {0};
	struct rview back = {0};
	struct uidset set;
	struct map to;
	size_t left = 0, nuntold = 0;
	uint64_t more = 0;
	struct op **untold = arena_array(&r->pass, *n, sizeof *untold);
	int rc;

	uidset_init(&set);
	uidset_init(&back.vanished);
	map_init(&to);
	for (size_t i = 0; i < *n; i++)
		uidset_add(&set, v[i]->from_uid);
	b->wrote_r = true;
	from->wrote_r |= move;
	observe_next(r, next);
	late_sending(r);
	rc = move ? imap_move(r->imap, &set, b->j.wire, &r->pass, &back, &c, e)
		  : imap_copy(r->imap, &set, b->j.wire, &r->pass, &c, e);
	if (c.uidvalidity != b->r.uidvalidity)
		c.n = 0;
	for (size_t i = 0; i < c.n; i++)
		map_set_u64(&to, c.v[i].from, c.v[i].to);
	for (size_t i = 0; i < *n; i++) {
		struct op *op = v[i];
		uint64_t uid = 0;

		if (!uidset_has(&set, op->from_uid)) {
			v[left++] = op; /* asked for twice: the next round */
			continue;
		}
		uidset_remove_range(&set, op->from_uid, op->from_uid);
		if (map_get_u64(&to, op->from_uid, &uid))
			landed(r, b, batch, op, (uint32_t)uid,
			    rc == 0 ||
				uidset_has(&back.vanished, op->from_uid));
		else
			untold[nuntold++] = op;
	}
	if (rc == 0)
		rc = find_untold(r, b, batch, &c, untold, &nuntold, &more, e);
	if (rc == 0)
		rc = hold_untold(r, b, batch, untold, nuntold,
		    more >= nuntold, e);
	for (size_t i = 0; i < nuntold; i++)
		transfer_undone(r, untold[i]);
	*n = left;
	map_release(&to);
	uidset_release(&set);
	uidset_release(&back.vanished);
	return rc;
}

/*
 * A copy shows there what its source shows by now, also what was changed here
 * in this pass: a mail reader that saves a message marks the original.  That
 * was not changed on the copy; what its file has else, the next pass merges.
 */
static int
base_of_copies(struct run *r, struct op **v, size_t n, struct err *e)
{
	const struct sbox *from = &r->box[v[0]->from];
	struct uidset set;
	struct pairs p;
	int rc;

	uidset_init(&set);
	for (size_t i = 0; i < n; i++)
		uidset_add(&set, v[i]->from_uid);
	rc = journal_pairs_in(r->j, from->j.id, &set, &r->pass, &p, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct pair *old = pairs_find(&p, v[i]->from_uid);
		struct pair *row = r->group[v[i]->group].row;

		if (old)
			row->l.sys = row->r.sys = old->r.sys;
	}
	uidset_release(&set);
	return rc;
}

/* Invariant 4. */
static int
drop_letters(struct run *r, struct sbox *b, struct op *op, struct err *e)
{
	const struct kwletters *old = &r->box[op->from].j.letters;
	struct kwletters letters = b->letters;
	struct flags shown;
	struct span file;
	bool any = false;
	int rc;

	for (unsigned i = 0; i < 26; i++) {
		if (letters.id[i] != 0 || old->id[i] == 0)
			continue;
		letters.id[i] = NO_KEYWORD;
		any = true;
	}
	if (!any || op->from == op->box)
		return 0;
	rc = maildir_set_flags(r->m, &r->pass, b->j.path, op->file, op->shown,
	    &letters, &shown, &file, e);
	if (rc == 0) {
		b->wrote_l |= !span_eq(file, op->file);
		op->file = r->group[op->group].row->file = file;
	} else if (e->scope <= ERR_SCOPE_MSG) {
		/* the next pass finds out what became of it */
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/*
 * RCOPY or RMOVE ops from one mailbox into another.  *whose_r: the one that is
 * to blame for an error.
 */
static int
transfer_there(struct run *r, struct op **v, size_t n, const struct sbox *next,
    struct sbox **whose_r, struct err *e)
{
	struct sbox *b = &r->box[v[0]->box], *from = &r->box[v[0]->from];
	struct journal_batch *batch;
	struct err first = {0};
	int rc = v[0]->kind == OP_RCOPY ? base_of_copies(r, v, n, e) : 0;

	for (size_t i = 0; i < n && rc == 0 && r->a->direction != CONFIG_PUSH;
	     i++)
		rc = drop_letters(r, b, v[i], e);
	if (rc != 0)
		return rc;
	batch = record_begin(r, b);
	while (n > 0 && rc == 0) {
		*whose_r = from;
		rc = v[0]->kind == OP_RMOVE
			 ? observe_to_delete(r, from, true, e)
			 : observe_reselect(r, from, e);
		if (rc != 0)
			break;
		*whose_r = b;
		rc = copy_there(r, b, batch, v, &n, next, e);
	}
	for (size_t i = 0; i < n; i++)
		transfer_undone(r, v[i]);
	if (rc != 0)
		first = *e;
	/* what was done is kept, whatever ended it */
	if (record_commit(r, b, &batch, e) != 0) {
		*whose_r = b;
		return e->code;
	}
	if (rc != 0)
		*e = first;
	return rc;
}

/* The mailbox that op I comes from, unless it is FROM; NULL: no other. */
static const struct sbox *
source_next(const struct run *r, size_t i, uint32_t from)
{
	const struct op *op = &r->plan.op[i];

	if (i == r->transfer_to || op->from == from ||
	    (op->kind != OP_RCOPY && op->kind != OP_RMOVE))
		return NULL;
	return &r->box[op->from];
}

int
apply_transfers(struct run *r, struct err *e)
{
	struct plan *pl = &r->plan;
	size_t i = r->transfer_from;
	int rc = 0;

	while (i < r->transfer_to && rc == 0) {
		struct op **v = arena_array(
		    &r->pass, r->transfer_to - i, sizeof *v);
		struct op *one = &pl->op[i];
		bool here = one->kind == OP_LCOPY || one->kind == OP_LMOVE;
		struct sbox *b = &r->box[one->box], *whose = b;
		size_t n = 0;

		for (; i < r->transfer_to && pl->op[i].kind == one->kind &&
		    pl->op[i].box == one->box &&
		    (here || pl->op[i].from == one->from); i++)
			v[n++] = &pl->op[i];
		if (b->failed || b->refused || r->box[one->from].failed ||
		    r->box[one->from].refused) {
			for (size_t k = 0; k < n; k++)
				transfer_undone(r, v[k]);
			continue;
		}
		rc = here ? transfer_here(r, v, n, e)
			  : transfer_there(r, v, n,
				source_next(r, i, one->from), &whose, e);
		if (rc != 0) {
			for (size_t k = 0; k < n; k++)
				if (r->group[v[k]->group].left > 0)
					transfer_undone(r, v[k]);
			rc = report_refused(r, whose, e);
		}
	}
	return rc;
}
