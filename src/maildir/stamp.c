/*
 * Directory times as a sign that nothing changed.
 *
 *  1. A change within the tick of the clock that a stamp shows could not be
 *     seen later: the stamp counts only once that tick is over.
 *  2. The kernel stamps files with its coarse clock, so that is the one asked.
 */
#include "maildir/internal.h"

#include "base/cancel.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_MAX_MS 50
#define COARSE_S 2

int
maildir_stamp(struct maildir *m, struct span path, struct maildir_stamp *s_r,
    struct err *e)
{
	const struct maildir_box *b;
	struct stat cur, new;

	if (maildir_whole_box(m, path, &b, e) < 0)
		return e->code;
	if (fstat(b->cur, &cur) != 0 || fstat(b->new, &new) != 0)
		return err_sys(e, ERR_SCOPE_BOX, errno, "stat '%.*s'",
		    SPAN_ARG(maildir_shown(path)));
	/* No links left: removed, and perhaps made again, behind our back. */
	if (cur.st_nlink == 0 || new.st_nlink == 0) {
		maildir_forget_box(m);
		return err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "'%.*s' was removed", SPAN_ARG(maildir_shown(path)));
	}
	*s_r = (struct maildir_stamp){.cur_mtime_ns = maildir_mtime_ns(&cur),
	    .new_mtime_ns = maildir_mtime_ns(&new),
	    .cur_ino = cur.st_ino,
	    .new_ino = new.st_ino};
	return 0;
}

bool
maildir_stamp_eq(const struct maildir_stamp *a, const struct maildir_stamp *b)
{
	return a->cur_ino != 0 && a->cur_ino == b->cur_ino &&
	       a->new_ino == b->new_ino && a->cur_mtime_ns == b->cur_mtime_ns &&
	       a->new_mtime_ns == b->new_mtime_ns;
}

bool
maildir_is_another(struct maildir *m, struct span path,
    const struct maildir_stamp *was, int64_t recorded_ns)
{
	const struct maildir_box *b;
	struct maildir_stamp now;
	struct err e;

	if (recorded_ns == 0 || was->cur_ino == 0 || !maildir_inodes_stay(m) ||
	    maildir_stamp(m, path, &now, &e) < 0 ||
	    maildir_whole_box(m, path, &b, &e) < 0)
		return false;
	/* A number that became free is given to the next directory. */
	return now.cur_ino != was->cur_ino || now.new_ino != was->new_ino ||
	       fs_born_ns(b->cur, "") > recorded_ns ||
	       fs_born_ns(b->new, "") > recorded_ns;
}

static int64_t
coarse_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return clock_ns(t.tv_sec, t.tv_nsec);
}

bool
maildir_stamp_settle(const struct maildir_stamp *s, const struct cancel *c)
{
	int64_t last = s->cur_mtime_ns > s->new_mtime_ns ? s->cur_mtime_ns
							 : s->new_mtime_ns;
	struct err e;

	/* Whole seconds, twice: hardly chance. */
	if (s->cur_mtime_ns % 1000000000 == 0 &&
	    s->new_mtime_ns % 1000000000 == 0)
		return coarse_now_ns() - last > COARSE_S * 1000000000LL;
	for (int ms = 0; ms < WAIT_MAX_MS; ms++) {
		if (coarse_now_ns() > last)
			return true;
		if (cancel_wait(c, 1, &e) < 0)
			return false;
	}
	/* A time to come: the clock was put back, or is a server's. */
	return false;
}
