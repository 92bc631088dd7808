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
	text("\xff" "a", 0, "?a", 2);
	text("abcdef", 6, "abcdef", 6);
	text("abcdef", 4, "abc\xe2\x80\xa6", 4);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	text("\xc3\xa4\xe6\xbc\xa2", 0, "\xc3\xa4\xe6\xbc\xa2", 3);
}

static void
test_sizes_and_times(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} sizes[] = {{0, "0 B"}, {999, "999 B"}, {1200, "1.2 kB"},
	    {34000000, "34 MB"}};
	static const struct {
		uint64_t n;
		const char *want;
	} times[] = {{0, "0:00"}, {7, "0:07"}, {754, "12:34"},
	    {3723, "1:02:03"}, {86400, "> 1 day"}};
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
}

static void
test_tables_stand_in_columns(void **state)
{
	static const struct cli_column column[] = {{"NAME", false},
	    {"N", true}};
	struct cli_table t;
	struct arena mem;
	struct buf out;

	(void)state;
	arena_init(&mem);
	buf_init(&out, 1000);
	cli_table_init(&t, &mem, column, 2);
	cli_table_cell(&t, SPAN("a much longer name"));
	cli_table_cell(&t, SPAN("7"));
	cli_table_cell(&t, SPAN("b"));
	cli_table_cell(&t, SPAN("1234"));
	cli_table_print(&t, 0, &out);
	assert_string_equal(buf_cstr(&out),
	    "NAME                   N\n"
	    "a much longer name     7\n"
	    "b                   1234\n");
	buf_clear(&out);
	cli_table_print(&t, 16, &out);
	assert_string_equal(buf_cstr(&out),
	    "NAME           N\n"
	    "a much lo\xe2\x80\xa6     7\n"
	    "b           1234\n");
	cli_table_release(&t);
	buf_release(&out);
	arena_release(&mem);
}

static void
test_the_progress_line_fits(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	cli_progress_format(&out, SPAN("home INBOX"), 5, 20, 5, 0, 0, 0);
	assert_string_equal(buf_cstr(&out), "home INBOX 5/20");
	buf_clear(&out);
	cli_progress_format(&out, SPAN("home INBOX"), 5, 20, 5, 20000000,
	    10000, 0);
	assert_string_equal(buf_cstr(&out),
	    "home INBOX 5/20  2.0 MB/s  0:30 left");
	for (size_t width = 30; width < 60; width++) {
		buf_clear(&out);
		cli_progress_format(&out,
		    SPAN("home a mailbox of a rather long name, is it not"), 5,
		    20, 5, 20000000, 10000, width);
		assert_true(cli_text_width(buf_span(&out)) <= width);
	}
	buf_release(&out);
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
	    cmocka_unit_test(test_sizes_and_times),
	    cmocka_unit_test(test_tables_stand_in_columns),
	    cmocka_unit_test(test_the_progress_line_fits),
	    cmocka_unit_test(test_json_takes_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
