/*
 * internal: what the files of maildir/ share.
 *
 *	open.c     the root; directories of a mailbox; create
 *	list.c     which mailboxes there are
 *	stamp.c    has anything changed
 *	scan.c     what is there
 *	read.c     content, for comparison and upload
 *	deliver.c  a message that comes down
 *	change.c   flags, durability
 *	bin.c      the bin
 *	unbin.c    and back
 *	clean.c    leftovers in tmp/
 *	letters.c  dovecot-keywords
 */
#ifndef MAILDIR_INTERNAL_H
#define MAILDIR_INTERNAL_H

#include "base/fs.h"
#include "mail/digest.h"
#include "maildir/maildir.h"

#include <sys/stat.h>

/* Names of our files in tmp/ begin so. */
#define MAILDIR_TMP_TAG "mochila-"

/* The directories of one mailbox; -1: not there. */
struct maildir_box {
	int fd, cur, new;
};

struct maildir {
	int root;
	enum layout layout;
	char host[256];
	uint64_t seq;
	struct digest *spare; /* owned; NULL: lent to a delivery, or none yet */
	/* The mailbox used last: nearly always the next one as well. */
	char *path; /* owned; NULL: none */
	struct maildir_box box;
};

/* PATH below DIRFD, each component a directory and no symlink; -1, errno. */
int maildir_openat(int dirfd, struct span path);
/* The same, made where it is missing, durably.  *fd_r: the caller's. */
int maildir_make_at(int dirfd, struct span path, int *fd_r, struct err *e);

/*
 * The directories of mailbox PATH, borrowed until the next call.  ERR_STALE
 * (scope BOX) when there is no such directory.  cur and new may be missing.
 */
int maildir_box(struct maildir *m, struct span path,
    const struct maildir_box **b_r, struct err *e);
/* The same, and both cur/ and new/ are there, else ERR_STALE. */
int maildir_whole_box(struct maildir *m, struct span path,
    const struct maildir_box **b_r, struct err *e);
void maildir_forget_box(struct maildir *m); /* directories change */

/* "cur/x" -> the fd of cur/ and "x"; ERR_STALE when that cannot be. */
int maildir_file(struct maildir *m, struct span path, struct span file,
    int *dir_r, const char **name_r, struct arena *mem, struct err *e);

/*
 * A message moves between the bin and a mailbox under its name, or, where TO
 * has such a name already, under a new base; a copy of it that is there to
 * the byte (of a move that was cut off) takes its place.  *made_r (may be
 * NULL): false for such a copy.  Both directories are fsynced when SYNC.
 */
int maildir_move(struct maildir *m, int from, const char *name, int to,
    bool sync, bool *made_r, struct err *e);

/* A digest for one message; give it back (NULL is fine) for the next. */
struct digest *maildir_take_digest(struct maildir *m);
void maildir_give_digest(struct maildir *m, struct digest **d);

/* A new base name. */
struct span maildir_new_base(struct maildir *m, struct arena *mem);

/* "INBOX" for messages; the root is shown as ".". */
struct span maildir_shown(struct span path);

int64_t maildir_mtime_ns(const struct stat *st);

#endif
