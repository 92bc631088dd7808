/* rename: a mailbox gets another name, at once or not at all. */
#include "mailbox.h"

static int
rename_box(struct env *v, const char *from, const char *to)
{
	return maildir_rename_box(v->m, span_str(from), span_str(to), &v->e);
}

static int
setup_pp(void **state)
{
	struct env *v = xcalloc(1, sizeof *v);

	env_open(v, LAYOUT_MAILDIRPP);
	*state = v;
	return 0;
}

static void
a_mailbox_goes_with_all_that_lies_in_it(void **state)
{
	struct env *v = *state;
	struct maildir_stamp stamp;
	struct lview view;

	mkbox(v, "a");
	mkbox(v, "a/sub");
	mkbox(v, "ab");
	put(v, "a/cur/1.x:2,S", "1");
	put(v, "a/sub/new/2.x", "2");
	put(v, "a/dovecot-keywords", "0 work\n");
	/* it was the mailbox used last */
	assert_int_equal(maildir_scan(v->m, SPAN("a"), NULL, &v->mem, &view,
			     &stamp, NULL, &v->e),
	    0);
	assert_int_equal(rename_box(v, "a", "b"), 0);
	assert_false(exists(v, "a"));
	assert_text(v->fd, "b/cur/1.x:2,S", "1");
	assert_text(v->fd, "b/sub/new/2.x", "2");
	assert_text(v->fd, "b/dovecot-keywords", "0 work\n");
	assert_true(exists(v, "ab/cur"));
	assert_int_equal(
	    maildir_stamp(v->m, SPAN("a"), &stamp, &v->e), ERR_STALE);
	assert_int_equal(maildir_stamp(v->m, SPAN("b"), &stamp, &v->e), 0);
	/* a second time there is nothing to rename */
	assert_int_equal(rename_box(v, "a", "c"), ERR_STALE);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_false(exists(v, "c"));
}

static void
it_may_go_up_and_down_and_parents_are_made(void **state)
{
	struct env *v = *state;
	struct stat st;

	mkbox(v, "a/b");
	put(v, "a/b/cur/1", "1");
	assert_int_equal(rename_box(v, "a/b", "x/y/z"), 0);
	assert_text(v->fd, "x/y/z/cur/1", "1");
	assert_int_equal(fstatat(v->fd, "x", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(exists(v, "x/y/cur"));
	/* what held mailboxes once, and is empty, is in nobody's way */
	assert_int_equal(count_at(v->fd, "a"), 0);
	assert_int_equal(rename_box(v, "x/y/z", "a"), 0);
	assert_text(v->fd, "a/cur/1", "1");
	/* below another mailbox */
	mkbox(v, "m");
	assert_int_equal(rename_box(v, "a", "m/a"), 0);
	assert_text(v->fd, "m/a/cur/1", "1");
	assert_true(exists(v, "m/cur"));
}

static void
what_is_there_is_not_replaced(void **state)
{
	static const char *const to[] = {
	    "box", "dir", "file", "link", "dead", "a", "nest"};
	struct env *v = *state;

	mkbox(v, "a");
	put(v, "a/cur/1", "1");
	mkbox(v, "box");
	mkdirs(v, "dir");
	put(v, "dir/precious", "");
	put(v, "file", "mine");
	mkdirs(v, "empty");
	assert_int_equal(symlinkat("empty", v->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", v->fd, "dead"), 0);
	mkdirs(v, "nest/deep");
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		assert_int_equal(rename_box(v, "a", to[i]), ERR_STALE);
		assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
		assert_true(exists(v, to[i]));
	}
	assert_text(v->fd, "a/cur/1", "1");
	assert_text(v->fd, "file", "mine");
	assert_int_equal(count_at(v->fd, "box"), 3);
	assert_int_equal(count_at(v->fd, "empty"), 0);
}

static void
only_a_mailbox_is_renamed_and_links_are_not_followed(void **state)
{
	struct env *v = *state;

	mkdirs(v, "dir/sub");
	mkbox(v, "a");
	put(v, "file", "");
	assert_int_equal(symlinkat("a", v->fd, "link"), 0);
	assert_int_equal(symlinkat(".", v->fd, "root"), 0);
	assert_int_equal(rename_box(v, "dir", "x"), ERR_STALE);
	assert_int_equal(rename_box(v, "file", "x"), ERR_STALE);
	assert_int_equal(rename_box(v, "link", "x"), ERR_STALE);
	assert_int_equal(rename_box(v, "root/a", "x"), ERR_STALE);
	assert_int_equal(rename_box(v, "gone", "x/y"), ERR_STALE);
	/* no parents for what is not there */
	assert_false(exists(v, "x"));
	assert_int_equal(rename_box(v, "a", "root/x"), ERR_IO);
	assert_int_equal(rename_box(v, "a", "file/x"), ERR_IO);
	assert_int_equal(rename_box(v, "a", "../x"), ERR_IO);
	assert_true(exists(v, "a/cur"));
	assert_true(exists(v, "link"));
	/* one that lacks cur/ is a mailbox still */
	assert_int_equal(unlinkat(v->fd, "a/cur", AT_REMOVEDIR), 0);
	assert_int_equal(rename_box(v, "a", "x"), 0);
	assert_true(exists(v, "x/new"));
}

static void
not_below_itself(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	assert_int_equal(rename_box(v, "a", "a/b"), ERR_IO);
	assert_int_equal(v->e.sys, EINVAL);
	assert_int_equal(rename_box(v, "a", "a/b/c"), ERR_IO);
	assert_int_equal(v->e.sys, EINVAL);
	assert_int_equal(count_at(v->fd, "a"), 3);
	/* not the same thing */
	assert_int_equal(rename_box(v, "a", "ab/c"), 0);
	/* and its parent is not empty */
	assert_int_equal(rename_box(v, "ab/c", "ab"), ERR_STALE);
	assert_true(exists(v, "ab/c/cur"));
}

static void
inbox_stays_where_it_is(void **state)
{
	struct env *v = *state;

	mkbox(v, "INBOX");
	mkbox(v, "INBOX/sub");
	mkbox(v, "a");
	assert_int_equal(rename_box(v, "INBOX", "b"), ERR_BUG);
	assert_int_equal(rename_box(v, "", "b"), ERR_BUG);
	assert_int_equal(rename_box(v, "a", ""), ERR_STALE);
	assert_true(exists(v, "INBOX/cur"));
	assert_false(exists(v, "b"));
	/* what lies below it is like others */
	assert_int_equal(rename_box(v, "INBOX/sub", "INBOX/x"), 0);
	assert_true(exists(v, "INBOX/x/cur"));
}

static void
in_maildirpp_only_that_one_directory_moves(void **state)
{
	struct env *v = *state;

	mkbox(v, "");
	mkbox(v, ".a");
	mkbox(v, ".a.b");
	put(v, ".a/cur/1", "1");
	assert_int_equal(rename_box(v, "", ".x"), ERR_BUG);
	assert_int_equal(rename_box(v, ".a", ""), ERR_STALE);
	assert_int_equal(rename_box(v, ".a", ".x.y"), 0);
	assert_text(v->fd, ".x.y/cur/1", "1");
	assert_false(exists(v, ".x"));
	assert_true(exists(v, ".a.b/cur"));
	assert_int_equal(rename_box(v, ".a.b", ".x.y.b"), 0);
	assert_int_equal(rename_box(v, ".x.y", ".x.y.b"), ERR_STALE);
	assert_true(exists(v, "cur"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_mailbox_goes_with_all_that_lies_in_it),
	    TEST(it_may_go_up_and_down_and_parents_are_made),
	    TEST(what_is_there_is_not_replaced),
	    TEST(only_a_mailbox_is_renamed_and_links_are_not_followed),
	    TEST(not_below_itself),
	    TEST(inbox_stays_where_it_is),
	    cmocka_unit_test_setup_teardown(
		in_maildirpp_only_that_one_directory_moves, setup_pp, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
