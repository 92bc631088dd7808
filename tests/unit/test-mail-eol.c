#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/digest.h"
#include "mail/eol.h"

enum { LEN_MAX = 8 };

/* The text number NO of length N over {CR, LF, a}. */
static void
make_text(unsigned no, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = "\r\na"[no % 3];
		no /= 3;
	}
}

/* Canonical form, straight from its definition. */
static size_t
slow_canon(const char *p, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			out[len++] = '\r';
		out[len++] = p[i];
	}
	return len;
}

/* Rule 1: does every LF stand behind exactly one CR? */
static bool
is_reversible(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r' ||
					(i > 1 && p[i - 2] == '\r')))
			return false;
	return true;
}

/*
 * Wire bytes to file in the pieces that the bits of SPLIT mark, as a caller
 * does it; checks what holds right after a false return.
 */
static void
bring_down(const char *p, size_t n, unsigned split, struct buf *file)
{
	struct eol_down d;
	size_t from = 0;
	bool failed = false;

	eol_down_init(&d);
	for (size_t at = 1; at <= n; at++) {
		size_t used = 99;

		if (at < n && !(split >> (at - 1) & 1))
			continue;
		while (!eol_down_feed(&d, p + from, at - from, file, &used)) {
			struct buf again;

			assert_false(failed);
			failed = true;
			assert_true(d.verbatim);
			assert_true(used < at - from);
			assert_int_equal(p[from + used], '\n');
			buf_init(&again, 2 * LEN_MAX);
			eol_expand(file->p, file->n, &again);
			buf_add_span(&again, eol_down_held(&d));
			assert_int_equal(again.n, from + used);
			if (again.n)
				assert_memory_equal(again.p, p, again.n);
			buf_clear(file);
			buf_add_span(file, buf_span(&again));
			buf_release(&again);
			from += used;
		}
		assert_int_equal(used, at - from);
		from = at;
	}
	buf_add_span(file, eol_down_held(&d));
	assert_int_equal(eol_down_held(&d).n, 0);
	assert_int_equal(failed, !is_reversible(p, n));
}

static void
check_text(const char *p, size_t n, unsigned split)
{
	struct buf file, up;
	struct eol_canon c;
	char canon[2 * LEN_MAX];
	size_t len = slow_canon(p, n, canon);

	buf_init(&file, 2 * LEN_MAX);
	buf_init(&up, 2 * LEN_MAX);
	bring_down(p, n, split, &file);
	if (is_reversible(p, n)) {
		for (size_t i = 1; i < file.n; i++)
			assert_false(file.p[i] == '\n' &&
			    file.p[i - 1] == '\r');
	} else {
		assert_int_equal(file.n, n);
		assert_memory_equal(file.p, p, n);
	}
	/* the file is read back in the same pieces, as far as it goes */
	eol_canon_init(&c);
	for (size_t from = 0, at = 1; at <= file.n; at++) {
		if (at < file.n && !(split >> (at - 1) & 1))
			continue;
		eol_canon_feed(&c, file.p + from, at - from, &up);
		from = at;
	}
	assert_false(up.toobig);
	assert_int_equal(up.n, len);
	if (len)
		assert_memory_equal(up.p, canon, len);
	buf_release(&file);
	buf_release(&up);
}

static void
down_and_up_is_the_canonical_form_for_all_texts_and_splits(void **state)
{
	(void)state;
	for (size_t n = 0, texts = 1; n <= LEN_MAX; n++, texts *= 3) {
		unsigned splits = n ? 1U << (n - 1) : 1;

		for (unsigned no = 0; no < texts; no++) {
			char p[LEN_MAX + 1];

			make_text(no, n, p);
			for (unsigned split = 0; split < splits; split++)
				check_text(p, n, split);
		}
	}
}

static void
digest_of(struct digest *d, struct span s, struct content *c_r)
{
	digest_feed(d, s.p, s.n);
	digest_finish(d, c_r);
}

static void
wire_and_file_have_one_digest_for_all_texts(void **state)
{
	AUTO(digest) d = digest_new();

	(void)state;
	for (size_t n = 0, texts = 1; n <= LEN_MAX; n++, texts *= 3) {
		for (unsigned no = 0; no < texts; no++) {
			char p[LEN_MAX + 1];
			struct content wire, disk;
			struct buf file;

			make_text(no, n, p);
			buf_init(&file, 2 * LEN_MAX);
			bring_down(p, n, 0, &file);
			digest_of(d, span_of(p, n), &wire);
			digest_of(d, buf_span(&file), &disk);
			assert_memory_equal(wire.sha, disk.sha, DIGEST_LEN);
			assert_int_equal(wire.size, disk.size);
			assert_int_equal(wire.raw, n);
			assert_int_equal(disk.raw, file.n);
			buf_release(&file);
		}
	}
}

static void
a_plain_message_is_stored_with_lf_and_a_lone_cr_stays(void **state)
{
	static const char wire[] = "A: b\r\n\r\nx\ry\r\n\r";
	static const char want[] = "A: b\n\nx\ry\n\r";
	struct buf file;

	(void)state;
	buf_init(&file, 100);
	bring_down(wire, sizeof wire - 1, 0, &file);
	assert_string_equal(buf_cstr(&file), want);
	buf_release(&file);
}

static void
verbatim_copies_what_follows(void **state)
{
	struct eol_down d;
	struct buf out;
	size_t used;

	(void)state;
	buf_init(&out, 100);
	eol_down_init(&d);
	assert_false(eol_down_feed(&d, "a\r\nb\nc\r\n", 8, &out, &used));
	assert_int_equal(used, 4);
	assert_string_equal(buf_cstr(&out), "a\nb");
	assert_int_equal(eol_down_held(&d).n, 0);
	buf_clear(&out);
	assert_true(eol_down_feed(&d, "\nc\r\n", 4, &out, &used));
	assert_int_equal(used, 4);
	assert_int_equal(out.n, 4);
	assert_memory_equal(out.p, "\nc\r\n", 4);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    down_and_up_is_the_canonical_form_for_all_texts_and_splits),
		cmocka_unit_test(wire_and_file_have_one_digest_for_all_texts),
		cmocka_unit_test(
		    a_plain_message_is_stored_with_lf_and_a_lone_cr_stays),
		cmocka_unit_test(verbatim_copies_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
