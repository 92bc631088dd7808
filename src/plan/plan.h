/*
 * plan: what is to be done, out of what was seen.  PURE and total: the same
 * views give the same plan; no I/O, no clock, no randomness.
 *
 *	plan_init(&pl, mem);
 *	for each mailbox:
 *		plan_new_files(...), plan_candidates(...)
 *			which bodies must be compared; equal ones get one .klass
 *		plan_merge(&pl, ...)
 *	plan_moves(&pl, ...);  deletes and new messages that are moves
 *	plan_brake(&pl, &policy);
 *	plan_order(&pl);
 *	... sync/ applies pl.op[] or prints it ...
 *
 * Each op carries the number of its case in doc/merge-table.md.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/view.h"

/* Numbered as in doc/merge-table.md; never renumber. */
enum plan_case {
	/* a row, both sides there */
	CASE_SAME = 1,         /* nothing changed */
	CASE_L_FLAGS = 2,      /* flags changed here */
	CASE_R_FLAGS = 3,      /* flags changed on the server */
	CASE_LR_FLAGS = 4,     /* on both sides */
	/* a row, one side gone */
	CASE_L_GONE = 5,       /* deleted here */
	CASE_L_GONE_R_FLAGS = 6, /* deleted here, flags changed there */
	CASE_R_GONE = 7,
	CASE_R_GONE_L_FLAGS = 8,
	CASE_LR_GONE = 9,
	/* no row */
	CASE_L_NEW = 10,
	CASE_R_NEW = 11,
	CASE_LR_NEW_EQUAL = 12, /* equal content on both sides: adopted */
	CASE_L_HOLD = 13,       /* could not be uploaded; waits */
	CASE_R_HOLD = 14,       /* could not be fetched; waits */
	/* UIDs mean nothing any more (UIDVALIDITY changed, UIDNEXT back) */
	CASE_RENUM_EQUAL = 15,  /* row's file = a message of the new numbers */
	CASE_RENUM_L_ONLY = 16, /* not on the server any more: pushed again */
	CASE_RENUM_L_GONE = 17, /* row's file is gone too: row forgotten */
	/* the server's mod-sequence went back */
	CASE_DOUBT_R_GONE = 18, /* absence is not believed: pushed again */
	/* policy */
	CASE_EXPUNGE = 19,      /* expunge: yes, and \Deleted on both sides */
	CASE_L_REPLACED = 20,   /* same name, other content: new for old */
	/* a message that is somewhere in the account already */
	CASE_L_MOVED = 21,      /* to another mailbox, here */
	CASE_R_MOVED = 22,      /* to another mailbox, on the server */
	CASE_L_COPIED = 23,
	CASE_R_COPIED = 24,
	CASE_R_NEW_UID = 25,    /* same mailbox, new UID */
	CASE_LR_MOVED = 26,     /* to different mailboxes: the server's wins */
	CASE_R_TWIN = 27,       /* is being fetched into another mailbox */
	/* policy */
	CASE_KEPT = 28,         /* deletes: keep; gone there, stays here */
	CASE_SKIPPED = 29       /* over max_size or max_age */
};

enum op_kind {
	OP_RECORD,  /* nothing to carry out: row gets file, flags, modseq */
	OP_ADOPT,   /* row for UID and file; flags follow as LFLAGS/RFLAGS */
	OP_FORGET,  /* row goes */
	OP_PULL,    /* fetch UID into a new file */
	OP_PUSH,    /* append the file */
	OP_LCOPY,   /* PULL whose bytes are here: copy of op.from's file */
	OP_RCOPY,   /* PUSH whose bytes are there: UID COPY of op.from_uid */
	OP_LMOVE,   /* the file comes from op.from by rename */
	OP_RMOVE,   /* UID MOVE of op.from_uid */
	OP_KEEP,    /* row goes, the file stays, and is not pushed */
	OP_SKIP,    /* not carried over, by policy; noted once */
	OP_LATER,   /* PULL that is an LCOPY once its twin is here */
	OP_LFLAGS,  /* file gets +add -del */
	OP_RFLAGS,  /* UID STORE +add -del */
	OP_LDELETE, /* file to the bin */
	OP_RDELETE, /* UID STORE \Deleted, UID EXPUNGE */
	OP_WAIT     /* held message; shown in the plan, not carried out */
};

struct op {
	enum op_kind kind;
	enum plan_case why;
	uint32_t box;     /* the caller's number of the mailbox */
	uint32_t uid;     /* 0: none yet (PUSH) */
	/* RENUM_*, L_REPLACED: UID of the row that it replaces, else 0 */
	uint32_t old_uid;
	struct span file; /* as observed = precondition; "" for PULL */
	struct flags add, del; /* LFLAGS, RFLAGS: to that side */
	struct flags shown; /* LDELETE, LMOVE, RMOVE, RCOPY: of the file */
	/*
	 * LMOVE, ADOPT: the UID shows other flags than row.r, which are to be
	 * merged by the next pass: the cursor may not pass them.
	 */
	bool behind;
	/*
	 * LCOPY, LMOVE, RCOPY, RMOVE: the mailbox it comes from, and its UID
	 * there (0: none).  .file is for LCOPY and LMOVE in that mailbox, else
	 * in .box.
	 */
	uint32_t from, from_uid;
	/*
	 * LMOVE, ADOPT: the row that both sides left for this one; it goes in
	 * the transaction that brings this one (0: none).
	 */
	uint32_t left_box, left_uid;
	struct flags old_l, old_r; /* PUSH of a row: what was agreed on */
	bool file_stays; /* FORGET: and has no row until something else is done */
	struct span gid; /* PULL: as rmsg.gid */
	/*
	 * PULL: row.sha is known though nothing was fetched (the bytes were
	 * compared with a file that is here).
	 */
	bool known;
	/*
	 * The row as it is to be recorded once the op is done: flags of both
	 * sides as they are meant to be, uid 0 for PUSH (APPENDUID fills it).
	 * For PULL .file is empty.
	 */
	struct pair row;
	/*
	 * Of the only side that is written to: what was changed there, and not
	 * on the other one; of a PUSH of case 20, what was changed there on the
	 * old message.  Nobody agreed on it, so the row goes without LEFT_ADD,
	 * and with LEFT_DEL.
	 */
	struct flags left_add, left_del;
	/*
	 * A message may need two ops (LFLAGS and RFLAGS after ADOPT or
	 * CASE_LR_FLAGS).  All ops of one message stand side by side with the
	 * same GROUP; each carries the full row.
	 */
	uint32_t group;
	bool held; /* by the brake: not to be carried out */
};

/* Why the brake holds a mailbox's deletes. */
enum brake {
	BRAKE_OFF = 0,
	BRAKE_BOX,      /* over max_deletes and a quarter of the mailbox */
	BRAKE_ACCOUNT,  /* over 20 and half of the account */
	BRAKE_DAMAGED,  /* Maildir root missing or empty, no cur/ or new/ */
	BRAKE_LIST,     /* LIST lost most mailboxes */
	BRAKE_REPLACED, /* another directory: put back from a backup? */
	BRAKE_STILL     /* they were held back before, and nobody allowed them */
};

struct plan_policy {
	uint32_t max_deletes; /* default 100 */
	bool allow_deletes;   /* --allow-deletes */
	bool expunge;         /* also remove what carries \Deleted */
	/*
	 * The side that is never written to: its messages are not changed,
	 * added or removed, and what differs there stays so.
	 */
	bool no_local, no_remote;
	bool keep;            /* a message that is gone there stays here */
	uint64_t max_size;    /* octets; larger ones are left out; 0: off */
	int64_t not_before;   /* INTERNALDATE; older ones stay there; 0: off */
	bool root_damaged;    /* the Maildir is missing or has no mailbox */
	bool list_damaged;    /* LIST lost most mailboxes */
	uint64_t account_messages; /* rows of the whole account */
};

/* What plan_merge() counted for one mailbox, and what the brake said. */
struct plan_box {
	uint32_t box;
	uint64_t rows;    /* messages agreed on before */
	bool damaged, replaced; /* as lview's */
	bool missing;     /* as rview's */
	uint32_t ldeletes, rdeletes;
	uint32_t held, held_l; /* of these; held_l are LDELETE */
	bool was_held_l, was_held_r; /* set by the caller: by an earlier brake */
	enum brake brake;
	/*
	 * May the marks move?  The cursor (HIGHESTMODSEQ) must not pass a held
	 * remote deletion, the directory stamp not a held local one.
	 */
	bool keep_cursor, keep_stamp;
};

struct plan {
	struct arena *mem;
	struct op *op;
	size_t n, cap;
	struct plan_box *box;
	size_t nbox, boxcap;
	uint32_t groups;
};

void plan_init(struct plan *pl, struct arena *mem);

/*
 * Whose content has to be known before the merge: new files and new UIDs of
 * one mailbox that could be one message.  A file can only be a UID's message
 * when its canonical size, or its raw size, is RFC822.SIZE; or its size without
 * mbsync's line (mail/digest.h), and where that was at work also with one, as
 * it puts it into what it uploads, too (plan_has_tuids).  The caller first
 * fills in lmsg.content of new files (plan_new_files tells which) and
 * rmsg.size.  Indexes into r->v, ascending, in the plan's arena.
 *
 * plan_new_files: indexes into l->v of files that no row names (by file name,
 * base, stat identity or content), whose message is in doubt (case 18), or that
 * were read and are not what their row says (case 20); all of them when the
 * server renumbered.
 */
void plan_new_files(struct arena *mem, const struct pairs *base,
    const struct lview *l, const struct rview *r, uint32_t **v_r, size_t *n_r);
bool plan_has_tuids(const struct lview *l);
void plan_candidates(struct arena *mem, const struct pairs *base,
    const struct lview *l, const struct rview *r, uint32_t **v_r, size_t *n_r);

/*
 * Merge one mailbox.  ROWS: how many rows it has in the journal, also when
 * BASE holds only the touched ones.  Messages of equal .klass (not 0) on both
 * sides are one message, in order of UID and file name.
 */
void plan_merge(struct plan *pl, uint32_t box, const struct pairs *base,
    uint64_t rows, const struct lview *l, const struct rview *r,
    const struct plan_policy *policy);

/*
 * A message that is in the account and stays there, which new ones may be
 * copies of: its row, with .file as it is named now.
 */
struct plan_live {
	uint32_t box;
	struct pair row;
	bool local, remote; /* is there, on that side */
};

/*
 * What stays here leaves the plan, unless a message like it has left a mailbox
 * on both sides.
 */
void plan_drop_staying(struct plan *pl);

/*
 * Account-wide: what vanished in one mailbox and appeared in another is a
 * move, and what appeared while its like stays is a copy (doc/merge-table.md,
 * cases 21 to 27).  Content decides: PUSH ops and rows have its digest, a PULL
 * has it when .known.  LIVE may have the rows that deletes of this plan are
 * about; such a one counts as a source for copies.  What is kept of a mailbox
 * that is missing, and has not moved, leaves the plan unless new mail makes the
 * mailbox again (case 118).
 */
void plan_moves(struct plan *pl, const struct plan_live *live, size_t nlive);

/*
 * Hold back deletes; fills plan_box.brake, .held*, .keep_*, op.held.  .was_held_*
 * is to be set before.
 */
void plan_brake(struct plan *pl, const struct plan_policy *policy);

/*
 * The order of carrying out, stable: per mailbox RECORD, ADOPT, FORGET, KEEP,
 * SKIP, LFLAGS, RFLAGS, PULL (newest first), PUSH; then, of all mailboxes,
 * LCOPY, RCOPY, LMOVE, RMOVE (which come before the PULLs when they are carried
 * out, so that what is copied is still there); then all deletes (round 2: only
 * where round 1 is recorded).
 */
void plan_order(struct plan *pl);

/*
 * By file: the index into BASE->v of the row that it is, as far as names tell
 * and what is known of files by now; SIZE_MAX: none.  In the plan's arena.
 */
const size_t *plan_row_of(
    struct arena *mem, const struct pairs *base, const struct lview *l);

/* F was read, and its content is not what ROW says. */
bool plan_is_other(const struct lmsg *f, const struct pair *row);

/* May two INTERNALDATEs be of one message? */
bool plan_seconds_near(int64_t a, int64_t b);

/* By what either side showed. */
bool plan_is_draft(const struct pair *row);

/* The base name of "cur/base:2,S"; borrowed. */
struct span plan_base(struct span file);

/* LDELETE, RDELETE: round 2.  LCOPY, RCOPY, LMOVE, RMOVE: between mailboxes. */
bool op_is_delete(const struct op *op);
bool op_is_transfer(const struct op *op);

/* A new message, also one over a limit (invariant 5 of moves.c). */
bool op_is_new_there(const struct op *op);
bool op_is_new_here(const struct op *op);
/* Case 9. */
bool op_has_left_both(const struct op *op);
/* New here where nothing is written there: it may still move (case 26). */
bool op_stays_here(const struct op *op);
/* Cases 16, 18; OP_WAIT where nothing is written there: it may still move. */
bool op_goes_up_again(const struct op *op);

/*
 * One line for people, e.g. "pull INBOX uid 12 (case 11: new on the server)".
 * FROM: the name of op->from, for copies and moves.
 */
void plan_print_op(const struct op *op, struct span mailbox,
    struct span from, const struct kwtab *kw, struct buf *out);

/* "pull", "push", ... and the words for a case, both static. */
const char *plan_kind_word(enum op_kind kind);
const char *plan_case_words(enum plan_case why);

/*
 * Three-way merge of flags.  bl, br: what each side showed at the last
 * agreement; l, r: what it shows now.
 *   add = (l - bl) + (r - br),  del = (bl - l) + (br - r)
 * an added flag beats a removed one (possible only when bl and br differ).
 * to_l = (l + add) - del, to_r likewise.
 */
void plan_merge_flags(struct arena *mem, struct flags bl, struct flags br,
    struct flags l, struct flags r, struct flags *to_l_r,
    struct flags *to_r_r);

#endif
