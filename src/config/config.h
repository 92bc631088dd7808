/*
 * config: the configuration file, and where secrets come from.
 *
 * YAML, strict: unknown key (with the nearest valid one), duplicate key,
 * wrong type, tab, anchors, aliases and tags are errors
 * "FILE:LINE:COLUMN: what; what to do", ERR_CONFIG, scope RUN.  At most
 * 1 MiB.  Values are checked for range.  "~/" at the start of a path is
 * $HOME.  Once loaded it does not change: any thread may read it, and ask for
 * passwords.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "mail/layout.h"
#include "net/stream.h"

#include <pthread.h>

enum config_direction {
	CONFIG_BOTH, /* default */
	CONFIG_PULL, /* the server is never written to */
	CONFIG_PUSH  /* the Maildir is never written to */
};

enum config_copy { CONFIG_REFLINK, CONFIG_LINK, CONFIG_BYTES };

struct config_account {
	const char *name; /* letters, digits, . _ - ; not "." or "-" first */
	unsigned line;	  /* where it begins, for messages */
	const char *host; /* a literal IPv6 address without brackets; may come
			   * from 'provider', as others below */
	uint16_t port;
	enum net_tls tls;
	bool allow_plaintext;
	const char *tls_ca; /* NULL: system */
	enum net_compress compress;
	const char *user;
	/* One of the three, or none (then sync says so: ERR_CONFIG). */
	const char *password;
	const char *password_file;
	const char *const *password_command; /* argv, NULL-terminated */
	unsigned password_line, password_col;
	const char *const *auth; /* lower case; NULL: auto */
	const char *maildir;
	enum layout layout;
	const struct span *mailboxes; /* patterns */
	size_t nmailboxes;
	unsigned connections;		       /* 1..16 */
	const char *const *disable_extensions; /* upper case; NULL: none */
	uint32_t max_deletes;		       /* default 100 */
	uint32_t bin_days;		       /* default 30 */
	bool expunge;			       /* default false */
	enum config_direction direction;
	bool keep;	       /* deletes: keep; nothing is removed here */
	bool to_trash;	       /* on_local_delete: trash */
	const char *trash;     /* its name; NULL: by SPECIAL-USE \Trash */
	enum config_copy copy; /* copies of what is here already */
	uint64_t max_size;     /* octets; larger ones are skipped; 0: none */
	uint32_t max_age_days; /* older ones are not fetched; 0: none */
	unsigned timeout_s;    /* silence; default 60, 5..3600 */
	const char *state_dir; /* of this account: STATE/NAME */
};

struct config {
	const char *file;
	const char *state_dir;
	const struct config_account *account; /* in the order of the file */
	size_t naccounts;
	pthread_mutex_t *commands; /* held while a password command runs */
};

/*
 * PATH NULL: $XDG_CONFIG_HOME/mochila/config.yaml, or
 * ~/.config/mochila/config.yaml.  Environment is passed in, so that only
 * main() reads it.  A file that holds a password and can be read by others
 * is refused.
 */
struct config_env {
	const char *home, *xdg_config, *xdg_state;
};
int config_load(const char *path, const struct config_env *env,
    struct config **c_r, struct err *e);
/* The same for text in memory; FILE is for the messages. */
int config_parse(struct span text, const char *file,
    const struct config_env *env, struct config **c_r, struct err *e);
void config_free(struct config **c); /* wipes passwords */
DEFINE_AUTO(config)

/* NULL: no such account. */
const struct config_account *config_find(
    const struct config *c, struct span name);

/*
 * The account's password into SECRET (wiped by the caller, buf_wipe).
 * password_file: first line, must not be accessible to others (0077 ->
 * error).  password_command: argv run by posix_spawnp without a shell, in a
 * process group of its own, stdin /dev/null, stderr inherited, first line of
 * stdout, 10 seconds, then killed; one of the configuration at a time, others
 * wait for their turn.  Failure: ERR_CONFIG (scope ACCOUNT)
 * "FILE:LINE:COLUMN: what" of the key, or ERR_CANCELED.  CANCEL may be NULL.
 */
int config_password(const struct config *c, const struct config_account *a,
    const struct cancel *cancel, struct buf *secret, struct err *e);

#endif
