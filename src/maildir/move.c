/*
 * A message that goes to another mailbox.
 *
 *  1. It is one rename: at any time the message is in one of the mailboxes.
 *     Between file systems it is in both for a while; never in none.
 *  2. Nothing is replaced.  Nor do two messages of a mailbox get one base
 *     name, which is what readers and the journal know them by: where TO has
 *     it already, the message takes a new one.
 *  3. The caller fsyncs TO before FROM, so that a crash between them leaves
 *     two names rather than none.
 *  4. Letters a to z are the mailbox's own.  Those of FROM end there, also
 *     those that mean nothing to us; what F says is shown with those of TO.
 *
 * For rule 2 the base names of TO are read once and then kept up: M->taken
 * has a hash of "base/path" for each, and of "/path" for a mailbox that was
 * read.  It lives until the directories are looked at again
 * (maildir_forget_box).  It may have names that are gone, or that never were
 * (a hash may be that of another name), which costs no more than a new base
 * name; but a mailbox that is taken for one that was read is a chance of 2^-64.
 */
#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* As a name in cur/, which is what that set is made for; a base has no "/". */
static char *
taken_key(struct span path, struct span base)
{
	return xasprintf("cur/%.*s/%.*s", SPAN_ARG(base), SPAN_ARG(path));
}

static bool
take(struct maildir *m, struct span path, struct span base)
{
	AUTO_STR key = taken_key(path, base);

	if (nameset_has(&m->taken, span_str(key)))
		return false;
	nameset_add(&m->taken, span_str(key), 1);
	return true;
}

static int
take_all(struct maildir *m, struct span path, int box, const char *sub,
    struct err *e)
{
	int fd = fs_open_dir(box, sub), sys;
	DIR *d = fs_dirstream(fd);
	struct dirent *x;

	if (!d) {
		sys = errno;
		return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
		    SPAN_ARG(maildir_shown(path)), sub);
	}
	while ((errno = 0, x = readdir(d)) != NULL)
		if (name_is_message(span_str(x->d_name)))
			(void)take(
			    m, path, name_split(span_str(x->d_name)).base);
	sys = errno;
	closedir(d);
	return sys ? err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
			 SPAN_ARG(maildir_shown(path)), sub)
		   : 0;
}

/* Rule 2. */
static int
load_taken(struct maildir *m, struct span path, int box, struct err *e)
{
	AUTO_STR mark = taken_key(path, SPAN(""));

	if (nameset_has(&m->taken, span_str(mark)))
		return 0;
	if (take_all(m, path, box, "new", e) < 0 ||
	    take_all(m, path, box, "cur", e) < 0)
		return e->code;
	(void)take(m, path, SPAN(""));
	return 0;
}

/* A symlink, or what is no file at all, is no message. */
static int
stat_message(int dir, const char *name, struct stat *st_r, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		err_sys(e, ERR_SCOPE_MSG, errno, "stat '%s'", name);
		if (e->sys == ENOENT)
			e->code = ERR_STALE;
		return e->code;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "'%s' is no message file", name);
	*st_r = st;
	return 0;
}

/* The name to have in TO. */
static int
pick_name(struct maildir *m, struct arena *mem, const char *name,
    struct span to, int box, struct span *name_r, struct err *e)
{
	struct span base = SPAN("");

	if (load_taken(m, to, box, e) < 0)
		return e->code;
	if (!take(m, to, name_split(span_str(name)).base))
		base = maildir_new_base(m, mem);
	*name_r = name_elsewhere(mem, span_str(name), base, false);
	return 0;
}

/* FROM to TO, which may be the same: then it must be there at least. */
static int
rename_file(
    int fromdir, const char *from, int todir, const char *to, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (fromdir != todir || strcmp(from, to) != 0)
		rc = fs_move(fromdir, from, todir, to, false, e);
	else if (fstatat(fromdir, from, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = err_sys(e, ERR_SCOPE_MSG, errno, "stat '%s'", from);
	if (rc < 0 && e->sys == ENOENT)
		rc = e->code = ERR_STALE;
	return rc;
}

int
maildir_move_to(struct maildir *m, struct arena *mem, struct span from,
    struct span file, struct span to, struct flags f,
    const struct kwletters *letters, struct flags *shown_r, struct lmsg *lmsg_r,
    struct err *e)
{
	bool same = span_eq(from, to), in_new;
	const struct maildir_box *b;
	struct flags shown;
	struct span as, at;
	struct stat st, moved;
	const char *name;
	int dir, todir, rc;

	rc = maildir_file(m, from, file, &dir, &name, mem, e);
	if (rc == 0)
		rc = maildir_whole_box(m, to, &b, e);
	if (rc == 0)
		rc = stat_message(dir, name, &st, e);
	if (rc < 0)
		return rc;
	in_new = file.p[0] == 'n';
	as = span_str(name);
	if (!same && pick_name(m, mem, name, to, b->fd, &as, e) < 0)
		return e->code;
	at = maildir_place(mem, b, as, f, letters, in_new, &shown, &todir);
	rc = rename_file(dir, name, todir, at.p + 4, e);
	if (rc < 0 && e->sys == EEXIST) {
		/* somebody put it there just now, or another of that base */
		err_clear(e);
		as = name_elsewhere(
		    mem, span_str(name), maildir_new_base(m, mem), same);
		at = maildir_place(
		    mem, b, as, f, letters, in_new, &shown, &todir);
		rc = rename_file(dir, name, todir, at.p + 4, e);
	}
	if (rc < 0)
		return rc;
	if (dir != todir || strcmp(name, at.p + 4) != 0)
		maildir_note(m, from, file, to, at);
	/* Another inode where it was copied; a reader may be faster. */
	if (fstatat(todir, at.p + 4, &moved, AT_SYMLINK_NOFOLLOW) == 0)
		st = moved;
	*shown_r = shown;
	*lmsg_r = maildir_lmsg(at, shown, &st);
	return 0;
}
