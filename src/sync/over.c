/*
 * over: what is gone here may have got the name of another file.
 *
 * Who renames a file over another one, or into another mailbox under a name
 * that was there, has one message in the place of another: its own name is
 * gone, and the one that it has now is known.  A delete on the server would be
 * of the wrong message.  The names of a directory that changed are read
 * without a look at the files; but the directory tells their inodes, and rows
 * have those of what is gone.
 *
 * So, where something is to be deleted on the server and its inode is that of
 * a file whose row has another one, the delete waits for the next pass, which
 * looks at each file of that mailbox.  Two files that exchange their names
 * leave no name that is gone: --full finds them, and so does a run in which the
 * message of one is gone there (local.c, is_another).
 */
#include "sync/internal.h"

#include "base/map.h"

static bool
is_gone_here(const struct op *op)
{
	return op->kind == OP_RDELETE && op->row.ino != 0 &&
	       (op->why == CASE_L_GONE || op->why == CASE_L_GONE_R_FLAGS);
}

/* UIDs of the rows of B that have the name of a file of V. */
static int
rows_named(struct run *r, const struct sbox *b, const struct lview *v,
    struct uidset *uids, struct err *e)
{
	struct journal_files *w = NULL;
	struct arena mem;
	struct map names;
	struct jfile f;
	uint64_t at;
	int rc = journal_files_begin(r->j, b->j.id, &w, e);

	arena_init(&mem);
	map_init(&names);
	for (size_t i = 0; i < v->n; i++)
		map_add(&names, v->v[i].file, i);
	while (rc == 0 && (rc = journal_files_next(w, &mem, &f, e)) > 0) {
		rc = 0;
		if (map_get(&names, f.file, &at))
			uidset_add(uids, f.uid);
		arena_clear(&mem);
	}
	journal_files_end(&w);
	map_release(&names);
	arena_release(&mem);
	return rc;
}

/* Those of GONE that are under the name of another message of B, into FOUND. */
static int
find_in(struct run *r, struct sbox *b, const struct map *gone,
    struct map *found, struct err *e)
{
	struct lview v = {0};
	struct pairs rows = {0};
	struct uidset uids;
	int rc = maildir_with_inodes(r->m, b->j.path, gone, &r->pass, &v, e);

	uidset_init(&uids);
	if (rc == 0 && v.n > 0)
		rc = rows_named(r, b, &v, &uids, e);
	if (rc == 0 && uids.n > 0)
		rc = journal_pairs_in(
		    r->j, b->j.id, &uids, &r->pass, &rows, e);
	for (size_t i = 0; i < rows.n && rc == 0; i++)
		for (size_t k = 0; k < v.n; k++) {
			const struct pair *row = &rows.v[i];

			if (!span_eq(v.v[k].file, row->file) ||
			    row->ino == 0 || row->ino == v.v[k].ino)
				continue;
			map_set_u64(found, v.v[k].ino, 1);
			b->look_all = b->rescan = b->undone = true;
		}
	uidset_release(&uids);
	return rc;
}

int
putoff_over(struct run *r, struct err *e)
{
	struct map gone, found;
	uint64_t one;
	int rc = 0;

	map_init(&gone);
	map_init(&found);
	for (size_t i = 0; i < r->plan.n; i++)
		if (is_gone_here(&r->plan.op[i]))
			map_set_u64(&gone, r->plan.op[i].row.ino, 1);
	for (size_t i = 0; i < r->nbox && gone.n > 0 && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		/* the others did not change, or each file was looked at */
		if (!b->observed || b->failed || !b->l.delta ||
		    !maildir_inodes_stay(r->m))
			continue;
		rc = find_in(r, b, &gone, &found, e);
		if (rc != 0)
			rc = report_contain(r, b, e);
	}
	for (size_t i = 0; i < r->plan.n && found.n > 0; i++) {
		struct op *op = &r->plan.op[i];

		if (!is_gone_here(op) ||
		    !map_get_u64(&found, op->row.ino, &one))
			continue;
		r->box[op->box].rescan = true;
		putoff_op(r, op);
	}
	map_release(&found);
	map_release(&gone);
	return rc;
}
