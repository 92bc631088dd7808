#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "mail/nameset.h"

#define NAMES 5000

static struct span
name_of(char buf[64], unsigned i, const char *info)
{
	int n = snprintf(buf, 64, "cur/1700000%03u.M%uP7.host:2,%s", i % 1000,
	    i, info);

	return span_of(buf, (size_t)n);
}

static struct uidset
unseen(const struct nameset *s)
{
	struct uidset set;

	uidset_init(&set);
	nameset_unseen(s, &set);
	return set;
}

static void
test_an_empty_set_knows_nothing(void **state)
{
	struct nameset s;
	struct uidset set;

	(void)state;
	nameset_init(&s);
	nameset_begin(&s);
	assert_false(nameset_see(&s, SPAN("cur/a:2,S")));
	assert_true(nameset_seen_alike(&s));
	set = unseen(&s);
	nameset_of_base(&s, SPAN("a"), &set);
	assert_int_equal(set.n, 0);
	uidset_release(&set);
	nameset_release(&s);
}

/* With and without room made for them before. */
static void
test_many_names_are_found_and_no_others(void **state)
{
	(void)state;
	for (size_t room = 0; room <= NAMES; room += NAMES) {
		struct nameset s;
		struct uidset set;
		char buf[64];

		nameset_init(&s);
		nameset_reserve(&s, room);
		for (unsigned i = 1; i <= NAMES; i++)
			nameset_add(&s, name_of(buf, i, "S"), i);
		nameset_begin(&s);
		for (unsigned i = 1; i <= NAMES; i++) {
			assert_false(nameset_see(&s, name_of(buf, i, "")));
			assert_false(nameset_see(&s, name_of(buf, i, "FS")));
			assert_true(nameset_has(&s, name_of(buf, i, "S")));
			assert_false(nameset_has(&s, name_of(buf, i, "")));
			if (i % 3)
				assert_true(
				    nameset_see(&s, name_of(buf, i, "S")));
		}
		set = unseen(&s);
		assert_int_equal(uidset_count(&set), NAMES / 3);
		for (unsigned i = 1; i <= NAMES; i++)
			assert_int_equal(uidset_has(&set, i), i % 3 == 0);
		uidset_release(&set);
		nameset_release(&s);
	}
}

static void
test_cur_and_new_are_two_places(void **state)
{
	struct nameset s;

	(void)state;
	nameset_init(&s);
	nameset_add(&s, SPAN("new/a"), 1);
	nameset_begin(&s);
	assert_false(nameset_see(&s, SPAN("cur/a")));
	assert_true(nameset_see(&s, SPAN("new/a")));
	nameset_release(&s);
}

static void
test_all_rows_of_a_base_are_told(void **state)
{
	struct nameset s;
	struct uidset set;
	char buf[64];

	(void)state;
	nameset_init(&s);
	for (unsigned i = 1; i <= NAMES; i++)
		nameset_add(&s, name_of(buf, i, "S"), i);
	nameset_add(&s, SPAN("cur/twice:2,S"), NAMES + 1);
	nameset_add(&s, SPAN("new/twice"), NAMES + 2);
	uidset_init(&set);
	nameset_of_base(&s, SPAN("twice"), &set);
	assert_true(uidset_has(&set, NAMES + 1));
	assert_true(uidset_has(&set, NAMES + 2));
	/* too much may be said, but hardly that much */
	assert_true(uidset_count(&set) < 10);
	uidset_release(&set);
	nameset_release(&s);
}

static void
test_another_reading_begins_afresh(void **state)
{
	struct nameset s;
	struct uidset set;

	(void)state;
	nameset_init(&s);
	nameset_add(&s, SPAN("cur/a:2,"), 1);
	nameset_add(&s, SPAN("cur/b:2,"), 2);
	nameset_begin(&s);
	assert_true(nameset_see(&s, SPAN("cur/a:2,")));
	nameset_begin(&s);
	assert_true(nameset_see(&s, SPAN("cur/b:2,")));
	assert_false(nameset_seen_alike(&s));
	set = unseen(&s);
	assert_true(uidset_has(&set, 1) && !uidset_has(&set, 2));
	nameset_begin(&s);
	assert_true(nameset_see(&s, SPAN("cur/b:2,")));
	assert_true(nameset_seen_alike(&s));
	uidset_release(&set);
	nameset_release(&s);
}

/* One row has the file, and the other is without. */
static void
test_of_two_rows_with_one_name_one_is_seen(void **state)
{
	struct nameset s;
	struct uidset set;

	(void)state;
	nameset_init(&s);
	nameset_add(&s, SPAN("cur/a:2,"), 1);
	nameset_add(&s, SPAN("cur/a:2,"), 2);
	nameset_begin(&s);
	assert_true(nameset_see(&s, SPAN("cur/a:2,")));
	assert_true(nameset_see(&s, SPAN("cur/a:2,")));
	set = unseen(&s);
	assert_int_equal(uidset_count(&set), 1);
	uidset_release(&set);
	nameset_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_empty_set_knows_nothing),
	    cmocka_unit_test(test_many_names_are_found_and_no_others),
	    cmocka_unit_test(test_cur_and_new_are_two_places),
	    cmocka_unit_test(test_all_rows_of_a_base_are_told),
	    cmocka_unit_test(test_another_reading_begins_afresh),
	    cmocka_unit_test(test_of_two_rows_with_one_name_one_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
