/*
 * faultat: a library to preload (LD_PRELOAD) that counts the calls by which a
 * program changes something outside of itself, and disturbs one of them.
 *
 *	FAULT_AT=N	the Nth call that counts; not given or 0: only count
 *	FAULT_MODE=	kill		SIGKILL before the call
 *			killafter	SIGKILL after it
 *			stop		SIGSTOP before it: the program waits
 *			short		half of the octets are written
 *			full		the same, and ENOSPC from then on
 *			errno:NAME	it fails, this once
 *			errno-from:NAME	it and all that follow fail
 *			lie		it succeeds, and does nothing
 *			lie-from	it and all that follow
 *	FAULT_SET=	which count: names of calls, or "file", "net",
 *			"descriptor" (whatever takes one), separated by
 *			commas; "file,net" when not given
 *	FAULT_PATH=	only calls on a path that contains this
 *	FAULT_LOG=	a file that gets a line for each call that counts
 *
 * Rules:
 *  1. Only the process that was started counts: not its children, and what
 *     it executes does not get the library.
 *  2. The library itself asks the kernel, past its own functions.
 *  3. What glibc does within itself (stdio, opendir) is not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utime.h>

enum { CHANGES = 1, NET = 2, DESCRIPTOR = 4 };

enum act { PASS, FAIL, SHORT, LIE, KILL_AFTER };

static const struct {
	const char *name;
	int number;
} known[] = {{"EACCES", EACCES}, {"ECONNRESET", ECONNRESET},
    {"EDQUOT", EDQUOT}, {"EINTR", EINTR}, {"EIO", EIO}, {"EMFILE", EMFILE},
    {"ENFILE", ENFILE}, {"ENOSPC", ENOSPC}, {"EPERM", EPERM},
    {"EPIPE", EPIPE}, {"EROFS", EROFS}, {"EXDEV", EXDEV}};

static struct {
	pid_t pid; /* rule 1; 0: nothing counts yet */
	long at;
	const char *mode, *set, *path;
	int number; /* of the error */
	int log;
} fault = {.log = -1};

static atomic_long count;

static void
give_up(const char *what, const char *value)
{
	fprintf(stderr, "faultat: %s '%s'\n", what, value);
	_exit(70);
}

static int
errno_of(const char *name)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].number;
	give_up("no such error", name);
	return 0;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
	const char *mode = getenv("FAULT_MODE"), *set = getenv("FAULT_SET");

	fault.at = at ? atol(at) : 0;
	fault.mode = mode ? mode : "";
	fault.set = set ? set : "file,net";
	fault.path = getenv("FAULT_PATH");
	if (strncmp(fault.mode, "errno", 5) == 0) {
		const char *colon = strchr(fault.mode, ':');

		fault.number = errno_of(colon ? colon + 1 : "");
	} else if (strcmp(fault.mode, "full") == 0) {
		fault.number = ENOSPC;
	}
	if (log) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, log,
		    O_WRONLY | O_CREAT | O_APPEND, 0600);

		/* out of the way of the program's numbers */
		fault.log = fcntl(fd, F_DUPFD_CLOEXEC, 900);
		close(fd);
		if (fault.log < 0)
			give_up("cannot write", log);
	}
	unsetenv("LD_PRELOAD");
	fault.pid = getpid();
}

static bool
in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += *p == ',') {
		size_t k = strcspn(p, ",");

		if (k == n && memcmp(p, word, n) == 0)
			return true;
		p += k;
	}
	return false;
}

/* The name of descriptor FD, or of PATH below it. */
static void
describe(int fd, const char *path, char *out, size_t n)
{
	char link[64], dir[PATH_MAX] = "";

	if (path && (path[0] == '/' || fd == AT_FDCWD)) {
		snprintf(out, n, "%s", path);
		return;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (readlink(link, dir, sizeof dir - 1) < 0)
		dir[0] = '\0';
	snprintf(out, n, "%s%s%s", dir, path ? "/" : "", path ? path : "");
}

static void
note(long n, const char *name, const char *what)
{
	char line[2 * PATH_MAX + 64];
	int k = snprintf(line, sizeof line, "%ld %s %s\n", n, name, what);

	if (fault.log >= 0 &&
	    syscall(SYS_write, fault.log, line, (size_t)k) < 0)
		give_up("cannot write", "FAULT_LOG");
}

static bool
is_mode(const char *mode)
{
	return strcmp(fault.mode, mode) == 0;
}

static enum act
act_of(long n)
{
	bool hit = n == fault.at;

	if (fault.at == 0 || n < fault.at)
		return PASS;
	if (hit && is_mode("kill"))
		kill(fault.pid, SIGKILL);
	if (hit && is_mode("stop"))
		kill(fault.pid, SIGSTOP);
	if (hit && is_mode("killafter"))
		return KILL_AFTER;
	if (hit && (is_mode("short") || is_mode("full")))
		return SHORT;
	if (is_mode("lie-from") || (hit && is_mode("lie")))
		return LIE;
	if ((hit && strncmp(fault.mode, "errno:", 6) == 0) ||
	    strncmp(fault.mode, "errno-from:", 11) == 0 || is_mode("full"))
		return FAIL;
	return PASS;
}

/* What is to become of this call, on FD, on PATH, or on PATH below FD. */
static enum act
turn(const char *name, unsigned sets, int fd, const char *path)
{
	char what[2 * PATH_MAX];
	int saved = errno;
	enum act act;
	long n;

	if (fault.pid == 0 || syscall(SYS_getpid) != fault.pid ||
	    (!in_list(fault.set, name) &&
		!((sets & CHANGES) && in_list(fault.set, "file")) &&
		!((sets & NET) && in_list(fault.set, "net")) &&
		!((sets & DESCRIPTOR) && in_list(fault.set, "descriptor"))))
		return PASS;
	describe(fd, path, what, sizeof what);
	if (fault.path && !strstr(what, fault.path))
		return PASS;
	n = atomic_fetch_add(&count, 1) + 1;
	note(n, name, what);
	act = act_of(n);
	errno = act == FAIL ? fault.number : saved;
	return act;
}

static void
after(enum act act)
{
	if (act == KILL_AFTER)
		kill(fault.pid, SIGKILL);
}

/* A call that is a system call of up to five numbers or addresses. */
static long
call(const char *name, int fd, const char *path, long number,
    const intptr_t arg[5])
{
	enum act act = turn(name, CHANGES, fd, path);
	long rc;

	if (act == FAIL)
		return -1;
	if (act == LIE)
		return 0;
	rc = syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4]);
	after(act);
	return rc;
}

#define ARGS(...) ((const intptr_t[5]){__VA_ARGS__})
#define P(pointer) ((intptr_t)(pointer))

int
fsync(int fd)
{
	return (int)call("fsync", fd, NULL, SYS_fsync, ARGS(fd));
}

int
fdatasync(int fd)
{
	return (int)call("fdatasync", fd, NULL, SYS_fdatasync, ARGS(fd));
}

int
syncfs(int fd)
{
	return (int)call("syncfs", fd, NULL, SYS_syncfs, ARGS(fd));
}

/* Counts only where it is named.  Even one that fails has closed FD. */
int
close(int fd)
{
	enum act act = turn("close", 0, fd, NULL);
	int rc = (int)syscall(SYS_close, fd);

	after(act);
	if (act != FAIL)
		return rc;
	errno = fault.number;
	return -1;
}

int
msync(void *p, size_t n, int flags)
{
	return (int)call("msync", AT_FDCWD, "", SYS_msync,
	    ARGS(P(p), (intptr_t)n, flags));
}

int
ftruncate(int fd, off_t n)
{
	return (int)call("ftruncate", fd, NULL, SYS_ftruncate, ARGS(fd, n));
}

int
fallocate(int fd, int mode, off_t off, off_t n)
{
	return (int)call("fallocate", fd, NULL, SYS_fallocate,
	    ARGS(fd, mode, off, n));
}

int
fchmod(int fd, mode_t mode)
{
	return (int)call("fchmod", fd, NULL, SYS_fchmod, ARGS(fd, mode));
}

int
futimens(int fd, const struct timespec t[2])
{
	return (int)call("futimens", fd, NULL, SYS_utimensat,
	    ARGS(fd, 0, P(t)));
}

int
utime(const char *path, const struct utimbuf *t)
{
	struct timespec both[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

	if (t) {
		both[0] = (struct timespec){.tv_sec = t->actime};
		both[1] = (struct timespec){.tv_sec = t->modtime};
	}
	return (int)call("utime", AT_FDCWD, path, SYS_utimensat,
	    ARGS(AT_FDCWD, P(path), P(both)));
}

int
rename(const char *from, const char *to)
{
	return (int)call("rename", AT_FDCWD, to, SYS_renameat2,
	    ARGS(AT_FDCWD, P(from), AT_FDCWD, P(to)));
}

int
renameat(int fromdir, const char *from, int todir, const char *to)
{
	return (int)call("renameat", todir, to, SYS_renameat2,
	    ARGS(fromdir, P(from), todir, P(to)));
}

int
renameat2(int fromdir, const char *from, int todir, const char *to,
    unsigned flags)
{
	return (int)call("renameat2", todir, to, SYS_renameat2,
	    ARGS(fromdir, P(from), todir, P(to), flags));
}

int
link(const char *from, const char *to)
{
	return (int)call("link", AT_FDCWD, to, SYS_linkat,
	    ARGS(AT_FDCWD, P(from), AT_FDCWD, P(to)));
}

int
linkat(int fromdir, const char *from, int todir, const char *to, int flags)
{
	return (int)call("linkat", todir, to, SYS_linkat,
	    ARGS(fromdir, P(from), todir, P(to), flags));
}

int
unlink(const char *path)
{
	return (int)call("unlink", AT_FDCWD, path, SYS_unlinkat,
	    ARGS(AT_FDCWD, P(path)));
}

int
unlinkat(int fd, const char *path, int flags)
{
	return (int)call("unlinkat", fd, path, SYS_unlinkat,
	    ARGS(fd, P(path), flags));
}

int
rmdir(const char *path)
{
	return (int)call("rmdir", AT_FDCWD, path, SYS_unlinkat,
	    ARGS(AT_FDCWD, P(path), AT_REMOVEDIR));
}

int
mkdir(const char *path, mode_t mode)
{
	return (int)call("mkdir", AT_FDCWD, path, SYS_mkdirat,
	    ARGS(AT_FDCWD, P(path), mode));
}

int
mkdirat(int fd, const char *path, mode_t mode)
{
	return (int)call("mkdirat", fd, path, SYS_mkdirat,
	    ARGS(fd, P(path), mode));
}

/* What takes a descriptor.  A lie has nothing to hand out: it is not told. */

static int
open_call(const char *name, int fd, const char *path, int flags, mode_t mode)
{
	unsigned sets = DESCRIPTOR | ((flags & O_CREAT) ? CHANGES : 0);
	enum act act = turn(name, sets, fd, path);
	int rc;

	if (act == FAIL)
		return -1;
	rc = (int)syscall(SYS_openat, fd, path, flags, mode);
	after(act);
	return rc;
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_call("open", AT_FDCWD, path, flags, mode);
}

int
openat(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_call("openat", fd, path, flags, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) =
	    (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
	unsigned sets = DESCRIPTOR | (mode[0] == 'r' ? 0 : CHANGES);
	enum act act = turn("fopen", sets, AT_FDCWD, path);
	FILE *f;

	if (act == FAIL)
		return NULL;
	f = real(path, mode);
	after(act);
	return f;
}

int
socket(int domain, int type, int protocol)
{
	enum act act = turn("socket", DESCRIPTOR, AT_FDCWD, "");
	int rc;

	if (act == FAIL)
		return -1;
	rc = (int)syscall(SYS_socket, domain, type, protocol);
	after(act);
	return rc;
}

int
pipe2(int fd[2], int flags)
{
	enum act act = turn("pipe2", DESCRIPTOR, AT_FDCWD, "");
	int rc;

	if (act == FAIL)
		return -1;
	rc = (int)syscall(SYS_pipe2, fd, flags);
	after(act);
	return rc;
}

/* What writes N octets. */

static ssize_t
write_call(const char *name, unsigned sets, int fd, size_t n, long number,
    const intptr_t arg[6])
{
	enum act act = turn(name, sets, fd, NULL);
	intptr_t count_of = arg[2];
	ssize_t rc;

	if (act == FAIL)
		return -1;
	if (act == LIE)
		return (ssize_t)n;
	if (act == SHORT && n > 1)
		count_of = (intptr_t)(n / 2);
	rc = syscall(number, arg[0], arg[1], count_of, arg[3], arg[4], arg[5]);
	after(act);
	return rc;
}

#define WRITE_ARGS(...) ((const intptr_t[6]){__VA_ARGS__})

ssize_t
write(int fd, const void *p, size_t n)
{
	return write_call("write", CHANGES, fd, n, SYS_write,
	    WRITE_ARGS(fd, P(p), (intptr_t)n));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return write_call("pwrite", CHANGES, fd, n, SYS_pwrite64,
	    WRITE_ARGS(fd, P(p), (intptr_t)n, at));
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	return write_call("send", NET, fd, n, SYS_sendto,
	    WRITE_ARGS(fd, P(p), (intptr_t)n, flags));
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	enum act act = turn("writev", CHANGES, fd, NULL);
	size_t all = 0;
	ssize_t rc;

	for (int i = 0; i < n; i++)
		all += v[i].iov_len;
	if (act == FAIL)
		return -1;
	if (act == LIE)
		return (ssize_t)all;
	if (act == SHORT && n > 1)
		n /= 2;
	else if (act == SHORT && v[0].iov_len > 1)
		return syscall(SYS_write, fd, v[0].iov_base,
		    v[0].iov_len / 2);
	rc = syscall(SYS_writev, fd, v, n);
	after(act);
	return rc;
}

int
connect(int fd, const struct sockaddr *to, socklen_t n)
{
	enum act act = turn("connect", NET, fd, NULL);
	int rc;

	if (act == FAIL)
		return -1;
	if (act == LIE)
		return 0;
	rc = (int)syscall(SYS_connect, fd, to, n);
	after(act);
	return rc;
}
