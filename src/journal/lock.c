/*
 * Two locks of one file:
 *  1. byte 0, of the process: F_GETLK tells others who has it.
 *  2. byte 1, of the descriptor: it stands also between threads, should two
 *     accounts have one state directory by ways that the configuration cannot
 *     see (a bind mount), and does not go when another descriptor of the file
 *     is closed.
 * Both go with the process, however it ends.
 */
#include "journal/internal.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal_lock {
	int fd;
};

static int
take(int fd)
{
	struct flock process = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct flock own = process;

	own.l_start = 1;
	if (fcntl(fd, F_SETLK, &process) != 0)
		return -1;
#ifdef F_OFD_SETLK
	if (fcntl(fd, F_OFD_SETLK, &own) != 0 && errno != EINVAL)
		return -1;
#endif
	return 0;
}

int
journal_lock(const char *state_dir, struct journal_lock **l_r, struct err *e)
{
	AUTO_STR path = xasprintf("%s/lock", state_dir);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	AUTO_FD fd = -1;

	if (fs_mkdirs(AT_FDCWD, state_dir, 0700, e) < 0) {
		e->scope = ERR_SCOPE_ACCOUNT;
		return err_wrap(e, "state directory '%s'", state_dir);
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "open '%s'", path);
	if (take(fd) != 0) {
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(e, ERR_SCOPE_ACCOUNT, errno,
			    "lock '%s'", path);
		if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
		    lock.l_pid > 0)
			return err_set(e, ERR_LOCKED, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_LATER,
			    "another run (pid %ld) is at work on it",
			    (long)lock.l_pid);
		return err_set(e, ERR_LOCKED, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_LATER, "another run is at work on it");
	}
	*l_r = xcalloc(1, sizeof **l_r);
	(*l_r)->fd = fd;
	fd = -1;
	return 0;
}

void
journal_lock_note(struct journal_lock *l, bool on)
{
	if (on)
		(void)!pwrite(l->fd, "sending\n", 8, 0);
	else
		(void)!ftruncate(l->fd, 0);
}

bool
journal_lock_noted(const struct journal_lock *l, int64_t *since_r)
{
	struct stat st;

	if (fstat(l->fd, &st) != 0 || st.st_size == 0)
		return false;
	*since_r = st.st_mtime;
	return true;
}

void
journal_lock_free(struct journal_lock **l)
{
	if (!*l)
		return;
	close((*l)->fd);
	xfree(*l);
	*l = NULL;
}
