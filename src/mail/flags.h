/*
 * flags: what may be set on a message (RFC 3501 §2.3.2).
 *
 * System flags, and $Forwarded, are bits.  Keywords are numbers that a kwtab
 * gives to names, any number of them; a set is a sorted array.  Sets are
 * values: their arrays are borrowed from the arena that made them (a result
 * may share the array of an argument) and never changed in place.  Pure; one
 * thread per kwtab.
 */
#ifndef MAIL_FLAGS_H
#define MAIL_FLAGS_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	FLAG_SEEN = 1 << 0,     /* \Seen     S */
	FLAG_ANSWERED = 1 << 1, /* \Answered R */
	FLAG_FLAGGED = 1 << 2,  /* \Flagged  F */
	FLAG_DELETED = 1 << 3,  /* \Deleted  T */
	FLAG_DRAFT = 1 << 4,    /* \Draft    D */
	FLAG_PASSED = 1 << 5,   /* $Forwarded P: a keyword on the wire */
	FLAG_ALL = 0x3f
};

struct flags {
	uint32_t sys;       /* FLAG_* */
	uint32_t n;         /* keywords */
	const uint32_t *kw; /* their ids, ascending, no doubles; borrowed */
};

#define FLAGS_NONE ((struct flags){0, 0, NULL})

bool flags_eq(struct flags a, struct flags b);
bool flags_empty(struct flags a);
bool flags_has_kw(struct flags a, uint32_t id);
struct flags flags_or(struct arena *mem, struct flags a, struct flags b);
struct flags flags_and(struct arena *mem, struct flags a, struct flags b);
struct flags flags_minus(struct arena *mem, struct flags a, struct flags b);
/* Id 0 adds nothing; KW_PASSED adds FLAG_PASSED. */
struct flags flags_with_kw(struct arena *mem, struct flags a, uint32_t id);
struct flags flags_copy(struct arena *mem, struct flags a);

/*
 * The keyword names of one account.  Ids start at 1 and are never reused.
 * Names compare ASCII case-insensitively (RFC 9051 §2.3.2); the first
 * spelling is kept.
 *
 * Every name in a table is a legal keyword (flags_keyword_ok), so that it can
 * go into a command as it is: 0 is the id of what is not.
 *
 * $Forwarded is FLAG_PASSED and nothing else.  It has no place in the table,
 * but where only an id fits (the letters of a mailbox, name.h) it is
 * KW_PASSED, for all functions here; no set ever holds that id.
 */
struct kwtab;

#define KW_MAX 10000 /* names in one table; further ones get id 0 */
#define KW_PASSED UINT32_MAX

struct kwtab *kwtab_new(void);
void kwtab_free(struct kwtab **t);

/* The id of NAME, new if need be; 0: not legal, or full.  NAME is copied. */
uint32_t kwtab_intern(struct kwtab *t, struct span name);
uint32_t kwtab_find(const struct kwtab *t, struct span name); /* 0: unknown */
/* Borrowed, until kwtab_free(); NULL and 0 when there is no such id. */
struct span kwtab_name(const struct kwtab *t, uint32_t id);
uint32_t kwtab_count(const struct kwtab *t); /* ids are 1..count */

/*
 * The flag that an IMAP flag NAME stands for, added to F: system flag,
 * $Forwarded, or keyword (interned).  \Recent, \* and system flags that we
 * do not know are left out (RFC 3501 §2.3.2: they are not ours to store), and
 * so is what is no legal keyword.
 */
struct flags flags_add_name(struct arena *mem, struct kwtab *t, struct flags f,
    struct span name);

/*
 * "\Seen \Flagged $Forwarded work", appended to B: the bits in the order of
 * their declaration, then the keywords by id.
 */
void flags_format(const struct kwtab *t, struct flags f, struct buf *b);

/* A legal keyword: an RFC 3501 atom (so without "\\"), at most 255 bytes. */
bool flags_keyword_ok(struct span name);

#endif
