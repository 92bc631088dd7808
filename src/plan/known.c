/*
 * What the mailboxes of the journal are now.  The rules are those of tree.c.
 */
#include "plan/known.h"

/* Do the patterns have this very name, without a wildcard? */
static bool
is_named(const struct tree_policy *p, struct span name)
{
	for (size_t i = p->npatterns; i-- > 0;) {
		struct span pat = p->patterns[i];
		bool excludes = pat.n > 0 && pat.p[0] == '!';

		if (layout_match(name, &pat, 1) == excludes)
			continue;
		return !excludes && span_index(pat, '*') == pat.n &&
		    span_index(pat, '%') == pat.n;
	}
	return false;
}

bool
known_selected(
    const struct known_tree *b, struct span name, const struct tree_remote *r)
{
	const struct tree_policy *p = b->policy;

	return layout_match(name, p->patterns, p->npatterns) &&
	    !(r && r->virtual && !is_named(p, name));
}

/* The wire name of INBOX is one in any case. */
static struct span
wire_key(struct span wire)
{
	return span_eq_case(wire, SPAN("INBOX")) ? SPAN("INBOX") : wire;
}

struct span
known_wire(const struct known_tree *b, size_t i)
{
	return b->rm[b->r_of[i] == KNOWN_NONE ? b->nj + i : b->r_of[i]].now;
}

struct span
known_path(const struct known_tree *b, size_t i)
{
	return b->lm[b->l_of[i] == KNOWN_NONE ? b->nj + i : b->l_of[i]].now;
}

/* By where they are: at first, and again once they are where they come to. */
static void
index_places(struct known_tree *b, bool after)
{
	map_release(&b->r_by_wire);
	map_release(&b->l_by_path);
	map_init(&b->r_by_wire);
	map_init(&b->l_by_path);
	for (size_t i = 0; i < b->nr; i++) {
		struct span wire = after ? known_wire(b, i) : b->r[i].wire;

		if (b->r[i].selectable)
			map_add(&b->r_by_wire, wire_key(wire), i);
	}
	for (size_t i = 0; i < b->nl; i++) {
		struct span path = after ? known_path(b, i) : b->l[i].path;

		if (b->l[i].is_box)
			map_add(&b->l_by_path, path, i);
	}
}

/* What the matching found, less what turned out not to work. */
static void
take_matches(struct known_tree *b)
{
	for (size_t i = 0; i < b->nr; i++) {
		b->r_of[i] = KNOWN_NONE;
		b->r_held[i] = false;
	}
	for (size_t i = 0; i < b->nl; i++)
		b->l_of[i] = KNOWN_NONE;
	for (size_t i = 0; i < b->nj; i++) {
		const struct tree_match *m = &b->m[i];
		struct known *k = &b->k[i];
		bool far_r = m->rhow != TREE_NOT &&
		    !span_eq(b->r[m->r].name, b->j[i].name);
		bool far_l = m->lhow == TREE_BY_GUESS;

		k->r = m->rhow == TREE_NOT ? KNOWN_NONE : m->r;
		k->l = m->lhow == TREE_NOT ? KNOWN_NONE : m->l;
		if (k->r != KNOWN_NONE && (k->drop_r || (m->apart && far_r))) {
			b->r_held[k->r] = true;
			k->r = KNOWN_NONE;
		}
		if (k->l != KNOWN_NONE && (k->drop_l || (m->apart && far_l)))
			k->l = KNOWN_NONE;
		if (k->r != KNOWN_NONE)
			b->r_of[k->r] = i;
		if (k->l != KNOWN_NONE)
			b->l_of[k->l] = i;
	}
}

/* Of the same name after all, though UIDVALIDITY or inodes are others. */
static void
take_names(struct known_tree *b)
{
	uint64_t at;

	for (size_t i = 0; i < b->nj; i++) {
		const struct tree_journal *j = &b->j[i];
		struct known *k = &b->k[i];

		if (k->r == KNOWN_NONE &&
		    map_get(&b->r_by_wire, wire_key(j->wire), &at) &&
		    b->r_of[at] == KNOWN_NONE && !b->r_held[at]) {
			k->r = (size_t)at;
			b->r_of[at] = i;
		}
		if (k->l == KNOWN_NONE &&
		    map_get(&b->l_by_path, j->path, &at) &&
		    b->l_of[at] == KNOWN_NONE) {
			k->l = (size_t)at;
			b->l_of[at] = i;
		}
	}
}

/*
 * Rule 5, where the deletion is an old one, which is not followed here: then
 * it goes by its new name, as long as nothing there has that.
 */
static bool
follows(const struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;
	const struct known *k = &b->k[i];
	struct span wire;
	uint64_t at;

	return b->j[i].gone && k->l_new && k->r == KNOWN_NONE &&
	    (p->keep || !p->write_l) && p->list_complete && k->lname_ok &&
	    !tree_is_aside(k->lname) &&
	    layout_wire(b->mem, k->lname, p->delim, p->prefix, &wire) &&
	    !map_get(&b->r_by_wire, wire_key(wire), &at);
}

/* Which side's person gave it another name? */
static void
see_names(struct known_tree *b, size_t i)
{
	const struct tree_journal *j = &b->j[i];
	struct known *k = &b->k[i];
	bool left = b->policy->names_left, aside;

	k->r_new = k->l_new = false;
	if (k->r != KNOWN_NONE) {
		const struct tree_remote *r = &b->r[k->r];

		aside = tree_is_aside(r->name);
		k->r_new = !span_eq(r->name, j->name) &&
		    (aside ? k->float_r : left || !span_eq(r->wire, j->wire));
	}
	if (k->l != KNOWN_NONE) {
		struct span path = b->l[k->l].path;

		k->lname_ok = layout_name_of_path(
		    b->mem, path, b->policy->layout, &k->lname);
		aside = k->lname_ok && tree_is_aside(k->lname);
		k->l_new = !(k->lname_ok && span_eq(k->lname, j->name)) &&
		    (aside ? k->float_l : (left && k->lname_ok) ||
				!span_eq(path, j->path));
	}
	k->follows = follows(b, i);
	/* rule 5 */
	if (k->r_new && k->l == KNOWN_NONE) {
		b->r_of[k->r] = KNOWN_NONE;
		k->r = KNOWN_NONE;
	} else if (k->l_new && k->r == KNOWN_NONE && !k->follows &&
	    b->policy->list_complete) {
		b->l_of[k->l] = KNOWN_NONE;
		k->l = KNOWN_NONE;
	}
}

/* Is there a mailbox whose numbers went back? */
static bool
is_back(const struct known_tree *b)
{
	for (size_t i = 0; i < b->nj; i++) {
		const struct tree_journal *j = &b->j[i];
		const struct tree_remote *r;

		if (b->m[i].rhow == TREE_NOT || j->uidvalidity == 0)
			continue;
		r = &b->r[b->m[i].r];
		if (r->uidvalidity != j->uidvalidity)
			continue;
		if ((r->uidnext > 0 && r->uidnext < j->uidnext) ||
		    (r->modseq > 0 && r->modseq < j->modseq))
			return true;
	}
	return false;
}

/* case 120, where it would be case 105: tree.c, rule 8 */
static void
see_back(struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;
	struct known *k = &b->k[i];

	k->back = b->r_back && k->r == KNOWN_NONE && k->l != KNOWN_NONE &&
	    !k->left && p->list_complete && p->write_l && !p->keep &&
	    !span_eq(b->j[i].name, SPAN("INBOX"));
	if (!k->back)
		return;
	b->l_of[k->l] = KNOWN_NONE;
	k->l = KNOWN_NONE;
}

/*
 * Case 121: the patterns have the name on one side, and not that on the other.
 * (What is aside has its name from us, and for a moment.)
 */
static void
see_crossing(struct known_tree *b, size_t i)
{
	struct known *k = &b->k[i];
	const struct tree_remote *r;

	k->crossed = false;
	if (k->r == KNOWN_NONE || k->l == KNOWN_NONE || !k->lname_ok)
		return;
	r = &b->r[k->r];
	k->crossed = !span_eq(r->name, k->lname) && !tree_is_aside(r->name) &&
	    !tree_is_aside(k->lname) &&
	    known_selected(b, r->name, r) != known_selected(b, k->lname, NULL);
	if (!k->crossed)
		return;
	b->r_of[k->r] = b->l_of[k->l] = KNOWN_NONE;
	k->r = k->l = KNOWN_NONE;
	k->left = false;
}

/* The name that somebody here gave it, for the server. */
static void
name_of_here(struct known_tree *b, struct known *k)
{
	const struct tree_policy *p = b->policy;

	k->name = k->lname_ok ? k->lname : b->l[k->l].path;
	k->why = TREE_CASE_L_RENAMED; /* case 113 */
	if (!k->lname_ok) { /* case 108 */
		k->bad = true;
		k->why = TREE_CASE_BAD_NAME;
	} else if (span_eq(k->lname, b->r[k->r].name)) {
		k->wire = b->r[k->r].wire;
	} else if (!layout_wire(b->mem, k->lname, p->delim, p->prefix,
		       &k->wire)) { /* case 109 */
		k->bad = true;
		k->wire = b->r[k->r].wire;
		k->why = TREE_CASE_NOT_FOR_SERVER;
	}
}

/*
 * From where it was put for a moment, to where the other side has it.  Aside
 * on both, and differently: the server's name wins, as in rule 6.
 */
static void
come_back(struct known_tree *b, struct known *k, const struct tree_journal *j)
{
	const struct tree_policy *p = b->policy;
	const struct tree_remote *r = &b->r[k->r];
	bool aside_r = tree_is_aside(r->name);
	bool aside_l = k->lname_ok && tree_is_aside(k->lname);

	if (aside_r && !aside_l && p->write_r) {
		if (!span_eq(r->wire, j->wire))
			k->wire = j->wire;
		else if (k->lname_ok)
			(void)layout_wire(b->mem, k->lname, p->delim,
			    p->prefix, &k->wire);
	} else if (aside_l && !aside_r && p->write_l) {
		k->path = !span_eq(b->l[k->l].path, j->path)
		    ? j->path
		    : layout_path(b->mem, r->name, p->layout);
	} else if (aside_l && aside_r && !span_eq(k->lname, r->name)) {
		if (p->write_l)
			k->path = layout_path(b->mem, r->name, p->layout);
		else if (p->write_r)
			(void)layout_wire(b->mem, k->lname, p->delim,
			    p->prefix, &k->wire);
	}
}

/* By what people did with it. */
static void
choose_name(struct known_tree *b, size_t i)
{
	const struct tree_policy *p = b->policy;
	const struct tree_journal *j = &b->j[i];
	struct known *k = &b->k[i];
	const struct tree_remote *r = k->r == KNOWN_NONE ? NULL : &b->r[k->r];
	const struct tree_local *l = k->l == KNOWN_NONE ? NULL : &b->l[k->l];
	bool one_way = false;

	k->name = k->follows ? k->lname : j->name;
	k->why = TREE_CASE_BOTH;
	k->bad = false;
	k->wire = r && l ? r->wire : SPAN_NONE;
	k->path = r && l ? l->path : SPAN_NONE;
	if (!r || !l)
		return;
	if (b->m[i].stay) { /* case 119 */
		k->bad = true;
		k->why = TREE_CASE_REFUSED;
		return;
	}
	if (k->l_new && !p->write_r) {
		one_way = true;
		k->l_new = false;
	}
	if (k->r_new && !p->write_l) {
		one_way = true;
		k->r_new = false;
	}
	if (k->r_new) { /* rule 6 */
		k->name = r->name;
		k->path = layout_path(b->mem, r->name, p->layout);
		k->why = TREE_CASE_R_RENAMED; /* case 114 */
		/* cases 115 and 116: here too, alike or differently */
		if (k->l_new || (one_way && !span_eq(l->path, k->path)))
			k->why = span_eq(l->path, k->path)
			    ? TREE_CASE_BOTH_RENAMED
			    : TREE_CASE_TWO_NAMES;
	} else if (k->l_new) {
		name_of_here(b, k);
		/* cases 115 and 116: there too, and it is not followed here */
		if (one_way && !k->bad)
			k->why = span_eq(k->wire, r->wire)
			    ? TREE_CASE_BOTH_RENAMED
			    : TREE_CASE_TWO_NAMES;
	} else {
		if (one_way)
			k->why = TREE_CASE_ONE_WAY; /* case 117 */
		come_back(b, k, j);
	}
}

/* Where it is to be on each side. */
static void
choose_place(struct known_tree *b, size_t i)
{
	struct known *k = &b->k[i];

	choose_name(b, i);
	if (k->float_r)
		k->wire = SPAN_NONE;
	if (k->float_l)
		k->path = SPAN_NONE;
}

static void
know(struct known_tree *b, bool first)
{
	take_matches(b);
	take_names(b);
	for (size_t i = 0; i < b->nj; i++) {
		struct known *k = &b->k[i];
		const struct tree_remote *r;

		r = k->r == KNOWN_NONE ? NULL : &b->r[k->r];
		k->left = !known_selected(b, b->j[i].name, r);
		if (first && !k->left) {
			b->had++;
			b->lost += !r;
		}
		see_names(b, i);
		see_crossing(b, i);
		see_back(b, i);
		choose_place(b, i);
		if (!k->bad && !k->crossed)
			k->left |= !known_selected(b, k->name, r);
		if (k->left)
			k->wire = k->path = SPAN_NONE;
	}
}

/*
 * What is new on the server may find its place taken by a directory whose
 * mailbox is gone, and which was taken along with its parent.
 */
static void
fresh_movers(struct known_tree *b, struct rename_mover *v)
{
	const struct tree_policy *p = b->policy;

	for (size_t i = 0; i < b->nr && p->write_l; i++) {
		const struct tree_remote *r = &b->r[i];
		struct span wire = b->rm[b->nj + i].now, name = r->name;

		if (b->r_of[i] != KNOWN_NONE || !r->selectable)
			continue;
		if (!span_eq(wire, r->wire)) /* taken along */
			name = layout_name(b->mem, wire, r->delim, p->prefix);
		if (!known_selected(b, name, r))
			continue;
		v[i].fresh = true;
		v[i].want = layout_path(b->mem, name, p->layout);
	}
}

/* Everybody on one side: the journal's, then those that it does not have. */
static size_t
movers(struct known_tree *b, bool remote)
{
	struct rename_mover *v = remote ? b->rm : b->lm;
	const size_t *of = remote ? b->r_of : b->l_of;
	size_t many = remote ? b->nr : b->nl, n = b->nj;

	memset(v, 0, (b->nj + many + 1) * sizeof *v);
	for (size_t i = 0; i < b->nj; i++) {
		const struct known *k = &b->k[i];
		size_t at = remote ? k->r : k->l;

		v[i].id = b->j[i].id;
		if (at == KNOWN_NONE) /* nowhere, and in nobody's way */
			continue;
		v[i].now = remote ? b->r[at].wire : b->l[at].path;
		v[i].want = remote ? k->wire : k->path;
		v[i].fixed = b->m[i].apart || b->m[i].stay;
		v[i].doomed = !remote && k->r == KNOWN_NONE && !k->left;
	}
	for (size_t i = 0; i < many; i++, n++)
		if (of[i] == KNOWN_NONE && (!remote || b->r[i].selectable))
			v[n].now = remote ? b->r[i].wire : b->l[i].path;
	if (remote)
		return n;
	memset(v + n, 0, b->nr * sizeof *v);
	fresh_movers(b, v + n);
	return n + b->nr;
}

static void
set_apart(struct known *k, bool remote)
{
	if (remote)
		k->drop_l = true;
	else
		k->drop_r = true;
}

/* Those above V[at] that are to be renamed on this side; false: none. */
static bool
part_parents(struct known_tree *b, bool remote, size_t at)
{
	const struct known *child = &b->k[at];
	struct span name = remote ? b->r[child->r].wire : b->l[child->l].path;
	char sep = remote ? b->policy->delim : '/';
	bool any = false;

	for (size_t i = 0; i < b->nj; i++) {
		struct known *k = &b->k[i];
		struct span top;

		if ((remote ? k->r : k->l) == KNOWN_NONE ||
		    !(remote ? k->l_new : k->r_new))
			continue;
		top = remote ? b->r[k->r].wire : b->l[k->l].path;
		if (name.n <= top.n || name.p[top.n] != sep ||
		    !span_starts(name, top))
			continue;
		set_apart(k, remote);
		any = true;
	}
	return any;
}

/*
 * One attempt at the steps of one side.  False: somebody cannot come to where
 * it has to, so it has to be seen otherwise (rule 7).
 */
static bool
order_side(struct known_tree *b, bool remote)
{
	const struct tree_policy *p = b->policy;
	struct rename_mover *v = remote ? b->rm : b->lm;
	size_t n = movers(b, remote), at;
	char sep = p->layout == LAYOUT_NESTED ? '/' : '\0';
	struct known *k;

	if (rename_order(b->mem, v, n, remote ? p->delim : sep,
		remote ? p->prefix : SPAN(""), remote, &b->steps, &at))
		return true;
	/* only those of the journal want anything */
	k = &b->k[at];
	if (remote ? k->l_new : k->r_new)
		set_apart(k, remote);
	else if (part_parents(b, remote, at))
		; /* it was taken along, and cannot go back */
	else if (remote)
		k->float_r = true;
	else
		k->float_l = true;
	return false;
}

void
known_settle(struct known_tree *b)
{
	struct arena *mem = b->mem;
	bool first = true;

	b->k = arena_array(mem, b->nj + 1, sizeof *b->k);
	b->r_of = arena_array(mem, b->nr + 1, sizeof *b->r_of);
	b->r_held = arena_array(mem, b->nr + 1, sizeof *b->r_held);
	b->l_of = arena_array(mem, b->nl + 1, sizeof *b->l_of);
	b->rm = arena_array(mem, b->nj + b->nr + 1, sizeof *b->rm);
	b->lm = arena_array(mem, b->nj + b->nl + b->nr + 1, sizeof *b->lm);
	b->r_back = is_back(b);
	index_places(b, false);
	/* Each time one more mailbox is seen otherwise, so this ends. */
	do {
		know(b, first);
		first = false;
		b->steps.n = 0;
	} while (!order_side(b, true) || !order_side(b, false));
	index_places(b, true);
}
