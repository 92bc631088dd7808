/*
 * Rules of this file:
 *  1. Whoever begins a literal sends exactly the octets it announced: a
 *     message that cannot be read to its end takes the connection with it
 *     (RFC 3501 §4.3 knows no way back).
 *  2. Results come in the order of sending, each once; what has no result was
 *     perhaps appended, and adoption finds out.
 *  3. A message is sent once.  It is never repeated after a cut.
 */
#include "imap/internal.h"

#include <stdio.h>

/* Send up to MAX, read down to MIN. */
#define WINDOW_MAX 128
#define WINDOW_MIN 64
#define WINDOW_OCTETS (4u << 20)
/* Larger ones wait for "+", so that a refusal does not cost the upload. */
#define NONSYNC_MAX (1u << 20)
#define LITERAL_MINUS_MAX 4096 /* RFC 7888 §5 */

struct sent {
	uint32_t tag;
	uint64_t octets;
	bool answered;
	struct imap_appended res;
};

struct imap_append {
	struct imap *s;
	/* v[first..n) are under way or have results nobody has fetched yet. */
	struct sent *v;
	size_t first, n, cap;
	size_t waiting; /* not answered */
	uint64_t octets;
	uint64_t left; /* of the literal being sent */
};

int
imap_append_begin(struct imap *s, struct imap_append **a_r, struct err *e)
{
	struct imap_append *a = xcalloc(1, sizeof *a);

	(void)e;
	a->s = s;
	*a_r = a;
	return 0;
}

/* Its words stand in a sentence of ours. */
static void
copy_said(char *to, size_t size, struct span text)
{
	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	if (text.n > 0)
		(void)snprintf(
		    to, size, "the server says: %.*s", SPAN_ARG(text));
	else
		(void)snprintf(to, size, "the server refuses it");
}

/* s->resp is the answer to TAG: note it where it belongs. */
static int
take_answer(struct imap_append *a, uint32_t tag, struct err *e)
{
	const struct resp *r = &a->s->resp;
	struct sent *x = NULL;
	struct uidset uids;
	struct err no;

	for (size_t i = a->first; i < a->n && !x; i++)
		if (a->v[i].tag == tag && !a->v[i].answered)
			x = &a->v[i];
	if (!x)
		return 0;
	if (r->type != RESP_STATUS)
		return imap_check_ok(a->s, ERR_SCOPE_CONN, e, "APPEND");
	x->res.ok = r->cond == COND_OK;
	if (!x->res.ok && imap_check_ok(a->s, ERR_SCOPE_MSG, &no, "APPEND") ==
			      ERR_BUSY) {
		*e = no; /* no answer to this one */
		return e->code;
	}
	x->answered = true;
	a->waiting--;
	a->octets -= x->octets;
	if (!x->res.ok) {
		memcpy(x->res.resp, no.resp, sizeof no.resp);
		copy_said(x->res.why, sizeof x->res.why, r->text);
		return 0;
	}
	uidset_init(&uids);
	if (resp_appenduid(r, &x->res.uidvalidity, &uids) &&
	    uidset_count(&uids) == 1)
		x->res.uid = uidset_first(&uids);
	uidset_release(&uids);
	return 0;
}

static int
read_answer(struct imap_append *a, struct err *e)
{
	uint32_t tag;

	if (imap_next_tagged(a->s, &tag, e) < 0)
		return e->code;
	return take_answer(a, tag, e);
}

static int
make_room(struct imap_append *a, uint64_t size, struct err *e)
{
	if (a->waiting < WINDOW_MAX &&
	    (a->waiting == 0 || a->octets + size <= WINDOW_OCTETS))
		return 0;
	while (a->waiting > WINDOW_MIN ||
	    (a->waiting > 0 && a->octets + size > WINDOW_OCTETS))
		if (read_answer(a, e) < 0)
			return e->code;
	return 0;
}

static bool
may_rush(const struct imap *s, uint64_t size)
{
	if (s->caps & IMAP_CAP_LITERAL_PLUS)
		return size <= NONSYNC_MAX;
	return (s->caps & IMAP_CAP_LITERAL_MINUS) && size <= LITERAL_MINUS_MAX;
}

/* Wait for "+": 0; for the answer to this APPEND instead: 1. */
static int
wait_for_plus(struct imap_append *a, uint32_t mine, struct err *e)
{
	uint32_t tag = 0;
	int rc;

	while ((rc = imap_next_plus(a->s, &tag, e)) == 1) {
		if (take_answer(a, tag, e) < 0)
			return e->code;
		if (tag == mine)
			break;
	}
	return rc;
}

/* RFC 7889 §3.2: refused before anything of it is sent. */
static int
refuse(struct imap_append *a, uint64_t cookie, uint64_t size, uint64_t limit)
{
	struct imap_appended res = {.cookie = cookie, .resp = "TOOBIG"};

	(void)snprintf(res.why, sizeof res.why,
	    "the message has %llu octets, and the server takes at most %llu",
	    (unsigned long long)size, (unsigned long long)limit);
	VEC_GROW(a->v, a->n, a->cap);
	a->v[a->n++] = (struct sent){.answered = true, .res = res};
	return 1;
}

int
imap_append_send(struct imap_append *a, struct span wire, uint64_t cookie,
    struct flags f, int64_t idate, uint64_t size, struct err *e)
{
	struct imap *s = a->s;
	struct wire_cmd *c = &s->cmd;
	uint64_t limit = imap_append_limit(s);
	bool rush = may_rush(s, size);
	int rc;

	if (limit && size > limit)
		return refuse(a, cookie, size, limit);
	if (make_room(a, size, e) < 0)
		return e->code;
	imap_begin(s, "APPEND ");
	wire_cmd_astring(c, wire);
	wire_cmd_raw(c, " ");
	wire_cmd_flags(c, s->conf->kw, f);
	wire_cmd_raw(c, " ");
	wire_cmd_date(c, idate);
	wire_cmd_raw(c, " {");
	wire_cmd_u64(c, size);
	wire_cmd_raw(c, rush ? "+}" : "}");
	/* A name that waits for "+" waits alone, as imap_send() asks. */
	while (c->nwait && a->waiting > 0)
		if (read_answer(a, e) < 0)
			return e->code;
	rc = imap_send(s, e);
	if (rc < 0)
		return rc;
	VEC_GROW(a->v, a->n, a->cap);
	a->v[a->n++] = (struct sent){.tag = s->tag, .octets = size,
	    .res = {.cookie = cookie}};
	a->waiting++;
	a->octets += size;
	if (rc == 1) { /* refused at the mailbox's name */
		rc = take_answer(a, s->tag, e);
		return rc < 0 ? rc : 1;
	}
	rc = rush ? 0 : wait_for_plus(a, s->tag, e);
	if (rc == 0) {
		a->left = size;
		imap_trace_note(s, '>', "(%llu octets)",
		    (unsigned long long)size);
	}
	return rc;
}

int
imap_append_data(struct imap_append *a, const char *p, size_t n,
    struct err *e)
{
	if (n > a->left) /* a bug of the caller's; rule 1 */
		return err_set(e, ERR_BUG, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "APPEND: more octets than announced");
	a->left -= n;
	if (stream_write(a->s->st, p, n, e) < 0)
		return imap_break(a->s, e);
	return 0;
}

int
imap_append_finish(struct imap_append *a, struct err *e)
{
	if (a->left) {
		err_set(e, ERR_BUG, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "APPEND: fewer octets than announced");
		return imap_break(a->s, e);
	}
	if (stream_write(a->s->st, "\r\n", 2, e) < 0)
		return imap_break(a->s, e);
	return 0;
}

int
imap_append_result(struct imap_append *a, bool wait,
    struct imap_appended *res_r, struct err *e)
{
	while (wait && a->first < a->n && !a->v[a->first].answered)
		if (read_answer(a, e) < 0)
			return e->code;
	if (a->first == a->n || !a->v[a->first].answered)
		return 0;
	*res_r = a->v[a->first++].res;
	/* What is over would add up: the window need never be empty. */
	if (a->first > a->n / 2) {
		a->n -= a->first;
		memmove(a->v, a->v + a->first, a->n * sizeof *a->v);
		a->first = 0;
	}
	return 1;
}

void
imap_append_end(struct imap_append **a)
{
	struct imap_append *x = *a;
	struct err e;

	if (!x)
		return;
	if (x->left && !x->s->broken) {
		err_set(&e, ERR_STALE, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "APPEND given up in the middle of a message");
		(void)imap_break(x->s, &e);
	}
	while (x->waiting > 0 && !x->s->broken)
		if (read_answer(x, &e) < 0)
			break;
	xfree(x->v);
	xfree(x);
	*a = NULL;
}
