/*
 * Is the file what this program left behind?
 *
 * LMDB trusts its pages: damage in one ends the process that reads it.  So:
 *
 *  1. Beside the file stands its mark: size, time and inode as they were when
 *     it was last known to be sound.  While they agree, nothing is read.
 *  2. When they do not (a crash, a copy, a damaged disk, another program),
 *     a child process reads every page first.  If it comes to grief, the
 *     journal is damaged, and nothing was touched.
 *  3. A journal that is only read gets no mark.
 */
#include "journal/internal.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "sound"
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

/* Without it the next run looks again: no reason to fail. */
void
journal_mark_sound(const struct journal *j)
{
	AUTO_FD dir = fs_open_dir(AT_FDCWD, j->dir);
	struct buf mark;
	struct err e;

	if (dir < 0 || is_marked(dir))
		return;
	buf_init(&mark, MARK_MAX);
	if (mark_of(dir, &mark))
		(void)fs_replace(dir, MARK, 0600, mark.p, mark.n, &e);
	buf_release(&mark);
}

/* Every byte of every row of one table. */
static int
read_table(MDB_txn *txn, MDB_dbi dbi)
{
	volatile unsigned char sum = 0;
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, dbi, &c);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		const unsigned char *p = k.mv_data, *q = v.mv_data;

		for (size_t i = 0; i < k.mv_size; i++)
			sum = (unsigned char)(sum + p[i]);
		for (size_t i = 0; i < v.mv_size; i++)
			sum = (unsigned char)(sum + q[i]);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* In the child: all of LMDB's own tables, and ours. */
static int
read_all(const char *path, uint64_t map)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	int rc;

	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, map) != 0 ||
	    mdb_env_set_maxdbs(env, T_N) != 0 ||
	    mdb_env_open(env, path, MDB_RDONLY | MDB_NOLOCK, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return 1;
	/* 0 and 1: what is free, and the table of tables */
	if (read_table(txn, 0) != 0 || read_table(txn, 1) != 0)
		return 1;
	for (int i = 0; i < T_N; i++) {
		rc = mdb_dbi_open(txn, journal_table[i], 0, &dbi);
		if (rc == 0)
			rc = read_table(txn, dbi);
		if (rc != 0 && rc != MDB_NOTFOUND)
			return 1;
	}
	return 0;
}

static void
be_the_child(const char *path, uint64_t map)
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
	_exit(read_all(path, map));
}

int
journal_check_sound(const struct journal *j, int dir, uint64_t map,
    struct err *e)
{
	int status;
	pid_t pid;

	if (is_marked(dir))
		return 0;
	/* No thread has been started yet: the name lookup comes later. */
	pid = fork();
	if (pid == 0)
		be_the_child(j->dir, map);
	if (pid < 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "fork");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return journal_damaged(j, "its pages cannot be read", e);
	return 0;
}
