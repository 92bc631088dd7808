/*
 * state: what a run knows, of the account (struct run) and of each mailbox
 * (struct sbox).  One thread, one run; internal.h says who fills in what.
 *
 * Who owns what: "run's arena" lives as long as the run, "pass's arena" until
 * the pass ends; what is "owned" is released by name.
 */
#ifndef SYNC_STATE_H
#define SYNC_STATE_H

#include "base/map.h"
#include "journal/journal.h"
#include "plan/plan.h"
#include "plan/tree.h"
#include "sync/sync.h"

/*
 * Passes of one run: the first does the work, the second usually only
 * confirms.  More are needed when somebody else is at work meanwhile.
 */
#define SYNC_PASSES 5

/* Rows of one size that are looked at, of all that the journal may have. */
#define SYNC_SAME_SIZE 256

/* slice.c: new messages of the server that are looked at in several passes. */
struct slicing {
	bool on;   /* some have not been looked at yet */
	bool first; /* this pass has the first slice */
	bool over; /* it was on, in this run: not once more */
	bool flags_known; /* the first pass saw the flags of the rows */
	struct uidset later; /* owned: still to be looked at */
	struct uidset gone;  /* owned: UIDs of rows that are not there */
	struct rview seen;   /* numbers of the SELECT that began it */
	struct arena mem;    /* owned, of: */
	struct lview files;  /* new here, and not found there yet */
	uint64_t all, left;  /* messages, in all slices and in those to come */
};

struct sbox {
	struct jbox j;		/* as it is to be recorded; id 0: not yet */
	struct jbox recorded;	/* as the journal has it */
	struct imap_box listed; /* numbers of the listing */
	bool is_listed;		/* listed is valid: until we write there */
	bool local_missing, remote_missing; /* a side has no such mailbox */
	bool stays;    /* and it is not deleted on the other one (case 118) */
	bool goes;     /* and it is, once it is empty (cases 105 and 106) */
	bool displaced; /* there, another mailbox has its name (plan/tree.h) */
	bool failed;   /* an error ended it for this run, or it was left out */
	bool last;     /* and failed: until others are done (next_suspects) */
	bool refused;  /* a move: it fails once what is new is carried over */
	bool left_out; /* by the command line */
	bool gone;     /* removed on both sides in this run */

	/* what has to be looked at in the next pass */
	bool dirty_l, dirty_r;
	bool rescan; /* set meanwhile: look again in the next pass */
	bool look_all; /* at each file, as --full does; to the end of the run */
	bool touched; /* by another mailbox's work: look in the next pass */
	bool changed; /* here, by others, since it was seen: the same */
	struct maildir_stamp seen; /* of what is known, here, of the files */
	struct slicing slice;

	/* of the current pass; in the pass's arena */
	bool observed;
	bool measured; /* that went well: r has the sizes of what is new */
	struct pairs base;
	struct lview l;
	/* l.delta, see local.c; owned, until the pass ends */
	struct uidset l_gone, l_look;
	struct rview r;
	struct imap_selected sel; /* of the SELECT that began it */
	struct imap_ask *ahead;	  /* what survey.c has asked; NULL: nothing */
	struct maildir_stamp stamp; /* of l */
	bool stamp_coarse;	    /* cannot be trusted: record NONE */
	bool writes_l;		    /* the plan has work in the directory */
	bool watched;		    /* what others do is known (local.c) */
	bool reread;		    /* we leave work there for the next pass */
	struct kwletters letters;
	uint32_t letters_seen; /* a..z in use without a meaning */
	bool letters_known;    /* all of these, see local_letters() */
	bool letters_lost;     /* the file does not say all of letters */
	bool letters_gone;     /* nor is there one */
	struct jhold *hold;    /* all of the mailbox, due or not */
	size_t nhold;
	struct arena hold_mem; /* owned, of hold */
	size_t op_from, op_to;	 /* round 1 */
	size_t del_from, del_to; /* round 2 */
	bool undone;		 /* some effect neither done nor on hold */
	bool put_off;		 /* of these, one until others are known */
	bool undeleted;		 /* what is to go from here has not gone yet */
	const char *left;	 /* why until the next run; run's arena */
	bool wrote_r, wrote_l;
	bool undurable; /* names here that may not be on disk (invariant 1) */
	bool keep_cursor, keep_stamp;
	bool littered; /* by an earlier run of ours: to be looked at again */
	bool deferred; /* something of it waits (slice.c): the marks stay */
	bool waits;    /* all of it does, but for what moves from it */
	bool unread_once; /* a file could not be read (adopt.c, rule 3) */
	bool held_said; /* the brake has been reported in this run */
	/* sizes of messages that nobody could compare; adopt.c, rule 4 */
	uint64_t *untold; /* run's arena */
	size_t nuntold, untoldcap;
};

struct run {
	const struct config *conf;
	const struct config_account *a;
	const struct sync_options *o;
	struct sync_report *rep;

	struct arena mem; /* of the whole run */
	struct journal_lock *lock;
	int64_t noted_ms; /* late.c: when the note was written; 0: none is */
	struct journal *j;
	struct journal_owner owner; /* as the journal has it; in mem */
	struct maildir *m;	    /* NULL in a dry run without a Maildir */
	struct imap_conf imap_conf; /* borrowed by the session */
	struct imap *imap;
	struct kwtab *kw;
	struct map told; /* failures that were reported; keys in mem */
	struct map dirs; /* paths of directories that are known; keys in mem */
	struct map anew; /* path -> id of a record that has only what is kept
			    there, for the mailbox that is new; keys in mem */
	struct span appeared; /* a mailbox here that is not known; "" none */
	/* tries of those that are due now (JHOLD_SUSPECT, sbox.last) */
	uint32_t suspects;

	struct sbox *box;
	size_t nbox;
	uint64_t account_messages; /* at the start */
	uint32_t passes; /* begun */
	bool list_damaged, root_damaged, replaced; /* as in the tree's plan */
	bool list_unread; /* the server's list has lines that nobody can read */
	bool root_missing; /* and the journal knows of mailboxes */
	uint64_t let_in; /* left out when marks were taken, and not any more */
	bool names_left; /* and renames, which were seen and are not done yet */
	bool keep_stamps; /* by them the next run has to see that, too */
	bool stepped;  /* mailboxes are where the plan of names wants them */
	bool renaming; /* others rename mailboxes meanwhile (rename.c, rule 4) */

	struct span selected_wire; /* what the session has selected, "" none */
	bool selected_rw;
	uint32_t selected_uidvalidity;
	struct imap_selected sel;

	struct span trash; /* wire name, where deletes go; "": they expunge */
	bool trash_missing; /* it is to be made */
	bool trash_closed; /* COPY does not tell what it did: no more of it */

	uint64_t seed;	/* of this run, not to be foreseen */
	int64_t now;	/* wall seconds at the start */
	int bin_fd;	/* -1 until something goes to the bin */
	bool no_upload; /* quota: no more APPEND in this run */
	/* what may be a copy's source was not there; it has its row (moves.c) */
	bool source_gone_l, source_gone_r;

	/* of the current pass */
	bool slicing; /* something on the server has not been looked at yet */
	uint64_t looked_at; /* new messages of the server */
	bool sliced; /* a slice of what was left is taken */
	struct arena pass;
	struct unread *unread; /* putoff.c, rule 2 */
	size_t nunread, unreadcap;
	struct plan plan;
	struct group *group; /* by op.group */
	size_t transfer_from, transfer_to; /* in plan.op */
	/* files of others, of rows that are to be committed (invariant 1) */
	struct maildir_name *theirs;
	size_t ntheirs, theirscap;
};

/* A new file that could not be read, or waits. */
struct unread {
	bool again; /* the next pass reads it */
	bool has_size;
	uint64_t fsize;
};

/* The ops of one message; its row is recorded when all are done. */
struct group {
	uint32_t left; /* ops of round 1 not yet done */
	bool failed;
	bool moved;	  /* of LMOVE: the file is where it belongs */
	bool theirs;	  /* the file is one that others wrote */
	bool matched;	  /* as it is, the file was found or brought there */
	struct pair *row; /* as it will be recorded; in one of the ops */
};

/* Is B looked at in this pass? */
static inline bool
sbox_is_due(const struct sbox *b)
{
	return !b->failed && !b->gone && (b->dirty_l || b->dirty_r);
}

#endif
