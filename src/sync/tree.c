/*
 * tree: which mailboxes there are, and what has to be looked at.
 *
 * A mailbox is created at once (that loses nothing); a deletion is carried
 * out by the passes like the deletion of its messages, through the same
 * brake, and the empty mailbox goes last (tree_finish_deleted).
 */
#include "sync/internal.h"

#include "base/map.h"
#include "wire/resp.h"

struct lists {
	struct imap_listing remote;
	struct maildir_dir *dir;
	size_t ndir;
	struct jbox *jbox;
	size_t njbox;
	struct map by_wire; /* wire -> index into remote.v */
	struct map by_id;   /* id -> index into jbox */
};

/* PATH itself, or a directory that it lies in, is in LINKS. */
static bool
behind_link(const struct map *links, struct span path)
{
	uint64_t one;

	for (size_t i = 1; i <= path.n; i++)
		if ((i == path.n || path.p[i] == '/') &&
		    map_get(links, span_of(path.p, i), &one))
			return true;
	return false;
}

/*
 * A symlink is no mailbox.  But one in place of a mailbox that we know, or of
 * a directory that it is in, is not its deletion either: such mailboxes are
 * there, and damaged.
 */
static void
put_links(struct run *r, struct lists *ls)
{
	struct maildir_dir *all =
	    arena_array(&r->mem, ls->ndir + ls->njbox + 1, sizeof *all);
	struct map links;
	size_t n = 0;

	map_init(&links);
	for (size_t i = 0; i < ls->ndir; i++)
		if (ls->dir[i].is_link)
			map_add(&links, ls->dir[i].path, i);
		else
			all[n++] = ls->dir[i];
	for (size_t i = 0; i < ls->njbox && links.n > 0; i++)
		if (behind_link(&links, ls->jbox[i].path))
			all[n++] = (struct maildir_dir){
			    .path = ls->jbox[i].path, .is_link = true};
	map_release(&links);
	ls->dir = all;
	ls->ndir = n;
}

static int
read_lists(struct run *r, struct lists *ls, struct err *e)
{
	int rc;

	rc = journal_boxes(r->j, &r->mem, &ls->jbox, &ls->njbox, e);
	if (rc == 0)
		rc = imap_list(r->imap, &r->mem, &ls->remote, e);
	if (rc == 0 && r->m)
		rc = maildir_list(r->m, &r->mem, &ls->dir, &ls->ndir, e);
	if (rc != 0)
		return rc;
	put_links(r, ls);
	for (size_t i = 0; i < ls->remote.n; i++)
		map_add(&ls->by_wire, ls->remote.v[i].wire, i);
	for (size_t i = 0; i < ls->njbox; i++)
		map_set_u64(&ls->by_id, ls->jbox[i].id, i);
	return 0;
}

static void
plan_tree(struct run *r, struct lists *ls, struct tree_plan *tp)
{
	struct tree_journal *tj =
	    arena_array(&r->mem, ls->njbox + 1, sizeof *tj);
	struct tree_remote *tr =
	    arena_array(&r->mem, ls->remote.n + 1, sizeof *tr);
	struct tree_local *tl = arena_array(&r->mem, ls->ndir + 1, sizeof *tl);
	struct tree_policy policy = {
	    .layout = r->a->layout,
	    .prefix = ls->remote.prefix,
	    .delim = ls->remote.delim,
	    .patterns = r->a->mailboxes,
	    .npatterns = r->a->nmailboxes,
	    .allow_deletes = r->o->allow_deletes,
	    .max_deletes = r->a->max_deletes,
	    .list_complete = ls->remote.unread == 0,
	};

	for (size_t i = 0; i < ls->njbox; i++) {
		const struct jbox *j = &ls->jbox[i];

		tj[i] = (struct tree_journal){
		    j->id, j->wire, j->name, j->path, j->rows};
		r->account_messages += j->rows;
	}
	for (size_t i = 0; i < ls->remote.n; i++) {
		const struct imap_box *x = &ls->remote.v[i];

		tr[i] = (struct tree_remote){
		    .wire = x->wire,
		    .name = layout_name(
			&r->mem, x->wire, x->delim, ls->remote.prefix),
		    .delim = x->delim,
		    .selectable =
			(x->attrs & (ATTR_NOSELECT | ATTR_NONEXISTENT)) == 0,
		};
	}
	for (size_t i = 0; i < ls->ndir; i++)
		tl[i] = (struct tree_local){
		    .path = ls->dir[i].path,
		    .is_box = ls->dir[i].has_cur || ls->dir[i].has_new ||
			ls->dir[i].is_link,
		    .damaged = !ls->dir[i].has_cur || !ls->dir[i].has_new,
		};
	tree_plan(&r->mem, tj, ls->njbox, tr, ls->remote.n, tl, ls->ndir,
	    &policy, tp);
}

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
	rc = journal_holds(r->j, b->j.id, &r->mem, &b->hold, &b->nhold, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < b->nhold; i++) {
		r->rep->waiting += b->hold[i].kind == JHOLD_RETRY;
		if (!record_hold_due(r, &b->hold[i]))
			continue;
		if (b->hold[i].uid)
			b->dirty_r = true;
		else
			b->dirty_l = true;
	}
	return 0;
}

/* Does anything have to be looked at? */
static int
judge_dirty(struct run *r, struct sbox *b, struct err *e)
{
	struct maildir_stamp now = MAILDIR_STAMP_NONE;
	bool fresh = r->o->full || b->j.id == 0;

	b->dirty_r = fresh || b->remote_missing || numbers_differ(b);
	b->dirty_l = fresh || b->local_missing || b->remote_missing;
	if (!b->dirty_l) {
		if (maildir_stamp(r->m, b->j.path, &now, e) != 0)
			err_clear(e); /* the scan will say what is wrong */
		b->dirty_l = !maildir_stamp_eq(&now, &b->j.stamp);
	}
	return load_holds(r, b, e);
}

static bool
wanted(const struct run *r, struct span name)
{
	for (size_t i = 0; i < r->o->nmailboxes; i++)
		if (span_eq(name, r->o->mailboxes[i]) ||
		    (span_eq(name, SPAN("INBOX")) &&
			span_eq_case(name, r->o->mailboxes[i])))
			return true;
	return r->o->nmailboxes == 0;
}

static void
held_text(struct run *r, const struct sbox *b, uint64_t n, const char *what)
{
	char *text = xasprintf("%llu delete%s held back: %s; "
			       "run sync with --allow-deletes if that is meant",
	    (unsigned long long)n, n == 1 ? "" : "s", what);

	report_held(r, b, n, text);
	xfree(text);
}

/* A directory without cur/ or new/ that had messages: hands off. */
static int
damaged_box(
    struct run *r, struct sbox *b, uint64_t rows, bool *skip_r, struct err *e)
{
	*skip_r = false;
	if (rows > 0 && !r->o->allow_deletes) {
		held_text(r, b, rows,
		    "its directory lacks cur/ or new/, or is a link; nothing "
		    "is done there");
		*skip_r = true;
		return 0;
	}
	if (r->o->dry_run) {
		b->local_missing = true;
		return 0;
	}
	return maildir_create(r->m, b->j.path, e);
}

/* The server's LIST lacks it: ask by name before anything goes here. */
static int
confirm_remote_gone(struct run *r, struct sbox *b, bool *skip_r, struct err *e)
{
	bool exists;
	int rc = imap_exists(r->imap, b->j.wire, &exists, e);

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

static int
forget_box(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;

	if (r->o->dry_run)
		return 0;
	batch = journal_begin(r->j, r->kw);
	journal_del_box(batch, b->j.id);
	return journal_commit(&batch, e);
}

static int
carry_out(struct run *r, const struct tree_op *op, struct sbox *b, bool *skip_r,
    struct err *e)
{
	bool dry = r->o->dry_run;

	*skip_r = false;
	switch (op->kind) {
	case TREE_SYNC:
		if (op->damaged)
			return damaged_box(r, b, op->rows, skip_r, e);
		return 0;
	case TREE_CREATE_L:
		report_box(r, b, "create here", (int)op->why,
		    tree_case_words(op->why));
		b->local_missing = dry;
		r->rep->boxes_created++;
		return dry ? 0 : maildir_create(r->m, b->j.path, e);
	case TREE_CREATE_R:
		report_box(r, b, "create on server", (int)op->why,
		    tree_case_words(op->why));
		b->remote_missing = dry;
		r->rep->boxes_created++;
		return dry ? 0 : imap_create(r->imap, b->j.wire, e);
	case TREE_DELETE_L:
	case TREE_DELETE_R:
		if (op->held) {
			held_text(r, b, op->rows ? op->rows : 1,
			    tree_case_words(op->why));
			*skip_r = true;
			return 0;
		}
		if (op->kind == TREE_DELETE_L)
			return confirm_remote_gone(r, b, skip_r, e);
		b->local_missing = true;
		return 0;
	case TREE_FORGET:
		*skip_r = true;
		return forget_box(r, b, e);
	case TREE_SKIP:
		*skip_r = true;
		report_failed(r, b, 0, SPAN_NONE, op->text);
		return 0;
	}
	return 0;
}

static int
add_box(struct run *r, const struct lists *ls, const struct tree_op *op,
    struct err *e)
{
	struct sbox *b = &r->box[r->nbox];
	uint64_t at;
	bool skip;
	int rc;

	memset(b, 0, sizeof *b);
	if (op->id && map_get_u64(&ls->by_id, op->id, &at))
		b->j = b->recorded = ls->jbox[at];
	b->j.wire = op->wire;
	b->j.name = op->name;
	b->j.path = op->path;
	b->j.delim = op->delim;
	if (map_get(&ls->by_wire, op->wire, &at)) {
		b->listed = ls->remote.v[at];
		b->is_listed = true;
		b->j.mailboxid = b->listed.mailboxid;
	}
	rc = carry_out(r, op, b, &skip, e);
	if (rc == 0 && !skip)
		rc = judge_dirty(r, b, e);
	if (rc != 0)
		return report_contain(r, b, e);
	if (!skip)
		r->nbox++;
	return 0;
}

static int
check_names(struct run *r, const struct tree_plan *tp, struct err *e)
{
	for (size_t i = 0; i < r->o->nmailboxes; i++) {
		bool found = false;

		for (size_t k = 0; k < tp->n && !found; k++)
			found =
			    span_eq_case(tp->op[k].name, r->o->mailboxes[i]);
		if (!found)
			return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_NEVER, "no mailbox '%.*s' on either side",
			    SPAN_ARG(r->o->mailboxes[i]));
	}
	return 0;
}

/*
 * Where messages go that were deleted here (on_local_delete: trash; always at
 * Gmail's, where an expunge only takes a label away).
 */
static int
find_trash(struct run *r, const struct lists *ls, struct err *e)
{
	const char *name = r->a->trash;
	bool gmail = (imap_caps(r->imap) & IMAP_CAP_GMAIL) != 0;
	struct span wire;

	if (!r->a->to_trash && !gmail)
		return 0;
	for (size_t i = 0; i < ls->remote.n; i++) {
		const struct imap_box *x = &ls->remote.v[i];

		if (name ? span_eq(layout_name(&r->mem, x->wire, x->delim,
				       ls->remote.prefix),
			       span_str(name))
			 : (x->attrs & ATTR_TRASH) != 0)
			r->trash = x->wire;
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
	return r->o->dry_run || r->a->direction == CONFIG_PULL
		   ? 0
		   : imap_create(r->imap, wire, e);
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

static int
build(struct run *r, struct lists *ls, struct err *e)
{
	struct tree_plan tp = {0};
	uint64_t rows = 0;
	int rc;

	rc = read_lists(r, ls, e);
	if (rc == 0)
		rc = find_trash(r, ls, e);
	if (rc != 0)
		return rc;
	plan_tree(r, ls, &tp);
	if (ls->remote.unread > 0)
		report_unread(r, ls->remote.unread);
	r->list_damaged = tp.list_damaged;
	r->root_damaged = tp.root_damaged;
	if (tp.root_damaged && !r->o->allow_deletes) {
		for (size_t i = 0; i < ls->njbox; i++)
			rows += ls->jbox[i].rows;
		held_text(r, NULL, rows ? rows : 1,
		    "the Maildir holds no mailbox at all (not mounted?), "
		    "nothing is done; to fetch everything again remove the "
		    "account's journal instead");
		return 0;
	}
	rc = check_names(r, &tp, e);
	if (rc != 0)
		return rc;
	r->box = arena_array(&r->mem, tp.n + 1, sizeof *r->box);
	for (size_t i = 0; i < tp.n && rc == 0; i++) {
		rc = cancel_check(r->o->cancel, e);
		if (rc == 0 && wanted(r, tp.op[i].name))
			rc = add_box(r, ls, &tp.op[i], e);
	}
	return rc;
}

int
tree_prepare(struct run *r, struct err *e)
{
	struct lists ls = {0};
	int rc;

	map_init(&ls.by_wire);
	map_init(&ls.by_id);
	rc = build(r, &ls, e);
	map_release(&ls.by_wire);
	map_release(&ls.by_id);
	return rc;
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
	uint64_t none = 0;

	b->j.id = none;
	b->j.uidvalidity = b->j.uidnext = b->j.messages = 0;
	b->j.highestmodseq = 0;
	b->j.stamp = MAILDIR_STAMP_NONE;
	memset(&b->recorded, 0, sizeof b->recorded);
	b->nhold = 0;
	b->remote_missing = b->local_missing = false;
	b->rescan = b->dirty_l = b->dirty_r = true;
	b->is_listed = false;
}

/* Deleted on the server; its messages here are in the bin by now. */
static int
finish_remote_gone(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	if (has_op(r, b, OP_PUSH, true) || has_op(r, b, OP_WAIT, true)) {
		/* new mail here: the mailbox comes back with it */
		report_box(r, b, "create on server", TREE_CASE_L_ONLY,
		    "new mail here in a mailbox that was deleted there");
		rc = imap_create(r->imap, b->j.wire, e);
		if (rc == 0)
			rc = forget_box(r, b, e);
		if (rc == 0)
			start_afresh(b);
		return rc;
	}
	rc = apply_open_bin(r, e);
	if (rc == 0)
		rc = maildir_bin_box(r->m, b->j.path, r->bin_fd, e);
	if (rc == 0)
		rc = forget_box(r, b, e);
	if (rc == 0) {
		b->gone = true;
		r->rep->boxes_deleted++;
		report_box(r, b, "delete here", TREE_CASE_R_GONE,
		    tree_case_words(TREE_CASE_R_GONE));
	}
	return rc;
}

/* RFC 5530 HASCHILDREN: it can be emptied there, and that was done. */
static int
stays_there(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	err_clear(e);
	report_box(r, b, "create here", TREE_CASE_R_ONLY,
	    "the server does not delete a mailbox that has others below it");
	rc = maildir_create(r->m, b->j.path, e);
	if (rc == 0)
		rc = forget_box(r, b, e);
	if (rc == 0)
		start_afresh(b);
	return rc;
}

/* Deleted here; its messages on the server are expunged by now. */
static int
finish_local_gone(struct run *r, struct sbox *b, struct err *e)
{
	struct rview now = {0};
	uint32_t exists;
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
	if (exists > 0) {
		/* somebody put mail there meanwhile: the next run decides */
		log_info(r->o->log,
		    "%s: %.*s: new mail on the server, not deleted there",
		    r->a->name, SPAN_ARG(b->j.name));
		return 0;
	}
	rc = imap_unselect(r->imap, e);
	if (rc == 0)
		rc = imap_delete(r->imap, b->j.wire, e);
	if (rc == ERR_NO && strcmp(e->resp, "HASCHILDREN") == 0)
		return stays_there(r, b, e);
	if (rc == 0)
		rc = forget_box(r, b, e);
	if (rc == 0) {
		b->gone = true;
		r->rep->boxes_deleted++;
		report_box(r, b, "delete on server", TREE_CASE_L_GONE,
		    tree_case_words(TREE_CASE_L_GONE));
	}
	return rc;
}

int
tree_finish_deleted(struct run *r, struct sbox *b, struct err *e)
{
	bool pushes = b->remote_missing && has_op(r, b, OP_PUSH, true);

	if (b->failed || b->keep_cursor || b->keep_stamp ||
	    (b->undone && !pushes))
		return 0;
	if (b->remote_missing && b->local_missing)
		return 0; /* only in a dry run */
	if (b->remote_missing)
		return finish_remote_gone(r, b, e);
	if (b->local_missing)
		return finish_local_gone(r, b, e);
	return 0;
}
