/*
 * FETCH answers as servers really send them.
 */
#include "dialogue.h"

static void
fetch_all(struct fixture *f, struct rview *r)
{
	struct err e;

	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, true, &f->mem, r, &e));
}

#define SIZES " (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)"
#define META "UID FETCH 1:*" SIZES
#define DATE "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\""

static void
test_items_come_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " META,
	    "S * 1 FETCH (FLAGS (\\Seen) UID 4 MODSEQ (3) RFC822.SIZE 9 " DATE
	    ")",
	    "S * 2 fetch (rfc822.size 8 modseq (2) " DATE
	    " x-new (a (b)) flags () uid 5)",
	    "S m4 OK");
	struct rview *r = open_inbox(f, &e);

	fetch_all(f, r);
	assert_true(r->complete);
	assert_int_equal(r->v[0].uid, 4);
	assert_int_equal(r->v[0].flags.sys, FLAG_SEEN);
	assert_int_equal(r->v[0].size, 9);
	assert_int_equal(r->v[1].uid, 5);
	assert_int_equal(r->v[1].size, 8);
	assert_int_equal(r->v[1].modseq, 2);
	assert_int_equal(r->v[1].idate, 837596665);
}

static void
test_a_size_that_is_refused_hides_nothing(void **state)
{
	static const char *const no[] = {"S m4 NO no", "S m4 BAD no"};

	for (size_t i = 0; i < 2; i++) {
		struct fixture *f = *state;
		struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
		    "C m4 UID FETCH 1:*" SIZES, no[i],
		    "C m5 UID FETCH 1:* (UID FLAGS MODSEQ)",
		    "S * 1 FETCH (UID 4 FLAGS () MODSEQ (3))",
		    "S * 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (4))",
		    "S m5 OK", "C m6 UID FETCH 4" SIZES, "S m6 BAD not this",
		    "C m7 UID FETCH 5" SIZES,
		    "S * 2 FETCH (UID 5 FLAGS () MODSEQ (5) RFC822.SIZE 8)",
		    "S m7 OK");
		struct rview *r = open_inbox(f, &e);

		fetch_all(f, r);
		assert_true(r->complete);
		assert_int_equal(r->n, 2);
		assert_true(r->v[0].uid == 4 && !r->v[0].has_meta);
		assert_true(r->v[1].has_meta && r->v[1].size == 8);
		assert_int_equal(r->v[1].flags.sys, 0);
		assert_int_equal(r->highestmodseq, 11);
		imap_free(&f->s);
		pthread_join(f->server.thread, NULL);
		assert_string_equal(f->server.error, "");
		f->server.script = NULL;
	}
}

/* UIDs 4, 5, 7 and 9; the connection ends. */
static uint32_t
pending(struct fixture *f, bool with_size, struct err e)
{
	struct rview *r = open_inbox(f, &e);
	struct uidset set;

	uidset_init(&set);
	uidset_add_range(&set, 4, 5);
	uidset_add(&set, 7);
	uidset_add(&set, 9);
	assert_int_equal(ERR_BYE,
	    imap_fetch_meta(f->s, &set, false, with_size, &f->mem, r, &e));
	uidset_release(&set);
	return imap_pending(f->s);
}

#define FIRST_SIZE "S * 1 FETCH (UID 4 FLAGS () MODSEQ (3) RFC822.SIZE 8)"

static void
test_the_size_that_was_to_come(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5,7,9" SIZES, FIRST_SIZE, "S * VANISHED 5",
	    /* a change that nobody asked for */
	    "S * 3 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (5))", "S * BYE no");

	assert_int_equal(7, pending(f, true, e));
}

static void
test_the_size_that_was_to_come_of_some(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5,7,9" SIZES, "S m4 NO one of them",
	    "C m5 UID FETCH 4:5,7,9 (UID FLAGS MODSEQ)",
	    "S * 1 FETCH (UID 4 FLAGS ())", "S * 2 FETCH (UID 5 FLAGS ())",
	    "S * 3 FETCH (UID 7 FLAGS ())", "S * 4 FETCH (UID 9 FLAGS ())",
	    "S m5 OK", "C m6 UID FETCH 4:5" SIZES, "S m6 NO one of them",
	    "C m7 UID FETCH 4" SIZES, "S m7 NO this", "C m8 UID FETCH 5" SIZES,
	    "S * BYE no");

	assert_int_equal(5, pending(f, true, e));
}

static void
test_no_size_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5,7,9 (UID FLAGS MODSEQ)",
	    "S * 1 FETCH (UID 4 FLAGS ())", "S * BYE no");

	assert_int_equal(0, pending(f, false, e));
}

/* Whatever the number is, the message is there, and the session goes on. */
static void
test_numbers_that_make_no_sense_are_unknown(void **state)
{
	static const struct {
		const char *items;
		bool meta;
		uint64_t size, modseq;
	} cases[] = {
	    {"RFC822.SIZE -1 MODSEQ (0)", false, 0, 0},
	    {"RFC822.SIZE 9.37e+06 MODSEQ (-1)", false, 0, 0},
	    {"RFC822.SIZE 18446744073709551616 MODSEQ (18446744073709551616)",
		false, 0, 0},
	    {"RFC822.SIZE NIL MODSEQ NIL", false, 0, 0},
	    {"RFC822.SIZE (5) MODSEQ 5", false, 0, 0},
	    {"RFC822.SIZE \"5\" MODSEQ ()", false, 0, 0},
	    {"RFC822.SIZE 4294967296 MODSEQ (9223372036854775807)", true,
		4294967296, 9223372036854775807},
	    {"RFC822.SIZE 7 INTERNALDATE \"00-Foo-0000 99:99:99 +9999\"", true,
		7, 0},
	    {"RFC822.SIZE 7 INTERNALDATE NIL", true, 7, 0},
	};
	enum { N = sizeof cases / sizeof *cases };
	struct fixture *f = *state;
	const char *script[N + 32] = {LOGIN_ALL, "C m3 SELECT \"INBOX\"",
	    "S * 9 EXISTS", "S * OK [UIDVALIDITY 9] x",
	    "S * OK [HIGHESTMODSEQ 11] x", "S m3 OK", ("C m4 " META)};
	size_t n = 0;
	struct err e;

	while (script[n])
		n++;
	for (unsigned i = 0; i < N; i++)
		script[n++] = arena_printf(&f->mem,
		    "S * %u FETCH (UID %u FLAGS (\\Seen) %s)", i + 1, i + 1,
		    cases[i].items);
	script[n++] = "S m4 OK";
	e = start(f, script);
	struct rview *r = open_inbox(f, &e);

	fetch_all(f, r);
	assert_true(r->complete);
	assert_int_equal(r->n, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(r->v[i].has_meta, cases[i].meta);
		assert_int_equal(r->v[i].size, cases[i].size);
		assert_int_equal(r->v[i].modseq, cases[i].modseq);
		assert_int_equal(r->v[i].idate, 0);
		assert_int_equal(r->v[i].flags.sys, FLAG_SEEN);
	}
}

static void
test_answers_twice_without_uid_and_for_others(void **state)
{
	struct fixture *f = *state;
	struct uidset set;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5 (UID FLAGS MODSEQ)",
	    /* without a UID nobody knows which: not a message */
	    "S * 1 FETCH (FLAGS (\\Deleted))",
	    "S * 1 FETCH (UID 0 FLAGS (\\Deleted))",
	    "S * 1 FETCH (UID -4 FLAGS (\\Deleted))",
	    /* without flags it says nothing about them */
	    "S * 1 FETCH (UID 4 MODSEQ (99))",
	    "S * 1 FETCH (UID 4 FLAGS (\\Draft) MODSEQ (5))",
	    /* a change somebody else made in between */
	    "S * 3 FETCH (UID 77 FLAGS (\\Flagged) MODSEQ (8))",
	    "S * 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (7))", "S m4 OK");
	struct rview *r = open_inbox(f, &e);

	uidset_init(&set);
	uidset_add_range(&set, 4, 5);
	assert_int_equal(0,
	    imap_fetch_meta(f->s, &set, false, false, &f->mem, r, &e));
	assert_int_equal(r->n, 2);
	assert_int_equal(r->v[0].uid, 4);
	assert_int_equal(r->v[0].flags.sys, FLAG_SEEN);
	assert_int_equal(r->v[0].modseq, 7);
	assert_int_equal(r->v[1].uid, 77);
	assert_int_equal(r->v[1].flags.sys, FLAG_FLAGGED);
	assert_false(r->complete);
	uidset_release(&set);
}

/* Nothing of this stands for the message that was not listed. */
static void
test_what_does_not_add_up_is_not_complete(void **state)
{
	static const char *const lines[] = {"S * 3 EXPUNGE", "S * 0 EXPUNGE",
	    "S * 4294967296 EXPUNGE", "S * 1 EXISTS", "S * 0 EXISTS",
	    "S * 2 FETCH (UID 4 FLAGS ())", "S * 2 FETCH (FLAGS ())",
	    "S * VANISHED (EARLIER) 5", "S * 2 FETCH (UID 5)"};
	enum { N = sizeof lines / sizeof *lines };
	struct fixture *f = *state;

	for (size_t i = 0; i < N; i++) {
		struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " META,
		    "S * 1 FETCH (UID 4 FLAGS ())", lines[i], "S m4 OK");
		struct rview *r = open_inbox(f, &e);

		fetch_all(f, r);
		assert_int_equal(r->n, 1);
		if (r->complete)
			fail_msg("complete after '%s'", lines[i]);
		if (i + 1 < N) {
			imap_free(&f->s);
			pthread_join(f->server.thread, NULL);
			assert_string_equal(f->server.error, "");
		}
	}
}

/* All bodies as "UID:octets ". */
static char *
bodies(struct fixture *f, uint32_t lo, uint32_t hi, struct err *e)
{
	uint32_t uids[100];
	struct imap_fetch *b;
	struct rmsg m;
	struct span chunk;
	struct buf out;
	char *text;
	size_t n = 0;
	int rc;

	for (uint32_t u = lo; u <= hi; u++)
		uids[n++] = u;
	buf_init(&out, 1000);
	assert_int_equal(0,
	    imap_fetch_begin(f->s, uids, NULL, n, &f->mem, &b, e));
	while ((rc = imap_fetch_next(b, &m, e)) > 0) {
		size_t octets = 0;

		while ((rc = imap_fetch_read(b, &chunk, e)) > 0)
			octets += chunk.n;
		assert_int_equal(rc, 0);
		assert_int_equal(0, imap_fetch_done(b, &m, e));
		buf_addf(&out, "%u:%zu ", m.uid, octets);
	}
	assert_int_equal(rc, 0);
	imap_fetch_end(&b);
	text = arena_str(&f->mem, buf_cstr(&out));
	buf_release(&out);
	return text;
}

#define BODIES " (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE BODY.PEEK[])"

static void
test_no_data_is_no_message(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 1:9" BODIES,
	    "S * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 5 BODY[] \"\")",
	    "S * 2 FETCH (UID 2 FLAGS () RFC822.SIZE 5 BODY[] NIL)",
	    "S * 3 FETCH (UID 3 FLAGS () RFC822.SIZE 5)",
	    "S * 4 FETCH (UID 4 FLAGS () RFC822.SIZE 0 BODY[] {0}", "S )",
	    "S * 5 FETCH (UID 5 FLAGS () BODY[] ())",
	    "S * 6 FETCH (UID 6 FLAGS () BODY[] abc)",
	    "S * 7 FETCH (UID 7 FLAGS () BODY[HEADER] \"a\" BODY[TEXT] \"b\")",
	    "S * 8 FETCH (UID 8 FLAGS () BODY[]<0> \"a\")",
	    "S * 9 FETCH (UID 9 FLAGS () BODY[] \"a\")", "S m4 OK");

	open_inbox(f, &e);
	assert_string_equal(bodies(f, 1, 9, &e), "9:1 ");
}

/* The octets that come are the message, whatever RFC822.SIZE says. */
static void
test_a_wrong_size_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:6" BODIES,
	    "S * 1 FETCH (UID 4 RFC822.SIZE 0 BODY[] {3}", "R abc",
	    "S  FLAGS ())",
	    "R * 2 FETCH (UID 5 RFC822.SIZE 3 BODY[] {20000}\r\n", "N 20000",
	    "S  FLAGS ())",
	    "R * 3 FETCH (RFC822.SIZE -7 BODY[] {20000}\r\n", "N 20000",
	    "S  FLAGS () UID 6 RFC822.SIZE 9.37e+06)", "S m4 OK");

	open_inbox(f, &e);
	assert_string_equal(bodies(f, 4, 6, &e), "4:3 5:20000 6:20000 ");
}

static void
test_bodies_nobody_asked_for(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5" BODIES,
	    "S * 1 FETCH (UID 77 FLAGS () BODY[] \"abc\")",
	    /* it shows only behind the octets whose they are */
	    "R * 1 FETCH (BODY[] {20000}\r\n", "N 20000", "S  UID 77)",
	    "R * 1 FETCH (BODY[] {20000}\r\n", "N 20000", "S )",
	    "R * 1 FETCH (UID 77 BODY[] {20000}\r\n", "N 20000", "S  UID 5)",
	    /* two bodies: the first one, and not a part */
	    "R * 1 FETCH (UID 4 BODY[HEADER] {20001}\r\n", "N 20001",
	    "R  BODY[] \"abcd\" BODY[TEXT] {20002}\r\n", "N 20002", "S )",
	    "S * 1 FETCH (UID 4 BODY[] \"again\")", "S * 2 EXPUNGE",
	    "S m4 OK");

	open_inbox(f, &e);
	assert_string_equal(bodies(f, 4, 5, &e), "0:20000 0:20000 4:4 ");
}

static void
test_samples_nobody_asked_for(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[] = {{.uid = 4, .off = 10, .len = 5},
	    {.uid = 6, .off = 10, .len = 5}, {.uid = 7, .off = 10, .len = 5},
	    {.uid = 8, .off = 10, .len = 5}};
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4,6:8 (UID BODY.PEEK[]<10.5>)",
	    "S * 1 FETCH (UID 5 BODY[]<10> \"other\")",
	    "S * 1 FETCH (UID 4 BODY[]<0> \"start\")",
	    "S * 1 FETCH (UID 4 BODY[] \"whole\")",
	    "S * 1 FETCH (UID 4 BODY[TEXT]<10> \"text\")",
	    "S * 1 FETCH (BODY[]<10> \"who\")",
	    "S * 1 FETCH (BODY[]<10> \"right\" UID 4)",
	    "S * 1 FETCH (UID 4 BODY[]<10> \"again\")",
	    "S * 2 FETCH (UID 6 BODY[]<10> \"toolong\")",
	    /* at or behind the end */
	    "S * 3 FETCH (UID 7 BODY[]<10> \"\")", "S m4 OK");

	open_inbox(f, &e);
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, v, 4, &e));
	assert_true(span_eq(v[0].got, SPAN("right")));
	assert_null(v[1].got.p);
	assert_true(v[2].got.p && v[2].got.n == 0);
	assert_null(v[3].got.p);
}

/* A NO concerns one message: of the others samples come. */
static void
test_samples_refused_in_company_are_asked_for_alone(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[] = {{.uid = 4, .len = 5}, {.uid = 5, .len = 5},
	    {.uid = 6, .len = 5}};
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:6 (UID BODY.PEEK[]<0.5>)",
	    "S * 1 FETCH (UID 4 BODY[]<0> \"first\")", "S m4 NO no",
	    "C m5 UID FETCH 5 (UID BODY.PEEK[]<0.5>)",
	    "C m6 UID FETCH 6 (UID BODY.PEEK[]<0.5>)",
	    "S m5 NO it cannot be read",
	    "S * 3 FETCH (UID 6 BODY[]<0> \"third\")", "S m6 OK");

	open_inbox(f, &e);
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, v, 3, &e));
	assert_true(span_eq(v[0].got, SPAN("first")));
	assert_null(v[1].got.p);
	assert_true(span_eq(v[2].got, SPAN("third")));
}

static void
test_samples_of_one_kind_go_in_one_command(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[70];
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 1:64 (UID BODY.PEEK[]<0.10>)",
	    "C m5 UID FETCH 65:68 (UID BODY.PEEK[]<0.10>)",
	    "C m6 UID FETCH 69:70 (UID BODY.PEEK[]<3.10>)",
	    "S * 1 FETCH (UID 70 BODY[]<3> \"c\")", "S m6 OK",
	    "S * 1 FETCH (UID 1 BODY[]<0> \"a\")", "S m4 OK",
	    "S * 1 FETCH (UID 65 BODY[]<0> \"b\")", "S m5 OK");

	open_inbox(f, &e);
	for (uint32_t i = 0; i < 70; i++)
		v[i] = (struct imap_sample){.uid = i + 1,
		    .off = i < 68 ? 0 : 3, .len = 10};
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, v, 70, &e));
	for (uint32_t i = 0; i < 70; i++)
		assert_int_equal(v[i].got.n, i == 0 || i == 64 || i == 69);
	/* LOGIN, ENABLE, SELECT, and all the samples */
	assert_int_equal(imap_stats(f->s).round_trips, 4);
}

/* The connection ends: which one was to come. */
static void
test_samples_pending(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[] = {{.uid = 9, .len = 5}, {.uid = 4, .len = 5},
	    {.uid = 7, .len = 5}, {.uid = 2, .off = 3, .len = 5}};
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4,7,9 (UID BODY.PEEK[]<0.5>)",
	    "C m5 UID FETCH 2 (UID BODY.PEEK[]<3.5>)",
	    "S * 1 FETCH (UID 4 BODY[]<0> \"first\")", "X");

	open_inbox(f, &e);
	assert_int_equal(
	    ERR_NET, imap_fetch_samples(f->s, &f->mem, v, 4, &e));
	assert_int_equal(imap_pending(f->s), 7);
}

/* What was not given is not waited for. */
static void
test_samples_pending_behind_an_answer(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[] = {{.uid = 4, .len = 5},
	    {.uid = 7, .off = 3, .len = 5}};
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4 (UID BODY.PEEK[]<0.5>)",
	    "C m5 UID FETCH 7 (UID BODY.PEEK[]<3.5>)", "S m4 OK", "X");

	open_inbox(f, &e);
	assert_int_equal(
	    ERR_NET, imap_fetch_samples(f->s, &f->mem, v, 2, &e));
	assert_int_equal(imap_pending(f->s), 7);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_items_come_in_any_order),
	    T(test_a_size_that_is_refused_hides_nothing),
	    T(test_the_size_that_was_to_come),
	    T(test_the_size_that_was_to_come_of_some),
	    T(test_no_size_was_asked_for),
	    T(test_numbers_that_make_no_sense_are_unknown),
	    T(test_answers_twice_without_uid_and_for_others),
	    T(test_what_does_not_add_up_is_not_complete),
	    T(test_no_data_is_no_message),
	    T(test_a_wrong_size_changes_nothing),
	    T(test_bodies_nobody_asked_for),
	    T(test_samples_nobody_asked_for),
	    T(test_samples_refused_in_company_are_asked_for_alone),
	    T(test_samples_of_one_kind_go_in_one_command),
	    T(test_samples_pending),
	    T(test_samples_pending_behind_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
