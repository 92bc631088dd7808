/*
 * apply: carries out what the plan says for one mailbox.
 *
 * Round 1 brings messages and flags to where they are missing and records
 * that; round 2 (apply_deletes) removes.  What a power cut must not turn
 * around:
 *  1. Keyword letters are on disk before a file name uses them.
 *  2. Renames are durable before the journal knows the new name or flags: one
 *     that is undone would otherwise look like a flag that a person removed.
 *  3. What the server was told is in the journal only after its answer.
 *  4. A file is durable in the bin before it is gone from its mailbox, and both
 *     before its row goes.  A row that is left over, of a message that is gone
 *     on both sides, is dropped by the next run (case 9).
 */
#include "sync/internal.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Puts of apply_rows() in one transaction, and those of one more mailbox. */
#define COMMIT_EVERY 2000

/* What was moved may show what somebody changed since it was agreed on. */
static bool
shows_its_row(struct run *r, const struct sbox *b, const struct pair *row)
{
	uint32_t unknown = 0;

	return row->file.n <= 4 ||
	       flags_eq(maildir_named(
			    &r->pass, row->file, &b->letters, &unknown)
			    .flags,
		   row->l);
}

/* expunge: yes; what came with the mark goes in the next pass (case 19). */
static bool
is_to_go(const struct run *r, const struct pair *row)
{
	return run_takes_marked(r) &&
	       (row->l.sys & row->r.sys & FLAG_DELETED) != 0;
}

/*
 * What gets a row waits no more, neither to come (what has been told its UID
 * just now did not) nor to go up.  But where a row is only written again, what
 * waits is new content of its file, which was refused (case 20); it still does.
 */
static void
end_holds(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op)
{
	const struct group *g = &r->group[op->group];

	if (op->uid)
		holds_drop(
		    r, b, batch, holds_find(b, op->uid, SPAN_NONE));
	if (g->matched)
		holds_drop(r, b, batch,
		    holds_find(b, 0, plan_base(g->row->file)));
}

/* The row is what was agreed on: without what a direction leaves on one side. */
static void
drop_left(struct run *r, struct pair *row, const struct op *op)
{
	struct flags *f = r->a->direction == CONFIG_PULL ? &row->l : &row->r;

	*f = flags_or(&r->pass, flags_minus(&r->pass, *f, op->left_add),
	    op->left_del);
}

void
apply_done(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op)
{
	report_op(r, b, op);
	apply_silent(r, b, batch, op);
}

void
apply_silent(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op)
{
	struct group *g = &r->group[op->group];

	g->theirs |= op->kind == OP_ADOPT || op->kind == OP_PUSH ||
		     op->kind == OP_RCOPY;
	g->matched |= g->theirs || op->kind == OP_RMOVE;
	g->left--;
	if (g->left > 0 || g->failed)
		return;
	/*
	 * Recorded as it was before it moved: what was changed since, the next
	 * pass merges.
	 */
	if (op->behind ||
	    ((op->kind == OP_ADOPT || op->kind == OP_RMOVE ||
		 op->kind == OP_RCOPY) &&
		!flags_eq(op->shown, g->row->l)) ||
	    is_to_go(r, g->row))
		b->undone = b->rescan = true;
	if (!shows_its_row(r, b, g->row))
		b->reread = true;
	if (op->left_uid)
		journal_del_pair(
		    batch, r->box[op->left_box].j.id, op->left_uid);
	if (g->theirs)
		record_theirs(r, b, g->row->file);
	end_holds(r, b, batch, op);
	drop_left(r, g->row, op);
	journal_put_pair(batch, b->j.id, g->row);
}

void
apply_undone(struct run *r, struct sbox *b, const struct op *op)
{
	r->group[op->group].failed = true;
	b->undone = true;
	b->rescan = true;
}

bool
apply_lose_file(struct sbox *b, struct journal_batch *batch, uint32_t uid)
{
	struct pair *row = pairs_find(&b->base, uid);

	if (!row)
		return false;
	row->file = SPAN("");
	journal_put_pair(batch, b->j.id, row);
	return true;
}

void
apply_replaced(
    struct sbox *b, struct journal_batch *batch, const struct op *op)
{
	if (op->why == CASE_L_REPLACED &&
	    apply_lose_file(b, batch, op->old_uid))
		record_look_again(&b->j);
}

size_t
apply_ops(
    struct run *r, const struct sbox *b, enum op_kind kind, struct op ***v_r)
{
	struct op **v =
	    arena_array(&r->pass, b->op_to - b->op_from + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = b->op_from; i < b->op_to; i++)
		if (r->plan.op[i].kind == kind && !r->plan.op[i].held)
			v[n++] = &r->plan.op[i];
	*v_r = v;
	return n;
}

const struct sbox *
apply_next(const struct run *r, const struct sbox *b, enum op_kind kind)
{
	for (b++; b < r->box + r->nbox; b++) {
		bool del = kind == OP_LDELETE || kind == OP_RDELETE;
		size_t to = del ? b->del_to : b->op_to;

		if (!b->observed || b->failed || b->waits)
			continue;
		for (size_t i = del ? b->del_from : b->op_from; i < to; i++)
			if (r->plan.op[i].kind == kind && !r->plan.op[i].held)
				return b;
	}
	return NULL;
}

static int
rows_of_box(
    struct run *r, struct sbox *b, struct journal_batch *batch, struct err *e)
{
	struct op **v;
	size_t n;
	int rc = 0;

	holds_drop_old(r, b, batch);
	sent_tell(r, b, batch);
	if (b->r.renumbered) {
		/* old rows and new numbers change places in one transaction */
		journal_del_pairs(batch, b->j.id);
		record_look_again(&b->j);
		b->j.highestmodseq = 0;
		b->j.uidnext = b->j.messages = 0;
	}
	if (!b->r.same)
		b->j.uidvalidity = b->r.uidvalidity;
	n = apply_ops(r, b, OP_FORGET, &v);
	for (size_t i = 0; i < n; i++) {
		journal_del_pair(
		    batch, b->j.id, v[i]->old_uid ? v[i]->old_uid : v[i]->uid);
		if (v[i]->file_stays)
			record_look_again(&b->j);
		report_op(r, b, v[i]);
	}
	n = apply_ops(r, b, OP_KEEP, &v);
	for (size_t i = 0; i < n; i++) {
		journal_del_pair(batch, b->j.id, v[i]->uid);
		holds_put_policy(r, b, batch, v[i]);
		report_op(r, b, v[i]);
	}
	n = apply_ops(r, b, OP_SKIP, &v);
	for (size_t i = 0; i < n; i++) {
		holds_put_policy(r, b, batch, v[i]);
		report_op(r, b, v[i]);
	}
	/* its twin is fetched in this pass, and copied in the next */
	if (apply_ops(r, b, OP_LATER, &v) > 0)
		b->undone = b->rescan = true;
	n = apply_ops(r, b, OP_RECORD, &v);
	for (size_t i = 0; i < n; i++)
		apply_done(r, b, batch, v[i]);
	n = apply_ops(r, b, OP_ADOPT, &v);
	for (size_t i = 0; i < n; i++) {
		apply_replaced(b, batch, v[i]);
		apply_done(r, b, batch, v[i]);
	}
	n = apply_ops(r, b, OP_LFLAGS, &v);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = cancel_check(r->o->cancel, e);
		if (rc == 0)
			rc = letters_set(r, b, batch, v[i], e);
	}
	if (rc == 0) {
		n = apply_ops(r, b, OP_RFLAGS, &v);
		rc = flags_there(r, b, batch, v, n, e);
	}
	b->undone |= rc != 0;
	return rc;
}

/* What several mailboxes have to say to the journal, in one transaction. */
struct rows {
	struct journal_batch *batch;
	struct sbox **v;
	size_t n;
};

/* The transaction (and rule 2 before it); the rows are begun anew. */
static int
flush_rows(struct run *r, struct rows *x, struct err *e)
{
	struct journal_batch *batch = x->batch;
	int rc;

	x->batch = journal_begin(r->j, r->kw);
	rc = record_commit_many(r, x->v, x->n, &batch, e);
	if (rc != 0)
		rc = report_contain_many(r, x->v, x->n, e);
	x->n = 0;
	return rc;
}

/* B is one of those that are written when it has anything to say. */
static int
add_rows(struct run *r, struct sbox *b, struct rows *x, struct err *e)
{
	size_t before = journal_batch_size(x->batch);
	int rc;

	record_join(r, b, x->batch);
	rc = local_mend_letters(r, b, e);
	if (rc == 0)
		rc = rows_of_box(r, b, x->batch, e);
	if (b->wrote_l || journal_batch_size(x->batch) > before ||
	    record_differs(b))
		x->v[x->n++] = b;
	return rc == 0 ? 0 : report_contain(r, b, e);
}

int
apply_rows(struct run *r, struct err *e)
{
	struct rows x = {.batch = journal_begin(r->j, r->kw)};
	struct err late = {0};
	int rc = 0;

	x.v = arena_array(&r->pass, r->nbox + 1, sizeof *x.v);
	for (size_t i = 0; i < r->nbox && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (!b->observed || b->failed || b->waits)
			continue;
		rc = add_rows(r, b, &x, e);
		if (rc == 0 && journal_batch_size(x.batch) >= COMMIT_EVERY)
			rc = flush_rows(r, &x, e);
	}
	/* what was done is kept, whatever ended it */
	if (rc == 0)
		rc = flush_rows(r, &x, e);
	else
		(void)flush_rows(r, &x, &late);
	journal_batch_free(&x.batch);
	return rc;
}

int
apply_expect(struct run *r, struct err *e)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];

		if (!op->held && !r->box[op->box].failed &&
		    (op->kind == OP_PULL || op->kind == OP_PUSH))
			octets += op->row.size;
	}
	return octets ? imap_expect(r->imap, octets, e) : 0;
}

int
apply_open_bin(struct run *r, struct err *e)
{
	char when[32], *path;
	int state, rc;

	if (r->bin_fd >= 0)
		return 0;
	state = fs_open_dir(AT_FDCWD, r->a->state_dir);
	if (state < 0)
		return err_sys(
		    e, ERR_SCOPE_ACCOUNT, errno, "open '%s'", r->a->state_dir);
	clock_format_utc(r->now, when, sizeof when);
	/* "2026-11-23 08:45:59Z" -> 20261123-084559-PID */
	snprintf(r->rep->run, sizeof r->rep->run,
	    "%.4s%.2s%.2s-%.2s%.2s%.2s-%x", when, when + 5, when + 8, when + 11,
	    when + 14, when + 17, (unsigned)getpid());
	path = xasprintf("bin/%s", r->rep->run);
	rc = fs_mkdirs(state, path, 0700, e);
	if (rc == 0) {
		r->bin_fd = fs_open_dir(state, path);
		if (r->bin_fd < 0)
			rc = err_sys(e, ERR_SCOPE_ACCOUNT, errno,
			    "open '%s/%s'", r->a->state_dir, path);
	}
	if (rc != 0)
		r->rep->run[0] = '\0';
	xfree(path);
	close(state);
	return rc;
}

/* Case 20: the new content did not go up (push.c), so the old one stays. */
static bool
is_not_replaced(const struct sbox *b, const struct op *op)
{
	const struct pair *old = op->why == CASE_L_REPLACED
				     ? pairs_find(&b->base, op->uid)
				     : NULL;

	return old && old->file.n > 0;
}

static int
delete_remote(
    struct run *r, struct sbox *b, struct journal_batch *batch, struct err *e)
{
	struct uidset expunge, trash;
	struct rview back = {0};
	int rc;

	uidset_init(&expunge);
	uidset_init(&trash);
	uidset_init(&back.vanished);
	for (size_t i = b->del_from; i < b->del_to; i++) {
		const struct op *op = &r->plan.op[i];

		if (op->kind != OP_RDELETE || op->held)
			continue;
		if (is_not_replaced(b, op))
			b->undone = true;
		else
			uidset_add(trash_takes(r, b, op) ? &trash : &expunge,
			    op->uid);
	}
	rc = expunge.n || trash.n ? observe_to_delete(r, b, expunge.n == 0, e)
				  : 0;
	b->wrote_r |= rc == 0 && (expunge.n || trash.n);
	if (rc == 0 && expunge.n == 0 && trash.n > 0)
		observe_next(r, apply_next(r, b, OP_RDELETE));
	if (rc == 0 && trash.n > 0)
		rc = trash_move(r, &trash, &back, e);
	if (rc == 0 && expunge.n > 0) {
		observe_next(r, apply_next(r, b, OP_RDELETE));
		rc = imap_expunge(r->imap, &expunge, &r->pass, &back, e);
	}
	for (size_t i = b->del_from; i < b->del_to && rc == 0; i++) {
		const struct op *op = &r->plan.op[i];

		if (op->kind != OP_RDELETE || op->held ||
		    is_not_replaced(b, op))
			continue;
		if (!uidset_has(&trash, op->uid) &&
		    !uidset_has(&expunge, op->uid)) {
			b->undone = b->rescan = true;
			continue;
		}
		journal_del_pair(batch, b->j.id, op->uid);
		report_delete_there(r, b, op, uidset_has(&trash, op->uid));
	}
	uidset_release(&expunge);
	uidset_release(&trash);
	uidset_release(&back.vanished);
	return rc;
}

/* Once for all that is deleted; what shows no keyword needs none. */
static int
keep_letters(struct run *r, const struct sbox *b, struct span file, bool *kept,
    struct err *e)
{
	uint32_t letters;
	int rc;

	(void)name_flags(&r->pass, name_split(file).info, NULL, &letters);
	if (*kept || letters == 0)
		return 0;
	rc = maildir_bin_letters(
	    b->j.path, r->kw, &b->letters, r->bin_fd, e);
	*kept = rc == 0;
	return rc;
}

static int
delete_local(struct run *r, struct sbox *b, struct journal_batch *batch,
    bool *binned, struct err *e)
{
	bool kept = false;
	int rc;

	for (size_t i = b->del_from; i < b->del_to; i++) {
		const struct op *op = &r->plan.op[i];

		if (op->kind != OP_LDELETE || op->held)
			continue;
		rc = apply_open_bin(r, e);
		if (rc == 0)
			rc = observe_keep(r, e);
		/* edited just now?  (Case 19: whoever marked it meant it.) */
		if (rc == 0 && op->why != CASE_EXPUNGE)
			rc = local_still(r, b, op->file, &op->row, e);
		if (rc == 0)
			rc = keep_letters(r, b, op->file, &kept, e);
		if (rc == 0)
			rc = maildir_bin(
			    r->m, b->j.path, op->file, r->bin_fd, e);
		if (rc == 0) {
			b->wrote_l = *binned = true;
			/* its row tells what is still to go there */
			if (op->why != CASE_EXPUNGE)
				journal_del_pair(batch, b->j.id, op->uid);
			report_op(r, b, op);
			continue;
		}
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		b->undone = b->rescan = b->undeleted = true;
		if (rc != ERR_STALE)
			report_failed(r, b, op->uid, op->file, e->text);
		err_clear(e);
	}
	return 0;
}

int
apply_deletes(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;
	struct err first;
	bool binned = false;
	int rc;

	if (b->del_from == b->del_to)
		return 0;
	batch = record_begin(r, b);
	rc = delete_local(r, b, batch, &binned, e);
	first = *e;
	if (binned && maildir_bin_sync(r->m, b->j.path, r->bin_fd, e) != 0) {
		journal_batch_free(&batch);
		b->undone = b->rescan = true;
		return e->code;
	}
	if (rc == 0)
		rc = delete_remote(r, b, batch, &first);
	b->undone |= rc != 0;
	if (record_commit(r, b, &batch, e) != 0)
		return e->code;
	if (rc != 0)
		*e = first;
	return rc;
}
