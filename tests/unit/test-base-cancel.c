#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"

static int
setup(void **state)
{
	struct cancel *c;
	struct err e;

	assert_int_equal(0, cancel_new(&c, &e));
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct cancel *c = *state;

	cancel_free(&c);
	assert_null(c);
	cancel_free(&c);
	return 0;
}

static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void
test_it_is_not_raised_by_itself(void **state)
{
	struct cancel *c = *state;
	struct err e;

	assert_false(cancel_raised(c));
	assert_false(is_readable(cancel_fd(c)));
	assert_int_equal(0, cancel_check(c, &e));
	assert_true(fcntl(cancel_fd(c), F_GETFD) & FD_CLOEXEC);
}

static void
test_once_raised_it_stays_so(void **state)
{
	struct cancel *c = *state;
	struct err e;

	for (int i = 0; i < 100000; i++) /* more than a pipe takes */
		cancel_raise(c);
	for (int i = 0; i < 2; i++) {
		assert_true(cancel_raised(c));
		assert_true(is_readable(cancel_fd(c)));
		assert_int_equal(ERR_CANCELED, cancel_check(c, &e));
		assert_int_equal(e.scope, ERR_SCOPE_RUN);
		assert_int_equal(err_exit_status(&e), 75);
	}
}

static void
test_a_wait_lasts_as_long_as_it_was_told(void **state)
{
	struct cancel *c = *state;
	int64_t begin = clock_mono_ms(), took;
	struct err e;

	assert_int_equal(0, cancel_wait(c, 0, &e));
	assert_int_equal(0, cancel_wait(c, -5, &e));
	assert_true(clock_mono_ms() - begin < 1000);
	begin = clock_mono_ms();
	assert_int_equal(0, cancel_wait(c, 30, &e));
	took = clock_mono_ms() - begin;
	assert_true(took >= 30 && took < 5000);
	begin = clock_mono_ms();
	assert_int_equal(0, cancel_wait(NULL, 10, &e));
	assert_true(clock_mono_ms() - begin >= 10);
}

static void *
raise_soon(void *arg)
{
	struct err e;

	(void)cancel_wait(NULL, 20, &e);
	cancel_raise(arg);
	return NULL;
}

static void
test_a_wait_ends_when_another_thread_raises(void **state)
{
	struct cancel *c = *state;
	int64_t begin = clock_mono_ms();
	pthread_t t;
	struct err e;

	assert_int_equal(0, pthread_create(&t, NULL, raise_soon, c));
	assert_int_equal(ERR_CANCELED, cancel_wait(c, 60000, &e));
	assert_true(clock_mono_ms() - begin < 30000);
	assert_int_equal(0, pthread_join(t, NULL));
}

static void
test_signals_raise_it(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM};
	struct err e;
	int fd[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cancel *c;

		assert_int_equal(0, cancel_new(&c, &e));
		assert_int_equal(0, cancel_on_signals(c, &e));
		assert_int_equal(0, raise(signals[i]));
		assert_true(cancel_raised(c));
		cancel_free(&c);
		/* nobody listens any more, and nothing is touched */
		assert_int_equal(0, raise(signals[i]));
	}
	assert_int_equal(0, pipe2(fd, O_CLOEXEC));
	close(fd[0]);
	assert_int_equal(-1, write(fd[1], "x", 1)); /* SIGPIPE is ignored */
	close(fd[1]);
}

static void
test_none_is_never_raised(void **state)
{
	struct err e;

	(void)state;
	assert_false(cancel_raised(NULL));
	assert_int_equal(-1, cancel_fd(NULL));
	assert_int_equal(0, cancel_check(NULL, &e));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_it_is_not_raised_by_itself),
	    T(test_once_raised_it_stays_so),
	    T(test_a_wait_lasts_as_long_as_it_was_told),
	    T(test_a_wait_ends_when_another_thread_raises),
	    T(test_signals_raise_it),
	    T(test_none_is_never_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
