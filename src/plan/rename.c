#include "plan/rename.h"

struct order {
	struct arena *mem;
	struct rename_mover *v;
	size_t n;
	char sep;
	bool remote;
	struct rename_steps *out;
};

bool
tree_is_aside(struct span name)
{
	struct span end = SPAN(TREE_ASIDE);

	return name.n > end.n &&
	    span_eq(span_of(name.p + name.n - end.n, end.n), end);
}

static bool
below(const struct order *o, struct span s, struct span top)
{
	return o->sep && s.n > top.n && s.p[top.n] == o->sep &&
	    span_starts(s, top);
}

static bool
pending(const struct rename_mover *m)
{
	return m->want.p && !span_eq(m->now, m->want);
}

/* Who stands in the way of V[i], itself perhaps; o->n: nobody. */
static size_t
blocker(const struct order *o, size_t i, struct span to)
{
	const struct rename_mover *m = &o->v[i];

	if (below(o, to, m->now) || below(o, m->now, to))
		return i;
	for (size_t k = 0; k < o->n; k++)
		if (k != i && (span_eq(o->v[k].now, to) ||
			below(o, o->v[k].now, to)))
			return k;
	return o->n;
}

static void
step(struct order *o, size_t i, struct span to)
{
	struct span from = o->v[i].now;
	struct rename_steps *s = o->out;

	s->v = arena_grow(o->mem, s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n++] = (struct tree_step){.remote = o->remote, .from = from,
	    .to = to, .id = o->v[i].id};
	for (size_t k = 0; k < o->n; k++) {
		struct span *now = &o->v[k].now;

		if (below(o, *now, from))
			*now = span_str(arena_printf(o->mem, "%.*s%.*s",
			    SPAN_ARG(to), (int)(now->n - from.n),
			    now->p + from.n));
	}
	o->v[i].now = to;
}

/* Put V[i] beside where it is; false when that is taken as well. */
static bool
put_aside(struct order *o, size_t i)
{
	struct rename_mover *m = &o->v[i];
	struct span to;

	if (m->aside)
		return false;
	to = span_str(arena_printf(o->mem, "%.*s" TREE_ASIDE,
	    SPAN_ARG(m->now)));
	if (blocker(o, i, to) != o->n)
		return false;
	m->aside = true;
	if (!m->want.p) /* there it stays, wherever its parent goes */
		m->doomed = false;
	step(o, i, to);
	return true;
}

/* What a rename of its parent may yet take along waits for that. */
static bool
waits_for_parent(const struct order *o, size_t i)
{
	for (size_t k = 0; o->sep && k < o->n; k++)
		if (pending(&o->v[k]) && below(o, o->v[i].now, o->v[k].now))
			return true;
	return false;
}

/* All that is left waits for something.  False: V[*at_r] waits in vain. */
static bool
untie(struct order *o, size_t *at_r)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct rename_mover *m = &o->v[i];
		size_t k;

		if (!pending(m))
			continue;
		k = blocker(o, i, m->want);
		if (k == i) {
			/* into itself: from beside it, it can */
			if (below(o, m->want, m->now) && put_aside(o, i))
				return true;
		} else if (k < o->n && span_eq(o->v[k].now, m->want) &&
		    (pending(&o->v[k]) || o->v[k].doomed) &&
		    put_aside(o, k)) {
			return true;
		}
	}
	for (size_t i = o->n; i-- > 0;) {
		size_t k;

		if (!pending(&o->v[i]))
			continue;
		k = blocker(o, i, o->v[i].want);
		if (k == o->n)
			continue;
		*at_r = i;
		if (k == i || !pending(&o->v[k]))
			break; /* what stays there is the cause */
	}
	return false;
}

bool
rename_order(struct arena *mem, struct rename_mover *v, size_t n, char sep,
    bool remote, struct rename_steps *out, size_t *blocked_r)
{
	struct order o = {.mem = mem, .v = v, .n = n, .sep = sep,
	    .remote = remote, .out = out};
	size_t most = out->n + 4 * n + 4;

	for (;;) {
		bool any = false, moved = false;

		for (size_t i = 0; i < n; i++) {
			if (!pending(&v[i]))
				continue;
			*blocked_r = i;
			if (out->n > most)
				return false;
			any = true;
			if (waits_for_parent(&o, i) ||
			    blocker(&o, i, v[i].want) != n)
				continue;
			step(&o, i, v[i].want);
			moved = true;
		}
		if (!any)
			return true;
		if (!moved && !untie(&o, blocked_r))
			return false;
	}
}
