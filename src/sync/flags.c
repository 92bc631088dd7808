/*
 * flags: UID STORE for what the plan changes on the server.
 *
 *  1. Only +FLAGS and -FLAGS, so that nobody's flag is overwritten; with
 *     UNCHANGEDSINCE where there are mod-sequences (RFC 7162 section 3.1.3).
 *     What the server answers with MODIFIED, the next pass merges again.
 *  2. A row says what the server has shown, not what it was told.
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

struct stores {
	struct imap_store *v;
	size_t n, cap;
	struct map by_key;
};

static void
stores_add(struct run *r, struct stores *s, bool add, struct flags f,
    uint64_t unchangedsince, uint32_t uid)
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
		    .add = add, .flags = f, .unchangedsince = unchangedsince};
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

/*
 * Two rounds: what is to be added (or only removed), on the condition that
 * nobody changed the message since it was observed; then the removals of
 * messages that also had additions, on the condition that nobody changed
 * them since our own first round.
 */
static int
store_rounds(struct run *r, struct sbox *b, struct op **v, size_t n,
    struct uidset *modified, struct uidset *failed, struct rview *back,
    struct err *said, struct err *e)
{
	uint64_t since = b->r.highestmodseq, second = 0;
	int rc = 0;

	for (int round = 0; round < 2 && rc == 0; round++) {
		struct stores s = {0};

		map_init(&s.by_key);
		for (size_t i = 0; i < back->n; i++)
			if (back->v[i].modseq > second)
				second = back->v[i].modseq;
		for (size_t i = 0; i < n; i++) {
			struct flags add = permanent(r, v[i]->add);
			struct flags del = v[i]->del;
			bool both = !flags_empty(add) && !flags_empty(del);

			if (uidset_has(modified, v[i]->uid) ||
			    uidset_has(failed, v[i]->uid))
				continue;
			if (round == 0) {
				stores_add(r, &s, true, add, since, v[i]->uid);
				if (!both)
					stores_add(r, &s, false, del, since,
					    v[i]->uid);
			} else if (both) {
				stores_add(
				    r, &s, false, del, second, v[i]->uid);
			}
		}
		if (s.n > 0) {
			b->wrote_r = true;
			rc = imap_store(r->imap, s.v, s.n, &r->pass, back,
			    modified, failed, said, e);
		}
		stores_release(&s);
	}
	return rc;
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

int
flags_there(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t n, struct err *e)
{
	struct uidset modified, failed;
	struct rview back = {0};
	struct err said = {0};
	int rc;

	if (n == 0)
		return 0;
	rc = observe_reselect(r, b, e);
	if (rc != 0)
		return rc;
	uidset_init(&modified);
	uidset_init(&failed);
	uidset_init(&back.vanished);
	rc = store_rounds(r, b, v, n, &modified, &failed, &back, &said, e);
	rview_sort(&back);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct group *g = &r->group[v[i]->group];
		const struct rmsg *m = rview_find(&back, v[i]->uid);
		struct flags add = permanent(r, v[i]->add);

		if (uidset_has(&modified, v[i]->uid)) {
			apply_undone(r, b, v[i]);
			continue;
		}
		if (uidset_has(&failed, v[i]->uid)) {
			refused(r, b, v[i], &said);
			g->failed = true;
			b->undone = true;
			continue;
		}
		g->row->r = flags_minus(
		    &r->pass, g->row->r, flags_minus(&r->pass, v[i]->add, add));
		g->row->r = flags_unproven(r, g->row->r, add);
		if (m && m->modseq > g->row->modseq)
			g->row->modseq = m->modseq;
		apply_done(r, b, batch, v[i]);
	}
	uidset_release(&modified);
	uidset_release(&failed);
	uidset_release(&back.vanished);
	return rc;
}
