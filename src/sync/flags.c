/*
 * flags: UID STORE for what the plan changes on the server.
 *
 *  1. Only +FLAGS and -FLAGS, so that nobody's flag is overwritten; with
 *     UNCHANGEDSINCE where there are mod-sequences (RFC 7162 section 3.1.3).
 *     What the server answers with MODIFIED, the next pass merges again.
 *  2. A row says what the server has shown, not what it was told.
 *  3. The server says OK, too, of UIDs that are not there any more (RFC 3501
 *     section 6.4.8).  What another client has moved meanwhile is not done: the
 *     next pass finds it where it is, and merges it there.
 */
#include "sync/internal.h"

#include "base/map.h"

/* What this server can keep of F (PERMANENTFLAGS, RFC 3501 §7.1). */
static struct flags
permanent(struct run *r, struct flags f)
{
	struct flags keep = f;

	keep.sys &= r->sel.permanent.sys |
		    (r->sel.any_keyword ? (uint32_t)FLAG_PASSED : 0);
	if (!r->sel.any_keyword) {
		struct flags kw = flags_and(&r->pass, f, r->sel.permanent);

		keep.kw = kw.kw;
		keep.n = kw.n;
	}
	return keep;
}

struct flags
flags_unproven(struct run *r, struct flags f, struct flags sent)
{
	sent.sys &= FLAG_PASSED;
	return flags_minus(&r->pass, f, sent);
}

struct flags
flags_appended(struct run *r, const struct sbox *b, struct flags sent)
{
	const struct imap_selected *sel = NULL;

	if (span_eq(r->selected_wire, b->j.wire))
		sel = &r->sel;
	else if (!b->r.same)
		sel = &b->sel;
	sent = flags_unproven(r, sent, sent);
	sent.sys &= sel ? sel->permanent.sys : 0;
	return sent;
}

/* What the server said to the stores of one mailbox. */
struct told {
	uint64_t since; /* mod-sequence after which others changed it */
	struct uidset modified, failed; /* owned */
	bool all; /* of each message that is there: nobody tells who is not */
	bool changed; /* others were at work between the look and the stores */
	struct rview back; /* .vanished is owned */
	struct err said;
};

struct stores {
	struct imap_store *v;
	size_t n, cap;
	struct map by_key;
};

static void
stores_add(struct run *r, struct stores *s, bool add, struct flags f,
    const struct told *t, uint32_t uid)
{
	struct buf key;
	uint64_t at;

	if (flags_empty(f))
		return;
	buf_init(&key, 1 << 20);
	buf_addc(&key, add ? '+' : '-');
	flags_format(r->kw, f, &key);
	if (!map_get(&s->by_key, buf_span(&key), &at)) {
		VEC_GROW(s->v, s->n, s->cap);
		at = s->n++;
		s->v[at] = (struct imap_store){
		    .add = add,
		    .flags = f,
		    .unchangedsince = t->since,
		    .tell = t->all,
		};
		uidset_init(&s->v[at].uids);
		map_add(&s->by_key, arena_span(&r->pass, buf_span(&key)), at);
	}
	uidset_add(&s->v[at].uids, uid);
	buf_release(&key);
}

static void
stores_release(struct stores *s)
{
	for (size_t i = 0; i < s->n; i++)
		uidset_release(&s->v[i].uids);
	xfree(s->v);
	map_release(&s->by_key);
}

static void
told_init(const struct run *r, struct told *t, uint64_t since)
{
	bool tells = (imap_caps(r->imap) & IMAP_CAP_QRESYNC) != 0;

	*t = (struct told){.since = since, .all = since == 0 || !tells};
	uidset_init(&t->modified);
	uidset_init(&t->failed);
	uidset_init(&t->back.vanished);
}

static void
told_release(struct told *t)
{
	uidset_release(&t->modified);
	uidset_release(&t->failed);
	uidset_release(&t->back.vanished);
}

static bool
adds_and_removes(struct run *r, const struct op *op)
{
	return !flags_empty(permanent(r, op->add)) && !flags_empty(op->del);
}

/* Round FIRST: additions, or removals where there are none; else the others. */
static int
store_round(struct run *r, struct sbox *b, struct op **v, size_t n, bool first,
    struct told *t, struct err *e)
{
	struct stores s = {0};
	int rc = 0;

	map_init(&s.by_key);
	for (size_t i = 0; i < n; i++) {
		bool both = adds_and_removes(r, v[i]);

		if (uidset_has(&t->modified, v[i]->uid) ||
		    uidset_has(&t->failed, v[i]->uid))
			continue;
		if (first)
			stores_add(r, &s, true, permanent(r, v[i]->add), t,
			    v[i]->uid);
		if (first != both)
			stores_add(r, &s, false, v[i]->del, t, v[i]->uid);
	}
	if (s.n > 0) {
		b->wrote_r = true;
		rc = imap_store(r->imap, s.v, s.n, &r->pass, &t->back,
		    &t->modified, &t->failed, &t->said, e);
	}
	stores_release(&s);
	return rc;
}

/*
 * The last round of B.  NEXT is opened behind it.  What was refused then, maybe
 * in company only, is asked for once more in B.
 */
static int
store_last(struct run *r, struct sbox *b, struct op **v, size_t n, bool first,
    const struct sbox *next, struct told *t, struct err *e)
{
	struct uidset before;
	struct op **again = arena_array(&r->pass, n, sizeof *again);
	size_t nagain = 0;
	int rc;

	uidset_init(&before);
	uidset_add_set(&before, &t->failed);
	observe_next(r, next);
	rc = store_round(r, b, v, n, first, t, e);
	for (size_t i = 0; i < n && rc == 0 && next; i++)
		if (uidset_has(&t->failed, v[i]->uid) &&
		    !uidset_has(&before, v[i]->uid))
			again[nagain++] = v[i];
	if (nagain > 0) {
		uidset_clear(&t->failed);
		uidset_add_set(&t->failed, &before);
		rc = observe_reselect(r, b, e);
		if (rc == 0)
			rc = store_round(r, b, again, nagain, first, t, e);
	}
	uidset_release(&before);
	return rc;
}

/*
 * Two rounds: what is to be added (or only removed), on the condition that
 * nobody changed the message since it was observed; then the removals of
 * messages that also had additions, on the condition that nobody changed
 * them since our own first round.
 */
static int
store_rounds(struct run *r, struct sbox *b, struct op **v, size_t n,
    const struct sbox *next, struct told *t, struct err *e)
{
	bool two = false;
	int rc;

	for (size_t i = 0; i < n && !two; i++)
		two = adds_and_removes(r, v[i]);
	if (!two)
		return store_last(r, b, v, n, true, next, t, e);
	rc = store_round(r, b, v, n, true, t, e);
	t->since = 0;
	for (size_t i = 0; i < t->back.n; i++)
		if (t->back.v[i].modseq > t->since)
			t->since = t->back.v[i].modseq;
	return rc == 0 ? store_last(r, b, v, n, false, next, t, e) : rc;
}

static void
refused(
    struct run *r, struct sbox *b, const struct op *op, const struct err *said)
{
	char *text = xasprintf("the server refuses the change of flags%s%s",
	    said->code ? ": " : "", said->code ? said->text : "");

	report_failed(r, b, op->uid, op->file, text);
	xfree(text);
}

/*
 * Rule 3.  Each message that a store changes gets a new mod-sequence, which is
 * told (RFC 7162 section 3.1.3).  Where there are none, or what is gone is not
 * told by its UID (VANISHED, section 3.2.10), the store asks to be told of all.
 */
static bool
may_be_gone(const struct told *t, const struct rmsg *m, uint32_t uid)
{
	return uidset_has(&t->back.vanished, uid) ||
	       ((t->changed || t->all) && !m);
}

/* OP was carried out as far as T says. */
static void
take_told(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op, const struct told *t)
{
	struct group *g = &r->group[op->group];
	const struct rmsg *m = rview_find(&t->back, op->uid);
	struct flags add = permanent(r, op->add);

	if (uidset_has(&t->modified, op->uid) ||
	    (!uidset_has(&t->failed, op->uid) &&
		may_be_gone(t, m, op->uid))) {
		apply_undone(r, b, op);
		return;
	}
	if (uidset_has(&t->failed, op->uid)) {
		refused(r, b, op, &t->said);
		g->failed = true;
		b->undone = true;
		return;
	}
	g->row->r = flags_minus(
	    &r->pass, g->row->r, flags_minus(&r->pass, op->add, add));
	g->row->r = flags_unproven(r, g->row->r, add);
	if (m && m->modseq > g->row->modseq)
		g->row->modseq = m->modseq;
	apply_done(r, b, batch, op);
}

/*
 * B can only be read: what was changed here waits, and all else of B goes on.
 * What was found on both sides was not changed by anybody: it has its row, with
 * the flags that each side shows.
 */
static void
leave_all(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t n)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++) {
		struct group *g = &r->group[v[i]->group];

		if (v[i]->why != CASE_LR_NEW_EQUAL &&
		    v[i]->why != CASE_RENUM_EQUAL) {
			g->failed = changed = true;
			continue;
		}
		g->row->r = flags_or(&r->pass,
		    flags_minus(&r->pass, g->row->r, v[i]->add), v[i]->del);
		v[i]->kind = OP_RECORD;
		apply_done(r, b, batch, v[i]);
	}
	b->undone |= changed;
	if (changed)
		report_failed(r, b, 0, SPAN_NONE,
		    "flags were changed here, and the server opens this "
		    "mailbox read-only");
}

int
flags_there(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t n, struct err *e)
{
	struct told t;
	int rc;

	if (n == 0)
		return 0;
	rc = observe_reopen(r, b, e);
	if (rc != 0)
		return rc;
	if (!r->selected_rw) {
		leave_all(r, b, batch, v, n);
		return 0;
	}
	told_init(r, &t, b->r.highestmodseq);
	t.changed = t.since && r->sel.highestmodseq > t.since;
	rc = store_rounds(
	    r, b, v, n, apply_next(r, b, OP_RFLAGS), &t, e);
	rview_sort(&t.back);
	for (size_t i = 0; i < n && rc == 0; i++)
		take_told(r, b, batch, v[i], &t);
	told_release(&t);
	return rc;
}
