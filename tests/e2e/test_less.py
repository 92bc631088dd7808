"""Servers that can do less: without the extensions, and without mod-sequences
that last, or with extensions that must not be used.  The same people, the
same model."""

import os
import random

import pytest

from servers import Dovecot
from test_faults import start
from world import World, message

NONE = "imap_capability = IMAP4rev1\nimap_max_line_length = 1000\n"
FEW = "imap_capability = IMAP4rev1 UIDPLUS\nimap_max_line_length = 1000\n"
NOMODSEQ = "mail_location = maildir:~/Maildir:INDEX=MEMORY\n"


@pytest.mark.some(3)
@pytest.mark.parametrize("extra, off", [
    (NONE, None), (FEW, None), (NOMODSEQ, None), ("", ["QRESYNC"]),
    ("", ["QRESYNC", "ESEARCH"]), ("", ["CONDSTORE"])],
    ids=["none", "few", "nomodseq", "condstore", "no-esearch", "plain"])
def test_the_same_with_less(scratch, binary, extra, off):
    base = scratch / ("less-%d-%d" % (len(extra), len(str(off))))
    server = Dovecot(base / "server", extra)
    try:
        world = World(base / "user", server, "u", binary)
        world.write_config(disable_extensions=off)
        model = start(world, random.Random(len(extra)))
        for _ in range(4):
            model.people(30)
            world.sync()
            model.check()
            world.assert_settled()
        world.server.close()
    finally:
        server.stop()


def test_condstore_asks_for_uids_only_when_something_is_gone(world):
    world.write_config(disable_extensions=["QRESYNC"])
    for i in range(6):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()

    def searched():
        world.sync("--trace", str(world.trace))
        words = b"\n".join(world.commands())
        world.trace.unlink()
        assert b"1:* (UID FLAGS" not in words
        return b"UID SEARCH" in words
    world.server.store("INBOX", 2, "+FLAGS", ["\\Seen"])
    assert not searched()
    world.server.append("INBOX", message("new"))
    assert not searched()
    world.local.add("INBOX", message("up"), "1.up.host")
    assert not searched()
    world.server.expunge("INBOX", [3, 5])
    assert searched()
    # one gone and one new: the counts alone would not tell
    world.server.expunge("INBOX", [1])
    world.server.append("INBOX", message("newer"))
    assert searched()
    world.assert_settled()


def test_without_uidplus_nothing_of_others_is_expunged(world):
    world.write_config(disable_extensions=["UIDPLUS"])
    for token in "abc":
        world.server.append("INBOX", message(token))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Deleted"])
    gone = {r["uid"]: r["file"] for r in world.dump()}[uids[1]]
    os.unlink(world.root / gone)
    for _ in range(2):
        result = world.sync(status=65)
        assert b"UIDPLUS" in result.stderr, result.stderr
        assert sorted(world.server.messages("INBOX", bodies=False)) == uids
        assert len(world.local.files("INBOX")) == 2
    # they change their mind: ours goes, theirs stays
    world.server.store("INBOX", uids[0], "-FLAGS", ["\\Deleted"])
    world.sync()
    assert sorted(world.server.messages("INBOX", bodies=False)) == [
        uids[0], uids[2]]
    world.assert_settled()
