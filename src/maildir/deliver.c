/*
 * A message that comes down.
 *
 *  1. In tmp/ until it is complete, durable and known; then one rename: no
 *     power cut leaves a name in new/ or cur/ whose content is not there.
 *     The rename is durable once maildir_sync() says so, and not before.
 *  2. A batch is made durable at once: syncfs() of its file system takes
 *     hardly longer than one fsync(), and a hundredth of that many.  Where it
 *     does nothing (fs_is_native), each file is fsynced.
 *  3. Nothing is ever replaced: the rename fails rather than that.
 *  4. LF form as long as it can be undone; when it turns out that it cannot,
 *     what was written is expanded into a new file, a piece at a time.
 *  5. A message that waits for its batch keeps no descriptor of its own: a
 *     batch is hundreds of them, and there may be as many accounts.
 */
#include "maildir/internal.h"

#include "mail/eol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK 65536

/* Up to so many files are fsynced one by one; of more, their file system. */
#define FSYNC_MAX 4

struct maildir_delivery {
	struct maildir *m;
	struct arena mem; /* names; until finish */
	char *kept;	  /* owned; the names from finish on */
	struct span path, base;
	const char *tmp; /* name in tmp/; in mem or kept; NULL: none */
	struct maildir_tmp *shared; /* one of its users; NULL: none */
	int tmp_dir; /* that of SHARED; -1: none */
	int fd;	     /* owned; -1: none */
	struct eol_down eol;
	struct digest *digest; /* lent by M until finish */
	struct buf out;
};

/* tmp/ of a mailbox, for the deliveries into it that follow each other. */
struct maildir_tmp {
	char *path; /* owned; of the mailbox */
	int fd;	    /* owned */
	unsigned users;
};

static void
give_tmp(struct maildir_delivery *d)
{
	struct maildir_tmp *t = d->shared;

	d->shared = NULL;
	d->tmp_dir = -1;
	if (!t || --t->users > 0)
		return;
	if (d->m->tmp == t)
		d->m->tmp = NULL;
	close(t->fd);
	xfree(t->path);
	xfree(t);
}

static int
take_tmp(struct maildir_delivery *d, struct err *e)
{
	struct maildir_tmp *t = d->m->tmp;
	int fd;

	if (!t || !span_eq(span_str(t->path), d->path)) {
		if (maildir_open_tmp(d->m, d->path, &fd, e) < 0)
			return e->code;
		t = xcalloc(1, sizeof *t);
		t->path = xstrndup(d->path.p, d->path.n);
		t->fd = fd;
		d->m->tmp = t;
	}
	t->users++;
	d->shared = t;
	d->tmp_dir = t->fd;
	return 0;
}

static int
create_tmp(struct maildir_delivery *d, int *fd_r, struct err *e)
{
	struct span base = maildir_new_base(d->m, &d->mem);

	if (maildir_create_tmp(d->tmp_dir, &d->mem, base, &d->tmp, fd_r, e) < 0)
		return err_wrap(e, "'%.*s'", SPAN_ARG(maildir_shown(d->path)));
	d->base = base;
	return 0;
}

/*
 * Many may wait for their batch: they keep a name and no file open (5).  Over a
 * network and behind FUSE what was written may go, and fail, only with close().
 */
static int
keep_names(struct maildir_delivery *d, struct err *e)
{
	char *base, *tmp;
	int rc = close(d->fd);

	d->fd = -1;
	if (rc != 0) {
		err_sys(e, ERR_SCOPE_BOX, errno, "close");
		return maildir_write_error(d->path, e);
	}
	d->kept = xasprintf("%.*s%c%.*s%c%s", SPAN_ARG(d->path), 0,
	    SPAN_ARG(d->base), 0, d->tmp);
	base = d->kept + d->path.n + 1;
	tmp = base + d->base.n + 1;
	d->path.p = d->kept;
	d->base.p = base;
	d->tmp = tmp;
	arena_release(&d->mem);
	maildir_give_digest(d->m, &d->digest);
	buf_release(&d->out);
	return 0;
}

int
maildir_deliver_begin(struct maildir *m, struct span path,
    struct maildir_delivery **d_r, struct err *e)
{
	struct maildir_delivery *d = xcalloc(1, sizeof *d);

	d->m = m;
	d->tmp_dir = d->fd = -1;
	arena_init(&d->mem);
	d->path = arena_span(&d->mem, path);
	buf_init(&d->out, 1u << 22);
	eol_down_init(&d->eol);
	d->digest = maildir_take_digest(m);
	if (take_tmp(d, e) < 0 ||
	    create_tmp(d, &d->fd, e) < 0) {
		maildir_delivery_free(&d);
		return e->code;
	}
	*d_r = d;
	return 0;
}

void
maildir_delivery_free(struct maildir_delivery **d)
{
	struct maildir_delivery *x = *d;

	if (!x)
		return;
	if (x->fd >= 0)
		close(x->fd);
	if (x->tmp)
		unlinkat(x->tmp_dir, x->tmp, 0);
	give_tmp(x);
	maildir_give_digest(x->m, &x->digest);
	buf_release(&x->out);
	arena_release(&x->mem);
	xfree(x->kept);
	xfree(x);
	*d = NULL;
}

static int
put(struct maildir_delivery *d, int fd, struct span s, struct err *e)
{
	if (fs_write_all(fd, s.p, s.n, e) < 0)
		return maildir_write_error(d->path, e);
	return 0;
}

static int
expand(struct maildir_delivery *d, int from, int to, struct err *e)
{
	AUTO_STR chunk = xalloc(CHUNK);
	ssize_t n;

	if (lseek(from, 0, SEEK_SET) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "seek in '%.*s/tmp'",
		    SPAN_ARG(maildir_shown(d->path)));
	while ((n = fs_read_full(from, chunk, CHUNK)) > 0) {
		buf_clear(&d->out);
		eol_expand(chunk, (size_t)n, &d->out);
		if (put(d, to, buf_span(&d->out), e) < 0)
			return e->code;
	}
	if (n < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "read in '%.*s/tmp'",
		    SPAN_ARG(maildir_shown(d->path)));
	return 0;
}

/* Rule 4: all that was written so far, as it came over the wire. */
static int
go_verbatim(struct maildir_delivery *d, struct err *e)
{
	const char *old = d->tmp;
	int from = d->fd, to, rc;

	rc = create_tmp(d, &to, e);
	if (rc < 0)
		return rc; /* OLD is still the file that free removes */
	d->fd = to;
	rc = expand(d, from, to, e);
	close(from);
	unlinkat(d->tmp_dir, old, 0);
	if (rc == 0)
		rc = put(d, to, eol_down_held(&d->eol), e);
	return rc;
}

static int
write_chunk(struct maildir_delivery *d, const char *p, size_t n, struct err *e)
{
	while (n) {
		size_t used;
		bool same;

		buf_clear(&d->out);
		same = eol_down_feed(&d->eol, p, n, &d->out, &used);
		if (put(d, d->fd, buf_span(&d->out), e) < 0)
			return e->code;
		if (!same && go_verbatim(d, e) < 0)
			return e->code;
		p += used;
		n -= used;
	}
	return 0;
}

int
maildir_deliver_write(
    struct maildir_delivery *d, const char *p, size_t n, struct err *e)
{
	digest_feed(d->digest, p, n);
	while (n) {
		size_t k = n < CHUNK ? n : CHUNK;

		if (write_chunk(d, p, k, e) < 0)
			return e->code;
		p += k;
		n -= k;
	}
	return 0;
}

int
maildir_deliver_finish(struct maildir_delivery *d, int64_t idate,
    struct content *c_r, struct err *e)
{
	struct content c;

	if (put(d, d->fd, eol_down_held(&d->eol), e) < 0)
		return e->code;
	digest_finish(d->digest, &c);
	if (c.raw == 0)
		return err_set(e, ERR_PROTO, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "the server sent no data for it");
	if (idate != 0) {
		struct timespec t[2] = {{.tv_sec = idate}, {.tv_sec = idate}};

		/* A date that the file system cannot hold is no reason to
		 * lose the message. */
		(void)futimens(d->fd, t);
	}
	if (keep_names(d, e) < 0)
		return e->code;
	*c_r = c;
	return 0;
}

static int
flush_one(const struct maildir_delivery *d, struct err *e)
{
	int fd = fs_open_read(d->tmp_dir, d->tmp);

	if (fd < 0 || fsync(fd) != 0) {
		err_sys(e, ERR_SCOPE_BOX, errno, "fsync");
		if (fd >= 0)
			close(fd);
		return maildir_write_error(d->path, e);
	}
	close(fd);
	return 0;
}

int
maildir_deliver_disks(struct maildir_delivery *const *v, size_t n,
    struct maildir_disks *d, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0 && !d->singly; i++)
		if (i == 0 || !span_eq(v[i]->path, v[i - 1]->path))
			rc = maildir_disks_add_dir(
			    d, v[i]->tmp_dir, v[i]->path, e);
	return rc;
}

int
maildir_deliver_flush(
    struct maildir_delivery *const *v, size_t n, struct err *e)
{
	struct maildir_disks disks = {.singly = n <= FSYNC_MAX};
	int rc = maildir_deliver_disks(v, n, &disks, e);

	for (size_t i = 0; i < n && rc == 0 && disks.singly; i++)
		rc = flush_one(v[i], e);
	if (rc == 0)
		rc = maildir_disks_sync(&disks, e);
	maildir_disks_release(&disks);
	return rc;
}

int
maildir_deliver_publish(struct maildir_delivery *d, struct arena *mem,
    struct flags f, const struct kwletters *letters, struct flags *shown_r,
    struct lmsg *lmsg_r, struct err *e)
{
	const struct maildir_box *b;
	struct flags shown;
	struct stat st;
	struct span file,
	    name = name_with_flags(mem, d->base, f, letters, true, &shown);
	bool in_new = flags_empty(shown);

	if (maildir_whole_box(d->m, d->path, &b, e) < 0)
		return e->code;
	file = span_str(arena_printf(
	    mem, "%s/%.*s", in_new ? "new" : "cur", SPAN_ARG(name)));
	if (fstatat(d->tmp_dir, d->tmp, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "stat");
	if (fs_move(d->tmp_dir, d->tmp, in_new ? b->new : b->cur, file.p + 4,
		false, e) < 0)
		return maildir_write_error(d->path, e);
	maildir_note(d->m, SPAN_NONE, SPAN_NONE, d->path, file);
	d->tmp = NULL;
	*shown_r = shown;
	*lmsg_r = maildir_lmsg(file, shown, &st);
	return 0;
}
