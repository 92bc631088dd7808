"""What the configuration lets a run do: direction, deletes, limits."""

import json
import os
import shutil
import time

import pytest

from world import message, quote


def fill(world, tokens="abcdef", box="INBOX", flags=()):
    for token in tokens:
        world.server.append(box, message(token), flags, 1700000000)


def expunge(world, box, uid):
    world.server.select(box)
    world.server.do("uid", "store", str(uid), "+FLAGS", "(\\Deleted)")
    world.server.do("uid", "expunge", str(uid))


def token(path):
    return path.read_bytes().split(b"Message-ID: <")[1].split(b"@")[0].decode()


def local_tokens(world, box="INBOX"):
    return sorted(token(path) for _, _, path in world.local.files(box))


def remote_tokens(world, box="INBOX"):
    return sorted(m["body"].split(b"Message-ID: <")[1].split(b"@")[0].decode()
                  for m in world.server.messages(box).values())


def change_everything(world):
    """Each kind of change on both sides; "f" stays as it is."""
    files = {token(p): p for _, _, p in world.local.files("INBOX")}
    uids = sorted(world.server.messages("INBOX", bodies=False))
    files["a"].unlink()
    os.rename(files["b"], str(files["b"]) + "F")
    expunge(world, "INBOX", uids[2])
    world.server.store("INBOX", uids[3], "+FLAGS", ["\\Flagged"])
    world.local.add("INBOX", message("l"), "new.host", "new")
    world.server.append("INBOX", message("r"))
    world.local.make("Here")
    os.rename(files["e"], world.root / "Here" / "cur" / files["e"].name)
    world.server.create("There")


def assert_server_untouched(world):
    changing = [c for c in world.commands() if c.split()[0] in (
        b"APPEND", b"SELECT", b"CREATE", b"DELETE", b"RENAME")
        or b"STORE" in c or b"EXPUNGE" in c or b"MOVE" in c or b"COPY" in c]
    assert changing == []


def test_direction_pull(world):
    fill(world, flags=["\\Seen"])
    world.sync()
    world.write_config(direction="pull")
    change_everything(world)
    before = world.server.everything()
    world.sync("--trace", str(world.trace))
    assert_server_untouched(world)
    assert world.server.everything() == before
    # the server's changes are here; what was changed here stays so
    assert local_tokens(world) == ["b", "d", "f", "l", "r"]
    assert local_tokens(world, "Here") == ["e"]
    assert "There" in world.local.mailboxes()
    flags = {token(p): f for _, f, p in world.local.files("INBOX")}
    assert flags["b"] == {"\\Seen", "\\Flagged"}
    assert flags["d"] == {"\\Seen", "\\Flagged"}
    world.assert_idle()


def test_direction_push(world):
    fill(world, flags=["\\Seen"])
    world.sync()
    world.write_config(direction="push")
    change_everything(world)
    before = world.local.snapshot()
    world.sync()
    assert world.local.snapshot() == before
    assert remote_tokens(world) == ["b", "d", "f", "l", "r"]
    assert remote_tokens(world, "Here") == ["e"]
    world.server.close()
    world.assert_idle()


def test_direction_pull_into_nothing(world):
    fill(world)
    world.write_config(direction="pull")
    world.sync()
    assert local_tokens(world) == list("abcdef")
    world.assert_settled()


def test_deletes_keep(world):
    fill(world, flags=["\\Seen"])
    world.server.create("Gone")
    fill(world, "xy", "Gone")
    world.write_config(deletes="keep")
    world.sync()
    expunge(world, "INBOX", 1)
    expunge(world, "INBOX", 2)
    world.server.select("INBOX")
    world.server.do("delete", quote("Gone"))
    world.sync()
    assert local_tokens(world) == list("abcdef")
    assert local_tokens(world, "Gone") == ["x", "y"]
    assert remote_tokens(world) == list("cdef")
    world.server.close()
    world.assert_idle()
    # what is kept does not go up again, whatever else happens
    world.local.add("INBOX", message("l"), "new.host", "new")
    world.server.append("INBOX", message("r"))
    world.sync()
    assert local_tokens(world) == list("abcdeflr")
    assert remote_tokens(world) == list("cdeflr")
    world.server.close()
    world.assert_idle()


@pytest.mark.parametrize("touched", [False, True])
def test_deletes_keep_and_it_comes_back(world, touched):
    """Somebody takes it out of a trash that is not synced: it is the message
    that is here, and not another one."""
    world.write_config(deletes="keep", mailboxes=["*", "!Trash"])
    world.server.create("Trash")
    fill(world, "ab")
    world.sync()
    (_, _, path), = [f for f in world.local.files("INBOX")
                     if token(f[2]) == "a"]
    world.server.select("INBOX")
    world.server.do("uid", "MOVE", "1", "Trash")
    world.sync()
    assert local_tokens(world) == ["a", "b"]
    world.server.select("Trash")
    world.server.do("uid", "MOVE", "1", "INBOX")
    world.server.store("INBOX", 3, "+FLAGS", ["\\Flagged"])
    # as long as it, and another one
    world.server.append("INBOX", message("c"))
    if touched:
        world.local.add("INBOX", message("d"), "d.host")
    assert world.summary()["pulled"] == 1
    assert local_tokens(world) == ["a", "b", "c"] + ["d"] * touched
    assert not path.exists()  # it shows the flag
    world.assert_journal()
    world.assert_idle()
    # it is no kept one any more
    world.server.expunge("INBOX", [3])
    world.sync()
    assert len(local_tokens(world)) == 3 + touched
    world.assert_idle()


def test_deletes_keep_also_what_expunge_would_take(world):
    """A message with \\Deleted on both sides stays on both."""
    fill(world, "ab")
    world.write_config(deletes="keep", expunge=True)
    world.sync()
    uid = min(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["\\Deleted"])
    for _ in range(2):
        world.sync()
        assert local_tokens(world) == remote_tokens(world) == ["a", "b"]
    assert sorted(map(sorted, (f for _, f, _ in world.local.files(
        "INBOX")))) == [[], ["\\Deleted"]]
    world.assert_settled()
    # and without it goes
    world.write_config(deletes=None)
    world.sync("--full")
    assert local_tokens(world) == remote_tokens(world) == ["b"]


@pytest.mark.parametrize("how", ["pull", "push", "adopt"])
def test_expunge_takes_what_is_marked_when_it_comes(world, how):
    world.write_config(expunge=True)
    fill(world, "a")
    world.sync()
    if how != "push":
        fill(world, "b", flags=["\\Deleted"])
    if how != "pull":
        world.local.add("INBOX", message("b"), "1.b.host:2,T", "cur")
    world.sync()
    assert local_tokens(world) == remote_tokens(world) == ["a"]
    world.assert_settled()


@pytest.mark.parametrize("before", [
    {}, {"expunge": True, "direction": "pull"},
    {"expunge": True, "direction": "push"},
    {"expunge": True, "deletes": "keep"}])
def test_expunge_takes_what_was_marked_before_it_counts(world, before):
    fill(world, "abc")
    world.sync()
    world.write_config(**before)
    world.sync()
    if before.get("direction") == "push":
        path = min(p for _, _, p in world.local.files("INBOX")
                   if token(p) == "a")
        os.rename(path, world.root / "INBOX" / "cur" / (path.name + ":2,T"))
    else:
        world.server.store("INBOX", 1, "+FLAGS", ["\\Deleted"])
    world.server.close()
    world.sync()
    world.assert_idle()
    world.write_config(expunge=True, direction="both", deletes="sync")
    world.sync()
    assert local_tokens(world) == remote_tokens(world) == ["b", "c"]
    world.assert_settled()
    world.write_config(expunge=None)
    world.sync()
    world.assert_settled()


def test_deletes_keep_follows_moves(world):
    fill(world, "a")
    world.server.create("Work")
    world.write_config(deletes="keep")
    world.sync()
    world.server.select("INBOX")
    world.server.do("uid", "move", "1", "Work")
    assert world.summary()["moved"] == 1
    world.assert_settled()


def test_max_size(world):
    fill(world, "ab")
    world.server.append("INBOX", message("big", size=30000))
    world.local.add("INBOX", message("huge", size=40000), "huge.host")
    world.write_config(max_size="20K")
    world.sync()
    assert local_tokens(world) == ["a", "b", "huge"]
    assert remote_tokens(world) == ["a", "b", "big"]
    world.server.close()
    world.assert_idle()
    # neither is a delete, and both go once the limit lets them
    world.sync("--full")
    assert remote_tokens(world) == ["a", "b", "big"]
    world.write_config(max_size="35K")
    world.sync()
    assert local_tokens(world) == ["a", "b", "big", "huge"]
    assert remote_tokens(world) == ["a", "b", "big"]
    world.write_config(max_size=None)
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("how", [[], ["--full"]])
def test_a_copy_over_max_size_under_the_name_of_its_message(world, how):
    """It is skipped as long as the limit says so, though the message has a
    row and the same content."""
    world.server.append("INBOX", message("a", size=3000))
    world.sync()
    (_, _, path), = world.local.files("INBOX")
    copy = path.parent.parent / "tmp" / "q"
    shutil.copyfile(path, copy)
    copy.rename(path.parent.parent / "cur" / (path.name + ":2,F"))
    world.write_config(max_size="1K")
    world.sync()
    world.local.add("INBOX", message("b"), "b.host")
    world.sync(*how)
    world.assert_idle()
    assert remote_tokens(world) == ["a", "b"]
    world.write_config(max_size=None)
    world.sync()
    assert remote_tokens(world) == ["a", "a", "b"]
    world.assert_settled()


def test_a_file_over_max_size_is_read_once(world):
    fill(world, "ab")
    huge = world.local.add("INBOX", message("huge", size=40000), "huge.host")

    def read_since():
        return huge.stat().st_atime_ns != 10 ** 9

    def forget():
        os.utime(huge, ns=(10 ** 9, huge.stat().st_mtime_ns))

    world.write_config(max_size="20K")
    forget()
    world.sync()
    if not read_since():
        pytest.skip("the file system keeps no time of access")
    forget()
    world.local.add("INBOX", message("small"), "small.host")
    world.sync()
    assert not read_since()
    assert remote_tokens(world) == ["a", "b", "small"]
    world.write_config(max_size=None)
    world.sync()
    assert remote_tokens(world) == ["a", "b", "huge", "small"]
    world.assert_settled()


def test_max_size_on_a_plain_server(world):
    fill(world, "ab")
    world.server.append("INBOX", message("big", size=30000))
    world.write_config(max_size="20K",
                       disable_extensions=["qresync", "condstore"])
    world.sync()
    assert local_tokens(world) == ["a", "b"]
    world.server.close()
    world.assert_idle()
    world.write_config(max_size=None)
    world.sync()
    world.assert_settled()


def test_max_age(world):
    now = time.time()
    world.server.append("INBOX", message("old"), when=now - 40 * 86400)
    world.server.append("INBOX", message("young"), when=now - 86400)
    world.write_config(max_age=30)
    world.sync()
    assert local_tokens(world) == ["young"]
    world.server.close()
    world.assert_idle()
    world.write_config(max_age=50)
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("side", ["here", "there"])
@pytest.mark.parametrize("settings", [{"max_size": "20K"}, {"max_age": 30}])
def test_what_is_over_a_limit_by_now_moves(world, settings, side):
    """It is not new: nothing of it is carried over, and it stays on both
    sides."""
    world.server.create("Work")
    world.server.append("INBOX", message("a", size=30000),
                        when=time.time() - 40 * 86400)
    fill(world, "b")
    world.sync()
    world.write_config(**settings)
    if side == "here":
        (_, _, path), = [f for f in world.local.files("INBOX")
                         if token(f[2]) == "a"]
        os.rename(path, world.root / "Work" / "cur" / (path.name + ":2,"))
    else:
        world.server.select("INBOX")
        world.server.do("uid", "move", "1", "Work")
        world.server.close()
    assert world.summary()["moved"] == 1
    assert local_tokens(world, "Work") == remote_tokens(world, "Work") == ["a"]
    assert local_tokens(world) == remote_tokens(world) == ["b"]
    world.assert_settled()


def test_a_dry_run_prints_the_case_of_each_policy(world):
    fill(world, "ab", flags=["\\Seen"])
    world.server.create("Work")
    world.write_config(deletes="keep", max_size="20K")
    world.sync()
    expunge(world, "INBOX", 1)
    world.server.append("INBOX", message("big", size=30000))
    (_, _, path), = [f for f in world.local.files("INBOX")
                     if token(f[2]) == "b"]
    os.rename(path, world.root / "Work" / "cur" / path.name)
    done = world.sync("--dry-run", "--json")
    cases = sorted(json.loads(line)["case"] for line in done.out.splitlines()
                   if "case" in json.loads(line))
    assert cases == [21, 28, 29], done.out


# a mailbox that is gone on one side, and stays on the other


@pytest.mark.parametrize("deletes", ["sync", "keep"])
def test_pull_makes_a_mailbox_again_for_new_mail(world, deletes):
    world.server.create("A")
    fill(world, "abc", "A")
    world.write_config(direction="pull", deletes=deletes)
    world.sync()
    shutil.rmtree(world.root / "A")
    # what was deleted here stays away, and the mailbox as well
    world.server.store("A", 1, "+FLAGS", ["\\Seen"])
    world.server.close()
    world.sync()
    assert world.local.mailboxes() == ["INBOX"]
    world.assert_idle()
    world.server.append("A", message("new"))
    world.server.close()
    plan = world.sync("--dry-run")
    assert "pull A" in plan.out
    before = world.server.everything()
    world.sync("--trace", str(world.trace))
    assert_server_untouched(world)
    assert world.server.everything() == before
    assert local_tokens(world, "A") == ["new"]
    world.server.close()
    world.assert_idle()
    world.sync("--full")
    assert local_tokens(world, "A") == ["new"]
    world.server.append("A", message("newer"))
    world.sync("home:A")
    assert local_tokens(world, "A") == ["new", "newer"]


def test_pull_costs_nothing_for_a_mailbox_that_was_deleted_here(world):
    world.server.create("A")
    fill(world, "abc", "A")
    world.write_config(direction="pull")
    world.sync()
    shutil.rmtree(world.root / "A")
    world.sync()
    world.sync("--trace", str(world.trace))
    assert not [c for c in world.commands() if c.startswith(b"EXAMINE")]


@pytest.mark.parametrize("how", [{"deletes": "keep"}, {"direction": "push"},
                                 {"direction": "push", "deletes": "keep"}])
def test_a_mailbox_that_was_kept_is_made_again_for_new_mail(world, how):
    world.server.create("A")
    fill(world, "abc", "A")
    world.sync()
    world.write_config(**how)
    world.server.do("delete", "A")
    world.server.close()
    world.sync()
    assert world.server.mailboxes() == ["INBOX"]
    assert local_tokens(world, "A") == ["a", "b", "c"]
    world.server.close()
    world.assert_idle()
    # others change, and that is no new mail
    name = world.local.files("A")[0][2]
    os.rename(name, str(name) + "S")
    world.sync()
    assert world.server.mailboxes() == ["INBOX"]
    world.server.close()
    world.assert_idle()
    world.local.add("A", message("new"), "new.host", "new")
    assert "push A" in world.sync("--dry-run").out
    s = world.summary()
    assert s["pushed"] == 1
    assert remote_tokens(world, "A") == ["new"]
    assert local_tokens(world, "A") == ["a", "b", "c", "new"]
    world.server.close()
    world.assert_idle()
    world.sync("--full")
    assert remote_tokens(world, "A") == ["new"]
    world.server.close()
    # and once more, with what is on both sides by now
    world.server.do("delete", "A")
    world.server.close()
    world.sync()
    world.local.add("A", message("newer"), "newer.host", "new")
    world.sync()
    assert remote_tokens(world, "A") == ["newer"]
    assert local_tokens(world, "A") == ["a", "b", "c", "new", "newer"]
    world.server.close()
    world.assert_idle()


def test_a_mailbox_that_was_kept_and_comes_back(world):
    """What is in it there is what is here; what it lacks goes up again, as
    its numbers are others."""
    world.write_config(deletes="keep")
    world.server.create("A")
    fill(world, "abc", "A")
    world.sync()
    world.server.do("delete", "A")
    world.server.close()
    world.sync()
    world.server.create("A")
    fill(world, "cd", "A")
    world.server.close()
    world.sync()
    assert local_tokens(world, "A") == ["a", "b", "c", "d"]
    world.assert_settled()


@pytest.mark.parametrize("new", [False, True])
def test_what_was_kept_stays_without_the_key(world, new):
    """Of a mailbox that was made again only what is its own goes with it."""
    world.write_config(deletes="keep")
    world.server.create("A")
    fill(world, "abc", "A")
    world.sync()
    world.server.do("delete", "A")
    world.server.close()
    world.local.add("A", message("own"), "own.host", "new")
    world.sync()
    assert remote_tokens(world, "A") == ["own"]
    world.write_config(deletes=None)
    world.server.close()
    world.server.do("delete", "A")
    world.server.close()
    if new:
        world.local.add("A", message("new"), "new.host", "new")
    world.sync()
    if new:
        assert remote_tokens(world, "A") == ["new"]
    assert ("A" in world.server.mailboxes()) == new
    assert local_tokens(world, "A") == ["a", "b", "c"] + ["new"] * new
    world.server.close()
    world.assert_idle()


# what was left out, once the configuration allows it


def change_flags(world):
    """Flags of "f": each side adds and removes; "d" and "e": one of them."""
    files = {token(p): p for _, _, p in world.local.files("INBOX")}
    uid = dict(zip("abcdef", sorted(
        world.server.messages("INBOX", bodies=False))))
    os.rename(files["f"], str(files["f"]).split(":")[0] + ":2,F")
    world.server.store("INBOX", uid["f"], "+FLAGS", ["\\Answered"])
    os.rename(files["e"], str(files["e"]).split(":")[0] + ":2,")
    world.server.store("INBOX", uid["d"], "-FLAGS", ["\\Seen"])
    return uid


@pytest.mark.parametrize("direction", ["pull", "push"])
@pytest.mark.parametrize("later", [False, True])
def test_what_a_direction_left_out_follows_without_it(world, direction, later):
    """LATER: more happens to the same messages meanwhile."""
    world.server.create("Sent")
    world.local.make("Mine")
    fill(world, flags=["\\Seen"])
    world.sync()
    world.write_config(direction=direction)
    world.sync()
    uid = change_flags(world)
    world.local.add("Sent", message("l"), "new.host", "new")
    world.server.append("Sent", message("r"))
    world.local.add("Mine", message("m"), "mine.host", "new")
    files = {token(p): p for _, _, p in world.local.files("INBOX")}
    files["a"].unlink()
    expunge(world, "INBOX", uid["b"])
    os.rename(files["c"], world.root / "Sent" / "cur" / files["c"].name)
    world.server.close()
    world.sync()
    world.server.close()
    world.assert_idle()
    if later:
        world.server.store("INBOX", uid["f"], "+FLAGS", ["\\Draft"])
        files = {token(p): p for _, _, p in world.local.files("INBOX")}
        os.rename(files["f"], str(files["f"]) + "T")
        world.sync()
        world.server.store("INBOX", uid["f"], "-FLAGS", ["\\Draft"])
        world.sync()
        world.server.close()
        world.assert_idle()
    world.write_config(direction=None)
    assert world.sync("--dry-run").out
    world.sync()
    world.assert_settled()
    assert local_tokens(world) == ["d", "e", "f"]
    assert local_tokens(world, "Sent") == ["c", "l", "r"]
    assert local_tokens(world, "Mine") == ["m"]
    flags = {token(p): f for _, f, p in world.local.files("INBOX")}
    assert flags == {"d": set(), "e": set(), "f": {"\\Flagged", "\\Answered"}
                     | ({"\\Deleted"} if later else set())}


def test_flags_that_pull_left_here_stay_when_the_server_changes_others(world):
    """The directory was not read again when the server's change comes."""
    fill(world, "a")
    world.write_config(direction="pull")
    world.sync()
    (_, _, path), = world.local.files("INBOX")
    os.rename(path, world.root / "INBOX" / "cur" / (path.name + ":2,F"))
    world.sync()
    world.assert_idle()
    world.run("journal", "verify", world.account)
    for sign, shown in (("+", {"\\Flagged", "\\Seen"}), ("-", {"\\Flagged"})):
        world.server.store("INBOX", 1, sign + "FLAGS", ["\\Seen"])
        world.sync()
        assert world.local.files("INBOX")[0][1] == shown
        status = json.loads(world.run("status", "--json").out)
        assert status["unread"] == ("\\Seen" not in shown)
        world.server.close()
        world.assert_idle()
    world.write_config(direction=None)
    world.sync()
    world.assert_settled()
    assert world.local.files("INBOX")[0][1] == {"\\Flagged"}


def test_what_pull_found_on_both_sides_is_united_without_it(world):
    world.server.append("INBOX", message("a"), ["\\Seen"], 1700000000)
    world.local.add("INBOX", message("a"), "a.host:2,F")
    world.write_config(direction="pull")
    world.sync()
    assert world.local.files("INBOX")[0][1] == {"\\Seen", "\\Flagged"}
    world.server.close()
    world.assert_idle()
    world.write_config(direction=None)
    world.sync()
    world.assert_settled()
    assert world.local.files("INBOX")[0][1] == {"\\Seen", "\\Flagged"}


def test_a_direction_that_changes_costs_one_look(world):
    fill(world)
    world.sync()
    for direction in ("pull", None, "push", None):
        world.write_config(direction=direction)
        world.sync()
        world.server.close()
        world.assert_idle()


# what policy keeps on one side is no finding


def test_verify_knows_what_was_kept(world):
    world.server.create("Old")
    for box in ("INBOX", "Old"):
        for k in range(3):
            world.server.append(box, message("%s%d" % (box, k)))
    world.server.append("INBOX", message("large", size=5000))
    world.write_config(direction="pull", deletes="keep", max_size="2K")
    world.sync()
    world.server.expunge("INBOX", [1])
    world.server.do("delete", "Old")
    world.sync()
    assert len(world.local.files("INBOX")) == 3
    assert len(world.local.files("Old")) == 3
    for where in [], ["--remote"]:
        out = world.run("journal", "verify", "home", *where).out
        assert out == "home: 0 findings\n"
    # but what else differs still is one
    world.server.append("INBOX", message("new"))
    world.local.add("INBOX", b"Subject: x\n\nx\n", "1.x.host")
    out = world.run("journal", "verify", "home", "--remote", status=65).out
    assert len(out.splitlines()) == 3
    assert "1.x.host" in out and "on the server, not in the journal" in out
