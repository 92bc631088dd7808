/*
 * What names a message without its octets: Message-ID, X-GM-MSGID, EMAILID;
 * and the numbers that capabilities carry.
 */
#include "dialogue.h"

static int
fetch(struct fixture *f, uint32_t lo, uint32_t hi, struct imap_msgid **v_r,
    size_t *n_r, struct err *e)
{
	struct uidset set;
	int rc;

	uidset_init(&set);
	uidset_add_range(&set, lo, hi);
	rc = imap_fetch_msgids(f->s, &set, &f->mem, v_r, n_r, e);
	uidset_release(&set);
	return rc;
}

#define FIELDS "BODY[HEADER.FIELDS (MESSAGE-ID)]"
#define IDS " (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"

static void
test_message_ids_in_any_shape(void **state)
{
	static const char *const want[] = {"<1@a>", "<2@a>", "", "<4@a>", "",
	    "<6@a> (x)"};
	struct fixture *f = *state;
	struct imap_msgid *v;
	size_t n;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 1:20" IDS,
	    "S * 4 FETCH (UID 4 body[header.fields (\"Message-ID\")] {21}",
	    "R Message-ID: <4@a>\r\n\r\n", "S )",
	    "S * 1 FETCH (" FIELDS " {21}", "R Message-ID: <1@a>\r\n\r\n",
	    "S  UID 1 FLAGS ())",
	    /* a message without a body, and so without an empty line */
	    "S * 2 FETCH (UID 2 " FIELDS " {19}", "R message-id: <2@a>\r\n",
	    "S )",
	    /* none */
	    "S * 3 FETCH (UID 3 " FIELDS " {2}", "R \r\n", "S )",
	    "S * 5 FETCH (UID 5 " FIELDS " \"\")",
	    "S * 6 FETCH (UID 6 " FIELDS " {27}",
	    "R Message-ID:\r\n <6@a> (x)\r\n\r\n", "S )",
	    /* once is enough */
	    "S * 4 FETCH (UID 4 " FIELDS " {21}",
	    "R Message-ID: <x@a>\r\n\r\n", "S )",
	    /* no answer to the question */
	    "S * 7 FETCH (UID 7 " FIELDS " NIL)", "S * 8 FETCH (UID 8)",
	    "S * 9 FETCH (UID 9 BODY[HEADER] \"\")",
	    "S * 9 FETCH (UID 9 BODY[HEADER.FIELDS.NOT (X)] \"\")",
	    "S * 9 FETCH (UID 9 BODY[HEADER.FIELDS (X)]<0> \"\")",
	    "S * 9 FETCH (" FIELDS " \"\")",
	    "S * 9 FETCH (UID 21 " FIELDS " \"\")",
	    "R * 9 FETCH (UID 10 " FIELDS " {20000}\r\n", "N 20000", "S )",
	    "S m4 OK");

	open_inbox(f, &e);
	assert_int_equal(0, fetch(f, 1, 20, &v, &n, &e));
	assert_int_equal(n, sizeof want / sizeof *want);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].uid, i + 1);
		assert_true(span_eq(v[i].id, span_str(want[i])));
	}
}

static void
test_message_ids_refused(void **state)
{
	struct fixture *f = *state;
	struct imap_msgid *v = NULL;
	size_t n = 7;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 4" IDS, "S * 1 FETCH (UID 4 " FIELDS " \"\")",
	    "S m4 BAD no", "C m5 UID FETCH 4" IDS, "S m5 OK",
	    "C m6 UID FETCH 4" IDS, "X");

	open_inbox(f, &e);
	assert_int_equal(0, fetch(f, 4, 4, &v, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(0, fetch(f, 4, 4, &v, &n, &e));
	assert_int_equal(n, 0);
	assert_int_equal(ERR_NET, fetch(f, 4, 4, &v, &n, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
}

/* A NO concerns one message: the others are told. */
static void
test_message_ids_refused_in_company_are_asked_for_alone(void **state)
{
	struct fixture *f = *state;
	struct imap_msgid *v = NULL;
	size_t n = 7;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 4:6" IDS,
	    "S * 1 FETCH (UID 4 " FIELDS " \"Message-ID: <a@b>\")",
	    "S m4 NO [SERVERBUG] no", "C m5 UID FETCH 5" IDS,
	    "S m5 NO [SERVERBUG] no", "C m6 UID FETCH 6" IDS,
	    "S * 3 FETCH (UID 6 " FIELDS " \"Message-ID: <c@b>\")", "S m6 OK");

	open_inbox(f, &e);
	assert_int_equal(0, fetch(f, 4, 6, &v, &n, &e));
	assert_int_equal(n, 2);
	assert_int_equal(v[0].uid, 4);
	assert_true(span_eq(v[0].id, SPAN("a@b")) ||
	    span_eq(v[0].id, SPAN("<a@b>")));
	assert_int_equal(v[1].uid, 6);
}

/* The connection ends: which one was to come.  UID 4 is gone. */
static void
test_message_ids_pending(void **state)
{
	struct fixture *f = *state;
	struct imap_msgid *v = NULL;
	size_t n = 7;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 4:7" IDS, "S * 1 FETCH (UID 5 " FIELDS " \"\")",
	    "X");

	open_inbox(f, &e);
	assert_int_equal(ERR_NET, fetch(f, 4, 7, &v, &n, &e));
	assert_int_equal(imap_pending(f->s), 6);
}

static void
test_message_ids_pending_alone(void **state)
{
	struct fixture *f = *state;
	struct imap_msgid *v = NULL;
	size_t n = 7;
	struct err e = START(f, LOGIN_PLAIN, SELECT_INBOX,
	    "C m4 UID FETCH 4:6" IDS,
	    "S * 3 FETCH (UID 6 " FIELDS " \"\")", "S m4 NO no",
	    "C m5 UID FETCH 4" IDS, "S m5 NO no", "C m6 UID FETCH 5" IDS,
	    "X");

	open_inbox(f, &e);
	assert_int_equal(ERR_NET, fetch(f, 4, 6, &v, &n, &e));
	assert_int_equal(imap_pending(f->s), 5);
}

static void
test_message_ids_of_long_sets_are_pipelined(void **state)
{
	struct fixture *f = *state;
	struct imap_msgid *v;
	struct uidset set;
	struct buf line[2];
	size_t n;
	struct err e;

	uidset_init(&set);
	for (unsigned i = 0; i < 2; i++) {
		buf_init(&line[i], 2000);
		buf_addf(&line[i], "C m%u UID FETCH ", 4 + i);
	}
	for (unsigned i = 0; i < 200; i++) { /* 176 fill a line */
		uidset_add(&set, 1001 + 2 * i);
		buf_addf(&line[i >= 176], "%s%u", i % 176 ? "," : "",
		    1001 + 2 * i);
	}
	for (unsigned i = 0; i < 2; i++)
		buf_add_str(&line[i], IDS);
	e = START(f, LOGIN_PLAIN, SELECT_INBOX, buf_cstr(&line[0]),
	    buf_cstr(&line[1]), "S * 2 FETCH (UID 1399 " FIELDS " \"\")",
	    "S m5 OK", "S * 1 FETCH (UID 1001 " FIELDS " \"\")", "S m4 OK");

	open_inbox(f, &e);
	assert_int_equal(0, imap_fetch_msgids(f->s, &set, &f->mem, &v, &n, &e));
	assert_int_equal(n, 2);
	assert_int_equal(v[0].uid, 1001);
	assert_int_equal(v[1].uid, 1399);
	assert_int_equal(imap_stats(f->s).round_trips, 4);
	for (unsigned i = 0; i < 2; i++)
		buf_release(&line[i]);
	uidset_release(&set);
}

static void
test_gmail_is_asked_for_its_message_number(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_WITH("X-GM-EXT-1 OBJECTID"),
	    SELECT_INBOX,
	    "C m4 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE "
	    "X-GM-MSGID)",
	    "S * 1 FETCH (UID 4 FLAGS () X-GM-MSGID 1278455344230334865)",
	    /* what comes later need not repeat it */
	    "S * 1 FETCH (UID 4 FLAGS (\\Seen))",
	    "S * 2 FETCH (UID 5 FLAGS ())", "S m4 OK",
	    "C m5 UID FETCH 1:* (UID FLAGS)", "S m5 OK");
	struct rview *r = open_inbox(f, &e);

	assert_true(imap_caps(f->s) & IMAP_CAP_GMAIL);
	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, true, &f->mem, r, &e));
	assert_int_equal(r->n, 2);
	assert_true(span_eq(r->v[0].gid, SPAN("1278455344230334865")));
	assert_int_equal(r->v[0].flags.sys, FLAG_SEEN);
	assert_int_equal(r->v[1].gid.n, 0);
	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, false, &f->mem, r, &e));
}

static void
test_others_are_asked_for_the_email_id(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_WITH("OBJECTID"), SELECT_INBOX,
	    "C m4 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)",
	    "S * 1 FETCH (UID 4 FLAGS () EMAILID (M6d-_9))",
	    "S * 2 FETCH (EMAILID NIL UID 5 FLAGS ())",
	    "S * 2 FETCH (UID 6 EMAILID (\"a\\\"b\") FLAGS ())", "S m4 OK");
	struct rview *r = open_inbox(f, &e);

	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, true, &f->mem, r, &e));
	assert_int_equal(r->n, 3);
	assert_true(span_eq(r->v[0].gid, SPAN("M6d-_9")));
	assert_int_equal(r->v[1].gid.n, 0);
	assert_int_equal(r->v[2].gid.n, 0);
}

static void
test_the_limit_of_appends(void **state)
{
	static const struct {
		const char *login;
		bool cap;
		uint64_t limit;
	} cases[] = {
	    {"S m2 OK [CAPABILITY IMAP4rev1 APPENDLIMIT=35651584] in", true,
		35651584},
	    {"S m2 OK [CAPABILITY IMAP4rev1 appendlimit] in", true, 0},
	    {"S m2 OK [CAPABILITY IMAP4rev1 APPENDLIMIT=many] in", false, 0},
	    {"S m2 OK [CAPABILITY IMAP4rev1 APPENDLIMITS] in", false, 0},
	    {"S m2 OK [CAPABILITY IMAP4rev1 "
	     "APPENDLIMIT=18446744073709551616] in", false, 0},
	};
	static const char *const off[] = {"APPENDLIMIT", NULL};
	struct fixture *f = *state;

	for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
		size_t k = i ? i - 1 : 0;

		f->conf.disable = i ? NULL : off;
		struct err e = START(f, "S * OK hello", "C m1 CAPABILITY",
		    "S * CAPABILITY IMAP4rev1 APPENDLIMIT=1", "S m1 OK",
		    "C m2 LOGIN \"ana\" \"s3cret\"", cases[k].login);
		assert_int_equal(e.code, 0);
		assert_int_equal(!!(imap_caps(f->s) & IMAP_CAP_APPENDLIMIT),
		    i && cases[k].cap);
		assert_int_equal(imap_append_limit(f->s),
		    i ? cases[k].limit : 0);
		if (i == sizeof cases / sizeof *cases)
			break;
		imap_free(&f->s);
		pthread_join(f->server.thread, NULL);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_message_ids_in_any_shape),
	    T(test_message_ids_refused),
	    T(test_message_ids_refused_in_company_are_asked_for_alone),
	    T(test_message_ids_pending),
	    T(test_message_ids_pending_alone),
	    T(test_message_ids_of_long_sets_are_pipelined),
	    T(test_gmail_is_asked_for_its_message_number),
	    T(test_others_are_asked_for_the_email_id),
	    T(test_the_limit_of_appends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
