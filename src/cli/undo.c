#include "cli/internal.h"

#include "sync/sync.h"

static int
undo_in(struct cli *c, const struct config_account *a, struct err *e)
{
	struct maildir_unbinned n;
	int rc = sync_undo(a, c->args.arg[0], c->cancel, &n, e);
	struct buf what;

	if (rc < 0)
		return rc;
	buf_init(&what, 200);
	if (n.messages)
		buf_addf(&what, "%llu message%s",
		    (unsigned long long)n.messages, cli_text_s(n.messages));
	if (n.mailboxes)
		buf_addf(&what, "%s%llu mailbox%s", what.n ? " and " : "",
		    (unsigned long long)n.mailboxes,
		    n.mailboxes == 1 ? "" : "es");
	if (!c->args.quiet && what.n == 0)
		(void)printf("%s: no message to put back\n", a->name);
	else if (!c->args.quiet)
		(void)printf("%s: %s put back; the next sync finds %s as new\n",
		    a->name, buf_cstr(&what),
		    n.messages + n.mailboxes == 1 ? "it" : "them");
	buf_release(&what);
	return 0;
}

/* Of which runs there is something to put back. */
static int
list_runs(struct cli *c)
{
	int status = CLI_OK;
	struct arena mem;

	arena_init(&mem);
	for (size_t i = 0; i < c->conf->naccounts; i++) {
		const struct config_account *a = &c->conf->account[i];
		struct sync_bin *v;
		struct err e;
		size_t n;

		if (sync_bins(a, &mem, &v, &n, &e) < 0)
			status =
			    cli_status_worse(status, cli_fail(c, a->name, &e));
		for (size_t k = 0; k < n; k++)
			(void)printf("%s: %.*s: %llu message%s\n", a->name,
			    SPAN_ARG(v[k].run),
			    (unsigned long long)v[k].messages,
			    cli_text_s(v[k].messages));
	}
	arena_release(&mem);
	return status;
}

int
cli_undo(struct cli *c)
{
	const struct config_account *a = NULL;
	int status = CLI_OK;
	bool found = false;
	struct err e;

	if (c->args.narg == 0)
		return list_runs(c);
	if (c->args.narg > 1) {
		if (cli_account(c, span_str(c->args.arg[1]), &a, &e) < 0)
			return cli_fail(c, NULL, &e);
		return undo_in(c, a, &e) < 0 ? cli_fail(c, a->name, &e)
					     : CLI_OK;
	}
	/* Accounts of one sync may share the run: all of it comes back. */
	for (size_t i = 0; i < c->conf->naccounts; i++) {
		a = &c->conf->account[i];
		if (undo_in(c, a, &e) == 0) {
			found = true;
		} else if (e.code != ERR_USAGE) {
			found = true;
			status =
			    cli_status_worse(status, cli_fail(c, a->name, &e));
		}
	}
	if (found)
		return status;
	log_error(c->log,
	    "no account has a run '%s' in its bin (%s/ACCOUNT/bin)",
	    c->args.arg[0], c->conf->state_dir);
	return CLI_USAGE;
}
