"""LIST, NAMESPACE and STATUS as servers answer them."""

import re

import pytest

from personas import Outlook, Persona, Yahoo
from world import message


def start(scripted, kind=Persona):
    world = scripted(kind)
    world.server.create("a box")
    world.server.create("other")
    world.server.append("a box", message("boxed"))
    world.server.append("INBOX", message("m0"))
    world.sync()
    return world


def change(world):
    world.server.append("other", message("new"))
    world.local.add("mine", message("mine"), "1.mine.host")
    world.sync()
    world.assert_settled()
    assert {"INBOX", "a box", "mine", "other"} <= set(world.local.mailboxes())


@pytest.mark.parametrize("said", [
    b"* NAMESPACE NIL NIL NIL", b"* NAMESPACE", b"* OK nothing",
    b'* NAMESPACE (("" "/")("#mh/" "/")) (("~" "/")) (("#public/" "/"))',
    b'* NAMESPACE (("" NIL)) NIL NIL',
    b'* NAMESPACE (("" "/" "X-PARAM" ("a" "b"))) NIL NIL'])
def test_namespaces(scripted, said):
    world = start(scripted)
    world.script.rewrite = lambda session, line: [
        said if line.startswith(b"* NAMESPACE") else line]
    world.local.add("mine", message("mine"), "1.mine.host")
    world.server.append("other", message("new"))
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("old, new", [
    (rb'^(\* LIST .*)"(a box)"', rb'\1{5}' + b"\r\n" + rb'\2'),
    (rb'^(\* LIST .*)$', rb'\1' + b"\r\n" + rb'\1'),
    (rb'^(\* LIST .*)$', rb'\1 ("CHILDINFO" ("SUBSCRIBED"))'),
    (rb'^(\* LIST .*)$', rb'\1' + b'\r\n* LIST (\\\\NonExistent) "/" "ghost"'),
    (rb'^(\* LIST .*)$', rb'\1' + b'\r\n* LIST (\\\\Noselect) "/" ""'),
    (rb'^\* LIST \(', b"* List (\\\\X-Odd "),
    (rb'^\* STATUS "other".*', b""),
    (rb'^\* STATUS "other".*', b"* STATUS other (MESSAGES -1 UIDNEXT x)"),
    (rb'MAILBOXID \(F(\d+)\)', b"MAILBOXID (\x80\x01 \"\xff)")])
@pytest.mark.parametrize("kind", [Persona, Yahoo])
def test_listings(scripted, kind, old, new):
    world = start(scripted, kind)

    def rewrite(session, line):
        changed = re.sub(old, new, line)
        return [changed] if changed else []

    for i in range(2):
        world.script.rewrite = rewrite
        world.server.append("other", message("new%d" % i))
        world.local.add("mine%d" % i, message("mine"), "1.mine.host")
        world.sync()
    assert not (world.root / "ghost").exists()
    world.script.well()
    world.sync()
    world.assert_settled()


def test_a_listing_that_return_does_not_give(scripted):
    world = start(scripted)

    def silent(session, tag, words):
        if len(words) > 2:
            session.line(tag + b" OK nothing to say")
        return len(words) > 2

    world.script.answer = {b"LIST": silent}
    world.server.append("other", message("new"))
    world.sync()
    assert len(world.local.files("other")) == 1
    assert b"STATUS" in world.script.names()
    world.assert_settled()


def test_who_we_are_costs_no_round_trip(scripted):
    world = start(scripted)
    world.script.commands.clear()
    done = world.summary()
    assert any(c.startswith(b'ID ("name" "mochila"')
               for c in world.script.commands)
    assert world.script.names()[-4:] == [b"ID", b"NAMESPACE", b"LIST",
                                         b"LOGOUT"]
    assert done["round_trips"] <= 5


def test_throttled(scripted):
    world = start(scripted, Outlook)
    world.server.append("other", message("new"))
    world.script.answer = {b"SELECT": b"NO Request is throttled. Suggested "
                           b"Backoff Time: 60000 milliseconds"}
    done = world.sync(status=None)
    assert done.returncode in (65, 75)
    assert "Suggested Backoff Time" in done.err
    world.script.well()
    world.sync()
    world.assert_settled()
