#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void
test_utc_is_written_with_a_z(void **state)
{
	static const struct {
		int64_t at;
		const char *want;
	} cases[] = {
	    {0, "1970-01-01 00:00:00Z"},
	    {-1, "1969-12-31 23:59:59Z"},
	    {951782400, "2000-02-29 00:00:00Z"},
	    {4107542399, "2100-02-28 23:59:59Z"},
	    {4107542400, "2100-03-01 00:00:00Z"}, /* no leap year */
	    {1795423559, "2026-11-23 08:45:59Z"},
	    /* tm_year is INT_MAX here */
	    {INT64_C(67768036191676799), "2147485547-12-31 23:59:59Z"},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		clock_format_utc(cases[i].at, out, sizeof out);
		assert_string_equal(out, cases[i].want);
	}
}

static void
test_local_time_follows_the_zone(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(0, setenv("TZ", "XXX-2", 1)); /* east of Greenwich */
	tzset();
	clock_format(0, out, sizeof out);
	assert_string_equal(out, "1970-01-01 02:00:00");
	assert_int_equal(0, setenv("TZ", "UTC0", 1));
	tzset();
	clock_format(0, out, sizeof out);
	assert_string_equal(out, "1970-01-01 00:00:00");
}

static void
test_nanoseconds_of_any_file_time(void **state)
{
	(void)state;
	assert_true(clock_ns(0, 0) == 0);
	assert_true(clock_ns(-1, 999999999) == -1);
	assert_true(clock_ns(9223372035, 999999999) == 9223372035999999999);
	assert_true(clock_ns(9223372036, 0) == INT64_MAX);
	assert_true(clock_ns(INT64_MAX, 999999999) == INT64_MAX);
	assert_true(clock_ns(-9223372035, 1) == -9223372034999999999);
	assert_true(clock_ns(INT64_MIN, 0) == INT64_MIN);
}

static void
test_no_time_overflows_what_is_given(void **state)
{
	static const int64_t times[] = {INT64_MIN, INT64_MIN / 2, -1, 0,
	    INT64_C(67768036191676800), INT64_MAX / 2, INT64_MAX};
	char out[40];

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		for (size_t n = 1; n <= 32; n++) {
			memset(out, 'x', sizeof out);
			clock_format_utc(times[i], out, n);
			assert_non_null(memchr(out, '\0', n));
			clock_format(times[i], out, n);
			assert_non_null(memchr(out, '\0', n));
			for (size_t k = n; k < sizeof out; k++)
				assert_int_equal(out[k], 'x');
		}
	}
}

static void
test_the_clocks_go_and_agree(void **state)
{
	int64_t mono = clock_mono_ms(), s = clock_wall_s();
	int64_t ns = clock_wall_ns(), last = mono;

	(void)state;
	assert_true(ns / 1000000000 - s >= 0 && ns / 1000000000 - s <= 60);
	assert_true(s > 1700000000);
	for (int i = 0; i < 1000; i++) {
		mono = clock_mono_ms();
		assert_true(mono >= last);
		last = mono;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_utc_is_written_with_a_z),
	    cmocka_unit_test(test_local_time_follows_the_zone),
	    cmocka_unit_test(test_nanoseconds_of_any_file_time),
	    cmocka_unit_test(test_no_time_overflows_what_is_given),
	    cmocka_unit_test(test_the_clocks_go_and_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
