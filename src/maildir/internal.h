/*
 * internal: what the files of maildir/ share.
 *
 *	open.c     the root; directories of a mailbox; create
 *	list.c     which mailboxes there are
 *	stamp.c    has anything changed
 *	scan.c     what is there
 *	watch.c    was it changed by us alone
 *	read.c     content, for comparison and upload
 *	deliver.c  a message that comes down
 *	change.c   flags; durability, also of what others did
 *	disks.c    whole file systems made durable
 *	move.c     to another mailbox
 *	copy.c     into another mailbox
 *	rename.c   a mailbox
 *	bin.c      the bin
 *	unbin.c    and back
 *	clean.c    leftovers in tmp/
 *	letters.c  dovecot-keywords
 */
#ifndef MAILDIR_INTERNAL_H
#define MAILDIR_INTERNAL_H

#include "base/cancel.h"
#include "base/fs.h"
#include "base/map.h"
#include "mail/digest.h"
#include "maildir/maildir.h"

#include <sys/stat.h>

/* Names of our files in tmp/ begin so. */
#define MAILDIR_TMP_TAG "mochila-"

/* In tmp/, cur/ of a mailbox that is being made. */
#define MAILDIR_CUR_TO_BE "mochila-cur"

/* The directories of one mailbox; -1: not there. */
struct maildir_box {
	int fd, cur, new;
};

struct maildir {
	int root;
	const struct cancel *cancel; /* borrowed; NULL: none */
	enum layout layout;
	char host[256];
	uint64_t seq;
	bool seen_temp;	      /* by the last scan, in cur/ or new/; clean.c */
	struct digest *spare; /* owned; NULL: lent to a delivery, or none yet */
	struct maildir_tmp *tmp; /* of the delivery begun last; NULL: none */
	/*
	 * The mailboxes used last: nearly always the next ones as well.  Two,
	 * for a message that goes from one to another.
	 */
	struct maildir_slot {
		char *path; /* owned; NULL: none */
		struct maildir_box box;
	} slot[2];
	unsigned last; /* the slot used last */
	/* Base names of mailboxes that messages were moved to; see move.c. */
	struct nameset taken;
	struct maildir_watch *watch; /* owned; NULL: none yet */
};

/* PATH below DIRFD, each component a directory and no symlink; -1, errno. */
int maildir_openat(int dirfd, struct span path);
/* The same, made where it is missing, durably.  *fd_r: the caller's. */
int maildir_make_at(int dirfd, struct span path, int *fd_r, struct err *e);

/*
 * What X of the directory is: S_IFREG, S_IFDIR and so on.  0 when it is gone by
 * now; -1, errno, when it cannot be told, which is no sign of absence.
 */
struct dirent;
int maildir_type(int dirfd, const struct dirent *x);

/*
 * The directories of mailbox PATH, borrowed until a third mailbox is asked
 * for.  ERR_STALE (scope BOX) when there is no such directory.  cur and new
 * may be missing.
 */
int maildir_box(struct maildir *m, struct span path,
    const struct maildir_box **b_r, struct err *e);
/* The same, and both cur/ and new/ are there, else ERR_STALE. */
int maildir_whole_box(struct maildir *m, struct span path,
    const struct maildir_box **b_r, struct err *e);
void maildir_forget_box(struct maildir *m); /* directories change */

/*
 * We have just taken the file WENT from the mailbox FROM, and put CAME into TO
 * (each may be "").  To be called after each change of cur/ or new/, before
 * the next one.
 */
void maildir_note(struct maildir *m, struct span from, struct span went,
    struct span to, struct span came);
void maildir_watch_free(struct maildir_watch **w);

/* "cur/x" -> the fd of cur/ and "x"; ERR_STALE when that cannot be. */
int maildir_file(struct maildir *m, struct span path, struct span file,
    int *dir_r, const char **name_r, struct arena *mem, struct err *e);

/*
 * The message NAME moves between the bin and a mailbox, and is called AS; or,
 * where TO has such a name already, it gets a new base; a copy of it that is
 * there to the byte (of a move that was cut off) takes its place.  *made_r (may
 * be NULL): false for such a copy.  The caller fsyncs both directories.
 */
int maildir_move(struct maildir *m, int from, const char *name, int to,
    const char *as, bool *made_r, struct err *e);

/*
 * What the letters in names of the bin mean, in its directory of a mailbox:
 * beside dovecot-keywords, which comes there when all of the mailbox goes.
 */
#define MAILDIR_BIN_LETTERS "mochila-keywords"

/* A digest for one message; give it back (NULL is fine) for the next. */
struct digest *maildir_take_digest(struct maildir *m);
void maildir_give_digest(struct maildir *m, struct digest **d);

/*
 * Where a message NAME of mailbox B belongs that is to show F: the file
 * "cur/x" or "new/x" (only when it was IN_NEW and shows nothing), in MEM, and
 * the fd of that directory.
 */
struct span maildir_place(struct arena *mem, const struct maildir_box *b,
    struct span name, struct flags f, const struct kwletters *letters,
    bool in_new, struct flags *shown_r, int *dir_r);

/* A new base name. */
struct span maildir_new_base(struct maildir *m, struct arena *mem);

/* tmp/ of the mailbox, made when it is missing: it holds nothing. */
int maildir_open_tmp(struct maildir *m, struct span path, int *fd_r,
    struct err *e);
/*
 * A new file for BASE in the directory tmp/; its *name_r is in MEM.  Errors
 * have the scope BOX, also those of writing it, but for a full disk.
 */
int maildir_create_tmp(int tmp, struct arena *mem, struct span base,
    const char **name_r, int *fd_r, struct err *e);
int maildir_write_error(struct span path, struct err *e);

/* maildir_disks_add() of directory DIR of mailbox PATH */
int maildir_disks_add_dir(
    struct maildir_disks *d, int dir, struct span path, struct err *e);

/* The file "cur/x" or "new/x" as a message that shows F, with its ST. */
struct lmsg maildir_lmsg(
    struct span file, struct flags f, const struct stat *st);

/* PATH's parent directory, and the last component of it. */
struct span maildir_parent(struct span path, struct span *leaf_r);

/* "INBOX" for messages; the root is shown as ".". */
struct span maildir_shown(struct span path);

int64_t maildir_mtime_ns(const struct stat *st);

#endif
