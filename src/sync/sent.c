/*
 * sent: files that went up, or may have, and nobody knows as which message.
 *
 *  1. A server may store a message and not say as what: without UIDPLUS, with
 *     a COPYUID that is of no use, or as the connection ends.  Such a file gets
 *     a hold (holds_put_sent), and is held against what is new there like all
 *     files without a row (adopt.c).  Equal content is it.
 *  2. Some servers alter what they store (Exchange, Proton Bridge), and show
 *     nothing equal.  So what is left over is paired by its Message-ID, where
 *     that is unique: among such files, and among what is new there and had no
 *     number when they were sent.
 *  3. What had its OK is not sent again, whether it is found or not: it would
 *     be stored once more each time, and come down as a new message.  This is
 *     said once, and ends when the file is another one.  Where several files
 *     have the base that the hold is for, it may be any of them.
 *  4. What had no answer goes up again if it is not found; at the end of the
 *     run, if it may be what ended the connection (holds_put_unanswered).
 */
#include "sync/adopt.h"

static bool
is_what_was_sent(const struct jhold *h, const struct lmsg *m)
{
	return m->has_stat && m->fsize == h->size && m->mtime_ns == h->idate;
}

static bool
is_of_sent_file(const struct jhold *h)
{
	return h->uid == 0 &&
	       (h->kind == JHOLD_SENT || h->kind == JHOLD_SUSPECT);
}

bool
sent_awaits(const struct sbox *b)
{
	return holds_any(b, is_of_sent_file);
}

/* How many files of B have each base. */
static void
count_bases(const struct sbox *b, struct map *bases)
{
	for (size_t i = 0; i < b->l.n; i++) {
		uint64_t n = 0;

		map_get(bases, b->l.v[i].base, &n);
		map_set(bases, b->l.v[i].base, n + 1);
	}
}

void
sent_hold(struct adoption *a)
{
	struct sbox *b = a->b;
	struct map bases;

	if (!sent_awaits(b))
		return;
	map_init(&bases);
	count_bases(b, &bases);
	for (size_t i = 0; i < a->nfile; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];
		const struct jhold *h = holds_find(b, 0, m->base);
		uint64_t n = 0;

		if (!h || h->kind != JHOLD_SENT)
			continue;
		map_get(&bases, m->base, &n);
		m->hold |= n > 1 || is_what_was_sent(h, m);
	}
	map_release(&bases);
}

/* What is left over. */
struct left {
	struct lmsg *m;
	struct span id;	 /* Message-ID */
	int64_t uidnext; /* when it was sent */
};

/* Files that went up, or may have, and nothing there is equal to. */
static int
find_left(struct adoption *a, struct left *v, size_t *n_r, struct err *e)
{
	struct sbox *b = a->b;
	struct map found; /* klasses */
	size_t n = 0;
	int rc = 0;

	map_init(&found);
	for (size_t i = 0; i < b->r.n; i++)
		if (b->r.v[i].klass)
			map_set_u64(&found, b->r.v[i].klass, 1);
	for (size_t i = 0; i < a->nfile && rc == 0; i++) {
		struct lmsg *m = &b->l.v[a->file[i]];
		const struct jhold *h = holds_find(b, 0, m->base);
		uint64_t one;

		if (!h || !is_of_sent_file(h) || !is_what_was_sent(h, m) ||
		    (m->klass && map_get_u64(&found, m->klass, &one)))
			continue;
		v[n] = (struct left){.m = m, .uidnext = h->next};
		rc = transfer_message_id(a->r, b, m->file, &v[n].id, e);
		if (rc != 0 && e->scope <= ERR_SCOPE_MSG) {
			rc = 0;
			err_clear(e);
		}
		n += v[n].id.n > 0;
	}
	map_release(&found);
	*n_r = n;
	return rc;
}

int
sent_ids_there(struct run *r, const struct uidset *set, struct map *uid_of,
    uint64_t *without_r, struct err *e)
{
	struct imap_msgid *id = NULL;
	uint64_t at;
	size_t n = 0;
	int rc = imap_fetch_msgids(r->imap, set, &r->pass, &id, &n, e);

	*without_r = uidset_count(set);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (id[i].id.n == 0)
			continue;
		--*without_r;
		map_set(uid_of, id[i].id,
		    map_get(uid_of, id[i].id, &at) ? 0 : id[i].uid);
	}
	return rc;
}

/* What may be one of those of V. */
static void
candidates(
    const struct sbox *b, const struct left *v, size_t n, struct uidset *set)
{
	int64_t least = v[0].uidnext;

	for (size_t i = 1; i < n; i++)
		least = v[i].uidnext < least ? v[i].uidnext : least;
	for (size_t i = 0; i < b->r.n; i++) {
		const struct rmsg *x = &b->r.v[i];

		if (x->has_meta && x->klass == 0 && !x->hold &&
		    x->uid >= least && !uidset_has(&b->r.vanished, x->uid) &&
		    !pairs_find(&b->base, x->uid))
			uidset_add(set, x->uid);
	}
}

/* Rule 2: what is unique becomes equal. */
static void
pair_ids(struct adoption *a, const struct left *v, size_t n,
    const struct map *uid_of)
{
	struct map files;
	uint64_t k;

	map_init(&files);
	for (size_t i = 0; i < n; i++)
		map_set(&files, v[i].id, map_get(&files, v[i].id, &k));
	for (size_t i = 0; i < n; i++) {
		uint64_t uid = 0;

		if (!map_get(&files, v[i].id, &k) || k != 0 ||
		    !map_get(uid_of, v[i].id, &uid) || uid == 0 ||
		    (int64_t)uid < v[i].uidnext)
			continue;
		v[i].m->klass = ++a->klasses;
		rview_find(&a->b->r, (uint32_t)uid)->klass = a->klasses;
	}
	map_release(&files);
}

int
sent_find(struct adoption *a, struct err *e)
{
	struct left *v;
	struct uidset set;
	struct map uid_of;
	uint64_t without;
	size_t n;
	int rc;

	/* numbers of another generation tell nothing */
	if (a->b->r.renumbered || !sent_awaits(a->b))
		return 0;
	v = arena_array(&a->r->pass, a->nfile + 1, sizeof *v);
	rc = find_left(a, v, &n, e);
	if (rc != 0 || n == 0)
		return rc;
	uidset_init(&set);
	map_init(&uid_of);
	candidates(a->b, v, n, &set);
	if (set.n > 0)
		rc = observe_reopen(a->r, a->b, e);
	if (rc == 0 && set.n > 0)
		rc = sent_ids_there(a->r, &set, &uid_of, &without, e);
	if (rc == 0)
		pair_ids(a, v, n, &uid_of);
	map_release(&uid_of);
	uidset_release(&set);
	return rc;
}

void
sent_tell(struct run *r, struct sbox *b, struct journal_batch *batch)
{
	struct op **v;
	size_t n = b->r.same || !sent_awaits(b)
		       ? 0
		       : apply_ops(r, b, OP_WAIT, &v);

	for (size_t i = 0; i < n; i++) {
		const struct jhold *h =
		    holds_find(b, 0, plan_base(v[i]->file));
		struct jhold said;

		if (v[i]->why != CASE_L_HOLD || !h || h->kind != JHOLD_SENT ||
		    h->tries > 0)
			continue;
		report_failed(r, b, 0, v[i]->file,
		    "it went up, and which message it is there the server "
		    "does not say or show; it is not sent again, and what the "
		    "server has made of it comes down as another one");
		said = *h;
		said.tries = 1;
		journal_put_hold(batch, b->j.id, &said);
	}
}
