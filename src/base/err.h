/*
 * err: what went wrong, how much of the run it takes with it, and whether
 * trying again can help.
 *
 * Contract for every fallible function of the project: it returns int, 0 or
 * a negative enum err_code; the last parameter is struct err *e, never NULL;
 * on failure *e is filled in once, where the fault is found, and all out
 * parameters (named _r) are untouched.  Callers may add context with
 * err_wrap().  The struct lives on the caller's stack and owns nothing.
 * Secrets never get into .text.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_code {
	ERR_NONE = 0,
	ERR_IO = -1,       /* local file or directory; .sys is the errno */
	ERR_FULL = -2,     /* no space, quota, or file table full */
	ERR_NET = -3,      /* connection refused, reset, cut */
	ERR_TIMEOUT = -4,  /* deadline passed in silence */
	ERR_CANCELED = -5, /* SIGINT, SIGTERM */
	ERR_TLS = -6,      /* handshake or verification */
	ERR_AUTH = -7,     /* login refused */
	ERR_PROTO = -8,    /* the server said something that cannot be */
	ERR_NO = -9,       /* tagged NO */
	ERR_BAD = -10,     /* tagged BAD */
	ERR_BYE = -11,     /* the server hung up */
	ERR_CONFIG = -12,  /* configuration, password source */
	ERR_LOCKED = -13,  /* another run holds the account */
	ERR_JOURNAL = -14, /* damaged, newer, or refused journal */
	ERR_TOOBIG = -15,  /* a ceiling of ours */
	ERR_STALE = -16,   /* not as observed any more; next pass decides */
	ERR_USAGE = -17,   /* the command line */
	ERR_BUG = -18,     /* what cannot be: ours */
	ERR_BUSY = -19     /* the server wants to be left alone for a while */
};

/* What stops.  Only sync/ and cli/ act on it. */
enum err_scope {
	ERR_SCOPE_MSG,     /* this message; the mailbox goes on */
	ERR_SCOPE_BOX,     /* this mailbox; the account goes on */
	ERR_SCOPE_CONN,    /* this connection */
	ERR_SCOPE_ACCOUNT, /* this account */
	ERR_SCOPE_RUN      /* everything */
};

enum err_retry {
	ERR_RETRY_NEVER, /* somebody has to do something first */
	ERR_RETRY_LATER  /* the next run may work */
};

struct err {
	enum err_code code;
	enum err_scope scope;
	enum err_retry retry;
	int sys;         /* errno, or 0 */
	char resp[32];   /* IMAP response code in capitals ("TOOBIG"), or "" */
	char text[400];  /* one line, no newline, printable */
};

/* Fill *e and return CODE.  Text is cut to fit; control bytes become '?'. */
int err_set(struct err *e, enum err_code code, enum err_scope scope,
    enum err_retry retry, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * The same for a failed system call: appends ": " and the text of SYS, picks
 * ERR_FULL for ENOSPC, EDQUOT, EMFILE and ENFILE, else ERR_IO; retry LATER.
 */
int err_sys(struct err *e, enum err_scope scope, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "context: " in front of the text; returns e->code. */
int err_wrap(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

/*
 * Z as it may be shown on a terminal: control characters, also those of
 * U+0080 to U+009F in UTF-8, become '?'.  CUT: Z was cut, so that a broken
 * character at its end goes.
 */
void err_make_printable(char *z, bool cut);

/* The exit status for *e (mochila(1)): 0, 64, 65, 69, 70, 75, 77 or 78. */
int err_exit_status(const struct err *e);

#endif
