"""The whole program against a scripted server.  The witness is the server's own
store: nothing of it passes through IMAP."""

import re

from scripted import Hangup
from servers import Kind
from world import World, message


class Witness:
    """The store with the methods of world.ServerSide: nothing of it passes
    through IMAP."""

    kind = Kind

    def __init__(self, store):
        self.held = store

    def close(self):
        pass

    def mailboxes(self):
        with self.held.lock:
            return sorted(n for n, b in self.held.boxes.items()
                          if b.selectable)

    def create(self, name):
        with self.held.lock:
            self.held.create(name)

    def append(self, box, data, flags=(), when=None):
        with self.held.lock:
            return self.held.append(self.held.find(box), data, flags, when)

    def messages(self, box, bodies=True):
        with self.held.lock:
            return {u: {"flags": set(m.flags), "body": m.body, "date": m.when}
                    for u, m in self.held.find(box).mail.items()}

    def everything(self):
        return {box: self.messages(box) for box in self.mailboxes()}

    def flag(self, box, uid, add=(), remove=()):
        with self.held.lock:
            self.held.set_flags(self.held.find(box), uid, add, remove)

    def store(self, box, uid, what, flags):
        self.flag(box, uid, *((flags,) if what[0] == "+" else ((), flags)))

    def expunge(self, box, uids):
        with self.held.lock:
            for uid in uids:
                self.held.find(box).remove(uid)

    def renumber(self, box):
        """A new UIDVALIDITY, and UIDs that begin again."""
        with self.held.lock:
            b = self.held.find(box)
            mails = list(b.mail.values())
            b.uidvalidity = next(self.held.validity)
            b.mail, b.modseq, b.expunged, b.uidnext = {}, {}, [], 1
            for mail in mails:
                b.add(mail)

    def numbers(self):
        with self.held.lock:
            return {n: (b.uidvalidity, b.uidnext, b.highest, list(b.mail))
                    for n, b in self.held.boxes.items()}


class ScriptedWorld(World):
    """.script is the server, .server what it really holds."""

    def __init__(self, base, script, binary):
        super().__init__(base, script, "ana", binary)
        self.script = script
        self.server = Witness(script.store)

    def assert_settled(self):
        """Both sides equal, and with a server of good manners one more run
        changes nothing on either."""
        self.script.well()
        self.assert_equal()
        self.assert_journal()
        self.script.changing.clear()
        self.assert_idle()
        assert self.script.changing == []
        assert self.script.errors == []

    def assert_recovers(self):
        """Once the server has good manners, one run is enough."""
        self.script.well()
        self.sync()
        self.assert_settled()

    def hang_up_at_bodies(self):
        """A run in which the connection ends at the first message that is
        asked for; then the server has good manners again."""
        def fetch(session, tag, words):
            if any(w.startswith(b"BODY.PEEK[]") for w in words[1]):
                raise Hangup

        self.script.answer[b"UID FETCH"] = fetch
        assert self.sync(status=None).returncode in (69, 75)
        self.script.well()

    def hang_up_at(self, box, uid, asked, once=False):
        """The connection ends whenever (ONCE: the first time) UID of BOX is
        ASKED for; what is asked for with it comes, up to it."""
        def fetch(session, tag, words):
            named = session.named(words[0])
            if session.box.name != box or uid not in named or \
                    not any(w.startswith(asked) for w in words[1]):
                return False
            if once:
                self.script.well()
            for before in named[:named.index(uid)]:
                session.send_items(before, [w.decode() for w in words[1]])
            session.sock.shutdown(2)
            return True

        self.script.answer[b"UID FETCH"] = fetch

    def fill(self, n, box="INBOX"):
        """N messages on both sides; their UIDs."""
        uids = [self.server.append(box, message("m%d" % i)) for i in range(n)]
        self.sync()
        self.assert_equal()
        return uids

    def moved_there(self, n, *uids):
        """N messages are synced, then UIDS of INBOX are moved to "work" on the
        server; both mailboxes there."""
        self.server.create("work")
        self.fill(n)
        inbox, work = (self.script.store.find(b) for b in ("INBOX", "work"))
        for uid in uids:
            self.script.store.move(inbox, uid, work)
        return inbox, work

    def tokens(self, box="INBOX"):
        """What distinguishes the messages on the server, and here."""
        there = [m["body"] for m in self.server.messages(box).values()]
        here = [f[2].read_bytes() for f in self.local.files(box)]
        return tuple(sorted(re.search(rb"Subject: (?:message )?([^\r\n]*)",
                                      body).group(1).decode()
                            for body in side) for side in (there, here))

    def file_of(self, token, box="INBOX"):
        for _, _, path in self.local.files(box):
            if b"message %s\n" % token.encode() in path.read_bytes():
                return path
        raise AssertionError(token)

    def set_letters(self, token, letters, box="INBOX"):
        path = self.file_of(token, box)
        path.rename(self.root / box / "cur" /
                    (path.name.split(":")[0] + ":2," + letters))
