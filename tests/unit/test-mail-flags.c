#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "mail/flags.h"

/* A set out of 8 bits: two system flags and six keywords. */
static struct flags
make(struct arena *mem, unsigned bits)
{
	uint32_t *kw = arena_array(mem, 6, sizeof *kw);
	struct flags f = {0, 0, kw};

	f.sys = (bits & 1 ? FLAG_SEEN : 0) | (bits & 2 ? FLAG_PASSED : 0);
	for (uint32_t i = 0; i < 6; i++)
		if (bits >> (i + 2) & 1)
			kw[f.n++] = i * i + 1;
	return f;
}

static unsigned
bits_of(struct flags f)
{
	unsigned bits = (f.sys & FLAG_SEEN ? 1U : 0) |
	    (f.sys & FLAG_PASSED ? 2U : 0);

	assert_int_equal(f.sys & ~(unsigned)(FLAG_SEEN | FLAG_PASSED), 0);
	for (uint32_t k = 0; k < f.n; k++) {
		assert_true(k == 0 || f.kw[k - 1] < f.kw[k]);
		for (uint32_t i = 0; i < 6; i++)
			if (f.kw[k] == i * i + 1)
				bits |= 1U << (i + 2);
	}
	return bits;
}

static void
set_operations_are_those_of_sets_for_all_pairs(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			struct arena mem;
			struct flags fa, fb;

			arena_init(&mem);
			fa = make(&mem, a);
			fb = make(&mem, b);
			assert_int_equal(bits_of(flags_or(&mem, fa, fb)),
			    a | b);
			assert_int_equal(bits_of(flags_and(&mem, fa, fb)),
			    a & b);
			assert_int_equal(bits_of(flags_minus(&mem, fa, fb)),
			    a & ~b);
			assert_int_equal(flags_eq(fa, fb), a == b);
			/* the arguments are as they were */
			assert_int_equal(bits_of(fa), a);
			assert_int_equal(bits_of(fb), b);
			arena_release(&mem);
		}
	}
}

static void
single_keywords_are_found_and_added_in_order(void **state)
{
	struct arena mem;

	(void)state;
	arena_init(&mem);
	for (unsigned a = 0; a < 256; a++) {
		struct flags f = make(&mem, a), copy = flags_copy(&mem, f);

		assert_true(flags_eq(f, copy));
		assert_true(f.n == 0 || f.kw != copy.kw);
		assert_int_equal(flags_empty(f), a == 0);
		for (uint32_t i = 0; i < 6; i++) {
			struct flags g = flags_with_kw(&mem, f, i * i + 1);

			assert_int_equal(flags_has_kw(f, i * i + 1),
			    a >> (i + 2) & 1);
			assert_int_equal(bits_of(g), a | 1U << (i + 2));
		}
		assert_false(flags_has_kw(f, 0));
		assert_false(flags_has_kw(f, 3));
		assert_false(flags_has_kw(f, KW_PASSED));
		assert_int_equal(bits_of(flags_with_kw(&mem, f, 0)), a);
		assert_int_equal(bits_of(flags_with_kw(&mem, f, KW_PASSED)),
		    a | 2);
	}
	arena_release(&mem);
}

static void
keywords_are_one_in_any_case_and_keep_their_first_spelling(void **state)
{
	struct kwtab *t = kwtab_new();
	char name[8] = "Work";

	(void)state;
	assert_int_equal(kwtab_find(t, SPAN("work")), 0);
	assert_int_equal(kwtab_intern(t, span_str(name)), 1);
	name[0] = 'X'; /* copied */
	assert_int_equal(kwtab_intern(t, SPAN("$Junk")), 2);
	assert_int_equal(kwtab_intern(t, SPAN("WORK")), 1);
	assert_int_equal(kwtab_find(t, SPAN("wORK")), 1);
	assert_int_equal(kwtab_find(t, SPAN("wor")), 0);
	assert_int_equal(kwtab_count(t), 2);
	assert_true(span_eq(kwtab_name(t, 1), SPAN("Work")));
	assert_true(span_eq(kwtab_name(t, 2), SPAN("$Junk")));
	assert_int_equal(kwtab_name(t, 0).n, 0);
	assert_int_equal(kwtab_name(t, 3).n, 0);
	kwtab_free(&t);
	assert_null(t);
	kwtab_free(&t);
}

static void
a_table_holds_many_and_then_no_more(void **state)
{
	struct kwtab *t = kwtab_new();

	(void)state;
	for (uint32_t i = 1; i <= KW_MAX; i++) {
		char *z = xasprintf("kw%u", (unsigned)i);

		assert_int_equal(kwtab_intern(t, span_str(z)), i);
		xfree(z);
	}
	assert_int_equal(kwtab_intern(t, SPAN("one-more")), 0);
	assert_int_equal(kwtab_intern(t, SPAN("KW777")), 777);
	assert_true(span_eq(kwtab_name(t, 777), SPAN("kw777")));
	assert_int_equal(kwtab_count(t), KW_MAX);
	kwtab_free(&t);
}

static void
forwarded_is_a_bit_and_never_a_keyword(void **state)
{
	struct kwtab *t = kwtab_new();
	struct arena mem;
	struct flags f;

	(void)state;
	arena_init(&mem);
	assert_int_equal(kwtab_intern(t, SPAN("$FORWARDED")), KW_PASSED);
	assert_int_equal(kwtab_find(t, SPAN("$forwarded")), KW_PASSED);
	assert_true(span_eq(kwtab_name(t, KW_PASSED), SPAN("$Forwarded")));
	f = flags_add_name(&mem, t, FLAGS_NONE, SPAN("$forwarded"));
	assert_int_equal(f.sys, FLAG_PASSED);
	assert_int_equal(f.n, 0);
	assert_int_equal(kwtab_count(t), 0);
	arena_release(&mem);
	kwtab_free(&t);
}

static void
an_atom_is_what_rfc3501_says_for_every_byte(void **state)
{
	static const char legal[] = "!#$&'+,-./0123456789:;<=>?@[^_`|}~"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz";
	char many[256];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char name[3] = {'a', (char)c, 'b'};
		bool want = memchr(legal, (int)c, sizeof legal - 1) != NULL;

		assert_int_equal(flags_keyword_ok(span_of(name, 3)), want);
		assert_int_equal(flags_keyword_ok(span_of(name + 1, 1)), want);
	}
	memset(many, 'k', sizeof many);
	assert_true(flags_keyword_ok(span_of(many, 255)));
	assert_false(flags_keyword_ok(span_of(many, 256)));
	assert_false(flags_keyword_ok(SPAN("")));
}

static void
names_from_the_wire_become_flags_and_are_written_in_order(void **state)
{
	static const char *const in[] = {"work", "\\DRAFT", "\\deleted",
	    "$Forwarded", "\\Seen", "\\Recent", "\\*", "\\XSomething", "Work",
	    "\\Answered", "a]b", "", "\\", "\\Flagged", "zz", "a b", "aa"};
	struct kwtab *t = kwtab_new();
	struct flags f = FLAGS_NONE;
	struct arena mem;
	struct buf b;

	(void)state;
	arena_init(&mem);
	buf_init(&b, 1000);
	flags_format(t, f, &b);
	assert_int_equal(b.n, 0);
	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		f = flags_add_name(&mem, t, f, span_str(in[i]));
	assert_int_equal(f.sys, FLAG_ALL);
	assert_int_equal(f.n, 3);
	flags_format(t, f, &b);
	assert_string_equal(buf_cstr(&b),
	    "\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded "
	    "work zz aa");
	buf_release(&b);
	arena_release(&mem);
	kwtab_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    set_operations_are_those_of_sets_for_all_pairs),
		cmocka_unit_test(single_keywords_are_found_and_added_in_order),
		cmocka_unit_test(
		    keywords_are_one_in_any_case_and_keep_their_first_spelling),
		cmocka_unit_test(a_table_holds_many_and_then_no_more),
		cmocka_unit_test(forwarded_is_a_bit_and_never_a_keyword),
		cmocka_unit_test(an_atom_is_what_rfc3501_says_for_every_byte),
		cmocka_unit_test(
		    names_from_the_wire_become_flags_and_are_written_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
