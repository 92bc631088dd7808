#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>

#include "cli/internal.h"

#define ELLIPSIS "\xe2\x80\xa6"

static const struct cli_column two[] = {{"NAME", false}, {"N", true}};

/* A table of two columns and N cells, printed at WIDTH, is WANT. */
static void
table(const char *const *cell, size_t n, size_t width, const char *want)
{
	struct cli_table t;
	struct arena mem;
	struct buf out;

	arena_init(&mem);
	buf_init(&out, 100000);
	cli_table_init(&t, &mem, two, 2);
	for (size_t i = 0; i < n; i++)
		cli_table_cell(&t, span_str(cell[i]));
	cli_table_print(&t, width, &out);
	assert_string_equal(buf_cstr(&out), want);
	cli_table_release(&t);
	buf_release(&out);
	arena_release(&mem);
}

static void
test_columns_are_as_wide_as_their_widest_cell_or_head(void **state)
{
	static const char *const cell[] = {
	    "a much longer name", "7", "b", "1234"};

	(void)state;
	table(cell, 4, 0,
	    "NAME                   N\n"
	    "a much longer name     7\n"
	    "b                   1234\n");
	table(cell, 0, 0, "NAME  N\n");
	table((const char *const[]){"a", ""}, 2, 0, "NAME  N\na      \n");
}

static void
test_only_the_first_column_is_cut_and_not_below_eight(void **state)
{
	static const char *const cell[] = {
	    "a much longer name", "7", "b", "1234"};

	(void)state;
	table(cell, 4, 24,
	    "NAME                   N\n"
	    "a much longer name     7\n"
	    "b                   1234\n");
	table(cell, 4, 16,
	    "NAME           N\n"
	    "a much lo" ELLIPSIS "     7\n"
	    "b           1234\n");
	for (size_t width = 1; width <= 14; width++)
		table(cell, 4, width,
		    "NAME         N\n"
		    "a much " ELLIPSIS "     7\n"
		    "b         1234\n");
}

/* Every line of a table is exactly as wide as the others, for all widths. */
static void
test_no_line_is_wider_than_the_terminal(void **state)
{
	static const char *const cell[] = {"work/2026/q4", "1",
	    "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97", "22",
	    "\xc3\xa4rger", "333"};

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	for (size_t width = 8 + 2 + 3; width < 30; width++) {
		struct cli_table t;
		struct arena mem;
		struct buf out;
		struct span rest;
		size_t lines = 0, first = 0;

		arena_init(&mem);
		buf_init(&out, 1000);
		cli_table_init(&t, &mem, two, 2);
		for (size_t i = 0; i < 6; i++)
			cli_table_cell(&t, span_str(cell[i]));
		cli_table_print(&t, width, &out);
		for (rest = buf_span(&out); rest.n > 0; lines++) {
			size_t n = span_index(rest, '\n');
			size_t columns = cli_text_width(span_of(rest.p, n));

			assert_true(n < rest.n);
			assert_true(columns <= width);
			if (lines == 0)
				first = columns;
			assert_int_equal(columns, first);
			rest = span_of(rest.p + n + 1, rest.n - n - 1);
		}
		assert_int_equal(lines, 4);
		cli_table_release(&t);
		buf_release(&out);
		arena_release(&mem);
	}
}

static void
test_a_cell_cannot_move_the_cursor_or_break_the_line(void **state)
{
	(void)state;
	table((const char *const[]){"a\x1b[2J\nb", "1"}, 2, 0,
	    "NAME     N\n"
	    "a?[2J?b  1\n");
}

static void
test_cells_are_copied(void **state)
{
	struct cli_table t;
	struct arena mem;
	struct buf out;
	char cell[] = "before";

	(void)state;
	arena_init(&mem);
	buf_init(&out, 1000);
	cli_table_init(&t, &mem, two, 2);
	cli_table_cell(&t, span_str(cell));
	memset(cell, 'x', sizeof(cell) - 1);
	cli_table_cell(&t, SPAN("1"));
	cli_table_print(&t, 0, &out);
	assert_non_null(strstr(buf_cstr(&out), "before"));
	cli_table_release(&t);
	buf_release(&out);
	arena_release(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_columns_are_as_wide_as_their_widest_cell_or_head),
	    cmocka_unit_test(
		test_only_the_first_column_is_cut_and_not_below_eight),
	    cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
	    cmocka_unit_test(
		test_a_cell_cannot_move_the_cursor_or_break_the_line),
	    cmocka_unit_test(test_cells_are_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
