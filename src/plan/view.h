/*
 * view: what a pass saw of a mailbox, on each side and in the journal.
 *
 * These structures are values in the pass's arena: nothing in them is owned.
 * Local = Maildir side, remote = server side.
 */
#ifndef PLAN_VIEW_H
#define PLAN_VIEW_H

#include "base/uidset.h"
#include "mail/digest.h"
#include "mail/flags.h"

/*
 * A row of agreement: this UID and this file are one message.
 *
 * The flags are kept per side, as they were after the last agreement.  They
 * differ only where a side cannot hold a flag (no letter left, a server
 * without \*, a letter that we do not know): what a side never showed is
 * never taken for a removal.
 */
struct pair {
	uint32_t uid;
	struct span file; /* "cur/base:2,S" or "new/base", as last seen */
	struct flags l, r;
	uint64_t modseq; /* 0: unknown */
	uint64_t size;   /* octets of the canonical form */
	int64_t idate;   /* INTERNALDATE, seconds since 1970; 0: unknown */
	uint64_t ino;    /* stat identity of the file when it was read: */
	uint64_t fsize;
	int64_t mtime_ns;
	uint8_t sha[DIGEST_LEN];
};

struct pairs {
	struct pair *v; /* ascending UIDs */
	size_t n, cap;
	bool complete; /* all rows of the mailbox, not only the touched ones */
};

/* A file in cur/ or new/. */
struct lmsg {
	struct span file; /* "cur/base:2,S" */
	struct span base; /* the part before ":2," */
	struct flags flags;
	/*
	 * Known only once somebody asked (maildir_stat, maildir_digest); needed
	 * for files that no row names.
	 */
	bool has_stat, has_content;
	uint64_t ino, fsize;
	int64_t mtime_ns;
	struct content content;
	uint32_t klass; /* equal content on both sides: same number; 0: none */
	bool hold;      /* the server refused it; not to be tried in this run */
	bool suspect;   /* not in this pass: the connection may end at it */
	bool kept;      /* gone on the server, stays here by policy */
	bool skipped;   /* noted as not carried over, by policy */
	bool fresh;     /* no row names it */
};

struct lview {
	struct lmsg *v;
	size_t n, cap;
	bool same;     /* not looked at: as in the journal; v is empty */
	bool complete; /* v is all there is: absence is meant */
	bool damaged;  /* directory, cur/ or new/ missing: absence is not */
	bool replaced; /* it is not the directory that the rows were seen in */
	/*
	 * Unchanged files of rows that are not at hand are left out.  At hand
	 * is then each row whose file is not there under its name, or shows
	 * other flags, or has its base in common with a file of V: what is in V
	 * and no file of these is new.
	 */
	bool delta;
};

/* A message on the server. */
struct rmsg {
	uint32_t uid;
	struct flags flags;
	uint64_t modseq; /* 0: unknown */
	uint64_t size;   /* RFC822.SIZE */
	int64_t idate;   /* seconds since 1970; 0: unknown */
	bool has_meta;   /* size is known, and idate as far as it can be read */
	/*
	 * The server's own name for the content, the same in every mailbox:
	 * X-GM-MSGID, or EMAILID (RFC 8474 §5.1).  "": unknown.  A hint, never
	 * kept: bytes are compared before two messages are called one.
	 */
	struct span gid;
	uint32_t klass;  /* as in lmsg */
	bool hold;       /* could not be fetched; not to be tried in this run */
	bool skipped;    /* noted as not carried over, by policy */
};

struct rview {
	struct rmsg *v; /* ascending UIDs */
	size_t n, cap;
	struct uidset vanished; /* UIDs that are gone */
	/*
	 * When V has MOST (0: no limit), of UIDs from FRESH_FROM on only the
	 * number is noted, in MORE.  For answers that tell of all new mail.
	 */
	size_t most;
	uint32_t fresh_from;
	struct uidset more;
	bool same;     /* nothing changed: as in the journal; v is empty */
	bool complete; /* v is all there is: absence is meant */
	/*
	 * The server's numbers went back or UIDVALIDITY changed: absence here
	 * is no delete (doc/merge-table.md).  RENUMBERED: UIDs of rows mean
	 * nothing any more.
	 */
	bool doubt, renumbered;
	bool missing; /* there is no such mailbox */
	bool just_missing; /* and no run before this one has looked at that */
	uint32_t uidvalidity, uidnext; /* uidnext 0: not said */
	uint64_t highestmodseq;        /* 0: not said, or NOMODSEQ */
	uint32_t exists;
};

void pairs_add(struct arena *mem, struct pairs *p, struct pair row);
void lview_add(struct arena *mem, struct lview *v, struct lmsg m);
void rview_add(struct arena *mem, struct rview *v, struct rmsg m);
/* Sort by UID; of two answers for one UID the later one counts. */
void rview_sort(struct rview *v);
/* Messages that are among the vanished are not there any more. */
void rview_drop_vanished(struct rview *v);
struct rmsg *rview_find(const struct rview *v, uint32_t uid); /* sorted */
struct pair *pairs_find(const struct pairs *p, uint32_t uid); /* sorted */

#endif
