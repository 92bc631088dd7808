"""In which order things reach the disk, as strace sees it.

What a power cut leaves behind depends on what was fsynced before what; the
data itself looks the same either way.
"""

import re
import subprocess

import pytest

from relay import Relay
from world import FUSE, can_trace, digest, message

pytestmark = pytest.mark.skipif(not can_trace(),
                                reason="needs an strace that may trace")
CALLS = ("?rename,renameat,renameat2,fsync,fdatasync,syncfs,pwrite64,"
         "fstatfs")
LINE = re.compile(r"^\S+\s+(\w+)\((.*)\)\s+= 0?")


def traced(world, *options):
    """A sync; its calls as (name, arguments), in order."""
    out = world.base / "strace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-s", "300", "-o", str(out), "-e",
         "trace=" + CALLS, *options, world.binary, "-c", str(world.config),
         "sync"],
        env=world.traced_env(), capture_output=True)
    assert done.returncode == 0, done.stderr
    calls = [LINE.match(line) for line in out.read_text().splitlines()]
    return [(m.group(1), m.group(2)) for m in calls if m]


def last_before(calls, at, fits):
    return max((i for i in range(at) if fits(*calls[i])), default=-1)


def first_after(calls, at, fits):
    return min((i for i in range(at + 1, len(calls)) if fits(*calls[i])),
               default=len(calls))


def is_sync(what):
    return lambda name, args: name in ("fsync", "fdatasync") and re.search(
        what, args) is not None


def is_commit(name, args):
    """LMDB's last write of a transaction: the meta page."""
    return name == "pwrite64" and "data.mdb" in args


def transactions(calls):
    """Where LMDB makes its pages durable; what leads to them is written then,
    and not before."""
    return [i for i, (name, args) in enumerate(calls)
            if name == "fdatasync" and "data.mdb" in args]


@pytest.mark.parametrize("count", [2, 12])
def test_pull(world, count):
    """File, name, row: each is durable before the next."""
    world.sync()
    for n in range(count):
        world.server.append("INBOX", message("m%d" % n),
                            ["\\Seen"] if n % 2 else [])
    world.server.close()
    calls = traced(world)
    renames = [i for i, (name, args) in enumerate(calls)
               if name.startswith("rename") and "INBOX/tmp" in args]
    assert len(renames) == count
    for i in renames:
        tmp = re.findall(r'"([^"]+)"', calls[i][1])[0]
        sub = "cur" if ":2,S" in calls[i][1] else "new"
        by_itself = last_before(calls, i, is_sync("/tmp/" + re.escape(
            tmp.rsplit("/")[-1])))
        at_once = last_before(calls, i, lambda name, _: name == "syncfs")
        assert max(by_itself, at_once) >= 0, (calls[i], "not on disk")
        named = first_after(calls, i, is_sync("INBOX/%s>" % sub))
        commit = first_after(calls, i, is_commit)
        assert named < commit < len(calls), (calls[i], named, commit)


def test_pull_where_syncfs_does_nothing(world):
    """Each file and each directory by itself, also of parts of a batch that
    become durable at once."""
    world.sync()
    for n in range(600):
        world.server.append("INBOX", message("m%d" % n),
                            ["\\Seen"] if n % 2 else [])
    world.server.close()
    calls = traced(world, "-e", FUSE)
    assert not [args for name, args in calls if name == "syncfs"]
    synced = set()  # files, and directories since a name came into them
    named = set()
    files = 0
    for name, args in calls:
        if name == "fsync":
            synced.add(re.search("<(.*)>", args).group(1))
            named -= synced
        elif name.startswith("rename") and "INBOX/tmp" in args:
            (old, tmp), (new, _) = re.findall(r'<([^>]*)>, "([^"]*)"', args)
            assert old + "/" + tmp in synced, (args, "not on disk")
            synced.discard(new)
            named.add(new)
            files += 1
        elif is_commit(name, args):
            assert not named, (args, "names not on disk")
    assert files == 600 and not named


@pytest.mark.parametrize("fuse", [(), ("-e", FUSE)])
def test_flags_in_many_mailboxes(world, fuse):
    boxes = ["INBOX", "a", "b", "c"]
    for box in boxes[1:]:
        world.server.create(box)
    for box in boxes:
        world.server.append(box, message(box))
    world.sync()
    for box in boxes:
        world.server.store(box, 1, "+FLAGS", ["\\Seen"])
    world.server.close()
    calls = traced(world, *fuse)
    renames = [i for i, (name, args) in enumerate(calls)
               if name.startswith("rename") and ":2,S" in args]
    assert len(renames) == 4
    for i in renames:
        box, = re.findall(r"/(\w+)/cur>", calls[i][1])
        commit = first_after(calls, i, is_commit)
        assert commit < len(calls)
        if not fuse:
            assert first_after(calls, i, lambda x, _: x == "syncfs") < commit
        for sub in ("cur", "new") if fuse else ():
            assert first_after(
                calls, i, is_sync("/%s/%s>" % (box, sub))) < commit


@pytest.mark.parametrize("fuse", [(), ("-e", FUSE)], ids=["", "fuse"])
@pytest.mark.parametrize("count", [2, 12])
def test_push(world, count, fuse):
    """Others need not have made durable what they put here: it is before the
    row says that it is here."""
    world.server.append("INBOX", message("old"))
    world.sync()
    for n in range(count):
        world.local.add("INBOX", message("m%d" % n), "%d.up.host" % n)
    (_, _, path), = [x for x in world.local.files("INBOX")
                     if b"message old" in x[2].read_bytes()]
    path.rename(path.parent.parent / "cur" / (path.name + ":2,S"))
    world.server.close()
    calls = traced(world, *fuse)
    # the flag's row comes first, and then those of the files
    flag, files = transactions(calls)[:2]
    for sub in "new", "cur":
        assert first_after(calls, -1, is_sync("INBOX/%s>" % sub)) < flag
    if count > 4 and not fuse:
        assert first_after(calls, -1, lambda x, _: x == "syncfs") < files
    else:
        assert not [args for name, args in calls if name == "syncfs"]
        for n in range(count):
            assert first_after(calls, -1, is_sync(
                "INBOX/new/%d.up.host>" % n)) < files


@pytest.mark.parametrize("count", [2, 12])
def test_adopt(world, count):
    """The same of files that are paired with what is on the server."""
    for n in range(count):
        world.server.append("INBOX", message("m%d" % n))
    for n in range(count):
        world.local.add("INBOX", message("m%d" % n), "%d.up.host" % n)
    world.server.close()
    calls = traced(world)
    # that of whose account it is has no rows
    owner, first = transactions(calls)[:2]
    for sub in "new", "cur":
        synced = first_after(calls, -1, is_sync("INBOX/%s>" % sub))
        assert owner < synced < first
    if count > 4:
        assert first_after(calls, -1, lambda x, _: x == "syncfs") < first
    for n in range(count if count <= 4 else 0):
        assert first_after(calls, -1, is_sync(
            "INBOX/new/%d.up.host>" % n)) < first


def test_flags(world):
    """The new name is durable before the row says so."""
    for n in range(2):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    for uid in world.server.messages("INBOX", bodies=False):
        world.server.store("INBOX", uid, "+FLAGS", ["\\Seen"])
    world.server.close()
    calls = traced(world)
    renames = [i for i, (name, args) in enumerate(calls)
               if name.startswith("rename") and ":2,S" in args]
    assert len(renames) == 2
    for i in renames:
        for sub in ("cur", "new"):
            named = first_after(calls, i, is_sync("INBOX/%s>" % sub))
            assert named < first_after(calls, i, is_commit) < len(calls)


def test_move(world):
    """The file is durable where it is now before it is gone from where it
    was, and both before the row moves."""
    world.server.create("a")
    world.server.append("INBOX", message("m"), ["\\Seen"])
    world.sync()
    world.server.select("INBOX")
    world.server.do("uid", "MOVE", "1", "a")
    world.server.close()
    calls = traced(world)
    at = [i for i, (name, args) in enumerate(calls)
          if name.startswith("rename") and "/a/cur" in args]
    assert len(at) == 1
    there = first_after(calls, at[0], is_sync("/a/cur>"))
    left = first_after(calls, at[0], is_sync("INBOX/cur>"))
    assert there < left < first_after(calls, at[0], is_commit) < len(calls)


class Meddler(Relay):
    """Does DEED when the client first says WORD, before the server hears."""

    def __init__(self, port, word, deed):
        self.word, self.deed = word, deed
        super().__init__(port)

    def pump(self, a, b, down):
        while True:
            data = a.recv(65536)
            if not down and self.deed and self.word in data:
                deed, self.deed = self.deed, None
                deed()
            if not data:
                return
            b.sendall(data)


def test_push_of_a_file_that_changed(world):
    """What goes up is what the row will say."""
    world.sync()
    for n in range(8):  # more than sockets hold
        world.local.add("INBOX", message("old%d" % n) +
                        b"filler filler filler\r\n" * 40_000,
                        "%d.up.host" % n)
    whole = world.options["port"]

    def edit():
        for _, _, path in world.local.files("INBOX"):
            path.write_bytes(path.read_bytes().replace(b"old", b"new"))

    # by then all files have been looked at, and the first is on its way
    line = Meddler(whole, b"APPEND ", edit)
    world.write_config(port=line.port)
    world.sync()
    world.write_config(port=whole)
    line.close()
    assert line.deed is None
    there = world.server.messages("INBOX")
    for row in world.dump():
        assert row["sha256"] == digest(there[row["uid"]]["body"])
    world.server.close()
    world.sync("--full")
    bodies = [m["body"] for m in world.server.messages("INBOX").values()]
    assert len(bodies) == 8 and all(b"new" in b for b in bodies)
    world.assert_settled()
