#!/usr/bin/env python3
"""mochila beside mbsync, on the same server, in the same run.

    MOCHILA=./mochila tests/bench/bench.py [--quick] [--repeat 3]
                                           [--json FILE] [--only WORDS]

Needs dovecot-imapd and isync.  Each work is done by both in turn, --repeat
times, each on an account of its own with the same mail; the table shows the
medians.  All goes through a relay that counts.  doc/performance.md says what
the works are.  It gates nothing; but a work after which the two sides do not
hold the same number of messages ends it, for its times would mean nothing.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from line import Line  # noqa: E402
from servers import PASSWORD, Dovecot  # noqa: E402
from world import ServerSide, message  # noqa: E402


class Size:
    """FIRST messages of log-normal size in one mailbox; MANY mailboxes of
    FEW messages each; CHANGES of each kind, DELETES."""

    first, mean, sigma = 20000, 6650, 1.2
    many, few = 200, 50
    changes, deletes = 1000, 100


class Quick(Size):
    first, many, few, changes, deletes = 1000, 20, 10, 50, 10


class Peak(threading.Thread):
    """The high-water mark of a process (ru_maxrss would be ours: it is
    handed on through fork and exec)."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kib, self.ended = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.002):
            try:
                status = Path("/proc/%d/status" % self.pid).read_text()
            except OSError:
                return
            m = re.search(r"VmHWM:\s+(\d+)", status)
            self.kib = int(m.group(1)) if m else self.kib

    def stop(self):
        self.ended.set()
        self.join()
        return self.kib


class Peer:
    """A program that syncs; its account has the same name."""

    def __init__(self, base, dovecot):
        self.base, self.dovecot = base / self.name, dovecot
        self.server = ServerSide(dovecot.port, self.name)
        self.there = dovecot.maildir(self.name)
        self.root = self.base / "Mail"
        self.forget()

    def forget(self):
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir()
        self.root.mkdir()

    def run(self, delay):
        line = Line(self.dovecot.port, delay)
        self.configure(line.port)
        self.server.close()
        begin = time.monotonic()
        child = subprocess.Popen(
            self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"HOME": str(self.base), "PATH": os.environ["PATH"]})
        peak = Peak(child.pid)
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        line.close()
        if child.returncode != 0:
            raise SystemExit("%s: %d\n%s" % (self.name, child.returncode,
                                             out.decode(errors="replace")))
        return {"seconds": seconds, "trips": line.trips,
                "connections": line.connections, "up": line.up,
                "down": line.down, "peak_kib": peak.stop(),
                "cpu": usage.ru_utime + usage.ru_stime}

    # the account: what is there, and what is here

    def box_there(self, box):
        return self.there if box == "INBOX" else self.there / ("." + box)

    def deliver_there(self, box, letters):
        """As a delivery agent does it, but without its fsync."""
        new = self.box_there(box) / "new"
        for token, data in letters:
            lf = data.replace(b"\r\n", b"\n")
            path = new / ("%s.bench,S=%d,W=%d" % (token, len(lf), len(data)))
            path.write_bytes(lf)
            owner = new.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def make_there(self, boxes):
        for box in boxes:
            if box != "INBOX":
                self.server.create(box)
        for box in boxes:
            self.server.select(box)
        self.server.close()

    def uids(self, box):
        self.server.select(box)
        return [int(x) for x in
                self.server.do("uid", "SEARCH", "ALL")[0].split()]

    def files(self, box):
        """In the order in which they came."""
        found = [p for sub in ("cur", "new")
                 for p in (self.root / box / sub).iterdir()]
        return sorted(found, key=lambda p: p.stat().st_ino)

    def check(self, boxes):
        for box in boxes:
            here = len(self.files(box))
            there = sum(len(os.listdir(self.box_there(box) / sub))
                        for sub in ("cur", "new"))
            if here != there:
                raise SystemExit("%s: %s has %d messages here and %d there"
                                 % (self.name, box, here, there))

    @staticmethod
    def without_uid(name):
        return name


class Mochila(Peer):
    name = "mochila"

    def configure(self, port):
        (self.base / "config.yaml").write_text(json.dumps({
            "state_dir": str(self.base / "state"),
            "accounts": {"a": {
                "host": "127.0.0.1", "port": port, "tls": "none",
                "user": self.name, "password": PASSWORD,
                "maildir": str(self.root)}}}))
        (self.base / "config.yaml").chmod(0o600)

    def command(self):
        return [os.environ["MOCHILA"], "-c", str(self.base / "config.yaml"),
                "sync", "--allow-deletes"]


class Mbsync(Peer):
    name = "mbsync"

    def configure(self, port):
        (self.base / "rc").write_text("\n".join((
            "IMAPAccount a", "Host 127.0.0.1", "Port %d" % port,
            "User " + self.name, "Pass " + PASSWORD, "SSLType None",
            "AuthMechs LOGIN", "", "IMAPStore r", "Account a", "",
            "MaildirStore l", "Path %s/" % self.root,
            "Inbox %s/INBOX" % self.root, "SubFolders Verbatim", "",
            "Channel c", "Far :r:", "Near :l:", "Patterns *",
            "Create Both", "Expunge Both", "SyncState *", "")))

    def command(self):
        return ["mbsync", "-q", "-c", str(self.base / "rc"), "-a"]

    @staticmethod
    def without_uid(name):
        """Its manual asks that of those who move files."""
        return re.sub(r",U=\d+", "", name)


def letters(what, n, size):
    """N messages that are the same for both."""
    rng = random.Random(what)
    mu = math.log(size.mean) - size.sigma ** 2 / 2
    for i in range(n):
        token = "%s-%d" % (what, i)
        yield token, message(token,
                             size=int(rng.lognormvariate(mu, size.sigma)))


# What people do.  AT: earlier rounds had as many of the messages.

def flags_there(peer, at, n, _):
    uids = peer.uids("INBOX")[at:at + n]
    peer.server.do("uid", "STORE", ",".join(map(str, uids)), "+FLAGS.SILENT",
                   "(\\Flagged)")


def flags_here(peer, at, n, _):
    for path in peer.files("INBOX")[at:at + n]:
        base, _, info = path.name.partition(":2,")
        path.rename(path.parent.parent / "cur" /
                    (base + ":2," + "".join(sorted(set(info + "R")))))


def new_there(peer, at, n, size):
    peer.deliver_there("INBOX", letters("there%d" % at, n, size))


def new_here(peer, at, n, size):
    for token, data in letters("here%d" % at, n, size):
        (peer.root / "INBOX" / "new" / (token + ".desk")).write_bytes(
            data.replace(b"\r\n", b"\n"))


def moves_there(peer, at, n, _):
    uids = peer.uids("INBOX")[at:at + n]
    peer.server.do("uid", "MOVE", ",".join(map(str, uids)), "archive")


def moves_here(peer, at, n, _):
    for path in peer.files("INBOX")[at:at + n]:
        base, _, info = peer.without_uid(path.name).partition(":2,")
        path.rename(peer.root / "archive" / "cur" / (base + ":2," + info))


def deletes_there(peer, at, n, _):
    uids = ",".join(map(str, peer.uids("INBOX")[at:at + n]))
    peer.server.do("uid", "STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")
    peer.server.do("uid", "EXPUNGE", uids)


def deletes_here(peer, at, n, _):
    for path in peer.files("INBOX")[at:at + n]:
        path.unlink()


class Bench:
    def __init__(self, base, size, repeat, only):
        self.size, self.repeat, self.only = size, repeat, only
        self.dovecot = Dovecot(base / "server",
                               "mail_max_userip_connections = 100\n")
        self.peers = [Mochila(base, self.dovecot), Mbsync(base, self.dovecot)]
        self.results = []

    def wanted(self, work):
        return not self.only or re.search(self.only, work)

    def measure(self, work, delay, boxes, deed=None, n=0, fresh=False):
        """DEED(peer, at, n, size) and then a run, for each peer in turn."""
        if not self.wanted(work):
            return
        seen = {p.name: [] for p in self.peers}
        for i in range(self.repeat):
            for peer in self.peers:
                if fresh:
                    peer.forget()
                if deed:
                    deed(peer, i * n, n, self.size)
                seen[peer.name].append(peer.run(delay))
                peer.check(boxes)
                if deed:
                    peer.run(0)  # what is left over is no part of the next
        self.report(work, delay, seen)

    def report(self, work, delay, seen):
        rows = {name: {k: statistics.median(r[k] for r in runs)
                       for k in runs[0]} for name, runs in seen.items()}
        ratio = rows["mochila"]["seconds"] / rows["mbsync"]["seconds"]
        self.results.append({"work": work, "delay_ms": delay, "ratio": ratio,
                             "median": rows, "runs": seen})
        for name, r in rows.items():
            print("%-34s %3d ms  %-7s %8.2f s %7s %5d trips %9.1f KiB %7.2f s "
                  "%7.1f MiB" % (
                      work, delay, name, r["seconds"],
                      "%.2f" % ratio if name == "mochila" else "",
                      r["trips"], (r["up"] + r["down"]) / 1024, r["cpu"],
                      r["peak_kib"] / 1024), flush=True)

    def fill(self, boxes, each):
        for peer in self.peers:
            peer.make_there(boxes)
            for box in boxes:
                if each.get(box):
                    peer.deliver_there(box, letters("first-" + box,
                                                    each[box], self.size))
                peer.server.select(box)
            peer.server.close()

    def one_mailbox(self):
        size, boxes = self.size, ["INBOX", "archive"]
        self.fill(boxes, {"INBOX": size.first})
        self.measure("first sync, %d messages" % size.first, 0, boxes,
                     fresh=True)
        for peer in self.peers:
            peer.run(0)
        for delay in (0, 50):
            self.measure("nothing to do, 2 mailboxes", delay, boxes)
        for words, deed, n in (
                ("flags there", flags_there, size.changes),
                ("flags here", flags_here, size.changes),
                ("new messages there", new_there, size.changes),
                ("new messages here", new_here, size.changes),
                ("moves there", moves_there, size.changes),
                ("moves here", moves_here, size.changes),
                ("deletes there", deletes_there, size.deletes),
                ("deletes here", deletes_here, size.deletes)):
            self.measure("%d %s" % (n, words), 50, boxes, deed, n)

    def many_mailboxes(self):
        size = self.size
        boxes = ["INBOX", "archive"] + ["box%03d" % i for i in
                                        range(2, size.many)]
        for peer in self.peers:
            peer.server.connect()
        self.fill(boxes[2:], {b: size.few for b in boxes[2:]})
        self.measure("first sync, %d mailboxes" % size.many, 0, boxes,
                     fresh=True)
        for peer in self.peers:
            peer.run(0)
        for delay in (0, 50):
            self.measure("nothing to do, %d mailboxes" % size.many, delay,
                         boxes)

    def close(self):
        for peer in self.peers:
            peer.server.close()
        self.dovecot.stop()


def forget_messages(bench):
    """INBOX is no part of the works with many mailboxes."""
    for peer in bench.peers:
        for box in ("INBOX", "archive"):
            peer.server.select(box)
            peer.server.do("uid", "STORE", "1:*", "+FLAGS.SILENT",
                           "(\\Deleted)")
            peer.server.do("expunge")
        peer.server.close()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--quick", action="store_true")
    args.add_argument("--repeat", type=int)
    args.add_argument("--json", metavar="FILE")
    args.add_argument("--only", metavar="REGEX", help="of the works' names")
    args = args.parse_args()
    os.environ["MOCHILA"] = os.path.abspath(
        os.environ.get("MOCHILA", "mochila"))
    base = Path(tempfile.mkdtemp(prefix="mochila-bench-"))
    base.chmod(0o755)
    size = Quick if args.quick else Size
    bench = Bench(base, size, args.repeat or (1 if args.quick else 3),
                  args.only)
    try:
        bench.one_mailbox()
        forget_messages(bench)
        bench.many_mailboxes()
    finally:
        bench.close()
        shutil.rmtree(base, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
