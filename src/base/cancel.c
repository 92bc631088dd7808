#include "base/cancel.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct cancel {
	int fd[2];
	atomic_bool raised;
};

/*
 * The one mutable static of the program: a signal handler is given nothing
 * else.  Set once, by main()'s thread, before other threads exist.
 */
static struct cancel *_Atomic on_signal;

static void
handler(int sig)
{
	struct cancel *c = atomic_load(&on_signal);
	int saved = errno;

	(void)sig;
	if (c)
		cancel_raise(c);
	errno = saved;
}

int
cancel_new(struct cancel **c_r, struct err *e)
{
	struct cancel *c = xcalloc(1, sizeof *c);

	if (pipe2(c->fd, O_CLOEXEC | O_NONBLOCK) != 0) {
		xfree(c);
		return err_sys(e, ERR_SCOPE_RUN, errno, "make a pipe");
	}
	*c_r = c;
	return 0;
}

void
cancel_free(struct cancel **c)
{
	struct cancel *self = *c;

	if (!*c)
		return;
	atomic_compare_exchange_strong(&on_signal, &self, NULL);
	close((*c)->fd[0]);
	close((*c)->fd[1]);
	xfree(*c);
	*c = NULL;
}

int
cancel_on_signals(struct cancel *c, struct err *e)
{
	struct sigaction act = {.sa_handler = handler};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction usual = {.sa_handler = SIG_DFL};

	sigemptyset(&act.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigemptyset(&usual.sa_mask);
	atomic_store(&on_signal, c);
	if (sigaction(SIGINT, &act, NULL) != 0 ||
	    sigaction(SIGTERM, &act, NULL) != 0 ||
	    sigaction(SIGPIPE, &ignore, NULL) != 0 ||
	    /* where it is ignored, nobody can wait for a child */
	    sigaction(SIGCHLD, &usual, NULL) != 0)
		return err_sys(e, ERR_SCOPE_RUN, errno, "set signal handlers");
	return 0;
}

void
cancel_raise(struct cancel *c)
{
	/* async-signal-safe: the pipe stays readable for ever */
	if (atomic_exchange(&c->raised, true))
		return;
	if (write(c->fd[1], "", 1) < 0)
		return;
}

bool
cancel_raised(const struct cancel *c)
{
	return c && atomic_load(&c->raised);
}

int
cancel_fd(const struct cancel *c)
{
	return c ? c->fd[0] : -1;
}

int
cancel_check(const struct cancel *c, struct err *e)
{
	if (!cancel_raised(c))
		return 0;
	return err_set(e, ERR_CANCELED, ERR_SCOPE_RUN, ERR_RETRY_LATER,
	    "interrupted");
}

int
cancel_wait(const struct cancel *c, int64_t ms, struct err *e)
{
	struct pollfd p = {.fd = cancel_fd(c), .events = POLLIN};
	int64_t end = clock_mono_ms() + ms;

	while (ms > 0 && !cancel_raised(c)) {
		if (poll(&p, 1, ms > 60000 ? 60000 : (int)ms) < 0 &&
		    errno != EINTR)
			break;
		ms = end - clock_mono_ms();
	}
	return cancel_check(c, e);
}
