#include "maildir/internal.h"

#include <errno.h>

#define FILE_NAME "dovecot-keywords"
#define FILE_MAX_OCTETS 65536

/* "12 name" of one line; false: malformed. */
static bool
parse_line(struct span line, struct kwtab *kw, struct kwletters *l)
{
	size_t blank = span_index(line, ' ');
	struct span name;
	uint32_t at, id;

	if (blank == line.n || !span_u32(span_of(line.p, blank), &at) ||
	    at >= 26)
		return false;
	name = span_of(line.p + blank + 1, line.n - blank - 1);
	if (name.n && name.p[name.n - 1] == '\r')
		name.n--;
	id = kwtab_intern(kw, name);
	if (id == 0)
		return false;
	/* One letter for one keyword: the first counts. */
	for (int i = 0; i < 26; i++)
		if (l->id[i] == id)
			return false;
	if (l->id[at] == 0)
		l->id[at] = id;
	return true;
}

int
maildir_letters_load(struct maildir *m, struct span path, struct kwtab *kw,
    struct kwletters *letters_r, bool *exists_r, struct err *e)
{
	const struct maildir_box *b;
	struct kwletters l = {{0}};
	struct buf text;
	struct span rest;
	bool missing;
	int rc;

	buf_init(&text, 4 * FILE_MAX_OCTETS);
	rc = maildir_box(m, path, &b, e);
	if (rc == 0)
		rc = fs_read_file(b->fd, FILE_NAME, FILE_MAX_OCTETS, &text, e);
	/* No mailbox, no letters; that it is missing the scan will say. */
	missing = rc < 0 && e->sys == ENOENT;
	if (missing) {
		err_clear(e);
		rc = 0;
	}
	rest = buf_span(&text);
	while (rc == 0 && rest.n) {
		size_t n = span_index(rest, '\n');

		(void)parse_line(span_of(rest.p, n), kw, &l);
		n += n < rest.n;
		rest = span_of(rest.p + n, rest.n - n);
	}
	buf_release(&text);
	if (rc < 0) {
		e->scope = ERR_SCOPE_BOX;
		return rc;
	}
	*letters_r = l;
	*exists_r = !missing;
	return 0;
}

static void
format(
    const struct kwtab *kw, const struct kwletters *letters, struct buf *text)
{
	for (unsigned i = 0; i < 26; i++) {
		uint32_t id = letters->id[i];
		struct span name =
		    id == KW_PASSED ? SPAN("$Forwarded") : kwtab_name(kw, id);

		if (id && name.n)
			buf_addf(text, "%u %.*s\n", i, SPAN_ARG(name));
	}
}

/* Not over what could not be read: somebody else wrote it. */
static int
save(int box, struct span text, struct err *e)
{
	struct buf old;
	int rc;

	buf_init(&old, 4 * FILE_MAX_OCTETS);
	rc = fs_read_file(box, FILE_NAME, FILE_MAX_OCTETS, &old, e);
	if (rc < 0 && e->sys == ENOENT) {
		err_clear(e);
		rc = 0;
	}
	if (rc == 0 && !span_eq(buf_span(&old), text))
		rc = fs_replace(box, FILE_NAME, 0600, text.p, text.n, e);
	buf_release(&old);
	return rc;
}

int
maildir_letters_save(struct maildir *m, struct span path,
    const struct kwtab *kw, const struct kwletters *letters, struct err *e)
{
	const struct maildir_box *b;
	struct buf text;
	int rc;

	/* 26 names of at most 255 octets: far below the ceiling */
	buf_init(&text, FILE_MAX_OCTETS);
	format(kw, letters, &text);
	rc = maildir_box(m, path, &b, e);
	if (rc == 0)
		rc = save(b->fd, buf_span(&text), e);
	buf_release(&text);
	if (rc < 0)
		e->scope = ERR_SCOPE_BOX;
	return rc;
}
