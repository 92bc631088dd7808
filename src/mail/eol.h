/*
 * eol: line ends between the wire (CRLF, RFC 3501 §4.3) and a file (LF).
 *
 * Rules:
 * 1. A message comes down as a file with LF when that is reversible byte for
 *    byte: every LF of it stands behind exactly one CR (no bare LF, no
 *    CR CR LF).  A lone CR stays.  Otherwise the file holds it verbatim.
 * 2. A file goes up in its canonical form: every LF that no CR precedes gets
 *    one.  For a file made by rule 1 this gives back what came down, but for
 *    a bare LF, which may not go over the wire.
 * 3. The identity of a message is the SHA-256 of its canonical form
 *    (digest.h), whichever side it is read from.
 *
 * Both directions stream; state is a few bytes.  Pure; one thread.  The
 * ceiling of OUT is the caller's: check out->toobig where it can be met.
 */
#ifndef MAIL_EOL_H
#define MAIL_EOL_H

#include "base/buf.h"

/* Canonical form, from file or wire bytes alike. */
struct eol_canon {
	bool cr; /* the last byte was a CR */
};

void eol_canon_init(struct eol_canon *c);

/*
 * Append the canonical form of N bytes to OUT; at most 2 * N bytes.  May be
 * called with any split of the input; no call to finish is needed.
 */
void eol_canon_feed(struct eol_canon *c, const char *p, size_t n,
    struct buf *out);

/* Wire to file. */
struct eol_down {
	unsigned crs;  /* CRs just taken: 0, 1, or 2 for more; the last of them
			  is held back, those before it are in OUT */
	bool verbatim; /* rule 1 does not hold; bytes pass unchanged */
};

void eol_down_init(struct eol_down *d);

/*
 * Append the file form of N wire bytes to OUT.  Returns false when, at some
 * LF, it turns out that LF form would not be reversible.  Then *used_r wire
 * bytes were taken (the LF is not one of them), all OUT so far is their LF
 * form but for a CR that may be held back, and d->verbatim is set.  The
 * caller replaces what it has written by
 *
 *	eol_expand(all that OUT ever was) + eol_down_held()
 *
 * which is exactly the wire bytes taken, and feeds the rest from byte *used_r
 * on: from there bytes are copied.  *used_r is N on true.
 */
bool eol_down_feed(struct eol_down *d, const char *p, size_t n,
    struct buf *out, size_t *used_r);

/*
 * At the end, and right after a false return: the CR held back, if any
 * ("" or "\r"; static).  Clears it.
 */
struct span eol_down_held(struct eol_down *d);

/*
 * LF form back to what was on the wire: each LF becomes CR LF.  Without
 * state: any split of the input will do.
 */
void eol_expand(const char *p, size_t n, struct buf *out);

#endif
