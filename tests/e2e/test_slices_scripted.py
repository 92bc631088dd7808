"""Slices (test_slices.py) with a server that does what the test wants.

Most messages are over max_size, for what is only looked at costs no time."""

import pytest

from personas import Persona
from scripted import Hangup
from scripted_store import Mail
from world import message

SLICE = 10000
LARGE = message("large", size=1500)


class Condstore(Persona):
    caps = Persona.caps.replace(" QRESYNC", "")


def fill(world, box, n, *tokens):
    """N large messages on the server, and behind them small ones."""
    if box not in world.server.mailboxes():
        world.server.create(box)
    with world.script.store.lock:
        for _ in range(n):
            world.script.store.find(box).add(Mail(LARGE))
    for token in tokens:
        world.server.append(box, message(token))


def add(world, box, token, name):
    world.local.make(box)
    world.local.add(box, message(token).replace(b"\r\n", b"\n"), name)


def assert_both_have(world, box, *tokens):
    there, here = world.tokens(box)
    assert [t for t in there if t != "large"] == here == list(tokens)


def assert_idle(world):
    world.script.well()
    world.script.changing.clear()
    world.assert_idle()
    assert world.script.changing == []


def cut_off_before_the_last_slice(world):
    def hang_up(session, tag, words):
        if words[0] == b"1:2":
            raise Hangup

    world.script.answer[b"UID FETCH"] = hang_up
    world.sync(status=None)
    world.script.well()


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_copied_or_moved_here_may_be_there_already(scripted, moved):
    """Of two messages the files are here, and rows of equal content are in
    another mailbox; their UIDs are in a later slice."""
    world = scripted(max_size="1K")
    world.fill(2)
    fill(world, "zeta", 0, "m0", "m1")
    fill(world, "zeta", SLICE)
    for i in range(2):
        add(world, "zeta", "m%d" % i, "%d.copy.test" % i)
        if moved:
            world.file_of("m%d" % i).unlink()
    done = world.summary()
    assert (done["adopted"], done["pulled"], done["copied"], done["moved"],
            done["deleted_remote"]) == (2, 0, 0, 0, 2 * moved)
    assert_both_have(world, "zeta", "m0", "m1")
    assert_both_have(world, "INBOX", *([] if moved else ["m0", "m1"]))
    assert_idle(world)


def test_a_file_is_not_that_of_its_name_in_another_mailbox(scripted):
    """Two files, whose UIDs are in a later slice, have the names of files of
    INBOX, which are paired before."""
    world = scripted(max_size="1K")
    fill(world, "INBOX", 0, "m0", "m1")
    fill(world, "zeta", 0, "z0", "z1")
    fill(world, "zeta", SLICE)
    for i in range(2):
        add(world, "INBOX", "m%d" % i, "%d.same.test" % i)
        add(world, "zeta", "z%d" % i, "%d.same.test" % i)
    done = world.summary()
    assert (done["adopted"], done["pulled"], done["pushed"]) == (4, 0, 0)
    assert_both_have(world, "zeta", "z0", "z1")
    assert_idle(world)


def test_numbers_do_not_tell_what_a_cursor_of_slices_lacks(scripted):
    """As many of the known are gone as there are that no slice has had."""
    world = scripted(Condstore, max_size="1K")
    fill(world, "INBOX", 0, "a", "b")
    fill(world, "INBOX", SLICE - 3, "c", "d", "e")
    cut_off_before_the_last_slice(world)
    assert len(world.dump()) == 3
    world.server.expunge("INBOX", [SLICE, SLICE + 1])
    done = world.summary()
    assert (done["pulled"], done["deleted_local"]) == (2, 2)
    assert_both_have(world, "INBOX", "a", "b", "e")
    assert_idle(world)


def test_flags_that_are_refused_are_listed(scripted):
    """The run was cut off among slices, and the next one is not told what
    changed since."""
    world = scripted(Condstore, max_size="1K")
    fill(world, "INBOX", 0, "a", "b")
    fill(world, "INBOX", SLICE - 1, "c")
    cut_off_before_the_last_slice(world)
    world.server.flag("INBOX", SLICE + 2, ["\\Flagged"])

    def refuse(session, tag, words):
        if len(words) > 2:
            session.line(tag + b" NO [UNAVAILABLE] not now")
            return True

    world.script.answer[b"UID FETCH"] = refuse
    assert world.summary()["pulled"] == 2
    assert world.file_of("c").name.endswith(":2,F")
    assert_idle(world)


@pytest.mark.parametrize("what", ["renumbered", "doubtful"])
def test_one_that_waits_leaves_room_to_others(scripted, what):
    """It waits for slices of others, so they must not wait for it."""
    world = scripted(max_size="1K")
    fill(world, "zeta", 0, "z1")
    world.fill(1)
    fill(world, "INBOX", 2 * SLICE + 1)
    if what == "renumbered":
        world.server.renumber("INBOX")
    else:
        with world.script.store.lock:
            box = world.script.store.find("INBOX")
            box.highest = 1
            box.modseq = {uid: 1 for uid in box.mail}
    fill(world, "zeta", 0, "z2")
    listed = []

    def is_enough(session, tag, words):
        listed.append(words[0])
        if listed.count(b"1:*") > 3:
            raise Hangup

    world.script.answer[b"UID FETCH"] = is_enough
    assert world.summary()["pulled"] == 1
    assert_both_have(world, "zeta", "z1", "z2")
    assert_idle(world)


@pytest.mark.parametrize("kind", [Persona, Condstore])
@pytest.mark.parametrize("uid", [2, SLICE])
def test_one_that_cannot_be_measured(scripted, kind, uid):
    """In the last slice, or in the first one."""
    world = scripted(kind, max_size="1K")
    fill(world, "INBOX", 0, "a", "bad", "c")
    fill(world, "INBOX", SLICE, "d")
    world.server.create("work")
    world.server.append("work", message("w"))
    add(world, "work", "here", "1.here.host")
    world.hang_up_at("INBOX", uid, b"RFC822.SIZE")
    for _ in range(6):
        world.sync(status=69)
    there, here = world.tokens()
    assert here == [t for t in there
                    if t != "large" and (t != "bad" or uid != 2)]
    assert world.tokens("work") == (["here", "w"],) * 2
    world.script.well()
    world.sync()
    assert_both_have(world, "INBOX", "a", "bad", "c", "d")
    assert_idle(world)
