/*
 * text: small encodings of the wire.  Pure.
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include "base/buf.h"

/*
 * INTERNALDATE "dd-Mon-yyyy hh:mm:ss +zzzz" (RFC 3501 §9 date-time; day may
 * be space-padded) to seconds since 1970, years 1 to 9999.  False when
 * malformed.
 */
bool wire_date_parse(struct span s, int64_t *wall_s_r);
/* Always in +0000; clamps to years 1 to 9999. */
void wire_date_format(int64_t wall_s, struct buf *b);

/*
 * IMAP4 capability words, ASCII case-insensitive: is WORD in the blank-
 * separated LIST?
 */
bool wire_word_in(struct span list, struct span word);

/*
 * Does TEXT, of a NO, BAD or BYE, say that too much is asked of the server?
 * RFC 5530 has no code for it, so these are the words of Gmail, Exchange and
 * Dovecot.  *ms_r: how long to wait, in milliseconds; 0: it does not say.
 */
bool wire_throttled(struct span text, uint64_t *ms_r);
/* Does TEXT, of a NO without a code, say that there is no such mailbox? */
bool wire_denies(struct span text);

/*
 * Is BODY, of a whole message, what a server sends with an OK where it cannot
 * open the file of that message?
 */
bool wire_stands_in(struct span body);

#endif
