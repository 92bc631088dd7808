#include "imap/internal.h"

#include <stdlib.h>

#include "mail/header.h"

/* Commands under way at once. */
#define MSGID_WINDOW 16

struct msgids {
	struct imap *s;
	const struct uidset *set;
	struct arena *mem;
	struct imap_msgid *v; /* in MEM */
	size_t n, cap;
	struct uidset seen; /* owned */
	uint32_t last;	    /* nothing up to it is still to come */
	struct buf head;    /* owned */
	bool refused;	    /* one of them, or some */
};

static bool
is_fields(struct span section)
{
	struct span head = SPAN("HEADER.FIELDS ");

	return section.n > head.n &&
	    span_eq_case(span_of(section.p, head.n), head);
}

/* The header in s->resp, as it was sent. */
static bool
header_of(const struct resp *r, struct span *head_r)
{
	for (unsigned i = 0; i < r->nbody; i++)
		if (is_fields(r->body[i].section) && !r->body[i].has_origin)
			return wire_string(r->body[i].value, head_r);
	return false;
}

static void
take_msgid(struct msgids *m)
{
	const struct resp *r = &m->s->resp;
	struct imap_msgid x = {.uid = r->uid, .id = SPAN("")};
	struct span head;

	if (r->type != RESP_FETCH || !uidset_has(m->set, r->uid) ||
	    uidset_has(&m->seen, r->uid) || !header_of(r, &head))
		return;
	/*
	 * A message that has no body need not have the empty line either
	 * (RFC 3501 §6.4.5); without it the field would look cut.
	 */
	buf_clear(&m->head);
	buf_add_span(&m->head, head);
	buf_add_str(&m->head, "\r\n\r\n");
	if (m->head.toobig)
		return;
	(void)header_field(m->mem, buf_span(&m->head), "Message-ID", &x.id);
	uidset_add(&m->seen, x.uid);
	m->last = x.uid;
	m->v = arena_grow(m->mem, m->v, m->n, &m->cap, sizeof *m->v);
	m->v[m->n++] = x;
}

static int
send_one(struct imap *s, struct span set, struct err *e)
{
	imap_begin(s, "UID FETCH ");
	wire_cmd_span(&s->cmd, set);
	wire_cmd_raw(&s->cmd, " (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])");
	return imap_send(s, e);
}

/* Read up to the next answer to a command; a refusal is noted. */
static int
finish_one(struct msgids *m, struct err *e)
{
	int rc;

	do {
		rc = imap_next(m->s, e);

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(m->s, e);
		else if (rc == 0)
			take_msgid(m);
		if (rc < 0)
			return rc;
	} while (!imap_tag_number(m->s));
	rc = imap_check_ok(m->s, ERR_SCOPE_BOX, e, "UID FETCH");
	if (!imap_is_refusal(m->s, rc))
		return rc;
	m->refused = true;
	err_clear(e);
	return 0;
}

/*
 * A refusal concerned one of its messages, nobody says which: those that did
 * not come are asked for one by one.  Alone it only means that nothing comes.
 */
static int
fetch_alone(struct msgids *m, struct err *e)
{
	struct buf line;
	int rc = 0;

	buf_init(&line, 16);
	for (uint32_t uid = uidset_first(m->set); uid && rc == 0;
	     uid = uidset_next(m->set, uid)) {
		if (uidset_has(&m->seen, uid))
			continue;
		m->last = uid - 1;
		buf_clear(&line);
		buf_add_u64(&line, uid);
		rc = send_one(m->s, buf_span(&line), e);
		if (rc == 0)
			rc = finish_one(m, e);
	}
	buf_release(&line);
	return rc;
}

static int
fetch_all(struct msgids *m, struct err *e)
{
	struct imap_window w;
	int rc;

	imap_window_open(&w, m->s, m->set, MSGID_WINDOW);
	while (imap_window_next(&w, NULL)) {
		if (w.line.n) {
			rc = send_one(m->s, buf_span(&w.line), e);
			w.out += rc == 0;
		} else {
			rc = finish_one(m, e);
			w.out--;
		}
		imap_window_did(&w, rc, e);
	}
	rc = imap_window_close(&w, e);
	return rc == 0 && m->refused ? fetch_alone(m, e) : rc;
}

static int
by_uid(const void *a, const void *b)
{
	const struct imap_msgid *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

int
imap_fetch_msgids(struct imap *s, const struct uidset *set, struct arena *mem,
    struct imap_msgid **v_r, size_t *n_r, struct err *e)
{
	struct msgids m = {.s = s, .set = set, .mem = mem};
	int rc;

	uidset_init(&m.seen);
	/* Longer ones are streamed, and then dropped. */
	buf_init(&m.head, IMAP_STREAM_MIN + 8);
	rc = fetch_all(&m, e);
	s->pending = uidset_next(set, m.last);
	uidset_release(&m.seen);
	buf_release(&m.head);
	if (rc < 0)
		return rc;
	if (m.n)
		qsort(m.v, m.n, sizeof *m.v, by_uid);
	*v_r = m.v;
	*n_r = m.n;
	return 0;
}
