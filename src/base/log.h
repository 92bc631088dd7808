/*
 * log: one line, one fact, to stderr.
 *
 * Lower rooms (base .. imap) return errors and log at most at debug level;
 * sync/ and cli/ log above it.  A NULL log drops everything.  Thread-safe:
 * a line is written with one write(2).  Foreign bytes (server, disk) that are
 * not printable are shown as '?'.  No secrets.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/alloc.h"

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log;

/*
 * Lines up to and including LEVEL are written to FD (borrowed).  Warnings
 * and errors begin with "mochila: ".  SD_PREFIX: all begin with their priority
 * ("<3>" and so on), as sd-daemon(3) has it for the systemd journal.
 */
struct log *log_new(int fd, enum log_level level, bool sd_prefix);
void log_free(struct log **l);
DEFINE_AUTO(log)

void log_write(struct log *l, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(l, ...) log_write((l), LOG_ERROR, __VA_ARGS__)
#define log_warn(l, ...) log_write((l), LOG_WARN, __VA_ARGS__)
#define log_info(l, ...) log_write((l), LOG_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_write((l), LOG_DEBUG, __VA_ARGS__)
bool log_enabled(const struct log *l, enum log_level level);

/*
 * A progress line on a terminal is drawn by cli/; it registers itself here
 * so that log lines do not tear it: ERASE (e.g. "\r\033[K") is written
 * before each line while set; NULL: nothing.  Borrowed.
 */
void log_set_erase(struct log *l, const char *erase);

#endif
