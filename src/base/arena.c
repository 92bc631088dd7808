#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN (16u << 10)
#define BLOCK_MAX (1u << 20)

struct arena_block {
	struct arena_block *next;
	size_t n, cap;
	alignas(max_align_t) char data[];
};

void
arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

void
arena_release(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		xfree(b);
		b = next;
	}
	arena_init(a);
}

void
arena_clear(struct arena *a)
{
	struct arena_block *keep = a->head;

	if (!keep)
		return;
	a->head = keep->next;
	keep->next = NULL;
	arena_release(a);
	keep->n = 0;
	a->head = keep;
}

static size_t
aligned(size_t n)
{
	const size_t align = alignof(max_align_t);

	if (n > SIZE_MAX - BLOCK_MAX)
		xgiveup("out of memory");
	return (n + align - 1) / align * align;
}

/*
 * A block of its own, behind the one that is being filled.  Fresh pages of the
 * system are zero: those that are never used cost nothing.
 */
static void *
alloc_alone(struct arena *a, size_t n)
{
	struct arena_block *b = xcalloc(1, sizeof *b + n);

	b->n = b->cap = n;
	if (a->head) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		a->head = b;
	}
	a->used += n;
	return b->data;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	void *p;

	n = aligned(n);
	if (n > BLOCK_MAX)
		return alloc_alone(a, n);
	if (!b || b->cap - b->n < n) {
		size_t cap = b ? 2 * b->cap : BLOCK_MIN;

		if (cap > BLOCK_MAX)
			cap = BLOCK_MAX;
		if (cap < n)
			cap = BLOCK_MAX;
		b = xalloc(sizeof *b + cap);
		b->n = 0;
		b->cap = cap;
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->n;
	b->n += n;
	a->used += n;
	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t k, size_t n)
{
	size_t size;

	if (__builtin_mul_overflow(k, n, &size))
		xgiveup("out of memory");
	return arena_alloc(a, size);
}

/* V has a block of its own, of N bytes: it gets BYTES.  NULL: it has none. */
static void *
grow_alone(struct arena *a, const void *v, size_t n, size_t bytes)
{
	struct arena_block **at = &a->head, *b;

	if (n <= BLOCK_MAX)
		return NULL;
	while (*at && (*at)->data != v)
		at = &(*at)->next;
	b = *at;
	if (!b || b->cap != n)
		return NULL;
	b = xrealloc(b, 1, sizeof *b + bytes);
	b->n = b->cap = bytes;
	*at = b;
	a->used += bytes - n;
	return b->data;
}

void *
arena_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	void *bigger;
	size_t bytes;

	if (n < *cap)
		return v;
	if (__builtin_mul_overflow(*cap ? *cap * 2 : 16, size, &bytes))
		abort();
	bigger = grow_alone(a, v, aligned(*cap * size), aligned(bytes));
	*cap = *cap ? *cap * 2 : 16;
	if (bigger)
		return bigger;
	bigger = arena_alloc(a, bytes);
	if (n)
		memcpy(bigger, v, n * size);
	return bigger;
}

struct span
arena_span(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

char *
arena_str(struct arena *a, const char *z)
{
	size_t n = strlen(z);
	char *p = arena_alloc(a, n + 1);

	memcpy(p, z, n);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return arena_str(a, "");
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
