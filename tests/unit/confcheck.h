/*
 * confcheck: configurations that are good, or bad at a place.  After
 * cmocka.h.
 */
#ifndef TESTS_CONFCHECK_H
#define TESTS_CONFCHECK_H

#include <stdio.h>

#include "config/config.h"

static const struct config_env env = {.home = "/home/ana"};

#define REQUIRED                                                               \
	"    host: imap.example.org\n    user: ana\n"                          \
	"    password: secret\n    maildir: ~/Mail\n"
#define ONE "accounts:\n  home:\n" REQUIRED

static inline struct config *
good(const char *text)
{
	struct config *c = NULL;
	struct err e;

	if (config_parse(span_str(text), "f.yaml", &env, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

/* The error stands at "f.yaml:WHERE: " and holds WORD. */
static inline void
bad(const char *text, const char *where, const char *word)
{
	struct config *c = NULL;
	char place[64];
	struct err e;

	assert_int_equal(
	    ERR_CONFIG, config_parse(span_str(text), "f.yaml", &env, &c, &e));
	assert_null(c);
	assert_int_equal(err_exit_status(&e), 78);
	snprintf(place, sizeof place, "f.yaml:%s", where);
	if (strncmp(e.text, place, strlen(place)) != 0 || !strstr(e.text, word))
		fail_msg("'%s' is not at %s, or does not say '%s'", e.text,
		    place, word);
	assert_null(strstr(e.text, "secret"));
}

#endif
