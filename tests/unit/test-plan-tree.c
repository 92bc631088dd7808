/* Mailboxes: the truth table of journal, server and disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plan/tree.h"

static struct arena mem;

struct input {
	struct tree_journal j[16];
	struct tree_remote r[16];
	struct tree_local l[16];
	size_t nj, nr, nl;
	struct tree_policy p;
};

static void
init(struct input *in)
{
	memset(in, 0, sizeof *in);
	in->p = (struct tree_policy){.delim = '/', .list_complete = true,
	    .write_r = true, .write_l = true};
}

/* What tree_match() finds, all guesses being right. */
static void
plan_of(const struct input *in, struct tree_plan *plan_r)
{
	struct tree_match m[16];

	tree_match(&mem, in->j, in->nj, in->r, in->nr, in->l, in->nl,
	    in->p.layout, m);
	tree_plan(&mem, in->j, in->nj, in->r, in->nr, in->l, in->nl, m,
	    &in->p, plan_r);
}

static void
add_j(struct input *in, const char *name, uint64_t rows)
{
	struct span s = span_str(name);

	in->j[in->nj] = (struct tree_journal){.id = in->nj + 1, .wire = s,
	    .name = s, .path = layout_path(&mem, s, in->p.layout),
	    .rows = rows};
	in->nj++;
}

static void
add_r(struct input *in, const char *name, bool selectable)
{
	struct span s = span_str(name);

	in->r[in->nr++] = (struct tree_remote){.wire = s, .name = s,
	    .delim = '/', .selectable = selectable};
}

static void
add_l(struct input *in, const char *path, bool damaged)
{
	in->l[in->nl++] = (struct tree_local){.path = span_str(path),
	    .is_box = true, .damaged = damaged};
}

/* "sync101 INBOX, deleteR106! a, " -- "!" is held */
static void
expect(const struct input *in, const char *want)
{
	static const char *const kind[] = {"sync", "createL", "createR",
	    "deleteL", "deleteR", "forget", "skip", "renameR", "renameL",
	    "renamed", "leave"};
	struct tree_plan plan;
	struct buf out;

	plan_of(in, &plan);
	buf_init(&out, 8192);
	for (size_t i = 0; i < plan.n; i++) {
		const struct tree_op *op = &plan.op[i];

		buf_addf(&out, "%s%d%s%s %.*s, ", kind[op->kind],
		    (int)op->why, op->held ? "!" : "",
		    op->damaged && op->kind == TREE_SYNC ? "~" : "",
		    SPAN_ARG(op->name));
		if (op->kind == TREE_SKIP)
			assert_true(op->text && *op->text);
		assert_true(*tree_case_words(op->why) != '?');
	}
	assert_string_equal(buf_cstr(&out), want);
	buf_release(&out);
}

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
test_what_cannot_be_a_mailbox_is_reported(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	in.p.delim = '.';
	add_l(&in, "100%", false);    /* no name has that path */
	add_l(&in, "v1.2", false);    /* the server's delimiter */
	add_l(&in, "good", false);
	expect(&in, "skip108 100%, createR103 good, skip109 v1.2, ");
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
test_one_directory_holds_one_mailbox(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_r(&in, "x", true);
	add_r(&in, "y", true);
	in.r[1].name = SPAN("x"); /* of another namespace, say */
	expect(&in, "createL102 x, skip110 x, ");
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
test_damaged_directories_say_so(void **state)
{
	struct input in;

	(void)state;
	init(&in);
	add_j(&in, "a", 1);
	add_r(&in, "a", true);
	add_l(&in, "a", true);
	expect(&in, "sync112~ a, ");
	arena_clear(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_combination_of_the_three_lists),
	    cmocka_unit_test(
		test_parents_first_deletes_last_and_children_first),
	    cmocka_unit_test(test_a_list_that_lost_most_deletes_nothing),
	    cmocka_unit_test(test_an_empty_root_deletes_nothing),
	    cmocka_unit_test(test_large_mailboxes_are_not_held),
	    cmocka_unit_test(test_what_cannot_be_a_mailbox_is_reported),
	    cmocka_unit_test(test_containers_are_no_mailboxes),
	    cmocka_unit_test(test_one_directory_holds_one_mailbox),
	    cmocka_unit_test(test_what_is_not_selected_is_left_alone),
	    cmocka_unit_test(test_damaged_directories_say_so),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
