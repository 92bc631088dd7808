"""COMPRESS=DEFLATE: as much mail arrives as without, in fewer octets; refused,
cut off or abused, it does no harm."""

import random
import re
import shutil
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from conftest import _count
from personas import Persona
from relay import Line
from scripted import Hangup
from servers import DovecotDeflate
from servers_cyrus import Cyrus
from test_safety import lose_journal
from world import World, message

WORDS = [re.sub(r"\W", "", w) for w in
         (Path(__file__).parent / "world.py").read_text().split()]
N = 200


def text(k):
    """A message of some 3 KB, in which no two lines are alike."""
    rng = random.Random(k)
    lines = (" ".join(rng.choice(WORDS) for _ in range(9))
             for _ in range(40))
    return message("t%d" % k, "\r\n".join(lines))


@pytest.fixture(params=[DovecotDeflate, Cyrus])
def packed(request, scratch, binary, others):
    """A world on a server that can, behind a line that counts."""
    _count[0] += 1
    user = "u%d" % _count[0]
    w = World(scratch / user, others.get(request.param), user, binary)
    w.line = None

    def through(**faults):
        if w.line:
            w.line.close()
        w.line = Line(w.server.port, **faults)
        w.write_config(port=w.line.port)
        return w.line

    w.through = through
    w.write_config(compress="on")
    yield w
    w.server.close()
    if w.line:
        w.line.close()


def asked(world):
    return world.commands().count(b"COMPRESS DEFLATE")


def measured(world):
    """Octets of one run, by direction, as the line saw them."""
    line = world.through()
    world.trace.unlink(missing_ok=True)
    said = world.summary("--trace", str(world.trace))
    line.wait()
    # not what they stand for
    assert said["bytes_in"] == line.octets[True]
    assert said["bytes_out"] == line.octets[False]
    return line.octets[True], line.octets[False]


def forget(world):
    shutil.rmtree(world.state / "home")
    shutil.rmtree(world.root)


def add_here(world, first=0):
    for k in range(first, first + N):
        world.local.add("INBOX", text(k).replace(b"\r\n", b"\n"),
                        "%d.mail.host" % k)


def fill_there(world):
    """Through ourselves: one by one, Cyrus takes its time.  What it holds is
    looked at in the end, as always."""
    add_here(world)
    world.write_config(compress="off")
    world.sync()
    forget(world)
    world.write_config(compress="on")


def test_down(packed):
    fill_there(packed)
    packed.write_config(compress="off")
    plain, _ = measured(packed)
    assert asked(packed) == 0
    forget(packed)
    packed.write_config(compress="on")
    octets, _ = measured(packed)
    assert asked(packed) == 1
    # the trace is of IMAP, whatever the line carries
    commands = packed.commands()
    assert any(b"BODY.PEEK[]" in c for c in
               commands[commands.index(b"COMPRESS DEFLATE"):])
    assert b"* 1 FETCH" in packed.trace.read_bytes()
    assert octets * 2 < plain
    packed.assert_settled()
    assert asked(packed) == 0


def test_up(packed):
    packed.sync()
    octets = {}
    for at, how in ((0, "on"), (N, "off")):
        add_here(packed, at)
        packed.write_config(compress=how)
        _, octets[how] = measured(packed)
        assert asked(packed) == (how == "on")
    assert octets["on"] * 2 < octets["off"]
    packed.assert_settled()


def test_both_sides_full(packed):
    """Samples to compare are expected octets, too."""
    fill_there(packed)
    add_here(packed)
    octets, _ = measured(packed)
    assert asked(packed) == 1
    assert octets < 300000
    assert len(packed.local.files("INBOX")) == N
    packed.assert_settled()


def test_little_goes_without(packed):
    packed.server.append("INBOX", message("one"))
    packed.sync()
    trips = []
    for how in ("on", "off"):
        packed.write_config(compress=how)
        trips.append(packed.summary("--trace", str(packed.trace))
                     ["round_trips"])
        assert asked(packed) == 0
    packed.server.append("INBOX", message("two"))
    packed.sync("--trace", str(packed.trace))
    assert asked(packed) == 0
    assert trips[0] == trips[1]
    packed.assert_settled()


@pytest.mark.some(3)
@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("rst", [False, True])
def test_the_line_is_cut_in_compressed_data(packed, down, rst):
    """What had come is kept, and nothing comes twice."""
    if down:
        fill_there(packed)
    else:
        add_here(packed)
    for cut in (40000, 60001, 90002):
        line = packed.through(cut=cut, down=down, rst=rst)
        done = packed.sync("--trace", str(packed.trace), status=None)
        line.wait()
        assert asked(packed) == 1 or cut == 90002
        assert line.hit or (cut == 90002 and done.returncode == 0)
        if line.hit:
            assert done.returncode in (69, 75), (done.returncode, done.err)
            assert len(done.err.splitlines()) == 1, done.err
    packed.through()
    packed.sync()
    assert len(packed.local.files("INBOX")) == N
    packed.assert_settled()


def test_octet_by_octet(packed):
    fill_there(packed)
    packed.through(piece=1)
    packed.sync()
    packed.assert_settled()


def test_inside_of_tls(scratch, others, binary):
    server = others.get(DovecotDeflate)
    _count[0] += 1
    user = "u%d" % _count[0]
    plain = World(scratch / user, server, user, binary)
    for k in range(N):
        plain.server.append("INBOX", text(k))
    w = World(scratch / (user + "tls"), server, user, binary, tls=True)
    w.write_config(compress="on")
    said = w.summary("--trace", str(w.trace))
    assert asked(w) == 1 and said["bytes_in"] < 400000
    w.assert_settled()
    plain.server.close()


# Servers of no good.

class Deflate(Persona):
    caps = Persona.caps + " COMPRESS=DEFLATE"


def filled(scripted, n=N):
    world = scripted(Deflate, compress="on")
    for k in range(n):
        world.server.append("INBOX", text(k))
    return world


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_server_of_good_manners(scripted, chunk):
    world = filled(scripted)
    world.script.chunk = chunk
    world.sync()
    assert world.script.commands.count(b"COMPRESS DEFLATE") == 1
    world.assert_settled()


def test_this_machine_is_not_worth_it(scripted):
    world = filled(scripted)
    world.write_config(compress="auto")
    world.sync()
    assert b"COMPRESS DEFLATE" not in world.script.commands
    world.assert_settled()


@pytest.mark.parametrize("answer", [
    b"NO [COMPRESSIONACTIVE] TLS does it", b"BAD what?", b"NO not now"])
def test_refused(scripted, answer):
    world = filled(scripted)
    world.script.answer[b"COMPRESS"] = answer
    done = world.sync()
    assert done.err == ""
    assert world.script.commands.count(b"COMPRESS DEFLATE") == 1
    world.assert_settled()


def hang_up(session, tag, words):
    raise Hangup


def ok_and_hang_up(session, tag, words):
    session.line(tag + b" OK go on")
    raise Hangup


def ok_and_clear_text(session, tag, words):
    session.line(tag + b" OK go on")
    session.line(b"* OK no, rather not")
    return True


@pytest.mark.parametrize("what, says", [
    (hang_up, "set compress: off"), (ok_and_hang_up, "clos|reset"),
    (ok_and_clear_text, "cannot read compressed data")])
def test_it_ends_the_connection(scripted, what, says):
    world = filled(scripted)
    world.script.answer[b"COMPRESS"] = what
    done = world.sync(status=None)
    assert done.returncode in (69, 75)
    assert len(done.err.splitlines()) == 1 and re.search(says, done.err), (
        done.err)
    # there is a way out of it
    world.write_config(compress="off")
    world.sync()
    world.assert_settled()


def test_it_ends_it_before_messages_are_compared(scripted):
    world = filled(scripted)
    world.write_config(compress="off")
    world.sync()
    lose_journal(world)
    world.write_config(compress="on")
    world.script.answer[b"COMPRESS"] = hang_up
    done = world.sync(status=None)
    assert done.returncode in (69, 75), done
    assert b"COMPRESS DEFLATE" in world.script.commands
    world.script.well()
    world.sync()
    world.assert_settled()


def bomb(head, octet):
    """1 GiB and more in a megabyte: HEAD, and OCTET again and again."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    # which looks back to nothing, and so can be repeated
    return head + 1024 * (deflate.compress(octet * (1 << 20)) +
                          deflate.flush(zlib.Z_FULL_FLUSH))


# 64 MiB is the most for a response, 8 Mi that of words and lists in it.
@pytest.mark.parametrize("head, octet, mib", [
    (b"", b"\0", 64), (b"* OK ", b"x", 192), (b"* 1 FETCH (UID ", b"1", 192),
    (b"* 1 FETCH (FLAGS (", b"x ", 640), (b"* 1 FETCH (", b"(", 64)])
def test_a_bomb(scripted, head, octet, mib):
    """It ends at the ceiling of what it stands for, not at that of memory."""
    world = filled(scripted)
    packed = bomb(head, octet)
    assert len(packed) < 4 << 20

    def throw(session, tag, words):
        if session.deflate:
            session.sock.sendall(packed)
        return bool(session.deflate)

    world.script.answer[b"UID FETCH"] = throw
    most = 0
    with world.start("sync", stderr=subprocess.PIPE) as p:
        while p.poll() is None:
            try:
                status = Path("/proc/%d/status" % p.pid).read_text()
            except ProcessLookupError:
                continue
            for kb in re.findall(r"VmHWM:\s+(\d+)", status):
                most = max(most, int(kb))
            time.sleep(0.01)
        said = p.stderr.read().decode()
    assert p.returncode in (69, 75), said
    assert len(said.splitlines()) == 1
    assert "cannot read what the server sent" in said
    assert 0 < most < mib << 10, most
    assert world.local.files("INBOX") == []
