/*
 * run: one account from lock to logout.
 */
#include "sync/internal.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <sysexits.h>

/* Exit status: deletes held back, somebody has to decide. */
#define STATUS_HELD 3

static int
open_maildir(struct run *r, struct err *e)
{
	struct jbox *known;
	size_t n = 0;
	int rc = maildir_open(&r->m, r->a->maildir, r->a->layout, e);

	if (rc == 0 || e->sys != ENOENT)
		return rc;
	err_clear(e);
	rc = journal_boxes(r->j, &r->mem, &known, &n, e);
	if (rc != 0)
		return rc;
	/* whatever is allowed: a slip in the path must not empty the server */
	r->root_missing = n > 0;
	if (r->root_missing)
		return err_set(e, ERR_STALE, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
		    "the Maildir '%s' is missing (not mounted? misspelt?), "
		    "nothing is done; to fetch everything again, remove the "
		    "account's journal '%s/journal'; if all of it is to be "
		    "deleted, mkdir it empty",
		    r->a->maildir, r->a->state_dir);
	if (r->o->dry_run)
		return 0;
	rc = maildir_create_root(r->a->maildir, e);
	if (rc == 0)
		rc = maildir_open(&r->m, r->a->maildir, r->a->layout, e);
	return rc;
}

static int
connect_server(struct run *r, struct err *e)
{
	struct buf secret;
	struct imap_conf conf = {
	    .net =
		{
		    .host = r->a->host,
		    .port = r->a->port,
		    .tls = r->a->tls,
		    .tls_ca = r->a->tls_ca,
		    .compress = r->a->compress,
		    .trust = r->o->trust,
		    .connect_ms = 1000 * (int64_t)r->a->timeout_s,
		    .silence_ms = 1000 * (int64_t)r->a->timeout_s,
		    .cancel = r->o->cancel,
		},
	    .user = r->a->user,
	    .auth = r->a->auth,
	    .disable = r->a->disable_extensions,
	    .allow_plaintext = r->a->allow_plaintext,
	    .trace = r->o->trace,
	    .log = r->o->log,
	    .kw = r->kw,
	};
	int rc;

	buf_init(&secret, 64 * 1024);
	rc = config_password(r->conf, r->a, r->o->cancel, &secret, e);
	if (rc == 0) {
		r->imap_conf = conf;
		r->imap_conf.password = buf_span(&secret);
		rc = imap_open(&r->imap_conf, &r->imap, e);
		r->imap_conf.password = SPAN_NONE;
	}
	buf_wipe(&secret);
	return rc;
}

int
run_open(struct run *r, bool remote, struct err *e)
{
	const struct journal_way way = {r->o->exe, r->o->cancel};
	int rc = 0;

	if (!r->o->dry_run)
		rc = journal_lock(r->a->state_dir, &r->lock, e);
	if (rc == 0)
		rc = journal_open_by(r->a->state_dir,
		    r->o->dry_run ? JOURNAL_READ : JOURNAL_CREATE, &way, &r->j,
		    e);
	if (rc == 0)
		rc = journal_keywords(r->j, r->kw, e);
	if (rc == 0)
		rc = journal_owner(r->j, &r->mem, &r->owner, e);
	if (rc == 0)
		rc = whose_layout(r, e);
	if (rc == 0)
		rc = open_maildir(r, e);
	if (rc == 0)
		rc = whose_maildir(r, e);
	if (rc == 0 && r->m)
		maildir_set_cancel(r->m, r->o->cancel);
	if (rc == 0 && remote)
		rc = connect_server(r, e);
	return rc;
}

void
run_close(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++) {
		slice_release(&r->box[i]);
		arena_release(&r->box[i].hold_mem);
	}
	imap_free(&r->imap);
	maildir_free(&r->m);
	journal_free(&r->j);
	journal_lock_free(&r->lock);
	kwtab_free(&r->kw);
	map_release(&r->told);
	map_release(&r->dirs);
	map_release(&r->anew);
	arena_release(&r->mem);
	fd_close_auto(&r->bin_fd);
}

int64_t
run_not_before(const struct run *r)
{
	return r->a->max_age_days
		   ? r->now - (int64_t)r->a->max_age_days * 86400
		   : 0;
}

bool
run_is_reader(const struct run *r)
{
	return r->o->dry_run || r->a->direction == CONFIG_PULL;
}

bool
run_takes_marked(const struct run *r)
{
	return r->a->expunge && !r->a->keep &&
	       r->a->direction == CONFIG_BOTH;
}

/* Observe and merge every mailbox that may have changed. */
static int
plan_pass(struct run *r, struct plan_policy *policy, struct err *e)
{
	int rc;

	r->looked_at = 0;
	r->sliced = false;
	plan_init(&r->plan, &r->pass);
	rc = survey_boxes(r, e);
	for (size_t i = 0; i < r->nbox && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		b->observed = b->measured = false;
		b->deferred = b->waits = false;
		if (!sbox_is_due(b))
			continue;
		rc = cancel_check(r->o->cancel, e);
		if (rc == 0)
			rc = b->slice.on ? slice_observe(r, b, e)
					 : observe_box(r, b, e);
		b->measured = rc == 0;
		if (rc == 0)
			rc = adopt_box(r, b, e);
		if (rc != 0) {
			rc = report_contain(r, b, e);
			continue;
		}
		plan_merge(&r->plan, (uint32_t)i, &b->base, b->j.rows, &b->l,
		    &b->r, policy);
	}
	survey_end(r);
	if (rc == 0)
		rc = moves_find(r, e);
	if (rc != 0)
		return rc;
	slice_defer(r);
	putoff_gone(r);
	rc = putoff_gone_there(r, e);
	if (rc != 0)
		return rc;
	brake_judge(r, policy);
	plan_order(&r->plan);
	return 0;
}

/* Which ops belong to which mailbox and round; the plan is in order. */
static void
split_plan(struct run *r)
{
	struct plan *pl = &r->plan;
	size_t i = 0;

	for (size_t k = 0; k < r->nbox; k++) {
		struct sbox *b = &r->box[k];

		b->op_from = b->op_to = b->del_from = b->del_to = 0;
		b->keep_cursor = b->keep_stamp = false;
	}
	r->transfer_from = r->transfer_to = 0;
	while (i < pl->n) {
		struct sbox *b = &r->box[pl->op[i].box];
		bool del = op_is_delete(&pl->op[i]);
		size_t from = i;

		if (op_is_transfer(&pl->op[i])) {
			while (i < pl->n && op_is_transfer(&pl->op[i]))
				i++;
			r->transfer_from = from;
			r->transfer_to = i;
			continue;
		}
		while (i < pl->n && pl->op[i].box == pl->op[from].box &&
		       !op_is_transfer(&pl->op[i]) &&
		       op_is_delete(&pl->op[i]) == del)
			i++;
		if (del) {
			b->del_from = from;
			b->del_to = i;
		} else {
			b->op_from = from;
			b->op_to = i;
		}
	}
	r->group = arena_array(&r->pass, pl->groups + 1, sizeof *r->group);
	for (i = 0; i < pl->n; i++) {
		struct op *op = &pl->op[i];

		r->group[op->group].row = &op->row;
		if (!op_is_delete(op) && op->kind != OP_WAIT &&
		    op->kind != OP_FORGET && op->kind != OP_KEEP &&
		    op->kind != OP_SKIP && op->kind != OP_LATER)
			r->group[op->group].left++;
	}
	for (i = 0; i < pl->nbox; i++) {
		r->box[pl->box[i].box].keep_cursor = pl->box[i].keep_cursor;
		r->box[pl->box[i].box].keep_stamp = pl->box[i].keep_stamp;
	}
}

/* Round 2: what brings mail is recorded for all (invariant 4). */
static int
finish_pass(struct run *r, struct err *e)
{
	struct sbox **done = arena_array(&r->pass, r->nbox + 1, sizeof *done);
	struct err late = {0};
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < r->nbox && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (!b->observed || b->failed || b->waits)
			continue;
		rc = apply_deletes(r, b, e);
		if (rc == 0 && (b->remote_missing || b->local_missing))
			rc = tree_finish_deleted(r, b, e);
		if (rc != 0) {
			rc = report_contain(r, b, e);
		} else if (!b->gone && (b->stays || (!b->remote_missing &&
						       !b->local_missing))) {
			record_mark(r, b);
			done[n++] = b;
		}
	}
	/* of those that are done, whatever ended it */
	if (rc == 0)
		return record_marks(r, done, n, e);
	(void)record_marks(r, done, n, &late);
	return rc;
}

/* What could not be moved is for the next run, and so is all else of these. */
static void
fail_refused(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++)
		r->box[i].failed |= r->box[i].refused;
}

static int
apply_pass(struct run *r, struct err *e)
{
	int rc;

	local_watch(r);
	rc = transfer_early(r, e);
	if (rc == 0)
		rc = apply_rows(r, e);
	if (rc == 0)
		rc = apply_transfers(r, e);
	if (rc == 0)
		rc = apply_expect(r, e);
	if (rc == 0)
		rc = pull_all(r, e);
	if (rc == 0)
		rc = push_all(r, e);
	late_over(r, rc == 0);
	fail_refused(r);
	if (rc != 0)
		return rc;
	rc = finish_pass(r, e);
	late_over(r, rc == 0); /* the trash is written to */
	return rc;
}

/* Of one side, that we wrote to or not, and that was looked at or not. */
static bool
is_due(const struct sbox *b, bool wrote, bool looked)
{
	return b->observed &&
	       (wrote || b->rescan || b->waits || (b->deferred && looked));
}

/* As the passes until now have left them. */
static int
read_holds(struct run *r, struct sbox *b, struct err *e)
{
	return holds_read(r, b, e) == 0 ? 0 : report_contain(r, b, e);
}

/* Something of it was put off until others are known, or makes others wait. */
static bool
waits_with_others(const struct sbox *b)
{
	return b->put_off || b->nuntold > 0 || b->unread_once;
}

/*
 * What was put off until others are known, or makes others wait, is no reason
 * for one more pass.  But where there is one, it is in that, too: what it is
 * about might be done there, as if it were not here.
 */
static int
look_with_others(struct run *r, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < r->nbox && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		if (!waits_with_others(b) || b->failed || b->gone ||
		    b->slice.on || sbox_is_due(b))
			continue;
		b->dirty_l = b->dirty_r = true;
		rc = read_holds(r, b, e);
	}
	return rc;
}

/* What has to be looked at once more; *more_r: is there anything? */
static int
next_pass(struct run *r, bool *more_r, struct err *e)
{
	bool again = false; /* more than slices */
	int rc = 0;

	*more_r = false;
	for (size_t i = 0; i < r->nbox; i++) {
		struct sbox *b = &r->box[i];
		bool slice = slice_next(r, b);

		if (b->observed) {
			uidset_release(&b->r.vanished);
			uidset_release(&b->r.more);
			uidset_release(&b->l_look);
			uidset_release(&b->l_gone);
		}
		if (b->last)
			continue; /* as it was found */
		/* with the next slice it is only that which is looked at */
		*more_r |= slice;
		b->dirty_l = !slice && (is_due(b, b->wrote_l, b->dirty_l) ||
					   b->changed);
		b->dirty_r = slice || is_due(b, b->wrote_r, b->dirty_r) ||
			     b->touched;
		b->touched = b->changed = false;
		/* it may be of either side */
		if (!slice && waits_with_others(b))
			b->dirty_l = b->dirty_r = b->dirty_l || b->dirty_r;
		/* what comes new may be a file that went up */
		b->dirty_l |= b->dirty_r && sent_awaits(b);
		if (b->failed || b->gone || slice ||
		    !(b->dirty_l || b->dirty_r))
			continue;
		*more_r = again = true;
		if (rc == 0)
			rc = read_holds(r, b, e);
	}
	return rc == 0 && again ? look_with_others(r, e) : rc;
}

/* How often did those that are next end the connection?  0: there are none. */
static uint32_t
next_level(const struct run *r)
{
	uint32_t level = 0;

	for (size_t i = 0; i < r->nbox; i++) {
		const struct sbox *b = &r->box[i];

		if (b->last && b->j.ended &&
		    (level == 0 || b->j.ended < level))
			level = b->j.ended;
		for (size_t k = 0; k < b->nhold && !b->failed && !b->gone; k++)
			if (b->hold[k].kind == JHOLD_SUSPECT &&
			    b->hold[k].tries > r->suspects &&
			    (level == 0 || b->hold[k].tries < level))
				level = b->hold[k].tries;
	}
	return level;
}

/*
 * Messages at which the connection ended in earlier runs, and mailboxes as they
 * were opened: when all else is done, those where it did so the least often
 * come first.  What waited until it was known what they are, in any mailbox, is
 * looked at with them.
 */
static int
next_suspects(struct run *r, bool *more_r, struct err *e)
{
	uint32_t level = next_level(r);
	int rc = 0;

	r->suspects = level;
	*more_r = level != 0;
	for (size_t i = 0; i < r->nbox && level && rc == 0; i++) {
		struct sbox *b = &r->box[i];

		/* and what waits for one of these (renumber.c, rule 3) */
		if (b->last && b->j.ended <= level)
			b->last = b->failed = false;
		if (b->failed || b->gone)
			continue;
		for (size_t k = 0; k < b->nhold; k++) {
			bool due = b->hold[k].kind == JHOLD_SUSPECT &&
				   holds_is_due(r, &b->hold[k]);

			b->dirty_r |= due && b->hold[k].uid;
			b->dirty_l |= due && !b->hold[k].uid;
		}
		b->dirty_l |= b->undone || (b->dirty_r && b->nuntold > 0);
		b->dirty_r |= b->undone;
		if (b->dirty_l || b->dirty_r)
			rc = read_holds(r, b, e);
	}
	return rc;
}

/* Until there is nothing left to do. */
static int
settle(struct run *r, struct plan_policy *policy, struct err *e)
{
	struct err none = {0};
	bool more = true;
	int rc = 0, late;

	/* a pass that leaves slices to others does not count */
	for (int pass = 0; pass < SYNC_PASSES && more && rc == 0;
	     pass += !r->slicing) {
		arena_init(&r->pass);
		r->theirs = NULL;
		r->ntheirs = r->theirscap = 0;
		/* the first one has what the tree was made of */
		if (r->passes++ > 0)
			rc = brake_measure(r, policy, e);
		if (rc == 0)
			rc = plan_pass(r, policy, e);
		if (rc == 0) {
			split_plan(r);
			brake_report(r);
			if (r->o->dry_run)
				report_plan(r);
			else
				rc = brake_note(r, e);
			if (rc == 0 && !r->o->dry_run)
				rc = apply_pass(r, e);
		}
		/* also after an error: what the pass owns goes */
		late = next_pass(r, &more, rc == 0 ? e : &none);
		if (rc == 0)
			rc = late;
		more = more && !r->o->dry_run;
		arena_release(&r->pass);
	}
	r->rep->unsettled = more;
	return rc;
}

static int
passes(struct run *r, struct err *e)
{
	struct plan_policy policy = {
	    .max_deletes = r->a->max_deletes,
	    .allow_deletes = r->o->allow_deletes,
	    .expunge = r->a->expunge,
	    .root_damaged = r->root_damaged,
	    .list_damaged = r->list_damaged,
	    .account_messages = r->account_messages,
	    .no_local = r->a->direction == CONFIG_PUSH,
	    .no_remote = r->a->direction == CONFIG_PULL,
	    .keep = r->a->keep,
	    .max_size = r->a->max_size,
	    .not_before = run_not_before(r),
	};
	bool more = true;
	int rc = 0;

	while (more && rc == 0) {
		rc = settle(r, &policy, e);
		more = false;
		if (rc == 0 && !r->o->dry_run)
			rc = next_suspects(r, &more, e);
	}
	if (rc == 0 && !r->o->dry_run)
		report_undone(r);
	return rc;
}

/* Runs older than bin_days leave the bin. */
static void
clean_bin(struct run *r)
{
	struct err e = {0};
	uint32_t n = 0;

	if (!r->o->dry_run && r->rep->run[0] != '\0' &&
	    bin_expire(r->a, r->now, r->o->cancel, &n, &e) != 0)
		log_warn(r->o->log, "%s: %s", r->a->name, e.text);
}

static int
run_account(struct run *r, struct err *e)
{
	int rc = run_open(r, true, e);

	if (rc == 0)
		rc = tree_prepare(r, e);
	if (rc == 0)
		rc = passes(r, e);
	if (r->imap) {
		struct stream_stats st;

		if (rc == 0)
			imap_logout(r->imap);
		st = imap_stats(r->imap);
		r->rep->bytes_in = st.bytes_in;
		r->rep->bytes_out = st.bytes_out;
		r->rep->round_trips = st.round_trips;
	}
	clean_bin(r);
	return rc;
}

static int
exit_status(const struct run *r, int rc, const struct err *e)
{
	if (rc != 0)
		return r->root_missing ? STATUS_HELD : err_exit_status(e);
	if (r->rep->failed > 0 || r->rep->waiting > 0)
		return EX_DATAERR;
	if (r->rep->held > 0)
		return STATUS_HELD;
	return r->rep->unsettled || r->rep->left > 0 ? EX_TEMPFAIL : EX_OK;
}

void
sync_account(const struct config *c, const struct config_account *a,
    const struct sync_options *o, struct sync_report *rep)
{
	struct run r = {.conf = c, .a = a, .o = o, .rep = rep, .bin_fd = -1};
	int64_t begin = clock_mono_ms();
	int rc;

	memset(rep, 0, sizeof *rep);
	rep->account = a->name;
	arena_init(&r.mem);
	map_init(&r.told);
	map_init(&r.dirs);
	map_init(&r.anew);
	r.kw = kwtab_new();
	r.now = clock_wall_s();
	if (getrandom(&r.seed, sizeof r.seed, 0) != sizeof r.seed)
		r.seed = (uint64_t)clock_wall_ns();
	rc = run_account(&r, &rep->err);
	rep->status = exit_status(&r, rc, &rep->err);
	rep->seconds = (double)(clock_mono_ms() - begin) / 1000.0;
	run_close(&r);
}
