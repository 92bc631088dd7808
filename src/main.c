/*
 * The only place that reads the environment, and that sees to the descriptors
 * that the program was started with.
 */
#include <config.h>

#include "cli/cli.h"
#include "journal/journal.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* A path of the environment counts when it is absolute (XDG says so). */
static const char *
absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

/*
 * Started without some of its standard streams (cmd >&-), the program would
 * open a file of the journal under such a number, and print into it.  What is
 * in their place cannot be written to, so that lost output is noticed.  It is
 * for the commands that we start, too: not O_CLOEXEC.
 */
static bool
have_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	const struct cli_env env = {
	    .config = {.home = absolute("HOME"),
		.xdg_config = absolute("XDG_CONFIG_HOME"),
		.xdg_state = absolute("XDG_STATE_HOME")},
	    .term = getenv("TERM"),
	    .journal_stream = getenv("JOURNAL_STREAM"),
	    .version = PACKAGE_VERSION,
	};

	if (!have_streams())
		return EX_IOERR;
	if (journal_is_look(argc, argv))
		journal_look_main(argc, argv);
	(void)setlocale(LC_CTYPE, "");
	return cli_main(argc, argv, &env);
}
