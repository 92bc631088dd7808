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

static uint64_t rnd_state; /* the seed, at first */

/* 0 to BELOW - 1; splitmix64. */
static inline uint32_t
rnd(uint32_t below)
{
	uint64_t z = (rnd_state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) % below);
}

#endif
