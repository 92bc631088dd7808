#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "confcheck.h"

#define USER "    user: ana\n    maildir: /m\n"

static struct config *
at(const char *provider, const char *more)
{
	char text[1000];

	snprintf(text, sizeof text,
	    "accounts:\n  a:\n    provider: %s\n" USER "%s", provider, more);
	return good(text);
}

static bool
excludes(const struct config_account *a, struct span name)
{
	for (size_t i = 0; i < a->nmailboxes; i++)
		if (a->mailboxes[i].p[0] == '!' &&
		    span_eq(span_of(a->mailboxes[i].p + 1,
				a->mailboxes[i].n - 1),
			name))
			return true;
	return false;
}

static void
test_a_provider_stands_for_a_host(void **state)
{
	static const struct {
		const char *provider, *host;
	} cases[] = {
	    {"gmail", "imap.gmail.com"},
	    {"outlook", "outlook.office365.com"},
	    {"yahoo", "imap.mail.yahoo.com"},
	    {"aol", "imap.aol.com"},
	    {"icloud", "imap.mail.me.com"},
	    {"fastmail", "imap.fastmail.com"},
	    {"zoho", "imap.zoho.com"},
	    {"gmx", "imap.gmx.net"},
	    {"webde", "imap.web.de"},
	    {"posteo", "posteo.de"},
	    {"yandex", "imap.yandex.com"},
	    {"mailru", "imap.mail.ru"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config *c = at(cases[i].provider, "");
		const struct config_account *a = c->account;

		assert_string_equal(a->host, cases[i].host);
		assert_int_equal(a->port, 993);
		assert_int_equal(a->tls, NET_TLS_IMPLICIT);
		assert_false(a->allow_plaintext);
		/* the first pattern says what is not matched by any */
		if (a->nmailboxes)
			assert_true(span_eq(a->mailboxes[0], SPAN("*")));
		config_free(&c);
	}
}

static void
test_presets_know_of_faults(void **state)
{
	struct config *c = at("icloud", "");
	const struct config_account *a = c->account;

	(void)state;
	assert_string_equal(a->disable_extensions[0], "QRESYNC");
	assert_string_equal(a->disable_extensions[1], "ESEARCH");
	assert_null(a->disable_extensions[2]);
	assert_string_equal(a->auth[0], "plain");
	config_free(&c);
	c = at("zoho", "");
	assert_string_equal(c->account->disable_extensions[0], "CONDSTORE");
	assert_true(excludes(c->account, SPAN("All Mail")));
	config_free(&c);
	c = at("gmail", "");
	a = c->account;
	assert_null(a->disable_extensions);
	assert_true(a->to_trash && !a->trash);
	assert_true(excludes(a, SPAN("[Gmail]/All Mail")));
	assert_false(excludes(a, SPAN("[Gmail]/Trash")));
	config_free(&c);
	c = at("outlook", "");
	assert_null(c->account->auth);
	assert_false(c->account->to_trash);
	assert_true(excludes(c->account, SPAN("Calendar")));
	config_free(&c);
	c = at("fastmail", "");
	assert_int_equal(c->account->nmailboxes, 0);
	assert_null(c->account->disable_extensions);
	config_free(&c);
}

static void
test_explicit_keys_win_wherever_they_stand(void **state)
{
	struct config *c = at("gmail",
	    "    host: mail.example.org\n    port: 1993\n    auth: auto\n"
	    "    mailboxes: ['*']\n    on_local_delete: expunge\n");
	const struct config_account *a = c->account;

	(void)state;
	assert_string_equal(a->host, "mail.example.org");
	assert_int_equal(a->port, 1993);
	assert_null(a->auth);
	assert_int_equal(a->nmailboxes, 1);
	assert_false(a->to_trash);
	config_free(&c);
	c = at("icloud", "    disable_extensions: []\n    tls: starttls\n");
	a = c->account;
	assert_null(a->disable_extensions);
	assert_int_equal(a->port, 143);
	config_free(&c);
	c = good("accounts:\n  a:\n    disable_extensions: [move]\n"
		 "    auth: [login]\n    host: h\n" USER
		 "    provider: icloud\n");
	a = c->account;
	assert_string_equal(a->host, "h");
	assert_string_equal(a->auth[0], "login");
	assert_string_equal(a->disable_extensions[0], "MOVE");
	assert_null(a->disable_extensions[1]);
	config_free(&c);
	/* the preset's trash may be named without more */
	c = at("gmail", "    trash: '[Gmail]/Papierkorb'\n");
	assert_string_equal(c->account->trash, "[Gmail]/Papierkorb");
	config_free(&c);
}

static void
test_unknown_providers_and_half_accounts_are_errors(void **state)
{
	(void)state;
	bad("accounts:\n  a:\n    provider: gmial\n" USER, "3:15: ",
	    "gmail, outlook");
	bad("accounts:\n  a:\n" USER "    provider: Gmail\n", "5:15: ",
	    "gmail, outlook");
	bad("accounts:\n  a:\n    provider: gmail\n    user: u\n", "2:3: ",
	    "'maildir'");
	bad("accounts:\n  a:\n    provider: gmail\n    maildir: /m\n", "2:3: ",
	    "'user'");
	bad("accounts:\n  a:\n    provider: gmail\n    provider: gmail\n" USER,
	    "4:5: ", "provider");
	bad("accounts:\n  a:\n    provider: gmail\n    tls: none\n" USER,
	    "4:10: ", "imap.gmail.com");
	bad("accounts:\n  a:\n    provider: gmail\n"
	    "    on_local_delete: expunge\n    trash: x\n" USER,
	    "5:5: ", "on_local_delete: trash");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_provider_stands_for_a_host),
	    cmocka_unit_test(test_presets_know_of_faults),
	    cmocka_unit_test(test_explicit_keys_win_wherever_they_stand),
	    cmocka_unit_test(
		test_unknown_providers_and_half_accounts_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
