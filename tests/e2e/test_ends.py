"""A message at which the connection ends as its octets are compared with what
is here: it, and what may be it, comes last in each run."""

import os
import threading
import time

import pytest

from scripted import Hangup
from test_safety import lose_journal
from world import lf, message

IDS, WINDOW = b"BODY.PEEK[HEADER.FIELDS", b"BODY.PEEK[]<"
WHOLE = b"BODY.PEEK[]"


def ends(world, code=(69, 75)):
    done = world.sync(status=None)
    assert done.returncode in code
    return done


# moved there


@pytest.mark.parametrize("asked", [IDS, WINDOW])
def test_nothing_else_waits_for_one_that_was_moved(scripted, asked):
    world = scripted()
    for box in "later", "work":
        world.server.create(box)
    world.server.append("later", message("l0"))
    for n in range(5):
        world.server.append("INBOX", message("m%d" % n, "x" * n))
    world.sync()
    inbox, work = (world.script.store.find(b) for b in ("INBOX", "work"))
    for uid in 2, 3, 4:
        world.script.store.move(inbox, uid, work)
    world.server.append("INBOX", message("new"))
    world.server.append("later", message("l1"))
    world.local.add("INBOX", lf(message("here")), "1.here.host")
    world.hang_up_at("work", 2, asked)
    ends(world)
    for _ in range(2):
        done = ends(world)
        assert "work: uid 2: the connection ends whenever it is asked for" \
            in done.err
        assert world.tokens() == (["here", "m0", "m4", "new"],
                                  ["here", "m0", "m2", "m4", "new"])
        assert world.tokens("later") == (["l0", "l1"],) * 2
        assert world.tokens("work") == (["m1", "m2", "m3"], ["m1", "m3"])
    world.script.well()
    done = world.summary()
    assert (done["moved"], done["pulled"], done["deleted_local"]) == (1, 0, 0)
    assert world.tokens("work") == (["m1", "m2", "m3"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("asked", [IDS, WINDOW])
def test_moved_there_and_the_line_is_cut_once(scripted, asked):
    """What was changed here meanwhile is not taken back."""
    world = scripted()
    world.moved_there(3, 2)
    world.set_letters("m1", "S")
    world.hang_up_at("work", 1, asked, once=True)
    ends(world)
    assert world.summary()["moved"] == 1
    mail, = world.server.messages("work").values()
    assert mail["flags"] == {"\\Seen"}
    world.assert_settled()


@pytest.mark.parametrize("asked", [IDS, WINDOW])
@pytest.mark.parametrize("when", ["before", "then"])
def test_moved_there_out_of_one_that_is_numbered_anew(scripted, asked, when):
    """It does not go up again, and comes to its numbers."""
    world = scripted()
    world.moved_there(3, 2)
    if when == "before":
        world.server.renumber("INBOX")
    world.hang_up_at("work", 1, asked, once=True)
    ends(world)
    if when == "then":
        world.server.renumber("INBOX")
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("asked", [IDS, WINDOW])
def test_moved_on_both_sides_and_the_line_is_cut_once(scripted, asked):
    world = scripted()
    world.server.create("here")
    world.moved_there(3, 2)
    path = world.file_of("m1")
    path.rename(world.root / "here" / "cur" / path.name)
    world.hang_up_at("work", 1, asked, once=True)
    ends(world, (0, 69, 75))
    world.sync()
    boxes = "INBOX", "here", "work"
    assert sorted(sum((world.tokens(box)[0] for box in boxes), [])) == [
        "m0", "m1", "m2"]
    world.assert_settled()


# new on both sides


def lost_journal(world):
    """Of INBOX, where UID 1 takes all that is read whole, and work."""
    world.server.create("work")
    world.server.append("INBOX", message("large", "x" * (64 << 20)))
    for n in range(3):
        world.server.append(
            "INBOX", message("m%d" % n, "x" * (70000 + 100 * n)))
    world.server.append("work", message("w0"))
    world.sync()
    lose_journal(world)
    world.server.append("INBOX", message("new"))
    world.server.append("work", message("w1"))
    world.local.add("INBOX", lf(message("here")), "1.here.host")


def all_but_one(world):
    """Both mailboxes are as they are to be, and one message has no row."""
    assert world.tokens() == (
        ["here", "large", "m0", "m1", "m2", "new"],) * 2
    assert world.tokens("work") == (["w0", "w1"],) * 2
    return len(world.dump()) == 7


def test_nothing_else_waits_for_one_that_is_paired(scripted):
    world = scripted()
    lost_journal(world)
    world.hang_up_at("INBOX", 3, WHOLE)  # in whatever part
    ends(world)
    for _ in range(2):
        done = ends(world)
        assert "INBOX: uid 3: the connection ends whenever it is asked for" \
            in done.err
        assert all_but_one(world)
    world.script.well()
    done = world.summary()
    assert (done["adopted"], done["pulled"], done["pushed"]) == (1, 0, 0)
    world.assert_settled()


def test_a_window_of_one_that_is_paired_ends_the_connection(scripted):
    """By itself it is read as a whole."""
    world = scripted()
    lost_journal(world)
    world.hang_up_at("INBOX", 3, WINDOW)
    ends(world)
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("size", [0, 70000])
def test_moved_there_and_compared_with_what_is_new_here(scripted, size):
    """Nobody knows that it is what left INBOX, nor that it is not."""
    world = scripted()
    world.server.create("work")
    if size:
        text = message("large", "x" * (64 << 20))
        world.server.append("work", text)
        world.local.add("work", lf(text), "1.large.host")
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n, "x" * size))
    world.sync("home:INBOX")
    inbox, work = (world.script.store.find(b) for b in ("INBOX", "work"))
    world.script.store.move(inbox, 2, work)
    world.set_letters("m1", "S")
    world.local.add("work", lf(message("m9", "x" * size)), "1.here.host")
    world.hang_up_at("work", 2 if size else 1, WINDOW if size else WHOLE,
                     once=True)
    ends(world)
    assert world.script.answer == {}
    assert world.summary()["moved"] == 1
    flags = [m["flags"] for m in world.server.messages("work").values()
             if b"message m1" in m["body"]]
    assert flags == [{"\\Seen"}]
    world.assert_settled()


# still being stored


@pytest.mark.parametrize("asked", [b"APPEND", b"UID COPY"])
def test_what_the_server_still_stores_is_not_sent_again(scripted, asked):
    """The run is over, and its session is not: of what had been sent some is
    stored only when the next run has begun."""
    world = scripted()
    world.server.create("work")
    world.fill(2)
    if asked == b"APPEND":
        world.local.add("INBOX", lf(message("new")), "1.new.host")
    else:
        path = world.file_of("m1")
        copy = world.root / "work" / "cur" / "2.copy.host:2,"
        copy.write_bytes(path.read_bytes())
    late = []

    def later(session, tag, words):
        def store():
            with world.script.store.lock:
                box = world.script.store.find(
                    "INBOX" if asked == b"APPEND" else "work")
                world.script.store.append(
                    box, message("new" if asked == b"APPEND" else "m1"))

        world.script.well()
        late.append(threading.Timer(0.1, store))
        late[0].start()
        raise Hangup

    world.script.answer[asked] = later
    ends(world)
    world.sync()
    late[0].join()
    world.assert_settled()
    assert world.tokens() == ((["m0", "m1", "new"],) * 2
                              if asked == b"APPEND" else (["m0", "m1"],) * 2)
    assert world.tokens("work") == (([],) * 2 if asked == b"APPEND"
                                    else (["m1"],) * 2)


def test_nobody_waits_for_what_was_long_ago(scripted):
    world = scripted()
    world.fill(1)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    world.script.answer[b"APPEND"] = b"* BYE"
    world.sync(status=None)
    world.script.well()
    lock = world.state / "home" / "lock"
    assert lock.stat().st_size > 0
    long_ago = time.time() - 300
    os.utime(lock, (long_ago, long_ago))
    world.script.commands.clear()
    world.sync()
    assert sum(c.startswith(b"LIST") for c in world.script.commands) == 1
    assert lock.stat().st_size == 0
    world.assert_settled()
