#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/log.h"
#include "tempdir.h"

#define THREADS 4
#define LINES 200

struct fixture {
	char dir[64];
	int fd;
	char *text; /* what the log holds */
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	char path[512];

	tempdir_make(f->dir);
	f->fd = open(tempdir_join(path, f->dir, "log"),
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	tempdir_remove(f->dir);
	free(f->text);
	xfree(f);
	return 0;
}

/* What was written since the last call. */
static const char *
written(struct fixture *f)
{
	free(f->text);
	assert_true(tempdir_read(f->dir, "log", &f->text) >= 0);
	assert_int_equal(0, ftruncate(f->fd, 0));
	return f->text;
}

static void
test_each_level_writes_itself_and_what_is_worse(void **state)
{
	static const char *const want[] = {"mochila: e\n",
	    "mochila: e\nmochila: w\n", "mochila: e\nmochila: w\ni\n",
	    "mochila: e\nmochila: w\ni\nd\n"};
	struct fixture *f = *state;

	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		struct log *l = log_new(f->fd, (enum log_level)level, false);

		log_error(l, "e");
		log_warn(l, "w");
		log_info(l, "i");
		log_debug(l, "d");
		for (int k = LOG_ERROR; k <= LOG_DEBUG; k++)
			assert_int_equal(
			    log_enabled(l, (enum log_level)k), k <= level);
		log_free(&l);
		assert_null(l);
		assert_string_equal(written(f), want[level]);
	}
}

static void
test_no_log_drops_everything(void **state)
{
	struct log *none = NULL;

	(void)state;
	log_error(none, "%s", "x");
	log_set_erase(none, "x");
	assert_false(log_enabled(none, LOG_ERROR));
	log_free(&none);
}

static void
test_the_journal_prefix_stands_first(void **state)
{
	struct fixture *f = *state;
	struct log *l = log_new(f->fd, LOG_DEBUG, true);

	log_error(l, "e");
	log_warn(l, "w");
	log_info(l, "i");
	log_debug(l, "d");
	log_free(&l);
	assert_string_equal(
	    written(f), "<3>mochila: e\n<4>mochila: w\n<6>i\n<7>d\n");
}

static void
test_no_byte_steers_the_terminal(void **state)
{
	struct fixture *f = *state;
	struct log *l = log_new(f->fd, LOG_INFO, false);

	for (int i = 1; i < 0x20; i++) {
		log_info(l, "a%cb", i);
		assert_string_equal(written(f), "a?b\n");
	}
	log_info(l, "\x7f");
	assert_string_equal(written(f), "?\n");
	/* U+009B is the control sequence introducer */
	log_info(l, "\xc2\x9b[31m \xc2\xa9 \xc3\x9b");
	assert_string_equal(written(f), "??[31m \xc2\xa9 \xc3\x9b\n");
	log_free(&l);
}

static void
test_a_line_that_is_too_long_is_cut_and_still_one_line(void **state)
{
	struct fixture *f = *state;
	struct log *l = log_new(f->fd, LOG_INFO, true);
	char longest[5000], erase[100];
	const char *text;

	for (size_t i = 0; i + 1 < sizeof longest; i += 2)
		memcpy(longest + i, "\xc3\xa9", 2);
	memset(erase, ' ', sizeof erase);
	erase[sizeof erase - 1] = '\0';
	for (size_t n = 2030; n < 2060; n++) {
		log_set_erase(l, n % 2 ? erase : NULL);
		log_error(l, "%.*s", (int)n / 2 * 2, longest);
		text = written(f);
		assert_true(strlen(text) > 2000 && strlen(text) < 2200);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		/* no half character before the end */
		assert_int_equal((unsigned char)text[strlen(text) - 2], 0xa9);
	}
	log_free(&l);
}

static void
test_a_progress_line_is_erased_before_each_line(void **state)
{
	struct fixture *f = *state;
	struct log *l = log_new(f->fd, LOG_INFO, false);

	log_set_erase(l, "\r\033[K");
	log_info(l, "a");
	log_info(l, "b");
	log_set_erase(l, NULL);
	log_info(l, "c");
	log_free(&l);
	assert_string_equal(written(f), "\r\033[Ka\n\r\033[Kb\nc\n");
}

static void *
write_lines(void *arg)
{
	struct log *l = arg;

	for (int i = 0; i < LINES; i++)
		log_info(l, "%s", "0123456789abcdefghijklmnopqrstuvwxyz");
	return NULL;
}

static void
test_lines_of_several_threads_do_not_tear(void **state)
{
	struct fixture *f = *state;
	struct log *l = log_new(f->fd, LOG_INFO, false);
	pthread_t t[THREADS];
	const char *at;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    0, pthread_create(&t[i], NULL, write_lines, l));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(0, pthread_join(t[i], NULL));
	at = written(f);
	for (int i = 0; i < THREADS * LINES; i++, at += 37)
		assert_int_equal(0,
		    strncmp(at, "0123456789abcdefghijklmnopqrstuvwxyz\n", 37));
	assert_string_equal(at, "");
	log_free(&l);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_each_level_writes_itself_and_what_is_worse),
	    T(test_no_log_drops_everything),
	    T(test_the_journal_prefix_stands_first),
	    T(test_no_byte_steers_the_terminal),
	    T(test_a_line_that_is_too_long_is_cut_and_still_one_line),
	    T(test_a_progress_line_is_erased_before_each_line),
	    T(test_lines_of_several_threads_do_not_tear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
