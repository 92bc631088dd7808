"""LIST, NAMESPACE and STATUS as servers answer them."""

import re
import shutil

import pytest

from personas import Outlook, Persona, Yahoo
from scripted import No
from world import lf, message


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
    world.assert_recovers()


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
    world.assert_recovers()


# names on the command line


@pytest.mark.parametrize("words, known", [
    (["home:other"], True), (["home:inbox"], True), (["home:Other"], False),
    (["home:a box", "home:nope"], False), (["home", "home:other"], True),
    (["home", "home:nope"], False)])
def test_a_name_that_is_no_mailbox_is_said(scripted, words, known):
    world = start(scripted)
    for box in ("INBOX", "other"):
        world.server.append(box, message("new"))
    done = world.sync(*words, status=0 if known else 64)
    assert ("no mailbox '" in done.err) != known
    if known:
        there, here = world.tokens("INBOX" if words == ["home:inbox"] else
                                   "other")
        assert there == here


# what cannot be opened just now is not deleted


def refuse(world, said, listed, *commands):
    """SAID to whatever asks for the mailbox "other" by name."""
    def no(session, tag, words):
        if words[0] == b"other":
            session.line(tag + b" NO " + said)
        return words[0] == b"other"

    hidden = rb'^\* STATUS "?other' if listed else \
        rb'^\* (LIST .* |STATUS )"?other'
    world.script.answer = dict.fromkeys(
        commands or (b"STATUS", b"EXAMINE", b"SELECT"), no)
    world.script.rewrite = lambda session, line: [
        line] if not re.match(hidden, line) else []


def start_with_other(scripted):
    world = start(scripted)
    world.server.append("other", message("kept"))
    world.fill(9)
    return world


@pytest.mark.parametrize("said, listed", [
    (b"[UNAVAILABLE] its disk is away", False),
    (b"[INUSE] locked", False),
    (b"[SERVERBUG] Internal error occurred", False),
    (b"[NOPERM] no", False),
    (b"[UNAVAILABLE] its disk is away", True),
    (b"Server Unavailable. 15", True),
    (b"Mailbox doesn't exist: other", True)])
def test_what_cannot_be_opened_now_is_not_deleted(scripted, said, listed):
    world = start_with_other(scripted)
    refuse(world, said, listed)
    done = world.sync(status=65)
    assert said.decode() in done.err
    assert len(world.local.files("other")) == 1
    world.assert_recovers()
    assert len(world.server.messages("other")) == 1


@pytest.mark.parametrize("said", [
    b"[NONEXISTENT] no", b"[TRYCREATE] No such mailbox", b"no such mailbox"])
def test_what_the_server_does_not_know_is_deleted(scripted, said):
    world = start_with_other(scripted)
    refuse(world, said, False)
    del world.script.store.boxes["other"]
    world.sync()
    assert "other" not in world.local.mailboxes()
    world.assert_settled()


@pytest.mark.parametrize("said, gone", [
    (b"Mailbox doesn't exist: other", True),
    (b"Mailbox does not exist", True),
    (b"Server Unavailable. 15", False)])
def test_a_mailbox_that_is_listed_for_its_children(scripted, said, gone):
    """Dovecot lists what was deleted while it had some, and gives no code."""
    world = start_with_other(scripted)
    world.server.create("other/child")
    world.sync()
    refuse(world, said, True)
    world.sync(status=0 if gone else 65)
    assert ("other" in world.local.mailboxes()) != gone
    assert "other/child" in world.local.mailboxes()


def test_a_deletion_that_is_refused_for_now_is_not_forgotten(scripted):
    world = start_with_other(scripted)
    shutil.rmtree(world.root / "other")
    refuse(world, b"[UNAVAILABLE] later", True, b"STATUS", b"DELETE")
    done = world.sync(status=65)
    assert "[UNAVAILABLE] later" in done.err
    assert "other" in world.server.mailboxes()
    world.assert_recovers()
    assert "other" not in world.server.mailboxes()


@pytest.mark.parametrize("code", [b"[ALREADYEXISTS] ", b""])
def test_two_names_that_the_server_takes_for_one(scripted, code):
    """Case means nothing there, in any alphabet: the mail does not come into
    the directory of the other name as well."""
    world = scripted()
    find = world.script.store.find
    world.script.store.find = lambda name: find(
        "&AMQ-" if name == "&AOQ-" else name)
    world.server.create("&AMQ-")
    world.server.append("&AMQ-", message("m0"))
    world.sync()
    path = world.local.add("ä", lf(message("here")), "1.here.host")

    def create(session, tag, words):
        if find(words[0].decode()) or words[0] == b"&AOQ-":
            raise No("NO %sit is there" % code.decode())

    world.script.answer[b"CREATE"] = create
    for _ in range(2):
        assert "ä: the server says that it exists" in world.sync(status=65).err
        assert [p for _, _, p in world.local.files("ä")] == [path]
        assert len(world.local.files("Ä")) == 1
        assert len(world.server.messages("&AMQ-")) == 1
    path.parent.parent.rename(world.root / "more")
    world.assert_recovers()


def test_a_mailbox_that_somebody_makes_meanwhile(scripted):
    world = scripted()
    world.sync()
    world.local.add("both", lf(message("here")), "1.here.host")
    world.local.add("both", lf(message("equal")), "2.here.host")

    def create(session, tag, words):
        world.script.well()
        for token in "equal", "there":
            session.store.find("both") or session.store.create("both")
            session.store.append(session.store.find("both"), message(token))
        return False

    world.script.answer[b"CREATE"] = create
    world.sync()
    assert world.tokens("both") == (["equal", "here", "there"],) * 2
    world.assert_settled()
