"""A message at which the connection ends as its octets are compared with what
is here: it, and what may be it, comes last in each run."""

import os
import socket
import subprocess
import threading
import time

import pytest

from personas import Persona
from scripted import Hangup, Session
from test_safety import lose_journal
from world import can_trace, lf, message

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


# silent for too long


IDLE_S = 7


@pytest.mark.skipif(not can_trace(), reason="needs an strace that may trace")
@pytest.mark.parametrize("args", [[], ["--full"]])
def test_a_server_hears_of_us_while_files_are_read(
        scripted, monkeypatch, args):
    """Reading them takes longer than it waits for the next command, in this
    run and in each other."""
    waits = Session.read_command

    def read_command(session):
        session.sock.settimeout(IDLE_S)
        try:
            return waits(session)
        except socket.timeout:
            session.line(b"* BYE you were idle for too long")
            raise Hangup
        finally:
            session.sock.settimeout(None)

    monkeypatch.setattr(Session, "read_command", read_command)
    world = scripted(timeout=5)
    world.fill(4)
    if args:
        files = [world.file_of("m%d" % n) for n in range(4)]
        for path in files:
            os.utime(path, (1, 1))
        world.server.append("INBOX", message("new"))
    else:
        files = [world.local.add("INBOX", lf(message("n%d" % n)),
                                 "%d.n.host" % n) for n in range(4)]
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
            "inject=read:delay_enter=700000:when=1..12"]
    for path in files:
        slow += ["-P", str(path)]
    done = subprocess.run(
        slow + [world.binary, "-c", str(world.config), "sync", *args],
        env={**world.env(), "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"NOOP" in world.script.names()
    world.assert_settled()


# measured

SIZE = b"RFC822.SIZE"


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS"


KINDS = [Persona, Condstore, Bare]


def one_that_cannot_be_measured(world, synced):
    """UID 4 of INBOX, among others; some are SYNCED before that."""
    world.server.create("work")
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.server.append("work", message("w0"))
    if synced:
        world.sync()
    world.server.append("INBOX", message("bad"))
    world.server.append("INBOX", message("new"))
    world.server.append("work", message("w1"))
    world.hang_up_at("INBOX", 4, SIZE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("synced", [True, False])
def test_nothing_else_waits_for_one_that_cannot_be_measured(
        scripted, kind, synced):
    world = scripted(kind)
    one_that_cannot_be_measured(world, synced)
    world.local.add("work", lf(message("here")), "1.here.host")
    world.local.add("INBOX", lf(message("here, too")), "2.here.host")
    done = ends(world)
    assert "INBOX: when the size of uid 4 was asked for" in done.err
    for k in range(3):
        done = ends(world)
        assert "INBOX: uid 4: the connection ends whenever it is asked for" \
            in done.err
        assert "INBOX: when the size of uid 4 was asked for" in done.err
        assert set(world.tokens()[1]) >= {"m0", "m1", "m2", "new"}
        assert set(world.tokens("work")[1]) >= {"w0", "w1"}
    # by then it is not the line that is to blame; but for INBOX nobody knows
    # whether it is the one that is here
    assert world.tokens() == (["bad", "m0", "m1", "m2", "new"],
                              ["here, too", "m0", "m1", "m2", "new"])
    assert world.tokens("work") == (["here", "w0", "w1"],) * 2
    world.script.well()
    done = world.summary()
    assert (done["pulled"], done["pushed"]) == (1, 1)
    world.assert_settled()


def test_a_gap_before_one_that_cannot_be_measured(scripted):
    """In a mailbox that is listed with sizes nobody knows which UID is next."""
    world = scripted()
    for n in range(6):
        world.server.append("INBOX", message("m%d" % n))
    world.server.expunge("INBOX", [3, 4])
    world.hang_up_at("INBOX", 5, SIZE)
    for _ in range(3):
        done = ends(world)
    assert "INBOX: when the size of uid 5 was asked for" in done.err
    assert world.tokens()[1] == ["m0", "m1", "m5"]
    world.script.well()
    assert world.summary()["pulled"] == 1
    world.assert_settled()


def test_two_that_cannot_be_measured(scripted):
    world = scripted()
    one_that_cannot_be_measured(world, True)
    world.hang_up_at("INBOX", 5, SIZE)
    ends(world)
    world.hang_up_at("INBOX", 4, SIZE)
    ends(world)
    world.server.append("INBOX", message("newer"))
    for _ in range(2):
        ends(world)
        assert "newer" in world.tokens()[1]
    world.script.well()
    assert world.summary()["pulled"] >= 1
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("synced", [True, False])
def test_the_line_is_cut_once_as_sizes_come(scripted, kind, synced):
    world = scripted(kind)
    one_that_cannot_be_measured(world, synced)
    world.hang_up_at("INBOX", 4, SIZE, once=True)
    ends(world)
    assert world.script.answer == {}
    done = world.summary()
    assert done["pulled"] == (3 if synced else 7)
    world.script.commands.clear()
    world.sync()
    assert not any(SIZE in c for c in world.script.commands)
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_is_cut_as_what_has_a_row_is_measured(scripted, kind):
    """A run that ends before it is through has recorded what it sent; the next
    one takes it for new, until all has been listed."""
    world = scripted(kind)
    world.server.create("work")
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    for n in range(2):
        world.local.add("INBOX", lf(message("new%d" % n)), "%d.here.host" % n)

    def append(session, tag, words):
        if len(session.store.find("INBOX").mail) == 4:
            raise Hangup

    world.script.answer[b"APPEND"] = append
    ends(world)
    world.script.well()
    assert world.tokens()[0] == ["m0", "m1", "m2", "new0"]
    world.hang_up_at("INBOX", 4, SIZE, once=True)
    ends(world)
    assert world.script.answer == {}
    world.local.add("work", lf(message("two")), "2.here.host")
    world.sync()
    assert world.tokens() == (["m0", "m1", "m2", "new0", "new1"],) * 2
    assert world.tokens("work") == (["two"],) * 2
    assert "uid" not in world.run("status", "home").out
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_one_that_was_not_measured_waits(scripted, kind):
    """It is what left INBOX there, and what was sent to work by a run that
    never knew it had been."""
    world = scripted(kind)
    world.moved_there(3, 2)
    world.set_letters("m1", "S")
    world.server.append("work", message("sent"))
    world.local.add("work", lf(message("sent")), "1.sent.host")
    for uid in 1, 2:
        world.hang_up_at("work", uid, SIZE, once=True)
        ends(world)
        assert world.script.answer == {}
    done = world.summary()
    assert (done["moved"], done["adopted"]) == (1, 1)
    assert (done["pulled"], done["pushed"]) == (0, 0)
    assert {"\\Seen"} in [m["flags"]
                         for m in world.server.messages("work").values()]
    world.assert_settled()


def test_what_was_moved_here_waits_for_one_that_was_not_measured(scripted):
    """And it is not gone from where it was before it is where it is now."""
    world = scripted()
    world.server.create("work")
    world.fill(3)
    path = world.file_of("m1")
    path.rename(world.root / "work" / "cur" / path.name)
    world.server.append("INBOX", message("bad"))
    world.hang_up_at("INBOX", 4, SIZE)
    for _ in range(3):
        ends(world)
        assert world.tokens()[0] == ["bad", "m0", "m1", "m2"]
    ends(world)
    assert world.tokens()[0] == ["bad", "m0", "m2"]
    assert world.tokens("work") == (["m1"],) * 2
    path = world.file_of("m1", "work")
    path.rename(world.root / "INBOX" / "cur" / path.name)
    for _ in range(2):
        ends(world)
        assert world.tokens("work")[0] == ["m1"]
    world.script.well()
    assert world.summary()["moved"] == 1
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_here_already_cannot_be_measured_there(scripted, kind):
    """However often it has ended the connection, it is not sent again."""
    world = scripted(kind)
    one_that_cannot_be_measured(world, False)
    world.sync("home:work")
    for n in range(4):
        token = "bad" if n == 3 else "m%d" % n
        world.local.add("INBOX", lf(message(token)), "%d.host" % n)
    for _ in range(6):
        ends(world)
    assert world.tokens() == (["bad", "m0", "m1", "m2", "new"],) * 2
    world.script.well()
    assert world.summary()["adopted"] == 1
    assert world.tokens() == (["bad", "m0", "m1", "m2", "new"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("when", ["before", "then"])
def test_not_measured_in_one_that_is_numbered_anew(scripted, when):
    world = scripted()
    world.server.create("work")
    uids = world.fill(4)
    if when == "then":
        world.server.append("INBOX", message("new"))
        world.hang_up_at("INBOX", 5, SIZE, once=True)
        ends(world)
    world.server.expunge("INBOX", uids[:1])
    world.server.renumber("INBOX")
    if when == "before":
        world.hang_up_at("INBOX", 2, SIZE, once=True)
        ends(world)
    world.sync()
    assert world.tokens() == (
        ["m0", "m1", "m2", "m3"] + (["new"] if when == "then" else []),) * 2
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
def test_never_measured_in_one_that_is_numbered_anew(scripted, kind):
    """Its mailbox waits, as one of its rows may be its; the others do not."""
    world = scripted(kind)
    world.server.create("work")
    world.fill(4)
    world.server.renumber("INBOX")
    world.server.append("INBOX", message("new"))
    world.server.append("work", message("w"))
    world.local.add("work", lf(message("here")), "1.here.host")
    world.hang_up_at("INBOX", 2, SIZE)
    for _ in range(6):
        ends(world)
    assert world.tokens("work") == (["here", "w"],) * 2
    world.script.well()
    world.sync()
    assert world.tokens() == (["m0", "m1", "m2", "m3", "new"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [False, True])
def test_one_that_cannot_be_measured_is_gone(scripted, kind, last):
    world = scripted(kind)
    one_that_cannot_be_measured(world, True)
    if last:
        world.hang_up_at("INBOX", 5, SIZE)
    for _ in range(2):
        ends(world)
    world.server.expunge("INBOX", [5 if last else 4])
    world.sync()
    world.script.commands.clear()
    world.sync()
    assert not any(SIZE in c for c in world.script.commands)
    world.assert_settled()


def hang_up(session, tag, words):
    raise Hangup


def hang_up_at_opening(world, *boxes):
    def select(session, tag, words):
        if words[0].decode() in boxes:
            raise Hangup

    world.script.answer[b"SELECT"] = select


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", ["first", "later"])
def test_mailboxes_that_cannot_be_opened_are_named_and_come_last(
        scripted, kind, asked):
    world = scripted(kind)
    for box in "bad", "none", "work":
        world.server.create(box)
        world.server.append(box, message(box))
    if asked == "later":
        world.sync()
        world.set_letters("bad", "S", "bad")
        world.server.append("bad", message("more"))
        world.server.append("none", message("more"))
    world.server.append("work", message("new"))
    world.local.add("INBOX", lf(message("here")), "1.here.host")
    hang_up_at_opening(world, "bad", "none")
    done = ends(world)
    assert "bad: when it was opened: " in done.err
    assert "whenever" not in done.err
    ends(world)
    said = [ends(world).err for _ in range(3)]
    assert world.tokens("work") == (["new", "work"],) * 2
    assert world.tokens() == (["here"],) * 2
    for box in "bad", "none":
        text = box + ": the connection ends whenever it is opened"
        assert any(text in err for err in said)
        assert any(box + ": when it was opened: " in err for err in said)
    world.script.well()
    world.sync()
    assert world.tokens("bad")[0] == world.tokens("bad")[1]
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("often", [1, 2, 3])
@pytest.mark.parametrize("here", [False, True])
def test_ended_at_a_message_and_later_at_opening(scripted, kind, often, here):
    """However often each of them did, one good run brings all."""
    world = scripted(kind)
    world.server.create("work")
    world.fill(2)
    if here:
        world.local.add("INBOX", lf(message("new")), "1.here.host")
        world.script.answer[b"APPEND"] = hang_up
    else:
        world.server.append("INBOX", message("new"))
        world.hang_up_at("INBOX", 3, WHOLE)
    ends(world)
    world.server.append("INBOX", message("newer"))
    hang_up_at_opening(world, "INBOX")
    for _ in range(often):
        ends(world)
    world.script.well()
    world.sync()
    assert world.tokens() == (["m0", "m1", "new", "newer"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("often", [1, 2])
@pytest.mark.parametrize("bad", ["bad", "work"])
def test_what_may_be_in_one_that_could_not_be_opened(scripted, bad, often):
    """What one that is numbered anew lacks goes up in the run that opens both."""
    world = scripted()
    for box in "bad", "work":
        world.server.create(box)
        for n in range(3):
            world.server.append(box, message(box + str(n)))
    world.sync()
    for box in "bad", "work":
        world.server.expunge(box, [1])
        world.server.renumber(box)
        world.server.append(box, message("new " + box))
    hang_up_at_opening(world, bad)
    for _ in range(often):
        ends(world)
    world.script.well()
    world.sync()
    for box in "bad", "work":
        tokens = sorted([box + "0", box + "1", box + "2", "new " + box])
        assert world.tokens(box) == (tokens, tokens)
    world.assert_settled()


def test_moves_of_one_that_cannot_be_opened(scripted):
    world = scripted()
    inbox, work = world.moved_there(4)
    for box in "bad", "work":
        if box != "work":
            world.server.create(box)
        world.server.append(box, message(box))
    world.sync()
    bad = world.script.store.find("bad")
    world.script.store.move(inbox, 1, bad)
    world.script.store.move(bad, 1, work)
    path = world.file_of("m1")
    path.rename(world.root / "bad" / "cur" / (path.name.split(":")[0] + ":2,"))
    world.server.append("work", message("new"))
    hang_up_at_opening(world, "bad")
    for _ in range(3):
        ends(world)
    there, here = world.tokens()
    assert "m1" in there and "m2" in there and "m2" in here
    assert {"new", "work"} <= set(world.tokens("work")[1])
    world.script.well()
    world.sync()
    assert world.tokens("bad") == (["m0", "m1"],) * 2
    assert world.tokens("work") == (["bad", "new", "work"],) * 2
    assert world.tokens() == (["m2", "m3"],) * 2
    world.assert_settled()


def one_in_work(world):
    """Synced, and then moved to Xtra there."""
    for box in "Work", "Xtra":
        world.server.create(box)
    world.server.append("Work", message("old"))
    world.sync()
    store = world.script.store
    store.move(store.find("Work"), 1, store.find("Xtra"))


@pytest.mark.parametrize("box", ["Work", "Xtra"])
def test_the_line_is_cut_once_at_opening(scripted, box):
    """The next run does what one without that would: nothing comes twice, and
    no flag is lost."""
    world = scripted()
    one_in_work(world)
    world.set_letters("old", "F", "Work")
    hang_up_at_opening(world, box)
    ends(world)
    world.script.well()
    world.script.commands.clear()
    world.sync()
    assert not any(WHOLE + b")" in c for c in world.script.commands)
    assert world.tokens("Work") == ([], [])
    assert world.tokens("Xtra") == (["old"],) * 2
    assert [m["flags"] for m in world.server.messages("Xtra").values()] == [
        {"\\Flagged"}]
    world.assert_settled()


def test_flagged_here_and_moved_there_into_one_that_could_not_be_opened(
        scripted):
    """It is not deleted before its mailbox was looked at: the flag goes with
    it."""
    world = scripted()
    one_in_work(world)
    world.set_letters("old", "F", "Work")
    hang_up_at_opening(world, "Xtra")
    for _ in range(3):
        ends(world)
    assert world.tokens("Work") == ([], ["old"])
    world.script.well()
    world.sync()
    assert world.tokens("Work") == ([], [])
    assert world.tokens("Xtra") == (["old"],) * 2
    assert [m["flags"] for m in world.server.messages("Xtra").values()] == [
        {"\\Flagged"}]
    world.assert_settled()


@pytest.mark.parametrize("cut", [False, True])
def test_moved_on_both_sides_out_of_one_that_is_not_looked_at(scripted, cut):
    """As its connection was CUT, or it was not asked for.  Where it went on
    either side, it is no new message."""
    world = scripted()
    one_in_work(world)
    path = world.file_of("old", "Work")
    path.rename(world.root / "INBOX" / "cur" / path.name)
    if cut:
        hang_up_at_opening(world, "Work")
        for _ in range(3):
            ends(world)
        world.script.well()
    else:
        world.sync("home:INBOX", "home:Xtra")
        assert world.tokens() == ([], ["old"])
        assert world.tokens("Xtra") == (["old"], [])
    world.sync()
    assert world.tokens() == world.tokens("Work") == ([], [])
    assert world.tokens("Xtra") == (["old"],) * 2
    world.assert_settled()


def test_not_measured_where_nothing_comes_down(scripted):
    world = scripted(direction="push")
    world.local.add("INBOX", lf(message("here")), "1.here.host")
    world.sync()
    world.server.append("INBOX", message("there"))
    world.hang_up_at("INBOX", 2, SIZE, once=True)
    ends(world)
    world.sync()
    world.script.commands.clear()
    world.sync()
    assert not any(b"FETCH" in c for c in world.script.commands)


# still being stored


class Late:
    """A message that is stored DELAY seconds after the session of the run that
    sent it, which is over as the command ASKED comes."""

    def __init__(self, world, asked, box, token, delay=0.1):
        self.world, self.box, self.token = world, box, token
        self.timer = threading.Timer(delay, self.store)
        world.script.answer[asked] = self.ends

    def store(self):
        with self.world.script.store.lock:
            box = self.world.script.store.find(self.box)
            self.world.script.store.append(box, message(self.token))

    def ends(self, session, tag, words):
        self.world.script.well()
        self.timer.start()
        raise Hangup

    def join(self):
        self.timer.join()
        self.world.assert_settled()


@pytest.mark.parametrize("asked", [b"APPEND", b"UID COPY"])
def test_what_the_server_still_stores_is_not_sent_again(scripted, asked):
    """The run is over, and its session is not: of what had been sent some is
    stored only when the next run has begun."""
    world = scripted()
    world.server.create("work")
    world.fill(2)
    if asked == b"APPEND":
        world.local.add("INBOX", lf(message("new")), "1.new.host")
        late = Late(world, asked, "INBOX", "new")
    else:
        path = world.file_of("m1")
        copy = world.root / "work" / "cur" / "2.copy.host:2,"
        copy.write_bytes(path.read_bytes())
        late = Late(world, asked, "work", "m1")
    ends(world)
    world.sync()
    late.join()
    assert world.tokens() == ((["m0", "m1", "new"],) * 2
                              if asked == b"APPEND" else (["m0", "m1"],) * 2)
    assert world.tokens("work") == (([],) * 2 if asked == b"APPEND"
                                    else (["m1"],) * 2)


class NoMove(Persona):
    caps = Persona.caps.replace(" MOVE", "")


def test_what_goes_to_the_trash_without_move_goes_there_once(scripted):
    world = scripted(NoMove, on_local_delete="trash", trash="Bin")
    world.server.create("Bin")
    world.fill(3)
    world.file_of("m1").unlink()
    late = Late(world, b"UID COPY", "Bin", "m1")
    ends(world)
    world.sync()
    late.join()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("Bin") == (["m1"],) * 2
    assert (world.state / "home" / "lock").stat().st_size == 0


def one_that_is_late(scripted, delay=0.1):
    world = scripted()
    world.fill(2)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    late = Late(world, b"APPEND", "INBOX", "new", delay)
    ends(world)
    return world, late


def test_a_server_that_is_behind_a_door_here_has_more_time(scripted):
    """ssh -L, stunnel: the address is of this machine, and the server is not.
    Its answers tell."""
    world, late = one_that_is_late(scripted, delay=1)
    world.script.answer[b"LIST"] = lambda session, tag, words: time.sleep(0.03)
    world.sync()
    late.join()
    assert world.tokens() == (["m0", "m1", "new"],) * 2


def test_killed_while_it_waited_long_for_an_answer(scripted):
    """Nothing is written meanwhile."""
    world, late = one_that_is_late(scripted)
    lock = world.state / "home" / "lock"
    then = time.time() - 1800
    os.utime(lock, (then, then))
    world.sync()
    late.join()
    assert world.tokens() == (["m0", "m1", "new"],) * 2


def times_of_the_note(world):
    """Those that show while a sync is under way; 0: no note."""
    lock, seen = world.state / "home" / "lock", set()
    run = world.start("sync", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while run.poll() is None:
        time.sleep(0.05)
        st = lock.stat()
        seen.add(st.st_mtime if st.st_size else 0)
    run.communicate()
    assert run.returncode == 0
    return seen


def test_the_note_is_of_now_as_long_as_something_is_sent(scripted):
    world = scripted()
    world.fill(1)
    for n in range(10):
        world.local.add("INBOX", lf(message("n%d" % n)), "%d.n.host" % n)
    world.script.answer[b"APPEND"] = \
        lambda session, tag, words: time.sleep(0.3)
    assert len(times_of_the_note(world) - {0}) > 1
    assert (world.state / "home" / "lock").stat().st_size == 0
    world.assert_settled()


def test_there_is_no_note_before_anything_is_sent(scripted):
    world = scripted()
    world.fill(1)
    world.server.append("INBOX", message("more"))
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    lock = world.state / "home" / "lock"
    sizes = []
    world.script.answer[b"UID FETCH"] = \
        lambda session, tag, words: sizes.append(lock.stat().st_size)
    world.script.answer[b"APPEND"] = \
        lambda session, tag, words: sizes.append(-lock.stat().st_size)
    world.sync()
    sent = sizes.index(-8)
    assert len(sizes) > 2 and set(sizes[:sent]) == {0}
    world.assert_settled()


def test_at_an_error_the_note_is_written_again(scripted):
    world = scripted(timeout=5)
    world.fill(1)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    world.script.answer[b"APPEND"] = lambda session, tag, words: time.sleep(6)
    ends(world)
    assert time.time() - (world.state / "home" / "lock").stat().st_mtime < 3


def test_nobody_waits_for_what_was_long_ago(scripted):
    world = scripted()
    world.fill(1)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    world.script.answer[b"APPEND"] = b"* BYE"
    world.sync(status=None)
    world.script.well()
    lock = world.state / "home" / "lock"
    assert lock.stat().st_size > 0
    long_ago = time.time() - 2 * 3600
    os.utime(lock, (long_ago, long_ago))
    world.script.commands.clear()
    world.sync()
    assert sum(c.startswith(b"LIST") for c in world.script.commands) == 1
    assert lock.stat().st_size == 0
    world.assert_settled()
