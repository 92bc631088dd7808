"""Servers that say what is not so.  Nothing is deleted because of it, on
neither side, and what is wrong is said."""

import re

import pytest

from personas import Icloud, Persona, Yahoo
from scripted import Hangup
from world import message


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS"


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


TIERS = [Persona, Condstore, Bare]


def replaced(pattern, new):
    def rewrite(session, line):
        if b"{" in line or not session.server.commands:
            return [line]
        changed = re.sub(pattern, new, line)
        return [changed] if changed else []
    return rewrite


def liar(world, rewrite, n=20):
    """N messages on both sides; then one more there, so that the mailbox is
    looked at, and the lie."""
    world.fill(n)
    world.server.append("INBOX", message("new"))
    world.script.rewrite = rewrite


def all_there(world, n=20):
    there, here = world.tokens()
    assert {"m%d" % i for i in range(n)} <= set(there) & set(here)
    assert world.script.changing == [], "something was changed on the server"
    return here


@pytest.mark.parametrize("kind", TIERS)
def test_more_messages_than_there_are(scripted, kind):
    world = scripted(kind)
    liar(world, replaced(rb"^\* 21 EXISTS", b"* 22 EXISTS"))
    done = world.sync(status=65)
    assert "the listing has 21 of 22 messages" in done.err
    all_there(world)
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
def test_fewer_messages_than_there_are(scripted, kind):
    world = scripted(kind)
    liar(world, replaced(rb"^\* 21 EXISTS", b"* 4 EXISTS"))
    done = world.sync(status=None)
    # either it is found out what is true, or nothing is concluded
    assert done.returncode == 0 or "nothing is concluded" in done.err
    all_there(world)
    world.assert_recovers()
    assert "new" in all_there(world)


@pytest.mark.parametrize("search", [True, False])
@pytest.mark.parametrize("kind", TIERS)
def test_an_arrival_makes_up_for_what_is_not_listed(scripted, kind, search):
    """As many as EXISTS says, and yet one of them is missing."""
    world = scripted(kind)
    world.fill(3)

    def list_without_one(session, tag, words):
        session.store.append(session.box, message("new"))
        session.poll()
        for uid in session.box.mail:
            if uid != 2:
                session.send_items(uid, [w.decode() for w in words[1]])
        session.line(tag + b" OK done")
        return True

    world.script.answer[b"UID FETCH"] = [list_without_one]
    if not search:
        world.script.answer[b"UID SEARCH"] = b"NO not now"
    done = world.sync("--full", status=65)
    assert "nothing is concluded from its listing" in done.err
    assert all_there(world, 3)
    world.assert_recovers()
    assert all_there(world, 3) == ["m0", "m1", "m2", "new"]


def test_an_arrival_makes_up_for_what_is_not_found(scripted):
    """The same of the SEARCH that tells what is gone, where changes do not."""
    world = scripted(Condstore)
    world.fill(4)
    world.server.expunge("INBOX", [1])
    world.server.flag("INBOX", 4, ["\\Seen"])

    def find_all_but_one(session, tag, words):
        uid = session.store.append(session.box, message("new"))
        session.poll()
        session.line('* ESEARCH (TAG "%s") UID ALL 3:%d' % (tag.decode(), uid))
        session.line(tag + b" OK done")
        return True

    world.script.answer[b"UID SEARCH"] = [find_all_but_one]
    world.sync()
    assert {"m1", "m2", "m3"} <= set(world.tokens()[1])
    world.assert_recovers()
    assert world.tokens()[1] == ["m1", "m2", "m3", "new"]


@pytest.mark.parametrize("kind", TIERS)
def test_an_expunge_and_an_arrival_during_the_listing(scripted, kind):
    """The same numbers, and it is true."""
    world = scripted(kind)
    world.fill(3)

    def meanwhile(session, tag, words):
        session.store.expunge(session.box, 2)
        session.store.append(session.box, message("new"))
        session.poll()

    world.script.answer[b"UID FETCH"] = [meanwhile]
    world.sync("--full")
    assert world.tokens() == (["m0", "m2", "new"],) * 2
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
def test_an_empty_mailbox_that_is_not(scripted, kind):
    world = scripted(kind)
    liar(world, replaced(rb"^\* 21 EXISTS", b"* 0 EXISTS"))
    done = world.sync(status=None)
    # the listing that was asked for with the SELECT may show them
    assert done.returncode == 0 or "nothing is concluded" in done.err
    all_there(world)
    world.assert_recovers()


@pytest.mark.parametrize("said", [
    b"* VANISHED (EARLIER) 1:4294967295", b"* VANISHED 1:20",
    b"* VANISHED (EARLIER) 3", b"* VANISHED (EARLIER) 1:5,9,900",
    b"* VANISHED (EARLIER) x", b"* VANISHED"])
def test_wrong_vanished(scripted, said):
    world = scripted(Yahoo if b"1:4" in said else Persona)
    liar(world, lambda session, line:
         [said, line] if line.startswith(b"* OK [HIGHESTMODSEQ") else [line])
    world.sync(status=None)
    all_there(world)
    world.assert_recovers()


def test_wrong_vanished_that_fits(scripted):
    """EXISTS agrees with it: only a search can tell, or the list before."""
    world = scripted()

    def rewrite(session, line):
        if line == b"* 21 EXISTS":
            return [b"* 6 EXISTS"]
        if line.startswith(b"* OK [HIGHESTMODSEQ"):
            return [b"* VANISHED (EARLIER) 1:15", line]
        return [line]

    liar(world, rewrite)
    done = world.sync(status=None)
    assert (b"UID SEARCH" in world.script.names()
            or "nothing is concluded" in done.err)
    all_there(world)
    world.assert_recovers()
    assert "new" in all_there(world)


@pytest.mark.parametrize("found", [b"", b",", b",x"])
def test_wrong_vanished_and_no_answer_to_the_search(scripted, found):
    """All agrees, and an OK behind nothing, or behind what cannot be read,
    does not say that they are gone."""
    world = scripted()

    def rewrite(session, line):
        if line.startswith(b"* ESEARCH"):
            return [line + found] if found else []
        if line.startswith(b"* OK [HIGHESTMODSEQ"):
            return [b"* VANISHED (EARLIER) 1:15", line]
        return [line.replace(b"* 21 EXISTS", b"* 6 EXISTS")
                .replace(b"(MESSAGES 21 ", b"(MESSAGES 6 ")]

    liar(world, rewrite)
    world.sync(status=None)
    assert b"UID SEARCH" in world.script.names()
    all_there(world)
    world.script.well()
    world.sync()
    assert "new" in all_there(world)
    world.assert_settled()


class IcloudThatSaysEnabled(Icloud):
    enabled_line = True


def test_vanished_that_is_malformed(scripted):
    world = scripted(IcloudThatSaysEnabled)
    uids = world.fill(20)
    world.server.expunge("INBOX", [uids[3], uids[7], uids[11]])
    world.sync()
    assert any(b"QRESYNC (" in c for c in world.script.commands)
    assert len(world.local.files("INBOX")) == 17
    world.assert_settled()


def test_vanished_that_is_right_and_large(scripted):
    world = scripted()
    uids = world.fill(20)
    world.server.expunge("INBOX", uids[:15])
    world.script.commands.clear()
    world.sync()
    assert b"UID SEARCH" in world.script.names()
    assert len(world.local.files("INBOX")) == 5
    world.assert_settled()


@pytest.mark.parametrize("kind, seq", [
    (Persona, b"1"), (Persona, b"0"), (Persona, b"18446744073709551615"),
    (Condstore, b"1"), (Condstore, b"-1"),
    (Condstore, b"99999999999999999999")])
def test_mod_sequences_that_cannot_be(scripted, kind, seq):
    world = scripted(kind)
    liar(world, replaced(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ " + seq))
    done = world.sync(status=None)
    assert done.returncode == 0, done.err
    assert ("went back" in done.err) == (seq == b"1")
    assert "new" in all_there(world)
    world.assert_recovers()


@pytest.mark.parametrize("kind", [Persona, Condstore])
def test_no_mod_sequences_any_more(scripted, kind):
    world = scripted(kind)
    liar(world, replaced(rb"\[HIGHESTMODSEQ \d+\]", b"[NOMODSEQ]"))
    world.sync()
    uid = min(world.server.messages("INBOX"))
    world.server.flag("INBOX", uid, ["\\Seen"])
    world.sync()
    assert "new" in all_there(world)
    world.script.well()
    world.sync()  # they are back
    world.assert_settled()


MISSING = [
    (rb"^\* OK \[UIDNEXT.*", True), (rb"^\* OK \[PERMANENTFLAGS.*", True),
    (rb"^\* FLAGS.*", True), (rb"^\* OK \[HIGHESTMODSEQ.*", True),
    (rb"^\* STATUS.*", True), (rb"^\* SEARCH.*|\* ESEARCH.*", True),
    (rb"^\* OK \[UIDVALIDITY.*", False), (rb"^\* LIST.*", False),
    (rb"^\* \d+ FETCH.*", False), (rb"^\* .*", False)]


@pytest.mark.parametrize("kind, what, ok", [(Persona, *m) for m in MISSING] + [
    (k, *m) for k in (Condstore, Bare) for m in MISSING[5:6] + MISSING[8:]])
def test_ok_and_something_is_missing(scripted, kind, what, ok):
    world = scripted(kind)
    world.fill(20)
    for i in range(2):
        world.server.append("INBOX", message("new%d" % i))
        world.server.flag("INBOX", 2 + i, ["\\Seen"])
        world.script.changing.clear()
        world.script.commands.clear()
        world.script.rewrite = replaced(what, b"")
        done = world.sync(status=None)
        assert done.returncode in ((0,) if ok else (0, 3, 65)), done.err
        assert ok or done.err
        all_there(world)
        world.script.well()
        world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS + [Yahoo, Icloud])
def test_fetch_of_what_was_not_asked(scripted, kind):
    world = scripted(kind)
    head = b"* 700 UIDFETCH (" if kind is Yahoo else b"* 3 FETCH (UID 700 "
    liar(world, lambda session, line: [head + b"FLAGS (\\Seen))", line]
         if b"FETCH (" in line else [line])
    world.sync(status=None)
    all_there(world)
    world.script.well()
    world.sync(status=None)
    there, here = world.tokens()
    assert there == here and len(there) == 21


def test_a_body_that_comes_twice_is_one_message(scripted):
    world = scripted()
    world.fill(3)
    for i in range(3):
        world.server.append("INBOX", message("new%d" % i))
    world.script.rewrite = lambda session, line: [line] * (
        2 if b"BODY[]" in line else 1)
    world.sync()
    assert len(world.local.files("INBOX")) == 6
    world.assert_settled()


def test_a_body_that_does_not_come_is_waited_for(scripted):
    """The server says OK and has left one out; it is there, as it says."""
    world = scripted()
    world.fill(3)
    uids = [world.server.append("INBOX", message("new%d" % i))
            for i in range(3)]
    world.script.rewrite = lambda session, line: [] if (
        b"BODY[]" in line and b"message new1" in line) else [line]
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "uid %d:" % uids[1] in line and "no body" in line
    assert len(world.local.files("INBOX")) == 5
    world.script.well()
    # the cursor may pass it: it is on hold
    world.assert_idle(status=65)


class Ids(Persona):
    """With whose numbers LIST comes twice (RFC 8474)."""
    caps = Persona.caps + " OBJECTID"


@pytest.mark.parametrize("kind", [Persona, Ids])
def test_a_list_with_a_name_that_cannot_be_read(scripted, kind):
    world = scripted(kind)
    world.server.create("Sent Items")
    world.server.create("other")
    world.server.append("Sent Items", message("sent"))
    world.fill(3)
    world.server.append("INBOX", message("new"))
    world.script.rewrite = replaced(rb'"Sent Items"', b"Sent Items")
    world.script.store.boxes.pop("other")
    done = world.sync(status=None)
    assert done.returncode in (3, 65)
    assert "1 line of the server's list of mailboxes cannot" in done.err
    assert sorted(world.local.mailboxes()) == ["INBOX", "Sent Items", "other"]
    assert len(world.local.files("INBOX")) == 4
    world.assert_recovers()
    assert sorted(world.local.mailboxes()) == ["INBOX", "Sent Items"]


def test_an_empty_list_deletes_nothing(scripted):
    world = scripted()
    world.server.create("other")
    world.fill(3)
    world.script.rewrite = replaced(rb"^\* (LIST|STATUS).*", b"")
    done = world.sync(status=None)
    assert done.returncode in (3, 65) and done.err
    assert world.local.mailboxes() == ["INBOX", "other"]
    all_there(world, 3)


@pytest.mark.parametrize("kind, command", [
    (Persona, "UID FETCH"), (Persona, "APPEND"), (Persona, "SELECT"),
    (Condstore, "UID STORE"), (Bare, "APPEND")])
def test_uids_that_change_in_the_session(scripted, kind, command):
    world = scripted(kind)
    world.fill(20)
    world.server.append("INBOX", message("new"))
    world.server.flag("INBOX", 2, ["\\Seen"])
    world.set_letters("m5", "S")
    world.local.add("INBOX", message("here"), "1.here.host")

    def renumber(session, tag, words):
        world.server.renumber("INBOX")
        session.box = None
        raise Hangup

    world.script.answer = {command.encode(): [renumber]}
    world.sync(status=None)
    world.sync(status=None)
    there, here = world.tokens()
    assert there == here and len(there) == 22
    world.assert_settled()


def take_back(world, *removed, again=False):
    """The mailbox of an older backup: the mod-sequence, and no REMOVED (or
    AGAIN, under other UIDs)."""
    with world.script.store.lock:
        box = world.script.store.find("INBOX")
        mail = [box.mail[uid] for uid in removed]
        for uid in removed:
            box.remove(uid)
        for m in mail if again else []:
            box.add(m)
        box.highest, box.expunged = 1, []
        box.modseq = dict.fromkeys(box.mail, 1)


@pytest.mark.parametrize("after", [0, 4])
def test_cut_off_where_the_mod_sequence_went_back(scripted, after):
    """What goes up again takes it beyond what it was; the next run, which has
    no doubt any more, looks for the rest."""
    world = scripted()
    world.fill(8)
    world.sync()
    take_back(world, *range(1, 7))
    seen = []

    def append(session, tag, words):
        seen.append(tag)
        if len(seen) > after:
            raise Hangup
        return False

    world.script.answer[b"APPEND"] = append
    world.sync(status=69)
    world.script.well()
    for n in range(8):
        world.server.flag("INBOX", 7, *[["\\Seen"], []][::1 - n % 2 * 2])
    world.sync()
    there, here = world.tokens()
    assert there == here and len(there) == 8
    world.assert_settled()


@pytest.mark.parametrize("size", [300, 20000])
@pytest.mark.parametrize("args", [[], ["--full"]])
def test_stored_anew_where_the_mod_sequence_went_back(scripted, size, args):
    """Equal messages under other UIDs are the same ones."""
    world = scripted()
    for n in range(4):
        world.server.append("INBOX", message("m%d" % n, size=size))
    world.sync()
    take_back(world, 1, 2, again=True)
    world.sync(*args)
    there, here = world.tokens()
    assert there == here and len(there) == 4
    world.assert_settled()
