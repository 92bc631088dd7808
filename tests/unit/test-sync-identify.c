/* Which octets of a new message are compared with those of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/moves.h"

/* Seeds as those of runs are: any. */
static uint64_t
seed(uint64_t n)
{
	return (n + 1) * 0xd1342543de82ef95u;
}

static void
test_they_are_the_messages(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 5000; size++)
		for (uint64_t n = 0; n < 50; n++) {
			uint64_t at = moves_window_at(size, seed(n));

			assert_true(at == 0 || at + MOVES_WINDOW <= size);
		}
}

/* Also the last one; and none but by chance. */
static void
test_any_octet_may_be_among_them(void **state)
{
	const uint64_t sizes[] = {64, 65, 127, 128, 191, 600, 1000, 1023, 1024};

	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		unsigned seen[1024] = {0};
		const unsigned runs = 40000;

		for (uint64_t n = 0; n < runs; n++) {
			uint64_t at = moves_window_at(sizes[k], seed(n));

			for (uint64_t i = at; i < at + MOVES_WINDOW; i++)
				seen[i]++;
		}
		for (uint64_t i = 0; i < sizes[k]; i++)
			assert_true(seen[i] > 0);
		/* no part of it is looked at by less than half of its share */
		for (uint64_t i = MOVES_WINDOW; i + 2 * MOVES_WINDOW < sizes[k];
		     i++)
			assert_true(seen[i] * sizes[k] * 5 >
			    runs * (uint64_t)MOVES_WINDOW * 2);
	}
}

/* Those of about a size, in its order, share a command or three. */
static void
test_messages_of_about_a_size_share_a_place(void **state)
{
	(void)state;
	for (uint64_t least = 64; least < 100000; least *= 2)
		for (uint64_t n = 0; n < 50; n++) {
			uint64_t last = 0;
			unsigned places = 0;

			for (uint64_t size = least; size < 2 * least; size++) {
				uint64_t at = moves_window_at(size, seed(n));

				places += size == least || at != last;
				last = at;
			}
			assert_in_range(places, 1, 2);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_they_are_the_messages),
	    cmocka_unit_test(test_any_octet_may_be_among_them),
	    cmocka_unit_test(test_messages_of_about_a_size_share_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
