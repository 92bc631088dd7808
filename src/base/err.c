#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* Room that err_sys() keeps for the reason, which matters most. */
#define REASON_MAX 100

/* How many bytes a UTF-8 character takes that begins with BYTE. */
static size_t
utf8_len(unsigned char byte)
{
	return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

static void
drop_broken_end(char *z, size_t n)
{
	size_t at = n;

	while (at > 0 && n - at < 3 &&
	    ((unsigned char)z[at - 1] & 0xc0) == 0x80)
		at--;
	if (at > 0 && utf8_len((unsigned char)z[at - 1]) > n - at + 1)
		z[at - 1] = '\0';
}

void
err_make_printable(char *z, bool cut)
{
	unsigned char *p = (unsigned char *)z;

	if (cut)
		drop_broken_end(z, strlen(z));
	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

/* printf into OUT, of CAP bytes, printable. */
static void
format(char *out, size_t cap, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, cap, fmt, ap);

	if (n < 0)
		out[0] = '\0';
	err_make_printable(out, n >= 0 && (size_t)n >= cap);
}

int
err_set(struct err *e, enum err_code code, enum err_scope scope,
    enum err_retry retry, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof *e);
	e->code = code;
	e->scope = scope;
	e->retry = retry;
	va_start(ap, fmt);
	format(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return code;
}

int
err_sys(struct err *e, enum err_scope scope, int sys, const char *fmt, ...)
{
	char what[sizeof e->text - REASON_MAX], why[REASON_MAX];
	bool full = sys == ENOSPC || sys == EDQUOT || sys == EMFILE ||
	    sys == ENFILE;
	va_list ap;

	va_start(ap, fmt);
	format(what, sizeof what, fmt, ap);
	va_end(ap);
	err_set(e, full ? ERR_FULL : ERR_IO, scope, ERR_RETRY_LATER, "%s: %s",
	    what, strerror_r(sys, why, sizeof why));
	e->sys = sys;
	return e->code;
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char context[sizeof e->text], all[2 * sizeof e->text + 3];
	va_list ap;
	int n;

	va_start(ap, fmt);
	format(context, sizeof context, fmt, ap);
	va_end(ap);
	n = snprintf(all, sizeof all, "%s: %s", context, e->text);
	all[sizeof e->text - 1] = '\0';
	memcpy(e->text, all, sizeof e->text);
	err_make_printable(e->text, n >= (int)sizeof e->text);
	return e->code;
}

void
err_clear(struct err *e)
{
	memset(e, 0, sizeof *e);
}

int
err_exit_status(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return EX_OK;
	case ERR_USAGE:
		return EX_USAGE;
	case ERR_AUTH:
		return EX_NOPERM;
	case ERR_CONFIG:
	case ERR_JOURNAL:
		return EX_CONFIG;
	case ERR_LOCKED:
	case ERR_CANCELED:
	case ERR_BUSY:
		return EX_TEMPFAIL;
	default:
		break;
	}
	if (e->scope <= ERR_SCOPE_BOX)
		return EX_DATAERR;
	if (e->code == ERR_IO || e->code == ERR_FULL || e->code == ERR_STALE ||
	    e->code == ERR_TOOBIG)
		return EX_TEMPFAIL;
	/* The server is there, and says: not now (RFC 5530). */
	if (e->code == ERR_NO && e->retry == ERR_RETRY_LATER)
		return EX_TEMPFAIL;
	return e->code == ERR_BUG ? EX_SOFTWARE : EX_UNAVAILABLE;
}
