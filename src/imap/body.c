/*
 * Rules of this file:
 *  1. Memory does not grow with a message: its octets go from the stream to
 *     the caller.
 *  2. A body counts once: the first one that comes for a UID that was asked
 *     for.
 *  3. The window is bounded by octets, so that ending early costs little: what
 *     is under way is read and dropped.
 */
#include "imap/internal.h"

#include "base/map.h"

/* Send up to MAX, read down to MIN. */
#define WINDOW_MAX 8
#define WINDOW_MIN 4
#define WINDOW_OCTETS (8u << 20)
/* One command. */
#define COMMAND_MESSAGES 64
#define COMMAND_OCTETS (1u << 20)
/* Where RFC822.SIZE is not known. */
#define SIZE_GUESS 65536

struct flight {
	uint32_t tag;
	size_t from, to; /* of order[] */
	uint64_t octets;
};

struct imap_fetch {
	struct imap *s;
	struct arena *mem;
	const uint32_t *uids;
	const uint64_t *sizes;
	size_t n;
	struct map by_uid;
	bool *got;      /* by index into uids */
	/* Indexes into uids; first all, then those to be asked for alone. */
	size_t *order;
	size_t norder, ordercap, next;
	struct flight out[WINDOW_MAX];
	unsigned nout;
	uint64_t octets; /* under way */
	struct imap_failed *failed;
	size_t nfailed, failedcap;
	/* The body being read. */
	bool streaming;
	uint64_t left;
	struct span rest; /* of a body that is in the response tree */
};

int
imap_fetch_begin(struct imap *s, const uint32_t *uids, const uint64_t *sizes,
    size_t n, struct arena *mem, struct imap_fetch **f_r, struct err *e)
{
	struct imap_fetch *f = xcalloc(1, sizeof *f);

	(void)e;
	f->s = s;
	f->mem = mem;
	f->uids = uids;
	f->sizes = sizes;
	f->n = n;
	f->got = xcalloc(n ? n : 1, sizeof *f->got);
	f->ordercap = n ? n : 1;
	f->order = xcalloc(f->ordercap, sizeof *f->order);
	map_init(&f->by_uid);
	for (size_t i = 0; i < n; i++) {
		map_set_u64(&f->by_uid, uids[i], i);
		f->order[i] = i;
	}
	f->norder = n;
	*f_r = f;
	return 0;
}

static uint64_t
size_of(const struct imap_fetch *f, size_t i)
{
	return f->sizes && f->sizes[i] ? f->sizes[i] : SIZE_GUESS;
}

/* One command for the next few messages. */
static int
send_next(struct imap_fetch *f, struct err *e)
{
	struct imap *s = f->s;
	struct flight *x = &f->out[f->nout];
	struct uidset set;

	*x = (struct flight){.from = f->next, .to = f->next};
	uidset_init(&set);
	while (x->to < f->norder &&
	    x->to - x->from < imap_at_most(s, COMMAND_MESSAGES)) {
		uint64_t size = size_of(f, f->order[x->to]);

		/* What comes behind the first n was refused in company. */
		if (x->to > x->from &&
		    (x->to >= f->n || x->octets + size > COMMAND_OCTETS))
			break;
		uidset_add(&set, f->uids[f->order[x->to]]);
		x->octets += size;
		x->to++;
	}
	imap_begin(s, "UID FETCH ");
	uidset_format(&set, &s->cmd.b);
	uidset_release(&set);
	wire_cmd_raw(&s->cmd, " (UID FLAGS");
	if (s->modseqs)
		wire_cmd_raw(&s->cmd, " MODSEQ");
	wire_cmd_raw(&s->cmd, " INTERNALDATE RFC822.SIZE BODY.PEEK[])");
	if (imap_send(s, e) < 0)
		return e->code;
	x->tag = s->tag;
	f->octets += x->octets;
	f->next = x->to;
	f->nout++;
	return 0;
}

static int
fill_window(struct imap_fetch *f, struct err *e)
{
	if (f->nout > WINDOW_MIN)
		return 0;
	while (f->next < f->norder && f->nout < WINDOW_MAX &&
	    (f->nout == 0 || f->octets < WINDOW_OCTETS))
		if (send_next(f, e) < 0)
			return e->code;
	return 0;
}

static void
note_failed(struct imap_fetch *f, uint32_t uid)
{
	struct span text = f->s->resp.text;

	if (text.n > 200)
		text.n = 200;
	VEC_GROW(f->failed, f->nfailed, f->failedcap);
	f->failed[f->nfailed].uid = uid;
	f->failed[f->nfailed].why = arena_span(f->mem, text);
	f->nfailed++;
}

/*
 * The answer to a command.  A NO concerns one of its messages, nobody says
 * which: those that did not come are asked for one by one.
 */
static int
take_answer(struct imap_fetch *f, uint32_t tag, struct err *e)
{
	struct flight x;
	unsigned at = 0;
	int rc;

	while (at < f->nout && f->out[at].tag != tag)
		at++;
	if (at == f->nout)
		return 0;
	x = f->out[at];
	f->octets -= x.octets;
	f->nout--;
	memmove(f->out + at, f->out + at + 1,
	    (f->nout - at) * sizeof *f->out);
	rc = imap_check_ok(f->s, ERR_SCOPE_CONN, e, "UID FETCH");
	if (rc == 0)
		return 0;
	if (rc != ERR_NO)
		return imap_break(f->s, e);
	err_clear(e);
	for (size_t i = x.from; i < x.to; i++) {
		size_t which = f->order[i];

		if (f->got[which])
			continue;
		if (x.to - x.from == 1) {
			note_failed(f, f->uids[which]);
			continue;
		}
		VEC_GROW(f->order, f->norder, f->ordercap);
		f->order[f->norder++] = which;
	}
	return 0;
}

/* Index of the body of the whole message in s->resp; nbody: none. */
static unsigned
whole_body(const struct resp *r)
{
	unsigned i = 0;

	while (i < r->nbody &&
	    (r->body[i].section.n || r->body[i].has_origin))
		i++;
	return i;
}

/*
 * Rule 2, as far as the UID is known already.  STREAMS: its octets follow.
 * Servers that have lost a message send an empty one: that is none.
 */
static bool
wanted(const struct imap_fetch *f, bool streams)
{
	const struct resp *r = &f->s->resp;
	unsigned body = r->type == RESP_FETCH ? whole_body(r) : r->nbody;
	const struct wire_node *v;
	uint64_t at;

	if (body == r->nbody)
		return false;
	v = r->body[body].value;
	if ((v->kind == WIRE_STREAMED) != streams || (!streams && v->s.n == 0))
		return false;
	return !(r->has & HAS_UID) ||
	    (map_get_u64(&f->by_uid, r->uid, &at) && !f->got[at]);
}

int
imap_fetch_next(struct imap_fetch *f, struct rmsg *m_r, struct err *e)
{
	struct imap *s = f->s;

	for (;;) {
		uint32_t tag;
		int rc = fill_window(f, e);

		if (rc < 0)
			return rc;
		if (f->nout == 0)
			return 0;
		rc = imap_next(s, e);
		if (rc < 0)
			return rc;
		if (rc == IMAP_GOT_STREAM && !wanted(f, true)) {
			if (imap_stream_drop(s, e) < 0)
				return e->code;
			continue;
		}
		tag = imap_tag_number(s);
		if (tag && take_answer(f, tag, e) < 0)
			return e->code;
		f->streaming = rc == IMAP_GOT_STREAM;
		if (!f->streaming && !wanted(f, false))
			continue;
		if (f->streaming)
			f->left = wire_lex_stream_left(s->lex);
		else
			f->rest = s->resp.body[whole_body(&s->resp)].value->s;
		*m_r = (struct rmsg){.uid = s->resp.uid};
		return 1;
	}
}

int
imap_fetch_read(struct imap_fetch *f, struct span *chunk_r, struct err *e)
{
	if (f->streaming)
		return imap_stream_read(f->s, &f->left, chunk_r, e);
	if (f->rest.n == 0)
		return 0;
	*chunk_r = f->rest;
	f->rest = SPAN_NONE;
	return 1;
}

/* Read on to the end of the response that the body is part of. */
static int
finish_response(struct imap_fetch *f, struct err *e)
{
	int rc = f->streaming ? IMAP_GOT_STREAM : IMAP_GOT_RESPONSE;

	while (rc == IMAP_GOT_STREAM) {
		rc = imap_next(f->s, e);
		if (rc == IMAP_GOT_STREAM && imap_stream_drop(f->s, e) < 0)
			return e->code;
	}
	f->streaming = false;
	return rc;
}

int
imap_fetch_done(struct imap_fetch *f, struct rmsg *m_r, struct err *e)
{
	struct rmsg m = {0};
	uint64_t at;

	if (finish_response(f, e) < 0)
		return e->code;
	if (f->s->resp.type == RESP_FETCH && imap_rmsg(f->s, f->mem, &m) &&
	    map_get_u64(&f->by_uid, m.uid, &at) && !f->got[at])
		f->got[at] = true;
	else
		m = (struct rmsg){0};
	*m_r = m;
	return 0;
}

size_t
imap_fetch_failed(const struct imap_fetch *f, const struct imap_failed **v_r)
{
	*v_r = f->failed;
	return f->nfailed;
}

uint32_t
imap_fetch_pending(const struct imap_fetch *f)
{
	uint32_t uid = 0;

	if (f->nout == 0)
		return 0;
	/* a set is answered in ascending order */
	for (size_t i = f->out[0].from; i < f->out[0].to; i++) {
		size_t which = f->order[i];

		if (!f->got[which] && (uid == 0 || f->uids[which] < uid))
			uid = f->uids[which];
	}
	return uid;
}

/* Rule 3. */
static void
drain(struct imap_fetch *f)
{
	struct imap *s = f->s;
	struct span chunk;
	struct err e;
	uint32_t tag;

	if (f->streaming) {
		int rc;

		while ((rc = imap_stream_read(s, &f->left, &chunk, &e)) > 0)
			continue;
		if (rc < 0 || finish_response(f, &e) < 0)
			return;
	}
	while (f->nout > 0)
		if (imap_next_tagged(s, &tag, &e) < 0 ||
		    take_answer(f, tag, &e) < 0)
			return;
}

void
imap_fetch_end(struct imap_fetch **f)
{
	struct imap_fetch *x = *f;

	if (!x)
		return;
	if (!x->s->broken)
		drain(x);
	map_release(&x->by_uid);
	xfree(x->got);
	xfree(x->order);
	xfree(x->failed);
	xfree(x);
	*f = NULL;
}
