"""The same days on each of the servers: what a person sees."""

from world import message


def test_first_sync_with_both_sides_full(any_world):
    world = any_world
    box = world.wire("work")
    world.server.create(box)
    for name in ("INBOX", box):
        for n in range(8):
            data = message("%s-%d" % (name, n))
            world.server.append(name, data, ["\\Seen"] if n % 2 else [])
            if n % 3:
                world.local.add("INBOX" if name == "INBOX" else "work",
                                data.replace(b"\r\n", b"\n"),
                                "%d.%s.host" % (n, name))
    world.local.add("here", message("only here"), "99.x.host")
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["failed"]) == (6, 1, 0)
    assert len(world.local.files("work")) == 8
    world.assert_settled()
