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

/*
 * Both tables in one; false when a letter means one thing here and another
 * there, or a keyword has two letters.
 */
bool letters_unite(const struct kwletters *a, const struct kwletters *b,
    struct kwletters *all_r);

/* Appended to B; what letters_parse() reads as LETTERS. */
void letters_format(const struct kwtab *kw, const struct kwletters *letters,
    struct buf *b);

#endif
