/*
 * Another copy of a message, in the same or another mailbox.
 *
 *  1. It appears under a new base name, complete and durable: a hard link of
 *     a file that was fsynced, or a file of its own that was written in tmp/,
 *     fsynced, and then renamed.  The name is durable after maildir_sync().
 *  2. Nothing is replaced; the original is only read.
 *  3. How it is made changes nothing but the space it takes: what cannot be
 *     linked or cloned is copied.
 */
#include "maildir/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct copy {
	struct maildir *m;
	struct arena *mem;
	struct span to, base;
	int fromdir, todir;
	const char *name, *as; /* in FROMDIR and TODIR */
	int in;		       /* the original, owned */
	struct stat st;	       /* of it */
};

static int
gone(const char *name, int sys, struct err *e)
{
	err_sys(e, ERR_SCOPE_MSG, sys, "open '%s'", name);
	/* EINVAL, ELOOP: something that is no message has its name now */
	if (sys == ENOENT || sys == EINVAL || sys == ELOOP)
		e->code = ERR_STALE;
	return e->code;
}

static int
open_original(struct copy *c, struct err *e)
{
	int fd = fs_open_read(c->fromdir, c->name);

	if (fd < 0)
		return gone(c->name, errno, e);
	c->in = fd;
	if (fstat(fd, &c->st) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "stat '%s'", c->name);
	return 0;
}

/* *made_r: false where this cannot be had. */
static int
make_link(struct copy *c, bool *made_r, struct err *e)
{
	struct stat st;

	/* whoever wrote it may not have done so */
	if (fsync(c->in) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "fsync '%s'", c->name);
	if (linkat(c->fromdir, c->name, c->todir, c->as, 0) != 0) {
		int sys = errno;

		if (sys == ENOENT)
			return gone(c->name, sys, e);
		if (sys == ENOSPC || sys == EDQUOT || sys == EIO ||
		    sys == EROFS || sys == EEXIST)
			return err_sys(
			    e, ERR_SCOPE_MSG, sys, "link '%s'", c->name);
		*made_r = false; /* EXDEV, EMLINK, EPERM, ... */
		return 0;
	}
	/* replaced between open and link? */
	if (fstatat(c->todir, c->as, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_ino != c->st.st_ino || st.st_dev != c->st.st_dev)) {
		unlinkat(c->todir, c->as, 0);
		return gone(c->name, ENOENT, e);
	}
	*made_r = true;
	return 0;
}

static int
fill(const struct copy *c, int out, bool clone, struct err *e)
{
	struct timespec t[2] = {c->st.st_atim, c->st.st_mtim};

	if (!clone || ioctl(out, FICLONE, c->in) != 0) {
		if (fs_copy(c->in, out, e) < 0)
			return e->code;
	}
	/* A time that cannot be kept is no reason to lose the message. */
	(void)futimens(out, t);
	if (fsync(out) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "fsync");
	return 0;
}

static int
make_file(struct copy *c, bool clone, struct err *e)
{
	AUTO_FD tmp = -1;
	AUTO_FD out = -1;
	const char *name;
	int rc;

	rc = maildir_open_tmp(c->m, c->to, &tmp, e);
	if (rc == 0)
		rc = maildir_create_tmp(tmp, c->mem, c->base, &name, &out, e);
	if (rc < 0)
		return rc;
	rc = fill(c, out, clone, e);
	if (rc == 0)
		rc = fs_move(tmp, name, c->todir, c->as, false, e);
	if (rc == 0 && fstat(out, &c->st) != 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "stat '%s'", c->as);
	if (rc < 0) {
		unlinkat(tmp, name, 0);
		return maildir_write_error(c->to, e);
	}
	return 0;
}

static int
make_copy(struct copy *c, enum maildir_copy_how how, struct err *e)
{
	bool made = false;
	int rc = open_original(c, e);

	if (rc == 0 && how == MAILDIR_COPY_LINK)
		rc = make_link(c, &made, e);
	if (rc == 0 && !made)
		rc = make_file(c, how != MAILDIR_COPY_BYTES, e);
	if (c->in >= 0)
		close(c->in);
	return rc;
}

int
maildir_copy_to(struct maildir *m, struct arena *mem, struct span from,
    struct span file, struct span to, enum maildir_copy_how how, struct flags f,
    const struct kwletters *letters, struct flags *shown_r, struct lmsg *lmsg_r,
    struct err *e)
{
	struct copy c = {.m = m, .mem = mem, .to = to, .in = -1};
	const struct maildir_box *b;
	struct flags shown;
	struct span at;
	int rc;

	rc = maildir_file(m, from, file, &c.fromdir, &c.name, mem, e);
	if (rc == 0)
		rc = maildir_whole_box(m, to, &b, e);
	if (rc < 0)
		return rc;
	c.base = maildir_new_base(m, mem);
	at = maildir_place(mem, b,
	    name_elsewhere(mem, span_str(c.name), c.base, span_eq(from, to)), f,
	    letters, file.p[0] == 'n', &shown, &c.todir);
	c.as = at.p + 4;
	rc = make_copy(&c, how, e);
	if (rc < 0)
		return rc;
	maildir_note(m, SPAN_NONE, SPAN_NONE, to, at);
	*shown_r = shown;
	*lmsg_r = maildir_lmsg(at, shown, &c.st);
	return 0;
}
