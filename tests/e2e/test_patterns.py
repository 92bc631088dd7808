"""A mailbox renamed to a name that the patterns exclude, or out of one: each
side goes by its own name, and nothing is deleted."""

import os

import pytest

from test_mailboxes import fill, rename_there, settle
from world import message

PATTERNS = ["*", "!Archive", "!Archive/*"]


def rename_here(w, old, new):
    (w.root / new).parent.mkdir(parents=True, exist_ok=True)
    os.rename(w.root / old, w.root / new)


RENAMES = {"here": rename_here, "there": rename_there}


def subjects(w):
    """{mailbox: subjects} of the server, and of the Maildir."""
    def of(data):
        return [line.decode().strip() for line in data.split(b"\n")
                if line.startswith(b"Subject:")]
    there = {box: sorted(sum((of(m["body"]) for m in all_.values()), []))
             for box, all_ in w.server.everything().items()}
    here = {box: sorted(sum((of(p.read_bytes()) for _, _, p in all_), []))
            for box, all_ in w.local.everything().items()}
    w.server.close()
    return there, here


def settled_with_project(w, **settings):
    w.write_config(mailboxes=PATTERNS, **settings)
    w.server.create("Archive")
    fill(w, "Other", 2)
    fill(w, "Project", 3)
    w.server.close()
    settle(w)


@pytest.mark.parametrize("side", RENAMES)
def test_renamed_to_an_excluded_name(world, side):
    settled_with_project(world)
    RENAMES[side](world, "Project", "Archive/Project")
    for args in (["--dry-run"], []):
        done = world.sync(*args)
        assert done.err.count("each side goes by its own name") == 1
    there, here = subjects(world)
    assert there["Project"] == here["Project"] != []
    assert len(there["Project"]) == 3
    one = here if side == "here" else there
    assert one["Archive/Project"] == one["Project"]
    other = there if side == "here" else here
    assert "Archive/Project" not in other
    world.assert_idle()
    # and it is synced
    world.server.append("Project", message("later there"))
    world.local.add("Project", message("later here"), "1.later.here")
    world.server.append("Other", message("elsewhere"))
    if side == "there":
        world.server.append("Archive/Project", message("not wanted"))
    world.server.close()
    world.sync("home:Project")
    there, here = subjects(world)
    assert there["Project"] == here["Project"]
    assert len(there["Project"]) == 5
    world.sync()
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_renamed_to_an_excluded_name_and_made_anew(world, side):
    settled_with_project(world)
    RENAMES[side](world, "Project", "Archive/Project")
    if side == "here":
        world.local.add("Project", message("anew"), "1.anew")
    else:
        world.server.create("Project")
        world.server.append("Project", message("anew"))
        world.server.close()
    world.sync()
    there, here = subjects(world)
    assert there["Project"] == here["Project"]
    assert len(there["Project"]) == 4
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_the_one_that_is_left_is_asked_for_by_name(world, side):
    settled_with_project(world)
    RENAMES[side](world, "Project", "Archive/Project")
    world.sync("home:Project")
    there, here = subjects(world)
    assert there["Project"] == here["Project"] != []
    world.sync()
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_another_one_is_asked_for_by_name(world, side):
    settled_with_project(world)
    RENAMES[side](world, "Project", "Archive/Project")
    world.sync("home:Other")
    world.sync()
    there, here = subjects(world)
    assert there["Project"] == here["Project"] != []
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_renamed_out_of_an_excluded_name(world, side):
    """One that was synced before the patterns were changed."""
    fill(world, "Old", 3)
    settle(world)
    world.write_config(mailboxes=["*", "!Old"])
    settle(world)
    RENAMES[side](world, "Old", "New")
    if side == "there":
        world.server.append("New", message("later"))
    else:
        world.local.add("New", message("later"), "1.later")
    world.server.close()
    world.sync()
    there, here = subjects(world)
    assert there["New"] == here["New"]
    assert len(there["New"]) == 4
    rest = there if side == "here" else here
    assert len(rest["Old"]) == 3
    world.assert_idle()
    world.write_config(mailboxes=None)
    world.sync()
    there, here = subjects(world)
    assert there == here
    assert len(there["Old"]) == 3 and len(there["New"]) == 4
    world.assert_idle()


@pytest.mark.parametrize("settings", [{"direction": "pull"},
                                      {"direction": "push"},
                                      {"deletes": "keep"}])
@pytest.mark.parametrize("side", RENAMES)
def test_nothing_goes_whatever_the_direction(world, side, settings):
    settled_with_project(world)
    world.write_config(**settings)
    RENAMES[side](world, "Project", "Archive/Project")
    before = subjects(world)
    world.sync()
    for was, now in zip(before, subjects(world)):
        for box, mails in was.items():
            assert now[box] == mails
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_a_whole_tree_crosses(world, side):
    world.write_config(mailboxes=PATTERNS)
    for box in ("Top", "Top/a", "Top/a/b"):
        fill(world, box, 2)
    world.server.create("Archive")
    world.server.close()
    settle(world)
    RENAMES[side](world, "Top", "Archive/Top")
    world.sync()
    there, here = subjects(world)
    for box in ("Top", "Top/a", "Top/a/b"):
        assert there[box] == here[box] and len(here[box]) == 2
    world.assert_idle()


@pytest.mark.parametrize("side", RENAMES)
def test_a_child_crosses_with_its_parent(world, side):
    for box in ("Top", "Top/in", "Top/out"):
        fill(world, box, 2)
    world.server.close()
    settle(world)
    world.write_config(mailboxes=["*", "!Top/out", "!New/in"])
    settle(world)
    RENAMES[side](world, "Top", "New")
    world.sync()
    world.sync()
    there, here = subjects(world)
    for box in ("New", "New/in", "New/out"):
        assert there[box] == here[box] and len(here[box]) == 2
    world.assert_idle()


# what matches nothing


def test_a_pattern_that_matches_nothing_is_told(world):
    fill(world, "Sent", 2)
    world.local.add("Here", message("h"), "1.x.host")
    world.write_config(mailboxes=["inbox", "Sned", "Here", "Lists/*", "!Spm"])
    for args in [], ["--dry-run"], []:
        done = world.sync(*args)
        assert [line.split("'")[1] for line in done.err.splitlines()] == [
            "Sned", "Lists/*"]
        assert all("'mailboxes' is the name of no mailbox" in line
                   for line in done.err.splitlines())
    assert world.server.mailboxes() == ["Here", "INBOX", "Sent"]
    assert world.local.mailboxes() == ["Here", "INBOX"]
    assert world.sync("-q").err == ""
    world.write_config(mailboxes=["INBOX", "Sent"])
    assert world.sync().err == ""


@pytest.mark.parametrize("patterns", [["Inbx"], ["Inbx", "!INBOX"], ["!*"]])
def test_patterns_that_leave_nothing(world, patterns):
    fill(world, "INBOX", 2)
    world.write_config(mailboxes=patterns)
    for args in [], ["--dry-run"], []:
        err = world.sync(*args, status=78).err
        assert "'mailboxes' leaves out all mailboxes" in err
        assert ("'Inbx'" in err) == ("Inbx" in patterns)
    assert "of what 'mailboxes' selects" in world.run("status").out
    world.write_config(mailboxes=["INBOX"])
    world.sync()
    world.assert_settled()
    world.write_config(mailboxes=patterns)
    world.sync(status=78)
    assert len(world.server.messages("INBOX")) == 2
    assert len(world.local.files("INBOX")) == 2


def test_one_that_is_left_out_asked_for_by_name(world):
    fill(world, "Sent", 2)
    world.sync()
    world.write_config(mailboxes=["*", "!Sent"])
    assert "the mailbox 'Sent' is left out by 'mailboxes'" in world.sync(
        "home:Sent", status=64).err
    assert "no mailbox 'Snt' on either side" in world.sync(
        "home:Snt", status=64).err


@pytest.mark.parametrize("side", RENAMES)
def test_renamed_while_it_is_excluded(world, side):
    """It is followed when the patterns have it again."""
    fill(world, "Old", 3)
    settle(world)
    world.write_config(mailboxes=["*", "!Old", "!New"])
    settle(world)
    RENAMES[side](world, "Old", "New")
    settle(world)
    world.write_config(mailboxes=None)
    world.sync()
    there, here = subjects(world)
    assert sorted(there) == sorted(here) == ["INBOX", "New"]
    assert len(there["New"]) == 3
    world.assert_settled()
