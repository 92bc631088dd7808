"""What a run says of itself: whose failure it was, counts, the exit status."""

import pytest

from world import message


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
    world.script.well()
    world.sync()
    world.assert_settled()
    assert world.tokens("Work")[0] == ["here", "m1", "there"]
    assert {"m0", "m2", "m3", "m4"} <= set(world.tokens()[0])
