/*
 * Open addressing with linear probing, at most 3/4 full, deletion by moving
 * back what follows (no tombstones).
 */
#include "base/map.h"

#include "base/alloc.h"
#include "base/hash.h"

/* Bytes, or a number: 64 bits of it also where size_t has fewer. */
struct map_key {
	const char *p; /* NULL: the number N */
	uint64_t n;
};

struct map_slot {
	uint64_t hash; /* never 0; 0: free */
	struct map_key key;
	uint64_t v;
};

static struct map_key
number_key(uint64_t key)
{
	return (struct map_key){NULL, key};
}

/* An empty key with a NULL pointer would look like the number 0. */
static struct map_key
bytes_key(struct span key)
{
	return (struct map_key){key.p ? key.p : "", key.n};
}

static uint64_t
hash_of(const struct map *m, struct map_key key)
{
	uint64_t h = key.p ? hash_octets(m->seed, key.p, (size_t)key.n)
			   : hash_octets(m->seed, &key.n, sizeof key.n);

	return h ? h : 1;
}

static bool
same(const struct map_slot *s, uint64_t hash, struct map_key key)
{
	if (s->hash != hash || s->key.n != key.n || !s->key.p != !key.p)
		return false;
	return !key.p || memcmp(s->key.p, key.p, (size_t)key.n) == 0;
}

/* The slot of KEY, or the free one where it belongs. */
static size_t
probe(const struct map *m, uint64_t hash, struct map_key key)
{
	size_t at = (size_t)hash & (m->cap - 1);

	while (m->slot[at].hash && !same(&m->slot[at], hash, key))
		at = (at + 1) & (m->cap - 1);
	return at;
}

static void
grow(struct map *m)
{
	struct map_slot *old = m->slot;
	size_t n = m->cap;

	m->cap = n ? 2 * n : 16;
	m->slot = xcalloc(m->cap, sizeof *m->slot);
	for (size_t i = 0; i < n; i++) {
		size_t at;

		if (!old[i].hash)
			continue;
		at = (size_t)old[i].hash & (m->cap - 1);
		while (m->slot[at].hash)
			at = (at + 1) & (m->cap - 1);
		m->slot[at] = old[i];
	}
	xfree(old);
}

static bool
put(struct map *m, struct map_key key, uint64_t v, bool replace)
{
	uint64_t hash = hash_of(m, key);
	size_t at;

	if (m->n + 1 > m->cap / 4 * 3)
		grow(m);
	at = probe(m, hash, key);
	if (m->slot[at].hash) {
		if (replace)
			m->slot[at].v = v;
		return false;
	}
	m->slot[at] = (struct map_slot){hash, key, v};
	m->n++;
	return true;
}

static bool
get(const struct map *m, struct map_key key, uint64_t *v_r)
{
	size_t at;

	if (m->n == 0)
		return false;
	at = probe(m, hash_of(m, key), key);
	if (!m->slot[at].hash)
		return false;
	*v_r = m->slot[at].v;
	return true;
}

static bool
del(struct map *m, struct map_key key)
{
	size_t at, next, mask = m->cap - 1;

	if (m->n == 0)
		return false;
	at = probe(m, hash_of(m, key), key);
	if (!m->slot[at].hash)
		return false;
	for (next = (at + 1) & mask; m->slot[next].hash;
	     next = (next + 1) & mask) {
		size_t home = (size_t)m->slot[next].hash & mask;

		/* may it move back to AT without passing its home? */
		if (((next - home) & mask) >= ((next - at) & mask)) {
			m->slot[at] = m->slot[next];
			at = next;
		}
	}
	m->slot[at].hash = 0;
	m->n--;
	return true;
}

void
map_init(struct map *m)
{
	*m = (struct map){0};
	hash_seed(m->seed);
}

void
map_release(struct map *m)
{
	xfree(m->slot);
	m->slot = NULL;
	m->n = m->cap = 0;
}

bool
map_set(struct map *m, struct span key, uint64_t v)
{
	return put(m, bytes_key(key), v, true);
}

bool
map_add(struct map *m, struct span key, uint64_t v)
{
	return put(m, bytes_key(key), v, false);
}

bool
map_get(const struct map *m, struct span key, uint64_t *v_r)
{
	return get(m, bytes_key(key), v_r);
}

bool
map_del(struct map *m, struct span key)
{
	return del(m, bytes_key(key));
}

bool
map_set_u64(struct map *m, uint64_t key, uint64_t v)
{
	return put(m, number_key(key), v, true);
}

bool
map_get_u64(const struct map *m, uint64_t key, uint64_t *v_r)
{
	return get(m, number_key(key), v_r);
}

bool
map_del_u64(struct map *m, uint64_t key)
{
	return del(m, number_key(key));
}
