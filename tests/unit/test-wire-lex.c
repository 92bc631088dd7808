/* The lexer: whole, byte by byte, and every truncation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "wire/lex.h"

static const struct wire_limits limits = {.max_octets = 4096,
    .max_tree = 12000, .max_depth = 5, .stream_min = 16};

static void
show(const struct wire_node *n, struct buf *out)
{
	for (const struct wire_node *i = n; i; i = i->next) {
		if (i != n)
			buf_addc(out, ' ');
		switch (i->kind) {
		case WIRE_ATOM:
			buf_add_span(out, i->s);
			break;
		case WIRE_QUOTED:
			buf_addc(out, '"');
			buf_add_span(out, i->s);
			buf_addc(out, '"');
			break;
		case WIRE_LITERAL:
			assert_int_equal(i->size, i->s.n);
			buf_addf(out, "{%zu}", i->s.n);
			buf_add_span(out, i->s);
			break;
		case WIRE_STREAMED:
			buf_addf(out, "<%llu>", (unsigned long long)i->size);
			break;
		case WIRE_LIST:
			buf_addc(out, '(');
			show(i->child, out);
			buf_addc(out, ')');
			break;
		case WIRE_CODE:
			buf_addc(out, '[');
			show(i->child, out);
			buf_addc(out, ']');
			break;
		case WIRE_TEXT:
			buf_addc(out, '|');
			buf_add_span(out, i->s);
			buf_addc(out, '|');
			break;
		}
	}
}

/*
 * All responses of IN in pieces of STEP bytes, as text, one a line; a body
 * that is streamed is shown as the tree so far and its octets.
 */
static void
lex(struct span in, size_t step, struct buf *out)
{
	struct wire_lex *x = wire_lex_new(&limits);
	size_t at = 0;

	while (at < in.n) {
		size_t n = step < in.n - at ? step : in.n - at, used = 999;
		enum wire_more more = wire_lex_feed(x, in.p + at, n, &used);

		assert_true(used <= n);
		at += used;
		switch (more) {
		case WIRE_MORE:
			assert_int_equal(used, n);
			break;
		case WIRE_DONE:
			show(wire_lex_root(x), out);
			buf_addc(out, '\n');
			wire_lex_next(x);
			break;
		case WIRE_STREAM:
			show(wire_lex_root(x), out);
			buf_addc(out, '=');
			n = (size_t)wire_lex_stream_left(x);
			if (n > in.n - at)
				n = in.n - at;
			buf_add(out, in.p + at, n);
			buf_addc(out, '\n');
			at += n;
			wire_lex_streamed(x);
			break;
		case WIRE_BAD:
			buf_addf(out, "!%s\n", wire_lex_error(x));
			assert_int_equal(WIRE_BAD,
			    wire_lex_feed(x, "a\r\n", 3, &used));
			assert_int_equal(used, 0);
			at = in.n;
			break;
		}
	}
	wire_lex_free(&x);
	assert_null(x);
}

static void
expect(const char *in, size_t n, const char *want)
{
	for (size_t step = 1; step <= n; step = step < 7 ? step + 1 : n + 1) {
		struct buf out;

		buf_init(&out, 1u << 20);
		lex(span_of(in, n), step, &out);
		assert_string_equal(buf_cstr(&out), want);
		buf_release(&out);
	}
	struct buf out;
	buf_init(&out, 1u << 20);
	lex(span_of(in, n), n, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
	/* Every truncation: no crash, and never more than the whole gave. */
	for (size_t cut = 0; cut < n; cut++) {
		char *part = xstrndup(in, cut);

		buf_init(&out, 1u << 20);
		lex(span_of(part, cut), cut ? cut : 1, &out);
		if (!strchr(want, '='))
			assert_true(out.n <= strlen(want) ||
			    strchr(buf_cstr(&out), '!'));
		buf_release(&out);
		xfree(part);
	}
}
#define EXPECT(in, want) expect(in, sizeof(in) - 1, want)

static void
test_status_lines_end_in_text(void **state)
{
	(void)state;
	EXPECT("* OK ready (now) \"x\r\n", "* OK |ready (now) \"x|\n");
	EXPECT("m1 NO [TOOBIG] too big\r\n", "m1 NO [TOOBIG] |too big|\n");
	EXPECT("* BYE\r\n", "* BYE ||\n");
	EXPECT("* OK \r\n", "* OK ||\n");
	EXPECT("m1 OK [APPENDUID 1 2:3]\r\n", "m1 OK [APPENDUID 1 2:3] ||\n");
	EXPECT("* OK [PERMANENTFLAGS (\\Seen \\*)] x]y\r\n",
	    "* OK [PERMANENTFLAGS (\\Seen \\*)] |x]y|\n");
	EXPECT("* no [alert lower case\r\n", "* no [alert lower case]\n");
	EXPECT("* OK [X (a] text\r\n", "* OK [X (a)] |text|\n");
	/* lone line feeds end lines too */
	EXPECT("* OK a\n* OK b\r\n", "* OK |a|\n* OK |b|\n");
}

static void
test_continuations_are_text(void **state)
{
	(void)state;
	EXPECT("+ go (on\r\n", "+ |go (on|\n");
	EXPECT("+\r\n", "+ ||\n");
	EXPECT("+ \r\n", "+ ||\n");
}

static void
test_items_of_all_kinds(void **state)
{
	(void)state;
	EXPECT("* LIST (\\A \\B) \"/\" \"a \\\"b\\\\\"\r\n",
	    "* LIST (\\A \\B) \"/\" \"a \"b\\\"\n");
	EXPECT("* LIST () NIL {4}\r\na\r\nb\r\n", "* LIST () NIL {4}a\r\nb\n");
	EXPECT("* X {0}\r\n ~{2}\r\nab {3+}\r\nxyz\r\n",
	    "* X {0} {2}ab {3}xyz\n");
	EXPECT("* X ((a)(b \"c\"))\r\n", "* X ((a) (b \"c\"))\n");
	EXPECT("* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> NIL UID 3)\r\n",
	    "* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> NIL UID 3)\n");
	EXPECT("* FLAGS (a[b c] ~x a{1} b\"c)\r\n",
	    "* FLAGS (a[b c] ~x a{1} b\"c)\n");
	EXPECT("\r\n* 1 EXISTS\r\n", "\n* 1 EXISTS\n");
}

static void
test_only_long_bodies_of_fetch_are_streamed(void **state)
{
	(void)state;
	EXPECT("* 1 FETCH (UID 7 BODY[] {17}\r\n12345678901234567 X 1)\r\n",
	    "* 1 FETCH (UID 7 BODY[] <17>)=12345678901234567\n"
	    "* 1 FETCH (UID 7 BODY[] <17> X 1)\n");
	EXPECT("* 1 fetch (body[] {17}\r\n12345678901234567)\r\n",
	    "* 1 fetch (body[] <17>)=12345678901234567\n"
	    "* 1 fetch (body[] <17>)\n");
	EXPECT("* 7 UIDFETCH (BODY[] {17}\r\n12345678901234567)\r\n",
	    "* 7 UIDFETCH (BODY[] <17>)=12345678901234567\n"
	    "* 7 UIDFETCH (BODY[] <17>)\n");
	EXPECT("* 1 FETCH (BODY[] {16}\r\n1234567890123456)\r\n",
	    "* 1 FETCH (BODY[] {16}1234567890123456)\n");
	EXPECT("* 1 FETCH (X {17}\r\n12345678901234567)\r\n",
	    "* 1 FETCH (X {17}12345678901234567)\n");
	EXPECT("* 1 X (BODY[] {17}\r\n12345678901234567)\r\n",
	    "* 1 X (BODY[] {17}12345678901234567)\n");
}

static void
test_a_bad_line_of_a_listing_is_skipped(void **state)
{
	(void)state;
	EXPECT("* LIST () \"/\" \"a\r\n* 1 EXISTS\r\n",
	    "* LIST () \"/\" ||\n* 1 EXISTS\n");
	EXPECT("* list () \"/\" a)b (\"c\r\n* X\r\n",
	    "* list () \"/\" a ||\n* X\n");
	EXPECT("* LIST (\\A (b\n* X\r\n", "* LIST (\\A (b)) ||\n* X\n");
	EXPECT("* LSUB () \"/\" a\0b\r\n", "* LSUB () \"/\" ||\n");
	EXPECT("* LIST () \"/\" \"a\\\r\n* X\r\n", "* LIST () \"/\" ||\n* X\n");
	EXPECT("* STATUS a (MESSAGES 3 MAILBOXID (\x01 \"\xff)\r\n* X\r\n",
	    "* STATUS a (MESSAGES 3 MAILBOXID (\x01)) ||\n* X\n");
	EXPECT("* STATUS a\rb\r\n", "* STATUS a ||\n");
	/* what may be a literal is none to be skipped */
	EXPECT("* LIST () \"/\" a) {3}\r\n* X\r\n",
	    "!closing parenthesis without an opening one\n");
	EXPECT("* LIST () \"/\" \"a{3}\r\n* X\r\n",
	    "!quoted string without an end\n");
	EXPECT("* LIST () \"/\" {x}\r\n", "!malformed literal\n");
}

static void
test_what_is_not_imap_is_refused(void **state)
{
	(void)state;
	EXPECT("* X (a\r\n", "!line ends within parentheses\n");
	EXPECT("* X a)\r\n",
	    "!closing parenthesis without an opening one\n");
	EXPECT("* X \"a\r\n", "!quoted string without an end\n");
	EXPECT("* X \"a\0\"\r\n", "!quoted string without an end\n");
	EXPECT("* X a\0b\r\n", "!NUL outside a literal\n");
	EXPECT("* X {}\r\n", "!malformed literal\n");
	EXPECT("* X {a}\r\n", "!malformed literal\n");
	EXPECT("* X {1}a\r\n", "!malformed literal\n");
	EXPECT("* X a\rb\r\n", "!CR without LF\n");
	EXPECT("* 1 FETCH (BODY[A \r\n", "!section without an end\n");
}

static void
test_ceilings_hold(void **state)
{
	char *big = xalloc(8192);

	(void)state;
	memset(big, 'a', 8192);
	memcpy(big, "* X ", 4);
	expect(big, 5000, "!response too long\n");
	/* what is wrong behind the ceiling was not reached */
	big[4999] = '\0';
	expect(big, 5000, "!response too long\n");
	xfree(big);
	EXPECT("* X {4096}\r\n", "!literal too long\n");
	EXPECT("* X {1000000000000000000}\r\n", "!literal too long\n");
	EXPECT("* 1 FETCH (BODY[] {1000000000000000000}\r\n",
	    "!literal too long\n");
	EXPECT("* X ((((((a))))))\r\n", "!response nested too deep\n");
	/* of a listing it is one line that cannot be read */
	EXPECT("* LIST ((((((a)))))) NIL b\r\n* 1 EXISTS\r\n",
	    "* LIST ((((())))) ||\n* 1 EXISTS\n");
	EXPECT("* X (((((a)))))\r\n", "* X (((((a)))))\n");

	/* numbers of a SEARCH are text: there may be a million */
	EXPECT("* SEARCH\r\n* SEARCH 1 22 (MODSEQ 3)\r\n",
	    "* SEARCH ||\n* SEARCH |1 22 (MODSEQ 3)|\n");
	EXPECT("* SEARCH 1 {3}\r\n* 1\r\n", "!literal in a SEARCH\n");

	struct buf many;
	buf_init(&many, 4096);
	for (int i = 0; i < 201; i++)
		buf_add_str(&many, "a ");
	buf_add_str(&many, "\r\n");
	expect(many.p, many.n, "!response with too many items\n");
	buf_release(&many);
}

static void
test_a_streamed_body_may_be_longer_than_the_ceiling(void **state)
{
	static const char head[] = "* 1 FETCH (BODY[] {1000000}\r\n";
	struct wire_lex *x = wire_lex_new(&limits);
	size_t used;

	(void)state;
	assert_int_equal(WIRE_STREAM,
	    wire_lex_feed(x, head, sizeof head - 1, &used));
	assert_int_equal(wire_lex_stream_left(x), 1000000);
	/* Feeding on without reading the body is a mistake that is seen. */
	assert_int_equal(WIRE_BAD, wire_lex_feed(x, ")\r\n", 3, &used));
	wire_lex_free(&x);
}

static void
test_typed_access_refuses_other_kinds(void **state)
{
	const struct wire_node atom = {.kind = WIRE_ATOM, .s = SPAN("12")};
	const struct wire_node neg = {.kind = WIRE_ATOM, .s = SPAN("-1")};
	const struct wire_node exp = {.kind = WIRE_ATOM,
	    .s = SPAN("9.37e+06")};
	const struct wire_node nil = {.kind = WIRE_ATOM, .s = SPAN("nil")};
	const struct wire_node quoted = {.kind = WIRE_QUOTED, .s = SPAN("NIL")};
	const struct wire_node list = {.kind = WIRE_LIST};
	struct span s;
	uint32_t v = 7;
	uint64_t w = 7;

	(void)state;
	assert_true(wire_u32(&atom, &v) && v == 12);
	assert_true(wire_u64(&atom, &w) && w == 12);
	assert_false(wire_u32(&neg, &v));
	assert_false(wire_u64(&exp, &w));
	assert_false(wire_u32(&quoted, &v));
	assert_false(wire_u32(NULL, &v));
	assert_true(v == 12 && w == 12);
	assert_true(wire_is_nil(&nil));
	assert_false(wire_is_nil(&quoted));
	assert_true(wire_string(&quoted, &s) && span_eq(s, SPAN("NIL")));
	assert_false(wire_string(&atom, &s));
	assert_true(wire_astring(&atom, &s) && span_eq(s, SPAN("12")));
	assert_false(wire_astring(&list, &s));
	assert_false(wire_astring(NULL, &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_status_lines_end_in_text),
	    cmocka_unit_test(test_continuations_are_text),
	    cmocka_unit_test(test_items_of_all_kinds),
	    cmocka_unit_test(test_only_long_bodies_of_fetch_are_streamed),
	    cmocka_unit_test(test_a_bad_line_of_a_listing_is_skipped),
	    cmocka_unit_test(test_what_is_not_imap_is_refused),
	    cmocka_unit_test(test_ceilings_hold),
	    cmocka_unit_test(
		test_a_streamed_body_may_be_longer_than_the_ceiling),
	    cmocka_unit_test(test_typed_access_refuses_other_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
