/*
 * Rules of this file:
 *  1. Only +FLAGS and -FLAGS, never FLAGS: what others set stays.
 *  2. Only UID EXPUNGE of what was decided on (RFC 4315 §2.1); never CLOSE,
 *     which takes whatever else carries \Deleted.  EXPUNGE does so too: it is
 *     for servers without UIDPLUS, and only right after a search has found
 *     nothing else.
 */
#include "imap/internal.h"

#define STORE_WINDOW 16

struct store_out {
	uint32_t tag;
	struct uidset uids; /* owned */
};

static int
send_store(struct imap *s, const struct imap_store *x, struct span set,
    struct err *e)
{
	imap_begin(s, "UID STORE ");
	wire_cmd_span(&s->cmd, set);
	if (x->unchangedsince && s->modseqs) {
		/* RFC 7162 §3.1.3 */
		wire_cmd_raw(&s->cmd, " (UNCHANGEDSINCE ");
		wire_cmd_u64(&s->cmd, x->unchangedsince);
		wire_cmd_raw(&s->cmd, ")");
	}
	wire_cmd_raw(&s->cmd, x->add ? " +FLAGS.SILENT " : " -FLAGS.SILENT ");
	wire_cmd_flags(&s->cmd, s->conf->kw, x->flags);
	return imap_send(s, e);
}

/*
 * s->resp answers X.  [MODIFIED] may come with OK or with NO (RFC 7162
 * §3.1.3); the others of a NO failed.
 */
static int
take_answer(struct imap *s, struct store_out *x, struct uidset *modified_r,
    struct uidset *failed_r, struct err *e)
{
	struct uidset modified;
	uint32_t low;
	int rc;

	uidset_init(&modified);
	if (resp_code_is(&s->resp, "MODIFIED") &&
	    resp_code_set(&s->resp, &modified)) {
		uidset_add_set(modified_r, &modified);
		uidset_remove_set(&x->uids, &modified);
	}
	uidset_release(&modified);
	low = imap_limited(s);
	if (low > 1) {
		/* Not all were done: those below are for another time. */
		uidset_remove_range(&x->uids, low, UINT32_MAX);
		uidset_add_set(failed_r, &x->uids);
	}
	rc = imap_check_ok(s, ERR_SCOPE_MSG, e, "UID STORE");
	if (rc == ERR_NO || rc == ERR_BAD) {
		uidset_add_set(failed_r, &x->uids);
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/* The next answer, whichever command it belongs to. */
static int
finish_one(struct imap *s, struct store_out *out, unsigned *nout,
    struct uidset *modified_r, struct uidset *failed_r, struct err *e)
{
	uint32_t tag;
	unsigned i = 0;
	int rc;

	if (imap_next_tagged(s, &tag, e) < 0)
		return e->code;
	while (i < *nout && out[i].tag != tag)
		i++;
	if (i == *nout)
		return 0;
	rc = take_answer(s, &out[i], modified_r, failed_r, e);
	uidset_release(&out[i].uids);
	--*nout;
	memmove(out + i, out + i + 1, (*nout - i) * sizeof *out);
	uidset_init(&out[*nout].uids);
	return rc;
}

int
imap_store(struct imap *s, const struct imap_store *v, size_t n,
    struct arena *mem, struct rview *r, struct uidset *modified_r,
    struct uidset *failed_r, struct err *e)
{
	struct store_out out[STORE_WINDOW] = {0};
	unsigned nout = 0;
	struct buf line;
	size_t i = 0;
	uint64_t pos = 0;
	int rc = 0;

	buf_init(&line, IMAP_SET_OCTETS + 64);
	s->view = r;
	s->mem = mem;
	while (rc == 0 && (i < n || nout > 0)) {
		if (i < n && nout < STORE_WINDOW) {
			buf_clear(&line);
			if (!uidset_slice(&v[i].uids, &pos, IMAP_SET_OCTETS,
				s->message_limit, &line, &out[nout].uids)) {
				i++;
				pos = 0;
				continue;
			}
			rc = send_store(s, &v[i], buf_span(&line), e);
			out[nout++].tag = s->tag;
			continue;
		}
		rc = finish_one(s, out, &nout, modified_r, failed_r, e);
	}
	for (unsigned k = 0; k < STORE_WINDOW; k++)
		uidset_release(&out[k].uids);
	buf_release(&line);
	s->view = NULL;
	return rc;
}

/* One slice: both commands in one flight. */
static int
expunge_slice(struct imap *s, struct span set, struct err *e)
{
	const struct imap_store deleted = {.add = true,
	    .flags = {.sys = FLAG_DELETED}};
	static const char *const what[2] = {"UID STORE", "UID EXPUNGE"};
	uint32_t tag[2];
	struct err said[2];

	if (send_store(s, &deleted, set, e) < 0)
		return e->code;
	tag[0] = s->tag;
	imap_begin(s, "UID EXPUNGE ");
	wire_cmd_span(&s->cmd, set);
	if (imap_send(s, e) < 0)
		return e->code;
	tag[1] = s->tag;
	if (imap_wait_two(s, tag, what, ERR_SCOPE_BOX, said, e) < 0)
		return e->code;
	if (said[0].code || said[1].code)
		*e = said[0].code ? said[0] : said[1];
	return said[0].code || said[1].code ? e->code : 0;
}

static int
mark_deleted(struct imap *s, const struct uidset *set, struct arena *mem,
    struct rview *r, struct err *e)
{
	struct imap_store v = {.add = true, .flags = {.sys = FLAG_DELETED}};
	struct uidset modified, failed;
	int rc;

	uidset_init(&v.uids);
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_add_set(&v.uids, set);
	rc = imap_store(s, &v, 1, mem, r, &modified, &failed, e);
	if (rc == 0 && failed.n)
		rc = err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "UID STORE: the server refuses to mark messages as "
		    "deleted");
	uidset_release(&v.uids);
	uidset_release(&modified);
	uidset_release(&failed);
	return rc;
}

/* Without UIDPLUS; rule 2. */
static int
expunge_all(struct imap *s, const struct uidset *set, struct arena *mem,
    struct rview *r, struct err *e)
{
	struct uidset deleted;
	int rc;

	uidset_init(&deleted);
	rc = mark_deleted(s, set, mem, r, e);
	if (rc == 0)
		rc = imap_search_deleted(s, &deleted, e);
	if (rc == 0 && !uidset_eq(&deleted, set)) {
		uidset_remove_set(&deleted, set);
		rc = err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "marked as deleted, and not yet removed: the server lacks "
		    "UIDPLUS, and %s", deleted.n
			? "an EXPUNGE would take other messages with it that "
			  "are marked as deleted"
			: "does not say that just these are marked");
	}
	uidset_release(&deleted);
	if (rc < 0)
		return rc;
	imap_begin(s, "EXPUNGE");
	s->view = r;
	rc = imap_run(s, ERR_SCOPE_BOX, "EXPUNGE", e);
	s->view = NULL;
	return rc;
}

int
imap_expunge(struct imap *s, const struct uidset *set, struct arena *mem,
    struct rview *r, struct err *e)
{
	struct buf line;
	uint64_t pos = 0;
	int rc = 0;

	if (set->n && !(s->caps & IMAP_CAP_UIDPLUS))
		return expunge_all(s, set, mem, r, e);
	buf_init(&line, IMAP_SET_OCTETS + 64);
	s->view = r;
	s->mem = mem;
	while (rc == 0) {
		buf_clear(&line);
		if (!uidset_slice(set, &pos, IMAP_SET_OCTETS,
			s->message_limit, &line, NULL))
			break;
		rc = expunge_slice(s, buf_span(&line), e);
	}
	s->view = NULL;
	buf_release(&line);
	return rc;
}
