/*
 * status: what the journal knows, and what a look at the Maildir adds.
 *
 * Reads only; the server is not asked.
 */
#include "cli/internal.h"

#include "base/clock.h"
#include "journal/journal.h"
#include "maildir/maildir.h"
#include "plan/plan.h"

#include <unistd.h>

struct line {
	const char *account;
	const struct jbox *box;
	uint64_t messages, unread, size, pending;
};

/* What the next sync would find changed here. */
static uint64_t
pending_here(struct maildir *m, const struct jbox *b, const struct pairs *p,
    struct arena *mem)
{
	const struct rview unchanged = {.same = true};
	const struct plan_policy policy = {.allow_deletes = true};
	struct kwletters letters = b->letters;
	struct maildir_stamp stamp;
	struct plan plan;
	struct lview l;
	uint32_t *files;
	size_t n;
	struct err e;

	if (!m || (maildir_stamp(m, b->path, &stamp, &e) == 0 &&
		      maildir_stamp_eq(&stamp, &b->stamp)))
		return 0;
	if (maildir_scan(m, b->path, &letters, mem, &l, &stamp, NULL, &e) < 0)
		return 0;
	plan_new_files(mem, p, &l, &unchanged, &files, &n);
	plan_init(&plan, mem);
	plan_merge(&plan, 0, p, b->rows, &l, &unchanged, &policy);
	for (size_t i = 0; i < plan.n; i++)
		n += plan.op[i].kind != OP_RECORD;
	return n;
}

static int
look_at(struct journal *j, struct maildir *m, struct line *line,
    struct arena *mem, struct err *e)
{
	struct pairs p;
	struct jhold *h;
	size_t n;

	if (journal_pairs(j, line->box->id, mem, &p, e) < 0 ||
	    journal_holds(j, line->box->id, mem, &h, &n, e) < 0)
		return e->code;
	line->messages = p.n;
	for (size_t i = 0; i < p.n; i++) {
		line->unread += !(p.v[i].l.sys & FLAG_SEEN);
		line->size += p.v[i].fsize;
	}
	/* A message on hold is new here as well: once is enough. */
	line->pending = pending_here(m, line->box, &p, mem);
	for (size_t i = 0; i < n; i++)
		line->pending += h[i].uid != 0;
	return 0;
}

static void
print_json(const struct line *l)
{
	json_t *o = json_object();

	cli_json_add(o, "account", json_string(l->account));
	cli_json_add(o, "mailbox", cli_json_span(l->box->name));
	cli_json_add(o, "messages", json_integer((json_int_t)l->messages));
	cli_json_add(o, "unread", json_integer((json_int_t)l->unread));
	cli_json_add(o, "last_sync", json_integer(l->box->synced));
	cli_json_add(o, "size", json_integer((json_int_t)l->size));
	cli_json_add(o, "pending", json_integer((json_int_t)l->pending));
	cli_json_line(stdout, o);
}

static void
add_number(struct cli_table *t, uint64_t n)
{
	struct buf text;

	buf_init(&text, 32);
	buf_add_u64(&text, n);
	cli_table_cell(t, buf_span(&text));
	buf_release(&text);
}

static void
add_line(struct cli_table *t, const struct line *l, bool with_account)
{
	struct buf text;
	char when[32] = "never";

	buf_init(&text, 65536);
	if (with_account)
		buf_addf(&text, "%s:", l->account);
	(void)cli_text_add(&text, l->box->name, 0);
	cli_table_cell(t, buf_span(&text));
	add_number(t, l->messages);
	add_number(t, l->unread);
	if (l->box->synced)
		clock_format(l->box->synced, when, sizeof(when));
	cli_table_cell(t, span_str(when));
	buf_clear(&text);
	cli_text_size(&text, l->size);
	cli_table_cell(t, buf_span(&text));
	add_number(t, l->pending);
	buf_release(&text);
}

static int
show_account(struct cli *c, const struct config_account *a,
    struct cli_table *t, bool with_account, struct err *e)
{
	AUTO(journal) j = NULL;
	AUTO(maildir) m = NULL;
	struct arena mem;
	struct jbox *v = NULL;
	size_t n = 0;
	struct err none;
	int rc = journal_open(a->state_dir, JOURNAL_READ, &j, e);

	if (rc == 0)
		rc = journal_boxes(j, &c->mem, &v, &n, e);
	if (rc == 0)
		(void)maildir_open(&m, a->maildir, a->layout, &none);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct line line = {.account = a->name, .box = &v[i]};

		arena_init(&mem);
		rc = look_at(j, m, &line, &mem, e);
		arena_release(&mem);
		if (rc == 0 && c->args.json)
			print_json(&line);
		else if (rc == 0)
			add_line(t, &line, with_account);
	}
	if (rc == 0 && n == 0 && !c->args.json)
		(void)printf("%s: nothing synced yet\n", a->name);
	return rc;
}

int
cli_status(struct cli *c)
{
	static const struct cli_column column[] = {{"MAILBOX", false},
	    {"MESSAGES", true}, {"UNREAD", true}, {"LAST CHANGE", false},
	    {"SIZE", true}, {"PENDING", true}};
	size_t n = c->args.narg ? c->args.narg : c->conf->naccounts;
	struct cli_table t;
	struct buf out;
	struct err e;
	int status = CLI_OK;

	cli_table_init(&t, &c->mem, column, sizeof(column) / sizeof(*column));
	for (size_t i = 0; i < n; i++) {
		const struct config_account *a = &c->conf->account[i];

		if (c->args.narg &&
		    cli_account(c, span_str(c->args.arg[i]), &a, &e) < 0) {
			status = cli_status_worse(status,
			    cli_fail(c, NULL, &e));
			continue;
		}
		if (show_account(c, a, &t, n > 1, &e) < 0)
			status = cli_status_worse(status,
			    cli_fail(c, a->name, &e));
	}
	if (t.n > 0) {
		buf_init(&out, 64u << 20);
		cli_table_print(&t, cli_width(STDOUT_FILENO), &out);
		(void)fputs(buf_cstr(&out), stdout);
		buf_release(&out);
	}
	cli_table_release(&t);
	return status;
}
