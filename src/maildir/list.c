/*
 * Which mailboxes there are.
 *
 *  1. The list is complete or it is an error: a mailbox that is not in it is
 *     taken for deleted, and then so are its messages on the server.  But what
 *     is moved while the tree is read may be seen at neither place, or at both:
 *     who wants to conclude something from absence lists twice.
 *  2. What cannot be read and cannot be, or hold, a mailbox is skipped: a
 *     directory with a link count of 2 has no directories in it.  (Local file
 *     systems count so, or always say 1; those of other machines may lie.)
 *     No name is skipped for being what it is: it may be a mailbox's.
 *  3. The root of the nested layout is no mailbox.  So "cur" or "new" in it may
 *     be one that somebody named so: no name (layout.h, rule 4), but there.
 */
#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DIRS_MAX 100000
#define DEPTH_MAX 64

struct walk {
	struct maildir *m;
	struct arena *mem;
	struct maildir_dir *v;
	size_t n, cap;
	size_t seen;
	bool links_count; /* rule 2 */
	bool wants_others;
	struct span other; /* the first of them; see maildir_list_others() */
	size_t nother;
};

/* cur/ or new/.  That it is there does not hang on its inode. */
static void
add_sub(int dirfd, const char *name, int type, bool *has_r, uint64_t *ino_r)
{
	struct stat st;

	*has_r = type == S_IFDIR;
	if (*has_r && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*ino_r = st.st_ino;
}

/* To a directory, or to nothing: what it points to may be not mounted now. */
static bool
is_link(int dirfd, const char *name, int type)
{
	struct stat st;

	return type == S_IFLNK &&
	       (fstatat(dirfd, name, &st, 0) != 0 || S_ISDIR(st.st_mode));
}

/* In whatever layout; nor is it cur/ or new/. */
static bool
is_no_mailbox(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       strcmp(name, "tmp") == 0;
}

/* Could NAME be a mailbox of the layout, below its parent? */
static bool
may_hold(const struct walk *w, const char *name)
{
	return !is_no_mailbox(name) &&
	       (name[0] == '.') == (w->m->layout == LAYOUT_MAILDIRPP);
}

static void
add_dir(struct walk *w, struct maildir_dir dir)
{
	if (!dir.has_cur && !dir.has_new && !dir.is_link)
		return;
	w->v = arena_grow(w->mem, w->v, w->n, &w->cap, sizeof *w->v);
	w->v[w->n++] = dir;
}

static int
toobig(struct span path, struct err *e)
{
	return err_set(e, ERR_TOOBIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "more than %d directories or %d levels in the Maildir, at '%.*s'",
	    DIRS_MAX, DEPTH_MAX, SPAN_ARG(maildir_shown(path)));
}

/* That of fsck(8), where the Maildir is a file system of its own. */
static bool
is_lost_and_found(struct span path, const struct stat *st)
{
	return span_eq(path, SPAN("lost+found")) && st->st_uid == 0 &&
	       geteuid() != 0;
}

/* Rule 2, of a directory that cannot be read. */
static bool
is_leaf(const struct walk *w, struct span path)
{
	struct span leaf, up = maildir_parent(path, &leaf);
	AUTO_STR name = xstrndup(leaf.p, leaf.n);
	AUTO_FD parent = -1;
	struct stat st;

	if (path.n == 0)
		return false;
	parent = maildir_openat(w->m->root, up);
	if (parent < 0 ||
	    fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISDIR(st.st_mode))
		return false;
	return (w->links_count && st.st_nlink == 2) ||
	       is_lost_and_found(path, &st);
}

/* PATH, or something that lies in it. */
static int
unreadable(const struct walk *w, struct span path, int sys, struct err *e)
{
	if (sys == EACCES && is_leaf(w, path))
		return 0;
	return err_sys(e, ERR_SCOPE_ACCOUNT, sys,
	    "cannot read the directory '%.*s' of the Maildir",
	    SPAN_ARG(maildir_shown(path)));
}

struct subdirs {
	struct span *v;
	size_t n, cap;
};

static struct span
below(struct walk *w, struct span path, const char *name)
{
	return span_str(arena_printf(
	    w->mem, "%.*s%s%s", SPAN_ARG(path), path.n ? "/" : "", name));
}

static bool
has_dir(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* NAME is no mailbox's in this layout: would it be by what it holds? */
static void
note_other(struct walk *w, struct span path, int dirfd, const char *name)
{
	AUTO_FD fd = is_no_mailbox(name) ? -1 : fs_open_dir(dirfd, name);
	struct span other;

	if (fd < 0 || (!has_dir(fd, "cur") && !has_dir(fd, "new")))
		return;
	other = below(w, path, name);
	if (w->nother++ == 0 || span_cmp(other, w->other) < 0)
		w->other = other;
}

/* X lies in the directory PATH.  -1, errno: it cannot be told what it is. */
static int
read_name(struct walk *w, struct span path, int dirfd, const struct dirent *x,
    struct maildir_dir *dir, struct subdirs *sub)
{
	const char *name = x->d_name;
	/* rule 3 */
	bool parts = path.n || w->m->layout == LAYOUT_MAILDIRPP;
	bool cur = parts && strcmp(name, "cur") == 0;
	bool new = parts && strcmp(name, "new") == 0;
	int type;

	if (!cur && !new && !may_hold(w, name)) {
		if (w->wants_others)
			note_other(w, path, dirfd, name);
		return 0;
	}
	type = maildir_type(dirfd, x);
	if (type < 0)
		return -1;
	if (cur)
		add_sub(dirfd, name, type, &dir->has_cur, &dir->cur_ino);
	else if (new)
		add_sub(dirfd, name, type, &dir->has_new, &dir->new_ino);
	else if (type == S_IFDIR) {
		VEC_GROW(sub->v, sub->n, sub->cap);
		sub->v[sub->n++] = below(w, path, name);
	} else if (is_link(dirfd, name, type)) {
		w->seen++;
		add_dir(w,
		    (struct maildir_dir){
			.path = below(w, path, name), .is_link = true});
	}
	return 0;
}

/* What lies in one directory: is it a mailbox, and which are below it. */
static int
read_dir(struct walk *w, struct span path, struct maildir_dir *dir,
    struct subdirs *sub, struct err *e)
{
	int fd = maildir_openat(w->m->root, path), sys;
	DIR *d = fs_dirstream(fd);
	struct dirent *x;

	if (!d) {
		sys = errno;
		return unreadable(w, path, sys, e);
	}
	while ((errno = 0, x = readdir(d)) != NULL &&
	       w->seen + sub->n <= DIRS_MAX &&
	       read_name(w, path, fd, x, dir, sub) == 0)
		;
	sys = errno;
	closedir(d);
	if (sys)
		return unreadable(w, path, sys, e);
	return x ? toobig(path, e) : 0;
}

static int
walk(struct walk *w, struct span path, unsigned depth, struct err *e)
{
	bool nested = w->m->layout == LAYOUT_NESTED;
	struct maildir_dir dir = {.path = path};
	struct subdirs sub = {0};
	int rc;

	if (++w->seen > DIRS_MAX || depth > DEPTH_MAX)
		return toobig(path, e);
	rc = cancel_check(w->m->cancel, e);
	if (rc == 0)
		rc = read_dir(w, path, &dir, &sub, e);
	/* In the nested layout the root holds mailboxes and is none. */
	if (rc == 0 && (path.n || !nested))
		add_dir(w, dir);
	/* Maildir++ has all of them in the root. */
	for (size_t i = 0; i < sub.n && rc == 0; i++)
		if (nested || depth == 0)
			rc = walk(w, sub.v[i], depth + 1, e);
	xfree(sub.v);
	return rc;
}

static int
by_path(const void *a, const void *b)
{
	const struct maildir_dir *x = a, *y = b;

	return span_cmp(x->path, y->path);
}

int
maildir_list(struct maildir *m, struct arena *mem, struct maildir_dir **v_r,
    size_t *n_r, struct err *e)
{
	struct walk w = {.m = m, .mem = mem};

	w.links_count = fs_network_type(m->root) == NULL;
	if (walk(&w, SPAN(""), 0, e) < 0)
		return e->code;
	if (w.n)
		qsort(w.v, w.n, sizeof *w.v, by_path);
	*v_r = w.v;
	*n_r = w.n;
	return 0;
}

int
maildir_list_others(struct maildir *m, struct arena *mem,
    struct span *first_r, size_t *n_r, struct err *e)
{
	struct walk w = {.m = m, .mem = mem, .wants_others = true};

	w.links_count = fs_network_type(m->root) == NULL;
	if (walk(&w, SPAN(""), 0, e) < 0)
		return e->code;
	*first_r = w.other;
	*n_r = w.nother;
	return 0;
}
