/* fuzz-sources: */
/*
 * dovecot-keywords.  Input: the file.
 *
 * The first meaning of a letter and the first letter of a keyword count, as
 * a second reading of the text, line by line with the C library, says too;
 * nothing else takes a place in the table; what is written is what is read.
 */
#include "mail/letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 65536 };

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* "NUMBER NAME": digits only, and a name that may be a keyword. */
static bool
read_line(const char *line, size_t n, unsigned long *at_r, char *name)
{
	size_t digits = 0, len;

	while (digits < n && line[digits] >= '0' && line[digits] <= '9')
		digits++;
	if (digits == 0 || digits >= n || line[digits] != ' ')
		return false;
	*at_r = strtoul(line, NULL, 10);
	line += digits + 1;
	len = n - digits - 1;
	if (len && line[len - 1] == '\r')
		len--;
	if (*at_r >= 26 || !flags_keyword_ok(span_of(line, len)))
		return false;
	memcpy(name, line, len);
	name[len] = '\0';
	return true;
}

static void
check_meaning(const char *text, size_t n, const struct kwtab *kw,
    const struct kwletters *l)
{
	char said[26][256] = {""}, name[256];
	uint32_t names = 0;
	unsigned long at;

	for (size_t i = 0, end; i < n; i = end + 1) {
		const char *nl = memchr(text + i, '\n', n - i);
		bool known = false;

		end = nl ? (size_t)(nl - text) : n;
		if (!read_line(text + i, end - i, &at, name) || *said[at])
			continue;
		for (int k = 0; k < 26; k++)
			known |= strcasecmp(said[k], name) == 0;
		if (!known)
			snprintf(said[at], sizeof said[at], "%s", name);
	}
	for (int k = 0; k < 26; k++) {
		struct span s = kwtab_name(kw, l->id[k]);

		check((*said[k] != '\0') == (l->id[k] != 0));
		check(s.n == strlen(said[k]) &&
		    strncasecmp(s.p ? s.p : "", said[k], s.n) == 0);
		names += l->id[k] && l->id[k] != KW_PASSED;
	}
	check(names == kwtab_count(kw));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct kwtab *kw;
	struct kwletters l, again;
	struct buf text;

	if (n > INPUT_MAX)
		return 0;
	kw = kwtab_new();
	l = letters_parse(span_of((const char *)data, n), kw);
	check_meaning((const char *)data, n, kw, &l);
	buf_init(&text, INPUT_MAX);
	letters_format(kw, &l, &text);
	check(text.n <= 26 * (3 + 255 + 1));
	again = letters_parse(buf_span(&text), kw);
	check(memcmp(&l, &again, sizeof l) == 0);
	buf_release(&text);
	kwtab_free(&kw);
	return 0;
}
