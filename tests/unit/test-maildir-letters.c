#include "mailbox.h"

#define FILE_NAME "a/dovecot-keywords"

static struct kwtab *kw;
static struct kwletters letters;
static bool present;

static int
load(struct env *v)
{
	return maildir_letters_load(
	    v->m, SPAN("a"), kw, &letters, &present, &v->e);
}

static int
setup_kw(void **state)
{
	kw = kwtab_new();
	memset(&letters, 0xff, sizeof letters);
	return setup(state);
}

static int
teardown_kw(void **state)
{
	kwtab_free(&kw);
	return teardown(state);
}

static void
assert_letter(unsigned i, const char *name)
{
	assert_span(kwtab_name(kw, letters.id[i]), name);
}

static void
assert_none_but(uint32_t mask)
{
	for (unsigned i = 0; i < 26; i++)
		assert_int_equal(letters.id[i] != 0, (mask >> i & 1) != 0);
}

static void
no_file_or_no_mailbox_is_no_letters(void **state)
{
	struct env *v = *state;

	for (int i = 0; i < 2; i++) {
		present = true;
		memset(&letters, 0xff, sizeof letters);
		assert_int_equal(load(v), 0);
		assert_false(present);
		assert_none_but(0);
		mkbox(v, "a");
	}
}

static void
all_26_letters_go_there_and_back(void **state)
{
	struct env *v = *state;
	struct kwletters want;

	mkbox(v, "a");
	for (unsigned i = 0; i < 26; i++) {
		char *name = arena_printf(&v->mem, "key.%u", 25 - i);

		want.id[i] = i == 13 ? KW_PASSED
				     : kwtab_intern(kw, span_str(name));
	}
	assert_int_equal(
	    maildir_letters_save(v->m, SPAN("a"), kw, &want, &v->e), 0);
	assert_int_equal(load(v), 0);
	assert_true(present);
	assert_memory_equal(&letters, &want, sizeof want);
}

static void
malformed_lines_are_skipped_and_the_others_count(void **state)
{
	static const char text[] = "\n0\n1 \n x\nx y\n-1 neg\n26 far\n"
				   "4294967296 big\n2  blank\n3 two words\n"
				   "4 \\Seen\n5 ok\r\n6 last";
	struct env *v = *state;

	mkbox(v, "a");
	put(v, FILE_NAME, text);
	assert_int_equal(load(v), 0);
	assert_none_but(1u << 5 | 1u << 6);
	assert_letter(5, "ok");
	assert_letter(6, "last");
}

static void
nothing_to_say_makes_no_file(void **state)
{
	struct kwletters none = {{0}};
	struct env *v = *state;

	mkbox(v, "a");
	assert_int_equal(
	    maildir_letters_save(v->m, SPAN("a"), kw, &none, &v->e), 0);
	assert_false(exists(v, FILE_NAME));
	assert_int_equal(count_at(v->fd, "a"), 3);
}

static void
an_equal_file_is_not_written_again(void **state)
{
	struct kwletters l = {{0}};
	struct env *v = *state;
	struct stat a, b;

	mkbox(v, "a");
	l.id[2] = kwtab_intern(kw, SPAN("work"));
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			l.id[3] = kwtab_intern(kw, SPAN("home"));
		assert_int_equal(
		    maildir_letters_save(v->m, SPAN("a"), kw, &l, &v->e), 0);
		assert_int_equal(fstatat(v->fd, FILE_NAME, &b, 0), 0);
		if (i == 1)
			assert_int_equal(a.st_ino, b.st_ino);
		a = b;
	}
	assert_text(v->fd, FILE_NAME, "2 work\n3 home\n");
	assert_int_equal(a.st_mode & 0777, 0600);
	assert_int_equal(count_at(v->fd, "a"), 4);
}

static void
what_cannot_be_read_is_an_error_and_is_not_replaced(void **state)
{
	struct kwletters l = {{0}};
	struct env *v = *state;

	be_nobody(v);
	mkbox(v, "a");
	put(v, FILE_NAME, "0 theirs\n");
	l.id[0] = kwtab_intern(kw, SPAN("ours"));
	assert_int_equal(fchmodat(v->fd, FILE_NAME, 0, 0), 0);
	assert_int_equal(load(v), ERR_IO);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_true(
	    maildir_letters_save(v->m, SPAN("a"), kw, &l, &v->e) < 0);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(fchmodat(v->fd, FILE_NAME, 0600, 0), 0);
	assert_text(v->fd, FILE_NAME, "0 theirs\n");
}

static void
a_symlink_is_not_followed_nor_a_large_file_read(void **state)
{
	struct env *v = *state;
	char *big = arena_alloc(&v->mem, 70000);

	mkbox(v, "a");
	put(v, "secret", "0 secret\n");
	assert_int_equal(symlinkat("../secret", v->fd, FILE_NAME), 0);
	assert_true(load(v) < 0);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(unlinkat(v->fd, FILE_NAME, 0), 0);
	memset(big, '\n', 70000);
	put_at(v->fd, FILE_NAME, big, 70000);
	assert_int_equal(load(v), ERR_TOOBIG);
	assert_int_equal(v->e.scope, ERR_SCOPE_BOX);
	assert_int_equal(kwtab_count(kw), 0);
}

static void
what_others_wrote_meanwhile_stays(void **state)
{
	struct kwletters l = {{0}};
	struct env *v = *state;

	mkbox(v, "a");
	put(v, FILE_NAME, "0 foo\n2 baz\n");
	l.id[1] = kwtab_intern(kw, SPAN("bar"));
	assert_int_equal(
	    maildir_letters_save(v->m, SPAN("a"), kw, &l, &v->e), 0);
	assert_text(v->fd, FILE_NAME, "0 foo\n1 bar\n2 baz\n");
}

static void
nothing_is_written_where_the_file_says_otherwise(void **state)
{
	static const char *const text[] = {"0 foo\n", "1 bar\n", "1 BAR\n0 x\n"};
	struct kwletters l = {{0}};
	struct env *v = *state;

	mkbox(v, "a");
	l.id[0] = kwtab_intern(kw, SPAN("bar"));
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		put(v, FILE_NAME, text[i]);
		err_clear(&v->e);
		assert_int_equal(ERR_STALE,
		    maildir_letters_save(v->m, SPAN("a"), kw, &l, &v->e));
		assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
		assert_text(v->fd, FILE_NAME, text[i]);
		assert_int_equal(unlinkat(v->fd, FILE_NAME, 0), 0);
	}
}

/* Dovecot compares nothing but the second. */
static void
the_file_gets_a_later_second(void **state)
{
	struct kwletters l = {{0}};
	struct env *v = *state;
	struct stat a, b;

	mkbox(v, "a");
	put(v, FILE_NAME, "0 foo\n");
	for (unsigned i = 1; i < 5; i++) {
		char *name = arena_printf(&v->mem, "k%u", i);

		assert_int_equal(fstatat(v->fd, FILE_NAME, &a, 0), 0);
		l.id[i] = kwtab_intern(kw, span_str(name));
		assert_int_equal(maildir_letters_save(
				     v->m, SPAN("a"), kw, &l, &v->e), 0);
		assert_int_equal(fstatat(v->fd, FILE_NAME, &b, 0), 0);
		assert_true(b.st_mtim.tv_sec > a.st_mtim.tv_sec);
	}
}

int
main(void)
{
#define KW(f) cmocka_unit_test_setup_teardown(f, setup_kw, teardown_kw)
	const struct CMUnitTest tests[] = {
	    KW(no_file_or_no_mailbox_is_no_letters),
	    KW(all_26_letters_go_there_and_back),
	    KW(malformed_lines_are_skipped_and_the_others_count),
	    KW(nothing_to_say_makes_no_file),
	    KW(an_equal_file_is_not_written_again),
	    KW(what_cannot_be_read_is_an_error_and_is_not_replaced),
	    KW(a_symlink_is_not_followed_nor_a_large_file_read),
	    KW(what_others_wrote_meanwhile_stays),
	    KW(nothing_is_written_where_the_file_says_otherwise),
	    KW(the_file_gets_a_later_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
