/*
 * deflate: raw DEFLATE (RFC 1951) in both directions, as RFC 4978 wants it.
 *
 * Rules of this file:
 *  1. Whatever is packed can be unpacked by the peer at once: each piece ends
 *     with a sync flush.
 *  2. Inflating is bounded by the room that the caller has.  What does not fit
 *     stays packed (one octet may stand for a thousand), so the ceilings of
 *     those above hold as they do without compression.
 *  3. Input that yields nothing is bounded, too.
 *
 * What leaks: the size of a packed stream tells something of its contents
 * (RFC 4978 §6, RFC 3749 §6).  CRIME and its kin need a secret that is sent
 * over and over beside text that the attacker chose, in one context.  Here no
 * password or token is ever packed (imap/compress.c begins after the login),
 * and a message crosses the line once, beside whatever was new with it.
 */
#include "net/internal.h"

#include "base/alloc.h"

#include <assert.h>
#include <zlib.h>

#define WINDOW (-15) /* the largest, and no header (RFC 4978 §4) */
/* Text takes a third of the time of level 6 and 5% more; base64 does not mind.
 */
#define LEVEL 4
#define RAW_CHUNK (64u << 10)
/* A flush is 5 octets, a block's code tables at most some 300. */
#define MUTE_MAX (64u << 10)
/* Of a sync flush and a block begun: what deflateBound() does not count. */
#define FLUSH_ROOM 64

struct net_deflate {
	const struct net_conf *conf;
	z_stream out, in;
	bool have_out, have_in; /* initialised */
	char *raw;		/* owned; raw[start..end) is to be inflated */
	size_t start, end, cap;
	bool more;   /* inflate() may hold more than there was room for */
	bool ended;  /* a final block: nothing may follow */
	size_t mute; /* octets in since something came out */
};

static int
failed(const struct net_conf *conf, const char *what, const char *why,
    struct err *e)
{
	return err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
	    "%s port %u: %s: %s (if it stays so, set compress: off)",
	    conf->host, conf->port, what, why);
}

int
net_deflate_open(const struct net_conf *conf, struct span rest,
    struct net_deflate **d_r, struct err *e)
{
	struct net_deflate *d = xcalloc(1, sizeof *d);

	d->conf = conf;
	d->have_out = deflateInit2(&d->out, LEVEL, Z_DEFLATED, WINDOW, 8,
			  Z_DEFAULT_STRATEGY) == Z_OK;
	d->have_in = inflateInit2(&d->in, WINDOW) == Z_OK;
	if (!d->have_out || !d->have_in) {
		net_deflate_free(&d);
		return failed(conf, "cannot compress", "no memory", e);
	}
	d->cap = rest.n > RAW_CHUNK ? rest.n : RAW_CHUNK;
	d->raw = xcalloc(d->cap, 1);
	if (rest.n)
		memcpy(d->raw, rest.p, rest.n);
	d->end = rest.n;
	*d_r = d;
	return 0;
}

void
net_deflate_free(struct net_deflate **d)
{
	if (!*d)
		return;
	if ((*d)->have_out)
		(void)deflateEnd(&(*d)->out);
	if ((*d)->have_in)
		(void)inflateEnd(&(*d)->in);
	xfree((*d)->raw);
	xfree(*d);
	*d = NULL;
}

int
net_deflate_pack(
    struct net_deflate *d, struct span s, struct buf *out, struct err *e)
{
	uLong room;
	int rc;

	if (s.n == 0)
		return 0;
	assert(s.n <= UINT32_MAX / 2); /* stream.c: 64 KiB */
	room = deflateBound(&d->out, (uLong)s.n) + FLUSH_ROOM;
	d->out.next_in = (z_const Bytef *)(uintptr_t)s.p;
	d->out.avail_in = (uInt)s.n;
	do {
		char *to = buf_reserve(out, room);

		if (!to)
			return failed(
			    d->conf, "cannot compress", "too much at once", e);
		d->out.next_out = (Bytef *)to;
		d->out.avail_out = (uInt)room;
		rc = deflate(&d->out, Z_SYNC_FLUSH);
		out->n += room - d->out.avail_out;
		/* A full buffer: there is more of it (zlib.h). */
	} while (rc == Z_OK && d->out.avail_out == 0);
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return failed(d->conf, "cannot compress",
		    d->out.msg ? d->out.msg : "zlib fails", e);
	return 0;
}

char *
net_deflate_room(struct net_deflate *d, size_t *n_r)
{
	assert(d->start == d->end);
	d->start = d->end = 0;
	*n_r = d->cap;
	return d->raw;
}

void
net_deflate_came(struct net_deflate *d, size_t n)
{
	assert(n <= d->cap - d->end);
	d->end += n;
}

enum net_io
net_deflate_unpack(
    struct net_deflate *d, char *p, size_t n, size_t *n_r, struct err *e)
{
	size_t used, got;
	int rc;

	/* After the final block nothing can come: that is a way to hang up. */
	if (d->ended)
		return NET_IO_END;
	if (d->start == d->end && !d->more)
		return NET_IO_AGAIN;
	if (n > UINT32_MAX / 2)
		n = UINT32_MAX / 2;
	d->in.next_in = (Bytef *)d->raw + d->start;
	d->in.avail_in = (uInt)(d->end - d->start);
	d->in.next_out = (Bytef *)p;
	d->in.avail_out = (uInt)n;
	rc = inflate(&d->in, Z_SYNC_FLUSH);
	used = d->end - d->start - d->in.avail_in;
	got = n - d->in.avail_out;
	d->start += used;
	d->more = d->in.avail_out == 0;
	d->ended = rc == Z_STREAM_END;
	/* Z_BUF_ERROR: nothing was to be done, and nothing is wrong. */
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
		(void)failed(d->conf, "cannot read compressed data",
		    d->in.msg ? d->in.msg : "zlib fails", e);
		return NET_IO_FAILED;
	}
	if (got) {
		d->mute = 0;
		*n_r = got;
		return NET_IO_DONE;
	}
	d->mute += used;
	if (d->mute > MUTE_MAX) {
		(void)failed(d->conf, "cannot read compressed data",
		    "there is nothing in it", e);
		return NET_IO_FAILED;
	}
	return d->ended ? NET_IO_END : NET_IO_AGAIN;
}
