"""A file system of its own in a file, whose power can be cut."""

import fcntl
import os
import shutil
import struct
import subprocess

# _IOR('X', 125, __u32) of ext4 and xfs; 2: without writing the log first
GOING_DOWN = 0x8004587D
NO_LOG_FLUSH = 2
SIZE = "24M"


class NoImage(Exception):
    """Why there can be none here."""


class Image:
    """An ext4 that writes back nothing by itself for five minutes, so that
    after a cut only what was made durable is there.  Files keep their inodes
    and times when it is put back."""

    settled = True

    def __init__(self, base):
        self.dir = base / "place"
        self.image, self.kept = base / "image", base / "image.kept"
        self.mounted = False
        if os.geteuid() != 0:
            raise NoImage("needs root")
        self.dir.mkdir(parents=True)
        self.tool("truncate", "-s", SIZE, str(self.image))
        self.tool("mkfs.ext4", "-q", "-F", str(self.image))
        self.mount()
        self.cut()  # or the kernel does not know how

    def tool(self, *argv):
        try:
            done = subprocess.run(argv, capture_output=True, text=True)
        except FileNotFoundError:
            raise NoImage("there is no %s" % argv[0])
        if done.returncode:
            raise NoImage("%s: %s" % (" ".join(argv), done.stderr.strip()))

    def mount(self):
        self.tool("mount", "-o", "loop,commit=300", str(self.image),
                  str(self.dir))
        self.mounted = True

    def unmount(self):
        if self.mounted:
            self.tool("umount", str(self.dir))
            self.mounted = False

    def keep(self):
        self.unmount()
        self.tool("cp", "--sparse=always", str(self.image), str(self.kept))
        self.mount()

    def back(self):
        self.unmount()
        self.tool("cp", "--sparse=always", str(self.kept), str(self.image))
        self.mount()

    def flush(self):
        """What was prepared for the run is on the disk before it begins."""
        self.tool("sync", "-f", str(self.dir))

    def cut(self):
        """The power fails, and comes back."""
        fd = os.open(self.dir, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, GOING_DOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)
        self.unmount()
        self.mount()

    def close(self):
        try:
            self.unmount()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
