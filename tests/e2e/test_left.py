"""What a run leaves to the next one: it says so, and does what it can itself."""

import json
import os
import re
import shutil

import pytest

from test_adopt import give, shut
from test_local_trouble import as_somebody, strace
from world import lf, message


def just_before(world, word, box, deed):
    """DEED is done before the first command WORD for BOX."""
    done = []

    def act(session, tag, words):
        if not done and words[0] == box:
            done.append(word)
            deed()
        return False

    world.script.answer[word] = act
    return done


def move_here(world, token, box, to):
    path = world.file_of(token, box)
    return path.rename(world.root / to / "cur" / path.name)


def delete_there(world, box):
    with world.script.store.lock:
        del world.script.store.boxes[box]


def all_there(world):
    return sorted(t for box in world.server.mailboxes()
                  for t in world.tokens(box)[0])


# a mailbox that appears while the run looks at the others


@pytest.mark.parametrize("how", ["-q", "--json", "held"])
def test_moved_into_a_mailbox_that_appears(scripted, how):
    """It is in no list of this run."""
    world = scripted(max_deletes=0)
    world.server.create("Work")
    for n in range(4):
        world.server.append("Work", message("w%d" % n))
    world.fill(5)
    world.set_letters("m0", "S")
    world.server.append("INBOX", message("new"))
    if how == "held":
        world.server.expunge("Work", [1, 2])

    def deed():
        world.local.make("New")
        move_here(world, "m1", "INBOX", "New")

    moment = just_before(world, b"SELECT", b"INBOX", deed)
    done = world.sync("--json" if how == "--json" else "-q",
                      status=3 if how == "held" else 75)
    assert moment
    text = ("'New' has appeared meanwhile, and what is gone here may be in "
            "it; the next run takes it up")
    if how == "--json":
        *_, left, last = map(json.loads, done.out.splitlines())
        assert (left["event"], left["mailbox"], left["text"]) == (
            "left", "INBOX", text)
        assert (last["left"], last["status"], last["failed"]) == (1, 75, 0)
    else:
        lines = done.err.splitlines()
        assert "home: INBOX: " + text in lines[-1]
        assert len(lines) == 1 + (how == "held")
    assert "m1" in world.tokens()[0]
    world.script.well()
    if how == "held":
        world.sync("--allow-deletes")
    else:
        assert world.summary()["moved"] == 1
    assert world.tokens("New") == (["m1"],) * 2
    world.assert_settled()


# mailboxes that were deleted here


def test_new_mail_in_a_mailbox_that_is_just_being_deleted(scripted):
    """Nothing of it is new when the run looks at it."""
    world = scripted()
    world.server.create("Work")
    world.fill(2)
    shutil.rmtree(world.root / "Work")
    moment = just_before(world, b"EXAMINE", b"Work", lambda:
                         world.server.append("Work", message("late")))
    world.sync()
    assert moment
    assert world.tokens("Work") == (["late"],) * 2
    world.assert_settled()


def test_a_mailbox_goes_once_those_below_it_are_gone(scripted):
    """What is in one of these waits until INBOX, which changes, was looked at
    once more."""
    world = scripted()
    for box in "Work", "Work/sub":
        world.server.create(box)
    world.server.append("Work/sub", message("s"))
    world.fill(2)
    shutil.rmtree(world.root / "Work")
    world.server.append("INBOX", message("new"))

    def delete(session, tag, words):
        below = words[0].decode() + "/"
        if not any(b.startswith(below) for b in world.server.mailboxes()):
            return False
        session.line(tag + b" NO [HASCHILDREN] others are below it")
        return True

    moment = just_before(world, b"SELECT", b"INBOX",
                         lambda: world.set_letters("m1", "F"))
    world.script.answer[b"DELETE"] = delete
    world.sync()
    assert moment
    assert world.server.mailboxes() == os.listdir(world.root) == ["INBOX"]
    world.assert_settled()


def test_a_mailbox_is_deleted_here_and_one_of_its_messages_did_not_come(
        scripted):
    """It ended the connection, and comes when all else is done."""
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("old"))
    world.sync()
    world.server.append("Work", message("bad"))
    world.hang_up_at_bodies()
    shutil.rmtree(world.root / "Work")
    world.sync("--allow-deletes")
    assert world.tokens("Work") == (["bad"],) * 2
    world.assert_settled()


# messages that ended the connection


def test_what_waited_for_the_last_of_several_messages(scripted):
    """One ended it twice, one once; the new file may be either of them."""
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("old"))
    world.sync()
    for token in "ba1", None, "ba2":
        if token:
            world.server.append("INBOX", message(token))
        world.hang_up_at_bodies()
    world.local.add("INBOX", lf(message("new")), "1.new.host")
    shutil.rmtree(world.root / "Work")
    world.sync("--allow-deletes")
    assert world.server.mailboxes() == ["INBOX"]
    assert world.tokens() == (["ba1", "ba2", "new"],) * 2
    world.assert_settled()


def test_new_mail_waited_for_a_message_that_was_compared(scripted):
    """Beside it other mail went up, and for that the mailbox was looked at once
    more: there, not here."""
    world = scripted()
    world.server.create("Work")
    world.sync()
    world.server.append("INBOX", message("bad"))
    world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    world.hang_up_at_bodies()
    world.local.add("Work", lf(message("new")), "1.new.host")
    world.local.add("Work", lf(message("long", size=3000)), "1.long.host")
    world.sync()
    assert world.tokens("Work") == (["long", "new"],) * 2
    assert world.tokens() == (["bad"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("beside", [[], ["bad"], ["bad", "long"]])
def test_new_mail_waited_for_a_message_that_is_gone(scripted, beside):
    """BESIDE: the mailbox of that has other work."""
    world = scripted()
    world.server.create("Work")
    world.sync()
    uid = world.server.append("INBOX", message("bad"))
    world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    world.hang_up_at_bodies()
    world.server.expunge("INBOX", [uid])
    world.local.add("Work", lf(message("new")), "1.new.host")
    if "long" in beside:
        world.local.add("INBOX", lf(message("long", size=3000)), "1.long.host")
    if "bad" not in beside:
        world.file_of("bad").unlink()
    world.sync()
    assert world.tokens("Work") == (["new"],) * 2
    assert world.tokens() == (beside,) * 2
    world.assert_settled()


def test_moved_here_where_a_message_did_not_come(scripted):
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("old"))
    world.server.append("Work", message("other", size=3000))
    world.sync()
    world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    move_here(world, "old", "Work", "INBOX")
    done = world.summary()
    assert (done["moved"], done["pushed"]) == (1, 0)
    assert world.tokens() == (["bad", "old"],) * 2
    world.assert_settled()


def moved_on_both_sides(world):
    """Out of Work: here into INBOX, there into Xtra."""
    uid = min(world.server.messages("Work"))
    path = move_here(world, "old", "Work", "INBOX")
    store = world.script.store
    store.move(store.find("Work"), uid, store.find("Xtra"))
    return path


def two_in_work(world):
    for box in "Work", "Xtra":
        world.server.create(box)
    world.server.append("Work", message("old"))
    world.server.append("Work", message("other", size=3000))
    world.sync()


def test_moved_on_both_sides_where_a_message_did_not_come(scripted):
    """Until it did, it may be what was moved here."""
    world = scripted()
    two_in_work(world)
    world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    moved_on_both_sides(world)
    world.sync()
    assert all_there(world) == ["bad", "old", "other"]
    world.assert_settled()


@pytest.mark.parametrize("first", ["here", "at once"])
def test_moved_on_both_sides_and_nothing_is_written_there(scripted, first):
    """What has moved here is no other message than what has moved there."""
    world = scripted()
    two_in_work(world)
    world.write_config(direction="pull")
    if first == "here":
        move_here(world, "old", "Work", "INBOX")
        world.sync()
        store = world.script.store
        store.move(store.find("Work"), 1, store.find("Xtra"))
    else:
        moved_on_both_sides(world)
    for _ in range(2):
        world.sync()
        assert world.tokens() == ([], [])
        assert world.tokens("Xtra") == (["old"],) * 2
    world.write_config(direction=None)
    world.sync()
    assert all_there(world) == ["old", "other"]
    world.assert_settled()


@pytest.mark.parametrize("direction", [None, "pull"])
def test_moved_on_both_sides_where_a_message_was_not_compared(
        scripted, direction):
    """Neither comes nor goes until it is."""
    world = scripted()
    two_in_work(world)
    world.server.append("INBOX", message("bad"))
    world.local.add("INBOX", lf(message("bad")), "1.bad.host")
    world.hang_up_at_bodies()
    world.write_config(direction=direction)
    moved_on_both_sides(world)
    world.sync()
    assert all_there(world) == ["bad", "old", "other"]
    world.write_config(direction=None)
    world.sync()
    world.assert_settled()


def test_moved_on_both_sides_and_the_file_cannot_be_read(scripted):
    world = scripted()
    as_somebody(world)
    two_in_work(world)
    path = moved_on_both_sides(world)
    shut(path)
    for _ in range(2):
        assert path.name in world.sync(status=65).err
    path.chmod(0o644)
    give(path)
    world.sync()
    assert all_there(world) == ["old", "other"]
    world.assert_settled()


@pytest.mark.parametrize("both", [False, True])
def test_moved_while_the_file_cannot_be_read_and_more_is_done(scripted, both):
    """In none of the passes that this takes is it gone."""
    world = scripted()
    as_somebody(world)
    two_in_work(world)
    for box in "C", "D":
        world.server.create(box)
    for token in "more", "most":
        world.server.append("C", message(token))
    world.sync()
    path = moved_on_both_sides(world) if both else move_here(
        world, "old", "Work", "INBOX")
    for token in "more", "most":
        moved = move_here(world, token, "C", "D")
        give(moved.rename(moved.with_name(moved.name.split(":")[0] + ":2,F")))
    shut(path)
    for _ in range(2):
        assert path.name in world.sync(status=65).err
        assert ("old" in world.tokens("Work")[0]) == (not both)
        assert world.tokens("Xtra")[0] == ["old"] * both
    path.chmod(0o644)
    give(path)
    done = world.summary("--full")
    assert (done["pushed"], done["pulled"], done["moved"]) == (0, 0, 1)
    assert all_there(world) == ["more", "most", "old", "other"]
    world.assert_settled()


@pytest.mark.parametrize("direction", [None, "pull"])
@pytest.mark.parametrize("like", [False, True])
@pytest.mark.parametrize("why", ["file", "full"])
def test_moved_on_both_sides_into_one_that_cannot_be_made(
        scripted, why, like, direction):
    """Until it can, what has moved here is no new message; nor is it a copy of
    one that is LIKE it."""
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("old"))
    world.server.append("Work", message("other", size=3000))
    if like:
        world.server.append("Work", message("old"))
    world.sync()
    world.write_config(direction=direction)
    world.server.create("Xtra")
    moved_on_both_sides(world)
    whole = world.binary
    if why == "file":
        (world.root / "Xtra").write_text("in the way")
    else:
        strace(world, [world.root], "mkdirat:error=ENOSPC")
    for _ in range(2):
        assert "Xtra" in world.sync(status=65).err
        assert world.tokens()[0] == []
    world.binary = whole
    (world.root / "Xtra").unlink(missing_ok=True)
    world.sync()
    assert world.tokens() == ([], [])
    assert world.tokens("Xtra") == (["old"],) * 2
    world.write_config(direction=None)
    world.sync()
    assert all_there(world) == ["old"] * (1 + like) + ["other"]
    world.assert_settled()


@pytest.mark.parametrize("new", [False, True])
def test_moved_on_both_sides_into_one_that_was_not_asked_for(scripted, new):
    """Also where only the mailbox it left is looked at once more: as something
    NEW went up from there."""
    world = scripted()
    two_in_work(world)
    moved_on_both_sides(world)
    if new:
        world.local.add("Work", lf(message("new")), "1.n.here")
    world.sync("home:Work", "home:INBOX")
    assert world.tokens() == ([], ["old"])
    world.sync()
    assert world.tokens() == ([], [])
    assert all_there(world) == ["new"] * new + ["old", "other"]
    world.assert_settled()


# mailboxes that are numbered anew


def test_moved_here_into_one_that_is_where_a_message_did_not_come(scripted):
    """Which one that was, the old numbers do not say any more: all of it waits
    until the rows of the new ones are there, and no longer."""
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("old"))
    world.server.append("Work", message("other", size=3000))
    world.fill(2)
    world.server.append("INBOX", message("bad"))
    world.hang_up_at_bodies()
    world.server.renumber("INBOX")
    move_here(world, "old", "Work", "INBOX")
    done = world.summary()
    assert (done["moved"], done["pushed"], done["copied"]) == (1, 0, 0)
    assert world.tokens("Work") == (["other"],) * 2
    world.assert_settled()


def test_new_mail_of_the_size_of_one_in_one_that_is_left_out(scripted):
    world = scripted()
    world.server.create("Work")
    world.server.append("Work", message("w0"))
    world.fill(2)
    world.server.renumber("Work")
    world.server.append("INBOX", message("m9"))
    world.local.add("INBOX", lf(message("f9")), "1.f9.host")
    for _ in range(2):
        err = world.sync("home:INBOX", status=65).err
        assert err.count("it may be a message of 'Work'") == 2
        assert "uid 3: it may" in err and "1.f9.host: it may" in err
        assert world.tokens() == (["m0", "m1", "m9"], ["f9", "m0", "m1"])
    world.sync()
    assert world.tokens() == (["f9", "m0", "m1", "m9"],) * 2
    world.assert_settled()


# how many wait


def refuse_body(world, uid):
    def act(session, tag, words):
        if words[0] == b"%d" % uid and any(
                w.startswith(b"BODY.PEEK[]") for w in words[1]):
            session.line(tag + b" NO not now")
            return True
        return False

    world.script.answer[b"UID FETCH"] = act


@pytest.mark.parametrize("gone", [False, True])
def test_a_message_that_could_not_come_waits_while_it_is_there(scripted, gone):
    world = scripted()
    world.fill(2)
    uid = world.server.append("INBOX", message("bad"))
    world.local.add("INBOX", lf(message("up", size=4000)), "1.up.host")
    refuse_body(world, uid)
    if gone:
        just_before(world, b"APPEND", b"INBOX",
                    lambda: world.server.expunge("INBOX", [uid]))
    done = world.summary(status=65)
    assert (done["failed"], done["waiting"]) == (1, 0 if gone else 1)
    world.script.well()
    world.assert_idle(status=0 if gone else 65)


def test_what_is_done_does_not_wait_in_a_mailbox_that_is_made_again(scripted):
    world = scripted()
    world.server.create("Work")
    world.fill(2)
    world.script.answer[b"APPEND"] = b"NO later"
    world.local.add("Work", lf(message("up")), "1.up.host")
    world.sync(status=65)
    world.script.well()
    delete_there(world, "Work")
    done = world.summary()
    assert (done["pushed"], done["waiting"]) == (1, 0)
    world.assert_settled()


@pytest.mark.parametrize("told", [True, False])
def test_new_content_waits_until_it_goes_up(scripted, told):
    """Flags that change meanwhile do not end that; where the server tells no
    UID, it does not wait either."""
    world = scripted()
    uid, _ = world.fill(2)
    world.file_of("m0").write_bytes(lf(message("edited")))
    world.script.answer[b"APPEND"] = b"NO later"
    done = world.summary("--full", status=65)
    assert (done["failed"], done["waiting"]) == (1, 1)
    world.server.flag("INBOX", uid, ["\\Flagged"])
    done = world.summary(status=65)
    assert (done["flags"], done["waiting"]) == (1, 1)
    world.script.well()
    if not told:
        world.script.rewrite = lambda session, line: [
            re.sub(rb"\[APPENDUID.*\] ", b"", line)]
    done = world.summary("--full")
    assert (done["pushed"], done["adopted"], done["waiting"]) == (
        (1, 0, 0) if told else (0, 1, 0))
    world.assert_settled()


def test_new_content_that_is_taken_back_waits_no_more(scripted):
    world = scripted()
    world.fill(2)
    path = world.file_of("m0")
    old = path.read_bytes()
    path.write_bytes(lf(message("edited")))
    world.script.answer[b"APPEND"] = b"NO later"
    world.summary("--full", status=65)
    world.script.well()
    path.write_bytes(old)
    done = world.summary("--full")
    assert (done["pushed"], done["waiting"]) == (0, 0)
    world.assert_settled()


@pytest.mark.parametrize("side", ["here", "there"])
def test_what_is_too_large_by_now_does_not_wait(scripted, side):
    world = scripted()
    if side == "here":
        world.fill(2)
        world.local.add("INBOX", lf(message("big", size=4000)), "1.big.host")
        world.script.answer[b"APPEND"] = b"NO later"
    else:
        refuse_body(world, world.server.append(
            "INBOX", message("big", size=4000)))
    world.sync(status=65)
    world.script.well()
    world.write_config(max_size="1K")
    # so that it is looked at, though it is not due
    if side == "here":
        world.local.add("INBOX", lf(message("small")), "2.small.host")
    done = world.summary("--full")
    assert (done["failed"], done["waiting"]) == (0, 0)
    world.assert_idle()


def test_what_is_new_where_deletes_are_held_is_said_to_be_left(world):
    """A mailbox whose directory is damaged takes no part: 3 says that all else
    is done, or left."""
    world.server.create("work")
    world.server.append("work", message("old"), ["\\Seen"])
    world.sync()
    (world.root / "work" / "new").rmdir()

    def left():
        done = world.sync("--json", status=3)
        events = [json.loads(line) for line in done.out.splitlines()]
        assert events[-1]["held"] == 1
        told = [e["mailbox"] for e in events if e["event"] == "left"]
        assert events[-1]["left"] == len(told)
        return told

    assert left() == []
    world.server.append("work", message("new"))
    assert left() == ["work"] == left()
    (world.root / "work" / "new").mkdir()
    world.sync()
    assert len(world.local.files("work")) == 2
    world.assert_settled()
