#include "base/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

_Noreturn void
xgiveup(const char *why)
{
	(void)dprintf(STDERR_FILENO, "mochila: %s\n", why);
	_exit(EX_TEMPFAIL);
}

static _Noreturn void
out_of_memory(void)
{
	xgiveup("out of memory");
}

void *
xalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *
xcalloc(size_t k, size_t n)
{
	void *p = calloc(k ? k : 1, n ? n : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *
xrealloc(void *p, size_t k, size_t n)
{
	size_t size;

	if (__builtin_mul_overflow(k, n, &size))
		out_of_memory();
	p = realloc(p, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *
xstrndup(const char *p, size_t n)
{
	char *z;

	if (n == SIZE_MAX)
		out_of_memory();
	z = xalloc(n + 1);
	if (n)
		memcpy(z, p, n);
	z[n] = '\0';
	return z;
}

char *
xstrdup(const char *z)
{
	return xstrndup(z, strlen(z));
}

void
xfree(void *p)
{
	free(p);
}

char *
xasprintf(const char *fmt, ...)
{
	char *z;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&z, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return z;
}

void
xfree_auto(char **p)
{
	free(*p);
	*p = NULL;
}

void
fd_close_auto(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
