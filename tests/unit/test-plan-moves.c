/*
 * Moves and copies between mailboxes (doc/merge-table.md, cases 21 to 29): two
 * or three mailboxes are merged, and what plan_moves() makes of it is looked
 * at.
 */
#include "boxes.h"

#include <stdio.h>

static void
test_case_21_a_local_move_is_one_move(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	plan();
	op = only(OP_RMOVE, CASE_L_MOVED);
	assert_comes(op, 1, 0, 7);
	assert_true(span_eq(op->file, SPAN("cur/m:2,S")));
	assert_int_equal(op->row.uid, 0);
	assert_int_equal(op->row.idate, 77);
	assert_int_equal(pl.box[0].rdeletes, 0);
}

/* Another name does not matter, nor do flags that were changed meanwhile. */
static void
test_case_21_keeps_the_agreed_flags_of_both_sides(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 1, FLAG_SEEN | FLAG_ANSWERED);
	file(1, "cur/other:2,F", 1, FLAG_FLAGGED);
	plan();
	op = only(OP_RMOVE, CASE_L_MOVED);
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	assert_int_equal(op->row.r.sys, FLAG_SEEN);
	assert_int_equal(op->shown.sys, FLAG_FLAGGED);
}

static void
test_case_21_no_keyword_is_taken_for_removed(void **state)
{
	static const uint32_t work[] = {3}, other[] = {4};
	struct flags l, r;
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,a", 1, 0);
	box[0].base.v[0].l = box[0].base.v[0].r =
	    (struct flags){.n = 1, .kw = work};
	there(0, 7, 1, 0);
	box[0].r.v[0].flags = (struct flags){.n = 1, .kw = work};
	file(1, "cur/m:2,a", 1, 0);
	box[1].l.v[0].flags = (struct flags){.n = 1, .kw = other};
	plan();
	op = only(OP_RMOVE, CASE_L_MOVED);
	/* what the file shows is agreed on; what the server shows is news */
	assert_true(flags_eq(op->row.l, box[1].l.v[0].flags));
	assert_true(flags_eq(op->row.r, box[1].l.v[0].flags));
	/* so that both end with what the server shows */
	plan_merge_flags(&mem, op->row.l, op->row.r, box[1].l.v[0].flags,
	    (struct flags){.n = 1, .kw = work}, &l, &r);
	assert_true(flags_eq(l, (struct flags){.n = 1, .kw = work}));
	assert_true(flags_eq(r, l));
}

static void
test_case_22_a_move_on_the_server_is_a_rename(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(0, "cur/m:2,SF", 1, FLAG_SEEN | FLAG_FLAGGED);
	there(1, 30, 1, FLAG_ANSWERED);
	merge();
	tell(1, 30, 1);
	finish();
	op = only(OP_LMOVE, CASE_R_MOVED);
	assert_comes(op, 1, 0, 7);
	assert_int_equal(op->row.uid, 30);
	assert_true(span_eq(op->file, SPAN("cur/m:2,SF")));
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	assert_int_equal(op->row.r.sys, FLAG_SEEN);
	assert_int_equal(op->shown.sys, FLAG_SEEN | FLAG_FLAGGED);
	assert_int_equal(pl.box[0].ldeletes, 0);
	/* \Answered is not merged yet, and below the cursor of this pass */
	assert_true(op->behind);
}

static void
test_flags_that_moved_along_need_no_second_look(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(1, 30, 1, FLAG_SEEN);
	merge();
	tell(1, 30, 1);
	finish();
	assert_false(only(OP_LMOVE, CASE_R_MOVED)->behind);
}

/* What nobody could identify is fetched, and the old one goes. */
static void
test_an_unknown_message_is_no_move(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(0, "cur/m:2,S", 1, FLAG_SEEN);
	there(1, 30, 1, FLAG_SEEN);
	plan();
	assert_int_equal(pl.n, 2);
	find(OP_PULL);
	find(OP_LDELETE);
	assert_int_equal(pl.box[0].ldeletes, 1);
}

static void
test_case_23_a_local_copy_is_a_copy(void **state)
{
	const struct op *op;

	(void)state;
	file(1, "new/copy", 1, 0);
	alive(0, 7, "cur/m:2,", 1, true, true);
	plan();
	op = only(OP_RCOPY, CASE_L_COPIED);
	assert_comes(op, 1, 0, 7);
}

static void
test_case_23_needs_a_source_on_the_server(void **state)
{
	(void)state;
	file(1, "new/copy", 1, 0);
	alive(0, 7, "cur/m:2,", 1, true, false);
	plan();
	only(OP_PUSH, CASE_L_NEW);
}

static void
test_case_23_within_one_mailbox(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	there(0, 7, 1, 0);
	file(0, "cur/m:2,", 1, 0);
	box[0].l.v[0].ino = 101;
	file(0, "new/copy", 1, 0);
	alive(0, 7, "cur/m:2,", 1, true, true);
	plan();
	assert_comes(find(OP_RCOPY), 0, 0, 7);
}

static void
test_case_24_a_copy_on_the_server_is_made_of_the_file(void **state)
{
	const struct op *op;

	(void)state;
	there(2, 5, 1, FLAG_SEEN);
	alive(0, 7, "cur/m:2,", 1, true, true);
	merge();
	tell(2, 5, 1);
	finish();
	op = only(OP_LCOPY, CASE_R_COPIED);
	assert_comes(op, 2, 0, 7);
	assert_true(span_eq(op->file, SPAN("cur/m:2,")));
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
}

/* Copies come first, so that their source is still there. */
static void
test_a_message_is_moved_and_copied(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	file(0, "cur/m:2,", 1, 0);
	there(1, 30, 1, 0);
	there(2, 40, 1, 0);
	alive(0, 7, "cur/m:2,", 1, true, false);
	merge();
	tell(1, 30, 1);
	tell(2, 40, 1);
	finish();
	assert_int_equal(pl.n, 2);
	assert_int_equal(pl.op[0].kind, OP_LCOPY);
	assert_comes(&pl.op[0], 2, 0, 7);
	assert_int_equal(pl.op[1].kind, OP_LMOVE);
	assert_comes(&pl.op[1], 1, 0, 7);
}

static void
test_case_25_another_uid_in_the_same_mailbox(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	file(0, "cur/m:2,", 1, 0);
	there(0, 31, 1, 0);
	merge();
	tell(0, 31, 1);
	finish();
	op = only(OP_LMOVE, CASE_R_NEW_UID);
	assert_comes(op, 0, 0, 7);
	assert_int_equal(op->row.uid, 31);
}

static void
test_case_26_two_moves_and_the_servers_wins(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	there(2, 40, 1, FLAG_SEEN);
	merge();
	tell(2, 40, 1);
	finish();
	op = find(OP_LMOVE);
	assert_int_equal(op->why, CASE_LR_MOVED);
	assert_comes(op, 2, 1, 0);
	assert_true(span_eq(op->file, SPAN("cur/m:2,S")));
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	/* the row of the mailbox that both left goes when this one comes */
	assert_int_equal(op->left_box, 0);
	assert_int_equal(op->left_uid, 7);
	assert_int_equal(pl.n, 1);
	assert_false(op->behind);
}

static void
test_case_26_flags_of_the_new_place_are_merged(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	there(2, 40, 1, FLAG_SEEN | FLAG_ANSWERED);
	merge();
	tell(2, 40, 1);
	finish();
	assert_true(find(OP_LMOVE)->behind);
}

/* Nothing goes up, and the file moves for all that. */
static void
test_case_26_with_direction_pull(void **state)
{
	(void)state;
	policy.no_remote = true;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/stays:2,", 2, 0);
	there(2, 40, 1, FLAG_SEEN);
	merge();
	tell(2, 40, 1);
	assert_int_equal(pl.n, 4);
	plan_drop_staying(&pl);
	assert_int_equal(pl.n, 3);
	finish();
	assert_comes(only(OP_LMOVE, CASE_LR_MOVED), 2, 1, 0);
}

/* What has not moved is no op in the end. */
static void
test_direction_pull_drops_what_stays(void **state)
{
	(void)state;
	policy.no_remote = true;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	plan();
	only(OP_FORGET, CASE_LR_GONE);
}

static void
test_moved_on_both_sides_to_one_mailbox(void **state)
{
	const struct op *op;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	file(1, "cur/m:2,", 1, 0);
	there(1, 30, 1, FLAG_SEEN);
	box[1].l.v[0].klass = box[1].r.v[0].klass = 1;
	plan();
	op = find(OP_ADOPT);
	/* \Seen was removed here: the next pass carries that over */
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	assert_int_equal(op->row.r.sys, FLAG_SEEN);
	assert_int_equal(op->shown.sys, 0);
	assert_int_equal(op->left_box, 0);
	assert_int_equal(op->left_uid, 7);
	assert_int_equal(pl.n, 1);
}

static void
test_a_move_here_beats_a_delete_there(void **state)
{
	(void)state;
	row(0, 7, "cur/m:2,", 1, 0);
	file(1, "cur/m:2,", 1, 0);
	plan();
	assert_int_equal(find(OP_PUSH)->box, 1);
	find(OP_FORGET);
	assert_int_equal(pl.n, 2);
}

static void
test_case_27_a_twin_is_fetched_once(void **state)
{
	(void)state;
	for (int i = 0; i < BOXES; i++) {
		there(i, 10u + (uint32_t)i, 1, 0);
		box[i].r.v[0].gid = SPAN("99");
	}
	there(2, 50, 2, 0);
	box[2].r.v[1].gid = SPAN("100");
	plan();
	assert_int_equal(pl.n, 4);
	for (size_t i = 0; i < pl.n; i++) {
		bool first = pl.op[i].uid == 10 || pl.op[i].uid == 50;

		assert_int_equal(pl.op[i].kind, first ? OP_PULL : OP_LATER);
		assert_int_equal(
		    pl.op[i].why, first ? CASE_R_NEW : CASE_R_TWIN);
	}
}

/*
 * Not one in the same mailbox, nor one of another time: neither is a source for
 * a copy (identify.c, rule 1), and each pass would fetch one of them only.
 */
static void
test_case_27_not_a_twin_that_cannot_be_copied(void **state)
{
	(void)state;
	for (uint32_t uid = 10; uid < 20; uid++)
		there(0, uid, 1, 0);
	there(1, 30, 1, 0);
	box[1].r.v[0].idate += 3600;
	there(2, 40, 1, 0); /* a copy of one in the first */
	box[2].r.v[0].idate++;
	for (int b = 0; b < BOXES; b++)
		for (size_t i = 0; i < box[b].r.n; i++)
			box[b].r.v[i].gid = SPAN("99");
	plan();
	assert_int_equal(pl.n, 12);
	for (size_t i = 0; i < pl.n; i++)
		assert_int_equal(pl.op[i].kind,
		    pl.op[i].uid == 40 ? OP_LATER : OP_PULL);
}

/* Equal messages: each goes with its name, and so with its flags. */
static void
test_equal_messages_move_by_name(void **state)
{
	(void)state;
	row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
	row(0, 8, "cur/b:2,", 1, 0);
	there(0, 7, 1, FLAG_SEEN);
	there(0, 8, 1, 0);
	file(1, "cur/b:2,", 1, 0);
	file(2, "cur/a:2,S", 1, FLAG_SEEN);
	plan();
	assert_int_equal(pl.n, 2);
	assert_comes(&pl.op[0], 1, 0, 8);
	assert_comes(&pl.op[1], 2, 0, 7);
}

/* One delete is one move; the second equal file is a copy or goes up. */
static void
test_a_delete_serves_once(void **state)
{
	(void)state;
	row(0, 7, "cur/a:2,", 1, 0);
	there(0, 7, 1, 0);
	file(1, "cur/a:2,", 1, 0);
	file(2, "cur/x:2,", 1, 0);
	plan();
	assert_int_equal(pl.n, 2);
	assert_int_equal(find(OP_RMOVE)->box, 1);
	assert_int_equal(find(OP_PUSH)->box, 2);
}

static void
test_a_swap_is_two_moves(void **state)
{
	(void)state;
	row(0, 7, "cur/a:2,", 1, 0);
	row(1, 9, "cur/b:2,", 2, 0);
	there(0, 7, 1, 0);
	there(1, 9, 2, 0);
	file(0, "cur/b:2,", 2, 0);
	file(1, "cur/a:2,", 1, 0);
	plan();
	assert_int_equal(pl.n, 2);
	assert_int_equal(pl.op[0].kind, OP_RMOVE);
	assert_comes(&pl.op[0], 0, 1, 9);
	assert_int_equal(pl.op[1].kind, OP_RMOVE);
	assert_comes(&pl.op[1], 1, 0, 7);
}

/* The server renamed mailboxes: old files of 0 are found in 1. */
static void
test_case_16_a_renumbered_file_moves(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.renumbered = true;
	row(0, 7, "cur/a:2,", 1, 0);
	file(0, "cur/a:2,", 1, 0);
	there(1, 7, 1, 0);
	merge();
	tell(1, 7, 1);
	finish();
	op = only(OP_LMOVE, CASE_R_MOVED);
	assert_comes(op, 1, 0, 0);
}

static void
test_case_16_keeps_the_agreed_flags(void **state)
{
	const struct op *op;

	(void)state;
	box[0].r.renumbered = true;
	row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
	file(0, "cur/a:2,FS", 1, FLAG_SEEN | FLAG_FLAGGED);
	there(1, 7, 1, FLAG_ANSWERED);
	merge();
	tell(1, 7, 1);
	finish();
	op = only(OP_LMOVE, CASE_R_MOVED);
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	assert_int_equal(op->row.r.sys, FLAG_SEEN);
	assert_int_equal(op->shown.sys, FLAG_SEEN | FLAG_FLAGGED);
	assert_true(op->behind);
}

static void
test_moves_do_not_brake(void **state)
{
	char name[40];

	(void)state;
	for (uint32_t i = 1; i <= 200; i++) {
		snprintf(name, sizeof name, "cur/%u:2,", i);
		row(0, i, name, (uint8_t)i, 0);
		there(0, i, (uint8_t)i, 0);
		file(1, name, (uint8_t)i, 0);
	}
	policy.account_messages = 200;
	plan();
	assert_int_equal(pl.n, 200);
	for (size_t i = 0; i < pl.n; i++) {
		assert_int_equal(pl.op[i].kind, OP_RMOVE);
		assert_false(pl.op[i].held);
	}
	assert_int_equal(pl.box[0].brake, BRAKE_OFF);
}

/* policy */

static void
test_case_28_keep(void **state)
{
	const struct op *op;

	(void)state;
	policy.keep = true;
	row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
	file(0, "cur/a:2,S", 1, FLAG_SEEN);
	plan();
	op = only(OP_KEEP, CASE_KEPT);
	assert_int_equal(op->uid, 7);
	assert_true(span_eq(op->file, SPAN("cur/a:2,S")));
	assert_int_equal(pl.box[0].ldeletes, 0);
}

/* What an older state of the server lacks goes up again all the same. */
static void
test_case_28_does_not_stop_case_18(void **state)
{
	(void)state;
	policy.keep = true;
	box[0].r.doubt = true;
	row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
	file(0, "cur/a:2,S", 1, FLAG_SEEN);
	plan();
	assert_int_equal(find(OP_PUSH)->why, CASE_DOUBT_R_GONE);
	find(OP_FORGET);
	assert_int_equal(pl.n, 2);
}

static void
test_case_28_keeps_what_expunge_would_remove(void **state)
{
	(void)state;
	policy.keep = policy.expunge = true;
	row(0, 7, "cur/a:2,", 1, 0);
	file(0, "cur/a:2,T", 1, FLAG_DELETED);
	there(0, 7, 1, FLAG_DELETED);
	plan();
	only(OP_RECORD, CASE_LR_FLAGS);
}

/* case 118: until there is new mail, the mailbox may come back as it was */
static void
test_case_28_rows_of_a_missing_mailbox_wait_for_new_mail(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		policy.keep = i == 0;
		policy.no_local = i == 1;
		box[0].r.missing = true;
		row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
		file(0, "cur/a:2,S", 1, FLAG_SEEN);
		plan();
		assert_int_equal(pl.n, 0);
		file(0, "new/b", 2, 0);
		plan();
		assert_int_equal(pl.n, 2);
		assert_int_equal(find(OP_KEEP)->uid, 7);
		assert_true(span_eq(find(OP_PUSH)->file, SPAN("new/b")));
		teardown(state);
		setup(state);
	}
}

/* in the run that finds it gone */
static void
test_case_28_what_left_a_missing_mailbox_moves(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		policy.keep = true;
		box[0].r.missing = true;
		box[0].r.just_missing = i == 0;
		row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
		file(0, "cur/a:2,S", 1, FLAG_SEEN);
		row(0, 8, "cur/b:2,S", 2, FLAG_SEEN);
		file(0, "cur/b:2,S", 2, FLAG_SEEN);
		there(1, 30, 1, FLAG_SEEN);
		merge();
		tell(1, 30, 1);
		finish();
		assert_int_equal(pl.n, 1);
		assert_int_equal(
		    pl.op[0].kind, i == 0 ? OP_LMOVE : OP_PULL);
		teardown(state);
		setup(state);
	}
}

static void
test_case_28_a_kept_file_is_not_new(void **state)
{
	(void)state;
	file(0, "cur/a:2,S", 1, FLAG_SEEN);
	box[0].l.v[0].kept = true;
	plan();
	assert_int_equal(pl.n, 0);
}

static void
test_case_28_a_move_on_the_server_is_followed(void **state)
{
	(void)state;
	policy.keep = true;
	row(0, 7, "cur/a:2,S", 1, FLAG_SEEN);
	file(0, "cur/a:2,S", 1, FLAG_SEEN);
	there(1, 30, 1, FLAG_SEEN);
	merge();
	tell(1, 30, 1);
	finish();
	assert_comes(only(OP_LMOVE, CASE_R_MOVED), 1, 0, 7);
}

static void
test_case_29_too_large_both_ways(void **state)
{
	(void)state;
	policy.max_size = 1001;
	file(0, "cur/small", 1, 0);
	file(0, "cur/large", 2, 0);
	there(1, 30, 1, 0);
	there(1, 31, 2, 0);
	plan();
	assert_int_equal(pl.n, 4);
	assert_int_equal(find(OP_PULL)->uid, 30);
	assert_true(span_eq(find(OP_PUSH)->file, SPAN("cur/small")));
	for (size_t i = 0; i < pl.n; i++)
		if (pl.op[i].kind == OP_SKIP)
			assert_true(pl.op[i].uid == 31 ||
			    span_eq(pl.op[i].file, SPAN("cur/large")));
}

static void
test_case_29_is_noted_once(void **state)
{
	(void)state;
	policy.max_size = 1001;
	file(0, "cur/large", 2, 0);
	box[0].l.v[0].skipped = true;
	there(1, 31, 2, 0);
	there(1, 32, 2, 0);
	box[1].r.v[0].skipped = box[1].r.v[1].skipped = true;
	box[1].r.v[1].has_meta = false;
	plan();
	assert_int_equal(pl.n, 0);
}

/* It moves, and is not copied: what stays where it is costs nobody anything. */
static void
test_case_29_what_moves_is_not_new(void **state)
{
	size_t skipped = 0;

	(void)state;
	policy.max_size = 1001;
	row(0, 7, "cur/a:2,", 2, 0);
	row(0, 8, "cur/b:2,", 3, 0);
	row(0, 9, "cur/c:2,", 4, 0);
	file(0, "cur/a:2,", 2, 0);
	file(0, "cur/c:2,", 4, 0);
	there(0, 8, 3, 0);
	there(0, 9, 4, 0);
	there(1, 30, 2, 0);
	there(1, 31, 4, 0);
	file(1, "cur/b:2,", 3, 0);
	file(1, "cur/c:2,", 4, 0);
	merge();
	tell(1, 30, 2);
	finish();
	assert_int_equal(find(OP_LMOVE)->uid, 30);
	assert_int_equal(find(OP_RMOVE)->from_uid, 8);
	assert_int_equal(pl.box[0].ldeletes + pl.box[0].rdeletes, 0);
	for (size_t i = 0; i < pl.n; i++)
		skipped += pl.op[i].kind == OP_SKIP;
	assert_int_equal(skipped, 2);
}

static void
test_case_29_ends_with_the_limit(void **state)
{
	(void)state;
	file(0, "cur/large", 2, 0);
	box[0].l.v[0].skipped = true;
	there(1, 31, 3, 0);
	box[1].r.v[0].skipped = true;
	plan();
	assert_int_equal(pl.n, 2);
	find(OP_PUSH);
	find(OP_PULL);
}

static void
test_case_29_too_old(void **state)
{
	(void)state;
	policy.not_before = 78;
	there(1, 31, 2, 0);
	file(0, "cur/old", 2, 0);
	plan();
	assert_int_equal(pl.n, 2);
	assert_int_equal(find(OP_SKIP)->uid, 31);
	find(OP_PUSH); /* age is for what would be fetched */
}

/* Every kind of change on both sides, for the two directions. */
static void
all_kinds(void)
{
	row(0, 1, "cur/lgone:2,", 1, 0);
	row(0, 2, "cur/rgone:2,", 2, 0);
	row(0, 3, "cur/lflag:2,", 3, 0);
	row(0, 4, "cur/rflag:2,", 4, 0);
	row(0, 5, "cur/both:2,", 5, 0);
	there(0, 1, 1, 0);
	file(0, "cur/rgone:2,", 2, 0);
	file(0, "cur/lflag:2,S", 3, FLAG_SEEN);
	there(0, 3, 3, 0);
	file(0, "cur/rflag:2,", 4, 0);
	there(0, 4, 4, FLAG_SEEN);
	file(0, "cur/both:2,S", 5, FLAG_SEEN);
	there(0, 5, 5, FLAG_FLAGGED);
	file(0, "new/lnew", 6, 0);
	there(0, 7, 7, 0);
}

static void
test_direction_pull_changes_nothing_there(void **state)
{
	unsigned kinds = 0;

	(void)state;
	policy.no_remote = true;
	all_kinds();
	plan();
	for (size_t i = 0; i < pl.n; i++) {
		enum op_kind kind = pl.op[i].kind;

		kinds |= 1u << kind;
		assert_true(kind == OP_RECORD || kind == OP_PULL ||
		    kind == OP_LFLAGS || kind == OP_LDELETE);
		/* what the server shows is what is agreed on */
		if (pl.op[i].uid == 3)
			assert_int_equal(pl.op[i].row.r.sys, 0);
		if (pl.op[i].uid == 5) {
			assert_int_equal(pl.op[i].row.r.sys, FLAG_FLAGGED);
			assert_int_equal(pl.op[i].row.l.sys,
			    FLAG_FLAGGED | FLAG_SEEN);
		}
	}
	assert_int_equal(kinds, 1u << OP_RECORD | 1u << OP_PULL |
	    1u << OP_LFLAGS | 1u << OP_LDELETE);
}

static void
test_direction_push_changes_nothing_here(void **state)
{
	unsigned kinds = 0;

	(void)state;
	policy.no_local = true;
	all_kinds();
	plan();
	for (size_t i = 0; i < pl.n; i++) {
		enum op_kind kind = pl.op[i].kind;

		kinds |= 1u << kind;
		assert_true(kind == OP_RECORD || kind == OP_PUSH ||
		    kind == OP_RFLAGS || kind == OP_RDELETE);
		if (pl.op[i].uid == 4)
			assert_int_equal(pl.op[i].row.l.sys, 0);
		if (pl.op[i].uid == 5)
			assert_int_equal(pl.op[i].row.l.sys, FLAG_SEEN);
	}
	assert_int_equal(kinds, 1u << OP_RECORD | 1u << OP_PUSH |
	    1u << OP_RFLAGS | 1u << OP_RDELETE);
}

/* What was changed on the side that does not count is not agreed on. */
static void
test_a_direction_leaves_changes_out_of_the_row(void **state)
{
	const struct op *op;

	(void)state;
	for (int pull = 0; pull < 2; pull++) {
		uint32_t ours = FLAG_SEEN | FLAG_DRAFT, theirs = FLAG_FLAGGED;

		policy.no_remote = pull;
		policy.no_local = !pull;
		row(0, 5, "cur/a:2,D", 5, FLAG_DRAFT | FLAG_ANSWERED);
		file(0, "cur/a:2,DS", 5, pull ? ours : theirs);
		there(0, 5, 5, pull ? theirs : ours);
		plan();
		/* Draft and Answered go, Flagged comes, Seen stays */
		op = only(pull ? OP_LFLAGS : OP_RFLAGS, CASE_LR_FLAGS);
		assert_int_equal((pull ? op->row.l : op->row.r).sys,
		    FLAG_SEEN | FLAG_FLAGGED);
		assert_int_equal((pull ? op->row.r : op->row.l).sys, theirs);
		assert_int_equal(op->left_add.sys, FLAG_SEEN);
		assert_int_equal(op->left_del.sys, 0);
		teardown(state);
		setup(state);
	}
	policy.no_remote = true;
	row(0, 5, "cur/a:2,F", 5, FLAG_FLAGGED);
	file(0, "cur/a:2,", 5, 0);
	there(0, 5, 5, FLAG_FLAGGED | FLAG_SEEN);
	plan();
	op = only(OP_LFLAGS, CASE_LR_FLAGS);
	assert_int_equal(op->row.l.sys, FLAG_SEEN);
	assert_int_equal(op->left_del.sys, FLAG_FLAGGED);
}

static void
test_the_words_name_the_mailbox_it_comes_from(void **state)
{
	struct buf out;

	(void)state;
	row(0, 7, "cur/m:2,S", 1, FLAG_SEEN);
	there(0, 7, 1, FLAG_SEEN);
	file(1, "cur/m:2,S", 1, FLAG_SEEN);
	plan();
	buf_init(&out, 1000);
	plan_print_op(&pl.op[0], SPAN("Work"), SPAN("INBOX"), NULL, &out);
	assert_string_equal(buf_cstr(&out),
	    "move on server Work from INBOX uid 7 cur/m:2,S "
	    "(case 21: moved here)");
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_case_21_a_local_move_is_one_move),
	    T(test_case_21_keeps_the_agreed_flags_of_both_sides),
	    T(test_case_21_no_keyword_is_taken_for_removed),
	    T(test_case_22_a_move_on_the_server_is_a_rename),
	    T(test_flags_that_moved_along_need_no_second_look),
	    T(test_an_unknown_message_is_no_move),
	    T(test_case_23_a_local_copy_is_a_copy),
	    T(test_case_23_needs_a_source_on_the_server),
	    T(test_case_23_within_one_mailbox),
	    T(test_case_24_a_copy_on_the_server_is_made_of_the_file),
	    T(test_a_message_is_moved_and_copied),
	    T(test_case_25_another_uid_in_the_same_mailbox),
	    T(test_case_26_two_moves_and_the_servers_wins),
	    T(test_case_26_flags_of_the_new_place_are_merged),
	    T(test_case_26_with_direction_pull),
	    T(test_direction_pull_drops_what_stays),
	    T(test_moved_on_both_sides_to_one_mailbox),
	    T(test_a_move_here_beats_a_delete_there),
	    T(test_case_27_a_twin_is_fetched_once),
	    T(test_case_27_not_a_twin_that_cannot_be_copied),
	    T(test_equal_messages_move_by_name),
	    T(test_a_delete_serves_once),
	    T(test_a_swap_is_two_moves),
	    T(test_case_16_a_renumbered_file_moves),
	    T(test_case_16_keeps_the_agreed_flags),
	    T(test_moves_do_not_brake),
	    T(test_case_28_keep),
	    T(test_case_28_does_not_stop_case_18),
	    T(test_case_28_keeps_what_expunge_would_remove),
	    T(test_case_28_rows_of_a_missing_mailbox_wait_for_new_mail),
	    T(test_case_28_what_left_a_missing_mailbox_moves),
	    T(test_case_28_a_kept_file_is_not_new),
	    T(test_case_28_a_move_on_the_server_is_followed),
	    T(test_case_29_too_large_both_ways),
	    T(test_case_29_is_noted_once),
	    T(test_case_29_what_moves_is_not_new),
	    T(test_case_29_ends_with_the_limit),
	    T(test_case_29_too_old),
	    T(test_direction_pull_changes_nothing_there),
	    T(test_direction_push_changes_nothing_here),
	    T(test_a_direction_leaves_changes_out_of_the_row),
	    T(test_the_words_name_the_mailbox_it_comes_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
