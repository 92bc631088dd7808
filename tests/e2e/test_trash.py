"""on_local_delete: trash, and where that is."""

import pytest

from relay import CutBefore, Line
from test_policy import fill, local_tokens, remote_tokens, token
from world import message


def delete_here(world, gone, box="INBOX"):
    for _, _, path in world.local.files(box):
        if token(path) == gone:
            path.unlink()


def test_trash_by_name(world):
    fill(world)
    world.write_config(on_local_delete="trash", trash="Papierkorb")
    world.sync()
    # made when something goes there
    assert world.server.mailboxes() == ["INBOX"]
    files = {token(p): p for _, _, p in world.local.files("INBOX")}
    files["a"].unlink()
    files["b"].unlink()
    for option in "--dry-run", "-v":
        said = [line for line in world.sync(option).out.splitlines()
                if "delete on server" in line]
        assert len(said) == 2
        assert all(line.endswith(", to the trash") for line in said)
    assert remote_tokens(world) == list("cdef")
    assert remote_tokens(world, "Papierkorb") == ["a", "b"]
    world.sync()  # of what is made while it runs, a run has no list
    assert local_tokens(world, "Papierkorb") == ["a", "b"]
    world.assert_settled()
    # in the trash itself a delete is a delete
    for _, _, path in world.local.files("Papierkorb"):
        path.unlink()
    assert "to the trash" not in world.sync("-v").out
    assert remote_tokens(world, "Papierkorb") == []
    world.assert_settled()


def test_a_trash_that_is_refused_keeps_what_was_to_go_there(world):
    """Two mailboxes delete into it: it is made once, or nothing is removed."""
    fill(world)
    world.server.create("other")
    world.server.append("other", message("g"))
    world.server.append("other", message("h"))
    world.write_config(on_local_delete="trash", trash="INBOX//x")
    world.sync(status=78)
    world.write_config(on_local_delete="trash", trash="~x")
    world.sync()
    kept = world.server.everything()
    for box, gone in ("INBOX", "a"), ("other", "g"):
        for _, _, path in world.local.files(box):
            if token(path) == gone:
                path.unlink()
    done = world.sync(status=None)
    assert done.returncode != 0 and done.err
    assert world.server.everything() == kept
    world.write_config(on_local_delete="trash", trash="Bin")
    world.sync()
    assert remote_tokens(world, "Bin") == ["a", "g"]
    world.sync()
    world.assert_settled()


def test_trash_that_is_not_synced(world):
    fill(world, "abcd")
    world.server.create("Trash")
    world.write_config(on_local_delete="trash", trash="Trash",
                       mailboxes=["*", "!Trash"])
    world.sync()
    world.local.files("INBOX")[0][2].unlink()
    world.sync()
    assert len(remote_tokens(world, "Trash")) == 1
    assert world.local.mailboxes() == ["INBOX"]
    world.server.close()
    world.assert_idle()


def test_trash_without_a_name_needs_special_use(world):
    world.write_config(on_local_delete="trash")
    done = world.sync(status=78)
    assert "\\Trash" in done.err and "trash:" in done.err


@pytest.mark.parametrize("was_there", [True, False])
def test_a_trash_that_is_only_a_name_is_made(world, was_there):
    """Others are below it; it never was a mailbox, or is none any more."""
    if was_there:
        world.server.create("Trash")
    world.server.create("Trash/Old")
    if was_there:
        world.server.do("delete", "Trash")
        world.server.close()
    fill(world, "abc")
    world.write_config(on_local_delete="trash", trash="Trash")
    world.sync()
    delete_here(world, "a")
    world.sync()
    assert remote_tokens(world, "Trash") == ["a"]
    world.sync()
    world.assert_settled()


def test_pull_needs_no_trash(world):
    """Nothing is deleted there."""
    fill(world, "abc")
    world.write_config(on_local_delete="trash", direction="pull")
    world.sync()
    assert local_tokens(world) == ["a", "b", "c"]
    world.server.close()
    world.assert_idle()
    world.write_config(direction="both")
    assert "\\Trash" in world.sync(status=78).err


@pytest.mark.parametrize("keyword", [(), ("kw",)], ids=["", "keyword"])
@pytest.mark.parametrize("bad", [
    lambda port: Line(port, lose=("COPY", 1)),
    lambda port: Line(port, lose=("COPY", 1), more=True),
    lambda port: CutBefore(port, "STORE"),
    lambda port: CutBefore(port, "EXPUNGE"),
    lambda port: Line(port, lose=("STORE", 1)),
    lambda port: Line(port, lose=("EXPUNGE", 1))],
    ids=["copied", "all of copied", "store", "expunge", "stored", "expunged"])
def test_half_a_move_leaves_nothing_in_the_trash(world, bad, keyword):
    """Without MOVE, and the connection ends between COPY and EXPUNGE: what was
    moved here was not deleted."""
    fill(world, "abc")
    for box in "Trash", "Other":
        world.server.create(box)
    world.server.append("INBOX", message("d"), keyword)
    world.write_config(on_local_delete="trash", trash="Trash",
                       disable_extensions=["move"])
    world.sync()
    for _, _, path in world.local.files("INBOX"):
        if token(path) == "d":
            path.rename(world.root / "Other" / "cur" / path.name)
    line = bad(world.server.port)
    world.write_config(port=line.port)
    world.sync(status=69)
    assert line.hit
    line.close()
    world.write_config(port=world.server.port)
    delete_here(world, "a")
    world.sync()
    world.sync()
    assert remote_tokens(world) == ["b", "c"]
    assert remote_tokens(world, "Other") == ["d"]
    assert remote_tokens(world, "Trash") == ["a"]
    world.assert_settled()
