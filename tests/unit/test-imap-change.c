/*
 * STORE and EXPUNGE.
 */
#include "dialogue.h"

static void
test_stores_say_what_was_refused(void **state)
{
	struct fixture *f = *state;
	struct imap_store v[2] = {
	    {.add = true, .flags = {.sys = FLAG_SEEN}, .unchangedsince = 12},
	    {.add = false, .flags = {.sys = FLAG_FLAGGED}}};
	struct uidset modified, failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID STORE 4:6 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen)",
	    "C m5 UID STORE 7 -FLAGS.SILENT (\\Flagged)",
	    "S * 1 FETCH (UID 4 MODSEQ (20))",
	    /* answers may overtake each other (RFC 3501 section 5.5) */
	    "S m5 NO no", "S * 2 FETCH (UID 5 MODSEQ (14) FLAGS (\\Draft))",
	    "S m4 OK [MODIFIED 5] done");
	struct rview r = open_inbox(f, &e);

	uidset_init(&modified);
	uidset_init(&failed);
	for (int i = 0; i < 2; i++)
		uidset_init(&v[i].uids);
	uidset_add_range(&v[0].uids, 4, 6);
	uidset_add(&v[1].uids, 7);
	assert_int_equal(0, imap_store(f->s, v, 2, &f->mem, &r, &modified,
				&failed, NULL, &e));
	assert_true(uidset_has(&modified, 5) && uidset_count(&modified) == 1);
	assert_true(uidset_has(&failed, 7) && uidset_count(&failed) == 1);
	/* without flags an answer says nothing about them */
	assert_int_equal(r.n, 1);
	assert_int_equal(r.v[0].uid, 5);
	uidset_release(&modified);
	uidset_release(&failed);
	uidset_release(&r.vanished);
	for (int i = 0; i < 2; i++)
		uidset_release(&v[i].uids);
}

static void
test_expunge_names_what_goes(void **state)
{
	struct fixture *f = *state;
	struct uidset set;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID STORE 4,9 +FLAGS.SILENT (\\Deleted)",
	    "C m5 UID EXPUNGE 4,9", "S m4 OK", "S * VANISHED 4,9", "S m5 OK");
	struct rview r = open_inbox(f, &e);

	uidset_init(&set);
	uidset_add(&set, 4);
	uidset_add(&set, 9);
	assert_int_equal(0, imap_expunge(f->s, &set, &f->mem, &r, &e));
	assert_int_equal(uidset_count(&r.vanished), 2);
	uidset_release(&set);
	uidset_release(&r.vanished);
}


/* UIDs 4 and 9. */
static int
expunge(struct fixture *f, struct rview *r, struct err *e)
{
	struct uidset set;
	int rc;

	uidset_init(&set);
	uidset_add(&set, 4);
	uidset_add(&set, 9);
	rc = imap_expunge(f->s, &set, &f->mem, r, e);
	uidset_release(&set);
	return rc;
}

#define STORE_DELETED "UID STORE 4,9 +FLAGS.SILENT (\\Deleted)"
#define SEARCH_DELETED "UID SEARCH UID 1:* DELETED"

static void
test_without_uidplus_expunge_takes_what_is_ours(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 " STORE_DELETED, "S m4 OK", "C m5 " SEARCH_DELETED,
	    "S * SEARCH 9 4", "S m5 OK", "C m6 EXPUNGE", "S * 1 EXPUNGE",
	    "S * 1 EXPUNGE", "S m6 OK",
	    /* the other form of the answer */
	    "C m7 " STORE_DELETED, "S m7 OK", "C m8 " SEARCH_DELETED,
	    "S * ESEARCH (TAG \"m8\") UID ALL 4,9", "S m8 OK", "C m9 EXPUNGE",
	    "S m9 NO [NOPERM] no");
	struct rview r = open_inbox(f, &e);

	assert_int_equal(0, expunge(f, &r, &e));
	assert_int_equal(ERR_NO, expunge(f, &r, &e));
	assert_string_equal(e.resp, "NOPERM");
	uidset_release(&r.vanished);
}

static void
test_without_uidplus_others_are_not_expunged(void **state)
{
	/* more than ours, less, nothing, no answer, half an answer */
	static const char *const found[] = {"S * SEARCH 4 7 9",
	    "S * SEARCH 4", "S * SEARCH", "S * OK nothing to say",
	    "S * ESEARCH (TAG \"x\") UID ALL 4:9", "S * ESEARCH UID",
	    "S * ESEARCH UID ALL 4,x"};
	enum { N = sizeof found / sizeof *found };
	struct fixture *f = *state;
	const char *script[N * 5 + 16] = {LOGIN_PLAIN, SELECT_INBOX};
	size_t n = 0;
	struct err e;

	while (script[n])
		n++;
	for (unsigned i = 0; i < N; i++) {
		script[n++] = arena_printf(&f->mem, "C m%u " STORE_DELETED,
		    4 + 2 * i);
		script[n++] = arena_printf(&f->mem, "S m%u OK", 4 + 2 * i);
		script[n++] = arena_printf(&f->mem, "C m%u " SEARCH_DELETED,
		    5 + 2 * i);
		script[n++] = found[i];
		script[n++] = arena_printf(&f->mem, "S m%u OK", 5 + 2 * i);
	}
	e = start(f, script);
	struct rview r = open_inbox(f, &e);

	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(ERR_NO, expunge(f, &r, &e));
		assert_int_equal(e.scope, ERR_SCOPE_BOX);
		assert_int_equal(e.retry, ERR_RETRY_LATER);
		assert_non_null(strstr(e.text, "UIDPLUS"));
		assert_int_equal(strstr(e.text, "other messages") != NULL,
		    i == 0 || i == 4);
	}
	uidset_release(&r.vanished);
}

/* m4 and m5 are under way at once; halves are asked for behind them. */
static void
test_a_refusal_is_narrowed_down(void **state)
{
	struct fixture *f = *state;
	struct uidset modified, failed;
	struct imap_store v[2] = {{.add = true, .flags = {.sys = FLAG_SEEN}},
	    {.add = true, .flags = {.sys = FLAG_FLAGGED}}};
	struct err said = {0};
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID STORE 4:7 +FLAGS.SILENT (\\Seen)",
	    "C m5 UID STORE 8:9 +FLAGS.SILENT (\\Flagged)",
	    "S m4 NO no", "C m6 UID STORE 6:7 +FLAGS.SILENT (\\Seen)",
	    "C m7 UID STORE 4:5 +FLAGS.SILENT (\\Seen)",
	    "S m5 BAD what is that?", "S m6 OK", "S m7 NO no",
	    "C m8 UID STORE 5 +FLAGS.SILENT (\\Seen)",
	    "C m9 UID STORE 4 +FLAGS.SILENT (\\Seen)",
	    "S m9 OK", "S m8 NO not this one");
	struct rview r = open_inbox(f, &e);

	uidset_init(&v[0].uids);
	uidset_init(&v[1].uids);
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_add_range(&v[0].uids, 4, 7);
	uidset_add_range(&v[1].uids, 8, 9);
	assert_int_equal(0, imap_store(f->s, v, 2, &f->mem, &r, &modified,
				&failed, &said, &e));
	assert_int_equal(uidset_count(&modified), 0);
	assert_int_equal(uidset_count(&failed), 3);
	assert_true(uidset_has(&failed, 5) && uidset_has(&failed, 8));
	assert_non_null(strstr(said.text, "not this one"));
	uidset_release(&v[0].uids);
	uidset_release(&v[1].uids);
	uidset_release(&modified);
	uidset_release(&failed);
	uidset_release(&r.vanished);
}

static void
test_without_uidplus_a_refusal_ends_it(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 " STORE_DELETED, "S m4 NO read-only",
	    "C m5 UID STORE 9 +FLAGS.SILENT (\\Deleted)",
	    "C m6 UID STORE 4 +FLAGS.SILENT (\\Deleted)",
	    "S m5 NO read-only", "S m6 NO read-only",
	    "C m7 " STORE_DELETED, "S m7 OK",
	    "C m8 " SEARCH_DELETED, "S * SEARCH 4 9", "S m8 BAD no",
	    "C m9 " STORE_DELETED, "S m9 OK",
	    "C m10 " SEARCH_DELETED, "S * SEARCH 4 9",
	    "S m10 OK [MESSAGELIMIT 1000 3] that is not all",
	    "C m11 UID SEARCH UID 1:2 DELETED", "S * SEARCH 2", "S m11 OK");
	struct rview r = open_inbox(f, &e);

	assert_int_equal(ERR_NO, expunge(f, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(ERR_BAD, expunge(f, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(ERR_NO, expunge(f, &r, &e));
	assert_int_equal(e.retry, ERR_RETRY_LATER);
	uidset_release(&r.vanished);
}

static void
test_an_empty_set_expunges_nothing(void **state)
{
	struct fixture *f = *state;
	struct uidset none;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX);
	struct rview r = open_inbox(f, &e);

	uidset_init(&none);
	assert_int_equal(0, imap_expunge(f->s, &none, &f->mem, &r, &e));
	uidset_release(&r.vanished);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_stores_say_what_was_refused),
	    T(test_expunge_names_what_goes),
	    T(test_without_uidplus_expunge_takes_what_is_ours),
	    T(test_without_uidplus_others_are_not_expunged),
	    T(test_a_refusal_is_narrowed_down),
	    T(test_without_uidplus_a_refusal_ends_it),
	    T(test_an_empty_set_expunges_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
