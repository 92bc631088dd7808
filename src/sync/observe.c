/*
 * observe: what changed on each side of one mailbox since the journal.
 *
 * The Maildir's side is in local.c; the server's is in three tiers, each
 * mailbox by the best that there is for it: QRESYNC and CONDSTORE tell what
 * changed (delta.c), plain servers list all UIDs with their flags, each time.
 * A delta that does not add up is thrown away and everything is listed; what is
 * missing then is not taken for deleted when the server's numbers went back.
 *
 * What survey.c has asked ahead is taken from there.  Who asks more of the
 * server opens the mailbox first (observe_reopen), for another one may be open.
 */
#include "sync/internal.h"

#include "wire/resp.h"

/*
 * So long a session is idle, or as long as the server may be silent.  It has to
 * wait for half an hour (RFC 3501 section 5.4), and routers do for minutes.
 */
#define KEEP_S 60

/* UIDs of the view that neither row nor hold knows. */
static void
unknown_uids(const struct sbox *b, struct uidset *set)
{
	for (size_t i = 0; i < b->r.n; i++) {
		uint32_t uid = b->r.v[i].uid;

		if (!pairs_find(&b->base, uid) &&
		    !holds_find(b, uid, SPAN_NONE))
			uidset_add(set, uid);
	}
}

static int
list_all(struct run *r, struct sbox *b, bool with_size, struct err *e)
{
	struct rview fresh = {
	    .doubt = b->r.doubt,
	    .renumbered = b->r.renumbered,
	    .uidvalidity = b->r.uidvalidity,
	    .uidnext = b->r.uidnext,
	    .highestmodseq = b->r.highestmodseq,
	    .exists = b->r.exists,
	};
	bool ok = true, apart = with_size && sizes_apart(b);
	int rc = 0;

	with_size = with_size && !apart;
	uidset_init(&fresh.vanished);
	uidset_release(&b->r.vanished);
	uidset_release(&b->r.more);
	b->r = fresh;
	if (!survey_listed(b, with_size)) {
		rc = observe_reopen(r, b, e);
		if (rc == 0)
			rc = sizes_fetch_all(r, b, with_size, e);
	}
	rview_sort(&b->r);
	if (rc == 0 && !b->r.complete)
		rc = err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "the listing has %zu of %u messages; "
		    "nothing is concluded from it",
		    b->r.n, b->sel.exists);
	/* What a listing lacks may be as wrong as a delta. */
	if (rc == 0 && !b->r.renumbered && b->j.id != 0)
		rc = delta_confirm(r, b, &ok, e);
	if (rc == 0 && !ok)
		rc = err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "the server leaves out messages that it has; "
		    "nothing is concluded from its listing");
	return rc == 0 && apart ? sizes_listed(r, b, e) : rc;
}

void
observe_selected(
    struct run *r, struct span wire, const struct imap_selected *sel)
{
	r->selected_wire = wire;
	r->selected_rw = !sel->read_only;
	r->selected_uidvalidity = sel->uidvalidity;
	r->sel = *sel;
}

/* Can it be synced at all? */
static int
check_selected(const struct imap_selected *sel, struct err *e)
{
	if (sel->uid_not_sticky)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "the server keeps no UIDs for this mailbox "
		    "(UIDNOTSTICKY); it cannot be synced");
	if (sel->uidvalidity == 0)
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "the server gives no UIDVALIDITY for this mailbox; "
		    "it cannot be synced");
	return 0;
}

void
observe_ended(struct run *r, struct sbox *b, struct err *e)
{
	holds_ended_opening(r, b, e);
	if (e->scope == ERR_SCOPE_CONN)
		err_wrap(e, "%.*s: when it was opened", SPAN_ARG(b->j.name));
}

static int
select_box(struct run *r, struct sbox *b, uint32_t uidvalidity, uint64_t modseq,
    struct rview *view, struct err *e)
{
	struct imap_selected sel;
	int rc;

	r->selected_wire = SPAN_NONE;
	rc = imap_select(r->imap, b->j.wire, run_is_reader(r), uidvalidity,
	    modseq, &r->pass, &sel, view, e);
	if (rc != 0 && e->scope >= ERR_SCOPE_CONN)
		observe_ended(r, b, e);
	if (rc != 0)
		return rc;
	observe_selected(r, b->j.wire, &sel);
	return check_selected(&sel, e);
}

/* The SELECT that begins the observation. */
static int
open_box(struct run *r, struct sbox *b, uint32_t uidvalidity, uint64_t modseq,
    struct err *e)
{
	int rc;

	if (survey_opened(b)) {
		b->j.ended = 0;
		return check_selected(&b->sel, e);
	}
	if (b->ahead && b->ahead->state == IMAP_ASKED_REFUSED) {
		*e = b->ahead->err;
		return e->code;
	}
	rc = select_box(r, b, uidvalidity, modseq, &b->r, e);
	b->sel = r->sel;
	if (rc == 0)
		b->j.ended = 0;
	return rc;
}

int
observe_reopen(struct run *r, struct sbox *b, struct err *e)
{
	/* what this pass did not look at is as it was recorded */
	uint32_t seen = b->observed ? b->r.uidvalidity : b->j.uidvalidity;
	struct rview scratch = {0};
	int rc = 0;

	if (!span_eq(r->selected_wire, b->j.wire)) {
		uidset_init(&scratch.vanished);
		rc = select_box(r, b, 0, 0, &scratch, e);
		uidset_release(&scratch.vanished);
		if (rc != 0)
			return rc;
	}
	if (r->selected_uidvalidity != seen)
		return err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "UIDVALIDITY changed during the run");
	return 0;
}

void
observe_next(struct run *r, const struct sbox *b)
{
	if (!b)
		return;
	imap_select_next(r->imap, b->j.wire, run_is_reader(r));
	r->selected_wire = SPAN_NONE;
}

int
observe_there(struct run *r, struct uidset *set, struct err *e)
{
	struct rview view = {0};
	struct uidset there;
	int rc = 0;

	uidset_init(&there);
	uidset_init(&view.vanished);
	if (set->n > 0)
		rc = imap_fetch_meta(
		    r->imap, set, false, false, &r->pass, &view, e);
	for (size_t i = 0; i < view.n && rc == 0; i++)
		if (uidset_has(set, view.v[i].uid))
			uidset_add(&there, view.v[i].uid);
	uidset_release(&view.vanished);
	if (rc != 0) {
		uidset_release(&there);
		return rc;
	}
	uidset_release(set);
	*set = there;
	return 0;
}

int
observe_reselect(struct run *r, struct sbox *b, struct err *e)
{
	int rc = observe_reopen(r, b, e);

	if (rc != 0)
		return rc;
	if (!r->selected_rw && !r->o->dry_run &&
	    r->a->direction != CONFIG_PULL)
		return err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "the server opens this mailbox read-only");
	return 0;
}

int
observe_to_delete(struct run *r, struct sbox *b, bool moves, struct err *e)
{
	int rc = observe_reselect(r, b, e);

	if (rc == 0 && !(r->sel.permanent.sys & FLAG_DELETED) &&
	    !(moves && (imap_caps(r->imap) & IMAP_CAP_MOVE)))
		return err_set(e, ERR_NO, ERR_SCOPE_BOX, ERR_RETRY_NEVER,
		    "the server lets nothing be deleted in this mailbox "
		    "(PERMANENTFLAGS without \\Deleted)");
	return rc;
}

int
observe_keep(struct run *r, struct err *e)
{
	int64_t s = r->a->timeout_s < KEEP_S ? r->a->timeout_s : KEEP_S;
	int rc = cancel_check(r->o->cancel, e);

	return rc == 0 && r->imap ? imap_keep(r->imap, 1000 * s, e) : rc;
}

/* Numbers that went back, or UIDs of another generation. */
static void
judge_numbers(struct run *r, struct sbox *b)
{
	const struct jbox *j = &b->j;

	if (j->uidvalidity == 0)
		return;
	if (b->r.uidvalidity != j->uidvalidity) {
		b->r.renumbered = true;
		log_warn(r->o->log,
		    "%s: %.*s: UIDVALIDITY changed from %u to %u; messages are "
		    "paired again by their content, nothing is deleted",
		    r->a->name, SPAN_ARG(j->name), j->uidvalidity,
		    b->r.uidvalidity);
	} else if (b->r.uidnext != 0 && b->r.uidnext < j->uidnext) {
		b->r.renumbered = true;
		log_warn(r->o->log,
		    "%s: %.*s: UIDNEXT went back from %u to %u (was the server "
		    "restored from a backup?); messages are paired again by "
		    "their content, nothing is deleted",
		    r->a->name, SPAN_ARG(j->name), j->uidnext, b->r.uidnext);
	} else if (b->r.highestmodseq != 0 &&
		   b->r.highestmodseq < j->highestmodseq) {
		b->r.doubt = true;
		log_warn(r->o->log,
		    "%s: %.*s: the mod-sequence went back from %llu to %llu "
		    "(was the server's index rebuilt or restored?); everything "
		    "is listed again, nothing is deleted",
		    r->a->name, SPAN_ARG(j->name),
		    (unsigned long long)j->highestmodseq,
		    (unsigned long long)b->r.highestmodseq);
	}
}

/*
 * The list of this run had more messages at the same mod-sequence: where an
 * expunge makes that go up (RFC 7162 section 3.2.5), one of the two numbers is
 * wrong.  On which side the truth is cannot be known: nothing is concluded.
 */
static int
check_listed(struct run *r, const struct sbox *b, struct err *e)
{
	const struct imap_box *x = &b->listed;
	const uint32_t need = HAS_MESSAGES | HAS_HIGHESTMODSEQ;

	if (!b->is_listed || (x->has & need) != need ||
	    !(imap_caps(r->imap) & IMAP_CAP_QRESYNC) ||
	    b->r.highestmodseq == 0 ||
	    b->r.highestmodseq != x->highestmodseq ||
	    b->r.exists >= x->messages)
		return 0;
	return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
	    "the server lists it with %u messages and opens it with %u, at "
	    "the same mod-sequence; nothing is concluded from it",
	    x->messages, b->r.exists);
}

static int
load_base(struct run *r, struct sbox *b, struct err *e)
{
	struct uidset touched;
	int rc;

	b->base = (struct pairs){.complete = true};
	if (b->j.id == 0)
		return 0;
	if ((!b->l.same && !b->l.delta) || b->r.complete || b->r.renumbered)
		return journal_pairs(r->j, b->j.id, &r->pass, &b->base, e);
	uidset_init(&touched);
	uidset_add_set(&touched, &b->l_look);
	uidset_add_set(&touched, &b->r.vanished);
	for (size_t i = 0; i < b->r.n; i++)
		uidset_add(&touched, b->r.v[i].uid);
	/* those due are asked for, and one that has a row is not new */
	for (size_t i = 0; i < b->nhold; i++)
		if (b->hold[i].uid)
			uidset_add(&touched, b->hold[i].uid);
	rc = journal_pairs_in(r->j, b->j.id, &touched, &r->pass, &b->base, e);
	uidset_release(&touched);
	return rc;
}

/*
 * Holds of UIDs: those due are asked for again (where all are listed, they have
 * been, but for what sizes.c leaves out), the others marked.
 */
static int
due_holds(struct run *r, struct sbox *b, struct err *e)
{
	struct uidset due;
	int rc;

	uidset_init(&due);
	for (size_t i = 0; i < b->nhold; i++)
		if (b->hold[i].uid &&
		    (!b->r.renumbered || jhold_is_unsized(&b->hold[i])) &&
		    holds_is_due(r, &b->hold[i]) &&
		    !uidset_has(&b->r.vanished, b->hold[i].uid))
			uidset_add(&due, b->hold[i].uid);
	rc = sizes_fetch(r, b, &due, &b->r, e);
	uidset_release(&due);
	rview_sort(&b->r);
	for (size_t i = 0; i < b->r.n; i++) {
		const struct jhold *h =
		    holds_find(b, b->r.v[i].uid, SPAN_NONE);

		b->r.v[i].hold = h &&
				 (h->kind == JHOLD_RETRY ||
				     h->kind == JHOLD_SUSPECT) &&
				 !holds_is_due(r, h);
		b->r.v[i].skipped = h && h->kind == JHOLD_SKIPPED;
	}
	return rc;
}

static int
observe_remote(struct run *r, struct sbox *b, struct err *e)
{
	bool cursor, ok = false;
	int rc;

	b->r = (struct rview){.same = true};
	uidset_init(&b->r.vanished);
	b->r.uidvalidity = b->j.uidvalidity;
	b->r.uidnext = b->j.uidnext;
	b->r.highestmodseq = b->j.highestmodseq;
	b->r.exists = b->j.messages;
	if (!b->dirty_r)
		return 0;
	b->r.same = false;
	if (b->remote_missing) {
		/* verified by tree_prepare */
		b->r.complete = b->r.missing = true;
		b->r.just_missing = b->j.messages != JBOX_GONE;
		b->r.exists = 0;
		return 0;
	}
	cursor = b->j.uidvalidity && b->j.highestmodseq && !r->o->full &&
		 b->j.messages != JBOX_GONE;
	b->r.most = slice_most(r);
	b->r.fresh_from = b->j.uidnext;
	rc = open_box(r, b, cursor ? b->j.uidvalidity : 0,
	    cursor ? b->j.highestmodseq : 0, e);
	if (rc != 0)
		return rc;
	rview_sort(&b->r);
	rc = check_listed(r, b, e);
	if (rc != 0)
		return rc;
	judge_numbers(r, b);
	if (cursor && !b->r.doubt && !b->r.renumbered) {
		rc = delta_judge(r, b, &ok, e);
		if (rc != 0)
			return rc;
		if (!ok && b->sel.modseqs)
			log_debug(r->o->log,
			    "%s: %.*s: the changes do not add up to %u "
			    "messages; listing all",
			    r->a->name, SPAN_ARG(b->j.name), b->r.exists);
	}
	b->r.most = 0;
	if (ok)
		return slice_more(r, b, e);
	rc = slice_search(r, b,
	    cursor && b->sel.modseqs && !b->r.doubt && !b->r.renumbered, &ok,
	    e);
	if (rc != 0 || ok)
		return rc;
	return list_all(r, b, b->j.rows == 0 || b->r.renumbered, e);
}

/* Sizes and dates of what is new on the server. */
static int
measure_new(struct run *r, struct sbox *b, struct err *e)
{
	struct uidset fresh, asked = {0}, measured = {0};
	int rc;

	uidset_init(&fresh);
	unknown_uids(b, &fresh);
	slice_cut(r, b, &fresh);
	for (size_t i = 0; i < b->r.n; i++)
		if (b->r.v[i].has_meta)
			uidset_add(&measured, b->r.v[i].uid);
	uidset_add_set(&asked, &fresh);
	uidset_remove_set(&asked, &measured);
	survey_fresh(r, b, &asked);
	rc = sizes_fetch(r, b, &asked, &b->r, e);
	rview_sort(&b->r);
	slice_drop_strays(b, &fresh);
	uidset_release(&fresh);
	uidset_release(&asked);
	uidset_release(&measured);
	return rc;
}

/* Once the server's side is known: this side anew, and the rows for both. */
static int
read_here(struct run *r, struct sbox *b, struct err *e)
{
	int rc = local_observe(r, b, e);

	if (rc == 0)
		rc = load_base(r, b, e);
	return rc == 0 ? local_fill(r, b, e) : rc;
}

/*
 * Does a file show what its row does not say, though the directory did not
 * change?  So it is with what direction: pull leaves here.
 */
static bool
has_left(struct run *r, const struct sbox *b)
{
	uint32_t letters = 0;

	for (size_t i = 0; i < b->base.n; i++) {
		const struct pair *row = &b->base.v[i];

		if (row->file.n > 4 &&
		    !flags_eq(maildir_named(&r->pass, row->file, &b->letters,
				  &letters)
				  .flags,
			row->l))
			return true;
	}
	return false;
}

int
observe_box(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	b->observed = true;
	/* what a side lacks is judged by all that there is (gone.c) */
	b->dirty_l |= b->local_missing || b->remote_missing;
	b->dirty_r |= b->remote_missing;
	b->rescan = b->undone = b->put_off = b->undeleted = false;
	b->wrote_l = b->wrote_r = false;
	b->left = NULL;
	uidset_init(&b->l_look);
	uidset_init(&b->l_gone);
	rc = local_observe(r, b, e);
	if (rc == 0)
		rc = local_clean(r, b, e);
	if (rc == 0)
		rc = observe_remote(r, b, e);
	if (rc == 0 && b->l.same && (b->r.renumbered || b->r.doubt)) {
		/* both need the files to decide */
		b->dirty_l = true;
		rc = local_observe(r, b, e);
	}
	if (rc == 0 && b->r.renumbered && !b->l.complete && !b->l.damaged)
		/* a file that was not seen would lose its row */
		rc = err_set(e, ERR_STALE, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "others keep changing its directory; nothing is paired "
		    "again until it can be read as a whole");
	if (rc == 0)
		rc = load_base(r, b, e);
	if (rc == 0 && b->l.same && r->a->direction == CONFIG_PULL &&
	    has_left(r, b)) {
		/* what the file shows has to be merged with it */
		b->dirty_l = true;
		rc = local_observe(r, b, e);
		if (rc == 0)
			rc = load_base(r, b, e);
	}
	if (rc == 0)
		rc = local_fill(r, b, e);
	if (rc != 0)
		return rc;
	if (!b->r.same && !b->remote_missing) {
		rc = due_holds(r, b, e);
		if (rc != 0)
			return rc;
	}
	rc = measure_new(r, b, e);
	if (rc == 0 && b->l.same &&
	    (local_was_edited(r, b) || adopt_wants_kept(b))) {
		b->dirty_l = true;
		rc = read_here(r, b, e);
	}
	if (rc == 0)
		rc = local_recheck(r, b, e);
	if (rc == 0 && b->l.delta && b->look_all) {
		rc = read_here(r, b, e);
		if (rc == 0)
			rc = local_recheck(r, b, e);
	}
	return rc;
}
