/*
 * push: messages up, those of all mailboxes in one pipelined window.  APPEND
 * names its mailbox, so it may stand beside those into others; what is wrong
 * with one mailbox stays with it.
 *
 * The file keeps its name; the UID that APPENDUID tells goes to the journal.
 * Without it, or when the answer is lost, there is no row but a hold: the next
 * observation finds a new file and a new UID, and pairs them (sent.c).
 * A UID that has a row already is that of another file, whose row it keeps:
 * some servers do not store once more what they have.
 */
#include "sync/internal.h"

#include "base/map.h"

/* Below this, the message is read and checked before its literal begins. */
#define READ_AHEAD (1u << 20)
#define COMMIT_EVERY 200
/* So many are worth the round trip of a SELECT. */
#define SELECT_FROM 8

/* A message to be sent. */
struct letter {
	struct op *op;
	const struct lmsg *file;
	struct push_box *x;
	bool sent, answered;
};

struct push_box {
	struct sbox *b;
	size_t n, answered;
	bool joined; /* the batch */
	struct uidset given; /* owned: to the messages that went up */
};

struct push {
	struct run *r;
	struct letter *v;
	size_t n;
	struct imap_append *a;
	struct journal_batch *batch;
	struct sbox **box; /* those that joined it */
	size_t nbox;
	struct push_box *all;
	size_t nall;
	struct buf ahead;
};

/* B has something to say to the journal. */
static struct journal_batch *
batch_of(struct push *p, struct push_box *x)
{
	if (!x->joined) {
		record_join(p->r, x->b, p->batch);
		p->box[p->nbox++] = x->b;
	}
	x->joined = true;
	return p->batch;
}

static int
commit(struct push *p, struct err *e)
{
	int rc = record_commit_many(p->r, p->box, p->nbox, &p->batch, e);

	if (rc != 0)
		rc = report_contain_many(p->r, p->box, p->nbox, e);
	p->batch = journal_begin(p->r->j, p->r->kw);
	p->nbox = 0;
	for (size_t i = 0; i < p->nall; i++)
		p->all[i].joined = false;
	return rc;
}

static void
refuse(struct push *p, const struct letter *m, const char *why)
{
	char *text = xasprintf(
	    "not uploaded: %s; it stays here and is tried again later", why);

	holds_put_file(p->r, m->x->b, batch_of(p, m->x), m->file->base,
	    span_str(why));
	report_failed(p->r, m->x->b, 0, m->op->file, text);
	xfree(text);
}

/*
 * Yahoo takes no message without a line end behind its last line, and the words
 * of its BAD do not say so.  It is not changed for that: what went up would not
 * be what is here.
 */
static void
refused(struct push *p, const struct letter *m, const char *said)
{
	uint64_t size = m->file->content.size;
	struct err none = {0};
	struct buf end;
	char *why;

	buf_init(&end, 8);
	(void)maildir_sample(p->r->m, m->x->b->j.path, m->op->file,
	    size > 2 ? size - 2 : 0, 2, &end, &none);
	why = xasprintf("%s%s",
	    end.n == 2 && !span_eq(buf_span(&end), SPAN("\r\n"))
		? "its last line has no end, which some servers refuse; "
		: "",
	    said);
	refuse(p, m, why);
	xfree(why);
	buf_release(&end);
}

/* Has UID, which X's server gave to a message, been another one's? */
static int
is_taken(struct push *p, struct push_box *x, uint32_t uid, bool *taken_r,
    struct err *e)
{
	struct sbox *b = x->b;
	struct uidset one;
	uint64_t n = 0;
	int rc = 0;

	/* what is new there is not below the UIDNEXT of the SELECT */
	if (b->j.id && (b->r.uidnext == 0 || uid < b->r.uidnext)) {
		uidset_init(&one);
		uidset_add(&one, uid);
		rc = journal_count_in(p->r->j, b->j.id, &one, &n, e);
		uidset_release(&one);
	}
	*taken_r = n > 0 || uidset_has(&x->given, uid);
	uidset_add(&x->given, uid);
	return rc;
}

static int
take_result(struct push *p, const struct imap_appended *res, struct err *e)
{
	struct letter *m = &p->v[res->cookie];
	struct group *g = &p->r->group[m->op->group];
	struct journal_batch *batch = batch_of(p, m->x);
	struct sbox *b = m->x->b;
	bool taken;

	m->x->answered++;
	report_progress(p->r, b, m->x->answered, m->x->n);
	if (!res->ok && strcmp(res->resp, "TRYCREATE") == 0) {
		b->undone = true;
		return err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "the mailbox vanished on the server during the run");
	}
	if (!res->ok) {
		if (strcmp(res->resp, "OVERQUOTA") == 0)
			p->r->no_upload = true;
		refused(p, m, res->why);
		return 0;
	}
	if (res->uid && res->uidvalidity == b->r.uidvalidity) {
		if (is_taken(p, m->x, res->uid, &taken, e) < 0)
			return e->code;
		if (taken) {
			refuse(p, m, "the server has such a message already, "
				     "and did not store it once more");
			return 0;
		}
	}
	apply_replaced(b, batch, m->op);
	if (res->uid == 0 || res->uidvalidity != b->r.uidvalidity) {
		/* not told, or told of another mailbox: it went up, but has no
		 * row until adoption decides */
		holds_put_sent(p->r, b, batch, &m->op->row);
		b->rescan = b->undone = true;
		return 0;
	}
	g->row->uid = res->uid;
	g->row->r = flags_appended(p->r, b, g->row->r);
	apply_done(p->r, b, batch, m->op);
	return 0;
}

/* What came of a mailbox that failed, adoption finds. */
static int
take_results(struct push *p, bool wait, struct err *e)
{
	struct imap_appended res;
	int rc;

	while ((rc = imap_append_result(p->a, wait, &res, e)) > 0) {
		struct sbox *b = p->v[res.cookie].x->b;

		late_sending(p->r);
		p->v[res.cookie].answered = true;
		rc = b->failed ? 0 : take_result(p, &res, e);
		if (rc != 0)
			rc = report_contain(p->r, b, e);
		if (rc == 0 && journal_batch_size(p->batch) >= COMMIT_EVERY)
			rc = commit(p, e);
		if (rc != 0)
			return rc;
	}
	return rc;
}

static int
send_literal(struct run *r, struct imap_append *a, const struct op *op,
    struct maildir_reader *rd, struct err *e)
{
	AUTO(digest) d = digest_new();
	struct content c;
	struct buf chunk;
	uint64_t left = op->row.size;
	int rc;

	buf_init(&chunk, 4u << 20);
	while ((rc = maildir_read(rd, &chunk, e)) > 0) {
		if (chunk.n > left)
			break;
		digest_feed(d, chunk.p, chunk.n);
		left -= chunk.n;
		late_sending(r);
		rc = imap_append_data(a, chunk.p, chunk.n, e);
		if (rc != 0)
			break;
	}
	buf_release(&chunk);
	if (rc < 0)
		return rc;
	digest_finish(d, &c);
	if (left != 0 || rc > 0 ||
	    memcmp(c.sha, op->row.sha, sizeof c.sha) != 0)
		return err_set(e, ERR_STALE, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "'%.*s' changed while it was being sent",
		    SPAN_ARG(op->file));
	return imap_append_finish(a, e);
}

/* Small messages: known to be what was planned before the literal begins. */
static int
read_ahead(struct push *p, struct maildir_reader *rd, const struct op *op,
    bool *same_r, struct err *e)
{
	AUTO(digest) d = digest_new();
	struct content c;
	struct buf chunk;
	int rc;

	buf_clear(&p->ahead);
	buf_init(&chunk, 4u << 20);
	while ((rc = maildir_read(rd, &chunk, e)) > 0)
		buf_add_span(&p->ahead, buf_span(&chunk));
	buf_release(&chunk);
	if (rc < 0)
		return rc;
	digest_feed(d, p->ahead.p, p->ahead.n);
	digest_finish(d, &c);
	*same_r = !p->ahead.toobig && p->ahead.n == op->row.size &&
		  memcmp(c.sha, op->row.sha, sizeof c.sha) == 0;
	return 0;
}

static int
send_one(struct push *p, size_t i, struct err *e)
{
	AUTO(maildir_reader) rd = NULL;
	struct letter *m = &p->v[i];
	struct op *op = m->op;
	struct sbox *b = m->x->b;
	struct group *g = &p->r->group[op->group];
	bool small = op->row.size <= READ_AHEAD, same = true;
	int rc;

	rc = maildir_read_open(p->r->m, b->j.path, op->file, &rd, e);
	if (rc == 0 && small)
		rc = read_ahead(p, rd, op, &same, e);
	if (rc == ERR_STALE || (rc == 0 && !same)) {
		/* it is not what was planned: the next pass looks again */
		apply_undone(p->r, b, op);
		err_clear(e);
		return 0;
	}
	if (rc != 0) {
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		report_failed(p->r, b, 0, op->file, e->text);
		apply_undone(p->r, b, op);
		err_clear(e);
		return 0;
	}
	/* from here on the server may have it, whatever we learn */
	b->wrote_r = m->sent = true;
	late_sending(p->r);
	rc = imap_append_send(p->a, b->j.wire, i, g->row->r, op->row.idate,
	    op->row.size, e);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!small)
		return send_literal(p->r, p->a, op, rd, e);
	rc = imap_append_data(p->a, p->ahead.p, p->ahead.n, e);
	return rc != 0 ? rc : imap_append_finish(p->a, e);
}

static int
send_letter(struct push *p, size_t i, struct err *e)
{
	struct letter *m = &p->v[i];
	int rc = cancel_check(p->r->o->cancel, e);

	if (rc != 0)
		return rc;
	if (m->file->content.has_nul) {
		refuse(p, m, "it holds NUL bytes, which IMAP cannot carry "
			     "(RFC 3501 section 4.3)");
		return 0;
	}
	if (p->r->no_upload) {
		refuse(p, m, "the account is over its quota");
		return 0;
	}
	return send_one(p, i, e);
}

/*
 * APPEND names its mailbox and needs none selected.  But some servers (Dovecot
 * with Maildir) open the mailbox anew for each message that does not go into
 * the selected one: 10 ms for each at 20,000 messages, instead of 2.  One that
 * can only be read may still take new messages: the APPENDs find out.
 */
static int
select_for_many(struct push *p, struct push_box *x, struct err *e)
{
	int rc = 0;

	if (x->n < SELECT_FROM)
		return 0;
	/* SELECT waits for no answer but its own */
	if (!span_eq(p->r->selected_wire, x->b->j.wire))
		rc = take_results(p, true, e);
	if (rc == 0 && !x->b->failed)
		rc = observe_reopen(p->r, x->b, e);
	if (rc == ERR_NO && e->scope == ERR_SCOPE_BOX) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/*
 * What is edited has a row already: without a note, a run that ends before the
 * answer would leave a message that is new there beside a file that is not.
 */
static int
note_edited(struct push *p, struct err *e)
{
	bool any = false;
	int rc;

	for (size_t i = 0; i < p->n; i++) {
		struct letter *m = &p->v[i];

		if (m->op->why != CASE_L_REPLACED)
			continue;
		holds_put_edited(
		    p->r, m->x->b, batch_of(p, m->x), m->file->base);
		any = true;
	}
	rc = any ? commit(p, e) : 0;
	for (size_t i = 0; i < p->nall && any && rc == 0; i++)
		if (holds_read(p->r, p->all[i].b, e) != 0)
			rc = report_contain(p->r, p->all[i].b, e);
	return rc;
}

/*
 * E ended the uploads.  The server works in the order of the commands: the
 * first that has no answer is the one that it was at, and E's text names it.
 */
static void
note_unanswered(struct push *p, struct err *e)
{
	const struct letter *first = NULL;
	const struct err why = *e;

	for (size_t i = 0; i < p->n; i++) {
		const struct letter *m = &p->v[i];

		if (!m->sent || m->answered || m->x->b->failed)
			continue;
		holds_put_unanswered(p->r, m->x->b, batch_of(p, m->x),
		    &m->op->row, first ? NULL : &why);
		if (!first)
			first = m;
	}
	if (first && why.code != ERR_CANCELED)
		err_wrap(e, "%.*s: '%.*s' was sent, and not answered",
		    SPAN_ARG(first->x->b->j.name), SPAN_ARG(first->op->file));
}

static int
send_all(struct push *p, struct err *e)
{
	const struct push_box *last = NULL;
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct push_box *x = p->v[i].x;

		if (x != last)
			rc = select_for_many(p, x, e);
		last = x;
		if (rc == 0 && !x->b->failed)
			rc = send_letter(p, i, e);
		if (rc != 0) {
			x->b->undone = true;
			rc = report_contain(p->r, x->b, e);
		}
		if (rc == 0)
			rc = take_results(p, false, e);
	}
	return rc == 0 ? take_results(p, true, e) : rc;
}

/* The messages of B. */
static void
add_box(struct push *p, struct sbox *b)
{
	struct push_box *x = &p->all[p->nall];
	struct map by_file;
	struct op **v;

	*x = (struct push_box){.b = b, .n = apply_ops(p->r, b, OP_PUSH, &v)};
	uidset_init(&x->given);
	if (x->n == 0)
		return;
	if (b->remote_missing) {
		/* new mail in a mailbox that was deleted on the server: it is
		 * made again once its old messages are out of the way */
		b->undone = true;
		return;
	}
	p->nall++;
	map_init(&by_file);
	for (size_t i = 0; i < b->l.n; i++)
		map_set(&by_file, b->l.v[i].file, i);
	for (size_t i = 0; i < x->n; i++) {
		uint64_t at = 0;

		map_get(&by_file, v[i]->file, &at);
		p->v[p->n++] = (struct letter){
		    .op = v[i], .file = &b->l.v[at], .x = x};
	}
	map_release(&by_file);
}

int
push_all(struct run *r, struct err *e)
{
	struct push p = {.r = r};
	struct err late = {0};
	int rc;

	p.v = arena_array(&r->pass, r->plan.n + 1, sizeof *p.v);
	p.all = arena_array(&r->pass, r->nbox + 1, sizeof *p.all);
	p.box = arena_array(&r->pass, r->nbox + 1, sizeof *p.box);
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].observed && !r->box[i].failed &&
		    !r->box[i].waits)
			add_box(&p, &r->box[i]);
	if (p.n == 0)
		return 0;
	buf_init(&p.ahead, 2 * READ_AHEAD);
	p.batch = journal_begin(r->j, r->kw);
	rc = note_edited(&p, e);
	if (rc == 0)
		rc = imap_append_begin(r->imap, &p.a, e);
	if (rc == 0)
		rc = send_all(&p, e);
	/* what was done is kept, whatever ended it */
	if (rc != 0 && p.a)
		(void)take_results(&p, false, &late);
	imap_append_end(&p.a);
	if (rc != 0)
		note_unanswered(&p, e);
	if (rc == 0)
		rc = commit(&p, e);
	else
		(void)commit(&p, &late);
	journal_batch_free(&p.batch);
	buf_release(&p.ahead);
	for (size_t i = 0; i < p.nall; i++)
		uidset_release(&p.all[i].given);
	return rc;
}
