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
	b.letters_seen = 1;
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

static bool
hold_eq(const struct jhold *a, const struct jhold *b)
{
	return a->kind == b->kind && a->tries == b->tries &&
	    a->next == b->next && a->size == b->size &&
	    a->idate == b->idate && span_eq(a->why, b->why);
}

static void
test_records_come_back_as_they_were(void **state)
{
	struct pair p = full_pair(), q, zero = {0};
	struct jbox b = full_box(), c;
	struct jhold h = {.kind = JHOLD_SKIPPED, .tries = 3, .next = -5,
	    .size = 26214400, .idate = 7, .why = SPAN("too big")}, k;
	static const int64_t next[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
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
	assert_int_equal(b.letters_seen, c.letters_seen);
	buf_clear(&v);
	codec_put_hold(&v, &h);
	assert_true(codec_get_hold(&mem, buf_span(&v), &k));
	assert_true(hold_eq(&h, &k));
	for (int kind = JHOLD_RETRY; kind <= JHOLD_SENT; kind++) {
		h = (struct jhold){.kind = (enum jhold_kind)kind,
		    .size = UINT64_MAX, .idate = INT64_MIN, .why = SPAN("")};
		buf_clear(&v);
		codec_put_hold(&v, &h);
		assert_true(codec_get_hold(&mem, buf_span(&v), &k));
		assert_true(hold_eq(&h, &k));
	}
	for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
		h = (struct jhold){.tries = UINT32_MAX, .next = next[i]};
		buf_clear(&v);
		codec_put_hold(&v, &h);
		assert_true(codec_get_hold(&mem, buf_span(&v), &k));
		assert_true(k.tries == UINT32_MAX && k.next == next[i] &&
		    k.why.n == 0);
	}
	buf_release(&v);
	arena_clear(&mem);
}

/* One of which nothing is held is as it was before there was such a mark. */
static void
test_what_is_held_of_a_mailbox_comes_back(void **state)
{
	struct jbox b = full_box(), c;
	struct buf v;

	(void)state;
	buf_init(&v, 65536);
	for (uint32_t held = 0; held <= JBOX_HELD_ALL + 1; held++) {
		b.held = held;
		buf_clear(&v);
		codec_put_box(&v, &b);
		assert_int_equal(v.p[0], held ? 2 : 1);
		assert_int_equal(codec_get_box(&mem, buf_span(&v), &c),
		    held <= JBOX_HELD_ALL);
		if (held <= JBOX_HELD_ALL)
			assert_int_equal(c.held, held);
	}
	buf_release(&v);
	arena_clear(&mem);
}

static void
test_how_often_a_mailbox_ended_the_connection_comes_back(void **state)
{
	const uint32_t ended[] = {1, UINT32_MAX};
	struct jbox b = full_box(), c;
	struct buf v;

	(void)state;
	buf_init(&v, 65536);
	for (size_t i = 0; i < 2; i++) {
		for (uint32_t held = 0; held <= JBOX_HELD_ALL; held++) {
			b.held = held;
			b.ended = ended[i];
			buf_clear(&v);
			codec_put_box(&v, &b);
			assert_true(codec_get_box(&mem, buf_span(&v), &c));
			assert_int_equal(c.held, held);
			assert_int_equal(c.ended, ended[i]);
		}
	}
	/* a layout with nothing to say is none of ours */
	b.held = 0;
	b.ended = 1;
	buf_clear(&v);
	codec_put_box(&v, &b);
	v.p[v.n - 1] = 0;
	assert_false(codec_get_box(&mem, buf_span(&v), &c));
	buf_release(&v);
	arena_clear(&mem);
}

/* Every kind of record, key and value, by number. */
enum { PAIR, BOX, HELD_BOX, ENDED_BOX, HOLD, U64, KEY_PAIR, KEY_BOX, KEY_HOLD,
    KEY_SIZE, KINDS };

static void
put(int which, struct buf *v)
{
	struct pair p = full_pair();
	struct jbox b = full_box();
	struct jhold h = {.kind = JHOLD_KEPT, .tries = UINT32_MAX,
	    .next = INT64_MIN, .size = UINT64_MAX, .idate = INT64_MAX,
	    .why = SPAN("x")};

	switch (which) {
	case PAIR:
		codec_put_pair(v, &p);
		break;
	case HELD_BOX:
		b.held = JBOX_HELD_ALL;
		codec_put_box(v, &b);
		break;
	case ENDED_BOX:
		b.ended = UINT32_MAX;
		codec_put_box(v, &b);
		break;
	case BOX:
		codec_put_box(v, &b);
		break;
	case HOLD:
		codec_put_hold(v, &h);
		break;
	case U64:
		codec_put_u64(v, 0x8000000000000001);
		break;
	case KEY_PAIR:
		codec_key_pair(v, UINT64_MAX, UINT32_MAX);
		break;
	case KEY_BOX:
		codec_key_box(v, UINT64_MAX);
		break;
	case KEY_HOLD:
		codec_key_hold(v, UINT64_MAX, UINT32_MAX, SPAN(""));
		break;
	default:
		codec_key_size(v, UINT64_MAX, UINT64_MAX, UINT32_MAX);
	}
}

/* A hold of the first layout is written in the second. */
static void
assert_same_hold(struct span s, const struct buf *again, const struct jhold *h)
{
	struct jhold k;

	if (s.p[0] != 1) {
		assert_true(span_eq(buf_span(again), s));
		return;
	}
	assert_int_equal(again->p[0], 2);
	assert_true(h->kind == JHOLD_RETRY && h->size == 0 && h->idate == 0);
	assert_true(codec_get_hold(&mem, buf_span(again), &k));
	assert_true(hold_eq(h, &k));
}

/* Does S decode?  Then it must be what is written for the result. */
static bool
get(int which, struct span s)
{
	uint64_t id = 0, size = 0;
	uint32_t uid = 0;
	struct span base = SPAN("");
	struct pair p;
	struct jbox b;
	struct jhold h;
	struct buf again;
	bool ok;

	buf_init(&again, 65536);
	switch (which) {
	case PAIR:
		if ((ok = codec_get_pair(&mem, s, &p))) {
			codec_put_pair(&again, &p);
			assert_true(codec_get_pair_size(s, &size));
			assert_true(size == p.size);
		}
		break;
	case BOX:
	case HELD_BOX:
	case ENDED_BOX:
		if ((ok = codec_get_box(&mem, s, &b)))
			codec_put_box(&again, &b);
		break;
	case HOLD:
		if ((ok = codec_get_hold(&mem, s, &h))) {
			codec_put_hold(&again, &h);
			assert_same_hold(s, &again, &h);
			s = buf_span(&again);
		}
		break;
	case U64:
		if ((ok = codec_get_u64(s, &id)))
			codec_put_u64(&again, id);
		break;
	case KEY_PAIR:
		if ((ok = codec_get_key_pair(s, &id, &uid)))
			codec_key_pair(&again, id, uid);
		break;
	case KEY_BOX:
		if ((ok = codec_get_key_box(s, &id)))
			codec_key_box(&again, id);
		break;
	case KEY_HOLD:
		if ((ok = codec_get_key_hold(s, &id, &uid, &base)))
			codec_key_hold(&again, id, uid, base);
		break;
	default:
		if ((ok = codec_get_key_size(s, &size, &id, &uid)))
			codec_key_size(&again, size, id, uid);
	}
	assert_true(!ok || span_eq(buf_span(&again), s));
	buf_release(&again);
	return ok;
}

static void
test_cut_or_longer_records_are_refused(void **state)
{
	(void)state;
	for (int which = 0; which < KINDS; which++) {
		struct buf v;

		buf_init(&v, 65536);
		put(which, &v);
		assert_true(get(which, buf_span(&v)));
		for (size_t n = 0; n < v.n; n++) {
			char *part = xstrndup(v.p, n);

			assert_false(get(which, span_of(part, n)));
			xfree(part);
		}
		buf_addc(&v, 0);
		for (int c = 0; c < 256; c++) {
			v.p[v.n - 1] = (char)c;
			assert_false(get(which, buf_span(&v)));
		}
		buf_release(&v);
	}
	arena_clear(&mem);
}

/* get() has the claim: what decodes is written as the same bytes. */
static void
test_any_changed_byte_is_refused_or_another_record(void **state)
{
	(void)state;
	for (int which = 0; which < KINDS; which++) {
		struct buf v;

		buf_init(&v, 65536);
		put(which, &v);
		for (size_t at = 0; at < v.n; at++) {
			char was = v.p[at];

			for (int c = 0; c < 256; c++) {
				v.p[at] = (char)c;
				(void)get(which, buf_span(&v));
			}
			v.p[at] = was;
			arena_clear(&mem);
		}
		buf_release(&v);
	}
}

static void
test_values_of_another_layout_are_refused(void **state)
{
	const int layout[] = {[PAIR] = 1, [BOX] = 1, [HELD_BOX] = 2,
	    [ENDED_BOX] = 3, [HOLD] = 2};

	(void)state;
	for (int which = PAIR; which <= HOLD; which++) {
		struct buf v;

		buf_init(&v, 65536);
		put(which, &v);
		for (int c = 0; c < 256; c++) {
			v.p[0] = (char)c;
			assert_int_equal(get(which, buf_span(&v)),
			    c == layout[which]);
		}
		buf_release(&v);
	}
	arena_clear(&mem);
}

static void
test_numbers_and_sets_have_one_form(void **state)
{
	/* hold: layout, kind, tries, next, size, date, length of why */
	const struct span hold[] = {
	    SPAN("\2\0\0\0\0\0\0"), /* this one is right */
	    SPAN("\2\0\x80\0\0\0\0\0"), SPAN("\2\0\0\x80\0\0\0\0"),
	    SPAN("\2\0\0\0\0\0\x80\0"), SPAN("\2\0\0\0\x80\0\0\0"),
	    /* no such kind, or one that is 1 in 2^32 and more */
	    SPAN("\2\5\0\0\0\0\0"), SPAN("\2\x7f\0\0\0\0\0"),
	    SPAN("\2\x81\x80\x80\x80\x10\0\0\0\0\0"),
	    /* 2^32 tries; 2^64 */
	    SPAN("\2\0\x80\x80\x80\x80\x10\0\0\0\0"),
	    SPAN("\2\0\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\2\0\0\0"),
	    /* a length that is not there, up to 2^64-1 */
	    SPAN("\2\0\0\0\0\0\1"),
	    SPAN("\2\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
	};
	/* pair: layout, no file, then flags: bits, how many, steps */
	const struct span flags[] = {
	    SPAN("\1\0\0\2\1\1"), /* this one is right: 1, 2 */
	    SPAN("\1\0\0\2\1\0"),      /* 1, 1 */
	    SPAN("\1\0\0\2\0\1"),      /* 0, 1 */
	    SPAN("\1\0\x40\2\1\1"),    /* no such bit */
	    SPAN("\1\0\0\2\1\xff\xff\xff\xff\xf"), /* 2^32 */
	    SPAN("\1\0\0\xff\xff\xff\xff\xf\1"),  /* too many */
	};
	struct buf v;

	(void)state;
	for (size_t i = 0; i < sizeof hold / sizeof *hold; i++)
		assert_int_equal(get(HOLD, hold[i]), i == 0);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		buf_init(&v, 1000);
		buf_add_span(&v, flags[i]);
		for (int k = 0; k < 2 + 6 + DIGEST_LEN; k++)
			buf_addc(&v, 0);
		assert_int_equal(get(PAIR, buf_span(&v)), i == 0);
		buf_release(&v);
	}
	arena_clear(&mem);
}

static void
test_reasons_are_cut_and_longer_ones_are_refused(void **state)
{
	char text[300];
	struct jhold h = {.why = span_of(text, sizeof text)}, k;
	struct buf v;

	(void)state;
	memset(text, 'x', sizeof text);
	buf_init(&v, 1000);
	codec_put_hold(&v, &h);
	assert_true(codec_get_hold(&mem, buf_span(&v), &k));
	assert_int_equal(k.why.n, 200);
	buf_clear(&v);
	buf_add_span(&v, SPAN("\1\0\0\xc9\1")); /* 201 */
	buf_add(&v, text, 201);
	assert_false(get(HOLD, buf_span(&v)));
	buf_release(&v);
	arena_clear(&mem);
}

/* layout, tries, next, length of why */
static void
test_holds_of_the_first_layout_are_read(void **state)
{
	const struct span bad[] = {SPAN("\1"), SPAN("\1\3\x9"),
	    SPAN("\1\3\x9\5late"), SPAN("\1\3\x9\3late"),
	    SPAN("\1\x80\0\0\0"), SPAN("\1\0\x80\0\0")};
	struct jhold h;

	(void)state;
	assert_true(codec_get_hold(&mem, SPAN("\1\3\x9\4late"), &h));
	assert_true(h.kind == JHOLD_RETRY && h.tries == 3 && h.next == -5 &&
	    h.size == 0 && h.idate == 0 && span_eq(h.why, SPAN("late")));
	assert_true(get(HOLD, SPAN("\1\3\x9\4late")));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(get(HOLD, bad[i]));
	arena_clear(&mem);
}

static void
test_a_size_is_found_without_what_follows(void **state)
{
	struct pair p = full_pair();
	uint64_t size = 9;
	struct buf v;

	(void)state;
	p.size = 300;
	buf_init(&v, 65536);
	codec_put_pair(&v, &p);
	for (size_t n = 0; n < v.n; n++) {
		struct pair q;

		if (!codec_get_pair_size(span_of(v.p, n), &size))
			continue;
		assert_int_equal(size, 300);
		assert_false(codec_get_pair(&mem, span_of(v.p, n), &q));
		size = 9;
	}
	/* as many flags as there are not */
	assert_false(codec_get_pair_size(
	    SPAN("\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), &size));
	assert_false(codec_get_pair_size(SPAN("\2\0\0\0\0\0\0\5"), &size));
	assert_true(codec_get_pair_size(SPAN("\1\0\0\0\0\0\0\5"), &size));
	assert_int_equal(size, 5);
	buf_release(&v);
	arena_clear(&mem);
}

static void
test_mailboxes_without_a_name_and_number_0_are_refused(void **state)
{
	uint64_t box, size;
	uint32_t uid;
	struct span base;
	struct buf v;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct jbox b = full_box();

		if (i)
			b.wire = SPAN("");
		else
			b.name = SPAN("");
		buf_init(&v, 65536);
		codec_put_box(&v, &b);
		assert_false(get(BOX, buf_span(&v)));
		buf_release(&v);
	}
	assert_false(codec_get_key_box(SPAN("\0\0\0\0\0\0\0\0"), &box));
	assert_false(codec_get_key_pair(
	    SPAN("\0\0\0\0\0\0\0\1\0\0\0\0"), &box, &uid));
	assert_false(codec_get_key_pair(
	    SPAN("\0\0\0\0\0\0\0\0\0\0\0\1"), &box, &uid));
	assert_false(codec_get_key_size(
	    SPAN("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1"), &size,
	    &box, &uid));
	assert_false(codec_get_key_size(
	    SPAN("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0"), &size,
	    &box, &uid));
	assert_true(codec_get_key_size(
	    SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1"), &size,
	    &box, &uid));
	assert_false(codec_get_key_hold(
	    SPAN("\0\0\0\0\0\0\0\1R\0\0\0\0"), &box, &uid, &base));
	assert_false(codec_get_key_hold(
	    SPAN("\0\0\0\0\0\0\0\1X\0\0\0\1"), &box, &uid, &base));
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
	    cmocka_unit_test(test_what_is_held_of_a_mailbox_comes_back),
	    cmocka_unit_test(
		test_how_often_a_mailbox_ended_the_connection_comes_back),
	    cmocka_unit_test(test_cut_or_longer_records_are_refused),
	    cmocka_unit_test(
		test_any_changed_byte_is_refused_or_another_record),
	    cmocka_unit_test(test_values_of_another_layout_are_refused),
	    cmocka_unit_test(test_numbers_and_sets_have_one_form),
	    cmocka_unit_test(
		test_reasons_are_cut_and_longer_ones_are_refused),
	    cmocka_unit_test(test_holds_of_the_first_layout_are_read),
	    cmocka_unit_test(test_a_size_is_found_without_what_follows),
	    cmocka_unit_test(
		test_mailboxes_without_a_name_and_number_0_are_refused),
	    cmocka_unit_test(test_keys_sort_as_their_numbers),
	    cmocka_unit_test(test_hold_keys),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
