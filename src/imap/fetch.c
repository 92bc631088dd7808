#include "imap/internal.h"

#include <assert.h>

/* Servers say wrong sizes, some of them 0. */
#define SIZE_MORE (64u << 20)
#define SIZE_TIMES 4
#define WORDS_AT_ONCE 100

/* Commands under way at once. */
#define META_WINDOW 16
#define SAMPLE_WINDOW 32
#define SAMPLES_PER_COMMAND 64
#define SAMPLE_MAX 8192

/* BADs in a row: more, and it is the command that the server does not know. */
#define BADS_MAX 64
/* The same of sizes, NO or BAD. */
#define REFUSALS_MAX 64

/* Each sum of sets is a new array: some words at a time, and only the last. */
struct flags
imap_flags(
    const struct imap *s, struct arena *mem, const struct wire_node *words)
{
	struct flags all = FLAGS_NONE, few = FLAGS_NONE;
	struct arena scratch;

	arena_init(&scratch);
	for (const struct wire_node *n = words; n; n = n->next) {
		if (n->kind != WIRE_ATOM)
			continue;
		few = flags_add_name(&scratch, s->conf->kw, few, n->s);
		if (few.n == WORDS_AT_ONCE) {
			all = flags_or(&scratch, all, few);
			few = FLAGS_NONE;
		}
	}
	all = flags_copy(mem, flags_or(&scratch, all, few));
	arena_release(&scratch);
	return all;
}

bool
imap_is_refusal(struct imap *s, int rc)
{
	if (rc == 0)
		s->bads = 0;
	return !s->broken &&
	    (rc == ERR_NO || (rc == ERR_BAD && s->bads++ < BADS_MAX));
}

bool
imap_rmsg(const struct imap *s, struct arena *mem, struct rmsg *m_r)
{
	const struct resp *r = &s->resp;
	struct rmsg m = {.uid = r->uid, .size = r->size, .idate = r->idate};

	if (!(r->has & HAS_UID))
		return false;
	m.has_meta = r->has & HAS_SIZE;
	if (r->has & HAS_MODSEQ)
		m.modseq = r->modseq;
	if (r->has & HAS_GID)
		m.gid = arena_span(mem, r->gid);
	m.flags = imap_flags(s, mem, r->flags);
	*m_r = m;
	return true;
}

int
imap_check_size(struct imap *s, uint64_t said, uint64_t sends, struct err *e)
{
	if (sends <= SIZE_MORE || sends / SIZE_TIMES <= said)
		return 0;
	err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
	    "the server said that a message has %llu octets, and sends %llu",
	    (unsigned long long)said, (unsigned long long)sends);
	return imap_break(s, e);
}

int
imap_send_meta(struct imap *s, struct span set, bool modseqs, uint64_t since,
    bool with_size, struct err *e)
{
	imap_begin(s, "UID FETCH ");
	wire_cmd_span(&s->cmd, set);
	wire_cmd_raw(&s->cmd, " (UID FLAGS");
	if (modseqs)
		wire_cmd_raw(&s->cmd, " MODSEQ");
	if (with_size) {
		wire_cmd_raw(&s->cmd, " INTERNALDATE RFC822.SIZE");
		if (s->caps & IMAP_CAP_GMAIL)
			wire_cmd_raw(&s->cmd, " X-GM-MSGID");
		else if (s->caps & IMAP_CAP_OBJECTID)
			wire_cmd_raw(&s->cmd, " EMAILID");
	}
	wire_cmd_raw(&s->cmd, ")");
	if (since) {
		wire_cmd_raw(&s->cmd, " (CHANGEDSINCE ");
		wire_cmd_u64(&s->cmd, since);
		wire_cmd_raw(&s->cmd, ")");
	}
	return imap_send(s, e);
}

uint32_t
imap_limited(struct imap *s)
{
	const struct resp *r = &s->resp;
	uint32_t n, uid;

	if (!resp_code_is(r, "MESSAGELIMIT") || !wire_u32(r->args, &n) ||
	    !wire_u32(r->args->next, &uid))
		return 0;
	if (n && (s->message_limit == 0 || n < s->message_limit))
		s->message_limit = n;
	return uid;
}

static int
finish_meta(struct imap *s, struct err *e)
{
	uint32_t tag;

	if (imap_next_tagged(s, &tag, e) < 0)
		return e->code;
	return imap_check_ok(s, ERR_SCOPE_BOX, e, "UID FETCH");
}

/*
 * *cut_r: a piece was more than the server does at once (RFC 9738);
 * s->message_limit says how many.
 */
static int
fetch_pieces(struct imap *s, const struct uidset *set, bool with_size,
    bool *cut_r, struct err *e)
{
	struct imap_window w;

	*cut_r = false;
	imap_window_open(&w, s, set, META_WINDOW);
	while (imap_window_next(&w, NULL)) {
		int rc;

		if (w.line.n) {
			rc = imap_send_meta(s, buf_span(&w.line), s->modseqs,
			    0, with_size, e);
			w.out += rc == 0;
		} else {
			rc = finish_meta(s, e);
			w.out--;
			*cut_r |= rc == 0 && imap_limited(s) > 1;
			w.more = w.more && !*cut_r;
		}
		imap_window_did(&w, rc, e);
	}
	return imap_window_close(&w, e);
}

static int
fetch_set(struct imap *s, const struct uidset *set, bool with_size,
    struct err *e)
{
	bool cut;
	int rc = fetch_pieces(s, set, with_size, &cut, e);

	/* Now the limit is known: again, in pieces that keep it. */
	if (rc == 0 && cut)
		rc = fetch_pieces(s, set, with_size, &cut, e);
	if (rc == 0 && cut)
		rc = err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "UID FETCH: the server does not keep to its own "
		    "MESSAGELIMIT of %u",
		    s->message_limit);
	return rc;
}

/*
 * From UID HI (0: whatever is the last) down to 1.  With MESSAGELIMIT (RFC
 * 9738) the server begins at the top and says how far it came.
 */
static int
fetch_down(struct imap *s, uint32_t hi, uint64_t since, bool with_size,
    struct err *e)
{
	/* "*" is a message number, which UIDONLY mode does not know. */
	bool star = hi == 0 && !(s->caps & IMAP_CAP_UIDONLY);
	int rc = 0;

	if (hi == 0)
		hi = UINT32_MAX;
	while (rc == 0) {
		struct buf set;
		uint32_t low;

		buf_init(&set, 32);
		if (star)
			buf_addf(&set, "1:*");
		else
			buf_addf(&set, "1:%u", hi);
		rc = imap_send_meta(
		    s, buf_span(&set), s->modseqs, since, with_size, e);
		buf_release(&set);
		if (rc == 0)
			rc = finish_meta(s, e);
		if (rc < 0)
			break;
		low = imap_limited(s);
		if (low <= 1)
			break;
		if (low > hi)
			return err_set(e, ERR_PROTO, ERR_SCOPE_BOX,
			    ERR_RETRY_LATER,
			    "UID FETCH: the server does not get on below UID "
			    "%u",
			    low);
		star = false;
		hi = low - 1;
	}
	return rc;
}

uint32_t
imap_next_size(struct imap *s, const struct uidset *set, uint32_t after)
{
	const struct rview *v = s->view;
	const struct rmsg *m;
	uint32_t uid = after;

	if (!set)
		return v->n < s->exists ? uid + 1 : 0;
	rview_sort(s->view);
	do {
		uid = uidset_next(set, uid);
		m = rview_find(v, uid);
	} while (uid &&
	    ((m && m->has_meta) || uidset_has(&v->vanished, uid)));
	return uid;
}

static int
fetch_listed(struct imap *s, const struct uidset *set, bool all,
    bool with_size, struct err *e)
{
	int rc = 0;

	s->sized = 0;
	if (!all)
		rc = fetch_set(s, set, with_size, e);
	/* "1:*" names the last message even of an empty mailbox. */
	else if (s->exists > 0)
		rc = fetch_down(s, 0, 0, with_size, e);
	if (s->broken && with_size)
		s->pending = all ? imap_next_size(s, NULL, s->sized)
				 : imap_next_size(s, set, 0);
	return rc;
}

/* Those of s->view, and of SET (NULL: all), without a size. */
static void
unmeasured(struct imap *s, const struct uidset *set, struct uidset *todo)
{
	uidset_clear(todo);
	rview_sort(s->view);
	for (size_t i = 0; i < s->view->n; i++) {
		const struct rmsg *m = &s->view->v[i];

		if (!m->has_meta && (!set || uidset_has(set, m->uid)))
			uidset_add(todo, m->uid);
	}
}

/*
 * Sizes were refused, which concerns one of the messages, nobody says which:
 * fewer are asked for at once, down to that message, which stays without, and
 * behind it more again.  When nothing is answered in between, it is all of
 * them.
 */
static int
measure(struct imap *s, const struct uidset *set, struct err *e)
{
	struct uidset todo, piece;
	struct buf line;
	uint64_t pos = 0, from = 0, most;
	unsigned refused = 0;
	int rc = 0;

	uidset_init(&todo);
	uidset_init(&piece);
	buf_init(&line, IMAP_SET_OCTETS + 64);
	unmeasured(s, set, &todo);
	most = (uidset_count(&todo) + 1) / 2;
	while (rc == 0 &&
	    uidset_slice(&todo, &pos, IMAP_SET_OCTETS,
		imap_at_most(s, (size_t)most), &line, &piece)) {
		uint64_t n = uidset_count(&piece);

		rc = imap_send_meta(
		    s, buf_span(&line), s->modseqs, 0, true, e);
		if (rc == 0)
			rc = finish_meta(s, e);
		buf_clear(&line);
		if (rc == 0) {
			refused = 0;
			most = 2 * n;
		} else if ((rc == ERR_NO || rc == ERR_BAD) && !s->broken &&
		    ++refused < REFUSALS_MAX) {
			err_clear(e);
			rc = 0;
			most = n > 1 ? n / 2 : 1;
			pos = n > 1 ? from : pos;
			unmeasured(s, set, &todo);
		}
		from = pos;
	}
	if (s->broken)
		s->pending = imap_next_size(s, &piece, 0);
	uidset_release(&todo);
	uidset_release(&piece);
	buf_release(&line);
	return rc;
}

/*
 * Size and date of one message that are refused shall not hide the others: all
 * are listed without, which tells what there is, and then measured.
 */
static int
fetch_meta(struct imap *s, const struct uidset *set, bool all, bool with_size,
    struct err *e)
{
	int rc = fetch_listed(s, set, all, with_size, e);

	if (with_size && (rc == ERR_NO || rc == ERR_BAD) && !s->broken) {
		err_clear(e);
		rc = fetch_listed(s, set, all, false, e);
		if (rc == 0)
			return measure(s, all ? NULL : set, e);
	}
	if (rc == ERR_BAD && s->modseqs && !s->broken) {
		/* It offers CONDSTORE and knows no MODSEQ. */
		imap_drop(s, IMAP_CAP_CONDSTORE);
		err_clear(e);
		rc = fetch_meta(s, set, all, with_size, e);
	}
	return rc;
}

int
imap_fetch_meta(struct imap *s, const struct uidset *set, bool all,
    bool with_size, struct arena *mem, struct rview *r, struct err *e)
{
	uint64_t due, n = all ? s->exists : uidset_count(set);
	int rc;

	s->pending = 0;
	rc = imap_expect(s, imap_meta_octets(n, with_size), e);

	if (rc < 0)
		return rc;
	due = s->exists + s->expunged;

	s->view = r;
	s->mem = mem;
	rc = fetch_meta(s, set, all, with_size, e);
	s->view = NULL;
	if (rc < 0)
		return rc;
	if (!s->modseqs)
		r->highestmodseq = 0;
	rview_sort(r);
	rview_drop_vanished(r);
	if (all) {
		/*
		 * Whatever was there and has not been announced as gone. What
		 * arrived meanwhile may be in the answer or not.
		 */
		r->complete = r->n + s->expunged >= due;
		r->exists = (uint32_t)r->n;
	}
	return 0;
}

int
imap_fetch_changed(struct imap *s, uint64_t since, struct arena *mem,
    struct rview *r, struct err *e)
{
	int rc = 0;

	s->view = r;
	s->mem = mem;
	/*
	 * What arrives meanwhile is for the next run, and counts in no EXISTS
	 * of this one.
	 */
	if (s->exists > 0)
		rc = fetch_down(s, s->uidnext ? s->uidnext - 1 : 0, since,
		    false, e);
	s->view = NULL;
	if (rc == ERR_BAD)
		imap_drop(s, IMAP_CAP_CONDSTORE);
	if (rc < 0)
		return rc;
	rview_sort(r);
	rview_drop_vanished(r);
	return 0;
}

/* V[from..to) ask for the same stretch of different messages. */
static int
send_samples(struct imap *s, const struct imap_sample *v, size_t from,
    size_t to, struct err *e)
{
	struct uidset set;

	uidset_init(&set);
	for (size_t i = from; i < to; i++)
		uidset_add(&set, v[i].uid);
	imap_begin(s, "UID FETCH ");
	uidset_format(&set, &s->cmd.b);
	wire_cmd_raw(&s->cmd, " (UID BODY.PEEK[]<");
	wire_cmd_u64(&s->cmd, v[from].off);
	wire_cmd_raw(&s->cmd, ".");
	wire_cmd_u64(&s->cmd, v[from].len);
	wire_cmd_raw(&s->cmd, ">)");
	uidset_release(&set);
	return imap_send(s, e);
}

/* A sample of s->resp goes to the one in V[from..to) that asked for it. */
static void
take_sample(struct imap *s, struct arena *mem, struct imap_sample *v,
    size_t from, size_t to)
{
	const struct resp *r = &s->resp;

	for (unsigned k = 0; k < r->nbody; k++) {
		uint64_t off = r->body[k].has_origin ? r->body[k].origin : 0;
		struct span octets;

		if (r->body[k].section.n ||
		    !wire_string(r->body[k].value, &octets))
			continue;
		for (size_t i = from; i < to; i++)
			if (v[i].uid == r->uid && v[i].off == off &&
			    octets.n <= v[i].len && !v[i].got.p)
				v[i].got = arena_span(mem, octets);
	}
}

/* V[from..to) is asked for. */
struct sample_out {
	uint32_t tag;
	size_t from, to;
};

struct samples {
	struct imap *s;
	struct arena *mem;
	struct imap_sample *v;
	size_t n, sent;
	struct sample_out out[SAMPLE_WINDOW];
	unsigned nout;
	size_t *alone; /* owned; refused in company: to be asked for alone */
	size_t nalone, alonecap, alonesent;
};

/*
 * A refusal concerns one of the messages, nobody says which: those of which
 * nothing came are asked for one by one.  Alone it only means that nothing
 * comes.
 */
static int
samples_answered(struct samples *x, struct sample_out done, struct err *e)
{
	int rc = imap_check_ok(x->s, ERR_SCOPE_BOX, e, "UID FETCH");

	if (!imap_is_refusal(x->s, rc))
		return rc;
	err_clear(e);
	for (size_t i = done.from; i < done.to && done.to - done.from > 1; i++)
		if (!x->v[i].got.p) {
			VEC_GROW(x->alone, x->nalone, x->alonecap);
			x->alone[x->nalone++] = i;
		}
	return 0;
}

/* Read up to the next answer to one of OUT, and take it off. */
static int
finish_samples(struct samples *x, struct err *e)
{
	struct sample_out done;
	unsigned i;

	do {
		int rc = imap_next(x->s, e);

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(x->s, e);
		if (rc < 0)
			return rc;
		for (i = 0; x->s->resp.type == RESP_FETCH && i < x->nout; i++)
			take_sample(x->s, x->mem, x->v, x->out[i].from,
			    x->out[i].to);
		uint32_t tag = imap_tag_number(x->s);
		for (i = 0; i < x->nout && x->out[i].tag != tag; i++)
			continue;
	} while (i == x->nout);
	done = x->out[i];
	x->nout--;
	memmove(x->out + i, x->out + i + 1, (x->nout - i) * sizeof *x->out);
	return samples_answered(x, done, e);
}

static bool
samples_left(const struct samples *x)
{
	return x->sent < x->n || x->alonesent < x->nalone;
}

/* One command more. */
static int
send_next_samples(struct samples *x, struct err *e)
{
	const struct imap_sample *v = x->v;
	size_t from = x->sent, to = from + 1;
	int rc;

	if (x->sent == x->n) {
		from = x->alone[x->alonesent++];
		to = from + 1;
	} else {
		while (to < x->n &&
		    to - from < imap_at_most(x->s, SAMPLES_PER_COMMAND) &&
		    v[to].off == v[from].off && v[to].len == v[from].len)
			to++;
		x->sent = to;
	}
	rc = send_samples(x->s, v, from, to, e);
	x->out[x->nout++] =
	    (struct sample_out){.tag = x->s->tag, .from = from, .to = to};
	return rc;
}

/* A set is answered in ascending order. */
static uint32_t
samples_pending(const struct samples *x)
{
	const struct sample_out *first = &x->out[0];
	uint32_t uid = 0;

	for (size_t i = first->from; x->nout > 0 && i < first->to; i++)
		if (!x->v[i].got.p && (uid == 0 || x->v[i].uid < uid))
			uid = x->v[i].uid;
	return uid;
}

uint32_t
imap_pending(const struct imap *s)
{
	return s->pending;
}

int
imap_fetch_samples(struct imap *s, struct arena *mem, struct imap_sample *v,
    size_t n, struct err *e)
{
	struct samples x = {.s = s, .mem = mem, .v = v, .n = n};
	struct err first = {0};
	uint64_t octets = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		assert(v[i].len <= SAMPLE_MAX);
		v[i].got = SPAN_NONE;
		octets += v[i].len;
	}
	rc = imap_expect(s, octets, e);
	while (rc == 0 &&
	    ((samples_left(&x) && first.code == 0) || x.nout > 0)) {
		if (samples_left(&x) && first.code == 0 &&
		    x.nout < SAMPLE_WINDOW) {
			rc = send_next_samples(&x, e);
			continue;
		}
		rc = finish_samples(&x, e);
		if (rc < 0 && !s->broken) {
			/* what is under way is read */
			if (first.code == 0)
				first = *e;
			rc = 0;
		}
	}
	s->pending = samples_pending(&x);
	xfree(x.alone);
	if (rc == 0 && first.code) {
		*e = first;
		rc = e->code;
	}
	return rc;
}
