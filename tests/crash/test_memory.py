"""Little memory: what a run needs does not grow with a message, and where
there is not even that, one line says so, and nothing is lost."""

import shutil
import subprocess

import pytest

from world import World, message

MIB = 1 << 20
LARGE = 100 * MIB
# what the program may answer, without a signal
STATUS = (0, 65, 69, 75, 78)


@pytest.fixture
def world(scratch, dovecot, binary, request):
    user = "memory%d" % len(request.node.name)
    world = World(scratch / user, dovecot, user, binary)
    yield world
    world.server.close()


def run(world, limit):
    world.server.close()
    return subprocess.run(
        ["prlimit", "--as=%d" % limit, world.binary, "-c", str(world.config),
         "sync"], env=world.env(), capture_output=True, timeout=300)


def least(world):
    """Address space, in MiB, for a run that has nothing to do."""
    low, high = 16, 4096
    assert run(world, high * MIB).returncode == 0
    while high - low > 1:
        middle = (low + high) // 2
        if run(world, middle * MIB).returncode == 0:
            high = middle
        else:
            low = middle
    return high


def test_large_messages_with_little_memory(world):
    """Both ways, with 64 MiB more than what a run needs that does nothing."""
    world.server.append("INBOX", message("a"))
    world.sync()
    enough = least(world) + 64
    down, up = message("down", size=LARGE), message("up", size=LARGE)
    world.server.append("INBOX", down)
    world.local.add("INBOX", up.replace(b"\r\n", b"\n"), "1.up.host")
    done = run(world, enough * MIB)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    # and they are known again when the journal is lost
    shutil.rmtree(world.state)
    done = run(world, enough * MIB)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    there = [m["body"] for m in world.server.messages("INBOX").values()]
    here = [path.read_bytes().replace(b"\n", b"\r\n")
            for _, _, path in world.local.files("INBOX")]
    assert sorted(map(len, there)) == sorted(map(len, (message("a"), down, up)))
    for side in there, here:
        assert len(side) == 3 and down in side and up in side


def test_memory_that_is_not_enough(world):
    """At any amount: one line and a status, and the next run does it all."""
    world.server.append("INBOX", message("a"))
    world.sync()
    need, failed, tokens = least(world), 0, ["a"]
    for short in range(0, 24):
        for side in "there", "here":
            token = "%s%d" % (side, short)
            tokens.append(token)
            text = message(token, size=300_000)
            if side == "there":
                world.server.append("INBOX", text)
            else:
                world.local.add("INBOX", text.replace(b"\r\n", b"\n"),
                                "1.%s.host" % token)
        done = run(world, (need - 1) * MIB + short * 50_000 - MIB // 2)
        assert done.returncode in STATUS, (short, done)
        if done.returncode:
            failed += 1
            line, = done.stderr.splitlines()
            assert line.startswith(b"mochila: ")
    assert failed > 5
    world.sync()
    assert len(world.server.messages("INBOX", bodies=False)) == len(tokens)
    world.assert_settled()


def test_memory_that_is_not_enough_for_a_name(world):
    """In steps of three pages, down from what a run needs to begin: the resolver
    of the system is called with nearly nothing left."""
    world.server.append("INBOX", message("a"))
    world.sync()
    top, words = least(world) * MIB, set()
    for pages in range(0, 1100, 3):
        done = run(world, top - pages * 4096)
        assert done.returncode in STATUS, (pages, done)
        if done.returncode:
            line, = done.stderr.splitlines()
            assert line.startswith(b"mochila: ")
            words.add(line.split(b":")[-1])
    assert len(words) > 1
    world.sync()
    world.assert_settled()
