#include "mail/letters.h"

/* "12 name" of one line. */
static void
parse_line(struct span line, struct kwtab *kw, struct kwletters *l)
{
	size_t blank = span_index(line, ' ');
	struct span name;
	uint32_t at, id;

	if (blank == line.n || !span_u32(span_of(line.p, blank), &at) ||
	    at >= 26)
		return;
	/* Looked at first: a name that will not be used takes no place. */
	if (l->id[at])
		return;
	name = span_of(line.p + blank + 1, line.n - blank - 1);
	if (name.n && name.p[name.n - 1] == '\r')
		name.n--;
	id = kwtab_intern(kw, name);
	if (id == 0)
		return;
	for (int i = 0; i < 26; i++)
		if (l->id[i] == id)
			return;
	l->id[at] = id;
}

struct kwletters
letters_parse(struct span text, struct kwtab *kw)
{
	struct kwletters l = {{0}};

	while (text.n) {
		size_t n = span_index(text, '\n');

		parse_line(span_of(text.p, n), kw, &l);
		n += n < text.n;
		text = span_of(text.p + n, text.n - n);
	}
	return l;
}

static bool
has_id(const struct kwletters *l, uint32_t id)
{
	for (int i = 0; i < 26; i++)
		if (l->id[i] == id)
			return true;
	return false;
}

bool
letters_unite(const struct kwletters *a, const struct kwletters *b,
    struct kwletters *all_r)
{
	struct kwletters all = *a;

	for (int i = 0; i < 26; i++) {
		if (b->id[i] == 0 || b->id[i] == a->id[i])
			continue;
		if (a->id[i] != 0 || has_id(a, b->id[i]))
			return false;
		all.id[i] = b->id[i];
	}
	*all_r = all;
	return true;
}

void
letters_format(
    const struct kwtab *kw, const struct kwletters *letters, struct buf *b)
{
	for (unsigned i = 0; i < 26; i++) {
		struct span name = kwtab_name(kw, letters->id[i]);

		if (name.n)
			buf_addf(b, "%u %.*s\n", i, SPAN_ARG(name));
	}
}
