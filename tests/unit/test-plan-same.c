/* Which mailbox is which: by id, name, spelling, guess; here by path, inode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/tree.h"

static struct arena mem;

struct input {
	struct tree_journal j[8];
	struct tree_remote r[8];
	struct tree_local l[8];
	struct tree_match m[8];
	size_t nj, nr, nl;
};

static struct tree_journal *
add_j(struct input *in, const char *name, uint32_t uidvalidity)
{
	struct tree_journal *j = &in->j[in->nj];
	struct span s = span_str(name);

	*j = (struct tree_journal){.id = ++in->nj, .wire = s, .name = s,
	    .path = s, .rows = 10, .uidvalidity = uidvalidity, .uidnext = 11,
	    .messages = 10};
	return j;
}

static struct tree_remote *
add_r(struct input *in, const char *name, uint32_t uidvalidity)
{
	struct tree_remote *r = &in->r[in->nr++];
	struct span s = span_str(name);

	*r = (struct tree_remote){.wire = s, .name = s, .delim = '/',
	    .selectable = true, .uidvalidity = uidvalidity, .uidnext = 12,
	    .messages = 11};
	return r;
}

static struct tree_local *
add_l(struct input *in, const char *path, uint64_t ino)
{
	struct tree_local *l = &in->l[in->nl++];

	*l = (struct tree_local){.path = span_str(path), .is_box = true,
	    .cur_ino = ino, .new_ino = ino ? ino + 1 : 0};
	return l;
}

static void
match(struct input *in)
{
	tree_match(&mem, in->j, in->nj, in->r, in->nr, in->l, in->nl,
	    LAYOUT_NESTED, in->m);
}

static void
expect_r(struct input *in, size_t i, enum tree_how how, size_t at)
{
	match(in);
	assert_int_equal(in->m[i].rhow, how);
	if (how != TREE_NOT)
		assert_int_equal(in->m[i].r, at);
}

static void
expect_l(struct input *in, size_t i, enum tree_how how, size_t at)
{
	match(in);
	assert_int_equal(in->m[i].lhow, how);
	if (how != TREE_NOT)
		assert_int_equal(in->m[i].l, at);
}

static void
test_the_mailboxid_goes_before_the_name(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1)->mailboxid = SPAN("M1");
	add_r(&in, "a", 1)->mailboxid = SPAN("M2");
	add_r(&in, "b", 9)->mailboxid = SPAN("M1");
	expect_r(&in, 0, TREE_BY_ID, 1);
	/* an id that two have says nothing; and then "a" has another one */
	in.r[0].mailboxid = SPAN("M1");
	expect_r(&in, 0, TREE_BY_NAME, 0);
	/* what cannot be selected is not it */
	in.r[0].mailboxid = SPAN("M2");
	in.r[1].selectable = false;
	expect_r(&in, 0, TREE_NOT, 0);
}

static void
test_a_name_counts_while_uidvalidity_is_the_same(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	add_r(&in, "a", 1);
	expect_r(&in, 0, TREE_BY_NAME, 0);
	in.r[0].uidvalidity = 0;
	expect_r(&in, 0, TREE_BY_NAME, 0);
	in.r[0].uidvalidity = 2;
	expect_r(&in, 0, TREE_NOT, 0);
}

static void
test_another_spelling_is_the_same_name(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a/b", 1);
	add_r(&in, "INBOX.a.b", 1)->name = SPAN("a/b");
	expect_r(&in, 0, TREE_BY_NAME, 0);
	/* the wire name goes first */
	add_r(&in, "a/b", 1);
	expect_r(&in, 0, TREE_BY_NAME, 1);
}

static void
test_uidvalidity_under_another_name_is_a_guess(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	add_r(&in, "b", 1);
	expect_r(&in, 0, TREE_BY_GUESS, 0);
	in.r[0].virtual = true;
	expect_r(&in, 0, TREE_NOT, 0);
	in.r[0].virtual = false;
	/* not when the numbers cannot be */
	in.r[0].uidnext = 10;
	expect_r(&in, 0, TREE_NOT, 0);
	in.r[0].uidnext = 11;
	in.r[0].messages = 11;
	expect_r(&in, 0, TREE_NOT, 0);
	in.r[0].messages = 10;
	expect_r(&in, 0, TREE_BY_GUESS, 0);
	/* nor when another one could be it as well */
	add_r(&in, "c", 1)->uidnext = 11;
	in.r[1].messages = 10;
	expect_r(&in, 0, TREE_NOT, 0);
	in.nr--;
	add_j(&in, "d", 1);
	expect_r(&in, 0, TREE_NOT, 0);
	/* nor against its MAILBOXID */
	in.nj--;
	in.j[0].mailboxid = SPAN("M1");
	in.r[0].mailboxid = SPAN("M2");
	expect_r(&in, 0, TREE_NOT, 0);
}

static void
test_an_empty_mailbox_needs_a_uidvalidity_of_its_own(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1)->rows = 0;
	add_r(&in, "b", 1);
	expect_r(&in, 0, TREE_BY_GUESS, 0);
	add_j(&in, "x", 1);
	add_r(&in, "x", 1);
	expect_r(&in, 0, TREE_NOT, 0);
	in.j[0].rows = 1;
	expect_r(&in, 0, TREE_BY_GUESS, 0);
}

static void
test_a_tree_of_one_second_is_told_by_last_levels(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "p", 1);
	add_j(&in, "p/a", 1);
	add_j(&in, "p/b", 1);
	add_r(&in, "q/b", 1);
	add_r(&in, "q", 1);
	add_r(&in, "q/a", 1);
	expect_r(&in, 0, TREE_BY_GUESS, 1);
	expect_r(&in, 1, TREE_BY_GUESS, 2);
	expect_r(&in, 2, TREE_BY_GUESS, 0);
}

static void
test_two_of_one_second_are_told_by_their_numbers(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1)->uidnext = 21;
	add_j(&in, "b", 1);
	add_r(&in, "y", 1)->uidnext = 11;
	add_r(&in, "z", 1)->uidnext = 21;
	in.r[0].messages = in.r[1].messages = 10;
	expect_r(&in, 0, TREE_BY_GUESS, 1);
	expect_r(&in, 1, TREE_BY_GUESS, 0);
	in.r[0].messages = 9; /* not as they were: both could be "b" */
	in.r[1].messages = 9;
	expect_r(&in, 0, TREE_NOT, 0);
	expect_r(&in, 1, TREE_NOT, 0);
}

static void
test_names_that_moved_on(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	add_j(&in, "b", 2);
	add_r(&in, "b", 1);
	add_r(&in, "c", 2);
	expect_r(&in, 0, TREE_BY_GUESS, 0);
	expect_r(&in, 1, TREE_BY_GUESS, 1);
	/* swapped */
	in.r[1].wire = in.r[1].name = SPAN("a");
	expect_r(&in, 0, TREE_BY_GUESS, 0);
	expect_r(&in, 1, TREE_BY_GUESS, 1);
}

static void
test_a_child_goes_along_with_its_parent(void **state)
{
	struct span now[4] = {SPAN("n")};
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	add_j(&in, "a/b", 2);
	add_j(&in, "a/b/c", 3);
	add_j(&in, "ax", 4);
	assert_true(tree_goes_along(in.j, in.nj, now, 1, SPAN("n/b")));
	assert_true(tree_goes_along(in.j, in.nj, now, 2, SPAN("n/b/c")));
	/* not by the way: another level, name or parent */
	assert_false(tree_goes_along(in.j, in.nj, now, 3, SPAN("nx")));
	assert_false(tree_goes_along(in.j, in.nj, now, 1, SPAN("n/d")));
	assert_false(tree_goes_along(in.j, in.nj, now, 1, SPAN("o/b")));
	assert_false(tree_goes_along(in.j, in.nj, now, 2, SPAN("n/b")));
	/* nor is it its own parent, and one that is gone proves nothing */
	assert_false(tree_goes_along(in.j, in.nj, now, 0, SPAN("n")));
	now[0] = SPAN_NONE;
	assert_false(tree_goes_along(in.j, in.nj, now, 1, SPAN("n/b")));
}

static void
test_inbox_is_inbox(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "INBOX", 1)->mailboxid = SPAN("M1");
	add_j(&in, "a", 2)->mailboxid = SPAN("M2");
	in.j[0].cur_ino = 5;
	in.j[0].new_ino = 6;
	add_r(&in, "INBOX", 2)->mailboxid = SPAN("M2");
	add_r(&in, "b", 1)->mailboxid = SPAN("M1");
	add_l(&in, "INBOX", 7);
	add_l(&in, "b", 5);
	expect_r(&in, 0, TREE_BY_NAME, 0);
	expect_r(&in, 1, TREE_NOT, 0);
	expect_l(&in, 0, TREE_BY_NAME, 0);
	/* and nothing else becomes it */
	in.j[1].cur_ino = 7;
	in.j[1].new_ino = 8;
	expect_l(&in, 1, TREE_NOT, 0);
}

static void
test_a_path_with_its_inodes(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	add_l(&in, "a", 5);
	expect_l(&in, 0, TREE_BY_NAME, 0); /* not known in the journal */
	in.j[0].cur_ino = 5;
	in.j[0].new_ino = 6;
	expect_l(&in, 0, TREE_BY_NAME, 0);
	in.j[0].new_ino = 7;
	expect_l(&in, 0, TREE_NOT, 0);
	in.l[0].cur_ino = in.l[0].new_ino = 0;
	expect_l(&in, 0, TREE_BY_NAME, 0);
}

static void
test_inodes_at_another_path_are_a_guess(void **state)
{
	struct input in = {.nj = 0};

	(void)state;
	add_j(&in, "a", 1);
	in.j[0].cur_ino = 5;
	in.j[0].new_ino = 6;
	add_l(&in, "a", 8);
	add_l(&in, "b", 5);
	expect_l(&in, 0, TREE_BY_GUESS, 1);
	in.l[1].damaged = true;
	expect_l(&in, 0, TREE_NOT, 0);
	in.l[1].damaged = false;
	in.l[1].new_ino = 9;
	expect_l(&in, 0, TREE_NOT, 0);
	in.l[1].new_ino = 6;
	/* two file systems may both have it */
	add_l(&in, "c", 5);
	expect_l(&in, 0, TREE_NOT, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_mailboxid_goes_before_the_name),
	    cmocka_unit_test(test_a_name_counts_while_uidvalidity_is_the_same),
	    cmocka_unit_test(test_another_spelling_is_the_same_name),
	    cmocka_unit_test(test_uidvalidity_under_another_name_is_a_guess),
	    cmocka_unit_test(
		test_an_empty_mailbox_needs_a_uidvalidity_of_its_own),
	    cmocka_unit_test(test_a_tree_of_one_second_is_told_by_last_levels),
	    cmocka_unit_test(test_two_of_one_second_are_told_by_their_numbers),
	    cmocka_unit_test(test_names_that_moved_on),
	    cmocka_unit_test(test_a_child_goes_along_with_its_parent),
	    cmocka_unit_test(test_inbox_is_inbox),
	    cmocka_unit_test(test_a_path_with_its_inodes),
	    cmocka_unit_test(test_inodes_at_another_path_are_a_guess),
	};
	int rc;

	arena_init(&mem);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&mem);
	return rc;
}
