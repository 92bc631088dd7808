#include "cli/internal.h"

#define ANY ((size_t)-1)

const struct cli_command_info cli_commands[] = {
    {CLI_CMD_SYNC, "sync", NULL,
	CLI_OPT_DRY_RUN | CLI_OPT_FULL | CLI_OPT_ALLOW_DELETES | CLI_OPT_JSON |
	    CLI_OPT_JOBS,
	0, ANY,
	"sync [ACCOUNT[:MAILBOX]...] [--jobs N] [--dry-run] [--full] "
	"[--allow-deletes] [--json]",
	"make the Maildir and the server equal",
	"Without operands all accounts, begun in the order of the\n"
	"configuration.\n"
	"\n"
	"  --jobs N         so many accounts at once (default 4)\n"
	"  --dry-run        print what would be done, change nothing\n"
	"  --full           look at every message on both sides\n"
	"  --allow-deletes  carry out deletes that were held back\n"
	"  --json           one JSON object a line on standard output\n"},
    {CLI_CMD_STATUS, "status", NULL, CLI_OPT_JSON, 0, ANY,
	"status [ACCOUNT...] [--json]", "show what the journal knows",
	"Mailboxes, messages, unread, last change, size, and how many\n"
	"messages wait. The server is not asked.\n"
	"\n"
	"  --json           one JSON object a line\n"},
    {CLI_CMD_EXPLAIN, "explain", NULL, CLI_OPT_JSON | CLI_OPT_OFFLINE, 1, 1,
	"explain FILE | ACCOUNT:MAILBOX:UID [--offline] [--json]",
	"say what is known of a message, and what sync would do",
	"FILE is a message in the Maildir, also by an older name of it, or a\n"
	"copy of one elsewhere. Nothing is changed.\n"
	"\n"
	"  --offline        do not ask the server: only what the journal knows\n"
	"  --json           one JSON object\n"},
    {CLI_CMD_UNDO, "undo", NULL, 0, 0, 2, "undo [RUN [ACCOUNT]]",
	"put back what a run removed from the Maildir",
	"RUN is what sync said, as in 20261123-084559-1a2b: the name of the\n"
	"directory in STATE_DIR/ACCOUNT/bin where the files lie that it removed.\n"
	"Without ACCOUNT the bins of all accounts are searched. Without RUN, those\n"
	"that can be put back are listed.\n"},
    {CLI_CMD_JOURNAL_DUMP, "journal", "dump", 0, 1, 1, "journal dump ACCOUNT",
	"print the journal as JSON lines",
	"One object for each message that both sides have agreed on.\n"},
    {CLI_CMD_JOURNAL_VERIFY, "journal", "verify", CLI_OPT_REMOTE, 1, 1,
	"journal verify ACCOUNT [--remote]",
	"compare the journal with the Maildir",
	"Reads every message, changes nothing.\n"
	"\n"
	"  --remote         and with the server\n"},
    {CLI_CMD_HELP, "help", NULL, 0, 0, 2, "help [COMMAND]",
	"this help, or that of a command", ""},
};
const size_t cli_ncommands = sizeof(cli_commands) / sizeof(cli_commands[0]);

static const char common[] =
    "  -c, --config FILE  configuration (default:\n"
    "                     ~/.config/mochila/config.yaml)\n"
    "  -q, --quiet        errors only\n"
    "  -v, --verbose      a line for everything done; -vv: more\n"
    "      --trace FILE   the conversation with the server, without secrets\n"
    "  -h, --help         help; behind a command, help for it\n"
    "      --version      version\n";

static void
general(struct buf *out)
{
	buf_add_str(out, "usage: mochila [-c FILE] COMMAND ...\n"
			 "Keeps a Maildir and an IMAP account equal.\n\n");
	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command_info *c = &cli_commands[i];
		int pad = c->second ? 14 - (int)strlen(c->word) : 14;

		buf_addf(out, "  %s %-*s %s\n", c->word,
		    c->second ? pad : pad - (int)strlen(c->word),
		    c->second ? c->second : "", c->summary);
	}
	buf_addf(out, "\n%s\nManual: mochila(1), mochila.yaml(5)\n", common);
}

int
cli_usage_help(
    const char *const *word, size_t n, struct buf *out, struct err *e)
{
	bool found = false;

	if (n == 0) {
		general(out);
		return 0;
	}
	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command_info *c = &cli_commands[i];

		if (strcmp(word[0], c->word) != 0)
			continue;
		/* "help journal" is about all of its commands. */
		if (c->second && n > 1 && strcmp(word[1], c->second) != 0)
			continue;
		buf_addf(out, "%susage: mochila %s\n%s.\n%s%s",
		    found ? "\n" : "", c->synopsis, c->summary,
		    c->details[0] ? "\n" : "", c->details);
		found = true;
	}
	if (!found)
		return err_set(e, ERR_USAGE, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
		    "unknown command '%s%s%s'; see mochila --help", word[0],
		    n > 1 ? " " : "", n > 1 ? word[1] : "");
	return 0;
}
