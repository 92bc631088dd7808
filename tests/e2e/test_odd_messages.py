"""Messages as they really are: what comes down must be what is there, what
goes up must be what was here, and what a server changes on the way must
neither come back nor start a loop."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from conftest import account
from rewriter import Rewriter
from servers import Dovecot, DovecotFew, DovecotNomodseq
from world import canonical, digest, lf, message

HEAD = b"From: a@b.c\r\nSubject: odd\r\n"


def odd_messages():
    """Name, octets with CRLF ends: all that a server may hold."""
    yield "no message-id", HEAD + b"\r\nbody\r\n"
    yield "one line end", b"\r\n"
    yield "one octet", b"x"
    yield "body only", b"\r\nno header at all\r\n"
    yield "no empty line", b"just some text\r\nand more of it\r\n"
    yield "header only", HEAD
    yield "header and empty line", HEAD + b"\r\n"
    yield "no final line end", HEAD + b"\r\nthe end"
    yield "many empty lines", HEAD + b"\r\n" * 300
    yield "lone crs", HEAD + b"\r\na\rb\r\rc\r\n\rd\r\n"
    yield "cr in a header", b"Subject: a\rb\r\n\r\nx\r\n"
    yield "latin-1 header", "Subject: na\u00efve \u00e9\r\n\r\nx\r\n".encode(
        "latin-1")
    yield "utf-8 header", "From: \u00e4\u00f6 <a@b.c>\r\n\r\nx\r\n".encode()
    yield "all octets but nul", HEAD + b"\r\n" + bytes(
        c for c in range(1, 256) if c not in (10, 13)) + b"\r\n"
    yield "garbage in the header", HEAD + b"no colon here\r\n\r\nx\r\n"
    yield "colon first", b": x\r\n" + HEAD + b"\r\nx\r\n"
    yield "folded", HEAD + b"X: a\r\n\tb\r\n  c\r\n \r\n\r\nx\r\n"
    yield "mbox line", b"From a@b.c Mon Nov 23 08:45:59 2026\r\n" + HEAD + \
        b"\r\nx\r\n"
    yield "dots and froms", HEAD + b"\r\n.\r\n..\r\n.x\r\nFrom me\r\n" \
        b">From him\r\n"
    yield "like imap", HEAD + b"\r\n* 1 FETCH (UID 7 BODY[] {5}\r\n" \
        b")\r\nm1 OK done\r\n+ go\r\n{10}\r\n"
    yield "control characters", HEAD + b"\r\n\x1a\x1b[2J\x07\x08\x7f\r\n"
    yield "white space ends", HEAD + b"\r\na \r\nb\t\r\n \r\n"
    yield "line of a megabyte", HEAD + b"\r\n" + b"y" * (1 << 20) + b"\r\n"
    yield "header of 70 k", b"X: " + b"z" * 70000 + b"\r\n" + HEAD + \
        b"\r\nx\r\n"
    yield "4000 headers", b"".join(b"X-%d: %d\r\n" % (n, n)
                                   for n in range(4000)) + b"\r\nx\r\n"
    for n in (4095, 4096, 4097, 65535, 65536, 65537, (1 << 20) + 1):
        text = HEAD + b"X-Size: %d\r\n\r\n" % n
        yield "size %d" % n, text + b"s" * (n - len(text) - 2) + b"\r\n"
    # the CR and the LF fall into two pieces of whatever size
    for n in (16384, 32768, 65536, 131072):
        text = HEAD + b"X-Cut: %d\r\n\r\n" % n
        yield "cut %d" % n, text + b"c" * (n - len(text) - 1) + b"\r\nrest\r\n"


def bodies(world, box="INBOX"):
    return sorted(m["body"] for m in world.server.messages(box).values())


def files(world, box="INBOX"):
    return sorted(p.read_bytes() for _, _, p in world.local.files(box))


def test_all_of_them_come_down(world):
    odd = dict(odd_messages())
    for data in odd.values():
        world.server.append("INBOX", data)
    assert bodies(world) == sorted(odd.values())
    world.sync()
    assert files(world) == sorted(map(lf, odd.values()))
    world.assert_settled()
    # and are known again
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    world.assert_settled()


@pytest.mark.parametrize("ends", ["lf", "crlf", "mixed"])
def test_all_of_them_go_up(world, ends):
    world.sync()
    odd = dict(odd_messages())
    here = {}
    for n, (name, data) in enumerate(odd.items()):
        text = data if ends == "crlf" else lf(data)
        if ends == "mixed":
            lines = text.split(b"\n")
            text = b"".join(
                line + (b"\r\n" if i % 2 else b"\n")
                for i, line in enumerate(lines[:-1])) + lines[-1]
        here[world.local.add("INBOX", text, "%d.odd.host" % n)] = text
    world.sync()
    assert bodies(world) == sorted(map(canonical, here.values()))
    if ends != "mixed":
        assert bodies(world) == sorted(odd.values())
    world.assert_settled()
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (0, 0)
    world.assert_settled()
    # not an octet of ours was touched
    for path, text in here.items():
        assert path.read_bytes() == text


def test_equal_bytes_twice_on_both_sides(world):
    twin = dict(odd_messages())["no message-id"]
    for _ in range(3):
        world.server.append("INBOX", twin)
    world.local.add("INBOX", lf(twin), "1.twin.host")
    world.local.add("INBOX", lf(twin), "2.twin.host")
    s = world.summary()
    assert (s["pulled"], s["pushed"]) == (1, 0)
    assert len(world.local.files("INBOX")) == 3
    world.assert_settled()
    for _ in range(2):
        world.local.add("INBOX", lf(twin), "%d.more.host" % time.time_ns())
    s = world.summary()
    assert (s["pulled"], s["pushed"] + s["copied"]) == (0, 2)
    world.assert_settled()


def server_file(world, box, data, name, when=None):
    """A file in the server's own Maildir, by the back door."""
    there = world.server_process.maildir(world.user)
    path = there / ("" if box == "INBOX" else "." + box) / "new" / name
    path.write_bytes(data)
    os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)
    if when is not None:
        os.utime(path, (when, when))
    return path


def test_what_lies_in_the_servers_own_files(world):
    """Bare LFs, CRLFs and NULs on its disk; it sends what it sends."""
    world.sync()
    for n, data in enumerate([
            b"Subject: lf\n\nlf\n", b"Subject: crlf\r\n\r\ncrlf\r\n",
            b"Subject: mixed\n\na\r\nb\nc\r\n", b"\0" * 4096,
            b"Subject: nul\n\na\0b\n", b"Subject: x\n\na\r\r\nb\n"]):
        server_file(world, "INBOX", data, "%d.M%dP1.host" % (1700000000 + n, n))
    world.sync()
    assert len(world.local.files("INBOX")) == 6
    world.assert_settled()


def test_a_message_that_ends_the_connection(world):
    """Dovecot believes ",S=" and hangs up when it is wrong: that message is
    reported, and all others come, whatever mailbox they are in."""
    world.sync()
    for box in ("aaa", "zzz"):
        world.server.create(box)
        world.server.append(box, message(box))
    for n in range(4):
        world.server.append("INBOX", message("before%d" % n))
    bad = [server_file(world, "INBOX", message("poison%d" % n),
                       "1700000000.M%dP1.host,S=5,W=5" % n)
           for n in range(2)]
    world.server.select("INBOX")
    for n in range(4):
        world.server.append("INBOX", message("after%d" % n))
    for _ in range(3):
        done = world.sync(status=None)
        assert done.returncode == 69 and done.err
    assert "uid 5" in done.err or "uid 6" in done.err
    want = {"INBOX": 8, "aaa": 1, "zzz": 1}
    assert {b: len(files(world, b)) for b in want} == want
    # and what is done later is done
    world.server.append("zzz", message("later"))
    world.local.add("aaa", message("up"), "1.up.host")
    world.server.do("delete", "zzz")
    world.sync(status=69)
    assert len(world.server.messages("aaa")) == 2
    assert "zzz" not in world.local.mailboxes()
    # mended there, it comes at once
    for name in bad[0].parent.parent.rglob("*P1.host,S=5,W=5*"):
        os.rename(name, str(name).replace(",S=5,W=5", ""))
    world.sync()
    assert len(files(world)) == 10
    world.assert_settled()


def test_a_connection_that_ends_once(world):
    """No message is to blame: the next run has them all, and no grudge."""
    for n in range(5):
        world.server.append("INBOX", message("m%d" % n, size=3000))
    left = [1]

    def cut(data):
        if b"BODY[]" in data and left[0]:
            left[0] = 0
            raise OSError("cut")
        return data

    line = through(world, down=cut)
    world.sync(status=69)
    assert left == [0]
    world.sync()
    assert len(files(world)) == 5
    world.assert_settled()
    line.close()


def test_an_empty_message_on_the_server(world):
    """No data is not a message: reported, and the rest comes."""
    world.sync()
    path = server_file(world, "INBOX", b"", "1700000000.M1P1.host")
    world.server.append("INBOX", message("full"))
    done = world.sync(status=65)
    assert "no body" in done.err
    assert files(world) == [lf(message("full"))]
    txn = world.txnid()
    world.sync(status=65)
    assert world.txnid() == txn
    for name in path.parent.parent.rglob("*.M1P1.host*"):
        name.unlink()
    world.server.close()
    world.sync()
    world.assert_settled()


@pytest.mark.parametrize("when", [-86400 * 365 * 30, -1, 0, 1, 951782400,
                                  2 ** 31 - 1, 2 ** 31, 4102444800])
def test_times_of_files_and_messages(world, when):
    world.sync()
    server_file(world, "INBOX", message("down"), "1.M1P1.host", when)
    path = world.local.add("INBOX", lf(message("up")), "1.up.host")
    os.utime(path, (when, when))
    world.sync()
    world.assert_settled()
    dates = {m["body"]: m["date"]
             for m in world.server.messages("INBOX").values()}
    if 86400 < when < time.time():
        # (Dovecot takes no date that is still to come)
        assert dates[message("up")] == dates[message("down")]
    if when > 86400:
        for _, _, path in world.local.files("INBOX"):
            assert int(path.stat().st_mtime) == when


def through(world, **how):
    line = Rewriter(world.server_process.port, **how)
    world.write_config(port=line.port)
    return line


def test_a_server_that_alters_what_it_takes(world):
    """8-bit headers become X, as with Cyrus: paired by APPENDUID, the file
    stays as it was, and nobody carries the message again."""
    world.sync()
    line = through(world, up=lambda data: data.replace(b"\xe4", b"X"))
    text = "Subject: m\u00e4rz\n\nb\u00e4r\n".encode("latin-1")
    path = world.local.add("INBOX", text, "1.odd.host")
    world.sync()
    assert bodies(world) == [b"Subject: mXrz\r\n\r\nbXr\r\n"]
    for _ in range(2):
        s = world.summary()
        assert (s["pulled"], s["pushed"], s["flags"]) == (0, 0, 0)
    world.assert_journal()
    world.assert_idle()
    # flags go both ways
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["\\Flagged"])
    world.sync()
    (_, flags, path), = world.local.files("INBOX")
    assert flags == {"\\Flagged"} and path.read_bytes() == text
    world.sync("--full")
    assert path.read_bytes() == text
    assert bodies(world) == [b"Subject: mXrz\r\n\r\nbXr\r\n"]
    # and a delete
    path.unlink()
    world.sync()
    assert bodies(world) == []
    world.assert_settled()
    line.close()


@pytest.mark.parametrize("text", [b"Subject: x\n\na\r\r\nb\r\r\r\nc\n",
                                  b"Subject: x\n\nends in a cr\r"])
def test_a_server_that_takes_octets_away(world, text):
    """Dovecot makes CR LF of CR CR LF, and drops a CR at the end."""
    world.sync()
    path = world.local.add("INBOX", text, "1.crs.host:2,S", "cur")
    world.sync()
    (there,) = bodies(world)
    assert there != canonical(text)
    world.assert_journal()
    world.assert_idle()
    uid = max(world.server.messages("INBOX", bodies=False))
    world.server.store("INBOX", uid, "+FLAGS", ["\\Answered"])
    world.sync()
    (_, flags, path), = world.local.files("INBOX")
    assert flags == {"\\Seen", "\\Answered"} and path.read_bytes() == text
    world.sync("--full")
    assert bodies(world) == [there]
    world.assert_idle()


@pytest.mark.parametrize("wrong", [b"0", b"1", b"4096", b"4294967295",
                                   b"99999999999"])
def test_wrong_sizes_from_the_server(world, wrong):
    line = through(world, down=lambda data: re.sub(
        rb"RFC822\.SIZE \d+", b"RFC822.SIZE " + wrong, data))
    odd = [message("m%d" % n, size=5000 if n == 2 else 0) for n in range(4)]
    for data in odd:
        world.server.append("INBOX", data)
    world.sync()
    assert files(world) == sorted(map(lf, odd))
    world.assert_settled()
    # without a journal nothing is lost, even where nothing can be paired
    shutil.rmtree(world.state / "home" / "journal")
    world.sync()
    assert set(files(world)) == set(map(lf, odd))
    assert set(bodies(world)) == set(odd)
    world.assert_settled()
    line.close()


def test_a_message_larger_than_the_memory_of_a_run(world):
    """Both ways."""
    size = 64 << 20
    block = (b"0123456789abcdef" * 4 + b"\n") * 16
    path = world.base / "big"
    with open(path, "wb") as f:
        f.write(b"Subject: message big\n\n")
        for _ in range(size // len(block)):
            f.write(block)
    world.sync()
    os.rename(path, world.root / "INBOX" / "new" / "1.big.host")

    def measured():
        """The most memory that the run had at a time, in kB."""
        world.server.close()
        most = 0
        with world.start("sync") as p:
            while p.poll() is None:
                try:
                    status = Path("/proc/%d/status" % p.pid).read_text()
                except ProcessLookupError:
                    continue
                for kb in re.findall(r"VmHWM:\s+(\d+)", status):
                    most = max(most, int(kb))
                time.sleep(0.01)
        assert p.returncode == 0
        return most

    up = measured()
    (name, _, path), = world.local.files("INBOX")
    want = digest_of_file(path)
    path.unlink()
    shutil.rmtree(world.state / "home")
    shutil.rmtree(world.root)
    down = measured()
    (_, _, path), = world.local.files("INBOX")
    assert digest_of_file(path) == want
    assert 0 < up < 48 << 10 and 0 < down < 48 << 10, (up, down)
    world.assert_idle()
    path.unlink()
    world.sync()
    assert world.server.messages("INBOX", bodies=False) == {}


def digest_of_file(path):
    return digest(path.read_bytes())


@pytest.fixture(params=[Dovecot, DovecotFew, DovecotNomodseq])
def each_dovecot(request, scratch, binary, others):
    yield from account(scratch, others.get(request.param), binary)


@pytest.mark.parametrize("first", [False, True])
def test_a_file_that_the_server_cannot_read(each_dovecot, first):
    """Dovecot ends the connection when it is asked for its size."""
    world = each_dovecot
    world.server.create("work")
    world.server.append("INBOX", message("m0"))
    if not first:
        world.sync()
    bad = world.server_process.maildir(world.user) / "new" / "1.M1P1.host"
    bad.write_bytes(lf(message("bad")))
    bad.chmod(0)
    world.server.append("INBOX", message("m1"))
    world.server.append("work", message("w1"))
    world.local.add("work", lf(message("l1")), "1.l1.host")
    for _ in range(4):
        done = world.sync(status=69)
        assert re.search(r"INBOX: when the size of uid \d+ was asked for: the "
                         "server ends the session", done.err)
    assert "the connection ends whenever it is asked for" in done.err
    assert files(world) == [lf(message("m0")), lf(message("m1"))]
    assert files(world, "work") == [lf(message("l1")), lf(message("w1"))]
    assert len(world.server.messages("work")) == 2
    for path in bad.parent.parent.glob("*/1.M1P1.host*"):
        path.chmod(0o644)
    world.sync()
    assert lf(message("bad")) in files(world)
    world.assert_settled()
