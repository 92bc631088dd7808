#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "wire/text.h"

static void
test_a_date_is_read_as_libc_reads_it(void **state)
{
	/* One moment of every fourth day of four centuries. */
	(void)state;
	for (int64_t t = -6000000000; t < 7000000000; t += 4 * 86400 + 12345) {
		char text[64];
		struct tm tm;
		time_t tt = (time_t)t;
		int64_t back = 0;
		struct buf b;

		assert_non_null(gmtime_r(&tt, &tm));
		strftime(text, sizeof text, "%d-%b-%Y %H:%M:%S +0000", &tm);
		assert_true(wire_date_parse(span_str(text), &back));
		assert_int_equal(back, t);
		buf_init(&b, 64);
		wire_date_format(t, &b);
		assert_string_equal(buf_cstr(&b), text);
		buf_release(&b);
	}
}

static void
test_zones_and_short_days(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
	    {"17-Jul-1996 02:44:25 -0700", 837596665},
	    {"17-jUL-1996 02:44:25 -0700", 837596665},
	    {" 1-Jan-1970 00:00:00 +0000", 0},
	    {"1-Jan-1970 00:00:00 +0000", 0},
	    {"01-Jan-1970 05:30:00 +0530", 0},
	    {"31-Dec-1969 23:59:59 +0000", -1},
	    {"29-Feb-2000 00:00:00 +0000", 951782400},
	    {"31-Dec-2016 23:59:60 +0000", 1483228800},
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t t = 42;

		assert_true(wire_date_parse(span_str(good[i].text), &t));
		assert_int_equal(t, good[i].want);
	}
}

static void
test_every_other_text_is_no_date(void **state)
{
	static const char good[] = "17-Jul-1996 02:44:25 -0700";
	static const char *const bad[] = {"", "00-Jul-1996 02:44:25 -0700",
	    "32-Jul-1996 02:44:25 -0700", "29-Feb-1900 02:44:25 -0700",
	    "17-Jui-1996 02:44:25 -0700", "17-Jul-0000 02:44:25 -0700",
	    "17-Jul-1996 24:44:25 -0700", "17-Jul-1996 02:60:25 -0700",
	    "17-Jul-1996 02:44:61 -0700", "17-Jul-1996 02:44:25 -0760",
	    "17-Jul-1996 02:44:25 GMT  ", "  -Jul-1996 02:44:25 -0700"};
	int64_t t = 42;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(wire_date_parse(span_str(bad[i]), &t));
	for (size_t n = 0; n < sizeof good - 1; n++) {
		char *part = xstrndup(good, n);

		assert_false(wire_date_parse(span_of(part, n), &t));
		xfree(part);
	}
	/* Each byte but the digits and letters matters. */
	for (size_t i = 0; i < sizeof good - 1; i++) {
		char text[sizeof good];

		memcpy(text, good, sizeof good);
		text[i] = '#';
		assert_false(wire_date_parse(span_str(text), &t));
	}
	assert_int_equal(t, 42);
}

static void
test_dates_beyond_four_digits_are_clamped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	wire_date_format(INT64_MAX, &b);
	assert_string_equal(buf_cstr(&b), "31-Dec-9999 23:59:59 +0000");
	buf_clear(&b);
	wire_date_format(INT64_MIN, &b);
	assert_string_equal(buf_cstr(&b), "01-Jan-0001 00:00:00 +0000");
	buf_release(&b);
}

static void
test_words_are_found_whole(void **state)
{
	struct span list = SPAN("PLAIN SCRAM-SHA-1 LOGIN");

	(void)state;
	assert_true(wire_word_in(list, SPAN("PLAIN")));
	assert_true(wire_word_in(list, SPAN("login")));
	assert_true(wire_word_in(list, SPAN("SCRAM-SHA-1")));
	assert_false(wire_word_in(list, SPAN("SCRAM-SHA")));
	assert_false(wire_word_in(list, SPAN("PLAI")));
	assert_false(wire_word_in(SPAN(""), SPAN("PLAIN")));
}

static void
test_too_much_was_asked(void **state)
{
	static const struct {
		const char *text;
		bool yes;
		uint64_t ms;
	} cases[] = {
	    {"", false, 7}, {"Suggested Backoff Time", false, 7},
	    {"Request is throttled. Suggested Backoff Time: 297749 "
	     "milliseconds", true, 297749},
	    {"SUGGESTED BACKOFF TIME: 5", true, 5},
	    {"Suggested Backoff Time: ", true, 0},
	    {"Suggested Backoff Time: 99999999999999999999 milliseconds", true,
		0},
	    {"request is throttled", true, 0}, {"[THROTTLED]", true, 0},
	    {"THROTTLED", false, 7},
	    {"Account exceeded command or bandwidth limits. (Failure)", true,
		0},
	    {"Too many simultaneous connections. (Failure)", true, 0},
	    {"Maximum number of connections from user+IP exceeded", true, 0},
	    {"Too many simultaneous connection", false, 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t ms = 7;

		assert_int_equal(
		    wire_throttled(span_str(cases[i].text), &ms),
		    cases[i].yes);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
test_what_is_not_there(void **state)
{
	static const struct {
		const char *text;
		bool yes;
	} cases[] = {
	    {"Mailbox doesn't exist: a (0.001 + 0.000 secs).", true}, /* Dovecot */
	    {"Mailbox does not exist", true}, /* Cyrus, Courier */
	    {"Work DOESN'T EXIST.", true}, {"Server Unavailable. 15", false},
	    {"exist", false}, {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
		    wire_denies(span_str(cases[i].text)), cases[i].yes);
}

static void
test_what_stands_in_for_a_message(void **state)
{
	static const char text[] =
	    "From: System Administrator <root@localhost>\r\n"
	    "Subject: message unavailable\r\n\r\n"
	    "This message is no longer available on the server.\r\n";
	struct span s = span_str(text);

	(void)state;
	assert_int_equal(s.n, 129);
	assert_true(wire_stands_in(s));
	/* forwarded, or in part, it is a message */
	assert_false(wire_stands_in(span_of(s.p, s.n - 1)));
	assert_false(wire_stands_in(span_of(s.p + 1, s.n - 1)));
	assert_false(wire_stands_in(SPAN("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_date_is_read_as_libc_reads_it),
	    cmocka_unit_test(test_zones_and_short_days),
	    cmocka_unit_test(test_every_other_text_is_no_date),
	    cmocka_unit_test(test_dates_beyond_four_digits_are_clamped),
	    cmocka_unit_test(test_words_are_found_whole),
	    cmocka_unit_test(test_too_much_was_asked),
	    cmocka_unit_test(test_what_is_not_there),
	    cmocka_unit_test(test_what_stands_in_for_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
