/*
 * locate: the message that a word of the command line is about.
 */
#include "cli/internal.h"

#include "base/fs.h"
#include "sync/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (64 * 1024)

bool
cli_address_parse(struct span word, struct cli_address *a_r)
{
	size_t first = span_index(word, ':'), last = word.n;
	struct cli_address a;

	while (last > first && word.p[last - 1] != ':')
		last--;
	/* last: behind the last colon */
	if (first == 0 || first >= word.n || last < first + 3)
		return false;
	a.account = span_of(word.p, first);
	a.mailbox = span_of(word.p + first + 1, last - 1 - (first + 1));
	if (span_index(a.account, '/') < a.account.n ||
	    !span_u32(span_of(word.p + last, word.n - last), &a.uid) ||
	    a.uid == 0)
		return false;
	*a_r = a;
	return true;
}

/* Where a file lies below an account's Maildir. */
struct place {
	const struct config_account *a; /* NULL: below none */
	struct span path, file;		/* "INBOX", "cur/base:2,S" */
};

/* BELOW: what of PATH lies below the directory ROOT; both without links. */
static bool
is_below(const char *root, const char *path, const char **below_r)
{
	size_t n = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return false;
	*below_r = path + n + 1;
	return true;
}

/* PATH, "INBOX/cur/base:2,S", is that of a message. */
static bool
split_path(struct span path, struct place *p)
{
	size_t slash[2] = {0}, n = 0;

	for (size_t i = path.n; i > 0 && n < 2; i--)
		if (path.p[i - 1] == '/')
			slash[n++] = i; /* behind it */
	if (n == 0)
		return false;
	p->file = span_of(path.p + slash[1], path.n - slash[1]);
	p->path = span_of(path.p, slash[1] ? slash[1] - 1 : 0);
	return span_starts(p->file, SPAN("cur/")) ||
	       span_starts(p->file, SPAN("new/"));
}

/*
 * Where WORD lies.  The file itself need not be there, as it may have another
 * name by now; its directory must.
 */
static void
find_place(struct cli *c, const char *word, struct place *p)
{
	char *dir = arena_str(&c->mem, word), *slash = strrchr(dir, '/');
	char real[PATH_MAX], root[PATH_MAX];
	const char *path = NULL, *below;

	*p = (struct place){.a = NULL};
	if (realpath(word, real)) {
		path = real;
	} else {
		if (slash)
			slash[slash == dir] = '\0';
		if (realpath(slash ? dir : ".", real))
			path = arena_printf(&c->mem, "%s/%s",
			    strcmp(real, "/") ? real : "",
			    slash ? word + (slash - dir) + 1 : word);
	}
	for (size_t i = 0; path && i < c->conf->naccounts; i++) {
		const struct config_account *a = &c->conf->account[i];

		if (!realpath(a->maildir, root) ||
		    !is_below(root, path, &below) ||
		    !split_path(span_str(arena_str(&c->mem, below)), p))
			continue;
		p->a = a;
		return;
	}
}

static int
digest_file(
    struct cli *c, const char *word, struct content *content_r, struct err *e)
{
	AUTO_FD fd = open(word, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO(digest) d = NULL;
	struct stat st;
	char *block;
	ssize_t n;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "%s", word);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "%s is no file; a message is one, in cur/ or new/ of its "
		    "mailbox",
		    word);
	d = digest_new();
	block = xalloc(BLOCK);
	while ((n = fs_read_full(fd, block, BLOCK)) > 0 && rc == 0) {
		digest_feed(d, block, (size_t)n);
		rc = cancel_check(c->cancel, e);
	}
	if (n < 0)
		rc = err_sys(e, ERR_SCOPE_MSG, errno, "%s", word);
	xfree(block);
	if (rc == 0)
		digest_finish(d, content_r);
	return rc;
}

/* A file that is no message of a Maildir: by its content, in any account. */
static int
explain_copy(struct cli *c, const char *word, struct explain *x, struct err *e)
{
	struct content content;
	int rc = digest_file(c, word, &content, e);

	for (size_t i = 0; rc == 0 && i < c->conf->naccounts; i++) {
		explain_release(x);
		explain_init(x, &c->conf->account[i]);
		rc = explain_content(x, &content, c->cancel, e);
		if (rc == 0 && explain_found(x))
			break;
	}
	return rc;
}

/*
 * An operand with a colon that is no file, and begins with an account or ends
 * with a UID ("INBOX:12"): what is wrong with it.
 */
static int
check_word(struct cli *c, const char *word, struct err *e)
{
	struct span s = span_str(word);
	size_t colon = span_index(s, ':');
	const struct config_account *a =
	    config_find(c->conf, span_of(s.p, colon));
	struct stat st;
	uint32_t uid;

	if (colon == s.n || lstat(word, &st) == 0 ||
	    (!a && !span_u32(span_str(strrchr(word, ':') + 1), &uid)))
		return 0;
	return err_set(e, ERR_USAGE, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
	    "'%s' is neither a file nor a message's address; write "
	    "ACCOUNT:MAILBOX:UID, as in %s:INBOX:12",
	    word, a ? a->name : c->conf->account[0].name);
}

int
cli_locate(struct cli *c, const char *word, struct explain *x, struct err *e)
{
	const struct config_account *a;
	struct cli_address at;
	struct place p;
	struct stat st;

	explain_init(x, &c->conf->account[0]);
	if (cli_address_parse(span_str(word), &at) && lstat(word, &st) != 0) {
		if (cli_account(c, at.account, &a, e) < 0)
			return e->code;
		x->a = a;
		return explain_uid(x, at.mailbox, at.uid, c->cancel, e);
	}
	if (check_word(c, word, e) < 0)
		return e->code;
	find_place(c, word, &p);
	if (!p.a)
		return explain_copy(c, word, x, e);
	x->a = p.a;
	return explain_file(x, p.path, p.file, c->cancel, e);
}
