#include "maildir/internal.h"

#include "mail/letters.h"

#include <errno.h>

#define FILE_NAME "dovecot-keywords"
#define FILE_MAX_OCTETS 65536

int
maildir_letters_load(struct maildir *m, struct span path, struct kwtab *kw,
    struct kwletters *letters_r, bool *exists_r, struct err *e)
{
	const struct maildir_box *b;
	struct buf text;
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
	if (rc < 0) {
		e->scope = ERR_SCOPE_BOX;
	} else {
		*letters_r = letters_parse(buf_span(&text), kw);
		*exists_r = !missing;
	}
	buf_release(&text);
	return rc;
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
	letters_format(kw, letters, &text);
	rc = maildir_box(m, path, &b, e);
	if (rc == 0)
		rc = save(b->fd, buf_span(&text), e);
	buf_release(&text);
	if (rc < 0)
		e->scope = ERR_SCOPE_BOX;
	return rc;
}
