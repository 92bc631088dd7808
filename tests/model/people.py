"""What people do to a mailbox, on either side, by the name of a message.

An operation whose message, mailbox or target is not there does nothing, so
any part of a list of operations is a list of operations: that is what makes
a failing one easy to shrink.  A message is known by its token; an equal copy
has the same token, an edited message has another one.
"""

import functools
import imaplib
import os
import random
import re
import shutil
import time
from collections import namedtuple

from world import SYSTEM, canonical

TOKEN = re.compile(rb"^X-Token: (\S+)", re.M)
UMLAUT = "Entw\u00fcrfe"

# Where a copy of a message is.  PLACE is what the program may know it by:
# the UID there, the first part of the file name here.
Copy = namedtuple("Copy", "token box flags place")


def wire(box):
    return box.replace("\u00fc", "&APw-")


def name_of(wire_name):
    return wire_name.replace("&APw-", "\u00fc")


@functools.lru_cache(maxsize=4096)
def content(token):
    """Always the same bytes for the same token, with CRLF line ends."""
    rng = random.Random("content of " + token)
    size = rng.choice([0, 0, 200, 2000, 4000, 5000, 30000])
    first = token.split("~")[0]  # an edited draft keeps its Message-ID
    text = ("From: Ana <ana@example.org>\r\nTo: bo@example.org\r\n"
            "Subject: about %s\r\nMessage-ID: <%s@example.org>\r\n"
            "Date: Mon, 23 Nov 2026 08:45:59 +0000\r\n"
            "X-Token: %s\r\n\r\n%s\r\n" % (first, first, token, token))
    data = text.encode()
    while len(data) < size:
        data += bytes(rng.choice(b"abc \xe9\xc3.") for _ in range(70))
        data += b"\r\n"
    if rng.random() < 0.2:
        data += b"no line end"
    return data


def content_here(token):
    """As the file is written by a mail reader."""
    data = content(token)
    if random.Random("line ends of " + token).random() < 0.85:
        data = data.replace(b"\r\n", b"\n")
    return data


def token_of(data):
    found = TOKEN.search(data or b"")
    assert found, "a message that nobody made: %r" % (data or b"")[:200]
    token = found.group(1).decode()
    assert canonical(data) == canonical(content(token)), (
        "bytes of %s changed: %r" % (token, data[:400]))
    return token


class There:
    """The server's side, by imaplib."""

    def __init__(self, world):
        self.world, self.server = world, world.server

    def boxes(self):
        return {name_of(b) for b in self.server.mailboxes()}

    def look(self, tries=5):
        """Every copy, its bytes compared.  What vanishes while we look is
        looked at again."""
        try:
            return [Copy(token_of(m["body"]), box, frozenset(m["flags"]),
                         uid)
                    for box in sorted(self.boxes())
                    for uid, m in self.server.messages(wire(box)).items()]
        except (AssertionError, imaplib.IMAP4.error):
            if tries == 0:
                raise
        self.server.close()
        time.sleep(0.02)
        return self.look(tries - 1)

    def find(self, token):
        copies = [c for c in self.look() if c.token == token]
        return min(copies, key=lambda c: (c.box, c.place), default=None)

    def add(self, token, box, flags, _sub=None):
        if box in self.boxes():
            self.server.append(wire(box), content(token), flags)
            return True

    def flag(self, token, flag):
        c = self.find(token)
        if c:
            self.server.store(wire(c.box), c.place, "-FLAGS" if flag in c.flags
                              else "+FLAGS", [flag])
            return True

    def delete(self, token):
        c = self.find(token)
        if c:
            self.server.expunge(wire(c.box), [c.place])
            return True

    def copy(self, token, box, _new=None):
        c = self.find(token)
        if c and box in self.boxes():
            self.server.select(wire(c.box))
            self.server.do("uid", "COPY", str(c.place), '"%s"' % wire(box))
            return True

    def move(self, token, box, old_way):
        c = self.find(token)
        if not c or c.box == box or box not in self.boxes():
            return False
        if old_way:
            self.copy(token, box)
            self.server.expunge(wire(c.box), [c.place])
        else:
            self.server.select(wire(c.box))
            self.server.do("uid", "MOVE", str(c.place), '"%s"' % wire(box))
        return True

    def edit(self, token, new):
        c = self.find(token)
        if c:
            self.add(new, c.box, sorted(c.flags))
            self.server.expunge(wire(c.box), [c.place])
            return True

    def mkbox(self, box):
        if box not in self.boxes():
            self.server.create(wire(box))
            return True

    def rmbox(self, box):
        have = self.boxes()
        if box != "INBOX" and box in have:
            self.server.close()  # nothing selected
            self.server.do("delete", '"%s"' % wire(box))
            return True

    def mvbox(self, old, new):
        have = self.boxes()
        if old == "INBOX" or old not in have or new in have or \
                new.startswith(old + "/"):
            return False
        self.server.close()
        self.server.do("rename", '"%s"' % wire(old), '"%s"' % wire(new))
        return True

    # what only a server does

    def renumber(self, box, number):
        if box not in self.boxes():
            return False
        self.server.close()
        self.world.server_process.doveadm(
            "mailbox", "update", "-u", self.world.user, "--uid-validity",
            str(number), box)
        return True

    def wipe(self, box):
        """Mod-sequences begin again."""
        if box not in self.boxes():
            return False
        self.server.close()
        path = self.world.server_process.maildir(self.world.user)
        if box != "INBOX":
            path = path / ("." + wire(box).replace("/", "."))
        for name in os.listdir(path):
            if name.startswith("dovecot.index"):
                os.unlink(path / name)
        return True


class Here:
    """The Maildir, as a mail reader sees and changes it."""

    def __init__(self, world):
        self.world, self.local, self.root = world, world.local, world.root
        self.count = 0

    def boxes(self):
        return set(self.local.mailboxes())

    def look(self):
        while True:
            try:
                return [Copy(token_of(path.read_bytes()), box,
                             frozenset(flags), path.name.split(":2,")[0])
                        for box in sorted(self.boxes())
                        for _, flags, path in self.local.files(box)]
            except FileNotFoundError:
                continue  # the program works beside us

    def find(self, token):
        for box in sorted(self.boxes()):
            for _, flags, path in self.local.files(box):
                if token_of(path.read_bytes()) == token:
                    return box, flags, path
        return None

    def base(self, token):
        self.count += 1
        return "%s.%d.model" % (token, self.count)

    def has_base(self, box, base):
        return any(path.name.split(":2,")[0] == base
                   for _, _, path in self.local.files(box))

    def letter(self, box, flag):
        """The letter of FLAG, made known to the mailbox when it is new."""
        if flag in SYSTEM:
            return SYSTEM[flag]
        known = self.local.letters(box)
        for letter, name in known.items():
            if name == flag:
                return letter
        free = min(set("abcdefghijklmnopqrstuvwxyz") - set(known))
        known[free] = flag
        path = self.root / box / "dovecot-keywords"
        temporary = path.with_name("dovecot-keywords.new")
        temporary.write_text("".join(
            "%d %s\n" % (ord(k) - ord("a"), known[k]) for k in sorted(known)))
        os.rename(temporary, path)
        return free

    def info(self, box, flags):
        return ":2," + "".join(sorted(self.letter(box, f) for f in flags))

    def add(self, token, box, flags, sub="new"):
        if box not in self.boxes():
            return False
        name = self.base(token)
        if flags or sub == "cur":
            sub, name = "cur", name + self.info(box, flags)
        self.local.add(box, content_here(token), name, sub)
        return True

    def show(self, path, box, base, flags):
        """Rename PATH into cur/ of BOX."""
        os.rename(path, self.root / box / "cur" /
                  (base + self.info(box, flags)))
        return True

    def flag(self, token, flag):
        found = self.find(token)
        if found:
            box, flags, path = found
            return self.show(path, box, path.name.split(":2,")[0],
                             set(flags) ^ {flag})

    def open(self, token):
        """From new/ to cur/, as a mail reader does that saw it."""
        found = self.find(token)
        if found and found[2].parent.name == "new":
            box, flags, path = found
            return self.show(path, box, path.name.split(":2,")[0], flags)

    def delete(self, token):
        found = self.find(token)
        if found:
            os.unlink(found[2])
            return True

    def copy(self, token, box, new=True):
        found = self.find(token)
        if not found or box not in self.boxes():
            return False
        _, flags, path = found
        base = path.name.split(":2,")[0]
        if new or self.has_base(box, base):
            base = self.base(token)
        self.local.add(box, path.read_bytes(), base + self.info(box, flags),
                       "cur")
        return True

    def move(self, token, box, new):
        found = self.find(token)
        if not found or box not in self.boxes() or box == found[0]:
            return False
        _, flags, path = found
        base = path.name.split(":2,")[0]
        if new or self.has_base(box, base):
            base = self.base(token)
        return self.show(path, box, base, flags)

    def edit(self, token, new):
        found = self.find(token)
        if found:
            box, flags, path = found
            self.add(new, box, sorted(flags), "cur")
            os.unlink(path)
            return True

    def mkbox(self, box):
        if box not in self.boxes():
            self.local.make(box)
            return True

    def rmbox(self, box):
        have = self.boxes()
        if box == "INBOX" or box not in have:
            return False
        path = self.root / box
        for entry in list(path.iterdir()):
            if entry.name in ("cur", "new", "tmp"):
                shutil.rmtree(entry)
            elif not entry.is_dir():
                entry.unlink()
        if not any(path.iterdir()):
            path.rmdir()
        return True

    def mvbox(self, old, new):
        have = self.boxes()
        if old == "INBOX" or old not in have or new.startswith(old + "/") or \
                (self.root / new).exists():
            return False
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.root / old, self.root / new)
        return True
