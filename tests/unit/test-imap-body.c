#include "dialogue.h"

#define SOURCE(box, v, u)                                                      \
	{.wire = SPAN(box), .uidvalidity = v, .uids = u, .n = 1}
#define BODY(uid) "UID FETCH " uid " (UID FLAGS INTERNALDATE RFC822.SIZE "     \
	"BODY.PEEK[])"

static const uint32_t four[] = {4}, five[] = {5}, six[] = {6, 7};

/* All bodies as "SOURCE.UID:octets ", failures as "SOURCE.UID! ". */
static const char *
bodies(struct fixture *f, struct imap_source *v, size_t n, struct err *e)
{
	struct imap_fetch *b;
	const struct imap_failed *bad;
	struct rmsg m;
	struct span chunk;
	struct buf out;
	const char *text;
	int rc;

	assert_int_equal(e->code, 0);
	buf_init(&out, 1000);
	assert_int_equal(0, imap_fetch_from(f->s, v, n, &f->mem, &b, e));
	while ((rc = imap_fetch_next(b, &m, e)) > 0) {
		size_t octets = 0;

		while ((rc = imap_fetch_read(b, &chunk, e)) > 0)
			octets += chunk.n;
		if (rc == 0)
			rc = imap_fetch_done(b, &m, e);
		if (rc < 0)
			break;
		buf_addf(&out, "%zu.%u:%zu ", imap_fetch_source(b), m.uid,
		    octets);
	}
	n = imap_fetch_failed(b, &bad);
	for (size_t i = 0; i < n; i++)
		buf_addf(&out, "%zu.%u! ", bad[i].source, bad[i].uid);
	imap_fetch_end(&b);
	text = arena_str(&f->mem, buf_cstr(&out));
	buf_release(&out);
	return text;
}

static void
test_bodies_of_many_mailboxes_in_one_flight(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {SOURCE("a", 7, four), SOURCE("b", 8, four)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 " BODY("4"), "C m5 SELECT \"b\"", "C m6 " BODY("4"),
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 7] x", "S m3 OK",
	    "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abc\")", "S m4 OK",
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 8] x", "S m5 OK",
	    "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abcd\")", "S m6 OK");

	assert_string_equal(bodies(f, v, 2, &e), "0.4:3 1.4:4 ");
	assert_false(v[0].selected);
	assert_true(v[1].selected);
	assert_int_equal(v[1].sel.uidvalidity, 8);
}

static void
test_another_generation_gives_nothing(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {SOURCE("a", 7, four), SOURCE("b", 8, four),
	    SOURCE("c", 9, five)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 " BODY("4"), "C m5 SELECT \"b\"", "C m6 " BODY("4"),
	    "C m7 SELECT \"c\"", "C m8 " BODY("5"), "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 70] x", "S m3 OK",
	    "R * 1 FETCH (UID 4 FLAGS () BODY[] {20000}\r\n", "N 20000", "S )",
	    "S m4 OK", "S m5 NO [NOPERM] not you", "S m6 BAD nothing is open",
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 9] x", "S m7 OK",
	    "S * 1 FETCH (UID 5 FLAGS () BODY[] \"abcd\")", "S m8 OK");

	assert_string_equal(bodies(f, v, 3, &e), "2.5:4 ");
	assert_int_equal(v[0].err.code, ERR_STALE);
	assert_int_equal(v[1].err.code, ERR_NO);
	assert_int_equal(v[1].err.scope, ERR_SCOPE_BOX);
	assert_int_equal(v[2].err.code, 0);
}

/* A body between two mailboxes is of neither. */
static void
test_nothing_counts_while_a_select_is_due(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {SOURCE("a", 7, four), SOURCE("b", 8, four)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 " BODY("4"), "C m5 SELECT \"b\"", "C m6 " BODY("4"),
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 7] x", "S m3 OK", "S m4 OK",
	    "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abc\")", "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 8] x", "S m5 OK", "S m6 OK");

	assert_string_equal(bodies(f, v, 2, &e), "");
}

static void
test_what_was_refused_in_company_opens_its_mailbox_again(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {
	    {.wire = SPAN("a"), .uidvalidity = 7, .uids = six, .n = 2,
		.selected = true},
	    SOURCE("b", 8, four)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 " BODY("6:7"),
	    "C m4 SELECT \"b\"", "C m5 " BODY("4"), "S m3 NO one of them",
	    "C m6 SELECT \"a\"", "C m7 " BODY("6"), "C m8 " BODY("7"),
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 8] x", "S m4 OK",
	    "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abcd\")", "S m5 OK",
	    "S * 2 EXISTS", "S * OK [UIDVALIDITY 7] x", "S m6 OK",
	    "S m7 NO this one",
	    "S * 2 FETCH (UID 7 FLAGS () BODY[] \"ab\")", "S m8 OK");

	assert_string_equal(bodies(f, v, 2, &e), "1.4:4 0.7:2 0.6! ");
	assert_true(v[0].selected);
}

static void
test_another_order_ends_the_session(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {SOURCE("a", 7, four), SOURCE("b", 8, four)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 " BODY("4"), "C m5 SELECT \"b\"", "C m6 " BODY("4"),
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 7] x", "S m5 OK");

	assert_string_equal(bodies(f, v, 2, &e), "");
	assert_int_equal(e.code, ERR_PROTO);
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
}

static void
test_a_name_that_needs_a_literal_waits_for_its_turn(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {SOURCE("a", 7, four), SOURCE("\xc3\xa4", 8,
	    four), SOURCE("\xc3\xb6", 9, five)};
	struct err e = START(f, LOGIN_PLAIN, "C m3 SELECT \"a\"",
	    "C m4 " BODY("4"), "S * 1 EXISTS", "S * OK [UIDVALIDITY 7] x",
	    "S m3 OK", "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abc\")",
	    "S m4 OK", "C m5 SELECT {2}", "S + go on", "C \xc3\xa4",
	    "C m6 " BODY("4"), "S * 1 EXISTS", "S * OK [UIDVALIDITY 8] x",
	    "S m5 OK", "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abcd\")",
	    "S m6 OK", "C m7 SELECT {2}", "S m7 NO not that");

	assert_string_equal(bodies(f, v, 3, &e), "0.4:3 1.4:4 ");
	assert_int_equal(e.code, 0);
	assert_int_equal(v[2].err.code, ERR_NO);
}

static void
test_what_is_dropped_is_not_asked_for(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {
	    {.wire = SPAN("a"), .uidvalidity = 7, .uids = six, .n = 2,
		.selected = true},
	    SOURCE("b", 8, four)};
	struct imap_fetch *b;
	struct rmsg m;
	struct err e = START(f, LOGIN_PLAIN, "C m3 " BODY("6:7"),
	    "C m4 SELECT \"b\"", "C m5 " BODY("4"),
	    "R * 1 FETCH (UID 6 FLAGS () BODY[] {20000}\r\n", "N 20000", "S )",
	    "S * 2 FETCH (UID 7 FLAGS () BODY[] \"ab\")", "S m3 OK",
	    "S * 1 EXISTS", "S * OK [UIDVALIDITY 8] x", "S m4 OK",
	    "S * 1 FETCH (UID 4 FLAGS () BODY[] \"abcd\")", "S m5 OK");

	assert_int_equal(0, imap_fetch_from(f->s, v, 2, &f->mem, &b, &e));
	assert_int_equal(1, imap_fetch_next(b, &m, &e));
	/* nothing of it was read */
	imap_fetch_drop(b, 0);
	assert_int_equal(1, imap_fetch_next(b, &m, &e));
	assert_int_equal(imap_fetch_source(b), 1);
	imap_fetch_end(&b);
	assert_true(v[1].selected);
}

/* Courier's, where it cannot open the file. */
static void
test_what_stands_in_for_a_message_is_none(void **state)
{
	struct fixture *f = *state;
	struct imap_source v[] = {{.wire = SPAN("a"), .uidvalidity = 7,
	    .uids = six, .n = 2, .selected = true}};
	struct err e = START(f, LOGIN_PLAIN, "C m3 " BODY("6:7"),
	    "R * 1 FETCH (UID 6 FLAGS () BODY[] {129}\r\n",
	    "R From: System Administrator <root@localhost>\r\n",
	    "R Subject: message unavailable\r\n\r\n",
	    "R This message is no longer available on the server.\r\n", "S )",
	    "S * 2 FETCH (UID 7 FLAGS () BODY[] \"ab\")", "S m3 OK");

	assert_string_equal(bodies(f, v, 1, &e), "0.7:2 ");
	assert_int_equal(e.code, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_bodies_of_many_mailboxes_in_one_flight),
	    T(test_another_generation_gives_nothing),
	    T(test_nothing_counts_while_a_select_is_due),
	    T(test_what_was_refused_in_company_opens_its_mailbox_again),
	    T(test_another_order_ends_the_session),
	    T(test_a_name_that_needs_a_literal_waits_for_its_turn),
	    T(test_what_is_dropped_is_not_asked_for),
	    T(test_what_stands_in_for_a_message_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
