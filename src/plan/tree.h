/*
 * tree: which mailboxes are to be created, deleted or synced.  PURE.
 *
 * Three lists are matched: the journal's, the server's (LIST), and the
 * directories on disk.
 */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include "mail/layout.h"

/* What each side knows of a mailbox. All spans borrowed. */
struct tree_journal {
	uint64_t id;
	struct span wire, name, path;
	uint64_t rows;
};

struct tree_remote {
	struct span wire, name;
	char delim;
	bool selectable; /* neither \Noselect nor \NonExistent */
};

struct tree_local {
	struct span path;
	bool is_box;  /* holds cur/ or new/ */
	bool damaged; /* one of the two is missing */
};

enum tree_kind {
	TREE_SYNC,      /* on both sides; in the journal or newly paired */
	TREE_CREATE_L,  /* only on the server, not in the journal: make it here */
	TREE_CREATE_R,  /* only here, not in the journal: make it there */
	TREE_DELETE_L,  /* journal says both had it; gone on the server */
	TREE_DELETE_R,  /* gone here */
	TREE_FORGET,    /* gone on both sides */
	TREE_SKIP       /* cannot be synced; text says why */
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
	TREE_CASE_DAMAGED = 112    /* directory lacks cur/ or new/: see brake */
};

struct tree_op {
	enum tree_kind kind;
	enum tree_case why;
	uint64_t id;  /* of the journal row; 0: none yet */
	struct span wire, name, path;
	char delim;
	bool damaged; /* local directory lacks cur/ or new/, or is missing */
	bool held;    /* by the brake */
	uint64_t rows;
	const char *text; /* TREE_SKIP: why, for people */
};

struct tree_plan {
	struct tree_op *op; /* parents before children; deletes: children first */
	size_t n;
	bool list_damaged; /* LIST lost most of the mailboxes */
	bool root_damaged; /* no mailbox directory at all, but the journal has */
};

struct tree_policy {
	enum layout layout;
	struct span prefix; /* namespace prefix on the wire */
	char delim;         /* for mailboxes to be created */
	const struct span *patterns; /* of the configuration */
	size_t npatterns;
	bool allow_deletes;
	uint32_t max_deletes;
	bool list_complete; /* LIST ended with a tagged OK */
};

/*
 * Total and deterministic.  A mailbox that patterns exclude is not touched
 * and not in the result, also when the journal has it.  A deletion of a
 * mailbox is held (op.held) when LIST is not complete or lost most
 * mailboxes (more than half and more than two of those in the journal), when
 * the root is damaged, or when its rows are over max_deletes and no
 * allow_deletes.  An empty listing never deletes.
 */
void tree_plan(struct arena *mem, const struct tree_journal *j, size_t nj,
    const struct tree_remote *r, size_t nr, const struct tree_local *l,
    size_t nl, const struct tree_policy *policy, struct tree_plan *plan_r);

const char *tree_case_words(enum tree_case why);

#endif
