/*
 * The bin: what we remove from a Maildir, by run.
 *
 *  1. A message is durable in the bin before it is gone from its mailbox, or
 *     it is one rename.
 *  2. Names and directories are as they were, so that putting back is the
 *     same move the other way.
 *  3. Nothing that is there, in the bin or in the Maildir, is replaced.
 */
#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* PATH/SUB below DIRFD, made if need be. */
static int
make_and_open(int dirfd, struct span path, const char *sub, int *fd_r,
    struct err *e)
{
	AUTO_STR dir = xasprintf("%.*s%s%s", SPAN_ARG(path),
	    path.n && *sub ? "/" : "", sub);
	int rc = *dir ? fs_mkdirs(dirfd, dir, 0700, e) : 0;

	if (rc < 0)
		return rc;
	*fd_r = maildir_openat(dirfd, span_str(dir));
	if (*fd_r < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%s'", dir);
	return 0;
}

/* Move NAME; when TO has such a name, under a new base.  Rule 3. */
static int
move_file(struct maildir *m, int from, const char *name, int to,
    struct err *e)
{
	struct arena mem;
	int rc = fs_move(from, name, to, name, true, e);

	if (rc == 0 || e->sys != EEXIST)
		return rc;
	arena_init(&mem);
	struct span base = maildir_new_base(m, &mem);
	struct name n = name_split(span_str(name));
	const char *fresh = arena_printf(&mem, "%.*s%s%.*s", SPAN_ARG(base),
	    n.has_info ? ":2," : "", SPAN_ARG(n.info));
	rc = fs_move(from, name, to, fresh, true, e);
	arena_release(&mem);
	return rc;
}

int
maildir_bin(struct maildir *m, struct span path, struct span file,
    int bin_fd, struct err *e)
{
	AUTO_FD to = -1;
	struct arena mem;
	const char *name;
	int dir, rc;

	arena_init(&mem);
	rc = maildir_file(m, path, file, &dir, &name, &mem, e);
	if (rc == 0)
		rc = make_and_open(bin_fd, path,
		    file.p[0] == 'c' ? "cur" : "new", &to, e);
	if (rc == 0)
		rc = move_file(m, dir, name, to, e);
	if (rc < 0 && e->sys == ENOENT)
		rc = e->code = ERR_STALE;
	if (rc < 0 && e->code == ERR_FULL)
		e->scope = ERR_SCOPE_ACCOUNT;
	arena_release(&mem);
	return rc;
}

/* Every regular file of FROM goes to TO; *n_r are counted. */
static int
move_all(struct maildir *m, int from, int to, uint64_t *n_r, struct err *e)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	struct stat st;
	int rc = 0;

	if (!d) {
		err_sys(e, ERR_SCOPE_BOX, errno, "read a directory");
		if (fd >= 0)
			close(fd);
		return e->code;
	}
	while (rc == 0 && (x = readdir(d))) {
		if (fstatat(from, x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		rc = move_file(m, from, x->d_name, to, e);
		*n_r += rc == 0;
	}
	closedir(d);
	return rc;
}

int
maildir_bin_box(struct maildir *m, struct span path, int bin_fd,
    struct err *e)
{
	static const char *const sub[] = {"cur", "new", "tmp", ""};
	AUTO_FD box = maildir_openat(m->root, path);
	uint64_t n = 0;
	int rc = 0;

	maildir_forget_box(m);
	if (box < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	}
	for (size_t i = 0; i < 4 && rc == 0; i++) {
		AUTO_FD from = *sub[i] ? fs_open_dir(box, sub[i])
				       : dup(box);
		AUTO_FD to = -1;

		if (from < 0)
			continue;
		rc = make_and_open(bin_fd, path, sub[i], &to, e);
		if (rc == 0)
			rc = move_all(m, from, to, &n, e);
		if (rc == 0 && *sub[i] &&
		    unlinkat(box, sub[i], AT_REMOVEDIR) != 0)
			rc = err_sys(e, ERR_SCOPE_BOX, errno,
			    "remove '%.*s/%s'", SPAN_ARG(path), sub[i]);
	}
	if (rc < 0 || path.n == 0)
		return rc;
	/* Child mailboxes may be below it: then it stays, as a directory. */
	AUTO_STR whole = xstrndup(path.p, path.n);
	if (unlinkat(m->root, whole, AT_REMOVEDIR) != 0 &&
	    errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, ERR_SCOPE_BOX, errno, "remove '%s'", whole);
	char *slash = strrchr(whole, '/');
	if (slash)
		*slash = '\0';
	return fs_sync_dir(m->root, slash ? whole : ".", e);
}

/* Files of one directory of the bin back to where they were. */
static int
unbin_dir(struct maildir *m, int bin_fd, struct span path, const char *sub,
    uint64_t *n_r, struct err *e)
{
	AUTO_FD from = -1, to = -1;
	AUTO_STR dir = xasprintf("%.*s%s%s", SPAN_ARG(path),
	    path.n ? "/" : "", sub);
	int rc;

	from = maildir_openat(bin_fd, span_str(dir));
	if (from < 0)
		return 0;
	rc = maildir_create(m, path, e);
	if (rc < 0)
		return rc;
	to = maildir_openat(m->root, span_str(dir));
	if (to < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%s'", dir);
	rc = move_all(m, from, to, n_r, e);
	if (rc == 0)
		unlinkat(bin_fd, dir, AT_REMOVEDIR);
	return rc;
}

/* dovecot-keywords and the like: only where the mailbox has none now. */
static int
unbin_extras(struct maildir *m, int bin_fd, struct span path, struct err *e)
{
	AUTO_FD from = maildir_openat(bin_fd, path);
	AUTO_FD to = maildir_openat(m->root, path);
	DIR *d = from < 0 ? NULL : fdopendir(dup(from));
	struct dirent *x;
	struct stat st;
	int rc = 0;

	while (d && to >= 0 && rc == 0 && (x = readdir(d))) {
		if (fstatat(from, x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		rc = fs_move(from, x->d_name, to, x->d_name, true, e);
		if (rc < 0 && e->sys == EEXIST) {
			err_clear(e);
			rc = 0;
		}
	}
	if (d)
		closedir(d);
	return rc;
}

static int
unbin_tree(struct maildir *m, int bin_fd, struct span path, unsigned depth,
    struct arena *mem, uint64_t *n_r, struct err *e)
{
	int fd = maildir_openat(bin_fd, path);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	struct stat st;
	bool is_box = false;
	int rc = 0;

	if (!d || depth > 64) {
		err_sys(e, ERR_SCOPE_ACCOUNT, d ? ELOOP : errno,
		    "read the bin");
		if (d)
			closedir(d);
		else if (fd >= 0)
			close(fd);
		return e->code;
	}
	while (rc == 0 && (x = readdir(d))) {
		const char *name = x->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
		    strcmp(name, "tmp") == 0) {
			is_box = true;
			if (name[0] != 't')
				rc = unbin_dir(m, bin_fd, path, name, n_r, e);
			continue;
		}
		rc = unbin_tree(m, bin_fd,
		    span_str(arena_printf(mem, "%.*s%s%s", SPAN_ARG(path),
			path.n ? "/" : "", name)),
		    depth + 1, mem, n_r, e);
	}
	closedir(d);
	if (rc == 0 && is_box)
		rc = unbin_extras(m, bin_fd, path, e);
	return rc;
}

int
maildir_unbin(struct maildir *m, int bin_fd, uint64_t *n_r, struct err *e)
{
	struct arena mem;
	uint64_t n = 0;
	int rc;

	arena_init(&mem);
	rc = unbin_tree(m, bin_fd, SPAN(""), 0, &mem, &n, e);
	maildir_forget_box(m);
	arena_release(&mem);
	*n_r = n;
	return rc;
}

/* A name that only we make, on this machine. */
static bool
is_our_tmp(const struct maildir *m, const char *name)
{
	struct span s = span_str(name);
	struct arena mem;
	bool ours;

	if (!span_starts(s, SPAN(MAILDIR_TMP_TAG)))
		return false;
	arena_init(&mem);
	/* The host as it is written into names: behind the second dot. */
	struct span like = name_make(&mem, 0, 0, 0, 0, span_str(m->host));
	size_t dot = span_index(like, '.');
	dot += 1 + span_index(span_of(like.p + dot + 1, like.n - dot - 1), '.');
	struct span host = span_of(like.p + dot, like.n - dot);
	ours = s.n > host.n &&
	    span_eq(span_of(s.p + s.n - host.n, host.n), host);
	arena_release(&mem);
	return ours;
}

int
maildir_clean_tmp(struct maildir *m, struct span path, uint32_t *n_r,
    struct err *e)
{
	const struct maildir_box *b;
	struct dirent *x;
	uint32_t n = 0;

	if (maildir_box(m, path, &b, e) < 0)
		return e->code;
	int fd = fs_open_dir(b->fd, "tmp");
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		*n_r = 0;
		return 0; /* no tmp/, no leftovers */
	}
	while ((x = readdir(d)))
		if (is_our_tmp(m, x->d_name) &&
		    unlinkat(dirfd(d), x->d_name, 0) == 0)
			n++;
	closedir(d);
	*n_r = n;
	return 0;
}
