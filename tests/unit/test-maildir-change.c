#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maildir.h"

static int
set(struct fixture *f, const char *file, uint32_t sys, struct span *to,
    struct err *e)
{
	struct flags shown;

	return maildir_set_flags(f->m, &f->mem, SPAN("box"), span_str(file),
	    (struct flags){.sys = sys}, &f->letters, &shown, to, e);
}

static void
test_flags_are_a_rename(void **state)
{
	struct fixture *f = *state;
	struct span to;
	struct err e;

	put(f, "box/new/1.a", "x");
	put(f, "box/cur/2.b:2,Sz", "x");
	assert_int_equal(0, set(f, "new/1.a", 0, &to, &e));
	assert_true(span_eq(to, SPAN("new/1.a")));
	assert_int_equal(0, set(f, "new/1.a", FLAG_SEEN, &to, &e));
	assert_true(span_eq(to, SPAN("cur/1.a:2,S")));
	assert_content(f, "box/cur/1.a:2,S", "x", 1);
	assert_int_equal(tempdir_count(f->dir, "box/new"), 0);
	/* a letter that means nothing to us stays */
	assert_int_equal(0, set(f, "cur/2.b:2,Sz", FLAG_FLAGGED, &to, &e));
	assert_true(span_eq(to, SPAN("cur/2.b:2,Fz")));
	assert_int_equal(0, maildir_sync(f->m, SPAN("box"), &e));
}

static void
test_what_is_not_there_any_more_is_stale(void **state)
{
	struct fixture *f = *state;
	struct lmsg m = {.file = SPAN("cur/9.x:2,S")};
	struct maildir_reader *r;
	struct span to;
	struct err e;

	assert_int_equal(ERR_STALE, set(f, "cur/9.x:2,S", 0, &to, &e));
	assert_int_equal(ERR_STALE, maildir_stat(f->m, SPAN("box"), &m, &e));
	assert_int_equal(ERR_STALE,
	    maildir_digest(f->m, SPAN("box"), &m, NULL, &e));
	assert_int_equal(ERR_STALE,
	    maildir_read_open(f->m, SPAN("box"), m.file, &r, &e));
	assert_int_equal(ERR_STALE,
	    maildir_read_open(f->m, SPAN("box"), SPAN("cur/../x"), &r, &e));
	assert_int_equal(ERR_STALE,
	    maildir_stat(f->m, SPAN("gone"), &m, &e));
}

static void
test_nothing_is_replaced(void **state)
{
	struct fixture *f = *state;
	char path[256];
	struct span to;
	struct err e;

	put(f, "box/cur/1.a:2,z", "one");
	put(f, "box/cur/1.a:2,Sz", "two");
	assert_int_equal(0, set(f, "cur/1.a:2,z", FLAG_SEEN, &to, &e));
	assert_false(span_eq(to, SPAN("cur/1.a:2,Sz")));
	assert_true(span_eq(span_of(to.p + to.n - 5, 5), SPAN(":2,Sz")));
	snprintf(path, sizeof path, "box/%.*s", SPAN_ARG(to));
	assert_content(f, path, "one", 3);
	assert_content(f, "box/cur/1.a:2,Sz", "two", 3);
	assert_false(tempdir_exists(f->dir, "box/cur/1.a:2,z"));
}

static void
test_samples_are_of_the_canonical_form(void **state)
{
	static const char file[] = "ab\ncd\r\nef\n\ng";
	static const char wire[] = "ab\r\ncd\r\nef\r\n\r\ng";
	struct fixture *f = *state;
	struct buf out;
	struct err e;

	put(f, "box/cur/1.a:2,", file);
	for (size_t off = 0; off <= sizeof wire; off++)
		for (size_t n = 0; n <= sizeof wire; n++) {
			size_t from = off < sizeof wire - 1 ? off
							    : sizeof wire - 1;
			size_t have = sizeof wire - 1 - from;

			buf_init(&out, 100);
			assert_int_equal(0, maildir_sample(f->m, SPAN("box"),
						SPAN("cur/1.a:2,"), off, n,
						&out, &e));
			assert_true(span_eq(buf_span(&out),
			    span_of(wire + from, have < n ? have : n)));
			buf_release(&out);
		}
}

static void
test_a_reader_gives_the_canonical_form(void **state)
{
	struct fixture *f = *state;
	struct maildir_reader *r;
	struct buf file, want, out, piece;
	struct err e;

	buf_init(&file, 4u << 20);
	buf_init(&want, 4u << 20);
	buf_init(&out, 4u << 20);
	buf_init(&piece, 1u << 18);
	for (int i = 0; i < 50000; i++) {
		buf_addf(&file, "%d\n", i);
		buf_addf(&want, "%d\r\n", i);
	}
	tempdir_write(f->dir, "box/cur/1.a:2,", file.p, file.n);
	assert_int_equal(0, maildir_read_open(f->m, SPAN("box"),
				SPAN("cur/1.a:2,"), &r, &e));
	while (maildir_read(r, &piece, &e) > 0)
		buf_add_span(&out, buf_span(&piece));
	assert_true(span_eq(buf_span(&out), buf_span(&want)));
	maildir_reader_free(&r);
	buf_release(&file);
	buf_release(&want);
	buf_release(&out);
	buf_release(&piece);
}

static void
test_keyword_letters_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct kwletters l;
	struct stat a, b;
	char path[512];
	bool exists;
	struct err e;

	assert_int_equal(0, maildir_letters_load(f->m, SPAN("box"), f->kw, &l,
				&exists, &e));
	assert_false(exists);
	put(f, "box/dovecot-keywords",
	    "0 work\nnonsense\n26 toofar\n3 $Forwarded\n25 last\n"
	    "4 work\n5 bad name\n-1 x\n7\n");
	assert_int_equal(0, maildir_letters_load(f->m, SPAN("box"), f->kw, &l,
				&exists, &e));
	assert_true(exists);
	assert_true(l.id[0] == kwtab_find(f->kw, SPAN("work")));
	assert_true(l.id[3] == KW_PASSED);
	assert_true(l.id[25] == kwtab_find(f->kw, SPAN("last")));
	for (int i = 0; i < 26; i++)
		assert_true(i == 0 || i == 3 || i == 25 || l.id[i] == 0);
	assert_int_equal(0, maildir_letters_save(f->m, SPAN("box"), f->kw, &l,
				&e));
	assert_content(f, "box/dovecot-keywords",
	    "0 work\n3 $Forwarded\n25 last\n", 28);
	tempdir_join(path, f->dir, "box/dovecot-keywords");
	assert_int_equal(0, stat(path, &a));
	assert_int_equal(0, maildir_letters_save(f->m, SPAN("box"), f->kw, &l,
				&e));
	assert_int_equal(0, stat(path, &b));
	assert_true(a.st_ino == b.st_ino);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_flags_are_a_rename),
	    T(test_what_is_not_there_any_more_is_stale),
	    T(test_nothing_is_replaced),
	    T(test_samples_are_of_the_canonical_form),
	    T(test_a_reader_gives_the_canonical_form),
	    T(test_keyword_letters_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
