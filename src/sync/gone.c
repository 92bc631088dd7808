/*
 * gone: mailboxes that one side has deleted.  Their messages went like those
 * of any other mailbox, through the same brake; what is empty goes last.
 */
#include "sync/tree.h"

static int
forget(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;

	if (r->o->dry_run)
		return 0;
	batch = journal_begin(r->j, r->kw);
	journal_del_box(batch, b->j.id);
	return journal_commit(&batch, e);
}

/* Of the mailbox that is there now, nothing is known. */
static void
drop_numbers(struct sbox *b)
{
	b->j.uidvalidity = b->j.uidnext = b->j.messages = 0;
	b->j.highestmodseq = 0;
	b->j.stamp = MAILDIR_STAMP_NONE;
	b->j.held = b->j.ended = 0;
	b->remote_missing = b->local_missing = false;
	b->rescan = b->dirty_l = b->dirty_r = true;
	b->is_listed = false;
}

/* Is the directory of the record of B the one that it was? */
static bool
is_in_place(struct run *r, const struct sbox *b)
{
	const struct maildir_stamp *was = &b->recorded.stamp;
	struct maildir_stamp now;
	struct err none;

	return r->m && maildir_stamp(r->m, b->recorded.path, &now, &none) == 0 &&
	    (was->cur_ino == 0 || (was->cur_ino == now.cur_ino &&
				      was->new_ino == now.new_ino));
}

/*
 * Case 121.  What is kept here does not go up with what is new in the same
 * directory: the record goes but for that.
 */
static int
forget_crossed(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;
	struct jhold *v;
	size_t n = 0;
	bool kept = false;
	int rc = journal_holds(r->j, b->j.id, &r->mem, &v, &n, e);

	for (size_t i = 0; i < n && rc == 0; i++)
		kept |= v[i].kind == JHOLD_KEPT;
	if (rc != 0 || r->o->dry_run)
		return rc;
	if (!kept || !is_in_place(r, b))
		return forget(r, b, e);
	b->j = b->recorded;
	b->j.mailboxid = SPAN("");
	drop_numbers(b);
	batch = journal_begin(r->j, r->kw);
	journal_del_pairs(batch, b->j.id);
	for (size_t i = 0; i < n; i++)
		if (v[i].kind != JHOLD_KEPT)
			journal_del_hold(batch, b->j.id, v[i].uid, v[i].base);
	journal_put_box(batch, &b->j);
	map_set(&r->anew, b->j.path, b->j.id);
	return journal_commit(&batch, e);
}

int
gone_by_plan(struct run *r, enum tree_case why, struct sbox *b, struct err *e)
{
	const char *words = tree_case_words(why);

	if (why != TREE_CASE_BOTH_GONE)
		report_box(r, b, "forget", (int)why, words);
	if (why != TREE_CASE_CROSSED)
		return forget(r, b, e);
	log_warn(r->o->log, "%s: %.*s: %s", r->a->name, SPAN_ARG(b->j.name),
	    words);
	return forget_crossed(r, b, e);
}

int
tree_may_make(const struct sbox *b, struct err *e)
{
	return b->displaced ? err_set(e, ERR_CONFIG, ERR_SCOPE_BOX,
				  ERR_RETRY_NEVER, "%s",
				  tree_case_words(TREE_CASE_COLLISION))
			    : 0;
}

/*
 * The server's LIST lacks it: ask by name before anything goes here.  (Where
 * the name is another's, that one would answer.)
 */
int
gone_confirm(struct run *r, struct sbox *b, bool *skip_r, struct err *e)
{
	bool exists = false;
	int rc = b->displaced ? 0
			      : imap_exists(r->imap, b->j.wire, &exists, e);

	*skip_r = false;
	if (rc != 0)
		return rc;
	if (exists) {
		*skip_r = true;
		report_failed(r, b, 0, SPAN_NONE,
		    "the server did not list it, but has it; left alone");
	}
	b->remote_missing = true;
	return 0;
}

/*
 * A run that was killed while it took the directory away (maildir/bin.c,
 * rule 5) leaves it without some of its parts; mail may have come since.
 */
int
gone_delete_here(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e)
{
	int rc = gone_confirm(r, b, skip_r, e);

	if (rc != 0 || *skip_r || op->rows > 0)
		return rc;
	if (!r->o->dry_run)
		return maildir_create(r->m, b->j.path, e);
	b->local_missing = op->damaged;
	return 0;
}

/* What waits of it (sync_report.waiting) does so no more. */
static int
forget_holds(struct run *r, struct sbox *b, struct err *e)
{
	struct jhold *v;
	struct arena mem;
	size_t n = 0;
	int rc;

	arena_init(&mem);
	rc = journal_holds(r->j, b->j.id, &mem, &v, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		r->rep->waiting -= v[i].kind == JHOLD_RETRY;
	arena_release(&mem);
	return rc == 0 ? forget(r, b, e) : rc;
}

static bool
has_op(const struct run *r, const struct sbox *b, enum op_kind kind, bool file)
{
	for (size_t i = b->op_from; i < b->op_to; i++)
		if (r->plan.op[i].kind == kind &&
		    (r->plan.op[i].file.n > 0) == file)
			return true;
	return false;
}

static void
start_afresh(struct sbox *b)
{
	b->j.id = 0;
	drop_numbers(b);
	memset(&b->recorded, 0, sizeof b->recorded);
	b->nhold = 0;
}

/* Is there what deletes: keep has left here (case 28)? */
static bool
has_kept(const struct run *r, const struct sbox *b)
{
	return holds_has_kept(b) || has_op(r, b, OP_KEEP, true);
}

/* It is made again, and what was kept is not to go up into it. */
static int
commit_again(
    struct run *r, struct sbox *b, struct journal_batch *batch, struct err *e)
{
	journal_del_pairs(batch, b->j.id);
	drop_numbers(b);
	b->undone = true; /* nothing that was seen is a mark of it */
	return record_commit(r, b, &batch, e);
}

/* What was kept has its holds by now (OP_KEEP). */
static int
start_again(struct run *r, struct sbox *b, struct err *e)
{
	return commit_again(r, b, record_begin(r, b), e);
}

/* All rows become holds. */
static int
hold_kept(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;
	struct pairs rows;
	int rc = journal_pairs(r->j, b->j.id, &r->pass, &rows, e);

	if (rc != 0)
		return rc;
	batch = record_begin(r, b);
	for (size_t i = 0; i < rows.n; i++) {
		struct op op = {.kind = OP_KEEP, .why = CASE_KEPT,
		    .file = rows.v[i].file, .row = rows.v[i]};

		if (op.file.n > 0)
			holds_put_policy(r, b, batch, &op);
	}
	return commit_again(r, b, batch, e);
}

int
gone_make_again(struct run *r, struct span wire, struct err *e)
{
	bool was;
	int rc = 0;

	for (size_t i = 0; i < r->nbox && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (b->stays && b->remote_missing && span_eq(b->j.wire, wire))
			rc = hold_kept(r, b, e);
	}
	return rc == 0 ? imap_create(r->imap, wire, &was, e) : rc;
}

/*
 * Is there what only this side has, and did not go up: for its size, or as
 * nothing is written there?  What was kept does not count.
 */
static bool
has_others(struct run *r, const struct sbox *b)
{
	const size_t *row_of = plan_row_of(&r->pass, &b->base, &b->l);
	bool any = false;

	for (size_t i = 0; i < b->l.n && !any && !b->l.same; i++)
		any = !b->l.v[i].kept &&
		      (row_of[i] == SIZE_MAX ||
			  plan_is_other(&b->l.v[i], &b->base.v[row_of[i]]));
	return any;
}

/* On the server; what has come there meanwhile is for the next run to see. */
static int
make_there(struct run *r, struct sbox *b, struct err *e)
{
	bool exists, was;

	if (tree_may_make(b, e) != 0 ||
	    imap_exists(r->imap, b->j.wire, &exists, e) != 0)
		return e->code;
	if (exists)
		return err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "a mailbox of this name has appeared on the server "
		    "meanwhile; the next run takes it up");
	return imap_create(r->imap, b->j.wire, &was, e);
}

/* Deleted on the server; its messages here are in the bin by now, or stay. */
static int
finish_remote_gone(struct run *r, struct sbox *b, struct err *e)
{
	bool others = has_others(r, b);
	int rc;

	if (others && !b->stays && r->a->direction == CONFIG_PULL) {
		report_box(r, b, "forget", TREE_CASE_R_GONE,
		    "deleted on the server; what is only here stays");
		rc = forget_holds(r, b, e);
		b->gone = rc == 0;
		return rc;
	}
	if (has_op(r, b, OP_PUSH, true) ||
	    (!b->stays && (has_op(r, b, OP_WAIT, true) || others))) {
		/* new mail here: the mailbox comes back with it */
		rc = make_there(r, b, e);
		if (rc != 0)
			return rc;
		report_box(r, b, "create on server", TREE_CASE_L_ONLY,
		    "new mail here in a mailbox that was deleted there");
		if (b->stays || has_kept(r, b))
			return start_again(r, b, e);
		rc = forget_holds(r, b, e);
		if (rc == 0)
			start_afresh(b);
		return rc;
	}
	if (b->stays || has_kept(r, b))
		return 0;
	rc = apply_open_bin(r, e);
	if (rc == 0)
		rc = maildir_bin_box(r->m, b->j.path, &b->l, r->bin_fd, e);
	if (rc == ERR_STALE) {
		/* mail came since it was looked at: for the next pass */
		err_clear(e);
		b->rescan = true;
		return 0;
	}
	if (rc == 0) {
		/* whoever makes it again makes another one */
		map_del(&r->dirs, b->j.path);
		rc = forget_holds(r, b, e);
	}
	if (rc == 0) {
		b->gone = true;
		r->rep->boxes_deleted++;
		report_box(r, b, "delete here", TREE_CASE_R_GONE,
		    tree_case_words(TREE_CASE_R_GONE));
	}
	return rc;
}

/* It was emptied there, and is not deleted: WHY. */
static int
stays_there(struct run *r, struct sbox *b, const char *why, struct err *e)
{
	int rc;

	err_clear(e);
	rc = tree_may_make(b, e);
	if (rc == 0)
		rc = maildir_create(r->m, b->j.path, e);
	if (rc != 0)
		return rc;
	report_box(r, b, "create here", TREE_CASE_R_ONLY, why);
	rc = forget_holds(r, b, e);
	if (rc == 0)
		start_afresh(b);
	return rc;
}

/* Is there what only the server has, and did not come (case 29)? */
static bool
has_skipped(const struct run *r, const struct sbox *b)
{
	for (size_t i = 0; i < b->nhold; i++)
		if (b->hold[i].uid && b->hold[i].kind == JHOLD_SKIPPED)
			return true;
	return has_op(r, b, OP_SKIP, false);
}

/* A message that is there, and could not come yet. */
static bool
has_held(const struct sbox *b)
{
	for (size_t i = 0; i < b->nhold; i++)
		if (b->hold[i].uid)
			return true;
	return false;
}

/* Below B, deleted here as well.  *again_r: in the next pass, as it seems. */
static bool
has_child_to_go(const struct run *r, const struct sbox *b, bool *again_r)
{
	bool any = false;

	*again_r = false;
	for (size_t i = 0; i < r->nbox; i++) {
		const struct sbox *x = &r->box[i];

		if (x == b || x->gone || !x->local_missing || x->left_out ||
		    x->j.wire.n <= b->j.wire.n ||
		    !span_starts(x->j.wire, b->j.wire) ||
		    x->j.wire.p[b->j.wire.n] != b->j.delim)
			continue;
		any = true;
		*again_r |= x->rescan && !x->failed;
	}
	return any;
}

/* DELETE was refused, by NO: for the moment? */
static bool
may_go_later(const struct err *no)
{
	return strcmp(no->resp, "INUSE") == 0 ||
	    strcmp(no->resp, "UNAVAILABLE") == 0;
}

static const char *
why_not_deleted(struct run *r, const struct err *no)
{
	return strcmp(no->resp, "HASCHILDREN") == 0
		   ? "the server does not delete a mailbox that has others "
		     "below it"
		   : arena_printf(&r->pass, "it is not deleted there: %s",
			 no->text);
}

/* Deleted here; its messages on the server are expunged by now. */
static int
finish_local_gone(struct run *r, struct sbox *b, struct err *e)
{
	struct rview now = {0};
	uint32_t exists;
	bool again;
	int rc;

	if (has_op(r, b, OP_WAIT, false))
		return 0;
	uidset_init(&now.vanished);
	rc = imap_select(
	    r->imap, b->j.wire, true, 0, 0, &r->pass, &r->sel, &now, e);
	exists = now.exists;
	uidset_release(&now.vanished);
	r->selected_wire = SPAN_NONE;
	if (rc != 0)
		return rc;
	if (exists > 0 && has_skipped(r, b) && r->a->direction != CONFIG_PUSH)
		return stays_there(r, b,
		    "what is too large or too old to come here is in it", e);
	if (exists > 0) {
		log_info(r->o->log,
		    "%s: %.*s: new mail on the server, not deleted there",
		    r->a->name, SPAN_ARG(b->j.name));
		/* what came meanwhile is for the next pass */
		b->undone |= r->a->direction != CONFIG_PUSH;
		b->rescan |= b->undone && !has_held(b);
		return 0;
	}
	rc = imap_unselect(r->imap, e);
	if (rc == 0)
		rc = imap_delete(r->imap, b->j.wire, e);
	if (rc == ERR_NO && has_child_to_go(r, b, &again)) {
		err_clear(e);
		b->undone = true;
		b->rescan |= again;
		return 0;
	}
	if (rc == ERR_NO && !may_go_later(e))
		return stays_there(r, b, why_not_deleted(r, e), e);
	if (rc == 0)
		rc = forget_holds(r, b, e);
	if (rc == 0) {
		b->gone = true;
		r->rep->boxes_deleted++;
		report_box(r, b, "delete on server", TREE_CASE_L_GONE,
		    tree_case_words(TREE_CASE_L_GONE));
	}
	return rc;
}

void
tree_tell_deleted(struct run *r, const struct sbox *b)
{
	enum tree_case why =
	    b->remote_missing ? TREE_CASE_R_GONE : TREE_CASE_L_GONE;

	if (!b->goes || !b->observed || b->failed || b->waits ||
	    b->keep_cursor || b->keep_stamp || has_op(r, b, OP_PUSH, true) ||
	    has_op(r, b, OP_PULL, false) || has_op(r, b, OP_WAIT, true) ||
	    has_op(r, b, OP_WAIT, false) || has_skipped(r, b) || has_held(b) ||
	    has_kept(r, b) || (b->remote_missing && has_others(r, b)))
		return;
	report_box(r, b,
	    b->remote_missing ? "delete here" : "delete on server", (int)why,
	    tree_case_words(why));
}

int
tree_finish_deleted(struct run *r, struct sbox *b, struct err *e)
{
	bool pushes = b->remote_missing && has_op(r, b, OP_PUSH, true);

	/* without its rows, what is to go from here would go up with the new */
	if (b->failed || b->keep_cursor || b->keep_stamp || b->undeleted ||
	    (b->undone && !pushes))
		return 0;
	if (b->remote_missing && b->local_missing)
		return 0; /* only in a dry run */
	if (b->remote_missing)
		return finish_remote_gone(r, b, e);
	if (b->local_missing && !b->stays)
		return finish_local_gone(r, b, e);
	return 0;
}
