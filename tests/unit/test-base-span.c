#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/span.h"

static void
test_case_folds_ascii_letters_and_nothing_else(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		for (int k = 0; k < 256; k++) {
			char a = (char)i, b = (char)k;
			int x = i >= 'A' && i <= 'Z' ? i + 32 : i;
			int y = k >= 'A' && k <= 'Z' ? k + 32 : k;

			assert_int_equal(
			    span_eq_case(span_of(&a, 1), span_of(&b, 1)),
			    x == y);
		}
	}
	assert_true(span_eq_case(SPAN(""), SPAN_NONE));
	assert_false(span_eq_case(SPAN("a"), SPAN("aa")));
}

static void
test_order_is_that_of_bytes_and_the_prefix_comes_first(void **state)
{
	static const char *const in_order[] = {
	    "", "\x01", "A", "Aa", "B", "a", "a/b", "aa", "b", "\x80", "\xff"};
	const size_t n = sizeof in_order / sizeof *in_order;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			int c = span_cmp(
			    span_str(in_order[i]), span_str(in_order[k]));

			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
	}
	assert_int_equal(span_cmp(SPAN_NONE, SPAN("")), 0);
}

static void
test_a_prefix_is_one_of_itself_and_of_nothing_shorter(void **state)
{
	struct span s = SPAN("INBOX/a");

	(void)state;
	for (size_t n = 0; n <= s.n; n++) {
		assert_true(span_starts(s, span_of(s.p, n)));
		if (n < s.n)
			assert_false(span_starts(span_of(s.p, n), s));
	}
	assert_true(span_starts(SPAN_NONE, SPAN_NONE));
	assert_false(span_starts(s, SPAN("inbox")));
}

static void
test_index_finds_every_byte_or_the_end(void **state)
{
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t i = 0; i < 256; i++) {
		assert_int_equal(span_index(span_of(all, 256), all[i]), i);
		assert_int_equal(span_index(span_of(all, i), all[i]), i);
	}
	assert_int_equal(span_index(SPAN_NONE, 'x'), 0);
	assert_int_equal(span_index(SPAN("abab"), 'b'), 1);
}

static void
test_numbers_are_digits_only(void **state)
{
	uint64_t v;
	uint32_t u;

	(void)state;
	for (int i = 0; i < 256; i++) {
		const char text[] = {'1', (char)i, '2'};
		bool digit = i >= '0' && i <= '9';

		v = 7;
		assert_int_equal(span_u64(span_of(text, 3), &v), digit);
		assert_int_equal(v, digit ? 102 + 10 * (i - '0') : 7);
	}
	v = u = 7;
	assert_false(span_u64(SPAN_NONE, &v));
	assert_false(span_u32(SPAN(""), &u));
	assert_int_equal(v, 7);
	assert_int_equal(u, 7);
}

static void
test_numbers_stop_where_their_type_does(void **state)
{
	uint64_t v = 7;
	uint32_t u = 7;

	(void)state;
	assert_true(span_u64(SPAN("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	assert_true(span_u64(SPAN("000018446744073709551614"), &v));
	assert_true(v == UINT64_MAX - 1);
	assert_false(span_u64(SPAN("18446744073709551616"), &v));
	assert_false(span_u64(SPAN("18446744073709551620"), &v));
	assert_false(span_u64(SPAN("184467440737095516150"), &v));
	assert_true(v == UINT64_MAX - 1);
	assert_true(span_u32(SPAN("4294967295"), &u));
	assert_true(u == UINT32_MAX);
	assert_false(span_u32(SPAN("4294967296"), &u));
	assert_false(span_u32(SPAN("18446744073709551616"), &u));
	assert_true(u == UINT32_MAX);
	/* what printf writes is read again, around every power of two */
	for (int bit = 0; bit < 64; bit++) {
		for (int d = -1; d <= 1; d++) {
			uint64_t want = (UINT64_C(1) << bit) + (uint64_t)d;
			char text[32];

			snprintf(text, sizeof text, "%llu",
			    (unsigned long long)want);
			assert_true(span_u64(span_str(text), &v));
			assert_true(v == want);
			assert_int_equal(
			    span_u32(span_str(text), &u), want <= UINT32_MAX);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_case_folds_ascii_letters_and_nothing_else),
	    cmocka_unit_test(
		test_order_is_that_of_bytes_and_the_prefix_comes_first),
	    cmocka_unit_test(
		test_a_prefix_is_one_of_itself_and_of_nothing_shorter),
	    cmocka_unit_test(test_index_finds_every_byte_or_the_end),
	    cmocka_unit_test(test_numbers_are_digits_only),
	    cmocka_unit_test(test_numbers_stop_where_their_type_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
