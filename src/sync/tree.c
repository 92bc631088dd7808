/*
 * tree: which mailboxes there are, and what has to be looked at.
 *
 * A mailbox is created at once (that loses nothing); a deletion is carried
 * out by the passes like the deletion of its messages, through the same
 * brake, and the empty mailbox goes last (tree_finish_deleted).
 */
#include "sync/tree.h"

#include "wire/resp.h"

static bool
numbers_differ(const struct sbox *b)
{
	const struct imap_box *x = &b->listed;
	const uint32_t all =
	    HAS_MESSAGES | HAS_UIDNEXT | HAS_UIDVALIDITY | HAS_HIGHESTMODSEQ;

	if (!b->is_listed || (x->has & all) != all)
		return true;
	return b->j.highestmodseq == 0 || x->uidvalidity != b->j.uidvalidity ||
	       x->uidnext != b->j.uidnext || x->messages != b->j.messages ||
	       x->highestmodseq != b->j.highestmodseq;
}

static int
load_holds(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	if (b->j.id == 0)
		return 0;
	rc = journal_holds(r->j, b->j.id, &b->hold_mem, &b->hold, &b->nhold, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < b->nhold; i++) {
		/* the suspect are tried by each run that is no dry one */
		r->rep->waiting += b->hold[i].kind == JHOLD_RETRY ||
		    (r->o->dry_run && b->hold[i].kind == JHOLD_SUSPECT);
		if (!holds_is_due(r, &b->hold[i]))
			continue;
		if (b->hold[i].uid)
			b->dirty_r = true;
		else
			b->dirty_l = true;
	}
	/* what is new there may be a file that went up */
	b->dirty_l |= b->dirty_r && sent_awaits(b);
	return 0;
}

/* Does anything have to be looked at? */
static int
judge_dirty(struct run *r, struct sbox *b, struct err *e)
{
	struct maildir_stamp now = MAILDIR_STAMP_NONE;
	bool fresh = r->o->full || b->j.id == 0;
	bool was_gone = b->j.messages == JBOX_GONE;

	b->dirty_r = fresh ||
	    (b->remote_missing ? !b->stays || !was_gone : numbers_differ(b));
	/* its directory was not held against rows while it was gone */
	b->dirty_l = fresh || (was_gone && !b->remote_missing) ||
	    ((b->local_missing || b->remote_missing) && !b->stays);
	if (!b->dirty_l && !b->local_missing) {
		if (maildir_stamp(r->m, b->j.path, &now, e) != 0)
			err_clear(e); /* the scan will say what is wrong */
		b->dirty_l = (!maildir_stamp_eq(&now, &b->j.stamp) ||
				 local_named(r, b)) &&
			     !(b->remote_missing && was_gone &&
				 r->a->direction == CONFIG_PULL);
		b->seen = now;
	}
	/* are there any left? */
	b->dirty_r |= (b->j.held & JBOX_HELD_HERE) && !b->stays;
	b->dirty_l |= (b->j.held & JBOX_HELD_THERE) && !b->stays;
	return load_holds(r, b, e);
}

bool
tree_is_called(struct span name, struct span word)
{
	return span_eq(name, word) ||
	    (span_eq(name, SPAN("INBOX")) && span_eq_case(name, word));
}

static bool
wants_all(const struct run *r)
{
	return r->o->nmailboxes == 0 || r->o->whole;
}

/* By its name, or by the one that it had. */
static bool
is_meant(const struct tree_op *op, struct span word)
{
	return tree_is_called(op->name, word) ||
	       tree_is_called(op->old_name, word);
}

static bool
wanted(const struct run *r, const struct tree_op *op)
{
	for (size_t i = 0; i < r->o->nmailboxes; i++)
		if (is_meant(op, r->o->mailboxes[i]))
			return true;
	return wants_all(r);
}

/*
 * cases 111 and 112: a directory that is not whole, and had messages; what a
 * killed run began (local_make) is none that was damaged.
 */
static int
damaged_box(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e)
{
	bool lost = op->rows > 0 &&
		    !(r->m && maildir_is_half_made(r->m, b->j.path));

	*skip_r = lost;
	if (lost && op->why != TREE_CASE_INBOX_GONE) {
		/* nobody deletes messages like that, whatever is allowed */
		report_held_always(r, b, (struct held){.there = op->rows},
		    "its directory lacks cur/ or new/, or is a link; make it "
		    "whole again, or remove it if the mailbox is to go");
		return 0;
	}
	if (lost && !r->o->allow_deletes) {
		report_held(r, b, (struct held){.there = op->rows},
		    "the directory of INBOX is missing", false);
		return brake_note_box(r, b, JBOX_HELD_THERE, e);
	}
	*skip_r = false;
	if (r->o->dry_run) {
		b->local_missing = true;
		return 0;
	}
	return maildir_create(r->m, b->j.path, e);
}

/* The steps are done by now, but in a dry run. */
static void
renamed_box(struct run *r, const struct tree_op *op, struct sbox *b)
{
	const char *what = op->kind == TREE_RENAME_L ? "rename here"
	    : op->kind == TREE_RENAME_R		     ? "rename on server"
						     : "renamed";
	char *text = xasprintf("%s from %.*s", tree_case_words(op->why),
	    SPAN_ARG(op->old_name));

	report_box(r, b, what, (int)op->why, text);
	xfree(text);
	r->rep->boxes_renamed += !r->o->dry_run;
	if (op->kind == TREE_RENAME_R)
		b->is_listed = false; /* RENAME may change the numbers */
}

/* Its deletes are held, and so is all of it: does more than these wait? */
static void
tell_held(struct run *r, const struct sbox *b)
{
	struct maildir_stamp now = MAILDIR_STAMP_NONE;
	struct err none;

	if (b->is_listed ? !numbers_differ(b)
			 : maildir_stamp(r->m, b->j.path, &now, &none) != 0 ||
			       maildir_stamp_eq(&now, &b->j.stamp))
		return;
	report_left_until(r, b,
	    "what else is new in it is left until that is settled");
}

/* The deletion of B, and all else of it. */
static int
hold_box(struct run *r, const struct tree_op *op, struct sbox *b,
    struct err *e)
{
	bool here = op->kind == TREE_DELETE_L;
	bool replaced = !here && r->replaced;
	uint64_t n = op->rows ? op->rows : 1;

	report_held(r, b, here ? (struct held){.here = n}
			       : (struct held){.there = n},
	    replaced ? brake_words(BRAKE_REPLACED) : tree_case_words(op->why),
	    replaced);
	r->keep_stamps |= r->replaced;
	tell_held(r, b);
	/* such a list says nothing: the next one that is whole does */
	if (here && r->list_unread)
		return 0;
	return brake_note_box(
	    r, b, here ? JBOX_HELD_HERE : JBOX_HELD_THERE, e);
}

static int
carry_out(struct run *r, const struct tree_op *op, struct sbox *b, bool *skip_r,
    struct err *e)
{
	*skip_r = false;
	switch (op->kind) {
	case TREE_SYNC:
		if (!op->damaged)
			return 0;
		if (damaged_box(r, op, b, skip_r, e) != 0)
			return e->code;
		if (*skip_r)
			tell_held(r, b);
		return 0;
	case TREE_CREATE_L:
	case TREE_CREATE_R:
		return create_by_plan(r, op, b, skip_r, e);
	case TREE_RENAME_L:
	case TREE_RENAME_R:
	case TREE_RENAMED:
		renamed_box(r, op, b);
		return 0;
	case TREE_DELETE_L:
	case TREE_DELETE_R:
		if (op->held) {
			*skip_r = true;
			return hold_box(r, op, b, e);
		}
		b->goes = true;
		if (op->kind == TREE_DELETE_L)
			return gone_delete_here(r, op, b, skip_r, e);
		b->local_missing = true;
		return 0;
	case TREE_STAY:
		b->stays = true;
		b->local_missing = op->now_path.n == 0;
		b->remote_missing = op->now_wire.n == 0;
		return op->damaged && !b->local_missing
		    ? damaged_box(r, op, b, skip_r, e)
		    : 0;
	case TREE_FORGET:
		*skip_r = true;
		return gone_by_plan(r, op->why, b, e);
	case TREE_LEAVE:
		*skip_r = true;
		return 0;
	case TREE_SKIP:
		*skip_r = true;
		if (op->why != TREE_CASE_REFUSED) /* said already */
			report_failed(r, b, 0, SPAN_NONE, op->text);
		return 0;
	}
	return 0;
}

/* The next place in the list, for the mailbox of OP. */
static struct sbox *
place_box(struct run *r, const struct lists *ls, const struct tree_op *op)
{
	struct sbox *b = &r->box[r->nbox];
	uint64_t at;

	memset(b, 0, sizeof *b);
	if (op->id && map_get_u64(&ls->by_id, op->id, &at))
		b->j = b->recorded = ls->jbox[at];
	else if (op->id == 0 && map_get(&r->anew, op->now_path, &at))
		b->j.id = b->recorded.id = at; /* case 121 */
	b->j.wire = op->wire;
	b->j.name = op->name;
	b->j.path = op->path;
	b->j.delim = op->delim;
	b->displaced = op->displaced;
	if (!r->stepped) { /* nothing has moved */
		if (op->now_wire.n > 0)
			b->j.wire = op->now_wire;
		if (op->now_path.n > 0)
			b->j.path = op->now_path;
	}
	if (map_get(&ls->by_wire, op->now_wire, &at)) {
		b->listed = ls->remote.v[at];
		b->is_listed = true;
		if (b->listed.mailboxid.n > 0)
			b->j.mailboxid = b->listed.mailboxid;
	}
	return b;
}

/*
 * Not looked at in this run, as one that failed: see rule 5 of putoff.c, and
 * rule 3 of renumber.c.  What the patterns leave out is not ours to ask.
 */
static void
set_out(struct run *r, const struct tree_op *op, struct sbox *b)
{
	if (op->kind == TREE_FORGET ||
	    (op->kind == TREE_LEAVE && op->why == TREE_CASE_BOTH))
		return;
	b->failed = true;
	b->stays = op->kind == TREE_STAY;
	b->local_missing = op->now_path.n == 0;
	b->remote_missing = op->now_wire.n == 0;
	r->nbox++;
}

static struct sbox *
pass_over(struct run *r, const struct lists *ls, const struct tree_op *op)
{
	struct sbox *b = place_box(r, ls, op);

	set_out(r, op, b);
	return b;
}

static bool
has_steps(const struct tree_op *op)
{
	return (op->now_wire.n > 0 && !span_eq(op->wire, op->now_wire)) ||
	    (op->now_path.n > 0 && !span_eq(op->path, op->now_path));
}

/*
 * Others rename mailboxes meanwhile (rename.c, rule 4): is OP one that may be
 * another by now?
 */
static bool
may_be_renamed(const struct run *r, const struct tree_op *op)
{
	return r->renaming && op->kind != TREE_LEAVE && op->kind != TREE_SKIP &&
	    (op->kind != TREE_SYNC || op->id == 0 || has_steps(op));
}

static void
leave_renamed(struct run *r, const struct lists *ls, const struct tree_op *op)
{
	const struct sbox *b = pass_over(r, ls, op);

	if (wanted(r, op))
		report_left(r, b, "somebody else renames mailboxes meanwhile");
}

static int
add_box(struct run *r, const struct lists *ls, const struct tree_op *op,
    struct err *e)
{
	struct sbox *b = place_box(r, ls, op);
	bool skip;
	int rc;

	rc = carry_out(r, op, b, &skip, e);
	if (rc == 0 && !skip)
		rc = judge_dirty(r, b, e);
	if (rc == 0 && !skip && b->stays && b->remote_missing && sbox_is_due(b))
		rc = gone_confirm(r, b, &skip, e);
	if (rc != 0) {
		rc = report_contain(r, b, e);
		skip = !b->failed;
	}
	if (rc == 0 && skip)
		set_out(r, op, b);
	else if (!skip)
		r->nbox++;
	/* the first time it may have been the line, and others need its view */
	if (!skip && b->j.ended > 1 && !b->remote_missing && !b->failed &&
	    sbox_is_due(b) && !r->o->dry_run)
		b->last = b->failed = true;
	return rc;
}

static int
check_names(struct run *r, const struct lists *ls, struct err *e)
{
	const struct tree_plan *tp = &ls->plan;

	for (size_t i = 0; i < r->o->nmailboxes; i++) {
		struct span word = r->o->mailboxes[i], like = SPAN("");
		bool found = false;

		for (size_t k = 0; k < tp->n && !found; k++) {
			found = is_meant(&tp->op[k], word);
			if (layout_says(tp->op[k].name, word))
				like = tp->op[k].name;
		}
		if (!found && patterns_explain(r, ls, word, e) != 0)
			return e->code;
		if (!found && like.n > 0)
			return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_NEVER, "no mailbox '%.*s' on either "
			    "side; that name is written '%.*s' here",
			    SPAN_ARG(word), SPAN_ARG(like));
		if (!found)
			return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_NEVER, "no mailbox '%.*s' on either side",
			    SPAN_ARG(word));
	}
	return 0;
}

/*
 * Renames are done together, as they depend on each other; of single
 * mailboxes only when one of them is concerned.
 */
static bool
wants_steps(const struct run *r, const struct lists *ls)
{
	if (r->o->dry_run)
		return false;
	if (wants_all(r))
		return true;
	for (size_t i = 0; i < ls->plan.n; i++)
		if (wanted(r, &ls->plan.op[i]) &&
		    has_steps(&ls->plan.op[i]))
			return true;
	return false;
}

/*
 * Lists, plan and renames, until all renames that can be are done.  *go_r:
 * the rest may follow.
 */
static int
settle_names(struct run *r, struct lists *ls, bool *go_r, struct err *e)
{
	struct map verdict;
	bool again = true;
	size_t rounds = 0;
	int rc = 0;

	*go_r = false;
	map_init(&verdict);
	/*
	 * Each time round there is a verdict more, or somebody was taken along
	 * who had his.  But a server may tell mailboxes apart by their names
	 * alone: then what was done may look like another rename, and so on.
	 */
	while (again && rc == 0) {
		again = false;
		if (rounds++ > 4 * ls->njbox + 4) {
			rc = err_set(e, ERR_STALE, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_LATER,
			    "mailboxes were renamed on both sides, some of it "
			    "is refused, and what is not undoes itself; give "
			    "them the same names on both sides");
			break;
		}
		rc = lists_settle(r, ls, &verdict, e);
		if (rc != 0 ||
		    (ls->plan.root_damaged &&
			!(r->o->allow_deletes && r->o->named)))
			break;
		*go_r = true;
		if (!r->renaming && wants_steps(r, ls))
			rc = rename_steps(r, ls, &verdict, &again, e);
	}
	r->stepped = rc == 0 && *go_r && !r->renaming && wants_steps(r, ls);
	if (r->stepped)
		rc = rename_record(r, ls, e);
	map_release(&verdict);
	return rc;
}

static void
report_unread(struct run *r, uint32_t n)
{
	char *text = xasprintf("%u line%s of the server's list of mailboxes "
			       "cannot be read (names with blanks that are not "
			       "quoted?); they are left out, and no mailbox "
			       "counts as deleted there",
	    n, n == 1 ? "" : "s");

	report_failed(r, NULL, 0, SPAN_NONE, text);
	xfree(text);
}

/* A mailbox that is none of these has come later (putoff.c, rule 4). */
static void
note_dirs(struct run *r, const struct lists *ls)
{
	for (size_t i = 0; i < ls->ndir; i++)
		if (!ls->dir[i].is_link)
			map_add(&r->dirs, ls->dir[i].path, 1);
	for (size_t i = 0; i < ls->plan.n; i++)
		if (r->stepped && has_steps(&ls->plan.op[i]))
			map_add(&r->dirs, ls->plan.op[i].path, 1);
}

/*
 * Whatever is asked for.  Case 120: the next run would not see it any more.
 * Case 121: what is new is to have a record of its own.
 */
static bool
is_for_all(enum tree_case why)
{
	return why == TREE_CASE_R_BACK || why == TREE_CASE_CROSSED;
}

static int
build(struct run *r, struct lists *ls, struct err *e)
{
	const struct tree_plan *tp = &ls->plan;
	const char *why;
	uint64_t rows = 0;
	bool go;
	int rc;

	rc = settle_names(r, ls, &go, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < ls->njbox; i++)
		rows += ls->jbox[i].rows;
	r->account_messages = rows;
	r->list_damaged = tp->list_damaged;
	r->list_unread = ls->remote.unread > 0;
	r->root_damaged = tp->root_damaged;
	r->replaced = tp->replaced;
	if (!go) {
		why = arena_printf(&r->mem,
		    "the Maildir '%s' holds no mailbox at all (not mounted, or "
		    "another layout?), nothing is done; to fetch everything "
		    "again, remove the account's journal '%s/journal'",
		    r->a->maildir, r->a->state_dir);
		report_held(r, NULL, (struct held){.there = rows ? rows : 1},
		    why, true);
		return brake_note_all(r, ls->jbox, ls->njbox, e);
	}
	if (ls->njbox == 0)
		whose_other_layout(r);
	if (ls->remote.unread > 0)
		report_unread(r, ls->remote.unread);
	rc = trash_find(r, ls, e);
	if (rc == 0)
		rc = check_names(r, ls, e);
	if (rc == 0)
		rc = patterns_check(r, ls, e);
	if (rc != 0)
		return rc;
	note_dirs(r, ls);
	r->box = arena_array(&r->mem, tp->n + 1, sizeof *r->box);
	for (size_t i = 0; i < tp->n && rc == 0; i++) {
		rc = cancel_check(r->o->cancel, e);
		if (rc == 0 && may_be_renamed(r, &tp->op[i]))
			leave_renamed(r, ls, &tp->op[i]);
		else if (rc == 0 && (wanted(r, &tp->op[i]) ||
					is_for_all(tp->op[i].why)))
			rc = add_box(r, ls, &tp->op[i], e);
		else if (rc == 0)
			pass_over(r, ls, &tp->op[i])->left_out = true;
	}
	return rc;
}

int
tree_prepare(struct run *r, struct err *e)
{
	struct lists ls;
	int rc;

	arena_init(&r->pass); /* what precedes the passes has one, too */
	lists_init(&ls);
	rc = whose_account(r, e);
	if (rc == 0)
		rc = left_judge(r, e);
	if (rc == 0)
		rc = late_wait(r, e);
	if (rc == 0)
		rc = build(r, &ls, e);
	lists_release(&ls);
	arena_release(&r->pass);
	return rc;
}
