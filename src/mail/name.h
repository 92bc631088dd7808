/*
 * name: Maildir file names, "base:2,INFO" (cr.yp.to/proto/maildir.html).
 *
 * The base names the message and is never made or changed by its UID or
 * state.  INFO holds the flag letters D F P R S T, keyword letters a to z
 * (their meaning per mailbox in dovecot-keywords) and whatever other letters
 * another program put there: those are kept.  Pure.
 *
 * Where a name departs from that, we read it as mutt and Dovecot do:
 *  - the LAST ":" divides, and only when "2," stands behind it and something
 *    before it.  Any other name ("x", "x:1,y", "12:30.eml", ":2,S") has no
 *    info and is all base; it gets ":2,INFO" behind it when it has to show
 *    something, so no byte of it is lost.
 *  - within INFO a "," ends the letters; it and what follows is another
 *    program's and kept in its place.
 *  - letters that are unsorted or repeated mean what they say; they are put
 *    in order only when the name has to change anyway.
 */
#ifndef MAIL_NAME_H
#define MAIL_NAME_H

#include "mail/flags.h"

#define NAME_LEN_MAX 255 /* NAME_MAX of Linux */

/*
 * Keyword ids by letter a..z of one mailbox; 0: letter not in use.
 * KW_PASSED for the letter of $Forwarded, which Dovecot shows so, not as P.
 */
struct kwletters {
	uint32_t id[26];
};

struct name {
	struct span base;     /* before ":2,"; the whole name without one */
	struct span info;     /* behind ":2,", may be empty */
	bool has_info;        /* ":2," is there */
};

/* Split a file name (no directory). Borrowed from FILE. */
struct name name_split(struct span file);

/* False for names that are no message: "", leading '.'. */
bool name_is_message(struct span file);

/*
 * The flags that INFO shows.  Letters that are neither flags nor in LETTERS
 * (may be NULL) are returned as a bit mask of a..z (bit 0: a) in *unknown_r
 * (may be NULL), so that the caller never gives such a letter a new meaning.
 */
struct flags name_flags(struct arena *mem, struct span info,
    const struct kwletters *letters, uint32_t *unknown_r);

/*
 * The file name of a message that shows F: base + ":2," + letters in ASCII
 * order, with all letters of the old INFO that mean nothing to us kept.
 * Keywords without a letter in LETTERS are left out; *shown_r (may be NULL) is
 * what the name that is returned shows.  FILE itself is returned when it shows
 * F already (as far as letters go) and has its ":2,".  IN_NEW: with nothing to
 * show, no ":2," is added when the old name had none.
 *
 * The result is never longer than NAME_LEN_MAX when FILE is not: letters that
 * would go over it are not added (from the end of the alphabet), while
 * letters that F lacks are always removed.
 */
struct span name_with_flags(struct arena *mem, struct span file,
    struct flags f, const struct kwletters *letters, bool in_new,
    struct flags *shown_r);

/*
 * The name of FILE in another place: with BASE in place of its own, when BASE
 * is not empty, and, unless KEYWORDS, without its letters a to z, which mean
 * something else in another mailbox.  All else of its info stays, unless
 * there is no room for it.
 */
struct span name_elsewhere(struct arena *mem, struct span file,
    struct span base, bool keywords);

/*
 * The name of FILE that comes back from a deletion: without T, and with AS[0]
 * in place of the letter a, and so on; 0: without that letter.  Never longer
 * than FILE.
 */
struct span name_undeleted(struct arena *mem, struct span file,
    const char as[26]);

/*
 * A new unique base name: "SECONDS.M<usec>P<pid>Q<seq>R<random>.HOST".  In
 * HOST all but letters, digits, ".", "-" and "_" is written as backslash and
 * three octal digits, '/' and ':' thus as \057 and \072; an empty one is
 * "localhost".  At most 200 bytes: HOST is cut.  RANDOM is in hexadecimal, the
 * other numbers in decimal.
 */
struct span name_make(struct arena *mem, int64_t wall_ns, uint32_t pid,
    uint64_t seq, uint64_t random, struct span host);

#endif
