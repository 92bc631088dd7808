/*
 * resp: what an IMAP response means (RFC 3501 §7, 4315, 5258, 5819, 7162).
 *
 * Total: any tree gives some response; what is unknown or malformed becomes
 * RESP_OTHER and is to be ignored (RFC 9051 appendix E), unless it is the
 * tagged answer.  Spans point into the lexer's tree; sets and arrays into
 * the arena.  Pure.
 */
#ifndef WIRE_RESP_H
#define WIRE_RESP_H

#include "base/uidset.h"
#include "wire/lex.h"

enum resp_type {
	RESP_OTHER,
	RESP_CONT,    /* "+": text (may be base64) */
	RESP_STATUS,  /* tagged or untagged OK NO BAD BYE PREAUTH */
	RESP_CAPABILITY,
	RESP_ENABLED,
	RESP_NAMESPACE,
	RESP_LIST,    /* also LSUB */
	RESP_MBSTATUS,/* STATUS of a mailbox */
	RESP_FLAGS,
	RESP_SEARCH,  /* SEARCH and ESEARCH */
	RESP_EXISTS,
	RESP_RECENT,
	RESP_EXPUNGE,
	RESP_VANISHED,
	RESP_FETCH /* also UIDFETCH */
};

enum resp_cond { COND_OK, COND_NO, COND_BAD, COND_BYE, COND_PREAUTH };

/* LIST attributes (RFC 3501 §7.2.2, 5258, 6154). */
enum {
	ATTR_NOINFERIORS = 1 << 0,
	ATTR_NOSELECT = 1 << 1,
	ATTR_NONEXISTENT = 1 << 2, /* implies \Noselect */
	ATTR_MARKED = 1 << 3,
	ATTR_HASCHILDREN = 1 << 4,
	ATTR_HASNOCHILDREN = 1 << 5,
	ATTR_SUBSCRIBED = 1 << 6,
	ATTR_ALL = 1 << 7,
	ATTR_ARCHIVE = 1 << 8,
	ATTR_DRAFTS = 1 << 9,
	ATTR_FLAGGED = 1 << 10,
	ATTR_JUNK = 1 << 11,
	ATTR_SENT = 1 << 12,
	ATTR_TRASH = 1 << 13,
	ATTR_IMPORTANT = 1 << 14
};

/* Which members of a FETCH or a STATUS were there. */
enum {
	HAS_UID = 1 << 0,
	HAS_FLAGS = 1 << 1,
	HAS_MODSEQ = 1 << 2,
	HAS_SIZE = 1 << 3,
	HAS_DATE = 1 << 4,
	HAS_BODY = 1 << 5,       /* a BODY[...] that is not NIL */
	HAS_BODY_NIL = 1 << 6,
	HAS_MESSAGES = 1 << 7,
	HAS_UIDNEXT = 1 << 8,
	HAS_UIDVALIDITY = 1 << 9,
	HAS_HIGHESTMODSEQ = 1 << 10,
	HAS_MAILBOXID = 1 << 11, /* only when well-formed (RFC 8474 §7) */
	HAS_UNSEEN = 1 << 12,
	HAS_GID = 1 << 13        /* only when well-formed */
};

#define RESP_MAX_BODIES 4

struct resp {
	enum resp_type type;
	struct span tag; /* "" when untagged */

	/* RESP_STATUS */
	enum resp_cond cond;
	struct span code;  /* "APPENDUID", as sent; "" when none */
	const struct wire_node *args; /* words behind the code, or NULL */
	struct span text;  /* human-readable; also of RESP_CONT */

	/* RESP_EXISTS, RECENT, EXPUNGE; message number of RESP_FETCH */
	uint32_t num;

	/* CAPABILITY, ENABLED, FLAGS: words */
	const struct wire_node *words;

	/* LIST, MBSTATUS */
	struct span mailbox; /* wire name */
	char delim;          /* 0: NIL */
	uint32_t attrs;
	uint32_t has;        /* HAS_*: of MBSTATUS and FETCH */
	uint32_t messages, uidnext, uidvalidity, unseen;
	uint64_t highestmodseq;
	struct span mailboxid;

	/* VANISHED, SEARCH: UIDs (owned by the resp: resp_release) */
	struct uidset set;
	bool earlier;

	/* FETCH */
	uint32_t uid;
	const struct wire_node *flags; /* first of the flag words, or NULL */
	uint64_t modseq, size;
	int64_t idate; /* seconds since 1970 */
	struct span gid; /* X-GM-MSGID, or EMAILID (RFC 8474 §5.1) */
	struct {
		struct span section;     /* "" , "HEADER", "TEXT", as sent */
		bool has_origin;
		uint64_t origin;         /* of "<o>" */
		const struct wire_node *value; /* QUOTED, LITERAL, STREAMED */
	} body[RESP_MAX_BODIES];
	unsigned nbody;

	/* NAMESPACE: first personal one (RFC 2342) */
	bool has_ns;
	struct span ns_prefix;
	char ns_delim;
};

void resp_init(struct resp *r);
void resp_release(struct resp *r);

/*
 * Read the tree into *r (initialised; what it held before is released).
 * Works on the incomplete tree of WIRE_STREAM too: what is missing is then
 * not in .has.
 */
void resp_parse(const struct wire_node *root, struct resp *r);

/* Is the status response's code CODE (any case)? */
bool resp_code_is(const struct resp *r, const char *code);

/*
 * [APPENDUID v set] (RFC 4315 §3); false when it is not that or malformed.
 * Here and below a set that is returned is initialised by the caller, and
 * replaced.
 */
bool resp_appenduid(const struct resp *r, uint32_t *uidvalidity_r,
    struct uidset *uids_r);

/*
 * [COPYUID v from to] as pairs in written order (RFC 4315 §3); false when
 * malformed or of unequal lengths, or over MAX pairs.
 */
bool resp_copyuid(struct arena *mem, const struct resp *r, size_t max,
    uint32_t *uidvalidity_r, uint32_t **from_r, uint32_t **to_r, size_t *n_r);

/* Codes that carry one number: UIDNEXT, UIDVALIDITY, HIGHESTMODSEQ, ... */
bool resp_code_u64(const struct resp *r, uint64_t *v_r);

/* [MODIFIED set] (RFC 7162 §3.1.3). */
bool resp_code_set(const struct resp *r, struct uidset *set_r);

#endif
