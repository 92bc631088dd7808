#include "maildir/internal.h"

#include "mail/letters.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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

/*
 * Not over what could not be read: somebody else wrote it.  Dovecot gives
 * letters a meaning, too, and while it runs it may have shown them in names.
 * It keeps its table by the second of the file's time.  (Its lock, that of
 * dovecot-uidlist, is not taken: left behind by a crash, it would stop Dovecot
 * for two minutes.)
 */
static int
save(int box, struct kwtab *kw, const struct kwletters *letters, struct err *e)
{
	struct kwletters there, all;
	struct buf old, text;
	struct stat was;
	int rc;

	buf_init(&old, 4 * FILE_MAX_OCTETS);
	/* 26 names of at most 255 octets: far below the ceiling */
	buf_init(&text, FILE_MAX_OCTETS);
	/* first, so that what is read is this or younger */
	if (fstatat(box, FILE_NAME, &was, AT_SYMLINK_NOFOLLOW) != 0)
		memset(&was, 0, sizeof was);
	rc = fs_read_file(box, FILE_NAME, FILE_MAX_OCTETS, &old, e);
	if (rc < 0 && e->sys == ENOENT) {
		err_clear(e);
		rc = 0;
	}
	there = letters_parse(buf_span(&old), kw);
	if (rc == 0 && !letters_unite(&there, letters, &all))
		rc = err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "letters mean something else now in '%s'", FILE_NAME);
	if (rc == 0) {
		letters_format(kw, &all, &text);
		if (!span_eq(buf_span(&old), buf_span(&text)))
			rc = fs_replace_seen(box, FILE_NAME, 0600, &was,
			    text.p, text.n, e);
	}
	buf_release(&old);
	buf_release(&text);
	return rc;
}

int
maildir_letters_save(struct maildir *m, struct span path, struct kwtab *kw,
    const struct kwletters *letters, struct err *e)
{
	const struct maildir_box *b;
	int rc = maildir_box(m, path, &b, e);

	if (rc == 0)
		rc = save(b->fd, kw, letters, e);
	if (rc < 0 && rc != ERR_STALE)
		e->scope = ERR_SCOPE_BOX;
	return rc;
}
