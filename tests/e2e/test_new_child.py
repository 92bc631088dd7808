"""A parent gets another name on one side while somebody makes a mailbox below
the old name on the other."""

import os

import pytest

from test_mailboxes import fill, ids, rename_there, settle
from world import lf, message


class Side:
    """What is done here, or there."""

    def __init__(self, world, here):
        self.world, self.here = world, here

    def rename(self, old, new):
        if self.here:
            os.rename(self.world.root / old, self.world.root / new)
        else:
            rename_there(self.world, old, new)

    def make(self, box, *tokens):
        if not self.here:
            self.world.server.create(box)
        else:
            self.world.local.make(box)
        for token in tokens:
            if self.here:
                self.world.local.add(box, lf(message(token)),
                                     "18.%s.host" % token)
            else:
                self.world.server.append(box, message(token))
        self.world.server.close()


@pytest.fixture(params=[True, False], ids=["here", "there"])
def sides(world, request):
    """The one that renames, and the other one."""
    for box in ("p", "p/a"):
        fill(world, box, 3)
    settle(world)
    return Side(world, request.param), Side(world, not request.param)


def tokens(world):
    found = {}
    for box, messages in world.server.everything().items():
        found[box] = sorted(
            m["body"].split(b"message ")[1].split(b"\r\n")[0].decode()
            for m in messages.values())
    world.server.close()
    return found


def old(box):
    return ["%s-%d" % (box, n) for n in range(3)]


def end(world, expected, runs=2):
    for _ in range(runs):
        done = world.sync()
        assert done.err == ""
    assert tokens(world) == {"INBOX": [], **expected}
    world.assert_settled()
    assert not (world.root / "p").exists() or "p" in expected


def test_a_new_child_goes_along(world, sides):
    mover, maker = sides
    before = ids(world)
    mover.rename("p", "q")
    maker.make("p/kid", "n1", "n2")
    end(world, {"q": old("p"), "q/a": old("p/a"), "q/kid": ["n1", "n2"]})
    assert ids(world)["q"] == before["p"]
    assert ids(world)["q/a"] == before["p/a"]


def test_a_new_child_of_a_child_goes_along(world, sides):
    mover, maker = sides
    mover.rename("p", "q")
    maker.make("p/a/kid", "n1")
    end(world, {"q": old("p"), "q/a": old("p/a"), "q/a/kid": ["n1"]})


def test_a_child_of_one_name_on_both_sides(world, sides):
    """It is made below the old name there and below the new one here."""
    mover, maker = sides
    mover.rename("p", "q")
    mover.make("q/kid", "n1", "n2")
    maker.make("p/kid", "n2", "n3")
    end(world, {"q": old("p"), "q/a": old("p/a"),
                "q/kid": ["n1", "n2", "n3"]})


def test_both_names_are_used_again(world, sides):
    """Who renames it makes the old one anew; the other makes a child in it."""
    mover, maker = sides
    mover.rename("p", "q")
    mover.make("p", "x1")
    maker.make("p/kid", "n1")
    for _ in range(2):
        assert world.sync().err == ""
    found = tokens(world)
    assert sorted(sum(found.values(), [])) == sorted(
        old("p") + old("p/a") + ["n1", "x1"])
    assert found["q"] == old("p") and found["q/a"] == old("p/a")
    assert found["p"] == ["x1"]
    world.assert_settled()


def test_a_new_child_below_a_parent_that_is_gone_to_another_level(
        world, sides):
    mover, maker = sides
    mover.make("deep")
    world.sync()
    mover.rename("p", "deep/q")
    maker.make("p/kid", "n1")
    end(world, {"deep": [], "deep/q": old("p"), "deep/q/a": old("p/a"),
                "deep/q/kid": ["n1"]})


@pytest.mark.parametrize("here", [True, False])
def test_a_new_child_in_maildirpp(world, here):
    """There it lies beside its parent."""
    world.write_config(layout="maildir++")
    for box in ("p", "p/a"):
        fill(world, box, 3)
    world.sync()
    if here:
        os.rename(world.root / ".p", world.root / ".q")
        os.rename(world.root / ".p.a", world.root / ".q.a")
        world.server.create("p/kid")
        world.server.append("p/kid", message("n1"))
    else:
        rename_there(world, "p", "q")
        world.local.make(".p.kid")
        world.local.add(".p.kid", lf(message("n1")), "18.n1.host")
    world.server.close()
    for _ in range(2):
        assert world.sync().err == ""
    found = tokens(world)
    assert sorted(sum(found.values(), [])) == sorted(
        old("p") + old("p/a") + ["n1"])
    assert found["q"] == old("p") and found["q/a"] == old("p/a")
    assert "p/a" not in found
    world.assert_idle()
