/*
 * utf7: modified UTF-7 for mailbox names (RFC 3501 §5.1.3), and UTF-8.
 *
 * Decoding and encoding are each other's inverse: what utf7_decode() accepts
 * is exactly what utf7_encode() writes, so nothing that was decoded is ever
 * sent back in another spelling.  Pure; any thread.
 */
#ifndef MAIL_UTF7_H
#define MAIL_UTF7_H

#include "base/buf.h"

/*
 * Append the UTF-8 of S to B.  Strict: false (and B as it was) for anything
 * but the canonical form: 8-bit or control bytes, superfluous or missing
 * shifts, bad base64, bits left over, lone surrogates, printable ASCII that
 * was shifted, NUL.  At most 3 * S.n bytes are added.
 */
bool utf7_decode(struct span s, struct buf *b);

/*
 * Append the canonical form of UTF-8 text.  False (and B as it was) when S is
 * not valid UTF-8 or holds a NUL.  At most 5 * S.n bytes are added.
 */
bool utf7_encode(struct span s, struct buf *b);

/*
 * Length in bytes of the valid UTF-8 character at the start of S; 0: none.
 * Valid is RFC 3629: no overlong forms, no surrogates, up to U+10FFFF.
 */
size_t utf8_char(struct span s);

#endif
