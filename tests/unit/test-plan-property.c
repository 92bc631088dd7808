/*
 * People change both sides at random; a plan is made and carried out on a
 * model, now and then only in part (a crash), and again.  At the end both
 * sides are equal, nothing is lost that nobody deleted, nothing is doubled,
 * and there is nothing left to do.
 *
 *	MOCHILA_SEED=N tests/unit/test-plan-property
 *
 * runs again what printed N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "mail/name.h"
#include "plan/plan.h"
#include "seed.h"

#define ROUNDS 4000
#define MESSAGES 400

static uint64_t first; /* seed of each of the tests */

struct file {
	uint32_t base; /* of its name; 0: no such file */
	uint32_t content, sys;
};
struct remote {
	uint32_t uid; /* 0: gone */
	uint32_t content, sys;
	uint64_t modseq;
};
struct row {
	uint32_t uid; /* 0: no row */
	uint32_t content;
	char file[40];
	uint32_t l, r;
	uint64_t modseq;
};
struct world {
	struct file l[MESSAGES];
	struct remote r[MESSAGES];
	struct row j[MESSAGES];
	size_t nl, nr, nj;
	uint32_t next_base, next_uid, next_content;
	uint64_t modseq, cursor;
	/* how often each content must be there in the end */
	uint32_t due[8 * MESSAGES];
};

static struct arena mem;

static const char *
file_name(const struct file *f)
{
	char info[8];
	size_t n = 0;

	if (f->sys & FLAG_FLAGGED)
		info[n++] = 'F';
	if (f->sys & FLAG_ANSWERED)
		info[n++] = 'R';
	if (f->sys & FLAG_SEEN)
		info[n++] = 'S';
	info[n] = '\0';
	return arena_printf(&mem, "cur/%u:2,%s", f->base, info);
}

static uint32_t
some_flags(void)
{
	return rnd(8) & (FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED);
}

static struct file *
new_file(struct world *w, uint32_t content, uint32_t sys)
{
	struct file *f = &w->l[w->nl++];

	assert_true(w->nl <= MESSAGES);
	*f = (struct file){++w->next_base, content, sys};
	return f;
}

static struct remote *
new_remote(struct world *w, uint32_t content, uint32_t sys)
{
	struct remote *m = &w->r[w->nr++];

	assert_true(w->nr <= MESSAGES);
	*m = (struct remote){++w->next_uid, content, sys, ++w->modseq};
	return m;
}

/* What people do.  Contents are new each time, so .due is easy to say. */
static void
people(struct world *w, uint32_t n)
{
	while (n-- > 0) {
		uint32_t content, k = rnd(100);

		if (k < 20) {
			content = ++w->next_content;
			new_file(w, content, some_flags());
			w->due[content] = 1;
		} else if (k < 40) {
			content = ++w->next_content;
			new_remote(w, content, some_flags());
			w->due[content] = 1;
		} else if (k < 50) { /* the same on both sides */
			content = ++w->next_content;
			new_file(w, content, some_flags());
			new_remote(w, content, some_flags());
			w->due[content] = 1;
		} else if (k < 54) { /* twice here, once there */
			content = ++w->next_content;
			new_file(w, content, some_flags());
			new_file(w, content, some_flags());
			new_remote(w, content, some_flags());
			w->due[content] = 2;
		} else if (k < 70 && w->nl) {
			struct file *f = &w->l[rnd((uint32_t)w->nl)];

			f->sys = some_flags();
			if (f->base && rnd(4) == 0) /* another program renames it */
				f->base = ++w->next_base;
		} else if (k < 80 && w->nr) {
			struct remote *m = &w->r[rnd((uint32_t)w->nr)];

			m->sys = some_flags();
			m->modseq = ++w->modseq;
		} else if (k < 90 && w->nl) {
			struct file *f = &w->l[rnd((uint32_t)w->nl)];

			/* only what both sides have agreed on, so that .due
			 * is plain: a deleted message is gone */
			for (size_t i = 0; i < w->nj; i++)
				if (w->j[i].uid && f->base &&
				    w->j[i].content == f->content &&
				    w->due[f->content] == 1) {
					w->due[f->content] = 0;
					f->base = 0;
				}
		} else if (w->nr) {
			struct remote *m = &w->r[rnd((uint32_t)w->nr)];

			for (size_t i = 0; i < w->nj; i++)
				if (w->j[i].uid && m->uid == w->j[i].uid &&
				    w->due[m->content] == 1) {
					w->due[m->content] = 0;
					m->uid = 0;
					w->modseq++;
				}
		}
	}
}

static void
content_bytes(uint32_t content, uint8_t sha[DIGEST_LEN])
{
	memset(sha, 0, DIGEST_LEN);
	memcpy(sha, &content, sizeof content);
}

struct views {
	struct pairs base;
	struct lview l;
	struct rview r;
};

static void
shuffle_l(struct lview *v)
{
	for (size_t i = v->n; i > 1; i--) {
		size_t k = rnd((uint32_t)i);
		struct lmsg swap = v->v[k];

		v->v[k] = v->v[i - 1];
		v->v[i - 1] = swap;
	}
}

static int
by_uid(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
observe(const struct world *w, bool delta, struct views *v)
{
	memset(v, 0, sizeof *v);
	uidset_init(&v->r.vanished);
	v->base.complete = true;
	for (size_t i = 0; i < w->nj; i++) {
		struct pair p = {.uid = w->j[i].uid,
		    .file = span_str(w->j[i].file), .l = {.sys = w->j[i].l},
		    .r = {.sys = w->j[i].r}, .modseq = w->j[i].modseq};

		content_bytes(w->j[i].content, p.sha);
		if (p.uid)
			pairs_add(&mem, &v->base, p);
	}
	if (v->base.n)
		qsort(v->base.v, v->base.n, sizeof *v->base.v, by_uid);
	v->l.complete = true;
	for (size_t i = 0; i < w->nl; i++) {
		struct lmsg m = {.flags = {.sys = w->l[i].sys},
		    .has_content = true, .klass = w->l[i].content};

		if (!w->l[i].base)
			continue;
		m.file = span_str(file_name(&w->l[i]));
		m.base = name_split(span_of(m.file.p + 4, m.file.n - 4)).base;
		content_bytes(w->l[i].content, m.content.sha);
		lview_add(&mem, &v->l, m);
	}
	v->r.complete = !delta;
	for (size_t i = 0; i < w->nr; i++)
		if (w->r[i].uid && (!delta || w->r[i].modseq > w->cursor))
			rview_add(&mem, &v->r, (struct rmsg){
				.uid = w->r[i].uid, .modseq = w->r[i].modseq,
				.flags = {.sys = w->r[i].sys},
				.has_meta = true, .klass = w->r[i].content});
	rview_sort(&v->r);
	for (size_t i = 0; delta && i < v->base.n; i++) {
		bool there = false;

		for (size_t k = 0; k < w->nr; k++)
			there |= w->r[k].uid == v->base.v[i].uid;
		if (!there)
			uidset_add(&v->r.vanished, v->base.v[i].uid);
	}
}

static struct plan
plan(const struct views *v)
{
	const struct plan_policy policy = {.max_deletes = 100,
	    .allow_deletes = true, .account_messages = v->base.n};
	struct plan pl;

	plan_init(&pl, &mem);
	plan_merge(&pl, 0, &v->base, v->base.n + 1, &v->l, &v->r, &policy);
	plan_brake(&pl, &policy);
	plan_order(&pl);
	return pl;
}

static struct row *
find_row(struct world *w, uint32_t uid)
{
	for (size_t i = 0; i < w->nj; i++)
		if (w->j[i].uid == uid)
			return &w->j[i];
	return NULL;
}

static struct file *
find_file(struct world *w, struct span file)
{
	struct name n = name_split(span_of(file.p + 4, file.n - 4));
	uint32_t base;

	assert_true(span_u32(n.base, &base));
	for (size_t i = 0; i < w->nl; i++)
		if (w->l[i].base == base)
			return &w->l[i];
	return NULL;
}

static struct remote *
find_remote(struct world *w, uint32_t uid)
{
	for (size_t i = 0; i < w->nr; i++)
		if (w->r[i].uid == uid)
			return &w->r[i];
	return NULL;
}

static void
put_row(struct world *w, const struct pair *p, const struct file *f)
{
	struct row *row = find_row(w, p->uid);

	if (!row)
		row = &w->j[w->nj++];
	assert_true(w->nj <= MESSAGES);
	*row = (struct row){.uid = p->uid, .l = p->l.sys, .r = p->r.sys,
	    .modseq = p->modseq, .content = f->content};
	snprintf(row->file, sizeof row->file, "%s", file_name(f));
}

/* Carry out one op as sync/ does; the row follows with its last op. */
static void
carry_out(struct world *w, const struct op *op, uint32_t left, bool record)
{
	struct pair row = op->row;
	struct file *f = op->file.n ? find_file(w, op->file) : NULL;
	struct remote *m = op->uid ? find_remote(w, op->uid) : NULL;

	switch (op->kind) {
	case OP_RECORD:
	case OP_ADOPT:
		break;
	case OP_FORGET:
		if (record && find_row(w, op->uid))
			find_row(w, op->uid)->uid = 0;
		return;
	case OP_LFLAGS:
		assert_non_null(f);
		f->sys = row.l.sys;
		break;
	case OP_RFLAGS:
		assert_non_null(m);
		m->sys = row.r.sys;
		m->modseq = ++w->modseq;
		break;
	case OP_PULL:
		assert_non_null(m);
		f = new_file(w, m->content, row.l.sys);
		break;
	case OP_PUSH:
		assert_non_null(f);
		row.uid = new_remote(w, f->content, row.r.sys)->uid;
		break;
	case OP_LDELETE:
		assert_non_null(f);
		f->base = 0;
		if (record)
			find_row(w, op->uid)->uid = 0;
		return;
	case OP_RDELETE:
		assert_non_null(m);
		m->uid = 0;
		w->modseq++;
		if (record && find_row(w, op->uid))
			find_row(w, op->uid)->uid = 0;
		return;
	case OP_LCOPY:
	case OP_RCOPY:
	case OP_LMOVE:
	case OP_RMOVE:
	case OP_LATER:
	case OP_KEEP:
	case OP_SKIP:
		fail_msg("%s in one mailbox, without a policy",
		    plan_kind_word(op->kind));
		return;
	case OP_WAIT:
		return;
	}
	assert_non_null(f);
	if (left == 0 && record)
		put_row(w, &row, f);
}

/* The first N ops; the last records of a crash may be lost. */
static void
apply(struct world *w, const struct plan *pl, size_t n, size_t recorded)
{
	uint32_t *left = arena_array(&mem, pl->groups + 1, sizeof *left);

	for (size_t i = 0; i < pl->n; i++)
		left[pl->op[i].group]++;
	for (size_t i = 0; i < n; i++)
		carry_out(w, &pl->op[i], --left[pl->op[i].group],
		    i < recorded);
}

static uint32_t
count_l(const struct world *w, uint32_t content)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->nl; i++)
		n += w->l[i].base && w->l[i].content == content;
	return n;
}

static uint32_t
count_r(const struct world *w, uint32_t content)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->nr; i++)
		n += w->r[i].uid && w->r[i].content == content;
	return n;
}

static void
assert_settled(struct world *w, uint64_t round)
{
	for (uint32_t c = 1; c <= w->next_content; c++) {
		uint32_t l = count_l(w, c), r = count_r(w, c);

		if (l != w->due[c] || r != w->due[c])
			fail_msg("round %llu: content %u is %u times here, %u "
				 "times there, %u due",
			    (unsigned long long)round, c, l, r, w->due[c]);
	}
	for (size_t i = 0; i < w->nj; i++) {
		struct remote *m;
		struct file *f;

		if (!w->j[i].uid)
			continue;
		m = find_remote(w, w->j[i].uid);
		f = find_file(w, span_str(w->j[i].file));
		assert_true(m && f && m->content == f->content);
		assert_int_equal(m->sys, f->sys);
	}
}

/* Make room: forget what is gone. */
static void
compact(struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nl; i++)
		if (w->l[i].base)
			w->l[n++] = w->l[i];
	w->nl = n;
	n = 0;
	for (size_t i = 0; i < w->nr; i++)
		if (w->r[i].uid)
			w->r[n++] = w->r[i];
	w->nr = n;
	n = 0;
	for (size_t i = 0; i < w->nj; i++)
		if (w->j[i].uid)
			w->j[n++] = w->j[i];
	w->nj = n;
}

static void
sync_once(struct world *w, bool crash, bool delta)
{
	uint64_t seen = w->modseq;
	struct views v;
	struct plan pl;

	observe(w, delta, &v);
	pl = plan(&v);
	if (crash && pl.n) {
		size_t n = rnd((uint32_t)pl.n + 1);
		size_t lost = rnd(4);

		apply(w, &pl, n, n > lost ? n - lost : 0);
	} else {
		apply(w, &pl, pl.n, pl.n);
		w->cursor = seen;
	}
	uidset_release(&v.r.vanished);
}

static void
assert_same_plan(const struct plan *a, const struct plan *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->op[i].kind, b->op[i].kind);
		assert_int_equal(a->op[i].uid, b->op[i].uid);
		assert_int_equal(a->op[i].why, b->op[i].why);
		assert_true(span_eq(a->op[i].file, b->op[i].file));
	}
}

/* Each test begins with it, so that one can be run again alone. */
static int
begin(void **state)
{
	(void)state;
	rnd_state = first;
	return 0;
}

static void
test_both_sides_converge_whatever_happens(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct views v;
		struct plan pl;

		/* Many short histories and some long ones. */
		if (round % 40 == 0)
			memset(w, 0, sizeof *w);
		people(w, 1 + rnd(12));
		for (uint32_t crashes = rnd(3); crashes > 0; crashes--)
			sync_once(w, true, rnd(2));
		sync_once(w, false, false);
		/* Our own changes come back as a delta: nothing to do. */
		sync_once(w, false, true);
		assert_settled(w, round);
		for (int delta = 0; delta < 2; delta++) {
			observe(w, delta, &v);
			pl = plan(&v);
			assert_int_equal(pl.n, 0);
			uidset_release(&v.r.vanished);
		}
		compact(w);
		arena_clear(&mem);
	}
	xfree(w);
}

static void
test_order_of_the_input_does_not_matter(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct views v;
		struct plan a, b;

		if (round % 20 == 0)
			memset(w, 0, sizeof *w);
		people(w, 10);
		observe(w, false, &v);
		a = plan(&v);
		shuffle_l(&v.l);
		b = plan(&v);
		assert_same_plan(&a, &b);
		uidset_release(&v.r.vanished);
		sync_once(w, false, false);
		compact(w);
		arena_clear(&mem);
	}
	xfree(w);
}

/*
 * As sync/local.c gives it: without the files that are as their rows say, and
 * without those rows, unless the server's side or a file of the same base
 * speaks of them.
 */
static struct views
without_the_unchanged(const struct views *v)
{
	struct views d = {.r = v->r};

	d.l.complete = d.l.delta = true;
	for (size_t i = 0; i < v->base.n; i++) {
		const struct pair *row = &v->base.v[i];
		bool same = false, sibling = false;

		for (size_t k = 0; k < v->l.n; k++) {
			const struct lmsg *m = &v->l.v[k];
			bool it = span_eq(m->file, row->file);

			same |= it && flags_eq(m->flags, row->l);
			sibling |= !it && row->file.n &&
			    span_eq(m->base, plan_base(row->file));
		}
		if (v->r.complete || !same || sibling ||
		    rview_find(&v->r, row->uid) ||
		    uidset_has(&v->r.vanished, row->uid))
			pairs_add(&mem, &d.base, *row);
	}
	for (size_t k = 0; k < v->l.n; k++) {
		bool row = false, at_hand = false;

		for (size_t i = 0; i < v->base.n; i++)
			row |= span_eq(v->l.v[k].file, v->base.v[i].file);
		for (size_t i = 0; i < d.base.n; i++)
			at_hand |= span_eq(v->l.v[k].file, d.base.v[i].file);
		if (!row || at_hand)
			lview_add(&mem, &d.l, v->l.v[k]);
	}
	return d;
}

static void
test_what_is_left_out_as_unchanged_changes_no_plan(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);
	size_t left_out = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		bool delta = rnd(2);
		struct views v, d;
		struct plan a, b;

		if (round % 40 == 0)
			memset(w, 0, sizeof *w);
		people(w, 1 + rnd(12));
		if (rnd(3) == 0)
			sync_once(w, true, false);
		observe(w, delta, &v);
		d = without_the_unchanged(&v);
		left_out += v.base.n - d.base.n;
		a = plan(&v);
		b = plan(&d);
		assert_same_plan(&a, &b);
		uidset_release(&v.r.vanished);
		sync_once(w, false, false);
		compact(w);
		arena_clear(&mem);
	}
	assert_true(left_out > 1000);
	xfree(w);
}

static void
test_what_was_not_seen_is_never_deleted(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct views v;
		struct plan pl;

		if (round % 20 == 0)
			memset(w, 0, sizeof *w);
		people(w, 12);
		sync_once(w, false, false);
		/* Half of each listing is missing, and it does not claim to
		 * be complete. */
		observe(w, false, &v);
		v.l.complete = v.r.complete = false;
		v.l.n /= 2;
		v.r.n /= 2;
		pl = plan(&v);
		for (size_t i = 0; i < pl.n; i++)
			assert_true(pl.op[i].kind != OP_LDELETE &&
			    pl.op[i].kind != OP_RDELETE &&
			    pl.op[i].kind != OP_FORGET);
		uidset_release(&v.r.vanished);
		/* The numbers went back: what is missing goes up again. */
		observe(w, false, &v);
		v.r.doubt = true;
		v.r.n /= 2;
		pl = plan(&v);
		for (size_t i = 0; i < pl.n; i++)
			assert_true(pl.op[i].kind != OP_LDELETE);
		uidset_release(&v.r.vanished);
		/* UIDs mean nothing: not one delete, not one forgotten file. */
		observe(w, false, &v);
		v.r.renumbered = true;
		for (size_t i = 0; i < v.r.n; i++)
			v.r.v[i].uid += 100000;
		pl = plan(&v);
		for (size_t i = 0; i < pl.n; i++)
			assert_true(pl.op[i].kind == OP_ADOPT);
		uidset_release(&v.r.vanished);
		compact(w);
		arena_clear(&mem);
	}
	xfree(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_both_sides_converge_whatever_happens,
		begin),
	    cmocka_unit_test_setup(test_order_of_the_input_does_not_matter,
		begin),
	    cmocka_unit_test_setup(
		test_what_is_left_out_as_unchanged_changes_no_plan, begin),
	    cmocka_unit_test_setup(test_what_was_not_seen_is_never_deleted,
		begin),
	};
	int rc;

	first = seed_of_this_run();
	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
