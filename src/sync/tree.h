/*
 * tree: what tree.c, lists.c, rename.c, trash.c and gone.c share.
 */
#ifndef SYNC_TREE_H
#define SYNC_TREE_H

#include "base/map.h"
#include "sync/internal.h"

/* The three lists, and what they mean. */
struct lists {
	struct imap_listing remote;
	struct maildir_dir *seen; /* on disk */
	size_t nseen;
	struct maildir_dir *dir; /* the same, without links */
	size_t ndir;
	struct jbox *jbox;
	size_t njbox;
	struct map by_wire; /* wire -> index into remote.v */
	struct map by_id;   /* id -> index into jbox */
	bool outdated; /* one that was looked at is not there any more */

	/* The same for plan/tree.h, at the same indexes. */
	struct tree_journal *tj;
	struct tree_remote *tr;
	struct tree_local *tl;
	struct tree_match *m;
	struct tree_plan plan;
};

/* lists.c */
void lists_init(struct lists *ls);
void lists_release(struct lists *ls);
int lists_read(struct run *r, struct lists *ls, struct err *e);
/* Guesses looked at; VERDICT: id -> enum rename_verdict. */
int lists_plan(struct run *r, struct lists *ls, const struct map *verdict,
    struct err *e);
/*
 * Read and planned, until the plan is borne out: somebody may move mailboxes
 * while they are read.
 */
int lists_settle(struct run *r, struct lists *ls, const struct map *verdict,
    struct err *e);
/*
 * Where the plan deletes a mailbox on the server because there is none here:
 * *same_r: are the directories, listed once more, the same?
 */
int lists_confirm(struct run *r, const struct lists *ls, bool *same_r,
    struct err *e);

/* rename.c */

/*
 * Look at the messages of what is guessed to have been renamed; a guess that
 * they do not bear out is taken back.  Reads only.
 */
int rename_verify(struct run *r, struct lists *ls, struct err *e);

/*
 * Do the messages of J's rows lie in the mailbox WIRE, by size and date?
 * UNKNOWN: of those that were looked for none is there; ANEW: it has another
 * UIDVALIDITY.  *gone_r: WIRE, which was listed, is not there any more.
 */
enum rename_look { RENAME_OTHER, RENAME_ANEW, RENAME_UNKNOWN, RENAME_SAME };
int rename_look_there(struct run *r, const struct jbox *j, struct span wire,
    struct arena *mem, enum rename_look *v_r, bool *gone_r, struct err *e);

/* What could not be renamed, by id. */
enum rename_verdict { RENAME_APART = 1, RENAME_STAY };

/*
 * Carry out the steps of the plan.  *again_r: one could not be; why is in
 * VERDICT, and everything has to be listed and planned once more.
 */
int rename_steps(struct run *r, struct lists *ls, struct map *verdict,
    bool *again_r, struct err *e);

/* What goes by another name now, into the journal. */
int rename_record(struct run *r, struct lists *ls, struct err *e);

/*
 * trash.c: where messages go that were deleted here (on_local_delete: trash;
 * always at Gmail's, where an expunge only takes a label away).
 */
int trash_find(struct run *r, const struct lists *ls, struct err *e);

/* tree.c: is mailbox NAME what the command line calls WORD? */
bool tree_is_called(struct span name, struct span word);

/*
 * patterns.c: of those in the configuration, what matches nothing is told.
 * ERR_CONFIG: no mailbox at all is left.
 */
int patterns_check(struct run *r, const struct lists *ls, struct err *e);
/* No mailbox of the plan is called WORD: ERR_USAGE where one is left out. */
int patterns_explain(struct run *r, const struct lists *ls, struct span word,
    struct err *e);

/*
 * create.c: B, which is new by OP, is made on the other side.  *skip_r: that
 * cannot be, which is said.
 */
int create_by_plan(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e);

/* gone.c: the record of B goes, WHY is said where it is to be. */
int gone_by_plan(
    struct run *r, enum tree_case why, struct sbox *b, struct err *e);
/*
 * CREATE.  What is kept here of a mailbox of this name (case 118) is not to go
 * up into it.
 */
int gone_make_again(struct run *r, struct span wire, struct err *e);
/* B is not on the server, by its list: *skip_r says that it is nevertheless. */
int gone_confirm(struct run *r, struct sbox *b, bool *skip_r, struct err *e);
/* Case 105, until its messages are gone. */
int gone_delete_here(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e);

#endif
