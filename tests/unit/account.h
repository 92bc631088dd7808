/*
 * account: both sides of an account and its journal, in memory, for tests of
 * the plan.  A pass observes, plans and carries out as sync/ does.
 */
#ifndef TESTS_UNIT_ACCOUNT_H
#define TESTS_UNIT_ACCOUNT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/name.h"
#include "plan/internal.h"
#include "seed.h"

#define BOXES 3
#define MESSAGES 256

struct file {
	uint32_t base; /* of its name; 0: no such file */
	uint32_t box, content, sys;
};

struct remote {
	uint32_t uid; /* 0: gone */
	uint32_t box, content, sys;
	uint64_t modseq;
};

struct row {
	uint32_t uid; /* 0: no row */
	uint32_t box, content, base;
	char name[32];
	uint32_t l, r;
	uint64_t modseq;
};

struct account {
	struct file l[MESSAGES];
	struct remote r[MESSAGES];
	struct row j[MESSAGES];
	size_t nl, nr, nj;
	uint32_t next_base, next_content;
	uint32_t next_uid[BOXES]; /* each mailbox counts for itself */
	uint64_t modseq, cursor[BOXES];
	bool copies; /* there may be several of one content */
	bool gids;   /* the server names contents */
	bool cut;    /* a pass ended early */
	bool half;   /* a COPY was done, and its EXPUNGE was not */
};

static struct arena mem;
static uint64_t history; /* which one is under way */

static void
account_begin(struct account *a, uint64_t seed)
{
	memset(a, 0, sizeof *a);
	rnd_state = seed;
	a->copies = rnd(2);
	a->gids = rnd(4) == 0;
}

static struct file *
add_file(struct account *a, uint32_t box, uint32_t content, uint32_t sys)
{
	assert_true(a->nl < MESSAGES);
	a->l[a->nl] = (struct file){++a->next_base, box, content, sys};
	return &a->l[a->nl++];
}

static struct remote *
add_remote(struct account *a, uint32_t box, uint32_t content, uint32_t sys)
{
	assert_true(a->nr < MESSAGES);
	a->r[a->nr] = (struct remote){
	    ++a->next_uid[box], box, content, sys, ++a->modseq};
	return &a->r[a->nr++];
}

static struct file *
find_base(struct account *a, uint32_t box, uint32_t base)
{
	for (size_t i = 0; i < a->nl; i++)
		if (base && a->l[i].base == base && a->l[i].box == box)
			return &a->l[i];
	return NULL;
}

static struct remote *
find_remote(struct account *a, uint32_t box, uint32_t uid)
{
	for (size_t i = 0; i < a->nr; i++)
		if (uid && a->r[i].uid == uid && a->r[i].box == box)
			return &a->r[i];
	return NULL;
}

static struct row *
find_row(struct account *a, uint32_t box, uint32_t uid)
{
	for (size_t i = 0; i < a->nj; i++)
		if (uid && a->j[i].uid == uid && a->j[i].box == box)
			return &a->j[i];
	return NULL;
}

/* Make room: what is gone is forgotten. */
static void
account_compact(struct account *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->nl; i++)
		if (a->l[i].base)
			a->l[n++] = a->l[i];
	a->nl = n;
	n = 0;
	for (size_t i = 0; i < a->nr; i++)
		if (a->r[i].uid)
			a->r[n++] = a->r[i];
	a->nr = n;
	n = 0;
	for (size_t i = 0; i < a->nj; i++)
		if (a->j[i].uid)
			a->j[n++] = a->j[i];
	a->nj = n;
}

/* Names and digests. */

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

static void
digest_of(uint32_t content, uint8_t sha[DIGEST_LEN])
{
	memset(sha, 0, DIGEST_LEN);
	memcpy(sha, &content, sizeof content);
}

static uint32_t
content_of(const uint8_t sha[DIGEST_LEN])
{
	uint32_t content;

	memcpy(&content, sha, sizeof content);
	return content;
}

static uint32_t
base_of(struct span file)
{
	uint32_t base;

	assert_true(span_u32(plan_base(file), &base));
	return base;
}

/* Observation. */

struct views {
	struct pairs base;
	struct lview l;
	struct rview r;
};

static struct pair
pair_of(const struct row *j)
{
	struct pair p = {.uid = j->uid, .file = span_str(j->name),
	    .l = {.sys = j->l}, .r = {.sys = j->r}, .modseq = j->modseq};

	digest_of(j->content, p.sha);
	return p;
}

static int
by_uid(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
observe_rows(const struct account *a, uint32_t box, struct views *v)
{
	v->base.complete = true;
	for (size_t i = 0; i < a->nj; i++)
		if (a->j[i].uid && a->j[i].box == box)
			pairs_add(&mem, &v->base, pair_of(&a->j[i]));
	if (v->base.n)
		qsort(v->base.v, v->base.n, sizeof *v->base.v, by_uid);
}

static void
observe(struct account *a, uint32_t box, bool delta, struct views *v)
{
	memset(v, 0, sizeof *v);
	uidset_init(&v->r.vanished);
	observe_rows(a, box, v);
	v->l.complete = true;
	for (size_t i = 0; i < a->nl; i++) {
		struct lmsg m = {.flags = {.sys = a->l[i].sys},
		    .has_content = true, .klass = a->l[i].content};

		if (!a->l[i].base || a->l[i].box != box)
			continue;
		m.file = span_str(file_name(&a->l[i]));
		m.base = plan_base(m.file);
		digest_of(a->l[i].content, m.content.sha);
		lview_add(&mem, &v->l, m);
	}
	v->r.complete = !delta;
	for (size_t i = 0; i < a->nr; i++) {
		const struct remote *m = &a->r[i];
		struct rmsg x = {.uid = m->uid, .modseq = m->modseq,
		    .flags = {.sys = m->sys}, .has_meta = true,
		    .klass = m->content};

		if (!m->uid || m->box != box ||
		    (delta && m->modseq <= a->cursor[box]))
			continue;
		if (a->gids)
			x.gid = span_str(arena_printf(&mem, "g%u", m->content));
		rview_add(&mem, &v->r, x);
	}
	rview_sort(&v->r);
	for (size_t i = 0; delta && i < v->base.n; i++)
		if (!find_remote(a, box, v->base.v[i].uid))
			uidset_add(&v->r.vanished, v->base.v[i].uid);
}

/* What sync/moves.c finds out before plan_moves(). */
static void
identify(struct account *a, struct plan *pl, struct plan_live *live,
    size_t *n_r)
{
	size_t n = 0;

	for (size_t i = 0; i < pl->n; i++) {
		struct op *op = &pl->op[i];
		const struct remote *m;

		if (op->kind != OP_PULL)
			continue;
		m = find_remote(a, op->box, op->uid);
		assert_non_null(m);
		for (size_t k = 0; k < a->nl && !op->known; k++)
			op->known = a->l[k].base &&
			    a->l[k].content == m->content;
		if (op->known)
			digest_of(m->content, op->row.sha);
	}
	for (size_t i = 0; i < a->nj; i++) {
		const struct row *j = &a->j[i];
		const struct file *f = find_base(a, j->box, j->base);
		struct plan_live x = {.box = j->box, .row = pair_of(j),
		    .local = f != NULL,
		    .remote = find_remote(a, j->box, j->uid) != NULL};

		if (!j->uid || (!x.local && !x.remote))
			continue;
		if (f)
			x.row.file = span_str(file_name(f));
		live[n++] = x;
	}
	*n_r = n;
}

static struct plan
account_plan(struct account *a, bool delta)
{
	const struct plan_policy policy = {
	    .max_deletes = 100, .allow_deletes = true};
	struct plan_live *live = arena_array(&mem, a->nj + 1, sizeof *live);
	/* in whatever order the mailboxes come */
	uint32_t first = rnd(BOXES), step = 1 + rnd(BOXES - 1);
	struct plan pl;
	size_t n;

	plan_init(&pl, &mem);
	for (uint32_t i = 0; i < BOXES; i++) {
		uint32_t box = (first + i * step) % BOXES;
		struct views *v = arena_alloc(&mem, sizeof *v);

		observe(a, box, delta, v);
		plan_merge(&pl, box, &v->base, v->base.n, &v->l, &v->r,
		    &policy);
		uidset_release(&v->r.vanished);
	}
	identify(a, &pl, live, &n);
	plan_moves(&pl, live, n);
	plan_brake(&pl, &policy);
	plan_order(&pl);
	return pl;
}

/* Carrying out. */

struct pass {
	struct account *a;
	uint32_t *left; /* ops of a group that are still to be done */
	bool undone[BOXES];
};

static void
put_row(struct account *a, uint32_t box, const struct pair *p,
    const struct file *f)
{
	struct row *j = find_row(a, box, p->uid);

	if (!j) {
		assert_true(a->nj < MESSAGES);
		j = &a->j[a->nj++];
	}
	*j = (struct row){.uid = p->uid, .box = box, .content = f->content,
	    .base = f->base, .l = p->l.sys, .r = p->r.sys,
	    .modseq = p->modseq};
	strcpy(j->name, file_name(f));
	/* never two messages as one */
	assert_int_equal(find_remote(a, box, p->uid)->content, f->content);
	assert_int_equal(content_of(p->sha), f->content);
}

static void
del_row(struct account *a, uint32_t box, uint32_t uid)
{
	struct row *j = find_row(a, box, uid);

	if (j)
		j->uid = 0;
}

/* LCOPY, LMOVE, RCOPY, RMOVE.  HALF: the COPY of a move, not its EXPUNGE. */
static struct file *
transfer(struct account *a, const struct op *op, struct pair *row, bool half)
{
	bool here = op->kind == OP_LCOPY || op->kind == OP_LMOVE;
	struct file *f = find_base(
	    a, here ? op->from : op->box, base_of(op->file));
	struct remote *m;

	assert_non_null(f);
	if (op->kind == OP_LCOPY)
		return add_file(a, op->box, f->content, row->l.sys);
	if (op->kind == OP_LMOVE) {
		f->box = op->box;
		f->sys = op->shown.sys;
		return f;
	}
	m = find_remote(a, op->from, op->from_uid);
	assert_non_null(m);
	row->uid = add_remote(a, op->box, m->content, m->sys)->uid;
	if (op->kind == OP_RMOVE && !half) {
		find_remote(a, op->from, op->from_uid)->uid = 0;
		a->modseq++;
	}
	return f;
}

/* The effect of OP; its file, where a row follows. */
static struct file *
effect(struct account *a, const struct op *op, struct pair *row, bool half)
{
	struct remote *m = find_remote(a, op->box, op->uid);
	struct file *f = NULL;

	if (op_is_transfer(op))
		return transfer(a, op, row, half);
	if (op->file.n && op->kind != OP_FORGET && op->kind != OP_RDELETE) {
		f = find_base(a, op->box, base_of(op->file));
		assert_non_null(f);
	}
	switch (op->kind) {
	case OP_LFLAGS:
		f->sys = row->l.sys;
		break;
	case OP_RFLAGS:
		assert_non_null(m);
		m->sys = row->r.sys;
		m->modseq = ++a->modseq;
		break;
	case OP_PULL:
		assert_non_null(m);
		digest_of(m->content, row->sha);
		f = add_file(a, op->box, m->content, row->l.sys);
		break;
	case OP_PUSH:
		row->uid = add_remote(a, op->box, f->content, row->r.sys)->uid;
		break;
	case OP_LDELETE:
		f->base = 0;
		break;
	case OP_RDELETE:
		assert_non_null(m);
		m->uid = 0;
		a->modseq++;
		break;
	default:
		break;
	}
	return f;
}

/* As apply_done() and its like. */
static void
record(struct pass *p, const struct op *op, const struct pair *row,
    const struct file *f)
{
	if (op->kind == OP_LATER) {
		p->undone[op->box] = true;
		return;
	}
	if (op->kind == OP_FORGET || op_is_delete(op)) {
		del_row(p->a, op->box, op->uid);
		return;
	}
	if (op->behind ||
	    ((op->kind == OP_ADOPT || op->kind == OP_RMOVE ||
		 op->kind == OP_RCOPY) &&
		op->shown.sys != row->l.sys))
		p->undone[op->box] = true;
	if (p->left[op->group] > 0)
		return;
	if ((op->kind == OP_LMOVE || op->kind == OP_RMOVE) && op->from_uid)
		del_row(p->a, op->from, op->from_uid);
	if (op->left_uid)
		del_row(p->a, op->left_box, op->left_uid);
	put_row(p->a, op->box, row, f);
}

/* Rows and flags; between mailboxes; up and down; deletes. */
static int
stage_of(const struct op *op)
{
	if (op_is_delete(op))
		return 3;
	if (op_is_transfer(op))
		return 1;
	return op->kind == OP_PULL || op->kind == OP_PUSH ? 2 : 0;
}

static const struct op **
in_stages(const struct plan *pl)
{
	const struct op **v = arena_array(&mem, pl->n + 1, sizeof *v);
	size_t n = 0;

	for (int stage = 0; stage < 4; stage++)
		for (size_t i = 0; i < pl->n; i++)
			if (stage_of(&pl->op[i]) == stage)
				v[n++] = &pl->op[i];
	return v;
}

static void
show(const struct account *a, const struct plan *pl, size_t n)
{
	printf("here, there, agreed:\n");
	for (size_t i = 0; i < a->nl; i++)
		if (a->l[i].base)
			printf("  L %u: content %u, name %u, flags %x\n",
			    a->l[i].box, a->l[i].content, a->l[i].base,
			    a->l[i].sys);
	for (size_t i = 0; i < a->nr; i++)
		if (a->r[i].uid)
			printf("  R %u: content %u, UID %u, flags %x\n",
			    a->r[i].box, a->r[i].content, a->r[i].uid,
			    a->r[i].sys);
	for (size_t i = 0; i < a->nj; i++)
		if (a->j[i].uid)
			printf("  J %u: content %u, name %u, UID %u, flags "
			       "%x %x\n",
			    a->j[i].box, a->j[i].content, a->j[i].base,
			    a->j[i].uid, a->j[i].l, a->j[i].r);
	printf("plan, the first %zu carried out:\n", n);
	for (size_t i = 0; i < pl->n; i++)
		printf("  %s %u UID %u of %.*s from %u UID %u, case %d\n",
		    plan_kind_word(pl->op[i].kind), pl->op[i].box,
		    pl->op[i].uid, SPAN_ARG(pl->op[i].file), pl->op[i].from,
		    pl->op[i].from_uid, (int)pl->op[i].why);
}

/*
 * One pass.  It ends (a crash) after STOP ops, and the last LOST of these are
 * not recorded; what belongs to earlier stages is.  How many ops there were.
 */
static size_t
account_pass(struct account *a, bool delta, size_t stop, size_t lost)
{
	uint64_t seen = a->modseq;
	struct plan pl = account_plan(a, delta);
	const struct op **v = in_stages(&pl);
	struct pass p = {.a = a};
	size_t n = stop < pl.n ? stop : pl.n;

	p.left = arena_array(&mem, pl.groups + 1, sizeof *p.left);
	for (size_t i = 0; i < pl.n; i++)
		p.left[pl.op[i].group]++;
	if (getenv("MOCHILA_SHOW"))
		show(a, &pl, n);
	for (size_t i = 0; i < n; i++) {
		struct pair row = v[i]->row;
		struct file *f = effect(a, v[i], &row, false);

		p.left[v[i]->group]--;
		if (stop >= pl.n || i + lost < n ||
		    stage_of(v[i]) != stage_of(v[n - 1]))
			record(&p, v[i], &row, f);
	}
	if (stop < pl.n && v[n]->kind == OP_RMOVE && rnd(2)) {
		struct pair row = v[n]->row;

		effect(a, v[n], &row, true);
		a->half = true;
	}
	a->cut |= stop < pl.n || (n > 0 && lost > 0 && stop == pl.n);
	for (uint32_t box = 0; box < BOXES && stop >= pl.n; box++)
		if (!p.undone[box])
			a->cursor[box] = seen;
	return pl.n;
}

#endif
