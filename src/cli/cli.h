/*
 * cli: the commands, and everything that is printed.
 *
 * The only room that writes to stdout and stderr, draws progress, makes JSON
 * and decides the exit status (doc: mochila(1)).
 *
 *	0 done  3 deletes held back  64 usage  65 some failed  66 not found
 *	69 no server  74 no output  75 try again later  77 login refused
 *	78 configuration
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "config/config.h"

/* What main() knows of the world; nothing below reads the environment. */
struct cli_env {
	struct config_env config; /* home: NULL or absolute */
	const char *term;         /* $TERM or NULL */
	const char *journal_stream; /* $JOURNAL_STREAM or NULL */
	const char *version;
};

/* The whole program.  Returns the exit status.  Once per process. */
int cli_main(int argc, char **argv, const struct cli_env *env);

#endif
