"""A server that lies, or was put back to an older state: nobody's mail is
removed for that, and nothing is there twice once it speaks the truth."""

import os
import shutil
import subprocess

import pytest

from campaign import Line
from stories import uid_of

# what is changed in the server's lines: (found, put in its place)
LIES = {
    "empty list": (rb"^\* LIST .*\r\n", b""),
    "one mailbox is listed": (rb"^\* LIST .*(?<!INBOX)\r\n", b""),
    "all have vanished": (rb"^(\* \d+ EXISTS\r\n)",
                          rb"\1* VANISHED (EARLIER) 1:4000000000\r\n"),
    "some have vanished": (rb"^(\* \d+ EXISTS\r\n)",
                           rb"\1* VANISHED (EARLIER) 1:2,4\r\n"),
    "fewer exist": (rb"^\* \d+ EXISTS", b"* 1 EXISTS"),
    "none exists": (rb"^\* \d+ EXISTS", b"* 0 EXISTS"),
    "more exist": (rb"^\* \d+ EXISTS", b"* 4711 EXISTS"),
    "no message in STATUS": (rb"MESSAGES \d+", b"MESSAGES 0"),
    "nothing is fetched": (rb"^\* \d+ FETCH \(((?!BODY).)*\)\r\n", b""),
    "expunged while fetched": (rb"^(\* \d+ FETCH)", rb"* 1 EXPUNGE\r\n\1"),
    "UIDNEXT is less": (rb"UIDNEXT \d+", b"UIDNEXT 2"),
    "mod-sequences are less": (rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 1"),
    "mod-sequences are none": (rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 0"),
    "another UIDVALIDITY": (rb"UIDVALIDITY \d+", b"UIDVALIDITY 77"),
    "no UIDs": (rb"(?<= |\()UID (\d)", rb"NOTUID \1"),
}


def tokens(side):
    return {box: sorted(t for t, _ in messages.elements())
            for box, messages in side.items()}


def converge(scene):
    """Honest runs; then checks B and C, without the numbers.  The first one
    looks at everything: what was never said cannot be known to be missing."""
    scene.run(more=["--full"])
    scene.run()
    there, here = scene.look()
    assert (there, here) == scene.expected, scene.differences(there, here)
    assert scene.subject.look_closely(scene.world) == []
    assert scene.check_c() == []


@pytest.mark.parametrize("how", ["changed", "full"])
@pytest.mark.parametrize("lie", LIES)
def test_lie(scene, lie, how):
    """In a run that looks at INBOX, or at everything (--full)."""
    s = scene("Quiet")
    s.restore()
    try:
        server = s.world.server
        server.store("INBOX", uid_of(server, "INBOX", "a0"), "+FLAGS",
                     ["\\Answered"])
        before = s.look()
        line = Line(s.port, edit=LIES[lie])
        s.configure(s.world.user, line.port)
        done = s.run(more=["--full"] if how == "full" else [])
        line.wait()
        line.close()
        s.configure(s.world.user)
        assert done.returncode >= 0
        if how == "full":
            assert line.hit
        there, here = s.look()
        # it may have learned of the flag; it must not have removed a thing
        assert there == before[0], done.stderr
        assert tokens(here) == tokens(before[1]), done.stderr
        old = s.expected
        try:
            inbox = before[0]["INBOX"]
            s.expected = (before[0], {**before[1], "INBOX": inbox})
            converge(s)
        finally:
            s.expected = old
    finally:
        s.drop()


@pytest.mark.parametrize("index", ["kept", "lost"])
def test_restored_from_a_backup(scene, index):
    """The server's mailboxes as they were before the last runs."""
    s = scene("Quiet")
    s.restore()
    try:
        world = s.world
        backup = s.base / "backup"
        there = s.dovecot.maildir(world.user)
        shutil.rmtree(backup, ignore_errors=True)
        subprocess.run(["cp", "-a", str(there), str(backup)], check=True)
        new = [world.local.add("INBOX", s.story.text("r%d" % n).replace(
            b"\r\n", b"\n"), "1800000002.r%d.here" % n) for n in range(2)]
        world.server.append("work", s.story.text("r2"))
        world.server.close()
        s.must_run()
        before = s.look()
        assert before[0] == before[1]
        subprocess.run(["rm", "-rf", str(there)], check=True)
        subprocess.run(["cp", "-a", str(backup), str(there)], check=True)
        if index == "lost":
            for path in there.rglob("dovecot.index*"):
                path.unlink()
        for _ in range(3):
            s.must_run()
            now = s.look()
            assert tokens(now[1]) == tokens(before[1])
        assert now == before
        assert s.subject.look_closely(world) == []
        assert s.check_c() == [] and len(new) == 2
    finally:
        for token in "r0", "r1", "r2":
            s.story.sent.pop(token, None)
        s.drop()


def test_mailbox_that_is_not_a_directory_any_more(scene):
    """The mail is not mounted: the place is empty, or not there."""
    s = scene("Quiet")
    for how in "empty", "gone", "a file":
        s.restore()
        try:
            before = s.look()[0]
            os.rename(s.world.root, s.base / "elsewhere")
            if how == "empty":
                s.world.root.mkdir()
            elif how == "a file":
                s.world.root.write_text("")
            done = s.run()
            assert done.returncode not in (0, -9) and done.returncode > 0
            there = {box: messages for box, messages in s.look()[0].items()}
            assert there == before
            if how == "empty":
                s.world.root.rmdir()
            elif how == "a file":
                s.world.root.unlink()
            os.rename(s.base / "elsewhere", s.world.root)
            assert s.settle() == []
        finally:
            shutil.rmtree(s.base / "elsewhere", ignore_errors=True)
            s.drop()
