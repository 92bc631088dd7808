#!/usr/bin/env python3
"""mochila beside mbsync, on the same server, in the same run.

    MOCHILA=./mochila tests/bench/bench.py [--mailboxes 200] [--messages 50]
                                           [--delay 50] [--size 2000]

Needs dovecot-imapd and isync.  Prints seconds, peak memory and, for mochila,
round trips; and the ratio of the two.  --delay puts so many milliseconds on
the way, in each direction half of it.  It asserts nothing and gates nothing.
"""

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from servers import PASSWORD, Dovecot  # noqa: E402
from world import ServerSide, message  # noqa: E402


class DelayLine:
    """A TCP relay in which each byte arrives SECONDS after it was sent."""

    def __init__(self, port, seconds):
        self.target, self.seconds = port, seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            a, _ = self.listener.accept()
            b = socket.create_connection(("127.0.0.1", self.target))
            for x, y in ((a, b), (b, a)):
                x.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.relay, args=(x, y),
                                 daemon=True).start()

    def relay(self, a, b):
        queue, ready = [], threading.Condition()

        def send():
            while True:
                with ready:
                    while not queue:
                        ready.wait()
                    when, data = queue.pop(0)
                time.sleep(max(0, when - time.monotonic()))
                try:
                    if not data:
                        b.shutdown(socket.SHUT_WR)
                        return
                    b.sendall(data)
                except OSError:
                    return
        threading.Thread(target=send, daemon=True).start()
        while True:
            try:
                data = a.recv(65536)
            except OSError:
                data = b""
            with ready:
                queue.append((time.monotonic() + self.seconds, data))
                ready.notify()
            if not data:
                return


class Peer:
    def __init__(self, base, port):
        self.base, self.port = base, port
        self.base.mkdir()
        self.env = {"HOME": str(base), "PATH": os.environ["PATH"]}

    def run(self):
        begin = time.monotonic()
        child = subprocess.Popen(self.command(), env=self.env,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        if status:
            sys.exit("%s: %s" % (self.command(), out.decode()))
        return time.monotonic() - begin, usage.ru_maxrss / 1024, out


class Mochila(Peer):
    name = "mochila"

    def __init__(self, base, port, user, binary):
        super().__init__(base, port)
        self.binary = binary
        (base / "config.yaml").write_text(json.dumps({
            "state_dir": str(base / "state"),
            "accounts": {"a": {
                "host": "127.0.0.1", "port": port, "tls": "none",
                "user": user, "password": PASSWORD,
                "maildir": str(base / "Mail")}}}))
        (base / "config.yaml").chmod(0o600)

    def command(self):
        return [self.binary, "-c", str(self.base / "config.yaml"), "sync",
                "--json"]


class Mbsync(Peer):
    name = "mbsync"

    def __init__(self, base, port, user):
        super().__init__(base, port)
        (base / "Mail").mkdir()
        (base / "rc").write_text("\n".join((
            "IMAPAccount a", "Host 127.0.0.1", "Port %d" % port,
            "User " + user, "Pass " + PASSWORD, "SSLType None",
            "AuthMechs LOGIN", "", "IMAPStore r", "Account a", "",
            "MaildirStore l", "Path %s/Mail/" % base,
            "Inbox %s/Mail/INBOX" % base, "SubFolders Verbatim", "",
            "Channel c", "Far :r:", "Near :l:", "Patterns *",
            "Create Both", "Expunge Both", "SyncState *", "")))

    def command(self):
        return ["mbsync", "-q", "-c", str(self.base / "rc"), "-a"]


def fill(server, boxes, messages, size, rng):
    names = ["INBOX"] + ["box%03d" % i for i in range(1, boxes)]
    for name in names:
        if name != "INBOX":
            server.create(name)
        for n in range(messages):
            server.append(name, message("%s-%d" % (name, n),
                                        size=rng.randrange(size) + 200))
    return names


def change(server, names, rng, count):
    for n in range(count):
        box = rng.choice(names)
        if n % 2:
            server.append(box, message("later-%d" % n))
        else:
            uids = sorted(server.messages(box, bodies=False))
            server.store(box, rng.choice(uids), "+FLAGS", ["\\Flagged"])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--mailboxes", type=int, default=200)
    args.add_argument("--messages", type=int, default=50)
    args.add_argument("--size", type=int, default=2000)
    args.add_argument("--delay", type=float, default=0)
    args = args.parse_args()
    binary = os.path.abspath(os.environ.get("MOCHILA", "mochila"))
    base = Path(tempfile.mkdtemp(prefix="mochila-bench-"))
    base.chmod(0o755)
    dovecot = Dovecot(base / "server")
    try:
        rng = random.Random(1)
        server = ServerSide(dovecot.port, "bench")
        names = fill(server, args.mailboxes, args.messages, args.size, rng)
        port = dovecot.port
        if args.delay:
            port = DelayLine(port, args.delay / 2000).port
        peers = [Mochila(base / "mochila", port, "bench", binary),
                 Mbsync(base / "mbsync", port, "bench")]
        for step in ("first sync", "nothing to do", "20 changes there"):
            if step.startswith("20"):
                change(server, names, rng, 20)
            seen = []
            for peer in peers:
                seconds, peak, out = peer.run()
                trips = ""
                if peer.name == "mochila":
                    s = json.loads(out.splitlines()[-1])
                    trips = "  %d round trips" % s["round_trips"]
                seen.append(seconds)
                print("%-18s %-8s %8.2f s  %6.1f MiB%s" % (
                    step, peer.name, seconds, peak, trips), flush=True)
            print("%-18s mochila/mbsync %.2f" % (step, seen[0] / seen[1]))
        server.close()
    finally:
        dovecot.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
