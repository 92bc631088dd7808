/* Mailboxes: the truth table of journal, server and disk. */
#include "lists.h"

static void
test_every_combination_of_the_three_lists(void **state)
{
	static const char *const want[8] = {
	    "", /* nowhere */
	    "createR103 x, ",
	    "createL102 x, ",
	    "sync104 x, ",
	    "forget107 x, ",
	    "deleteL105 x, ",
	    "deleteR106 x, ",
	    "sync101 x, ",
	};
	static const char *const inbox[8] = {
	    "",
	    "createR103 INBOX, ",
	    "createL102 INBOX, ",
	    "sync104 INBOX, ",
	    "skip111 INBOX, ",
	    "skip111 INBOX, ",
	    "sync111~ INBOX, ",
	    "sync101 INBOX, ",
	};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		for (int is_inbox = 0; is_inbox < 2; is_inbox++) {
			const char *name = is_inbox ? "INBOX" : "x";
			struct input in;
			struct buf text;

			init(&in);
			/* others, so that no list is empty or damaged */
			add_j(&in, "a", 1);
			add_r(&in, "a", true);
			add_l(&in, "a", false);
			if (i & 4)
				add_j(&in, name, 1);
			if (i & 2)
				add_r(&in, name, true);
			if (i & 1)
				add_l(&in, name, false);
			buf_init(&text, 200);
			/* deletes last, else by name */
			if (is_inbox)
				buf_add_str(&text, inbox[i]);
			buf_add_str(&text, "sync101 a, ");
			if (!is_inbox)
				buf_add_str(&text, want[i]);
			expect(&in, buf_cstr(&text));
			buf_release(&text);
			arena_clear(&mem);
		}
}

/* mbsync and Dovecot name a directory as IMAP does. */
static void
test_a_directory_named_as_imap_writes_it(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (int have = 0; have < 4; have++) {
		init(&in);
		add_r(&in, "&APw-/x", true);
		in.r[0].name = SPAN("\xc3\xbc/x");
		if (have & 1)
			add_l(&in, "&APw-/x", false);
		if (have & 2)
			add_l(&in, "\xc3\xbc/x", false);
		expect(&in, (const char *const[]){
		    "createL102 \xc3\xbc/x, ",
		    "skip108 &APw-/x, ",
		    "sync104 \xc3\xbc/x, ",
		    "skip108 &APw-/x, sync104 \xc3\xbc/x, "}[have]);
	}
	plan_of(&in, &plan);
	assert_string_equal(plan.op[0].text, "this is '\xc3\xbc/x' as IMAP "
	    "writes it; rename the directory to '\xc3\xbc/x'");
	/* only where it would be that mailbox, and nobody knows better */
	in.nr = 0;
	in.nl = 1;
	expect(&in, "createR103 &APw-/x, ");
	add_r(&in, "&APw-/x", true);
	in.r[0].name = SPAN("\xc3\xbc/x");
	add_j(&in, "&APw-/x", 1);
	in.j[0].wire = SPAN("&-APw-/x");
	add_r(&in, "&-APw-/x", true);
	in.r[1].name = SPAN("&APw-/x");
	expect(&in, "sync101 &APw-/x, createL102 \xc3\xbc/x, ");
	/* it is left out by its own name */
	in.nj = in.nl = 0;
	in.nr = 1;
	add_l(&in, "&APw-/x", false);
	in.p.patterns = (const struct span[]){SPAN("!\xc3\xbc/x")};
	in.p.npatterns = 1;
	expect(&in, "");
	arena_clear(&mem);
}

static void
test_parents_first_deletes_last_and_children_first(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_r(&in, "p/q", true);
	add_r(&in, "p", true);
	add_j(&in, "a", 0);
	add_j(&in, "a/b", 0);
	add_j(&in, "z", 0);
	add_j(&in, "y", 0);
	add_j(&in, "INBOX", 0);
	add_r(&in, "INBOX", true);
	add_r(&in, "y", true);
	add_r(&in, "z", true);
	for (int i = 0; i < 4; i++)
		add_l(&in, (const char *const[]){"a", "a/b", "z", "INBOX"}[i],
		    false);
	expect(&in, "sync101 INBOX, createL102 p, createL102 p/q, sync101 z, "
		    "deleteR106 y, deleteL105 a/b, deleteL105 a, ");
	arena_clear(&mem);
}

static void
test_a_list_that_lost_most_deletes_nothing(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	for (int i = 0; i < 5; i++) {
		const char *name = arena_printf(&mem, "m%d", i);

		add_j(&in, name, 1);
		add_l(&in, name, false);
		if (i < 2)
			add_r(&in, name, true);
	}
	expect(&in, "sync101 m0, sync101 m1, deleteL105! m4, deleteL105! m3, "
		    "deleteL105! m2, ");
	in.p.allow_deletes = true;
	expect(&in, "sync101 m0, sync101 m1, deleteL105 m4, deleteL105 m3, "
		    "deleteL105 m2, ");
	/* two of five may go */
	in.p.allow_deletes = false;
	add_r(&in, "m2", true);
	expect(&in, "sync101 m0, sync101 m1, sync101 m2, deleteL105 m4, "
		    "deleteL105 m3, ");
	/* a listing that broke off says nothing about what it lacks */
	in.p.list_complete = false;
	in.p.allow_deletes = true;
	expect(&in, "sync101 m0, sync101 m1, sync101 m2, deleteL105! m4, "
		    "deleteL105! m3, ");
	in.p.list_complete = true;
	in.nr = 0;
	expect(&in, "deleteL105! m4, deleteL105! m3, deleteL105! m2, "
		    "deleteL105! m1, deleteL105! m0, ");
	arena_clear(&mem);
}

static void
test_an_empty_root_deletes_nothing(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	init(&in);
	add_j(&in, "a", 1);
	add_r(&in, "a", true);
	expect(&in, "deleteR106! a, ");
	plan_of(&in, &plan);
	assert_true(plan.root_damaged);
	arena_clear(&mem);
}

/* Those with messages pass the brake of the messages. */
static void
test_an_empty_mailbox_that_was_held_stays_held(void **state)
{
	struct input in;

	(void)state;
	for (size_t rows = 0; rows < 2; rows++) {
		init(&in);
		add_j(&in, "a", rows);
		add_j(&in, "b", 0);
		in.j[0].held_r = in.j[1].held_l = true;
		add_r(&in, "a", true);
		add_r(&in, "b", true);
		add_j(&in, "c", 0);
		add_r(&in, "c", true);
		add_l(&in, "c", false);
		expect(&in, rows ? "sync101 c, deleteR106 b, deleteR106 a, "
				 : "sync101 c, deleteR106 b, deleteR106! a, ");
		in.nr = 0;
		add_r(&in, "c", true);
		in.nl = 0;
		add_l(&in, "a", false);
		add_l(&in, "b", false);
		add_l(&in, "c", false);
		in.j[1].rows = rows;
		expect(&in, rows ? "sync101 c, deleteL105 b, deleteL105 a, "
				 : "sync101 c, deleteL105! b, deleteL105 a, ");
		in.p.allow_deletes = true;
		expect(&in, "sync101 c, deleteL105 b, deleteL105 a, ");
	}
	arena_clear(&mem);
}

/* A backup knows nothing of the mailboxes that are younger. */
static void
test_a_tree_that_was_put_back_deletes_nothing(void **state)
{
	struct input in;

	(void)state;
	for (int stay = 0; stay < 2; stay++) {
		init(&in);
		in.p.inodes_stay = stay;
		for (size_t i = 0; i < 3; i++) {
			const char *name = (const char *[]){"a", "b", "c"}[i];

			add_j(&in, name, 1);
			in.j[i].cur_ino = 10 + i;
			in.j[i].new_ino = 20 + i;
			add_r(&in, name, true);
			if (i < 2)
				add_l(&in, name, false);
		}
		for (size_t i = 0; i < 2; i++) {
			in.l[i].cur_ino = 30 + i;
			in.l[i].new_ino = 20 + i;
		}
		expect(&in, stay ? "sync101 a, sync101 b, deleteR106! c, "
				 : "sync101 a, sync101 b, deleteR106 c, ");
		/* one of them is the one that it was */
		in.l[1].cur_ino = 11;
		expect(&in, "sync101 a, sync101 b, deleteR106 c, ");
		in.l[1].cur_ino = 31;
		in.p.allow_deletes = true;
		expect(&in, "sync101 a, sync101 b, deleteR106 c, ");
		arena_clear(&mem);
	}
}

/* How many of its messages may go is for the brake of the messages. */
static void
test_large_mailboxes_are_not_held(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_j(&in, "a", 100000);
	add_j(&in, "b", 1);
	add_r(&in, "a", true);
	add_r(&in, "b", true);
	add_l(&in, "b", false);
	expect(&in, "sync101 b, deleteR106 a, ");
	arena_clear(&mem);
}

static void
test_containers_are_no_mailboxes(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_r(&in, "a", false);
	add_r(&in, "a/b", true);
	expect(&in, "createL102 a/b, ");
	/* a mailbox that became one is gone as a mailbox */
	add_j(&in, "a", 0);
	add_l(&in, "a", false);
	expect(&in, "createL102 a/b, deleteL105 a, ");
	arena_clear(&mem);
}

static void
test_what_is_not_selected_is_left_alone(void **state)
{
	static const struct span patterns[] = {
	    {"*", 1}, {"!b*", 3}};
	struct input in;

	(void)state;
	init(&in);
	in.p.patterns = patterns;
	in.p.npatterns = 2;
	add_j(&in, "a", 1);
	add_r(&in, "a", true);
	add_l(&in, "a", false);
	add_j(&in, "b1", 1); /* gone there, but not ours to delete */
	add_l(&in, "b1", false);
	add_r(&in, "b2", true);
	add_l(&in, "b3", false);
	expect(&in, "sync101 a, ");
	arena_clear(&mem);
}

static void
test_every_way_to_be_renamed(void **state)
{
	static const char *const name[] = {NULL, "x", "y", "z"};
	static const char *const want[4][4] = {
	    /* gone there: gone here, x, y, z here */
	    {"forget107 x, ", "deleteL105 x, ", "forget107 x, createR103 y, ",
		"forget107 x, createR103 z, "},
	    /* x there */
	    {"deleteR106 x, ", "sync101 x, ", "renameR113 y, ",
		"renameR113 z, "},
	    /* y there */
	    {"forget107 x, createL102 y, ", "renameL114 y, ", "renamed115 y, ",
		"renameL116 y, "},
	    /* z there */
	    {"forget107 x, createL102 z, ", "renameL114 z, ", "renameL116 z, ",
		"renamed115 z, "},
	};
	(void)state;
	for (int ids = 0; ids < 2; ids++)
		for (int r = 0; r < 4; r++)
			for (int l = 0; l < 4; l++) {
				struct input in;
				struct buf text;

				renamed(&in, ids, name[r], name[l]);
				buf_init(&text, 200);
				/* deletes are last anyway */
				buf_addf(&text, "sync101 k, %s", want[r][l]);
				expect(&in, buf_cstr(&text));
				buf_release(&text);
				arena_clear(&mem);
			}
}

/* The child's directory was taken to where the new one is to be. */
static void
test_another_child_of_a_renamed_parent(void **state)
{
	const struct span out = SPAN("!y/c");
	struct input in;

	(void)state;
	renamed(&in, true, "y", "x");
	add_j(&in, "x/c", 3);
	add_r(&in, "y/c", true);
	add_l(&in, "x/c", false);
	expect_steps(&in, "L x>y, L y/c>c-mochila-aside, ");
	expect(&in, "sync101 k, renameL114 y, createL102 y/c, "
		    "deleteL105 c-mochila-aside, ");
	/* not to be made here, so in nobody's way */
	in.p.patterns = &out;
	in.p.npatterns = 1;
	expect_steps(&in, "L x>y, ");
	arena_clear(&mem);
}

static void
test_a_rename_says_what_it_was_and_will_be(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	renamed(&in, true, "x", "y");
	expect_steps(&in, "R x>y, ");
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[1].now_wire, SPAN("x")));
	assert_true(span_eq(plan.op[1].wire, SPAN("y")));
	assert_true(span_eq(plan.op[1].path, SPAN("y")));
	assert_true(span_eq(plan.op[1].now_path, SPAN("y")));
	assert_true(span_eq(plan.op[1].old_name, SPAN("x")));
	assert_int_equal(plan.op[1].id, 2);
	renamed(&in, true, "y", "x");
	expect_steps(&in, "L x>y, ");
	renamed(&in, true, "y", "y");
	expect_steps(&in, "");
	arena_clear(&mem);
}

static void
test_direction_and_keep_leave_the_other_side_alone(void **state)
{
	static const struct {
		bool write_r, write_l, keep;
		const char *r, *l, *want;
	} v[] = {
	    {false, true, false, "x", "y", "sync117 x, "},
	    {false, true, false, "y", "x", "renameL114 y, "},
	    {false, true, false, "y", "z", "renameL116 y, "},
	    {false, true, false, "y", "y", "renamed115 y, "},
	    {false, true, false, "x", NULL, "stay118 x, "},
	    {false, true, false, NULL, "x", "deleteL105 x, "},
	    {false, true, false, NULL, "y", "forget107 x, "},
	    {true, false, false, "x", "y", "renameR113 y, "},
	    {true, false, false, "y", "x", "sync117 x, "},
	    {true, false, false, "y", "z", "renameR116 z, "},
	    {true, false, false, "x", NULL, "deleteR106 x, "},
	    {true, false, false, NULL, "x", "stay118 x, "},
	    {true, true, true, NULL, "x", "stay118 x, "},
	    {true, true, true, "x", NULL, "deleteR106 x, "},
	};
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		struct buf text;

		renamed(&in, true, v[i].r, v[i].l);
		in.p.write_r = v[i].write_r;
		in.p.write_l = v[i].write_l;
		in.p.keep = v[i].keep;
		buf_init(&text, 200);
		buf_addf(&text, "sync101 k, %s", v[i].want);
		expect(&in, buf_cstr(&text));
		buf_release(&text);
		arena_clear(&mem);
	}
	/* new mailboxes */
	init(&in);
	add_r(&in, "r", true);
	add_l(&in, "l", false);
	in.p.write_r = false;
	expect(&in, "createL102 r, ");
	in.p.write_r = true;
	in.p.write_l = false;
	expect(&in, "createR103 l, ");
	arena_clear(&mem);
}

static void
test_a_rename_that_failed(void **state)
{
	struct tree_match m[16];
	struct tree_plan plan;
	struct input in;

	(void)state;
	for (int stay = 0; stay < 2; stay++) {
		renamed(&in, true, "x", "y");
		tree_match(&mem, in.j, in.nj, in.r, in.nr, in.l, in.nl,
		    in.p.layout, m);
		m[1].stay = stay;
		m[1].apart = !stay;
		tree_plan(&mem, in.j, in.nj, in.r, in.nr, in.l, in.nl, m,
		    &in.p, &plan);
		assert_int_equal(plan.nstep, 0);
		if (stay) {
			assert_int_equal(plan.n, 2);
			assert_int_equal(plan.op[1].kind, TREE_SKIP);
			assert_int_equal(plan.op[1].why, TREE_CASE_REFUSED);
		} else {
			assert_int_equal(plan.n, 3);
			assert_int_equal(plan.op[1].kind, TREE_CREATE_R);
			assert_int_equal(plan.op[2].kind, TREE_DELETE_R);
		}
	}
	arena_clear(&mem);
}

static void
test_a_name_that_the_server_cannot_have_deletes_nothing(void **state)
{
	struct input in;

	(void)state;
	renamed(&in, true, "x", "100%");
	expect(&in, "skip108 100%, sync101 k, ");
	renamed(&in, true, "x", "v1.2");
	in.p.delim = '.';
	expect(&in, "sync101 k, skip109 v1.2, ");
	arena_clear(&mem);
}

static void
test_a_target_that_is_taken(void **state)
{
	struct input in;

	(void)state;
	/* a mailbox made there meanwhile: its messages join */
	renamed(&in, true, "x", "y");
	add_r(&in, "y", true);
	in.r[2].uidvalidity = 9;
	expect(&in, "sync101 k, sync104 y, deleteR106 x, ");
	/* or made here */
	renamed(&in, true, "y", "x");
	add_l(&in, "y", false);
	expect(&in, "sync101 k, sync104 y, deleteL105 x, ");
	/* the mailbox of that name was deleted there */
	renamed(&in, true, "y", "x");
	add_j(&in, "y", 3);
	in.j[2].uidvalidity = 8;
	add_l(&in, "y", false);
	expect(&in, "sync101 k, renameL114 y, deleteL105 y-mochila-aside, ");
	expect_steps(&in, "L y>y-mochila-aside, L x>y, ");
	arena_clear(&mem);
}

/*
 * Crashes among renames on both sides left one aside here, and the other
 * inside of what is aside there (seed 1795567005 of test-plan-known).
 */
static void
test_aside_on_both_sides_differently_is_of_one_name_again(void **state)
{
	struct input in;

	(void)state;
	for (int push = 0; push < 2; push++) {
		renamed(&in, true, "c-mochila-aside/x", "b/x-mochila-aside");
		in.j[1].wire = in.r[1].wire; /* they were taken for a pair */
		in.j[1].name = in.j[1].path = in.l[1].path;
		in.p.write_l = !push;
		expect_steps(&in,
		    push ? "R c-mochila-aside/x>b/x-mochila-aside, "
			 : "L b/x-mochila-aside>c-mochila-aside/x, ");
	}
	arena_clear(&mem);
}

static void
test_another_delimiter_is_not_another_name(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	init(&in);
	in.p.delim = '.';
	in.p.prefix = SPAN("INBOX.");
	add_j(&in, "a/b", 1);
	add_r(&in, "INBOX.a.b", true);
	in.r[0].name = SPAN("a/b");
	in.r[0].delim = '.';
	add_l(&in, "a/b", false);
	expect(&in, "sync101 a/b, ");
	plan_of(&in, &plan);
	assert_true(span_eq(plan.op[0].wire, SPAN("INBOX.a.b")));
	assert_int_equal(plan.op[0].delim, '.');
	assert_int_equal(plan.nstep, 0);
	arena_clear(&mem);
}

static void
test_virtual_mailboxes_are_left_out_unless_named(void **state)
{
	static const struct span all[] = {{"*", 1}};
	static const struct span named[] = {{"*", 1}, {"All Mail", 8}};
	static const struct span out[] = {{"All Mail", 8}, {"*", 1}};
	struct input in;

	(void)state;
	init(&in);
	add_r(&in, "All Mail", true);
	in.r[0].virtual = true;
	add_r(&in, "a", true);
	expect(&in, "createL102 a, ");
	in.p.patterns = all;
	in.p.npatterns = 1;
	expect(&in, "createL102 a, ");
	/* a directory of that name is no reason to make it */
	add_l(&in, "All Mail", false);
	expect(&in, "createL102 a, ");
	/* the last one that matches decides */
	in.p.patterns = out;
	in.p.npatterns = 2;
	expect(&in, "createL102 a, ");
	in.p.patterns = named;
	expect(&in, "sync104 All Mail, createL102 a, ");
	in.nl = 0;
	expect(&in, "createL102 All Mail, createL102 a, ");
	arena_clear(&mem);
}

static void
test_names_that_differ_in_case_are_twins(void **state)
{
	struct tree_plan plan;
	struct input in;

	(void)state;
	init(&in);
	add_j(&in, "a", 1);
	add_r(&in, "a", true);
	add_l(&in, "a", false);
	add_r(&in, "A", true);
	add_r(&in, "b", true);
	plan_of(&in, &plan);
	assert_int_equal(plan.n, 3);
	assert_int_equal(plan.op[0].kind, TREE_CREATE_L);
	assert_true(plan.op[0].twin);
	assert_false(plan.op[2].twin);
	in.nr = 1;
	add_l(&in, "A", false);
	plan_of(&in, &plan);
	assert_int_equal(plan.op[0].kind, TREE_CREATE_R);
	assert_true(plan.op[0].twin);
	arena_clear(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_combination_of_the_three_lists),
	    cmocka_unit_test(test_a_directory_named_as_imap_writes_it),
	    cmocka_unit_test(
		test_parents_first_deletes_last_and_children_first),
	    cmocka_unit_test(test_a_list_that_lost_most_deletes_nothing),
	    cmocka_unit_test(test_an_empty_root_deletes_nothing),
	    cmocka_unit_test(test_an_empty_mailbox_that_was_held_stays_held),
	    cmocka_unit_test(test_a_tree_that_was_put_back_deletes_nothing),
	    cmocka_unit_test(test_large_mailboxes_are_not_held),
	    cmocka_unit_test(test_containers_are_no_mailboxes),
	    cmocka_unit_test(test_what_is_not_selected_is_left_alone),
	    cmocka_unit_test(test_every_way_to_be_renamed),
	    cmocka_unit_test(test_another_child_of_a_renamed_parent),
	    cmocka_unit_test(test_a_rename_says_what_it_was_and_will_be),
	    cmocka_unit_test(
		test_direction_and_keep_leave_the_other_side_alone),
	    cmocka_unit_test(test_a_rename_that_failed),
	    cmocka_unit_test(
		test_a_name_that_the_server_cannot_have_deletes_nothing),
	    cmocka_unit_test(test_a_target_that_is_taken),
	    cmocka_unit_test(
		test_aside_on_both_sides_differently_is_of_one_name_again),
	    cmocka_unit_test(test_another_delimiter_is_not_another_name),
	    cmocka_unit_test(test_virtual_mailboxes_are_left_out_unless_named),
	    cmocka_unit_test(test_names_that_differ_in_case_are_twins),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
