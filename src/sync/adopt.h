/*
 * adopt: what adopt.c and compare.c share, for one mailbox in one pass.
 */
#ifndef SYNC_ADOPT_H
#define SYNC_ADOPT_H

#include "sync/internal.h"

struct adoption {
	struct run *r;
	struct sbox *b;
	uint32_t *file; /* indexes into l.v of files to be paired */
	size_t nfile;
	struct map klass_of; /* bare_sha -> klass */
	uint32_t klasses;
	struct map by_size;  /* canonical size -> 1 + index into file[] */
	uint32_t *same_size; /* chain of by_size, 0 ends */
	struct map tuid_sizes; /* that a line X-TUID makes of those */
	bool unread;	     /* a file was not read; it is in the next pass */
	uint32_t *bad;	     /* indexes into l.v of those that cannot be */
	size_t nbad, badcap;
};

/* Reading M failed. */
int adopt_unread(struct adoption *a, struct lmsg *m, struct err *e);

/*
 * compare.c: sizes of messages that have a hold of their own; asked for only
 * where there are new files.
 */
int compare_held(struct adoption *a, struct err *e);

/*
 * The klass of those of the N new UIDs CAND (indexes into r.v) that
 * a file is equal to.  What was not told waits, and files of its size.
 */
int compare_candidates(
    struct adoption *a, const uint32_t *cand, size_t n, struct err *e);

/*
 * sent.c: files that had an OK, and have no row, wait; and those that went up,
 * or may have, and are equal to nothing there are paired by Message-ID.
 */
void sent_hold(struct adoption *a);
int sent_find(struct adoption *a, struct err *e);

/* New UIDs that may be one of a->bad wait. */
int compare_unread(struct adoption *a, struct err *e);

#endif
