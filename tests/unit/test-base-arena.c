#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

#define BLOCKS 400

/* Sizes around those of a word and of a block, and one far beyond. */
static size_t
size_of(size_t i)
{
	static const size_t odd[] = {
	    0, 1, 15, 16, 17, 4096, 16383, 16384, 16385, 3000000};

	return i % 20 == 0 ? odd[i / 20 % 10] : i * 7 % 300;
}

static void
test_memory_is_zeroed_aligned_and_never_given_twice(void **state)
{
	unsigned char *p[BLOCKS];
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < BLOCKS; i++) {
			p[i] = arena_alloc(&a, size_of(i));
			assert_int_equal(
			    (uintptr_t)p[i] % alignof(max_align_t), 0);
			for (size_t k = 0; k < size_of(i); k++)
				if (p[i][k])
					fail_msg("not zeroed");
			memset(p[i], (int)(i % 251) + 1, size_of(i));
		}
		for (size_t i = 0; i < BLOCKS; i++)
			for (size_t k = 0; k < size_of(i); k++)
				if (p[i][k] != i % 251 + 1)
					fail_msg("%zu was overwritten", i);
		assert_true(a.used >= 3000000);
		arena_clear(&a); /* what it kept is zeroed again as well */
		assert_int_equal(a.used, 0);
	}
	arena_release(&a);
	assert_null(a.head);
	arena_release(&a);
}

static void
test_copies_are_terminated_and_independent(void **state)
{
	char from[] = "a\0b";
	struct arena a;
	struct span s;
	char *z;

	(void)state;
	arena_init(&a);
	s = arena_span(&a, span_of(from, 3));
	z = arena_str(&a, "text");
	from[0] = 'x';
	assert_memory_equal(s.p, "a\0b", 4);
	assert_int_equal(s.n, 3);
	assert_string_equal(z, "text");
	s = arena_span(&a, SPAN_NONE);
	assert_string_equal(s.p, "");
	assert_int_equal(s.n, 0);
	arena_release(&a);
}

static void
test_printf_takes_any_length(void **state)
{
	char longest[20000];
	struct arena a;

	(void)state;
	arena_init(&a);
	memset(longest, 'x', sizeof longest);
	for (size_t n = 0; n < sizeof longest; n = n * 3 + 1) {
		char *z = arena_printf(&a, "<%.*s>", (int)n, longest);

		assert_int_equal(strlen(z), n + 2);
		assert_int_equal(z[n + 1], '>');
	}
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	arena_release(&a);
}

static void
test_arrays_are_zeroed(void **state)
{
	struct arena a;
	uint64_t *v;

	(void)state;
	arena_init(&a);
	v = arena_array(&a, 1000, sizeof *v);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(v[i], 0);
	assert_int_equal(a.used, 1000 * sizeof *v);
	assert_non_null(arena_array(&a, 0, 8));
	arena_clear(&a);
	arena_clear(&a);
	arena_release(&a);
	arena_clear(&a); /* an empty one too */
}

static void
test_a_vector_keeps_what_it_holds_while_it_grows(void **state)
{
	struct arena a;
	uint32_t *v = NULL;
	size_t cap = 0;

	(void)state;
	arena_init(&a);
	for (uint32_t n = 0; n < 5000; n++) {
		v = arena_grow(&a, v, n, &cap, sizeof *v);
		assert_true(cap > n);
		v[n] = n * 7;
		if (n % 500)
			continue;
		for (uint32_t i = 0; i <= n; i++)
			assert_int_equal(v[i], i * 7);
	}
	assert_int_equal(v[4999], 4999 * 7);
	arena_release(&a);
}

static void
test_a_large_vector_leaves_nothing_behind(void **state)
{
	struct arena a;
	uint64_t *v = NULL, *other;
	size_t cap = 0, n;

	(void)state;
	arena_init(&a);
	for (n = 0; n < 1000000; n++) {
		v = arena_grow(&a, v, n, &cap, sizeof *v);
		v[n] = n;
		if (n % 100000 == 0)
			*(uint64_t *)arena_alloc(&a, sizeof *v) = n;
	}
	for (n = 0; n < 1000000; n++)
		assert_int_equal(v[n], n);
	assert_true(a.used < cap * sizeof *v + (3u << 20));
	other = arena_array(&a, 1000000, sizeof *other);
	for (n = 0; n < 1000000; n++)
		assert_int_equal(other[n], 0);
	arena_clear(&a);
	assert_int_equal(a.used, 0);
	arena_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_memory_is_zeroed_aligned_and_never_given_twice),
	    cmocka_unit_test(test_copies_are_terminated_and_independent),
	    cmocka_unit_test(test_printf_takes_any_length),
	    cmocka_unit_test(test_arrays_are_zeroed),
	    cmocka_unit_test(test_a_vector_keeps_what_it_holds_while_it_grows),
	    cmocka_unit_test(test_a_large_vector_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
