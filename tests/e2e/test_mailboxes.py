"""Mailboxes that come, go, and get other names, on either side."""

import os
import re
import shutil
import subprocess

import pytest

from servers import Dovecot, PASSWORD
from world import World, message, quote

BODIES = re.compile(rb"APPEND|BODY|BINARY|RFC822\b(?!\.SIZE)", re.I)
COUNT = 300


@pytest.fixture(scope="session")
def dotted(scratch):
    """Delimiter '.', everything below "INBOX."."""
    server = Dovecot(scratch / "dotted", extra="""
namespace inbox {
  separator = .
  prefix = INBOX.
}
""")
    yield server
    server.stop()


def fill(w, box, n, token="", size=0):
    w.server.create(box)
    for i in range(n):
        w.server.append(box, message("%s%s-%d" % (token, box, i), size=size))


def settle(w):
    w.sync()
    w.assert_idle()


def ids(w):
    """{name: number} of the mailboxes in the journal."""
    out = subprocess.run(
        ["mdb_dump", "-s", "mailbox", str(w.state / "home" / "journal")],
        capture_output=True, text=True, check=True).stdout
    lines = [bytes.fromhex(line[1:]) for line in out.splitlines()
             if line.startswith(" ")]
    found = {}
    for key, value in zip(lines[::2], lines[1::2]):
        # layout; then wire name, name, path, each with its length before it
        at = 1 + 1 + value[1]
        name = value[at + 1:at + 1 + value[at]].decode()
        found[name] = int.from_bytes(key, "big")
    return found


def sync_moves_nothing(w, *args, status=0):
    """One traced run: no body crossed, and its summary."""
    if w.trace.exists():
        w.trace.unlink()
    s = w.summary("--trace", str(w.trace), *args, status=status)
    assert [c for c in w.commands() if BODIES.search(c)] == []
    assert s["pulled"] == s["pushed"] == 0
    assert s["deleted_local"] == s["deleted_remote"] == 0
    return s


def rename_there(w, old, new):
    w.server.do("rename", quote(old), quote(new))
    w.server.close()


# a name changes on one side


def test_a_mailbox_renamed_on_the_server_is_renamed_here(world):
    fill(world, "Work", COUNT)
    settle(world)
    before = ids(world)
    files = sorted(os.listdir(world.root / "Work" / "cur"))
    rename_there(world, "Work", "Office")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["bytes_in"] < 12000 and s["bytes_out"] < 2000
    assert sorted(os.listdir(world.root / "Office" / "cur")) == files
    assert not (world.root / "Work").exists()
    assert ids(world)["Office"] == before["Work"]
    world.assert_settled()


def test_a_directory_renamed_here_is_renamed_on_the_server(world):
    fill(world, "Work", COUNT)
    settle(world)
    before = ids(world)
    os.rename(world.root / "Work", world.root / "Büro")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["bytes_in"] < 12000 and s["bytes_out"] < 2000
    renames = [c for c in world.commands() if c.startswith(b"RENAME")]
    assert len(renames) == 1
    assert "B&APw-ro" in world.server.mailboxes()
    world.server.close()
    assert ids(world)["Büro"] == before["Work"]
    world.wire = lambda box: box.replace("ü", "&APw-")
    world.wire_of_name = world.wire
    world.assert_settled()
