"""What a person sees every day: new mail, flags, deletes, mailboxes."""

import json
import os
import signal
import subprocess

from world import SYSTEM, canonical, digest, message


def only(mapping):
    assert len(mapping) == 1, mapping
    return next(iter(mapping.values()))


def test_first_sync_of_an_empty_account(world):
    world.sync()
    assert "INBOX" in world.local.mailboxes()
    world.assert_settled()


def test_new_mail_comes_down(world):
    when = 1700000000
    world.server.append("INBOX", message("a"), when=when)
    world.server.append("INBOX", message("b"), ["\\Seen", "\\Flagged"], when)
    world.sync()
    files = world.local.files("INBOX")
    assert [name.split("/")[0] for name, _, _ in files] == ["new", "cur"]
    for _, _, path in files:
        assert path.stat().st_mtime == when
        assert b"\r" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    world.assert_settled()


def test_new_mail_goes_up_and_keeps_its_name(world):
    world.sync()
    when = 1600000000
    world.local.add("INBOX", message("up").replace(b"\r\n", b"\n"),
                    "1600.x.host:2,FS", "cur", when)
    world.local.add("INBOX", message("new"), "1601.y.host", "new", when)
    world.sync()
    names = [name for name, _, _ in world.local.files("INBOX")]
    assert names == ["new/1601.y.host", "cur/1600.x.host:2,FS"]
    for m in world.server.messages("INBOX").values():
        assert m["date"] == when
    world.assert_settled()


def test_flags_both_ways(world):
    for token in "abcdef":
        world.server.append("INBOX", message(token), ["\\Seen"])
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    for uid, flag in zip(uids, SYSTEM):
        world.server.store("INBOX", uid, "+FLAGS", [flag])
    world.server.store("INBOX", uids[-1], "-FLAGS", ["\\Seen"])
    for n, (_, _, path) in enumerate(world.local.files("INBOX")):
        base, info = str(path).split(":2,")
        letters = set(info) ^ {"RFSDTP"[n]}
        os.rename(path, base + ":2," + "".join(sorted(letters)))
    world.sync()
    world.assert_settled()


def test_keywords_both_ways(world):
    world.server.append("INBOX", message("a"), ["work", "\\Seen"])
    world.server.append("INBOX", message("b"))
    world.sync()
    assert "work" in world.local.letters("INBOX").values()
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["home", "$Label1"])
    world.sync()
    world.assert_settled()
    letter = {v: k for k, v in world.local.letters("INBOX").items()}["work"]
    for name, flags, path in world.local.files("INBOX"):
        if "home" in flags:
            os.rename(path, str(path) + letter)
        else:
            base, info = str(path).rsplit(":2,", 1)
            os.rename(path, base + ":2," + info.replace(letter, ""))
    world.sync()
    seen = {frozenset(m["flags"])
            for m in world.server.messages("INBOX").values()}
    assert frozenset({"work", "home", "$Label1"}) in seen
    assert frozenset({"\\Seen"}) in seen
    world.assert_settled()


def test_more_keywords_than_letters(world):
    names = ["keyword%02d" % n for n in range(40)]
    world.server.append("INBOX", message("a"), names[:20])
    world.server.append("INBOX", message("b"), names[20:])
    world.sync()
    assert len(world.local.letters("INBOX")) == 26
    world.assert_idle()
    on_server = [m["flags"] for m in world.server.messages("INBOX").values()]
    assert sorted(map(sorted, on_server)) == [names[:20], names[20:]]
    # a flag change does not take away what the file name cannot show
    for name, _, path in world.local.files("INBOX"):
        os.rename(path, str(path) + "S" if ":2," in str(path)
                  else str(path) + ":2,S")
    world.sync()
    on_server = [m["flags"] for m in world.server.messages("INBOX").values()]
    assert all("\\Seen" in f for f in on_server)
    assert sorted(len(f) for f in on_server) == [21, 21]
    world.assert_idle()


def test_keyword_table_that_got_lost_is_mended(world):
    world.server.append("INBOX", message("a"), ["work"])
    world.sync()
    os.unlink(world.root / "INBOX" / "dovecot-keywords")
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["home"])
    world.sync()
    assert only(world.server.messages("INBOX"))["flags"] == {"work", "home"}
    world.assert_settled()


def test_unknown_letters_of_others_are_kept(world):
    world.sync()
    world.local.add("INBOX", message("a"), "1.x.host:2,SZq", "cur")
    world.sync()
    uid = max(world.server.messages("INBOX", bodies=False))
    assert world.server.messages("INBOX")[uid]["flags"] == {"\\Seen"}
    world.server.store("INBOX", uid, "+FLAGS", ["\\Flagged", "work"])
    world.sync()
    name = world.local.files("INBOX")[0][0]
    info = name.split(":2,")[1]
    assert set("ZqSF") < set(info)
    letter = {v: k for k, v in world.local.letters("INBOX").items()}["work"]
    assert letter != "q" and letter in info
    world.assert_idle()


def test_deletes_both_ways(world):
    for token in "abcdef":
        world.server.append("INBOX", message(token))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    world.server.expunge("INBOX", [uids[0]])
    files = world.local.files("INBOX")
    gone = {r["uid"]: r["file"] for r in world.dump()}[uids[1]]
    os.unlink(world.root / gone)
    s = world.summary()
    assert (s["deleted_local"], s["deleted_remote"]) == (1, 1)
    assert len(world.local.files("INBOX")) == len(files) - 2
    assert sorted(world.server.messages("INBOX", bodies=False)) == uids[2:]
    world.assert_settled()


def test_others_deleted_flag_is_not_expunged(world):
    """UID EXPUNGE takes exactly ours (RFC 4315 section 2.1)."""
    for token in "abc":
        world.server.append("INBOX", message(token))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Deleted"])
    gone = {r["uid"]: r["file"] for r in world.dump()}[uids[1]]
    os.unlink(world.root / gone)
    world.sync()
    assert sorted(world.server.messages("INBOX", bodies=False)) == [
        uids[0], uids[2]]
    world.assert_settled()


def test_undo_brings_back_what_a_run_removed(world):
    for token in "abc":
        world.server.append("INBOX", message(token))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    lost = world.server.messages("INBOX")[uids[0]]["body"]
    world.server.expunge("INBOX", [uids[0]])
    world.sync()
    runs = os.listdir(world.state / "home" / "bin")
    assert len(runs) == 1
    world.run("undo", runs[0])
    world.sync()
    bodies = [m["body"] for m in world.server.messages("INBOX").values()]
    assert lost in bodies and len(bodies) == 3
    world.assert_settled()


def test_mailboxes_appear_on_the_other_side(world):
    world.server.create("work/2026/q4")
    world.server.append("work/2026/q4", message("deep"))
    world.server.create("&AOQ-rger")
    world.local.make("lists/mutt")
    world.local.add("lists/mutt", message("m"), "1.m.host")
    world.local.make("caf\u00e9")
    world.sync()
    assert "work/2026/q4" in world.local.mailboxes()
    assert "\u00e4rger" in world.local.mailboxes()
    assert "lists/mutt" in world.server.mailboxes()
    assert "caf&AOk-" in world.server.mailboxes()
    world.wire = {"\u00e4rger": "&AOQ-rger", "caf\u00e9": "caf&AOk-",
                  }.get
    wires = world.wire
    world.wire = lambda box: wires(box) or box
    world.wire_of_name = world.wire
    world.assert_settled()


def test_odd_mailbox_names_stay_inside_the_root(world):
    names = ["cur", "new", "tmp", " lead", "trail ", 'a"b', "a\\b", "a*b",
             "a%b", "a(b", "a]b", "a:2,S", "NIL", "#x", "x{3}", "&-", "'",
             "a;b", "$HOME", "-rf"]
    for name in names:
        world.server.create(name)
        world.server.append(name, message("in " + name))
    world.sync()
    count = 0
    for top, dirs, files in os.walk(world.root):
        if os.path.basename(top) in ("cur", "new"):
            count += len(files)
    assert count == len(names)
    assert sorted(os.listdir(world.base)) == [
        "Mail", "config.yaml", "home", "password", "state"]
    world.assert_idle()
    # and back: without a journal the same directories are the same names
    os.rename(world.state / "home" / "journal", world.base / "old-journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    assert len(world.server.mailboxes()) == len(names) + 1
    world.assert_idle()


def test_mailbox_deleted_on_the_server(world):
    world.server.create("old")
    for token in "ab":
        world.server.append("old", message(token))
    world.server.append("INBOX", message("stays"))
    world.sync()
    world.server.do("delete", "old")
    world.server.close()
    world.sync()
    assert "old" not in world.local.mailboxes()
    run = os.listdir(world.state / "home" / "bin")[0]
    world.assert_settled()
    world.run("undo", run)
    world.sync()
    assert len(world.server.messages("old")) == 2
    world.assert_settled()


def test_mailbox_deleted_here(world):
    world.server.create("old")
    for token in "ab":
        world.server.append("old", message(token))
    world.server.append("INBOX", message("stays"))
    world.sync()
    os.rename(world.root / "old", world.base / "moved-away")
    world.sync()
    assert world.server.mailboxes() == ["INBOX"]
    world.assert_settled()


def test_deleted_mailbox_with_new_mail_on_the_other_side_comes_back(world):
    for box in ("one", "two"):
        world.server.create(box)
        world.server.append(box, message("old " + box))
    world.sync()
    os.rename(world.root / "one", world.base / "moved-away")
    world.server.append("one", message("news one"))
    world.server.do("delete", "two")
    world.server.close()
    world.local.add("two", message("news two"), "1.n.host")
    world.sync()
    world.sync()
    assert [m["body"] for m in world.server.messages("one").values()] == [
        message("news one")]
    assert [m["body"] for m in world.server.messages("two").values()] == [
        message("news two")]
    world.assert_settled()


def test_maildirpp_layout(world):
    world.write_config(layout="maildir++")
    world.server.append("INBOX", message("a"))
    world.server.create("work/2026")
    world.server.append("work/2026", message("b"))
    world.sync()
    assert len(os.listdir(world.root / "new")) == 1
    assert len(os.listdir(world.root / ".work.2026" / "new")) == 1
    for sub in ("cur", "new", "tmp"):
        (world.root / ".lists.mutt" / sub).mkdir(parents=True)
    world.sync()
    assert "lists/mutt" in world.server.mailboxes()
    world.assert_idle()


def test_bytes_survive_the_way_down_and_up(world):
    odd = {
        "no final newline": b"Subject: x\r\n\r\nend",
        "bare cr": b"Subject: x\r\n\r\na\rb\r\n",
        "cr cr lf": b"Subject: x\r\n\r\na\r\r\nb\r\n",
        "8 bit": "Subject: \u00e4\r\n\r\n\u00f6\r\n".encode("latin-1"),
        "long line": b"Subject: x\r\n\r\n" + b"y" * 200000 + b"\r\n",
        "header only": b"Subject: only\r\n\r\n",
        "dots": b"Subject: x\r\n\r\n.\r\n..\r\n>From here\r\n",
        "big": message("big", size=3_000_000),
    }
    for data in odd.values():
        world.server.append("INBOX", data)
    world.sync()
    world.assert_settled()
    # the same files as new mail of another mailbox go up as they came
    world.local.make("copy")
    for n, (_, _, path) in enumerate(world.local.files("INBOX")):
        os.link(path, world.root / "copy" / "new" / ("%d.c.host" % n))
    world.sync()
    up = sorted(m["body"] for m in world.server.messages("copy").values())
    # (Dovecot itself takes one CR out of CR CR LF: what it holds counts)
    assert up == sorted(
        m["body"] for m in world.server.messages("INBOX").values())
    world.assert_settled()


def test_files_that_are_no_messages_are_left_alone(world):
    world.sync()
    cur = world.root / "INBOX" / "cur"
    (cur / ".hidden").write_text("x")
    (cur / "directory").mkdir()
    os.symlink("/etc/hostname", cur / "link")
    os.mkfifo(cur / "fifo")
    (world.root / "INBOX" / "dovecot-uidlist").write_text("3 V1 N1\n")
    (world.root / ".notmuch").mkdir()
    world.sync()
    assert world.server.messages("INBOX") == {}
    world.assert_idle()
    assert sorted(os.listdir(cur)) == [".hidden", "directory", "fifo", "link"]


def test_renamed_base_name_is_the_same_message(world):
    """mu4e gives a moved or changed message a new base name."""
    world.server.append("INBOX", message("a"))
    world.sync()
    _, _, path = world.local.files("INBOX")[0]
    os.rename(path, world.root / "INBOX" / "cur" / "other.base.name:2,S")
    s = world.summary()
    assert (s["pushed"], s["deleted_remote"], s["pulled"]) == (0, 0, 0)
    assert only(world.server.messages("INBOX"))["flags"] == {"\\Seen"}
    world.assert_settled()


def test_tls_with_verification(tls_world):
    world = tls_world
    world.server.append("INBOX", message("a"))
    world.sync()
    world.assert_settled()
    world.write_config(host="127.0.0.1")
    done = world.sync(status=69)
    assert "127.0.0.1" in done.err and len(done.err.splitlines()) == 1
    world.write_config(host="localhost", tls_ca=None)
    done = world.sync(status=69)
    assert "certificate" in done.err


def test_one_connection_and_no_select_when_nothing_is_to_be_done(world):
    for n in range(5):
        world.server.create("box%d" % n)
        world.server.append("box%d" % n, message("m%d" % n))
    world.sync()
    world.assert_settled()
    words = [c.split(b" ")[0].upper() for c in world.commands()]
    assert b"SELECT" not in words and b"EXAMINE" not in words
    s = world.summary()
    assert s["round_trips"] <= 7


def test_dry_run_touches_nothing(world):
    world.server.append("INBOX", message("a"))
    world.server.create("there")
    world.local.add("here", message("b"), "1.b.host")
    before = world.local.snapshot()
    done = world.sync("--dry-run", "--trace", str(world.trace))
    assert "case 11" in done.out and "case 10" in done.out
    assert world.local.snapshot() == before
    assert not world.state.exists()
    assert world.server.mailboxes() == ["INBOX", "there"]
    world.sync()
    txn = world.txnid()
    world.server.append("INBOX", message("c"))
    before = world.local.snapshot()
    done = world.sync("--dry-run")
    assert "case 11" in done.out
    assert world.local.snapshot() == before and world.txnid() == txn
    world.sync()
    world.assert_settled()


def test_dump_status_and_verify(world):
    world.server.append("INBOX", message("a"), ["\\Seen", "work"])
    world.server.append("INBOX", message("b"))
    world.sync()
    rows = sorted(world.dump(), key=lambda r: r["uid"])
    bodies = world.server.messages("INBOX")
    for row in rows:
        assert row["mailbox"] == "INBOX"
        assert row["sha256"] == digest(bodies[row["uid"]]["body"])
        assert row["size"] == len(bodies[row["uid"]]["body"])
        assert (world.root / row["file"]).is_file()
        assert int(row["modseq"]) > 0
    assert rows[0]["flags"] == ["\\Seen"]
    assert rows[0]["keywords"] == ["work"]
    table = world.run("status").out
    assert "INBOX" in table
    status = [json.loads(x) for x in
              world.run("status", "--json").out.splitlines()]
    box = [s for s in status if s.get("mailbox") == "INBOX"][0]
    assert (box["messages"], box["unread"], box["pending"]) == (2, 1, 0)
    world.run("journal", "verify", "home")
    world.run("journal", "verify", "home", "--remote")
    name, _, path = world.local.files("INBOX")[0]
    path.write_bytes(path.read_bytes() + b"tampered\n")
    done = world.run("journal", "verify", "home", status=65)
    assert os.path.basename(name) in done.out + done.err


def test_full_notices_a_file_edited_in_place(world):
    world.server.append("INBOX", message("a"))
    world.sync()
    _, _, path = world.local.files("INBOX")[0]
    edited = canonical(message("edited"))
    path.write_bytes(edited)
    world.sync("--full")
    bodies = [m["body"] for m in world.server.messages("INBOX").values()]
    assert bodies == [edited]
    world.assert_settled()


def test_full_notices_an_edit_of_a_file_that_was_renamed_too(world):
    world.server.append("INBOX", message("a"))
    world.sync()
    _, _, path = world.local.files("INBOX")[0]
    edited = message("e").replace(b"\r\n", b"\n")
    path.write_bytes(edited)
    os.utime(path, (1600000005, 1600000005))
    os.rename(path, path.parent.parent / "cur" / (path.name + ":2,S"))
    world.sync("--full")
    bodies = [m["body"] for m in world.server.messages("INBOX").values()]
    assert bodies == [canonical(edited)]
    world.assert_settled()


def test_verbose_and_quiet(world):
    world.server.append("INBOX", message("a"))
    done = world.sync("-v")
    assert "INBOX" in done.out + done.err
    world.server.append("INBOX", message("b"))
    done = world.sync()
    assert done.out == "" and done.err == ""


def test_a_mailbox_by_name(world):
    for box in ("one", "two"):
        world.server.create(box)
        world.server.append(box, message(box))
    world.sync("home:one")
    assert world.local.mailboxes() == ["one"]
    world.sync("home:nosuch", status=64)
    world.sync("nosuch", status=64)
    world.sync()
    world.assert_settled()


def test_an_account_that_is_not_there(world):
    """What there is fits the line, or is not told by halves."""
    def no_account(name, n):
        names = ["account-%03d" % i for i in range(n)]
        world.config.write_text("accounts:\n" + "".join(
            "  %s: {host: x, user: y, password: z, maildir: /nowhere/%s}\n"
            % (a, a) for a in names))
        return world.sync(name, status=64).err.replace(
            " in %s" % world.config, "").removeprefix("mochila: ")

    assert no_account("work", 1) == "no account 'work'; there is account-000\n"
    assert no_account("work", 2) == \
        "no account 'work'; there are account-000, account-001\n"
    assert no_account("work", 100) == "no account 'work'; there are 100\n"
    assert no_account("acount-042", 100) == \
        "no account 'acount-042'; did you mean 'account-042'?\n"


def test_patterns_leave_mailboxes_out(world):
    world.write_config(mailboxes=["*", "!Spam"])
    world.server.create("Spam")
    world.server.append("Spam", message("s"))
    world.sync()
    assert world.local.mailboxes() == ["INBOX"]
    world.assert_idle()


def test_a_mailbox_that_is_no_more_synced_has_nothing_pending(world):
    world.server.create("Old")
    world.server.append("Old", message("a"))
    world.sync()
    world.write_config(mailboxes=["*", "!Old"])
    world.local.add("Old", message("b"), "1.b.host")
    world.local.add("INBOX", message("c"), "1.c.host")
    shown = [json.loads(s) for s in
             world.run("status", "--json").out.splitlines()]
    assert [(s["mailbox"], s["pending"]) for s in shown] == [("INBOX", 1)]
    world.sync()
    assert len(world.server.messages("Old")) == 1
    assert "Old" not in world.run("status").out


def test_password_command(world):
    world.write_config(password_file=None,
                       password_command=["printf", "%s\\n", "test"])
    world.sync()
    world.assert_settled()


def test_password_command_gets_no_file_of_ours(world):
    """Nor does what it leaves behind, as an agent."""
    seen = world.base / "descriptors"
    world.sync()
    world.write_config(password_file=None, password_command=[
        "sh", "-c", "ls -l /proc/$$/fd > %s; echo test" % seen])
    world.sync()
    shown = [line for line in seen.read_text().splitlines() if "->" in line]
    assert len(shown) >= 3, shown
    assert not [x for x in shown
                if str(world.base) in x and str(seen) not in x], shown


def test_started_by_one_who_ignores_children(world):
    """SIGCHLD is ignored then, through exec: there is nothing to wait for."""
    world.server.append("INBOX", message("a"))
    world.sync()
    world.write_config(password_file=None,
                       password_command=["printf", "%s\\n", "test"])
    # the journal is checked, by another child
    (world.state / "home" / "journal" / "sound").unlink()
    done = subprocess.run(
        [world.binary, "-c", str(world.config), "sync"], env=world.env(),
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (world.state / "home" / "journal" / "sound").exists()


def test_login_plain_and_login_command(world):
    world.server.append("INBOX", message("a"))
    for auth in (["plain"], ["login"]):
        world.write_config(auth=auth)
        world.sync()
    world.assert_settled()


def test_no_login_that_the_server_knows(world):
    world.write_config(auth=["scram-sha-256", "cram-md5"])
    assert world.sync(status=77).err.endswith("; it has: PLAIN LOGIN\n")


def test_secrets_are_not_in_the_trace(world):
    world.write_config(password_file=None, password="test")
    world.sync("--trace", str(world.trace))
    trace = world.trace.read_bytes()
    assert b"***" in trace
    import base64
    for secret in (b"test\r", b'"test"',
                   base64.b64encode(b"\0%s\0test" % world.user.encode())):
        assert secret not in trace
