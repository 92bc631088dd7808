/* copy: one more of a message, whole, under a new name. */
#include "mailbox.h"

static struct lmsg msg;
static struct flags shown;

static const struct kwletters letters = {.id = {[0] = 7}};

static const enum maildir_copy_how hows[] = {
    MAILDIR_COPY_REFLINK, MAILDIR_COPY_LINK, MAILDIR_COPY_BYTES};

static int
copy(struct env *v, const char *file, const char *to, enum maildir_copy_how how,
    struct flags f)
{
	return maildir_copy_to(v->m, &v->mem, SPAN("a"), span_str(file),
	    span_str(to), how, f, &letters, &shown, &msg, &v->e);
}

/* What was made, below the root. */
static const char *
made(struct env *v, const char *box)
{
	return arena_printf(&v->mem, "%s/%.*s", box, SPAN_ARG(msg.file));
}

static struct stat
stat_of(struct env *v, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(v->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void
boxes(struct env *v)
{
	mkbox(v, "a");
	mkbox(v, "b");
}

static struct span
info(void)
{
	return name_split(span_of(msg.file.p + 4, msg.file.n - 4)).info;
}

static void
a_copy_has_the_bytes_and_the_time_and_another_base(void **state)
{
	struct env *v = *state;
	struct flags f = {.sys = FLAG_FLAGGED};

	boxes(v);
	put(v, "a/cur/1.x:2,Sb", "text");
	age(v, "a/cur/1.x:2,Sb", 1500000000, 5);
	f = flags_with_kw(&v->mem, f, 7);
	for (int i = 0; i < 3; i++) {
		struct stat st;

		assert_int_equal(copy(v, "cur/1.x:2,Sb", "b", hows[i], f), 0);
		st = stat_of(v, made(v, "b"));
		assert_text(v->fd, made(v, "b"), "text");
		assert_true(span_starts(msg.file, SPAN("cur/")));
		assert_true(span_eq(info(), SPAN("Fa")));
		assert_false(span_eq(msg.base, SPAN("1.x")));
		assert_true(flags_eq(shown, f));
		assert_true(flags_eq(msg.flags, f));
		assert_int_equal(st.st_mtim.tv_sec, 1500000000);
		assert_int_equal(st.st_mtim.tv_nsec, 5);
		assert_true(msg.has_stat);
		assert_int_equal(msg.ino, st.st_ino);
		assert_int_equal(msg.fsize, 4);
		assert_true(msg.mtime_ns == 1500000000LL * 1000000000 + 5);
		assert_int_equal(count_at(v->fd, "b/cur"), i + 1);
	}
	assert_text(v->fd, "a/cur/1.x:2,Sb", "text");
	assert_int_equal(count_at(v->fd, "b/tmp"), 0);
	assert_int_equal(maildir_sync(v->m, SPAN("b"), &v->e), 0);
}

static void
a_link_is_one_file_and_the_others_are_files_of_their_own(void **state)
{
	struct env *v = *state;
	ino_t ino;

	boxes(v);
	put(v, "a/cur/1.x:2,", "text");
	ino = stat_of(v, "a/cur/1.x:2,").st_ino;
	for (int i = 0; i < 3; i++) {
		struct stat st;

		assert_int_equal(
		    copy(v, "cur/1.x:2,", "b", hows[i], FLAGS_NONE), 0);
		st = stat_of(v, made(v, "b"));
		assert_int_equal(
		    st.st_ino == ino, hows[i] == MAILDIR_COPY_LINK);
		if (hows[i] != MAILDIR_COPY_LINK)
			assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(stat_of(v, "a/cur/1.x:2,").st_nlink, 2);
}

static void
a_copy_in_the_same_mailbox_keeps_letters_and_is_a_message(void **state)
{
	struct env *v = *state;
	struct maildir_stamp stamp;
	struct lview view;

	boxes(v);
	put(v, "a/cur/1.x:2,SXb", "text");
	put(v, "a/new/2.x", "new");
	for (int i = 0; i < 3; i++) {
		struct flags f = {.sys = FLAG_SEEN};

		assert_int_equal(copy(v, "cur/1.x:2,SXb", "a", hows[i], f), 0);
		assert_true(span_eq(info(), SPAN("SXb")));
		assert_int_equal(
		    copy(v, "new/2.x", "a", hows[i], FLAGS_NONE), 0);
		assert_true(span_starts(msg.file, SPAN("new/")));
		assert_false(name_split(span_of(msg.file.p + 4, msg.file.n - 4))
				 .has_info);
		assert_int_equal(copy(v, "new/2.x", "a", hows[i], f), 0);
		assert_true(span_starts(msg.file, SPAN("cur/")));
		assert_true(span_eq(info(), SPAN("S")));
	}
	assert_int_equal(maildir_scan(v->m, SPAN("a"), NULL, &v->mem, &view,
			     &stamp, NULL, &v->e),
	    0);
	assert_int_equal(view.n, 2 + 3 * 3);
}

static void
what_is_large_or_empty_is_copied_whole(void **state)
{
	struct env *v = *state;
	size_t n = (3u << 20) + 17;
	AUTO_STR big = xalloc(n);

	boxes(v);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i * 2654435761u >> 13);
	put_at(v->fd, "a/cur/1.x:2,", big, n);
	put(v, "a/cur/2.x:2,", "");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    copy(v, "cur/1.x:2,", "b", hows[i], FLAGS_NONE), 0);
		assert_bytes(v->fd, made(v, "b"), big, n);
		assert_int_equal(msg.fsize, n);
		assert_int_equal(
		    copy(v, "cur/2.x:2,", "b", hows[i], FLAGS_NONE), 0);
		assert_bytes(v->fd, made(v, "b"), "", 0);
	}
}

static void
a_missing_tmp_is_made(void **state)
{
	struct env *v = *state;

	boxes(v);
	put(v, "a/cur/1.x:2,", "text");
	assert_int_equal(unlinkat(v->fd, "b/tmp", AT_REMOVEDIR), 0);
	assert_int_equal(
	    copy(v, "cur/1.x:2,", "b", MAILDIR_COPY_BYTES, FLAGS_NONE), 0);
	assert_text(v->fd, made(v, "b"), "text");
	assert_int_equal(count_at(v->fd, "b/tmp"), 0);
}

static void
what_is_no_message_is_not_copied_and_leaves_nothing(void **state)
{
	static const char *const file[] = {"cur/1.x", "cur/2.x", "cur/3.x",
	    "cur/gone", "cur/../../outside", "tmp/x"};
	struct env *v = *state;
	struct lmsg keep = {.klass = 77};
	struct flags kept = {.sys = 99};

	boxes(v);
	put(v, "outside", "secret");
	assert_int_equal(symlinkat("../../outside", v->fd, "a/cur/1.x"), 0);
	assert_int_equal(mkfifoat(v->fd, "a/cur/2.x", 0600), 0);
	mkdirs(v, "a/cur/3.x");
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 6; k++) {
			assert_int_equal(
			    maildir_copy_to(v->m, &v->mem, SPAN("a"),
				span_str(file[k]), SPAN("b"), hows[i],
				FLAGS_NONE, &letters, &kept, &keep, &v->e),
			    ERR_STALE);
			assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
		}
	assert_int_equal(keep.klass, 77);
	assert_int_equal(kept.sys, 99);
	put(v, "a/cur/4.x", "4");
	assert_int_equal(
	    copy(v, "cur/4.x", "none", MAILDIR_COPY_BYTES, FLAGS_NONE),
	    ERR_STALE);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(count_at(v->fd, "b/cur"), 0);
	assert_int_equal(count_at(v->fd, "b/new"), 0);
	assert_int_equal(count_at(v->fd, "b/tmp"), 0);
}

static void
where_nothing_can_be_written_no_half_copy_stays(void **state)
{
	struct env *v = *state;

	be_nobody(v);
	boxes(v);
	put(v, "a/cur/1.x:2,", "text");
	assert_int_equal(fchmodat(v->fd, "b/cur", 0500, 0), 0);
	for (int i = 0; i < 3; i++) {
		int rc = copy(v, "cur/1.x:2,", "b", hows[i], FLAGS_NONE);

		assert_int_equal(rc, ERR_IO);
		assert_int_equal(v->e.sys, EACCES);
		assert_int_equal(count_at(v->fd, "b/tmp"), 0);
		assert_int_equal(count_at(v->fd, "b/cur"), 0);
	}
	assert_int_equal(fchmodat(v->fd, "b/cur", 0700, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_copy_has_the_bytes_and_the_time_and_another_base),
	    TEST(a_link_is_one_file_and_the_others_are_files_of_their_own),
	    TEST(a_copy_in_the_same_mailbox_keeps_letters_and_is_a_message),
	    TEST(what_is_large_or_empty_is_copied_whole),
	    TEST(a_missing_tmp_is_made),
	    TEST(what_is_no_message_is_not_copied_and_leaves_nothing),
	    TEST(where_nothing_can_be_written_no_half_copy_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
