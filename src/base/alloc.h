/*
 * Allocation that does not fail: out of memory ends the process with one
 * line on stderr and status 75 (EX_TEMPFAIL).  Sizes that come from outside
 * (server, disk, configuration) never go straight here: they pass through a buf
 * or an arena with a ceiling, which fails politely.
 *
 * Any thread.  Memory from here is freed with free() (xfree).
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *xalloc(size_t n);            /* uninitialised; n == 0 gives 1 byte */
/* Zeroed.  A product that overflows is lack of memory. */
void *xcalloc(size_t k, size_t n);
void *xrealloc(void *p, size_t k, size_t n); /* as xcalloc */
char *xstrdup(const char *z);
char *xstrndup(const char *p, size_t n); /* copies exactly n bytes + NUL */
void xfree(void *p);

/*
 * One line, and the end, as a kill would be, which every run recovers from; but
 * cron and systemd see a status that means "try again later", and no core.
 */
_Noreturn void xgiveup(const char *why);

/* printf into a new string; owned by the caller. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * AUTO(foo) struct foo *x = NULL;   calls foo_free(&x) when x leaves scope.
 * DEFINE_AUTO(foo) goes once beside the declaration of foo_free().
 */
#define DEFINE_AUTO(type)                                                      \
	static inline void auto_##type(struct type **x)                        \
	{                                                                      \
		type##_free(x);                                                \
	}
#define AUTO(type) __attribute__((cleanup(auto_##type))) struct type *

void xfree_auto(char **p);
#define AUTO_STR __attribute__((cleanup(xfree_auto))) char *

void fd_close_auto(int *fd); /* closes unless negative; keeps errno */
#define AUTO_FD __attribute__((cleanup(fd_close_auto))) int

/* Make room for one more element in a (v, n, cap) vector. */
#define VEC_GROW(v, n, cap)                                                    \
	do {                                                                   \
		if ((n) == (cap)) {                                            \
			(cap) = (cap) ? (cap) * 2 : 16;                        \
			(v) = xrealloc((v), (cap), sizeof *(v));               \
		}                                                              \
	} while (0)

#endif
