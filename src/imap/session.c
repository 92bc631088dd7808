/*
 * Rules of this file:
 *  1. One response is read at a time; s->resp is valid until the next read.
 *  2. What untagged data says about the session is noted here, whichever
 *     command happens to be running (RFC 3501 §5.2).
 *  3. After an error of the connection nothing is sent or read any more.
 *  4. ENABLE goes out with the first command after the login, and its answer is
 *     taken here.  Until then nothing that it enables is used: imap_select()
 *     waits for it.
 *  5. Between two answers no more comes than a mailbox of this size can need:
 *     a server that never gets to its answer would keep us for ever, and what
 *     it says meanwhile takes memory.  Bodies that were asked for do not count.
 */
#include "imap/internal.h"

#include "base/clock.h"
#include "wire/text.h"

#include <stdarg.h>
#include <stdio.h>

/* Rule 5: a large listing, and a long line about each message. */
#define UNANSWERED_MAX (128u << 20)
#define UNANSWERED_PER_MESSAGE 512
/* What EXISTS is believed for that. */
#define MESSAGES_MAX (8u << 20)
/* A message may be told of several times while others change it. */
#define TOLD_MAX 4
#define TOLD_MORE 10000

void
imap_begin(struct imap *s, const char *words)
{
	char tag[16];
	int n = snprintf(tag, sizeof tag, "m%u", ++s->tag);

	wire_cmd_begin(&s->cmd, span_of(tag, (size_t)n));
	wire_cmd_raw(&s->cmd, words);
}

int
imap_break(struct imap *s, struct err *e)
{
	if (e->scope < ERR_SCOPE_CONN)
		e->scope = ERR_SCOPE_CONN;
	if (!s->broken) {
		s->broken = true;
		s->why = *e;
	}
	return e->code;
}

static int
check_usable(const struct imap *s, struct err *e)
{
	if (!s->broken)
		return 0;
	*e = s->why;
	return e->code;
}

uint32_t
imap_tag_number(const struct imap *s)
{
	struct span t = s->resp.tag;
	uint32_t v;

	if (t.n < 2 || t.p[0] != 'm' ||
	    !span_u32(span_of(t.p + 1, t.n - 1), &v))
		return 0;
	return v <= s->tag ? v : 0;
}

int
imap_next_plus(struct imap *s, uint32_t *tag_r, struct err *e)
{
	for (;;) {
		int rc = imap_next(s, e);
		uint32_t tag;

		if (rc < 0)
			return rc;
		if (rc == IMAP_GOT_STREAM && imap_stream_drop(s, e) < 0)
			return e->code;
		if (s->resp.type == RESP_CONT)
			return 0;
		tag = imap_tag_number(s);
		if (tag) {
			*tag_r = tag;
			return 1;
		}
	}
}

int
imap_send(struct imap *s, struct err *e)
{
	struct wire_cmd *c = &s->cmd;
	size_t sent = 0;

	if (check_usable(s, e) < 0 || imap_settle_ahead(s, e) < 0)
		return e->code;
	wire_cmd_end(c);
	if (c->bad)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "a name or value cannot be sent to the server");
	if (c->b.toobig)
		return err_set(e, ERR_TOOBIG, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "command longer than %zu octets", c->b.max);
	imap_trace_out(s, c);
	for (unsigned i = 0; i < c->nwait; i++) {
		if (stream_write(s->st, c->b.p + sent, c->wait[i] - sent,
			e) < 0)
			return imap_break(s, e);
		sent = c->wait[i];
		uint32_t tag = 0;
		int rc;
		do
			rc = imap_next_plus(s, &tag, e);
		while (rc == 1 && tag != s->tag);
		if (rc != 0)
			return rc;
	}
	if (stream_write(s->st, c->b.p + sent, c->b.n - sent, e) < 0)
		return imap_break(s, e);
	return 0;
}

/* Rule 5. */
static int
without_end(struct imap *s, struct err *e)
{
	err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
	    "the server sends without end what nobody asked for");
	return imap_break(s, e);
}

static int
count_unanswered(struct imap *s, size_t n, struct err *e)
{
	uint64_t messages = s->exists < MESSAGES_MAX ? s->exists : MESSAGES_MAX;

	s->unanswered += n;
	if (s->unanswered > UNANSWERED_MAX + UNANSWERED_PER_MESSAGE * messages)
		return without_end(s, e);
	return 0;
}

static int
note_fetch(struct imap *s, struct err *e)
{
	struct rmsg m;

	/* Without flags it says nothing that a view could hold. */
	if (!s->view || s->until_closed || !(s->resp.has & HAS_FLAGS))
		return 0;
	if (s->view->n + s->view->more.n >
	    (uint64_t)TOLD_MAX * s->exists + TOLD_MORE)
		return without_end(s, e);
	if ((s->resp.has & (HAS_UID | HAS_SIZE)) == (HAS_UID | HAS_SIZE))
		s->sized = s->resp.uid;
	if (s->view->most && s->view->n >= s->view->most &&
	    (s->resp.has & HAS_UID) && s->resp.uid >= s->view->fresh_from)
		uidset_add(&s->view->more, s->resp.uid);
	else if (imap_rmsg(s, s->mem, &m))
		rview_add(s->mem, s->view, m);
	return 0;
}

static void
note_vanished(struct imap *s)
{
	uint64_t n = uidset_count(&s->resp.set);

	if (s->until_closed)
		return;
	/* RFC 7162 §3.2.10: only without EARLIER does it change EXISTS. */
	if (!s->resp.earlier) {
		if (n > s->exists)
			n = s->exists;
		s->exists -= (uint32_t)n;
		s->expunged += n;
	}
	if (s->view)
		uidset_add_set(&s->view->vanished, &s->resp.set);
}

static void
note_code(struct imap *s)
{
	const struct resp *r = &s->resp;
	struct imap_selected *sel = s->sel;
	uint64_t v;

	if (resp_code_is(r, "CAPABILITY")) {
		imap_note_caps(s, r->args);
	} else if (resp_code_is(r, "ALERT")) {
		/* RFC 9051 §7.1: who said it is known only after the login. */
		if (r->text.n && s->logged_in)
			log_warn(s->conf->log, "the server says: %.*s",
			    SPAN_ARG(r->text));
	} else if (resp_code_is(r, "CLOSED") && s->until_closed) {
		s->until_closed = s->has_exists = false;
		s->exists = 0;
	}
	if (!sel)
		return;
	if (resp_code_is(r, "UIDVALIDITY") && resp_code_u64(r, &v))
		sel->uidvalidity = v <= UINT32_MAX ? (uint32_t)v : 0;
	else if (resp_code_is(r, "UIDNEXT") && resp_code_u64(r, &v))
		sel->uidnext = v <= UINT32_MAX ? (uint32_t)v : 0;
	else if (resp_code_is(r, "HIGHESTMODSEQ") && resp_code_u64(r, &v))
		sel->highestmodseq = v;
	else if (resp_code_is(r, "NOMODSEQ"))
		sel->highestmodseq = 0;
	else if (resp_code_is(r, "UIDNOTSTICKY"))
		sel->uid_not_sticky = true;
	else if (resp_code_is(r, "READ-ONLY"))
		sel->read_only = true;
	else if (resp_code_is(r, "PERMANENTFLAGS") && r->args &&
	    r->args->kind == WIRE_LIST) {
		sel->permanent = imap_flags(s, s->mem, r->args->child);
		sel->any_keyword = false;
		for (const struct wire_node *n = r->args->child; n; n = n->next)
			sel->any_keyword |= wire_is_atom(n, "\\*");
	}
}

/* What is listed counts, once ENABLE is answered with OK. */
static void
note_enabled(struct imap *s)
{
	for (const struct wire_node *n = s->resp.words; n && s->enable_tag;
	     n = n->next) {
		if (wire_is_atom(n, "QRESYNC") && s->offers_qresync)
			s->enabled |= IMAP_CAP_QRESYNC;
		if (wire_is_atom(n, "UIDONLY") && s->offers_uidonly)
			s->enabled |= IMAP_CAP_UIDONLY;
	}
}

/* Rule 4: is this the answer to ENABLE? */
static bool
enable_answered(struct imap *s)
{
	if (!s->enable_tag || imap_tag_number(s) != s->enable_tag)
		return false;
	s->enable_tag = 0;
	if (s->resp.type == RESP_STATUS && s->resp.cond == COND_OK)
		s->caps |= s->enabled;
	return true;
}

/* Rule 2. */
static int
note(struct imap *s, struct err *e)
{
	const struct resp *r = &s->resp;

	switch (r->type) {
	case RESP_STATUS:
		note_code(s);
		if (r->cond != COND_BYE || s->leaving)
			return 0;
		err_set(e, ERR_BYE, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "the server ends the session: %.*s", SPAN_ARG(r->text));
		imap_check_busy(s, e);
		return imap_break(s, e);
	case RESP_CAPABILITY:
		imap_note_caps(s, r->words);
		return 0;
	case RESP_ENABLED:
		note_enabled(s);
		return 0;
	case RESP_EXISTS:
		/* Without CLOSED the last one is that of the new mailbox. */
		s->exists = r->num;
		s->has_exists = true;
		return 0;
	case RESP_EXPUNGE:
		/* A number that no message has says nothing. */
		if (!s->until_closed && r->num > 0 && r->num <= s->exists) {
			s->exists--;
			s->expunged++;
		}
		return 0;
	case RESP_VANISHED:
		note_vanished(s);
		return 0;
	case RESP_FETCH:
		return note_fetch(s, e);
	default:
		return 0;
	}
}

/*
 * A command is answered once.  A second answer would otherwise pass for that of
 * a command that is still under way.
 */
static void
note_answer(struct imap *s)
{
	uint32_t tag = imap_tag_number(s);

	if (tag == 0)
		return;
	if (uidset_has(&s->answered, tag)) {
		s->resp.type = RESP_OTHER;
		s->resp.tag = SPAN_NONE;
		return;
	}
	uidset_add(&s->answered, tag);
	s->unanswered = 0;
	s->answered_ms = clock_mono_ms();
}

/* What is said in s->resp, as it may be shown. */
static void
mask_secrets(struct imap *s)
{
	struct span *said[] = {&s->resp.code, &s->resp.text};
	size_t end[2];

	if (s->secrets.n == 0 || s->resp.type != RESP_STATUS)
		return;
	buf_clear(&s->masked);
	for (int i = 0; i < 2; i++) {
		imap_mask(*said[i], &s->secrets, &s->masked);
		end[i] = s->masked.n;
	}
	const char *masked = buf_cstr(&s->masked);
	*said[0] = span_of(masked, end[0]);
	*said[1] = span_of(masked + end[0], end[1] - end[0]);
}

/* Feed the lexer until it has a response, or a body begins. */
static int
read_response(struct imap *s, struct err *e)
{
	for (;;) {
		struct span in = stream_peek(s->st);
		size_t used = 0;
		enum wire_more more = WIRE_MORE;

		if (in.n) {
			more = wire_lex_feed(s->lex, in.p, in.n, &used);
			imap_trace_in(s, in.p, used);
			stream_consume(s->st, used);
			if (count_unanswered(s, used, e) < 0)
				return e->code;
		}
		switch (more) {
		case WIRE_DONE:
			imap_trace_in_end(s);
			s->whole = true;
			resp_parse(wire_lex_root(s->lex), &s->resp);
			mask_secrets(s);
			note_answer(s);
			return IMAP_GOT_RESPONSE;
		case WIRE_STREAM:
			resp_parse(wire_lex_root(s->lex), &s->resp);
			return IMAP_GOT_STREAM;
		case WIRE_BAD:
			err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
			    "cannot read what the server sent: %s",
			    wire_lex_error(s->lex));
			return imap_break(s, e);
		case WIRE_MORE:
			break;
		}
		if (stream_fill(s->st, e) < 0)
			return imap_break(s, e);
	}
}

static int
next_response(struct imap *s, struct err *e)
{
	int rc;

	if (check_usable(s, e) < 0)
		return e->code;
	/* After IMAP_GOT_STREAM the same response goes on. */
	if (s->whole) {
		s->whole = false;
		resp_release(&s->resp);
		wire_lex_next(s->lex);
	}
	rc = read_response(s, e);
	if (rc == IMAP_GOT_RESPONSE && note(s, e) < 0)
		return e->code;
	return rc;
}

int
imap_next(struct imap *s, struct err *e)
{
	int rc;

	do
		rc = next_response(s, e);
	while (rc == IMAP_GOT_RESPONSE && enable_answered(s));
	/* A SELECT behind others: it is not its turn (select.c). */
	if (rc == IMAP_GOT_RESPONSE && s->ahead_tag &&
	    imap_tag_number(s) == s->ahead_tag)
		return imap_out_of_order(s, e);
	return rc;
}

int
imap_enabled(struct imap *s, struct err *e)
{
	while (s->enable_tag) {
		int rc = next_response(s, e);

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(s, e);
		if (rc < 0)
			return rc;
		(void)enable_answered(s);
	}
	return 0;
}

int
imap_stream_read(struct imap *s, uint64_t *left, struct span *chunk_r,
    struct err *e)
{
	struct span in;

	if (*left == 0) {
		wire_lex_streamed(s->lex);
		return 0;
	}
	if (check_usable(s, e) < 0)
		return e->code;
	in = stream_peek(s->st);
	if (in.n == 0) {
		if (stream_fill(s->st, e) < 0)
			return imap_break(s, e);
		in = stream_peek(s->st);
	}
	if (in.n > *left)
		in.n = (size_t)*left;
	*left -= in.n;
	*chunk_r = in;
	/* The bytes stay where they are until the stream is filled again. */
	stream_consume(s->st, in.n);
	return 1;
}

int
imap_stream_drop(struct imap *s, struct err *e)
{
	uint64_t left = wire_lex_stream_left(s->lex);
	struct span chunk;
	int rc;

	while ((rc = imap_stream_read(s, &left, &chunk, e)) > 0)
		if (count_unanswered(s, chunk.n, e) < 0)
			return e->code;
	return rc;
}

int
imap_next_tagged(struct imap *s, uint32_t *tag_r, struct err *e)
{
	for (;;) {
		int rc = imap_next(s, e);
		uint32_t tag;

		if (rc < 0)
			return rc;
		if (rc == IMAP_GOT_STREAM) {
			if (imap_stream_drop(s, e) < 0)
				return e->code;
			continue;
		}
		tag = imap_tag_number(s);
		if (tag) {
			*tag_r = tag;
			return 0;
		}
	}
}

int
imap_wait(struct imap *s, uint32_t tag, struct err *e)
{
	uint32_t got = 0;

	while (got != tag)
		if (imap_next_tagged(s, &got, e) < 0)
			return e->code;
	return 0;
}

/* Codes (RFC 5530, 7889, 9208) that no repetition will change. */
static bool
is_final(const struct resp *r)
{
	static const char *const code[] = {"NOPERM", "CANNOT", "LIMIT",
	    "TOOBIG", "NONEXISTENT", "ALREADYEXISTS", "AUTHORIZATIONFAILED",
	    "AUTHENTICATIONFAILED", "EXPIRED", "PRIVACYREQUIRED",
	    "CONTACTADMIN"};

	for (size_t i = 0; i < sizeof code / sizeof *code; i++)
		if (resp_code_is(r, code[i]))
			return true;
	return false;
}

void
imap_check_busy(const struct imap *s, struct err *e)
{
	const struct resp *r = &s->resp;
	uint64_t ms = 0, sec;

	if (!wire_throttled(r->text, &ms) && !resp_code_is(r, "THROTTLED"))
		return;
	e->code = ERR_BUSY;
	e->scope = ERR_SCOPE_ACCOUNT;
	e->retry = ERR_RETRY_LATER;
	sec = ms / 1000 + (ms % 1000 != 0);
	if (sec)
		err_wrap(e, "asked too much of the server; it can be tried "
			    "again after %llu seconds",
		    (unsigned long long)sec);
	else
		err_wrap(e, "asked too much of the server; try again later");
}

int
imap_check_ok(struct imap *s, enum err_scope scope, struct err *e,
    const char *fmt, ...)
{
	const struct resp *r = &s->resp;
	char what[256];
	va_list ap;
	size_t n;

	if (r->type == RESP_STATUS && r->cond == COND_OK)
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (r->type != RESP_STATUS) {
		err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "%s: the server's answer makes no sense", what);
		return imap_break(s, e);
	}
	err_set(e, r->cond == COND_BAD ? ERR_BAD : ERR_NO, scope,
	    is_final(r) ? ERR_RETRY_NEVER : ERR_RETRY_LATER,
	    "%s: the server says %s: %s%.*s%s%.*s", what,
	    r->cond == COND_BAD ? "BAD" : "NO", r->code.n ? "[" : "",
	    SPAN_ARG(r->code), r->code.n ? "] " : "", SPAN_ARG(r->text));
	n = r->code.n < sizeof e->resp - 1 ? r->code.n : sizeof e->resp - 1;
	for (size_t i = 0; i < n; i++)
		e->resp[i] = r->code.p[i] >= 'a' && r->code.p[i] <= 'z'
		    ? (char)(r->code.p[i] - 'a' + 'A')
		    : r->code.p[i];
	e->resp[n] = '\0';
	imap_check_busy(s, e);
	/* More commands, or a BYE behind the NO, would only hide the reason. */
	return e->code == ERR_BUSY ? imap_break(s, e) : e->code;
}

int
imap_out_of_order(struct imap *s, struct err *e)
{
	/* One that stands before the server may have had enough. */
	(void)imap_check_ok(s, ERR_SCOPE_CONN, e, "pipeline");
	if (s->broken)
		return e->code;
	err_set(e, ERR_PROTO, ERR_SCOPE_CONN, ERR_RETRY_LATER,
	    "the server answers commands in another order than they were sent "
	    "in");
	return imap_break(s, e);
}

int
imap_run(struct imap *s, enum err_scope scope, const char *what,
    struct err *e)
{
	int rc = imap_send(s, e);

	if (rc == 0)
		rc = imap_wait(s, s->tag, e);
	if (rc < 0)
		return rc;
	return imap_check_ok(s, scope, e, "%s", what);
}

int
imap_wait_two(struct imap *s, const uint32_t tag[2],
    const char *const what[2], enum err_scope scope, struct err said[2],
    struct err *e)
{
	bool got[2] = {false, false};

	while (!got[0] || !got[1]) {
		uint32_t t;

		if (imap_next_tagged(s, &t, e) < 0)
			return e->code;
		for (int i = 0; i < 2; i++) {
			if (t != tag[i] || got[i])
				continue;
			got[i] = true;
			err_clear(&said[i]);
			(void)imap_check_ok(s, scope, &said[i], "%s", what[i]);
		}
	}
	return 0;
}
