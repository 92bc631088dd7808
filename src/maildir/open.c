#include "maildir/internal.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

int
maildir_open(
    struct maildir **m_r, const char *root, enum layout layout, struct err *e)
{
	/* The root alone may be reached by a symlink: the user wrote it. */
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct maildir *m;

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno,
		    "cannot open the Maildir '%s'", root);
	m = xcalloc(1, sizeof *m);
	m->root = fd;
	m->layout = layout;
	for (size_t i = 0; i < 2; i++)
		m->slot[i].box = (struct maildir_box){-1, -1, -1};
	nameset_init(&m->taken);
	if (gethostname(m->host, sizeof m->host - 1) != 0)
		m->host[0] = '\0';
	*m_r = m;
	return 0;
}

int
maildir_create_root(const char *root, struct err *e)
{
	if (fs_mkdirs(AT_FDCWD, root, 0700, e) == 0)
		return 0;
	e->scope = ERR_SCOPE_ACCOUNT;
	return err_wrap(e, "cannot make the Maildir '%s'", root);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_slot(struct maildir_slot *s)
{
	close_fd(&s->box.fd);
	close_fd(&s->box.cur);
	close_fd(&s->box.new);
	xfree(s->path);
	s->path = NULL;
}

void
maildir_forget_box(struct maildir *m)
{
	close_slot(&m->slot[0]);
	close_slot(&m->slot[1]);
	nameset_release(&m->taken);
}

void
maildir_free(struct maildir **m)
{
	if (!*m)
		return;
	maildir_forget_box(*m);
	maildir_watch_free(&(*m)->watch);
	digest_free(&(*m)->spare);
	close_fd(&(*m)->root);
	xfree(*m);
	*m = NULL;
}

void
maildir_set_cancel(struct maildir *m, const struct cancel *c)
{
	m->cancel = c;
}

struct span
maildir_shown(struct span path)
{
	return path.n ? path : SPAN(".");
}

int64_t
maildir_mtime_ns(const struct stat *st)
{
	return clock_ns(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

/* PART of the directory FD, made if it may be and is missing; -1, errno. */
static int
enter(int fd, const char *part, bool make)
{
	bool made;

	if (*part == '\0' || strcmp(part, ".") == 0 ||
	    strcmp(part, "..") == 0) {
		errno = EINVAL;
		return -1;
	}
	made = make && mkdirat(fd, part, 0700) == 0;
	if (make && !made && errno != EEXIST)
		return -1;
	if (made && fs_fsync_dir(fd) != 0)
		return -1;
	return fs_open_dir(fd, part);
}

static int
descend(int dirfd, struct span path, bool make)
{
	int fd = fs_open_dir(dirfd, ".");

	while (path.n && fd >= 0) {
		size_t n = span_index(path, '/');
		AUTO_STR part = xstrndup(path.p, n);
		int sub = enter(fd, part, make), saved = errno;

		close(fd);
		errno = saved;
		fd = sub;
		if (n == path.n)
			break;
		path = span_of(path.p + n + 1, path.n - n - 1);
	}
	return fd;
}

int
maildir_openat(int dirfd, struct span path)
{
	return descend(dirfd, path, false);
}

int
maildir_make_at(int dirfd, struct span path, int *fd_r, struct err *e)
{
	int fd = descend(dirfd, path, true);

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "make directory '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	*fd_r = fd;
	return 0;
}

int
maildir_type(int dirfd, const struct dirent *x)
{
	struct stat st;

	if (x->d_type != DT_UNKNOWN)
		return DTTOIF(x->d_type);
	if (fstatat(dirfd, x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	return (int)(st.st_mode & S_IFMT);
}

/* Nothing there, or nothing that could be a directory of a mailbox. */
static bool
is_missing(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == ELOOP;
}

/* SUB of the box that is being opened; -1 when it is missing. */
static int
open_sub(int box, struct span path, const char *sub, int *fd_r, struct err *e)
{
	int fd = fs_open_dir(box, sub);

	/* What is there but cannot be read must not pass for missing. */
	if (fd < 0 && !is_missing(errno))
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s/%s'",
		    SPAN_ARG(maildir_shown(path)), sub);
	*fd_r = fd;
	return 0;
}

static int
open_slot(
    struct maildir *m, struct maildir_slot *s, struct span path, struct err *e)
{
	close_slot(s);
	s->box.fd = maildir_openat(m->root, path);
	if (s->box.fd < 0) {
		err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
		if (is_missing(e->sys))
			e->code = ERR_STALE;
		return e->code;
	}
	if (open_sub(s->box.fd, path, "cur", &s->box.cur, e) < 0 ||
	    open_sub(s->box.fd, path, "new", &s->box.new, e) < 0) {
		close_slot(s);
		return e->code;
	}
	s->path = xstrndup(path.p, path.n);
	return 0;
}

static bool
slot_is(const struct maildir_slot *s, struct span path)
{
	return s->path && span_eq(span_str(s->path), path);
}

int
maildir_box(struct maildir *m, struct span path, const struct maildir_box **b_r,
    struct err *e)
{
	if (!slot_is(&m->slot[m->last], path)) {
		struct maildir_slot *other = &m->slot[!m->last];

		if (!slot_is(other, path) && open_slot(m, other, path, e) < 0)
			return e->code;
		m->last = !m->last;
	}
	*b_r = &m->slot[m->last].box;
	return 0;
}

int
maildir_whole_box(struct maildir *m, struct span path,
    const struct maildir_box **b_r, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_box(m, path, &b, e) < 0)
		return e->code;
	if (b->cur < 0 || b->new < 0) {
		/* it may be mended meanwhile */
		close_slot(&m->slot[m->last]);
		return err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "'%.*s' lacks cur/ or new/", SPAN_ARG(maildir_shown(path)));
	}
	*b_r = b;
	return 0;
}

int
maildir_file(struct maildir *m, struct span path, struct span file, int *dir_r,
    const char **name_r, struct arena *mem, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	if (file.n <= 4 || memchr(file.p + 4, '/', file.n - 4) ||
	    !name_is_message(span_of(file.p + 4, file.n - 4)) ||
	    (!span_starts(file, SPAN("cur/")) &&
		!span_starts(file, SPAN("new/"))))
		return err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "'%.*s' is no message file", SPAN_ARG(file));
	*dir_r = file.p[0] == 'c' ? b->cur : b->new;
	*name_r = arena_span(mem, span_of(file.p + 4, file.n - 4)).p;
	return 0;
}

struct span
maildir_new_base(struct maildir *m, struct arena *mem)
{
	uint64_t random = 0;

	/* Pid, time and counter tell names apart even without it. */
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 0;
	return name_make(mem, clock_wall_ns(), (uint32_t)getpid(), m->seq++,
	    random, span_str(m->host));
}

int
maildir_open_tmp(struct maildir *m, struct span path, int *fd_r, struct err *e)
{
	const struct maildir_box *b;
	int fd;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	fd = fs_open_dir(b->fd, "tmp");
	if (fd < 0 && errno == ENOENT && mkdirat(b->fd, "tmp", 0700) == 0)
		fd = fs_open_dir(b->fd, "tmp");
	if (fd < 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "open '%.*s/tmp'",
		    SPAN_ARG(maildir_shown(path)));
	*fd_r = fd;
	return 0;
}

int
maildir_create_tmp(int tmp, struct arena *mem, struct span base,
    const char **name_r, int *fd_r, struct err *e)
{
	const char *name =
	    arena_printf(mem, MAILDIR_TMP_TAG "%.*s", SPAN_ARG(base));
	int fd = openat(tmp, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(
		    e, ERR_SCOPE_BOX, errno, "create a file in tmp/");
	*name_r = name;
	*fd_r = fd;
	return 0;
}

/* A full disk is everybody's; any other trouble with a file is the box's. */
int
maildir_write_error(struct span path, struct err *e)
{
	e->scope = e->code == ERR_FULL ? ERR_SCOPE_ACCOUNT : ERR_SCOPE_BOX;
	return err_wrap(e, "'%.*s'", SPAN_ARG(maildir_shown(path)));
}

struct lmsg
maildir_lmsg(struct span file, struct flags f, const struct stat *st)
{
	return (struct lmsg){.file = file,
	    .base = name_split(span_of(file.p + 4, file.n - 4)).base,
	    .flags = f,
	    .has_stat = true,
	    .ino = st->st_ino,
	    .fsize = (uint64_t)st->st_size,
	    .mtime_ns = maildir_mtime_ns(st)};
}

struct span
maildir_parent(struct span path, struct span *leaf_r)
{
	const char *slash = memrchr(path.p, '/', path.n);
	size_t up = slash ? (size_t)(slash - path.p) : 0;
	size_t leaf = slash ? up + 1 : 0;

	*leaf_r = span_of(path.p + leaf, path.n - leaf);
	return span_of(path.p, up);
}

struct digest *
maildir_take_digest(struct maildir *m)
{
	struct digest *d = m->spare;

	m->spare = NULL;
	return d ? d : digest_new();
}

void
maildir_give_digest(struct maildir *m, struct digest **d)
{
	if (*d && !m->spare) {
		digest_reset(*d);
		m->spare = *d;
		*d = NULL;
	}
	digest_free(d);
}

/*
 * cur/ lies in tmp/ until all else is there, so that a mailbox without cur/
 * that a killed run of ours has begun can be told from one that lost it.
 */
static int
put_cur(int box, int tmp, struct span path, struct err *e)
{
	if (renameat(tmp, MAILDIR_CUR_TO_BE, box, "cur") != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "make '%.*s/cur'",
		    SPAN_ARG(maildir_shown(path)));
	if (fs_fsync_dir(box) != 0 || fs_fsync_dir(tmp) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "fsync a directory");
	return 0;
}

/* What is missing of the mailbox PATH; cur/ comes last. */
static int
make_subs(int box, struct span path, struct err *e)
{
	AUTO_FD tmp = -1;
	AUTO_FD new = -1;
	AUTO_FD cur = fs_open_dir(box, "cur");
	int rc = maildir_make_at(box, SPAN("tmp"), &tmp, e);

	if (rc == 0 && cur < 0) {
		AUTO_FD mark = -1;

		rc = maildir_make_at(tmp, SPAN(MAILDIR_CUR_TO_BE), &mark, e);
	}
	if (rc == 0)
		rc = maildir_make_at(box, SPAN("new"), &new, e);
	if (rc == 0 && cur < 0)
		rc = put_cur(box, tmp, path, e);
	return rc;
}

int
maildir_create(struct maildir *m, struct span path, struct err *e)
{
	AUTO_FD box = -1;
	int rc;

	maildir_forget_box(m);
	rc = maildir_make_at(m->root, path, &box, e);
	if (rc == 0)
		rc = make_subs(box, path, e);
	return rc < 0 ? err_wrap(e, "cannot make the mailbox '%.*s'",
			    SPAN_ARG(maildir_shown(path)))
		      : 0;
}

bool
maildir_is_half_made(struct maildir *m, struct span path)
{
	AUTO_FD box = maildir_openat(m->root, path);
	struct stat st;

	return box >= 0 && fstatat(box, "cur", &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	       errno == ENOENT &&
	       fstatat(box, "tmp/" MAILDIR_CUR_TO_BE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}
