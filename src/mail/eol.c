#include "mail/eol.h"

void
eol_canon_init(struct eol_canon *c)
{
	c->cr = false;
}

void
eol_canon_feed(struct eol_canon *c, const char *p, size_t n, struct buf *out)
{
	const char *end = p + n, *run = p; /* RUN: not yet in OUT */

	if (n == 0)
		return;
	for (const char *q = p; q < end; q++) {
		q = memchr(q, '\n', (size_t)(end - q));
		if (!q)
			break;
		if (q == p ? c->cr : q[-1] == '\r')
			continue;
		buf_add(out, run, (size_t)(q - run));
		buf_addc(out, '\r');
		run = q;
	}
	buf_add(out, run, (size_t)(end - run));
	c->cr = end[-1] == '\r';
}

void
eol_down_init(struct eol_down *d)
{
	d->crs = 0;
	d->verbatim = false;
}

/* Take N bytes without LF: all go to OUT but a CR at the end. */
static void
take(struct eol_down *d, const char *p, size_t n, struct buf *out)
{
	if (n == 0)
		return;
	if (d->crs)
		buf_addc(out, '\r');
	if (p[n - 1] != '\r') {
		d->crs = 0;
		buf_add(out, p, n);
		return;
	}
	if (n == 1 ? d->crs > 0 : p[n - 2] == '\r')
		d->crs = 2;
	else
		d->crs = 1;
	buf_add(out, p, n - 1);
}

bool
eol_down_feed(struct eol_down *d, const char *p, size_t n, struct buf *out,
    size_t *used_r)
{
	size_t i = 0;

	if (d->verbatim) {
		buf_add(out, p, n);
		i = n;
	}
	while (i < n) {
		const char *lf = memchr(p + i, '\n', n - i);
		size_t len = lf ? (size_t)(lf - p) - i : n - i;

		take(d, p + i, len, out);
		i += len;
		if (!lf)
			break;
		if (d->crs != 1) {
			d->verbatim = true;
			*used_r = i;
			return false;
		}
		d->crs = 0; /* the CR that LF form leaves out */
		buf_addc(out, '\n');
		i++;
	}
	*used_r = n;
	return true;
}

struct span
eol_down_held(struct eol_down *d)
{
	struct span held = d->crs ? SPAN("\r") : SPAN("");

	d->crs = 0;
	return held;
}

void
eol_expand(const char *p, size_t n, struct buf *out)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;

		buf_add(out, p, len);
		if (!lf)
			return;
		buf_add(out, "\r\n", 2);
		p += len + 1;
		n -= len + 1;
	}
}
