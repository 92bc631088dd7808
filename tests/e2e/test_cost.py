"""What a run costs: round trips, commands, and calls that wait for a disk.

The counts are exact, so that no change makes a run dearer unnoticed."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from relay import Line
from world import message

DURABLE = "fsync,fdatasync,syncfs,sync_file_range,msync"


class Cost:
    def __init__(self, world):
        world.server.close()
        world.trace.unlink(missing_ok=True)
        calls = world.base / "calls"
        done = subprocess.run(
            ["strace", "-f", "-e", "trace=" + DURABLE, "-o", str(calls),
             world.binary, "-c", str(world.config), "sync", "--json",
             "--trace", str(world.trace)],
            env=world.traced_env(), capture_output=True, timeout=60)
        if done.returncode and b"PTRACE" in done.stderr:
            pytest.skip("strace may not trace here")
        assert done.returncode == 0, done.stderr
        out = done.stdout.decode()
        self.trips = int(re.search(r'"round_trips": ?(\d+)', out).group(1))
        words = (re.match(rb"(?:UID )?[A-Z]+", c) for c in world.commands())
        self.commands = Counter(w.group().decode() for w in words if w)
        self.durable = Counter(re.findall(
            r"\b(\w+)\(", re.sub(r"<\.\.\..*", "", calls.read_text())))


@pytest.fixture
def settled(world):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    for i in range(20):
        world.server.append("INBOX", message("m%d" % i))
    world.server.create("other")
    world.sync()
    world.assert_idle()
    return world


# Each run logs in, lists with STATUS, and logs out.
ALWAYS = Counter(("AUTHENTICATE", "ENABLE", "ID", "NAMESPACE", "LIST",
                  "LOGOUT"))


def check(cost, trips, durable, *commands):
    assert cost.commands - ALWAYS == Counter(commands)
    assert ALWAYS - cost.commands == Counter()
    assert (cost.trips, sum(cost.durable.values())) == (trips, durable), (
        cost.durable)


def test_nothing_to_do(settled):
    check(Cost(settled), 3, 0)


class Turns(Line):
    """How often the client spoke, after it had heard something or at first."""

    def __init__(self, port):
        self.turns, self.heard = 0, True
        super().__init__(port)

    def send(self, to, data, down):
        self.turns += self.heard and not down
        self.heard = down
        super().send(to, data, down)


def test_tls_costs_its_handshake(tls_world):
    tls_world.sync()
    line = Turns(tls_world.server_process.tls_port)
    tls_world.write_config(port=line.port)
    assert tls_world.summary()["round_trips"] == 3
    line.wait()
    # hello, and the end of the handshake, on which the greeting follows; the
    # last word of TLS, when the server has not hung up before it
    assert line.turns in (2 + 3, 2 + 3 + 1)
    line.close()


def test_one_new_message_there(settled):
    settled.server.append("INBOX", message("new"))
    # (of the size and second of others there, of which it is no copy)
    check(Cost(settled), 5, 7, "SELECT", "UID FETCH", "UID FETCH")
    settled.assert_settled()


def test_one_flag_here(settled):
    name, _, path = settled.local.files("INBOX")[0]
    os.rename(path, settled.root / "INBOX" / "cur" /
              (path.name.split(":2,")[0] + ":2,F"))
    # two of them for the names in new/ and cur/
    check(Cost(settled), 6, 8, "SELECT", "SELECT", "UID STORE")
    settled.assert_settled()


@pytest.mark.parametrize("n, trips, durable, before", [
    (2, 5, 10, 0), (20, 6, 9, 1)])
def test_many_new_here_go_into_the_selected_mailbox(settled, n, trips,
                                                    durable, before):
    for i in range(n):
        path = settled.root / "INBOX" / "new" / ("here%d.desk" % i)
        path.write_bytes(message("here%d" % i).replace(b"\r\n", b"\n"))
    # the names; each file, or with one syncfs all of them
    check(Cost(settled), trips, durable, *["APPEND"] * n,
          *["SELECT"] * (before + 1))
    words = [c.split()[0] for c in settled.commands()]
    assert words[words.index(b"APPEND") - 1] == (
        b"SELECT" if before else b"LIST")
    settled.assert_settled()


@pytest.mark.parametrize("n, trips, more", [
    (2, 4, ()), (20, 5, ("UID SEARCH",))])
def test_deletes_there_cost_the_disk_no_more_when_many(settled, n, trips,
                                                       more):
    uids = sorted(settled.server.messages("INBOX", bodies=False))[:n]
    settled.server.expunge("INBOX", uids)
    settled.write_config(max_deletes=100)
    check(Cost(settled), trips, 11, "SELECT", *more)
    settled.assert_settled()


@pytest.mark.parametrize("n", [2, 20])
def test_moves_here_cost_no_more_when_many(settled, n):
    for name, _, path in settled.local.files("INBOX")[:n]:
        os.rename(path, settled.root / "other" / "cur" /
                  (path.name.split(":2,")[0] + ":2,"))
    # four of them for the names in both mailboxes
    check(Cost(settled), 6, 10, "SELECT", "SELECT", "SELECT", "UID MOVE")
    settled.assert_settled()


def test_equal_sizes_cost_a_move_no_octets(settled):
    """What lies there already, of the same sizes and of one second, is no
    reason to look at more than a sample: its Message-IDs are others."""
    when = 1795000000
    for i in range(10):
        settled.server.append("other", message("o%d" % i, size=5000), when=when)
        settled.server.append("INBOX", message("n%d" % i, size=5000), when=when)
    settled.sync()
    settled.assert_settled()
    settled.trace.unlink(missing_ok=True)
    uids = sorted(settled.server.messages("INBOX", bodies=False))[-10:]
    settled.server.select("INBOX")
    settled.server.do("uid", "MOVE", ",".join(map(str, uids)), "other")
    settled.sync("--trace", str(settled.trace))
    samples = [c for c in settled.commands() if b"PEEK[]" in c]
    assert samples and all(c.endswith(b".64>)") for c in samples)
    settled.assert_settled()


def grow(world, n):
    """One more message in each of N mailboxes, of a size that none has."""
    for i in range(n):
        world.server.append("box%d" % i, message(
            "m%d" % i, "x" * (1 + i + 50 * len(
                world.server.messages("box%d" % i, bodies=False)))))


@pytest.mark.parametrize("n", [5, 30])
def test_many_new_mailboxes_cost_no_more_than_a_few(world, n):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    for i in range(n):
        world.server.create("box%d" % i)
    for _ in range(3):
        grow(world, n)
    world.sync("home:INBOX")
    cost = Cost(world)
    assert cost.commands["SELECT"] == 2 * n
    assert cost.commands["UID FETCH"] == 2 * n
    assert cost.trips == 5
    # all files, all names; and what made the directories durable
    assert cost.durable["syncfs"] == 2
    world.assert_settled()


def test_new_mail_in_ten_mailboxes(settled):
    for i in range(10):
        settled.server.create("box%d" % i)
    grow(settled, 10)
    settled.sync()
    settled.assert_idle()
    grow(settled, 10)
    cost = Cost(settled)
    assert cost.commands["SELECT"] == 20
    assert cost.commands["UID FETCH"] == 20
    # the files, the names; the batch, and the marks of all
    assert (cost.trips, sum(cost.durable.values())) == (5, 6), cost.durable
    settled.assert_settled()
