/*
 * identify: octets of new UIDs, held against files that they may be.
 *
 *  1. Candidates have the size of the message; moves.c finds them.  None is a
 *     message that stays in the mailbox of the new one: hardly anybody copies
 *     within a mailbox, and where all have one INTERNALDATE, as after a move
 *     to another server, most would have a candidate.
 *  2. The Message-IDs must be equal, or be missing on both sides.
 *  3. With a Message-ID, 64 octets are compared from an offset that nobody can
 *     foresee; without one, the first and the last 1024 octets.
 *  4. When that leaves files of different content, the message is fetched.
 *  5. Who edits a message puts another one in its place, under one Message-ID
 *     and often of one size.  So where a message vanished in the mailbox in
 *     which the new UID is, though its file was moved here, all octets are
 *     compared, or it is fetched; and a draft is fetched wherever it appears.
 *     But one whose file would go up again must not be in two mailboxes: there,
 *     too, all octets are compared.  The same where another message of its size
 *     is not here any more, which may be what is now elsewhere there; but of a
 *     large one that moved only both ends are, and one that was copied is
 *     fetched.
 *  6. A file that cannot be read at that moment, for a mail reader renamed it,
 *     is neither equal nor different: the next pass knows its name.
 *
 * What is told here costs the wire some 300 octets a message, in two round
 * trips per mailbox that has such messages.
 */
#include "sync/moves.h"

#include <stdlib.h>

#define END_OCTETS 1024
#define WHOLE_OCTETS 8192

static bool
is_draft(const struct moves_file *c, const struct op *op)
{
	return c->draft || plan_is_draft(&op->row);
}

/* Rule 5: may OP's message be another version of C's? */
static bool
replaces(const struct moves_file *c, const struct op *op)
{
	return c->box == op->box || c->left == op->box ||
	       c->left == MOVES_ANY_BOX || is_draft(c, op);
}

static bool
may_be(const struct moves_file *c, const struct op *op)
{
	if ((is_draft(c, op) && !c->again) ||
	    (c->stays && op->kind == OP_SKIP) ||
	    (replaces(c, op) && (c->stays || op->row.size > WHOLE_OCTETS)) ||
	    (c->rival && c->stays && op->row.size > WHOLE_OCTETS))
		return false;
	return !c->stays || plan_seconds_near(c->idate, op->row.idate);
}

static size_t
first_of_size(const struct moves_search *s, uint64_t size)
{
	uint64_t at = 0;

	map_get_u64(&s->by_size, size, &at);
	return (size_t)at;
}

/*
 * Rule 6.  What cannot be read for long, and had no need to be read until now,
 * is no candidate.
 */
static void
note_unread(struct moves_file *c, const struct err *e)
{
	c->unread = e->code == ERR_STALE || c->just_read;
}

/* Canonical octets of a candidate's file; false when it cannot be read. */
static bool
local_octets(struct moves_search *s, struct moves_file *c, uint64_t off,
    size_t n, struct buf *out)
{
	struct err e = {0};

	buf_clear(out);
	if (maildir_sample(s->r->m, s->r->box[c->box].j.path, c->file, off, n,
		out, &e) == 0)
		return true;
	note_unread(c, &e);
	return false;
}

static struct span
local_id(struct moves_search *s, struct moves_file *c)
{
	struct err e = {0};

	if (!c->has_id && transfer_message_id(s->r, &s->r->box[c->box],
			      c->file, &c->id, &e) != 0)
		note_unread(c, &e);
	c->has_id = true;
	return c->id;
}

/* Rule 2; true also of what is not known (rule 6). */
static bool
may_have_id(struct moves_search *s, struct moves_file *c, struct span id)
{
	return span_eq(local_id(s, c), id) || c->unread;
}

/* A new UID and what is to be compared of it. */
struct question {
	struct op *op;
	struct span id;
	bool told; /* the server answered for it */
	uint64_t off[2];
	uint32_t len[2];
	struct span got[2];
	unsigned n; /* windows */
};

static int
by_size(const void *a, const void *b)
{
	const struct question *x = a, *y = b;

	if ((x->id.n == 0) != (y->id.n == 0))
		return x->id.n == 0 ? 1 : -1;
	if (x->op->row.size != y->op->row.size)
		return x->op->row.size < y->op->row.size ? -1 : 1;
	return x->op->uid < y->op->uid ? -1 : x->op->uid > y->op->uid;
}

/* Rule 2: does any candidate have Q's Message-ID? */
static bool
ids_meet(struct moves_search *s, const struct question *q)
{
	size_t at = first_of_size(s, q->op->row.size);

	for (; q->told && at; at = s->v[at - 1].next)
		if (may_be(&s->v[at - 1], q->op) &&
		    may_have_id(s, &s->v[at - 1], q->id))
			return true;
	return false;
}

/* Rule 5: has another version of a candidate Q's Message-ID? */
static bool
may_replace(struct moves_search *s, const struct question *q)
{
	size_t at = first_of_size(s, q->op->row.size);

	for (; at; at = s->v[at - 1].next)
		if ((s->v[at - 1].rival || replaces(&s->v[at - 1], q->op)) &&
		    may_be(&s->v[at - 1], q->op) &&
		    may_have_id(s, &s->v[at - 1], q->id))
			return true;
	return false;
}

/*
 * Rule 3.  Messages of about a size (from a power of two to the next) share a
 * command: there is one place for all of them, up to the end of the largest.
 * Those that end before it have theirs as far below it as a power of two is.
 */
uint64_t
moves_window_at(uint64_t size, uint64_t seed)
{
	uint64_t least = 1, mix, at;

	if (size <= MOVES_WINDOW)
		return 0;
	while (least <= size / 2)
		least *= 2;
	mix = (least ^ seed) * 0x9e3779b97f4a7c15u;
	at = (mix >> 16) % (2 * least - MOVES_WINDOW + 1);
	if (at <= size - MOVES_WINDOW)
		return at;
	return at > least ? at - least : 0;
}

static void
choose_windows(struct moves_search *s, struct question *q)
{
	uint64_t size = q->op->row.size, end = END_OCTETS;

	if (may_replace(s, q)) {
		end = WHOLE_OCTETS;
		q->n = size > end ? 2 : 1;
		q->len[0] = q->len[1] = WHOLE_OCTETS;
		q->off[1] = size > end ? size - end : 0;
		return;
	}
	if (q->id.n) {
		q->n = 1;
		q->len[0] = MOVES_WINDOW;
		q->off[0] = moves_window_at(size, s->r->seed);
		return;
	}
	q->n = 2;
	q->len[0] = q->len[1] = END_OCTETS;
	q->off[1] = size > end ? size - end : 0;
}

static int
ask_ids(struct moves_search *s, struct question *v, size_t n, struct err *e)
{
	struct imap_msgid *id;
	struct uidset set;
	struct map by_uid;
	uint64_t at;
	size_t nid;
	int rc;

	uidset_init(&set);
	map_init(&by_uid);
	for (size_t i = 0; i < n; i++) {
		uidset_add(&set, v[i].op->uid);
		map_set_u64(&by_uid, v[i].op->uid, i);
	}
	rc = imap_fetch_msgids(s->r->imap, &set, &s->r->pass, &id, &nid, e);
	for (size_t i = 0; i < nid && rc == 0; i++)
		if (map_get_u64(&by_uid, id[i].uid, &at)) {
			v[at].id = id[i].id;
			v[at].told = true;
		}
	map_release(&by_uid);
	uidset_release(&set);
	return rc;
}

static int
ask_windows(struct moves_search *s, struct question *v, size_t n, struct err *e)
{
	struct imap_sample *w =
	    arena_array(&s->r->pass, 2 * n + 1, sizeof *w);
	size_t nw = 0;
	int rc;

	/* side by side what is equal in offset and length */
	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; i < n; i++)
			if (k < v[i].n)
				w[nw++] = (struct imap_sample){
				    .uid = v[i].op->uid,
				    .off = v[i].off[k],
				    .len = v[i].len[k]};
	rc = imap_fetch_samples(s->r->imap, &s->r->pass, w, nw, e);
	nw = 0;
	for (unsigned k = 0; k < 2 && rc == 0; k++)
		for (size_t i = 0; i < n; i++)
			if (k < v[i].n)
				v[i].got[k] = w[nw++].got;
	return rc;
}

static bool
windows_equal(struct moves_search *s, struct moves_file *c,
    const struct question *q)
{
	struct buf local;
	bool equal = true;

	buf_init(&local, 2 * WHOLE_OCTETS);
	for (unsigned k = 0; k < q->n && equal; k++)
		equal = q->got[k].n > 0 &&
			local_octets(
			    s, c, q->off[k], q->len[k], &local) &&
			span_eq(buf_span(&local), q->got[k]);
	buf_release(&local);
	return equal;
}

/* Rules 4 and 6. */
static void
settle(struct moves_search *s, const struct question *q)
{
	const struct moves_file *found = NULL, *unread = NULL;

	for (size_t at = first_of_size(s, q->op->row.size); at;
	     at = s->v[at - 1].next) {
		struct moves_file *c = &s->v[at - 1];
		bool equal;

		if (!may_be(c, q->op) || !may_have_id(s, c, q->id) ||
		    (found && memcmp(found->sha, c->sha, DIGEST_LEN) == 0))
			continue;
		equal = windows_equal(s, c, q);
		if (c->unread) { /* its Message-ID, maybe: all may be equal */
			unread = c;
			continue;
		}
		if (!equal)
			continue;
		if (found)
			return;
		found = c;
	}
	if (unread) {
		putoff_unsampled(s->r, q->op, unread->box);
	} else if (found) {
		memcpy(q->op->row.sha, found->sha, DIGEST_LEN);
		q->op->known = true;
	}
}

/*
 * Those with the Message-ID of a candidate are compared; UNTOLD gets those of
 * which nothing came.
 */
static int
identify_in(struct moves_search *s, struct question *v, size_t n,
    struct uidset *untold, struct err *e)
{
	size_t left = 0;
	int rc = ask_ids(s, v, n, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = observe_keep(s->r, e);
		if (!v[i].told)
			uidset_add(untold, v[i].op->uid);
		if (!ids_meet(s, &v[i]))
			continue;
		choose_windows(s, &v[i]);
		v[left++] = v[i];
	}
	if (rc != 0 || left == 0)
		return rc;
	qsort(v, left, sizeof *v, by_size);
	rc = ask_windows(s, v, left, e);
	for (size_t i = 0; i < left && rc == 0; i++) {
		for (unsigned k = 0; k < v[i].n; k++)
			if (v[i].got[k].n == 0)
				uidset_add(untold, v[i].op->uid);
		settle(s, &v[i]);
		rc = observe_keep(s->r, e);
	}
	return rc;
}

/* The new UIDs of one mailbox, N of them. */
static int
identify(struct moves_search *s, struct question *v, size_t n, struct err *e)
{
	uint32_t box = v[0].op->box;
	struct sbox *b = &s->r->box[box];
	struct uidset untold;
	int rc;

	rc = observe_reopen(s->r, b, e);
	if (rc != 0)
		return rc;
	uidset_init(&untold);
	rc = identify_in(s, v, n, &untold, e);
	if (rc == 0)
		rc = putoff_untold(s->r, box, &untold, e);
	else if (e->scope >= ERR_SCOPE_CONN)
		holds_ended_comparing(s->r, b, imap_pending(s->r->imap), e);
	uidset_release(&untold);
	return rc;
}

static bool
has_candidate(const struct moves_search *s, const struct op *op)
{
	size_t at = first_of_size(s, op->row.size);

	while (at && !may_be(&s->v[at - 1], op))
		at = s->v[at - 1].next;
	return at != 0;
}

int
identify_all(struct moves_search *s, struct err *e)
{
	struct plan *pl = &s->r->plan;
	struct question *v = arena_array(&s->r->pass, pl->n + 1, sizeof *v);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i <= pl->n && rc == 0; i++) {
		struct op *op = i < pl->n ? &pl->op[i] : NULL;

		if (n > 0 && (!op || op->box != v[0].op->box)) {
			/* ops stand mailbox by mailbox */
			rc = identify(s, v, n, e);
			if (rc != 0)
				rc = report_contain(
				    s->r, &s->r->box[v[0].op->box], e);
			memset(v, 0, n * sizeof *v);
			n = 0;
		}
		if (op && op_is_new_there(op) && has_candidate(s, op))
			v[n++].op = op;
	}
	return rc;
}
