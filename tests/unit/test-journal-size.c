/* Rows by size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "journal.h"
#include "journal/codec.h"

static void
put(struct journal_batch *b, struct fixture *f, uint64_t box, uint32_t uid,
    uint64_t size)
{
	struct pair p = row(f, uid);

	p.size = size;
	journal_put_pair(b, box, &p);
}

/* "box:uid box:uid " of what is found. */
static const char *
found(struct fixture *f, uint64_t size, size_t max)
{
	struct jfound *v;
	struct buf out;
	const char *text;
	struct err e;
	size_t n;

	if (journal_rows_of_size(f->j, size, max, &f->mem, &v, &n, &e) < 0)
		fail_msg("%s", e.text);
	buf_init(&out, 1u << 20);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].row.size, size);
		buf_addf(&out, "%llu:%u ", (unsigned long long)v[i].box,
		    v[i].row.uid);
	}
	text = arena_printf(&f->mem, "%s", buf_cstr(&out));
	buf_release(&out);
	return text;
}

/* What the journal's own check says; freed with the fixture. */
static const char *
checked(struct fixture *f, uint64_t *n_r)
{
	struct buf out;
	const char *text;
	struct err e;

	buf_init(&out, 1u << 20);
	assert_int_equal(0, journal_check(f->j, &out, n_r, &e));
	text = arena_printf(&f->mem, "%s", buf_cstr(&out));
	buf_release(&out);
	return text;
}

static void
assert_sound(struct fixture *f)
{
	uint64_t n = 9;

	assert_string_equal(checked(f, &n), "");
	assert_int_equal(n, 0);
}

static void
test_rows_are_found_by_size_in_every_mailbox(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 0), b = add_box(f, "b", 0);
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	struct jfound *v = NULL;
	struct pair p = row(f, 300);
	struct err e;
	size_t n = 0;

	put(batch, f, b, 2, 500);
	put(batch, f, a, 7, 500);
	put(batch, f, a, 1, 500);
	put(batch, f, a, 2, 499);
	put(batch, f, a, 3, 501);
	put(batch, f, b, 1, 0);
	put(batch, f, b, UINT32_MAX, UINT64_MAX);
	p.size = 77;
	p.modseq = 12;
	p.sha[31] = 9;
	journal_put_pair(batch, b, &p);
	commit(batch);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(found(f, 500, 100), "1:1 1:7 2:2 ");
		assert_string_equal(found(f, 500, 2), "1:1 1:7 ");
		assert_string_equal(found(f, 500, 0), "");
		assert_string_equal(found(f, 0, 9), "2:1 ");
		assert_string_equal(found(f, UINT64_MAX, 9), "2:4294967295 ");
		assert_string_equal(found(f, 1, 9), "");
		assert_int_equal(0,
		    journal_rows_of_size(f->j, 77, 9, &f->mem, &v, &n, &e));
		assert_int_equal(n, 1);
		assert_true(v[0].row.modseq == 12 && v[0].row.sha[31] == 9);
		assert_true(span_eq(v[0].row.file, SPAN("cur/300:2,")));
		reopen(f, JOURNAL_READ);
	}
}

static void
test_a_row_that_changes_or_goes_takes_its_size_along(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 5), b = add_box(f, "b", 5);
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	struct pair p = row(f, 2);

	p.modseq = 5; /* the size stays */
	journal_put_pair(batch, a, &p);
	put(batch, f, a, 3, 20);
	journal_del_pair(batch, a, 4);
	journal_del_pair(batch, a, 99);
	commit(batch);
	assert_string_equal(found(f, 20, 9), "1:2 1:3 2:2 ");
	assert_string_equal(found(f, 30, 9), "2:3 ");
	assert_string_equal(found(f, 40, 9), "2:4 ");
	assert_sound(f);

	batch = journal_begin(f->j, f->kw);
	journal_del_pairs(batch, a);
	put(batch, f, a, 4, 20);
	put(batch, f, a, 4, 21);
	put(batch, f, a, 5, 20);
	journal_del_pair(batch, a, 5);
	commit(batch);
	assert_string_equal(found(f, 20, 9), "2:2 ");
	assert_string_equal(found(f, 21, 9), "1:4 ");
	assert_sound(f);

	batch = journal_begin(f->j, f->kw);
	journal_del_box(batch, b);
	commit(batch);
	assert_string_equal(found(f, 20, 9), "");
	assert_sound(f);
}

/* Batches of anything, against an array. */
static void
test_random_batches_leave_one_size_for_each_row(void **state)
{
	struct fixture *f = *state;
	uint64_t id[3], size[3][50] = {{0}};
	uint32_t seed = 20261124;

	for (int i = 0; i < 3; i++)
		id[i] = add_box(f, (const char *[]){"a", "b", "c"}[i], 0);
	for (int round = 0; round < 200; round++) {
		struct journal_batch *b = journal_begin(f->j, f->kw);

		for (int i = 0; i < 10; i++) {
			uint32_t box, uid, what;

			seed = seed * 1664525 + 1013904223;
			box = (seed >> 8) % 3;
			uid = (seed >> 12) % 50;
			what = (seed >> 20) % 40;
			if (what == 0) {
				journal_del_pairs(b, id[box]);
				memset(size[box], 0, sizeof size[box]);
			} else if (what < 12) {
				journal_del_pair(b, id[box], uid + 1);
				size[box][uid] = 0;
			} else {
				size[box][uid] = what % 5 + 1;
				put(b, f, id[box], uid + 1, what % 5 + 1);
			}
		}
		commit(b);
		for (uint64_t s = 1; s < 6; s++) {
			struct buf want;

			buf_init(&want, 1u << 20);
			for (int i = 0; i < 3; i++)
				for (uint32_t u = 0; u < 50; u++)
					if (size[i][u] == s)
						buf_addf(&want, "%llu:%u ",
						    (unsigned long long)id[i],
						    u + 1);
			assert_string_equal(found(f, s, 1000),
			    buf_cstr(&want));
			buf_release(&want);
		}
		assert_sound(f);
		arena_clear(&f->mem);
	}
}

static struct span
size_key(struct fixture *f, uint64_t size, uint64_t box, uint32_t uid)
{
	struct span s;
	struct buf k;

	buf_init(&k, 32);
	codec_key_size(&k, size, box, uid);
	s = arena_span(&f->mem, buf_span(&k));
	buf_release(&k);
	return s;
}

static void
remove_size(struct fixture *f, struct span key)
{
	char path[512];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = {key.n, (void *)(uintptr_t)key.p};

	journal_free(&f->j);
	tempdir_join(path, f->dir, "journal");
	assert_int_equal(0, mdb_env_create(&env));
	assert_int_equal(0, mdb_env_set_maxdbs(env, 16));
	assert_int_equal(0, mdb_env_open(env, path, 0, 0600));
	assert_int_equal(0, mdb_txn_begin(env, NULL, 0, &txn));
	assert_int_equal(0, mdb_dbi_open(txn, "size", 0, &dbi));
	assert_int_equal(0, mdb_del(txn, dbi, &k, NULL));
	assert_int_equal(0, mdb_txn_commit(txn));
	mdb_env_close(env);
}

static void
test_check_holds_sizes_against_rows(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 3), n;

	/* one is missing */
	remove_size(f, size_key(f, 20, a, 2));
	reopen(f, JOURNAL_CREATE);
	assert_string_equal(checked(f, &n),
	    "table 'size': mailbox 1, uid 2 is not in it\n");
	assert_int_equal(n, 1);
	/* as many as there are rows, but another one: both are named */
	plant(f, "size", size_key(f, 21, a, 2), SPAN(""));
	reopen(f, JOURNAL_CREATE);
	assert_string_equal(checked(f, &n),
	    "table 'size': mailbox 1, uid 2 is not in it\n"
	    "table 'size': mailbox 1, uid 2 has no row of 21 octets\n");
	assert_int_equal(n, 2);
	/* all there, and some to spare */
	plant(f, "size", size_key(f, 20, a, 2), SPAN(""));
	plant(f, "size", size_key(f, 20, a, 99), SPAN(""));
	plant(f, "size", SPAN("short"), SPAN(""));
	reopen(f, JOURNAL_CREATE);
	assert_string_equal(checked(f, &n),
	    "table 'size': mailbox 1, uid 99 has no row of 20 octets\n"
	    "table 'size': mailbox 1, uid 2 has no row of 21 octets\n"
	    "table 'size': a key does not decode\n");
	assert_int_equal(n, 3);
}

static void
test_sizes_without_rows_are_damage(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 3);
	struct journal_batch *b;
	struct jfound *v = NULL;
	struct pair p = row(f, 3);
	struct err e;
	size_t n = 9;

	plant(f, "size", size_key(f, 20, a, 99), SPAN(""));
	plant(f, "size", size_key(f, 31, a, 3), SPAN(""));
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(ERR_JOURNAL,
	    journal_rows_of_size(f->j, 20, 9, &f->mem, &v, &n, &e));
	assert_non_null(strstr(e.text, "remove that directory"));
	assert_int_equal(ERR_JOURNAL,
	    journal_rows_of_size(f->j, 31, 9, &f->mem, &v, &n, &e));
	assert_true(n == 9 && !v);
	assert_string_equal(found(f, 30, 9), "1:3 ");
	/* and a row whose size is not there does not go as if it were */
	remove_size(f, size_key(f, 30, a, 3));
	reopen(f, JOURNAL_CREATE);
	b = journal_begin(f->j, f->kw);
	p.size = 5;
	journal_put_pair(b, a, &p);
	assert_int_equal(ERR_JOURNAL, journal_commit(&b, &e));
	b = journal_begin(f->j, f->kw);
	journal_del_pairs(b, a);
	assert_int_equal(ERR_JOURNAL, journal_commit(&b, &e));
	assert_int_equal(rows_of(f, a), 3);
}

static void
test_an_absent_journal_has_no_sizes(void **state)
{
	struct fixture *f = *state;
	char dir[64];
	struct journal *j;
	struct jfound *v;
	struct err e;
	size_t n = 9;

	tempdir_make(dir);
	assert_int_equal(0, journal_open(dir, JOURNAL_READ, &j, &e));
	assert_int_equal(0, journal_rows_of_size(j, 1, 9, &f->mem, &v, &n, &e));
	assert_int_equal(n, 0);
	journal_free(&j);
	tempdir_remove(dir);
}

/* 2000 rows in batches of 100, those with the highest UIDs first, in file. */
static uint64_t
octets_of_rows(struct fixture *f, bool ascending)
{
	uint64_t box = add_box(f, "a", 0);
	struct stat st;
	char *path;

	for (uint32_t i = 0; i < 20; i++) {
		struct journal_batch *batch = journal_begin(f->j, f->kw);

		for (uint32_t k = 0; k < 100; k++)
			put(batch, f, box,
			    ascending ? 1 + i * 100 + k : 2000 - i * 100 - k,
			    k);
		commit(batch);
	}
	path = xasprintf("%s/journal/data.mdb", f->dir);
	assert_int_equal(0, stat(path, &st));
	xfree(path);
	return (uint64_t)st.st_size;
}

static void
test_rows_that_come_newest_first_fill_their_pages(void **state)
{
	uint64_t down = octets_of_rows(*state, false), up;

	teardown(state);
	setup(state);
	up = octets_of_rows(*state, true);
	if (down > up + up / 4)
		fail_msg("%llu octets, and %llu in order",
		    (unsigned long long)down, (unsigned long long)up);
	assert_sound(*state);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_rows_are_found_by_size_in_every_mailbox),
	    T(test_a_row_that_changes_or_goes_takes_its_size_along),
	    T(test_random_batches_leave_one_size_for_each_row),
	    T(test_check_holds_sizes_against_rows),
	    T(test_sizes_without_rows_are_damage),
	    T(test_an_absent_journal_has_no_sizes),
	    T(test_rows_that_come_newest_first_fill_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
