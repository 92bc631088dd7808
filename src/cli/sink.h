/*
 * sink: where the events of a sync go.
 *
 *	cli_sink_init; in the thread of each account: cli_feed_init, events,
 *	cli_feed_end; cli_sink_release
 *
 * A feed belongs to the thread of its account; the sink is shared and locked,
 * so that a line, or an object, is never torn by another account.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "cli/internal.h"
#include "sync/sync.h"

#include <pthread.h>

struct cli_sink {
	struct cli *c;
	size_t accounts;      /* in this run */
	pthread_mutex_t lock; /* guards standard output, and: */
	struct cli_progress progress;
};

struct cli_feed {
	struct sync_sink sink; /* first: what sync/ sees */
	struct cli_sink *to;
	bool planned;		/* a dry run said something */
	struct cli_share share; /* guarded by the lock */
};

void cli_sink_init(struct cli_sink *s, struct cli *c, size_t accounts);
void cli_sink_release(struct cli_sink *s);
/* An account without a feed: its summary, for programs; any thread. */
void cli_sink_not_begun(struct cli_sink *s, const struct sync_report *r);

void cli_feed_init(struct cli_feed *f, struct cli_sink *to);
/* The end of the account: its error, if any, and what was done. */
void cli_feed_end(struct cli_feed *f, const struct sync_report *r);

#endif
