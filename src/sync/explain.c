#include "sync/explain.h"

#include "maildir/maildir.h"
#include "plan/plan.h"

#include <errno.h>

#define TWINS_MAX 20

void
explain_init(struct explain *x, const struct config_account *a)
{
	*x = (struct explain){.a = a, .kw = kwtab_new()};
	arena_init(&x->mem);
}

void
explain_release(struct explain *x)
{
	kwtab_free(&x->kw);
	arena_release(&x->mem);
}

/* Both sides that can be looked at without the server. */
struct look {
	struct journal *j;
	struct maildir *m; /* NULL: there is no Maildir */
	struct jbox *box;
	size_t nbox;
	const struct cancel *cancel;
};

static int
look_open(
    struct explain *x, const struct cancel *c, struct look *k, struct err *e)
{
	int rc;

	*k = (struct look){.cancel = c};
	rc = journal_open(x->a->state_dir, JOURNAL_READ, &k->j, e);
	if (rc == 0)
		rc = journal_keywords(k->j, x->kw, e);
	if (rc == 0)
		rc = journal_boxes(k->j, &x->mem, &k->box, &k->nbox, e);
	if (rc != 0)
		return rc;
	rc = maildir_open(&k->m, x->a->maildir, x->a->layout, e);
	if (rc != 0 && e->sys == ENOENT) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

static void
look_close(struct look *k)
{
	maildir_free(&k->m);
	journal_free(&k->j);
}

static bool
same_name(struct span a, struct span b)
{
	return span_eq(a, b) ||
	       (span_eq(b, SPAN("INBOX")) && span_eq_case(a, b));
}

static const struct jbox *
box_of_name(const struct look *k, struct span name)
{
	for (size_t i = 0; i < k->nbox; i++)
		if (same_name(name, k->box[i].name))
			return &k->box[i];
	return NULL;
}

static const struct jbox *
box_of_path(const struct look *k, struct span path)
{
	for (size_t i = 0; i < k->nbox; i++)
		if (span_eq(path, k->box[i].path))
			return &k->box[i];
	return NULL;
}

static struct span
base_of(const struct explain *x)
{
	return plan_base(x->file);
}

/* x->msg: the file that has this name now, or only this base name. */
static int
find_on_disk(struct explain *x, const struct look *k, struct err *e)
{
	struct kwletters letters;
	struct maildir_stamp stamp;
	const struct lmsg *m = NULL;
	struct lview l;
	bool exists;
	int rc;

	if (!k->m || x->file.n == 0)
		return 0;
	rc = maildir_letters_load(
	    k->m, x->box.path, x->kw, &letters, &exists, e);
	if (rc == 0)
		rc = maildir_scan(
		    k->m, x->box.path, &letters, &x->mem, &l, &stamp, NULL, e);
	if (rc != 0 && (rc == ERR_STALE || e->sys == ENOENT)) {
		err_clear(e);
		return 0; /* no such directory */
	}
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < l.n; i++)
		if (span_eq(l.v[i].file, x->file))
			m = &l.v[i];
	for (size_t i = 0; i < l.n && !m; i++)
		if (span_eq(l.v[i].base, base_of(x)))
			m = &l.v[i];
	if (!m)
		return 0;
	x->msg = *m;
	x->file = m->file;
	x->on_disk = true;
	return 0;
}

static int
find_hold(struct explain *x, const struct look *k, struct err *e)
{
	struct jhold *v;
	size_t n;
	int rc;

	if (x->box.id == 0)
		return 0;
	rc = journal_holds(k->j, x->box.id, &x->mem, &v, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		x->nkept += v[i].kind == JHOLD_KEPT;
		if (v[i].uid ? v[i].uid == x->uid
			     : x->file.n && span_eq(v[i].base, base_of(x))) {
			x->hold = v[i];
			x->has_hold = true;
		}
	}
	return rc;
}

static struct span
name_of_id(const struct look *k, uint64_t id)
{
	for (size_t i = 0; i < k->nbox; i++)
		if (k->box[i].id == id)
			return k->box[i].name;
	return SPAN("");
}

/* Rows of this content, the message's own left out. */
static int
find_twins(struct explain *x, const struct look *k, uint64_t size,
    const uint8_t *sha, struct err *e)
{
	struct jfound *v;
	size_t n;
	int rc = journal_rows_of_size(k->j, size, SIZE_MAX, &x->mem, &v, &n, e);

	if (rc != 0)
		return rc;
	x->twin = arena_array(&x->mem, TWINS_MAX, sizeof *x->twin);
	for (size_t i = 0; i < n && x->ntwins < TWINS_MAX; i++) {
		if (memcmp(v[i].row.sha, sha, DIGEST_LEN) != 0 ||
		    (v[i].box == x->box.id && v[i].row.uid == x->uid))
			continue;
		x->twin[x->ntwins++] = (struct explain_twin){
		    .mailbox = name_of_id(k, v[i].box), .uid = v[i].row.uid};
	}
	return 0;
}

static void
set_row(struct explain *x, const struct pair *row)
{
	x->row = *row;
	x->has_row = true;
	x->uid = row->uid;
	if (x->file.n == 0)
		x->file = row->file;
}

/* The row of a file: by its name, or its base name. */
static int
find_row(struct explain *x, const struct look *k, struct err *e)
{
	const struct pair *row = NULL;
	struct pairs p;
	int rc;

	if (x->box.id == 0)
		return 0;
	rc = journal_pairs(k->j, x->box.id, &x->mem, &p, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < p.n; i++)
		if (span_eq(p.v[i].file, x->file))
			row = &p.v[i];
	for (size_t i = 0; i < p.n && !row; i++)
		if (span_eq(plan_base(p.v[i].file), base_of(x)))
			row = &p.v[i];
	if (row)
		set_row(x, row);
	return 0;
}

/* What else is known of the content, and the file's digest when it is new. */
static int
know_content(struct explain *x, const struct look *k, struct err *e)
{
	int rc;

	if (x->has_row)
		return find_twins(x, k, x->row.size, x->row.sha, e);
	if (!x->on_disk)
		return 0;
	rc = maildir_digest(k->m, x->box.path, &x->msg, k->cancel, e);
	if (rc == ERR_STALE) {
		err_clear(e);
		x->on_disk = false;
		return 0;
	}
	if (rc == 0)
		rc = find_twins(
		    x, k, x->msg.content.size, x->msg.content.sha, e);
	return rc;
}

/* x->box is known, and either x->uid or x->file. */
static int
fill(struct explain *x, const struct look *k, bool by_file, struct err *e)
{
	int rc = 0;

	x->is_synced =
	    layout_match(x->box.name, x->a->mailboxes, x->a->nmailboxes);
	if (by_file)
		rc = find_row(x, k, e);
	if (rc == 0)
		rc = find_on_disk(x, k, e);
	if (rc == 0)
		rc = find_hold(x, k, e);
	if (rc == 0)
		rc = know_content(x, k, e);
	return rc;
}

static int
fill_uid(struct explain *x, const struct look *k, uint32_t uid, struct err *e)
{
	struct uidset set;
	struct pairs p = {0};
	int rc = 0;

	x->uid = uid;
	uidset_init(&set);
	uidset_add(&set, uid);
	if (x->box.id)
		rc = journal_pairs_in(k->j, x->box.id, &set, &x->mem, &p, e);
	uidset_release(&set);
	if (rc == 0 && p.n > 0)
		set_row(x, &p.v[0]);
	return rc == 0 ? fill(x, k, false, e) : rc;
}

int
explain_uid(struct explain *x, struct span name, uint32_t uid,
    const struct cancel *c, struct err *e)
{
	struct look k;
	int rc = look_open(x, c, &k, e);

	if (rc == 0) {
		const struct jbox *b = box_of_name(&k, name);

		if (b)
			x->box = *b;
		else
			x->box = (struct jbox){.name = name,
			    .path = layout_path(&x->mem, name, x->a->layout)};
		rc = fill_uid(x, &k, uid, e);
	}
	look_close(&k);
	return rc;
}

int
explain_file(struct explain *x, struct span path, struct span file,
    const struct cancel *c, struct err *e)
{
	struct look k;
	int rc = look_open(x, c, &k, e);

	if (rc == 0) {
		const struct jbox *b = box_of_path(&k, path);

		x->file = file;
		if (b)
			x->box = *b;
		else
			x->box.path = path;
		if (!b && !layout_name_of_path(
			      &x->mem, path, x->a->layout, &x->box.name))
			x->box.name = path;
		rc = fill(x, &k, true, e);
	}
	look_close(&k);
	return rc;
}

int
explain_content(struct explain *x, const struct content *content,
    const struct cancel *c, struct err *e)
{
	struct jfound *v;
	struct look k;
	size_t n = 0, i = 0;
	int rc = look_open(x, c, &k, e);

	if (rc == 0)
		rc = journal_rows_of_size(
		    k.j, content->size, SIZE_MAX, &x->mem, &v, &n, e);
	while (rc == 0 && i < n &&
	       memcmp(v[i].row.sha, content->sha, DIGEST_LEN) != 0)
		i++;
	if (rc == 0 && i < n) {
		for (size_t b = 0; b < k.nbox; b++)
			if (k.box[b].id == v[i].box)
				x->box = k.box[b];
		rc = fill_uid(x, &k, v[i].row.uid, e);
	}
	look_close(&k);
	return rc;
}

bool
explain_found(const struct explain *x)
{
	if (x->has_row || x->has_hold || x->on_disk)
		return true;
	for (size_t i = 0; i < x->nsteps; i++)
		if (x->step[i].kind == SYNC_EVENT_PLAN &&
		    !x->step[i].of_mailbox && strcmp(x->step[i].op, "none"))
			return true;
	return false;
}

static void
add_step(struct explain *x, struct explain_step s)
{
	x->step = arena_grow(
	    &x->mem, x->step, x->nsteps, &x->stepcap, sizeof *x->step);
	x->step[x->nsteps++] = s;
}

/* What a dry run tells, as far as it is about X. */
struct catcher {
	struct sync_sink sink;
	struct explain *x;
};

static bool
is_about_message(const struct explain *x, const struct sync_event *ev)
{
	bool here = span_eq(ev->mailbox, x->box.name);
	/* The file of a move or copy may be in either mailbox. */
	bool from = ev->from.n && span_eq(ev->from, x->box.name);

	if (here && x->uid && ev->uid == x->uid)
		return true;
	if (from && x->uid && ev->from_uid == x->uid)
		return true;
	return (here || from) && x->file.n && ev->file.n &&
	       span_eq(plan_base(ev->file), base_of(x));
}

static void
take_event(struct sync_sink *sink, const struct sync_event *ev)
{
	struct explain *x = ((struct catcher *)sink)->x;
	bool whole = ev->uid == 0 && ev->file.n == 0;

	if (ev->kind == SYNC_EVENT_PROGRESS)
		return;
	if (whole ? ev->mailbox.n && !span_eq(ev->mailbox, x->box.name)
		  : !is_about_message(x, ev))
		return;
	add_step(x, (struct explain_step){.kind = ev->kind,
			.op = arena_str(&x->mem, ev->op),
			.case_number = ev->case_number,
			.of_mailbox = whole,
			.mailbox = arena_span(&x->mem, ev->mailbox),
			.uid = ev->uid,
			.file = arena_span(&x->mem, ev->file),
			.from = arena_span(&x->mem, ev->from),
			.from_uid = ev->from_uid,
			.text = arena_str(&x->mem, ev->text)});
}

/* No op is about it: the reason, as a case where there is one. */
static struct explain_step
why_nothing(const struct explain *x)
{
	struct explain_step s = {.kind = SYNC_EVENT_PLAN,
	    .op = "none",
	    .mailbox = x->box.name,
	    .uid = x->uid,
	    .file = x->file};

	if (x->has_hold && (x->hold.kind == JHOLD_RETRY ||
			       x->hold.kind == JHOLD_SUSPECT ||
			       x->hold.kind == JHOLD_SENT)) {
		s.op = "wait";
		s.case_number = x->hold.uid ? CASE_R_HOLD : CASE_L_HOLD;
	} else if (x->has_hold) {
		s.case_number =
		    x->hold.kind == JHOLD_KEPT ? CASE_KEPT : CASE_SKIPPED;
	} else if (!x->is_synced) {
		s.text = "this mailbox is not synced (mailboxes)";
	} else if (x->box.messages == JBOX_GONE) {
		s.text = "its mailbox is gone on the server, kept here";
	} else if (x->has_row && x->on_disk &&
		   flags_eq(x->msg.flags, x->row.l)) {
		s.case_number = CASE_SAME;
		s.text = "nothing to do";
	} else if (x->a->direction == CONFIG_PULL) {
		s.text = "the server is not written to (direction: pull)";
	} else if (x->a->direction == CONFIG_PUSH) {
		s.text = "the Maildir is not written to (direction: push)";
	} else {
		s.text = "nothing to do";
	}
	if (!s.text)
		s.text = plan_case_words((enum plan_case)s.case_number);
	return s;
}

/* Does S tell what becomes of the message? */
static bool
says_enough(const struct explain *x, const struct explain_step *s)
{
	if (s->kind != SYNC_EVENT_PLAN)
		return true;
	/* That a change stays on one side is more than that it is noted. */
	if (x->a->direction != CONFIG_BOTH && strcmp(s->op, "record") == 0)
		return false;
	return !s->of_mailbox;
}

void
explain_next(
    struct explain *x, const struct config *c, const struct sync_options *o)
{
	struct catcher catcher = {.sink = {take_event}, .x = x};
	struct sync_options dry = *o;
	struct sync_report rep;
	bool any = false;

	dry.dry_run = true;
	dry.sink = &catcher.sink;
	sync_account(c, x->a, &dry, &rep);
	x->err = rep.err;
	x->asked = rep.err.code == ERR_NONE;
	if (!x->asked)
		x->nsteps = 0;
	for (size_t i = 0; i < x->nsteps; i++)
		any |= says_enough(x, &x->step[i]);
	if (x->asked && !any && explain_found(x))
		add_step(x, why_nothing(x));
}
