/*
 * Files and messages of equal content become one (cases 12 and 15).
 *
 * Invariants:
 *  1. Equal is what was compared: of a class (klass), which is set by whoever
 *     had both contents at hand.  0 is none.
 *  2. Of n files and m messages of one class the smaller number is paired;
 *     which ones does not depend on the order of the input.  First those that
 *     show the same flags: what was marked is not to mark another one.
 *  3. What new numbers do not show was not removed by anybody: flags only ever
 *     come back by it.
 */
#include "plan/merge.h"

#include <stdlib.h>

/* A message that may be paired by content. */
struct equal {
	uint32_t klass;
	bool new; /* no row names it: after those that have one */
	uint64_t order;
	size_t at;
	uint32_t sys; /* flags that it shows */
	bool used;
};

static int
by_klass(const void *a, const void *b)
{
	const struct equal *x = a, *y = b;

	if (x->klass != y->klass)
		return x->klass < y->klass ? -1 : 1;
	if (x->new != y->new)
		return x->new ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Within one class. */
static int
by_flags(const void *a, const void *b)
{
	const struct equal *x = a, *y = b;

	return x->sys != y->sys ? (x->sys < y->sys ? -1 : 1) : by_klass(a, b);
}

/* What a pair is merged from. */
struct agreed {
	struct flags l, r; /* shown by each side at that time */
	struct flags there; /* by the server now */
};

/* cases 12 and 15: L is R, and was OLD (or NULL). */
static void
adopt(struct merge *m, const struct lmsg *l, const struct rmsg *r,
    const struct pair *old, const struct agreed *f)
{
	struct pair row = {.mtime_ns = 0}, rec;

	if (old)
		row = *old;
	merge_row_from_file(&row, l);
	row.uid = r->uid;
	row.modseq = r->modseq;
	row.idate = r->has_meta ? r->idate : row.idate;
	plan_merge_flags(m->pl->mem, f->l, f->r, l->flags, f->there, &row.l,
	    &row.r);
	merge_leave_side(m, &row, f->l, f->r, l->flags, r->flags, &rec);
	merge_settle(m, old ? CASE_RENUM_EQUAL : CASE_LR_NEW_EQUAL, OP_ADOPT,
	    true, &row, &rec, l->flags, r->flags, old ? old->uid : 0);
}

/*
 * What new numbers do not show was not removed by anybody, and what is shown
 * here only is set there again.
 */
static void
agreed_before(struct merge *m, const struct pair *old, struct agreed *f)
{
	f->r = flags_and(m->pl->mem, old->r, f->there);
	f->l = flags_minus(m->pl->mem, old->l,
	    flags_minus(m->pl->mem, old->r, f->there));
}

/*
 * File AT is R.  A file that was edited has a row, that of what it was: the
 * edit went up, and nobody was told.  What it was may be there, and show what
 * was changed since.
 */
static void
adopt_file(struct merge *m, size_t at, const struct rmsg *r)
{
	size_t i = m->match.row_of[at], first = m->pl->n;
	const struct pair *row = i == PLAN_NONE ? NULL : &m->base->v[i];
	struct agreed f = {.there = r->flags};
	struct seen s = {.row = row};

	if (row && !m->r->renumbered)
		s = merge_look_at(m, i);
	if (row && !s.replaced)
		agreed_before(m, row, &f);
	if (!s.replaced || s.rside == SIDE_GONE) {
		adopt(m, &m->l->v[at], r, s.replaced ? NULL : row, &f);
		return;
	}
	f = (struct agreed){.l = row->l, .r = row->r};
	f.there = flags_or(m->pl->mem, merge_shown_by_old(&s),
	    flags_minus(m->pl->mem, r->flags, row->r));
	adopt(m, &m->l->v[at], r, NULL, &f);
	m->pl->op[first].why = CASE_L_REPLACED;
	m->pl->op[first].old_uid = row->uid;
}

/* All of one class; sorted so that those of the same flags meet, or not. */
static void
pair_sorted(struct merge *m, struct equal *l, size_t nl, struct equal *r,
    size_t nr, bool flags)
{
	size_t i = 0, k = 0;

	qsort(l, nl, sizeof *l, flags ? by_flags : by_klass);
	qsort(r, nr, sizeof *r, flags ? by_flags : by_klass);
	while (i < nl && k < nr) {
		if (r[k].used || (flags && r[k].sys < l[i].sys)) {
			k++;
		} else if (l[i].used || (flags && l[i].sys < r[k].sys)) {
			i++;
		} else {
			l[i].used = r[k].used = true;
			m->l_used[l[i].at] = m->r_used[r[k].at] = true;
			adopt_file(m, l[i++].at, &m->r->v[r[k++].at]);
		}
	}
}

void
merge_equal(struct merge *m)
{
	struct arena *mem = m->pl->mem;
	struct equal *lv = arena_array(mem, m->l->n + 1, sizeof *lv);
	struct equal *rv = arena_array(mem, m->r->n + 1, sizeof *rv);
	size_t nl = 0, nr = 0;

	for (size_t o = 0; o < m->l->n; o++) {
		size_t at = m->match.sorted[o], row = m->match.row_of[at];

		if (m->l->v[at].klass &&
		    plan_is_open(&m->match, m->base, m->l, m->r, at))
			lv[nl++] = (struct equal){.klass = m->l->v[at].klass,
			    .new = row == PLAN_NONE,
			    .order = row == PLAN_NONE ? o : row, .at = at,
			    .sys = m->l->v[at].flags.sys};
	}
	for (size_t at = 0; at < m->r->n; at++)
		if (m->r->v[at].klass && !m->r_used[at])
			rv[nr++] = (struct equal){.klass = m->r->v[at].klass,
			    .order = m->r->v[at].uid, .at = at,
			    .sys = m->r->v[at].flags.sys};
	qsort(lv, nl, sizeof *lv, by_klass);
	qsort(rv, nr, sizeof *rv, by_klass);
	for (size_t i = 0, k = 0, n, o; i < nl; i += n) {
		for (n = 1; i + n < nl && lv[i + n].klass == lv[i].klass &&
		     lv[i + n].new == lv[i].new;)
			n++;
		while (k < nr && rv[k].klass < lv[i].klass)
			k++;
		for (o = 0; k + o < nr && rv[k + o].klass == lv[i].klass;)
			o++;
		pair_sorted(m, lv + i, n, rv + k, o, true);
		pair_sorted(m, lv + i, n, rv + k, o, false);
	}
}
