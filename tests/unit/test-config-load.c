#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/fs.h"
#include "config/config.h"
#include "config/nearest.h"
#include "tempdir.h"

static const struct config_env env = {.home = "/home/ana"};

#define REQUIRED "    host: imap.example.org\n    user: ana\n" \
		 "    password: secret\n    maildir: ~/Mail\n"
#define ONE "accounts:\n  home:\n" REQUIRED

static struct config *
good(const char *text)
{
	struct config *c = NULL;
	struct err e;

	if (config_parse(span_str(text), "f.yaml", &env, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

/* The error stands at "f.yaml:WHERE: " and holds WORD. */
static void
bad(const char *text, const char *where, const char *word)
{
	struct config *c = NULL;
	char place[64];
	struct err e;

	assert_int_equal(ERR_CONFIG,
	    config_parse(span_str(text), "f.yaml", &env, &c, &e));
	assert_null(c);
	assert_int_equal(err_exit_status(&e), 78);
	snprintf(place, sizeof place, "f.yaml:%s", where);
	if (strncmp(e.text, place, strlen(place)) != 0 ||
	    !strstr(e.text, word))
		fail_msg("'%s' is not at %s, or does not say '%s'", e.text,
		    place, word);
	assert_null(strstr(e.text, "secret"));
}

static void
test_defaults(void **state)
{
	struct config *c = good(ONE);
	const struct config_account *a = c->account;

	(void)state;
	assert_int_equal(c->naccounts, 1);
	assert_string_equal(a->name, "home");
	assert_string_equal(a->host, "imap.example.org");
	assert_int_equal(a->port, 993);
	assert_int_equal(a->tls, NET_TLS_IMPLICIT);
	assert_string_equal(a->maildir, "/home/ana/Mail");
	assert_string_equal(a->state_dir,
	    "/home/ana/.local/state/mochila/home");
	assert_int_equal(a->layout, LAYOUT_NESTED);
	assert_int_equal(a->max_deletes, 100);
	assert_int_equal(a->bin_days, 30);
	assert_int_equal(a->timeout_s, 60);
	assert_false(a->expunge || a->allow_plaintext);
	assert_null(a->auth);
	assert_null(a->tls_ca);
	assert_ptr_equal(config_find(c, SPAN("home")), a);
	assert_null(config_find(c, SPAN("Home")));
	config_free(&c);
	assert_null(c);
}

static void
test_every_key(void **state)
{
	struct config *c = good("state_dir: /var/mochila\n"
				"accounts:\n"
				"  a.b-c_1:\n"
				"    host: '::1'\n"
				"    port: 10143\n"
				"    tls: none\n"
				"    user: \"a \\\"b\\\"\"\n"
				"    password_command: [pass, show, 'a b']\n"
				"    auth: [SCRAM-SHA-256, plain]\n"
				"    maildir: /srv/mail\n"
				"    layout: maildir++\n"
				"    mailboxes: ['*', '!Spam']\n"
				"    connections: 16\n"
				"    disable_extensions: [qresync]\n"
				"    max_deletes: 0\n"
				"    bin_days: 7\n"
				"    expunge: yes\n"
				"    timeout: 5\n");
	const struct config_account *a = c->account;

	(void)state;
	assert_string_equal(a->state_dir, "/var/mochila/a.b-c_1");
	assert_int_equal(a->port, 10143);
	assert_int_equal(a->tls, NET_TLS_NONE);
	assert_string_equal(a->user, "a \"b\"");
	assert_string_equal(a->password_command[2], "a b");
	assert_null(a->password_command[3]);
	assert_string_equal(a->auth[0], "scram-sha-256");
	assert_int_equal(a->layout, LAYOUT_MAILDIRPP);
	assert_int_equal(a->nmailboxes, 2);
	assert_string_equal(a->disable_extensions[0], "QRESYNC");
	assert_int_equal(a->max_deletes, 0);
	assert_true(a->expunge);
	config_free(&c);
}

static void
test_slips_are_named_with_their_place(void **state)
{
	(void)state;
	bad(ONE "    hots: x\n", "7:5: ", "'host'");
	bad(ONE "    frobnicate: x\n", "7:5: ", "frobnicate");
	bad(ONE "    user: bo\n", "7:5: ", "user");
	bad("acounts: {}\n", "1:1: ", "'accounts'");
	bad("host: x\n", "1:1: ", "below 'accounts'");
	bad("accounts:\n  home:\n    host: x\n", "2:3: ", "'user'");
	bad("accounts:\n  -x:\n" REQUIRED, "2:3: ", "account name");
	bad("accounts:\n  ../x:\n" REQUIRED, "2:3: ", "account name");
	bad("accounts: []\n", "1:11: ", "mapping");
	bad("accounts:\n  home: 3\n", "2:9: ", "mapping");
	bad("- a\n", "1:1: ", "mapping");
	bad("", "1:", "");
	bad("# nothing\n", "", "");
}

static void
test_wrong_values_are_named(void **state)
{
	static const struct {
		const char *line, *col, *word;
	} cases[] = {
	    {"port: 0", "7:11: ", "port"},
	    {"port: 65536", "7:11: ", "port"},
	    {"port: x", "7:11: ", "port"},
	    {"port: [1]", "7:11: ", "port"},
	    {"port:", "7:", "port"},
	    {"tls: maybe", "7:10: ", "implicit"},
	    {"expunge: 1", "7:14: ", "expunge"},
	    {"timeout: 4", "7:14: ", "timeout"},
	    {"timeout: 3601", "7:14: ", "timeout"},
	    {"connections: 17", "7:18: ", "connections"},
	    {"layout: flat", "7:13: ", "nested"},
	    {"auth: [gssapi]", "7:", "gssapi"},
	    {"auth: 3", "7:", "auth"},
	    {"mailboxes: x", "7:", "mailboxes"},
	    {"mailboxes: [[x]]", "7:", "mailboxes"},
	    {"disable_extensions: [XFOO]", "7:", "XFOO"},
	    {"password_file: x", "7:", "password"},
	    {"max_deletes: -1", "7:18: ", "max_deletes"},
	    {"tls: none", "", "clear"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[1000];

		snprintf(text, sizeof text, "%s    %s\n", ONE, cases[i].line);
		bad(text, cases[i].col, cases[i].word);
	}
}

static void
test_yaml_that_is_too_clever_is_refused(void **state)
{
	(void)state;
	bad("accounts:\n\thome: 1\n", "2:", "tab");
	bad("accounts: &a {}\n", "1:", "");
	bad("accounts: *a\n", "1:", "");
	bad("accounts: !!map {}\n", "1:", "");
	bad("accounts: {\n", "", "");
	bad("accounts:\n  home: 1\n  home: 2\n", "3:3: ", "home");
	bad("---\naccounts: {}\n---\nb: 1\n", "", "");
	bad("accounts: \xff\n", "", "");
	bad("? [a]\n: b\n", "", "");
	bad("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
	    "", "");
}

static void
test_directories_do_not_overlap(void **state)
{
	(void)state;
	bad("accounts:\n  a:\n" REQUIRED "  b:\n" REQUIRED, "7:3: ", "'a'");
	bad("state_dir: ~/Mail/x\n" ONE, "3:3: ", "state");
	bad("state_dir: ~\n" ONE, "", "");
}

static void
test_every_truncation_is_a_configuration_or_an_error(void **state)
{
	static const char text[] = "state_dir: /s\naccounts:\n  a:\n" REQUIRED
				   "    auth: [plain]\n    tls_ca: '~/x'\n";

	(void)state;
	for (size_t n = 0; n <= sizeof text - 1; n++) {
		char *part = xstrndup(text, n);
		struct config *c = NULL;
		struct err e;

		if (config_parse(span_of(part, n), "f", &env, &c, &e) < 0)
			assert_true(strncmp(e.text, "f:", 2) == 0);
		config_free(&c);
		xfree(part);
	}
}

static void
test_a_file_with_a_password_is_private(void **state)
{
	char dir[64], path[512];
	struct config *c = NULL;
	struct err e;

	(void)state;
	tempdir_make(dir);
	tempdir_write(dir, "c.yaml", ONE, sizeof(ONE) - 1);
	tempdir_join(path, dir, "c.yaml");
	assert_int_equal(0, config_load(path, &env, &c, &e));
	config_free(&c);
	assert_int_equal(0, chmod(path, 0640));
	assert_int_equal(ERR_CONFIG, config_load(path, &env, &c, &e));
	assert_non_null(strstr(e.text, "chmod"));
	assert_int_equal(0, unlink(path));
	assert_int_equal(ERR_CONFIG, config_load(path, &env, &c, &e));
	assert_non_null(strstr(e.text, path));
	tempdir_remove(dir);
}

static void
test_the_example_is_valid(void **state)
{
	struct config *c = NULL;
	struct buf text;
	struct err e;

	(void)state;
	buf_init(&text, 1u << 20);
	assert_int_equal(0,
	    fs_read_file(AT_FDCWD, EXAMPLE, 1u << 19, &text, &e));
	c = good(buf_cstr(&text));
	assert_int_equal(c->naccounts, 1);
	config_free(&c);
	buf_release(&text);
}

static void
test_the_nearest_word_is_near(void **state)
{
	static const char *const list[] = {"host", "port", "password",
	    "password_file", NULL};

	(void)state;
	assert_string_equal(config_nearest(SPAN("hots"), list), "host");
	assert_string_equal(config_nearest(SPAN("hst"), list), "host");
	assert_string_equal(config_nearest(SPAN("passwort"), list),
	    "password");
	assert_string_equal(config_nearest(SPAN("passwordfile"), list),
	    "password_file");
	assert_null(config_nearest(SPAN("frobnicate"), list));
	assert_null(config_nearest(SPAN(""), list));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_every_key),
	    cmocka_unit_test(test_slips_are_named_with_their_place),
	    cmocka_unit_test(test_wrong_values_are_named),
	    cmocka_unit_test(test_yaml_that_is_too_clever_is_refused),
	    cmocka_unit_test(test_directories_do_not_overlap),
	    cmocka_unit_test(
		test_every_truncation_is_a_configuration_or_an_error),
	    cmocka_unit_test(test_a_file_with_a_password_is_private),
	    cmocka_unit_test(test_the_example_is_valid),
	    cmocka_unit_test(test_the_nearest_word_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
