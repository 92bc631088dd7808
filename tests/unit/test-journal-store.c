/* The journal on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "journal.h"

static void
test_what_was_put_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 300), b = add_box(f, "b", 2);
	uint32_t kw = kwtab_intern(f->kw, SPAN("work"));
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	struct pair p = row(f, 7);
	struct pairs all, some;
	struct uidset set;
	struct jbox *box;
	struct err e;
	size_t n;

	assert_true(a == 1 && b == 2);
	p.l = (struct flags){.sys = FLAG_SEEN, .n = 1, .kw = &kw};
	journal_put_pair(batch, a, &p);
	journal_del_pair(batch, a, 300);
	journal_del_pair(batch, a, 4000);
	commit(batch);

	reopen(f, JOURNAL_READ);
	assert_int_equal(kwtab_find(f->kw, SPAN("work")), kw);
	assert_int_equal(0, journal_boxes(f->j, &f->mem, &box, &n, &e));
	assert_int_equal(n, 2);
	assert_true(span_eq(box[0].name, SPAN("a")) && box[0].rows == 299);
	assert_true(span_eq(box[1].wire, SPAN("b")) && box[1].rows == 2);
	assert_int_equal(0, journal_pairs(f->j, a, &f->mem, &all, &e));
	assert_true(all.complete && all.n == 299);
	for (size_t i = 0; i < all.n; i++)
		assert_int_equal(all.v[i].uid, i + 1);
	assert_true(flags_has_kw(all.v[6].l, kw));
	uidset_init(&set);
	uidset_add_range(&set, 5, 8);
	uidset_add_range(&set, 299, 500);
	assert_int_equal(0,
	    journal_pairs_in(f->j, a, &set, &f->mem, &some, &e));
	assert_true(!some.complete && some.n == 5);
	assert_int_equal(some.v[4].uid, 299);
	uidset_release(&set);
}

static void
test_the_owner_is_as_it_was_put(void **state)
{
	const struct journal_owner ana = {
	    SPAN("ana"), SPAN("mx"), SPAN("/home/ana/Mail")};
	struct fixture *f = *state;
	struct journal_batch *b;
	struct journal_owner o;
	struct err e;
	uint64_t txn;

	assert_int_equal(0, journal_owner(f->j, &f->mem, &o, &e));
	assert_true(o.user.n == 0 && o.host.n == 0 && o.maildir.n == 0);
	add_box(f, "a", 1); /* as of a program that knew of no owner */
	assert_int_equal(0, journal_owner(f->j, &f->mem, &o, &e));
	assert_true(o.user.n == 0 && o.host.n == 0 && o.maildir.n == 0);
	b = journal_begin(f->j, f->kw);
	journal_put_owner(b, ana);
	commit(b);
	txn = journal_txnid(f->j);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(0, journal_owner(f->j, &f->mem, &o, &e));
	assert_true(span_eq(o.user, ana.user) && span_eq(o.host, ana.host) &&
		    span_eq(o.maildir, ana.maildir));
	/* and once more is no write */
	b = journal_begin(f->j, f->kw);
	journal_put_owner(b, ana);
	commit(b);
	assert_int_equal(journal_txnid(f->j), txn);
}

static void
test_what_was_left_out_is_a_number_of_its_own(void **state)
{
	struct fixture *f = *state;
	uint64_t bits[] = {5, 0};

	/* also in a journal that never heard of it */
	assert_int_equal(journal_left_out(f->j), 0);
	(void)add_box(f, "a", 3);
	reopen(f, JOURNAL_READ);
	assert_int_equal(journal_left_out(f->j), 0);
	for (int i = 0; i < 2; i++) {
		struct journal_batch *batch;

		reopen(f, JOURNAL_CREATE);
		batch = journal_begin(f->j, f->kw);
		journal_put_left_out(batch, bits[i]);
		commit(batch);
		reopen(f, JOURNAL_READ);
		assert_int_equal(journal_left_out(f->j), bits[i]);
	}
}

static void
test_a_batch_that_changes_nothing_writes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t id = add_box(f, "a", 3), txn = journal_txnid(f->j);
	struct journal_batch *b = journal_begin(f->j, f->kw);
	struct pair p = row(f, 2);

	assert_int_equal(journal_batch_size(b), 0);
	commit(b);
	assert_int_equal(journal_txnid(f->j), txn);
	b = journal_begin(f->j, f->kw);
	journal_put_pair(b, id, &p);
	journal_del_pair(b, id, 99);
	journal_del_hold(b, id, 5, SPAN(""));
	commit(b);
	assert_int_equal(journal_txnid(f->j), txn);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(journal_txnid(f->j), txn);
	p.modseq++;
	b = journal_begin(f->j, f->kw);
	journal_put_pair(b, id, &p);
	commit(b);
	assert_int_equal(journal_txnid(f->j), txn + 1);
	assert_int_equal(rows_of(f, id), 3);
}

/* Over so many pages that some are let go of on the way. */
static void
test_names_are_told_one_by_one_as_the_rows_have_them(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 12000), b = add_box(f, "b", 2);
	uint32_t kw = kwtab_intern(f->kw, SPAN("work"));
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	struct pair p = row(f, 7);
	struct journal_files *w = NULL;
	struct jfile x;
	struct pairs all;
	struct arena mem;
	struct err e;
	size_t n = 0;
	int rc;

	p.l = (struct flags){.sys = FLAG_SEEN, .n = 1, .kw = &kw};
	journal_put_pair(batch, a, &p);
	commit(batch);
	assert_int_equal(0, journal_pairs(f->j, a, &f->mem, &all, &e));
	arena_init(&mem);
	assert_int_equal(0, journal_files_begin(f->j, a, &w, &e));
	while ((rc = journal_files_next(w, &mem, &x, &e)) > 0) {
		assert_int_equal(x.uid, all.v[n].uid);
		assert_true(span_eq(x.file, all.v[n].file));
		assert_true(flags_eq(x.l, all.v[n].l));
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, 12000);
	assert_true(mem.used < 1000);
	journal_files_end(&w);
	assert_null(w);
	assert_int_equal(0, journal_files_begin(f->j, b, &w, &e));
	assert_int_equal(1, journal_files_next(w, &mem, &x, &e));
	journal_files_end(&w);
	assert_int_equal(0, journal_files_begin(f->j, b + 1, &w, &e));
	assert_int_equal(0, journal_files_next(w, &mem, &x, &e));
	journal_files_end(&w);
	arena_release(&mem);
}

static void
test_a_row_that_is_too_large_fails_the_whole_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t id = add_box(f, "a", 3), txn = journal_txnid(f->j);
	struct journal_batch *b = journal_begin(f->j, f->kw);
	char *name = xcalloc(1, 2u << 20);
	struct pair p = row(f, 4), q = row(f, 5);
	struct err e;

	memset(name, 'x', 2u << 20);
	q.file = span_of(name, 2u << 20);
	journal_put_pair(b, id, &p);
	journal_put_pair(b, id, &q);
	assert_int_equal(ERR_TOOBIG, journal_commit(&b, &e));
	assert_null(b);
	assert_int_equal(journal_txnid(f->j), txn);
	assert_int_equal(rows_of(f, id), 3);
	xfree(name);
}

/* A number that was given is never given again, however batches overlap. */
static void
test_mailbox_numbers_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	const struct jbox x = {.wire = SPAN("x"), .name = SPAN("x")};
	struct journal_batch *a, *b, *c;
	struct pair p = row(f, 1);
	uint64_t first, id;

	first = add_box(f, "a", 0);
	a = journal_begin(f->j, f->kw); /* before B gives a number */
	b = journal_begin(f->j, f->kw);
	c = journal_begin(f->j, f->kw);
	assert_true(journal_put_box(c, &x) > first);
	id = journal_put_box(b, &x);
	commit(b);
	journal_put_pair(a, first, &p);
	commit(a);
	journal_batch_free(&c);
	reopen(f, JOURNAL_CREATE);
	assert_true(add_box(f, "b", 0) > id);
}

static void
test_an_aborted_batch_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t id = add_box(f, "a", 3);
	struct journal_batch *b = journal_begin(f->j, f->kw);

	journal_del_pairs(b, id);
	journal_batch_free(&b);
	assert_int_equal(rows_of(f, id), 3);
}

static void
test_mailboxes_go_with_all_that_is_theirs(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 50), b = add_box(f, "b", 5);
	struct journal_batch *batch = journal_begin(f->j, f->kw);
	const struct jhold r = {.uid = 9, .why = SPAN("x")};
	const struct jhold l = {.base = SPAN("1.host"), .why = SPAN("y")};
	struct jhold *h;
	struct buf out;
	uint64_t findings = 9;
	struct err e;
	size_t n;

	journal_put_hold(batch, a, &r);
	journal_put_hold(batch, a, &l);
	journal_put_hold(batch, b, &r);
	commit(batch);
	assert_int_equal(0, journal_holds(f->j, a, &f->mem, &h, &n, &e));
	assert_int_equal(n, 2);
	assert_true(span_eq(h[0].base, SPAN("1.host")) && h[1].uid == 9);
	batch = journal_begin(f->j, f->kw);
	journal_del_box(batch, a);
	commit(batch);
	assert_int_equal(rows_of(f, a), UINT64_MAX);
	assert_int_equal(rows_of(f, b), 5);
	assert_int_equal(0, journal_holds(f->j, a, &f->mem, &h, &n, &e));
	assert_int_equal(n, 0);
	assert_int_equal(0, journal_holds(f->j, b, &f->mem, &h, &n, &e));
	assert_int_equal(n, 1);
	buf_init(&out, 65536);
	assert_int_equal(0, journal_check(f->j, &out, &findings, &e));
	assert_int_equal(findings, 0); /* no rows, holds or counts of A */
	buf_release(&out);
	/* its number is not given again */
	assert_true(add_box(f, "a", 1) > b);
}

static void
test_rows_and_holds_count_as_known(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 10), n, all;
	struct journal_batch *b = journal_begin(f->j, f->kw);
	struct uidset set;
	struct err e;

	(void)add_box(f, "b", 30);
	for (uint32_t uid = 11; uid <= 13; uid++)
		journal_put_hold(b, a, &(struct jhold){.uid = uid});
	journal_put_hold(b, a, &(struct jhold){.base = SPAN("x")});
	/* one UID, however it is known */
	journal_put_hold(b, a, &(struct jhold){.uid = 9});
	commit(b);
	uidset_init(&set);
	uidset_add_range(&set, 9, 12);
	uidset_add_range(&set, 20, 4000000000u);
	assert_int_equal(0, journal_count_in(f->j, a, &set, &n, &e));
	assert_int_equal(n, 4);
	uidset_clear(&set);
	uidset_add_range(&set, 1, UINT32_MAX);
	assert_int_equal(0, journal_count_in(f->j, a, &set, &all, &e));
	assert_int_equal(0, journal_count(f->j, a, &n, &e));
	assert_int_equal(n, all);
	assert_true(all > 4);
	uidset_clear(&set);
	assert_int_equal(0, journal_count_in(f->j, a, &set, &n, &e));
	assert_int_equal(n, 0);
	uidset_release(&set);
}

static void
test_deleting_and_putting_in_one_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t a = add_box(f, "a", 10);
	struct journal_batch *b = journal_begin(f->j, f->kw);
	struct pair p = row(f, 3), q = row(f, 77);

	journal_del_pairs(b, a);
	journal_put_pair(b, a, &p);
	journal_put_pair(b, a, &q);
	commit(b);
	assert_int_equal(rows_of(f, a), 2);
}

static void
test_check_finds_nothing_in_a_sound_journal(void **state)
{
	struct fixture *f = *state;
	struct journal_batch *b;
	struct buf out;
	struct pair p;
	struct err e;
	uint64_t n = 9, id = add_box(f, "a", 10);

	buf_init(&out, 65536);
	assert_int_equal(0, journal_check(f->j, &out, &n, &e));
	assert_int_equal(n, 0);
	/* one file, two UIDs; a keyword that nobody knows */
	p = row(f, 3);
	p.uid = 40;
	p.l = (struct flags){.n = 1, .kw = (const uint32_t[]){88}};
	b = journal_begin(f->j, f->kw);
	journal_put_pair(b, id, &p);
	commit(b);
	assert_int_equal(0, journal_check(f->j, &out, &n, &e));
	assert_int_equal(n, 2);
	assert_non_null(strstr(out.p, "uid 40"));
	buf_release(&out);
}

/* How many findings there are once VALUE is planted; OUT has the last one. */
static uint64_t
findings_with(struct fixture *f, const char *table, struct span key,
    struct span value, struct buf *out)
{
	struct err e;
	uint64_t n = 0;

	plant(f, table, key, value);
	reopen(f, JOURNAL_CREATE);
	buf_clear(out);
	assert_int_equal(0, journal_check(f->j, out, &n, &e));
	return n;
}

static void
test_check_sees_every_table(void **state)
{
	struct fixture *f = *state;
	struct journal_batch *b = journal_begin(f->j, f->kw);
	struct jbox box = {.wire = SPAN("c\33[2J"), .name = SPAN("c\33[2J"),
	    .path = SPAN("c")};
	struct buf out;

	buf_init(&out, 65536);
	box.letters.id[2] = KW_PASSED;
	box.letters.id[3] = 5;
	(void)add_box(f, "a", 3);
	(void)journal_put_box(b, &box);
	commit(b);
	assert_int_equal(1, findings_with(f, "count",
	    SPAN("\0\0\0\0\0\0\0\1"), SPAN("\0\0\0\0\0\0\0\3"), &out));
	assert_string_equal(out.p, "c?[2J: letter d: unknown keyword number 5\n");
	assert_int_equal(2, findings_with(f, "count",
	    SPAN("\0\0\0\0\0\0\0\1"), SPAN("\0\0\0\0\0\0\0\2"), &out));
	assert_non_null(strstr(out.p, "a: 2 messages are counted, 3 are"));
	assert_int_equal(3, findings_with(f, "hold",
	    SPAN("\0\0\0\0\0\0\0\1R\0\0\0\7"), SPAN("\7"), &out));
	assert_non_null(strstr(out.p, "held message"));
	/* mailboxes that are not there, and keys that are none */
	assert_int_equal(4, findings_with(f, "count",
	    SPAN("\0\0\0\0\0\0\0\11"), SPAN("\0\0\0\0\0\0\0\1"), &out));
	assert_int_equal(5, findings_with(f, "pair",
	    SPAN("\0\0\0\0\0\0\0\11\0\0\0\1"), SPAN("\1"), &out));
	assert_non_null(strstr(out.p, "'pair': there is no mailbox 9"));
	assert_int_equal(5, findings_with(f, "pair",
	    SPAN("\0\0\0\0\0\0\0\11\0\0\0\2"), SPAN("\1"), &out));
	assert_int_equal(6, findings_with(f, "hold",
	    SPAN("\377\377\377\377\377\377\377\377L1"), SPAN("\1"), &out));
	assert_int_equal(7, findings_with(f, "hold", SPAN("x"), SPAN("\1"),
	    &out));
	assert_non_null(strstr(out.p, "'hold': a key does not decode"));
	buf_release(&out);
}

/* Rows, keywords and mailboxes come and go, without end. */
static _Noreturn void
be_a_run(struct fixture *f, uint64_t id)
{
	reopen(f, JOURNAL_CREATE);
	for (uint32_t i = 1;; i++) {
		struct journal_batch *b = journal_begin(f->j, f->kw);
		char *name = arena_printf(&f->mem, "k%u", i);
		uint32_t kw = kwtab_intern(f->kw, span_str(name));
		struct jbox box = {.wire = span_str(name),
		    .name = span_str(name), .path = span_str(name)};
		struct pair p = row(f, i % 500 + 1);
		uint64_t other = journal_put_box(b, &box);

		p.l = (struct flags){.n = 1, .kw = &kw};
		journal_put_pair(b, other, &p);
		if (i % 1000 < 500)
			journal_put_pair(b, id, &p);
		else
			journal_del_pair(b, id, p.uid);
		commit(b);
		b = journal_begin(f->j, f->kw);
		journal_del_box(b, other);
		commit(b);
	}
}

/* What it holds against each other was so at one moment. */
static void
test_check_beside_a_run(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0, begin, id = add_box(f, "a", 100);
	struct buf out;
	struct err e;
	pid_t pid;
	int rc = 0;

	buf_init(&out, 65536);
	begin = journal_txnid(f->j);
	journal_free(&f->j);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_a_run(f, id);
	reopen(f, JOURNAL_READ);
	while (rc == 0 && n == 0 && journal_txnid(f->j) < begin + 40)
		rc = journal_check(f->j, &out, &n, &e);
	(void)kill(pid, SIGKILL);
	assert_int_equal(pid, waitpid(pid, NULL, 0));
	assert_int_equal(rc, 0);
	if (n > 0)
		fail_msg("%s", out.p);
	buf_release(&out);
}

static void
test_absent_journals_are_empty_and_stay_absent(void **state)
{
	struct fixture *f = *state;
	char dir[64], names[512];
	struct journal *j;
	struct uidset set;
	struct pairs p;
	struct jhold *h;
	struct jbox *v;
	struct err e;
	uint64_t count = 9;
	size_t n = 9;

	tempdir_make(dir);
	uidset_init(&set);
	uidset_add_range(&set, 1, UINT32_MAX);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(0, journal_open(dir, JOURNAL_READ, &j, &e));
		assert_int_equal(0, journal_boxes(j, &f->mem, &v, &n, &e));
		assert_int_equal(n, 0);
		assert_int_equal(0, journal_pairs(j, 1, &f->mem, &p, &e));
		assert_true(p.complete && p.n == 0);
		assert_int_equal(0,
		    journal_pairs_in(j, 1, &set, &f->mem, &p, &e));
		assert_true(!p.complete && p.n == 0);
		assert_int_equal(0, journal_count_in(j, 1, &set, &count, &e));
		assert_int_equal(count, 0);
		assert_int_equal(0, journal_holds(j, 1, &f->mem, &h, &n, &e));
		assert_int_equal(n, 0);
		assert_int_equal(0, journal_keywords(j, f->kw, &e));
		assert_int_equal(journal_txnid(j), 0);
		journal_free(&j);
		assert_string_equal(tempdir_list(names, dir, "."),
		    i ? "journal" : "");
		/* the same with a directory that has nothing in it */
		assert_int_equal(tempdir_count(dir, "journal"), 0);
		tempdir_mkdir(dir, "journal");
	}
	uidset_release(&set);
	tempdir_remove(dir);
}

static void
test_reading_changes_no_byte(void **state)
{
	struct fixture *f = *state;
	struct journal_batch *b;
	struct pair p = row(f, 9);
	char *before, *after;
	struct err e;
	ssize_t n;

	add_box(f, "a", 20);
	journal_free(&f->j);
	n = tempdir_read(f->dir, "journal/data.mdb", &before);
	reopen(f, JOURNAL_READ);
	assert_int_equal(rows_of(f, 1), 20);
	b = journal_begin(f->j, f->kw);
	journal_put_pair(b, 1, &p);
	p.size++;
	journal_put_pair(b, 1, &p);
	assert_true(journal_commit(&b, &e) < 0);
	assert_null(b);
	journal_free(&f->j);
	assert_int_equal(tempdir_read(f->dir, "journal/data.mdb", &after), n);
	assert_memory_equal(before, after, (size_t)n);
	free(before);
	free(after);
}

static void
refused(struct fixture *f, const void *p, size_t n, const char *word)
{
	char *after;
	struct journal *j = NULL;
	struct err e;

	tempdir_write(f->dir, "journal/data.mdb", p, n);
	assert_int_equal(ERR_JOURNAL,
	    journal_open(f->dir, JOURNAL_CREATE, &j, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_int_equal(err_exit_status(&e), 78);
	assert_non_null(strstr(e.text, word));
	assert_int_equal(ERR_JOURNAL,
	    journal_open(f->dir, JOURNAL_READ, &j, &e));
	assert_int_equal(tempdir_read(f->dir, "journal/data.mdb", &after),
	    (ssize_t)n);
	assert_memory_equal(p, after, n);
	free(after);
}

static void
test_damaged_journals_are_left_as_they_are(void **state)
{
	struct fixture *f = *state;
	char *good, *bad;
	ssize_t n;

	add_box(f, "a", 2000);
	journal_free(&f->j);
	n = tempdir_read(f->dir, "journal/data.mdb", &good);
	assert_true(n > 100000);
	bad = calloc(1, (size_t)n);
	refused(f, "garbage", 7, "remove that directory");
	refused(f, bad, (size_t)n, "remove that directory");
	for (ssize_t cut = 1; cut < n; cut += n / 7)
		refused(f, good, (size_t)cut, "remove that directory");
	refused(f, good, (size_t)n - 1, "remove that directory");
	tempdir_write(f->dir, "journal/data.mdb", good, (size_t)n);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(rows_of(f, 1), 2000);
	free(good);
	free(bad);
}

static void
test_newer_journals_are_left_as_they_are(void **state)
{
	struct fixture *f = *state;
	char *bytes;
	ssize_t n;

	add_box(f, "a", 3);
	plant(f, "meta", SPAN("format"), SPAN("\0\0\0\0\0\0\0\3"));
	n = tempdir_read(f->dir, "journal/data.mdb", &bytes);
	refused(f, bytes, (size_t)n, "newer");
	free(bytes);
	/* a number that is none is damage */
	plant(f, "meta", SPAN("format"), SPAN("3"));
	n = tempdir_read(f->dir, "journal/data.mdb", &bytes);
	refused(f, bytes, (size_t)n, "damaged");
	free(bytes);
}

static void
test_rows_that_do_not_decode_are_damage(void **state)
{
	struct fixture *f = *state;
	struct pairs p = {.n = 77};
	struct buf out;
	struct err e;
	uint64_t n = 0;

	add_box(f, "a", 3);
	plant(f, "pair", SPAN("\0\0\0\0\0\0\0\1\0\0\0\2"), SPAN("\7"));
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(ERR_JOURNAL,
	    journal_pairs(f->j, 1, &f->mem, &p, &e));
	assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
	assert_non_null(strstr(e.text, "remove that directory"));
	assert_int_equal(p.n, 77);
	buf_init(&out, 65536);
	assert_int_equal(0, journal_check(f->j, &out, &n, &e));
	assert_int_equal(n, 1);
	buf_release(&out);
}

/* Pages of random bytes, anywhere: an error, or rows that are still right. */
static void
damage_pages(struct fixture *f, const struct journal_way *way)
{
	unsigned refusals = 0;
	char *good, *bad;
	ssize_t n;

	add_box(f, "a", 2000);
	journal_free(&f->j);
	n = tempdir_read(f->dir, "journal/data.mdb", &good);
	assert_true(n > 100000);
	bad = calloc(1, n > 0 ? (size_t)n : 1);
	for (ssize_t at = 8192; at + 4096 <= n; at += 4096) {
		struct journal *j = NULL;
		uint64_t found;
		struct buf out;
		struct err e;

		memcpy(bad, good, (size_t)n);
		for (ssize_t i = 0; i < 4096; i++)
			bad[at + i] = (char)((at + i) * 2654435761u >> 13);
		tempdir_write(f->dir, "journal/data.mdb", bad, (size_t)n);
		if (journal_open_by(f->dir, JOURNAL_CREATE, way, &j, &e) < 0) {
			assert_int_equal(e.code, ERR_JOURNAL);
			assert_int_equal(e.retry, ERR_RETRY_NEVER);
			refusals++;
			continue;
		}
		buf_init(&out, 1u << 20);
		(void)journal_check(j, &out, &found, &e);
		buf_release(&out);
		journal_free(&j);
	}
	assert_true(refusals > 0);
	free(good);
	free(bad);
}

static void
test_damaged_pages_do_not_end_the_process(void **state)
{
	const struct journal_way by_fork = {NULL, NULL};

	damage_pages(*state, &by_fork);
}

#define SELF "/proc/self/exe"

/* As after a crash. */
static void
unmark(struct fixture *f)
{
	char path[512];

	tempdir_join(path, f->dir, "journal/sound");
	assert_int_equal(0, unlink(path));
}

static void
test_nor_where_the_child_is_executed(void **state)
{
	const struct journal_way by_exec = {SELF, NULL};

	damage_pages(*state, &by_exec);
}

static void
test_a_journal_without_its_mark_is_looked_at_and_opened(void **state)
{
	const struct journal_way by_exec = {SELF, NULL};
	struct fixture *f = *state;
	struct err e;

	add_box(f, "a", 2000);
	for (int mode = JOURNAL_CREATE; mode <= JOURNAL_READ; mode++) {
		journal_free(&f->j);
		unmark(f);
		assert_int_equal(0,
		    journal_open_by(f->dir, (enum journal_mode)mode, &by_exec,
			&f->j, &e));
	}
}

/* Whoever cannot look has seen no damage. */
static void
test_a_look_that_fails_says_nothing_of_the_pages(void **state)
{
	static const struct {
		const char *exe;
		enum err_code code;
	} v[] = {{"/nonexistent/mochila", ERR_IO}, {"/bin/sh", ERR_JOURNAL},
	    {"/usr/bin/test", ERR_JOURNAL}};
	struct fixture *f = *state;
	struct err e;

	add_box(f, "a", 20);
	journal_free(&f->j);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		const struct journal_way way = {v[i].exe, NULL};

		unmark(f);
		assert_int_equal(v[i].code,
		    journal_open_by(
			f->dir, JOURNAL_CREATE, &way, &f->j, &e));
		assert_int_equal(e.scope, ERR_SCOPE_ACCOUNT);
		assert_int_equal(e.retry, ERR_RETRY_LATER);
		reopen(f, JOURNAL_CREATE);
		journal_free(&f->j);
	}
}

static void
test_a_cancel_ends_the_look(void **state)
{
	struct fixture *f = *state;
	struct journal_way way = {SELF, NULL};
	struct cancel *c;
	struct err e;

	add_box(f, "a", 20);
	journal_free(&f->j);
	unmark(f);
	assert_int_equal(0, cancel_new(&c, &e));
	cancel_raise(c);
	way.cancel = c;
	assert_int_equal(ERR_CANCELED,
	    journal_open_by(f->dir, JOURNAL_CREATE, &way, &f->j, &e));
	cancel_free(&c);
}

static void
test_a_sound_journal_is_not_read_again(void **state)
{
	struct fixture *f = *state;
	char *mark, *after;

	add_box(f, "a", 20);
	reopen(f, JOURNAL_CREATE);
	assert_true(tempdir_read(f->dir, "journal/sound", &mark) > 0);
	/* reading leaves it; nothing to write leaves it as well */
	reopen(f, JOURNAL_READ);
	reopen(f, JOURNAL_CREATE);
	journal_free(&f->j);
	assert_true(tempdir_read(f->dir, "journal/sound", &after) > 0);
	assert_string_equal(mark, after);
	free(mark);
	free(after);
}

static void
test_a_cut_at_creation_is_no_damage(void **state)
{
	struct fixture *f = *state;

	journal_free(&f->j);
	tempdir_write(f->dir, "journal/data.mdb", "", 0);
	reopen(f, JOURNAL_READ);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(add_box(f, "a", 1), 1);
}

static void
test_without_its_file_a_mark_is_damage(void **state)
{
	struct fixture *f = *state;
	struct journal *j = NULL;
	char path[512];
	struct err e;

	add_box(f, "a", 20);
	journal_free(&f->j);
	tempdir_join(path, f->dir, "journal/data.mdb");
	tempdir_write(f->dir, "journal/data.mdb", "", 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ERR_JOURNAL,
		    journal_open(f->dir, JOURNAL_CREATE, &j, &e));
		assert_null(j);
		assert_non_null(strstr(e.text, "data.mdb"));
		assert_int_equal(ERR_JOURNAL,
		    journal_open(f->dir, JOURNAL_READ, &j, &e));
		assert_int_equal(unlink(path), i == 0 ? 0 : -1);
	}
	unmark(f);
	reopen(f, JOURNAL_CREATE);
	assert_int_equal(add_box(f, "a", 1), 1);
}

/* What cannot be removed now is removed by the next run. */
static void
test_leftovers_are_removed_before_there_is_a_mark(void **state)
{
	struct fixture *f = *state;
	char host[HOST_NAME_MAX + 1] = "", name[128], path[512], mark[512];

	assert_int_equal(0, gethostname(host, sizeof host - 1));
	snprintf(name, sizeof name, "journal/.tmp-%s-0123456789abcdef", host);
	tempdir_join(path, f->dir, name);
	tempdir_join(mark, f->dir, "journal/sound");
	add_box(f, "a", 20);
	journal_free(&f->j);
	unmark(f);
	assert_int_equal(0, mkdir(path, 0700)); /* is not unlinked */
	reopen(f, JOURNAL_CREATE);
	journal_free(&f->j);
	assert_int_equal(access(mark, F_OK), -1);
	assert_int_equal(0, rmdir(path));
	tempdir_write(f->dir, name, "x", 1);
	reopen(f, JOURNAL_CREATE);
	journal_free(&f->j);
	assert_int_equal(access(mark, F_OK), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_one_run_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct journal_lock *lock = NULL;
	int ready[2], go[2], status;
	char word[32];
	struct err e;
	pid_t pid;

	assert_int_equal(0, pipe(ready));
	assert_int_equal(0, pipe(go));
	pid = fork();
	if (pid == 0) {
		if (journal_lock(f->dir, &lock, &e) != 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		(void)!read(go[0], word, 1);
		_exit(0); /* and the lock goes with the process */
	}
	assert_int_equal(1, read(ready[0], word, 1));
	assert_int_equal(ERR_LOCKED, journal_lock(f->dir, &lock, &e));
	assert_int_equal(err_exit_status(&e), 75);
	snprintf(word, sizeof word, "pid %ld", (long)pid);
	assert_non_null(strstr(e.text, word));
	assert_int_equal(1, write(go[1], "x", 1));
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(0, journal_lock(f->dir, &lock, &e));
	journal_lock_free(&lock);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* Also within one process, where closing a descriptor drops fcntl's locks. */
static void
test_one_account_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct journal_lock *a, *b;
	int status;
	pid_t pid;
	struct err e;

	assert_int_equal(0, journal_lock(f->dir, &a, &e));
	for (int i = 0; i < 2; i++)
		assert_int_equal(ERR_LOCKED, journal_lock(f->dir, &b, &e));
	assert_null(strstr(e.text, "pid"));
	pid = fork();
	if (pid == 0)
		_exit(journal_lock(f->dir, &b, &e) == ERR_LOCKED);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	journal_lock_free(&a);
	assert_int_equal(0, journal_lock(f->dir, &a, &e));
	journal_lock_free(&a);
}

int
main(int argc, char **argv)
{
	if (journal_is_look(argc, argv))
		journal_look_main(argc, argv);
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_the_owner_is_as_it_was_put),
	    T(test_what_was_put_is_there_after_reopening),
	    T(test_what_was_left_out_is_a_number_of_its_own),
	    T(test_a_batch_that_changes_nothing_writes_nothing),
	    T(test_names_are_told_one_by_one_as_the_rows_have_them),
	    T(test_a_row_that_is_too_large_fails_the_whole_batch),
	    T(test_mailbox_numbers_are_never_given_twice),
	    T(test_an_aborted_batch_leaves_nothing),
	    T(test_mailboxes_go_with_all_that_is_theirs),
	    T(test_rows_and_holds_count_as_known),
	    T(test_deleting_and_putting_in_one_batch),
	    T(test_check_finds_nothing_in_a_sound_journal),
	    T(test_check_sees_every_table),
	    T(test_check_beside_a_run),
	    T(test_absent_journals_are_empty_and_stay_absent),
	    T(test_reading_changes_no_byte),
	    T(test_damaged_journals_are_left_as_they_are),
	    T(test_newer_journals_are_left_as_they_are),
	    T(test_rows_that_do_not_decode_are_damage),
	    T(test_damaged_pages_do_not_end_the_process),
	    T(test_nor_where_the_child_is_executed),
	    T(test_a_journal_without_its_mark_is_looked_at_and_opened),
	    T(test_a_look_that_fails_says_nothing_of_the_pages),
	    T(test_a_cancel_ends_the_look),
	    T(test_a_sound_journal_is_not_read_again),
	    T(test_a_cut_at_creation_is_no_damage),
	    T(test_without_its_file_a_mark_is_damage),
	    T(test_leftovers_are_removed_before_there_is_a_mark),
	    T(test_one_run_at_a_time),
	    T(test_one_account_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
