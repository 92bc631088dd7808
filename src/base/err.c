#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* One printable line; UTF-8 passes, a character cut at the end does not. */
static void
tidy(char *text, size_t cap)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	if (n + 1 < cap)
		return;
	while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 0 && (unsigned char)text[n - 1] >= 0xc0)
		n--;
	text[n] = '\0';
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
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	tidy(e->text, sizeof e->text);
	return code;
}

int
err_sys(struct err *e, enum err_scope scope, int sys, const char *fmt, ...)
{
	char what[sizeof e->text], why[128];
	bool full = sys == ENOSPC || sys == EDQUOT || sys == EMFILE ||
	    sys == ENFILE;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
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

	va_start(ap, fmt);
	vsnprintf(context, sizeof context, fmt, ap);
	va_end(ap);
	snprintf(all, sizeof all, "%s: %s", context, e->text);
	all[sizeof e->text - 1] = '\0';
	memcpy(e->text, all, sizeof e->text);
	tidy(e->text, sizeof e->text);
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
