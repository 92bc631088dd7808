#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/internal.h"

static void
test_addresses(void **state)
{
	static const struct {
		const char *word, *account, *mailbox;
		uint32_t uid;
	} cases[] = {
	    {"home:INBOX:12", "home", "INBOX", 12},
	    {"a.b-c_1:x:1", "a.b-c_1", "x", 1},
	    {"home:a/b:4294967295", "home", "a/b", UINT32_MAX},
	    /* colons are allowed in names of mailboxes */
	    {"home:a:b:7", "home", "a:b", 7},
	    {"home:::7", "home", ":", 7},
	    {"home:1:2:3", "home", "1:2", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cli_address a;

		assert_true(
		    cli_address_parse(span_str(cases[i].word), &a));
		assert_true(span_eq(a.account, span_str(cases[i].account)));
		assert_true(span_eq(a.mailbox, span_str(cases[i].mailbox)));
		assert_int_equal(a.uid, cases[i].uid);
	}
}

static void
test_what_is_no_address_may_be_a_file(void **state)
{
	static const char *const words[] = {"", ":", "::", ":::", "home",
	    "home:", "home:INBOX", "home:INBOX:", "home::12", ":INBOX:12",
	    "home:INBOX:0", "home:INBOX:-1", "home:INBOX:4294967296",
	    "home:INBOX:12x", "home:INBOX: 12", "home:INBOX:0x1",
	    "./home:INBOX:12", "/a/home:INBOX:12", "cur/1.host:2,S",
	    "1.host:2,S", "1:2,", "home:12"};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct cli_address a = {.uid = 77};

		if (cli_address_parse(span_str(words[i]), &a))
			fail_msg("'%s' is an address", words[i]);
		assert_int_equal(a.uid, 77);
	}
}

static void
test_every_part_of_an_address_is_within_it(void **state)
{
	static const char word[] = "home:INBOX:12";

	(void)state;
	for (size_t n = 0; n < sizeof word; n++) {
		char *part = xstrndup(word, n);
		struct cli_address a;
		bool ok = cli_address_parse(span_of(part, n), &a);

		assert_int_equal(ok, n >= 12);
		if (ok) {
			assert_ptr_equal(a.account.p, part);
			assert_int_equal(a.uid, n == 12 ? 1 : 12);
		}
		xfree(part);
	}
}

static void
test_options_and_operands(void **state)
{
	static const struct {
		char *argv[6];
		const char *word; /* of the error; NULL: good */
	} cases[] = {
	    {{"mochila", "explain", "x", "--offline", "--json"}, NULL},
	    {{"mochila", "--json", "explain", "home:INBOX:1"}, NULL},
	    {{"mochila", "explain"}, "explain FILE"},
	    {{"mochila", "explain", "a", "b"}, "'b'"},
	    {{"mochila", "explain", "a", "--full"}, "--full"},
	    {{"mochila", "sync", "--offline"}, "--offline"},
	    {{"mochila", "explian", "a"}, "'explain'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *argv[6];
		struct cli_args a;
		struct arena mem;
		struct err e;
		int argc = 0, rc;

		while (argc < 6 && cases[i].argv[argc]) {
			argv[argc] = cases[i].argv[argc];
			argc++;
		}
		arena_init(&mem);
		rc = cli_args_parse(argc, argv, &mem, &a, &e);
		if (cases[i].word) {
			assert_int_equal(rc, ERR_USAGE);
			assert_non_null(strstr(e.text, cases[i].word));
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(a.command, CLI_CMD_EXPLAIN);
			assert_true(a.json);
			assert_int_equal(a.offline, i == 0);
			assert_int_equal(a.narg, 1);
		}
		arena_release(&mem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_what_is_no_address_may_be_a_file),
	    cmocka_unit_test(test_every_part_of_an_address_is_within_it),
	    cmocka_unit_test(test_options_and_operands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
