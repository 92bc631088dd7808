"""What a run says of itself: whose failure it was, counts, the exit status."""

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
