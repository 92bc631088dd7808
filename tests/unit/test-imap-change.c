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
	struct rview *r = open_inbox(f, &e);

	uidset_init(&modified);
	uidset_init(&failed);
	for (int i = 0; i < 2; i++)
		uidset_init(&v[i].uids);
	uidset_add_range(&v[0].uids, 4, 6);
	uidset_add(&v[1].uids, 7);
	assert_int_equal(0, imap_store(f->s, v, 2, &f->mem, r, &modified,
				&failed, NULL, &e));
	assert_true(uidset_has(&modified, 5) && uidset_count(&modified) == 1);
	assert_true(uidset_has(&failed, 7) && uidset_count(&failed) == 1);
	/* without flags an answer says nothing about them */
	assert_int_equal(r->n, 1);
	assert_int_equal(r->v[0].uid, 5);
	uidset_release(&modified);
	uidset_release(&failed);
	for (int i = 0; i < 2; i++)
		uidset_release(&v[i].uids);
}

/* Which ones were not changed is not known: perhaps none was. */
static void
test_stores_that_do_not_say_what_was_refused(void **state)
{
	struct fixture *f = *state;
	struct imap_store v = {
	    .add = true, .flags = {.sys = FLAG_SEEN}, .unchangedsince = 12};
	struct uidset modified, failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID STORE 4:6 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen)",
	    "S m4 OK [MODIFIED 5,] done",
	    "C m5 UID STORE 4:6 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen)",
	    "S m5 NO [MODIFIED] some");
	struct rview *r = open_inbox(f, &e);

	uidset_init(&v.uids);
	uidset_add_range(&v.uids, 4, 6);
	for (int i = 0; i < 2; i++) {
		uidset_init(&modified);
		uidset_init(&failed);
		assert_int_equal(0, imap_store(f->s, &v, 1, &f->mem, r,
					&modified, &failed, NULL, &e));
		assert_true(uidset_eq(&modified, &v.uids));
		assert_int_equal(failed.n, 0);
		uidset_release(&modified);
		uidset_release(&failed);
	}
	uidset_release(&v.uids);
}

static void
test_expunge_names_what_goes(void **state)
{
	struct fixture *f = *state;
	struct uidset set;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID STORE 4,9 +FLAGS.SILENT (\\Deleted)",
	    "C m5 UID EXPUNGE 4,9", "S m4 OK", "S * VANISHED 4,9", "S m5 OK");
	struct rview *r = open_inbox(f, &e);

	uidset_init(&set);
	uidset_add(&set, 4);
	uidset_add(&set, 9);
	assert_int_equal(0, imap_expunge(f->s, &set, &f->mem, r, &e));
	assert_int_equal(uidset_count(&r->vanished), 2);
	uidset_release(&set);
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
	struct rview *r = open_inbox(f, &e);

	assert_int_equal(0, expunge(f, r, &e));
	assert_int_equal(ERR_NO, expunge(f, r, &e));
	assert_string_equal(e.resp, "NOPERM");
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
	struct rview *r = open_inbox(f, &e);

	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(ERR_NO, expunge(f, r, &e));
		assert_int_equal(e.scope, ERR_SCOPE_BOX);
		assert_int_equal(e.retry, ERR_RETRY_LATER);
		assert_non_null(strstr(e.text, "UIDPLUS"));
		assert_int_equal(strstr(e.text, "other messages") != NULL,
		    i == 0 || i == 4);
	}
}

/* m4 and m5 are under way at once; halves are asked for behind them. */
static void
test_a_refusal_is_narrowed_down(void **state)
{
	struct fixture *f = *state;
	struct uidset modified, failed;
	struct imap_store v[2] = {{.add = true, .flags = {.sys = FLAG_SEEN}},
	    {.add = true, .flags = {.sys = FLAG_FLAGGED},
		.tell = true}};
	struct err said = {0};
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID STORE 4:7 +FLAGS.SILENT (\\Seen)",
	    "C m5 UID STORE 8:9 +FLAGS (\\Flagged)",
	    "S m4 NO no", "C m6 UID STORE 6:7 +FLAGS.SILENT (\\Seen)",
	    "C m7 UID STORE 4:5 +FLAGS.SILENT (\\Seen)",
	    "S m5 BAD what is that?", "S m6 OK", "S m7 NO no",
	    "C m8 UID STORE 5 +FLAGS.SILENT (\\Seen)",
	    "C m9 UID STORE 4 +FLAGS.SILENT (\\Seen)",
	    "S m9 OK", "S m8 NO not this one");
	struct rview *r = open_inbox(f, &e);

	uidset_init(&v[0].uids);
	uidset_init(&v[1].uids);
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_add_range(&v[0].uids, 4, 7);
	uidset_add_range(&v[1].uids, 8, 9);
	assert_int_equal(0, imap_store(f->s, v, 2, &f->mem, r, &modified,
				&failed, &said, &e));
	assert_int_equal(uidset_count(&modified), 0);
	assert_int_equal(uidset_count(&failed), 3);
	assert_true(uidset_has(&failed, 5) && uidset_has(&failed, 8));
	assert_non_null(strstr(said.text, "not this one"));
	uidset_release(&v[0].uids);
	uidset_release(&v[1].uids);
	uidset_release(&modified);
	uidset_release(&failed);
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
	struct rview *r = open_inbox(f, &e);

	assert_int_equal(ERR_NO, expunge(f, r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(ERR_BAD, expunge(f, r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(ERR_NO, expunge(f, r, &e));
	assert_int_equal(e.retry, ERR_RETRY_LATER);
}

static void
test_an_empty_set_expunges_nothing(void **state)
{
	struct fixture *f = *state;
	struct uidset none;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX);
	struct rview *r = open_inbox(f, &e);

	uidset_init(&none);
	assert_int_equal(0, imap_expunge(f->s, &none, &f->mem, r, &e));
}

/* The mailbox "next", whose SELECT was sent ahead. */
static int
select_ahead(struct fixture *f, struct imap_selected *sel, struct err *e)
{
	struct rview r = {0};
	int rc;

	uidset_init(&r.vanished);
	rc = imap_select(
	    f->s, SPAN("next"), false, 0, 0, &f->mem, sel, &r, e);
	uidset_release(&r.vanished);
	return rc;
}

/* UIDs 4 and 9 get \Seen. */
static int
store(struct fixture *f, struct rview *r, struct uidset *failed, struct err *e)
{
	struct imap_store v = {.add = true, .flags = {.sys = FLAG_SEEN}};
	struct uidset modified;
	int rc;

	uidset_init(&v.uids);
	uidset_init(&modified);
	uidset_init(failed);
	uidset_add(&v.uids, 4);
	uidset_add(&v.uids, 9);
	rc = imap_store(
	    f->s, &v, 1, &f->mem, r, &modified, failed, NULL, e);
	uidset_release(&v.uids);
	uidset_release(&modified);
	return rc;
}

#define STORE_SEEN "UID STORE 4,9 +FLAGS.SILENT (\\Seen)"
#define SELECTED(tag)                                                          \
	"S * 7 EXISTS", "S * OK [UIDVALIDITY 12] x", "S " tag " OK"

static void
test_the_next_select_stands_behind_the_stores(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct uidset failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " STORE_SEEN,
	    "C m5 SELECT \"next\"", "S m4 OK",
	    /* still of the mailbox before */
	    "S * 1 FETCH (UID 4 FLAGS (\\Seen))", "S * OK [CLOSED] x",
	    SELECTED("m5"), "C m6 " STORE_SEEN, "S m6 OK");
	struct rview *r = open_inbox(f, &e);

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(0, store(f, r, &failed, &e));
	assert_int_equal(0, select_ahead(f, &sel, &e));
	assert_int_equal(sel.uidvalidity, 12);
	assert_int_equal(sel.exists, 7);
	/* once */
	assert_int_equal(0, store(f, r, &failed, &e));
}

static void
test_what_is_refused_before_a_select_is_not_halved(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct uidset failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " STORE_SEEN,
	    "C m5 SELECT \"next\"", "S m4 NO no", "S m5 NO nor this");
	struct rview *r = open_inbox(f, &e);

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(0, store(f, r, &failed, &e));
	assert_int_equal(uidset_count(&failed), 2);
	assert_int_equal(ERR_NO, select_ahead(f, &sel, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	uidset_release(&failed);
}

static void
test_whatever_comes_behind_a_select_ahead_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct uidset failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " STORE_SEEN,
	    "C m5 SELECT \"next\"", "S m4 OK", SELECTED("m5"),
	    /* nobody asked for it in the end */
	    "C m6 SELECT \"INBOX\"", "S * 2 EXISTS",
	    "S * OK [UIDVALIDITY 9] x", "S m6 OK");
	struct rview *r = open_inbox(f, &e);
	struct imap_selected sel;

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(0, store(f, r, &failed, &e));
	assert_int_equal(0, select_inbox(f, 0, 0, &sel, r, &e));
	assert_int_equal(sel.exists, 2);
}

static void
test_a_select_that_is_answered_first_ends_the_session(void **state)
{
	struct fixture *f = *state;
	struct uidset failed;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " STORE_SEEN,
	    "C m5 SELECT \"next\"", SELECTED("m5"), "S m4 OK");
	struct rview *r = open_inbox(f, &e);

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(ERR_PROTO, store(f, r, &failed, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
}

/* 900 octets of UIDs in a command. */
static void
test_the_next_select_stands_behind_the_last_expunge(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct uidset set;
	char first[1024] = "1000", second[512] = "";
	struct err e;

	uidset_init(&set);
	for (uint32_t uid = 1000; uid < 1400; uid += 2) {
		char *to = uid < 1352 ? first : second;

		uidset_add(&set, uid);
		if (uid > 1000)
			sprintf(to + strlen(to), *to ? ",%u" : "%u", uid);
	}
	e = START(f, LOGIN_ALL, SELECT_INBOX,
	    arena_printf(&f->mem, "C m4 UID STORE %s +FLAGS.SILENT (\\Deleted)",
		first),
	    arena_printf(&f->mem, "C m5 UID EXPUNGE %s", first), "S m4 OK",
	    "S m5 OK",
	    arena_printf(&f->mem, "C m6 UID STORE %s +FLAGS.SILENT (\\Deleted)",
		second),
	    arena_printf(&f->mem, "C m7 UID EXPUNGE %s", second),
	    "C m8 SELECT \"next\"", "S m6 OK", "S m7 OK", "S * OK [CLOSED] x",
	    SELECTED("m8"));
	struct rview *r = open_inbox(f, &e);

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(0, imap_expunge(f->s, &set, &f->mem, r, &e));
	assert_int_equal(0, select_ahead(f, &sel, &e));
	uidset_release(&set);
}

/* The search and the EXPUNGE would be about another mailbox. */
static void
test_without_uidplus_nothing_is_opened_in_between(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 " STORE_DELETED, "S m4 OK", "C m5 " SEARCH_DELETED,
	    "S * SEARCH 9 4", "S m5 OK", "C m6 EXPUNGE", "S m6 OK",
	    "C m7 SELECT \"next\"", SELECTED("m7"));
	struct rview *r = open_inbox(f, &e);

	imap_select_next(f->s, SPAN("next"), false);
	assert_int_equal(0, expunge(f, r, &e));
	assert_int_equal(0, select_ahead(f, &sel, &e));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_stores_say_what_was_refused),
	    T(test_stores_that_do_not_say_what_was_refused),
	    T(test_expunge_names_what_goes),
	    T(test_without_uidplus_expunge_takes_what_is_ours),
	    T(test_without_uidplus_others_are_not_expunged),
	    T(test_a_refusal_is_narrowed_down),
	    T(test_without_uidplus_a_refusal_ends_it),
	    T(test_an_empty_set_expunges_nothing),
	    T(test_the_next_select_stands_behind_the_stores),
	    T(test_what_is_refused_before_a_select_is_not_halved),
	    T(test_whatever_comes_behind_a_select_ahead_waits_for_it),
	    T(test_a_select_that_is_answered_first_ends_the_session),
	    T(test_the_next_select_stands_behind_the_last_expunge),
	    T(test_without_uidplus_nothing_is_opened_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
