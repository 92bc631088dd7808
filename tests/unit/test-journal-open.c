/* The journal beside other processes, other formats, and after a cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>

#include "journal.h"
#include "journal/internal.h"

#define SMALL_MAP (128u << 10)

/* As it is in a journal that has become as large as its map. */
static void
shrink_map(struct fixture *f)
{
	assert_int_equal(0, mdb_env_set_mapsize(f->j->env, SMALL_MAP));
}

static size_t
map_size(struct fixture *f)
{
	MDB_envinfo info;

	assert_int_equal(0, mdb_env_info(f->j->env, &info));
	return info.me_mapsize;
}

static void
assert_sound(struct fixture *f, uint64_t id, uint64_t rows)
{
	struct buf out;
	struct err e;
	uint64_t n = 9;

	buf_init(&out, 65536);
	assert_int_equal(0, journal_check(f->j, &out, &n, &e));
	assert_string_equal(buf_cstr(&out), "");
	assert_int_equal(n, 0);
	assert_int_equal(rows_of(f, id), rows);
	buf_release(&out);
}

static void
test_a_full_map_grows_and_the_batch_is_written(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	shrink_map(f);
	/* the very first batch, which makes the tables; then one more */
	a = add_box(f, "a", 5000);
	assert_true(map_size(f) > SMALL_MAP);
	b = add_box(f, "b", 20000);
	assert_sound(f, a, 5000);
	assert_sound(f, b, 20000);
	assert_int_equal(journal_txnid(f->j), 2);
	reopen(f, JOURNAL_CREATE);
	assert_sound(f, a, 5000);
	assert_sound(f, b, 20000);
}

static void
test_readers_follow_a_map_that_another_process_grew(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 10);
	int status;
	pid_t pid;

	reopen(f, JOURNAL_READ);
	shrink_map(f);
	pid = fork();
	if (pid == 0) {
		/* LMDB's handles are not to be used in a child */
		struct fixture g = *f;

		g.j = NULL;
		if (mdb_env_set_mapsize(f->j->env, 0) != 0)
			_exit(2);
		g.kw = NULL;
		reopen(&g, JOURNAL_CREATE);
		(void)add_box(&g, "b", 20000);
		journal_free(&g.j);
		_exit(0);
	}
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(status, 0);
	assert_int_equal(rows_of(f, a), 10);
	assert_int_equal(rows_of(f, a + 1), 20000);
}

/* WRITES batches, each of which gives back the pages of those before. */
static void
write_on(struct fixture *f, uint64_t id, uint32_t rows, int writes)
{
	for (int i = 0; i < writes; i++) {
		struct journal_batch *b = journal_begin(f->j, f->kw);

		for (uint32_t uid = 1; uid <= rows; uid++) {
			struct pair p = row(f, uid);

			p.modseq = (uint64_t)i + 1;
			journal_put_pair(b, id, &p);
		}
		commit(b);
		arena_clear(&f->mem);
	}
}

static void
test_reading_beside_a_writer_finds_no_damage(void **state)
{
	struct fixture *f = *state;
	uint64_t id = add_box(f, "a", 1000);
	int status, reads = 0;
	pid_t pid;

	journal_free(&f->j);
	pid = fork();
	if (pid == 0) {
		reopen(f, JOURNAL_CREATE);
		write_on(f, id, 1000, 40);
		journal_free(&f->j);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0 || reads == 0) {
		reopen(f, JOURNAL_READ);
		assert_int_equal(rows_of(f, id), 1000);
		arena_clear(&f->mem);
		reads++;
	}
	assert_int_equal(status, 0);
}

/*
 * What is left of a file that was cut behind each of its pages: refused, or
 * nothing is missing.
 */
static void
test_a_cut_is_refused_unless_nothing_is_missing(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 100), b = add_box(f, "b", 2000);
	struct journal_batch *batch;
	unsigned refused = 0, fine = 0;
	char *good;
	ssize_t n;

	/* what is in use moves to the front; the pages at the end are free */
	batch = journal_begin(f->j, f->kw);
	journal_del_box(batch, b);
	commit(batch);
	write_on(f, a, 100, 4);
	journal_free(&f->j);
	n = tempdir_read(f->dir, "journal/data.mdb", &good);
	assert_true(n > 100000 && n % 4096 == 0);
	for (ssize_t cut = 4096; cut <= n; cut += 4096) {
		struct err e;

		tempdir_write(f->dir, "journal/data.mdb", good, (size_t)cut);
		if (journal_open(f->dir, JOURNAL_CREATE, &f->j, &e) < 0) {
			assert_int_equal(e.code, ERR_JOURNAL);
			assert_non_null(strstr(e.text, "remove that directo"));
			refused++;
			continue;
		}
		assert_sound(f, a, 100);
		fine++;
		/* and it can be written to */
		if (cut + 4096 > n)
			break;
		assert_int_equal(add_box(f, "c", 500), b + 1);
		assert_sound(f, b + 1, 500);
		journal_free(&f->j);
	}
	assert_true(refused > 0);
	assert_true(fine > 1);
	free(good);
}

/* A full disk may leave a part of the two headers that LMDB begins with. */
static void
test_a_file_that_was_not_begun_is_begun_again(void **state)
{
	static const size_t cut[] = {200, 4096, 8191};
	struct fixture *f = *state;
	char *begun, mark[512];

	tempdir_join(mark, f->dir, "journal/sound");
	journal_free(&f->j);
	assert_int_equal(8192,
	    tempdir_read(f->dir, "journal/data.mdb", &begun));
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
		tempdir_write(f->dir, "journal/data.mdb", begun, cut[i]);
		reopen(f, JOURNAL_READ);
		assert_int_equal(journal_txnid(f->j), 0);
		reopen(f, JOURNAL_CREATE);
		assert_sound(f, add_box(f, "a", 10), 10);
		journal_free(&f->j);
		assert_int_equal(0, unlink(mark));
	}
	free(begun);
}

static void
test_without_a_map_nothing_is_asked(void **state)
{
	struct fixture *f = *state;
	uint64_t id = add_box(f, "a", 10);
	MDB_txn *txn;
	struct err e;
	int rc;

	/* until there is no room for it */
	while ((rc = journal_grow(f->j)) == 0)
		;
	assert_int_equal(rc, ENOMEM);
	assert_int_equal(ENOMEM, journal_grow(f->j));
	assert_true(journal_txnid(f->j) == 0);
	assert_true(journal_begin_read(f->j, &txn, &e) < 0);
	assert_non_null(strstr(e.text, strerror(ENOMEM)));
	reopen(f, JOURNAL_CREATE);
	assert_sound(f, id, 10);
}

/* Change what is in the file, without the journal. */
static MDB_txn *
edit(struct fixture *f, MDB_env **env)
{
	char path[512];
	MDB_txn *txn;

	journal_free(&f->j);
	tempdir_join(path, f->dir, "journal");
	tempdir_mkdir(f->dir, "journal");
	assert_int_equal(0, mdb_env_create(env));
	assert_int_equal(0, mdb_env_set_maxdbs(*env, 16));
	assert_int_equal(0, mdb_env_open(*env, path, 0, 0600));
	assert_int_equal(0, mdb_txn_begin(*env, NULL, 0, &txn));
	return txn;
}

static void
edited(struct fixture *f, MDB_txn *txn, MDB_env *env, const char *word)
{
	struct err e;
	char *before, *after;
	ssize_t n;

	assert_int_equal(0, mdb_txn_commit(txn));
	mdb_env_close(env);
	n = tempdir_read(f->dir, "journal/data.mdb", &before);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ERR_JOURNAL,
		    journal_open(f->dir, i ? JOURNAL_READ : JOURNAL_CREATE,
			&f->j, &e));
		assert_non_null(strstr(e.text, word));
	}
	assert_int_equal(n,
	    tempdir_read(f->dir, "journal/data.mdb", &after));
	assert_memory_equal(before, after, (size_t)n);
	free(before);
	free(after);
}

static void
drop(MDB_txn *txn, const char *table)
{
	MDB_dbi dbi;

	assert_int_equal(0, mdb_dbi_open(txn, table, 0, &dbi));
	assert_int_equal(0, mdb_drop(txn, dbi, 1));
}

static void
test_newer_journals_are_refused_whatever_tables_they_have(void **state)
{
	struct fixture *f = *state;
	MDB_txn *txn;
	MDB_env *env;

	add_box(f, "a", 3);
	plant(f, "meta", SPAN("format"), SPAN("\0\0\0\0\0\0\0\3"));
	txn = edit(f, &env);
	drop(txn, "count");
	drop(txn, "hold");
	edited(f, txn, env, "newer");
}

static void
test_a_missing_table_is_damage(void **state)
{
	for (int i = 0; i < T_N; i++) {
		struct fixture *f = *state;
		MDB_txn *txn;
		MDB_env *env;

		tempdir_remove(f->dir);
		tempdir_mkdir(f->dir, "journal");
		reopen(f, JOURNAL_CREATE);
		add_box(f, "a", 3);
		txn = edit(f, &env);
		drop(txn, journal_table[i]);
		edited(f, txn, env, "damaged");
	}
}

static void
test_a_database_of_somebody_else_is_left_alone(void **state)
{
	struct fixture *f = *state;
	MDB_txn *txn;
	MDB_env *env;
	MDB_dbi dbi;

	txn = edit(f, &env);
	assert_int_equal(0, mdb_dbi_open(txn, "theirs", MDB_CREATE, &dbi));
	edited(f, txn, env, "damaged");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_a_full_map_grows_and_the_batch_is_written),
	    T(test_readers_follow_a_map_that_another_process_grew),
	    T(test_reading_beside_a_writer_finds_no_damage),
	    T(test_a_cut_is_refused_unless_nothing_is_missing),
	    T(test_a_file_that_was_not_begun_is_begun_again),
	    T(test_newer_journals_are_refused_whatever_tables_they_have),
	    T(test_a_missing_table_is_damage),
	    T(test_a_database_of_somebody_else_is_left_alone),
	    T(test_without_a_map_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
