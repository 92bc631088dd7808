/*
 * span: a borrowed stretch of bytes.  Never owned, not NUL-terminated.
 *
 * Pure; any thread.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(lit) ((struct span){"" lit "", sizeof(lit) - 1})
#define SPAN_NONE ((struct span){NULL, 0})
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span
span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}

static inline struct span
span_str(const char *z)
{
	return (struct span){z, z ? strlen(z) : 0};
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case-insensitive, whatever the locale. */
bool span_eq_case(struct span a, struct span b);

/* memcmp order, shorter first on a common prefix. */
int span_cmp(struct span a, struct span b);

bool span_starts(struct span s, struct span prefix);

/* Index of byte C in S, or S.n when it is not there. */
size_t span_index(struct span s, char c);

/*
 * The whole of S as an unsigned decimal number.  False (and *v_r untouched)
 * when S is empty, holds anything but digits, or does not fit.
 */
bool span_u32(struct span s, uint32_t *v_r);
bool span_u64(struct span s, uint64_t *v_r);

#endif
