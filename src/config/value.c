#include "config/value.h"

#include "config/nearest.h"

#include <arpa/inet.h>

/* Those that imap/auth.c knows. */
static const char *const mechanisms[] = {
    "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", NULL};

/* Those that imap/ uses when they are there, as servers write them. */
static const char *const extensions[] = {"CONDSTORE", "QRESYNC", "UIDPLUS",
    "MOVE", "LITERAL+", "LITERAL-", "LIST-STATUS", "LIST-EXTENDED", "NAMESPACE",
    "UNSELECT", "ESEARCH", "ENABLE", "SASL-IR", "OBJECTID", "SPECIAL-USE", "ID",
    "MULTIAPPEND", "APPENDLIMIT", "COMPRESS=DEFLATE", "UIDONLY", NULL};

static const char *
kind_word(const struct ynode *n)
{
	switch (n->kind) {
	case YNODE_LIST:
		return "a list";
	case YNODE_MAP:
		return "a mapping";
	case YNODE_SCALAR:
		break;
	}
	return "a single value";
}

static bool
is_null(const struct ynode *n)
{
	return n->plain && (n->text.n == 0 || span_eq(n->text, SPAN("~")) ||
			       span_eq(n->text, SPAN("null")));
}

/* A scalar with something in it and no byte below BELOW. */
static int
check_scalar(const struct load *l, const char *name, const struct ynode *n,
    char below, struct err *e)
{
	if (n->kind != YNODE_SCALAR)
		return yaml_error(l->file, n, e,
		    "'%s' must be a single value, not %s", name, kind_word(n));
	if (is_null(n) || n->text.n == 0)
		return yaml_error(l->file, n, e,
		    "'%s' has no value; write one, or remove the line", name);
	for (size_t i = 0; i < n->text.n; i++) {
		char c = n->text.p[i];

		if ((c >= 0 && c < below) || c == 0x7f)
			return yaml_error(l->file, n, e,
			    "'%s' holds a control character", name);
	}
	return 0;
}

static int
get_text(const struct load *l, const char *name, const struct ynode *n,
    const char **v_r, struct err *e)
{
	int rc = check_scalar(l, name, n, ' ', e);

	if (rc == 0)
		*v_r = n->text.p;
	return rc;
}

bool
value_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (span_eq_case(span_str(host), SPAN("localhost")))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int
get_host(const struct load *l, const char *name, const struct ynode *n,
    const char **v_r, struct err *e)
{
	struct in6_addr v6;
	struct span s;
	const char *host;
	int rc;

	rc = check_scalar(l, name, n, ' ', e);
	if (rc)
		return rc;
	s = n->text;
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_of(s.p + 1, s.n - 2);
	host = arena_span(l->mem, s).p;
	if (inet_pton(AF_INET6, host, &v6) != 1) {
		if (span_index(n->text, ':') < n->text.n)
			return yaml_error(l->file, n, e,
			    "'%s' must be a name or an address alone; the port "
			    "has a key of its own, 'port'",
			    name);
		if (s.n > 253 || strpbrk(n->text.p, " /@[]\\"))
			return yaml_error(l->file, n, e,
			    "'%s' must be a host name or an address", name);
	}
	*v_r = host;
	return 0;
}

const char *
value_tidy_path(struct arena *mem, const char *path)
{
	size_t len = strlen(path), n = 0;
	char *out = arena_alloc(mem, len + 2);

	for (const char *p = path; *p;) {
		size_t part = strcspn(p, "/");

		if (part > 0 && !(part == 1 && p[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, part);
			n += part;
		}
		p += part;
		p += *p == '/';
	}
	if (n == 0)
		out[n] = '/';
	return out;
}

static bool
has_dotdot(const char *path)
{
	for (const char *p = path; *p;) {
		size_t part = strcspn(p, "/");

		if (part == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += part;
		p += *p == '/';
	}
	return false;
}

const char *
value_home_path(const struct load *l, const char *behind)
{
	return value_tidy_path(
	    l->mem, arena_printf(l->mem, "%s/%s", l->env->home, behind));
}

int
value_get_path(const struct load *l, const char *name, const struct ynode *n,
    const char **v_r, struct err *e)
{
	const char *p;
	int rc;

	rc = check_scalar(l, name, n, ' ', e);
	if (rc)
		return rc;
	p = n->text.p;
	if (has_dotdot(p))
		return yaml_error(
		    l->file, n, e, "'%s' must not hold '..'", name);
	if (strncmp(p, "~/", 2) == 0) {
		if (!l->env->home)
			return yaml_error(l->file, n, e,
			    "'%s' begins with '~/', but HOME is not set", name);
		*v_r = value_home_path(l, p + 2);
		return 0;
	}
	if (p[0] != '/')
		return yaml_error(
		    l->file, n, e, "'%s' must begin with '/' or '~/'", name);
	*v_r = value_tidy_path(l->mem, p);
	return 0;
}

static int
get_bool(const struct load *l, const char *name, const struct ynode *n,
    bool *v_r, struct err *e)
{
	bool yes, no;

	if (n->kind == YNODE_SCALAR && n->plain) {
		yes = span_eq(n->text, SPAN("yes")) ||
		      span_eq(n->text, SPAN("true"));
		no = span_eq(n->text, SPAN("no")) ||
		     span_eq(n->text, SPAN("false"));
		if (yes || no) {
			*v_r = yes;
			return 0;
		}
	}
	return yaml_error(l->file, n, e, "'%s' must be yes or no", name);
}

static int
get_number(const struct load *l, const struct key *k, const struct ynode *n,
    uint32_t *v_r, struct err *e)
{
	uint32_t v;

	if (n->kind != YNODE_SCALAR || !n->plain || !span_u32(n->text, &v) ||
	    v < k->lo || v > k->hi)
		return yaml_error(l->file, n, e,
		    "'%s' must be a number from %u to %u", k->name,
		    (unsigned)k->lo, (unsigned)k->hi);
	*v_r = v;
	return 0;
}

int
value_get_word(const struct load *l, const char *name, const struct ynode *n,
    const char *const *words, size_t *i_r, struct err *e)
{
	struct buf all;
	int rc;

	for (size_t i = 0; words[i]; i++) {
		if (n->kind == YNODE_SCALAR &&
		    span_eq(n->text, span_str(words[i]))) {
			*i_r = i;
			return 0;
		}
	}
	buf_init(&all, 200);
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			buf_add_str(&all, words[i + 1] ? ", " : " or ");
		buf_add_str(&all, words[i]);
	}
	rc = yaml_error(l->file, n, e, "'%s' must be %s", name, buf_cstr(&all));
	buf_release(&all);
	return rc;
}

static int
check_list(const struct load *l, const char *name, const struct ynode *n,
    const char *example, struct err *e)
{
	if (n->kind != YNODE_LIST)
		return yaml_error(l->file, n, e,
		    "'%s' must be a list, as in %s", name, example);
	return 0;
}

static const char *
join(struct arena *mem, const char *const *v)
{
	const char *s = v[0];

	for (size_t i = 1; v[i]; i++)
		s = arena_printf(mem, "%s, %s", s, v[i]);
	return s;
}

/*
 * A list of words out of KNOWN, whatever their case; *v_r NULL-terminated
 * and spelled as in KNOWN.
 */
static int
get_known(const struct load *l, const char *what, const struct ynode *list,
    const char *const *known, const char *const **v_r, struct err *e)
{
	const char **v = arena_array(l->mem, list->n + 1, sizeof(*v));
	int rc;

	for (size_t i = 0; i < list->n; i++) {
		const struct ynode *n = &list->item[i];
		const char *near;

		rc = check_scalar(l, what, n, ' ', e);
		if (rc)
			return rc;
		for (size_t k = 0; known[k] && !v[i]; k++)
			if (span_eq_case(n->text, span_str(known[k])))
				v[i] = known[k];
		if (v[i])
			continue;
		near = config_nearest(n->text, known);
		if (near)
			return yaml_error(l->file, n, e,
			    "unknown %s '%s'; did you mean '%s'?", what,
			    n->text.p, near);
		return yaml_error(l->file, n, e, "unknown %s '%s'; there are %s",
		    what, n->text.p, join(l->mem, known));
	}
	*v_r = v;
	return 0;
}

static int
get_auth(const struct load *l, const char *name, const struct ynode *n,
    const char *const **v_r, struct err *e)
{
	if (n->kind == YNODE_SCALAR && span_eq(n->text, SPAN("auto"))) {
		*v_r = NULL;
		return 0;
	}
	if (n->kind != YNODE_LIST || n->n == 0)
		return yaml_error(l->file, n, e,
		    "'%s' must be auto or a list, as in [scram-sha-256, plain]",
		    name);
	return get_known(l, "mechanism", n, mechanisms, v_r, e);
}

static int
get_extensions(const struct load *l, const char *name, const struct ynode *n,
    const char *const **v_r, struct err *e)
{
	int rc;

	rc = check_list(l, name, n, "[qresync]", e);
	if (rc)
		return rc;
	if (n->n == 0) {
		*v_r = NULL;
		return 0;
	}
	return get_known(l, "extension", n, extensions, v_r, e);
}

static int
get_patterns(const struct load *l, const char *name, const struct ynode *n,
    struct config_account *a, struct err *e)
{
	struct span *v;
	int rc;

	rc = check_list(l, name, n, "[\"*\", \"!Spam\"]", e);
	if (rc)
		return rc;
	if (n->n == 0)
		return yaml_error(l->file, n, e,
		    "'%s' is empty; remove it to have all mailboxes", name);
	v = arena_array(l->mem, n->n, sizeof(*v));
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *item = &n->item[i];

		rc = check_scalar(l, name, item, ' ', e);
		if (rc)
			return rc;
		if (span_eq(item->text, SPAN("!")))
			return yaml_error(l->file, item, e,
			    "'%s': a name must follow the !", name);
		v[i] = item->text;
	}
	a->mailboxes = v;
	a->nmailboxes = n->n;
	return 0;
}

static int
get_command(const struct load *l, const char *name, const struct ynode *n,
    const char *const **v_r, struct err *e)
{
	const char **v;
	int rc;

	if (n->kind == YNODE_SCALAR) {
		rc = check_scalar(l, name, n, 1, e);
		if (rc)
			return rc;
		v = arena_array(l->mem, 4, sizeof(*v));
		v[0] = "/bin/sh";
		v[1] = "-c";
		v[2] = n->text.p;
		*v_r = v;
		return 0;
	}
	if (n->kind != YNODE_LIST || n->n == 0)
		return yaml_error(l->file, n, e,
		    "'%s' must be a list, as in [pass, show, mail/ana], or one "
		    "line for the shell",
		    name);
	v = arena_array(l->mem, n->n + 1, sizeof(*v));
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *item = &n->item[i];
		bool empty = item->kind == YNODE_SCALAR && !item->plain &&
			     item->text.n == 0;

		if (i == 0 || !empty) {
			rc = check_scalar(l, name, item, 1, e);
			if (rc)
				return rc;
		}
		v[i] = item->text.p;
	}
	if (strncmp(v[0], "~/", 2) == 0 && l->env->home)
		v[0] = value_home_path(l, v[0] + 2);
	*v_r = v;
	return 0;
}

static int
get_password(const struct load *l, const struct key *k, const struct ynode *key,
    const struct ynode *n, struct config_account *a, struct err *e)
{
	int rc;

	if (a->password || a->password_file || a->password_command)
		return yaml_error(l->file, key, e,
		    "'%s': the password is given twice; see line %u", k->name,
		    a->password_line);
	if (k->type == KEY_TEXT)
		rc = get_text(l, k->name, n, &a->password, e);
	else if (k->type == KEY_PATH)
		rc = value_get_path(l, k->name, n, &a->password_file, e);
	else
		rc = get_command(l, k->name, n, &a->password_command, e);
	if (rc)
		return rc;
	a->password_line = key->line;
	a->password_col = key->col;
	return 0;
}

/* A word that stands for a value of an enum or a bool, in their order. */
static int
get_choice(const struct load *l, const struct key *k, const struct ynode *n,
    struct config_account *a, struct err *e)
{
	static const char *const words[][4] = {
	    [KEY_TLS] = {"implicit", "starttls", "none"},
	    [KEY_LAYOUT] = {"nested", "maildir++"},
	    [KEY_DIRECTION] = {"both", "pull", "push"},
	    [KEY_DELETES] = {"sync", "keep"},
	    [KEY_ON_LOCAL_DELETE] = {"expunge", "trash"},
	    [KEY_COPY] = {"reflink", "link", "bytes"},
	    [KEY_COMPRESS] = {"auto", "on", "off"},
	};
	size_t i;
	int rc = value_get_word(l, k->name, n, words[k->type], &i, e);

	if (rc)
		return rc;
	if (k->type == KEY_TLS)
		a->tls = (enum net_tls)i;
	else if (k->type == KEY_LAYOUT)
		a->layout = (enum layout)i;
	else if (k->type == KEY_DIRECTION)
		a->direction = (enum config_direction)i;
	else if (k->type == KEY_DELETES)
		a->keep = i == 1;
	else if (k->type == KEY_ON_LOCAL_DELETE)
		a->to_trash = i == 1;
	else if (k->type == KEY_COMPRESS)
		a->compress = (enum net_compress)i;
	else
		a->copy = (enum config_copy)i;
	return 0;
}

/* A name as the user sees it: / between its levels, none of them empty. */
static int
get_mailbox(const struct load *l, const char *name, const struct ynode *n,
    const char **v_r, struct err *e)
{
	int rc = check_scalar(l, name, n, ' ', e);

	if (rc)
		return rc;
	if (n->text.p[0] == '/' || n->text.p[n->text.n - 1] == '/' ||
	    strstr(n->text.p, "//"))
		return yaml_error(l->file, n, e,
		    "'%s' must be the name of a mailbox, as in Trash or "
		    "Mail/Trash",
		    name);
	if (span_eq_case(n->text, SPAN("INBOX")))
		return yaml_error(l->file, n, e, "'%s' must not be INBOX",
		    name);
	*v_r = n->text.p;
	return 0;
}

/* A power of 1024, as an exponent of 2; 0 for any other letter. */
static unsigned
unit(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return 0;
	}
}

static int
get_octets(const struct load *l, const char *name, const struct ynode *n,
    uint64_t *v_r, struct err *e)
{
	struct span s = n->text;
	unsigned shift = 0;
	uint64_t v;

	if (n->kind == YNODE_SCALAR && s.n > 0)
		shift = unit(s.p[s.n - 1]);
	s.n -= shift > 0;
	/* with its unit it is a text, and may stand in quotes */
	if (n->kind != YNODE_SCALAR || (!n->plain && shift == 0) ||
	    !span_u64(s, &v) || v > (uint64_t)INT64_MAX >> shift)
		return yaml_error(l->file, n, e,
		    "'%s' must be a number of octets, or of K, M or G, as in "
		    "25M; 0 is no limit",
		    name);
	*v_r = v << shift;
	return 0;
}

static int
get_days(const struct load *l, const struct key *k, const struct ynode *n,
    uint32_t *v_r, struct err *e)
{
	struct span s = n->text;
	bool unit_d = false;
	uint32_t v;

	if (n->kind == YNODE_SCALAR && s.n > 0)
		unit_d = s.p[s.n - 1] == 'd';
	s.n -= unit_d;
	if (n->kind != YNODE_SCALAR || (!n->plain && !unit_d) ||
	    !span_u32(s, &v) || v < k->lo || v > k->hi)
		return yaml_error(l->file, n, e,
		    "'%s' must be a number of days from %u to %u, as in 90 or "
		    "90d; 0 is no limit",
		    k->name, (unsigned)k->lo, (unsigned)k->hi);
	*v_r = v;
	return 0;
}

int
value_get(const struct load *l, const struct key *k, const struct ynode *key,
    const struct ynode *n, struct config_account *a, struct err *e)
{
	char *field = (char *)a + k->off;
	uint32_t u;
	int rc;

	if (strncmp(k->name, "password", 8) == 0)
		return get_password(l, k, key, n, a, e);
	switch (k->type) {
	case KEY_TEXT:
		return get_text(l, k->name, n, (const char **)field, e);
	case KEY_HOST:
		return get_host(l, k->name, n, (const char **)field, e);
	case KEY_PATH:
		return value_get_path(l, k->name, n, (const char **)field, e);
	case KEY_BOOL:
		return get_bool(l, k->name, n, (bool *)field, e);
	case KEY_NUMBER:
		return get_number(l, k, n, (uint32_t *)field, e);
	case KEY_PORT:
		rc = get_number(l, k, n, &u, e);
		if (rc == 0)
			a->port = (uint16_t)u;
		return rc;
	case KEY_TLS:
	case KEY_LAYOUT:
	case KEY_DIRECTION:
	case KEY_DELETES:
	case KEY_ON_LOCAL_DELETE:
	case KEY_COPY:
	case KEY_COMPRESS:
		return get_choice(l, k, n, a, e);
	case KEY_MAILBOX:
		return get_mailbox(l, k->name, n, (const char **)field, e);
	case KEY_OCTETS:
		return get_octets(l, k->name, n, (uint64_t *)field, e);
	case KEY_DAYS:
		return get_days(l, k, n, (uint32_t *)field, e);
	case KEY_PROVIDER:
		return provider_apply(l, n, a, e);
	case KEY_AUTH:
		return get_auth(l, k->name, n, &a->auth, e);
	case KEY_EXTENSIONS:
		return get_extensions(l, k->name, n, &a->disable_extensions, e);
	case KEY_PATTERNS:
		return get_patterns(l, k->name, n, a, e);
	case KEY_COMMAND:
		break;
	}
	return err_set(e, ERR_BUG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
	    "key '%s' has no type", k->name);
}
