#include "cli/internal.h"

#include "mail/utf7.h"

#include <wchar.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* The code point of one valid UTF-8 character of N bytes. */
static wchar_t
decode(const char *p, size_t n)
{
	static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned v = (unsigned char)p[0] & mask[n];

	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)p[i] & 0x3f);
	return (wchar_t)v;
}

/*
 * The next character of S: its bytes, what to print for it, its columns.
 * wcwidth() knows the width only in a UTF-8 locale; what it cannot tell and
 * is no control character counts as one.
 */
static size_t
next_char(struct span s, struct span *show_r, size_t *columns_r)
{
	size_t n = utf8_char(s);
	wchar_t c;
	int w;

	*show_r = SPAN("?");
	*columns_r = 1;
	if (n == 0)
		return 1;
	c = decode(s.p, n);
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return n;
	/* Line and paragraph separators, and marks that turn text around. */
	if (c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return n;
	*show_r = span_of(s.p, n);
	w = wcwidth(c);
	if (w >= 0)
		*columns_r = (size_t)w;
	return n;
}

size_t
cli_text_width(struct span s)
{
	struct span show;
	size_t columns, width = 0;

	while (s.n > 0) {
		size_t n = next_char(s, &show, &columns);

		s = span_of(s.p + n, s.n - n);
		width += columns;
	}
	return width;
}

size_t
cli_text_add(struct buf *out, struct span s, size_t width)
{
	bool cut = width > 0 && cli_text_width(s) > width;
	size_t room = cut ? width - 1 : SIZE_MAX;
	size_t used = 0;

	while (s.n > 0) {
		struct span show;
		size_t columns, n = next_char(s, &show, &columns);

		if (columns > room - used)
			break;
		buf_add_span(out, show);
		used += columns;
		s = span_of(s.p + n, s.n - n);
	}
	if (cut) {
		buf_add_str(out, ELLIPSIS);
		used++;
	}
	return used;
}

const char *
cli_text_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void
cli_text_size(struct buf *out, uint64_t bytes)
{
	static const char *const unit[] = {
	    "B", "kB", "MB", "GB", "TB", "PB", "EB"};
	uint64_t whole = bytes, tenth = 0;
	size_t i = 0;

	/* Cut, not rounded: 999,999 is 999 kB and never 1000 kB. */
	while (whole >= 1000) {
		tenth = whole % 1000 / 100;
		whole /= 1000;
		i++;
	}
	if (i == 0)
		buf_addf(out, "%llu %s", (unsigned long long)whole, unit[0]);
	else if (whole < 10)
		buf_addf(out, "%llu.%llu %s", (unsigned long long)whole,
		    (unsigned long long)tenth, unit[i]);
	else
		buf_addf(out, "%llu %s", (unsigned long long)whole, unit[i]);
}

void
cli_text_duration(struct buf *out, uint64_t seconds)
{
	unsigned long long h = seconds / 3600, m = seconds / 60 % 60,
			   s = seconds % 60;

	if (h >= 24)
		buf_add_str(out, "> 1 day");
	else if (h > 0)
		buf_addf(out, "%llu:%02llu:%02llu", h, m, s);
	else
		buf_addf(out, "%llu:%02llu", m, s);
}
