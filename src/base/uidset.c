#include "base/uidset.h"

#include "base/alloc.h"

#include <stdlib.h>

/* Ranges of a uidset_bulk that wait to be merged. */
#define BULK_MAX 65536

void
uidset_init(struct uidset *s)
{
	*s = (struct uidset){0};
}

void
uidset_release(struct uidset *s)
{
	xfree(s->v);
	uidset_init(s);
}

void
uidset_clear(struct uidset *s)
{
	s->n = 0;
}

/* Index of the first range whose hi >= UID; s->n when there is none. */
static size_t
find(const struct uidset *s, uint32_t uid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
reserve(struct uidset *s, size_t n)
{
	while (s->cap < n) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->v = xrealloc(s->v, s->cap, sizeof *s->v);
	}
}

/* Replace ranges [from, to) by the COUNT ranges of PUT. */
static void
splice(struct uidset *s, size_t from, size_t to, const struct uidrange *put,
    size_t count)
{
	size_t tail = s->n - to, n = from + count + tail;

	reserve(s, n);
	if (tail && from + count != to)
		memmove(s->v + from + count, s->v + to, tail * sizeof *s->v);
	for (size_t i = 0; i < count; i++)
		s->v[from + i] = put[i];
	s->n = n;
}

void
uidset_add_range(struct uidset *s, uint32_t lo, uint32_t hi)
{
	struct uidrange r;
	size_t from, to;

	if (lo > hi) {
		uint32_t t = lo;

		lo = hi;
		hi = t;
	}
	if (hi == 0)
		return;
	if (lo == 0)
		lo = 1;
	if (s->n > 0 && s->v[s->n - 1].hi < lo) {
		/* the usual case: ascending */
		if (s->v[s->n - 1].hi == lo - 1) {
			s->v[s->n - 1].hi = hi;
			return;
		}
		from = to = s->n;
	} else {
		from = find(s, lo > 1 ? lo - 1 : lo);
		to = from;
	}
	r = (struct uidrange){lo, hi};
	while (to < s->n && (hi == UINT32_MAX || s->v[to].lo <= hi + 1)) {
		if (s->v[to].lo < r.lo)
			r.lo = s->v[to].lo;
		if (s->v[to].hi > r.hi)
			r.hi = s->v[to].hi;
		to++;
	}
	splice(s, from, to, &r, 1);
}

void
uidset_add(struct uidset *s, uint32_t uid)
{
	uidset_add_range(s, uid, uid);
}

static int
by_lo(const void *a, const void *b)
{
	uint32_t x = ((const struct uidrange *)a)->lo;
	uint32_t y = ((const struct uidrange *)b)->lo;

	return (x > y) - (x < y);
}

/* From the end, in place: there may be millions, and no room for two sets. */
static void
merge_waiting(struct uidset_bulk *b)
{
	struct uidset *s = b->set;
	size_t i = s->n, k = b->n, o = i + k, all = o;

	if (k == 0)
		return;
	qsort(b->v, k, sizeof *b->v, by_lo);
	reserve(s, all);
	while (k > 0)
		s->v[--o] = i > 0 && s->v[i - 1].lo > b->v[k - 1].lo
		    ? s->v[--i]
		    : b->v[--k];
	s->n = b->n = 0;
	for (i = 0; i < all; i++) {
		struct uidrange r = s->v[i];
		struct uidrange *last = s->n ? &s->v[s->n - 1] : NULL;

		if (!last || (last->hi < r.lo && r.lo - last->hi > 1))
			s->v[s->n++] = r;
		else if (last->hi < r.hi)
			last->hi = r.hi;
	}
}

void
uidset_bulk_add(struct uidset_bulk *b, uint32_t lo, uint32_t hi)
{
	struct uidset *s = b->set;

	if (b->n == 0 && (s->n == 0 || s->v[s->n - 1].hi < lo)) {
		uidset_add_range(s, lo, hi);
		return;
	}
	if (b->n == BULK_MAX)
		merge_waiting(b);
	VEC_GROW(b->v, b->n, b->cap);
	b->v[b->n++] = lo <= hi ? (struct uidrange){lo, hi}
				: (struct uidrange){hi, lo};
}

void
uidset_bulk_end(struct uidset_bulk *b)
{
	merge_waiting(b);
	xfree(b->v);
	*b = (struct uidset_bulk){0};
}

/* Ranges of two sets are merged, not put in one by one, from here on. */
#define MERGE_MIN 8

void
uidset_add_set(struct uidset *s, const struct uidset *other)
{
	struct uidset sum = {0};
	size_t i = 0, k = 0;

	if (other->n < MERGE_MIN || s->n < MERGE_MIN) {
		for (k = 0; k < other->n; k++)
			uidset_add_range(s, other->v[k].lo, other->v[k].hi);
		return;
	}
	while (i < s->n || k < other->n) {
		const struct uidrange *r = k == other->n ||
			(i < s->n && s->v[i].lo <= other->v[k].lo)
		    ? &s->v[i++]
		    : &other->v[k++];

		uidset_add_range(&sum, r->lo, r->hi);
	}
	uidset_release(s);
	*s = sum;
}

void
uidset_remove_range(struct uidset *s, uint32_t lo, uint32_t hi)
{
	struct uidrange keep[2];
	size_t from = find(s, lo), to = from, n = 0;

	if (lo > hi)
		return;
	while (to < s->n && s->v[to].lo <= hi) {
		if (s->v[to].lo < lo)
			keep[n++] = (struct uidrange){s->v[to].lo, lo - 1};
		if (s->v[to].hi > hi)
			keep[n++] = (struct uidrange){hi + 1, s->v[to].hi};
		to++;
	}
	if (to > from)
		splice(s, from, to, keep, n);
}

void
uidset_remove_set(struct uidset *s, const struct uidset *other)
{
	struct uidset rest = {0};
	size_t k = 0;

	if (other->n < MERGE_MIN) {
		for (k = 0; k < other->n; k++)
			uidset_remove_range(s, other->v[k].lo, other->v[k].hi);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		uint64_t lo = s->v[i].lo, hi = s->v[i].hi;

		while (k < other->n && other->v[k].hi < lo)
			k++;
		/* the last one may reach into the next range */
		for (size_t o = k; o < other->n && other->v[o].lo <= hi; o++) {
			if (other->v[o].lo > lo)
				uidset_add_range(&rest, (uint32_t)lo,
				    other->v[o].lo - 1);
			lo = (uint64_t)other->v[o].hi + 1;
			k = o;
		}
		if (lo <= hi)
			uidset_add_range(&rest, (uint32_t)lo, (uint32_t)hi);
	}
	uidset_release(s);
	*s = rest;
}

void
uidset_keep_set(struct uidset *s, const struct uidset *other)
{
	struct uidset out = {0};

	uidset_add_set(&out, s);
	uidset_remove_set(&out, other);
	uidset_remove_set(s, &out);
	uidset_release(&out);
}

void
uidset_take_last(struct uidset *from, uint64_t n, struct uidset *set)
{
	size_t first = from->n;

	while (first > 0 && n > 0) {
		struct uidrange *r = &from->v[first - 1];
		uint64_t here = (uint64_t)r->hi - r->lo + 1;

		if (here > n) {
			/* Nothing below reaches up to it. */
			uidset_add_range(set, r->hi - (uint32_t)n + 1, r->hi);
			r->hi -= (uint32_t)n;
			break;
		}
		n -= here;
		first--;
	}
	for (size_t i = first; i < from->n; i++)
		uidset_add_range(set, from->v[i].lo, from->v[i].hi);
	from->n = first;
}

bool
uidset_has(const struct uidset *s, uint32_t uid)
{
	size_t at = find(s, uid);

	return at < s->n && s->v[at].lo <= uid && uid != 0;
}

uint64_t
uidset_count(const struct uidset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += (uint64_t)s->v[i].hi - s->v[i].lo + 1;
	return n;
}

bool
uidset_eq(const struct uidset *a, const struct uidset *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].lo != b->v[i].lo || a->v[i].hi != b->v[i].hi)
			return false;
	return true;
}

bool
uidset_parse(struct span s, size_t max_ranges, struct uidset *set_r)
{
	struct uidset set = {0};
	struct uidset_bulk bulk = {.set = &set};
	size_t n = 0;

	while (s.n > 0) {
		size_t end = span_index(s, ','), colon;
		struct span item = span_of(s.p, end);
		uint32_t lo, hi;

		colon = span_index(item, ':');
		if (++n > max_ranges || !span_u32(span_of(s.p, colon), &lo) ||
		    lo == 0)
			goto bad;
		hi = lo;
		if (colon < item.n &&
		    (!span_u32(span_of(item.p + colon + 1,
		        item.n - colon - 1), &hi) || hi == 0))
			goto bad;
		uidset_bulk_add(&bulk, lo, hi);
		if (end == s.n)
			break;
		s = span_of(s.p + end + 1, s.n - end - 1);
		if (s.n == 0)
			goto bad;
	}
	if (n == 0)
		goto bad;
	uidset_bulk_end(&bulk);
	uidset_release(set_r);
	*set_r = set;
	return true;
bad:
	uidset_bulk_end(&bulk);
	uidset_release(&set);
	return false;
}

static void
format_range(uint32_t lo, uint32_t hi, bool first, struct buf *b)
{
	if (!first)
		buf_addc(b, ',');
	buf_add_u64(b, lo);
	if (hi > lo) {
		buf_addc(b, ':');
		buf_add_u64(b, hi);
	}
}

void
uidset_format(const struct uidset *s, struct buf *b)
{
	for (size_t i = 0; i < s->n; i++)
		format_range(s->v[i].lo, s->v[i].hi, i == 0, b);
}

bool
uidset_slice(const struct uidset *s, uint64_t *pos, size_t max_len,
    uint64_t count, struct buf *b, struct uidset *slice_r)
{
	const size_t widest = 2 * 10 + 2;
	size_t begin = b->n, at;
	uint64_t left = count ? count : UINT64_MAX;
	bool any = false;

	if (slice_r)
		uidset_clear(slice_r);
	if (*pos > UINT32_MAX)
		return false;
	at = find(s, (uint32_t)*pos);
	for (; at < s->n && left > 0; at++) {
		uint32_t lo = s->v[at].lo, hi = s->v[at].hi;

		if (lo < *pos)
			lo = (uint32_t)*pos;
		if ((uint64_t)hi - lo >= left)
			hi = (uint32_t)(lo + left - 1);
		if (any && b->n - begin + widest > max_len)
			break;
		format_range(lo, hi, !any, b);
		if (slice_r)
			uidset_add_range(slice_r, lo, hi);
		left -= (uint64_t)hi - lo + 1;
		*pos = (uint64_t)hi + 1;
		any = true;
	}
	return any;
}

uint32_t
uidset_first(const struct uidset *s)
{
	return s->n ? s->v[0].lo : 0;
}

uint32_t
uidset_next(const struct uidset *s, uint32_t u)
{
	size_t at;

	if (u == UINT32_MAX)
		return 0;
	at = find(s, u + 1);
	if (at == s->n)
		return 0;
	return s->v[at].lo > u ? s->v[at].lo : u + 1;
}
