/*
 * A journal of format 1, written here byte by byte as the program that made
 * it did, and what becomes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "journal.h"
#include "journal/internal.h"

static const char *const old_table[] = {
    "meta", "mailbox", "count", "pair", "keyword", "hold"};
enum { META, MAILBOX, COUNT, PAIR, KEYWORD, HOLD, TABLES };

struct old {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi[TABLES];
};

static void
add(struct old *o, int table, struct span key, struct span value)
{
	MDB_val k = {key.n, (void *)(uintptr_t)key.p};
	MDB_val v = {value.n, (void *)(uintptr_t)value.p};

	assert_int_equal(0, mdb_put(o->txn, o->dbi[table], &k, &v, 0));
}

static void
old_open(struct fixture *f, size_t map, struct old *o)
{
	char path[512];

	journal_free(&f->j);
	tempdir_remove(f->dir);
	assert_int_equal(0, mkdir(f->dir, 0700));
	tempdir_mkdir(f->dir, "journal");
	tempdir_join(path, f->dir, "journal");
	assert_int_equal(0, mdb_env_create(&o->env));
	assert_int_equal(0, mdb_env_set_maxdbs(o->env, 16));
	assert_int_equal(0, mdb_env_set_mapsize(o->env, map));
	assert_int_equal(0, mdb_env_open(o->env, path, 0, 0600));
	assert_int_equal(0, mdb_txn_begin(o->env, NULL, 0, &o->txn));
	for (int i = 0; i < TABLES; i++)
		assert_int_equal(0, mdb_dbi_open(o->txn, old_table[i],
		    MDB_CREATE, &o->dbi[i]));
	add(o, META, SPAN("format"), SPAN("\0\0\0\0\0\0\0\1"));
	add(o, META, SPAN("next-box"), SPAN("\0\0\0\0\0\0\0\3"));
	add(o, KEYWORD, SPAN("\0\0\0\0\0\0\0\1"), SPAN("work"));
}

static void
old_close(struct old *o)
{
	assert_int_equal(0, mdb_txn_commit(o->txn));
	mdb_env_close(o->env);
}

static void
big_endian(struct buf *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		buf_addc(b, (char)(v >> (8 * i) & 0xff));
}

static void
leb128(struct buf *b, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		buf_addc(b, (char)((v & 127) | 128));
	buf_addc(b, (char)v);
}

static void
counted(struct buf *b, const char *s)
{
	leb128(b, strlen(s));
	buf_add_str(b, s);
}

static void
old_box(struct old *o, uint64_t id, const char *name, uint64_t rows)
{
	struct buf key, v, n;

	buf_init(&key, 16);
	buf_init(&v, 1000);
	buf_init(&n, 16);
	big_endian(&key, id, 8);
	leb128(&v, 1);
	for (int i = 0; i < 3; i++) /* wire, name, path */
		counted(&v, name);
	buf_addc(&v, '/');
	leb128(&v, 1795460118); /* UIDVALIDITY, UIDNEXT, cursor, EXISTS */
	leb128(&v, rows + 1);
	leb128(&v, 7000);
	leb128(&v, rows);
	for (int i = 0; i < 4 + 26; i++) /* stamp, letters */
		leb128(&v, 0);
	leb128(&v, 2 * 1795460118ull); /* last run, zigzag */
	counted(&v, "");
	add(o, MAILBOX, buf_span(&key), buf_span(&v));
	big_endian(&n, rows, 8);
	add(o, COUNT, buf_span(&key), buf_span(&n));
	buf_release(&key);
	buf_release(&v);
	buf_release(&n);
}

static void
old_pair(struct old *o, uint64_t box, uint32_t uid, uint64_t size)
{
	struct buf key, v;
	char file[40];

	buf_init(&key, 16);
	buf_init(&v, 1000);
	big_endian(&key, box, 8);
	big_endian(&key, uid, 4);
	leb128(&v, 1);
	snprintf(file, sizeof file, "cur/%u.host:2,Sa", uid);
	counted(&v, file);
	for (int side = 0; side < 2; side++) {
		leb128(&v, FLAG_SEEN);
		leb128(&v, 1);
		leb128(&v, 1); /* keyword 1 */
	}
	leb128(&v, 6000 + uid);
	leb128(&v, size);
	for (int i = 0; i < 4; i++) /* date, inode, file size and time */
		leb128(&v, (uint64_t)i * 1000);
	for (int i = 0; i < DIGEST_LEN; i++)
		buf_addc(&v, (char)i);
	add(o, PAIR, buf_span(&key), buf_span(&v));
	buf_release(&key);
	buf_release(&v);
}

/* Two mailboxes with ROWS each, of the sizes 100 to 102 in turn; two holds. */
static void
make_old(struct fixture *f, uint32_t rows, size_t map, struct old *o)
{
	old_open(f, map, o);
	for (uint64_t id = 1; id <= 2; id++) {
		old_box(o, id, id == 1 ? "INBOX" : "archive", rows);
		for (uint32_t uid = 1; uid <= rows; uid++)
			old_pair(o, id, uid, 100 + uid % 3);
	}
	add(o, HOLD, SPAN("\0\0\0\0\0\0\0\2R\0\0\0\x9"),
	    SPAN("\1\3\xac\2\rtoo big today"));
	add(o, HOLD, SPAN("\0\0\0\0\0\0\0\2L1.host"), SPAN("\1\0\0\0"));
}

static size_t
rows_of_size(struct fixture *f, uint64_t size)
{
	struct jfound *v;
	struct err e;
	size_t n;

	assert_int_equal(0,
	    journal_rows_of_size(f->j, size, 1000000, &f->mem, &v, &n, &e));
	for (size_t i = 0; i < n; i++)
		assert_true(v[i].row.size == size &&
		    (i == 0 || v[i].box > v[i - 1].box ||
			(v[i].box == v[i - 1].box &&
			    v[i].row.uid > v[i - 1].row.uid)));
	return n;
}

/* Everything of make_old() is there, as today's functions read it. */
static void
assert_all_there(struct fixture *f, uint32_t rows)
{
	struct pairs p;
	struct jhold *h;
	struct jbox *box;
	struct buf out;
	struct err e;
	uint64_t findings = 9;
	size_t n;

	assert_int_equal(kwtab_find(f->kw, SPAN("work")), 1);
	assert_int_equal(0, journal_boxes(f->j, &f->mem, &box, &n, &e));
	assert_true(n >= 2 && span_eq(box[0].name, SPAN("INBOX")));
	assert_true(box[1].highestmodseq == 7000 && box[1].rows == rows &&
	    box[1].synced == 1795460118);
	assert_int_equal(0, journal_pairs(f->j, 2, &f->mem, &p, &e));
	assert_int_equal(p.n, rows);
	assert_true(span_eq(p.v[3].file, SPAN("cur/4.host:2,Sa")));
	assert_true(p.v[3].size == 101 && p.v[3].modseq == 6004 &&
	    p.v[3].r.sys == FLAG_SEEN && flags_has_kw(p.v[3].l, 1) &&
	    p.v[3].mtime_ns == 1500 && p.v[3].sha[31] == 31);
	assert_int_equal(0, journal_holds(f->j, 2, &f->mem, &h, &n, &e));
	assert_int_equal(n, 2);
	assert_true(span_eq(h[0].base, SPAN("1.host")) && h[0].tries == 0);
	assert_true(h[1].kind == JHOLD_RETRY && h[1].uid == 9 &&
	    h[1].tries == 3 && h[1].next == 150 && h[1].size == 0 &&
	    h[1].idate == 0 && span_eq(h[1].why, SPAN("too big today")));
	buf_init(&out, 65536);
	assert_int_equal(0, journal_check(f->j, &out, &findings, &e));
	assert_string_equal(buf_cstr(&out), "");
	assert_int_equal(findings, 0);
	buf_release(&out);
}

static void
test_an_old_journal_is_upgraded_in_one_transaction(void **state)
{
	struct fixture *f = *state;
	struct old o;
	uint64_t txn;

	make_old(f, 300, 1u << 24, &o);
	old_close(&o);
	reopen(f, JOURNAL_READ);
	txn = journal_txnid(f->j);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(journal_txnid(f->j), txn + 1);
	for (int i = 0; i < 2; i++) {
		assert_all_there(f, 300);
		assert_int_equal(rows_of_size(f, 100), 200);
		assert_int_equal(rows_of_size(f, 102), 200);
		assert_int_equal(rows_of_size(f, 103), 0);
		/* once is enough */
		reopen(f, JOURNAL_CREATE);
		assert_int_equal(journal_txnid(f->j), txn + 1);
	}
	assert_int_equal(add_box(f, "new", 10), 3);
	assert_int_equal(rows_of_size(f, 100), 201);
	assert_all_there(f, 300);
}

static void
test_holds_are_written_anew(void **state)
{
	struct fixture *f = *state;
	MDB_val key = journal_val(SPAN("\0\0\0\0\0\0\0\2R\0\0\0\x9")), v;
	MDB_txn *txn;
	struct old o;

	make_old(f, 4, 1u << 24, &o);
	old_close(&o);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(0, mdb_txn_begin(f->j->env, NULL, MDB_RDONLY, &txn));
	assert_int_equal(0, mdb_get(txn, f->j->dbi[T_HOLD], &key, &v));
	assert_true(span_eq(journal_span(v),
	    SPAN("\2\0\3\xac\2\0\0\rtoo big today")));
	mdb_txn_abort(txn);
}

static void
test_an_old_journal_is_read_as_it_is(void **state)
{
	struct fixture *f = *state;
	char *before, *after;
	struct old o;
	ssize_t n;

	make_old(f, 300, 1u << 24, &o);
	old_close(&o);
	n = tempdir_read(f->dir, "journal/data.mdb", &before);
	for (int i = 0; i < 2; i++) {
		reopen(f, JOURNAL_READ);
		assert_all_there(f, 300);
		assert_int_equal(rows_of_size(f, 100), 0);
	}
	journal_free(&f->j);
	assert_int_equal(n, tempdir_read(f->dir, "journal/data.mdb", &after));
	assert_memory_equal(before, after, (size_t)n);
	free(before);
	free(after);
}

/* A reader that was there before goes on with what it knows. */
static void
test_a_reader_lives_through_the_upgrade(void **state)
{
	struct fixture *f = *state;
	struct fixture g = {.kw = NULL};
	struct old o;

	make_old(f, 300, 1u << 24, &o);
	old_close(&o);
	reopen(f, JOURNAL_READ);
	assert_int_equal(rows_of(f, 1), 300);
	snprintf(g.dir, sizeof g.dir, "%s", f->dir);
	arena_init(&g.mem);
	if (fork() == 0) {
		/* LMDB's handles are not to be used in a child */
		reopen(&g, JOURNAL_CREATE);
		journal_free(&g.j);
		_exit(0);
	}
	assert_true(wait(NULL) > 0);
	assert_all_there(f, 300);
	assert_int_equal(rows_of_size(f, 100), 0);
	reopen(f, JOURNAL_READ);
	assert_int_equal(rows_of_size(f, 100), 200);
	arena_release(&g.mem);
}

static void
test_the_map_grows_for_an_upgrade(void **state)
{
	struct fixture *f = *state;
	struct journal j = {.format = 1, .next_box = 3, .tables = true};
	struct old o;
	struct err e;
	MDB_envinfo before, after;

	make_old(f, 5000, 1u << 24, &o);
	assert_int_equal(0, mdb_txn_commit(o.txn));
	/* no room for a table of sizes */
	assert_int_equal(0, mdb_env_info(o.env, &before));
	assert_int_equal(0,
	    mdb_env_set_mapsize(o.env, (before.me_last_pgno + 8) * 4096));
	j.dir = f->dir;
	j.env = o.env;
	for (int i = 0; i < TABLES; i++)
		j.dbi[i] = o.dbi[i];
	assert_int_equal(0, mdb_env_info(o.env, &before));
	if (journal_upgrade(&j, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(0, mdb_env_info(o.env, &after));
	assert_true(after.me_mapsize > before.me_mapsize);
	assert_int_equal(after.me_last_txnid, before.me_last_txnid + 1);
	mdb_env_close(o.env);
	reopen(f, JOURNAL_READ);
	assert_all_there(f, 5000);
	assert_int_equal(rows_of_size(f, 101), 3334);
}

static void
test_what_cannot_be_upgraded_is_left_as_it_is(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct fixture *f = *state;
		char *before, *after;
		struct old o;
		struct err e;
		ssize_t n;

		make_old(f, 300, 1u << 24, &o);
		if (i)
			add(&o, PAIR, SPAN("\0\0\0\0\0\0\0\2\0\0\1\0"),
			    SPAN("\7"));
		else
			add(&o, HOLD, SPAN("\0\0\0\0\0\0\0\2R\0\0\0\x9"),
			    SPAN("\1\3"));
		old_close(&o);
		n = tempdir_read(f->dir, "journal/data.mdb", &before);
		assert_int_equal(ERR_JOURNAL,
		    journal_open(f->dir, JOURNAL_CREATE, &f->j, &e));
		assert_non_null(strstr(e.text, "remove that directory"));
		assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
		assert_int_equal(n,
		    tempdir_read(f->dir, "journal/data.mdb", &after));
		assert_memory_equal(before, after, (size_t)n);
		free(before);
		free(after);
		reopen(f, JOURNAL_READ);
		assert_int_equal(rows_of(f, 1), 300);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_an_old_journal_is_upgraded_in_one_transaction),
	    T(test_holds_are_written_anew),
	    T(test_an_old_journal_is_read_as_it_is),
	    T(test_a_reader_lives_through_the_upgrade),
	    T(test_the_map_grows_for_an_upgrade),
	    T(test_what_cannot_be_upgraded_is_left_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
