/* When what could not be carried over is tried again, and waits no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "journal.h"
#include "sync/internal.h"

#define NOW 1800000000
#define MINUTE 60
#define DAY (24 * 60 * MINUTE)

/* A run of one mailbox, which has what the journal has. */
struct scene {
	struct config_account conf;
	struct sync_options options;
	struct sync_report rep;
	struct run r;
	struct sbox b;
	struct group group;
};

static void
load(struct fixture *f, struct scene *s)
{
	struct err e;

	assert_int_equal(0, journal_holds(f->j, s->b.j.id, &f->mem, &s->b.hold,
				&s->b.nhold, &e));
}

static struct scene *
begin(struct fixture *f)
{
	struct scene *s = arena_alloc(&f->mem, sizeof *s);

	*s = (struct scene){.r.now = NOW};
	s->r.a = &s->conf;
	s->r.o = &s->options;
	s->r.rep = &s->rep;
	s->r.box = &s->b;
	s->r.nbox = 1;
	s->r.group = &s->group;
	arena_init(&s->r.pass);
	s->r.j = f->j;
	s->r.kw = f->kw;
	s->b.j.id = add_box(f, "a", 3);
	load(f, s);
	return s;
}

/* It failed once more; UID 0: FILE did.  What the journal has of it. */
static const struct jhold *
note_failure(struct fixture *f, struct scene *s, uint32_t uid, const char *file)
{
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	const struct jhold *h;

	if (uid)
		holds_put_uid(&s->r, &s->b, batch, uid, SPAN("no"));
	else
		holds_put_file(
		    &s->r, &s->b, batch, span_str(file), SPAN("no"));
	commit(batch);
	load(f, s);
	h = holds_find(&s->b, uid, uid ? SPAN_NONE : span_str(file));
	assert_non_null(h);
	assert_int_equal(h->kind, JHOLD_RETRY);
	return h;
}

static void
test_each_failure_waits_four_times_longer_up_to_a_day(void **state)
{
	const int64_t wait[] = {15 * MINUTE, 60 * MINUTE, 240 * MINUTE,
	    960 * MINUTE, DAY, DAY, DAY};
	struct fixture *f = *state;
	struct scene *s = begin(f);

	for (uint32_t i = 0; i < sizeof wait / sizeof *wait; i++) {
		const struct jhold *h = note_failure(f, s, 7, NULL);

		assert_int_equal(h->tries, i + 1);
		assert_int_equal(h->next, s->r.now + wait[i]);
		h = note_failure(f, s, 0, "1.host");
		assert_int_equal(h->tries, i + 1);
		assert_int_equal(h->next, s->r.now + wait[i]);
		assert_int_equal(s->b.nhold, 2);
		s->r.now += wait[i];
	}
}

static void
test_it_is_due_when_its_time_has_come_and_not_before(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	const struct jhold *h = note_failure(f, s, 7, NULL);

	assert_false(holds_is_due(&s->r, h));
	s->r.now = h->next - 1;
	assert_false(holds_is_due(&s->r, h));
	s->r.now = h->next;
	assert_true(holds_is_due(&s->r, h));
	s->r.now += DAY;
	assert_true(holds_is_due(&s->r, h));
}

/* The clock was wrong when it was refused: no wait is that long. */
static void
test_it_is_due_when_its_time_is_too_far_ahead(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	const struct jhold *h = note_failure(f, s, 7, NULL);

	s->r.now = h->next - DAY;
	assert_false(holds_is_due(&s->r, h));
	s->r.now--;
	assert_true(holds_is_due(&s->r, h));
	s->r.now = 0;
	assert_true(holds_is_due(&s->r, h));
}

static void
test_what_policy_skipped_is_due_once_policy_lets_it_through(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	struct jhold h = {.kind = JHOLD_SKIPPED,
	    .uid = 7,
	    .size = 1000,
	    .idate = NOW - 10 * DAY};

	assert_true(holds_is_due(&s->r, &h));
	s->conf.max_size = 999;
	assert_false(holds_is_due(&s->r, &h));
	s->conf.max_size = 1000;
	assert_true(holds_is_due(&s->r, &h));
	s->conf.max_age_days = 9;
	assert_false(holds_is_due(&s->r, &h));
	s->conf.max_age_days = 11;
	assert_true(holds_is_due(&s->r, &h));
	/* no time makes one due that is kept */
	h.kind = JHOLD_KEPT;
	assert_false(holds_is_due(&s->r, &h));
}

static void
test_what_ended_the_connection_is_due_in_the_order_of_tries(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	struct jhold h = {.kind = JHOLD_SUSPECT, .uid = 7, .tries = 2};

	for (s->r.suspects = 0; s->r.suspects < 4; s->r.suspects++)
		assert_int_equal(
		    holds_is_due(&s->r, &h), s->r.suspects >= 2);
}

static const struct jhold *
note_sent(struct fixture *f, struct scene *s, const struct err *e, bool stored)
{
	const struct pair row = {
	    .file = SPAN("new/1.host"), .fsize = 42, .mtime_ns = 7};
	struct journal_batch *batch = journal_begin(f->j, f->kw);

	s->b.r.uidnext = 9;
	if (stored)
		holds_put_sent(&s->r, &s->b, batch, &row);
	else
		holds_put_unanswered(&s->r, &s->b, batch, &row, e);
	commit(batch);
	load(f, s);
	assert_int_equal(s->b.nhold, 1);
	return holds_find(&s->b, 0, SPAN("1.host"));
}

/* What was under way behind it is sent in its turn. */
static void
test_only_what_may_have_ended_the_connection_comes_last(void **state)
{
	static const enum err_code v[] = {
	    ERR_NET, ERR_BYE, ERR_TIMEOUT, ERR_PROTO};
	const struct err canceled = {.code = ERR_CANCELED};
	struct fixture *f = *state;
	struct scene *s = begin(f);
	const struct jhold *h = note_sent(f, s, NULL, false);

	assert_int_equal(h->kind, JHOLD_SUSPECT);
	assert_int_equal(h->tries, 0);
	assert_int_equal(h->next, 9);
	assert_int_equal(h->size, 42);
	assert_int_equal(h->idate, 7);
	assert_true(holds_is_due(&s->r, h));
	h = note_sent(f, s, &canceled, false);
	assert_int_equal(h->tries, 0);
	for (uint32_t i = 0; i < sizeof v / sizeof *v; i++) {
		const struct err e = {.code = v[i]};

		h = note_sent(f, s, &e, false);
		assert_int_equal(h->tries, i + 1);
		assert_false(holds_is_due(&s->r, h));
		/* nor does it begin anew behind another one */
		h = note_sent(f, s, NULL, false);
		assert_int_equal(h->tries, i + 1);
	}
	map_release(&s->r.told);
	arena_release(&s->r.mem);
}

static void
test_what_went_up_is_never_due(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	const struct jhold *h;

	note_failure(f, s, 0, "1.host");
	assert_int_equal(s->rep.waiting, 1);
	h = note_sent(f, s, NULL, true);
	assert_int_equal(h->kind, JHOLD_SENT);
	assert_int_equal(s->rep.waiting, 0);
	s->r.now += 10 * DAY;
	assert_false(holds_is_due(&s->r, h));
}

/* What waits: UID 7, or 0, and 1.host, or FILE is NULL. */
static struct scene *
begin_waiting(struct fixture *f, uint32_t uid, const char *file)
{
	struct scene *s = begin(f);

	if (uid)
		note_failure(f, s, uid, NULL);
	if (file)
		note_failure(f, s, 0, file);
	assert_int_equal(s->rep.waiting, s->b.nhold);
	return s;
}

/* The first of N ops of a message: UID 7 and 1.host. */
static struct op
plan_ops(struct scene *s, struct pair *row, uint32_t n)
{
	*row = (struct pair){.uid = 7, .file = SPAN("cur/1.host:2,")};
	s->group = (struct group){.left = n, .row = row};
	return (struct op){.uid = 7, .row = *row, .file = row->file};
}

static void
done(struct fixture *f, struct scene *s, struct op *op, enum op_kind kind)
{
	struct journal_batch *batch = journal_begin(f->j, f->kw);

	op->kind = kind;
	apply_done(&s->r, &s->b, batch, op);
	commit(batch);
	load(f, s);
}

static void
test_what_has_a_row_waits_no_more(void **state)
{
	static const struct {
		enum op_kind kind;
		uint32_t uid;
		const char *file;
	} v[] = {
	    {OP_ADOPT, 7, "1.host"},
	    {OP_PULL, 7, NULL},
	    {OP_LCOPY, 7, NULL},
	    {OP_LMOVE, 7, NULL},
	    {OP_PUSH, 0, "1.host"},
	    {OP_RCOPY, 0, "1.host"},
	    {OP_RMOVE, 0, "1.host"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct scene *s = begin_waiting(f, v[i].uid, v[i].file);
		struct pair row;
		struct op op = plan_ops(s, &row, 1);

		op.uid = v[i].uid; /* as planned */
		done(f, s, &op, v[i].kind);
		assert_int_equal(s->b.nhold, 0);
		assert_int_equal(s->rep.waiting, 0);
		arena_release(&s->r.pass);
	}
}

static void
test_a_row_that_is_written_again_leaves_new_content_waiting(void **state)
{
	static const enum op_kind v[] = {OP_RECORD, OP_LFLAGS, OP_RFLAGS};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct scene *s = begin_waiting(f, 0, "1.host");
		struct pair row;
		struct op op = plan_ops(s, &row, 1);

		done(f, s, &op, v[i]);
		assert_int_equal(s->b.nhold, 1);
		assert_int_equal(s->rep.waiting, 1);
		arena_release(&s->r.pass);
	}
}

static void
test_what_is_half_done_waits(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin_waiting(f, 7, "1.host");
	struct pair row;
	struct op op = plan_ops(s, &row, 2);

	done(f, s, &op, OP_ADOPT);
	assert_int_equal(s->b.nhold, 2);
	assert_int_equal(s->rep.waiting, 2);
	done(f, s, &op, OP_LFLAGS);
	assert_int_equal(s->b.nhold, 0);
	assert_int_equal(s->rep.waiting, 0);
	arena_release(&s->r.pass);
}

/* Files of one base share a hold: it ends once, and is none of what is kept. */
static void
test_what_ended_is_not_what_is_kept(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin_waiting(f, 0, "1.host");
	const struct jhold *h = holds_find(&s->b, 0, SPAN("1.host"));
	struct journal_batch *batch = journal_begin(f->j, f->kw);

	for (int i = 0; i < 2; i++) {
		holds_drop(&s->r, &s->b, batch, h);
		assert_int_equal(s->rep.waiting, 0);
		assert_false(holds_has_kept(&s->b));
	}
	journal_batch_free(&batch);
}

static void
test_what_policy_keeps_waits_no_more(void **state)
{
	const struct op op = {.kind = OP_KEEP, .file = SPAN("cur/1.host:2,")};
	struct fixture *f = *state;
	struct scene *s = begin_waiting(f, 0, "1.host");
	struct journal_batch *batch = journal_begin(f->j, f->kw);

	for (int i = 0; i < 2; i++) {
		holds_put_policy(&s->r, &s->b, batch, &op);
		assert_int_equal(s->rep.waiting, 0);
	}
	commit(batch);
	load(f, s);
	assert_true(holds_has_kept(&s->b));
}

/* Both sides were looked at; deletes are held HERE, and THERE. */
static void
test_what_is_held_keeps_the_marks_until_none_is(void **state)
{
	struct fixture *f = *state;

	for (int k = 0; k < 4; k++) {
		bool here = k & 1, there = k & 2;
		struct scene *s = begin(f);
		struct sbox *b = &s->b;

		b->j.held = JBOX_HELD_ALL;
		b->j.highestmodseq = 7;
		b->j.stamp.cur_mtime_ns = 7;
		b->l.complete = b->r.complete = true;
		b->r.highestmodseq = 8;
		b->stamp.cur_mtime_ns = 8;
		b->keep_cursor = here;
		b->keep_stamp = there;
		record_mark(&s->r, b);
		assert_int_equal(b->j.highestmodseq, here ? 7 : 8);
		assert_int_equal(b->j.stamp.cur_mtime_ns, there ? 7 : 8);
		assert_int_equal(b->j.held, (here ? JBOX_HELD_HERE : 0) |
						(there ? JBOX_HELD_THERE : 0));
	}
}

/* Not looked at, not to the end, or not ours to delete: who knows? */
static void
test_what_nobody_looked_at_stays_held(void **state)
{
	struct fixture *f = *state;

	for (int k = 0; k < 7; k++) {
		struct scene *s = begin(f);
		struct sbox *b = &s->b;

		b->j.held = JBOX_HELD_ALL;
		b->l.complete = b->r.complete = k != 0;
		b->l.same = k == 0 || k == 1;
		b->r.same = k == 0 || k == 2;
		b->undone = k == 3;
		s->conf.direction = k == 4   ? CONFIG_PULL
				    : k == 5 ? CONFIG_PUSH
					     : CONFIG_BOTH;
		s->conf.keep = k == 6;
		record_mark(&s->r, b);
		assert_int_equal(b->j.held,
		    k == 0 || k == 3   ? JBOX_HELD_ALL
			: k == 1 || k == 4 ? JBOX_HELD_THERE
					   : JBOX_HELD_HERE);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_each_failure_waits_four_times_longer_up_to_a_day),
	    T(test_it_is_due_when_its_time_has_come_and_not_before),
	    T(test_it_is_due_when_its_time_is_too_far_ahead),
	    T(test_what_policy_skipped_is_due_once_policy_lets_it_through),
	    T(test_what_ended_the_connection_is_due_in_the_order_of_tries),
	    T(test_only_what_may_have_ended_the_connection_comes_last),
	    T(test_what_went_up_is_never_due),
	    T(test_what_has_a_row_waits_no_more),
	    T(test_a_row_that_is_written_again_leaves_new_content_waiting),
	    T(test_what_is_half_done_waits),
	    T(test_what_ended_is_not_what_is_kept),
	    T(test_what_policy_keeps_waits_no_more),
	    T(test_what_is_held_keeps_the_marks_until_none_is),
	    T(test_what_nobody_looked_at_stays_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
