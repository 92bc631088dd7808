/*
 * whose: is the journal that of what the configuration says?
 */
#include "sync/internal.h"

/* layout.h, rules 4 and 6: nothing in nested begins with a dot. */
static enum layout
layout_of(struct span path)
{
	return path.n == 0 || path.p[0] == '.' ? LAYOUT_MAILDIRPP
					       : LAYOUT_NESTED;
}

/*
 * In another layout none of the directories is where it was, so all of them
 * would count as deleted; and the root of a Maildir++ is its inbox.
 */
int
whose_layout(struct run *r, struct err *e)
{
	static const char *const word[] = {
	    [LAYOUT_NESTED] = "nested", [LAYOUT_MAILDIRPP] = "maildir++"};
	struct jbox *v;
	size_t n = 0;
	int rc = journal_boxes(r->j, &r->mem, &v, &n, e);

	if (rc != 0 || n == 0 || layout_of(v[0].path) == r->a->layout)
		return rc;
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "the configuration says 'layout: %s', but the account was synced "
	    "as %s; nothing is done; put the layout back, or move the "
	    "directories to their new places and remove the account's journal "
	    "'%s/journal'",
	    word[r->a->layout], word[layout_of(v[0].path)], r->a->state_dir);
}

/*
 * Before the first sync: of a Maildir++ that is read as nested, nothing would
 * be seen, and all be fetched beside it.
 */
void
whose_inbox_is_root(struct run *r)
{
	struct maildir_stamp stamp;
	struct err none;

	if (r->m && r->a->layout == LAYOUT_NESTED &&
	    maildir_stamp(r->m, SPAN(""), &stamp, &none) == 0)
		log_warn(r->o->log,
		    "%s: the root of the Maildir has cur/ and new/, whose "
		    "messages are in no mailbox; if this is its inbox, set "
		    "'layout: maildir++'",
		    r->a->name);
}
