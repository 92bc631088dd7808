/*
 * APPEND.
 */
#include "dialogue.h"

#include "imap/internal.h"

static void
append_to(struct imap_append *a, const char *box, uint64_t cookie,
    const char *text, int want)
{
	struct err e;

	assert_int_equal(want,
	    imap_append_send(a, span_str(box), cookie,
		(struct flags){.sys = FLAG_SEEN}, 0, strlen(text), &e));
	if (want)
		return;
	assert_int_equal(0, imap_append_data(a, text, strlen(text), &e));
	assert_int_equal(0, imap_append_finish(a, &e));
}

static void
append(struct imap_append *a, uint64_t cookie, const char *text, int want)
{
	append_to(a, "INBOX", cookie, text, want);
}

#define APPEND "APPEND \"INBOX\" (\\Seen) \"01-Jan-1970 00:00:00 +0000\" "

static void
test_appends_go_in_one_flight(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_ALL, "C m3 " APPEND "{3+}", "C abc",
	    "C m4 " APPEND "{2+}", "C de", "C m5 " APPEND "{1+}", "C f",
	    "S m3 OK [APPENDUID 9 12] done", "S m4 NO [TOOBIG] too big",
	    "S m5 OK done");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	append(a, 1, "abc", 0);
	append(a, 2, "de", 0);
	append(a, 3, "f", 0);
	assert_int_equal(1, imap_append_result(a, true, &res, &e));
	assert_true(res.ok && res.cookie == 1 && res.uidvalidity == 9 &&
	    res.uid == 12);
	assert_int_equal(1, imap_append_result(a, true, &res, &e));
	assert_false(res.ok);
	assert_int_equal(res.cookie, 2);
	assert_string_equal(res.resp, "TOOBIG");
	assert_string_equal(res.why, "the server says: too big");
	assert_int_equal(1, imap_append_result(a, true, &res, &e));
	assert_true(res.ok && res.cookie == 3 && res.uid == 0);
	assert_int_equal(0, imap_append_result(a, true, &res, &e));
	imap_append_end(&a);
	/* One wait for the login, one for ENABLE and all the appends. */
	assert_int_equal(imap_stats(f->s).round_trips, 2);
}

static void
test_a_refused_literal_is_not_sent(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_PLAIN, "C m3 " APPEND "{3}",
	    "S * OK wait", "S + go", "C abc", "C m4 " APPEND "{2}",
	    "S m3 OK done", "S m4 NO [OVERQUOTA] full", "C m5 " APPEND "{1}",
	    "S + go", "C f", "S m5 OK [APPENDUID 1 2] done");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	append(a, 1, "abc", 0);
	append(a, 2, "de", 1);
	append(a, 3, "f", 0);
	assert_int_equal(1, imap_append_result(a, false, &res, &e));
	assert_true(res.ok && res.cookie == 1);
	assert_int_equal(1, imap_append_result(a, false, &res, &e));
	assert_true(!res.ok && res.cookie == 2);
	assert_string_equal(res.resp, "OVERQUOTA");
	assert_int_equal(0, imap_append_result(a, false, &res, &e));
	assert_int_equal(1, imap_append_result(a, true, &res, &e));
	assert_int_equal(res.uid, 2);
	imap_append_end(&a);
}

static void
test_a_message_given_up_takes_the_connection(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	bool exists;
	struct err e = START(f, LOGIN_ALL);

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_enabled(f->s, &e));
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	assert_int_equal(0, imap_append_send(a, SPAN("INBOX"), 1,
				(struct flags){.sys = FLAG_SEEN}, 0, 9, &e));
	assert_int_equal(0, imap_append_data(a, "abc", 3, &e));
	imap_append_end(&a);
	assert_true(imap_exists(f->s, SPAN("x"), &exists, &e) < 0);
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
}

static void
test_what_is_over_the_limit_is_not_sent(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_WITH("LITERAL+ APPENDLIMIT=3"),
	    "C m3 " APPEND "{3+}", "C abc", "C m4 " APPEND "{1+}", "C e",
	    "S m4 OK", "S m3 OK [APPENDUID 9 12] done");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	append(a, 1, "abc", 0);
	append(a, 2, "abcd", 1);
	append(a, 3, "e", 0);
	append(a, 4, "abcdefghi", 1);
	/* in the order of sending all the same */
	for (uint64_t i = 1; i <= 4; i++) {
		assert_int_equal(1, imap_append_result(a, true, &res, &e));
		assert_int_equal(res.cookie, i);
		assert_int_equal(res.ok, i % 2);
		assert_string_equal(res.resp, i % 2 ? "" : "TOOBIG");
	}
	assert_non_null(strstr(res.why, "9 octets"));
	assert_non_null(strstr(res.why, "at most 3"));
	assert_int_equal(0, imap_append_result(a, true, &res, &e));
	imap_append_end(&a);
}

static void
test_answers_to_others_while_one_waits(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_WITH("LITERAL-"),
	    "C m3 " APPEND "{3+}", "C abc", "C m4 " APPEND "{5000}",
	    "S m3 OK [APPENDUID 9 12] done", "S + go", "D 5002",
	    "S m4 OK [APPENDUID 9 13] done");
	char big[5000];

	assert_int_equal(e.code, 0);
	memset(big, 'x', sizeof big);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	append(a, 1, "abc", 0);
	assert_int_equal(0, imap_append_send(a, SPAN("INBOX"), 2,
				(struct flags){.sys = FLAG_SEEN}, 0,
				sizeof big, &e));
	assert_int_equal(0, imap_append_data(a, big, sizeof big, &e));
	assert_int_equal(0, imap_append_finish(a, &e));
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(1, imap_append_result(a, true, &res, &e));
		assert_true(res.ok && res.cookie == i && res.uid == 11 + i);
	}
	imap_append_end(&a);
}

static void
test_a_server_that_is_busy_ends_the_appends(void **state)
{
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_ALL, "C m3 " APPEND "{3+}", "C abc",
	    "C m4 " APPEND "{2+}", "C de",
	    "S m3 NO Request is throttled. Suggested Backoff Time: 1500 "
	    "milliseconds");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	append(a, 1, "abc", 0);
	append(a, 2, "de", 0);
	/* no result: it says nothing about the message */
	assert_int_equal(ERR_BUSY, imap_append_result(a, true, &res, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	imap_append_end(&a);
}

static void
test_appends_into_several_mailboxes_share_a_flight(void **state)
{
	static const char *const box[] = {"a", "b", "c"};
	struct fixture *f = *state;
	struct imap_append *a;
	struct imap_appended res;
	struct err e = START(f, LOGIN_ALL,
	    "C m3 APPEND \"a\" (\\Seen) \"01-Jan-1970 00:00:00 +0000\" {1+}",
	    "C x",
	    "C m4 APPEND \"b\" (\\Seen) \"01-Jan-1970 00:00:00 +0000\" {1+}",
	    "C x",
	    "C m5 APPEND \"c\" (\\Seen) \"01-Jan-1970 00:00:00 +0000\" {1+}",
	    "C x", "S m5 OK [APPENDUID 13 7] done", "S m4 NO [TRYCREATE] no",
	    "S m3 OK [APPENDUID 11 5] done");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	for (unsigned i = 0; i < 3; i++)
		append_to(a, box[i], i, "x", 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(1, imap_append_result(a, true, &res, &e));
		assert_int_equal(res.cookie, i);
		assert_int_equal(res.ok, i != 1);
		assert_int_equal(res.uidvalidity, i == 1 ? 0 : 11 + i);
	}
	assert_string_equal("", res.resp);
	imap_append_end(&a);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_appends_go_in_one_flight),
	    T(test_a_refused_literal_is_not_sent),
	    T(test_a_message_given_up_takes_the_connection),
	    T(test_what_is_over_the_limit_is_not_sent),
	    T(test_answers_to_others_while_one_waits),
	    T(test_a_server_that_is_busy_ends_the_appends),
	    T(test_appends_into_several_mailboxes_share_a_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
