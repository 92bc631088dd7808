/*
 * Rules of this file:
 *  1. Commands are answered in the order in which they were sent.  So what is
 *     untagged belongs to the first command that has no answer, and its
 *     mailbox; a server that answers in another order cannot be understood.
 *     (SEARCH and FETCH of one mailbox are told apart by what they bring.)
 *  2. An answer counts only behind an OK to the SELECT before it.
 *  3. Only what reads is sent behind a SELECT that has not been answered.
 */
#include "imap/internal.h"

/* Commands under way: sent up to MAX, read down to MIN. */
#define WINDOW_MAX 64
#define WINDOW_MIN 32

/* UIDs LO to HI; HI 0: to the last. */
static int
send_fetch(struct imap *s, const struct imap_ask *a, uint32_t lo, uint32_t hi,
    uint64_t since, bool with_size, struct err *e)
{
	struct buf set;
	int rc;

	buf_init(&set, 32);
	if (hi)
		buf_addf(&set, "%u:%u", lo, hi);
	else
		/* "*" is a message number, which UIDONLY mode does not know. */
		buf_addf(&set,
		    s->caps & IMAP_CAP_UIDONLY ? "%u:4294967295" : "%u:*", lo);
	rc = imap_send_meta(s, buf_span(&set), a->modseqs, since, with_size, e);
	buf_release(&set);
	return rc;
}

/* What MESSAGELIMIT (RFC 9738) would cut is asked for in pieces later. */
static bool
too_many(const struct imap *s, uint32_t n)
{
	return s->message_limit && n > s->message_limit;
}

/* *N_R: commands that are under way for it; 0: it could not be sent. */
static int
send_ask(struct imap *s, struct imap_ask *a, unsigned *n_r, struct err *e)
{
	int rc = 0, sent;

	*n_r = 0;
	imap_begin_select(s, a->wire, a->read_only, a->uidvalidity, a->modseq);
	sent = imap_send_among(s, e);
	if (sent <= 0)
		return sent;
	a->sent = true;
	a->tag[0] = s->tag;
	*n_r = 1;
	if (a->all && a->messages > 0 && !too_many(s, a->messages)) {
		rc = send_fetch(s, a, 1, 0, 0, a->with_size, e);
		a->tag[1] = s->tag;
	} else if (a->changed && !too_many(s, a->messages)) {
		rc = send_fetch(s, a, 1, a->uidnext - 1, a->modseq, false, e);
		a->tag[1] = s->tag;
	} else if (a->search) {
		rc = imap_send_search(s, 1, UINT32_MAX, "", e);
		a->tag[1] = s->tag;
	}
	if (rc == 0 && a->fresh_from && a->fresh_from < a->uidnext &&
	    !too_many(s, a->uidnext - a->fresh_from)) {
		rc =
		    send_fetch(s, a, a->fresh_from, a->uidnext - 1, 0, true, e);
		a->tag[2] = s->tag;
	}
	*n_r = 1u + (a->tag[1] != 0) + (a->tag[2] != 0);
	return rc < 0 ? imap_break(s, e) : 0;
}

/* Rule 1. */
static int
take_answer(struct imap *s, uint32_t tag, const char *what, struct err *e)
{
	uint32_t got;

	do {
		if (imap_next_tagged(s, &got, e) < 0)
			return e->code;
	} while (got < tag);
	if (got != tag)
		return imap_out_of_order(s, e);
	return imap_check_ok(s, ERR_SCOPE_BOX, e, "%s", what);
}

/*
 * The connection ended: the UID whose size was to come next.  Of what is new
 * other answers have told which there are.  Some servers (Dovecot) work on both
 * FETCHes at once, so while flags are LISTED sizes may come, too.
 */
static uint32_t
next_size(struct imap *s, const struct imap_ask *a)
{
	const struct rview *told[] = {&a->opened, &a->listed};
	bool listing = s->view == &a->listed;
	struct uidset set;
	uint32_t uid;

	if (a->with_size)
		return imap_next_size(s, NULL, s->sized);
	if (!a->tag[2])
		return 0;
	uidset_init(&set);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < told[k]->n; i++)
			uidset_add(&set, told[k]->v[i].uid);
	uidset_add_set(&set, &a->found);
	uidset_remove_range(&set, 1, a->fresh_from - 1);
	if (set.n == 0 && !listing)
		uidset_add_range(&set, a->fresh_from, a->uidnext - 1);
	uid = imap_next_size(s, &set, s->sized);
	if (!uid && listing && s->sized && s->sized + 1 < a->uidnext)
		uid = s->sized + 1;
	uidset_release(&set);
	return uid;
}

/*
 * The answer to FETCH TAG, to VIEW when the mailbox is OPEN.  Refused, or cut
 * short by MESSAGELIMIT, it is asked for again in the usual way.
 */
static int
take_fetch(struct imap *s, struct imap_ask *a, uint32_t tag, struct rview *view,
    bool *has_r, struct err *e)
{
	bool open = a->state == IMAP_ASKED_OPENED;

	s->view = open ? view : NULL;
	if (take_answer(s, tag, "UID FETCH", e) == 0)
		*has_r = open && imap_limited(s) <= 1;
	if (s->broken && open)
		a->pending = next_size(s, a);
	s->view = NULL;
	if (s->broken)
		return e->code;
	err_clear(e);
	rview_sort(view);
	rview_drop_vanished(view);
	return 0;
}

/*
 * The answers to SEARCH and FETCH, which some servers (Dovecot) work on both at
 * once.
 */
static int
take_slice(struct imap *s, struct imap_ask *a, struct err *e)
{
	bool open = a->state == IMAP_ASKED_OPENED;
	bool ok[3] = {false, false, false};
	unsigned left = (a->tag[1] ? 1u : 0) + (a->tag[2] ? 1u : 0);

	s->view = open ? &a->fresh : NULL;
	while (left > 0) {
		int rc = imap_next(s, e);
		uint32_t tag;

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(s, e);
		else if (rc == 0 && s->resp.type == RESP_SEARCH)
			uidset_add_set(&a->found, &s->resp.set);
		if (rc < 0 && open)
			a->pending = next_size(s, a);
		if (rc < 0)
			return rc;
		tag = imap_tag_number(s);
		if (tag > a->tag[1] && tag > a->tag[2])
			return imap_out_of_order(s, e);
		for (int k = 1; k <= 2; k++) {
			if (tag == 0 || tag != a->tag[k])
				continue;
			ok[k] = imap_check_ok(s, ERR_SCOPE_BOX, e, "%s",
				    "UID SEARCH or FETCH") == 0 &&
				open && imap_limited(s) <= 1;
			if (s->broken)
				return e->code;
			err_clear(e);
			left--;
		}
	}
	s->view = NULL;
	rview_sort(&a->fresh);
	rview_drop_vanished(&a->fresh);
	a->has_found = ok[1] && imap_found_all(s, &a->found);
	a->has_fresh = ok[2];
	return 0;
}

/* *bad_r: the server does not know what it was asked. */
static int
take_ask(struct imap *s, struct imap_ask *a, struct arena *mem, bool *bad_r,
    struct err *e)
{
	uint64_t due;
	int rc;

	imap_expect_select(s, mem, &a->sel, &a->opened);
	rc = take_answer(s, a->tag[0], a->read_only ? "EXAMINE" : "SELECT", e);
	rc = imap_end_select(
	    s, rc, a->uidvalidity, a->modseq, &a->sel, &a->opened, e);
	if (s->broken)
		return e->code;
	*bad_r |= rc == ERR_BAD;
	if (rc == 0) {
		a->state = IMAP_ASKED_OPENED;
		rview_sort(&a->opened);
	} else {
		a->state = rc == ERR_BAD ? IMAP_ASKED_NOT : IMAP_ASKED_REFUSED;
		a->err = *e;
		err_clear(e);
	}
	due = s->exists + s->expunged;
	s->sized = 0;
	/* "1:*" names the last message even of an empty mailbox */
	a->has_listed = rc == 0 && a->all && s->exists == 0;
	if (a->search)
		return take_slice(s, a, e);
	if (a->tag[1] &&
	    take_fetch(s, a, a->tag[1], &a->listed, &a->has_listed, e) < 0)
		return e->code;
	a->listed.complete = a->all && a->listed.n + s->expunged >= due;
	a->listed.exists = (uint32_t)a->listed.n;
	return a->tag[2]
		   ? take_fetch(s, a, a->tag[2], &a->fresh, &a->has_fresh, e)
		   : 0;
}

static int
fill_window(struct imap *s, struct imap_ask *const *v, size_t n, size_t *sent,
    unsigned *out, struct err *e)
{
	while (*sent < n && *out < WINDOW_MAX) {
		unsigned k;

		if (send_ask(s, v[(*sent)++], &k, e) < 0)
			return e->code;
		*out += k;
	}
	/* The server works while we read. */
	return stream_flush(s->st, e) < 0 ? imap_break(s, e) : 0;
}

int
imap_survey(struct imap *s, struct imap_ask *const *v, size_t n,
    struct arena *mem, struct err *e)
{
	size_t sent = 0, taken = 0;
	uint64_t octets = 0;
	unsigned out = 0;
	bool bad = false;

	for (size_t i = 0; i < n; i++) {
		if (v[i]->all)
			octets += imap_meta_octets(
			    v[i]->messages, v[i]->with_size);
		if (v[i]->search)
			octets += imap_meta_octets(
			    v[i]->uidnext - v[i]->fresh_from, true);
		uidset_init(&v[i]->opened.vanished);
		uidset_init(&v[i]->listed.vanished);
		uidset_init(&v[i]->fresh.vanished);
	}
	if (imap_enabled(s, e) < 0 || imap_expect(s, octets, e) < 0)
		return e->code;
	while (taken < n) {
		if (out <= WINDOW_MIN && !bad &&
		    fill_window(s, v, n, &sent, &out, e) < 0)
			return e->code;
		if (taken == sent)
			break;
		if (v[taken]->sent && take_ask(s, v[taken], mem, &bad, e) < 0) {
			v[taken]->ended = true;
			return e->code;
		}
		for (int k = 0; k < 3; k++)
			out -= v[taken]->tag[k] != 0;
		taken++;
	}
	return 0;
}

void
imap_ask_release(struct imap_ask *a)
{
	uidset_release(&a->opened.vanished);
	uidset_release(&a->listed.vanished);
	uidset_release(&a->fresh.vanished);
	uidset_release(&a->found);
}
