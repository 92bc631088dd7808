#include "base/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/*
 * Of a worker; the default is often 8 MiB, which is a lot of address space for
 * a hundred of them.  Sanitizers put more on the stack.
 */
#define STACK_BYTES (1024 * 1024)

struct pool {
	struct pool_work *work;
	size_t n;
	atomic_size_t next; /* the job that has not been begun */
};

static void *
be_worker(void *arg)
{
	struct pool *p = arg;
	size_t i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->n)
		p->work->job(p->work, i);
	return NULL;
}

/* Up to WANT threads into V; returns how many there are. */
static size_t
start(struct pool *p, pthread_t *v, size_t want)
{
	pthread_attr_t attr;
	sigset_t ends, old;
	size_t n = 0;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n < want && pthread_create(&v[n], &attr, be_worker, p) == 0)
		n++;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return n;
}

void
pool_run(struct pool_work *w, size_t n, unsigned at_once)
{
	struct pool p = {.work = w, .n = n};
	size_t want = at_once < n ? at_once : n, others = 0;
	pthread_t *v = xcalloc(want + 1, sizeof *v);

	if (want > 1)
		others = start(&p, v, want - 1);
	(void)be_worker(&p);
	for (size_t i = 0; i < others; i++)
		pthread_join(v[i], NULL);
	xfree(v);
}
