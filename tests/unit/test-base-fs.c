#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "tempdir.h"

struct fixture {
	char dir[64];
	int fd;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	tempdir_make(f->dir);
	f->fd = fs_open_dir(AT_FDCWD, f->dir);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	tempdir_remove(f->dir);
	xfree(f);
	return 0;
}

static void
assert_content(struct fixture *f, const char *name, const char *want)
{
	char *text;

	assert_int_equal(tempdir_read(f->dir, name, &text), strlen(want));
	assert_string_equal(text, want);
	free(text);
}

static void
test_replace_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[512];
	struct err e;

	assert_int_equal(0, fs_replace(f->fd, "x", 0600, "one", 3, &e));
	assert_int_equal(0, fs_replace(f->fd, "x", 0600, "two!", 4, &e));
	assert_content(f, "x", "two!");
	assert_int_equal(0, stat(tempdir_join(path, f->dir, "x"), &st));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tempdir_count(f->dir, "."), 1);
	assert_true(fs_replace(f->fd, "no/x", 0600, "x", 1, &e) < 0);
}

static void
test_reading_has_a_ceiling_and_follows_no_link(void **state)
{
	struct fixture *f = *state;
	struct buf b;
	char path[512];
	struct err e;

	buf_init(&b, 1u << 20);
	tempdir_write(f->dir, "x", "12345", 5);
	assert_int_equal(0, fs_read_file(f->fd, "x", 5, &b, &e));
	assert_string_equal(b.p, "12345");
	assert_int_equal(ERR_TOOBIG, fs_read_file(f->fd, "x", 4, &b, &e));
	assert_int_equal(0, symlink("x", tempdir_join(path, f->dir, "l")));
	assert_true(fs_read_file(f->fd, "l", 5, &b, &e) < 0);
	assert_int_equal(-1, fs_open_read(f->fd, "."));
	assert_int_equal(-1, fs_open_dir(f->fd, "l"));
	assert_true(fs_read_file(f->fd, "none", 5, &b, &e) < 0);
	assert_int_equal(e.sys, ENOENT);
	buf_release(&b);
}

static void
test_moving_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e;

	tempdir_write(f->dir, "a", "one", 3);
	tempdir_write(f->dir, "b", "two", 3);
	assert_true(fs_move(f->fd, "a", f->fd, "b", true, &e) < 0);
	assert_int_equal(e.sys, EEXIST);
	assert_content(f, "a", "one");
	assert_content(f, "b", "two");
	assert_int_equal(0, fs_move(f->fd, "a", f->fd, "c", true, &e));
	assert_content(f, "c", "one");
	assert_false(tempdir_exists(f->dir, "a"));
	assert_true(fs_move(f->fd, "a", f->fd, "d", true, &e) < 0);
	assert_int_equal(e.sys, ENOENT);
}

static void
test_moving_to_another_file_system(void **state)
{
	struct fixture *f = *state;
	char other[64] = "/dev/shm/mochila-unit-XXXXXX";
	struct stat a, b;
	int fd;
	struct err e;

	if (!mkdtemp(other))
		skip();
	fd = fs_open_dir(AT_FDCWD, other);
	assert_true(fd >= 0);
	assert_int_equal(0, fstat(f->fd, &a) | fstat(fd, &b));
	tempdir_write(f->dir, "a", "one", 3);
	tempdir_write(other, "taken", "two", 3);
	assert_true(fs_move(f->fd, "a", fd, "taken", true, &e) < 0);
	assert_content(f, "a", "one");
	assert_int_equal(0, fs_move(f->fd, "a", fd, "b", true, &e));
	assert_false(tempdir_exists(f->dir, "a"));
	assert_int_equal(tempdir_count(other, "."), 2);
	close(fd);
	tempdir_remove(other);
	if (a.st_dev == b.st_dev)
		skip(); /* it was the same one */
}

static void
test_directories_are_made_within(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(0, fs_mkdirs(f->fd, "a/b/c", 0700, &e));
	assert_int_equal(0, fs_mkdirs(f->fd, "a/b/c", 0700, &e));
	assert_true(tempdir_exists(f->dir, "a/b/c"));
	assert_true(fs_mkdirs(f->fd, "a/../../x", 0700, &e) < 0);
	tempdir_write(f->dir, "file", "x", 1);
	assert_true(fs_mkdirs(f->fd, "file/x", 0700, &e) < 0);
}

static void
test_a_raised_cancel_ends_every_wait(void **state)
{
	struct cancel *c;
	struct err e;

	(void)state;
	assert_int_equal(0, cancel_new(&c, &e));
	assert_int_equal(0, cancel_wait(c, 1, &e));
	assert_int_equal(0, cancel_check(c, &e));
	cancel_raise(c);
	cancel_raise(c);
	assert_true(cancel_raised(c));
	assert_int_equal(ERR_CANCELED, cancel_wait(c, 60000, &e));
	assert_int_equal(e.scope, ERR_SCOPE_RUN);
	cancel_free(&c);
	assert_null(c);
}

static void
test_log_lines_are_whole_and_printable(void **state)
{
	struct fixture *f = *state;
	char path[512];
	int fd = open(tempdir_join(path, f->dir, "log"),
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct log *l = log_new(fd, LOG_WARN, false);

	log_error(l, "a %s", "b\x1b[31m\nc");
	log_warn(l, "careful");
	log_info(l, "not shown");
	log_error(NULL, "nowhere");
	log_free(&l);
	close(fd);
	assert_content(f, "log", "mochila: a b?[31m?c\nmochila: careful\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_replace_is_all_or_nothing),
	    T(test_reading_has_a_ceiling_and_follows_no_link),
	    T(test_moving_replaces_nothing),
	    T(test_moving_to_another_file_system),
	    T(test_directories_are_made_within),
	    T(test_a_raised_cancel_ends_every_wait),
	    T(test_log_lines_are_whole_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
