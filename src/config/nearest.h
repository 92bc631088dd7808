/*
 * nearest: what was meant by a word that is not in the list.  Pure.
 */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/span.h"

/*
 * The entry of LIST (NULL-terminated) that is the fewest edits (insert,
 * delete, replace, swap neighbours; a letter in the other case is none) away
 * from WORD; the first of several.
 * NULL when none is near enough to be a slip of the fingers: more than a
 * third of the longer word's letters, though one edit is always near.
 */
const char *config_nearest(struct span word, const char *const *list);

#endif
