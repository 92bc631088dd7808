/*
 * cmd: builds command lines (RFC 3501 §6, §9).
 *
 * Text goes to a buf; strings are quoted, or become literals when they must
 * (8-bit, CR, LF, long).  A literal that needs the server's "+" first splits
 * the line: the builder records the offset behind each "{n}\r\n", and the
 * session waits there.  With LITERAL+ (RFC 7888) "{n+}" is written and there
 * is nothing to wait for.  Spans marked secret are masked in the trace.
 * What cannot be sent sets .bad, what passes the ceiling b.toobig: check both
 * once, at the end.  Pure.
 */
#ifndef WIRE_CMD_H
#define WIRE_CMD_H

#include "base/buf.h"
#include "mail/flags.h"

#define WIRE_MAX_WAITS 8
#define WIRE_MAX_SECRETS 4

struct wire_cmd {
	struct buf b;
	bool literal_plus;
	size_t wait[WIRE_MAX_WAITS]; /* stop after so many bytes for "+" */
	unsigned nwait;
	struct { size_t from, to; } secret[WIRE_MAX_SECRETS];
	unsigned nsecret;
	bool bad; /* a NUL in a string (RFC 3501 §9), or too many literals */
};

/* MAX: octets of a command, with its literals. */
void wire_cmd_init(struct wire_cmd *c, size_t max, bool literal_plus);
void wire_cmd_release(struct wire_cmd *c); /* wipes */
/* Start over: "TAG " . */
void wire_cmd_begin(struct wire_cmd *c, struct span tag);
/* As it is: atoms, blanks, UID sets. */
void wire_cmd_raw(struct wire_cmd *c, const char *text);
void wire_cmd_span(struct wire_cmd *c, struct span text);
void wire_cmd_u64(struct wire_cmd *c, uint64_t v);
/* Quoted or as a literal; also the wire name of a mailbox. */
void wire_cmd_astring(struct wire_cmd *c, struct span s);
/* QUOTE: as wire_cmd_astring(), else as it is. */
void wire_cmd_secret(struct wire_cmd *c, struct span s, bool quote);
/* "(\Seen $Forwarded work)" */
void wire_cmd_flags(struct wire_cmd *c, const struct kwtab *t,
    struct flags f);
/* "23-Nov-2026 08:45:59 +0000", with the quotes; seconds since 1970 UTC. */
void wire_cmd_date(struct wire_cmd *c, int64_t wall_s);
void wire_cmd_end(struct wire_cmd *c); /* CR LF */

#endif
