#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/uidset.h"
#include "seed.h"

#define UIDS 200

static void
assert_like(const struct uidset *s, const bool *bit)
{
	uint64_t n = 0;
	uint32_t u = uidset_first(s);

	for (uint32_t i = 1; i < UIDS; i++) {
		assert_int_equal(uidset_has(s, i), bit[i]);
		n += bit[i];
		if (bit[i]) {
			assert_int_equal(u, i);
			u = uidset_next(s, u);
		}
	}
	assert_int_equal(u, 0);
	assert_int_equal(uidset_count(s), n);
	/* sorted, disjoint, not adjacent */
	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->v[i].lo <= s->v[i].hi);
		if (i)
			assert_true(s->v[i - 1].hi + 1 < s->v[i].lo);
	}
}

/* Sets of many ranges are added and removed in another way. */
static void
many_at_once(struct uidset *s, struct uidset *other, bool *bit)
{
	uint32_t how = rnd(3);
	bool put = how == 0, kept[UIDS] = {false};

	uidset_clear(other);
	for (uint32_t i = 1 + rnd(9); i < UIDS; i += 1 + rnd(12)) {
		uint32_t hi = i + rnd(4);

		for (; i <= hi && i < UIDS; i++) {
			uidset_add(other, i);
			kept[i] = bit[i];
			bit[i] = put;
		}
	}
	if (how == 0)
		uidset_add_set(s, other);
	else if (how == 1)
		uidset_remove_set(s, other);
	else
		uidset_keep_set(s, other);
	for (uint32_t i = 0; i < UIDS && how == 2; i++)
		bit[i] = kept[i];
}

static void
test_the_highest_go_over(void **state)
{
	struct uidset from, last, all;

	(void)state;
	uidset_init(&from);
	uidset_init(&last);
	uidset_init(&all);
	for (int round = 0; round < 2000; round++) {
		uint64_t n = rnd(60), had;

		uidset_clear(&from);
		uidset_clear(&last);
		for (uint32_t k = rnd(12); k > 0; k--) {
			uint32_t lo = 1 + rnd(150);

			uidset_add_range(&from, lo, lo + rnd(9));
		}
		uidset_clear(&all);
		uidset_add_set(&all, &from);
		had = uidset_count(&from);
		uidset_take_last(&from, n, &last);
		assert_int_equal(uidset_count(&last), n < had ? n : had);
		assert_int_equal(uidset_count(&from), n < had ? had - n : 0);
		if (from.n && last.n)
			assert_true(
			    from.v[from.n - 1].hi < uidset_first(&last));
		uidset_add_set(&last, &from);
		assert_true(uidset_eq(&last, &all));
	}
	uidset_release(&from);
	uidset_release(&last);
	uidset_release(&all);
}

static void
test_random_operations_against_a_bitmap(void **state)
{
	struct uidset s, other;
	bool bit[UIDS] = {false};

	(void)state;
	uidset_init(&s);
	uidset_init(&other);
	for (int step = 0; step < 20000; step++) {
		uint32_t lo = 1 + rnd(UIDS - 1), hi = 1 + rnd(UIDS - 1);

		if (hi - lo > 20 && rnd(3))
			hi = lo + rnd(UIDS - lo) % 5;
		switch (rnd(5)) {
		case 0:
			uidset_add(&s, lo);
			bit[lo] = true;
			break;
		case 1:
			uidset_add_range(&s, lo, hi); /* either way round */
			for (uint32_t i = lo < hi ? lo : hi;
			     i <= (lo < hi ? hi : lo); i++)
				bit[i] = true;
			break;
		case 2:
			if (lo > hi)
				break;
			uidset_remove_range(&s, lo, hi);
			for (uint32_t i = lo; i <= hi; i++)
				bit[i] = false;
			break;
		case 3:
			uidset_clear(&other);
			uidset_add(&other, lo);
			uidset_add(&other, hi);
			uidset_add_set(&s, &other);
			bit[lo] = bit[hi] = true;
			break;
		default:
			uidset_clear(&other);
			uidset_add(&other, lo);
			uidset_add(&other, hi);
			uidset_remove_set(&s, &other);
			bit[lo] = bit[hi] = false;
		}
		if (step % 16 == 0)
			many_at_once(&s, &other, bit);
		assert_like(&s, bit);
	}
	uidset_release(&s);
	uidset_release(&other);
}

static void
test_in_any_order_at_once_as_one_by_one(void **state)
{
	struct uidset s, like;

	(void)state;
	uidset_init(&s);
	uidset_init(&like);
	for (int round = 0; round < 2000; round++) {
		struct uidset_bulk b = {.set = &s};

		for (uint32_t n = rnd(60); n > 0; n--) {
			uint32_t lo = 1 + rnd(UIDS), hi = lo + rnd(4);
			bool top = rnd(20) == 0;

			if (top)
				hi = UINT32_MAX - rnd(3);
			if (top)
				lo = hi - rnd(3);
			uidset_add_range(&like, lo, hi);
			if (rnd(2))
				uidset_bulk_add(&b, lo, hi);
			else
				uidset_bulk_add(&b, hi, lo);
		}
		uidset_bulk_end(&b);
		assert_true(uidset_eq(&s, &like));
		if (rnd(3) == 0) {
			uidset_clear(&s);
			uidset_clear(&like);
		}
	}
	uidset_release(&s);
	uidset_release(&like);
}

/* One by one, these would move a million ranges a million times. */
static void
test_a_million_in_random_order(void **state)
{
	enum { MANY = 1 << 20 };
	struct uidset s;
	struct uidset_bulk b = {.set = &s};

	(void)state;
	uidset_init(&s);
	for (uint32_t i = 0; i < MANY; i++) {
		/* an odd factor: each number below MANY once */
		uint32_t uid = 2 + 2 * (i * 2654435761u % MANY);

		uidset_bulk_add(&b, uid, uid);
	}
	uidset_bulk_end(&b);
	assert_int_equal(s.n, MANY);
	assert_int_equal(uidset_count(&s), MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(s.v[i].lo, 2 + 2 * i);
	uidset_release(&s);
}

static void
test_format_and_parse_are_inverse(void **state)
{
	struct uidset a, b;
	struct buf text;

	(void)state;
	uidset_init(&a);
	uidset_init(&b);
	buf_init(&text, 65536);
	for (int round = 0; round < 500; round++) {
		uidset_clear(&a);
		for (uint32_t n = 1 + rnd(30); n > 0; n--)
			uidset_add_range(&a, 1 + rnd(UINT32_MAX - 1),
			    1 + rnd(UINT32_MAX - 1));
		buf_clear(&text);
		uidset_format(&a, &text);
		assert_true(uidset_parse(buf_span(&text), 1000, &b));
		assert_true(uidset_eq(&a, &b));
	}
	buf_release(&text);
	uidset_release(&a);
	uidset_release(&b);
}

static void
test_what_is_no_set_is_refused(void **state)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "1,,2", "0",
	    "1:0", "0:1", "1:", ":1", "1:2:3", "*", "1:*", "a", "1 2", "-1",
	    "4294967296"};
	struct uidset s;

	(void)state;
	uidset_init(&s);
	uidset_add(&s, 9);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(uidset_parse(span_str(bad[i]), 100, &s));
	assert_false(uidset_parse(SPAN("1,3,5"), 2, &s));
	assert_true(uidset_has(&s, 9) && uidset_count(&s) == 1);
	assert_true(uidset_parse(SPAN("12:9,3,1:4294967295"), 3, &s));
	assert_int_equal(uidset_count(&s), UINT32_MAX);
	assert_int_equal(uidset_next(&s, UINT32_MAX), 0);
	uidset_release(&s);
}

static bool
parses(const char *p, size_t n)
{
	struct uidset s;
	bool ok;

	uidset_init(&s);
	ok = uidset_parse(span_of(p, n), 100, &s);
	uidset_release(&s);
	return ok;
}

static void
test_a_truncated_set_ends_with_a_digit_or_is_refused(void **state)
{
	static const char text[] = "1:3,7,12:9,4294967295,100:200,5";

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		char *part = xstrndup(text, n); /* ends where it ends */
		bool digit = n > 0 && part[n - 1] >= '0' && part[n - 1] <= '9';

		assert_int_equal(parses(part, n), digit);
		xfree(part);
	}
}

static void
test_a_set_with_one_strange_byte_is_refused(void **state)
{
	char text[] = "10:30,77,12:92";

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			text[i] = (char)c;
			if (!strchr("0123456789:,", c) || c == 0)
				assert_false(parses(text, sizeof text - 1));
			else /* only that it ends and stays within */
				(void)parses(text, sizeof text - 1);
		}
		text[i] = was;
	}
	assert_true(parses(text, sizeof text - 1));
}

static void
test_the_ends_of_the_range_are_like_others(void **state)
{
	struct uidset s;
	struct buf b;

	(void)state;
	uidset_init(&s);
	buf_init(&b, 1000);
	uidset_add(&s, 0); /* there is no UID 0 */
	uidset_add_range(&s, 0, 0);
	assert_int_equal(uidset_count(&s), 0);
	assert_int_equal(uidset_first(&s), 0);
	assert_false(uidset_has(&s, 0));
	uidset_add(&s, UINT32_MAX);
	uidset_add(&s, UINT32_MAX - 1);
	uidset_add(&s, 1);
	uidset_add_range(&s, 0, 2);
	uidset_format(&s, &b);
	assert_string_equal(buf_cstr(&b), "1:2,4294967294:4294967295");
	assert_false(uidset_has(&s, 0));
	assert_int_equal(uidset_next(&s, 2), UINT32_MAX - 1);
	assert_int_equal(uidset_next(&s, UINT32_MAX - 1), UINT32_MAX);
	uidset_add_range(&s, 1, UINT32_MAX);
	assert_int_equal(s.n, 1);
	assert_int_equal(uidset_count(&s), UINT32_MAX);
	uidset_remove_range(&s, 2, UINT32_MAX - 1);
	assert_int_equal(s.n, 2);
	assert_int_equal(uidset_count(&s), 2);
	uidset_remove_range(&s, UINT32_MAX, UINT32_MAX);
	uidset_remove_range(&s, 0, 1);
	assert_int_equal(s.n, 0);
	buf_release(&b);
	uidset_release(&s);
}

static void
test_slices_cover_the_set_and_fit_the_line(void **state)
{
	struct uidset s, slice, all;
	struct buf line;

	(void)state;
	uidset_init(&s);
	uidset_init(&slice);
	uidset_init(&all);
	buf_init(&line, 4096);
	for (int round = 0; round < 300; round++) {
		uint64_t pos = 0, count = rnd(3) ? 1 + rnd(50) : 0;
		size_t max = 24 + rnd(60);

		uidset_clear(&s);
		uidset_clear(&all);
		for (uint32_t n = rnd(40); n > 0; n--) {
			uint32_t lo = 1 + rnd(100000);

			uidset_add_range(&s, lo, lo + rnd(20));
		}
		for (;;) {
			buf_clear(&line);
			if (!uidset_slice(&s, &pos, max, count, &line, &slice))
				break;
			assert_true(line.n > 0 && line.n <= max);
			assert_true(!count || uidset_count(&slice) <= count);
			for (uint32_t u = uidset_first(&slice); u;
			     u = uidset_next(&slice, u))
				assert_false(uidset_has(&all, u));
			uidset_add_set(&all, &slice);
		}
		assert_true(uidset_eq(&s, &all));
	}
	buf_release(&line);
	uidset_release(&s);
	uidset_release(&slice);
	uidset_release(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_operations_against_a_bitmap),
	    cmocka_unit_test(test_the_highest_go_over),
	    cmocka_unit_test(test_in_any_order_at_once_as_one_by_one),
	    cmocka_unit_test(test_a_million_in_random_order),
	    cmocka_unit_test(test_format_and_parse_are_inverse),
	    cmocka_unit_test(test_what_is_no_set_is_refused),
	    cmocka_unit_test(
		test_a_truncated_set_ends_with_a_digit_or_is_refused),
	    cmocka_unit_test(test_a_set_with_one_strange_byte_is_refused),
	    cmocka_unit_test(test_the_ends_of_the_range_are_like_others),
	    cmocka_unit_test(test_slices_cover_the_set_and_fit_the_line),
	};

	rnd_state = seed_of_this_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
