#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_release(struct buf *b)
{
	xfree(b->p);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->toobig = false;
	if (b->p)
		b->p[0] = '\0';
}

static bool
means_itself(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c >= 0x80 ||
	       (c && strchr("%+,-./:=@_", c));
}

void
buf_add_shell(struct buf *b, struct span s)
{
	size_t n = s.n + 2;
	bool plain = s.n > 0;
	char *p;

	for (size_t i = 0; i < s.n; i++) {
		plain &= means_itself((unsigned char)s.p[i]);
		n += s.p[i] == '\'' ? 3 : 0;
	}
	if (plain) {
		buf_add_span(b, s);
		return;
	}
	p = buf_reserve(b, n);
	if (!p)
		return;
	b->n += n;
	*p++ = '\'';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'') { /* end, the quote itself, begin */
			*p++ = '\'';
			*p++ = '\\';
			*p++ = '\'';
		}
		*p++ = s.p[i];
	}
	*p++ = '\'';
	*p = '\0';
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	if (b->toobig || n > b->max || b->n > b->max - n ||
	    b->n + n == SIZE_MAX) {
		b->toobig = true;
		return NULL;
	}
	need = b->n + n + 1;
	if (need > b->cap) {
		cap = b->cap ? b->cap : 64;
		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		b->p = xrealloc(b->p, cap, 1);
		b->cap = cap;
	}
	return b->p + b->n;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (!to)
		return;
	if (n)
		memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void
buf_add_str(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->toobig = true; /* longer than an int */
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof digits - at);
}

struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

const char *
buf_cstr(struct buf *b)
{
	return b->p ? b->p : "";
}

void
buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_release(b);
}
