/*
 * What vanished in one mailbox and appeared in another, and what appeared
 * while its like stays: doc/merge-table.md, cases 21 to 27.
 *
 * Invariants:
 *  1. Content decides, by its digest.  A match that is not there costs
 *     bandwidth only: the delete and the new message are carried out as such.
 *  2. A delete serves for one move.  Equal messages are interchangeable; the
 *     one of the same base name is preferred, so that each keeps its flags.
 *  3. A moved message is recorded with the flags of the last agreement, not
 *     with those that are seen: what was changed since on either side is
 *     merged by the next pass as if it had never moved.
 *  4. Keywords are letters whose meaning belongs to a mailbox.  A file that
 *     somebody else moved into another one may show others now, or none: no
 *     change of keywords is concluded from that.
 *  5. Limits (case 29) are for what is new.  A move carries nothing over; were
 *     it none, the message would go from the side that it was moved on.
 */
#include "plan/internal.h"

#include "base/map.h"

/* Equal messages that are looked through for one of the same name. */
#define SAME_NAME_DEPTH 32

/* Ops (or rows) by the digest of their content, lowest index first. */
struct chain {
	struct map first; /* digest -> 1 + index */
	uint32_t *next;   /* 1 + index; 0 ends */
};

struct moves {
	struct plan *pl;
	const struct plan_live *live;
	bool *used; /* by op: serves as the other half of a move */
	struct chain rdel, ldel, both, push, alive;
	struct map boxes; /* number -> index into pl->box */
	struct map twins; /* gid -> op that fetches it */
};

static struct span
key_of(const struct pair *row)
{
	return span_of((const char *)row->sha, sizeof row->sha);
}

static void
chain_init(struct chain *c, struct arena *mem, size_t n)
{
	map_init(&c->first);
	c->next = arena_array(mem, n + 1, sizeof *c->next);
}

/* To be called with descending indexes. */
static void
chain_put(struct chain *c, const struct pair *row, size_t at)
{
	uint64_t first = 0;

	map_get(&c->first, key_of(row), &first);
	c->next[at] = (uint32_t)first;
	map_set(&c->first, key_of(row), at + 1);
}

static uint32_t
chain_first(const struct chain *c, const struct pair *row)
{
	uint64_t first = 0;

	map_get(&c->first, key_of(row), &first);
	return (uint32_t)first;
}

static bool
same_base(struct span a, struct span b)
{
	return span_eq(plan_base(a), plan_base(b));
}

/*
 * An op of the chain that is not used yet; one of mailbox BOX or with FILE's
 * base name if there is one.
 */
static struct op *
take(struct moves *m, struct chain *c, const struct pair *row, uint32_t box,
    struct span file)
{
	uint32_t at = chain_first(c, row), found = 0;
	int depth = 0;

	/* what is used is passed over for good */
	while (at && m->used[at - 1])
		at = c->next[at - 1];
	if (at == 0)
		return NULL;
	map_set(&c->first, key_of(row), at);
	for (; at && depth < SAME_NAME_DEPTH; at = c->next[at - 1]) {
		const struct op *op = &m->pl->op[at - 1];

		if (m->used[at - 1])
			continue;
		depth++;
		if (!found)
			found = at;
		if (op->box == box ||
		    (file.n && same_base(op->file, file))) {
			found = at;
			break;
		}
	}
	m->used[found - 1] = true;
	return &m->pl->op[found - 1];
}

static const struct plan_live *
find_live(const struct moves *m, const struct pair *row, bool local)
{
	uint32_t at = chain_first(&m->alive, row);

	for (; at; at = m->alive.next[at - 1]) {
		const struct plan_live *x = &m->live[at - 1];

		if (local ? x->local : x->remote)
			return x;
	}
	return NULL;
}

/* It is no delete any more. */
static void
not_deleted(struct moves *m, const struct op *op)
{
	uint64_t at = 0;

	map_get_u64(&m->boxes, op->box, &at);
	if (op->kind == OP_LDELETE)
		m->pl->box[at].ldeletes--;
	else if (op->kind == OP_RDELETE)
		m->pl->box[at].rdeletes--;
}

/*
 * The flags of the last agreement, OLD; the file shows SHOWN.  Invariant 4,
 * unless SAME mailbox: taken as agreed on both sides, those of its keywords
 * that the server does not show go from the file, and those that it shows come
 * to it.
 */
static void
set_base(struct pair *row, const struct pair *old, struct flags shown,
    bool same)
{
	row->l = same ? old->l : shown;
	row->r = same ? old->r : shown;
	row->l.sys = old->l.sys;
	row->r.sys = old->r.sys;
}

/* P, a PULL, gets its file from D in mailbox FROM. */
static void
file_comes(struct op *p, enum op_kind kind, enum plan_case why, uint32_t from,
    uint32_t from_uid, struct span file)
{
	p->kind = kind;
	p->why = why;
	p->from = from;
	p->from_uid = from_uid;
	p->file = file;
}

/*
 * The row of F is gone on both sides, and P is its message.  Were it forgotten
 * by itself, a crash right after would leave two new messages.
 */
static void
leaves(struct op *p, const struct op *f)
{
	p->left_box = f->box;
	p->left_uid = f->uid;
}

/* cases 22 and 25: the file of a message that vanished there */
static bool
moved_there(struct moves *m, struct op *p)
{
	struct op *d = take(m, &m->ldel, &p->row, p->box, SPAN_NONE);

	if (!d)
		return false;
	not_deleted(m, d);
	file_comes(p, OP_LMOVE,
	    d->box == p->box ? CASE_R_NEW_UID : CASE_R_MOVED, d->box,
	    d->row.uid, d->file);
	p->shown = d->shown;
	p->behind = !flags_eq(p->row.r, d->row.r);
	p->row.l = d->row.l;
	p->row.r = d->row.r;
	p->row.ino = d->row.ino;
	p->row.fsize = d->row.fsize;
	p->row.mtime_ns = d->row.mtime_ns;
	return true;
}

/*
 * case 26: moved here too, but to another mailbox; or pushed only because the
 * numbers of its mailbox mean nothing any more
 */
static bool
moved_twice(struct moves *m, struct op *p)
{
	uint32_t at = chain_first(&m->push, &p->row);
	bool agreed = chain_first(&m->both, &p->row) != 0;

	for (; at; at = m->push.next[at - 1]) {
		struct op *q = &m->pl->op[at - 1];
		struct flags seen = p->row.r;
		struct op *f = NULL;

		if (m->used[at - 1] || (q->why == CASE_L_NEW && !agreed))
			continue;
		if (q->why == CASE_L_NEW &&
		    !(f = take(m, &m->both, &p->row, UINT32_MAX, q->file)))
			continue;
		m->used[at - 1] = true;
		file_comes(p, OP_LMOVE,
		    q->box == p->box ? CASE_R_NEW_UID
			: f	     ? CASE_LR_MOVED
				     : CASE_R_MOVED,
		    q->box, 0, q->file);
		p->shown = q->row.l;
		p->row.l = q->old_l;
		p->row.r = q->old_r;
		if (f) {
			set_base(
			    &p->row, &f->row, q->row.l, f->box == q->box);
			leaves(p, f);
		}
		p->behind = !flags_eq(seen, p->row.r);
		p->row.ino = q->row.ino;
		p->row.fsize = q->row.fsize;
		p->row.mtime_ns = q->row.mtime_ns;
		return true;
	}
	return false;
}

bool
plan_seconds_near(int64_t a, int64_t b)
{
	return a - b <= 1 && b - a <= 1;
}

bool
plan_is_draft(const struct pair *row)
{
	return ((row->l.sys | row->r.sys) & FLAG_DRAFT) != 0;
}

/* case 27: another op fetches the same message, and it will be case 24 */
static bool
has_twin(struct moves *m, const struct op *p, size_t at)
{
	uint64_t first;
	const struct op *q;

	if (p->gid.n == 0 || map_add(&m->twins, p->gid, at) ||
	    !map_get(&m->twins, p->gid, &first))
		return false;
	q = &m->pl->op[first];
	return q->box != p->box && !plan_is_draft(&p->row) &&
	    plan_seconds_near(q->row.idate, p->row.idate);
}

/* cases 22 and 24 to 27: new there */
static void
match_pull(struct moves *m, size_t at)
{
	struct op *p = &m->pl->op[at];
	const struct plan_live *x;

	if (p->known && (moved_there(m, p) || moved_twice(m, p)))
		return;
	if (p->kind == OP_SKIP)
		return;
	if (p->known) {
		x = find_live(m, &p->row, true);
		if (x) { /* case 24 */
			file_comes(p, OP_LCOPY, CASE_R_COPIED, x->box,
			    x->row.uid, x->row.file);
			/* what it is copied from, to be held against it */
			p->row.fsize = x->row.fsize;
			p->row.mtime_ns = x->row.mtime_ns;
			p->row.ino = x->row.ino;
			return;
		}
	}
	if (has_twin(m, p, at)) {
		p->kind = OP_LATER;
		p->why = CASE_R_TWIN;
	}
}

/* P, a PUSH, gets its UID from that of OLD in mailbox FROM. */
static void
uid_comes(struct op *p, enum op_kind kind, enum plan_case why, uint32_t from,
    const struct pair *old)
{
	p->kind = kind;
	p->why = why;
	p->from = from;
	p->from_uid = old->uid;
	p->shown = p->row.l;
	set_base(&p->row, old, p->shown, from == p->box);
	p->row.idate = old->idate;
}

/* cases 21 and 23: new here */
static void
match_push(struct moves *m, size_t at)
{
	struct op *p = &m->pl->op[at];
	const struct plan_live *x;
	struct op *d;

	d = take(m, &m->rdel, &p->row, UINT32_MAX, p->file);
	if (d) { /* case 21 */
		not_deleted(m, d);
		uid_comes(p, OP_RMOVE, CASE_L_MOVED, d->box, &d->row);
		return;
	}
	x = p->kind == OP_PUSH ? find_live(m, &p->row, false) : NULL;
	if (x) /* case 23 */
		uid_comes(p, OP_RCOPY, CASE_L_COPIED, x->box, &x->row);
}

/* What is shown before OP, which makes it F. */
static struct flags
before(struct arena *mem, struct flags f, const struct op *op)
{
	return flags_or(mem, flags_minus(mem, f, op->add), op->del);
}

/*
 * Adopted, and the row that both sides left says that it was moved to the
 * same mailbox on both: its flags are merged from there.
 */
static void
match_adopt(struct moves *m, size_t at)
{
	struct plan *pl = m->pl;
	struct op *a = &pl->op[at];
	struct flags shown = a->row.l, seen = a->row.r;
	struct op *f = take(m, &m->both, &a->row, UINT32_MAX, a->file);

	if (!f)
		return;
	for (size_t i = at + 1; i < pl->n && pl->op[i].group == a->group;
	     i++) {
		if (pl->op[i].kind == OP_LFLAGS)
			shown = before(pl->mem, shown, &pl->op[i]);
		else if (pl->op[i].kind == OP_RFLAGS)
			seen = before(pl->mem, seen, &pl->op[i]);
		m->used[i] = true;
	}
	a->shown = shown;
	set_base(&a->row, &f->row, shown, f->box == a->box);
	leaves(a, f);
	a->behind = !flags_eq(seen, a->row.r);
}

static void
chains_init(struct moves *m, size_t nlive)
{
	struct plan *pl = m->pl;

	chain_init(&m->rdel, pl->mem, pl->n);
	chain_init(&m->ldel, pl->mem, pl->n);
	chain_init(&m->both, pl->mem, pl->n);
	chain_init(&m->push, pl->mem, pl->n);
	chain_init(&m->alive, pl->mem, nlive);
	for (size_t i = pl->n; i-- > 0;) {
		const struct op *op = &pl->op[i];
		struct chain *c = NULL;

		if (op->kind == OP_RDELETE &&
		    (op->why == CASE_L_GONE || op->why == CASE_L_GONE_R_FLAGS))
			c = &m->rdel;
		else if ((op->kind == OP_LDELETE && op->why != CASE_EXPUNGE) ||
		    op->kind == OP_KEEP)
			c = &m->ldel;
		else if (op_has_left_both(op))
			c = &m->both;
		else if ((op->kind == OP_PUSH && op->why == CASE_L_NEW) ||
		    op_stays_here(op) || op_goes_up_again(op))
			c = &m->push;
		if (c)
			chain_put(c, &op->row, i);
	}
	for (size_t i = nlive; i-- > 0;)
		chain_put(&m->alive, &m->live[i].row, i);
	map_init(&m->boxes);
	map_init(&m->twins);
	for (size_t i = 0; i < pl->nbox; i++)
		map_set_u64(&m->boxes, pl->box[i].box, i);
}

static void
chains_release(struct moves *m)
{
	map_release(&m->rdel.first);
	map_release(&m->ldel.first);
	map_release(&m->both.first);
	map_release(&m->push.first);
	map_release(&m->alive.first);
	map_release(&m->boxes);
	map_release(&m->twins);
}

void
plan_drop_staying(struct plan *pl)
{
	struct map left;
	uint64_t one;
	size_t n = 0;

	map_init(&left);
	for (size_t i = 0; i < pl->n; i++)
		if (op_has_left_both(&pl->op[i]))
			map_add(&left, key_of(&pl->op[i].row), 1);
	for (size_t i = 0; i < pl->n; i++)
		if (!op_stays_here(&pl->op[i]) ||
		    map_get(&left, key_of(&pl->op[i].row), &one))
			pl->op[n++] = pl->op[i];
	pl->n = n;
	map_release(&left);
}

void
plan_moves(struct plan *pl, const struct plan_live *live, size_t nlive)
{
	struct moves m = {.pl = pl, .live = live};
	size_t n = 0;

	m.used = arena_array(pl->mem, pl->n + 1, sizeof *m.used);
	chains_init(&m, nlive);
	for (size_t i = 0; i < pl->n; i++)
		if (pl->op[i].kind == OP_ADOPT &&
		    pl->op[i].why == CASE_LR_NEW_EQUAL)
			match_adopt(&m, i);
	for (size_t i = 0; i < pl->n; i++)
		if (op_is_new_there(&pl->op[i]))
			match_pull(&m, i);
	for (size_t i = 0; i < pl->n; i++)
		if (!m.used[i] && op_is_new_here(&pl->op[i]))
			match_push(&m, i);
	for (size_t i = 0; i < pl->n; i++)
		if (!m.used[i] && !op_stays_here(&pl->op[i]))
			pl->op[n++] = pl->op[i];
	pl->n = n;
	chains_release(&m);
	for (size_t i = 0; i < pl->nbox; i++)
		if (pl->box[i].missing)
			plan_keep_rows(pl, pl->box[i].box);
}
