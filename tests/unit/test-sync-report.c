/* What is told at the end of a run that could not do all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "sync/internal.h"

#include <stdio.h>
#include <string.h>

#define UNSAID "not all of it could be done; the next run takes it up"

/* A run of two mailboxes, of which all that is told is kept. */
struct scene {
	struct sync_sink sink;
	char told[256];
	struct config_account conf;
	struct sync_options o;
	struct sync_report rep;
	struct run r;
	struct sbox box[2];
};

static void
keep(struct sync_sink *sink, const struct sync_event *ev)
{
	struct scene *s = (struct scene *)sink;

	assert_int_equal(SYNC_EVENT_LEFT, ev->kind);
	snprintf(s->told + strlen(s->told), sizeof s->told - strlen(s->told),
	    "%.*s: %s\n", SPAN_ARG(ev->mailbox), ev->text);
}

static void
begin(struct scene *s)
{
	*s = (struct scene){.sink = {keep}, .conf = {.name = "home"}};
	s->o.sink = &s->sink;
	s->r = (struct run){
	    .a = &s->conf, .o = &s->o, .rep = &s->rep, .box = s->box};
	s->r.nbox = 2;
	s->box[0].j.name = SPAN("a");
	s->box[1].j.name = SPAN("b");
}

/* What is told of S, and of how many mailboxes. */
static void
expect(struct scene *s, uint64_t n, const char *told)
{
	s->rep.left = 0;
	s->told[0] = '\0';
	report_undone(&s->r);
	assert_string_equal(told, s->told);
	assert_int_equal(n, s->rep.left);
}

static void
test_what_was_done_is_not_told(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.box[0].left = "an earlier pass put it off";
	expect(&s, 0, "");
	s.box[0].undone = s.box[0].gone = true;
	s.box[1].undone = s.box[1].failed = true;
	expect(&s, 0, "");
}

static void
test_each_mailbox_is_told_with_its_reason(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.box[0].undone = s.box[1].undone = true;
	s.box[0].left = "one is in the way";
	expect(&s, 2,
	    "a: one is in the way; the next run takes it up\nb: " UNSAID "\n");
}

static void
test_what_else_was_told_may_be_the_reason(void **state)
{
	const struct sync_report told[] = {{.failed = 1}, {.waiting = 1},
	    {.held = 1}, {.unsettled = true}};
	struct scene s;

	(void)state;
	begin(&s);
	s.box[0].undone = true;
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		s.rep = told[i];
		expect(&s, 0, "");
	}
	s.rep = (struct sync_report){.pulled = 1};
	expect(&s, 1, "a: " UNSAID "\n");
	s.box[1].failed = s.box[1].left_out = true;
	expect(&s, 0, "");
	s.rep.failed = 1;
	s.box[0].left = "one is in the way";
	expect(&s, 1, "a: one is in the way; the next run takes it up\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_done_is_not_told),
	    cmocka_unit_test(test_each_mailbox_is_told_with_its_reason),
	    cmocka_unit_test(test_what_else_was_told_may_be_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
