/*
 * Is the file what this program left behind?
 *
 * LMDB trusts its pages: damage in one ends the process that reads it.  So:
 *
 *  1. Beside the file stands its mark: size, time and inode as they were when
 *     it was last known to be sound.  While they agree, nothing is read.
 *  2. When they do not (a crash, a copy, a damaged disk, another program),
 *     a child process reads every page first.  If it comes to grief, the
 *     journal is damaged, and nothing was touched.  If it is stopped by
 *     somebody, or cannot open the file, nothing is known about it.  In a
 *     program with threads the child is this program executed anew: LMDB
 *     allocates, which the child of a fork() there must not.
 *  3. A journal that is only read gets no mark.
 *  4. A mark that could not be put there leaves its temporary file, and no
 *     mark: the run that looks at the pages removes it.  There is no mark
 *     before that is done.
 *  5. Only what has been committed gets a mark, and so is on the disk before
 *     it: without the file, or with an empty one, a mark means damage.
 */
#include "journal/internal.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "sound"
#define LOOK "mochila-journal-look" /* argv[0] of the child */
#define MARK_MAX 200

static bool
mark_of(int dir, struct buf *out)
{
	struct stat st;

	if (fstatat(dir, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	buf_addf(out, "size %lld time %lld.%09ld inode %llu\n",
	    (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
	return true;
}

static bool
is_marked(int dir)
{
	struct buf want, have;
	struct err e;
	bool same;

	buf_init(&want, MARK_MAX);
	buf_init(&have, 4 * MARK_MAX);
	same = mark_of(dir, &want) &&
	    fs_read_file(dir, MARK, MARK_MAX, &have, &e) == 0 &&
	    span_eq(buf_span(&want), buf_span(&have));
	buf_release(&want);
	buf_release(&have);
	return same;
}

bool
journal_has_mark(int dir)
{
	return faccessat(dir, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Without it the next run looks again: no reason to fail. */
void
journal_mark_sound(const struct journal *j)
{
	AUTO_FD dir = -1;
	struct buf mark;
	struct err e;

	if (!j->tables || j->litter) /* rules 5 and 4 */
		return;
	dir = fs_open_dir(AT_FDCWD, j->dir);
	if (dir < 0 || is_marked(dir))
		return;
	buf_init(&mark, MARK_MAX);
	if (mark_of(dir, &mark))
		(void)fs_replace(dir, MARK, 0600, mark.p, mark.n, &e);
	buf_release(&mark);
}

/* Every byte of every row of one table, and as many as it says. */
static int
read_table(MDB_txn *txn, MDB_dbi dbi)
{
	volatile unsigned char sum = 0;
	size_t left;
	MDB_stat st;
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_stat(txn, dbi, &st);

	if (rc == 0)
		rc = mdb_cursor_open(txn, dbi, &c);
	if (rc != 0)
		return rc;
	left = st.ms_entries;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		const unsigned char *p = k.mv_data, *q = v.mv_data;

		/* a tree with a loop in it has no end */
		if (left-- == 0)
			return MDB_CORRUPTED;
		for (size_t i = 0; i < k.mv_size; i++)
			sum = (unsigned char)(sum + p[i]);
		for (size_t i = 0; i < v.mv_size; i++)
			sum = (unsigned char)(sum + q[i]);
	}
	mdb_cursor_close(c);
	if (rc == MDB_NOTFOUND)
		rc = left == 0 ? 0 : MDB_CORRUPTED;
	return rc;
}

/*
 * In the child: all of LMDB's own tables, and ours.  A journal that is only
 * read may be written to meanwhile, so the child has to be known as a reader;
 * else the caller has the account's lock.
 */
static int
read_all(const struct journal *j, uint64_t map)
{
	unsigned lock = j->read_only ? 0 : MDB_NOLOCK;
	struct journal its = {0};
	MDB_txn *txn;
	MDB_dbi dbi;
	int rc = mdb_env_create(&its.env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(its.env, map);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(its.env, T_N);
	if (rc == 0)
		rc = mdb_env_open(its.env, j->dir, MDB_RDONLY | lock, 0600);
	if (rc == 0)
		rc = journal_begin_txn(&its, MDB_RDONLY, &txn);
	/* 0 and 1: what is free, and the table of tables */
	for (dbi = 0; dbi < 2 && rc == 0; dbi++)
		rc = read_table(txn, dbi);
	for (int i = 0; i < T_N && rc == 0; i++) {
		rc = mdb_dbi_open(txn, journal_table[i], 0, &dbi);
		if (rc == 0)
			rc = read_table(txn, dbi);
		else if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc;
}

/* What says nothing about the pages is left to the open that follows. */
static bool
is_damage(int rc)
{
	return rc < 0 && rc != MDB_VERSION_MISMATCH && rc != MDB_READERS_FULL &&
	    rc != MDB_MAP_RESIZED;
}

/*
 * How the child ends; anything else says nothing about the pages.  Sound is no
 * status that a program may end with by chance.
 */
enum { LOOK_DAMAGED = 1, LOOK_CANNOT = 2, LOOK_SOUND = 10 };

static _Noreturn void
be_the_child(const struct journal *j, uint64_t map)
{
	const struct rlimit none = {0, 0};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* It may well end badly: no core, no message, no handlers of ours. */
	(void)setrlimit(RLIMIT_CORE, &none);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	for (int s = 1; s < NSIG; s++) {
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		(void)sigaction(s, &dfl, NULL);
	}
	_exit(is_damage(read_all(j, map)) ? LOOK_DAMAGED : LOOK_SOUND);
}

bool
journal_is_look(int argc, char **argv)
{
	return argc > 0 && strcmp(argv[0], LOOK) == 0;
}

void
journal_look_main(int argc, char **argv)
{
	struct journal j = {0};
	uint64_t map;

	if (argc != 4 || !span_u64(span_str(argv[2]), &map))
		_exit(LOOK_CANNOT);
	j.dir = argv[1];
	j.read_only = strcmp(argv[3], "read") == 0;
	be_the_child(&j, map);
}

/* EXE, which is this program; the errno, or 0. */
static int
spawn_look(const struct journal *j, uint64_t map, pid_t *pid_r)
{
	AUTO_STR size = xasprintf("%llu", (unsigned long long)map);
	char name[] = LOOK, reads[] = "read", writes[] = "write";
	char *argv[] = {
	    name, j->dir, size, j->read_only ? reads : writes, NULL};
	posix_spawnattr_t at;
	sigset_t none;
	int sys = posix_spawnattr_init(&at);

	if (sys)
		return sys;
	(void)sigemptyset(&none);
	sys = posix_spawnattr_setsigmask(&at, &none);
	if (!sys)
		sys = posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK);
	if (!sys)
		sys = posix_spawn(pid_r, j->way.exe, NULL, &at, argv, environ);
	(void)posix_spawnattr_destroy(&at);
	return sys;
}

/* What the child PID says; a cancel ends it. */
static int
await(const struct journal *j, pid_t pid, int *status_r, struct err *e)
{
	/* -1 before Linux 5.3: then it is not ended before its time */
	AUTO_FD pidfd = pidfd_open(pid, 0);
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN},
	    {.fd = cancel_fd(j->way.cancel), .events = POLLIN}};
	bool canceled;

	while (pidfd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		;
	canceled = cancel_raised(j->way.cancel);
	if (canceled)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, status_r, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "waitpid");
	return canceled ? cancel_check(j->way.cancel, e) : 0;
}

/* A signal that a damaged page can bring about. */
static bool
is_fault(int sig)
{
	return sig == SIGBUS || sig == SIGSEGV || sig == SIGABRT ||
	    sig == SIGFPE || sig == SIGILL;
}

/* mtime of the file; 0: it is a copy that was given the times of the first. */
static int64_t
written_ns(int dir)
{
	struct stat st;
	int64_t ns;

	if (fstatat(dir, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	ns = clock_ns(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return fs_born_ns(dir, "data.mdb") > ns ? 0 : ns;
}

int
journal_check_sound(struct journal *j, int dir, uint64_t map, struct err *e)
{
	int status, sys = 0;
	pid_t pid;

	if (is_marked(dir)) {
		j->written_ns = written_ns(dir);
		return 0;
	}
	if (!j->read_only)
		j->litter = !fs_clean_temp(dir, NULL); /* rule 4 */
	if (j->way.exe) {
		sys = spawn_look(j, map, &pid);
	} else {
		pid = fork();
		if (pid == 0)
			be_the_child(j, map);
		if (pid < 0)
			sys = errno;
	}
	if (sys)
		return err_sys(e, ERR_SCOPE_ACCOUNT, sys,
		    "look at the journal '%s'", j->dir);
	if (await(j, pid, &status, e) < 0)
		return e->code;
	if (WIFSIGNALED(status) && !is_fault(WTERMSIG(status)))
		return err_set(e, ERR_CANCELED, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_LATER,
		    "the look at the journal '%s' was ended by signal %d",
		    j->dir, WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == LOOK_SOUND)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != LOOK_DAMAGED)
		return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_LATER,
		    "the look at the journal '%s' ended with status %d", j->dir,
		    WEXITSTATUS(status));
	return journal_damaged(j, "its pages cannot be read", e);
}
