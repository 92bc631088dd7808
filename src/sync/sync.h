/*
 * sync: one account, one pass after the other, until both sides agree.
 *
 * sync_account() takes the account's lock, opens the journal and one
 * connection, and repeats observe -> plan -> apply -> record.  It reports
 * through struct sync_report, filled in also when it fails.
 *
 * Any thread; several accounts of one configuration at once, each with its own
 * options, sink and report.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "base/log.h"
#include "config/config.h"
#include "imap/imap.h"
#include "maildir/maildir.h"

enum sync_event_kind {
	SYNC_EVENT_OP,	     /* one thing was done: .text is its line */
	SYNC_EVENT_PLAN,     /* --dry-run: it would be done */
	SYNC_EVENT_PROGRESS, /* numbers for the progress line */
	SYNC_EVENT_HELD,     /* deletes held back: .text says why */
	SYNC_EVENT_FAILED,   /* a message or mailbox failed: .text */
	SYNC_EVENT_LEFT	     /* what is left of a mailbox to the next run */
};

struct sync_event {
	enum sync_event_kind kind;
	const char *account;
	struct span mailbox; /* name; "" when none */
	const char *op;	     /* "pull", "push", ... or "" */
	int case_number;     /* 0: none */
	uint32_t uid;	     /* 0: none */
	struct span file;
	struct span from;    /* move, copy: the mailbox it was in; else "" */
	uint32_t from_uid;   /* its UID there; 0: none */
	const char *text;
	uint64_t done, total; /* messages, of PROGRESS */
	uint64_t bytes;	      /* so far */
};

/*
 * Where events go; implemented by cli/.  Called in the thread of the
 * account.  EVENT and what it points to live during the call only.
 */
struct sync_sink {
	void (*event)(struct sync_sink *sink, const struct sync_event *event);
};

struct sync_options {
	bool dry_run, full, allow_deletes;
	const struct span
	    *mailboxes; /* names from the command line; none: all */
	size_t nmailboxes;
	bool whole; /* all, though some were named too */
	bool named; /* the account is, by the command line */
	const struct cancel *cancel;
	struct log *log;
	struct imap_trace *trace;
	struct sync_sink *sink;
	struct net_trust *trust; /* of all accounts; NULL: each its own */
	const char *exe; /* this program, where there are threads; else NULL:
			    journal_open_by() */
	const char *called; /* "mochila -c FILE", for advice; NULL: "mochila" */
};

struct sync_report {
	const char *account;
	uint64_t pulled, pushed, moved, copied, flags, deleted_local,
	    deleted_remote, adopted, boxes_created, boxes_deleted,
	    boxes_renamed, held, failed, waiting, left, bytes_in, bytes_out,
	    round_trips;
	double seconds;
	/* left: mailboxes of which something is left to the next run */
	bool unsettled; /* all passes are used up, and something is left */
	char run[40];	/* run id when something went to the bin, else "" */
	int status;	/* exit status of this account: 0, 3, 65, 69, 75, ... */
	struct err err; /* what ended it early; code 0: nothing */
};

/* *REP is filled in whatever comes of it; its .err: what ended it early. */
void sync_account(const struct config *c, const struct config_account *a,
    const struct sync_options *o, struct sync_report *rep);

/* Put back what run RUN removed (maildir_unbin).  ERR_USAGE: no such run. */
int sync_undo(const struct config_account *a, const char *run,
    const struct cancel *cancel, struct maildir_unbinned *n_r, struct err *e);

/* A run that removed something which has not been put back. */
struct sync_bin {
	struct span run;
	uint64_t messages;
};
/* Those of A, the oldest first; V_R and the names in MEM.  Changes nothing. */
int sync_bins(const struct config_account *a, struct arena *mem,
    struct sync_bin **v_r, size_t *n_r, struct err *e);

/*
 * Journal against the Maildir and, with REMOTE, against the server.  Appends
 * one line per finding to FINDINGS; *n_r: how many.  Writes nothing.
 */
int sync_verify(const struct config *c, const struct config_account *a,
    bool remote, const struct sync_options *o, struct buf *findings,
    uint64_t *n_r, struct err *e);

#endif
