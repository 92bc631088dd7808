#include "mailbox.h"

#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"

#define OLD 1000000000 /* 2001 */

static struct maildir_stamp
stamp(struct env *v)
{
	struct maildir_stamp s = MAILDIR_STAMP_NONE;

	assert_int_equal(maildir_stamp(v->m, SPAN("a"), &s, &v->e), 0);
	return s;
}

static void
none_equals_nothing(void **state)
{
	struct maildir_stamp none = MAILDIR_STAMP_NONE;
	struct maildir_stamp some = {1, 2, 3, 4};

	(void)state;
	assert_false(maildir_stamp_eq(&none, &none));
	assert_false(maildir_stamp_eq(&none, &some));
	assert_false(maildir_stamp_eq(&some, &none));
	assert_true(maildir_stamp_eq(&some, &some));
}

static void
each_field_tells(void **state)
{
	const struct maildir_stamp s = {1, 2, 3, 4};
	struct maildir_stamp other[] = {
	    {9, 2, 3, 4}, {1, 9, 3, 4}, {1, 2, 9, 4}, {1, 2, 3, 9}};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_false(maildir_stamp_eq(&s, &other[i]));
}

static void
equal_until_a_file_comes_goes_or_is_renamed(void **state)
{
	struct env *v = *state;
	struct maildir_stamp s, t;

	mkbox(v, "a");
	for (int i = 0; i < 2; i++) {
		const char *sub = i ? "a/new" : "a/cur";
		char *x = arena_printf(&v->mem, "%s/x", sub);
		char *y = arena_printf(&v->mem, "%s/y", sub);

		age(v, sub, OLD, 5);
		s = stamp(v);
		t = stamp(v);
		assert_true(maildir_stamp_eq(&s, &t));
		put(v, x, "1");
		t = stamp(v);
		assert_false(maildir_stamp_eq(&s, &t));
		age(v, sub, OLD, 5);
		assert_int_equal(renameat(v->fd, x, v->fd, y), 0);
		t = stamp(v);
		assert_false(maildir_stamp_eq(&s, &t));
		age(v, sub, OLD, 5);
		assert_int_equal(unlinkat(v->fd, y, 0), 0);
		t = stamp(v);
		assert_false(maildir_stamp_eq(&s, &t));
	}
}

/* Another directory under the old name and time is another mailbox. */
static void
a_directory_that_was_replaced_shows(void **state)
{
	struct env *v = *state;
	struct maildir_stamp s, t;

	mkbox(v, "a");
	age(v, "a/cur", OLD, 5);
	s = stamp(v);
	mkdirs(v, "other");
	age(v, "other", OLD, 5);
	assert_int_equal(unlinkat(v->fd, "a/cur", AT_REMOVEDIR), 0);
	assert_int_equal(renameat(v->fd, "other", v->fd, "a/cur"), 0);
	/* the descriptor of the old one is no excuse */
	assert_int_equal(
	    maildir_stamp(v->m, SPAN("a"), &t, &v->e), ERR_STALE);
	t = stamp(v);
	assert_int_equal(s.cur_mtime_ns, t.cur_mtime_ns);
	assert_false(maildir_stamp_eq(&s, &t));
}

static void
stale_without_cur_or_new(void **state)
{
	struct env *v = *state;
	struct maildir_stamp s = {1, 2, 3, 4};

	mkdirs(v, "c/cur");
	mkdirs(v, "n/new");
	mkdirs(v, "l/new");
	mkbox(v, "a");
	assert_int_equal(symlinkat("../a/cur", v->fd, "l/cur"), 0);
	assert_int_equal(symlinkat("a", v->fd, "link"), 0);
	for (int i = 0; i < 6; i++) {
		static const char *const path[] = {
		    "c", "n", "l", "link", "none", "none/x"};

		assert_int_equal(
		    maildir_stamp(v->m, span_str(path[i]), &s, &v->e),
		    ERR_STALE);
		assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
		assert_int_equal(s.cur_mtime_ns, 1);
	}
	/* mended, it is looked at again */
	mkdirs(v, "c/new");
	assert_int_equal(maildir_stamp(v->m, SPAN("c"), &s, &v->e), 0);
}

static void
unreadable_is_an_error_and_not_missing(void **state)
{
	struct env *v = *state;
	struct maildir_stamp s;

	be_nobody(v);
	mkbox(v, "a");
	assert_int_equal(fchmodat(v->fd, "a/cur", 0, 0), 0);
	assert_int_equal(maildir_stamp(v->m, SPAN("a"), &s, &v->e), ERR_IO);
	assert_int_equal(v->e.sys, EACCES);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(fchmodat(v->fd, "a/cur", 0700, 0), 0);
}

/*
 * Whatever the moment: a change behind settle() shows in the stamp.  Kernels
 * that give a file a finer time once somebody asked for it hide a settle() that
 * is too early, so the clock is asked, too.
 */
static void
a_change_after_settling_is_never_lost(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	for (int i = 0; i < 20; i++) {
		struct maildir_stamp s, t;
		struct timespec now;

		put(v, "a/new/x", "1");
		s = stamp(v);
		assert_true(maildir_stamp_settle(&s, NULL));
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		assert_true((int64_t)now.tv_sec * 1000000000 + now.tv_nsec >
		    s.new_mtime_ns);
		assert_int_equal(unlinkat(v->fd, "a/new/x", 0), 0);
		t = stamp(v);
		assert_false(maildir_stamp_eq(&s, &t));
	}
}

static void
an_old_stamp_settles_at_once(void **state)
{
	struct maildir_stamp fine = {OLD * 1000000000LL + 7, 8, 1, 1};
	struct maildir_stamp whole = {OLD * 1000000000LL, 1000000000, 1, 1};
	int64_t begin = clock_mono_ms();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(maildir_stamp_settle(&fine, NULL));
		assert_true(maildir_stamp_settle(&whole, NULL));
	}
	assert_true(clock_mono_ms() - begin < 1000);
}

static void
whole_seconds_settle_only_after_two(void **state)
{
	int64_t now = clock_wall_s();

	(void)state;
	for (int64_t ago = -1; ago <= 6; ago++) {
		struct maildir_stamp s = {
		    (now - ago) * 1000000000, 1000000000, 1, 1};

		if (ago == 2 || ago == 3)
			continue; /* the second may turn meanwhile */
		assert_int_equal(maildir_stamp_settle(&s, NULL), ago > 3);
	}
}

static void
a_time_to_come_does_not_settle_nor_keep_us(void **state)
{
	struct maildir_stamp s = {
	    clock_wall_ns() / 1000000000 * 1000000000 + 3600000000007, 8, 1, 1};
	int64_t begin = clock_mono_ms();

	(void)state;
	assert_false(maildir_stamp_settle(&s, NULL));
	assert_true(clock_mono_ms() - begin < 2000);
}

static void
cancel_ends_the_wait(void **state)
{
	struct maildir_stamp s = {
	    clock_wall_ns() / 1000000000 * 1000000000 + 3600000000007, 8, 1, 1};
	struct env *v = *state;
	AUTO(cancel) c = NULL;

	assert_int_equal(cancel_new(&c, &v->e), 0);
	cancel_raise(c);
	assert_false(maildir_stamp_settle(&s, c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(none_equals_nothing),
	    cmocka_unit_test(each_field_tells),
	    TEST(equal_until_a_file_comes_goes_or_is_renamed),
	    TEST(a_directory_that_was_replaced_shows),
	    TEST(stale_without_cur_or_new),
	    TEST(unreadable_is_an_error_and_not_missing),
	    TEST(a_change_after_settling_is_never_lost),
	    cmocka_unit_test(an_old_stamp_settles_at_once),
	    cmocka_unit_test(whole_seconds_settle_only_after_two),
	    cmocka_unit_test(a_time_to_come_does_not_settle_nor_keep_us),
	    TEST(cancel_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
