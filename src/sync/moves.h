/*
 * moves: what moves.c and identify.c share, for one pass.
 */
#ifndef SYNC_MOVES_H
#define SYNC_MOVES_H

#include "sync/internal.h"

#include "base/map.h"

#define MOVES_NO_BOX UINT32_MAX
#define MOVES_ANY_BOX (UINT32_MAX - 1) /* several */

/* A file that a new UID may be. */
struct moves_file {
	uint32_t box;
	/* of a new file: the mailbox that a message of its content has left on
	 * both sides */
	uint32_t left;
	struct span file;
	uint64_t size;
	int64_t idate;
	const uint8_t *sha;
	bool stays; /* its UID does: the source of a copy */
	bool rival; /* of its size there is, or was, one without a file here */
	bool again; /* it would go up again: cases 16 and 18 */
	bool just_read; /* by this pass, which took its digest */
	bool unread; /* not any more: whether it is equal is not known */
	bool draft;
	bool has_id;
	struct span id; /* Message-ID */
	size_t next;	/* 1 + index of the next one of this size; 0 ends */
};

/* The message of a row that has no file here. */
struct moves_absent {
	uint64_t size;
	const uint8_t *sha;
};

struct moves_search {
	struct run *r;
	struct moves_file *v;
	size_t n, cap;
	struct map by_size; /* size -> 1 + index into v */
	struct moves_absent *absent;
	size_t nabsent, absentcap;
	struct plan_live *live;
	size_t nlive, livecap;
	struct map unseen; /* digests of rows in mailboxes that failed */
	struct map box_of_id; /* journal id -> 1 + index into r->box */
	struct map *bases;    /* by box: base name -> 1 + index into l.v */
	bool *has_bases;
};

/* Octets that are compared of a message that has a Message-ID. */
#define MOVES_WINDOW 64
/* Where they begin in one of SIZE, in the run of SEED. */
uint64_t moves_window_at(uint64_t size, uint64_t seed);

/*
 * identify.c: gives the ops of new UIDs the digest of the file that has their
 * octets, where one has.  A mailbox that cannot be asked fails by itself.
 */
int identify_all(struct moves_search *s, struct err *e);

#endif
