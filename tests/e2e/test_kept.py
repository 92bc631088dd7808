"""deletes: keep, and mailboxes that the server has not got any more."""

import json
import os

import pytest

from test_policy import expunge, fill, local_tokens, remote_tokens
from test_trash import delete_here
from world import message


def delete_there(world, box):
    world.server.do("select", "INBOX")
    world.server.do("delete", box)
    world.server.close()


def move_there(world, box, uids, to):
    world.server.select(box)
    world.server.do("uid", "move", uids, to)


def here(world):
    return {box: local_tokens(world, box) for box in world.local.mailboxes()}


def test_it_is_told_that_this_is_the_only_copy(world):
    world.server.create("X")
    fill(world, "xy", "X")
    fill(world, "a", "INBOX")
    world.write_config(deletes="keep")
    world.sync()
    delete_there(world, "X")
    for _ in range(2):
        world.sync()
        gone = {line["mailbox"]: line["gone"] for line in
                map(json.loads, world.run("status", "--json").out.splitlines())}
        assert gone == {"INBOX": False, "X": True}
        said = world.run("status", "home", "home").out.splitlines()
        assert said[-1] == "home: X: gone on the server, kept here"
        assert len(said) == 4
    uid = [row["uid"] for row in world.dump() if row["mailbox"] == "X"][0]
    assert "gone on the server, kept here" in world.run(
        "explain", "home:X:%d" % uid).out


def test_without_a_maildir_nobody_knows_what_is_pending(world):
    fill(world, "a", "INBOX")
    world.sync()
    world.local.root.rename(world.base / "unmounted")
    done = world.run("status", "--json")
    assert json.loads(done.out)["pending"] is None
    assert "cannot be told" in done.err
    assert world.run("status").out.splitlines()[-1].split()[-1] == "?"


# what was moved out of it before that


def moved_out(world, **options):
    world.server.create("X")
    world.server.create("Y")
    fill(world, "xyz", "X")
    world.write_config(deletes="keep", **options)
    world.sync()
    move_there(world, "X", "1:2", "Y")
    delete_there(world, "X")


@pytest.mark.parametrize("direction", ["both", "pull"])
def test_what_was_moved_out_of_it_is_not_kept_twice(world, direction):
    moved_out(world, direction=direction)
    assert world.summary()["moved"] == 2
    assert here(world) == {"INBOX": [], "X": ["z"], "Y": ["x", "y"]}
    world.server.close()
    world.sync()
    world.assert_idle()
    assert not [c for c in world.commands() if c.startswith(b"STATUS")]
    # what happens later has nothing to do with it
    fill(world, "z", "Y")
    world.sync()
    assert here(world) == {"INBOX": [], "X": ["z"], "Y": ["x", "y", "z"]}
    world.assert_idle()
    world.sync("--full")
    assert here(world) == {"INBOX": [], "X": ["z"], "Y": ["x", "y", "z"]}


@pytest.mark.parametrize("only", ["X", "INBOX"])
def test_what_was_moved_out_of_it_while_others_are_left_out(world, only):
    """Where it is now, that run does not see."""
    moved_out(world)
    world.sync("home:" + only)
    world.sync()
    assert here(world) == {"INBOX": [], "X": ["z"], "Y": ["x", "y"]}
    world.server.close()
    world.sync()
    world.assert_idle()


@pytest.mark.parametrize("direction", ["both", "pull"])
def test_it_comes_back_as_it_was(scripted, direction):
    """What was done here meanwhile follows."""
    world = scripted(deletes="keep", direction=direction)
    for box in "XY":
        world.script.store.create(box)
        world.server.append(box, message("1" + box))
    world.server.append("X", message("2X"))
    world.server.append("X", message("3X"))
    world.sync()
    boxes = world.script.store.boxes
    gone = boxes.pop("X")
    world.sync()
    world.assert_idle()
    world.set_letters("2X", "F", "X")
    world.file_of("1X", "X").unlink()
    world.sync()
    world.assert_idle()
    boxes["X"] = gone
    world.sync()
    if direction == "both":
        # what was on neither side is no delete
        assert world.tokens("X") == (["1X", "2X", "3X"],) * 2
        world.assert_settled()
    else:
        assert world.tokens("X") == (["1X", "2X", "3X"], ["2X", "3X"])
        world.assert_idle()


# made there again


@pytest.mark.parametrize("how", [{"deletes": "keep"}, {"direction": "push"}])
@pytest.mark.parametrize("names", [[], ["home:INBOX"], ["home:Zoo"]])
def test_the_trash_is_made_again_without_what_was_kept(world, how, names):
    box = "Zoo" if names == ["home:Zoo"] else "INBOX"
    for name in "Trash", "Zoo":
        world.server.create(name)
    fill(world, "xyz", "Trash")
    fill(world, "mno", box)
    world.sync()
    world.write_config(on_local_delete="trash", trash="Trash", **how)
    delete_there(world, "Trash")
    world.sync()
    delete_here(world, "m", box)
    world.sync(*names)
    world.sync()
    assert remote_tokens(world, "Trash") == ["m"]
    pulled = ["m"] if how.get("deletes") else []
    assert local_tokens(world, "Trash") == pulled + ["x", "y", "z"]
    world.server.close()
    world.assert_idle()
    world.sync("--full")
    assert remote_tokens(world, "Trash") == ["m"]


# renamed here


@pytest.mark.parametrize("how", [{"deletes": "keep"}, {"direction": "push"}])
@pytest.mark.parametrize("kept, old, new", [
    ("X", "X", "Y"), ("P/X", "P", "Q"), ("P/X", "P/X", "X")])
def test_it_is_renamed_here(world, how, kept, old, new):
    """It does not go up, and new mail makes it by its new name."""
    for name in sorted({kept, old}):
        world.server.create(name)
    fill(world, "xyz", kept)
    world.sync()
    world.write_config(**how)
    delete_there(world, kept)
    world.sync()
    world.server.close()
    os.rename(world.root / old, world.root / new)
    world.sync()
    there = ["INBOX"] + (["Q"] if new == "Q" else
                         ["P"] if kept == "P/X" and old == "P" else [])
    assert world.server.mailboxes() == there
    box = new + kept[len(old):]
    assert local_tokens(world, box) == ["x", "y", "z"]
    world.server.close()
    world.assert_idle()
    world.local.add(box, message("new"), "new.host", "new")
    world.sync()
    assert remote_tokens(world, box) == ["new"]
    assert box in world.server.mailboxes()
    assert kept not in world.server.mailboxes()
    assert local_tokens(world, box) == ["new", "x", "y", "z"]
    world.server.close()
    world.assert_idle()


def test_it_is_renamed_here_to_a_name_that_is_there(world):
    """Then it is that one, as any new directory of the name would be."""
    world.server.create("X")
    fill(world, "xyz", "X")
    world.write_config(deletes="keep")
    world.sync()
    delete_there(world, "X")
    world.sync()
    world.server.create("Y")
    fill(world, "xw", "Y")
    world.server.close()
    os.rename(world.root / "X", world.root / "Y")
    world.sync()
    world.assert_settled()
    assert local_tokens(world, "Y") == ["w", "x", "y", "z"]


# what is kept, and patterns


@pytest.mark.parametrize("anew", [False, True])
def test_what_is_kept_when_it_is_renamed_out_of_the_patterns(world, anew):
    """ANEW: there is one of its name again."""
    world.server.create("A")
    fill(world, "xyz", "A")
    world.write_config(deletes="keep", mailboxes=["*", "!Old"])
    world.sync()
    expunge(world, "A", 1)
    world.server.close()
    world.sync()
    world.server.connect().rename("A", "Old")
    world.server.close()
    if anew:
        world.server.create("A")
        fill(world, "w", "A")
    world.sync()
    assert remote_tokens(world, "A") == ["w"] * anew + ["y", "z"]
    assert local_tokens(world, "A") == ["w"] * anew + ["x", "y", "z"]
    world.server.close()
    world.sync()
    world.assert_idle()
    world.sync("--full")
    assert remote_tokens(world, "A") == ["w"] * anew + ["y", "z"]


@pytest.mark.parametrize("direction", ["both", "pull"])
def test_what_was_renamed_in_it_is_copied_from_it(world, direction):
    """Its like is new in another mailbox."""
    moved_out(world, direction=direction)
    world.sync()
    (_, _, path), = world.local.files("X")
    os.rename(path, world.root / "X" / "cur" / (path.name + ":2,F"))
    world.sync()
    world.assert_idle()
    fill(world, "z", "Y")
    world.server.close()
    world.sync()
    assert here(world) == {"INBOX": [], "X": ["z"], "Y": ["x", "y", "z"]}
    world.assert_idle()
