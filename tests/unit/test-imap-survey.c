#include "dialogue.h"

/* The first questions to N mailboxes; the views are the fixture's arena's. */
static int
survey(struct fixture *f, struct imap_ask *a, size_t n, struct err *e)
{
	struct imap_ask *v[8];

	assert_int_equal(e->code, 0);
	for (size_t i = 0; i < n; i++)
		v[i] = &a[i];
	return imap_survey(f->s, v, n, &f->mem, e);
}

static void
release(struct imap_ask *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		imap_ask_release(&a[i]);
}

#define LIST_ALL(box)                                                          \
	{.wire = SPAN(box), .messages = 9, .uidnext = 9, .all = true,     \
	    .with_size = true}
#define ITEMS "(UID FLAGS INTERNALDATE RFC822.SIZE)"

static void
test_all_are_asked_before_the_first_answer(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[2] = {LIST_ALL("a"), LIST_ALL("b")};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 UID FETCH 1:* " ITEMS, "C m5 SELECT \"b\"",
	    "C m6 UID FETCH 1:* " ITEMS, "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 7] x", "S * OK [UIDNEXT 4] x", "S m3 OK",
	    "S * 1 FETCH (UID 3 FLAGS (\\Seen) RFC822.SIZE 20)", "S m4 OK",
	    "S * 0 EXISTS", "S * OK [UIDVALIDITY 8] x", "S m5 OK", "S m6 OK");

	assert_int_equal(0, survey(f, a, 2, &e));
	assert_int_equal(a[0].state, IMAP_ASKED_OPENED);
	assert_int_equal(a[0].sel.uidvalidity, 7);
	assert_true(a[0].has_listed && a[0].listed.complete);
	assert_int_equal(a[0].listed.n, 1);
	assert_int_equal(a[0].listed.v[0].size, 20);
	assert_int_equal(a[1].sel.uidvalidity, 8);
	assert_true(a[1].has_listed && a[1].listed.complete);
	assert_int_equal(a[1].listed.n, 0);
	release(a, 2);
}

static void
test_a_refused_one_takes_its_fetch_along(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[3] = {LIST_ALL("a"), LIST_ALL("b"), LIST_ALL("c")};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 UID FETCH 1:* " ITEMS, "C m5 SELECT \"b\"",
	    "C m6 UID FETCH 1:* " ITEMS, "C m7 SELECT \"c\"",
	    "C m8 UID FETCH 1:* " ITEMS, "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 7] x", "S m3 OK",
	    "S * 1 FETCH (UID 3 FLAGS () RFC822.SIZE 20)", "S m4 OK",
	    "S m5 NO [NOPERM] not you",
	    /* one that goes on with the mailbox before */
	    "S * 1 FETCH (UID 3 FLAGS () RFC822.SIZE 20)", "S m6 OK",
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 9] x", "S m7 OK",
	    "S * 1 FETCH (UID 5 FLAGS () RFC822.SIZE 30)", "S m8 OK");

	assert_int_equal(0, survey(f, a, 3, &e));
	assert_int_equal(a[1].state, IMAP_ASKED_REFUSED);
	assert_int_equal(a[1].err.code, ERR_NO);
	assert_int_equal(a[1].err.scope, ERR_SCOPE_BOX);
	assert_int_equal(a[1].listed.n, 0);
	assert_false(a[1].has_listed);
	assert_int_equal(a[2].listed.n, 1);
	assert_int_equal(a[2].listed.v[0].uid, 5);
	release(a, 3);
}

static void
test_what_comes_before_closed_is_of_the_mailbox_before(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[2] = {LIST_ALL("a"),
	    {.wire = SPAN("b"), .uidvalidity = 8, .modseq = 5,
		.modseqs = true, .messages = 2, .uidnext = 6,
		.fresh_from = 4}};
	struct err e = START(f, LOGIN_ALL, "C m3 SELECT \"a\"",
	    "C m4 UID FETCH 1:* " ITEMS, "C m5 SELECT \"b\" (QRESYNC (8 5))",
	    "C m6 UID FETCH 4:5 (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)",
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 7] x",
	    "S * OK [HIGHESTMODSEQ 3] x", "S m3 OK",
	    "S * 1 FETCH (UID 3 FLAGS () RFC822.SIZE 20)", "S m4 OK",
	    "S * VANISHED 3", "S * 0 EXISTS", "S * OK [CLOSED] a",
	    "S * 2 EXISTS", "S * OK [UIDVALIDITY 8] x",
	    "S * OK [UIDNEXT 6] x", "S * OK [HIGHESTMODSEQ 9] x",
	    "S * VANISHED (EARLIER) 2",
	    "S * 2 FETCH (UID 5 FLAGS () MODSEQ (9))", "S m5 OK",
	    "S * 2 FETCH (UID 5 FLAGS () MODSEQ (9) RFC822.SIZE 30)",
	    "S m6 OK");

	assert_int_equal(0, survey(f, a, 2, &e));
	assert_true(a[0].has_listed && a[0].listed.complete);
	assert_int_equal(a[0].listed.n, 1);
	assert_true(a[1].sel.qresync);
	assert_int_equal(a[1].opened.exists, 2);
	assert_int_equal(uidset_count(&a[1].opened.vanished), 1);
	assert_true(uidset_has(&a[1].opened.vanished, 2));
	assert_int_equal(a[1].opened.n, 1);
	assert_true(a[1].has_fresh);
	assert_int_equal(a[1].fresh.v[0].size, 30);
	release(a, 2);
}

static void
test_another_order_of_answers_ends_the_session(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[2] = {LIST_ALL("a"), LIST_ALL("b")};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 UID FETCH 1:* " ITEMS, "C m5 SELECT \"b\"",
	    "C m6 UID FETCH 1:* " ITEMS, "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 7] x", "S m5 OK");

	assert_int_equal(ERR_PROTO, survey(f, a, 2, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_int_equal(a[0].state, IMAP_ASKED_NOT);
	release(a, 2);
}

static void
test_a_name_that_needs_a_literal_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[2] = {LIST_ALL("\xc3\xa4"), LIST_ALL("b")};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"b\"",
	    "C m4 UID FETCH 1:* " ITEMS, "S * 0 EXISTS",
	    "S * OK [UIDVALIDITY 7] x", "S m3 OK", "S m4 OK");

	assert_int_equal(0, survey(f, a, 2, &e));
	assert_false(a[0].sent);
	assert_int_equal(a[0].state, IMAP_ASKED_NOT);
	assert_int_equal(a[1].state, IMAP_ASKED_OPENED);
	release(a, 2);
}

static void
test_bad_ends_the_asking(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a[1] = {{.wire = SPAN("b"), .uidvalidity = 8,
	    .modseq = 5, .modseqs = true, .messages = 2, .uidnext = 6,
	    .fresh_from = 4}};
	struct err e = START(f, LOGIN_ALL, "C m3 SELECT \"b\" (QRESYNC (8 5))",
	    "C m4 UID FETCH 4:5 (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)",
	    "S m3 BAD what is QRESYNC?", "S m4 BAD nothing is selected");

	assert_int_equal(0, survey(f, a, 1, &e));
	assert_int_equal(a[0].state, IMAP_ASKED_NOT);
	assert_false(a[0].has_fresh);
	release(a, 1);
}

#define FLAGS_AND_SIZES                                                        \
	"C m3 SELECT \"b\"", "C m4 UID FETCH 1:* (UID FLAGS)",                 \
	    "C m5 UID FETCH 4:8 " ITEMS, "S * 3 EXISTS",                       \
	    "S * OK [UIDVALIDITY 8] x", "S m3 OK",                             \
	    "S * 1 FETCH (UID 2 FLAGS ())", "S * 2 FETCH (UID 5 FLAGS ())",    \
	    "S * 3 FETCH (UID 7 FLAGS ())"
#define FLAGS_THEN_SIZES                                                       \
	{.wire = SPAN("b"), .messages = 3, .uidnext = 9, .all = true,          \
	    .fresh_from = 4}
#define SIZE_OF(uid) "S * 2 FETCH (UID " uid " FLAGS () RFC822.SIZE 30)"

/* The connection ends; what was to come next? */
static uint32_t
pending(struct fixture *f, struct imap_ask *a, struct err e)
{
	uint32_t uid;

	assert_int_equal(ERR_BYE, survey(f, a, 1, &e));
	assert_true(a->ended);
	uid = a->pending;
	release(a, 1);
	return uid;
}

static void
test_the_size_that_was_to_come(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a = FLAGS_THEN_SIZES;
	struct err e = START(f, LOGIN_PLAIN, FLAGS_AND_SIZES, "S m4 OK",
	    SIZE_OF("5"), "S * BYE cannot read it");

	assert_int_equal(7, pending(f, &a, e));
}

static void
test_the_size_that_was_to_come_while_flags_do(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a = FLAGS_THEN_SIZES;
	struct err e = START(f, LOGIN_PLAIN, FLAGS_AND_SIZES, SIZE_OF("5"),
	    "S * BYE cannot read it");

	assert_int_equal(7, pending(f, &a, e));
}

static void
test_all_sizes_have_come(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a = FLAGS_THEN_SIZES;
	struct err e = START(f, LOGIN_PLAIN, FLAGS_AND_SIZES, "S m4 OK",
	    SIZE_OF("5"), SIZE_OF("7"), "S * BYE enough");

	assert_int_equal(0, pending(f, &a, e));
}

static void
test_the_size_that_was_to_come_of_all(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a = LIST_ALL("b");
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"b\"",
	    "C m4 UID FETCH 1:* " ITEMS, "S * 3 EXISTS",
	    "S * OK [UIDVALIDITY 8] x", "S m3 OK", SIZE_OF("5"),
	    "S * BYE cannot read it");

	assert_int_equal(6, pending(f, &a, e));
}

static void
test_no_size_was_to_come(void **state)
{
	struct fixture *f = *state;
	struct imap_ask a = LIST_ALL("b");
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"b\"",
	    "C m4 UID FETCH 1:* " ITEMS, "S * BYE it cannot be opened");

	assert_int_equal(0, pending(f, &a, e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_all_are_asked_before_the_first_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_refused_one_takes_its_fetch_along, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_comes_before_closed_is_of_the_mailbox_before, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		test_another_order_of_answers_ends_the_session, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_name_that_needs_a_literal_is_left_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_bad_ends_the_asking, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_size_that_was_to_come, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_size_that_was_to_come_while_flags_do, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		test_all_sizes_have_come, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_size_that_was_to_come_of_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_no_size_was_to_come, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
