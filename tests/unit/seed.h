/*
 * seed: of a test that makes things up.  MOCHILA_SEED repeats a run, whose
 * output says how.
 */
#ifndef TESTS_SEED_H
#define TESTS_SEED_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/span.h"

static inline uint64_t
number_of_environment(const char *name, uint64_t otherwise)
{
	const char *z = getenv(name);
	uint64_t n;

	return z && span_u64(span_str(z), &n) ? n : otherwise;
}

/* Printed as the command that runs the same again. */
static inline uint64_t
seed_of_this_run(void)
{
	uint64_t seed =
	    number_of_environment("MOCHILA_SEED", (uint64_t)time(NULL));

	printf("MOCHILA_SEED=%llu %s\n", (unsigned long long)seed,
	    program_invocation_name);
	return seed;
}

#endif
