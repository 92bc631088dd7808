/*
 * moves: which new messages are somewhere in the account already.
 *
 * A file has its digest once it was read; a new UID has only what the server
 * tells.  So for each new UID the files that may be it are looked for here, and
 * bytes of both are compared (identify.c), before plan_moves() takes them for
 * one message.
 *
 * Only a file of the same canonical size comes into question.  One whose
 * message stays where it is (a copy) must also have the same INTERNALDATE, to
 * the second; one whose message vanished need not, since some servers date anew
 * what is moved.
 *
 * What may be copied is known by its row, though its mailbox is not looked at.
 * Such a row may be of what is gone, and a direction leaves that out (or it
 * went just now).  Where that turns out (source_gone_l, source_gone_r), the
 * rest of the run copies only what it has seen on that side: all else goes up,
 * or is fetched.
 */
#include "sync/moves.h"

static void
add_candidate(struct moves_search *s, struct moves_file c)
{
	uint64_t first = 0;

	map_get_u64(&s->by_size, c.size, &first);
	c.left = MOVES_NO_BOX;
	c.next = (size_t)first;
	s->v = arena_grow(&s->r->pass, s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n++] = c;
	map_set_u64(&s->by_size, c.size, s->n);
}

/* What the plan lets go of, or would push anew. */
static void
candidates_of_plan(struct moves_search *s)
{
	const struct plan *pl = &s->r->plan;

	for (size_t i = 0; i < pl->n; i++) {
		const struct op *op = &pl->op[i];

		if ((op->kind == OP_LDELETE && op->why != CASE_EXPUNGE) ||
		    op->kind == OP_KEEP || op->kind == OP_PUSH ||
		    op_stays_here(op) || op_goes_up_again(op))
			add_candidate(s,
			    (struct moves_file){.box = op->box,
				.file = op->file,
				.size = op->row.size,
				.idate = op->row.idate,
				.sha = op->row.sha,
				.again = op_goes_up_again(op),
				.just_read = op->kind == OP_PUSH ||
					     op_stays_here(op) ||
					     op_goes_up_again(op),
				.draft = plan_is_draft(&op->row)});
	}
}

static void
add_absent(struct moves_search *s, uint64_t size, struct span sha)
{
	s->absent = arena_grow(&s->r->pass, s->absent, s->nabsent,
	    &s->absentcap, sizeof *s->absent);
	s->absent[s->nabsent++] =
	    (struct moves_absent){size, (const uint8_t *)sha.p};
}

/* Unless a file has the content of X, which is compared then. */
static void
note_rivals(struct moves_search *s, const struct moves_absent *x)
{
	uint64_t first = 0, at;

	map_get_u64(&s->by_size, x->size, &first);
	for (at = first; at; at = s->v[at - 1].next)
		if (memcmp(s->v[at - 1].sha, x->sha, DIGEST_LEN) == 0)
			return;
	for (at = first; at; at = s->v[at - 1].next)
		s->v[at - 1].rival = true;
}

/* The message of OP is in its mailbox on neither side any more. */
static void
note_left(struct moves_search *s, const struct op *op)
{
	uint64_t at = 0;

	add_absent(s, op->row.size,
	    span_of((const char *)op->row.sha, DIGEST_LEN));
	map_get_u64(&s->by_size, op->row.size, &at);
	for (; at; at = s->v[at - 1].next) {
		struct moves_file *c = &s->v[at - 1];

		if (memcmp(c->sha, op->row.sha, DIGEST_LEN) == 0)
			c->left = c->left == MOVES_NO_BOX ||
					  c->left == op->box
				      ? op->box
				      : MOVES_ANY_BOX;
	}
}

/*
 * The file of ROW in B as it is named now; false when it is not there, as far
 * as this pass knows.
 */
static bool
current_file(struct moves_search *s, uint32_t box, struct pair *row)
{
	struct sbox *b = &s->r->box[box];
	uint64_t at = 0;

	if (b->local_missing || row->file.n == 0)
		return false;
	if (!b->observed || b->l.same)
		return !s->r->source_gone_l;
	if (b->l.delta && !uidset_has(&b->l_gone, row->uid))
		return true;
	if (!s->has_bases[box]) {
		s->has_bases[box] = true;
		map_init(&s->bases[box]);
		for (size_t i = 0; i < b->l.n; i++)
			map_add(&s->bases[box], b->l.v[i].base, i + 1);
	}
	if (!map_get(&s->bases[box], plan_base(row->file), &at))
		return false;
	row->file = b->l.v[at - 1].file;
	return true;
}

/* Is the row's UID there, as far as this pass knows? */
static bool
current_uid(const struct sbox *b, uint32_t uid)
{
	if (b->remote_missing)
		return false;
	if (!b->observed || b->r.same)
		return true;
	if (b->r.renumbered || b->r.doubt || uidset_has(&b->r.vanished, uid))
		return false;
	return !b->r.complete || rview_find(&b->r, uid);
}

static bool
is_shown(const struct sbox *b, uint32_t uid)
{
	return b->observed && rview_find(&b->r, uid);
}

/*
 * Is the message of ROW marked as deleted, on either side?  A copy that the
 * server makes would be born with the mark; were the run to end before it is
 * taken off, nobody could tell it from one that was given to the copy.
 */
static bool
is_marked(struct run *r, uint32_t box, const struct pair *row)
{
	const struct sbox *b = &r->box[box];
	const struct rmsg *m =
	    b->observed ? rview_find(&b->r, row->uid) : NULL;
	struct flags shown = name_flags(
	    &r->pass, name_split(row->file).info, NULL, NULL);

	return ((row->l.sys | row->r.sys | shown.sys |
		    (m ? m->flags.sys : 0)) & FLAG_DELETED) != 0;
}

/* Ops by the size of their message, lowest index first. */
struct sizes {
	struct map first; /* size -> 1 + index into the plan's ops */
	uint32_t *next;	  /* 1 + index; 0 ends */
};

static bool
seeks_rows(const struct op *op)
{
	return op->kind == OP_PULL ||
	       (op->kind == OP_PUSH && op->why == CASE_L_NEW);
}

/* Is ROW what an op of KIND among those from AT on may be? */
static bool
is_sought(const struct moves_search *s, const struct sizes *z, uint64_t at,
    enum op_kind kind, const struct pair *row)
{
	for (; at; at = z->next[at - 1]) {
		const struct op *op = &s->r->plan.op[at - 1];

		if (op->kind == kind &&
		    (kind == OP_PUSH
			    ? memcmp(row->sha, op->row.sha, DIGEST_LEN) == 0
			    : plan_seconds_near(row->idate, op->row.idate)))
			return true;
	}
	return false;
}

static struct span
digest_of(struct moves_search *s, const struct pair *row)
{
	return arena_span(
	    &s->r->pass, span_of((const char *)row->sha, DIGEST_LEN));
}

/* A row that new messages may be copies of; it is copied into the pass. */
static void
add_row(struct moves_search *s, const struct jfound *found, bool pull)
{
	struct run *r = s->r;
	struct plan_live x = {.row = found->row};
	uint64_t at;
	bool stays;

	if (!map_get_u64(&s->box_of_id, found->box, &at) ||
	    r->box[at - 1].gone)
		return;
	if (r->box[at - 1].failed) {
		map_add(&s->unseen, digest_of(s, &found->row), 1);
		return;
	}
	x.box = (uint32_t)(at - 1);
	x.row.file = arena_span(&r->pass, x.row.file);
	x.row.l = flags_copy(&r->pass, x.row.l);
	x.row.r = flags_copy(&r->pass, x.row.r);
	stays = current_uid(&r->box[x.box], x.row.uid);
	x.local = current_file(s, x.box, &x.row);
	x.remote = stays && !is_marked(r, x.box, &x.row) &&
		   (!r->source_gone_r || is_shown(&r->box[x.box], x.row.uid));
	if (!x.local && !x.remote)
		return;
	s->live = arena_grow(
	    &r->pass, s->live, s->nlive, &s->livecap, sizeof *s->live);
	s->live[s->nlive++] = x;
	if (!pull)
		return;
	if (!x.local) {
		add_absent(s, x.row.size, digest_of(s, &x.row));
		return;
	}
	add_candidate(s,
	    (struct moves_file){.box = x.box,
		.file = x.row.file,
		.size = x.row.size,
		.idate = x.row.idate,
		.sha = (const uint8_t *)digest_of(s, &x.row).p,
		.stays = stays,
		.draft = plan_is_draft(&x.row)});
}

/* One look into the journal for all ops of one size, from AT on. */
static int
rows_for(struct moves_search *s, const struct sizes *z, size_t at,
    struct arena *scratch, struct err *e)
{
	struct jfound *found;
	size_t n;
	int rc = journal_rows_of_size(s->r->j, s->r->plan.op[at].row.size,
	    SYNC_SAME_SIZE, scratch, &found, &n, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		bool pull = is_sought(s, z, at + 1, OP_PULL, &found[i].row);

		if (pull || is_sought(s, z, at + 1, OP_PUSH, &found[i].row))
			add_row(s, &found[i], pull);
	}
	return rc;
}

static int
rows_for_all(struct moves_search *s, struct err *e)
{
	const struct plan *pl = &s->r->plan;
	struct sizes z = {
	    .next = arena_array(&s->r->pass, pl->n + 1, sizeof *z.next)};
	struct arena scratch;
	int rc = 0;

	arena_init(&scratch);
	map_init(&z.first);
	for (size_t i = pl->n; i-- > 0;) {
		uint64_t first = 0;

		if (!seeks_rows(&pl->op[i]))
			continue;
		map_get_u64(&z.first, pl->op[i].row.size, &first);
		z.next[i] = (uint32_t)first;
		map_set_u64(&z.first, pl->op[i].row.size, i + 1);
	}
	for (size_t i = 0; i < pl->n && rc == 0; i++) {
		uint64_t first = 0;

		map_get_u64(&z.first, pl->op[i].row.size, &first);
		if (first == i + 1 && seeks_rows(&pl->op[i]))
			rc = rows_for(s, &z, i, &scratch, e);
		arena_clear(&scratch);
	}
	map_release(&z.first);
	arena_release(&scratch);
	return rc;
}

/* A mailbox whose pass ended in error, or which waits, takes no part. */
static void
drop_failed(struct run *r)
{
	struct plan *pl = &r->plan;
	size_t n = 0;

	for (size_t i = 0; i < pl->n; i++) {
		const struct sbox *b = &r->box[pl->op[i].box];

		if (!b->failed && !b->waits)
			pl->op[n++] = pl->op[i];
	}
	pl->n = n;
}

int
moves_find(struct run *r, struct err *e)
{
	struct moves_search s = {.r = r};
	int rc;

	map_init(&s.by_size);
	map_init(&s.box_of_id);
	map_init(&s.unseen);
	s.bases = arena_array(&r->pass, r->nbox + 1, sizeof *s.bases);
	s.has_bases = arena_array(&r->pass, r->nbox + 1, sizeof *s.has_bases);
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].j.id)
			map_set_u64(&s.box_of_id, r->box[i].j.id, i + 1);
	plan_drop_staying(&r->plan);
	putoff_unlooked(r);
	candidates_of_plan(&s);
	for (size_t i = 0; i < r->plan.n; i++)
		if (op_has_left_both(&r->plan.op[i]))
			note_left(&s, &r->plan.op[i]);
	rc = rows_for_all(&s, e);
	for (size_t i = 0; i < s.nabsent; i++)
		note_rivals(&s, &s.absent[i]);
	putoff_suspects(r);
	if (rc == 0)
		rc = renumber_held(r, e);
	if (rc == 0 && s.n > 0)
		rc = identify_all(&s, e);
	if (rc == 0) {
		renumber_unseen(r);
		rc = renumber_cut_off(r, e);
	}
	if (rc == 0) {
		drop_failed(r);
		plan_moves(&r->plan, s.live, s.nlive);
		putoff_unseen(r, &s.unseen);
		putoff_unread(r);
		if (!r->o->dry_run)
			putoff_into_missing(r);
	}
	for (size_t i = 0; i < r->nbox; i++)
		if (s.has_bases[i])
			map_release(&s.bases[i]);
	map_release(&s.by_size);
	map_release(&s.box_of_id);
	map_release(&s.unseen);
	return rc;
}
