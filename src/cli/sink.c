/*
 * sink: what a sync tells, as lines for people or JSON objects.
 *
 * For people: the plan of a dry run and, with -v, what is done, on standard
 * output; what went wrong or was held back on standard error; progress on a
 * terminal.  In cron a clean run prints nothing.
 *
 * What several accounts say comes in the order in which it happens, a line, or
 * an object, at a time; each names its account.
 */
#include "cli/sink.h"

#include "base/clock.h"
#include "plan/tree.h"

#include <unistd.h>

/* Names that fill the line would leave no room for what happened. */
#define PLACE_WIDTH 200

#define UNSETTLED "others keep changing things; the next run goes on"

/* "account: mailbox: uid 3: text"; held deletes are errors: the run ends so */
static void
log_event(struct cli_sink *s, const struct sync_event *ev)
{
	struct buf line;

	buf_init(&line, 16384);
	buf_add_str(&line, ev->account);
	if (ev->mailbox.n) {
		buf_add_str(&line, ": ");
		(void)cli_text_add(&line, ev->mailbox, PLACE_WIDTH);
	}
	if (ev->uid) {
		buf_addf(&line, ": uid %u", ev->uid);
	} else if (ev->file.n) {
		buf_add_str(&line, ": ");
		(void)cli_text_add(&line, ev->file, PLACE_WIDTH);
	}
	buf_add_str(&line, ": ");
	(void)cli_text_add(&line, span_str(ev->text), 0);
	log_error(s->c->log, "%s", buf_cstr(&line));
	buf_release(&line);
}

/* Steps that only keep the journal in order are of interest to few. */
static bool
is_bookkeeping(const struct sync_event *ev)
{
	return strcmp(ev->op, "record") == 0 || strcmp(ev->op, "forget") == 0;
}

/* Mailboxes have no plan_print_op(): "create here Work (case 102: ...)" */
static void
print_event(struct cli_sink *s, const struct sync_event *ev)
{
	struct buf line;

	cli_progress_erase(&s->progress);
	buf_init(&line, 65536);
	if (s->accounts > 1) {
		(void)cli_text_add(&line, span_str(ev->account), 0);
		buf_add_str(&line, ": ");
	}
	if (ev->case_number >= TREE_CASE_BOTH) {
		buf_addf(&line, "%s ", ev->op);
		(void)cli_text_add(&line, ev->mailbox, 0);
		buf_addf(&line, " (case %d: %s)", ev->case_number, ev->text);
	} else {
		(void)cli_text_add(&line, span_str(ev->text), 0);
	}
	(void)printf("%s\n", buf_cstr(&line));
	buf_release(&line);
}

static void
json_event(const struct sync_event *ev)
{
	static const char *const name[] = {[SYNC_EVENT_OP] = "op",
	    [SYNC_EVENT_PLAN] = "plan",
	    [SYNC_EVENT_PROGRESS] = "progress",
	    [SYNC_EVENT_HELD] = "held",
	    [SYNC_EVENT_FAILED] = "failed",
	    [SYNC_EVENT_LEFT] = "left"};
	json_t *o = json_object();

	cli_json_add(o, "event", json_string(name[ev->kind]));
	cli_json_add(o, "account", json_string(ev->account));
	if (ev->mailbox.n)
		cli_json_add(o, "mailbox", cli_json_span(ev->mailbox));
	if (ev->op && *ev->op)
		cli_json_add(o, "op", json_string(ev->op));
	if (ev->case_number)
		cli_json_add(o, "case", json_integer(ev->case_number));
	if (ev->uid)
		cli_json_add(o, "uid", json_integer(ev->uid));
	if (ev->file.n)
		cli_json_add(o, "file", cli_json_span(ev->file));
	if (ev->from.n)
		cli_json_add(o, "from", cli_json_span(ev->from));
	if (ev->from_uid)
		cli_json_add(o, "from_uid", json_integer(ev->from_uid));
	if (ev->kind == SYNC_EVENT_PROGRESS) {
		cli_json_add(o, "done", json_integer((json_int_t)ev->done));
		cli_json_add(o, "total", json_integer((json_int_t)ev->total));
		cli_json_add(o, "bytes", json_integer((json_int_t)ev->bytes));
	} else {
		if (ev->kind == SYNC_EVENT_HELD)
			cli_json_add(
			    o, "deletes", json_integer((json_int_t)ev->total));
		cli_json_add(o, "text", cli_json_span(span_str(ev->text)));
	}
	cli_json_line(stdout, o);
}

static void
show_progress(struct cli_feed *f, const struct sync_event *ev)
{
	const struct cli_share now = {.at_work = true,
	    .done = ev->done,
	    .total = ev->total,
	    .bytes = ev->bytes};
	struct cli_progress *p = &f->to->progress;
	struct buf what;

	cli_progress_share(p, &f->share, now);
	buf_init(&what, 65536);
	buf_addf(&what, "%s %.*s", ev->account, SPAN_ARG(ev->mailbox));
	cli_progress_draw(p, buf_span(&what), clock_mono_ms());
	buf_release(&what);
}

static void
print_or_log(struct cli_feed *f, const struct sync_event *ev)
{
	struct cli_sink *s = f->to;
	const struct cli_args *a = &s->c->args;

	switch (ev->kind) {
	case SYNC_EVENT_PLAN:
		if (a->quiet || (is_bookkeeping(ev) && a->verbose == 0))
			break;
		f->planned = true;
		print_event(s, ev);
		break;
	case SYNC_EVENT_OP:
		if (!a->quiet && a->verbose > (is_bookkeeping(ev) ? 1 : 0))
			print_event(s, ev);
		break;
	case SYNC_EVENT_PROGRESS:
		show_progress(f, ev);
		break;
	case SYNC_EVENT_HELD:
	case SYNC_EVENT_FAILED:
	case SYNC_EVENT_LEFT:
		log_event(s, ev);
		break;
	}
}

static void
take_event(struct sync_sink *sink, const struct sync_event *ev)
{
	struct cli_feed *f = (struct cli_feed *)sink;

	pthread_mutex_lock(&f->to->lock);
	if (f->to->c->args.json)
		json_event(ev);
	else
		print_or_log(f, ev);
	pthread_mutex_unlock(&f->to->lock);
}

void
cli_sink_init(struct cli_sink *s, struct cli *c, size_t accounts)
{
	*s = (struct cli_sink){.c = c,
	    .accounts = accounts,
	    .progress = {.log = c->log,
		.fd = STDERR_FILENO,
		.on = c->tty && !c->args.json && !c->args.quiet}};
	pthread_mutex_init(&s->lock, NULL);
}

void
cli_sink_release(struct cli_sink *s)
{
	cli_progress_erase(&s->progress);
	pthread_mutex_destroy(&s->lock);
}

void
cli_feed_init(struct cli_feed *f, struct cli_sink *to)
{
	*f = (struct cli_feed){.sink = {take_event}, .to = to};
}

/* What failed, or waits, may be what all passes tried in vain. */
static bool
is_unsettled(const struct sync_report *r)
{
	return r->unsettled && r->failed == 0 && r->waiting == 0;
}

static void
json_summary(const struct sync_report *r)
{
	const struct {
		const char *key;
		uint64_t n;
	} v[] = {{"pulled", r->pulled}, {"pushed", r->pushed},
	    {"moved", r->moved}, {"copied", r->copied}, {"flags", r->flags},
	    {"deleted_local", r->deleted_local},
	    {"deleted_remote", r->deleted_remote}, {"held", r->held},
	    {"failed", r->failed}, {"bytes_in", r->bytes_in},
	    {"bytes_out", r->bytes_out}, {"round_trips", r->round_trips},
	    {"adopted", r->adopted}, {"waiting", r->waiting},
	    {"left", r->left},
	    {"mailboxes_created", r->boxes_created},
	    {"mailboxes_deleted", r->boxes_deleted},
	    {"mailboxes_renamed", r->boxes_renamed}};
	json_t *o = json_object();

	cli_json_add(o, "event", json_string("summary"));
	cli_json_add(o, "account", json_string(r->account));
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		cli_json_add(o, v[i].key, json_integer((json_int_t)v[i].n));
	cli_json_add(o, "seconds", json_real(r->seconds));
	if (r->run[0])
		cli_json_add(o, "run", json_string(r->run));
	if (r->err.code)
		cli_json_add(o, "error", cli_json_span(span_str(r->err.text)));
	else if (is_unsettled(r))
		cli_json_add(o, "error", json_string(UNSETTLED));
	cli_json_add(o, "status", json_integer(r->status));
	cli_json_line(stdout, o);
}

/* "3 pulled": MANY is NULL where the words are the same for one and many. */
static void
part(struct buf *out, uint64_t n, const char *one, const char *many)
{
	if (n)
		buf_addf(out, "%s%llu %s", out->n ? ", " : "",
		    (unsigned long long)n, n == 1 || !many ? one : many);
}

static void
print_summary(const struct sync_report *r)
{
	struct buf what;

	buf_init(&what, 1024);
	part(&what, r->pulled, "pulled", NULL);
	part(&what, r->pushed, "pushed", NULL);
	part(&what, r->moved, "moved", NULL);
	part(&what, r->copied, "copied", NULL);
	part(&what, r->adopted, "adopted", NULL);
	part(&what, r->flags, "flag change", "flag changes");
	part(&what, r->deleted_local, "deleted here", NULL);
	part(&what, r->deleted_remote, "deleted on server", NULL);
	part(&what, r->boxes_created, "mailbox created", "mailboxes created");
	part(&what, r->boxes_deleted, "mailbox deleted", "mailboxes deleted");
	part(&what, r->boxes_renamed, "mailbox renamed", "mailboxes renamed");
	part(&what, r->held, "delete held back", "deletes held back");
	part(&what, r->waiting, "waiting", NULL);
	part(&what, r->failed, "failed", NULL);
	(void)printf("%s: %s; %llu round trip%s, %.2f s\n", r->account,
	    what.n ? buf_cstr(&what) : "nothing to do",
	    (unsigned long long)r->round_trips, cli_text_s(r->round_trips),
	    r->seconds);
	buf_release(&what);
}

/* With the account where there are several: they may share the run. */
static void
print_undo(const struct cli_sink *s, const struct sync_report *r)
{
	bool several = s->c->conf->naccounts > 1;

	(void)printf("%s: to put back what was removed here: "
		     "%s undo %s%s%s\n",
	    r->account, s->c->called, r->run, several ? " " : "",
	    several ? r->account : "");
}

static void
print_end(const struct cli_feed *f, const struct sync_report *r)
{
	if (r->err.code == ERR_NONE && !f->to->c->args.dry_run)
		print_summary(r);
	else if (r->err.code == ERR_NONE && !f->planned)
		(void)printf("%s: nothing to do\n", r->account);
	/* Also when something ended the run later. */
	if (r->run[0])
		print_undo(f->to, r);
}

/*
 * What waits is told when it is put off, once.  A run that ends with 65 for
 * that alone has to say so: cron and systemd report a failure.
 */
static void
say_waiting(const struct cli_sink *s, const struct sync_report *r)
{
	log_error(s->c->log,
	    "%s: %llu message%s to be tried again; '%s status %s' tells "
	    "which, and why",
	    r->account, (unsigned long long)r->waiting,
	    r->waiting == 1 ? " waits" : "s wait", s->c->called, r->account);
}

void
cli_feed_end(struct cli_feed *f, const struct sync_report *r)
{
	const struct cli_share none = {.at_work = false};
	struct cli_sink *s = f->to;
	const struct cli_args *a = &s->c->args;

	pthread_mutex_lock(&s->lock);
	cli_progress_share(&s->progress, &f->share, none);
	cli_progress_erase(&s->progress);
	if (r->err.code)
		(void)cli_fail(s->c, r->account, &r->err);
	else if (r->waiting && r->failed == 0 && !a->json)
		say_waiting(s, r);
	else if (is_unsettled(r) && !a->json)
		log_error(s->c->log, "%s: " UNSETTLED, r->account);
	if (a->json)
		json_summary(r);
	else if (!a->quiet && (a->verbose > 0 || s->c->tty))
		print_end(f, r);
	(void)fflush(stdout);
	pthread_mutex_unlock(&s->lock);
}

void
cli_sink_not_begun(struct cli_sink *s, const struct sync_report *r)
{
	if (!s->c->args.json)
		return;
	pthread_mutex_lock(&s->lock);
	json_summary(r);
	(void)fflush(stdout);
	pthread_mutex_unlock(&s->lock);
}
