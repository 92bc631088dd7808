/*
 * sink: what a sync tells, as lines for people or JSON objects.
 *
 * For people: the plan of a dry run and, with -v, what is done, on standard
 * output; what went wrong on standard error; progress on a terminal.  In cron
 * a clean run prints nothing.
 */
#include "cli/internal.h"
#include "cli/sink.h"

#include "base/clock.h"

/* "account: mailbox: uid 3: text" */
static void
place(struct buf *out, const struct sync_event *ev)
{
	buf_add_str(out, ev->account);
	if (ev->mailbox.n)
		buf_addf(out, ": %.*s", SPAN_ARG(ev->mailbox));
	if (ev->uid)
		buf_addf(out, ": uid %u", ev->uid);
	else if (ev->file.n)
		buf_addf(out, ": %.*s", SPAN_ARG(ev->file));
	buf_addf(out, ": %s", ev->text);
}

static void
log_event(struct cli_sink *s, enum log_level level,
    const struct sync_event *ev)
{
	struct buf line;

	buf_init(&line, 4096);
	place(&line, ev);
	log_write(s->c->log, level, "%s", buf_cstr(&line));
	buf_release(&line);
}

/* Steps that only keep the journal in order are of interest to few. */
static bool
is_bookkeeping(const struct sync_event *ev)
{
	return strcmp(ev->op, "record") == 0 || strcmp(ev->op, "forget") == 0;
}

/* Mailboxes have no plan_print_op(): "create here Work (case 102: ...)". */
static void
print_event(struct cli_sink *s, const struct sync_event *ev)
{
	struct buf line;

	cli_progress_erase(&s->progress);
	buf_init(&line, 16384);
	if (s->accounts > 1) {
		(void)cli_text_add(&line, span_str(ev->account), 0);
		buf_add_str(&line, ": ");
	}
	if (ev->case_number > 100) {
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
	static const char *const name[] = {"op", "plan", "progress", "held",
	    "failed"};
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
	if (ev->kind == SYNC_EVENT_PROGRESS) {
		cli_json_add(o, "done", json_integer((json_int_t)ev->done));
		cli_json_add(o, "total", json_integer((json_int_t)ev->total));
		cli_json_add(o, "bytes", json_integer((json_int_t)ev->bytes));
	} else {
		if (ev->kind == SYNC_EVENT_HELD)
			cli_json_add(o, "deletes",
			    json_integer((json_int_t)ev->total));
		cli_json_add(o, "text", cli_json_span(span_str(ev->text)));
	}
	cli_json_line(stdout, o);
}

static void
show_progress(struct cli_sink *s, const struct sync_event *ev)
{
	struct buf what;

	buf_init(&what, 1024);
	buf_addf(&what, "%s %.*s", ev->account, SPAN_ARG(ev->mailbox));
	cli_progress_draw(&s->progress, buf_span(&what), ev->done, ev->total,
	    ev->bytes, clock_mono_ms());
	buf_release(&what);
}

static void
take_event(struct sync_sink *sink, const struct sync_event *ev)
{
	struct cli_sink *s = (struct cli_sink *)sink;

	if (s->c->args.json) {
		json_event(ev);
		return;
	}
	switch (ev->kind) {
	case SYNC_EVENT_PLAN:
		if (s->c->args.verbose > 0 || !is_bookkeeping(ev))
			print_event(s, ev);
		break;
	case SYNC_EVENT_OP:
		if (s->c->args.verbose > (is_bookkeeping(ev) ? 1 : 0))
			print_event(s, ev);
		break;
	case SYNC_EVENT_PROGRESS:
		show_progress(s, ev);
		break;
	case SYNC_EVENT_HELD:
		log_event(s, LOG_WARN, ev);
		break;
	case SYNC_EVENT_FAILED:
		log_event(s, LOG_ERROR, ev);
		break;
	}
}

void
cli_sink_init(struct cli_sink *s, struct cli *c, size_t accounts)
{
	*s = (struct cli_sink){.sink = {take_event}, .c = c,
	    .accounts = accounts,
	    .progress = {.log = c->log, .fd = 2,
		.on = c->tty && !c->args.json && !c->args.quiet}};
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
	    {"mailboxes_created", r->boxes_created},
	    {"mailboxes_deleted", r->boxes_deleted}};
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
	cli_json_add(o, "status", json_integer(r->status));
	cli_json_line(stdout, o);
}

static void
part(struct buf *out, uint64_t n, const char *words)
{
	if (n)
		buf_addf(out, "%s%llu %s", out->n ? ", " : "",
		    (unsigned long long)n, words);
}

static void
print_summary(const struct sync_report *r)
{
	struct buf what;

	buf_init(&what, 1024);
	part(&what, r->pulled, "pulled");
	part(&what, r->pushed, "pushed");
	part(&what, r->adopted, "adopted");
	part(&what, r->flags, "flag changes");
	part(&what, r->deleted_local, "deleted here");
	part(&what, r->deleted_remote, "deleted on server");
	part(&what, r->boxes_created, "mailboxes created");
	part(&what, r->boxes_deleted, "mailboxes deleted");
	part(&what, r->held, "deletes held back");
	part(&what, r->waiting, "waiting");
	part(&what, r->failed, "failed");
	(void)printf("%s: %s; %llu round trips, %.2f s\n", r->account,
	    what.n ? buf_cstr(&what) : "nothing to do",
	    (unsigned long long)r->round_trips, r->seconds);
	if (r->run[0])
		(void)printf("%s: to put back what was removed here: "
			     "mochila undo %s\n",
		    r->account, r->run);
	buf_release(&what);
}

void
cli_sink_summary(struct cli_sink *s, const struct sync_report *r)
{
	const struct cli_args *a = &s->c->args;

	cli_progress_erase(&s->progress);
	if (r->err.code)
		(void)cli_fail(s->c, r->account, &r->err);
	if (a->json)
		json_summary(r);
	else if (!a->dry_run && !a->quiet && !r->err.code &&
	    (a->verbose > 0 || s->c->tty))
		print_summary(r);
	(void)fflush(stdout);
}
