/*
 * args: options may stand before and behind the command and its operands;
 * which of them a command takes is in its cli_command_info.
 */
#include "cli/internal.h"

#include "config/nearest.h"

#include <getopt.h>

enum {
	OPT_DRY_RUN = 256,
	OPT_FULL,
	OPT_ALLOW_DELETES,
	OPT_JSON,
	OPT_REMOTE,
	OPT_OFFLINE,
	OPT_JOBS,
	OPT_TRACE,
	OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"full", no_argument, NULL, OPT_FULL},
    {"allow-deletes", no_argument, NULL, OPT_ALLOW_DELETES},
    {"json", no_argument, NULL, OPT_JSON},
    {"remote", no_argument, NULL, OPT_REMOTE},
    {"offline", no_argument, NULL, OPT_OFFLINE},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {NULL, 0, NULL, 0},
};

struct scan {
	struct cli_args a;
	const char **word; /* the command and its operands */
	size_t nword;
	unsigned options; /* CLI_OPT_* that were given */
	const char *jobs; /* NULL: not given */
	bool help, version;
};

static int usage(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
usage(struct err *e, const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_USAGE, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
	    "%s; see mochila --help", what);
}

/*
 * What getopt_long complains of.  WORD is the one behind which it stopped,
 * and that is the one before a cluster of short options ("-xq") which it has
 * not finished: of those only OPTOPT tells.  OPTOPT is 0 for a long option
 * that is unknown, or short for several.
 */
static int
bad_option(struct err *e, bool missing, const char *word)
{
	const char *known[sizeof(long_options) / sizeof(long_options[0])];
	const char *near = NULL;
	size_t n = strcspn(word, "=");

	if (missing && strncmp(word, "--", 2) != 0)
		return usage(e, "option '-%c' needs a value", optopt);
	if (missing)
		return usage(e, "option '%s' needs a value", word);
	if (optopt != 0 && optopt < OPT_DRY_RUN && !strchr("chqv", optopt))
		return usage(e, "unknown option '-%c'", optopt);
	if (optopt != 0)
		return usage(e, "option '%.*s' takes no value", (int)n, word);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		known[i] = long_options[i].name;
	near = config_nearest(span_of(word + 2, n - 2), known);
	if (near)
		return usage(e, "unknown option '%.*s'; did you mean '--%s'?",
		    (int)n, word, near);
	return usage(e, "unknown option '%.*s'", (int)n, word);
}

static void
take_option(struct scan *s, int opt)
{
	switch (opt) {
	case 1: /* because of "-" in the option string: an operand */
		s->word[s->nword++] = optarg;
		break;
	case 'c':
		s->a.config = optarg;
		break;
	case 'h':
		s->help = true;
		break;
	case OPT_VERSION:
		s->version = true;
		break;
	case 'q':
		s->a.quiet = true;
		break;
	case 'v':
		s->a.verbose++;
		break;
	case OPT_TRACE:
		s->a.trace = optarg;
		break;
	case OPT_DRY_RUN:
		s->a.dry_run = true;
		s->options |= CLI_OPT_DRY_RUN;
		break;
	case OPT_FULL:
		s->a.full = true;
		s->options |= CLI_OPT_FULL;
		break;
	case OPT_ALLOW_DELETES:
		s->a.allow_deletes = true;
		s->options |= CLI_OPT_ALLOW_DELETES;
		break;
	case OPT_JSON:
		s->a.json = true;
		s->options |= CLI_OPT_JSON;
		break;
	case OPT_REMOTE:
		s->a.remote = true;
		s->options |= CLI_OPT_REMOTE;
		break;
	case OPT_OFFLINE:
		s->a.offline = true;
		s->options |= CLI_OPT_OFFLINE;
		break;
	case OPT_JOBS:
		s->jobs = optarg;
		s->options |= CLI_OPT_JOBS;
		break;
	default:
		break;
	}
}

static int
scan(int argc, char **argv, struct scan *s, struct err *e)
{
	int opt;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "-:c:hqv", long_options, NULL)) !=
	       -1) {
		if (opt == '?' || opt == ':')
			return bad_option(e, opt == ':', argv[optind - 1]);
		/* no unfinished word lets deletes through */
		if (opt == OPT_ALLOW_DELETES &&
		    strcmp(argv[optind - 1], "--allow-deletes") != 0)
			return usage(e, "write '--allow-deletes' out, not '%s'",
			    argv[optind - 1]);
		take_option(s, opt);
	}
	while (optind < argc) /* behind "--" */
		s->word[s->nword++] = argv[optind++];
	return 0;
}

/* The first word is that of commands of two words; the second is not. */
static int
no_second(const struct scan *s, struct err *e)
{
	struct buf known;

	buf_init(&known, 200);
	for (size_t i = 0; i < cli_ncommands; i++)
		if (strcmp(s->word[0], cli_commands[i].word) == 0)
			buf_addf(&known, "%s'%s'", known.n ? ", " : "",
			    cli_commands[i].second);
	if (s->nword > 1)
		(void)usage(e, "'%s' has no '%s', only %s", s->word[0],
		    s->word[1], buf_cstr(&known));
	else
		(void)usage(e, "'%s' needs one of %s behind it", s->word[0],
		    buf_cstr(&known));
	buf_release(&known);
	return e->code;
}

static int
no_command(const struct scan *s, struct err *e)
{
	const char *words[16] = {NULL};
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command_info *c = &cli_commands[i];

		if (strcmp(s->word[0], c->word) == 0)
			return no_second(s, e);
		/* Those of one first word stand together. */
		if (n + 1 < sizeof(words) / sizeof(words[0]) &&
		    (n == 0 || strcmp(words[n - 1], c->word) != 0))
			words[n++] = c->word;
	}
	near = config_nearest(span_str(s->word[0]), words);
	if (near)
		return usage(e, "unknown command '%s'; did you mean '%s'?",
		    s->word[0], near);
	return usage(e, "unknown command '%s'", s->word[0]);
}

static int
take_jobs(struct scan *s, struct err *e)
{
	uint32_t n;

	s->a.jobs = CLI_JOBS_DEFAULT;
	if (!s->jobs)
		return 0;
	if (!span_u32(span_str(s->jobs), &n) || n < 1 || n > CLI_JOBS_MAX)
		return usage(e, "--jobs takes a number from 1 to %d, not '%s'",
		    CLI_JOBS_MAX, s->jobs);
	s->a.jobs = n;
	return 0;
}

static int
check_command(struct scan *s, const struct cli_command_info *c, struct err *e)
{
	static const char *const name[] = {"--dry-run", "--full",
	    "--allow-deletes", "--json", "--remote", "--offline", "--jobs"};
	size_t words = c->second ? 2 : 1;
	unsigned bad = s->options & ~c->options;

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (bad & 1U << i)
			return usage(e,
			    "option '%s' is not for 'mochila %s%s%s'", name[i],
			    c->word, c->second ? " " : "",
			    c->second ? c->second : "");
	s->a.command = c->command;
	s->a.arg = s->word + words;
	s->a.narg = s->nword - words;
	if (s->a.narg < c->min)
		return usage(e, "too few words for 'mochila %s'", c->synopsis);
	if (s->a.narg > c->max)
		return usage(e, "'%s' is too much for 'mochila %s'",
		    s->a.arg[c->max], c->synopsis);
	return 0;
}

int
cli_args_parse(int argc, char **argv, struct arena *mem, struct cli_args *a_r,
    struct err *e)
{
	struct scan s = {.a = {.command = CLI_CMD_HELP}};
	int rc;

	s.word = arena_array(mem, (size_t)argc + 1, sizeof(*s.word));
	rc = scan(argc, argv, &s, e);
	if (rc)
		return rc;
	if (s.version || s.help) {
		s.a.command = s.version ? CLI_CMD_VERSION : CLI_CMD_HELP;
		s.a.arg = s.word;
		s.a.narg = s.nword;
		*a_r = s.a;
		return 0;
	}
	if (s.nword == 0)
		return usage(e, "no command");
	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command_info *c = &cli_commands[i];

		if (strcmp(s.word[0], c->word) != 0)
			continue;
		if (c->second &&
		    (s.nword < 2 || strcmp(s.word[1], c->second) != 0))
			continue;
		rc = check_command(&s, c, e);
		if (rc == 0)
			rc = take_jobs(&s, e);
		if (rc == 0)
			*a_r = s.a;
		return rc;
	}
	return no_command(&s, e);
}
