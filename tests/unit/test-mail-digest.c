#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "mail/digest.h"

static void
assert_sha(const struct content *c, const char *hex)
{
	struct buf b;

	buf_init(&b, 100);
	digest_hex(c->sha, &b);
	assert_string_equal(buf_cstr(&b), hex);
	buf_release(&b);
}

/* FIPS 180-2, B.1, and the empty message. */
static void
known_values_come_out(void **state)
{
	AUTO(digest) d = digest_new();
	struct content c;

	(void)state;
	digest_finish(d, &c);
	assert_sha(&c, "e3b0c44298fc1c149afbf4c8996fb924"
		       "27ae41e4649b934ca495991b7852b855");
	assert_int_equal(c.size, 0);
	assert_int_equal(c.raw, 0);
	digest_feed(d, "abc", 3);
	digest_finish(d, &c);
	assert_sha(&c, "ba7816bf8f01cfea414140de5dae2223"
		       "b00361a396177a9cb410ff61f20015ad");
	assert_false(c.has_nul);
}

static void
lf_counts_and_hashes_as_crlf(void **state)
{
	AUTO(digest) d = digest_new();
	struct content lf, crlf;

	(void)state;
	digest_feed(d, "A: b\n\nc\n", 8);
	digest_finish(d, &lf);
	digest_feed(d, "A: b\r\n\r\nc\r\n", 11);
	digest_finish(d, &crlf);
	assert_memory_equal(lf.sha, crlf.sha, DIGEST_LEN);
	assert_int_equal(lf.raw, 8);
	assert_int_equal(crlf.raw, 11);
	assert_int_equal(lf.size, 11);
	assert_int_equal(crlf.size, 11);
}

/* Longer than any chunk inside, with line ends at every kind of border. */
static void
any_split_gives_one_result(void **state)
{
	AUTO(digest) d = digest_new();
	const size_t n = 100000;
	struct content whole, parts;
	char *p = xalloc(n);
	uint32_t r = 1;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		r = r * 1664525 + 1013904223;
		p[i] = "\r\n\nab"[(r >> 24) % 5];
	}
	digest_feed(d, p, n);
	digest_finish(d, &whole);
	assert_true(whole.size > n);
	for (size_t step = 1; step < 70000; step = step * 3 + 1) {
		for (size_t i = 0; i < n; i += step)
			digest_feed(d, p + i, n - i < step ? n - i : step);
		digest_finish(d, &parts);
		assert_memory_equal(whole.sha, parts.sha, DIGEST_LEN);
		assert_int_equal(whole.size, parts.size);
		assert_int_equal(whole.raw, parts.raw);
	}
	xfree(p);
}

static void
a_nul_is_noticed_once_and_forgotten_after(void **state)
{
	AUTO(digest) d = digest_new();
	struct content c;

	(void)state;
	digest_feed(d, "a\0b", 3);
	digest_feed(d, "c", 1);
	digest_finish(d, &c);
	assert_true(c.has_nul);
	digest_feed(d, "abc", 3);
	digest_finish(d, &c);
	assert_false(c.has_nul);
}

static void
reset_forgets_what_was_fed(void **state)
{
	AUTO(digest) d = digest_new();
	struct content c;

	(void)state;
	digest_feed(d, "x\0y\r", 4);
	digest_reset(d);
	digest_feed(d, "abc", 3);
	digest_finish(d, &c);
	assert_sha(&c, "ba7816bf8f01cfea414140de5dae2223"
		       "b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(c.raw, 3);
	assert_int_equal(c.size, 3);
	assert_false(c.has_nul);
	/* a CR before the reset does not reach over it */
	digest_feed(d, "\r", 1);
	digest_reset(d);
	digest_feed(d, "\n", 1);
	digest_finish(d, &c);
	assert_int_equal(c.size, 2);
}

static struct content
content_of(struct digest *d, const char *text, size_t step)
{
	size_t n = strlen(text);
	struct content c;

	for (size_t i = 0; i < n; i += step)
		digest_feed(d, text + i, n - i < step ? n - i : step);
	digest_finish(d, &c);
	return c;
}

#define TUID "X-TUID: aB0+/aB0+/zZ\n"

/* WITH has lines X-TUID, WITHOUT is the same message. */
static void
check_bare(const char *with, const char *without, unsigned lines)
{
	AUTO(digest) d = digest_new();
	struct content b = content_of(d, without, 1000);

	assert_false(b.has_tuid);
	assert_int_equal(b.bare_size, b.size);
	assert_memory_equal(b.bare_sha, b.sha, DIGEST_LEN);
	for (size_t step = 1; step <= strlen(with); step++) {
		struct content a = content_of(d, with, step);

		assert_int_equal(a.has_tuid, lines > 0);
		assert_int_equal(a.size, b.size + lines * TUID_LINE);
		assert_int_equal(a.bare_size, b.size);
		assert_memory_equal(a.bare_sha, b.sha, DIGEST_LEN);
		if (lines)
			assert_memory_not_equal(a.sha, b.sha, DIGEST_LEN);
	}
}

static void
lines_of_mbsync_make_no_other_bare_message(void **state)
{
	(void)state;
	check_bare("A: b\n" TUID "C: d\n\ne\n", "A: b\nC: d\n\ne\n", 1);
	check_bare(TUID "\ne\n", "\ne\n", 1);
	check_bare(TUID "A: b\n", "A: b\n", 1);
	check_bare("A: b\r\n" TUID TUID "\r\n" TUID, "A: b\n\n" TUID, 2);
	check_bare("A: b\n" TUID, "A: b\n", 1);
}

/* In a body, cut, too long or too short, of other octets, or of another name. */
static void
what_is_no_line_of_mbsync_counts(void **state)
{
	static const char *const other[] = {"A: b\n\n" TUID, "\n" TUID,
	    "X-TUID: aB0+/aB0+/z", "X-TUID: aB0+/aB0+/zZ", "X-TUID: aB0\n\n",
	    "X-TUID: aB0+/aB0+/zZZ\n\n", "X-TUID: aB0+/aB0+ zZ\n\n",
	    "X-TUIE: aB0+/aB0+/zZ\n\n", "A: X-TUID: aB0+/aB0+/zZ\n\n",
	    "A: b\n X-TUID: aB0+/aB0+/zZ\n\n", "\rX-TUID: aB0+/aB0+/zZ\n\n",
	    "\r\rA\n\n", "X", "", "\r", "\n", "X-TUID: aB0+/aB0+/zZ\rA\n"};

	(void)state;
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		check_bare(other[i], other[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values_come_out),
		cmocka_unit_test(lf_counts_and_hashes_as_crlf),
		cmocka_unit_test(any_split_gives_one_result),
		cmocka_unit_test(a_nul_is_noticed_once_and_forgotten_after),
		cmocka_unit_test(reset_forgets_what_was_fed),
		cmocka_unit_test(lines_of_mbsync_make_no_other_bare_message),
		cmocka_unit_test(what_is_no_line_of_mbsync_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
