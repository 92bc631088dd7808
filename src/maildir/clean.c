/*
 * What a run that was cut off left in tmp/, beside the keywords, and, where a
 * message was moved from another file system, in cur/ and new/.
 *
 * A file is ours when its name says so: our tag, the form of name_make(), and
 * the whole name of this machine behind it.  A Maildir may be shared with
 * other machines, so "ends in our name" would not do.  The caller holds the
 * account's lock and delivers nothing now: whatever is ours is left over.
 */
#include "maildir/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CUT_LEN 190 /* only names that long can have lost some of the host */

/* What stands behind the second dot, where name_make() has the host. */
static struct span
host_of(struct span base)
{
	for (int dots = 0; dots < 2; dots++) {
		size_t n = span_index(base, '.');

		n += n < base.n;
		base = span_of(base.p + n, base.n - n);
	}
	return base;
}

static bool
is_our_tmp(struct span name, struct span host)
{
	struct span base, theirs;

	if (!span_starts(name, SPAN(MAILDIR_TMP_TAG)))
		return false;
	base = span_of(
	    name.p + strlen(MAILDIR_TMP_TAG), name.n - strlen(MAILDIR_TMP_TAG));
	theirs = host_of(base);
	return span_eq(theirs, host) ||
	       (base.n >= CUT_LEN && theirs.n > 0 && span_starts(host, theirs));
}

/* In tmp/, which is DIR. */
static bool
clean_deliveries(const struct maildir *m, DIR *dir, uint32_t *n)
{
	struct arena mem;
	struct span host;
	struct dirent *x;
	bool all = true;

	arena_init(&mem);
	/* as it is spelled in names */
	host = host_of(name_make(&mem, 0, 0, 0, 0, span_str(m->host)));
	while ((errno = 0, x = readdir(dir)) != NULL) {
		if (!is_our_tmp(span_str(x->d_name), host))
			continue;
		if (unlinkat(dirfd(dir), x->d_name, 0) == 0)
			++*n;
		else
			all = false;
	}
	all &= errno == 0;
	arena_release(&mem);
	return all;
}

int
maildir_clean_tmp(struct maildir *m, struct span path, uint32_t *n_r,
    bool *all_r, struct err *e)
{
	const struct maildir_box *b;
	DIR *d;
	int fd;

	*n_r = 0;
	if (maildir_box(m, path, &b, e) < 0)
		return e->code;
	*all_r = fs_clean_temp(b->fd, n_r);
	if (m->seen_temp && b->cur >= 0)
		*all_r &= fs_clean_temp(b->cur, n_r);
	if (m->seen_temp && b->new >= 0)
		*all_r &= fs_clean_temp(b->new, n_r);
	m->seen_temp = false;
	fd = fs_open_dir(b->fd, "tmp");
	d = fs_dirstream(fd);
	if (!d) {
		*all_r &= errno == ENOENT; /* no tmp/: none there */
		return 0;
	}
	/* what was begun (open.c) and has been made by others since */
	if (b->cur >= 0)
		(void)unlinkat(fd, MAILDIR_CUR_TO_BE, AT_REMOVEDIR);
	*all_r &= clean_deliveries(m, d, n_r);
	closedir(d);
	return 0;
}
