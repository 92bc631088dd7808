/*
 * load: the schema: which keys there are, and what has to be true between
 * them.
 *
 * Invariants:
 *  1. A value that the program does not understand is never dropped or
 *     guessed: it is an error with its place.
 *  2. Two accounts never share a directory, and mail and state never lie one
 *     in the other: each would take the other's files for its own (dirs.c).
 */
#include "config/value.h"

#include "base/alloc.h"
#include "base/fs.h"
#include "config/nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX (1024 * 1024)
#define ACCOUNTS_MAX 256
#define NAME_MAX_LEN 64

struct owned {
	struct config c; /* first: what the caller sees */
	struct arena mem;
	pthread_mutex_t commands;
};

#define AT(field) offsetof(struct config_account, field)
static const struct key keys[] = {
    {"provider", KEY_PROVIDER, 0, 0, 0},
    {"host", KEY_HOST, AT(host), 0, 0},
    {"port", KEY_PORT, AT(port), 1, 65535},
    {"tls", KEY_TLS, AT(tls), 0, 0},
    {"tls_ca", KEY_PATH, AT(tls_ca), 0, 0},
    {"allow_plaintext", KEY_BOOL, AT(allow_plaintext), 0, 0},
    {"user", KEY_TEXT, AT(user), 0, 0},
    {"password", KEY_TEXT, AT(password), 0, 0},
    {"password_file", KEY_PATH, AT(password_file), 0, 0},
    {"password_command", KEY_COMMAND, AT(password_command), 0, 0},
    {"auth", KEY_AUTH, AT(auth), 0, 0},
    {"maildir", KEY_PATH, AT(maildir), 0, 0},
    {"layout", KEY_LAYOUT, AT(layout), 0, 0},
    {"mailboxes", KEY_PATTERNS, AT(mailboxes), 0, 0},
    {"compress", KEY_COMPRESS, 0, 0, 0},
    {"connections", KEY_NUMBER, AT(connections), 1, 16},
    {"disable_extensions", KEY_EXTENSIONS, AT(disable_extensions), 0, 0},
    {"max_deletes", KEY_NUMBER, AT(max_deletes), 0, 1000000000},
    {"bin_days", KEY_NUMBER, AT(bin_days), 0, 36500},
    {"expunge", KEY_BOOL, AT(expunge), 0, 0},
    {"direction", KEY_DIRECTION, 0, 0, 0},
    {"deletes", KEY_DELETES, 0, 0, 0},
    {"on_local_delete", KEY_ON_LOCAL_DELETE, 0, 0, 0},
    {"trash", KEY_MAILBOX, AT(trash), 0, 0},
    {"copy", KEY_COPY, 0, 0, 0},
    {"max_size", KEY_OCTETS, AT(max_size), 0, 0},
    {"max_age", KEY_DAYS, AT(max_age_days), 0, 36500},
    {"timeout", KEY_NUMBER, AT(timeout_s), 5, 3600},
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const char *const top_keys[] = {"state_dir", "accounts", NULL};

static int
unknown_key(const struct load *l, const struct ynode *key,
    const char *const *list, struct err *e)
{
	const char *near = config_nearest(key->text, list);

	if (near)
		return yaml_error(l->file, key, e,
		    "unknown key '%s'; did you mean '%s'?", key->text.p, near);
	return yaml_error(l->file, key, e,
	    "unknown key '%s'; see mochila.yaml(5)", key->text.p);
}

static const struct key *
find_key(struct span name)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (span_eq(name, span_str(keys[i].name)))
			return &keys[i];
	return NULL;
}

static bool
account_name_ok(struct span s)
{
	if (s.n == 0 || s.n > NAME_MAX_LEN || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-'))
			return false;
	}
	return true;
}

/* Its place in MAP, or -1. */
static long
find_index(const struct ynode *map, struct span name)
{
	for (size_t i = 0; i < map->n; i++)
		if (span_eq(map->key[i].text, name))
			return (long)i;
	return -1;
}

static int
check_required(const struct load *l, const struct ynode *key,
    const struct config_account *a, struct err *e)
{
	const char *missing = !a->user ? "user"
	    : !a->maildir		   ? "maildir"
					   : NULL;

	if (!a->host)
		return yaml_error(l->file, key, e,
		    "account '%s' has neither 'host' nor 'provider'", a->name);
	if (missing)
		return yaml_error(l->file, key, e, "account '%s' has no '%s'",
		    a->name, missing);
	return 0;
}

static int
check_account(const struct load *l, const struct ynode *key,
    const struct ynode *map, const struct config_account *a, struct err *e)
{
	int rc = check_required(l, key, a, e);
	long i;

	if (rc)
		return rc;
	/* Who names a trash does not expect deletes to be for good. */
	if (a->trash && !a->to_trash)
		return yaml_error(l->file,
		    &map->key[find_index(map, SPAN("trash"))], e,
		    "'trash' is used with 'on_local_delete: trash' only; add "
		    "that, or remove this line");
	if (a->tls != NET_TLS_NONE || a->allow_plaintext ||
	    value_is_loopback(a->host))
		return 0;
	i = find_index(map, SPAN("tls"));
	return yaml_error(l->file, i < 0 ? key : &map->item[i], e,
	    "'tls: none' would send mail and password in clear to '%s'; "
	    "remove it, or add 'allow_plaintext: true'",
	    a->host);
}

/* The provider's preset first: what else is written wins. */
static int
read_keys(const struct load *l, const struct ynode *map,
    struct config_account *a, struct err *e)
{
	const char *names[NKEYS + 1] = {NULL};
	long at = find_index(map, SPAN("provider"));
	int rc = 0;

	for (size_t i = 0; i < NKEYS; i++)
		names[i] = keys[i].name;
	if (at >= 0)
		rc = provider_apply(l, &map->item[at], a, e);
	for (size_t i = 0; rc == 0 && i < map->n; i++) {
		const struct key *k = find_key(map->key[i].text);

		if (!k && span_eq(map->key[i].text, SPAN("state_dir")))
			return yaml_error(l->file, &map->key[i], e,
			    "'state_dir' is that of all accounts: it stands "
			    "beside 'accounts'");
		if (!k)
			return unknown_key(l, &map->key[i], names, e);
		if (k->type != KEY_PROVIDER)
			rc = value_get(l, k, &map->key[i], &map->item[i], a, e);
	}
	return rc;
}

static int
read_account(const struct load *l, const struct ynode *key,
    const struct ynode *map, struct config_account *a_r, struct err *e)
{
	struct config_account a = {
	    .name = key->text.p,
	    .line = key->line,
	    .tls = NET_TLS_IMPLICIT,
	    .layout = LAYOUT_NESTED,
	    .connections = 3,
	    .max_deletes = 100,
	    .bin_days = 30,
	    .timeout_s = 60,
	};
	int rc;

	if (!account_name_ok(key->text))
		return yaml_error(l->file, key, e,
		    "account name '%s': letters, digits, '.', '_' and '-' "
		    "only, at most %d, and neither '.' nor '-' first",
		    key->text.p, NAME_MAX_LEN);
	if (map->kind != YNODE_MAP)
		return yaml_error(l->file, map, e,
		    "account '%s' must be a mapping, as in 'host: "
		    "imap.example.org'",
		    a.name);
	rc = read_keys(l, map, &a, e);
	if (rc)
		return rc;
	if (a.port == 0)
		a.port = a.tls == NET_TLS_IMPLICIT ? 993 : 143;
	rc = check_account(l, key, map, &a, e);
	if (rc == 0)
		*a_r = a;
	return rc;
}

static int
read_accounts(const struct load *l, const struct ynode *map, struct config *c,
    struct err *e)
{
	struct config_account *v;
	int rc;

	if (map->kind != YNODE_MAP || map->n == 0)
		return yaml_error(l->file, map, e,
		    "'accounts' must hold one mapping for each account");
	if (map->n > ACCOUNTS_MAX)
		return yaml_error(
		    l->file, map, e, "more than %d accounts", ACCOUNTS_MAX);
	v = arena_array(l->mem, map->n, sizeof(*v));
	c->account = v;
	for (size_t i = 0; i < map->n; i++) {
		rc = read_account(l, &map->key[i], &map->item[i], &v[i], e);
		if (rc)
			return rc;
		c->naccounts = i + 1;
		v[i].state_dir = arena_printf(l->mem, "%s/%s",
		    strcmp(c->state_dir, "/") ? c->state_dir : "", v[i].name);
	}
	return dirs_check(l, c, map->key, e);
}

static int
default_state(const struct load *l, const char **dir_r, struct err *e)
{
	const char *xdg = l->env->xdg_state;

	if (xdg && xdg[0] == '/') {
		*dir_r = value_tidy_path(
		    l->mem, arena_printf(l->mem, "%s/mochila", xdg));
		return 0;
	}
	if (!l->env->home)
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "%s: HOME is not set; set it, or 'state_dir'", l->file);
	*dir_r = value_home_path(l, ".local/state/mochila");
	return 0;
}

static int
read_top(const struct load *l, const struct ynode *root, struct config *c,
    struct err *e)
{
	const struct ynode *accounts = NULL;
	int rc;

	if (root->kind != YNODE_MAP)
		return yaml_error(l->file, root, e,
		    "the file must be a mapping that holds 'accounts'");
	for (size_t i = 0; i < root->n; i++) {
		const struct ynode *key = &root->key[i];

		if (span_eq(key->text, SPAN("accounts"))) {
			accounts = &root->item[i];
		} else if (span_eq(key->text, SPAN("state_dir"))) {
			rc = value_get_path(
			    l, "state_dir", &root->item[i], &c->state_dir, e);
			if (rc)
				return rc;
		} else if (find_key(key->text)) {
			return yaml_error(l->file, key, e,
			    "'%s' belongs to an account, below 'accounts'",
			    key->text.p);
		} else if (root->item[i].kind == YNODE_MAP &&
			   !config_nearest(key->text, top_keys)) {
			return yaml_error(l->file, key, e,
			    "unknown key '%s'; if that is an account, it "
			    "stands below 'accounts'",
			    key->text.p);
		} else {
			return unknown_key(l, key, top_keys, e);
		}
	}
	if (!accounts)
		return yaml_error(l->file, root, e, "'accounts' is missing");
	if (!c->state_dir) {
		rc = default_state(l, &c->state_dir, e);
		if (rc)
			return rc;
	}
	return read_accounts(l, accounts, c, e);
}

int
config_parse(struct span text, const char *file, const struct config_env *env,
    struct config **c_r, struct err *e)
{
	struct load l = {.file = file, .env = env};
	struct owned *o;
	struct config *c;
	struct ynode root;
	int rc;

	if (text.n > CONFIG_MAX)
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "%s: larger than 1 MiB", file);
	o = xcalloc(1, sizeof(*o));
	c = &o->c;
	arena_init(&o->mem);
	pthread_mutex_init(&o->commands, NULL);
	c->commands = &o->commands;
	l.mem = &o->mem;
	c->file = arena_str(&o->mem, file);
	rc = yaml_read(text, file, &o->mem, &root, e);
	if (rc == 0)
		rc = read_top(&l, &root, c, e);
	if (rc) {
		config_free(&c);
		return rc;
	}
	*c_r = c;
	return 0;
}

void
config_free(struct config **c)
{
	struct owned *o = (struct owned *)*c;

	if (!o)
		return;
	for (size_t i = 0; i < o->c.naccounts; i++) {
		const char *secret = o->c.account[i].password;

		/* In our own arena, which is not const. */
		if (secret)
			explicit_bzero(
			    (void *)(uintptr_t)secret, strlen(secret));
	}
	pthread_mutex_destroy(&o->commands);
	arena_release(&o->mem);
	xfree(o);
	*c = NULL;
}

const struct config_account *
config_find(const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->naccounts; i++)
		if (span_eq(span_str(c->account[i].name), name))
			return &c->account[i];
	return NULL;
}

/* The whole file into TEXT, and its mode. */
static int
read_file(const char *path, struct buf *text, mode_t *mode_r, struct err *e)
{
	AUTO_FD fd = -1;
	struct stat st;
	char *room;
	ssize_t n;

	/* O_NONBLOCK: a FIFO must not stop us here.  Symlinks are followed:
	 * collections of dotfiles consist of them. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "%s does not exist; write it as mochila.yaml(5) says, or "
		    "name another file by -c",
		    path);
	if (fd < 0 || fstat(fd, &st))
		goto failed;
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "%s is not a regular file", path);
	/* Room for all at once: passwords are not left behind by growing.
	 * One byte more than allowed, so that config_parse() sees it. */
	room = buf_reserve(text, CONFIG_MAX + 1);
	n = fs_read_full(fd, room, CONFIG_MAX + 1);
	if (n < 0)
		goto failed;
	text->n = (size_t)n;
	*mode_r = st.st_mode;
	return 0;
failed:
	err_sys(e, ERR_SCOPE_RUN, errno, "%s", path);
	return e->code = ERR_CONFIG;
}

static int
check_mode(const struct config *c, mode_t mode, struct err *e)
{
	if (!(mode & (S_IRGRP | S_IROTH)))
		return 0;
	for (size_t i = 0; i < c->naccounts; i++) {
		const struct config_account *a = &c->account[i];

		if (a->password)
			return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN,
			    ERR_RETRY_NEVER,
			    "%s:%u:%u: others can read this password; "
			    "chmod 600 %s",
			    c->file, a->password_line, a->password_col,
			    c->file);
	}
	return 0;
}

static int
load_file(const char *path, const struct config_env *env, struct config **c_r,
    struct err *e)
{
	AUTO(config) c = NULL;
	struct buf text;
	mode_t mode = 0;
	int rc;

	buf_init(&text, CONFIG_MAX + 1);
	rc = read_file(path, &text, &mode, e);
	if (rc == 0)
		rc = config_parse(buf_span(&text), path, env, &c, e);
	buf_wipe(&text); /* it may hold passwords */
	if (rc == 0)
		rc = check_mode(c, mode, e);
	if (rc)
		return rc;
	*c_r = c;
	c = NULL;
	return 0;
}

int
config_load(const char *path, const struct config_env *env, struct config **c_r,
    struct err *e)
{
	AUTO_STR found = NULL;

	if (path)
		return load_file(path, env, c_r, e);
	if (env->xdg_config && env->xdg_config[0] == '/')
		found = xasprintf("%s/mochila/config.yaml", env->xdg_config);
	else if (env->home)
		found = xasprintf("%s/.config/mochila/config.yaml", env->home);
	else
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "HOME is not set; name the configuration by -c");
	return load_file(found, env, c_r, e);
}
