"""What comes back is what was there, and stays."""

import os

from test_keywords import flags, local
from world import message


def last_run(world):
    return max(os.listdir(world.state / "home" / "bin"))


def put_back(world, run):
    world.run("undo", run)
    world.sync()
    world.assert_settled()


def here(world, box):
    return {t: f for t, (f, _) in local(world, box).items()}


def filled(world, box, **keywords):
    world.server.create(box)
    for token, keyword in keywords.items():
        world.server.append(box, message(token), [keyword])
    world.server.close()


def test_what_was_marked_as_deleted_stays(world):
    """With `expunge`, else it would be removed once more."""
    world.write_config(expunge=True)
    for token in "abc":
        world.server.append("INBOX", message(token), ["\\Seen"])
    world.sync()
    _, path = local(world)["a"]
    os.rename(path, path.parent.parent / "cur" / (
        path.name.partition(":2,")[0] + ":2,ST"))
    world.sync()
    assert set(flags(world)) == set(local(world)) == {"b", "c"}
    put_back(world, last_run(world))
    assert flags(world) == here(world, "INBOX") == dict.fromkeys(
        "abc", {"\\Seen"})


def test_keywords_when_the_mailbox_was_made_again(world):
    """The letters that meant the old ones mean others by now."""
    filled(world, "Work", a="alpha", b="beta")
    world.server.append("INBOX", message("stays"))
    world.sync()
    world.server.do("delete", "Work")
    world.server.close()
    world.sync()
    run = last_run(world)
    filled(world, "Work", c="gamma", d="beta", e="delta")
    world.sync()
    put_back(world, run)
    assert flags(world, "Work") == here(world, "Work") == {
        "a": {"alpha"}, "b": {"beta"}, "c": {"gamma"}, "d": {"beta"},
        "e": {"delta"}}


def test_keywords_of_a_single_message(world):
    """It went before its mailbox did."""
    filled(world, "Work", a="Important", b="Work")
    world.server.append("INBOX", message("stays"))
    world.sync()
    world.server.expunge("Work", [1])
    world.sync()
    run = last_run(world)
    world.server.do("delete", "Work")
    world.server.close()
    world.sync()
    filled(world, "Work", c="$Junk")
    world.sync()
    put_back(world, run)
    assert flags(world, "Work") == here(world, "Work") == {
        "a": {"Important"}, "c": {"$Junk"}}


def test_keywords_that_dovecot_keywords_had_lost(world):
    """Only the journal knows what the letter of what goes means."""
    filled(world, "Work", a="one", b="two")
    world.sync()
    (world.root / "Work" / "dovecot-keywords").unlink()
    world.server.expunge("Work", [1])
    world.sync()
    world.server.store("Work", 2, "+FLAGS", ["three"])
    world.server.close()
    world.sync()
    put_back(world, last_run(world))
    assert flags(world, "Work") == here(world, "Work") == {
        "a": {"one"}, "b": {"two", "three"}}


def test_a_second_time_there_is_nothing(world):
    for token in "ab":
        world.server.append("INBOX", message(token))
    world.sync()
    world.server.expunge("INBOX", [1])
    world.sync()
    run = last_run(world)
    assert "1 message put back" in world.run("undo", run).out
    assert "no message to put back" in world.run("undo", run).out
    assert world.run("undo", run, "-q").out == ""


def test_which_runs_there_are(world):
    """For whom no line of sync says it, as after a run by cron."""
    world.server.create("Work")
    for token in "abc":
        world.server.append("INBOX", message(token))
    world.sync()
    assert world.run("undo").out == ""
    world.server.expunge("INBOX", [1, 2])
    world.sync("-q")
    first = last_run(world)
    world.server.do("delete", "Work")
    world.server.expunge("INBOX", [3])
    world.server.close()
    world.sync("-q")
    last = last_run(world)
    assert world.run("undo").out == (
        "home: %s: 2 messages\nhome: %s: 1 message\n" % (first, last))
    put_back(world, last)
    assert world.run("undo").out == "home: %s: 2 messages\n" % first
    put_back(world, first)
    assert world.run("undo").out == ""


def test_a_mailbox_is_put_back_too(world):
    """It goes up again, so the person is told."""
    for box in "Empty", "Full":
        world.server.create(box)
    world.server.append("Full", message("a"))
    world.sync()
    for box in "Empty", "Full":
        world.server.do("delete", box)
    world.server.close()
    world.sync()
    run = last_run(world)
    assert world.run("undo", run).out == (
        "home: 1 message and 2 mailboxes put back; the next sync finds them "
        "as new\n")
    world.sync()
    world.server.do("delete", "Empty")
    world.server.close()
    world.sync()
    assert world.run("undo", last_run(world)).out == (
        "home: 1 mailbox put back; the next sync finds it as new\n")
    assert "no message to put back" in world.run("undo", last_run(world)).out
    world.sync()
    world.assert_settled()
