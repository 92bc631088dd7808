#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>

#include "base/alloc.h"
#include "cli/internal.h"

static void
text(const char *in, size_t width, const char *want, size_t columns)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_int_equal(cli_text_add(&out, span_str(in), width), columns);
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

static void
test_what_a_terminal_may_see(void **state)
{
	(void)state;
	text("INBOX", 0, "INBOX", 5);
	text("a\x1b[31mb\n", 0, "a?[31mb?", 8);
	text("\xff"
	     "a",
	    0, "?a", 2);
	text("\xc2\x9b", 0, "?", 1);	 /* CSI in one character */
	text("\xe2\x80\xa8", 0, "?", 1); /* line separator */
	text("\xe2\x80\xae"
	     "a",
	    0, "?a", 2); /* turns what follows around */
	text("", 0, "", 0);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	text("\xc3\xa4\xe6\xbc\xa2", 0, "\xc3\xa4\xe6\xbc\xa2", 3);
}

static void
test_every_byte_gives_something_printable(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c;
		bool shown = c >= 0x20 && c < 0x7f;

		buf_clear(&out);
		assert_int_equal(cli_text_add(&out, span_of(&byte, 1), 0), 1);
		assert_int_equal(out.n, 1);
		assert_int_equal(out.p[0], shown ? byte : '?');
	}
	buf_release(&out);
}

static void
test_what_is_cut_ends_in_an_ellipsis_and_fits(void **state)
{
	static const char wide[] = "a\xe6\xbc\xa2\xc3\xa4\xe6\xbc\xa2z";
	struct buf out;

	(void)state;
	text("abcdef", 6, "abcdef", 6);
	text("abcdef", 4, "abc\xe2\x80\xa6", 4);
	text("abcdef", 1, "\xe2\x80\xa6", 1);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	assert_int_equal(cli_text_width(span_str(wide)), 7);
	buf_init(&out, 100);
	for (size_t width = 1; width < 9; width++) {
		size_t used;

		buf_clear(&out);
		used = cli_text_add(&out, span_str(wide), width);
		assert_true(used <= width);
		assert_int_equal(used, cli_text_width(buf_span(&out)));
		assert_true(cli_json_exact(buf_span(&out)));
		assert_int_equal(
		    width < 7, strstr(buf_cstr(&out), "\xe2\x80\xa6") != NULL);
	}
	buf_release(&out);
}

static void
test_sizes_and_times(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} sizes[] = {{0, "0 B"}, {999, "999 B"}, {1000, "1.0 kB"},
	    {1200, "1.2 kB"}, {9999, "9.9 kB"}, {10000, "10 kB"},
	    {999999, "999 kB"}, {1000000, "1.0 MB"}, {34000000, "34 MB"},
	    {UINT64_MAX, "18 EB"}};
	static const struct {
		uint64_t n;
		const char *want;
	} times[] = {{0, "0:00"}, {7, "0:07"}, {59, "0:59"}, {60, "1:00"},
	    {754, "12:34"}, {3599, "59:59"}, {3600, "1:00:00"},
	    {3723, "1:02:03"}, {86399, "23:59:59"}, {86400, "> 1 day"},
	    {UINT64_MAX, "> 1 day"}};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		buf_clear(&out);
		cli_text_size(&out, sizes[i].n);
		assert_string_equal(buf_cstr(&out), sizes[i].want);
	}
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		buf_clear(&out);
		cli_text_duration(&out, times[i].n);
		assert_string_equal(buf_cstr(&out), times[i].want);
	}
	buf_release(&out);
	assert_string_equal(cli_text_s(0), "s");
	assert_string_equal(cli_text_s(1), "");
	assert_string_equal(cli_text_s(2), "s");
}

static void
test_json_takes_any_bytes(void **state)
{
	json_t *v = cli_json_span(SPAN("a\xff\xc3\xa4"));

	(void)state;
	assert_string_equal(json_string_value(v), "a\xef\xbf\xbd\xc3\xa4");
	json_decref(v);
	assert_false(cli_json_exact(SPAN("a\xff")));
	assert_true(cli_json_exact(SPAN("a\xc3\xa4")));
	v = cli_json_hex(SPAN("\x00\xff"));
	assert_string_equal(json_string_value(v), "00ff");
	json_decref(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_a_terminal_may_see),
	    cmocka_unit_test(test_every_byte_gives_something_printable),
	    cmocka_unit_test(test_what_is_cut_ends_in_an_ellipsis_and_fits),
	    cmocka_unit_test(test_sizes_and_times),
	    cmocka_unit_test(test_json_takes_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
