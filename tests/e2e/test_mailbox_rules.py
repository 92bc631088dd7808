"""Mailboxes under rules: directions, brake, special uses, refused names."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "crash"))

import faultat  # noqa: E402
from faultat import Fault  # noqa: E402
from relay import Line  # noqa: E402
from servers import Dovecot  # noqa: E402
from test_mailboxes import (  # noqa: E402
    fill, ids, rename_there, settle, sync_moves_nothing)
from test_races import meddle  # noqa: E402, F401 (a fixture)
from world import CHANGING, World, message  # noqa: E402


@pytest.fixture(scope="session")
def dotted(scratch):
    """Delimiter ".", everything below "INBOX."; special uses."""
    server = Dovecot(scratch / "dotted", extra="""
namespace inbox {
  separator = .
  prefix = INBOX.
  mailbox Everything {
    special_use = \\All
  }
  mailbox Starred {
    special_use = \\Flagged
  }
  mailbox Sent {
    special_use = \\Sent
  }
}
""")
    yield server
    server.stop()


@pytest.fixture
def dotted_world(scratch, dotted, binary, request):
    w = World(scratch / ("d-" + request.node.name), dotted,
              "d" + str(abs(hash(request.node.name)) % 10 ** 8), binary)
    yield w
    w.server.close()


# one way


def test_pull_follows_a_rename_here_without_a_word(world):
    fill(world, "a", 3)
    settle(world)
    before = ids(world)
    world.write_config(direction="pull")
    os.rename(world.root / "a", world.root / "b")
    world.server.append("a", message("later"))
    world.server.close()
    done = world.sync("--trace", str(world.trace))
    assert done.err == ""
    assert not [c for c in world.commands() if CHANGING.match(c)]
    assert world.server.mailboxes() == ["INBOX", "a"]
    assert world.local.mailboxes() == ["INBOX", "b"]
    assert len(world.local.files("b")) == 4
    assert ids(world) == before
    world.assert_idle()


def test_pull_leaves_the_mailboxes_of_the_server_alone(world):
    for box in ("a", "b"):
        fill(world, box, 3)
    settle(world)
    world.write_config(direction="pull")
    (world.root / "b").rename(world.base / "out")
    world.local.add("mine", message("mine"), "1.mine.host")
    done = world.sync()
    assert done.err == ""
    assert world.server.mailboxes() == ["INBOX", "a", "b"]
    assert world.local.mailboxes() == ["INBOX", "a", "mine"]
    rename_there(world, "a", "c")
    world.sync()
    assert world.local.mailboxes() == ["INBOX", "c", "mine"]


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_a_rename_that_a_direction_left_out_is_made_afterwards(
        world, direction):
    w = world
    fill(w, "a", 3)
    settle(w)
    before = ids(w)
    w.write_config(direction=direction)
    w.sync()
    if direction == "pull":
        os.rename(w.root / "a", w.root / "b")
    else:
        rename_there(w, "a", "b")
    w.sync()
    w.assert_idle()
    w.write_config(direction=None)
    told = w.sync("--dry-run").out
    assert "(case 11%d" % (3 if direction == "pull" else 4) in told
    # of other mailboxes: nothing is renamed, and nothing forgotten
    w.sync("home:INBOX")
    sync_moves_nothing(w)
    assert w.server.mailboxes() == w.local.mailboxes() == ["INBOX", "b"]
    assert ids(w) == {"INBOX": before["INBOX"], "b": before["a"]}
    w.assert_settled()


def test_keep_leaves_a_mailbox_that_was_deleted_there(world):
    fill(world, "a", 3)
    fill(world, "b", 30)
    settle(world)
    world.write_config(deletes="keep")
    world.server.do("delete", "a")
    world.server.close()
    for _ in range(2):
        done = world.sync()
        assert done.err == ""
        assert world.local.mailboxes() == ["INBOX", "a", "b"]
        assert len(world.local.files("a")) == 3
        assert world.server.mailboxes() == ["INBOX", "b"]
        world.server.close()


@pytest.mark.parametrize("moved", [False, True])
def test_a_deleted_mailbox_whose_file_has_another_name(world, moved):
    fill(world, "a", 1)
    settle(world)
    world.server.select("a")
    if moved:
        world.server.do("uid", "MOVE", "1", "INBOX")
    world.server.do("delete", "a")
    world.server.close()
    path = world.local.files("a")[0][2]
    path.rename(path.parent / "another-name.host:2,S")
    told = world.sync("--dry-run").out
    world.server.close()
    s = world.summary()
    assert s["mailboxes_deleted"] == 1 and s["mailboxes_created"] == 0
    assert "(case 105" in told and "(case 103" not in told
    assert world.server.mailboxes() == world.local.mailboxes() == ["INBOX"]
    assert len(world.local.files("INBOX")) == moved
    world.assert_settled()


# the brake


@pytest.mark.parametrize("here", [False, True])
def test_a_large_mailbox_stays_while_its_deletes_are_held(world, here):
    fill(world, "big", 120, size=0)
    fill(world, "other", 200, size=0)
    settle(world)
    if here:
        (world.root / "big").rename(world.base / "out")
    else:
        world.server.do("delete", "big")
        world.server.close()
    for _ in range(2):
        s = world.summary(status=3)
        assert s["held"] == 120
        assert s["mailboxes_deleted"] == 0
        assert ("big" in world.server.mailboxes()) == here
        assert ("big" in world.local.mailboxes()) != here
        world.server.close()
    s = world.summary("--allow-deletes")
    assert s["mailboxes_deleted"] == 1
    world.assert_settled()


# parents


def test_containers_become_directories_and_the_other_way(world):
    world.server.create("p/q")
    world.server.append("p/q", message("q"))
    world.sync()
    assert world.local.mailboxes() == ["INBOX", "p/q"]
    # a mailbox that is deleted while it has children
    fill(world, "p", 2)
    settle(world)
    world.server.do("delete", "p")
    world.server.close()
    world.sync()
    assert world.local.mailboxes() == ["INBOX", "p/q"]
    world.assert_settled()


def test_a_parent_deleted_here_keeps_its_children_there(world):
    fill(world, "p", 2)
    fill(world, "p/q", 2)
    settle(world)
    for sub in ("cur", "new", "tmp"):
        for name in os.listdir(world.root / "p" / sub):
            (world.root / "p" / sub / name).unlink()
        (world.root / "p" / sub).rmdir()
    for name in os.listdir(world.root / "p"):
        if name != "q":
            (world.root / "p" / name).unlink()
    world.sync()
    assert world.server.mailboxes() == ["INBOX", "p/q"]
    world.assert_settled()


# trouble with single ones


def test_a_mailbox_that_vanishes_after_list(world, meddle):  # noqa: F811
    for box in ("a", "b"):
        fill(world, box, 3)
    settle(world)
    for box in ("a", "b"):
        world.server.append(box, message("more " + box))
    meddle(b"SELECT \"a\"", lambda: world.server.do("delete", "a"),
           status=65)
    assert len(world.local.files("b")) == 4
    assert len(world.local.files("a")) == 3
    world.sync()
    assert world.local.mailboxes() == ["INBOX", "b"]
    world.assert_settled()


def test_a_name_that_the_server_refuses(world):
    world.sync()
    for box in ("good", "v1.2"):
        world.local.add(box, message(box), "1.x.host")
    done = world.sync(status=65)
    assert "v1.2" in done.err
    assert world.server.mailboxes() == ["INBOX", "good"]
    # and one that becomes refused: nothing happens to it
    os.rename(world.root / "good", world.root / "v3.4")
    done = world.sync(status=65)
    assert "v3.4" in done.err or "good" in done.err
    assert len(world.server.messages("good")) == 1
    world.server.close()
    assert len(os.listdir(world.root / "v3.4" / "new")) == 1
    os.rename(world.root / "v3.4", world.root / "better")
    os.rename(world.root / "v1.2", world.root / "v1")
    world.sync()
    world.assert_settled()


def test_names_that_differ_in_case(world):
    fill(world, "a", 2)
    fill(world, "A", 3)
    world.sync()
    assert world.local.mailboxes() == ["A", "INBOX", "a"]
    rename_there(world, "a", "Aa")
    os.rename(world.root / "A", world.root / "aA")
    world.sync()
    assert sorted(world.server.mailboxes()) == ["Aa", "INBOX", "aA"]
    world.assert_settled()


@pytest.mark.parametrize("name", ["new", "cur"])
def test_a_directory_renamed_to_a_part_of_a_maildir_is_no_deletion(
        world, name):
    for box in "a", "a/b":
        fill(world, box, 2)
    settle(world)
    os.rename(world.root / "a", world.root / name)
    for _ in range(2):
        done = world.sync(status=65)
        for path in name, name + "/b":
            assert path + ": this directory is no possible" in done.err
        assert world.server.mailboxes() == ["INBOX", "a", "a/b"]
        assert len(world.server.messages("a")) == 2
        assert len(world.server.messages("a/b")) == 2
        world.server.close()
    os.rename(world.root / name, world.root / "n")
    world.sync()
    assert world.server.mailboxes() == ["INBOX", "n", "n/b"]
    world.assert_settled()


def test_inbox_is_never_renamed(world):
    """Dovecot refuses to; here it looks like an INBOX that was lost."""
    for i in range(3):
        world.server.append("INBOX", message("m%d" % i))
    settle(world)
    os.rename(world.root / "INBOX", world.root / "old")
    s = world.summary("--trace", str(world.trace), status=3)
    assert s["held"] == 3 and s["mailboxes_renamed"] == 0
    assert not [c for c in world.commands() if c.startswith(b"RENAME")]
    assert len(world.server.messages("INBOX")) == 3
    assert len(world.server.messages("old")) == 3
    world.server.close()
    world.sync("--allow-deletes")
    assert world.local.mailboxes() == ["INBOX", "old"]
    assert world.local.files("INBOX") == []
    assert len(world.local.files("old")) == 3
    world.assert_settled()


# a server that was put back from a backup


@pytest.mark.parametrize("how", [
    "uidnext", "modseq", "one mailbox", "cut", "pull"])
def test_a_restored_server_lacks_what_is_younger(world, how):
    """It is no deletion of a mailbox; what is only here goes up again."""
    fill(world, "a", 2)
    settle(world)
    there, kept = world.server_process.maildir(world.user), world.base / "kept"
    subprocess.run(["cp", "-a", there, kept], check=True)
    if how == "modseq":
        world.server.store("a", 1, "+FLAGS", ["\\Seen"])
    else:
        world.server.append("a", message("late"))
    fill(world, "young", 3)
    settle(world)
    before = sorted(p.read_bytes() for p in world.root.rglob("young/*/*"))
    assert len(before) == 3
    shutil.rmtree(there)
    subprocess.run(["cp", "-a", kept, there], check=True)
    if how == "one mailbox":
        world.sync("home:a")
    elif how == "cut":
        line = Line(world.server.port, lose=("CREATE", 1))
        world.write_config(port=line.port)
        world.sync(status=69)
        line.wait()
        line.close()
        assert line.hit
        world.write_config(port=world.server.port)
    elif how == "pull":
        world.write_config(direction="pull")
    world.sync()
    assert sorted(p.read_bytes()
                  for p in world.root.rglob("young/*/*")) == before
    assert not list(world.state.rglob("bin/*/*"))
    if how == "pull":
        assert "young" not in world.server.mailboxes()
        world.server.close()
        world.assert_idle()
        return
    assert len(world.server.messages("young")) == 3
    world.server.close()
    world.sync()
    world.assert_settled()


# mail that comes while its mailbox goes, deleted there


def tokens(world, box):
    found = {m["body"].split(b"\r\n")[2].decode().split()[-1]
             for m in world.server.messages(box).values()}
    world.server.close()
    return found


def late(world, sub):
    """What is delivered; by nobody who makes directories."""
    path = world.root / "a" / sub / (
        "1.late.host" + (":2,S" if sub == "cur" else ""))
    path.write_bytes(message("late"))


def delete_there(world):
    fill(world, "a", 3)
    settle(world)
    world.server.do("delete", "a")
    world.server.close()


def start(world, mode, at):
    """A run with MODE at the AT-th directory of the mailbox that goes."""
    if not shutil.which("cc"):
        pytest.skip("no compiler")
    env = {**world.env(), **Fault(mode, at, "unlinkat", "/a/").env(
        faultat.build(world.base)),
        # (the library comes before that of the sanitizer)
        "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    return subprocess.Popen([world.binary, "-c", str(world.config), "sync"],
                            env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def test_mail_that_comes_during_the_run(world, meddle):  # noqa: F811
    delete_there(world)
    world.server.append("INBOX", message("more"))
    meddle(b"BODY.PEEK[]", lambda: late(world, "new"))
    assert tokens(world, "a") == {"late"}
    world.assert_settled()


@pytest.mark.parametrize("at, sub", [(1, "new"), (2, "new"), (3, "cur")])
def test_mail_that_comes_at_the_last_moment(world, at, sub):
    delete_there(world)
    run = start(world, "stop", at)
    _, status = os.waitpid(run.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    late(world, sub)
    run.send_signal(signal.SIGCONT)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0, out
    assert tokens(world, "a") == {"late"}
    assert (world.root / "a" / "tmp").is_dir()
    world.assert_settled()


@pytest.mark.parametrize("mode, at", [("kill", 2), ("kill", 3),
                                      ("killafter", 3)])
def test_mail_that_comes_when_a_kill_left_half_a_mailbox(world, mode, at):
    delete_there(world)
    run = start(world, mode, at)
    run.communicate(timeout=60)
    assert run.returncode == -signal.SIGKILL
    left = [s for s in ("new", "cur") if (world.root / "a" / s).exists()]
    if left:
        late(world, left[0])
        world.sync()
        assert tokens(world, "a") == {"late"}
        assert (world.root / "a" / "tmp").is_dir()
    else:
        world.sync()
        assert world.local.mailboxes() == world.server.mailboxes()
    world.assert_settled()


@pytest.mark.parametrize("gone", [["cur"], ["tmp", "new"]])
def test_new_mail_in_half_an_empty_mailbox(world, gone):
    world.server.create("a")
    settle(world)
    world.server.do("delete", "a")
    world.server.close()
    for sub in gone:
        (world.root / "a" / sub).rmdir()
    late(world, "cur" if "new" in gone else "new")
    world.sync("--dry-run")
    world.sync()
    assert tokens(world, "a") == {"late"}
    assert (world.root / "a" / "tmp").is_dir()
    world.assert_settled()


@pytest.mark.parametrize("mail", [False, True])
@pytest.mark.parametrize("sub", ["cur", "new"])
def test_a_new_mailbox_that_is_half_made(world, sub, mail):
    """By hand, or by a mail reader; the deletes elsewhere need not wait."""
    for token in "xy":
        world.server.append("INBOX", message(token))
    world.sync()
    (world.root / "a" / sub).mkdir(parents=True)
    if mail:
        late(world, sub)
    world.local.files("INBOX")[0][2].unlink()
    world.sync()
    assert tokens(world, "a") == ({"late"} if mail else set())
    assert len(world.server.messages("INBOX")) == 1
    world.assert_settled()


# subscriptions


def subscribed(w):
    # \Noselect: only what is below it is
    lines = [re.sub(rb'.* "?([^"]+)"?$', rb"\1", line).decode()
             for line in w.server.do("lsub")
             if line and b"\\Noselect" not in line]
    w.server.close()
    return sorted(lines)


def test_subscriptions(world):
    for box in ("yes", "yes/child", "no", "no/child"):
        world.server.create(box)
        if box.startswith("yes"):
            world.server.do("subscribe", box)
    world.server.close()
    world.local.add("made", message("x"), "1.x.host")
    world.sync()
    assert subscribed(world) == ["made", "yes", "yes/child"]
    os.rename(world.root / "yes", world.root / "yea")
    os.rename(world.root / "no", world.root / "nay")
    world.sync()
    assert subscribed(world) == ["made", "yea", "yea/child"]
    (world.root / "made").rename(world.base / "out")
    world.sync()
    assert subscribed(world) == ["yea", "yea/child"]
    world.assert_settled()


def test_subscriptions_after_a_kill_between_the_commands(world):
    """The mailboxes have their names on both sides; the subscriptions, which a
    run was about to move, and the journal have the old ones."""
    for box in ("yes", "yes/child", "no"):
        world.server.create(box)
        if box.startswith("yes"):
            world.server.do("subscribe", box)
    settle(world)
    for old, new in (("yes", "yea"), ("no", "nay")):
        world.server.do("rename", old, new)
        os.rename(world.root / old, world.root / new)
    world.server.close()
    world.sync()
    assert subscribed(world) == ["yea", "yea/child"]
    world.assert_settled()


def test_subscriptions_go_with_mailboxes_that_swap(any_world):
    """Each has a place aside meanwhile, and so have those below it."""
    world = any_world

    def wires(*boxes):
        return sorted(world.wire(box) for box in boxes)

    for box in wires("a", "a/x", "a/y", "b", "b/x", "b/y"):
        fill(world, box, 1, token=box[-3:].replace("/", "-"))
    for box in wires("a", "a/x", "b/x"):
        world.server.do("subscribe", box)
    settle(world)
    for old, new in (("a", "z"), ("b", "a"), ("z", "b")):
        os.rename(world.root / old, world.root / new)
    world.sync()
    assert sorted(set(subscribed(world)) - {"INBOX"}) == wires(
        "b", "b/x", "a/x")
    world.assert_settled()


def test_a_mailbox_that_is_not_deleted_stays_subscribed(any_world):
    """Cyrus does not delete what has others below it; it is made again."""
    world = any_world
    for box in ("p", "p/q"):
        fill(world, world.wire(box), 1, token=box[-1])
        world.server.do("subscribe", world.wire(box))
    settle(world)
    for sub in ("cur", "new", "tmp"):
        shutil.rmtree(world.root / "p" / sub)
    world.sync("--allow-deletes")
    wire = world.wire("p")
    assert (wire in subscribed(world)) == (wire in world.server.mailboxes())


# another delimiter and prefix; special uses


def test_a_delimiter_that_changes_changes_nothing(world, dotted):
    for box in ("a", "a/b", "c"):
        fill(world, box, 5)
    settle(world)
    before = ids(world)
    world.server.close()
    there = dotted.maildir(world.user)
    os.system("mkdir -p %s && cp -a %s/. %s" % (
        there, world.server_process.maildir(world.user), there))
    os.system("chmod -R a+rwX %s" % there.parent)
    world.write_config(port=dotted.port)
    s = world.summary()
    assert s["pulled"] == s["pushed"] == s["failed"] == 0
    assert s["mailboxes_created"] == s["mailboxes_renamed"] == 0
    assert ids(world) == before
    world.assert_idle()


def test_special_uses(dotted_world):
    w = dotted_world
    for box in ("Everything", "Starred", "Sent"):
        w.server.create("INBOX." + box)
        w.server.append("INBOX." + box, message(box))
    w.server.close()
    w.sync()
    assert w.local.mailboxes() == ["INBOX", "Sent"]
    w.write_config(mailboxes=["*", "Starred"])
    w.sync()
    assert w.local.mailboxes() == ["INBOX", "Sent", "Starred"]


def test_renames_below_a_prefix(dotted_world):
    w = dotted_world
    fill(w, "INBOX.a", 3)
    fill(w, "INBOX.b", 3)
    settle(w)
    for old, new in (("a", "z"), ("b", "a"), ("z", "b")):
        os.rename(w.root / old, w.root / new)
    s = w.summary()
    assert s["mailboxes_renamed"] == 2 and s["failed"] == 0
    assert w.server.mailboxes() == ["INBOX", "INBOX.a", "INBOX.b"]
    assert {m["body"].split(b"\r\n")[2] for m in w.server.messages(
        "INBOX.a").values()} == {
            b"Subject: message INBOX.b-%d" % i for i in range(3)}
    w.server.close()
    w.assert_idle()


@pytest.mark.parametrize("settings", [{"max_size": 5000},
                                      {"direction": "pull"}])
@pytest.mark.parametrize("before", [True, False])
def test_what_is_only_here_stays_when_its_mailbox_goes(
        world, settings, before):
    world.write_config(**settings)
    world.server.create("Work")
    for n in range(2):
        world.server.append("Work", message("both-%d" % n))
    world.sync()
    if not before:
        world.server.do("delete", "Work")
    only = world.local.add("Work", message("only here", size=20000), "1.h.x")
    if before:
        world.sync()
        world.server.do("delete", "Work")
    world.server.close()
    world.sync()
    assert [p.name for _, _, p in world.local.files("Work")] == [only.name]
    assert ("Work" in world.server.mailboxes()) == ("max_size" in settings)
    world.server.close()
    world.assert_idle()
    assert [p.name for _, _, p in world.local.files("Work")] == [only.name]
