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
