"""How often a directory is read: once where somebody changed it, and never
for what we change there ourselves.  Counted by strace."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from relay import Meddler
from world import message

CALLS = "getdents64,newfstatat,fstat,statx,openat,renameat2,inotify_init1"


def strace(world, *options):
    """(calls by name, whole readings of cur/ by mailbox)."""
    world.server.close()
    log = world.base / "calls"
    done = subprocess.run(
        ["strace", "-f", "-y", "-o", str(log), *options, world.binary, "-c",
         str(world.config), "sync"], env=world.traced_env(),
        capture_output=True, timeout=120)
    if done.returncode and b"PTRACE" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    text = log.read_text()
    root = re.escape(str(world.root))
    return (Counter(re.findall(r"^\d+ +(\w+)\(", text, re.M)),
            Counter(re.findall(
                r"getdents64\(\d+<%s/([^>]*)/cur>.* = 0$" % root, text,
                re.M)))


def reads(world):
    return dict(strace(world, "-e", "trace=" + CALLS)[1])


@pytest.fixture
def settled(world):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    fill(world, 20)
    return world


def fill(world, n):
    world.server.create("other")
    for i in range(n):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    assert len(world.local.files("INBOX")) == n


def uids(world):
    return sorted(world.server.messages("INBOX", bodies=False))


def rename(world, at, info):
    path = world.local.files("INBOX")[at][2]
    os.rename(path, world.root / "INBOX" / "cur" /
              (path.name.split(":2,")[0] + ":2," + info))


def flag_there(world):
    world.server.store("INBOX", uids(world)[3], "+FLAGS", ["\\Flagged"])


def flag_here(world):
    rename(world, 3, "F")


def new_there(world):
    world.server.append("INBOX", message("new"))


def new_here(world):
    world.local.add("INBOX", message("new"), "1.new.host")


def gone_there(world):
    world.server.expunge("INBOX", uids(world)[3:4])


def gone_here(world):
    os.unlink(world.local.files("INBOX")[3][2])


def flags_on_both_sides(world):
    flag_there(world)
    flag_here(world)


def all_there(world):
    flag_there(world)
    new_there(world)
    gone_there(world)


def copied_there(world):
    world.server.select("INBOX")
    world.server.do("uid", "COPY", str(uids(world)[3]), "INBOX")


@pytest.mark.parametrize("change, n", [
    (lambda world: None, 0), (flag_there, 0), (new_there, 0), (gone_there, 0),
    (all_there, 0), (copied_there, 0), (flag_here, 1), (new_here, 1),
    (gone_here, 1), (flags_on_both_sides, 1)])
def test_one_change(settled, change, n):
    change(settled)
    assert reads(settled) == ({"INBOX": n} if n else {})
    assert reads(settled) == {}
    settled.assert_settled()


def test_a_move_there_reads_where_it_goes(settled):
    """To see that no two files of a mailbox get one base name."""
    settled.server.select("INBOX")
    settled.server.do("uid", "MOVE", str(uids(settled)[3]), "other")
    assert reads(settled) == {"other": 1}
    assert reads(settled) == {}
    settled.assert_settled()


def test_a_first_sync_reads_what_was_there(world):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    for i in range(5):
        world.server.append("INBOX", message("m%d" % i))
    assert reads(world) == {"INBOX": 1}
    assert reads(world) == {}
    world.assert_settled()


@pytest.mark.parametrize("fault", ["inotify_init1:error=EMFILE",
                                   "inotify_add_watch:error=ENOSPC",
                                   "inotify_add_watch:error=ENOSPC:when=2",
                                   "statfs,fstatfs:error=ENOSYS"])
def test_where_nothing_can_be_watched_it_is_read_again(settled, fault):
    """(The journal asks for the file system, too; but that it cannot be told
    ends no run.)"""
    flag_there(settled)
    new_there(settled)
    _, found = strace(settled, "-e", "trace=getdents64," +
                      fault.split(":")[0], "-e", "inject=" + fault)
    assert found == {"INBOX": 1}
    assert reads(settled) == {}
    settled.assert_settled()


def test_no_call_for_a_message_that_did_not_change(settled):
    """But for the reading of the directory, 32 KB at a time."""
    flag_here(settled)
    few, _ = strace(settled, "-e", "trace=all")
    for i in range(300):
        settled.server.append("INBOX", message("more%d" % i))
    settled.sync()
    rename(settled, 5, "R")
    many, _ = strace(settled, "-e", "trace=all")
    for calls in few, many:
        # the socket, how memory is got, and waiting are the system's affair
        for name in ("poll", "read", "write", "recvfrom", "sendto", "brk",
                     "mmap", "munmap", "mremap", "madvise", "futex",
                     "getdents64", "clock_nanosleep", "recvmsg", "sendmsg",
                     "setsockopt"):
            del calls[name]
    assert abs(sum(many.values()) - sum(few.values())) <= 5, (few, many)


@pytest.mark.parametrize("deed", [flag_here, new_here, gone_here])
@pytest.mark.parametrize("word", [b"SELECT ", b"BODY.PEEK[]", b"LOGOUT"])
def test_what_a_reader_does_meanwhile_is_seen(settled, word, deed):
    """We only write there; whenever it happens, this run or the next sees
    it, and while we wait for a body, this one."""
    world = settled
    new_there(world)
    flag_there(world)
    port = world.options["port"]
    line = Meddler(port, word, lambda: deed(world))
    world.server.close()
    world.write_config(port=line.port)
    world.sync()
    world.write_config(port=port)
    line.close()
    assert line.done
    if word != b"LOGOUT":
        world.assert_settled()
    world.sync()
    world.assert_settled()
