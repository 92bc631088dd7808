#include "plan/view.h"

#include "base/alloc.h"

void
pairs_add(struct arena *mem, struct pairs *p, struct pair row)
{
	p->v = arena_grow(mem, p->v, p->n, &p->cap, sizeof *p->v);
	p->v[p->n++] = row;
}

void
lview_add(struct arena *mem, struct lview *v, struct lmsg m)
{
	v->v = arena_grow(mem, v->v, v->n, &v->cap, sizeof *v->v);
	v->v[v->n++] = m;
}

void
rview_add(struct arena *mem, struct rview *v, struct rmsg m)
{
	v->v = arena_grow(mem, v->v, v->n, &v->cap, sizeof *v->v);
	v->v[v->n++] = m;
}

/* Two sorted halves, [0, MID) and [MID, N) of FROM, into TO; stable. */
static void
merge(const struct rmsg *from, size_t mid, size_t n, struct rmsg *to)
{
	size_t i = 0, k = mid;

	while (i < mid || k < n) {
		if (k == n || (i < mid && from[i].uid <= from[k].uid))
			*to++ = from[i++];
		else
			*to++ = from[k++];
	}
}

static bool
is_sorted(const struct rmsg *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i - 1].uid > v[i].uid)
			return false;
	return true;
}

/* Merge sort from below; servers nearly always answer in order. */
static void
sort(struct rmsg *v, size_t n)
{
	struct rmsg *spare, *from = v, *to;

	if (is_sorted(v, n))
		return;
	spare = xcalloc(n, sizeof *spare);
	to = spare;
	for (size_t run = 1; run < n; run *= 2) {
		struct rmsg *swap = from;

		for (size_t i = 0; i < n; i += 2 * run) {
			size_t left = n - i;

			merge(from + i, run < left ? run : left,
			    2 * run < left ? 2 * run : left, to + i);
		}
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, n * sizeof *v);
	xfree(spare);
}

/*
 * Two answers for one UID: the flags are those of the later one; what it does
 * not say (modseq, size and date, gid, class) stays.
 */
static struct rmsg
later(struct rmsg a, struct rmsg b)
{
	if (!b.has_meta) {
		b.has_meta = a.has_meta;
		b.size = a.size;
		b.idate = a.idate;
	}
	if (b.modseq == 0)
		b.modseq = a.modseq;
	if (b.gid.n == 0)
		b.gid = a.gid;
	if (b.klass == 0)
		b.klass = a.klass;
	b.hold |= a.hold;
	return b;
}

void
rview_sort(struct rview *v)
{
	size_t n = 0;

	sort(v->v, v->n);
	for (size_t i = 0; i < v->n; i++) {
		if (n && v->v[n - 1].uid == v->v[i].uid)
			v->v[n - 1] = later(v->v[n - 1], v->v[i]);
		else
			v->v[n++] = v->v[i];
	}
	v->n = n;
}

void
rview_drop_vanished(struct rview *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (!uidset_has(&v->vanished, v->v[i].uid))
			v->v[n++] = v->v[i];
	v->n = n;
}

struct rmsg *
rview_find(const struct rview *v, uint32_t uid)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->n && v->v[lo].uid == uid ? &v->v[lo] : NULL;
}

struct pair *
pairs_find(const struct pairs *p, uint32_t uid)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n && p->v[lo].uid == uid ? &p->v[lo] : NULL;
}
