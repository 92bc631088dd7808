"""What a run says of itself: whose failure it was, counts, the exit status."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from world import lf, message

TOP = Path(__file__).resolve().parents[2]


def test_the_brake_knows_what_this_run_has_fetched(scripted):
    """In a first sync, which takes long, somebody deletes a few messages."""
    world = scripted()
    uids = [world.server.append("INBOX", message("m%d" % i))
            for i in range(60)]
    world.local.add("INBOX", message("here"), "1.here.host")

    def meanwhile(session, tag, words):
        world.server.expunge("INBOX", uids[:25])

    world.script.answer = {b"APPEND": meanwhile}
    done = world.summary()
    assert (done["pulled"], done["deleted_local"], done["held"]) == (60, 25, 0)
    world.assert_settled()


def test_a_journal_that_goes_bad_during_the_run(scripted):
    """The next pass cannot read which messages wait."""
    world = scripted(max_size="1K")
    world.server.append("INBOX", message("large", size=5000))
    world.sync()
    world.local.add("INBOX", message("here"), "1.here.host")
    data = world.state / "home" / "journal" / "data.mdb"

    def damage(session, tag, words):
        held = b"\0" * 7 + b"\1R" + b"\0" * 3 + b"\1"
        octets = data.read_bytes()
        assert held + b"\2" in octets
        with open(data, "r+b") as f:  # in place: it is mapped
            f.write(octets.replace(held + b"\2", held + b"\x7f"))

    world.script.answer = {b"APPEND": damage}
    done = world.sync(status=78)
    assert "damaged" in done.err and len(done.err.splitlines()) == 1


def renumber(world):
    def act(session, tag, words):
        if words[0] == b"INBOX":
            world.server.renumber("INBOX")
    return act


def refuse(world):
    def act(session, tag, words):
        if words[0] == b"INBOX":
            session.line(tag + b" NO [UNAVAILABLE] later")
            return True
        return False
    return act


@pytest.mark.parametrize("how, said", [
    (refuse, "later"), (renumber, "UIDVALIDITY changed during the run")])
def test_what_a_move_comes_from_fails(scripted, how, said):
    """It is named, and the mailbox that the move goes to is synced."""
    world = scripted()
    world.server.create("Work")
    world.fill(5)
    world.server.append("Work", message("old"))
    world.sync()
    path = world.file_of("m1")
    path.rename(world.root / "Work" / "new" / path.name.split(":")[0])
    world.file_of("old", "Work").unlink()
    world.local.add("Work", message("here"), "1.here.host")
    world.server.append("Work", message("there"))
    world.script.answer = {b"SELECT": how(world)}
    done = world.sync(status=65)
    assert "home: INBOX: " in done.err and said in done.err
    assert "Work" not in done.err
    for side in world.tokens("Work"):
        assert {"here", "there"} <= set(side) and "old" not in side
    world.assert_recovers()
    assert world.tokens("Work")[0] == ["here", "m1", "there"]
    assert {"m0", "m2", "m3", "m4"} <= set(world.tokens()[0])


def test_a_dry_run_counts_nothing(world):
    world.server.append("INBOX", message("m"))
    for box in ("a", "b", "old"):
        world.server.create(box)
        world.server.append(box, message(box))
    world.local.add("c", message("here"), "1.here.host")

    def counts():
        """What is planned, and what is counted."""
        events = [json.loads(line) for line in world.sync(
            "--dry-run", "--json").out.splitlines()]
        return {e["op"] for e in events[:-1]}, {
            events[-1][key] for key in (
                "pulled", "pushed", "mailboxes_created", "mailboxes_deleted",
                "mailboxes_renamed")}

    ops, numbers = counts()
    assert ops >= {"create here", "create on server", "pull"}
    assert numbers == {0}
    world.sync()
    world.server.do("rename", "old", "new")
    ops, numbers = counts()
    assert "rename here" in ops and numbers == {0}


def said(world, *args):
    """What a run does with mailboxes and messages, and where."""
    return sorted(
        (e["op"], e["mailbox"]) for e in map(json.loads, world.sync(
            "--json", *args).out.splitlines()) if "op" in e)


def test_a_dry_run_tells_of_mailboxes_that_go(world):
    for box in "a", "b", "c", "d":
        world.server.create(box)
        if box in "bd":
            world.server.append(box, message(box))
    for n in range(3):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    for box in "a", "b":
        shutil.rmtree(world.root / box)
    world.server.expunge("d", [1])
    for box in "c", "d":
        world.server.do("delete", box)
    dry = said(world, "--dry-run")
    assert [what for what in dry if what[1] in "ac"] == [
        ("delete here", "c"), ("delete on server", "a")]
    assert said(world) == dry
    world.assert_settled()


@pytest.mark.parametrize("there", [False, True])
def test_a_dry_run_of_mailboxes_that_were_rotated(world, there):
    """The new one has the name that the old one has until it is renamed."""
    world.server.create("Sent")
    world.server.append("Sent", message("sent"))
    world.server.append("INBOX", message("m"))
    world.sync()
    if there:
        world.server.do("rename", "Sent", "Old")
        world.server.create("Sent")
    else:
        (world.root / "Sent").rename(world.root / "Old")
        world.local.make("Sent")
    dry = said(world, "--dry-run")
    assert dry == said(world)
    assert {box for _, box in dry} == {"Old", "Sent"}
    world.assert_settled()


def test_the_manual_names_what_a_program_is_told(world):
    """Events, their members and their steps."""
    manual = (TOP / "doc" / "mochila.1").read_text()
    told = re.search(r"^\.Sh EVENTS\n(.*?)^\.Sh ", manual, re.M | re.S)[1]
    variables = set(" ".join(re.findall(r"^\.Va (.*)", told, re.M))
                    .replace(",", " ").split())
    words = set(re.findall(r"D[qo] (\w+)", told))

    for box in "Work", "Old", "Gone":
        world.server.create(box)
        world.server.append(box, message("one of " + box))
    for n in range(5):
        world.server.append("INBOX", message("m%d" % n))
    world.sync()
    world.write_config(max_size="1K", max_deletes=0)
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    world.local.add("INBOX", message("bad\0"), "2.bad.host")
    world.server.append("INBOX", message("large", size=5000))
    world.server.store("INBOX", 1, "+FLAGS", ["\\Seen"])
    world.server.expunge("Gone", [1])
    path, = [p for _, _, p in world.local.files("Work")]
    path.rename(world.root / "INBOX" / "cur" / (path.name + ":2,F"))
    (world.root / "Old").rename(world.root / "Named")
    world.local.make("Made")
    for _, _, path in world.local.files("INBOX")[2:5]:
        path.unlink()
    events = []
    for args in ["--dry-run"], [], ["--allow-deletes"]:
        done = world.sync("--json", *args, status=None)
        events += map(json.loads, done.out.splitlines())

    assert {e["event"] for e in events} == {
        "op", "plan", "progress", "held", "failed", "summary"}
    for event in events:
        assert event["event"] in words
        assert set(event) <= variables, set(event) - variables
        assert event.get("op", "pull").split()[0] in words
    assert {"from", "from_uid", "run", "deletes"} <= set().union(*events)


def test_a_mailbox_that_is_refused_was_not_made(scripted):
    world = scripted()
    world.local.add("Work", message("here"), "1.here.host")
    world.script.answer = {b"CREATE": b"NO [CANNOT] not that name"}
    done = world.sync("-v", status=65)
    assert "not that name" in done.err and "on server" not in done.out
    world.script.answer = {}
    assert "create on server Work" in world.sync("-v").out


def test_a_mailbox_that_does_not_come_back_was_not_made(scripted):
    """It was deleted there, and has new mail here."""
    world = scripted()
    world.server.create("Work")
    world.fill(5)
    world.server.append("Work", message("old"))
    world.sync()
    del world.server.held.boxes["Work"]
    world.local.add("Work", message("here"), "1.here.host")
    world.script.answer = {b"CREATE": b"NO [CANNOT] not that name"}
    done = world.sync("-v", status=65)
    assert "not that name" in done.err and "create" not in done.out


def test_a_message_that_ends_the_connection_waits(scripted):
    world = scripted()
    world.fill(1)
    uid = world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    box, = [json.loads(line) for line in
            world.run("status", "--json").out.splitlines()]
    assert box["pending"] == len(box["waiting"]) == 1
    done = world.sync("--dry-run", status=65)
    assert done.err.count("\n") == 1 and "1 message waits" in done.err
    x = json.loads(world.run("explain", "home:INBOX:%d" % uid, "--json").out)
    assert x["hold"]["kind"] == "suspect"
    assert [(s["op"], s["case"]) for s in x["next"]] == [("wait", 14)]
    assert world.summary()["pulled"] == 1
    world.assert_settled()


def test_what_waited_for_a_message_that_ended_the_connection(scripted):
    """Nobody knows yet whether the new file here is the very message that
    ended the connection, nor, so, whether it came out of Work, where one of
    its size is gone.  Once the message was fetched, both are known."""
    world = scripted()
    world.server.create("Work")
    gone = world.server.append("Work", message("old"))
    world.sync()
    world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    shutil.rmtree(world.root / "Work")
    done = world.sync("-v", "--allow-deletes")
    assert ["delete on server Work uid %d" % gone in done.out,
            "push INBOX" in done.out, "pull INBOX" in done.out,
            "Work" in world.server.mailboxes()] == [True, True, True, False]
    world.assert_settled()


@pytest.mark.parametrize("deletes", ["sync", "keep"])
def test_its_mailbox_is_deleted_and_has_new_mail(scripted, deletes):
    """It is not known yet whether it was moved, before that: until then its
    file is none that goes up with the new one."""
    world = scripted(deletes=deletes)
    world.server.create("Work")
    world.fill(5)
    world.server.append("Work", message("bad"))
    world.sync()
    del world.server.held.boxes["Work"]
    world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    world.local.add("Work", lf(message("newer")), "1.new.host")
    world.sync()
    assert [b"message newer" in m["body"] for m in
            world.server.messages("Work").values()] == [True]
    world.assert_settled()


def test_a_message_that_ended_the_connection_is_found_here(scripted):
    """A file like it is put into another mailbox: it is copied, and then it
    waits no more."""
    world = scripted()
    world.server.create("Work")
    world.sync()
    world.server.append("Work", message("bad"))
    world.hang_up_at_bodies()
    world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    assert "copy here Work uid 1" in world.sync("-v").out
    world.assert_settled()


@pytest.mark.parametrize("closed", ["<&- >&-", "<&- >&- 2>&-"])
def test_without_standard_streams(world, closed):
    """No file of ours takes their place; that nothing can be told is an
    error."""
    world.server.append("INBOX", message("a"))
    world.sync()
    world.server.append("INBOX", message("b"))
    world.server.close()
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" sync -v ' + closed, "sh",
         world.binary, str(world.config)], env=world.env(),
        capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (74, b"")
    if "2>&-" not in closed:
        assert b"standard output" in done.stderr
    assert "0 findings" in world.run("journal", "verify", "home").out
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("many", [1, 800])
def test_a_reader_that_has_seen_enough(world, many):
    """As head(1): it is no news to it that the rest is not written."""
    world.sync()
    for i in range(many):
        world.local.make("box%04d-%s" % (i, "x" * 60))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [world.binary, "-c", str(world.config), "status"], stdout=write,
        stderr=subprocess.PIPE, env=world.env())
    os.close(write)
    assert (done.returncode, done.stderr) == (74, b"")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [world.binary, "-c", str(world.config), "status"], stdout=full,
            stderr=subprocess.PIPE, env=world.env())
    assert (done.returncode, done.stderr) == (
        74, b"mochila: cannot write to standard output\n")


def test_lines_for_the_systemd_journal_have_a_priority(world):
    """Where JOURNAL_STREAM names our standard error, and nowhere else."""
    world.write_config(port=1)
    with open(world.base / "stream", "w+") as stream:
        st = os.fstat(stream.fileno())
        said = []
        for inode in st.st_ino, st.st_ino + 1:
            stream.seek(0), stream.truncate()
            subprocess.run(
                [world.binary, "-c", str(world.config), "sync", "-q"],
                stderr=stream, env={
                    **world.env(),
                    "JOURNAL_STREAM": "%d:%d" % (st.st_dev, inode)})
            stream.seek(0)
            said.append(stream.read())
    assert said[0] == "<3>" + said[1]
    assert said[1].startswith("mochila: home: cannot connect")


def test_nothing_to_tell_needs_no_standard_streams(world):
    world.server.append("INBOX", message("a"))
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" sync <&- >&- 2>&-', "sh",
         world.binary, str(world.config)], env=world.env(),
        capture_output=True, timeout=300, check=False)
    assert done.returncode == 0
    world.assert_settled()


@pytest.mark.parametrize("new", [False, True])
def test_a_mailbox_with_what_is_too_large_comes_back(world, new):
    """It was deleted here; what is there, and never came, is not deleted."""
    world.write_config(max_size="1K")
    world.server.create("Work")
    world.server.append("Work", message("small"))
    if not new:
        world.server.append("Work", message("large", size=5000))
    for i in range(5):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    shutil.rmtree(world.root / "Work")
    if new:
        world.server.append("Work", message("large", size=5000))
    done = world.sync("-v")
    assert "create here Work (case 102: what is too large" in done.out
    left, = world.server.messages("Work").values()
    assert b"message large" in left["body"]
    assert world.local.files("Work") == []
    world.assert_idle()
    world.write_config(max_size=None)
    world.sync()
    world.assert_settled()


def test_what_left_such_a_mailbox_waits_for_the_run_that_looks(world):
    """The mailbox that it may be in is left out: it does not come back as the
    rest is deleted there."""
    world.write_config(max_size="1K")
    for box in "Work", "old":
        world.server.create(box)
    world.server.append("Work", message("moved", size=300))
    world.server.append("Work", message("gone", size=30))
    world.server.append("Work", message("large", size=5000))
    world.sync()
    moved, = [p for _, _, p in world.local.files("Work")
              if b"message moved" in p.read_bytes()]
    moved.rename(world.root / "old" / "cur" / "moved:2,")
    shutil.rmtree(world.root / "Work")
    s = world.summary("home:Work")
    assert s["deleted_remote"] == 1 and s["pulled"] == 0
    assert len(world.server.messages("Work")) == 2
    s = world.summary()
    assert s["moved"] == 1 and s["copied"] == s["pulled"] == 0
    assert len(world.server.messages("Work")) == 1
    world.assert_idle()
    world.write_config(max_size=None)
    world.sync()
    world.assert_settled()
