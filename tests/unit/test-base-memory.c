#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

static uint64_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void
test_a_buf_stops_at_its_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_cstr(&b), "");
	buf_add_str(&b, "12345");
	buf_addf(&b, "%d", 67890);
	assert_false(b.toobig);
	buf_addc(&b, 'x');
	assert_true(b.toobig);
	buf_clear(&b);
	buf_add(&b, "abc", 3);
	buf_add(&b, "much too long", 13);
	buf_add(&b, "d", 1); /* nothing more after the first failure */
	assert_true(b.toobig);
	assert_string_equal(b.p, "abc");
	buf_clear(&b);
	buf_add_u64(&b, UINT32_MAX);
	buf_consume(&b, 4);
	assert_string_equal(b.p, "967295");
	buf_consume(&b, 6);
	assert_int_equal(b.n, 0);
	buf_release(&b);
	buf_add_str(&b, "again");
	assert_string_equal(b.p, "again");
	buf_wipe(&b);
	assert_null(b.p);
	buf_release(&b);
}

static void
test_an_arena_gives_zeroed_aligned_memory(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 3000; n += 7) {
			unsigned char *p = arena_alloc(&a, n);

			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, n);
		}
		assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
		assert_string_equal(arena_span(&a, SPAN("abc")).p, "abc");
		arena_clear(&a);
	}
	arena_release(&a);
}

#define KEYS 500

static void
test_a_map_does_what_an_array_does(void **state)
{
	static char key[KEYS][8];
	bool there[KEYS] = {false};
	uint64_t value[KEYS] = {0}, v;
	struct map bytes, numbers;
	size_t n = 0;

	(void)state;
	map_init(&bytes);
	map_init(&numbers);
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(key[i], sizeof key[i], "%u", i * 7919);
	for (int step = 0; step < 200000; step++) {
		uint32_t i = rnd(KEYS);
		struct span k = span_str(key[i]);

		switch (rnd(4)) {
		case 0:
			v = rnd(1000);
			assert_int_equal(map_set(&bytes, k, v), !there[i]);
			assert_int_equal(map_set_u64(&numbers, i, v),
			    !there[i]);
			n += !there[i];
			there[i] = true;
			value[i] = v;
			break;
		case 1:
			v = rnd(1000);
			assert_int_equal(map_add(&bytes, k, v), !there[i]);
			if (!there[i]) {
				value[i] = v;
				map_set_u64(&numbers, i, v);
				n++;
			}
			there[i] = true;
			break;
		case 2:
			assert_int_equal(map_del(&bytes, k), there[i]);
			assert_int_equal(map_del_u64(&numbers, i), there[i]);
			n -= there[i];
			there[i] = false;
			break;
		default:
			assert_int_equal(map_get(&bytes, k, &v), there[i]);
			if (there[i])
				assert_int_equal(v, value[i]);
			assert_int_equal(map_get_u64(&numbers, i, &v),
			    there[i]);
			if (there[i])
				assert_int_equal(v, value[i]);
		}
		assert_int_equal(bytes.n, n);
		assert_int_equal(numbers.n, n);
	}
	map_release(&bytes);
	map_release(&numbers);
}

static void
test_numbers_are_read_whole_or_not_at_all(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1",
	    "4294967296", "99999999999999999999", "1.0", "1e3"};
	uint32_t v = 7;
	uint64_t w = 7;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(span_u32(span_str(bad[i]), &v));
	assert_int_equal(v, 7);
	assert_true(span_u32(SPAN("4294967295"), &v) && v == UINT32_MAX);
	assert_true(span_u32(SPAN("007"), &v) && v == 7);
	assert_true(span_u64(SPAN("18446744073709551615"), &w) &&
	    w == UINT64_MAX);
	assert_false(span_u64(SPAN("18446744073709551616"), &w));
}

static void
test_spans_compare(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN(""), SPAN_NONE));
	assert_true(span_eq_case(SPAN("InBoX"), SPAN("INBOX")));
	assert_false(span_eq_case(SPAN("[@"), SPAN("{`")));
	assert_true(span_cmp(SPAN("a"), SPAN("a/b")) < 0);
	assert_true(span_cmp(SPAN("b"), SPAN("a/b")) > 0);
	assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
	assert_true(span_starts(SPAN("abc"), SPAN("ab")));
	assert_false(span_starts(SPAN("a"), SPAN("ab")));
	assert_int_equal(span_index(SPAN("abc"), 'c'), 2);
	assert_int_equal(span_index(SPAN("abc"), 'x'), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_buf_stops_at_its_ceiling),
	    cmocka_unit_test(test_an_arena_gives_zeroed_aligned_memory),
	    cmocka_unit_test(test_a_map_does_what_an_array_does),
	    cmocka_unit_test(test_numbers_are_read_whole_or_not_at_all),
	    cmocka_unit_test(test_spans_compare),
	};

	seed = (uint64_t)time(NULL);
	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
