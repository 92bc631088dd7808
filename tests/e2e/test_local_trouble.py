"""What other programs, people and disks do to a Maildir."""

import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from test_races import meddle  # noqa: F401
from world import digest, lf, message


def flags_by_token(world, box="INBOX"):
    found = {}
    for m in world.server.messages(box).values():
        token = m["body"].split(b"Subject: message ")[1].split(b"\r\n")[0]
        found[token.decode()] = m["flags"]
    return found


def names(world, box="INBOX"):
    return [name for name, _, _ in world.local.files(box)]


# names of files


def test_new_with_flags_and_cur_without(world):
    world.sync()
    put = {"new/1.a.host": set(), "new/2.b.host:2,": set(),
           "new/3.c.host:2,S": {"\\Seen"}, "cur/4.d.host": set(),
           "cur/5.e.host:2,": set(),
           "cur/6.f.host:2,RS": {"\\Seen", "\\Answered"},
           "cur/7.g:1,foo": set(), "cur/8 h:2,F": {"\\Flagged"},
           "cur/9.i.host,U=12,S=7:2,S": {"\\Seen"}}
    want = {}
    for name, flags in put.items():
        sub, name = name.split("/")
        token = name.split(".")[0].split(" ")[0]
        world.local.add("INBOX", lf(message(token)), name, sub)
        want[token] = flags
    world.sync()
    assert flags_by_token(world) == want
    assert sorted(names(world)) == sorted(put)
    world.assert_settled()
    # a change from there: what is new and shows nothing stays new
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "+FLAGS", "(\\Draft)")
    world.server.do("uid", "STORE", "1:*", "-FLAGS", "(\\Draft \\Answered)")
    world.sync()
    assert sorted(n for n in names(world) if n.startswith("new/")) == [
        "new/1.a.host", "new/2.b.host:2,", "new/3.c.host:2,S"]
    world.assert_settled()


def test_letters_out_of_order_twice_and_unknown(world):
    world.sync()
    world.local.add("INBOX", message("a"), "1.a.host:2,ZSaSF", "cur")
    world.local.add("INBOX", message("b"), "2.b.host:2,SS9,x=S", "cur")
    world.sync()
    assert flags_by_token(world) == {
        "a": {"\\Seen", "\\Flagged"}, "b": {"\\Seen"}}
    assert names(world) == ["cur/1.a.host:2,ZSaSF", "cur/2.b.host:2,SS9,x=S"]
    world.assert_idle()
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "+FLAGS", "(\\Answered)")
    world.server.do("uid", "STORE", "1:*", "-FLAGS", "(\\Seen)")
    world.sync()
    assert names(world) == ["cur/1.a.host:2,FRZa", "cur/2.b.host:2,9R,x=S"]
    world.assert_idle()


def test_names_of_any_bytes_and_of_full_length(world):
    world.sync()
    cur = os.fsencode(world.root / "INBOX" / "cur")
    put = [b"a b", b"new\nline", b"\xff\xfe latin \xe4", b"\xf0\x9f\x93\xa8",
           b'"quoted"\\', b"-rf", b"%s%n", b"x" * 250 + b":2,", b"y" * 253,
           b"z" * 255, b"w" * 252 + b":2,"]
    for n, name in enumerate(put):
        with open(os.path.join(cur, name), "wb") as f:
            f.write(message("m%d" % n))
    world.sync()
    assert len(world.server.messages("INBOX")) == len(put)
    assert sorted(os.listdir(cur)) == sorted(put)
    rows = world.dump()
    assert len({r["file"] for r in rows}) == len(rows) == len(put)
    world.assert_idle()
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "+FLAGS", "(\\Seen \\Flagged)")
    for args in [], [], ["--full"]:
        done = world.sync(*args, status=65)
        assert done.err.count("too long") == len(done.err.splitlines()) == 3
        for name in os.listdir(cur):
            base, _, info = name.partition(b":2,")
            # as many letters as there is room for
            assert info == b"FS"[:max(0, 255 - len(base) - 3)], name
        # what a name cannot show was not removed by anybody
        assert all(f == {"\\Seen", "\\Flagged"}
                   for f in flags_by_token(world).values())
    for name in os.listdir(cur):
        os.unlink(os.path.join(cur, name))
    world.sync()
    assert world.server.messages("INBOX") == {}
    world.assert_settled()


@pytest.mark.parametrize("bytes_too", [False, True])
def test_one_base_name_twice_is_two_messages(world, bytes_too):
    world.sync()
    tokens = "abcd" if not bytes_too else "aaaa"
    put = ["cur/x.host:2,", "cur/x.host:2,S", "new/x.host", "cur/x.host:2,F"]
    for name, token in zip(put, tokens):
        sub, name = name.split("/")
        world.local.add("INBOX", message(token), name, sub)
    world.sync()
    assert len(world.server.messages("INBOX")) == 4
    assert sorted(names(world)) == sorted(put)
    world.assert_settled()
    # all of them would like to be called x.host:2,FRS
    uids = sorted(world.server.messages("INBOX", bodies=False))
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "FLAGS",
                    "(\\Seen \\Flagged \\Answered)")
    world.sync()
    assert len(world.local.files("INBOX")) == 4
    assert all(flags == {"\\Seen", "\\Flagged", "\\Answered"}
               for _, flags, _ in world.local.files("INBOX"))
    assert sorted(world.server.messages("INBOX", bodies=False)) == uids
    world.assert_settled()
    # and one goes without the others
    world.local.files("INBOX")[0][2].unlink()
    world.sync()
    assert len(world.server.messages("INBOX")) == 3
    world.assert_settled()

@pytest.mark.parametrize("twin", ["cur/x.host:2,", "new/x.host", "cur/x.host"])
@pytest.mark.parametrize("first", [[], ["--full"]])
def test_another_one_comes_by_the_name_of_one_that_was_renamed(
        world, twin, first):
    world.sync()
    path = world.local.add("INBOX", message("a"), "x.host:2,R", "cur")
    world.sync()
    os.rename(path, str(path) + "S")
    sub, name = twin.split("/")
    world.local.add("INBOX", message("b"), name, sub)
    world.sync(*first)
    assert sorted(names(world)) == sorted(["cur/x.host:2,RS", twin])
    assert flags_by_token(world) == {
        "a": {"\\Answered", "\\Seen"}, "b": set()}
    assert sorted(world.server.messages("INBOX", bodies=False)) == [1, 2]
    world.assert_settled()


def test_two_of_one_name_instead_of_one(world):
    """Neither is what it was."""
    world.sync()
    path = world.local.add("INBOX", message("a"), "x.host:2,R", "cur")
    world.sync()
    path.unlink()
    world.local.add("INBOX", message("b"), "x.host:2,S", "cur")
    world.local.add("INBOX", message("c"), "x.host:2,F", "cur")
    world.sync()
    assert flags_by_token(world) == {"b": {"\\Seen"}, "c": {"\\Flagged"}}
    world.assert_settled()


@pytest.mark.parametrize("known", [False, True])
def test_new_and_cur_of_one_file_are_one_message(world, known):
    world.sync()
    path = world.local.add("INBOX", message("a"), "x.host", "new")
    if known:
        world.sync()
    os.link(path, path.parent.parent / "cur" / "x.host:2,R")
    world.sync()
    assert flags_by_token(world) == {"a": {"\\Answered"}}
    assert sorted(world.server.messages("INBOX", bodies=False)) == [1]
    path.unlink()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("tokens", ["ab", "aa"])
def test_one_base_name_in_two_mailboxes(world, tokens):
    world.sync()
    for box, token in zip(("INBOX", "other"), tokens):
        world.local.add(box, message(token), "x.host:2,S", "cur")
    world.sync()
    assert {box: len(m) for box, m in world.server.everything().items()} == {
        "INBOX": 1, "other": 1}
    world.assert_settled()
    # moved there onto it: both stay
    world.server.select("INBOX")
    world.server.do("uid", "MOVE", "1", "other")
    world.sync()
    assert len(world.local.files("other")) == 2
    assert world.local.files("INBOX") == []
    world.assert_settled()


def test_copies_links_and_twins_are_messages_of_their_own(world):
    world.sync()
    path = world.local.add("INBOX", message("a"), "1.a.host:2,S", "cur")
    os.link(path, path.parent / "2.a.host:2,")
    shutil.copy(path, path.parent / "3.a.host:2,F")
    # one Message-ID, other bytes; and none at all
    world.local.add("INBOX", message("a", body="else"), "4.a.host:2,", "cur")
    world.local.add("INBOX", b"Subject: message n\n\nn\n", "5.n.host:2,", "cur")
    world.local.add("INBOX", b"Subject: message n\n\nm\n", "6.n.host:2,", "cur")
    world.sync()
    assert len(world.server.messages("INBOX")) == 6
    world.assert_settled()
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    world.assert_settled()
    os.unlink(path.parent / "2.a.host:2,")
    world.sync()
    assert len(world.server.messages("INBOX")) == 5
    world.assert_settled()


def test_a_draft_edited_here_and_on_both_sides(world):
    world.server.append("INBOX", message("draft", body="v1"), ["\\Draft"])
    world.sync()
    (_, _, path), = world.local.files("INBOX")
    # as mutt does it: the old file goes, the new one has another name
    path.unlink()
    world.local.add("INBOX", lf(message("draft", body="v2")),
                    "2.d.host:2,DS", "cur")
    world.sync()
    bodies = [m["body"] for m in world.server.messages("INBOX").values()]
    assert bodies == [message("draft", body="v2")]
    world.assert_settled()
    (uid, m), = world.server.messages("INBOX").items()
    (_, _, path), = world.local.files("INBOX")
    path.unlink()
    world.local.add("INBOX", lf(message("draft", body="v3 here")),
                    "3.d.host:2,DS", "cur")
    world.server.append("INBOX", message("draft", body="v3 there"),
                        ["\\Draft"])
    world.server.expunge("INBOX", [uid])
    world.sync()
    assert sorted(m["body"]
                  for m in world.server.messages("INBOX").values()) == [
        message("draft", body="v3 here"), message("draft", body="v3 there")]
    world.assert_settled()


# readers at work


class Reader(threading.Thread):
    """Marks, renames and opens messages all the time, as ten readers might."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box, self.stop = box, False

    def run(self):
        turn = 0
        while not self.stop:
            turn += 1
            for sub in ("new", "cur"):
                for name in os.listdir(self.box / sub):
                    base = name.split(":2,")[0]
                    to = base + (":2,S" if turn % 2 else ":2,FS")
                    try:
                        os.rename(self.box / sub / name,
                                  self.box / "cur" / to)
                    except FileNotFoundError:
                        pass


def test_readers_rename_all_the_time(world):
    for n in range(60):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    reader = Reader(world.root / "INBOX")
    reader.start()
    try:
        for n in range(4):
            world.server.append("INBOX", message("more%d" % n))
            world.server.store("INBOX", uids[n], "+FLAGS", ["\\Answered"])
            world.server.close()
            done = world.sync(status=None)
            assert done.returncode in (0, 65, 75), done.err
            now = sorted(world.server.messages("INBOX", bodies=False))
            assert set(uids) <= set(now)
            assert len(now) == 61 + n
    finally:
        reader.stop = True
        reader.join()
    world.sync()
    assert len(world.local.files("INBOX")) == 64
    world.assert_settled()


def test_a_maildir_that_is_removed_during_the_run(world, meddle):  # noqa: F811
    for n in range(5):
        world.server.append("INBOX", message("m%d" % n))
    world.server.create("other")
    world.server.append("other", message("o"))
    world.sync()
    world.server.append("INBOX", message("late"))
    kept = world.server.everything()
    done = meddle(b"UID FETCH", lambda: shutil.rmtree(world.root),
                  status=None)
    assert done.returncode in (3, 65, 75) and done.err
    assert world.server.everything() == kept
    done = world.sync(status=3)
    assert str(world.root) in done.err
    assert world.server.everything() == kept
    world.server.close()


# directories and files that are odd


def test_missing_tmp_is_made_again(world):
    world.server.append("INBOX", message("a"))
    world.sync()
    os.rmdir(world.root / "INBOX" / "tmp")
    world.assert_idle()
    world.server.append("INBOX", message("b"))
    world.sync()
    assert len(world.local.files("INBOX")) == 2
    world.assert_settled()


@pytest.fixture
def other_disk():
    mounts = []

    def mount(path):
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)],
                              capture_output=True)
        if done.returncode:
            pytest.skip("cannot mount a file system here")
        mounts.append(path)

    yield mount
    for path in mounts:
        subprocess.run(["umount", "-l", str(path)], check=False)


@pytest.mark.parametrize("where", ["tmp", "new", "other"])
def test_parts_of_it_on_another_disk(world, other_disk, where):
    world.server.create("other")
    world.sync()
    path = world.root / ("other" if where == "other" else "INBOX/" + where)
    other_disk(path)
    if where == "other":
        world.local.make("other")
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n),
                            ["\\Seen"] if n else [])
    world.sync()
    world.assert_settled()
    when = {digest(p.read_bytes()): int(p.stat().st_mtime)
            for _, _, p in world.local.files("INBOX")}
    world.server.select("INBOX")
    world.server.do("uid", "MOVE", "1:2", "other")
    world.server.do("uid", "STORE", "3", "+FLAGS", "(\\Flagged)")
    world.sync()
    assert len(world.local.files("other")) == 2
    for box in ("INBOX", "other"):
        for _, _, p in world.local.files(box):
            assert int(p.stat().st_mtime) == when[digest(p.read_bytes())]
    world.assert_settled()


def test_links_are_not_followed(world):
    for box in ("INBOX", "linked", "sub"):
        if box != "INBOX":
            world.server.create(box)
        world.server.append(box, message(box))
    world.sync()
    outside = world.base / "outside"
    outside.mkdir()
    (outside / "1.secret.host:2,").write_bytes(message("secret"))
    cur = world.root / "INBOX" / "cur"
    os.symlink(outside / "1.secret.host:2,", cur / "1.secret.host:2,")
    os.symlink("nowhere", cur / "2.dangling.host:2,")
    os.symlink(outside, cur / "3.dir.host:2,")
    os.symlink(world.root / "INBOX", world.root / "again")
    os.symlink(world.root, world.root / "loop")
    before = world.local.snapshot()
    world.sync()
    assert world.local.snapshot() == before
    assert len(world.server.messages("INBOX")) == 1
    assert world.server.mailboxes() == ["INBOX", "linked", "sub"]
    assert os.listdir(outside) == ["1.secret.host:2,"]
    world.server.close()


@pytest.mark.parametrize("what", ["", "/cur", "/new"])
def test_a_mailbox_that_was_replaced_by_a_link_is_held(world, what):
    """Somebody moved it to another disk and left a link: nothing is deleted,
    nothing is written through the link."""
    world.server.create("moved")
    world.server.create("moved/sub/deep")
    for n in range(3):
        for box in ("moved", "moved/sub/deep"):
            world.server.append(box, message("%s-%d" % (box, n)),
                                ["\\Seen"])
    world.server.append("INBOX", message("stays"))
    world.sync()
    kept = world.server.everything()
    os.rename(world.root / ("moved" + what), world.base / "away")
    os.symlink(world.base / "away", world.root / ("moved" + what))
    world.server.append("moved", message("late"))
    world.server.append("INBOX", message("late too"))
    for _ in range(2):
        done = world.sync(status=3)
        assert "moved" in done.err
    now = world.server.everything()
    for box in ("moved", "moved/sub/deep"):
        assert set(kept[box]) <= set(now[box])
    assert len(world.local.files("INBOX")) == 2
    os.unlink(world.root / ("moved" + what))
    os.rename(world.base / "away", world.root / ("moved" + what))
    world.sync()
    world.assert_settled()


def test_a_root_that_is_a_link_is_what_the_user_wrote(world):
    (world.base / "real").mkdir()
    os.symlink("real", world.root)
    world.server.append("INBOX", message("a"))
    world.sync()
    assert len(world.local.files("INBOX")) == 1
    assert (world.base / "real" / "INBOX" / "new").is_dir()
    world.assert_settled()


def test_foreign_files_stay_and_stop_nothing(world):
    world.server.append("INBOX", message("a"))
    world.sync()
    box = world.root / "INBOX"
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(box / "cur" / "socket:2,"))
    s.close()
    os.mkfifo(box / "new" / "fifo")
    (box / "new" / "directory:2,S").mkdir()
    (box / "new" / "directory:2,S" / "1.x.host").write_bytes(message("in"))
    for name in ("maildirfolder", "dovecot-uidlist", "dovecot.index.log",
                 ".mbsyncstate", "courierimapkeywords"):
        (box / name).write_text("foreign\n")
    (box / "tmp" / "1.other.host").write_bytes(b"half a mess")
    (world.root / "readme.txt").write_text("mine\n")
    before = world.local.snapshot()
    world.sync()
    assert world.local.snapshot() == before
    assert len(world.server.messages("INBOX")) == 1
    world.assert_idle()
    # the mailbox goes, and nothing of it is lost
    (box / "tmp" / "1.other.host").unlink()
    world.server.append("INBOX", message("b"))
    world.sync()
    assert (box / "dovecot-uidlist").read_text() == "foreign\n"
    assert len(world.local.files("INBOX")) == 3 + 2  # socket, fifo, directory


# permissions


def as_somebody(world):
    """The program as a user who is not root, with all of the test his."""
    if os.geteuid() != 0:
        return
    him = pwd.getpwnam("nobody")
    for top, dirs, files in os.walk(world.base):
        for name in dirs + files + ["."]:
            os.chown(os.path.join(top, name), him.pw_uid, him.pw_gid)
    wrapper = world.base / "as-nobody"
    wrapper.write_text('#!/bin/sh\nexec setpriv --reuid=%d --regid=%d '
                       '--clear-groups -- "%s" "$@"\n'
                       % (him.pw_uid, him.pw_gid, world.binary))
    wrapper.chmod(0o755)
    world.binary = str(wrapper)


@pytest.mark.parametrize("what", ["cur", "new", "tmp", ""])
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_directories_that_may_not_be_written_or_read(world, what, mode):
    as_somebody(world)
    world.server.create("shut")
    for box in ("INBOX", "shut"):
        for n in range(3):
            world.server.append(box, message("%s%d" % (box, n)),
                                ["\\Seen"] if n == 1 else [])
    world.sync()
    world.server.append("shut", message("late seen"), ["\\Seen"])
    world.server.append("shut", message("late new"))
    world.server.append("INBOX", message("late"))
    kept = world.server.everything()
    path = world.root / "shut" / what
    path.chmod(mode)
    try:
        done = world.sync(status=None)
        assert world.server.everything() == kept
        if what == "" and mode == 0o500:
            assert done.returncode == 0, done.err
        else:
            assert done.returncode in (65, 75), done.err
            # one failure, one line
            line, = done.err.splitlines()
            assert "shut" in line and "Permission denied" in line
    finally:
        path.chmod(0o700)
    world.sync()
    assert len(world.local.files("INBOX")) == 4
    assert len(world.local.files("shut")) == 5
    world.assert_settled()


def test_a_message_that_may_not_be_read(world):
    as_somebody(world)
    world.sync()
    path = world.local.add("INBOX", message("a"), "1.a.host")
    world.local.add("INBOX", message("b"), "2.b.host")
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        him = pwd.getpwnam("nobody")
        os.chown(path.parent / "2.b.host", him.pw_uid, him.pw_gid)
    path.chmod(0)
    for _ in range(2):
        done = world.sync(status=65)
        assert "1.a.host" in done.err
        assert set(flags_by_token(world)) == {"b"}
    path.chmod(0o644)
    world.sync()
    assert set(flags_by_token(world)) == {"a", "b"}
    world.assert_settled()


@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_modes_do_not_hang_on_the_umask(world, umask):
    world.server.append("INBOX", message("a"), ["\\Seen", "work"])
    world.server.create("x/y")
    before = os.umask(umask)
    try:
        world.sync()
    finally:
        os.umask(before)
    for top, dirs, files in os.walk(world.root):
        for name in dirs:
            assert stat.S_IMODE(os.lstat(
                os.path.join(top, name)).st_mode) & 0o077 == 0
        for name in files:
            assert stat.S_IMODE(os.lstat(
                os.path.join(top, name)).st_mode) & 0o077 == 0
    for top, dirs, files in os.walk(world.state):
        for name in dirs + files:
            assert stat.S_IMODE(os.lstat(
                os.path.join(top, name)).st_mode) & 0o077 == 0


# the machine


def test_times_to_come_and_of_whole_seconds(world):
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    box = world.root / "INBOX"
    for when in (time.time() + 86400 * 400, int(time.time()) - 100, 1.0):
        for path in [p for _, _, p in world.local.files("INBOX")] + [
                box / "cur", box / "new", box]:
            os.utime(path, (when, when))
        world.sync()
        world.assert_idle()
        _, _, path = world.local.files("INBOX")[0]
        base = path.name.split(":2,")[0]
        at = box / "cur" / (base + (":2,F" if ":2,S" in path.name
                                    else ":2,S"))
        os.rename(path, at)
        # the directories look as they did
        for path in (box / "cur", box / "new"):
            os.utime(path, (when, when))
        world.sync("--full")
        world.assert_settled()


@pytest.mark.parametrize("limit", [8, 12, 16, 20])
def test_few_descriptors(world, limit):
    for box in ("INBOX", "a", "b"):
        if box != "INBOX":
            world.server.create(box)
        for n in range(5):
            world.server.append(box, message(box + str(n)))
    world.server.close()
    whole = world.binary
    wrapper = world.base / "few"
    wrapper.write_text('#!/bin/sh\nexec prlimit --nofile=%d "%s" "$@"\n'
                       % (limit, whole))
    wrapper.chmod(0o755)
    world.binary = str(wrapper)
    for _ in range(2):
        done = world.sync(status=None)
        assert done.returncode in (0, 65, 69, 75, 78), (
            done.returncode, done.err)
        assert bool(done.returncode) == bool(done.err)
    world.binary = whole
    world.sync()
    world.assert_settled()


def strace(world, paths, inject):
    """The program, with INJECT for system calls on PATHS."""
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"],
                           capture_output=True)
    if probe.returncode:
        pytest.skip("strace cannot trace here")
    wrapper = world.base / "traced"
    # (leaks cannot be looked for in a program that is traced)
    wrapper.write_text(
        '#!/bin/sh\n'
        'export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"\n'
        'exec strace -f -o /dev/null %s -e inject=%s "%s" "$@"\n' % (
            " ".join('-P "%s"' % p for p in paths), inject, world.binary))
    wrapper.chmod(0o755)
    whole, world.binary = world.binary, str(wrapper)
    return whole


def test_a_disk_that_cannot_read_one_message(world):
    world.sync()
    bad = world.local.add("INBOX", message("bad"), "1.bad.host:2,S", "cur")
    world.local.add("INBOX", message("good"), "2.good.host:2,S", "cur")
    whole = strace(world, [bad], "read:error=EIO")
    for _ in range(2):
        done = world.sync(status=65)
        assert "1.bad.host" in done.err and "Input/output" in done.err
        assert set(flags_by_token(world)) == {"good"}
    world.binary = whole
    world.sync()
    assert set(flags_by_token(world)) == {"good", "bad"}
    world.assert_settled()


def test_a_flag_that_cannot_be_written_is_told_once(world):
    world.server.append("INBOX", message("a"))
    world.server.append("INBOX", message("b"))
    world.sync()
    uid = min(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["\\Flagged"])
    whole = strace(world, [world.root / "INBOX" / "cur"],
                   "renameat2:error=EIO")
    for _ in range(2):
        done = world.sync(status=65)
        line, = done.err.splitlines()
        assert "uid %d" % uid in line and "Input/output" in line
    world.binary = whole
    world.sync()
    world.assert_settled()


def test_what_cannot_go_to_the_bin_does_not_go_up(world):
    """Its mailbox was deleted there, and has new mail here."""
    world.server.create("Work")
    for token in ("old", "older"):
        world.server.append("Work", message(token), ["\\Seen"])
    world.sync()
    world.server.do("delete", "Work")
    world.local.add("Work", message("new"), "1.new.host")
    whole = strace(world, [world.root / "Work" / "cur"],
                   "renameat2:error=EPERM")
    for _ in range(2):
        done = world.sync(status=65)
        assert len(done.err.splitlines()) == 2 and "not permitted" in done.err
        assert "Work" not in world.server.mailboxes()
    world.binary = whole
    world.sync()
    assert set(flags_by_token(world, "Work")) == {"new"}
    assert len(world.local.files("Work")) == 1
    world.assert_settled()


@pytest.mark.parametrize("inject", ["syncfs:error=EIO",
                                    "fsync:error=EIO:when=2",
                                    "fsync:error=ENOSPC",
                                    "renameat2:error=EIO:when=1",
                                    "renameat2:error=EINVAL"])
def test_a_disk_that_fails_in_between(world, inject):
    world.sync()
    for n in range(5):
        world.server.append("INBOX", message("m%d" % n),
                            ["\\Seen"] if n % 2 else [])
    world.server.close()
    box = world.root / "INBOX"
    whole = strace(world, [box / "tmp", box / "cur", box / "new"], inject)
    done = world.sync(status=None)
    if "EINVAL" in inject:
        # a file system that knows no RENAME_NOREPLACE
        assert done.returncode == 0, done.err
    else:
        assert done.returncode in (65, 75), (done.returncode, done.err)
    for _, _, path in world.local.files("INBOX"):
        assert path.read_bytes().endswith(b"\n")
    world.binary = whole
    world.sync()
    assert len(world.local.files("INBOX")) == 5
    world.assert_settled()


def test_directories_that_cannot_be_fsynced(world):
    """9p and vboxsf know no fsync() of a directory, and say EINVAL."""
    world.server.create("gone")
    for box in "INBOX", "gone":
        world.server.append(box, message("old-%s" % box))
    world.sync()
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.server.create("more")
    world.server.append("more", message("n"))
    world.server.do("delete", "gone")
    world.local.add("INBOX", message("here"), "1.here.host")
    world.server.close()
    places = [world.root] + [
        world.root / box / sub for box in ("INBOX", "more", "gone")
        for sub in (".", "cur", "new", "tmp")]
    whole = strace(world, [os.path.normpath(p) for p in places],
                   "fsync:error=EINVAL")
    world.sync()
    world.binary = whole
    assert sorted(flags_by_token(world)) == [
        "here", "m0", "m1", "m2", "old-INBOX"]
    assert len(world.local.files("more")) == 1
    assert not (world.root / "gone").exists()
    world.assert_settled()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "xx_YY"])
def test_any_locale(world, locale):
    world.env = lambda env=world.env: {**env(), "LC_ALL": locale}
    world.local.add("B\u00fccher", message("a"), "1.\u00e4.host:2,S", "cur")
    world.sync()
    assert world.server.mailboxes() == ["B&APw-cher", "INBOX"]
    world.wire = lambda box: {"B\u00fccher": "B&APw-cher"}.get(box, box)
    world.wire_of_name = world.wire
    world.server.append("B&APw-cher", message("b"))
    world.sync()
    world.assert_settled()


# what a kill leaves of a copy between file systems


def ours(digit="0"):
    """As src/base/fs.c names what is not whole yet."""
    return ".tmp-%s-%s" % (socket.gethostname(), digit * 16)


THEIRS = [".tmp-elsewhere-" + "0" * 16, ".tmp-%s-x" % socket.gethostname(),
          ".tmp-", ".tmp-%s-%s.txt" % (socket.gethostname(), "0" * 16)]


def test_a_copy_that_was_cut_off_is_cleaned(world):
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    box = world.root / "INBOX"
    for sub in "cur", "new":
        for name in [ours("0"), ours("1"), *THEIRS]:
            (box / sub / name).write_text("not whole")
    world.sync()
    for sub in "cur", "new":
        assert sorted(n for n in os.listdir(box / sub)
                      if n[0] == ".") == sorted(THEIRS)
    # in one run, with nothing left for the next
    world.assert_idle()
    for sub in "cur", "new":
        for name in THEIRS:
            (box / sub / name).unlink()
    world.sync()
    world.assert_settled()


def other_file_system(world):
    """A directory that is on another one than the Maildir."""
    for top in "/dev/shm", "/tmp", "/var/tmp":
        if os.path.isdir(top) and os.stat(top).st_dev != \
                os.stat(world.base).st_dev:
            return tempfile.mkdtemp(prefix="mochila-", dir=top)
    pytest.skip("all is one file system here")


def test_a_bin_on_another_file_system(world):
    there = other_file_system(world)
    try:
        world.state = Path(there)
        world.write_config()
        for n in range(9):
            world.server.append("INBOX", message("m%d" % n))
        world.sync()
        world.server.expunge("INBOX", [2])
        run = world.summary()["run"]
        cur = world.state / "home" / "bin" / run / "INBOX" / "new"
        kept, = os.listdir(cur)
        # of a run that was cut off while it copied
        for name in [ours(), *THEIRS]:
            (cur / name).write_text("not whole")
        world.server.expunge("INBOX", [4])
        world.sync()
        assert sorted(os.listdir(cur)) == sorted([kept, *THEIRS])
        for name in THEIRS:
            (cur / name).unlink()
        (cur / ours()).write_text("not whole")
        world.run("undo", run)
        assert not cur.exists()
        assert len(world.local.files("INBOX")) == 8
        assert [n for n in os.listdir(world.root / "INBOX" / "new")
                if n.startswith(".")] == []
        world.sync()
        assert len(world.server.messages("INBOX")) == 8
        world.assert_settled()
    finally:
        shutil.rmtree(there)


# another layout in the configuration than the one that the journal knows


def moved_by_hand(w):
    """From nested to maildir++."""
    os.rename(w.root / "A" / "b", w.root / ".A.b")
    os.rename(w.root / "A", w.root / ".A")
    for sub in ("cur", "new", "tmp"):
        os.rename(w.root / "INBOX" / sub, w.root / sub)
    (w.root / "INBOX").rmdir()


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("back", [True, False])
def test_another_layout_than_the_journals(world, moved, back):
    for box in ("INBOX", "A", "A/b"):
        world.server.create(box)
        world.server.append(box, message(box))
    world.server.close()
    world.sync()
    before = world.local.snapshot()
    world.write_config(layout="maildir++")
    if moved:
        moved_by_hand(world)
        before = world.local.snapshot()
    for args in ([], ["--dry-run"], ["--allow-deletes", "home"]):
        done = world.sync(*args, status=78)
        assert len(done.err.splitlines()) == 1 and "layout" in done.err
    assert world.local.snapshot() == before
    there = world.server.everything()
    assert [len(there[box]) for box in ("INBOX", "A", "A/b")] == [1, 1, 1]
    world.server.close()
    if back and not moved:
        world.write_config(layout="nested")
        world.assert_settled()
        return
    # as it says
    shutil.rmtree(world.state / "home" / "journal")
    if not moved:
        moved_by_hand(world)
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["adopted"]) == (0, 0, 3)
    assert s["deleted_remote"] == s["deleted_local"] == 0
    world.assert_idle()


def test_what_could_not_be_cleaned_is_cleaned_later(world):
    """Of a run that was cut off: the next one cannot remove it."""
    world.server.append("INBOX", message("a"))
    world.sync()
    root = world.local.root / "INBOX"
    ours = root / (".tmp-%s-0123456789abcdef" % socket.gethostname())
    ours.mkdir()  # what is unlinked is a file
    world.server.append("INBOX", message("b"))
    world.sync()
    world.assert_settled()
    ours.rmdir()
    ours.write_bytes(b"half")
    world.sync()
    assert not ours.exists()
    world.assert_settled()
