/*
 * What readdir(3) may say, and does not on the file systems of most tests: no
 * type (NFS, XFS without ftype, FUSE), and names longer than NAME_MAX (NTFS,
 * CIFS, FUSE).  It is wrapped by the linker; see src/maildir/local.mk.
 */
#include "mailbox.h"

static struct {
	bool no_type;
	const char *name; /* of a file that is there, too; told once */
} says;

static union {
	struct dirent x;
	char octets[offsetof(struct dirent, d_name) + 1024];
} longer;

struct dirent *__real_readdir(DIR *d);
struct dirent *__wrap_readdir(DIR *d);

struct dirent *
__wrap_readdir(DIR *d)
{
	struct dirent *x;

	if (says.name) {
		memset(&longer, 0, sizeof longer);
		longer.x.d_type = DT_REG;
		memcpy(longer.octets + offsetof(struct dirent, d_name),
		    says.name, strlen(says.name));
		says.name = NULL;
		return &longer.x;
	}
	x = __real_readdir(d);
	if (x && says.no_type)
		x->d_type = DT_UNKNOWN;
	return x;
}

static struct maildir_dir *dirs;
static size_t ndirs;
static struct lview view;

static void
scan(struct env *v)
{
	struct maildir_stamp stamp;

	assert_int_equal(maildir_scan(v->m, SPAN("a"), NULL, &v->mem, &view,
			     &stamp, NULL, &v->e),
	    0);
	assert_true(view.complete);
}

static int
reset(void **state)
{
	says.no_type = false;
	says.name = NULL;
	return teardown(state);
}

static void
what_has_no_type_is_asked_for_it(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	mkbox(v, "b/c");
	put(v, "a/cur/x:2,S", "one");
	mkdirs(v, "a/cur/directory");
	assert_int_equal(symlinkat("x:2,S", v->fd, "a/cur/link"), 0);
	assert_int_equal(symlinkat("a", v->fd, "link"), 0);
	put(v, "file", "x");
	says.no_type = true;
	assert_int_equal(
	    maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e), 0);
	assert_int_equal(ndirs, 3);
	assert_span(dirs[0].path, "a");
	assert_span(dirs[1].path, "b/c");
	assert_span(dirs[2].path, "link");
	assert_true(dirs[0].has_cur && dirs[0].has_new);
	assert_true(dirs[2].is_link);
	scan(v);
	assert_int_equal(view.n, 1);
	assert_span(view.v[0].file, "cur/x:2,S");
}

/* Without the right to search it, a directory tells names and no more. */
static void
a_directory_that_cannot_be_told_is_not_taken_for_absent(void **state)
{
	static const char *const closed[] = {"a", "b"};
	struct env *v = *state;

	be_nobody(v);
	mkbox(v, "a");
	mkbox(v, "b/c");
	says.no_type = true;
	for (int i = 0; i < 2; i++) {
		dirs = NULL;
		assert_int_equal(fchmodat(v->fd, closed[i], 0600, 0), 0);
		assert_int_equal(
		    maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e), ERR_IO);
		assert_int_equal(v->e.sys, EACCES);
		assert_int_equal(v->e.scope, ERR_SCOPE_ACCOUNT);
		assert_null(dirs);
		assert_int_equal(fchmodat(v->fd, closed[i], 0700, 0), 0);
	}
}

static void
what_cannot_be_told_where_no_directory_can_be_stops_nothing(void **state)
{
	struct env *v = *state;
	struct stat st;

	be_nobody(v);
	mkbox(v, "a");
	put(v, "z-file", "x");
	mkdirs(v, "z");
	put(v, "z/file", "x");
	assert_int_equal(fstatat(v->fd, "z", &st, 0), 0);
	if (st.st_nlink != 2)
		skip(); /* this file system does not count */
	assert_int_equal(fchmodat(v->fd, "z", 0600, 0), 0);
	says.no_type = true;
	assert_int_equal(
	    maildir_list(v->m, &v->mem, &dirs, &ndirs, &v->e), 0);
	assert_int_equal(ndirs, 1);
}

/* Nor is one of two that have a base name in common. */
static void
a_file_that_cannot_be_told_is_not_taken_for_absent(void **state)
{
	struct env *v = *state;

	be_nobody(v);
	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	put(v, "a/cur/y:2,", "two");
	put(v, "a/cur/y:2,S", "three");
	assert_int_equal(linkat(v->fd, "a/cur/y:2,", v->fd, "a/new/y", 0), 0);
	assert_int_equal(fchmodat(v->fd, "a/cur", 0600, 0), 0);
	for (int i = 0; i < 2; i++) {
		says.no_type = i;
		scan(v);
		assert_int_equal(view.n, 4);
	}
	assert_int_equal(fchmodat(v->fd, "a/cur", 0700, 0), 0);
	scan(v);
	assert_int_equal(view.n, 3); /* new/y is cur/y:2, */
}

static void
a_name_longer_than_others_is_a_file_that_is_not_known(void **state)
{
	struct env *v = *state;
	struct maildir_stamp stamp;
	struct nameset known;
	struct buf name;
	struct uidset gone;

	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	buf_init(&name, 1024);
	buf_add_str(&name, "new/");
	while (name.n < 800)
		buf_add_str(&name, "x");
	nameset_init(&known);
	nameset_add(&known, SPAN("cur/x:2,S"), 1);
	nameset_add(&known, buf_span(&name), 2);
	says.name = buf_cstr(&name) + 4;
	assert_int_equal(maildir_scan_rest(v->m, SPAN("a"), NULL, &known,
			     &v->mem, &view, &stamp, NULL, &v->e),
	    0);
	assert_true(view.complete && view.delta);
	assert_int_equal(view.n, 1);
	assert_span(view.v[0].file, buf_cstr(&name));
	uidset_init(&gone);
	nameset_unseen(&known, &gone);
	assert_int_equal(uidset_count(&gone), 1);
	assert_true(uidset_has(&gone, 2)); /* so its row is looked at */
	uidset_release(&gone);
	nameset_release(&known);
	buf_release(&name);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_has_no_type_is_asked_for_it),
	    TEST(a_directory_that_cannot_be_told_is_not_taken_for_absent),
	    TEST(what_cannot_be_told_where_no_directory_can_be_stops_nothing),
	    TEST(a_file_that_cannot_be_told_is_not_taken_for_absent),
	    TEST(a_name_longer_than_others_is_a_file_that_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
