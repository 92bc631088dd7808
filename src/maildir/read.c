#include "maildir/internal.h"

#include "base/cancel.h"
#include "mail/eol.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK 65536

struct maildir_reader {
	int fd;
	struct eol_canon canon;
	char *chunk; /* owned */
};

/* ENOENT is ERR_STALE: not there any more. */
static int
file_error(int sys, struct span path, struct span file, struct err *e)
{
	err_sys(e, ERR_SCOPE_MSG, sys, "read '%.*s/%.*s'",
	    SPAN_ARG(maildir_shown(path)), SPAN_ARG(file));
	if (sys == ENOENT)
		e->code = ERR_STALE;
	return e->code;
}

static int
open_file(struct maildir *m, struct span path, struct span file, int *fd_r,
    struct err *e)
{
	struct arena mem;
	const char *name;
	int dir, rc;

	arena_init(&mem);
	rc = maildir_file(m, path, file, &dir, &name, &mem, e);
	if (rc == 0) {
		*fd_r = fs_open_read(dir, name);
		if (*fd_r < 0)
			rc = file_error(errno, path, file, e);
	}
	arena_release(&mem);
	return rc;
}

static void
take_stat(struct lmsg *msg, const struct stat *st)
{
	msg->has_stat = true;
	msg->ino = st->st_ino;
	msg->fsize = (uint64_t)st->st_size;
	msg->mtime_ns = maildir_mtime_ns(st);
}

int
maildir_stat(
    struct maildir *m, struct span path, struct lmsg *msg, struct err *e)
{
	struct arena mem;
	const char *name;
	struct stat st;
	int dir, rc;

	arena_init(&mem);
	rc = maildir_file(m, path, msg->file, &dir, &name, &mem, e);
	if (rc == 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = file_error(errno, path, msg->file, e);
	if (rc == 0)
		take_stat(msg, &st);
	arena_release(&mem);
	return rc;
}

static int
feed_all(int fd, struct digest *d, const struct cancel *c, struct span path,
    struct span file, struct err *e)
{
	AUTO_STR chunk = xalloc(CHUNK);
	ssize_t n;

	while ((n = fs_read_full(fd, chunk, CHUNK)) > 0) {
		digest_feed(d, chunk, (size_t)n);
		if (cancel_check(c, e) < 0)
			return e->code;
	}
	return n < 0 ? file_error(errno, path, file, e) : 0;
}

int
maildir_digest(struct maildir *m, struct span path, struct lmsg *msg,
    const struct cancel *c, struct err *e)
{
	struct digest *d;
	AUTO_FD fd = -1;
	struct stat before, after;
	struct content content;
	int rc;

	rc = open_file(m, path, msg->file, &fd, e);
	if (rc < 0)
		return rc;
	if (fstat(fd, &before) != 0)
		return file_error(errno, path, msg->file, e);
	d = maildir_take_digest(m);
	rc = feed_all(fd, d, c, path, msg->file, e);
	if (rc == 0)
		digest_finish(d, &content);
	maildir_give_digest(m, &d);
	if (rc < 0)
		return rc;
	if (fstat(fd, &after) != 0)
		return file_error(errno, path, msg->file, e);
	/* Being written still, against the rules of Maildir: later. */
	if (before.st_size != after.st_size ||
	    maildir_mtime_ns(&before) != maildir_mtime_ns(&after) ||
	    content.raw != (uint64_t)after.st_size)
		return err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "'%.*s/%.*s' changed while it was read",
		    SPAN_ARG(maildir_shown(path)), SPAN_ARG(msg->file));
	take_stat(msg, &after);
	msg->content = content;
	msg->has_content = true;
	return 0;
}

int
maildir_read_open(struct maildir *m, struct span path, struct span file,
    struct maildir_reader **r_r, struct err *e)
{
	struct maildir_reader *r;
	int fd;

	if (open_file(m, path, file, &fd, e) < 0)
		return e->code;
	r = xcalloc(1, sizeof *r);
	r->fd = fd;
	r->chunk = xalloc(CHUNK);
	eol_canon_init(&r->canon);
	*r_r = r;
	return 0;
}

int
maildir_read(struct maildir_reader *r, struct buf *out, struct err *e)
{
	ssize_t n = fs_read_full(r->fd, r->chunk, CHUNK);

	buf_clear(out);
	if (n < 0)
		return err_sys(e, ERR_SCOPE_MSG, errno, "read");
	eol_canon_feed(&r->canon, r->chunk, (size_t)n, out);
	if (out->toobig)
		return err_set(e, ERR_TOOBIG, ERR_SCOPE_MSG, ERR_RETRY_NEVER,
		    "buffer too small for a piece of a message");
	return (int)out->n;
}

void
maildir_reader_free(struct maildir_reader **r)
{
	if (!*r)
		return;
	close((*r)->fd);
	xfree((*r)->chunk);
	xfree(*r);
	*r = NULL;
}

int
maildir_sample(struct maildir *m, struct span path, struct span file,
    uint64_t off, size_t n, struct buf *out, struct err *e)
{
	AUTO(maildir_reader) r = NULL;
	struct buf piece;
	uint64_t at = 0; /* canonical offset of PIECE */
	int rc;

	rc = maildir_read_open(m, path, file, &r, e);
	if (rc < 0)
		return rc;
	buf_init(&piece, 2 * CHUNK);
	while (n > 0 && (rc = maildir_read(r, &piece, e)) > 0) {
		uint64_t skip = off > at ? off - at : 0;

		if (skip < piece.n) {
			size_t have = piece.n - (size_t)skip;

			have = have < n ? have : n;
			buf_add(out, piece.p + skip, have);
			n -= have;
		}
		at += piece.n;
	}
	buf_release(&piece);
	if (rc < 0)
		return rc;
	if (out->toobig)
		return err_set(e, ERR_TOOBIG, ERR_SCOPE_MSG, ERR_RETRY_NEVER,
		    "sample too long");
	return 0;
}
