/*
 * pull: messages down, as a stream, in batches.
 *
 * A batch, in this order, whatever ends it:
 *  1. bodies into tmp/ as they come;
 *  2. all of them durable, before any has a name in new/ or cur/: a name that
 *     outlives a power cut stands for a whole message;
 *  3. the renames, then both directories durable, before a row says that the
 *     files are there: a row without its file looks like a message that a
 *     person removed, and that would go to the server;
 *  4. one transaction of the journal.  The cursor moves later still, when all
 *     batches are recorded (record_marks).
 * A crash in between leaves files without a row, which adoption pairs again.
 */
#include "sync/internal.h"

#include "base/map.h"

/* Open files, and octets, that wait to be made durable. */
#define BATCH_MESSAGES 512
#define BATCH_OCTETS (64u << 20)

struct landed {
	struct op *op;
	struct content content;
	int64_t idate;
};

struct pull {
	struct run *r;
	struct sbox *b;
	struct op **op;
	size_t n;
	struct map by_uid;
	bool *got; /* by index into op */
	size_t ngot;
	struct landed batch[BATCH_MESSAGES];
	struct maildir_delivery *d[BATCH_MESSAGES]; /* theirs, owned */
	size_t nbatch;
	uint64_t octets;
	struct jhold *fail; /* tried in vain, in this run */
	size_t nfail, failcap;
	uint32_t suspect; /* it was to come when the connection ended; or 0 */
};

static void
drop_batch(struct pull *p)
{
	for (size_t i = 0; i < p->nbatch; i++)
		maildir_delivery_free(&p->d[i]);
	p->nbatch = 0;
	p->octets = 0;
}

static int
land(struct pull *p, size_t at, struct journal_batch *batch, struct err *e)
{
	const struct landed *x = &p->batch[at];
	struct run *r = p->r;
	struct sbox *b = p->b;
	struct pair *row = &r->group[x->op->group].row;
	struct flags shown;
	struct lmsg m;
	int rc;

	rc = apply_letters(r, b, row->l, e);
	if (rc == 0)
		rc = maildir_deliver_publish(
		    p->d[at], &r->pass, row->l, &b->letters, &shown, &m, e);
	if (rc != 0)
		return rc;
	row->uid = x->op->uid;
	row->file = m.file;
	row->l = shown;
	row->size = x->content.size;
	memcpy(row->sha, x->content.sha, sizeof row->sha);
	row->idate = x->idate;
	row->ino = m.ino;
	row->fsize = m.fsize;
	row->mtime_ns = m.mtime_ns;
	record_drop_hold(
	    r, b, batch, record_find_hold(b, row->uid, SPAN_NONE));
	b->wrote_l = true;
	return 0;
}

/* Make what has come durable, and record it. */
static int
flush_batch(struct pull *p, struct err *e)
{
	struct journal_batch *batch;
	int rc;

	if (p->nbatch == 0)
		return 0;
	batch = record_begin(p->r, p->b);
	rc = maildir_deliver_flush(p->d, p->nbatch, e);
	for (size_t i = 0; i < p->nbatch && rc == 0; i++)
		rc = land(p, i, batch, e);
	if (rc == 0)
		rc = maildir_sync(p->r->m, p->b->j.path, e);
	if (rc != 0) {
		/* the directory may hold some of them: the next run adopts */
		journal_batch_free(&batch);
		p->b->undone = true;
		drop_batch(p);
		return rc;
	}
	for (size_t i = 0; i < p->nbatch; i++)
		apply_done(p->r, p->b, batch, p->batch[i].op);
	drop_batch(p);
	return record_commit(p->r, p->b, &batch, e);
}

static void
note_failure(struct pull *p, uint32_t uid, struct span why)
{
	VEC_GROW(p->fail, p->nfail, p->failcap);
	p->fail[p->nfail++] =
	    (struct jhold){.uid = uid, .why = arena_span(&p->r->pass, why)};
}

/* One body, from the socket to tmp/. */
static int
take_body(struct pull *p, struct imap_fetch *f, struct err *e)
{
	AUTO(maildir_delivery) d = NULL;
	struct landed *x = &p->batch[p->nbatch];
	struct span chunk;
	struct rmsg m = {0};
	uint64_t at;
	int rc, got;

	rc = maildir_deliver_begin(p->r->m, p->b->j.path, &d, e);
	while (rc == 0 && (got = imap_fetch_read(f, &chunk, e)) != 0) {
		if (got < 0)
			return got;
		rc = maildir_deliver_write(d, chunk.p, chunk.n, e);
	}
	if (rc == 0)
		rc = imap_fetch_done(f, &m, e);
	if (rc != 0)
		return rc;
	/* asked for, and not twice */
	if (!map_get_u64(&p->by_uid, m.uid, &at) || p->got[at])
		return 0;
	p->got[at] = true;
	p->ngot++;
	x->idate = m.has_meta ? m.idate : p->op[at]->row.idate;
	rc = maildir_deliver_finish(d, x->idate, &x->content, e);
	if (rc != 0) {
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		note_failure(p, m.uid, span_str(e->text));
		err_clear(e);
		return 0;
	}
	x->op = p->op[at];
	p->d[p->nbatch++] = d;
	d = NULL;
	p->octets += x->content.raw;
	report_progress(p->r, p->b, p->ngot, p->n);
	return 0;
}

static int
fetch_all(
    struct pull *p, const uint32_t *uids, const uint64_t *sizes, struct err *e)
{
	struct imap_fetch *f = NULL;
	const struct imap_failed *bad;
	struct rmsg m;
	size_t nbad;
	int rc;

	rc =
	    imap_fetch_begin(p->r->imap, uids, sizes, p->n, &p->r->pass, &f, e);
	while (rc == 0 && (rc = imap_fetch_next(f, &m, e)) > 0) {
		rc = take_body(p, f, e);
		if (rc == 0 &&
		    (p->nbatch == BATCH_MESSAGES || p->octets >= BATCH_OCTETS))
			rc = flush_batch(p, e);
	}
	if (f && rc == 0) {
		nbad = imap_fetch_failed(f, &bad);
		for (size_t i = 0; i < nbad; i++)
			note_failure(p, bad[i].uid, bad[i].why);
	}
	if (f && (rc == ERR_NET || rc == ERR_BYE || rc == ERR_TIMEOUT ||
		     rc == ERR_PROTO))
		p->suspect = imap_fetch_pending(f);
	imap_fetch_end(&f);
	if (rc < 0 && e->scope >= ERR_SCOPE_CONN)
		p->r->selected_wire = SPAN_NONE;
	return rc;
}

/*
 * What did not come: gone meanwhile (the next delta says so), or withheld.
 * A UID that is missing from an answer is asked for once more first.
 */
static int
ask_again(struct pull *p, struct err *e)
{
	struct uidset missing;
	struct rview there = {0};
	int rc = 0;

	uidset_init(&missing);
	uidset_init(&there.vanished);
	for (size_t i = 0; i < p->n; i++)
		if (!p->got[i])
			uidset_add(&missing, p->op[i]->uid);
	for (size_t i = 0; i < p->nfail; i++)
		uidset_remove_range(&missing, p->fail[i].uid, p->fail[i].uid);
	if (missing.n > 0)
		rc = imap_fetch_meta(
		    p->r->imap, &missing, false, false, &p->r->pass, &there, e);
	rview_sort(&there);
	for (size_t i = 0; i < there.n && rc == 0; i++)
		if (uidset_has(&missing, there.v[i].uid))
			note_failure(p, there.v[i].uid,
			    SPAN("the server lists it but sends no body"));
	uidset_release(&missing);
	uidset_release(&there.vanished);
	return rc;
}

static int
record_failures(struct pull *p, struct err *e)
{
	struct journal_batch *batch;

	if (p->nfail == 0)
		return 0;
	batch = record_begin(p->r, p->b);
	for (size_t i = 0; i < p->nfail; i++) {
		struct jhold *h = &p->fail[i];
		char *text;

		record_hold_uid(p->r, p->b, batch, h->uid, h->why);
		text = xasprintf(
		    "not fetched: %.*s; tried again later", SPAN_ARG(h->why));
		report_failed(p->r, p->b, h->uid, SPAN_NONE, text);
		xfree(text);
	}
	return record_commit(p->r, p->b, &batch, e);
}

/*
 * A message that ends the connection would do so in each run, and nothing
 * behind it would ever be synced.  So next time it comes last; if the line was
 * to blame, that costs nothing.
 */
static void
note_suspect(struct pull *p)
{
	struct journal_batch *batch = record_begin(p->r, p->b);
	struct err late = {0};
	uint32_t tries;

	record_suspect(p->b, batch, p->suspect, &tries);
	if (tries > 1)
		report_failed(p->r, p->b, p->suspect, SPAN_NONE,
		    "the connection ends whenever it is asked for; it is left "
		    "to the end of each run");
	if (record_commit(p->r, p->b, &batch, &late) != 0)
		journal_batch_free(&batch);
}

int
pull_ops(struct run *r, struct sbox *b, struct op **v, size_t n, struct err *e)
{
	struct pull *p = xcalloc(1, sizeof *p);
	uint32_t *uids = arena_array(&r->pass, n, sizeof *uids);
	uint64_t *sizes = arena_array(&r->pass, n, sizeof *sizes);
	struct err late = {0};
	int rc;

	p->r = r;
	p->b = b;
	p->op = v;
	p->n = n;
	p->got = arena_array(&r->pass, n, sizeof *p->got);
	map_init(&p->by_uid);
	for (size_t i = 0; i < n; i++) {
		uids[i] = v[i]->uid;
		sizes[i] = v[i]->row.size;
		map_set_u64(&p->by_uid, v[i]->uid, i);
	}
	rc = observe_reselect(r, b, e);
	if (rc == 0)
		rc = fetch_all(p, uids, sizes, e);
	/* a cut connection does not take back what has come */
	if (rc != 0 && rc != ERR_FULL && rc != ERR_IO) {
		if (flush_batch(p, &late) != 0)
			drop_batch(p);
	} else if (rc == 0) {
		rc = flush_batch(p, e);
	}
	if (rc == 0)
		rc = ask_again(p, e);
	if (rc == 0)
		rc = record_failures(p, e);
	if (p->suspect)
		note_suspect(p);
	if (rc != 0)
		b->undone = true;
	drop_batch(p);
	map_release(&p->by_uid);
	xfree(p->fail);
	xfree(p);
	return rc;
}
