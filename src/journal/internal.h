/*
 * internal: what the files of journal/ share.
 *
 *	lock.c     one run at a time
 *	open.c     checks before LMDB maps anything; the environment
 *	sound.c    is the file as we left it, else can it be read
 *	upgrade.c  a journal of an older format
 *	codec.c    rows as bytes
 *	read.c     reading
 *	owner.c    whose account it is
 *	files.c    reading the file names of a large mailbox
 *	write.c    a batch, one transaction
 *	check.c    is it sound
 */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include "journal/codec.h"

#include <lmdb.h>

/*
 * 1: without the table "size", holds in their first layout.
 * 2: as journal.h and codec.h say.
 */
#define JOURNAL_FORMAT 2
#define JOURNAL_VALUE_MAX (1u << 20)

enum table {
	T_META,
	T_MAILBOX,
	T_COUNT,
	T_PAIR,
	T_KEYWORD,
	T_HOLD,
	T_SIZE, /* not in format 1 */
	T_N
};
extern const char *const journal_table[T_N];

struct journal {
	char *dir;       /* owned; for messages */
	struct journal_way way;
	MDB_env *env;    /* NULL: read, and there is none */
	bool tables;     /* they exist, and dbi[] is valid */
	uint64_t format; /* of what is there */
	bool read_only;
	bool sound;      /* opened, and no write has failed */
	bool litter;     /* what a run left there is there still (sound.c) */
	int64_t written_ns; /* see journal_written_ns() */
	MDB_dbi dbi[T_N];
	uint64_t next_box;
	uint64_t left_out; /* see journal_left_out() */
	uint32_t keywords; /* stored */
	unsigned walks;    /* journal_files: transactions that are open */
	MDB_txn *frozen;   /* all that is read is read in it; NULL: nothing is */
	uint64_t touched;  /* places of the map, about, since it was made */
	int unmapped;      /* why there is no map, an errno; 0: there is */
};

static inline MDB_val
journal_val(struct span s)
{
	return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p};
}

static inline struct span
journal_span(MDB_val v)
{
	return span_of(v.mv_data, v.mv_size);
}

/* What LMDB said, as an error of the account. */
int journal_mdb_error(const struct journal *j, int rc, const char *what,
    struct err *e);
/* A row that does not decode, and the like. */
int journal_damaged(const struct journal *j, const char *what,
    struct err *e);

/*
 * What was read through the map counts as memory of this process, up to the
 * whole file.  So when JOURNAL_TOUCHED places were looked at, the map is made
 * anew before the next transaction.  (The system maps some pages around each.)
 */
#define JOURNAL_TOUCHED 256
int journal_fresh_map(struct journal *j);

/* LMDB's answer; the map follows when another process made it larger. */
int journal_begin_txn(struct journal *j, unsigned flags, MDB_txn **txn_r);
/*
 * A reading transaction; *txn_r NULL when there are no tables (then nothing is
 * to be read).
 */
int journal_begin_read(struct journal *j, MDB_txn **txn_r,
    struct err *e);
void journal_end_read(const struct journal *j, MDB_txn *txn);

/*
 * sound.c: ERR_JOURNAL when the file changed since it was marked and cannot
 * be read to its end.  DIR is that of the journal; MAP as for LMDB.
 */
int journal_check_sound(
    struct journal *j, int dir, uint64_t map, struct err *e);
void journal_mark_sound(const struct journal *j);
/* Was what is in DIR sound once, whatever it is now? */
bool journal_has_mark(int dir);

/* Those of j->format. */
int journal_open_tables(struct journal *j, MDB_txn *txn, bool create);

/*
 * Bring a journal of an older format up to this one, in one transaction: all
 * or nothing.  Only the holder of the account's lock may.
 */
int journal_upgrade(struct journal *j, struct err *e);

/* Twice the map, after MDB_MAP_FULL; LMDB's answer. */
int journal_grow(struct journal *j);
/* What LMDB said to a write. */
int journal_write_error(const struct journal *j, int rc, struct err *e);

#endif
