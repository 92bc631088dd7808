"""Files that are no mail, or cannot be read: no run waits for them or fills
memory with them, each is told in one line, and the others are synced."""

import os
import shutil
import socket
import time

import pytest

from personas import Persona
from test_hostile import Peak
from test_local_trouble import flags_by_token, strace
from world import message


class Limited(Persona):
    caps = Persona.caps + " APPENDLIMIT=35651584"
    append_limit = 35651584


@pytest.mark.parametrize("options", [{}, {"max_size": "25M"}],
                         ids=["server's limit", "our limit"])
def test_a_sparse_file_of_a_gigabyte(scripted, options):
    world = scripted(Limited, **options)
    world.fill(2)
    peak = Peak(world)
    path = world.local.add("INBOX", message("giant"), "1.giant.host")
    os.truncate(path, 1 << 30)
    world.local.add("INBOX", message("small"), "2.small.host")
    world.server.append("INBOX", message("there"))
    done = world.sync(status=0 if options else 65)
    peak.assert_bounded(32 << 20)
    assert len(done.err.splitlines()) == (not options), done.err
    assert options or "1.giant.host" in done.err
    assert len(world.server.messages("INBOX")) == 4
    assert len(world.local.files("INBOX")) == 5
    # and it is not sent again in each run
    world.script.commands.clear()
    world.sync(status=None)
    assert not any(c.startswith(b"APPEND") for c in world.script.commands)
    assert path.stat().st_size == 1 << 30


def test_what_is_no_file_is_left_alone(world):
    world.sync()
    for sub in ("new", "cur"):
        at = world.root / "INBOX" / sub
        os.mkfifo(at / "1.fifo.host:2,S")
        os.symlink("/dev/zero", at / "2.zero.host:2,S")
        os.symlink("/etc/passwd", at / "3.passwd.host:2,S")
        os.symlink("3.passwd.host:2,S", at / "4.link.host:2,S")
        os.symlink("5.loop.host", at / "5.loop.host")
        (at / "6.directory.host:2,S").mkdir()
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(at / "7.s:2,"))
        s.close()
        world.local.add("INBOX", message(sub), ("8." + sub).ljust(
            255, "x"), sub)
    os.mkfifo(world.root / "INBOX" / "tmp" / "9.fifo.host")
    before = world.local.snapshot()
    begun = time.monotonic()
    done = world.sync(timeout=60)
    assert done.err == "" and time.monotonic() - begun < 30
    assert set(flags_by_token(world)) == {"new", "cur"}
    assert world.local.snapshot() == before
    world.assert_idle()


@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "/etc/passwd",
                                  "socket"])
@pytest.mark.parametrize("name", ["dovecot-keywords", "cur", "new", "tmp"])
def test_what_a_mailbox_is_made_of_may_be_anything(world, name, kind):
    """It is held or reported, and the other mailboxes are synced."""
    for box in ("odd", "good"):
        world.server.create(box)
        world.server.append(box, message(box), ["\\Seen", "work"])
    world.sync()
    path = world.root / "odd" / name
    os.rename(path, world.base / "away")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(path))
        s.close()
    else:
        os.symlink(kind, path)
    for box in ("odd", "good"):
        world.server.append(box, message("new in " + box), ["\\Seen", "home"])
    kept = world.server.everything()
    done = world.sync(status=None, timeout=60)
    assert done.returncode in (0, 3, 65), (done.returncode, done.err)
    assert len(done.err.splitlines()) <= 2, done.err
    assert world.server.everything() == kept
    assert len(world.local.files("good")) == 2
    world.server.close()


# a file that cannot be read (src/sync/adopt.c, rule 5)


def test_what_cannot_be_read_once_is_waited_for(world):
    """It may be what is new there: nothing comes down twice."""
    world.sync()
    data = message("both", size=20000)
    path = world.local.add("INBOX", data.replace(b"\r\n", b"\n"),
                           "1.both.host:2,S", "cur")
    world.server.append("INBOX", data, ["\\Seen"])
    world.server.append("INBOX", message("there"))
    whole = strace(world, [path], "read:error=EIO:when=1")
    done = world.summary()
    assert (done["pulled"], done["pushed"]) == (1, 0), done
    world.binary = whole
    assert len(world.local.files("INBOX")) == 2
    assert set(flags_by_token(world)) == {"both", "there"}
    world.assert_settled()


def test_what_cannot_be_read_once_lets_nothing_undone(world):
    """It may be what has gone elsewhere: in the next pass that goes on."""
    world.server.create("old")
    world.server.append("old", message("gone"))
    world.sync()
    shutil.rmtree(world.root / "old")
    path = world.local.add("INBOX", message("here").replace(b"\r\n", b"\n"),
                           "1.here.host:2,S", "cur")
    whole = strace(world, [path], "read:error=EIO:when=1")
    world.sync()
    world.binary = whole
    assert "old" not in world.server.everything()
    assert set(flags_by_token(world)) == {"here"}
    world.assert_settled()


def test_what_cannot_be_read_twice_keeps_nothing_waiting(world):
    world.sync()
    path = world.local.add("INBOX", message("bad"), "1.bad.host:2,S", "cur")
    world.server.append("INBOX", message("there", size=2000))
    whole = strace(world, [path], "read:error=EIO")
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "1.bad.host" in line
    assert len(world.local.files("INBOX")) == 2
    world.binary = whole
    world.sync()
    assert set(flags_by_token(world)) == {"bad", "there"}
    world.assert_settled()
