/*
 * map: a hash map from bytes, or from a 64-bit number, to a 64-bit number
 * (usually an index into an array).
 *
 * Keys of bytes are borrowed: they must outlive the map.  The hash is seeded
 * at random per map, so that nobody who chooses keys can make it slow.
 * One thread.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map_slot;
struct map {
	struct map_slot *slot; /* owned */
	size_t n, cap;
	uint64_t seed[2];
};

void map_init(struct map *m);
void map_release(struct map *m);

/*
 * Set KEY to V.  Returns true when KEY was new; otherwise the old value is
 * replaced (map_set) or kept (map_add).
 */
bool map_set(struct map *m, struct span key, uint64_t v);
bool map_add(struct map *m, struct span key, uint64_t v);
/* False: there is no KEY. */
bool map_get(const struct map *m, struct span key, uint64_t *v_r);
bool map_del(struct map *m, struct span key);

bool map_set_u64(struct map *m, uint64_t key, uint64_t v);
bool map_get_u64(const struct map *m, uint64_t key, uint64_t *v_r);
bool map_del_u64(struct map *m, uint64_t key);

#endif
