#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "config/config.h"
#include "tempdir.h"

static const struct config_env env = {.home = "/home/ana"};

/*
 * A clock in place of base/clock.c, so that nobody waits for the ten seconds
 * of a command that hangs: with HANGS set, the deadline has passed at the
 * second question, which is answered when HANGS is readable.
 */
static struct {
	int hangs; /* -1: the real time */
	int asked;
} fake = {-1, 0};

static int64_t
real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t __wrap_clock_mono_ms(void);

/* In its place, by the linker (src/config/local.mk). */
int64_t
__wrap_clock_mono_ms(void)
{
	struct pollfd p = {.fd = fake.hangs, .events = POLLIN};

	if (fake.hangs < 0 || fake.asked++ == 0)
		return real_ms();
	(void)poll(&p, 1, 30000);
	return real_ms() + 10001;
}

/* What the source LINE of the password gives; NULL: an error that holds WORD */
static void
expect(const char *line, const char *want, const char *word)
{
	struct config *c = NULL;
	struct cancel *cancel;
	struct buf text, secret;
	struct err e;

	buf_init(&text, 4096);
	buf_init(&secret, 1u << 17);
	buf_addf(&text,
	    "accounts:\n  a:\n    host: h\n    user: u\n"
	    "    maildir: /m\n    %s\n",
	    line);
	if (config_parse(buf_span(&text), "f.yaml", &env, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(0, cancel_new(&cancel, &e));
	if (want) {
		if (config_password(c, c->account, cancel, &secret, &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(buf_cstr(&secret), want);
	} else {
		assert_int_equal(ERR_CONFIG,
		    config_password(c, c->account, cancel, &secret, &e));
		assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
		assert_int_equal(strncmp(e.text, "f.yaml:6:5: ", 12), 0);
		if (!strstr(e.text, word))
			fail_msg("'%s' does not say '%s'", e.text, word);
		assert_null(strstr(e.text, "s3cret"));
	}
	buf_wipe(&secret);
	buf_release(&text);
	cancel_free(&cancel);
	config_free(&c);
}

static void
test_the_password_itself(void **state)
{
	(void)state;
	expect("password: 's3cret '", "s3cret ", NULL);
}

static void
test_the_first_line_of_a_private_file(void **state)
{
	char dir[64], line[600], path[512];

	(void)state;
	tempdir_make(dir);
	tempdir_join(path, dir, "p");
	snprintf(line, sizeof line, "password_file: %s", path);
	expect(line, NULL, "p");
	tempdir_write(dir, "p", "s3cret x\r\nmore\n", 15);
	expect(line, "s3cret x", NULL);
	tempdir_write(dir, "p", "s3cret", 6);
	expect(line, "s3cret", NULL);
	chmod(path, 0604);
	expect(line, NULL, "chmod");
	chmod(path, 0600);
	tempdir_write(dir, "p", "", 0);
	expect(line, NULL, "no password");
	tempdir_write(dir, "p", "\ns3cret", 7);
	expect(line, NULL, "first line is empty");
	tempdir_write(dir, "p", "s3\0cret", 7);
	expect(line, NULL, "NUL");
	assert_true(mkfifo(tempdir_join(path, dir, "fifo"), 0600) == 0);
	snprintf(line, sizeof line, "password_file: %s", path);
	expect(line, NULL, "regular"); /* and does not wait for a writer */
	tempdir_join(path, dir, "p");
	snprintf(line, sizeof line, "password_file: %s", path);
	unlink(path);
	tempdir_mkdir(dir, "p");
	expect(line, NULL, "regular");
	tempdir_remove(dir);
}

static void
test_every_mode_that_lets_others_in_is_refused(void **state)
{
	char dir[64], line[600], path[512];

	(void)state;
	tempdir_make(dir);
	tempdir_write(dir, "p", "s3cret\n", 7);
	snprintf(line, sizeof line, "password_file: %s",
	    tempdir_join(path, dir, "p"));
	for (mode_t mode = 0; mode < 0100; mode++) {
		assert_int_equal(0, chmod(path, 0600 | mode));
		if (mode == 0)
			expect(line, "s3cret", NULL);
		else
			expect(line, NULL, "chmod 600");
	}
	tempdir_remove(dir);
}

static void
test_one_line_end_is_taken_off_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"s3cret", "s3cret"},
	    {"s3cret\n", "s3cret"},
	    {"s3cret\r\n", "s3cret"},
	    {"s3cret\r", "s3cret"},
	    {"s3cret\r\r\n", "s3cret\r"},
	    {"s3cret\n\n", "s3cret"},
	    {" s3cret \t\n", " s3cret \t"},
	    {"s3\rcret\n", "s3\rcret"},
	    {"\xc3\xa9\xff\n", "\xc3\xa9\xff"},
	    {" \n", " "},
	};
	char dir[64], line[600], path[512];

	(void)state;
	tempdir_make(dir);
	snprintf(line, sizeof line, "password_file: %s",
	    tempdir_join(path, dir, "p"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tempdir_write(dir, "p", cases[i].text, strlen(cases[i].text));
		expect(line, cases[i].want, NULL);
	}
	tempdir_write(dir, "p", "\r\ns3cret", 8);
	expect(line, NULL, "first line is empty");
	tempdir_remove(dir);
}

static void
test_a_password_is_never_cut(void **state)
{
	enum { SIZE = 70000 };
	char dir[64], line[600], path[512];
	char *text = xalloc(SIZE);

	(void)state;
	memset(text, 'x', SIZE);
	tempdir_make(dir);
	snprintf(line, sizeof line, "password_file: %s",
	    tempdir_join(path, dir, "p"));
	tempdir_write(dir, "p", text, SIZE);
	expect(line, NULL, "too long");
	tempdir_write(dir, "p", text, 65537);
	expect(line, NULL, "too long");
	text[65536] = '\0';
	tempdir_write(dir, "p", text, 65536);
	expect(line, text, NULL);
	text[4096] = '\n';
	tempdir_write(dir, "p", text, SIZE);
	text[4096] = '\0';
	expect(line, text, NULL);
	tempdir_remove(dir);
	xfree(text);
}

static void
test_a_buffer_that_is_too_small_gets_nothing(void **state)
{
	static const char *const ways[] = {
	    "password: s3cret", "password_command: [echo, s3cret]"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct config *c = NULL;
		struct buf text, secret;
		struct err e;

		buf_init(&text, 4096);
		buf_init(&secret, 5);
		buf_addf(&text,
		    "accounts:\n  a: {host: h, user: u, maildir: /m, %s}\n",
		    ways[i]);
		assert_int_equal(
		    0, config_parse(buf_span(&text), "f", &env, &c, &e));
		assert_int_equal(ERR_CONFIG,
		    config_password(c, c->account, NULL, &secret, &e));
		assert_non_null(strstr(e.text, "too long"));
		assert_null(strstr(e.text, "s3cret"));
		assert_int_equal(secret.n, 0);
		buf_wipe(&secret);
		buf_release(&text);
		config_free(&c);
	}
}

static void
test_the_first_line_that_a_command_prints(void **state)
{
	(void)state;
	expect("password_command: [printf, 's3cret\\nmore']", "s3cret", NULL);
	expect("password_command: echo s3cret | tr 3 4", "s4cret", NULL);
	expect("password_command: [echo, 'a  b;c']", "a  b;c", NULL);
	expect("password_command: [cat]", NULL, "no password");
	expect("password_command: [printf, '%s|', a, '', '$HOME *']",
	    "a||$HOME *|", NULL);
	expect("password_command: |\n      x=s3cret\n      echo $x", "s3cret",
	    NULL);
	expect("password_command: 'true'", NULL, "no password");
	expect("password_command: echo s3cret; exit 1", NULL, "status 1");
	expect("password_command: [echo]", NULL, "first line is empty");
	expect("password_command: [sh, -c, 'echo s3cret; exit 3']", NULL,
	    "status 3");
	expect("password_command: [sh, -c, 'kill -9 $$']", NULL, "signal 9");
	expect("password_command: [/nonexistent/pass]", NULL, "nonexistent");
	expect("password_command: [sh, -c, 'yes s3cret | head -c 200000']",
	    NULL, "64 KiB");
}

static void
test_a_command_has_a_group_and_default_signals(void **state)
{
	(void)state;
	expect("password_command: [sh, -c, 'set -- $(cat /proc/$$/stat); "
	       "[ $1 = $5 ] && echo s3cret']",
	    "s3cret", NULL);
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as main() does */
	expect("password_command: [sh, -c, 'kill -PIPE $$; echo s3cret']", NULL,
	    "signal 13");
}

static void
test_what_a_command_leaves_behind_is_not_waited_for(void **state)
{
	int64_t begin = real_ms();

	(void)state;
	/* as gpg does with its agent, which keeps the output open */
	expect("password_command: [sh, -c, 'sleep 8 & echo s3cret']", "s3cret",
	    NULL);
	assert_true(real_ms() - begin < 7000);
	/* closing the output is not the end, the status counts */
	expect("password_command: [sh, -c, 'echo s3cret; exec >&-; sleep 0.1; "
	       "exit 4']",
	    NULL, "status 4");
}

/* A FIFO that a command and its child hold open until both are dead. */
struct hang {
	char dir[64], line[700];
	int fd;
};

static void
hang_begin(struct hang *h)
{
	char path[512];

	tempdir_make(h->dir);
	tempdir_join(path, h->dir, "fifo");
	assert_int_equal(0, mkfifo(path, 0600));
	h->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(h->fd >= 0);
	snprintf(h->line, sizeof h->line,
	    "password_command: [sh, -c, "
	    "'exec 3>%s; sleep 60 & echo s3cret; echo x >&3; wait']",
	    path);
}

static void
hang_end(struct hang *h)
{
	struct pollfd p = {.fd = h->fd, .events = POLLIN};
	char x[8];
	ssize_t n;

	do {
		if (poll(&p, 1, 5000) != 1)
			fail_msg("something is alive");
		n = read(h->fd, x, sizeof x);
	} while (n > 0);
	assert_int_equal(n, 0); /* the end: nobody has it open */
	close(h->fd);
	tempdir_remove(h->dir);
}

static void
test_a_command_that_hangs_is_killed_with_its_children(void **state)
{
	struct hang h;

	(void)state;
	hang_begin(&h);
	fake.hangs = h.fd;
	fake.asked = 0;
	expect(h.line, NULL, "gave no answer in 10 seconds");
	fake.hangs = -1;
	hang_end(&h);
}

struct watch {
	struct hang *h;
	struct cancel *cancel;
};

static void *
cancel_when_it_runs(void *arg)
{
	struct watch *w = arg;
	struct pollfd p = {.fd = w->h->fd, .events = POLLIN};

	(void)poll(&p, 1, 30000);
	cancel_raise(w->cancel);
	return NULL;
}

static void
test_a_cancel_kills_a_command_with_its_children(void **state)
{
	int64_t begin = real_ms();
	struct config *c = NULL;
	struct buf text, secret;
	struct watch w;
	struct hang h;
	pthread_t t;
	struct err e;

	(void)state;
	hang_begin(&h);
	buf_init(&text, 4096);
	buf_init(&secret, 100);
	buf_addf(&text,
	    "accounts:\n  a:\n    host: h\n    user: u\n"
	    "    maildir: /m\n    %s\n",
	    h.line);
	assert_int_equal(0, config_parse(buf_span(&text), "f", &env, &c, &e));
	w.h = &h;
	assert_int_equal(0, cancel_new(&w.cancel, &e));
	assert_int_equal(0, pthread_create(&t, NULL, cancel_when_it_runs, &w));
	assert_int_equal(ERR_CANCELED,
	    config_password(c, c->account, w.cancel, &secret, &e));
	assert_int_equal(secret.n, 0);
	assert_int_equal(0, pthread_join(t, NULL));
	assert_true(real_ms() - begin < 9000);
	hang_end(&h);
	buf_release(&text);
	buf_wipe(&secret);
	cancel_free(&w.cancel);
	config_free(&c);
}

static void
test_an_account_without_a_password_says_so(void **state)
{
	static const char text[] = "accounts:\n  a:\n    host: h\n"
				   "    user: u\n    maildir: /m\n";
	struct config *c = NULL;
	struct buf secret;
	struct err e;

	(void)state;
	buf_init(&secret, 100);
	assert_int_equal(0, config_parse(span_str(text), "f", &env, &c, &e));
	assert_int_equal(
	    ERR_CONFIG, config_password(c, c->account, NULL, &secret, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(0, strncmp(e.text, "f:2: account 'a' ", 17));
	assert_non_null(strstr(e.text, "'password_command'"));
	assert_int_equal(secret.n, 0);
	config_free(&c);
}

static void
test_a_cancel_ends_a_command(void **state)
{
	static const char text[] = "accounts:\n  a:\n    host: h\n    user: u\n"
				   "    maildir: /m\n"
				   "    password_command: sleep 60\n";
	int64_t begin = real_ms();
	struct config *c = NULL;
	struct cancel *cancel;
	struct buf secret;
	struct err e;

	(void)state;
	buf_init(&secret, 100);
	assert_int_equal(0, config_parse(span_str(text), "f", &env, &c, &e));
	assert_int_equal(0, cancel_new(&cancel, &e));
	cancel_raise(cancel);
	assert_int_equal(
	    ERR_CANCELED, config_password(c, c->account, cancel, &secret, &e));
	assert_true(real_ms() - begin < 9000);
	buf_wipe(&secret);
	cancel_free(&cancel);
	config_free(&c);
}

/* Of one configuration; its command fails while another of it runs. */
static void *
ask(void *arg)
{
	const struct config *c = arg;
	struct buf secret;
	struct err e;
	bool ok;

	buf_init(&secret, 100);
	ok = config_password(c, c->account, NULL, &secret, &e) == 0 &&
	     span_eq(buf_span(&secret), SPAN("s3cret"));
	buf_wipe(&secret);
	return ok ? arg : NULL;
}

static void
test_commands_of_several_threads_run_one_at_a_time(void **state)
{
	AUTO_STR text = NULL;
	pthread_t thread[8];
	char dir[64];
	struct config *c = NULL;
	struct err e;

	(void)state;
	tempdir_make(dir);
	text = xasprintf("accounts:\n  a:\n    host: h\n    user: u\n"
			 "    maildir: /m\n"
			 "    password_command: mkdir %s/busy && sleep 0.02 && "
			 "rmdir %s/busy && echo s3cret\n",
	    dir, dir);
	assert_int_equal(0, config_parse(span_str(text), "f", &env, &c, &e));
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(
		    0, pthread_create(&thread[i], NULL, ask, c));
	for (size_t i = 0; i < 8; i++) {
		void *ok = NULL;

		assert_int_equal(0, pthread_join(thread[i], &ok));
		assert_non_null(ok);
	}
	config_free(&c);
	tempdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_password_itself),
	    cmocka_unit_test(test_the_first_line_of_a_private_file),
	    cmocka_unit_test(test_every_mode_that_lets_others_in_is_refused),
	    cmocka_unit_test(test_one_line_end_is_taken_off_and_nothing_else),
	    cmocka_unit_test(test_a_password_is_never_cut),
	    cmocka_unit_test(test_a_buffer_that_is_too_small_gets_nothing),
	    cmocka_unit_test(test_the_first_line_that_a_command_prints),
	    cmocka_unit_test(test_a_command_has_a_group_and_default_signals),
	    cmocka_unit_test(
		test_what_a_command_leaves_behind_is_not_waited_for),
	    cmocka_unit_test(
		test_a_command_that_hangs_is_killed_with_its_children),
	    cmocka_unit_test(test_a_cancel_kills_a_command_with_its_children),
	    cmocka_unit_test(test_an_account_without_a_password_says_so),
	    cmocka_unit_test(test_a_cancel_ends_a_command),
	    cmocka_unit_test(
		test_commands_of_several_threads_run_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
