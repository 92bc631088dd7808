/*
 * push: messages up, in one pipelined window.
 *
 * The file keeps its name; the UID that APPENDUID tells goes to the journal.
 * Without it, or when the answer is lost, there is no row: the next
 * observation finds a new file and a new UID of equal content and pairs them.
 */
#include "sync/internal.h"

#include "base/map.h"

/* Below this, the message is read and checked before its literal begins. */
#define READ_AHEAD (1u << 20)
#define COMMIT_EVERY 200
/* So many are worth the round trip of a SELECT. */
#define SELECT_FROM 8

struct push {
	struct run *r;
	struct sbox *b;
	struct op **op;
	size_t n, answered;
	struct map by_file; /* file -> index into l.v */
	struct journal_batch *batch;
	struct buf ahead;
	bool created; /* TRYCREATE was answered once */
};

static int
commit(struct push *p, struct err *e)
{
	int rc = record_commit(p->r, p->b, &p->batch, e);

	if (rc == 0)
		p->batch = record_begin(p->r, p->b);
	return rc;
}

static void
refuse(struct push *p, struct op *op, const struct lmsg *m, const char *why)
{
	char *text = xasprintf(
	    "not uploaded: %s; it stays here and is tried again later", why);

	record_hold_file(p->r, p->b, p->batch, m->base, span_str(why));
	report_failed(p->r, p->b, 0, op->file, text);
	xfree(text);
}

/*
 * Yahoo takes no message without a line end behind its last line, and the words
 * of its BAD do not say so.  It is not changed for that: what went up would not
 * be what is here.
 */
static void
refused(struct push *p, struct op *op, const struct lmsg *m, const char *said)
{
	uint64_t size = m->content.size;
	struct err none = {0};
	struct buf end;
	char *why;

	buf_init(&end, 8);
	(void)maildir_sample(p->r->m, p->b->j.path, op->file,
	    size > 2 ? size - 2 : 0, 2, &end, &none);
	why = xasprintf("%s%s",
	    end.n == 2 && !span_eq(buf_span(&end), SPAN("\r\n"))
		? "its last line has no end, which some servers refuse; "
		: "",
	    said);
	refuse(p, op, m, why);
	xfree(why);
	buf_release(&end);
}

static int
take_result(struct push *p, const struct imap_appended *res, struct err *e)
{
	struct op *op = p->op[res->cookie];
	struct group *g = &p->r->group[op->group];
	uint64_t at = 0;
	const struct lmsg *m;

	map_get(&p->by_file, op->file, &at);
	m = &p->b->l.v[at];
	p->answered++;
	report_progress(p->r, p->b, p->answered, p->n);
	if (!res->ok && strcmp(res->resp, "TRYCREATE") == 0) {
		p->b->undone = true;
		return err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "the mailbox vanished on the server during the run");
	}
	if (!res->ok) {
		if (strcmp(res->resp, "OVERQUOTA") == 0)
			p->r->no_upload = true;
		refused(p, op, m, res->why);
		return 0;
	}
	p->b->wrote_r = true;
	record_drop_hold(
	    p->r, p->b, p->batch, record_find_hold(p->b, 0, m->base));
	if (res->uid == 0 || res->uidvalidity != p->b->r.uidvalidity) {
		/* not told, or told of another mailbox: adoption decides */
		p->b->rescan = p->b->undone = true;
		return 0;
	}
	g->row->uid = res->uid;
	g->row->r = flags_unproven(p->r, g->row->r, g->row->r);
	if (op->why == CASE_L_REPLACED && op->old_uid) {
		/* the file now belongs to the new row alone */
		struct pair *old = pairs_find(&p->b->base, op->old_uid);

		if (old) {
			old->file = SPAN("");
			journal_put_pair(p->batch, p->b->j.id, old);
		}
	}
	apply_done(p->r, p->b, p->batch, op);
	if (journal_batch_size(p->batch) >= COMMIT_EVERY)
		return commit(p, e);
	return 0;
}

static int
take_results(struct push *p, struct imap_append *a, bool wait, struct err *e)
{
	struct imap_appended res;
	int rc;

	while ((rc = imap_append_result(a, wait, &res, e)) > 0) {
		rc = take_result(p, &res, e);
		if (rc != 0)
			return rc;
	}
	return rc;
}

/* The file is not what was planned: the next pass looks again. */
static void
changed(struct push *p, struct op *op)
{
	apply_undone(p->r, p->b, op);
}

static int
send_literal(struct imap_append *a, const struct op *op,
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
send_one(struct push *p, struct imap_append *a, size_t i, struct err *e)
{
	AUTO(maildir_reader) rd = NULL;
	struct op *op = p->op[i];
	struct group *g = &p->r->group[op->group];
	bool small = op->row.size <= READ_AHEAD, same = true;
	int rc;

	rc = maildir_read_open(p->r->m, p->b->j.path, op->file, &rd, e);
	if (rc == 0 && small)
		rc = read_ahead(p, rd, op, &same, e);
	if (rc == ERR_STALE || (rc == 0 && !same)) {
		changed(p, op);
		err_clear(e);
		return 0;
	}
	if (rc != 0) {
		if (e->scope > ERR_SCOPE_MSG)
			return rc;
		report_failed(p->r, p->b, 0, op->file, e->text);
		changed(p, op);
		err_clear(e);
		return 0;
	}
	/* from here on the server may have it, whatever we learn */
	p->b->wrote_r = true;
	rc = imap_append_send(a, i, g->row->r, op->row.idate, op->row.size, e);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!small)
		return send_literal(a, op, rd, e);
	rc = imap_append_data(a, p->ahead.p, p->ahead.n, e);
	return rc != 0 ? rc : imap_append_finish(a, e);
}

static int
send_all(struct push *p, struct imap_append *a, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		uint64_t at = 0;

		rc = cancel_check(p->r->o->cancel, e);
		if (rc != 0)
			break;
		map_get(&p->by_file, p->op[i]->file, &at);
		if (p->b->l.v[at].content.has_nul) {
			refuse(p, p->op[i], &p->b->l.v[at],
			    "it holds NUL bytes, which IMAP cannot carry "
			    "(RFC 3501 section 4.3)");
			continue;
		}
		if (p->r->no_upload) {
			refuse(p, p->op[i], &p->b->l.v[at],
			    "the account is over its quota");
			continue;
		}
		rc = send_one(p, a, i, e);
		if (rc == 0)
			rc = take_results(p, a, false, e);
	}
	if (rc == 0)
		rc = take_results(p, a, true, e);
	return rc;
}

/*
 * APPEND names its mailbox and needs none selected.  But some servers (Dovecot
 * with Maildir) open the mailbox anew for each message that does not go into
 * the selected one: 10 ms for each at 20,000 messages, instead of 2.  One that
 * can only be read may still take new messages: the APPENDs find out.
 */
static int
select_for_many(struct run *r, struct sbox *b, size_t n, struct err *e)
{
	int rc = n < SELECT_FROM ? 0 : observe_reselect(r, b, e);

	if (rc == ERR_NO && e->scope == ERR_SCOPE_BOX) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

int
push_ops(struct run *r, struct sbox *b, struct op **v, size_t n, struct err *e)
{
	struct push p = {.r = r, .b = b, .op = v, .n = n};
	struct imap_append *a = NULL;
	struct err late = {0};
	int rc;

	rc = select_for_many(r, b, n, e);
	if (rc != 0)
		return rc;
	map_init(&p.by_file);
	for (size_t i = 0; i < b->l.n; i++)
		map_set(&p.by_file, b->l.v[i].file, i);
	buf_init(&p.ahead, 2 * READ_AHEAD);
	p.batch = record_begin(r, b);
	rc = imap_append_begin(r->imap, b->j.wire, &a, e);
	if (rc == 0)
		rc = send_all(&p, a, e);
	imap_append_end(&a);
	if (rc != 0) {
		b->undone = true;
		if (record_commit(r, b, &p.batch, &late) != 0)
			journal_batch_free(&p.batch);
	} else {
		rc = record_commit(r, b, &p.batch, e);
	}
	buf_release(&p.ahead);
	map_release(&p.by_file);
	return rc;
}
