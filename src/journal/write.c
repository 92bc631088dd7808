/*
 * Rules of this file:
 *  1. A batch is written whole or not at all, in one transaction, durable on
 *     return.  LMDB makes the new pages durable before it writes the header
 *     that leads to them, through a descriptor that is O_DSYNC: a power cut
 *     leaves this transaction or the one before.  So what the batch speaks of
 *     must be durable before it is committed; nothing here can wait for it.
 *  2. Puts that change nothing are not written, and a batch of only such puts
 *     leaves no transaction behind.
 *  3. When the map is full the transaction is given up, the map grows, and
 *     the same puts are made again.
 *  4. Puts are made in the order of their keys, as far as nothing forbids it:
 *     rows that come newest first would else leave each page half empty.
 *  5. A row's size is in T_SIZE exactly as long as the row is in T_PAIR.
 */
#include "journal/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum put_kind { PUT, DEL, DEL_PREFIX };

struct put {
	enum put_kind kind;
	enum table table;
	struct span key, value; /* in the batch's arena */
	size_t at; /* in the order of putting */
};

struct journal_batch {
	struct journal *j;
	const struct kwtab *kw;
	struct arena mem;
	struct put *v; /* owned */
	size_t n, cap;
	bool toobig; /* some value was: nothing is written */
};

struct journal_batch *
journal_begin(struct journal *j, const struct kwtab *kw)
{
	struct journal_batch *b = xcalloc(1, sizeof *b);

	b->j = j;
	b->kw = kw;
	arena_init(&b->mem);
	return b;
}

void
journal_batch_free(struct journal_batch **b)
{
	if (!*b)
		return;
	arena_release(&(*b)->mem);
	xfree((*b)->v);
	xfree(*b);
	*b = NULL;
}

size_t
journal_batch_size(const struct journal_batch *b)
{
	return b->n;
}

/* KEY and VALUE are released. */
static void
add(struct journal_batch *b, enum put_kind kind, enum table t,
    struct buf *key, struct buf *value)
{
	struct put p = {.kind = kind, .table = t,
	    .key = arena_span(&b->mem, buf_span(key))};

	if (value) {
		b->toobig |= value->toobig;
		p.value = arena_span(&b->mem, buf_span(value));
		buf_release(value);
	}
	buf_release(key);
	VEC_GROW(b->v, b->n, b->cap);
	b->v[b->n++] = p;
}

static struct buf
box_key(uint64_t box)
{
	struct buf k;

	buf_init(&k, 512);
	codec_key_box(&k, box);
	return k;
}

uint64_t
journal_put_box(struct journal_batch *b, const struct jbox *box)
{
	uint64_t id = box->id;
	struct buf key, value;

	/* Also when the batch comes to nothing, the number is used up. */
	if (id == 0)
		id = b->j->next_box++;
	key = box_key(id);
	buf_init(&value, JOURNAL_VALUE_MAX);
	codec_put_box(&value, box);
	add(b, PUT, T_MAILBOX, &key, &value);
	return id;
}

void
journal_del_box(struct journal_batch *b, uint64_t id)
{
	static const enum table t[] = {T_MAILBOX, T_COUNT};
	struct buf key;

	journal_del_pairs(b, id);
	key = box_key(id);
	add(b, DEL_PREFIX, T_HOLD, &key, NULL);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		key = box_key(id);
		add(b, DEL, t[i], &key, NULL);
	}
}

static struct buf
pair_key(uint64_t box, uint32_t uid)
{
	struct buf k;

	buf_init(&k, 512);
	codec_key_pair(&k, box, uid);
	return k;
}

void
journal_put_pair(struct journal_batch *b, uint64_t box, const struct pair *row)
{
	struct buf key = pair_key(box, row->uid), value;

	buf_init(&value, JOURNAL_VALUE_MAX);
	codec_put_pair(&value, row);
	add(b, PUT, T_PAIR, &key, &value);
}

void
journal_del_pair(struct journal_batch *b, uint64_t box, uint32_t uid)
{
	struct buf key = pair_key(box, uid);

	add(b, DEL, T_PAIR, &key, NULL);
}

void
journal_del_pairs(struct journal_batch *b, uint64_t box)
{
	struct buf key = box_key(box);

	add(b, DEL_PREFIX, T_PAIR, &key, NULL);
}

static struct buf
hold_key(uint64_t box, uint32_t uid, struct span base)
{
	struct buf k;

	buf_init(&k, 512);
	codec_key_hold(&k, box, uid, base);
	return k;
}

void
journal_put_hold(struct journal_batch *b, uint64_t box, const struct jhold *h)
{
	struct buf key = hold_key(box, h->uid, h->base), value;

	buf_init(&value, JOURNAL_VALUE_MAX);
	codec_put_hold(&value, h);
	add(b, PUT, T_HOLD, &key, &value);
}

void
journal_del_hold(struct journal_batch *b, uint64_t box, uint32_t uid,
    struct span base)
{
	struct buf key = hold_key(box, uid, base);

	add(b, DEL, T_HOLD, &key, NULL);
}

/* VALUE as in add(). */
static void
add_meta(struct journal_batch *b, struct span name, struct buf *value)
{
	struct buf key;

	buf_init(&key, 16);
	buf_add_span(&key, name);
	add(b, PUT, T_META, &key, value);
}

void
journal_put_left_out(struct journal_batch *b, uint64_t bits)
{
	struct buf value;

	buf_init(&value, 16);
	codec_put_u64(&value, bits);
	add_meta(b, SPAN("left-out"), &value);
}

static void
put_text(struct journal_batch *b, struct span name, struct span text)
{
	struct buf value;

	buf_init(&value, JOURNAL_VALUE_MAX);
	buf_add_span(&value, text);
	add_meta(b, name, &value);
}

void
journal_put_owner(struct journal_batch *b, struct journal_owner o)
{
	put_text(b, SPAN("user"), o.user);
	put_text(b, SPAN("host"), o.host);
	put_text(b, SPAN("maildir"), o.maildir);
}

static int
by_key(const void *a, const void *b)
{
	const struct put *x = a, *y = b;
	int way;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	way = span_cmp(x->key, y->key);
	if (way != 0)
		return way;
	/* several of one key: the last one counts */
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Rule 4. */
static void
sort_puts(struct journal_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].kind == DEL_PREFIX)
			return; /* before what comes behind it */
		b->v[i].at = i;
	}
	qsort(b->v, b->n, sizeof *b->v, by_key);
}

/* One attempt to write the batch. */
struct writing {
	struct journal_batch *b;
	struct journal *j;
	MDB_txn *txn;
	bool changed;
	/* Rows more or less of the mailbox that the last row belonged to. */
	uint64_t box;
	int64_t delta;
};

static int
write_count(struct writing *w)
{
	MDB_val key, v;
	struct buf k, value;
	uint64_t n = 0;
	int rc;

	if (w->delta == 0)
		return 0;
	k = box_key(w->box);
	buf_init(&value, 16);
	key = journal_val(buf_span(&k));
	rc = mdb_get(w->txn, w->j->dbi[T_COUNT], &key, &v);
	if (rc == 0 && !codec_get_u64(journal_span(v), &n))
		rc = MDB_CORRUPTED;
	if (rc == MDB_NOTFOUND)
		rc = 0;
	if (rc == 0 && w->delta < 0 && n < (uint64_t)-w->delta)
		rc = MDB_CORRUPTED;
	if (rc == 0) {
		codec_put_u64(&value, n + (uint64_t)w->delta);
		v = journal_val(buf_span(&value));
		rc = mdb_put(w->txn, w->j->dbi[T_COUNT], &key, &v, 0);
	}
	w->delta = 0;
	buf_release(&k);
	buf_release(&value);
	return rc;
}

static int
count_row(struct writing *w, struct span key, int change)
{
	uint64_t box;
	uint32_t uid;
	int rc = 0;

	if (!codec_get_key_pair(key, &box, &uid))
		return MDB_CORRUPTED;
	if (box != w->box) {
		rc = write_count(w);
		w->box = box;
	}
	w->delta += change;
	return rc;
}

/* Rule 5.  ROW: key and value in T_PAIR, from the batch or from LMDB. */
static int
write_size(struct writing *w, struct span k, struct span row, bool there)
{
	MDB_val key, none = {0};
	uint64_t size, box;
	uint32_t uid;
	struct buf b;
	int rc;

	if (!codec_get_key_pair(k, &box, &uid) ||
	    !codec_get_pair_size(row, &size))
		return MDB_CORRUPTED;
	buf_init(&b, 32);
	codec_key_size(&b, size, box, uid);
	key = journal_val(buf_span(&b));
	if (there)
		rc = mdb_put(w->txn, w->j->dbi[T_SIZE], &key, &none, 0);
	else
		rc = mdb_del(w->txn, w->j->dbi[T_SIZE], &key, NULL);
	buf_release(&b);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

/* OLD: the row as it was, .p NULL when there was none. */
static int
put_size(struct writing *w, struct span k, struct span old, struct span row)
{
	uint64_t was, is;
	int rc = 0;

	if (old.p && codec_get_pair_size(old, &was) &&
	    codec_get_pair_size(row, &is) && was == is)
		return 0;
	if (old.p)
		rc = write_size(w, k, old, false);
	return rc == 0 ? write_size(w, k, row, true) : rc;
}

static int
put_one(struct writing *w, enum table t, struct span k, struct span value)
{
	MDB_val key = journal_val(k), v = {0};
	int rc = mdb_get(w->txn, w->j->dbi[t], &key, &v);

	if (rc == 0 && span_eq(journal_span(v), value))
		return 0; /* rule 2 */
	if (rc == MDB_NOTFOUND) {
		v = (MDB_val){0};
		rc = t == T_PAIR ? count_row(w, k, 1) : 0;
	}
	if (rc == 0 && t == T_PAIR)
		rc = put_size(w, k, journal_span(v), value);
	if (rc != 0)
		return rc;
	w->changed = true;
	v = journal_val(value);
	return mdb_put(w->txn, w->j->dbi[t], &key, &v, 0);
}

static int
del_one(struct writing *w, enum table t, struct span k)
{
	MDB_val key = journal_val(k), v;
	uint64_t box;
	int rc;

	/* What was still to be added to it goes with it. */
	if (t == T_COUNT && codec_get_key_box(k, &box) && box == w->box)
		w->delta = 0;
	rc = mdb_get(w->txn, w->j->dbi[t], &key, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && t == T_PAIR)
		rc = write_size(w, k, journal_span(v), false);
	if (rc == 0 && t == T_PAIR)
		rc = count_row(w, k, -1);
	if (rc != 0)
		return rc;
	w->changed = true;
	return mdb_del(w->txn, w->j->dbi[t], &key, NULL);
}

/* A write to another table may move the bytes of KEY. */
static int
del_size_and_count(struct writing *w, struct span key, struct span row)
{
	struct buf k;
	int rc;

	buf_init(&k, 16);
	buf_add_span(&k, key);
	rc = write_size(w, buf_span(&k), row, false);
	if (rc == 0)
		rc = count_row(w, buf_span(&k), -1);
	buf_release(&k);
	return rc;
}

static int
del_prefix(struct writing *w, enum table t, struct span prefix)
{
	MDB_cursor *c;
	MDB_val key = journal_val(prefix), v;
	int rc = mdb_cursor_open(w->txn, w->j->dbi[t], &c);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE)) == 0 &&
	    span_starts(journal_span(key), prefix)) {
		/* Before the bytes of key and value may move. */
		if (t == T_PAIR)
			rc = del_size_and_count(w, journal_span(key),
			    journal_span(v));
		if (rc == 0)
			rc = mdb_cursor_del(c, 0);
		if (rc != 0)
			break;
		w->changed = true;
		key = journal_val(prefix);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_meta(struct writing *w, struct span name, uint64_t n)
{
	struct buf value;
	int rc;

	buf_init(&value, 16);
	codec_put_u64(&value, n);
	rc = put_one(w, T_META, name, buf_span(&value));
	buf_release(&value);
	return rc;
}

/* Names before the rows that could use their numbers. */
static int
put_keywords(struct writing *w)
{
	uint32_t n = w->b->kw ? kwtab_count(w->b->kw) : 0;
	int rc = 0;

	for (uint32_t id = w->j->keywords + 1; id <= n && rc == 0; id++) {
		struct buf key;

		buf_init(&key, 16);
		codec_put_u64(&key, id);
		rc = put_one(w, T_KEYWORD, buf_span(&key),
		    kwtab_name(w->b->kw, id));
		buf_release(&key);
	}
	return rc;
}

static int
write_all(struct writing *w)
{
	int rc = 0;

	for (size_t i = 0; i < w->b->n && rc == 0; i++) {
		const struct put *p = &w->b->v[i];

		if (p->kind == PUT)
			rc = put_one(w, p->table, p->key, p->value);
		else if (p->kind == DEL)
			rc = del_one(w, p->table, p->key);
		else
			rc = del_prefix(w, p->table, p->key);
	}
	if (rc == 0)
		rc = write_count(w);
	if (rc == 0 && w->changed) {
		rc = put_keywords(w);
		if (rc == 0)
			rc = put_meta(w, SPAN("format"), JOURNAL_FORMAT);
		if (rc == 0)
			/* The journal's, not the batch's: others gave some. */
			rc = put_meta(w, SPAN("next-box"), w->j->next_box);
	}
	return rc;
}

/* LMDB's answer; *changed_r when something was committed. */
static int
attempt(struct journal_batch *b, bool *changed_r)
{
	struct writing w = {.b = b, .j = b->j};
	int rc = b->j->tables ? journal_fresh_map(b->j) : 0;

	if (rc == 0)
		rc = journal_begin_txn(b->j, 0, &w.txn);
	if (rc != 0)
		return rc;
	b->j->touched += b->n;
	if (!b->j->tables)
		rc = journal_open_tables(b->j, w.txn, true);
	if (rc == 0)
		rc = write_all(&w);
	if (rc != 0 || !w.changed) {
		mdb_txn_abort(w.txn);
		return rc;
	}
	rc = mdb_txn_commit(w.txn);
	*changed_r = rc == 0;
	return rc;
}

/* LMDB takes a write that was cut short, as by a full disk, for EIO. */
static int
is_it_full(const struct journal *j, int rc)
{
	struct statvfs fs;

	if (rc == EIO && statvfs(j->dir, &fs) == 0 && fs.f_bavail == 0)
		return ENOSPC;
	return rc;
}

int
journal_write_error(const struct journal *j, int rc, struct err *e)
{
	return journal_mdb_error(j, is_it_full(j, rc), "write", e);
}

static int
write_batch(struct journal_batch *b, bool *changed_r, struct err *e)
{
	struct journal *j = b->j;
	int rc;

	if (b->toobig)
		return err_set(e, ERR_TOOBIG, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "journal '%s': a row is larger than %u bytes", j->dir,
		    JOURNAL_VALUE_MAX);
	sort_puts(b);
	rc = j->read_only ? MDB_BAD_TXN : attempt(b, changed_r);
	while (rc == MDB_MAP_FULL && (rc = journal_grow(j)) == 0)
		rc = attempt(b, changed_r); /* rule 3 */
	if (rc == 0)
		return 0;
	j->sound = false;
	return journal_write_error(j, rc, e);
}

int
journal_commit(struct journal_batch **batch, struct err *e)
{
	struct journal_batch *b = *batch;
	struct journal *j = b->j;
	bool changed = false;
	int rc = 0;

	if (b->n > 0)
		rc = write_batch(b, &changed, e);
	if (changed) {
		j->tables = true;
		if (b->kw && kwtab_count(b->kw) > j->keywords)
			j->keywords = kwtab_count(b->kw);
	}
	journal_batch_free(batch);
	return rc;
}
