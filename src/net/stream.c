/*
 * Rules of this file:
 *  1. The socket never blocks; the only wait is net_wait(), with a deadline
 *     and the cancel.  With a fast peer there is never anything to wait for, so
 *     stream_flush() asks for the cancel, too.
 *  2. While there is something to send, what comes in is taken in too (up to
 *     IN_MAX), so that two full pipes cannot wait for each other.
 *  3. Compressed or not, octets go out at the same moments: what is queued is
 *     packed when it is sent, and ends with a sync flush.  in[] and IN_MAX
 *     are of what has been unpacked.
 *  4. Before each wait for an answer what has come is acknowledged.  A server
 *     with Nagle's algorithm (Cyrus) holds the rest of its answer back until
 *     then, and TCP delays an acknowledgement by up to 40 ms.
 *  5. A server that hangs up says why before (BYE).  So a connection that takes
 *     nothing any more is an error only when all that came is read; until then
 *     what is to be sent is dropped.
 */
#include "net/internal.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_FLUSH (64u << 10) /* send when so much is queued */
#define OUT_MAX (1u << 20)
#define IN_CHUNK (64u << 10)
#define IN_MAX (32u << 20) /* taken in while writing */

struct stream {
	const struct net_conf *conf;
	int fd;
	bool loopback;
	int64_t deadline; /* clock_mono_ms(); that of silence may be earlier */
	struct net_tls_session *tls; /* NULL: plain */
	struct net_deflate *deflate; /* NULL: not compressed */
	struct buf out;
	struct buf packed; /* of out, when compressed */
	char *in; /* owned; in[start..end) is received and not consumed */
	size_t start, end, cap;
	bool ended;   /* the peer closed */
	struct err lost; /* code not 0: nothing can be sent any more (rule 5) */
	bool written; /* since the last wait for data */
	struct stream_stats stats;
};

int
stream_open(const struct net_conf *conf, struct stream **s_r, struct err *e)
{
	int64_t deadline = clock_mono_ms() + conf->connect_ms;
	struct stream *s = xcalloc(1, sizeof *s);

	s->conf = conf;
	s->fd = -1;
	s->deadline = INT64_MAX;
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->packed, OUT_MAX);
	if (net_dial(conf, deadline, &s->fd, &s->loopback, e) < 0 ||
	    (conf->tls == NET_TLS_IMPLICIT &&
		net_tls_open(conf, s->fd, deadline, &s->tls, e) < 0)) {
		stream_free(&s);
		return e->code;
	}
	*s_r = s;
	return 0;
}

void
stream_free(struct stream **s)
{
	if (!*s)
		return;
	net_deflate_free(&(*s)->deflate);
	net_tls_free(&(*s)->tls);
	if ((*s)->fd >= 0)
		close((*s)->fd);
	buf_wipe(&(*s)->out);
	buf_wipe(&(*s)->packed);
	xfree((*s)->in);
	xfree(*s);
	*s = NULL;
}

int
stream_starttls(struct stream *s, struct err *e)
{
	if (stream_flush(s, e) < 0)
		return e->code;
	/*
	 * RFC 9051 §6.2.1, RFC 3501 §11: whatever came behind the OK was not
	 * said by the one whose certificate we are about to check.
	 */
	if (s->end != s->start)
		return err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "%s port %u: data in clear behind STARTTLS: somebody is "
		    "tampering with the connection",
		    s->conf->host, s->conf->port);
	return net_tls_open(s->conf, s->fd,
	    clock_mono_ms() + s->conf->connect_ms, &s->tls, e);
}

int
stream_compress(struct stream *s, struct err *e)
{
	if (stream_flush(s, e) < 0 ||
	    net_deflate_open(s->conf, stream_peek(s), &s->deflate, e) < 0)
		return e->code;
	s->start = s->end;
	return 0;
}

bool
stream_may_compress(const struct stream *s)
{
	return s->conf->compress == NET_COMPRESS_ON ||
	    (s->conf->compress == NET_COMPRESS_AUTO && !s->loopback);
}

static enum net_io
plain_result(struct stream *s, ssize_t rc, short events, size_t *n_r,
    short *events_r, struct err *e)
{
	if (rc > 0) {
		*n_r = (size_t)rc;
		return NET_IO_DONE;
	}
	if (rc == 0)
		return NET_IO_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		*events_r = events;
		return NET_IO_AGAIN;
	}
	err_sys(e, ERR_SCOPE_CONN, errno, "%s port %u", s->conf->host,
	    s->conf->port);
	e->code = ERR_NET;
	return NET_IO_FAILED;
}

/* One attempt below the compression; the statistics are taken here. */
static enum net_io
lower_read(struct stream *s, char *p, size_t n, size_t *n_r, short *events_r,
    struct err *e)
{
	enum net_io io = s->tls
	    ? net_tls_read(s->tls, p, n, n_r, events_r, e)
	    : plain_result(s, recv(s->fd, p, n, 0), POLLIN, n_r, events_r, e);

	if (io == NET_IO_DONE)
		s->stats.bytes_in += *n_r;
	return io;
}

static enum net_io
lower_write(struct stream *s, const char *p, size_t n, size_t *n_r,
    short *events_r, struct err *e)
{
	enum net_io io = s->tls
	    ? net_tls_write(s->tls, p, n, n_r, events_r, e)
	    : plain_result(s, send(s->fd, p, n, MSG_NOSIGNAL), POLLOUT, n_r,
		  events_r, e);

	if (io == NET_IO_DONE)
		s->stats.bytes_out += *n_r;
	return io;
}

static enum net_io
io_read(struct stream *s, char *p, size_t n, size_t *n_r, short *events_r,
    struct err *e)
{
	if (!s->deflate)
		return lower_read(s, p, n, n_r, events_r, e);
	for (;;) {
		size_t room, came = 0;
		enum net_io io = net_deflate_unpack(s->deflate, p, n, n_r, e);

		if (io != NET_IO_AGAIN)
			return io;
		char *raw = net_deflate_room(s->deflate, &room);
		io = lower_read(s, raw, room, &came, events_r, e);
		if (io != NET_IO_DONE)
			return io;
		net_deflate_came(s->deflate, came);
	}
}

static void
make_room(struct stream *s)
{
	size_t have = s->end - s->start;

	if (have == 0)
		s->start = s->end = 0;
	if (s->cap - s->end >= IN_CHUNK)
		return;
	/* Moving is cheap when little is left of much. */
	if (s->start >= have && s->cap - have >= IN_CHUNK) {
		memmove(s->in, s->in + s->start, have);
		s->start = 0;
		s->end = have;
		return;
	}
	s->cap = s->cap ? s->cap * 2 : 2 * IN_CHUNK;
	s->in = xrealloc(s->in, s->cap, 1);
}

/* Take in what is there, without waiting. */
static enum net_io
take_in(struct stream *s, short *events_r, struct err *e)
{
	size_t n = 0;
	enum net_io io;

	if (s->ended)
		return NET_IO_END;
	make_room(s);
	io = io_read(s, s->in + s->end, s->cap - s->end, &n, events_r, e);
	if (io == NET_IO_DONE) {
		s->end += n;
	} else if (io == NET_IO_END) {
		s->ended = true;
	}
	return io;
}

static int
closed(const struct stream *s, struct err *e)
{
	return err_set(e, ERR_NET, ERR_SCOPE_CONN, ERR_RETRY_LATER,
	    "%s port %u: connection closed by the server", s->conf->host,
	    s->conf->port);
}

int
stream_write(struct stream *s, const void *p, size_t n, struct err *e)
{
	const char *from = p;

	while (n) {
		size_t room = OUT_FLUSH - s->out.n;
		size_t have = n < room ? n : room;

		buf_add(&s->out, from, have);
		from += have;
		n -= have;
		if (s->out.n >= OUT_FLUSH && stream_flush(s, e) < 0)
			return e->code;
	}
	return 0;
}

/* Rule 5. */
static int
lose(struct stream *s, struct err *e)
{
	if (e->code != ERR_NET)
		return e->code;
	s->lost = *e;
	err_clear(e);
	return 0;
}

static int64_t
wait_until(const struct stream *s)
{
	int64_t silent = clock_mono_ms() + s->conf->silence_ms;

	return silent < s->deadline ? silent : s->deadline;
}

/* All of P, which the server may be slow to take (rule 2). */
static int
send_all(struct stream *s, struct span p, struct err *e)
{
	size_t sent = 0;

	while (sent < p.n) {
		short wevents = 0, revents = 0;
		size_t n = 0;
		enum net_io io =
		    lower_write(s, p.p + sent, p.n - sent, &n, &wevents, e);

		if (io == NET_IO_FAILED)
			return lose(s, e);
		if (io == NET_IO_END) {
			(void)closed(s, e);
			return lose(s, e);
		}
		if (io == NET_IO_DONE) {
			sent += n;
			s->written = true;
			continue;
		}
		if (s->end - s->start < IN_MAX && !s->ended) {
			io = take_in(s, &revents, e);
			if (io == NET_IO_FAILED)
				return lose(s, e);
			if (io == NET_IO_DONE)
				continue;
		}
		if (net_wait(s->conf, s->fd, (short)(wevents | revents),
			wait_until(s), "sending", e) < 0)
			return e->code;
	}
	return 0;
}

int
stream_flush(struct stream *s, struct err *e)
{
	struct span p = buf_span(&s->out);

	if (cancel_check(s->conf->cancel, e) < 0)
		return e->code;
	if (s->lost.code) {
		buf_clear(&s->out);
		return 0;
	}
	if (s->deflate) {
		buf_clear(&s->packed);
		if (net_deflate_pack(s->deflate, p, &s->packed, e) < 0)
			return e->code;
		p = buf_span(&s->packed);
	}
	if (send_all(s, p, e) < 0)
		return e->code;
	buf_clear(&s->out);
	return 0;
}

struct span
stream_peek(const struct stream *s)
{
	return span_of(s->in ? s->in + s->start : NULL, s->end - s->start);
}

void
stream_consume(struct stream *s, size_t n)
{
	s->start += n;
}

/* Rule 4.  It does not last: whatever is sent undoes it. */
static void
acknowledge(const struct stream *s)
{
#ifdef TCP_QUICKACK
	int on = 1;

	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
	(void)s;
#endif
}

int
stream_fill(struct stream *s, struct err *e)
{
	if (stream_flush(s, e) < 0)
		return e->code;
	if (s->written)
		s->stats.round_trips++;
	s->written = false;
	for (;;) {
		short events = 0;
		enum net_io io = take_in(s, &events, e);

		if (io != NET_IO_DONE && s->lost.code) {
			*e = s->lost;
			return e->code;
		}
		switch (io) {
		case NET_IO_DONE:
			return 0;
		case NET_IO_END:
			return closed(s, e);
		case NET_IO_FAILED:
			return e->code;
		case NET_IO_AGAIN:
			break;
		}
		acknowledge(s);
		if (net_wait(s->conf, s->fd, events, wait_until(s), "reading",
			e) < 0)
			return e->code;
	}
}

void
stream_set_deadline(struct stream *s, int64_t ms)
{
	s->deadline = clock_mono_ms() + ms;
}

struct stream_stats
stream_stats(const struct stream *s)
{
	return s->stats;
}

bool
stream_is_tls(const struct stream *s)
{
	return s->tls != NULL;
}

bool
stream_is_loopback(const struct stream *s)
{
	return s->loopback;
}
