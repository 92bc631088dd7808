"""Names of mailboxes: whatever they are, nothing leaves the root, two names
never share a directory, and each comes back as it was."""

import os
import re
import shutil
import unicodedata

import pytest

from rewriter import Rewriter
from servers import Dovecot
from world import World, lf, message


def utf7(name):
    """RFC 3501 section 5.1.3, without the code under test."""
    out, run = [], []

    def flush():
        if run:
            data = "".join(run).encode("utf-16-be")
            import base64
            text = base64.b64encode(data).decode().rstrip("=")
            out.append("&" + text.replace("/", ",") + "-")
            run.clear()

    for c in name:
        if " " <= c <= "~":
            flush()
            out.append("&-" if c == "&" else c)
        else:
            run.append(c)
    flush()
    return "".join(out)


def tree(world):
    """{directory: number of messages}."""
    found = {}
    for top, dirs, _ in os.walk(world.root):
        if "cur" in dirs:
            found[os.path.relpath(top, world.root)] = sum(
                len(os.listdir(os.path.join(top, sub)))
                for sub in ("new", "cur"))
    return found


def assert_nothing_outside(world):
    assert set(os.listdir(world.base)) <= {
        "Mail", "config.yaml", "home", "password", "state", "trace"}


def settle(world, names):
    """Two runs later: a mailbox here for each there, with its message."""
    world.assert_idle()
    there = {box: len(m) for box, m in world.server.everything().items()}
    assert sorted(there.values()) == sorted(tree(world).values())
    assert set(names) <= set(there)
    assert_nothing_outside(world)
    rows = world.dump()
    assert len({(r["mailbox"], r["uid"]) for r in rows}) == len(rows)
    world.server.close()


def relearn(world):
    """Without a journal the same directories are the same names."""
    before = tree(world)
    boxes = world.server.mailboxes()
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["deleted_local"],
            s["deleted_remote"]) == (0, 0, 0, 0)
    assert tree(world) == before
    assert world.server.mailboxes() == boxes
    world.assert_idle()


ODD = ["B\u00fccher", "\u65e5\u672c\u8a9e", "\U0001f4e8 Post", "R&D", "&&",
       "a&b&c", "100%", "50% off", "%41", "%2F", "caf\u00e9",
       "cafe\u0301", "\u202ebidi", "a\u00a0b", "a'b`c$d", "x|y>z",
       "a  b", "end\\", '"quoted"', "{3}", "[x]", "(y)", "*", "%", "*%*",
       ":2,S", "base:2,FS", "nil", "NIL", "cur", "new", "tmp", "CUR",
       "cur/new/tmp", "Inbox2", "inbox/below", "-n", "--help", "#shared",
       "a/b/c/d/e/f", "lost+found", "dovecot-uidlist"]


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_odd_names_come_down(world, layout):
    world.write_config(layout=layout)
    names = [utf7(n) for n in ODD]
    for n in names:
        world.server.create(n)
        world.server.append(n, message("m"))
    expected = {re.sub("(?i)^inbox/", "INBOX/", n) for n in names}
    world.sync()
    settle(world, expected)
    relearn(world)
    # mail goes up by the same names
    for top in tree(world):
        (world.root / top / "new" / "1.up.host").write_bytes(message("up"))
    world.sync()
    for box in expected:
        assert len(world.server.messages(box)) == 2, box
    settle(world, expected)


def test_odd_names_go_up(world):
    """Directories that people made, by the rules of the layout."""
    world.sync()
    plain = {"B\u00fccher", "caf\u00e9", "cafe\u0301", "R&D", "a  b", "(y)",
             "\U0001f4e8", '"q"', "back\\slash", "*", ":2,S", "NIL",
             "x/y/z", "#1", "-n"}
    coded = {"100%25": "100%", "%63ur": "cur", "a/%6Eew": "a/new"}
    for name in plain | set(coded):
        world.local.add(name, message(name), "1.x.host")
    world.sync()
    expected = {utf7(n) for n in plain} | {utf7(n) for n in coded.values()}
    assert set(world.server.mailboxes()) - {"INBOX"} == expected
    settle(world, expected)
    relearn(world)


def test_a_name_with_an_escape_is_hinted_at(world):
    for name in "100%", "plain":
        world.server.create(name)
    world.sync()
    done = world.sync("home:100%", status=64)
    assert done.err == ("mochila: home: no mailbox '100%' on either side; "
                        "that name is written '100%25' here\n")
    world.sync("home:100%25")
    # of another name nothing is said
    for word in "100%2", "100", "plai":
        done = world.sync("home:" + word, status=64)
        assert done.err.endswith("'%s' on either side\n" % word)


def test_directories_that_are_no_names_are_reported_and_left(world):
    world.sync()
    bad = [b"100%", b"a%2fb", b"latin-\xe4", b"line\nend", b"a%6", b"%2E",
           b"inbox", b"a.b", b"~x", b"%"]
    for name in bad:
        for sub in (b"cur", b"new", b"tmp"):
            os.makedirs(os.path.join(os.fsencode(world.root), name, sub))
        with open(os.path.join(os.fsencode(world.root), name, b"new",
                               b"1.x.host"), "wb") as f:
            f.write(message("kept"))
    before = world.local.snapshot()
    done = world.sync(status=None)
    assert done.returncode == 65
    for word in ("100%", "a%2fb", "a%6", "inbox", "a.b", "~x",
                 "the inbox is INBOX, in capitals",
                 "home: %: a mailbox of this name cannot be on this server; "
                 "rename the directory"):
        assert word in done.err
    assert "\n'" not in done.err and "\xe4" not in done.err
    assert world.local.snapshot() == before
    assert world.server.mailboxes() == ["INBOX"]
    assert world.server.messages("INBOX") == {}
    # good ones beside them are not kept from their work
    world.local.add("good", message("good"), "1.x.host")
    world.sync(status=None)
    assert len(world.server.messages("good")) == 1
    for name in bad:
        shutil.rmtree(os.path.join(os.fsencode(world.root), name))
    world.sync()
    world.assert_settled()


def test_two_forms_of_one_letter_are_two_mailboxes(world):
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Entw\u00fcrfe/\u00c5ngstr\u00f6m")
        world.server.create(utf7(name))
        world.server.append(utf7(name), message(form))
    for name in ("Case", "CASE", "case"):
        if name not in world.server.mailboxes():
            try:
                world.server.create(name)
            except AssertionError:
                continue
        world.server.append(name, message(name))
    world.sync()
    assert len(tree(world)) == len(world.server.mailboxes())
    settle(world, [])
    relearn(world)


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_names_as_long_as_names_can_be(world, layout):
    world.write_config(layout=layout)
    names = []
    for n in ("x" * 200, "x" * 240, "x" * 241, "x" * 249, "x" * 248 + "y",
              "\u00e4" * 80, "\u65e5" * 60, "%" * 90, "/".join(["d" * 30] * 7),
              "a" * 100 + "/" + "b" * 100):
        try:
            world.server.create(utf7(n))
        except AssertionError:
            continue  # longer than this server has them
        names.append(utf7(n))
        world.server.append(utf7(n), message(n))
    assert len(names) >= 6
    world.sync()
    settle(world, names)
    for top, dirs, _ in os.walk(world.root):
        assert all(len(os.fsencode(d)) <= 255 for d in dirs)
    # what was cut is known from the journal, for flags and new mail too
    for name in names:
        world.server.append(name, message("more " + name), ["\\Seen"])
    world.sync()
    settle(world, names)
    assert sorted(tree(world).values()) == [0] + [2] * len(names)


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
@pytest.mark.parametrize("more", [False, True])
def test_a_long_name_that_another_mailbox_got(world, layout, more):
    """The directory of the one that is gone is put aside, under a name that
    cannot be read back."""
    world.write_config(layout=layout)
    name = "x" * 230 + "y" * 11
    for box in ("b", name):
        world.server.create(box)
        world.server.append(box, message("of " + box[0]))
    world.sync()
    settle(world, ["b", name])
    if more:
        cut, = [d for d in tree(world) if "xxx" in d]
        world.local.add(cut, message("mine"), "1.mine.host")
    world.server.do("delete", name)
    world.server.do("rename", "b", name)
    world.server.close()
    if more:  # the name is too long for this server, which is said
        for _ in range(2):
            assert "CREATE" in world.sync(status=65).err
            assert sorted(tree(world).values()) == [0, 1, 1]
        return
    s = world.summary()
    assert s["mailboxes_renamed"] == s["mailboxes_deleted"] == 1
    assert s["pulled"] == s["pushed"] == 0
    settle(world, [name])
    message_left, = world.server.messages(name).values()
    assert b"message of b" in message_left["body"]


def test_names_deeper_than_a_tree_should_be(world):
    """Each is synced, and the next run does not lose its way in them."""
    names = ["/".join("a" * n) for n in (20, 59, 60, 61, 62, 100)]
    for name in names:
        world.server.create(name)
        world.server.append(name, message(str(len(name))))
    world.sync()
    settle(world, names)
    assert sorted(tree(world).values()) == [0] + [1] * len(names)
    relearn(world)
    world.server.do("delete", names[-1])
    world.sync()
    assert len(tree(world)) == len(names)
    settle(world, names[:-1])


EVIL = {"Q1": "..", "Q2/x1": "../x1", "Q3": "&a", "Q4": "\xfc", "Q5": "&Q",
        "Q666666/etc": "../../../xx/etc"[:11], "Q7": "\x01", "Q8x": ".x",
        "Q9": "./", "QA/y": "Q//y", "QBB": "&A-"}


def same_length(fake):
    return {k: v for k, v in fake.items()
            if len(k.encode("latin-1")) == len(v.encode("latin-1"))}


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_server_whose_names_are_evil(world, layout):
    """Up and down the names are exchanged: the server holds tame ones."""
    beside = set(os.listdir(world.base.parent))
    fake = same_length(EVIL)
    assert len(fake) >= 8
    pairs = [(a.encode("latin-1"), b.encode("latin-1"))
             for a, b in sorted(fake.items(), reverse=True)]

    def down(data):
        lines = []
        for line in data.split(b"\n"):
            if line.startswith((b"* LIST", b"* STATUS")):
                for tame, evil in pairs:
                    line = line.replace(
                        b'"%s"' % tame, b'"%s"' % evil).replace(
                        b" %s\r" % tame, b' "%s"\r' % evil).replace(
                        b" %s (" % tame, b' "%s" (' % evil)
            lines.append(line)
        return b"\n".join(lines)

    def up(data):
        for tame, evil in pairs:
            data = data.replace(b'"%s"' % evil, b'"%s"' % tame)
            data = data.replace(b"}\r\n%s" % evil, b"}\r\n%s" % tame)
        return data

    world.write_config(layout=layout)
    for tame in fake:
        world.server.create(tame)
        world.server.append(tame, message("in " + tame))
    world.server.append("INBOX", message("inbox"))
    line = Rewriter(world.server_process.port, up=up, down=down)
    world.write_config(port=line.port)
    for _ in range(2):
        world.sync()
        assert_nothing_outside(world)
    inside = tree(world)
    assert sorted(inside.values()) == [1] * (len(fake) + 1)
    for path in inside:
        assert not {"", "..", "cur", "new"} & set(path.split("/"))
        assert layout == "maildir++" or not re.search(r"(^|/)\.", path)
    assert set(os.listdir(world.base.parent)) == beside
    world.write_config(port=world.server_process.port)
    line.close()
    world.server.close()


@pytest.fixture
def two_names(scratch, binary):
    """A server with two namespaces, in which INBOX/x/y and x/y both are."""
    server = Dovecot(scratch / "twonames", """
namespace inbox {
  prefix = INBOX/
}
namespace second {
  type = public
  separator = /
  prefix = x/
  location = maildir:~/second
  list = yes
}
""")
    w = World(scratch / "twonames-user", server, "two", binary)
    yield w
    w.server.close()
    server.stop()


def test_two_names_that_would_share_a_directory(two_names):
    world = two_names
    for box in ("INBOX/x/y", "x/y", "INBOX/z"):
        world.server.create(box)
        world.server.append(box, message("in " + box), ["\\Seen"])
    kept = world.server.everything()
    for _ in range(3):
        done = world.sync(status=None)
        assert world.server.everything() == kept
    # one of the two has the directory, the other one is named
    assert done.returncode == 65 and "x/y" in done.err
    here = tree(world)
    assert here == {"INBOX": 0, "x/y": 1, "z": 1}
    # a flag of the one does not get to the other
    for top in here:
        cur = world.root / top / "cur"
        for name in os.listdir(cur):
            os.rename(cur / name, cur / (name + "T"))
    world.sync(status=None)
    flagged = [box for box, m in world.server.everything().items()
               for x in m.values() if "\\Deleted" in x["flags"]]
    assert len(flagged) == sum(here.values())
    for box, m in world.server.everything().items():
        for uid, x in m.items():
            assert x["body"] == kept[box][uid]["body"]


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_directory_named_as_imap_writes_it(world, layout):
    """mbsync and Dovecot leave it so; it is that mailbox, and no other."""
    name = utf7("Entw\u00fcrfe")
    world.server.create(name)
    world.server.append(name, message("m"))
    world.write_config(layout=layout)
    dot = "." if layout == "maildir++" else ""
    box = world.root / (dot + name)
    for sub in "cur", "new", "tmp":
        (box / sub).mkdir(parents=True)
    (box / "new" / "1.m.host").write_bytes(lf(message("m")))
    done = world.sync("-q", status=65)
    assert done.err.count("\n") == 1
    assert "rename the directory to '%sEntw\u00fcrfe'" % dot in done.err
    assert sorted(world.server.mailboxes()) == sorted(["INBOX", name])
    box = box.rename(world.root / (dot + "Entw\u00fcrfe"))
    done = world.summary()
    assert (done["adopted"], done["pulled"], done["pushed"]) == (1, 0, 0)
    assert os.listdir(box / "new") == ["1.m.host"]
    assert world.summary()["adopted"] == 0
