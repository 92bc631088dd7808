/*
 * The listing: its numbers, and what is not as LIST says.
 */
#include "dialogue.h"

/* RFC 8474: by themselves, and a listing without them is one all the same. */
static void
test_ids_are_asked_for_by_themselves(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f, LOGIN_WITH("OBJECTID LIST-STATUS"),
	    "C m3 LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT "
	    "UIDVALIDITY))",
	    "C m4 LIST \"\" \"*\" RETURN (STATUS (MAILBOXID))",
	    "S * LIST () \"/\" INBOX",
	    "S * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 9)",
	    "S m3 OK", "S * LIST () \"/\" INBOX", "S * LIST () \"/\" late",
	    "S * STATUS INBOX (MAILBOXID (F1-x))",
	    "S * STATUS late (MAILBOXID (F2))", "S m4 NO half of them",
	    "C m5 STATUS \"late\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m6 STATUS \"late\" (MAILBOXID)",
	    "S * STATUS late (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 10)", "S m5 OK",
	    "S m6 NO");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 2);
	assert_true(span_eq(l.v[0].mailboxid, SPAN("F1-x")));
	assert_true(span_eq(l.v[1].mailboxid, SPAN("F2")));
	assert_int_equal(l.v[1].uidvalidity, 10);
}

static void
test_subscriptions_and_uses_come_along(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f,
	    LOGIN_WITH("LIST-EXTENDED SPECIAL-USE LIST-STATUS"),
	    "C m3 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS "
	    "(MESSAGES UIDNEXT UIDVALIDITY))",
	    "S * LIST (\\Subscribed) \"/\" INBOX",
	    "S * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 9)",
	    "S * LIST (\\All) \"/\" Archive",
	    "S * STATUS Archive (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 8)",
	    "S m3 OK");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[0].attrs, ATTR_SUBSCRIBED);
	assert_int_equal(l.v[1].attrs, ATTR_ALL);
}

static void
test_what_cannot_be_found_does_not_exist(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	/* for their children both are listed; of one the text says it */
	struct err e = START(f, LOGIN_PLAIN, "C m3 LIST \"\" \"*\"",
	    "S * LIST () \"/\" INBOX", "S * LIST () \"/\" ghost",
	    "S * LIST () \"/\" gone", "S * LIST () \"/\" locked",
	    "S * LIST () \"/\" shy", "S * LIST () \"/\" away",
	    "S * LIST () \"/\" alone",
	    "S * LIST (\\Noselect) \"/\" ghost/child",
	    "S * LIST (\\Noselect) \"/\" away/child", "S m3 OK",
	    "C m4 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m5 STATUS \"ghost\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m6 STATUS \"gone\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m7 STATUS \"locked\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m8 STATUS \"shy\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m9 STATUS \"away\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m10 STATUS \"alone\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "S * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 9)",
	    "S m4 OK", "S m5 NO Mailbox doesn't exist", "S m6 NO", "S m7 NO",
	    "S m8 NO", "S m9 NO", "S m10 NO", "C m11 EXAMINE \"ghost\"",
	    "S m11 NO Mailbox doesn't exist", "C m12 EXAMINE \"gone\"",
	    "S m12 NO [NONEXISTENT] it was", "C m13 EXAMINE \"locked\"",
	    "S m13 NO [UNAVAILABLE] later", "C m14 EXAMINE \"shy\"",
	    "S * 3 EXISTS", "S m14 OK", "C m15 EXAMINE INBOX", "S m15 OK",
	    "C m16 EXAMINE \"away\"", "S m16 NO Server Unavailable. 15",
	    "C m17 EXAMINE \"alone\"", "S m17 NO Mailbox doesn't exist");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 9);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(i == 1 || i == 2,
		    (l.v[i].attrs & ATTR_NONEXISTENT) != 0);
	assert_int_equal(e.code, 0);
}

static void
test_subscriptions_that_the_listing_does_not_tell(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f, LOGIN_PLAIN, "C m3 LIST \"\" \"*\"",
	    "S * LIST (\\Noselect) \"/\" a", "S * LIST (\\Noselect) \"/\" b",
	    "S * LIST (\\Noselect) \"/\" c", "S m3 OK",
	    "C m4 LSUB \"\" \"*\"", "S * LSUB () \"/\" gone",
	    "S * LSUB (\\Noselect) \"/\" a", "S * LSUB () \"/\" c",
	    "S m4 OK");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_false(l.subscribed);
	for (int i = 0; i < 2; i++) /* the second asks nothing */
		assert_int_equal(
		    0, imap_subscribed(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    i == 2, (l.v[i].attrs & ATTR_SUBSCRIBED) != 0);
}

static void
test_a_server_without_subscriptions(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l = {.n = 0};
	struct err e = START(f, LOGIN_PLAIN, "C m3 LSUB \"\" \"*\"",
	    "S m3 BAD what?");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_subscribed(f->s, &f->mem, &l, &e));
	assert_int_equal(e.code, 0);
}

static void
test_what_is_there_and_cannot_be_asked(void **state)
{
	static const struct {
		int rc;
		bool exists;
	} want[] = {{0, true}, {0, false}, {0, false}, {0, false},
	    {ERR_NO, true}, {ERR_NO, true}};
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, "C m3 STATUS \"x\" (MESSAGES)",
	    "S m3 OK", "C m4 STATUS \"x\" (MESSAGES)", "S m4 NO no",
	    "C m5 STATUS \"x\" (MESSAGES)", "S m5 NO [NonExistent] no",
	    "C m6 STATUS \"x\" (MESSAGES)", "S m6 NO [TRYCREATE] no",
	    "C m7 STATUS \"x\" (MESSAGES)", "S m7 NO [INUSE] no",
	    "C m8 STATUS \"x\" (MESSAGES)", "S m8 NO [X-OTHER 1] no");

	assert_int_equal(e.code, 0);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		bool exists = true;

		assert_int_equal(want[i].rc,
		    imap_exists(f->s, SPAN("x"), &exists, &e));
		assert_int_equal(want[i].exists, exists);
		assert_true(want[i].rc == 0 || e.scope == ERR_SCOPE_BOX);
	}
}

/*
 * A name that is no quoted string waits for "+", and for all answers before it;
 * the server may refuse it there.
 */
static void
test_a_name_that_has_to_wait_is_refused(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f, LOGIN_PLAIN, "C m3 LIST \"\" \"*\"",
	    "S * LIST () \"/\" x", "S * LIST () \"/\" {3}",
	    "S \xe4\xf6\xfc", "S m3 OK",
	    "C m4 STATUS \"x\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "S * STATUS x (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 9)", "S m4 OK",
	    "C m5 STATUS {3}", "S m5 NO not this one", "C m6 EXAMINE {3}",
	    "S m6 NO nor so");

	f->conf.net.silence_ms = 500;
	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[0].messages, 1);
	assert_int_equal(l.v[1].has, 0);
	assert_int_equal(l.v[1].attrs, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_ids_are_asked_for_by_themselves),
	    T(test_subscriptions_and_uses_come_along),
	    T(test_what_cannot_be_found_does_not_exist),
	    T(test_subscriptions_that_the_listing_does_not_tell),
	    T(test_a_server_without_subscriptions),
	    T(test_what_is_there_and_cannot_be_asked),
	    T(test_a_name_that_has_to_wait_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
