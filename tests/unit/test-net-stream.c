#include "peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

#define FLOOD (8u << 20)

static void
echo(int fd)
{
	char p[4096];
	ssize_t n;

	while ((n = read(fd, p, sizeof p)) > 0)
		if (send(fd, p, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

/* Writes a lot before it reads anything. */
static void
flood(int fd)
{
	static char p[65536];
	size_t left = FLOOD;

	memset(p, 'x', sizeof p);
	for (size_t at = 0; at < FLOOD; at += sizeof p)
		if (send(fd, p, sizeof p, MSG_NOSIGNAL) != sizeof p)
			return;
	while (left) {
		ssize_t n = read(fd, p, sizeof p);

		if (n <= 0)
			return;
		left -= (size_t)n;
	}
	(void)!send(fd, "done", 4, MSG_NOSIGNAL);
}

static void
hang_up(int fd)
{
	(void)fd;
}

static void
say_bye(int fd)
{
	(void)!send(fd, "* BYE busy\r\n", 12, MSG_NOSIGNAL);
}

static void
talk_plainly(int fd)
{
	(void)!send(fd, "* OK hello\r\n", 12, MSG_NOSIGNAL);
	echo(fd);
}

static void
say_nothing(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		continue;
}

/* Takes what comes, and says more than anybody can wait for. */
static void
talk_and_listen(int fd)
{
	char p[65536] = {0};
	ssize_t n;

	do {
		n = recv(fd, p, sizeof p, MSG_DONTWAIT);
		if (n != 0)
			n = send(fd, p, sizeof p, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
}

static void
test_bytes_come_back(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	struct err e;

	(void)state;
	start(&sv, echo);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_true(stream_is_loopback(s) && !stream_is_tls(s));
	for (int round = 1; round <= 3; round++) {
		assert_int_equal(0, stream_write(s, "abc", 3, &e));
		assert_int_equal(0, stream_write(s, "def", 3, &e));
		while (stream_peek(s).n < 6)
			assert_int_equal(0, stream_fill(s, &e));
		assert_memory_equal(stream_peek(s).p, "abcdef", 6);
		stream_consume(s, 2);
		assert_memory_equal(stream_peek(s).p, "cdef", 4);
		stream_consume(s, 4);
		assert_int_equal(stream_stats(s).round_trips, round);
		assert_int_equal(stream_stats(s).bytes_out, 6 * round);
		assert_int_equal(stream_stats(s).bytes_in, 6 * round);
	}
	stream_free(&s);
	stop(&sv);
}

/* Echo, as slow as any server: there is time to wait for it. */
static void
echo_slowly(int fd)
{
	char p[4096];
	ssize_t n;

	while ((n = read(fd, p, sizeof p)) > 0) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		if (send(fd, p, (size_t)n, MSG_NOSIGNAL) != n)
			return;
	}
}

/* The socket of the connection to SV's port. */
static int
socket_to(const struct server *sv)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_in a = {0};
		socklen_t n = sizeof a;

		if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
		    a.sin_family == AF_INET && ntohs(a.sin_port) == sv->conf.port)
			return fd;
	}
	fail();
	return -1;
}

static void
test_who_waits_has_acknowledged(void **state)
{
#ifndef TCP_QUICKACK
	skip();
#else
	struct server sv = {0};
	AUTO(stream) s = NULL;
	struct err e;
	int at_once = 0;

	(void)state;
	start(&sv, echo_slowly);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	/* The system delays acknowledgements once it has seen a dialogue; and
	 * what is there already is not waited for. */
	for (int round = 0; round < 20; round++) {
		int on = 0;
		socklen_t n = sizeof on;

		assert_int_equal(0, stream_write(s, "abc", 3, &e));
		while (stream_peek(s).n < 3)
			assert_int_equal(0, stream_fill(s, &e));
		stream_consume(s, 3);
		assert_int_equal(0, getsockopt(socket_to(&sv), IPPROTO_TCP,
				       TCP_QUICKACK, &on, &n));
		if (round > 4)
			at_once += on;
	}
	assert_true(at_once > 0);
	stream_free(&s);
	stop(&sv);
#endif
}

static void
test_two_full_pipes_do_not_wait_for_each_other(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	char *p = xcalloc(1, FLOOD);
	struct err e;

	(void)state;
	start(&sv, flood);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, stream_write(s, p, FLOOD, &e));
	assert_int_equal(0, stream_flush(s, &e));
	while (stream_peek(s).n < FLOOD + 4)
		assert_int_equal(0, stream_fill(s, &e));
	assert_memory_equal(stream_peek(s).p + FLOOD, "done", 4);
	stream_free(&s);
	stop(&sv);
	xfree(p);
}

static void
test_what_was_said_last_is_read_though_nothing_can_be_sent(void **state)
{
	char p[1000] = {0};
	struct server sv = {0};
	struct stream *s = NULL;
	struct err e;

	(void)state;
	start(&sv, say_bye);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	pthread_join(sv.thread, NULL); /* it has said it, and is gone */
	close(sv.listener);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(0, stream_write(s, p, sizeof p, &e));
		assert_int_equal(0, stream_flush(s, &e));
	}
	assert_int_equal(0, stream_fill(s, &e));
	assert_memory_equal(stream_peek(s).p, "* BYE busy\r\n", 12);
	stream_consume(s, 12);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ERR_NET, stream_fill(s, &e));
		assert_int_equal(e.scope, ERR_SCOPE_CONN);
	}
	stream_free(&s);
}

static void
test_how_connections_end(void **state)
{
	struct server sv = {0};
	struct cancel *c;
	struct stream *s = NULL;
	struct err e;

	(void)state;
	start(&sv, hang_up);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(ERR_NET, stream_fill(s, &e));
	assert_int_equal(e.scope, ERR_SCOPE_CONN);
	stream_free(&s);
	stop(&sv);
	/* nobody listens there any more */
	assert_int_equal(ERR_NET, stream_open(&sv.conf, &s, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);

	start(&sv, say_nothing);
	sv.conf.silence_ms = 30;
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(ERR_TIMEOUT, stream_fill(s, &e));
	assert_int_equal(0, cancel_new(&c, &e));
	sv.conf.cancel = c;
	cancel_raise(c);
	assert_int_equal(ERR_CANCELED, stream_fill(s, &e));
	stream_free(&s);
	assert_int_equal(ERR_CANCELED, stream_open(&sv.conf, &s, &e));
	cancel_free(&c);
	stop(&sv);
}

/* Never silent for long, and never done. */
static void
drip(int fd)
{
	do
		(void)usleep(20000);
	while (send(fd, ".", 1, MSG_NOSIGNAL) == 1);
}

static void
test_a_deadline_holds_for_those_who_drip(void **state)
{
	struct server sv = {0};
	struct stream *s = NULL;
	int64_t begin = clock_mono_ms();
	struct err e;
	int rc;

	(void)state;
	start(&sv, drip);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	stream_set_deadline(s, 200);
	do
		rc = stream_fill(s, &e);
	while (rc == 0 && clock_mono_ms() - begin < 4000);
	assert_int_equal(rc, ERR_TIMEOUT);
	stream_free(&s);
	stop(&sv);
}

static void
test_a_cancel_is_seen_by_those_who_never_wait(void **state)
{
	static const char p[1u << 17];
	struct server sv = {0};
	struct cancel *c;
	struct stream *s = NULL;
	struct err e;

	(void)state;
	start(&sv, talk_and_listen);
	assert_int_equal(0, cancel_new(&c, &e));
	sv.conf.cancel = c;
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, stream_fill(s, &e));
	stream_consume(s, stream_peek(s).n);
	(void)usleep(100000); /* by now there is more */
	cancel_raise(c);
	assert_int_equal(ERR_CANCELED, stream_fill(s, &e));
	assert_int_equal(ERR_CANCELED, stream_write(s, p, sizeof p, &e));
	stream_free(&s);
	cancel_free(&c);
	stop(&sv);
}

static void
test_tls_with_one_who_does_not_speak_it(void **state)
{
	struct server sv = {0};
	struct stream *s = NULL;
	struct err e;

	(void)state;
	start(&sv, talk_plainly);
	sv.conf.tls = NET_TLS_IMPLICIT;
	assert_int_equal(ERR_TLS, stream_open(&sv.conf, &s, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_null(s);
	stop(&sv);
	start(&sv, say_nothing);
	sv.conf.tls = NET_TLS_IMPLICIT;
	sv.conf.connect_ms = 50;
	assert_int_equal(ERR_TIMEOUT, stream_open(&sv.conf, &s, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	stop(&sv);
}

static void
test_what_was_said_before_starttls_is_an_attack(void **state)
{
	struct server sv = {0};
	AUTO(stream) s = NULL;
	struct err e;

	(void)state;
	start(&sv, talk_plainly);
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, stream_fill(s, &e));
	stream_consume(s, 5);
	assert_int_equal(ERR_TLS, stream_starttls(s, &e));
	assert_non_null(strstr(e.text, "tampering"));
	stream_free(&s);
	stop(&sv);
}

static void
test_names_that_do_not_exist(void **state)
{
	struct net_conf conf = {.host = "no-such-host.invalid", .port = 143,
	    .tls = NET_TLS_NONE, .connect_ms = 20000, .silence_ms = 1000};
	struct stream *s = NULL;
	struct err e;

	(void)state;
	assert_true(stream_open(&conf, &s, &e) < 0);
	assert_true(e.code == ERR_NET || e.code == ERR_TIMEOUT);
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(err_exit_status(&e), 69);
}

/*
 * A name with two addresses, which only the test knows of; the linker puts
 * these in the place of libc's (src/net/local.mk).
 */
static struct addrinfo *two_addresses;

int __real_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **list_r);
int __wrap_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **list_r);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int
__wrap_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **list_r)
{
	if (strcmp(host, "two.test") != 0)
		return __real_getaddrinfo(host, port, hints, list_r);
	*list_r = two_addresses;
	return 0;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
	if (list != two_addresses)
		__real_freeaddrinfo(list);
}

/* "localhost" is ::1 first, and most servers here listen at 127.0.0.1 only. */
static void
test_the_second_address_answers(void **state)
{
	struct sockaddr_in in[2];
	struct addrinfo a[2];
	struct server gone = {0}, sv = {0};
	struct stream *s = NULL;
	struct err e = {0};

	(void)state;
	start(&gone, hang_up);
	start(&sv, echo);
	for (int i = 0; i < 2; i++) {
		in[i] = (struct sockaddr_in){.sin_family = AF_INET,
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		    .sin_port = htons(i ? sv.conf.port : gone.conf.port)};
		a[i] = (struct addrinfo){.ai_family = AF_INET,
		    .ai_socktype = SOCK_STREAM,
		    .ai_addr = (struct sockaddr *)&in[i],
		    .ai_addrlen = sizeof in[i],
		    .ai_next = i ? NULL : &a[1]};
	}
	stop(&gone);
	two_addresses = a;
	sv.conf.host = "two.test";
	assert_int_equal(0, stream_open(&sv.conf, &s, &e));
	assert_int_equal(0, e.code);
	assert_string_equal("", e.text);
	stream_free(&s);
	stop(&sv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes_come_back),
	    cmocka_unit_test(test_who_waits_has_acknowledged),
	    cmocka_unit_test(test_two_full_pipes_do_not_wait_for_each_other),
	    cmocka_unit_test(
		test_what_was_said_last_is_read_though_nothing_can_be_sent),
	    cmocka_unit_test(test_how_connections_end),
	    cmocka_unit_test(test_a_deadline_holds_for_those_who_drip),
	    cmocka_unit_test(test_a_cancel_is_seen_by_those_who_never_wait),
	    cmocka_unit_test(test_tls_with_one_who_does_not_speak_it),
	    cmocka_unit_test(test_what_was_said_before_starttls_is_an_attack),
	    cmocka_unit_test(test_names_that_do_not_exist),
	    cmocka_unit_test(test_the_second_address_answers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
