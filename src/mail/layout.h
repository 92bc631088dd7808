/*
 * layout: names of mailboxes, on the wire, for people, and on disk.
 *
 * wire   what LIST says, byte for byte (modified UTF-7); the key.
 * name   for people, configuration and the command line: UTF-8, "/" between
 *        levels whatever the server's delimiter is, INBOX in capitals.
 *        Written so that it can be read back.
 * path   the directory below the account's Maildir root.
 *
 * Name rules, level by level ("%XX" is a byte in two upper-case hex digits):
 *  1. A wire level in canonical modified UTF-7 is decoded, and "%" and "/" in
 *     it are written %XX.
 *  2. Any other wire level (8-bit bytes, raw control bytes, "&" astray; also
 *     one that decodes to a control character, U+0000 to U+001F or U+007F to
 *     U+009F) stays as it is on the wire, and "%", "/", "&", control bytes,
 *     0x7f and bytes >= 0x80 in it are written %XX.  So %26, %00 to %1F and
 *     %7F to %FF always mean a raw byte of the wire, and tell such a level
 *     from one of rule 1.
 *  3. INBOX in any case as the whole first level is "INBOX", unless the
 *     namespace prefix was dropped before it: then it is another mailbox and
 *     its first letter is written %XX ("%49NBOX").
 *
 * Path rules (never "..", never outside the root, one path for one name):
 *  4. A level of the name is a level of the path, with an empty level written
 *     "%", and in nested a leading "." as %2E, and of a level that is exactly
 *     "cur", "new" or "tmp" the first byte as %XX; in maildir++ every "." as
 *     %2E.  These are new escapes: no name has %2E, %63, %6E, %74 or "%"
 *     alone.
 *  5. A component of the path over 240 bytes (a level; in maildir++ the whole
 *     of it) is cut at a character boundary and ends in "%~" + 16 hex digits
 *     of the SHA-256 of the level (the whole name).  In nested, of a name of
 *     over 60 levels all from the 60th on are one component, "%~" + 16 hex
 *     digits of their SHA-256.  Such a path cannot be read back by itself:
 *     the journal knows.
 *  6. nested:     INBOX is "INBOX", a/b is "a/b".
 *     maildir++:  INBOX is the root itself (""), a/b is ".a.b".
 *
 * A directory that a person made is a mailbox when rules 1 to 6 could have
 * made its path.  Not so: "100%", "a%2fb", bytes that are not UTF-8, a line
 * end, "inbox" beside INBOX.  Such a directory is to be reported, not synced.
 *
 * Pure.  All results live in the arena; memory is a small multiple of the
 * argument, which is the caller's to limit.
 */
#ifndef MAIL_LAYOUT_H
#define MAIL_LAYOUT_H

#include "base/arena.h"

enum layout { LAYOUT_NESTED, LAYOUT_MAILDIRPP };

/*
 * wire -> name.  DELIM 0: flat.  Total: any bytes give some name.  PREFIX is
 * the namespace prefix, with its delimiter ("INBOX.", "Mail/"; may be empty);
 * it is dropped, an INBOX in it matching in any case.  Two wire names that
 * both begin with PREFIX never give the same name, nor does one of them and
 * INBOX or a child of INBOX, but for INBOX in another case.  (What lies in
 * another namespace, without PREFIX, may share its name with a mailbox of
 * this one: plan/tree.h finds that.)
 */
struct span layout_name(struct arena *mem, struct span wire, char delim,
    struct span prefix);

/*
 * name -> wire, for a mailbox that is to be created: PREFIX is added to all
 * but INBOX and its children.  False when there is no wire name without empty
 * levels from which layout_name() gives NAME: a level holds DELIM, or is
 * empty, or is not UTF-8, or has an escape that rules 1 to 3 do not make;
 * DELIM is 0 and there are several levels; a child of INBOX with a PREFIX
 * "INBOX." (which makes it a top-level mailbox).
 */
bool layout_wire(struct arena *mem, struct span name, char delim,
    struct span prefix, struct span *wire_r);

/*
 * name -> path.  NAME comes from layout_name() or layout_name_of_path(); of
 * any other text the path is as safe, but may be that of another name.
 */
struct span layout_path(struct arena *mem, struct span name,
    enum layout layout);

/*
 * path -> name; false when the path does not come from any name, or was cut
 * (rule 5).  What is returned gives PATH again with layout_path().
 */
bool layout_name_of_path(struct arena *mem, struct span path,
    enum layout layout, struct span *name_r);

/* Is WORD what NAME says, with its escapes undone? */
bool layout_says(struct span name, struct span word);

/*
 * Does NAME match the mailbox patterns of the configuration?  "*" stands for
 * anything, "%" for anything but "/"; "!" in front excludes; the last match
 * wins; no pattern at all: yes.  When none matches: no, but yes when the
 * first one excludes ("!Spam" alone is all but Spam).  INBOX as the first
 * level matches in any case.
 */
bool layout_match(struct span name, const struct span *patterns, size_t n);

#endif
