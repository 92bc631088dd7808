/*
 * COPY and MOVE: which message is which in the other mailbox.
 */
#include "dialogue.h"

static struct uidset
uids(const char *text)
{
	struct uidset set;

	uidset_init(&set);
	assert_true(uidset_parse(span_str(text), 1000, &set));
	return set;
}

static void
assert_pairs(const struct imap_copied *c, const char *want)
{
	struct buf b;

	buf_init(&b, 10000);
	for (size_t i = 0; i < c->n; i++)
		buf_addf(&b, "%s%u>%u", i ? " " : "", c->v[i].from,
		    c->v[i].to);
	assert_string_equal(buf_cstr(&b), want);
	buf_release(&b);
}

static struct imap_copied
copy(struct fixture *f, const char *set, int want, struct err *e)
{
	struct uidset s = uids(set);
	struct imap_copied c;

	assert_int_equal(want,
	    imap_copy(f->s, &s, SPAN("b"), &f->mem, &c, e));
	uidset_release(&s);
	return c;
}

static struct imap_copied
move(struct fixture *f, const char *set, struct rview *r, int want,
    struct err *e)
{
	struct uidset s = uids(set);
	struct imap_copied c;

	assert_int_equal(want,
	    imap_move(f->s, &s, SPAN("b"), &f->mem, r, &c, e));
	uidset_release(&s);
	return c;
}

static void
test_copy_pairs_in_written_order(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX,
	    "C m4 UID COPY 2,4:6 \"b\"",
	    "S m4 OK [COPYUID 38505 4,2,6:5 1,2:4] done",
	    /* some say it in an untagged line, some twice */
	    "C m5 UID COPY 7:9 \"b\"", "S * OK [COPYUID 38505 8 9] copied",
	    "S m5 OK [COPYUID 38505 8 9] done");

	open_inbox(f, &e);
	c = copy(f, "2,4:6", 0, &e);
	assert_int_equal(c.uidvalidity, 38505);
	assert_pairs(&c, "4>1 2>2 5>3 6>4");
	c = copy(f, "7:9", 0, &e);
	assert_pairs(&c, "8>9");
}

static void
test_a_copyuid_that_makes_no_sense_is_none(void **state)
{
	static const char *const lines[] = {"S * OK [COPYUID 7 1:2 5] x",
	    "S * OK [COPYUID 7 1:3 5:6] x", "S [COPYUID 7 1 5]",
	    "S * OK [COPYUID 7  ] x", "S * OK [COPYUID] x",
	    "S * OK [COPYUID 0 1 5] x", "S * OK [COPYUID 7 0 5] x",
	    "S * OK [COPYUID 7 1 0] x", "S * OK [COPYUID 7 1:2 5,5] x",
	    "S * OK [COPYUID 7 1,1 5:6] x", "S * OK [COPYUID 7 4 5] x",
	    "S * OK [COPYUID 7 1:4294967295 1:4294967295] x",
	    "S * OK [COPYUID 7 1:* 5] x", "S * OK [COPYUID 7 1, 5] x",
	    "S * OK [COPYUID -7 1 5] x", "S * OK [COPYUID 7 (1) (5)] x",
	    "S * OK [COPYUID 4294967296 1 5] x",
	    /* this one does; and then another message in the same place */
	    "S * OK [COPYUID 7 3 6] x", "S * OK [COPYUID 7 1 6] x"};
	enum { N = sizeof lines / sizeof *lines };
	struct fixture *f = *state;
	const char *script[N + 16] = {LOGIN_WITH("UIDPLUS"), SELECT_INBOX,
	    "C m4 UID COPY 1:3 \"b\""};
	size_t n = 0;
	struct imap_copied c;
	struct err e;

	while (script[n])
		n++;
	for (size_t i = 0; i < N; i++)
		script[n++] = lines[i];
	script[n++] = "S m4 OK [COPYUID 7 2 5] done";
	assert_true(n < sizeof script / sizeof *script);
	e = start(f, script);
	open_inbox(f, &e);
	c = copy(f, "1:3", 0, &e);
	assert_pairs(&c, "3>6 2>5");
}

/* "1001,1003,..." from FIRST on, N of them. */
static char *
odd(struct fixture *f, unsigned first, unsigned n)
{
	struct buf b;
	char *text;

	buf_init(&b, 10000);
	for (unsigned i = 0; i < n; i++)
		buf_addf(&b, "%s%u", i ? "," : "", first + 2 * i);
	text = arena_str(&f->mem, buf_cstr(&b));
	buf_release(&b);
	return text;
}

static void
test_long_sets_are_split_and_pipelined(void **state)
{
	struct fixture *f = *state;
	/* 176 UIDs of four digits fill a line */
	char *all = odd(f, 1001, 200), *one = odd(f, 1001, 176);
	char *two = odd(f, 1001 + 2 * 176, 24);
	char *m4 = arena_printf(&f->mem, "C m4 UID COPY %s \"b\"", one);
	char *m5 = arena_printf(&f->mem, "C m5 UID COPY %s \"b\"", two);
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX, m4, m5,
	    "S * OK still here", "S m5 OK [COPYUID 7 1353 90] done",
	    "S m4 OK [COPYUID 7 1001,1003 80:81] done");

	open_inbox(f, &e);
	c = copy(f, all, 0, &e);
	assert_pairs(&c, "1353>90 1001>80 1003>81");
	/* one wait each for CAPABILITY, LOGIN, SELECT, and both COPYs */
	assert_int_equal(imap_stats(f->s).round_trips, 4);
}

static void
test_a_copy_refused_has_copied_nothing(void **state)
{
	struct fixture *f = *state;
	char *all = odd(f, 1001, 200), *one = odd(f, 1001, 176);
	char *two = odd(f, 1001 + 2 * 176, 24);
	char *m4 = arena_printf(&f->mem, "C m4 UID COPY %s \"b\"", one);
	char *m5 = arena_printf(&f->mem, "C m5 UID COPY %s \"b\"", two);
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX, m4, m5,
	    "S m4 OK [COPYUID 7 1001 80] done",
	    "S * OK [COPYUID 7 1353 81] half of it",
	    "S m5 NO [OVERQUOTA] full", "C m6 UID COPY 4 \"b\"",
	    "S m6 NO [TRYCREATE] no such mailbox");

	open_inbox(f, &e);
	c = copy(f, all, ERR_NO, &e);
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_string_equal(e.resp, "OVERQUOTA");
	assert_pairs(&c, "1001>80");
	c = copy(f, "4", ERR_NO, &e);
	assert_string_equal(e.resp, "TRYCREATE");
	assert_int_equal(c.n, 0);
}

static void
test_a_copy_that_was_cut_has_copied_nothing(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX,
	    "C m4 UID COPY 4 \"b\"", "S * OK [COPYUID 7 4 5] x", "X");

	open_inbox(f, &e);
	c = copy(f, "4", ERR_NET, &e);
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_int_equal(c.n, 0);
}

static void
test_a_mailbox_replaced_meanwhile_has_only_the_new_uids(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX,
	    "C m4 UID COPY 4:5 \"b\"", "S * OK [COPYUID 7 4 5] x",
	    "S m4 OK [COPYUID 8 5 1] x");

	open_inbox(f, &e);
	c = copy(f, "4:5", 0, &e);
	assert_int_equal(c.uidvalidity, 8);
	assert_pairs(&c, "5>1");
}

static void
test_names_that_wait_are_copied_to_one_by_one(void **state)
{
	struct fixture *f = *state;
	char *all = odd(f, 1001, 200), *one = odd(f, 1001, 176);
	char *two = odd(f, 1001 + 2 * 176, 24);
	char *m4 = arena_printf(&f->mem, "C m4 UID COPY %s {2}", one);
	char *m5 = arena_printf(&f->mem, "C m5 UID COPY %s {2}", two);
	struct uidset set = uids(all);
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX, m4,
	    "S + go", "C \xc3\xa4", "S m4 OK [COPYUID 7 1001 80] x", m5,
	    "S m5 NO [LIMIT] not before tomorrow");

	open_inbox(f, &e);
	assert_int_equal(ERR_NO, imap_copy(f->s, &set, SPAN("\xc3\xa4"),
				     &f->mem, &c, &e));
	assert_string_equal(e.resp, "LIMIT");
	assert_pairs(&c, "1001>80");
	uidset_release(&set);
}

static void
test_without_uidplus_nobody_knows_what_was_copied(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct rview back = {0};
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID COPY 4 \"b\"", "S m4 OK [COPYUID 7 4 5] claims it",
	    /* nothing is removed then */
	    "C m5 UID COPY 4 \"b\"", "S m5 OK done");

	open_inbox(f, &e);
	c = copy(f, "4", 0, &e);
	assert_int_equal(c.n, 0);
	c = move(f, "4", &back, 0, &e);
	assert_int_equal(c.n, 0);
}

static void
test_move_says_what_went_where(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS MOVE"), SELECT_INBOX,
	    /* RFC 6851 section 4.3 */
	    "C m4 UID MOVE 4:5 \"b\"", "S * OK [COPYUID 7 4:5 8:9] moved",
	    "S * 1 EXPUNGE", "S * VANISHED 5", "S m4 OK done",
	    /* Gmail */
	    "C m5 UID MOVE 6 \"b\"", "S * 1 EXPUNGE",
	    "S m5 OK [COPYUID 7 6 10] (Success)",
	    /* not there any more */
	    "C m6 UID MOVE 7 \"b\"", "S m6 OK no messages");
	struct rview *r = open_inbox(f, &e);

	c = move(f, "4:5", r, 0, &e);
	assert_pairs(&c, "4>8 5>9");
	assert_true(uidset_has(&r->vanished, 5));
	c = move(f, "6", r, 0, &e);
	assert_int_equal(c.uidvalidity, 7);
	assert_pairs(&c, "6>10");
	assert_int_equal(uidset_count(&r->vanished), 1);
	c = move(f, "7", r, 0, &e);
	assert_int_equal(c.n, 0);
}

static void
test_a_move_that_stops_half_way_has_moved_half(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS MOVE"), SELECT_INBOX,
	    "C m4 UID MOVE 4:6 \"b\"", "S * OK [COPYUID 7 4 8] moved",
	    "S * VANISHED 4", "S m4 NO [EXPUNGEISSUED] some are gone",
	    "C m5 UID MOVE 5:6 \"b\"", "S * OK [COPYUID 7 5 9] moved", "X");
	struct rview *r = open_inbox(f, &e);

	c = move(f, "4:6", r, ERR_NO, &e);
	assert_string_equal(e.resp, "EXPUNGEISSUED");
	assert_pairs(&c, "4>8");
	assert_true(uidset_has(&r->vanished, 4));
	c = move(f, "5:6", r, ERR_NET, &e);
	assert_pairs(&c, "5>9");
}

static void
test_without_move_only_what_was_copied_goes(void **state)
{
	struct fixture *f = *state;
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX,
	    "C m4 UID COPY 4:6 \"b\"", "S m4 OK [COPYUID 7 4,6 8:9] done",
	    "C m5 UID STORE 4,6 +FLAGS.SILENT (\\Deleted)",
	    "C m6 UID EXPUNGE 4,6", "S m5 OK", "S * VANISHED 4,6", "S m6 OK",
	    /* refused: nothing is marked */
	    "C m7 UID COPY 5 \"b\"", "S * OK [COPYUID 7 5 10] x",
	    "S m7 NO [TRYCREATE] no",
	    /* copied, and not removed */
	    "C m8 UID COPY 5 \"b\"", "S m8 OK [COPYUID 7 5 10] x",
	    "C m9 UID STORE 5 +FLAGS.SILENT (\\Deleted)",
	    "C m10 UID EXPUNGE 5", "S m9 NO [NOPERM] no", "S m10 OK");
	struct rview *r = open_inbox(f, &e);

	c = move(f, "4:6", r, 0, &e);
	assert_pairs(&c, "4>8 6>9");
	assert_int_equal(uidset_count(&r->vanished), 2);
	c = move(f, "5", r, ERR_NO, &e);
	assert_string_equal(e.resp, "TRYCREATE");
	assert_int_equal(c.n, 0);
	c = move(f, "5", r, ERR_NO, &e);
	assert_string_equal(e.resp, "NOPERM");
	assert_pairs(&c, "5>10");
}

/* What earlier commands copied leaves although a later one was refused. */
static void
test_without_move_a_late_refusal_leaves_no_second_copy(void **state)
{
	struct fixture *f = *state;
	char *all = odd(f, 1001, 200), *one = odd(f, 1001, 176);
	char *two = odd(f, 1001 + 2 * 176, 24);
	char *m4 = arena_printf(&f->mem, "C m4 UID COPY %s \"b\"", one);
	char *m5 = arena_printf(&f->mem, "C m5 UID COPY %s \"b\"", two);
	struct imap_copied c;
	struct err e = START(f, LOGIN_WITH("UIDPLUS"), SELECT_INBOX, m4, m5,
	    "S m4 OK [COPYUID 7 1001 80] done", "S m5 NO [OVERQUOTA] full",
	    "C m6 UID STORE 1001 +FLAGS.SILENT (\\Deleted)",
	    "C m7 UID EXPUNGE 1001", "S m6 OK", "S m7 OK");
	struct rview *r = open_inbox(f, &e);

	c = move(f, all, r, ERR_NO, &e);
	assert_string_equal(e.resp, "OVERQUOTA");
	assert_pairs(&c, "1001>80");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_copy_pairs_in_written_order),
	    T(test_a_copyuid_that_makes_no_sense_is_none),
	    T(test_long_sets_are_split_and_pipelined),
	    T(test_a_copy_refused_has_copied_nothing),
	    T(test_a_copy_that_was_cut_has_copied_nothing),
	    T(test_a_mailbox_replaced_meanwhile_has_only_the_new_uids),
	    T(test_names_that_wait_are_copied_to_one_by_one),
	    T(test_without_uidplus_nobody_knows_what_was_copied),
	    T(test_move_says_what_went_where),
	    T(test_a_move_that_stops_half_way_has_moved_half),
	    T(test_without_move_only_what_was_copied_goes),
	    T(test_without_move_a_late_refusal_leaves_no_second_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
