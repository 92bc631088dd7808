/*
 * hash: SipHash-1-3, 64 bits of octets under a key.
 *
 * With a key that nobody can foresee, nobody who chooses the octets can make
 * two of them collide; by chance N of them do with N * N / 2 to 2^64.  Pure
 * but for hash_seed().
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A random key. */
void hash_seed(uint64_t seed[2]);

uint64_t hash_octets(const uint64_t seed[2], const void *p, size_t n);

#endif
