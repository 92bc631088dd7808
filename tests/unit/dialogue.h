/*
 * Our session against a scripted server: what real servers do not do on
 * demand.  A script is lines:
 *
 *	S text   the server sends text and CR LF
 *	R text   the server sends text, and nothing behind it
 *	C text   the client must send just this line
 *	N number the server sends so many octets "x"
 *	D number the client must send so many octets, of whatever kind
 *	X        the server closes
 *
 * At the end of the script the server waits for the client to close, and
 * counts what it still sends as an error.
 */
#ifndef TESTS_DIALOGUE_H
#define TESTS_DIALOGUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "imap/imap.h"
#include "wire/resp.h"

struct server {
	const char *const *script;
	int listener;
	char error[512]; /* "" when all went as written */
	pthread_t thread;
};

struct fixture {
	struct server server;
	struct imap_conf conf;
	struct cancel *cancel;
	struct arena mem;
	struct imap *s;
	struct rview inbox; /* see open_inbox() */
};

static inline void
send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		p += k;
		n -= (size_t)k;
	}
}

/* A line without CR LF; -1 at the end of the stream. */
static inline int
read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1) {
		if (read(fd, line + n, 1) != 1)
			return -1;
		if (line[n] == '\n')
			break;
		n++;
	}
	while (n && (line[n] == '\n' || line[n] == '\r'))
		line[n--] = '\0';
	line[n + 1] = '\0';
	return 0;
}

static inline void
serve(struct server *sv, int fd)
{
	char line[8192], x[1024];

	memset(x, 'x', sizeof x);
	for (const char *const *s = sv->script; *s; s++) {
		const char *text = strlen(*s) > 2 ? *s + 2 : "";
		size_t n = 0;

		switch (**s) {
		case 'S':
		case 'R':
			send_all(fd, text, strlen(text));
			if (**s == 'S')
				send_all(fd, "\r\n", 2);
			break;
		case 'N':
		case 'D':
			for (n = strtoul(text, NULL, 10); n;) {
				size_t k = n < sizeof x ? n : sizeof x;

				if (**s == 'N')
					send_all(fd, x, k);
				else if (fs_read_full(fd, line, k) !=
				    (ssize_t)k)
					return;
				n -= k;
			}
			break;
		case 'C':
			if (read_line(fd, line, sizeof line) < 0)
				snprintf(sv->error, sizeof sv->error,
				    "closed instead of: %s", text);
			else if (strcmp(line, text) != 0)
				snprintf(sv->error, sizeof sv->error,
				    "'%.200s' instead of '%.200s'", line,
				    text);
			if (sv->error[0])
				return;
			break;
		case 'X':
			return;
		}
	}
	if (read_line(fd, line, sizeof line) == 0)
		snprintf(sv->error, sizeof sv->error, "unexpected: %.200s",
		    line);
}

static inline void *
server_main(void *arg)
{
	struct server *sv = arg;
	int fd = accept(sv->listener, NULL, NULL);

	if (fd >= 0) {
		serve(sv, fd);
		close(fd);
	}
	close(sv->listener);
	return NULL;
}

static inline int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	arena_init(&f->mem);
	assert_int_equal(0, cancel_new(&f->cancel, &e));
	f->conf = (struct imap_conf){
	    .net = {.host = "127.0.0.1", .tls = NET_TLS_NONE,
		.connect_ms = 5000, .silence_ms = 5000, .cancel = f->cancel},
	    .user = "ana", .password = SPAN("s3cret"), .kw = kwtab_new()};
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	imap_free(&f->s);
	if (f->server.script) {
		pthread_join(f->server.thread, NULL);
		if (f->server.error[0])
			fail_msg("%s", f->server.error);
	}
	uidset_release(&f->inbox.vanished);
	kwtab_free(&f->conf.kw);
	cancel_free(&f->cancel);
	arena_release(&f->mem);
	xfree(f);
	return 0;
}

static inline struct err
start(struct fixture *f, const char *const *script)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	struct err e = {0};
	const char **kept;
	size_t lines = 0;

	/* the server may have some of it to say after the test's last line */
	while (script[lines])
		lines++;
	kept = arena_array(&f->mem, lines + 1, sizeof *kept);
	memcpy(kept, script, lines * sizeof *kept);
	f->server.script = kept;
	f->server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0,
	    bind(f->server.listener, (struct sockaddr *)&a, n));
	assert_int_equal(0, listen(f->server.listener, 1));
	assert_int_equal(0,
	    getsockname(f->server.listener, (struct sockaddr *)&a, &n));
	f->conf.net.port = ntohs(a.sin_port);
	assert_int_equal(0, pthread_create(&f->server.thread, NULL,
				server_main, &f->server));
	(void)imap_open(&f->conf, &f->s, &e);
	return e;
}
#define START(f, ...)                                                          \
	start((f), (const char *const[]){__VA_ARGS__, NULL})

#define ALL_CAPS                                                               \
	"IMAP4rev1 LITERAL+ UIDPLUS UNSELECT ENABLE QRESYNC LIST-STATUS"
/* Greeting and login of a server that can do all. */
#define LOGIN_ALL                                                              \
	"S * OK [CAPABILITY IMAP4rev1] hello", "C m1 LOGIN \"ana\" \"s3cret\"", \
	    "S m1 OK [CAPABILITY " ALL_CAPS "] in", "C m2 ENABLE QRESYNC",     \
	    "S * ENABLED QRESYNC", "S m2 OK"
/* The same with the extensions CAPS alone; two commands as well. */
#define LOGIN_WITH(caps)                                                       \
	"S * OK hello", "C m1 CAPABILITY", "S * CAPABILITY IMAP4rev1",         \
	    "S m1 OK", "C m2 LOGIN \"ana\" \"s3cret\"",                        \
	    "S m2 OK [CAPABILITY IMAP4rev1 " caps "] in"
#define LOGIN_PLAIN LOGIN_WITH("")

static inline int
select_inbox(struct fixture *f, uint32_t v, uint64_t m,
    struct imap_selected *sel, struct rview *r, struct err *e)
{
	memset(r, 0, sizeof *r);
	uidset_init(&r->vanished);
	return imap_select(f->s, SPAN("INBOX"), false, v, m, &f->mem, sel, r,
	    e);
}

#define SELECT_INBOX                                                           \
	"C m3 SELECT \"INBOX\"", "S * 2 EXISTS", "S * OK [UIDVALIDITY 9] x",   \
	    "S * OK [HIGHESTMODSEQ 11] x", "S m3 OK"

/* What follows in the session is added to the view, which is F's. */
static inline struct rview *
open_inbox(struct fixture *f, struct err *e)
{
	struct imap_selected sel;

	assert_int_equal(e->code, 0);
	uidset_release(&f->inbox.vanished);
	assert_int_equal(0, select_inbox(f, 0, 0, &sel, &f->inbox, e));
	return &f->inbox;
}

#endif
