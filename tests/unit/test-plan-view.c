#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/view.h"

static void
vectors_grow_and_keep_what_they_hold(void **state)
{
	struct arena mem;
	struct pairs p = {0};
	struct lview l = {0};
	struct rview r = {0};

	(void)state;
	arena_init(&mem);
	for (uint32_t i = 0; i < 1000; i++) {
		pairs_add(&mem, &p, (struct pair){.uid = 3 * i + 1});
		lview_add(&mem, &l, (struct lmsg){.ino = i});
		rview_add(&mem, &r, (struct rmsg){.uid = 3 * i + 1});
	}
	assert_int_equal(p.n, 1000);
	assert_int_equal(l.n, 1000);
	assert_int_equal(r.n, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(p.v[i].uid, 3 * i + 1);
		assert_int_equal(l.v[i].ino, i);
		assert_int_equal(r.v[i].uid, 3 * i + 1);
	}
	for (uint32_t uid = 0; uid < 3005; uid++) {
		bool there = uid % 3 == 1 && uid < 3000;
		struct pair *row = pairs_find(&p, uid);
		struct rmsg *m = rview_find(&r, uid);

		assert_ptr_equal(row, there ? &p.v[uid / 3] : NULL);
		assert_ptr_equal(m, there ? &r.v[uid / 3] : NULL);
	}
	arena_release(&mem);
}

static void
nothing_is_found_in_nothing(void **state)
{
	struct pairs p = {0};
	struct rview r = {0};

	(void)state;
	rview_sort(&r);
	assert_int_equal(r.n, 0);
	assert_null(rview_find(&r, 1));
	assert_null(pairs_find(&p, 1));
}

/* All sequences of up to 7 answers for 4 UIDs: the last of each counts. */
static void
of_several_answers_for_a_uid_the_last_counts(void **state)
{
	(void)state;
	for (unsigned n = 0, all = 1; n <= 7; n++, all *= 4) {
		for (unsigned no = 0; no < all; no++) {
			struct rmsg v[7] = {0};
			struct rview r = {.v = v, .n = n, .cap = 7};
			uint32_t last[5] = {0};
			size_t uids = 0;
			unsigned rest = no;

			for (unsigned i = 0; i < n; i++, rest /= 4) {
				v[i].uid = rest % 4 + 1;
				v[i].flags.sys = i + 1;
				last[v[i].uid] = i + 1;
			}
			rview_sort(&r);
			for (uint32_t uid = 1; uid <= 4; uid++)
				uids += last[uid] != 0;
			assert_int_equal(r.n, uids);
			for (size_t i = 0; i < r.n; i++) {
				assert_true(i == 0 || v[i - 1].uid < v[i].uid);
				assert_int_equal(v[i].flags.sys,
				    last[v[i].uid]);
			}
		}
	}
}

static void
a_later_answer_keeps_what_it_does_not_say(void **state)
{
	struct rmsg v[] = {
		{.uid = 9, .has_meta = true, .size = 1, .idate = 2,
		    .modseq = 3, .gid = SPAN("M9"), .klass = 4, .hold = true},
		{.uid = 5, .modseq = 7, .flags = {FLAG_SEEN, 0, NULL}},
		{.uid = 9, .flags = {FLAG_DRAFT, 0, NULL}},
		{.uid = 5, .has_meta = true, .size = 6, .idate = 8,
		    .modseq = 9, .gid = SPAN("M5")},
		{.uid = 5, .has_meta = true, .size = 10, .idate = 11,
		    .modseq = 8, .gid = SPAN("M6")},
	};
	struct rview r = {.v = v, .n = 5, .cap = 5};

	(void)state;
	rview_sort(&r);
	assert_int_equal(r.n, 2);
	assert_int_equal(v[0].uid, 5);
	assert_int_equal(v[0].flags.sys, 0);
	assert_int_equal(v[0].size, 10);
	assert_int_equal(v[0].idate, 11);
	assert_int_equal(v[0].modseq, 8);
	assert_true(span_eq(v[0].gid, SPAN("M6")));
	assert_false(v[0].hold);
	assert_int_equal(v[1].uid, 9);
	assert_int_equal(v[1].flags.sys, FLAG_DRAFT);
	assert_true(v[1].has_meta);
	assert_int_equal(v[1].size, 1);
	assert_int_equal(v[1].idate, 2);
	assert_int_equal(v[1].modseq, 3);
	assert_true(span_eq(v[1].gid, SPAN("M9")));
	assert_int_equal(v[1].klass, 4);
	assert_true(v[1].hold);
}

static void
many_answers_in_any_order_come_out_in_order(void **state)
{
	struct arena mem;
	struct rview r = {0};
	uint32_t x = 1;

	(void)state;
	arena_init(&mem);
	for (uint32_t i = 0; i < 50000; i++) {
		x = x * 1664525 + 1013904223;
		rview_add(&mem, &r,
		    (struct rmsg){.uid = x % 30000 + 1, .size = i,
			.has_meta = true});
	}
	rview_sort(&r);
	assert_in_range(r.n, 20000, 30000);
	for (size_t i = 1; i < r.n; i++)
		assert_true(r.v[i - 1].uid < r.v[i].uid);
	/* and each with its last size */
	x = 1;
	for (uint32_t i = 0; i < 50000; i++) {
		struct rmsg *m;

		x = x * 1664525 + 1013904223;
		m = rview_find(&r, x % 30000 + 1);
		assert_non_null(m);
		assert_true(m->size >= i);
	}
	arena_release(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_grow_and_keep_what_they_hold),
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(of_several_answers_for_a_uid_the_last_counts),
		cmocka_unit_test(a_later_answer_keeps_what_it_does_not_say),
		cmocka_unit_test(many_answers_in_any_order_come_out_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
