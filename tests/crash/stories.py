"""What people did on both sides before the run that is disturbed."""

import os
import re
import shutil

from scene import FOREIGN
from world import lf, message

TOKEN = re.compile(rb"^Subject: message (\S+)", re.M)


class Story:
    synced = False   # had both sides agreed before?
    foreign = False  # does a file of another program lie in a tmp/?
    new_boxes = True  # do people make, delete or rename mailboxes?

    def __init__(self):
        self.sent = {}  # token -> its octets
        self.deleted = set()

    @property
    def alive(self):
        return set(self.sent) - self.deleted

    def text(self, token, size=0):
        if token not in self.sent:
            self.sent[token] = message(token, size=size)
        return self.sent[token]

    def before(self, server):
        """The server as both sides last agreed, or as it is found."""

    def there(self, server):
        """What is done on the server since."""

    def here(self, world):
        """What is done in the Maildir since."""


def uid_of(server, box, token):
    for uid, m in server.messages(box).items():
        if TOKEN.search(m["body"]).group(1).decode() == token:
            return uid
    raise KeyError(token)


def move(server, box, uid, target):
    """By hand where the server has no MOVE."""
    server.select(box)
    if "MOVE" in server.connect().capabilities:
        server.do("uid", "MOVE", str(uid), server.quoted(target))
    else:
        server.do("uid", "COPY", str(uid), server.quoted(target))
        server.expunge(box, [uid])


def file_of(world, box, token):
    for _, _, path in world.local.files(box):
        if TOKEN.search(path.read_bytes()).group(1).decode() == token:
            return path
    raise KeyError(token)


def to(world, path, box, info):
    """Rename PATH into cur/ of BOX, with flags INFO; mbsync's UID is not
    carried to another mailbox."""
    base = path.name.split(":2,")[0]
    if path.parent.parent != world.root / box:
        base = re.sub(r",U=\d+", "", base)
    os.rename(path, world.root / box / "cur" / (base + ":2," + info))


class Changes(Story):
    """A bit of everything, on both sides."""

    synced = True
    foreign = True
    boxes_go = True  # are mailboxes deleted as well?

    END = {
        "INBOX": {("a0", ""), ("a1", "\\Flagged"), ("a4", "todo"),
                  ("a5", "\\Seen"), ("a7", "\\Answered \\Flagged"),
                  ("b1", ""), ("n1", "\\Seen"), ("n4", ""), ("n7", "")},
        "work": {("b0", ""), ("b2", "home"), ("b3", ""), ("a3", ""),
                 ("n2", ""), ("n5", "\\Seen")},
        "work/sub": {("c0", "")},
        "there": {("n3", "")},
        "here": {("n6", "")},
    }

    def before(self, server):
        old = ("oldthere", "oldhere") if self.boxes_go else ()
        for box in ("work", "work/sub", *old):
            server.create(box)
        for n in range(8):
            server.append("INBOX", self.text("a%d" % n))
        for n in range(4):
            server.append("work", self.text("b%d" % n))
        server.append("work/sub", self.text("c0", 5000))
        if self.boxes_go:
            server.append("oldthere", self.text("d0"))
            server.append("oldhere", self.text("e0"))

    def there(self, server):
        def uid(token):
            return uid_of(server, "INBOX", token)

        server.append("INBOX", self.text("n1"), ["\\Seen"])
        server.append("work", self.text("n2", 9000))
        server.append("INBOX", self.text("n7"))
        server.store("INBOX", uid("a1"), "+FLAGS", ["\\Flagged"])
        server.store("INBOX", uid("a4"), "+FLAGS", ["todo"])
        server.store("INBOX", uid("a7"), "+FLAGS", ["\\Answered"])
        server.expunge("INBOX", [uid("a2")])
        move(server, "INBOX", uid("a3"), "work")
        server.create("there")
        server.append("there", self.text("n3"))
        server.select("INBOX")
        self.deleted |= {"a2", "a6"}
        if self.boxes_go:
            server.do("delete", server.quoted("oldthere"))
            self.deleted |= {"d0", "e0"}

    def here(self, world):
        local = world.local
        local.add("INBOX", lf(self.text("n4")), "1800000001.n4.here")
        local.add("INBOX", lf(self.text("n7")), "1800000001.n7.here")
        local.add("work", lf(self.text("n5", 6000)),
                  "1800000001.n5.here:2,S", "cur")
        to(world, file_of(world, "INBOX", "a5"), "INBOX", "S")
        to(world, file_of(world, "INBOX", "a7"), "INBOX", "F")
        os.unlink(file_of(world, "INBOX", "a6"))
        to(world, file_of(world, "work", "b1"), "INBOX", "")
        if getattr(self, "keywords", True):
            (world.root / "work" / "dovecot-keywords").write_text("0 home\n")
            to(world, file_of(world, "work", "b2"), "work", "a")
        local.add("here", lf(self.text("n6")), "1800000001.n6.here")
        if self.boxes_go:
            shutil.rmtree(world.root / "oldhere")
        (world.root / "work" / "tmp" / FOREIGN).write_text("not whole")


class Small(Story):
    """One thing of each kind, in one mailbox, in as few octets as can be."""

    synced = True
    new_boxes = False

    END = {"INBOX": {("a0", "\\Flagged"), ("a1", "\\Seen"), ("n1", ""),
                     ("n2", "")}}

    def before(self, server):
        for n in range(4):
            server.append("INBOX", self.text("a%d" % n))

    def there(self, server):
        server.append("INBOX", self.text("n1"))
        server.store("INBOX", uid_of(server, "INBOX", "a0"), "+FLAGS",
                     ["\\Flagged"])
        server.expunge("INBOX", [uid_of(server, "INBOX", "a2")])
        self.deleted |= {"a2", "a3"}

    def here(self, world):
        world.local.add("INBOX", lf(self.text("n2")), "1800000001.n2.here")
        to(world, file_of(world, "INBOX", "a1"), "INBOX", "S")
        os.unlink(file_of(world, "INBOX", "a3"))


class Sudden(Story):
    """Both sides agree; what people do then they do right before the run."""

    synced = True
    new_boxes = False

    def before(self, server):
        for n in range(3):
            server.append("INBOX", self.text("a%d" % n))

    came = 0

    def suddenly(self, world, files):
        """So many more messages, and another flag."""
        to(world, file_of(world, "INBOX", "a1"), "INBOX",
           "F" if self.came else "S")
        for n in range(self.came, self.came + files):
            world.local.add("INBOX", lf(self.text("n%d" % n)),
                            "1800000001.n%d.here" % n)
        self.came += files


class First(Story):
    """The first run: nothing here, not even a directory."""

    END = {
        "INBOX": {("a%d" % n, "\\Seen" if n % 2 else "") for n in range(5)},
        "work": {("b0", "work"), ("b1", "")},
        "work/sub": {("c0", "")},
    }

    def before(self, server):
        for box in ("work", "work/sub"):
            server.create(box)
        for n in range(5):
            server.append("INBOX", self.text("a%d" % n),
                          ["\\Seen"] if n % 2 else [])
        server.append("work", self.text("b0"), ["work"])
        server.append("work", self.text("b1", 20000))
        server.append("work/sub", self.text("c0"))


class NoDelete(Changes):
    """For a server that sleeps in a DELETE of a mailbox."""

    boxes_go = False


class Lost(Story):
    """The journal is lost, and both sides are full: they are paired."""

    END = {
        "INBOX": {("a0", ""), ("a1", "\\Seen"), ("a2", ""), ("a3", ""),
                  ("a4", ""), ("n1", ""), ("n2", "")},
        "work": {("b0", "\\Flagged"), ("b1", "")},
        "here": {("n3", "")},
    }

    def before(self, server):
        server.create("work")
        for n in range(5):
            server.append("INBOX", self.text("a%d" % n),
                          ["\\Seen"] if n == 1 else [])
        server.append("work", self.text("b0", 7000))
        server.append("work", self.text("b1"))
        server.append("INBOX", self.text("n1"))

    def here(self, world):
        for n in range(5):
            world.local.add("INBOX", lf(self.text("a%d" % n)),
                            "1700000000.a%d.here" % n)
        world.local.add("work", lf(self.text("b0")),
                        "1700000000.b0.here:2,F", "cur")
        world.local.add("work", lf(self.text("b1")), "1700000000.b1.here")
        world.local.add("INBOX", lf(self.text("n2")), "1700000000.n2.here")
        world.local.add("here", lf(self.text("n3")), "1700000000.n3.here")


class Quiet(Story):
    """Both sides agree, and nobody does anything."""

    synced = True

    END = {
        "INBOX": {("a%d" % n, "\\Seen" if n % 2 else "") for n in range(6)},
        "work": {("b%d" % n, "") for n in range(4)},
        "empty": set(),
    }

    def before(self, server):
        server.create("work")
        server.create("empty")
        for n in range(6):
            server.append("INBOX", self.text("a%d" % n),
                          ["\\Seen"] if n % 2 else [])
        for n in range(4):
            server.append("work", self.text("b%d" % n, 5000 * (n % 2)))


class Again(Story):
    """The server has lost mailboxes, and has them anew with other numbers; what
    they lack goes up again.  The files of one of them are not touched."""

    synced = True

    END = {
        "INBOX": {("a0", ""), ("a1", "")},
        "still": {("s0", ""), ("s1", ""), ("s2", ""), ("s3", "")},
        "work": {("w0", ""), ("w1", "\\Seen"), ("w2", "\\Flagged"),
                 ("w3", ""), ("w4", ""), ("n1", ""), ("n2", "")},
    }

    def before(self, server):
        for box, letter, n in (("INBOX", "a", 2), ("still", "s", 4),
                               ("work", "w", 5)):
            if box != "INBOX":
                server.create(box)
            for i in range(n):
                server.append(box, self.text("%s%d" % (letter, i), 500 * i))

    def there(self, server):
        for box, kept, flags in (("still", "s1", []),
                                 ("work", "w1", ["\\Seen"])):
            server.do("delete", server.quoted(box))
            server.create(box)
            server.append(box, self.text(kept), flags)
        server.append("work", self.text("n1"))

    def here(self, world):
        to(world, file_of(world, "work", "w2"), "work", "F")
        world.local.add("work", lf(self.text("n2")), "1800000004.n2.here")


class Alike(Story):
    """A message that goes up again, and a new one there that nothing tells
    from it but what stands behind 512 octets: its Message-ID."""

    synced = True

    END = {
        "INBOX": {("a", "")},
        "still": {("s0", ""), ("s1", "")},
        "work": {("n1", "")},
    }

    def text(self, token, size=0):
        if token not in self.sent:
            data = message(token)
            tail = data.index(b"Subject:")
            self.sent[token] = (data[:tail] + b"X-Filler: " + b"x" * 600 +
                                b"\r\n" + data[tail:])
        return self.sent[token]

    def before(self, server):
        server.create("work")
        server.create("still")
        server.append("INBOX", super().text("a"))
        for token in "s0", "s1":
            server.append("still", self.text(token))

    def there(self, server):
        server.do("delete", server.quoted("still"))
        server.create("still")
        server.append("still", self.text("s1"))
        server.append("work", self.text("n1"))


class Moves(Story):
    """Messages moved and copied, mailboxes renamed, on either side."""

    synced = True
    boxes_move = True  # are mailboxes renamed as well?

    END = {
        "INBOX": {("m1", ""), ("m3", ""), ("m5", "\\Flagged"), ("w0", "")},
        "work": {("m0", ""), ("m1", ""), ("m2", ""), ("m3", ""),
                 ("m4", "\\Seen"), ("w1", ""), ("w2", "")},
        "here2": {("h0", ""), ("h1", "")},
        "there2": {("t0", ""), ("t1", "")},
    }

    def before(self, server):
        for box in ("work", "here1", "there1"):
            server.create(box)
        for box, letter, n in (("INBOX", "m", 6), ("work", "w", 3),
                               ("here1", "h", 2), ("there1", "t", 2)):
            for i in range(n):
                server.append(box, self.text("%s%d" % (letter, i), 5000 * i))

    def there(self, server):
        m0, m1, m5 = (uid_of(server, "INBOX", token)
                      for token in ("m0", "m1", "m5"))
        move(server, "INBOX", m0, "work")
        server.do("uid", "COPY", str(m1), server.quoted("work"))
        server.store("INBOX", m5, "+FLAGS", ["\\Flagged"])
        if self.boxes_move:
            server.do("rename", server.quoted("there1"),
                      server.quoted("there2"))

    def here(self, world):
        to(world, file_of(world, "INBOX", "m2"), "work", "")
        to(world, file_of(world, "INBOX", "m4"), "work", "S")
        to(world, file_of(world, "work", "w0"), "INBOX", "")
        world.local.add("work", lf(self.text("m3")), "1800000003.m3.here")
        if self.boxes_move:
            os.rename(world.root / "here1", world.root / "here2")


class NoRename(Moves):
    """For a server that sleeps in a RENAME."""

    new_boxes = False
    boxes_move = False
    END = {box.replace("2", "1"): messages
           for box, messages in Moves.END.items()}
