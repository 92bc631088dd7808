/* Who changed a mailbox while we worked there? */
#include "mailbox.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"

static const struct kwletters letters = {{0}};

static struct maildir_stamp
stamp_of(struct env *v, const char *path)
{
	struct maildir_stamp s;

	assert_int_equal(maildir_stamp(v->m, span_str(path), &s, &v->e), 0);
	assert_true(maildir_stamp_settle(&s, NULL));
	return s;
}

static void
watch(struct env *v, const char *path)
{
	struct maildir_stamp s = stamp_of(v, path);

	if (!maildir_watch(v->m, span_str(path), &s)) {
		print_message("nothing can be watched here\n");
		skip();
	}
}

static bool
ours(struct env *v, const char *path)
{
	struct maildir_stamp s, now;
	bool yes = maildir_watched(v->m, span_str(path), NULL, &s);

	if (yes) {
		now = stamp_of(v, path);
		assert_true(maildir_stamp_eq(&s, &now));
	}
	return yes;
}

static struct span
set(struct env *v, const char *path, struct span file, uint32_t sys)
{
	struct flags shown;
	struct span to;

	assert_int_equal(maildir_set_flags(v->m, &v->mem, span_str(path), file,
			     (struct flags){.sys = sys}, &letters, &shown, &to,
			     &v->e),
	    0);
	return to;
}

static struct span
deliver(struct env *v, const char *path, uint32_t sys)
{
	struct maildir_delivery *d;
	struct content c;
	struct flags shown;
	struct lmsg m;

	assert_int_equal(
	    maildir_deliver_begin(v->m, span_str(path), &d, &v->e), 0);
	assert_int_equal(maildir_deliver_write(d, "a: b\r\n", 6, &v->e), 0);
	assert_int_equal(maildir_deliver_finish(d, 0, &c, &v->e), 0);
	assert_int_equal(maildir_deliver_flush(&d, 1, &v->e), 0);
	assert_int_equal(
	    maildir_deliver_publish(d, &v->mem, (struct flags){.sys = sys},
		&letters, &shown, &m, &v->e),
	    0);
	maildir_delivery_free(&d);
	return m.file;
}

static void
bin(struct env *v, const char *path, struct span file)
{
	AUTO_FD fd = -1;

	mkdirs(v, ".bin");
	fd = openat(v->fd, ".bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(
	    maildir_bin(v->m, span_str(path), file, fd, &v->e), 0);
}

static void
all_that_we_do_is_ours(void **state)
{
	struct env *v = *state;
	struct flags shown;
	struct lmsg m;
	struct span file;

	mkbox(v, "a");
	mkbox(v, "b");
	put(v, "a/cur/x:2,", "one");
	put(v, "a/new/y", "two");
	put(v, "b/cur/x:2,", "other");
	watch(v, "a");
	watch(v, "b");
	(void)set(v, "a", SPAN("cur/x:2,"), FLAG_SEEN);
	file = set(v, "a", SPAN("new/y"), FLAG_FLAGGED); /* to cur/ */
	(void)set(v, "a", file, FLAG_FLAGGED);		 /* shows it already */
	(void)deliver(v, "a", 0);
	file = deliver(v, "a", FLAG_SEEN);
	bin(v, "a", file);
	for (int how = 0; how < 3; how++)
		assert_int_equal(
		    maildir_copy_to(v->m, &v->mem, SPAN("a"),
			SPAN("cur/x:2,S"), SPAN("b"),
			(enum maildir_copy_how)how, FLAGS_NONE, &letters,
			&shown, &m, &v->e),
		    0);
	/* X is taken there: another base */
	assert_int_equal(maildir_move_to(v->m, &v->mem, SPAN("a"),
			     SPAN("cur/x:2,S"), SPAN("b"),
			     (struct flags){.sys = FLAG_SEEN}, &letters,
			     &shown, &m, &v->e),
	    0);
	assert_true(ours(v, "a"));
	assert_true(ours(v, "b"));
	/* once only */
	assert_false(ours(v, "a"));
	watch(v, "a");
	assert_true(ours(v, "a"));
}

static void
many_changes_do_not_overrun_the_queue(void **state)
{
	struct env *v = *state;
	struct span file = SPAN("cur/x:2,");

	mkbox(v, "a");
	put(v, "a/cur/x:2,", "one");
	watch(v, "a");
	for (uint32_t i = 0; i < 12000; i++)
		file = set(v, "a", file, i % 2 ? FLAG_SEEN : FLAG_FLAGGED);
	assert_true(ours(v, "a"));
}

static void
move(struct env *v, const char *from, const char *to)
{
	assert_int_equal(renameat(v->fd, from, v->fd, to), 0);
}

/* Whatever somebody else does, before or after what we do. */
static void
others_do(struct env *v, int what)
{
	switch (what) {
	case 0:
		put(v, "a/cur/z:2,", "new");
		break;
	case 1:
		put(v, "a/new/z", "new");
		break;
	case 2:
		assert_int_equal(unlinkat(v->fd, "a/cur/y:2,", 0), 0);
		break;
	case 3:
		move(v, "a/cur/y:2,", "a/cur/y:2,S");
		break;
	case 4: /* there and back: as it was, but for the times */
		move(v, "a/cur/y:2,", "a/cur/y:2,S");
		move(v, "a/cur/y:2,S", "a/cur/y:2,");
		break;
	case 5:
		move(v, "a/cur/y:2,", "b/cur/y:2,");
		break;
	case 6:
		move(v, "a/tmp/t", "a/new/t");
		break;
	case 7:
		assert_int_equal(
		    linkat(v->fd, "a/cur/y:2,", v->fd, "a/cur/l:2,", 0), 0);
		break;
	case 8:
		mkdirs(v, "a/cur/d");
		break;
	case 9: /* another directory in its place */
		move(v, "a/new", "a/old");
		mkdirs(v, "a/new");
		break;
	case 10: /* what we write, too */
		move(v, "a/cur/x:2,S", "a/cur/x:2,RS");
		break;
	case 11:
		move(v, "a/cur/x:2,S", "a/cur/x:2,");
		move(v, "a/cur/x:2,", "a/cur/x:2,S");
		break;
	default:
		fail();
	}
}

static void
anything_that_others_do_is_noticed(void **state)
{
	struct env *v = *state;

	for (int what = 0; what < 12; what++) {
		mkbox(v, "a");
		mkbox(v, "b");
		put(v, "a/cur/x:2,", "one");
		put(v, "a/cur/y:2,", "two");
		put(v, "a/tmp/t", "three");
		watch(v, "a");
		if (what % 2 && what < 10)
			others_do(v, what);
		(void)set(v, "a", SPAN("cur/x:2,"), FLAG_SEEN);
		if (what % 2 == 0 || what >= 10)
			others_do(v, what);
		if (ours(v, "a"))
			fail_msg("not noticed: %d", what);
		tempdir_remove(arena_printf(&v->mem, "%s/a", v->root));
		tempdir_remove(arena_printf(&v->mem, "%s/b", v->root));
	}
}

static void
what_changed_before_is_not_watched(void **state)
{
	struct env *v = *state;
	struct maildir_stamp seen;

	mkbox(v, "a");
	seen = stamp_of(v, "a");
	put(v, "a/new/z", "new");
	assert_false(maildir_watch(v->m, SPAN("a"), &seen));
	assert_false(ours(v, "a"));
	seen = MAILDIR_STAMP_NONE;
	assert_false(maildir_watch(v->m, SPAN("a"), &seen));
	assert_false(maildir_watch(v->m, SPAN("b"), &seen));
}

static void
a_storm_that_overruns_the_queue_is_noticed(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	put(v, "a/cur/x:2,", "one");
	watch(v, "a");
	put(v, "a/cur/y:2,", "two");
	for (int i = 0; i < 10000; i++)
		others_do(v, 4);
	(void)set(v, "a", SPAN("cur/x:2,"), FLAG_SEEN);
	assert_false(ours(v, "a"));
}

/* What happened in one mailbox may be what could not be told of another. */
static void
a_storm_in_one_mailbox_is_noticed_in_all(void **state)
{
	struct env *v = *state;

	mkbox(v, "a");
	mkbox(v, "b");
	put(v, "a/cur/x:2,", "one");
	put(v, "a/cur/y:2,", "two");
	put(v, "b/cur/z:2,", "three");
	watch(v, "a");
	watch(v, "b");
	for (int i = 0; i < 10000; i++)
		others_do(v, 4);
	put(v, "b/new/1.lost", "four");
	assert_false(ours(v, "b"));
	assert_false(ours(v, "a"));
}

struct other {
	int fd;
	long delay_ns;
	bool back;
};

static void *
rename_once(void *arg)
{
	struct other *o = arg;
	struct timespec t = {.tv_nsec = o->delay_ns};

	nanosleep(&t, NULL);
	(void)renameat(o->fd, o->back ? "a/cur/y:2,S" : "a/cur/y:2,", o->fd,
	    o->back ? "a/cur/y:2," : "a/cur/y:2,S");
	return NULL;
}

/*
 * Somebody renames a file at any moment, once the times were looked at.  When
 * it is said that we were alone, he comes later, and other times tell of him.
 */
static void
no_change_slips_through_at_whatever_moment(void **state)
{
	struct env *v = *state;
	struct span file = SPAN("cur/x:2,");
	int alone = 0;

	mkbox(v, "a");
	put(v, "a/cur/x:2,", "one");
	put(v, "a/cur/y:2,", "two");
	for (int i = 0; i < 400; i++) {
		struct other o = {
		    .fd = v->fd, .back = i % 2, .delay_ns = i * 25000L};
		struct maildir_stamp seen = stamp_of(v, "a"), told, now;
		bool watched, yes;
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, rename_once, &o), 0);
		watched = maildir_watch(v->m, SPAN("a"), &seen);
		file = set(v, "a", file, i % 2 ? FLAG_FLAGGED : FLAG_SEEN);
		yes = watched && maildir_watched(v->m, SPAN("a"), NULL, &told);
		pthread_join(t, NULL);
		if (!yes)
			continue;
		alone++;
		assert_int_equal(
		    maildir_stamp(v->m, SPAN("a"), &now, &v->e), 0);
		assert_false(maildir_stamp_eq(&told, &now));
	}
	print_message("alone %d times of 400\n", alone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_that_we_do_is_ours),
	    TEST(many_changes_do_not_overrun_the_queue),
	    TEST(anything_that_others_do_is_noticed),
	    TEST(what_changed_before_is_not_watched),
	    TEST(a_storm_that_overruns_the_queue_is_noticed),
	    TEST(a_storm_in_one_mailbox_is_noticed_in_all),
	    TEST(no_change_slips_through_at_whatever_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
