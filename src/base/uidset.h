/*
 * uidset: a set of IMAP UIDs (1..2^32-1) as sorted, disjoint, non-adjacent
 * ranges (RFC 3501 §9 sequence-set, without "*").
 *
 * Appending ascending UIDs is O(1); anything else O(ranges), that of a set too.
 * Many in any order are added by a uidset_bulk.
 * One thread.
 */
#ifndef BASE_UIDSET_H
#define BASE_UIDSET_H

#include "base/buf.h"

struct uidrange {
	uint32_t lo, hi; /* both inclusive */
};

struct uidset {
	struct uidrange *v; /* owned */
	size_t n, cap;
};

void uidset_init(struct uidset *s);
void uidset_release(struct uidset *s); /* leaves an empty, usable set */
void uidset_clear(struct uidset *s);   /* memory kept */
void uidset_add(struct uidset *s, uint32_t uid); /* 0: nothing */
/* LO and HI in either order, as in RFC 3501 §9 seq-range. */
void uidset_add_range(struct uidset *s, uint32_t lo, uint32_t hi);
void uidset_add_set(struct uidset *s, const struct uidset *other);
void uidset_remove_range(struct uidset *s, uint32_t lo, uint32_t hi);
void uidset_remove_set(struct uidset *s, const struct uidset *other);
/* What OTHER lacks goes. */
void uidset_keep_set(struct uidset *s, const struct uidset *other);
bool uidset_has(const struct uidset *s, uint32_t uid);
uint64_t uidset_count(const struct uidset *s);
bool uidset_eq(const struct uidset *a, const struct uidset *b);

/*
 * Ranges in any order (none of them 0), n of them in O(n log n):
 *	struct uidset_bulk b = {.set = &s};
 * then uidset_bulk_add(), and uidset_bulk_end(); until then the set lacks some.
 */
struct uidset_bulk {
	struct uidset *set; /* borrowed */
	struct uidrange *v; /* owned; what waits */
	size_t n, cap;
};

void uidset_bulk_add(struct uidset_bulk *b, uint32_t lo, uint32_t hi);
void uidset_bulk_end(struct uidset_bulk *b);

/*
 * Parse "1:3,7,12:9" (ranges may be written downwards).  False when S is not
 * a sequence-set of numbers, or has more than MAX_RANGES; *set_r is then
 * unchanged.  The result replaces what *set_r (initialised) held.
 */
bool uidset_parse(struct span s, size_t max_ranges, struct uidset *set_r);

/* The N highest of FROM go over to SET, which is empty. */
void uidset_take_last(struct uidset *from, uint64_t n, struct uidset *set);

/* Append "1:3,7" to B. */
void uidset_format(const struct uidset *s, struct buf *b);

/*
 * Iterate in slices that fit a command line.  *pos starts as 0; each call
 * appends ranges to B until the text would pass MAX_LEN bytes or COUNT UIDs
 * (0: any), and returns true while it wrote something.  A range may be cut.
 * POS is opaque: the next UID to write.
 */
bool uidset_slice(const struct uidset *s, uint64_t *pos, size_t max_len,
    uint64_t count, struct buf *b, struct uidset *slice_r);

/* for (uint32_t u = uidset_first(s); u; u = uidset_next(s, u)) ... */
uint32_t uidset_first(const struct uidset *s);           /* 0 when empty */
uint32_t uidset_next(const struct uidset *s, uint32_t u); /* 0 at the end */

#endif
