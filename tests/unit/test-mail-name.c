#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/name.h"

static struct arena mem;

/* a, b and e are keywords 1, 2 and 3; c is $Forwarded. */
static const struct kwletters some = {{1, 2, KW_PASSED, 0, 3}};

static int
set_up(void **state)
{
	(void)state;
	arena_init(&mem);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_release(&mem);
	return 0;
}

static struct flags
kws(uint32_t sys, uint32_t a, uint32_t b)
{
	struct flags f = {sys, 0, NULL};

	return flags_with_kw(&mem, flags_with_kw(&mem, f, a), b);
}

static void
assert_span(struct span s, const char *want)
{
	if (!span_eq(s, span_str(want)))
		fail_msg("'%.*s' is not '%s'", SPAN_ARG(s), want);
}

static void
assert_split(const char *file, const char *base, const char *info)
{
	struct name n = name_split(span_str(file));

	assert_span(n.base, base);
	assert_int_equal(n.has_info, info != NULL);
	assert_span(n.info, info ? info : "");
}

static void
a_name_divides_at_its_last_colon_if_2_follows(void **state)
{
	(void)state;
	assert_split("x:2,", "x", "");
	assert_split("x:2,FS", "x", "FS");
	assert_split("x:2,FS,more", "x", "FS,more");
	assert_split("1.M2P3.host,S=5,W=6:2,Sab", "1.M2P3.host,S=5,W=6",
	    "Sab");
	assert_split("x", "x", NULL);
	assert_split("", "", NULL);
	assert_split("x:", "x:", NULL);
	assert_split("x:2", "x:2", NULL);
	assert_split("x:1,S", "x:1,S", NULL);
	assert_split("x:3,S", "x:3,S", NULL);
	assert_split("x:2;S", "x:2;S", NULL);
	assert_split("2024-01-01T12:30:59.eml", "2024-01-01T12:30:59.eml",
	    NULL);
	assert_split("12:30:2,S", "12:30", "S");
	assert_split("x:1,y:2,S", "x:1,y", "S");
	assert_split("x:2,S:2,F", "x:2,S", "F");
	assert_split("x:2,S:1,F", "x:2,S:1,F", NULL);
	assert_split(":2,S", ":2,S", NULL);
	assert_split("::2,S", ":", "S");
}

static void
hidden_and_empty_names_are_no_messages(void **state)
{
	(void)state;
	assert_false(name_is_message(SPAN("")));
	assert_false(name_is_message(SPAN(".")));
	assert_false(name_is_message(SPAN(".x:2,S")));
	assert_true(name_is_message(SPAN("x")));
	assert_true(name_is_message(SPAN(":2,S")));
}

static void
letters_show_flags_and_keywords(void **state)
{
	uint32_t unknown = 99;

	(void)state;
	assert_true(flags_eq(name_flags(&mem, SPAN("DFPRST"), NULL, &unknown),
	    kws(FLAG_ALL, 0, 0)));
	assert_int_equal(unknown, 0);
	assert_true(flags_eq(
	    name_flags(&mem, SPAN("eSaS"), &some, &unknown),
	    kws(FLAG_SEEN, 1, 3)));
	assert_int_equal(unknown, 0);
	assert_true(flags_eq(name_flags(&mem, SPAN("c"), &some, NULL),
	    kws(FLAG_PASSED, 0, 0)));
	/* lower-case system letters, others' letters, and behind a comma */
	assert_true(flags_eq(
	    name_flags(&mem, SPAN("Xszd1F,DaR"), &some, &unknown),
	    kws(FLAG_FLAGGED, 0, 0)));
	assert_int_equal(unknown,
	    1U << ('s' - 'a') | 1U << ('z' - 'a') | 1U << ('d' - 'a'));
	assert_true(flags_empty(name_flags(&mem, SPAN("ab"), NULL, &unknown)));
	assert_int_equal(unknown, 3);
	assert_true(flags_empty(name_flags(&mem, SPAN_NONE, &some, &unknown)));
	assert_int_equal(unknown, 0);
}

static void
assert_change(const char *file, struct flags f, bool in_new, const char *want)
{
	struct flags shown;
	struct span s = name_with_flags(&mem, span_str(file), f, &some,
	    in_new, &shown);

	assert_span(s, want);
	assert_true(flags_eq(shown,
	    name_flags(&mem, name_split(s).info, &some, NULL)));
}

static void
a_changed_name_has_sorted_letters_and_keeps_others(void **state)
{
	(void)state;
	assert_change("x", kws(FLAG_SEEN, 0, 0), false, "x:2,S");
	assert_change("x", kws(FLAG_SEEN, 0, 0), true, "x:2,S");
	assert_change("x:2,", kws(FLAG_SEEN | FLAG_DRAFT, 2, 1), false,
	    "x:2,DSab");
	assert_change("x:2,DSab", FLAGS_NONE, false, "x:2,");
	assert_change("x:2,SzX1Sq", kws(FLAG_FLAGGED, 3, 0), false,
	    "x:2,1FXeqz");
	assert_change("x:2,S,U=5:x", kws(FLAG_FLAGGED, 0, 0), false,
	    "x:2,S,U=5:x:2,F");
	assert_change("x:2,S,U=5", kws(FLAG_FLAGGED, 0, 0), false,
	    "x:2,F,U=5");
	assert_change("x:2,,U=5", kws(FLAG_FLAGGED, 0, 0), false, "x:2,F,U=5");
	assert_change("x:1,e", kws(FLAG_SEEN, 0, 0), false, "x:1,e:2,S");
	assert_change(":2,S", kws(FLAG_SEEN, 0, 0), false, ":2,S:2,S");
}

static void
a_name_that_shows_it_already_is_left_alone(void **state)
{
	(void)state;
	assert_change("x:2,SF", kws(FLAG_SEEN | FLAG_FLAGGED, 0, 0), false,
	    "x:2,SF");
	assert_change("x:2,SS", kws(FLAG_SEEN, 0, 0), false, "x:2,SS");
	assert_change("x:2,", FLAGS_NONE, false, "x:2,");
	assert_change("x", FLAGS_NONE, true, "x");
	assert_change("x", FLAGS_NONE, false, "x:2,");
	/* a keyword without a letter cannot be shown */
	assert_change("x:2,S", kws(FLAG_SEEN, 77, 0), false, "x:2,S");
	assert_change("x", kws(0, 77, 0), true, "x");
}

static void
forwarded_may_be_shown_by_p_or_by_its_letter(void **state)
{
	(void)state;
	assert_change("x:2,", kws(FLAG_PASSED, 0, 0), false, "x:2,Pc");
	assert_change("x:2,P", kws(FLAG_PASSED, 0, 0), false, "x:2,P");
	assert_change("x:2,c", kws(FLAG_PASSED, 0, 0), false, "x:2,c");
	assert_change("x:2,Pc", FLAGS_NONE, false, "x:2,");
	assert_change("x:2,c", kws(FLAG_SEEN, 0, 0), false, "x:2,S");
	assert_span(name_with_flags(&mem, SPAN("x"),
	    kws(FLAG_PASSED, 0, 0), NULL, false, NULL), "x:2,P");
}

static void
a_name_never_grows_over_255_bytes(void **state)
{
	char file[300];
	struct flags want = kws(FLAG_SEEN | FLAG_DRAFT, 1, 3), shown;

	(void)state;
	memset(file, 'x', sizeof file);
	for (size_t n = 240; n <= 255; n++) {
		struct span s = name_with_flags(&mem, span_of(file, n), want,
		    &some, false, &shown);
		size_t room = n + 3 > 255 ? 0 : 255 - n - 3;
		static const char *const all[] = {"", "D", "DS", "DSa"};

		assert_true(s.n <= 255);
		if (n + 3 > 255) {
			assert_int_equal(s.n, n);
			assert_true(flags_empty(shown));
			continue;
		}
		assert_memory_equal(s.p + n, ":2,", 3);
		assert_span(span_of(s.p + n + 3, s.n - n - 3),
		    room < 4 ? all[room] : "DSae");
		assert_true(flags_eq(shown,
		    name_flags(&mem, name_split(s).info, &some, NULL)));
		assert_int_equal(flags_eq(shown, want), room >= 4);
	}
	/* what has to go goes, and makes room */
	memcpy(file + 250, ":2,FS", 5);
	assert_span(span_of(name_with_flags(&mem, span_of(file, 255),
	    kws(FLAG_DRAFT | FLAG_DELETED, 1, 2), &some, false, &shown).p + 250,
	    5), ":2,DT");
	assert_int_equal(shown.sys, FLAG_DRAFT | FLAG_DELETED);
	assert_int_equal(shown.n, 0);
}

/* All infos up to 4 bytes, all sets of S, F, a, c/P. */
static void
what_is_written_is_read_back_for_all_small_infos(void **state)
{
	static const char alphabet[] = "SFPac1z,";

	(void)state;
	for (size_t n = 0, all = 1; n <= 4; n++, all *= 8) {
		for (size_t no = 0; no < all; no++) {
			char file[16] = "b:2,";
			struct span old = span_of(file, 4 + n);
			uint32_t left, kept;

			for (size_t i = 0, r = no; i < n; i++, r /= 8)
				file[4 + i] = alphabet[r % 8];
			arena_clear(&mem);
			name_flags(&mem, name_split(old).info, &some, &left);
			for (uint32_t k = 0; k < 16; k++) {
				struct flags f, shown;
				struct span s, again;

				f = kws((k & 1 ? FLAG_SEEN : 0) |
				    (k & 2 ? FLAG_FLAGGED : 0) |
				    (k & 4 ? FLAG_PASSED : 0), k & 8 ? 1 : 0,
				    0);
				s = name_with_flags(&mem, old, f, &some,
				    false, &shown);
				assert_true(flags_eq(shown, f));
				assert_span(name_split(s).base, "b");
				name_flags(&mem, name_split(s).info, &some,
				    &kept);
				assert_int_equal(left, kept);
				again = name_with_flags(&mem, s, f, &some,
				    false, NULL);
				assert_ptr_equal(again.p, s.p);
			}
		}
	}
}

static void
a_made_name_is_a_base_and_says_what_it_was_made_of(void **state)
{
	struct span s;
	char host[300];

	(void)state;
	s = name_make(&mem, 1700000000123456789, 42, 7, 0xabcdef, SPAN("h.ex"));
	assert_span(s, "1700000000.M123456P42Q7Rabcdef.h.ex");
	s = name_make(&mem, 5, 1, 2, 0, SPAN("a/b:c,d e\n\\"));
	assert_span(s,
	    "0.M0P1Q2R0.a\\057b\\072c\\054d\\040e\\012\\134");
	assert_span(name_make(&mem, -1, 1, 2, 3, SPAN("")),
	    "0.M0P1Q2R3.localhost");
	memset(host, '/', sizeof host);
	s = name_make(&mem, INT64_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX,
	    span_of(host, sizeof host));
	assert_in_range(s.n, 197, 200);
	assert_memory_equal(s.p + s.n - 4, "\\057", 4);
	assert_false(name_split(s).has_info);
	assert_true(name_is_message(s));
}

static void
elsewhere(const char *file, const char *base, const char *want)
{
	assert_span(
	    name_elsewhere(&mem, span_str(file), span_str(base), false),
	    want);
}

static void
letters_of_one_mailbox_do_not_go_to_another(void **state)
{
	struct span s;
	char full[300];

	(void)state;
	elsewhere("x:2,FSabz", "", "x:2,FS");
	elsewhere("x:2,aSXb9", "", "x:2,SX9");
	elsewhere("x:2,abc", "", "x:2,");
	elsewhere("x:2,Sa,U=a;b", "", "x:2,S,U=a;b");
	elsewhere("x", "", "x");
	elsewhere("abc:1,abc", "", "abc:1,abc");
	elsewhere("x:2,Sa", "1.P2.h", "1.P2.h:2,S");
	elsewhere("abc", "1.P2.h", "1.P2.h");
	/* what does not fit behind a longer base */
	memset(full, 'b', sizeof full);
	memcpy(full, "x:2,S,", 6);
	full[255] = '\0';
	s = name_elsewhere(&mem, span_str(full), SPAN("longer"), true);
	assert_span(s, "longer:2,");
	s = name_elsewhere(&mem, span_str(full), SPAN(""), true);
	assert_span(s, full);
	s = name_elsewhere(&mem, SPAN("x:2,Sb,b"), SPAN("y"), true);
	assert_span(s, "y:2,Sb,b");
}

static void
what_comes_back_is_not_deleted_and_has_the_letters_of_now(void **state)
{
	char as[26] = "ba\0P";

	(void)state;
	assert_span(name_undeleted(&mem, SPAN("x:2,FSTa"), as), "x:2,FSb");
	assert_span(name_undeleted(&mem, SPAN("x:2,Sabcd"), as), "x:2,PSab");
	assert_span(name_undeleted(&mem, SPAN("x:2,Pdz"), as), "x:2,P");
	assert_span(name_undeleted(&mem, SPAN("x:2,T"), as), "x:2,");
	assert_span(name_undeleted(&mem, SPAN("x:2,Ta,Ta"), as), "x:2,b,Ta");
	/* with nothing to change, none is */
	assert_span(name_undeleted(&mem, SPAN("x:2,SF"), as), "x:2,SF");
	assert_span(name_undeleted(&mem, SPAN("Ta"), as), "Ta");
	assert_span(name_undeleted(&mem, SPAN("x:1,Ta"), as), "x:1,Ta");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_divides_at_its_last_colon_if_2_follows),
		TEST(hidden_and_empty_names_are_no_messages),
		TEST(letters_show_flags_and_keywords),
		TEST(a_changed_name_has_sorted_letters_and_keeps_others),
		TEST(a_name_that_shows_it_already_is_left_alone),
		TEST(forwarded_may_be_shown_by_p_or_by_its_letter),
		TEST(a_name_never_grows_over_255_bytes),
		TEST(what_is_written_is_read_back_for_all_small_infos),
		TEST(letters_of_one_mailbox_do_not_go_to_another),
		TEST(what_comes_back_is_not_deleted_and_has_the_letters_of_now),
		TEST(a_made_name_is_a_base_and_says_what_it_was_made_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
