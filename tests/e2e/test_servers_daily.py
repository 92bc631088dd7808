"""The same days on each of the servers: mail, flags, deletes, mailboxes.

The first line of a test is its line in the table of doc/servers.md.
"""

import os
import shutil
from pathlib import Path

from servers_people import crlf_to_lf
from world import canonical, message


def test_first_sync_with_both_sides_full(people):
    """First sync, both sides full"""
    world = people.world
    box = world.wire("work")
    world.server.create(box)
    for name in ("INBOX", box):
        for n in range(8):
            data = message("%s-%d" % (name, n))
            world.server.append(name, data, ["\\Seen"] if n % 2 else [])
            if n % 3:
                world.local.add("INBOX" if name == "INBOX" else "work",
                                crlf_to_lf(data), "%d.%s.host" % (n, name))
    world.local.add("here", message("only here"), "99.x.host")
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["failed"]) == (6, 1, 0)
    assert len(world.local.files("work")) == 8
    world.assert_settled()


def test_new_mail(people):
    """New mail on both sides"""
    world = people.world
    people.fill_there("INBOX", ["old"])
    people.fill_there("Entw\u00fcrfe/2026", ["deep"])
    world.sync()
    when = 1700000000
    sent = {token: message(token, size=size) for token, size in (
        ("plain", 0), ("middle", 5000), ("big", 1_500_000))}
    for token, data in sent.items():
        world.server.append("INBOX", data, ["\\Seen"], when)
    written = {"up1": ("new", "1.up.host", 0), "up2": (
        "cur", "2.up.host:2,FS", 5000), "up3": (
        "cur", "3.up.host:2,", 1_500_000)}
    for token, (sub, name, size) in written.items():
        sent[token] = message(token, size=size)
        world.local.add("Entw\u00fcrfe/2026", crlf_to_lf(sent[token]), name,
                        sub, when)
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (3, 3)
    for token, path in people.here("INBOX").items():
        if token != "old":
            assert canonical(path.read_bytes()) == sent[token]
            assert path.stat().st_mtime == when
            assert b"\r" not in path.read_bytes()
    wire = world.wire("Entw\u00fcrfe/2026")
    uids = people.there("Entw\u00fcrfe/2026")
    messages = world.server.messages(wire)
    for token in written:
        assert messages[uids[token]]["body"] == sent[token]
        assert messages[uids[token]]["date"] == when
    assert messages[uids["up2"]]["flags"] == {"\\Seen", "\\Flagged"}
    names = [name for name, _, _ in world.local.files("Entw\u00fcrfe/2026")]
    assert {"new/1.up.host", "cur/2.up.host:2,FS"} < set(names)
    world.assert_settled()


def test_flags(people):
    """Flags, `$Forwarded` and keywords, each way"""
    world = people.world
    people.fill_there("INBOX", "abcdefgh", ["\\Seen"])
    people.fill_there("INBOX", ["k"], ["work", "$Label1", "\\Answered"])
    world.sync()
    assert people.flags_here("INBOX", "k") == {"work", "$Label1",
                                               "\\Answered"}
    people.store("INBOX", "a", "+FLAGS", "\\Answered", "\\Flagged")
    people.store("INBOX", "b", "-FLAGS", "\\Seen")
    people.store("INBOX", "c", "+FLAGS", "$Forwarded", "home")
    people.store("INBOX", "k", "-FLAGS", "work")
    people.set_here("INBOX", "d", lambda f: f | {"P", "D"})
    people.set_here("INBOX", "e", lambda f: set())
    work = people.letter("INBOX", "work")
    people.set_here("INBOX", "f", lambda f: f | {work})
    # both sides of one message
    people.store("INBOX", "g", "+FLAGS", "\\Flagged")
    people.set_here("INBOX", "g", lambda f: f | {"R"})
    people.store("INBOX", "h", "-FLAGS", "\\Seen")
    people.set_here("INBOX", "h", lambda f: f | {"T"})
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    want = {
        "a": {"\\Seen", "\\Answered", "\\Flagged"}, "b": set(),
        "c": {"\\Seen", "$Forwarded", "home"},
        "d": {"\\Seen", "\\Draft", "$Forwarded"}, "e": set(),
        "f": {"\\Seen", "work"}, "g": {"\\Seen", "\\Flagged", "\\Answered"},
        "h": {"\\Deleted"}, "k": {"$Label1", "\\Answered"}}
    for token, flags in want.items():
        assert people.flags_there("INBOX", token) == flags
        assert people.flags_here("INBOX", token) == flags
    world.assert_settled()


def test_deletes(people):
    """Deletes each way"""
    world = people.world
    people.fill_there("INBOX", "abcdefgh")
    people.fill_there("work", "xyz")
    world.sync()
    people.expunge("INBOX", "a", "h")
    for token in "bc":
        os.unlink(people.here("INBOX")[token])
    # on both sides; a delete here and a flag there, and the reverse; and
    # somebody else's \Deleted, which is none of our business
    people.expunge("INBOX", "d")
    os.unlink(people.here("INBOX")["d"])
    os.unlink(people.here("INBOX")["e"])
    people.store("INBOX", "e", "+FLAGS", "\\Flagged")
    people.set_here("INBOX", "f", lambda f: {"F"})
    people.expunge("INBOX", "f")
    people.store("INBOX", "g", "+FLAGS", "\\Deleted")
    # all of a small mailbox
    for path in people.here("work").values():
        os.unlink(path)
    s = world.summary()
    assert (s["deleted_local"], s["deleted_remote"]) == (3, 6)
    assert people.content() == {"INBOX": ["g"], "work": []}
    world.assert_settled()


def delete_there(people, box):
    # not while it is open
    people.server.select("INBOX")
    people.server.do("delete", '"%s"' % people.world.wire(box))


def delete_here(people, box):
    for sub in ("cur", "new", "tmp"):
        shutil.rmtree(people.world.root / box / sub)


def settle_mailboxes(people, boxes):
    """BOXES, and on some servers their parents, are on both sides."""
    world = people.world
    world.sync()
    if world.server.kind.makes_parents:
        world.sync()
        boxes = set(boxes) | {str(parent) for box in boxes
                              for parent in Path(box).parents} - {"."}
    assert sorted(people.content()) == sorted(boxes)
    assert world.server.mailboxes() == sorted(map(world.wire, boxes))
    world.assert_settled()


def test_mailboxes(people):
    """Mailboxes made and deleted each way, with children"""
    world = people.world
    people.fill_there("INBOX", ["stays"])
    every = ["INBOX", "Entw\u00fcrfe & so", "here", "here/empty",
             "here/\u65e5\u672c/deep", "there", "there/sub/deep"]
    for n, box in enumerate(every):
        if box.startswith("here"):
            people.add_here(box, "m%d" % n)
        elif box != "INBOX":
            people.fill_there(box, ["m%d" % n])
    os.unlink(people.here("here/empty")["m3"])
    settle_mailboxes(people, every)
    # children go, on the other side than they came from; parents stay
    delete_there(people, "here/\u65e5\u672c/deep")
    delete_there(people, "here/empty")
    delete_here(people, "there/sub/deep")
    if world.server.kind.makes_parents:
        delete_there(people, "here/\u65e5\u672c")
        delete_here(people, "there/sub")
    every = ["INBOX", "Entw\u00fcrfe & so", "here", "there"]
    settle_mailboxes(people, every)
    # and all the others but INBOX, one of them empty
    people.expunge("there", "m5")
    delete_there(people, "there")
    delete_here(people, "here")
    delete_here(people, "Entw\u00fcrfe & so")
    settle_mailboxes(people, ["INBOX"])
    # a name may be used again
    people.fill_there("there", ["second"])
    people.add_here("here", "second")
    settle_mailboxes(people, ["INBOX", "here", "there"])
    assert people.content() == {"INBOX": ["stays"], "here": ["second"],
                                "there": ["second"]}


def test_parents(people):
    """A parent is deleted, its children stay"""
    world = people.world
    people.fill_there("INBOX", ["stays"])
    for box in ("one", "one/child", "two", "two/child"):
        people.fill_there(box, ["in-" + box])
    settle_mailboxes(people, ["INBOX", "one", "one/child", "two",
                              "two/child"])
    delete_here(people, "one")
    if world.server.kind.deletes_parents:
        delete_there(people, "two")
        settle_mailboxes(people, ["INBOX", "one/child", "two/child"])
    else:
        settle_mailboxes(people, ["INBOX", "one", "one/child", "two",
                                  "two/child"])
        assert people.content()["one"] == []
