#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/letters.h"

static struct kwtab *kw;
static struct kwletters letters;

static int
setup(void **state)
{
	(void)state;
	kw = kwtab_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kwtab_free(&kw);
	return 0;
}

static void
parse(struct span text)
{
	letters = letters_parse(text, kw);
}

static void
assert_letter(unsigned i, const char *name)
{
	assert_true(span_eq(kwtab_name(kw, letters.id[i]), span_str(name)));
}

static void
assert_none_but(uint32_t mask)
{
	for (unsigned i = 0; i < 26; i++)
		assert_int_equal(letters.id[i] != 0, (mask >> i & 1) != 0);
}

static void
malformed_lines_are_skipped_and_the_others_count(void **state)
{
	(void)state;
	parse(SPAN("\n0\n1 \n x\nx y\n-1 neg\n26 far\n+7 plus\n"
		   "4294967296 big\n2  blank\n3 two words\n 8 lead\n"
		   "4 \\Seen\n9 nul\0\n5 ok\r\n6 last"));
	assert_none_but(1u << 5 | 1u << 6);
	assert_letter(5, "ok");
	assert_letter(6, "last");
	assert_int_equal(kwtab_count(kw), 2);
}

static void
of_two_meanings_the_first_counts(void **state)
{
	(void)state;
	parse(SPAN("0 one\n0 two\n1 ONE\n2 three\n1 four\n"));
	assert_none_but(1u << 0 | 1u << 1 | 1u << 2);
	assert_letter(0, "one");
	assert_letter(1, "four");
	assert_letter(2, "three");
}

static void
forwarded_is_a_letter_and_no_keyword(void **state)
{
	struct buf b;

	(void)state;
	parse(SPAN("3 $forwarded\n4 $Forwarded\n"));
	assert_none_but(1u << 3);
	assert_int_equal(letters.id[3], KW_PASSED);
	assert_int_equal(kwtab_count(kw), 0);
	buf_init(&b, 100);
	letters_format(kw, &letters, &b);
	assert_true(span_eq(buf_span(&b), SPAN("3 $Forwarded\n")));
	buf_release(&b);
}

/* A table has room for KW_MAX names, for the server's keywords too. */
static void
a_file_of_names_for_one_letter_does_not_fill_the_table(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < 2 * KW_MAX; i++)
		buf_addf(&b, "0 k%u\n", i);
	parse(buf_span(&b));
	buf_release(&b);
	assert_none_but(1u << 0);
	assert_letter(0, "k0");
	assert_int_equal(kwtab_count(kw), 1);
}

static void
every_truncation_is_read_and_gives_no_other_meaning(void **state)
{
	static const char text[] = "0 alpha\n1 beta\n12 gamma\n";

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		parse(span_of(text, n));
		assert_int_equal(letters.id[0] != 0, n >= 3);
		if (n >= 7)
			assert_letter(0, "alpha");
		assert_int_equal(letters.id[12] != 0, n >= 19);
	}
}

static void
what_is_written_is_what_is_read(void **state)
{
	struct kwletters want = {{0}};
	struct buf b, again;

	(void)state;
	buf_init(&b, 1000);
	buf_init(&again, 1000);
	for (unsigned i = 0; i < 26; i++) {
		const char name[] = {'k', (char)('z' - i)};

		want.id[i] = i == 13 ? KW_PASSED
				     : kwtab_intern(kw, span_of(name, 2));
	}
	letters_format(kw, &want, &b);
	parse(buf_span(&b));
	assert_memory_equal(&letters, &want, sizeof want);
	letters_format(kw, &letters, &again);
	assert_true(span_eq(buf_span(&b), buf_span(&again)));
	buf_release(&b);
	buf_release(&again);
}

static void
two_tables_become_one_unless_they_contradict_each_other(void **state)
{
	const struct kwletters a = {.id = {3, 0, 5}}, none = {{0}};
	static const struct {
		struct kwletters b;
		bool ok;
	} t[] = {
	    {{{0}}, true},
	    {{{3, 0, 5}}, true},
	    {{{0, 4, 0, 6}}, true},
	    {{{3, 4}}, true},
	    {{{4}}, false},	/* a letter with two meanings */
	    {{{0, 3}}, false},	/* a keyword with two letters */
	    {{{5, 0, 3}}, false},
	    {{{0, 4, 0, 5}}, false},
	};
	struct kwletters all;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		all = none;
		assert_int_equal(letters_unite(&a, &t[i].b, &all), t[i].ok);
		for (int k = 0; k < 26; k++)
			assert_int_equal(all.id[k], !t[i].ok ? 0
				: a.id[k] ? a.id[k] : t[i].b.id[k]);
		assert_int_equal(letters_unite(&t[i].b, &a, &all), t[i].ok);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(malformed_lines_are_skipped_and_the_others_count),
	    T(of_two_meanings_the_first_counts),
	    T(forwarded_is_a_letter_and_no_keyword),
	    T(a_file_of_names_for_one_letter_does_not_fill_the_table),
	    T(every_truncation_is_read_and_gives_no_other_meaning),
	    T(what_is_written_is_what_is_read),
	    T(two_tables_become_one_unless_they_contradict_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
