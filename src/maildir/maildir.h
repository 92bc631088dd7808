/*
 * maildir: the local side.  One root directory per account.
 *
 *	maildir_open -> maildir_list -> per mailbox: maildir_stamp,
 *	maildir_scan -> maildir_deliver_*, maildir_set_flags, maildir_bin ->
 *	maildir_sync -> maildir_stamp
 *
 * Invariants of the room:
 *  1. A file appears in new/ or cur/ only complete: written in tmp/, fsynced,
 *     then renamed; the directory is fsynced before the journal may know it.
 *  2. No file that is not ours is ever removed or overwritten; a message
 *     leaves cur/ and new/ only by rename: into the bin, or into cur/ or new/
 *     of another mailbox; and a mailbox its place by rename of its directory.
 *     (Between file systems "rename" is copy, fsync, and then unlink.)
 *  3. All paths are opened below the root's fd, component by component,
 *     without following symlinks.
 *  4. Precondition by name: an operation on a file that is not there any
 *     more is ERR_STALE, never a guess.
 *
 * Fallible functions return 0 or a negative enum err_code.  One thread per
 * struct maildir.  Modes: directories 0700, files 0600.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include "base/err.h"
#include "mail/layout.h"
#include "mail/name.h"
#include "mail/nameset.h"
#include "plan/view.h"

#include <sys/types.h>

struct maildir;

/*
 * ERR_IO with sys ENOENT when ROOT does not exist: the caller decides
 * whether to make it (maildir_create_root).
 */
int maildir_open(struct maildir **m_r, const char *root, enum layout layout,
    struct err *e);
int maildir_create_root(const char *root, struct err *e); /* mkdir -p */
void maildir_free(struct maildir **m);
DEFINE_AUTO(maildir)
/*
 * From now on what may take long (a listing, a scan, whole mailboxes into the
 * bin, all that comes out of it) ends with ERR_CANCELED once C, which is
 * borrowed, is raised; between two messages, as a kill would.
 */
struct cancel;
void maildir_set_cancel(struct maildir *m, const struct cancel *c);
/* Do inode numbers of its file system outlive a mount?  Networks, FUSE: no. */
bool maildir_inodes_stay(const struct maildir *m);

/* A directory that is, or holds, a mailbox. */
struct maildir_dir {
	struct span path; /* relative to the root; "" is the root itself */
	bool has_cur, has_new;
	uint64_t cur_ino, new_ino; /* 0: missing, or not known */
	bool is_link; /* a symlink where a mailbox could be; no more is known */
};

/*
 * All mailbox directories (has_cur or has_new), and all symlinks but to what
 * is no directory, in path order.  Links are not followed; they are told so
 * that a mailbox that was moved away, with a link left behind, is not taken
 * for deleted.  Hidden directories are skipped in the nested layout.  At most
 * 100,000 directories and 64 levels (ERR_TOOBIG).  What others move meanwhile
 * may be listed at neither place, or at both: absence takes two equal listings.
 */
int maildir_list(struct maildir *m, struct arena *mem,
    struct maildir_dir **v_r, size_t *n_r, struct err *e);
/*
 * How many directories have cur/ or new/ and are no mailboxes, since only the
 * other layout has such names; and the first of them by its path.
 */
int maildir_list_others(struct maildir *m, struct arena *mem,
    struct span *first_r, size_t *n_r, struct err *e);

/*
 * Identity of the contents of cur/ and new/: equal stamps, same files.  A
 * stamp is racy when a change in the same clock tick could not be seen; then
 * it never compares equal.
 */
struct maildir_stamp {
	int64_t cur_mtime_ns, new_mtime_ns;
	uint64_t cur_ino, new_ino;
};
#define MAILDIR_STAMP_NONE ((struct maildir_stamp){0, 0, 0, 0})

/* ERR_STALE when cur/ or new/ is missing. */
int maildir_stamp(struct maildir *m, struct span path,
    struct maildir_stamp *s_r, struct err *e);
bool maildir_stamp_eq(const struct maildir_stamp *a,
    const struct maildir_stamp *b); /* NONE equals nothing */
/*
 * cur/ or new/ of PATH is another directory than the one of WAS, which was
 * recorded at RECORDED_NS (wall clock; 0: not known) or before.  False where it
 * cannot be told.
 * MAILDIR_STAMP_OTHER is of none that there is.
 */
#define MAILDIR_STAMP_OTHER                                                    \
	((struct maildir_stamp){1, 1, UINT64_MAX, UINT64_MAX})
bool maildir_is_another(struct maildir *m, struct span path,
    const struct maildir_stamp *was, int64_t recorded_ns);

/*
 * Wait until a change made now would get another time than *S (at most 50 ms
 * on file systems with fine times).  False when the times of this file
 * system are too coarse (whole seconds): such a stamp must be stored as
 * MAILDIR_STAMP_NONE unless it is over two seconds old.
 */
bool maildir_stamp_settle(const struct maildir_stamp *s,
    const struct cancel *c);

/*
 * Everything in new/ and cur/.  Reads new/ first, then cur/, and again when
 * a directory changed meanwhile (at most 5 times; then v->complete is
 * false).  *stamp_r is the stamp that belongs to what was read.  No stat per
 * file where d_type tells.  Files that are not regular, and names that are no
 * message, are skipped; what cannot be told counts as regular.  LETTERS as in
 * name_flags(); *letters_seen_r (may be NULL): a..z that occur without a
 * meaning.  When cur/ or new/ is missing: v->damaged, and what there is.
 */
int maildir_scan(struct maildir *m, struct span path,
    const struct kwletters *letters, struct arena *mem, struct lview *v_r,
    struct maildir_stamp *stamp_r, uint32_t *letters_seen_r, struct err *e);

/*
 * The same, without the files whose names are in KNOWN: those are seen in it,
 * and v->delta says so.  When v->damaged, all that there is.  What was seen has
 * to be completed by maildir_drop_moved() once names that have a base in common
 * with a file of V are in V, too.
 */
int maildir_scan_rest(struct maildir *m, struct span path,
    const struct kwletters *letters, struct nameset *known, struct arena *mem,
    struct lview *v_r, struct maildir_stamp *stamp_r, uint32_t *letters_seen_r,
    struct err *e);
/* Of files with one base those that were moved while they were read. */
int maildir_drop_moved(struct maildir *m, struct span path, struct lview *v,
    struct err *e);
/* FILE, borrowed, as its name shows it; *unknown gets letters added to it. */
struct lmsg maildir_named(struct arena *mem, struct span file,
    const struct kwletters *letters, uint32_t *unknown);

/*
 * Work in a mailbox that was looked at:
 *	maildir_watch -> deliveries, moves, copies, flags, bin
 *	-> maildir_watched
 *
 * maildir_watch: does the mailbox still have the stamp SEEN, and can it be told
 * from here on who changes it?  maildir_watched ends that.  True: nobody but
 * this struct maildir changed cur/ or new/ since SEEN, and *stamp_r, which is
 * no NONE, is the stamp of what that left there.  False says nothing.
 */
bool maildir_watch(struct maildir *m, struct span path,
    const struct maildir_stamp *seen);
bool maildir_watched(struct maildir *m, struct span path,
    const struct cancel *c, struct maildir_stamp *stamp_r);

/* Fill in has_stat, ino, fsize, mtime_ns.  ERR_STALE: gone. */
int maildir_stat(struct maildir *m, struct span path, struct lmsg *msg,
    struct err *e);

/*
 * Read the file and fill in stat and content.  ERR_STALE: gone.  Memory does
 * not grow with the file.
 */
int maildir_digest(struct maildir *m, struct span path, struct lmsg *msg,
    const struct cancel *c, struct err *e);

/*
 * Samples for comparison with the server: up to N bytes of the canonical
 * form from canonical offset OFF, appended to OUT (less at the end).
 */
int maildir_sample(struct maildir *m, struct span path, struct span file,
    uint64_t off, size_t n, struct buf *out, struct err *e);

/*
 * Reading a message for upload, in canonical form, as a stream.
 *	maildir_read_open -> while (maildir_read(...) > 0)
 *	-> maildir_reader_free
 */
struct maildir_reader;
int maildir_read_open(struct maildir *m, struct span path, struct span file,
    struct maildir_reader **r_r, struct err *e);
/* Bytes appended to OUT (cleared first), 0 at the end, or an error. */
int maildir_read(struct maildir_reader *r, struct buf *out, struct err *e);
void maildir_reader_free(struct maildir_reader **r);
DEFINE_AUTO(maildir_reader)

/*
 * Delivery, as a stream of wire bytes:
 *	begin -> write* -> finish -> flush -> publish -> maildir_sync
 * finish: line ends settled, file time set, (not yet fsynced), content
 * known; publish: renamed into new/ or cur/ under *file_r with its flags.
 * A batch of deliveries, into whatever mailboxes, is made durable by
 * maildir_deliver_flush() before they are published: a few by fsync of each
 * file, more by syncfs of the file systems that they are on, where that does
 * anything.  free without publish removes the temporary file.
 */
struct maildir_delivery;
int maildir_deliver_begin(struct maildir *m, struct span path,
    struct maildir_delivery **d_r, struct err *e);
int maildir_deliver_write(struct maildir_delivery *d, const char *p, size_t n,
    struct err *e);
/* ERR_PROTO (scope MSG) for zero bytes: "no data" is not an empty message. */
int maildir_deliver_finish(struct maildir_delivery *d, int64_t idate,
    struct content *c_r, struct err *e);
int maildir_deliver_flush(struct maildir_delivery *const *v, size_t n,
    struct err *e);
/*
 * F decides new/ or cur/ (new/ only when nothing is to be shown); *shown_r is
 * what the name shows.  *lmsg_r: file name, base and stat identity, in MEM.
 */
int maildir_deliver_publish(struct maildir_delivery *d, struct arena *mem,
    struct flags f, const struct kwletters *letters, struct flags *shown_r,
    struct lmsg *lmsg_r, struct err *e);
void maildir_delivery_free(struct maildir_delivery **d); /* aborts */
DEFINE_AUTO(maildir_delivery)

/*
 * Rename FILE so that it shows F.  A file in new/ moves to cur/ when there is
 * something to show.  *file_r in MEM.  Never replaces another file: where the
 * name is taken the base name changes.
 */
int maildir_set_flags(struct maildir *m, struct arena *mem, struct span path,
    struct span file, struct flags f, const struct kwletters *letters,
    struct flags *shown_r, struct span *file_r, struct err *e);

/*
 * Move FILE of the mailbox FROM into the mailbox TO by rename(2), so that it
 * shows F with the LETTERS of TO; it keeps its base name unless TO has that
 * already (then a new one), and stays in new/ when it was there and F is
 * nothing to show.  What letters a to z meant in FROM ends there; other
 * letters that mean nothing to us are kept.  No bytes are copied, but between
 * file systems.  FROM and TO may be one mailbox, whose letters stay then.
 * Durable after maildir_sync(TO), then maildir_sync(FROM).  ERR_STALE: FILE
 * is gone.  *lmsg_r as in maildir_deliver_publish.
 */
int maildir_move_to(struct maildir *m, struct arena *mem, struct span from,
    struct span file, struct span to, struct flags f,
    const struct kwletters *letters, struct flags *shown_r,
    struct lmsg *lmsg_r, struct err *e);

/*
 * Another copy of FILE of the mailbox FROM in the mailbox TO, under a new base
 * name, with the same file time.  What its name shows, and whether it is in
 * new/, is as with maildir_move_to().  The bytes are durable on return, the
 * name after maildir_sync(TO).  REFLINK shares blocks where the file system
 * can (FICLONE), and copies elsewhere; LINK makes a hard link where it can.
 */
enum maildir_copy_how {
	MAILDIR_COPY_REFLINK,
	MAILDIR_COPY_LINK,
	MAILDIR_COPY_BYTES
};
int maildir_copy_to(struct maildir *m, struct arena *mem, struct span from,
    struct span file, struct span to, enum maildir_copy_how how,
    struct flags f, const struct kwletters *letters, struct flags *shown_r,
    struct lmsg *lmsg_r, struct err *e);

/*
 * Rename the directory of a mailbox, in the nested layout with the mailboxes
 * below it, in maildir++ without (they are the caller's to rename); parents of
 * TO are made.  Atomic and durable.  ERR_STALE: FROM is gone or TO is there;
 * an empty directory does not count.  Not for INBOX, whose messages move
 * instead (ERR_BUG), nor into itself (ERR_IO, sys EINVAL).
 */
int maildir_rename_box(struct maildir *m, struct span from, struct span to,
    struct err *e);

/* fsync cur/ and new/ of the mailbox. */
int maildir_sync(struct maildir *m, struct span path, struct err *e);
/* The same of N mailboxes; of more than a few, as maildir_deliver_flush(). */
int maildir_sync_many(struct maildir *m, const struct span *path, size_t n,
    struct err *e);
/*
 * The octets of N files that others wrote, those of one mailbox together; of
 * more than a few, as maildir_deliver_flush().  What is gone counts as done.
 */
struct maildir_name {
	struct span path, file;
};
int maildir_sync_files(struct maildir *m, const struct maildir_name *v,
    size_t n, struct err *e);

/*
 * The file systems that mailboxes are on, to be made durable as a whole with
 * all that was written and renamed there before maildir_disks_sync().  That
 * one touches nothing else of what is here: it may be called in any thread.
 * SINGLY: one of them cannot be (fs_is_native), or they are too many; none is
 * in it then, and the caller fsyncs each file and mailbox.
 */
struct maildir_disks {
	bool singly;
	int fd[8]; /* owned, as many as N */
	dev_t dev[8];
	unsigned n;
};
int maildir_disks_add(struct maildir_disks *d, struct maildir *m,
    struct span path, struct err *e);
/*
 * Those of what N deliveries have in tmp/, by descriptors that were there
 * before it was written: of an error that somebody else was told already, one
 * that is opened now would say nothing (syncfs(2)).
 */
int maildir_deliver_disks(struct maildir_delivery *const *v, size_t n,
    struct maildir_disks *d, struct err *e);
int maildir_disks_sync(const struct maildir_disks *d, struct err *e);
void maildir_disks_release(struct maildir_disks *d);

/* Make a mailbox, with parents as plain directories, durably. */
int maildir_create(struct maildir *m, struct span path, struct err *e);
/* That was cut off before there was a cur/: it is to be done once more. */
bool maildir_is_half_made(struct maildir *m, struct span path);

/*
 * The bin: STATE/bin/RUN/, one directory per run, holding the same tree as
 * the Maildir.  bin_fd is the run's directory.  Bytes are durable in the bin
 * before the message is gone from the mailbox; its going is durable after
 * maildir_bin_sync(), once for all of the mailbox.
 */
int maildir_bin(struct maildir *m, struct span path, struct span file,
    int bin_fd, struct err *e);
int maildir_bin_sync(struct maildir *m, struct span path, int bin_fd,
    struct err *e);
/*
 * Keep what LETTERS mean beside the messages of PATH in the bin; before the
 * first one that shows any of them.
 */
int maildir_bin_letters(struct span path, const struct kwtab *kw,
    const struct kwletters *letters, int bin_fd, struct err *e);
/*
 * Whole mailbox directory (not its child mailboxes) into the bin.  ERR_STALE,
 * and it is a mailbox still, when a message is there whose base is not in SEEN.
 */
int maildir_bin_box(struct maildir *m, struct span path,
    const struct lview *seen, int bin_fd, struct err *e);
/*
 * Put everything of the run's bin back to where it was, mailboxes
 * made again where they are gone; never over an existing name.  Safe to repeat.
 * Messages come back without the letter T, and with the letters that their
 * keywords have in the mailbox now; a letter of which the bin does not know
 * what it meant is left out.
 */
struct maildir_unbinned {
	uint64_t messages, mailboxes; /* put back; made again */
};
int maildir_unbin(struct maildir *m, int bin_fd,
    struct maildir_unbinned *n_r, struct err *e);

/*
 * dovecot-keywords: "N NAME" lines, N 0..25 for a..z.  Missing file: no
 * letters.  Malformed lines are skipped.  Written by replace, only when the
 * content differs.  Letters that the file names by then and LETTERS do not
 * stay in it; where the two contradict each other nothing is written:
 * ERR_STALE, scope MSG, and LETTERS have to be loaded again.
 */
int maildir_letters_load(struct maildir *m, struct span path,
    struct kwtab *kw, struct kwletters *letters_r, bool *exists_r,
    struct err *e);
int maildir_letters_save(struct maildir *m, struct span path,
    struct kwtab *kw, const struct kwletters *letters, struct err *e);

/*
 * Remove our own leftovers in tmp/ of a crashed run: files whose name marks
 * them as ours (host, "mochila" tag) and that this process does not use;
 * the caller holds the account's lock.  Others' files are left.  *all_r: none
 * of ours is there any more.
 */
int maildir_clean_tmp(struct maildir *m, struct span path, uint32_t *n_r,
    bool *all_r, struct err *e);

#endif
