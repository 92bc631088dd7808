#include "net/internal.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where the heap cannot grow, glibc maps 1 MiB for the next few octets. */
#define LOOKUP_ROOM (2u << 20)

int
net_wait(const struct net_conf *conf, int fd, short events, int64_t deadline,
    const char *what, struct err *e)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = -1}};

	if (conf->cancel)
		p[1] = (struct pollfd){.fd = cancel_fd(conf->cancel),
		    .events = POLLIN};
	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		int n;

		if (left < 0)
			left = 0;
		n = poll(p, 2, left > 1000000 ? 1000000 : (int)left);
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_SCOPE_CONN, errno, "poll");
		if (conf->cancel && cancel_check(conf->cancel, e) < 0)
			return e->code;
		if (n > 0 && p[0].revents)
			return 0;
		if (n == 0 && clock_mono_ms() >= deadline)
			return err_set(e, ERR_TIMEOUT, ERR_SCOPE_CONN,
			    ERR_RETRY_LATER,
			    "%s port %u: %s: no answer in time", conf->host,
			    conf->port, what);
	}
}

/*
 * Looking up a name has no deadline in libc and cannot be cancelled: it runs
 * in a thread of its own, which may outlive the wait for it.  Whoever comes
 * last frees.
 */
struct lookup {
	pthread_mutex_t lock;
	unsigned users; /* guarded by lock */
	char host[256], port[8];
	int done_fd;    /* writing end; closed when the answer is there */
	int rc;         /* guarded by lock, as is: */
	struct addrinfo *answer; /* owned; stays when it is there */
};

static void
lookup_leave(struct lookup *l)
{
	unsigned left;

	pthread_mutex_lock(&l->lock);
	left = --l->users;
	pthread_mutex_unlock(&l->lock);
	if (left)
		return;
	if (l->answer)
		freeaddrinfo(l->answer);
	pthread_mutex_destroy(&l->lock);
	xfree(l);
}

/*
 * glibc ends the program where it has no memory for what nsswitch.conf says
 * (nss_database.c: a calloc() that is not checked, an assert()).  So there must
 * be some before it is called.
 */
static bool
has_room(void)
{
	void *p = mmap(NULL, LOOKUP_ROOM, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && munmap(p, LOOKUP_ROOM) == 0;
}

static void
lookup_now(struct lookup *l, int flags)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *answer = NULL;
	int rc = has_room() ? getaddrinfo(l->host, l->port, &hints, &answer)
			    : EAI_MEMORY;

	pthread_mutex_lock(&l->lock);
	l->rc = rc;
	l->answer = answer;
	pthread_mutex_unlock(&l->lock);
}

/* *answer_r: what was found, which lives as long as L. */
static int
lookup_answer(struct lookup *l, const struct addrinfo **answer_r)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = l->rc;
	*answer_r = l->answer;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

static void *
lookup_main(void *arg)
{
	struct lookup *l = arg;

	lookup_now(l, 0);
	close(l->done_fd);
	lookup_leave(l);
	return NULL;
}

static int
lookup_in_thread(struct lookup *l, const struct net_conf *conf,
    int64_t deadline, struct err *e)
{
	AUTO_FD done = -1;
	pthread_t thread;
	pthread_attr_t attr;
	sigset_t all, old;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "pipe");
	done = fds[0];
	l->done_fd = fds[1];
	l->users = 2;
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, lookup_main, l);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		l->users = 1;
		close(fds[1]);
		return err_sys(e, ERR_SCOPE_ACCOUNT, rc, "thread");
	}
	if (net_wait(conf, done, POLLIN, deadline, "name lookup", e) < 0) {
		e->scope = ERR_SCOPE_ACCOUNT;
		return e->code;
	}
	return 0;
}

/* One address, until DEADLINE. */
static int
dial_one(const struct net_conf *conf, const struct addrinfo *a,
    int64_t deadline, int *fd_r, struct err *e)
{
	AUTO_FD fd = socket(a->ai_family,
	    a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	int on = 1, rc = 0;
	socklen_t n = sizeof rc;

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "socket");
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			rc = errno;
		else if (net_wait(conf, fd, POLLOUT, deadline, "connect",
			     e) < 0)
			return e->code;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &n) < 0)
			rc = errno;
	}
	if (rc != 0) {
		err_sys(e, ERR_SCOPE_ACCOUNT, rc,
		    "cannot connect to %s port %u", conf->host, conf->port);
		return e->code = ERR_NET;
	}
	/* A pipeline of short commands must not wait for the last ACK. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	*fd_r = fd;
	fd = -1;
	return 0;
}

static bool
is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof in);
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof in6);
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	}
	return false;
}

static int
dial_all(const struct net_conf *conf, const struct addrinfo *list,
    int64_t deadline, int *fd_r, bool *loopback_r, struct err *e)
{
	int64_t left = 0;
	int rc = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	if (left == 0)
		return err_set(e, ERR_NET, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
		    "%s has no address", conf->host);
	for (const struct addrinfo *a = list; a; a = a->ai_next, left--) {
		/* One dead address must not use up the time of the others. */
		int64_t now = clock_mono_ms();

		rc = dial_one(conf, a, now + (deadline - now) / left, fd_r, e);
		if (rc == 0) {
			err_clear(e); /* of the addresses before it */
			*loopback_r = is_loopback(a->ai_addr);
			return 0;
		}
		if (rc == ERR_CANCELED)
			return rc;
	}
	e->scope = ERR_SCOPE_ACCOUNT;
	return rc;
}

int
net_dial(const struct net_conf *conf, int64_t deadline, int *fd_r,
    bool *loopback_r, struct err *e)
{
	const struct addrinfo *answer;
	struct lookup *l;
	int rc = 0, found;

	if (strlen(conf->host) >= sizeof l->host)
		return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER, "host name longer than 255 bytes");
	l = xcalloc(1, sizeof *l);
	pthread_mutex_init(&l->lock, NULL);
	l->users = 1;
	memcpy(l->host, conf->host, strlen(conf->host));
	struct buf port;
	buf_init(&port, sizeof l->port);
	buf_add_u64(&port, conf->port);
	memcpy(l->port, port.p, port.n);
	buf_release(&port);

	lookup_now(l, AI_NUMERICHOST);
	found = lookup_answer(l, &answer);
	if (found != 0)
		rc = lookup_in_thread(l, conf, deadline, e);
	if (rc == 0 && found != 0)
		found = lookup_answer(l, &answer);
	if (rc == 0 && found != 0)
		rc = err_set(e, ERR_NET, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
		    "cannot find host %s: %s", conf->host,
		    gai_strerror(found));
	if (rc == 0)
		rc = dial_all(conf, answer, deadline, fd_r, loopback_r, e);
	lookup_leave(l);
	return rc;
}
