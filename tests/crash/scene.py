"""A world just before the run that is to be disturbed, put back as often as
wanted; and what must hold after the run, after the next, and the one after.

  A  after the run, however it ended: every message that no person deleted is
     there, complete, on one side at least; what lies in new/ and cur/ and on
     the server is whole; the journal opens; exit status 0 means all was done.
  B  after one more run, undisturbed: both sides, and the numbers that the
     server has given out, are as after a run without any fault; the journal
     has one row for each message.
  C  after another: nothing was written, on disk or on the server, and
     nothing of ours is left over.
"""

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from faultat import Fault, read_log
from world import CHANGING, LocalSide, ServerSide, World, digest, quote

TUID = re.compile(rb"^X-TUID: .*\r?\n", re.M)  # mbsync's, into each upload
FOREIGN = "1700000000.1_1.elsewhere"
# Its locks are of the day; what is in them is nobody's loss.
OF_THE_DAY = ("lock", "lock.mdb")


def key(data):
    return digest(TUID.sub(b"", data))


class Side(ServerSide):
    """The server, by names that are the same on all of them."""

    def __init__(self, port, user, kind):
        super().__init__(port, user, kind)
        self.head, self.between = kind.prefix, kind.delimiter

    def wire(self, box):
        return box if box == "INBOX" else \
            self.head + box.replace("/", self.between)

    def quoted(self, box):
        return quote(self.wire(box))

    def mailboxes(self):
        return sorted(
            name if name == "INBOX" else
            name[len(self.head):].replace(self.between, "/")
            for name in super().mailboxes())

    def create(self, box):
        super().create(self.wire(box))

    def append(self, box, *args):
        super().append(self.wire(box), *args)

    def select(self, box, readonly=False):
        return super().select(self.wire(box), readonly)

    def status(self, box, items=None):
        return super().status(self.wire(box), items)


class Plain:
    """A directory; copies of files are other files, so a scene that was
    synced has to be looked at once more after it was put back."""

    settled = False

    def __init__(self, base):
        self.dir, self.kept = base / "place", base / "kept"
        self.dir.mkdir(parents=True)

    def keep(self):
        shutil.copytree(self.dir, self.kept, symlinks=True)

    def back(self):
        shutil.rmtree(self.dir)
        shutil.copytree(self.kept, self.dir, symlinks=True)

    def flush(self):
        pass

    def close(self):
        pass


class Scene:
    def __init__(self, base, server, subject, story, library, place=None):
        self.base, self.dovecot, self.subject = Path(base), server, subject
        self.story, self.library = story, library
        self.base.mkdir(parents=True, exist_ok=True)
        self.place = place or Plain(self.base)
        self.names = self.base.name.lower()  # as the server spells it
        self.number = 0
        self.world = World(self.base, server, self.names + "-0",
                           getattr(subject, "binary", None))
        self.world.server = Side(server.port, self.world.user, server)
        self.world.wire = self.world.wire_of_name = lambda box: box
        self.world.root = self.place.dir / "Mail"
        self.world.local = LocalSide(self.world.root)
        self.world.state = self.place.dir / "state"
        self.port = server.port
        self.options = {}  # more for the configuration
        self.logs = {}  # of runs without a fault, by what was counted
        self.set_up()

    # putting it up, and back

    def set_up(self):
        world = self.world
        self.zero = world.user
        self.story.before(world.server)
        world.server.close()
        if self.story.synced:
            self.configure(self.zero)
            self.must_run()
        # the server's side after what people did there
        one = self.zero + "s1"
        self.copy(self.dovecot.maildir(self.zero), one)
        world.server.user = one
        self.story.there(world.server)
        world.server.close()
        self.kept = self.dovecot.maildir(one)
        if self.place.settled:
            self.story.here(world)
        self.place.keep()
        self.expect()

    def copy(self, source, user):
        target = self.dovecot.maildir(user)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copystat(source.parent, target.parent)
        st = source.parent.stat()
        os.chown(target.parent, st.st_uid, st.st_gid)
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)

    def configure(self, user, port=None):
        self.subject.configure(self.world, port or self.port, user,
                               **self.options)

    def next_user(self):
        """All names are of one length, and so is what is said with them."""
        self.number += 1
        return "%s-%05d" % (self.names, self.number)

    def restore(self):
        user = self.next_user()
        self.copy(self.kept, user)
        self.place.back()
        if not self.place.settled:
            if self.story.synced:
                self.configure(self.zero)
                self.must_run()
            self.story.here(self.world)
        self.configure(user)
        self.place.flush()

    def drop(self):
        """The server's side of the last trial goes."""
        self.world.server.close()
        shutil.rmtree(self.dovecot.maildir(self.world.user).parent,
                      ignore_errors=True)

    # runs

    def argv(self, trace=None):
        return self.subject.argv(self.world, trace)

    def env(self, fault=None, log=None):
        env = self.world.env()
        if fault is not None:
            env.update(fault.env(self.library, log))
        return env

    def run(self, fault=None, log=None, trace=None, timeout=120, more=()):
        return subprocess.run(
            self.argv(trace) + list(more), env=self.env(fault, log), timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True)

    def must_run(self):
        done = self.run()
        assert done.returncode == 0, (done.returncode, done.stderr)

    # what must hold

    def look(self):
        """{box: Counter of (token or None, flags)} of both sides."""
        there, here = {}, {}
        known = {key(d): t for t, d in self.story.sent.items()}
        for box, messages in self.world.server.everything().items():
            there[box] = Counter(
                (known.get(key(m["body"] or b"")),
                 frozenset(m["flags"])) for m in messages.values())
        if self.world.root.is_dir():
            for box, files in self.world.local.everything().items():
                here[box] = Counter(
                    (known.get(key(path.read_bytes())),
                     frozenset(flags)) for _, flags, path in files)
        self.world.server.close()
        return there, here

    def numbers(self):
        """What the server counts, by mailbox."""
        found = {}
        for box in self.world.server.mailboxes():
            line = self.world.server.status(box).decode()
            found[box] = {k: int(v) for k, v in re.findall(
                r"(MESSAGES|UIDNEXT|HIGHESTMODSEQ) (\d+)", line)}
        self.world.server.close()
        return found

    def expect(self):
        """How a run without a fault ends."""
        self.restore()
        done = self.run(Fault())
        assert done.returncode == 0, (done.returncode, done.stderr)
        self.expected = self.look()
        self.uidnext = {b: n["UIDNEXT"] for b, n in self.numbers().items()}
        self.must_run()
        self.drop()

    def calls(self, names="file,net"):
        """The calls of a run without a fault: [(name, what)]."""
        if names not in self.logs:
            log = self.base / "calls"
            log.unlink(missing_ok=True)
            self.restore()
            done = self.run(Fault(calls=names), log=log)
            assert done.returncode == 0, (done.returncode, done.stderr)
            self.drop()
            self.logs[names] = read_log(log)
        return self.logs[names]

    def check_a(self, done):
        bad = []
        there, here = self.look()
        seen = set()
        for side, name in ((there, "server"), (here, "Maildir")):
            for box, messages in side.items():
                for token, flags in messages:
                    if token is None:
                        bad.append("A: not whole, in %s on the %s"
                                   % (box, name))
                    seen.add(token)
        for token in sorted(self.story.alive - seen):
            bad.append("A: %s is lost" % token)
        if done.returncode == 0 and (there, here) != self.expected:
            bad.append("A: exit status 0, but not done: %s"
                       % self.differences(there, here))
        if done.returncode < 0 and done.returncode != -9:
            bad.append("A: ended by signal %d" % -done.returncode)
        bad += ["A: " + x for x in self.subject.look_after(self.world)]
        return bad

    def differences(self, there, here):
        found = []
        for side, want, name in ((there, self.expected[0], "server"),
                                 (here, self.expected[1], "Maildir")):
            for box in sorted(set(side) | set(want)):
                a, b = side.get(box), want.get(box)
                if a is None or b is None:
                    found.append("%s %s on the %s" % (
                        "no" if a is None else "a mailbox", box, name))
                elif a != b:
                    found.append("%s on the %s: more %s, less %s" % (
                        box, name, dict(a - b), dict(b - a)))
        return "; ".join(found)

    def check_b(self, done):
        bad = []
        if done.returncode != 0:
            bad.append("B: exit status %d: %s" % (
                done.returncode, done.stderr.decode(errors="replace")))
        there, here = self.look()
        if (there, here) != self.expected:
            bad.append("B: " + self.differences(there, here))
        for box, n in self.numbers().items():
            if n["UIDNEXT"] != self.uidnext.get(box, n["UIDNEXT"]):
                bad.append("B: UIDNEXT of %s is %d, not %d" % (
                    box, n["UIDNEXT"], self.uidnext[box]))
        return bad + ["B: " + x
                      for x in self.subject.look_closely(self.world)]

    def snapshot(self):
        seen = {}
        for top, dirs, files in os.walk(self.place.dir):
            for name in dirs + files:
                st = os.lstat(os.path.join(top, name))
                if name not in OF_THE_DAY and \
                        not self.subject.may_write(top, name):
                    seen[os.path.join(top, name)] = (
                        st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode)
        return seen

    def litter(self):
        """Files that neither are messages nor have a reason to be there."""
        found = []
        for top, dirs, files in os.walk(self.place.dir):
            for name in files:
                if os.path.basename(top) == "tmp" and name != FOREIGN or \
                        name.startswith(".tmp-") or name.endswith(".new"):
                    found.append(os.path.join(top, name))
        return found

    def check_c(self):
        bad = []
        before, numbers = self.snapshot(), self.numbers()
        trace = self.base / "trace"
        trace.unlink(missing_ok=True)
        done = self.run(trace=trace)
        if done.returncode != 0 or done.stdout or done.stderr:
            bad.append("C: exit status %d: %s" % (
                done.returncode, done.stdout + done.stderr))
        after = self.snapshot()
        for path in sorted(set(before) | set(after)):
            if before.get(path) != after.get(path):
                bad.append("C: wrote %s" % path)
        if self.numbers() != numbers:
            bad.append("C: changed the server")
        if trace.exists():
            for line in trace.read_bytes().splitlines():
                m = re.search(rb"> \S+ (.*)$", line)
                if m and CHANGING.match(m.group(1)):
                    bad.append("C: sent %r" % m.group(1))
        bad += ["C: left over: %s" % p for p in self.litter()]
        if self.story.foreign and not os.path.exists(
                self.world.root / "work" / "tmp" / FOREIGN):
            bad.append("C: another's file in tmp/ is gone")
        return bad

    def settle(self):
        """Two runs without a fault, and checks B and C."""
        bad = self.check_b(self.run())
        return bad + self.check_c()

    def trial(self, fault, then=None):
        """All of it, once: a list of what was wrong."""
        self.restore()
        try:
            done = self.run(fault)
            if then is not None:
                then()
            return self.check_a(done) + self.settle()
        except (AssertionError, subprocess.TimeoutExpired) as e:
            return ["%s: %s" % (type(e).__name__, e)]
        finally:
            self.drop()


class Elsewhere(Scene):
    """On a server whose storage cannot be copied: all is done anew there for
    each trial, by IMAP, for a new user."""

    def set_up(self):
        self.world.state.mkdir()
        self.place.keep()
        self.expect()

    def restore(self):
        self.place.back()
        self.configure(self.next_user())
        self.story.before(self.world.server)
        self.world.server.close()
        if self.story.synced:
            self.must_run()
            # what people delete and make is not to look like a rename
            if self.story.new_boxes:
                time.sleep(self.dovecot.uidvalidity_s)
        self.story.there(self.world.server)
        self.world.server.close()
        self.story.here(self.world)

    def drop(self):
        self.world.server.close()
