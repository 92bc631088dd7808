/*
 * The only place that reads the environment.
 */
#include <config.h>

#include "cli/cli.h"
#include "journal/journal.h"

#include <locale.h>
#include <stdlib.h>

/* A path of the environment counts when it is absolute (XDG says so). */
static const char *
absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

int
main(int argc, char **argv)
{
	const struct cli_env env = {
	    .config = {.home = absolute("HOME"),
		.xdg_config = absolute("XDG_CONFIG_HOME"),
		.xdg_state = absolute("XDG_STATE_HOME")},
	    .term = getenv("TERM"),
	    .version = PACKAGE_VERSION,
	};

	if (journal_is_look(argc, argv))
		journal_look_main(argc, argv);
	(void)setlocale(LC_CTYPE, "");
	return cli_main(argc, argv, &env);
}
