"""Many mailboxes at once: what is asked of one goes out before another has
answered, and what goes wrong with one stays with it."""

import pytest

from personas import Persona
from scripted import Hangup
from world import message


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS LIST-STATUS"


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


TIERS = [Persona, Condstore, Bare]
BOXES = ["INBOX", "a", "b", "c", "d"]


def filled(scripted, kind=Persona, n=3):
    """Mailboxes with N messages each, on the server alone."""
    world = scripted(kind)
    for box in BOXES:
        if box != "INBOX":
            world.server.create(box)
        for i in range(n):
            world.server.append(box, message("%s-%d" % (box, i)))
    return world


def change_all(world):
    for box in BOXES:
        uids = sorted(world.server.messages(box))
        world.server.flag(box, uids[0], ["\\Flagged"])
        world.server.expunge(box, [uids[1]])
        world.server.append(box, message("%s-new" % box))


def at(box, act, times=1):
    """For server.answer: ACT when BOX is selected, for the first TIMES."""
    left = [times]

    def answer(session, tag, words):
        if words[0].decode() != box or left[0] == 0:
            return False
        left[0] -= 1
        return act(session, tag)
    return answer


def refuse(session, tag):
    session.box = None
    session.line(tag + b" NO [UNAVAILABLE] later")
    return True


def end(session, tag):
    session.line("* BYE overloaded")
    raise Hangup


def only(world, box):
    """What is here of the others, and what is not of BOX."""
    for name in BOXES:
        there, here = world.tokens(name)
        if name == box:
            assert len(here) < len(there)
        else:
            assert here == there


@pytest.mark.parametrize("kind", TIERS)
def test_one_mailbox_is_refused_amid_the_others(scripted, kind):
    world = filled(scripted, kind)
    world.script.answer = {b"SELECT": at("b", refuse, 9)}
    done = world.sync(status=65)
    assert "b:" in done.err and "UNAVAILABLE" in done.err
    only(world, "b")
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
def test_a_refused_mailbox_keeps_its_cursor(scripted, kind):
    world = filled(scripted, kind)
    world.sync()
    change_all(world)
    world.script.answer = {b"SELECT": at("b", refuse, 9)}
    world.sync(status=65)
    assert "b-new" not in world.tokens("b")[1]
    assert "c-new" in world.tokens("c")[1]
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("first", [True, False])
def test_the_server_goes_away_amid_the_questions(scripted, kind, first):
    world = filled(scripted, kind)
    if not first:
        world.sync()
        change_all(world)
    world.script.answer = {b"SELECT": at("c", end)}
    done = world.sync(status=69)
    assert "overloaded" in done.err
    assert world.script.changing == []
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("what", [b"QRESYNC", b"CONDSTORE"])
def test_parameters_that_the_server_does_not_know(scripted, what):
    world = filled(scripted, Persona if what == b"QRESYNC" else Condstore)
    world.sync()
    change_all(world)
    asked = []

    def answer(session, tag, words):
        asked.append(words[1:])
        if len(words) > 1 and words[1][0] == what:
            session.box = None
            session.line(tag + b" BAD what is that?")
            return True
        return False

    world.script.answer = {b"SELECT": answer}
    world.sync()
    assert asked[0][0][0] == what
    # those under way with the first, and it once more; then never again
    last = max(i for i, a in enumerate(asked) if a and a[0][0] == what)
    assert last <= len(BOXES) and len(asked) > len(BOXES)
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("first", [True, False])
def test_new_mail_after_the_listing(scripted, kind, first):
    world = filled(scripted, kind)
    if not first:
        world.sync()
        change_all(world)

    def arrive(session, tag):
        world.server.append("b", message("late"))
        return False

    world.script.answer = {b"SELECT": at("b", arrive)}
    world.sync()
    world.script.well()
    world.sync()
    assert "late" in world.tokens("b")[1]
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
def test_mail_goes_between_select_and_fetch(scripted, kind):
    world = filled(scripted, kind)
    world.sync()
    change_all(world)
    seen = []

    def go(session, tag, words):
        if session.box.name == "b" and not seen:
            seen.append(1)
            uids = sorted(session.box.mail)
            world.server.expunge("b", [uids[-1]])
            world.server.flag("b", uids[0], ["\\Answered"], ["\\Flagged"])
        return False

    world.script.answer = {b"UID FETCH": go}
    world.sync()
    world.script.well()
    world.sync()
    assert seen
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("said", [b"NO [UNAVAILABLE] later", b"BAD what?"])
def test_a_fetch_refused_once_is_asked_again(scripted, kind, said):
    world = filled(scripted, kind)
    world.script.answer = {b"UID FETCH": [said] * len(BOXES)}
    world.sync()
    world.script.well()
    world.sync()
    world.assert_settled()


def test_a_mailbox_gets_another_generation_after_the_listing(scripted):
    world = filled(scripted)
    world.sync()
    change_all(world)

    def renumber(session, tag):
        world.server.renumber("b")
        return False

    world.script.answer = {b"SELECT": at("b", renumber)}
    world.sync(status=None)
    world.script.well()
    world.sync()
    world.assert_settled()
