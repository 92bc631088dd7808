/*
 * committer: file systems become durable while the network goes on.
 *
 *  1. The thread calls syncfs() on descriptors that are its own for the while,
 *     and touches nothing else.  There is one job at a time.
 *  2. Who needs what the job was for waits for it: a rename for the file's
 *     octets, a row for the file's name.
 *  3. Waiting has no deadline: a disk cannot be told to give up, and until it
 *     answers nothing is known.
 */
#include "sync/internal.h"

#include <pthread.h>
#include <signal.h>

struct committer {
	pthread_t thread;
	bool running; /* the thread is to be joined */
	struct maildir_disks disks;
	int rc; /* with .err, of the job, once it is joined */
	struct err err;
};

struct committer *
committer_new(void)
{
	return xcalloc(1, sizeof(struct committer));
}

static void *
committer_main(void *arg)
{
	struct committer *c = arg;

	c->rc = maildir_disks_sync(&c->disks, &c->err);
	return NULL;
}

void
committer_start(struct committer *c, const struct maildir_disks *disks)
{
	sigset_t all, old;

	c->disks = *disks;
	c->rc = 0;
	err_clear(&c->err);
	/* signals are main()'s */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	c->running = pthread_create(&c->thread, NULL, committer_main, c) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!c->running)
		(void)committer_main(c);
}

int
committer_wait(struct committer *c, struct err *e)
{
	int rc;

	if (c->running)
		pthread_join(c->thread, NULL);
	c->running = false;
	maildir_disks_release(&c->disks);
	rc = c->rc;
	c->rc = 0;
	if (rc != 0)
		*e = c->err;
	return rc;
}

void
committer_free(struct committer **c)
{
	struct err e;

	if (!*c)
		return;
	(void)committer_wait(*c, &e);
	xfree(*c);
	*c = NULL;
}
