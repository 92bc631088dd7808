"""A message at which the connection ends as its octets are compared with what
is here: it, and what may be it, comes last in each run."""

from world import lf, message

WHOLE = b"BODY.PEEK[]"


def ends(world, code=(69, 75)):
    done = world.sync(status=None)
    assert done.returncode in code
    return done


# new on both sides


def test_moved_there_and_compared_with_what_is_new_here(scripted):
    """Nobody knows that it is what left INBOX, nor that it is not."""
    world = scripted()
    world.moved_there(3, 2)
    world.set_letters("m1", "S")
    world.local.add("work", lf(message("m9")), "1.here.host")
    world.hang_up_at("work", 1, WHOLE, once=True)
    ends(world)
    assert world.summary()["moved"] == 1
    flags = [m["flags"] for m in world.server.messages("work").values()
             if b"message m1" in m["body"]]
    assert flags == [{"\\Seen"}]
    world.assert_settled()
