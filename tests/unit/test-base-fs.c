#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/fs.h"
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
test_a_file_as_large_as_the_buffer_fits(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 100, 131071, 131072, 131073, 262144};
	struct fixture *f = *state;
	struct err e;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		char *text = xcalloc(1, n + 1);
		struct buf b;

		memset(text, 'x', n);
		tempdir_write(f->dir, "x", text, n);
		buf_init(&b, n); /* no more room than that */
		assert_int_equal(0, fs_read_file(f->fd, "x", n, &b, &e));
		assert_int_equal(b.n, n);
		assert_string_equal(buf_cstr(&b), text);
		buf_release(&b);

		buf_init(&b, n + 3);
		buf_add_str(&b, "abc");
		assert_int_equal(0, fs_read_file(f->fd, "x", SIZE_MAX, &b, &e));
		assert_int_equal(b.n, n + 3);
		buf_clear(&b);
		if (n > 0) {
			buf_add_str(&b, "abcd"); /* a byte too little is left */
			assert_int_equal(ERR_TOOBIG,
			    fs_read_file(f->fd, "x", SIZE_MAX, &b, &e));
			assert_false(b.toobig);
			assert_string_equal(buf_cstr(&b), "abcd");
		}
		buf_release(&b);
		xfree(text);
	}
}

static void
test_reading_does_not_wait_for_a_fifo(void **state)
{
	struct fixture *f = *state;
	char path[512];

	assert_int_equal(0, mkfifo(tempdir_join(path, f->dir, "p"), 0600));
	assert_int_equal(-1, fs_open_read(f->fd, "p"));
	assert_int_equal(errno, EINVAL);
}

static void
test_replacing_a_link_leaves_its_target(void **state)
{
	struct fixture *f = *state;
	char path[512], longest[256];
	struct stat st;
	struct err e;

	tempdir_write(f->dir, "target", "old", 3);
	assert_int_equal(0, symlink("target", tempdir_join(path, f->dir, "l")));
	assert_int_equal(0, fs_replace(f->fd, "l", 0600, "new", 3, &e));
	assert_int_equal(0, lstat(path, &st));
	assert_true(S_ISREG(st.st_mode));
	assert_content(f, "target", "old");
	assert_content(f, "l", "new");
	memset(longest, 'x', sizeof longest);
	longest[255] = '\0'; /* the longest name that there is */
	assert_int_equal(0, fs_replace(f->fd, longest, 0600, "a", 1, &e));
	assert_content(f, longest, "a");
}

static void
test_what_is_not_as_it_was_seen_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	const struct stat none = {0};
	struct stat was, now;
	char path[512];
	struct err e;

	tempdir_join(path, f->dir, "x");
	assert_int_equal(
	    0, fs_replace_seen(f->fd, "x", 0600, &none, "one", 3, &e));
	assert_int_equal(ERR_STALE,
	    fs_replace_seen(f->fd, "x", 0600, &none, "two", 3, &e));
	assert_int_equal(e.scope, ERR_SCOPE_MSG);
	assert_content(f, "x", "one");
	assert_int_equal(0, stat(path, &was));
	assert_int_equal(
	    0, fs_replace_seen(f->fd, "x", 0600, &was, "two", 3, &e));
	assert_content(f, "x", "two");
	assert_int_equal(0, stat(path, &now));
	assert_true(now.st_mtim.tv_sec > was.st_mtim.tv_sec);
	assert_int_equal(ERR_STALE,
	    fs_replace_seen(f->fd, "x", 0600, &was, "three", 5, &e));
	assert_int_equal(0, unlink(path));
	assert_int_equal(ERR_STALE,
	    fs_replace_seen(f->fd, "x", 0600, &now, "three", 5, &e));
	assert_int_equal(tempdir_count(f->dir, "."), 0);
}

static void
test_only_our_leftovers_are_cleaned(void **state)
{
	struct fixture *f = *state;
	char host[HOST_NAME_MAX + 1] = "", name[128];
	uint32_t n = 0;

	assert_int_equal(0, gethostname(host, sizeof host - 1));
	snprintf(name, sizeof name, ".tmp-%s-0123456789abcdef", host);
	tempdir_write(f->dir, name, "x", 1);
	snprintf(name, sizeof name, ".tmp-%s-0123456789abcdeg", host);
	tempdir_write(f->dir, name, "x", 1);
	snprintf(name, sizeof name, ".tmp-%s-0123456789abcde", host);
	tempdir_write(f->dir, name, "x", 1);
	snprintf(name, sizeof name, ".tmp-not%s-0123456789abcdef", host);
	tempdir_write(f->dir, name, "x", 1);
	tempdir_write(f->dir, "message", "x", 1);
	assert_true(fs_clean_temp(f->fd, &n));
	assert_int_equal(n, 1);
	assert_int_equal(4, tempdir_count(f->dir, "."));
	assert_true(fs_clean_temp(f->fd, &n));
	assert_int_equal(n, 1);
	/* one that cannot be removed */
	snprintf(name, sizeof name, ".tmp-%s-0123456789abcdef", host);
	assert_int_equal(0, mkdirat(f->fd, name, 0700));
	assert_false(fs_clean_temp(f->fd, &n));
	assert_int_equal(n, 1);
	assert_false(fs_clean_temp(-1, &n));
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
	tempdir_mkdir(f->dir, "sub");
	assert_int_equal(0, fs_move(f->fd, "c", f->fd, "sub/c", true, &e));
	assert_content(f, "sub/c", "one");
	assert_int_equal(tempdir_count(f->dir, "."), 2);
}

static void
test_moving_to_another_file_system(void **state)
{
	struct fixture *f = *state;
	char other[64] = "/dev/shm/mochila-unit-XXXXXX";
	char longest[256], path[512];
	struct stat a, b;
	int fd;
	struct err e;

	if (!mkdtemp(other))
		skip();
	memset(longest, 'x', sizeof longest);
	longest[255] = '\0';
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
	/* the copy is the file: its name, mode and time */
	tempdir_write(f->dir, longest, "three", 5);
	assert_int_equal(0, chmod(tempdir_join(path, f->dir, longest), 0640));
	assert_int_equal(0,
	    utimensat(AT_FDCWD, path, (struct timespec[]){{1, 2}, {3, 4}}, 0));
	assert_int_equal(0, fs_move(f->fd, longest, fd, longest, true, &e));
	assert_int_equal(0, stat(tempdir_join(path, other, longest), &b));
	assert_int_equal(b.st_mode & 0777, 0640);
	assert_int_equal(b.st_mtim.tv_sec, 3);
	assert_int_equal(b.st_mtim.tv_nsec, 4);
	assert_int_equal(b.st_size, 5);
	assert_int_equal(0, fstat(fd, &b));
	/* a link is not followed out of the directory */
	assert_int_equal(
	    0, symlink("/etc/hostname", tempdir_join(path, f->dir, "l")));
	if (a.st_dev != b.st_dev) {
		assert_true(fs_move(f->fd, "l", fd, "l", true, &e) < 0);
		assert_true(tempdir_exists(f->dir, "l"));
	}
	assert_int_equal(tempdir_count(other, "."), 3);
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
	assert_int_equal(e.sys, ENOTDIR);
	assert_true(fs_mkdirs(f->fd, "file", 0700, &e) < 0);
	assert_int_equal(e.sys, ENOTDIR);
	assert_true(fs_mkdirs(f->fd, "", 0700, &e) < 0);
	assert_true(fs_mkdirs(f->fd, "..", 0700, &e) < 0);
	assert_int_equal(0, fs_mkdirs(f->fd, "./d//e/", 0700, &e));
	assert_true(tempdir_exists(f->dir, "d/e"));
	assert_int_equal(tempdir_count(f->dir, "."), 3);
}

static void
test_directories_are_made_behind_a_link(void **state)
{
	struct fixture *f = *state;
	char path[512], all[600];
	struct err e;

	tempdir_mkdir(f->dir, "disk");
	assert_int_equal(
	    0, symlink("disk", tempdir_join(path, f->dir, "Mail")));
	snprintf(all, sizeof all, "%s/home/x", path);
	assert_int_equal(0, fs_mkdirs(AT_FDCWD, all, 0700, &e));
	assert_true(tempdir_exists(f->dir, "disk/home/x"));
	assert_int_equal(0, fs_mkdirs(f->fd, "Mail", 0700, &e));
	assert_int_equal(0, fs_replace(f->fd, "Mail/f", 0600, "x", 1, &e));
	assert_int_equal(0, symlink("none", tempdir_join(path, f->dir, "bad")));
	assert_true(fs_mkdirs(f->fd, "bad", 0700, &e) < 0);
	assert_int_equal(e.sys, ENOENT);
}

static void
test_descriptors_are_closed_on_exec(void **state)
{
	struct fixture *f = *state;
	int fd;

	tempdir_write(f->dir, "x", "1", 1);
	fd = fs_open_read(f->fd, "x");
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_replace_is_all_or_nothing),
	    T(test_reading_has_a_ceiling_and_follows_no_link),
	    T(test_a_file_as_large_as_the_buffer_fits),
	    T(test_reading_does_not_wait_for_a_fifo),
	    T(test_replacing_a_link_leaves_its_target),
	    T(test_what_is_not_as_it_was_seen_is_not_replaced),
	    T(test_only_our_leftovers_are_cleaned),
	    T(test_moving_replaces_nothing),
	    T(test_moving_to_another_file_system),
	    T(test_directories_are_made_within),
	    T(test_directories_are_made_behind_a_link),
	    T(test_descriptors_are_closed_on_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
