#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/internal.h"

#define MAX_WORDS 20

/* LINE is split at blanks. */
static int
parse(struct arena *mem, const char *line, struct cli_args *a, struct err *e)
{
	char *argv[MAX_WORDS + 1] = {arena_str(mem, "mochila")};
	int argc = 1;
	struct span rest = span_str(line);

	while (rest.n) {
		size_t n = span_index(rest, ' ');

		assert_true(argc < MAX_WORDS);
		argv[argc++] = arena_printf(mem, "%.*s", (int)n, rest.p);
		n += n < rest.n;
		rest = span_of(rest.p + n, rest.n - n);
	}
	return cli_args_parse(argc, argv, mem, a, e);
}

static void
test_commands_and_their_operands(void **state)
{
	struct arena mem;
	struct cli_args a;
	struct err e;

	(void)state;
	arena_init(&mem);
	assert_int_equal(0, parse(&mem, "sync", &a, &e));
	assert_true(a.command == CLI_CMD_SYNC && a.narg == 0 && !a.dry_run);
	/* options anywhere */
	assert_int_equal(0, parse(&mem,
				"-c f.yaml sync home:INBOX --dry-run work -vv "
				"--json --full --allow-deletes --trace t",
				&a, &e));
	assert_true(a.dry_run && a.json && a.full && a.allow_deletes &&
		    a.verbose == 2 && !a.quiet && a.narg == 2);
	assert_string_equal(a.config, "f.yaml");
	assert_string_equal(a.trace, "t");
	assert_string_equal(a.arg[0], "home:INBOX");
	assert_string_equal(a.arg[1], "work");
	assert_int_equal(a.jobs, 4);
	assert_int_equal(0, parse(&mem, "sync --jobs 1", &a, &e));
	assert_int_equal(a.jobs, 1);
	assert_int_equal(0, parse(&mem, "--jobs=256 sync home", &a, &e));
	assert_true(a.jobs == 256 && a.narg == 1);
	assert_int_equal(0, parse(&mem, "journal dump home", &a, &e));
	assert_true(a.command == CLI_CMD_JOURNAL_DUMP && a.narg == 1);
	assert_string_equal(a.arg[0], "home");
	assert_int_equal(
	    0, parse(&mem, "journal verify home --remote", &a, &e));
	assert_true(a.command == CLI_CMD_JOURNAL_VERIFY && a.remote);
	assert_int_equal(0, parse(&mem, "undo RUN -q", &a, &e));
	assert_true(a.command == CLI_CMD_UNDO && a.quiet);
	assert_int_equal(0, parse(&mem, "sync --allow-deletes", &a, &e));
	assert_true(a.allow_deletes);
	assert_int_equal(0, parse(&mem, "sync -- -odd", &a, &e));
	assert_string_equal(a.arg[0], "-odd");
	assert_int_equal(0, parse(&mem, "sync --help", &a, &e));
	assert_int_equal(a.command, CLI_CMD_HELP);
	assert_int_equal(0, parse(&mem, "--version", &a, &e));
	assert_int_equal(a.command, CLI_CMD_VERSION);
	arena_release(&mem);
}

static void
test_slips_get_one_line_that_helps(void **state)
{
	static const struct {
		const char *line, *word;
	} cases[] = {
	    {"", "no command"},
	    {"snyc", "'sync'"},
	    {"frobnicate", "frobnicate"},
	    {"sync --dryrun", "'--dry-run'"},
	    {"sync -x", "-x"},
	    {"sync --json=yes", "'--json' takes no value"},
	    {"sync --quiet=yes", "'--quiet' takes no value"},
	    /* a cluster of short options: the word before it is not meant */
	    {"sync --json -xq", "unknown option '-x'"},
	    {"sync --json -qx", "unknown option '-x'"},
	    {"sync --json -:", "unknown option '-:'"},
	    {"sync --ver", "unknown option '--ver'"},
	    /* what lets deletes through is written out, others need not be */
	    {"sync --allow", "write '--allow-deletes' out"},
	    {"sync --a home", "write '--allow-deletes' out"},
	    {"sync -q home --allow-delete", "write '--allow-deletes' out"},
	    {"sync --allow-deletes=yes", "'--allow-deletes' takes no value"},
	    {"sync --trace", "'--trace' needs a value"},
	    {"sync -vc", "'-c' needs a value"},
	    {"sync -c", "needs a value"},
	    {"status --dry-run", "--dry-run"},
	    {"status --jobs 2", "'--jobs' is not for 'mochila status'"},
	    {"sync --jobs", "'--jobs' needs a value"},
	    {"sync --jobs 0", "from 1 to 256, not '0'"},
	    {"sync --jobs 257", "from 1 to 256, not '257'"},
	    {"sync --jobs -1", "not '-1'"},
	    {"sync --jobs=", "not ''"},
	    {"sync --jobs 4x", "not '4x'"},
	    {"sync --jobs 4294967297", "not '4294967297'"},
	    {"sync --remote", "--remote"},
	    {"explain", "explain FILE"},
	    {"undo a b c", "'c'"},
	    {"journal", "'journal' needs one of 'dump', 'verify'"},
	    {"journal frob home", "'journal' has no 'frob'"},
	    {"journal dump a --remote", "'mochila journal dump'"},
	    {"journal dump", "ACCOUNT"},
	};
	struct arena mem;
	struct cli_args a;
	struct err e;
	const char *hint;

	(void)state;
	arena_init(&mem);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(ERR_USAGE, parse(&mem, cases[i].line, &a, &e));
		assert_int_equal(err_exit_status(&e), 64);
		if (!strstr(e.text, cases[i].word))
			fail_msg("'%s': '%s'", cases[i].line, e.text);
		/* where to look is said, and said once */
		hint = strstr(e.text, "; see mochila --help");
		assert_non_null(hint);
		assert_null(strstr(hint + 1, "; see"));
	}
	arena_release(&mem);
}

static void
test_help_names_every_command(void **state)
{
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, 65536);
	assert_int_equal(0, cli_usage_help(NULL, 0, &out, &e));
	for (size_t i = 0; i < cli_ncommands; i++)
		assert_non_null(strstr(buf_cstr(&out), cli_commands[i].word));
	for (size_t i = 0; i < cli_ncommands; i++) {
		const char *word[] = {cli_commands[i].word};

		buf_clear(&out);
		assert_int_equal(0, cli_usage_help(word, 1, &out, &e));
		assert_non_null(
		    strstr(buf_cstr(&out), cli_commands[i].synopsis));
	}
	assert_int_equal(ERR_USAGE,
	    cli_usage_help((const char *const[]){"frob"}, 1, &out, &e));
	buf_release(&out);
}

static void
test_of_several_statuses_the_gravest_counts(void **state)
{
	static const int order[] = {64, 78, 77, 69, 75, 65, 3, 0};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < 8; k++)
			assert_int_equal(cli_status_worse(order[i], order[k]),
			    order[i < k ? i : k]);
	assert_int_equal(cli_status_worse(70, 78), 70);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands_and_their_operands),
	    cmocka_unit_test(test_slips_get_one_line_that_helps),
	    cmocka_unit_test(test_help_names_every_command),
	    cmocka_unit_test(test_of_several_statuses_the_gravest_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
