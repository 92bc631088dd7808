/*
 * cancel: one flag that ends a run, and an fd that poll() can wait for.
 *
 * cancel_new() opens a pipe; cancel_on_signals() makes SIGINT and SIGTERM
 * raise it (and ignores SIGPIPE, but not SIGCHLD, whatever was inherited).  The
 * signal handler only writes one byte.  Any thread may ask; once raised it stays
 * so.  NULL is one that never is.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include "base/err.h"
#include "base/alloc.h"

#include <stdint.h>

struct cancel;

int cancel_new(struct cancel **c_r, struct err *e); /* scope RUN */
void cancel_free(struct cancel **c);
DEFINE_AUTO(cancel)

/* Of one cancel in a process: the last one called for. */
int cancel_on_signals(struct cancel *c, struct err *e);
void cancel_raise(struct cancel *c);
bool cancel_raised(const struct cancel *c);
int cancel_fd(const struct cancel *c); /* readable once raised */

/* ERR_CANCELED (scope RUN) when raised, else 0. */
int cancel_check(const struct cancel *c, struct err *e);

/*
 * Wait MS milliseconds, or until raised (ERR_CANCELED).  The only sleep of
 * the program.
 */
int cancel_wait(const struct cancel *c, int64_t ms, struct err *e);

#endif
