/*
 * Rules of this file:
 *  1. A COPYUID counts as a whole or not at all: a pair that is wrong would
 *     make one message of two.
 *  2. A COPY that was not answered with OK copied nothing (RFC 3501 §6.4.7).
 *     A MOVE that failed may have moved some (RFC 6851 §3.3), and what it said
 *     about them stands.
 *  3. After a COPY only what COPYUID named is removed.
 */
#include "imap/internal.h"

/* Commands under way at once. */
#define COPY_WINDOW 4

struct copy_out {
	uint32_t tag;
	struct uidset uids; /* owned */
};

struct copy {
	struct imap *s;
	bool move;
	bool last; /* nothing else of this mailbox is asked behind it */
	const struct uidset *set;
	struct span wire;
	struct arena *mem;
	struct imap_copied got; /* in MEM */
	size_t cap;
	struct uidset from, to; /* of GOT; owned */
	struct copy_out out[COPY_WINDOW + 1]; /* and the next one */
	struct imap_window w;
};

/* Rule 1: N pairs of distinct messages that were asked for and are new. */
static bool
makes_sense(const struct copy *c, const uint32_t *from, const uint32_t *to,
    size_t n)
{
	struct uidset a, b;
	bool good = true;

	uidset_init(&a);
	uidset_init(&b);
	for (size_t i = 0; i < n && good; i++) {
		good = uidset_has(c->set, from[i]) &&
		    !uidset_has(&c->from, from[i]) &&
		    !uidset_has(&c->to, to[i]);
		uidset_add(&a, from[i]);
		uidset_add(&b, to[i]);
	}
	good = good && uidset_count(&a) == n && uidset_count(&b) == n;
	uidset_release(&a);
	uidset_release(&b);
	return good;
}

static void
forget_all(struct copy *c)
{
	c->got = (struct imap_copied){0};
	c->cap = 0;
	uidset_clear(&c->from);
	uidset_clear(&c->to);
}

/* The pairs of s->resp, tagged or not, if it has any. */
static void
take_pairs(struct copy *c)
{
	struct arena mem;
	uint32_t v, *from, *to;
	size_t n;

	if (!(c->s->caps & IMAP_CAP_UIDPLUS) ||
	    !resp_code_is(&c->s->resp, "COPYUID"))
		return;
	arena_init(&mem);
	if (!resp_copyuid(&mem, &c->s->resp, (size_t)uidset_count(c->set), &v,
		&from, &to, &n))
		n = 0;
	/* The mailbox was replaced meanwhile: what was said is void. */
	if (n && v != c->got.uidvalidity) {
		forget_all(c);
		c->got.uidvalidity = v;
	}
	if (!makes_sense(c, from, to, n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		c->got.v = arena_grow(c->mem, c->got.v, c->got.n, &c->cap,
		    sizeof *c->got.v);
		c->got.v[c->got.n++] =
		    (struct imap_copy_pair){.from = from[i], .to = to[i]};
		uidset_add(&c->from, from[i]);
		uidset_add(&c->to, to[i]);
	}
	arena_release(&mem);
}

/* Rule 2: the COPY of UIDS failed, or nobody knows. */
static void
forget_pairs(struct copy *c, const struct uidset *uids)
{
	size_t n = 0;

	for (size_t i = 0; i < c->got.n; i++) {
		struct imap_copy_pair p = c->got.v[i];

		if (uidset_has(uids, p.from)) {
			uidset_remove_range(&c->from, p.from, p.from);
			uidset_remove_range(&c->to, p.to, p.to);
		} else {
			c->got.v[n++] = p;
		}
	}
	c->got.n = n;
}

/* s->resp answers the command OUT[I]. */
static int
take_answer(struct copy *c, unsigned i, struct err *e)
{
	int rc = imap_check_ok(c->s, ERR_SCOPE_BOX, e,
	    c->move ? "UID MOVE" : "UID COPY");

	if (rc < 0 && !c->move)
		forget_pairs(c, &c->out[i].uids);
	uidset_release(&c->out[i].uids);
	c->w.out--;
	memmove(c->out + i, c->out + i + 1, (c->w.out - i) * sizeof *c->out);
	uidset_init(&c->out[c->w.out].uids);
	return rc;
}

/* Read up to the answer to one of the commands. */
static int
finish_one(struct copy *c, struct err *e)
{
	struct imap *s = c->s;
	unsigned i;

	do {
		int rc = imap_next(s, e);

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(s, e);
		else if (rc == 0 && s->resp.type == RESP_STATUS)
			take_pairs(c);
		if (rc < 0)
			return rc;
		uint32_t tag = imap_tag_number(s);
		for (i = 0; i < c->w.out && c->out[i].tag != tag; i++)
			continue;
	} while (i == c->w.out);
	return take_answer(c, i, e);
}

static void
begin_one(struct copy *c, struct span set)
{
	struct imap *s = c->s;

	imap_begin(s, c->move ? "UID MOVE " : "UID COPY ");
	wire_cmd_span(&s->cmd, set);
	wire_cmd_raw(&s->cmd, " ");
	wire_cmd_astring(&s->cmd, c->wire);
}

/* SET as text; its UIDs are in the next place of c->out already. */
static int
send_one(struct copy *c, struct span set, struct err *e)
{
	struct imap *s = c->s;
	int rc;

	begin_one(c, set);
	/* A name that waits for "+" waits alone, as imap_send() asks. */
	if (s->cmd.nwait)
		c->w.size = 1;
	rc = imap_send(s, e);
	if (rc < 0)
		return rc;
	c->out[c->w.out++].tag = s->tag;
	return rc == 1 ? take_answer(c, c->w.out - 1, e) : 0;
}

static int
send_all(struct copy *c, struct err *e)
{
	struct imap_window *w = &c->w;

	imap_window_open(w, c->s, c->set, COPY_WINDOW);
	begin_one(c, SPAN(""));
	w->room = imap_set_room(c->s);
	while (imap_window_next(w, &c->out[w->out].uids)) {
		int rc = 0;

		if (w->line.n)
			rc = send_one(c, buf_span(&w->line), e);
		else if (c->last && !w->more && w->first.code == 0)
			rc = imap_send_next(c->s, e);
		if (rc == 0 && w->line.n == 0)
			rc = finish_one(c, e);
		imap_window_did(w, rc, e);
	}
	return imap_window_close(w, e);
}

/* FROM_R, initialised, gets the UIDs that c_r->v has. */
static int
copy(struct imap *s, bool move, bool last, const struct uidset *set,
    struct span wire, struct arena *mem, struct imap_copied *c_r,
    struct uidset *from_r, struct err *e)
{
	struct copy c = {.s = s, .move = move, .last = last, .set = set,
	    .wire = wire, .mem = mem};
	int rc;

	uidset_init(&c.from);
	uidset_init(&c.to);
	for (unsigned i = 0; i <= COPY_WINDOW; i++)
		uidset_init(&c.out[i].uids);
	rc = send_all(&c, e);
	for (unsigned i = 0; i <= COPY_WINDOW; i++) {
		if (i < c.w.out && !move) /* cut */
			forget_pairs(&c, &c.out[i].uids);
		uidset_release(&c.out[i].uids);
	}
	uidset_add_set(from_r, &c.from);
	uidset_release(&c.from);
	uidset_release(&c.to);
	*c_r = c.got;
	return rc;
}

int
imap_copy(struct imap *s, const struct uidset *set, struct span wire,
    struct arena *mem, struct imap_copied *c_r, struct err *e)
{
	struct uidset from;
	int rc;

	uidset_init(&from);
	rc = copy(s, false, true, set, wire, mem, c_r, &from, e);
	uidset_release(&from);
	return rc;
}

int
imap_move(struct imap *s, const struct uidset *set, struct span wire,
    struct arena *mem, struct rview *r, struct imap_copied *c_r,
    struct err *e)
{
	bool move = s->caps & IMAP_CAP_MOVE;
	struct uidset from;
	struct err no;
	int rc;

	uidset_init(&from);
	s->view = r;
	s->mem = mem;
	rc = copy(s, move, move, set, wire, mem, c_r, &from, e);
	s->view = NULL;
	/* Rule 3; also after a NO: what was copied before it is there. */
	if (!move && from.n && !s->broken &&
	    imap_expunge(s, &from, mem, r, &no) < 0 && (rc == 0 || s->broken)) {
		*e = no;
		rc = no.code;
	}
	uidset_release(&from);
	return rc;
}
