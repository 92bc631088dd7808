"""One account of a test: the server's side, the Maildir, and mochila.

The witness is never mochila: the server is read with imaplib, the Maildir
with os.listdir, bytes are compared by hashlib.
"""

import base64
import functools
import hashlib
import imaplib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from servers import PASSWORD, Kind

imaplib._MAXLINE = 10_000_000

SYSTEM = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F",
          "\\Deleted": "T", "\\Draft": "D", "$Forwarded": "P"}

# IMAP commands that change something on the server.
CHANGING = re.compile(
    rb"^(UID )?(APPEND|STORE|EXPUNGE|COPY|MOVE|CREATE|DELETE|RENAME|"
    rb"SUBSCRIBE|UNSUBSCRIBE|CLOSE)\b", re.I)

# For strace -e: statfs(2) says FUSE (0x65735546) of every file system.  Of
# such a one syncfs() succeeds and writes nothing.
FUSE = "inject=fstatfs:poke_exit=@arg2=" + (0x65735546).to_bytes(
    struct.calcsize("l"), sys.byteorder).hex()


@functools.lru_cache(maxsize=1)
def can_trace():
    """Is there a strace, and may it?"""
    try:
        return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"],
                              capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def canonical(data):
    """The CRLF form: every LF that no CR precedes gets one."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)


def lf(data):
    """As a file has it: the other way."""
    return data.replace(b"\r\n", b"\n")


def digest(data):
    return hashlib.sha256(canonical(data)).hexdigest()


def message(token, body="", size=0, headers=""):
    """A message with CRLF line ends that TOKEN tells from all others."""
    text = ("From: Ana <ana@example.org>\r\nTo: bo@example.org\r\n"
            "Subject: message %s\r\nMessage-ID: <%s@example.org>\r\n"
            "Date: Mon, 23 Nov 2026 08:45:59 +0000\r\n%s\r\n%s %s\r\n"
            % (token, token, headers, token, body))
    data = text.encode()
    line = (b"%s filler " % token.encode() * 6)[:70] + b"\r\n"
    return data + line * -(-max(size - len(data), 0) // len(line))


def by_number(name):
    """A sort key: M99P is made before M100P."""
    return [int(part) if n % 2 else part
            for n, part in enumerate(re.split("([0-9]+)", name))]


def quote(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def utf7(text):
    """Modified UTF-7 (RFC 3501, 5.1.3)."""
    def shifted(m):
        if m.group() == "&":
            return "&-"
        code = base64.b64encode(m.group().encode("utf-16-be")).decode()
        return "&%s-" % code.rstrip("=").replace("/", ",")
    return re.sub(r"&|[^ -~]+", shifted, text)


def wire_level(level):
    """What the server calls one level of a mailbox's path (the rules are in
    src/mail/layout.h): %XX is an octet, and where one of those is none that
    modified UTF-7 would have coded, the level is no modified UTF-7."""
    octets = re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]),
                    level.encode())
    escaped = re.findall(r"%([0-9A-F]{2})", level)
    if any(x == "26" or x < "20" or x >= "7F" for x in escaped):
        return octets.decode("latin-1")
    return utf7(octets.decode())


class Imap(imaplib.IMAP4):
    """Without waits for acknowledgements: what follows a literal does not
    wait for one, and a server that sends in small pieces gets them at once."""

    def open(self, *args, **more):
        super().open(*args, **more)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, size):
        self.acknowledge()
        return super().read(size)

    def readline(self):
        self.acknowledge()
        return super().readline()

    def acknowledge(self):
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class ServerSide:
    """The account as imaplib sees it.  Mailbox names are wire names, octets
    in them that are not ASCII as Latin-1.  KIND is a class of servers."""

    def __init__(self, port, user, kind=Kind):
        self.port, self.user, self.kind = port, user, kind
        self.imap = None

    def connect(self):
        if self.imap is None:
            self.imap = Imap("127.0.0.1", self.port, timeout=60)
            self.imap.login(self.user, PASSWORD)
        return self.imap

    def close(self):
        if self.imap is not None:
            try:
                self.imap.logout()
            except (OSError, imaplib.IMAP4.error):
                pass
            self.imap = None

    def do(self, method, *args):
        typ, data = getattr(self.connect(), method)(*args)
        assert typ == "OK", (method, args, typ, data)
        return data

    def mailboxes(self):
        names = []
        for line in self.do("list"):
            if line is None:
                continue
            if isinstance(line, tuple):
                attrs, name = line[0], line[1]
                names.append((attrs, name.decode("latin-1")))
                continue
            m = re.match(rb'\(([^)]*)\) (?:"[^"]*"|NIL) (.*)$', line)
            name = m.group(2).decode("latin-1")
            if name.startswith('"'):
                name = re.sub(r'\\(.)', r'\1', name[1:-1])
            names.append((m.group(1), name))
        return sorted(n for a, n in names
                      if b"\\noselect" not in a.lower()
                      and b"\\nonexistent" not in a.lower()
                      and not self.is_ghost(a, n))

    def is_ghost(self, attrs, name):
        return (self.kind.lists_ghosts and b"\\haschildren" in attrs.lower()
                and self.connect().status(quote(name), "(UIDNEXT)")[0] != "OK")

    def create(self, name):
        self.do("create", quote(name))

    def append(self, box, data, flags=(), when=None):
        # imaplib's own append() would change lone CRs
        imap = self.connect()
        imap.literal = data
        words = [quote(box), "(%s)" % " ".join(flags)]
        if when:
            words.append(imaplib.Time2Internaldate(when))
        typ, answer = imap._simple_command("APPEND", *words)
        assert typ == "OK", answer

    def select(self, box, readonly=False):
        data = self.do("select", quote(box),
                       readonly and self.kind.examine)
        return int(data[0])

    def store(self, box, uid, what, flags):
        self.select(box)
        self.do("uid", "STORE", str(uid), what, "(%s)" % " ".join(flags))

    def expunge(self, box, uids):
        self.select(box)
        text = ",".join(map(str, uids))
        self.do("uid", "STORE", text, "+FLAGS.SILENT", "(\\Deleted)")
        self.do("uid", "EXPUNGE", text)

    def messages(self, box, bodies=True):
        """{uid: dict(flags, body, date)}."""
        count = self.select(box, readonly=True)
        if count == 0:
            return {}
        items = "(UID FLAGS INTERNALDATE%s)" % (
            " BODY.PEEK[]" if bodies else "")
        found = {}
        data = self.do("uid", "FETCH", "1:*", items)
        for part in data:
            if isinstance(part, tuple):
                head, body = part
            elif part and part != b")":
                head, body = part, None
                if b"UID" not in head:
                    continue
            else:
                continue
            uid = int(re.search(rb"UID (\d+)", head).group(1))
            flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).split()
            date = imaplib.Internaldate2tuple(head)
            found[uid] = {
                "flags": {f.decode() for f in flags} - {"\\Recent"},
                "body": body, "date": time.mktime(date) if date else 0}
        assert len(found) == count, (box, len(found), count)
        return found

    def everything(self):
        return {box: self.messages(box) for box in self.mailboxes()}

    def status(self, box, items=None):
        if items is None:
            items = "(MESSAGES UIDNEXT UIDVALIDITY%s)" % (
                " HIGHESTMODSEQ" if self.kind.modseq else "")
        return self.do("status", quote(box), items)[0]

    def numbers(self):
        """What must stay when nothing is to be done."""
        return {box: self.status(box) for box in self.mailboxes()}


class LocalSide:
    """The Maildir tree, nested layout by default."""

    def __init__(self, root):
        self.root = Path(root)

    def mailboxes(self):
        found = []
        for top, dirs, _ in os.walk(self.root):
            if "cur" in dirs and "new" in dirs:
                found.append(os.path.relpath(top, self.root))
            dirs[:] = [d for d in dirs if d not in ("cur", "new", "tmp")]
        return sorted(found)

    def letters(self, box):
        table = {}
        try:
            text = (self.root / box / "dovecot-keywords").read_text()
        except FileNotFoundError:
            return table
        for line in text.splitlines():
            number, name = line.split(" ", 1)
            table[chr(ord("a") + int(number))] = name
        return table

    def files(self, box):
        """[(relative name, flag set, path)], new/ first, each by number."""
        letters = self.letters(box)
        back = {v: k for k, v in SYSTEM.items()}
        found = []
        for sub in ("new", "cur"):
            for name in sorted(os.listdir(self.root / box / sub),
                               key=by_number):
                info = name.split(":2,")[1] if ":2," in name else ""
                flags = {back.get(c) or letters.get(c) or "?" + c
                         for c in info}
                found.append((sub + "/" + name, flags,
                              self.root / box / sub / name))
        return found

    def make(self, box):
        for sub in ("cur", "new", "tmp"):
            (self.root / box / sub).mkdir(parents=True, exist_ok=True)

    def add(self, box, data, name, sub="new", when=None):
        self.make(box)
        path = self.root / box / sub / name
        tmp = self.root / box / "tmp" / name
        tmp.write_bytes(data)
        if when:
            os.utime(tmp, (when, when))
        os.rename(tmp, path)
        return path

    def everything(self):
        return {box: self.files(box) for box in self.mailboxes()}

    def snapshot(self):
        """Everything that must stay when nothing is to be done."""
        seen = {}
        for top, dirs, files in os.walk(self.root):
            for name in dirs + files:
                st = os.lstat(os.path.join(top, name))
                seen[os.path.join(top, name)] = (
                    st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode)
        return seen

    def litter(self):
        return [str(p) for p in self.root.rglob("tmp/*")]


class World:
    account = "home"

    def __init__(self, base, server, user, binary, tls=False):
        self.base, self.binary = Path(base), binary
        self.server_process = server
        self.user = user
        self.server = ServerSide(server.port, user, server)
        self.root = self.base / "Mail"
        self.local = LocalSide(self.root)
        self.state = self.base / "state"
        self.home = self.base / "home"
        self.home.mkdir(parents=True)
        self.config = self.base / "config.yaml"
        self.options = {
            "host": "localhost", "user": user,
            "port": server.tls_port if tls else server.port,
            "tls": "implicit" if tls else "none",
            "password_file": str(self.base / "password"),
            "maildir": str(self.root),
        }
        if tls:
            self.options["tls_ca"] = str(server.ca)
        (self.base / "password").write_text(PASSWORD + "\n")
        (self.base / "password").chmod(0o600)
        self.trace = self.base / "trace"
        self.write_config()

    def write_config(self, **options):
        self.options.update(options)
        lines = ["state_dir: %s" % json.dumps(str(self.state)),
                 "accounts:", "  %s:" % self.account]
        for key, value in self.options.items():
            if value is not None:
                lines.append("    %s: %s" % (key, json.dumps(value)))
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def env(self):
        return {"HOME": str(self.home), "PATH": os.environ["PATH"],
                "LC_ALL": "C.UTF-8", "TZ": "UTC", **{
                    k: v for k, v in os.environ.items()
                    if k.startswith(("ASAN", "UBSAN", "LSAN", "TSAN", "LD_"))}}

    def traced_env(self):
        """For a run under strace, where no leak can be looked for."""
        env = self.env()
        return {**env, "ASAN_OPTIONS":
                env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

    def run(self, *args, status=0, timeout=300):
        # an open session may go on telling what was before
        self.server.close()
        done = subprocess.run(
            [self.binary, "-c", str(self.config), *args], env=self.env(),
            capture_output=True, timeout=timeout)
        done.out = done.stdout.decode(errors="replace")
        done.err = done.stderr.decode(errors="replace")
        if status is not None:
            assert done.returncode == status, (
                args, done.returncode, done.out, done.err)
        return done

    def start(self, *args, **pipes):
        """A run that goes on while the test does."""
        return subprocess.Popen(
            [self.binary, "-c", str(self.config), *args], env=self.env(),
            **pipes)

    def sync(self, *args, status=0, **kw):
        return self.run("sync", *args, status=status, **kw)

    def summary(self, *args, status=0):
        done = self.sync("--json", *args, status=status)
        events = [json.loads(line) for line in done.out.splitlines()]
        assert events[-1]["event"] == "summary", done.out
        return events[-1]

    def dump(self):
        done = self.run("journal", "dump", self.account)
        return [json.loads(line) for line in done.out.splitlines()]

    def txnid(self):
        done = subprocess.run(
            ["mdb_stat", "-e", str(self.state / self.account / "journal")],
            capture_output=True, text=True, check=True)
        return int(re.search(r"Last transaction ID: (\d+)",
                             done.stdout).group(1))

    def commands(self):
        """The command lines of the last traced run."""
        lines = []
        for line in self.trace.read_bytes().splitlines():
            m = re.search(rb"> \S+ (.*)$", line)
            if m:
                lines.append(m.group(1))
        return lines

    # what must hold

    def expected(self):
        """Multiset per mailbox of (digest, flags), from each side."""
        remote, local = {}, {}
        for box, messages in self.server.everything().items():
            remote[box] = Counter(
                (digest(m["body"] or b""), frozenset(m["flags"]))
                for m in messages.values())
        for box, files in self.local.everything().items():
            local[self.wire(box)] = Counter(
                (digest(path.read_bytes()), frozenset(flags))
                for _, flags, path in files)
        return remote, local

    def wire(self, box):
        """The server's name of the mailbox in directory BOX."""
        kind = self.server.kind
        wire = kind.delimiter.join(map(wire_level, box.split("/")))
        if box == "INBOX" or box.startswith("INBOX/"):
            return wire
        return kind.prefix + wire

    def assert_equal(self):
        remote, local = self.expected()
        assert sorted(remote) == sorted(local), (
            sorted(remote), sorted(local))
        for box in remote:
            assert remote[box] == local[box], (
                box, remote[box] - local[box], local[box] - remote[box])
        assert self.local.litter() == []
        self.server.close()

    def assert_journal(self):
        """One row for each message, on both sides."""
        rows = self.dump()
        keys = {(r["mailbox"], r["uid"]) for r in rows}
        files = {r["file"] for r in rows}
        assert len(keys) == len(rows) and len(files) == len(rows)
        on_server = {(box, uid) for box in self.server.mailboxes()
                     for uid in self.server.messages(box, bodies=False)}
        assert {(self.wire_of_name(b), u) for b, u in keys} == on_server
        on_disk = {os.path.normpath(os.path.join(box, name))
                   for box, all_ in self.local.everything().items()
                   for name, _, _ in all_}
        assert files == on_disk
        self.server.close()

    def wire_of_name(self, name):
        return self.wire(name)

    def assert_idle(self, status=0, says=False):
        """One more run writes nothing, anywhere.  STATUS 65: some messages
        wait, which is said; SAYS: something is said with any status."""
        before, txn = self.local.snapshot(), self.txnid()
        numbers = self.server.numbers()
        self.server.close()
        if self.trace.exists():
            self.trace.unlink()
        done = self.sync("--trace", str(self.trace), status=status)
        assert done.out == "" and bool(done.err) == bool(status or says), (
            done.out, done.err)
        changing = [c for c in self.commands() if CHANGING.match(c)]
        assert changing == []
        assert self.local.snapshot() == before
        assert self.txnid() == txn
        assert self.server.numbers() == numbers
        self.server.close()

    def assert_settled(self):
        self.assert_equal()
        self.assert_journal()
        self.assert_idle()
