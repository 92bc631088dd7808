/*
 * The file names of all rows of a mailbox, in memory that does not grow.
 *
 *  1. A name is lent out of LMDB's map, until the next one: the transaction is
 *     open as long as the walk.
 *  2. Pages of the map that were looked at count as memory of this process
 *     until the kernel wants them back, which for a million rows is hundreds
 *     of megabytes.  So they are let go of while we walk.  That loses nothing:
 *     the map is shared and never written through (no MDB_WRITEMAP), so a page
 *     that is wanted again comes from the page cache.
 */
#include "journal/internal.h"

#include <sys/mman.h>
#include <unistd.h>

/* Pages of rows between two letting-goes; each may have brought 16. */
#define PAGES 256

struct journal_files {
	struct journal *j;
	MDB_txn *txn; /* NULL: there is nothing */
	MDB_cursor *cursor;
	uint64_t box;
	bool begun;
	uintptr_t page_size;
	uintptr_t lo, hi; /* addresses of what was looked at; lo 0: none */
	uintptr_t last;	  /* the page of the last row */
	unsigned pages;
};

int
journal_files_begin(
    struct journal *j, uint64_t box, struct journal_files **w_r, struct err *e)
{
	struct journal_files *w = xcalloc(1, sizeof *w);
	int rc;

	w->j = j;
	j->walks++;
	w->box = box;
	w->page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (journal_begin_read(j, &w->txn, e) < 0) {
		journal_files_end(&w);
		return e->code;
	}
	if (w->txn) {
		rc = mdb_cursor_open(w->txn, j->dbi[T_PAIR], &w->cursor);
		if (rc != 0) {
			journal_files_end(&w);
			return journal_mdb_error(j, rc, "read", e);
		}
	}
	*w_r = w;
	return 0;
}

static void
let_go(struct journal_files *w)
{
	if (w->lo)
		(void)madvise((void *)w->lo, w->hi - w->lo, MADV_DONTNEED);
	w->lo = w->hi = w->last = 0;
	w->pages = 0;
}

/* Rule 2; S lies in the map, and the map is made of whole pages. */
static void
looked_at(struct journal_files *w, struct span s)
{
	uintptr_t mask = ~(w->page_size - 1);
	uintptr_t from = (uintptr_t)s.p & mask;
	uintptr_t to = ((uintptr_t)s.p + s.n + w->page_size - 1) & mask;

	if (from == w->last)
		return;
	w->last = from;
	if (w->lo == 0 || from < w->lo)
		w->lo = from;
	if (to > w->hi)
		w->hi = to;
	w->pages++;
}

static int
seek(struct journal_files *w, MDB_val *key, MDB_val *value)
{
	struct buf k;
	int rc;

	if (w->begun)
		return mdb_cursor_get(w->cursor, key, value, MDB_NEXT);
	w->begun = true;
	buf_init(&k, 16);
	codec_key_box(&k, w->box);
	*key = journal_val(buf_span(&k));
	rc = mdb_cursor_get(w->cursor, key, value, MDB_SET_RANGE);
	buf_release(&k);
	return rc;
}

int
journal_files_next(struct journal_files *w, struct arena *mem,
    struct jfile *f_r, struct err *e)
{
	struct jfile f;
	MDB_val key, value;
	uint64_t box;
	int rc;

	if (!w->txn)
		return 0;
	/* not before the caller is done with the last name */
	if (w->pages >= PAGES)
		let_go(w);
	rc = seek(w, &key, &value);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return journal_mdb_error(w->j, rc, "read", e);
	looked_at(w, journal_span(value));
	if (!codec_get_key_pair(journal_span(key), &box, &f.uid))
		return journal_damaged(w->j, "a key does not decode", e);
	if (box != w->box)
		return 0;
	if (!codec_get_pair_file(mem, journal_span(value), &f.file, &f.l))
		return journal_damaged(w->j, "a message does not decode", e);
	*f_r = f;
	return 1;
}

void
journal_files_end(struct journal_files **w)
{
	struct journal_files *x = *w;

	if (!x)
		return;
	let_go(x);
	x->j->walks--;
	if (x->cursor)
		mdb_cursor_close(x->cursor);
	journal_end_read(x->j, x->txn);
	xfree(x);
	*w = NULL;
}
