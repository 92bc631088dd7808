"""A server that refuses one thing, with NO or with BAD: it costs just that, and
each run says so.  And commands that a server would refuse are not sent."""

import re
import shutil

import pytest

from personas import Persona, Yahoo
from scripted import Hangup
from test_keywords import table
from world import lf, message

REFUSALS = [b"BAD Command Error. 12", b"NO [SERVERBUG] it is broken"]


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS"


class Silent(Persona):
    """MOVE, and nothing is said of what came of it."""
    caps = Persona.caps.replace("UIDPLUS ", "")


class Limited(Yahoo):
    """The same with MESSAGELIMIT."""

    def copyuid(self, validity, source, target):
        return "[COPYUID %d  ]" % validity


class Short(Persona):
    line_limit = 1000


def asks(words, what):
    return any(what in w for w in words[1])


def refuse(world, what, uid, answer, partly=False):
    """UID FETCH of WHAT, when UID is among them; PARTLY: behind those before it,
    which come."""
    asked = []

    def fetch(session, tag, words):
        if not asks(words, what):
            return False
        asked.append(words[0])
        with session.store.lock:
            uids = session.named(words[0])
            if uid not in uids:
                return False
            for u in uids[:uids.index(uid)] if partly else ():
                session.send_items(u, [w.decode() for w in words[1]])
        session.line(tag + b" " + answer)
        return True

    world.script.answer[b"UID FETCH"] = fetch
    return asked


@pytest.mark.parametrize("kind", [Silent, Limited])
@pytest.mark.parametrize("answer", [None] + REFUSALS)
def test_what_a_move_became_is_asked_of_the_messages_that_there_are(
        scripted, kind, answer):
    world = scripted(kind)
    world.server.create("Box")
    world.fill(5)
    world.sync()
    asked = []

    def fetch(session, tag, words):
        if not asks(words, b"HEADER.FIELDS"):
            return False
        asked.append(words[0])
        if len(asked) > 20:
            raise Hangup
        if answer:
            session.line(tag + b" " + answer)
        return bool(answer)

    world.script.answer[b"UID FETCH"] = fetch
    path = world.file_of("m1")
    path.rename(world.root / "Box" / "cur" / path.name)
    world.sync(status=None)
    assert asked and len(asked) <= 3
    world.assert_recovers()
    assert world.tokens("Box") == (["m1"], ["m1"])


@pytest.mark.parametrize("answer", REFUSALS)
def test_an_expunge_that_is_refused_brings_nothing_back(scripted, answer):
    """What carries \\Deleted went here; there it goes once the server lets it."""
    world = scripted(expunge=True)
    world.fill(3)
    world.set_letters("m1", "T")
    world.script.answer[b"UID EXPUNGE"] = answer
    for _ in range(2):
        done = world.sync(status=65)
        assert "EXPUNGE" in done.err
        assert world.tokens() == (["m0", "m1", "m2"], ["m0", "m2"])
    world.assert_recovers()
    assert world.tokens() == (["m0", "m2"],) * 2


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_body_that_is_refused_costs_that_message(scripted, answer):
    world = scripted()
    world.fill(3)
    uids = [world.server.append("INBOX", message("new%d" % i))
            for i in range(30)]
    refuse(world, b"BODY.PEEK[]", uids[9], answer, partly=True)
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "uid %d:" % uids[9] in line
    assert len(world.local.files("INBOX")) == 32
    world.assert_idle(status=65)


def test_bodies_that_are_all_bad_are_not_asked_for_one_by_one(scripted):
    world = scripted()
    world.fill(1)
    for i in range(400):
        world.server.append("INBOX", message("new%d" % i))
    asked = []

    def fetch(session, tag, words):
        if not asks(words, b"BODY.PEEK[]"):
            return False
        asked.append(words[0])
        session.line(tag + b" BAD what is a body?")
        return True

    world.script.answer[b"UID FETCH"] = fetch
    done = world.sync(status=None)
    assert done.returncode in (65, 69, 75) and "what is a body?" in done.err
    assert len(asked) < 200
    assert len(world.server.messages("INBOX")) == 401
    assert len(world.local.files("INBOX")) == 1


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_message_that_cannot_be_compared_costs_that_message(
        scripted, answer):
    """The journal is lost, and all is paired again."""
    world = scripted()
    uids = world.fill(30)
    shutil.rmtree(world.root.parent / "state")
    world.server.append("INBOX", message("later"))
    refuse(world, b"BODY.PEEK[]", uids[9], answer)
    world.sync(status=65)
    there, here = world.tokens()
    assert there == here and len(here) == 31


@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("what", ["EXAMINE", "UNSELECT"])
def test_a_mailbox_that_cannot_be_looked_at_costs_that_mailbox(
        scripted, what, answer):
    """It is listed, and STATUS says nothing of it."""
    world = scripted()
    world.server.create("Box")
    world.fill(3)
    world.server.append("INBOX", message("new"))

    def no(session, tag, words):
        if words[0] == b"Box":
            session.line(tag + b" " + answer)
        return words[0] == b"Box"

    if what == "UNSELECT":
        # without a code, which would excuse it
        world.script.answer = {b"STATUS": no, b"UNSELECT": answer.replace(
            b"[SERVERBUG] ", b"")}
    else:
        world.script.answer = {b"STATUS": no, b"SELECT": no, b"EXAMINE": no}
    world.script.rewrite = lambda session, line: [] if (
        line.startswith(b"* STATUS") and b"Box" in line) else [line]
    done = world.sync(status=None)
    assert done.returncode == (0 if what == "UNSELECT" else 65), done.err
    assert ("Box" in done.err) == (what == "EXAMINE")
    assert len(world.local.files("INBOX")) == 4
    assert "Box" in world.local.mailboxes()
    world.assert_recovers()


@pytest.mark.parametrize("kind", [Persona, Bare])
@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("old", [0, 3])
def test_a_size_that_is_refused_costs_that_message(
        scripted, kind, partly, answer, old):
    world = scripted(kind)
    world.fill(old)
    uids = [world.server.append("INBOX", message("new%d" % i))
            for i in range(60)]
    asked = refuse(world, b"RFC822.SIZE", uids[39], answer, partly)
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "uid %d:" % uids[39] in line
    assert len(world.local.files("INBOX")) == old + 59
    assert len(asked) < 100
    # the mailbox is known as any other
    asked.clear()
    for _ in range(2):
        world.server.append("INBOX", message("more"))
        world.sync(status=65)
    assert all(int(uid) > uids[-1] for uid_set in asked
               for uid in re.split(b"[:,]", uid_set)), asked
    assert len(world.local.files("INBOX")) == old + 61
    world.script.well()
    world.assert_idle(status=65)


def test_sizes_that_are_all_refused_are_not_asked_for_one_by_one(scripted):
    world = scripted()
    for i in range(300):
        world.server.append("INBOX", message("m%d" % i))
    asked = []

    def fetch(session, tag, words):
        if asks(words, b"RFC822.SIZE"):
            asked.append(words[0])
            session.line(tag + b" BAD what is a size?")
        return asks(words, b"RFC822.SIZE")

    world.script.answer[b"UID FETCH"] = fetch
    done = world.sync(status=None)
    assert done.returncode != 0 and "what is a size?" in done.err
    assert len(asked) < 150
    world.assert_recovers()


def test_lines_are_no_longer_than_a_server_takes(scripted):
    """STORE and MOVE, of scattered messages with long UIDs."""
    far = "A" * 80 + "/" + "B" * 60
    world = scripted(Short)
    with world.script.store.lock:
        box = world.script.store.find("INBOX")
        box.uidnext, box.highest = 1000000001, 1717171717171717
    world.server.create("A" * 80)
    world.server.create(far)
    table(world, "NonJunk", "project-apollo", "$label3")
    for i in range(240):
        world.server.append("INBOX", message("m%d" % i),
                            ["\\Flagged"] if i % 2 else [])
    world.sync()
    for _, _, path in world.local.files("INBOX"):
        if ":2,F" in path.name:
            path.rename(path.parent / (path.name.split(":")[0] + ":2,FRSabc"))
    world.sync()
    changed = [m["flags"] for m in world.server.messages("INBOX").values()
               if "\\Seen" in m["flags"]]
    assert len(changed) == 120 and all(
        {"NonJunk", "project-apollo", "$label3", "\\Answered"} <= flags
        for flags in changed)
    for _, _, path in world.local.files("INBOX"):
        if ":2,F" not in path.name:
            path.rename(world.root / ("A" * 80) / ("B" * 60) / "cur" /
                        path.name)
    world.sync()
    assert len(world.server.messages(far)) == 120
    assert all(len(c) < 1000 for c in world.script.commands)
    assert world.script.names().count(b"APPEND") == 0
    world.assert_settled()


def test_why_a_server_hangs_up_is_said_though_it_reads_no_more(scripted):
    world = scripted()
    world.fill(2)

    def append(session, tag, words):
        session.raw(b"* BYE Too many simultaneous connections\r\n")
        raise Hangup

    world.script.answer = {b"APPEND": append}
    for i in range(12):
        world.local.add("INBOX", message("big%d" % i, size=900000),
                        "%d.big.host" % i)
    for _ in range(4):
        done = world.sync(status=75)
        assert "Too many simultaneous connections" in done.err
    world.assert_recovers()


@pytest.mark.parametrize("command", ["AUTHENTICATE", "ENABLE"])
def test_an_answer_that_cannot_be_read_is_no_ok(scripted, command):
    world = scripted()
    world.fill(2)
    world.server.append("INBOX", message("new"))
    world.script.commands.clear()

    def hello(session, tag, words):
        session.line("* ENABLED QRESYNC")
        session.line(tag + b" HELLO you")
        return True

    world.script.answer = {command.encode(): hello}
    done = world.sync(status=None)
    if command == "ENABLE":
        assert done.returncode == 0
        assert not any(b"QRESYNC (" in c for c in world.script.commands)
    else:
        assert done.returncode != 0 and "makes no sense" in done.err
        assert world.script.names()[-1] == b"AUTHENTICATE"
    world.assert_recovers()


def read_only(world, box):
    """The server opens BOX so, as where somebody shares it with many."""
    def select(session, tag, words):
        if words[0] != box.encode():
            return False
        with session.store.lock:
            session.do_select(tag, words, False)
        session.line(tag + b" OK [READ-ONLY] shared")
        return True

    world.script.answer[b"SELECT"] = select


@pytest.mark.parametrize("kind", [Persona, Bare])
@pytest.mark.parametrize("change", ["flag", "delete", "move"])
def test_new_messages_come_from_a_mailbox_that_can_only_be_read(
        scripted, kind, change):
    """What is changed in it here cannot be carried out, and each run says so;
    it is when the mailbox can be written to."""
    world = scripted(kind)
    world.server.create("shared")
    world.fill(1)
    read_only(world, "shared")
    for i in range(3):
        world.server.append("shared", message("s%d" % i))
    world.sync()
    assert world.tokens("shared")[1] == ["s0", "s1", "s2"]
    path = world.file_of("s1", "shared")
    if change == "flag":
        world.set_letters("s1", "F", "shared")
    elif change == "delete":
        path.unlink()
    else:
        path.rename(world.root / "INBOX" / "cur" / (path.name + ":2,"))
    for i in range(2):
        world.server.append("shared", message("new%d" % i))
        done = world.sync(status=65)
        assert "read-only" in done.err
        assert "new%d" % i in world.tokens("shared")[1]
    world.script.changing.clear()
    world.assert_recovers()
    there = {"flag": ["s0", "s1", "s2"]}.get(change, ["s0", "s2"])
    assert world.tokens("shared")[0] == ["new0", "new1"] + there
    assert world.tokens()[0] == ["m0"] + (["s1"] if change == "move" else [])
    if change == "flag":
        assert world.file_of("s1", "shared").name.endswith(":2,F")


@pytest.mark.parametrize("kind, change", [
    (Persona, "delete"), (Bare, "delete"), (Bare, "trash"), (Bare, "move")])
def test_nothing_is_deleted_where_that_mark_does_not_stay(
        scripted, kind, change):
    """A shared mailbox in which one may mark as seen, and no more: STORE and
    UID EXPUNGE say OK, and do nothing.  Each run says so."""
    options = {"on_local_delete": "trash", "trash": "Bin"}
    world = scripted(kind, **options if change == "trash" else {})
    for box in "Bin", "shared":
        world.server.create(box)
    world.fill(1)
    shared = world.script.store.find("shared")
    all_flags, shared.permanent = shared.permanent, ["\\Seen"]
    for i in range(3):
        world.server.append("shared", message("s%d" % i))
    world.sync()
    world.set_letters("s0", "S", "shared")
    path = world.file_of("s1", "shared")
    if change == "move":
        path.rename(world.root / "INBOX" / "cur" / (path.name + ":2,"))
    else:
        path.unlink()
    for i in range(2):
        done = world.sync(status=65)
        assert "shared: the server lets nothing be deleted" in done.err
        assert "deleted on server" not in done.out
        assert world.tokens("shared") == (["s0", "s1", "s2"], ["s0", "s2"])
        assert world.tokens("Bin")[0] == []
    assert {"\\Seen"} in [m["flags"] for m in
                           world.server.messages("shared").values()]
    shared.permanent = all_flags
    world.assert_recovers()
    assert world.tokens("shared")[0] == ["s0", "s2"]
    assert world.tokens()[0] == ["m0"] + (["s1"] if change == "move" else [])
    assert world.tokens("Bin")[0] == (["s1"] if change == "trash" else [])


def test_files_are_found_again_where_messages_can_only_be_read(scripted):
    """Octets are compared, which is no change; once, whatever flags the files
    have."""
    world = scripted()
    world.server.create("shared")
    read_only(world, "shared")
    for i in range(3):
        world.server.append("shared", message("s%d" % i), ["\\Answered"])
        world.local.add("shared", lf(message("s%d" % i)),
                        "%d.s.host:2,%s" % (i, "F" * i), "cur")
    done = world.summary()
    assert (done["adopted"], done["pulled"]) == (3, 0)
    assert world.file_of("s1", "shared").name == "1.s.host:2,FR"
    world.script.commands.clear()
    world.sync()
    assert not any(b"BODY" in c for c in world.script.commands)
    # and what is changed there from now on counts
    uid = min(world.server.messages("shared")) + 1
    world.server.flag("shared", uid, ["\\Flagged"], ["\\Answered"])
    world.sync()
    assert world.file_of("s1", "shared").name == "1.s.host:2,F"


@pytest.mark.parametrize("command", ["MOVE", "COPY"])
def test_new_messages_come_where_another_may_not_be_put(scripted, command):
    world = scripted()
    world.server.create("work")
    world.fill(3)
    path = world.file_of("m1")
    if command == "MOVE":
        path.rename(world.root / "work" / "cur" / (path.name + ":2,"))
    else:
        world.local.add("work", path.read_bytes(), "1.copy.host")
    for box in ("INBOX", "work"):
        world.server.append(box, message("new-" + box))
        world.local.add(box, lf(message("here-" + box)), "1.%s.host" % box)
    world.script.answer[b"UID " + command.encode()] = b"NO [OVERQUOTA] full"
    done = world.sync(status=65)
    assert "full" in done.err
    for box in ("INBOX", "work"):
        assert {"new-" + box, "here-" + box} <= set(world.tokens(box)[0])
        assert {"new-" + box, "here-" + box} <= set(world.tokens(box)[1])
    assert "m1" in world.tokens()[0]
    assert "m1" in world.tokens("work")[1]
    world.assert_recovers()
    assert "m1" in world.tokens("work")[0]


def test_a_trash_that_cannot_be_made_costs_the_deletes(scripted):
    world = scripted(on_local_delete="trash", trash="Bin")
    world.script.answer[b"CREATE"] = b"NO [NOPERM] not you"
    for i in range(3):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()  # it is not needed yet
    world.file_of("m1").unlink()
    world.server.append("INBOX", message("new"))
    done = world.sync(status=65)
    assert "NOPERM" in done.err
    assert world.tokens() == (["m0", "m1", "m2", "new"], ["m0", "m2", "new"])
    world.script.well()
    world.sync()  # it is made, and listed by the next run
    world.assert_recovers()
    assert world.tokens("Bin") == (["m1"],) * 2


@pytest.mark.parametrize("answer", [
    b"NO [CANNOT] of the system", b"NO it cannot be deleted",
    b"NO [NOPERM] not you", b"NO [INUSE] somebody has it open"])
def test_a_mailbox_that_the_server_does_not_delete_is_emptied(
        scripted, answer):
    """Then it comes back here; once, unless that is for the moment."""
    world = scripted()
    world.server.create("Sent")
    world.server.append("Sent", message("old"))
    world.fill(3)
    shutil.rmtree(world.root / "Sent")
    world.script.answer[b"DELETE"] = answer
    if b"INUSE" in answer:
        for _ in range(2):
            assert "INUSE" in world.sync(status=65).err
            assert world.local.mailboxes() == ["INBOX"]
        world.script.well()
        world.sync()
        assert world.server.mailboxes() == ["INBOX"]
    else:
        done = world.sync("-v")
        assert answer[-9:].decode() in done.out + done.err
        assert world.tokens("Sent") == ([], [])
        world.assert_idle()
        shutil.rmtree(world.root / "Sent")
        world.sync()
        world.assert_idle()
        world.server.append("Sent", message("new"))
        world.sync()
        assert world.tokens("Sent") == (["new"], ["new"])
    world.assert_settled()
