#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/map.h"
#include "mail/layout.h"
#include "mail/utf7.h"

static int
set_up(void **state)
{
	struct arena *mem = test_malloc(sizeof *mem);

	arena_init(mem);
	*state = mem;
	return 0;
}

static int
tear_down(void **state)
{
	arena_release(*state);
	test_free(*state);
	return 0;
}

static void
assert_span(struct span s, const char *want)
{
	if (!span_eq(s, span_str(want)))
		fail_msg("'%.*s' is not '%s'", SPAN_ARG(s), want);
}

/* Both ways. */
static void
assert_name(struct arena *mem, const char *wire, char delim,
    const char *prefix, const char *name)
{
	struct span back;

	assert_span(layout_name(mem, span_str(wire), delim, span_str(prefix)),
	    name);
	if (!layout_wire(mem, span_str(name), delim, span_str(prefix), &back))
		fail_msg("no wire name for '%s'", name);
	assert_span(back, wire);
}

static void
names_and_wire_names_go_both_ways(void **state)
{
	struct arena *m = *state;

	assert_name(m, "INBOX", '/', "", "INBOX");
	assert_name(m, "Work/2024", '/', "", "Work/2024");
	assert_name(m, "Work.2024", '.', "", "Work/2024");
	assert_name(m, "Work\\2024", '\\', "", "Work/2024");
	assert_name(m, "Work.2024", 0, "", "Work.2024");
	assert_name(m, "a/b", 0, "", "a%2Fb");
	assert_name(m, "a/b.c", '.', "", "a%2Fb/c");
	assert_name(m, "Entw&APw-rfe", '/', "", "Entw\xc3\xbcrfe");
	assert_name(m, "R&-D", '/', "", "R&D");
	assert_name(m, "100%", '/', "", "100%25");
	assert_name(m, "%2F", '/', "", "%252F");
	assert_name(m, ".x/..", '/', "", ".x/..");
	assert_name(m, "INBOX/x", '/', "", "INBOX/x");
	assert_name(m, "INBOX.x", '.', "", "INBOX/x");
	assert_name(m, "x/inbox", '/', "", "x/inbox");
	assert_name(m, "inboxes", '/', "", "inboxes");
}

static void
a_level_that_is_not_modified_utf7_is_kept_and_marked(void **state)
{
	struct arena *m = *state;

	assert_name(m, "R&D", '/', "", "R%26D");
	assert_name(m, "R&D/R&-D", '/', "", "R%26D/R&D");
	assert_name(m, "\xc3\xa4", '/', "", "%C3%A4");
	assert_name(m, "a\tb", '/', "", "a%09b");
	assert_name(m, "a&AAk-b", '/', "", "a%26AAk-b"); /* decodes to TAB */
	assert_name(m, "a&AIU-b", '/', "", "a%26AIU-b"); /* U+0085 */
	assert_name(m, "&AKA-", '/', "", "\xc2\xa0");
	assert_name(m, "a\x7f", '/', "", "a%7F");
	assert_name(m, "50%&", '.', "", "50%25%26");
	assert_name(m, "&AEkATgBCAE8AWA-", '/', "", "%26AEkATgBCAE8AWA-");
}

static void
inbox_has_no_case_as_the_first_level(void **state)
{
	struct arena *m = *state;

	assert_span(layout_name(m, SPAN("Inbox"), '/', SPAN("")), "INBOX");
	assert_span(layout_name(m, SPAN("inbox/Sub"), '/', SPAN("")),
	    "INBOX/Sub");
	assert_span(layout_name(m, SPAN("inbox.Sub"), '/', SPAN("")),
	    "inbox.Sub");
	assert_span(layout_name(m, SPAN("Inbox"), 0, SPAN("")), "INBOX");
	assert_span(layout_name(m, SPAN("iNbOx.a"), '.', SPAN("INBOX.")),
	    "a");
	assert_span(layout_name(m, SPAN("inbox"), '.', SPAN("INBOX.")),
	    "INBOX");
}

static void
the_namespace_prefix_goes_and_comes_back(void **state)
{
	struct arena *m = *state;

	assert_name(m, "INBOX", '.', "INBOX.", "INBOX");
	assert_name(m, "INBOX.Sent", '.', "INBOX.", "Sent");
	assert_name(m, "INBOX.a.b", '.', "INBOX.", "a/b");
	assert_name(m, "INBOX.INBOX", '.', "INBOX.", "%49NBOX");
	assert_name(m, "INBOX.inBox.x", '.', "INBOX.", "%69nBox/x");
	assert_name(m, "INBOX.INBOXes", '.', "INBOX.", "INBOXes");
	assert_name(m, "Mail/x", '/', "Mail/", "x");
	assert_name(m, "INBOX/x", '/', "Mail/", "INBOX/x");
	assert_name(m, "Mail/INBOX/x", '/', "Mail/", "%49NBOX/x");
	assert_name(m, "INBOX", '/', "INBOX", "INBOX");
	/* what lies outside, and the prefix alone */
	assert_span(layout_name(m, SPAN("#news.x"), '.', SPAN("INBOX.")),
	    "#news/x");
	assert_span(layout_name(m, SPAN("mail/x"), '/', SPAN("Mail/")),
	    "mail/x");
	assert_span(layout_name(m, SPAN("Mail/"), '/', SPAN("Mail/")), "");
}

static void
names_that_no_mailbox_there_can_have_are_refused(void **state)
{
	static const struct {
		const char *name;
		char delim;
		const char *prefix;
	} bad[] = {
		{"", '/', ""},
		{"/", '/', ""},
		{"a/", '/', ""},
		{"/a", '/', ""},
		{"a//b", '/', ""},
		{"a.b", '.', ""},	   /* holds the delimiter */
		{"a%2Fb", '/', ""},	   /* so does this */
		{"a/b", 0, ""},		   /* flat */
		{"\xff", '/', ""},	   /* not UTF-8 */
		{"a\tb", '/', ""},	   /* not how a TAB is written */
		{"a\xc2\x85", '/', ""},	   /* would come back as %26AIU- */
		{"100%", '/', ""},
		{"%41", '/', ""},	   /* needless */
		{"a%2fb", '.', ""},	   /* lower case */
		{"%C3\xa4", '/', ""},	   /* half raw */
		{"%26-", '/', ""},	   /* is valid on the wire: "&" */
		{"inbox", '/', ""},
		{"Inbox/x", '/', ""},
		{"%49NBOX", '/', ""},	   /* no prefix to tell it from INBOX */
		{"x/%49NBOX", '.', "P."},  /* not the first level */
		{"INBOX/x", '.', "INBOX."},/* would be the mailbox "x" */
		{"%49nbo", '.', "P."},
	};
	struct span wire = SPAN("kept");

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (layout_wire(*state, span_str(bad[i].name), bad[i].delim,
			span_str(bad[i].prefix), &wire))
			fail_msg("'%s' became '%.*s'", bad[i].name,
			    SPAN_ARG(wire));
		assert_span(wire, "kept");
	}
}

/* Both ways, in one layout. */
static void
assert_path(struct arena *mem, enum layout layout, const char *name,
    const char *path)
{
	struct span back;

	assert_span(layout_path(mem, span_str(name), layout), path);
	if (!layout_name_of_path(mem, span_str(path), layout, &back))
		fail_msg("no name for '%s'", path);
	assert_span(back, name);
}

static void
names_and_paths_go_both_ways(void **state)
{
	struct arena *m = *state;
	const enum layout n = LAYOUT_NESTED, pp = LAYOUT_MAILDIRPP;

	assert_path(m, n, "INBOX", "INBOX");
	assert_path(m, n, "INBOX/x", "INBOX/x");
	assert_path(m, n, "a/b", "a/b");
	assert_path(m, n, "a.b", "a.b");
	assert_path(m, n, "..", "%2E.");
	assert_path(m, n, "../x", "%2E./x");
	assert_path(m, n, ".", "%2E");
	assert_path(m, n, ".hidden/.x.", "%2Ehidden/%2Ex.");
	assert_path(m, n, "cur", "%63ur");
	assert_path(m, n, "a/new/tmp", "a/%6Eew/%74mp");
	assert_path(m, n, "Cur", "Cur");
	assert_path(m, n, "curs", "curs");
	assert_path(m, n, "", "%");
	assert_path(m, n, "/a", "%/a");
	assert_path(m, n, "a//b/", "a/%/b/%");
	assert_path(m, n, "100%25", "100%25");
	assert_path(m, n, "%252E", "%252E");
	assert_path(m, n, "a%2Fb", "a%2Fb");
	assert_path(m, n, "R%26D", "R%26D");
	assert_path(m, n, "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe");
	assert_path(m, n, "%49NBOX", "%49NBOX");
	assert_path(m, n, "x/inbox", "x/inbox");
	assert_path(m, n, "%00ab", "%00ab"); /* as long as "%63ur" */
	assert_path(m, n, "%09ab/%7Fur", "%09ab/%7Fur");
	assert_path(m, pp, "INBOX", "");
	assert_path(m, pp, "INBOX/x", ".INBOX.x");
	assert_path(m, pp, "a/b", ".a.b");
	assert_path(m, pp, "a.b", ".a%2Eb");
	assert_path(m, pp, "..", ".%2E%2E");
	assert_path(m, pp, "cur", ".cur");
	assert_path(m, pp, "a//b", ".a.%.b");
	assert_path(m, pp, "", ".%");
	assert_path(m, pp, "a%252E", ".a%252E");
}

static void
directories_that_no_mailbox_has_are_refused(void **state)
{
	static const char *const nested[] = {"", "/", "a/", "/a", "a//b",
	    "..", "a/..", ".", ".x", "cur", "a/new", "100%", "%zz", "a%2fb",
	    "%2Ex%", "%41", "a%2Eb", "%63urs", "%2e", "%00%", "\xff", "a\nb",
	    "inbox", "Inbox/x", "%/%2F%", "a\x7f", "x%~0123456789abcdef",
	    "%2E%2E", "%C3\xa4", "x/%49NBOX", "a\xc2\x85"};
	static const char *const pp[] = {".", "a", "..a", ".a.", ".a/b", "cur",
	    ".inbox", ".INBOX", ".Inbox.x", ".100%", "new", ".a..b", ".a%2eb",
	    "..", ".%63ur", ".a\n"};
	struct span name = SPAN("kept");

	for (size_t i = 0; i < sizeof nested / sizeof *nested; i++)
		if (layout_name_of_path(*state, span_str(nested[i]),
			LAYOUT_NESTED, &name))
			fail_msg("'%s' became '%.*s'", nested[i],
			    SPAN_ARG(name));
	for (size_t i = 0; i < sizeof pp / sizeof *pp; i++)
		if (layout_name_of_path(*state, span_str(pp[i]),
			LAYOUT_MAILDIRPP, &name))
			fail_msg("'%s' became '%.*s'", pp[i], SPAN_ARG(name));
	assert_span(name, "kept");
}

static void
long_components_are_cut_between_characters(void **state)
{
	struct arena *mem = *state;
	char name[800], other[800];

	for (size_t n = 200; n < 300; n++) {
		for (size_t lead = 0; lead < 3; lead++) {
			struct span path, path2, back;

			memset(name, 'x', lead);
			for (size_t i = lead; i < n; i += 3)
				memcpy(name + i, i % 2 ? "\xe2\x82\xac"
						       : "%25", 3);
			path = layout_path(mem, span_of(name, n / 3 * 3 + lead),
			    LAYOUT_NESTED);
			if (n / 3 * 3 + lead <= 240) {
				assert_int_equal(path.n, n / 3 * 3 + lead);
				continue;
			}
			assert_in_range(path.n, 236, 240);
			assert_memory_equal(path.p, name, path.n - 18);
			assert_memory_equal(path.p + path.n - 18, "%~", 2);
			assert_int_equal((path.n - 18 - lead) % 3, 0);
			assert_false(layout_name_of_path(mem, path,
			    LAYOUT_NESTED, &back));
			/* another end, another path */
			memcpy(other, name, sizeof name);
			memcpy(other + n / 3 * 3 + lead - 3, "abc", 3);
			path2 = layout_path(mem,
			    span_of(other, n / 3 * 3 + lead), LAYOUT_NESTED);
			assert_false(span_eq(path, path2));
		}
	}
	/* the hash is that of the level: printf x%.0s {1..241} | sha256sum */
	memset(name, 'x', sizeof name);
	name[241] = '/';
	{
		struct span path = layout_path(mem, span_of(name, 243),
		    LAYOUT_NESTED);

		assert_int_equal(path.n, 242);
		assert_memory_equal(path.p + 222, "%~7dbf05774ebc8b02/x", 20);
	}
	/* maildir++ has one component for all levels */
	for (size_t i = 50; i < 400; i += 50)
		name[i] = '/';
	name[241] = 'x';
	assert_int_equal(layout_path(mem, span_of(name, 239),
	    LAYOUT_MAILDIRPP).n, 240);
	{
		struct span path = layout_path(mem, span_of(name, 240),
		    LAYOUT_MAILDIRPP);

		assert_int_equal(path.n, 240);
		assert_memory_equal(path.p + 222, "%~", 2);
	}
	assert_int_equal(layout_path(mem, span_of(name, 400),
	    LAYOUT_MAILDIRPP).n, 240);
	assert_int_equal(layout_path(mem, span_of(name, 400),
	    LAYOUT_NESTED).n, 400);
}

/* Else a server could make more levels than the Maildir is looked through. */
static void
deep_names_are_cut_at_a_level(void **state)
{
	struct arena *mem = *state;
	struct span path, other, back;
	char name[400];

	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 2 ? '/' : 'a';
	/* 60 levels, and one more: printf a/a | sha256sum */
	path = layout_path(mem, span_of(name, 119), LAYOUT_NESTED);
	assert_int_equal(path.n, 119);
	assert_true(layout_name_of_path(mem, path, LAYOUT_NESTED, &back));
	path = layout_path(mem, span_of(name, 121), LAYOUT_NESTED);
	assert_int_equal(path.n, 118 + 18);
	assert_memory_equal(path.p, name, 118);
	assert_memory_equal(path.p + 118, "%~0164b8258be6d35f", 18);
	assert_false(layout_name_of_path(mem, path, LAYOUT_NESTED, &back));
	/* all that is deeper is beside it */
	other = layout_path(mem, span_of(name, 399), LAYOUT_NESTED);
	assert_int_equal(other.n, 118 + 18);
	assert_false(span_eq(path, other));
	name[398] = 'b';
	path = layout_path(mem, span_of(name, 399), LAYOUT_NESTED);
	assert_false(span_eq(path, other));
	/* nobody else has that many */
	assert_false(layout_name_of_path(mem, span_of(name, 121),
	    LAYOUT_NESTED, &back));
	assert_int_equal(layout_path(mem, span_of(name, 121),
	    LAYOUT_MAILDIRPP).n, 122);
}

/* No component is "", ".", "..", cur, new or tmp, or over 255 bytes. */
static void
assert_safe(struct span path, enum layout layout)
{
	size_t from = 0;

	for (size_t i = 0; i <= path.n; i++) {
		struct span c;

		if (i < path.n && path.p[i] != '/') {
			assert_true((unsigned char)path.p[i] >= ' ');
			continue;
		}
		c = span_of(path.p + from, i - from);
		assert_in_range(c.n, 1, 255);
		if (layout == LAYOUT_NESTED)
			assert_true(c.p[0] != '.');
		else
			assert_true(c.p[0] == '.' && from == 0 && c.n > 1 &&
			    c.p[1] != '.' && i == path.n);
		assert_false(span_eq(c, SPAN("cur")));
		assert_false(span_eq(c, SPAN("new")));
		assert_false(span_eq(c, SPAN("tmp")));
		from = i + 1;
	}
}

static bool
has_empty_level(struct span name)
{
	bool start = true;

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '/' && start)
			return true;
		start = name.p[i] == '/';
	}
	return start;
}

/*
 * WIRE there and back through both layouts; its name and paths are put into
 * SEEN (keys in KEEP) and may not have been there.
 */
static void
check_wire(struct arena *mem, struct arena *keep, struct map *seen,
    struct span wire, char delim, struct span prefix, bool unique)
{
	struct span name = layout_name(mem, wire, delim, prefix), back;
	bool ok = layout_wire(mem, name, delim, prefix, &back);

	if (ok && unique)
		assert_true(span_eq(back, wire));
	else if (unique)
		assert_true(has_empty_level(name));
	for (size_t i = 0; i < name.n; i++)
		assert_true((unsigned char)name.p[i] >= ' ' &&
		    name.p[i] != 0x7f);
	for (size_t i = 0, n; i < name.n; i += n) {
		n = utf8_char(span_of(name.p + i, name.n - i));
		assert_true(n > 0);
	}
	for (enum layout l = LAYOUT_NESTED; l <= LAYOUT_MAILDIRPP; l++) {
		struct span path = layout_path(mem, name, l);

		if (l == LAYOUT_NESTED || path.n)
			assert_safe(path, l);
		else
			assert_span(name, "INBOX");
		assert_true(layout_name_of_path(mem, path, l, &back));
		assert_true(span_eq(back, name));
	}
	if (unique)
		assert_true(map_add(seen, arena_span(keep, name), 1));
}

/*
 * All wire names of up to five bytes over an alphabet of what is special, for
 * several delimiters.
 */
static void
every_small_wire_name_has_its_own_name_and_safe_paths(void **state)
{
	static const char alphabet[] = "/.%&-2A\x01\xc3";
	static const char delims[] = "/.-A\0";
	struct arena mem;

	arena_init(&mem);
	for (size_t d = 0; d < sizeof delims - 1; d++) {
		struct map seen;

		map_init(&seen);
		for (size_t n = 0, all = 1; n <= 5; n++, all *= 9) {
			for (size_t no = 0; no < all; no++) {
				char wire[8];

				for (size_t i = 0, r = no; i < n; i++, r /= 9)
					wire[i] = alphabet[r % 9];
				check_wire(&mem, *state, &seen,
				    span_of(wire, n), delims[d], SPAN(""),
				    true);
				arena_clear(&mem);
			}
		}
		map_release(&seen);
	}
	arena_release(&mem);
}

/* Names out of words that mean something, below a prefix and without. */
static void
words_that_mean_something_keep_apart(void **state)
{
	static const char *const words[] = {"INBOX", "inbox", "%49NBOX", "cur",
	    "%63ur", ".", "..", "%2E", "%", "&", "&-", "&AOQ-", "\xc3\xa4",
	    "%26", "%C3%A4", "&AC8-", "/", "&AAk-", "\t", "", "x", "new"};
	enum { N = sizeof words / sizeof *words };
	static const char *const prefixes[] = {"", "INBOX.", "Mail."};
	struct arena mem;

	arena_init(&mem);
	for (size_t p = 0; p < 3; p++) {
		struct map seen;

		map_init(&seen);
		map_add(&seen, SPAN("INBOX"), 1);
		for (size_t i = 0; i < N * (N + 1); i++) {
			char *z = arena_printf(&mem, "%s%s%s%s", prefixes[p],
			    words[i % N], i < N ? "" : ".",
			    i < N ? "" : words[i / N - 1]);
			struct span wire = span_str(z);
			/* these are INBOX and its children once more */
			bool again = p == 0 &&
			    (i % N == 1 || (i % N == 0 && i < N));
			/* and these hold the delimiter, by other words */
			bool dots = false;

			for (size_t k = 5; k < 7; k++)
				dots |= i % N == k || (i >= N && i / N - 1 == k);
			check_wire(&mem, *state, &seen, wire, '.',
			    span_str(prefixes[p]), !again && !dots);
			arena_clear(&mem);
		}
		map_release(&seen);
	}
	arena_release(&mem);
}

/* The definition of the pattern language, with no thought of speed. */
static bool
slow_glob(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*' || *p == '%')
		return slow_glob(p + 1, s) ||
		    (*s && (*p == '*' || *s != '/') && slow_glob(p, s + 1));
	return *s == *p && slow_glob(p + 1, s + 1);
}

static void
patterns_match_as_defined_for_all_small_ones(void **state)
{
	(void)state;
	for (size_t pn = 0, pall = 1; pn <= 6; pn++, pall *= 4) {
		for (size_t pno = 0; pno < pall; pno++) {
			char pat[8] = "";
			struct span ps = span_of(pat, pn);

			for (size_t i = 0, r = pno; i < pn; i++, r /= 4)
				pat[i] = "*%/a"[r % 4];
			for (size_t no = 0; no < 64 + 32; no++) {
				char name[8] = "";
				size_t n = no < 64 ? 6 : 5;

				for (size_t i = 0; i < n; i++)
					name[i] = "/a"[no >> i & 1];
				assert_int_equal(layout_match(
				    span_of(name, n), &ps, 1),
				    slow_glob(pat, name));
			}
		}
	}
}

static void
the_last_pattern_that_matches_wins(void **state)
{
	const struct span all_but[] = {SPAN("*"), SPAN("!Spam"),
	    SPAN("!Old/*"), SPAN("Old/keep")};
	const struct span only_not[] = {SPAN("!Spam")};
	const struct span top[] = {SPAN("%")};
	const struct span inbox[] = {SPAN("inbox"), SPAN("Inbox/*")};

	(void)state;
	assert_true(layout_match(SPAN("anything"), NULL, 0));
	assert_true(layout_match(SPAN("INBOX"), all_but, 4));
	assert_true(layout_match(SPAN("Old"), all_but, 4));
	assert_false(layout_match(SPAN("Spam"), all_but, 4));
	assert_true(layout_match(SPAN("Spam/x"), all_but, 4));
	assert_false(layout_match(SPAN("Old/x/y"), all_but, 4));
	assert_true(layout_match(SPAN("Old/keep"), all_but, 4));
	assert_false(layout_match(SPAN("Spam"), only_not, 1));
	assert_true(layout_match(SPAN("INBOX"), only_not, 1));
	assert_true(layout_match(SPAN("a"), top, 1));
	assert_false(layout_match(SPAN("a/b"), top, 1));
	assert_true(layout_match(SPAN("INBOX"), inbox, 2));
	assert_true(layout_match(SPAN("INBOX/x"), inbox, 2));
	assert_false(layout_match(SPAN("INBOXES"), inbox, 2));
	assert_false(layout_match(SPAN("x/INBOX"), inbox, 2));
	assert_true(layout_match(SPAN("spam"), only_not, 1)); /* case counts */
}

/* As a person types it who does not know of the escapes. */
static void
a_name_is_found_by_what_it_says(void **state)
{
	(void)state;
	assert_true(layout_says(SPAN("100%25"), SPAN("100%")));
	assert_true(layout_says(SPAN("a%2Fb/c%25"), SPAN("a/b/c%")));
	assert_true(layout_says(SPAN("%41%25"), SPAN("A%")));
	assert_true(layout_says(SPAN("plain"), SPAN("plain")));
	assert_false(layout_says(SPAN("100%25"), SPAN("100")));
	assert_false(layout_says(SPAN("100%25"), SPAN("100%2")));
	assert_false(layout_says(SPAN("100%25"), SPAN("100%5")));
	assert_false(layout_says(SPAN("100%2"), SPAN("100%")));
	assert_false(layout_says(SPAN("100"), SPAN("100%")));
	assert_true(layout_says(SPAN(""), SPAN("")));
	assert_false(layout_says(SPAN("%25"), SPAN("")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_and_wire_names_go_both_ways),
		TEST(a_level_that_is_not_modified_utf7_is_kept_and_marked),
		TEST(inbox_has_no_case_as_the_first_level),
		TEST(the_namespace_prefix_goes_and_comes_back),
		TEST(names_that_no_mailbox_there_can_have_are_refused),
		TEST(names_and_paths_go_both_ways),
		TEST(directories_that_no_mailbox_has_are_refused),
		TEST(long_components_are_cut_between_characters),
		TEST(deep_names_are_cut_at_a_level),
		TEST(every_small_wire_name_has_its_own_name_and_safe_paths),
		TEST(words_that_mean_something_keep_apart),
		TEST(a_name_is_found_by_what_it_says),
		TEST(patterns_match_as_defined_for_all_small_ones),
		TEST(the_last_pattern_that_matches_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
