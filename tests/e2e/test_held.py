"""Deletes that the brake holds back: until they are allowed, or undone."""

import os
import shlex
import shutil
import signal
import subprocess

import pytest

from scripted import Hangup
from world import message


def fill(world, n, box="INBOX", tag="m"):
    for k in range(n):
        world.server.append(box, message("%s%d%s" % (tag, k, box)))


def new_files(world, box="INBOX"):
    return [path for _, _, path in world.local.files(box)]


def delete_here(world, n, box="INBOX"):
    for path in new_files(world, box)[:n]:
        path.unlink()


def count(world, box="INBOX"):
    n = len(world.server.messages(box, bodies=False))
    world.server.close()
    return n


def put_away(world, files):
    away = world.base / "away"
    away.mkdir()
    for path in files:
        os.rename(path, away / path.name)


def put_back(world, files):
    for path in files:
        os.rename(world.base / "away" / path.name, path)


def test_what_comes_in_the_same_run_lets_nothing_go(world):
    fill(world, 40)
    world.sync()
    delete_here(world, 22)
    world.sync(status=3)
    for k in range(3):
        fill(world, 5, tag="new%d" % k)
        done = world.sync(status=3)
        assert "22 deletes on the server held back" in done.err
    assert count(world) == 55
    world.assert_idle(status=3)
    s = world.summary("--allow-deletes")
    assert s["deleted_remote"] == 22
    world.assert_settled()
    # it is over: what is deleted from now on is as ever
    delete_here(world, 1)
    assert world.summary()["deleted_remote"] == 1
    world.assert_settled()


@pytest.mark.parametrize("config", ["config.yaml", "Ana's mail.yaml"])
@pytest.mark.parametrize("box", ["INBOX", "Sent mail"])
def test_what_is_advised_is_of_this_configuration(world, box, config):
    if box != "INBOX":
        world.server.create(box)
    fill(world, 40, box)
    world.config = world.config.rename(world.base / config)
    world.sync()
    delete_here(world, 22, box)
    err = world.sync(status=3).err
    assert len(err.splitlines()) == 1
    assert "if not, put the files back" in err
    advised = err.split("; if the deletes are meant, run ")[1].split(";")[0]
    words = shlex.split(advised)
    assert words == ["mochila", "-c", str(world.config), "sync",
                     "--allow-deletes", "home:" + box]
    assert ("'" in advised) == (box != "INBOX" or config != "config.yaml")
    subprocess.run([world.binary, *words[1:]], env=world.env(), check=True)
    world.assert_settled()


def test_what_is_advised_about_deletes_here(world):
    fill(world, 40)
    world.sync()
    world.server.expunge("INBOX", range(1, 23))
    err = world.sync(status=3).err
    assert "22 deletes here held back: more than half of the account" in err
    assert "if not, put the messages back on the server" in err
    # and that is so
    shutil.rmtree(world.state / "home" / "journal")
    world.sync()
    assert count(world) == 40
    world.assert_settled()


def test_what_comes_in_the_same_run_lets_nothing_go_here(world):
    fill(world, 40)
    world.sync()
    world.server.expunge("INBOX", range(1, 23))
    world.sync(status=3)
    for k in range(3):
        fill(world, 5, tag="new%d" % k)
        assert world.summary(status=3)["held"] == 22
    assert len(new_files(world)) == 55
    world.assert_idle(status=3)
    assert world.summary("--allow-deletes")["deleted_local"] == 22
    world.assert_settled()
    world.server.expunge("INBOX", [23])
    assert world.summary()["deleted_local"] == 1
    world.assert_settled()


def test_held_deletes_of_a_large_mailbox_stay_held(world):
    fill(world, 404)
    world.sync()
    delete_here(world, 102)
    world.sync(status=3)
    for k in range(6):
        fill(world, 1, tag="new%d" % k)
        world.sync(status=3)
    assert count(world) == 410


def test_they_stay_held_while_files_are_put_back(world):
    fill(world, 100)
    world.sync()
    files = new_files(world)[:60]
    put_away(world, files)
    world.sync(status=3)
    put_back(world, files[:15])
    assert world.summary(status=3)["held"] == 45
    put_back(world, files[15:59])
    assert world.summary(status=3)["held"] == 1
    assert count(world) == 100
    put_back(world, files[59:])
    world.sync()
    world.assert_settled()
    delete_here(world, 1)
    assert world.summary()["deleted_remote"] == 1
    world.assert_settled()


def test_what_is_held_on_one_side_holds_nothing_on_the_other(world):
    fill(world, 200)
    world.sync()
    put_away(world, new_files(world)[:150])
    world.sync(status=3)
    world.server.expunge("INBOX", [199, 200])
    put_back(world, [world.root / "INBOX/new" / f for f in
                     sorted(os.listdir(world.base / "away"))[:149]])
    s = world.summary(status=3)
    assert (s["deleted_local"], s["held"]) == (2, 1)


@pytest.mark.parametrize("back", [False, True])
def test_held_mailboxes_stay_held(world, back):
    names = ["A", "B", "C", "D"]
    for box in names:
        world.server.create(box)
        fill(world, 30, box)
    fill(world, 30)
    world.sync()
    away = world.base / "away"
    away.mkdir()
    for box in names:
        os.rename(world.root / box, away / box)
    world.sync(status=3)
    world.assert_idle(status=3)
    for k in range(4):  # a list's week
        fill(world, 40, tag="n%d" % k)
        world.sync(status=3)
    assert all(count(world, box) == 30 for box in names)
    if not back:
        world.sync("--allow-deletes")
        assert world.server.mailboxes() == ["INBOX"]
        world.assert_settled()
        return
    for box in names:
        os.rename(away / box, world.root / box)
    world.sync()
    world.assert_settled()
    shutil.rmtree(world.root / "A")
    world.sync()
    assert world.server.mailboxes() == ["B", "C", "D", "INBOX"]
    world.assert_settled()


def test_a_tree_that_was_empty_and_comes_back_in_part(world):
    names = ["A", "B", "C", "D"]
    for box in names:
        world.server.create(box)
        fill(world, 3, box)
    world.server.create("E")
    fill(world, 30)
    world.sync()
    os.rename(world.root, world.base / "old")
    world.root.mkdir()
    world.sync(status=3)
    world.assert_idle(status=3)
    for box in ("INBOX", "A", "B"):
        os.rename(world.base / "old" / box, world.root / box)
    world.sync(status=3)
    world.assert_idle(status=3)
    assert world.server.mailboxes() == ["A", "B", "C", "D", "E", "INBOX"]
    assert count(world, "C") == count(world, "D") == 3
    for box in ("C", "D", "E"):
        os.rename(world.base / "old" / box, world.root / box)
    world.sync()
    world.assert_settled()


def test_a_direction_for_a_while_allows_nothing(world):
    fill(world, 100)
    world.sync()
    put_away(world, new_files(world)[:60])
    world.sync(status=3)
    fill(world, 100, tag="new")
    world.write_config(direction="pull")
    world.sync(status=None)
    world.write_config(direction=None)
    world.sync(status=None)
    assert count(world) == 200


def test_a_run_that_was_killed_behind_it_knows_it(scripted):
    """What is held is noted before anything else is done: here, before what
    has come to another mailbox is messages to measure it by."""
    world = scripted()
    world.server.create("A")
    for k in range(40):
        world.server.append("A", message("m%d" % k))
    world.sync()
    delete_here(world, 22, "A")
    for k in range(5):
        world.server.append("INBOX", message("new%d" % k))
    world.local.add("INBOX", message("here"), "1.here.host")
    run = world.start("sync")

    def kill(session, tag, words):
        run.kill()
        raise Hangup

    world.script.answer = {b"APPEND": kill}
    assert run.wait() == -signal.SIGKILL
    assert len([row for row in world.dump() if row["mailbox"] == "INBOX"]) == 5
    world.script.well()
    world.sync(status=3)
    world.sync(status=3)
    assert len(world.server.messages("A")) == 40
