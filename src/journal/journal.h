/*
 * journal: what both sides last agreed on, in LMDB.
 *
 *	journal_lock -> journal_open -> read: journal_boxes, journal_pairs
 *	-> journal_begin, journal_put_*, journal_del_*, journal_commit
 *
 * Invariants:
 *  1. The journal records agreement, nothing else (plus what is known not to
 *     agree yet: holds).  A row exists only when its file is durable.
 *  2. The cursor of a mailbox moves in the same transaction as the last
 *     effect that it covers.
 *  3. A run without anything to record begins no write transaction.
 *  4. No network call inside a transaction; none leaves its thread; values
 *     are copied out before it ends.
 *  5. Full sync per commit; no MDB_WRITEMAP, NOSYNC, DUPSORT.
 *
 * Tables (keys big-endian; doc/architecture.md has the layout):
 *   meta     name -> value (format version, next ids, what was left out)
 *   mailbox  u64 id -> box record
 *   count    u64 id -> how many rows it has
 *   pair     u64 box, u32 uid -> row
 *   keyword  u64 id -> name
 *   hold     u64 box, 'R' u32 uid | 'L' base name -> hold record
 *   size     u64 size, u64 box, u32 uid -> nothing: rows by size
 *
 * The room owns map growth: MDB_MAP_FULL aborts the transaction, grows the
 * map and replays the puts of the batch, invisibly to the caller.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/cancel.h"
#include "base/err.h"
#include "maildir/maildir.h"
#include "plan/view.h"

struct journal;
struct journal_lock;

/*
 * The account's lock: STATE/lock, held until freed (also by a crash).
 * ERR_LOCKED names the holder's pid.  STATE is made if need be (0700).
 */
int journal_lock(const char *state_dir, struct journal_lock **l_r,
    struct err *e);
/*
 * A note in the lock's file, which stays when the process ends before it is
 * taken off; not durable, and none where it cannot be written.  noted: is
 * there one; *since_r: wall seconds.
 */
void journal_lock_note(struct journal_lock *l, bool on);
bool journal_lock_noted(const struct journal_lock *l, int64_t *since_r);
void journal_lock_free(struct journal_lock **l);
DEFINE_AUTO(journal_lock)

enum journal_mode {
	JOURNAL_CREATE,   /* read and write; made when absent */
	JOURNAL_READ      /* never writes; absent: an empty journal */
};

/*
 * Open STATE/journal/.  ERR_JOURNAL (scope ACCOUNT, nothing touched) when
 * it is newer than this program, damaged, or on a network file system; text
 * says what to do (remove the directory to rebuild it: no mail is lost; or
 * set state_dir).  A file without the pages that its header leads to is
 * damaged: that is found out before this process maps it.  One of an older
 * format is brought up to this one (JOURNAL_CREATE), or read as it is
 * (JOURNAL_READ: journal_rows_of_size() finds nothing in it).
 */
int journal_open(const char *state_dir, enum journal_mode mode,
    struct journal **j_r, struct err *e);

/*
 * The same where there are, or may be, threads.  A journal that is not as the
 * last run left it is read to its end by a child process first: of
 * journal_open() by fork(), here by executing EXE.  Its main() has to pass its
 * arguments on to journal_look_main() when journal_is_look() says so.
 */
struct journal_way {
	const char *exe;             /* this program; NULL: by fork() */
	const struct cancel *cancel; /* ends the look; may be NULL */
};
int journal_open_by(const char *state_dir, enum journal_mode mode,
    const struct journal_way *way, struct journal **j_r, struct err *e);
bool journal_is_look(int argc, char **argv);
_Noreturn void journal_look_main(int argc, char **argv);

void journal_free(struct journal **j);
DEFINE_AUTO(journal)

/*
 * When the last run wrote to it, if it is the very file which that left; 0 for
 * a copy, one that was put back, or after a run that was killed.  So, unless it
 * is 0, what it says of inodes was so on this disk.
 */
int64_t journal_written_ns(const struct journal *j);

/*
 * Whose account it is, and where its mail lies, as the last run had it; ""
 * where none has said so.  Copies in MEM.
 */
struct journal_owner {
	struct span user, host;
	struct span maildir; /* absolute path */
};
int journal_owner(struct journal *j, struct arena *mem,
    struct journal_owner *o_r, struct err *e);

/*
 * What the configuration left undone when the marks (cursors and stamps) were
 * taken, in bits of the caller's; 0 in a new journal.
 */
uint64_t journal_left_out(const struct journal *j);

/*
 * One mailbox.  .messages is JBOX_BEGUN while the first sync of a large
 * mailbox, or of much new mail, is under way: the cursor is good for the flags
 * of all rows, but there may be UIDs without a row, and rows without a UID.
 * JBOX_GONE: it is not on the server, and stays here; what was moved out of it
 * there has been looked for.
 */
struct jbox {
	uint64_t id;      /* never reused; 0: new */
	struct span wire; /* as LIST says */
	struct span name, path;
	char delim;
	uint32_t uidvalidity, uidnext;
	uint64_t highestmodseq; /* the cursor; 0: none */
	uint32_t messages;  /* EXISTS when the cursor was taken, or: */
#define JBOX_BEGUN UINT32_MAX
#define JBOX_GONE (UINT32_MAX - 1)
	uint64_t rows;      /* kept by the journal itself */
	struct maildir_stamp stamp;
	struct kwletters letters;
	uint32_t letters_seen; /* a..z that files showed without a meaning */
	int64_t synced; /* wall seconds of the last run that recorded here */
	struct span mailboxid; /* "" when unknown */
	/*
	 * Deletes on that side were held back by the brake, and are until none
	 * are left, or somebody allows them.
	 */
	uint32_t held;
#define JBOX_HELD_HERE 1
#define JBOX_HELD_THERE 2
#define JBOX_HELD_ALL (JBOX_HELD_HERE | JBOX_HELD_THERE)
	uint32_t ended; /* runs whose connection ended when it was opened */
};

/* All mailboxes, by id.  Copies in MEM. */
int journal_boxes(struct journal *j, struct arena *mem, struct jbox **v_r,
    size_t *n_r, struct err *e);

/* All keyword names, interned into KW in order (fresh kwtab: ids agree). */
int journal_keywords(struct journal *j, struct kwtab *kw, struct err *e);

/* All rows of a mailbox, ascending UIDs, p->complete = true. */
int journal_pairs(struct journal *j, uint64_t box, struct arena *mem,
    struct pairs *p_r, struct err *e);
/* Only the rows with UIDs in SET; complete = false. */
int journal_pairs_in(struct journal *j, uint64_t box,
    const struct uidset *set, struct arena *mem, struct pairs *p_r,
    struct err *e);
/*
 * All rows of a mailbox, one after the other, ascending UIDs, and of each only
 * what its file shows: for mailboxes whose rows are too many to be held at
 * once.  A reading transaction is open from begin to end: no waiting in
 * between.
 *	begin -> next > 0 ... -> end (also after an error)
 * next: 1, or 0 after the last one.  *f_r.file is valid until the next call;
 * what f_r->l needs is in MEM.
 */
struct jfile {
	uint32_t uid;
	struct span file; /* "": the file belongs to another row by now */
	struct flags l;
};
struct journal_files;
int journal_files_begin(struct journal *j, uint64_t box,
    struct journal_files **w_r, struct err *e);
int journal_files_next(struct journal_files *w, struct arena *mem,
    struct jfile *f_r, struct err *e);
void journal_files_end(struct journal_files **w);
/* How many UIDs of SET have rows (also remote holds). */
int journal_count_in(struct journal *j, uint64_t box,
    const struct uidset *set, uint64_t *n_r, struct err *e);
/* The same of all UIDs; costs the holds, not the rows. */
int journal_count(struct journal *j, uint64_t box, uint64_t *n_r,
    struct err *e);

/* The UIDs that have rows (also remote holds), added to SET. */
int journal_uids(struct journal *j, uint64_t box, struct uidset *set,
    struct err *e);

/*
 * Rows of any mailbox whose canonical size is SIZE, at most MAX of them; in
 * the order of mailbox and UID.  Costs what it finds (table "size").
 */
struct jfound {
	uint64_t box;
	struct pair row;
};
int journal_rows_of_size(struct journal *j, uint64_t size, size_t max,
    struct arena *mem, struct jfound **v_r, size_t *n_r, struct err *e);

/* A message that is not carried over, and why. */
enum jhold_kind {
	JHOLD_RETRY = 0, /* failed; to be tried again */
	JHOLD_KEPT = 1,  /* local: deleted there, kept here (deletes: keep) */
	JHOLD_SKIPPED = 2, /* remote or local: over max_size or max_age */
	/*
	 * Remote: the connection ended when it was asked for; asked for again
	 * behind all else.  Local: it ended when it was sent; sent again behind
	 * all else, or (tries 0: it was under way behind another one) in its
	 * turn.
	 */
	JHOLD_SUSPECT = 3,
	JHOLD_SENT = 4 /* local: it went up, and the server did not say as
			  which message; never sent again */
};
struct jhold {
	enum jhold_kind kind;
	uint32_t uid;     /* remote: not fetched; else 0 */
	struct span base; /* local: not appended; else "" */
	uint32_t tries;   /* SENT: 1 once a person was told */
	int64_t next;     /* RETRY: wall seconds, not before; SUSPECT and SENT
			     of files: UIDNEXT before that; else 0 */
	uint64_t size;    /* SKIPPED: what it was skipped for; KEPT: of the
			     message; SUSPECT: that of a message that was
			     compared, or UNSIZED, or of the file that was
			     sent; SENT: of that; else 0 */
	int64_t idate;    /* SUSPECT and SENT of files: their time, in ns */
	struct span why;  /* at most 200 bytes */
	bool ended;       /* since it was read; not in the journal */
};
/* It was the size that was asked for when the connection ended. */
#define JHOLD_UNSIZED UINT64_MAX

static inline bool
jhold_is_unsized(const struct jhold *h)
{
	return h->kind == JHOLD_SUSPECT && h->size == JHOLD_UNSIZED;
}

/*
 * No wait is longer, in seconds: one that seems so began while the clock was
 * wrong.
 */
#define JHOLD_LONGEST (24 * 60 * 60)

static inline bool
jhold_has_come(const struct jhold *h, int64_t now)
{
	return h->next <= now || h->next - JHOLD_LONGEST > now;
}

/* In the order of the keys: of files by base name, then of UIDs. */
int journal_holds(struct journal *j, uint64_t box, struct arena *mem,
    struct jhold **v_r, size_t *n_r, struct err *e);

/*
 * Writing: one batch, one transaction.  begin only notes; the transaction is
 * opened at commit, so a batch without a put writes nothing.  Puts copy.
 * KW: new keywords (ids above what the journal has) are stored with the
 * first put that could need them.
 */
struct journal_batch;
struct journal_batch *journal_begin(struct journal *j,
    const struct kwtab *kw);
/* Give a new mailbox its id (b->id == 0), or replace the record.  .rows is
 * ignored. */
uint64_t journal_put_box(struct journal_batch *b, const struct jbox *box);
/* With its rows and holds. */
void journal_del_box(struct journal_batch *b, uint64_t id);
void journal_put_pair(struct journal_batch *b, uint64_t box,
    const struct pair *row);
void journal_del_pair(struct journal_batch *b, uint64_t box, uint32_t uid);
/* All rows of the mailbox go (UIDVALIDITY changed), before later puts. */
void journal_del_pairs(struct journal_batch *b, uint64_t box);
void journal_put_hold(struct journal_batch *b, uint64_t box,
    const struct jhold *h);
void journal_del_hold(struct journal_batch *b, uint64_t box, uint32_t uid,
    struct span base);
void journal_put_left_out(struct journal_batch *b, uint64_t bits);
void journal_put_owner(struct journal_batch *b, struct journal_owner o);
size_t journal_batch_size(const struct journal_batch *b); /* puts so far */
/*
 * All or nothing, durable on return.  Frees the batch in every case.
 * ERR_FULL: disk full; nothing was written.
 */
int journal_commit(struct journal_batch **b, struct err *e);
void journal_batch_free(struct journal_batch **b); /* abort */
DEFINE_AUTO(journal_batch)

/*
 * The journal alone: every value decodes, row counts and sizes agree, no file
 * twice in a mailbox, keyword ids known.  Appends one line per finding to OUT.
 * *n_r: findings.
 */
int journal_check(struct journal *j, struct buf *out, uint64_t *n_r,
    struct err *e);

#endif
