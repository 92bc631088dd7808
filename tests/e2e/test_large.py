"""A directory that changed is held against the rows: what is as they say costs
next to nothing, and what is odd beside it is seen all the same."""

import os
import re
import shutil
import time

import pytest

from world import message


@pytest.fixture
def settled(world):
    for i in range(12):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    return world


def paths(world):
    return [path for _, _, path in world.local.files("INBOX")]


def cur(world, name):
    return world.root / "INBOX" / "cur" / name


def base(path):
    return path.name.split(":2,")[0]


def flags_there(world):
    return sorted(sorted(m["flags"]) for m in
                  world.server.messages("INBOX", bodies=False).values())


def test_a_copy_under_the_same_base_is_another_message(settled):
    path = paths(settled)[3]
    shutil.copyfile(path, cur(settled, base(path) + ":2,FS"))
    settled.sync()
    assert len(paths(settled)) == 13
    assert ["\\Flagged", "\\Seen"] in flags_there(settled)
    settled.assert_settled()


def test_a_file_in_new_and_cur_at_once_is_one_message(settled):
    """As a reader leaves it that is killed between link() and unlink()."""
    path = paths(settled)[3]
    new = settled.root / "INBOX" / "new" / base(path)
    os.rename(path, new)
    settled.sync()
    os.link(new, cur(settled, base(path) + ":2,S"))
    settled.sync()
    assert len(settled.server.messages("INBOX", bodies=False)) == 12
    assert ["\\Seen"] in flags_there(settled)
    os.unlink(new)
    settled.sync()
    settled.assert_settled()


def test_a_name_that_is_no_file_any_more_is_gone(settled):
    path = paths(settled)[3]
    path.unlink()
    path.mkdir()
    settled.sync()
    assert len(settled.server.messages("INBOX", bodies=False)) == 11
    path.rmdir()
    settled.sync()
    settled.assert_settled()


def test_a_new_base_is_the_same_message(settled):
    path = paths(settled)[3]
    path.rename(cur(settled, "another.name.host:2,R"))
    uids = set(settled.server.messages("INBOX", bodies=False))
    settled.sync()
    assert set(settled.server.messages("INBOX", bodies=False)) == uids
    assert ["\\Answered"] in flags_there(settled)
    settled.assert_settled()


def test_letters_that_get_another_meaning_are_other_flags(settled):
    """Only the table of letters says so: no name changes."""
    box = settled.root / "INBOX"
    (box / "dovecot-keywords").write_text("0 work\n")
    for path in paths(settled)[:2]:
        path.rename(cur(settled, base(path) + ":2,a"))
    settled.sync()
    assert flags_there(settled).count(["work"]) == 2
    (box / "dovecot-keywords").write_text("0 play\n")
    settled.local.add("INBOX", message("more"), "1.more.host")
    settled.sync()
    assert flags_there(settled).count(["play"]) == 2
    assert flags_there(settled).count(["work"]) == 0
    settled.assert_settled()


def test_changes_of_both_sides_to_different_messages(settled):
    here, gone = paths(settled)[:2]
    here.rename(cur(settled, base(here) + ":2,S"))
    gone.unlink()
    uids = sorted(settled.server.messages("INBOX", bodies=False))
    settled.server.store("INBOX", uids[7], "+FLAGS", ["\\Flagged"])
    settled.server.expunge("INBOX", [uids[8]])
    settled.server.append("INBOX", message("new there"))
    settled.local.add("INBOX", message("new here"), "1.here.host")
    settled.sync()
    assert len(paths(settled)) == 12
    assert len(settled.server.messages("INBOX", bodies=False)) == 12
    settled.assert_settled()


def fill_both(world, first, last):
    """Messages FIRST to LAST there, as links to one file; synced."""
    there = world.server_process.maildir(world.user)
    world.server.select("INBOX")
    one = there / "tmp" / ("one-%d" % first)
    one.write_bytes(message("one").replace(b"\r\n", b"\n"))
    owner = there.stat()
    os.chown(one, owner.st_uid, owner.st_gid)
    for i in range(first, last):
        os.link(one, there / "new" / ("%d.link" % i))
    one.unlink()
    world.sync()
    assert len(paths(world)) == last


def peak(world):
    """High-water mark of memory of one run, in octets."""
    world.server.close()
    child = world.start("sync")
    kib = 0
    while child.poll() is None:
        try:
            with open("/proc/%d/status" % child.pid) as status:
                found = re.search(r"VmHWM:\s+(\d+)", status.read())
        except OSError:
            found = None
        kib = int(found.group(1)) if found else kib
        time.sleep(0.0005)
    assert child.returncode == 0
    return 1024 * kib


def test_memory_follows_the_change_not_the_mailbox(world):
    with open(world.binary, "rb") as binary:
        sanitized = b"__asan_init" in binary.read()
    if sanitized:
        pytest.skip("the sanitizer has its own memory")
    peaks = []
    few, many = 2000, 22000
    for first, last in (0, few), (few, many):
        fill_both(world, first, last)
        path = paths(world)[7]
        path.rename(cur(world, base(path) + ":2,%s" % "SF"[len(peaks)]))
        peaks.append(peak(world))
        world.assert_idle()
    assert peaks[1] - peaks[0] < 400 * (many - few), peaks
