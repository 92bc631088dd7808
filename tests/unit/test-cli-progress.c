#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "cli/internal.h"

#define WHAT SPAN("home INBOX")

static void
line(uint64_t done, uint64_t total, uint64_t here, uint64_t bytes, uint64_t ms,
    size_t width, const char *want)
{
	struct buf out;

	buf_init(&out, 1000);
	cli_progress_format(&out, WHAT, done, total, here, bytes, ms, width);
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

static void
test_speed_and_time_left_are_told_after_a_second(void **state)
{
	(void)state;
	line(5, 20, 5, 20000000, 999, 0, "home INBOX 5/20");
	line(5, 20, 5, 20000000, 10000, 0,
	    "home INBOX 5/20  2.0 MB/s  0:30 left");
	line(
	    5, 20, 5, 1990000, 1000, 0, "home INBOX 5/20  1.9 MB/s  0:03 left");
}

static void
test_no_time_left_without_anything_to_judge_by(void **state)
{
	(void)state;
	/* nothing done since the line began: no division by zero */
	line(5, 20, 0, 0, 5000, 0, "home INBOX 5/20  0.0 MB/s");
	line(20, 20, 5, 0, 5000, 0, "home INBOX 20/20  0.0 MB/s");
	/* more than there was to do: others deliver meanwhile */
	line(21, 20, 5, 0, 5000, 0, "home INBOX 21/20  0.0 MB/s");
}

static void
test_the_greatest_numbers_do_no_harm(void **state)
{
	(void)state;
	line(1, UINT64_MAX, 1, UINT64_MAX, 1000, 0,
	    "home INBOX 1/18446744073709551615  18446744073709.5 MB/s"
	    "  > 1 day left");
}

static void
test_the_line_fits_every_terminal(void **state)
{
	static const struct {
		uint64_t ms;
		const char *numbers;
	} cases[] = {{0, "5/20"}, {10000, "5/20  2.0 MB/s  0:30 left"}};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t numbers = strlen(cases[i].numbers);

		for (size_t width = 1; width < 100; width++) {
			buf_clear(&out);
			cli_progress_format(&out,
			    SPAN("home a mailbox of a rather long name"), 5, 20,
			    5, 20000000, cases[i].ms, width);
			assert_in_range(
			    cli_text_width(buf_span(&out)), 1, width);
			/* the name gives way before the numbers do */
			if (width >= numbers)
				assert_non_null(
				    strstr(buf_cstr(&out), cases[i].numbers));
		}
	}
	buf_release(&out);
}

static void
test_it_is_drawn_ten_times_a_second_at_most(void **state)
{
	struct cli_progress p = {.on = true};
	int drawn = 0;

	(void)state;
	for (int64_t ms = 0; ms < 1000; ms++)
		drawn += cli_progress_note(
		    &p, WHAT, (uint64_t)ms, 1000, 0, 5000 + ms);
	assert_int_equal(drawn, 10);
}

static void
test_another_mailbox_begins_another_estimate(void **state)
{
	struct cli_progress p = {.on = true};

	(void)state;
	assert_true(cli_progress_note(&p, WHAT, 3, 9, 70, 1000));
	assert_int_equal(p.begin_done, 3);
	assert_int_equal(p.begin_bytes, 70);
	assert_false(cli_progress_note(&p, WHAT, 4, 9, 80, 1001));
	/* at once, whatever was drawn a millisecond ago */
	assert_true(cli_progress_note(&p, SPAN("home b"), 1, 9, 90, 1002));
	assert_int_equal(p.begin_done, 1);
	assert_int_equal(p.begin_ms, 1002);
	/* the next pass over the same mailbox: counted from the start */
	assert_true(cli_progress_note(&p, SPAN("home b"), 0, 9, 95, 1003));
	assert_int_equal(p.begin_done, 0);
	assert_true(cli_progress_note(&p, SPAN("home b"), 1, 10, 95, 1004));
	/* an empty name is one as well */
	assert_true(cli_progress_note(&p, SPAN_NONE, 1, 10, 95, 1005));
}

static size_t
written(int fd, char *out, size_t max)
{
	ssize_t n = read(fd, out, max - 1);

	if (n < 0)
		n = 0;
	out[n] = '\0';
	return (size_t)n;
}

static void
test_nothing_is_left_on_the_terminal_and_logs_do_not_tear_it(void **state)
{
	int fd[2];
	char text[500];
	struct cli_progress p = {.on = true};
	struct cli_share share = {.at_work = false};

	(void)state;
	assert_int_equal(0, pipe2(fd, O_CLOEXEC | O_NONBLOCK));
	p.fd = fd[1];
	p.log = log_new(fd[1], LOG_WARN, false);
	cli_progress_erase(&p); /* nothing was drawn */
	assert_int_equal(written(fd[0], text, sizeof(text)), 0);

	cli_progress_share(&p, &share,
	    (struct cli_share){.at_work = true, .done = 1, .total = 2});
	cli_progress_draw(&p, WHAT, 1000);
	assert_true(written(fd[0], text, sizeof(text)) > 0);
	assert_string_equal(text, "\r\033[Khome INBOX 1/2");
	log_warn(p.log, "careful");
	(void)written(fd[0], text, sizeof(text));
	assert_string_equal(text, "\r\033[Kmochila: careful\n");

	cli_progress_erase(&p);
	(void)written(fd[0], text, sizeof(text));
	assert_string_equal(text, "\r\033[K");
	log_warn(p.log, "again");
	(void)written(fd[0], text, sizeof(text));
	assert_string_equal(text, "mochila: again\n");

	p.on = false;
	cli_progress_draw(&p, WHAT, 9000);
	assert_int_equal(written(fd[0], text, sizeof(text)), 0);
	log_free(&p.log);
	close(fd[0]);
	close(fd[1]);
}

/* What a terminal shows after the account SHARE of P has said something. */
static void
say(struct cli_progress *p, int fd, struct cli_share *share,
    struct cli_share now, int64_t ms, const char *want)
{
	char text[500];

	cli_progress_share(p, share, now);
	cli_progress_draw(p, WHAT, ms);
	(void)written(fd, text, sizeof(text));
	assert_string_equal(text, want);
}

static void
test_several_accounts_have_one_line_with_the_sum(void **state)
{
	struct cli_share a = {.at_work = false}, b = a;
	struct cli_progress p = {.on = true};
	int fd[2];

	(void)state;
	assert_int_equal(0, pipe2(fd, O_CLOEXEC | O_NONBLOCK));
	p.fd = fd[1];
	say(&p, fd[0], &a, (struct cli_share){true, 1, 10, 1000}, 1000,
	    "\r\033[Khome INBOX 1/10");
	say(&p, fd[0], &b, (struct cli_share){true, 2, 200, 50000}, 1001,
	    "\r\033[K2 accounts 3/210");
	/* speed and time left of both together */
	say(&p, fd[0], &a, (struct cli_share){true, 4, 10, 4001000}, 3001,
	    "\r\033[K2 accounts 6/210  2.0 MB/s  2:16 left");
	/* the account that ended takes its share along */
	say(&p, fd[0], &b, (struct cli_share){.at_work = false}, 3002,
	    "\r\033[Khome INBOX 4/10");
	say(&p, fd[0], &a, (struct cli_share){.at_work = false}, 3003,
	    "\r\033[Khome INBOX 0/0");
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_speed_and_time_left_are_told_after_a_second),
	    cmocka_unit_test(test_no_time_left_without_anything_to_judge_by),
	    cmocka_unit_test(test_the_greatest_numbers_do_no_harm),
	    cmocka_unit_test(test_the_line_fits_every_terminal),
	    cmocka_unit_test(test_it_is_drawn_ten_times_a_second_at_most),
	    cmocka_unit_test(test_another_mailbox_begins_another_estimate),
	    cmocka_unit_test(test_several_accounts_have_one_line_with_the_sum),
	    cmocka_unit_test(
		test_nothing_is_left_on_the_terminal_and_logs_do_not_tear_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
