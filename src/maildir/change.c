#include "maildir/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
maildir_rename_file(
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
	const struct maildir_box *b;
	struct flags shown;
	struct span to;
	const char *name;
	int dir, todir, rc;

	rc = maildir_file(m, path, file, &dir, &name, mem, e);
	if (rc == 0)
		rc = maildir_whole_box(m, path, &b, e);
	if (rc < 0)
		return rc;
	to = maildir_place(mem, b, span_str(name), f, letters, file.p[0] == 'n',
	    &shown, &todir);
	rc = maildir_rename_file(dir, name, todir, to.p + 4, e);
	if (rc < 0)
		return rc;
	*shown_r = shown;
	*file_r = to;
	return 0;
}

int
maildir_sync(struct maildir *m, struct span path, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	if (fsync(b->new) != 0 || fsync(b->cur) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "fsync '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	return 0;
}
