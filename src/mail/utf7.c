/*
 * Modified UTF-7: printable ASCII stands for itself, "&" is "&-", and every
 * other run of characters is "&" + base64 of its UTF-16BE + "-", where base64
 * has "," for "/" and no padding (RFC 3501 §5.1.3).
 */
#include "mail/utf7.h"

size_t
utf8_char(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte */
	size_t n;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0; /* overlong below */
	else if (p[0] == 0xed)
		hi = 0x9f; /* surrogates above */
	else if (p[0] == 0xf0)
		lo = 0x90; /* overlong below */
	else if (p[0] == 0xf4)
		hi = 0x8f; /* U+110000 above */
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

static bool
is_plain(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* The code point of a valid character of N bytes. */
static uint32_t
code_point(const char *z, size_t n)
{
	const unsigned char *p = (const unsigned char *)z;
	uint32_t c;

	if (n == 1)
		return p[0];
	c = p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3fU);
	return c;
}

static void
add_code_point(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
	} else if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | c >> 12));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | c >> 18));
		buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* Value of a base64 digit, or 64. */
static uint32_t
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == ',' ? 63 : 64;
}

/*
 * One shifted run: S is behind the "&".  Returns the bytes taken, with the
 * "-" that ends it, or 0.
 */
static size_t
decode_run(struct span s, struct buf *b)
{
	uint32_t bits = 0, nbits = 0, high = 0;
	size_t i;

	for (i = 0; i < s.n && s.p[i] != '-'; i++) {
		uint32_t v = digit_value(s.p[i]), unit;

		if (v == 64)
			return 0;
		bits = bits << 6 | v;
		nbits += 6;
		if (nbits < 16)
			continue;
		nbits -= 16;
		unit = bits >> nbits & 0xffff;
		bits &= (1U << nbits) - 1;
		if (unit >= 0xd800 && unit <= 0xdbff) {
			if (high)
				return 0;
			high = unit;
		} else if (unit >= 0xdc00 && unit <= 0xdfff) {
			if (!high)
				return 0;
			add_code_point(b, 0x10000 +
			    ((high - 0xd800) << 10) + (unit - 0xdc00));
			high = 0;
		} else {
			if (high || unit == 0 || is_plain(unit))
				return 0;
			add_code_point(b, unit);
		}
	}
	if (i == s.n || i == 0 || high || nbits >= 6 || bits != 0)
		return 0;
	return i + 1;
}

bool
utf7_decode(struct span s, struct buf *b)
{
	size_t before = b->n, i = 0;
	bool toobig = b->toobig;
	bool after_run = false; /* two runs side by side would be one */

	while (i < s.n) {
		size_t n;

		if (s.p[i] != '&') {
			if (!is_plain((unsigned char)s.p[i]))
				goto bad;
			buf_addc(b, s.p[i++]);
			after_run = false;
			continue;
		}
		i++;
		if (i < s.n && s.p[i] == '-') {
			buf_addc(b, '&');
			i++;
			after_run = false;
			continue;
		}
		n = after_run ? 0 : decode_run(span_of(s.p + i, s.n - i), b);
		if (n == 0)
			goto bad;
		i += n;
		after_run = true;
	}
	return true;
bad:
	b->n = before;
	if (b->p)
		b->p[before] = '\0';
	b->toobig = toobig;
	return false;
}

/* Base64 of a run of UTF-16 units. */
struct shift {
	struct buf *b;
	uint32_t bits, nbits; /* not written yet: fewer than 6 */
	bool open;            /* an "&" is written and not ended */
};

static void
shift_digit(struct shift *w, uint32_t v)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+,";

	buf_addc(w->b, digits[v & 0x3f]);
}

static void
shift_unit(struct shift *w, uint32_t unit)
{
	if (!w->open) {
		buf_addc(w->b, '&');
		w->open = true;
	}
	w->bits = w->bits << 16 | unit;
	w->nbits += 16;
	while (w->nbits >= 6) {
		w->nbits -= 6;
		shift_digit(w, w->bits >> w->nbits);
	}
	w->bits &= (1U << w->nbits) - 1;
}

/* Fill up the last digit with zero bits and end the run. */
static void
shift_end(struct shift *w)
{
	if (!w->open)
		return;
	if (w->nbits)
		shift_digit(w, w->bits << (6 - w->nbits));
	buf_addc(w->b, '-');
	w->open = false;
	w->bits = w->nbits = 0;
}

bool
utf7_encode(struct span s, struct buf *b)
{
	struct shift w = {b, 0, 0, false};
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		n = utf8_char(span_of(s.p + i, s.n - i));
		if (n == 0 || s.p[i] == '\0')
			return false;
	}
	for (size_t i = 0; i < s.n; i += n) {
		uint32_t c;

		n = utf8_char(span_of(s.p + i, s.n - i));
		c = code_point(s.p + i, n);
		if (is_plain(c)) {
			shift_end(&w);
			buf_addc(b, (char)c);
			if (c == '&')
				buf_addc(b, '-');
		} else if (c < 0x10000) {
			shift_unit(&w, c);
		} else {
			c -= 0x10000;
			shift_unit(&w, 0xd800 | c >> 10);
			shift_unit(&w, 0xdc00 | (c & 0x3ff));
		}
	}
	shift_end(&w);
	return true;
}
