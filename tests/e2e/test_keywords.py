"""Keywords in any number and case; servers that have few, or drop them."""

import json
import os
import random
import re
import shutil
import subprocess

import pytest

from rewriter import Rewriter
from test_races import meddle  # noqa: F401
from world import SYSTEM, message


def flags(world, box="INBOX"):
    """{token: flags} on the server."""
    found = {}
    for m in world.server.messages(box).values():
        token = m["body"].split(b"Subject: message ")[1].split(b"\r\n")[0]
        found[token.decode()] = m["flags"]
    world.server.close()
    return found


def local(world, box="INBOX"):
    """{token: (flags, path)} here."""
    found = {}
    for _, f, path in world.local.files(box):
        text = path.read_bytes().split(b"Subject: message ")[1]
        found[text.split()[0].decode()] = (f, path)
    return found


def mark(world, token, add=(), drop=(), box="INBOX"):
    """What a reader does that knows dovecot-keywords: another name."""
    letter = {name: c for c, name in world.local.letters(box).items()}
    letter.update(SYSTEM)
    _, path = local(world, box)[token]
    base, _, info = path.name.partition(":2,")
    info = set(info) | {letter[k] for k in add}
    info -= {letter[k] for k in drop}
    os.rename(path, world.root / box / "cur" / (
        base + ":2," + "".join(sorted(info))))


def table(world, *names, box="INBOX"):
    """As Dovecot writes it."""
    world.local.make(box)
    (world.root / box / "dovecot-keywords").write_text(
        "".join("%d %s\n" % x for x in enumerate(names)))


def folded(world):
    """Both sides without regard to the case of keywords."""
    there = {t: {f.lower() for f in fs} for t, fs in flags(world).items()}
    here = {t: {f.lower() for f in fs}
            for t, (fs, _) in local(world).items()}
    return there, here


def test_a_letter_without_a_meaning_gets_none(world):
    """A file that was moved shows one that meant something where it was."""
    table(world, "one", "two")
    world.local.add("INBOX", message("a"), "1.a.host:2,b", "cur")
    world.local.make("Work")
    world.local.add("Work", message("b"), "2.b.host:2,", "cur")
    world.sync()
    os.rename(world.root / "INBOX" / "cur" / "1.a.host:2,b",
              world.root / "Work" / "cur" / "1.a.host:2,b")
    world.sync()
    assert local(world, "Work")["a"][0] == {"two"}
    world.assert_settled()
    # the letter that it had is anybody's
    table(world, *["later" if c == "b" else world.local.letters("Work")[c]
                   for c in "ab"], box="Work")
    world.sync()
    assert flags(world, "Work")["a"] == {"two"}
    (uid,) = [u for u, m in world.server.messages("Work").items()
              if b"message b" in m["body"]]
    world.server.store("Work", uid, "+FLAGS", ["three"])
    world.server.close()
    world.sync()
    for side in flags(world, "Work"), {
            t: fs for t, (fs, _) in local(world, "Work").items()}:
        assert side == {"a": {"two"}, "b": {"three"}}
    world.assert_idle()


def test_letters_come_back_with_the_mailbox(world):
    """It was deleted here, and with it the file that says what they mean."""
    world.server.create("Work")
    world.server.append("Work", message("a"), ["one"])
    world.sync()
    shutil.rmtree(world.root / "Work")
    world.server.append("Work", message("b"), ["one"])
    world.sync()
    assert flags(world, "Work") == {"b": {"one"}}
    assert {t: f for t, (f, _) in local(world, "Work").items()} == {
        "b": {"one"}}
    world.assert_idle()


def test_case_does_not_matter(world):
    table(world, "WORK", "home")
    world.local.add("INBOX", message("a"), "1.a.host:2,a", "cur")
    world.server.append("INBOX", message("b"), ["work"])
    world.server.append("INBOX", message("c"), ["HOME", "\\Seen"])
    world.sync()
    there, here = folded(world)
    assert there == here == {"a": {"work"}, "b": {"work"},
                             "c": {"home", "\\seen"}}
    assert len(world.local.letters("INBOX")) == 2
    world.assert_idle()
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "+FLAGS", "(Home)")
    world.server.do("uid", "STORE", "1:*", "-FLAGS", "(wORK)")
    world.sync()
    there, here = folded(world)
    assert there == here == {"a": {"home"}, "b": {"home"},
                             "c": {"home", "\\seen"}}
    assert len(world.local.letters("INBOX")) == 2
    world.assert_idle()


def test_names_that_keywords_may_have(world):
    odd = ["$MDNSent", "$label1", "NonJunk", "NIL", "nil2", "a'b", "x&y",
           "1", "-", "a.b", "a/b", "a:2,S", "~", "#x", "<x>", "x=1",
           "k" * 50]
    for n, name in enumerate(odd):
        world.server.append("INBOX", message("m%d" % n), [name])
    world.sync()
    world.assert_settled()
    assert set(world.local.letters("INBOX").values()) == set(odd)
    for n in range(len(odd) - 1):
        mark(world, "m%d" % n, add=[odd[n + 1]], drop=[odd[n]])
    world.sync()
    there = flags(world)
    for n in range(len(odd) - 1):
        assert there["m%d" % n] == {odd[n + 1]}
    world.assert_settled()


def test_a_hundred_on_one_message(world):
    names = ["k%03d" % n for n in range(100)]
    world.server.append("INBOX", message("all"), names)
    world.server.append("INBOX", message("none"))
    world.sync()
    shown, path = local(world)["all"]
    assert len(shown) == 26 and len(world.local.letters("INBOX")) == 26
    assert flags(world)["all"] == set(names)
    world.assert_idle()
    # changes here, of what is shown and of nothing that is not
    gone = sorted(shown)[0]
    mark(world, "all", drop=[gone])
    mark(world, "none", add=[gone])
    world.sync()
    assert flags(world) == {"all": set(names) - {gone}, "none": {gone}}
    world.assert_idle()
    # changes there, of what is not shown
    hidden = sorted(set(names) - shown)
    uid = min(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "-FLAGS", hidden[:10])
    world.server.store("INBOX", uid + 1, "+FLAGS", hidden[:10])
    world.sync()
    assert flags(world) == {"all": set(names) - {gone} - set(hidden[:10]),
                            "none": {gone} | set(hidden[:10])}
    assert local(world)["none"][0] == {gone}
    world.assert_idle()
    # a lost journal unites, and takes nothing away
    os.rename(world.state / "home" / "journal", world.base / "old")
    world.sync()
    assert flags(world) == {"all": set(names) - {gone} - set(hidden[:10]),
                            "none": {gone} | set(hidden[:10])}
    world.assert_idle()


def test_a_letter_gets_its_meaning_later(world):
    world.local.add("INBOX", message("a"), "1.a.host:2,Sbc", "cur")
    world.sync()
    assert flags(world) == {"a": {"\\Seen"}}
    table(world, "first", "later")
    # the name has not changed, only what it says
    os.utime(world.root / "INBOX" / "cur")
    world.sync()
    assert flags(world) == {"a": {"\\Seen", "later"}}
    world.assert_idle()
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "FLAGS", ["first"])
    world.sync()
    (_, path), = local(world).values()
    assert path.name == "1.a.host:2,ac"
    world.assert_idle()


def test_forwarded_by_letter_and_by_p(world):
    table(world, "$Forwarded")
    world.local.add("INBOX", message("letter"), "1.a.host:2,a", "cur")
    world.local.add("INBOX", message("p"), "2.b.host:2,P", "cur")
    world.local.add("INBOX", message("both"), "3.c.host:2,Pa", "cur")
    world.server.append("INBOX", message("there"), ["$forwarded"])
    world.sync()
    assert {f.lower() for fs in flags(world).values() for f in fs} == {
        "$forwarded"}
    assert all(flags(world).values())
    world.assert_idle()
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "-FLAGS", "($Forwarded)")
    world.sync()
    for _, path in local(world).values():
        assert not set(path.name.partition(":2,")[2]) & {"P", "a"}
    world.assert_settled()


@pytest.fixture
def between(world):
    lines = []

    def run(**how):
        lines.append(Rewriter(world.server_process.port, **how))
        world.write_config(port=lines[-1].port)

    yield run
    for line in lines:
        line.close()


def test_a_server_that_takes_no_new_keywords(world, between):
    """PERMANENTFLAGS without \\*: what it cannot hold stays here."""
    world.server.append("INBOX", message("a"), ["known"])
    world.server.append("INBOX", message("b"))
    between(down=lambda data: data.replace(b" \\*)] ", b")] "))
    world.sync()
    table(world, *world.local.letters("INBOX").values(), "fresh")
    mark(world, "a", add=["fresh"])
    mark(world, "b", add=["fresh", "known"])
    world.sync("--trace", str(world.trace))
    assert not [c for c in world.commands() if b"fresh" in c]
    assert flags(world) == {"a": {"known"}, "b": {"known"}}
    world.assert_idle()
    # what comes and goes there does not take ours away
    uid = min(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "-FLAGS", ["known"])
    world.server.store("INBOX", uid, "+FLAGS", ["\\Flagged"])
    world.sync()
    assert local(world)["a"][0] == {"fresh", "\\Flagged"}
    assert local(world)["b"][0] == {"fresh", "known"}
    world.assert_idle()
    # a lost journal does neither
    os.rename(world.state / "home" / "journal", world.base / "old")
    world.sync()
    assert local(world)["a"][0] == {"fresh", "\\Flagged"}
    assert flags(world) == {"a": {"\\Flagged"}, "b": {"known"}}
    world.assert_idle()


def test_a_server_that_drops_keywords(world, between):
    """It says that it takes them all, and keeps none: no endless repeating,
    and nothing is taken away here."""
    for token in "ab":
        world.server.append("INBOX", message(token))
    between(up=lambda data: data.replace(b" dropped)", b")").replace(
        b"(dropped ", b"(").replace(b"(dropped)", b"()"))
    world.sync()
    table(world, "dropped", "kept")
    mark(world, "a", add=["dropped"])
    mark(world, "b", add=["dropped", "kept"])
    world.local.add("INBOX", message("c"), "1.c.host:2,Sa", "cur")
    world.sync()
    assert flags(world) == {"a": set(), "b": {"kept"}, "c": {"\\Seen"}}
    for _ in range(3):
        world.sync()
    assert {t: f for t, (f, _) in local(world).items()} == {
        "a": {"dropped"}, "b": {"dropped", "kept"},
        "c": {"dropped", "\\Seen"}}
    world.assert_idle()
    world.server.select("INBOX")
    world.server.do("uid", "STORE", "1:*", "+FLAGS", "(\\Answered)")
    world.sync()
    assert all("\\Answered" in f for f, _ in local(world).values())
    assert all("dropped" in f for f, _ in local(world).values())
    world.assert_idle()


@pytest.mark.parametrize("side", ["there", "here", "here, letters and all"])
def test_keywords_go_with_a_message_that_moves(world, side):
    """The letters of the mailboxes differ, the keywords do not."""
    world.server.create("other")
    world.server.append("INBOX", message("m"), ["work", "home", "\\Seen"])
    world.server.append("INBOX", message("n"), ["home", "work"])
    world.server.append("other", message("o"), ["home"])
    world.server.append("other", message("p"), ["play", "work"])
    table(world, "home", "play", "work", box="other")
    world.sync()
    a, b = world.local.letters("INBOX"), world.local.letters("other")
    assert {v: k for k, v in a.items()}["home"] != {
        v: k for k, v in b.items()}["home"]
    if side == "there":
        world.server.select("INBOX")
        world.server.do("uid", "MOVE", "1", "other")
    elif "letters" in side:
        # most readers know of no keywords: a letter stays, and means another
        _, path = local(world)["m"]
        os.rename(path, world.root / "other" / "cur" / path.name)
        assert local(world, "other")["m"][0] != {"work", "home", "\\Seen"}
    else:
        # a reader that knows the tables
        _, path = local(world)["m"]
        letter = {v: k for k, v in b.items()}
        os.rename(path, world.root / "other" / "cur" / (
            path.name.split(":2,")[0] + ":2,S" + "".join(
                sorted(letter[k] for k in ("work", "home")))))
    world.sync()
    assert flags(world, "other")["m"] == {"work", "home", "\\Seen"}
    assert local(world, "other")["m"][0] == {"work", "home", "\\Seen"}
    world.assert_settled()


@pytest.mark.parametrize("seed", range(2))
def test_random_changes_on_both_sides(world, seed):
    """Server: keywords of even numbers; here: of odd ones.  No conflict, so
    that what must come out is known."""
    rng = random.Random(seed)
    names = ["kw%02d" % n for n in range(34)]
    tokens = ["m%d" % n for n in range(8)]
    table(world, *names[1:26:2])
    want = {}
    for t in tokens:
        want[t] = set(rng.sample(names[0::2], 5))
        world.server.append("INBOX", message(t), sorted(want[t]))
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    for _ in range(5):
        for t, uid in zip(tokens, uids):
            add = set(rng.sample(names[0::2], 2)) - want[t]
            drop = set(rng.sample(sorted(want[t] & set(names[0::2])), 1))
            if add:
                world.server.store("INBOX", uid, "+FLAGS", sorted(add))
            world.server.store("INBOX", uid, "-FLAGS", sorted(drop))
            want[t] = (want[t] | add) - drop
            add = set(rng.sample(names[1:26:2], 2)) - want[t]
            drop = want[t] & set(rng.sample(names[1:26:2], 4))
            mark(world, t, add, drop)
            want[t] = (want[t] | add) - drop
        world.sync()
        assert flags(world) == want
        letters = set(world.local.letters("INBOX").values())
        assert len(letters) == 26
        assert {t: f for t, (f, _) in local(world).items()} == {
            t: f & letters for t, f in want.items()}
        world.assert_idle()


def test_a_letter_that_means_something_else_now(world):
    """Seen with the next change in the directory, though no name is another."""
    for token in "a", "b":
        world.server.append("INBOX", message(token),
                            ["work"] if token == "a" else [])
    world.sync()
    table = world.root / "INBOX" / "dovecot-keywords"
    assert table.read_text() == "0 work\n"
    table.write_text("0 play\n")
    world.local.add("INBOX", message("c"), "1.c.host")
    world.sync()
    assert flags(world) == {"a": {"play"}, "b": set(), "c": set()}
    world.assert_settled()


def rename_as(world, token, letters, box="INBOX"):
    _, path = local(world, box)[token]
    os.rename(path, world.root / box / "cur" / (
        path.name.partition(":2,")[0] + ":2," + letters))


def test_another_program_names_a_letter_meanwhile(world, meddle):  # noqa: F811
    """Dovecot takes the first letter that is free, and so do we."""
    world.server.append("INBOX", message("a"), ["\\Seen"])
    world.sync()
    world.server.append("INBOX", message("b"), ["\\Seen", "bar"])
    world.server.append("INBOX", message("c"))

    def name_it():
        rename_as(world, "a", "Sa")
        table(world, "foo")

    done = meddle(b"BODY.PEEK[]", name_it, "--json")
    assert re.search(r'"pulled": ?2\b', done.out), done.out
    assert world.local.letters("INBOX") == {"a": "foo", "b": "bar"}
    assert flags(world) == {"a": {"\\Seen", "foo"}, "b": {"\\Seen", "bar"},
                            "c": set()}
    world.assert_settled()


def test_and_the_keyword_goes_to_a_file_that_is_there(world,
                                                      meddle):  # noqa: F811
    world.server.create("Work")
    world.server.append("INBOX", message("i"))
    for token in "ab":
        world.server.append("Work", message(token))
    world.sync()
    uid = max(world.server.messages("Work", bodies=False))
    world.server.store("Work", uid, "+FLAGS", ["bar"])
    rename_as(world, "i", "S")

    def name_it():
        rename_as(world, "a", "a", box="Work")
        table(world, "foo", box="Work")

    # INBOX comes first, and Work is observed by then
    meddle(b"UID STORE", name_it)
    assert world.local.letters("Work") == {"a": "foo", "b": "bar"}
    assert flags(world, "Work") == {"a": {"foo"}, "b": {"bar"}}
    assert flags(world) == {"i": {"\\Seen"}}
    world.assert_settled()


@pytest.fixture
def nameless(world):
    """A file shows a letter, and the run that saw it is over."""
    for token in "ab":
        world.server.append("INBOX", message(token), ["\\Seen"])
    world.sync()
    rename_as(world, "a", "Sa")
    world.sync()
    world.assert_idle()
    return world


def test_a_letter_is_named_after_the_scan(nameless):
    """Dovecot renames the file first and writes the table later."""
    table(nameless, "work")
    nameless.sync()
    assert flags(nameless)["a"] == {"\\Seen", "work"}
    nameless.assert_settled()


def test_a_letter_is_named_after_a_new_file_was_scanned(world):
    table(world, "first")
    world.local.add("INBOX", message("a"), "1.a.host:2,Sb", "cur")
    world.sync()
    world.assert_idle()
    table(world, "first", "work")
    world.sync()
    assert flags(world)["a"] == {"\\Seen", "work"}
    world.assert_settled()


def test_a_letter_is_named_while_only_the_server_is_looked_at(
        nameless, meddle):  # noqa: F811
    nameless.server.append("INBOX", message("c"))
    meddle(b"SELECT ", lambda: table(nameless, "work"))
    nameless.sync()
    assert flags(nameless)["a"] == {"\\Seen", "work"}
    nameless.assert_settled()


def test_a_letter_is_named_and_the_line_goes_dead(nameless,
                                                  meddle):  # noqa: F811
    """What the table says now is in the journal before it is on the server."""
    table(nameless, "work")

    def hang_up():
        raise ConnectionError

    meddle(b"UID STORE", hang_up, status=69)
    assert flags(nameless)["a"] == {"\\Seen"}
    nameless.sync()
    assert flags(nameless)["a"] == {"\\Seen", "work"}
    nameless.assert_settled()


def opened(world):
    """What one more run opens, and which directories it reads."""
    calls = world.base / "calls"
    world.server.close()
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=openat,getdents64", "-o", str(calls),
         world.binary, "-c", str(world.config), "sync"],
        env=world.traced_env(), capture_output=True, timeout=60)
    if done.returncode and b"PTRACE" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return calls.read_text()


def test_a_letter_that_stays_nameless_costs_one_small_read(nameless):
    """The table is looked at, and the directories are not."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    table(nameless, "other", "words")
    rename_as(nameless, "a", "Sz")
    nameless.sync()
    nameless.assert_idle()
    text = opened(nameless)
    assert text.count('"dovecot-keywords"') == 1
    assert '"cur"' in text
    # the Maildir has been listed by then
    assert "getdents64" not in text[text.index('"dovecot-keywords"'):]
    # without such a letter, in any row that was held against the directory,
    # not even that
    for letters in "Sb", "SFb":
        rename_as(nameless, "a", letters)
        nameless.sync()
    nameless.assert_settled()
    assert '"dovecot-keywords"' not in opened(nameless)


def test_a_letter_of_a_file_without_a_row_stays_nameless(world):
    """Where only the server changed, no file is looked at."""
    world.write_config(max_size=2000)
    world.local.add("INBOX", message("big", size=5000), "1.big.host:2,Sa",
                    "cur")
    world.server.append("INBOX", message("a"))
    world.sync()
    world.assert_idle()
    (uid,) = world.server.messages("INBOX", bodies=False)
    world.server.store("INBOX", uid, "+FLAGS", ["work"])
    world.sync()
    assert world.local.letters("INBOX") == {"b": "work"}
    assert local(world)["a"][0] == {"work"}


def test_a_dump_beside_a_run_knows_new_keywords(world):
    """The pipe is full after the first mailbox; then a keyword comes into the
    second one."""
    for i in range(260):
        world.server.append("INBOX", message("m%d" % i))
    world.server.create("later")
    world.server.append("later", message("one"))
    world.sync()
    dump = subprocess.Popen(
        [world.binary, "-c", str(world.config), "journal", "dump", "home"],
        stdout=subprocess.PIPE, text=True, pipesize=4096)
    first = dump.stdout.readline()
    world.server.store("later", 1, "+FLAGS", ["fresh"])
    world.sync()
    rows = [json.loads(s) for s in [first] + dump.stdout.readlines()]
    assert dump.wait() == 0
    assert len(rows) == 261
    assert [r["keywords"] for r in rows if r["mailbox"] == "later"] == [
        ["fresh"]]


def test_a_name_that_has_no_room_for_a_letter_is_told(world):
    """A file name ends at 255 octets: what it does not show is told, by each
    run, and not said to be set; a shorter name shows it."""
    full, short = "n" * 252 + ":2,", "k" * 250 + ":2,"
    world.sync()
    for name in full, short:
        world.local.add("INBOX", message(name[:3]), name, "cur")
    world.sync()
    uids = sorted(world.server.messages("INBOX", bodies=False))
    for uid in uids:
        world.server.store("INBOX", uid, "+FLAGS", ["\\Seen", "\\Flagged",
                                                    "\\Answered"])
    there = world.server.everything()
    for i in range(3):
        done = world.sync("-v", status=65)
        said = [x for x in done.err.splitlines() if "too long" in x]
        assert len(said) == 2
        # both letters of the one, and none of the other
        assert ("+(\\Answered \\Flagged)" in done.out) == (i == 0)
        assert "\\Seen" not in done.out
        assert world.server.everything() == there
    names = sorted(os.path.basename(x[2]) for x in world.local.files("INBOX"))
    assert names == [short + "FR", full]
    # taken away there before it could be shown here: not ours to set again
    world.server.store("INBOX", uids[0], "-FLAGS", ["\\Answered"])
    world.server.store("INBOX", uids[1], "-FLAGS", ["\\Answered"])
    for i, name in enumerate(names):
        cur = world.root / "INBOX" / "cur"
        os.rename(cur / name, cur / ("%d.x.host:2,%s" % (
            i, name.split(":2,")[1])))
    world.sync()
    for _, flags, _ in world.local.files("INBOX"):
        assert flags == {"\\Seen", "\\Flagged"}
    for m in world.server.messages("INBOX").values():
        assert set(m["flags"]) == {"\\Seen", "\\Flagged"}
    world.assert_settled()


def test_what_has_no_room_for_a_letter_is_agreed_on_all_the_same(world):
    """The rest of what a run does to the message is recorded."""
    full = "n" * 252 + ":2,"
    world.server.append("INBOX", message("both"), ["\\Seen"])
    world.local.add("INBOX", message("both"), full, "cur")
    for _ in range(2):
        done = world.sync(status=65)
        assert "too long" in done.err
        row, = world.dump()
        assert (row["uid"], row["file"]) == (1, "INBOX/cur/" + full)
    os.unlink(world.root / "INBOX" / "cur" / full)
    world.sync()
    assert world.server.messages("INBOX") == {}
    world.assert_settled()


@pytest.mark.parametrize("what", ["full", "new here", "new there", "flag"])
def test_a_lost_table_is_written_again(world, what):
    """From the journal, by the next run that looks at the mailbox."""
    for token, words in ("a", ["k1", "k2"]), ("b", ["k2"]):
        world.server.append("INBOX", message(token), words)
    world.sync()
    file = world.root / "INBOX" / "dovecot-keywords"
    whole = file.read_text()
    file.unlink()
    if what == "new here":
        world.local.add("INBOX", message("c"), "1.c.host")
    elif what == "new there":
        world.server.append("INBOX", message("c"))
    elif what == "flag":
        world.server.store("INBOX", 1, "+FLAGS", ["\\Seen"])
    world.sync(*["--full"] if what == "full" else [])
    assert file.read_text() == whole
    mark(world, "b", ["k1"])
    world.sync()
    assert {"k1", "k2"} <= flags(world)["b"]
    world.assert_settled()


def test_no_table_is_made_where_none_was(world):
    world.server.append("INBOX", message("a"), ["\\Seen"])
    world.sync()
    world.sync("--full")
    assert not (world.root / "INBOX" / "dovecot-keywords").exists()


@pytest.mark.parametrize("off", [[], ["qresync"], ["condstore"]], ids=[
    "", "no QRESYNC", "no CONDSTORE"])
@pytest.mark.parametrize("at", ["SELECT", "STORE"])
@pytest.mark.parametrize("add, drop", [
    ([], ["\\Seen"]), (["\\Flagged"], []), (["two"], []), ([], ["one"]),
    (["\\Flagged", "two"], ["\\Seen", "one"])], ids=str)
def test_moved_there_before_our_store(world, meddle, add, drop, at, off):
    """The server says OK to a STORE of what is gone: what was changed here goes
    to where the message is."""
    world.write_config(disable_extensions=off)
    box, to = ("INBOX", "Archive") if at == "SELECT" else ("Archive", "INBOX")
    world.server.create("Archive")
    world.server.append(to, message("other"))
    for token, flag in ("m", "one"), ("n", "two"):
        world.server.append(box, message(token), ["\\Seen", flag])
    world.sync()
    mark(world, "m", add, drop, box=box)
    mark(world, "other", ["\\Seen"], box=to)

    def deed():
        world.server.select(box)
        world.server.do("uid", "MOVE", "1", to)

    # of the two mailboxes Archive comes first
    meddle(b"UID STORE", deed)
    assert flags(world, to) == {
        "m": ({"\\Seen", "one"} | set(add)) - set(drop),
        "other": {"\\Seen"}}
    world.assert_settled()


@pytest.mark.parametrize("word", [b"SELECT \"INBOX\"", b"UID STORE"])
def test_moved_there_after_the_list(world, meddle, word):
    """No mailbox seems to have it: what was changed here would go with it."""
    world.server.create("Archive")
    world.server.append("Archive", message("other"))
    for token in "m", "n":
        world.server.append("INBOX", message(token), ["\\Seen"])
    world.sync()
    mark(world, "m", ["\\Flagged"])

    def deed():
        world.server.select("INBOX")
        world.server.do("uid", "MOVE", "1", "Archive")

    meddle(word, deed)
    assert flags(world, "Archive") == {
        "m": {"\\Seen", "\\Flagged"}, "other": set()}
    world.assert_settled()
