/*
 * explain: what is known of one message, and which rule would act on it next.
 *
 *	explain_init -> explain_uid, explain_file or explain_content ->
 *	explain_next -> explain_release
 *
 * Reads only, and takes no lock: it may run beside a sync.  One thread.
 */
#ifndef SYNC_EXPLAIN_H
#define SYNC_EXPLAIN_H

#include "journal/journal.h"
#include "sync/sync.h"

/* One thing that a sync would do, or why it would not. */
struct explain_step {
	/* PLAN: it would be done; HELD, FAILED: in the way, .text says what */
	enum sync_event_kind kind;
	const char *op; /* "pull", ...; "none" and "wait": nothing is done */
	int case_number;      /* 0: none */
	bool of_mailbox;      /* not of the message alone */
	struct span mailbox;  /* "": the whole account */
	uint32_t uid;         /* 0: none */
	struct span file;
	struct span from;     /* move, copy */
	uint32_t from_uid;
	const char *text;
};

/* Another message of equal content. */
struct explain_twin {
	struct span mailbox;
	uint32_t uid;
};

struct explain {
	const struct config_account *a;
	struct arena mem;
	struct kwtab *kw;

	struct jbox box;  /* .id 0: not in the journal; .name, .path are set */
	bool is_synced;   /* by the account's patterns */
	uint32_t uid;     /* 0: none is known */
	struct span file; /* "cur/base:2,S": as it is, or was, named; or "" */

	bool has_row, has_hold, on_disk;
	struct pair row;   /* what both sides agreed on */
	struct jhold hold; /* why it is not carried over */
	size_t nkept;      /* files of its mailbox that are kept here alone */
	struct lmsg msg;   /* the file on disk, with its flags */
	struct explain_twin *twin;
	size_t ntwins;

	bool asked;     /* the steps are what a sync would do now */
	struct err err; /* why they are not, when they were asked for */
	struct explain_step *step;
	size_t nsteps, stepcap;
};

void explain_init(struct explain *x, const struct config_account *a);
void explain_release(struct explain *x);

/* The message UID of the mailbox NAME.  Finding nothing is no error. */
int explain_uid(struct explain *x, struct span name, uint32_t uid,
    const struct cancel *c, struct err *e);

/*
 * The file FILE ("cur/base:2,S") of the directory PATH below the Maildir.  A
 * file that is not there under this name is looked for by its base name.
 */
int explain_file(struct explain *x, struct span path, struct span file,
    const struct cancel *c, struct err *e);

/* The first message, by mailbox and UID, whose content is C. */
int explain_content(struct explain *x, const struct content *content,
    const struct cancel *c, struct err *e);

/* Is anything known of it? */
bool explain_found(const struct explain *x);

/*
 * Plan a sync of the whole account, without carrying it out (a message may go
 * to another mailbox), and keep what is about this message: at least one step,
 * unless x->asked stays false or nothing is known of it.
 */
void explain_next(struct explain *x, const struct config *c,
    const struct sync_options *o);

#endif
