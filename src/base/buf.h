/*
 * buf: a growing byte buffer with a mandatory ceiling.
 *
 * Writers do not return errors: the first one that would pass the ceiling
 * sets .toobig, and it and all later ones add nothing.  Check once, at the
 * end.  buf.p is always NUL-terminated behind n once anything was added.
 * One thread.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

struct buf {
	char *p; /* owned; NULL until the first byte */
	size_t n, cap, max;
	bool toobig;
};

void buf_init(struct buf *b, size_t max); /* bytes, without the NUL */
void buf_release(struct buf *b); /* leaves an empty, usable buf */
void buf_clear(struct buf *b);   /* n = 0, toobig = false, memory kept */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_span(struct buf *b, struct span s);
void buf_add_str(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_add_u64(struct buf *b, uint64_t v);
/* S as a word of a shell's command line, in quotes only where it needs them. */
void buf_add_shell(struct buf *b, struct span s);
/* Room for N more bytes at p + n (then set n yourself); NULL when too big. */
char *buf_reserve(struct buf *b, size_t n);
struct span buf_span(const struct buf *b);
const char *buf_cstr(struct buf *b); /* never NULL */
/* Overwrite with zeros, then release: for secrets. */
void buf_wipe(struct buf *b);

#endif
