/*
 * boxes: some mailboxes of one account, as a pass saw them, for tests of the
 * plan.  A test says what is where, then what the plan has to be:
 *
 *	row(), file(), there(), alive();  plan();  only() or find()
 *
 * A message is known by a number for its content.
 */
#ifndef TESTS_UNIT_BOXES_H
#define TESTS_UNIT_BOXES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "mail/name.h"
#include "plan/plan.h"

#define BOXES 3

struct box {
	struct pairs base;
	struct lview l;
	struct rview r;
};

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static struct arena mem;
static struct box box[BOXES];
static struct plan pl;
static struct plan_policy policy;
static struct plan_live live[8];
static size_t nlive;

static inline int
setup(void **state)
{
	(void)state;
	arena_init(&mem);
	memset(box, 0, sizeof box);
	for (int i = 0; i < BOXES; i++) {
		box[i].base.complete = true;
		box[i].l.complete = box[i].r.complete = true;
		uidset_init(&box[i].r.vanished);
	}
	policy = (struct plan_policy){
	    .max_deletes = 100, .account_messages = 1000};
	nlive = 0;
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < BOXES; i++)
		uidset_release(&box[i].r.vanished);
	arena_release(&mem);
	return 0;
}

static inline struct span
text(const char *z)
{
	return arena_span(&mem, span_str(z));
}

static inline struct pair
a_row(uint32_t uid, const char *file, uint8_t content, uint32_t flags)
{
	struct pair p = {.uid = uid, .file = text(file),
	    .l = {.sys = flags}, .r = {.sys = flags}, .modseq = 5,
	    .size = 1000u + content, .idate = 77, .ino = 100u + content,
	    .fsize = 900u + content, .mtime_ns = 5};

	p.sha[0] = content;
	return p;
}

static inline void
row(int b, uint32_t uid, const char *file, uint8_t content, uint32_t flags)
{
	pairs_add(&mem, &box[b].base, a_row(uid, file, content, flags));
}

static inline void
file(int b, const char *name, uint8_t content, uint32_t flags)
{
	struct lmsg m = {.file = text(name), .flags = {.sys = flags},
	    .has_stat = true, .has_content = true, .ino = 500u + content,
	    .fsize = 900u + content, .mtime_ns = 5000000000,
	    .content = {.size = 1000u + content, .raw = 1000u + content}};

	m.base = plan_base(m.file);
	m.content.sha[0] = content;
	lview_add(&mem, &box[b].l, m);
}

static inline void
there(int b, uint32_t uid, uint8_t content, uint32_t flags)
{
	rview_add(&mem, &box[b].r,
	    (struct rmsg){.uid = uid, .flags = {.sys = flags}, .modseq = 9,
		.size = 1000u + content, .idate = 77, .has_meta = true});
}

static inline void
alive(int b, uint32_t uid, const char *name, uint8_t content, bool local,
    bool remote)
{
	live[nlive++] = (struct plan_live){.box = (uint32_t)b,
	    .row = a_row(uid, name, content, 0), .local = local,
	    .remote = remote};
}

static inline void
merge(void)
{
	plan_init(&pl, &mem);
	for (uint32_t i = 0; i < BOXES; i++)
		plan_merge(&pl, i, &box[i].base, box[i].base.n, &box[i].l,
		    &box[i].r, &policy);
}

/* The new UID's content was found out to be CONTENT. */
static inline void
tell(int b, uint32_t uid, uint8_t content)
{
	for (size_t i = 0; i < pl.n; i++) {
		struct op *op = &pl.op[i];

		if (op_is_new_there(op) && op->box == (uint32_t)b &&
		    op->uid == uid) {
			op->known = true;
			memset(op->row.sha, 0, sizeof op->row.sha);
			op->row.sha[0] = content;
			return;
		}
	}
	fail_msg("no pull of %d uid %u", b, uid);
}

static inline void
finish(void)
{
	plan_moves(&pl, live, nlive);
	plan_brake(&pl, &policy);
	plan_order(&pl);
}

static inline void
plan(void)
{
	merge();
	finish();
}

static inline const struct op *
only(enum op_kind kind, enum plan_case why)
{
	assert_int_equal(pl.n, 1);
	assert_int_equal(pl.op[0].kind, kind);
	assert_int_equal(pl.op[0].why, why);
	return &pl.op[0];
}

static inline const struct op *
find(enum op_kind kind)
{
	const struct op *found = NULL;

	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].kind == kind) {
			assert_null(found);
			found = &pl.op[i];
		}
	assert_non_null(found);
	return found;
}

static inline void
assert_comes(const struct op *op, uint32_t to, uint32_t from, uint32_t uid)
{
	assert_int_equal(op->box, to);
	assert_int_equal(op->from, from);
	assert_int_equal(op->from_uid, uid);
}

#endif
