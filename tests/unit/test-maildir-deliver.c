#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maildir.h"

/* Deliver N bytes in pieces of STEP; the file below the root. */
static const char *
deliver(struct fixture *f, const char *p, size_t n, size_t step,
    struct flags flags, struct lmsg *msg, struct content *c)
{
	struct maildir_delivery *d;
	struct flags shown;
	struct err e;

	assert_int_equal(0, maildir_deliver_begin(f->m, SPAN("box"), &d, &e));
	for (size_t at = 0; at < n; at += step)
		assert_int_equal(0, maildir_deliver_write(d, p + at,
					step < n - at ? step : n - at, &e));
	assert_int_equal(0, maildir_deliver_finish(d, 1000000000, c, &e));
	assert_int_equal(0, maildir_deliver_flush(&d, 1, &e));
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 1);
	assert_int_equal(0, maildir_deliver_publish(d, &f->mem, flags,
				&f->letters, &shown, msg, &e));
	maildir_delivery_free(&d);
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 0);
	return arena_printf(&f->mem, "box/%.*s", SPAN_ARG(msg->file));
}

static void
test_line_ends_are_local_when_that_can_be_undone(void **state)
{
	static const struct {
		const char *wire, *file;
	} cases[] = {
	    {"a\r\nb\r\n", "a\nb\n"},
	    {"\r\n", "\n"},
	    {"a", "a"},
	    {"a\r\nb", "a\nb"},
	    {"a\rb\r\n", "a\rb\n"},
	    {"a\r\nb\r", "a\nb\r"},
	    /* not these: they stay as they are, from the first byte on */
	    {"a\r\nb\n", "a\r\nb\n"},
	    {"a\r\nb\r\r\nc\r\n", "a\r\nb\r\r\nc\r\n"},
	    {"\n", "\n"},
	    {"a\r\n\r\n\r\nb\nc\r\n\r", "a\r\n\r\n\r\nb\nc\r\n\r"},
	};
	struct fixture *f = *state;
	AUTO(digest) digest = digest_new();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *wire = cases[i].wire;
		struct content want;

		digest_feed(digest, wire, strlen(wire));
		digest_finish(digest, &want);
		/* byte by byte, and up to all at once */
		for (size_t step = 1; step <= strlen(wire); step++) {
			struct content c;
			struct lmsg m;
			const char *name = deliver(f, wire, strlen(wire), step,
			    FLAGS_NONE, &m, &c);

			assert_content(f, name, cases[i].file,
			    strlen(cases[i].file));
			assert_int_equal(c.raw, strlen(wire));
			assert_int_equal(c.size, want.size);
			assert_memory_equal(c.sha, want.sha, DIGEST_LEN);
		}
	}
}

static void
test_long_messages_may_change_their_mind_late(void **state)
{
	struct fixture *f = *state;
	struct content c, whole;
	struct lmsg m;
	struct buf wire;
	struct err e;
	const char *name;

	buf_init(&wire, 8u << 20);
	for (int i = 0; i < 60000; i++)
		buf_addf(&wire, "line %d\r\n", i);
	name = deliver(f, wire.p, wire.n, 1000, FLAGS_NONE, &m, &c);
	assert_int_equal(m.fsize, wire.n - 60000);
	/* the digest is that of the canonical form, from either side */
	assert_int_equal(0, maildir_digest(f->m, SPAN("box"), &m, NULL, &e));
	assert_memory_equal(m.content.sha, c.sha, DIGEST_LEN);
	assert_int_equal(m.content.size, wire.n);
	buf_add_str(&wire, "and\nthen\r\n");
	name = deliver(f, wire.p, wire.n, 65536, FLAGS_NONE, &m, &whole);
	assert_content(f, name, wire.p, wire.n);
	buf_release(&wire);
}

static void
test_flags_decide_where_it_goes(void **state)
{
	struct fixture *f = *state;
	const uint32_t kw = f->letters.id[0];
	struct content c;
	struct lmsg m;
	struct stat st;
	char path[512];

	(void)deliver(f, "a", 1, 1, FLAGS_NONE, &m, &c);
	assert_true(span_starts(m.file, SPAN("new/")));
	assert_false(memchr(m.file.p, ':', m.file.n));
	tempdir_join(path, f->dir, arena_printf(&f->mem, "box/%s", m.file.p));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(st.st_mode & 0777, 0600);
	const char *name = deliver(f, "a", 1, 1,
	    (struct flags){.sys = FLAG_SEEN, .n = 1, .kw = &kw}, &m, &c);
	assert_true(span_starts(m.file, SPAN("cur/")));
	assert_true(span_eq(span_of(m.file.p + m.file.n - 5, 5),
	    SPAN(":2,Sa")));
	assert_int_equal(0, stat(tempdir_join(path, f->dir, name), &st));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_true(m.has_stat && m.ino == st.st_ino && m.fsize == 1 &&
	    m.mtime_ns == 1000000000000000000);
}

static void
test_nothing_is_no_message(void **state)
{
	struct fixture *f = *state;
	struct maildir_delivery *d;
	struct content c;
	struct err e;

	assert_int_equal(0, maildir_deliver_begin(f->m, SPAN("box"), &d, &e));
	assert_int_equal(ERR_PROTO, maildir_deliver_finish(d, 0, &c, &e));
	assert_int_equal(e.scope, ERR_SCOPE_MSG);
	maildir_delivery_free(&d);
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 0);
}

static void
test_what_is_given_up_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct maildir_delivery *d;
	struct err e;

	assert_int_equal(0, maildir_deliver_begin(f->m, SPAN("box"), &d, &e));
	assert_int_equal(0, maildir_deliver_write(d, "a\r\nb\nc", 6, &e));
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 1);
	maildir_delivery_free(&d);
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 0);
	assert_int_equal(tempdir_count(f->dir, "box/new"), 0);
}

static void
test_leftovers_of_ours_are_removed_and_of_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct maildir_delivery *d;
	char names[512];
	bool all = false;
	uint32_t n;
	struct err e;

	assert_int_equal(0, maildir_deliver_begin(f->m, SPAN("box"), &d, &e));
	put(f, "box/tmp/1234.M1P2.host", "another program's");
	put(f, "box/tmp/mochila-1.M2P3Q4R5.other.machine", "not here");
	assert_int_equal(
	    0, maildir_clean_tmp(f->m, SPAN("box"), &n, &all, &e));
	assert_true(all && n == 1);
	assert_string_equal(tempdir_list(names, f->dir, "box/tmp"),
	    "1234.M1P2.host mochila-1.M2P3Q4R5.other.machine");
	maildir_delivery_free(&d);
	assert_int_equal(
	    0, maildir_clean_tmp(f->m, SPAN("box"), &n, &all, &e));
	assert_true(all && n == 0);
}

#define WAITING 100

/* A batch of one mailbox, and another one's in between. */
static void
test_those_that_wait_keep_no_descriptor(void **state)
{
	const struct span box[] = {SPAN("box"), SPAN("other")};
	struct maildir_delivery *d[WAITING];
	struct fixture *f = *state;
	int before;
	struct err e;

	tempdir_mkdir(f->dir, "other");
	tempdir_mkdir(f->dir, "other/cur");
	tempdir_mkdir(f->dir, "other/new");
	before = tempdir_count("/proc", "self/fd");
	for (size_t i = 0; i < WAITING; i++) {
		struct content c;

		assert_int_equal(0, maildir_deliver_begin(f->m,
					box[i / 10 % 2], &d[i], &e));
		assert_int_equal(0, maildir_deliver_write(d[i], "a\r\n", 3, &e));
		assert_int_equal(
		    0, maildir_deliver_finish(d[i], 1000000000, &c, &e));
	}
	/* three directories of each mailbox, and tmp/ for each ten */
	assert_in_range(
	    tempdir_count("/proc", "self/fd") - before, 1, 6 + WAITING / 10);
	assert_int_equal(0, maildir_deliver_flush(d, WAITING, &e));
	for (size_t i = 0; i < WAITING; i++) {
		struct flags shown;
		struct lmsg m;

		/* half of them are given up */
		if (i % 2)
			assert_int_equal(0,
			    maildir_deliver_publish(d[i], &f->mem, FLAGS_NONE,
				&f->letters, &shown, &m, &e));
		maildir_delivery_free(&d[i]);
	}
	assert_int_equal(tempdir_count(f->dir, "box/tmp"), 0);
	assert_int_equal(tempdir_count(f->dir, "other/tmp"), 0);
	assert_int_equal(tempdir_count(f->dir, "box/new") +
		tempdir_count(f->dir, "other/new"), WAITING / 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_line_ends_are_local_when_that_can_be_undone),
	    T(test_long_messages_may_change_their_mind_late),
	    T(test_flags_decide_where_it_goes),
	    T(test_nothing_is_no_message),
	    T(test_what_is_given_up_leaves_nothing),
	    T(test_those_that_wait_keep_no_descriptor),
	    T(test_leftovers_of_ours_are_removed_and_of_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
