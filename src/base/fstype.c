/* What kind of file system a file is on. */
#include "base/fs.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define FUSE_MAGIC 0x65735546u
#define ECRYPTFS_MAGIC 0xf15fu
#define MOUNTS_MAX (4u << 20)

/*
 * The file system type behind " - " in a line of /proc/self/mountinfo, when
 * the line is that of device DEV ("0:45"); see proc(5).
 */
static bool
mount_type(struct span line, struct span dev, struct span *type_r)
{
	struct span rest = line;

	for (int i = 0; i < 2; i++) {
		size_t n = span_index(rest, ' ');

		if (n == rest.n)
			return false;
		rest = span_of(rest.p + n + 1, rest.n - n - 1);
	}
	if (!span_eq(span_of(rest.p, span_index(rest, ' ')), dev))
		return false;
	while (rest.n > 3 && memcmp(rest.p, " - ", 3) != 0)
		rest = span_of(rest.p + 1, rest.n - 1);
	if (rest.n <= 3)
		return false;
	rest = span_of(rest.p + 3, rest.n - 3);
	*type_r = span_of(rest.p, span_index(rest, ' '));
	return true;
}

/*
 * Many file systems are behind FUSE, and most of them are on this machine.
 * Those that are not, as far as they are known, by the names they mount with.
 */
static const char *
network_fuse(int fd)
{
	static const char *const remote[] = {"sshfs", "rclone", "glusterfs",
	    "s3fs", "goofys", "davfs", "curlftpfs", "ceph-fuse", "ceph",
	    "juicefs", "mfs", "moosefs", "smbnetfs", "gvfsd-fuse", "afpfs",
	    "xrdfs", "cvmfs2", "google-drive-ocamlfuse", "onedriver"};
	const char *found = NULL;
	struct buf mounts, dev;
	struct span rest, type;
	struct stat st;
	struct err e;

	if (fstat(fd, &st) != 0)
		return NULL;
	buf_init(&mounts, MOUNTS_MAX);
	buf_init(&dev, 64);
	buf_addf(&dev, "%u:%u", major(st.st_dev), minor(st.st_dev));
	(void)fs_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX,
	    &mounts, &e);
	for (rest = buf_span(&mounts); rest.n && !found;) {
		size_t n = span_index(rest, '\n');

		if (mount_type(span_of(rest.p, n), buf_span(&dev), &type) &&
		    span_starts(type, SPAN("fuse.")))
			for (size_t i = 0; i < sizeof remote / sizeof *remote;
			     i++)
				if (span_eq(span_of(type.p + 5, type.n - 5),
					span_str(remote[i])))
					found = remote[i];
		n += n < rest.n;
		rest = span_of(rest.p + n, rest.n - n);
	}
	buf_release(&mounts);
	buf_release(&dev);
	return found;
}

const char *
fs_network_type(int fd)
{
	/* statfs(2): f_type of what cannot share a memory map */
	static const struct {
		unsigned type;
		const char *name;
	} remote[] = {
	    {0x6969, "nfs"}, {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},
	    {0x517b, "smb"}, {0x01021997, "9p"}, {0x5346414f, "afs"},
	    {0x6b414653, "afs"}, {0x73757245, "coda"},
	    {0x00c36400, "ceph"}, {0x47504653, "gpfs"},
	    {0x0bd00bd0, "lustre"}, {0x7461636f, "ocfs2"},
	    {0x786f4256, "vboxsf"}, {0x61756673, "aufs"},
	};
	struct statfs st;

	if (fstatfs(fd, &st) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if ((unsigned)st.f_type == remote[i].type)
			return remote[i].name;
	return (unsigned)st.f_type == FUSE_MAGIC ? network_fuse(fd) : NULL;
}

bool
fs_is_native(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && (unsigned)st.f_type != FUSE_MAGIC &&
	       (unsigned)st.f_type != ECRYPTFS_MAGIC && !fs_network_type(fd);
}
