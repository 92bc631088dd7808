/*
 * Accounts are independent: each has its own lock, journal, Maildir and
 * connection, and no two share a directory (config.h).  Several are synced at
 * once, in the order of the configuration, or of the command line.
 */
#include "cli/sink.h"

#include "base/pool.h"
#include "net/stream.h"
#include "net/trust.h"

#include <sys/resource.h>

/* This program, to be executed beside threads: journal_open_by(). */
#define SELF "/proc/self/exe"

/* Some twenty are open for an account at work; what is left is for peaks. */
#define FILES_PER_ACCOUNT 60
#define FILES_BESIDE 100

/* One account, with the mailboxes that were named; none: all. */
struct job {
	const struct config_account *a;
	struct span *mailbox;
	size_t n;
	bool whole; /* named without a mailbox */
	int status;
};

struct syncing {
	struct pool_work work; /* first */
	struct cli *c;
	struct cli_sink sink;
	struct net_trust *trust; /* owned */
	struct job *v;
	size_t n;
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

static void
sync_job(struct pool_work *w, size_t i)
{
	struct syncing *s = (struct syncing *)w;
	struct job *j = &s->v[i];
	const struct cli *c = s->c;
	struct sync_report report = {
	    .account = j->a->name, .status = CLI_LATER};
	struct cli_feed feed;
	const struct sync_options o = {.dry_run = c->args.dry_run,
	    .full = c->args.full,
	    .allow_deletes = c->args.allow_deletes,
	    .mailboxes = j->mailbox,
	    .nmailboxes = j->n,
	    .whole = j->whole,
	    .named = c->args.narg > 0,
	    .cancel = c->cancel,
	    .log = c->log,
	    .trace = c->trace,
	    .sink = &feed.sink,
	    .trust = s->trust,
	    .called = c->called,
	    /* also one after the other: a name lookup may still be at it */
	    .exe = s->n > 1 ? SELF : NULL};

	j->status = CLI_LATER;
	/* The first one tells that the run was interrupted. */
	if (i > 0 && cancel_check(c->cancel, &report.err) != 0) {
		cli_sink_not_begun(&s->sink, &report);
		return;
	}
	cli_feed_init(&feed, &s->sink);
	sync_account(c->conf, j->a, &o, &report);
	cli_feed_end(&feed, &report);
	net_thread_end();
	j->status = report.status;
}

/*
 * How many accounts of WANT may be at work at once.  The usual limit of 1024
 * descriptors is for programs that use select(2): it is raised as far as it
 * may be.
 */
static unsigned
allow_files(unsigned want)
{
	rlim_t need = (rlim_t)want * FILES_PER_ACCOUNT + FILES_BESIDE;
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= need)
		return want;
	now.rlim_cur = need < now.rlim_max ? need : now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= need)
		return want;
	if (now.rlim_cur < FILES_BESIDE + FILES_PER_ACCOUNT)
		return 1;
	return (unsigned)((now.rlim_cur - FILES_BESIDE) / FILES_PER_ACCOUNT);
}

int
cli_sync(struct cli *c)
{
	size_t max = c->args.narg + c->conf->naccounts + 1;
	struct syncing s = {.work = {sync_job}, .c = c};
	unsigned at_once = c->args.jobs;
	int status = CLI_OK;
	struct err e;

	s.v = arena_array(&c->mem, max, sizeof(*s.v));
	if (parse_operands(c, s.v, &s.n, &e) < 0)
		return cli_fail(c, NULL, &e);
	at_once = allow_files(at_once < s.n ? at_once : (unsigned)s.n);
	cli_sink_init(&s.sink, c, s.n);
	s.trust = net_trust_new();
	pool_run(&s.work, s.n, at_once);
	net_trust_free(&s.trust);
	cli_sink_release(&s.sink);
	for (size_t i = 0; i < s.n; i++)
		status = cli_status_worse(status, s.v[i].status);
	return status;
}
