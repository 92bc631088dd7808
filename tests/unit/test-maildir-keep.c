/* Nothing is lost, replaced, or written outside of the root. */
#include "mailbox.h"
#include "seed.h"


/* The bin of a run, elsewhere; another file system where there is one. */
struct bin {
	char path[256];
	int fd;
};

static void
bin_open(struct bin *b, struct env *v, bool across)
{
	struct stat here, there;

	if (across && (stat("/dev/shm", &there) != 0 ||
			  access("/dev/shm", W_OK) != 0 ||
			  fstat(v->fd, &here) != 0 ||
			  here.st_dev == there.st_dev))
		skip();
	snprintf(b->path, sizeof b->path, "%s/test-maildir-XXXXXX",
	    across ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(b->path));
	b->fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->fd >= 0);
}

static void
bin_close(struct bin *b)
{
	close(b->fd);
	tempdir_remove(b->path);
}

/* Mailbox a, of which all was seen. */
static int
bin_box(struct env *v, struct bin *b)
{
	struct maildir_stamp stamp;
	struct lview seen;

	assert_int_equal(maildir_scan(v->m, SPAN("a"), NULL, &v->mem, &seen,
			     &stamp, NULL, &v->e), 0);
	return maildir_bin_box(v->m, SPAN("a"), &seen, b->fd, &v->e);
}

static int
set(struct env *v, const char *file, uint32_t sys, struct span *to)
{
	struct flags shown;

	return maildir_set_flags(v->m, &v->mem, SPAN("a"), span_str(file),
	    (struct flags){.sys = sys}, NULL, &shown, to, &v->e);
}

static void
flags_that_are_shown_already_need_the_file_as_well(void **state)
{
	struct env *v = *state;
	struct span to;

	mkbox(v, "a");
	assert_int_equal(set(v, "cur/x:2,S", FLAG_SEEN, &to), ERR_STALE);
	assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
	assert_int_equal(set(v, "new/x", 0, &to), ERR_STALE);
	put(v, "a/cur/x:2,S", "1");
	assert_int_equal(set(v, "cur/x:2,S", FLAG_SEEN, &to), 0);
	assert_span(to, "cur/x:2,S");
}

/* Every set of flags to every other. */
static void
flags_change_from_any_to_any(void **state)
{
	struct env *v = *state;
	struct span file = SPAN("new/x");

	mkbox(v, "a");
	put(v, "a/new/x", "text");
	for (uint32_t step = 1; step < FLAG_ALL; step += 2)
		for (uint32_t i = 0; i <= FLAG_ALL; i++) {
			uint32_t want = i * step & FLAG_ALL;
			struct flags f;

			assert_int_equal(set(v, file.p, want, &file), 0);
			f = name_flags(&v->mem,
			    name_split(span_of(file.p + 4, file.n - 4)).info,
			    NULL, NULL);
			assert_int_equal(f.sys, want);
			assert_text(v->fd,
			    arena_printf(&v->mem, "a/%s", file.p), "text");
		}
	assert_int_equal(count_at(v->fd, "a/new") + count_at(v->fd, "a/cur"),
	    1);
}

static void
a_taken_name_makes_a_new_base_name(void **state)
{
	struct env *v = *state;
	struct span to;

	mkbox(v, "a");
	put(v, "a/new/x", "one");
	put(v, "a/cur/x:2,S", "two");
	assert_int_equal(set(v, "new/x", FLAG_SEEN, &to), 0);
	assert_false(span_starts(to, SPAN("cur/x")));
	assert_true(span_starts(to, SPAN("cur/")));
	assert_true(span_eq(span_of(to.p + to.n - 4, 4), SPAN(":2,S")));
	assert_text(v->fd,
	    arena_printf(&v->mem, "a/%.*s", SPAN_ARG(to)), "one");
	assert_text(v->fd, "a/cur/x:2,S", "two");
	assert_int_equal(count_at(v->fd, "a/new"), 0);
}

static void
create_and_bin_do_not_follow_symlinks(void **state)
{
	struct env *v = *state;
	struct bin b;

	mkdirs(v, "elsewhere");
	assert_int_equal(symlinkat("elsewhere", v->fd, "link"), 0);
	assert_true(maildir_create(v->m, SPAN("link/x"), &v->e) < 0);
	assert_true(maildir_create(v->m, SPAN("link"), &v->e) < 0);
	assert_true(maildir_create(v->m, SPAN("x/../../y"), &v->e) < 0);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(count_at(v->fd, "elsewhere"), 0);
	bin_open(&b, v, false);
	mkbox(v, "a");
	put(v, "a/cur/x", "1");
	assert_int_equal(symlinkat("/tmp", b.fd, "a"), 0);
	assert_true(
	    maildir_bin(v->m, SPAN("a"), SPAN("cur/x"), b.fd, &v->e) < 0);
	assert_true(exists(v, "a/cur/x"));
	bin_close(&b);
}

static void
create_makes_parents_private_and_may_be_repeated(void **state)
{
	struct env *v = *state;
	struct stat st;

	mkbox(v, "p/q");
	mkbox(v, "p/q");
	assert_int_equal(fstatat(v->fd, "p", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(count_at(v->fd, "p"), 1);
	assert_int_equal(count_at(v->fd, "p/q"), 3);
	put(v, "file", "");
	assert_true(maildir_create(v->m, SPAN("file"), &v->e) < 0);
	assert_true(maildir_create(v->m, SPAN("file/x"), &v->e) < 0);
}

static void
bin_and_back(struct env *v, struct bin *b)
{
	struct maildir_unbinned n = {99, 99};

	mkbox(v, "a/b");
	put(v, "a/b/cur/x:2,S", "one\n");
	put(v, "a/b/new/y", "two\n");
	age(v, "a/b/cur/x:2,S", 1000000000, 0);
	assert_int_equal(maildir_bin(v->m, SPAN("a/b"), SPAN("cur/x:2,S"),
			     b->fd, &v->e),
	    0);
	assert_int_equal(
	    maildir_bin(v->m, SPAN("a/b"), SPAN("new/y"), b->fd, &v->e), 0);
	assert_int_equal(
	    maildir_bin(v->m, SPAN("a/b"), SPAN("new/y"), b->fd, &v->e),
	    ERR_STALE);
	assert_text(b->fd, "a/b/cur/x:2,S", "one\n");
	assert_text(b->fd, "a/b/new/y", "two\n");
	assert_int_equal(count_at(b->fd, "a/b/cur"), 1);
	assert_int_equal(count_at(v->fd, "a/b/cur"), 0);
	assert_int_equal(maildir_unbin(v->m, b->fd, &n, &v->e), 0);
	assert_int_equal(n.messages, 2);
	assert_text(v->fd, "a/b/cur/x:2,S", "one\n");
	assert_text(v->fd, "a/b/new/y", "two\n");
	assert_int_equal(maildir_unbin(v->m, b->fd, &n, &v->e), 0);
	assert_int_equal(n.messages, 0);
}

static void
the_bin_keeps_bytes_and_names_on_one_file_system_and_two(void **state)
{
	struct env *v = *state;
	struct bin b;

	for (int across = 0; across < 2; across++) {
		bin_open(&b, v, across);
		bin_and_back(v, &b);
		bin_close(&b);
		tempdir_remove(arena_printf(&v->mem, "%s/a", v->root));
		mkdirs(v, "a"); /* and the descriptors of before are stale */
	}
}

/* A move that was cut off behind the copy: both files are there. */
static void
a_copy_that_is_there_already_is_not_made_again(void **state)
{
	struct env *v = *state;
	struct bin b;
	struct maildir_unbinned n;

	bin_open(&b, v, false);
	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	assert_int_equal(fs_mkdirs(b.fd, "a/cur", 0700, &v->e), 0);
	put_at(b.fd, "a/cur/x:2,S", "one", 3);
	put_at(b.fd, "a/cur/y:2,", "two", 3);
	/* here it goes back */
	assert_int_equal(maildir_unbin(v->m, b.fd, &n, &v->e), 0);
	assert_int_equal(n.messages, 1);
	assert_int_equal(count_at(v->fd, "a/cur"), 2);
	assert_false(exists_at(b.fd, "a/cur"));
	/* and here into the bin */
	assert_int_equal(fs_mkdirs(b.fd, "a/cur", 0700, &v->e), 0);
	put_at(b.fd, "a/cur/x:2,S", "one", 3);
	assert_int_equal(
	    maildir_bin(v->m, SPAN("a"), SPAN("cur/x:2,S"), b.fd, &v->e), 0);
	assert_int_equal(count_at(b.fd, "a/cur"), 1);
	assert_text(b.fd, "a/cur/x:2,S", "one");
	bin_close(&b);
}

static void
other_bytes_under_the_name_are_kept_beside_it(void **state)
{
	struct env *v = *state;
	const char *other;
	struct bin b;
	struct maildir_unbinned n;

	/* the same length, a longer one, and none */
	for (int i = 0; i < 3; i++) {
		static const char *const text[] = {"two", "one and more", ""};

		bin_open(&b, v, false);
		mkbox(v, "a");
		put(v, "a/cur/x:2,FS", "one");
		assert_int_equal(fs_mkdirs(b.fd, "a/cur", 0700, &v->e), 0);
		put_at(b.fd, "a/cur/x:2,FS", text[i], strlen(text[i]));
		assert_int_equal(maildir_unbin(v->m, b.fd, &n, &v->e), 0);
		assert_int_equal(n.messages, 1);
		assert_text(v->fd, "a/cur/x:2,FS", "one");
		assert_int_equal(unlinkat(v->fd, "a/cur/x:2,FS", 0), 0);
		other = only_at(&v->mem, v->fd, "a/cur");
		assert_string_equal(other + strlen(other) - 5, ":2,FS");
		other = arena_printf(&v->mem, "a/cur/%s", other);
		assert_text(v->fd, other, text[i]);
		assert_int_equal(unlinkat(v->fd, other, 0), 0);
		bin_close(&b);
	}
}

static void
a_mailbox_with_what_is_not_ours_to_move_stays(void **state)
{
	struct env *v = *state;
	struct bin b;

	bin_open(&b, v, false);
	mkbox(v, "a");
	put(v, "a/cur/x:2,", "1");
	mkdirs(v, "a/cur/sub");
	put(v, "a/cur/sub/file", "2");
	assert_int_equal(bin_box(v, &b), ERR_IO);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_true(exists_at(v->fd, "a/new"));
	assert_true(exists_at(v->fd, "a/tmp"));
	assert_text(v->fd, "a/cur/sub/file", "2");
	assert_text(b.fd, "a/cur/x:2,", "1");
	bin_close(&b);
}

static void
a_mailbox_of_many_goes_across_file_systems(void **state)
{
	struct env *v = *state;
	struct bin b;
	struct maildir_unbinned n;

	bin_open(&b, v, true);
	mkbox(v, "a/child");
	mkbox(v, "a");
	for (int i = 0; i < 200; i++)
		put(v, arena_printf(&v->mem, "a/cur/%d:2,Sa", i), "text");
	put(v, "a/dovecot-keywords", "0 work\n");
	put(v, "a/child/new/c", "child");
	assert_int_equal(bin_box(v, &b), 0);
	assert_int_equal(count_at(b.fd, "a/cur"), 200);
	assert_int_equal(count_at(v->fd, "a"), 1);
	assert_text(v->fd, "a/child/new/c", "child");
	assert_int_equal(maildir_unbin(v->m, b.fd, &n, &v->e), 0);
	assert_int_equal(n.messages, 200);
	assert_int_equal(count_at(v->fd, "a/cur"), 200);
	assert_text(v->fd, "a/dovecot-keywords", "0 work\n");
	bin_close(&b);
}

/* Another machine's, though it ends as ours does. */
static void
only_the_whole_name_of_this_machine_is_ours(void **state)
{
	struct env *v = *state;
	struct span made;
	char host[256] = "";
	bool all = true;
	uint32_t n = 0;

	(void)gethostname(host, sizeof host - 1);
	made = name_make(&v->mem, 1, 2, 3, 4, span_str(host));
	mkbox(v, "a");
	put(v, arena_printf(&v->mem, "a/tmp/mochila-%s", made.p), "ours");
	made = name_make(&v->mem, 1, 2, 3, 5, span_str(host));
	put(v, arena_printf(&v->mem, "a/tmp/mochila-%s", made.p), "ours");
	put(v, arena_printf(&v->mem, "a/tmp/%s", made.p), "not tagged");
	made = name_make(&v->mem, 1, 2, 3, 6,
	    span_str(arena_printf(&v->mem, "other.%s", host)));
	put(v, arena_printf(&v->mem, "a/tmp/mochila-%s", made.p), "other");
	put(v, "a/tmp/mochila-", "");
	put(v, "a/tmp/mochila-1.2.", "");
	mkdirs(v, arena_printf(&v->mem, "a/tmp/mochila-1.2.%s", host));
	assert_int_equal(maildir_clean_tmp(v->m, SPAN("a"), &n, &all, &v->e), 0);
	assert_int_equal(n, 2);
	assert_false(all); /* the directory cannot be unlinked */
	assert_int_equal(count_at(v->fd, "a/tmp"), 5);
}

static void
without_tmp_there_is_nothing_to_clean_and_delivery_makes_it(void **state)
{
	AUTO(maildir_delivery) d = NULL;
	struct env *v = *state;
	bool all = false;
	uint32_t n = 9;

	mkdirs(v, "a/cur");
	mkdirs(v, "a/new");
	assert_int_equal(maildir_clean_tmp(v->m, SPAN("a"), &n, &all, &v->e), 0);
	assert_true(all && n == 0);
	assert_int_equal(maildir_deliver_begin(v->m, SPAN("a"), &d, &v->e), 0);
	assert_int_equal(count_at(v->fd, "a/tmp"), 1);
}

/* Many at once, as a batch has them, each with its own digest and name. */
static void
deliveries_of_a_batch_do_not_mix(void **state)
{
	struct maildir_delivery *d[50] = {NULL};
	struct env *v = *state;
	struct content c[50];

	mkbox(v, "a");
	for (int i = 0; i < 50; i++)
		assert_int_equal(maildir_deliver_begin(
				     v->m, SPAN("a"), &d[i], &v->e),
		    0);
	for (int part = 0; part < 3; part++)
		for (int i = 0; i < 50; i++) {
			const char *text =
			    arena_printf(&v->mem, "%d\r\n", i);

			assert_int_equal(maildir_deliver_write(d[i], text,
					     strlen(text), &v->e),
			    0);
		}
	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    maildir_deliver_finish(d[i], 0, &c[i], &v->e), 0);
	for (int i = 0; i < 50; i++) {
		struct lmsg m;
		struct flags shown;

		assert_int_equal(maildir_deliver_flush(&d[i], 1, &v->e), 0);
		assert_int_equal(
		    maildir_deliver_publish(d[i], &v->mem, FLAGS_NONE, NULL,
			&shown, &m, &v->e),
		    0);
		assert_text(v->fd, arena_printf(&v->mem, "a/%s", m.file.p),
		    arena_printf(&v->mem, "%d\n%d\n%d\n", i, i, i));
		assert_int_equal(
		    maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e), 0);
		assert_memory_equal(m.content.sha, c[i].sha, DIGEST_LEN);
		maildir_delivery_free(&d[i]);
	}
	assert_int_equal(count_at(v->fd, "a/new"), 50);
	assert_int_equal(count_at(v->fd, "a/tmp"), 0);
}

/* What the LF form was, byte by byte in any split, comes back on upload. */
static void
what_came_down_goes_up(void **state)
{
	struct env *v = *state;
	uint64_t x = seed_of_this_run() | 1;
	const char set[] = "\r\n\ra\n";

	mkbox(v, "a");
	for (int round = 0; round < 400; round++) {
		AUTO(maildir_delivery) d = NULL;
		char wire[12];
		struct content c;
		struct flags shown;
		struct lmsg m;
		size_t n;

		for (size_t i = 0; i < sizeof wire; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			wire[i] = set[x % (sizeof set - 1)];
		}
		n = 1 + x % sizeof wire;
		assert_int_equal(
		    maildir_deliver_begin(v->m, SPAN("a"), &d, &v->e), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(
			    maildir_deliver_write(d, wire + i, 1, &v->e), 0);
		assert_int_equal(maildir_deliver_finish(d, 0, &c, &v->e), 0);
		assert_int_equal(
		    maildir_deliver_publish(d, &v->mem, FLAGS_NONE, NULL,
			&shown, &m, &v->e),
		    0);
		assert_int_equal(
		    maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e), 0);
		assert_int_equal(m.content.size, c.size);
		assert_memory_equal(m.content.sha, c.sha, DIGEST_LEN);
		assert_int_equal(c.raw, n);
	}
	assert_int_equal(count_at(v->fd, "a/tmp"), 0);
}

static void
a_taken_name_stops_publishing_and_nothing_is_replaced(void **state)
{
	AUTO(maildir_delivery) d = NULL;
	struct env *v = *state;
	struct content c;
	struct flags shown;
	struct lmsg m;
	const char *base;

	mkbox(v, "a");
	assert_int_equal(maildir_deliver_begin(v->m, SPAN("a"), &d, &v->e), 0);
	assert_int_equal(maildir_deliver_write(d, "ours", 4, &v->e), 0);
	assert_int_equal(maildir_deliver_finish(d, 0, &c, &v->e), 0);
	base = only_at(&v->mem, v->fd, "a/tmp") + strlen("mochila-");
	put(v, arena_printf(&v->mem, "a/new/%s", base), "theirs");
	assert_true(maildir_deliver_publish(d, &v->mem, FLAGS_NONE, NULL,
			&shown, &m, &v->e) < 0);
	assert_int_equal(v->e.sys, EEXIST);
	assert_text(v->fd, arena_printf(&v->mem, "a/new/%s", base), "theirs");
	maildir_delivery_free(&d);
	assert_int_equal(count_at(v->fd, "a/tmp"), 0);
}

/* A directory that may be read and not searched tells names and no more. */
static void
what_cannot_be_told_of_the_bin_is_an_error(void **state)
{
	static const char *const closed[] = {"a/cur", "a"};
	struct env *v = *state;
	struct maildir_unbinned n;
	struct bin b;

	be_nobody(v);
	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "one");
	bin_open(&b, v, false);
	assert_int_equal(bin_box(v, &b), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fchmodat(b.fd, closed[i], 0600, 0), 0);
		assert_int_equal(ERR_IO, maildir_unbin(v->m, b.fd, &n, &v->e));
		assert_int_equal(v->e.sys, EACCES);
		assert_int_equal(fchmodat(b.fd, closed[i], 0700, 0), 0);
	}
	assert_int_equal(0, maildir_unbin(v->m, b.fd, &n, &v->e));
	assert_int_equal(n.messages, 1);
	bin_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_cannot_be_told_of_the_bin_is_an_error),
	    TEST(flags_that_are_shown_already_need_the_file_as_well),
	    TEST(flags_change_from_any_to_any),
	    TEST(a_taken_name_makes_a_new_base_name),
	    TEST(create_and_bin_do_not_follow_symlinks),
	    TEST(create_makes_parents_private_and_may_be_repeated),
	    TEST(the_bin_keeps_bytes_and_names_on_one_file_system_and_two),
	    TEST(a_copy_that_is_there_already_is_not_made_again),
	    TEST(other_bytes_under_the_name_are_kept_beside_it),
	    TEST(a_mailbox_with_what_is_not_ours_to_move_stays),
	    TEST(a_mailbox_of_many_goes_across_file_systems),
	    TEST(only_the_whole_name_of_this_machine_is_ours),
	    TEST(without_tmp_there_is_nothing_to_clean_and_delivery_makes_it),
	    TEST(deliveries_of_a_batch_do_not_mix),
	    TEST(what_came_down_goes_up),
	    TEST(a_taken_name_stops_publishing_and_nothing_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
