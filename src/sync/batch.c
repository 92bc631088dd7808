/*
 * batch: what has come down becomes durable, named and recorded.
 *
 * A part, in this order, whatever ends it:
 *  1. bodies into tmp/ as they come;
 *  2. all of them durable, before any has a name in new/ or cur/: a name that
 *     outlives a power cut stands for a whole message;
 *  3. the renames, then all directories durable, before a row says that the
 *     files are there: a row without its file looks like a message that a
 *     person removed, and that would go to the server;
 *  4. one transaction of the journal.  The cursor moves later still, when all
 *     of them are recorded (record_marks).
 * A crash in between leaves files without a row, which adoption pairs again.
 *
 * It may hold messages of many mailboxes, so that many small ones cost the disk
 * no more than a large one.  And while a part is filled, the two before it are
 * made durable by the committer, in one go (or before any more comes, file by
 * file, where a file system cannot be made durable as a whole):
 *
 *	in	bodies come into tmp/
 *	files	are in tmp/, their octets become durable
 *	names	are in new/ and cur/, their names become durable
 */
#include "sync/internal.h"

/* Of one part. */
#define PART_MESSAGES 256
#define PART_OCTETS (32u << 20)

struct landed {
	struct sbox *b;
	struct op *op;
	struct content content;
	int64_t idate;
	bool stale; /* came in vain: the next pass fetches it */
};

struct part {
	struct landed v[PART_MESSAGES];
	struct maildir_delivery *d[PART_MESSAGES]; /* owned, until named */
	size_t n;
	uint64_t octets;
	struct sbox *box[PART_MESSAGES]; /* each once, as they came */
	size_t nbox;
};

struct batch {
	struct run *r;
	struct part *in, *files, *names;
	struct part part[3]; /* these, in turn */
	struct committer *c;
};

struct batch *
batch_new(struct run *r)
{
	struct batch *x = xcalloc(1, sizeof *x);

	x->r = r;
	x->in = &x->part[0];
	x->files = &x->part[1];
	x->names = &x->part[2];
	x->c = committer_new();
	return x;
}

static void
empty(struct part *p)
{
	for (size_t i = 0; i < p->n; i++)
		maildir_delivery_free(&p->d[i]);
	p->n = p->nbox = 0;
	p->octets = 0;
}

void
batch_free(struct batch **x)
{
	if (!*x)
		return;
	committer_free(&(*x)->c);
	for (int i = 0; i < 3; i++)
		empty(&(*x)->part[i]);
	xfree(*x);
	*x = NULL;
}

/* From the end: they come mailbox by mailbox. */
static bool
has_box(const struct part *p, const struct sbox *b)
{
	for (size_t i = p->nbox; i > 0; i--)
		if (p->box[i - 1] == b)
			return true;
	return false;
}

void
batch_add(struct batch *x, struct sbox *b, struct op *op,
    struct maildir_delivery *d, const struct content *c, int64_t idate)
{
	struct part *p = x->in;

	p->v[p->n] = (struct landed){b, op, *c, idate, false};
	p->d[p->n++] = d;
	p->octets += c->raw;
	if (!has_box(p, b))
		p->box[p->nbox++] = b;
}

bool
batch_is_full(const struct batch *x)
{
	return x->in->n == PART_MESSAGES || x->in->octets >= PART_OCTETS;
}

/* Mailboxes that failed are in it no more. */
static void
drop_failed(struct part *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nbox; i++)
		if (!p->box[i]->failed)
			p->box[n++] = p->box[i];
	p->nbox = n;
}

/* E concerns all of them alike. */
static int
fail_part(struct batch *x, struct part *p, struct err *e)
{
	int rc = report_contain_many(x->r, p->box, p->nbox, e);

	drop_failed(p);
	return rc;
}

/*
 * The disk failed, and said so once: that concerns whatever had been written
 * by then, also of the part that was being filled.  The next pass, or run,
 * fetches it anew.
 */
static int
fail_all(struct batch *x, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < 3 && rc == 0; i++) {
		struct err same = *e;

		rc = fail_part(x, &x->part[i], &same);
	}
	if (rc == 0)
		err_clear(e);
	return rc;
}

/* What cannot go on for any of them; the files without rows are adopted. */
static int
give_up(struct batch *x, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		(void)fail_part(x, &x->part[i], e);
		empty(&x->part[i]);
	}
	return e->code;
}

static int
land(struct batch *x, struct part *p, size_t at, struct err *e)
{
	const struct landed *m = &p->v[at];
	struct run *r = x->r;
	struct sbox *b = m->b;
	struct pair *row = r->group[m->op->group].row;
	struct flags shown;
	struct lmsg file;
	int rc;

	rc = letters_give(r, b, row->l, e);
	if (rc == 0)
		rc = maildir_deliver_publish(
		    p->d[at], &r->pass, row->l, &b->letters, &shown, &file, e);
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

/* Step 3, up to the names. */
static int
publish(struct batch *x, struct part *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct sbox *b = p->v[i].b;

		if (!b->failed)
			rc = land(x, p, i, e);
		if (rc == ERR_STALE && e->scope == ERR_SCOPE_MSG) {
			apply_undone(x->r, b, p->v[i].op);
			p->v[i].stale = true;
			err_clear(e);
			rc = 0;
		}
		if (rc != 0)
			rc = report_contain_many(x->r, &b, 1, e);
		maildir_delivery_free(&p->d[i]);
	}
	drop_failed(p);
	return rc;
}

/* Step 4. */
static int
record(struct batch *x, struct part *p, struct err *e)
{
	struct journal_batch *batch;
	int rc;

	drop_failed(p);
	batch = journal_begin(x->r->j, x->r->kw);
	for (size_t i = 0; i < p->nbox; i++)
		record_join(x->r, p->box[i], batch);
	for (size_t i = 0; i < p->n; i++) {
		struct sbox *b = p->v[i].b;

		if (!b->failed && !p->v[i].stale)
			apply_done(x->r, b, batch, p->v[i].op);
	}
	rc = record_commit_many(x->r, p->box, p->nbox, &batch, e);
	if (rc != 0)
		rc = fail_part(x, p, e);
	empty(p);
	return rc;
}

static int
add_disks(
    struct batch *x, struct part *p, struct maildir_disks *disks, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->nbox && rc == 0; i++) {
		rc = maildir_disks_add(disks, x->r->m, p->box[i]->j.path, e);
		if (rc != 0)
			rc = report_contain_many(x->r, &p->box[i], 1, e);
	}
	drop_failed(p);
	return rc;
}

/* Steps 2 and 3 of the two parts, file by file; who fails does so alone. */
static int
sync_singly(struct batch *x, struct err *e)
{
	struct part *p = x->files;
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct sbox *b = p->v[i].b;

		if (!b->failed)
			rc = maildir_deliver_flush(&p->d[i], 1, e);
		if (rc != 0)
			rc = report_contain_many(x->r, &b, 1, e);
	}
	drop_failed(p);
	p = x->names;
	for (size_t i = 0; i < p->nbox && rc == 0; i++) {
		if (!p->box[i]->failed)
			rc = maildir_sync(x->r->m, p->box[i]->j.path, e);
		if (rc != 0)
			rc = report_contain_many(x->r, &p->box[i], 1, e);
	}
	drop_failed(p);
	return rc;
}

/* Steps 2 and 3 of the two parts at once, until committer_wait(). */
static int
start_durable(struct batch *x, struct err *e)
{
	struct maildir_disks disks = {0};
	int rc = maildir_deliver_disks(x->files->d, x->files->n, &disks, e);

	if (rc != 0)
		rc = fail_part(x, x->files, e);
	if (rc == 0)
		rc = add_disks(x, x->names, &disks, e);
	if (rc == 0 && disks.singly)
		return sync_singly(x, e);
	if (rc == 0)
		committer_start(x->c, &disks);
	else
		maildir_disks_release(&disks);
	return rc;
}

/* The last ones, file by file when they are few; nothing waits for it. */
static int
make_durable(struct batch *x, struct err *e)
{
	struct part *p = x->names;
	struct span *path = arena_array(&x->r->pass, p->nbox + 1, sizeof *path);
	int rc = 0;

	if (x->files->n > 0 && p->n > 0)
		return start_durable(x, e);
	if (x->files->n > 0) {
		rc = maildir_deliver_flush(x->files->d, x->files->n, e);
		return rc == 0 ? 0 : fail_part(x, x->files, e);
	}
	for (size_t i = 0; i < p->nbox; i++)
		path[i] = p->box[i]->j.path;
	rc = maildir_sync_many(x->r->m, path, p->nbox, e);
	return rc == 0 ? 0 : fail_part(x, p, e);
}

/* Each part one step further.  AHEAD: there is more to come meanwhile. */
static int
turn(struct batch *x, bool ahead, struct err *e)
{
	struct part *done = x->names;
	int rc = committer_wait(x->c, e);

	if (rc != 0)
		rc = fail_all(x, e);
	if (rc == 0)
		rc = record(x, x->names, e);
	if (rc == 0)
		rc = publish(x, x->files, e);
	if (rc != 0)
		return give_up(x, e);
	x->names = x->files;
	x->files = x->in;
	x->in = done;
	drop_failed(x->files);
	rc = ahead ? start_durable(x, e) : make_durable(x, e);
	return rc == 0 ? 0 : give_up(x, e);
}

int
batch_step(struct batch *x, struct err *e)
{
	return turn(x, true, e);
}

int
batch_end(struct batch *x, struct err *e)
{
	int rc = 0;

	while (rc == 0 && (x->in->n || x->files->n || x->names->n))
		rc = turn(x, false, e);
	return rc;
}
