#include "base/fs.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK (128u << 10)
#define PATH_LIMIT 4096

int
fs_open_dir(int dirfd, const char *path)
{
	return openat(dirfd, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *
fs_dirstream(int fd)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int sys = errno;

	if (!d && fd >= 0)
		close(fd);
	errno = sys;
	return d;
}

int
fs_open_read(int dirfd, const char *path)
{
	/* O_NONBLOCK: the open of a FIFO must not wait for a writer */
	int fd = openat(dirfd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

ssize_t
fs_read_full(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = read(fd, (char *)p + got, n - got);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

int64_t
fs_born_ns(int dirfd, const char *path)
{
	struct statx x;

	if (statx(dirfd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BTIME,
		&x) != 0 || !(x.stx_mask & STATX_BTIME))
		return INT64_MIN;
	return clock_ns(x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
}

static int
too_large(const char *path, size_t limit, struct err *e)
{
	return err_set(e, ERR_TOOBIG, ERR_SCOPE_MSG, ERR_RETRY_NEVER,
	    "'%s' is larger than %zu bytes", path, limit);
}

/* All that FD holds, at most LIMIT bytes, for which B has room. */
static int
read_within(int fd, const char *path, size_t limit, struct buf *b,
    struct err *e)
{
	size_t room = limit;
	ssize_t k;

	do {
		size_t want = room < COPY_CHUNK ? room : COPY_CHUNK;
		char beyond, *to = &beyond;

		if (want > 0)
			to = buf_reserve(b, want);
		if (!to)
			return too_large(path, limit, e);
		/* at the limit, one byte more tells whether it was passed */
		k = fs_read_full(fd, to, want ? want : 1);
		if (k < 0)
			return err_sys(e, ERR_SCOPE_MSG, errno, "read '%s'",
			    path);
		if (k > 0 && want == 0)
			return too_large(path, limit, e);
		if (want > 0) {
			b->n += (size_t)k;
			b->p[b->n] = '\0';
			room -= (size_t)k;
		}
	} while (k > 0);
	return 0;
}

int
fs_read_file(int dirfd, const char *path, size_t max, struct buf *b,
    struct err *e)
{
	AUTO_FD fd = fs_open_read(dirfd, path);
	size_t begin = b->n, room = b->max - b->n;
	int rc;

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "open '%s'", path);
	rc = read_within(fd, path, room < max ? room : max, b, e);
	if (rc != 0 && b->p) {
		b->n = begin;
		b->p[begin] = '\0';
	}
	return rc;
}

int
fs_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		ssize_t k = write(fd, from, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, ERR_SCOPE_MSG, errno, "write");
		if (k == 0)
			return err_sys(e, ERR_SCOPE_MSG, ENOSPC, "write");
		from += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Directory part of PATH ("." when none), into OUT. */
static int
parent_of(const char *path, char *out, size_t n)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash) {
		out[0] = '.';
		out[1] = '\0';
		return 0;
	}
	if (len == 0)
		len = 1; /* "/" */
	if (len >= n) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, path, len);
	out[len] = '\0';
	return 0;
}

int
fs_fsync_dir(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

int
fs_sync_dir(int dirfd, const char *path, struct err *e)
{
	/* links are followed, as they were when something was put there */
	AUTO_FD fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fs_fsync_dir(fd) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "sync directory '%s'",
		    path);
	return 0;
}

static int
sync_parent(int dirfd, const char *path, struct err *e)
{
	char dir[PATH_LIMIT];

	if (parent_of(path, dir, sizeof dir) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "'%s'", path);
	return fs_sync_dir(dirfd, dir, e);
}

#define TEMP_TAG ".tmp-"
#define TEMP_DIGITS 16

/* TEMP_TAG and this machine's name: others may work in the same directory. */
static void
temp_prefix(struct buf *out)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof host - 1) != 0)
		host[0] = '\0';
	for (char *p = host; *p; p++)
		if (*p == '/')
			*p = '_';
	buf_addf(out, TEMP_TAG "%s-", host);
}

/*
 * A name beside PATH that nobody else uses.  It begins with a dot, so that
 * in cur/ and new/ no reader takes it for a message, and it is short also
 * when that of PATH is as long as names can be.
 */
static char *
temp_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash + 1 - path) : 0;
	uint64_t r = 0;
	struct buf prefix;
	char *name;

	if (getrandom(&r, sizeof r, 0) != sizeof r)
		r = (uint64_t)getpid();
	buf_init(&prefix, NAME_MAX);
	temp_prefix(&prefix);
	name = xasprintf("%.*s%s%0*llx", dir, path, buf_cstr(&prefix),
	    TEMP_DIGITS, (unsigned long long)r);
	buf_release(&prefix);
	return name;
}

static bool
is_temp(struct span name, struct span prefix)
{
	if (!span_starts(name, prefix) || name.n != prefix.n + TEMP_DIGITS)
		return false;
	for (size_t i = prefix.n; i < name.n; i++)
		if (!strchr("0123456789abcdef", name.p[i]))
			return false;
	return true;
}

bool
fs_is_temp(struct span name)
{
	return span_starts(name, SPAN(TEMP_TAG));
}

bool
fs_clean_temp(int dirfd, uint32_t *n)
{
	DIR *d = fs_dirstream(fs_open_dir(dirfd, "."));
	struct buf prefix;
	struct dirent *x;
	bool all = true;

	if (!d)
		return false;
	buf_init(&prefix, NAME_MAX);
	temp_prefix(&prefix);
	while ((errno = 0, x = readdir(d)) != NULL) {
		if (!is_temp(span_str(x->d_name), buf_span(&prefix)))
			continue;
		if (unlinkat(dirfd, x->d_name, 0) != 0)
			all = false;
		else if (n)
			++*n;
	}
	all &= errno == 0;
	buf_release(&prefix);
	closedir(d);
	return all;
}

static int
check_seen(
    int dirfd, const char *path, const struct stat *was, struct err *e)
{
	struct stat now = {0};

	if (fstatat(dirfd, path, &now, AT_SYMLINK_NOFOLLOW) != 0 &&
	    errno != ENOENT)
		return err_sys(e, ERR_SCOPE_BOX, errno, "'%s'", path);
	if (now.st_ino != was->st_ino || now.st_size != was->st_size ||
	    now.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
		return err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "'%s' was changed meanwhile", path);
	return 0;
}

static void
make_younger(int fd, const struct stat *was)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat now;

	if (fstat(fd, &now) != 0 ||
	    now.st_mtim.tv_sec > was->st_mtim.tv_sec ||
	    was->st_mtim.tv_sec == INT64_MAX)
		return;
	times[1].tv_sec = was->st_mtim.tv_sec + 1;
	/* where times cannot be set, it is replaced all the same */
	(void)futimens(fd, times);
}

/* WAS as for fs_replace_seen(), or NULL. */
static int
replace(int dirfd, const char *path, mode_t mode, const struct stat *was,
    const void *p, size_t n, struct err *e)
{
	AUTO_STR tmp = temp_beside(path);
	AUTO_FD fd = openat(dirfd, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int rc;

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "create '%s'", tmp);
	rc = fs_write_all(fd, p, n, e);
	if (rc != 0)
		err_wrap(e, "'%s'", path);
	if (rc == 0 && was)
		make_younger(fd, was);
	if (rc == 0 && fsync(fd) != 0)
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "sync '%s'", tmp);
	if (rc == 0 && was)
		rc = check_seen(dirfd, path, was, e);
	if (rc == 0 && renameat(dirfd, tmp, dirfd, path) != 0)
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "rename to '%s'", path);
	if (rc != 0) {
		unlinkat(dirfd, tmp, 0);
		return rc;
	}
	return sync_parent(dirfd, path, e);
}

int
fs_replace(int dirfd, const char *path, mode_t mode, const void *p,
    size_t n, struct err *e)
{
	return replace(dirfd, path, mode, NULL, p, n, e);
}

int
fs_replace_seen(int dirfd, const char *path, mode_t mode,
    const struct stat *was, const void *p, size_t n, struct err *e)
{
	return replace(dirfd, path, mode, was, p, n, e);
}

/* One directory, unless it is there. */
static int
make_dir(int dirfd, const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return sync_parent(dirfd, path, e);
	if (errno != EEXIST)
		return err_sys(e, ERR_SCOPE_BOX, errno, "make '%s'", path);
	/* a link to a directory is one: people move their mail elsewhere */
	if (fstatat(dirfd, path, &st, 0) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "make '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(e, ERR_SCOPE_BOX, ENOTDIR, "make '%s'", path);
	return 0;
}

int
fs_mkdirs(int dirfd, const char *path, mode_t mode, struct err *e)
{
	AUTO_STR part = xstrdup(path);
	char *at = part;

	if (path[0] == '\0')
		return err_sys(e, ERR_SCOPE_BOX, ENOENT, "make '%s'", path);
	if (strlen(path) >= PATH_LIMIT)
		return err_sys(e, ERR_SCOPE_BOX, ENAMETOOLONG, "make '%s'",
		    path);
	for (;;) {
		char *end, saved;
		int rc;

		while (*at == '/')
			at++;
		end = at + strcspn(at, "/");
		if (end == at)
			return 0;
		if (end - at == 2 && at[0] == '.' && at[1] == '.')
			return err_sys(e, ERR_SCOPE_BOX, EINVAL, "make '%s'",
			    path);
		saved = *end;
		*end = '\0';
		rc = make_dir(dirfd, part, mode, e);
		if (rc != 0)
			return rc;
		*end = saved;
		at = end;
	}
}

/*
 * rename(2) that never replaces.
 *
 * Some file systems cannot be told so (NFS, much of FUSE, older ZFS).  There
 * the name is looked for first, and whoever makes it between the two calls
 * loses it.  That has to be enough, and is, for the names of messages: their
 * base is of one message, so TO can only be this message again, by a reader
 * that renamed FROM (then FROM is gone, and nothing happens here).  In the bin
 * nobody else makes names; other files come out of it only into a mailbox that
 * had none of that name.
 *
 * Not link(2) and unlink(2), which would exclude others: a kill between them,
 * or a reader that renames FROM, leaves two names, and these are two messages.
 */
static int
rename_new(int fromdir, const char *from, int todir, const char *to)
{
	struct stat st;

	if (renameat2(fromdir, from, todir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(todir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = EEXIST;
	else if (errno == ENOENT)
		return renameat(fromdir, from, todir, to);
	return -1;
}

int
fs_copy(int in, int out, struct err *e)
{
	AUTO_STR chunk = xalloc(COPY_CHUNK);
	ssize_t k;
	int rc = 0;

	while (rc == 0 && (k = fs_read_full(in, chunk, COPY_CHUNK)) != 0) {
		if (k < 0)
			return err_sys(e, ERR_SCOPE_MSG, errno, "read");
		rc = fs_write_all(out, chunk, (size_t)k, e);
	}
	return rc;
}

static int
copy_across(int fromdir, const char *from, int todir, const char *to,
    struct err *e)
{
	AUTO_FD in = fs_open_read(fromdir, from);
	AUTO_STR tmp = temp_beside(to);
	AUTO_FD out = -1;
	struct stat st;
	int rc;

	if (in < 0 || fstat(in, &st) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "open '%s'", from);
	out = openat(todir, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "create '%s'", tmp);
	rc = fs_copy(in, out, e);
	if (rc == 0) {
		struct timespec times[2] = {st.st_atim, st.st_mtim};

		if (fchmod(out, st.st_mode & 0777) != 0 ||
		    futimens(out, times) != 0 || fsync(out) != 0 ||
		    rename_new(todir, tmp, todir, to) != 0)
			rc = err_sys(e, ERR_SCOPE_MSG, errno, "move to '%s'",
			    to);
	}
	if (rc != 0) {
		unlinkat(todir, tmp, 0);
		return rc;
	}
	/* the copy is durable before the original goes */
	rc = sync_parent(todir, to, e);
	if (rc != 0) {
		unlinkat(todir, to, 0);
	} else if (unlinkat(fromdir, from, 0) != 0) {
		rc = err_sys(e, ERR_SCOPE_MSG, errno, "remove '%s'", from);
		/*
		 * It was renamed meanwhile, or cannot be removed: with the copy
		 * there would be two messages.  But if it is gone, the copy is
		 * all that there is.
		 */
		if (!fs_network_type(in) &&
		    fstat(in, &st) == 0 && st.st_nlink > 0)
			unlinkat(todir, to, 0);
	}
	return rc;
}

int
fs_move(int fromdir, const char *from, int todir, const char *to, bool sync,
    struct err *e)
{
	int rc = 0;

	if (rename_new(fromdir, from, todir, to) != 0) {
		if (errno != EXDEV)
			return err_sys(e, ERR_SCOPE_MSG, errno,
			    "move '%s' to '%s'", from, to);
		rc = copy_across(fromdir, from, todir, to, e);
	}
	if (rc == 0 && sync)
		rc = sync_parent(todir, to, e);
	if (rc == 0 && sync)
		rc = sync_parent(fromdir, from, e);
	return rc;
}
