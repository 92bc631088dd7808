/*
 * A run may write meanwhile, and what is held against each other here has to be
 * of one moment: all is read in one transaction.
 */
#include "journal/internal.h"

#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>

struct checking {
	struct journal *j;
	struct buf *out;
	uint64_t n;
	size_t keywords; /* that there are */
};

/* One line, with nothing in it that a terminal obeys. */
static void __attribute__((format(printf, 2, 3)))
finding(struct checking *c, const char *fmt, ...)
{
	va_list ap;
	char text[512];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_make_printable(text, n >= (int)sizeof text);
	buf_add_str(c->out, text);
	buf_addc(c->out, '\n');
	c->n++;
}

/* Damage is what is looked for here, so it ends nothing. */
static int
finding_if_damage(struct checking *c, const struct jbox *b, int rc,
    struct err *e)
{
	if (rc != ERR_JOURNAL)
		return rc;
	finding(c, "%.*s: %s", SPAN_ARG(b->name), e->text);
	err_clear(e);
	return 0;
}

static void
check_flags(struct checking *c, const struct jbox *b, uint32_t uid,
    struct flags f)
{
	for (uint32_t i = 0; i < f.n; i++)
		if (f.kw[i] > c->keywords)
			finding(c, "%.*s: uid %u: unknown keyword number %u",
			    SPAN_ARG(b->name), uid, f.kw[i]);
}

static void
check_letters(struct checking *c, const struct jbox *b)
{
	for (int i = 0; i < 26; i++) {
		uint32_t id = b->letters.id[i];

		if (id > c->keywords && id != KW_PASSED)
			finding(c, "%.*s: letter %c: unknown keyword number %u",
			    SPAN_ARG(b->name), 'a' + i, id);
	}
}

static void
check_rows(struct checking *c, const struct jbox *b, const struct pairs *p)
{
	struct map files;

	map_init(&files);
	if (p->n != b->rows)
		finding(c, "%.*s: %llu messages are counted, %zu are there",
		    SPAN_ARG(b->name), (unsigned long long)b->rows, p->n);
	for (size_t i = 0; i < p->n; i++) {
		const struct pair *row = &p->v[i];

		check_flags(c, b, row->uid, row->l);
		check_flags(c, b, row->uid, row->r);
		if (row->file.n && !map_add(&files, row->file, i))
			finding(c, "%.*s: uid %u: '%.*s' belongs to two UIDs",
			    SPAN_ARG(b->name), row->uid, SPAN_ARG(row->file));
	}
	map_release(&files);
}

static int
check_box(struct checking *c, const struct jbox *b, struct err *e)
{
	struct arena mem;
	struct jhold *holds;
	struct pairs p;
	size_t n;
	int rc;

	arena_init(&mem);
	check_letters(c, b);
	rc = journal_pairs(c->j, b->id, &mem, &p, e);
	if (rc == 0)
		check_rows(c, b, &p);
	rc = finding_if_damage(c, b, rc, e);
	if (rc == 0) {
		rc = journal_holds(c->j, b->id, &mem, &holds, &n, e);
		rc = finding_if_damage(c, b, rc, e);
	}
	arena_release(&mem);
	return rc;
}

/*
 * Rows of a table whose mailbox is not there, one finding for each such
 * mailbox.  IDS: those that are.
 */
static int
check_strays(struct checking *c, MDB_txn *txn, enum table t,
    const struct map *ids, struct err *e)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct buf k;
	uint64_t box, no;
	int rc = mdb_cursor_open(txn, c->j->dbi[t], &cursor);

	if (rc != 0)
		return journal_mdb_error(c->j, rc, "read", e);
	buf_init(&k, 16);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (rc == 0) {
		struct span id = journal_span(key);

		id.n = id.n < 8 ? id.n : 8;
		if (!codec_get_key_box(id, &box)) {
			finding(c, "table '%s': a key does not decode",
			    journal_table[t]);
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
			continue;
		}
		if (!map_get_u64(ids, box, &no))
			finding(c, "table '%s': there is no mailbox %llu",
			    journal_table[t], (unsigned long long)box);
		if (box == UINT64_MAX)
			break;
		buf_clear(&k);
		codec_key_box(&k, box + 1);
		key = journal_val(buf_span(&k));
		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	}
	mdb_cursor_close(cursor);
	buf_release(&k);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return journal_mdb_error(c->j, rc, "read", e);
	return 0;
}

/* Is KEY in table T?  *v_r: its value. */
static int
lookup(const struct checking *c, MDB_txn *txn, enum table t,
    const struct buf *key, MDB_val *v_r, bool *there_r, struct err *e)
{
	MDB_val k = journal_val(buf_span(key));
	int rc = mdb_get(txn, c->j->dbi[t], &k, v_r);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return journal_mdb_error(c->j, rc, "read", e);
	*there_r = rc == 0;
	return 0;
}

/* A row that does not decode has been found already: it has no size. */
static int
check_row_has_size(struct checking *c, MDB_txn *txn, struct span key,
    struct span row, uint64_t *n, struct err *e)
{
	uint64_t size, box;
	uint32_t uid;
	struct buf k;
	bool there;
	MDB_val v;
	int rc;

	if (!codec_get_key_pair(key, &box, &uid) ||
	    !codec_get_pair_size(row, &size))
		return 0;
	buf_init(&k, 32);
	codec_key_size(&k, size, box, uid);
	rc = lookup(c, txn, T_SIZE, &k, &v, &there, e);
	buf_release(&k);
	if (rc < 0)
		return rc;
	*n += there;
	if (!there)
		finding(c, "table 'size': mailbox %llu, uid %u is not in it",
		    (unsigned long long)box, uid);
	return 0;
}

static int
check_size_has_row(struct checking *c, MDB_txn *txn, struct span key,
    struct err *e)
{
	uint64_t size, box, is;
	uint32_t uid;
	struct buf k;
	bool there;
	MDB_val v;
	int rc;

	if (!codec_get_key_size(key, &size, &box, &uid)) {
		finding(c, "table 'size': a key does not decode");
		return 0;
	}
	buf_init(&k, 16);
	codec_key_pair(&k, box, uid);
	rc = lookup(c, txn, T_PAIR, &k, &v, &there, e);
	buf_release(&k);
	if (rc == 0 && there && codec_get_pair_size(journal_span(v), &is))
		there = is == size;
	if (rc == 0 && !there)
		finding(c,
		    "table 'size': mailbox %llu, uid %u has no row of %llu "
		    "octets",
		    (unsigned long long)box, uid, (unsigned long long)size);
	return rc;
}

/* *n: keys of T_SIZE that are right (T_PAIR is walked). */
static int
walk_sizes(struct checking *c, MDB_txn *txn, enum table t, uint64_t *n,
    struct err *e)
{
	MDB_cursor *cursor;
	MDB_val key, v;
	int rc = mdb_cursor_open(txn, c->j->dbi[t], &cursor), err = 0;

	if (rc != 0)
		return journal_mdb_error(c->j, rc, "read", e);
	while (err == 0 &&
	    (rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0)
		err = t == T_PAIR
		    ? check_row_has_size(c, txn, journal_span(key),
			  journal_span(v), n, e)
		    : check_size_has_row(c, txn, journal_span(key), e);
	mdb_cursor_close(cursor);
	if (err == 0 && rc != MDB_NOTFOUND)
		return journal_mdb_error(c->j, rc, "read", e);
	return err;
}

/*
 * One key for each row.  Keys to spare are looked for only when there are
 * more than the rows account for.
 */
static int
check_sizes(struct checking *c, MDB_txn *txn, struct err *e)
{
	uint64_t n = 0;
	MDB_stat st;
	int rc;

	if (c->j->format < 2)
		return 0;
	rc = mdb_stat(txn, c->j->dbi[T_SIZE], &st);
	if (rc != 0)
		return journal_mdb_error(c->j, rc, "stat", e);
	rc = walk_sizes(c, txn, T_PAIR, &n, e);
	if (rc == 0 && n != st.ms_entries)
		rc = walk_sizes(c, txn, T_SIZE, &n, e);
	return rc;
}

static int
check_tables(struct checking *c, const struct map *ids, struct err *e)
{
	static const enum table t[] = {T_COUNT, T_PAIR, T_HOLD};
	MDB_txn *txn = NULL;
	int rc = journal_begin_read(c->j, &txn, e);

	if (rc < 0 || !txn)
		return rc;
	for (size_t i = 0; rc == 0 && i < sizeof t / sizeof *t; i++)
		rc = check_strays(c, txn, t[i], ids, e);
	if (rc == 0)
		rc = check_sizes(c, txn, e);
	journal_end_read(c->j, txn);
	return rc;
}

/* From here on the journal is as it is now. */
static int
freeze(struct checking *c, struct err *e)
{
	MDB_stat st;
	int rc;

	if (journal_begin_read(c->j, &c->j->frozen, e) < 0)
		return e->code;
	if (!c->j->frozen)
		return 0;
	rc = mdb_stat(c->j->frozen, c->j->dbi[T_KEYWORD], &st);
	if (rc != 0)
		return journal_mdb_error(c->j, rc, "stat", e);
	c->keywords = st.ms_entries;
	return 0;
}

static void
unfreeze(struct checking *c)
{
	MDB_txn *txn = c->j->frozen;

	c->j->frozen = NULL;
	journal_end_read(c->j, txn);
}

int
journal_check(struct journal *j, struct buf *out, uint64_t *n_r,
    struct err *e)
{
	struct checking c = {.j = j, .out = out};
	struct arena mem;
	struct map paths, ids;
	struct jbox *v;
	size_t n = 0;
	int rc;

	arena_init(&mem);
	map_init(&paths);
	map_init(&ids);
	rc = freeze(&c, e);
	if (rc == 0)
		rc = journal_boxes(j, &mem, &v, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		map_set_u64(&ids, v[i].id, i);
		if (!map_add(&paths, v[i].path, i))
			finding(&c, "%.*s: two mailboxes share a directory",
			    SPAN_ARG(v[i].name));
		rc = check_box(&c, &v[i], e);
	}
	if (rc == 0)
		rc = check_tables(&c, &ids, e);
	unfreeze(&c);
	map_release(&paths);
	map_release(&ids);
	arena_release(&mem);
	if (rc == 0)
		*n_r = c.n;
	return rc;
}
