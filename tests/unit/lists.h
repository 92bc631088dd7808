/*
 * lists: the three lists of mailboxes (journal, server, disk) and what is made
 * of them, for tests of the plan.
 *
 *	init(&in);  add_j(), add_r(), add_l(), or renamed();  expect()
 */
#ifndef TESTS_UNIT_LISTS_H
#define TESTS_UNIT_LISTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plan/tree.h"

static struct arena mem;

struct input {
	struct tree_journal j[16];
	struct tree_remote r[16];
	struct tree_local l[16];
	size_t nj, nr, nl;
	struct tree_policy p;
};

static inline void
init(struct input *in)
{
	memset(in, 0, sizeof *in);
	in->p = (struct tree_policy){.delim = '/', .list_complete = true,
	    .write_r = true, .write_l = true};
}

/* What tree_match() finds, all guesses being right. */
static inline void
plan_of(const struct input *in, struct tree_plan *plan_r)
{
	struct tree_match m[16];

	tree_match(&mem, in->j, in->nj, in->r, in->nr, in->l, in->nl,
	    in->p.layout, m);
	tree_plan(&mem, in->j, in->nj, in->r, in->nr, in->l, in->nl, m,
	    &in->p, plan_r);
}

static inline void
add_j(struct input *in, const char *name, uint64_t rows)
{
	struct span s = span_str(name);

	in->j[in->nj] = (struct tree_journal){.id = in->nj + 1, .wire = s,
	    .name = s, .path = layout_path(&mem, s, in->p.layout),
	    .rows = rows};
	in->nj++;
}

static inline void
add_r(struct input *in, const char *name, bool selectable)
{
	struct span s = span_str(name);

	in->r[in->nr++] = (struct tree_remote){.wire = s, .name = s,
	    .delim = '/', .selectable = selectable};
}

static inline void
add_l(struct input *in, const char *path, bool damaged)
{
	in->l[in->nl++] = (struct tree_local){.path = span_str(path),
	    .is_box = true, .damaged = damaged};
}

/* "sync101 INBOX, deleteR106! a, " -- "!" is held, "*" displaced */
static inline void
expect(const struct input *in, const char *want)
{
	static const char *const kind[] = {"sync", "createL", "createR",
	    "deleteL", "deleteR", "forget", "skip", "renameR", "renameL",
	    "renamed", "stay", "leave"};
	struct tree_plan plan;
	struct buf out;

	plan_of(in, &plan);
	buf_init(&out, 8192);
	for (size_t i = 0; i < plan.n; i++) {
		const struct tree_op *op = &plan.op[i];

		buf_addf(&out, "%s%d%s%s%s %.*s, ", kind[op->kind],
		    (int)op->why, op->held ? "!" : "",
		    op->displaced ? "*" : "",
		    op->damaged && op->kind == TREE_SYNC ? "~" : "",
		    SPAN_ARG(op->name));
		if (op->kind == TREE_SKIP)
			assert_true(op->text && *op->text);
		assert_true(*tree_case_words(op->why) != '?');
	}
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

/* "x" of the journal is R there and L here; NULL: gone. */
static inline void
renamed(struct input *in, bool ids, const char *r, const char *l)
{
	init(in);
	/* others, so that no list is damaged */
	add_j(in, "k", 1);
	add_r(in, "k", true);
	add_l(in, "k", false);
	add_j(in, "x", 5);
	in->j[1].uidvalidity = 7;
	in->j[1].uidnext = 6;
	in->j[1].messages = 5;
	in->j[1].cur_ino = 20;
	in->j[1].new_ino = 21;
	if (ids)
		in->j[1].mailboxid = SPAN("M7");
	if (r) {
		add_r(in, r, true);
		in->r[1].uidvalidity = 7;
		in->r[1].uidnext = 6;
		in->r[1].messages = 5;
		if (ids)
			in->r[1].mailboxid = SPAN("M7");
	}
	if (l) {
		add_l(in, l, false);
		in->l[1].cur_ino = 20;
		in->l[1].new_ino = 21;
	}
}

static inline void
expect_steps(const struct input *in, const char *want)
{
	struct tree_plan plan;
	struct buf out;

	plan_of(in, &plan);
	buf_init(&out, 8192);
	for (size_t i = 0; i < plan.nstep; i++)
		buf_addf(&out, "%c %.*s>%.*s, ",
		    plan.step[i].remote ? 'R' : 'L',
		    SPAN_ARG(plan.step[i].from), SPAN_ARG(plan.step[i].to));
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

#endif
