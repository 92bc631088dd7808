/*
 * The three-way merge of one mailbox; doc/merge-table.md numbers its cases.
 *
 * Invariants:
 *  1. Absence is a delete only where the view of that side is complete (or
 *     names the UID as vanished), and never where the server's numbers went
 *     back.
 *  2. A message that is on both sides is never deleted, but for policy
 *     (case 19).
 *  3. Every message of either side gets at most one case, and what a case
 *     does brings it to case 1, or away from both sides.
 *  4. The result does not depend on the order of the input.
 */
#include "plan/merge.h"

struct op *
plan_add(struct plan *pl, enum op_kind kind, enum plan_case why,
    uint32_t group, const struct pair *row)
{
	struct op *op;

	pl->op = arena_grow(pl->mem, pl->op, pl->n, &pl->cap, sizeof *op);
	op = &pl->op[pl->n++];
	*op = (struct op){.kind = kind, .why = why, .group = group,
	    .uid = row->uid, .row = *row};
	return op;
}

static struct op *
add(struct merge *m, enum op_kind kind, enum plan_case why, uint32_t group,
    const struct pair *row)
{
	struct op *op = plan_add(m->pl, kind, why, group, row);

	op->box = m->box;
	op->shown = row->l;
	if (kind == OP_LDELETE)
		m->count.ldeletes++;
	else if (kind == OP_RDELETE)
		m->count.rdeletes++;
	return op;
}

static uint32_t
new_group(struct merge *m)
{
	return m->pl->groups++;
}

void
merge_row_from_file(struct pair *row, const struct lmsg *l)
{
	row->file = l->file;
	if (l->has_stat) {
		row->ino = l->ino;
		row->fsize = l->fsize;
		row->mtime_ns = l->mtime_ns;
	}
	if (l->has_content) {
		row->size = l->content.size;
		memcpy(row->sha, l->content.sha, sizeof row->sha);
	}
}

static int64_t
seconds_of(int64_t ns)
{
	return ns / 1000000000 - (ns % 1000000000 < 0);
}

/* A file as it is, and as it will be once it has a UID. */
static struct op *
add_file(struct merge *m, enum op_kind kind, enum plan_case why,
    const struct lmsg *l, const struct pair *old)
{
	struct pair row = {0};
	struct op *op;

	if (old)
		row = *old;
	merge_row_from_file(&row, l);
	row.uid = 0;
	row.modseq = 0;
	row.l = row.r = l->flags;
	if (row.idate == 0)
		row.idate = seconds_of(row.mtime_ns);
	op = add(m, kind, why, new_group(m), &row);
	op->file = l->file;
	return op;
}

/* A file that goes up. */
static struct op *
push(struct merge *m, enum plan_case why, const struct lmsg *l,
    const struct pair *old)
{
	struct op *op = add_file(m, OP_PUSH, why, l, old);

	if (old) {
		op->old_uid = old->uid;
		op->old_l = old->l;
		op->old_r = old->r;
	}
	return op;
}

/* L: the row's file, which stays, or NULL. */
static void
forget(struct merge *m, enum plan_case why, const struct pair *row,
    const struct lmsg *l)
{
	struct op *op = add(m, OP_FORGET, why, new_group(m), row);

	op->file = row->file;
	op->file_stays = l != NULL;
}

static bool
row_changed(const struct pair *a, const struct pair *b)
{
	return !span_eq(a->file, b->file) || a->modseq != b->modseq ||
	    a->ino != b->ino || a->fsize != b->fsize ||
	    a->mtime_ns != b->mtime_ns || !flags_eq(a->l, b->l) ||
	    !flags_eq(a->r, b->r);
}

void
merge_leave_side(const struct merge *m, struct pair *row, struct flags bl,
    struct flags br, struct flags l, struct flags r, struct pair *rec)
{
	struct flags stays;

	if (m->policy->no_local)
		row->l = l;
	if (m->policy->no_remote)
		row->r = r;
	*rec = *row;
	if (m->policy->no_remote)
		plan_merge_flags(m->pl->mem, bl, br, bl, r, &rec->l, &stays);
	else if (m->policy->no_local)
		plan_merge_flags(m->pl->mem, bl, br, l, br, &stays, &rec->r);
}

void
merge_settle(struct merge *m, enum plan_case why, enum op_kind kind,
    bool record, const struct pair *row, const struct pair *rec,
    struct flags l, struct flags r, uint32_t old_uid)
{
	struct arena *mem = m->pl->mem;
	uint32_t group = new_group(m);
	bool lneeds = !flags_eq(l, row->l), rneeds = !flags_eq(r, row->r);
	bool left_l = m->policy->no_remote;
	struct flags shown = left_l ? row->l : row->r;
	struct flags agreed = left_l ? rec->l : rec->r;
	size_t from = m->pl->n;
	struct op *op;

	if (kind == OP_ADOPT || (record && !lneeds && !rneeds)) {
		op = add(m, kind, why, group, row);
		op->file = row->file;
		op->old_uid = old_uid;
	}
	if (lneeds) {
		op = add(m, OP_LFLAGS, why, group, row);
		op->file = row->file;
		op->add = flags_minus(mem, row->l, l);
		op->del = flags_minus(mem, l, row->l);
	}
	if (rneeds) {
		op = add(m, OP_RFLAGS, why, group, row);
		op->file = row->file;
		op->add = flags_minus(mem, row->r, r);
		op->del = flags_minus(mem, r, row->r);
	}
	for (size_t i = from; i < m->pl->n; i++) {
		m->pl->op[i].left_add = flags_minus(mem, shown, agreed);
		m->pl->op[i].left_del = flags_minus(mem, agreed, shown);
	}
}

/* cases 1 to 4, and 19 */
static void
merge_both(struct merge *m, const struct seen *s)
{
	struct pair row = *s->row, rec;
	struct flags l = s->l ? s->l->flags : row.l;
	struct flags r = s->r ? s->r->flags : row.r;
	bool lnew = !flags_eq(l, row.l), rnew = !flags_eq(r, row.r);
	enum plan_case why = lnew && rnew ? CASE_LR_FLAGS
	    : lnew			  ? CASE_L_FLAGS
	    : rnew			  ? CASE_R_FLAGS
					  : CASE_SAME;

	plan_merge_flags(m->pl->mem, s->row->l, s->row->r, l, r, &row.l,
	    &row.r);
	/* what waits to go up (case 20) is not what was agreed on */
	if (s->replaced)
		row.file = s->l->file;
	else if (s->l)
		merge_row_from_file(&row, s->l);
	if (s->r && s->r->modseq > row.modseq)
		row.modseq = s->r->modseq;
	/* case 19 */
	if (m->policy->expunge && !m->policy->keep && !m->policy->no_local &&
	    !m->policy->no_remote && (row.l.sys & FLAG_DELETED) &&
	    (row.r.sys & FLAG_DELETED)) {
		uint32_t group = new_group(m);
		struct op *op =
		    add(m, OP_LDELETE, CASE_EXPUNGE, group, &row);

		op->file = row.file;
		add(m, OP_RDELETE, CASE_EXPUNGE, group, &row)->file = row.file;
		return;
	}
	merge_leave_side(m, &row, s->row->l, s->row->r, l, r, &rec);
	merge_settle(m, why, OP_RECORD, row_changed(s->row, &rec), &row, &rec,
	    l, r, 0);
}

/* cases 7, 8, 18 and 28 */
static void
merge_r_gone(struct merge *m, const struct seen *s)
{
	struct pair row = *s->row;
	struct op *op;

	if ((m->policy->no_local && !m->r->missing) ||
	    (m->r->doubt && s->l && s->l->hold))
		return;
	if (m->r->doubt && !m->policy->no_remote) {
		/* case 18; with no look at the file there is nothing to push */
		if (s->l) {
			forget(m, CASE_DOUBT_R_GONE, s->row, s->l);
			push(m, CASE_DOUBT_R_GONE, s->l, s->row);
		}
		return;
	}
	/* case 28 */
	if (m->policy->keep || m->policy->no_local || m->r->doubt) {
		op = add(m, OP_KEEP, CASE_KEPT, new_group(m), s->row);
		op->file = s->l ? s->l->file : s->row->file;
		op->shown = s->l ? s->l->flags : s->row->l;
		return;
	}
	/* cases 7 and 8: a delete wins over flags; of the file that was seen */
	if (s->l)
		merge_row_from_file(&row, s->l);
	op = add(m, OP_LDELETE,
	    s->l && !flags_eq(s->l->flags, s->row->l) ? CASE_R_GONE_L_FLAGS
						      : CASE_R_GONE,
	    new_group(m), &row);
	op->file = row.file;
	op->shown = s->l ? s->l->flags : s->row->l;
}

/* cases 5 and 6: a delete wins over flags */
static void
merge_l_gone(struct merge *m, const struct seen *s)
{
	struct op *op;

	if (m->policy->no_remote)
		return;
	op = add(m, OP_RDELETE,
	    s->r && !flags_eq(s->r->flags, s->row->r) ? CASE_L_GONE_R_FLAGS
						      : CASE_L_GONE,
	    new_group(m), s->row);
	op->file = s->row->file;
}

/* case 13 */
static void
wait_here(struct merge *m, const struct lmsg *l)
{
	struct pair row = {.file = l->file, .l = l->flags};

	add(m, OP_WAIT, CASE_L_HOLD, new_group(m), &row)->file = l->file;
}

/* cases 10, 13 and 29 */
static void
merge_new_file(struct merge *m, const struct lmsg *l)
{
	const struct plan_policy *p = m->policy;

	if (l->kept)
		return;
	if (p->no_remote) {
		if (l->has_content && !l->hold) /* it may move */
			push(m, CASE_L_NEW, l, NULL)->kind = OP_WAIT;
		return;
	}
	if (p->max_size && l->has_content && l->content.size > p->max_size) {
		if (!l->skipped) /* case 29 */
			add_file(m, OP_SKIP, CASE_SKIPPED, l, NULL);
	} else if (l->hold) { /* case 13 */
		wait_here(m, l);
	} else if (l->has_content) { /* case 10 */
		push(m, CASE_L_NEW, l, NULL);
	}
}

struct flags
merge_shown_by_old(const struct seen *s)
{
	struct flags f = s->r ? s->r->flags : s->row->r;

	f.sys &= ~(uint32_t)FLAG_DELETED | s->row->r.sys;
	return f;
}

/* What was changed there goes along, and the next pass merges it into the file.
 */
static void
push_replaced(struct merge *m, const struct seen *s)
{
	const struct pair *old = s->row;
	struct op *op = push(m, CASE_L_REPLACED, s->l, NULL);
	struct flags l = s->l->flags, agreed, to_l;

	op->old_uid = old->uid;
	plan_merge_flags(m->pl->mem, old->l, old->r, l, merge_shown_by_old(s),
	    &to_l, &op->row.r);
	plan_merge_flags(
	    m->pl->mem, old->l, old->r, l, old->r, &to_l, &agreed);
	op->left_add = flags_minus(m->pl->mem, op->row.r, agreed);
	op->left_del = flags_minus(m->pl->mem, agreed, op->row.r);
}

/*
 * case 20: the new content goes up first, then the old message goes.  Where
 * that is gone, the file is a new one.  What waits leaves the row as it is.
 */
static void
merge_replaced(struct merge *m, const struct seen *s)
{
	bool there = m->l_used[s->l - m->l->v]; /* adopted */

	if (s->rside == SIDE_GONE) {
		forget(m, CASE_LR_GONE, s->row, s->l);
		if (!there)
			merge_new_file(m, s->l);
	} else if (m->policy->no_remote) {
		return;
	} else if (s->l->suspect && !there) {
		wait_here(m, s->l);
	} else if (s->l->hold && !there) {
		merge_both(m, s);
	} else {
		if (!there)
			push_replaced(m, s);
		add(m, OP_RDELETE, CASE_L_REPLACED, new_group(m), s->row);
	}
}

struct seen
merge_look_at(const struct merge *m, size_t i)
{
	struct seen s = {.row = &m->base->v[i]};
	uint32_t uid = s.row->uid;
	size_t file = m->match.file_of[i];

	if (file != PLAN_NONE) {
		s.lside = SIDE_SEEN;
		s.l = &m->l->v[file];
		s.replaced = plan_is_other(s.l, s.row);
	} else if (s.row->file.n == 0 ||
	    (!m->l->same && (m->l->complete || m->l->damaged))) {
		/* damaged: the brake holds what comes of it */
		s.lside = SIDE_GONE;
	}
	if (m->r->same)
		return s;
	if (uidset_has(&m->r->vanished, uid)) {
		s.rside = SIDE_GONE;
		return s;
	}
	s.r = rview_find(m->r, uid);
	if (s.r)
		s.rside = SIDE_SEEN;
	else if (m->r->complete)
		s.rside = SIDE_GONE;
	return s;
}

static void
merge_rows(struct merge *m)
{
	for (size_t i = 0; i < m->base->n; i++) {
		struct seen s = merge_look_at(m, i);

		if (s.replaced)
			merge_replaced(m, &s);
		else if (s.l && m->l_used[s.l - m->l->v])
			forget(m, CASE_DOUBT_R_GONE, s.row, NULL); /* adopted */
		else if (s.lside == SIDE_GONE && s.rside == SIDE_GONE)
			forget(m, CASE_LR_GONE, s.row, NULL); /* case 9 */
		else if (s.lside == SIDE_GONE)
			merge_l_gone(m, &s);
		else if (s.rside == SIDE_GONE)
			merge_r_gone(m, &s);
		else if (s.l || s.r)
			merge_both(m, &s);
	}
}

/* cases 16 and 17: rows whose numbers mean nothing any more */
static void
merge_renumbered(struct merge *m)
{
	for (size_t i = 0; i < m->base->n; i++) {
		const struct pair *row = &m->base->v[i];
		size_t file = m->match.file_of[i];

		if (file == PLAN_NONE) { /* case 17 */
			forget(m, CASE_RENUM_L_GONE, row, NULL);
			m->pl->op[m->pl->n - 1].old_uid = row->uid;
		} else if (!m->l_used[file] && !m->l->v[file].hold) {
			struct op *op = push( /* case 16 */
			    m, CASE_RENUM_L_ONLY, &m->l->v[file], row);

			m->l_used[file] = true;
			if (m->policy->no_remote)
				op->kind = OP_WAIT; /* but it may move */
		}
	}
}

static void
merge_new_files(struct merge *m)
{
	for (size_t o = 0; o < m->l->n; o++) {
		size_t at = m->match.sorted[o];

		if ((m->match.row_of[at] == PLAN_NONE || m->r->renumbered) &&
		    !m->l_used[at])
			merge_new_file(m, &m->l->v[at]);
	}
}

static bool
is_over(const struct plan_policy *p, const struct rmsg *r)
{
	return r->has_meta &&
	    ((p->max_size && r->size > p->max_size) ||
		(p->not_before && r->idate < p->not_before));
}

/* cases 11, 14 and 29 */
static void
merge_new_uid(struct merge *m, const struct rmsg *r)
{
	struct pair row = {.uid = r->uid, .l = r->flags, .r = r->flags,
	    .modseq = r->modseq, .size = r->size, .idate = r->idate};

	if (m->policy->no_local)
		return;
	if (is_over(m->policy, r) || (r->skipped && !r->has_meta)) {
		if (!r->skipped) /* case 29 */
			add(m, OP_SKIP, CASE_SKIPPED, new_group(m), &row);
	} else if (r->hold) { /* case 14 */
		add(m, OP_WAIT, CASE_R_HOLD, new_group(m), &row);
	} else { /* case 11 */
		add(m, OP_PULL, CASE_R_NEW, new_group(m), &row)->gid = r->gid;
	}
}

static void
merge_new_uids(struct merge *m)
{
	for (size_t at = 0; at < m->r->n; at++)
		if (!m->r_used[at])
			merge_new_uid(m, &m->r->v[at]);
}

void
plan_keep_rows(struct plan *pl, uint32_t box)
{
	size_t n = 0;

	for (size_t i = 0; i < pl->n; i++)
		if (pl->op[i].box == box &&
		    (pl->op[i].kind == OP_PUSH || pl->op[i].kind == OP_RMOVE ||
			pl->op[i].kind == OP_RCOPY))
			return;
	for (size_t i = 0; i < pl->n; i++)
		if (pl->op[i].box != box || pl->op[i].kind != OP_KEEP)
			pl->op[n++] = pl->op[i];
	pl->n = n;
}

void
plan_init(struct plan *pl, struct arena *mem)
{
	*pl = (struct plan){.mem = mem};
}

void
plan_merge(struct plan *pl, uint32_t box, const struct pairs *base,
    uint64_t rows, const struct lview *l, const struct rview *r,
    const struct plan_policy *policy)
{
	const struct lview not_seen = {.same = true};
	struct merge m = {.pl = pl, .box = box, .base = base, .r = r,
	    .policy = policy,
	    .count = {.box = box, .rows = rows, .damaged = l->damaged,
		.replaced = l->replaced, .missing = r->missing}};

	/* A file cannot be called new with only some of the rows at hand. */
	m.l = base->complete || rows == 0 || l->delta ? l : &not_seen;
	plan_match(pl->mem, base, m.l, &m.match);
	m.l_used = arena_array(pl->mem, m.l->n + 1, sizeof *m.l_used);
	m.r_used = arena_array(pl->mem, r->n + 1, sizeof *m.r_used);
	for (size_t i = 0; i < r->n; i++)
		m.r_used[i] = uidset_has(&r->vanished, r->v[i].uid) ||
		    (!r->renumbered && pairs_find(base, r->v[i].uid));
	merge_equal(&m);
	if (r->renumbered)
		merge_renumbered(&m);
	else
		merge_rows(&m);
	merge_new_files(&m);
	merge_new_uids(&m);
	/* what just went may have moved (plan_moves) */
	if (r->missing && !r->just_missing)
		plan_keep_rows(pl, box);
	pl->box = arena_grow(pl->mem, pl->box, pl->nbox, &pl->boxcap,
	    sizeof *pl->box);
	pl->box[pl->nbox++] = m.count;
}
