#include "base/log.h"

#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define ERASE_MAX 32

struct log {
	int fd;
	enum log_level level;
	bool sd_prefix;
	pthread_mutex_t lock; /* guards erase and the order of lines */
	const char *erase;
};

struct log *
log_new(int fd, enum log_level level, bool sd_prefix)
{
	struct log *l = xcalloc(1, sizeof *l);

	l->fd = fd;
	l->level = level;
	l->sd_prefix = sd_prefix;
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void
log_free(struct log **l)
{
	if (!*l)
		return;
	pthread_mutex_destroy(&(*l)->lock);
	xfree(*l);
	*l = NULL;
}

bool
log_enabled(const struct log *l, enum log_level level)
{
	return l && level <= l->level;
}

void
log_set_erase(struct log *l, const char *erase)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->erase = erase;
	pthread_mutex_unlock(&l->lock);
}

static void
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return; /* nowhere to complain to */
		p += k;
		n -= (size_t)k;
	}
}

void
log_write(struct log *l, enum log_level level, const char *fmt, ...)
{
	static const char *const sd[] = {"<3>", "<4>", "<6>", "<7>"};
	char line[LINE_MAX_BYTES], all[LINE_MAX_BYTES + 64];
	va_list ap;
	int n;

	if (!log_enabled(l, level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	err_make_printable(line, (size_t)n >= sizeof line);
	pthread_mutex_lock(&l->lock);
	n = snprintf(all, sizeof all, "%.*s%s%s%s\n", ERASE_MAX,
	    l->erase ? l->erase : "", l->sd_prefix ? sd[level] : "",
	    level <= LOG_WARN ? "mochila: " : "", line);
	if (n > 0)
		write_all(l->fd, all, (size_t)n);
	pthread_mutex_unlock(&l->lock);
}
