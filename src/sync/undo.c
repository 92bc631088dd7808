/*
 * undo: the bin of one run, put back or thrown away; and which runs have one.
 *
 * What comes back is a new file for the next sync, which uploads it again
 * (or pairs it, should the server have it once more).
 */
#include "sync/internal.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_NAME_MIN 17 /* "20261123-084559-1" */
#define BIN_DEPTH 80
#define DAY 86400

/* "20261123-084559-1a2b": a run id, and nothing that leaves the bin. */
static bool
run_name_ok(struct span s)
{
	if (s.n < RUN_NAME_MIN || s.n > 39)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool digit = c >= '0' && c <= '9';

		if (i == 8 || i == 15 ? c != '-'
		    : i < 15	      ? !digit
				      : !digit && (c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

/* STATE/bin; -1: there is none. */
static int
open_bin(const struct config_account *a)
{
	AUTO_FD state = fs_open_dir(AT_FDCWD, a->state_dir);

	return state < 0 ? -1 : fs_open_dir(state, "bin");
}

static int
open_run(
    const struct config_account *a, const char *run, int *fd_r, struct err *e)
{
	AUTO_FD bin = open_bin(a);

	if (!run_name_ok(span_str(run)))
		return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "'%s' is no run; runs look like "
		    "20261123-084559-1a2b",
		    run);
	*fd_r = bin < 0 ? -1 : fs_open_dir(bin, run);
	if (*fd_r < 0)
		return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "account '%s' has no run '%s' in its bin (%s/bin)", a->name,
		    run, a->state_dir);
	return 0;
}

int
sync_undo(const struct config_account *a, const char *run,
    const struct cancel *cancel, struct maildir_unbinned *n_r, struct err *e)
{
	AUTO(journal_lock) lock = NULL;
	AUTO(maildir) m = NULL;
	AUTO_FD fd = -1;
	int rc;

	rc = open_run(a, run, &fd, e);
	if (rc == 0)
		rc = cancel_check(cancel, e);
	if (rc == 0)
		rc = journal_lock(a->state_dir, &lock, e);
	if (rc == 0)
		rc = maildir_open(&m, a->maildir, a->layout, e);
	if (rc == 0) {
		maildir_set_cancel(m, cancel);
		rc = maildir_unbin(m, fd, n_r, e);
	}
	return rc;
}

/*
 * Messages below DIRFD/NAME.  *any_r: there are directories of a mailbox, which
 * are gone once it has been put back (maildir/unbin.c).
 */
static uint64_t
count_below(
    int dirfd, const char *name, int depth, bool mail, bool *any_r)
{
	int fd = depth > BIN_DEPTH ? -1 : fs_open_dir(dirfd, name);
	DIR *dir = fs_dirstream(fd);
	uint64_t n = 0;
	struct dirent *d;
	struct stat st;

	while (dir && (d = readdir(dir)) != NULL) {
		bool box = strcmp(d->d_name, "cur") == 0 ||
			   strcmp(d->d_name, "new") == 0;

		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			*any_r |= box;
			n += count_below(fd, d->d_name, depth + 1, box, any_r);
		} else {
			n += mail && d->d_name[0] != '.';
		}
	}
	if (dir)
		closedir(dir);
	return n;
}

static int
by_run(const void *a, const void *b)
{
	return span_cmp(((const struct sync_bin *)a)->run,
	    ((const struct sync_bin *)b)->run);
}

int
sync_bins(const struct config_account *a, struct arena *mem,
    struct sync_bin **v_r, size_t *n_r, struct err *e)
{
	int fd = open_bin(a);
	struct sync_bin *v = NULL;
	size_t n = 0, cap = 0;
	struct dirent *d;
	DIR *dir;

	*v_r = NULL;
	*n_r = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	dir = fs_dirstream(fd);
	if (!dir)
		return err_sys(
		    e, ERR_SCOPE_ACCOUNT, errno, "read '%s/bin'", a->state_dir);
	while ((d = readdir(dir)) != NULL) {
		struct sync_bin one = {.run = span_str(d->d_name)};
		bool any = false;

		if (!run_name_ok(one.run))
			continue;
		one.messages = count_below(fd, d->d_name, 0, false, &any);
		if (!any)
			continue;
		one.run = arena_span(mem, one.run);
		v = arena_grow(mem, v, n, &cap, sizeof *v);
		v[n++] = one;
	}
	closedir(dir);
	if (n > 0)
		qsort(v, n, sizeof *v, by_run);
	*v_r = v;
	*n_r = n;
	return 0;
}

/* rm -r below DIRFD, without following anything; CANCEL leaves the rest. */
static int
remove_tree(
    int dirfd, const char *name, int depth, const struct cancel *cancel)
{
	int fd, rc = 0;
	struct dirent *d;
	DIR *dir;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EISDIR && errno != EPERM) || depth > BIN_DEPTH)
		return -1;
	fd = fs_open_dir(dirfd, name);
	dir = fs_dirstream(fd);
	if (!dir)
		return -1;
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		rc = cancel_raised(cancel)
		    ? -1
		    : remove_tree(fd, d->d_name, depth + 1, cancel);
	}
	closedir(dir);
	return rc == 0 ? unlinkat(dirfd, name, AT_REMOVEDIR) : rc;
}

/* Copies into the bin that were cut off; what else is there stays. */
static void
clean_tree(int dirfd, const char *name, int depth)
{
	int fd = depth > BIN_DEPTH ? -1 : fs_open_dir(dirfd, name);
	DIR *dir = fs_dirstream(fd);
	struct dirent *d;
	struct stat st;

	if (!dir)
		return;
	(void)fs_clean_temp(fd, NULL);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' &&
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			clean_tree(fd, d->d_name, depth + 1);
	closedir(dir);
}

/* Is what goes into the bin FD copied there, and not renamed? */
static bool
is_elsewhere(const struct config_account *a, int fd)
{
	struct stat bin, mail;

	return fstat(fd, &bin) == 0 && stat(a->maildir, &mail) == 0 &&
	       bin.st_dev != mail.st_dev;
}

int
bin_expire(const struct config_account *a, int64_t now,
    const struct cancel *cancel, uint32_t *n_r, struct err *e)
{
	int fd = open_bin(a);
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	*n_r = 0;
	if (fd < 0)
		return 0;
	dir = fs_dirstream(fd);
	if (!dir)
		return err_sys(
		    e, ERR_SCOPE_BOX, errno, "read '%s/bin'", a->state_dir);
	while (rc == 0 && !cancel_raised(cancel) &&
	       (d = readdir(dir)) != NULL) {
		struct stat st;

		/* the directory was last written during its run */
		if (!run_name_ok(span_str(d->d_name)) ||
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (st.st_mtime > now - (int64_t)a->bin_days * DAY) {
			if (is_elsewhere(a, fd))
				clean_tree(fd, d->d_name, 0);
			continue;
		}
		if (remove_tree(fd, d->d_name, 0, cancel) == 0)
			(*n_r)++;
		else if (!cancel_raised(cancel))
			rc = err_sys(e, ERR_SCOPE_BOX, errno,
			    "remove '%s/bin/%s'", a->state_dir, d->d_name);
	}
	closedir(dir);
	return rc;
}
