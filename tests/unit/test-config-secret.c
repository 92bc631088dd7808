#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "base/clock.h"
#include "config/config.h"
#include "tempdir.h"

static const struct config_env env = {.home = "/home/ana"};

/* What the source LINE of the password gives; NULL: an error that holds WORD */
static void
expect(const char *line, const char *want, const char *word)
{
	struct config *c = NULL;
	struct cancel *cancel;
	struct buf text, secret;
	struct err e;

	buf_init(&text, 4096);
	buf_init(&secret, 4096);
	buf_addf(&text, "accounts:\n  a:\n    host: h\n    user: u\n"
			"    maildir: /m\n    %s\n", line);
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
	unlink(path);
	tempdir_mkdir(dir, "p");
	expect(line, NULL, "regular");
	tempdir_remove(dir);
}

static void
test_the_first_line_that_a_command_prints(void **state)
{
	(void)state;
	expect("password_command: [printf, 's3cret\\nmore']", "s3cret", NULL);
	expect("password_command: echo s3cret | tr 3 4", "s4cret", NULL);
	expect("password_command: [echo, 'a  b;c']", "a  b;c", NULL);
	expect("password_command: [cat]", NULL, "no password");
	expect("password_command: [sh, -c, 'echo s3cret; exit 3']", NULL,
	    "status 3");
	expect("password_command: [sh, -c, 'kill -9 $$']", NULL, "signal 9");
	expect("password_command: [/nonexistent/pass]", NULL, "nonexistent");
	expect("password_command: [sh, -c, 'yes s3cret | head -c 200000']",
	    NULL, "64 KiB");
}

static void
test_a_cancel_ends_a_command(void **state)
{
	static const char text[] = "accounts:\n  a:\n    host: h\n    user: u\n"
				   "    maildir: /m\n"
				   "    password_command: sleep 60\n";
	int64_t begin = clock_mono_ms();
	struct config *c = NULL;
	struct cancel *cancel;
	struct buf secret;
	struct err e;

	(void)state;
	buf_init(&secret, 100);
	assert_int_equal(0, config_parse(span_str(text), "f", &env, &c, &e));
	assert_int_equal(0, cancel_new(&cancel, &e));
	cancel_raise(cancel);
	assert_int_equal(ERR_CANCELED,
	    config_password(c, c->account, cancel, &secret, &e));
	assert_true(clock_mono_ms() - begin < 9000);
	buf_wipe(&secret);
	cancel_free(&cancel);
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_password_itself),
	    cmocka_unit_test(test_the_first_line_of_a_private_file),
	    cmocka_unit_test(test_the_first_line_that_a_command_prints),
	    cmocka_unit_test(test_a_cancel_ends_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
