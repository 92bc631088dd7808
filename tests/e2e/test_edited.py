"""A file that was edited in place: the message that it was may go, on either
side, and the edit does not go with it."""

import os
import shutil
import signal
import subprocess
from concurrent.futures import Future

import pytest

from relay import Relay
from scripted import Hangup, No
from world import lf, message


def bodies(world, box):
    return sorted(lf(m["body"]) for m in world.server.messages(box).values())


def edit(path, how):
    data = path.read_bytes()
    if how == "append":
        with open(path, "ab") as f:
            f.write(b"notes of an hour\n")
    elif how == "size":
        path.write_bytes(data[:-2] + b"!\n")
    else:
        other = path.parent.parent / "tmp" / "q"
        other.write_bytes(data + b"notes of an hour\n")
        os.rename(other, path)
    return path.read_bytes()


@pytest.fixture
def drafts(world):
    """Two mailboxes, and a message in the first that was synced."""
    world.server.create("A")
    world.server.create("B")
    for token in "ab":
        world.server.append("A", message(token))
    world.sync()
    return world


def file_of(world, token):
    return next(p for _, _, p in world.local.files("A")
                if p.read_bytes() == lf(message(token)))


def binned(world):
    return [p for p in (world.state / "home").glob("bin/*/*/*/*")
            if p.is_file()]


@pytest.mark.parametrize("how", ["append", "replace", "size"])
@pytest.mark.parametrize("touched", [False, True])
def test_deleted_there(drafts, how, touched):
    edited = edit(file_of(drafts, "a"), how)
    if touched:
        drafts.local.add("A", message("new"), "n.host")
    drafts.server.expunge("A", [1])
    drafts.sync()
    assert edited in bodies(drafts, "A")
    assert len(bodies(drafts, "A")) == 2 + touched
    assert not binned(drafts)
    drafts.assert_settled()


@pytest.mark.parametrize("how", ["append", "replace", "size"])
def test_moved_there(drafts, how):
    edited = edit(file_of(drafts, "a"), how)
    drafts.server.select("A")
    drafts.server.do("uid", "MOVE", "1", "B")
    drafts.sync()
    assert bodies(drafts, "A") == sorted([edited, lf(message("b"))])
    assert bodies(drafts, "B") == [lf(message("a"))]
    drafts.assert_settled()


def test_renamed_too(drafts):
    path = file_of(drafts, "a")
    edited = edit(path, "append")
    os.rename(path, path.parent.parent / "cur" / (path.name + ":2,S"))
    drafts.server.expunge("A", [1])
    drafts.sync()
    assert edited in bodies(drafts, "A")
    drafts.assert_settled()


def test_its_mailbox_is_deleted_there(drafts):
    edited = edit(file_of(drafts, "a"), "append")
    drafts.server.do("delete", "A")
    drafts.sync()
    assert bodies(drafts, "A") == [edited]
    assert len(binned(drafts)) == 1
    drafts.assert_settled()


def test_its_mailbox_is_deleted_there_and_nothing_goes_up(drafts):
    drafts.write_config(direction="pull")
    path = file_of(drafts, "a")
    edited = edit(path, "append")
    drafts.server.do("delete", "A")
    drafts.sync()
    assert path.read_bytes() == edited
    assert [p.name for p in binned(drafts)] != [path.name]
    drafts.assert_idle()


def test_touched_only_it_goes(drafts):
    os.utime(file_of(drafts, "a"), (1600000005, 1600000005))
    drafts.server.expunge("A", [1])
    drafts.sync()
    assert bodies(drafts, "A") == [lf(message("b"))]
    assert len(binned(drafts)) == 1
    drafts.assert_settled()


def exchange(a, b):
    os.rename(a, a.parent.parent / "tmp" / "q")
    os.rename(b, a)
    os.rename(a.parent.parent / "tmp" / "q", b)


@pytest.mark.parametrize("alike", [False, True])
def test_full_finds_names_that_were_exchanged(drafts, alike):
    """Not by content if they are alike in size and time."""
    a, b = file_of(drafts, "a"), file_of(drafts, "b")
    if alike:
        for p in (a, b):
            os.utime(p, (1600000000, 1600000000))
        drafts.sync("--full")
    uids = {m["body"]: uid for uid, m in drafts.server.messages("A").items()}
    exchange(a, b)
    drafts.sync("--full")
    assert {m["body"]: uid for uid, m in
            drafts.server.messages("A").items()} == uids
    drafts.assert_settled()
    drafts.server.expunge("A", [uids[message("a")]])
    drafts.sync()
    assert bodies(drafts, "A") == [lf(message("b"))]
    drafts.assert_settled()


def test_full_finds_a_message_that_is_over_another_one(drafts):
    os.rename(file_of(drafts, "a"), file_of(drafts, "b"))
    drafts.sync("--full")
    assert bodies(drafts, "A") == [lf(message("a"))]
    assert list(drafts.server.messages("A")) == [1]
    drafts.assert_settled()


def test_a_name_was_exchanged_and_its_message_is_deleted_there(drafts):
    exchange(file_of(drafts, "a"), file_of(drafts, "b"))
    drafts.server.expunge("A", [1])
    drafts.sync()
    assert [p.read_bytes() for _, _, p in drafts.local.files("A")] == [
        lf(message("b"))]
    assert [p.read_bytes() for p in binned(drafts)] == [lf(message("a"))]
    drafts.assert_settled()


def test_full_of_a_copy_finds_nothing(drafts):
    root = drafts.root
    shutil.copytree(root, root.parent / "copy")
    shutil.rmtree(root)
    os.rename(root.parent / "copy", root)
    s = drafts.summary("--full")
    assert (s["pulled"], s["pushed"], s["deleted_remote"]) == (0, 0, 0)
    drafts.assert_settled()


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("args", [[], ["--full"]])
def test_copied_there(drafts, args, touched):
    """The copy is one of what it was; where only the time is another, no
    second body comes."""
    path = file_of(drafts, "a")
    if touched:
        os.utime(path, (1, 1))
    else:
        edit(path, "size")
    drafts.server.select("A")
    drafts.server.do("uid", "copy", "1", "B")
    done = drafts.summary(*args)
    assert (done["copied"], done["pulled"]) == (touched, not touched)
    assert [p.read_bytes() for _, _, p in drafts.local.files("B")] == [
        lf(message("a"))]
    drafts.sync("--full")
    assert [lf(m["body"]) for m in drafts.server.messages("B").values()] == [
        lf(message("a"))]
    drafts.assert_settled()


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("more", [0, 20000])
def test_one_of_two_versions_is_elsewhere_there(world, moves, more):
    """They have one Message-ID, size and date.  The one that is elsewhere is
    not here any more, so nothing is compared with it."""
    world.server.create("A")
    world.server.create("B")
    one = message("one", size=more)
    two = one.replace(b"message one", b"message two")
    for mail in one, two:
        world.server.append("A", mail)
    world.sync()
    world.server.select("A")
    world.server.do("uid", "MOVE" if moves else "COPY", "2", "B")
    os.unlink(next(p for _, _, p in world.local.files("A")
                   if p.read_bytes() == lf(two)))
    world.sync()
    assert bodies(world, "A") == [lf(one)]
    assert bodies(world, "B") == [lf(two)]
    world.assert_settled()


@pytest.mark.parametrize("more", [0, 20000])
def test_moved_there_while_one_of_its_size_was_deleted_here(world, more):
    """It is moved here, and does not come down."""
    world.server.create("A")
    world.server.create("B")
    for token in "one", "two":
        world.server.append("A", message(token, size=more))
    world.sync()
    world.server.select("A")
    world.server.do("uid", "MOVE", "2", "B")
    os.unlink(next(p for _, _, p in world.local.files("A")
                   if b"message one" in p.read_bytes()))
    done = world.summary()
    assert (done["moved"], done["pulled"], done["deleted_remote"]) == (1, 0, 1)
    assert bodies(world, "B") == [lf(message("two", size=more))]
    world.assert_settled()


class LostAt(Relay):
    """Ends the connection instead of passing on what WORD is in; or first the
    run, where KILLS."""

    def __init__(self, port, word, kills):
        self.word, self.kills, self.run = word, kills, Future()
        super().__init__(port)

    def pump(self, a, b, down):
        while data := a.recv(65536):
            if self.word in data:
                if self.kills:
                    self.run.result().kill()
                return
            b.sendall(data)


def cut_at(world, word, *args, kills=False):
    """A run whose connection ends at WORD; or which does."""
    port = world.options["port"]
    line = LostAt(port, word, kills)
    world.server.close()
    world.write_config(port=line.port)
    line.run.set_result(world.start("sync", "-q", *args,
                                    stderr=subprocess.DEVNULL))
    assert line.run.result().wait() == (-signal.SIGKILL if kills else 69)
    world.write_config(port=port)
    line.close()


@pytest.mark.parametrize("how", ["append", "replace"])
@pytest.mark.parametrize("word", [b" APPEND ", b"[APPENDUID "])
@pytest.mark.parametrize("kills", [False, True])
def test_deleted_there_and_cut_off(drafts, how, word, kills):
    """Its row is gone, no directory has changed: the next run looks."""
    edited = edit(file_of(drafts, "a"), how)
    drafts.server.expunge("A", [1])
    drafts.sync("--dry-run")
    cut_at(drafts, word, kills=kills)
    drafts.sync()
    assert bodies(drafts, "A") == sorted([edited, lf(message("b"))])
    assert len(drafts.local.files("A")) == 2
    drafts.assert_settled()


@pytest.mark.parametrize("word", [
    b" APPEND ", b"[APPENDUID ", b"UID STORE", b"EXPUNGE "])
def test_full_is_cut_off_and_a_plain_run_ends_it(drafts, word):
    """The edit goes up once, and what it was goes."""
    edited = edit(file_of(drafts, "a"), "append")
    cut_at(drafts, word, "--full")
    drafts.sync()
    assert bodies(drafts, "A") == sorted([edited, lf(message("b"))])
    assert len(drafts.local.files("A")) == 2
    drafts.assert_settled()


@pytest.mark.parametrize("touched", [False, True])
def test_a_refused_edit_is_remembered(drafts, touched):
    """It cannot go up (NUL), and waits: each run says so, whatever else
    happens in the directory."""
    path = file_of(drafts, "a")
    path.write_bytes(path.read_bytes() + b"x\0y\n")
    drafts.sync("--full", status=65)
    for n in range(2):
        if touched:
            drafts.local.add("A", message("n%d" % n), "%d.n.host" % n)
        done = drafts.sync(status=65)
        assert "1 message waits" in done.err
    assert path.name.split(":")[0] in drafts.run("status", "home").out
    assert lf(message("a")) in bodies(drafts, "A")
    drafts.assert_idle(status=65)
    # what it was before waits for nothing
    path.write_bytes(lf(message("a")))
    drafts.sync("--full")
    drafts.assert_settled()


@pytest.mark.parametrize("how", ["NO", "nothing"])
def test_an_edit_that_may_be_there_waits(scripted, how):
    """The answer to its APPEND was lost, and the server sends no octets of what
    is new there: it does not go up once more."""
    world = scripted()
    world.fill(2)
    path = world.file_of("m0")
    path.write_bytes(path.read_bytes() + b"notes\n")

    def append(session, tag, words):
        session.do_append(tag, words)
        raise Hangup

    def fetch(session, tag, words):
        if not any(w.startswith(b"BODY") for w in words[1]):
            return False
        if how == "NO":
            raise No("NO [SERVERBUG] not now")
        session.line(tag + b" OK done")
        return True

    world.script.answer[b"APPEND"] = append
    world.sync("--full", status=69)
    world.script.well()
    world.script.answer[b"UID FETCH"] = fetch
    world.sync(status=65)
    assert list(world.server.messages("INBOX")) == [1, 2, 3]
    world.script.well()
    world.sync()
    assert world.tokens() == (["m0", "m1"],) * 2
    world.assert_settled()


def test_an_edit_over_the_limit_whose_message_is_gone(drafts):
    """It is a new one then, and stays here until the limit allows it."""
    path = file_of(drafts, "a")
    path.write_bytes(path.read_bytes() + b"notes\n" * 500)
    drafts.write_config(max_size="1K")
    drafts.server.expunge("A", [1])
    drafts.sync()
    assert bodies(drafts, "A") == [lf(message("b"))]
    assert path.exists() and not binned(drafts)
    drafts.assert_idle()
    drafts.write_config(max_size=None)
    drafts.sync()
    assert path.read_bytes() in bodies(drafts, "A")
    drafts.assert_settled()


def flags_there(world, box, words):
    return next(m["flags"] for m in world.server.messages(box).values()
                if words in m["body"])


def letters(world, box, words):
    return next(p.name.split(":2,")[1] for _, _, p in world.local.files(box)
                if words in p.read_bytes())


@pytest.mark.parametrize("direction", ["both", "push"])
def test_flags_that_were_changed_on_what_it_was(drafts, direction):
    """They are of the message that takes its place."""
    drafts.write_config(direction=direction)
    path = file_of(drafts, "a")
    path = path.rename(path.parent.parent / "cur" / (path.name + ":2,RS"))
    drafts.sync()
    drafts.server.store("A", 1, "-FLAGS", ["\\Seen"])
    drafts.server.store("A", 1, "+FLAGS", ["\\Flagged", "work"])
    path.write_bytes(path.read_bytes() + b"notes\n")
    drafts.sync("--full")
    assert flags_there(drafts, "A", b"notes") == {
        "\\Answered", "\\Flagged", "work"}
    shown = letters(drafts, "A", b"notes")
    if direction == "push":
        assert shown == "RS"
        return drafts.assert_idle()
    assert "".join(filter(str.isupper, shown)) == "FR"
    assert drafts.local.letters("A")[shown[-1]] == "work"
    drafts.assert_settled()


def test_who_marked_what_it_was_as_deleted_meant_that(drafts):
    path = file_of(drafts, "a")
    path.write_bytes(path.read_bytes() + b"notes\n")
    drafts.server.store("A", 1, "+FLAGS", ["\\Deleted"])
    drafts.sync("--full")
    assert len(bodies(drafts, "A")) == 2
    assert flags_there(drafts, "A", b"notes") == set()
    drafts.assert_settled()


def test_keywords_for_which_there_is_no_letter(drafts):
    for i in range(27):
        drafts.server.store("A", 1, "+FLAGS", ["k%d" % i])
    drafts.sync(status=None)
    before = flags_there(drafts, "A", b"message a")
    path, = [p for _, _, p in drafts.local.files("A") if ":2," in p.name]
    path.write_bytes(path.read_bytes() + b"notes\n")
    drafts.sync("--full", status=None)
    assert flags_there(drafts, "A", b"notes") == before
    assert len(before) == 27 and len(bodies(drafts, "A")) == 2
    drafts.assert_idle()


def test_flags_of_an_edit_that_is_there_already(scripted):
    """The answer to its APPEND was lost; then somebody changed the flags of
    both messages."""
    world = scripted()
    world.fill(2)
    world.server.flag("INBOX", 1, ["\\Seen", "\\Draft"])
    world.sync()
    path = world.file_of("m0")
    path.write_bytes(path.read_bytes() + b"notes\n")

    def append(session, tag, words):
        session.do_append(tag, words)
        raise Hangup

    world.script.answer[b"APPEND"] = append
    world.sync("--full", status=69)
    world.script.well()
    world.server.flag("INBOX", 1, ["\\Answered"], ["\\Seen"])
    world.server.flag("INBOX", 3, ["\\Flagged"])
    world.sync()
    assert list(world.server.messages("INBOX")) == [2, 3]
    assert flags_there(world, "INBOX", b"notes") == {
        "\\Answered", "\\Draft", "\\Flagged"}
    assert letters(world, "INBOX", b"notes") == "DFR"
    world.assert_settled()


@pytest.mark.parametrize("place", ["cur", "new"])
def test_a_copy_that_is_refused_under_the_name_of_its_message(drafts, place):
    """The message itself is as its row says, and the copy still waits."""
    path = file_of(drafts, "a")
    base = path.name
    if place == "new":
        path = path.rename(path.parent.parent / "cur" / (base + ":2,"))
        drafts.sync()
    copy = path.parent.parent / "tmp" / "q"
    copy.write_bytes(path.read_bytes() + b"x\0y\n")
    copy.rename(path.parent.parent / place /
                (base + (":2,F" if place == "cur" else "")))
    drafts.sync(status=65)
    drafts.local.add("A", message("new"), "new.host")
    drafts.sync(status=65)
    assert base + ": waits until 20" in drafts.run("status", "home").out
    drafts.assert_idle(status=65)
