/* fuzz-sources: */
/*
 * Modified UTF-7, against the C library's own "UTF-7-IMAP" where it has one
 * (glibc 2.36).  Input: taken as wire bytes and as text.
 *
 * The library is more lenient in decoding; what we accept it must accept and
 * read alike, and what we write must be what it writes.
 */
#include "mail/utf7.h"

#include <iconv.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 4096 };

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* False when this C library does not know one of the two. */
static bool
convert(const char *to, const char *from, struct span s, struct buf *out,
    bool *ok_r)
{
	iconv_t cd = iconv_open(to, from);
	char *in = (char *)(uintptr_t)s.p, *p;
	size_t left = s.n, room = 5 * s.n + 16;

	if (cd == (iconv_t)-1)
		return false;
	p = buf_reserve(out, room);
	*ok_r = p && iconv(cd, &in, &left, &p, &room) != (size_t)-1 &&
	    left == 0 && iconv(cd, NULL, NULL, &p, &room) != (size_t)-1;
	if (*ok_r)
		out->n = (size_t)(p - out->p);
	iconv_close(cd);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = span_of((const char *)data, n);
	struct buf ours, theirs, back;
	bool ok;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	buf_init(&ours, 6 * INPUT_MAX);
	buf_init(&theirs, 6 * INPUT_MAX);
	buf_init(&back, 6 * INPUT_MAX);
	if (utf7_decode(s, &ours)) {
		check(ours.n <= 3 * n);
		check(utf7_encode(buf_span(&ours), &back));
		check(span_eq(buf_span(&back), s));
		if (convert("UTF-8", "UTF-7-IMAP", s, &theirs, &ok))
			check(ok && span_eq(buf_span(&ours),
			    buf_span(&theirs)));
	} else {
		check(ours.n == 0);
	}
	buf_clear(&ours);
	buf_clear(&theirs);
	buf_clear(&back);
	if (utf7_encode(s, &ours)) {
		check(ours.n <= 5 * n);
		check(utf7_decode(buf_span(&ours), &back));
		check(span_eq(buf_span(&back), s));
		if (convert("UTF-7-IMAP", "UTF-8", s, &theirs, &ok))
			check(ok && span_eq(buf_span(&ours),
			    buf_span(&theirs)));
	} else {
		check(ours.n == 0 && memchr(data, 0, n) == NULL
		    ? !convert("UTF-16LE", "UTF-8", s, &theirs, &ok) || !ok
		    : true);
	}
	buf_release(&ours);
	buf_release(&theirs);
	buf_release(&back);
	return 0;
}
