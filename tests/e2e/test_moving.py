"""A mail reader moves a message here while a run is on its way.

Mailboxes are looked at one after the other.  What was put into one that had
been looked at, and was then gone from the next one, is not deleted.
"""

import os
import re
import shutil

import pytest

from personas import Persona
from relay import Meddler, Relay
from test_keywords import flags, local
from test_policy import remote_tokens
from world import message


def rename(source, target):
    os.rename(source, target)


def copy_and_delete(source, target):
    shutil.copy(source, target.with_name("1.copy.host:2,S"))
    os.unlink(source)


def move(world, box, to, how=rename):
    """What makes the move of message "m"."""
    _, path = local(world, box)["m"]
    base = path.name.split(":2,")[0]
    return lambda: how(path, world.root / to / "cur" / (base + ":2,S"))


def fill(world, box):
    """Message "m" in mailbox BOX, and others where it may go."""
    for name in ("Archive", "Work"):
        world.server.create(name)
        world.server.append(name, message("in" + name), ["\\Seen"],
                            1700000000)
    world.server.append(box, message("m"), ["\\Seen", "projectx"])
    world.sync()


def run(world, line, *args, status=0):
    """A run over LINE; what it says."""
    whole = world.options["port"]
    world.server.close()
    world.write_config(port=line.port)
    world.trace.unlink(missing_ok=True)
    done = world.sync("-v", "--trace", str(world.trace), *args, status=status)
    world.write_config(port=whole)
    line.close()
    return done


def changes(world):
    """Of the messages there, by the last run."""
    return [c.split()[1] for c in world.commands() if re.match(
        rb"UID (STORE|EXPUNGE|COPY|MOVE)", c)]


def moment(world, deed):
    """The DEED is done when Archive has been looked at, and INBOX and Work,
    where there is something new, have not: a new message of both sides there
    has to be compared."""
    world.server.append("Archive", message("both"), ["\\Seen"])
    world.local.add("Archive", message("both"), "1.both.host:2,S", "cur")
    for box in ("INBOX", "Work"):
        world.local.add(box, message("new" + box), "1.%s.host:2,S" % box,
                        "cur")
    return Meddler(world.options["port"], b"BODY.PEEK[", deed)


@pytest.mark.parametrize("how", [rename, copy_and_delete])
def test_moved_while_new_mail_comes(world, how):
    """Archive had not changed when the run began, and is not looked at."""
    fill(world, "INBOX")
    deed = move(world, "INBOX", "Archive", how)
    world.server.append("INBOX", message("fresh"))
    line = Meddler(world.options["port"], b"BODY.PEEK[]", deed)
    run(world, line)
    assert line.done and changes(world) == [b"MOVE"]
    assert set(flags(world)) == {"fresh"}
    assert flags(world, "Archive")["m"] == {"\\Seen", "projectx"}
    world.assert_settled()


@pytest.mark.parametrize("box", ["INBOX", "Work"])
def test_moved_between_two_looks(world, box):
    """Archive is looked at before, and the other one after it."""
    fill(world, box)
    line = moment(world, move(world, box, "Archive"))
    run(world, line)
    assert line.done and changes(world) == [b"MOVE"]
    assert "m" not in flags(world, box)
    assert flags(world, "Archive")["m"] == {"\\Seen", "projectx"}
    world.assert_settled()


def test_a_dry_run_speaks_of_no_delete(world):
    fill(world, "Work")
    line = moment(world, move(world, "Work", "Archive"))
    done = run(world, line, "--dry-run")
    words = [text.split()[0] for text in done.out.splitlines()]
    assert line.done and "wait" in words and "delete" not in words
    world.sync()
    assert flags(world, "Archive")["m"] == {"\\Seen", "projectx"}
    world.assert_settled()


@pytest.mark.parametrize("to", ["Later", "Work/2026/done"])
def test_moved_to_a_mailbox_that_is_made_meanwhile(world, to):
    fill(world, "INBOX")
    deed = move(world, "INBOX", to)

    def make_and_move():
        world.local.make(to)
        deed()

    world.server.append("INBOX", message("fresh"))
    line = Meddler(world.options["port"], b"BODY.PEEK[]", make_and_move)
    done = run(world, line, status=75)
    assert line.done and "'%s' has appeared" % to in done.err
    assert flags(world)["m"] == {"\\Seen", "projectx"}
    # the next run has it in its list
    assert world.summary()["moved"] == 1
    wire = world.wire(to)
    assert flags(world, wire)["m"] == {"\\Seen", "projectx"}
    world.assert_settled()


def test_a_mailbox_that_was_deleted_and_comes_back(world):
    """It was gone when the run began, and so were its messages."""
    fill(world, "Archive")
    shutil.move(world.root / "Archive", world.base / "Archive")
    world.server.append("INBOX", message("fresh"))
    line = Meddler(world.options["port"], b"SELECT ", lambda: shutil.move(
        world.base / "Archive", world.root / "Archive"))
    done = run(world, line, status=75)
    assert line.done and "home: Archive: 'Archive' has appeared" in done.err
    assert set(flags(world, "Archive")) == {"inArchive", "m"}
    world.sync()
    world.assert_settled()


class Busy(Relay):
    """DEED before each command of the client that has WORD."""

    def __init__(self, port, word, deed):
        self.word, self.deed = word, deed
        super().__init__(port)

    def pump(self, a, b, down):
        while data := a.recv(65536):
            if not down and self.word in data:
                self.deed()
            b.sendall(data)


@pytest.mark.parametrize("how", ["-q", "--json"])
def test_deletes_wait_while_others_go_on(world, how):
    """In Archive somebody is at work all the time: was "m" moved there?"""
    fill(world, "INBOX")
    _, path = local(world)["m"]
    os.unlink(path)
    _, path = local(world, "Archive")["inArchive"]
    path = [path]

    def append():
        # (when it is compared with the file in Work, all have been looked at)
        world.server.append("INBOX", message("inWork"), ["\\Seen"], 1700000000)
        world.server.close()

    def work():
        name = path[0].name
        name = name[:-2] if name.endswith("FS") else name[:-1] + "F"
        path[0] = path[0].rename(path[0].with_name(name + "S"))
        append()

    append()
    done = run(world, Busy(world.options["port"], b"BODY.PEEK[", work), how,
               status=75)
    line = (done.out if how == "--json" else done.err).splitlines()[-1]
    assert "others keep changing things" in line
    assert how == "--json" or done.err.count("\n") == 1
    assert "m" in flags(world)
    world.sync()
    assert "m" not in flags(world)
    world.assert_settled()


# into a mailbox that takes no part


def refuse(word, box, text):
    def act(session, tag, words):
        if box in words:
            session.line(tag + b" NO " + text)
            return True
        return False
    return {word: act}


def there(world):
    return sum(map(len, world.server.everything().values()))


@pytest.mark.parametrize("word, text", [
    (b"SELECT", b"[UNAVAILABLE] later"), (b"UID MOVE", b"[OVERQUOTA] full"),
    (b"CREATE", b"[NOPERM] not you")])
def test_moved_to_a_mailbox_that_fails(scripted, word, text):
    """What is nowhere else on the server stays there."""
    world = scripted(Persona)
    if word != b"CREATE":
        world.server.create("Box")
    world.fill(5)
    gone, *_ = world.local.files("INBOX")
    if word == b"CREATE":
        for sub in ("cur", "new", "tmp"):
            os.makedirs(world.root / "Box" / sub)
    gone[2].rename(world.root / "Box" / "new" / gone[2].name.split(":")[0])
    world.server.append("INBOX", message("longer", size=5000))
    world.server.append("INBOX", message("new"))
    if word == b"SELECT":
        world.server.append("Box", message("new there"))
    world.script.answer = {
        **refuse(word, b"Box", text), b"APPEND": b"NO [OVERQUOTA] full"}
    for _ in range(2):
        done = world.sync(status=65)
        assert "Box" in done.err
        assert there(world) == 7 + (word == b"SELECT")
    # what is as long as nothing in there is deleted as ever
    for _, _, path in world.local.files("INBOX"):
        if path.stat().st_size > 4000:
            path.unlink()
    world.sync(status=65)
    assert there(world) == 6 + (word == b"SELECT")
    world.script.answer = {}
    world.sync()
    assert len(world.server.messages("INBOX")) == 5
    world.assert_settled()


def test_moved_to_a_mailbox_that_is_not_synced_now(world):
    """The run for one mailbox leaves what may be in another one."""
    world.server.create("Box")
    for n in range(4):
        world.server.append("INBOX", message("m%d" % n, size=500 + 100 * n))
    world.sync()
    (_, _, moved), (_, _, deleted) = world.local.files("INBOX")[:2]
    moved.rename(world.root / "Box" / "new" / moved.name.split(":")[0])
    deleted.unlink()
    for _ in range(2):
        world.sync("home:INBOX")
        assert len(world.server.messages("INBOX")) == 3
        world.server.close()
    done = world.summary()
    assert done["moved"] == 1 and done["pushed"] == 0
    world.assert_settled()


def moved_into(world, token, box):
    """Message TOKEN of INBOX, here."""
    path = local(world)[token][1]
    base = path.name.split(":2,")[0]
    path.rename(world.root / box / "cur" / (base + ":2,S"))


def two_boxes(world):
    """INBOX with messages "m" and "n", and "A" with three."""
    world.server.create("A")
    for box, tokens in (("A", "xyz"), ("INBOX", "mn")):
        for token in tokens:
            world.server.append(box, message(token, size=500 * ord(token)),
                                ["\\Seen"], 1700000000)
    world.server.store("INBOX", 1, "+FLAGS", ["important"])
    world.server.close()
    world.sync()


def tokens_there(world, box="INBOX"):
    there = remote_tokens(world, box)
    world.server.close()
    return there


@pytest.mark.parametrize("there", ["rename", "delete"])
def test_moved_to_a_mailbox_that_is_left_out_and_not_there(world, there):
    """It got another name on the server, or is gone there: what this run does
    not carry out."""
    two_boxes(world)
    if there == "rename":
        world.server.do("rename", "A", "Job")
    else:
        world.server.do("delete", "A")
    world.server.close()
    moved_into(world, "m", "A")
    local(world)["n"][1].unlink()
    for _ in range(2):
        world.sync("home:INBOX")
        assert tokens_there(world) == ["m"]
    world.sync()
    assert tokens_there(world) == []
    box = "Job" if there == "rename" else "A"
    [m] = [m for m in world.server.messages(box).values()
           if b"<m@" in m["body"]]
    assert there == "delete" or "important" in m["flags"]
    world.server.close()
    world.assert_settled()


def spoil(world, how):
    """What no run can do anything with; returns how it is mended."""
    box = world.root / "A"
    away = {"link": world.base / "A", "refused": world.root / "~A",
            "no name": world.root / "100%"}.get(how)
    if how == "no new/":
        (box / "new").rmdir()
        return (box / "new").mkdir
    if how == "linked cur/":
        (box / "cur").rename(world.base / "cur")
        (box / "cur").symlink_to(world.base / "cur")

        def mend():
            (box / "cur").unlink()
            (world.base / "cur").rename(box / "cur")
        return mend
    box.rename(away)
    if how == "link":
        box.symlink_to(away)

    def mend():
        if how == "link":
            box.unlink()
        away.rename(box)
    return mend


@pytest.mark.parametrize("how", ["no new/", "linked cur/", "link", "refused",
                                 "no name"])
def test_moved_to_a_mailbox_that_is_skipped(world, how):
    """Its directory is damaged, or its name is none that the server takes."""
    two_boxes(world)
    moved_into(world, "m", "A")
    mend = spoil(world, how)
    for _ in range(2):
        done = world.sync(status=None)
        assert done.returncode in (3, 65)
        assert "m" in tokens_there(world), done.err
    mend()
    world.sync()
    assert tokens_there(world, "A") == list("mxyz")
    assert tokens_there(world) == ["n"]
    world.assert_settled()


@pytest.mark.parametrize("to", ["100%", "inbox"])
def test_moved_to_a_new_directory_that_is_skipped(world, to):
    """It has no name, or another mailbox has it."""
    two_boxes(world)
    world.local.make(to)
    moved_into(world, "m", to)
    local(world)["n"][1].unlink()
    for _ in range(2):
        world.sync(status=65)
        assert tokens_there(world) == ["m"]
    (world.root / to).rename(world.root / "B")
    world.sync()
    assert tokens_there(world) == []
    assert tokens_there(world, "B") == ["m"]
    world.assert_idle()
