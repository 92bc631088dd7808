/*
 * trust: the authorities that connections believe, read once for all of them.
 *
 * The system's store is some 140 certificates, which take 0.1 seconds and
 * half a megabyte to read.  Any thread.
 */
#ifndef NET_TRUST_H
#define NET_TRUST_H

#include "base/alloc.h"

struct net_trust;

struct net_trust *net_trust_new(void);
void net_trust_free(struct net_trust **t); /* after the last stream */
DEFINE_AUTO(net_trust)

#endif
