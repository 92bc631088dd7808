/*
 * Rules of this file:
 *  1. Only +FLAGS and -FLAGS, never FLAGS: what others set stays.
 *  2. Only UID EXPUNGE of what was decided on (RFC 4315 §2.1); never CLOSE,
 *     which takes whatever else carries \Deleted.  EXPUNGE does so too: it is
 *     for servers without UIDPLUS, and only right after a search has found
 *     nothing else.
 *  3. The mailbox was opened, and its UIDVALIDITY compared, before anything is
 *     sent here; see select.c for what may be sent behind it.
 */
#include "imap/internal.h"

#define STORE_WINDOW 16
/* Refusals of one call that are looked into. */
#define STORE_REFUSALS 256

struct store_out {
	uint32_t tag;
	size_t what;	    /* index of the imap_store */
	struct uidset uids; /* owned */
};

static void
begin_store(struct imap *s, const struct imap_store *x, struct span set)
{
	imap_begin(s, "UID STORE ");
	wire_cmd_span(&s->cmd, set);
	if (x->unchangedsince && s->modseqs) {
		/* RFC 7162 §3.1.3 */
		wire_cmd_raw(&s->cmd, " (UNCHANGEDSINCE ");
		wire_cmd_u64(&s->cmd, x->unchangedsince);
		wire_cmd_raw(&s->cmd, ")");
	}
	wire_cmd_raw(&s->cmd, x->add ? " +FLAGS" : " -FLAGS");
	wire_cmd_raw(&s->cmd, x->tell ? " " : ".SILENT ");
	wire_cmd_flags(&s->cmd, s->conf->kw, x->flags);
}

static int
send_store(struct imap *s, const struct imap_store *x, struct span set,
    struct err *e)
{
	begin_store(s, x, set);
	return imap_send(s, e);
}

struct stores {
	struct imap *s;
	const struct imap_store *v;
	size_t n;
	size_t at; /* v[at] from UID pos on is to be sent */
	uint64_t pos;
	struct store_out out[STORE_WINDOW];
	unsigned nout;
	struct store_out *half; /* owned; refused in company: sent again */
	size_t nhalf, halfcap;
	unsigned refused;
	struct uidset *modified, *failed; /* not owned */
	struct err *said;		  /* not owned, or NULL */
	bool last; /* imap_select_next() may follow */
};

/*
 * A NO concerns one message, nobody says which: each half is asked for again,
 * down to that message.  A NO to very many is one to all.
 */
static void
take_refusal(struct stores *x, struct store_out *o, const struct err *e)
{
	uint64_t count = uidset_count(&o->uids), n = 0;
	struct store_out half[2] = {{.what = o->what}, {.what = o->what}};

	if (x->said)
		*x->said = *e;
	if (e->code == ERR_BAD || count < 2 || x->s->ahead_tag ||
	    x->refused++ >= STORE_REFUSALS) {
		uidset_add_set(x->failed, &o->uids);
		return;
	}
	for (uint32_t uid = uidset_first(&o->uids); uid;
	     uid = uidset_next(&o->uids, uid))
		uidset_add(&half[n++ >= count / 2].uids, uid);
	for (int i = 0; i < 2; i++) {
		VEC_GROW(x->half, x->nhalf, x->halfcap);
		x->half[x->nhalf++] = half[i];
	}
}

/*
 * s->resp answers O.  [MODIFIED] may come with OK or with NO (RFC 7162
 * §3.1.3); the others of a NO failed.
 */
static int
take_answer(struct stores *x, struct store_out *o, struct err *e)
{
	struct imap *s = x->s;
	struct uidset modified;
	uint32_t low;
	int rc;

	uidset_init(&modified);
	if (resp_code_is(&s->resp, "MODIFIED")) {
		/* what cannot be read may be any of them */
		if (!resp_code_set(&s->resp, &modified))
			uidset_add_set(&modified, &o->uids);
		uidset_add_set(x->modified, &modified);
		uidset_remove_set(&o->uids, &modified);
	}
	uidset_release(&modified);
	low = imap_limited(s);
	if (low > 1) {
		/* Not all were done: those below are for another time. */
		uidset_remove_range(&o->uids, low, UINT32_MAX);
		uidset_add_set(x->failed, &o->uids);
	}
	rc = imap_check_ok(s, ERR_SCOPE_MSG, e, "UID STORE");
	if ((rc == ERR_NO || rc == ERR_BAD) && !s->broken) {
		take_refusal(x, o, e);
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/* The next answer, whichever command it belongs to. */
static int
finish_one(struct stores *x, struct err *e)
{
	struct store_out done;
	uint32_t tag;
	unsigned i = 0;
	int rc;

	if (imap_next_tagged(x->s, &tag, e) < 0)
		return e->code;
	while (i < x->nout && x->out[i].tag != tag)
		i++;
	if (i == x->nout)
		return 0;
	done = x->out[i];
	x->nout--;
	memmove(x->out + i, x->out + i + 1, (x->nout - i) * sizeof *x->out);
	rc = take_answer(x, &done, e);
	uidset_release(&done.uids);
	return rc;
}

/* The next of x->v, as much of it as a line has room for. */
static bool
slice_next(struct stores *x, struct buf *line, struct uidset *uids)
{
	struct imap *s = x->s;

	for (; x->at < x->n; x->at++, x->pos = 0) {
		const struct imap_store *v = &x->v[x->at];

		begin_store(s, v, SPAN(""));
		if (uidset_slice(&v->uids, &x->pos, imap_set_room(s),
			s->message_limit, line, uids))
			return true;
	}
	return false;
}

/* One command more, if there is one to be sent: 1. */
static int
send_next(struct stores *x, struct buf *line, struct err *e)
{
	struct store_out o = {.tag = 0};

	buf_clear(line);
	if (slice_next(x, line, &o.uids)) {
		o.what = x->at;
	} else if (x->nhalf > 0) {
		o = x->half[--x->nhalf];
		uidset_format(&o.uids, line);
	} else {
		return 0;
	}
	x->out[x->nout++] = o;
	if (send_store(x->s, &x->v[o.what], buf_span(line), e) < 0)
		return e->code;
	x->out[x->nout - 1].tag = x->s->tag;
	return 1;
}

static int
store(struct stores *x, struct arena *mem, struct rview *r, struct err *e)
{
	struct imap *s = x->s;
	struct buf line;
	int rc = 1;

	buf_init(&line, IMAP_SET_OCTETS + 64);
	s->view = r;
	s->mem = mem;
	while (rc >= 0) {
		bool room = x->nout < STORE_WINDOW;

		rc = room ? send_next(x, &line, e) : 0;
		if (rc == 0 && x->nout == 0)
			break;
		if (rc == 0 && room && x->last)
			rc = imap_send_next(s, e);
		if (rc == 0)
			rc = finish_one(x, e);
	}
	for (unsigned i = 0; i < x->nout; i++)
		uidset_release(&x->out[i].uids);
	for (size_t i = 0; i < x->nhalf; i++)
		uidset_release(&x->half[i].uids);
	xfree(x->half);
	buf_release(&line);
	s->view = NULL;
	return rc;
}

int
imap_store(struct imap *s, const struct imap_store *v, size_t n,
    struct arena *mem, struct rview *r, struct uidset *modified_r,
    struct uidset *failed_r, struct err *said_r, struct err *e)
{
	struct stores x = {.s = s,
	    .v = v,
	    .n = n,
	    .modified = modified_r,
	    .failed = failed_r,
	    .said = said_r,
	    .last = true};

	return store(&x, mem, r, e);
}

/* One slice: both commands in one flight.  LAST: imap_select_next() follows. */
static int
expunge_slice(struct imap *s, struct span set, bool last, struct err *e)
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
	if (last && imap_send_next(s, e) < 0)
		return e->code;
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
	struct stores x = {.s = s, .v = &v, .n = 1, .modified = &modified,
	    .failed = &failed};
	int rc;

	uidset_init(&v.uids);
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_add_set(&v.uids, set);
	rc = store(&x, mem, r, e);
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
		/* pos is the UID behind the last one */
		rc = expunge_slice(s, buf_span(&line),
		    !uidset_next(set, (uint32_t)(pos - 1)), e);
	}
	s->view = NULL;
	buf_release(&line);
	return rc;
}
