#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "seed.h"

#define KEYS 300

static void
test_numbers_that_differ_in_one_bit_are_different(void **state)
{
	struct map m;
	uint64_t v;

	(void)state;
	map_init(&m);
	assert_true(map_set_u64(&m, 0, 100));
	for (unsigned bit = 0; bit < 64; bit++)
		assert_true(map_set_u64(&m, UINT64_C(1) << bit, bit));
	assert_int_equal(m.n, 65);
	for (unsigned bit = 0; bit < 64; bit++) {
		assert_true(map_get_u64(&m, UINT64_C(1) << bit, &v));
		assert_int_equal(v, bit);
	}
	assert_true(map_get_u64(&m, 0, &v));
	assert_int_equal(v, 100);
	assert_false(map_get_u64(&m, UINT64_MAX, &v));
	map_release(&m);
}

static void
test_bytes_are_compared_whole(void **state)
{
	static const struct span keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2},
	    {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"12345678", 8},
	    {"123456789", 9}, {"1234567812345678", 16}};
	const size_t n = sizeof keys / sizeof *keys;
	struct map m;
	uint64_t v;

	(void)state;
	map_init(&m);
	for (size_t i = 0; i < n; i++)
		assert_true(map_set(&m, keys[i], i));
	for (size_t i = 0; i < n; i++) {
		assert_true(map_get(&m, keys[i], &v));
		assert_int_equal(v, i);
	}
	assert_true(map_get(&m, SPAN_NONE, &v)); /* the empty key */
	assert_int_equal(v, 0);
	map_release(&m);
}

static void
test_bytes_and_numbers_do_not_mix(void **state)
{
	struct map m;
	uint64_t v = 7;

	(void)state;
	map_init(&m);
	assert_true(map_set(&m, SPAN_NONE, 1));
	assert_false(map_get_u64(&m, 0, &v));
	assert_int_equal(v, 7);
	assert_true(map_set_u64(&m, 0, 2));
	assert_true(map_del(&m, SPAN("")));
	assert_true(map_get_u64(&m, 0, &v));
	assert_int_equal(v, 2);
	map_release(&m);
}

static void
test_an_empty_map_holds_nothing_and_can_be_used_again(void **state)
{
	struct map m;
	uint64_t v = 7;

	(void)state;
	map_init(&m);
	assert_false(map_get(&m, SPAN("x"), &v));
	assert_false(map_del(&m, SPAN("x")));
	assert_false(map_del_u64(&m, 1));
	assert_true(map_add(&m, SPAN("x"), 1));
	assert_false(map_add(&m, SPAN("x"), 2)); /* the old value stays */
	assert_true(map_get(&m, SPAN("x"), &v));
	assert_int_equal(v, 1);
	assert_false(map_set(&m, SPAN("x"), 3));
	assert_true(map_get(&m, SPAN("x"), &v));
	assert_int_equal(v, 3);
	map_release(&m);
	assert_false(map_get(&m, SPAN("x"), &v));
	assert_true(map_set(&m, SPAN("y"), 4));
	map_release(&m);
}

/*
 * Deletion moves back what follows; a mistake there shows only when groups
 * of slots touch and wrap around, so: few slots, many steps, many seeds.
 */
static void
test_deleting_loses_no_other_key(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t keys = 2 + rnd(KEYS - 2);
		bool there[KEYS] = {false};
		struct map m;
		uint64_t v;

		map_init(&m);
		for (int step = 0; step < 400; step++) {
			uint32_t i = rnd(keys);

			if (rnd(2)) {
				assert_int_equal(
				    map_set_u64(&m, i, i + 1u), !there[i]);
				there[i] = true;
			} else {
				assert_int_equal(map_del_u64(&m, i), there[i]);
				there[i] = false;
			}
			if (step % 40)
				continue;
			for (uint32_t k = 0; k < keys; k++) {
				assert_int_equal(
				    map_get_u64(&m, k, &v), there[k]);
				if (there[k])
					assert_int_equal(v, k + 1);
			}
		}
		map_release(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers_that_differ_in_one_bit_are_different),
	    cmocka_unit_test(test_bytes_are_compared_whole),
	    cmocka_unit_test(test_bytes_and_numbers_do_not_mix),
	    cmocka_unit_test(
		test_an_empty_map_holds_nothing_and_can_be_used_again),
	    cmocka_unit_test(test_deleting_loses_no_other_key),
	};

	rnd_state = seed_of_this_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
