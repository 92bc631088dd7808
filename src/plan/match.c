#include "plan/internal.h"

#include "base/map.h"
#include "mail/name.h"

#include <stdlib.h>

static int
by_name(const void *a, const void *b, void *arg)
{
	const struct lview *l = arg;
	const size_t *x = a, *y = b;

	return span_cmp(l->v[*x].file, l->v[*y].file);
}

static void
pair_up(struct plan_match *m, size_t row, size_t file)
{
	m->file_of[row] = file;
	m->row_of[file] = row;
}

struct span
plan_base(struct span file)
{
	size_t slash = span_index(file, '/');
	struct span name = slash < file.n
	    ? span_of(file.p + slash + 1, file.n - slash - 1)
	    : file;

	return name_split(name).base;
}

bool
plan_is_other(const struct lmsg *f, const struct pair *row)
{
	return f->has_content &&
	    memcmp(f->content.sha, row->sha, sizeof row->sha) != 0;
}

/* Of several files or rows of one base; a copied Maildir has other inodes. */
static int
likeness(const struct lmsg *f, const struct pair *row)
{
	bool same = f->fsize == row->fsize && f->mtime_ns == row->mtime_ns;

	return f->has_stat ? 2 * same + (f->ino == row->ino) : 0;
}

/* What is FILE as far as RANK says: the first row from FIRST on; 0: none. */
static size_t
row_like(const struct plan_match *m, const struct pairs *base, size_t first,
    const size_t *next, const struct lmsg *file, int rank, bool others)
{
	while (first != 0 &&
	    (m->file_of[first - 1] != PLAN_NONE ||
		likeness(file, &base->v[first - 1]) < rank ||
		(!others && plan_is_other(file, &base->v[first - 1]))))
		first = next[first - 1];
	return first;
}

static void
match_bases(struct arena *mem, const struct pairs *base, const struct lview *l,
    bool others, struct plan_match *m)
{
	struct map bases; /* 1 + index of the first row with that base */
	size_t *next = arena_array(mem, base->n + 1, sizeof *next);

	map_init(&bases);
	for (size_t i = base->n; i-- > 0;) {
		uint64_t first = 0;

		if (m->file_of[i] != PLAN_NONE || base->v[i].file.n == 0)
			continue;
		map_get(&bases, plan_base(base->v[i].file), &first);
		next[i] = (size_t)first;
		map_set(&bases, plan_base(base->v[i].file), i + 1);
	}
	for (int rank = 3; rank >= 0 && bases.n > 0; rank--)
		for (size_t k = 0; k < l->n; k++) {
			size_t i = m->sorted[k], row;
			uint64_t first = 0;

			if (m->row_of[i] != PLAN_NONE ||
			    (rank > 0 && !l->v[i].has_stat) ||
			    !map_get(&bases, l->v[i].base, &first))
				continue;
			row = row_like(m, base, (size_t)first, next, &l->v[i],
			    rank, others);
			if (row != 0)
				pair_up(m, row - 1, i);
		}
	map_release(&bases);
}

static void
match_names(const struct pairs *base, const struct lview *l, bool others,
    struct plan_match *m)
{
	struct map files;
	uint64_t row;

	map_init(&files);
	for (size_t i = 0; i < base->n; i++)
		if (base->v[i].file.n != 0)
			map_add(&files, base->v[i].file, i);
	for (size_t k = 0; k < l->n; k++) {
		size_t i = m->sorted[k];

		if (m->row_of[i] == PLAN_NONE &&
		    map_get(&files, l->v[i].file, &row) &&
		    m->file_of[row] == PLAN_NONE &&
		    (others || !plan_is_other(&l->v[i], &base->v[row])))
			pair_up(m, (size_t)row, i);
	}
	map_release(&files);
}

/* An identity as bytes, for a map. */
struct identity {
	uint64_t ino, size;
	int64_t mtime;
};

/*
 * Rows and files that names did not pair, by a key of theirs: STAT is inode,
 * size and time, else content.
 */
static struct span
row_key(struct arena *mem, const struct pair *p, bool stat)
{
	const struct identity id = {p->ino, p->fsize, p->mtime_ns};

	if (stat)
		return arena_span(mem, span_of((const char *)&id, sizeof id));
	return span_of((const char *)p->sha, sizeof p->sha);
}

static bool
file_key(struct arena *mem, const struct lmsg *f, bool stat, struct span *k_r)
{
	const struct identity id = {f->ino, f->fsize, f->mtime_ns};

	if (stat)
		*k_r = arena_span(mem, span_of((const char *)&id, sizeof id));
	else
		*k_r = span_of((const char *)f->content.sha,
		    sizeof f->content.sha);
	return stat ? f->has_stat : f->has_content;
}

/*
 * N rows and M files of one key give as many pairs as the smaller number.  A
 * row that is left without its file would be a delete, and the file a push:
 * with a crash between the two the message were doubled.
 */
static void
match_keys(struct arena *mem, const struct pairs *base, const struct lview *l,
    bool stat, struct plan_match *m)
{
	struct map rows; /* 1 + index of the first with that key */
	size_t *next = arena_array(mem, base->n + 1, sizeof *next);
	struct span key;

	map_init(&rows);
	for (size_t i = base->n; i-- > 0;) {
		uint64_t first = 0;

		if (m->file_of[i] != PLAN_NONE || !base->v[i].file.n)
			continue;
		key = row_key(mem, &base->v[i], stat);
		map_get(&rows, key, &first);
		next[i] = (size_t)first;
		map_set(&rows, key, i + 1);
	}
	for (size_t k = 0; k < l->n && rows.n > 0; k++) {
		size_t i = m->sorted[k];
		uint64_t row = 0;

		if (m->row_of[i] == PLAN_NONE &&
		    file_key(mem, &l->v[i], stat, &key) &&
		    map_get(&rows, key, &row) && row != 0) {
			pair_up(m, (size_t)row - 1, i);
			map_set(&rows, key, next[row - 1]);
		}
	}
	map_release(&rows);
}

/* A file that was read, and is no row's yet. */
static bool
some_left(const struct lview *l, const struct plan_match *m)
{
	size_t i = 0;

	while (i < l->n &&
	    (m->row_of[i] != PLAN_NONE || !l->v[i].has_content))
		i++;
	return i < l->n;
}

void
plan_match(struct arena *mem, const struct pairs *base, const struct lview *l,
    struct plan_match *m_r)
{
	struct plan_match m = {
	    .file_of = arena_array(mem, base->n + 1, sizeof *m.file_of),
	    .row_of = arena_array(mem, l->n + 1, sizeof *m.row_of),
	    .sorted = arena_array(mem, l->n + 1, sizeof *m.sorted),
	};

	for (size_t i = 0; i < base->n; i++)
		m.file_of[i] = PLAN_NONE;
	for (size_t i = 0; i < l->n; i++) {
		m.row_of[i] = PLAN_NONE;
		m.sorted[i] = i;
	}
	qsort_r(m.sorted, l->n, sizeof *m.sorted, by_name,
	    (void *)(uintptr_t)l);
	match_names(base, l, false, &m);
	match_bases(mem, base, l, false, &m);
	/* Absence must be meant before another file can take a row's place. */
	if (l->complete) {
		match_keys(mem, base, l, true, &m);
		match_keys(mem, base, l, false, &m);
	}
	if (some_left(l, &m)) {
		match_names(base, l, true, &m);
		match_bases(mem, base, l, true, &m);
	}
	*m_r = m;
}

const size_t *
plan_row_of(struct arena *mem, const struct pairs *base, const struct lview *l)
{
	struct plan_match m;

	plan_match(mem, base, l, &m);
	return m.row_of;
}

bool
plan_is_doubtful(const struct rview *r, const struct pair *row)
{
	return r->doubt && !r->same &&
	    (uidset_has(&r->vanished, row->uid) ||
		(r->complete && !rview_find(r, row->uid)));
}

bool
plan_is_open(const struct plan_match *m, const struct pairs *base,
    const struct lview *l, const struct rview *r, size_t i)
{
	size_t row = m->row_of[i];

	return r->renumbered || row == PLAN_NONE ||
	    plan_is_doubtful(r, &base->v[row]) ||
	    plan_is_other(&l->v[i], &base->v[row]);
}

void
plan_new_files(struct arena *mem, const struct pairs *base,
    const struct lview *l, const struct rview *r, uint32_t **v_r, size_t *n_r)
{
	uint32_t *v = arena_array(mem, l->n + 1, sizeof *v);
	struct plan_match m;
	size_t n = 0;

	plan_match(mem, base, l, &m);
	for (size_t i = 0; i < l->n; i++)
		if (plan_is_open(&m, base, l, r, i))
			v[n++] = (uint32_t)i;
	*v_r = v;
	*n_r = n;
}

/* Sizes that the message of a new file M may have on the server. */
static void
add_sizes(struct map *sizes, const struct lmsg *m, bool tuids)
{
	map_set_u64(sizes, m->content.size, 1);
	map_set_u64(sizes, m->content.raw, 1);
	map_set_u64(sizes, m->content.bare_size, 1);
	if (tuids)
		map_set_u64(sizes, m->content.bare_size + TUID_LINE, 1);
}

bool
plan_has_tuids(const struct lview *l)
{
	size_t i = 0;

	while (i < l->n && !(l->v[i].has_content && l->v[i].content.has_tuid))
		i++;
	return i < l->n;
}

void
plan_candidates(struct arena *mem, const struct pairs *base,
    const struct lview *l, const struct rview *r, uint32_t **v_r, size_t *n_r)
{
	uint32_t *v = arena_array(mem, r->n + 1, sizeof *v);
	struct plan_match m;
	struct map sizes;
	size_t n = 0;
	uint64_t one;
	bool tuids = plan_has_tuids(l);

	plan_match(mem, base, l, &m);
	map_init(&sizes);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].has_content && plan_is_open(&m, base, l, r, i))
			add_sizes(&sizes, &l->v[i], tuids);
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct rmsg *x = &r->v[i];

		if (!r->renumbered && pairs_find(base, x->uid))
			continue;
		if (x->has_meta && !uidset_has(&r->vanished, x->uid) &&
		    map_get_u64(&sizes, x->size, &one))
			v[n++] = (uint32_t)i;
	}
	map_release(&sizes);
	*v_r = v;
	*n_r = n;
}
