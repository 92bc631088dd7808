/*
 * moves: which new messages are somewhere in the account already.
 *
 * A file has its digest once it was read; a new UID has only what the server
 * tells.  So for each new UID the files that may be it are looked for, and
 * bytes of both are compared, before plan_moves() takes them for one message.
 *
 * Rules:
 *  1. Only a file of the same canonical size comes into question.  One whose
 *     message stays where it is (a copy) must also have the same INTERNALDATE,
 *     to the second; one whose message vanished need not, since some servers
 *     date anew what is moved.
 *  2. The Message-IDs must be equal, or be missing on both sides.
 *  3. With a Message-ID, 64 octets are compared from an offset that nobody can
 *     foresee; without one, the first and the last 1024 octets.
 *  4. When that leaves files of different content, the message is fetched.
 *  5. Who edits a message puts another one in its place, under one Message-ID
 *     and often of one size.  So where a message vanished in the mailbox in
 *     which the new UID is, all octets are compared, or it is fetched; and a
 *     draft is fetched wherever it appears.
 *
 * What is told here costs the wire some 300 octets a message, in two round
 * trips per mailbox that has such messages.
 */
#include "sync/internal.h"

#include "base/map.h"

#include <stdlib.h>

/* Rows of one size that are looked at. */
#define SAME_SIZE_MAX 256
#define WINDOW 64
#define END_OCTETS 1024
#define WHOLE_OCTETS 8192

/* A file that a new UID may be. */
struct candidate {
	uint32_t box;
	struct span file;
	uint64_t size;
	int64_t idate;
	const uint8_t *sha;
	bool stays; /* the source of a copy */
	bool draft;
	bool has_id;
	struct span id; /* Message-ID */
	size_t next;	/* 1 + index of the next one of this size; 0 ends */
};

struct search {
	struct run *r;
	struct candidate *v;
	size_t n, cap;
	struct map by_size; /* size -> 1 + index into v */
	struct plan_live *live;
	size_t nlive, livecap;
	struct map box_of_id; /* journal id -> 1 + index into r->box */
	struct map *bases;    /* by box: base name -> 1 + index into l.v */
	bool *has_bases;
};

static bool
seconds_near(int64_t a, int64_t b)
{
	return a - b <= 1 && b - a <= 1;
}

/* Rule 5, by what either side showed. */
static bool
is_draft(const struct pair *row)
{
	return ((row->l.sys | row->r.sys) & FLAG_DRAFT) != 0;
}

static void
add_candidate(struct search *s, struct candidate c)
{
	uint64_t first = 0;

	map_get_u64(&s->by_size, c.size, &first);
	c.next = (size_t)first;
	s->v = arena_grow(&s->r->pass, s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n++] = c;
	map_set_u64(&s->by_size, c.size, s->n);
}

/* What the plan lets go of, or would push anew. */
static void
candidates_of_plan(struct search *s)
{
	const struct plan *pl = &s->r->plan;

	for (size_t i = 0; i < pl->n; i++) {
		const struct op *op = &pl->op[i];

		if ((op->kind == OP_LDELETE && op->why != CASE_EXPUNGE) ||
		    op->kind == OP_KEEP || op->kind == OP_PUSH)
			add_candidate(s,
			    (struct candidate){.box = op->box,
				.file = op->file,
				.size = op->row.size,
				.idate = op->row.idate,
				.sha = op->row.sha,
				.draft = is_draft(&op->row)});
	}
}

/* The file of ROW in B as it is named now; false when it is not there. */
static bool
current_file(struct search *s, uint32_t box, struct pair *row)
{
	struct sbox *b = &s->r->box[box];
	uint64_t at = 0;

	if (b->local_missing || row->file.n == 0)
		return false;
	if (!b->observed || b->l.same ||
	    (b->l.delta && !uidset_has(&b->l_gone, row->uid)))
		return true;
	if (!s->has_bases[box]) {
		s->has_bases[box] = true;
		map_init(&s->bases[box]);
		for (size_t i = 0; i < b->l.n; i++)
			map_add(&s->bases[box], b->l.v[i].base, i + 1);
	}
	if (!map_get(&s->bases[box], plan_base(row->file), &at))
		return false;
	row->file = b->l.v[at - 1].file;
	return true;
}

/* Is the row's UID there, as far as this pass knows? */
static bool
current_uid(const struct sbox *b, uint32_t uid)
{
	if (b->remote_missing)
		return false;
	if (!b->observed || b->r.same)
		return true;
	if (b->r.renumbered || b->r.doubt || uidset_has(&b->r.vanished, uid))
		return false;
	return !b->r.complete || rview_find(&b->r, uid);
}

/* Ops by the size of their message, lowest index first. */
struct sizes {
	struct map first; /* size -> 1 + index into the plan's ops */
	uint32_t *next;	  /* 1 + index; 0 ends */
};

static bool
seeks_rows(const struct op *op)
{
	return op->kind == OP_PULL ||
	       (op->kind == OP_PUSH && op->why == CASE_L_NEW);
}

/* Is ROW what an op of KIND among those from AT on may be? */
static bool
is_sought(const struct search *s, const struct sizes *z, uint64_t at,
    enum op_kind kind, const struct pair *row)
{
	for (; at; at = z->next[at - 1]) {
		const struct op *op = &s->r->plan.op[at - 1];

		if (op->kind == kind &&
		    (kind == OP_PUSH
			    ? memcmp(row->sha, op->row.sha, DIGEST_LEN) == 0
			    : seconds_near(row->idate, op->row.idate)))
			return true;
	}
	return false;
}

/* A row that new messages may be copies of; it is copied into the pass. */
static void
add_row(struct search *s, const struct jfound *found, bool pull)
{
	struct run *r = s->r;
	struct plan_live x = {.row = found->row};
	struct span sha;
	uint64_t at;

	if (!map_get_u64(&s->box_of_id, found->box, &at) ||
	    r->box[at - 1].failed || r->box[at - 1].gone)
		return;
	x.box = (uint32_t)(at - 1);
	x.row.file = arena_span(&r->pass, x.row.file);
	x.row.l = flags_copy(&r->pass, x.row.l);
	x.row.r = flags_copy(&r->pass, x.row.r);
	x.remote = current_uid(&r->box[x.box], x.row.uid);
	x.local = current_file(s, x.box, &x.row);
	if (!x.local && !x.remote)
		return;
	s->live = arena_grow(
	    &r->pass, s->live, s->nlive, &s->livecap, sizeof *s->live);
	s->live[s->nlive++] = x;
	if (!pull || !x.local)
		return;
	sha = arena_span(
	    &r->pass, span_of((const char *)x.row.sha, DIGEST_LEN));
	add_candidate(s,
	    (struct candidate){.box = x.box,
		.file = x.row.file,
		.size = x.row.size,
		.idate = x.row.idate,
		.sha = (const uint8_t *)sha.p,
		.stays = true,
		.draft = is_draft(&x.row)});
}

/* One look into the journal for all ops of one size, from AT on. */
static int
rows_for(struct search *s, const struct sizes *z, size_t at,
    struct arena *scratch, struct err *e)
{
	struct jfound *found;
	size_t n;
	int rc = journal_rows_of_size(s->r->j, s->r->plan.op[at].row.size,
	    SAME_SIZE_MAX, scratch, &found, &n, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		bool pull = is_sought(s, z, at + 1, OP_PULL, &found[i].row);

		if (pull || is_sought(s, z, at + 1, OP_PUSH, &found[i].row))
			add_row(s, &found[i], pull);
	}
	return rc;
}

static int
rows_for_all(struct search *s, struct err *e)
{
	const struct plan *pl = &s->r->plan;
	struct sizes z = {
	    .next = arena_array(&s->r->pass, pl->n + 1, sizeof *z.next)};
	struct arena scratch;
	int rc = 0;

	arena_init(&scratch);
	map_init(&z.first);
	for (size_t i = pl->n; i-- > 0;) {
		uint64_t first = 0;

		if (!seeks_rows(&pl->op[i]))
			continue;
		map_get_u64(&z.first, pl->op[i].row.size, &first);
		z.next[i] = (uint32_t)first;
		map_set_u64(&z.first, pl->op[i].row.size, i + 1);
	}
	for (size_t i = 0; i < pl->n && rc == 0; i++) {
		uint64_t first = 0;

		map_get_u64(&z.first, pl->op[i].row.size, &first);
		if (first == i + 1 && seeks_rows(&pl->op[i]))
			rc = rows_for(s, &z, i, &scratch, e);
		arena_clear(&scratch);
	}
	map_release(&z.first);
	arena_release(&scratch);
	return rc;
}

/*
 * Rule 5: may OP's message have taken the place of C's?  (The row of C still
 * says that it stays while its UID is on its way out.)
 */
static bool
replaces(const struct candidate *c, const struct op *op)
{
	return c->box == op->box;
}

static bool
may_be(const struct candidate *c, const struct op *op)
{
	if (c->draft || is_draft(&op->row) ||
	    (replaces(c, op) && op->row.size > WHOLE_OCTETS))
		return false;
	return !c->stays || seconds_near(c->idate, op->row.idate);
}

static size_t
first_of_size(const struct search *s, uint64_t size)
{
	uint64_t at = 0;

	map_get_u64(&s->by_size, size, &at);
	return (size_t)at;
}

/* Canonical octets of a candidate's file; false when it cannot be read. */
static bool
local_octets(struct search *s, const struct candidate *c, uint64_t off,
    size_t n, struct buf *out)
{
	struct err e = {0};

	buf_clear(out);
	return maildir_sample(s->r->m, s->r->box[c->box].j.path, c->file, off,
		   n, out, &e) == 0;
}

static struct span
local_id(struct search *s, struct candidate *c)
{
	if (!c->has_id)
		c->id = transfer_message_id(s->r, &s->r->box[c->box], c->file);
	c->has_id = true;
	return c->id;
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
ids_meet(struct search *s, const struct question *q)
{
	size_t at = first_of_size(s, q->op->row.size);

	for (; q->told && at; at = s->v[at - 1].next)
		if (may_be(&s->v[at - 1], q->op) &&
		    span_eq(local_id(s, &s->v[at - 1]), q->id))
			return true;
	return false;
}

/* Rule 5: is a candidate of Q's Message-ID in the mailbox of Q? */
static bool
may_replace(struct search *s, const struct question *q)
{
	size_t at = first_of_size(s, q->op->row.size);

	for (; at; at = s->v[at - 1].next)
		if (replaces(&s->v[at - 1], q->op) &&
		    may_be(&s->v[at - 1], q->op) &&
		    span_eq(local_id(s, &s->v[at - 1]), q->id))
			return true;
	return false;
}

/*
 * Rule 3.  One offset for all messages of about a size (from a power of two to
 * the next): they share a command.
 */
static void
choose_windows(struct search *s, struct question *q)
{
	uint64_t size = q->op->row.size, end = END_OCTETS, least = 1, mix;

	if (may_replace(s, q)) {
		q->n = 1;
		q->len[0] = WHOLE_OCTETS;
		return;
	}
	if (q->id.n) {
		while (least <= size / 2)
			least *= 2;
		mix = (least ^ s->r->seed) * 0x9e3779b97f4a7c15u;
		q->n = 1;
		q->len[0] = WINDOW;
		q->off[0] = least > WINDOW ? (mix >> 16) % (least - WINDOW) : 0;
		return;
	}
	q->n = 2;
	q->len[0] = q->len[1] = END_OCTETS;
	q->off[1] = size > end ? size - end : 0;
}

static int
ask_ids(struct search *s, struct question *v, size_t n, struct err *e)
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
ask_windows(struct search *s, struct question *v, size_t n, struct err *e)
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
windows_equal(struct search *s, const struct candidate *c,
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

/* Rule 4. */
static void
settle(struct search *s, const struct question *q)
{
	const struct candidate *found = NULL;

	for (size_t at = first_of_size(s, q->op->row.size); at;
	     at = s->v[at - 1].next) {
		struct candidate *c = &s->v[at - 1];

		if (!may_be(c, q->op) || !span_eq(local_id(s, c), q->id) ||
		    (found && memcmp(found->sha, c->sha, DIGEST_LEN) == 0) ||
		    !windows_equal(s, c, q))
			continue;
		if (found)
			return;
		found = c;
	}
	if (found) {
		memcpy(q->op->row.sha, found->sha, DIGEST_LEN);
		q->op->known = true;
	}
}

/*
 * Those with the Message-ID of a candidate are compared; UNTOLD gets those of
 * which nothing came.
 */
static int
identify_in(struct search *s, struct question *v, size_t n,
    struct uidset *untold, struct err *e)
{
	size_t left = 0;
	int rc = ask_ids(s, v, n, e);

	for (size_t i = 0; i < n && rc == 0; i++) {
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
	}
	return rc;
}

/* The new UIDs of one mailbox, N of them. */
static int
identify(struct search *s, struct question *v, size_t n, struct err *e)
{
	uint32_t box = v[0].op->box;
	struct uidset untold;
	int rc;

	uidset_init(&untold);
	rc = observe_reselect(s->r, &s->r->box[box], e);
	if (rc == 0)
		rc = identify_in(s, v, n, &untold, e);
	rc = rc == 0 ? putoff_untold(s->r, box, &untold, e) : rc;
	uidset_release(&untold);
	return rc;
}

static bool
has_candidate(const struct search *s, const struct op *op)
{
	size_t at = first_of_size(s, op->row.size);

	while (at && !may_be(&s->v[at - 1], op))
		at = s->v[at - 1].next;
	return at != 0;
}

static int
identify_all(struct search *s, struct err *e)
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
		if (op && op->kind == OP_PULL && has_candidate(s, op))
			v[n++].op = op;
	}
	return rc;
}

/* A mailbox whose pass ended in error takes no part. */
static void
drop_failed(struct run *r)
{
	struct plan *pl = &r->plan;
	size_t n = 0;

	for (size_t i = 0; i < pl->n; i++)
		if (!r->box[pl->op[i].box].failed)
			pl->op[n++] = pl->op[i];
	pl->n = n;
}

int
moves_find(struct run *r, struct err *e)
{
	struct search s = {.r = r};
	int rc;

	map_init(&s.by_size);
	map_init(&s.box_of_id);
	s.bases = arena_array(&r->pass, r->nbox + 1, sizeof *s.bases);
	s.has_bases = arena_array(&r->pass, r->nbox + 1, sizeof *s.has_bases);
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].j.id)
			map_set_u64(&s.box_of_id, r->box[i].j.id, i + 1);
	candidates_of_plan(&s);
	rc = rows_for_all(&s, e);
	if (rc == 0 && s.n > 0)
		rc = identify_all(&s, e);
	if (rc == 0) {
		drop_failed(r);
		plan_moves(&r->plan, s.live, s.nlive);
		putoff_unread(r);
		if (!r->o->dry_run)
			putoff_into_missing(r);
	}
	for (size_t i = 0; i < r->nbox; i++)
		if (s.has_bases[i])
			map_release(&s.bases[i]);
	map_release(&s.by_size);
	map_release(&s.box_of_id);
	return rc;
}
