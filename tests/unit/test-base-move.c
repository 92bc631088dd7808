/*
 * Moving a file while others are at work: here the kernel's calls come to the
 * test first, which looks at what a kill would leave, and changes what a mail
 * reader would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "tempdir.h"

static struct {
	char dir[64];
	int fd, sub;
	int refused; /* by renameat2() with flags */
	int at;	     /* the call before which the reader comes; 0: never */
	int calls;
	const char *away; /* the reader's name for "a"; NULL: it deletes */
	bool stays;	  /* "a" cannot be removed */
	int synced;	  /* how many fsync() there are before one fails; 0: all */
} t;

/* Before a call: how many names does a kill leave? */
static void
comes(void)
{
	if (t.refused == EINVAL)
		assert_int_equal(tempdir_count(t.dir, "."), 2);
	if (++t.calls != t.at)
		return;
	if (t.away)
		(void)syscall(SYS_renameat2, t.fd, "a", t.fd, t.away, 0);
	else
		(void)syscall(SYS_unlinkat, t.fd, "a", 0);
}

int
renameat2(int fromdir, const char *from, int todir, const char *to,
    unsigned flags)
{
	if (flags && (t.refused != EXDEV || fromdir != todir)) {
		errno = t.refused;
		return -1;
	}
	return (int)syscall(SYS_renameat2, fromdir, from, todir, to, flags);
}

int
renameat(int fromdir, const char *from, int todir, const char *to)
{
	comes();
	return (int)syscall(SYS_renameat2, fromdir, from, todir, to, 0);
}

int
linkat(int fromdir, const char *from, int todir, const char *to, int flags)
{
	comes();
	return (int)syscall(SYS_linkat, fromdir, from, todir, to, flags);
}

int
unlinkat(int dir, const char *name, int flags)
{
	if (dir == t.fd)
		comes();
	if (dir == t.fd && t.stays) {
		errno = EROFS;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int
fsync(int fd)
{
	if (t.synced > 0 && --t.synced == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* "a" and the directory "sub", which is empty. */
static void
begin(int refused, int at, const char *away)
{
	memset(&t, 0, sizeof t);
	tempdir_make(t.dir);
	tempdir_mkdir(t.dir, "sub");
	tempdir_write(t.dir, "a", "one", 3);
	t.fd = fs_open_dir(AT_FDCWD, t.dir);
	t.sub = fs_open_dir(t.fd, "sub");
	assert_true(t.fd >= 0 && t.sub >= 0);
	t.refused = refused;
	t.at = at;
	t.away = away;
}

static void
end(void)
{
	close(t.fd);
	close(t.sub);
	tempdir_remove(t.dir);
}

/* A message never has two names, whoever renames it, whatever kills us. */
static void
test_where_a_rename_cannot_be_told_not_to_replace(void **state)
{
	int at = 0;
	struct err e;

	(void)state;
	do {
		int rc;

		begin(EINVAL, ++at, "reader");
		rc = fs_move(t.fd, "a", t.fd, "b", true, &e);
		assert_int_equal(tempdir_count(t.dir, "."), 2);
		assert_true(tempdir_exists(t.dir, rc < 0 ? "reader" : "b"));
		if (rc < 0)
			assert_int_equal(e.sys, ENOENT);
		end();
	} while (t.calls >= at);
	assert_true(at > 1);
	begin(EINVAL, 0, NULL);
	tempdir_write(t.dir, "sub/b", "two", 3);
	assert_true(fs_move(t.fd, "a", t.sub, "b", true, &e) < 0);
	assert_int_equal(e.sys, EEXIST);
	assert_true(tempdir_exists(t.dir, "a"));
	end();
}

static void
test_renamed_while_it_was_copied(void **state)
{
	struct err e;

	(void)state;
	begin(EXDEV, 1, "reader");
	assert_true(fs_move(t.fd, "a", t.sub, "a", true, &e) < 0);
	assert_int_equal(e.sys, ENOENT);
	assert_true(tempdir_exists(t.dir, "reader"));
	assert_int_equal(tempdir_count(t.dir, "sub"), 0);
	end();
}

/* It may be gone by our own call, whose answer a network lost. */
static void
test_deleted_while_it_was_copied(void **state)
{
	struct err e;

	(void)state;
	begin(EXDEV, 1, NULL);
	assert_true(fs_move(t.fd, "a", t.sub, "a", true, &e) < 0);
	assert_int_equal(e.sys, ENOENT);
	assert_true(tempdir_exists(t.dir, "sub/a"));
	end();
}

/* Two files of one content would be two messages. */
static void
test_what_cannot_be_moved_stays_alone(void **state)
{
	struct err e;

	(void)state;
	begin(EXDEV, 0, NULL);
	t.stays = true;
	assert_true(fs_move(t.fd, "a", t.sub, "a", true, &e) < 0);
	assert_int_equal(e.sys, EROFS);
	t.stays = false;
	assert_true(tempdir_exists(t.dir, "a"));
	assert_int_equal(tempdir_count(t.dir, "sub"), 0);
	end();
	/* the copy's octets, and its name */
	for (int n = 1; n <= 2; n++) {
		begin(EXDEV, 0, NULL);
		t.synced = n;
		assert_true(fs_move(t.fd, "a", t.sub, "a", true, &e) < 0);
		assert_int_equal(e.sys, EIO);
		assert_true(tempdir_exists(t.dir, "a"));
		assert_int_equal(tempdir_count(t.dir, "sub"), 0);
		end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_cannot_be_moved_stays_alone),
	    cmocka_unit_test(test_where_a_rename_cannot_be_told_not_to_replace),
	    cmocka_unit_test(test_renamed_while_it_was_copied),
	    cmocka_unit_test(test_deleted_while_it_was_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
