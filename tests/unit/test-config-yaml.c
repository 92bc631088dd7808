#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "config/yaml.h"

static int
setup(void **state)
{
	struct arena *mem = xcalloc(1, sizeof *mem);

	arena_init(mem);
	*state = mem;
	return 0;
}

static int
teardown(void **state)
{
	struct arena *mem = *state;

	arena_release(mem);
	xfree(mem);
	return 0;
}

static struct ynode
good(struct arena *mem, struct span text)
{
	struct ynode root = {0};
	struct err e;

	if (yaml_read(text, "f", mem, &root, &e) != 0)
		fail_msg("%s", e.text);
	return root;
}

/* Refused at the place WHERE ("2:3"), with WORD in what it says. */
static void
bad(struct arena *mem, struct span text, const char *where, const char *word)
{
	struct ynode root = {.line = 77};
	char place[32];
	struct err e;

	assert_int_equal(ERR_CONFIG, yaml_read(text, "f", mem, &root, &e));
	assert_int_equal(e.scope, ERR_SCOPE_RUN);
	assert_int_equal(root.line, 77); /* untouched */
	snprintf(place, sizeof place, "f:%s: ", where);
	if (strncmp(e.text, place, strlen(place)) != 0 || !strstr(e.text, word))
		fail_msg("'%s' is not at %s, or does not say '%s'", e.text,
		    place, word);
}

static void
assert_scalar(const struct ynode *n, const char *text, unsigned line,
    unsigned col, bool plain)
{
	assert_int_equal(n->kind, YNODE_SCALAR);
	assert_string_equal(n->text.p, text);
	assert_int_equal(n->text.n, strlen(text));
	assert_int_equal(n->line, line);
	assert_int_equal(n->col, col);
	assert_int_equal(n->plain, plain);
}

static void
test_every_node_knows_where_it_stands(void **state)
{
	struct ynode root = good(*state, SPAN("# comment\n"
					      "a: 1\n"
					      "\xc3\xa9: [x, 'y',\n"
					      "  \"z\\n\"]\n"
					      "c:\n"
					      "  - |\n"
					      "    text\n"
					      "  - {k: v}\n"));

	assert_int_equal(root.kind, YNODE_MAP);
	assert_int_equal(root.n, 3);
	assert_scalar(&root.key[0], "a", 2, 1, true);
	assert_scalar(&root.item[0], "1", 2, 4, true);
	assert_scalar(&root.key[1], "\xc3\xa9", 3, 1, true);
	assert_int_equal(root.item[1].kind, YNODE_LIST);
	assert_int_equal(root.item[1].n, 3);
	/* characters, not bytes */
	assert_scalar(&root.item[1].item[0], "x", 3, 5, true);
	assert_scalar(&root.item[1].item[1], "y", 3, 8, false);
	assert_scalar(&root.item[1].item[2], "z\n", 4, 3, false);
	assert_int_equal(root.item[2].n, 2);
	assert_scalar(&root.item[2].item[0], "text\n", 6, 5, false);
	assert_scalar(&root.item[2].item[1].key[0], "k", 8, 6, true);
	assert_scalar(&root.item[2].item[1].item[0], "v", 8, 9, true);
}

static void
test_what_is_empty_is_kept_as_such(void **state)
{
	struct ynode root = good(*state, SPAN("a:\nb: []\nc: {}\nd: ''\n"));

	assert_int_equal(root.n, 4);
	assert_int_equal(root.item[0].kind, YNODE_SCALAR);
	assert_int_equal(root.item[0].text.n, 0);
	assert_true(root.item[0].plain);
	assert_int_equal(root.item[1].kind, YNODE_LIST);
	assert_int_equal(root.item[1].n, 0);
	assert_int_equal(root.item[2].kind, YNODE_MAP);
	assert_int_equal(root.item[2].n, 0);
	assert_false(root.item[3].plain);
}

static void
test_a_file_without_a_document_is_refused(void **state)
{
	bad(*state, SPAN_NONE, "1:1", "empty");
	bad(*state, SPAN(""), "1:1", "empty");
	bad(*state, SPAN("\n\n# x\n"), "1:1", "empty");
	bad(*state, SPAN("a: 1\n---\nb: 1\n"), "2:1", "second document");
	bad(*state, SPAN("--- a\n--- b\n"), "2:1", "second document");
	(void)good(*state, SPAN("---\na: 1\n...\n"));
	(void)good(*state, SPAN("%YAML 1.1\n---\na: 1\n"));
}

static void
test_the_second_of_two_equal_keys_is_named(void **state)
{
	bad(*state, SPAN("a: 1\nb: 2\na: 3\n"), "3:1", "line 1");
	bad(*state, SPAN("x:\n  a: 1\n  'a': 2\n"), "3:3", "'a'");
	bad(*state, SPAN("x: [{a: 1, b: 2, b: 3}]\n"), "1:18", "duplicate");
	bad(*state, SPAN("? \n? \n"), "2:2", "duplicate");
	(void)good(*state, SPAN("x: {a: 1}\ny: {a: 1}\nA: 1\n"));
}

static void
test_keys_are_words(void **state)
{
	bad(*state, SPAN("? [a]\n: b\n"), "1:3", "one word");
	bad(*state, SPAN("x: {{a: b}: c}\n"), "1:5", "one word");
}

static void
test_nothing_has_another_meaning_than_its_letters(void **state)
{
	bad(*state, SPAN("a: &x 1\n"), "1:4", "anchor");
	bad(*state, SPAN("a: &x [1]\n"), "1:4", "anchor");
	bad(*state, SPAN("a: &x {b: 1}\n"), "1:4", "anchor");
	bad(*state, SPAN("&x a: 1\n"), "1:1", "anchor");
	bad(*state, SPAN("a: [&, b]\n"), "1:5", "anchor");
	bad(*state, SPAN("a: *x\n"), "1:4", "alias");
	bad(*state, SPAN("a: [*, b]\n"), "1:5", "alias");
	bad(*state, SPAN("*x : 1\n"), "1:1", "alias");
	bad(*state, SPAN("a: !x 1\n"), "1:4", "tag");
	bad(*state, SPAN("a: !!str 1\n"), "1:4", "tag");
	bad(*state, SPAN("a: [b, !Spam]\n"), "1:8", "\"!Spam\"");
	bad(*state, SPAN("a: !<tag:x> {b: 1}\n"), "1:4", "tag");
	bad(*state, SPAN("a: !q!x 1\n"), "1:4", "tag");
	(void)good(*state, SPAN("a: ['*', \"!Spam\", '&x', a*, b!, c&]\n"));
}

static void
test_tabs_do_not_indent(void **state)
{
	bad(*state, SPAN("a:\n\tb: 1\n"), "2:1", "tab");
	bad(*state, SPAN("a:\n  \tb: 1\n"), "2:3", "tab");
	bad(*state, SPAN("\t"), "1:1", "tab");
	bad(*state, SPAN("a:\r\n\tb: 1\r\n"), "2:1", "tab");
	(void)good(*state, SPAN("a: 1\t# one\n"));
	(void)good(*state, SPAN("a:\r\n  b: 1\r\n"));
}

static void
test_only_utf8_is_read(void **state)
{
	char text[] = "a: ?\n";
	struct ynode root;

	for (int c = 0; c < 256; c++) {
		struct err e;

		text[3] = (char)c;
		if (c == 0 || c == 0x7f || c >= 0x80 ||
		    (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
			bad(*state, span_of(text, 5), "1:1", "UTF-8");
		else
			(void)yaml_read(
			    span_of(text, 5), "f", *state, &root, &e);
	}
	bad(*state, SPAN("a: 1\nb: \xc3\n"), "2:1", "UTF-8");
	bad(*state, SPAN("a: \xed\xa0\x80\n"), "1:1", "UTF-8");
	bad(*state,
	    SPAN("\xff\xfe"
		 "a\0:\0 \0b\0"),
	    "1:1", "UTF-8");
	bad(*state,
	    SPAN("\xfe\xff"
		 "\0a\0:\0 \0b"),
	    "1:1", "UTF-8");
	root = good(*state, SPAN("\xef\xbb\xbf# a mark\n"
				 "a: \xf0\x9f\x93\xa8\n"));
	assert_scalar(root.item, "\xf0\x9f\x93\xa8", 2, 4, true);
}

/* DEPTH lists, one in the other. */
static struct span
nested(struct arena *mem, size_t depth)
{
	char *z = arena_alloc(mem, 2 * depth + 1);

	memset(z, '[', depth);
	memset(z + depth, ']', depth);
	return span_of(z, 2 * depth);
}

static void
test_depth_is_bounded(void **state)
{
	for (size_t depth = 1; depth <= 8; depth++)
		(void)good(*state, nested(*state, depth));
	for (size_t depth = 9; depth <= 2000; depth += 181)
		bad(*state, nested(*state, depth), "1:9", "too deep");
	bad(*state, SPAN("[[[[[[[[x]]]]]]]]"), "1:9", "too deep");
}

static void
test_size_is_not(void **state)
{
	struct buf b;
	struct ynode root;

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "k%d: %d\n", i, i);
	root = good(*state, buf_span(&b));
	assert_int_equal(root.n, 5000);
	assert_scalar(&root.item[4999], "4999", 5000, 8, true);
	buf_release(&b);
}

static void
test_every_truncation_is_a_tree_or_an_error(void **state)
{
	static const char text[] =
	    "%YAML 1.1\n---\n# \xc3\xa9\na: 'x''y'\nb: [\"\\u00e9\\n\", {c: d}]"
	    "\ne:\n  - |\n    f\n  - >-\n    g\n? h\n: !t &i *j\n";

	for (size_t n = 0; n < sizeof text; n++) {
		char *part = xalloc(n); /* ends where it ends */
		struct ynode root;
		struct err e;

		memcpy(part, text, n);
		if (yaml_read(span_of(part, n), "f", *state, &root, &e) != 0)
			assert_int_equal(0, strncmp(e.text, "f:", 2));
		xfree(part);
	}
}

static void
test_broken_text_is_an_error_with_its_place(void **state)
{
	bad(*state, SPAN("a: [1, 2\n"), "2:1", "");
	bad(*state, SPAN("a: 'x\n"), "1:4", "quote");
	bad(*state, SPAN("b: 1\na: \"x\nc: 1\n"), "2:4", "quote");
	bad(*state, SPAN("a: 1\n b: 2\n"), "2:3", "indent");
	bad(*state, SPAN("a: b: c\n"), "1:5", "quotes");
	bad(*state, SPAN("a: @x\n"), "1:4", "quotes");
	bad(*state, SPAN("a: `x`\n"), "1:4", "quotes");
	bad(*state, SPAN("a: \"\\q\"\n"), "1:5", "escape");
	bad(*state, SPAN("}\n"), "1:1", "");
}

static void
test_no_value_gets_into_an_error(void **state)
{
	static const char *const texts[] = {"password: 's3cret\n",
	    "password: \"s3cret\\q\"\n", "password: s3cret: x\n",
	    "password: [s3cret\n", "password: s3cret\n user: x\n",
	    "password: !s3cret x\n", "password: *s3cret\n",
	    "password: &s3cret x\n", "password: s3cret\xff\n",
	    "password: @s3cret\n", "password: |s3cret\n",
	    "password: 's3cret' x\n", "password: %s3cret\n"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct ynode root;
		struct err e;

		assert_int_equal(ERR_CONFIG,
		    yaml_read(span_str(texts[i]), "f", *state, &root, &e));
		if (strstr(e.text, "s3cret"))
			fail_msg("%s", e.text);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_every_node_knows_where_it_stands),
	    T(test_what_is_empty_is_kept_as_such),
	    T(test_a_file_without_a_document_is_refused),
	    T(test_the_second_of_two_equal_keys_is_named),
	    T(test_keys_are_words),
	    T(test_nothing_has_another_meaning_than_its_letters),
	    T(test_tabs_do_not_indent),
	    T(test_only_utf8_is_read),
	    T(test_depth_is_bounded),
	    T(test_size_is_not),
	    T(test_every_truncation_is_a_tree_or_an_error),
	    T(test_broken_text_is_an_error_with_its_place),
	    T(test_no_value_gets_into_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
