/*
 * When COMPRESS is asked for, and what a refusal means.  What is compressed is
 * in tests/e2e/test_compress.py.
 */
#include "dialogue.h"

#define MUCH (1u << 20)
#define CAN LOGIN_WITH("COMPRESS=DEFLATE LITERAL+ UIDPLUS")

static void
expect(struct fixture *f, uint64_t octets)
{
	struct err e = {0};

	assert_int_equal(0, imap_expect(f->s, octets, &e));
	assert_int_equal(e.code, 0);
}

/* A command that is sent and answered in clear. */
static void
create(struct fixture *f)
{
	struct err e = {0};
	bool was;

	assert_int_equal(0, imap_create(f->s, SPAN("x"), &was, &e));
}

#define CREATED(a, b)                                                          \
	"C " a " CREATE \"x\"", "S " a " OK", "C " b " SUBSCRIBE \"x\"",       \
	    "S " b " OK"

static void
test_a_refusal_is_no_error_and_is_final(void **state)
{
	static const char *const answer[] = {
	    "S m3 NO [COMPRESSIONACTIVE] TLS", "S m3 BAD what?", "S m3 NO"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		if (i > 0) {
			teardown(state);
			setup(state);
			f = *state;
		}
		f->conf.net.compress = NET_COMPRESS_ON;
		START(f, CAN, "C m3 COMPRESS DEFLATE", answer[i],
		    CREATED("m4", "m5"));
		expect(f, MUCH);
		expect(f, MUCH);
		create(f);
	}
}

/* They come again with CAPABILITY: it was refused all the same. */
static void
test_new_capabilities_do_not_ask_again(void **state)
{
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, "C m3 COMPRESS DEFLATE", "S m3 BAD", "C m4 CREATE \"x\"",
	    "S m4 OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE]",
	    "C m5 SUBSCRIBE \"x\"", "S m5 OK");
	expect(f, MUCH);
	create(f);
	expect(f, MUCH);
	assert_false(imap_caps(f->s) & IMAP_CAP_COMPRESS);
}

static void
test_little_is_not_worth_a_round_trip(void **state)
{
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, CREATED("m3", "m4"), "C m5 COMPRESS DEFLATE", "S m5 NO");
	for (int i = 0; i < 255; i++)
		expect(f, 1024);
	create(f);
	/* little and little make much */
	expect(f, 1024);
}

static void
test_a_sum_that_would_overflow(void **state)
{
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, "C m3 COMPRESS DEFLATE", "S m3 NO");
	expect(f, 1);
	expect(f, UINT64_MAX);
}

static void
test_not_on_this_machine(void **state)
{
	struct fixture *f = *state;

	START(f, CAN, CREATED("m3", "m4"));
	expect(f, MUCH);
	create(f);
}

static void
test_not_when_it_is_off(void **state)
{
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_OFF;
	START(f, CAN, CREATED("m3", "m4"));
	expect(f, MUCH);
	create(f);
}

static void
test_not_when_it_is_not_offered(void **state)
{
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, LOGIN_WITH("COMPRESS=LZMA LITERAL+"), CREATED("m3", "m4"));
	expect(f, MUCH);
	create(f);
}

static void
test_not_when_it_is_disabled(void **state)
{
	static const char *const off[] = {"COMPRESS=DEFLATE", NULL};
	struct fixture *f = *state;

	f->conf.net.compress = NET_COMPRESS_ON;
	f->conf.disable = off;
	START(f, CAN, CREATED("m3", "m4"));
	expect(f, MUCH);
	create(f);
}

/* RFC 4978 section 3: it goes out alone. */
static void
test_not_while_something_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct imap_appended res;
	struct imap_append *a;
	struct err e = {0};

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN,
	    "C m3 APPEND \"x\" () \"01-Jan-1970 00:00:00 +0000\" {2+}", "C hi",
	    "S m3 OK", "C m4 COMPRESS DEFLATE", "S m4 NO");
	assert_int_equal(0, imap_append_begin(f->s, &a, &e));
	assert_int_equal(0, imap_append_send(a, SPAN("x"), 0,
				FLAGS_NONE, 0, 2, &e));
	assert_int_equal(0, imap_append_data(a, "hi", 2, &e));
	assert_int_equal(0, imap_append_finish(a, &e));
	expect(f, MUCH);
	assert_int_equal(1, imap_append_result(a, true, &res, &e));
	imap_append_end(&a);
	expect(f, 1);
}

static void
test_a_server_that_hangs_up(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	bool was;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, "C m3 COMPRESS DEFLATE", "X");
	assert_int_equal(ERR_NET, imap_expect(f->s, MUCH, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_non_null(strstr(e.text, "compress: off"));
	/* rule 3 of session.c */
	assert_int_equal(ERR_NET, imap_create(f->s, SPAN("x"), &was, &e));
}

static void
test_clear_text_behind_the_ok(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	bool was;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, "C m3 COMPRESS DEFLATE", "S m3 OK", "S * 3 EXISTS", "X");
	expect(f, MUCH);
	assert_int_equal(ERR_PROTO, imap_create(f->s, SPAN("x"), &was, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_non_null(strstr(e.text, "cannot read compressed data"));
}

/* Listings and samples announce themselves. */
static void
test_a_long_listing_asks_for_it(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct imap_selected sel;
	struct rview r;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, "C m3 SELECT \"INBOX\"", "S * 9000 EXISTS",
	    "S * OK [UIDVALIDITY 9] x", "S m3 OK", "C m4 COMPRESS DEFLATE",
	    "S m4 NO", "C m5 UID FETCH 1:* (UID FLAGS)", "S m5 OK");
	assert_int_equal(0, select_inbox(f, 0, 0, &sel, &r, &e));
	assert_int_equal(
	    0, imap_fetch_meta(f->s, NULL, true, false, &f->mem, &r, &e));
}

static void
test_many_samples_ask_for_it(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct imap_sample v[64] = {{0}};
	struct imap_selected sel;
	struct rview r;

	f->conf.net.compress = NET_COMPRESS_ON;
	START(f, CAN, SELECT_INBOX, "C m4 COMPRESS DEFLATE", "S m4 NO",
	    "C m5 UID FETCH 1:64 (UID BODY.PEEK[]<0.4096>)", "S m5 OK");
	assert_int_equal(0, select_inbox(f, 0, 0, &sel, &r, &e));
	for (uint32_t i = 0; i < 64; i++)
		v[i] = (struct imap_sample){.uid = i + 1, .len = 4096};
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, v, 64, &e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_refusal_is_no_error_and_is_final),
	    TEST(test_new_capabilities_do_not_ask_again),
	    TEST(test_little_is_not_worth_a_round_trip),
	    TEST(test_a_sum_that_would_overflow),
	    TEST(test_not_on_this_machine),
	    TEST(test_not_when_it_is_off),
	    TEST(test_not_when_it_is_not_offered),
	    TEST(test_not_when_it_is_disabled),
	    TEST(test_not_while_something_is_under_way),
	    TEST(test_a_server_that_hangs_up),
	    TEST(test_clear_text_behind_the_ok),
	    TEST(test_a_long_listing_asks_for_it),
	    TEST(test_many_samples_ask_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
