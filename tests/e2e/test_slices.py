"""Much new mail on the server: it is looked at a part at a time, so that memory
stays bounded.  More than 10,000 messages of a mailbox make two slices."""

import os
import re
import signal
import subprocess
import time
from collections import Counter

import pytest

from world import digest, message

# one of them takes some ten seconds
pytestmark = pytest.mark.some(3)

SLICE = 10000
MANY = SLICE + 2500


def body(i):
    return message("s%d" % i, "text %d" % (i * 7919)).replace(b"\r\n", b"\n")


def fill(world, box, first, n):
    """N messages into the server's Maildir, in the order of their numbers."""
    top = world.server_process.maildir(world.user)
    cur = (top / ("." + box) if box != "INBOX" else top) / "cur"
    world.server.select("INBOX")
    if box != "INBOX":
        world.server.create(box)
    world.server.close()
    for i in range(first, first + n):
        data = body(i)
        path = cur / ("%d.M%dP1.test,S=%d,W=%d:2,%s" % (
            1600000000 + i, i, len(data), len(data) + data.count(b"\n"),
            "S" if i % 2 else ""))
        path.write_bytes(data)
        os.utime(path, (1600000000 + i,) * 2)


def local(world, box="INBOX"):
    return Counter(digest(path.read_bytes())
                   for _, _, path in world.local.files(box))


def wanted(*ranges):
    return Counter(digest(body(i)) for r in ranges for i in r)


def count(world, box="INBOX"):
    try:
        return sum(len(os.listdir(world.root / box / sub))
                   for sub in ("new", "cur"))
    except FileNotFoundError:
        return 0


def start(world, *args):
    world.server.close()
    with open(world.base / "out", "wb") as out:
        return world.start("sync", "--json", *args, stdout=out, stderr=subprocess.STDOUT)


def wait_for_files(world, n, process):
    end = time.monotonic() + 120
    while count(world) < n:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)


def finish(world, process):
    process.wait(300)
    out = (world.base / "out").read_text()
    assert process.returncode == 0, out[-2000:]


def test_all_of_it_comes_and_the_second_run_writes_nothing(world):
    n = 2 * SLICE + 1000
    fill(world, "INBOX", 0, n)
    done = world.summary("--trace", str(world.trace))
    assert done["pulled"] == n and done["copied"] == 0
    assert local(world) == wanted(range(n))
    rows = world.dump()
    assert len(rows) == len({r["uid"] for r in rows}) == n
    # never all of it at once
    assert not any(re.match(rb"UID FETCH 1:\*", c) for c in world.commands())
    assert sum(c.startswith(b"UID SEARCH") for c in world.commands()) == 1
    # what is asked first goes out together
    lines = world.trace.read_bytes().splitlines()
    at = next(i for i, line in enumerate(lines) if b" SELECT " in line)
    assert b"UID SEARCH" in lines[at + 1]
    assert b"UID FETCH %d:%d (UID FLAGS MODSEQ INTERNALDATE" % (
        n - SLICE + 1, n) in lines[at + 2]
    bodies = next(i for i, line in enumerate(lines) if b"BODY.PEEK" in line)
    assert not any(b" > " in line for line in lines[at + 3:bodies])
    world.assert_idle()


def test_after_a_kill_nothing_comes_twice(world):
    fill(world, "INBOX", 0, MANY)
    run = start(world)
    wait_for_files(world, SLICE + 200, run)
    run.kill()
    run.wait()
    rows = len(world.dump())
    assert rows >= SLICE - 600
    done = world.summary("--trace", str(world.trace))
    files = count(world)
    assert files == MANY and local(world) == wanted(range(MANY))
    # what had come in the batch that was cut off is adopted
    assert done["pulled"] + done["adopted"] + rows == MANY
    assert done["adopted"] <= 600
    # nor are the flags of all that is there listed again
    assert not any(re.match(rb"UID FETCH 1:\*", c) for c in world.commands())
    # some 400 octets come for each message, once more for those that have the
    # size of a file without a row, as here nearly all do
    assert done["bytes_in"] < 2 * 450 * (MANY - rows) + 20000
    world.assert_idle()


@pytest.mark.parametrize("killed", [False, True])
def test_what_others_change_meanwhile_arrives(world, killed):
    fill(world, "INBOX", 0, MANY)
    run = start(world)
    wait_for_files(world, SLICE + 800, run)
    run.send_signal(signal.SIGSTOP)
    # UIDs are in the order of the numbers; the newest have come
    world.server.store("INBOX", MANY - 1, "+FLAGS", ["\\Flagged", "work"])
    world.server.store("INBOX", 5, "+FLAGS", ["\\Answered"])
    world.server.expunge("INBOX", [MANY - 3, 7])
    world.server.append("INBOX", message("late"))
    world.server.close()
    run.send_signal(signal.SIGKILL if killed else signal.SIGCONT)
    if killed:
        run.wait()
        world.sync()
    else:
        finish(world, run)
    gone = {MANY - 4, 6}
    assert local(world) == wanted(set(range(MANY)) - gone) + Counter(
        [digest(message("late"))])
    world.assert_equal()
    world.assert_idle()


def test_much_new_mail_later(world):
    fill(world, "INBOX", 0, 40)
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    fill(world, "INBOX", 40, MANY)
    world.server.store("INBOX", uids[3], "+FLAGS", ["\\Flagged"])
    world.server.expunge("INBOX", [uids[4]])
    _, _, path = world.local.files("INBOX")[8]
    path.unlink()
    world.local.add("INBOX", message("from here"), "1.here.test")
    done = world.summary("--trace", str(world.trace))
    assert (done["pulled"], done["pushed"], done["deleted_local"],
            done["deleted_remote"]) == (MANY, 1, 1, 1)
    assert not any(re.match(rb"UID FETCH 1:\*", c) for c in world.commands())
    world.assert_equal()
    world.assert_idle()


def test_what_was_moved_there_is_moved_here(world):
    """More than a slice of it, and more than the brake would let go."""
    n = SLICE + 2000
    fill(world, "INBOX", 0, n)
    world.sync()
    world.server.create("archive")
    world.server.select("INBOX")
    world.server.do("uid", "MOVE", "11:*", "archive")
    done = world.summary()
    assert (done["moved"], done["pulled"], done["copied"],
            done["deleted_local"], done["held"]) == (n - 10, 0, 0, 0, 0)
    assert local(world, "archive") == wanted(range(10, n))
    assert local(world) == wanted(range(10))
    world.assert_idle()


def test_without_a_journal_files_are_adopted_and_others_go_up_last(world):
    fill(world, "INBOX", 0, MANY)
    world.server.close()
    here = list(range(0, 3000)) + list(range(MANY - 1000, MANY))
    for i in here:
        world.local.add("INBOX", body(i), "%d.here.test" % i)
    for i in range(MANY, MANY + 3):
        world.local.add("INBOX", body(i), "%d.here.test" % i)
    done = world.summary()
    assert (done["adopted"], done["pulled"], done["pushed"]) == (
        len(here), MANY - len(here), 3)
    world.assert_equal()
    world.assert_idle()


def test_many_mailboxes_share_what_a_pass_looks_at(world):
    for k, box in enumerate(("a", "b", "c")):
        fill(world, box, k * 9000, 9000)
    done = world.summary()
    assert done["pulled"] == 27000
    for k, box in enumerate(("a", "b", "c")):
        assert local(world, box) == wanted(range(k * 9000, (k + 1) * 9000))
    world.assert_idle()


def peak(world):
    """Of a first sync, in KiB."""
    run = start(world)
    most = 0
    while run.poll() is None:
        try:
            with open("/proc/%d/status" % run.pid) as f:
                text = f.read()
        except OSError:
            break
        found = re.search(r"VmHWM:\s*(\d+)", text)
        most = int(found.group(1)) if found else most
        time.sleep(0.01)
    finish(world, run)
    return most


@pytest.mark.some(1)  # is skipped where the others are run
def test_memory_does_not_grow_with_the_mailbox(world):
    if os.environ.get("ASAN_OPTIONS") is not None or b"__asan_init" in open(
            world.binary, "rb").read():
        pytest.skip("sanitizers need memory of their own")
    fill(world, "INBOX", 0, 60000)
    fill(world, "half", 60000, 30000)
    world.write_config(mailboxes=["half"])
    half = peak(world)
    world.write_config(mailboxes=["INBOX"])
    whole = peak(world)
    assert count(world) == 60000
    assert whole - half < 12 << 10, (half, whole)
