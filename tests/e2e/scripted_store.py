"""The mail of a scripted server, and what a test may do to it.

A Mail is one message with its flags; a Box gives it a UID.  Ordinary servers
have each Mail in one Box; with labels the same Mail is in several.
"""

import itertools
import threading
import time


class Mail:
    numbers = itertools.count(1700000000000000001)

    def __init__(self, body, flags=(), when=None):
        self.body = body
        self.flags = set(flags)
        self.when = int(when or time.time())
        self.number = next(Mail.numbers)


class Box:
    def __init__(self, store, name, uidvalidity, attrs=(), select=True):
        self.store, self.name = store, name
        self.uidvalidity, self.uidnext = uidvalidity, 1
        self.attrs, self.selectable = list(attrs), select
        self.mail = {}      # uid -> Mail, ascending
        self.modseq = {}    # uid -> mod-sequence
        self.highest = 1
        self.expunged = []  # (mod-sequence, uid)
        self.permanent = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen",
                          "\\Draft", "\\*"]

    def touch(self, uid):
        self.highest += 1
        self.modseq[uid] = self.highest

    def add(self, mail):
        uid = self.uidnext
        self.uidnext += 1
        self.mail[uid] = mail
        self.touch(uid)
        return uid

    def remove(self, uid):
        del self.mail[uid], self.modseq[uid]
        if self.store.expunge_counts:
            self.highest += 1
        self.expunged.append((self.highest, uid))

    def uid_of(self, mail):
        return next((u for u, m in self.mail.items() if m is mail), None)


class Store:
    """All mailboxes of the one account.  Hold .lock for more than one step."""

    def __init__(self, labels=False):
        self.lock = threading.RLock()
        self.boxes = {}
        self.labels = labels
        self.expunge_counts = not labels
        self.validity = itertools.count(1000)
        self.create("INBOX")

    def create(self, name, attrs=(), select=True):
        box = Box(self, name, next(self.validity), attrs, select)
        self.boxes[name] = box
        return box

    def find(self, name):
        if name.upper() == "INBOX":
            name = "INBOX"
        return self.boxes.get(name)

    def special(self, attr):
        return next((b for b in self.boxes.values() if attr in b.attrs), None)

    def append(self, box, body, flags=(), when=None):
        mail = Mail(body, flags, when)
        uid = box.add(mail)
        everything = self.labels and self.special("\\All")
        if everything and box is not everything and box.attrs != ["\\Trash"]:
            everything.add(mail)
        return uid

    def set_flags(self, box, uid, add=(), remove=()):
        """True when that changed something."""
        mail = box.mail[uid]
        low = {f.lower() for f in remove}
        have = {f.lower() for f in mail.flags}
        after = {f for f in mail.flags if f.lower() not in low}
        after |= {f for f in add if f.lower() not in have
                  and ("\\*" in box.permanent or f in box.permanent)}
        if after == mail.flags:
            return False
        mail.flags = after
        for other in self.boxes.values():
            at = other.uid_of(mail)
            if at is not None:
                other.touch(at)
        return True

    def expunge(self, box, uid):
        if self.labels and box.attrs == ["\\All"]:
            return False
        box.mail[uid].flags.discard("\\Deleted")
        box.remove(uid)
        return True

    def copy(self, box, uid, target):
        """The UID there; a label that is there already is not given twice."""
        mail = box.mail[uid]
        if self.labels:
            there = target.uid_of(mail)
            if there is not None:
                return there
            return target.add(mail)
        return target.add(Mail(mail.body, mail.flags, mail.when))

    def move(self, box, uid, target):
        mail = box.mail[uid]
        there = self.copy(box, uid, target)
        if self.labels and target.attrs == ["\\Trash"]:
            for other in self.boxes.values():
                at = other.uid_of(mail)
                if other is not target and at is not None:
                    other.remove(at)
        else:
            box.remove(uid)
        return there
