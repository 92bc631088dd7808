"""Others at work at the same time: signals, a second run, readers of the
journal, a mail reader, another IMAP client; and a fault in the recovery."""

import os
import random
import signal
import subprocess
import threading
import time

import pytest

from conftest import STORIES, TIER
from campaign import Line, over
from faultat import Fault
from stories import file_of, to, uid_of


def start(scene, fault=None):
    return subprocess.Popen(
        scene.argv(), env=scene.env(fault), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out,
                                       err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_at_once(scene, rng, number):
    """While it waits for the server: for the greeting, in the middle of a
    message, wherever."""
    s = scene("First")
    octets = over(s)[0].octets[True]
    ats = [0, octets // 2] + [
        rng.randrange(octets * 9 // 10) for _ in range(
            2 if TIER != "full" else 20)]
    for at in ats:
        s.restore()
        line = Line(s.port, stall=at)
        try:
            s.configure(s.world.user, line.port)
            process = start(s)
            while not line.hit:
                time.sleep(0.01)
                assert process.poll() is None
            time.sleep(0.05)
            begin = time.monotonic()
            process.send_signal(number)
            done = end(process)
            assert time.monotonic() - begin < 1, at
            assert done.returncode == 75, (at, done.stderr)
            assert s.litter() == []
            line.close()
            s.configure(s.world.user)
            assert s.check_a(done) + s.settle() == [], at
        finally:
            s.drop()


@pytest.mark.parametrize("story", STORIES)
def test_signals_at_any_time(scene, rng, story):
    s = scene(story)
    for _ in range(2 if TIER != "full" else 60):
        s.restore()
        try:
            process = start(s)
            time.sleep(rng.random() * 0.08)
            begin = time.monotonic()
            process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM]))
            done = end(process)
            assert time.monotonic() - begin < 1
            # before main() had set its handlers, the signal itself ends it
            assert done.returncode in (0, 75, -2, -15), done.stderr
            if done.returncode >= 0:
                assert s.check_a(done) == []
            assert s.litter() == []
            assert s.settle() == []
        finally:
            s.drop()


def test_a_second_run_waits_for_another_day(scene):
    s = scene("Changes")
    s.restore()
    line = Line(s.port, stall=100)
    try:
        s.configure(s.world.user, line.port)
        process = start(s)
        while not line.hit:
            time.sleep(0.01)
        s.configure(s.world.user)
        second = s.run()
        assert second.returncode == 75
        assert b"pid %d" % process.pid in second.stderr
        process.send_signal(signal.SIGTERM)
        assert s.check_a(end(process)) + s.settle() == []
    finally:
        line.close()
        s.drop()


@pytest.mark.parametrize("story", STORIES)
def test_runs_at_once(scene, story):
    s = scene(story)
    for _ in range(2 if TIER != "full" else 20):
        s.restore()
        try:
            done = [end(p) for p in [start(s) for _ in range(4)]]
            assert {d.returncode for d in done} <= {0, 75}, done
            assert any(d.returncode == 0 for d in done)
            assert s.settle() == []
        finally:
            s.drop()


@pytest.mark.parametrize("story", STORIES)
def test_the_journal_is_read_meanwhile(scene, story):
    s = scene(story)
    for _ in range(2 if TIER != "full" else 20):
        s.restore()
        try:
            process = start(s)
            while process.poll() is None:
                s.world.run("journal", "dump", "home")
                s.world.run("status", "home", status=None)
            assert end(process).returncode == 0
            assert s.settle() == []
        finally:
            s.drop()


@pytest.mark.parametrize("story", STORIES)
def test_a_fault_in_the_recovery(scene, rng, story):
    """The run after a kill is killed, too, and the one after that."""
    s = scene(story)
    calls = len(s.calls())
    for _ in range(2 if TIER != "full" else 100):
        faults = [Fault(rng.choice(["kill", "killafter", "errno-from:ENOSPC",
                                    "errno:EIO"]), rng.randint(1, calls))
                  for _ in range(3)]
        s.restore()
        try:
            wrong = []
            for fault in faults:
                wrong += s.check_a(s.run(fault))
            wrong += s.settle()
            assert wrong == [], " then ".join(map(str, faults))
        finally:
            s.drop()


class People:
    """What is done in the Changes scene while the run is on, to messages that
    nobody had touched; each thing at a random moment."""

    def __init__(self, scene, rng):
        self.scene, self.rng = scene, rng
        self.wrong = []
        # now: a message that the run expunges while all are read has no body
        server = scene.world.server
        self.a1 = uid_of(server, "INBOX", "a1")
        self.b0 = uid_of(server, "work", "b0")
        server.close()

    def reader(self):
        """A mail reader: reads one, deletes one."""
        world, rng = self.scene.world, self.rng
        time.sleep(rng.random() * 0.08)
        self.again(lambda: to(world, file_of(world, "work", "b3"), "work",
                              "S"))
        time.sleep(rng.random() * 0.03)
        self.again(lambda: os.unlink(file_of(world, "INBOX", "a0")))

    def client(self):
        """Another client of the server: flags one, expunges one."""
        server = self.scene.world.server
        time.sleep(self.rng.random() * 0.08)
        server.store("INBOX", self.a1, "+FLAGS", ["\\Answered"])
        time.sleep(self.rng.random() * 0.03)
        server.expunge("work", [self.b0])

    def again(self, deed):
        """As often as somebody else was quicker."""
        for _ in range(50):
            try:
                return deed()
            except FileNotFoundError:
                pass
        self.wrong.append("the mail reader cannot find its file")

    def expected(self):
        def changed(side):
            side = {box: messages.copy() for box, messages in side.items()}
            for box, token, flags, new in (
                    ("work", "b3", "", "\\Seen"),
                    ("INBOX", "a1", "\\Flagged", "\\Flagged \\Answered")):
                del side[box][token, frozenset(flags.split())]
                side[box][token, frozenset(new.split())] = 1
            del side["INBOX"]["a0", frozenset()]
            del side["work"]["b0", frozenset()]
            return side

        return tuple(changed(side) for side in self.scene.expected)


@pytest.mark.parametrize("mode", [None, "kill", "errno-from:ENOSPC"])
def test_people_at_work(scene, rng, mode):
    """What a person did while a run was on, and was cut off, stays done."""
    s = scene("Changes")
    calls = len(s.calls())
    expected, deleted = s.expected, set(s.story.deleted)
    for _ in range(2 if TIER != "full" else 60):
        s.restore()
        fault = Fault(mode, rng.randint(1, calls) if mode else 0)
        people = People(s, random.Random(rng.random()))
        try:
            threads = [threading.Thread(target=people.reader),
                       threading.Thread(target=people.client)]
            process = start(s, fault)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            done = end(process)
            s.world.server.close()
            s.expected = people.expected()
            s.story.deleted |= {"a0", "b0"}
            if done.returncode == 0:
                done.returncode = 75  # what came too late is for the next
            wrong = people.wrong + s.check_a(done)
            s.run()
            assert wrong + s.settle() == [], fault
        finally:
            s.expected, s.story.deleted = expected, deleted.copy()
            s.drop()
