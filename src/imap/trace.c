#include "imap/internal.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Of one response, or command. */
#define LINE_MAX_OCTETS 4096

struct imap_trace {
	int fd;
	pthread_mutex_t lock;
	unsigned sessions; /* guarded by lock */
	int64_t begin_ms;
};

int
imap_trace_open(const char *path, struct imap_trace **t_r, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
	    0600);

	if (fd < 0)
		return err_sys(e, ERR_SCOPE_RUN, errno,
		    "cannot write the trace to '%s'", path);
	struct imap_trace *t = xcalloc(1, sizeof *t);
	t->fd = fd;
	t->begin_ms = clock_mono_ms();
	pthread_mutex_init(&t->lock, NULL);
	*t_r = t;
	return 0;
}

void
imap_trace_free(struct imap_trace **t)
{
	if (!*t)
		return;
	close((*t)->fd);
	pthread_mutex_destroy(&(*t)->lock);
	xfree(*t);
	*t = NULL;
}

unsigned
imap_trace_session(struct imap_trace *t)
{
	unsigned n;

	if (!t)
		return 0;
	pthread_mutex_lock(&t->lock);
	n = ++t->sessions;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* Printable, on one line: CR LF within it is shown as "\r\n". */
static void
add_shown(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r')
			buf_add_str(out, "\\r");
		else if (c == '\n')
			buf_add_str(out, "\\n");
		else if (c < ' ' || c == 0x7f)
			buf_addf(out, "\\x%02x", c);
		else
			buf_addc(out, (char)c);
	}
}

static void
write_line(struct imap *s, char dir, struct span shown, bool cut)
{
	struct imap_trace *t = s->conf->trace;
	int64_t ms = clock_mono_ms() - t->begin_ms;
	struct buf line;
	struct err e;

	buf_init(&line, 8 * LINE_MAX_OCTETS);
	buf_addf(&line, "%4lld.%03d %u %c ", (long long)(ms / 1000),
	    (int)(ms % 1000), s->session, dir);
	buf_add_span(&line, shown);
	buf_add_str(&line, cut ? " ...\n" : "\n");
	pthread_mutex_lock(&t->lock);
	/* A trace that cannot be written does not stop the mail. */
	(void)fs_write_all(t->fd, line.p, line.n, &e);
	pthread_mutex_unlock(&t->lock);
	buf_release(&line);
}

static struct span
without_eol(struct span s)
{
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

void
imap_trace_out(struct imap *s, const struct wire_cmd *c)
{
	struct span all = without_eol(buf_span(&c->b));
	struct buf shown;
	size_t at = 0;
	bool cut = all.n > LINE_MAX_OCTETS;

	if (!s->conf->trace)
		return;
	if (cut)
		all.n = LINE_MAX_OCTETS;
	buf_init(&shown, 5 * LINE_MAX_OCTETS);
	for (unsigned i = 0; i < c->nsecret; i++) {
		size_t from = c->secret[i].from, to = c->secret[i].to;

		if (from > all.n)
			break;
		add_shown(&shown, span_of(all.p + at, from - at));
		buf_add_str(&shown, "***");
		at = to < all.n ? to : all.n;
	}
	add_shown(&shown, span_of(all.p + at, all.n - at));
	write_line(s, '>', buf_span(&shown), cut);
	buf_release(&shown);
}

void
imap_trace_note(struct imap *s, char dir, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (!s->conf->trace)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	write_line(s, dir, span_str(text), false);
}

/* How long the secret is that S starts with; 0: none. */
static size_t
secret_at(struct span s, const struct buf *secrets)
{
	size_t found = 0;

	for (size_t at = 0, n; at < secrets->n; at += n + 1) {
		n = strlen(secrets->p + at);
		if (n > found && span_starts(s, span_of(secrets->p + at, n)))
			found = n;
	}
	return found;
}

void
imap_mask(struct span s, const struct buf *secrets, struct buf *out)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = secret_at(span_of(s.p + i, s.n - i), secrets);

		if (n == 0)
			buf_addc(out, s.p[i++]);
		else
			buf_add_str(out, "***");
		i += n;
	}
}

void
imap_trace_in(struct imap *s, const char *p, size_t n)
{
	size_t room = LINE_MAX_OCTETS + 1 - s->in_line.n;

	if (s->conf->trace)
		buf_add(&s->in_line, p, n < room ? n : room);
}

void
imap_trace_in_end(struct imap *s)
{
	bool cut = s->in_line.n > LINE_MAX_OCTETS;
	struct span all;
	struct buf masked, shown;

	if (!s->conf->trace)
		return;
	buf_init(&masked, 3 * s->in_line.n);
	imap_mask(buf_span(&s->in_line), &s->secrets, &masked);
	all = without_eol(buf_span(&masked));
	if (cut && all.n > LINE_MAX_OCTETS)
		all.n = LINE_MAX_OCTETS;
	buf_init(&shown, 4 * all.n);
	add_shown(&shown, all);
	write_line(s, '<', buf_span(&shown), cut);
	buf_release(&shown);
	buf_release(&masked);
	buf_clear(&s->in_line);
}
