/* scan, while others move, rename, and forbid. */
#include "mailbox.h"

#include "base/clock.h"
#include "base/map.h"

#include <pthread.h>

static struct lview view;
static struct maildir_stamp stamp;
static uint32_t letters_seen;

static void
scan(struct env *v, const struct kwletters *letters)
{
	assert_int_equal(maildir_scan(v->m, SPAN("a"), letters, &v->mem, &view,
			     &stamp, &letters_seen, &v->e),
	    0);
}

static const struct lmsg *
find(const char *file)
{
	for (size_t i = 0; i < view.n; i++)
		if (span_eq(view.v[i].file, span_str(file)))
			return &view.v[i];
	return NULL;
}

static void
files_of_both_directories_are_shown_with_base_and_flags(void **state)
{
	struct env *v = *state;
	const struct lmsg *m;

	mkbox(v, "a");
	put(v, "a/new/1.x", "");
	put(v, "a/new/2.x:2,F", "");
	put(v, "a/cur/3.x:2,DFPRST", "");
	put(v, "a/cur/4.x:2,", "");
	put(v, "a/cur/5.x", "");
	put(v, "a/cur/6:1,y", "");
	put(v, "a/cur/7 \n\xff:2,S", "");
	scan(v, NULL);
	assert_true(view.complete);
	assert_int_equal(view.n, 7);
	m = find("new/1.x");
	assert_non_null(m);
	assert_span(m->base, "1.x");
	assert_true(flags_empty(m->flags));
	assert_false(m->has_stat);
	assert_false(m->has_content);
	m = find("new/2.x:2,F");
	assert_non_null(m);
	assert_span(m->base, "2.x");
	assert_int_equal(m->flags.sys, FLAG_FLAGGED);
	m = find("cur/3.x:2,DFPRST");
	assert_non_null(m);
	assert_int_equal(m->flags.sys, FLAG_ALL);
	m = find("cur/6:1,y");
	assert_non_null(m);
	assert_span(m->base, "6:1,y");
	m = find("cur/7 \n\xff:2,S");
	assert_non_null(m);
	assert_int_equal(m->flags.sys, FLAG_SEEN);
}

static void
letters_mean_what_they_are_told_and_others_are_reported(void **state)
{
	struct kwletters letters = {.id = {[0] = 7, [25] = KW_PASSED}};
	struct env *v = *state;
	const struct lmsg *m;

	mkbox(v, "a");
	put(v, "a/cur/1:2,Sacz", "");
	put(v, "a/cur/2:2,b", "");
	scan(v, &letters);
	m = find("cur/1:2,Sacz");
	assert_non_null(m);
	assert_int_equal(m->flags.sys, FLAG_SEEN | FLAG_PASSED);
	assert_int_equal(m->flags.n, 1);
	assert_true(flags_has_kw(m->flags, 7));
	assert_int_equal(letters_seen, 1u << 2 | 1u << 1);
	assert_int_equal(maildir_scan(v->m, SPAN("a"), &letters, &v->mem,
			     &view, &stamp, NULL, &v->e),
	    0);
	assert_int_equal(view.n, 2);
}

static void
two_files_of_one_base_are_both_shown(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	put(v, "a/cur/x:2,", "one");
	put(v, "a/cur/x:2,S", "two");
	put(v, "a/cur/x:2,ST", "three");
	/* one file under two names of cur/ is two messages for all others */
	put(v, "a/cur/y:2,", "one");
	assert_int_equal(
	    linkat(v->fd, "a/cur/y:2,", v->fd, "a/cur/y:2,S", 0), 0);
	/* not a move: another file */
	put(v, "a/new/z", "one");
	put(v, "a/cur/z:2,S", "two");
	scan(v, NULL);
	assert_true(view.complete);
	assert_int_equal(view.n, 7);
}

static void
a_file_caught_between_new_and_cur_counts_once_in_cur(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	put(v, "a/new/x", "one");
	put(v, "a/new/y", "two");
	assert_int_equal(
	    linkat(v->fd, "a/new/x", v->fd, "a/cur/x:2,S", 0), 0);
	scan(v, NULL);
	assert_true(view.complete);
	assert_int_equal(view.n, 2);
	assert_non_null(find("cur/x:2,S"));
	assert_non_null(find("new/y"));
}

static void
known_names_are_marked_and_left_out(void **state)
{
	struct env *v = *state;
	struct nameset known;
	struct uidset gone;

	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	put(v, "a/cur/y:2,Sa", "two");
	put(v, "a/new/z", "three");
	mkdirs(v, "a/cur/d:2,");
	nameset_init(&known);
	nameset_add(&known, SPAN("cur/x:2,S"), 1);
	nameset_add(&known, SPAN("cur/y:2,"), 2);
	nameset_add(&known, SPAN("cur/z"), 3);
	nameset_add(&known, SPAN("cur/d:2,"), 4); /* no file any more */
	assert_int_equal(maildir_scan_rest(v->m, SPAN("a"), NULL, &known,
			     &v->mem, &view, &stamp, &letters_seen, &v->e),
	    0);
	assert_true(view.complete && view.delta);
	assert_int_equal(view.n, 2);
	assert_non_null(find("cur/y:2,Sa"));
	assert_non_null(find("new/z"));
	assert_int_equal(letters_seen, 1);
	uidset_init(&gone);
	nameset_unseen(&known, &gone);
	assert_int_equal(uidset_count(&gone), 3);
	assert_false(uidset_has(&gone, 1));
	uidset_release(&gone);
	/* what lacks a directory is told whole */
	tempdir_remove(arena_printf(&v->mem, "%s/a/new", v->root));
	assert_int_equal(maildir_scan_rest(v->m, SPAN("a"), NULL, &known,
			     &v->mem, &view, &stamp, &letters_seen, &v->e),
	    0);
	assert_true(view.damaged && !view.delta);
	assert_int_equal(view.n, 2);
	nameset_release(&known);
}

/* Whichever of the two the view has first. */
static void
what_moved_is_dropped_once_both_names_are_there(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	put(v, "a/new/y", "two");
	assert_int_equal(
	    linkat(v->fd, "a/new/y", v->fd, "a/cur/y:2,S", 0), 0);
	for (int turn = 0; turn < 2; turn++) {
		static const char *const file[2][2] = {
		    {"cur/x:2,", "cur/x:2,S"}, {"new/y", "cur/y:2,S"}};

		view = (struct lview){0};
		for (int i = 0; i < 2; i++)
			for (int k = 0; k < 2; k++)
				lview_add(&v->mem, &view,
				    maildir_named(&v->mem,
					span_str(file[i][k ^ turn]), NULL,
					&letters_seen));
		assert_int_equal(
		    maildir_drop_moved(v->m, SPAN("a"), &view, &v->e), 0);
		assert_int_equal(view.n, 2);
		assert_non_null(find("cur/x:2,S"));
		assert_non_null(find("cur/y:2,S"));
	}
}

static void
without_cur_or_new_it_is_damaged_and_shows_what_there_is(void **state)
{
	struct env *v = *state;

	for (int i = 0; i < 4; i++) {
		if (i & 1)
			mkdirs(v, "a/cur");
		if (i & 1)
			put(v, "a/cur/c:2,", "");
		if (i & 2)
			mkdirs(v, "a/new");
		if (i & 2)
			put(v, "a/new/n", "");
		scan(v, NULL);
		assert_int_equal(view.damaged, i != 3);
		assert_int_equal(view.complete, i == 3);
		assert_int_equal(view.n, (i & 1) + (i >> 1));
		assert_int_equal(stamp.cur_ino != 0, i == 3);
		if (i < 3 && exists(v, "a"))
			tempdir_remove(arena_printf(&v->mem, "%s/a", v->root));
	}
}

static void
an_unreadable_directory_is_an_error_of_the_mailbox(void **state)
{
	struct env *v = *state;
	struct lview keep = {.n = 77};

	be_nobody(v);
	mkbox(v, "a");
	for (int i = 0; i < 3; i++) {
		static const char *const path[] = {"a", "a/cur", "a/new"};

		assert_int_equal(fchmodat(v->fd, path[i], 0, 0), 0);
		assert_int_equal(maildir_scan(v->m, SPAN("a"), NULL, &v->mem,
				     &keep, &stamp, NULL, &v->e),
		    ERR_IO);
		assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
		assert_int_equal(keep.n, 77);
		assert_int_equal(fchmodat(v->fd, path[i], 0700, 0), 0);
	}
	scan(v, NULL);
	assert_true(view.complete);
}

/* Times of whole seconds cannot tell: two readings must agree. */
static void
coarse_times_give_a_complete_view_but_no_stamp(void **state)
{
	struct env *v = *state;
	int64_t now = clock_wall_s();

	mkbox(v, "a");
	put(v, "a/cur/x:2,", "");
	age(v, "a/cur", now, 0);
	age(v, "a/new", now, 0);
	scan(v, NULL);
	assert_true(view.complete);
	assert_int_equal(view.n, 1);
	assert_false(maildir_stamp_eq(&stamp, &stamp));
	age(v, "a/cur", now - 60, 0);
	age(v, "a/new", now - 60, 0);
	scan(v, NULL);
	assert_true(view.complete);
	assert_true(maildir_stamp_eq(&stamp, &stamp));
}

struct mover {
	int fd, n;
	bool stop;
};

/* As a mail reader does: new/ to cur/, and flags there. */
static void *
move_about(void *arg)
{
	struct mover *m = arg;
	char from[64], to[64];

	for (int round = 0;
	     !__atomic_load_n(&m->stop, __ATOMIC_RELAXED); round++)
		for (int i = 0; i < m->n; i++) {
			bool up = (round / 2) % 2 == 0;

			snprintf(from, sizeof from, round == 0
				? "a/new/%d" : up
				? "a/cur/%d:2,F" : "a/cur/%d:2,S", i);
			snprintf(to, sizeof to,
			    up ? "a/cur/%d:2,S" : "a/cur/%d:2,F", i);
			(void)renameat(m->fd, from, m->fd, to);
		}
	return NULL;
}

/* No base twice; and none missing from a view that says it is complete. */
static void
messages_that_move_during_the_scan_are_not_doubled(void **state)
{
	struct env *v = *state;
	struct mover m = {.n = 300};
	pthread_t thread;

	mkbox(v, "a");
	for (int i = 0; i < m.n; i++)
		put(v, arena_printf(&v->mem, "a/new/%d", i), "");
	m.fd = v->fd;
	assert_int_equal(pthread_create(&thread, NULL, move_about, &m), 0);
	for (int i = 0; i < 30; i++) {
		struct map seen;

		scan(v, NULL);
		map_init(&seen);
		for (size_t k = 0; k < view.n; k++)
			map_add(&seen, view.v[k].base, 1);
		if (view.complete)
			assert_int_equal(view.n, m.n);
		/* renamed between the two questions, at most a few */
		assert_true(view.n - seen.n <= 3);
		map_release(&seen);
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	scan(v, NULL);
	assert_true(view.complete);
	assert_int_equal(view.n, m.n);
}

static void
a_hundred_thousand_files_are_fast(void **state)
{
	struct env *v = *state;
	int64_t begin;

	mkbox(v, "a");
	for (int i = 0; i < 100000; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof path, "a/cur/1700000000.M%dP1Q%d.h:2,S",
		    i, i);
		fd = openat(v->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	begin = clock_mono_ms();
	scan(v, NULL);
	begin = clock_mono_ms() - begin;
	assert_int_equal(view.n, 100000);
	assert_true(view.complete);
	print_message("100000 files: %d ms\n", (int)begin);
	/* sanitizers and a cold disk included: only quadratic is far off */
	assert_true(begin < 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(files_of_both_directories_are_shown_with_base_and_flags),
	    TEST(letters_mean_what_they_are_told_and_others_are_reported),
	    TEST(two_files_of_one_base_are_both_shown),
	    TEST(a_file_caught_between_new_and_cur_counts_once_in_cur),
	    TEST(known_names_are_marked_and_left_out),
	    TEST(what_moved_is_dropped_once_both_names_are_there),
	    TEST(without_cur_or_new_it_is_damaged_and_shows_what_there_is),
	    TEST(an_unreadable_directory_is_an_error_of_the_mailbox),
	    TEST(coarse_times_give_a_complete_view_but_no_stamp),
	    TEST(messages_that_move_during_the_scan_are_not_doubled),
	    TEST(a_hundred_thousand_files_are_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
