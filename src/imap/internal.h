/*
 * internal: what the files of imap/ share.
 *
 *	session.c  one command out, one response in; what untagged data means
 *	window.c   a UID set in several commands
 *	connect.c  greeting, capabilities, STARTTLS, ENABLE, LOGOUT
 *	compress.c COMPRESS=DEFLATE, once it pays
 *	auth.c     LOGIN and SASL
 *	list.c     LIST, STATUS, NAMESPACE
 *	select.c   SELECT, EXAMINE, UNSELECT
 *	survey.c   the first questions to many mailboxes
 *	fetch.c    flags, sizes and dates; samples
 *	msgid.c    Message-IDs
 *	search.c   which UIDs there are
 *	body.c     whole messages, streamed
 *	append.c   APPEND in a window
 *	change.c   STORE, EXPUNGE
 *	copy.c     COPY, MOVE
 *	folder.c   CREATE, DELETE, RENAME
 *	trace.c    the --trace file
 */
#ifndef IMAP_INTERNAL_H
#define IMAP_INTERNAL_H

#include "imap/imap.h"
#include "wire/cmd.h"
#include "wire/resp.h"

/* Bodies up to this size are kept in the response tree. */
#define IMAP_STREAM_MIN 16384
/* A UID set on one command line (RFC 2683 §3.2.1.5: 1000 in all). */
#define IMAP_SET_OCTETS 900
/* Of these; the rest is for CR LF, and what half of a set has more than all. */
#define IMAP_LINE_OCTETS 980

struct imap {
	const struct imap_conf *conf;
	struct stream *st;
	struct wire_lex *lex;
	struct resp resp;    /* the last response; borrows from lex */
	struct wire_cmd cmd;
	uint32_t caps;       /* IMAP_CAP_* that may be used */
	bool knows_caps;     /* the server has told them */
	uint64_t append_limit; /* APPENDLIMIT=N; 0: not told */
	/* CAPABILITY said so; .caps has them once ENABLED did. */
	bool offers_qresync, offers_uidonly;
	uint32_t enable_tag; /* of ENABLE while it is not answered; else 0 */
	uint32_t enabled;    /* IMAP_CAP_* that ENABLED listed */
	uint32_t dropped;    /* IMAP_CAP_* that the server turned out to lack */
	uint32_t message_limit; /* MESSAGELIMIT=n (RFC 9738); 0: any number */
	struct buf mechs;    /* "PLAIN SCRAM-SHA-256 " */
	uint32_t tag;        /* number of the last command */
	struct uidset answered; /* of the tags */
	uint64_t unanswered; /* octets that came since the last answer; */
	int64_t answered_ms; /* when that was */
	unsigned session;    /* its number in the trace */
	struct buf in_line;  /* response being traced */
	/* Not to be shown, whoever says it: what the login sends, each with a
	 * NUL behind it; "" when it is over. */
	struct buf secrets;
	struct buf masked;   /* texts of s->resp, without them */
	bool whole;          /* s->resp is a complete response */
	bool logged_in;
	bool said_id;        /* ID was sent */
	uint64_t expected;   /* octets, as imap_expect() was told */
	bool broken;         /* no more use; why says it */
	bool leaving;        /* LOGOUT was sent: BYE is fine */
	struct err why;

	/* select.c: a SELECT that is to go out behind other commands; */
	struct span next_wire; /* borrowed; "": none */
	bool next_read_only;
	/* and when it did, its number until its answer is read; else 0 */
	uint32_t ahead_tag;
	struct span ahead_wire;
	bool ahead_read_only;

	/* The selected mailbox. */
	bool selected;
	bool modseqs; /* it has mod-sequences; asking without them is BAD */
	struct imap_selected *sel; /* during SELECT: where its answers go */
	bool until_closed; /* what comes belongs to the mailbox before */
	uint32_t exists;
	bool has_exists; /* it was said since the mailbox was selected */
	uint32_t uidnext;  /* of its SELECT; 0: not said */
	uint64_t due;      /* EXISTS of its SELECT, and .expunged then */
	uint64_t expunged; /* announced in this session, in all */
	unsigned bads; /* to FETCH, since an OK; see imap_is_refusal() */
	uint32_t pending; /* see imap_pending() */
	uint32_t sized; /* the UID whose size came last */

	/* Where FETCH and VANISHED go during a command; NULL: nowhere. */
	struct rview *view;
	struct arena *mem;
};

/* session.c */

/*
 * Begin a command: its tag, and WORDS.  The number of the tag is s->tag.  Then
 * wire_cmd_* on s->cmd, then imap_send().
 */
void imap_begin(struct imap *s, const char *words);
/*
 * The command that was begun has no UID set: how long may one be?  The number
 * of its tag is free again.
 */
static inline size_t
imap_set_room(struct imap *s)
{
	size_t n = s->cmd.b.n;

	s->tag--;
	if (n >= IMAP_LINE_OCTETS)
		return 0;
	n = IMAP_LINE_OCTETS - n;
	return n < IMAP_SET_OCTETS ? n : IMAP_SET_OCTETS;
}
/*
 * Queue the command.  Where a literal has to wait for "+", it is sent and
 * waited for here; a tagged answer instead of "+" ends the wait: 1 (the answer
 * is in s->resp), else 0.  ERR_TOOBIG, ERR_BUG: nothing was sent.  No other
 * command may be outstanding when there is something to wait for.
 */
int imap_send(struct imap *s, struct err *e);
/* Wait for "+": 0; or for a tagged answer, with its number in *tag_r: 1. */
int imap_next_plus(struct imap *s, uint32_t *tag_r, struct err *e);

enum imap_got {
	IMAP_GOT_RESPONSE = 0, /* s->resp */
	IMAP_GOT_STREAM = 1    /* s->resp in part; octets follow */
};
/*
 * The next response, whatever it is; what untagged data says about the
 * session has been noted.  BYE is ERR_BYE, except while leaving.
 */
int imap_next(struct imap *s, struct err *e);
/* Wait for the answer to ENABLE, if it is still to come: what it gave is in
 * s->caps from here on. */
int imap_enabled(struct imap *s, struct err *e);
/*
 * The next tagged response: its number in *tag_r.  Bodies that nobody asked
 * for are dropped.
 */
int imap_next_tagged(struct imap *s, uint32_t *tag_r, struct err *e);
/*
 * Wait for the answer to command TAG; 0 when it is there, whatever it says.
 * No other command may be outstanding.
 */
int imap_wait(struct imap *s, uint32_t tag, struct err *e);
/* Number of the tag of s->resp; 0: none of ours. */
uint32_t imap_tag_number(const struct imap *s);

/*
 * Wait for the answers to both commands TAG[], in any order; what each of them
 * says goes to its own error of SAID[] (code 0: OK), with what WHAT[] calls it.
 */
int imap_wait_two(struct imap *s, const uint32_t tag[2],
    const char *const what[2], enum err_scope scope, struct err said[2],
    struct err *e);

/*
 * A UID set in several commands, some of them under way at once:
 *
 *	imap_window_open(&w, s, set, size);
 *	while (imap_window_next(&w, uids)) {
 *		if (w.line.n)
 *			rc = a command with w.line as its set is sent
 *		else
 *			rc = an answer is read
 *		imap_window_did(&w, rc, e);
 *	}
 *	return imap_window_close(&w, e);
 *
 * The caller counts .out.  After an error nothing more is sent, but what is
 * under way is read, so that the session stays of use; the first one counts.
 */
struct imap_window {
	struct imap *s;
	const struct uidset *set;
	size_t room;        /* octets of a set; IMAP_SET_OCTETS, or changed */
	unsigned size, out; /* commands: at most, and not yet answered */
	bool more;          /* some of the set may be left to be sent */
	uint64_t pos;
	struct buf line; /* owned; "": no command more for now */
	struct err first;
};
void imap_window_open(struct imap_window *w, struct imap *s,
    const struct uidset *set, unsigned size);
/* UIDS (may be NULL; initialised) gets those of w->line. */
bool imap_window_next(struct imap_window *w, struct uidset *uids);
void imap_window_did(struct imap_window *w, int rc, const struct err *e);
int imap_window_close(struct imap_window *w, struct err *e);

/* The octets of the body that IMAP_GOT_STREAM announced. */
int imap_stream_read(struct imap *s, uint64_t *left, struct span *chunk_r,
    struct err *e);
int imap_stream_drop(struct imap *s, struct err *e);

/* Did the tagged answer in s->resp say OK?  If not, fill *e and return it. */
int imap_check_ok(struct imap *s, enum err_scope scope, struct err *e,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same for the command as a whole: send, wait, check. */
int imap_run(struct imap *s, enum err_scope scope, const char *what,
    struct err *e);
/*
 * The tagged answer in s->resp is not that of the command whose turn it is, and
 * what is untagged cannot be told apart any more: the session ends.
 */
int imap_out_of_order(struct imap *s, struct err *e);
/*
 * *e says that s->resp is a refusal.  Where its text says that too much is
 * asked of the server, make it ERR_BUSY, scope ACCOUNT, with how long to wait.
 * imap_check_ok() and BYE do so, and then the session is over: no answer of
 * such a server means anything about a message or a mailbox.
 */
void imap_check_busy(const struct imap *s, struct err *e);
/* Mark as of no more use; returns e->code (scope at least CONN). */
int imap_break(struct imap *s, struct err *e);
/*
 * SENDS octets begin of a message of which the server SAID so many.  What is
 * out of all proportion ends the connection: nobody has the disk for it, nor
 * the time to skip it.
 */
int imap_check_size(
    struct imap *s, uint64_t said, uint64_t sends, struct err *e);

/* select.c; see there */
void imap_begin_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq);
/* Answers go to *SEL and *R, which is initialised. */
void imap_expect_select(struct imap *s, struct arena *mem,
    struct imap_selected *sel, struct rview *r);
/* RC: what imap_check_ok() made of the answer.  As imap_select(). */
int imap_end_select(struct imap *s, int rc, uint32_t uidvalidity,
    uint64_t modseq, struct imap_selected *sel, struct rview *r,
    struct err *e);
/*
 * The SELECT that was begun, while others may be under way: 1; 0: it has to be
 * sent by itself, or cannot be sent at all, and nothing was.
 */
int imap_send_among(struct imap *s, struct err *e);
/* The last command of a call is sent: now that of imap_select_next(). */
int imap_send_next(struct imap *s, struct err *e);
/* What imap_send_next() sent is answered, before another command goes out. */
int imap_settle_ahead(struct imap *s, struct err *e);
/*
 * The server answered BAD to what CAPS (IMAP_CAP_QRESYNC or _CONDSTORE)
 * allows: they are not used any more in this session.
 */
void imap_drop(struct imap *s, uint32_t caps);

/* connect.c */

/* Words of a CAPABILITY response or code. */
void imap_note_caps(struct imap *s, const struct wire_node *words);
/* What was offered before STARTTLS or the login counts no more. */
void imap_forget_caps(struct imap *s);
struct flags imap_flags(
    const struct imap *s, struct arena *mem, const struct wire_node *words);

/* fetch.c: a FETCH of s->resp as a message; false without UID. */
bool imap_rmsg(const struct imap *s, struct arena *mem, struct rmsg *m_r);
/* What the answers of N messages come to, about. */
static inline uint64_t
imap_meta_octets(uint64_t n, bool with_size)
{
	return n * (with_size ? 120 : 60);
}

/*
 * Send UID FETCH SET (UID FLAGS [MODSEQ] [INTERNALDATE RFC822.SIZE]).  MODSEQ
 * may be asked of a mailbox with mod-sequences only.  SINCE 0: whether it
 * changed or not.
 */
int imap_send_meta(struct imap *s, struct span set, bool modseqs,
    uint64_t since, bool with_size, struct err *e);
/*
 * An OK in s->resp with [MESSAGELIMIT n uid] (RFC 9738): the server worked from
 * the highest UID down to that one, and stopped.  0: it did all.
 */
uint32_t imap_limited(struct imap *s);
/*
 * The connection has ended as sizes of SET (NULL: of all) came into s->view: of
 * those behind AFTER the first that is still to come; 0: none is.  Of all it is
 * the number behind AFTER, and need not be a UID that there is.
 */
uint32_t imap_next_size(
    struct imap *s, const struct uidset *set, uint32_t after);
/*
 * RC: what imap_check_ok() made of the answer to a FETCH.  Is it that one of
 * its messages cannot be had?  So say NO and, at some servers (Exchange), BAD;
 * but many BADs and no OK are about the command.
 */
bool imap_is_refusal(struct imap *s, int rc);

/* N messages in one command, or what the server's MESSAGELIMIT allows. */
static inline size_t
imap_at_most(const struct imap *s, size_t n)
{
	return s->message_limit && s->message_limit < n ? s->message_limit : n;
}

/*
 * search.c: send UID SEARCH of UIDs LO to HI (UINT32_MAX: the last); KEY:
 * " DELETED", or "" for all.
 */
int imap_send_search(struct imap *s, uint32_t lo, uint32_t hi, const char *key,
    struct err *e);
/* Does SET, which a search of all UIDs named, have all that EXISTS counts? */
bool imap_found_all(const struct imap *s, const struct uidset *set);
/* What is marked as deleted in the selected mailbox. */
int imap_search_deleted(struct imap *s, struct uidset *set, struct err *e);

/* auth.c: log in; ERR_AUTH, scope ACCOUNT. */
int imap_login(struct imap *s, struct err *e);

/* trace.c */
unsigned imap_trace_session(struct imap_trace *t);
void imap_trace_out(struct imap *s, const struct wire_cmd *c);
/* S at the end of OUT, "***" for what is in SECRETS. */
void imap_mask(struct span s, const struct buf *secrets, struct buf *out);
void imap_trace_in(struct imap *s, const char *p, size_t n);
void imap_trace_in_end(struct imap *s);
void imap_trace_note(struct imap *s, char dir, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
