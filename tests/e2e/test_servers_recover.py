"""What goes wrong on each of the servers: new UIDs, kills, a lost journal."""

import random
import signal
import subprocess
import threading
import time

from relay import Relay
from servers_people import crlf_to_lf, lose_journal
from world import message, quote


def change_on_both_sides(people, n):
    """While the numbers change: what may be done then, and is kept."""
    people.fill_there("work", ["fresh%d" % n])
    people.add_here("work", "new-here%d" % n)
    people.set_here("work", "a", lambda f: f ^ {"F"})


def test_new_uidvalidity(people):
    """UIDVALIDITY changes: paired by content, nothing is lost or doubled"""
    world = people.world
    wire = world.wire("work")
    people.fill_there("INBOX", "xyz")
    people.fill_there("work", "abcdef", ["\\Seen", "word"])
    world.sync()
    want = sorted("abcdef")
    for n in range(2):
        world.server.close()
        if n == 0:
            if not world.server.kind.new_uidvalidity(world.user, wire):
                continue
        else:
            # by another client: put away, made again and filled again
            time.sleep(1.1)  # UIDVALIDITY may be made of the seconds
            old = world.wire("old")
            world.server.select("INBOX")
            world.server.do("rename", quote(wire), quote(old))
            world.server.create(wire)
            world.server.select(old)
            world.server.do("copy", "1:*", quote(wire))
            world.server.select("INBOX")
            world.server.do("delete", quote(old))
        change_on_both_sides(people, n)
        s = world.summary()
        assert (s["pulled"], s["pushed"], s["deleted_local"],
                s["deleted_remote"]) == (1, 1, 0, 0)
        want += ["fresh%d" % n, "new-here%d" % n]
        assert people.content() == {"INBOX": ["x", "y", "z"],
                                    "work": sorted(want)}
        world.assert_settled()
    assert "word" in people.flags_there("work", "b")


def test_lost_journal(people):
    """The journal is lost: nothing is transferred twice"""
    world = people.world
    people.fill_there("INBOX", "abcdef", ["\\Seen", "word"])
    people.fill_there("work", "gh", size=20_000)
    for token in "ijk":
        people.add_here("work", token, "FS", size=9000)
    world.sync()
    # equal messages stay as many as they are
    for n in range(3):
        world.server.append("INBOX", message("twin"))
        world.local.add("INBOX", crlf_to_lf(message("other-twin")),
                        "%d.twin.host" % n)
    world.sync()
    for _ in range(2):
        before = world.local.snapshot()
        numbers = world.server.numbers()
        lose_journal(world)
        s = world.summary()
        assert (s["pulled"], s["pushed"], s["moved"], s["copied"]) == (
            0, 0, 0, 0)
        assert world.local.snapshot() == before
        assert world.server.numbers() == numbers
        world.assert_settled()


class KillLine(Relay):
    """Kills PROCESS once LIMIT octets went by in one direction."""

    def __init__(self, port, down, limit):
        self.down, self.left = down, limit
        self.process = None
        self.ready = threading.Event()
        super().__init__(port)

    def pump(self, a, b, down):
        while data := a.recv(2048):
            self.ready.wait()
            if down == self.down:
                self.left -= len(data)
                if self.left <= 0:
                    # what it sent arrives; what it waits for does not
                    self.process.kill()
                    if not down:
                        b.sendall(data)
                    return
            b.sendall(data)


def test_kills(people):
    """Killed in the middle of a run, again and again, then a whole one"""
    world = people.world
    rng = random.Random(20261124)
    want = {"INBOX": ["in%d" % n for n in range(12)],
            "work": ["work%d" % n for n in range(12)]}
    for box, tokens in want.items():
        people.fill_there(box, tokens)
    world.sync()
    whole = world.options["port"]
    for turn in range(2):
        for box, tokens in want.items():
            there = ["%s-there%d-%d" % (box, turn, n) for n in range(4)]
            here = ["%s-here%d-%d" % (box, turn, n) for n in range(4)]
            people.fill_there(box, there, size=3000)
            for token in here:
                people.add_here(box, token, size=3000)
            people.expunge(box, tokens[0])
            people.here(box)[tokens[1]].unlink()
            people.set_here(box, tokens[2], lambda f: f ^ {"S"})
            people.store(box, tokens[3], "+FLAGS", "\\Flagged")
            want[box] = tokens[2:] + there + here
        people.move_here("INBOX", want["INBOX"][2], "work", new_name=True)
        people.move_there("work", want["work"][3], "INBOX")
        want["work"].append(want["INBOX"].pop(2))
        want["INBOX"].append(want["work"].pop(3))
        world.server.close()
        killed = 0
        for _ in range(5):
            down = rng.random() < 0.5
            line = KillLine(whole, down, int(rng.uniform(
                300, 12000 if down else 16000)))
            world.write_config(port=line.port)
            line.process = world.start("sync", "-q", stderr=subprocess.DEVNULL)
            line.ready.set()
            killed += line.process.wait() == -signal.SIGKILL
            line.close()
        assert killed >= 2
        world.write_config(port=whole)
        world.sync()
        assert people.content() == {
            box: sorted(tokens) for box, tokens in want.items()}
        world.assert_settled()


def test_a_run_right_behind_a_kill(people):
    """Killed in the midst of uploads, and run again at once"""
    world = people.world
    rng = random.Random(20261130)
    world.sync()
    # not empty: the run has begun to send, and has not heard of all of it
    lock = world.state / "home" / "lock"
    want = []
    for turn in range(3):
        for n in range(100):
            want.append("m%d-%d" % (turn, n))
            people.add_here("INBOX", want[-1])
        killed = 0
        for wait in 0.002, 0.04, 0.08, 0.16:
            run = world.start("sync", "-q", stderr=subprocess.DEVNULL)
            while not lock.stat().st_size and run.poll() is None:
                time.sleep(0.0005)
            time.sleep(wait * rng.uniform(0.5, 1.5))
            run.kill()
            killed += run.wait() == -signal.SIGKILL
        assert killed > 0
        world.sync()
        assert people.content()["INBOX"] == sorted(want)
    world.assert_settled()
