/*
 * Mailboxes: the journal's, the server's, and the directories on disk.
 *
 * Rules:
 *  1. What the journal has and one side lacks was deleted there; what the
 *     journal does not have and one side lacks is new on the other.
 *  2. A deletion needs a complete listing of the side that lacks it, and
 *     passes the brake.
 *  3. One directory holds one mailbox; whoever comes second is reported.
 *  4. INBOX is never deleted, and never renamed.
 *  5. A rename beats a deletion on the other side, as a move does: then the
 *     journal forgets the mailbox, which is new under its new name.  What was
 *     gone there before, and is kept here, only goes by its new name.
 *  6. Renamed on both sides, differently: the server's name wins, but for
 *     "direction: push".
 *  7. A rename that cannot be done as such is a deletion and a new mailbox;
 *     messages are matched by their content then.
 *  8. A server where the numbers of a mailbox went back was put back from a
 *     backup, which knows nothing of a mailbox that is younger: what it lacks
 *     is forgotten, so that it is new here, and made there again.
 *  9. A rename that leads into, or out of, what the patterns exclude is not
 *     followed, nor taken for a deletion: the journal forgets the mailbox, and
 *     each side goes by its own name.  What is not excluded is new then.
 * 10. What may not be deleted stays, and is looked at: for what is new in it,
 *     it is made again on the other side, unless that is not written to.
 */
#include "plan/tree.h"

#include "mail/utf7.h"
#include "plan/known.h"

#include <stdlib.h>

#define LIST_LOST_MIN 2

const char *
tree_case_words(enum tree_case why)
{
	switch (why) {
	case TREE_CASE_BOTH:
		return "on both sides";
	case TREE_CASE_R_ONLY:
		return "new on the server";
	case TREE_CASE_L_ONLY:
		return "new here";
	case TREE_CASE_PAIRED:
		return "new on both sides";
	case TREE_CASE_R_GONE:
		return "mailbox deleted on the server";
	case TREE_CASE_L_GONE:
		return "mailbox deleted here";
	case TREE_CASE_BOTH_GONE:
		return "mailbox deleted on both sides";
	case TREE_CASE_BAD_NAME:
		return "this directory is no possible mailbox name; rename it";
	case TREE_CASE_NOT_FOR_SERVER:
		return "a mailbox of this name cannot be on this server; "
		       "rename the directory";
	case TREE_CASE_COLLISION:
		return "another mailbox has the same name; rename one of them, "
		       "here or on the server";
	case TREE_CASE_INBOX_GONE:
		return "INBOX is missing on one side; it is never deleted";
	case TREE_CASE_DAMAGED:
		return "the directory lacks cur/ or new/";
	case TREE_CASE_L_RENAMED:
		return "mailbox renamed here";
	case TREE_CASE_R_RENAMED:
		return "mailbox renamed on the server";
	case TREE_CASE_BOTH_RENAMED:
		return "mailbox renamed on both sides";
	case TREE_CASE_TWO_NAMES:
		return "mailbox renamed on both sides, differently";
	case TREE_CASE_ONE_WAY:
		return "mailbox renamed; the other side is not written to";
	case TREE_CASE_POLICY:
		return "mailbox gone on one side; stays on the other";
	case TREE_CASE_REFUSED:
		return "mailbox renamed; the other side refuses the new name";
	case TREE_CASE_R_BACK:
		return "the server is as it was before this mailbox was made";
	case TREE_CASE_CROSSED:
		return "renamed on one side, to or from a name that "
		       "'mailboxes' leaves out, which is not followed: each "
		       "side goes by its own name";
	}
	return "?";
}

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static struct span
lower(struct arena *mem, struct span s)
{
	char *p = arena_printf(mem, "%.*s", SPAN_ARG(s));

	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	return span_of(p, s.n);
}

static struct tree_op *
add(struct known_tree *b, enum tree_kind kind, enum tree_case why)
{
	struct tree_op *op = &b->op[b->n++];

	*op = (struct tree_op){.kind = kind, .why = why,
	    .delim = b->policy->delim};
	if (kind == TREE_SKIP)
		op->text = tree_case_words(why);
	return op;
}

static struct tree_op *
add_known(
    struct known_tree *b, size_t i, enum tree_kind kind, enum tree_case why)
{
	const struct tree_journal *j = &b->j[i];
	const struct known *k = &b->k[i];
	struct tree_op *op = add(b, kind, why);

	op->id = j->id;
	op->rows = j->rows;
	op->held_l = j->held_l;
	op->held_r = j->held_r;
	op->old_name = j->name;
	op->name = k->name;
	op->wire = j->wire;
	op->path = j->path;
	op->damaged = k->l == KNOWN_NONE || b->l[k->l].damaged;
	if (k->r != KNOWN_NONE) {
		op->now_wire = b->r[k->r].wire;
		op->wire = b->rm[i].now;
		op->delim = b->r[k->r].delim;
	}
	if (k->l != KNOWN_NONE) {
		op->now_path = b->l[k->l].path;
		op->path = b->lm[i].now;
	}
	return op;
}

/*
 * Case 109 is of a directory: told by its path where its name is another, or
 * "" ("%", rule 4 of mail/layout.h).
 */
static void
say_directory(struct known_tree *b, struct tree_op *op)
{
	if (op->why != TREE_CASE_NOT_FOR_SERVER ||
	    span_eq(op->name, op->now_path))
		return;
	op->text = arena_printf(b->mem, "%s '%.*s'", tree_case_words(op->why),
	    SPAN_ARG(op->now_path));
	if (op->name.n == 0)
		op->name = op->now_path;
}

/* On both sides: cases 101, 112 to 117 and 119. */
static void
from_pair(struct known_tree *b, size_t i)
{
	const struct known *k = &b->k[i];
	bool to_r = !span_eq(b->rm[i].now, b->r[k->r].wire);
	bool to_l = !span_eq(b->lm[i].now, b->l[k->l].path);

	if (k->bad)
		say_directory(b, add_known(b, i, TREE_SKIP, k->why));
	else if (k->l_new && !k->r_new && to_r)
		add_known(b, i, TREE_RENAME_R, k->why);
	else if (k->r_new && to_l)
		add_known(b, i, TREE_RENAME_L, k->why);
	else if (k->r_new || k->l_new) /* case 115 */
		add_known(b, i, TREE_RENAMED, TREE_CASE_BOTH_RENAMED);
	else if (b->l[k->l].damaged) /* case 112 */
		add_known(b, i, TREE_SYNC, TREE_CASE_DAMAGED);
	else
		add_known(b, i, TREE_SYNC, k->why);
}

/* PATH was cut (layout.h, rule 5): only what is behind it can be read. */
static struct span
name_of_cut(struct arena *mem, struct span name, struct span path)
{
	const struct span end = SPAN(TREE_ASIDE);

	while (path.n > end.n &&
	    span_eq(span_of(path.p + path.n - end.n, end.n), end)) {
		name = span_str(
		    arena_printf(mem, "%.*s" TREE_ASIDE, SPAN_ARG(name)));
		path.n -= end.n;
	}
	return name;
}

/*
 * What was put aside, or taken along, or renamed while it is kept, goes by the
 * name of where it is, on the side where it is not as well: its old name may be
 * somebody else's by now.  So does what an earlier run put aside that ended
 * before it said so.
 */
static void
name_by_place(struct known_tree *b, size_t i, struct tree_op *op)
{
	const struct tree_policy *p = b->policy;
	const struct known *k = &b->k[i];
	bool alone_l = k->l != KNOWN_NONE && k->r == KNOWN_NONE;
	bool alone_r = k->r != KNOWN_NONE && k->l == KNOWN_NONE;

	if ((k->l != KNOWN_NONE &&
		(k->follows || !span_eq(op->path, op->now_path))) ||
	    (alone_l && k->lname_ok && tree_is_aside(k->lname))) {
		if (!layout_name_of_path(
			b->mem, op->path, p->layout, &op->name))
			op->name = name_of_cut(
			    b->mem, b->j[i].name, op->path);
		if (k->r == KNOWN_NONE)
			(void)layout_wire(b->mem, op->name, p->delim,
			    p->prefix, &op->wire);
	} else if ((k->r != KNOWN_NONE && !span_eq(op->wire, op->now_wire)) ||
	    (alone_r && tree_is_aside(b->r[k->r].name))) {
		op->name = layout_name(b->mem, op->wire, op->delim, p->prefix);
		if (k->l == KNOWN_NONE)
			op->path = layout_path(b->mem, op->name, p->layout);
	}
}

/* cases 105, 106 and 118 (rule 10): gone on one side */
static struct tree_op *
from_one(struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;

	if (b->k[i].r != KNOWN_NONE)
		return p->write_r
		    ? add_known(b, i, TREE_DELETE_R, TREE_CASE_L_GONE)
		    : add_known(b, i, TREE_STAY, TREE_CASE_POLICY);
	if (p->write_l && !p->keep)
		return add_known(b, i, TREE_DELETE_L, TREE_CASE_R_GONE);
	/* an empty or broken-off listing proves nothing */
	return add_known(b, i,
	    p->list_complete && b->nr > 0 ? TREE_STAY : TREE_LEAVE,
	    TREE_CASE_POLICY);
}

/* Gone on one side, and somebody else has its name there. */
static bool
is_displaced(
    const struct known_tree *b, const struct known *k, const struct tree_op *op)
{
	uint64_t at;

	if (k->r == KNOWN_NONE && k->l != KNOWN_NONE)
		return map_get(&b->r_by_wire, op->wire, &at);
	return k->l == KNOWN_NONE && k->r != KNOWN_NONE &&
	       map_get(&b->l_by_path, op->path, &at);
}

/*
 * The record of what is left out follows where it was taken along to: in this
 * run, or in one that ended before it said so.  A name that a person gave it on
 * one side only is for the day when it is not left out any more.
 */
static bool
was_taken_along(
    const struct known_tree *b, const struct known *k, const struct tree_op *op)
{
	if ((op->now_path.n > 0 && !span_eq(op->path, op->now_path)) ||
	    (op->now_wire.n > 0 && !span_eq(op->wire, op->now_wire)))
		return true;
	return k->r != KNOWN_NONE && k->l != KNOWN_NONE && k->lname_ok &&
	       span_eq(b->r[k->r].name, k->lname);
}

/* cases 101, 105 to 107, 111 to 121 */
static void
from_journal(struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;
	const struct known *k = &b->k[i];
	bool r = k->r != KNOWN_NONE, l = k->l != KNOWN_NONE;
	struct tree_op *op;

	if (k->left) {
		op = add_known(b, i, TREE_LEAVE, TREE_CASE_BOTH);
		map_add(&b->taken, op->path, 1);
		if ((span_eq(op->path, b->j[i].path) &&
			span_eq(op->wire, b->j[i].wire)) ||
		    !was_taken_along(b, k, op)) {
			b->n--; /* nothing follows for it */
			return;
		}
	} else if (r && l) {
		from_pair(b, i);
		return;
	} else if (is_inbox(b->j[i].name)) { /* case 111 */
		op = add_known(b, i,
		    !r ? TREE_SKIP : p->write_l ? TREE_SYNC : TREE_LEAVE,
		    TREE_CASE_INBOX_GONE);
	} else if (r || l) {
		op = from_one(b, i);
	} else { /* cases 107, 120 and 121 */
		op = add_known(b, i, TREE_FORGET,
		    k->crossed    ? TREE_CASE_CROSSED
			: k->back ? TREE_CASE_R_BACK
				  : TREE_CASE_BOTH_GONE);
	}
	name_by_place(b, i, op);
	op->displaced = is_displaced(b, k, op);
}

/*
 * A directory whose name is that of a mailbox as IMAP writes it, in modified
 * UTF-7: mbsync and Dovecot leave it so.  Taken as it stands, it would be
 * another mailbox, and all of its mail would be there twice.
 */
static bool
is_there_as_imap_writes(const struct known_tree *b, struct span name)
{
	struct buf wire;
	uint64_t at;
	bool is;

	buf_init(&wire, 5 * name.n + 1);
	is = utf7_encode(name, &wire) && !span_eq(buf_span(&wire), name) &&
	    map_get(&b->l_by_path, layout_path(b->mem, buf_span(&wire),
		b->policy->layout), &at) && b->l_of[at] == KNOWN_NONE;
	buf_release(&wire);
	return is;
}

/* The same, from NAME of the directory; *NAME_R: that of mailbox *AT_R. */
static bool
is_as_imap_writes(const struct known_tree *b, struct span name,
    struct span *name_r, uint64_t *at_r)
{
	struct buf other;
	struct span wire;
	bool is;

	buf_init(&other, 3 * name.n + 1);
	is = utf7_decode(name, &other) && !span_eq(buf_span(&other), name);
	*name_r = arena_span(b->mem, buf_span(&other));
	buf_release(&other);
	return is && layout_wire(b->mem, *name_r, b->policy->delim,
	    b->policy->prefix, &wire) && map_get(&b->r_by_wire, wire, at_r);
}

/* cases 102, 104 and 110 */
static void
from_remote(struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;
	const struct tree_remote *r = &b->r[i];
	struct span wire = b->rm[b->nj + i].now, name = r->name, path;
	struct tree_op *op;
	uint64_t at;

	if (b->r_of[i] != KNOWN_NONE || !r->selectable)
		return;
	if (!span_eq(wire, r->wire)) /* taken along */
		name = layout_name(b->mem, wire, r->delim, p->prefix);
	if (!known_selected(b, name, r))
		return;
	path = layout_path(b->mem, name, p->layout);
	if (!map_add(&b->taken, path, 1)) { /* case 110 */
		op = add(b, TREE_SKIP, TREE_CASE_COLLISION);
	} else if (map_get(&b->l_by_path, path, &at) &&
	    b->l_of[at] == KNOWN_NONE) {
		/* case 104 */
		b->l_of[at] = b->nj;
		op = add(b, TREE_SYNC, TREE_CASE_PAIRED);
		op->damaged = b->l[at].damaged;
		op->now_path = b->l[at].path;
	} else if (is_there_as_imap_writes(b, name)) {
		return; /* from_local() tells */
	} else if (p->write_l) { /* case 102 */
		op = add(b, TREE_CREATE_L, TREE_CASE_R_ONLY);
		op->twin = map_get(&b->l_by_case, lower(b->mem, path), &at);
	} else {
		return;
	}
	op->wire = wire;
	op->now_wire = r->wire;
	op->name = name;
	op->path = path;
	op->delim = r->delim;
}

/* cases 103 and 108 to 110 */
static void
from_local(struct known_tree *b, size_t i)
{
	const struct tree_local *l = &b->l[i];
	const struct tree_policy *p = b->policy;
	struct span name, wire, meant, path = b->lm[b->nj + i].now;
	struct tree_op *op;
	uint64_t at;

	if (b->l_of[i] != KNOWN_NONE || !l->is_box)
		return;
	/* case 108 */
	if (!layout_name_of_path(b->mem, path, p->layout, &name)) {
		op = add(b, TREE_SKIP, TREE_CASE_BAD_NAME);
		op->name = op->path = path;
		op->now_path = l->path;
		if (span_eq_case(path, SPAN("INBOX"))) /* mbsync's is "Inbox" */
			op->text = "this directory is no possible mailbox "
				   "name; the inbox is INBOX, in capitals";
		return;
	}
	if (is_as_imap_writes(b, name, &meant, &at)) {
		if (!known_selected(b, meant, &b->r[at]))
			return;
		op = add(b, TREE_SKIP, TREE_CASE_BAD_NAME);
		op->name = name;
		op->path = path;
		op->text = arena_printf(b->mem, "this is '%.*s' as IMAP writes "
		    "it; rename the directory to '%.*s'", SPAN_ARG(meant),
		    SPAN_ARG(layout_path(b->mem, meant, p->layout)));
		return;
	}
	if (!known_selected(b, name, NULL))
		return;
	/* case 109 */
	if (!layout_wire(b->mem, name, p->delim, p->prefix, &wire)) {
		op = add(b, TREE_SKIP, TREE_CASE_NOT_FOR_SERVER);
		wire = SPAN("");
	} else if (map_get(&b->r_by_wire, wire, &at)) {
		/* case 110: there by another directory's name, or not wanted */
		if (!known_selected(b, b->r[at].name, &b->r[at]))
			return;
		op = add(b, TREE_SKIP, TREE_CASE_COLLISION);
	} else if (p->write_r) { /* case 103 */
		op = add(b, TREE_CREATE_R, TREE_CASE_L_ONLY);
		op->twin = map_get(&b->r_by_case, lower(b->mem, wire), &at);
	} else {
		return;
	}
	op->wire = wire;
	op->name = name;
	op->path = path;
	op->now_path = l->path;
	op->damaged = l->damaged;
	say_directory(b, op);
}

static bool
is_delete(const struct tree_op *op)
{
	return op->kind == TREE_DELETE_L || op->kind == TREE_DELETE_R;
}

/* Parents first; deletes behind all others, children first. */
static int
by_order(const void *a, const void *b)
{
	const struct tree_op *x = a, *y = b;
	bool dx = is_delete(x), dy = is_delete(y);
	int c = span_cmp(x->name, y->name);

	if (dx != dy)
		return dx ? 1 : -1;
	if (c == 0)
		c = span_cmp(x->wire, y->wire);
	if (c == 0)
		c = span_cmp(x->path, y->path);
	if (c == 0) /* case 120: and then it is new */
		c = (y->kind == TREE_FORGET) - (x->kind == TREE_FORGET);
	return dx ? -c : c;
}

/*
 * Each directory that was known is another one now, or not there.  (Two that
 * swapped their names are found by their inodes.)
 */
static bool
is_replaced(const struct known_tree *b)
{
	size_t others = 0;

	for (size_t i = 0; i < b->nj && b->policy->inodes_stay; i++) {
		const struct tree_journal *j = &b->j[i];
		uint64_t at;

		if (j->cur_ino == 0)
			continue;
		if (b->m[i].lhow == TREE_BY_GUESS)
			return false;
		if (!map_get(&b->l_by_path, j->path, &at) ||
		    b->l[at].cur_ino == 0)
			continue;
		if (b->l[at].cur_ino == j->cur_ino &&
		    b->l[at].new_ino == j->new_ino)
			return false;
		others++;
	}
	return others > 0;
}

static void
judge(struct known_tree *b, struct tree_plan *plan)
{
	const struct tree_policy *p = b->policy;
	size_t boxes = 0;

	for (size_t i = 0; i < b->nl; i++)
		boxes += b->l[i].is_box;
	plan->root_damaged = boxes == 0 && b->nj > 0;
	plan->replaced = is_replaced(b);
	plan->list_damaged =
	    (b->lost > LIST_LOST_MIN && b->lost > b->had / 2) ||
	    (b->nr == 0 && b->lost > 0);
	for (size_t i = 0; i < b->n; i++) {
		struct tree_op *op = &b->op[i];

		if (!is_delete(op))
			continue;
		/* An empty or broken-off listing never deletes. */
		if (op->kind == TREE_DELETE_L &&
		    (!p->list_complete || b->nr == 0))
			op->held = true;
		if (p->allow_deletes)
			continue;
		if ((op->kind == TREE_DELETE_L && plan->list_damaged) ||
		    (op->kind == TREE_DELETE_R &&
			(plan->root_damaged || plan->replaced)))
			op->held = true;
		/* where there are messages, their brake knows it, too */
		if (op->rows == 0 && (op->kind == TREE_DELETE_L ? op->held_l
								: op->held_r))
			op->held = true;
	}
}

static void
make_ops(struct known_tree *b)
{
	for (size_t i = 0; i < b->nr; i++)
		map_add(&b->r_by_case, lower(b->mem, known_wire(b, i)), i);
	for (size_t i = 0; i < b->nl; i++)
		map_add(&b->l_by_case, lower(b->mem, known_path(b, i)), i);
	for (size_t i = 0; i < b->nj; i++) {
		size_t n = b->n;

		from_journal(b, i);
		if (n < b->n && b->op[n].kind != TREE_FORGET)
			map_add(&b->taken, b->op[n].path, 1);
	}
	for (size_t i = 0; i < b->nr; i++)
		from_remote(b, i);
	for (size_t i = 0; i < b->nl; i++)
		from_local(b, i);
}

void
tree_plan(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, const struct tree_match *m, const struct tree_policy *policy,
    struct tree_plan *plan_r)
{
	struct known_tree b = {.mem = mem, .policy = policy, .j = j, .r = r,
	    .l = l, .m = m, .nj = nj, .nr = nr, .nl = nl};
	struct tree_plan plan = {.n = 0};

	b.op = arena_array(mem, nj + nr + nl + 1, sizeof *b.op);
	map_init(&b.r_by_wire);
	map_init(&b.l_by_path);
	map_init(&b.r_by_case);
	map_init(&b.l_by_case);
	map_init(&b.taken);
	known_settle(&b);
	make_ops(&b);
	judge(&b, &plan);
	qsort(b.op, b.n, sizeof *b.op, by_order);
	map_release(&b.r_by_wire);
	map_release(&b.l_by_path);
	map_release(&b.r_by_case);
	map_release(&b.l_by_case);
	map_release(&b.taken);
	plan.op = b.op;
	plan.n = b.n;
	plan.step = b.steps.v;
	plan.nstep = b.steps.n;
	*plan_r = plan;
}
