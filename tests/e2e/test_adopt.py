"""Which new messages of both sides are one: what cannot be compared waits, and
what differs anywhere is another one."""

import os
import pwd
import signal
import subprocess
import time
from concurrent.futures import Future

import pytest

from scripted import Hangup
from test_local_trouble import as_somebody
from test_safety import lose_journal
from world import lf, message


def shut(path):
    """Nobody but root can read it, and mochila is not root."""
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    path.chmod(0)


def give(path):
    him = pwd.getpwnam("nobody")
    if os.geteuid() == 0:
        os.chown(path, him.pw_uid, him.pw_gid)


def bodies(world, box="INBOX"):
    return sorted(m["body"] for m in world.server.messages(box).values())


def here(world, box="INBOX"):
    return sorted(path.read_bytes() for _, _, path in world.local.files(box))


# a file that cannot be read


@pytest.mark.parametrize("form", ["LF", "CRLF", "both"])
@pytest.mark.parametrize("size", [0, 9000])
def test_what_may_be_an_unreadable_file_waits(world, form, size):
    as_somebody(world)
    world.sync()
    a, b = message("a", size=size), message("b", "x" * 500, size + 500)
    c = message("c", "x" * 4000, size=2 * size)
    path = world.local.add("INBOX", {
        "LF": lf(a), "CRLF": a, "both": a.replace(b"\r\n", b"\n", 5)}[form],
        "1.a.host")
    shut(path)
    for data in a, b, c:
        world.server.append("INBOX", data)
    there = bodies(world)
    for n in range(3):
        done = world.sync("-v", status=65)
        first, second = done.err.splitlines()
        assert "1.a.host" in first and "Permission denied" in first
        assert "uid 1" in second and "1.a.host" in second
        # the others are not kept waiting, and what waits is said, not done
        assert len(world.local.files("INBOX")) == 3
        assert bodies(world) == there
    world.assert_idle(status=65, says=True)
    path.chmod(0o644)
    give(path)
    world.sync()
    assert len(world.local.files("INBOX")) == 3 and bodies(world) == there
    world.assert_settled()


def test_full_tells_of_a_file_that_it_cannot_read(world):
    as_somebody(world)
    for n in range(2):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    _, _, path = world.local.files("INBOX")[0]
    edited = message("edited")
    path.write_bytes(lf(edited))
    shut(path)
    there = bodies(world)
    done = world.sync("--full", status=65)
    assert path.name in done.err and "Permission denied" in done.err
    assert bodies(world) == there
    path.chmod(0o644)
    give(path)
    world.sync("--full")
    assert edited in bodies(world) and len(bodies(world)) == 2
    world.assert_settled()


def test_an_unreadable_file_that_is_another_message_goes_up_later(world):
    as_somebody(world)
    world.sync()
    path = world.local.add("INBOX", lf(message("a")), "1.a.host")
    shut(path)
    world.server.append("INBOX", message("a"))
    world.sync(status=65)
    path.chmod(0o644)
    path.write_bytes(lf(message("b")))
    give(path)
    world.sync()
    assert bodies(world) == [message("a"), message("b")]
    world.assert_settled()


def test_an_unreadable_file_that_was_moved_is_not_deleted(world):
    """Somebody moved it here: on the server it is the only copy that can be
    read."""
    as_somebody(world)
    world.server.create("work")
    for token in "abc":
        world.server.append("INBOX", message(token))
    world.sync()
    kept = bodies(world)
    path = next(p for _, _, p in world.local.files("INBOX")
                if b"message a" in p.read_bytes())
    moved = world.root / "work" / "cur" / (path.name + ":2,S")
    os.rename(path, moved)
    shut(moved)
    # a deletion that has nothing to do with it goes on
    gone = next(p for _, _, p in world.local.files("INBOX")
                if b"message b" in p.read_bytes())
    gone.write_bytes(b"")
    os.unlink(gone)
    for _ in range(2):
        done = world.sync(status=65)
        assert moved.name in done.err
        assert message("a") in bodies(world)
    moved.chmod(0o644)
    give(moved)
    world.sync()
    assert bodies(world) == [message("c")]
    assert bodies(world, "work") == [message("a")] and len(kept) == 3
    world.assert_settled()


def test_what_may_be_an_unreadable_file_waits_in_each_pass(world):
    """The flag that goes to the server makes another pass, which looks at the
    server."""
    as_somebody(world)
    world.sync()
    shut(world.local.add("INBOX", lf(message("a")), "1.a.host"))
    world.local.add("INBOX", lf(message("b")), "2.b.host:2,S", "cur")
    for data in message("a"), message("b"):
        world.server.append("INBOX", data)
    world.sync(status=65)
    assert [m["flags"] for m in world.server.messages("INBOX").values()] == [
        set(), {"\\Seen"}]
    assert len(world.local.files("INBOX")) == 2


# a message of which the server gives no octets


def spoil(world, uids, how, box="INBOX"):
    """The octets of UIDS cannot be had."""
    def fetch(session, tag, words):
        if session.box.name != box or \
                not any(w.startswith(b"BODY.PEEK[]") for w in words[1]):
            return False
        with session.store.lock:
            named = session.named(words[0])
            if how == "NO" and set(uids) & set(named):
                session.line(tag + b" NO it cannot be read")
                return True
            for uid in named:
                items = [w.decode() for w in words[1]]
                if uid not in uids:
                    session.send_items(uid, items)
                elif how == "NIL":
                    nil = next(i for i in items if i.startswith("BODY"))
                    nil = nil.replace(".PEEK", "").split(".")[0]
                    session.line("* %d FETCH (UID %d %s NIL)" % (
                        list(session.seen).index(uid) + 1, uid,
                        nil + (">" if "<" in nil else "")))
        session.line(tag + b" OK done")
        return True
    world.script.answer[b"UID FETCH"] = fetch


@pytest.mark.parametrize("how", ["NO", "NIL", "nothing"])
@pytest.mark.parametrize("size", [0, 9000, 90000])
def test_what_cannot_be_compared_waits(scripted, how, size):
    world = scripted()
    texts = [message("m%d" % n, size=size + 100 * n) for n in range(4)]
    world.local.make("INBOX")
    for n, text in enumerate(texts):
        world.server.append("INBOX", text)
        world.local.add("INBOX", lf(text), "%d.x.host" % n)
    spoil(world, [2], how)
    for _ in range(2):
        done = world.sync(status=65)
        line, = done.err.splitlines()
        assert "uid 2" in line
        assert world.tokens() == (["m0", "m1", "m2", "m3"],) * 2
    assert len(world.dump()) == 3
    world.assert_recovers()
    assert world.tokens() == (["m0", "m1", "m2", "m3"],) * 2


@pytest.mark.parametrize("how", ["NO", "NIL", "nothing"])
def test_what_waits_and_was_moved_here_is_not_deleted(scripted, how):
    """Nobody knows whether it is the new message that cannot be compared; what
    is known is that on the server there is no other copy."""
    world = scripted()
    world.server.create("work")
    world.fill(3)
    world.server.append("work", message("mX"))
    spoil(world, [1], how, "work")
    path = world.file_of("m1")
    path.rename(world.root / "work" / "cur" / (path.name + ":2,"))
    for _ in range(2):
        done = world.sync(status=65)
        assert "work: uid 1" in done.err
        assert world.tokens() == (["m0", "m1", "m2"], ["m0", "m2"])
    world.script.well()
    assert world.summary()["moved"] == 1
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1", "mX"],) * 2
    world.assert_settled()


def test_a_draft_that_cannot_be_compared_waits(scripted):
    """It is never taken for one that was moved, but it is not a new one."""
    world = scripted()
    world.local.make("INBOX")
    world.server.append("INBOX", message("m0"), ["\\Draft"])
    world.local.add("INBOX", lf(message("m0")), "0.x.host:2,D", "cur")
    spoil(world, [1], "NO")
    for _ in range(2):
        done = world.sync(status=65)
        assert "uid 1:" in done.err
        assert world.tokens() == (["m0"],) * 2
    world.assert_recovers()
    assert world.tokens() == (["m0"],) * 2


@pytest.mark.parametrize("how", ["NO", "NIL", "nothing"])
def test_what_waits_is_compared_in_each_pass(scripted, how):
    """The server is well again once the first pass has changed something there:
    the second, which looks at it, does not fetch what is here."""
    world = scripted()
    world.sync()
    for token in "m0", "m1":
        world.server.append("INBOX", message(token))
        world.local.add("INBOX", lf(message(token)), token + ".x.host")
    world.local.add("INBOX", lf(message("new one")), "n.x.host")
    spoil(world, [2], how)

    def append(session, tag, words):
        world.script.well()
        return False
    world.script.answer[b"APPEND"] = append
    done = world.sync(status=65)
    assert "uid 2" in done.err and world.script.answer == {}
    assert world.tokens() == (["m0", "m1", "new one"],) * 2
    world.sync(status=None)
    world.assert_settled()


def test_what_is_gone_when_it_is_to_be_compared_is_gone(scripted):
    """Nothing waits for it: its like goes up."""
    world = scripted()
    world.sync()
    world.server.append("INBOX", message("m0"))
    world.server.append("INBOX", message("m1"))
    world.local.add("INBOX", lf(message("m0")), "0.x.host")

    def fetch(session, tag, words):
        if any(w.startswith(b"BODY.PEEK[]") for w in words[1]):
            world.script.answer.clear()
            world.server.expunge("INBOX", [1])
        return False
    world.script.answer[b"UID FETCH"] = fetch
    world.sync()
    assert world.tokens() == (["m0", "m1"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("how", ["NO", "NIL", "nothing"])
def test_a_move_that_cannot_be_compared_waits(scripted, how):
    """Moved on the server, and UIDVALIDITY of what it left is another one: it
    is not uploaded there while nobody knows what the new one is."""
    world = scripted()
    world.moved_there(3, 2)
    world.server.renumber("INBOX")
    spoil(world, [1], how, "work")
    for _ in range(2):
        done = world.sync(status=65)
        assert "uid 1" in done.err
        assert world.tokens()[0] == ["m0", "m2"]
        assert world.tokens("work")[0] == ["m1"]
    world.assert_recovers()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2


def test_of_two_moves_one_cannot_be_compared(scripted):
    """The other one waits with it: were it fetched by itself, nothing would
    tell any more that its file is no new message."""
    world = scripted()
    world.moved_there(4, 2, 3)
    world.server.renumber("INBOX")
    spoil(world, [2], "NO", "work")
    for _ in range(2):
        done = world.sync(status=65)
        assert "work: uid 2" in done.err
        assert world.tokens()[0] == ["m0", "m3"]
        assert world.tokens("work")[0] == ["m1", "m2"]
    world.assert_recovers()
    assert world.tokens() == (["m0", "m3"],) * 2
    assert world.tokens("work") == (["m1", "m2"],) * 2


@pytest.mark.parametrize("part", [b"HEADER", b"]<"])
def test_a_move_whose_file_is_renamed_before_it_is_compared(scripted, part):
    """The same, when it is this side that cannot be asked: PART of the message
    is about to come as a mail reader gives the file another name."""
    world = scripted()
    world.moved_there(3, 2)
    world.server.renumber("INBOX")

    def fetch(session, tag, words):
        if session.box.name == "work" and any(part in w for w in words[1]):
            world.script.answer.clear()
            world.set_letters("m1", "S")
        return False
    world.script.answer[b"UID FETCH"] = fetch
    world.sync()
    assert world.script.answer == {}
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.sync()
    world.assert_settled()


def numbers_mean_nothing(world, how, box="INBOX"):
    """Of the rows of BOX: it is numbered anew, or its mod-sequence went back."""
    if how == "renumbered":
        return world.server.renumber(box)
    with world.script.store.lock:
        held = world.script.store.find(box)
        held.highest, held.expunged = 1, []
        held.modseq = dict.fromkeys(held.mail, 1)


@pytest.mark.parametrize("how", ["renumbered", "mod-sequence"])
def test_moved_there_with_flags_of_both_sides(scripted, how):
    """What was changed on either side is not taken back, for all that UIDs of
    the mailbox that it left mean nothing any more."""
    world = scripted()
    world.server.create("work")
    uids = world.fill(3)
    world.server.flag("INBOX", uids[1], ["\\Seen", "blue"])
    world.sync()
    inbox, work = (world.script.store.find(b) for b in ("INBOX", "work"))
    uid = world.script.store.move(inbox, uids[1], work)
    numbers_mean_nothing(world, how)
    letters = world.file_of("m1").name.split(":2,")[1]
    world.set_letters("m1", "F" + letters)
    world.server.flag("work", uid, ["\\Answered"], ["\\Seen"])
    assert world.summary()["moved"] == 1
    assert world.tokens("work") == (["m1"],) * 2
    assert world.server.messages("work")[uid]["flags"] == {
        "\\Answered", "\\Flagged", "blue"}
    world.assert_settled()


@pytest.mark.parametrize("how", ["renumbered", "mod-sequence"])
def test_a_draft_that_moved_there_does_not_go_up_again(scripted, how):
    world = scripted()
    world.server.create("work")
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n), ["\\Draft"])
    world.sync()
    inbox, work = (world.script.store.find(b) for b in ("INBOX", "work"))
    world.script.store.move(inbox, 2, work)
    numbers_mean_nothing(world, how)
    s = world.summary()
    assert (s["moved"], s["pushed"]) == (1, 0)
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_settled()


def refuse_select(world, box):
    def select(session, tag, words):
        if words[0] != box.encode():
            return False
        session.line(tag + b" NO [UNAVAILABLE] later")
        return True
    world.script.answer[b"SELECT"] = select


@pytest.mark.parametrize("how", ["renumbered", "mod-sequence"])
@pytest.mark.parametrize("why", ["refused", "left out", "left out, and new"])
def test_moved_there_into_a_mailbox_that_is_not_looked_at(scripted, how, why):
    """It does not go up again where it was; unless there is nothing new in that
    mailbox."""
    world = scripted()
    if why != "left out, and new":
        world.server.create("work")
    world.fill(3)
    if why == "left out, and new":
        world.server.create("work")
    inbox, work = (world.script.store.find(b) for b in ("INBOX", "work"))
    world.script.store.move(inbox, 2, work)
    numbers_mean_nothing(world, how)
    args = ["home:INBOX"]
    if why == "refused":
        args = []
        refuse_select(world, "work")
    for _ in range(2):
        done = world.sync(*args, status=65)
        assert "INBOX: what the server lacks of it may be in 'work'" in done.err
        assert world.tokens()[0] == ["m0", "m2"]
    world.script.well()
    assert world.summary()["moved"] == 1
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_settled()
    world.server.expunge("INBOX", [min(world.server.messages("INBOX"))])
    world.server.renumber("INBOX")
    refuse_select(world, "work")
    world.sync(*args)
    assert world.tokens() == (["m0", "m2"],) * 2
    world.assert_settled()


def test_a_mailbox_that_cannot_be_compared_keeps_no_other_from_its_numbers(
        scripted):
    """What is new in it is of another size than what goes up again."""
    world = scripted()
    world.server.create("work")
    world.fill(3)
    for n in range(3):
        world.server.append("work", message("w%d" % n, size=3000 + 100 * n))
    world.sync()
    world.server.expunge("INBOX", [2])
    world.server.append("INBOX", message("new"))
    for box in "INBOX", "work":
        world.server.renumber(box)
    spoil(world, [2], "NO", "work")
    done = world.sync(status=65)
    assert "work: the server sends no octets of uid 2" in done.err
    assert world.tokens() == (["m0", "m1", "m2", "new"],) * 2
    world.assert_recovers()
    assert world.tokens("work") == (["w0", "w1", "w2"],) * 2


def test_moved_there_and_it_waits_with_a_file_of_its_size(scripted):
    """Neither is known to be the message that is gone from the mailbox that is
    numbered anew."""
    world = scripted()
    world.moved_there(3, 2)
    world.server.renumber("INBOX")
    world.local.add("work", lf(message("mX")), "x.x.host")
    spoil(world, [1], "NO", "work")
    for _ in range(2):
        done = world.sync(status=65)
        assert "work: uid 1" in done.err
        assert world.tokens()[0] == ["m0", "m2"]
        assert world.tokens("work") == (["m1"], ["mX"])
    world.assert_recovers()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1", "mX"],) * 2


def test_what_is_kept_waits_for_what_may_have_moved(scripted):
    """With deletes: keep it would stay where it was, and come down beside it."""
    world = scripted(deletes="keep")
    world.moved_there(3, 2)
    world.local.add("work", lf(message("mX")), "x.x.host")
    spoil(world, [1], "NO", "work")
    for _ in range(2):
        assert "work: uid 1" in world.sync(status=65).err
        assert world.tokens() == (["m0", "m2"], ["m0", "m1", "m2"])
    world.script.well()
    assert world.summary()["moved"] == 1
    assert world.tokens("work") == (["m1", "mX"],) * 2
    world.assert_settled()


def test_moved_there_and_it_waits_for_a_file_to_be_read(scripted):
    """A pass in which all that is new in the other mailbox waits."""
    world = scripted()
    as_somebody(world)
    world.moved_there(3, 2)
    world.server.renumber("INBOX")
    path = world.local.add("work", lf(message("new", size=9000)), "1.x.host")
    shut(path)
    world.sync(status=65)
    path.chmod(0o644)
    give(path)
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1", "new"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("how", ["renumbered", "mod-sequence"])
def test_moved_there_and_the_line_is_cut_while_rows_are_made_anew(
        scripted, how):
    """The numbers of what it left went back, too."""
    world = scripted()
    inbox, work = world.moved_there(3, 2)
    if how == "renumbered":
        world.server.renumber("INBOX")
    else:
        inbox.highest = 1
        inbox.modseq = dict.fromkeys(inbox.modseq, 1)
    world.set_letters("m0", "S")

    def cut(session, tag, words):
        world.script.well()
        raise Hangup
    world.script.answer[b"UID STORE"] = cut
    assert world.sync(status=None).returncode in (69, 75)
    assert world.script.answer == {}
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_settled()


def test_nothing_is_paired_again_while_one_cannot_be_compared(scripted):
    """Of a mailbox with another UIDVALIDITY: else its rows were lost."""
    world = scripted()
    world.server.create("work")
    world.fill(3)
    world.server.append("work", message("w"))
    world.server.renumber("INBOX")
    spoil(world, [2], "NO")
    for _ in range(2):
        done = world.sync(status=65)
        line, = [x for x in done.err.splitlines() if "uid 2" in x]
        assert world.tokens() == (["m0", "m1", "m2"],) * 2
        assert world.tokens("work") == (["w"],) * 2
    world.assert_recovers()
    assert world.tokens() == (["m0", "m1", "m2"],) * 2


def test_a_move_out_of_a_mailbox_that_is_not_paired_again_waits(scripted):
    """Its row there is what tells that its file is no new message."""
    world = scripted()
    world.moved_there(3, 3)
    world.server.append("work", message("another one"))
    world.server.renumber("INBOX")
    spoil(world, [2], "NO")
    for _ in range(2):
        world.sync(status=65)
        assert world.tokens()[0] == ["m0", "m1"]
        assert world.tokens("work") == (["another one", "m2"],
                                        ["another one"])
    world.assert_recovers()
    assert world.tokens() == (["m0", "m1"],) * 2
    assert world.tokens("work") == (["another one", "m2"],) * 2


def test_moved_there_and_nothing_may_go_up(scripted):
    """With direction: pull, too, the file follows its message."""
    world = scripted(direction="pull")
    world.moved_there(3, 2)
    world.server.expunge("INBOX", [1])
    world.server.renumber("INBOX")
    s = world.summary()
    assert (s["moved"], s["pulled"]) == (1, 0)
    assert world.tokens() == (["m2"], ["m0", "m2"])
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_idle()


def test_what_waits_elsewhere_may_be_what_would_go_up_again(scripted):
    """It was copied by a mail program, could not be fetched, and the original
    was deleted; then that mailbox gets new numbers."""
    world = scripted()
    world.server.create("work")
    world.fill(3)
    world.server.append("work", message("m1"), when=1600000000)
    spoil(world, [1], "NO", "work")
    assert "work: uid 1" in world.sync(status=65).err
    world.script.well()
    world.server.expunge("INBOX", [2])
    world.server.renumber("INBOX")
    for _ in range(2):
        assert "work: uid 1" in world.sync(status=65).err
        assert world.tokens()[0] == ["m0", "m2"]
        assert world.tokens("work") == (["m1"], [])


@pytest.mark.parametrize("how", ["renumbered", "mod-sequence", "UIDNEXT"])
def test_a_move_out_of_a_mailbox_that_is_not_opened_waits(scripted, how):
    """By the listing its rows will mean nothing."""
    world = scripted()
    inbox, work = world.moved_there(3, 3)
    if how == "UIDNEXT":
        inbox.uidnext = 3
    else:
        numbers_mean_nothing(world, how)
    refuse_select(world, "INBOX")
    for _ in range(2):
        world.sync(status=65)
        assert world.tokens("work") == (["m2"], [])
    world.assert_recovers()
    assert world.tokens() == (["m0", "m1"],) * 2
    assert world.tokens("work") == (["m2"],) * 2


def test_a_move_waits_however_many_messages_are_of_its_size(scripted):
    world = scripted()
    for box in "later", "work":
        world.server.create(box)
    for n in range(300):
        world.server.append("INBOX", message("%02x" % (n % 256)))
    world.fill(2, "later")
    later, work = (world.script.store.find(b) for b in ("later", "work"))
    world.script.store.move(later, 2, work)
    world.server.renumber("later")
    refuse_select(world, "later")
    world.sync(status=65)
    assert world.tokens("work") == (["m1"], [])
    world.assert_recovers()
    assert world.tokens("later") == (["m0"],) * 2
    assert world.tokens("work") == (["m1"],) * 2


@pytest.mark.parametrize("direction", [None, "pull"])
@pytest.mark.parametrize("size, flags", [(0, []), (20000, []),
                                         (20000, ["\\Draft"])])
def test_a_mod_sequence_went_back_and_it_has_a_new_uid(scripted, size, flags,
                                                       direction):
    """Another program has put it back already."""
    world = scripted()
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n, size=size), flags)
    world.sync()
    world.server.expunge("INBOX", [2])
    world.server.append("INBOX", message("m1", size=size), flags)
    numbers_mean_nothing(world, "mod-sequence")
    world.write_config(direction=direction)
    s = world.summary()
    assert (s["adopted"], s["pushed"], s["pulled"]) == (1, 0, 0)
    assert world.tokens() == (["m0", "m1", "m2"],) * 2
    world.assert_settled()


def test_a_mod_sequence_went_back_and_what_is_new_cannot_be_compared(scripted):
    world = scripted()
    world.fill(3)
    world.server.expunge("INBOX", [2])
    world.server.append("INBOX", message("m1"))
    numbers_mean_nothing(world, "mod-sequence")
    spoil(world, [4], "NO")
    for _ in range(2):
        done = world.sync(status=65)
        assert "uid 4" in done.err
        assert world.tokens() == (["m0", "m1", "m2"],) * 2
    world.assert_recovers()
    assert world.tokens() == (["m0", "m1", "m2"],) * 2


def test_who_waits_for_another_pass_is_waited_for(scripted):
    """INBOX does, as a file is renamed before it is compared, and has what left
    another mailbox."""
    world = scripted()
    for box in "other", "work":
        world.server.create(box)
    world.fill(3)
    world.server.append("other", message("o1", size=3000))
    world.sync()
    inbox, other, work = (world.script.store.find(b)
                          for b in ("INBOX", "other", "work"))
    world.script.store.move(inbox, 2, work)
    world.script.store.move(other, 1, inbox)
    for box in "INBOX", "other":
        world.server.renumber(box)

    def fetch(session, tag, words):
        if session.box.name == "work" and any(b"HEADER" in w
                                              for w in words[1]):
            world.script.answer.clear()
            world.set_letters("m1", "S")
        return False
    world.script.answer[b"UID FETCH"] = fetch
    world.sync()
    assert world.script.answer == {}
    assert world.tokens() == (["m0", "m2", "o1"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    assert world.tokens("other") == ([],) * 2
    world.sync()
    world.assert_settled()


def test_who_waits_is_waited_for(scripted):
    """INBOX waits as above; so does the mailbox that a message left for it."""
    world = scripted()
    for box in "other", "work":
        world.server.create(box)
    world.fill(3)
    world.server.append("other", message("o1", size=3000))
    world.server.append("work", message("m1"), when=1600000000)
    spoil(world, [1], "NO", "work")
    world.sync(status=65)
    world.script.well()
    inbox, other = (world.script.store.find(b) for b in ("INBOX", "other"))
    world.server.expunge("INBOX", [2])
    world.script.store.move(other, 1, inbox)
    for box in "INBOX", "other":
        world.server.renumber(box)
    for _ in range(2):
        assert "work: uid 1" in world.sync(status=65).err
        assert world.tokens() == (["m0", "m2", "o1"], ["m0", "m1", "m2"])
        assert world.tokens("other") == ([], ["o1"])
    world.server.expunge("work", [1])
    world.sync()
    assert world.tokens() == (["m0", "m1", "m2", "o1"],) * 2
    assert world.tokens("other") == ([],) * 2
    world.assert_settled()


def renumber(world, *tokens):
    """Like world.server.renumber(), in the order of TOKENS."""
    with world.script.store.lock:
        box = world.script.store.find("INBOX")
        by_token = {m.body.split(b"message ")[1].split()[0].decode(): u
                    for u, m in box.mail.items()}
        box.mail = {n: box.mail[by_token[t]] for n, t in enumerate(tokens)}
        world.server.renumber("INBOX")


@pytest.mark.parametrize("went", [0, 2])
@pytest.mark.parametrize("kills", [False, True])
def test_what_a_renumbered_mailbox_lacks_goes_up_whatever_cut_the_run(
        scripted, went, kills):
    """Nobody did anything in its directory: yet it is looked at."""
    world = scripted()
    uids = world.fill(5)
    time.sleep(0.1)  # the directory's time is not that of now any more
    world.server.append("INBOX", message("m5"))
    world.sync()
    world.server.expunge("INBOX", uids[:4])
    world.server.renumber("INBOX")
    left, run = [went], Future()

    def append(session, tag, words):
        left[0] -= 1
        if left[0] < 0:
            if kills:
                run.result().kill()
            raise Hangup
        return False

    world.script.answer[b"APPEND"] = append
    run.set_result(world.start("sync", "-q", stderr=subprocess.DEVNULL))
    assert run.result().wait() == (-signal.SIGKILL if kills else 69)
    world.assert_recovers()
    assert world.tokens() == (["m%d" % n for n in range(6)],) * 2


@pytest.mark.parametrize("how", ["NO", "the line is cut"])
@pytest.mark.parametrize("order", [["m0", "m1", "m2", "n", "h"],
                                   ["h", "n", "m0", "m1", "m2"]])
def test_the_hold_of_one_uid_is_not_that_of_its_next_owner(
        scripted, how, order):
    world = scripted()
    world.fill(3)
    world.server.append("INBOX", message("h"))

    def fetch(session, tag, words):
        if not any(w.startswith(b"BODY.PEEK[]") for w in words[1]):
            return False
        if how == "NO":
            session.line(tag + b" NO not now")
            return True
        raise Hangup
    world.script.answer[b"UID FETCH"] = fetch
    assert world.sync(status=None).returncode != 0
    world.script.well()
    world.server.append("INBOX", message("n"))
    renumber(world, *order)
    world.sync()
    assert world.tokens() == (["h", "m0", "m1", "m2", "n"],) * 2
    world.assert_settled()


def test_a_message_that_ends_the_connection_in_each_generation(scripted):
    """Of new numbers nothing is recorded yet but that; the others come."""
    world = scripted()
    world.fill(3)
    world.server.append("INBOX", message("n"))
    world.server.renumber("INBOX")

    def fetch(session, tag, words):
        if any(w.startswith(b"BODY.PEEK[]") for w in words[1]) and \
                2 in session.named(words[0]):
            raise Hangup
        return False
    world.script.answer[b"UID FETCH"] = fetch
    for _ in range(3):
        world.sync(status=None)
    assert world.tokens()[0] == ["m0", "m1", "m2", "n"]
    assert world.tokens()[1] == ["m0", "m1", "m2", "n"]
    world.script.well()
    world.sync(status=None)
    world.sync()
    world.assert_settled()


def test_a_message_that_ends_the_connection_ends_no_other(scripted):
    world = scripted()
    texts = [message("m%d" % n) for n in range(4)]
    world.local.make("INBOX")
    for n, text in enumerate(texts):
        world.server.append("INBOX", text)
        if n < 3:
            world.local.add("INBOX", lf(text), "%d.x.host" % n)

    def fetch(session, tag, words):
        if any(w.startswith(b"BODY.PEEK[]") for w in words[1]) and \
                2 in session.named(words[0]):
            for uid in session.named(words[0]):
                if uid < 2:
                    session.send_items(uid, [w.decode() for w in words[1]])
            session.sock.shutdown(2)
            return True
        return False
    world.script.answer[b"UID FETCH"] = fetch
    for _ in range(3):
        world.sync(status=None)
        assert world.tokens()[0] == ["m0", "m1", "m2", "m3"]
    assert world.tokens()[1] == ["m0", "m1", "m2", "m3"]
    world.script.well()
    world.sync(status=None)
    world.sync()
    world.assert_settled()


def test_what_ended_the_connection_is_compared_and_not_fetched(scripted):
    """Also when something has gone to the server before it is its turn."""
    world = scripted()
    world.sync()
    world.server.append("INBOX", message("m0"))
    world.local.add("INBOX", lf(message("m0")), "0.x.host")
    world.hang_up_at_bodies()
    world.local.add("INBOX", lf(message("new one")), "n.x.host")
    world.sync()
    assert world.tokens() == (["m0", "new one"],) * 2
    world.assert_settled()


# equal in size and at both ends


@pytest.mark.parametrize("size, flags", [(5000, ""), (60000, ""),
                                         (3000000, ""), (300000, "D")])
def test_one_letter_in_the_middle_makes_another_message(world, size, flags):
    one = message("a", size=size)
    at = len(one) // 2
    other = one[:at] + (b"x" if one[at:at + 1] != b"x" else b"y") + \
        one[at + 1:]
    assert len(one) == len(other)
    world.server.append("INBOX", one, ["\\Draft"] if flags else [])
    world.local.add("INBOX", lf(other), "1.a.host:2," + flags, "cur")
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["adopted"]) == (1, 1, 0)
    assert bodies(world) == sorted([one, other])
    world.assert_settled()


def test_a_lost_journal_of_large_messages(world):
    """Larger than what is compared whole, one of them a draft: they are
    paired, and little comes down."""
    total = 0
    for n in range(22):
        text = message("m%d" % n, size=4_000_000 + n // 2 * 1000)
        total += len(text)
        world.server.append("INBOX", text, ["\\Draft"] if n == 7 else [])
    world.sync()
    lose_journal(world)
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["adopted"]) == (0, 0, 22)
    assert s["bytes_in"] < 80_000_000 < total
    world.assert_settled()


def test_a_file_that_is_renamed_before_a_window_of_it_is_read(scripted):
    world = scripted()
    world.sync()
    # the first takes all that is read whole
    for n, size in enumerate([64 << 20, 70000]):
        text = message("m%d" % n, "x" * size)
        world.server.append("INBOX", text)
        path = world.local.add("INBOX", lf(text), "%d.x.host:2," % n, "cur")

    def fetch(session, tag, words):
        if any(w.endswith(b"]<0.8192>") for w in words[1]):
            world.script.answer.clear()
            path.rename(str(path) + "S")
        return False
    world.script.answer[b"UID FETCH"] = fetch
    world.sync()
    assert world.script.answer == {}
    assert world.tokens() == (["m0", "m1"],) * 2
    world.assert_settled()


# what mbsync has copied


TUID = b"X-TUID: aB0+/aB0+/zZ\r\n"


def marked(data, line=TUID):
    head, gap, body = data.partition(b"\r\n\r\n")
    return head + b"\r\n" + line + b"\r\n" + body


def adopted(world, n):
    """As many as N, and nothing goes up or down."""
    before = bodies(world), here(world)
    totals = world.summary()
    assert (totals["adopted"], totals["pulled"], totals["pushed"]) == (n, 0, 0)
    assert (bodies(world), here(world)) == before
    world.assert_idle()


@pytest.mark.parametrize("size", [0, 100000])
def test_what_mbsync_has_copied_is_the_same_message(world, size):
    """It marks what it fetches, and what it uploads."""
    for n in range(3):
        data = message("down%d" % n, size=size + 3000 * n)
        world.server.append("INBOX", data)
        world.local.add("INBOX", lf(marked(data)), "%d.d.host:2," % n, "cur")
        data = message("up%d" % n, size=size + 3000 * n + 1000)
        world.server.append("INBOX", marked(data))
        world.local.add("INBOX", lf(data), "%d.u.host:2," % n, "cur")
    data = message("both", size=size + 100)
    world.server.append("INBOX", marked(data))
    world.local.add("INBOX", lf(marked(data, TUID.replace(b"z", b"y"))),
                    "1.b.host:2,", "cur")
    adopted(world, 7)
    lose_journal(world)
    adopted(world, 7)


def test_renumbered_what_mbsync_has_copied_stays(world):
    data = message("a")
    world.server.append("INBOX", message("other"))
    world.server.create("Work")
    world.server.append("Work", data)
    world.local.make("Work")
    world.local.add("Work", lf(marked(data)), "1.a.host:2,S", "cur")
    world.sync()
    uidvalidity = world.server.status("Work", "(UIDVALIDITY)")
    world.server.do("delete", "Work")
    world.server.create("Work")
    world.server.append("Work", data)
    assert world.server.status("Work", "(UIDVALIDITY)") != uidvalidity
    world.sync()
    assert bodies(world, "Work") == [data]
    assert here(world, "Work") == [lf(marked(data))]
    world.assert_idle()


def test_what_differs_beside_the_line_of_mbsync_is_another(world):
    data = message("a")
    world.server.append("INBOX", data)
    world.local.add("INBOX", lf(marked(data[:-3] + b"!\r\n")), "1.a.host")
    totals = world.summary()
    assert (totals["pulled"], totals["pushed"]) == (1, 1)
    world.assert_settled()


def test_a_root_that_is_a_mailbox_in_the_other_layout(world):
    """Its messages are in no mailbox: said before all is fetched beside it."""
    world.server.append("INBOX", message("m"))
    world.local.add(".", message("m"), "1.m.host")
    for args in ["--dry-run"], []:
        done = world.sync(*args)
        assert done.err == (
            "mochila: home: the root of the Maildir has cur/ and new/, whose "
            "messages are in no mailbox; if this is its inbox, set 'layout: "
            "maildir++'\n")
    # said once: whoever has seen that may want it so
    world.assert_idle()
    assert world.sync().err == ""


@pytest.mark.parametrize("layout,boxes,first,n", [
    ("nested", [".Archive"], ".Archive", 1),
    ("nested", ["Work", "Work/.a", "Work/.b", "Work/.b/.c", "x/.d"],
     "Work/.a", 3),
    ("maildir++", [".", ".Archive", "Work", "Sent"], "Sent", 2),
])
def test_directories_of_the_other_layout(world, layout, boxes, first, n):
    """As other programs have them (mbsync's SubFolders Legacy): their mail is
    in no mailbox, and the server's comes down beside it."""
    world.write_config(layout=layout)
    world.server.append("INBOX", message("m"))
    for i, box in enumerate(boxes):
        world.local.add(box, message("b%d" % i), "%d.b.host" % i)
    (world.root / ".index" / "tmp").mkdir(parents=True)
    (world.root / "index").mkdir()
    (world.root / ".file").touch()
    for args in ["--dry-run"], []:
        assert world.sync(*args).err == (
            "mochila: home: with 'layout: %s' no mailbox has a name like "
            "'%s'; directories with cur/ or new/ that are left alone for "
            "that: %d; if they are mailboxes, rename them, or change the "
            "layout, before the first sync\n" % (layout, first, n))
    # said once
    world.assert_idle()
