#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "wire/cmd.h"

static void
begin(struct wire_cmd *c, bool literal_plus)
{
	wire_cmd_init(c, 65536, literal_plus);
	wire_cmd_begin(c, SPAN("m1"));
}

static void
astring(const char *in, size_t n, bool plus, const char *want, unsigned waits)
{
	struct wire_cmd c;

	begin(&c, plus);
	wire_cmd_astring(&c, span_of(in, n));
	wire_cmd_end(&c);
	assert_string_equal(buf_cstr(&c.b), want);
	assert_int_equal(c.nwait, waits);
	assert_false(c.bad);
	wire_cmd_release(&c);
}

static void
test_strings_are_quoted_or_literals(void **state)
{
	(void)state;
	astring("INBOX", 5, false, "m1 \"INBOX\"\r\n", 0);
	astring("", 0, false, "m1 \"\"\r\n", 0);
	astring("a\"b\\c", 5, false, "m1 \"a\\\"b\\\\c\"\r\n", 0);
	astring("a*%&-(){}", 9, false, "m1 \"a*%&-(){}\"\r\n", 0);
	astring("\xc3\xa4", 2, false, "m1 {2}\r\n\xc3\xa4\r\n", 1);
	astring("\xc3\xa4", 2, true, "m1 {2+}\r\n\xc3\xa4\r\n", 0);
	astring("a\r\nm2 LOGOUT", 12, false, "m1 {12}\r\na\r\nm2 LOGOUT\r\n",
	    1);
}

static void
test_a_literal_waits_behind_its_head(void **state)
{
	struct wire_cmd c;

	(void)state;
	begin(&c, false);
	wire_cmd_raw(&c, "LOGIN ");
	wire_cmd_astring(&c, SPAN("\xc3\xa4"));
	wire_cmd_raw(&c, " ");
	wire_cmd_astring(&c, SPAN("\xc3\xb6"));
	wire_cmd_end(&c);
	assert_int_equal(c.nwait, 2);
	assert_int_equal(c.wait[0], strlen("m1 LOGIN {2}\r\n"));
	assert_int_equal(c.wait[1], strlen("m1 LOGIN {2}\r\n\xc3\xa4 {2}\r\n"));
	wire_cmd_release(&c);
}

static void
test_what_cannot_be_sent_is_marked(void **state)
{
	struct wire_cmd c;

	(void)state;
	begin(&c, true);
	wire_cmd_astring(&c, SPAN("a\0b"));
	assert_true(c.bad);
	wire_cmd_begin(&c, SPAN("m2"));
	assert_false(c.bad);
	wire_cmd_release(&c);

	begin(&c, false);
	for (int i = 0; i <= WIRE_MAX_WAITS; i++)
		wire_cmd_astring(&c, SPAN("\xff"));
	assert_true(c.bad);
	wire_cmd_release(&c);

	wire_cmd_init(&c, 16, true);
	wire_cmd_begin(&c, SPAN("m1"));
	wire_cmd_raw(&c, "much longer than sixteen");
	assert_true(c.b.toobig);
	wire_cmd_release(&c);
}

static void
test_secrets_are_marked_whole(void **state)
{
	struct wire_cmd c;

	(void)state;
	begin(&c, true);
	wire_cmd_raw(&c, "LOGIN ");
	wire_cmd_astring(&c, SPAN("ana"));
	wire_cmd_raw(&c, " ");
	wire_cmd_secret(&c, SPAN("s\"cret"), true);
	wire_cmd_end(&c);
	assert_string_equal(buf_cstr(&c.b),
	    "m1 LOGIN \"ana\" \"s\\\"cret\"\r\n");
	assert_int_equal(c.nsecret, 1);
	assert_int_equal(c.secret[0].from, strlen("m1 LOGIN \"ana\" "));
	assert_int_equal(c.secret[0].to, c.b.n - 2);
	/* The next command does not find it in memory. */
	wire_cmd_begin(&c, SPAN("m2"));
	assert_null(strstr(buf_cstr(&c.b), "cret"));
	assert_int_equal(c.nsecret, 0);
	wire_cmd_release(&c);
}

static void
test_flags_dates_and_numbers(void **state)
{
	struct kwtab *kw = kwtab_new();
	struct arena mem;
	struct wire_cmd c;
	struct flags f = {.sys = FLAG_SEEN | FLAG_PASSED};

	(void)state;
	arena_init(&mem);
	f = flags_add_name(&mem, kw, f, SPAN("work"));
	begin(&c, true);
	wire_cmd_u64(&c, UINT64_MAX);
	wire_cmd_raw(&c, " ");
	wire_cmd_flags(&c, kw, f);
	wire_cmd_raw(&c, " ");
	wire_cmd_flags(&c, kw, FLAGS_NONE);
	wire_cmd_raw(&c, " ");
	wire_cmd_date(&c, 0);
	assert_string_equal(buf_cstr(&c.b),
	    "m1 18446744073709551615 (\\Seen $Forwarded work) () "
	    "\"01-Jan-1970 00:00:00 +0000\"");
	wire_cmd_release(&c);
	arena_release(&mem);
	kwtab_free(&kw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strings_are_quoted_or_literals),
	    cmocka_unit_test(test_a_literal_waits_behind_its_head),
	    cmocka_unit_test(test_what_cannot_be_sent_is_marked),
	    cmocka_unit_test(test_secrets_are_marked_whole),
	    cmocka_unit_test(test_flags_dates_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
