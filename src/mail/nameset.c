#include "mail/nameset.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "mail/name.h"

#include <stdlib.h>

#define CAP_MIN 64
#define SUB 4 /* "cur/", "new/" */

struct nameset_slot {
	uint32_t uid; /* 0: free */
	uint32_t base;
	uint32_t file[2]; /* 64 bits; so that a slot has 16 octets */
};

static size_t
words(size_t cap)
{
	return (cap + 63) / 64;
}

static bool
bit(const uint64_t *v, size_t at)
{
	return (v[at / 64] >> (at % 64) & 1) != 0;
}

/* Linear probing from where the hash of the base says. */
static size_t
home(const struct nameset *s, uint32_t base)
{
	return (size_t)((uint64_t)base * s->cap >> 32);
}

static size_t
next(const struct nameset *s, size_t at)
{
	return at + 1 < s->cap ? at + 1 : 0;
}

static uint32_t
base_hash(const struct nameset *s, struct span base)
{
	return (uint32_t)hash_octets(s->seed, base.p, base.n);
}

static struct nameset_slot
slot_of(const struct nameset *s, struct span file)
{
	uint64_t h = hash_octets(s->seed, file.p, file.n);
	struct span name =
	    file.n > SUB ? span_of(file.p + SUB, file.n - SUB) : SPAN("");

	return (struct nameset_slot){
	    .base = base_hash(s, name_split(name).base),
	    .file = {(uint32_t)h, (uint32_t)(h >> 32)},
	};
}

static void
put(struct nameset *s, struct nameset_slot x)
{
	size_t at = home(s, x.base);

	while (s->slot[at].uid)
		at = next(s, at);
	s->slot[at] = x;
	s->n++;
}

static void
resize(struct nameset *s, size_t cap)
{
	struct nameset_slot *old = s->slot;
	size_t n = s->cap;

	s->cap = cap;
	s->n = 0;
	s->slot = xcalloc(cap, sizeof *s->slot);
	for (size_t i = 0; i < n; i++)
		if (old[i].uid)
			put(s, old[i]);
	xfree(old);
	xfree(s->seen);
	xfree(s->before);
	s->seen = xcalloc(words(cap), sizeof *s->seen);
	s->before = xcalloc(words(cap), sizeof *s->before);
}

void
nameset_init(struct nameset *s)
{
	*s = (struct nameset){0};
	hash_seed(s->seed);
}

void
nameset_release(struct nameset *s)
{
	xfree(s->slot);
	xfree(s->seen);
	xfree(s->before);
	s->slot = NULL;
	s->seen = s->before = NULL;
	s->n = s->cap = 0;
}

void
nameset_reserve(struct nameset *s, size_t n)
{
	size_t cap = n / 4 * 5 + CAP_MIN;

	if (cap > s->cap)
		resize(s, cap);
}

void
nameset_add(struct nameset *s, struct span file, uint32_t uid)
{
	struct nameset_slot x = slot_of(s, file);

	x.uid = uid;
	if (s->n + 1 > s->cap / 8 * 7)
		resize(s, 2 * s->cap + CAP_MIN);
	put(s, x);
}

void
nameset_begin(struct nameset *s)
{
	uint64_t *t = s->before;

	s->before = s->seen;
	s->seen = t;
	if (s->cap)
		memset(s->seen, 0, words(s->cap) * sizeof *s->seen);
}

/* Where FILE is, or cap. */
static size_t
probe(const struct nameset *s, struct span file)
{
	struct nameset_slot x = slot_of(s, file);

	if (s->cap == 0)
		return 0;
	for (size_t at = home(s, x.base); s->slot[at].uid; at = next(s, at)) {
		const struct nameset_slot *k = &s->slot[at];

		if (k->base == x.base && k->file[0] == x.file[0] &&
		    k->file[1] == x.file[1])
			return at;
	}
	return s->cap;
}

bool
nameset_has(const struct nameset *s, struct span file)
{
	return probe(s, file) < s->cap;
}

bool
nameset_see(struct nameset *s, struct span file)
{
	size_t at = probe(s, file);

	if (at == s->cap)
		return false;
	s->seen[at / 64] |= UINT64_C(1) << (at % 64);
	return true;
}

bool
nameset_seen_alike(const struct nameset *s)
{
	return s->cap == 0 ||
	       memcmp(s->seen, s->before, words(s->cap) * sizeof *s->seen) == 0;
}

static int
by_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
nameset_unseen(const struct nameset *s, struct uidset *set)
{
	uint32_t *v;
	size_t n = 0, k = 0;

	for (size_t at = 0; at < s->cap; at++)
		n += s->slot[at].uid && !bit(s->seen, at);
	v = xcalloc(n + 1, sizeof *v);
	for (size_t at = 0; at < s->cap; at++)
		if (s->slot[at].uid && !bit(s->seen, at))
			v[k++] = s->slot[at].uid;
	/* ascending, which is how a set takes many */
	qsort(v, n, sizeof *v, by_uid);
	for (size_t i = 0; i < n; i++)
		uidset_add(set, v[i]);
	xfree(v);
}

void
nameset_of_base(const struct nameset *s, struct span base, struct uidset *set)
{
	uint32_t h = base_hash(s, base);

	if (s->cap == 0)
		return;
	for (size_t at = home(s, h); s->slot[at].uid; at = next(s, at))
		if (s->slot[at].base == h)
			uidset_add(set, s->slot[at].uid);
}
