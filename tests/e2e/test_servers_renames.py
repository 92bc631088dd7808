"""Mailboxes that get other names, on each of the servers.

The first line of a test is its line in the table of doc/servers.md.
"""

import os

from test_mailboxes import ids
from world import message, quote


def start(people):
    """Messages large enough that one that is sent again would show."""
    world = people.world
    for box in ("work", "work/deep", "other"):
        world.server.create(world.wire(box))
        for n in range(5):
            world.server.append(world.wire(box), message(
                "%s-%d" % (box.replace("/", "-"), n), size=8000))
    world.sync()
    world.sync()
    return world


def keeps_uidvalidity(world):
    return world.server_process.name != "Courier"


def check(world, before, s, names):
    """No body crossed; and where the server keeps the numbers of a renamed
    mailbox, it is the same one in the journal."""
    assert s["failed"] == s["held"] == 0
    assert s["bytes_out"] < 8000
    if keeps_uidvalidity(world):
        assert s["pulled"] == s["pushed"] == 0
        assert s["mailboxes_renamed"] == len(names)
        assert s["bytes_in"] < 16000
        now = ids(world)
        assert [now[new] for new in names.values()] == [
            before[old] for old in names]
    world.sync()
    world.assert_settled()


def test_renamed_here(people):
    """A mailbox with children renamed here"""
    world = start(people)
    before = ids(world)
    os.rename(world.root / "work", world.root / "play")
    check(world, before, world.summary(),
          {"work": "play", "work/deep": "play/deep"})
    assert world.local.mailboxes() == ["INBOX", "other", "play", "play/deep"]


def test_renamed_there(people):
    """A mailbox with children renamed there"""
    world = start(people)
    before = ids(world)
    world.server.do("rename", quote(world.wire("work")),
                    quote(world.wire("play")))
    world.server.close()
    check(world, before, world.summary(),
          {"work": "play", "work/deep": "play/deep"})
    assert world.local.mailboxes() == ["INBOX", "other", "play", "play/deep"]


def test_swapped_here(people):
    """Two mailboxes that swapped names here"""
    world = start(people)
    before = ids(world)
    for old, new in (("work/deep", "z"), ("other", "work/deep"),
                     ("z", "other")):
        os.rename(world.root / old, world.root / new)
    check(world, before, world.summary(),
          {"work/deep": "other", "other": "work/deep"})
