/*
 * fs: small helpers on file descriptors.  Every fd is O_CLOEXEC from birth;
 * paths are relative to a directory fd.  EINTR is retried.  Any thread.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <dirent.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/* Open for reading without following a last symlink; -1 and errno. */
int fs_open_dir(int dirfd, const char *path);
/*
 * The entries of the directory FD (-1: of none, errno stays), which belongs to
 * the stream from now on.  NULL and errno: FD is closed.
 */
DIR *fs_dirstream(int fd);
int fs_open_read(int dirfd, const char *path); /* regular files only: EINVAL */

/*
 * Read all of PATH, at most MAX bytes and what B has room for (ERR_TOOBIG),
 * appended to B, which is as before on failure.
 */
int fs_read_file(int dirfd, const char *path, size_t max, struct buf *b,
    struct err *e);

/* All N bytes, or ERR_IO, ERR_FULL (scope MSG). */
int fs_write_all(int fd, const void *p, size_t n, struct err *e);

/*
 * When PATH ("": DIRFD itself) was made, nanoseconds since 1970; INT64_MIN: the
 * file system does not say.  A link is not followed.
 */
int64_t fs_born_ns(int dirfd, const char *path);

/* All that is left to read of IN; scope MSG. */
int fs_copy(int in, int out, struct err *e);

/* Up to N bytes at the file's offset; less only at the end; -1 and errno. */
ssize_t fs_read_full(int fd, void *p, size_t n);

/*
 * Replace PATH by N bytes: temporary name beside it, write, fsync, rename,
 * fsync of the directory.  MODE as for open(2).
 */
int fs_replace(int dirfd, const char *path, mode_t mode, const void *p,
    size_t n, struct err *e);

/*
 * The same of a file that others write, too, and whose changes they know by its
 * time in whole seconds.  WAS: what stat said of it before it was read, all 0:
 * there was none.  ERR_STALE (scope MSG) when it is another by now, looked at
 * right before the rename.  The new one is younger by a second at least.
 */
struct stat;
int fs_replace_seen(int dirfd, const char *path, mode_t mode,
    const struct stat *was, const void *p, size_t n, struct err *e);

/*
 * Remove the temporary files that a replace or a move of this machine left in
 * the directory DIRFD when it was cut off; *N (N may be NULL) grows by their
 * number.  False: some may be left.  None may be at work there now.
 */
bool fs_clean_temp(int dirfd, uint32_t *n);
/* May NAME be such a file, of whatever machine? */
bool fs_is_temp(struct span name);

/*
 * fsync(2) of the directory FD; -1 and errno.  Some file systems (9p, vboxsf)
 * know of no such thing and say EINVAL: names are as durable there as they get.
 */
int fs_fsync_dir(int fd);
int fs_sync_dir(int dirfd, const char *path, struct err *e); /* scope BOX */

/*
 * mkdir -p below DIRFD, each new directory fsynced in its parent.  What is
 * there must be a directory, or a link to one; ".." is refused (EINVAL).
 * Scope BOX.
 */
int fs_mkdirs(int dirfd, const char *path, mode_t mode, struct err *e);

/*
 * Move a file between directories that may lie on two file systems:
 * rename(2), or copy + fsync + rename + unlink.  Never replaces an existing
 * TO (EEXIST); where the file system cannot see to that, TO must be a name that
 * nobody else makes (rename_new).  Both directories are fsynced unless SYNC is
 * false.
 */
int fs_move(int fromdir, const char *from, int todir, const char *to,
    bool sync, struct err *e);

/*
 * Name of the file system when it is one of another machine (nfs, cifs, smb2,
 * 9p, afs, ceph, sshfs behind FUSE, ...), else NULL.  LMDB cannot live there,
 * and link counts may lie.
 */
const char *fs_network_type(int fd);

/*
 * A file system that this kernel alone keeps: of no other machine, not behind
 * FUSE, not laid over another (eCryptfs).  Elsewhere inotify does not tell all
 * changes, inode numbers may mean nothing after a mount, and syncfs(2) succeeds
 * without writing anything.
 */
bool fs_is_native(int fd);

#endif
