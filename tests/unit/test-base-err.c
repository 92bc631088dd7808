#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void
test_text_is_one_printable_line_that_fits(void **state)
{
	char huge[2000];
	struct err e;

	(void)state;
	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	assert_int_equal(
	    ERR_NO, err_set(&e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
			"a\nb\tc\x1b[0m %s", huge));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	for (size_t i = 0; e.text[i]; i++)
		assert_true((unsigned char)e.text[i] >= ' ');
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(e.resp[0], '\0');
}

static void
test_a_character_is_never_cut_in_two(void **state)
{
	static const char *const chars[] = {
	    "x", "\xc3\xa9", "\xe2\x80\xa6", "\xf0\x9f\x93\xa8"};
	const size_t max = sizeof((struct err *)0)->text - 1;
	char text[600];
	struct err e;

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		size_t width = strlen(chars[c]);

		/* N bytes, then characters of WIDTH bytes, around the end */
		for (size_t n = max - 12; n <= max + 4; n++) {
			size_t fits =
			    n > max ? max : n + (max - n) / width * width;

			memset(text, 'a', n);
			for (size_t i = n; i < n + 5 * width; i += width)
				memcpy(text + i, chars[c], width);
			text[n + 5 * width] = '\0';
			err_set(&e, ERR_IO, ERR_SCOPE_MSG, ERR_RETRY_LATER,
			    "%s", text);
			if (fits > n + 5 * width)
				fits = n + 5 * width;
			assert_int_equal(strlen(e.text), fits);
			assert_memory_equal(e.text, text, fits);
		}
	}
}

static void
test_text_that_just_fits_is_whole(void **state)
{
	const size_t max = sizeof((struct err *)0)->text - 1;
	char text[600];
	struct err e;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text + max - 2, "\xc3\xa9", 3);
	err_set(&e, ERR_IO, ERR_SCOPE_MSG, ERR_RETRY_LATER, "%s", text);
	assert_string_equal(e.text, text);
}

static void
test_bytes_that_steer_a_terminal_are_masked(void **state)
{
	char want[8], text[8];
	struct err e;

	(void)state;
	for (int i = 1; i < 256; i++) {
		bool control = i < 0x20 || i == 0x7f;

		snprintf(text, sizeof text, "a%cb", i);
		snprintf(want, sizeof want, "a%cb", control ? '?' : i);
		err_set(&e, ERR_NO, ERR_SCOPE_MSG, ERR_RETRY_LATER, "%s", text);
		assert_string_equal(e.text, want);
		/* U+0080 to U+00BF, of which the lower half are controls */
		if (i < 0x80 || i >= 0xc0)
			continue;
		snprintf(text, sizeof text, "\xc2%c", i);
		err_set(&e, ERR_NO, ERR_SCOPE_MSG, ERR_RETRY_LATER, "%s", text);
		assert_string_equal(e.text, i < 0xa0 ? "??" : text);
	}
}

static void
test_the_reason_survives_a_long_name(void **state)
{
	char path[4096];
	struct err e;

	(void)state;
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	err_sys(&e, ERR_SCOPE_BOX, ENOENT, "open '%s'", path);
	assert_non_null(strstr(e.text, ": No such file or directory"));
	assert_int_equal(0, strncmp(e.text, "open 'xxx", 9));
}

static void
test_context_is_cut_like_text(void **state)
{
	char huge[2000];
	struct err e;

	(void)state;
	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	err_set(&e, ERR_IO, ERR_SCOPE_MSG, ERR_RETRY_NEVER, "%s", huge);
	for (int i = 0; i < 300; i++)
		assert_int_equal(ERR_IO, err_wrap(&e, "\n\xc3\xa9"));
	assert_int_equal(0, strncmp(e.text, "?\xc3\xa9: ?\xc3\xa9: ", 10));
	assert_true(strlen(e.text) < sizeof e.text);
	assert_true(strlen(e.text) >= sizeof e.text - 2);
	assert_int_equal(e.scope, ERR_SCOPE_MSG);
	assert_int_equal(ERR_IO, err_wrap(&e, "%s", huge));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void
test_context_goes_in_front(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_IO, ERR_SCOPE_MSG, ERR_RETRY_NEVER, "no");
	assert_int_equal(ERR_IO, err_wrap(&e, "box %d", 3));
	assert_string_equal(e.text, "box 3: no");
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
}

static void
test_full_disks_are_told_from_other_trouble(void **state)
{
	static const int full[] = {ENOSPC, EDQUOT, EMFILE, ENFILE};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof full / sizeof *full; i++)
		assert_int_equal(
		    ERR_FULL, err_sys(&e, ERR_SCOPE_BOX, full[i], "write"));
	assert_int_equal(ERR_IO, err_sys(&e, ERR_SCOPE_BOX, EACCES, "write"));
	assert_int_equal(e.sys, EACCES);
	assert_non_null(strstr(e.text, "write: "));
}

static void
test_every_error_has_its_exit_status(void **state)
{
	static const struct {
		enum err_code code;
		enum err_scope scope;
		int want;
	} cases[] = {
	    {ERR_NONE, ERR_SCOPE_RUN, 0},
	    {ERR_USAGE, ERR_SCOPE_RUN, 64},
	    {ERR_AUTH, ERR_SCOPE_ACCOUNT, 77},
	    {ERR_CONFIG, ERR_SCOPE_RUN, 78},
	    {ERR_JOURNAL, ERR_SCOPE_ACCOUNT, 78},
	    {ERR_LOCKED, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_CANCELED, ERR_SCOPE_RUN, 75},
	    {ERR_NO, ERR_SCOPE_BOX, 65},
	    {ERR_PROTO, ERR_SCOPE_MSG, 65},
	    {ERR_NET, ERR_SCOPE_CONN, 69},
	    {ERR_NET, ERR_SCOPE_ACCOUNT, 69},
	    {ERR_TIMEOUT, ERR_SCOPE_CONN, 69},
	    {ERR_TLS, ERR_SCOPE_ACCOUNT, 69},
	    {ERR_FULL, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_IO, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_NO, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_BUG, ERR_SCOPE_CONN, 70},
	    {ERR_STALE, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_TOOBIG, ERR_SCOPE_ACCOUNT, 75},
	    {ERR_TOOBIG, ERR_SCOPE_MSG, 65},
	    {ERR_PROTO, ERR_SCOPE_CONN, 69},
	    {ERR_BAD, ERR_SCOPE_CONN, 69},
	    {ERR_BYE, ERR_SCOPE_CONN, 69},
	    {ERR_BUSY, ERR_SCOPE_ACCOUNT, 75},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		err_set(
		    &e, cases[i].code, cases[i].scope, ERR_RETRY_LATER, "x");
		assert_int_equal(err_exit_status(&e), cases[i].want);
	}
}

static void
test_no_error_ends_as_success(void **state)
{
	struct err e;

	(void)state;
	for (int code = ERR_BUSY; code < 0; code++) {
		for (int scope = ERR_SCOPE_MSG; scope <= ERR_SCOPE_RUN;
		     scope++) {
			int status;

			err_set(&e, (enum err_code)code, (enum err_scope)scope,
			    ERR_RETRY_NEVER, "x");
			status = err_exit_status(&e);
			assert_true(status >= 64 && status <= 78);
		}
	}
	err_set(&e, ERR_NO, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER, "x");
	assert_int_equal(err_exit_status(&e), 69);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_is_one_printable_line_that_fits),
	    cmocka_unit_test(test_a_character_is_never_cut_in_two),
	    cmocka_unit_test(test_text_that_just_fits_is_whole),
	    cmocka_unit_test(test_bytes_that_steer_a_terminal_are_masked),
	    cmocka_unit_test(test_the_reason_survives_a_long_name),
	    cmocka_unit_test(test_context_is_cut_like_text),
	    cmocka_unit_test(test_context_goes_in_front),
	    cmocka_unit_test(test_full_disks_are_told_from_other_trouble),
	    cmocka_unit_test(test_every_error_has_its_exit_status),
	    cmocka_unit_test(test_no_error_ends_as_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
