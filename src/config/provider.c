/*
 * provider: what is known of the large ones, so that an account needs no more
 * than a user and a password.
 *
 * A preset is applied before the keys of the account, which win.  Nothing is
 * looked up.
 */
#include "config/value.h"

struct preset {
	const char *name, *host;
	const char *const *auth, *const *disable, *const *mailboxes;
	bool to_trash;
};

/*
 * Passwords made for programs go over TLS as they are; some offer mechanisms
 * that they refuse with those.
 */
static const char *const plain[] = {"plain", "login", NULL};

/* It says QRESYNC, but VANISHED is malformed; MIN and MAX are wrong. */
static const char *const icloud_disable[] = {"QRESYNC", "ESEARCH", NULL};
/* HIGHESTMODSEQ is said, but MODSEQ of messages is 0 or -1. */
static const char *const zoho_disable[] = {"CONDSTORE", "QRESYNC", NULL};

/* Each message is in one of the others as well. */
static const char *const gmail_mailboxes[] = {"*", "![Gmail]/All Mail",
    "![Gmail]/Important", "![Gmail]/Starred", "![Google Mail]/All Mail",
    "![Google Mail]/Important", "![Google Mail]/Starred", NULL};
static const char *const zoho_mailboxes[] = {
    "*", "!All Mail", "!Important", "!Starred", NULL};
/* What is in these is no mail. */
static const char *const outlook_mailboxes[] = {"*", "!Calendar", "!Calendar/*",
    "!Contacts", "!Contacts/*", "!Conversation History", "!Files", "!Journal",
    "!Notes", "!Sync Issues", "!Sync Issues/*", "!Tasks", NULL};

static const struct preset presets[] = {
    {"gmail", "imap.gmail.com", plain, NULL, gmail_mailboxes, true},
    {"outlook", "outlook.office365.com", NULL, NULL, outlook_mailboxes, false},
    {"yahoo", "imap.mail.yahoo.com", plain, NULL, NULL, false},
    {"aol", "imap.aol.com", plain, NULL, NULL, false},
    {"icloud", "imap.mail.me.com", plain, icloud_disable, NULL, false},
    {"fastmail", "imap.fastmail.com", plain, NULL, NULL, false},
    {"zoho", "imap.zoho.com", plain, zoho_disable, zoho_mailboxes, false},
    {"gmx", "imap.gmx.net", NULL, NULL, NULL, false},
    {"webde", "imap.web.de", NULL, NULL, NULL, false},
    {"posteo", "posteo.de", NULL, NULL, NULL, false},
    {"yandex", "imap.yandex.com", NULL, NULL, NULL, false},
    {"mailru", "imap.mail.ru", NULL, NULL, NULL, false},
};
#define NPRESETS (sizeof(presets) / sizeof(presets[0]))

static void
set_mailboxes(struct arena *mem, const char *const *names,
    struct config_account *a)
{
	struct span *v;
	size_t n = 0;

	while (names[n])
		n++;
	v = arena_array(mem, n, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = span_str(names[i]);
	a->mailboxes = v;
	a->nmailboxes = n;
}

int
provider_apply(const struct load *l, const struct ynode *n,
    struct config_account *a, struct err *e)
{
	const char *names[NPRESETS + 1] = {NULL};
	const struct preset *p;
	size_t i;
	int rc;

	for (i = 0; i < NPRESETS; i++)
		names[i] = presets[i].name;
	rc = value_get_word(l, "provider", n, names, &i, e);
	if (rc)
		return rc;
	p = &presets[i];
	a->host = p->host;
	a->auth = p->auth;
	a->disable_extensions = p->disable;
	a->to_trash = p->to_trash;
	if (p->mailboxes)
		set_mailboxes(l->mem, p->mailboxes, a);
	return 0;
}
