/*
 * patterns: does 'mailboxes' say what its writer meant?  A name that is
 * misspelt there is a mailbox that is never synced, of which nothing else
 * would ever tell.
 */
#include "sync/tree.h"

/* Names of the mailboxes that either side has. */
static struct span *
names(struct run *r, const struct lists *ls, size_t *n_r)
{
	struct span *v =
	    arena_array(&r->mem, ls->remote.n + ls->ndir + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < ls->remote.n; i++)
		if (ls->tr[i].selectable)
			v[n++] = ls->tr[i].name;
	for (size_t i = 0; i < ls->ndir; i++)
		if (ls->tl[i].is_box &&
		    layout_name_of_path(
			&r->mem, ls->tl[i].path, r->a->layout, &v[n]))
			n++;
	*n_r = n;
	return v;
}

static bool
any_matches(const struct span *v, size_t n, const struct span *pattern,
    size_t npattern)
{
	for (size_t i = 0; i < n; i++)
		if (layout_match(v[i], pattern, npattern))
			return true;
	return false;
}

int
patterns_check(struct run *r, const struct lists *ls, struct err *e)
{
	const struct config_account *a = r->a;
	struct span *v;
	size_t n;

	if (a->nmailboxes == 0)
		return 0;
	v = names(r, ls, &n);
	for (size_t i = 0; i < a->nmailboxes; i++) {
		const struct span *p = &a->mailboxes[i];

		if (!span_starts(*p, SPAN("!")) && !any_matches(v, n, p, 1))
			log_warn(r->o->log,
			    "%s: '%.*s' of 'mailboxes' is the name of no "
			    "mailbox, on either side",
			    a->name, SPAN_ARG(*p));
	}
	if (n == 0 || any_matches(v, n, a->mailboxes, a->nmailboxes))
		return 0;
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "'mailboxes' leaves out all mailboxes of both sides; nothing is "
	    "synced");
}

int
patterns_explain(struct run *r, const struct lists *ls, struct span word,
    struct err *e)
{
	size_t n;
	struct span *v = names(r, ls, &n);

	for (size_t i = 0; i < n; i++) {
		if (!tree_is_called(v[i], word))
			continue;
		return err_set(e, ERR_USAGE, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    layout_match(v[i], r->a->mailboxes, r->a->nmailboxes)
			? "'%.*s' shows messages of other mailboxes, and is "
			  "synced only when 'mailboxes' has its very name"
			: "the mailbox '%.*s' is left out by 'mailboxes'",
		    SPAN_ARG(word));
	}
	return 0;
}
