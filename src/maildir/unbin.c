/*
 * The bin of one run, put back.
 *
 *  1. Messages go where they came from, as they were (bin.c, rule 2), but
 *     without T: what is marked as deleted would be deleted again.
 *  2. Nothing that is there is replaced (maildir_move).
 *  3. Each message leaves the bin when it is in its mailbox, so that this may
 *     be cut off anywhere and done again.
 *  4. A letter comes back only as what it meant.  The mailbox may have been
 *     made again since, with a dovecot-keywords of its own: each letter is
 *     changed to the one that its keyword has there now.  One that has none
 *     gets one, durably before any name shows it, and never one that is in
 *     use.  What the bin's tables do not explain is left out.  They stay where
 *     they are, for what is done again (rule 3).
 */
#include "maildir/internal.h"

#include "mail/letters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DEPTH_MAX 64
#define DOVECOT_KEYWORDS "dovecot-keywords"
#define TABLE_OCTETS 65536

struct unbin {
	struct maildir *m;
	struct arena mem;
	char as[26]; /* of this mailbox, see name_undeleted() */
	struct maildir_unbinned n;
};

static int
bin_error(struct span path, int sys, struct err *e)
{
	return err_sys(e, ERR_SCOPE_ACCOUNT, sys, "read '%.*s' in the bin",
	    SPAN_ARG(maildir_shown(path)));
}

static bool
is_mail_dir(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
	       strcmp(name, "tmp") == 0;
}

/*
 * What NAME in DIR is, of its st_mode; 0: it is gone.  -1, errno, when that
 * cannot be told: then nobody may say that all is back.
 */
static int
type_of(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	return (int)(st.st_mode & S_IFMT);
}

static int
put_back(struct unbin *u, struct span path, int from, const char *name, int to,
    struct err *e)
{
	struct arena mem;
	const char *as;
	bool made;
	int rc, type = type_of(from, name);

	if (type < 0)
		return bin_error(path, errno, e);
	if (type != S_IFREG)
		return 0;
	arena_init(&mem);
	as = arena_printf(&mem, "%.*s",
	    SPAN_ARG(name_undeleted(&mem, span_str(name), u->as)));
	rc = maildir_move(u->m, from, name, to, as, &made, e);
	if (rc == 0)
		u->n.messages += made;
	arena_release(&mem);
	return rc;
}

/* SUB, cur/ or new/, of the bin's copy of a mailbox. */
static int
unbin_messages(struct unbin *u, int bin_box, struct span path, const char *sub,
    int box, struct err *e)
{
	int from = fs_open_dir(bin_box, sub);
	DIR *d = fs_dirstream(from);
	AUTO_FD to = -1;
	struct dirent *x;
	int rc;

	if (!d) {
		int sys = errno;

		return sys == ENOENT ? 0 : bin_error(path, sys, e);
	}
	/* of a move into the bin that was cut off: the message is in its place
	 */
	(void)fs_clean_temp(from, NULL);
	rc = maildir_make_at(box, span_str(sub), &to, e);
	while (rc == 0 && (errno = 0, x = readdir(d)) != NULL) {
		rc = cancel_check(u->m->cancel, e);
		if (rc == 0)
			rc = put_back(u, path, from, x->d_name, to, e);
	}
	if (rc == 0 && errno != 0)
		rc = bin_error(path, errno, e);
	if (rc == 0 && (fs_fsync_dir(to) != 0 || fs_fsync_dir(from) != 0))
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "fsync a directory");
	closedir(d);
	if (rc == 0)
		(void)unlinkat(bin_box, sub, AT_REMOVEDIR);
	return rc;
}

static int
sub_error(struct span path, const char *sub, int sys, struct err *e)
{
	return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
	    SPAN_ARG(maildir_shown(path)), sub);
}

/* Letters a to z of the names in BOX/SUB go into USED, bit 0 for a. */
static int
letters_in(int box, struct span path, const char *sub, uint32_t *used,
    struct err *e)
{
	int sys, fd = fs_open_dir(box, sub);
	DIR *d = fs_dirstream(fd);
	struct dirent *x;

	if (!d) {
		sys = errno;
		return sys == ENOENT ? 0 : sub_error(path, sub, sys, e);
	}
	while ((errno = 0, x = readdir(d)) != NULL) {
		struct span name = span_str(x->d_name);
		uint32_t letters;

		/* without a table, none is known */
		(void)name_flags(NULL, name_split(name).info, NULL, &letters);
		if (name_is_message(name))
			*used |= letters;
	}
	sys = errno;
	closedir(d);
	return sys ? sub_error(path, sub, sys, e) : 0;
}

/* A table of the bin, after those that are in TEXT. */
static int
add_table(int bin_box, const char *name, struct buf *text, struct err *e)
{
	int rc = fs_read_file(bin_box, name, TABLE_OCTETS, text, e);

	if (rc < 0 && e->sys == ENOENT) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/* What letters meant in the bin.  What the run wrote itself comes first. */
static int
read_tables(
    int bin_box, struct kwtab *kw, struct kwletters *old_r, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, 8 * TABLE_OCTETS);
	rc = add_table(bin_box, MAILDIR_BIN_LETTERS, &text, e);
	if (rc == 0)
		rc = add_table(bin_box, DOVECOT_KEYWORDS, &text, e);
	if (rc == 0)
		*old_r = letters_parse(buf_span(&text), kw);
	buf_release(&text);
	return rc;
}

/*
 * The letter of keyword ID in NOW, which gets one when it has none: its OLD
 * one, if that is free.  TAKEN: letters in use that mean nothing, or nothing
 * that we know, as when dovecot-keywords was lost.  The journal may know, as
 * long as they get no other meaning: then none gets one.  0: no letter.
 */
static char
letter_of(struct kwletters *now, uint32_t id, int old, uint32_t taken)
{
	int at = -1;

	for (int i = 0; i < 26; i++)
		if (now->id[i] == id)
			return (char)('a' + i);
	if (id == KW_PASSED)
		return 'P';
	for (int i = 25; i >= 0 && !taken; i--)
		if (now->id[i] == 0)
			at = i;
	if (at < 0)
		return 0;
	if (now->id[old] == 0)
		at = old;
	now->id[at] = id;
	return (char)('a' + at);
}

/* What the letters USED in the bin become (rule 4). */
static int
match_letters(struct unbin *u, int bin_box, struct span path, int box,
    uint32_t used, struct kwtab *kw, struct err *e)
{
	struct kwletters old, now, next;
	uint32_t taken = 0;
	bool exists;
	int rc;

	/* first, so that its spelling counts */
	rc = maildir_letters_load(u->m, path, kw, &now, &exists, e);
	if (rc == 0)
		rc = read_tables(bin_box, kw, &old, e);
	if (rc == 0)
		rc = letters_in(box, path, "cur", &taken, e);
	if (rc == 0)
		rc = letters_in(box, path, "new", &taken, e);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 26; i++)
		if (now.id[i])
			taken &= ~(1U << i);
	next = now;
	for (int i = 0; i < 26; i++)
		if (old.id[i] && (used & 1U << i))
			u->as[i] = letter_of(&next, old.id[i], i, taken);
	if (memcmp(&next, &now, sizeof next) == 0)
		return 0;
	return maildir_letters_save(u->m, path, kw, &next, e);
}

static int
unbin_letters(
    struct unbin *u, int bin_box, struct span path, int box, struct err *e)
{
	struct kwtab *kw;
	uint32_t used = 0;
	int rc;

	memset(u->as, 0, sizeof u->as);
	rc = letters_in(bin_box, path, "cur", &used, e);
	if (rc == 0)
		rc = letters_in(bin_box, path, "new", &used, e);
	if (rc < 0 || used == 0)
		return rc;
	kw = kwtab_new();
	rc = match_letters(u, bin_box, path, box, used, kw, e);
	kwtab_free(&kw);
	if (rc < 0)
		err_wrap(e, "letters of '%.*s'", SPAN_ARG(maildir_shown(path)));
	return rc;
}

/* What else was in a mailbox: only where it has none now. */
static int
unbin_extra(int bin_box, const char *name, int box, struct err *e)
{
	int rc;

	if (strcmp(name, MAILDIR_BIN_LETTERS) == 0 ||
	    strcmp(name, DOVECOT_KEYWORDS) == 0)
		return 0;
	rc = fs_move(bin_box, name, box, name, true, e);
	if (rc < 0 && e->sys == EEXIST) {
		err_clear(e);
		return 0;
	}
	return rc;
}

struct names {
	char **v; /* owned, as are they */
	size_t n, cap;
};

static void
names_release(struct names *x)
{
	for (size_t i = 0; i < x->n; i++)
		xfree(x->v[i]);
	xfree(x->v);
}

/* The names in DIR, sorted out; it may be changed then. */
static int
read_names(int dir, struct span path, struct names *dirs, struct names *files,
    struct err *e)
{
	int fd = fs_open_dir(dir, ".");
	DIR *d = fs_dirstream(fd);
	struct dirent *x;
	int sys;

	if (!d) {
		sys = errno;
		return bin_error(path, sys, e);
	}
	while ((errno = 0, x = readdir(d)) != NULL) {
		struct names *to;
		int type;

		if (strcmp(x->d_name, ".") == 0 ||
		    strcmp(x->d_name, "..") == 0)
			continue;
		type = type_of(fd, x->d_name);
		if (type < 0)
			break;
		if (type != S_IFDIR && type != S_IFREG)
			continue;
		to = type == S_IFDIR ? dirs : files;
		VEC_GROW(to->v, to->n, to->cap);
		to->v[to->n++] = xstrdup(x->d_name);
	}
	sys = errno;
	closedir(d);
	return sys ? bin_error(path, sys, e) : 0;
}

/* PATH has cur/, new/ or tmp/ in the bin: it was a mailbox. */
static int
unbin_box(struct unbin *u, int bin_box, struct span path,
    const struct names *files, struct err *e)
{
	AUTO_FD box = -1;
	struct maildir_stamp stamp;
	struct err none;
	bool is_gone = maildir_stamp(u->m, path, &stamp, &none) == ERR_STALE;
	int rc = maildir_create(u->m, path, e);

	u->n.mailboxes += rc == 0 && is_gone;
	if (rc == 0)
		rc = maildir_make_at(u->m->root, path, &box, e);
	for (size_t i = 0; i < files->n && rc == 0; i++)
		rc = unbin_extra(bin_box, files->v[i], box, e);
	if (rc == 0)
		rc = unbin_letters(u, bin_box, path, box, e);
	if (rc == 0)
		rc = unbin_messages(u, bin_box, path, "cur", box, e);
	if (rc == 0)
		rc = unbin_messages(u, bin_box, path, "new", box, e);
	/* or it would be a mailbox once more */
	if (rc == 0)
		(void)unlinkat(bin_box, "tmp", AT_REMOVEDIR);
	return rc;
}

static int
unbin_tree(struct unbin *u, int bin_fd, struct span path, unsigned depth,
    struct err *e)
{
	AUTO_FD dir = maildir_openat(bin_fd, path);
	struct names dirs = {0}, files = {0};
	bool is_box = false;
	int rc;

	if (dir < 0 || depth > DEPTH_MAX)
		return bin_error(path, dir < 0 ? errno : ELOOP, e);
	rc = read_names(dir, path, &dirs, &files, e);
	for (size_t i = 0; i < dirs.n; i++)
		is_box |= is_mail_dir(dirs.v[i]);
	if (rc == 0 && is_box)
		rc = unbin_box(u, dir, path, &files, e);
	for (size_t i = 0; i < dirs.n && rc == 0; i++)
		if (!is_mail_dir(dirs.v[i]))
			rc = unbin_tree(u, bin_fd,
			    span_str(arena_printf(&u->mem, "%.*s%s%s",
				SPAN_ARG(path), path.n ? "/" : "", dirs.v[i])),
			    depth + 1, e);
	names_release(&dirs);
	names_release(&files);
	return rc;
}

int
maildir_unbin(struct maildir *m, int bin_fd, struct maildir_unbinned *n_r,
    struct err *e)
{
	struct unbin u = {.m = m};
	int rc;

	arena_init(&u.mem);
	rc = unbin_tree(&u, bin_fd, SPAN(""), 0, e);
	arena_release(&u.mem);
	maildir_forget_box(m);
	if (rc == 0)
		*n_r = u.n;
	return rc;
}
