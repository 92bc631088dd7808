#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "maildir.h"

static void
list(struct fixture *f, const char *want)
{
	struct maildir_dir *v;
	struct buf out;
	struct err e;
	size_t n;

	buf_init(&out, 4096);
	assert_int_equal(0, maildir_list(f->m, &f->mem, &v, &n, &e));
	for (size_t i = 0; i < n; i++)
		buf_addf(&out, "%.*s%s%s ", SPAN_ARG(v[i].path),
		    v[i].has_cur ? "" : "-cur", v[i].has_new ? "" : "-new");
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

static void
test_nested_mailboxes_are_found(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(0, maildir_create(f->m, SPAN("box/sub/deep"), &e));
	assert_int_equal(0, maildir_create(f->m, SPAN("a b"), &e));
	/* a mailbox of this name may come from the server */
	assert_int_equal(0, maildir_create(f->m, SPAN("lost+found"), &e));
	tempdir_mkdir(f->dir, "plain/directory");
	tempdir_mkdir(f->dir, "half/cur");
	tempdir_mkdir(f->dir, ".hidden/cur");
	char path[512];
	assert_int_equal(0, symlink(f->dir, tempdir_join(path, f->dir,
						"loop")));
	put(f, "file", "x");
	list(f, "a b box box/sub/deep half-new loop-cur-new lost+found ");
}

static void
test_maildirpp_mailboxes_are_found(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(0, maildir_create(f->m, SPAN(""), &e));
	assert_int_equal(0, maildir_create(f->m, SPAN(".a.b"), &e));
	tempdir_mkdir(f->dir, "plain/cur");
	tempdir_mkdir(f->dir, ".a.b/.c/cur"); /* not how it is done */
	list(f, " .a.b ");
}

static void
test_what_cannot_be_read_is_not_taken_for_absent(void **state)
{
	struct fixture *f = *state;
	struct maildir_dir *v;
	char path[512];
	struct err e;
	size_t n;

	if (geteuid() == 0)
		skip(); /* root may read everything */
	tempdir_mkdir(f->dir, "secret/cur");
	chmod(tempdir_join(path, f->dir, "secret"), 0);
	assert_true(maildir_list(f->m, &f->mem, &v, &n, &e) < 0);
	assert_non_null(strstr(e.text, "secret"));
	chmod(path, 0700);
}

static void
test_a_root_that_is_not_there(void **state)
{
	struct maildir *m;
	struct err e;

	(void)state;
	assert_int_equal(ERR_IO,
	    maildir_open(&m, "/nonexistent/Mail", LAYOUT_NESTED, &e));
	assert_int_equal(e.sys, ENOENT);
}

static void
test_a_scan_sees_messages_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct lview v;
	const struct lmsg *m;
	char path[512];

	put(f, "box/new/1.a.host", "x");
	put(f, "box/cur/2.b.host:2,FSa", "x");
	put(f, "box/cur/3.c.host", "x");       /* no info */
	put(f, "box/cur/4.d:2,Sz", "x");       /* z: nobody's letter */
	put(f, "box/cur/.hidden", "x");
	put(f, "box/tmp/5.e.host", "x");
	tempdir_mkdir(f->dir, "box/cur/directory");
	assert_int_equal(0, mkfifo(tempdir_join(path, f->dir, "box/cur/fifo"),
				0600));
	assert_int_equal(0, symlink("2.b.host:2,FSa",
				tempdir_join(path, f->dir, "box/cur/link")));
	v = scan(f, "box");
	assert_true(v.complete && !v.damaged);
	assert_int_equal(v.n, 4);
	assert_true((m = find(&v, "new/1.a.host")) && flags_empty(m->flags));
	m = find(&v, "cur/2.b.host:2,FSa");
	assert_true(m && m->flags.sys == (FLAG_FLAGGED | FLAG_SEEN) &&
	    m->flags.n == 1 && span_eq(m->base, SPAN("2.b.host")));
	assert_false(m->has_stat);
	m = find(&v, "cur/4.d:2,Sz");
	assert_true(m && m->flags.sys == FLAG_SEEN && m->flags.n == 0);
}

static void
test_missing_directories_are_damage_not_absence(void **state)
{
	struct fixture *f = *state;
	struct lview v;
	struct maildir_stamp stamp;
	char path[512];
	struct err e;

	put(f, "box/cur/1.a:2,S", "x");
	assert_int_equal(0, rmdir(tempdir_join(path, f->dir, "box/new")));
	v = scan(f, "box");
	assert_true(v.damaged && !v.complete && v.n == 1);
	assert_int_equal(ERR_STALE,
	    maildir_stamp(f->m, SPAN("box"), &stamp, &e));
	v = scan(f, "nowhere");
	assert_true(v.damaged && !v.complete && v.n == 0);
}

static void
test_stamps_change_with_the_directories(void **state)
{
	struct fixture *f = *state;
	const struct maildir_stamp none = MAILDIR_STAMP_NONE;
	struct maildir_stamp a, b;
	char path[512], to[512];
	struct err e;

	put(f, "box/new/1.a", "x");
	assert_int_equal(0, maildir_stamp(f->m, SPAN("box"), &a, &e));
	assert_true(maildir_stamp_settle(&a, NULL));
	assert_int_equal(0, maildir_stamp(f->m, SPAN("box"), &b, &e));
	assert_true(maildir_stamp_eq(&a, &b));
	/* after settling, every change shows */
	assert_int_equal(0, rename(tempdir_join(path, f->dir, "box/new/1.a"),
				tempdir_join(to, f->dir, "box/cur/1.a:2,S")));
	assert_int_equal(0, maildir_stamp(f->m, SPAN("box"), &b, &e));
	assert_false(maildir_stamp_eq(&a, &b));
	assert_false(maildir_stamp_eq(&none, &none));
}

static void
test_whole_seconds_are_not_trusted_while_fresh(void **state)
{
	struct timespec now;
	struct maildir_stamp s = {.cur_ino = 1, .new_ino = 2};

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	s.cur_mtime_ns = s.new_mtime_ns = (int64_t)now.tv_sec * 1000000000;
	assert_false(maildir_stamp_settle(&s, NULL));
	s.cur_mtime_ns = s.new_mtime_ns =
	    ((int64_t)now.tv_sec - 10) * 1000000000;
	assert_true(maildir_stamp_settle(&s, NULL));
	/* a time to come says nothing either */
	s.cur_mtime_ns = ((int64_t)now.tv_sec + 1000) * 1000000000 + 1;
	assert_false(maildir_stamp_settle(&s, NULL));
}

static void
test_paths_do_not_lead_out(void **state)
{
	struct fixture *f = *state;
	struct maildir_stamp s;
	char path[512], outside[64];
	struct err e;

	tempdir_make(outside);
	tempdir_mkdir(outside, "cur");
	tempdir_mkdir(outside, "new");
	assert_int_equal(0, symlink(outside,
				tempdir_join(path, f->dir, "out")));
	assert_true(maildir_stamp(f->m, SPAN("out"), &s, &e) < 0);
	assert_true(maildir_stamp(f->m, SPAN("box/../box"), &s, &e) < 0);
	assert_true(maildir_stamp(f->m, SPAN("/tmp"), &s, &e) < 0);
	tempdir_remove(outside);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_nested_mailboxes_are_found),
	    cmocka_unit_test_setup_teardown(
		test_maildirpp_mailboxes_are_found, setup_maildirpp,
		teardown),
	    T(test_what_cannot_be_read_is_not_taken_for_absent),
	    T(test_a_root_that_is_not_there),
	    T(test_a_scan_sees_messages_and_nothing_else),
	    T(test_missing_directories_are_damage_not_absence),
	    T(test_stamps_change_with_the_directories),
	    T(test_whole_seconds_are_not_trusted_while_fresh),
	    T(test_paths_do_not_lead_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
