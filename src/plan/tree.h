/*
 * tree: which mailboxes are to be created, deleted, renamed or synced.  PURE.
 *
 * Three lists are matched: the journal's, the server's (LIST), and the
 * directories on disk.
 *
 *	tree_match -> the caller looks at the guesses -> tree_plan
 */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include "mail/layout.h"

/* What each side knows of a mailbox. All spans borrowed. */
struct tree_journal {
	uint64_t id;
	struct span wire, name, path;
	uint64_t rows;
	uint32_t uidvalidity, uidnext, messages; /* 0: unknown */
	uint64_t modseq;			 /* 0: unknown */
	struct span mailboxid;			 /* "": unknown */
	uint64_t cur_ino, new_ino;		 /* 0: unknown */
	bool gone; /* from the server, in an earlier run, and kept here */
	bool held_l, held_r; /* deletes on that side were held back before */
};

struct tree_remote {
	struct span wire, name;
	char delim;
	bool selectable; /* neither \Noselect nor \NonExistent */
	bool virtual;    /* \All, \Flagged, \Important: shows other mailboxes */
	uint32_t uidvalidity, uidnext, messages; /* 0: unknown */
	uint64_t modseq;			 /* 0: unknown */
	struct span mailboxid;			 /* "": unknown */
};

struct tree_local {
	struct span path;
	bool is_box;  /* holds cur/ or new/ */
	bool damaged; /* one of the two is missing */
	uint64_t cur_ino, new_ino; /* 0: unknown */
};

/*
 * Which mailbox of the server, and which directory, a mailbox of the journal
 * is now.
 *
 * On the server, in this order: the same MAILBOXID (RFC 8474); the same wire
 * name; the same name, spelt with another delimiter or namespace prefix; a
 * guess: the same UIDVALIDITY under another name.  UIDVALIDITY is not unique
 * among mailboxes, so the guess is made only where it leaves no choice, and
 * UIDNEXT and the number of messages allow it.  A name matches only while
 * UIDVALIDITY, where both are known, is the same.
 *
 * On disk: the same path with the same cur/ and new/; a guess: their inodes
 * under another path.  A copied tree has other inodes, which may happen to be
 * those of another mailbox: that is why it is no more than a guess.
 *
 * INBOX is INBOX, and nothing else becomes it.
 *
 * The caller looks into what is guessed, and sets the ones that are wrong to
 * TREE_NOT.
 */
enum tree_how {
	TREE_NOT = 0,
	TREE_BY_NAME, /* same wire, same name or same path */
	TREE_BY_ID,
	TREE_BY_GUESS
};

struct tree_match {
	enum tree_how rhow, lhow;
	size_t r, l; /* index into the lists, unless TREE_NOT */
	/*
	 * Set by the caller when its rename could not be carried out.  APART:
	 * something was in the way, or moved meanwhile; it is to be taken for a
	 * deletion and a new mailbox.  STAY: it was refused; nothing is done.
	 */
	bool apart, stay;
};

enum tree_kind {
	TREE_SYNC,      /* on both sides; in the journal or newly paired */
	TREE_CREATE_L,  /* on the server, not in the journal: make it here */
	TREE_CREATE_R,  /* only here, not in the journal: make it there */
	TREE_DELETE_L,  /* journal says both had it; gone on the server */
	TREE_DELETE_R,  /* gone here */
	TREE_FORGET,    /* gone on both sides; or to be new here once more */
	TREE_SKIP,      /* cannot be synced; text says why */
	TREE_RENAME_R,  /* renamed here: rename it there, then sync */
	TREE_RENAME_L,  /* renamed there: rename it here, then sync */
	TREE_RENAMED,   /* renamed on both sides: the journal follows, sync */
	TREE_STAY,      /* gone on one side, and stays on the other: what is new
			   in it makes it again where it is gone */
	TREE_LEAVE      /* not ours to touch; only its record may have to follow
			   a directory that was moved with its parent */
};

/* Numbered as in doc/merge-table.md, "Mailboxes". */
enum tree_case {
	TREE_CASE_BOTH = 101,
	TREE_CASE_R_ONLY = 102,
	TREE_CASE_L_ONLY = 103,
	TREE_CASE_PAIRED = 104,    /* on both sides, not in the journal */
	TREE_CASE_R_GONE = 105,
	TREE_CASE_L_GONE = 106,
	TREE_CASE_BOTH_GONE = 107,
	TREE_CASE_BAD_NAME = 108,  /* directory is no possible mailbox name */
	TREE_CASE_NOT_FOR_SERVER = 109, /* name cannot be on this server */
	TREE_CASE_COLLISION = 110, /* two mailboxes want one directory */
	TREE_CASE_INBOX_GONE = 111,/* INBOX is never deleted: made again */
	TREE_CASE_DAMAGED = 112,   /* directory lacks cur/ or new/: see brake */
	TREE_CASE_L_RENAMED = 113,
	TREE_CASE_R_RENAMED = 114,
	TREE_CASE_BOTH_RENAMED = 115,
	TREE_CASE_TWO_NAMES = 116, /* renamed on both sides, differently */
	TREE_CASE_ONE_WAY = 117, /* renamed; the other side is not written to */
	TREE_CASE_POLICY = 118,    /* gone on one side; direction or deletes
				      keep it on the other */
	TREE_CASE_REFUSED = 119, /* renamed; the other side refuses the name */
	TREE_CASE_R_BACK = 120, /* gone on a server that is as it was before */
	TREE_CASE_CROSSED = 121 /* renamed on one side, to where patterns say
				   otherwise: each goes by its own name */
};

struct tree_op {
	enum tree_kind kind;
	enum tree_case why;
	uint64_t id;  /* of the journal row; 0: none yet */
	struct span wire, name, path; /* once the steps are done */
	struct span now_wire, now_path; /* before; "" on a side without it */
	struct span old_name; /* in the journal; "": none yet */
	char delim;
	bool damaged; /* local directory lacks cur/ or new/, or is missing */
	bool held;    /* by the brake */
	bool held_l, held_r; /* as in the journal */
	/*
	 * It is gone on one side, where another mailbox has its name by now:
	 * so it is certainly gone, and cannot be made there again.
	 */
	bool displaced;
	/*
	 * CREATE_*: a mailbox whose name differs only in case is on that side.
	 * Where case means nothing, making this one would give that one.
	 */
	bool twin;
	uint64_t rows;
	const char *text; /* TREE_SKIP: why, for people */
};

/* Renames, in this order, before anything else. */
struct tree_step {
	bool remote;
	struct span from, to; /* wire names, or paths */
	uint64_t id;          /* of the mailbox that it is for */
};

struct tree_plan {
	struct tree_op *op; /* parents first; of deletes children first */
	size_t n;
	struct tree_step *step;
	size_t nstep;
	bool list_damaged; /* LIST lost most of the mailboxes */
	bool root_damaged; /* no mailbox directory, but the journal has some */
	bool replaced; /* none of the directories is the one that was known */
};

struct tree_policy {
	enum layout layout;
	struct span prefix; /* namespace prefix on the wire */
	char delim;         /* for mailboxes to be created */
	const struct span *patterns; /* of the configuration */
	size_t npatterns;
	bool allow_deletes;
	bool list_complete; /* LIST ended with a tagged OK */
	bool write_r, write_l; /* direction: may that side be changed? */
	bool keep;  /* deletes: keep; no mailbox is deleted here */
	/*
	 * One side was not written to for a while: who is where the journal has
	 * it, and not by the journal's name, was renamed then (case 117).
	 */
	bool names_left;
	bool inodes_stay; /* those of directories, from one run to the next */
};

/* M: nj of them.  Total and deterministic. */
void tree_match(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, enum layout layout, struct tree_match *m);

/*
 * Mailbox I of the journal is taken for one called NAME.  NOW: what those of
 * the journal are called on that side, as far as they are known (else .p NULL).
 * Does one above it have its name changed in just the same way?
 */
bool tree_goes_along(const struct tree_journal *j, size_t nj,
    const struct span *now, size_t i, struct span name);

/*
 * Total and deterministic.  A mailbox that patterns exclude is not touched,
 * also when the journal has it; so is a virtual one that they do not name.  One
 * that they exclude by its name on one side only is two mailboxes from then on.
 * A deletion of a mailbox is held (op.held) when LIST is not complete or lost
 * most mailboxes (more than half and more than two of those in the journal),
 * or when the root is damaged or, by its directories, was put back from a
 * backup, which knows nothing of a mailbox that is younger; of one without
 * messages also when that was so before (.held_*).  An empty listing never
 * deletes.  (How many messages go is for the brake of the messages.)
 *
 * Where a rename cannot be done as such, because its target is in the way and
 * stays there, the two names are taken for a deletion and a new mailbox.
 */
void tree_plan(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, const struct tree_match *m, const struct tree_policy *policy,
    struct tree_plan *plan_r);

const char *tree_case_words(enum tree_case why);

/*
 * The name of what is put out of the way for a moment (two mailboxes that
 * swapped names), or until it is deleted, and of what is below it.  It is not
 * taken for a name that a person gave.
 */
#define TREE_ASIDE "-mochila-aside"
bool tree_is_aside(struct span name);

#endif
