"""Moves and copies on each of the servers, with and without MOVE."""


def test_moves_here(people):
    """Files moved here, with the same and with a new base name"""
    world = people.world
    people.fill_there("INBOX", "abcdef", ["\\Seen"])
    people.fill_there("work", "xy")
    world.sync()
    people.move_here("INBOX", "a", "work")
    people.move_here("INBOX", "b", "work", new_name=True)
    # while somebody else flags it
    people.store("INBOX", "c", "+FLAGS", "\\Flagged")
    people.move_here("INBOX", "c", "work", new_name=True)
    # into a mailbox that is new, on from there, and crosswise
    people.move_here("INBOX", "d", "made/here")
    people.move_here("work", "x", "made/here")
    people.move_here("made/here", "x", "INBOX")
    people.copy_here("INBOX", "e", "work")
    s = world.summary()
    assert (s["pulled"], s["failed"]) == (0, 0)
    if world.server.kind.makes_parents:
        world.sync()
    assert {box: found for box, found in people.content().items()
            if box != "made"} == {
        "INBOX": ["e", "f", "x"], "made/here": ["d"],
        "work": ["a", "b", "c", "e", "y"]}
    for side in (people.flags_here, people.flags_there):
        assert side("work", "c") == {"\\Seen", "\\Flagged"}
        assert side("work", "a") == side("work", "e") == {"\\Seen"}
    world.assert_settled()


def test_moves_there(people):
    """Messages moved and copied by another client"""
    world = people.world
    people.fill_there("INBOX", "abcdef", ["\\Seen", "work"])
    people.fill_there("work", "xy")
    world.sync()
    people.move_there("INBOX", "a", "work")
    people.move_there("INBOX", "b", "work")
    people.store("work", "b", "+FLAGS", "\\Flagged")
    # while it is flagged here
    people.set_here("INBOX", "c", lambda f: f | {"R"})
    people.move_there("INBOX", "c", "work")
    people.fill_there("made", [])
    people.move_there("INBOX", "d", "made")
    people.move_there("work", "x", "made")
    people.move_there("made", "x", "INBOX")
    people.copy_there("INBOX", "e", "work")
    s = world.summary()
    assert (s["pushed"], s["failed"]) == (0, 0)
    assert people.content() == {
        "INBOX": ["e", "f", "x"], "made": ["d"],
        "work": ["a", "b", "c", "e", "y"]}
    for side in (people.flags_here, people.flags_there):
        assert side("work", "a") == {"\\Seen", "work"}
        assert side("work", "b") == {"\\Seen", "\\Flagged", "work"}
        assert side("work", "c") == {"\\Seen", "\\Answered", "work"}
        assert side("work", "e") == {"\\Seen", "work"}
    world.assert_settled()


def test_moves_on_both_sides(people):
    """Messages moved on both sides at once"""
    world = people.world
    people.fill_there("INBOX", "abcdefgh")
    people.fill_there("one", [])
    people.fill_there("two", "xyz")
    world.sync()
    # the same, to the same place
    people.move_here("INBOX", "a", "one")
    people.move_there("INBOX", "a", "one")
    # to different places: the server's counts
    people.move_here("INBOX", "b", "one")
    people.move_there("INBOX", "b", "two")
    # two cross each other
    people.move_here("INBOX", "c", "two")
    people.move_there("two", "x", "INBOX")
    # moved on one side and deleted on the other: a move wins
    people.move_here("INBOX", "d", "one", new_name=True)
    people.expunge("INBOX", "d")
    people.move_there("INBOX", "e", "two")
    people.here("INBOX")["e"].unlink()
    world.sync()
    assert people.content() == {
        "INBOX": ["f", "g", "h", "x"], "one": ["a", "d"],
        "two": ["b", "c", "e", "y", "z"]}
    world.assert_settled()
