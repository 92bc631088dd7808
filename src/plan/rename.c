#include "plan/rename.h"

struct order {
	struct arena *mem;
	struct rename_mover *v;
	size_t n;
	char sep;
	struct span prefix;
	bool remote;
	struct rename_steps *out;
};

bool
tree_is_aside(struct span name)
{
	struct span end = SPAN(TREE_ASIDE);

	while (name.n > 0) {
		size_t n = span_index(name, '/');

		if (n > end.n &&
		    span_eq(span_of(name.p + n - end.n, end.n), end))
			return true;
		if (n == name.n)
			break;
		name = span_of(name.p + n + 1, name.n - n - 1);
	}
	return false;
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
	return m->want.p && !m->fresh && !span_eq(m->now, m->want);
}

static bool
has_children(const struct order *o, size_t i)
{
	for (size_t k = 0; k < o->n; k++)
		if (below(o, o->v[k].now, o->v[i].now))
			return true;
	return false;
}

/*
 * Who stands in the way of V[i], itself perhaps; o->n: nobody.  A directory
 * that holds others is there; a mailbox of the server whose name only occurs in
 * those of others need not be, so there it is tried, unless these would have
 * to be joined by others.
 */
static size_t
blocker(const struct order *o, size_t i, struct span to)
{
	const struct rename_mover *m = &o->v[i];
	bool holds = !o->remote || has_children(o, i);

	if (below(o, to, m->now) || (holds && below(o, m->now, to)))
		return i;
	for (size_t k = 0; k < o->n; k++)
		if (k != i && (span_eq(o->v[k].now, to) ||
			(holds && below(o, o->v[k].now, to))))
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

/* Put V[i] where it is in nobody's way; false when that was done before. */
static bool
put_aside(struct order *o, size_t i)
{
	struct rename_mover *m = &o->v[i];
	const char *last = o->sep ? memrchr(m->now.p, o->sep, m->now.n) : NULL;
	size_t at = last ? (size_t)(last - m->now.p) + 1 : 0;
	struct span prefix = last ? o->prefix : SPAN("");
	struct span to = span_str(arena_printf(o->mem, "%.*s%.*s",
	    SPAN_ARG(prefix), (int)(m->now.n - at), m->now.p + at));

	if (m->aside)
		return false;
	do
		to = span_str(arena_printf(
		    o->mem, "%.*s" TREE_ASIDE, SPAN_ARG(to)));
	while (blocker(o, i, to) != o->n);
	m->aside = true;
	step(o, i, to);
	return true;
}

/* A rename of its parent may yet take it along. */
static bool
waits_for_parent(const struct order *o, size_t i)
{
	for (size_t k = 0; o->sep && k < o->n; k++)
		if (pending(&o->v[k]) && below(o, o->v[i].now, o->v[k].now))
			return true;
	return false;
}

/* It goes below another, to which it would be in the way. */
static bool
waits_for_top(const struct order *o, size_t i)
{
	for (size_t k = 0; o->sep && k < o->n; k++)
		if (pending(&o->v[k]) && below(o, o->v[i].want, o->v[k].want))
			return true;
	return false;
}

/* Of those that wait for each other out of politeness, one goes. */
static bool
go_ahead(struct order *o, bool any)
{
	for (size_t i = 0; i < o->n; i++)
		if (pending(&o->v[i]) && (any || !waits_for_top(o, i)) &&
		    blocker(o, i, o->v[i].want) == o->n) {
			step(o, i, o->v[i].want);
			return true;
		}
	return false;
}

/* May V[k] be put aside, so that V[i] can go where it wants? */
static bool
may_go(const struct order *o, size_t i, size_t k)
{
	const struct rename_mover *m = &o->v[k];

	/* What is below the target comes back. */
	return !m->fixed &&
	    (pending(m) || m->doomed ||
		(m->want.p && below(o, m->now, o->v[i].want)));
}

/* All that is left waits for something.  False: V[*at_r] waits in vain. */
static bool
untie(struct order *o, size_t *at_r)
{
	bool found = false;

	if (go_ahead(o, false))
		return true;
	for (size_t i = 0; i < o->n; i++) {
		size_t k;

		if (!pending(&o->v[i]))
			continue;
		k = blocker(o, i, o->v[i].want);
		if (k < o->n && may_go(o, i, k) && put_aside(o, k))
			return true;
	}
	if (go_ahead(o, true))
		return true;
	for (size_t i = 0; i < o->n; i++) {
		size_t k;

		if (!pending(&o->v[i]))
			continue;
		k = blocker(o, i, o->v[i].want);
		/* what stays there is the cause */
		if (!found || (k < o->n && !pending(&o->v[k])))
			*at_r = i;
		found = true;
	}
	return false;
}

/* Those below V[i] come back, or are doomed as well. */
static bool
goes_alone(const struct order *o, size_t i)
{
	for (size_t k = 0; k < o->n; k++)
		if (below(o, o->v[k].now, o->v[i].now) && !o->v[k].want.p &&
		    !o->v[k].doomed)
			return false;
	return true;
}

/* Where a mailbox is to be made lies one that is to be deleted. */
static bool
make_room(struct order *o)
{
	for (size_t i = 0; i < o->n; i++)
		for (size_t k = 0; o->v[i].fresh && k < o->n; k++)
			if (o->v[k].doomed && !o->v[k].fixed &&
			    span_eq(o->v[k].now, o->v[i].want) &&
			    goes_alone(o, k) && put_aside(o, k))
				return true;
	return false;
}

bool
rename_order(struct arena *mem, struct rename_mover *v, size_t n, char sep,
    struct span prefix, bool remote, struct rename_steps *out,
    size_t *blocked_r)
{
	struct order o = {.mem = mem, .v = v, .n = n, .sep = sep,
	    .prefix = prefix, .remote = remote, .out = out};
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
			    waits_for_top(&o, i) ||
			    blocker(&o, i, v[i].want) != n)
				continue;
			step(&o, i, v[i].want);
			moved = true;
		}
		if (!any && !make_room(&o))
			return true;
		if (any && !moved && !untie(&o, blocked_r))
			return false;
	}
}
