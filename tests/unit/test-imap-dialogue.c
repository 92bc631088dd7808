/*
 * Our session against a scripted server (dialogue.h).
 */
#include <config.h>

#include "dialogue.h"

#include <fcntl.h>

#include "base/fs.h"
#include "imap/internal.h"

static void
test_login_command_and_enable(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 LOGOUT", "S * BYE", "S m3 OK");

	assert_int_equal(e.code, 0);
	/* it goes out with what comes next */
	assert_false(imap_caps(f->s) & IMAP_CAP_QRESYNC);
	assert_int_equal(0, imap_enabled(f->s, &e));
	assert_true(imap_caps(f->s) & IMAP_CAP_QRESYNC);
	assert_true(imap_caps(f->s) & IMAP_CAP_CONDSTORE);
	imap_logout(f->s);
}

static void
test_disabled_extensions_are_not_used(void **state)
{
	static const char *const off[] = {"CONDSTORE", "LITERAL+", NULL};
	struct fixture *f = *state;

	f->conf.disable = off;
	struct err e = START(f, "S * OK [CAPABILITY IMAP4rev1] hello",
	    "C m1 LOGIN \"ana\" \"s3cret\"",
	    "S m1 OK [CAPABILITY " ALL_CAPS "] in");
	assert_int_equal(e.code, 0);
	assert_false(imap_caps(f->s) &
	    (IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_LITERAL_PLUS));
}

static void
test_sasl_plain_with_and_without_initial_response(void **state)
{
	struct fixture *f = *state;
	struct err e =
	    START(f, "S * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi",
		"C m1 AUTHENTICATE PLAIN AGFuYQBzM2NyZXQ=",
		"S m1 OK [CAPABILITY IMAP4rev1] in");

	assert_int_equal(e.code, 0);
	imap_free(&f->s);
	pthread_join(f->server.thread, NULL);
	assert_string_equal(f->server.error, "");
	e = START(f, "S * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi",
	    "C m1 AUTHENTICATE PLAIN", "S +", "C AGFuYQBzM2NyZXQ=", "S m1 OK in",
	    "C m2 CAPABILITY", "S * CAPABILITY IMAP4rev1", "S m2 OK");
	assert_int_equal(e.code, 0);
}

static void
test_a_refused_login_is_tried_once(void **state)
{
	struct fixture *f = *state;
	struct err e =
	    START(f, "S * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi",
		"C m1 AUTHENTICATE PLAIN AGFuYQBzM2NyZXQ=",
		"S m1 NO [AUTHENTICATIONFAILED] wrong");

	assert_int_equal(e.code, ERR_AUTH);
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(err_exit_status(&e), 77);
	assert_null(f->s);
	assert_null(strstr(e.text, "s3cret"));
}

static void
test_login_later_is_not_login_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, "S * OK [CAPABILITY IMAP4rev1] hi",
	    "C m1 LOGIN \"ana\" \"s3cret\"", "S m1 NO [UNAVAILABLE] later");

	assert_int_equal(e.code, ERR_NO);
	assert_int_equal(e.retry, ERR_RETRY_LATER);
	assert_int_equal(err_exit_status(&e), 75);
}

static void
test_no_way_to_log_in(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f,
	    "S * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hi");

	assert_int_equal(e.code, ERR_AUTH);
	assert_non_null(strstr(e.text, "GSSAPI"));
	assert_null(strstr(e.text, "starttls"));
	pthread_join(f->server.thread, NULL);
	e = START(f, "S * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi");
	assert_int_equal(e.code, ERR_AUTH);
	assert_non_null(strstr(e.text, "tls: starttls"));
}

static void
test_greetings_that_end_it(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, "S * BYE too many connections");

	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_non_null(strstr(e.text, "too many connections"));
	pthread_join(f->server.thread, NULL);
	e = START(f, "S 220 mail.example.org ESMTP");
	assert_int_equal(e.code, ERR_PROTO);
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	pthread_join(f->server.thread, NULL);
	e = START(f, "X");
	assert_int_equal(e.code, ERR_NET);
	assert_int_equal(err_exit_status(&e), 69);
}

static void
test_silence_ends_at_the_deadline_or_by_cancel(void **state)
{
	struct fixture *f = *state;

	f->conf.net.silence_ms = 50;
	struct err e = START(f, "R * OK half a gree");
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(err_exit_status(&e), 69);
	pthread_join(f->server.thread, NULL);
	f->conf.net.silence_ms = 60000;
	cancel_raise(f->cancel);
	e = START(f, "R * OK half a gree");
	assert_int_equal(e.code, ERR_CANCELED);
	/* it never connected: let the server go */
	shutdown(f->server.listener, SHUT_RDWR);
}

/* A trace from here on; PATH: "/tmp/mochila-trace.XXXXXX". */
static void
begin_trace(struct fixture *f, char *path)
{
	int fd = mkstemp(path);
	struct err e;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(0, imap_trace_open(path, &f->conf.trace, &e));
}

/* The session ends; all of its trace to B. */
static void
end_trace(struct fixture *f, const char *path, struct buf *b)
{
	struct err e;

	imap_free(&f->s);
	imap_trace_free(&f->conf.trace);
	buf_init(b, 1u << 20);
	assert_int_equal(0, fs_read_file(AT_FDCWD, path, 65536, b, &e));
	(void)buf_cstr(b);
	unlink(path);
}

static void
test_what_is_repeated_of_a_password_is_not_shown(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/mochila-trace.XXXXXX";
	struct buf b;
	struct err e;

	begin_trace(f, path);
	f->conf.password = SPAN("s3\"ret");
	e = START(f, "S * OK [CAPABILITY IMAP4rev1] hi",
	    "C m1 LOGIN \"ana\" \"s3\\\"ret\"",
	    "S * NO I heard s3\"ret",
	    "S m1 BAD [X-S3\"RET s3\"ret] unknown: m1 LOGIN \"ana\" "
	    "\"s3\\\"ret\"");
	assert_int_equal(e.code, ERR_AUTH);
	assert_non_null(strstr(e.text, "unknown: m1 LOGIN \"ana\" \"***\""));
	end_trace(f, path, &b);
	assert_non_null(strstr(b.p, "< * NO I heard ***\n"));
	assert_null(strstr(b.p, "s3"));
	buf_release(&b);
}

static void
test_what_is_repeated_of_an_exchange_is_not_shown(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/mochila-trace.XXXXXX";
	struct buf b;
	struct err e;

	begin_trace(f, path);
	e = START(f, "S * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi",
	    "C m1 AUTHENTICATE PLAIN AGFuYQBzM2NyZXQ=",
	    "S m1 BAD not AGFuYQBzM2NyZXQ= nor s3cret");
	assert_int_equal(e.code, ERR_AUTH);
	assert_non_null(strstr(e.text, "not *** nor ***"));
	end_trace(f, path, &b);
	assert_non_null(strstr(b.p, "< m1 BAD not *** nor ***\n"));
	assert_null(strstr(b.p, "AGFu"));
	buf_release(&b);
}

static void
test_the_trace_masks_the_password(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/mochila-trace.XXXXXX";
	struct buf b;
	struct err e;

	begin_trace(f, path);
	e = START(f, LOGIN_ALL);
	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_enabled(f->s, &e));
	end_trace(f, path, &b);
	assert_non_null(strstr(b.p, "> m1 LOGIN \"ana\" ***\n"));
	assert_non_null(strstr(b.p, "< * ENABLED QRESYNC\n"));
	assert_null(strstr(b.p, "s3cret"));
	buf_release(&b);
}

static void
test_listing_with_numbers_in_one_flight(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f, LOGIN_ALL,
	    "C m3 LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY "
	    "HIGHESTMODSEQ))",
	    "S * LIST () \"/\" Inbox",
	    "S * STATUS INBOX (MESSAGES 3 UIDNEXT 7 UIDVALIDITY 9 "
	    "HIGHESTMODSEQ 11)",
	    "S * LIST (\\Noselect) \"/\" a", "S * LIST () \"/\" \"a/b c\"",
	    "S * LIST () \"/\" \"a/b c\"", "S m3 OK",
	    /* RFC 5819: a server may leave single ones out */
	    "C m4 STATUS \"a/b c\" (MESSAGES UIDNEXT UIDVALIDITY "
	    "HIGHESTMODSEQ)",
	    "S * STATUS \"a/b c\" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 10)",
	    "S m4 OK");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 3);
	assert_int_equal(l.delim, '/');
	assert_true(span_eq(l.v[0].wire, SPAN("INBOX")));
	assert_int_equal(l.v[0].messages, 3);
	assert_int_equal(l.v[0].highestmodseq, 11);
	assert_true(l.v[1].attrs & ATTR_NOSELECT);
	assert_true(span_eq(l.v[2].wire, SPAN("a/b c")));
	assert_int_equal(l.v[2].uidvalidity, 10);
	assert_false(l.v[2].has & HAS_HIGHESTMODSEQ);
}

static void
test_a_line_that_cannot_be_read_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	struct imap_listing l;
	struct err e = START(f, LOGIN_PLAIN, "C m3 LIST \"\" \"*\"",
	    "S * LIST (\\Noselect) \"/\" \"\"", "S * LIST () \"/\" INBOX",
	    "S * LIST () \"/\" two words", "S * LIST () \"/\" in (brackets)",
	    "S * LIST () \"/\" tab\there",
	    "S * LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))", "S m3 OK",
	    "C m4 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m5 STATUS \"tab\there\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "C m6 STATUS \"x\" (MESSAGES UIDNEXT UIDVALIDITY)",
	    "S m4 OK", "S m5 NO", "S * STATUS x (MESSAGES 2)", "S m6 OK",
	    "C m7 EXAMINE \"tab\there\"", "S m7 NO [INUSE] later");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
	assert_int_equal(l.n, 3);
	assert_int_equal(l.unread, 2);
	assert_true(span_eq(l.v[2].wire, SPAN("x")));
}

static void
test_a_list_that_is_refused_is_asked_again_in_plain(void **state)
{
	static const char *const answer[] = {"S m4 OK", "S m4 BAD what?"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct imap_listing l;
		struct err e = START(f, "S * OK [CAPABILITY IMAP4rev1] hi",
		    "C m1 LOGIN \"ana\" \"s3cret\"",
		    "S m1 OK [CAPABILITY IMAP4rev1 ID NAMESPACE LIST-STATUS]",
		    "C m2 ID (\"name\" \"mochila\" \"version\" \""
		    PACKAGE_VERSION "\")",
		    "C m3 NAMESPACE",
		    "C m4 LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT "
		    "UIDVALIDITY))",
		    "S * ID NIL", "S m2 OK", "S * NAMESPACE NIL NIL NIL",
		    "S m3 OK", answer[i], "C m5 LIST \"\" \"*\"",
		    "S * LIST () NIL Inbox", "S * LIST () NIL INBOX", "S m5 OK",
		    "C m6 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)",
		    "S * STATUS inbox (MESSAGES 4)", "S m6 OK");

		assert_int_equal(e.code, 0);
		assert_int_equal(0, imap_list(f->s, &f->mem, &l, &e));
		assert_int_equal(l.n, 1);
		assert_int_equal(l.v[0].messages, 4);
		assert_int_equal(l.delim, 0);
		if (i == 0) {
			imap_free(&f->s);
			pthread_join(f->server.thread, NULL);
			assert_string_equal(f->server.error, "");
		}
	}
}

static void
test_select_with_a_cursor_brings_the_delta(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct rview r;
	struct err e = START(f, LOGIN_ALL,
	    "C m3 SELECT \"INBOX\" (QRESYNC (9 5))", "S * 3 EXISTS",
	    "S * OK [PERMANENTFLAGS (\\Seen \\Deleted work)] x",
	    "S * OK [UIDVALIDITY 9] x", "S * OK [UIDNEXT 7] x",
	    "S * OK [HIGHESTMODSEQ 11] x", "S * VANISHED (EARLIER) 1:3",
	    "S * 2 FETCH (UID 5 FLAGS (\\Seen work) MODSEQ (10))",
	    "S m3 OK [READ-WRITE] x",
	    /* until CLOSED this is about the first one */
	    "C m4 SELECT \"INBOX\"", "S * 9 EXISTS", "S * VANISHED 5",
	    "S * 1 FETCH (UID 4 FLAGS ())", "S * OK [CLOSED] x",
	    "S * 2 EXISTS", "S * OK [UIDVALIDITY 9] x",
	    "S m4 OK [READ-ONLY] x");

	assert_int_equal(e.code, 0);
	assert_int_equal(0, select_inbox(f, 9, 5, &sel, &r, &e));
	assert_true(sel.qresync);
	assert_int_equal(sel.exists, 3);
	assert_int_equal(sel.uidnext, 7);
	assert_int_equal(sel.highestmodseq, 11);
	assert_false(sel.any_keyword);
	assert_int_equal(sel.permanent.sys, FLAG_SEEN | FLAG_DELETED);
	assert_int_equal(sel.permanent.n, 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.v[0].uid, 5);
	assert_int_equal(r.v[0].modseq, 10);
	assert_int_equal(r.v[0].flags.n, 1);
	assert_int_equal(uidset_count(&r.vanished), 3);
	uidset_release(&r.vanished);
	assert_int_equal(0, select_inbox(f, 0, 0, &sel, &r, &e));
	assert_int_equal(sel.exists, 2);
	assert_true(sel.read_only);
	assert_true(sel.any_keyword);
	assert_int_equal(r.n, 0);
	assert_int_equal(uidset_count(&r.vanished), 0);
	uidset_release(&r.vanished);
}

static void
test_a_mailbox_that_cannot_be_selected_stops_only_itself(void **state)
{
	struct fixture *f = *state;
	struct imap_selected sel;
	struct rview r;
	struct err e = START(f, LOGIN_ALL, "C m3 SELECT \"INBOX\"",
	    "S m3 NO [NOPERM] no", "C m4 SELECT \"INBOX\"", "S * 0 EXISTS",
	    "S m4 OK", "C m5 SELECT \"INBOX\"", "S * BYE shutting down", "X");

	assert_int_equal(e.code, 0);
	assert_int_equal(ERR_NO, select_inbox(f, 0, 0, &sel, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_string_equal(e.resp, "NOPERM");
	/* no UIDVALIDITY: such UIDs mean nothing */
	assert_int_equal(ERR_PROTO, select_inbox(f, 0, 0, &sel, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(ERR_BYE, select_inbox(f, 0, 0, &sel, &r, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	/* and it stays so */
	assert_int_equal(ERR_BYE, select_inbox(f, 0, 0, &sel, &r, &e));
}

#define META "UID FETCH 1:* (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)"

static void
test_a_listing_is_complete_only_with_all_that_exists(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX, "C m4 " META,
	    "S * 1 FETCH (UID 4 FLAGS () MODSEQ (3) RFC822.SIZE 9 INTERNALDATE "
	    "\"17-Jul-1996 02:44:25 -0700\")",
	    "S m4 OK", "C m5 " META,
	    "S * 1 FETCH (UID 4 FLAGS () MODSEQ (3) RFC822.SIZE 9 INTERNALDATE "
	    "\"17-Jul-1996 02:44:25 -0700\")",
	    "S * 2 FETCH (UID 5 FLAGS (\\Seen))",
	    /* two more come and one goes while it is sent */
	    "S * 4 EXISTS", "S * VANISHED 4", "S m5 OK");
	struct rview *r = open_inbox(f, &e);

	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, true, &f->mem, r, &e));
	assert_false(r->complete);
	assert_true(r->v[0].has_meta);
	r->n = 0;
	assert_int_equal(0,
	    imap_fetch_meta(f->s, NULL, true, true, &f->mem, r, &e));
	assert_true(r->complete);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->v[0].uid, 5);
	assert_int_equal(r->exists, 1);
}

static void
test_samples_find_their_request(void **state)
{
	struct fixture *f = *state;
	struct imap_sample v[] = {{.uid = 4, .off = 0, .len = 10},
	    {.uid = 5, .off = 0, .len = 10}, {.uid = 4, .off = 90, .len = 10}};
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5 (UID BODY.PEEK[]<0.10>)",
	    "C m5 UID FETCH 4 (UID BODY.PEEK[]<90.10>)",
	    "S * 2 FETCH (BODY[]<0> {3}", "R abc", "S  UID 5)",
	    "S * 1 FETCH (UID 4 BODY[]<0> \"xyz\")", "S m4 OK",
	    "S * 1 FETCH (UID 4 BODY[]<90> NIL)", "S m5 OK");

	open_inbox(f, &e);
	assert_int_equal(0, imap_fetch_samples(f->s, &f->mem, v, 3, &e));
	assert_true(span_eq(v[0].got, SPAN("xyz")));
	assert_true(span_eq(v[1].got, SPAN("abc")));
	assert_null(v[2].got.p);
}

/* All bodies as "UID:octets ", the octets counted. */
static int
fetch_bodies(struct fixture *f, const uint32_t *uids, size_t n,
    struct buf *out, struct err *e)
{
	struct imap_fetch *b;
	const struct imap_failed *bad;
	struct rmsg m;
	struct span chunk;
	int rc;

	assert_int_equal(0,
	    imap_fetch_begin(f->s, uids, NULL, n, &f->mem, &b, e));
	while ((rc = imap_fetch_next(b, &m, e)) > 0) {
		size_t octets = 0;

		while ((rc = imap_fetch_read(b, &chunk, e)) > 0)
			octets += chunk.n;
		if (rc == 0)
			rc = imap_fetch_done(b, &m, e);
		if (rc < 0)
			break;
		buf_addf(out, "%u:%zu ", m.uid, octets);
	}
	n = imap_fetch_failed(b, &bad);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%u!%.*s ", bad[i].uid, SPAN_ARG(bad[i].why));
	imap_fetch_end(&b);
	return rc;
}

#define BODIES " (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE BODY.PEEK[])"

static void
test_bodies_long_and_short_in_any_shape(void **state)
{
	static const uint32_t uids[] = {9, 8, 7, 6};
	struct fixture *f = *state;
	struct buf out;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 6:9" BODIES, "R * 1 FETCH (BODY[] {100000}\r\n",
	    "N 100000", "S  UID 8 FLAGS (\\Seen))",
	    /* nobody asked for these */
	    "S * 7 EXISTS", "S * 3 FETCH (UID 12 FLAGS ())",
	    "R * 1 FETCH (UID 77 BODY[] {20000}\r\n", "N 20000", "S )",
	    "S * 1 FETCH (UID 9 BODY[] {5}\r\nabcde)",
	    "S * 1 FETCH (UID 9 BODY[] {4}\r\nabcd)", /* once is enough */
	    "S * 1 FETCH (UID 7 BODY[] NIL)", "S m4 OK");

	open_inbox(f, &e);
	buf_init(&out, 1000);
	assert_int_equal(0, fetch_bodies(f, uids, 4, &out, &e));
	assert_string_equal(buf_cstr(&out), "8:100000 9:5 ");
	buf_release(&out);
}

static void
test_a_refused_fetch_is_repeated_one_by_one(void **state)
{
	static const uint32_t uids[] = {4, 5, 6};
	struct fixture *f = *state;
	struct buf out;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:6" BODIES,
	    "S * 1 FETCH (UID 4 BODY[] {1}\r\na)",
	    "S m4 NO [SERVERBUG] broken", "C m5 UID FETCH 5" BODIES,
	    "C m6 UID FETCH 6" BODIES, "S m5 NO [SERVERBUG] broken message",
	    "S * 3 FETCH (UID 6 BODY[] {2}\r\nab)", "S m6 OK");

	open_inbox(f, &e);
	buf_init(&out, 1000);
	assert_int_equal(0, fetch_bodies(f, uids, 3, &out, &e));
	assert_string_equal(buf_cstr(&out), "4:1 6:2 5!broken message ");
	buf_release(&out);
}

static void
test_a_cut_in_a_body_is_no_body(void **state)
{
	static const uint32_t uids[] = {4};
	struct fixture *f = *state;
	struct buf out;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4" BODIES, "R * 1 FETCH (UID 4 BODY[] {50000}\r\n",
	    "N 49999", "X");

	open_inbox(f, &e);
	buf_init(&out, 1000);
	assert_int_equal(ERR_NET, fetch_bodies(f, uids, 1, &out, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	assert_string_equal(buf_cstr(&out), "");
	buf_release(&out);
}

/* Whatever the order in which they are asked for, a set comes ascending. */
static void
test_it_is_known_which_body_was_to_come(void **state)
{
	static const uint32_t uids[] = {9, 7, 4};
	struct fixture *f = *state;
	struct imap_fetch *b;
	struct rmsg m;
	struct span chunk;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4,7,9" BODIES,
	    "S * 1 FETCH (UID 4 BODY[] {1}\r\na)", "X");
	open_inbox(f, &e);
	size_t source = 9;
	int rc;

	assert_int_equal(0,
	    imap_fetch_begin(f->s, uids, NULL, 3, &f->mem, &b, &e));
	assert_int_equal(imap_fetch_pending(b, &source), 0);
	while ((rc = imap_fetch_next(b, &m, &e)) > 0) {
		assert_int_equal(imap_fetch_pending(b, &source), 4);
		while (imap_fetch_read(b, &chunk, &e) > 0)
			continue;
		assert_int_equal(0, imap_fetch_done(b, &m, &e));
	}
	assert_int_equal(rc, ERR_NET);
	assert_int_equal(imap_fetch_pending(b, &source), 7);
	assert_int_equal(source, 0);
	imap_fetch_end(&b);
}

static void
test_leaving_a_fetch_early_keeps_the_session(void **state)
{
	static const uint32_t uids[] = {4, 5};
	struct fixture *f = *state;
	struct imap_fetch *b;
	struct rmsg m;
	struct span chunk;
	bool exists = true;
	struct err e = START(f, LOGIN_ALL, SELECT_INBOX,
	    "C m4 UID FETCH 4:5" BODIES, "R * 1 FETCH (UID 4 BODY[] {50000}\r\n",
	    "N 50000", "S )", "S * 2 FETCH (UID 5 BODY[] {1}\r\na)", "S m4 OK",
	    "C m5 STATUS \"x\" (MESSAGES)", "S m5 NO [NONEXISTENT] no");

	open_inbox(f, &e);
	assert_int_equal(0,
	    imap_fetch_begin(f->s, uids, NULL, 2, &f->mem, &b, &e));
	assert_int_equal(1, imap_fetch_next(b, &m, &e));
	assert_int_equal(1, imap_fetch_read(b, &chunk, &e));
	imap_fetch_end(&b);
	assert_int_equal(0, imap_exists(f->s, SPAN("x"), &exists, &e));
	assert_false(exists);
}

static void
test_creating_what_is_there_is_no_error(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 CREATE \"a\"",
	    "C m4 SUBSCRIBE \"a\"", "S m3 NO [ALREADYEXISTS] is", "S m4 NO no",
	    "C m5 CREATE \"b\"", "C m6 SUBSCRIBE \"b\"", "S m5 NO is there",
	    "S m6 OK", "C m7 STATUS \"b\" (MESSAGES)",
	    "S * STATUS b (MESSAGES 0)", "S m7 OK", "C m8 CREATE \"c\"",
	    "C m9 SUBSCRIBE \"c\"", "S m8 NO [CANNOT] never", "S m9 NO",
	    "C m10 DELETE \"c\"", "S m10 NO [NONEXISTENT] gone",
	    "C m11 UNSUBSCRIBE \"c\"", "S m11 NO", "C m12 CREATE \"d\"",
	    "C m13 SUBSCRIBE \"d\"", "S m12 OK", "S m13 OK");
	bool was = false;

	assert_int_equal(e.code, 0);
	assert_int_equal(0, imap_create(f->s, SPAN("a"), &was, &e));
	assert_true(was);
	was = false;
	assert_int_equal(0, imap_create(f->s, SPAN("b"), &was, &e));
	assert_true(was);
	assert_int_equal(ERR_NO, imap_create(f->s, SPAN("c"), &was, &e));
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(e.retry, ERR_RETRY_NEVER);
	assert_int_equal(0, imap_delete(f->s, SPAN("c"), &e));
	assert_int_equal(0, imap_create(f->s, SPAN("d"), &was, &e));
	assert_false(was);
}

static void
test_logout_does_not_wait_for_manners(void **state)
{
	struct fixture *f = *state;
	struct err e = START(f, LOGIN_ALL, "C m3 LOGOUT", "S * BYE", "S * BYE",
	    "X");

	assert_int_equal(e.code, 0);
	imap_logout(f->s);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_login_command_and_enable),
	    T(test_disabled_extensions_are_not_used),
	    T(test_sasl_plain_with_and_without_initial_response),
	    T(test_a_refused_login_is_tried_once),
	    T(test_login_later_is_not_login_refused),
	    T(test_no_way_to_log_in),
	    T(test_greetings_that_end_it),
	    T(test_silence_ends_at_the_deadline_or_by_cancel),
	    T(test_the_trace_masks_the_password),
	    T(test_what_is_repeated_of_a_password_is_not_shown),
	    T(test_what_is_repeated_of_an_exchange_is_not_shown),
	    T(test_listing_with_numbers_in_one_flight),
	    T(test_a_line_that_cannot_be_read_leaves_the_others),
	    T(test_a_list_that_is_refused_is_asked_again_in_plain),
	    T(test_select_with_a_cursor_brings_the_delta),
	    T(test_a_mailbox_that_cannot_be_selected_stops_only_itself),
	    T(test_a_listing_is_complete_only_with_all_that_exists),
	    T(test_samples_find_their_request),
	    T(test_bodies_long_and_short_in_any_shape),
	    T(test_a_refused_fetch_is_repeated_one_by_one),
	    T(test_a_cut_in_a_body_is_no_body),
	    T(test_it_is_known_which_body_was_to_come),
	    T(test_leaving_a_fetch_early_keeps_the_session),
	    T(test_creating_what_is_there_is_no_error),
	    T(test_logout_does_not_wait_for_manners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
