#include "journal/internal.h"

#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>

struct checking {
	struct journal *j;
	struct buf *out;
	uint64_t n;
};

static void __attribute__((format(printf, 2, 3)))
finding(struct checking *c, const char *fmt, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_add_str(c->out, text);
	buf_addc(c->out, '\n');
	c->n++;
}

static void
check_flags(struct checking *c, const struct jbox *b, uint32_t uid,
    struct flags f)
{
	for (uint32_t i = 0; i < f.n; i++)
		if (f.kw[i] > c->j->keywords)
			finding(c, "%.*s: uid %u: unknown keyword number %u",
			    SPAN_ARG(b->name), uid, f.kw[i]);
}

static int
check_box(struct checking *c, const struct jbox *b, struct err *e)
{
	struct arena mem;
	struct pairs p;
	struct map files;
	int rc;

	arena_init(&mem);
	map_init(&files);
	rc = journal_pairs(c->j, b->id, &mem, &p, e);
	if (rc == 0 && p.n != b->rows)
		finding(c, "%.*s: %llu messages are counted, %zu are there",
		    SPAN_ARG(b->name), (unsigned long long)b->rows, p.n);
	for (size_t i = 0; rc == 0 && i < p.n; i++) {
		check_flags(c, b, p.v[i].uid, p.v[i].l);
		check_flags(c, b, p.v[i].uid, p.v[i].r);
		if (p.v[i].file.n && !map_add(&files, p.v[i].file, i))
			finding(c, "%.*s: uid %u: '%.*s' belongs to two UIDs",
			    SPAN_ARG(b->name), p.v[i].uid,
			    SPAN_ARG(p.v[i].file));
	}
	map_release(&files);
	arena_release(&mem);
	/* Damage is what is looked for here, so it ends nothing. */
	if (rc == ERR_JOURNAL) {
		finding(c, "%.*s: %s", SPAN_ARG(b->name), e->text);
		err_clear(e);
		rc = 0;
	}
	return rc;
}

int
journal_check(struct journal *j, struct buf *out, uint64_t *n_r,
    struct err *e)
{
	struct checking c = {.j = j, .out = out};
	struct arena mem;
	struct map paths;
	struct jbox *v;
	size_t n;
	int rc;

	arena_init(&mem);
	map_init(&paths);
	rc = journal_boxes(j, &mem, &v, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!map_add(&paths, v[i].path, i))
			finding(&c, "%.*s: two mailboxes share a directory",
			    SPAN_ARG(v[i].name));
		rc = check_box(&c, &v[i], e);
	}
	map_release(&paths);
	arena_release(&mem);
	if (rc == 0)
		*n_r = c.n;
	return rc;
}
