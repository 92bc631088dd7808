/* fuzz-sources: */
/* fuzz-max-len: 2000 */
/*
 * Mailbox names.  Input: a byte that selects delimiter and prefix, then two
 * texts with a zero byte between them.  Each is taken as a wire name, as a
 * path, and as a name; both together show whether different ones stay so, and
 * whether the one, as a pattern, matches the other.
 */
#include "base/buf.h"
#include "mail/layout.h"
#include "mail/utf7.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct server {
	char delim;
	struct span prefix;
};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_inbox(struct span s, char delim)
{
	size_t at = delim ? span_index(s, delim) : s.n;

	return span_eq_case(span_of(s.p, at), SPAN("INBOX"));
}

static bool
has_empty_level(struct span s, char delim)
{
	bool start = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == delim && start)
			return true;
		start = s.p[i] == delim;
	}
	return start;
}

/* No component that leaves the root, means something, or is too long. */
static void
check_path(struct span path, enum layout layout)
{
	size_t from = 0;

	if (layout == LAYOUT_MAILDIRPP && path.n == 0)
		return;
	for (size_t i = 0; i <= path.n; i++) {
		struct span c = span_of(path.p + from, i - from);

		if (i < path.n && path.p[i] != '/') {
			check((unsigned char)path.p[i] >= ' ');
			continue;
		}
		check(c.n > 0 && c.n <= 255);
		check((c.p[0] == '.') == (layout == LAYOUT_MAILDIRPP));
		if (layout == LAYOUT_MAILDIRPP)
			check(i == path.n && c.n > 1 && c.p[1] != '.');
		check(!span_eq(c, SPAN("cur")) && !span_eq(c, SPAN("new")) &&
		    !span_eq(c, SPAN("tmp")));
		from = i + 1;
	}
}

static bool
was_cut(struct span path)
{
	return memmem(path.p, path.n, "%~", 2) != NULL;
}

/* A name of the server, as the tree of mailboxes is given it. */
static struct span
check_wire(struct arena *mem, const struct server *on, struct span wire)
{
	struct span name = layout_name(mem, wire, on->delim, on->prefix);
	struct span back, path;

	for (size_t i = 0, k; i < name.n; i += k) {
		check((unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f);
		k = utf8_char(span_of(name.p + i, name.n - i));
		check(k > 0);
	}
	if (layout_wire(mem, name, on->delim, on->prefix, &back))
		check(span_eq(back, wire) || is_inbox(wire, on->delim) ||
		    !span_starts(wire, on->prefix));
	else
		check(has_empty_level(name, '/') || on->prefix.n);
	for (enum layout l = LAYOUT_NESTED; l <= LAYOUT_MAILDIRPP; l++) {
		path = layout_path(mem, name, l);
		check_path(path, l);
		if (layout_name_of_path(mem, path, l, &back))
			check(span_eq(back, name));
		else
			check(was_cut(path));
	}
	return name;
}

/* What somebody else made: a directory, or a word on the command line. */
static void
check_text(struct arena *mem, const struct server *on, struct span text)
{
	struct span name, wire;

	for (enum layout l = LAYOUT_NESTED; l <= LAYOUT_MAILDIRPP; l++) {
		check_path(layout_path(mem, text, l), l);
		if (!layout_name_of_path(mem, text, l, &name))
			continue;
		check_path(text, l);
		check(span_eq(layout_path(mem, name, l), text));
		if (layout_wire(mem, name, on->delim, on->prefix, &wire))
			check(span_eq(layout_name(mem, wire, on->delim,
			    on->prefix), name));
	}
	if (layout_wire(mem, text, on->delim, on->prefix, &wire)) {
		check(span_eq(layout_name(mem, wire, on->delim, on->prefix),
		    text));
		check(!has_empty_level(wire, on->delim) || !on->delim);
	}
}

/* Does "*" or "%", or one byte, stand for one byte more? */
static bool
takes(char pat, char c, bool nocase)
{
	return pat == '*' || (pat == '%' && c != '/') || pat == c ||
	    (nocase && span_eq_case(span_of(&pat, 1), span_of(&c, 1)));
}

/* By a table of which beginnings match which. */
static void
check_glob(struct span name, struct span pat)
{
	enum { MAX = 80 };
	bool yes[MAX + 1][MAX + 1] = {{true}};
	size_t nocase = is_inbox(name, '/') ? 5 : 0;
	bool exclude = pat.n && pat.p[0] == '!', got;

	got = layout_match(name, &pat, 1);
	if (exclude)
		pat = span_of(pat.p + 1, pat.n - 1);
	if (name.n > MAX || pat.n > MAX)
		return;
	for (size_t p = 1; p <= pat.n; p++) {
		char c = pat.p[p - 1];
		bool wild = c == '*' || c == '%';

		yes[p][0] = wild && yes[p - 1][0];
		for (size_t i = 1; i <= name.n; i++)
			yes[p][i] = (wild && yes[p - 1][i]) ||
			    ((wild ? yes[p][i - 1] : yes[p - 1][i - 1]) &&
				takes(c, name.p[i - 1], i <= nocase));
	}
	check(got == (yes[pat.n][name.n] != exclude));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct server servers[] = {
		{'/', {"", 0}}, {'.', {"", 0}}, {0, {"", 0}},
		{'.', {"INBOX.", 6}}, {'/', {"Mail/", 5}}, {'\\', {"", 0}},
		{'/', {"INBOX/", 6}}, {'&', {"", 0}},
	};
	const struct server *on;
	struct span a, b, name_a, name_b;
	struct arena mem;

	if (n < 1 || n > 2000)
		return 0;
	on = &servers[data[0] % 8];
	a = span_of((const char *)data + 1, n - 1);
	b = span_of(a.p + a.n, 0);
	if (span_index(a, '\0') < a.n) {
		a.n = span_index(a, '\0');
		b = span_of(a.p + a.n + 1, n - 2 - a.n);
	}
	arena_init(&mem);
	name_a = check_wire(&mem, on, a);
	name_b = check_wire(&mem, on, b);
	check_text(&mem, on, a);
	check_text(&mem, on, b);
	check_glob(a, b);
	check_glob(b, a);
	/* INBOX may have other cases, and what has no prefix is elsewhere */
	if (!span_eq(a, b) && !is_inbox(a, on->delim) &&
	    !is_inbox(b, on->delim) && span_starts(a, on->prefix) &&
	    span_starts(b, on->prefix)) {
		check(!span_eq(name_a, name_b));
		for (enum layout l = LAYOUT_NESTED; l <= LAYOUT_MAILDIRPP; l++)
			check(!span_eq(layout_path(&mem, name_a, l),
			    layout_path(&mem, name_b, l)));
	}
	arena_release(&mem);
	return 0;
}
