"""Servers that can do less: without the extensions, and without mod-sequences
that last.  The same people, the same model."""

import random

import pytest

from servers import Dovecot
from test_faults import start
from world import World

FEW = "imap_capability = IMAP4rev1 UIDPLUS\nimap_max_line_length = 1000\n"
NOMODSEQ = "mail_location = maildir:~/Maildir:INDEX=MEMORY\n"


@pytest.mark.parametrize("extra", [FEW, NOMODSEQ], ids=["few", "nomodseq"])
def test_the_same_with_less(scratch, binary, extra):
    base = scratch / ("less-%d" % len(extra))
    server = Dovecot(base / "server", extra)
    try:
        world = World(base / "user", server, "u", binary)
        model = start(world, random.Random(len(extra)))
        for _ in range(4):
            model.people(30)
            world.sync()
            model.check()
            world.assert_settled()
        world.server.close()
    finally:
        server.stop()
