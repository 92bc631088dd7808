/*
 * RENAME, and names that need a literal.
 */
#include "dialogue.h"

static int
rename_box(struct fixture *f, struct err *e)
{
	return imap_rename(f->s, SPAN("a"), SPAN("b"), e);
}

static void
test_a_subscription_goes_where_its_mailbox_went(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 RENAME \"a\" \"b\"",
	    "S m3 OK", "C m4 SUBSCRIBE \"b\"", "S m4 OK",
	    "C m5 UNSUBSCRIBE \"a\"", "S m5 NO not subscribed");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, rename_box(f, &e));
	assert_int_equal(0, imap_subscribe(f->s, SPAN("b"), SPAN("a"), &e));
}

static void
test_a_rename_of_what_was_otherwise_is_stale(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 RENAME \"a\" \"b\"",
	    "S m3 NO [NONEXISTENT] no", "C m4 RENAME \"a\" \"b\"",
	    "S m4 NO [AlreadyExists] no",
	    /* servers that give no code are asked */
	    "C m5 RENAME \"a\" \"b\"", "S m5 NO no",
	    "C m6 STATUS \"a\" (MESSAGES)", "S m6 NO no",
	    "C m7 STATUS \"b\" (MESSAGES)", "S m7 NO no",
	    "C m8 RENAME \"a\" \"b\"", "S m8 NO no",
	    "C m9 STATUS \"a\" (MESSAGES)", "S m9 OK",
	    "C m10 STATUS \"b\" (MESSAGES)", "S m10 OK");

	assert_int_equal(e.code, 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(ERR_STALE, rename_box(f, &e));
		assert_int_equal(e.scope, ERR_SCOPE_BOX);
		assert_int_equal(e.retry, ERR_RETRY_LATER);
	}
}

static void
test_a_rename_refused_leaves_the_subscription(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 RENAME \"a\" \"b\"",
	    "S m3 NO [CANNOT] no", "C m4 RENAME \"a\" \"b\"", "S m4 NO no",
	    "C m5 STATUS \"a\" (MESSAGES)", "S m5 OK",
	    "C m6 STATUS \"b\" (MESSAGES)", "S m6 NO");

	assert_int_equal(e.code, 0);
	assert_int_equal(ERR_NO, rename_box(f, &e));
	assert_string_equal(e.resp, "CANNOT");
	assert_int_equal(e.retry, ERR_RETRY_NEVER);
	assert_int_equal(ERR_NO, rename_box(f, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
}

static void
test_what_is_not_deleted_stays_subscribed(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 DELETE \"a\"",
	    "S m3 NO [NOPERM] no", "C m4 DELETE \"a\"", "S m4 NO no",
	    "C m5 STATUS \"a\" (MESSAGES)", "S m5 OK", "C m6 DELETE \"a\"",
	    "S m6 NO no", "C m7 STATUS \"a\" (MESSAGES)",
	    "S m7 NO [UNAVAILABLE] later");

	assert_int_equal(e.code, 0);
	assert_int_equal(ERR_NO, imap_delete(f->s, SPAN("a"), &e));
	assert_string_equal(e.resp, "NOPERM");
	assert_int_equal(ERR_NO, imap_delete(f->s, SPAN("a"), &e));
	assert_string_equal(e.resp, "");
	assert_int_equal(ERR_NO, imap_delete(f->s, SPAN("a"), &e));
	assert_string_equal(e.resp, "UNAVAILABLE");
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
}

/* Without LITERAL+ each waits for "+", and no answer is missed meanwhile. */
static void
test_names_that_wait_go_one_by_one(void **state)
{
	const struct span ae = SPAN("\xc3\xa4"), oe = SPAN("\xc3\xb6");
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, "C m3 CREATE {2}", "S + go",
	    "C \xc3\xa4", "S m3 OK", "C m4 SUBSCRIBE {2}", "S + go",
	    "C \xc3\xa4", "S m4 OK", "C m5 DELETE {2}",
	    "S m5 NO no", "C m6 STATUS {2}", "S + go",
	    "C \xc3\xa4 (MESSAGES)", "S m6 NO", "C m7 UNSUBSCRIBE {2}",
	    "S + go", "C \xc3\xa4", "S m7 OK",
	    "C m8 RENAME {2}", "S + go", "C \xc3\xa4 {2}", "S + go",
	    "C \xc3\xb6", "S m8 OK", "C m9 RENAME {2}", "S + go",
	    "C \xc3\xa4 {2}", "S m9 NO [NONEXISTENT] no");
	bool was;

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_create(f->s, ae, &was, &e));
	assert_int_equal(0, imap_delete(f->s, ae, &e));
	assert_int_equal(0, imap_rename(f->s, ae, oe, &e));
	assert_int_equal(ERR_STALE, imap_rename(f->s, ae, oe, &e));
}

static void
test_the_open_mailbox_is_left_without_unselect(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 EXAMINE INBOX", "S * 2 EXISTS", "S m4 OK",
	    "C m5 EXAMINE INBOX", "S m5 NO no such mailbox");

	open_inbox(f, &e);
	assert_int_equal(0, imap_unselect(f->s, &e));
	/* that is another mailbox now; leaving it may fail, and is done then */
	assert_int_equal(0, imap_unselect(f->s, &e));
	assert_int_equal(0, imap_unselect(f->s, &e));
	assert_int_equal(0, e.code);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_a_subscription_goes_where_its_mailbox_went),
	    T(test_a_rename_of_what_was_otherwise_is_stale),
	    T(test_a_rename_refused_leaves_the_subscription),
	    T(test_what_is_not_deleted_stays_subscribed),
	    T(test_names_that_wait_go_one_by_one),
	    T(test_the_open_mailbox_is_left_without_unselect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
