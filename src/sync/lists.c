/*
 * lists: the mailboxes of the journal, of the server and of the Maildir, and
 * what plan/tree.h makes of them.
 */
#include "sync/tree.h"

#include "wire/resp.h"

#define LIST_TRIES 5

void
lists_init(struct lists *ls)
{
	*ls = (struct lists){.ndir = 0};
	map_init(&ls->by_wire);
	map_init(&ls->by_id);
}

void
lists_release(struct lists *ls)
{
	map_release(&ls->by_wire);
	map_release(&ls->by_id);
}

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
	    arena_array(&r->mem, ls->nseen + ls->njbox + 1, sizeof *all);
	struct map links;
	size_t n = 0;

	map_init(&links);
	for (size_t i = 0; i < ls->nseen; i++)
		if (ls->seen[i].is_link)
			map_add(&links, ls->seen[i].path, i);
		else
			all[n++] = ls->seen[i];
	for (size_t i = 0; i < ls->njbox && links.n > 0; i++)
		if (behind_link(&links, ls->jbox[i].path))
			all[n++] = (struct maildir_dir){
			    .path = ls->jbox[i].path, .is_link = true};
	map_release(&links);
	ls->dir = all;
	ls->ndir = n;
}

int
lists_read(struct run *r, struct lists *ls, struct err *e)
{
	int rc;

	rc = journal_boxes(r->j, &r->mem, &ls->jbox, &ls->njbox, e);
	/* in the journal these have no marks by now, but for a dry run's */
	for (size_t i = 0; i < ls->njbox && rc == 0 && r->o->dry_run; i++)
		left_unmark(r, &ls->jbox[i]);
	if (rc == 0)
		rc = imap_list(r->imap, &r->mem, &ls->remote, e);
	if (rc == 0 && r->m)
		rc = maildir_list(r->m, &r->mem, &ls->seen, &ls->nseen, e);
	if (rc != 0)
		return rc;
	put_links(r, ls);
	for (size_t i = 0; i < ls->remote.n; i++)
		map_add(&ls->by_wire, ls->remote.v[i].wire, i);
	for (size_t i = 0; i < ls->njbox; i++)
		map_set_u64(&ls->by_id, ls->jbox[i].id, i);
	return 0;
}

static bool
same_dir(const struct maildir_dir *a, const struct maildir_dir *b)
{
	return span_eq(a->path, b->path) && a->has_cur == b->has_cur &&
	       a->has_new == b->has_new && a->is_link == b->is_link &&
	       a->cur_ino == b->cur_ino && a->new_ino == b->new_ino;
}

/*
 * A mailbox that is moved while the tree is read may be in no listing; then it
 * is in the next one, which differs.  (So what was seen before counts as little
 * as what was seen after: the plan has to be made anew.)
 */
int
lists_confirm(struct run *r, const struct lists *ls, bool *same_r,
    struct err *e)
{
	struct maildir_dir *v;
	bool same, gone = false;
	size_t n;

	for (size_t i = 0; i < ls->plan.n; i++)
		gone |= ls->plan.op[i].kind == TREE_DELETE_R &&
			!ls->plan.op[i].held;
	*same_r = true;
	if (!gone || !r->m)
		return 0;
	if (maildir_list(r->m, &r->mem, &v, &n, e) != 0)
		return e->code;
	same = n == ls->nseen;
	for (size_t i = 0; i < n && same; i++)
		same = same_dir(&v[i], &ls->seen[i]);
	*same_r = same;
	return 0;
}

static void
journal_side(struct run *r, struct lists *ls)
{
	ls->tj = arena_array(&r->mem, ls->njbox + 1, sizeof *ls->tj);
	for (size_t i = 0; i < ls->njbox; i++) {
		const struct jbox *j = &ls->jbox[i];

		ls->tj[i] = (struct tree_journal){
		    .id = j->id,
		    .wire = j->wire,
		    .name = j->name,
		    .path = j->path,
		    .rows = j->rows,
		    .uidvalidity = j->uidvalidity,
		    .uidnext = j->uidnext,
		    .messages = j->messages,
		    .modseq = j->highestmodseq,
		    .mailboxid = j->mailboxid,
		    .cur_ino = j->stamp.cur_ino,
		    .new_ino = j->stamp.new_ino,
		    .gone = j->messages == JBOX_GONE,
		    .held_l = j->held & JBOX_HELD_HERE,
		    .held_r = j->held & JBOX_HELD_THERE,
		};
	}
}

static void
remote_side(struct run *r, struct lists *ls)
{
	const uint32_t none = ATTR_NOSELECT | ATTR_NONEXISTENT;
	/* they show again what is in other mailboxes */
	const uint32_t virtual = ATTR_ALL | ATTR_FLAGGED | ATTR_IMPORTANT;

	ls->tr = arena_array(&r->mem, ls->remote.n + 1, sizeof *ls->tr);
	for (size_t i = 0; i < ls->remote.n; i++) {
		const struct imap_box *x = &ls->remote.v[i];

		ls->tr[i] = (struct tree_remote){
		    .wire = x->wire,
		    .name = layout_name(
			&r->mem, x->wire, x->delim, ls->remote.prefix),
		    .delim = x->delim,
		    .selectable = (x->attrs & none) == 0,
		    .virtual = (x->attrs & virtual) != 0,
		    .uidvalidity = x->uidvalidity,
		    .uidnext = x->uidnext,
		    .messages = x->messages,
		    .modseq = x->highestmodseq,
		    .mailboxid = x->mailboxid,
		};
	}
}

static void
local_side(struct run *r, struct lists *ls)
{
	ls->tl = arena_array(&r->mem, ls->ndir + 1, sizeof *ls->tl);
	for (size_t i = 0; i < ls->ndir; i++) {
		const struct maildir_dir *d = &ls->dir[i];

		ls->tl[i] = (struct tree_local){
		    .path = d->path,
		    .is_box = d->has_cur || d->has_new || d->is_link,
		    .damaged = !d->has_cur || !d->has_new,
		    .cur_ino = d->cur_ino,
		    .new_ino = d->new_ino,
		};
	}
}

/* VERDICT: what could not be renamed before (enum rename_verdict). */
int
lists_plan(struct run *r, struct lists *ls, const struct map *verdict,
    struct err *e)
{
	struct tree_policy policy = {
	    .layout = r->a->layout,
	    .prefix = ls->remote.prefix,
	    .delim = ls->remote.delim,
	    .patterns = r->a->mailboxes,
	    .npatterns = r->a->nmailboxes,
	    .allow_deletes = r->o->allow_deletes,
	    .list_complete = ls->remote.unread == 0,
	    .write_r = r->a->direction != CONFIG_PULL,
	    .write_l = r->a->direction != CONFIG_PUSH,
	    .keep = r->a->keep,
	    .names_left = r->names_left,
	    .inodes_stay = r->m && maildir_inodes_stay(r->m) &&
			   journal_written_ns(r->j) > 0,
	};
	uint64_t v;
	int rc;

	journal_side(r, ls);
	remote_side(r, ls);
	local_side(r, ls);
	ls->m = arena_array(&r->mem, ls->njbox + 1, sizeof *ls->m);
	tree_match(&r->mem, ls->tj, ls->njbox, ls->tr, ls->remote.n, ls->tl,
	    ls->ndir, policy.layout, ls->m);
	rc = rename_verify(r, ls, e);
	for (size_t i = 0; i < ls->njbox; i++)
		if (map_get_u64(verdict, ls->jbox[i].id, &v)) {
			ls->m[i].apart = v == RENAME_APART;
			ls->m[i].stay = v == RENAME_STAY;
		}
	if (rc == 0)
		tree_plan(&r->mem, ls->tj, ls->njbox, ls->tr, ls->remote.n,
		    ls->tl, ls->ndir, ls->m, &policy, &ls->plan);
	return rc;
}

int
lists_settle(struct run *r, struct lists *ls, const struct map *verdict,
    struct err *e)
{
	for (int i = 0; i < LIST_TRIES; i++) {
		bool same;
		int rc;

		lists_release(ls);
		lists_init(ls);
		rc = lists_read(r, ls, e);
		if (rc == 0)
			rc = lists_plan(r, ls, verdict, e);
		if (rc == 0)
			rc = lists_confirm(r, ls, &same, e);
		/* once: a server may list for ever what it has not got */
		if (rc != 0 || (same && (!ls->outdated || i > 0)))
			return rc;
	}
	return err_set(e, ERR_STALE, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
	    "the directories of the Maildir change all the time; nothing is "
	    "done");
}
