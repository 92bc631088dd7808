/*
 * internal: what the files of net/ share.
 *
 *	dial.c    from a name to a connected socket
 *	tls.c     OpenSSL: context, handshake, one read, one write
 *	deflate.c zlib: packs what goes out, unpacks what comes
 *	trust.c   whose certificates count
 *	stream.c  buffers, waiting, and the calls of stream.h
 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include "net/stream.h"

/*
 * A connected, non-blocking socket.  *loopback_r: the peer is this machine.
 * DEADLINE: clock_mono_ms() for all of it.
 */
int net_dial(const struct net_conf *conf, int64_t deadline, int *fd_r,
    bool *loopback_r, struct err *e);

/*
 * Wait until FD has one of EVENTS (poll.h), or DEADLINE, or cancel.  WHAT
 * and CONF are for the message.
 */
int net_wait(const struct net_conf *conf, int fd, short events,
    int64_t deadline, const char *what, struct err *e);

/* What one attempt to read or write came to. */
enum net_io {
	NET_IO_DONE,  /* *n_r bytes */
	NET_IO_AGAIN, /* not now: wait for *events_r */
	NET_IO_END,   /* the peer closed */
	NET_IO_FAILED /* *e is set */
};

struct net_tls_session;

/*
 * Handshake over FD (borrowed), until DEADLINE.  Errors: ERR_TLS scope
 * ACCOUNT for what verification says, ERR_NET, ERR_TIMEOUT, ERR_CANCELED.
 */
int net_tls_open(const struct net_conf *conf, int fd, int64_t deadline,
    struct net_tls_session **t_r, struct err *e);
void net_tls_free(struct net_tls_session **t); /* says goodbye, no wait */
enum net_io net_tls_read(struct net_tls_session *t, char *p, size_t n,
    size_t *n_r, short *events_r, struct err *e);
enum net_io net_tls_write(struct net_tls_session *t, const char *p, size_t n,
    size_t *n_r, short *events_r, struct err *e);
/* What OpenSSL has to say, as far as people can use it. */
const char *net_tls_reason(void);

/*
 * The authorities of FILE, NULL: of the system; *store_r: a reference of the
 * caller's.  get: from T, which reads each file once; read: anew.  ERR_CONFIG,
 * scope ACCOUNT, when it cannot be read.
 */
struct x509_store_st;
int net_trust_get(struct net_trust *t, const char *file,
    struct x509_store_st **store_r, struct err *e);
int net_trust_read(
    const char *file, struct x509_store_st **store_r, struct err *e);

/*
 * Compression, without I/O: the caller moves the octets.  Errors: ERR_PROTO,
 * scope CONN.
 */
struct net_deflate;

/* REST: packed octets that have come already; copied. */
int net_deflate_open(const struct net_conf *conf, struct span rest,
    struct net_deflate **d_r, struct err *e);
void net_deflate_free(struct net_deflate **d);
/* S (below 2 GiB) and a sync flush, appended to OUT; of nothing, nothing. */
int net_deflate_pack(
    struct net_deflate *d, struct span s, struct buf *out, struct err *e);
/*
 * Up to N (not 0) unpacked octets to P.  NET_IO_DONE: *n_r of them.
 * NET_IO_AGAIN: more has to be read, into net_deflate_room(), and its number
 * told to net_deflate_came(); without waiting, as there may be some of it.
 * NET_IO_END: the peer ended its side.
 */
enum net_io net_deflate_unpack(
    struct net_deflate *d, char *p, size_t n, size_t *n_r, struct err *e);
char *net_deflate_room(struct net_deflate *d, size_t *n_r);
void net_deflate_came(struct net_deflate *d, size_t n);

#endif
