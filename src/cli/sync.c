#include "cli/sink.h"

/* One account, with the mailboxes that were named; none: all. */
struct job {
	const struct config_account *a;
	struct span *mailbox;
	size_t n;
	bool whole; /* named without a mailbox */
};

static struct job *
job_of(struct job *v, size_t *n, const struct config_account *a,
    struct arena *mem, size_t max)
{
	struct job *j;

	for (size_t i = 0; i < *n; i++)
		if (v[i].a == a)
			return &v[i];
	j = &v[(*n)++];
	*j = (struct job){
	    .a = a, .mailbox = arena_array(mem, max + 1, sizeof(*j->mailbox))};
	return j;
}

/* "ACCOUNT" or "ACCOUNT:MAILBOX", in the order of the command line. */
static int
parse_operands(struct cli *c, struct job *v, size_t *n_r, struct err *e)
{
	size_t n = 0, max = c->args.narg;

	for (size_t i = 0; i < max; i++) {
		struct span word = span_str(c->args.arg[i]);
		size_t colon = span_index(word, ':');
		const struct config_account *a;
		struct job *j;

		if (cli_account(c, span_of(word.p, colon), &a, e) < 0)
			return e->code;
		j = job_of(v, &n, a, &c->mem, max);
		if (colon == word.n)
			j->whole = true;
		else if (colon + 1 < word.n)
			j->mailbox[j->n++] =
			    span_of(word.p + colon + 1, word.n - colon - 1);
		else /* an empty variable of a script is not "all" */
			return err_set(e, ERR_USAGE, ERR_SCOPE_RUN,
			    ERR_RETRY_NEVER, "no mailbox behind '%.*s'",
			    SPAN_ARG(word));
	}
	for (size_t i = 0; max == 0 && i < c->conf->naccounts; i++)
		v[n++] = (struct job){.a = &c->conf->account[i], .whole = true};
	*n_r = n;
	return 0;
}

int
cli_sync(struct cli *c)
{
	size_t max = c->args.narg + c->conf->naccounts + 1, n = 0;
	struct job *v = arena_array(&c->mem, max, sizeof(*v));
	int status = CLI_OK;
	struct cli_sink sink;
	struct err e;

	if (parse_operands(c, v, &n, &e) < 0)
		return cli_fail(c, NULL, &e);
	cli_sink_init(&sink, c, n);
	for (size_t i = 0; i < n; i++) {
		struct sync_report report;
		const struct sync_options o = {.dry_run = c->args.dry_run,
		    .full = c->args.full,
		    .allow_deletes = c->args.allow_deletes,
		    .mailboxes = v[i].mailbox,
		    .nmailboxes = v[i].whole ? 0 : v[i].n,
		    .cancel = c->cancel,
		    .log = c->log,
		    .trace = c->trace,
		    .sink = &sink.sink};

		sync_account(c->conf, v[i].a, &o, &report);
		cli_sink_summary(&sink, &report);
		status = cli_status_worse(status, report.status);
		if (cancel_raised(c->cancel) && i + 1 < n)
			return cli_status_worse(status, CLI_LATER);
	}
	return status;
}
