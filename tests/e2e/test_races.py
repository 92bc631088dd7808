"""Somebody else changes things between two of our commands."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time

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


@pytest.mark.parametrize("off", [None, ["move"], ["move", "uidplus"]])
@pytest.mark.parametrize("how", ["move", "copy"])
def test_gone_there_before_it_was_moved_and_another_came(
        world, meddle, how, off):
    """The server says OK, and has done nothing; what came to that mailbox
    meanwhile is another message.  So the file goes up."""
    world.write_config(disable_extensions=off)
    world.server.create("work")
    uids = fill(world, 2)
    path = next(p for _, _, p in world.local.files("INBOX")
                if b"message m0" in p.read_bytes())
    to = world.root / "work" / "cur" / "1.m0.host:2,"
    (path.rename if how == "move" else lambda to: shutil.copy(path, to))(to)

    def deed():
        world.server.expunge("INBOX", [uids[0]])
        world.server.append("work", message("other"))

    meddle(b'SELECT "INBOX"', deed)
    world.sync()
    assert {box: sorted(re.search(rb"message (\w+)", m["body"])[1]
                        for m in world.server.messages(box).values())
            for box in ("INBOX", "work")} == {
                "INBOX": [b"m1"], "work": [b"m0", b"other"]}
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


# mailboxes that are moved while the tree is listed


def strace_or_skip():
    if not shutil.which("strace") or subprocess.run(
            ["strace", "-o", "/dev/null", "true"]).returncode:
        pytest.skip("strace cannot trace here")


def sync_stopped_at(world, name, deed, status=0, when=":when=1"):
    """A run in which DEED is done just before the directory NAME is read, the
    first time, or each time (WHEN "")."""
    strace_or_skip()
    world.server.close()
    log, done = world.base / "stopped", 0
    run = subprocess.Popen(
        ["strace", "-f", "-o", str(log), "-P", name, "-e",
         "inject=openat:signal=STOP" + when, world.binary, "-c",
         str(world.config), "sync"], env=world.traced_env(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(12000):
            said = log.exists() and re.findall(
                r"^(\d+) +--- stopped by SIGSTOP", log.read_text(), re.M)
            if said and len(said) > done:
                deed()
                done += 1
                os.kill(int(said[0]), signal.SIGCONT)
            elif run.poll() is not None:
                break
            else:
                time.sleep(0.01)
        assert done, "the moment never came"
        out, err = run.communicate(timeout=1)
    finally:
        run.kill()
    assert run.returncode == status, (run.returncode, out, err)
    return out


@pytest.fixture
def parents(world):
    """Two mailboxes, in the order in which their directories are read."""
    for box in "Pa", "Qu":
        world.server.create(box)
    world.sync()
    return [box for box in os.listdir(world.root) if box in ("Pa", "Qu")]


def put_below(world, box):
    world.server.create(box + "/x")
    for i in range(5):
        world.server.append(box + "/x", message("m%d" % i), ["\\Seen"])
    world.sync()


def test_moved_to_where_the_listing_has_been(world, parents):
    """It is in no directory when that is read, and not deleted for that."""
    first, second = parents
    put_below(world, second)
    before = world.server.status(second + "/x")
    out = sync_stopped_at(world, second, lambda: os.rename(
        world.root / second / "x", world.root / first / "x"))
    assert "delete" not in out
    assert world.server.mailboxes() == sorted(
        ["INBOX", first, first + "/x", second])
    # it was renamed, and has its messages still
    assert world.server.status(first + "/x") == before.replace(
        second.encode(), first.encode())
    world.assert_settled()


def test_moved_to_where_the_listing_has_not_been(world, parents):
    """It is in both directories, which loses nothing."""
    first, second = parents
    put_below(world, first)
    sync_stopped_at(world, second, lambda: os.rename(
        world.root / first / "x", world.root / second / "x"), status=65)
    world.sync()
    assert world.server.mailboxes() == sorted(
        ["INBOX", first, second, second + "/x"])
    assert len(world.server.messages(second + "/x")) == 5
    world.assert_settled()


def test_a_tree_that_is_never_the_same_twice(world, parents):
    """It holds no deletes back (3): it is for another time (75)."""
    first, second = parents
    shutil.rmtree(world.root / first)
    number = itertools.count()
    sync_stopped_at(world, second, lambda: world.local.make(
        "new%d" % next(number)), status=75, when="")
    assert world.server.mailboxes() == sorted(["INBOX", first, second])
    world.server.close()
    world.sync()
    assert first not in world.server.mailboxes()
    world.assert_settled()


@pytest.mark.parametrize("call", ["mkdirat", "renameat", "fsync"])
def test_killed_as_a_mailbox_is_made_again(world, call):
    """It was removed here, and mail came there: whatever is made of it, it is
    ours, so the mail comes, and what went with it goes."""
    strace_or_skip()
    for n in itertools.count(1):
        box = "a/w%d" % n
        world.server.create(box)
        world.server.append(box, message("old"), ["\\Seen"])
        world.sync()
        shutil.rmtree(world.root / "a")
        world.server.append(box, message("new"), ["\\Seen"])
        world.server.close()
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "-e",
             "inject=%s:signal=KILL:when=%d" % (call, n), world.binary, "-c",
             str(world.config), "sync"], env=world.traced_env(),
            capture_output=True, timeout=60)
        world.summary(status=0)
        body, = [m["body"] for m in world.server.messages(box).values()]
        assert b"message new" in body
        world.assert_settled()
        if done.returncode == 0:
            break
        world.server.do("delete", box)
        world.sync("--allow-deletes", "home")
    assert n > 1


# a mailbox gets another name as it is to get one from us


def is_left(world, meddle, word, deed):
    """Nothing is made, moved or taken away in that run; the next one, as
    nobody is at work, has all of it."""
    before = [len(box) for box in everything(world)]
    done = meddle(word, deed, "-v", status=75)
    assert b"the next run takes it up" in done.stderr
    for what in b"create", b"delete", b"pull", b"push":
        assert what not in done.stdout
    world.sync()
    assert [len(box) for box in everything(world)] == before
    world.assert_settled()


def everything(world):
    """What each mailbox there has, the empty ones aside."""
    return sorted(filter(None, world.server.everything().values()), key=len)


@pytest.fixture
def renamed(world):
    """Three mailboxes, one of them below another."""
    for box, n in ("a", 2), ("b", 3), ("c/d", 4):
        world.server.create(box)
        for i in range(n):
            world.server.append(box, message("%s%d" % (box, i)), ["\\Seen"])
    world.sync()
    return world


def test_renamed_here_and_meanwhile_there(renamed, meddle):
    os.rename(renamed.root / "a", renamed.root / "r")
    os.rename(renamed.root / "c", renamed.root / "e")
    is_left(renamed, meddle, b'RENAME "a" "r"', lambda: renamed.server.do(
        "rename", "a", "other"))


def test_swapped_here_and_one_renamed_meanwhile_there(renamed, meddle):
    for old, new in ("a", "t"), ("b", "a"), ("t", "b"):
        os.rename(renamed.root / old, renamed.root / new)
    is_left(renamed, meddle, b'RENAME "a" "b"', lambda: renamed.server.do(
        "rename", "a", "other"))


def test_renamed_there_and_meanwhile_here(renamed, meddle):
    """As the guess is looked at, which is the last word before it."""
    renamed.server.do("rename", "c", "e")
    is_left(renamed, meddle, b'EXAMINE "e/d"', lambda: os.rename(
        renamed.root / "c", renamed.root / "other"))


def test_renamed_once_more_as_the_guess_is_looked_at(renamed, meddle):
    """What stands in its old place since is another mailbox."""
    renamed.server.do("rename", "a", "r")
    renamed.server.create("a")
    done = meddle(b'EXAMINE "r"', lambda: renamed.server.do(
        "rename", "r", "other"), "-v")
    assert b"rename here other" in done.stdout
    for what in b"pull", b"push", b"delete":
        assert what not in done.stdout
    assert len(renamed.server.messages("other")) == 2
    renamed.assert_settled()


def test_and_the_same_here(renamed, meddle):
    """One that was renamed there has us look at the guesses, in their order."""
    renamed.server.do("rename", "a", "x")
    os.rename(renamed.root / "b", renamed.root / "y")
    renamed.local.make("b")
    done = meddle(b'EXAMINE "x"', lambda: os.rename(
        renamed.root / "y", renamed.root / "other"), "-v")
    assert b"rename on server other" in done.stdout
    for what in b"pull", b"push", b"delete":
        assert what not in done.stdout
    assert len(renamed.server.messages("other")) == 3
    renamed.assert_settled()


# a mailbox that others change whenever it is read


class Hidden:
    """A file that is not seen, by chance, in any reading of the first pass."""

    def __init__(self, world, path):
        self.world, self.path, self.selects = world, path, 0
        self.aside, self.over = world.base / "aside", False

    def at_each_reading(self):
        if self.over:
            return
        if self.path.exists():
            self.path.rename(self.aside)
        os.utime(self.path.parent)

    def show(self):
        if not self.over:
            self.over = True
            self.aside.rename(self.path)

    def at_select(self, session, tag, words):
        self.selects += 1
        if self.selects == 2:
            self.show()
        return False

    def at_fetch(self, session, tag, words):
        if any(w.startswith(b"BODY.PEEK[]") for w in words[1]):
            self.show()
        return False

    def sync(self, status=0):
        self.world.script.answer = {b"SELECT": self.at_select,
                                    b"UID FETCH": self.at_fetch}
        sync_stopped_at(
            self.world, "cur", self.at_each_reading, status, when="")
        self.show()
        self.world.script.well()


def test_a_new_file_that_no_reading_shows(scripted):
    world = scripted()
    world.fill(3)
    world.server.append("INBOX", message("m3"))
    path = world.local.add("INBOX", message("m3").replace(b"\r\n", b"\n"),
                           "3.x.host:2,", "cur")
    Hidden(world, path).sync()
    assert world.tokens() == (["m0", "m1", "m2", "m3"],) * 2
    world.assert_settled()


def test_a_file_that_no_reading_shows_when_uidvalidity_changed(scripted):
    world = scripted()
    world.fill(3)
    world.set_letters("m1", "S")
    world.sync()
    world.server.renumber("INBOX")
    Hidden(world, world.file_of("m1")).sync(status=65)
    world.sync()
    assert world.tokens() == (["m0", "m1", "m2"],) * 2
    world.assert_settled()


def test_a_file_renamed_just_before_it_follows_its_message(scripted):
    """UIDVALIDITY of the mailbox that it leaves changed: no row would know it
    in the next pass."""
    world = scripted()
    world.moved_there(3, 2)
    world.server.renumber("INBOX")
    path = world.file_of("m1")

    def rename():
        # it is open to be compared, for the last time
        world.set_letters("m1", "F")
    sync_stopped_at(world, path.name, rename, when=":when=3")
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("work") == (["m1"],) * 2
    world.assert_settled()
