"""Mailboxes that come, go, and get other names, on either side."""

import os
import re
import shutil
import subprocess

import pytest

from world import message, quote

BODIES = re.compile(rb"APPEND|BODY|BINARY|RFC822\b(?!\.SIZE)", re.I)
COUNT = 300


def fill(w, box, n, token="", size=1000):
    w.server.create(box)
    for i in range(n):
        w.server.append(box, message("%s%s-%d" % (token, box, i), size=size))


def settle(w):
    w.sync()
    w.assert_idle()


def ids(w):
    """{name: number} of the mailboxes in the journal."""
    out = subprocess.run(
        ["mdb_dump", "-s", "mailbox", str(w.state / "home" / "journal")],
        capture_output=True, text=True, check=True).stdout
    lines = [bytes.fromhex(line[1:]) for line in out.splitlines()
             if line.startswith(" ")]
    found = {}
    for key, value in zip(lines[::2], lines[1::2]):
        # layout; then wire name, name, path, each with its length before it
        at = 1 + 1 + value[1]
        name = value[at + 1:at + 1 + value[at]].decode()
        found[name] = int.from_bytes(key, "big")
    return found


def sync_moves_nothing(w, *args, status=0):
    """One traced run: no body crossed, and its summary."""
    if w.trace.exists():
        w.trace.unlink()
    s = w.summary("--trace", str(w.trace), *args, status=status)
    assert [c for c in w.commands() if BODIES.search(c)] == []
    assert s["pulled"] == s["pushed"] == 0
    assert s["deleted_local"] == s["deleted_remote"] == 0
    return s


def rename_there(w, old, new):
    w.server.do("rename", quote(old), quote(new))
    w.server.close()


# a name changes on one side


def test_a_mailbox_renamed_on_the_server_is_renamed_here(world):
    fill(world, "Work", COUNT)
    settle(world)
    before = ids(world)
    files = sorted(os.listdir(world.root / "Work" / "cur"))
    rename_there(world, "Work", "Office")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["bytes_in"] < 15000 and s["bytes_out"] < 2000
    assert sorted(os.listdir(world.root / "Office" / "cur")) == files
    assert not (world.root / "Work").exists()
    assert ids(world)["Office"] == before["Work"]
    world.assert_settled()


def test_a_directory_renamed_here_is_renamed_on_the_server(world):
    fill(world, "Work", COUNT)
    settle(world)
    before = ids(world)
    os.rename(world.root / "Work", world.root / "Büro")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["bytes_in"] < 15000 and s["bytes_out"] < 2000
    renames = [c for c in world.commands() if c.startswith(b"RENAME")]
    assert len(renames) == 1
    assert "B&APw-ro" in world.server.mailboxes()
    world.server.close()
    assert ids(world)["Büro"] == before["Work"]
    world.wire = lambda box: box.replace("ü", "&APw-")
    world.wire_of_name = world.wire
    world.assert_settled()


@pytest.mark.parametrize("here", [False, True])
def test_children_go_with_their_parent(world, here):
    """Here, whoever moved the directory moved them as well."""
    for box in ("p", "p/a", "p/b/c"):
        fill(world, box, COUNT // 3)
    settle(world)
    before = ids(world)
    if here:
        os.rename(world.root / "p", world.root / "q")
    else:
        rename_there(world, "p", "q")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 3
    assert s["bytes_in"] < 25000 and s["bytes_out"] < 3000
    renames = [c for c in world.commands() if c.startswith(b"RENAME")]
    assert len(renames) == (1 if here else 0)
    assert ids(world) == {name.replace("p", "q", 1): number
                          for name, number in before.items()}
    assert "p" not in os.listdir(world.root)
    world.assert_settled()


def test_a_child_with_other_messages_goes_with_its_parent(world):
    """That none of its messages is left does not make it another mailbox."""
    for box in ("p", "p/a", "p/a/b"):
        world.server.create(box)
    for box in ("p/a", "p/a/b"):
        world.server.append(box, message("old " + box))
    settle(world)
    before = ids(world)
    for box in ("p/a", "p/a/b"):
        uid = min(world.server.messages(box, bodies=False))
        world.server.expunge(box, [uid])
        world.server.append(box, message("new " + box))
    rename_there(world, "p", "q")
    s = world.summary()
    assert s["mailboxes_renamed"] == 3
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["pulled"] == s["deleted_local"] == 2
    assert ids(world) == {name.replace("p", "q", 1): number
                          for name, number in before.items()}
    world.assert_settled()


@pytest.mark.parametrize("same_number", [False, True])
def test_another_child_of_a_renamed_parent(world, dovecot, same_number):
    """The directory of the one that is gone was taken to its place."""
    for box in ("p", "p/a"):
        fill(world, box, 3)
    settle(world)
    before = ids(world)
    number = re.search(rb"UIDVALIDITY (\d+)", world.server.status(
        "p/a", "(UIDVALIDITY)")).group(1).decode()
    world.server.do("delete", "p/a")
    rename_there(world, "p", "q")
    fill(world, "q/a", 3, token="other")
    world.server.close()
    if same_number:
        dovecot.doveadm("mailbox", "update", "-u", world.user,
                        "--uid-validity", number, "q/a")
    s = world.summary()
    assert s["pulled"] == s["deleted_local"] == 3
    assert s["mailboxes_renamed"] == s["mailboxes_deleted"] == 1
    assert ids(world)["q"] == before["p"]
    assert ids(world)["q/a"] != before["p/a"]
    assert world.local.mailboxes() == ["INBOX", "q", "q/a"]
    world.assert_settled()


@pytest.mark.parametrize("here", [False, True])
def test_children_in_maildirpp_lie_beside_their_parent(world, here):
    world.write_config(layout="maildir++")
    for box in ("p", "p/a", "p/b/c"):
        fill(world, box, COUNT // 3)
    settle(world)
    before = ids(world)
    if here:
        for name in (".p", ".p.a", ".p.b.c"):
            os.rename(world.root / name,
                      world.root / name.replace("p", "q", 1))
    else:
        rename_there(world, "p", "q")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 3
    renames = [c for c in world.commands() if c.startswith(b"RENAME")]
    assert len(renames) == (1 if here else 0)
    assert ids(world) == {name.replace("p", "q", 1): number
                          for name, number in before.items()}
    for name in (".q", ".q.a", ".q.b.c"):
        assert len(os.listdir(world.root / name / "cur")) + len(
            os.listdir(world.root / name / "new")) == COUNT // 3
    assert world.server.mailboxes() == ["INBOX", "q", "q/a", "q/b/c"]
    world.server.close()
    world.assert_idle()


@pytest.mark.parametrize("here", [False, True])
@pytest.mark.parametrize("moves", [
    [("b", "c"), ("a", "b")],               # onto the old name of another
    [("a", "z"), ("b", "a"), ("z", "b")],   # swapped
    [("a", "z"), ("z", "a/x")],             # below itself
])
def test_names_of_others(world, here, moves):
    for box in ("a", "b"):
        fill(world, box, 5)
    settle(world)
    want = ids(world)
    for old, new in moves:
        if here:
            (world.root / new).parent.mkdir(exist_ok=True)
            os.rename(world.root / old, world.root / new)
        else:
            world.server.do("rename", quote(old), quote(new))
        want[new] = want.pop(old)
    world.server.close()
    sync_moves_nothing(world)
    assert ids(world) == want
    world.assert_settled()


def test_both_sides_rename(world):
    """The same name: only the journal follows.  So it is after a crash
    between a rename and its record."""
    fill(world, "same", 10)
    fill(world, "apart", 20)
    settle(world)
    before = ids(world)
    os.rename(world.root / "same", world.root / "fresh")
    os.rename(world.root / "apart", world.root / "here")
    world.server.do("rename", "same", "fresh")
    rename_there(world, "apart", "there")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 2
    assert [c for c in world.commands() if c.startswith(b"RENAME")] == []
    now = ids(world)
    assert now["fresh"] == before["same"] and now["there"] == before["apart"]
    assert world.local.mailboxes() == ["INBOX", "fresh", "there"]
    world.assert_settled()


@pytest.mark.parametrize("side", ["here", "there"])
@pytest.mark.parametrize("tier", [[], ["objectid"]])
def test_both_sides_rename_one_that_was_emptied(world, side, tier):
    """As after a crash between a rename and its record, too: nothing in it is
    known any more, but both names are the same, and the directory is it."""
    world.write_config(disable_extensions=tier)
    fill(world, "box", 2)
    settle(world)
    before = ids(world)
    if side == "here":
        for n, (_, _, path) in enumerate(world.local.files("box")):
            os.rename(path, world.root / "INBOX" / "cur" / ("1.%d.x:2," % n))
    else:
        uids = sorted(world.server.messages("box", bodies=False))
        world.server.select("box")
        world.server.do("uid", "MOVE", "%d:%d" % (uids[0], uids[-1]), "INBOX")
    os.rename(world.root / "box", world.root / "fresh")
    rename_there(world, "box", "fresh")
    world.local.add("fresh", message("new"), "1.new.here")
    world.server.append("fresh", message("late"))
    s = world.summary()
    assert s["mailboxes_renamed"] == s["pulled"] == s["pushed"] == 1
    assert ids(world)["fresh"] == before["box"]
    assert len(world.local.files("INBOX")) == 2
    assert len(world.local.files("fresh")) == 2
    world.assert_settled()


def test_a_renamed_mailbox_is_synced_in_the_same_run(world):
    fill(world, "a", 10)
    settle(world)
    before = ids(world)
    rename_there(world, "a", "b")
    world.server.append("b", message("late"))
    uid = min(world.server.messages("b", bodies=False))
    world.server.store("b", uid, "+FLAGS", ["\\Flagged"])
    world.server.close()
    world.local.add("a", message("mine"), "123.mine.host")
    s = world.summary()
    assert s["pulled"] == s["pushed"] == s["flags"] == 1
    assert ids(world)["b"] == before["a"]
    world.assert_settled()


def test_an_empty_mailbox_is_renamed_too(world):
    world.server.create("a")
    world.sync()
    rename_there(world, "a", "b")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    os.rename(world.root / "b", world.root / "c")
    s = sync_moves_nothing(world)
    assert s["mailboxes_renamed"] == 1
    world.assert_settled()


def test_uidvalidity_alone_is_no_proof(world, dovecot):
    """Another mailbox with the same number, but other messages."""
    fill(world, "a", 10)
    settle(world)
    before = ids(world)
    number = re.search(rb"UIDVALIDITY (\d+)", world.server.status(
        "a", "(UIDVALIDITY)")).group(1).decode()
    world.server.do("delete", "a")
    fill(world, "b", 10, token="other")
    world.server.close()
    dovecot.doveadm("mailbox", "update", "-u", world.user,
                    "--uid-validity", number, "b")
    s = world.summary()
    assert s["mailboxes_renamed"] == 0
    assert s["pulled"] == s["deleted_local"] == 10
    assert ids(world)["b"] != before["a"]
    world.assert_settled()


def test_a_copied_tree_is_not_renamed(world):
    """Two directories that have each other's inodes, but not each other's
    messages."""
    for box in ("a", "b"):
        fill(world, box, 5)
    settle(world)
    before = ids(world)
    # what a restored tree may look like: the inodes of a now hold b
    for sub in ("cur", "new"):
        a, b = world.root / "a" / sub, world.root / "b" / sub
        for old, new in ((a, world.base / "t"), (b, a),
                         (world.base / "t", b)):
            os.rename(old, new)
        names = [(a, os.listdir(a)), (b, os.listdir(b))]
        for (x, files), y in zip(names, (b, a)):
            for name in files:
                os.rename(x / name, y / name)
    done = world.summary()
    assert done["mailboxes_renamed"] == 0
    assert done["pulled"] == done["pushed"] == done["failed"] == 0
    assert ids(world) == before
    world.assert_settled()


def test_renamed_here_deleted_there(world):
    """The rename wins: nothing is lost."""
    fill(world, "a", 5)
    settle(world)
    os.rename(world.root / "a", world.root / "b")
    world.server.do("delete", "a")
    world.server.close()
    world.sync()
    assert len(world.server.messages("b")) == 5
    assert world.server.mailboxes() == ["INBOX", "b"]
    world.assert_settled()


def test_onto_the_name_of_a_deleted_mailbox(world):
    for box in ("a", "b"):
        fill(world, box, 5)
    settle(world)
    before = ids(world)
    world.server.do("delete", "b")
    rename_there(world, "a", "b")
    s = world.summary()
    assert s["pulled"] == s["pushed"] == 0
    assert s["mailboxes_renamed"] == s["mailboxes_deleted"] == 1
    assert ids(world)["b"] == before["a"]
    assert world.local.mailboxes() == ["INBOX", "b"]
    world.assert_settled()


def test_a_rename_that_cannot_be_made_room_for(world):
    """It is said, and the run comes to an end."""
    for box in ("a", "b"):
        fill(world, box, 3)
    settle(world)
    stone = world.root / "a-mochila-aside"
    stone.write_text("in the way")
    world.server.do("delete", "a")
    rename_there(world, "b", "a")
    done = world.sync("--trace", str(world.trace), status=65)
    assert "a-mochila-aside" in done.err
    assert sum(c.startswith(b"LIST") for c in world.commands()) <= 5
    assert len(world.server.messages("a")) == 3
    world.server.close()
    stone.unlink()
    world.sync()
    assert world.local.mailboxes() == ["INBOX", "a"]
    world.assert_settled()


def test_asked_for_by_the_name_that_it_had(world):
    fill(world, "work", 3)
    settle(world)
    rename_there(world, "work", "job")
    world.sync("home:work")
    assert world.local.mailboxes() == ["INBOX", "job"]
    world.assert_settled()
    done = world.sync("home:work", status=64)
    assert "no mailbox 'work'" in done.err


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_child_that_was_emptied_goes_with_its_parent(world, layout):
    w = world
    w.write_config(layout=layout)
    for box in "a", "a/b":
        fill(w, box, 1)
    settle(w)
    before = ids(w)
    [b] = [p for p in w.root.rglob("[cn]*/*.*") if p.is_file() and
           b"message a/b-0" in p.read_bytes()]
    if layout == "nested":
        b.rename(w.root / "a" / "cur" / (b.name.split(":")[0] + ":2,S"))
        (w.root / "a").rename(w.root / "n")
    else:
        b.rename(w.root / ".a" / "cur" / (b.name.split(":")[0] + ":2,S"))
        (w.root / ".a").rename(w.root / ".n")
        (w.root / ".a.b").rename(w.root / ".n.b")
    s = w.summary()
    assert s["mailboxes_created"] == s["mailboxes_deleted"] == 0
    assert s["mailboxes_renamed"] == 2 and s["moved"] == 1
    assert w.server.mailboxes() == ["INBOX", "n", "n/b"]
    assert len(w.server.messages("n")) == 2
    w.server.close()
    assert ids(w) == {"INBOX": before["INBOX"], "n": before["a"],
                      "n/b": before["a/b"]}
    w.assert_idle()


# a name that another mailbox has by now


def replaced(w, there):
    """Mailbox "b" is deleted on one side, and "a" gets its name."""
    for box in ("a", "b"):
        fill(w, box, 3)
    settle(w)
    if there:
        w.server.do("delete", "b")
        rename_there(w, "a", "b")
    else:
        shutil.rmtree(w.root / "b")
        os.rename(w.root / "a", w.root / "b")


def put(w, box, token="new"):
    w.local.add(box, message(token), token + ".host", "new")


@pytest.mark.parametrize("renames", [1, 2])
@pytest.mark.parametrize("deletes", ["sync", "keep"])
def test_killed_when_one_was_out_of_the_way(world, deletes, renames):
    """A run ends between two renames here, or before it says so."""
    world.write_config(deletes=deletes)
    replaced(world, True)
    before = ids(world)
    os.rename(world.root / "b", world.root / "b-mochila-aside")
    if renames == 2:
        os.rename(world.root / "a", world.root / "b")
    world.sync()
    world.assert_idle()
    assert ids(world)["b"] == before["a"]
    if deletes == "sync":
        assert world.local.mailboxes() == ["INBOX", "b"]
        world.assert_settled()
        return
    # what is new in it goes up under the name that it has
    put(world, "b-mochila-aside")
    world.sync()
    assert len(world.server.messages("b")) == 3
    assert len(world.server.messages("b-mochila-aside")) == 1
    world.server.close()
    world.assert_idle()


@pytest.mark.parametrize("late", [False, True])
def test_what_push_keeps_beside_another_one_of_its_name(world, late):
    """It is not taken for the other one; without the key that one gets its
    name, and it goes, but for new mail in it, which is not lost."""
    replaced(world, True)
    world.write_config(direction="push")
    world.sync()
    world.assert_idle()
    if late:
        put(world, "b")
        for _ in range(2):
            assert "the same name" in world.sync(status=65).err
    world.write_config(direction="both")
    assert world.sync().err == ""
    aside = ["b-mochila-aside"] if late else []
    assert world.server.mailboxes() == ["INBOX", "b", *aside]
    assert world.local.mailboxes() == ["INBOX", "b", *aside]
    assert len(world.server.messages("b")) == 3
    if late:
        [new] = world.server.messages(aside[0]).values()
        assert b"<new@" in new["body"]
    world.server.close()
    world.assert_idle()
    if not late:
        world.assert_settled()


def test_moved_here_into_what_push_keeps_beside_another_one(world):
    """Where it is, it cannot go up: it stays where it was."""
    world.server.append("INBOX", message("m", size=3000))
    replaced(world, True)
    world.write_config(direction="push")
    [(_, _, path)] = world.local.files("INBOX")
    path.rename(world.root / "b" / "new" / path.name.split(":")[0])
    for _ in range(2):
        assert "the same name" in world.sync(status=65).err
        assert len(world.server.messages("INBOX")) == 1
        world.server.close()
    os.rename(world.root / "b", world.root / "c")
    world.sync()
    assert world.server.messages("INBOX") == {}
    assert len(world.server.messages("b")) == 3
    world.server.close()


def test_what_pull_keeps_away_beside_another_one_of_its_name(world):
    """New mail of both does not come into one directory."""
    replaced(world, False)
    world.write_config(direction="pull")
    world.sync()
    world.assert_idle()
    world.server.append("a", message("of a"))
    world.server.append("b", message("of b"))
    world.server.close()
    for _ in range(2):
        assert "the same name" in world.sync(status=65).err
        assert len(world.local.files("b")) == 4
    os.rename(world.root / "b", world.root / "c")
    world.sync()
    assert len(world.local.files("b")) == 1
    assert len(world.local.files("c")) == 4
    world.assert_idle()
