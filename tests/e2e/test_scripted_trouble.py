"""Servers that refuse, hang up, and say what nobody asked for.  Whatever they
do, nothing is lost, and once they behave both sides become equal."""

import json
import re
import shutil
import time

import pytest

from personas import Persona, Yahoo
from scripted import Hangup
from world import lf, message


class Bare(Persona):
    caps = "IMAP4rev1 UIDPLUS"


class Condstore(Persona):
    caps = Persona.caps.replace("QRESYNC ", "")


def changes(world, k):
    """Something of everything, on both sides."""
    world.server.append("INBOX", message("there-%d" % k))
    world.server.append("INBOX", message("read-%d" % k), ["\\Seen"])
    world.local.add("INBOX", message("here-%d" % k), "%d.here.host" % k)
    by_token = {m["body"].split(b"message ")[1].split()[0].decode(): u
                for u, m in world.server.messages("INBOX").items()}
    world.server.flag("INBOX", by_token["m0"], *(
        (["\\Flagged"],) if k % 2 else ((), ["\\Flagged"])))
    world.set_letters("m1", "RS" if k % 2 else "")
    world.server.expunge("INBOX", [by_token["m%d" % (2 * k + 2)]])
    world.file_of("m%d" % (2 * k + 3)).unlink()
    world.local.add("box-%d" % k, message("boxed"), "%d.boxed.host" % k)


def nothing_lost(world, k):
    there, here = world.tokens()
    for token in ("there", "read"):
        assert "%s-%d" % (token, k) in there
    assert "here-%d" % k in here
    for i in range(2 * k + 4, 20):
        assert "m%d" % i in there and "m%d" % i in here
    assert world.local.litter() == []


ANSWERS = [b"NO [UNAVAILABLE] later", b"BAD what is that?",
           b"no [CONTACTADMIN] ask somebody", b"NO [INUSE] busy",
           b"NO [EXPUNGEISSUED] gone"]
COMMANDS = ["AUTHENTICATE", "ENABLE", "ID", "NAMESPACE", "LIST", "STATUS",
            "SELECT", "UID STORE", "UID SEARCH", "UID EXPUNGE", "CREATE",
            "SUBSCRIBE", "LOGOUT", "UID MOVE", "UID COPY"]


@pytest.mark.some(7)
@pytest.mark.parametrize("kind, command", [(Persona, c) for c in COMMANDS] + [
    (Condstore, c) for c in ("SELECT", "UID SEARCH", "UID STORE")])
def test_each_command_refused(scripted, kind, command):
    world = scripted(kind)
    world.fill(20)
    for k, answer in enumerate(ANSWERS[:3]):
        changes(world, k)
        world.script.answer = {command.encode(): answer}
        done = world.sync(status=None)
        assert done.returncode in (0, 3, 65, 69, 75, 77), done.err
        nothing_lost(world, k)
        world.script.well()
        world.sync()
    world.assert_settled()


@pytest.mark.parametrize("command", ["UID FETCH", "APPEND"])
def test_messages_refused_wait(scripted, command):
    world = scripted()
    world.fill(20)
    for k, answer in enumerate(ANSWERS):
        changes(world, k)
        world.script.answer = {command.encode(): answer}
        done = world.sync(status=None)
        assert done.returncode in (65, 75), done.err
        assert done.err
        nothing_lost(world, k)
        world.script.well()
        done = world.sync(status=None)
        assert done.returncode in (0, 65), done.err
        nothing_lost(world, k)


def test_what_was_refused_is_not_asked_for_again_at_once(scripted):
    world = scripted()
    world.fill(2)
    world.server.append("INBOX", message("refused"))
    world.local.add("INBOX", message("refused, too"), "1.x.host")
    world.script.answer = {b"APPEND": ANSWERS[0], b"UID FETCH":
                           lambda session, tag, words: any(
                               w.startswith(b"BODY.PEEK[]") for w in words[1])
                           and not session.line(tag + b" NO later")}
    world.sync(status=65)
    world.script.well()
    world.server.append("INBOX", message("new"))
    world.local.add("INBOX", message("new, too"), "2.x.host")
    world.sync(status=65)
    assert world.tokens() == (["m0", "m1", "new", "new, too", "refused"],
                              ["m0", "m1", "new", "new, too", "refused, too"])
    for _ in range(2):
        world.script.commands.clear()
        world.sync(status=65)
        assert not {"APPEND", "UID FETCH"} & {
            n.decode() for n in world.script.names()}


def test_a_server_that_does_not_let_go(scripted):
    """What it says after LOGOUT keeps nobody: the work is done."""
    world = scripted()
    world.fill(2)

    def drip(session, tag, words):
        try:
            while True:
                session.raw(b".")
                time.sleep(0.5)
        except OSError:
            raise Hangup

    world.script.answer = {b"LOGOUT": drip}
    begin = time.monotonic()
    world.sync()
    assert time.monotonic() - begin < 8
    world.script.answer = {}
    world.assert_settled()


@pytest.mark.some(8)
@pytest.mark.parametrize("cut", ["SELECT", "UID FETCH", "UID STORE", "APPEND",
                                 "UID EXPUNGE", "LIST", "CREATE"])
@pytest.mark.parametrize("how", ["bye", "close", "done-and-close"])
def test_hanging_up_in_a_command(scripted, cut, how):
    world = scripted()
    world.fill(20)

    def hang_up(session, tag, words):
        if how == "done-and-close":
            # all is done, and nobody hears of it
            name = cut.lower().replace(" ", "_")
            getattr(session, "do_" + name)(tag, words)
        if how == "bye":
            session.line("* BYE too busy")
        raise Hangup

    for k in range(2):
        changes(world, k)
        world.script.answer = {cut.encode(): [None] * k + [hang_up]}
        done = world.sync(status=None)
        assert done.returncode in (0, 69, 75), done.err
        nothing_lost(world, k)
        world.script.well()
        world.sync()
    world.assert_settled()


def test_hanging_up_in_a_literal(scripted):
    world = scripted()
    for i in range(3):
        world.server.append("INBOX", message("m%d" % i, size=40000))

    def cut(session, line):
        if b"m1@example" in line:
            session.raw(line[:20000])
            raise Hangup
        return [line]

    world.script.rewrite = cut
    done = world.sync(status=None)
    assert done.returncode in (69, 75) and done.err
    world.assert_recovers()
    assert len(world.local.files("INBOX")) == 3


def test_greetings(scripted):
    world = scripted()
    world.fill(2)
    before = world.local.snapshot()
    world.script.greeting = b"* BYE Too many connections"
    done = world.sync(status=None)
    assert done.returncode in (69, 75)
    assert "Too many connections" in done.err
    assert world.local.snapshot() == before
    world.script.greeting = \
        b"* OK [ALERT] closed on Sunday\r\n* OK [CAPABILITY IMAP4rev1] ready"
    world.server.append("INBOX", message("new"))
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_a_port_that_speaks_tls(world, tls):
    """Such a server waits for our hello, as we do for its greeting."""
    world.write_config(port=world.server_process.tls_port, tls=tls, timeout=5)
    done = world.sync(status=69)
    assert done.err == (
        "mochila: home: localhost port %d: no greeting in time; does this "
        "port want 'tls: implicit'?\n" % world.server_process.tls_port)


NOISE = [b"* FLAGS (\\Seen \\Odd)", b"* 7 RECENT", b"* NO hm", b"* BAD odd",
         b"* OK [XCODE \x80\xff (] x] still here", b"* XLIST {3}\r\na\r\n (b)",
         b"* 999 EXPUNGE", b"* 0 EXPUNGE", b"* LIST () NIL", b"*",
         b"* SEARCH 1 2 3", b"* STATUS nobody (MESSAGES 4)", b"* 12",
         b"zzz OK not yours", b"* OK [HIGHESTMODSEQ -1] x",
         b"* VANISHED (EARLIER) 800:900", b"* 1 FETCH (MODSEQ (-1))",
         b"* OK [UIDNEXT x] x", b"", b"* 2 FETCH (UID 0 FLAGS (\\Deleted))"]


@pytest.mark.parametrize("kind", [Persona, Condstore, Bare, Yahoo])
def test_noise_between_all_lines(scripted, kind):
    world = scripted(kind)
    world.fill(20)
    at = [0]

    def noise(session, line):
        if not session.server.commands:
            return [line]  # the greeting comes first
        at[0] += 1
        return [NOISE[at[0] % len(NOISE)], line]

    for k in range(2):
        changes(world, k)
        world.script.commands.clear()
        world.script.rewrite = noise
        done = world.sync(status=None)
        # a LIST that cannot be read is said
        assert done.returncode in (0, 65), done.err
        nothing_lost(world, k)
    world.assert_recovers()


def lower(session, line):
    return [line if b"{" in line or b'"' in line else line.lower()]


def twice(session, line):
    return [line] * (1 + (b" FETCH (" in line or b" OK " in line[:9]))


def long_line(session, line):
    return [b"* OK " + b"x" * 1_000_000, line] if b" OK [READ" in line[:12] \
        else [line]


def fewer_caps(session, line):
    return [line, b"* CAPABILITY IMAP4rev1 UIDPLUS"] \
        if b"NAMESPACE" in line and line.startswith(b"* NAME") else [line]


def no_caps_with_login(session, line):
    return [re.sub(rb"\[CAPABILITY [^]]*\]", b"", line)]


def server_literals(session, line):
    """Names as literals, with the plus that only clients may send."""
    for word in (b"LIST", b"STATUS"):
        if line.startswith(b"* %s " % word) and b'"INBOX"' in line:
            return [line.replace(b'"INBOX"', b"{5+}\r\nINBOX")]
    return [line]


@pytest.mark.some(7)
@pytest.mark.parametrize("rewrite", [lower, twice, long_line, fewer_caps,
                                     no_caps_with_login, server_literals])
@pytest.mark.parametrize("kind", [Persona, Condstore, Bare])
def test_another_way_to_say_it(scripted, rewrite, kind):
    world = scripted(kind)
    world.fill(20)
    for k in range(2):
        changes(world, k)
        world.script.rewrite = rewrite
        world.sync()
        nothing_lost(world, k)
        world.script.rewrite = None
        world.sync()
    world.assert_settled()


@pytest.mark.parametrize("kind", [Persona, Bare])
def test_octets_one_by_one(scripted, kind):
    world = scripted(kind)
    world.fill(20)
    changes(world, 0)
    world.script.chunk = 1
    world.sync()
    nothing_lost(world, 0)
    world.assert_settled()


@pytest.mark.parametrize("bad", [[5], [1, 12], list(range(1, 13))])
def test_a_flag_that_is_refused_for_one_message_is_set_for_the_others(
        scripted, bad):
    """One NO for a set: the server did none of it."""
    world = scripted()
    uids = world.fill(12)
    for n in range(12):
        world.set_letters("m%d" % n, "FS")
    refused = {uids[n - 1] for n in bad}

    def store(session, tag, words):
        with session.store.lock:
            if not refused & set(session.named(words[0])):
                return False
        session.line(tag + b" NO [CANNOT] not this one")
        return True

    world.script.answer[b"UID STORE"] = store
    for _ in range(2):
        before = len(world.script.commands)
        done = world.sync(status=65)
        assert len(done.err.splitlines()) == len(refused)
        for uid in refused:
            assert "uid %d:" % uid in done.err
        assert "not this one" in done.err
        for uid, m in world.server.messages("INBOX").items():
            assert m["flags"] == (set() if uid in refused else
                                  {"\\Flagged", "\\Seen"}), uid
        assert world.script.names()[before:].count(b"UID STORE") < 30
    world.assert_recovers()
    assert all(m["flags"] == {"\\Flagged", "\\Seen"}
               for m in world.server.messages("INBOX").values())


def test_what_was_done_before_a_refusal_is_not_done_twice(scripted):
    """The server sets the flags of some, then says NO."""
    world = scripted()
    uids = world.fill(8)
    for n in range(8):
        world.set_letters("m%d" % n, "S")

    def store(session, tag, words):
        with session.store.lock:
            named = session.named(words[0])
            if uids[4] not in named:
                return False
            for uid in named:
                if uid == uids[4]:
                    break
                session.store.set_flags(session.box, uid, ["\\Seen"])
        session.line(tag + b" NO not this one")
        return True

    world.script.answer[b"UID STORE"] = store
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "uid %d:" % uids[4] in line
    for uid, m in world.server.messages("INBOX").items():
        assert m["flags"] == (set() if uid == uids[4] else {"\\Seen"}), uid
    world.assert_recovers()


@pytest.mark.parametrize("said", [None, b"NO not this one",
                                  b"NO [OVERQUOTA] it is full"])
def test_an_old_message_stays_until_its_new_content_is_there(scripted, said):
    """Case 20.  None: it is not even asked for, since a NUL is in it."""
    world = scripted()
    world.fill(3)
    path = world.file_of("m1")
    text = path.read_bytes().replace(b"\n\nm1 ", b"\n\nedited ")
    path.write_bytes(text if said else text + b"\0\n")
    world.script.answer = {b"APPEND": said}
    done = world.sync("--full", status=65)
    assert path.name in done.err
    assert world.script.changing == []
    # only --full looks at it before its time, and it is said to wait
    world.sync(status=65)
    assert world.tokens()[0] == ["m0", "m1", "m2"]
    world.script.well()
    path.write_bytes(text)
    world.sync("--full")
    assert world.tokens() == (["m0", "m1", "m2"],) * 2
    assert b"edited" in world.server.messages("INBOX")[4]["body"]
    world.assert_settled()


def test_full_looks_once(scripted):
    world = scripted()
    world.fill(3)
    world.script.commands.clear()
    done = world.sync("--full", "-v")
    assert done.err == ""
    assert world.script.names().count(b"SELECT") == 1


@pytest.mark.parametrize("said, told", [
    (b"NO Can't save a zero byte message.",
     "the server says: Can't save a zero byte message; it stays here"),
    (b"NO [CANNOT]", "the server refuses it; it stays here")])
def test_who_said_that_it_does_not_go_up(scripted, said, told):
    world = scripted()
    world.local.add("INBOX", b"Subject: a\n\na\n", "1.a.host")
    nul = world.local.add("INBOX", b"Subject: b\n\n\0\n", "2.b.host")
    world.script.answer[b"APPEND"] = said
    lines = sorted(world.sync(status=65).err.splitlines())
    assert told in lines[0] and "NUL" in lines[1] and "server" not in lines[1]
    out = world.run("explain", str(nul), status=None).out
    assert "could not be uploaded" in out and "refused" not in out


def test_what_waits_is_said_by_each_run_and_by_status(scripted):
    """Of a server that wants an end of the last line (Yahoo): the message is
    not changed for it."""
    world = scripted(Yahoo)
    world.sync()
    text = message("a").rstrip(b"\r\n").replace(b"\r\n", b"\n")
    path = world.local.add("INBOX", text, "1.a.host")
    world.local.add("INBOX", b"Subject: message b\n\nb\n", "2.b.host")
    done = world.sync(status=65)
    line, = done.err.splitlines()
    assert "1.a.host" in line and "its last line has no end" in line
    assert "the server says: " in line and "Additional arguments" in line
    assert [m["body"] for m in world.server.messages("INBOX").values()] == [
        b"Subject: message b\r\n\r\nb\r\n"]
    for how in [], [], ["--dry-run"]:
        done = world.sync(*how, status=65)
        line, = done.err.splitlines()
        assert "1 message waits" in line and "status" in line
        done = world.sync("--json", status=65)
        assert done.err == ""
    last = world.run("status", "home").out.splitlines()[-1]
    assert last.startswith("home: INBOX: 1.a.host: waits until 20")
    assert ", 1 try: its last line has no end" in last
    seen = [json.loads(x)["waiting"] for x in
            world.run("status", "--json").out.splitlines()]
    one, = [w for waiting in seen for w in waiting]
    assert one["file"] == "1.a.host" and one["tries"] == 1
    assert path.read_bytes() == text
    world.assert_idle(status=65)
    # once somebody has put a mended one in its place
    path.unlink()
    world.local.add("INBOX", text + b"\n", "3.a.host")
    world.sync()
    assert len(world.server.messages("INBOX")) == 2
    world.assert_settled()


def test_a_mailbox_that_is_deleted_there_and_changes_here(scripted):
    """The brake holds its messages, and a delete in another mailbox waits, as
    mail came here meanwhile: the next pass looks at both sides of it again."""
    world = scripted(max_deletes=1)
    world.server.create("work")
    world.fill(4)
    for i in range(4):
        world.server.append("work", message("w%d" % i))
    world.sync()
    with world.script.store.lock:
        del world.script.store.boxes["work"]
    # as long as what goes here: their Message-IDs are compared
    world.server.append("INBOX", message("x0"))
    world.file_of("m0").unlink()

    def deliver(session, tag, words):
        if any(w.startswith(b"BODY.PEEK[HEADER") for w in words[1]):
            world.local.add("work", message("late"), "1.late.host")

    world.script.answer[b"UID FETCH"] = deliver
    assert world.summary(status=3)["held"] == 4
    assert "new/1.late.host" in [f[0] for f in world.local.files("work")]
    assert len(world.local.files("work")) == 5
    assert world.server.mailboxes() == ["INBOX"]
    assert world.tokens() == (["m1", "m2", "m3", "x0"],) * 2
    # as in any run: the mailbox comes back with the new mail alone
    world.script.well()
    world.summary("--allow-deletes")
    assert world.tokens("work") == (["late"],) * 2


def test_a_mailbox_that_is_deleted_here_and_made_again_for_new_mail(scripted):
    """Its directory is another one, and it is ours; what was deleted with the
    old one goes, though it has to wait for the next pass."""
    world = scripted()
    world.server.create("work")
    world.fill(4)
    for i in range(3):
        world.server.append("work", message("w%d" % i))
    world.sync()
    shutil.rmtree(world.root / "work")
    world.server.append("work", message("new"))

    def deliver(session, tag, words):
        if session.box.name == "work":
            world.local.add("INBOX", lf(message("here")), "1.here.host")

    world.script.answer[b"UID FETCH"] = [deliver]
    done = world.summary()
    assert (done["deleted_remote"], done["held"]) == (3, 0)
    assert world.tokens("work") == (["new"],) * 2
    world.assert_recovers()
