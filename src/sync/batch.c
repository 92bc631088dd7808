/*
 * batch: what has come down becomes durable, named and recorded.
 *
 * A batch, in this order, whatever ends it:
 *  1. bodies into tmp/ as they come;
 *  2. all of them durable, before any has a name in new/ or cur/: a name that
 *     outlives a power cut stands for a whole message;
 *  3. the renames, then all directories durable, before a row says that the
 *     files are there: a row without its file looks like a message that a
 *     person removed, and that would go to the server;
 *  4. one transaction of the journal.  The cursor moves later still, when all
 *     batches are recorded (record_marks).
 * A crash in between leaves files without a row, which adoption pairs again.
 *
 * It may hold messages of many mailboxes, so that many small ones cost the disk
 * no more than a large one.
 */
#include "sync/internal.h"

/* Files, and octets, that wait to be made durable. */
#define BATCH_MESSAGES 512
#define BATCH_OCTETS (64u << 20)

struct landed {
	struct sbox *b;
	struct op *op;
	struct content content;
	int64_t idate;
};

struct batch {
	struct run *r;
	struct landed v[BATCH_MESSAGES];
	struct maildir_delivery *d[BATCH_MESSAGES]; /* theirs, owned */
	size_t n;
	uint64_t octets;
	struct sbox *box[BATCH_MESSAGES]; /* each once, as they came */
	size_t nbox;
};

struct batch *
batch_new(struct run *r)
{
	struct batch *x = xcalloc(1, sizeof *x);

	x->r = r;
	return x;
}

static void
empty(struct batch *x)
{
	for (size_t i = 0; i < x->n; i++)
		maildir_delivery_free(&x->d[i]);
	x->n = x->nbox = 0;
	x->octets = 0;
}

void
batch_free(struct batch **x)
{
	if (!*x)
		return;
	empty(*x);
	xfree(*x);
	*x = NULL;
}

/* From the end: they come mailbox by mailbox. */
static bool
has_box(const struct batch *x, const struct sbox *b)
{
	for (size_t i = x->nbox; i > 0; i--)
		if (x->box[i - 1] == b)
			return true;
	return false;
}

void
batch_add(struct batch *x, struct sbox *b, struct op *op,
    struct maildir_delivery *d, const struct content *c, int64_t idate)
{
	x->v[x->n] = (struct landed){b, op, *c, idate};
	x->d[x->n++] = d;
	x->octets += c->raw;
	if (!has_box(x, b))
		x->box[x->nbox++] = b;
}

bool
batch_is_full(const struct batch *x)
{
	return x->n == BATCH_MESSAGES || x->octets >= BATCH_OCTETS;
}

/* All of B that is in the batch comes again in the next run. */
static int
fail_box(struct batch *x, struct sbox *b, struct err *e)
{
	b->undone = true;
	return report_contain(x->r, b, e);
}

/* Mailboxes that failed are in it no more. */
static void
drop_failed(struct batch *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->nbox; i++)
		if (!x->box[i]->failed)
			x->box[n++] = x->box[i];
	x->nbox = n;
}

/* E concerns all of them alike. */
static int
fail_all(struct batch *x, struct err *e)
{
	int rc = report_contain_many(x->r, x->box, x->nbox, e);

	drop_failed(x);
	return rc;
}

static int
land(struct batch *x, size_t at, struct err *e)
{
	const struct landed *m = &x->v[at];
	struct run *r = x->r;
	struct sbox *b = m->b;
	struct pair *row = r->group[m->op->group].row;
	struct flags shown;
	struct lmsg file;
	int rc;

	rc = apply_letters(r, b, row->l, e);
	if (rc == 0)
		rc = maildir_deliver_publish(
		    x->d[at], &r->pass, row->l, &b->letters, &shown, &file, e);
	if (rc != 0)
		return rc;
	row->uid = m->op->uid;
	row->file = file.file;
	row->l = shown;
	row->size = m->content.size;
	memcpy(row->sha, m->content.sha, sizeof row->sha);
	row->idate = m->idate;
	row->ino = file.ino;
	row->fsize = file.fsize;
	row->mtime_ns = file.mtime_ns;
	b->wrote_l = true;
	return 0;
}

static int
sync_names(struct batch *x, struct err *e)
{
	struct span *path = arena_array(&x->r->pass, x->nbox + 1, sizeof *path);
	int rc;

	for (size_t i = 0; i < x->nbox; i++)
		path[i] = x->box[i]->j.path;
	rc = maildir_sync_many(x->r->m, path, x->nbox, e);
	return rc == 0 ? 0 : fail_all(x, e);
}

/* Steps 2 and 3. */
static int
publish(struct batch *x, struct err *e)
{
	int rc = maildir_deliver_flush(x->d, x->n, e);

	if (rc != 0)
		return fail_all(x, e);
	for (size_t i = 0; i < x->n && rc == 0; i++) {
		if (x->v[i].b->failed)
			continue;
		rc = land(x, i, e);
		if (rc != 0)
			rc = fail_box(x, x->v[i].b, e);
	}
	if (rc != 0)
		return fail_all(x, e);
	drop_failed(x);
	return sync_names(x, e);
}

/* Step 4. */
static int
record(struct batch *x, struct err *e)
{
	struct journal_batch *batch = journal_begin(x->r->j, x->r->kw);
	int rc;

	for (size_t i = 0; i < x->nbox; i++)
		record_join(x->r, x->box[i], batch);
	for (size_t i = 0; i < x->n; i++) {
		struct sbox *b = x->v[i].b;
		const struct op *op = x->v[i].op;

		if (b->failed)
			continue;
		record_drop_hold(
		    x->r, b, batch, record_find_hold(b, op->uid, SPAN_NONE));
		apply_done(x->r, b, batch, op);
	}
	rc = record_commit_many(x->r, x->box, x->nbox, &batch, e);
	return rc == 0 ? 0 : fail_all(x, e);
}

int
batch_flush(struct batch *x, struct err *e)
{
	int rc = 0;

	drop_failed(x);
	/* an error leaves files without rows: the next run adopts them */
	if (x->nbox > 0)
		rc = publish(x, e);
	if (rc == 0 && x->nbox > 0)
		rc = record(x, e);
	empty(x);
	return rc;
}
