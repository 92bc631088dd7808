/*
 * The truth table of the merge: every state of a row, a file and a message on
 * the server.  What is expected is worked out here from the words of
 * doc/merge-table.md, not by the code under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/name.h"
#include "plan/plan.h"

enum lstate {
	L_UNSEEN, /* the directory was not read */
	L_SAME,
	L_FLAG,    /* \Seen added */
	L_UNFLAG,  /* \Flagged removed */
	L_DELETED, /* \Deleted added: T */
	L_RENAMED, /* another base, the same inode */
	L_COPIED,  /* another base, the same content */
	L_REPLACED,/* other content */
	L_HELD,    /* the same, which is not to go up in this run */
	L_GONE,
	L_BUSY,    /* not seen, and the view is not complete */
	L_N
};
enum rstate {
	R_UNSEEN,
	R_SAME,
	R_FLAG,   /* \Answered added */
	R_UNFLAG, /* \Flagged removed */
	R_DELETED,
	R_VANISHED,
	R_ABSENT, /* in a complete listing */
	R_QUIET,  /* a delta does not name it */
	R_N
};
enum mode { NORMAL, DOUBT, EXPUNGE, MODES };

struct want {
	enum op_kind kind[3];
	enum plan_case why[3];
	unsigned n;
	uint32_t l, r; /* flags of the row recorded, when n and not a delete */
};

static void
expect_op(struct want *w, enum op_kind kind, enum plan_case why)
{
	w->kind[w->n] = kind;
	w->why[w->n++] = why;
}

#define BASE FLAG_FLAGGED

static uint32_t
lflags(enum lstate l)
{
	return l == L_FLAG ? BASE | FLAG_SEEN
	    : l == L_UNFLAG ? 0
	    : l == L_DELETED ? BASE | FLAG_DELETED
			     : BASE;
}

static uint32_t
rflags(enum rstate r)
{
	return r == R_FLAG ? BASE | FLAG_ANSWERED
	    : r == R_UNFLAG ? 0
	    : r == R_DELETED ? BASE | FLAG_DELETED
			     : BASE;
}

static void
want_flags(struct want *w, enum lstate l, enum rstate r, enum mode mode)
{
	uint32_t lf = lflags(l), rf = rflags(r), to = 0;
	bool lnew = lf != BASE, rnew = rf != BASE;
	enum plan_case why = lnew && rnew ? 4 : lnew ? 2 : rnew ? 3 : 1;

	for (uint32_t bit = 1; bit <= FLAG_DELETED; bit <<= 1)
		if (BASE & bit ? (lf & rf & bit) : ((lf | rf) & bit))
			to |= bit;
	w->l = w->r = to;
	if (mode == EXPUNGE && (to & FLAG_DELETED)) {
		expect_op(w, OP_LDELETE, 19);
		expect_op(w, OP_RDELETE, 19);
		return;
	}
	if (lf != to)
		expect_op(w, OP_LFLAGS, why);
	if (rf != to)
		expect_op(w, OP_RFLAGS, why);
	/* Nothing to carry out, but the row is not as it was. */
	if (w->n == 0 && (lnew || rnew || l == L_RENAMED || l == L_COPIED))
		expect_op(w, OP_RECORD, why);
}

static struct want
want(enum lstate l, enum rstate r, enum mode mode)
{
	struct want w = {.n = 0};
	bool rgone = r == R_VANISHED || r == R_ABSENT;

	if (l == L_REPLACED && rgone) {
		expect_op(&w, OP_FORGET, 9);
		expect_op(&w, OP_PUSH, 10);
	} else if (l == L_HELD && rgone) {
		expect_op(&w, OP_FORGET, 9);
		expect_op(&w, OP_WAIT, 13);
	} else if (l == L_REPLACED) {
		expect_op(&w, OP_PUSH, 20);
		w.r = rflags(r) & ~(uint32_t)FLAG_DELETED;
		expect_op(&w, OP_RDELETE, 20);
	} else if (l == L_GONE && rgone) {
		expect_op(&w, OP_FORGET, 9);
	} else if (l == L_GONE) {
		expect_op(&w, OP_RDELETE,
		    r == R_FLAG || r == R_UNFLAG || r == R_DELETED ? 6 : 5);
	} else if (rgone && mode == DOUBT) {
		/* only a file that was seen can be pushed */
		if (l != L_UNSEEN && l != L_BUSY) {
			expect_op(&w, OP_FORGET, 18);
			expect_op(&w, OP_PUSH, 18);
		}
	} else if (rgone) {
		expect_op(&w, OP_LDELETE,
		    l == L_FLAG || l == L_UNFLAG || l == L_DELETED ? 8 : 7);
	} else {
		want_flags(&w, l, r, mode);
	}
	return w;
}

static struct arena mem;

static struct pair
the_row(void)
{
	struct pair p = {.uid = 7, .file = SPAN("cur/a:2,F"),
	    .l = {.sys = BASE}, .r = {.sys = BASE}, .modseq = 5, .size = 100,
	    .idate = 1000, .ino = 11, .fsize = 90, .mtime_ns = 1000000000};

	memset(p.sha, 'A', sizeof p.sha);
	return p;
}

static struct lview
local_view(enum lstate l)
{
	struct lview v = {.same = l == L_UNSEEN,
	    .complete = l != L_UNSEEN && l != L_BUSY};
	static const char *const file[L_N] = {[L_SAME] = "cur/a:2,F",
	    [L_FLAG] = "cur/a:2,FS", [L_UNFLAG] = "cur/a:2,",
	    [L_DELETED] = "cur/a:2,FT", [L_RENAMED] = "cur/b:2,F",
	    [L_COPIED] = "cur/c:2,F", [L_REPLACED] = "cur/a:2,F",
	    [L_HELD] = "cur/a:2,F"};
	struct lmsg m = {.flags = {.sys = lflags(l)}, .hold = l == L_HELD};
	struct pair row = the_row();

	if (!file[l])
		return v;
	m.file = span_str(file[l]);
	m.base = name_split(span_of(m.file.p + 4, m.file.n - 4)).base;
	if (l == L_RENAMED) {
		m.has_stat = true;
		m.ino = row.ino;
		m.fsize = row.fsize;
		m.mtime_ns = row.mtime_ns;
	}
	if (l == L_COPIED || l == L_REPLACED || l == L_HELD) {
		m.has_content = true;
		m.content.size = row.size;
		memset(m.content.sha, l == L_COPIED ? 'A' : 'B',
		    sizeof m.content.sha);
	}
	lview_add(&mem, &v, m);
	return v;
}

static struct rview
remote_view(enum rstate r, enum mode mode)
{
	struct rview v = {.same = r == R_UNSEEN, .complete = r == R_ABSENT,
	    .doubt = mode == DOUBT};

	uidset_init(&v.vanished);
	if (r == R_VANISHED)
		uidset_add(&v.vanished, 7);
	if (r == R_SAME || r == R_FLAG || r == R_UNFLAG || r == R_DELETED)
		rview_add(&mem, &v, (struct rmsg){.uid = 7, .modseq = 5,
					.flags = {.sys = rflags(r)}});
	return v;
}

static struct plan
merge(const struct pairs *base, const struct lview *l, const struct rview *r,
    bool expunge)
{
	const struct plan_policy policy = {.max_deletes = 100,
	    .expunge = expunge, .account_messages = 1000};
	struct plan pl;

	plan_init(&pl, &mem);
	plan_merge(&pl, 3, base, base->n, l, r, &policy);
	return pl;
}

static void
check_cell(enum lstate l, enum rstate r, enum mode mode)
{
	struct want w = want(l, r, mode);
	struct pairs base = {.complete = true};
	struct lview lv = local_view(l);
	struct rview rv = remote_view(r, mode);
	struct plan pl;

	pairs_add(&mem, &base, the_row());
	pl = merge(&base, &lv, &rv, mode == EXPUNGE);
	bool ok = pl.n == w.n && pl.nbox == 1 && pl.box[0].rows == 1;
	for (size_t i = 0; ok && i < pl.n; i++) {
		const struct op *op = &pl.op[i];

		ok = op->kind == w.kind[i] && op->why == w.why[i] &&
		    op->box == 3 && op->group < pl.groups;
		if (op->kind == OP_LFLAGS || op->kind == OP_RFLAGS ||
		    op->kind == OP_RECORD)
			ok = ok && op->row.l.sys == w.l &&
			    op->row.r.sys == w.r && op->uid == 7 &&
			    op->row.uid == 7 && op->row.sha[0] == 'A';
		if (op->kind == OP_PUSH)
			ok = ok && op->row.uid == 0 &&
			    span_eq(op->file, lv.v[0].file) &&
			    op->row.l.sys == lflags(l);
		if (op->kind == OP_PUSH && op->why == 20)
			ok = ok && op->row.r.sys == w.r &&
			    op->left_add.sys == (w.r & ~(uint32_t)BASE) &&
			    op->left_del.sys == (BASE & ~w.r);
	}
	if (!ok) {
		struct buf out;

		buf_init(&out, 4096);
		for (size_t i = 0; i < pl.n; i++) {
			plan_print_op(&pl.op[i], SPAN("box"),
			    SPAN("old"), NULL, &out);
			buf_addc(&out, '\n');
		}
		fail_msg("local %d, server %d, mode %d: %u ops wanted, got\n%s",
		    l, r, mode, w.n, buf_cstr(&out));
	}
	uidset_release(&rv.vanished);
	arena_clear(&mem);
}

static void
test_every_state_of_a_message_that_has_a_row(void **state)
{
	(void)state;
	for (int mode = 0; mode < MODES; mode++)
		for (int l = 0; l < L_N; l++)
			for (int r = 0; r < R_N; r++)
				check_cell((enum lstate)l, (enum rstate)r,
				    (enum mode)mode);
}

static struct lmsg
new_file(const char *file, uint32_t klass, bool hold)
{
	struct lmsg m = {.file = span_str(file), .flags = {.sys = FLAG_SEEN},
	    .has_stat = true, .has_content = true, .klass = klass,
	    .hold = hold, .mtime_ns = 5000000000};

	m.base = name_split(span_of(m.file.p + 4, m.file.n - 4)).base;
	memset(m.content.sha, (int)klass, sizeof m.content.sha);
	return m;
}

/* "push10 pull11 ", in the order of the plan */
static void
assert_plan(struct plan *pl, const char *want_text)
{
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < pl->n; i++) {
		const struct op *op = &pl->op[i];

		buf_addf(&out, "%s%d(%u,%.*s) ", plan_kind_word(op->kind),
		    (int)op->why, op->uid, SPAN_ARG(op->file));
	}
	assert_string_equal(buf_cstr(&out), want_text);
	buf_release(&out);
}

static void
test_new_messages(void **state)
{
	const struct pairs none = {.complete = true};
	struct plan pl;

	(void)state;
	/* here: absent, new, on hold; there: absent, new, on hold; equal? */
	for (int l = 0; l < 3; l++)
		for (int r = 0; r < 3; r++)
			for (int equal = 0; equal < 2; equal++) {
				struct lview lv = {.complete = true};
				struct rview rv = {.complete = true};
				const char *text = "";

				if (l)
					lview_add(&mem, &lv, new_file("cur/x:2,S",
								 1, l == 2));
				if (r)
					rview_add(&mem, &rv, (struct rmsg){
						.uid = 9, .hold = r == 2,
						.flags = {.sys = FLAG_FLAGGED},
						.klass = equal ? 1 : 2});
				if (l && r && equal)
					text = "adopt12(9,cur/x:2,S) "
					       "flags here12(9,cur/x:2,S) "
					       "flags on server12(9,cur/x:2,S) ";
				else if (l == 1 && r == 0)
					text = "push10(0,cur/x:2,S) ";
				else if (l == 2 && r == 0)
					text = "wait13(0,cur/x:2,S) ";
				else if (l == 0 && r == 1)
					text = "pull11(9,) ";
				else if (l == 0 && r == 2)
					text = "wait14(9,) ";
				else if (l == 1 && r == 1)
					text = "push10(0,cur/x:2,S) pull11(9,) ";
				else if (l == 1 && r == 2)
					text = "push10(0,cur/x:2,S) wait14(9,) ";
				else if (l == 2 && r == 1)
					text = "wait13(0,cur/x:2,S) pull11(9,) ";
				else if (l == 2 && r == 2)
					text = "wait13(0,cur/x:2,S) wait14(9,) ";
				pl = merge(&none, &lv, &rv, false);
				assert_plan(&pl, text);
				if (l && r && equal)
					assert_int_equal(pl.op[0].row.l.sys,
					    FLAG_SEEN | FLAG_FLAGGED);
				arena_clear(&mem);
			}
}

static void
test_as_many_equals_as_there_are(void **state)
{
	const struct pairs none = {.complete = true};
	struct lview lv = {.complete = true};
	struct rview rv = {.complete = true};
	struct plan pl;

	(void)state;
	lview_add(&mem, &lv, new_file("new/c", 1, false));
	lview_add(&mem, &lv, new_file("new/a", 1, false));
	lview_add(&mem, &lv, new_file("new/b", 1, false));
	for (uint32_t uid = 1; uid <= 2; uid++)
		rview_add(&mem, &rv, (struct rmsg){.uid = uid, .klass = 1,
					 .flags = {.sys = FLAG_SEEN}});
	pl = merge(&none, &lv, &rv, false);
	assert_plan(&pl, "adopt12(1,new/a) adopt12(2,new/b) push10(0,new/c) ");
	arena_clear(&mem);
}

static void
test_renumbered_mailboxes_lose_nothing(void **state)
{
	struct pairs base = {.complete = true};
	struct lview lv = {.complete = true};
	struct rview rv = {.complete = true, .renumbered = true};
	struct pair row = the_row();
	struct plan pl;

	(void)state;
	/* row 7 is 1 now; row 8 is not there any more; row 9's file is gone;
	 * 2 is somebody's new message, 3 is a new file's */
	row.file = SPAN("cur/a:2,S");
	pairs_add(&mem, &base, row);
	row.uid = 8;
	row.file = SPAN("cur/b:2,S");
	pairs_add(&mem, &base, row);
	row.uid = 9;
	row.file = SPAN("cur/c:2,S");
	pairs_add(&mem, &base, row);
	lview_add(&mem, &lv, new_file("cur/a:2,S", 1, false));
	lview_add(&mem, &lv, new_file("cur/b:2,S", 2, false));
	lview_add(&mem, &lv, new_file("cur/d:2,S", 3, false));
	rview_add(&mem, &rv, (struct rmsg){.uid = 1, .klass = 1,
				 .flags = {.sys = FLAG_SEEN}});
	rview_add(&mem, &rv, (struct rmsg){.uid = 2, .klass = 0});
	rview_add(&mem, &rv, (struct rmsg){.uid = 3, .klass = 3,
				 .flags = {.sys = FLAG_SEEN}});
	pl = merge(&base, &lv, &rv, true);
	assert_plan(&pl, "adopt15(1,cur/a:2,S) adopt12(3,cur/d:2,S) "
			 "push16(0,cur/b:2,S) forget17(9,cur/c:2,S) "
			 "pull11(2,) ");
	assert_int_equal(pl.op[0].old_uid, 7);
	assert_int_equal(pl.op[3].old_uid, 9);
	arena_clear(&mem);
}

static void
add_equal(struct lview *lv, struct rview *rv, const char *file, uint32_t uid,
    uint32_t sys)
{
	struct lmsg m = new_file(file ? file : "cur/x:2,", 1, false);

	m.flags.sys = sys;
	if (file)
		lview_add(&mem, lv, m);
	else
		rview_add(&mem, rv, (struct rmsg){.uid = uid, .klass = 1,
					.flags = {.sys = sys}});
}

static void
test_of_equal_ones_those_of_the_same_flags_are_one(void **state)
{
	const struct pairs none = {.complete = true};
	struct pairs base = {.complete = true};
	struct lview lv = {.complete = true};
	struct rview rv = {.complete = true};
	struct pair row = the_row();
	struct plan pl;

	(void)state;
	add_equal(&lv, &rv, "cur/a:2,", 0, 0);
	add_equal(&lv, &rv, "cur/b:2,T", 0, FLAG_DELETED);
	add_equal(&lv, &rv, "cur/c:2,F", 0, FLAG_FLAGGED);
	add_equal(&lv, &rv, NULL, 1, FLAG_DELETED);
	add_equal(&lv, &rv, NULL, 2, FLAG_SEEN);
	add_equal(&lv, &rv, NULL, 3, 0);
	pl = merge(&none, &lv, &rv, false);
	assert_plan(&pl, "adopt12(3,cur/a:2,) adopt12(1,cur/b:2,T) "
			 "adopt12(2,cur/c:2,F) flags here12(2,cur/c:2,F) "
			 "flags on server12(2,cur/c:2,F) ");
	/* fewer there; the one of a row comes first */
	lv = (struct lview){.complete = true};
	rv = (struct rview){.complete = true};
	add_equal(&lv, &rv, "cur/b:2,", 0, 0);
	add_equal(&lv, &rv, "cur/a:2,S", 0, FLAG_SEEN);
	add_equal(&lv, &rv, NULL, 1, 0);
	pl = merge(&none, &lv, &rv, false);
	assert_plan(&pl, "adopt12(1,cur/b:2,) push10(0,cur/a:2,S) ");
	row.file = SPAN("cur/a:2,S");
	row.l.sys = row.r.sys = FLAG_SEEN;
	memset(row.sha, 1, sizeof row.sha);
	pairs_add(&mem, &base, row);
	rv.renumbered = true;
	pl = merge(&base, &lv, &rv, true);
	assert_plan(&pl, "adopt15(1,cur/a:2,S) flags on server15(1,cur/a:2,S) "
			 "push10(0,cur/b:2,) ");
	arena_clear(&mem);
}

static void
test_two_files_of_one_base_are_two_messages(void **state)
{
	struct pairs base = {.complete = true};
	struct lview lv = {.complete = true};
	struct rview rv = {.same = true};
	struct plan pl;

	(void)state;
	pairs_add(&mem, &base, the_row());
	lview_add(&mem, &lv, new_file("cur/a:2,FS", 1, false));
	struct lmsg same = new_file("cur/a:2,F", 'A', false);
	same.flags.sys = BASE;
	same.has_stat = false;
	lview_add(&mem, &lv, same);
	pl = merge(&base, &lv, &rv, false);
	assert_plan(&pl, "push10(0,cur/a:2,FS) ");
	arena_clear(&mem);
}

static void
test_a_damaged_directory_gives_no_delete_that_is_not_held(void **state)
{
	const struct plan_policy policy = {.max_deletes = 100,
	    .allow_deletes = true, .account_messages = 1000};
	struct pairs base = {.complete = true};
	struct lview lv = {.damaged = true};
	struct rview rv = {.same = true};
	struct plan pl;

	(void)state;
	pairs_add(&mem, &base, the_row());
	pl = merge(&base, &lv, &rv, false);
	plan_brake(&pl, &policy);
	assert_int_equal(pl.n, 1);
	assert_true(pl.op[0].held);
	assert_int_equal(pl.box[0].brake, BRAKE_DAMAGED);
	arena_clear(&mem);
}

static void
test_some_rows_are_not_all_rows(void **state)
{
	/* Files cannot be called new when only touched rows are at hand. */
	struct pairs base = {.complete = false};
	struct lview lv = {.complete = true};
	struct rview rv = {.same = true};
	const struct plan_policy policy = {.max_deletes = 100};
	struct plan pl;

	(void)state;
	pairs_add(&mem, &base, the_row());
	lview_add(&mem, &lv, new_file("cur/other:2,S", 1, false));
	plan_init(&pl, &mem);
	plan_merge(&pl, 0, &base, 2, &lv, &rv, &policy);
	assert_int_equal(pl.n, 0);
	arena_clear(&mem);
}

/*
 * test-plan-property 1795537634, round 2851: both files of two equal messages
 * were renamed.  The second one was pushed again, and its old message was to be
 * deleted; a crash in between left three.  By inode it was the same, with files
 * that are links of each other.
 */
static void
test_equal_messages_that_are_all_renamed_are_not_new(void **state)
{
	static const char *const names[] = {"cur/33:2,S", "cur/34:2,S"};
	struct rview rv = {.same = true};

	(void)state;
	/* as many files as rows, fewer, more */
	for (unsigned files = 1; files <= 3; files++)
		for (int stat = 0; stat < 2; stat++) {
			struct pairs base = {.complete = true};
			struct lview lv = {.complete = true};
			struct pair row = the_row();
			struct plan pl;

			row.l.sys = row.r.sys = FLAG_SEEN;
			row.uid = 18;
			row.file = SPAN("cur/19:2,S");
			pairs_add(&mem, &base, row);
			row.uid = 19;
			row.file = SPAN("cur/20:2,S");
			pairs_add(&mem, &base, row);
			for (unsigned i = 0; i < files; i++) {
				struct lmsg f = new_file(i < 2 ? names[i]
				    : "cur/35:2,S", 'A', false);

				f.has_stat = stat;
				f.has_content = !stat || i == 2;
				f.ino = row.ino;
				f.fsize = row.fsize;
				f.mtime_ns = row.mtime_ns;
				lview_add(&mem, &lv, f);
			}
			pl = merge(&base, &lv, &rv, false);
			assert_plan(&pl, files == 1
				? "record1(18,cur/33:2,S) "
				  "delete on server5(19,cur/20:2,S) "
				: files == 2 ? "record1(18,cur/33:2,S) "
					       "record1(19,cur/34:2,S) "
					     : "record1(18,cur/33:2,S) "
					       "record1(19,cur/34:2,S) "
					       "push10(0,cur/35:2,S) ");
			arena_clear(&mem);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_state_of_a_message_that_has_a_row),
	    cmocka_unit_test(test_new_messages),
	    cmocka_unit_test(test_as_many_equals_as_there_are),
	    cmocka_unit_test(test_renumbered_mailboxes_lose_nothing),
	    cmocka_unit_test(
		test_of_equal_ones_those_of_the_same_flags_are_one),
	    cmocka_unit_test(test_two_files_of_one_base_are_two_messages),
	    cmocka_unit_test(
		test_a_damaged_directory_gives_no_delete_that_is_not_held),
	    cmocka_unit_test(test_some_rows_are_not_all_rows),
	    cmocka_unit_test(
		test_equal_messages_that_are_all_renamed_are_not_new),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
