/*
 * What a server can do, and what it turns out not to: our session against a
 * scripted server (dialogue.h).
 */
#include "dialogue.h"

#define GREET(caps)                                                            \
	"S * OK [CAPABILITY IMAP4rev1] hi", "C m1 LOGIN \"ana\" \"s3cret\"",   \
	    "S m1 OK [CAPABILITY IMAP4rev1 " caps "] in"
#define CONDSTORE_BOX(uidnext)                                                 \
	"C m2 SELECT \"INBOX\" (CONDSTORE)", "S * 3 EXISTS",                   \
	    "S * OK [UIDVALIDITY 9]", "S * OK [UIDNEXT " uidnext "]",          \
	    "S * OK [HIGHESTMODSEQ 20]", "S m2 OK"

static struct imap_selected
open_box(struct fixture *f, uint64_t modseq, struct rview *r)
{
	struct imap_selected sel;
	struct err e;

	memset(r, 0, sizeof *r);
	uidset_init(&r->vanished);
	assert_int_equal(0,
	    imap_select(f->s, SPAN("INBOX"), false, modseq ? 9 : 0, modseq,
		&f->mem, &sel, r, &e));
	return sel;
}

static void
assert_uids(const struct uidset *set, const char *text)
{
	struct buf b;

	buf_init(&b, 1000);
	uidset_format(set, &b);
	assert_true(span_eq(buf_span(&b), span_str(text)));
	buf_release(&b);
}

static void
test_only_what_enabled_lists_is_used(void **state)
{
	static const struct {
		const char *said;
		uint32_t caps;
	} v[] = {{"S * ENABLED QRESYNC UIDONLY",
		     IMAP_CAP_QRESYNC | IMAP_CAP_UIDONLY},
	    {"S * ENABLED condstore uidonly", IMAP_CAP_UIDONLY},
	    {"S * ENABLED", 0}, {"S * OK nothing", 0}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct err e = START(f,
		    GREET("ENABLE UIDONLY CONDSTORE QRESYNC"),
		    "C m2 ENABLE QRESYNC UIDONLY", v[i].said, "S m2 OK",
		    v[i].caps & IMAP_CAP_QRESYNC
			? "C m3 SELECT \"INBOX\""
			: "C m3 SELECT \"INBOX\" (CONDSTORE)",
		    "S * 0 EXISTS",
		    "S * OK [UIDVALIDITY 9]", "S m3 OK");
		struct rview r;

		assert_int_equal(e.code, 0);
		(void)open_box(f, 0, &r);
		uidset_release(&r.vanished);
		assert_int_equal(imap_caps(f->s) &
			(IMAP_CAP_QRESYNC | IMAP_CAP_UIDONLY),
		    v[i].caps);
		assert_true(imap_caps(f->s) & IMAP_CAP_CONDSTORE);
		imap_free(&f->s);
		pthread_join(f->server.thread, NULL);
		assert_string_equal(f->server.error, "");
		f->server.script = NULL;
	}
}

static void
test_a_refused_tier_is_left_for_the_next(void **state)
{
	struct fixture *f = *state;
	struct rview r;
	struct err e = START(f, GREET("ENABLE QRESYNC"), "C m2 ENABLE QRESYNC",
	    "S * ENABLED QRESYNC", "S m2 OK",
	    "C m3 SELECT \"INBOX\" (QRESYNC (9 5))", "S * VANISHED (EARLIER) 1",
	    "S m3 BAD what?", "C m4 SELECT \"INBOX\" (CONDSTORE)",
	    "S m4 BAD what?", "C m5 SELECT \"INBOX\"", "S * 1 EXISTS",
	    "S * OK [UIDVALIDITY 9]", "S * OK [HIGHESTMODSEQ 7]", "S m5 OK",
	    "C m6 SELECT \"INBOX\"", "S * 1 EXISTS", "S * OK [UIDVALIDITY 9]",
	    "S m6 OK");

	assert_int_equal(e.code, 0);
	assert_false(open_box(f, 5, &r).modseqs);
	assert_true(r.highestmodseq == 0 && r.vanished.n == 0);
	assert_false(imap_caps(f->s) & IMAP_CAP_CONDSTORE);
	uidset_release(&r.vanished);
	assert_false(open_box(f, 5, &r).qresync);
	uidset_release(&r.vanished);
}

static void
test_a_mailbox_that_is_bad_costs_no_tier(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct rview r = {0};
	struct err e = START(f, GREET("CONDSTORE"),
	    "C m2 SELECT \"x\" (CONDSTORE)", "S m2 BAD what?",
	    "C m3 SELECT \"x\"", "S m3 BAD what?");

	assert_int_equal(e.code, 0);
	assert_int_equal(ERR_BAD,
	    imap_select(f->s, SPAN("x"), false, 0, 0, &f->mem, &sel, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_true(imap_caps(f->s) & IMAP_CAP_CONDSTORE);
}

static void
test_what_changed_since(void **state)
{
	struct fixture *f = *state;
	struct rview r;
	struct err e = START(f, GREET("CONDSTORE MESSAGELIMIT=2"),
	    CONDSTORE_BOX("9"),
	    "C m3 UID FETCH 1:8 (UID FLAGS MODSEQ) (CHANGEDSINCE 5)",
	    "S * 3 FETCH (UID 8 FLAGS () MODSEQ (20))", "S * 4 EXISTS",
	    "S m3 OK [MESSAGELIMIT 2 6] more",
	    "C m4 UID FETCH 1:5 (UID FLAGS MODSEQ) (CHANGEDSINCE 5)",
	    "S * 1 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (6))", "S m4 OK",
	    "C m5 UID FETCH 1:8 (UID FLAGS MODSEQ) (CHANGEDSINCE 6)",
	    "S m5 OK [MESSAGELIMIT 2 9] no progress",
	    "C m6 UID FETCH 1:8 (UID FLAGS MODSEQ) (CHANGEDSINCE 7)",
	    "S m6 BAD what?");

	assert_int_equal(e.code, 0);
	assert_true(open_box(f, 0, &r).modseqs);
	assert_int_equal(0, imap_fetch_changed(f->s, 5, &f->mem, &r, &e));
	assert_int_equal(r.n, 2);
	assert_true(r.v[0].uid == 2 && r.v[1].uid == 8 && !r.complete);
	assert_int_equal(r.exists, 3);
	assert_int_equal(ERR_PROTO,
	    imap_fetch_changed(f->s, 6, &f->mem, &r, &e));
	assert_int_equal(ERR_BAD, imap_fetch_changed(f->s, 7, &f->mem, &r, &e));
	assert_false(imap_caps(f->s) & IMAP_CAP_CONDSTORE);
}

static void
test_searches_of_both_kinds(void **state)
{
	struct fixture *f = *state;
	struct uidset set;
	struct rview r;
	struct err e = START(f, GREET("ESEARCH"), "C m2 SELECT \"INBOX\"",
	    "S * 3 EXISTS", "S * OK [UIDVALIDITY 9]", "S m2 OK",
	    "C m3 UID SEARCH RETURN (ALL) UID 1:*",
	    "S * ESEARCH (TAG \"m3\") UID ALL 4:5,9", "S m3 OK",
	    "C m4 UID SEARCH RETURN (ALL) UID 1:*", "S * SEARCH 9 5",
	    "S * SEARCH 4", "S m4 OK", "C m5 UID SEARCH RETURN (ALL) UID 1:*",
	    "S * SEARCH 9 5", "S * 3 EXPUNGE", "S m5 OK",
	    "C m6 UID SEARCH RETURN (ALL) UID 1:*", "S * SEARCH 9", "S m6 OK",
	    "C m7 UID SEARCH RETURN (ALL) UID 20:30", "S * SEARCH 9 24",
	    "S m7 OK [MESSAGELIMIT 1 24] more",
	    "C m8 UID SEARCH RETURN (ALL) UID 20:23", "S * ESEARCH (TAG \"x\")",
	    "S m8 OK", "C m9 UID SEARCH RETURN (ALL) UID 20:30", "S m9 OK",
	    "C m10 UID SEARCH RETURN (ALL) UID 20:30",
	    "S * ESEARCH (TAG \"m10\") UID ALL 21,", "S m10 OK");
	bool said;

	assert_int_equal(e.code, 0);
	uidset_init(&set);
	(void)open_box(f, 0, &r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(0, imap_search_uids(f->s, &set, &e));
		assert_uids(&set, "4:5,9");
	}
	assert_int_equal(0, imap_search_uids(f->s, &set, &e));
	assert_uids(&set, "5,9");
	/* fewer than EXISTS counts */
	assert_int_equal(ERR_PROTO, imap_search_uids(f->s, &set, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(0, imap_search_range(f->s, 20, 30, &set, &said, &e));
	assert_uids(&set, "24");
	assert_true(said);
	/* no answer, and none that can be read */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    0, imap_search_range(f->s, 20, 30, &set, &said, &e));
		assert_false(said);
	}
	uidset_release(&set);
}

static void
test_uids_only(void **state)
{
	struct fixture *f = *state;
	struct imap_sample sample = {.uid = 7, .len = 4};
	struct rview r;
	struct uidset set;
	struct err e = START(f, GREET("ENABLE UIDONLY MESSAGELIMIT=2"),
	    "C m2 ENABLE UIDONLY", "S * ENABLED UIDONLY", "S m2 OK",
	    "C m3 SELECT \"INBOX\"", "S * 4 EXISTS", "S * OK [UIDVALIDITY 9]",
	    "S m3 OK", "C m4 UID FETCH 1:4294967295 (UID FLAGS)",
	    "S * 7 UIDFETCH (FLAGS (\\Seen))", "S * 9 UIDFETCH (UID 9 FLAGS ())",
	    "S m4 OK [MESSAGELIMIT 2 7] more", "C m5 UID FETCH 1:6 (UID FLAGS)",
	    "S * VANISHED 9", "S * 3 UIDFETCH (FLAGS ())",
	    "S * 2 UIDFETCH (FLAGS ())", "S m5 OK [MESSAGELIMIT 2 1] done",
	    "C m6 UID FETCH 7 (UID BODY.PEEK[]<0.4>)",
	    "S * 7 UIDFETCH (BODY[]<0> \"body\")", "S m6 OK",
	    "C m7 UID FETCH 2:3 (UID FLAGS)", "C m8 UID FETCH 7 (UID FLAGS)",
	    "S m7 OK", "S m8 OK");

	assert_int_equal(e.code, 0);
	(void)open_box(f, 0, &r);
	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, false, &f->mem, &r, &e));
	assert_true(r.complete);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[2].uid, 7);
	assert_true(r.v[2].flags.sys & FLAG_SEEN);
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, &sample, 1, &e));
	assert_true(span_eq(sample.got, SPAN("body")));
	uidset_init(&set);
	uidset_add_range(&set, 2, 3);
	uidset_add(&set, 7);
	assert_int_equal(0,
	    imap_fetch_meta(f->s, &set, false, false, &f->mem, &r, &e));
	uidset_release(&set);
	uidset_release(&r.vanished);
}

static void
test_a_listing_that_stays_cut_is_not_complete(void **state)
{
	struct fixture *f = *state;
	struct rview r;
	struct err e = START(f, GREET("CONDSTORE"), CONDSTORE_BOX("9"),
	    "C m3 UID FETCH 1:* (UID FLAGS MODSEQ)", "S m3 BAD MODSEQ?",
	    "C m4 UID FETCH 1:* (UID FLAGS)",
	    "S * 3 FETCH (UID 8 FLAGS ())", "S m4 OK [MESSAGELIMIT 1 8] more",
	    "C m5 UID FETCH 1:7 (UID FLAGS)",
	    "S * 2 FETCH (UID 7 FLAGS ())", "S m5 OK [MESSAGELIMIT 1 8] hm");

	assert_int_equal(e.code, 0);
	(void)open_box(f, 0, &r);
	assert_int_equal(ERR_PROTO,
	    imap_fetch_meta(f->s, NULL, true, false, &f->mem, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_false(r.complete);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_only_what_enabled_lists_is_used),
	    T(test_a_refused_tier_is_left_for_the_next),
	    T(test_a_mailbox_that_is_bad_costs_no_tier),
	    T(test_what_changed_since),
	    T(test_searches_of_both_kinds),
	    T(test_uids_only),
	    T(test_a_listing_that_stays_cut_is_not_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
