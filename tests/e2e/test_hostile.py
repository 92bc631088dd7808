"""Servers that want to do harm: sizes, depths, lines and names without
measure.  Memory stays bounded, one line says what was wrong, what can be
synced is synced, and nothing outside the Maildir is touched."""

import os
import random
import re

import pytest

from scripted import Hangup
from scripted_store import Box, Mail
from world import message

GIANT = 2 << 30
FLOOD = 512 << 20
# above what an ordinary run needs
ROOM = 64 << 20

WRAPPER = """#!/usr/bin/python3 -IS
import os, resource, subprocess, sys
# (the sanitizer keeps what was freed, as much as we look for here)
os.environ["ASAN_OPTIONS"] = (os.environ.get("ASAN_OPTIONS", "") +
                              ":quarantine_size_mb=4")
status = subprocess.call([%r] + sys.argv[1:])
with open(%r, "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status if status >= 0 else 128 - status)
"""


class Peak:
    """Peak memory of the runs of a world, against that of an ordinary one."""

    def __init__(self, world):
        self.file = world.base / "peak"
        wrapper = world.base / "measured"
        wrapper.write_text(WRAPPER % (world.binary, str(self.file)))
        wrapper.chmod(0o755)
        world.binary = str(wrapper)
        world.sync()
        self.ordinary = self.last()

    def last(self):
        return int(self.file.read_text()) << 10

    def assert_bounded(self, room=ROOM):
        assert self.last() - self.ordinary < room, (
            self.last() >> 20, self.ordinary >> 20)


@pytest.fixture
def start(scripted):
    def make(**options):
        world = scripted(**options)
        world.server.create("other")
        world.server.append("other", message("boxed"))
        world.fill(6)
        return world
    return make


def new_mail(world):
    for box in ("INBOX", "other"):
        world.server.append(box, message("new in " + box))


def hurt(world, peak, statuses=(65, 69, 75), lines=1):
    """A run that is attacked: no more is said than must, nothing is lost."""
    before = {box: set(m) for box, m in world.server.everything().items()}
    here = {m for m in world.tokens()[1]}
    done = world.sync(status=None)
    assert done.returncode in statuses, (done.returncode, done.err)
    assert lines is None or len(done.err.splitlines()) == lines, done.err
    assert len(done.err) < 1000
    peak.assert_bounded()
    assert world.script.changing == []
    for box, uids in before.items():
        assert uids <= set(world.server.messages(box))
    assert here <= set(world.tokens()[1])
    assert world.local.litter() == []
    return done


def recovers(world):
    world.assert_recovers()
    assert len(world.local.files("INBOX")) == 7
    assert len(world.local.files("other")) == 2


def flood(session, piece, what=b""):
    """PIECE for as long as anybody listens."""
    session.raw(what)
    session.server.sent = 0
    while session.server.sent < FLOOD:
        session.raw(piece)
        session.server.sent += len(piece)
    raise Hangup


def instead_of(pattern, act):
    """A rewriter that does ACT (session) once a line fits PATTERN."""
    def rewrite(session, line):
        if session.server.commands and re.search(pattern, line):
            return act(session, line)
        return [line]
    return rewrite


def says(head):
    """HEAD, and then the connection goes on as if nothing had been said."""
    return lambda session, line: [head, line]


PLACES = {
    "LIST": (rb"^\* LIST", b'* LIST () "/" '),
    "STATUS": (rb"^\* STATUS", b"* STATUS "),
    "FLAGS": (rb"^\* \d+ FETCH", b"* 1 FETCH (UID 1 FLAGS ("),
    "FETCH": (rb"^\* \d+ FETCH", b"* 1 FETCH (UID 1 ENVELOPE "),
    "code": (rb"^\* OK \[UIDNEXT", b"* OK [UIDNEXT "),
    "answer": (rb"^\S+ OK ", b"* ESEARCH (TAG "),
}


@pytest.mark.some(6)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [GIANT, 2 ** 64 - 1, 10 ** 30])
def test_a_giant_literal_is_refused_before_it_comes(start, place, size):
    world = start()
    peak = Peak(world)
    new_mail(world)
    pattern, head = PLACES[place]
    world.script.rewrite = instead_of(
        pattern, says(head + b"{%d}" % size))
    done = hurt(world, peak)
    assert "literal" in done.err
    recovers(world)


@pytest.mark.some(4)
@pytest.mark.parametrize("greeting", [
    b"{%d}" % GIANT, b"* {%d}" % GIANT, b"* OK [CAPABILITY {%d}" % GIANT,
    b"* LIST {%d}" % GIANT, b"(" * 10000, b"* " + b"(" * 10000,
    b"* OK " + b"x" * 1000000 + b"\0", b"\0" * 100], ids=map(str, range(8)))
def test_greetings_without_measure(start, greeting):
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.greeting = greeting
    done = world.sync(status=None)
    peak.assert_bounded()
    if not greeting.startswith(b"* OK x"):
        assert done.returncode in (69, 75), done.err
        assert len(done.err.splitlines()) == 1, done.err
        assert len(done.err) < 1000
    recovers(world)


@pytest.mark.parametrize("then", ["goes on", "ends", "said so", "sends it",
                                  "for ever"])
def test_a_giant_body(start, then):
    """It is a message: it may be as large as the server said, but not in
    memory, and not much larger.  One that does not come is asked for behind
    the others the next time."""
    world = start(timeout=5)
    peak = Peak(world)
    new_mail(world)
    body = rb"(BODY\[\]) \{\d+\}\r\n(?=[^{]*new in INBOX)"
    size = {"said so": 160 << 20, "sends it": 160 << 20,
            "for ever": 1 << 60}.get(then, GIANT)

    def giant(session, line):
        head, rest = re.search(body, line).span()[0], line
        line = re.sub(body, rb"\1 {%d}" % size + b"\r\n", rest)
        if then == "goes on":
            return [line]
        session.raw(line[:head + 30])
        if then == "for ever":
            flood(session, b"0123456789abcd\r\n" * 4096)
        if then in ("said so", "sends it"):
            rest = size - (len(line[:head + 30]) - line.index(b"}\r\n") - 3)
            for _ in range(rest // 65536):
                session.raw(b"0123456789abcd\r\n" * 4096)
            session.raw(b"x" * (rest % 65536) + b")\r\n")
            return []
        raise Hangup

    world.script.rewrite = instead_of(body, giant)
    if then == "said so":
        world.script.rewrite = lambda session, line: instead_of(body, giant)(
            session, re.sub(rb"^(\* 7 FETCH .*RFC822\.SIZE )\d+",
                            rb"\g<1>%d" % size, line))
        world.sync()
        peak.assert_bounded(64 << 20)
        sizes = sorted(p.stat().st_size
                       for _, _, p in world.local.files("INBOX"))
        assert sizes[-1] > 128 << 20
        assert len(world.local.files("other")) == 2
        assert world.script.changing == []
        return
    hurt(world, peak)
    for _ in range(3):
        # once it is known: one line for the message, one for the connection
        done = hurt(world, peak, lines=None)
        if "uid 7" in done.err:
            break
    assert "INBOX: uid 7: the connection ends" in done.err
    assert len(done.err.splitlines()) == 2
    # all the others have come
    assert len(world.local.files("other")) == 2
    assert len(world.local.files("INBOX")) == 6
    recovers(world)


DEEP = [
    (rb"^\* \d+ FETCH", b"* 1 FETCH (UID 1 FLAGS " + b"(" * 10000),
    (rb"^\* \d+ FETCH", b"* 1 FETCH " + b"(" * 10000 + b")" * 10000),
    (rb"^\* \d+ FETCH", b"* 1 FETCH (UID 1 BODYSTRUCTURE " +
     b"(" * 10000 + b"NIL" + b")" * 10001),
    (rb"^\* OK \[UIDNEXT", b"* OK [X " + b"(" * 10000 + b"] x"),
    (rb"^\* STATUS", b"* ESEARCH " + b"(" * 10000),
    (rb"^\* NAMESPACE", b"* NAMESPACE " + b"(" * 10000 + b")" * 10000),
]


@pytest.mark.some(3)
@pytest.mark.parametrize("pattern, head", DEEP, ids=map(str, range(len(DEEP))))
def test_parentheses_ten_thousand_deep(start, pattern, head):
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.rewrite = instead_of(pattern, says(head))
    done = hurt(world, peak)
    assert "too deep" in done.err
    recovers(world)


@pytest.mark.parametrize("line", [
    b"* LIST " + b"(" * 10000, b"* LIST () \"/\" " + b"(" * 10000,
    b"* STATUS other " + b"(" * 10000 + b")" * 10000],
    ids=["attributes", "name", "STATUS"])
def test_a_listing_ten_thousand_deep_is_one_line_of_it(start, line):
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.rewrite = instead_of(rb"^\* LIST.*other", says(line))
    if b"STATUS" in line:
        world.sync()
        peak.assert_bounded()
    else:
        hurt(world, peak, (65,))
    assert len(world.local.files("INBOX")) == 7
    recovers(world)


MILLION = b"x" * 1_000_000


LONG = [
    b"* OK " + MILLION, b"* " + MILLION, b"* OK [" + MILLION + b"] x",
    b"* FLAGS (" + MILLION + b")", b"* 1 FETCH (" + MILLION + b" 1)",
    b'* 1 FETCH (UID 1 ENVELOPE "' + MILLION + b'")', MILLION,
    b"* 1 FETCH (UID 1 BODY[" + MILLION + b"] NIL)",
    b"* " + b"9" * 1_000_000 + b" EXISTS", b"* SEARCH" + b" 1" * 500_000,
    b"* VANISHED (EARLIER) " + b"900000001," * 100_000 + b"900000001",
    b"* NO " + b"\xff" * 1_000_000, b"zzz OK " + MILLION]


@pytest.mark.some(5)
@pytest.mark.parametrize("line", LONG, ids=map(str, range(len(LONG))))
def test_lines_of_a_million_octets_do_no_harm(start, line):
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.rewrite = instead_of(rb"^\* (\d+ EXISTS|LIST.*other)",
                                      says(line))
    world.sync()
    peak.assert_bounded()
    recovers(world)


ENDLESS = {
    "atom": b"* 1 FETCH (UID 1 X",
    "quoted": b'* 1 FETCH (UID 1 X "',
    "text": b"* OK ",
    "code": b"* OK [X ",
    "section": b"* 1 FETCH (BODY[",
    "number": b"* ",
    "tag": b"",
    "list name": b'* LIST () "/" "',
    "skipped list": b'* LIST () "/" a b ) ',
}


@pytest.mark.some(4)
@pytest.mark.parametrize("where", ENDLESS)
def test_a_line_without_end(start, where):
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.rewrite = instead_of(
        rb"^\* LIST.*other",
        lambda session, line: flood(session, b"1" * 65536, ENDLESS[where]))
    done = hurt(world, peak)
    assert "too long" in done.err
    assert world.script.sent < 40 << 20
    recovers(world)


WORDS = {
    "search": b"* SEARCH ", "capability": b"* CAPABILITY ",
    "flags": b"* FLAGS (", "fetch": b"* 1 FETCH (UID 1 FLAGS (",
    "code": b"* OK [X ", "other": b"* X ", "list": b'* LIST () "/" ',
}


@pytest.mark.parametrize("where", WORDS)
@pytest.mark.parametrize("word", [b"1 ", b"() "], ids=["digits", "lists"])
def test_words_without_end(start, where, word):
    """A tree of them is many times larger than the octets that were sent."""
    world = start()
    peak = Peak(world)
    new_mail(world)
    world.script.rewrite = instead_of(
        rb"^\* LIST.*other",
        lambda session, line: flood(session, word * 8192, WORDS[where]))
    done = hurt(world, peak)
    assert "too" in done.err
    assert world.script.sent < 40 << 20
    recovers(world)


def shuffled(n):
    """N UIDs, even and of ten digits each, in random order."""
    uids = [4_000_000_000 + 2 * i for i in range(n)]
    random.Random(7).shuffle(uids)
    return [b"%d" % uid for uid in uids]


@pytest.mark.parametrize("form", [
    b"* SEARCH %s", b'* ESEARCH (TAG "x") UID ALL %s', b"* VANISHED %s",
    b"* VANISHED (EARLIER) %s"], ids=["search", "esearch", "gone", "earlier"])
def test_a_million_uids_in_any_order(start, form):
    world = start()
    peak = Peak(world)
    blank = b" " if b"* SEARCH" in form else b","
    line = form % blank.join(shuffled(1_000_000))
    new_mail(world)
    world.script.rewrite = instead_of(rb"^\* LIST.*other",
                                      lambda session, old: [line, old])
    world.sync()
    peak.assert_bounded()
    recovers(world)


def test_ten_thousand_keywords(start):
    world = start()
    peak = Peak(world)
    new_mail(world)
    words = b" ".join(b"keyword%d" % i for i in range(10_000))
    world.script.rewrite = instead_of(
        rb"^\* \d+ FETCH .*FLAGS \(",
        lambda session, line: [b"* FLAGS (" + words + b")", line.replace(
            b"FLAGS (", b"FLAGS (" + words + b" ", 1)])
    world.sync()
    peak.assert_bounded()
    world.script.well()
    world.sync()


def many(form, n=2000):
    return b"".join(b"%s\r\n" % (form.replace(b"N", b"%d" % (i + 100)))
                    for i in range(n))


# where it begins, and what comes from then on
BEGINS = {"LIST": rb"^\* LIST.*other", "SELECT": rb"^\* \d+ EXISTS",
          "FETCH": rb"^\* \d+ FETCH", "BODY": rb"BODY\[\] \{"}
NOISE = {
    "list": ("LIST", b'* LIST () "/" bN'),
    "ok": ("LIST", b"* OK still here"),
    "status": ("LIST", b"* STATUS INBOX (MAILBOXID (mN))"),
    "namespace": ("LIST", b'* NAMESPACE (("pN" "/")) NIL NIL'),
    "exists": ("SELECT", b"* N EXISTS"),
    "vanished": ("SELECT", b"* VANISHED (EARLIER) N"),
    "fetch-selected": ("SELECT", b"* 1 FETCH (UID N FLAGS (\\Seen))"),
    "fetch": ("FETCH", b"* 1 FETCH (UID N FLAGS (\\Seen))"),
    "tags": ("FETCH", b"zzzN OK done"),
    "status-body": ("BODY", b"* STATUS bN (MESSAGES 1)"),
    "bodies": ("BODY", b"* 1 FETCH (UID N BODY[] {3}\r\nabc)"),
    "large-bodies": ("BODY", b"* 1 FETCH (UID 1 BODY[] {100000}\r\n" +
                     b"x" * 100000 + b")")}


@pytest.mark.some(3)
@pytest.mark.parametrize("what", NOISE)
def test_data_without_end(start, what):
    """Line after line, each of them good, and never an answer."""
    place, noise = NOISE[what]
    world = start()
    peak = Peak(world)
    new_mail(world)
    piece = many(noise, 2000 if len(noise) < 1000 else 10)
    world.script.rewrite = instead_of(
        BEGINS[place], lambda session, line: flood(session, piece))
    done = hurt(world, peak)
    assert "without end" in done.err
    recovers(world)


EVIL = [b"../x", b"/etc/x", b"a/../../b", b"a/./b", b"..", b".", b"~/x",
        b"../" * 30 + b"tmp/x", b"nul\0/../x", b"\1\2/\x1b[2J", b"line\nend",
        b"\xff\xfe/..", b"cur", b"new/tmp", b"a//b", b"b/", b"-rf",
        b"x" * 10000, b"y/" * 5000, b"&AC8ALgAu-/&AC4ALg-", b"&AAA-",
        b"%2e%2e/%2fetc"]


class Evil:
    """Mailboxes of any names, each with one message."""

    def __init__(self, store, names, literal):
        self.literal = literal
        self.boxes = {name: Box(store, "evil", 7) for name in names}
        for box in self.boxes.values():
            box.add(Mail(message("evil")))

    def form(self, name):
        return b"{%d}\r\n%s" % (len(name), name) if self.literal \
            else b'"%s"' % name

    def listed(self, session, line):
        if not line.startswith(b"* LIST") or b"other" not in line:
            return [line]
        return [line] + [b'* LIST () "/" ' + self.form(n) for n in self.boxes]

    def status(self, session, tag, words):
        if words[0] not in self.boxes:
            return False
        session.line(b"* STATUS " + self.form(words[0]) + b" (MESSAGES 1 "
                     b"UIDNEXT 2 UIDVALIDITY 7 HIGHESTMODSEQ 2)")
        session.line(tag + b" OK done")
        return True

    def select(self, session, tag, words):
        box = session.box = self.boxes.get(words[0])
        if not box:
            return False
        session.seen = dict(box.modseq)
        for said in (b"* 1 EXISTS", b"* OK [UIDVALIDITY 7] x",
                     b"* OK [UIDNEXT 2] x", b"* OK [HIGHESTMODSEQ 2] x",
                     tag + b" OK [READ-WRITE] x"):
            session.line(said)
        return True


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
@pytest.mark.parametrize("how", ["literal", "quoted"])
def test_names_that_would_leave_the_root(scripted, how, layout):
    """What cannot be said in this way is not said."""
    world = scripted(layout=layout)
    world.server.create("other")
    world.server.append("INBOX", message("m0"))
    peak = Peak(world)
    new_mail(world)
    evil = Evil(world.script.store, [
        n for n in EVIL if how == "literal" or
        not re.search(rb"[\0\r\n]", n)], how == "literal")
    world.script.rewrite = evil.listed
    world.script.answer = {b"SELECT": evil.select, b"STATUS": evil.status}
    for _ in range(2):
        done = world.sync(status=None)
        peak.assert_bounded()
        assert done.returncode in (0, 65), done.err
        assert "\x1b" not in done.err
    assert set(os.listdir(world.base)) <= {
        "Mail", "config.yaml", "home", "password", "peak", "state",
        "measured", "trace"}
    assert not os.path.exists("/etc/x") and not os.path.exists("/tmp/x")
    bodies = []
    for top, dirs, files in os.walk(world.root):
        for name in dirs + files:
            path = os.path.join(top, name)
            assert not os.path.islink(path)
            assert re.fullmatch(r"[^\x00-\x1f]{1,255}", name), name
            if name in files and os.path.basename(top) in ("new", "cur"):
                with open(path, "rb") as f:
                    bodies.append(b"message evil\n" in f.read())
    # what could not come is said; INBOX and the good one are as they should
    assert bodies.count(False) == 3, done.err
    assert bodies.count(True) + len(done.err.splitlines()) >= len(evil.boxes)
    assert bodies.count(True) >= len(evil.boxes) // 2
