/*
 * same: which mailbox of the server, and which directory, is which mailbox of
 * the journal.  See plan/tree.h.
 */
#include "plan/tree.h"

#include "base/map.h"

#define NONE ((uint64_t)-1) /* a key that two have */

struct same {
	const struct tree_journal *j;
	const struct tree_remote *r;
	const struct tree_local *l;
	size_t nj, nr, nl;
	struct tree_match *m;
	bool *r_used, *l_used;
};

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

/* The wire name of INBOX is one in any case. */
static struct span
wire_key(struct span wire)
{
	return span_eq_case(wire, SPAN("INBOX")) ? SPAN("INBOX") : wire;
}

static void
add_unique(struct map *by, struct span key, uint64_t v)
{
	if (key.n > 0 && !map_add(by, key, v))
		map_set(by, key, NONE);
}

static void
take_r(struct same *s, size_t i, size_t at, enum tree_how how)
{
	s->m[i].rhow = how;
	s->m[i].r = at;
	s->r_used[at] = true;
}

static void
take_l(struct same *s, size_t i, size_t at, enum tree_how how)
{
	s->m[i].lhow = how;
	s->m[i].l = at;
	s->l_used[at] = true;
}

/* Nothing that both sides tell of it speaks against it. */
static bool
may_be(const struct tree_journal *j, const struct tree_remote *r)
{
	if (j->mailboxid.n > 0 && r->mailboxid.n > 0 &&
	    !span_eq(j->mailboxid, r->mailboxid))
		return false;
	return j->uidvalidity == 0 || r->uidvalidity == 0 ||
	    j->uidvalidity == r->uidvalidity;
}

/* A server that has one id for two mailboxes tells nothing by it. */
static void
match_ids(struct same *s)
{
	struct map rid, jid;
	uint64_t at, own;

	map_init(&rid);
	map_init(&jid);
	for (size_t i = 0; i < s->nr; i++)
		add_unique(&rid, s->r[i].mailboxid, i);
	for (size_t i = 0; i < s->nj; i++)
		add_unique(&jid, s->j[i].mailboxid, i);
	for (size_t i = 0; i < s->nj; i++) {
		const struct tree_journal *j = &s->j[i];

		if (j->mailboxid.n == 0 || is_inbox(j->name) ||
		    !map_get(&jid, j->mailboxid, &own) || own == NONE ||
		    !map_get(&rid, j->mailboxid, &at) || at == NONE ||
		    !s->r[at].selectable || is_inbox(s->r[at].name))
			continue;
		take_r(s, i, at, TREE_BY_ID);
	}
	map_release(&rid);
	map_release(&jid);
}

/* By wire name; then by what it reads as (another delimiter or prefix). */
static void
match_names(struct same *s)
{
	struct map by_wire, by_name;
	uint64_t at;

	map_init(&by_wire);
	map_init(&by_name);
	for (size_t i = 0; i < s->nr; i++)
		if (s->r[i].selectable) {
			map_add(&by_wire, wire_key(s->r[i].wire), i);
			map_add(&by_name, s->r[i].name, i);
		}
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < s->nj; i++) {
			const struct tree_journal *j = &s->j[i];
			bool found = pass == 0
			    ? map_get(&by_wire, wire_key(j->wire), &at)
			    : map_get(&by_name, j->name, &at);

			if (s->m[i].rhow != TREE_NOT || !found ||
			    s->r_used[at] ||
			    is_inbox(j->name) != is_inbox(s->r[at].name))
				continue;
			if (is_inbox(j->name) || may_be(j, &s->r[at]))
				take_r(s, i, at, TREE_BY_NAME);
		}
	map_release(&by_wire);
	map_release(&by_name);
}

static struct span
last_level(struct span name)
{
	const char *slash = memrchr(name.p, '/', name.n);
	size_t at = slash ? (size_t)(slash - name.p) + 1 : 0;

	name = span_of(name.p + at, name.n - at);
	while (tree_is_aside(name)) /* put there by us */
		name.n -= sizeof TREE_ASIDE - 1;
	return name;
}

/* Is UIDVALIDITY V that of one mailbox of the journal and one there? */
static bool
is_unique(const struct same *s, uint32_t v)
{
	size_t nj = 0, nr = 0;

	for (size_t i = 0; i < s->nj; i++)
		nj += s->j[i].uidvalidity == v;
	for (size_t i = 0; i < s->nr; i++)
		nr += s->r[i].uidvalidity == v;
	return nj == 1 && nr == 1;
}

/* Could the mailbox have become this one? */
static bool
plausible(const struct same *s, const struct tree_journal *j,
    const struct tree_remote *r)
{
	if (!may_be(j, r) || r->uidnext < j->uidnext)
		return false;
	if ((uint64_t)r->messages >
	    (uint64_t)j->messages + (r->uidnext - j->uidnext))
		return false;
	/* Without messages there is nothing to look at. */
	return j->rows > 0 || is_unique(s, j->uidvalidity);
}

static bool
lost_j(const struct same *s, size_t i)
{
	return s->m[i].rhow == TREE_NOT && s->j[i].uidvalidity != 0 &&
	    !is_inbox(s->j[i].name);
}

static bool
fresh_r(const struct same *s, size_t i)
{
	return !s->r_used[i] && s->r[i].selectable && !s->r[i].virtual &&
	    s->r[i].uidvalidity != 0 && s->r[i].uidnext != 0 &&
	    !is_inbox(s->r[i].name);
}


/* What beside UIDVALIDITY has to be the same. */
enum beside { LEAF, NUMBERS, NOTHING };

static struct span
key_of_journal(struct arena *mem, const struct tree_journal *j,
    enum beside what)
{
	struct span leaf = what == LEAF ? last_level(j->name) : SPAN("");
	bool numbers = what == NUMBERS;

	return span_str(arena_printf(mem, "%lu %lu %lu %.*s",
	    (unsigned long)j->uidvalidity,
	    numbers ? (unsigned long)j->uidnext : 0,
	    numbers ? (unsigned long)j->messages : 0, SPAN_ARG(leaf)));
}

static struct span
key_of_remote(struct arena *mem, const struct tree_remote *r, enum beside what)
{
	struct tree_journal j = {.name = r->name,
	    .uidvalidity = r->uidvalidity, .uidnext = r->uidnext,
	    .messages = r->messages};

	return key_of_journal(mem, &j, what);
}

/*
 * The key of exactly one that was lost is that of exactly one that is new.
 * Last levels first: of a parent and its children that were made in one
 * second, and renamed together, each keeps its own.
 */
static void
guess_remote(struct same *s, struct arena *mem, enum beside what)
{
	struct map by_j, by_r;
	uint64_t at, own;

	map_init(&by_j);
	map_init(&by_r);
	for (size_t i = 0; i < s->nj; i++)
		if (lost_j(s, i))
			add_unique(&by_j, key_of_journal(mem, &s->j[i], what),
			    i);
	for (size_t i = 0; i < s->nr; i++)
		if (fresh_r(s, i))
			add_unique(&by_r, key_of_remote(mem, &s->r[i], what),
			    i);
	for (size_t i = 0; i < s->nj; i++) {
		struct span key;

		if (!lost_j(s, i))
			continue;
		key = key_of_journal(mem, &s->j[i], what);
		if (map_get(&by_j, key, &own) && own != NONE &&
		    map_get(&by_r, key, &at) && at != NONE &&
		    plausible(s, &s->j[i], &s->r[at]))
			take_r(s, i, at, TREE_BY_GUESS);
	}
	map_release(&by_j);
	map_release(&by_r);
}

/* The same path; its inodes, where they are known, are the same. */
static void
match_paths(struct same *s)
{
	struct map by_path;
	uint64_t at;

	map_init(&by_path);
	for (size_t i = 0; i < s->nl; i++)
		if (s->l[i].is_box)
			map_add(&by_path, s->l[i].path, i);
	for (size_t i = 0; i < s->nj; i++) {
		const struct tree_journal *j = &s->j[i];
		const struct tree_local *l;

		if (!map_get(&by_path, j->path, &at) || s->l_used[at])
			continue;
		l = &s->l[at];
		if (is_inbox(j->name) || j->cur_ino == 0 || l->cur_ino == 0 ||
		    (j->cur_ino == l->cur_ino && j->new_ino == l->new_ino))
			take_l(s, i, at, TREE_BY_NAME);
	}
	map_release(&by_path);
}

static void
guess_local(struct same *s, struct span inbox)
{
	struct map by_ino;
	uint64_t at;

	map_init(&by_ino);
	for (size_t i = 0; i < s->nl; i++) {
		const struct tree_local *l = &s->l[i];

		if (s->l_used[i] || !l->is_box || l->damaged ||
		    l->cur_ino == 0 || l->new_ino == 0 ||
		    span_eq(l->path, inbox))
			continue;
		if (map_get_u64(&by_ino, l->cur_ino, &at))
			map_set_u64(&by_ino, l->cur_ino, NONE);
		else
			map_set_u64(&by_ino, l->cur_ino, i);
	}
	for (size_t i = 0; i < s->nj; i++) {
		const struct tree_journal *j = &s->j[i];

		if (s->m[i].lhow == TREE_NOT && j->cur_ino != 0 &&
		    !is_inbox(j->name) &&
		    map_get_u64(&by_ino, j->cur_ino, &at) && at != NONE &&
		    !s->l_used[at] && s->l[at].new_ino == j->new_ino)
			take_l(s, i, at, TREE_BY_GUESS);
	}
	map_release(&by_ino);
}

void
tree_match(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, enum layout layout, struct tree_match *m)
{
	struct same s = {.j = j, .r = r, .l = l, .nj = nj, .nr = nr, .nl = nl,
	    .m = m};

	s.r_used = arena_array(mem, nr + 1, sizeof *s.r_used);
	s.l_used = arena_array(mem, nl + 1, sizeof *s.l_used);
	for (size_t i = 0; i < nj; i++)
		m[i] = (struct tree_match){.rhow = TREE_NOT};
	match_ids(&s);
	match_names(&s);
	guess_remote(&s, mem, LEAF);
	guess_remote(&s, mem, NUMBERS);
	guess_remote(&s, mem, NOTHING);
	match_paths(&s);
	guess_local(&s, layout_path(mem, SPAN("INBOX"), layout));
}

bool
tree_goes_along(const struct tree_journal *j, size_t nj,
    const struct span *now, size_t i, struct span name)
{
	struct span old = j[i].name;

	for (size_t k = 0; k < nj; k++) {
		struct span top = j[k].name, to = now[k];
		size_t rest;

		if (!to.p || old.n <= top.n || old.p[top.n] != '/' ||
		    !span_starts(old, top))
			continue;
		rest = old.n - top.n;
		if (name.n == to.n + rest && span_starts(name, to) &&
		    memcmp(name.p + to.n, old.p + top.n, rest) == 0)
			return true;
	}
	return false;
}
