#include "journal/internal.h"

static int
get_text(const struct journal *j, MDB_txn *txn, struct span name,
    struct arena *mem, struct span *s_r)
{
	MDB_val key = journal_val(name), v;
	int rc = mdb_get(txn, j->dbi[T_META], &key, &v);

	if (rc == 0)
		*s_r = arena_span(mem, journal_span(v));
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
journal_owner(struct journal *j, struct arena *mem,
    struct journal_owner *o_r, struct err *e)
{
	struct journal_owner o = {SPAN(""), SPAN(""), SPAN("")};
	MDB_txn *txn;
	int rc = journal_begin_read(j, &txn, e);

	if (rc != 0)
		return rc;
	if (txn) {
		rc = get_text(j, txn, SPAN("user"), mem, &o.user);
		if (rc == 0)
			rc = get_text(j, txn, SPAN("host"), mem, &o.host);
		if (rc == 0)
			rc = get_text(j, txn, SPAN("maildir"), mem,
			    &o.maildir);
		journal_end_read(j, txn);
	}
	if (rc != 0)
		return journal_mdb_error(j, rc, "read", e);
	*o_r = o;
	return 0;
}
