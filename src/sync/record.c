/*
 * record: what is agreed now.  See internal.h, invariants 1 to 3 and 5.
 */
#include "sync/internal.h"

static bool
box_equal(const struct jbox *a, const struct jbox *b)
{
	return a->id == b->id && span_eq(a->wire, b->wire) &&
	       span_eq(a->name, b->name) && span_eq(a->path, b->path) &&
	       a->delim == b->delim && a->uidvalidity == b->uidvalidity &&
	       a->uidnext == b->uidnext &&
	       a->highestmodseq == b->highestmodseq &&
	       a->messages == b->messages &&
	       memcmp(&a->stamp, &b->stamp, sizeof a->stamp) == 0 &&
	       memcmp(&a->letters, &b->letters, sizeof a->letters) == 0 &&
	       a->letters_seen == b->letters_seen && a->held == b->held &&
	       a->ended == b->ended &&
	       span_eq(a->mailboxid, b->mailboxid);
}

bool
record_differs(const struct sbox *b)
{
	return !box_equal(&b->j, &b->recorded);
}

void
record_join(struct run *r, struct sbox *b, struct journal_batch *batch)
{
	if (b->j.id == 0) {
		b->j.synced = r->now;
		b->j.id = journal_put_box(batch, &b->j);
	}
}

struct journal_batch *
record_begin(struct run *r, struct sbox *b)
{
	struct journal_batch *batch = journal_begin(r->j, r->kw);

	record_join(r, b, batch);
	return batch;
}

void
record_theirs(struct run *r, const struct sbox *b, struct span file)
{
	r->theirs = arena_grow(&r->pass, r->theirs, r->ntheirs, &r->theirscap,
	    sizeof *r->theirs);
	r->theirs[r->ntheirs++] =
	    (struct maildir_name){.path = b->j.path, .file = file};
}

/* The names in those of V where some may not be on disk. */
static int
sync_names(struct run *r, struct sbox *const *v, size_t n, struct err *e)
{
	struct span *path = arena_array(&r->pass, n + 1, sizeof *path);
	size_t k = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (v[i]->undurable)
			path[k++] = v[i]->j.path;
	rc = maildir_sync_many(r->m, path, k, e);
	if (rc == ERR_STALE) {
		/* one was removed meanwhile: so are its names */
		rc = 0;
		for (size_t i = 0; i < k && rc == 0; i++) {
			rc = maildir_sync(r->m, path[i], e);
			rc = rc == ERR_STALE ? 0 : rc;
		}
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		v[i]->undurable = false;
	return rc;
}

/* Invariant 1. */
static int
make_durable(struct run *r, struct sbox *const *v, size_t n, struct err *e)
{
	int rc = maildir_sync_files(r->m, r->theirs, r->ntheirs, e);

	r->ntheirs = 0;
	return rc == 0 ? sync_names(r, v, n, e) : rc;
}

int
record_commit_many(struct run *r, struct sbox *const *v, size_t n,
    struct journal_batch **batch, struct err *e)
{
	bool changed = journal_batch_size(*batch) > 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		changed |= record_differs(v[i]);
	if (!changed) {
		journal_batch_free(batch);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		v[i]->j.synced = r->now;
		journal_put_box(*batch, &v[i]->j);
	}
	rc = make_durable(r, v, n, e);
	if (rc == 0)
		rc = journal_commit(batch, e);
	else
		journal_batch_free(batch);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			v[i]->recorded = v[i]->j;
		else if (v[i]->recorded.id == 0)
			v[i]->j.id = 0;
	}
	return rc;
}

int
record_commit(
    struct run *r, struct sbox *b, struct journal_batch **batch, struct err *e)
{
	return record_commit_many(r, &b, 1, batch, e);
}

void
record_look_again(struct jbox *j)
{
	/* the inodes stay: they tell whether the directory is another one */
	j->stamp.cur_mtime_ns = j->stamp.new_mtime_ns = 0;
}

/* What moved out of one that is gone there may be in any other. */
static bool
all_take_part(const struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].failed && !r->box[i].remote_missing)
			return false;
	return true;
}

/*
 * None are held on a side that was looked at to the end, and whose deletes are
 * ours to do: they were undone, or allowed.
 */
static void
unmark_held(const struct run *r, struct sbox *b)
{
	if (!(b->r.same || b->keep_cursor || r->a->keep) &&
	    r->a->direction != CONFIG_PUSH)
		b->j.held &= ~(uint32_t)JBOX_HELD_HERE;
	if (!(b->l.same || b->keep_stamp) && b->l.complete &&
	    r->a->direction != CONFIG_PULL)
		b->j.held &= ~(uint32_t)JBOX_HELD_THERE;
}

void
record_mark(struct run *r, struct sbox *b)
{
	bool marks =
	    !b->undone && !b->failed && !b->deferred && !b->slice.on;
	bool keep_stamp = b->keep_stamp || r->keep_stamps;
	struct maildir_stamp ours;

	if (b->slice.on)
		slice_mark(b);
	if (marks)
		unmark_held(r, b);
	if (marks && !b->r.same && !b->keep_cursor && !b->remote_missing) {
		b->j.uidvalidity = b->r.uidvalidity;
		b->j.uidnext = b->r.uidnext;
		b->j.highestmodseq = b->r.highestmodseq;
		b->j.messages = b->r.exists;
	}
	if (marks && b->remote_missing && !b->keep_cursor && all_take_part(r))
		b->j.messages = JBOX_GONE;
	if (!b->l.same && b->l.complete)
		b->j.letters_seen = b->letters_seen;
	if (local_untouched(r, b, &ours) && marks && !keep_stamp &&
	    !b->rescan) {
		b->j.stamp = b->seen = ours;
		b->wrote_l = false;
	} else if (!b->l.same && b->l.complete && !b->l.damaged) {
		if (b->l.replaced && b->keep_stamp)
			b->j.stamp = MAILDIR_STAMP_OTHER;
		else if (marks && !keep_stamp && !b->stamp_coarse)
			b->j.stamp = b->stamp;
		else if (maildir_stamp_eq(&b->j.stamp, &b->stamp))
			/* something is left to do although nothing moved */
			b->j.stamp = MAILDIR_STAMP_NONE;
	}
	if (b->littered)
		record_look_again(&b->j);
}

int
record_marks(struct run *r, struct sbox **v, size_t n, struct err *e)
{
	struct journal_batch *batch;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (record_differs(v[i]))
			v[k++] = v[i];
	if (k == 0)
		return 0;
	batch = journal_begin(r->j, r->kw);
	for (size_t i = 0; i < k; i++)
		record_join(r, v[i], batch);
	return record_commit_many(r, v, k, &batch, e);
}
