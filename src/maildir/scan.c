/*
 * What is in a mailbox.
 *
 *  1. new/ is read before cur/: others move messages that way, so none is
 *     missed.  What was read is all there was when the directories show the
 *     same times before and after, and these times could have told (stamp.c);
 *     where times are too coarse for that, when two readings are the same.
 *  2. A message that was moved or renamed meanwhile may be seen under two
 *     names.  So of two files of one base it is asked whether they are there,
 *     and a file that is in new/ and cur/ at once counts for cur/.  Others
 *     are two files, and both are shown.
 *  3. A file whose name is known (maildir_scan_rest) is only marked: nothing
 *     is kept of it, and its name is not looked at more closely.  Rule 2 for
 *     such a file and one that is not known is the caller's, who has their
 *     names: maildir_drop_moved().
 *  4. A file is gone when the system says so (ENOENT); no other error does.
 *     What else cannot be told of it will be when it is read.
 */
#include "maildir/internal.h"

#include "base/map.h"

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
	struct nameset *known; /* NULL: none */
	uint32_t unknown;
};

/* Rule 4: what cannot be told is a file that cannot be read. */
static bool
is_regular(int dirfd, const struct dirent *d)
{
	int type = maildir_type(dirfd, d);

	return type == S_IFREG || type < 0;
}

struct lmsg
maildir_named(struct arena *mem, struct span file,
    const struct kwletters *letters, uint32_t *unknown)
{
	struct name name = name_split(span_of(file.p + 4, file.n - 4));
	struct lmsg msg = {.file = file, .base = name.base};
	uint32_t more = 0;

	msg.flags = name_flags(mem, name.info, letters, &more);
	*unknown |= more;
	return msg;
}

/*
 * Rule 3.  Names of other systems' disks may be longer than NAME_MAX, and than
 * the d_name that is declared: those are just not known.
 */
static bool
is_known(struct scan *s, const char *sub, const char *d_name)
{
	char file[4 + NAME_LEN_MAX];
	size_t n = strlen(d_name);

	if (!s->known || n > NAME_LEN_MAX)
		return false;
	memcpy(file, sub, 3);
	file[3] = '/';
	memcpy(file + 4, d_name, n);
	return nameset_see(s->known, span_of(file, n + 4));
}

static void
add_file(struct scan *s, const char *sub, const char *d_name)
{
	struct span file = span_str(arena_printf(s->mem, "%s/%s", sub, d_name));

	lview_add(
	    s->mem, s->v, maildir_named(s->mem, file, s->letters, &s->unknown));
}

/* A fresh descriptor: the offset of a shared one would be moved. */
static int
scan_dir(struct scan *s, int box, const char *sub, struct err *e)
{
	int fd = fs_open_dir(box, sub);
	DIR *d = fs_dirstream(fd);
	struct dirent *x;
	int sys;

	if (!d) {
		sys = errno;
		return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
		    SPAN_ARG(maildir_shown(s->path)), sub);
	}
	while ((errno = 0, x = readdir(d)) != NULL) {
		if (cancel_check(s->m->cancel, e) < 0) {
			closedir(d);
			return e->code;
		}
		s->m->seen_temp |= fs_is_temp(span_str(x->d_name));
		if (name_is_message(span_str(x->d_name)) &&
		    is_regular(dirfd(d), x) && !is_known(s, sub, x->d_name))
			add_file(s, sub, x->d_name);
	}
	sys = errno;
	closedir(d);
	if (sys)
		return err_sys(e, ERR_SCOPE_BOX, sys, "read '%.*s/%s'",
		    SPAN_ARG(maildir_shown(s->path)), sub);
	return 0;
}

/* Is FILE there (rule 4)?  *ino_r: its inode; 0: not known. */
static bool
still_there(int box, struct span file, uint64_t *ino_r)
{
	struct stat st;
	bool known = fstatat(box, file.p, &st, AT_SYMLINK_NOFOLLOW) == 0;

	*ino_r = known ? st.st_ino : 0;
	return known || errno != ENOENT;
}

/*
 * Rule 2, of A and B with one base.  The file that is not to count, or NULL.
 */
static struct lmsg *
which_is_not(int box, struct lmsg *a, struct lmsg *b)
{
	uint64_t ino_a, ino_b;

	if (!still_there(box, b->file, &ino_b))
		return b;
	if (!still_there(box, a->file, &ino_a))
		return a;
	/* between link() and unlink() it is in both */
	if (ino_a == 0 || ino_a != ino_b || a->file.p[0] == b->file.p[0])
		return NULL;
	return a->file.p[0] == 'n' ? a : b;
}

static void
drop_moved(struct lview *v, int box)
{
	struct map by_base;
	size_t n = 0;

	map_init(&by_base);
	for (size_t i = 0; i < v->n; i++) {
		uint64_t first;
		struct lmsg *gone;

		if (map_add(&by_base, v->v[i].base, i))
			continue;
		(void)map_get(&by_base, v->v[i].base, &first);
		gone = which_is_not(box, &v->v[first], &v->v[i]);
		if (!gone)
			continue;
		gone->file.n = 0;
		if (gone == &v->v[first])
			map_set(&by_base, v->v[i].base, i);
	}
	map_release(&by_base);
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].file.n)
			v->v[n++] = v->v[i];
	v->n = n;
}

static bool
same_files(
    const struct nameset *known, const struct lview *a, const struct lview *b)
{
	if (a->n != b->n || (known && !nameset_seen_alike(known)))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!span_eq(a->v[i].file, b->v[i].file))
			return false;
	return true;
}

/* One reading, with what rule 1 wants to know of it. */
static int
scan_once(struct scan *s, struct maildir_stamp *stamp_r, bool *settled_r,
    bool *equal_r, struct err *e)
{
	struct maildir_stamp before, after;
	const struct maildir_box *b;
	int rc;

	rc = maildir_stamp(s->m, s->path, &before, e);
	if (rc == 0)
		rc = maildir_whole_box(s->m, s->path, &b, e);
	if (rc < 0)
		return rc;
	*settled_r = maildir_stamp_settle(&before, s->m->cancel);
	s->unknown = 0;
	s->m->seen_temp = false;
	if (s->known)
		nameset_begin(s->known);
	rc = scan_dir(s, b->fd, "new", e);
	if (rc == 0)
		rc = scan_dir(s, b->fd, "cur", e);
	if (rc < 0)
		return rc;
	drop_moved(s->v, b->fd);
	rc = maildir_stamp(s->m, s->path, &after, e);
	if (rc < 0)
		return rc;
	*equal_r = maildir_stamp_eq(&before, &after);
	*stamp_r = *settled_r ? after : MAILDIR_STAMP_NONE;
	return 0;
}

static int
scan_stable(struct scan *s, struct maildir_stamp *stamp_r, struct err *e)
{
	struct lview last = {0};

	for (int i = 0; i < TRIES; i++) {
		bool settled, equal;
		int rc;

		*s->v = (struct lview){0};
		rc = scan_once(s, stamp_r, &settled, &equal, e);
		if (rc < 0)
			return rc;
		s->v->complete =
		    equal &&
		    (settled || (i > 0 && same_files(s->known, &last, s->v)));
		if (s->v->complete)
			return 0;
		last = *s->v;
	}
	return 0; /* others are busy: absence means nothing */
}

/* What there is of a mailbox that lacks cur/ or new/. */
static int
scan_damaged(struct scan *s, struct err *e)
{
	const struct maildir_box *b;

	s->v->damaged = true;
	s->known = NULL;
	if (maildir_box(s->m, s->path, &b, e) < 0) {
		if (e->code == ERR_STALE)
			err_clear(e);
		return e->code;
	}
	if (b->new >= 0 && scan_dir(s, b->fd, "new", e) < 0)
		return e->code;
	if (b->cur >= 0 && scan_dir(s, b->fd, "cur", e) < 0)
		return e->code;
	drop_moved(s->v, b->fd);
	maildir_forget_box(s->m);
	return 0;
}

int
maildir_scan_rest(struct maildir *m, struct span path,
    const struct kwletters *letters, struct nameset *known, struct arena *mem,
    struct lview *v_r, struct maildir_stamp *stamp_r, uint32_t *letters_seen_r,
    struct err *e)
{
	struct lview v = {0};
	struct scan s = {.m = m,
	    .path = path,
	    .letters = letters,
	    .mem = mem,
	    .v = &v,
	    .known = known};
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
	v.delta = known && !v.damaged;
	*v_r = v;
	*stamp_r = stamp;
	if (letters_seen_r)
		*letters_seen_r = s.unknown;
	return 0;
}

int
maildir_scan(struct maildir *m, struct span path,
    const struct kwletters *letters, struct arena *mem, struct lview *v_r,
    struct maildir_stamp *stamp_r, uint32_t *letters_seen_r, struct err *e)
{
	return maildir_scan_rest(
	    m, path, letters, NULL, mem, v_r, stamp_r, letters_seen_r, e);
}

int
maildir_drop_moved(
    struct maildir *m, struct span path, struct lview *v, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_box(m, path, &b, e) < 0)
		return e->code;
	drop_moved(v, b->fd);
	return 0;
}
