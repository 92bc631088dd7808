/*
 * Cases 101 to 121 of doc/merge-table.md, each by itself.  What is expected
 * comes from the words of the table.
 */
#include "lists.h"

static int
setup(void **state)
{
	(void)state;
	arena_init(&mem);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_release(&mem);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A mailbox "a" that is everywhere, so that no list is empty. */
static void
with_a(struct input *in)
{
	init(in);
	add_j(in, "a", 1);
	add_r(in, "a", true);
	add_l(in, "a", false);
}

static void
test_case_101_on_both_sides(void **state)
{
	struct input in;

	(void)state;
	with_a(&in);
	expect(&in, "sync101 a, ");
	expect_steps(&in, "");
}

static void
test_case_102_new_there_is_made_here(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_r(&in, "x", true);
	expect(&in, "sync101 a, createL102 x, ");
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[1].path, SPAN("x")));
}

static void
test_case_103_new_here_is_made_there(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_l(&in, "x", false);
	expect(&in, "sync101 a, createR103 x, ");
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[1].wire, SPAN("x")));
}

static void
test_case_104_new_on_both_sides_is_paired(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_r(&in, "x", true);
	add_l(&in, "x", false);
	expect(&in, "sync101 a, sync104 x, ");
	plan_of(&in, &plan);
	assert_int_equal(plan.op[1].id, 0);
}

static void
test_case_105_deleted_there_is_deleted_here(void **state)
{
	struct input in;

	(void)state;
	with_a(&in);
	add_j(&in, "x", 5);
	add_l(&in, "x", false);
	expect(&in, "sync101 a, deleteL105 x, ");
	/* a listing that broke off proves nothing */
	in.p.list_complete = false;
	expect(&in, "sync101 a, deleteL105! x, ");
}

static void
test_case_106_deleted_here_is_deleted_there(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_j(&in, "x", 5);
	add_r(&in, "x", true);
	expect(&in, "sync101 a, deleteR106 x, ");
	/* its messages go first, and are counted by the brake */
	plan_of(&in, &plan);
	assert_int_equal(plan.op[1].rows, 5);
}

static void
test_case_107_deleted_on_both_sides_is_forgotten(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_j(&in, "x", 5);
	expect(&in, "sync101 a, forget107 x, ");
	plan_of(&in, &plan);
	assert_int_equal(plan.op[1].id, 2);
}

static void
test_case_108_no_name_has_that_path(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_l(&in, "100%", false);
	expect(&in, "skip108 100%, sync101 a, ");
	/* what is moved into it is there */
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[0].now_path, SPAN("100%")));
}

static void
test_case_109_the_server_cannot_have_that_name(void **state)
{
	struct input in;

	(void)state;
	with_a(&in);
	in.p.delim = '.'; /* which "v1.2" has in it */
	add_l(&in, "good", false);
	add_l(&in, "v1.2", false);
	expect(&in, "sync101 a, createR103 good, skip109 v1.2, ");
}

/* It is a directory that is to be renamed: which one is said. */
static void
test_case_109_the_directory_of_an_empty_name_is_named(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	with_a(&in);
	add_l(&in, "%", false);
	add_l(&in, "b/%", false);
	expect(&in, "skip109 %, sync101 a, skip109 b/, ");
	plan_of(&in, &plan);
	assert_non_null(strstr(plan.op[0].text, "the directory '%'"));
	assert_non_null(strstr(plan.op[2].text, "the directory 'b/%'"));
	/* one that was known by another name */
	renamed(&in, false, "x", "%");
	expect(&in, "skip109 %, sync101 k, ");
}

static void
test_case_110_one_directory_holds_one_mailbox(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_r(&in, "x", true);
	add_r(&in, "y", true);
	in.r[1].name = SPAN("x"); /* of another namespace, say */
	expect(&in, "createL102 x, skip110 x, ");
	/* the journal's, where it has one, is the first */
	add_j(&in, "y", 1);
	in.j[0].name = in.j[0].path = SPAN("x");
	add_l(&in, "x", false);
	expect(&in, "skip110 x, sync101 x, ");
	/* either side may have made it so */
	assert_non_null(strstr(
	    tree_case_words(TREE_CASE_COLLISION), "here or on the server"));
}

/* The directory that is missing goes as damaged: held, or made again. */
static void
test_case_111_inbox_is_never_deleted(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (uint64_t rows = 0; rows < 2; rows++) {
		with_a(&in);
		add_j(&in, "INBOX", rows);
		add_r(&in, "INBOX", true);
		expect(&in, "sync111~ INBOX, sync101 a, ");
		plan_of(&in, &plan);
		assert_int_equal(plan.op[0].rows, rows);

		with_a(&in);
		add_j(&in, "INBOX", rows);
		add_l(&in, layout_path(&mem, SPAN("INBOX"), in.p.layout).p,
		    false);
		expect(&in, "skip111 INBOX, sync101 a, ");
	}
}

/* How many rows it has decides whether it is held or mended. */
static void
test_case_112_a_damaged_directory_says_so(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (uint64_t rows = 0; rows < 2; rows++) {
		init(&in);
		add_j(&in, "a", rows);
		add_r(&in, "a", true);
		add_l(&in, "a", true);
		expect(&in, "sync112~ a, ");
		plan_of(&in, &plan);
		assert_int_equal(plan.op[0].rows, rows);
	}
}

static void
test_case_113_renamed_here_is_renamed_there(void **state)
{
	struct input in;

	(void)state;
	for (int ids = 0; ids < 2; ids++) {
		renamed(&in, ids, "x", "y");
		expect(&in, "sync101 k, renameR113 y, ");
		expect_steps(&in, "R x>y, ");
	}
}

static void
test_case_114_renamed_there_is_renamed_here(void **state)
{
	struct input in;

	(void)state;
	for (int ids = 0; ids < 2; ids++) {
		renamed(&in, ids, "y", "x");
		expect(&in, "sync101 k, renameL114 y, ");
		expect_steps(&in, "L x>y, ");
	}
}

static void
test_case_115_renamed_alike_on_both_sides(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	renamed(&in, true, "y", "y");
	expect(&in, "sync101 k, renamed115 y, ");
	expect_steps(&in, "");
	/* the journal follows */
	plan_of(&in, &plan);
	assert_int_equal(plan.op[1].id, 2);
	assert_true(span_eq(plan.op[1].old_name, SPAN("x")));
}

static void
test_case_116_the_servers_name_wins(void **state)
{
	struct input in;

	(void)state;
	renamed(&in, true, "y", "z");
	expect(&in, "sync101 k, renameL116 y, ");
	expect_steps(&in, "L z>y, ");
	/* direction: pull */
	in.p.write_r = false;
	expect(&in, "sync101 k, renameL116 y, ");
	/* direction: push */
	in.p.write_r = true;
	in.p.write_l = false;
	expect(&in, "sync101 k, renameR116 z, ");
	expect_steps(&in, "R y>z, ");
}

static void
test_case_117_the_other_side_is_not_written_to(void **state)
{
	struct input in;

	(void)state;
	renamed(&in, true, "x", "y");
	in.p.write_r = false;
	expect(&in, "sync101 k, sync117 x, ");
	expect_steps(&in, "");
	renamed(&in, true, "y", "x");
	in.p.write_l = false;
	expect(&in, "sync101 k, sync117 x, ");
	expect_steps(&in, "");
}

/* As the runs above have recorded it. */
static void
test_case_117_until_the_other_side_is_written_to(void **state)
{
	struct input in;

	(void)state;
	renamed(&in, true, "x", "y");
	in.j[1].path = SPAN("y");
	expect(&in, "sync101 k, sync101 x, ");
	in.p.names_left = true;
	expect(&in, "sync101 k, renameR113 y, ");
	in.p.write_r = false;
	expect(&in, "sync101 k, sync117 x, ");
	renamed(&in, true, "y", "x");
	in.j[1].wire = SPAN("y");
	expect(&in, "sync101 k, sync101 x, ");
	in.p.names_left = true;
	expect(&in, "sync101 k, renameL114 y, ");
	/* both have it by now */
	renamed(&in, true, "y", "y");
	in.j[1].wire = SPAN("y");
	in.p.names_left = true;
	expect(&in, "sync101 k, renamed115 y, ");
}

static void
test_case_118_gone_on_one_side_and_kept_on_the_other(void **state)
{
	struct input in;

	(void)state;
	/* direction: pull */
	renamed(&in, true, "x", NULL);
	in.p.write_r = false;
	expect(&in, "sync101 k, stay118 x, ");
	/* direction: push */
	renamed(&in, true, NULL, "x");
	in.p.write_l = false;
	expect(&in, "sync101 k, stay118 x, ");
	/* deletes: keep */
	renamed(&in, true, NULL, "x");
	in.p.keep = true;
	expect(&in, "sync101 k, stay118 x, ");
	/* and direction: pull */
	in.p.write_r = false;
	expect(&in, "sync101 k, stay118 x, ");
	/* the list proves nothing */
	in.p.list_complete = false;
	expect(&in, "sync101 k, leave118 x, ");
}

static void
test_case_118_renamed_here(void **state)
{
	struct input in;

	(void)state;
	renamed(&in, true, NULL, "y");
	in.p.keep = true;
	expect(&in, "sync101 k, forget107 x, createR103 y, ");
	in.j[1].gone = true;
	expect(&in, "sync101 k, stay118 y, ");
	/* nothing keeps it any more */
	in.p.keep = false;
	expect(&in, "sync101 k, forget107 x, createR103 y, ");
	/* there is one of this name */
	in.p.keep = true;
	add_r(&in, "y", true);
	expect(&in, "sync101 k, forget107 x, sync104 y, ");
}

/* "x" was deleted on one side, and "y" got its name there. */
static void
replaced(struct input *in, bool there)
{
	init(in);
	add_j(in, "x", 5);
	add_j(in, "y", 5);
	if (there) {
		add_r(in, "x", true);
		add_l(in, "x", false);
	} else {
		add_r(in, "x", true);
		add_r(in, "y", true);
	}
	add_l(in, there ? "y" : "x", false);
	for (size_t i = 0; i < 2; i++) {
		in->j[i].mailboxid = i ? SPAN("M2") : SPAN("M1");
		in->r[i].mailboxid = there ? SPAN("M2") : in->j[i].mailboxid;
		in->j[i].cur_ino = in->l[i].cur_ino = 30 + 2 * i;
		in->j[i].new_ino = in->l[i].new_ino = 31 + 2 * i;
	}
	if (!there) {
		in->l[0].cur_ino = 32;
		in->l[0].new_ino = 33;
	}
}

/* It is gone for sure, and not to be made again beside the other one. */
static void
test_case_118_another_one_has_its_name(void **state)
{
	struct input in;

	(void)state;
	/* direction: push; then the journal has "y" by its name there */
	replaced(&in, true);
	in.p.write_l = false;
	expect(&in, "stay118* x, sync117 y, ");
	in.j[1].wire = SPAN("x");
	expect(&in, "stay118* x, sync101 y, ");
	in.p.write_l = true;
	expect(&in, "sync101 y, deleteL105* x, ");
	/* direction: pull */
	replaced(&in, false);
	in.p.write_r = false;
	expect(&in, "stay118* x, sync117 y, ");
	in.j[1].path = SPAN("x");
	in.p.write_r = true;
	expect(&in, "sync101 y, deleteR106* x, ");
	/* nobody has it: "y" makes room, or is another one then */
	replaced(&in, true);
	expect(&in, "renameL114 x, deleteL105 x" TREE_ASIDE ", ");
	replaced(&in, false);
	expect(&in, "sync101 x, deleteR106 y, ");
}

/* A run was killed when it had put "x" aside for "y". */
static void
test_case_105_what_was_put_aside_goes_by_that_name(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		replaced(&in, true);
		in.l[0].path = SPAN("x" TREE_ASIDE);
		in.p.keep = keep;
		expect(&in, keep ? "renameL114 x, stay118 x" TREE_ASIDE ", "
				 : "renameL114 x, deleteL105 x" TREE_ASIDE ", ");
		expect_steps(&in, "L y>x, ");
		plan_of(&in, &plan);
		assert_true(
		    span_eq(plan.op[1].wire, SPAN("x" TREE_ASIDE)));
		/* and that one was done as well */
		in.l[1].path = SPAN("x");
		expect(&in, keep ? "renamed115 x, stay118 x" TREE_ASIDE ", "
				 : "renamed115 x, deleteL105 x" TREE_ASIDE ", ");
	}
	/* the same of the server */
	replaced(&in, false);
	in.l[0].cur_ino = in.j[0].cur_ino;
	in.l[0].new_ino = in.j[0].new_ino;
	in.r[1].wire = in.r[1].name = SPAN("y" TREE_ASIDE);
	expect(&in, "sync101 x, deleteR106 y" TREE_ASIDE ", ");
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[1].path, SPAN("y" TREE_ASIDE)));
}

static void
test_case_120_the_server_is_as_it_was_before(void **state)
{
	struct input in;

	(void)state;
	with_a(&in);
	add_j(&in, "x", 5);
	add_l(&in, "x", false);
	in.j[0].uidvalidity = in.r[0].uidvalidity = 7;
	in.j[0].uidnext = in.r[0].uidnext = 10;
	in.j[0].modseq = in.r[0].modseq = 20;
	expect(&in, "sync101 a, deleteL105 x, ");
	in.r[0].uidnext = 9;
	expect(&in, "sync101 a, forget120 x, createR103 x, ");
	/* nothing is made there, and nothing goes here */
	in.p.write_r = false;
	expect(&in, "sync101 a, forget120 x, ");
	in.p.write_r = true;
	in.r[0].uidnext = 10;
	in.r[0].modseq = 19;
	expect(&in, "sync101 a, forget120 x, createR103 x, ");
	/* it is not told, or of another mailbox */
	in.r[0].modseq = 0;
	expect(&in, "sync101 a, deleteL105 x, ");
	in.r[0].modseq = 19;
	in.r[0].uidvalidity = 8;
	expect(&in, "sync101 a, deleteL105 x, ");
	/* where nothing would be deleted, nothing is */
	in.r[0].uidvalidity = 7;
	in.p.keep = true;
	expect(&in, "sync101 a, stay118 x, ");
}

/* The caller says so once the other side has refused it. */
static void
test_case_119_a_refused_name_is_reported(void **state)
{
	static const char *const name[][2] = {{"x", "y"}, {"y", "x"}};
	struct tree_match m[16];
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (int i = 0; i < 2; i++) {
		renamed(&in, true, name[i][0], name[i][1]);
		tree_match(&mem, in.j, in.nj, in.r, in.nr, in.l, in.nl,
		    in.p.layout, m);
		m[1].stay = true;
		tree_plan(&mem, in.j, in.nj, in.r, in.nr, in.l, in.nl, m,
		    &in.p, &plan);
		assert_int_equal(plan.nstep, 0);
		assert_int_equal(plan.n, 2);
		assert_int_equal(plan.op[1].kind, TREE_SKIP);
		assert_int_equal(plan.op[1].why, TREE_CASE_REFUSED);
		assert_non_null(plan.op[1].text);
	}
}

static void
test_case_121_renamed_to_an_excluded_name(void **state)
{
	const struct span out[] = {SPAN("*"), SPAN("!old/*")};
	struct input in;

	(void)state;
	/* there */
	renamed(&in, true, "old/x", "x");
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, forget121 x, createR103 x, ");
	expect_steps(&in, "");
	in.p.write_r = false;
	expect(&in, "sync101 k, forget121 x, ");
	/* here */
	renamed(&in, true, "x", "old/x");
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, forget121 x, createL102 x, ");
	expect_steps(&in, "");
	/* and made anew */
	add_l(&in, "x", false);
	in.l[2].cur_ino = 30;
	in.l[2].new_ino = 31;
	expect(&in, "sync101 k, forget121 x, sync104 x, ");
	/* on both sides: it is out, and stays paired */
	renamed(&in, true, "old/x", "old/x");
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, leave101 old/x, ");
}

static void
test_case_121_renamed_out_of_an_excluded_name(void **state)
{
	const struct span out[] = {SPAN("*"), SPAN("!x")};
	struct input in;

	(void)state;
	renamed(&in, true, "y", "x");
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, forget121 x, createL102 y, ");
	renamed(&in, true, "x", "y");
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, forget121 x, createR103 y, ");
	expect_steps(&in, "");
	/* what is aside has its name for a moment */
	renamed(&in, true, "x", "y" TREE_ASIDE);
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "sync101 k, ");
}

/* What a person did on one side waits until it is not left out any more. */
static void
test_left_out_and_renamed(void **state)
{
	const struct span out[] = {SPAN("*"), SPAN("!x"), SPAN("!y")};
	static const char *const name[][2] = {{"x", "y"}, {"y", "x"}};
	struct input in;

	(void)state;
	for (int i = 0; i < 2; i++) {
		renamed(&in, true, name[i][0], name[i][1]);
		in.p.patterns = out;
		in.p.npatterns = 3;
		expect(&in, "sync101 k, ");
		in.p.npatterns = 1;
		expect(&in, i ? "sync101 k, renameL114 y, "
			      : "sync101 k, renameR113 y, ");
	}
	/* on both: its record follows */
	renamed(&in, true, "y", "y");
	in.p.patterns = out;
	in.p.npatterns = 3;
	expect(&in, "sync101 k, leave101 y, ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_case_101_on_both_sides),
	    T(test_case_102_new_there_is_made_here),
	    T(test_case_103_new_here_is_made_there),
	    T(test_case_104_new_on_both_sides_is_paired),
	    T(test_case_105_deleted_there_is_deleted_here),
	    T(test_case_106_deleted_here_is_deleted_there),
	    T(test_case_107_deleted_on_both_sides_is_forgotten),
	    T(test_case_108_no_name_has_that_path),
	    T(test_case_109_the_server_cannot_have_that_name),
	    T(test_case_109_the_directory_of_an_empty_name_is_named),
	    T(test_case_110_one_directory_holds_one_mailbox),
	    T(test_case_111_inbox_is_never_deleted),
	    T(test_case_112_a_damaged_directory_says_so),
	    T(test_case_113_renamed_here_is_renamed_there),
	    T(test_case_114_renamed_there_is_renamed_here),
	    T(test_case_115_renamed_alike_on_both_sides),
	    T(test_case_116_the_servers_name_wins),
	    T(test_case_117_the_other_side_is_not_written_to),
	    T(test_case_117_until_the_other_side_is_written_to),
	    T(test_case_118_gone_on_one_side_and_kept_on_the_other),
	    T(test_case_118_renamed_here),
	    T(test_case_118_another_one_has_its_name),
	    T(test_case_105_what_was_put_aside_goes_by_that_name),
	    T(test_case_119_a_refused_name_is_reported),
	    T(test_case_120_the_server_is_as_it_was_before),
	    T(test_case_121_renamed_to_an_excluded_name),
	    T(test_case_121_renamed_out_of_an_excluded_name),
	    T(test_left_out_and_renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
