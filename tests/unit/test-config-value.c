#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "confcheck.h"

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
	    {"auth: [xoauth2]", "7:12: ",
		"there are plain, login, cram-md5, scram-sha-1, "
		"scram-sha-256"},
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

/* Each key: its least and greatest value pass, those beyond do not. */
static void
test_numbers_have_ranges(void **state)
{
	static const struct {
		const char *key;
		long long lo, hi;
	} keys[] = {{"port", 1, 65535}, {"connections", 1, 16},
	    {"max_deletes", 0, 1000000000}, {"bin_days", 0, 36500},
	    {"timeout", 5, 3600}};
	char text[500], range[64];

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		for (int end = 0; end < 2; end++) {
			long long v = end ? keys[i].hi : keys[i].lo;
			struct config *c;

			snprintf(text, sizeof text, ONE "    %s: %lld\n",
			    keys[i].key, v);
			c = good(text);
			config_free(&c);
			snprintf(text, sizeof text, ONE "    %s: %lld\n",
			    keys[i].key, end ? v + 1 : v - 1);
			snprintf(range, sizeof range, "from %lld to %lld",
			    keys[i].lo, keys[i].hi);
			bad(text, "7:", range);
		}
		snprintf(text, sizeof text, ONE "    %s: '9'\n", keys[i].key);
		bad(text, "7:", "number");
		snprintf(text, sizeof text, ONE "    %s: 5.0\n", keys[i].key);
		bad(text, "7:", "number");
		snprintf(text, sizeof text,
		    ONE "    %s: 99999999999999999999\n", keys[i].key);
		bad(text, "7:", "number");
	}
}

static void
test_every_key_refuses_other_kinds_of_value(void **state)
{
	static const char *const scalars[] = {"host", "port", "tls", "tls_ca",
	    "allow_plaintext", "user", "password", "password_file", "maildir",
	    "layout", "connections", "max_deletes", "bin_days", "expunge",
	    "timeout", "provider", "direction", "deletes", "on_local_delete",
	    "trash", "copy", "compress", "max_size", "max_age"};
	static const char *const lists[] = {
	    "auth", "mailboxes", "disable_extensions", "password_command"};
	char text[500];

	(void)state;
	for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: [x]\n",
		    scalars[i]);
		bad(text, "3:", scalars[i]);
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: {x: y}\n",
		    scalars[i]);
		bad(text, "3:", scalars[i]);
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s:\n",
		    scalars[i]);
		bad(text, "3:", scalars[i]);
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: ~\n",
		    scalars[i]);
		bad(text, "3:", scalars[i]);
	}
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: {x: y}\n",
		    lists[i]);
		bad(text, "3:", lists[i]);
		snprintf(
		    text, sizeof text, "accounts:\n  a:\n    %s:\n", lists[i]);
		bad(text, "3:", lists[i]);
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: [[x]]\n",
		    lists[i]);
		bad(text, "3:", "");
		snprintf(text, sizeof text, "accounts:\n  a:\n    %s: ['']\n",
		    lists[i]);
		bad(text, "3:", "");
	}
}

static void
test_port_follows_tls(void **state)
{
	static const struct {
		const char *line;
		uint16_t port;
		enum net_tls tls;
	} cases[] = {
	    {"", 993, NET_TLS_IMPLICIT},
	    {"    tls: implicit\n", 993, NET_TLS_IMPLICIT},
	    {"    tls: starttls\n", 143, NET_TLS_STARTTLS},
	    {"    tls: none\n    allow_plaintext: yes\n", 143, NET_TLS_NONE},
	    {"    port: 7\n    tls: starttls\n", 7, NET_TLS_STARTTLS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config *c;
		char text[500];

		snprintf(text, sizeof text, ONE "%s", cases[i].line);
		c = good(text);
		assert_int_equal(c->account->port, cases[i].port);
		assert_int_equal(c->account->tls, cases[i].tls);
		config_free(&c);
	}
}

static void
test_clear_text_is_for_this_machine(void **state)
{
	static const char *const near[] = {"localhost", "LOCALHOST",
	    "127.0.0.1", "127.8.9.10", "'::1'", "'[::1]'"};
	static const char *const far[] = {"imap.example.org", "128.0.0.1",
	    "'::2'", "localhost.example.org", "127.0.0.1.example.org",
	    "'::ffff:10.0.0.1'"};
	char text[500];

	(void)state;
	for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
		struct config *c;

		snprintf(text, sizeof text,
		    "accounts:\n  a:\n    host: %s\n    tls: none\n"
		    "    user: u\n    maildir: /m\n",
		    near[i]);
		c = good(text);
		assert_null(strpbrk(c->account->host, "[]"));
		config_free(&c);
	}
	for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
		snprintf(text, sizeof text,
		    "accounts:\n  a:\n    host: %s\n    tls: none\n"
		    "    user: u\n    maildir: /m\n",
		    far[i]);
		bad(text, "4:10: ", "allow_plaintext");
	}
}

static void
test_a_host_is_a_host_alone(void **state)
{
	static const char *const hosts[] = {"imap.example.org:993",
	    "imaps://imap.example.org", "ana@example.org", "'a b'",
	    "'[imap.example.org]'", "'[::1'", "'::1]'", "'[]'", "a/b"};
	char text[500];

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		snprintf(text, sizeof text,
		    "accounts:\n  a:\n    host: %s\n    user: u\n"
		    "    maildir: /m\n",
		    hosts[i]);
		bad(text, "3:11: ", "'host'");
	}
}

static void
test_paths_are_absolute_or_at_home(void **state)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
	    {"~/Mail", "/home/ana/Mail"},
	    {"~/", "/home/ana"},
	    {"~//a/./b//", "/home/ana/a/b"},
	    {"/srv/mail/", "/srv/mail"},
	    {"/srv/~/x", "/srv/~/x"},
	    {"/a/..b/...", "/a/..b/..."},
	    {"Mail", NULL},
	    {"./Mail", NULL},
	    {"~bob/Mail", NULL},
	    {"$HOME/Mail", NULL},
	    {"~/../x", NULL},
	    {"/a/..", NULL},
	    {"'~'", NULL},
	    {"\"/a\\nb\"", NULL},
	};
	const struct config_env bare = {0};
	struct config *c = NULL;
	char text[500];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text,
		    "state_dir: /s\naccounts:\n  a:\n    host: h\n"
		    "    user: u\n    maildir: %s\n",
		    cases[i].path);
		if (!cases[i].want) {
			bad(text, "6:14: ", "'maildir'");
			continue;
		}
		c = good(text);
		assert_string_equal(c->account->maildir, cases[i].want);
		assert_string_equal(c->account->state_dir, "/s/a");
		config_free(&c);
	}
	snprintf(text, sizeof text, "state_dir: /s\n" ONE);
	assert_int_equal(
	    ERR_CONFIG, config_parse(span_str(text), "f.yaml", &bare, &c, &e));
	assert_non_null(strstr(e.text, "HOME"));
	snprintf(text, sizeof text,
	    "accounts:\n  a:\n    host: h\n    user: u\n"
	    "    maildir: /m\n");
	assert_int_equal(
	    ERR_CONFIG, config_parse(span_str(text), "f.yaml", &bare, &c, &e));
	assert_non_null(strstr(e.text, "'state_dir'"));
}

static void
test_the_password_is_given_once(void **state)
{
	static const char *const ways[] = {
	    "password: secret", "password_file: /p", "password_command: [x]"};
	char text[500];

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 3; k++) {
			if (i == k)
				continue;
			snprintf(text, sizeof text,
			    "accounts:\n  a:\n    %s\n    %s\n", ways[i],
			    ways[k]);
			bad(text, "4:5: ", "see line 3");
		}
	}
}

static void
test_extensions_are_those_that_can_be_switched_off(void **state)
{
	struct config *c = good(
	    ONE "    disable_extensions: [move, literal+, compress=deflate]\n");
	const char *const *v = c->account->disable_extensions;

	(void)state;
	assert_string_equal(v[0], "MOVE");
	assert_string_equal(v[1], "LITERAL+");
	assert_string_equal(v[2], "COMPRESS=DEFLATE");
	assert_null(v[3]);
	config_free(&c);
	c = good(ONE "    disable_extensions: []\n");
	assert_null(c->account->disable_extensions);
	config_free(&c);
	bad(ONE "    disable_extensions: [qresinc]\n", "7:26: ", "'QRESYNC'");
	bad(ONE "    disable_extensions: [starttls]\n", "7:26: ", "starttls");
	bad(ONE "    disable_extensions: qresync\n", "7:25: ", "a list");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_values_are_named),
	    cmocka_unit_test(test_numbers_have_ranges),
	    cmocka_unit_test(test_every_key_refuses_other_kinds_of_value),
	    cmocka_unit_test(test_port_follows_tls),
	    cmocka_unit_test(test_clear_text_is_for_this_machine),
	    cmocka_unit_test(test_a_host_is_a_host_alone),
	    cmocka_unit_test(test_paths_are_absolute_or_at_home),
	    cmocka_unit_test(test_the_password_is_given_once),
	    cmocka_unit_test(
		test_extensions_are_those_that_can_be_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
