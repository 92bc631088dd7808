/* In which order mailboxes can be renamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plan/rename.h"

static struct arena mem;

struct want {
	/* now "": fresh; want NULL: none, "!": doomed */
	const char *now, *want;
};

static bool
order(const struct want *w, size_t n, char sep, bool remote,
    struct rename_steps *steps, size_t *blocked_r)
{
	struct rename_mover v[8];

	for (size_t i = 0; i < n; i++) {
		bool doomed = w[i].want && strcmp(w[i].want, "!") == 0;

		v[i] = (struct rename_mover){.id = i + 1,
		    .now = span_str(w[i].now),
		    .want = doomed ? SPAN_NONE : span_str(w[i].want),
		    .doomed = doomed, .fresh = *w[i].now == '\0'};
	}
	*steps = (struct rename_steps){.n = 0};
	return rename_order(&mem, v, n, sep, SPAN("P/"), remote, steps,
	    blocked_r);
}

static void
expect(const struct want *w, size_t n, char sep, bool remote,
    const char *steps)
{
	struct rename_steps out;
	struct buf text;
	size_t blocked = 99;

	buf_init(&text, 4096);
	if (order(w, n, sep, remote, &out, &blocked))
		for (size_t i = 0; i < out.n; i++) {
			assert_int_equal(out.v[i].remote, remote);
			buf_addf(&text, "%.*s>%.*s ", SPAN_ARG(out.v[i].from),
			    SPAN_ARG(out.v[i].to));
		}
	else
		buf_addf(&text, "blocked %zu", blocked);
	assert_string_equal(buf_cstr(&text), steps);
	buf_release(&text);
	arena_clear(&mem);
}

#define EXPECT(steps, sep, remote, ...) \
	do { \
		const struct want w_[] = {__VA_ARGS__}; \
		expect(w_, sizeof w_ / sizeof w_[0], sep, remote, steps); \
	} while (0)

static void
test_nothing_to_do(void **state)
{
	(void)state;
	EXPECT("", '/', false, {"a", "a"}, {"b", NULL}, {"c", "!"});
}

static void
test_a_parent_takes_its_children_along(void **state)
{
	(void)state;
	EXPECT("a>b ", '/', false, {"a/x", "b/x"}, {"a", "b"}, {"a/y/z", NULL});
	/* each for itself where names are flat */
	EXPECT(".a.x>.b.x .a>.b ", '\0', false, {".a.x", ".b.x"}, {".a", ".b"});
	/* a child that does not go along comes back */
	EXPECT("a>b b/x>a/x ", '/', true, {"a", "b"}, {"a/x", "a/x"});
	/* or goes elsewhere */
	EXPECT("a>b b/x>c ", '/', true, {"a", "b"}, {"a/x", "c"});
}

static void
test_a_chain_goes_from_its_end(void **state)
{
	(void)state;
	EXPECT("c>d b>c a>b ", '/', false, {"a", "b"}, {"b", "c"}, {"c", "d"});
}

static void
test_of_a_ring_one_is_put_aside(void **state)
{
	(void)state;
	EXPECT("b>b-mochila-aside a>b b-mochila-aside>a ", '/', false,
	    {"a", "b"}, {"b", "a"});
	EXPECT("q/b>P/b-mochila-aside a>q/b P/b-mochila-aside>a ", '/', true,
	    {"a", "q/b"}, {"q/b", "a"});
	/* whose name may be taken */
	EXPECT("b>b-mochila-aside-mochila-aside a>b "
	       "b-mochila-aside-mochila-aside>a ",
	    '/', false, {"a", "b"}, {"b", "a"}, {"b-mochila-aside", NULL});
	/* into itself */
	EXPECT("a>a-mochila-aside a-mochila-aside>a/b ", '/', false,
	    {"a", "a/b"});
	/* the other way round */
	EXPECT("a/b>P/b-mochila-aside P/b-mochila-aside>a ", '/', false,
	    {"a/b", "a"});
}

static void
test_what_is_doomed_gets_out_of_the_way(void **state)
{
	(void)state;
	EXPECT("b>b-mochila-aside a>b ", '/', false, {"a", "b"}, {"b", "!"});
	EXPECT("b/x>P/x-mochila-aside a>b ", '/', false, {"a", "b"},
	    {"b/x", "!"});
}

static void
test_what_is_doomed_makes_room_for_what_is_new(void **state)
{
	(void)state;
	/* it was taken to where another is to be made */
	EXPECT("a>b b/x>P/x-mochila-aside ", '/', false, {"a", "b"},
	    {"a/x", "!"}, {"", "b/x"});
	/* what is below comes back, or goes with it */
	EXPECT("a>b b/x>P/x-mochila-aside P/x-mochila-aside/y>b/x/y ", '/',
	    false, {"a", "b"}, {"a/x", "!"}, {"a/x/y", "b/x/y"}, {"a/x/z", "!"},
	    {"", "b/x"}, {"", "b/x/z"});
	/* unless it is nobody's */
	EXPECT("a>b ", '/', false, {"a", "b"}, {"a/x", "!"}, {"a/x/y", NULL},
	    {"", "b/x"});
	/* what stays is not moved, and nobody waits in vain */
	EXPECT("", '/', false, {"x", NULL}, {"", "x"}, {"y", "!"},
	    {"", "z"});
}

static void
test_what_stays_in_the_way_is_said(void **state)
{
	(void)state;
	EXPECT("blocked 0", '/', false, {"a", "b"}, {"b", NULL});
	EXPECT("blocked 0", '/', false, {"a", "b"}, {"b", "b"});
	/* the cause, not who waits for it */
	EXPECT("blocked 1", '/', false, {"x", "a"}, {"a", "b"}, {"b", NULL});
	EXPECT("blocked 0", '/', false, {"a", "b"}, {"b/x", NULL});
	/* what is known to stay below the target comes back below it */
	EXPECT("b/x>P/x-mochila-aside a>b P/x-mochila-aside>b/x ", '/', false,
	    {"a", "b"}, {"b/x", "b/x"});
	/* a server may well have names without their parents */
	EXPECT("a>b ", '/', true, {"a", "b"}, {"b/x", NULL});
	EXPECT("blocked 0", '/', true, {"a", "b"}, {"a/y", NULL},
	    {"b/x", NULL});
}

static void
test_names_that_were_put_aside_are_known(void **state)
{
	(void)state;
	assert_true(tree_is_aside(SPAN("a-mochila-aside")));
	assert_true(tree_is_aside(SPAN("a/b-mochila-aside/c")));
	assert_false(tree_is_aside(SPAN("-mochila-aside")));
	assert_false(tree_is_aside(SPAN("a-mochila-asides/b")));
	assert_false(tree_is_aside(SPAN("")));
	assert_false(tree_is_aside(SPAN("a/")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_to_do),
	    cmocka_unit_test(test_a_parent_takes_its_children_along),
	    cmocka_unit_test(test_a_chain_goes_from_its_end),
	    cmocka_unit_test(test_of_a_ring_one_is_put_aside),
	    cmocka_unit_test(test_what_is_doomed_gets_out_of_the_way),
	    cmocka_unit_test(
		test_what_is_doomed_makes_room_for_what_is_new),
	    cmocka_unit_test(test_what_stays_in_the_way_is_said),
	    cmocka_unit_test(test_names_that_were_put_aside_are_known),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
