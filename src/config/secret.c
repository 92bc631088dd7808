/*
 * secret: the password of an account, from wherever the configuration says.
 *
 * Invariants:
 *  1. A command never outlives its deadline or a cancel: it runs in a
 *     process group of its own, which is killed as a whole.
 *  2. A command that has ended is not waited for any longer, even when
 *     something that it left behind (an agent) holds its output open.
 *  3. Secrets lie in one buffer that never moves, and it is wiped.
 *  4. One command at a time, though several accounts may be at work: a person
 *     is asked one thing at a time, an agent that was unlocked for the first
 *     answers the others, and each has its whole deadline.  Whoever waits for
 *     its turn waits for no longer than the deadlines of those before it; a
 *     cancel ends all of them.
 */
#include "config/config.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_MAX (64 * 1024)
#define COMMAND_MS 10000

/* Only where the kernel has no pidfd (before Linux 5.3). */
#define REAP_MS 20

struct source {
	const struct config *c;
	const struct config_account *a;
	const char *key;
};

static int fail(const struct source *s, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(const struct source *s, struct err *e, const char *fmt, ...)
{
	char what[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "%s:%u:%u: %s: %s", s->c->file, s->a->password_line,
	    s->a->password_col, s->key, what);
}

static int
fail_sys(const struct source *s, struct err *e, int sys, const char *what)
{
	(void)err_sys(e, ERR_SCOPE_ACCOUNT, sys, "%s:%u:%u: %s: %s", s->c->file,
	    s->a->password_line, s->a->password_col, s->key, what);
	e->retry = ERR_RETRY_NEVER;
	return e->code = ERR_CONFIG;
}

/* The first line of TEXT, without its end, into SECRET. */
static int
take_line(
    const struct source *s, struct span text, struct buf *secret, struct err *e)
{
	struct span line = span_of(text.p, span_index(text, '\n'));

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return fail(s, e,
		    text.n ? "the first line is empty" : "gave no password");
	if (span_index(line, '\0') < line.n)
		return fail(s, e, "the password holds a NUL byte");
	if (line.n <= SECRET_MAX)
		buf_add_span(secret, line);
	if (line.n > SECRET_MAX || secret->toobig)
		return fail(s, e, "the password is too long");
	return 0;
}

static int
from_file(const struct source *s, struct buf *secret, struct err *e)
{
	const char *path = s->a->password_file;
	AUTO_FD fd = -1;
	struct stat st;
	struct buf text;
	char *room;
	ssize_t n;
	int rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st))
		return fail_sys(s, e, errno, path);
	if (!S_ISREG(st.st_mode))
		return fail(s, e, "%s is not a regular file", path);
	if (st.st_mode & 077)
		return fail(
		    s, e, "others have access to %s; chmod 600 it", path);
	/* One byte more, so that a line that was cut is seen to be one. */
	buf_init(&text, SECRET_MAX + 1);
	room = buf_reserve(&text, SECRET_MAX + 1);
	n = fs_read_full(fd, room, SECRET_MAX + 1);
	if (n < 0) {
		rc = fail_sys(s, e, errno, path);
	} else {
		text.n = (size_t)n;
		rc = take_line(s, buf_span(&text), secret, e);
	}
	buf_wipe(&text);
	return rc;
}

struct child {
	pid_t pid; /* 0: reaped */
	int status;
	int out;   /* our end of its stdout; -1 at the end */
	int pidfd; /* -1: the kernel has none */
	int64_t deadline;
};

static int
spawn(const struct source *s, int out, pid_t *pid_r, struct err *e)
{
	/* posix_spawnp takes char *const * but changes nothing. */
	char *const *argv = (char *const *)(uintptr_t)s->a->password_command;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t dfl, none;
	int sys;

	(void)sigemptyset(&none);
	(void)sigemptyset(&dfl);
	(void)sigaddset(&dfl, SIGPIPE); /* we ignore it; it must not */
	sys = posix_spawn_file_actions_init(&fa);
	if (sys)
		return fail_sys(s, e, sys, argv[0]);
	sys = posix_spawnattr_init(&at);
	if (sys) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return fail_sys(s, e, sys, argv[0]);
	}
	sys = posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (!sys)
		sys = posix_spawn_file_actions_addopen(
		    &fa, 0, "/dev/null", O_RDONLY, 0);
	if (!sys)
		sys = posix_spawnattr_setpgroup(&at, 0);
	if (!sys)
		sys = posix_spawnattr_setsigdefault(&at, &dfl);
	if (!sys)
		sys = posix_spawnattr_setsigmask(&at, &none);
	if (!sys)
		sys = posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP |
							POSIX_SPAWN_SETSIGDEF |
							POSIX_SPAWN_SETSIGMASK);
	if (!sys)
		sys = posix_spawnp(pid_r, argv[0], &fa, &at, argv, environ);
	(void)posix_spawnattr_destroy(&at);
	(void)posix_spawn_file_actions_destroy(&fa);
	return sys ? fail_sys(s, e, sys, argv[0]) : 0;
}

/* What there is to read now; the end closes our side. */
static int
drain(const struct source *s, struct child *ch, struct buf *text, struct err *e)
{
	while (ch->out >= 0) {
		ssize_t n;

		if (text->n > SECRET_MAX)
			return fail(s, e, "printed more than 64 KiB");
		/* Room for all was reserved at once (invariant 3). */
		n = read(ch->out, text->p + text->n, SECRET_MAX + 1 - text->n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return fail_sys(s, e, errno, "its output");
		if (n == 0) {
			(void)close(ch->out);
			ch->out = -1;
			return 0;
		}
		text->n += (size_t)n;
	}
	return 0;
}

/* Until it has ended, and all it wrote by then is read. */
static int
attend(const struct source *s, struct child *ch, const struct cancel *cancel,
    struct buf *text, struct err *e)
{
	for (;;) {
		struct pollfd p[3] = {
		    {.fd = ch->out, .events = POLLIN},
		    {.fd = ch->pidfd, .events = POLLIN},
		    {.fd = cancel ? cancel_fd(cancel) : -1, .events = POLLIN},
		};
		int64_t left = ch->deadline - clock_mono_ms();
		pid_t pid;
		int rc;

		if (left <= 0)
			return fail(s, e, "'%s' gave no answer in %d seconds",
			    s->a->password_command[0], COMMAND_MS / 1000);
		if (ch->pidfd < 0 && left > REAP_MS)
			left = REAP_MS;
		if (poll(p, 3, (int)left) < 0 && errno != EINTR)
			return fail_sys(s, e, errno, "poll");
		if (cancel) {
			rc = cancel_check(cancel, e);
			if (rc)
				return rc;
		}
		/* Asked before reading: what it wrote is in the pipe then. */
		pid = waitpid(ch->pid, &ch->status, WNOHANG);
		if (pid < 0 && errno != EINTR) {
			ch->pid = 0; /* not ours to kill */
			return fail_sys(s, e, errno, "waitpid");
		}
		rc = drain(s, ch, text, e);
		if (pid > 0)
			ch->pid = 0;
		if (rc || pid > 0)
			return rc;
	}
}

static int
judge(const struct source *s, int status, struct err *e)
{
	if (WIFSIGNALED(status))
		return fail(s, e, "'%s' was killed by signal %d",
		    s->a->password_command[0], WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return fail(s, e, "'%s' ended with status %d",
		    s->a->password_command[0], WEXITSTATUS(status));
	return 0;
}

static int
run_command(const struct source *s, const struct cancel *cancel,
    struct buf *secret, struct err *e)
{
	struct child ch = {.out = -1, .pidfd = -1};
	struct buf text;
	int fd[2], rc;

	if (pipe2(fd, O_CLOEXEC))
		return fail_sys(s, e, errno, "pipe");
	rc = spawn(s, fd[1], &ch.pid, e);
	(void)close(fd[1]);
	if (rc) {
		(void)close(fd[0]);
		return rc;
	}
	ch.out = fd[0];
	(void)fcntl(ch.out, F_SETFL, O_NONBLOCK);
	ch.pidfd = pidfd_open(ch.pid, 0); /* close-on-exec by itself */
	ch.deadline = clock_mono_ms() + COMMAND_MS;

	buf_init(&text, SECRET_MAX + 2);
	(void)buf_reserve(&text, SECRET_MAX + 1);
	rc = attend(s, &ch, cancel, &text, e);
	if (ch.pid > 0) {
		(void)kill(-ch.pid, SIGKILL);
		while (waitpid(ch.pid, &ch.status, 0) < 0 && errno == EINTR)
			;
	}
	if (rc == 0)
		rc = judge(s, ch.status, e);
	if (rc == 0)
		rc = take_line(s, buf_span(&text), secret, e);
	buf_wipe(&text);
	if (ch.out >= 0)
		(void)close(ch.out);
	if (ch.pidfd >= 0)
		(void)close(ch.pidfd);
	return rc;
}

/* Invariant 4. */
static int
from_command(const struct source *s, const struct cancel *cancel,
    struct buf *secret, struct err *e)
{
	int rc;

	pthread_mutex_lock(s->c->commands);
	rc = cancel_check(cancel, e);
	if (rc == 0)
		rc = run_command(s, cancel, secret, e);
	pthread_mutex_unlock(s->c->commands);
	return rc;
}

int
config_password(const struct config *c, const struct config_account *a,
    const struct cancel *cancel, struct buf *secret, struct err *e)
{
	struct source s = {c, a, "password"};

	if (a->password) {
		buf_add_str(secret, a->password);
		if (secret->toobig)
			return fail(&s, e, "the password is too long");
		return 0;
	}
	if (a->password_file) {
		s.key = "password_file";
		return from_file(&s, secret, e);
	}
	if (a->password_command) {
		s.key = "password_command";
		return from_command(&s, cancel, secret, e);
	}
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "%s:%u: account '%s' has no password; add 'password_command', "
	    "'password_file' or 'password'",
	    c->file, a->line, a->name);
}
