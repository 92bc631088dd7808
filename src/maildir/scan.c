#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TRIES 5

struct scan {
	struct maildir *m;
	struct span path;
	const struct kwletters *letters;
	struct arena *mem;
	struct lview *v;
	uint32_t unknown;
};

static bool
is_regular(int dirfd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_REG;
	return fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
}

static void
add_file(struct scan *s, const char *sub, const char *d_name)
{
	struct span file = span_str(arena_printf(s->mem, "%s/%s", sub, d_name));
	struct name name = name_split(span_of(file.p + 4, file.n - 4));
	struct lmsg msg = {.file = file, .base = name.base};
	uint32_t unknown = 0;

	msg.flags = name_flags(s->mem, name.info, s->letters, &unknown);
	s->unknown |= unknown;
	lview_add(s->mem, s->v, msg);
}

/* A fresh descriptor: the offset of a shared one would be moved. */
static int
scan_dir(struct scan *s, int box, const char *sub, struct err *e)
{
	int fd = fs_open_dir(box, sub);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	int sys;

	if (!d) {
		sys = errno;
		if (fd >= 0)
			close(fd);
		return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
		    SPAN_ARG(maildir_shown(s->path)), sub);
	}
	for (errno = 0; (x = readdir(d)); errno = 0)
		if (name_is_message(span_str(x->d_name)) &&
		    is_regular(dirfd(d), x))
			add_file(s, sub, x->d_name);
	sys = errno;
	closedir(d);
	if (sys)
		return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
		    SPAN_ARG(maildir_shown(s->path)), sub);
	return 0;
}

/* What there is of a mailbox that lacks cur/ or new/. */
static int
scan_damaged(struct scan *s, struct err *e)
{
	const struct maildir_box *b;

	s->v->damaged = true;
	if (maildir_box(s->m, s->path, &b, e) < 0) {
		if (e->code == ERR_STALE)
			err_clear(e);
		return e->code;
	}
	if (b->new >= 0 && scan_dir(s, b->fd, "new", e) < 0)
		return e->code;
	if (b->cur >= 0 && scan_dir(s, b->fd, "cur", e) < 0)
		return e->code;
	maildir_forget_box(s->m);
	return 0;
}

/*
 * new/ first, then cur/: other programs move messages that way, so none is
 * missed.  Equal stamps before and after mean that what was read is what
 * there was.
 */
static int
scan_stable(struct scan *s, struct maildir_stamp *stamp_r, struct err *e)
{
	struct maildir_stamp before, after;

	for (int i = 0; i < TRIES; i++) {
		const struct maildir_box *b;

		if (maildir_stamp(s->m, s->path, &before, e) < 0 ||
		    maildir_whole_box(s->m, s->path, &b, e) < 0)
			return e->code;
		/* Else a change within its tick would not show. */
		if (i > 0)
			(void)maildir_stamp_settle(&before, NULL);
		s->v->n = 0;
		s->unknown = 0;
		if (scan_dir(s, b->fd, "new", e) < 0 ||
		    scan_dir(s, b->fd, "cur", e) < 0 ||
		    maildir_stamp(s->m, s->path, &after, e) < 0)
			return e->code;
		*stamp_r = after;
		if (maildir_stamp_eq(&before, &after)) {
			s->v->complete = true;
			return 0;
		}
	}
	return 0; /* others are busy: absence means nothing */
}

int
maildir_scan(struct maildir *m, struct span path,
    const struct kwletters *letters, struct arena *mem, struct lview *v_r,
    struct maildir_stamp *stamp_r, uint32_t *letters_seen_r, struct err *e)
{
	struct lview v = {0};
	struct scan s = {.m = m, .path = path, .letters = letters, .mem = mem,
	    .v = &v};
	struct maildir_stamp stamp = MAILDIR_STAMP_NONE;

	/* Not what was open a while ago: it may have been replaced. */
	maildir_forget_box(m);
	if (scan_stable(&s, &stamp, e) < 0) {
		if (e->code != ERR_STALE)
			return e->code;
		err_clear(e);
		v = (struct lview){0};
		stamp = MAILDIR_STAMP_NONE;
		if (scan_damaged(&s, e) < 0)
			return e->code;
	}
	*v_r = v;
	*stamp_r = stamp;
	if (letters_seen_r)
		*letters_seen_r = s.unknown;
	return 0;
}
