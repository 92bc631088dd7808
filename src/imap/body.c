/*
 * Rules of this file:
 *  1. Memory does not grow with a message: its octets go from the stream to
 *     the caller.
 *  2. A body counts once: the first one that comes for a UID that was asked
 *     for, of the mailbox that is open.
 *  3. The window is bounded by octets, so that ending early costs little: what
 *     is under way is read and dropped.
 *  4. Which mailbox is open is known by the order of the answers: from that to
 *     a SELECT on to the next one.  While one is due, nothing counts.
 *  5. Only what reads is sent behind a SELECT that has not been answered
 *     (RFC 3501 section 5.5): if it is refused, or opens another generation of
 *     the mailbox, nothing has happened.
 */
#include "imap/internal.h"

#include "base/map.h"
#include "wire/text.h"

/* Send up to MAX, read down to MIN. */
#define WINDOW_MAX 64
#define WINDOW_MIN 32
#define WINDOW_OCTETS (16u << 20)
/* One command. */
#define COMMAND_MESSAGES 64
#define COMMAND_OCTETS (1u << 20)
/* Where RFC822.SIZE is not known. */
#define SIZE_GUESS 65536

#define NO_SOURCE SIZE_MAX

struct flight {
	uint32_t tag;
	size_t source;
	bool select, begun; /* a SELECT; the answers are up to it */
	size_t from, to;    /* else: of order[] */
	uint64_t octets;
};

/* A message to be asked for. */
struct wish {
	size_t source, at;
};

struct imap_fetch {
	struct imap *s;
	struct arena *mem;
	struct imap_source *v, alone; /* ALONE: that of imap_fetch_begin */
	struct map by_uid; /* key_of() -> index into got[] */
	bool *got;
	size_t *base; /* of the source in got[] */
	/* First all, then, from N on, those to be asked for by themselves. */
	struct wish *order;
	size_t n, norder, ordercap, next;
	size_t sent_to; /* source that the last command is about */
	size_t open;	/* source that the answers are about, or NO_SOURCE */
	struct rview scratch;
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

static uint64_t
key_of(size_t source, uint32_t uid)
{
	return (uint64_t)source << 32 | uid;
}

static void
add_source(struct imap_fetch *f, size_t source)
{
	const struct imap_source *x = &f->v[source];

	f->base[source] = f->n;
	for (size_t i = 0; i < x->n; i++, f->n++) {
		map_set_u64(&f->by_uid, key_of(source, x->uids[i]), f->n);
		f->order[f->n] = (struct wish){source, i};
	}
}

static struct imap_fetch *
fetch_new(struct imap *s, struct arena *mem)
{
	struct imap_fetch *f = xcalloc(1, sizeof *f);

	f->s = s;
	f->mem = mem;
	f->sent_to = f->open = NO_SOURCE;
	map_init(&f->by_uid);
	uidset_init(&f->scratch.vanished);
	return f;
}

/* The N sources of f->v. */
static void
take_sources(struct imap_fetch *f, size_t n)
{
	size_t all = 1;

	for (size_t i = 0; i < n; i++)
		all += f->v[i].n;
	f->got = xcalloc(all, sizeof *f->got);
	f->base = xcalloc(n ? n : 1, sizeof *f->base);
	f->ordercap = all;
	f->order = xcalloc(all, sizeof *f->order);
	for (size_t i = 0; i < n; i++) {
		add_source(f, i);
		if (f->v[i].selected)
			f->sent_to = f->open = i;
	}
	f->norder = f->n;
}

int
imap_fetch_from(struct imap *s, struct imap_source *v, size_t n,
    struct arena *mem, struct imap_fetch **f_r, struct err *e)
{
	struct imap_fetch *f = fetch_new(s, mem);

	(void)e;
	f->v = v;
	take_sources(f, n);
	*f_r = f;
	return 0;
}

int
imap_fetch_begin(struct imap *s, const uint32_t *uids, const uint64_t *sizes,
    size_t n, struct arena *mem, struct imap_fetch **f_r, struct err *e)
{
	struct imap_fetch *f = fetch_new(s, mem);

	(void)e;
	f->alone = (struct imap_source){.uids = uids, .sizes = sizes, .n = n,
	    .modseqs = s->modseqs, .selected = true};
	f->v = &f->alone;
	take_sources(f, 1);
	*f_r = f;
	return 0;
}

static uint64_t
size_of(const struct imap_fetch *f, struct wish w)
{
	const uint64_t *sizes = f->v[w.source].sizes;

	return sizes && sizes[w.at] ? sizes[w.at] : SIZE_GUESS;
}

/* Rule 4: before the next answer is read. */
static void
begin_answers(struct imap_fetch *f)
{
	struct flight *x = &f->out[0];

	if (f->nout == 0 || !x->select || x->begun)
		return;
	x->begun = true;
	if (f->open != NO_SOURCE)
		f->v[f->open].selected = false;
	f->open = NO_SOURCE;
	imap_expect_select(f->s, f->mem, &f->v[x->source].sel, &f->scratch);
	f->s->view = NULL;
}

/* The answer to the SELECT of SOURCE is in s->resp. */
static int
take_opened(struct imap_fetch *f, size_t source, struct err *e)
{
	struct imap_source *x = &f->v[source];
	struct imap *s = f->s;
	int rc = imap_check_ok(s, ERR_SCOPE_BOX, e, "%s",
	    x->read_only ? "EXAMINE" : "SELECT");

	rc = imap_end_select(s, rc, 0, 0, &x->sel, &f->scratch, e);
	if (s->broken)
		return e->code;
	if (rc == 0 && x->sel.uidvalidity != x->uidvalidity)
		rc = err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "UIDVALIDITY changed during the run");
	if (rc == 0) {
		f->open = source;
		x->selected = true;
		return 0;
	}
	x->closed = true;
	x->err = *e;
	err_clear(e);
	return 0;
}

static void
note_failed(struct imap_fetch *f, struct wish w)
{
	struct span text = f->s->resp.text;

	if (text.n > 200)
		text.n = 200;
	VEC_GROW(f->failed, f->nfailed, f->failedcap);
	f->failed[f->nfailed++] = (struct imap_failed){.source = w.source,
	    .uid = f->v[w.source].uids[w.at],
	    .why = arena_span(f->mem, text)};
}

/* Takes it off the window; false: of no command that is under way. */
static bool
landed(struct imap_fetch *f, uint32_t tag, struct flight *x_r, bool *first_r)
{
	unsigned at = 0;
	bool select = false;

	while (at < f->nout && f->out[at].tag != tag)
		select |= f->out[at++].select;
	if (at == f->nout)
		return false;
	*x_r = f->out[at];
	/* Those of one mailbox may be answered in any order. */
	*first_r = !select && (at == 0 || !x_r->select);
	f->octets -= x_r->octets;
	f->nout--;
	memmove(f->out + at, f->out + at + 1,
	    (f->nout - at) * sizeof *f->out);
	return true;
}

/*
 * A refusal concerns one of its messages, nobody says which: those that did not
 * come are asked for one by one.
 */
static void
ask_alone(struct imap_fetch *f, const struct flight *x)
{
	for (size_t i = x->from; i < x->to; i++) {
		struct wish w = f->order[i];

		if (f->got[f->base[w.source] + w.at])
			continue;
		if (x->to - x->from == 1) {
			note_failed(f, w);
			continue;
		}
		VEC_GROW(f->order, f->norder, f->ordercap);
		f->order[f->norder++] = w;
	}
}

/* The answer to a command. */
static int
take_answer(struct imap_fetch *f, uint32_t tag, struct err *e)
{
	struct flight x;
	bool first;
	int rc;

	if (!landed(f, tag, &x, &first))
		return 0;
	if (!first)
		return imap_out_of_order(f->s, e);
	if (x.select)
		return take_opened(f, x.source, e);
	rc = imap_check_ok(f->s, ERR_SCOPE_CONN, e, "UID FETCH");
	if (f->s->broken)
		return rc;
	/* Behind a SELECT that was refused, so is it. */
	if (!f->v[x.source].closed) {
		if (imap_is_refusal(f->s, rc))
			ask_alone(f, &x);
		else if (rc < 0)
			return imap_break(f->s, e);
	}
	err_clear(e);
	return 0;
}

/* SELECT for the next FETCH; *wait_r: when all is answered. */
static int
send_select(struct imap_fetch *f, size_t source, bool *wait_r, struct err *e)
{
	struct imap *s = f->s;
	const struct imap_source *x = &f->v[source];
	int rc;

	imap_begin_select(s, x->wire, x->read_only, 0, 0);
	/* A literal has to wait for its "+", and may not with others. */
	*wait_r = s->cmd.nwait > 0 && f->nout > 0;
	if (*wait_r) {
		s->tag--; /* nothing was sent: the number is still free */
		return 0;
	}
	rc = imap_send(s, e);
	if (rc < 0)
		return imap_break(s, e);
	f->out[f->nout++] = (struct flight){
	    .tag = s->tag, .source = source, .select = true};
	f->sent_to = source;
	if (rc == 0)
		return 0;
	/* The answer came instead of the "+". */
	begin_answers(f);
	return take_answer(f, s->tag, e);
}

/* One command for the next few messages of one source. */
static int
send_wishes(struct imap_fetch *f, struct err *e)
{
	struct imap *s = f->s;
	struct flight *x = &f->out[f->nout];
	size_t source = f->order[f->next].source;
	struct uidset set;

	*x = (struct flight){
	    .source = source, .from = f->next, .to = f->next};
	uidset_init(&set);
	while (x->to < f->norder && f->order[x->to].source == source &&
	    x->to - x->from < imap_at_most(s, COMMAND_MESSAGES)) {
		struct wish w = f->order[x->to];
		uint64_t size = size_of(f, w);

		/* What comes behind the first n was refused in company. */
		if (x->to > x->from &&
		    (x->to >= f->n || x->octets + size > COMMAND_OCTETS))
			break;
		uidset_add(&set, f->v[source].uids[w.at]);
		x->octets += size;
		x->to++;
	}
	imap_begin(s, "UID FETCH ");
	uidset_format(&set, &s->cmd.b);
	uidset_release(&set);
	wire_cmd_raw(&s->cmd, " (UID FLAGS");
	if (f->v[source].modseqs)
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
	bool wait = false;

	if (f->nout > WINDOW_MIN)
		return 0;
	while (f->nout < WINDOW_MAX && !wait &&
	    (f->nout == 0 || f->octets < WINDOW_OCTETS)) {
		while (f->next < f->norder &&
		    f->v[f->order[f->next].source].closed)
			f->next++;
		if (f->next == f->norder)
			break;
		size_t source = f->order[f->next].source;
		int rc = source == f->sent_to
		    ? send_wishes(f, e)
		    : send_select(f, source, &wait, e);

		if (rc < 0)
			return rc;
	}
	/* The server works while what has come is stored. */
	return stream_flush(f->s->st, e) < 0 ? imap_break(f->s, e) : 0;
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
 * Servers that have lost a message send an empty one, or another in its place:
 * that is none.
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
	if (f->open == NO_SOURCE || f->v[f->open].closed)
		return false;
	v = r->body[body].value;
	if ((v->kind == WIRE_STREAMED) != streams ||
	    (!streams && (v->s.n == 0 || wire_stands_in(v->s))))
		return false;
	return !(r->has & HAS_UID) ||
	    (map_get_u64(&f->by_uid, key_of(f->open, r->uid), &at) &&
		!f->got[at]);
}

/* The size of the body that begins fits what was said of its message. */
static int
begin_body(struct imap_fetch *f, struct err *e)
{
	uint64_t said = f->octets, at;

	if ((f->s->resp.has & HAS_UID) &&
	    map_get_u64(&f->by_uid, key_of(f->open, f->s->resp.uid), &at))
		said = size_of(f, f->order[at]);
	f->left = wire_lex_stream_left(f->s->lex);
	return imap_check_size(f->s, said, f->left, e);
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

/* What nobody has read of a body. */
static int
drop_body(struct imap_fetch *f, struct err *e)
{
	struct span chunk;
	int rc = 0;

	if (!f->streaming)
		return 0;
	while ((rc = imap_stream_read(f->s, &f->left, &chunk, e)) > 0)
		continue;
	return rc < 0 ? rc : finish_response(f, e);
}

int
imap_fetch_next(struct imap_fetch *f, struct rmsg *m_r, struct err *e)
{
	struct imap *s = f->s;

	if (drop_body(f, e) < 0)
		return e->code;
	for (;;) {
		uint32_t tag;
		int rc = fill_window(f, e);

		if (rc < 0)
			return rc;
		if (f->nout == 0)
			return 0;
		begin_answers(f);
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
		if (f->streaming && begin_body(f, e) < 0)
			return e->code;
		if (!f->streaming)
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

int
imap_fetch_done(struct imap_fetch *f, struct rmsg *m_r, struct err *e)
{
	struct rmsg m = {0};
	uint64_t at;

	if (finish_response(f, e) < 0)
		return e->code;
	if (f->s->resp.type == RESP_FETCH && imap_rmsg(f->s, f->mem, &m) &&
	    f->open != NO_SOURCE &&
	    map_get_u64(&f->by_uid, key_of(f->open, m.uid), &at) &&
	    !f->got[at])
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

size_t
imap_fetch_source(const struct imap_fetch *f)
{
	return f->open;
}

void
imap_fetch_drop(struct imap_fetch *f, size_t source)
{
	f->v[source].closed = true;
}

uint32_t
imap_fetch_pending(const struct imap_fetch *f, size_t *source_r)
{
	const struct flight *x = &f->out[0];
	uint32_t uid = 0;

	if (f->nout == 0 || x->select || f->v[x->source].closed)
		return 0;
	/* a set is answered in ascending order */
	for (size_t i = x->from; i < x->to; i++) {
		struct wish w = f->order[i];
		uint32_t u = f->v[w.source].uids[w.at];

		if (!f->got[f->base[w.source] + w.at] && (uid == 0 || u < uid))
			uid = u;
	}
	*source_r = x->source;
	return uid;
}

/* Rule 3. */
static void
drain(struct imap_fetch *f)
{
	struct err e = {0};
	uint32_t tag;

	if (drop_body(f, &e) < 0)
		return;
	while (f->nout > 0) {
		begin_answers(f);
		if (imap_next_tagged(f->s, &tag, &e) < 0 ||
		    take_answer(f, tag, &e) < 0)
			return;
	}
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
	uidset_release(&x->scratch.vanished);
	xfree(x->got);
	xfree(x->base);
	xfree(x->order);
	xfree(x->failed);
	xfree(x);
	*f = NULL;
}
