/*
 * header: fields of a message's header (RFC 5322 §2.2).  Pure.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/arena.h"

/*
 * The value of the first field NAME (any case, without ":") in HEAD, which
 * begins with the header and may go on into the body, or be cut: lines end in
 * LF or CRLF, and an empty line ends the header.  Unfolded (a line break before
 * blanks goes), blanks at both ends gone; in MEM, at most 1000 octets.  False
 * when there is no such field, or HEAD is cut within it.
 */
bool header_field(struct arena *mem, struct span head, const char *name,
    struct span *value_r);

#endif
