/* Keys that say what is carried over, and what becomes of deletes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "confcheck.h"

static struct config *
with(const char *line)
{
	char text[1000];

	snprintf(text, sizeof text, "%s    %s\n", ONE, line);
	return good(text);
}

static void
bad_line(const char *line, const char *where, const char *word)
{
	char text[1000];

	snprintf(text, sizeof text, "%s    %s\n", ONE, line);
	bad(text, where, word);
}

static void
test_direction(void **state)
{
	static const char *const words[] = {"both", "pull", "push"};
	static const enum config_direction want[] = {
	    CONFIG_BOTH, CONFIG_PULL, CONFIG_PUSH};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char line[40];
		struct config *c;

		snprintf(line, sizeof line, "direction: %s", words[i]);
		c = with(line);
		assert_int_equal(c->account->direction, want[i]);
		config_free(&c);
	}
	bad_line("direction: down", "7:16: ", "both, pull or push");
	bad_line("direction: Pull", "7:16: ", "both, pull or push");
}

static void
test_deletes(void **state)
{
	struct config *c = with("deletes: sync");

	(void)state;
	assert_false(c->account->keep);
	config_free(&c);
	c = with("deletes: keep");
	assert_true(c->account->keep);
	config_free(&c);
	bad_line("deletes: no", "7:14: ", "sync or keep");
}

static void
test_on_local_delete_and_trash(void **state)
{
	struct config *c = with("on_local_delete: expunge");

	(void)state;
	assert_false(c->account->to_trash);
	config_free(&c);
	c = with("on_local_delete: trash");
	assert_true(c->account->to_trash);
	assert_null(c->account->trash);
	config_free(&c);
	/* in either order */
	c = with("on_local_delete: trash\n    trash: Deleted Items");
	assert_string_equal(c->account->trash, "Deleted Items");
	config_free(&c);
	c = with("trash: 'a/M\xc3\xbcll'\n    on_local_delete: trash");
	assert_string_equal(c->account->trash, "a/M\xc3\xbcll");
	config_free(&c);
	bad_line("on_local_delete: move", "7:22: ", "expunge or trash");
}

static void
test_a_trash_that_would_not_be_used_is_an_error(void **state)
{
	(void)state;
	bad_line("trash: Trash", "7:5: ", "on_local_delete: trash");
	bad_line("on_local_delete: expunge\n    trash: Trash", "8:5: ",
	    "on_local_delete: trash");
}

static void
test_a_trash_is_the_name_of_a_mailbox(void **state)
{
	static const char *const names[] = {"INBOX", "inbox", "/", "/Trash",
	    "Trash/", "a//b", "\"a\\nb\"", "\"\""};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char line[80];

		snprintf(line, sizeof line, "trash: %s", names[i]);
		bad_line(line, "7:12: ", "'trash'");
	}
}

static void
test_copy(void **state)
{
	static const char *const words[] = {"reflink", "link", "bytes"};
	static const enum config_copy want[] = {
	    CONFIG_REFLINK, CONFIG_LINK, CONFIG_BYTES};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char line[40];
		struct config *c;

		snprintf(line, sizeof line, "copy: %s", words[i]);
		c = with(line);
		assert_int_equal(c->account->copy, want[i]);
		config_free(&c);
	}
	bad_line("copy: symlink", "7:11: ", "reflink, link or bytes");
}

static void
test_compress(void **state)
{
	static const char *const words[] = {"auto", "on", "off"};
	static const enum net_compress want[] = {
	    NET_COMPRESS_AUTO, NET_COMPRESS_ON, NET_COMPRESS_OFF};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char line[40];
		struct config *c;

		snprintf(line, sizeof line, "compress: %s", words[i]);
		c = with(line);
		assert_int_equal(c->account->compress, want[i]);
		config_free(&c);
	}
	bad_line("compress: yes", "7:15: ", "auto, on or off");
}

static void
test_sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
	    {"0", 0},
	    {"1", 1},
	    {"25000000", 25000000},
	    {"5000000000", 5000000000},
	    {"1K", 1024},
	    {"25M", 26214400},
	    {"25m", 26214400},
	    {"'25M'", 26214400},
	    {"\"25M\"", 26214400},
	    {"3G", 3221225472},
	    {"0G", 0},
	    {"9223372036854775807", INT64_MAX},
	    {"9007199254740991K", 9223372036854774784},
	    {"8589934591G", 9223372035781033984},
	};
	static const char *const wrong[] = {"-1", "1.5M", "25MB", "25 M", "M",
	    "25T", "x", "'25'", "9223372036854775808", "9007199254740992K",
	    "8589934592G", "99999999999999999999G", "0x10", "+1"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char line[80];
		struct config *c;

		snprintf(line, sizeof line, "max_size: %s", cases[i].text);
		c = with(line);
		assert_true(c->account->max_size == cases[i].want);
		config_free(&c);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char line[80];

		snprintf(line, sizeof line, "max_size: %s", wrong[i]);
		bad_line(line, "7:15: ", "25M");
	}
}

static void
test_ages_are_days(void **state)
{
	static const struct {
		const char *text;
		uint32_t want;
	} cases[] = {{"0", 0}, {"90", 90}, {"90d", 90}, {"'90d'", 90},
	    {"36500d", 36500}};
	static const char *const wrong[] = {"-1", "36501", "36501d", "d", "90D",
	    "3w", "1.5", "90dd", "'90'", "4294967386", "90 d"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char line[80];
		struct config *c;

		snprintf(line, sizeof line, "max_age: %s", cases[i].text);
		c = with(line);
		assert_int_equal(c->account->max_age_days, cases[i].want);
		config_free(&c);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char line[80];

		snprintf(line, sizeof line, "max_age: %s", wrong[i]);
		bad_line(line, "7:14: ", "90d");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_direction),
	    cmocka_unit_test(test_deletes),
	    cmocka_unit_test(test_on_local_delete_and_trash),
	    cmocka_unit_test(test_a_trash_that_would_not_be_used_is_an_error),
	    cmocka_unit_test(test_a_trash_is_the_name_of_a_mailbox),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_compress),
	    cmocka_unit_test(test_sizes_have_units),
	    cmocka_unit_test(test_ages_are_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
