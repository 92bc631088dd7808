/*
 * Cases 1 to 20 of doc/merge-table.md, each by itself; 21 to 29 are in
 * test-plan-moves.c.  What is expected comes from the words of the tables.
 * Where a case has several forms, each has a mailbox of its own.
 */
#include "boxes.h"

/* A file as its row has it: nobody had to read it. */
static void
known_file(int b, const char *name, uint8_t content, uint32_t flags)
{
	struct pair old = a_row(0, name, content, flags);
	struct lmsg *m;

	file(b, name, content, flags);
	m = &box[b].l.v[box[b].l.n - 1];
	m->has_content = false;
	m->ino = old.ino;
	m->fsize = old.fsize;
	m->mtime_ns = old.mtime_ns;
}

/* A message of the server with the mod-sequence that its row has. */
static void
known_there(int b, uint32_t uid, uint8_t content, uint32_t flags)
{
	there(b, uid, content, flags);
	box[b].r.v[box[b].r.n - 1].modseq = a_row(uid, "", content, 0).modseq;
}

/* The one op of this mailbox. */
static const struct op *
op_of(uint32_t b, enum op_kind kind, enum plan_case why)
{
	const struct op *found = NULL;

	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].box == b) {
			assert_null(found);
			found = &pl.op[i];
		}
	assert_non_null(found);
	assert_int_equal(found->kind, kind);
	assert_int_equal(found->why, why);
	return found;
}

static void
assert_kind(size_t i, enum op_kind kind, enum plan_case why)
{
	assert_true(i < pl.n);
	assert_int_equal(pl.op[i].kind, kind);
	assert_int_equal(pl.op[i].why, why);
}

static void
assert_change(const struct op *op, uint32_t add, uint32_t del)
{
	assert_int_equal(op->add.sys, add);
	assert_int_equal(op->del.sys, del);
}

/* Both sides will show FLAGS, and the row says so. */
static void
assert_agreed(const struct op *op, uint32_t flags)
{
	assert_int_equal(op->row.l.sys, flags);
	assert_int_equal(op->row.r.sys, flags);
}

static void
assert_no_delete(void)
{
	for (size_t i = 0; i < pl.n; i++)
		assert_false(op_is_delete(&pl.op[i]));
}

static void
test_case_1_nothing_is_done(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	known_file(0, "cur/m:2,S", 1, FLAG_SEEN);
	known_there(0, 7, 1, FLAG_SEEN);
	plan();
	assert_int_equal(pl.n, 0);
}

static void
test_case_1_what_is_new_about_it_goes_into_the_row(void **state)
{
	const struct op *op;

	(void)state;
	/* a file name */
	row(0, 7, "new/m", 1, 0);
	known_file(0, "cur/m:2,", 1, 0);
	known_there(0, 7, 1, 0);
	/* a mod-sequence */
	row(1, 7, "cur/m:2,", 2, 0);
	known_file(1, "cur/m:2,", 2, 0);
	there(1, 7, 2, 0);
	/* an inode */
	row(2, 7, "cur/m:2,", 3, 0);
	known_file(2, "cur/m:2,", 3, 0);
	box[2].l.v[0].ino = 999;
	known_there(2, 7, 3, 0);
	plan();
	assert_int_equal(pl.n, 3);
	op = op_of(0, OP_RECORD, CASE_SAME);
	assert_true(span_eq(op->row.file, SPAN("cur/m:2,")));
	op = op_of(1, OP_RECORD, CASE_SAME);
	assert_int_equal(op->row.modseq, 9);
	op = op_of(2, OP_RECORD, CASE_SAME);
	assert_int_equal(op->row.ino, 999);
}

static void
test_case_1_of_files_with_one_base_the_one_that_is_alike(void **state)
{
	const struct op *op;

	(void)state;
	/* another message came by the name that was free; all is known */
	row(0, 7, "cur/m:2,R", 1, FLAG_ANSWERED);
	known_file(0, "cur/m:2,", 2, 0);
	known_file(0, "cur/m:2,R1", 1, FLAG_ANSWERED);
	known_there(0, 7, 1, FLAG_ANSWERED);
	/* a copy of the Maildir: other inodes */
	row(1, 7, "cur/m:2,R", 3, FLAG_ANSWERED);
	known_file(1, "cur/m:2,", 4, 0);
	known_file(1, "cur/m:2,R1", 3, FLAG_ANSWERED);
	box[1].l.v[1].ino = 999;
	known_there(1, 7, 3, FLAG_ANSWERED);
	/* two of one base, and both have other names */
	row(2, 7, "cur/m:2,R", 5, FLAG_ANSWERED);
	row(2, 8, "cur/m:2,S", 6, FLAG_ANSWERED);
	known_file(2, "cur/m:2,R1", 6, FLAG_ANSWERED);
	known_file(2, "cur/m:2,R2", 5, FLAG_ANSWERED);
	known_there(2, 7, 5, FLAG_ANSWERED);
	known_there(2, 8, 6, FLAG_ANSWERED);
	plan();
	op = op_of(0, OP_RECORD, CASE_SAME);
	assert_true(span_eq(op->row.file, SPAN("cur/m:2,R1")));
	op = op_of(1, OP_RECORD, CASE_SAME);
	assert_true(span_eq(op->row.file, SPAN("cur/m:2,R1")));
	assert_int_equal(pl.n, 4);
	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].box == 2)
			assert_true(span_eq(pl.op[i].row.file,
			    pl.op[i].uid == 7 ? SPAN("cur/m:2,R2")
					      : SPAN("cur/m:2,R1")));
}

static void
test_case_1_of_names_that_were_exchanged(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	row(0, 8, "cur/n:2,", 2, 0);
	file(0, "cur/m:2,", 2, 0);
	file(0, "cur/n:2,", 1, 0);
	known_there(0, 7, 1, 0);
	known_there(0, 8, 2, 0);
	/* one file over another one: the other is gone */
	row(1, 7, "cur/m:2,", 3, 0);
	row(1, 8, "cur/n:2,", 4, 0);
	file(1, "cur/n:2,", 3, 0);
	known_there(1, 7, 3, 0);
	known_there(1, 8, 4, 0);
	plan();
	assert_int_equal(pl.n, 4);
	for (size_t i = 0; i < pl.n; i++) {
		bool first = pl.op[i].uid == 7;

		if (pl.op[i].box == 1 && !first) {
			assert_kind(i, OP_RDELETE, CASE_L_GONE);
			continue;
		}
		assert_kind(i, OP_RECORD, CASE_SAME);
		assert_true(span_eq(pl.op[i].row.file,
		    first ? SPAN("cur/n:2,") : SPAN("cur/m:2,")));
	}
}

static void
test_case_2_a_change_here_goes_to_the_server(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,F", 1, FLAG_FLAGGED);
	known_file(0, "cur/m:2,S", 1, FLAG_SEEN);
	known_there(0, 7, 1, FLAG_FLAGGED);
	plan();
	op = only(OP_RFLAGS, CASE_L_FLAGS);
	assert_int_equal(op->uid, 7);
	assert_change(op, FLAG_SEEN, FLAG_FLAGGED);
	assert_agreed(op, FLAG_SEEN);
}

static void
test_case_3_a_change_there_goes_into_the_file_name(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,F", 1, FLAG_FLAGGED);
	known_file(0, "cur/m:2,F", 1, FLAG_FLAGGED);
	there(0, 7, 1, FLAG_SEEN);
	plan();
	op = only(OP_LFLAGS, CASE_R_FLAGS);
	assert_true(span_eq(op->file, SPAN("cur/m:2,F")));
	assert_change(op, FLAG_SEEN, FLAG_FLAGGED);
	assert_agreed(op, FLAG_SEEN);
}

static void
test_case_4_each_flag_is_merged_by_itself(void **state)
{
	const uint32_t both = FLAG_SEEN | FLAG_ANSWERED;

	(void)state;
	/* here: read, and no star any more; there: answered */
	row(0, 7, "cur/m:2,F", 1, FLAG_FLAGGED);
	known_file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 1, FLAG_FLAGGED | FLAG_ANSWERED);
	plan();
	assert_int_equal(pl.n, 2);
	assert_kind(0, OP_LFLAGS, CASE_LR_FLAGS);
	assert_change(&pl.op[0], FLAG_ANSWERED, 0);
	assert_agreed(&pl.op[0], both);
	assert_kind(1, OP_RFLAGS, CASE_LR_FLAGS);
	assert_change(&pl.op[1], FLAG_SEEN, FLAG_FLAGGED);
	assert_agreed(&pl.op[1], both);
}

static void
test_case_4_the_same_change_on_both_sides(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	known_file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 1, FLAG_SEEN);
	plan();
	assert_agreed(only(OP_RECORD, CASE_LR_FLAGS), FLAG_SEEN);
}

static void
test_case_5_deleted_there(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	row(0, 8, "cur/stays:2,", 2, 0);
	known_file(0, "cur/stays:2,", 2, 0);
	known_there(0, 7, 1, 0);
	known_there(0, 8, 2, 0);
	plan();
	assert_int_equal(only(OP_RDELETE, CASE_L_GONE)->uid, 7);
	assert_int_equal(pl.box[0].rdeletes, 1);
}

/* Not without a complete look during which nothing changed. */
static void
test_case_5_needs_proof(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	known_there(0, 7, 1, 0);
	box[0].l.complete = false;
	plan();
	assert_int_equal(pl.n, 0);
}

static void
test_case_6_a_delete_here_wins_over_flags(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	there(0, 7, 1, FLAG_FLAGGED);
	plan();
	assert_int_equal(only(OP_RDELETE, CASE_L_GONE_R_FLAGS)->uid, 7);
}

static void
test_case_7_the_file_goes(void **state)
{
	const struct op *op;

	(void)state;
	/* by a complete listing */
	row(0, 7, "cur/m:2,", 1, 0);
	known_file(0, "cur/m:2,", 1, 0);
	/* by VANISHED */
	row(1, 7, "cur/n:2,", 2, 0);
	known_file(1, "cur/n:2,", 2, 0);
	box[1].r.complete = false;
	uidset_add(&box[1].r.vanished, 7);
	plan();
	assert_int_equal(pl.n, 2);
	op = op_of(0, OP_LDELETE, CASE_R_GONE);
	assert_true(span_eq(op->file, SPAN("cur/m:2,")));
	op = op_of(1, OP_LDELETE, CASE_R_GONE);
	assert_true(span_eq(op->file, SPAN("cur/n:2,")));
}

/* What an answer does not name is not gone. */
static void
test_case_7_needs_proof(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	known_file(0, "cur/m:2,", 1, 0);
	box[0].r.complete = false;
	plan();
	assert_int_equal(pl.n, 0);
}

static void
test_case_8_a_delete_there_wins_over_flags(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	known_file(0, "cur/m:2,F", 1, FLAG_FLAGGED);
	plan();
	op = only(OP_LDELETE, CASE_R_GONE_L_FLAGS);
	assert_true(span_eq(op->file, SPAN("cur/m:2,F")));
}

static void
test_case_9_the_row_goes(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	plan();
	assert_int_equal(only(OP_FORGET, CASE_LR_GONE)->uid, 7);
}

static void
test_case_10_a_new_file_goes_up_and_keeps_its_name(void **state)
{
	const struct op *op;

	(void)state;
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	plan();
	op = only(OP_PUSH, CASE_L_NEW);
	assert_true(span_eq(op->file, SPAN("cur/m:2,S")));
	assert_true(span_eq(op->row.file, SPAN("cur/m:2,S")));
	assert_int_equal(op->row.uid, 0); /* APPENDUID says it */
	assert_agreed(op, FLAG_SEEN);
}

static void
test_case_11_new_messages_are_pulled_newest_first(void **state)
{
	(void)state;
	there(0, 30, 1, 0);
	there(0, 31, 2, FLAG_SEEN);
	there(0, 32, 3, 0);
	plan();
	assert_int_equal(pl.n, 3);
	for (size_t i = 0; i < pl.n; i++) {
		assert_kind(i, OP_PULL, CASE_R_NEW);
		assert_int_equal(pl.op[i].uid, 32 - i);
	}
	assert_agreed(&pl.op[1], FLAG_SEEN);
}

static void
test_case_12_equal_messages_are_adopted_and_flags_united(void **state)
{
	const uint32_t both = FLAG_SEEN | FLAG_FLAGGED;

	(void)state;
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 30, 1, FLAG_FLAGGED);
	box[0].l.v[0].klass = box[0].r.v[0].klass = 1;
	plan();
	assert_int_equal(pl.n, 3);
	assert_kind(0, OP_ADOPT, CASE_LR_NEW_EQUAL);
	assert_int_equal(pl.op[0].row.uid, 30);
	assert_true(span_eq(pl.op[0].row.file, SPAN("cur/m:2,S")));
	assert_agreed(&pl.op[0], both);
	assert_kind(1, OP_LFLAGS, CASE_LR_NEW_EQUAL);
	assert_change(&pl.op[1], FLAG_FLAGGED, 0);
	assert_kind(2, OP_RFLAGS, CASE_LR_NEW_EQUAL);
	assert_change(&pl.op[2], FLAG_SEEN, 0);
}

/* Of n equal messages here and m there, the smaller number is paired. */
static void
test_case_12_as_many_as_there_are(void **state)
{
	(void)state;
	file(0, "cur/a:2,", 1, 0);
	file(0, "cur/b:2,", 1, 0);
	there(0, 30, 1, 0);
	file(1, "cur/c:2,", 2, 0);
	there(1, 40, 2, 0);
	there(1, 41, 2, 0);
	box[0].l.v[0].klass = box[0].l.v[1].klass = box[0].r.v[0].klass = 1;
	box[1].l.v[0].klass = box[1].r.v[0].klass = box[1].r.v[1].klass = 1;
	plan();
	assert_int_equal(pl.n, 4);
	assert_kind(0, OP_ADOPT, CASE_LR_NEW_EQUAL);
	assert_kind(1, OP_PUSH, CASE_L_NEW);
	assert_kind(2, OP_ADOPT, CASE_LR_NEW_EQUAL);
	assert_kind(3, OP_PULL, CASE_R_NEW);
}

static void
test_case_13_what_the_server_refused_waits(void **state)
{
	const struct op *op;

	(void)state;
	file(0, "cur/m:2,", 1, 0);
	box[0].l.v[0].hold = true;
	plan();
	op = only(OP_WAIT, CASE_L_HOLD);
	assert_true(span_eq(op->file, SPAN("cur/m:2,")));
}

static void
test_case_14_what_could_not_be_fetched_waits(void **state)
{
	(void)state;
	there(0, 30, 1, 0);
	box[0].r.v[0].hold = true;
	plan();
	assert_int_equal(only(OP_WAIT, CASE_R_HOLD)->uid, 30);
}

static void
test_case_15_a_renumbered_message_is_adopted(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.renumbered = true;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 1, 1, FLAG_SEEN);
	box[0].l.v[0].klass = box[0].r.v[0].klass = 1;
	plan();
	op = only(OP_ADOPT, CASE_RENUM_EQUAL);
	assert_int_equal(op->row.uid, 1);
	assert_int_equal(op->old_uid, 7);
	assert_true(span_eq(op->row.file, SPAN("cur/m:2,S")));
}

/* Also when another message has got the number that it had. */
static void
test_case_16_what_the_new_numbers_lack_is_pushed_again(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.renumbered = true;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 2, 0);
	plan();
	assert_int_equal(pl.n, 2);
	op = find(OP_PUSH);
	assert_int_equal(op->why, CASE_RENUM_L_ONLY);
	assert_int_equal(op->old_uid, 7);
	assert_true(span_eq(op->file, SPAN("cur/m:2,S")));
	assert_int_equal(find(OP_PULL)->why, CASE_R_NEW);
}

/* No delete is concluded: what is there comes down. */
static void
test_case_17_the_row_of_a_missing_file_goes(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.renumbered = true;
	row(0, 7, "cur/m:2,", 1, 0);
	there(0, 1, 1, 0);
	plan();
	assert_int_equal(pl.n, 2);
	op = find(OP_FORGET);
	assert_int_equal(op->why, CASE_RENUM_L_GONE);
	assert_int_equal(op->old_uid, 7);
	op = find(OP_PULL);
	assert_int_equal(op->why, CASE_R_NEW);
	assert_int_equal(op->uid, 1);
	assert_no_delete();
}

static void
test_case_18_an_older_state_of_the_server_deletes_nothing(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.doubt = true;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	known_file(0, "cur/m:2,S", 1, FLAG_SEEN);
	plan();
	assert_int_equal(pl.n, 2);
	op = find(OP_PUSH);
	assert_int_equal(op->why, CASE_DOUBT_R_GONE);
	assert_int_equal(op->row.uid, 0); /* it gets a new one */
	op = find(OP_FORGET);
	assert_int_equal(op->why, CASE_DOUBT_R_GONE);
	assert_int_equal(op->uid, 7);
	assert_no_delete();
}

static void
test_case_19_deleted_on_both_sides(void **state)
{
	(void)state;
	policy.expunge = true;
	row(0, 7, "cur/m:2,T", 1, FLAG_DELETED);
	known_file(0, "cur/m:2,T", 1, FLAG_DELETED);
	known_there(0, 7, 1, FLAG_DELETED);
	plan();
	assert_int_equal(pl.n, 2);
	assert_int_equal(find(OP_LDELETE)->why, CASE_EXPUNGE);
	assert_int_equal(find(OP_RDELETE)->why, CASE_EXPUNGE);
	assert_int_equal(find(OP_RDELETE)->uid, 7);
}

static void
test_case_19_is_off_by_default(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,T", 1, FLAG_DELETED);
	known_file(0, "cur/m:2,T", 1, FLAG_DELETED);
	known_there(0, 7, 1, FLAG_DELETED);
	plan();
	assert_int_equal(pl.n, 0);
}

/* Whatever happened to the old message there. */
static void
test_case_20_new_content_goes_up_before_the_old_goes(void **state)
{
	(void)state;
	for (int b = 0; b < 2; b++) {
		row(b, 7, "cur/m:2,", 1, 0);
		file(b, "cur/m:2,", (uint8_t)(2 + b), 0);
		there(b, 7, 1, b ? FLAG_FLAGGED : 0);
	}
	plan();
	assert_int_equal(pl.n, 4);
	for (uint32_t i = 0; i < 2; i++) {
		assert_kind(i, OP_PUSH, CASE_L_REPLACED);
		assert_int_equal(pl.op[i].box, i);
		assert_int_equal(pl.op[i].row.sha[0], 2 + i);
		assert_kind(i + 2, OP_RDELETE, CASE_L_REPLACED);
		assert_int_equal(pl.op[i + 2].uid, 7);
	}
}

/* The connection ended at it: neither it nor the delete, but in its turn. */
static void
test_case_20_new_content_that_is_suspect(void **state)
{
	(void)state;
	for (int b = 0; b < 2; b++) {
		row(b, 7, "cur/m:2,", 1, 0);
		file(b, "cur/m:2,", (uint8_t)(2 + b), 0);
		known_there(b, 7, 1, 0);
		box[b].l.v[0].hold = box[b].l.v[0].suspect = true;
	}
	/* it has come to the server all the same */
	there(1, 8, 3, 0);
	box[1].l.v[0].klass = box[1].r.v[1].klass = 1;
	plan();
	assert_int_equal(pl.n, 3);
	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].box == 0)
			assert_kind(i, OP_WAIT, CASE_L_HOLD);
		else
			assert_kind(i,
			    pl.op[i].uid == 8 ? OP_ADOPT : OP_RDELETE,
			    CASE_L_REPLACED);
}

static void
test_case_20_the_new_content_is_there_already(void **state)
{
	(void)state;
	for (int b = 0; b < 2; b++) {
		row(b, 7, "cur/m:2,", 1, 0);
		file(b, "cur/m:2,", (uint8_t)(2 + b), 0);
		/* what it was is gone from the second */
		if (b == 0)
			known_there(b, 7, 1, 0);
		there(b, 8, (uint8_t)(2 + b), 0);
		box[b].l.v[0].klass = box[b].r.v[box[b].r.n - 1].klass = 1;
	}
	plan();
	assert_int_equal(pl.n, 4);
	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].kind == OP_ADOPT) {
			assert_int_equal(pl.op[i].uid, 8);
			assert_int_equal(pl.op[i].old_uid,
			    pl.op[i].box == 0 ? 7 : 0);
		} else {
			assert_kind(i,
			    pl.op[i].box == 0 ? OP_RDELETE : OP_FORGET,
			    pl.op[i].box == 0 ? CASE_L_REPLACED : CASE_LR_GONE);
			assert_int_equal(pl.op[i].uid, 7);
		}
}

/*
 * What somebody changed on the old message is not lost with it: it is sent, and
 * the row has it as not agreed on, so that the next pass changes the file.  But
 * who marked it as deleted meant what it was.
 */
static void
test_case_20_flags_of_the_old_message(void **state)
{
	const uint32_t was = FLAG_SEEN | FLAG_DRAFT;
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,DS", 1, was);
	file(0, "cur/m:2,DRS", 2, was | FLAG_ANSWERED);
	there(0, 7, 1, FLAG_DRAFT | FLAG_FLAGGED | FLAG_DELETED);
	/* it did not change: a delta does not name it */
	row(1, 7, "cur/n:2,S", 3, FLAG_SEEN);
	box[1].base.v[0].r.sys |= FLAG_FLAGGED; /* as a file cannot show */
	file(1, "cur/n:2,", 4, 0);
	box[1].r.complete = false;
	plan();
	assert_int_equal(pl.n, 4);
	op = &pl.op[0];
	assert_kind(0, OP_PUSH, CASE_L_REPLACED);
	assert_int_equal(op->row.l.sys, was | FLAG_ANSWERED);
	assert_int_equal(
	    op->row.r.sys, FLAG_DRAFT | FLAG_ANSWERED | FLAG_FLAGGED);
	assert_int_equal(op->left_add.sys, FLAG_FLAGGED);
	assert_int_equal(op->left_del.sys, FLAG_SEEN);
	op = &pl.op[1];
	assert_kind(1, OP_PUSH, CASE_L_REPLACED);
	assert_int_equal(op->row.l.sys, 0);
	assert_int_equal(op->row.r.sys, FLAG_FLAGGED);
	assert_int_equal(op->left_add.sys | op->left_del.sys, 0);
}

/* The same, where it went up before, and nobody was told. */
static void
test_case_20_flags_of_what_is_there_already(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,DS", 1, FLAG_SEEN | FLAG_DRAFT);
	file(0, "cur/m:2,DS", 2, FLAG_SEEN | FLAG_DRAFT);
	there(0, 7, 1, FLAG_DRAFT | FLAG_ANSWERED | FLAG_DELETED);
	there(0, 8, 2, FLAG_SEEN | FLAG_DRAFT | FLAG_FLAGGED);
	box[0].l.v[0].klass = box[0].r.v[1].klass = 1;
	plan();
	assert_int_equal(pl.n, 4);
	assert_kind(0, OP_ADOPT, CASE_L_REPLACED);
	assert_agreed(
	    &pl.op[0], FLAG_DRAFT | FLAG_ANSWERED | FLAG_FLAGGED);
	assert_change(find(OP_LFLAGS), FLAG_ANSWERED | FLAG_FLAGGED, FLAG_SEEN);
	assert_change(find(OP_RFLAGS), FLAG_ANSWERED, FLAG_SEEN);
	assert_int_equal(find(OP_RDELETE)->uid, 7);
}

/* The row still says what was agreed on, so that it can go up some day. */
static void
test_case_20_new_content_that_waits(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	file(0, "cur/m:2,", 2, 0);
	known_there(0, 7, 1, 0);
	/* flags go on by themselves */
	row(1, 7, "cur/m:2,", 3, 0);
	file(1, "cur/m:2,S", 4, FLAG_SEEN);
	known_there(1, 7, 3, 0);
	/* it is there: it waits for nothing */
	row(2, 7, "cur/m:2,", 5, 0);
	file(2, "cur/m:2,", 6, 0);
	known_there(2, 7, 5, 0);
	there(2, 8, 6, 0);
	box[2].l.v[0].klass = box[2].r.v[1].klass = 1;
	for (int b = 0; b < BOXES; b++)
		box[b].l.v[0].hold = true;
	plan();
	assert_int_equal(pl.n, 3);
	op = op_of(1, OP_RFLAGS, CASE_L_FLAGS);
	assert_int_equal(op->row.sha[0], 3);
	assert_int_equal(op->row.mtime_ns, a_row(7, "", 3, 0).mtime_ns);
	assert_int_equal(find(OP_ADOPT)->uid, 8);
	assert_int_equal(find(OP_RDELETE)->uid, 7);
}

static void
test_case_20_what_it_was_is_gone_and_it_waits(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	file(0, "cur/m:2,", 2, 0);
	box[0].l.v[0].hold = true;
	plan();
	assert_int_equal(pl.n, 2);
	assert_int_equal(find(OP_FORGET)->why, CASE_LR_GONE);
	assert_int_equal(find(OP_WAIT)->why, CASE_L_HOLD);
}

/* What it was is gone, so it is a new one: case 29. */
static void
test_case_20_what_it_was_is_gone_and_it_is_too_large(void **state)
{
	(void)state;
	policy.max_size = 1001;
	row(0, 7, "cur/m:2,", 1, 0);
	file(0, "cur/m:2,", 2, 0);
	/* the old message is there, and the limit is for new ones */
	row(1, 7, "cur/m:2,", 1, 0);
	file(1, "cur/m:2,", 3, 0);
	known_there(1, 7, 1, 0);
	plan();
	assert_int_equal(pl.n, 4);
	assert_int_equal(find(OP_FORGET)->box, 0);
	assert_int_equal(find(OP_SKIP)->box, 0);
	assert_int_equal(find(OP_SKIP)->why, CASE_SKIPPED);
	assert_int_equal(find(OP_PUSH)->why, CASE_L_REPLACED);
	assert_int_equal(find(OP_RDELETE)->why, CASE_L_REPLACED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_case_1_nothing_is_done),
	    T(test_case_1_what_is_new_about_it_goes_into_the_row),
	    T(test_case_1_of_files_with_one_base_the_one_that_is_alike),
	    T(test_case_1_of_names_that_were_exchanged),
	    T(test_case_2_a_change_here_goes_to_the_server),
	    T(test_case_3_a_change_there_goes_into_the_file_name),
	    T(test_case_4_each_flag_is_merged_by_itself),
	    T(test_case_4_the_same_change_on_both_sides),
	    T(test_case_5_deleted_there),
	    T(test_case_5_needs_proof),
	    T(test_case_6_a_delete_here_wins_over_flags),
	    T(test_case_7_the_file_goes),
	    T(test_case_7_needs_proof),
	    T(test_case_8_a_delete_there_wins_over_flags),
	    T(test_case_9_the_row_goes),
	    T(test_case_10_a_new_file_goes_up_and_keeps_its_name),
	    T(test_case_11_new_messages_are_pulled_newest_first),
	    T(test_case_12_equal_messages_are_adopted_and_flags_united),
	    T(test_case_12_as_many_as_there_are),
	    T(test_case_13_what_the_server_refused_waits),
	    T(test_case_14_what_could_not_be_fetched_waits),
	    T(test_case_15_a_renumbered_message_is_adopted),
	    T(test_case_16_what_the_new_numbers_lack_is_pushed_again),
	    T(test_case_17_the_row_of_a_missing_file_goes),
	    T(test_case_18_an_older_state_of_the_server_deletes_nothing),
	    T(test_case_19_deleted_on_both_sides),
	    T(test_case_19_is_off_by_default),
	    T(test_case_20_new_content_goes_up_before_the_old_goes),
	    T(test_case_20_new_content_that_is_suspect),
	    T(test_case_20_the_new_content_is_there_already),
	    T(test_case_20_flags_of_the_old_message),
	    T(test_case_20_flags_of_what_is_there_already),
	    T(test_case_20_new_content_that_waits),
	    T(test_case_20_what_it_was_is_gone_and_it_waits),
	    T(test_case_20_what_it_was_is_gone_and_it_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
