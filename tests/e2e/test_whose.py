"""The configuration has another user, or another host, and the journal stays:
what it says is believed only where the server's mail bears it out."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from test_mailboxes import fill, settle
from world import ServerSide, message

BOXES = "ABCD"


def same_as_before(w, user):
    """USER has on the server what W has there: the account goes by another
    name now."""
    source = w.server.kind.maildir(w.user)
    target = w.server.kind.maildir(user)
    w.server.close()
    target.parent.mkdir(parents=True)
    shutil.copystat(source.parent, target.parent)
    st = source.parent.stat()
    os.chown(target.parent, st.st_uid, st.st_gid)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def becomes(w, user, **more):
    w.server.close()
    w.user = user
    w.server = ServerSide(w.server_process.port, user, w.server_process)
    w.write_config(user=user, **more)


def filled(w):
    for box in BOXES:
        fill(w, box, 4)
    w.server.close()
    settle(w)


def owner(w):
    out = subprocess.run(
        ["mdb_dump", "-p", "-s", "meta", str(w.state / "home" / "journal")],
        capture_output=True, text=True, check=True).stdout
    lines = [line[1:] for line in out.splitlines() if line.startswith(" ")]
    found = dict(zip(lines[::2], lines[1::2]))
    return found["user"], found["host"]


@pytest.mark.parametrize("numbers", ["same", "other"])
def test_another_account(world, numbers):
    filled(world)
    old, kind = world.user, world.server.kind
    validity = {b: world.server.status(b, "(UIDVALIDITY)") for b in BOXES}
    becomes(world, old + "new")
    for box in BOXES[:3]:
        world.server.create(box)
        if numbers == "same":
            world.server.close()
            kind.doveadm("mailbox", "update", "-u", world.user,
                         "--uid-validity",
                         str(number_of(validity[box])), box)
        for n in range(5):
            world.server.append(box, message("other %s %d" % (box, n),
                                             size=2000))
    world.server.close()
    before = world.local.snapshot()
    for args in (["--dry-run"], [], ["--allow-deletes", "home"]):
        done = world.sync(*args, status=78)
        assert done.out == "" and len(done.err.splitlines()) == 1
        assert "'%s'" % old in done.err and "journal" in done.err
    assert world.local.snapshot() == before
    assert [len(world.server.messages(b)) for b in BOXES[:3]] == [5, 5, 5]
    assert "D" not in world.server.mailboxes()
    world.server.close()
    # it is this one that is meant
    becomes(world, old)
    world.assert_settled()
    # or the other, with all that is here
    becomes(world, old + "new")
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (15, 16)
    assert s["deleted_local"] == s["deleted_remote"] == 0
    world.assert_settled()


def number_of(status):
    if isinstance(status, dict):
        status = status["UIDVALIDITY"]
    text = status.decode() if isinstance(status, bytes) else str(status)
    return int(text.split()[-1].rstrip(")"))


def test_the_same_account_by_another_login(world):
    filled(world)
    old = world.user
    assert owner(world) == (old, "localhost")
    same_as_before(world, old + "also")
    becomes(world, old + "also", host="127.0.0.1")
    # what is not borne out by all, is by most
    world.server.do("delete", "A")
    world.server.expunge("B", [1, 2, 3, 4])
    world.server.append("B", message("new"))
    world.server.close()
    s = world.summary()
    assert (s["pulled"], s["deleted_local"]) == (1, 8)
    assert owner(world) == (old + "also", "127.0.0.1")
    world.assert_settled()


def test_another_login_and_nothing_to_record(world):
    filled(world)
    old = world.user
    same_as_before(world, old + "also")
    becomes(world, old + "also")
    # it is recorded that it was borne out
    assert world.summary()["round_trips"] > 3
    assert owner(world)[0] == old + "also"
    world.assert_idle()
    assert world.summary()["round_trips"] == 3
    world.server.append("A", message("new"))
    world.server.close()
    world.sync()
    assert not [c for c in commands_of_a_run(world) if b"FETCH" in c]


def commands_of_a_run(w):
    w.sync("--trace", str(w.trace))
    return w.commands()


def test_one_name_in_two_configurations(world):
    """They have one journal: what came into the one Maildir would count as
    deleted in the other."""
    filled(world)
    world.server.append("A", message("for the first"))
    world.sync()
    world.server.close()
    first, second = world.local.root, world.local.root.parent / "second"
    shutil.copytree(first, second)
    for direction in ("both", "pull"):
        world.write_config(maildir=str(second), direction=direction)
        for args in ([], ["--dry-run"], ["--allow-deletes", "home"]):
            done = world.sync(*args, status=78)
            assert len(done.err.splitlines()) == 1
            assert "'%s'" % first in done.err and "state_dir" in done.err
    assert len(world.server.messages("A")) == 5
    world.write_config(maildir=str(first), direction="both")
    world.assert_settled()


def test_a_maildir_that_was_moved(world):
    filled(world)
    first, second = world.local.root, world.local.root.parent / "second"
    first.rename(second)
    first.mkdir()  # the mount point of what is mounted elsewhere now
    world.local.root = second
    # by another name it is the same
    for path in (str(second), str(second) + "/.", str(second)):
        world.write_config(maildir=path)
        world.sync()
        world.assert_settled()
    first.rmdir()
    second.rename(first)
    second.symlink_to(first)
    world.local.root = first
    world.write_config(maildir=str(first))
    world.sync()
    world.assert_settled()


def test_a_copy_of_both(world):
    """Maildir and journal, beside the first ones: both are synced."""
    filled(world)
    subprocess.run(["cp", "-a", str(world.local.root),
                    str(world.local.root) + "2"], check=True)
    subprocess.run(["cp", "-a", str(world.state), str(world.state) + "2"],
                   check=True)
    first = world.local.root, world.state
    for root, state in ((Path(str(first[0]) + "2"), Path(str(first[1]) + "2")),
                        first):
        world.local.root, world.state = root, state
        world.write_config(maildir=str(root))
        world.server.append("A", message("new in %s" % root.name))
        world.sync()
        world.assert_settled()
