#include "maildir/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
maildir_disks_add_dir(
    struct maildir_disks *d, int dir, struct span path, struct err *e)
{
	struct stat st;
	int fd;

	if (d->singly)
		return 0;
	if (fstat(dir, &st) != 0) {
		err_sys(e, ERR_SCOPE_BOX, errno, "stat");
		return maildir_write_error(path, e);
	}
	for (unsigned i = 0; i < d->n; i++)
		if (d->dev[i] == st.st_dev)
			return 0;
	if (d->n == sizeof d->fd / sizeof *d->fd || !fs_is_native(dir)) {
		maildir_disks_release(d);
		d->singly = true;
		return 0;
	}
	fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		err_sys(e, ERR_SCOPE_BOX, errno, "dup");
		return maildir_write_error(path, e);
	}
	d->fd[d->n] = fd;
	d->dev[d->n++] = st.st_dev;
	return 0;
}

int
maildir_disks_add(
    struct maildir_disks *d, struct maildir *m, struct span path, struct err *e)
{
	const struct maildir_box *b;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	return maildir_disks_add_dir(d, b->new, path, e);
}

int
maildir_disks_sync(const struct maildir_disks *d, struct err *e)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (syncfs(d->fd[i]) == 0)
			continue;
		err_sys(e, ERR_SCOPE_BOX, errno, "syncfs");
		/* as maildir_write_error(), of no mailbox alone */
		if (e->code == ERR_FULL)
			e->scope = ERR_SCOPE_ACCOUNT;
		return err_wrap(e, "the Maildir");
	}
	return 0;
}

void
maildir_disks_release(struct maildir_disks *d)
{
	for (unsigned i = 0; i < d->n; i++)
		close(d->fd[i]);
	d->n = 0;
}
