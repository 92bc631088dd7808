"""Odd messages and odd names on each of the servers."""

import os
import shutil

import pytest

from conftest import account
from servers_courier import Courier
from servers_people import lose_journal
from world import canonical, lf, message, quote

HEAD = b"From: a@b.c\nSubject: %s\n\n"

# What lies in the Maildir, and in which file.
MESSAGES = {
    "plain": HEAD % b"x" + b"body\n",
    "crlf": b"From: a@b.c\r\nSubject: crlf\r\n\r\nbody\r\n",
    "mixed": b"From: a@b.c\r\nSubject: mixed\n\nx\r\ny\nz\n",
    "nul": HEAD % b"x" + b"a\0b\n",
    "nul-in-header": HEAD % b"a\0b" + b"x\n",
    "8bit-header": HEAD % "na\u00efve".encode("latin-1") + b"x\n",
    "8bit-body": HEAD % b"x" + "na\u00efve\n".encode(),
    "no-final-newline": HEAD % b"x" + b"the end",
    "empty": b"",
    "header-only": b"From: a@b.c\nSubject: only\n\n",
    "no-blank-line": b"From: a@b.c\nSubject: no blank line\n",
    "no-header": b"\njust a body\n",
    "garbage-header": b"From: a@b.c\nthis is no header\n\nx\n",
    "lone-cr": HEAD % b"x" + b"a\rb\n",
    "mbox": b"From a@b.c Mon Nov 23 08:45:59 2026\n" + HEAD % b"mbox" +
            b">From here\n.\n..\n",
    "long-line": HEAD % b"long" + b"y" * 100_000 + b"\n",
    "many-headers": b"X-Line: 1\n" * 2000 + HEAD % b"many" + b"x\n",
    "control": HEAD % b"x" + b"\x1a\x1b[1m\x7f\n",
}

# What Courier sends for a message whose file it cannot open.
STAND_IN = b"""From: System Administrator <root@localhost>
Subject: message unavailable

This message is no longer available on the server.
"""

# IMAP cannot carry NUL outside of a literal8 (RFC 3501, section 9, CHAR8).
NUL = {"nul", "nul-in-header"}
REFUSED = {"Dovecot": NUL | {"empty"},
           "Cyrus": NUL | {"empty", "garbage-header"},
           "Courier": NUL}
CHANGED = {"Dovecot": set(), "Cyrus": {"8bit-header"},
           "Courier": {"empty", "lone-cr", "no-final-newline"}}


def of_server(table, world):
    return table[world.server.kind.name.split(",")[0]]


def test_odd_messages_here(people):
    """Odd messages of the Maildir: refused and altered ones stay as they are"""
    world = people.world
    world.sync()
    for n, (name, data) in enumerate(MESSAGES.items()):
        world.local.add("INBOX", data, "%d.%s.host" % (n, name))
    people.add_here("other", "goes-on")
    before = world.local.snapshot()
    done = world.sync(status=65)
    refused = of_server(REFUSED, world)
    assert {name for name in MESSAGES if ".%s.host" % name in done.err} == \
        refused
    # nothing has happened to the files
    assert world.local.snapshot().keys() - before.keys() == set()
    for name, _, path in world.local.files("INBOX"):
        assert path.read_bytes() == MESSAGES[name.split(".")[1]]
    # the rows say which is which there
    uid_of = {r["file"].split("/")[-1].split(".")[1]: r["uid"]
              for r in world.dump() if r["mailbox"] == "INBOX"}
    there = world.server.messages("INBOX")
    assert set(uid_of) == MESSAGES.keys() - refused
    assert sorted(uid_of.values()) == sorted(there)
    changed = {name for name, uid in uid_of.items()
               if there[uid]["body"] != canonical(MESSAGES[name])}
    assert changed == of_server(CHANGED, world)
    assert list(people.there("other")) == ["goes-on"]
    world.server.close()
    # the next run does nothing
    world.assert_idle(status=65)
    # and flags still find their way
    people.set_here("other", "goes-on", lambda f: {"S"})
    for name in changed | {"plain"}:
        world.server.store("INBOX", uid_of[name], "+FLAGS", ["\\Flagged"])
    world.sync(status=65)
    assert people.flags_there("other", "goes-on") == {"\\Seen"}
    for name, flags, path in world.local.files("INBOX"):
        name = name.split(".")[1]
        assert path.read_bytes() == MESSAGES[name]
        assert flags == ({"\\Flagged"} if name in changed | {"plain"}
                         else set())
    world.assert_idle(status=65)


def test_odd_messages_there(people):
    """Odd messages of the server come down as it shows them"""
    world = people.world
    accepted = 0
    for data in MESSAGES.values():
        imap = world.server.connect()
        imap.literal = canonical(data)
        typ, _ = imap._simple_command("APPEND", quote("INBOX"))
        accepted += typ == "OK"
    assert accepted >= 13
    world.sync()
    assert len(world.local.files("INBOX")) == accepted
    world.assert_settled()
    lose_journal(world)
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    world.assert_settled()


@pytest.fixture
def courier(scratch, binary, others):
    yield from account(scratch, others.get(Courier), binary)


def test_what_courier_cannot_open_is_no_message(courier):
    """It says OK, and sends another one in its place: that is not fetched, nor
    is it like a file of its length; the message comes when it can be opened."""
    world = courier
    world.server.append("INBOX", message("m0"))
    world.sync()
    name = "1234567890.M1P1.host"
    box = world.server.kind.maildir(world.server.user)
    there = box / "new" / name
    there.write_bytes(lf(message("precious")))
    there.chmod(0)
    assert "sends no body" in world.sync(status=65).err
    world.assert_idle(status=65)
    lose_journal(world)
    world.local.add("INBOX", STAND_IN, "1.like.host")
    assert "sends no octets" in world.sync(status=65).err
    assert len(world.local.files("INBOX")) == 2
    (box / "cur" / (name + ":2,")).chmod(0o644)
    lose_journal(world)
    world.sync()
    assert sorted(path.read_bytes() for _, _, path in
                  world.local.files("INBOX")) == sorted(
        [lf(message("m0")), lf(message("precious")), STAND_IN])
    world.assert_settled()


# As on the wire, "/" for the server's delimiter.
NAMES = ["a b", " lead", "trail ", 'a"b', "a\\b", "a*b", "a%b", "a{b", "a(b",
         "a]b", "a:2,S", "x{3}", "a;b", "'", "$HOME", "-rf", "NIL", "#x",
         "~a", ".x", "..", "../x", "a.b", "100%", "a%41b", "&-", "&AOQ-",
         "&ZeVnLA-/&ZyyKng-", "&2D3eAA-", "cur", "new", "tmp", "cur/new",
         "Case", "case", "x/INBOX", "inbox", "INBOX/sub", "dovecot-keywords",
         "n" * 100]


def test_odd_names_there(people):
    """Odd mailbox names of the server stay inside the root"""
    world = people.world
    kind = world.server.kind
    made = []
    for name in NAMES:
        wire = kind.prefix + name.replace("/", kind.delimiter)
        typ, _ = world.server.connect().create(quote(wire))
        if typ == "OK":
            made.append(wire)
            world.server.append(wire, b"Subject: in %s\r\n\r\nx\r\n" %
                                name.encode())
    assert len(made) > 25
    world.sync()
    assert sorted(os.listdir(world.base)) == [
        "Mail", "config.yaml", "home", "password", "state"]
    assert set(made) <= set(map(world.wire, world.local.mailboxes()))
    world.assert_settled()
    # without a journal the same directories are the same mailboxes
    lose_journal(world)
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    world.assert_settled()


# Directories, as src/mail/layout.h writes names.
DIRECTORIES = ["a b", "trail ", "\u00e4/\u00f6", "\u65e5\u672c", "&", "a&b",
               "50%25", "%63ur", "%6Eew/%74mp", "x/y/z", "A", "a", "x~y",
               "e\u0301", "\u00e9", "\U0001f600", "'$(x)'", "p.q"]


# What the server cannot have: its store, or its delimiter, is in the way.
REFUSED_NAMES = {"Dovecot": {"p.q"}, "Cyrus": {"50%25"},
                 "Courier": {"\U0001f600", "p.q"}}


def test_odd_names_here(people):
    """Odd directories become mailboxes; what cannot be one is reported"""
    world = people.world
    world.sync()
    for n, box in enumerate(DIRECTORIES):
        people.add_here(box, "n%d" % n)
    # no name of a mailbox gives such a directory
    impossible = ["100%", "a%2fb", "line\nend"]
    for n, box in enumerate(impossible):
        people.add_here(box, "i%d" % n)
    done = world.sync(status=65)
    refused = of_server(REFUSED_NAMES, world)
    for box in refused:
        assert "home: %s: " % box in done.err
    for n, box in enumerate(impossible):
        assert "home: %s" % box.split("\n")[0] in done.err
        assert list(people.here(box)) == ["i%d" % n]
    for box in refused:
        assert len(people.here(box)) == 1
        os.rename(world.root / box, world.base / "away")
        shutil.rmtree(world.base / "away")
    if world.server.kind.makes_parents:
        world.sync(status=65)
    wires = set(map(world.wire, set(DIRECTORIES) - refused))
    assert wires <= set(world.server.mailboxes())
    world.assert_idle(status=65, says=True)
    for box in impossible:
        os.rename(world.root / box, world.base / "away")
        shutil.rmtree(world.base / "away")
    world.sync()
    world.assert_settled()
