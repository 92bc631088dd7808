#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/pool.h"

#define JOBS 300

struct count {
	struct pool_work work; /* first */
	atomic_int begun[JOBS];
	atomic_size_t order[JOBS], n;
	pthread_t caller;
	atomic_int strangers; /* jobs that another thread did */
	atomic_bool late;     /* a signal was not left to the caller */
};

static void
count_job(struct pool_work *w, size_t i)
{
	struct count *c = (struct count *)w;
	sigset_t now;

	atomic_fetch_add(&c->begun[i], 1);
	atomic_store(&c->order[atomic_fetch_add(&c->n, 1)], i);
	if (pthread_equal(pthread_self(), c->caller))
		return;
	atomic_fetch_add(&c->strangers, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	if (!sigismember(&now, SIGINT) || !sigismember(&now, SIGTERM))
		atomic_store(&c->late, true);
}

static struct count *
run(size_t n, unsigned at_once)
{
	struct count *c = xcalloc(1, sizeof *c);

	c->work.job = count_job;
	c->caller = pthread_self();
	pool_run(&c->work, n, at_once);
	return c;
}

static void
test_each_job_is_done_once(void **state)
{
	static const unsigned at_once[] = {1, 2, 4, 299, 300, 301, 1000};

	(void)state;
	for (size_t k = 0; k < sizeof(at_once) / sizeof(*at_once); k++) {
		struct count *c = run(JOBS, at_once[k]);

		for (size_t i = 0; i < JOBS; i++)
			assert_int_equal(1, c->begun[i]);
		assert_false(c->late);
		xfree(c);
	}
}

static void
test_one_at_a_time_is_in_order_and_without_a_thread(void **state)
{
	struct count *c = run(JOBS, 1);

	(void)state;
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(i, c->order[i]);
	assert_int_equal(0, c->strangers);
	xfree(c);
}

static void
test_nothing_to_do(void **state)
{
	struct count *c = run(0, 4);

	(void)state;
	assert_int_equal(0, c->n);
	xfree(c);
}

/* Job 0 ends when all others are done: it must not hold them. */
struct hold {
	struct pool_work work; /* first */
	pthread_mutex_t lock;
	pthread_cond_t change;
	size_t n, done, at_work, most;
	bool in_time;
};

static void
hold_job(struct pool_work *w, size_t i)
{
	struct hold *h = (struct hold *)w;
	struct timespec end = {.tv_sec = clock_wall_s() + 30};

	pthread_mutex_lock(&h->lock);
	if (++h->at_work > h->most)
		h->most = h->at_work;
	if (i == 0)
		while (h->done < h->n - 1 &&
		       pthread_cond_timedwait(&h->change, &h->lock, &end) == 0)
			;
	if (i == 0)
		h->in_time = h->done == h->n - 1;
	h->done++;
	h->at_work--;
	pthread_cond_broadcast(&h->change);
	pthread_mutex_unlock(&h->lock);
}

static void
test_a_slow_job_holds_nobody_but_its_worker(void **state)
{
	struct hold h = {.work = {hold_job}, .n = JOBS};

	(void)state;
	pthread_mutex_init(&h.lock, NULL);
	pthread_cond_init(&h.change, NULL);
	pool_run(&h.work, h.n, 2);
	assert_true(h.in_time);
	assert_int_equal(JOBS, h.done);
	assert_in_range(h.most, 1, 2);
	pthread_cond_destroy(&h.change);
	pthread_mutex_destroy(&h.lock);
}

/* All jobs wait for the last one, which needs a thread for each. */
struct meet {
	struct pool_work work; /* first */
	pthread_barrier_t all;
};

static void
meet_job(struct pool_work *w, size_t i)
{
	(void)i;
	(void)pthread_barrier_wait(&((struct meet *)w)->all);
}

static void
test_as_many_at_once_as_was_said(void **state)
{
	struct meet m = {.work = {meet_job}};

	(void)state;
	pthread_barrier_init(&m.all, NULL, 100);
	pool_run(&m.work, 100, 100);
	pthread_barrier_destroy(&m.all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_job_is_done_once),
	    cmocka_unit_test(
		test_one_at_a_time_is_in_order_and_without_a_thread),
	    cmocka_unit_test(test_nothing_to_do),
	    cmocka_unit_test(test_a_slow_job_holds_nobody_but_its_worker),
	    cmocka_unit_test(test_as_many_at_once_as_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
