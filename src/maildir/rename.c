/*
 * A mailbox that gets another name.
 *
 *  1. It is one rename of its directory: all of it is under the one name or
 *     under the other, with all that lies in it.  In the nested layout these
 *     are the mailboxes below it too; in maildir++ they lie beside it, and
 *     the caller renames each.
 *  2. The parents of TO are durable before it, and it is durable in TO's
 *     parent before FROM's parent may forget it.
 *  3. Nothing is replaced but an empty directory, such as one that held
 *     mailboxes once.
 *  4. INBOX is never renamed: it is there always, and RENAME of it means that
 *     its messages move (RFC 9051 §6.3.6).  In maildir++ it is the root.
 */
#include "maildir/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct place {
	int dir;    /* the parent; owned */
	char *name; /* owned */
};

static void
place_release(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
	xfree(p->name);
}

static int
stale(struct span path, const char *why, struct err *e)
{
	return err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
	    "'%.*s' %s", SPAN_ARG(maildir_shown(path)), why);
}

/* FROM's parent, when FROM is a mailbox. */
static int
find_from(struct maildir *m, struct span from, struct place *p, struct err *e)
{
	const struct maildir_box *b;
	struct span leaf, up = maildir_parent(from, &leaf);

	maildir_forget_box(m);
	if (maildir_box(m, from, &b, e) < 0)
		return e->code;
	if (b->cur < 0 && b->new < 0)
		return stale(from, "is no mailbox", e);
	p->name = xstrndup(leaf.p, leaf.n);
	p->dir = maildir_openat(m->root, up);
	if (p->dir < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s'",
		    SPAN_ARG(maildir_shown(up)));
	return 0;
}

static int
find_to(struct maildir *m, struct span to, struct place *p, struct err *e)
{
	struct span leaf, up = maildir_parent(to, &leaf);

	p->name = xstrndup(leaf.p, leaf.n);
	return maildir_make_at(m->root, up, &p->dir, e);
}

/* rename(2) that replaces nothing; -1, errno. */
static int
rename_dir(const struct place *from, const struct place *to)
{
	struct stat st;

	if (renameat2(from->dir, from->name, to->dir, to->name,
		RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/*
	 * Perhaps a file system without the flag.  What comes between is safe:
	 * a directory replaces nothing but an empty one.
	 */
	if (fstatat(to->dir, to->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from->dir, from->name, to->dir, to->name);
}

static int
rename_box(const struct place *from, const struct place *to, struct span path,
    struct span topath, struct err *e)
{
	int rc = rename_dir(from, to);

	/* rule 3 */
	if (rc != 0 && errno == EEXIST) {
		if (unlinkat(to->dir, to->name, AT_REMOVEDIR) != 0)
			return stale(topath, "is there already", e);
		rc = rename_dir(from, to);
	}
	if (rc != 0 && (errno == EEXIST || errno == ENOTEMPTY))
		return stale(topath, "is there already", e);
	if (rc != 0 && errno == ENOENT) {
		stale(path, "is gone", e);
		e->sys = ENOENT;
		return e->code;
	}
	if (rc != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno,
		    "rename '%.*s' to '%.*s'", SPAN_ARG(path),
		    SPAN_ARG(topath));
	if (fs_fsync_dir(to->dir) != 0 || fs_fsync_dir(from->dir) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "fsync a directory");
	return 0;
}

static bool
is_inbox(const struct maildir *m, struct span path)
{
	return path.n == 0 ||
	       (m->layout == LAYOUT_NESTED && span_eq(path, SPAN("INBOX")));
}

int
maildir_rename_box(
    struct maildir *m, struct span from, struct span to, struct err *e)
{
	struct place f = {.dir = -1}, t = {.dir = -1};
	int rc;

	if (is_inbox(m, from))
		return err_set(e, ERR_BUG, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "INBOX cannot be renamed");
	if (to.n == 0)
		return stale(to, "is there already", e);
	if (span_starts(to, from) && to.n > from.n && to.p[from.n] == '/')
		return err_sys(e, ERR_SCOPE_BOX, EINVAL,
		    "rename '%.*s' to '%.*s'", SPAN_ARG(from), SPAN_ARG(to));
	rc = find_from(m, from, &f, e);
	if (rc == 0)
		rc = find_to(m, to, &t, e);
	if (rc == 0)
		rc = rename_box(&f, &t, from, to, e);
	maildir_forget_box(m);
	place_release(&f);
	place_release(&t);
	return rc;
}
