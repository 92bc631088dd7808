/*
 * imap: one session with one server.  RFC 3501, 4315, 4959, 4978, 5161, 5258,
 * 5819, 6851, 7162, 7888.
 *
 * Straight calls, one thread.  Errors: scope tells what is lost.
 *   MSG      this message; the session goes on
 *   BOX      this mailbox (NO to SELECT, UIDNOTSTICKY, ...)
 *   CONN     the connection is of no more use: imap_free it
 *   ACCOUNT  login refused, server unreachable
 * A tagged NO sets e->resp to its response code.  A NO, BAD or BYE that says
 * that too much is asked of the server is ERR_BUSY, scope ACCOUNT, in any
 * command; nothing here sleeps.
 *
 * Invariants:
 *  1. UIDs only; message numbers are never used to name a message.
 *  2. An answer counts only with its tagged OK; until then what it brought
 *     is not handed out as complete.
 *  3. Untagged data may come at any time and belongs to the session.
 *  4. Never CLOSE, never absolute FLAGS; no EXPUNGE that could take more than
 *     what was decided on.
 *  5. Extensions are used when enabled, not when claimed.
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "base/log.h"
#include "mail/flags.h"
#include "net/stream.h"
#include "plan/view.h"

struct imap;
struct imap_trace;
struct map;

/*
 * The --trace file, shared by sessions: "> " and "< " lines with time and
 * session number; secrets "***", long literals cut.  Any thread.  ERR_IO, scope
 * RUN.
 */
int imap_trace_open(const char *path, struct imap_trace **t_r, struct err *e);
void imap_trace_free(struct imap_trace **t);

struct imap_conf {
	struct net_conf net;
	const char *user;
	struct span password;   /* borrowed during imap_open only */
	const char *const *auth; /* SASL mechanisms, the preferred one first,
				    NULL-terminated; NULL: auto */
	const char *const *disable; /* extensions not to use, NULL-terminated */
	bool allow_plaintext;   /* login without TLS to other machines */
	struct imap_trace *trace; /* may be NULL */
	struct log *log;
	struct kwtab *kw;       /* keywords seen are interned here */
};

enum {
	IMAP_CAP_CONDSTORE = 1 << 0,
	IMAP_CAP_QRESYNC = 1 << 1, /* ENABLED said so */
	IMAP_CAP_UIDPLUS = 1 << 2,
	IMAP_CAP_MOVE = 1 << 3,
	IMAP_CAP_LITERAL_PLUS = 1 << 4,
	IMAP_CAP_LITERAL_MINUS = 1 << 5,
	IMAP_CAP_LIST_STATUS = 1 << 6,
	IMAP_CAP_LIST_EXTENDED = 1 << 7,
	IMAP_CAP_NAMESPACE = 1 << 8,
	IMAP_CAP_UNSELECT = 1 << 9,
	IMAP_CAP_ESEARCH = 1 << 10,
	IMAP_CAP_ENABLE = 1 << 11,
	IMAP_CAP_SASL_IR = 1 << 12,
	IMAP_CAP_OBJECTID = 1 << 13,
	IMAP_CAP_SPECIAL_USE = 1 << 14,
	IMAP_CAP_ID = 1 << 15,
	IMAP_CAP_APPENDLIMIT = 1 << 16,
	IMAP_CAP_MULTIAPPEND = 1 << 17,
	IMAP_CAP_STARTTLS = 1 << 18,
	IMAP_CAP_LOGINDISABLED = 1 << 19,
	IMAP_CAP_COMPRESS = 1 << 20,
	IMAP_CAP_GMAIL = 1 << 21, /* X-GM-EXT-1 */
	IMAP_CAP_UIDONLY = 1 << 22 /* ENABLED said so (RFC 9586) */
};

/*
 * Connect, TLS, greeting, login (SASL-IR and the capabilities that come with
 * the tagged OK are used); ENABLE QRESYNC goes out with the first command.
 * CONF is borrowed for the life of the session, .password only for this call.
 * Login refused: ERR_AUTH, tried once.  Never sends a password in clear over a
 * network unless allowed.
 */
int imap_open(const struct imap_conf *conf, struct imap **s_r, struct err *e);
/* LOGOUT, politely, but waiting at most two seconds; errors are ignored. */
void imap_logout(struct imap *s);
/*
 * NOOP, where no command was answered for MS: servers (RFC 3501 section 5.4),
 * and routers in between, end a session that is idle.  None may be under way.
 * What it brings counts as with any command; errors are of the session.
 */
int imap_keep(struct imap *s, int64_t ms, struct err *e);
void imap_free(struct imap **s);
DEFINE_AUTO(imap)

/*
 * So many octets are about to be fetched or sent.  When it is much, with what
 * was expected before in this session, compression is turned on first, where
 * the server offers it and net_conf.compress allows it; at most one round trip
 * in a session.  While commands are under way it only counts.  Errors: of the
 * connection; a refusal is none.
 */
int imap_expect(struct imap *s, uint64_t octets, struct err *e);

/* What ENABLE gives is among them once the first command is answered. */
uint32_t imap_caps(const struct imap *s);
/* APPENDLIMIT=N of the capabilities (RFC 7889); 0: none was told. */
uint64_t imap_append_limit(const struct imap *s);
/* The server is on this machine. */
bool imap_is_near(const struct imap *s);
struct stream_stats imap_stats(const struct imap *s); /* since imap_open() */

/* A line of the listing. */
struct imap_box {
	struct span wire;
	char delim;       /* 0: none */
	uint32_t attrs;   /* ATTR_* of wire/resp.h */
	uint32_t has;     /* HAS_* of wire/resp.h: what STATUS said */
	uint32_t messages, uidnext, uidvalidity;
	uint64_t highestmodseq;
	struct span mailboxid;
};

struct imap_listing {
	struct imap_box *v;
	size_t n;
	/*
	 * Lines that could not be read, of mailboxes that are not in V: absence
	 * from this listing proves nothing when it is not 0.
	 */
	uint32_t unread;
	struct span prefix; /* personal namespace (RFC 2342), "" when none */
	char delim;         /* for new mailboxes; 0: flat */
	bool subscribed;    /* ATTR_SUBSCRIBED is known; imap_subscribed() */
};

/*
 * All mailboxes with their numbers, in one flight: NAMESPACE and
 * LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (...)), as far as the
 * server has these; without LIST-STATUS, and where it left a mailbox out, one
 * pipelined STATUS each.  A server that refuses RETURN, or answers nothing to
 * it, is asked without.  A doubled name is listed once.  What STATUS refuses is
 * opened, so no mailbox counts as selected afterwards.  An error means the
 * listing is not complete.
 */
int imap_list(struct imap *s, struct arena *mem, struct imap_listing *l_r,
    struct err *e);

/*
 * The wire names that are subscribed to, of mailboxes that are not there, too,
 * into NAMES.
 */
int imap_subscriptions(struct imap *s, struct arena *mem, struct map *names,
    struct err *e);
/*
 * ATTR_SUBSCRIBED of the mailboxes in *L, by LSUB, unless it is known.  A
 * server that refuses this has no subscriptions.
 */
int imap_subscribed(struct imap *s, struct arena *mem, struct imap_listing *l,
    struct err *e);

/*
 * NO to STATUS, with NONEXISTENT or without a code: *exists_r = false.  With
 * any other code nothing is known: ERR_NO, scope BOX.
 */
int imap_exists(struct imap *s, struct span wire, bool *exists_r,
    struct err *e);

struct imap_selected {
	uint32_t exists, uidvalidity, uidnext; /* uidnext 0: not said */
	uint64_t highestmodseq;                /* 0: none, or NOMODSEQ */
	bool read_only, uid_not_sticky;
	bool any_keyword; /* PERMANENTFLAGS has \*, or was not said */
	struct flags permanent; /* what sticks; FLAG_ALL when not said */
	bool qresync;     /* the delta in the view came from QRESYNC */
	bool modseqs;     /* imap_fetch_changed() can be asked */
};

/*
 * SELECT, or EXAMINE when READ_ONLY.  With a cursor (uidvalidity and modseq
 * not 0) and QRESYNC enabled: SELECT (QRESYNC (v m)); changed messages and
 * vanished UIDs are put into *r (UID, FLAGS, MODSEQ; not complete).  The
 * server ignores a cursor of another UIDVALIDITY: the caller compares.
 * r->most and r->fresh_from are heeded, here and by imap_fetch_changed().
 * Without a cursor, r gets nothing.  Fills r->uidvalidity, uidnext,
 * highestmodseq, exists in any case; r->same is false.
 * A mailbox that is not there, or cannot be selected: scope BOX.  So is one of
 * which UIDVALIDITY or EXISTS was not said: that does not mean 0.
 */
int imap_select(struct imap *s, struct span wire, bool read_only,
    uint32_t uidvalidity, uint64_t modseq, struct arena *mem,
    struct imap_selected *sel_r, struct rview *r, struct err *e);

/*
 * WIRE is what imap_select() will be asked for next, without a cursor.  So its
 * SELECT goes out behind the last command of the next imap_store(),
 * imap_expunge(), imap_copy() or imap_move(), and the answers to both take one
 * round trip.  It may fall away (a name that is sent as a literal); nobody has
 * anything open until imap_select() was called.  WIRE is borrowed until then.
 */
void imap_select_next(struct imap *s, struct span wire, bool read_only);

/*
 * The first questions to a mailbox, asked together with those to others:
 * SELECT or EXAMINE as imap_select() has it, and behind it, before it is
 * answered, the FETCHes that are wanted nearly always.
 */
enum imap_asked {
	IMAP_ASKED_NOT, /* nor answered: it is to be asked in the usual way */
	IMAP_ASKED_REFUSED, /* by .err, as imap_select() would have */
	IMAP_ASKED_OPENED
};
struct imap_ask {
	struct span wire;
	bool read_only;
	uint32_t uidvalidity; /* the cursor, as for imap_select() */
	uint64_t modseq;
	bool modseqs;	   /* the listing gave it mod-sequences */
	uint32_t messages; /* by the listing; */
	uint32_t uidnext;  /* 0: no numbers are known */
	/* UID FETCH 1:*, with sizes and dates or without, of MESSAGES not 0; or
	 * what changed since .modseq, of UIDs below UIDNEXT (no QRESYNC) */
	bool all, with_size, changed;
	bool search; /* instead: as imap_search_uids() */
	/* sizes and dates of UIDs from here to below UIDNEXT; 0: none */
	uint32_t fresh_from;

	/* The answers; imap_ask_release() frees what is not in MEM. */
	enum imap_asked state;
	bool sent; /* it is what the session has, or had, selected */
	struct err err;
	struct imap_selected sel;
	struct rview opened; /* what imap_select() puts into its view */
	/* What imap_fetch_meta() or imap_fetch_changed() would have added */
	struct rview listed, fresh;
	struct uidset found;
	bool has_listed, has_fresh, has_found;
	bool ended;       /* a CONN error came when it was its turn; and then: */
	uint32_t pending; /* as imap_pending() */

	uint32_t tag[3]; /* of the commands; 0: not sent */
};

/*
 * Ask V[0..n), pipelined: RFC 3501 section 5.5 has the server work in the
 * order given where one command depends on another.  Nothing in it changes
 * anything: no command that does may stand behind a SELECT which has not been
 * answered.  A mailbox whose SELECT is refused has its FETCHes refused with it.
 * After a BAD no more mailboxes are asked: the usual way finds out what the
 * server lacks.  The arrays live in MEM.  Errors: of the session only.
 */
int imap_survey(struct imap *s, struct imap_ask *const *v, size_t n,
    struct arena *mem, struct err *e);
void imap_ask_release(struct imap_ask *a);

/*
 * UID FETCH set (UID FLAGS [MODSEQ] [INTERNALDATE RFC822.SIZE]) of the
 * selected mailbox, added to *r; sets are split and pipelined.  Fetching UIDs
 * that are gone is no error.  ALL: 1:* ; afterwards r->complete is true when
 * all that EXISTS had counted came, or was announced as gone.  Other untagged
 * changes that come along (FETCH, VANISHED) are added to *r as well.
 * A message of which the server refuses size and date, and not the flags, comes
 * without: !has_meta.
 */
int imap_fetch_meta(struct imap *s, const struct uidset *set, bool all,
    bool with_size, struct arena *mem, struct rview *r, struct err *e);

/*
 * Partial bodies for comparison: for each of the N requests
 * BODY.PEEK[]<off.len>; pipelined.  v[i].got in MEM; SPAN_NONE when the server
 * sent nothing, or refused this message alone.  LEN at most 8192.
 */
struct imap_sample {
	uint32_t uid;
	uint64_t off;
	uint32_t len;
	struct span got;
};
int imap_fetch_samples(struct imap *s, struct arena *mem,
    struct imap_sample *v, size_t n, struct err *e);
/*
 * After a CONN error of this, or of imap_fetch_msgids(): the UID of which
 * octets were to come next; 0: none.  The same of imap_fetch_meta() and sizes;
 * of ALL it is the number behind the last one that came, and there may be no
 * such UID.
 */
uint32_t imap_pending(const struct imap *s);

/*
 * Whole messages, as a stream, in the order given, without a callback; of one
 * mailbox or of many:
 *
 *	imap_fetch_begin(s, uids, sizes, n, mem, &f) or imap_fetch_from(...)
 *	while ((rc = imap_fetch_next(f, &m, e)) > 0) {
 *		while ((rc = imap_fetch_read(f, &chunk, e)) > 0)
 *			use chunk (valid until the next call);
 *		if (rc == 0) rc = imap_fetch_done(f, &m, e);
 *	}
 *	imap_fetch_end(&f)
 *
 * imap_fetch_next: 1 a body begins (m.uid may still be 0), 0 no more.  What was
 * not read of the body before is dropped.
 * imap_fetch_read: 1 a chunk, 0 the body is complete (all octets came).
 * imap_fetch_done: now uid, flags, modseq, idate, size are known in *m; uid 0:
 * it is none that was asked for, or came before.
 * A message for which the server sent NIL, nothing, something else in its
 * place, NO or BAD is not handed out; the caller sees that it did not get it.  A
 * refusal that concerns a single message (its own command is retried one by
 * one) does not end the fetch: imap_fetch_failed() lists those UIDs with their
 * text.
 * Commands are pipelined in a window (by octets: SIZES, may be NULL, are
 * RFC822.SIZE hints per UID).
 */
struct imap_fetch;
int imap_fetch_begin(struct imap *s, const uint32_t *uids,
    const uint64_t *sizes, size_t n, struct arena *mem,
    struct imap_fetch **f_r, struct err *e);

/*
 * A mailbox to fetch from.  It is opened, unless it is SELECTED, in the flight
 * of its FETCHes.  Where it turns out to be of another UIDVALIDITY (ERR_STALE),
 * or is refused, no body of it is handed out and .err says why (scope BOX); the
 * others go on.
 */
struct imap_source {
	struct span wire;
	bool read_only; /* EXAMINE */
	bool modseqs;   /* it has mod-sequences */
	uint32_t uidvalidity;
	const uint32_t *uids; /* with SIZES, borrowed until the end */
	const uint64_t *sizes;
	size_t n;

	bool selected; /* by the session: before, and at the end */
	bool closed;   /* no more of it: refused, or dropped */
	struct err err; /* code 0: none */
	struct imap_selected sel;
};
/* V is borrowed until the end. */
int imap_fetch_from(struct imap *s, struct imap_source *v, size_t n,
    struct arena *mem, struct imap_fetch **f_r, struct err *e);

int imap_fetch_next(struct imap_fetch *f, struct rmsg *m_r, struct err *e);
int imap_fetch_read(struct imap_fetch *f, struct span *chunk_r,
    struct err *e);
int imap_fetch_done(struct imap_fetch *f, struct rmsg *m_r, struct err *e);
/* The source, by its index, whose body this is. */
size_t imap_fetch_source(const struct imap_fetch *f);
/* No more of it: what is under way is read and dropped. */
void imap_fetch_drop(struct imap_fetch *f, size_t source);
struct imap_failed {
	size_t source;
	uint32_t uid;
	struct span why;
};
size_t imap_fetch_failed(const struct imap_fetch *f,
    const struct imap_failed **v_r);
/* After a CONN error: the UID whose body was to come next; 0: none. */
uint32_t imap_fetch_pending(const struct imap_fetch *f, size_t *source_r);
/* After a CONN error too.  Leaves the session usable only when all was read. */
void imap_fetch_end(struct imap_fetch **f);

/*
 * APPEND in a pipelined window, into as many mailboxes as there are:
 *
 *	imap_append_begin(s, &a)
 *	for each message:
 *		imap_append_send(a, wire, cookie, flags, idate, size)
 *						header of literal
 *		imap_append_data(a, p, n) ... exactly SIZE octets
 *		imap_append_finish(a)
 *		while (imap_append_result(a, false, &res) > 0) use res
 *	while (imap_append_result(a, true, &res) > 0) use res
 *	imap_append_end(&a)
 *
 * COOKIE is the caller's number for the message.  imap_append_send returns 0
 * when the literal may follow; 1 when the server refused it before the
 * literal, or the message is over imap_append_limit() and nothing was sent
 * (its result is queued, TOOBIG; send no data); negative on errors.
 * Literals are non-synchronising (LITERAL+) up to 1 MiB, and LITERAL- up to
 * 4096; others wait for "+" (RFC 7888 §4, §5).
 * Results come in order of sending, each once.
 */
struct imap_append;
struct imap_appended {
	uint64_t cookie;
	bool ok;
	uint32_t uidvalidity, uid; /* 0: the server did not say (no UIDPLUS) */
	char resp[32];             /* response code of a NO, "TOOBIG" */
	char why[200];             /* of a NO, for people */
};
int imap_append_begin(
    struct imap *s, struct imap_append **a_r, struct err *e);
int imap_append_send(struct imap_append *a, struct span wire, uint64_t cookie,
    struct flags f, int64_t idate, uint64_t size, struct err *e);
int imap_append_data(struct imap_append *a, const char *p, size_t n,
    struct err *e);
int imap_append_finish(struct imap_append *a, struct err *e);
/* 1: *res_r filled; 0: none now (WAIT: none outstanding). */
int imap_append_result(struct imap_append *a, bool wait,
    struct imap_appended *res_r, struct err *e);
void imap_append_end(struct imap_append **a);

/*
 * UID STORE +FLAGS.SILENT / -FLAGS.SILENT (RFC 3501 §6.4.6; see .tell), with
 * (UNCHANGEDSINCE n) when UNCHANGEDSINCE is not 0 and CONDSTORE is there.  The
 * N of V are pipelined, of the selected mailbox.  *modified_r: UIDs that the
 * server refused as changed meanwhile; *failed_r: UIDs of a tagged NO or BAD,
 * of which *said_r (may be NULL) gets the last; both initialised, and added to.
 * A NO to several messages concerns one of them: it is asked again for each
 * half, as long as that is not in vain.  (Not behind a SELECT that imap_select_next()
 * wanted: then *failed_r gets all of them, and the caller opens the mailbox
 * again to know more.)
 * FETCH data that came back is added to *r.
 */
struct imap_store {
	struct uidset uids; /* owned by the caller */
	bool add;
	struct flags flags;
	uint64_t unchangedsince; /* 0: unconditional */
	bool tell; /* without .SILENT: FETCH for each that is there */
};
int imap_store(struct imap *s, const struct imap_store *v, size_t n,
    struct arena *mem, struct rview *r, struct uidset *modified_r,
    struct uidset *failed_r, struct err *said_r, struct err *e);

/*
 * UID STORE +FLAGS.SILENT (\Deleted), then UID EXPUNGE of exactly SET
 * (RFC 4315 §2.1).  Vanished UIDs that were announced are added to r->vanished.
 * Without UIDPLUS: EXPUNGE, when a search finds that just SET is marked as
 * deleted; else ERR_NO, scope BOX, to be tried later, and SET stays marked.
 */
int imap_expunge(struct imap *s, const struct uidset *set, struct arena *mem,
    struct rview *r, struct err *e);

/*
 * UID COPY of SET from the selected mailbox to the mailbox WIRE, in as many
 * commands as the line length asks for, pipelined.  *c_r: which message is
 * which there, as COPYUID said (RFC 4315 §3: element by element in written
 * order, whatever that is), in MEM.  A UID of SET that is not in it may have
 * been gone, or copied without our being told: the caller looks again.  A
 * server without UIDPLUS, and a malformed COPYUID, give n = 0.  NO
 * [TRYCREATE] and any other NO: ERR_NO, scope BOX, .resp; *c_r then has what
 * earlier commands copied.
 */
struct imap_copied {
	uint32_t uidvalidity; /* of WIRE; 0: not said */
	struct imap_copy_pair {
		uint32_t from, to;
	} *v;
	size_t n;
};
int imap_copy(struct imap *s, const struct uidset *set, struct span wire,
    struct arena *mem, struct imap_copied *c_r, struct err *e);

/*
 * The same, and the messages leave the selected mailbox: UID MOVE (RFC 6851;
 * its COPYUID comes in an untagged OK, or at Gmail's in the tagged one), or
 * else UID COPY and then imap_expunge() of exactly those that COPYUID names.
 * Without both MOVE and UIDPLUS nothing is removed: the caller finds the copy
 * by its content and the old message by its absence here.  Vanished UIDs that
 * were announced are added to r->vanished.  A NO may come half-way (§3.3).
 */
int imap_move(struct imap *s, const struct uidset *set, struct span wire,
    struct arena *mem, struct rview *r, struct imap_copied *c_r,
    struct err *e);

/*
 * The Message-ID fields of the messages in SET, as header_field() (mail/
 * header.h) gives them: "" when there is none.  Ascending UIDs; what is gone,
 * or is refused by itself, is not in it.  They are asked for by
 * BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)], pipelined.  SET names messages that
 * there are, no range of UIDs: each of them may be asked for by itself.
 */
struct imap_msgid {
	uint32_t uid;
	struct span id;
};
int imap_fetch_msgids(struct imap *s, const struct uidset *set,
    struct arena *mem, struct imap_msgid **v_r, size_t *n_r, struct err *e);

/*
 * UID FETCH 1:UIDNEXT-1 (UID FLAGS MODSEQ) (CHANGEDSINCE SINCE), without
 * VANISHED (RFC 7162 §3.1.4): what changed, added to *r, which is not complete
 * then.  For servers with CONDSTORE and without QRESYNC.  ERR_BAD, scope BOX:
 * the server has no CONDSTORE after all; it is not used any more in this
 * session.
 */
int imap_fetch_changed(struct imap *s, uint64_t since, struct arena *mem,
    struct rview *r, struct err *e);
/*
 * Which UIDs the selected mailbox has: UID SEARCH RETURN (ALL) UID 1:* where
 * there is ESEARCH, else UID SEARCH UID 1:*; either kind of answer is taken.
 * SET (initialised) is replaced.  Fewer than EXISTS counts: ERR_PROTO, scope
 * BOX.
 */
int imap_search_uids(struct imap *s, struct uidset *set, struct err *e);
/*
 * The same of UIDs LO to HI; nothing is held against EXISTS.  !*said_r: the
 * server said OK and no (readable) answer, so that absence from SET says nothing.
 */
int imap_search_range(struct imap *s, uint32_t lo, uint32_t hi,
    struct uidset *set, bool *said_r, struct err *e);

/*
 * CREATE (and SUBSCRIBE); ALREADYEXISTS is success, and *was_r: by this name,
 * or by what the server takes for the same.  A NO: scope BOX.
 */
int imap_create(struct imap *s, struct span wire, bool *was_r, struct err *e);
/* DELETE (and UNSUBSCRIBE); NONEXISTENT is success. */
int imap_delete(struct imap *s, struct span wire, struct err *e);
/*
 * RENAME FROM TO; children go with it (RFC 3501 §6.3.5), and subscriptions do
 * not.  NONEXISTENT and ALREADYEXISTS: ERR_STALE.
 */
int imap_rename(struct imap *s, struct span from, struct span to,
    struct err *e);
/* The subscription goes from FROM to TO; a refusal does not matter. */
int imap_subscribe(struct imap *s, struct span to, struct span from,
    struct err *e);
/*
 * UNSELECT, or nothing when none is selected; never CLOSE.  A server without
 * UNSELECT has INBOX open afterwards, which cannot be deleted or renamed: an
 * open mailbox is not deleted, or takes the session with it.
 */
int imap_unselect(struct imap *s, struct err *e);

#endif
