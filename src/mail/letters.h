/*
 * letters: the text of a dovecot-keywords file, which says what the letters
 * a to z in the file names of one mailbox mean: lines "NUMBER NAME", 0 for a.
 * Pure.
 */
#ifndef MAIL_LETTERS_H
#define MAIL_LETTERS_H

#include "mail/name.h"

/*
 * What TEXT says.  Lines that are malformed, or name no legal keyword, are
 * skipped; of two lines for one letter, or for one keyword, the first counts.
 * At most 26 names go into KW, whatever TEXT is.
 */
struct kwletters letters_parse(struct span text, struct kwtab *kw);

/* Appended to B; what letters_parse() reads as LETTERS. */
void letters_format(const struct kwtab *kw, const struct kwletters *letters,
    struct buf *b);

#endif
