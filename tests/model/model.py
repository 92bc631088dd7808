#!/usr/bin/env python3
"""A model of the whole program: people change both sides at random, runs are
killed or cut off, and after each good run both sides must be one of the
outcomes that the oracle allows.

    MOCHILA=.../mochila tests/model/model.py [--seeds A-B] [--ops N]
        [--replay FILE.json] [--save DIR] [--no-moves]

A list of operations that fails is made as short as it will go and kept as
JSON; test_model.py runs all that were kept.
"""

import argparse
import imaplib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent / "e2e") not in sys.path:
    sys.path.insert(0, str(HERE.parent / "e2e"))
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from oracle import NONE, Changes, bounds, one  # noqa: E402
from people import Here, There, UMLAUT, content, wire  # noqa: E402
from relay import Line, Relay  # noqa: E402
from servers import Dovecot  # noqa: E402
from world import CHANGING, World, can_trace, digest  # noqa: E402

BOXES = ["INBOX", "a", "a/b", UMLAUT, "z"]
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"]
KEYWORDS = ["work", "$Forwarded", "$label1"]
TIERS = [[], ["qresync"], ["qresync", "condstore"], ["move"],
         ["list-status"], ["esearch", "unselect"], ["move", "condstore"]]
WRITES = ["renameat", "renameat2", "fsync", "fdatasync", "pwrite64", "writev",
          "write", "unlinkat", "mkdirat", "sendto", "openat", "utimensat",
          "close", "ftruncate"]
ANSWERS = ["APPEND", "MOVE", "COPY", "STORE", "EXPUNGE", "FETCH", "SELECT"]
NUMBER = re.compile(rb"(UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ) (\d+)")
# A sync may end with these after it was disturbed.
DISTURBED = (0, 3, 65, 69, 75, -9, 137)


class Failed(Exception):
    def __init__(self, kind, text):
        super().__init__("%s: %s" % (kind, text))
        self.kind = kind


class Slow(Relay):
    """Takes its time, so that people get a word in."""

    def pump(self, a, b, down):
        while True:
            data = a.recv(65536)
            if not data:
                return
            if not down:
                time.sleep(0.008)
            b.sendall(data)


def states(copies):
    """{token: [(box, flags)]}."""
    found = defaultdict(list)
    for c in copies:
        found[c.token].append((c.box, c.flags))
    return found


def single(found, token):
    """The only state of TOKEN, None when it is not there; False: several."""
    n = len(found.get(token, ()))
    return False if n > 1 else found[token][0] if n else None


class Trial:
    """One world, one list of operations."""

    def __init__(self, world, moves=True):
        self.world, self.moves = world, moves
        world.wire = world.wire_of_name = wire
        self.side = {"L": Here(world), "S": There(world)}
        self.side["L"].mkbox("INBOX")
        self.rows = []              # (copy here, copy there) agreed on
        self.boxes = set()          # mailboxes agreed on
        self.numbers = {}           # UIDVALIDITY: (UIDNEXT, HIGHESTMODSEQ)
        self.changes = Changes()
        self.before = None          # both sides before a run that failed,
        self.known = 0              # and how many bases there were then
        self.ever = set()           # tokens that somebody made
        self.deleted = set()        # tokens that somebody ever deleted
        self.number = 2_000_000_000
        self.slow = 0               # syncs that took more than one run

    # operations

    def look(self):
        try:
            return self.side["L"].look(), self.side["S"].look()
        except AssertionError as e:
            raise Failed("bytes", str(e)) from e

    def people(self, op):
        """One operation of a person; true when it did something."""
        kind, side, *args = op
        who = self.side[side]
        done = getattr(who, kind)(*args)
        if not done:
            return False
        c = self.changes
        if kind == "add":
            self.ever.add(args[0])
        elif kind == "edit":
            self.ever.add(args[1])
        if kind in ("delete", "edit"):
            self.gone([args[0]])
        elif kind == "rmbox":
            c.removed.add(args[0])
            c.deleted_boxes.add(args[0])
            self.gone(x.token for x, _ in self.rows if x.box == args[0])
            self.gone(self.in_removed)
        elif kind == "mvbox":
            c.renames.add(tuple(args))
            c.removed.add(args[0])
            if args[1] in c.removed and side == "S":
                c.doubt.add(args[1])
        elif kind in ("renumber", "wipe"):
            c.doubt.add(args[0])
            c.back |= kind == "wipe"
            if kind == "wipe":
                c.wiped.add(self.numbers_of(args[0])[0])
        elif kind == "mkbox":
            c.made.add(args[0])
            if side == "S" and args[0] in c.removed:
                c.doubt.add(args[0])
        self.before = None
        return True

    def numbers_of(self, box):
        number = dict(NUMBER.findall(self.world.server.status(wire(box))))
        return number[b"UIDVALIDITY"], (
            int(number[b"UIDNEXT"]), int(number[b"HIGHESTMODSEQ"]))

    def is_hidden(self):
        """Of a mailbox whose mod-sequences began again, none tells it."""
        boxes = self.side["S"].boxes() if self.changes.wiped else ()
        for validity, (uidnext, modseq) in map(self.numbers_of, boxes):
            agreed = self.numbers.get(validity, (0, 0))
            # new mail has a mod-sequence of its own
            if validity in self.changes.wiped and uidnext >= agreed[0] and \
                    modseq >= agreed[1] + (uidnext > agreed[0]):
                return True
        return False

    def gone(self, tokens):
        tokens = set(tokens)
        self.changes.deleted |= tokens
        self.deleted |= tokens

    def step(self, op):
        if op[0] == "sync":
            self.sync(**op[1])
        elif op[0] == "lose":
            shutil.rmtree(self.world.state / "home" / "journal",
                          ignore_errors=True)
            self.changes.lost = True
            self.before = None
        else:
            if op[0] == "renumber":
                self.number += 1
                op = op + [self.number]
            # who is in a mailbox that is about to be removed
            self.in_removed = [c.token for c in self.side[op[1]].look()
                               if c.box == op[2]] if op[0] == "rmbox" else ()
            self.people(op)

    def run(self, ops):
        for op in ops:
            self.step(op)
        if not ops or ops[-1][0] != "sync" or ops[-1][1].get(
                "fault") or ops[-1][1].get("busy"):
            self.sync()
        self.world.server.close()

    # runs of the program

    def call(self, *args, wrap=()):
        env = self.world.traced_env() if wrap else self.world.env()
        try:
            return subprocess.run(
                [*wrap, self.world.binary, "-c", str(self.world.config),
                 *args], env=env, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired as e:
            raise Failed("hang", str(e)) from e

    def sync(self, full=False, tier=0, fault=None, busy=None):
        args = ["sync"] + (["--full"] if full or self.is_hidden() else [])
        self.world.write_config(disable_extensions=TIERS[tier] or None)
        here, there = self.look()
        self.world.server.close()
        if fault or busy:
            self.changes.faulted = True
            if fault:
                self.disturb(args, fault)
            else:
                did = self.work_beside(args, busy)
            now = self.look()
            self.check_loss(here, there, *now)
            if self.before is None and not busy:
                self.before = here, there
                self.known = len(self.changes.bases)
            self.changes.bases += [states(x) for x in (here, there)]
            if busy:
                self.check_kept(did, states(now[0]), states(now[1]))
            self.changes.bases += [states(x) for x in now]
            return
        if self.before:
            here, there = self.before
        runs = self.settle(args)
        self.check(here, there)
        self.slow += runs > 1
        self.changes, self.before = Changes(), None

    def disturb(self, args, fault):
        kind, where, amount = fault
        wrap, line, port = (), None, self.world.options["port"]
        if kind == "write" and not can_trace():
            kind, amount = "time", amount * 3
        if kind == "cut":
            line = Line(port, cut=amount, down=where == "down")
        elif kind == "bye":
            line = Line(port, bye=amount)
        elif kind in ("lose", "mute"):
            line = Line(port, lose=(where, amount), more=kind == "mute")
        elif kind == "write":
            wrap = ("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                    "trace=" + where, "-e", "inject=%s:signal=KILL:when=%d"
                    % (where, amount))
        if line:
            self.world.write_config(port=line.port)
        if kind == "time":
            p = subprocess.Popen(
                [self.world.binary, "-c", str(self.world.config), *args],
                env=self.world.env(), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(amount / 1000)
            p.kill()
            status, err = p.wait(), b""
        else:
            done = self.call(*args, "-q", wrap=wrap)
            status, err = done.returncode, done.stderr
        if line:
            line.wait()
            line.close()
            self.world.write_config(port=port)
        if status not in DISTURBED:
            raise Failed("exit", "%d when disturbed by %s: %s" % (
                status, fault, err.decode(errors="replace")))

    def work_beside(self, args, busy):
        """People go on while the program runs; what they saw of the messages
        that they touched, right after they did."""
        line, port = Slow(self.world.options["port"]), \
            self.world.options["port"]
        self.world.write_config(port=line.port)
        start, did = time.monotonic(), {}
        p = subprocess.Popen(
            [self.world.binary, "-c", str(self.world.config), *args, "-q"],
            env=self.world.env(), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        for ms, op in busy:
            time.sleep(max(0, start + ms / 1000 - time.monotonic()))
            try:
                self.changes.bases += [states(x) for x in self.look()]
                if self.people(op):
                    did[op[1], op[2]] = states(self.side[op[1]].look())
            except (FileNotFoundError, AssertionError,
                    imaplib.IMAP4.error):
                # the program was there first
                self.world.server.close()
        err = p.communicate(timeout=120)[1].decode(errors="replace")
        line.close()
        self.world.write_config(port=port)
        left = p.returncode == 75 and "; the next run " in err
        if p.returncode not in (0, 3, 65) and not left:
            raise Failed("exit", "%d beside people: %s" % (
                p.returncode, err))
        self.before = None
        return did

    def check_kept(self, did, here, there):
        """What people did while the program ran is not undone by it."""
        for (side, token), then in did.items():
            mine, other = (here, there) if side == "L" else (there, here)
            m, now = single(then, token), single(mine, token)
            others = [single(x, token) for x in [other] +
                      self.changes.bases]
            bases = [single(states(a for a, _ in self.rows), token)] + others
            if False in (m, now) or False in bases:
                continue
            allowed = {one(*m) if m else NONE}
            if others[0] and m and others[0][0] != m[0]:
                # seen gone before it was seen elsewhere: it comes again
                allowed.add(NONE)
            for o in others:
                allowed |= self.changes.allowed(
                    bases, *((m, o) if side == "L" else (o, m)), False)
            if (one(*now) if now else NONE) not in allowed:
                raise Failed("undone", "%s on %s: a person left %s, became "
                             "%s, allowed %s" % (token, side, m, now,
                                                 allowed))

    def good_run(self, args):
        done = self.call(*args)
        if done.returncode == 3:
            done = self.call(*args, "--allow-deletes")
        if done.returncode != 0:
            raise Failed("exit", "%d: %s" % (
                done.returncode, done.stderr.decode(errors="replace")))

    def settle(self, args):
        """Run until a run has nothing to do; how many had."""
        world = self.world
        most = 3 if self.changes.faulted else 2
        self.good_run(args)
        for runs in range(1, most + 1):
            before, txn = world.local.snapshot(), world.txnid()
            world.trace.unlink(missing_ok=True)
            self.good_run(["sync", "--trace", str(world.trace)])
            wrote = [c for c in world.commands() if CHANGING.match(c)]
            after = world.local.snapshot()
            if not wrote and after == before and world.txnid() == txn:
                return runs
        raise Failed("idle", "run %d still writes: commands %s, files %s, "
                     "journal %d to %d" % (
                         runs + 1, wrote,
                         sorted(k for k in set(before) | set(after)
                                if before.get(k) != after.get(k)),
                         txn, world.txnid()))

    # what must hold

    def check_loss(self, *views):
        """What was there before is somewhere still, whole."""
        here, there, here_now, there_now = views
        now = {c.token for c in here_now + there_now}
        had = {c.token for c in here + there}
        lost = had - now - self.deleted
        if lost:
            raise Failed("loss", "nobody deleted %s" % sorted(lost))

    def check(self, here, there):
        here_now, there_now = self.look()
        self.check_loss(here, there, here_now, there_now)
        invented = {c.token for c in here_now + there_now} - self.ever
        if invented:
            raise Failed("invented", str(sorted(invented)))
        l, s = (Counter((c.token, c.box, c.flags) for c in side)
                for side in (here_now, there_now))
        if l != s:
            raise Failed("differ", "only here %s, only there %s" % (
                list((l - s).elements()), list((s - l).elements())))
        litter = self.world.local.litter()
        if litter:
            raise Failed("litter", str(litter))
        self.check_outcomes(here, there, here_now)
        self.check_boxes(here_now)
        self.agree(here_now, there_now)

    def check_outcomes(self, here, there, now):
        b_all = states(a for a, _ in self.rows)
        l_all, s_all, now_all = states(here), states(there), states(now)
        uids = {c.token: (c.box, c.place) for c in there}
        agreed = {c.token: (c.box, c.place) for _, c in self.rows}
        for token in sorted(set(b_all) | set(l_all) | set(s_all)):
            l, s = single(l_all, token), single(s_all, token)
            bases = [b_all] + self.bases()
            b = [single(x, token) for x in bases]
            if l is False or s is False or False in b:
                self.check_bounds(token, here, there, now_all[token])
                continue
            again = token in agreed and agreed[token] != uids.get(token)
            allowed = self.changes.allowed(b, l, s, self.moves, again)
            outcome = tuple(sorted((box, tuple(sorted(f)))
                                   for box, f in now_all[token]))
            if outcome not in allowed:
                raise Failed("outcome", "%s: agreed %s, here %s, there %s; "
                             "became %s, allowed %s" % (
                                 token, b, l, s, outcome, allowed))

    def bases(self):
        """What may be in the journal beside what was agreed on."""
        if self.before:  # nobody did anything since the first failed run
            return self.changes.bases[:self.known]
        return self.changes.bases

    def check_bounds(self, token, here, there, now):
        here = [c for c in here if c.token == token]
        there = [c for c in there if c.token == token]
        rows = [r for r in self.rows if r[0].token == token]
        least, most, at_least, at_most = bounds(rows, here, there,
                                                self.changes)
        if self.bases():
            seen = max([len(x[token]) for x in self.changes.bases])
            least = 0 if token in self.changes.deleted else 1
            most, at_least, at_most = max(most, 2 * seen), {}, None
        boxes = Counter(box for box, _ in now)
        flags = set().union(*(c.flags for c in here + there),
                            *(r[0].flags for r in rows))
        if not least <= len(now) <= most or \
                any(boxes[k] < n for k, n in at_least.items()) or \
                at_most is not None and any(
                    n > at_most[k] for k, n in boxes.items()):
            raise Failed("count", "%s: agreed %s, here %s, there %s; became "
                         "%s, wanted %d to %d, at least %s, at most %s" % (
                             token, rows, here, there, now, least, most,
                             dict(at_least), at_most and dict(at_most)))
        if any(not f <= flags for _, f in now):
            raise Failed("flags", "%s: %s out of %s" % (token, now, flags))

    def check_boxes(self, now):
        here, there = (self.side[k].boxes() for k in "LS")
        if here != there:
            raise Failed("mailboxes", "here %s, there %s" % (
                sorted(here), sorted(there)))
        full = {c.box for c in now}
        c = self.changes
        for box in self.boxes - here:
            if box not in c.removed and not any(
                    box.startswith(old + "/") for old, _ in c.renames):
                raise Failed("mailboxes", "%s is gone" % box)
        if not (c.faulted or c.lost or c.renames or c.back):
            back = (self.boxes & c.removed & here) - full - c.doubt
            if back - c.made:
                raise Failed("mailboxes", "%s came back" % sorted(back))

    def agree(self, here, there):
        """Take the journal's rows for the next base; one to one."""
        by_file = {(c.box, c.place): c for c in here}
        by_uid = {(c.box, c.place): c for c in there}
        rows = []
        for row in self.world.dump():
            box, _, file = row["file"].rpartition("/cur/")
            if not box:
                box, _, file = row["file"].rpartition("/new/")
            a = by_file.pop((box, file.split(":2,")[0]), None)
            b = by_uid.pop((row["mailbox"], row["uid"]), None)
            if not a or not b or a.token != b.token or a.flags != b.flags:
                raise Failed("journal", "row %s is %s and %s" % (row, a, b))
            if row["sha256"] != digest(content(a.token)):
                raise Failed("journal", "digest of %s in %s" % (a, row))
            rows.append((a, b))
        if by_file or by_uid:
            raise Failed("journal", "without a row: %s %s" % (
                list(by_file), list(by_uid)))
        self.rows, self.boxes = rows, self.side["L"].boxes()
        self.numbers = dict(map(self.numbers_of, self.boxes))


# random lists


def some_fault(rng):
    kind = rng.choice(["time", "write", "write", "cut", "cut", "lose", "mute",
                       "bye"])
    if kind == "time":
        return ["time", "", rng.randrange(60)]
    if kind in ("lose", "mute"):
        return [kind, rng.choice(ANSWERS), rng.randrange(1, 4)]
    if kind == "bye":
        return [kind, "", int(10 ** (1 + rng.random() * 1.5))]
    if kind == "cut":
        return ["cut", rng.choice(["down", "up"]),
                int(10 ** (1.5 + rng.random() * 3))]
    return ["write", rng.choice(WRITES), int(10 ** (rng.random() * 1.6))]


WEIGHTS = {"add": 22, "flag": 18, "keyword": 6, "delete": 9, "move": 14,
           "copy": 4, "open": 3, "edit": 3, "mkbox": 2, "rmbox": 1.5,
           "mvbox": 1.5, "renumber": 1, "wipe": 1, "lose": 0.7, "sync": 22}


class Generator:
    def __init__(self, seed, odd=True):
        """ODD: also what leaves several outcomes open."""
        self.rng = rng = random.Random(seed)
        self.tokens, self.next, self.odd = [], 0, odd
        # each seed leaves some kinds out, so that the others meet more often
        self.weights = {k: w for k, w in WEIGHTS.items()
                        if k in ("add", "sync") or rng.random() < 0.7}
        if not odd:
            for kind in ("renumber", "wipe", "lose", "copy", "mvbox"):
                self.weights.pop(kind, None)
        self.faults = rng.choice([0, 0.3, 0.6])
        self.again = rng.choice([0, 0, 0.6])  # one fault upon the other
        self.busy = rng.choice([0, 0, 0.3]) if odd else 0
        self.tier = rng.choice([0, 0, rng.randrange(len(TIERS))])

    def token(self):
        # mostly those of late: they meet more often
        pool = self.tokens[-8:] if self.rng.random() < 0.7 else self.tokens
        return self.rng.choice(pool)

    def new(self):
        self.next += 1
        self.tokens.append("t%d" % self.next)
        return self.tokens[-1]

    def person(self):
        """Something that is done to one message."""
        rng, side = self.rng, self.rng.choice("LS")
        kind = rng.choice(["flag", "flag", "delete", "move", "add"])
        if kind == "add":
            return [kind, side, self.new(), rng.choice(BOXES), [], "new"]
        return self.mend([kind, side, self.token()])

    def op(self):
        rng = self.rng
        kind = rng.choices(list(self.weights), list(
            self.weights.values()))[0]
        side, box = rng.choice("LS"), rng.choice(BOXES)
        if kind == "sync":
            options = {}
            if rng.random() < 0.1:
                options["full"] = True
            tier = self.tier
            if rng.random() < 0.2:
                tier = rng.randrange(len(TIERS))
            if tier:
                options["tier"] = tier
            if rng.random() < self.faults:
                options["fault"] = some_fault(rng)
            elif rng.random() < self.busy:
                options["busy"] = sorted(
                    [rng.randrange(250), self.person()] for _ in range(4))
            return ["sync", options]
        if kind == "lose":
            return ["lose"]
        if kind == "add":
            token = self.new() if not self.odd or rng.random() < 0.93 else self.token()
            return ["add", side, token, box,
                    rng.sample(FLAGS, rng.choice([0, 0, 1, 2])),
                    rng.choice(["new", "cur"])]
        if kind in ("flag", "keyword"):
            return ["flag", side, self.token(), rng.choice(
                FLAGS if kind == "flag" else KEYWORDS)]
        if kind in ("move", "copy"):
            return [kind, side, self.token(), box, rng.random() < 0.5]
        if kind == "delete":
            return [kind, side, self.token()]
        if kind == "open":
            return [kind, "L", self.token()]
        if kind == "edit":
            token = self.token()
            self.next += 1
            self.tokens.append("%s~%d" % (token.split("~")[0], self.next))
            return [kind, side, token, self.tokens[-1]]
        if kind == "mvbox":
            return [kind, side, box, rng.choice(BOXES + ["n", "a/n"])]
        if kind in ("renumber", "wipe"):
            return [kind, "S", box]
        return [kind, side, box]

    def ops(self, n):
        rng = self.rng
        ops = [["mkbox", "S", b] for b in BOXES[1:] if rng.random() < 0.8]
        ops += [["add", rng.choice("LS"), self.new(), rng.choice(BOXES), [],
                 "new"] for _ in range(5)]
        ops.append(["sync", {}])
        while len(ops) < n:
            op = self.op()
            ops.append(op)
            while op[0] == "sync" and "fault" in op[1] and \
                    rng.random() < self.again:
                ops.append(["sync", {**op[1], "fault": some_fault(rng)}])
            if op[0] in ("flag", "delete", "move", "add", "copy", "rmbox",
                         "mvbox") and rng.random() < 0.12:
                # the other side has a mind of its own on it
                ops.append([rng.choice([op[0], "flag", "delete", "move"]),
                            "L" if op[1] == "S" else "S"] + op[2:])
                ops[-1] = self.mend(ops[-1])
        return ops

    def mend(self, op):
        """The right number of arguments for the kind of OP."""
        rng, kind, side, name = self.rng, *op[:3]
        if kind in ("rmbox", "mvbox", "add", "copy"):
            return op
        if name in BOXES or name in ("n", "a/n"):
            name = self.token()
        if kind == "flag":
            return [kind, side, name, rng.choice(FLAGS)]
        if kind == "move":
            return [kind, side, name, rng.choice(BOXES), rng.random() < 0.5]
        return [kind, side, name]


# the bench: one server, a world for each trial


class Bench:
    def __init__(self, scratch, server, binary, moves=True):
        self.scratch, self.server, self.binary = scratch, server, binary
        self.moves, self.count = moves, 0

    def trial(self, ops, change=None):
        """The failure of OPS, or None; and both sides at the end."""
        self.count += 1
        user = "m%d" % self.count
        world = World(self.scratch / user, self.server, user, self.binary)
        trial = Trial(world, self.moves)
        try:
            trial.run([change(op) for op in ops] if change else ops)
            here, _ = trial.look()
            return None, Counter((c.token, c.box, c.flags) for c in here)
        except Failed as e:
            return e, None
        except (AssertionError, imaplib.IMAP4.error) as e:
            return Failed("witness", str(e)), None
        finally:
            world.server.close()
            shutil.rmtree(self.scratch / user, ignore_errors=True)
            shutil.rmtree(self.server.base / "mail" / user,
                          ignore_errors=True)

    def fails(self, ops, kind=None, tries=1):
        for _ in range(tries):
            e, _ = self.trial(ops)
            if e and kind in (None, e.kind):
                return e
        return None

    def shrink(self, ops, kind, seconds=300):
        """Delta debugging (Zeller): leave out ever smaller parts."""
        end = time.monotonic() + seconds
        tries = 3 if any(op[0] == "sync" and (
            op[1].get("fault") or op[1].get("busy")) for op in ops) else 1
        n = 2
        while len(ops) > 1 and time.monotonic() < end:
            size = max(1, len(ops) // n)
            for at in range(0, len(ops), size):
                less = ops[:at] + ops[at + size:]
                if self.fails(less, kind, tries):
                    ops, n = less, max(2, n - 1)
                    break
                if time.monotonic() > end:
                    break
            else:
                if size == 1:
                    break
                n = min(2 * n, len(ops))
        return ops

    def calm(self, ops, kind):
        """Without faults and options, where it fails without them."""
        for i, op in enumerate(ops):
            for less in ({}, {k: v for k, v in op[1].items()
                              if k in ("fault", "busy")}) if op[0] == "sync" else ():
                if less != op[1]:
                    trial = ops[:i] + [["sync", less]] + ops[i + 1:]
                    if self.fails(trial, kind, 2):
                        ops = trial
                        break
        return ops


def save(directory, seed, ops, failure):
    path = Path(directory) / ("%s-%s.json" % (failure.kind, seed))
    lines = ",\n  ".join(json.dumps(op, ensure_ascii=False) for op in ops)
    path.write_text('{"seed": %s, "kind": %s, "ops": [\n  %s\n]}\n' % (
        json.dumps(seed), json.dumps(failure.kind), lines))
    return path


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seeds", default="0-9", help="A-B, or one")
    p.add_argument("--seconds", type=float, default=1e9)
    p.add_argument("--ops", type=int, default=40)
    p.add_argument("--replay", action="append", default=[])
    p.add_argument("--save", default=".")
    p.add_argument("--no-moves", action="store_true")
    p.add_argument("--no-shrink", action="store_true")
    p.add_argument("--shrink-seconds", type=float, default=180)
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # in memory where that is possible: runs are many, disks are slow
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = Path(tempfile.mkdtemp(prefix="mochila-model-", dir=memory))
    scratch.chmod(0o755)
    server = Dovecot(scratch / "dovecot")
    failures = 0
    try:
        bench = Bench(scratch, server, os.environ["MOCHILA"],
                      not o.no_moves)
        a, _, b = o.seeds.partition("-")
        if o.replay:
            work = [(f, json.loads(Path(f).read_text())["ops"])
                    for f in o.replay]
        else:
            work = ((n, Generator(n).ops(o.ops))
                    for n in range(int(a), int(b or a) + 1))
        end = time.monotonic() + o.seconds
        for seed, ops in work:
            if time.monotonic() > end:
                break
            e = bench.fails(ops)
            if not e:
                continue
            failures += 1
            print("seed %s: %s" % (seed, e), flush=True)
            if o.no_shrink:
                continue
            ops = bench.shrink(ops, e.kind, o.shrink_seconds)
            ops = bench.shrink(bench.calm(ops, e.kind), e.kind,
                               o.shrink_seconds)
            e = bench.fails(ops, e.kind, 5) or e
            name = Path(str(seed)).stem
            print("  %s\n  %s" % (save(o.save, name, ops, e), e))
            for op in ops:
                print("   ", json.dumps(op, ensure_ascii=False), flush=True)
        print("%d trials, %d failures" % (bench.count, failures))
    finally:
        server.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
