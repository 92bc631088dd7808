/* When what could not be carried over is tried again. */
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
	struct sync_report rep;
	struct run r;
	struct sbox b;
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
	s->r.rep = &s->rep;
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
		record_hold_uid(&s->r, &s->b, batch, uid, SPAN("no"));
	else
		record_hold_file(
		    &s->r, &s->b, batch, span_str(file), SPAN("no"));
	commit(batch);
	load(f, s);
	h = record_find_hold(&s->b, uid, uid ? SPAN_NONE : span_str(file));
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

	assert_false(record_hold_due(&s->r, h));
	s->r.now = h->next - 1;
	assert_false(record_hold_due(&s->r, h));
	s->r.now = h->next;
	assert_true(record_hold_due(&s->r, h));
	s->r.now += DAY;
	assert_true(record_hold_due(&s->r, h));
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

	assert_true(record_hold_due(&s->r, &h));
	s->conf.max_size = 999;
	assert_false(record_hold_due(&s->r, &h));
	s->conf.max_size = 1000;
	assert_true(record_hold_due(&s->r, &h));
	s->conf.max_age_days = 9;
	assert_false(record_hold_due(&s->r, &h));
	s->conf.max_age_days = 11;
	assert_true(record_hold_due(&s->r, &h));
	/* no time makes one due that is kept */
	h.kind = JHOLD_KEPT;
	assert_false(record_hold_due(&s->r, &h));
}

static void
test_what_ended_the_connection_is_due_in_the_order_of_tries(void **state)
{
	struct fixture *f = *state;
	struct scene *s = begin(f);
	struct jhold h = {.kind = JHOLD_SUSPECT, .uid = 7, .tries = 2};

	for (s->r.suspects = 0; s->r.suspects < 4; s->r.suspects++)
		assert_int_equal(
		    record_hold_due(&s->r, &h), s->r.suspects == 2);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_each_failure_waits_four_times_longer_up_to_a_day),
	    T(test_it_is_due_when_its_time_has_come_and_not_before),
	    T(test_what_policy_skipped_is_due_once_policy_lets_it_through),
	    T(test_what_ended_the_connection_is_due_in_the_order_of_tries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
