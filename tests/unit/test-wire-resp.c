#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "wire/resp.h"

static const struct wire_limits limits = {.max_octets = 65536,
    .max_tree = 1u << 20, .max_depth = 20, .stream_min = 1000};

struct fixture {
	struct wire_lex *x;
	struct resp r;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->x = wire_lex_new(&limits);
	resp_init(&f->r);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	resp_release(&f->r);
	wire_lex_free(&f->x);
	xfree(f);
	return 0;
}

/* TEXT without its line end. */
static const struct resp *
parse(void **state, const char *text)
{
	struct fixture *f = *state;
	size_t used;

	wire_lex_next(f->x);
	assert_int_equal(WIRE_MORE,
	    wire_lex_feed(f->x, text, strlen(text), &used));
	assert_int_equal(WIRE_DONE, wire_lex_feed(f->x, "\r\n", 2, &used));
	resp_parse(wire_lex_root(f->x), &f->r);
	return &f->r;
}

static void
assert_span(struct span s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p ? s.p : "", want, s.n);
}

static void
test_status_tagged_and_untagged(void **state)
{
	const struct resp *r = parse(state, "m12 NO [OverQuota] no room");

	assert_int_equal(r->type, RESP_STATUS);
	assert_int_equal(r->cond, COND_NO);
	assert_span(r->tag, "m12");
	assert_true(resp_code_is(r, "OVERQUOTA"));
	assert_false(resp_code_is(r, "OVER"));
	assert_span(r->text, "no room");
	r = parse(state, "* BYE gone");
	assert_int_equal(r->cond, COND_BYE);
	assert_span(r->tag, "");
	assert_span(r->code, "");
	r = parse(state, "m3 WHAT is this");
	assert_int_equal(r->type, RESP_OTHER);
	assert_span(r->tag, "m3");
	r = parse(state, "+ abc");
	assert_int_equal(r->type, RESP_CONT);
	assert_span(r->text, "abc");
}

static void
test_fetch_takes_what_is_there(void **state)
{
	const struct resp *r = parse(state,
	    "* 12 FETCH (FLAGS (\\Seen a) UID 4 MODSEQ (624140003) "
	    "RFC822.SIZE 44827 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
	    "X-NEW (1 2) BODY[] {3}\r\nabc BODY[HEADER]<10> \"x\")");

	assert_int_equal(r->type, RESP_FETCH);
	assert_int_equal(r->num, 12);
	assert_int_equal(r->has,
	    HAS_UID | HAS_FLAGS | HAS_MODSEQ | HAS_SIZE | HAS_DATE | HAS_BODY);
	assert_int_equal(r->uid, 4);
	assert_int_equal(r->modseq, 624140003);
	assert_int_equal(r->size, 44827);
	assert_int_equal(r->idate, 837596665);
	assert_int_equal(r->nbody, 2);
	assert_span(r->body[0].section, "");
	assert_false(r->body[0].has_origin);
	assert_span(r->body[0].value->s, "abc");
	assert_span(r->body[1].section, "HEADER");
	assert_true(r->body[1].has_origin);
	assert_int_equal(r->body[1].origin, 10);
	assert_true(wire_is_atom(r->flags, "\\Seen"));
}

static void
test_fetch_takes_a_name_of_the_content(void **state)
{
	const struct resp *r =
	    parse(state, "* 1 FETCH (X-GM-MSGID 1278455344230334865 UID 4)");

	assert_int_equal(r->has, HAS_UID | HAS_GID);
	assert_span(r->gid, "1278455344230334865");
	r = parse(state, "* 1 FETCH (emailid (M6d_99-a))");
	assert_int_equal(r->has, HAS_GID);
	assert_span(r->gid, "M6d_99-a");
	r = parse(state, "* 1 FETCH (EMAILID NIL EMAILID () EMAILID M1)");
	assert_int_equal(r->has, 0);
	assert_span(r->gid, "");
	r = parse(state, "* 1 FETCH (EMAILID (a.b) EMAILID (\"a b\") "
			 "X-GM-MSGID -1 X-GM-MSGID NIL)");
	assert_int_equal(r->has, 0);
}

static void
test_fetch_ignores_what_makes_no_sense(void **state)
{
	const struct resp *r = parse(state,
	    "* 1 FETCH (UID 0 RFC822.SIZE -1 MODSEQ 5 INTERNALDATE \"x\" "
	    "FLAGS NIL BODY[] NIL)");

	assert_int_equal(r->type, RESP_FETCH);
	assert_int_equal(r->has, HAS_BODY_NIL);
	r = parse(state, "* 1 FETCH (FLAGS ())");
	assert_int_equal(r->has, HAS_FLAGS);
	assert_null(r->flags);
	r = parse(state, "* 1 FETCH NIL");
	assert_int_equal(r->type, RESP_FETCH);
	assert_int_equal(r->has, 0);
	r = parse(state, "* 1 FETCH (UID)");
	assert_int_equal(r->has, 0);
}

static void
test_list_lines(void **state)
{
	const struct resp *r =
	    parse(state, "* LIST (\\HasNoChildren \\Sent) \"/\" \"a/b\"");

	assert_int_equal(r->type, RESP_LIST);
	assert_int_equal(r->attrs, ATTR_HASNOCHILDREN | ATTR_SENT);
	assert_int_equal(r->delim, '/');
	assert_span(r->mailbox, "a/b");
	r = parse(state, "* LIST (\\NonExistent) NIL NIL");
	assert_int_equal(r->attrs, ATTR_NONEXISTENT | ATTR_NOSELECT);
	assert_int_equal(r->delim, 0);
	assert_span(r->mailbox, "NIL");
	r = parse(state, "* list () \"\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	assert_int_equal(r->delim, 0);
	assert_span(r->mailbox, "x");
	r = parse(state, "* LIST () \"/\" {3}\r\na\"b");
	assert_span(r->mailbox, "a\"b");
}

static void
test_an_unreadable_list_line_is_still_one(void **state)
{
	static const char *const bad[] = {"* LIST () \"/\" two words",
	    "* LIST () \"/\"", "* LIST ()", "* LIST", "* LIST () \"//\" x",
	    "* LIST () \"/\" (x)"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct resp *r = parse(state, bad[i]);

		assert_int_equal(r->type, RESP_LIST);
		assert_int_equal(r->mailbox.n, 0);
	}
}

static void
test_a_name_that_was_not_quoted_is_none(void **state)
{
	static const char *const bad[] = {"two words", "a \"b\"", "a (b)",
	    "a (b c) d", "a)", "\"a\" )", "\"a", "a (\"X\" (1)"};
	static const char *const good[] = {"a", "a ()",
	    "a (\"CHILDINFO\" (\"SUBSCRIBED\"))", "\"a\" odd", "{1}\r\na"};
	char line[100];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(line, sizeof line, "* LIST () \"/\" %s", bad[i]);
		assert_int_equal(parse(state, line)->type, RESP_LIST);
		assert_span(((struct fixture *)*state)->r.mailbox, "");
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(line, sizeof line, "* LIST () \"/\" %s", good[i]);
		assert_span(parse(state, line)->mailbox, "a");
	}
	/* what came before it counts */
	const struct resp *r =
	    parse(state, "* STATUS a (MESSAGES 3 UIDNEXT 9 MAILBOXID (\"\x01)");
	assert_int_equal(r->type, RESP_MBSTATUS);
	assert_int_equal(r->has, HAS_MESSAGES | HAS_UIDNEXT);
}

static void
test_messages_named_by_uid(void **state)
{
	const struct resp *r = parse(state, "* 25 UIDFETCH (FLAGS (\\Seen))");

	assert_int_equal(r->type, RESP_FETCH);
	assert_true(r->uid == 25 && r->num == 0);
	assert_int_equal(r->has, HAS_UID | HAS_FLAGS);
	assert_int_equal(parse(state, "* 25 uidfetch (UID 0)")->uid, 25);
	assert_int_equal(parse(state, "* 0 UIDFETCH (UID 3)")->type, RESP_OTHER);
	assert_false(parse(state, "* 4 FETCH (UID 0)")->has & HAS_UID);
}

static void
test_status_of_a_mailbox(void **state)
{
	const struct resp *r = parse(state,
	    "* STATUS \"a b\" (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 1 "
	    "UNSEEN 2 HIGHESTMODSEQ 90060115205545359 MAILBOXID (F-1_x))");

	assert_int_equal(r->type, RESP_MBSTATUS);
	assert_span(r->mailbox, "a b");
	assert_int_equal(r->has, HAS_MESSAGES | HAS_UIDNEXT | HAS_UIDVALIDITY |
		HAS_UNSEEN | HAS_HIGHESTMODSEQ | HAS_MAILBOXID);
	assert_int_equal(r->messages, 231);
	assert_int_equal(r->highestmodseq, 90060115205545359);
	assert_span(r->mailboxid, "F-1_x");
	/* one server prints garbage; it must not become an identity */
	r = parse(state, "* STATUS x (MAILBOXID (a\x01) MESSAGES 99999999999)");
	assert_int_equal(r->has, 0);
}

static void
test_vanished_and_search(void **state)
{
	const struct resp *r =
	    parse(state, "* VANISHED (EARLIER) 41,43:45,9:7");
	struct buf b;

	buf_init(&b, 100);
	assert_int_equal(r->type, RESP_VANISHED);
	assert_true(r->earlier);
	uidset_format(&r->set, &b);
	assert_string_equal(buf_cstr(&b), "7:9,41,43:45");
	r = parse(state, "* VANISHED 4");
	assert_false(r->earlier);
	assert_int_equal(uidset_count(&r->set), 1);
	r = parse(state, "* VANISHED (EARLIER) x");
	assert_int_equal(r->type, RESP_OTHER);
	r = parse(state, "* SEARCH 4 2 x 3 (MODSEQ 9)");
	assert_int_equal(r->type, RESP_SEARCH);
	assert_int_equal(uidset_count(&r->set), 3);
	r = parse(state, "* ESEARCH (TAG \"m1\") UID COUNT 3 ALL 1:3");
	assert_int_equal(uidset_count(&r->set), 3);
	r = parse(state, "* ESEARCH (TAG \"m1\") UID");
	assert_int_equal(r->type, RESP_SEARCH);
	assert_int_equal(uidset_count(&r->set), 0);
	buf_release(&b);
}

static void
test_numbers_words_and_namespace(void **state)
{
	const struct resp *r = parse(state, "* 23 EXISTS");

	assert_int_equal(r->type, RESP_EXISTS);
	assert_int_equal(r->num, 23);
	assert_int_equal(parse(state, "* 1 recent")->type, RESP_RECENT);
	assert_int_equal(parse(state, "* 1 EXPUNGE")->type, RESP_EXPUNGE);
	assert_int_equal(parse(state, "* 1 WHATEVER")->type, RESP_OTHER);
	r = parse(state, "* CAPABILITY IMAP4rev1 IDLE");
	assert_int_equal(r->type, RESP_CAPABILITY);
	assert_true(wire_is_atom(r->words->next, "IDLE"));
	r = parse(state, "* ENABLED QRESYNC");
	assert_int_equal(r->type, RESP_ENABLED);
	r = parse(state, "* NAMESPACE ((\"INBOX.\" \".\")(\"x\" \"/\")) NIL NIL");
	assert_int_equal(r->type, RESP_NAMESPACE);
	assert_true(r->has_ns);
	assert_span(r->ns_prefix, "INBOX.");
	assert_int_equal(r->ns_delim, '.');
	assert_false(parse(state, "* NAMESPACE NIL NIL NIL")->has_ns);
	assert_int_equal(parse(state, "* NEVER (heard of) it")->type,
	    RESP_OTHER);
	assert_int_equal(parse(state, "*")->type, RESP_OTHER);
	assert_int_equal(parse(state, "")->type, RESP_OTHER);
	assert_int_equal(parse(state, "\"m1\" OK x")->type, RESP_OTHER);
}

static void
test_code_arguments(void **state)
{
	uint32_t v = 0, *from, *to;
	uint64_t n = 0;
	size_t count;
	struct uidset set;
	struct arena mem;

	uidset_init(&set);
	arena_init(&mem);
	assert_true(resp_appenduid(
	    parse(state, "m1 OK [APPENDUID 38505 3955] done"), &v, &set));
	assert_int_equal(v, 38505);
	assert_int_equal(uidset_first(&set), 3955);
	assert_false(resp_appenduid(
	    parse(state, "m1 OK [APPENDUID 0 3955] done"), &v, &set));
	assert_false(resp_appenduid(parse(state, "m1 OK [APPENDUID 1] x"), &v,
	    &set));
	assert_false(resp_appenduid(parse(state, "m1 OK done"), &v, &set));
	assert_int_equal(v, 38505);

	assert_true(resp_copyuid(&mem,
	    parse(state, "m1 OK [COPYUID 7 304,319:320 3958:3956] x"), 10, &v,
	    &from, &to, &count));
	assert_int_equal(count, 3);
	assert_int_equal(from[0], 304);
	assert_int_equal(from[2], 320);
	assert_int_equal(to[0], 3956); /* RFC 4315: ascending, as written or not */
	assert_int_equal(to[2], 3958);
	assert_false(resp_copyuid(&mem,
	    parse(state, "m1 OK [COPYUID 7 1:3 1:2] x"), 10, &v, &from, &to,
	    &count));
	assert_false(resp_copyuid(&mem,
	    parse(state, "m1 OK [COPYUID 7 1:11 1:11] x"), 10, &v, &from, &to,
	    &count));
	assert_false(resp_copyuid(&mem,
	    parse(state, "m1 OK [COPYUID 7 1:4294967295 1] x"), 10, &v, &from,
	    &to, &count));

	assert_true(resp_code_u64(
	    parse(state, "* OK [HIGHESTMODSEQ 90060115205545359] x"), &n));
	assert_int_equal(n, 90060115205545359);
	assert_true(resp_code_set(parse(state, "m1 OK [MODIFIED 7,9] x"),
	    &set));
	assert_int_equal(uidset_count(&set), 2);
	assert_false(resp_code_set(parse(state, "m1 OK [MODIFIED] x"), &set));
	arena_release(&mem);
	uidset_release(&set);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_status_tagged_and_untagged),
	    T(test_fetch_takes_what_is_there),
	    T(test_fetch_takes_a_name_of_the_content),
	    T(test_fetch_ignores_what_makes_no_sense),
	    T(test_list_lines),
	    T(test_an_unreadable_list_line_is_still_one),
	    T(test_a_name_that_was_not_quoted_is_none),
	    T(test_messages_named_by_uid),
	    T(test_status_of_a_mailbox),
	    T(test_vanished_and_search),
	    T(test_numbers_words_and_namespace),
	    T(test_code_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
