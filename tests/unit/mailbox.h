/*
 * A real Maildir root in a temporary directory, for the tests of maildir/.
 * setup() and teardown() are cmocka's; paths are relative to the root.
 */
#ifndef TESTS_MAILBOX_H
#define TESTS_MAILBOX_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/fs.h"
#include "maildir/maildir.h"
#include "tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

struct env {
	char root[64];
	struct maildir *m;
	int fd; /* of the root */
	struct arena mem;
	struct err e;
};

static inline void
env_open(struct env *v, enum layout layout)
{
	memset(v, 0, sizeof *v);
	tempdir_make(v->root);
	arena_init(&v->mem);
	assert_int_equal(maildir_open(&v->m, v->root, layout, &v->e), 0);
	v->fd = fs_open_dir(AT_FDCWD, v->root);
	assert_true(v->fd >= 0);
}

static inline void
env_close(struct env *v)
{
	maildir_free(&v->m);
	assert_null(v->m);
	close(v->fd);
	arena_release(&v->mem);
	tempdir_remove(v->root);
}

static inline int
setup(void **state)
{
	struct env *v = xcalloc(1, sizeof *v);

	env_open(v, LAYOUT_NESTED);
	*state = v;
	return 0;
}

static inline int
teardown(void **state)
{
	struct env *v = *state;

	if (geteuid() != getuid())
		assert_int_equal(seteuid(getuid()), 0);
	env_close(v);
	xfree(v);
	return 0;
}

/*
 * Root reads everything: such tests go on as somebody who does not.  Those
 * who are not root are that already.
 */
static inline void
be_nobody(struct env *v)
{
	if (geteuid() != 0)
		return;
	assert_int_equal(fchown(v->fd, NOBODY, NOBODY), 0);
	assert_int_equal(seteuid(NOBODY), 0);
}

static inline void
put_at(int dir, const char *path, const void *p, size_t n)
{
	AUTO_FD fd = openat(dir, path,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct err e;

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, p, n, &e), 0);
}

static inline void
put(struct env *v, const char *path, const char *text)
{
	put_at(v->fd, path, text, strlen(text));
}

static inline void
mkdirs(struct env *v, const char *path)
{
	assert_int_equal(fs_mkdirs(v->fd, path, 0700, &v->e), 0);
}

static inline void
mkbox(struct env *v, const char *path)
{
	assert_int_equal(maildir_create(v->m, span_str(path), &v->e), 0);
}

static inline bool
exists_at(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool
exists(struct env *v, const char *path)
{
	return exists_at(v->fd, path);
}

/* Entries of a directory but "." and ".."; -1: none such. */
static inline int
count_at(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* The one entry of a directory, in MEM. */
static inline char *
only_at(struct arena *mem, int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	char *name = NULL;

	assert_non_null(d);
	while ((x = readdir(d)) != NULL) {
		if (strcmp(x->d_name, ".") == 0 ||
		    strcmp(x->d_name, "..") == 0)
			continue;
		assert_null(name);
		name = arena_str(mem, x->d_name);
	}
	closedir(d);
	assert_non_null(name);
	return name;
}

static inline void
assert_bytes(int dir, const char *path, const void *p, size_t n)
{
	struct buf b;
	struct err e;

	buf_init(&b, 64u << 20);
	assert_int_equal(fs_read_file(dir, path, 32u << 20, &b, &e), 0);
	assert_int_equal(b.n, n);
	if (n)
		assert_memory_equal(b.p, p, n);
	buf_release(&b);
}

static inline void
assert_text(int dir, const char *path, const char *text)
{
	assert_bytes(dir, path, text, strlen(text));
}

static inline void
assert_span(struct span s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

/* Set the times of a path, so that nothing hangs on the clock of the test. */
static inline void
age(struct env *v, const char *path, int64_t s, long ns)
{
	struct timespec t[2] = {{.tv_sec = s, .tv_nsec = ns},
	    {.tv_sec = s, .tv_nsec = ns}};

	assert_int_equal(utimensat(v->fd, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
