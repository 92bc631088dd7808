/*
 * verify: the journal against the Maildir, and against the server.
 *
 * Reads everything, changes nothing.  One line per finding.
 */
#include "sync/internal.h"

#include "base/map.h"

struct verify {
	struct run r;
	struct buf *out;
	uint64_t n;
	/* of one mailbox: what policy keeps on one side (holds) */
	struct map bases;
	struct uidset uids;
};

static void
finding(struct verify *v, const struct jbox *b, uint32_t uid, struct span file,
    const char *what)
{
	v->n++;
	buf_addf(v->out, "%.*s", SPAN_ARG(b->name));
	if (uid)
		buf_addf(v->out, " uid %u", uid);
	if (file.n)
		buf_addf(v->out, " file %.*s", SPAN_ARG(file));
	buf_addf(v->out, ": %s\n", what);
}

/* By policy, and noted once: no run does anything about them. */
static int
read_left_out(struct verify *v, const struct jbox *b, struct err *e)
{
	struct jhold *h;
	size_t n = 0;
	int rc = journal_holds(v->r.j, b->id, &v->r.pass, &h, &n, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (h[i].kind != JHOLD_KEPT && h[i].kind != JHOLD_SKIPPED)
			continue;
		if (h[i].uid)
			uidset_add(&v->uids, h[i].uid);
		else
			map_add(&v->bases, h[i].base, 1);
	}
	return rc;
}

static int
check_file(struct verify *v, const struct jbox *b, struct lmsg *m,
    const struct pair *row, struct err *e)
{
	int rc = maildir_digest(v->r.m, b->path, m, v->r.o->cancel, e);

	if (rc != 0) {
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		finding(v, b, row->uid, m->file, e->text);
		err_clear(e);
	} else if (memcmp(m->content.sha, row->sha, DIGEST_LEN) != 0) {
		finding(v, b, row->uid, m->file,
		    "content is not what was agreed on");
	} else if (!flags_eq(m->flags, row->l) &&
		   (v->r.a->direction != CONFIG_PULL ||
		       !span_eq(m->file, row->file))) {
		/* with pull the row has not what was left here */
		finding(v, b, row->uid, m->file,
		    "flags changed since the last sync");
	}
	return 0;
}

static int
check_local(struct verify *v, const struct jbox *b, const struct pairs *rows,
    struct err *e)
{
	struct maildir_stamp stamp;
	struct kwletters letters = {{0}};
	struct lview l = {0};
	struct map by_file;
	uint64_t at;
	bool exists;
	int rc;

	rc = maildir_letters_load(
	    v->r.m, b->path, v->r.kw, &letters, &exists, e);
	if (rc == 0)
		rc = maildir_scan(
		    v->r.m, b->path, &letters, &v->r.pass, &l, &stamp, NULL, e);
	if (rc != 0) {
		if (e->scope > ERR_SCOPE_BOX)
			return rc;
		finding(v, b, 0, SPAN_NONE, e->text);
		err_clear(e);
		return 0;
	}
	if (l.damaged)
		finding(v, b, 0, SPAN_NONE, "cur/ or new/ is missing");
	map_init(&by_file);
	for (size_t i = 0; i < l.n; i++)
		map_add(&by_file, l.v[i].file, i);
	for (size_t i = 0; i < rows->n && rc == 0; i++) {
		if (!map_get(&by_file, rows->v[i].file, &at)) {
			finding(v, b, rows->v[i].uid, rows->v[i].file,
			    "no such file (renamed or deleted since)");
			continue;
		}
		map_del(&by_file, rows->v[i].file);
		rc = check_file(v, b, &l.v[at], &rows->v[i], e);
	}
	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (map_get(&by_file, l.v[i].file, &at) &&
		    !map_get(&v->bases, l.v[i].base, &at))
			finding(v, b, 0, l.v[i].file,
			    "not in the journal (new, renamed or waiting)");
	map_release(&by_file);
	return rc;
}

/* E came of its SELECT: it was deleted there, and is to stay here. */
static bool
stays_here(struct verify *v, const struct jbox *b, const struct err *e)
{
	bool exists = true;
	struct err late;

	return e->code == ERR_NO &&
	       (v->r.a->keep || v->r.a->direction == CONFIG_PUSH) &&
	       imap_exists(v->r.imap, b->wire, &exists, &late) == 0 && !exists;
}

static int
check_remote(struct verify *v, const struct jbox *b, const struct pairs *rows,
    struct err *e)
{
	struct imap_selected sel;
	struct rview view = {0};
	int rc;

	uidset_init(&view.vanished);
	rc = imap_select(
	    v->r.imap, b->wire, true, 0, 0, &v->r.pass, &sel, &view, e);
	if (rc == 0 && view.uidvalidity != b->uidvalidity)
		finding(v, b, 0, SPAN_NONE, "UIDVALIDITY changed");
	else if (rc == 0)
		rc = imap_fetch_meta(
		    v->r.imap, NULL, true, true, &v->r.pass, &view, e);
	if (rc != 0 && e->scope <= ERR_SCOPE_BOX) {
		if (!stays_here(v, b, e))
			finding(v, b, 0, SPAN_NONE, e->text);
		err_clear(e);
		rc = 0;
	}
	rview_sort(&view);
	for (size_t i = 0; i < rows->n && view.complete; i++) {
		const struct pair *row = &rows->v[i];
		const struct rmsg *m = rview_find(&view, row->uid);

		if (!m)
			finding(v, b, row->uid, row->file,
			    "not on the server (deleted since)");
		else if (!flags_eq(m->flags, row->r) &&
			 v->r.a->direction != CONFIG_PUSH)
			finding(v, b, row->uid, row->file,
			    "flags on the server changed since the last sync");
	}
	for (size_t i = 0; i < view.n && view.complete; i++)
		if (!pairs_find(rows, view.v[i].uid) &&
		    !uidset_has(&v->uids, view.v[i].uid))
			finding(v, b, view.v[i].uid, SPAN_NONE,
			    "on the server, not in the journal (new or "
			    "waiting)");
	uidset_release(&view.vanished);
	return rc;
}

static int
check_boxes(struct verify *v, bool remote, struct err *e)
{
	struct jbox *b;
	size_t n;
	int rc;

	rc = journal_boxes(v->r.j, &v->r.mem, &b, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct pairs rows = {0};

		rc = cancel_check(v->r.o->cancel, e);
		if (rc != 0)
			break;
		arena_init(&v->r.pass);
		map_init(&v->bases);
		uidset_init(&v->uids);
		rc = read_left_out(v, &b[i], e);
		if (rc == 0)
			rc = journal_pairs(
			    v->r.j, b[i].id, &v->r.pass, &rows, e);
		if (rc == 0)
			rc = check_local(v, &b[i], &rows, e);
		if (rc == 0 && remote)
			rc = check_remote(v, &b[i], &rows, e);
		uidset_release(&v->uids);
		map_release(&v->bases);
		arena_release(&v->r.pass);
	}
	return rc;
}

int
sync_verify(const struct config *c, const struct config_account *a, bool remote,
    const struct sync_options *o, struct buf *findings, uint64_t *n_r,
    struct err *e)
{
	struct sync_report rep = {0};
	struct sync_options ro = *o;
	struct verify v = {
	    .r = {.conf = c, .a = a, .o = &ro, .rep = &rep, .bin_fd = -1},
	    .out = findings,
	};
	int rc;

	ro.dry_run = true; /* nothing is written, no lock is taken */
	arena_init(&v.r.mem);
	v.r.kw = kwtab_new();
	rc = run_open(&v.r, remote, e);
	if (rc == 0)
		rc = journal_check(v.r.j, findings, &v.n, e);
	if (rc == 0)
		rc = check_boxes(&v, remote, e);
	if (rc == 0) {
		*n_r = v.n;
		if (v.r.imap)
			imap_logout(v.r.imap);
	}
	run_close(&v.r);
	return rc;
}
