/*
 * value: what the keys of the configuration may hold.
 *
 * Internal to config/.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"
#include "config/yaml.h"

struct load {
	const char *file;
	const struct config_env *env;
	struct arena *mem;
};

enum key_type {
	KEY_TEXT,
	KEY_HOST,
	KEY_PATH,
	KEY_BOOL,
	KEY_NUMBER,
	KEY_PORT,
	KEY_TLS,
	KEY_LAYOUT,
	KEY_DIRECTION,
	KEY_DELETES,
	KEY_ON_LOCAL_DELETE,
	KEY_COPY,
	KEY_COMPRESS,
	KEY_MAILBOX,
	KEY_OCTETS,
	KEY_DAYS,
	KEY_PROVIDER,
	KEY_COMMAND,
	KEY_AUTH,
	KEY_PATTERNS,
	KEY_EXTENSIONS
};

struct key {
	const char *name;
	enum key_type type;
	size_t off;	 /* in struct config_account */
	uint32_t lo, hi; /* KEY_NUMBER, KEY_PORT, KEY_DAYS */
};

/*
 * The value N of KEY as the schema (K) wants it, into A.  ERR_CONFIG with the
 * place; A is then of no use.
 */
int value_get(const struct load *l, const struct key *k,
    const struct ynode *key, const struct ynode *n, struct config_account *a,
    struct err *e);

/* An absolute path, "~/" expanded, into *v_r. */
int value_get_path(const struct load *l, const char *name,
    const struct ynode *n, const char **v_r, struct err *e);

/* Which of WORDS (NULL-terminated) it is. */
int value_get_word(const struct load *l, const char *name,
    const struct ynode *n, const char *const *words, size_t *i_r,
    struct err *e);

/* "localhost", 127.0.0.0/8, ::1. */
bool value_is_loopback(const char *host);

/* $HOME/BEHIND; only when there is a HOME. */
const char *value_home_path(const struct load *l, const char *behind);
/* Without doubled, "." and last slashes. */
const char *value_tidy_path(struct arena *mem, const char *path);

/* provider.c: what is known of the provider that N names, into A. */
int provider_apply(const struct load *l, const struct ynode *n,
    struct config_account *a, struct err *e);

/*
 * dirs.c: ERR_CONFIG when two accounts share a directory, or mail and state
 * lie one in the other.  NAMES: the keys of the accounts.
 */
int dirs_check(const struct load *l, const struct config *c,
    const struct ynode *names, struct err *e);

#endif
