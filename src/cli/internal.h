/*
 * internal: what the files of cli/ share.
 *
 *	cli.c       from argv to the command; accounts by name; exit status
 *	args.c      the command line
 *	usage.c     the commands and their help
 *	sync.c      mochila sync
 *	sink.c      events of a sync, as lines or JSON
 *	status.c    mochila status
 *	journal.c   mochila journal dump, journal verify
 *	explain.c   mochila explain
 *	locate.c    its operand: a file, or the address of a message
 *	undo.c      mochila undo
 *	progress.c  the progress line
 *	table.c     columns
 *	text.c      widths, printable text, sizes
 *	json.c      jansson with our types
 */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include "base/arena.h"
#include "base/log.h"
#include "cli/cli.h"
#include "imap/imap.h"
#include "mail/flags.h"

#include <jansson.h>
#include <stdio.h>

/* Exit statuses that are decided here; others: err_exit_status(). */
enum {
	CLI_OK = 0,
	CLI_USAGE = 64,
	CLI_FINDINGS = 65,
	CLI_NO_INPUT = 66,
	CLI_NO_OUTPUT = 74,
	CLI_LATER = 75
};

enum cli_command {
	CLI_CMD_HELP,
	CLI_CMD_VERSION,
	CLI_CMD_SYNC,
	CLI_CMD_STATUS,
	CLI_CMD_JOURNAL_DUMP,
	CLI_CMD_JOURNAL_VERIFY,
	CLI_CMD_EXPLAIN,
	CLI_CMD_UNDO
};

/*
 * Accounts that are synced at once.  A few, because of what others bear: a
 * person's accounts all fit, one server that does not answer leaves three
 * workers to the rest, and a server that holds all of the accounts sees no
 * more connections from one address than one mail reader opens.  The most is
 * what a configuration can hold.
 */
#define CLI_JOBS_DEFAULT 4
#define CLI_JOBS_MAX 256

struct cli_args {
	enum cli_command command;
	const char *config, *trace;  /* NULL: not given */
	bool dry_run, full, allow_deletes, json, remote, offline, quiet;
	unsigned verbose;
	unsigned jobs; /* 1 .. CLI_JOBS_MAX */
	const char *const *arg; /* operands of the command */
	size_t narg;
};

/*
 * ARGV (permuted, borrowed) into *a_r; vector in MEM.  ERR_USAGE with one
 * line.  "--help" behind a command is help for that command.
 */
int cli_args_parse(int argc, char **argv, struct arena *mem,
    struct cli_args *a_r, struct err *e);

/* Options, as bits of cli_command_info.options. */
enum {
	CLI_OPT_DRY_RUN = 1 << 0,
	CLI_OPT_FULL = 1 << 1,
	CLI_OPT_ALLOW_DELETES = 1 << 2,
	CLI_OPT_JSON = 1 << 3,
	CLI_OPT_REMOTE = 1 << 4,
	CLI_OPT_OFFLINE = 1 << 5,
	CLI_OPT_JOBS = 1 << 6
};

/* usage.c */
struct cli_command_info {
	enum cli_command command;
	const char *word, *second; /* "journal" "dump"; second NULL: none */
	unsigned options;
	size_t min, max;           /* operands */
	const char *synopsis;      /* behind "mochila " */
	const char *summary;       /* for the list of commands */
	const char *details;       /* for "help COMMAND" */
};
extern const struct cli_command_info cli_commands[];
extern const size_t cli_ncommands;

/* The text of "mochila help [WORD...]".  ERR_USAGE: no such command. */
int cli_usage_help(const char *const *word, size_t n, struct buf *out,
    struct err *e);

/* One run of the program. */
struct cli {
	const struct cli_env *env;
	struct cli_args args;
	struct arena mem;
	struct config *conf;
	struct cancel *cancel;
	struct log *log;
	struct imap_trace *trace;
	bool tty; /* stderr is a terminal for a person to look at */
	const char *called; /* in advice: with the configuration as given */
};

/* The worse of two exit statuses: 64 78 77 69 75 65 3 0; others: worst. */
int cli_status_worse(int a, int b);

/* One line of E on stderr; the status that goes with it. */
int cli_fail(const struct cli *c, const char *account, const struct err *e);

/* The account called NAME, or ERR_USAGE with what may have been meant. */
int cli_account(const struct cli *c, struct span name,
    const struct config_account **a_r, struct err *e);

/* Width of the terminal at FD, 0 when it is none. */
unsigned cli_width(int fd);

/* Commands: each returns the exit status. */
int cli_sync(struct cli *c);
int cli_status(struct cli *c);
int cli_journal_dump(struct cli *c);
int cli_journal_verify(struct cli *c);
int cli_undo(struct cli *c);
int cli_explain(struct cli *c);

/* locate.c */

/* "ACCOUNT:MAILBOX:UID"; false: it may be a file.  Pure. */
struct cli_address {
	struct span account, mailbox; /* borrowed */
	uint32_t uid;
};
bool cli_address_parse(struct span word, struct cli_address *a_r);
/*
 * What is known of WORD, an address or a file: initialises *X, also on failure.
 * e->sys ENOENT: there is no such file.
 */
struct explain;
int cli_locate(struct cli *c, const char *word, struct explain *x,
    struct err *e);

/* text.c; pure. */

/*
 * Append S as a terminal may see it: control characters and what is no UTF-8
 * become '?'; at most WIDTH columns (0: all), the last of them "…" when
 * something was cut.  Returns the columns used.
 */
size_t cli_text_add(struct buf *out, struct span s, size_t width);
size_t cli_text_width(struct span s);
/* The plural of "message" and the like: "s", or "" for one. */
const char *cli_text_s(uint64_t n);
/* "999 B", "1.2 kB", "34 MB": powers of 1000. */
void cli_text_size(struct buf *out, uint64_t bytes);
/* "0:07", "12:34", "1:02:03"; a day and more: "> 1 day". */
void cli_text_duration(struct buf *out, uint64_t seconds);

/* table.c; pure. */
struct cli_column {
	const char *head;
	bool right;
};
struct cli_table {
	struct arena *mem;
	const struct cli_column *column;
	size_t columns;
	struct span *cell; /* owned; row by row */
	size_t n, cap;
};
void cli_table_init(struct cli_table *t, struct arena *mem,
    const struct cli_column *column, size_t columns);
void cli_table_release(struct cli_table *t);
/* The next cell; copied, printable. */
void cli_table_cell(struct cli_table *t, struct span s);
/*
 * With heads, two blanks between columns, none at the end of a line.  When
 * it is wider than WIDTH (0: any), the first column is cut, down to 8.
 */
void cli_table_print(const struct cli_table *t, size_t width, struct buf *out);

/* progress.c */

/* What one account has to say; zero: nothing yet. */
struct cli_share {
	bool at_work;
	uint64_t done, total, bytes;
};

/* One thread at a time. */
struct cli_progress {
	struct log *log;
	int fd;
	bool on, drawn;
	struct cli_share sum; /* of the accounts that are at work */
	unsigned working;     /* how many these are */
	bool begun;
	char box[64]; /* what it is about */
	int64_t begin_ms, last_ms;
	uint64_t begin_done, begin_bytes, total;
};
/* One line without control sequences; pure. */
void cli_progress_format(struct buf *out, struct span what, uint64_t done,
    uint64_t total, uint64_t here, uint64_t bytes, uint64_t elapsed_ms,
    size_t width);
/* Note numbers at NOW_MS; true when they are due to be shown. */
bool cli_progress_note(struct cli_progress *p, struct span what,
    uint64_t done, uint64_t total, uint64_t bytes, int64_t now_ms);
/* SHARE is NOW from here on; with at_work false its account has ended. */
void cli_progress_share(struct cli_progress *p, struct cli_share *share,
    struct cli_share now);
/* The sum; of one account WHAT, of several how many they are. */
void cli_progress_draw(
    struct cli_progress *p, struct span what, int64_t now_ms);
void cli_progress_erase(struct cli_progress *p);

/* json.c */

/* A string; bytes that are no UTF-8 become U+FFFD. */
json_t *cli_json_span(struct span s);
json_t *cli_json_hex(struct span s);
bool cli_json_exact(struct span s); /* is S valid UTF-8? */
/* Members "flags" and "keywords" of OBJECT. */
void cli_json_flags(json_t *object, const struct kwtab *kw, struct flags f);
void cli_json_add(json_t *object, const char *key, json_t *value); /* steals */
/* One line on F; frees V. */
void cli_json_line(FILE *f, json_t *v);

#endif
