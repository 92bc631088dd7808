#include "cli/internal.h"

#include "base/alloc.h"
#include "config/nearest.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What e->text can grow to: every byte of it may become '?'. */
#define LINE_MAX_BYTES 1024

/* More accounts than that are counted where one is not found. */
#define ACCOUNTS_LISTED 10

int
cli_status_worse(int a, int b)
{
	static const int order[] = {64, 78, 77, 69, 75, 65, 3, 0};
	size_t n = sizeof(order) / sizeof(order[0]);
	size_t ia = 0, ib = 0;

	while (ia < n && order[ia] != a)
		ia++;
	while (ib < n && order[ib] != b)
		ib++;
	if (ia == n || ib == n) /* unknown: a bug, the worst there is */
		return ia == n ? a : b;
	return ia < ib ? a : b;
}

int
cli_fail(const struct cli *c, const char *account, const struct err *e)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	if (account)
		buf_addf(&line, "%s: ", account);
	(void)cli_text_add(&line, span_str(e->text), 0);
	log_error(c->log, "%s", buf_cstr(&line));
	buf_release(&line);
	return err_exit_status(e);
}

/* The one that NAME may stand for, else all, if they are few; else how many. */
static void
add_known_accounts(const struct config *conf, struct span name, struct buf *out)
{
	const size_t n = conf->naccounts;
	const char **names = xcalloc(n + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < n; i++)
		names[i] = conf->account[i].name;
	near = config_nearest(name, names);
	if (near)
		buf_addf(out, "did you mean '%s'?", near);
	else if (n > ACCOUNTS_LISTED)
		buf_addf(out, "there are %zu", n);
	else
		for (size_t i = 0; i < n; i++)
			buf_addf(out, "%s%s",
			    i	     ? ", "
			    : n == 1 ? "there is "
				     : "there are ",
			    names[i]);
	xfree(names);
}

int
cli_account(const struct cli *c, struct span name,
    const struct config_account **a_r, struct err *e)
{
	const struct config_account *a = config_find(c->conf, name);
	struct buf known;

	if (a) {
		*a_r = a;
		return 0;
	}
	buf_init(&known, 1024);
	add_known_accounts(c->conf, name, &known);
	err_set(e, ERR_USAGE, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
	    "no account '%.*s' in %s; %s", SPAN_ARG(name), c->conf->file,
	    buf_cstr(&known));
	buf_release(&known);
	return e->code;
}

unsigned
cli_width(int fd)
{
	struct winsize w;

	return ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

static int
help(const struct cli *c)
{
	struct buf text;
	struct err e;
	int status = CLI_OK;

	buf_init(&text, 65536);
	if (cli_usage_help(c->args.arg, c->args.narg, &text, &e) == 0)
		(void)fputs(buf_cstr(&text), stdout);
	else
		status = cli_fail(c, NULL, &e);
	buf_release(&text);
	return status;
}

static int
dispatch(struct cli *c)
{
	switch (c->args.command) {
	case CLI_CMD_SYNC:
		return cli_sync(c);
	case CLI_CMD_STATUS:
		return cli_status(c);
	case CLI_CMD_JOURNAL_DUMP:
		return cli_journal_dump(c);
	case CLI_CMD_JOURNAL_VERIFY:
		return cli_journal_verify(c);
	case CLI_CMD_EXPLAIN:
		return cli_explain(c);
	case CLI_CMD_UNDO:
		return cli_undo(c);
	case CLI_CMD_HELP:
	case CLI_CMD_VERSION:
		break;
	}
	return CLI_OK;
}

/* What all commands need that work on accounts. */
static int
run_command(struct cli *c)
{
	struct err e;
	int status;

	if (config_load(c->args.config, &c->env->config, &c->conf, &e) < 0 ||
	    cancel_new(&c->cancel, &e) < 0 ||
	    cancel_on_signals(c->cancel, &e) < 0 ||
	    (c->args.trace &&
		imap_trace_open(c->args.trace, &c->trace, &e) < 0)) {
		status = cli_fail(c, NULL, &e);
	} else {
		status = dispatch(c);
	}
	imap_trace_free(&c->trace);
	cancel_free(&c->cancel);
	config_free(&c->conf);
	return status;
}

static enum log_level
level_of(const struct cli_args *a)
{
	if (a->quiet)
		return LOG_ERROR;
	return a->verbose == 0	 ? LOG_WARN
	       : a->verbose == 1 ? LOG_INFO
				 : LOG_DEBUG;
}

/*
 * Does standard error go to systemd's journal?  Then JOURNAL_STREAM is
 * "DEVICE:INODE" of it; whoever sends it elsewhere leaves the variable behind.
 */
static bool
is_journal(const char *stream)
{
	char us[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(us, sizeof(us), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(stream, us) == 0;
}

/*
 * A full disk behind "> file" must not pass for success; but who reads a pipe
 * and has seen enough, as head(1), knows.
 */
static bool
output_is_whole(const struct cli *c)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLERR))
		log_error(c->log, "cannot write to standard output");
	return false;
}

/* Without it, what is advised would be done to other accounts. */
static const char *
called(struct cli *c)
{
	struct buf b;
	const char *s;

	if (!c->args.config)
		return "mochila";
	buf_init(&b, 65536);
	buf_add_str(&b, "mochila -c ");
	buf_add_shell(&b, span_str(c->args.config));
	s = arena_printf(&c->mem, "%s", buf_cstr(&b));
	buf_release(&b);
	return s;
}

int
cli_main(int argc, char **argv, const struct cli_env *env)
{
	struct cli c = {.env = env};
	bool sd = is_journal(env->journal_stream);
	struct err e;
	int status = CLI_OK;

	json_set_alloc_funcs(xalloc, xfree);
	arena_init(&c.mem);
	c.tty = isatty(STDERR_FILENO) && env->term &&
		strcmp(env->term, "dumb") != 0;
	if (cli_args_parse(argc, argv, &c.mem, &c.args, &e) < 0) {
		c.log = log_new(STDERR_FILENO, LOG_WARN, sd);
		status = cli_fail(&c, NULL, &e);
	} else {
		c.log = log_new(STDERR_FILENO, level_of(&c.args), sd);
		c.called = called(&c);
		if (c.args.command == CLI_CMD_VERSION)
			(void)printf("mochila %s\n", env->version);
		else if (c.args.command == CLI_CMD_HELP)
			status = help(&c);
		else
			status = run_command(&c);
	}
	if (status == CLI_OK && !output_is_whole(&c))
		status = CLI_NO_OUTPUT;
	log_free(&c.log);
	arena_release(&c.mem);
	return status;
}
