/*
 * The bin: what we remove from a Maildir, by run.
 *
 *  1. A message is durable in the bin before it is gone from its mailbox, or
 *     it is one rename.  The names of a batch are made durable together, the
 *     bin's directory before the mailbox's; only then may the journal forget
 *     the messages.
 *  2. Names and directories are as they were, and what the letters in names
 *     meant is there before a name that has some, so that putting back is the
 *     same move the other way (unbin.c).
 *  3. Nothing that is there, in the bin or in the Maildir, is replaced.
 *  4. A move between file systems that was cut off leaves both files; done
 *     again, it finds the copy, and ends without a second one.
 *  5. A mailbox goes only with the messages that were seen in it.  tmp/ is
 *     removed first, without which nothing is delivered, and cur/ last; where
 *     one of them will not go, as mail came just now, those that went are made
 *     again.  What a kill leaves, the next run makes whole (sync/tree.c).
 */
#include "maildir/internal.h"

#include "mail/letters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK 65536
#define LETTERS_OCTETS 8192 /* 26 names of at most 255 octets */

static bool
same_bytes(int a, int b)
{
	AUTO_STR x = xalloc(CHUNK);
	AUTO_STR y = xalloc(CHUNK);
	ssize_t n, k;

	do {
		n = fs_read_full(a, x, CHUNK);
		k = fs_read_full(b, y, CHUNK);
		if (n < 0 || n != k || memcmp(x, y, (size_t)n) != 0)
			return false;
	} while (n == CHUNK);
	return true;
}

/* Rule 4.  The copy is made durable before anybody relies on it. */
static bool
is_copied(int from, const char *name, int to, const char *as)
{
	AUTO_FD a = fs_open_read(from, name);
	AUTO_FD b = fs_open_read(to, as);

	return a >= 0 && b >= 0 && same_bytes(a, b) && fsync(b) == 0 &&
	       fs_fsync_dir(to) == 0;
}

/* AS is taken by another file: a new base, the same info. */
static int
move_aside(struct maildir *m, int from, const char *name, int to,
    const char *as, struct err *e)
{
	struct name n = name_split(span_str(as));
	struct arena mem;
	struct span base;
	const char *fresh;
	int rc;

	arena_init(&mem);
	base = maildir_new_base(m, &mem);
	fresh = arena_printf(&mem, "%.*s%s%.*s", SPAN_ARG(base),
	    n.has_info ? ":2," : "", SPAN_ARG(n.info));
	rc = fs_move(from, name, to, fresh, false, e);
	arena_release(&mem);
	return rc;
}

int
maildir_move(struct maildir *m, int from, const char *name, int to,
    const char *as, bool *made_r, struct err *e)
{
	bool made = true;
	int rc = fs_move(from, name, to, as, false, e);

	if (rc < 0 && e->sys == EEXIST) {
		made = !is_copied(from, name, to, as);
		if (made)
			rc = move_aside(m, from, name, to, as, e);
		else if (unlinkat(from, name, 0) == 0)
			rc = 0;
		else
			rc = err_sys(
			    e, ERR_SCOPE_MSG, errno, "remove '%s'", name);
		if (rc == 0)
			err_clear(e);
	}
	if (rc == 0 && made_r)
		*made_r = made;
	return rc;
}

/* A full disk is everybody's. */
static int
bin_error(struct err *e)
{
	if (e->code == ERR_FULL)
		e->scope = ERR_SCOPE_ACCOUNT;
	return e->code;
}

/* PATH/SUB in the bin; SUB may be "". */
static int
make_bin_dir(
    int bin_fd, struct span path, const char *sub, int *fd_r, struct err *e)
{
	AUTO_STR dir = xasprintf(
	    "%.*s%s%s", SPAN_ARG(path), path.n && *sub ? "/" : "", sub);

	return maildir_make_at(bin_fd, span_str(dir), fd_r, e);
}

int
maildir_bin(struct maildir *m, struct span path, struct span file, int bin_fd,
    struct err *e)
{
	AUTO_FD to = -1;
	struct arena mem;
	const char *name;
	int dir, rc;

	arena_init(&mem);
	rc = maildir_file(m, path, file, &dir, &name, &mem, e);
	if (rc == 0)
		rc = make_bin_dir(
		    bin_fd, path, file.p[0] == 'c' ? "cur" : "new", &to, e);
	if (rc == 0) {
		rc = maildir_move(m, dir, name, to, name, NULL, e);
		if (rc < 0 && e->sys == ENOENT)
			rc = e->code = ERR_STALE;
	}
	if (rc == 0)
		maildir_note(m, path, file, SPAN_NONE, SPAN_NONE);
	arena_release(&mem);
	return rc < 0 ? bin_error(e) : 0;
}

int
maildir_bin_letters(struct span path, const struct kwtab *kw,
    const struct kwletters *letters, int bin_fd, struct err *e)
{
	AUTO_FD dir = -1;
	struct buf old, text;
	int rc;

	buf_init(&old, LETTERS_OCTETS);
	buf_init(&text, LETTERS_OCTETS);
	letters_format(kw, letters, &text);
	rc = make_bin_dir(bin_fd, path, "", &dir, e);
	if (rc == 0)
		rc = fs_read_file(
		    dir, MAILDIR_BIN_LETTERS, LETTERS_OCTETS, &old, e);
	if (rc < 0 && e->sys == ENOENT && dir >= 0) {
		err_clear(e);
		rc = 0;
	}
	if (rc == 0 && !span_eq(buf_span(&old), buf_span(&text)))
		rc = fs_replace(
		    dir, MAILDIR_BIN_LETTERS, 0600, text.p, text.n, e);
	buf_release(&old);
	buf_release(&text);
	if (rc < 0)
		e->scope = ERR_SCOPE_BOX;
	return rc < 0 ? bin_error(e) : 0;
}

int
maildir_bin_sync(
    struct maildir *m, struct span path, int bin_fd, struct err *e)
{
	static const char *const sub[] = {"cur", "new"};

	for (size_t i = 0; i < 2; i++) {
		AUTO_STR dir = xasprintf("%.*s%s%s", SPAN_ARG(path),
		    path.n ? "/" : "", sub[i]);
		AUTO_FD fd = maildir_openat(bin_fd, span_str(dir));

		if (fd < 0 && errno == ENOENT)
			continue; /* nothing came from there */
		if (fd < 0 || fs_fsync_dir(fd) != 0)
			return err_sys(e, ERR_SCOPE_BOX, errno,
			    "fsync the bin's '%s'", dir);
	}
	return maildir_sync(m, path, e);
}

/* SEEN: base names of messages; NULL in a directory that holds none. */
static bool
is_unseen(const struct map *seen, struct span name)
{
	uint64_t at;

	return seen && name_is_message(name) &&
	       !map_get(seen, name_split(name).base, &at);
}

/*
 * Every regular file of FROM goes to TO; both are durable then, as they are
 * when it ends with ERR_STALE, at a message that is not in SEEN.
 */
static int
move_all(struct maildir *m, int from, int to, const struct map *seen,
    struct err *e)
{
	int fd = fs_open_dir(from, ".");
	DIR *d = fs_dirstream(fd);
	struct dirent *x;
	struct stat st;
	int rc = 0;

	if (!d) {
		err_sys(e, ERR_SCOPE_BOX, errno, "read a directory");
		return e->code;
	}
	while (rc == 0 && (errno = 0, x = readdir(d)) != NULL) {
		rc = cancel_check(m->cancel, e);
		if (rc < 0)
			break;
		if (fstatat(from, x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (is_unseen(seen, span_str(x->d_name))) {
			rc = err_set(e, ERR_STALE, ERR_SCOPE_BOX,
			    ERR_RETRY_LATER, "'%s' is new", x->d_name);
			break;
		}
		rc = maildir_move(
		    m, from, x->d_name, to, x->d_name, NULL, e);
		if (rc < 0 && e->sys == ENOENT) {
			err_clear(e); /* renamed just now; rmdir will tell */
			rc = 0;
		}
	}
	if (rc == 0 && errno != 0)
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "read a directory");
	if ((rc == 0 || rc == ERR_STALE) &&
	    (fs_fsync_dir(to) != 0 || fs_fsync_dir(from) != 0))
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "fsync a directory");
	closedir(d);
	return rc;
}

/* The files of one directory of the mailbox. */
static int
bin_sub(struct maildir *m, int box, struct span path, const char *sub,
    const struct map *seen, int bin_fd, struct err *e)
{
	AUTO_FD from = fs_open_dir(box, *sub ? sub : ".");
	AUTO_FD to = -1;
	int rc;

	if (from < 0 && errno == ENOENT)
		return 0;
	if (from < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s/%s'",
		    SPAN_ARG(maildir_shown(path)), sub);
	rc = make_bin_dir(bin_fd, path, sub, &to, e);
	return rc == 0 ? move_all(m, from, to, seen, e) : rc;
}

/* Rule 5. */
static int
remove_subs(int box, struct span path, struct err *e)
{
	static const char *const sub[] = {"tmp", "new", "cur"};

	for (size_t i = 0; i < 3; i++)
		if (unlinkat(box, sub[i], AT_REMOVEDIR) != 0 &&
		    errno != ENOENT)
			return err_sys(e, ERR_SCOPE_BOX, errno,
			    "remove '%.*s/%s'", SPAN_ARG(maildir_shown(path)),
			    sub[i]);
	return 0;
}

/* tmp/, new/ and cur/, with their files; or it is a mailbox still. */
static int
bin_subs(struct maildir *m, int box, struct span path, const struct map *seen,
    int bin_fd, struct err *e)
{
	int rc = 0;

	/*
	 * Once more where something came just now.  What keeps a directory then
	 * is not ours to move.
	 */
	for (int i = 0; i < 2; i++) {
		err_clear(e);
		/* new/ before cur/, as messages move */
		rc = bin_sub(m, box, path, "new", seen, bin_fd, e);
		if (rc == 0)
			rc = bin_sub(m, box, path, "cur", seen, bin_fd, e);
		if (rc == 0)
			rc = bin_sub(m, box, path, "tmp", NULL, bin_fd, e);
		if (rc < 0)
			return rc;
		rc = remove_subs(box, path, e);
		if (rc == 0)
			return 0;
		if (maildir_create(m, path, e) < 0)
			return e->code;
	}
	return rc;
}

/* Child mailboxes may be below it: then it stays, as a directory. */
static int
remove_dir(struct maildir *m, struct span path, struct err *e)
{
	struct span leaf, up = maildir_parent(path, &leaf);
	AUTO_STR name = xstrndup(leaf.p, leaf.n);
	AUTO_FD parent = maildir_openat(m->root, up);

	if (parent < 0 ||
	    (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOTEMPTY &&
		errno != EEXIST) ||
	    fs_fsync_dir(parent) != 0)
		return err_sys(
		    e, ERR_SCOPE_BOX, errno, "remove '%.*s'", SPAN_ARG(path));
	return 0;
}

int
maildir_bin_box(struct maildir *m, struct span path, const struct lview *seen,
    int bin_fd, struct err *e)
{
	AUTO_FD box = -1;
	struct map bases;
	int rc;

	maildir_forget_box(m);
	box = maildir_openat(m->root, path);
	if (box < 0) {
		if (errno == ENOENT)
			return 0; /* gone already */
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	}
	map_init(&bases);
	for (size_t i = 0; i < seen->n; i++)
		map_add(&bases, seen->v[i].base, i);
	rc = bin_subs(m, box, path, &bases, bin_fd, e);
	map_release(&bases);
	if (rc == 0)
		rc = bin_sub(m, box, path, "", NULL, bin_fd, e);
	if (rc == 0 && fs_fsync_dir(box) != 0)
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "fsync '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	if (rc == 0 && path.n)
		rc = remove_dir(m, path, e);
	if (rc < 0) {
		/* one message that will not go keeps the whole mailbox */
		if (e->scope == ERR_SCOPE_MSG)
			e->scope = ERR_SCOPE_BOX;
		return bin_error(e);
	}
	return 0;
}
