/*
 * survey: what is wanted of nearly every mailbox, asked ahead of all at once.
 *
 * One mailbox after the other would cost a few round trips each.  So SELECT and
 * the FETCH that it will need go to the server for all mailboxes that may have
 * changed, in one window; observe.c then takes the answers from here.  What the
 * numbers of the listing do not foresee is asked later, in the usual way.
 *
 *  1. What is taken is what the same question would have brought at that
 *     moment.  Each answer goes in where it would have been asked for: sizes
 *     of new messages prove nothing about a delta.
 *  2. The cursor is that of the SELECT; all else was asked behind it.
 *  3. Only what reads: see imap_survey().
 */
#include "sync/internal.h"

#include "wire/resp.h"

/*
 * More is not held for a mailbox, nor for all at once: slice.c knows how.  What
 * it asks for first, where all is new, is asked here, too.
 */
#define LIST_MAX 10000
#define LISTS_MAX 20000

/* What to ask, by the journal and the numbers X of this run's listing. */
static void
choose(struct run *r, const struct sbox *b, struct imap_ask *a)
{
	const struct imap_box *x = &b->listed;
	const struct jbox *j = &b->j;
	uint32_t caps = imap_caps(r->imap);
	bool same, cursor;

	same = !(x->has & HAS_UIDVALIDITY) || x->uidvalidity == j->uidvalidity;
	cursor = j->uidvalidity && j->highestmodseq && !r->o->full;
	if (cursor) {
		a->uidvalidity = j->uidvalidity;
		a->modseq = j->highestmodseq;
	}
	if (!b->is_listed || !(x->has & HAS_MESSAGES) || x->uidnext == 0)
		return;
	a->messages = x->messages;
	a->uidnext = x->uidnext;
	a->modseqs = (caps & IMAP_CAP_CONDSTORE) && x->highestmodseq != 0;
	if (!cursor || !same || !a->modseqs) {
		a->all = true;
		a->with_size = j->rows == 0 || !same;
	} else if (!(caps & IMAP_CAP_QRESYNC)) {
		a->changed = x->highestmodseq > j->highestmodseq;
	}
	if (sizes_apart(b))
		a->with_size = false;
	else if (same && !a->with_size && j->uidnext < x->uidnext &&
		 x->uidnext - j->uidnext <= LIST_MAX)
		a->fresh_from = j->uidnext;
}

/* More than LIST_MAX, and all new: the UIDs, and sizes of the last ones. */
static void
choose_slice(struct run *r, const struct sbox *b, struct imap_ask *a)
{
	if (!a->all || a->messages <= LIST_MAX || b->j.rows > 0 || a->modseq ||
	    slice_most(r) == 0 || sizes_apart(b))
		return;
	a->all = false;
	a->search = true;
	a->fresh_from = a->uidnext > LIST_MAX ? a->uidnext - LIST_MAX : 1;
}

/* How many messages the answers may tell of, as far as that is foreseen. */
static uint64_t
expected(const struct sbox *b, const struct imap_ask *a)
{
	if (a->all)
		return a->messages;
	if (a->search)
		return a->uidnext - a->fresh_from;
	return a->uidnext > b->j.uidnext ? a->uidnext - b->j.uidnext : 0;
}

/* E, which may have ended the connection, says at which mailbox. */
static void
name_the_end(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];

		if (!b->ahead || !b->ahead->ended)
			continue;
		if (b->ahead->pending)
			sizes_ended(r, b, b->ahead->pending, e);
		else
			observe_ended(r, b, e);
	}
}

int
survey_boxes(struct run *r, struct err *e)
{
	struct imap_ask **v = arena_array(&r->pass, r->nbox, sizeof *v);
	size_t n = 0, last = 0;
	uint64_t sum = 0;
	int rc;

	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];
		struct imap_ask *a;

		b->ahead = NULL;
		if (!sbox_is_due(b) || !b->dirty_r || b->remote_missing ||
		    b->slice.on)
			continue;
		a = arena_alloc(&r->pass, sizeof *a);
		a->wire = b->j.wire;
		a->read_only = run_is_reader(r);
		choose(r, b, a);
		choose_slice(r, b, a);
		if (expected(b, a) > LIST_MAX ||
		    sum + expected(b, a) > LISTS_MAX)
			continue;
		sum += expected(b, a);
		b->ahead = v[n++] = a;
	}
	if (n == 0)
		return 0;
	r->selected_wire = SPAN_NONE;
	rc = imap_survey(r->imap, v, n, &r->pass, e);
	if (rc != 0) {
		name_the_end(r, e);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		if (v[i]->sent)
			last = i;
	if (v[last]->state == IMAP_ASKED_OPENED)
		observe_selected(r, v[last]->wire, &v[last]->sel);
	return 0;
}

void
survey_end(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++) {
		if (r->box[i].ahead)
			imap_ask_release(r->box[i].ahead);
		r->box[i].ahead = NULL;
	}
}

bool
survey_opened(struct sbox *b)
{
	struct imap_ask *a = b->ahead;

	if (!a || a->state != IMAP_ASKED_OPENED)
		return false;
	uidset_release(&b->r.vanished);
	b->r = a->opened;
	b->sel = a->sel;
	uidset_init(&a->opened.vanished);
	return true;
}

bool
survey_listed(struct sbox *b, bool with_size)
{
	struct imap_ask *a = b->ahead;

	if (!a || !a->all || !a->has_listed || (with_size && !a->with_size))
		return false;
	b->r.v = a->listed.v;
	b->r.n = a->listed.n;
	b->r.cap = a->listed.cap;
	b->r.complete = a->listed.complete;
	b->r.exists = a->listed.exists;
	uidset_add_set(&b->r.vanished, &a->listed.vanished);
	a->has_listed = false;
	return true;
}

/* What came by itself together with an answer counts, too. */
static void
add_view(struct run *r, struct sbox *b, const struct rview *more)
{
	for (size_t i = 0; i < more->n; i++)
		rview_add(&r->pass, &b->r, more->v[i]);
	uidset_add_set(&b->r.vanished, &more->vanished);
	rview_sort(&b->r);
	rview_drop_vanished(&b->r);
}

bool
survey_searched(struct sbox *b, struct uidset *there)
{
	struct imap_ask *a = b->ahead;

	if (!a || !a->has_found)
		return false;
	uidset_add_set(there, &a->found);
	a->has_found = false;
	return true;
}

bool
survey_changed(struct run *r, struct sbox *b)
{
	struct imap_ask *a = b->ahead;

	/* another UIDNEXT: it did not speak of all */
	if (!a || !a->changed || !a->has_listed || a->uidnext != b->r.uidnext)
		return false;
	add_view(r, b, &a->listed);
	a->has_listed = false;
	return true;
}

void
survey_fresh(struct run *r, struct sbox *b, struct uidset *fresh)
{
	struct imap_ask *a = b->ahead;

	if (!a || !a->has_fresh || b->r.renumbered)
		return;
	add_view(r, b, &a->fresh);
	for (size_t i = 0; i < a->fresh.n; i++)
		uidset_remove_range(
		    fresh, a->fresh.v[i].uid, a->fresh.v[i].uid);
	a->has_fresh = false;
}
