/*
 * A peer for a stream: one connection on loopback, served by a function in a
 * thread of its own.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"

struct server {
	int listener;
	void (*serve)(int fd);
	pthread_t thread;
	struct net_conf conf;
};

static inline void *
server_main(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->listener, NULL, NULL);

	if (fd >= 0) {
		s->serve(fd);
		close(fd);
	}
	return NULL;
}

static inline void
start(struct server *s, void (*serve)(int fd))
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	s->serve = serve;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(s->listener, (struct sockaddr *)&a, n));
	assert_int_equal(0, listen(s->listener, 1));
	assert_int_equal(0,
	    getsockname(s->listener, (struct sockaddr *)&a, &n));
	s->conf = (struct net_conf){.host = "127.0.0.1",
	    .port = ntohs(a.sin_port), .tls = NET_TLS_NONE,
	    .connect_ms = 5000, .silence_ms = 5000};
	assert_int_equal(0, pthread_create(&s->thread, NULL, server_main, s));
}

static inline void
stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

#endif
