#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
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
	assert_int_equal(ERR_NO, err_set(&e, ERR_NO, ERR_SCOPE_BOX,
				     ERR_RETRY_LATER, "a\nb\tc\x1b[0m %s",
				     huge));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	for (size_t i = 0; e.text[i]; i++)
		assert_true((unsigned char)e.text[i] >= ' ');
	assert_int_equal(e.scope, ERR_SCOPE_BOX);
	assert_int_equal(e.resp[0], '\0');
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
		assert_int_equal(ERR_FULL,
		    err_sys(&e, ERR_SCOPE_BOX, full[i], "write"));
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
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		err_set(&e, cases[i].code, cases[i].scope, ERR_RETRY_LATER,
		    "x");
		assert_int_equal(err_exit_status(&e), cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_is_one_printable_line_that_fits),
	    cmocka_unit_test(test_context_goes_in_front),
	    cmocka_unit_test(test_full_disks_are_told_from_other_trouble),
	    cmocka_unit_test(test_every_error_has_its_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
