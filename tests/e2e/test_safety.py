"""What must not go wrong: adoption, the brake, refusals, locks."""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import time

import pytest

from world import message


def fill(world, boxes, each):
    for b in range(boxes):
        name = "box%d" % b if b else "INBOX"
        if b:
            world.server.create(name)
        for n in range(each):
            world.server.append(name, message("%s-%d" % (name, n)),
                                ["\\Seen"] if n % 2 else [])


def lose_journal(world):
    shutil.rmtree(world.state / "home" / "journal")


def test_lost_journal_ends_in_pairs(world):
    fill(world, 3, 20)
    world.sync()
    lose_journal(world)
    before = world.local.snapshot()
    s = world.summary()
    assert (s["adopted"], s["pulled"], s["pushed"], s["deleted_local"],
            s["deleted_remote"]) == (60, 0, 0, 0, 0)
    assert world.local.snapshot() == before
    world.assert_settled()


def test_first_sync_with_both_sides_full(world):
    fill(world, 2, 10)
    for box in ("INBOX", "box1"):
        for uid, m in world.server.messages(box).items():
            if uid % 3:
                world.local.add(box, m["body"].replace(b"\r\n", b"\n"),
                                "%d.%s.host" % (uid, box))
    world.local.add("INBOX", message("only here"), "99.x.host")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (6, 1)
    world.assert_settled()


def test_same_header_and_size_but_another_body_is_another_message(world):
    head = ("From: a@b.c\r\nSubject: s\r\nMessage-ID: <same@b.c>\r\n"
            "Date: Mon, 23 Nov 2026 08:45:59 +0000\r\n\r\n").encode()
    when = 1700000000
    for big in (b"", b"x" * 5000 + b"\r\n"):
        box = "big" if big else "INBOX"
        if big:
            world.server.create(box)
        world.server.append(box, head + b"AAAA\r\n" + big, when=when)
        world.local.add(box, (head + b"BBBB\r\n" + big).replace(
            b"\r\n", b"\n"), "1.x.host", when=when)
    world.sync()
    for box in ("INBOX", "big"):
        bodies = [m["body"] for m in world.server.messages(box).values()]
        assert len(bodies) == 2
        assert any(b"AAAA" in b for b in bodies)
        assert any(b"BBBB" in b for b in bodies)
    world.assert_settled()


def test_equal_messages_stay_as_many_as_they_are(world):
    for _ in range(3):
        world.server.append("INBOX", message("twin"))
    world.sync()
    assert len(world.local.files("INBOX")) == 3
    lose_journal(world)
    world.sync()
    assert len(world.local.files("INBOX")) == 3
    world.assert_settled()
    os.unlink(world.local.files("INBOX")[1][2])
    world.sync()
    assert len(world.server.messages("INBOX")) == 2
    world.assert_settled()


def test_emptied_maildir_deletes_nothing(world):
    fill(world, 3, 15)
    world.sync()
    kept = world.server.everything()
    shutil.rmtree(world.root)
    world.root.mkdir()
    done = world.sync(status=3)
    assert world.server.everything() == kept
    assert os.listdir(world.root) == []
    # whoever is told two ways out is told which is which
    assert "45 deletes on the server held back" in done.err and done.err.endswith(
        "to fetch everything again, remove the account's journal "
        "'%s/home/journal'; if the deletes are meant, run mochila -c %s sync "
        "--allow-deletes home\n" % (world.state, world.config))
    world.server.close()


def test_unmounted_maildir_deletes_nothing(world):
    fill(world, 2, 5)
    world.sync()
    kept = world.server.everything()
    os.rename(world.root, world.base / "unmounted")
    for args in [], ["--allow-deletes"], ["--allow-deletes", "home"]:
        done = world.sync(*args, status=3)
        assert str(world.root) in done.err and "mkdir" in done.err
        assert not world.root.exists()
        assert world.server.everything() == kept
    os.rename(world.base / "unmounted", world.root)
    world.assert_settled()


def test_an_empty_maildir_is_meant_only_by_name(world):
    """A disk that is not mounted looks so, and one account has a name too."""
    fill(world, 2, 5)
    world.sync()
    kept = world.server.everything()
    shutil.rmtree(world.root)
    world.root.mkdir()
    done = world.sync("--allow-deletes", status=3)
    assert "'%s'" % world.root in done.err
    assert "'%s/home/journal'" % world.state in done.err
    assert world.server.everything() == kept
    world.sync("--allow-deletes", "home")
    assert all(not m for m in world.server.everything().values())
    world.assert_settled()


@pytest.mark.parametrize("sub", ["cur", "new"])
def test_no_delete_comes_of_half_a_mailbox(world, sub):
    """Whatever is allowed: nobody deletes messages like that."""
    fill(world, 2, 10)
    world.sync()
    kept = world.server.everything()
    half = world.root / "INBOX" / sub
    os.rename(half, world.base / "half")
    for args in ((), ("--allow-deletes",)):
        done = world.sync(*args, status=3)
        assert "lacks cur/ or new/" in done.err
        assert world.server.everything() == kept
        assert not half.exists()
    os.rename(world.base / "half", half)
    world.sync()
    world.assert_settled()


def test_emptied_directories_are_held_back(world):
    fill(world, 3, 15)
    world.sync()
    kept = world.server.everything()
    for box in world.local.mailboxes():
        for _, _, path in world.local.files(box):
            path.unlink()
    for n in range(3):
        done = world.sync(status=3)
        assert "held back" in done.err and "--allow-deletes" in done.err
        # noted once
        assert n == 0 or world.txnid() == txn
        txn = world.txnid()
    assert world.server.everything() == kept
    world.sync("--allow-deletes")
    assert all(not m for m in world.server.everything().values())
    world.assert_settled()


def test_mass_delete_on_the_server_is_held_back_and_the_rest_goes_on(world):
    fill(world, 1, 130)
    world.server.create("other")
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    world.server.expunge("INBOX", uids[:110])
    world.server.append("INBOX", message("fresh"))
    world.server.append("other", message("too"))
    done = world.sync(status=3)
    assert "110" in done.err
    assert len(world.local.files("INBOX")) == 131
    assert len(world.local.files("other")) == 1
    world.sync(status=3)
    world.sync("--allow-deletes")
    assert len(world.local.files("INBOX")) == 21
    world.assert_settled()


def test_a_small_folder_may_be_emptied(world):
    fill(world, 2, 12)
    for n in range(30):
        world.server.append("INBOX", message("more%d" % n))
    world.sync()
    for _, _, path in world.local.files("box1"):
        path.unlink()
    world.sync()
    assert world.server.messages("box1") == {}
    world.assert_settled()


def test_missing_cur_holds_the_mailbox(world):
    fill(world, 2, 8)
    world.sync()
    for _, _, path in world.local.files("box1"):
        os.rename(path, world.root / "box1" / "cur" / path.name)
    world.sync()
    kept = world.server.messages("box1", bodies=False)
    os.rename(world.root / "box1" / "cur", world.base / "cur")
    world.server.append("INBOX", message("goes on"))
    world.sync(status=3)
    world.sync(status=3)
    assert world.server.messages("box1", bodies=False) == kept
    assert len(world.local.files("INBOX")) == 9
    os.rename(world.base / "cur", world.root / "box1" / "cur")
    world.sync()
    world.assert_settled()


def test_uidvalidity_change_pairs_by_content(world, dovecot):
    fill(world, 2, 10)
    world.sync()
    dovecot.doveadm("mailbox", "update", "-u", world.user,
                    "--uid-validity", "4242", "box1")
    world.server.append("box1", message("fresh"))
    _, _, path = world.local.files("box1")[0]
    os.rename(path, str(path).split(":2,")[0].replace("/new/", "/cur/")
              + ":2,F")
    s = world.summary("--trace", str(world.trace))
    assert (s["pulled"], s["pushed"], s["deleted_local"],
            s["deleted_remote"]) == (1, 0, 0, 0)
    world.assert_settled()


def test_modseq_that_went_back_deletes_nothing(world, dovecot):
    fill(world, 1, 10)
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    for uid in uids:
        world.server.store("INBOX", uid, "+FLAGS", ["\\Answered"])
    world.sync()
    world.server.close()
    for name in os.listdir(dovecot.maildir(world.user)):
        if name.startswith("dovecot.index"):
            os.unlink(dovecot.maildir(world.user) / name)
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Flagged"])
    world.sync()
    assert len(world.local.files("INBOX")) == 10
    world.assert_settled()


def test_refused_message_is_reported_kept_and_waits(world):
    world.sync()
    world.local.add("INBOX", b"Subject: nul\n\na\0b\n", "1.nul.host")
    world.local.add("INBOX", b"", "2.empty.host")
    world.local.add("INBOX", message("fine"), "3.fine.host")
    done = world.sync(status=65)
    assert "nul" in done.err.lower() or "NUL" in done.err
    assert len(world.server.messages("INBOX")) == 1
    assert len(world.local.files("INBOX")) == 3
    txn = world.txnid()
    world.sync("--trace", str(world.trace), status=65)
    assert not [c for c in world.commands() if c.startswith(b"APPEND")]
    assert world.txnid() == txn
    for _, _, path in world.local.files("INBOX"):
        if "fine" not in path.name:
            path.unlink()
    world.sync()
    world.assert_settled()


def test_second_run_at_once_is_told_so(world):
    world.sync()
    lock = open(world.state / "home" / "lock", "r+")
    fcntl.fcntl(lock, fcntl.F_SETLK, struct.pack(
        "hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    done = world.sync(status=75)
    assert str(os.getpid()) in done.err
    lock.close()
    world.sync()


def test_damaged_journal_is_refused_untouched(world):
    fill(world, 1, 5)
    world.sync()
    data = world.state / "home" / "journal" / "data.mdb"
    good = data.read_bytes()
    for bad in (good[:5000], b"\0" * len(good), b"garbage"):
        data.write_bytes(bad)
        before = world.local.snapshot()
        done = world.sync(status=78)
        assert "journal" in done.err and "remove" in done.err
        assert data.read_bytes() == bad
        assert world.local.snapshot() == before
    data.write_bytes(good)
    world.assert_settled()


def test_sigterm_ends_a_run_at_once(world):
    fill(world, 1, 3)
    for n in range(20):
        world.server.append("INBOX", message("big%d" % n, size=1_500_000))
    p = world.start("sync", stderr=subprocess.PIPE)
    time.sleep(0.05)
    p.send_signal(signal.SIGTERM)
    start = time.monotonic()
    p.communicate(timeout=20)
    assert time.monotonic() - start < 5
    world.sync()
    world.assert_settled()


def test_kill_in_the_middle_ends_in_pairs(world):
    fill(world, 1, 150)
    for delay in (0.01, 0.02, 0.04, 0.08):
        p = world.start("sync", "-q", stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
    world.sync()
    assert len(world.local.files("INBOX")) == 150
    world.assert_settled()


def test_flag_changes_on_both_sides_of_one_message_merge(world):
    world.server.append("INBOX", message("a"), ["\\Seen", "\\Flagged"])
    world.sync()
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["\\Answered"])
    world.server.store("INBOX", uid, "-FLAGS", ["\\Flagged"])
    _, _, path = world.local.files("INBOX")[0]
    os.rename(path, str(path).replace(":2,FS", ":2,DF"))
    world.sync()
    assert world.server.messages("INBOX")[uid]["flags"] == {
        "\\Answered", "\\Draft"}
    world.assert_settled()


def test_a_delete_beats_a_flag_change(world):
    for token in "abcd":
        world.server.append("INBOX", message(token))
    world.sync()
    rows = {r["uid"]: r["file"] for r in world.dump()}
    uids = sorted(rows)
    os.unlink(world.root / rows[uids[0]])
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Flagged"])
    path = world.root / rows[uids[1]]
    os.rename(path, world.root / "INBOX" / "cur" / (path.name + ":2,S"))
    world.server.expunge("INBOX", [uids[1]])
    world.sync()
    assert sorted(world.server.messages("INBOX", bodies=False)) == uids[2:]
    world.assert_settled()


def put_back(world):
    """The Maildir as it was when the backup was made."""
    shutil.rmtree(world.root)
    shutil.copytree(world.base / "backup", world.root, symlinks=True)


@pytest.mark.parametrize("box", ["INBOX", "box1"])
def test_a_maildir_from_a_backup_deletes_nothing(world, box):
    fill(world, 3, 10)
    world.sync()
    shutil.copytree(world.root, world.base / "backup", symlinks=True)
    world.server.append(box, message("younger"))
    world.server.create("younger")
    world.server.append("younger", message("y"))
    world.sync()
    everything = world.server.everything()
    put_back(world)
    for _ in range(2):
        done = world.sync(status=3)
        assert "not the one of the last run" in done.err
        assert world.server.everything() == everything
        # what comes meanwhile does come, and hides nothing
        world.server.append("box2", message("m%d" % _))
        everything = world.server.everything()
    world.sync(status=3)
    world.assert_idle(status=3, says=True)
    lose_journal(world)
    world.sync()
    assert {b: {u: m["body"] for u, m in v.items()}
            for b, v in world.server.everything().items()} == {
        b: {u: m["body"] for u, m in v.items()} for b, v in everything.items()}
    world.assert_settled()


def test_a_maildir_from_a_backup_may_be_meant(world):
    fill(world, 1, 10)
    world.sync()
    shutil.copytree(world.root, world.base / "backup", symlinks=True)
    world.server.append("INBOX", message("younger"))
    world.sync()
    put_back(world)
    world.sync(status=3)
    world.sync("--allow-deletes")
    assert len(world.server.messages("INBOX")) == 10
    world.assert_settled()
    # and now it is the directory that it is
    world.local.files("INBOX")[0][2].unlink()
    world.sync()
    assert len(world.server.messages("INBOX")) == 9
    world.assert_settled()


def test_a_maildir_on_a_new_disk_goes_on(world):
    fill(world, 2, 10)
    world.sync()
    shutil.copytree(world.root, world.base / "backup", symlinks=True)
    put_back(world)
    world.sync()
    world.assert_idle()
    world.local.files("box1")[0][2].unlink()
    world.sync()
    assert len(world.server.messages("box1")) == 9
    world.assert_settled()


def test_a_maildir_that_was_copied_with_its_journal_goes_on(world):
    """Then its inodes say nothing, and what was deleted was deleted."""
    fill(world, 2, 10)
    world.sync()
    world.local.files("box1")[0][2].unlink()
    for path in world.root, world.state:
        copy = path.parent / "copy"
        shutil.copytree(path, copy, symlinks=True)
        shutil.rmtree(path)
        copy.rename(path)
    world.sync()
    assert len(world.server.messages("box1")) == 9
    world.assert_settled()
