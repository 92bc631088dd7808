/*
 * An account of several mailboxes, on both sides, in memory: people change
 * both sides, the plan is carried out as sync/ does it, now and then only in
 * part, and what comes out must be what the oracle allows.  See
 * doc/merge-table.md; the oracle knows its rules and nothing of its code.
 *
 *	MOCHILA_SEED=N MOCHILA_CASES=1 tests/unit/test-plan-model
 *
 * runs the history again that printed N.  MOCHILA_CASES: how many histories.
 */
#include "account.h"

#define HISTORIES 4000
#define ROUNDS 6

static struct account acc;
static uint64_t messages; /* looked at by the oracle */

/* What people do. */

static uint32_t
some_flags(void)
{
	return rnd(8) & (FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED);
}

static void
new_message(void)
{
	uint32_t content = ++acc.next_content, where = rnd(8);
	uint32_t box = rnd(BOXES);

	if (where != 0)
		add_file(&acc, box, content, some_flags());
	if (where == 0 || where > 4)
		add_remote(&acc, where > 6 ? rnd(BOXES) : box, content,
		    some_flags());
	if (where == 1) /* two of them here */
		add_file(&acc, rnd(BOXES), content, some_flags());
}

static void
change_file(struct file *f)
{
	switch (rnd(8)) {
	case 0:
		f->base = 0;
		break;
	case 1:
		if (acc.copies)
			add_file(&acc, rnd(BOXES), f->content, f->sys);
		break;
	case 2: /* the name goes along, as mutt and others do it */
		f->box = rnd(BOXES);
		break;
	case 3:
		f->box = rnd(BOXES);
		f->base = ++acc.next_base;
		break;
	case 4:
		f->base = ++acc.next_base;
		break;
	default:
		f->sys = some_flags();
		break;
	}
}

static void
change_remote(struct remote *m)
{
	uint32_t content = m->content, sys = m->sys;

	switch (rnd(6)) {
	case 0:
		m->uid = 0;
		acc.modseq++;
		break;
	case 1:
		if (acc.copies)
			add_remote(&acc, rnd(BOXES), content, sys);
		break;
	case 2:
	case 3: /* also within one mailbox: then it has a new UID */
		m->uid = 0;
		add_remote(&acc, rnd(BOXES), content, sys);
		break;
	default:
		m->sys = some_flags();
		m->modseq = ++acc.modseq;
		break;
	}
}

/* Most of it happens to few messages, so that both sides meet there. */
static void
people(void)
{
	size_t nl = acc.nl, nr = acc.nr;

	for (uint32_t n = rnd(4); n > 0; n--)
		new_message();
	for (uint32_t n = rnd(6); n > 0 && nl; n--) {
		struct file *f = &acc.l[rnd((uint32_t)nl)];

		if (f->base)
			change_file(f);
	}
	for (uint32_t n = rnd(6); n > 0 && nr; n--) {
		struct remote *m = &acc.r[rnd((uint32_t)nr)];

		if (m->uid)
			change_remote(m);
	}
}

/* The oracle. */

struct state {
	uint32_t n; /* copies; the rest is of the only one */
	uint32_t box, sys, uid;
};

struct outcome {
	uint32_t n;
	uint32_t box[2], sys[2];
};

/* What a content had and has, before a run. */
struct facts {
	struct state b, l, s;
	/* by mailbox: rows; rows whose UID is gone; files; UIDs without a row */
	uint32_t rows[BOXES], gone_s[BOXES], files[BOXES], new_s[BOXES];
};

static struct facts *facts; /* by content */
static size_t nfacts;

static void
state_add(struct state *x, uint32_t box, uint32_t sys, uint32_t uid)
{
	x->n++;
	x->box = box;
	x->sys = sys;
	x->uid = uid;
}

static void
take_facts(void)
{
	nfacts = acc.next_content + 1;
	facts = arena_array(&mem, nfacts, sizeof *facts);
	for (size_t i = 0; i < acc.nl; i++)
		if (acc.l[i].base) {
			struct facts *x = &facts[acc.l[i].content];

			state_add(&x->l, acc.l[i].box, acc.l[i].sys, 0);
			x->files[acc.l[i].box]++;
		}
	for (size_t i = 0; i < acc.nr; i++)
		if (acc.r[i].uid) {
			struct facts *x = &facts[acc.r[i].content];

			state_add(&x->s, acc.r[i].box, acc.r[i].sys,
			    acc.r[i].uid);
			x->new_s[acc.r[i].box]++;
		}
	for (size_t i = 0; i < acc.nj; i++) {
		const struct row *j = &acc.j[i];
		struct facts *x = &facts[j->content];

		if (!j->uid)
			continue;
		state_add(&x->b, j->box, j->l, j->uid);
		x->rows[j->box]++;
		if (find_remote(&acc, j->box, j->uid))
			x->new_s[j->box]--;
		else
			x->gone_s[j->box]++;
	}
}

static struct outcome
one(uint32_t box, uint32_t sys)
{
	return (struct outcome){1, {box}, {sys}};
}

/* Nobody had agreed on anything: what is there stays. */
static struct outcome
unknown(const struct state *l, const struct state *s)
{
	if (l->n == 0 && s->n == 0)
		return (struct outcome){0};
	if (s->n == 0)
		return one(l->box, l->sys);
	if (l->n == 0)
		return one(s->box, s->sys);
	if (l->box == s->box)
		return one(l->box, l->sys | s->sys);
	return (struct outcome){2, {l->box, s->box}, {l->sys, s->sys}};
}

/* At most one copy in each of B, L and S. */
static struct outcome
expected(const struct state *b, const struct state *l, const struct state *s)
{
	uint32_t sys = b->sys ^ ((l->sys ^ b->sys) | (s->sys ^ b->sys));
	/* to another mailbox, or there and back */
	bool moved = s->box != b->box || s->uid != b->uid;

	if (b->n == 0)
		return unknown(l, s);
	/* a delete wins over flags, a move over a delete */
	if (l->n == 0 && s->n == 0)
		return (struct outcome){0};
	if (s->n == 0)
		return l->box == b->box ? (struct outcome){0}
					: one(l->box, l->sys);
	if (l->n == 0)
		return moved ? one(s->box, s->sys) : (struct outcome){0};
	/* of two moves the server's wins */
	return one(moved ? s->box : l->box, sys);
}

static void
fail_content(uint32_t content, const char *what)
{
	const struct facts *x = &facts[content];

	printf("\ncontent %u %s: agreed %u (%u %x), here %u (%u %x), there %u "
	       "(%u %x)\n",
	    content, what, x->b.n, x->b.box, x->b.sys, x->l.n, x->l.box,
	    x->l.sys, x->s.n, x->s.box, x->s.sys);
	for (size_t i = 0; i < acc.nl; i++)
		if (acc.l[i].base && acc.l[i].content == content)
			printf("  here %u %x\n", acc.l[i].box, acc.l[i].sys);
	for (size_t i = 0; i < acc.nr; i++)
		if (acc.r[i].uid && acc.r[i].content == content)
			printf("  there %u %x\n", acc.r[i].box, acc.r[i].sys);
	for (uint32_t i = 0; i < BOXES; i++)
		printf("  mailbox %u: %u rows, %u files, of the UIDs %u gone, "
		       "%u new\n",
		    i, x->rows[i], x->files[i], x->gone_s[i], x->new_s[i]);
	fail_msg("MOCHILA_SEED=%llu", (unsigned long long)history);
}

static void
check_one(uint32_t content, const struct file **v, uint32_t n)
{
	const struct facts *x = &facts[content];
	struct outcome want = expected(&x->b, &x->l, &x->s);

	/* a move that was cut between COPY and EXPUNGE looks like two new
	 * messages, whose flags are united */
	if (acc.half && n == 1 && x->b.n && x->l.n && x->s.n &&
	    v[0]->sys == (x->l.sys | x->s.sys))
		want.sys[0] = v[0]->sys;
	if (n != want.n)
		fail_content(content, "number");
	if (n == 2 && v[0]->box != want.box[0]) {
		const struct file *swap = v[0];

		v[0] = v[1];
		v[1] = swap;
	}
	for (uint32_t i = 0; i < n; i++) {
		/* a copy that was made there and not recorded shows what it
		 * was made of */
		if (acc.cut && n == 2 &&
		    v[i]->sys == (x->l.sys | x->s.sys))
			want.sys[i] = v[i]->sys;
		if (v[i]->box != want.box[i] || v[i]->sys != want.sys[i])
			fail_content(content, "place or flags");
	}
}

/*
 * Several of one content: which is which nobody can say, but how many there may
 * be.  What neither side let go of stays; what is new on one side may be what
 * is new on the other.
 */
static void
check_many(uint32_t content, const struct file **v, uint32_t n)
{
	const struct facts *x = &facts[content];
	uint32_t least = 0, most = 0, all_l = 0, all_s = 0;
	uint32_t have[BOXES] = {0};

	for (uint32_t i = 0; i < n; i++)
		have[v[i]->box]++;
	for (uint32_t i = 0; i < BOXES; i++) {
		uint32_t rows = x->rows[i], s = x->gone_s[i];
		uint32_t l = rows > x->files[i] ? rows - x->files[i] : 0;
		uint32_t new_l = x->files[i] + l - rows;
		uint32_t stay = rows > l + s ? rows - l - s : 0;
		uint32_t may = rows - (l > s ? l : s) + new_l + x->new_s[i];

		/* what a crash left here without a row may be taken for one
		 * that was deleted here: that one is there again */
		if (acc.cut)
			may = rows + new_l + x->new_s[i];
		if (have[i] < stay || have[i] > may)
			fail_content(content, "number in a mailbox");
		least += stay;
		most += may;
		all_l += new_l;
		all_s += x->new_s[i];
	}
	least += all_l > all_s ? all_l : all_s;
	if (n < least || n > most)
		fail_content(content, "number of copies");
}

static void
check_outcomes(void)
{
	const struct file *v[MESSAGES];

	for (uint32_t content = 1; content < nfacts; content++) {
		const struct facts *x = &facts[content];
		uint32_t n = 0;

		for (size_t i = 0; i < acc.nl; i++)
			if (acc.l[i].base && acc.l[i].content == content)
				v[n++] = &acc.l[i];
		if (x->b.n > 1 || x->l.n > 1 || x->s.n > 1)
			check_many(content, v, n);
		else
			check_one(content, v, n);
		messages += x->b.n || x->l.n || x->s.n;
	}
}

/* Each row is one file and one UID, of one content and equal flags; and
 * there is nothing without a row. */
static void
check_rows(void)
{
	size_t rows = 0, files = 0, uids = 0;

	for (size_t i = 0; i < acc.nj; i++) {
		const struct row *j = &acc.j[i];
		const struct file *f;
		const struct remote *m;

		if (!j->uid)
			continue;
		rows++;
		f = find_base(&acc, j->box, j->base);
		m = find_remote(&acc, j->box, j->uid);
		if (!f || !m || f->content != j->content ||
		    m->content != j->content || f->sys != m->sys ||
		    f->sys != j->l || m->sys != j->r)
			fail_content(j->content, "row");
	}
	for (size_t i = 0; i < acc.nl; i++)
		files += acc.l[i].base != 0;
	for (size_t i = 0; i < acc.nr; i++)
		uids += acc.r[i].uid != 0;
	if (rows != files || rows != uids)
		fail_msg("%zu rows, %zu files, %zu UIDs: MOCHILA_SEED=%llu",
		    rows, files, uids, (unsigned long long)history);
}

/* Passes until there is nothing left to do. */
static void
settle(void)
{
	size_t n = 1;

	for (int pass = 0; pass < 5 && n > 0; pass++)
		n = account_pass(&acc, rnd(2), SIZE_MAX, 0);
	if (n > 0)
		fail_msg("does not end: MOCHILA_SEED=%llu",
		    (unsigned long long)history);
	/* what a delta shows, a full listing does not show otherwise */
	assert_int_equal(account_pass(&acc, true, SIZE_MAX, 0), 0);
	assert_int_equal(account_pass(&acc, false, SIZE_MAX, 0), 0);
	check_rows();
}

static void
test_random_histories(void **state)
{
	uint64_t first = seed_of_this_run();
	uint64_t n = number_of_environment("MOCHILA_CASES", HISTORIES);

	(void)state;
	for (history = first; history < first + n; history++) {
		account_begin(&acc, history);
		for (int round = 0; round < ROUNDS; round++) {
			people();
			take_facts();
			acc.half = acc.cut = false;
			for (uint32_t cuts = rnd(3); cuts > 0; cuts--)
				account_pass(&acc, rnd(2), rnd(12), rnd(4));
			settle();
			check_outcomes();
			account_compact(&acc);
			arena_clear(&mem);
		}
	}
	printf("%llu messages judged\n", (unsigned long long)messages);
}

/*
 * Every state of one message on either side, agreed on in mailbox 0: gone,
 * as it was, with other flags, in mailbox 1 or 2 with and without other flags,
 * under another name or UID; and every place to stop.
 */
enum { GONE, SAME, FLAGS, MOVED_1, MOVED_1_FLAGS, MOVED_2, RENAMED, WAYS };

static uint32_t
box_of(int way)
{
	return way == MOVED_1 || way == MOVED_1_FLAGS ? 1
	    : way == MOVED_2			      ? 2
						      : 0;
}

static uint32_t
sys_of(int way, uint32_t base, uint32_t change)
{
	return way == FLAGS || way == MOVED_1_FLAGS ? base ^ change : base;
}

static size_t
one_case(int here, int there, uint32_t lflags, uint32_t rflags, size_t stop,
    size_t lost)
{
	const uint32_t base = FLAG_SEEN;
	size_t n;

	account_begin(&acc, 1);
	add_remote(&acc, 0, ++acc.next_content, base);
	account_pass(&acc, false, SIZE_MAX, 0);
	assert_int_equal(acc.nl, 1);
	acc.l[0].box = box_of(here);
	acc.l[0].sys = sys_of(here, base, lflags);
	if (here == GONE)
		acc.l[0].base = 0;
	else if (here == RENAMED || here == MOVED_2)
		acc.l[0].base = ++acc.next_base;
	if (there == FLAGS) {
		acc.r[0].sys = sys_of(there, base, rflags);
		acc.r[0].modseq = ++acc.modseq;
	} else if (there != SAME) {
		acc.r[0].uid = 0;
		acc.modseq++;
		if (there != GONE)
			add_remote(&acc, box_of(there), 1,
			    sys_of(there, base, rflags));
	}
	take_facts();
	n = account_pass(&acc, true, stop, lost);
	settle();
	check_outcomes();
	arena_clear(&mem);
	return n;
}

static void
test_every_state_of_one_message(void **state)
{
	static const uint32_t change[] = {
	    FLAG_SEEN, FLAG_FLAGGED, FLAG_ANSWERED};

	(void)state;
	history = 0;
	for (int here = 0; here < WAYS; here++)
		for (int there = 0; there < WAYS; there++)
			for (int k = 0; k < 9; k++) {
				uint32_t l = change[k % 3], r = change[k / 3];
				size_t n = one_case(
				    here, there, l, r, SIZE_MAX, 0);

				for (size_t at = 0; at <= n; at++)
					for (size_t lost = 0; lost <= at;
					     lost++)
						one_case(here, there, l, r, at,
						    lost);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_state_of_one_message),
	    cmocka_unit_test(test_random_histories),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
