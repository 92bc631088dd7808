/* fuzz-sources: */
/* fuzz-max-len: 1500 */
/*
 * Messages, as they come from a server or lie in a file.  Input: a byte that
 * says how they are cut, one for where the header is cut off, then the message.
 *
 * However it is cut, its file is the same, gives back what came down, and has
 * its content; a header that is cut off gives its field or none, never another.
 */
#include "mail/digest.h"
#include "mail/eol.h"
#include "mail/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX = 1u << 16 };

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* A file made of what comes from a server, as maildir/deliver.c does. */
static bool
take_down(struct span s, size_t step, struct buf *file)
{
	struct eol_down d;
	struct buf wire;
	size_t used;

	eol_down_init(&d);
	buf_init(&wire, MAX);
	for (size_t i = 0; i < s.n; i += used) {
		size_t n = step < s.n - i ? step : s.n - i;

		if (eol_down_feed(&d, s.p + i, n, file, &used)) {
			check(used == n);
			continue;
		}
		check(d.verbatim && used < n);
		eol_expand(file->p, file->n, &wire);
		buf_add_span(&wire, eol_down_held(&d));
		check(span_eq(buf_span(&wire), span_of(s.p, i + used)));
		buf_clear(file);
		buf_add_span(file, buf_span(&wire));
	}
	buf_add_span(file, eol_down_held(&d));
	buf_release(&wire);
	return d.verbatim;
}

static void
canon(struct span s, size_t step, struct buf *out)
{
	struct eol_canon c;

	eol_canon_init(&c);
	for (size_t i = 0; i < s.n; i += step)
		eol_canon_feed(&c, s.p + i, step < s.n - i ? step : s.n - i,
		    out);
}

static struct content
content(struct digest *d, struct span s, size_t step)
{
	struct content c;

	for (size_t i = 0; i < s.n; i += step)
		digest_feed(d, s.p + i, step < s.n - i ? step : s.n - i);
	digest_finish(d, &c);
	check(c.raw == s.n);
	check(c.has_nul == (span_index(s, '\0') < s.n));
	return c;
}

static void
check_content(struct span s, struct span file, struct span canonical,
    size_t step)
{
	struct digest *d = digest_new();
	struct content a = content(d, s, step), b = content(d, file, s.n + 1);

	check(a.size == canonical.n && b.size == canonical.n);
	check(memcmp(a.sha, b.sha, DIGEST_LEN) == 0);
	digest_free(&d);
}

static void
check_lines(struct span s, size_t step, struct buf *canonical)
{
	struct buf file, other, back;
	bool verbatim;

	buf_init(&file, MAX);
	buf_init(&other, MAX);
	buf_init(&back, MAX);
	verbatim = take_down(s, step, &file);
	check(take_down(s, s.n + 1, &other) == verbatim);
	check(span_eq(buf_span(&file), buf_span(&other)));
	if (verbatim)
		buf_add_span(&back, buf_span(&file));
	else
		eol_expand(file.p, file.n, &back);
	check(span_eq(buf_span(&back), s));
	canon(s, step, canonical);
	buf_clear(&back);
	canon(buf_span(&file), s.n + 1, &back);
	check(span_eq(buf_span(&back), buf_span(canonical)));
	buf_clear(&back);
	canon(buf_span(canonical), step, &back);
	check(span_eq(buf_span(&back), buf_span(canonical)));
	check_content(s, buf_span(&file), buf_span(canonical), step);
	buf_release(&file);
	buf_release(&other);
	buf_release(&back);
}

static void
check_header(struct span s, struct span canonical, size_t cut)
{
	struct arena mem;
	struct span whole, other;
	bool found;

	arena_init(&mem);
	found = header_field(&mem, s, "Message-ID", &whole);
	if (found) {
		check(whole.n <= 1000);
		check(memchr(whole.p, '\n', whole.n) == NULL);
		check(whole.n == 0 || (whole.p[0] != ' ' &&
		    whole.p[0] != '\t' && whole.p[whole.n - 1] != ' ' &&
		    whole.p[whole.n - 1] != '\t'));
	}
	check(header_field(&mem, canonical, "Message-ID", &other) == found);
	check(!found || span_eq(whole, other));
	if (header_field(&mem, span_of(s.p, cut < s.n ? cut : s.n),
		"Message-ID", &other))
		check(found && span_eq(whole, other));
	arena_release(&mem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf canonical;
	struct span s;

	if (n < 3 || n > MAX / 4)
		return 0;
	s = span_of((const char *)data + 2, n - 2);
	buf_init(&canonical, MAX);
	check_lines(s, 1 + data[0] % 16, &canonical);
	check_header(s, buf_span(&canonical), data[1]);
	buf_release(&canonical);
	return 0;
}
