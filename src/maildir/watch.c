/*
 * Watching a mailbox while we work there: was it changed by us alone?
 *
 * Whoever looked at a directory and then changed it would have to read it
 * again, for the new times do not say who else was there.  inotify does.
 *
 *  1. A watch begins before the times are compared with those of what was
 *     seen: what changed until then shows in the times, what changes from then
 *     on is an event.
 *  2. Each event has to be one that a change of ours explains, and each change
 *     of ours has to have its event: one to one, by directory, name, and
 *     whether the name came or went.  A change is noted once it is done
 *     (maildir_note); one that failed half-way is not, and what there is of it
 *     is then taken for another's.
 *  3. An event that nobody explains, a queue that ran over, a directory that
 *     was moved or removed, an event that never came: then nothing is said.
 *  4. At the end the order is: the new times; wait until their tick is over
 *     (stamp.c); look up a name in each directory; read the events.  The kernel
 *     changes names and times and then makes the event while it holds the
 *     directory's lock, and for looking up a name that it does not know it
 *     takes that lock, too.  So a change that began within the tick has its
 *     event in the queue by then, and a later one shows in other times.
 *  5. Where others can change the directory without this kernel (a network,
 *     FUSE, a file system that lies over another) nothing is watched.
 *
 * What cannot be watched is no error: it is read again, as ever.
 */
#include "maildir/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <unistd.h>

/* Changes of ours between two readings of the queue, which holds 16384. */
#define NOTES_MAX 512
#define EVENTS_OCTETS 65536

#define COMES (IN_CREATE | IN_MOVED_TO)
#define GOES (IN_DELETE | IN_MOVED_FROM)

struct watched {
	char *path; /* owned; NULL: no more */
	int cur, new;
	bool others; /* rule 3 */
	struct maildir_stamp seen;
};

struct maildir_watch {
	int fd;		   /* owned; -1: cannot be had */
	bool broken;	   /* events were lost: not for this run any more */
	struct watched *v; /* owned */
	size_t n, cap;
	struct map by_path; /* path -> index into v */
	struct map by_wd;   /* -> index into v */
	struct map due;	    /* what we did -> how many events are to come */
	struct arena mem;   /* keys of due */
	uint64_t ndue;
	unsigned notes;
};

static struct maildir_watch *
open_watch(void)
{
	struct maildir_watch *w = xcalloc(1, sizeof *w);

	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	map_init(&w->by_path);
	map_init(&w->by_wd);
	map_init(&w->due);
	arena_init(&w->mem);
	return w;
}

void
maildir_watch_free(struct maildir_watch **w)
{
	struct maildir_watch *x = *w;

	if (!x)
		return;
	if (x->fd >= 0)
		close(x->fd);
	for (size_t i = 0; i < x->n; i++)
		xfree(x->v[i].path);
	xfree(x->v);
	map_release(&x->by_path);
	map_release(&x->by_wd);
	map_release(&x->due);
	arena_release(&x->mem);
	xfree(x);
	*w = NULL;
}

static struct watched *
find(const struct maildir_watch *w, struct span path)
{
	uint64_t at;

	return w && map_get(&w->by_path, path, &at) ? &w->v[at] : NULL;
}

static void
remove_wd(struct maildir_watch *w, int wd)
{
	if (wd >= 0 && map_del_u64(&w->by_wd, (uint64_t)wd))
		(void)inotify_rm_watch(w->fd, wd);
}

static void
forget(struct maildir_watch *w, struct watched *x)
{
	if (!x)
		return;
	remove_wd(w, x->cur);
	remove_wd(w, x->new);
	map_del(&w->by_path, span_str(x->path));
	xfree(x->path);
	*x = (struct watched){.cur = -1, .new = -1};
}

/* The directory FD itself, whatever its path leads to by now. */
static int
add_wd(struct maildir_watch *w, int fd, size_t at)
{
	char path[32];
	uint64_t other;
	int wd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(w->fd, path,
	    COMES | GOES | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	if (wd < 0)
		return -1;
	/* one directory under two names: whose events are these? */
	if (map_get_u64(&w->by_wd, (uint64_t)wd, &other))
		return -1;
	map_set_u64(&w->by_wd, (uint64_t)wd, at);
	return wd;
}

bool
maildir_inodes_stay(const struct maildir *m)
{
	return fs_is_native(m->root);
}

static uint64_t
count_due(const struct map *due, struct span key)
{
	uint64_t n = 0;

	map_get(due, key, &n);
	return n;
}

/* What came or went: "WD+name". */
static struct span
event_key(char *buf, size_t size, int wd, bool comes, const char *name)
{
	int n = snprintf(buf, size, "%d%c%s", wd, comes ? '+' : '-', name);

	return span_of(buf, (size_t)n);
}

static void
take_event(struct maildir_watch *w, const struct inotify_event *ev)
{
	char buf[NAME_LEN_MAX + 32];
	uint64_t at, n;
	struct span key;

	if (ev->mask & IN_Q_OVERFLOW) {
		w->broken = true;
		return;
	}
	if (!map_get_u64(&w->by_wd, (uint64_t)ev->wd, &at))
		return; /* not watched any more */
	if (!(ev->mask & (COMES | GOES)) || (ev->mask & IN_ISDIR) ||
	    ev->len == 0) {
		w->v[at].others = true;
		return;
	}
	key = event_key(
	    buf, sizeof buf, ev->wd, (ev->mask & COMES) != 0, ev->name);
	n = key.n < sizeof buf ? count_due(&w->due, key) : 0;
	if (n == 0) {
		w->v[at].others = true;
		return;
	}
	map_set(&w->due, key, n - 1);
	w->ndue--;
}

/* All events that are there; rules 2 and 3. */
static void
drain(struct maildir_watch *w)
{
	AUTO_STR buf = xalloc(EVENTS_OCTETS);
	ssize_t n;

	while ((n = read(w->fd, buf, EVENTS_OCTETS)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		ssize_t at = 0;

		while (at < n) {
			const struct inotify_event *ev =
			    (const void *)(buf + at);

			take_event(w, ev);
			at += (ssize_t)(sizeof *ev + ev->len);
		}
	}
	if ((n < 0 && errno != EAGAIN) || w->ndue != 0)
		w->broken = true;
	w->ndue = 0;
	w->notes = 0;
	map_release(&w->due);
	arena_clear(&w->mem);
}

static void
note(struct maildir_watch *w, struct span path, struct span file, bool comes)
{
	struct watched *x = find(w, path);
	char buf[NAME_LEN_MAX + 32];
	struct span key;

	if (!x || file.n <= 4)
		return;
	AUTO_STR name = xstrndup(file.p + 4, file.n - 4);
	key = event_key(
	    buf, sizeof buf, file.p[0] == 'c' ? x->cur : x->new, comes, name);
	if (key.n >= sizeof buf) {
		x->others = true;
		return;
	}
	map_set(&w->due, arena_span(&w->mem, key), count_due(&w->due, key) + 1);
	w->ndue++;
	w->notes++;
}

void
maildir_note(struct maildir *m, struct span from, struct span went,
    struct span to, struct span came)
{
	struct maildir_watch *w = m->watch;

	if (!w || w->broken)
		return;
	note(w, from, went, false);
	note(w, to, came, true);
	/* not before both are known */
	if (w->notes >= NOTES_MAX)
		drain(w);
}

bool
maildir_watch(
    struct maildir *m, struct span path, const struct maildir_stamp *seen)
{
	const struct maildir_box *b;
	struct maildir_watch *w;
	struct maildir_stamp now;
	struct watched *x;
	struct err e;

	if (!m->watch)
		m->watch = open_watch();
	w = m->watch;
	forget(w, find(w, path));
	/* rule 5 */
	if (w->fd < 0 || w->broken || seen->cur_ino == 0 ||
	    maildir_whole_box(m, path, &b, &e) < 0 || !fs_is_native(b->cur) ||
	    !fs_is_native(b->new))
		return false;
	VEC_GROW(w->v, w->n, w->cap);
	x = &w->v[w->n];
	*x = (struct watched){.path = xstrndup(path.p, path.n),
	    .cur = add_wd(w, b->cur, w->n),
	    .new = add_wd(w, b->new, w->n),
	    .seen = *seen};
	map_set(&w->by_path, span_of(x->path, path.n), w->n);
	w->n++;
	/* rule 1 */
	if (x->cur < 0 || x->new < 0 || maildir_stamp(m, path, &now, &e) < 0 ||
	    !maildir_stamp_eq(&now, seen)) {
		forget(w, x);
		return false;
	}
	return true;
}

/* Rule 4: wait for who is at work in DIR now. */
static bool
look_up(int dir)
{
	struct stat st;
	uint64_t random;
	char name[32];

	/* a name that was never asked for: else the kernel knows the answer */
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return false;
	snprintf(
	    name, sizeof name, ".mochila-%016llx", (unsigned long long)random);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	       errno == ENOENT;
}

bool
maildir_watched(struct maildir *m, struct span path, const struct cancel *c,
    struct maildir_stamp *stamp_r)
{
	struct maildir_watch *w = m->watch;
	struct watched *x = find(w, path);
	const struct maildir_box *b;
	struct maildir_stamp now;
	struct err e;
	bool ours;

	if (!x)
		return false;
	ours = maildir_stamp(m, path, &now, &e) == 0 &&
	       now.cur_ino == x->seen.cur_ino &&
	       now.new_ino == x->seen.new_ino &&
	       maildir_stamp_settle(&now, c) &&
	       maildir_whole_box(m, path, &b, &e) == 0 && look_up(b->cur) &&
	       look_up(b->new);
	drain(w);
	ours = ours && !w->broken && !x->others;
	forget(w, x);
	if (ours)
		*stamp_r = now;
	return ours;
}
