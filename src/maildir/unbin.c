/*
 * The bin of one run, put back.
 *
 *  1. Messages go where they came from, as they were (bin.c, rule 2).
 *  2. Nothing that is there is replaced (maildir_move).
 *  3. Each message leaves the bin when it is in its mailbox, so that this may
 *     be cut off anywhere and done again.
 */
#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DEPTH_MAX 64

struct unbin {
	struct maildir *m;
	struct arena mem;
	uint64_t n; /* messages put back */
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

static int
put_back(struct unbin *u, int from, const char *name, int to, struct err *e)
{
	struct stat st;
	bool made;
	int rc;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	rc = maildir_move(u->m, from, name, to, &made, e);
	if (rc == 0)
		u->n += made;
	return rc;
}

/* SUB, cur/ or new/, of the bin's copy of a mailbox. */
static int
unbin_messages(struct unbin *u, int bin_box, struct span path, const char *sub,
    int box, struct err *e)
{
	int from = fs_open_dir(bin_box, sub);
	DIR *d = from < 0 ? NULL : fdopendir(from);
	AUTO_FD to = -1;
	struct dirent *x;
	int rc;

	if (!d) {
		int sys = errno;

		if (from >= 0)
			close(from);
		return sys == ENOENT ? 0 : bin_error(path, sys, e);
	}
	/* of a move into the bin that was cut off: the message is in its place
	 */
	(void)fs_clean_temp(from);
	rc = maildir_make_at(box, span_str(sub), &to, e);
	while (rc == 0 && (errno = 0, x = readdir(d)) != NULL)
		rc = put_back(u, from, x->d_name, to, e);
	if (rc == 0 && errno != 0)
		rc = bin_error(path, errno, e);
	if (rc == 0 && (fsync(to) != 0 || fsync(from) != 0))
		rc = err_sys(e, ERR_SCOPE_BOX, errno, "fsync a directory");
	closedir(d);
	if (rc == 0)
		(void)unlinkat(bin_box, sub, AT_REMOVEDIR);
	return rc;
}

/* dovecot-keywords and the like: only where the mailbox has none now. */
static int
unbin_extra(int bin_box, const char *name, int box, struct err *e)
{
	int rc = fs_move(bin_box, name, box, name, true, e);

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
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	struct stat st;
	int sys;

	if (!d) {
		sys = errno;
		if (fd >= 0)
			close(fd);
		return bin_error(path, sys, e);
	}
	while ((errno = 0, x = readdir(d)) != NULL) {
		struct names *to;

		if (strcmp(x->d_name, ".") == 0 ||
		    strcmp(x->d_name, "..") == 0 ||
		    fstatat(fd, x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
			continue;
		to = S_ISDIR(st.st_mode) ? dirs : files;
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
	int rc = maildir_create(u->m, path, e);

	if (rc == 0)
		rc = maildir_make_at(u->m->root, path, &box, e);
	/* before the messages whose letters it explains */
	for (size_t i = 0; i < files->n && rc == 0; i++)
		rc = unbin_extra(bin_box, files->v[i], box, e);
	if (rc == 0)
		rc = unbin_messages(u, bin_box, path, "cur", box, e);
	if (rc == 0)
		rc = unbin_messages(u, bin_box, path, "new", box, e);
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
maildir_unbin(struct maildir *m, int bin_fd, uint64_t *n_r, struct err *e)
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
