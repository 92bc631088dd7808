/* move: a message goes to another mailbox, and nothing else changes. */
#include "mailbox.h"

#include "base/clock.h"

static struct lmsg msg;
static struct flags shown;

/* In both mailboxes the letters mean other things. */
static const struct kwletters letters = {.id = {[0] = 7, [2] = KW_PASSED}};

static int
move_from(struct env *v, const char *from, const char *file, const char *to,
    struct flags f)
{
	return maildir_move_to(v->m, &v->mem, span_str(from), span_str(file),
	    span_str(to), f, &letters, &shown, &msg, &v->e);
}

static int
move(struct env *v, const char *file, uint32_t sys, uint32_t kw)
{
	struct flags f = flags_with_kw(&v->mem, (struct flags){.sys = sys}, kw);

	return move_from(v, "a", file, "b", f);
}

static void
assert_msg(struct env *v, const char *box, const char *file)
{
	struct stat st;

	if (!span_eq(msg.file, span_str(file)))
		fail_msg("'%.*s' is not '%s'", SPAN_ARG(msg.file), file);
	assert_int_equal(
	    fstatat(v->fd, arena_printf(&v->mem, "%s/%s", box, file), &st,
		AT_SYMLINK_NOFOLLOW),
	    0);
	assert_true(msg.has_stat);
	assert_int_equal(msg.ino, st.st_ino);
	assert_int_equal(msg.fsize, st.st_size);
	assert_true(msg.mtime_ns == (int64_t)st.st_mtim.tv_sec * 1000000000 +
					st.st_mtim.tv_nsec);
	assert_true(span_eq(
	    msg.base, name_split(span_of(file + 4, strlen(file) - 4)).base));
	assert_true(flags_eq(msg.flags, shown));
}

static void
boxes(struct env *v)
{
	mkbox(v, "a");
	mkbox(v, "b");
}

static void
a_message_moves_by_rename_with_its_time_and_base(void **state)
{
	struct env *v = *state;
	struct stat st;

	boxes(v);
	put(v, "a/cur/1.x:2,S", "text");
	age(v, "a/cur/1.x:2,S", 1500000000, 5);
	assert_int_equal(
	    fstatat(v->fd, "a/cur/1.x:2,S", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(
	    move(v, "cur/1.x:2,S", FLAG_SEEN | FLAG_FLAGGED, 0), 0);
	assert_msg(v, "b", "cur/1.x:2,FS");
	assert_int_equal(msg.ino, st.st_ino);
	assert_true(msg.mtime_ns == 1500000000LL * 1000000000 + 5);
	assert_int_equal(shown.sys, FLAG_SEEN | FLAG_FLAGGED);
	assert_text(v->fd, "b/cur/1.x:2,FS", "text");
	assert_int_equal(count_at(v->fd, "a/cur"), 0);
	assert_int_equal(maildir_sync(v->m, SPAN("b"), &v->e), 0);
	assert_int_equal(maildir_sync(v->m, SPAN("a"), &v->e), 0);
	/* gone: no guess */
	assert_int_equal(move(v, "cur/1.x:2,S", 0, 0), ERR_STALE);
	assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
}

static void
a_new_message_stays_new_unless_it_shows_something(void **state)
{
	struct env *v = *state;

	boxes(v);
	put(v, "a/new/1.x", "1");
	put(v, "a/new/2.x", "2");
	put(v, "a/new/3.x:2,S", "3");
	put(v, "a/cur/4.x", "4");
	put(v, "a/new/5.x:2,k", "5");
	assert_int_equal(move(v, "new/1.x", 0, 0), 0);
	assert_msg(v, "b", "new/1.x");
	assert_int_equal(move(v, "new/2.x", 0, 7), 0);
	assert_msg(v, "b", "cur/2.x:2,a");
	assert_true(flags_has_kw(shown, 7));
	assert_int_equal(move(v, "new/3.x:2,S", FLAG_SEEN, 0), 0);
	assert_msg(v, "b", "cur/3.x:2,S");
	assert_int_equal(move(v, "cur/4.x", 0, 0), 0);
	assert_msg(v, "b", "cur/4.x:2,");
	/* keyword 9 has no letter: nothing to show */
	assert_int_equal(move(v, "new/5.x:2,k", 0, 9), 0);
	assert_msg(v, "b", "new/5.x:2,");
	assert_true(flags_empty(shown));
}

/* Letter b was "junk" in a; in b it may become "family". */
static void
keyword_letters_end_with_their_mailbox_and_others_stay(void **state)
{
	struct env *v = *state;

	boxes(v);
	put(v, "a/cur/1.x:2,Sabz", "1");
	put(v, "a/cur/2.x:2,SXb,U=7;b", "2");
	put(v, "a/cur/3.x:2,Pc", "3");
	assert_int_equal(move(v, "cur/1.x:2,Sabz", FLAG_SEEN, 0), 0);
	assert_msg(v, "b", "cur/1.x:2,S");
	assert_int_equal(move(v, "cur/2.x:2,SXb,U=7;b", FLAG_SEEN, 7), 0);
	assert_msg(v, "b", "cur/2.x:2,SXa,U=7;b");
	assert_int_equal(shown.n, 1);
	assert_int_equal(move(v, "cur/3.x:2,Pc", FLAG_PASSED, 0), 0);
	assert_msg(v, "b", "cur/3.x:2,P");
	assert_int_equal(shown.sys, FLAG_PASSED);
}

static void
within_one_mailbox_letters_stay_and_it_may_be_no_move_at_all(void **state)
{
	struct env *v = *state;
	struct flags seen = {.sys = FLAG_SEEN};

	boxes(v);
	put(v, "a/cur/1.x:2,Sbz", "1");
	assert_int_equal(move_from(v, "a", "cur/1.x:2,Sbz", "a", seen), 0);
	assert_msg(v, "a", "cur/1.x:2,Sbz");
	assert_int_equal(
	    move_from(v, "a", "cur/1.x:2,Sbz", "a", FLAGS_NONE), 0);
	assert_msg(v, "a", "cur/1.x:2,bz");
	/* the name is another file's */
	put(v, "a/cur/1.x:2,Sbz", "other");
	assert_int_equal(move_from(v, "a", "cur/1.x:2,bz", "a", seen), 0);
	assert_text(v->fd, "a/cur/1.x:2,Sbz", "other");
	assert_false(span_eq(msg.base, SPAN("1.x")));
	assert_true(
	    span_eq(span_of(msg.file.p + msg.file.n - 6, 6), SPAN(":2,Sbz")));
	assert_text(
	    v->fd, arena_printf(&v->mem, "a/%.*s", SPAN_ARG(msg.file)), "1");
	assert_int_equal(
	    move_from(v, "a", "cur/9.x:2,", "a", FLAGS_NONE), ERR_STALE);
}

static void
a_base_that_the_mailbox_has_is_not_given_twice(void **state)
{
	struct env *v = *state;
	struct span first;

	boxes(v);
	put(v, "b/new/1.x", "old 1");
	put(v, "b/cur/2.x:2,S", "old 2");
	put(v, "a/cur/1.x:2,Sb", "new 1");
	put(v, "a/cur/2.x:2,S", "new 2");
	put(v, "a/cur/3.x:2,", "one 3");
	put(v, "a/cur/3.x:2,S", "two 3");
	put(v, "a/cur/4.x:2,", "new 4");
	assert_int_equal(move(v, "cur/1.x:2,Sb", FLAG_SEEN, 0), 0);
	assert_false(span_eq(msg.base, SPAN("1.x")));
	assert_text(v->fd, arena_printf(&v->mem, "b/%.*s", SPAN_ARG(msg.file)),
	    "new 1");
	assert_true(
	    span_eq(name_split(span_of(msg.file.p + 4, msg.file.n - 4)).info,
		SPAN("S")));
	assert_int_equal(move(v, "cur/2.x:2,S", FLAG_SEEN, 0), 0);
	assert_false(span_eq(msg.base, SPAN("2.x")));
	/* nor one that came with the move before */
	assert_int_equal(move(v, "cur/3.x:2,", 0, 0), 0);
	assert_msg(v, "b", "cur/3.x:2,");
	assert_int_equal(move(v, "cur/3.x:2,S", FLAG_SEEN, 0), 0);
	assert_false(span_eq(msg.base, SPAN("3.x")));
	first = msg.base;
	/* nor one that somebody else put there just now under that name */
	put(v, "b/cur/4.x:2,S", "theirs");
	assert_int_equal(move(v, "cur/4.x:2,", FLAG_SEEN, 0), 0);
	assert_false(span_eq(msg.base, SPAN("4.x")));
	assert_false(span_eq(msg.base, first));
	assert_text(v->fd, "b/new/1.x", "old 1");
	assert_text(v->fd, "b/cur/2.x:2,S", "old 2");
	assert_text(v->fd, "b/cur/3.x:2,", "one 3");
	assert_text(v->fd, "b/cur/4.x:2,S", "theirs");
	assert_int_equal(count_at(v->fd, "b/cur"), 7);
	assert_int_equal(count_at(v->fd, "a/cur"), 0);
}

static void
bases_are_read_again_when_the_mailbox_is(void **state)
{
	struct env *v = *state;
	struct maildir_stamp stamp;
	struct lview view;

	boxes(v);
	put(v, "a/cur/1.x:2,", "1");
	put(v, "a/cur/2.x:2,", "2");
	assert_int_equal(move(v, "cur/1.x:2,", 0, 0), 0);
	put(v, "b/cur/2.x:2,F", "theirs");
	assert_int_equal(maildir_scan(v->m, SPAN("b"), NULL, &v->mem, &view,
			     &stamp, NULL, &v->e),
	    0);
	assert_int_equal(move(v, "cur/2.x:2,", 0, 0), 0);
	assert_false(span_eq(msg.base, SPAN("2.x")));
}

static void
what_is_no_message_does_not_move(void **state)
{
	struct env *v = *state;

	boxes(v);
	put(v, "outside", "secret");
	assert_int_equal(symlinkat("../../outside", v->fd, "a/cur/1.x"), 0);
	assert_int_equal(mkfifoat(v->fd, "a/cur/2.x", 0600), 0);
	mkdirs(v, "a/cur/3.x");
	put(v, "a/cur/.hidden", "");
	for (int i = 0; i < 5; i++) {
		static const char *const file[] = {
		    "cur/1.x", "cur/2.x", "cur/3.x", "cur/.hidden", "tmp/x"};

		assert_int_equal(move(v, file[i], FLAG_SEEN, 0), ERR_STALE);
	}
	assert_int_equal(count_at(v->fd, "b/cur"), 0);
	assert_int_equal(count_at(v->fd, "a/cur"), 4);
	/* a mailbox that is a link to another is none */
	put(v, "a/cur/4.x:2,", "4");
	assert_int_equal(symlinkat("b", v->fd, "c"), 0);
	assert_int_equal(
	    move_from(v, "a", "cur/4.x:2,", "c", FLAGS_NONE), ERR_STALE);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(
	    move_from(v, "a", "cur/4.x:2,", "none", FLAGS_NONE), ERR_STALE);
	assert_int_equal(unlinkat(v->fd, "b/new", AT_REMOVEDIR), 0);
	assert_int_equal(
	    maildir_scan(v->m, SPAN("a"), NULL, &v->mem, &(struct lview){0},
		&(struct maildir_stamp){0}, NULL, &v->e),
	    0);
	assert_int_equal(move(v, "cur/4.x:2,", 0, 0), ERR_STALE);
	assert_text(v->fd, "a/cur/4.x:2,", "4");
}

static void
outs_are_untouched_by_a_failure(void **state)
{
	struct env *v = *state;
	struct lmsg keep = {.klass = 77};
	struct flags kept = {.sys = 99};

	boxes(v);
	assert_int_equal(
	    maildir_move_to(v->m, &v->mem, SPAN("a"), SPAN("cur/1"), SPAN("b"),
		FLAGS_NONE, &letters, &kept, &keep, &v->e),
	    ERR_STALE);
	assert_int_equal(keep.klass, 77);
	assert_int_equal(kept.sys, 99);
}

/* Many messages between many mailboxes: the directories are read once. */
static void
many_moves_into_a_large_mailbox_are_fast(void **state)
{
	struct env *v = *state;
	int64_t begin;

	boxes(v);
	for (int i = 0; i < 20000; i++)
		put(v, arena_printf(&v->mem, "b/cur/b%d:2,S", i), "");
	for (int i = 0; i < 2000; i++)
		put(v, arena_printf(&v->mem, "a/cur/a%d:2,S", i), "");
	begin = clock_mono_ms();
	for (int i = 0; i < 2000; i++)
		assert_int_equal(
		    move(v, arena_printf(&v->mem, "cur/a%d:2,S", i), FLAG_SEEN,
			0),
		    0);
	begin = clock_mono_ms() - begin;
	print_message("2000 moves: %d ms\n", (int)begin);
	assert_int_equal(count_at(v->fd, "b/cur"), 22000);
	/* reading 20000 names each time takes some 20 s */
	assert_true(begin < 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_message_moves_by_rename_with_its_time_and_base),
	    TEST(a_new_message_stays_new_unless_it_shows_something),
	    TEST(keyword_letters_end_with_their_mailbox_and_others_stay),
	    TEST(within_one_mailbox_letters_stay_and_it_may_be_no_move_at_all),
	    TEST(a_base_that_the_mailbox_has_is_not_given_twice),
	    TEST(bases_are_read_again_when_the_mailbox_is),
	    TEST(what_is_no_message_does_not_move),
	    TEST(outs_are_untouched_by_a_failure),
	    TEST(many_moves_into_a_large_mailbox_are_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
