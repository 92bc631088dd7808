/*
 * Mailboxes: the journal's, the server's, and the directories on disk.
 *
 * Rules:
 *  1. What the journal has and one side lacks was deleted there; what the
 *     journal does not have and one side lacks is new on the other.
 *  2. A deletion needs a complete listing of the side that lacks it, and
 *     passes the brake.
 *  3. One directory holds one mailbox; whoever comes second is reported.
 *  4. INBOX is never deleted.
 */
#include "plan/tree.h"

#include "base/map.h"

#include <stdlib.h>

#define LIST_LOST_MIN 2

struct build {
	struct arena *mem;
	const struct tree_policy *policy;
	const struct tree_journal *j;
	const struct tree_remote *r;
	const struct tree_local *l;
	size_t nj, nr, nl;
	struct map r_by_wire, l_by_path, j_by_path;
	bool *r_used, *l_used;
	struct tree_op *op;
	size_t n;
};

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
		return "another mailbox has the same name here; rename one of "
		       "them on the server";
	case TREE_CASE_INBOX_GONE:
		return "INBOX is missing on one side; it is never deleted";
	case TREE_CASE_DAMAGED:
		return "the directory lacks cur/ or new/";
	}
	return "?";
}

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static bool
selected(const struct build *b, struct span name)
{
	return layout_match(name, b->policy->patterns, b->policy->npatterns);
}

static struct tree_op *
add(struct build *b, enum tree_kind kind, enum tree_case why)
{
	struct tree_op *op = &b->op[b->n++];

	*op = (struct tree_op){.kind = kind, .why = why,
	    .delim = b->policy->delim};
	if (kind == TREE_SKIP)
		op->text = tree_case_words(why);
	return op;
}

static void
from_journal(struct build *b, const struct tree_journal *j)
{
	const struct tree_remote *r = NULL;
	const struct tree_local *l = NULL;
	struct tree_op *op;
	uint64_t at;

	/* What is used up must not be taken for new, whatever is selected. */
	if (map_get(&b->r_by_wire, j->wire, &at)) {
		b->r_used[at] = true;
		if (b->r[at].selectable)
			r = &b->r[at];
	}
	if (map_get(&b->l_by_path, j->path, &at)) {
		b->l_used[at] = true;
		if (b->l[at].is_box)
			l = &b->l[at];
	}
	if (!selected(b, j->name))
		return;
	if (r && l)
		op = add(b, TREE_SYNC,
		    l->damaged ? TREE_CASE_DAMAGED : TREE_CASE_BOTH);
	else if (is_inbox(j->name))
		op = add(b, r ? TREE_SYNC : TREE_SKIP, TREE_CASE_INBOX_GONE);
	else if (r)
		op = add(b, TREE_DELETE_R, TREE_CASE_L_GONE);
	else if (l)
		op = add(b, TREE_DELETE_L, TREE_CASE_R_GONE);
	else
		op = add(b, TREE_FORGET, TREE_CASE_BOTH_GONE);
	op->id = j->id;
	op->wire = j->wire;
	op->name = j->name;
	op->path = j->path;
	op->rows = j->rows;
	op->damaged = !l || l->damaged;
	if (r)
		op->delim = r->delim;
}

static void
from_remote(struct build *b, size_t i)
{
	const struct tree_remote *r = &b->r[i];
	struct span path;
	struct tree_op *op;
	uint64_t at;

	if (b->r_used[i] || !r->selectable || !selected(b, r->name))
		return;
	path = layout_path(b->mem, r->name, b->policy->layout);
	if (!map_add(&b->j_by_path, path, 1)) {
		op = add(b, TREE_SKIP, TREE_CASE_COLLISION);
	} else if (map_get(&b->l_by_path, path, &at) && b->l[at].is_box) {
		b->l_used[at] = true;
		op = add(b, TREE_SYNC, TREE_CASE_PAIRED);
		op->damaged = b->l[at].damaged;
	} else {
		op = add(b, TREE_CREATE_L, TREE_CASE_R_ONLY);
	}
	op->wire = r->wire;
	op->name = r->name;
	op->path = path;
	op->delim = r->delim;
}

static void
from_local(struct build *b, size_t i)
{
	const struct tree_local *l = &b->l[i];
	const struct tree_policy *p = b->policy;
	struct span name, wire;
	struct tree_op *op;
	uint64_t at;

	if (b->l_used[i] || !l->is_box)
		return;
	if (!layout_name_of_path(b->mem, l->path, p->layout, &name)) {
		op = add(b, TREE_SKIP, TREE_CASE_BAD_NAME);
		op->name = op->path = l->path;
		return;
	}
	if (!selected(b, name))
		return;
	if (!layout_wire(b->mem, name, p->delim, p->prefix, &wire)) {
		op = add(b, TREE_SKIP, TREE_CASE_NOT_FOR_SERVER);
		wire = SPAN("");
	} else if (map_get(&b->r_by_wire, wire, &at) &&
	    b->r[at].selectable) {
		/* there under another directory's name */
		op = add(b, TREE_SKIP, TREE_CASE_COLLISION);
	} else {
		op = add(b, TREE_CREATE_R, TREE_CASE_L_ONLY);
	}
	op->wire = wire;
	op->name = name;
	op->path = l->path;
	op->damaged = l->damaged;
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
	return dx ? -c : c;
}

/* The wire name of INBOX is one in any case. */
static struct span
wire_key(struct span wire)
{
	return span_eq_case(wire, SPAN("INBOX")) ? SPAN("INBOX") : wire;
}

static void
judge(struct build *b, struct tree_plan *plan)
{
	const struct tree_policy *p = b->policy;
	size_t had = 0, lost = 0, boxes = 0;

	for (size_t i = 0; i < b->nl; i++)
		boxes += b->l[i].is_box;
	for (size_t i = 0; i < b->n; i++) {
		const struct tree_op *op = &b->op[i];
		bool no_r = op->kind == TREE_DELETE_L ||
		    op->kind == TREE_FORGET ||
		    (op->kind == TREE_SKIP &&
			op->why == TREE_CASE_INBOX_GONE);

		had += op->id != 0;
		lost += op->id != 0 && no_r;
	}
	plan->root_damaged = boxes == 0 && b->nj > 0;
	plan->list_damaged = (lost > LIST_LOST_MIN && lost > had / 2) ||
	    (b->nr == 0 && lost > 0);
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
		    (op->kind == TREE_DELETE_R && plan->root_damaged) ||
		    op->rows > p->max_deletes)
			op->held = true;
	}
}

void
tree_plan(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, const struct tree_policy *policy, struct tree_plan *plan_r)
{
	struct build b = {.mem = mem, .policy = policy, .j = j, .r = r, .l = l,
	    .nj = nj, .nr = nr, .nl = nl};
	struct tree_plan plan = {.n = 0};

	b.op = arena_array(mem, nj + nr + nl + 1, sizeof *b.op);
	b.r_used = arena_array(mem, nr + 1, sizeof *b.r_used);
	b.l_used = arena_array(mem, nl + 1, sizeof *b.l_used);
	map_init(&b.r_by_wire);
	map_init(&b.l_by_path);
	map_init(&b.j_by_path);
	for (size_t i = 0; i < nr; i++)
		map_add(&b.r_by_wire, wire_key(r[i].wire), i);
	for (size_t i = 0; i < nl; i++)
		map_add(&b.l_by_path, l[i].path, i);
	for (size_t i = 0; i < nj; i++) {
		map_add(&b.j_by_path, j[i].path, 1);
		from_journal(&b, &j[i]);
	}
	for (size_t i = 0; i < nr; i++)
		from_remote(&b, i);
	for (size_t i = 0; i < nl; i++)
		from_local(&b, i);
	judge(&b, &plan);
	qsort(b.op, b.n, sizeof *b.op, by_order);
	map_release(&b.r_by_wire);
	map_release(&b.l_by_path);
	map_release(&b.j_by_path);
	plan.op = b.op;
	plan.n = b.n;
	*plan_r = plan;
}
