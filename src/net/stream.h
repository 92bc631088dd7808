/*
 * stream: a byte stream to a server: TCP, then perhaps TLS, then perhaps
 * DEFLATE.
 *
 * Calls look blocking.  Underneath the socket is non-blocking and every wait
 * is poll({socket, cancel}) with a deadline on silence.  While it writes, it
 * also takes in what the server sends (into a buffer with a ceiling), so that
 * a long pipeline cannot stop both sides.  One thread per stream.
 *
 * Errors: ERR_NET, ERR_TIMEOUT, ERR_TLS, ERR_CANCELED, and ERR_PROTO for what
 * cannot be decompressed; scope CONN (ACCOUNT for name resolution, connect and
 * certificate failures).
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

struct net_trust;

enum net_tls { NET_TLS_IMPLICIT, NET_TLS_STARTTLS, NET_TLS_NONE };

/* AUTO: unless the peer is on this machine. */
enum net_compress { NET_COMPRESS_AUTO, NET_COMPRESS_ON, NET_COMPRESS_OFF };

struct net_conf {
	const char *host;      /* name or address literal */
	uint16_t port;
	enum net_tls tls;
	const char *tls_ca;    /* PEM file; NULL: the system's store */
	enum net_compress compress; /* what stream_may_compress() says */
	struct net_trust *trust; /* trust.h; borrowed; NULL: read it again */
	int64_t connect_ms;    /* over all addresses, handshake included */
	int64_t silence_ms;    /* longest wait for a byte, or to write one */
	const struct cancel *cancel; /* borrowed; may be NULL */
};

/*
 * What OpenSSL keeps for the calling thread goes: before a thread ends that has
 * used this room, or digests.  (Its own destructor may come too late for the
 * end of the program.)  Whoever uses them afterwards begins anew.
 */
void net_thread_end(void);

struct stream;

/*
 * Resolve, connect (each address in turn, RFC 8305 order without the race),
 * and for NET_TLS_IMPLICIT do the handshake: TLS 1.2 or later, certificate
 * chain and host name verified (RFC 9525: SAN only), SNI.  CONF is borrowed
 * for the life of the stream.
 */
int stream_open(const struct net_conf *conf, struct stream **s_r,
    struct err *e);
void stream_free(struct stream **s); /* closes at once */
DEFINE_AUTO(stream)

/*
 * TLS on an open plain stream (STARTTLS).  Plaintext that was received but
 * not yet read is an attack (RFC 9051 §6.2.1): ERR_TLS.
 */
int stream_starttls(struct stream *s, struct err *e);

/*
 * From now on both directions are raw DEFLATE (RFC 4978 §3), inside TLS where
 * there is one.  What has been received and not yet consumed is taken for
 * compressed already.  Once for a stream, and only after the login: see
 * deflate.c.
 */
int stream_compress(struct stream *s, struct err *e);
/* Does the configuration let this stream be compressed? */
bool stream_may_compress(const struct stream *s);

/*
 * Queue; sent when 64 KiB are queued, and by stream_flush and stream_fill.
 * That the connection is cut is an error of stream_fill() alone, once it has
 * given all that had come.
 */
int stream_write(struct stream *s, const void *p, size_t n, struct err *e);
int stream_flush(struct stream *s, struct err *e);

/*
 * Bytes received and not yet consumed.  stream_fill() first flushes, then
 * waits until there is at least one more byte than before; end of stream is
 * ERR_NET "closed by the server".
 */
struct span stream_peek(const struct stream *s);
void stream_consume(struct stream *s, size_t n);
int stream_fill(struct stream *s, struct err *e);

/* MS from now the last wait ends, however often the peer breaks its silence. */
void stream_set_deadline(struct stream *s, int64_t ms);

/* Counters for reports. A round trip: a wait for data after having written. */
struct stream_stats {
	uint64_t bytes_in, bytes_out; /* as compressed, before TLS */
	uint64_t round_trips;
};
struct stream_stats stream_stats(const struct stream *s);

bool stream_is_tls(const struct stream *s);
/* The peer is on this machine (127.0.0.0/8, ::1). */
bool stream_is_loopback(const struct stream *s);

#endif
