/*
 * Format 1 to 2: a key in "size" for each row, and holds in their second
 * layout.
 */
#include "journal/internal.h"

static int
put_size(const struct journal *j, MDB_txn *txn, MDB_val row_key, MDB_val row)
{
	MDB_val key, none = {0};
	uint64_t size, box;
	uint32_t uid;
	struct buf b;
	int rc;

	if (!codec_get_key_pair(journal_span(row_key), &box, &uid) ||
	    !codec_get_pair_size(journal_span(row), &size))
		return MDB_CORRUPTED;
	buf_init(&b, 32);
	codec_key_size(&b, size, box, uid);
	key = journal_val(buf_span(&b));
	rc = mdb_put(txn, j->dbi[T_SIZE], &key, &none, 0);
	buf_release(&b);
	return rc;
}

/* Writes to one table do not move the cursor of another. */
static int
put_sizes(const struct journal *j, MDB_txn *txn)
{
	MDB_val key, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, j->dbi[T_PAIR], &c);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(c, &key, &v, MDB_NEXT)) == 0) {
		rc = put_size(j, txn, key, v);
		if (rc != 0)
			break;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct hold {
	struct span key;
	struct jhold hold;
};

/* All of them, before the first is written: the cursor is in that table. */
static int
read_holds(const struct journal *j, MDB_txn *txn, struct arena *mem,
    struct hold **v, size_t *n)
{
	size_t cap = 0;
	MDB_val key, value;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, j->dbi[T_HOLD], &c);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
		struct hold h = {
		    .key = arena_span(mem, journal_span(key))};

		if (!codec_get_hold(mem, journal_span(value), &h.hold)) {
			rc = MDB_CORRUPTED;
			break;
		}
		VEC_GROW(*v, *n, cap);
		(*v)[(*n)++] = h;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_holds(const struct journal *j, MDB_txn *txn)
{
	struct hold *v = NULL;
	struct arena mem;
	struct buf value;
	size_t n = 0;
	int rc;

	arena_init(&mem);
	buf_init(&value, JOURNAL_VALUE_MAX);
	rc = read_holds(j, txn, &mem, &v, &n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		MDB_val key = journal_val(v[i].key), row;

		buf_clear(&value);
		codec_put_hold(&value, &v[i].hold);
		row = journal_val(buf_span(&value));
		rc = mdb_put(txn, j->dbi[T_HOLD], &key, &row, 0);
	}
	xfree(v);
	buf_release(&value);
	arena_release(&mem);
	return rc;
}

static int
put_format(const struct journal *j, MDB_txn *txn)
{
	MDB_val key = journal_val(SPAN("format")), v;
	struct buf value;
	int rc;

	buf_init(&value, 16);
	codec_put_u64(&value, JOURNAL_FORMAT);
	v = journal_val(buf_span(&value));
	rc = mdb_put(txn, j->dbi[T_META], &key, &v, 0);
	buf_release(&value);
	return rc;
}

static int
attempt(struct journal *j)
{
	MDB_txn *txn;
	int rc = journal_begin_txn(j, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, journal_table[T_SIZE], MDB_CREATE,
	    &j->dbi[T_SIZE]);
	if (rc == 0)
		rc = put_sizes(j, txn);
	if (rc == 0)
		rc = put_holds(j, txn);
	if (rc == 0)
		rc = put_format(j, txn);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int
journal_upgrade(struct journal *j, struct err *e)
{
	int rc = attempt(j);

	while (rc == MDB_MAP_FULL && (rc = journal_grow(j)) == 0)
		rc = attempt(j);
	if (rc != 0) {
		(void)journal_write_error(j, rc, e);
		return err_wrap(e, "upgrade to format %d", JOURNAL_FORMAT);
	}
	j->format = JOURNAL_FORMAT;
	return 0;
}
