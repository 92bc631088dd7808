"""Servers that people have (personas.py): the whole program against each."""

import pytest

from personas import Gmail, Icloud, Outlook, Persona, Yahoo
from world import message

KINDS = [Persona, Gmail, Outlook, Yahoo, Icloud]


def settle(world):
    """With labels what we do in one mailbox shows in others afterwards."""
    world.sync()
    if world.script.persona.labels:
        world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
def test_a_week_with(scripted, kind):
    world = scripted(kind)
    server = world.server
    uids = [server.append("INBOX", message("m%d" % i)) for i in range(14)]
    settle(world)
    assert len(world.local.files("INBOX")) == 14
    # they read, flag, write and delete
    server.flag("INBOX", uids[0], ["\\Seen"])
    server.flag("INBOX", uids[1], ["\\Flagged", "\\Answered"])
    server.append("INBOX", message("late"), ["\\Seen"])
    server.expunge("INBOX", uids[2:4])
    # and so do we
    world.set_letters("m5", "FS")
    world.file_of("m6").unlink()
    world.local.add("INBOX", message("mine"), "1.mine.host", sub="cur")
    world.local.add("INBOX", b"Subject: bare\n\nbody\n", "2.bare.host")
    settle(world)
    there, here = world.tokens()
    assert there == here == sorted(
        ["m%d" % i for i in range(14) if i not in (2, 3, 6)] +
        ["late", "mine", "bare"])
