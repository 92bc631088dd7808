/*
 * explain: what is known of a message, for people and as JSON.
 */
#include "cli/internal.h"

#include "base/clock.h"
#include "plan/plan.h"
#include "sync/explain.h"

#include <errno.h>

#define LABEL_WIDTH 14

/* Below the Maildir's root. */
static struct span
path_of(struct explain *x)
{
	return span_str(
	    arena_printf(&x->mem, "%.*s%s%.*s", SPAN_ARG(x->box.path),
		x->box.path.n ? "/" : "", SPAN_ARG(x->file)));
}

/* What it has of the agreed row, or else of the file on disk. */
static const uint8_t *
sha_of(const struct explain *x, uint64_t *size_r)
{
	if (x->has_row) {
		*size_r = x->row.size;
		return x->row.sha;
	}
	*size_r = x->msg.content.size;
	return x->on_disk && x->msg.has_content ? x->msg.content.sha : NULL;
}

static const char *
hold_word(enum jhold_kind kind)
{
	switch (kind) {
	case JHOLD_RETRY:
		return "retry";
	case JHOLD_KEPT:
		return "kept";
	case JHOLD_SKIPPED:
		return "skipped";
	case JHOLD_SUSPECT:
		return "suspect";
	case JHOLD_SENT:
		return "sent";
	}
	return "?";
}

/* For people. */

static void
add_label(struct buf *out, const char *label)
{
	buf_addf(out, "  %-*s", LABEL_WIDTH, label);
}

static void
add_text(struct buf *out, const char *label, struct span text)
{
	add_label(out, label);
	(void)cli_text_add(out, text, 0);
	buf_addc(out, '\n');
}

static void
add_number(struct buf *out, const char *label, uint64_t n, const char *unit)
{
	add_label(out, label);
	buf_addf(out, "%llu%s\n", (unsigned long long)n, unit);
}

static void
add_flags(
    struct buf *out, const char *label, const struct kwtab *kw, struct flags f)
{
	struct buf text;

	buf_init(&text, 1u << 20);
	flags_format(kw, f, &text);
	add_text(out, label, text.n ? buf_span(&text) : SPAN("no flags"));
	buf_release(&text);
}

static void
add_row(struct buf *out, const struct explain *x)
{
	char when[32];

	add_number(out, "UIDVALIDITY", x->box.uidvalidity, "");
	if (x->row.modseq)
		add_number(out, "mod-sequence", x->row.modseq, "");
	if (x->row.idate) {
		clock_format(x->row.idate, when, sizeof(when));
		add_text(out, "arrived", span_str(when));
	}
	add_flags(out, "agreed here", x->kw, x->row.l);
	add_flags(out, "agreed there", x->kw, x->row.r);
}

static void
add_hold(struct buf *out, const struct jhold *h)
{
	char when[32];

	add_label(out, "on hold");
	(void)cli_text_add(out, h->why, 0);
	if (h->kind == JHOLD_RETRY) {
		clock_format(h->next, when, sizeof(when));
		buf_addf(out, "; failed %u time%s, tried again after %s",
		    h->tries, cli_text_s(h->tries), when);
	}
	if (h->kind == JHOLD_SKIPPED && h->size)
		buf_addf(out, "; %llu octets", (unsigned long long)h->size);
	buf_addc(out, '\n');
}

static void
add_known(struct buf *out, struct explain *x)
{
	uint64_t size;
	const uint8_t *sha = sha_of(x, &size);

	if (x->file.n) {
		add_label(out, "file");
		(void)cli_text_add(out, path_of(x), 0);
		buf_add_str(out, x->on_disk ? "\n" : " (not there)\n");
	}
	if (sha) {
		add_number(out, "size", size, " octets");
		add_label(out, "SHA-256");
		digest_hex(sha, out);
		buf_addc(out, '\n');
	}
	if (x->has_row)
		add_row(out, x);
	else
		add_text(out, "agreed", SPAN("nothing: not in the journal"));
	if (x->on_disk && (!x->has_row || !flags_eq(x->msg.flags, x->row.l)))
		add_flags(out, "flags now", x->kw, x->msg.flags);
	if (x->has_hold)
		add_hold(out, &x->hold);
	for (size_t i = 0; i < x->ntwins; i++) {
		add_label(out, "same content");
		(void)cli_text_add(out, x->twin[i].mailbox, 0);
		buf_addf(out, ":%u\n", x->twin[i].uid);
	}
}

/* Ops have a line of their own (plan_print_op), other steps have not. */
static void
add_step(struct buf *out, const struct explain_step *s)
{
	bool ours = strcmp(s->op, "none") == 0 || strcmp(s->op, "wait") == 0;

	add_label(out, "next sync");
	if (s->kind == SYNC_EVENT_FAILED)
		buf_add_str(out, "fails: ");
	if (s->of_mailbox && s->kind == SYNC_EVENT_PLAN) {
		buf_addf(out, "%s ", s->op);
		(void)cli_text_add(out, s->mailbox, 0);
		buf_addf(out, " (case %d: %s)\n", s->case_number, s->text);
		return;
	}
	if (ours && s->case_number && !strstr(s->text, "(case"))
		buf_addf(out, "case %d: ", s->case_number);
	(void)cli_text_add(out, span_str(s->text), 0);
	buf_addc(out, '\n');
}

static void
print_text(const struct cli *c, struct explain *x)
{
	struct buf out;

	buf_init(&out, 8u << 20);
	buf_addf(&out, "%s:", x->a->name);
	(void)cli_text_add(&out, x->box.name, 0);
	if (x->uid)
		buf_addf(&out, ":%u", x->uid);
	buf_addc(&out, '\n');
	add_known(&out, x);
	for (size_t i = 0; i < x->nsteps; i++)
		add_step(&out, &x->step[i]);
	if (!x->asked)
		add_text(&out, "next sync",
		    c->args.offline
			? SPAN("not asked for (--offline)")
			: span_str(arena_printf(&x->mem,
			      "unknown, as a run would end: %s", x->err.text)));
	(void)fputs(buf_cstr(&out), stdout);
	buf_release(&out);
}

/* For programs. */

static void
json_row(json_t *o, struct explain *x)
{
	json_t *here = json_object(), *there = json_object();

	/* 63 bits do not fit the numbers of many JSON readers. */
	cli_json_add(o, "modseq",
	    json_string(arena_printf(
		&x->mem, "%llu", (unsigned long long)x->row.modseq)));
	cli_json_add(o, "date", json_integer(x->row.idate));
	cli_json_flags(here, x->kw, x->row.l);
	cli_json_flags(there, x->kw, x->row.r);
	cli_json_add(o, "agreed_here", here);
	cli_json_add(o, "agreed_there", there);
}

static json_t *
json_hold(const struct jhold *h)
{
	json_t *o = json_object();

	cli_json_add(o, "kind", json_string(hold_word(h->kind)));
	cli_json_add(o, "reason", cli_json_span(h->why));
	if (h->kind == JHOLD_RETRY) {
		cli_json_add(o, "tries", json_integer(h->tries));
		cli_json_add(o, "next", json_integer(h->next));
	}
	return o;
}

static json_t *
json_step(const struct explain_step *s)
{
	json_t *o = json_object();

	if (s->kind != SYNC_EVENT_PLAN)
		cli_json_add(o, "op",
		    json_string(
			s->kind == SYNC_EVENT_HELD ? "held" : "failed"));
	else
		cli_json_add(o, "op", json_string(s->op));
	if (s->case_number)
		cli_json_add(o, "case", json_integer(s->case_number));
	if (s->mailbox.n)
		cli_json_add(o, "mailbox", cli_json_span(s->mailbox));
	if (s->uid)
		cli_json_add(o, "uid", json_integer(s->uid));
	if (s->file.n)
		cli_json_add(o, "file", cli_json_span(s->file));
	if (s->from.n)
		cli_json_add(o, "from", cli_json_span(s->from));
	if (s->from_uid)
		cli_json_add(o, "from_uid", json_integer(s->from_uid));
	cli_json_add(o, "text", cli_json_span(span_str(s->text)));
	return o;
}

static void
json_file(json_t *o, struct explain *x)
{
	struct span path = path_of(x);
	json_t *now = json_object();

	cli_json_add(o, "file", cli_json_span(path));
	/* A name that is no UTF-8 has no place in JSON: its bytes as well. */
	if (!cli_json_exact(path))
		cli_json_add(o, "file_hex", cli_json_hex(path));
	cli_json_add(o, "on_disk", json_boolean(x->on_disk));
	if (x->on_disk) {
		cli_json_flags(now, x->kw, x->msg.flags);
		cli_json_add(o, "now_here", now);
	} else {
		json_decref(now);
	}
}

static json_t *
json_twins(const struct explain *x)
{
	json_t *v = json_array();

	for (size_t i = 0; i < x->ntwins; i++) {
		json_t *o = json_object();

		cli_json_add(o, "mailbox", cli_json_span(x->twin[i].mailbox));
		cli_json_add(o, "uid", json_integer(x->twin[i].uid));
		(void)json_array_append_new(v, o);
	}
	return v;
}

static void
print_json(struct explain *x)
{
	json_t *o = json_object(), *next = json_array();
	uint64_t size;
	const uint8_t *sha = sha_of(x, &size);

	cli_json_add(o, "account", json_string(x->a->name));
	cli_json_add(o, "mailbox", cli_json_span(x->box.name));
	if (x->uid)
		cli_json_add(o, "uid", json_integer(x->uid));
	if (x->box.uidvalidity)
		cli_json_add(
		    o, "uidvalidity", json_integer(x->box.uidvalidity));
	if (x->file.n)
		json_file(o, x);
	if (sha) {
		cli_json_add(o, "size", json_integer((json_int_t)size));
		cli_json_add(o, "sha256",
		    cli_json_hex(span_of((const char *)sha, DIGEST_LEN)));
	}
	cli_json_add(o, "in_journal", json_boolean(x->has_row));
	if (x->has_row)
		json_row(o, x);
	if (x->has_hold)
		cli_json_add(o, "hold", json_hold(&x->hold));
	cli_json_add(o, "same_content", json_twins(x));
	cli_json_add(o, "asked", json_boolean(x->asked));
	for (size_t i = 0; i < x->nsteps; i++)
		(void)json_array_append_new(next, json_step(&x->step[i]));
	cli_json_add(o, "next", next);
	if (x->err.code)
		cli_json_add(o, "error", cli_json_span(span_str(x->err.text)));
	cli_json_line(stdout, o);
}

static int
not_found(const struct cli *c, const struct explain *x, const char *word)
{
	struct buf line;

	buf_init(&line, 65536);
	buf_add_str(&line, "nothing is known of '");
	(void)cli_text_add(&line, span_str(word), 0);
	buf_add_str(&line, c->args.offline || !x->asked
			       ? "', in the journal or the Maildir"
			       : "', here or on the server");
	/* A UID is the server's, which has not got it any more. */
	if (x->uid && x->nkept)
		buf_addf(&line,
		    "; what deletes: keep keeps here alone (in this mailbox "
		    "%zu message%s) is known by its file, not by its UID",
		    x->nkept, cli_text_s(x->nkept));
	log_error(c->log, "%s", buf_cstr(&line));
	buf_release(&line);
	return CLI_NO_INPUT;
}

int
cli_explain(struct cli *c)
{
	const struct sync_options o = {
	    .cancel = c->cancel, .log = c->log, .trace = c->trace,
	    .called = c->called};
	const char *word = c->args.arg[0];
	int status = CLI_OK;
	struct explain x;
	struct err e;

	if (cli_locate(c, word, &x, &e) < 0) {
		status = cli_fail(c, NULL, &e);
		if (e.sys == ENOENT)
			status = CLI_NO_INPUT;
		explain_release(&x);
		return status;
	}
	/* A copy of nothing that is known has no place to ask about. */
	if (!c->args.offline && x.box.name.n)
		explain_next(&x, c->conf, &o);
	if (x.err.code)
		(void)cli_fail(c, x.a->name, &x.err);
	if (!explain_found(&x))
		status = x.err.code ? err_exit_status(&x.err)
				    : not_found(c, &x, word);
	else if (c->args.json)
		print_json(&x);
	else
		print_text(c, &x);
	explain_release(&x);
	return status;
}
