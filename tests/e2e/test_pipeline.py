"""Many mailboxes at once: what is asked of one goes out before another has
answered, and what goes wrong with one stays with it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "crash"))

import faultat  # noqa: E402
from faultat import Fault  # noqa: E402
from personas import Persona  # noqa: E402
from scripted import Hangup  # noqa: E402
from world import FUSE, message  # noqa: E402


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS LIST-STATUS"


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


TIERS = [Persona, Condstore, Bare]
BOXES = ["INBOX", "a", "b", "c", "d"]


def filled(scripted, kind=Persona, n=3):
    """Mailboxes with N messages each, on the server alone."""
    world = scripted(kind)
    for box in BOXES:
        if box != "INBOX":
            world.server.create(box)
        for i in range(n):
            world.server.append(box, message("%s-%d" % (box, i)))
    return world


def change_all(world):
    for box in BOXES:
        uids = sorted(world.server.messages(box))
        world.server.flag(box, uids[0], ["\\Flagged"])
        world.server.expunge(box, [uids[1]])
        world.server.append(box, message("%s-new" % box))


def at(box, act, times=1):
    """For server.answer: ACT when BOX is selected, for the first TIMES."""
    left = [times]

    def answer(session, tag, words):
        if words[0].decode() != box or left[0] == 0:
            return False
        left[0] -= 1
        return act(session, tag)
    return answer


def refuse(session, tag):
    session.box = None
    session.line(tag + b" NO [UNAVAILABLE] later")
    return True


def end(session, tag):
    session.line("* BYE overloaded")
    raise Hangup


def only(world, box):
    """What is here of the others, and what is not of BOX."""
    for name in BOXES:
        there, here = world.tokens(name)
        if name == box:
            assert here != there
        else:
            assert here == there


def only_b_is_refused_until_well(world):
    done = world.sync(status=65)
    assert "b:" in done.err and "UNAVAILABLE" in done.err
    only(world, "b")
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
def test_one_mailbox_is_refused_amid_the_others(scripted, kind):
    world = filled(scripted, kind)
    world.script.answer = {b"SELECT": at("b", refuse, 9)}
    only_b_is_refused_until_well(world)


@pytest.mark.parametrize("kind", TIERS)
def test_a_refused_mailbox_keeps_its_cursor(scripted, kind):
    world = filled(scripted, kind)
    world.sync()
    change_all(world)
    world.script.answer = {b"SELECT": at("b", refuse, 9)}
    world.sync(status=65)
    assert "b-new" not in world.tokens("b")[1]
    assert "c-new" in world.tokens("c")[1]
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("first", [True, False])
def test_the_server_goes_away_amid_the_questions(scripted, kind, first):
    world = filled(scripted, kind)
    if not first:
        world.sync()
        change_all(world)
    world.script.answer = {b"SELECT": at("c", end)}
    done = world.sync(status=69)
    assert "overloaded" in done.err
    assert world.script.changing == []
    world.assert_recovers()


@pytest.mark.parametrize("what", [b"QRESYNC", b"CONDSTORE"])
def test_parameters_that_the_server_does_not_know(scripted, what):
    world = filled(scripted, Persona if what == b"QRESYNC" else Condstore)
    world.sync()
    change_all(world)
    asked = []

    def answer(session, tag, words):
        asked.append(words[1:])
        if len(words) > 1 and words[1][0] == what:
            session.box = None
            session.line(tag + b" BAD what is that?")
            return True
        return False

    world.script.answer = {b"SELECT": answer}
    world.sync()
    assert asked[0][0][0] == what
    # those under way with the first, and it once more; then never again
    last = max(i for i, a in enumerate(asked) if a and a[0][0] == what)
    assert last <= len(BOXES) and len(asked) > len(BOXES)
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("first", [True, False])
def test_new_mail_after_the_listing(scripted, kind, first):
    world = filled(scripted, kind)
    if not first:
        world.sync()
        change_all(world)

    def arrive(session, tag):
        world.server.append("b", message("late"))
        return False

    world.script.answer = {b"SELECT": at("b", arrive)}
    world.sync()
    world.assert_recovers()
    assert "late" in world.tokens("b")[1]


@pytest.mark.parametrize("kind", TIERS)
def test_mail_goes_between_select_and_fetch(scripted, kind):
    world = filled(scripted, kind)
    world.sync()
    change_all(world)
    seen = []

    def go(session, tag, words):
        if session.box.name == "b" and not seen:
            seen.append(1)
            uids = sorted(session.box.mail)
            world.server.expunge("b", [uids[-1]])
            world.server.flag("b", uids[0], ["\\Answered"], ["\\Flagged"])
        return False

    world.script.answer = {b"UID FETCH": go}
    world.sync()
    world.assert_recovers()
    assert seen


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("said", [b"NO [UNAVAILABLE] later", b"BAD what?"])
def test_a_fetch_refused_once_is_asked_again(scripted, kind, said):
    world = filled(scripted, kind)
    world.script.answer = {b"UID FETCH": [said] * len(BOXES)}
    world.sync()
    world.assert_recovers()


@pytest.mark.parametrize("said", [None, b"NO later", b"BAD what?"])
@pytest.mark.parametrize("word", [b"UID SEARCH", b"UID FETCH"])
def test_first_questions_to_a_mailbox_that_is_said_to_be_large(
        scripted, said, word):
    """Then its UIDs are asked for, and sizes of the last ones."""
    world = filled(scripted, Bare)

    def rewrite(session, line):
        return [re.sub(rb"(STATUS .*MESSAGES) 3 (.*UIDNEXT) 4",
                       rb"\1 20000 \2 20001", line)]

    world.script.rewrite = rewrite
    if said:
        world.script.answer = {word: [said] * 2}
    world.sync()
    assert sum(b"UID SEARCH" in c for c in world.script.commands) >= 1
    assert any(b"UID FETCH 10001:20000" in c for c in world.script.commands)
    world.assert_recovers()


def test_a_mailbox_gets_another_generation_after_the_listing(scripted):
    world = filled(scripted)
    world.sync()
    change_all(world)

    def renumber(session, tag):
        world.server.renumber("b")
        return False

    world.script.answer = {b"SELECT": at("b", renumber)}
    world.sync(status=None)
    world.assert_recovers()


# when bodies are fetched: each mailbox is opened once more

def second(act):
    """ACT when a mailbox is selected for the second time."""
    seen = set()

    def answer(session, tag):
        if not seen:
            seen.add(1)
            return False
        return act(session, tag)
    return answer


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("first", [True, False])
def test_refused_when_its_bodies_are_fetched(scripted, kind, first):
    world = filled(scripted, kind)
    if not first:
        world.sync()
        change_all(world)
    world.script.answer = {b"SELECT": at("b", second(refuse), 9)}
    only_b_is_refused_until_well(world)


@pytest.mark.parametrize("kind", TIERS)
def test_another_generation_when_its_bodies_are_fetched(scripted, kind):
    world = filled(scripted, kind)
    world.sync()
    change_all(world)
    world.local.add("b", message("here"), "1.here.host")
    world.file_of("c-2", "c").unlink()

    def renumber(session, tag):
        # a UID that was to be fetched is another message now
        for u in sorted(world.server.messages("b"))[:1]:
            world.server.expunge("b", [u])
        world.server.append("b", message("other"))
        world.server.renumber("b")
        return False

    world.script.answer = {b"SELECT": at("b", second(renumber), 2)}
    # with CONDSTORE alone it is opened again for a SEARCH, and then given up
    world.sync(status=65 if kind is Condstore else 0)
    world.assert_recovers()
    there, here = world.tokens("b")
    # what was deleted there under the old numbers is paired by content
    assert set(there) == set(here) >= {"other", "here", "b-new", "b-2"}


@pytest.mark.parametrize("kind", TIERS)
def test_the_server_goes_away_amid_the_bodies(scripted, kind):
    world = filled(scripted, kind)
    world.script.answer = {b"SELECT": at("c", second(end), 2)}
    done = world.sync(status=69)
    assert "overloaded" in done.err
    # what had come has a row, and does not come again
    assert len(world.dump()) == 9
    world.script.well()
    world.script.commands.clear()
    world.sync()
    bodies = [c for c in world.script.commands if b"BODY.PEEK[]" in c]
    assert len(bodies) == 2
    world.assert_settled()


def test_the_message_that_ends_the_connection_is_that_of_its_mailbox(
        scripted):
    world = filled(scripted)
    poison = b"c-1"

    def rewrite(session, line):
        if b"BODY[]" in line and poison in line:
            raise Hangup
        return [line]

    world.script.rewrite = rewrite
    world.sync(status=69)
    done = world.sync(status=69)
    assert "c, uid 2" in done.err or "c:" in done.err, done.err
    # all but that one message
    assert [world.tokens(box)[1] for box in BOXES] == [
        ["%s-%d" % (box, i) for i in range(3) if (box, i) != ("c", 1)]
        for box in BOXES]
    world.assert_recovers()


def test_refused_in_company_and_asked_for_alone(scripted):
    world = filled(scripted)

    def broken(session, tag, words):
        if any(b"BODY.PEEK[]" in w for w in words[1]) and \
                session.box.name in ("a", "c") and \
                (b":" in words[0] or b"," in words[0] or words[0] == b"2"):
            session.line(tag + b" NO [SERVERBUG] broken")
            return True
        return False

    world.script.answer = {b"UID FETCH": broken}
    done = world.sync(status=65)
    assert done.err.count("broken") == 2, done.err
    for box in BOXES:
        there, here = world.tokens(box)
        assert set(there) - set(here) == (
            {box + "-1"} if box in "ac" else set())
    assert world.local.litter() == []


def test_one_mailbox_that_cannot_be_written_here(scripted):
    world = filled(scripted, n=2)
    world.sync()
    change_all(world)
    tmp = world.root / "b" / "tmp"
    tmp.rmdir()
    tmp.write_text("in the way")
    done = world.sync(status=65)
    assert "b" in done.err
    for box in BOXES:
        assert ("%s-new" % box in world.tokens(box)[1]) == (box != "b")
    tmp.unlink()
    world.sync()
    world.assert_settled()


def test_round_trips_do_not_grow_with_the_mailboxes(scripted):
    costs = []
    for n in (2, 14):
        world = scripted()
        for i in range(n):
            world.server.create("box%d" % i)
            world.server.append("box%d" % i, message("m%d" % i, "x" * i))
        first = world.summary()["round_trips"]
        for i in range(n):
            world.server.flag("box%d" % i, 1, ["\\Flagged"])
            world.server.append("box%d" % i, message("n%d" % i, "y" * (200 + i)))
        costs.append((first, world.summary()["round_trips"]))
        world.assert_settled()
    assert costs[0] == costs[1]


# more than one part of a batch: the disk works while mail comes

def many(scripted, n=700):
    world = scripted()
    for box in BOXES[1:3]:
        world.server.create(box)
    for i in range(n):
        world.server.append(BOXES[i % 3], message("m%d" % i, "x" * i))
    return world


def traced(world, options):
    """mochila as a script that runs it in strace(1) with OPTIONS."""
    if not shutil.which("strace") or subprocess.run(
            ["strace", "-o", "/dev/null", "true"]).returncode:
        pytest.skip("strace cannot trace here")
    script = world.base / "traced"
    script.write_text(
        "#!/bin/sh\nexport ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0"
        ":verify_asan_link_order=0\"\n"
        "exec strace -f -qq %s '%s' \"$@\"\n" % (options, world.binary))
    script.chmod(0o755)
    return str(script)


def fault_env(world, *fault):
    if not shutil.which("cc"):
        pytest.skip("no compiler")
    return Fault(*fault).env(faultat.build(world.base))


def sync_with(world, *fault):
    # (the library comes before that of the sanitizer)
    env = {**world.env(), **fault_env(world, *fault),
           "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    return subprocess.run([world.binary, "-c", str(world.config), "sync"],
                          env=env, capture_output=True, timeout=60)


def assert_alike(world, *boxes):
    for box in boxes:
        there, here = world.tokens(box)
        assert there == here


def test_the_disk_is_waited_for_while_mail_comes(scripted):
    world = many(scripted)
    calls, whole = world.base / "calls", world.binary
    world.binary = traced(
        world, "-o '%s' -e trace=syncfs,renameat2,mkdirat" % calls)
    world.sync()
    world.binary = whole
    lines = [line.split(None, 1) for line in calls.read_text().splitlines()
             if "resumed" not in line]
    main = next(tid for tid, call in lines if call.startswith("mkdirat"))
    syncs = [i for i, (_, call) in enumerate(lines)
             if call.startswith("syncfs")]
    # three parts: the disk works on each while the next one comes, on the
    # octets of one and the names of the one before at once; the last names
    # are in one mailbox
    assert [lines[i][0] != main for i in syncs] == [True] * 3
    # no message has its name before
    named = [i for i, (_, call) in enumerate(lines)
             if re.match(r'renameat2\(\d+, "mochila-', call)]
    assert len(named) == 700 and named[0] > syncs[0]
    world.assert_settled()


def test_the_disk_fails_one_mailbox_where_syncfs_does_nothing(scripted):
    """Each file is fsynced then (statfs says FUSE), and one cannot be."""
    world = many(scripted)
    whole = world.binary
    fault = fault_env(
        world, "errno-from:EIO", 1, "fsync", "/%s/tmp/" % BOXES[1])
    world.binary = traced(
        world, "-o /dev/null -e trace=fstatfs -e %s %s"
        % (FUSE, " ".join("-E '%s=%s'" % x for x in fault.items())))
    done = world.sync(status=65)
    assert "Input/output error" in done.err
    world.binary = whole
    assert not world.local.files(BOXES[1])
    assert_alike(world, BOXES[0], BOXES[2])
    world.sync()
    assert_alike(world, BOXES[1])
    world.assert_settled()


def test_what_comes_while_the_disk_fails_is_in_doubt(scripted):
    """The system tells of an error once, and not of what: also of octets that
    it wrote for the part that was still being filled."""
    world = scripted()
    world.server.create("a")
    for n in range(256):  # a part of a batch
        world.server.append("INBOX", message("i%d" % n))
    for n in range(9):
        world.server.append("a", message("a%d" % n))
    done = sync_with(world, "errno:EIO", 1, "syncfs")
    assert done.returncode == 65 and b"Input/output" in done.stderr
    assert not world.local.files("INBOX") and not world.local.files("a")
    world.sync()
    assert_alike(world, "INBOX", "a")
    world.assert_settled()


def test_a_file_that_cannot_be_closed_is_not_whole(scripted):
    """As where octets go over a network only then."""
    world = many(scripted, 12)
    done = sync_with(
        world, "errno:EIO", 2, "close", "/%s/tmp/mochila-" % BOXES[1])
    assert done.returncode == 65 and b"Input/output" in done.stderr
    assert not world.local.files(BOXES[1])
    assert_alike(world, BOXES[0], BOXES[2])
    world.sync()
    assert_alike(world, BOXES[1])
    world.assert_settled()


@pytest.mark.some(4)
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("how", ["errno:EIO", "errno:ENOSPC", "kill",
                                 "killafter"])
def test_the_disk_fails_while_mail_comes(scripted, how, at):
    world = many(scripted)
    done = sync_with(world, how, at, "syncfs")
    assert done.returncode in ((-9,) if "kill" in how else (65, 75)), (
        done.returncode, done.stderr)
    files = {f for box in BOXES[:3] for f, _, _ in world.local.files(box)}
    assert {row["file"].split("/", 1)[1] for row in world.dump()} <= files
    world.sync()
    assert_alike(world, *BOXES[:3])
    world.assert_settled()
