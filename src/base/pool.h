/*
 * pool: numbered jobs, several of them at once.
 *
 * Jobs are begun in the order of their numbers, by whichever worker is free:
 * one that takes long holds up its worker and nobody else.  A job's data
 * belong to its thread until pool_run() returns; what jobs share they lock.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

/* What is to be done, with the data of the caller behind it. */
struct pool_work {
	void (*job)(struct pool_work *w, size_t i); /* 0 <= i < n */
};

/*
 * Do jobs 0 .. N-1, at most AT_ONCE (1 or more) at a time; returns when all
 * are done.  The calling thread is one of the workers: with AT_ONCE 1, or when
 * the system has no more threads, it does all of them.  SIGINT and SIGTERM are
 * left to it.
 */
void pool_run(struct pool_work *w, size_t n, unsigned at_once);

#endif
