/* fuzz-sources: */
/*
 * Maildir file names.  Input: a byte for what is to be shown, a byte for
 * where and with which letters, then the name.
 *
 * A name is its parts put together; the base never changes; what is written
 * is what is read; letters without a meaning stay; writing twice changes
 * nothing the second time.
 */
#include "mail/name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_split(struct span file)
{
	struct name name = name_split(file);

	if (!name.has_info) {
		check(span_eq(name.base, file) && name.info.n == 0);
		return;
	}
	check(name.base.n > 0 && name.base.p == file.p);
	check(name.base.n + 3 + name.info.n == file.n);
	check(memcmp(file.p + name.base.n, ":2,", 3) == 0);
	check(memchr(name.info.p, ':', name.info.n) == NULL);
}

/* Does every byte of A that FLAGS and letters do not explain stand in B? */
static void
check_kept(struct span a, struct span b, const struct kwletters *letters)
{
	for (size_t i = 0; i < a.n && a.p[i] != ','; i++) {
		char c = a.p[i];

		if (strchr("DFPRST", c) && c)
			continue;
		if (letters && c >= 'a' && c <= 'z' && letters->id[c - 'a'])
			continue;
		check(memchr(b.p, c, b.n) != NULL);
	}
	if (span_index(a, ',') < a.n) {
		size_t rest = a.n - span_index(a, ',');

		check(b.n >= rest &&
		    memcmp(b.p + b.n - rest, a.p + a.n - rest, rest) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct kwletters some = {
	    {1, 2, 3, 1, KW_PASSED, 0, 0, 9}};
	const struct kwletters *letters;
	struct arena mem;
	struct flags f = FLAGS_NONE, shown, old;
	struct span file, s, again;
	uint32_t before, after;
	bool in_new;

	if (n < 2)
		return 0;
	arena_init(&mem);
	f.sys = data[0] & FLAG_ALL;
	f = flags_with_kw(&mem, f, data[0] >> 6);
	f = flags_with_kw(&mem, f, data[1] & 8 ? 9 : 0);
	in_new = data[1] & 1;
	letters = data[1] & 2 ? &some : NULL;
	file = span_of((const char *)data + 2, n - 2);
	check_split(file);
	if (!name_is_message(file))
		goto out;
	old = name_flags(&mem, name_split(file).info, letters, &before);

	s = name_with_flags(&mem, file, f, letters, in_new, &shown);
	check(s.n <= (file.n > NAME_LEN_MAX ? file.n : NAME_LEN_MAX));
	check_split(s);
	check(span_eq(name_split(s).base, name_split(file).base));
	check(flags_eq(shown,
	    name_flags(&mem, name_split(s).info, letters, &after)));
	check(before == after);
	/* nothing that F lacks, and all that the letters and the room allow */
	check(flags_empty(flags_minus(&mem, shown, f)));
	if (s.n < NAME_LEN_MAX - 40 && letters == &some)
		check(flags_eq(shown, f));
	if (s.p != file.p)
		check_kept(name_split(file).info, name_split(s).info, letters);
	else
		check(flags_eq(old, shown));
	again = name_with_flags(&mem, s, f, letters, in_new, NULL);
	check(span_eq(again, s));
out:
	arena_release(&mem);
	return 0;
}
