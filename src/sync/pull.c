/*
 * pull: messages down, those of all mailboxes in one stream.
 *
 *  1. Mailboxes are opened and fetched from in one window (imap_fetch_from):
 *     INBOX first, the newest messages of each first.  What comes goes into
 *     batches (batch.c).
 *  2. What is wrong with a mailbox stays with it; it is reported, and the
 *     stream goes on without it.  Of one that has another UIDVALIDITY now,
 *     nothing that was planned is done: the next pass looks at it again.
 *  3. A cut connection does not take back what has come.
 */
#include "sync/internal.h"

#include "base/map.h"

/* The messages that are to come from one mailbox. */
struct pull_box {
	struct sbox *b;
	struct op **op;
	size_t n;
	struct map by_uid; /* index into op */
	bool *got;	   /* by index into op */
	size_t ngot;
	struct jhold *fail; /* tried in vain, in this run; owned */
	size_t nfail, failcap;
};

struct pull {
	struct run *r;
	struct pull_box *v;
	struct imap_source *source; /* of V, in the same order */
	size_t n;
	struct batch *batch;
	size_t pending_of; /* index into V */
	uint32_t pending;  /* it was to come when an error ended it; or 0 */
};

static void
note_failure(struct pull *p, struct pull_box *x, uint32_t uid, struct span why)
{
	VEC_GROW(x->fail, x->nfail, x->failcap);
	x->fail[x->nfail++] =
	    (struct jhold){.uid = uid, .why = arena_span(&p->r->pass, why)};
}

/* One body, from the socket to tmp/. */
static int
take_body(
    struct pull *p, struct pull_box *x, struct imap_fetch *f, struct err *e)
{
	AUTO(maildir_delivery) d = NULL;
	struct content content;
	struct span chunk;
	struct rmsg m = {0};
	int64_t idate;
	uint64_t at;
	int rc, got;

	rc = maildir_deliver_begin(p->r->m, x->b->j.path, &d, e);
	while (rc == 0 && (got = imap_fetch_read(f, &chunk, e)) != 0) {
		if (got < 0)
			return got;
		rc = maildir_deliver_write(d, chunk.p, chunk.n, e);
	}
	if (rc == 0)
		rc = imap_fetch_done(f, &m, e);
	if (rc != 0)
		return rc;
	/* asked for, and not twice */
	if (!map_get_u64(&x->by_uid, m.uid, &at) || x->got[at])
		return 0;
	x->got[at] = true;
	x->ngot++;
	idate = m.has_meta ? m.idate : x->op[at]->row.idate;
	rc = maildir_deliver_finish(d, idate, &content, e);
	if (rc != 0) {
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		note_failure(p, x, m.uid, span_str(e->text));
		err_clear(e);
		return 0;
	}
	batch_add(p->batch, x->b, x->op[at], d, &content, idate);
	d = NULL;
	report_progress(p->r, x->b, x->ngot, x->n);
	return 0;
}

/* Rule 2. */
static int
fail_box(struct pull *p, struct pull_box *x, struct err *e)
{
	x->b->undone = true;
	return report_contain(p->r, x->b, e);
}

/* One body, and the batch that it may fill. */
static int
take_one(struct pull *p, struct imap_fetch *f, struct err *e)
{
	size_t at = imap_fetch_source(f);
	struct pull_box *x = &p->v[at];
	int rc = take_body(p, x, f, e);

	if (rc != 0) {
		rc = fail_box(p, x, e);
		/* of a cut connection: not before the suspect is known */
		if (rc == 0)
			imap_fetch_drop(f, at);
	}
	if (rc != 0 || !batch_is_full(p->batch))
		return rc;
	rc = batch_step(p->batch, e);
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].b->failed)
			imap_fetch_drop(f, i);
	return rc;
}

static int
fetch_all(struct pull *p, struct err *e)
{
	struct imap_fetch *f = NULL;
	const struct imap_failed *bad;
	struct rmsg m;
	size_t nbad;
	int rc;

	rc = imap_fetch_from(p->r->imap, p->source, p->n, &p->r->pass, &f, e);
	while (rc == 0 && (rc = imap_fetch_next(f, &m, e)) > 0)
		rc = take_one(p, f, e);
	nbad = f ? imap_fetch_failed(f, &bad) : 0;
	for (size_t i = 0; i < nbad; i++)
		note_failure(p, &p->v[bad[i].source], bad[i].uid, bad[i].why);
	if (f && rc < 0)
		p->pending = imap_fetch_pending(f, &p->pending_of);
	imap_fetch_end(&f);
	p->r->selected_wire = SPAN_NONE;
	for (size_t i = 0; i < p->n; i++)
		if (p->source[i].selected &&
		    (rc == 0 || e->scope < ERR_SCOPE_CONN))
			observe_selected(
			    p->r, p->source[i].wire, &p->source[i].sel);
	return rc;
}

/*
 * What did not come: gone meanwhile (the next delta says so), or withheld.
 * A UID that is missing from an answer is asked for once more first.
 */
static int
ask_again(struct pull *p, struct pull_box *x, struct err *e)
{
	struct uidset missing;
	struct rview there = {0};
	int rc = 0;

	uidset_init(&missing);
	uidset_init(&there.vanished);
	for (size_t i = 0; i < x->n; i++)
		if (!x->got[i])
			uidset_add(&missing, x->op[i]->uid);
	for (size_t i = 0; i < x->nfail; i++)
		uidset_remove_range(&missing, x->fail[i].uid, x->fail[i].uid);
	if (missing.n > 0)
		rc = observe_reopen(p->r, x->b, e);
	if (rc == 0 && missing.n > 0)
		rc = imap_fetch_meta(
		    p->r->imap, &missing, false, false, &p->r->pass, &there, e);
	rview_sort(&there);
	for (size_t i = 0; i < there.n && rc == 0; i++)
		if (uidset_has(&missing, there.v[i].uid))
			note_failure(p, x, there.v[i].uid,
			    SPAN("the server lists it but sends no body"));
	uidset_release(&missing);
	uidset_release(&there.vanished);
	return rc;
}

static int
record_failures(struct pull *p, struct pull_box *x, struct err *e)
{
	struct journal_batch *batch;

	if (x->nfail == 0)
		return 0;
	batch = record_begin(p->r, x->b);
	for (size_t i = 0; i < x->nfail; i++) {
		struct jhold *h = &x->fail[i];
		char *text;

		holds_put_uid(p->r, x->b, batch, h->uid, h->why);
		text = xasprintf(
		    "not fetched: %.*s; tried again later", SPAN_ARG(h->why));
		report_failed(p->r, x->b, h->uid, SPAN_NONE, text);
		xfree(text);
	}
	return record_commit(p->r, x->b, &batch, e);
}

/* Rule 2: mailboxes that were not opened, or not as they were observed. */
static int
settle_refused(struct pull *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct sbox *b = p->v[i].b;

		*e = p->source[i].err;
		if (b->failed || e->code == 0)
			continue;
		if (e->code == ERR_STALE) {
			b->undone = b->rescan = true;
			b->op_to = b->op_from;
			b->del_to = b->del_from;
			err_clear(e);
		} else {
			rc = fail_box(p, &p->v[i], e);
		}
	}
	return rc;
}

/* The stream came to its end. */
static int
settle_all(struct pull *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct pull_box *x = &p->v[i];

		if (x->b->failed || p->source[i].closed)
			continue;
		rc = ask_again(p, x, e);
		if (rc == 0)
			rc = record_failures(p, x, e);
		if (rc != 0)
			rc = fail_box(p, x, e);
	}
	return rc;
}

/* It was cut: what has failed by itself has done so for all that. */
static void
settle_cut(struct pull *p, const struct err *e)
{
	struct err late = {0};

	(void)settle_refused(p, &late);
	for (size_t i = 0; i < p->n; i++) {
		p->v[i].b->undone = true;
		err_clear(&late);
		if (!p->v[i].b->failed)
			(void)record_failures(p, &p->v[i], &late);
	}
	holds_ended_at(p->r, p->v[p->pending_of].b, p->pending, e);
}

/* Ops of B as a part of the stream. */
static void
add_box(struct pull *p, struct sbox *b, struct op **op, size_t n)
{
	struct run *r = p->r;
	uint32_t *uids = arena_array(&r->pass, n, sizeof *uids);
	uint64_t *sizes = arena_array(&r->pass, n, sizeof *sizes);
	struct pull_box *x = &p->v[p->n];

	*x = (struct pull_box){.b = b, .op = op, .n = n};
	x->got = arena_array(&r->pass, n, sizeof *x->got);
	map_init(&x->by_uid);
	for (size_t i = 0; i < n; i++) {
		uids[i] = op[i]->uid;
		sizes[i] = op[i]->row.size;
		map_set_u64(&x->by_uid, uids[i], i);
	}
	p->source[p->n++] = (struct imap_source){
	    .wire = b->j.wire,
	    .read_only = run_is_reader(r),
	    .modseqs = (imap_caps(r->imap) & IMAP_CAP_CONDSTORE) &&
		       b->r.highestmodseq != 0,
	    .uidvalidity = b->r.uidvalidity,
	    .uids = uids,
	    .sizes = sizes,
	    .n = n,
	};
}

static int
collect_box(struct pull *p, struct sbox *b, struct err *e)
{
	struct op **v;
	size_t n;

	if (!b->observed || b->failed || b->waits)
		return 0;
	n = apply_ops(p->r, b, OP_PULL, &v);
	if (n == 0)
		return 0;
	if (local_make(p->r, b, e) != 0)
		return report_contain(p->r, b, e);
	add_box(p, b, v, n);
	return 0;
}

static bool
is_inbox(const struct sbox *b)
{
	return span_eq_case(b->j.wire, SPAN("INBOX"));
}

/* The mailboxes that something is to come from. */
static int
collect(struct pull *p, struct err *e)
{
	struct run *r = p->r;
	int rc = 0;

	p->v = arena_array(&r->pass, r->nbox + 1, sizeof *p->v);
	p->source = arena_array(&r->pass, r->nbox + 1, sizeof *p->source);
	for (int inbox = 1; inbox >= 0; inbox--)
		for (size_t i = 0; i < r->nbox && rc == 0; i++)
			if (is_inbox(&r->box[i]) == (inbox == 1))
				rc = collect_box(p, &r->box[i], e);
	/* it need not be opened again */
	if (p->n > 0 && span_eq(r->selected_wire, p->source[0].wire) &&
	    r->selected_uidvalidity == p->source[0].uidvalidity) {
		p->source[0].selected = true;
		p->source[0].sel = r->sel;
	}
	return rc;
}

static int
pull_boxes(struct pull *p, struct err *e)
{
	struct err late = {0};
	int rc;

	p->batch = batch_new(p->r);
	rc = fetch_all(p, e);
	if (rc == 0)
		rc = batch_end(p->batch, e);
	else if (rc != ERR_FULL && rc != ERR_IO) /* rule 3 */
		(void)batch_end(p->batch, &late);
	batch_free(&p->batch);
	if (rc == 0)
		rc = settle_refused(p, e);
	if (rc == 0)
		rc = settle_all(p, e);
	if (rc != 0)
		settle_cut(p, e);
	return rc;
}

int
pull_all(struct run *r, struct err *e)
{
	struct pull p = {.r = r};
	int rc = collect(&p, e);

	if (rc == 0 && p.n > 0)
		rc = pull_boxes(&p, e);
	for (size_t i = 0; i < p.n; i++) {
		map_release(&p.v[i].by_uid);
		xfree(p.v[i].fail);
	}
	return rc;
}
