/*
 * People rename, swap, delete and make mailboxes on both sides at random; the
 * plan is carried out on a model that refuses what servers and directories
 * refuse, now and then only in part (a crash), and again.  In the end both
 * sides have the same mailboxes with the same messages, no message is lost
 * that nobody deleted, and there is nothing left to do.
 *
 *	MOCHILA_SEED=N tests/unit/test-plan-known
 *
 * runs again what printed N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "plan/tree.h"
#include "seed.h"

#define RUNS 3000
#define BOXES 40
#define NAME 160

static uint64_t first; /* seed of each of the tests */
static struct arena mem;

/* A mailbox on one side; TOK: one bit for each message. */
struct box {
	char name[NAME]; /* wire name, or path */
	uint32_t ident;  /* UIDVALIDITY, or inode */
	uint64_t tok;
};
struct side {
	struct box v[BOXES];
	size_t n;
	char sep; /* 0: nothing is taken along */
	bool remote;
};
struct row {
	uint64_t id;
	char wire[NAME], name[NAME], path[NAME];
	uint32_t r_ident, l_ident;
	uint64_t tok;
};
struct world {
	struct side r, l;
	struct row j[BOXES];
	size_t nj;
	uint64_t next_id, dead;
	uint32_t next_ident, next_tok;
	enum layout layout;
	uint32_t depth; /* of names */
	bool ids;  /* the server tells MAILBOXIDs */
	bool same; /* ... and one UIDVALIDITY for all */
};

static bool
below(const struct side *s, const char *name, const char *top)
{
	size_t n = strlen(top);

	return s->sep && strncmp(name, top, n) == 0 && name[n] == s->sep;
}

static struct box *
find(struct side *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].name, name) == 0)
			return &s->v[i];
	return NULL;
}

/* Can FROM become NAME?  A directory that holds others is there itself. */
static bool
is_free(struct side *s, const char *from, const char *name)
{
	bool holds = !s->remote;

	for (size_t i = 0; i < s->n; i++)
		holds |= below(s, s->v[i].name, from);
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].name, name) == 0 ||
		    (holds && below(s, s->v[i].name, name)))
			return false;
	return true;
}

static void
set(char *to, const char *from)
{
	assert_true(strlen(from) < NAME);
	memmove(to, from, strlen(from) + 1);
}

static void
put(struct side *s, const char *name, uint32_t ident, uint64_t tok)
{
	struct box *b = &s->v[s->n];

	assert_true(s->n < BOXES && !find(s, name));
	s->n++;
	set(b->name, name);
	b->ident = ident;
	b->tok = tok;
}

static void
drop(struct side *s, struct box *b)
{
	*b = s->v[--s->n];
}

/* What rename(2) and RENAME do, and what they refuse. */
static bool
move(struct side *s, const char *from, const char *to)
{
	char tail[NAME], old[NAME];

	set(old, from);
	if (!find(s, old) || !is_free(s, old, to) || below(s, to, old))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		char *name = s->v[i].name;

		if (strcmp(name, old) == 0) {
			set(name, to);
		} else if (below(s, name, old)) {
			set(tail, name + strlen(old));
			set(name, to);
			set(name + strlen(to), tail);
		}
	}
	return true;
}

static const char *
random_name(const struct world *w)
{
	static const char *const part[] = {"a", "b", "c", "d", "e", "f"};
	const char *name = part[rnd(w->depth == 1 ? 6 : 3)];

	for (uint32_t depth = rnd(w->depth); depth > 0; depth--)
		name = arena_printf(&mem, "%s/%s", name, part[rnd(3)]);
	return name;
}

/* NAME for a side. */
static const char *
place(const struct world *w, bool remote, const char *name)
{
	return remote ? name
		      : layout_path(&mem, span_str(name), w->layout).p;
}

static bool
is_inbox(const char *name)
{
	return strcmp(name, "INBOX") == 0 || *name == '\0';
}

/* Sometimes that of a mailbox that is no more; MAILBOXIDs never. */
static uint32_t
new_ident(struct world *w, struct side *s)
{
	uint32_t old = 1 + rnd(w->next_ident);

	if (rnd(4) || (s == &w->r && w->ids))
		return w->next_ident++;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].ident == old)
			return w->next_ident++;
	return old;
}

static void
swap(struct world *w, bool remote)
{
	struct side *s = remote ? &w->r : &w->l;
	struct box *b = &s->v[rnd((uint32_t)s->n)];
	struct box *c = &s->v[rnd((uint32_t)s->n)];
	const char *x = arena_str(&mem, b->name);
	const char *y = arena_str(&mem, c->name);
	const char *z = place(w, remote, "z");

	if (b == c || is_inbox(x) || is_inbox(y) || below(s, x, y) ||
	    below(s, y, x))
		return;
	assert_true(move(s, x, z));
	assert_true(move(s, y, x));
	assert_true(move(s, z, y));
}

static void
change(struct world *w, bool remote)
{
	struct side *s = remote ? &w->r : &w->l;
	struct box *b = &s->v[rnd((uint32_t)s->n)];
	const char *name = place(w, remote, random_name(w));

	switch (rnd(6)) {
	case 0:
		if (!is_inbox(b->name)) {
			w->dead |= b->tok;
			drop(s, b);
		}
		break;
	case 1:
		if (!find(s, name) && w->next_tok < 60)
			put(s, name, new_ident(w, s),
			    UINT64_C(1) << w->next_tok++);
		break;
	case 2:
		swap(w, remote);
		break;
	default:
		if (!is_inbox(b->name))
			(void)move(s, b->name, name);
	}
}

/* Identities are told, and may repeat, but the oracle knows better. */
struct view {
	struct tree_journal j[BOXES];
	struct tree_remote r[BOXES];
	struct tree_local l[BOXES];
	struct tree_match m[BOXES];
};

/* The model's names change under the plan's hands. */
static struct span
kept(const char *z)
{
	return arena_span(&mem, span_str(z));
}

static void
see(struct world *w, struct view *v)
{
	for (size_t i = 0; i < w->nj; i++) {
		const struct row *j = &w->j[i];

		v->j[i] = (struct tree_journal){.id = j->id,
		    .wire = kept(j->wire), .name = kept(j->name),
		    .path = kept(j->path), .rows = j->tok != 0,
		    .uidvalidity = w->same ? 7 : j->r_ident, .uidnext = 1,
		    .messages = 9,
		    .mailboxid = w->ids
			? span_str(arena_printf(&mem, "M%u", j->r_ident))
			: SPAN_NONE,
		    .cur_ino = j->l_ident, .new_ino = j->l_ident};
	}
	for (size_t i = 0; i < w->r.n; i++) {
		const struct box *b = &w->r.v[i];

		v->r[i] = (struct tree_remote){.wire = kept(b->name),
		    .name = kept(b->name), .delim = '/',
		    .selectable = true,
		    .uidvalidity = w->same ? 7 : b->ident, .uidnext = 1,
		    .messages = 9,
		    .mailboxid = w->ids
			? span_str(arena_printf(&mem, "M%u", b->ident))
			: SPAN_NONE};
	}
	for (size_t i = 0; i < w->l.n; i++)
		v->l[i] = (struct tree_local){.is_box = true,
		    .path = kept(w->l.v[i].name),
		    .cur_ino = w->l.v[i].ident, .new_ino = w->l.v[i].ident};
	tree_match(&mem, v->j, w->nj, v->r, w->r.n, v->l, w->l.n, w->layout,
	    v->m);
	/* looking at messages */
	for (size_t i = 0; i < w->nj; i++) {
		struct tree_match *m = &v->m[i];

		if (m->rhow == TREE_BY_GUESS &&
		    !(w->r.v[m->r].tok & w->j[i].tok))
			m->rhow = TREE_NOT;
		if (m->lhow == TREE_BY_GUESS &&
		    !(w->l.v[m->l].tok & w->j[i].tok))
			m->lhow = TREE_NOT;
	}
}

static struct row *
row_of(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->nj; i++)
		if (w->j[i].id == id)
			return &w->j[i];
	return NULL;
}

static const char *
str(struct span s)
{
	return arena_span(&mem, s).p;
}

static void
forget(struct world *w, uint64_t id)
{
	struct row *j = row_of(w, id);

	*j = w->j[--w->nj];
}

static void
record(struct world *w, const struct tree_op *op)
{
	struct row *j = row_of(w, op->id);

	set(j->wire, str(op->wire));
	set(j->name, str(op->name));
	set(j->path, str(op->path));
}

/* The messages of a mailbox that both have: three ways. */
static void
merge(struct world *w, const struct tree_op *op)
{
	struct box *r = find(&w->r, str(op->wire));
	struct box *l = find(&w->l, str(op->path));
	struct row *j = op->id ? row_of(w, op->id) : NULL;
	uint64_t base, both;

	assert_non_null(r);
	assert_non_null(l);
	if (!j) {
		j = &w->j[w->nj++];
		assert_true(w->nj <= BOXES);
		*j = (struct row){.id = w->next_id++};
		j->r_ident = r->ident;
		set(j->wire, str(op->wire));
		set(j->name, str(op->name));
		set(j->path, str(op->path));
	}
	/* other UIDs: nothing is taken for deleted */
	base = !w->same && j->r_ident != r->ident ? 0 : j->tok;
	both = (l->tok & r->tok & base) | (l->tok & ~base) | (r->tok & ~base);
	l->tok = r->tok = j->tok = both;
	j->r_ident = r->ident;
	j->l_ident = l->ident;
}

/* Gone on the other side of S: what is new in it brings the mailbox back. */
static void
delete_box(struct world *w, const struct tree_op *op)
{
	bool here = op->kind == TREE_DELETE_L;
	struct side *s = here ? &w->l : &w->r;
	struct side *other = here ? &w->r : &w->l;
	struct box *b = find(s, str(here ? op->path : op->wire));
	struct tree_op again = *op;
	const char *to = str(here ? op->wire : op->path);

	assert_non_null(b);
	b->tok &= ~row_of(w, op->id)->tok;
	forget(w, op->id);
	if (b->tok && !find(other, to)) {
		put(other, to, w->next_ident++, 0);
		again.id = 0;
		merge(w, &again);
	} else if (!b->tok) {
		drop(s, b);
	}
}

static void
apply(struct world *w, const struct tree_op *op)
{
	switch (op->kind) {
	case TREE_CREATE_L:
		put(&w->l, str(op->path), w->next_ident++, 0);
		merge(w, op);
		break;
	case TREE_CREATE_R:
		put(&w->r, str(op->wire), w->next_ident++, 0);
		merge(w, op);
		break;
	case TREE_SYNC:
	case TREE_RENAME_L:
	case TREE_RENAME_R:
	case TREE_RENAMED:
		merge(w, op);
		break;
	case TREE_DELETE_L:
	case TREE_DELETE_R:
		assert_false(op->held);
		delete_box(w, op);
		break;
	case TREE_FORGET:
		forget(w, op->id);
		break;
	case TREE_SKIP:
	case TREE_STAY:
	case TREE_LEAVE:
		break;
	}
}

/* APART, STAY: ids, a bit each. */
static void
plan_world(struct world *w, uint64_t apart, uint64_t stay,
    struct tree_plan *plan_r)
{
	struct tree_policy policy = {.layout = w->layout, .delim = '/',
	    .allow_deletes = true, .list_complete = true, .write_l = true,
	    .write_r = true};
	struct view v;

	see(w, &v);
	for (size_t i = 0; i < w->nj; i++) {
		v.m[i].apart = (apart >> v.j[i].id & 1) != 0;
		v.m[i].stay = (stay >> v.j[i].id & 1) != 0;
	}
	tree_plan(&mem, v.j, w->nj, v.r, w->r.n, v.l, w->l.n, v.m, &policy,
	    plan_r);
}

/* CRASH: after so many effects.  True when there was nothing to do. */
static bool
one_run(struct world *w, uint32_t crash, bool *renames_only)
{
	struct tree_plan plan;
	bool idle = true;

	plan_world(w, 0, 0, &plan);
	for (size_t i = 0; i < plan.nstep; i++, crash--) {
		const struct tree_step *st = &plan.step[i];
		struct side *s = st->remote ? &w->r : &w->l;

		if (crash == 0)
			return false;
		idle = false;
		assert_true(move(s, str(st->from), str(st->to)));
	}
	if (crash == 0)
		return false;
	for (size_t i = 0; i < plan.n; i++)
		if (plan.op[i].id && plan.op[i].kind != TREE_FORGET &&
		    plan.op[i].kind != TREE_SKIP)
			record(w, &plan.op[i]);
	for (size_t i = 0; i < plan.n; i++, crash--) {
		if (crash == 0)
			return false;
		if (plan.op[i].kind != TREE_SYNC)
			idle = false;
		if (plan.op[i].kind < TREE_RENAME_R &&
		    plan.op[i].kind != TREE_SYNC)
			*renames_only = false;
		apply(w, &plan.op[i]);
	}
	return idle;
}

static int
by_name(const void *a, const void *b)
{
	const struct box *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
check_equal(struct world *w, bool one_side)
{
	uint64_t all = (UINT64_C(1) << w->next_tok) - 1, have = 0;
	struct side l = w->l;

	for (size_t i = 0; i < l.n; i++) {
		struct span name;

		assert_true(layout_name_of_path(&mem, span_str(l.v[i].name),
		    w->layout, &name));
		/* what was put aside before a crash goes back */
		if (one_side)
			assert_false(tree_is_aside(name));
		set(l.v[i].name, str(name));
	}
	qsort(l.v, l.n, sizeof l.v[0], by_name);
	qsort(w->r.v, w->r.n, sizeof w->r.v[0], by_name);
	assert_int_equal(l.n, w->r.n);
	assert_int_equal(w->nj, l.n);
	for (size_t i = 0; i < l.n; i++) {
		assert_string_equal(l.v[i].name, w->r.v[i].name);
		assert_true(l.v[i].tok == w->r.v[i].tok);
		have |= l.v[i].tok;
	}
	assert_true((all & ~have & ~w->dead) == 0);
}

static void
start(struct world *w, uint32_t depth)
{
	memset(w, 0, sizeof *w);
	w->depth = depth;
	w->layout = rnd(2) ? LAYOUT_NESTED : LAYOUT_MAILDIRPP;
	w->ids = rnd(2);
	w->same = rnd(3) == 0;
	w->r.sep = '/';
	w->r.remote = true;
	w->l.sep = w->layout == LAYOUT_NESTED ? '/' : '\0';
	w->next_id = w->next_ident = 1;
	put(&w->r, "INBOX", w->next_ident++, 0);
	for (uint32_t n = 1 + rnd(7); n > 0; n--) {
		const char *name = random_name(w);

		if (!find(&w->r, name))
			put(&w->r, name, w->next_ident++,
			    UINT64_C(1) << w->next_tok++);
	}
}

static void
settle(struct world *w, bool crashes, bool *renames_only)
{
	for (int i = 0; i < 4 && crashes; i++)
		(void)one_run(w, rnd(6), renames_only);
	for (int i = 0; i < 6; i++)
		if (one_run(w, UINT32_MAX, renames_only))
			return;
	fail_msg("it never ends");
}

/* Each test begins with it, so that one can be run again alone. */
static int
begin(void **state)
{
	(void)state;
	rnd_state = first;
	return 0;
}

static void
test_any_changes_on_both_sides_converge(void **state)
{
	struct world *w = xalloc(sizeof *w);
	bool ignored = true;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		start(w, 3);
		settle(w, false, &ignored);
		check_equal(w, false);
		for (int round = 0; round < 3; round++) {
			for (uint32_t n = rnd(5); n > 0; n--)
				change(w, rnd(2));
			settle(w, rnd(2), &ignored);
			check_equal(w, false);
		}
		arena_clear(&mem);
	}
	xfree(w);
}

/*
 * Renames alone, on one side, are renames and nothing else.  A crash is no
 * matter unless a mailbox was taken along that is to go elsewhere.
 */
static void
rename_on_one_side(struct world *w, bool crash)
{
	bool remote = rnd(2), renames_only = true, ignored = true;
	struct side *s = remote ? &w->r : &w->l;

	w->ids = true;
	settle(w, false, &ignored);
	for (uint32_t n = rnd(6); n > 0; n--) {
		struct box *b = &s->v[rnd((uint32_t)s->n)];

		if (!is_inbox(b->name))
			(void)move(s, b->name,
			    place(w, remote, random_name(w)));
	}
	if (rnd(2))
		swap(w, remote);
	settle(w, crash, &renames_only);
	check_equal(w, true);
	assert_true(renames_only);
	arena_clear(&mem);
}

static void
test_renames_on_one_side_are_only_renames(void **state)
{
	struct world *w = xalloc(sizeof *w);

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		start(w, 3);
		rename_on_one_side(w, false);
		start(w, 1);
		rename_on_one_side(w, true);
	}
	xfree(w);
}

/* Whose rename is refused gets a verdict, and after its last no other. */
static void
refuse_some(struct world *w)
{
	uint64_t apart = 0, stay = 0;
	uint32_t which = rnd(UINT32_MAX), among = 2 + rnd(4);
	bool again = true;

	for (size_t rounds = 0; again; rounds++) {
		struct tree_plan plan;

		if (rounds > 4 * w->nj + 4) {
			/* what is told apart by its name alone may go round */
			assert_false(w->ids);
			return;
		}

		again = false;
		plan_world(w, apart, stay, &plan);
		for (size_t i = 0; i < plan.nstep && !again; i++) {
			const struct tree_step *st = &plan.step[i];
			uint64_t bit = UINT64_C(1) << st->id;
			uint32_t name = which;

			assert_true(st->id > 0 && st->id < 64);
			for (size_t k = 0; k < st->from.n; k++)
				name = name * 31 + (unsigned char)st->from.p[k];
			if (name / 7 % among == 0) {
				/* unless it was taken along since */
				assert_true(i > 0 || (stay & bit) == 0);
				*((apart & bit) || name / 64 % 2 ? &stay
								 : &apart) |=
				    bit;
				again = true;
			} else {
				assert_true(
				    move(st->remote ? &w->r : &w->l,
					str(st->from), str(st->to)));
			}
		}
	}
}

static void
test_refused_renames_come_to_an_end(void **state)
{
	struct world *w = xalloc(sizeof *w);
	bool ignored = true;

	(void)state;
	for (int run = 0; run < RUNS / 3; run++) {
		start(w, 3);
		settle(w, false, &ignored);
		for (uint32_t n = 1 + rnd(5); n > 0; n--)
			change(w, rnd(2));
		refuse_some(w);
		arena_clear(&mem);
	}
	xfree(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_any_changes_on_both_sides_converge,
		begin),
	    cmocka_unit_test_setup(test_renames_on_one_side_are_only_renames,
		begin),
	    cmocka_unit_test_setup(test_refused_renames_come_to_an_end, begin),
	};
	int rc;

	first = seed_of_this_run();
	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
