/*
 * rename: mailboxes that got another name.
 *
 *  1. What is only guessed is looked at before anything is done: sizes and
 *     dates of messages there, names of files here, against the rows.
 *  2. All steps are done before the journal says so, in one transaction.  A
 *     crash in between leaves mailboxes that are matched the same way, and
 *     steps that are left over, or none.
 *     (Subscriptions, which did not follow, do so then.)
 *  3. Nothing in the mailboxes is touched, and no message is transferred.
 *  4. Somebody else may rename one meanwhile.  When it is to be renamed and is
 *     not there any more, this run does nothing but with the mailboxes that
 *     have their names on both sides: each that is new or gone may be it.
 */
#include "sync/tree.h"

#include "wire/resp.h"

#include <errno.h>

/* Messages of one mailbox that are compared. */
#define SAMPLE 64

/* One second apart may be rounding. */
static bool
same_message(const struct pair *row, const struct rmsg *m)
{
	return m->has_meta && m->size == row->size &&
	    (row->idate == 0 || m->idate == 0 ||
		(m->idate - row->idate <= 1 && row->idate - m->idate <= 1));
}

/* Do the rows' messages lie in the mailbox that is selected? */
static int
compare_remote(struct run *r, const struct pairs *rows, struct arena *mem,
    enum rename_look *v_r, struct err *e)
{
	size_t step = (rows->n + SAMPLE - 1) / SAMPLE, agree = 0, differ = 0;
	struct rview view = {0};
	struct uidset set;
	int rc;

	uidset_init(&set);
	uidset_init(&view.vanished);
	for (size_t i = 0; i < rows->n; i += step)
		uidset_add(&set, rows->v[i].uid);
	rc = imap_fetch_meta(r->imap, &set, false, true, mem, &view, e);
	rview_sort(&view);
	for (size_t i = 0; i < rows->n && rc == 0; i += step) {
		const struct rmsg *m = rview_find(&view, rows->v[i].uid);

		if (m && same_message(&rows->v[i], m))
			agree++;
		else if (m)
			differ++;
	}
	uidset_release(&set);
	uidset_release(&view.vanished);
	if (rc == 0)
		*v_r = differ > 0 ? RENAME_OTHER
		    : agree > 0	  ? RENAME_SAME
				  : RENAME_UNKNOWN;
	return rc;
}

int
rename_look_there(struct run *r, const struct jbox *j, struct span wire,
    struct arena *mem, enum rename_look *v_r, bool *gone_r, struct err *e)
{
	struct imap_selected sel;
	bool exists = true;
	struct rview view = {0};
	struct pairs rows = {0};
	uint32_t uidvalidity;
	int rc;

	*gone_r = false;
	rc = journal_pairs(r->j, j->id, mem, &rows, e);
	if (rc != 0)
		return rc;
	/* nothing to lose; plan/same.c */
	*v_r = rows.n == 0 ? RENAME_SAME : RENAME_OTHER;
	if (rows.n == 0)
		return 0;
	r->selected_wire = SPAN_NONE;
	uidset_init(&view.vanished);
	rc = imap_select(r->imap, wire, true, 0, 0, mem, &sel, &view, e);
	uidvalidity = view.uidvalidity;
	uidset_release(&view.vanished);
	if (rc == 0 && uidvalidity == j->uidvalidity)
		rc = compare_remote(r, &rows, mem, v_r, e);
	else if (rc == 0)
		*v_r = RENAME_ANEW;
	if (rc == 0 || e->scope > ERR_SCOPE_BOX)
		return rc;
	*v_r = RENAME_OTHER;
	err_clear(e);
	if (imap_exists(r->imap, wire, &exists, e) < 0) {
		if (e->scope > ERR_SCOPE_BOX)
			return e->code;
		err_clear(e);
	}
	*gone_r = !exists;
	return 0;
}

/* The names of the files, which no mail program changes but for the flags. */
static enum rename_look
compare_local(const struct pairs *rows, const struct lview *l)
{
	size_t found = 0, least = rows->n < l->n ? rows->n : l->n;
	struct map by_base;
	uint64_t at;

	map_init(&by_base);
	for (size_t i = 0; i < rows->n; i++) {
		struct span file = rows->v[i].file;

		if (file.n > 4)
			map_add(&by_base,
			    name_split(span_of(file.p + 4, file.n - 4)).base,
			    i);
	}
	for (size_t i = 0; i < l->n; i++)
		found += map_get(&by_base, l->v[i].base, &at);
	map_release(&by_base);
	return found == 0	    ? RENAME_UNKNOWN
	       : found >= least / 2 ? RENAME_SAME
				    : RENAME_OTHER;
}

static bool
is_there(const struct lists *ls, struct span path)
{
	for (size_t i = 0; i < ls->ndir; i++)
		if (span_eq(ls->dir[i].path, path))
			return true;
	return false;
}

static int
look_here(struct run *r, struct lists *ls, const struct jbox *j,
    struct span path, struct arena *mem, enum rename_look *v_r, struct err *e)
{
	struct maildir_stamp stamp = MAILDIR_STAMP_NONE;
	struct kwletters letters = {{0}};
	struct pairs rows = {0};
	struct lview l = {0};
	int rc;

	/* Times and inodes of both directories: no copy has them all. */
	rc = maildir_stamp(r->m, path, &stamp, e);
	*v_r = rc == 0 && maildir_stamp_eq(&stamp, &j->stamp) ? RENAME_SAME
							      : RENAME_OTHER;
	if (*v_r == RENAME_SAME)
		return 0;
	if (rc == 0)
		rc = journal_pairs(r->j, j->id, mem, &rows, e);
	if (rc == 0 && rows.n == 0) {
		/* inodes alone, but nothing to lose */
		if (!is_there(ls, j->path))
			*v_r = RENAME_SAME;
		return 0;
	}
	if (rc == 0)
		rc = maildir_scan(
		    r->m, path, &letters, mem, &l, &stamp, NULL, e);
	if (rc == 0)
		*v_r = compare_local(&rows, &l);
	if (rc != 0 && e->scope <= ERR_SCOPE_BOX) {
		ls->outdated |= e->sys == ENOENT;
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/* What mailbox I of the journal is called on a side; .p NULL: not known. */
static struct span
name_now(struct run *r, const struct lists *ls, size_t i, bool remote)
{
	const struct tree_match *m = &ls->m[i];
	struct span name = SPAN_NONE;

	if (remote)
		return m->rhow == TREE_NOT ? name : ls->tr[m->r].name;
	if (m->lhow != TREE_NOT)
		(void)layout_name_of_path(
		    &r->mem, ls->tl[m->l].path, r->a->layout, &name);
	return name;
}

/*
 * Where all the messages are others, or gone, the mailbox may be another one,
 * or the same one whose messages were edited, or moved: that is what it is if
 * its parent was renamed, for a rename takes it there.
 */
static void
look_above(struct run *r, struct lists *ls, const bool *unknown, bool remote)
{
	struct span *now = arena_array(&r->mem, ls->njbox + 1, sizeof *now);
	size_t any = 0;

	for (size_t i = 0; i < ls->njbox; i++)
		any += unknown[i];
	for (size_t i = 0; i < ls->njbox && any; i++)
		now[i] = name_now(r, ls, i, remote);
	for (size_t i = 0; i < ls->njbox && any; i++) {
		enum tree_how *how =
		    remote ? &ls->m[i].rhow : &ls->m[i].lhow;
		struct span name;

		if (!unknown[i])
			continue;
		*how = TREE_BY_GUESS;
		name = name_now(r, ls, i, remote);
		if (name.p && tree_goes_along(ls->tj, ls->njbox, now, i, name))
			now[i] = name;
		else
			*how = TREE_NOT;
	}
}

/* The mailbox there, and the directory, have the same new name. */
static bool
names_agree(struct run *r, const struct lists *ls, const struct tree_match *m)
{
	return m->rhow != TREE_NOT && m->lhow == TREE_BY_GUESS &&
	       span_eq(ls->tl[m->l].path,
		   layout_path(&r->mem, ls->tr[m->r].name, r->a->layout));
}

/*
 * What is guessed of mailbox I.  *unknown_r, *unknown_l: nothing of it is in
 * what may be it there, or here.  Where both sides have the same new name (as
 * after a crash between a rename and its record), one of them has to be sure of
 * it: whoever emptied it since leaves nothing to be known by on the other.
 */
static int
verify(struct run *r, struct lists *ls, size_t i, bool *unknown_r,
    bool *unknown_l, struct err *e)
{
	const struct jbox *j = &ls->jbox[i];
	struct tree_match *m = &ls->m[i];
	bool agree = names_agree(r, ls, m), gone = false;
	enum rename_look there = RENAME_SAME, here = RENAME_SAME;
	int rc = cancel_check(r->o->cancel, e);
	struct arena mem;

	arena_init(&mem);
	if (rc == 0 && m->rhow == TREE_BY_GUESS)
		rc = rename_look_there(
		    r, j, ls->tr[m->r].wire, &mem, &there, &gone, e);
	ls->outdated |= gone;
	if (rc == 0 && m->lhow == TREE_BY_GUESS &&
	    !(agree && there == RENAME_SAME))
		rc = look_here(r, ls, j, ls->tl[m->l].path, &mem, &here, e);
	arena_release(&mem);
	if (rc != 0)
		return rc;
	if (agree && there == RENAME_UNKNOWN && here == RENAME_SAME)
		there = RENAME_SAME;
	if (there != RENAME_SAME)
		m->rhow = TREE_NOT;
	if (here != RENAME_SAME)
		m->lhow = TREE_NOT;
	*unknown_r = there == RENAME_UNKNOWN;
	*unknown_l = here == RENAME_UNKNOWN;
	return 0;
}

int
rename_verify(struct run *r, struct lists *ls, struct err *e)
{
	bool *unknown_r = arena_array(&r->mem, ls->njbox + 1, 1);
	bool *unknown_l = arena_array(&r->mem, ls->njbox + 1, 1);
	int rc = 0;

	for (size_t i = 0; i < ls->njbox && rc == 0; i++)
		if (ls->m[i].rhow == TREE_BY_GUESS ||
		    ls->m[i].lhow == TREE_BY_GUESS)
			rc = verify(
			    r, ls, i, &unknown_r[i], &unknown_l[i], e);
	if (rc == 0)
		look_above(r, ls, unknown_r, true);
	if (rc == 0)
		look_above(r, ls, unknown_l, false);
	return rc;
}

/*
 * A step is done: what the listing has by the name FROM, or below it, has
 * another name now.  Subscriptions are names, so they are moved as well.
 */
static int
follow(struct run *r, struct lists *ls, const struct tree_step *step,
    struct err *e)
{
	char delim = ls->remote.delim;
	int rc = 0;

	for (size_t i = 0; i < ls->remote.n && rc == 0; i++) {
		struct imap_box *x = &ls->remote.v[i];
		struct span was = x->wire;

		if (!span_starts(was, step->from) ||
		    (was.n > step->from.n &&
			(!delim || was.p[step->from.n] != delim)))
			continue;
		x->wire = span_str(arena_printf(&r->mem, "%.*s%.*s",
		    SPAN_ARG(step->to), (int)(was.n - step->from.n),
		    was.p + step->from.n));
		if (x->attrs & ATTR_SUBSCRIBED)
			rc = imap_subscribe(r->imap, x->wire, was, e);
	}
	return rc;
}

static int
rename_there(struct run *r, struct lists *ls, const struct tree_step *step,
    struct err *e)
{
	int rc = imap_unselect(r->imap, e);

	r->selected_wire = SPAN_NONE;
	if (rc == 0)
		rc = imap_subscribed(r->imap, &r->mem, &ls->remote, e);
	if (rc == 0)
		rc = imap_rename(r->imap, step->from, step->to, e);
	return rc == 0 ? follow(r, ls, step, e) : rc;
}

/* STEP was refused, as SAID tells: is what it was to rename elsewhere? */
static int
is_away(struct run *r, const struct tree_step *step, const struct err *said,
    bool *away_r, struct err *e)
{
	bool exists = said->code != ERR_STALE || said->sys != ENOENT;

	if (said->code == ERR_STALE && step->remote &&
	    imap_exists(r->imap, step->from, &exists, e) < 0) {
		if (e->scope > ERR_SCOPE_BOX)
			return e->code;
		err_clear(e);
		exists = true;
	}
	*away_r = !exists;
	return 0;
}

/* STEP was refused, as E says; the plan is made anew with that in mind. */
static void
take_verdict(struct run *r, const struct lists *ls,
    const struct tree_step *step, struct map *verdict, struct err *e)
{
	struct sbox b = {0};
	uint64_t at, was = 0;
	bool apart;

	map_get_u64(verdict, step->id, &was);
	if (map_get_u64(&ls->by_id, step->id, &at))
		b.j = ls->jbox[at];
	/* Whose it is not stands in another's way: that one's turn. */
	apart = e->code == ERR_STALE && was == 0;
	map_set_u64(verdict, step->id, apart ? RENAME_APART : RENAME_STAY);
	/* What stands where one is to be put aside, has to be seen to. */
	if (apart && !tree_is_aside(step->to))
		log_info(r->o->log, "%s: %s", r->a->name, e->text);
	else
		report_failed(r, &b, 0, SPAN_NONE, e->text);
	err_clear(e);
}

int
rename_steps(struct run *r, struct lists *ls, struct map *verdict,
    bool *again_r, struct err *e)
{
	*again_r = false;
	for (size_t i = 0; i < ls->plan.nstep; i++) {
		const struct tree_step *step = &ls->plan.step[i];
		struct err said;
		int rc = cancel_check(r->o->cancel, e);

		if (rc == 0)
			rc = step->remote
			    ? rename_there(r, ls, step, e)
			    : maildir_rename_box(
				  r->m, step->from, step->to, e);
		if (rc == 0)
			continue;
		if (e->scope > ERR_SCOPE_BOX)
			return rc;
		said = *e;
		err_clear(e);
		if (is_away(r, step, &said, &r->renaming, e) < 0)
			return e->code;
		if (r->renaming)
			log_info(r->o->log, "%s: %s", r->a->name, said.text);
		else
			take_verdict(r, ls, step, verdict, &said);
		*again_r = true;
		return 0;
	}
	return 0;
}

/*
 * Does the subscription of OP's mailbox, on the server under another name by
 * now, have the old one?  *x_r: what it is in the listing.
 */
static bool
may_have_left(const struct lists *ls, const struct tree_op *op,
    struct imap_box **x_r)
{
	uint64_t at, old;

	if (op->kind != TREE_RENAMED || !map_get_u64(&ls->by_id, op->id, &at) ||
	    span_eq(ls->jbox[at].wire, op->now_wire) ||
	    map_get(&ls->by_wire, ls->jbox[at].wire, &old) ||
	    !map_get(&ls->by_wire, op->now_wire, &old))
		return false;
	*x_r = &ls->remote.v[old];
	return !ls->remote.subscribed || !((*x_r)->attrs & ATTR_SUBSCRIBED);
}

/* Case 115 may be that of a run that ended between RENAME and SUBSCRIBE. */
static int
mend_subscriptions(struct run *r, struct lists *ls, struct err *e)
{
	struct imap_box *x;
	bool any = false;
	struct map names;
	uint64_t at;
	int rc = 0;

	map_init(&names);
	for (size_t i = 0; i < ls->plan.n; i++)
		any |= may_have_left(ls, &ls->plan.op[i], &x);
	if (any && r->a->direction != CONFIG_PULL)
		rc = imap_subscriptions(r->imap, &r->mem, &names, e);
	for (size_t i = 0; i < ls->plan.n && rc == 0 && names.n > 0; i++) {
		const struct tree_op *op = &ls->plan.op[i];
		struct span was;

		if (!may_have_left(ls, op, &x) ||
		    !map_get_u64(&ls->by_id, op->id, &at))
			continue;
		was = ls->jbox[at].wire;
		if (map_get(&names, was, &at))
			rc = imap_subscribe(r->imap, x->wire, was, e);
	}
	map_release(&names);
	if (rc == 0 || e->scope > ERR_SCOPE_BOX)
		return rc;
	err_clear(e); /* it has none */
	return 0;
}

static bool
has_moved(const struct jbox *j, const struct tree_op *op)
{
	return !span_eq(j->wire, op->wire) || !span_eq(j->path, op->path) ||
	    !span_eq(j->name, op->name);
}

int
rename_record(struct run *r, struct lists *ls, struct err *e)
{
	struct journal_batch *batch;
	bool refused = false;

	if (mend_subscriptions(r, ls, e) != 0)
		return e->code;
	batch = journal_begin(r->j, r->kw);
	for (size_t i = 0; i < ls->plan.n; i++) {
		const struct tree_op *op = &ls->plan.op[i];
		struct jbox *j;
		uint64_t at;

		refused |= op->id && op->kind == TREE_SKIP;
		if (op->id == 0 || op->kind == TREE_SKIP ||
		    op->kind == TREE_FORGET ||
		    !map_get_u64(&ls->by_id, op->id, &at))
			continue;
		j = &ls->jbox[at];
		if (!has_moved(j, op))
			continue;
		j->wire = op->wire;
		j->path = op->path;
		j->name = op->name;
		if (op->now_wire.n > 0)
			j->delim = op->delim;
		journal_put_box(batch, j);
	}
	if (!refused)
		left_names_done(r, batch);
	if (journal_batch_size(batch) == 0) {
		journal_batch_free(&batch);
		return 0;
	}
	return journal_commit(&batch, e);
}
