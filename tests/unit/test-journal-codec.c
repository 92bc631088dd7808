#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/codec.h"

static struct arena mem;

static const uint32_t some_kw[] = {1, 2, 300, 70000, UINT32_MAX - 1};

static struct pair
full_pair(void)
{
	struct pair p = {.file = SPAN("cur/1795460118.M1P2Q3Rff.host:2,FS"),
	    .l = {.sys = FLAG_ALL, .n = 5, .kw = some_kw},
	    .r = {.sys = FLAG_SEEN, .n = 1, .kw = some_kw},
	    .modseq = UINT64_MAX, .size = UINT64_MAX, .idate = INT64_MIN,
	    .ino = UINT64_MAX, .fsize = 1, .mtime_ns = INT64_MAX};

	for (int i = 0; i < DIGEST_LEN; i++)
		p.sha[i] = (uint8_t)(i * 37);
	return p;
}

static struct jbox
full_box(void)
{
	struct jbox b = {.wire = SPAN("a&AOQ-/b"), .name = SPAN("a\xc3\xa4/b"),
	    .path = SPAN("a\xc3\xa4/b"), .delim = '/',
	    .uidvalidity = UINT32_MAX, .uidnext = 7,
	    .highestmodseq = UINT64_MAX >> 1, .messages = 4,
	    .stamp = {INT64_MAX, INT64_MIN, UINT64_MAX, 3},
	    .synced = 1795460118, .mailboxid = SPAN("F-1")};

	for (uint32_t i = 0; i < 26; i++)
		b.letters.id[i] = i * 1000;
	b.letters.id[25] = KW_PASSED;
	return b;
}

static void
assert_pair_eq(const struct pair *a, const struct pair *b)
{
	assert_true(span_eq(a->file, b->file));
	assert_true(flags_eq(a->l, b->l) && flags_eq(a->r, b->r));
	assert_true(a->modseq == b->modseq && a->size == b->size &&
	    a->idate == b->idate && a->ino == b->ino &&
	    a->fsize == b->fsize && a->mtime_ns == b->mtime_ns);
	assert_memory_equal(a->sha, b->sha, DIGEST_LEN);
}

static void
test_records_come_back_as_they_were(void **state)
{
	struct pair p = full_pair(), q, zero = {0};
	struct jbox b = full_box(), c;
	struct jhold h = {.tries = 3, .next = -5, .why = SPAN("too big")}, k;
	struct buf v;

	(void)state;
	buf_init(&v, 65536);
	codec_put_pair(&v, &p);
	assert_true(codec_get_pair(&mem, buf_span(&v), &q));
	assert_pair_eq(&p, &q);
	buf_clear(&v);
	codec_put_pair(&v, &zero);
	assert_true(codec_get_pair(&mem, buf_span(&v), &q));
	assert_pair_eq(&zero, &q);
	buf_clear(&v);
	codec_put_box(&v, &b);
	assert_true(codec_get_box(&mem, buf_span(&v), &c));
	assert_true(span_eq(b.wire, c.wire) && span_eq(b.name, c.name) &&
	    span_eq(b.path, c.path) && span_eq(b.mailboxid, c.mailboxid) &&
	    b.delim == c.delim && b.uidvalidity == c.uidvalidity &&
	    b.uidnext == c.uidnext && b.highestmodseq == c.highestmodseq &&
	    b.messages == c.messages && b.synced == c.synced);
	assert_true(maildir_stamp_eq(&b.stamp, &c.stamp));
	assert_memory_equal(&b.letters, &c.letters, sizeof b.letters);
	buf_clear(&v);
	codec_put_hold(&v, &h);
	assert_true(codec_get_hold(&mem, buf_span(&v), &k));
	assert_true(k.tries == 3 && k.next == -5 && span_eq(k.why, h.why));
	buf_release(&v);
	arena_clear(&mem);
}

static bool
get(int which, struct span s)
{
	struct pair p;
	struct jbox b;
	struct jhold h;

	return which == 0 ? codec_get_pair(&mem, s, &p)
	    : which == 1  ? codec_get_box(&mem, s, &b)
			  : codec_get_hold(&mem, s, &h);
}

static void
test_cut_or_longer_values_are_refused(void **state)
{
	struct pair p = full_pair();
	struct jbox b = full_box();
	struct jhold h = {.tries = 3, .why = SPAN("x")};

	(void)state;
	for (int which = 0; which < 3; which++) {
		struct buf v;

		buf_init(&v, 65536);
		if (which == 0)
			codec_put_pair(&v, &p);
		else if (which == 1)
			codec_put_box(&v, &b);
		else
			codec_put_hold(&v, &h);
		for (size_t n = 0; n < v.n; n++) {
			char *part = xstrndup(v.p, n);

			assert_false(get(which, span_of(part, n)));
			xfree(part);
		}
		buf_addc(&v, 0);
		assert_false(get(which, buf_span(&v)));
		/* another layout */
		v.n--;
		v.p[0] = 2;
		assert_false(get(which, buf_span(&v)));
		buf_release(&v);
	}
	arena_clear(&mem);
}

static void
test_keys_sort_as_their_numbers(void **state)
{
	static const uint64_t box[] = {1, 2, 255, 256, UINT64_MAX};
	static const uint32_t uid[] = {1, 2, 255, 256, UINT32_MAX};
	struct buf last, key;

	(void)state;
	buf_init(&last, 100);
	buf_init(&key, 100);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			uint64_t b;
			uint32_t u;

			buf_clear(&key);
			codec_key_pair(&key, box[i], uid[k]);
			assert_true(span_cmp(buf_span(&last),
					buf_span(&key)) < 0);
			assert_true(codec_get_key_pair(buf_span(&key), &b,
			    &u));
			assert_true(b == box[i] && u == uid[k]);
			buf_clear(&last);
			buf_add_span(&last, buf_span(&key));
		}
	buf_release(&last);
	buf_release(&key);
}

static void
test_hold_keys(void **state)
{
	struct buf key;
	struct span base;
	uint64_t box;
	uint32_t uid;

	(void)state;
	buf_init(&key, 1000);
	codec_key_hold(&key, 5, 9, SPAN(""));
	assert_true(codec_get_key_hold(buf_span(&key), &box, &uid, &base));
	assert_true(box == 5 && uid == 9 && base.n == 0);
	buf_clear(&key);
	codec_key_hold(&key, 5, 0, SPAN("123.host"));
	assert_true(codec_get_key_hold(buf_span(&key), &box, &uid, &base));
	assert_true(box == 5 && uid == 0 && span_eq(base, SPAN("123.host")));
	for (size_t n = 0; n < 10; n++)
		if (n != key.n)
			assert_false(codec_get_key_hold(span_of(key.p, n),
			    &box, &uid, &base));
	buf_release(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records_come_back_as_they_were),
	    cmocka_unit_test(test_cut_or_longer_values_are_refused),
	    cmocka_unit_test(test_keys_sort_as_their_numbers),
	    cmocka_unit_test(test_hold_keys),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
