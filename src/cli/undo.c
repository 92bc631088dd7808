#include "cli/internal.h"

#include "sync/sync.h"

static int
undo_in(struct cli *c, const struct config_account *a, struct err *e)
{
	uint64_t n = 0;
	int rc = sync_undo(a, c->args.arg[0], c->cancel, &n, e);

	if (rc < 0)
		return rc;
	if (!c->args.quiet)
		(void)printf("%s: %llu messages put back; the next sync "
			     "treats them as new\n",
		    a->name, (unsigned long long)n);
	return 0;
}

int
cli_undo(struct cli *c)
{
	const struct config_account *a = NULL;
	struct err e;

	if (c->args.narg > 1) {
		if (cli_account(c, span_str(c->args.arg[1]), &a, &e) < 0)
			return cli_fail(c, NULL, &e);
		if (undo_in(c, a, &e) < 0)
			return cli_fail(c, a->name, &e);
		return CLI_OK;
	}
	for (size_t i = 0; i < c->conf->naccounts; i++) {
		a = &c->conf->account[i];
		if (undo_in(c, a, &e) == 0)
			return CLI_OK;
		if (e.code != ERR_USAGE)
			return cli_fail(c, a->name, &e);
	}
	log_error(c->log, "no account has a run '%s' in its bin",
	    c->args.arg[0]);
	return CLI_USAGE;
}
