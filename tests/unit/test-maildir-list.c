#include "mailbox.h"

static struct maildir_dir *dirs;
static size_t ndirs;

static void
list(struct env *v)
{
	assert_int_equal(maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e), 0);
}

static void
assert_dir(size_t i, const char *path, bool has_cur, bool has_new)
{
	assert_true(i < ndirs);
	assert_span(dirs[i].path, path);
	assert_int_equal(dirs[i].has_cur, has_cur);
	assert_int_equal(dirs[i].has_new, has_new);
}

static void
a_missing_root_is_enoent(void **state)
{
	struct maildir *m = NULL;
	struct env *v = *state;
	char *path = arena_printf(&v->mem, "%s/a/b", v->root);

	assert_int_equal(
	    maildir_open(&m, path, LAYOUT_NESTED, &v->e), ERR_IO);
	assert_int_equal(v->e.sys, ENOENT);
	assert_null(m);
	assert_int_equal(maildir_create_root(path, &v->e), 0);
	assert_int_equal(maildir_create_root(path, &v->e), 0);
	assert_int_equal(maildir_open(&m, path, LAYOUT_NESTED, &v->e), 0);
	maildir_free(&m);
	maildir_free(&m);
}

static void
an_empty_root_has_no_mailboxes(void **state)
{
	list(*state);
	assert_int_equal(ndirs, 0);
}

static void
nested_mailboxes_come_in_path_order_with_what_they_have(void **state)
{
	struct env *v = *state;

	mkbox(v, "b");
	mkbox(v, "INBOX");
	mkbox(v, "a/b/c");
	mkdirs(v, "half/cur");
	mkdirs(v, "other/new");
	mkdirs(v, "only/tmp");
	mkdirs(v, "plain/folder");
	mkdirs(v, ".hidden/cur");
	mkdirs(v, ".hidden/new");
	mkdirs(v, "b/.notmuch/cur");
	put(v, "b/dovecot.index", "x");
	put(v, "file", "x");
	list(v);
	assert_int_equal(ndirs, 5);
	assert_dir(0, "INBOX", true, true);
	assert_dir(1, "a/b/c", true, true);
	assert_dir(2, "b", true, true);
	assert_dir(3, "half", true, false);
	assert_dir(4, "other", false, true);
}

static void
in_the_nested_layout_the_root_is_no_mailbox(void **state)
{
	struct env *v = *state;

	mkdirs(v, "cur");
	mkdirs(v, "new");
	mkbox(v, "x");
	list(v);
	assert_int_equal(ndirs, 1);
	assert_dir(0, "x", true, true);
}

static void
maildirpp_has_the_root_and_dotted_names_beside_it(void **state)
{
	struct env *v = *state;

	maildir_free(&v->m);
	assert_int_equal(
	    maildir_open(&v->m, v->root, LAYOUT_MAILDIRPP, &v->e), 0);
	mkbox(v, "");
	mkbox(v, ".a.b");
	mkbox(v, ".a");
	mkbox(v, "plain");
	mkbox(v, ".a/.deeper");
	list(v);
	assert_int_equal(ndirs, 3);
	assert_dir(0, "", true, true);
	assert_dir(1, ".a", true, true);
	assert_dir(2, ".a.b", true, true);
}

static void
symlinks_are_told_but_not_entered(void **state)
{
	struct env *v = *state;

	mkbox(v, "real");
	mkdirs(v, "linked/new");
	assert_int_equal(symlinkat("real", v->fd, "link"), 0);
	assert_int_equal(symlinkat("../real/cur", v->fd, "linked/cur"), 0);
	assert_int_equal(symlinkat("..", v->fd, "real/loop"), 0);
	assert_int_equal(symlinkat("not-mounted", v->fd, "dangling"), 0);
	assert_int_equal(symlinkat("real", v->fd, ".hidden"), 0);
	put(v, "file", "x");
	assert_int_equal(symlinkat("file", v->fd, "to-file"), 0);
	list(v);
	assert_int_equal(ndirs, 5);
	assert_dir(0, "dangling", false, false);
	assert_dir(1, "link", false, false);
	assert_dir(2, "linked", false, true);
	assert_dir(3, "real", true, true);
	assert_dir(4, "real/loop", false, false);
	for (size_t i = 0; i < ndirs; i++)
		assert_int_equal(dirs[i].is_link, i != 2 && i != 3);
}

static void
sixty_four_levels_are_listed_and_sixty_five_refused(void **state)
{
	struct env *v = *state;
	struct maildir_dir *keep;
	struct buf b;

	buf_init(&b, 1024);
	for (int i = 0; i < 62; i++)
		buf_add_str(&b, i ? "/d" : "d");
	mkbox(v, buf_cstr(&b));
	list(v);
	assert_int_equal(ndirs, 1);
	buf_add_str(&b, "/d/d");
	mkdirs(v, buf_cstr(&b));
	list(v);
	buf_add_str(&b, "/d");
	mkdirs(v, buf_cstr(&b));
	keep = dirs;
	assert_int_equal(maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e),
	    ERR_TOOBIG);
	assert_ptr_equal(dirs, keep);
	assert_int_equal(ndirs, 1);
	buf_release(&b);
}

static void
an_unreadable_directory_without_directories_stops_nothing(void **state)
{
	struct env *v = *state;
	struct stat st;

	be_nobody(v);
	mkbox(v, "a");
	mkdirs(v, "lost+found");
	put(v, "lost+found/#123", "x");
	mkdirs(v, "z");
	assert_int_equal(fstatat(v->fd, "z", &st, 0), 0);
	if (st.st_nlink != 2)
		skip(); /* this file system does not count */
	assert_int_equal(fchmodat(v->fd, "lost+found", 0, 0), 0);
	assert_int_equal(fchmodat(v->fd, "z", 0, 0), 0);
	list(v);
	assert_int_equal(ndirs, 1);
	assert_dir(0, "a", true, true);
}

static void
others(struct env *v, size_t n, const char *path)
{
	struct span first = SPAN("");
	size_t got;

	assert_int_equal(
	    maildir_list_others(v->m, &v->mem, &first, &got, &v->e), 0);
	assert_int_equal(got, n);
	assert_span(first, path);
}

static void
what_only_the_other_layout_would_list_is_counted(void **state)
{
	struct env *v = *state;

	mkbox(v, "INBOX");
	mkdirs(v, ".notmuch/xapian");
	mkdirs(v, "INBOX/.x/tmp");
	mkdirs(v, "tmp/cur");
	others(v, 0, "");
	mkdirs(v, "INBOX/.b/new");
	mkdirs(v, "INBOX/.a/cur");
	mkdirs(v, "INBOX/.a/.in/cur");
	others(v, 2, "INBOX/.a");
}

/* Else its messages would be taken for deleted. */
static void
an_unreadable_directory_that_may_hold_mailboxes_is_an_error(void **state)
{
	struct env *v = *state;

	be_nobody(v);
	mkbox(v, "a");
	mkbox(v, "b/c");
	for (int i = 0; i < 2; i++) {
		const char *path = i ? "b" : "a";

		dirs = NULL;
		assert_int_equal(fchmodat(v->fd, path, 0, 0), 0);
		assert_int_equal(
		    maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e), ERR_IO);
		assert_int_equal(v->e.sys, EACCES);
		assert_int_equal(v->e.scope, ERR_SCOPE_ACCOUNT);
		assert_null(dirs);
		assert_int_equal(fchmodat(v->fd, path, 0700, 0), 0);
	}
}

static void
a_thousand_mailboxes_are_listed(void **state)
{
	struct env *v = *state;

	for (int i = 0; i < 1000; i++) {
		char path[32];

		snprintf(path, sizeof path, "m%04d", i);
		assert_int_equal(mkdirat(v->fd, path, 0700), 0);
		snprintf(path, sizeof path, "m%04d/cur", i);
		assert_int_equal(mkdirat(v->fd, path, 0700), 0);
	}
	list(v);
	assert_int_equal(ndirs, 1000);
	for (size_t i = 1; i < ndirs; i++)
		assert_true(span_cmp(dirs[i - 1].path, dirs[i].path) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_missing_root_is_enoent),
	    TEST(an_empty_root_has_no_mailboxes),
	    TEST(nested_mailboxes_come_in_path_order_with_what_they_have),
	    TEST(in_the_nested_layout_the_root_is_no_mailbox),
	    TEST(maildirpp_has_the_root_and_dotted_names_beside_it),
	    TEST(what_only_the_other_layout_would_list_is_counted),
	    TEST(symlinks_are_told_but_not_entered),
	    TEST(sixty_four_levels_are_listed_and_sixty_five_refused),
	    TEST(an_unreadable_directory_without_directories_stops_nothing),
	    TEST(an_unreadable_directory_that_may_hold_mailboxes_is_an_error),
	    TEST(a_thousand_mailboxes_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
