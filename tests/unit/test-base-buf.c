#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void
test_the_ceiling_is_exact(void **state)
{
	(void)state;
	for (size_t max = 0; max < 200; max++) {
		struct buf b;

		buf_init(&b, max);
		for (size_t i = 0; i < max; i++)
			buf_addc(&b, 'x');
		assert_false(b.toobig);
		assert_int_equal(b.n, max);
		buf_addc(&b, 'y');
		assert_true(b.toobig);
		assert_int_equal(b.n, max);
		assert_int_equal(strlen(buf_cstr(&b)), max);
		assert_null(memchr(buf_cstr(&b), 'y', max));
		buf_release(&b);
	}
}

static void
test_every_writer_adds_all_or_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_add_str(&b, "abcd");
	buf_add(&b, "xy", 2);
	assert_true(b.toobig);
	assert_string_equal(buf_cstr(&b), "abcd");
	b.toobig = false;
	buf_addf(&b, "%d", 12);
	assert_true(b.toobig);
	assert_string_equal(buf_cstr(&b), "abcd");
	b.toobig = false;
	buf_add_u64(&b, 34);
	assert_true(b.toobig);
	buf_add_span(&b, SPAN("z")); /* there is room, but it is too late */
	assert_string_equal(buf_cstr(&b), "abcd");
	assert_null(buf_reserve(&b, 0));
	buf_clear(&b);
	assert_non_null(buf_reserve(&b, 5));
	assert_null(buf_reserve(&b, 6));
	buf_release(&b);
}

static void
test_a_word_of_a_shell_is_quoted_where_it_needs_to_be(void **state)
{
	static const char *const cases[][2] = {{"home:INBOX", "home:INBOX"},
	    {"/etc/my-mail_1.yaml", "/etc/my-mail_1.yaml"},
	    {"Entw\xc3\xbc", "Entw\xc3\xbc"}, {"", "''"},
	    {"Sent mail", "'Sent mail'"}, {"a$b", "'a$b'"}, {"~", "'~'"},
	    {"it's", "'it'\\''s'"}, {"'", "''\\'''"}, {"a\nb", "'a\nb'"}};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_init(&b, 100);
		buf_add_shell(&b, span_str(cases[i][0]));
		assert_string_equal(buf_cstr(&b), cases[i][1]);
		assert_int_equal(b.n, strlen(cases[i][1]));
		buf_release(&b);
	}
	buf_init(&b, 5);
	buf_add_shell(&b, SPAN("it's"));
	assert_true(b.toobig && b.n == 0);
	buf_release(&b);
}

static void
test_sizes_that_overflow_are_too_big(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.toobig);
	buf_clear(&b);
	buf_addc(&b, 'x');
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_true(b.toobig);
	buf_release(&b);
}

static void
test_numbers_are_written_as_printf_does(void **state)
{
	static const struct {
		uint64_t v;
		const char *text;
	} cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {4294967295, "4294967295"},
	    {UINT64_MAX, "18446744073709551615"}};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&b);
		buf_add_u64(&b, cases[i].v);
		assert_string_equal(buf_cstr(&b), cases[i].text);
	}
	buf_clear(&b);
	buf_addf(&b, "%s=%05u;", "a", 42u);
	buf_addf(&b, "%s", "");
	assert_string_equal(buf_cstr(&b), "a=00042;");
	buf_release(&b);
}

static void
test_an_empty_buf_can_be_used_at_once_and_again(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_span(&b).n, 0);
	buf_clear(&b);
	buf_add(&b, NULL, 0);
	assert_false(b.toobig);
	assert_string_equal(buf_cstr(&b), "");
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.n, 3);
	assert_memory_equal(b.p, "a\0b", 4);
	buf_release(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 10);
	buf_add_str(&b, "0123456789");
	assert_false(b.toobig);
	buf_wipe(&b);
	buf_wipe(&b);
	assert_null(b.p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_ceiling_is_exact),
	    cmocka_unit_test(test_every_writer_adds_all_or_nothing),
	    cmocka_unit_test(test_sizes_that_overflow_are_too_big),
	    cmocka_unit_test(
		test_a_word_of_a_shell_is_quoted_where_it_needs_to_be),
	    cmocka_unit_test(test_numbers_are_written_as_printf_does),
	    cmocka_unit_test(test_an_empty_buf_can_be_used_at_once_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
