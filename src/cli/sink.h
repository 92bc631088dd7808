/*
 * sink: where the events of a sync go.  One thread.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "cli/internal.h"
#include "sync/sync.h"

struct cli_sink {
	struct sync_sink sink; /* first: what sync/ sees */
	struct cli *c;
	size_t accounts;       /* in this run */
	bool planned;          /* a dry run said something of this account */
	struct cli_progress progress;
};

void cli_sink_init(struct cli_sink *s, struct cli *c, size_t accounts);

/* The end of one account: its error, if any, and what was done. */
void cli_sink_summary(struct cli_sink *s, const struct sync_report *r);

#endif
