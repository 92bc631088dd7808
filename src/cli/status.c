/*
 * status: what the journal knows, and what a look at the Maildir adds.
 *
 * Reads only; the server is not asked.
 */
#include "cli/internal.h"

#include "base/clock.h"
#include "base/map.h"
#include "journal/journal.h"
#include "mail/name.h"
#include "maildir/maildir.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX_BYTES (64u << 20)

struct line {
	const char *account;
	const struct jbox *box;
	uint64_t messages, unread, size, pending;
	bool untold; /* what is pending: there is no Maildir */
	const struct jhold *hold; /* in the arena of look_at() */
	size_t nhold;
};

/* What is told of all accounts, and printed at the end. */
struct told {
	struct cli_table table;
	struct buf below; /* a line for each mailbox that is gone on the server,
			     and for each message that waits */
};

/* Files that no row names because they are not to be carried over. */
static uint64_t
left_alone(const struct lview *l, const uint32_t *files, size_t n,
    const struct jhold *h, size_t nh)
{
	uint64_t found = 0, at;
	struct map bases;

	map_init(&bases);
	for (size_t i = 0; i < nh; i++)
		if (h[i].uid == 0 && h[i].kind != JHOLD_RETRY)
			map_add(&bases, h[i].base, i);
	for (size_t i = 0; i < n; i++)
		found += map_get(&bases, l->v[files[i]].base, &at);
	map_release(&bases);
	return found;
}

/* Of M's mailbox: files that no row names, and rows with something to do. */
static int
changed_here(struct maildir *m, const struct jbox *b, const struct pairs *p,
    const struct jhold *h, size_t nh, struct arena *mem, uint64_t *n_r,
    struct err *e)
{
	const struct rview unchanged = {.same = true};
	const struct plan_policy policy = {.allow_deletes = true};
	struct kwletters letters = b->letters;
	struct maildir_stamp stamp;
	struct plan plan;
	struct lview l;
	uint32_t *files;
	size_t n;

	if (maildir_scan(m, b->path, &letters, mem, &l, &stamp, NULL, e) < 0)
		return e->code;
	plan_new_files(mem, p, &l, &unchanged, &files, &n);
	/* Of a new name: the inode tells whether the file is new as well. */
	for (size_t i = 0; i < n; i++)
		if (maildir_stat(m, b->path, &l.v[files[i]], e) < 0 &&
		    e->scope > ERR_SCOPE_MSG)
			return e->code;
	plan_new_files(mem, p, &l, &unchanged, &files, &n);
	*n_r = n - left_alone(&l, files, n, h, nh);
	/* The merge passes over new files: nobody asked for their content. */
	plan_init(&plan, mem);
	plan_merge(&plan, 0, p, p->n, &l, &unchanged, &policy);
	for (size_t i = 0; i < plan.n; i++)
		*n_r += plan.op[i].kind != OP_RECORD;
	return 0;
}

static bool
looks_unchanged(struct maildir *m, const struct jbox *b)
{
	struct maildir_stamp now;
	struct err e;

	return maildir_stamp(m, b->path, &now, &e) == 0 &&
	       maildir_stamp_eq(&now, &b->stamp);
}

/* Is it one that a run will try again? */
static bool
waits(const struct jhold *h)
{
	return h->kind == JHOLD_RETRY || h->kind == JHOLD_SUSPECT;
}

/* What waits to be carried over, as far as can be told without the server. */
static int
count_pending(struct maildir *m, const struct jbox *b, const struct pairs *p,
    const struct jhold *h, size_t nh, struct arena *mem, uint64_t *n_r,
    struct err *e)
{
	bool look = m && !looks_unchanged(m, b);
	uint64_t n = 0;

	if (look && changed_here(m, b, p, h, nh, mem, &n, e) < 0)
		return e->code;
	/* A file on hold is one that no row names: it is counted by now. */
	for (size_t i = 0; i < nh; i++)
		n += waits(&h[i]) && (!look || h[i].uid != 0);
	*n_r = n;
	return 0;
}

/* By the file's name: with direction: pull a row has not what was read here. */
static bool
shows_seen(struct arena *mem, const struct pair *row)
{
	struct span info = name_split(row->file).info;
	struct flags f =
	    row->file.n > 0 ? name_flags(mem, info, NULL, NULL) : row->l;

	return (f.sys & FLAG_SEEN) != 0;
}

static int
look_at(struct journal *j, struct maildir *m, struct line *line,
    struct arena *mem, struct err *e)
{
	struct pairs p = {.complete = true};
	struct jhold *h = NULL;
	size_t nh = 0;

	if (line->box->id &&
	    (journal_pairs(j, line->box->id, mem, &p, e) < 0 ||
		journal_holds(j, line->box->id, mem, &h, &nh, e) < 0))
		return e->code;
	line->untold = m == NULL;
	line->messages = p.n;
	line->hold = h;
	line->nhold = nh;
	for (size_t i = 0; i < p.n; i++) {
		line->unread += !shows_seen(mem, &p.v[i]);
		line->size += p.v[i].fsize;
	}
	return count_pending(m, line->box, &p, h, nh, mem, &line->pending, e);
}

static json_t *
waits_json(const struct line *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->nhold; i++) {
		const struct jhold *h = &l->hold[i];
		json_t *o = json_object();

		if (h->uid)
			cli_json_add(o, "uid", json_integer(h->uid));
		else
			cli_json_add(o, "file", cli_json_span(h->base));
		cli_json_add(o, "tries", json_integer(h->tries));
		cli_json_add(o, "next", json_integer(h->next));
		cli_json_add(o, "why", cli_json_span(h->why));
		if (waits(h))
			(void)json_array_append_new(all, o);
		else
			json_decref(o);
	}
	return all;
}

/* Not on the server any more, and here with all that it had. */
static bool
is_gone_there(const struct line *l)
{
	return l->box->messages == JBOX_GONE;
}

/* "home: INBOX: " */
static void
add_place(struct buf *out, const struct line *l)
{
	buf_addf(out, "%s: ", l->account);
	(void)cli_text_add(out, l->box->name, 0);
	buf_add_str(out, ": ");
}

/* "uid 3: waits until 2026-11-23 08:45:59, 2 tries: why" */
static void
add_waits(struct buf *out, const struct line *l)
{
	for (size_t i = 0; i < l->nhold; i++) {
		const struct jhold *h = &l->hold[i];
		char when[32] = "the next run";

		if (!waits(h))
			continue;
		add_place(out, l);
		if (h->uid)
			buf_addf(out, "uid %u", h->uid);
		else
			(void)cli_text_add(out, h->base, 0);
		if (!jhold_has_come(h, clock_wall_s()))
			clock_format(h->next, when, sizeof(when));
		buf_addf(out, ": waits until %s, %u %s: ", when, h->tries,
		    h->tries == 1 ? "try" : "tries");
		(void)cli_text_add(out, h->why, 0);
		buf_addc(out, '\n');
	}
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
	cli_json_add(o, "pending",
	    l->untold ? json_null() : json_integer((json_int_t)l->pending));
	cli_json_add(o, "gone", json_boolean(is_gone_there(l)));
	cli_json_add(o, "waiting", waits_json(l));
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
	if (l->untold)
		cli_table_cell(t, SPAN("?"));
	else
		add_number(t, l->pending);
	buf_release(&text);
}

/* Mailboxes that were made here since the last sync; they have no id yet. */
static int
add_new_boxes(struct maildir *m, const struct config_account *a,
    struct arena *mem, struct jbox **v, size_t *n, struct err *e)
{
	struct maildir_dir *dir;
	struct jbox *all;
	struct map known;
	uint64_t at;
	size_t ndir;

	if (maildir_list(m, mem, &dir, &ndir, e) < 0)
		return e->code;
	all = arena_array(mem, *n + ndir + 1, sizeof(*all));
	map_init(&known);
	for (size_t i = 0; i < *n; i++) {
		all[i] = (*v)[i];
		map_add(&known, all[i].path, i);
	}
	for (size_t i = 0; i < ndir; i++) {
		struct jbox *b = &all[*n];

		if (dir[i].is_link || map_get(&known, dir[i].path, &at) ||
		    !layout_name_of_path(
			mem, dir[i].path, a->layout, &b->name))
			continue;
		b->path = dir[i].path;
		(*n)++;
	}
	map_release(&known);
	*v = all;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct jbox *x = a, *y = b;

	return span_cmp(x->name, y->name);
}

/* What the configuration leaves out by now is not synced: nothing waits. */
static size_t
drop_left_out(const struct config_account *a, struct jbox *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (layout_match(v[i].name, a->mailboxes, a->nmailboxes))
			v[kept++] = v[i];
	return kept;
}

/*
 * All mailboxes of A that are synced, by name; *M_R stays NULL when there is
 * no Maildir.
 */
static int
list_boxes(struct cli *c, const struct config_account *a, struct journal *j,
    struct maildir **m_r, struct jbox **v_r, size_t *n_r, struct err *e)
{
	struct jbox *v = NULL;
	size_t n = 0;
	struct err none;

	if (journal_boxes(j, &c->mem, &v, &n, e) < 0)
		return e->code;
	if (maildir_open(m_r, a->maildir, a->layout, &none) == 0) {
		if (add_new_boxes(*m_r, a, &c->mem, &v, &n, e) < 0)
			return e->code;
	} else if (n > 0) {
		log_warn(c->log, "%s: %s; what is pending here cannot be told",
		    a->name, none.text);
	}
	n = drop_left_out(a, v, n);
	if (n > 0)
		qsort(v, n, sizeof(*v), by_name);
	*v_r = v;
	*n_r = n;
	return 0;
}

static void
show_line(
    struct cli *c, const struct line *l, struct told *told, bool with_account)
{
	if (c->args.json) {
		print_json(l);
		return;
	}
	add_line(&told->table, l, with_account);
	if (is_gone_there(l)) {
		add_place(&told->below, l);
		buf_add_str(&told->below, "gone on the server, kept here\n");
	}
	add_waits(&told->below, l);
}

/* An error of one mailbox is told, and the next one shown. */
static int
show_account(struct cli *c, const struct config_account *a, struct told *told,
    bool with_account)
{
	AUTO(journal) j = NULL;
	AUTO(maildir) m = NULL;
	struct jbox *v = NULL;
	size_t n = 0;
	int rc, status = CLI_OK;
	struct err e;

	rc = journal_open(a->state_dir, JOURNAL_READ, &j, &e);
	if (rc == 0)
		rc = list_boxes(c, a, j, &m, &v, &n, &e);
	if (rc < 0)
		return cli_fail(c, a->name, &e);
	for (size_t i = 0; i < n; i++) {
		struct line line = {.account = a->name, .box = &v[i]};
		struct arena mem;

		arena_init(&mem);
		rc = cancel_check(c->cancel, &e);
		if (rc == 0)
			rc = look_at(j, m, &line, &mem, &e);
		if (rc < 0)
			status =
			    cli_status_worse(status, cli_fail(c, a->name, &e));
		if (rc == 0 || e.scope <= ERR_SCOPE_BOX)
			show_line(c, &line, told, with_account);
		arena_release(&mem);
		if (rc < 0 && e.scope > ERR_SCOPE_BOX)
			return status;
	}
	if (n == 0 && !c->args.json)
		(void)printf("%s: nothing synced yet%s\n", a->name,
		    a->nmailboxes ? " of what 'mailboxes' selects" : "");
	return status;
}

static void
print_table(const struct cli_table *t)
{
	struct buf out;

	buf_init(&out, TABLE_MAX_BYTES);
	cli_table_print(t, cli_width(STDOUT_FILENO), &out);
	(void)fputs(buf_cstr(&out), stdout);
	buf_release(&out);
}

static bool
is_named_before(const struct cli *c, size_t n)
{
	for (size_t i = 0; i < n && n < c->args.narg; i++)
		if (strcmp(c->args.arg[i], c->args.arg[n]) == 0)
			return true;
	return false;
}

int
cli_status(struct cli *c)
{
	static const struct cli_column column[] = {{"MAILBOX", false},
	    {"MESSAGES", true}, {"UNREAD", true}, {"LAST CHANGE", false},
	    {"SIZE", true}, {"PENDING", true}};
	size_t n = c->args.narg ? c->args.narg : c->conf->naccounts;
	struct told t;
	struct err e;
	int one, status = CLI_OK;

	buf_init(&t.below, TABLE_MAX_BYTES);
	cli_table_init(
	    &t.table, &c->mem, column, sizeof(column) / sizeof(*column));
	for (size_t i = 0; i < n; i++) {
		const struct config_account *a;

		if (is_named_before(c, i))
			continue;
		if (c->args.narg == 0)
			one = show_account(c, &c->conf->account[i], &t, n > 1);
		else if (cli_account(c, span_str(c->args.arg[i]), &a, &e) < 0)
			one = cli_fail(c, NULL, &e);
		else
			one = show_account(c, a, &t, n > 1);
		status = cli_status_worse(status, one);
		if (cancel_raised(c->cancel))
			break;
	}
	if (t.table.n > 0)
		print_table(&t.table);
	(void)fputs(buf_cstr(&t.below), stdout);
	buf_release(&t.below);
	cli_table_release(&t.table);
	return status;
}
