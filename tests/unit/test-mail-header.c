#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "mail/header.h"

static void
assert_field(const char *head, const char *name, const char *want)
{
	struct span v = SPAN("untouched");
	struct arena mem;

	arena_init(&mem);
	assert_int_equal(header_field(&mem, span_str(head), name, &v), !!want);
	if (!span_eq(v, span_str(want ? want : "untouched")))
		fail_msg("'%.*s' instead of '%s'", SPAN_ARG(v), want);
	arena_release(&mem);
}

static void
test_header_field_of_a_usual_message(void **state)
{
	static const char text[] =
	    "Received: from a (b [127.0.0.1])\r\n"
	    "\tby c; Mon, 23 Nov 2026 08:45:59 +0000\r\n"
	    "Subject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_con_leche?=\r\n"
	    "message-id:\r\n   <1@example.org>  \r\n"
	    "In-Reply-To : <0@example.org>\r\n"
	    "Empty:\r\n"
	    "Last:x\r\n"
	    "\r\n"
	    "Body: no\r\n\r\n";

	(void)state;
	assert_field(text, "Message-ID", "<1@example.org>");
	assert_field(text, "received",
	    "from a (b [127.0.0.1])\tby c; Mon, 23 Nov 2026 08:45:59 +0000");
	assert_field(text, "SUBJECT",
	    "=?utf-8?q?caf=C3=A9?= =?utf-8?q?_con_leche?=");
	assert_field(text, "In-Reply-To", "<0@example.org>");
	assert_field(text, "Empty", "");
	assert_field(text, "Last", "x");
	assert_field(text, "Body", NULL);
	assert_field(text, "Message", NULL);
	assert_field(text, "essage-ID", NULL);
}

static void
test_header_field_in_odd_headers(void **state)
{
	(void)state;
	/* lines that are no fields are passed over */
	assert_field("From ana Mon\nno field\n:x\nA: 1\n\n", "A", "1");
	/* part of another field */
	assert_field("B: 1\n A: 2\nA: 3\n\n", "A", "3");
	assert_field(" A: 2\n\nA: 3\n\n", "A", NULL);
	/* the first of several, also when it is empty */
	assert_field("A: 1\nA: 2\n\n", "A", "1");
	assert_field("A:\nA: 2\n\n", "A", "");
	assert_field("A: \n \n\t1\n \n\n", "A", "1");
	/* what stands within a line stays */
	assert_field("A: a\rb : c\r\r\n\r\n", "A", "a\rb : c\r");
	assert_field("\nA: 1\n\n", "A", NULL);
	assert_field("", "A", NULL);
}

static void
test_header_field_long_values_are_cut(void **state)
{
	char text[3000], want[1001];
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(text, sizeof text, "A:%50s", "");
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "\n %048dx", i);
	snprintf(text + n, sizeof text - n, "\n\n");
	n = 0;
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(want + n, sizeof want - n, " %048dx", i);
	/* The blank in front does not count; that of line 20 comes, and goes. */
	want[n] = '\0';
	assert_int_equal(n, 1000);
	assert_field(text, "A", want + 1);
}

/* Every cut: nothing, or the whole value. */
static void
test_header_field_cut_anywhere(void **state)
{
	static const char text[] = "B: 1\r\nA: 2\r\n  3 \r\n\r\nA: 4\r\n\r\n";
	/* the CR of the empty line tells that the field has ended */
	const size_t end = sizeof "B: 1\r\nA: 2\r\n  3 \r\n\r" - 1;
	struct arena mem;
	struct span v;

	(void)state;
	arena_init(&mem);
	for (size_t n = 0; n < sizeof text; n++) {
		bool found = header_field(&mem, span_of(text, n), "A", &v);

		assert_int_equal(found, n >= end);
		if (found)
			assert_true(span_eq(v, SPAN("2  3")));
		found = header_field(&mem, span_of(text, n), "B", &v);
		assert_int_equal(found, n > sizeof "B: 1\r\n" - 1);
	}
	arena_release(&mem);
}

/*
 * The definition, slowly: find where each line ends, then which lines belong
 * together.
 */
static bool
slow_field(const char *p, size_t n, char *out, size_t *len_r)
{
	for (size_t at = 0; at < n;) {
		size_t end, len = 0, k = at;
		bool ours;

		if (p[at] == '\n' ||
		    (p[at] == '\r' && at + 1 < n && p[at + 1] == '\n'))
			return false;
		/* to the LF with no blank behind it */
		for (end = at; end < n; end++)
			if (p[end] == '\n' &&
			    !(end + 1 < n && p[end + 1] == ' '))
				break;
		if (end + 1 >= n)
			return false;
		ours = p[k++] == 'A';
		while (ours && k < end && p[k] == ' ')
			k++;
		if (ours && p[k] == ':') {
			for (k++; k < end; k++) {
				bool crlf = p[k] == '\r' && p[k + 1] == '\n';

				if (!crlf && p[k] != '\n' &&
				    (len || p[k] != ' '))
					out[len++] = p[k];
			}
			while (len && out[len - 1] == ' ')
				len--;
			*len_r = len;
			return true;
		}
		at = end + 1;
	}
	return false;
}

static void
test_header_field_is_as_defined_for_all_short_texts(void **state)
{
	enum { LEN = 8 };
	static const char letters[] = "A: \r\n";
	char text[LEN], want[LEN];
	struct arena mem;

	(void)state;
	arena_init(&mem);
	for (size_t n = 0; n <= LEN; n++) {
		unsigned all = 1;

		for (size_t i = 0; i < n; i++)
			all *= 5;
		for (unsigned no = 0; no < all; no++) {
			unsigned x = no;
			size_t len = 0;
			struct span v = SPAN_NONE;

			for (size_t i = 0; i < n; i++, x /= 5)
				text[i] = letters[x % 5];
			bool found = header_field(&mem, span_of(text, n), "a",
			    &v);
			bool due = slow_field(text, n, want, &len);
			if (found != due ||
			    (due && !span_eq(v, span_of(want, len))))
				fail_msg("text %u of length %zu", no, n);
			arena_clear(&mem);
		}
	}
	arena_release(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header_field_of_a_usual_message),
	    cmocka_unit_test(test_header_field_in_odd_headers),
	    cmocka_unit_test(test_header_field_long_values_are_cut),
	    cmocka_unit_test(test_header_field_cut_anywhere),
	    cmocka_unit_test(test_header_field_is_as_defined_for_all_short_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
