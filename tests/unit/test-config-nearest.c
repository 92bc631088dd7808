#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/nearest.h"
#include "seed.h"

#define LEN 7

static bool
differ(char a, char b)
{
	return !span_eq_case(span_of(&a, 1), span_of(&b, 1));
}

/* By the definition: slow, and plainly right. */
static size_t
edits(struct span a, struct span b)
{
	struct span a1, b1;
	size_t d, k;

	if (a.n == 0 || b.n == 0)
		return a.n + b.n;
	a1 = span_of(a.p, a.n - 1);
	b1 = span_of(b.p, b.n - 1);
	d = edits(a1, b1) + differ(a.p[a.n - 1], b.p[b.n - 1]);
	k = edits(a1, b) + 1;
	d = k < d ? k : d;
	k = edits(a, b1) + 1;
	d = k < d ? k : d;
	if (a.n > 1 && b.n > 1 && !differ(a.p[a.n - 1], b.p[b.n - 2]) &&
	    !differ(a.p[a.n - 2], b.p[b.n - 1])) {
		k = edits(span_of(a.p, a.n - 2), span_of(b.p, b.n - 2)) + 1;
		d = k < d ? k : d;
	}
	return d;
}

static struct span
random_word(char *out)
{
	size_t n = 1 + rnd(LEN);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)((rnd(2) ? 'a' : 'A') + (int)rnd(3));
	out[n] = '\0';
	return span_of(out, n);
}

static void
test_it_is_the_first_with_the_fewest_edits(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		char word[LEN + 1], text[3][LEN + 1];
		const char *list[4] = {text[0], text[1], text[2], NULL};
		const char *want = NULL;
		size_t best = 0;
		struct span w = random_word(word);

		for (int i = 0; i < 3; i++) {
			struct span s = random_word(text[i]);
			size_t longer = s.n > w.n ? s.n : w.n;
			size_t d = edits(w, s);

			if (d > 1 && 3 * d > longer)
				continue;
			if (!want || d < best) {
				want = list[i];
				best = d;
			}
		}
		assert_ptr_equal(config_nearest(w, list), want);
	}
}

static void
test_slips_of_the_fingers_are_found(void **state)
{
	static const char *const list[] = {"host", "port", "user", "password",
	    "password_file", "password_command", "maildir", "mailboxes",
	    "max_deletes", NULL};
	static const struct {
		const char *word, *want;
	} cases[] = {
	    {"host", "host"},
	    {"hots", "host"},
	    {"hst", "host"},
	    {"hosst", "host"},
	    {"gost", "host"},
	    {"prot", "port"},
	    {"passwort", "password"},
	    {"passwordfile", "password_file"},
	    {"password-command", "password_command"},
	    {"mailbox", "mailboxes"},
	    {"maildirs", "maildir"},
	    {"maxdeletes", "max_deletes"},
	    {"HOST", "host"},
	    {"Prot", "port"},
	    {"h", NULL},
	    {"frobnicate", NULL},
	    {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = config_nearest(span_str(cases[i].word), list);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
}

static void
test_words_that_are_too_long_are_near_to_nothing(void **state)
{
	static const char at_most[] = "abcdefghijklmnopqrstuvwxyzABCDEF";
	static const char *const list[] = {
	    "abcdefghijklmnopqrstuvwxyzABCDEFG", at_most, NULL};
	char word[100] = {0};

	(void)state;
	for (size_t n = 1; n < sizeof word; n++) {
		const char *got;

		word[n - 1] = n <= 32 ? at_most[n - 1] : 'x';
		got = config_nearest(span_of(word, n), list);
		if (n > 32)
			assert_null(got);
		else if (n >= 22)
			assert_ptr_equal(got, at_most);
	}
	assert_null(config_nearest(SPAN("x"), &list[2]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_the_first_with_the_fewest_edits),
	    cmocka_unit_test(test_slips_of_the_fingers_are_found),
	    cmocka_unit_test(test_words_that_are_too_long_are_near_to_nothing),
	};

	rnd_state = seed_of_this_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
