#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "confcheck.h"
#include "tempdir.h"

static const char *const example_keys[] = {"state_dir", "host", "port", "tls",
    "tls_ca", "allow_plaintext", "user", "password", "password_file",
    "password_command", "auth", "maildir", "layout", "mailboxes", "connections",
    "disable_extensions", "max_deletes", "bin_days", "expunge", "timeout",
    "provider", "direction", "deletes", "on_local_delete", "trash", "copy",
    "compress", "max_size", "max_age", NULL};

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
	assert_string_equal(
	    a->state_dir, "/home/ana/.local/state/mochila/home");
	assert_int_equal(a->layout, LAYOUT_NESTED);
	assert_int_equal(a->max_deletes, 100);
	assert_int_equal(a->bin_days, 30);
	assert_int_equal(a->timeout_s, 60);
	assert_false(a->expunge || a->allow_plaintext);
	assert_int_equal(a->direction, CONFIG_BOTH);
	assert_false(a->keep || a->to_trash);
	assert_null(a->trash);
	assert_int_equal(a->copy, CONFIG_REFLINK);
	assert_int_equal(a->compress, NET_COMPRESS_AUTO);
	assert_true(a->max_size == 0 && a->max_age_days == 0);
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
				"    timeout: 5\n"
				"    direction: push\n"
				"    deletes: keep\n"
				"    on_local_delete: trash\n"
				"    trash: Mail/Trash\n"
				"    copy: link\n"
				"    compress: off\n"
				"    max_size: 25M\n"
				"    max_age: 90\n");
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
	assert_int_equal(a->direction, CONFIG_PUSH);
	assert_true(a->keep && a->to_trash);
	assert_string_equal(a->trash, "Mail/Trash");
	assert_int_equal(a->copy, CONFIG_LINK);
	assert_int_equal(a->compress, NET_COMPRESS_OFF);
	assert_int_equal(a->max_size, 25 * 1024 * 1024);
	assert_int_equal(a->max_age_days, 90);
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
	bad("home:\n" REQUIRED, "1:1: ", "below 'accounts'");
	bad(ONE "    state_dir: ~/s\n", "7:5: ", "beside 'accounts'");
	bad(ONE "    accounts: {}\n", "7:5: ", "unknown");
	bad("accounts:\n  home:\n    host: x\n", "2:3: ", "'user'");
	bad("accounts:\n  home:\n    user: x\n", "2:3: ", "'provider'");
	bad("accounts:\n  -x:\n" REQUIRED, "2:3: ", "account name");
	bad("accounts:\n  ../x:\n" REQUIRED, "2:3: ", "account name");
	bad("accounts: []\n", "1:11: ", "mapping");
	bad("accounts:\n  home: 3\n", "2:9: ", "mapping");
	bad("- a\n", "1:1: ", "mapping");
	bad("", "1:", "");
	bad("# nothing\n", "", "");
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
	bad("accounts:\n  a:\n" REQUIRED
	    "  b:\n    host: h\n    user: u\n    maildir: ~/Mail/sub\n",
	    "7:3: ", "'a'");
	bad("accounts:\n  a:\n    host: h\n    user: u\n    maildir: ~/\n",
	    "2:3: ", "lies in its maildir");
}

static void
test_links_do_not_hide_an_overlap(void **state)
{
	char dir[64], path[512], text[2000];

	(void)state;
	tempdir_make(dir);
	tempdir_mkdir(dir, "mail/b");
	assert_int_equal(0, symlink("mail", tempdir_join(path, dir, "link")));
	snprintf(text, sizeof text,
	    "accounts:\n"
	    "  a: {host: h, user: u, maildir: %s/mail}\n"
	    "  b: {host: h, user: u, maildir: %s/link/none}\n",
	    dir, dir);
	bad(text, "3:3: ", "'a'");
	/* the state of b is a link into the mail of a, in either order */
	tempdir_mkdir(dir, "state");
	assert_int_equal(
	    0, symlink("../mail/b", tempdir_join(path, dir, "state/b")));
	snprintf(text, sizeof text,
	    "state_dir: %s/state\naccounts:\n"
	    "  a: {host: h, user: u, maildir: %s/mail}\n"
	    "  b: {host: h, user: u, maildir: %s/other}\n",
	    dir, dir, dir);
	bad(text, "4:3: ", "'a'");
	snprintf(text, sizeof text,
	    "state_dir: %s/state\naccounts:\n"
	    "  b: {host: h, user: u, maildir: %s/other}\n"
	    "  a: {host: h, user: u, maildir: %s/mail}\n",
	    dir, dir, dir);
	bad(text, "4:3: ", "'b'");
	tempdir_remove(dir);
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
test_state_follows_xdg_when_it_is_absolute(void **state)
{
	struct config_env xdg = {.home = "/home/ana", .xdg_state = "/x/state/"};
	struct config *c = NULL;
	struct err e;

	(void)state;
	assert_int_equal(
	    0, config_parse(span_str(ONE), "f.yaml", &xdg, &c, &e));
	assert_string_equal(c->account->state_dir, "/x/state/mochila/home");
	config_free(&c);
	xdg.xdg_state = "relative";
	assert_int_equal(
	    0, config_parse(span_str(ONE), "f.yaml", &xdg, &c, &e));
	assert_string_equal(c->state_dir, "/home/ana/.local/state/mochila");
	config_free(&c);
}

static void
test_the_file_is_found_by_xdg_or_home(void **state)
{
	char dir[64], xdg[512];
	struct config_env here = {.home = dir};
	struct config *c = NULL;
	struct err e;

	(void)state;
	tempdir_make(dir);
	assert_int_equal(ERR_CONFIG, config_load(NULL, &here, &c, &e));
	assert_non_null(strstr(e.text, "/.config/mochila/config.yaml"));
	tempdir_mkdir(dir, ".config/mochila");
	tempdir_write(dir, ".config/mochila/config.yaml", ONE, sizeof(ONE) - 1);
	assert_int_equal(0, config_load(NULL, &here, &c, &e));
	assert_string_equal(c->account->name, "home");
	config_free(&c);
	here.xdg_config = tempdir_join(xdg, dir, "xdg");
	assert_int_equal(ERR_CONFIG, config_load(NULL, &here, &c, &e));
	assert_non_null(strstr(e.text, "/xdg/mochila/config.yaml"));
	here.xdg_config = "relative";
	assert_int_equal(0, config_load(NULL, &here, &c, &e));
	config_free(&c);
	here = (struct config_env){0};
	assert_int_equal(ERR_CONFIG, config_load(NULL, &here, &c, &e));
	assert_non_null(strstr(e.text, "HOME"));
	tempdir_remove(dir);
}

static void
test_a_file_has_a_ceiling_and_is_a_file(void **state)
{
	enum { MIB = 1024 * 1024 };
	char dir[64], path[512];
	struct config *c = NULL;
	char *text = xalloc(MIB + 1);
	struct err e;

	(void)state;
	tempdir_make(dir);
	tempdir_join(path, dir, "c.yaml");
	memset(text, '\n', MIB + 1);
	memcpy(text, ONE, sizeof(ONE) - 1);
	tempdir_write(dir, "c.yaml", text, MIB);
	assert_int_equal(0, config_load(path, &env, &c, &e));
	config_free(&c);
	tempdir_write(dir, "c.yaml", text, MIB + 1);
	assert_int_equal(ERR_CONFIG, config_load(path, &env, &c, &e));
	assert_non_null(strstr(e.text, "1 MiB"));
	assert_int_equal(ERR_CONFIG,
	    config_parse(span_of(text, MIB + 1), "f", &env, &c, &e));
	assert_int_equal(ERR_CONFIG, config_load(dir, &env, &c, &e));
	assert_non_null(strstr(e.text, "regular"));
	assert_int_equal(0, mkfifo(tempdir_join(path, dir, "fifo"), 0600));
	assert_int_equal(ERR_CONFIG, config_load(path, &env, &c, &e));
	assert_int_equal(ERR_CONFIG, config_load("/dev/null", &env, &c, &e));
	xfree(text);
	tempdir_remove(dir);
}

static void
test_account_names_make_good_file_names(void **state)
{
	char text[300];

	(void)state;
	for (int i = 1; i < 256; i++) {
		struct config *c = NULL;
		struct err e;
		bool ok = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') ||
			  (i >= '0' && i <= '9') || i == '_' || i == '.' ||
			  i == '-';

		snprintf(text, sizeof text,
		    "accounts:\n  \"x%s%c\":\n" REQUIRED,
		    i == '"' || i == '\\' ? "\\" : "", i);
		assert_int_equal(
		    config_parse(span_str(text), "f", &env, &c, &e) == 0, ok);
		config_free(&c);
	}
	bad("accounts:\n  .x:\n" REQUIRED, "2:3: ", "first");
	bad("accounts:\n  '':\n" REQUIRED, "2:3: ", "account name");
	snprintf(text, sizeof text, "accounts:\n  %065d:\n" REQUIRED, 0);
	bad(text, "2:3: ", "64");
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
	for (mode_t mode = 0; mode < 0100; mode++) {
		assert_int_equal(0, chmod(path, 0600 | mode));
		if (mode & 044) {
			assert_int_equal(
			    ERR_CONFIG, config_load(path, &env, &c, &e));
			assert_non_null(strstr(e.text, "c.yaml:5:5: "));
			assert_non_null(strstr(e.text, "chmod"));
			assert_null(strstr(e.text, "secret"));
			assert_null(c);
		} else {
			assert_int_equal(0, config_load(path, &env, &c, &e));
			config_free(&c);
		}
	}
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
	assert_int_equal(
	    0, fs_read_file(AT_FDCWD, EXAMPLE, 1u << 19, &text, &e));
	c = good(buf_cstr(&text));
	assert_int_equal(c->naccounts, 1);
	config_free(&c);
	buf_release(&text);
}

/*
 * The example with its comments taken off: "#key: value" is a key of the
 * first account or of the file, "#  key:" one of the second account.
 */
static void
test_the_example_shows_every_key_and_the_defaults(void **state)
{
	struct config *c, *plain;
	const struct config_account *a, *b;
	struct buf text, all;
	struct err e;

	(void)state;
	buf_init(&text, 1u << 20);
	buf_init(&all, 1u << 20);
	assert_int_equal(
	    0, fs_read_file(AT_FDCWD, EXAMPLE, 1u << 19, &text, &e));
	plain = good(buf_cstr(&text));
	for (const char *p = buf_cstr(&text); *p;) {
		size_t n = strcspn(p, "\n"), indent = strspn(p, " ");
		bool comment =
		    p[indent] == '#' &&
		    ((p[indent + 1] >= 'a' && p[indent + 1] <= 'z') ||
			strncmp(p + indent, "#  ", 3) == 0);

		if (comment && strncmp(p + indent, "#password", 9) != 0) {
			buf_add(&all, p, indent);
			buf_add(&all, p + indent + 1, n - indent - 1);
		} else {
			buf_add(&all, p, n);
		}
		buf_addc(&all, '\n');
		p += n + (p[n] == '\n');
	}
	c = good(buf_cstr(&all));
	assert_int_equal(c->naccounts, 2);
	a = &c->account[0];
	b = plain->account;
	assert_string_equal(c->state_dir, plain->state_dir);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->tls, b->tls);
	assert_int_equal(a->allow_plaintext, b->allow_plaintext);
	assert_non_null(a->tls_ca);
	assert_ptr_equal(a->auth, b->auth);
	assert_int_equal(a->layout, b->layout);
	assert_int_equal(a->nmailboxes, 1);
	assert_true(span_eq(a->mailboxes[0], SPAN("*")));
	assert_int_equal(a->connections, b->connections);
	assert_ptr_equal(a->disable_extensions, b->disable_extensions);
	assert_int_equal(a->max_deletes, b->max_deletes);
	assert_int_equal(a->bin_days, b->bin_days);
	assert_int_equal(a->expunge, b->expunge);
	assert_int_equal(a->timeout_s, b->timeout_s);
	assert_int_equal(a->direction, b->direction);
	assert_int_equal(a->keep, b->keep);
	assert_int_equal(a->copy, b->copy);
	assert_int_equal(a->compress, b->compress);
	assert_true(a->max_size == b->max_size);
	assert_int_equal(a->max_age_days, b->max_age_days);
	/* the second account is at a provider, and uses its trash */
	assert_string_equal(c->account[1].host, "imap.fastmail.com");
	assert_true(c->account[1].to_trash);
	assert_non_null(c->account[1].trash);
	for (const char *const *k = example_keys; *k; k++) {
		char key[64];

		snprintf(key, sizeof key, "%s: ", *k);
		if (!strstr(buf_cstr(&text), key))
			fail_msg("the example lacks %s", *k);
	}
	config_free(&c);
	config_free(&plain);
	buf_release(&text);
	buf_release(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_every_key),
	    cmocka_unit_test(test_slips_are_named_with_their_place),
	    cmocka_unit_test(test_yaml_that_is_too_clever_is_refused),
	    cmocka_unit_test(test_directories_do_not_overlap),
	    cmocka_unit_test(test_links_do_not_hide_an_overlap),
	    cmocka_unit_test(
		test_every_truncation_is_a_configuration_or_an_error),
	    cmocka_unit_test(test_state_follows_xdg_when_it_is_absolute),
	    cmocka_unit_test(test_the_file_is_found_by_xdg_or_home),
	    cmocka_unit_test(test_a_file_has_a_ceiling_and_is_a_file),
	    cmocka_unit_test(test_account_names_make_good_file_names),
	    cmocka_unit_test(test_a_file_with_a_password_is_private),
	    cmocka_unit_test(test_the_example_is_valid),
	    cmocka_unit_test(test_the_example_shows_every_key_and_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
