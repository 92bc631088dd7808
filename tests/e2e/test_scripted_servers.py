"""Servers that people have (personas.py): the whole program against each."""

import random

import pytest

from personas import Gmail, Icloud, Outlook, Persona, Yahoo
from scripted import Hangup
from test_faults import start
from world import lf, message

KINDS = [Persona, Gmail, Outlook, Yahoo, Icloud]

# By name: what shows the messages of other mailboxes is left out otherwise.
EVERYTHING = ["*", "[Gmail]/All Mail", "[Gmail]/Important",
              "[Gmail]/Starred"]


def named(kind):
    return {"mailboxes": EVERYTHING} if kind is Gmail else {}


def settle(world):
    """With labels what we do in one mailbox shows in others afterwards."""
    world.sync()
    if world.script.persona.labels:
        world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind, off", [(k, []) for k in KINDS] + [
    (Yahoo, ["UIDONLY"]), (Yahoo, ["QRESYNC"]),
    (Yahoo, ["CONDSTORE", "UIDONLY"]), (Gmail, ["CONDSTORE", "MOVE"]),
    (Icloud, ["ESEARCH"]), (Persona, ["ENABLE"]), (Persona, ["LIST-STATUS"])])
def test_a_week_with(scripted, kind, off):
    world = scripted(kind, disable_extensions=off, **named(kind))
    server = world.server
    uids = [server.append("INBOX", message("m%d" % i)) for i in range(14)]
    settle(world)
    assert len(world.local.files("INBOX")) == 14
    # they read, flag, write and delete
    server.flag("INBOX", uids[0], ["\\Seen"])
    server.flag("INBOX", uids[1], ["\\Flagged", "\\Answered"])
    server.append("INBOX", message("late"), ["\\Seen"])
    server.expunge("INBOX", uids[2:4])
    # and so do we
    world.set_letters("m5", "FS")
    world.file_of("m6").unlink()
    world.local.add("INBOX", message("mine"), "1.mine.host", sub="cur")
    world.local.add("INBOX", b"Subject: bare\n\nbody\n", "2.bare.host")
    settle(world)
    there, here = world.tokens()
    assert there == here == sorted(
        ["m%d" % i for i in range(14) if i not in (2, 3, 6)] +
        ["late", "mine", "bare"])


def test_more_at_once_than_the_limit(scripted):
    """MESSAGELIMIT=5, with everything that names messages."""
    world = scripted(Yahoo)
    world.fill(40)
    for i in range(12):
        world.file_of("m%d" % i).unlink()
        world.set_letters("m%d" % (12 + i), "FS")
    for i in range(24, 36):
        path = world.file_of("m%d" % i)
        path.rename(world.root / "Archive" / "cur" / path.name)
    world.sync()
    there, here = world.tokens()
    assert there == here == sorted("m%d" % i for i in
                                   [*range(12, 24), *range(36, 40)])
    there, here = world.tokens("Archive")
    assert there == here == sorted("m%d" % i for i in range(24, 36))
    flags = [m["flags"] for m in world.server.messages("INBOX").values()]
    assert flags.count({"\\Seen", "\\Flagged"}) == 12
    world.assert_settled()


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


@pytest.mark.parametrize("kind", [Persona, Condstore, Yahoo, Icloud, Gmail])
def test_people_and_a_line_that_fails(scripted, kind):
    """Each round is cut off after so many commands, then goes on."""
    world = scripted(kind, **named(kind))
    rng = random.Random(kind.__name__)
    model = start(world, rng)
    for _ in range(4):
        model.people(25)
        left = [rng.randrange(4, 25)]

        def cut(session, line):
            left[0] -= 1
            if left[0] < 0:
                raise Hangup
            return [line]

        world.script.rewrite = cut
        done = world.sync(status=None)
        assert done.returncode in (0, 69, 75), done.err
        world.script.well()
        settle(world)
        model.check()


class Modest(Persona):
    """Says that it takes less than it does."""
    caps = Persona.caps + " APPENDLIMIT=10"


def test_a_limit_that_is_not_true_may_be_passed_over(scripted):
    world = scripted(Modest)
    world.local.add("INBOX", message("here"), "1.here.host")
    assert "1.here.host" in world.sync(status=65).err
    # what was refused waits; another does not
    world.write_config(disable_extensions=["appendlimit"])
    world.local.add("INBOX", message("more"), "2.more.host")
    assert world.summary(status=65)["pushed"] == 1
    assert len(world.server.messages("INBOX")) == 1


class Merging(Persona):
    merges = True


def test_what_is_there_already_is_not_stored_once_more(scripted):
    """The UID of APPENDUID is then one that another file has; that one keeps
    it, and each run says which waits."""
    world = scripted(Merging)
    for n in range(3):
        world.local.add("INBOX", message("same"), "%d.a.host" % n)
    done = world.sync(status=65)
    assert done.err.count("did not store it once more") == 2
    row, = world.dump()
    world.local.add("INBOX", message("other"), "9.b.host")
    world.script.commands.clear()
    assert "2 messages wait" in world.sync(status=65).err
    assert sum(c.startswith(b"APPEND") for c in world.script.commands) == 1
    assert row in world.dump() and len(world.dump()) == 2
    # the one that has it goes: not so its like
    (world.root / "INBOX" / row["file"].split("/", 1)[1]).unlink()
    world.sync(status=None)
    assert len(world.local.files("INBOX")) == 3
    assert world.tokens()[1].count("same") == 2


@pytest.mark.parametrize("looked_at", [False, True])
def test_a_flag_that_the_server_does_not_keep_stays_here(scripted, looked_at):
    """It is dropped from a new message without a word (as where rights are
    missing, RFC 4314 section 4), and nobody has removed it."""
    world = scripted()
    world.fill(1)
    world.script.store.find("INBOX").permanent = ["\\Seen", "\\Deleted"]
    if looked_at:
        world.server.append("INBOX", message("there"))
    world.local.add("INBOX", lf(message("here")), "1.here.host:2,FS", "cur")
    world.sync()
    assert world.file_of("here").name == "1.here.host:2,FS"
    world.script.changing.clear()
    world.sync()
    assert world.file_of("here").name == "1.here.host:2,FS"
    assert world.script.changing == []
    # and what somebody does there counts
    uid = max(world.server.messages("INBOX"))
    assert world.server.messages("INBOX")[uid]["flags"] == {"\\Seen"}
    world.server.flag("INBOX", uid, remove=["\\Seen"])
    world.sync()
    assert world.file_of("here").name == "1.here.host:2,F"


class Named(Persona):
    """Says which messages are alike, in one mailbox as well (Cyrus)."""
    caps = Persona.caps + " OBJECTID"


@pytest.mark.parametrize("apart", [0, 60])
def test_many_that_are_alike_in_one_mailbox(scripted, apart):
    """They come in one pass, be they of one time or not."""
    world = scripted(Named)
    world.server.create("Copies")
    for box in "INBOX", "Copies":
        for n in range(12):
            uid = world.server.append(
                box, message("same"), when=1500000000 + n * apart)
            world.script.store.find(box).mail[uid].number = 7
    world.sync()
    assert all(len(world.local.files(b)) == 12 for b in ("INBOX", "Copies"))
    world.assert_settled()
