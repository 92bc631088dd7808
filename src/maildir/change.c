#include "maildir/internal.h"

#include <errno.h>
#include <unistd.h>

/* Directories of up to so many mailboxes are fsynced one by one. */
#define FSYNC_MAX 2
/* The same of files. */
#define FSYNC_FILES_MAX 4

struct span
maildir_place(struct arena *mem, const struct maildir_box *b, struct span name,
    struct flags f, const struct kwletters *letters, bool in_new,
    struct flags *shown_r, int *dir_r)
{
	name = name_with_flags(mem, name, f, letters, in_new, shown_r);
	/* What shows anything has been seen by somebody: cur/. */
	in_new = in_new && flags_empty(*shown_r);
	*dir_r = in_new ? b->new : b->cur;
	return span_str(arena_printf(
	    mem, "%s/%.*s", in_new ? "new" : "cur", SPAN_ARG(name)));
}

int
maildir_set_flags(struct maildir *m, struct arena *mem, struct span path,
    struct span file, struct flags f, const struct kwletters *letters,
    struct flags *shown_r, struct span *file_r, struct err *e)
{
	struct lmsg msg;
	int rc;

	rc = maildir_move_to(
	    m, mem, path, file, path, f, letters, shown_r, &msg, e);
	if (rc == 0)
		*file_r = msg.file;
	return rc;
}

int
maildir_sync(struct maildir *m, struct span path, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	if (fs_fsync_dir(b->new) != 0 || fs_fsync_dir(b->cur) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "fsync '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	return 0;
}

int
maildir_sync_many(
    struct maildir *m, const struct span *path, size_t n, struct err *e)
{
	struct maildir_disks disks = {.singly = n <= FSYNC_MAX};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0 && !disks.singly; i++)
		rc = maildir_disks_add(&disks, m, path[i], e);
	for (size_t i = 0; i < n && rc == 0 && disks.singly; i++)
		rc = maildir_sync(m, path[i], e);
	if (rc == 0)
		rc = maildir_disks_sync(&disks, e);
	maildir_disks_release(&disks);
	return rc;
}

static int
sync_file(struct maildir *m, const struct maildir_name *x, struct err *e)
{
	AUTO_FD fd = -1;
	struct arena mem;
	const char *name;
	int dir, rc;

	arena_init(&mem);
	rc = maildir_file(m, x->path, x->file, &dir, &name, &mem, e);
	if (rc == 0) {
		fd = fs_open_read(dir, name);
		if ((fd < 0 && errno != ENOENT) || (fd >= 0 && fsync(fd) != 0))
			rc = err_sys(e, ERR_SCOPE_BOX, errno,
			    "fsync '%.*s/%.*s'",
			    SPAN_ARG(maildir_shown(x->path)),
			    SPAN_ARG(x->file));
	}
	arena_release(&mem);
	return rc;
}

int
maildir_sync_files(struct maildir *m, const struct maildir_name *v, size_t n,
    struct err *e)
{
	struct maildir_disks disks = {.singly = n <= FSYNC_FILES_MAX};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0 && !disks.singly; i++) {
		if (i > 0 && span_eq(v[i].path, v[i - 1].path))
			continue;
		rc = maildir_disks_add(&disks, m, v[i].path, e);
		rc = rc == ERR_STALE ? 0 : rc;
	}
	for (size_t i = 0; i < n && rc == 0 && disks.singly; i++) {
		rc = sync_file(m, &v[i], e);
		rc = rc == ERR_STALE ? 0 : rc;
	}
	if (rc == 0)
		rc = maildir_disks_sync(&disks, e);
	maildir_disks_release(&disks);
	return rc;
}
