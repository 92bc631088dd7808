"""Somebody else changes things between two of our commands."""

import os
import re

import pytest

from relay import Meddler
from world import message


@pytest.fixture
def meddle(world):
    """sync() with DEED done just before WORD reaches the server."""

    def run(word, deed, *args, status=0):
        whole = world.options["port"]

        def and_close():
            deed()
            world.server.close()

        line = Meddler(whole, word, and_close)
        world.server.close()
        world.write_config(port=line.port)
        done = world.sync(*args, status=status)
        world.write_config(port=whole)
        line.close()
        assert line.done, "the moment never came"
        return done

    return run


def fill(world, n):
    for i in range(n):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    return sorted(world.server.messages("INBOX", bodies=False))


def set_here(world, at, info):
    _, _, path = world.local.files("INBOX")[at]
    base = path.name.split(":2,")[0]
    os.rename(path, world.root / "INBOX" / "cur" / (base + ":2," + info))
    return base


def test_modified_is_merged_again(world, meddle):
    uids = fill(world, 3)
    for at in range(3):
        set_here(world, 0, "S")
    meddle(b"UID STORE", lambda: world.server.store(
        "INBOX", uids[1], "+FLAGS", ["\\Flagged"]))
    flags = {u: set(m["flags"]) for u, m in
             world.server.messages("INBOX", bodies=False).items()}
    assert flags[uids[1]] == {"\\Seen", "\\Flagged"}
    world.sync()
    world.assert_settled()


def test_no_flag_is_stored_without_its_condition(world):
    """What was agreed on is what the change was made for (RFC 7162, 3.1.3).
    As long as both only add or only remove, nothing else shows it."""
    uids = fill(world, 3)
    world.server.store("INBOX", uids[2], "+FLAGS", ["\\Seen"])
    world.sync()
    bases = [os.path.basename(p).split(":2,")[0]
             for _, _, p in world.local.files("INBOX")]
    for n, base in enumerate(bases):
        at = [p for _, _, p in world.local.files("INBOX")
              if p.name.startswith(base)][0]
        os.rename(at, world.root / "INBOX" / "cur" / (
            base + (":2," if at.name.endswith("S") else ":2,FS")))
    world.sync("--trace", str(world.trace))
    stores = [c for c in world.commands() if c.startswith(b"UID STORE")]
    assert any(b" +FLAGS" in c for c in stores)
    assert any(b" -FLAGS" in c for c in stores)
    for c in stores:
        assert re.match(rb"UID STORE \S+ \(UNCHANGEDSINCE [1-9]\d*\) ", c), c
    world.assert_settled()


def test_expunged_before_our_store(world, meddle):
    uids = fill(world, 3)
    set_here(world, 0, "S")
    meddle(b"UID STORE", lambda: world.server.expunge("INBOX", uids),
           status=None)
    world.sync()
    assert world.local.files("INBOX") == []
    world.assert_settled()


def test_expunged_before_we_fetch_it(world, meddle):
    fill(world, 3)
    world.server.append("INBOX", message("late"))
    uid = max(world.server.messages("INBOX", bodies=False))
    meddle(b"BODY.PEEK[]", lambda: world.server.expunge("INBOX", [uid]))
    assert len(world.local.files("INBOX")) == 3
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("word", [b"LIST ", b"SELECT ", b"UID FETCH",
                                  b"APPEND ", b"LOGOUT"])
def test_new_mail_at_any_moment(world, meddle, word):
    fill(world, 2)
    world.server.append("INBOX", message("first"))
    world.local.add("INBOX", message("up"), "1.up.host")
    meddle(word, lambda: world.server.append("INBOX", message("second")))
    world.sync()
    assert len(world.local.files("INBOX")) == 5
    world.assert_settled()


def test_a_file_that_is_read_while_we_work(world, meddle):
    uids = fill(world, 3)
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Answered"])
    meddle(b"SELECT ", lambda: [set_here(world, 0, "S") for _ in range(3)])
    world.sync()
    flags = [m["flags"] for m in
             world.server.messages("INBOX", bodies=False).values()]
    assert all("\\Seen" in f for f in flags)
    world.assert_settled()


def test_a_file_that_goes_away_before_we_send_it(world, meddle):
    fill(world, 1)
    path = world.local.add("INBOX", message("gone"), "1.gone.host")
    meddle(b"SELECT ", lambda: os.unlink(path))
    world.sync()
    assert len(world.local.files("INBOX")) == 1
    world.assert_settled()
