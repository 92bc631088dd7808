/*
 * whose: is the journal that of what the configuration says?
 */
#include "sync/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Mailboxes that are looked into. */
#define LOOK_INTO 8

static const char *const word[] = {
    [LAYOUT_NESTED] = "nested", [LAYOUT_MAILDIRPP] = "maildir++"};

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

/* Is something at PATH that is, or may be, a Maildir with mailboxes? */
static int
has_mailboxes(struct run *r, struct span path, bool *is_r, struct err *e)
{
	struct maildir_dir *v;
	AUTO(maildir) m = NULL;
	size_t n = 0;
	int rc = maildir_open(&m, path.p, r->a->layout, e);

	*is_r = false;
	if (rc != 0 && (e->sys == ENOENT || e->sys == ENOTDIR)) {
		err_clear(e);
		return 0;
	}
	if (rc == 0) {
		maildir_set_cancel(m, r->o->cancel);
		rc = maildir_list(m, &r->mem, &v, &n, e);
	}
	*is_r = n > 0;
	return rc;
}

static bool
is_one_directory(const char *a, const char *b)
{
	struct stat x, y;

	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/*
 * Of two Maildirs, of two configurations in which the account has one name,
 * what has been fetched into one would count as deleted in the other.  One
 * that was moved is not where it was any more, and a journal that was copied
 * may be that of the copy.
 */
int
whose_maildir(struct run *r, struct err *e)
{
	struct span was = r->owner.maildir;
	bool two = false;
	int rc;

	if (!r->m || was.n == 0 || journal_written_ns(r->j) == 0 ||
	    is_one_directory(was.p, r->a->maildir))
		return 0;
	rc = has_mailboxes(r, was, &two, e);
	if (rc != 0 || !two)
		return rc;
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "the journal '%s/journal' is that of the Maildir '%.*s', which is "
	    "still there, and the configuration says '%s'; nothing is done; a "
	    "second Maildir needs an account of another name, or a state_dir "
	    "of its own; if it is to take the place of the first, move that "
	    "away",
	    r->a->state_dir, SPAN_ARG(was), r->a->maildir);
}

static int
most_rows_first(const void *a, const void *b)
{
	const struct jbox *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows < y->rows ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/*
 * Of the largest mailboxes, is at least half there, with the messages that
 * the rows say?  Numbers alone are no answer: some servers give all mailboxes
 * the same UIDVALIDITY.  But of those that have another one, none of whose
 * messages counts as ours, one that is as it was is enough.
 */
static int
borne_out(struct run *r, bool *is_r, struct err *e)
{
	size_t n = 0, looked = 0, same = 0;
	struct jbox *v;
	int rc = journal_boxes(r->j, &r->mem, &v, &n, e);

	if (rc != 0)
		return rc;
	qsort(v, n, sizeof *v, most_rows_first);
	for (size_t i = 0; i < n && i < LOOK_INTO && v[i].rows > 0; i++) {
		enum rename_look look = RENAME_OTHER;
		bool gone;
		struct arena mem;

		arena_init(&mem);
		rc = cancel_check(r->o->cancel, e);
		if (rc == 0)
			rc = rename_look_there(r, &v[i], v[i].wire, &mem,
			    &look, &gone, e);
		arena_release(&mem);
		if (rc != 0)
			return rc;
		looked += look != RENAME_ANEW;
		same += look == RENAME_SAME;
	}
	*is_r = n == 0 || v[0].rows == 0 || (same > 0 && 2 * same >= looked);
	return 0;
}

static int
set_owner(struct run *r, struct journal_owner now, struct err *e)
{
	const struct journal_owner *was = &r->owner;
	struct journal_batch *batch;

	if (r->o->dry_run ||
	    (span_eq(was->user, now.user) && span_eq(was->host, now.host) &&
		span_eq(was->maildir, now.maildir)))
		return 0;
	batch = journal_begin(r->j, r->kw);
	journal_put_owner(batch, now);
	return journal_commit(&batch, e);
}

/*
 * Of another account all is foreign: its messages would count as ours by their
 * UIDs, and what it lacks as deleted there.  But an account may have another
 * login, or its server another name, and be the same.
 */
int
whose_account(struct run *r, struct err *e)
{
	const struct journal_owner now = {span_str(r->a->user),
	    span_str(r->a->host), span_str(r->a->maildir)};
	const struct journal_owner was = r->owner;
	bool is = true;
	int rc = 0;

	if ((was.user.n > 0 && !span_eq(was.user, now.user)) ||
	    (was.host.n > 0 && !span_eq_case(was.host, now.host)))
		rc = borne_out(r, &is, e);
	if (rc != 0)
		return rc;
	if (is)
		return set_owner(r, now, e);
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "synced until now as '%.*s' at '%.*s', and the mail there is not "
	    "that of '%s' at '%s'; nothing is done; put that back, or, if both "
	    "sides are to have what either has, remove the account's journal "
	    "'%s/journal'",
	    SPAN_ARG(was.user), SPAN_ARG(was.host), r->a->user, r->a->host,
	    r->a->state_dir);
}

static bool
says_inbox_is_root(struct run *r)
{
	struct maildir_stamp stamp;
	struct err none;

	if (r->a->layout != LAYOUT_NESTED ||
	    maildir_stamp(r->m, SPAN(""), &stamp, &none) != 0)
		return false;
	log_warn(r->o->log,
	    "%s: the root of the Maildir has cur/ and new/, whose messages "
	    "are in no mailbox; if this is its inbox, set 'layout: maildir++'",
	    r->a->name);
	return true;
}

/*
 * Before the first sync: of a Maildir that is read in another layout than its
 * own, this or that would not be seen, and be fetched beside it.
 */
void
whose_other_layout(struct run *r)
{
	struct span first;
	struct err none;
	size_t n;

	if (!r->m || says_inbox_is_root(r) ||
	    maildir_list_others(r->m, &r->mem, &first, &n, &none) != 0 ||
	    n == 0)
		return;
	log_warn(r->o->log,
	    "%s: with 'layout: %s' no mailbox has a name like '%.*s'; "
	    "directories with cur/ or new/ that are left alone for that: %zu; "
	    "if they are mailboxes, rename them, or change the layout, before "
	    "the first sync",
	    r->a->name, word[r->a->layout], SPAN_ARG(first), n);
}
