"""Moves and copies between mailboxes: doc/merge-table.md, cases 21 to 26."""

import os
import re
import shutil

import pytest

from relay import CutBefore, Relay
from world import lf, message, quote


def local_move(world, box, to, name=None, letters=None):
    """The only file of BOX into TO, as a mail reader does it."""
    (_, _, path), = world.local.files(box)
    world.local.make(to)
    base, _, info = path.name.partition(":2,")
    if letters is not None:
        info = letters
    target = world.root / to / "cur" / ((name or base) + ":2," + info)
    os.rename(path, target)
    return target


def remote_move(world, box, to, uid="1:*", verb="move"):
    world.server.select(box)
    world.server.do("uid", verb, uid, quote(to))


def bodies_moved(world):
    """Commands of the last traced run that carry whole messages."""
    return [c for c in world.commands()
            if re.match(rb"(UID )?APPEND\b", c, re.I) or b"BODY.PEEK[])" in c
            or re.search(rb"BODY\.PEEK\[\](?!<)", c)]


def sync(world, **want):
    """A run that transfers what WANT says, else no message: fields of its
    summary."""
    if world.trace.exists():
        world.trace.unlink()
    done = world.summary("--trace", str(world.trace))
    for key, value in {"pulled": 0, "pushed": 0, "deleted_local": 0,
                       "deleted_remote": 0, **want}.items():
        assert done[key] == value, "%s %s" % (key, done)
    assert len(bodies_moved(world)) == done["pulled"] + done["pushed"]
    return done


def pair(world, boxes=("Work",), flags=("\\Seen",), **kw):
    for box in boxes:
        world.server.create(box)
    world.server.append("INBOX", message("m", **kw), flags, 1700000000)
    world.sync()


@pytest.mark.parametrize("name", [None, "1999.mu4e-made-it-up.host"])
def test_case_21_moved_here(world, name):
    pair(world)
    target = local_move(world, "INBOX", "Work", name)
    inode = target.stat().st_ino
    sync(world, moved=1)
    (_, flags, path), = world.local.files("Work")
    assert path.name == target.name and path.stat().st_ino == inode
    (m,) = world.server.messages("Work").values()
    assert m["flags"] == {"\\Seen"} and m["date"] == 1700000000
    world.assert_settled()


def test_case_21_with_flags_of_both_sides(world):
    pair(world, flags=["\\Seen", "work"])
    uid, = world.server.messages("INBOX", bodies=False)
    world.server.store("INBOX", uid, "+FLAGS", ["\\Answered", "home"])
    local_move(world, "INBOX", "Work", letters="F")
    sync(world, moved=1)
    (m,) = world.server.messages("Work").values()
    # \Seen went, \Flagged came here; keywords are the server's
    assert m["flags"] == {"\\Answered", "\\Flagged", "work", "home"}
    world.assert_settled()


def test_case_21_from_new_stays_new(world):
    pair(world, flags=())
    (_, _, path), = world.local.files("INBOX")
    target = world.root / "Work" / "new" / path.name
    os.rename(path, target)
    sync(world, moved=1)
    assert target.exists()
    world.assert_settled()


def test_case_22_moved_there(world):
    pair(world)
    inode = world.local.files("INBOX")[0][2].stat().st_ino
    remote_move(world, "INBOX", "Work")
    sync(world, moved=1)
    (_, _, path), = world.local.files("Work")
    assert path.stat().st_ino == inode
    world.assert_settled()


def test_case_22_with_flags_of_both_sides(world):
    pair(world, flags=["\\Seen", "work"])
    (_, _, path), = world.local.files("INBOX")
    letter = path.name[-1]
    assert world.local.letters("INBOX")[letter] == "work"
    os.rename(path, str(path).replace(":2,S", ":2,FS"))
    remote_move(world, "INBOX", "Work")
    uid, = world.server.messages("Work", bodies=False)
    world.server.store("Work", uid, "-FLAGS", ["\\Seen"])
    world.server.store("Work", uid, "+FLAGS", ["later"])
    sync(world, moved=1)
    (_, flags, _), = world.local.files("Work")
    assert flags == {"\\Flagged", "work", "later"}
    world.assert_settled()


def test_case_22_without_message_id(world):
    body = b"Subject: no id\r\n\r\n" + b"text\r\n" * 2000
    world.server.create("Work")
    world.server.append("INBOX", body)
    world.sync()
    remote_move(world, "INBOX", "Work")
    sync(world, moved=1)
    world.assert_settled()


def test_case_22_many_of_one_size(world):
    """Each file finds its own message among others like it."""
    world.server.create("Work")
    for i in range(40):
        world.server.append("INBOX", message("m%02d" % i), when=1700000000)
    world.sync()
    remote_move(world, "INBOX", "Work")
    sync(world, moved=40)
    world.assert_settled()


def test_equal_size_and_id_but_other_bytes_are_fetched(world):
    world.server.create("Work")
    world.server.append("INBOX", message("m", "aaaa"), when=1700000000)
    world.sync()
    remote_move(world, "INBOX", "Work")
    world.server.select("Work")
    world.server.do("uid", "store", "1:*", "+FLAGS", "(\\Deleted)")
    world.server.do("expunge")
    world.server.append("Work", message("m", "bbbb"), when=1700000000)
    done = world.summary()
    # whichever octets were compared: the end state has the right bytes
    assert done["pulled"] + done["moved"] >= 1
    (_, _, path), = world.local.files("Work")
    assert (b"bbbb" in path.read_bytes()) == (done["pulled"] == 1)
    if done["pulled"]:
        world.assert_settled()


@pytest.mark.parametrize("link", [False, True])
def test_case_23_copied_here(world, link):
    pair(world)
    (_, _, path), = world.local.files("INBOX")
    target = world.root / "Work" / "cur" / "copy.host:2,S"
    if link:
        os.link(path, target)
    else:
        target.write_bytes(path.read_bytes())
    sync(world, copied=1)
    world.assert_settled()


@pytest.mark.parametrize("letters,want,how", [
    ("ST", set(), "pushed"), ("S", set(), "copied"),
    ("", {"\\Flagged"}, "copied")])
def test_case_23_the_copy_is_as_its_file_says(world, letters, want, how):
    """What a mail reader that saves a message marks is the original.  A mark
    for deletion goes along with what the server copies: that goes up."""
    pair(world)
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1", "FLAGS", "(\\Flagged)")
    world.server.close()
    world.sync()
    (_, _, path), = world.local.files("INBOX")
    name = "copy.host:2," + ("F" if want else "")
    (world.root / "Work" / "cur" / name).write_bytes(path.read_bytes())
    base = path.name.partition(":2,")[0]
    os.rename(path, path.parent / (base + ":2," + letters))
    sync(world, **{how: 1})
    (_, flags, _), = world.local.files("Work")
    assert flags == want
    world.assert_settled()


def test_case_23_keywords_in_the_same_mailbox(world):
    """Letters mean there what they mean: the file says which it has."""
    pair(world, flags=("\\Seen", "work", "home"))
    (_, _, path), = world.local.files("INBOX")
    letter = {name: c for c, name in world.local.letters("INBOX").items()}
    table = path.parent.parent / "dovecot-keywords"
    table.write_text(table.read_text() + "25 later\n")
    copy = path.parent / ("copy.host:2," + letter["home"] + "z")
    copy.write_bytes(path.read_bytes())
    sync(world, copied=1)
    found = {p: flags for _, flags, p in world.local.files("INBOX")}
    assert found == {copy: {"home", "later"},
                     path: {"\\Seen", "work", "home"}}
    world.assert_settled()


def test_case_23_twice_into_the_same_mailbox(world):
    pair(world)
    (_, _, path), = world.local.files("INBOX")
    for n in range(2):
        (path.parent / ("copy%d.host:2,S" % n)).write_bytes(
            path.read_bytes())
    sync(world, copied=2)
    assert len(world.server.messages("INBOX")) == 3
    world.assert_settled()


@pytest.mark.parametrize("how", ["reflink", "link", "bytes"])
def test_case_24_copied_there(world, how):
    world.write_config(copy=how)
    pair(world, size=200000)
    remote_move(world, "INBOX", "Work", verb="copy")
    sync(world, copied=1)
    (_, _, a), = world.local.files("INBOX")
    (_, _, b), = world.local.files("Work")
    assert (a.stat().st_ino == b.stat().st_ino) == (how == "link")
    assert b.stat().st_mtime == 1700000000
    world.assert_settled()


def eight_alike(world, direction):
    """Mailboxes with one message each, from when the direction was both."""
    boxes = ["box%d" % i for i in range(8)]
    for box in boxes + ["Work"]:
        world.server.create(box)
    for box in boxes:
        world.server.append(box, message("m"))
    world.sync()
    world.write_config(direction=direction)
    return boxes


@pytest.mark.parametrize("at", [0, 1, 7])
def test_case_24_what_is_gone_here_is_no_source(world, at):
    """With direction: pull its row stays, and no look tells that it is of
    nothing."""
    boxes = eight_alike(world, "pull")
    for box in boxes[:at] + boxes[at + 1:]:
        (_, _, path), = world.local.files(box)
        os.unlink(path)
    world.sync()
    remote_move(world, boxes[at], "Work", verb="COPY")
    world.sync()
    assert len(world.local.files("Work")) == 1
    world.assert_idle()


@pytest.mark.parametrize("at", [0, 1, 7])
def test_case_23_what_is_gone_there_is_no_source(world, at):
    """The same with direction: push."""
    boxes = eight_alike(world, "push")
    for box in boxes[:at] + boxes[at + 1:]:
        world.server.expunge(box, list(world.server.messages(box)))
    world.sync()
    (_, _, path), = world.local.files(boxes[at])
    shutil.copy(path, world.root / "Work" / "cur" / "copy.host:2,")
    world.sync()
    assert len(world.server.messages("Work")) == 1
    world.assert_idle()


def test_moved_and_copied_there(world):
    pair(world, boxes=["Work", "Home"])
    remote_move(world, "INBOX", "Home", verb="copy")
    remote_move(world, "INBOX", "Work")
    sync(world, copied=1, moved=1)
    world.assert_settled()


def test_moved_and_copied_here(world):
    pair(world, boxes=["Work", "Home"])
    target = local_move(world, "INBOX", "Work")
    (world.root / "Home" / "cur" / "copy.host:2,S").write_bytes(
        target.read_bytes())
    sync(world, copied=1, moved=1)
    world.assert_settled()


def test_case_25_there_and_back_on_the_server(world):
    pair(world)
    (_, _, before), = world.local.files("INBOX")
    remote_move(world, "INBOX", "Work")
    remote_move(world, "Work", "INBOX")
    sync(world, moved=1)
    (_, _, after), = world.local.files("INBOX")
    assert before == after
    world.assert_settled()


def test_there_and_back_here_is_nothing(world):
    pair(world)
    (_, _, path), = world.local.files("INBOX")
    target = local_move(world, "INBOX", "Work")
    os.rename(target, path)
    sync(world, moved=0)
    world.assert_settled()


def test_case_26_the_servers_move_wins(world):
    pair(world, boxes=["Here", "There"])
    local_move(world, "INBOX", "Here")
    remote_move(world, "INBOX", "There")
    sync(world, moved=1)
    assert len(world.local.files("There")) == 1
    assert world.local.files("Here") == []
    world.assert_settled()


def test_moved_to_one_mailbox_on_both_sides(world):
    pair(world)
    local_move(world, "INBOX", "Work", letters="")
    remote_move(world, "INBOX", "Work")
    world.sync()
    (m,) = world.server.messages("Work").values()
    assert m["flags"] == set()
    world.assert_settled()


@pytest.mark.parametrize("size", [1000, 20000])
def test_moved_here_edited_there(world, size):
    """In its place is another one, of one size and Message-ID: no move."""
    was, now = (message("m", size=size) + b"at %s\r\n" % word
                for word in (b"five", b"nine"))
    world.server.create("Work")
    world.server.append("INBOX", was)
    world.sync()
    local_move(world, "INBOX", "Work")
    world.server.append("INBOX", now)
    world.server.expunge("INBOX", [1])
    world.sync()
    assert [lf(now)] == [p.read_bytes()
                         for _, _, p in world.local.files("INBOX")]
    assert [lf(was)] == [p.read_bytes()
                         for _, _, p in world.local.files("Work")]
    world.assert_settled()


def test_moved_here_deleted_there(world):
    pair(world)
    local_move(world, "INBOX", "Work")
    world.server.select("INBOX")
    world.server.do("uid", "store", "1:*", "+FLAGS", "(\\Deleted)")
    world.server.do("expunge")
    world.sync()
    assert len(world.server.messages("Work")) == 1
    world.assert_settled()


def test_moved_there_deleted_here(world):
    pair(world)
    world.local.files("INBOX")[0][2].unlink()
    remote_move(world, "INBOX", "Work")
    world.sync()
    assert len(world.local.files("Work")) == 1
    world.assert_settled()


def test_swap_and_chain(world):
    for n, box in enumerate(["INBOX", "A", "B"]):
        if n:
            world.server.create(box)
        world.server.append(box, message("m%d" % n))
    world.sync()
    paths = {box: world.local.files(box)[0][2]
             for box in ("INBOX", "A", "B")}
    for box, to in (("INBOX", "A"), ("A", "B"), ("B", "INBOX")):
        os.rename(paths[box], world.root / to / "new" / paths[box].name)
    sync(world, moved=3)
    world.assert_settled()
    for box, to in (("INBOX", "A"), ("A", "INBOX")):
        remote_move(world, box, to, "1" if box == "A" else "1:*")
    world.sync()
    world.assert_settled()


def test_into_a_new_mailbox(world):
    pair(world, boxes=[])
    local_move(world, "INBOX", "Fresh/deep")
    sync(world, moved=1)
    world.assert_settled()
    world.server.create("There")
    remote_move(world, "Fresh/deep", "There")
    sync(world, moved=1)
    world.assert_settled()


def test_out_of_a_mailbox_that_is_deleted_here(world):
    for i in range(30):
        if i == 0:
            world.server.create("Old")
        world.server.append("Old", message("m%d" % i), ["\\Seen"])
    world.sync()
    for _, _, path in world.local.files("Old"):
        os.rename(path, world.root / "INBOX" / "cur" / path.name)
    for sub in ("cur", "new", "tmp"):
        os.rmdir(world.root / "Old" / sub)
    for rest in (world.root / "Old").iterdir():
        rest.unlink()
    (world.root / "Old").rmdir()
    sync(world, moved=30)
    assert world.server.mailboxes() == ["INBOX"]
    world.assert_settled()


def test_out_of_a_mailbox_that_is_deleted_there(world):
    world.server.create("Old")
    for i in range(30):
        world.server.append("Old", message("m%d" % i), ["\\Seen"])
    world.sync()
    remote_move(world, "Old", "INBOX")
    world.server.select("INBOX")
    world.server.do("delete", quote("Old"))
    sync(world, moved=30)
    assert world.local.mailboxes() == ["INBOX"]
    world.assert_settled()


@pytest.mark.parametrize("words", ["EXPUNGE", "STORE", "COPY"])
def test_cut_between_copy_and_expunge(world, words):
    pair(world)
    world.write_config(disable_extensions=["move"])
    local_move(world, "INBOX", "Work")
    line = CutBefore(world.server.port, words)
    world.write_config(port=line.port)
    world.sync(status=69)
    assert line.hit
    line.close()
    world.write_config(port=world.server.port)
    sync(world, moved=1 if words == "COPY" else 0,
         deleted_remote=0 if words == "COPY" else 1)
    world.assert_settled()


def test_without_move(world):
    world.write_config(disable_extensions=["move"])
    pair(world)
    local_move(world, "INBOX", "Work")
    sync(world, moved=1)
    world.assert_settled()


def test_without_move_and_uidplus(world):
    world.write_config(disable_extensions=["move", "uidplus"])
    pair(world)
    local_move(world, "INBOX", "Work")
    world.sync()
    world.assert_settled()


class Counter(Relay):
    octets = 0

    def pump(self, a, b, down):
        while data := a.recv(65536):
            self.octets += len(data)
            b.sendall(data)


def test_a_thousand_messages_move_for_a_hundredth_of_their_octets(world):
    count, size = 1000, 50000
    world.server.create("There")
    for i in range(count):
        world.server.append("INBOX", message("m%d" % i, size=size))
    world.sync()
    total = sum(p.stat().st_size for _, _, p in world.local.files("INBOX"))
    assert total > 0.95 * count * size
    relay = Counter(world.server.port)
    world.write_config(port=relay.port)
    world.local.make("Here")
    for name, _, path in world.local.files("INBOX"):
        os.rename(path, world.root / "Here" / name)
    done = world.summary()
    assert done["moved"] == count
    assert relay.octets < total / 100, relay.octets / total
    world.assert_settled()
    relay.octets = 0
    remote_move(world, "Here", "There")
    done = world.summary()
    assert done["moved"] == count
    assert relay.octets < total / 100, relay.octets / total
    world.assert_settled()
    relay.close()
