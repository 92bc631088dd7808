/*
 * Rules of this file:
 *  1. Nothing is mapped that has not been looked at: a file without the pages
 *     that its header leads to would end the program with SIGBUS.
 *  2. The file is looked at, and closed, before LMDB opens it: closing any
 *     descriptor of it later would drop LMDB's locks (fcntl(2)).
 *  3. Opening an existing journal writes nothing, unless it is of an older
 *     format and opened to be written to.
 *  4. Nor does LMDB write through its map of the readers before that has its
 *     place on the disk: a full one would end the program with SIGBUS, too.
 */
#include "journal/internal.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_SIZE ((uint64_t)1 << (sizeof(void *) > 4 ? 30 : 27))

/* Of lock.mdb: LMDB's 126 readers of 64 octets each, and what is before them. */
#define READERS_SIZE 8192

const char *const journal_table[T_N] = {
    "meta", "mailbox", "count", "pair", "keyword", "hold", "size"};

int
journal_damaged(const struct journal *j, const char *what, struct err *e)
{
	return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "the journal '%s' is damaged (%s); nothing was changed; remove "
	    "that directory and run sync again: it is rebuilt from both sides, "
	    "and no mail is lost",
	    j->dir, what);
}

int
journal_mdb_error(const struct journal *j, int rc, const char *what,
    struct err *e)
{
	if (rc > 0) {
		err_sys(e, ERR_SCOPE_ACCOUNT, rc, "journal '%s': %s", j->dir,
		    what);
		return e->code;
	}
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_CURSOR_FULL: /* deeper than any tree can be */
	case MDB_INCOMPATIBLE:
		return journal_damaged(j, mdb_strerror(rc), e);
	case MDB_VERSION_MISMATCH:
		return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    "the journal '%s' was made with another version of LMDB; "
		    "use that, or remove the directory and run sync again: it "
		    "is rebuilt from both sides, and no mail is lost",
		    j->dir);
	default:
		return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_LATER, "journal '%s': %s: %s", j->dir, what,
		    mdb_strerror(rc));
	}
}

/* The fields of an LMDB 0.9 meta page that matter here (lmdb's mdb.c). */
struct meta_page {
	char page_header[sizeof(size_t) + 8];
	uint32_t magic, version;
	void *address;
	size_t map_size;
	struct {
		uint32_t page_size; /* in the first of the two */
		uint16_t flags, depth;
		size_t pages[4], root;
	} db[2];
	size_t last_page, txn;
};

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1

static bool
read_meta(int fd, off_t at, struct meta_page *m)
{
	return pread(fd, m, sizeof *m, at) == (ssize_t)sizeof *m &&
	    m->magic == META_MAGIC && m->version == META_VERSION;
}

static bool
sane_page_size(uint32_t n)
{
	return n >= 512 && n <= 65536 && (n & (n - 1)) == 0;
}

/*
 * LMDB begins a file by writing both headers at once, with the number of no
 * transaction in them.  When that was cut short nothing has ever been in it.
 */
static bool
is_unborn(const struct meta_page *first, uint64_t size)
{
	return first->txn == 0 && size < 2 * (uint64_t)first->db[0].page_size;
}

/*
 * Rule 1.  *map_r: what the file needs.  *empty_r: it is not there, or has
 * come no further than its creation, and there is nothing in it.
 */
static int
look(const struct journal *j, int dir, uint64_t *map_r, bool *empty_r,
    struct err *e)
{
	AUTO_FD fd = openat(dir, "data.mdb",
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct meta_page a, b, *m = NULL;
	uint64_t size, page;
	struct stat st;

	*map_r = MAP_SIZE;
	*empty_r = true;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(e, ERR_SCOPE_ACCOUNT, errno,
		    "journal '%s': open", j->dir);
	if (st.st_size == 0)
		return 0;
	if (read_meta(fd, 0, &a) && sane_page_size(a.db[0].page_size))
		m = &a;
	size = (uint64_t)st.st_size;
	if (m && is_unborn(m, size))
		return 0;
	*empty_r = false;
	/* The second one lies a page further on, whose size the first says. */
	if (m && read_meta(fd, (off_t)a.db[0].page_size, &b) &&
	    b.txn > a.txn)
		m = &b;
	if (!m)
		return journal_damaged(j, "no valid header", e);
	if (!sane_page_size(m->db[0].page_size) ||
	    m->last_page > UINT64_MAX / 65536 - 1)
		return journal_damaged(j, "no valid header", e);
	page = m->db[0].page_size;
	/*
	 * Pages at the end that a transaction took and gave back are counted
	 * but never written, so whole ones may be missing.  If any of them is
	 * in use, journal_check_sound() comes upon it.
	 */
	if (size < 2 * page ||
	    (size < (m->last_page + 1) * page && size % page))
		return journal_damaged(j, "shorter than its header says", e);
	if (m->map_size > *map_r)
		*map_r = m->map_size;
	return 0;
}

static int
refuse_network(const struct journal *j, int dir, struct err *e)
{
	const char *type = fs_network_type(dir);

	if (!type)
		return 0;
	return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "the journal '%s' would lie on a network file system (%s), where "
	    "its memory map and locks do not hold; set state_dir to a "
	    "directory on a local disk",
	    j->dir, type);
}

/*
 * Rule 4, unless there is a lock.mdb that has been in use.  What else stands in
 * the way is LMDB's to say.
 */
static int
reserve_readers(const struct journal *j, int dir, struct err *e)
{
	AUTO_FD fd = -1;
	struct stat st;

	if (fstatat(dir, "lock.mdb", &st, 0) == 0 &&
	    st.st_size >= READERS_SIZE && st.st_blocks > 0)
		return 0;
	fd = openat(dir, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, READERS_SIZE) == 0 ||
	    (errno != ENOSPC && errno != EDQUOT))
		return 0;
	return err_sys(e, ERR_SCOPE_ACCOUNT, errno, "journal '%s': lock.mdb",
	    j->dir);
}

int
journal_begin_txn(struct journal *j, unsigned flags, MDB_txn **txn_r)
{
	int rc;

	if (j->unmapped)
		return j->unmapped;
	rc = mdb_txn_begin(j->env, NULL, flags, txn_r);
	if (rc != MDB_MAP_RESIZED)
		return rc;
	j->unmapped = mdb_env_set_mapsize(j->env, 0);
	return j->unmapped ? j->unmapped
			   : mdb_txn_begin(j->env, NULL, flags, txn_r);
}

/*
 * Make the map anew, FACTOR times as large.  LMDB gives up the old one first,
 * and asked for anything while it has none, it ends the program.
 */
static int
remap(struct journal *j, size_t factor)
{
	MDB_envinfo info;
	int rc;

	if (j->unmapped)
		return j->unmapped;
	rc = mdb_env_info(j->env, &info);
	if (rc != 0)
		return rc;
	if (info.me_mapsize > SIZE_MAX / factor)
		return MDB_MAP_FULL;
	j->unmapped = mdb_env_set_mapsize(j->env, info.me_mapsize * factor);
	return j->unmapped;
}

int
journal_fresh_map(struct journal *j)
{
	if (j->touched < JOURNAL_TOUCHED || j->walks > 0)
		return 0;
	j->touched = 0;
	/* No transaction is open: each other one ends where it began. */
	return remap(j, 1);
}

int
journal_grow(struct journal *j)
{
	return remap(j, 2);
}

int
journal_open_tables(struct journal *j, MDB_txn *txn, bool create)
{
	for (int i = 0; i < T_N; i++) {
		int rc;

		if (i == T_SIZE && j->format < 2)
			continue;
		rc = mdb_dbi_open(txn, journal_table[i],
		    create ? MDB_CREATE : 0, &j->dbi[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Before any other table: those of another format may be others. */
static int
read_format(struct journal *j, MDB_txn *txn, struct err *e)
{
	MDB_val key = journal_val(SPAN("format")), v;
	uint64_t n;
	int rc = mdb_get(txn, j->dbi[T_META], &key, &v);

	if (rc != 0 || !codec_get_u64(journal_span(v), &n) || n == 0)
		return journal_damaged(j, "no format number", e);
	if (n > JOURNAL_FORMAT)
		return err_set(e, ERR_JOURNAL, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    "the journal '%s' was made by a newer mochila (format "
		    "%llu); nothing was changed; use that one, or remove the "
		    "directory and run sync again: it is rebuilt from both "
		    "sides, and no mail is lost",
		    j->dir, (unsigned long long)n);
	j->format = n;
	return 0;
}

static int
read_numbers(struct journal *j, MDB_txn *txn, struct err *e)
{
	MDB_val key = journal_val(SPAN("next-box")), v;
	MDB_stat st;
	int rc = mdb_get(txn, j->dbi[T_META], &key, &v);

	if (rc != 0 || !codec_get_u64(journal_span(v), &j->next_box))
		return journal_damaged(j, "no mailbox number", e);
	key = journal_val(SPAN("left-out"));
	rc = mdb_get(txn, j->dbi[T_META], &key, &v);
	if (rc != MDB_NOTFOUND &&
	    (rc != 0 || !codec_get_u64(journal_span(v), &j->left_out)))
		return journal_damaged(j, "what was left out is no number", e);
	rc = mdb_stat(txn, j->dbi[T_KEYWORD], &st);
	if (rc != 0)
		return journal_mdb_error(j, rc, "stat", e);
	j->keywords = (uint32_t)st.ms_entries;
	return 0;
}

/* A cut before the first commit leaves nothing at all. */
static int
expect_empty(const struct journal *j, MDB_txn *txn, struct err *e)
{
	MDB_stat st;
	MDB_dbi all;
	int rc = mdb_dbi_open(txn, NULL, 0, &all);

	if (rc == 0)
		rc = mdb_stat(txn, all, &st);
	if (rc != 0)
		return journal_mdb_error(j, rc, "open tables", e);
	if (st.ms_entries > 0)
		return journal_damaged(j, "no format number", e);
	return 0;
}

/* *found_r: the handles are to be kept. */
static int
look_into(struct journal *j, MDB_txn *txn, bool *found_r, struct err *e)
{
	int rc = mdb_dbi_open(txn, journal_table[T_META], 0, &j->dbi[T_META]);

	*found_r = false;
	if (rc == MDB_NOTFOUND)
		return expect_empty(j, txn, e);
	if (rc != 0)
		return journal_mdb_error(j, rc, "open tables", e);
	rc = read_format(j, txn, e);
	if (rc != 0)
		return rc;
	rc = journal_open_tables(j, txn, false);
	if (rc == MDB_NOTFOUND)
		return journal_damaged(j, "a table is missing", e);
	if (rc != 0)
		return journal_mdb_error(j, rc, "open tables", e);
	rc = read_numbers(j, txn, e);
	*found_r = rc == 0;
	return rc;
}

/* Rule 3: handles that stay valid come from a reading transaction. */
static int
find_tables(struct journal *j, struct err *e)
{
	MDB_txn *txn = NULL;
	bool found;
	int rc = journal_begin_txn(j, MDB_RDONLY, &txn);

	if (rc != 0)
		return journal_mdb_error(j, rc, "begin", e);
	rc = look_into(j, txn, &found, e);
	if (!found) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	if (rc != 0)
		return journal_mdb_error(j, rc, "open tables", e);
	j->tables = true;
	return 0;
}

/*
 * LMDB opens the file without O_CLOEXEC.  What a password command leaves behind,
 * as an agent, would keep it open, and could write to it.
 */
static void
close_on_exec(MDB_env *env)
{
	int fd;

	if (mdb_env_get_fd(env, &fd) == 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int
open_env(struct journal *j, uint64_t map, struct err *e)
{
	int dead, rc = mdb_env_create(&j->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(j->env, map);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(j->env, T_N);
	if (rc == 0)
		rc = mdb_env_open(j->env, j->dir,
		    j->read_only ? MDB_RDONLY : 0, 0600);
	if (rc != 0)
		return journal_mdb_error(j, rc, "open", e);
	close_on_exec(j->env);
	/* Slots of runs that were killed would keep old pages in use. */
	(void)mdb_reader_check(j->env, &dead);
	rc = find_tables(j, e);
	if (rc == 0 && j->format < JOURNAL_FORMAT && !j->read_only)
		rc = journal_upgrade(j, e);
	return rc;
}

/* LMDB takes half a header for damage: it makes a new file. */
static int
begin_afresh(const struct journal *j, int dir, struct err *e)
{
	if (unlinkat(dir, "data.mdb", 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, ERR_SCOPE_ACCOUNT, errno,
	    "journal '%s': remove what was not begun", j->dir);
}

int
journal_open(const char *state_dir, enum journal_mode mode,
    struct journal **j_r, struct err *e)
{
	const struct journal_way by_fork = {NULL, NULL};

	return journal_open_by(state_dir, mode, &by_fork, j_r, e);
}

int
journal_open_by(const char *state_dir, enum journal_mode mode,
    const struct journal_way *way, struct journal **j_r, struct err *e)
{
	struct journal *j = xcalloc(1, sizeof *j);
	AUTO_FD dir = -1;
	uint64_t map = 0;
	bool empty = true;
	int rc = 0;

	j->dir = xasprintf("%s/journal", state_dir);
	j->way = *way;
	j->read_only = mode == JOURNAL_READ;
	j->format = JOURNAL_FORMAT;
	j->next_box = 1;
	if (mode == JOURNAL_CREATE)
		rc = fs_mkdirs(AT_FDCWD, j->dir, 0700, e);
	if (rc == 0) {
		dir = fs_open_dir(AT_FDCWD, j->dir);
		if (dir < 0 && (!j->read_only || errno != ENOENT))
			rc = err_sys(e, ERR_SCOPE_ACCOUNT, errno,
			    "open the journal '%s'", j->dir);
	}
	if (rc == 0 && dir >= 0)
		rc = refuse_network(j, dir, e);
	if (rc == 0 && dir >= 0)
		rc = look(j, dir, &map, &empty, e);
	if (rc == 0 && dir >= 0 && empty && journal_has_mark(dir))
		rc = journal_damaged(j, "data.mdb is empty, or not there", e);
	/* Nothing to read, and nothing is to be made. */
	if (empty && j->read_only)
		map = 0;
	if (rc == 0 && map)
		rc = reserve_readers(j, dir, e);
	if (rc == 0 && map)
		rc = empty ? begin_afresh(j, dir, e)
			   : journal_check_sound(j, dir, map, e);
	if (rc == 0 && map)
		rc = open_env(j, map, e);
	if (rc < 0) {
		e->scope = ERR_SCOPE_ACCOUNT;
		journal_free(&j);
		return rc;
	}
	j->sound = true;
	*j_r = j;
	return 0;
}

void
journal_free(struct journal **j)
{
	if (!*j)
		return;
	if ((*j)->env) {
		mdb_env_close((*j)->env);
		if ((*j)->sound && !(*j)->read_only)
			journal_mark_sound(*j);
	}
	xfree((*j)->dir);
	xfree(*j);
	*j = NULL;
}

uint64_t
journal_left_out(const struct journal *j)
{
	return j->left_out;
}

int64_t
journal_written_ns(const struct journal *j)
{
	return j->written_ns;
}
