/*
 * digest: content identity, the SHA-256 of a message's canonical form.
 *
 * mbsync puts a line of its own, "X-TUID: " and 12 octets, into the header of
 * what it copies, so that of one message one side has it and the other has not.
 * To tell that they are the same there is a second identity, without such
 * lines.
 *
 * Fed with file bytes or wire bytes alike (eol.h rule 3), in any split.  One
 * thread per object; memory does not grow.  Cannot fail: a libcrypto without
 * SHA-256 ends the process as lack of memory does (base/alloc.h).
 */
#ifndef MAIL_DIGEST_H
#define MAIL_DIGEST_H

#include "base/alloc.h"
#include "base/span.h"

#define DIGEST_LEN 32
/* Octets of a line X-TUID. */
#define TUID_LINE 22

struct content {
	uint64_t size; /* octets of the canonical form */
	uint64_t raw;  /* octets fed */
	uint8_t sha[DIGEST_LEN];
	bool has_tuid; /* else these two are as the others: */
	uint64_t bare_size;
	uint8_t bare_sha[DIGEST_LEN];
	bool has_nul;  /* RFC 3501 literals may not carry it */
};

struct digest;

/*
 * Fetches the algorithm, which takes longer than a small message: keep the
 * object for many.
 */
struct digest *digest_new(void);
void digest_free(struct digest **d);
DEFINE_AUTO(digest)
void digest_feed(struct digest *d, const void *p, size_t n);
/* Result, and ready for the next message. */
void digest_finish(struct digest *d, struct content *c_r);
/* Forget what was fed, for a message that was given up. */
void digest_reset(struct digest *d);

/* "0123abcd...": 64 hex digits, lower case, appended. */
struct buf;
void digest_hex(const uint8_t sha[DIGEST_LEN], struct buf *b);

#endif
