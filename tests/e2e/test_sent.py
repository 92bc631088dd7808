"""Files that went up, or may have, and no answer says as what: no APPENDUID, a
COPYUID that is of no use, a connection that ends.  Servers that alter what they
store (Exchange, Proton Bridge) show nothing that is equal."""

import json
import re
import time

import pytest

from personas import Outlook, Persona
from scripted import Hangup
from world import lf, message


class Plain(Persona):
    """No UIDPLUS."""
    caps = "IMAP4rev1 NAMESPACE UNSELECT"


class Elsewhere(Persona):
    """APPENDUID names another generation of the mailbox."""


def of_another(session, line):
    return [re.sub(rb"\[APPENDUID (\d+)", rb"[APPENDUID 9\1", line)]


def alters(world):
    store = world.script.store
    plain = store.append
    store.append = lambda box, body, flags=(), when=None: plain(
        box, b"X-Server: yes\r\n" + body, flags, when)


def nameless(token):
    return re.sub(rb"Message-ID: .*\r\n", b"", message(token))


def altering(scripted, kind, n=2):
    world = scripted(kind)
    if kind is Elsewhere:
        world.script.rewrite = of_another
    world.fill(n)
    alters(world)
    return world


def counts(world, box="INBOX"):
    return len(world.server.messages(box)), len(world.local.files(box))


def assert_stays(world, *boxes):
    """More runs find nothing to do, and write nothing."""
    before = [counts(world, box) for box in boxes or ("INBOX",)]
    for full in ((), ("--full",)):
        done = world.sync(*full)
        assert done.err == ""
        assert [counts(world, box) for box in boxes or ("INBOX",)] == before
    world.script.changing.clear()
    world.assert_idle()
    assert world.script.changing == []


# an APPEND that was answered with OK


@pytest.mark.parametrize("kind", [Plain, Elsewhere])
def test_what_is_altered_is_known_by_its_message_id(scripted, kind):
    world = altering(scripted, kind)
    for n in range(3):
        world.local.add("INBOX", lf(message("n%d" % n)), "%d.new.host" % n)
    world.sync()
    assert counts(world) == (5, 5)
    world.assert_journal()
    world.set_letters("n1", "F")
    world.sync()
    flagged, = [m for m in world.server.messages("INBOX").values()
                if "\\Flagged" in m["flags"]]
    assert b"message n1" in flagged["body"]
    assert_stays(world)


@pytest.mark.parametrize("kind", [Plain, Elsewhere])
def test_without_a_message_id_it_goes_up_once(scripted, kind):
    world = altering(scripted, kind)
    world.local.add("INBOX", lf(nameless("new")), "1.new.host")
    done = world.sync(status=65)
    assert done.err.count("\n") == 1 and "INBOX: new/1.new.host: it went up" \
        in done.err
    assert counts(world) == (3, 4)
    assert_stays(world)
    world.server.append("INBOX", message("later"))
    world.sync()
    assert counts(world) == (4, 5)
    assert_stays(world)


def test_what_is_unaltered_needs_no_message_id(scripted):
    world = scripted(Plain)
    world.fill(2)
    world.local.add("INBOX", lf(nameless("new")), "1.new.host")
    world.sync()
    world.assert_settled()


def test_what_shows_up_later_is_the_file_that_went_up(scripted):
    world = altering(scripted, Plain, 0)
    world.local.add("INBOX", lf(nameless("new")), "1.new.host")
    world.sync(status=65)
    assert counts(world) == (1, 2)
    del world.script.store.append
    world.server.append("INBOX", nameless("new"))
    done = world.summary()
    assert (done["adopted"], done["pulled"]) == (1, 0)
    assert counts(world) == (2, 2)
    world.assert_journal()
    assert_stays(world)


@pytest.mark.parametrize("second", ["other", "same"])
def test_two_of_one_message_id_are_not_mistaken(scripted, second):
    """Also where both have one base, so that one hold is for two files."""
    world = altering(scripted, Plain, 0)
    second = {"other": "2.b.host", "same": "1.a.host:2,"}[second]
    for name, token in ("1.a.host", "one"), (second, "two"):
        world.local.add("INBOX", lf(re.sub(
            rb"Message-ID: .*\r\n", b"Message-ID: <both@example.org>\r\n",
            message(token))), name, "cur" if ":2," in name else "new")
    world.sync(status=65)
    assert counts(world) == (2, 4)
    assert_stays(world)


def test_what_is_edited_afterwards_goes_up(scripted):
    world = altering(scripted, Plain, 0)
    path = world.local.add("INBOX", lf(nameless("new")), "1.new.host")
    world.sync(status=65)
    path = world.root / "INBOX" / "new" / "1.new.host"
    path.write_bytes(lf(nameless("quite new")))
    world.local.add("INBOX", lf(message("other")), "2.new.host")
    world.sync(status=65)
    assert world.tokens()[0] == ["new", "other", "quite new"]
    assert_stays(world)


# a COPY that was answered with OK


@pytest.mark.parametrize("how", ["copy", "move"])
def test_what_was_copied_there_is_not_copied_again(scripted, how):
    world = altering(scripted, Outlook)
    world.server.create("work")
    world.local.add("INBOX", lf(nameless("new")), "1.new.host")
    world.sync()
    path = world.file_of("new")
    if how == "copy":
        world.local.add("work", path.read_bytes(), "2.copy.host")
    else:
        path.rename(world.root / "work" / "cur" / (path.name + ":2,"))
    done = world.sync(status=65)
    assert "it went up" in done.err
    assert counts(world, "work") == (1, 2)
    assert counts(world) == ((3, 3) if how == "copy" else (2, 2))
    assert_stays(world, "INBOX", "work")


@pytest.mark.parametrize("ids", [1, 2])
def test_copies_are_known_by_their_message_ids(scripted, ids):
    world = altering(scripted, Outlook, 0)
    world.server.create("work")
    mails = [message("one"), message("two")]
    if ids == 1:
        mails[1] = mails[1].replace(b"<two@", b"<one@")
    for box in "INBOX", "work":
        for n, mail in enumerate(mails):
            world.local.add(box, lf(mail), "%d.%s.host" % (n, box))
        world.sync(status=None)
    assert counts(world, "work") == (2, 2 if ids == 2 else 4)
    assert_stays(world, "INBOX", "work")


# no answer


def goodbye(session, tag, words):
    if b"message bad" in words[-1]:
        session.line(b"* BYE [ALERT] literal too large")
        raise Hangup


def reset(session, tag, words):
    if b"message bad" in words[-1]:
        raise Hangup


def reset_all(session, tag, words):
    raise Hangup


def hang(session, tag, words):
    if b"message bad" in words[-1]:
        time.sleep(6)
        raise Hangup


@pytest.mark.parametrize("how", [goodbye, reset, hang])
def test_what_ends_the_connection_keeps_nothing_else(scripted, how):
    world = scripted(timeout=5)
    world.fill(3)
    world.script.answer[b"APPEND"] = how
    world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    for n in range(3):
        world.local.add("INBOX", lf(message("n%d" % n)), "%d.n.host" % (n + 2))
    world.file_of("m1").unlink()
    for n in range(3):
        done = world.sync(status=69)
        assert "INBOX: 'new/1.bad.host' was sent, and not answered" in done.err
        assert (": the connection ends whenever it is sent" in done.err) == \
            (n > 0)
        assert "bad" not in world.tokens()[0]
        if n > 0:
            assert world.tokens()[0] == ["m0", "m2", "n0", "n1", "n2"]
    world.local.add("INBOX", lf(message("later")), "9.n.host")
    world.sync(status=69)
    assert "later" in world.tokens()[0]
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("edited", [False, True])
def test_the_one_that_did_so_the_least_comes_first(scripted, edited):
    """A line that is cut makes one suspect that is not to blame."""
    world = scripted()
    world.fill(1)
    at = {}

    def cut(session, tag, words):
        if b"message " + at["token"] in words[-1]:
            raise Hangup

    world.script.answer[b"APPEND"] = cut
    if edited:
        world.file_of("m0").write_bytes(lf(message("bad")))
    else:
        world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    world.local.add("INBOX", lf(message("good")), "2.good.host")
    for n, token in enumerate([b"bad", b"good", b"bad", b"bad"]):
        assert world.tokens()[0] == ["m0"]
        at["token"] = token
        done = world.sync("--full", status=69)
        assert (": the connection ends whenever it is sent" in done.err) == \
            (n > 1)
    assert world.tokens()[0] == ["good", "m0"]
    world.script.well()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", [Outlook, Persona])
@pytest.mark.parametrize("stored", [True, False])
def test_what_was_under_way_is_there_once(scripted, kind, stored):
    """Stored, the answers are lost; or the line was cut before."""
    world = scripted(kind)
    world.fill(1)
    if kind is Outlook:
        alters(world)
    for n in range(20):
        world.local.add("INBOX", lf(message("n%d" % n)), "%d.new.host" % n)
    seen = []

    def swallow(session, tag, words):
        seen.append(tag)
        if stored:
            with session.store.lock:
                session.do_append(tag, words)
        if len(seen) == 15 or not stored:
            raise Hangup
        return True

    world.script.answer[b"APPEND"] = swallow
    world.sync(status=69)
    world.script.well()
    done = world.summary()
    assert done["adopted"] == (15 if stored else 0)
    assert done["pushed"] == 20 - done["adopted"]
    assert counts(world) == (21, 21)
    world.assert_journal()
    assert_stays(world)


@pytest.mark.parametrize("stored", [True, False])
def test_an_edit_that_ends_the_connection(scripted, stored):
    world = scripted()
    world.fill(2)
    path = world.file_of("m0")
    path.write_bytes(path.read_bytes() + b"and more bad\n")

    def cut(session, tag, words):
        if stored:
            with session.store.lock:
                session.do_append(tag, words)
        raise Hangup

    world.script.answer[b"APPEND"] = cut
    world.sync("--full", status=69)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    if not stored:
        def only(session, tag, words):
            if b"and more" in words[-1]:
                raise Hangup
        world.script.answer[b"APPEND"] = only
        world.sync(status=69)
        assert world.tokens() == (["m0", "m1", "new"],) * 2
    world.script.well()
    world.sync()
    assert world.tokens() == (["m0", "m1", "new"],) * 2
    assert any(b"and more" in m["body"]
               for m in world.server.messages("INBOX").values())
    world.assert_settled()


def test_an_edit_that_ended_the_connection_is_taken_back(scripted):
    world = scripted()
    world.fill(1)
    path = world.file_of("m0")
    was = path.read_bytes()
    path.write_bytes(was + b"and more\n")
    world.script.answer[b"APPEND"] = reset_all
    world.sync("--full", status=69)
    world.script.well()
    path.write_bytes(was)
    world.sync()
    box, = [json.loads(line) for line in
            world.run("status", "--json").out.splitlines()]
    assert box["waiting"] == []
    world.assert_settled()
