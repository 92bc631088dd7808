/* What the tests of journal/ share. */
#ifndef TESTS_JOURNAL_H
#define TESTS_JOURNAL_H

#include "base/alloc.h"
#include "journal/internal.h"
#include "tempdir.h"

#include <lmdb.h>

struct fixture {
	char dir[64];
	struct kwtab *kw;
	struct arena mem;
	struct journal *j;
};

static inline struct journal *
reopen(struct fixture *f, enum journal_mode mode)
{
	struct err e;

	journal_free(&f->j);
	kwtab_free(&f->kw);
	f->kw = kwtab_new();
	if (journal_open(f->dir, mode, &f->j, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(0, journal_keywords(f->j, f->kw, &e));
	return f->j;
}

/* Of the last transaction that was committed. */
static inline uint64_t
journal_txnid(const struct journal *j)
{
	MDB_envinfo info;

	if (!j->env || j->unmapped || mdb_env_info(j->env, &info) != 0)
		return 0;
	return info.me_last_txnid;
}

static inline int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	tempdir_make(f->dir);
	arena_init(&f->mem);
	reopen(f, JOURNAL_CREATE);
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	journal_free(&f->j);
	kwtab_free(&f->kw);
	arena_release(&f->mem);
	tempdir_remove(f->dir);
	xfree(f);
	return 0;
}

static inline void
commit(struct journal_batch *b)
{
	struct err e;

	if (journal_commit(&b, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(b);
}

static inline struct pair
row(struct fixture *f, uint32_t uid)
{
	return (struct pair){.uid = uid, .size = uid * 10,
	    .file = span_str(arena_printf(&f->mem, "cur/%u:2,", uid))};
}

/* A mailbox with UIDs 1..N. */
static inline uint64_t
add_box(struct fixture *f, const char *name, uint32_t n)
{
	struct journal_batch *b = journal_begin(f->j, f->kw);
	struct jbox box = {.wire = span_str(name), .name = span_str(name),
	    .path = span_str(name), .delim = '/'};
	uint64_t id = journal_put_box(b, &box);

	for (uint32_t uid = 1; uid <= n; uid++) {
		struct pair p = row(f, uid);

		journal_put_pair(b, id, &p);
	}
	commit(b);
	return id;
}

static inline uint64_t
rows_of(struct fixture *f, uint64_t id)
{
	struct jbox *v;
	struct err e;
	size_t n;

	assert_int_equal(0, journal_boxes(f->j, &f->mem, &v, &n, &e));
	for (size_t i = 0; i < n; i++)
		if (v[i].id == id)
			return v[i].rows;
	return UINT64_MAX;
}

/* One row of a table, put there behind the back of the journal. */
static inline void
plant(struct fixture *f, const char *table, struct span key,
    struct span value)
{
	char path[512];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = {key.n, (void *)(uintptr_t)key.p};
	MDB_val v = {value.n, (void *)(uintptr_t)value.p};

	journal_free(&f->j);
	tempdir_join(path, f->dir, "journal");
	assert_int_equal(0, mdb_env_create(&env));
	assert_int_equal(0, mdb_env_set_maxdbs(env, 16));
	assert_int_equal(0, mdb_env_set_mapsize(env, 1u << 24));
	assert_int_equal(0, mdb_env_open(env, path, 0, 0600));
	assert_int_equal(0, mdb_txn_begin(env, NULL, 0, &txn));
	assert_int_equal(0, mdb_dbi_open(txn, table, 0, &dbi));
	assert_int_equal(0, mdb_put(txn, dbi, &k, &v, 0));
	assert_int_equal(0, mdb_txn_commit(txn));
	mdb_env_close(env);
}

#endif
