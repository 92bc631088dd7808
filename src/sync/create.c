/*
 * create: mailboxes that are new on one side.  A name may be another one's
 * already, where two that differ mean the same.
 */
#include "sync/tree.h"

/*
 * The name of a mailbox on that side differs from this one only in case.  When
 * this one is there too, though nobody listed it, case means nothing there,
 * and it is the same mailbox.
 */
static int
check_twin(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e)
{
	struct maildir_stamp stamp;
	int rc = 0;

	*skip_r = false;
	if (!op->twin)
		return 0;
	if (op->kind == TREE_CREATE_R)
		rc = imap_exists(r->imap, b->j.wire, skip_r, e);
	else if (maildir_stamp(r->m, b->j.path, &stamp, e) == 0)
		*skip_r = true;
	else
		err_clear(e);
	if (rc == 0 && *skip_r)
		report_failed(r, b, 0, SPAN_NONE,
		    "another mailbox has this name in other letter case, which "
		    "means nothing there; rename one of them");
	return rc;
}

/*
 * The server says that B exists.  Either somebody has made it meanwhile, then
 * it is listed; or it is another mailbox, whose name means the same there (in
 * other letter case, say): all of its mail would be here twice.
 */
static int
check_name_of(struct run *r, struct sbox *b, bool *skip_r, struct err *e)
{
	struct imap_listing now = {.n = 0};
	int rc = imap_list(r->imap, &r->mem, &now, e);

	*skip_r = rc == 0;
	for (size_t i = 0; i < now.n && *skip_r; i++)
		*skip_r = !span_eq(now.v[i].wire, b->j.wire);
	if (*skip_r)
		report_failed(r, b, 0, SPAN_NONE,
		    "the server says that it exists, and does not list it: "
		    "another mailbox there has this name, written otherwise; "
		    "rename one of them");
	return rc;
}

/* On the server. */
static int
make_box(struct run *r, struct sbox *b, bool *skip_r, struct err *e)
{
	bool was;
	int rc = imap_create(r->imap, b->j.wire, &was, e);

	return rc == 0 && was ? check_name_of(r, b, skip_r, e) : rc;
}

int
create_by_plan(struct run *r, const struct tree_op *op, struct sbox *b,
    bool *skip_r, struct err *e)
{
	bool dry = r->o->dry_run, here = op->kind == TREE_CREATE_L;
	int rc = check_twin(r, op, b, skip_r, e);

	if (rc != 0 || *skip_r)
		return rc;
	if (here)
		b->local_missing = dry;
	else
		b->remote_missing = dry;
	/* a new directory without cur/ or new/ is made whole */
	if (!dry && (here || op->damaged))
		rc = maildir_create(r->m, b->j.path, e);
	if (!dry && !here && rc == 0)
		rc = make_box(r, b, skip_r, e);
	if (rc != 0 || *skip_r)
		return rc;
	report_box(r, b, here ? "create here" : "create on server",
	    (int)op->why, tree_case_words(op->why));
	r->rep->boxes_created += !dry;
	return 0;
}
