/*
 * nameset: the file names of a mailbox's rows, to be held against a directory.
 *
 *	nameset_init -> nameset_add for each row
 *	-> nameset_begin, nameset_see for each file (as often as one reads)
 *	-> nameset_unseen, nameset_of_base -> nameset_release
 *
 * A million names take some 21 MB, whatever their length: none is kept, only
 * 64 bits of a keyed hash of each, and 32 bits of one of its base.
 *
 * Invariants:
 *  1. Equal names always meet.  Two that differ are taken for one with a
 *     chance of 2^-64 where they have one base, else of 2^-96, and the key is
 *     new each time, so that nobody can choose such names.  Were it to happen,
 *     a file that came and the one that went would go unnoticed until the
 *     directory is read the next time, under another key.  Nothing is removed
 *     for it: a hash never says that something is gone.
 *  2. What is said of a base may be too much, never too little: the caller
 *     looks at the rows themselves.
 *
 * One thread.  FILE is "cur/base:2,S" or "new/base".
 */
#ifndef MAIL_NAMESET_H
#define MAIL_NAMESET_H

#include "base/span.h"
#include "base/uidset.h"

struct nameset_slot;
struct nameset {
	struct nameset_slot *slot; /* owned */
	size_t n, cap;
	uint64_t *seen, *before; /* owned; by slot: in this reading, the last */
	uint64_t seed[2];
};

void nameset_init(struct nameset *s);
void nameset_release(struct nameset *s);
/* Room for N names; more than that cost a while of twice the memory. */
void nameset_reserve(struct nameset *s, size_t n);

/* UID is not 0.  Not between nameset_begin() and the end of the reading. */
void nameset_add(struct nameset *s, struct span file, uint32_t uid);

/* Is FILE among the names? */
bool nameset_has(const struct nameset *s, struct span file);

void nameset_begin(struct nameset *s); /* another reading: nothing is seen */
/* The same, and it is seen.  (Of two rows with one name, one is seen.) */
bool nameset_see(struct nameset *s, struct span file);
/* Did the last two readings see the same? */
bool nameset_seen_alike(const struct nameset *s);

/* UIDs of names that were not seen, added to SET. */
void nameset_unseen(const struct nameset *s, struct uidset *set);
/* UIDs of the names with this base, and perhaps some others. */
void nameset_of_base(
    const struct nameset *s, struct span base, struct uidset *set);

#endif
