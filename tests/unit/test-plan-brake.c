#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/internal.h"

static struct arena mem;

/* N deletes of KIND in a mailbox of ROWS messages. */
static void
add_box(struct plan *pl, uint32_t box, enum op_kind kind, uint32_t n,
    uint64_t rows)
{
	struct pairs base = {.complete = true};
	struct lview l = {.same = true};
	struct rview r = {.same = true};
	const struct plan_policy policy = {.max_deletes = 100};

	uidset_init(&r.vanished);
	for (uint32_t i = 0; i < n; i++)
		pairs_add(&mem, &base, (struct pair){.uid = i + 1,
				   .file = span_str(arena_printf(&mem,
				       "cur/%u:2,", i))});
	if (kind == OP_LDELETE && n) {
		r.same = false;
		uidset_add_range(&r.vanished, 1, n);
	} else if (kind == OP_RDELETE) {
		l = (struct lview){.complete = true};
	}
	plan_merge(pl, box, &base, rows, &l, &r, &policy);
	uidset_release(&r.vanished);
}

static enum brake
brake_of(uint32_t n, uint64_t rows, uint64_t account,
    const struct plan_policy *like)
{
	struct plan_policy policy = *like;
	struct plan pl;
	enum brake why;

	policy.account_messages = account;
	plan_init(&pl, &mem);
	add_box(&pl, 0, OP_LDELETE, n, rows);
	plan_brake(&pl, &policy);
	why = pl.box[0].brake;
	for (size_t i = 0; i < pl.n; i++)
		assert_int_equal(pl.op[i].held, why != BRAKE_OFF);
	assert_int_equal(pl.box[0].held, why == BRAKE_OFF ? 0 : n);
	arena_clear(&mem);
	return why;
}

static void
test_limits_of_a_mailbox(void **state)
{
	const struct plan_policy p = {.max_deletes = 100};

	(void)state;
	assert_int_equal(brake_of(100, 100, 100000, &p), BRAKE_OFF);
	assert_int_equal(brake_of(101, 403, 100000, &p), BRAKE_BOX);
	assert_int_equal(brake_of(101, 404, 100000, &p), BRAKE_OFF);
	assert_int_equal(brake_of(0, 404, 100000, &p), BRAKE_OFF);
}

static void
test_limits_of_the_account(void **state)
{
	const struct plan_policy p = {.max_deletes = 1000000};

	(void)state;
	assert_int_equal(brake_of(20, 20, 20, &p), BRAKE_OFF);
	assert_int_equal(brake_of(21, 21, 41, &p), BRAKE_ACCOUNT);
	assert_int_equal(brake_of(21, 21, 42, &p), BRAKE_OFF);
}

static void
test_what_looks_damaged_deletes_nothing(void **state)
{
	struct plan_policy p = {.max_deletes = 100, .root_damaged = true};

	(void)state;
	assert_int_equal(brake_of(1, 1000, 1000, &p), BRAKE_DAMAGED);
	p.root_damaged = false;
	p.list_damaged = true;
	assert_int_equal(brake_of(1, 1000, 1000, &p), BRAKE_LIST);
	p.allow_deletes = true;
	assert_int_equal(brake_of(1000, 1000, 1000, &p), BRAKE_OFF);
}

/* Put back from a backup: what came since is not there, and was not deleted. */
static void
test_another_directory_deletes_nothing_there(void **state)
{
	static const enum op_kind kind[] = {OP_RDELETE, OP_LDELETE};

	(void)state;
	for (int allow = 0; allow < 2; allow++)
		for (int k = 0; k < 2; k++) {
			const struct plan_policy p = {.max_deletes = 100,
			    .account_messages = 1000, .allow_deletes = allow};
			bool held = !allow && kind[k] == OP_RDELETE;
			struct plan pl;

			plan_init(&pl, &mem);
			add_box(&pl, 0, kind[k], 1, 1000);
			assert_false(pl.box[0].replaced);
			pl.box[0].replaced = true;
			plan_brake(&pl, &p);
			assert_int_equal(pl.box[0].brake,
			    held ? BRAKE_REPLACED : BRAKE_OFF);
			assert_int_equal(pl.op[0].held, held);
			assert_int_equal(pl.box[0].keep_stamp, held);
			arena_clear(&mem);
		}
}

static void
test_mailboxes_are_judged_one_by_one(void **state)
{
	const struct plan_policy p = {.max_deletes = 100,
	    .account_messages = 100000};
	struct plan pl;

	(void)state;
	plan_init(&pl, &mem);
	add_box(&pl, 5, OP_LDELETE, 200, 200);
	add_box(&pl, 6, OP_RDELETE, 3, 3);
	add_box(&pl, 7, OP_RDELETE, 101, 200);
	plan_brake(&pl, &p);
	assert_int_equal(pl.box[0].brake, BRAKE_BOX);
	assert_int_equal(pl.box[1].brake, BRAKE_OFF);
	assert_int_equal(pl.box[2].brake, BRAKE_BOX);
	/* what was seen there must be seen again, and what was seen here */
	assert_true(pl.box[0].keep_cursor && !pl.box[0].keep_stamp);
	assert_true(!pl.box[1].keep_cursor && !pl.box[1].keep_stamp);
	assert_true(!pl.box[2].keep_cursor && pl.box[2].keep_stamp);
	arena_clear(&mem);
}

/* Of that side, however little it is, and until somebody allows it. */
static void
test_what_was_held_stays_held(void **state)
{
	static const enum op_kind kind[] = {OP_LDELETE, OP_RDELETE};

	(void)state;
	for (int allow = 0; allow < 2; allow++)
		for (int k = 0; k < 2; k++)
			for (int was = 0; was < 4; was++) {
				const struct plan_policy p = {
				    .max_deletes = 100,
				    .account_messages = 1000,
				    .allow_deletes = allow};
				bool held = !allow && (was >> k & 1);
				struct plan pl;

				plan_init(&pl, &mem);
				add_box(&pl, 0, kind[k], 1, 1000);
				pl.box[0].was_held_l = was & 1;
				pl.box[0].was_held_r = was & 2;
				plan_brake(&pl, &p);
				assert_int_equal(pl.box[0].brake,
				    held ? BRAKE_STILL : BRAKE_OFF);
				assert_int_equal(pl.op[0].held, held);
				assert_int_equal(pl.box[0].held, held);
				assert_int_equal(pl.box[0].keep_cursor,
				    held && k == 0);
				assert_int_equal(pl.box[0].keep_stamp,
				    held && k == 1);
				arena_clear(&mem);
			}
}

/* Both sides deleted in one mailbox: what was held here says nothing there. */
static void
test_what_was_held_on_one_side_holds_that_side(void **state)
{
	const struct plan_policy p = {
	    .max_deletes = 100, .account_messages = 1000};
	struct plan pl;

	(void)state;
	plan_init(&pl, &mem);
	add_box(&pl, 0, OP_RECORD, 0, 1000);
	for (uint32_t i = 0; i < 4; i++) {
		struct pair row = {.uid = i + 1};

		plan_add(&pl, i < 2 ? OP_LDELETE : OP_RDELETE, CASE_SAME, 0,
		    &row);
	}
	pl.box[0].ldeletes = pl.box[0].rdeletes = 2;
	pl.box[0].was_held_r = true;
	plan_brake(&pl, &p);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pl.op[i].held, i >= 2);
	assert_int_equal(pl.box[0].held, 2);
	assert_true(!pl.box[0].keep_cursor && pl.box[0].keep_stamp);
	arena_clear(&mem);
}

/* expunge: yes, and \Deleted on both sides of N of 20 messages. */
static enum brake
brake_of_expunged(uint32_t n)
{
	const struct plan_policy policy = {
	    .max_deletes = 100, .expunge = true, .account_messages = 20};
	const struct flags deleted = {.sys = FLAG_DELETED};
	struct pairs base = {.complete = true};
	struct lview l = {.complete = true};
	struct rview r = {.complete = true};
	enum brake why;
	struct plan pl;

	uidset_init(&r.vanished);
	for (uint32_t i = 0; i < 20; i++) {
		struct flags f = i < n ? deleted : FLAGS_NONE;
		struct span file = span_str(
		    arena_printf(&mem, "cur/%u:2,%s", i, i < n ? "T" : ""));

		pairs_add(&mem, &base, (struct pair){.uid = i + 1,
				   .file = file, .l = f, .r = f});
		lview_add(&mem, &l, (struct lmsg){.file = file,
				   .base = plan_base(file), .flags = f});
		rview_add(&mem, &r, (struct rmsg){.uid = i + 1, .flags = f});
	}
	plan_init(&pl, &mem);
	plan_merge(&pl, 0, &base, 20, &l, &r, &policy);
	plan_brake(&pl, &policy);
	assert_int_equal(pl.box[0].ldeletes, n);
	assert_int_equal(pl.box[0].rdeletes, n);
	why = pl.box[0].brake;
	arena_clear(&mem);
	return why;
}

static void
test_a_message_that_goes_on_both_sides_counts_once(void **state)
{
	(void)state;
	assert_int_equal(brake_of_expunged(11), BRAKE_OFF);
	assert_int_equal(brake_of_expunged(20), BRAKE_OFF);
}

static void
test_deletes_come_after_all_else_of_all_mailboxes(void **state)
{
	static const enum op_kind kinds[] = {OP_RDELETE, OP_WAIT, OP_PUSH,
	    OP_PULL, OP_RFLAGS, OP_LFLAGS, OP_FORGET, OP_ADOPT, OP_RECORD,
	    OP_LDELETE, OP_PULL};
	struct plan pl;
	size_t round2 = SIZE_MAX;

	(void)state;
	plan_init(&pl, &mem);
	for (uint32_t box = 4; box < 7; box++) {
		add_box(&pl, box, OP_RECORD, 0, 0);
		for (uint32_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
			struct pair row = {.uid = i + 1};

			plan_add(&pl, kinds[i], CASE_SAME, 0, &row)->box = box;
		}
	}
	plan_order(&pl);
	for (size_t i = 0; i < pl.n; i++) {
		const struct op *op = &pl.op[i];
		bool del = op->kind == OP_LDELETE || op->kind == OP_RDELETE;

		if (del && round2 == SIZE_MAX)
			round2 = i;
		assert_true(del == (i >= round2));
		if (i == 0 || i == round2)
			continue;
		assert_true(op->box >= op[-1].box);
		if (op->box != op[-1].box)
			continue;
		/* newest mail first */
		if (op->kind == OP_PULL && op[-1].kind == OP_PULL)
			assert_true(op->uid < op[-1].uid);
	}
	assert_int_equal(pl.n - round2, 6);
	assert_int_equal(pl.op[0].kind, OP_RECORD);
	arena_clear(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limits_of_a_mailbox),
	    cmocka_unit_test(test_limits_of_the_account),
	    cmocka_unit_test(test_what_looks_damaged_deletes_nothing),
	    cmocka_unit_test(test_another_directory_deletes_nothing_there),
	    cmocka_unit_test(test_mailboxes_are_judged_one_by_one),
	    cmocka_unit_test(test_what_was_held_stays_held),
	    cmocka_unit_test(test_what_was_held_on_one_side_holds_that_side),
	    cmocka_unit_test(
		test_a_message_that_goes_on_both_sides_counts_once),
	    cmocka_unit_test(
		test_deletes_come_after_all_else_of_all_mailboxes),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
