"""mochila explain: what is known of a message, and what sync would do."""

import json
import os
import shutil

from world import canonical, digest, message


def explain(world, what, *args, status=0):
    """The one JSON object; the text for people must come as well."""
    done = world.run("explain", str(what), "--json", *args, status=status)
    text = world.run("explain", str(what), *args, status=status)
    if status != 0:
        assert done.out == "" and text.out == "", done.out
        assert done.err != "" and done.err == text.err
        return done.err
    line, = done.out.splitlines()
    x = json.loads(line)
    assert text.out.startswith("home:" + x["mailbox"])
    for step in x["next"]:
        assert "next sync" in text.out and step["text"] in text.out
    x["said"] = text.out
    return x


def steps(x):
    return [(s["op"], s.get("case")) for s in x["next"]]


def pending(world):
    done = world.run("status", "--json")
    return sum(json.loads(s)["pending"] for s in done.out.splitlines())


def one(world, box="INBOX", flags=("\\Seen",), token="m"):
    world.server.append(box, message(token), flags, 1700000000)
    world.sync()
    (_, _, path), = world.local.files(box)
    uid, = world.server.messages(box)
    return path, uid


def nothing_changed(world, before, txn):
    assert world.local.snapshot() == before
    assert world.txnid() == txn


def test_an_unchanged_message(world):
    path, uid = one(world)
    before, txn = world.local.snapshot(), world.txnid()
    row, = world.dump()
    for what in (path, "home:INBOX:%d" % uid, "home:inbox:%d" % uid):
        x = explain(world, what)
        assert steps(x) == [("none", 1)]
        assert x["next"][0]["text"] == "nothing to do"
        assert "next sync     case 1: nothing to do\n" in x["said"]
        assert (x["account"], x["mailbox"], x["uid"]) == (
            "home", "INBOX", uid)
        assert x["file"] == row["file"] and x["on_disk"] is True
        assert x["sha256"] == digest(path.read_bytes()) == row["sha256"]
        assert x["size"] == len(canonical(path.read_bytes()))
        assert x["modseq"] == row["modseq"]
        assert x["date"] == 1700000000
        assert x["agreed_here"] == x["agreed_there"] == x["now_here"] == {
            "flags": ["\\Seen"], "keywords": []}
        assert x["uidvalidity"] > 0 and x["asked"] and x["in_journal"]
        assert "hold" not in x and x["same_content"] == []
    nothing_changed(world, before, txn)


def test_every_form_of_a_path(world, monkeypatch):
    path, uid = one(world)
    link = world.base / "link"
    link.symlink_to(world.root)
    monkeypatch.chdir(path.parent)
    other = path.name.split(":2,")[0] + ":2,FRS"
    for what in (path.name, "./" + path.name,
                 "../../INBOX/cur/" + path.name,
                 link / "INBOX" / "cur" / path.name,
                 path.parent / other, other, path.name.split(":2,")[0],
                 path.parent.parent / "new" / path.name.split(":2,")[0]):
        x = explain(world, what)
        assert x["uid"] == uid and steps(x) == [("none", 1)], what


def test_a_flag_changed_here(world):
    path, uid = one(world)
    new = path.with_name(path.name.split(":2,")[0] + ":2,FS")
    path.rename(new)
    before, txn = world.local.snapshot(), world.txnid()
    # by the name that it had, that it has, and by its address
    for what in (path, new, "home:INBOX:%d" % uid):
        x = explain(world, what)
        assert steps(x) == [("flags on server", 2)]
        assert "\\Flagged" in x["next"][0]["text"]
        assert x["now_here"]["flags"] == ["\\Flagged", "\\Seen"][::-1]
        assert x["agreed_here"]["flags"] == ["\\Seen"]
        assert "flags now" in x["said"]
    nothing_changed(world, before, txn)


def test_a_flag_changed_there(world):
    path, uid = one(world)
    world.server.store("INBOX", uid, "+FLAGS", ["\\Answered", "work"])
    x = explain(world, path)
    assert steps(x) == [("flags here", 3)]
    assert "work" in x["next"][0]["text"]


def test_a_new_file(world):
    world.sync()
    path = world.local.add("INBOX", message("new"), "1.new.host")
    x = explain(world, path)
    assert steps(x) == [("push", 10)]
    assert "uid" not in x and not x["in_journal"] and x["on_disk"]
    assert x["sha256"] == digest(message("new"))
    assert "not in the journal" in x["said"]
    # "agreed here: none" would be no agreement
    assert "flags now     no flags\n" in x["said"]


def test_a_new_file_in_a_new_mailbox(world):
    world.sync()
    path = world.local.add("Work", message("new"), "1.new.host")
    x = explain(world, path)
    assert ("push", 10) in steps(x)
    assert ("create on server", 103) in steps(x)


def test_a_new_message_on_the_server(world):
    world.sync()
    world.server.append("INBOX", message("new"))
    uid, = world.server.messages("INBOX")
    x = explain(world, "home:INBOX:%d" % uid)
    assert steps(x) == [("pull", 11)]
    assert not x["in_journal"]
    # the journal alone does not know it
    err = explain(world, "home:INBOX:%d" % uid, "--offline", status=66)
    assert "in the journal or the Maildir" in err


def test_deleted_there_and_deleted_here(world):
    path, uid = one(world)
    world.server.expunge("INBOX", [uid])
    for what in (path, "home:INBOX:%d" % uid):
        x = explain(world, what)
        assert steps(x) == [("delete here", 7)] and x["on_disk"]
    world.sync()
    path, uid = one(world, token="other")
    path.unlink()
    for what in (path, "home:INBOX:%d" % uid):
        x = explain(world, what)
        assert steps(x) == [("delete on server", 5)]
        assert x["on_disk"] is False and "(not there)" in x["said"]


def test_moved_to_another_mailbox(world):
    world.server.create("Work")
    path, uid = one(world)
    target = world.root / "Work" / "cur" / "9.another-name.host:2,S"
    path.rename(target)
    for what in (target, "home:INBOX:%d" % uid):
        x = explain(world, what)
        (op, case), = steps(x)
        assert case == 21 and x["next"][0]["from"] == "INBOX", what
        assert x["next"][0]["from_uid"] == uid
        assert x["next"][0]["mailbox"] == "Work"
    x = explain(world, target)
    assert x["same_content"] == [{"mailbox": "INBOX", "uid": uid}]
    assert "same content  INBOX:%d\n" % uid in x["said"]


def test_a_message_on_hold(world):
    """With a NUL it cannot go up; it says so, and when it is tried again."""
    world.sync()
    path = world.local.add("INBOX", message("nul") + b"a\0b\r\n", "1.nul.host")
    world.sync(status=65)
    for args in ((), ("--offline",)):
        x = explain(world, path, *args)
        hold = x["hold"]
        assert hold["kind"] == "retry" and hold["tries"] == 1
        assert hold["reason"] and hold["next"] > 1700000000
        assert "on hold       " in x["said"] and hold["reason"] in x["said"]
        assert "tried again after" in x["said"]
    x = explain(world, path)
    assert steps(x) == [("wait", 13)]


def test_a_message_that_is_too_large(world):
    world.write_config(max_size="1K")
    world.server.append("INBOX", message("big", size=5000))
    world.sync(status=None)
    uid, = world.server.messages("INBOX")
    x = explain(world, "home:INBOX:%d" % uid)
    assert x["hold"]["kind"] == "skipped"
    assert [case for _, case in steps(x)] == [29]
    assert pending(world) == 0
    assert "octets" in x["said"]


def test_a_message_that_was_kept(world):
    path, uid = one(world)
    world.write_config(deletes="keep")
    world.server.expunge("INBOX", [uid])
    x = explain(world, path)
    assert steps(x) == [("keep", 28)]
    world.sync()
    x = explain(world, path)
    assert x["hold"]["kind"] == "kept" and x["on_disk"]
    assert steps(x) == [("none", 28)] and "uid" not in x
    err = explain(world, "home:INBOX:%d" % uid, status=66)
    assert "1 message) is known by its file" in err
    # it waits for nothing, also when the directory has changed
    assert pending(world) == 0
    world.local.add("INBOX", message("new"), "1.new.host")
    assert pending(world) == 1


def test_a_server_that_is_not_written_to(world):
    path, uid = one(world)
    world.write_config(direction="pull")
    new = path.with_name(path.name.split(":2,")[0] + ":2,FS")
    path.rename(new)
    # the journal is to note the name; nothing goes up
    x = explain(world, new)
    assert steps(x) == [("record", 2), ("none", None)]
    assert "direction: pull" in x["said"]
    path = world.local.add("INBOX", message("new"), "1.new.host")
    x = explain(world, path)
    assert steps(x) == [("none", None)]
    assert "direction: pull" in x["said"]


def test_a_delete_that_is_held_back(world):
    for i in range(30):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    files = world.local.files("INBOX")
    for _, _, path in files[:25]:
        path.unlink()
    x = explain(world, files[0][2])
    assert [op for op, _ in steps(x)] == ["held"]
    assert "--allow-deletes" in x["next"][0]["text"]
    # one that is still there
    x = explain(world, files[29][2])
    assert "--allow-deletes" in x["said"]


def test_the_other_layout(world):
    world.write_config(layout="maildir++")
    world.server.create("Work")
    for box, path in (("INBOX", ""), ("Work", ".Work/")):
        world.server.append(box, message(box))
    world.sync()
    for box, path in (("INBOX", ""), ("Work", ".Work/")):
        name, = os.listdir(world.root / path / "new")
        x = explain(world, world.root / path / "new" / name)
        assert (x["mailbox"], x["uid"]) == (box, 1)
        assert x["file"] == path + "new/" + name
        assert steps(x) == [("none", 1)]


def test_unknown_messages(world):
    path, uid = one(world)
    err = explain(world, "home:INBOX:%d" % (uid + 7), status=66)
    assert "here or on the server" in err
    explain(world, "home:None:1", status=66)
    explain(world, path.with_name("9.not-there.host:2,"), status=66)
    explain(world, world.base / "not-there", status=66)
    assert "no account 'work'" in explain(world, "work:INBOX:1", status=64)
    for what in ("home:INBOX", "home:INBOX:x", "home:INBOX:0"):
        assert "home:INBOX:12" in explain(world, what, status=64)
    assert "is no file" in explain(world, world.root, status=64)
    # the account left out
    assert "home:INBOX:12" in explain(world, "INBOX:%d" % uid, status=64)


def test_a_file_outside_any_account_is_known_by_its_content(world):
    path, uid = one(world)
    copy = world.base / "saved.eml"
    for data in (path.read_bytes(), canonical(path.read_bytes())):
        copy.write_bytes(data)
        x = explain(world, copy)
        assert x["uid"] == uid and steps(x) == [("none", 1)]
    copy.write_bytes(path.read_bytes() + b"x")
    assert "saved.eml" in explain(world, copy, status=66)


def test_two_accounts(world):
    """A file belongs to the account whose Maildir it is in."""
    path, uid = one(world)
    second = world.base / "Second"
    with open(world.config, "a") as f:
        f.write("  other: {host: localhost, port: 1, tls: none, user: x, "
                "password: y, maildir: %s}\n" % json.dumps(str(second)))
    (second / "INBOX" / "cur").mkdir(parents=True)
    (second / "INBOX" / "new").mkdir()
    alien = second / "INBOX" / "cur" / path.name
    shutil.copy(path, alien)
    done = world.run("explain", str(alien), "--json", "--offline")
    x = json.loads(done.out)
    assert x["account"] == "other" and not x["in_journal"]
    assert explain(world, path, "--offline")["account"] == "home"


def test_without_the_server(world):
    path, uid = one(world)
    x = explain(world, path, "--offline")
    assert x["asked"] is False and x["next"] == [] and "error" not in x
    assert "--offline" in x["said"]
    world.write_config(port=1)
    done = world.run("explain", str(path), "--json")
    x = json.loads(done.out)
    assert x["uid"] == uid and x["asked"] is False and x["next"] == []
    assert x["error"] and x["error"] in done.err
    done = world.run("explain", str(path))
    assert "a run would end: " + x["error"] in done.out
    # what the journal does not know, the server would have to be asked for
    world.run("explain", "home:INBOX:99", status=69)
    assert uid == x["uid"]


def test_before_the_first_sync(world):
    world.server.append("INBOX", message("m"))
    uid, = world.server.messages("INBOX")
    x = explain(world, "home:INBOX:%d" % uid)
    assert ("pull", 11) in steps(x)
    assert not (world.state / "home" / "journal").exists()
    path = world.local.add("INBOX", message("m"), "1.same.host")
    x = explain(world, path)
    assert ("adopt", 12) in steps(x) and x["on_disk"]


def test_a_mailbox_that_is_not_synced(world):
    world.server.create("Spam")
    path, uid = one(world, "Spam")
    world.write_config(mailboxes=["*", "!Spam"])
    x = explain(world, path)
    assert steps(x) == [("none", None)]
    assert "not synced" in x["next"][0]["text"] and x["uid"] == uid


def test_names_of_files_that_are_no_text(world):
    world.sync()
    raw = os.fsencode(str(world.root / "INBOX" / "cur")) + b"/1.\xff.host:2,"
    with open(raw, "wb") as f:
        f.write(message("raw"))
    done = world.run("explain", raw, "--json")
    x = json.loads(done.out)
    assert bytes.fromhex(x["file_hex"]) == b"INBOX/cur/1.\xff.host:2,"
    assert steps(x) == [("push", 10)]
