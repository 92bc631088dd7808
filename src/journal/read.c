#include "journal/internal.h"

/* Flags of rows that were passed over. */
#define SCRATCH_OCTETS 65536

/* About; for what is read one after the other. */
#define ROWS_PER_PAGE 16

int
journal_begin_read(struct journal *j, MDB_txn **txn_r, struct err *e)
{
	MDB_txn *txn = NULL;
	int rc;

	if (j->frozen) {
		*txn_r = j->frozen;
		return 0;
	}
	rc = j->tables ? journal_fresh_map(j) : 0;
	if (rc == 0 && j->tables)
		rc = journal_begin_txn(j, MDB_RDONLY, &txn);
	j->touched++;
	if (rc != 0)
		return journal_mdb_error(j, rc, "begin", e);
	*txn_r = txn;
	return 0;
}

void
journal_end_read(const struct journal *j, MDB_txn *txn)
{
	if (txn && txn != j->frozen)
		mdb_txn_abort(txn);
}

/* Rows of a table whose keys begin with PREFIX, one after the other. */
struct rows {
	MDB_cursor *cursor;
	struct span prefix;
	MDB_val key, value;
	bool begun;
};

static int
rows_open(const struct journal *j, MDB_txn *txn, enum table t,
    struct span prefix, struct rows *r, struct err *e)
{
	int rc = mdb_cursor_open(txn, j->dbi[t], &r->cursor);

	if (rc != 0)
		return journal_mdb_error(j, rc, "read", e);
	r->prefix = prefix;
	r->begun = false;
	return 0;
}

/* 1: key and value are a row; 0: no more. */
static int
rows_next(const struct journal *j, struct rows *r, struct err *e)
{
	int rc;

	if (!r->begun) {
		r->begun = true;
		r->key = journal_val(r->prefix);
		rc = mdb_cursor_get(r->cursor, &r->key, &r->value,
		    r->prefix.n ? MDB_SET_RANGE : MDB_FIRST);
	} else {
		rc = mdb_cursor_get(r->cursor, &r->key, &r->value, MDB_NEXT);
	}
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return journal_mdb_error(j, rc, "read", e);
	return span_starts(journal_span(r->key), r->prefix) ? 1 : 0;
}

/* A cursor of a reading transaction does not end with it (lmdb.h). */
static void
rows_close(struct rows *r)
{
	if (r->cursor)
		mdb_cursor_close(r->cursor);
	r->cursor = NULL;
}

static int
count_of(const struct journal *j, MDB_txn *txn, uint64_t box, uint64_t *n_r,
    struct err *e)
{
	MDB_val key, v;
	struct buf k;
	int rc;

	buf_init(&k, 16);
	codec_key_box(&k, box);
	key = journal_val(buf_span(&k));
	rc = mdb_get(txn, j->dbi[T_COUNT], &key, &v);
	buf_release(&k);
	*n_r = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return journal_mdb_error(j, rc, "read", e);
	return codec_get_u64(journal_span(v), n_r)
	    ? 0
	    : journal_damaged(j, "a count does not decode", e);
}

int
journal_boxes(struct journal *j, struct arena *mem, struct jbox **v_r,
    size_t *n_r, struct err *e)
{
	struct jbox *v = NULL;
	size_t n = 0, cap = 0;
	struct rows r = {.cursor = NULL};
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	if (rc == 0 && txn) {
		rc = rows_open(j, txn, T_MAILBOX, SPAN(""), &r, e);
		while (rc == 0 && (rc = rows_next(j, &r, e)) > 0) {
			struct jbox box;
			uint64_t id;

			VEC_GROW(v, n, cap);
			if (!codec_get_key_box(journal_span(r.key), &id) ||
			    !codec_get_box(mem, journal_span(r.value), &box))
				rc = journal_damaged(j,
				    "a mailbox does not decode", e);
			else
				rc = count_of(j, txn, id, &box.rows, e);
			if (rc < 0)
				break;
			box.id = id;
			v[n++] = box;
		}
		rows_close(&r);
		journal_end_read(j, txn);
	}
	if (rc == 0) {
		*v_r = arena_array(mem, n + 1, sizeof *v);
		if (n)
			memcpy(*v_r, v, n * sizeof *v);
		*n_r = n;
	}
	xfree(v);
	return rc;
}

int
journal_keywords(struct journal *j, struct kwtab *kw, struct err *e)
{
	struct rows r = {.cursor = NULL};
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	if (rc < 0 || !txn)
		return rc;
	rc = rows_open(j, txn, T_KEYWORD, SPAN(""), &r, e);
	while (rc == 0 && (rc = rows_next(j, &r, e)) > 0) {
		uint64_t id;

		rc = 0;
		if (!codec_get_u64(journal_span(r.key), &id) ||
		    kwtab_intern(kw, journal_span(r.value)) != id)
			rc = journal_damaged(j, "keywords out of order", e);
	}
	rows_close(&r);
	journal_end_read(j, txn);
	return rc;
}

static int
add_pair(const struct journal *j, const struct rows *r, struct arena *mem,
    struct pairs *p, struct err *e)
{
	struct pair row;
	uint64_t box;
	uint32_t uid;

	if (!codec_get_key_pair(journal_span(r->key), &box, &uid) ||
	    !codec_get_pair(mem, journal_span(r->value), &row))
		return journal_damaged(j, "a message does not decode", e);
	row.uid = uid;
	pairs_add(mem, p, row);
	return 0;
}

int
journal_pairs(struct journal *j, uint64_t box, struct arena *mem,
    struct pairs *p_r, struct err *e)
{
	struct pairs p = {.complete = true};
	struct rows r = {.cursor = NULL};
	struct buf prefix;
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	if (rc < 0)
		return rc;
	buf_init(&prefix, 16);
	codec_key_box(&prefix, box);
	if (txn) {
		rc = rows_open(j, txn, T_PAIR, buf_span(&prefix), &r, e);
		while (rc == 0 && (rc = rows_next(j, &r, e)) > 0)
			rc = add_pair(j, &r, mem, &p, e);
		rows_close(&r);
		journal_end_read(j, txn);
		j->touched += p.n / ROWS_PER_PAGE;
	}
	buf_release(&prefix);
	if (rc == 0)
		*p_r = p;
	return rc;
}

/*
 * Rows of a mailbox with UIDs in SET, in T_PAIR or T_HOLD: range by range, so
 * that the cost is that of what is there, not of what is asked for.
 */
struct walk {
	const struct journal *j;
	MDB_cursor *cursor;
	enum table table;
	uint64_t box;
	const struct uidset *set;
	size_t at;   /* range of SET */
	bool inside; /* the cursor stands on a row of it */
	struct rows row;
};

static int
walk_open(const struct journal *j, MDB_txn *txn, enum table t, uint64_t box,
    const struct uidset *set, struct walk *w, struct err *e)
{
	int rc;

	*w = (struct walk){.j = j, .table = t, .box = box, .set = set};
	rc = mdb_cursor_open(txn, j->dbi[t], &w->cursor);
	return rc == 0 ? 0 : journal_mdb_error(j, rc, "read", e);
}

static int
walk_seek(struct walk *w, uint32_t uid)
{
	struct buf key;
	int rc;

	buf_init(&key, 32);
	if (w->table == T_PAIR)
		codec_key_pair(&key, w->box, uid);
	else
		codec_key_hold(&key, w->box, uid, SPAN(""));
	w->row.key = journal_val(buf_span(&key));
	rc = mdb_cursor_get(w->cursor, &w->row.key, &w->row.value,
	    MDB_SET_RANGE);
	buf_release(&key);
	return rc;
}

/* *uid_r 0: a hold of a file. */
static bool
walk_key(const struct walk *w, uint64_t *box_r, uint32_t *uid_r)
{
	struct span key = journal_span(w->row.key), base;

	if (w->table == T_PAIR)
		return codec_get_key_pair(key, box_r, uid_r);
	return codec_get_key_hold(key, box_r, uid_r, &base);
}

/* 1: w->row is that of *uid_r; 0: no more. */
static int
walk_next(struct walk *w, uint32_t *uid_r, struct err *e)
{
	while (w->at < w->set->n) {
		const struct uidrange *range = &w->set->v[w->at];
		uint64_t box;
		uint32_t uid;
		int rc = w->inside ? mdb_cursor_get(w->cursor, &w->row.key,
					 &w->row.value, MDB_NEXT)
				   : walk_seek(w, range->lo);

		if (rc != 0 && rc != MDB_NOTFOUND)
			return journal_mdb_error(w->j, rc, "read", e);
		if (rc == 0 && !walk_key(w, &box, &uid))
			return journal_damaged(w->j, "a key does not decode",
			    e);
		w->inside = rc == 0 && box == w->box && uid &&
		    uid <= range->hi;
		if (w->inside) {
			*uid_r = uid;
			return 1;
		}
		w->at++;
	}
	return 0;
}

int
journal_pairs_in(struct journal *j, uint64_t box, const struct uidset *set,
    struct arena *mem, struct pairs *p_r, struct err *e)
{
	struct pairs p = {.complete = false};
	MDB_txn *txn = NULL;
	struct walk w;
	uint32_t uid;
	int rc = journal_begin_read(j, &txn, e);

	if (rc == 0 && txn) {
		rc = walk_open(j, txn, T_PAIR, box, set, &w, e);
		while (rc == 0 && (rc = walk_next(&w, &uid, e)) > 0)
			rc = add_pair(j, &w.row, mem, &p, e);
		if (w.cursor)
			mdb_cursor_close(w.cursor);
		journal_end_read(j, txn);
		j->touched += p.n;
	}
	if (rc == 0)
		*p_r = p;
	return rc;
}

/* A hold of a UID that has a row as well is not counted twice. */
static int
has_pair(const struct journal *j, MDB_txn *txn, uint64_t box, uint32_t uid,
    bool *has_r, struct err *e)
{
	MDB_val key, v;
	struct buf k;
	int rc;

	buf_init(&k, 16);
	codec_key_pair(&k, box, uid);
	key = journal_val(buf_span(&k));
	rc = mdb_get(txn, j->dbi[T_PAIR], &key, &v);
	buf_release(&k);
	*has_r = rc == 0;
	if (rc == 0 || rc == MDB_NOTFOUND)
		return 0;
	return journal_mdb_error(j, rc, "read", e);
}

static int
count_table(const struct journal *j, MDB_txn *txn, enum table t, uint64_t box,
    const struct uidset *set, uint64_t *n, struct err *e)
{
	struct walk w;
	uint32_t uid;
	bool twice = false;
	int rc = walk_open(j, txn, t, box, set, &w, e);

	while (rc == 0 && (rc = walk_next(&w, &uid, e)) > 0) {
		rc = 0;
		if (t == T_HOLD)
			rc = has_pair(j, txn, box, uid, &twice, e);
		*n += !twice;
	}
	if (w.cursor)
		mdb_cursor_close(w.cursor);
	return rc;
}

int
journal_count_in(struct journal *j, uint64_t box, const struct uidset *set,
    uint64_t *n_r, struct err *e)
{
	uint64_t n = 0;
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	if (rc == 0 && txn) {
		rc = count_table(j, txn, T_PAIR, box, set, &n, e);
		if (rc == 0)
			rc = count_table(j, txn, T_HOLD, box, set, &n, e);
		journal_end_read(j, txn);
	}
	if (rc == 0)
		*n_r = n;
	return rc;
}

int
journal_count(struct journal *j, uint64_t box, uint64_t *n_r, struct err *e)
{
	struct uidset all;
	uint64_t n = 0;
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	uidset_init(&all);
	uidset_add_range(&all, 1, UINT32_MAX);
	if (rc == 0 && txn) {
		rc = count_of(j, txn, box, &n, e);
		if (rc == 0)
			rc = count_table(j, txn, T_HOLD, box, &all, &n, e);
		journal_end_read(j, txn);
	}
	uidset_release(&all);
	if (rc == 0)
		*n_r = n;
	return rc;
}

static int
add_pair_uids(
    struct journal *j, uint64_t box, struct uidset *set, struct err *e)
{
	struct journal_files *w = NULL;
	struct arena mem;
	struct jfile f;
	int rc = journal_files_begin(j, box, &w, e);

	arena_init(&mem);
	while (rc == 0 && (rc = journal_files_next(w, &mem, &f, e)) > 0) {
		rc = 0;
		uidset_add(set, f.uid);
		if (mem.used > SCRATCH_OCTETS)
			arena_clear(&mem);
	}
	journal_files_end(&w);
	arena_release(&mem);
	return rc;
}

static int
add_hold_uids(
    struct journal *j, uint64_t box, struct uidset *set, struct err *e)
{
	struct uidset all;
	MDB_txn *txn = NULL;
	struct walk w;
	uint32_t uid;
	int rc = journal_begin_read(j, &txn, e);

	uidset_init(&all);
	uidset_add_range(&all, 1, UINT32_MAX);
	if (rc == 0 && txn) {
		rc = walk_open(j, txn, T_HOLD, box, &all, &w, e);
		while (rc == 0 && (rc = walk_next(&w, &uid, e)) > 0) {
			uidset_add(set, uid);
			rc = 0;
		}
		if (w.cursor)
			mdb_cursor_close(w.cursor);
		journal_end_read(j, txn);
	}
	uidset_release(&all);
	return rc;
}

int
journal_uids(struct journal *j, uint64_t box, struct uidset *set,
    struct err *e)
{
	struct uidset rows, holds;
	int rc;

	uidset_init(&rows);
	uidset_init(&holds);
	rc = add_pair_uids(j, box, &rows, e);
	if (rc == 0)
		rc = add_hold_uids(j, box, &holds, e);
	uidset_add_set(set, &rows);
	uidset_add_set(set, &holds);
	uidset_release(&rows);
	uidset_release(&holds);
	return rc;
}

int
journal_holds(struct journal *j, uint64_t box, struct arena *mem,
    struct jhold **v_r, size_t *n_r, struct err *e)
{
	struct jhold *v = NULL;
	size_t n = 0, cap = 0;
	struct buf prefix;
	struct rows r = {.cursor = NULL};
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	buf_init(&prefix, 16);
	codec_key_box(&prefix, box);
	if (rc == 0 && txn) {
		rc = rows_open(j, txn, T_HOLD, buf_span(&prefix), &r, e);
		while (rc == 0 && (rc = rows_next(j, &r, e)) > 0) {
			struct jhold h;
			struct span base;
			uint64_t b;
			uint32_t uid;

			rc = 0;
			VEC_GROW(v, n, cap);
			if (!codec_get_key_hold(journal_span(r.key), &b, &uid,
				&base) ||
			    !codec_get_hold(mem, journal_span(r.value), &h)) {
				rc = journal_damaged(j,
				    "a held message does not decode", e);
				break;
			}
			h.uid = uid;
			h.base = arena_span(mem, base);
			v[n++] = h;
		}
		rows_close(&r);
		journal_end_read(j, txn);
	}
	if (rc == 0) {
		*v_r = arena_array(mem, n + 1, sizeof *v);
		if (n)
			memcpy(*v_r, v, n * sizeof *v);
		*n_r = n;
	}
	xfree(v);
	buf_release(&prefix);
	return rc;
}

/* The row that a key of "size" stands for. */
static int
row_of(const struct journal *j, MDB_txn *txn, struct span size_key,
    struct arena *mem, struct jfound *f_r, struct err *e)
{
	struct jfound f;
	uint64_t size;
	uint32_t uid;
	MDB_val key, v;
	struct buf k;
	int rc;

	if (!codec_get_key_size(size_key, &size, &f.box, &uid))
		return journal_damaged(j, "a size does not decode", e);
	buf_init(&k, 16);
	codec_key_pair(&k, f.box, uid);
	key = journal_val(buf_span(&k));
	rc = mdb_get(txn, j->dbi[T_PAIR], &key, &v);
	buf_release(&k);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return journal_mdb_error(j, rc, "read", e);
	if (rc == MDB_NOTFOUND ||
	    !codec_get_pair(mem, journal_span(v), &f.row) ||
	    f.row.size != size)
		return journal_damaged(j, "a size without its message", e);
	f.row.uid = uid;
	*f_r = f;
	return 0;
}

int
journal_rows_of_size(struct journal *j, uint64_t size, size_t max,
    struct arena *mem, struct jfound **v_r, size_t *n_r, struct err *e)
{
	struct jfound *v = NULL;
	size_t n = 0, cap = 0;
	struct rows r = {.cursor = NULL};
	struct buf prefix;
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(j, &txn, e);

	buf_init(&prefix, 16);
	codec_put_u64(&prefix, size);
	if (rc == 0 && txn && j->format >= 2) {
		rc = rows_open(j, txn, T_SIZE, buf_span(&prefix), &r, e);
		while (rc == 0 && n < max && (rc = rows_next(j, &r, e)) > 0) {
			VEC_GROW(v, n, cap);
			rc = row_of(j, txn, journal_span(r.key), mem, &v[n],
			    e);
			n += rc == 0;
		}
		rows_close(&r);
		j->touched += n;
	}
	journal_end_read(j, txn);
	if (rc == 0) {
		*v_r = arena_array(mem, n + 1, sizeof *v);
		if (n)
			memcpy(*v_r, v, n * sizeof *v);
		*n_r = n;
	}
	xfree(v);
	buf_release(&prefix);
	return rc;
}
