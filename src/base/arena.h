/*
 * arena: memory of one pass, freed all at once.
 *
 * Allocation aborts when the system has none (see alloc.h).  One thread.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out since init or clear */
};

void arena_init(struct arena *a);
void arena_release(struct arena *a);
void arena_clear(struct arena *a); /* frees all but one block */
void *arena_alloc(struct arena *a, size_t n); /* zeroed, max-aligned */
/* k * n zeroed bytes; overflow aborts. */
void *arena_array(struct arena *a, size_t k, size_t n);
/*
 * Room for one more of SIZE bytes behind the N in V, a vector of this arena
 * (NULL: none yet) with room for *CAP.  Returns V, or where it is now; what
 * it was is left to the arena, or given back when it is large.  What is behind
 * the N has any value.
 */
void *arena_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size);
struct span arena_span(struct arena *a, struct span s); /* copy, + NUL */
char *arena_str(struct arena *a, const char *z);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
