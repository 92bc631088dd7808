/*
 * The merge of flags: every combination of two flags and a keyword, in the
 * bases and the states of both sides, against a model of one flag.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/plan.h"

#define BITS 3

static const uint32_t keyword[] = {4};

/* Bits 0 and 1: \Seen and \Flagged; bit 2: a keyword. */
static struct flags
flags_of(unsigned bits)
{
	struct flags f = {.sys = (bits & 1 ? FLAG_SEEN : 0u) |
		(bits & 2 ? FLAG_FLAGGED : 0u)};

	if (bits & 4) {
		f.kw = keyword;
		f.n = 1;
	}
	return f;
}

static unsigned
bits_of(struct flags f)
{
	return (f.sys & FLAG_SEEN ? 1u : 0) | (f.sys & FLAG_FLAGGED ? 2u : 0) |
	    (f.n ? 4u : 0);
}

/* What side OWN shows of one flag, after both have learnt what was changed. */
static bool
model(bool bl, bool br, bool l, bool r, bool own)
{
	bool added = (l && !bl) || (r && !br);
	bool removed = (bl && !l) || (br && !r);

	return added || (own && !removed);
}

static void
test_each_flag_is_merged_by_itself(void **state)
{
	struct arena mem;

	(void)state;
	arena_init(&mem);
	for (unsigned all = 0; all < 1u << (4 * BITS); all++) {
		unsigned bl = all & 7, br = all >> 3 & 7, l = all >> 6 & 7,
			 r = all >> 9 & 7, want_l = 0, want_r = 0;
		struct flags to_l, to_r;

		for (unsigned i = 0; i < BITS; i++) {
			bool b = bl >> i & 1, c = br >> i & 1, x = l >> i & 1,
			     y = r >> i & 1;

			want_l |= (unsigned)model(b, c, x, y, x) << i;
			want_r |= (unsigned)model(b, c, x, y, y) << i;
		}
		plan_merge_flags(&mem, flags_of(bl), flags_of(br), flags_of(l),
		    flags_of(r), &to_l, &to_r);
		assert_int_equal(bits_of(to_l), want_l);
		assert_int_equal(bits_of(to_r), want_r);
		arena_clear(&mem);
	}
	arena_release(&mem);
}

static void
test_with_one_base_both_sides_end_equal(void **state)
{
	struct arena mem;

	(void)state;
	arena_init(&mem);
	for (unsigned all = 0; all < 1u << (3 * BITS); all++) {
		struct flags b = flags_of(all & 7), to_l, to_r;

		plan_merge_flags(&mem, b, b, flags_of(all >> 3 & 7),
		    flags_of(all >> 6 & 7), &to_l, &to_r);
		assert_true(flags_eq(to_l, to_r));
		arena_clear(&mem);
	}
	arena_release(&mem);
}

static void
test_what_a_side_cannot_show_is_never_removed(void **state)
{
	/* The keyword is on the server; no letter was left for it here. */
	struct flags with = flags_of(4), without = flags_of(0), to_l, to_r;
	struct arena mem;

	(void)state;
	arena_init(&mem);
	plan_merge_flags(&mem, without, with, without, with, &to_l, &to_r);
	assert_int_equal(bits_of(to_r), 4);
	/* and it stays when something else changes here */
	plan_merge_flags(&mem, without, with, flags_of(1), with, &to_l, &to_r);
	assert_int_equal(bits_of(to_r), 5);
	arena_release(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_flag_is_merged_by_itself),
	    cmocka_unit_test(test_with_one_base_both_sides_end_equal),
	    cmocka_unit_test(test_what_a_side_cannot_show_is_never_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
