/*
 * sizes: what the server is asked for of each new message, and a message at
 * which it ends the connection then.
 *
 *  1. Dovecot, as it is set up, ends it when it cannot read the file.  If it did
 *     so in each run, nothing would ever be synced.  So what was to come next is
 *     suspect, and from then on it is measured at the end of each run, alone
 *     (JHOLD_UNSIZED; run.c, next_suspects).
 *  2. Nobody knows which UIDs a mailbox has while it is listed.  So where there
 *     is such a suspect, it is listed without sizes, and all others are then
 *     measured by their UIDs.
 *  3. Of a mailbox that was listed with sizes, what is suspect is the number
 *     behind the last one that came.  If there is no such UID, the next run
 *     finds the right one by rule 2, and this one is forgotten with the listing
 *     that lacks it (holds_drop_old).
 *  4. What may be it waits until then (putoff.c, rule 6).
 */
#include "sync/internal.h"

void
sizes_ended(struct run *r, struct sbox *b, uint32_t uid, struct err *e)
{
	holds_ended_measuring(r, b, uid, e);
	if (uid && e->scope == ERR_SCOPE_CONN)
		err_wrap(e, "%.*s: when the size of uid %u was asked for",
		    SPAN_ARG(b->j.name), uid);
}

/* SET NULL: all. */
static int
fetch(struct run *r, struct sbox *b, const struct uidset *set, bool with_size,
    struct rview *view, struct err *e)
{
	int rc = imap_fetch_meta(
	    r->imap, set, !set, with_size, &r->pass, view, e);

	if (rc != 0 && e->scope >= ERR_SCOPE_CONN)
		sizes_ended(r, b, imap_pending(r->imap), e);
	return rc;
}

int
sizes_fetch(struct run *r, struct sbox *b, const struct uidset *set,
    struct rview *view, struct err *e)
{
	int rc;

	if (set->n == 0)
		return 0;
	rc = observe_reopen(r, b, e);
	return rc == 0 ? fetch(r, b, set, true, view, e) : rc;
}

int
sizes_fetch_all(struct run *r, struct sbox *b, bool with_size, struct err *e)
{
	return fetch(r, b, NULL, with_size, &b->r, e);
}

bool
sizes_apart(const struct sbox *b)
{
	return holds_any(b, jhold_is_unsized);
}

int
sizes_listed(struct run *r, struct sbox *b, struct err *e)
{
	struct uidset set;
	int rc;

	uidset_init(&set);
	for (size_t i = 0; i < b->r.n; i++) {
		uint32_t uid = b->r.v[i].uid;
		const struct jhold *h = holds_find(b, uid, SPAN_NONE);

		if (!h || !jhold_is_unsized(h))
			uidset_add(&set, uid);
	}
	rc = sizes_fetch(r, b, &set, &b->r, e);
	rview_sort(&b->r);
	uidset_release(&set);
	return rc;
}
