#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "maildir.h"

static int
open_bin(struct fixture *f, const char *run)
{
	char name[64], path[512];

	(void)snprintf(name, sizeof name, ".bin/%s", run);
	tempdir_mkdir(f->dir, name);
	return open(tempdir_join(path, f->dir, name),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* All that is in mailbox PATH was seen. */
static int
bin_box(struct fixture *f, const char *path, int bin, struct err *e)
{
	struct lview seen = scan(f, path);

	return maildir_bin_box(f->m, span_str(path), &seen, bin, e);
}

static void
test_there_and_back(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	char names[512];
	struct maildir_unbinned n;
	struct err e;

	put(f, "box/cur/1.a:2,S", "one");
	put(f, "box/new/2.b", "two");
	assert_int_equal(0, maildir_bin(f->m, SPAN("box"),
				SPAN("cur/1.a:2,S"), bin, &e));
	assert_int_equal(0, maildir_bin(f->m, SPAN("box"), SPAN("new/2.b"),
				bin, &e));
	assert_int_equal(0, maildir_bin_sync(f->m, SPAN("box"), bin, &e));
	assert_int_equal(tempdir_count(f->dir, "box/cur"), 0);
	assert_int_equal(tempdir_count(f->dir, "box/new"), 0);
	assert_int_equal(ERR_STALE, maildir_bin(f->m, SPAN("box"),
					SPAN("new/2.b"), bin, &e));
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 2);
	assert_content(f, "box/cur/1.a:2,S", "one", 3);
	assert_content(f, "box/new/2.b", "two", 3);
	assert_string_equal(tempdir_list(names, f->dir, "box/cur"), "1.a:2,S");
	assert_string_equal(tempdir_list(names, f->dir, "box/new"), "2.b");
	/* once more brings nothing, and harms nothing */
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 0);
	close(bin);
}

static void
test_equal_names_do_not_replace_each_other(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct maildir_unbinned n;
	struct err e;

	for (int i = 0; i < 2; i++) {
		put(f, "box/cur/1.a:2,S", i ? "two" : "one");
		assert_int_equal(0, maildir_bin(f->m, SPAN("box"),
					SPAN("cur/1.a:2,S"), bin, &e));
	}
	assert_int_equal(tempdir_count(f->dir, ".bin/run/box/cur"), 2);
	put(f, "box/cur/1.a:2,S", "new");
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 2);
	assert_int_equal(tempdir_count(f->dir, "box/cur"), 3);
	assert_content(f, "box/cur/1.a:2,S", "new", 3);
	close(bin);
}

static void
test_a_mailbox_goes_and_its_children_stay(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run"), other = open_bin(f, "run2");
	struct maildir_unbinned n;
	struct err e;

	assert_int_equal(0, maildir_create(f->m, SPAN("box/sub"), &e));
	put(f, "box/cur/1.a:2,Sa", "one");
	put(f, "box/sub/cur/2.b:2,S", "two");
	put(f, "box/dovecot-keywords", "0 work\n");
	assert_int_equal(0, bin_box(f, "box", bin, &e));
	assert_false(tempdir_exists(f->dir, "box/cur"));
	assert_content(f, "box/sub/cur/2.b:2,S", "two", 3);
	assert_int_equal(0, bin_box(f, "box/sub", bin, &e));
	assert_false(tempdir_exists(f->dir, "box/sub"));
	/* what is gone already is no error */
	assert_int_equal(0, bin_box(f, "box/sub", bin, &e));
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 2);
	assert_content(f, "box/cur/1.a:2,Sa", "one", 3);
	assert_content(f, "box/sub/cur/2.b:2,S", "two", 3);
	assert_content(f, "box/dovecot-keywords", "0 work\n", 7);
	/* once more makes no mailbox */
	assert_int_equal(0, bin_box(f, "box/sub", other, &e));
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 0);
	assert_false(tempdir_exists(f->dir, "box/sub"));
	close(bin);
	close(other);
}

/* As a run does that deletes one message. */
static void
bin_one(struct fixture *f, const char *file, int bin)
{
	struct err e;

	assert_int_equal(0, maildir_bin_letters(SPAN("box"), f->kw,
				&f->letters, bin, &e));
	assert_int_equal(
	    0, maildir_bin(f->m, SPAN("box"), span_str(file), bin, &e));
}

static void
undo(struct fixture *f, int bin, uint64_t want)
{
	struct maildir_unbinned n;
	struct err e;

	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, want);
}

static void
test_what_was_marked_as_deleted_is_not_any_more(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");

	put(f, "box/cur/1.a:2,FST", "one");
	put(f, "box/cur/2.b:2,T,U=5T", "two");
	bin_one(f, "cur/1.a:2,FST", bin);
	bin_one(f, "cur/2.b:2,T,U=5T", bin);
	undo(f, bin, 2);
	assert_content(f, "box/cur/1.a:2,FS", "one", 3);
	assert_content(f, "box/cur/2.b:2,,U=5T", "two", 3);
	close(bin);
}

static void
test_letters_mean_what_they_meant(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	char names[512];

	f->letters.id[1] = kwtab_intern(f->kw, SPAN("home"));
	f->letters.id[2] = kwtab_intern(f->kw, SPAN("third"));
	f->letters.id[3] = KW_PASSED;
	put(f, "box/cur/1.m:2,Sa", "one");
	put(f, "box/cur/2.m:2,Sb", "two");
	put(f, "box/cur/3.m:2,Sabd", "three");
	put(f, "box/cur/4.m:2,Scz", "four");
	bin_one(f, "cur/1.m:2,Sa", bin);
	bin_one(f, "cur/2.m:2,Sb", bin);
	bin_one(f, "cur/3.m:2,Sabd", bin);
	bin_one(f, "cur/4.m:2,Scz", bin);
	/* made again: work has another letter, home none, and b is taken */
	put(f, "box/dovecot-keywords", "1 other\n4 WORK\n");
	put(f, "box/cur/5.m:2,be", "five");
	undo(f, bin, 4);
	assert_string_equal(tempdir_list(names, f->dir, "box/cur"),
	    "1.m:2,Se 2.m:2,Sa 3.m:2,PSae 4.m:2,Sc 5.m:2,be");
	assert_content(f, "box/dovecot-keywords",
	    "0 home\n1 other\n2 third\n4 WORK\n", 30);
	assert_false(tempdir_exists(f->dir, "box/mochila-keywords"));
	/* cut off before the last one, and done again */
	assert_int_equal(0, mkdir(tempdir_join((char[512]){0}, f->dir,
				      ".bin/run/box/cur"), 0700));
	put(f, ".bin/run/box/cur/1.m:2,Sa", "one");
	put(f, ".bin/run/box/cur/6.m:2,Sb", "six");
	undo(f, bin, 1);
	assert_string_equal(tempdir_list(names, f->dir, "box/cur"),
	    "1.m:2,Se 2.m:2,Sa 3.m:2,PSae 4.m:2,Sc 5.m:2,be 6.m:2,Sa");
	close(bin);
}

/* The run's own table rules, as when dovecot-keywords was lost before it. */
static void
test_letters_of_which_only_the_run_knew(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct err e;

	put(f, "box/cur/1.m:2,Sa", "one");
	bin_one(f, "cur/1.m:2,Sa", bin);
	put(f, "box/dovecot-keywords", "0 other\n");
	assert_int_equal(0, bin_box(f, "box", bin, &e));
	undo(f, bin, 1);
	assert_content(f, "box/cur/1.m:2,Sa", "one", 3);
	assert_content(f, "box/dovecot-keywords", "0 work\n", 7);
	close(bin);
}

static void
test_letters_that_nothing_explains_are_left_out(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct err e;

	put(f, "box/dovecot-keywords", "0 other\n");
	put(f, "box/cur/1.m:2,Sa", "one");
	assert_int_equal(0, maildir_bin(f->m, SPAN("box"),
				SPAN("cur/1.m:2,Sa"), bin, &e));
	undo(f, bin, 1);
	assert_content(f, "box/cur/1.m:2,S", "one", 3);
	assert_content(f, "box/dovecot-keywords", "0 other\n", 8);
	close(bin);
}

/* Without dovecot-keywords the journal may know what others' letters mean. */
static void
test_letters_in_use_get_no_meaning(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");

	put(f, "box/cur/1.m:2,Sa", "one");
	put(f, "box/cur/2.m:2,Sa", "two");
	bin_one(f, "cur/1.m:2,Sa", bin);
	undo(f, bin, 1);
	assert_content(f, "box/cur/1.m:2,S", "one", 3);
	assert_content(f, "box/cur/2.m:2,Sa", "two", 3);
	assert_false(tempdir_exists(f->dir, "box/dovecot-keywords"));
	close(bin);
}

static void
test_mail_that_was_not_seen_keeps_its_mailbox(void **state)
{
	static const char *const late[] = {"box/new/2.b", "box/cur/2.b:2,S"};
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct lview seen;
	char path[512];
	struct err e;

	for (int i = 0; i < 2; i++) {
		put(f, "box/cur/1.a:2,", "one");
		put(f, "box/dovecot-keywords", "0 work\n");
		seen = scan(f, "box");
		put(f, late[i], "two");
		assert_int_equal(ERR_STALE,
		    maildir_bin_box(f->m, SPAN("box"), &seen, bin, &e));
		assert_int_equal(e.scope, ERR_SCOPE_BOX);
		assert_content(f, late[i], "two", 3);
		assert_content(f, "box/dovecot-keywords", "0 work\n", 7);
		assert_true(tempdir_exists(f->dir, "box/tmp"));
		assert_int_equal(0, unlink(tempdir_join(path, f->dir, late[i])));
	}
	/* a reader has looked at it meanwhile; and what is no message */
	put(f, "box/cur/1.a:2,", "one");
	seen = scan(f, "box");
	(void)rename(tempdir_join((char[512]){0}, f->dir, "box/cur/1.a:2,"),
	    tempdir_join(path, f->dir, "box/cur/1.a:2,S"));
	put(f, "box/cur/.other", "");
	put(f, "box/tmp/3.c", "unfinished");
	assert_int_equal(
	    0, maildir_bin_box(f->m, SPAN("box"), &seen, bin, &e));
	assert_false(tempdir_exists(f->dir, "box"));
	assert_content(f, ".bin/run/box/cur/1.a:2,S", "one", 3);
	close(bin);
}

static void
test_maildirpp_mailboxes_too(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct maildir_unbinned n;
	struct err e;

	assert_int_equal(0, maildir_create(f->m, SPAN(""), &e));
	assert_int_equal(0, maildir_create(f->m, SPAN(".a.b"), &e));
	put(f, "cur/1.a:2,S", "one");
	put(f, ".a.b/cur/2.b:2,S", "two");
	assert_int_equal(0, maildir_bin(f->m, SPAN(""), SPAN("cur/1.a:2,S"),
				bin, &e));
	/* nothing came from new/ */
	assert_int_equal(0, maildir_bin_sync(f->m, SPAN(""), bin, &e));
	assert_int_equal(0, bin_box(f, ".a.b", bin, &e));
	assert_false(tempdir_exists(f->dir, ".a.b"));
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 2);
	assert_content(f, "cur/1.a:2,S", "one", 3);
	assert_content(f, ".a.b/cur/2.b:2,S", "two", 3);
	close(bin);
}

static void
test_a_cancel_ends_what_may_take_long(void **state)
{
	struct fixture *f = *state;
	int bin = open_bin(f, "run");
	struct maildir_dir *dirs;
	struct maildir_stamp stamp;
	struct lview v, seen;
	struct cancel *c;
	size_t ndirs;
	struct maildir_unbinned n;
	struct err e;

	put(f, "box/cur/1.a:2,S", "one");
	assert_int_equal(0, maildir_create(f->m, SPAN("gone"), &e));
	put(f, "gone/cur/2.b:2,S", "two");
	assert_int_equal(0, bin_box(f, "gone", bin, &e));
	seen = scan(f, "box");
	assert_int_equal(0, cancel_new(&c, &e));
	maildir_set_cancel(f->m, c);
	assert_int_equal(0, maildir_list(f->m, &f->mem, &dirs, &ndirs, &e));
	cancel_raise(c);
	assert_int_equal(ERR_CANCELED,
	    maildir_list(f->m, &f->mem, &dirs, &ndirs, &e));
	assert_int_equal(ERR_CANCELED, maildir_scan(f->m, SPAN("box"),
	    &f->letters, &f->mem, &v, &stamp, NULL, &e));
	assert_int_equal(ERR_CANCELED,
	    maildir_bin_box(f->m, SPAN("box"), &seen, bin, &e));
	assert_int_equal(ERR_CANCELED, maildir_unbin(f->m, bin, &n, &e));
	assert_content(f, "box/cur/1.a:2,S", "one", 3);
	assert_content(f, ".bin/run/gone/cur/2.b:2,S", "two", 3);
	/* done again, it does all */
	maildir_set_cancel(f->m, NULL);
	assert_int_equal(0, maildir_unbin(f->m, bin, &n, &e));
	assert_int_equal(n.messages, 1);
	assert_content(f, "gone/cur/2.b:2,S", "two", 3);
	cancel_free(&c);
	close(bin);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_there_and_back),
	    T(test_equal_names_do_not_replace_each_other),
	    T(test_a_mailbox_goes_and_its_children_stay),
	    T(test_what_was_marked_as_deleted_is_not_any_more),
	    T(test_letters_mean_what_they_meant),
	    T(test_letters_of_which_only_the_run_knew),
	    T(test_letters_that_nothing_explains_are_left_out),
	    T(test_letters_in_use_get_no_meaning),
	    T(test_mail_that_was_not_seen_keeps_its_mailbox),
	    T(test_a_cancel_ends_what_may_take_long),
	    cmocka_unit_test_setup_teardown(test_maildirpp_mailboxes_too,
		setup_maildirpp, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
