/*
 * What is said besides the answers: too much was asked, or nonsense.
 */
#include "dialogue.h"

static struct err
ask(struct fixture *f)
{
	struct err e = {0};
	bool exists;

	(void)imap_exists(f->s, SPAN("x"), &exists, &e);
	return e;
}

static void
assert_busy(struct err e)
{
	assert_int_equal(e.code, ERR_BUSY);
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(e.retry, ERR_RETRY_LATER);
	assert_int_equal(err_exit_status(&e), 75);
}

static void
test_a_busy_server_is_left_alone(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
	    {"S m3 BAD Request is throttled. Suggested Backoff Time: 297749 "
	     "milliseconds", "after 298 seconds"},
	    {"S m3 NO [UNAVAILABLE] Suggested backoff time: 1000 milliseconds",
		"after 1 seconds"},
	    {"S m3 NO Suggested Backoff Time: some milliseconds", "later"},
	    {"S m3 NO [OVERQUOTA] Account exceeded command or bandwidth "
	     "limits. (Failure)", "later"},
	    {"S m3 NO [ALERT] Too many simultaneous connections. (Failure)",
		"later"},
	    {"S m3 NO [THROTTLED] slowly", "later"},
	    {"S m3 NO Lookup failed [THROTTLED]", "later"},
	    {"S * BYE [OVERQUOTA] Account exceeded command or bandwidth "
	     "limits.", "later"},
	    {"S * BYE Maximum number of connections from user+IP exceeded",
		"later"},
	};
	enum { N = sizeof cases / sizeof *cases };
	struct fixture *f = *state;

	for (size_t i = 0; i < N; i++) {
		struct err e = START(f, LOGIN_PLAIN,
		    "C m3 STATUS \"x\" (MESSAGES)", cases[i].line);

		assert_int_equal(e.code, 0);
		e = ask(f);
		assert_busy(e);
		if (!strstr(e.text, cases[i].said))
			fail_msg("'%s' without '%s'", e.text, cases[i].said);
		/* nothing more is sent, not even LOGOUT */
		assert_busy(ask(f));
		imap_logout(f->s);
		if (i + 1 < N) {
			imap_free(&f->s);
			pthread_join(f->server.thread, NULL);
			assert_string_equal(f->server.error, "");
		}
	}
}

/* The reason is not lost in the BYE that follows. */
static void
test_a_busy_server_that_hangs_up(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, "C m3 STATUS \"x\" (MESSAGES)",
	    "S m3 NO Request is throttled.", "S * BYE Connection closed. 14",
	    "X");

	assert_int_equal(e.code, 0);
	assert_busy(ask(f));
	assert_busy(ask(f));
}

static void
test_success_is_not_busy(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, "C m3 STATUS \"x\" (MESSAGES)",
	    "S * NO Too many simultaneous connections", "S m3 OK [THROTTLED]",
	    "C m4 STATUS \"x\" (MESSAGES)", "S m4 OK Success [THROTTLED]");

	assert_int_equal(e.code, 0);
	assert_int_equal(ask(f).code, 0);
	assert_int_equal(ask(f).code, 0);
}

static void
test_a_busy_server_at_the_door(void **state)
{
	struct fixture *f = *state;
	struct err e =
	    START(f, "S * BYE Maximum number of connections exceeded");

	assert_busy(e);
	pthread_join(f->server.thread, NULL);
	e = START(f, "S * OK [CAPABILITY IMAP4rev1] hi",
	    "C m1 LOGIN \"ana\" \"s3cret\"",
	    "S m1 NO [ALERT] Too many simultaneous connections. (Failure)");
	assert_busy(e);
	pthread_join(f->server.thread, NULL);
	e = START(f, "S * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi",
	    "C m1 AUTHENTICATE PLAIN AGFuYQBzM2NyZXQ=",
	    "S m1 NO [UNAVAILABLE] Maximum number of connections from user+IP "
	    "exceeded (mail_max_userip_connections=10)");
	assert_busy(e);
}

static void
test_a_busy_server_ends_what_takes_a_no_for_an_answer(void **state)
{
	struct fixture *f = *state;
	static const uint32_t uids[] = {4, 5};
	struct imap_fetch *b;
	struct rmsg m;
	struct imap_store v = {.add = true, .flags = {.sys = FLAG_SEEN}};
	struct uidset modified, failed;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 4:5 (UID FLAGS INTERNALDATE RFC822.SIZE "
	    "BODY.PEEK[])",
	    "S m4 NO Request is throttled.");
	struct rview *r = open_inbox(f, &e);

	assert_int_equal(0,
	    imap_fetch_begin(f->s, uids, NULL, 2, &f->mem, &b, &e));
	assert_int_equal(ERR_BUSY, imap_fetch_next(b, &m, &e));
	assert_busy(e);
	imap_fetch_end(&b);
	imap_free(&f->s);
	pthread_join(f->server.thread, NULL);
	assert_string_equal(f->server.error, "");

	e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID STORE 4 +FLAGS.SILENT (\\Seen)",
	    "S m4 NO Request is throttled.");
	r = open_inbox(f, &e);
	uidset_init(&v.uids);
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_add(&v.uids, 4);
	assert_int_equal(ERR_BUSY, imap_store(f->s, &v, 1, &f->mem, r,
				       &modified, &failed, NULL, &e));
	assert_busy(e);
	assert_int_equal(failed.n, 0);
	uidset_release(&v.uids);
	uidset_release(&modified);
	uidset_release(&failed);
}

static void
test_nonsense_between_the_answers_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 STATUS \"x\" (MESSAGES)", "S * 0 EXPUNGE", "S * -1 EXPUNGE",
	    "S * 99 EXPUNGE", "S * 4294967296 EXISTS", "S * -5 EXISTS",
	    "S * 1.5 RECENT", "S * 7", "S * 7 NEWS (1 2)", "S * VANISHED 0",
	    "S * VANISHED x", "S * VANISHED (EARLIER)", "S * 1 FETCH",
	    "S * FETCH (UID 4)", "S * X-NEWS \"a\" {3}", "R abc", "S  (NIL)",
	    "S m99 OK who is that", "S a1 OK and that", "S [COPYUID 55 31 6]",
	    "S * OK [X-CODE (a \"b\")] x", "S * NO disk nearly full",
	    "S * BAD what was that", "S m4 OK");

	open_inbox(f, &e);
	assert_int_equal(ask(f).code, 0);
}

static void
test_a_mailbox_without_exists_is_not_empty(void **state)
{
	static const char *const lines[] = {"S * OK nothing", "S * -1 EXISTS",
	    "S * 4294967296 EXISTS", "S * EXISTS", "S * many EXISTS"};
	enum { N = sizeof lines / sizeof *lines };
	struct fixture *f = *state;
	struct imap_selected sel;
	struct rview r;

	for (size_t i = 0; i < N; i++) {
		struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"INBOX\"",
		    lines[i], "S * OK [UIDVALIDITY 9] x", "S m3 OK",
		    "C m4 SELECT \"INBOX\"", "S * 0 EXISTS",
		    "S * OK [UIDVALIDITY 9] x", "S m4 OK");

		assert_int_equal(e.code, 0);
		assert_int_equal(ERR_PROTO,
		    select_inbox(f, 0, 0, &sel, &r, &e));
		assert_int_equal(e.scope, ERR_SCOPE_BOX);
		uidset_release(&r.vanished);
		assert_int_equal(0, select_inbox(f, 0, 0, &sel, &r, &e));
		uidset_release(&r.vanished);
		if (i + 1 < N) {
			imap_free(&f->s);
			pthread_join(f->server.thread, NULL);
			assert_string_equal(f->server.error, "");
		}
	}
}

/* RFC 7162 section 3.2.11, and servers that forget it. */
static void
test_a_second_mailbox_with_and_without_closed(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct rview r;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 SELECT \"INBOX\" (QRESYNC (9 5))", "S * 7 EXISTS",
	    "S * OK [CLOSED] x", "S * OK [UIDVALIDITY 9] x",
	    "S * OK [HIGHESTMODSEQ 11] x", "S m4 OK",
	    "C m5 SELECT \"INBOX\" (QRESYNC (9 5))", "S * 3 EXISTS",
	    "S * OK [UIDVALIDITY 9] x", "S * OK [HIGHESTMODSEQ 11] x",
	    "S * VANISHED (EARLIER) 4", "S m5 OK",
	    "C m6 SELECT \"INBOX\" (QRESYNC (9 5))", "S * 7 EXISTS",
	    "S * OK [CLOSED] x", "S * 2 EXISTS", "S * OK [UIDVALIDITY 9] x",
	    "S * OK [HIGHESTMODSEQ 11] x", "S * VANISHED (EARLIER) 4",
	    "S m6 OK");

	open_inbox(f, &e);
	/* what came before CLOSED was about the other one */
	assert_int_equal(ERR_PROTO, select_inbox(f, 9, 5, &sel, &r, &e));
	uidset_release(&r.vanished);
	/* nobody knows what this is about: the delta counts for nothing */
	assert_int_equal(0, select_inbox(f, 9, 5, &sel, &r, &e));
	assert_int_equal(sel.exists, 3);
	assert_false(sel.qresync);
	assert_int_equal(r.vanished.n, 0);
	uidset_release(&r.vanished);
	assert_int_equal(0, select_inbox(f, 9, 5, &sel, &r, &e));
	assert_int_equal(sel.exists, 2);
	assert_true(sel.qresync);
	assert_true(uidset_has(&r.vanished, 4));
	uidset_release(&r.vanished);
}

static void
test_a_session_is_kept_while_there_is_nothing_to_ask(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, "C m3 NOOP", "S * 3 EXISTS",
	    "S * VANISHED 4", "S * 1 FETCH (UID 5 FLAGS (\\Seen))", "S m3 OK",
	    "C m4 NOOP", "S m4 NO not now", "C m5 NOOP",
	    "S * BYE you are late");

	assert_int_equal(e.code, 0);
	/* not before its time */
	assert_int_equal(0, imap_keep(f->s, 60000, &e));
	assert_int_equal(0, imap_keep(f->s, 0, &e));
	assert_int_equal(0, imap_keep(f->s, 60000, &e));
	/* it was heard, and that is all */
	assert_int_equal(0, imap_keep(f->s, 0, &e));
	assert_int_equal(e.code, 0);
	assert_int_equal(ERR_BYE, imap_keep(f->s, 0, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_a_busy_server_is_left_alone),
	    T(test_a_busy_server_that_hangs_up),
	    T(test_success_is_not_busy),
	    T(test_a_busy_server_at_the_door),
	    T(test_a_busy_server_ends_what_takes_a_no_for_an_answer),
	    T(test_a_mailbox_without_exists_is_not_empty),
	    T(test_a_second_mailbox_with_and_without_closed),
	    T(test_nonsense_between_the_answers_is_passed_over),
	    T(test_a_session_is_kept_while_there_is_nothing_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
