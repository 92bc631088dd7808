"""An IMAP server whose behaviour a test decides, with mail that is real.

Server(persona) listens on a free port of the loopback; each connection is a
Session in a thread.  What makes it misbehave:

    server.answer[b"UID FETCH"] = b"NO [UNAVAILABLE] later"
        for a command instead of doing it; a list is used up one by one; a
        function (session, tag, words) may do anything and returns True when
        nothing more is to be done
    server.rewrite = f
        f(session, line) is asked for each line that goes out and returns the
        lines to send instead
    server.greeting, server.chunk (octets of one send)

server.commands has what came; server.changing what changed something.
"""

import base64
import re
import socket
import threading
import zlib

from personas import Persona
from scripted_store import Store
from scripted_wire import (Inflated, format_set, imap_date, in_set, parse_date,
                           quoted, tokens)
from servers import PASSWORD

ALL_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


class Hangup(Exception):
    pass


class No(Exception):
    """The command is answered with this, "NO [CODE] text"."""


class Server:
    def __init__(self, persona=None):
        self.persona = persona or Persona()
        self.store = Store(self.persona.labels)
        self.persona.fill(self.store)
        self.answer, self.rewrite, self.greeting = {}, None, None
        self.chunk = 0
        self.commands, self.changing, self.errors = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls_port = 0
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Session(self, sock).run,
                             daemon=True).start()

    def stop(self):
        # a thread that still waits could take the next server's connections
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def well(self):
        """Back to good manners."""
        self.answer, self.rewrite, self.greeting = {}, None, None
        self.chunk = 0

    def names(self):
        return [c.split(b" ")[0].upper() if not c.upper().startswith(b"UID ")
                else b" ".join(c.upper().split(b" ")[:2])
                for c in self.commands]


class Session:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.persona, self.store = server.persona, server.store
        self.file = sock.makefile("rb")
        self.caps = self.persona.before_login
        self.enabled = set()
        self.box, self.seen, self.writable = None, {}, False
        self.code = ""  # for the tagged OK
        self.deflate = None  # once it compresses
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # the wire

    def raw(self, data):
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(
                zlib.Z_SYNC_FLUSH)
        step = self.server.chunk or len(data) or 1
        for i in range(0, len(data), step):
            self.sock.sendall(data[i:i + step])

    def line(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        if self.server.rewrite:
            for each in self.server.rewrite(self, data):
                self.raw(each + b"\r\n")
        else:
            self.raw(data + b"\r\n")

    def read_command(self):
        data = b""
        while True:
            part = self.file.readline()
            if not part.endswith(b"\n"):
                raise Hangup
            data += part
            self.tag = data.split(b" ")[0].rstrip()
            m = re.search(rb"\{(\d+)(\+?)\}\r\n$", part)
            if not m:
                break
            size = int(m.group(1))
            if not m.group(2):
                self.check_literal(data, size)
                self.raw(b"+ go on\r\n")
            data += self.file.read(size)
        if self.persona.line_limit and len(part) > self.persona.line_limit:
            raise No("BAD line too long")
        return data[:-2]

    def check_literal(self, data, size):
        limit = self.persona.append_limit
        if limit and size > limit and b" APPEND " in data.upper():
            raise No("NO [TOOBIG] over the limit of %d" % limit)

    def run(self):
        try:
            self.line(self.server.greeting or
                      "* OK [CAPABILITY %s] ready" % self.caps)
            while not (self.server.greeting or b"").startswith(b"* BYE"):
                self.one()
        except (Hangup, OSError, ValueError):
            pass
        except Exception as x:  # the test shall know
            self.server.errors.append(repr(x))
            raise
        finally:
            self.file.close()
            self.sock.close()

    def one(self):
        try:
            data = self.read_command()
            tag, _, rest = data.partition(b" ")
            shown = re.sub(rb"(?i)^(AUTHENTICATE|LOGIN) .*", rb"\1", rest)
            self.server.commands.append(shown)
            words = tokens(rest)
            name = words.pop(0).upper()
            if name == b"UID":
                name += b" " + words.pop(0).upper()
            if self.instead(tag, name, words):
                return
            self.code = ""
            method = getattr(self, "do_" + name.decode().lower().replace(
                " ", "_"), None)
            if method is None:
                raise No("BAD no such command")
            with self.store.lock:
                before = self.state()
                method(tag, words)
                if self.state() != before:
                    self.server.changing.append(shown)
                if name not in (b"SELECT", b"EXAMINE"):
                    self.poll()
        except No as x:
            self.line(self.tag + b" " + str(x).encode())
            return
        self.line(tag + b" OK " + self.code.encode() + b" done")
        if name == b"LOGOUT":
            raise Hangup
        if name == b"COMPRESS":
            self.file = Inflated(self.file)
            self.deflate = zlib.compressobj(6, zlib.DEFLATED, -15)

    def instead(self, tag, name, words):
        what = self.server.answer.get(name)
        if isinstance(what, list):
            what = what.pop(0) if what else None
        if callable(what):
            return what(self, tag, words)
        if what:
            self.line(tag + b" " + what)
        return bool(what)

    def state(self):
        return [(b.name, b.uidvalidity, b.uidnext, b.highest, list(b.mail))
                for b in self.store.boxes.values()]

    def poll(self):
        """What others, and we, did to the selected mailbox."""
        box = self.box
        if box is None:
            return
        gone = [u for u in self.seen if u not in box.mail]
        if gone and self.enabled & {"QRESYNC", "UIDONLY"}:
            self.line("* VANISHED " + self.persona.vanished(format_set(gone)))
            for u in gone:
                del self.seen[u]
        for u in gone if gone and gone[0] in self.seen else ():
            self.line("* %d EXPUNGE" % (list(self.seen).index(u) + 1))
            del self.seen[u]
        new = [u for u in box.mail if u not in self.seen]
        if new:
            self.line("* %d EXISTS" % len(box.mail))
        for u in box.mail:
            known = self.seen.get(u)
            self.seen[u] = box.modseq[u]
            if known is not None and known != box.modseq[u]:
                self.fetched(u, "UID %d FLAGS %s" % (u, self.flags(u)))

    def flags(self, uid):
        return "(%s)" % " ".join(sorted(self.box.mail[uid].flags))

    def fetched(self, uid, items):
        if "CONDSTORE" in self.enabled and "MODSEQ" not in items:
            items += " MODSEQ (%d)" % self.box.modseq[uid]
        head = ("* %d UIDFETCH (" % uid if "UIDONLY" in self.enabled else
                "* %d FETCH (" % (list(self.seen).index(uid) + 1))
        self.line(head + items + ")")

    # commands

    def do_capability(self, tag, words):
        self.line("* CAPABILITY " + self.caps)

    def do_noop(self, tag, words):
        pass

    def do_logout(self, tag, words):
        self.line("* BYE so long")

    def login(self, user, password):
        if password != PASSWORD:
            raise No("NO [AUTHENTICATIONFAILED] who?")
        self.caps = self.persona.caps
        self.code = "[CAPABILITY %s]" % self.caps

    def do_login(self, tag, words):
        self.login(words[0].decode(), words[1].decode())

    def do_authenticate(self, tag, words):
        if len(words) > 1:
            data = words[1]
        else:
            self.raw(b"+ \r\n")
            data = self.file.readline().rstrip()
        _, user, password = base64.b64decode(data).split(b"\0")
        self.login(user.decode(), password.decode())

    def do_enable(self, tag, words):
        can = set(self.caps.split()) & {"CONDSTORE", "QRESYNC", "UIDONLY"}
        now = [w.decode().upper() for w in words if w.decode().upper() in can]
        self.enabled |= set(now)
        if "QRESYNC" in now:
            self.enabled.add("CONDSTORE")
        if self.persona.enabled_line:
            self.line(" ".join(["* ENABLED"] + now))

    def do_compress(self, tag, words):
        if "COMPRESS=DEFLATE" not in self.caps.split() or self.deflate or \
                words != [b"DEFLATE"]:
            raise No("BAD what is COMPRESS?")

    def do_id(self, tag, words):
        self.line("* ID NIL")

    def do_namespace(self, tag, words):
        self.line('* NAMESPACE (("" "/")) NIL NIL')

    def shown(self, name):
        return self.persona.inbox if name == "INBOX" else name

    def status(self, box, items):
        values = {b"MESSAGES": len(box.mail), b"UIDNEXT": box.uidnext,
                  b"UIDVALIDITY": box.uidvalidity,
                  b"HIGHESTMODSEQ": box.highest, b"UNSEEN": 0,
                  b"MAILBOXID": "(F%d)" % box.uidvalidity}
        if b"HIGHESTMODSEQ" in items:
            if "CONDSTORE" not in self.caps.split():
                raise No("BAD what is HIGHESTMODSEQ?")
            self.enabled.add("CONDSTORE")
        self.line("* STATUS %s (%s)" % (quoted(self.shown(box.name)), " ".join(
            "%s %s" % (i.decode(), values[i]) for i in items)))

    def do_list(self, tag, words):
        back = None
        if len(words) > 2:
            asks = b"STATUS" in words[3]
            if ("LIST-STATUS" if asks else
                    "LIST-EXTENDED") not in self.caps.split():
                raise No("BAD what is RETURN?")
            if asks:
                back = words[3][words[3].index(b"STATUS") + 1]
        for box in list(self.store.boxes.values()):
            attrs = box.attrs + ([] if box.selectable else ["\\Noselect"])
            self.line('* LIST (%s) "/" %s' % (
                " ".join(attrs), quoted(self.shown(box.name))))
            if back and box.selectable:
                self.status(box, back)

    def do_lsub(self, tag, words):
        pass

    def find(self, name, code="NONEXISTENT"):
        box = self.store.find(name.decode())
        if box is None or not box.selectable:
            raise No("NO [%s] no such mailbox" % code)
        return box

    def do_status(self, tag, words):
        self.status(self.find(words[0]), words[1])

    def do_create(self, tag, words):
        if self.store.find(words[0].decode()):
            raise No("NO [ALREADYEXISTS] it is there")
        self.store.create(words[0].decode().rstrip("/"))

    def do_delete(self, tag, words):
        del self.store.boxes[self.find(words[0]).name]

    def do_rename(self, tag, words):
        old, new = self.find(words[0]), words[1].decode()
        del self.store.boxes[old.name]
        old.name = new
        self.store.boxes[new] = old

    def do_subscribe(self, tag, words):
        pass

    do_unsubscribe = do_subscribe

    def do_unselect(self, tag, words):
        self.box = None

    def do_examine(self, tag, words):
        self.do_select(tag, words, False)

    def do_select(self, tag, words, writable=True):
        had, self.box = self.box, None
        box = self.find(words[0])
        params = words[1] if len(words) > 1 else []
        caps = self.caps.split()
        known = ["CONDSTORE"] if "CONDSTORE" in caps else []
        known += ["QRESYNC"] if "QRESYNC" in self.enabled else []
        if params and (len(params) > 2 or params[0].decode() not in known):
            raise No("BAD what is that?")
        if params:
            self.enabled.add("CONDSTORE")
        if had and "QRESYNC" in self.enabled:
            self.line("* OK [CLOSED] the one before")
        self.box, self.writable = box, writable
        self.seen = dict(box.modseq)
        self.line("* FLAGS (%s)" % " ".join(ALL_FLAGS))
        self.line("* OK [PERMANENTFLAGS (%s)] sticks" % " ".join(
            box.permanent if writable else []))
        self.line("* %d EXISTS" % len(box.mail))
        self.line("* 0 RECENT")
        self.line("* OK [UIDVALIDITY %d] ok" % box.uidvalidity)
        self.line("* OK [UIDNEXT %d] ok" % box.uidnext)
        if "CONDSTORE" in caps:
            self.line("* OK [HIGHESTMODSEQ %d] ok" % box.highest)
        if params and params[0] == b"QRESYNC" and \
                int(params[1][0]) == box.uidvalidity:
            self.changed_since(int(params[1][1]))
        self.code = "[READ-%s]" % ("WRITE" if writable else "ONLY")

    def changed_since(self, since):
        gone = sorted({u for m, u in self.box.expunged if m > since})
        if gone:
            self.line("* VANISHED (EARLIER) " +
                      self.persona.vanished(format_set(gone)))
        for u in self.box.mail:
            if self.box.modseq[u] > since:
                self.fetched(u, "UID %d FLAGS %s" % (u, self.flags(u)))

    def named(self, text, write=False):
        """UIDs of the set, as many as one command may have."""
        if self.box is None:
            raise No("BAD nothing is selected")
        if write and not self.writable:
            raise No("NO [READ-ONLY] it is read-only")
        if b"*" in text and "UIDONLY" in self.enabled:
            raise No("BAD [UIDREQUIRED] no message numbers")
        uids, limit = in_set(text, list(self.box.mail)), \
            self.persona.message_limit
        if limit and len(uids) > limit:
            uids = uids[-limit:]
            self.code = "[MESSAGELIMIT %d %d]" % (limit, uids[0])
        return uids

    def body(self, mail, item):
        m = re.match(r"BODY\.PEEK\[(.*?)\](?:<(\d+)\.(\d+)>)?$", item)
        if not m:
            raise No("BAD what is %s?" % item)
        data, name = mail.body, "BODY[%s]" % m.group(1)
        if m.group(1):
            field = m.group(1).split("(")[1].strip(")").encode()
            head = data.split(b"\r\n\r\n")[0] + b"\r\n"
            found = re.search(rb"(?im)^%s:.*\r\n(?:[ \t].*\r\n)*" % field,
                              head)
            data = (found.group(0) if found else b"") + b"\r\n"
        if m.group(2):
            start = int(m.group(2))
            data = data[start:start + int(m.group(3))]
            name += "<%d>" % start
        return b"%s {%d}\r\n%s" % (name.encode(), len(data), data)

    def do_uid_fetch(self, tag, words):
        since = 0
        if len(words) > 2:
            if "CONDSTORE" not in self.caps.split():
                raise No("BAD what is CHANGEDSINCE?")
            since = int(words[2][1])
            self.enabled.add("CONDSTORE")
        numbers = {u: n for n, u in enumerate(self.seen, 1)}
        for uid in self.named(words[0]):
            if self.box.modseq[uid] > since:
                self.send_items(uid, [w.decode() for w in words[1]], numbers)

    def send_items(self, uid, items, numbers=None):
        mail, parts = self.box.mail[uid], []
        for item in items:
            word = item.upper()
            if word == "MODSEQ" and "CONDSTORE" not in self.caps.split():
                raise No("BAD what is MODSEQ?")
            parts.append({
                "UID": lambda: b"UID %d" % uid,
                "FLAGS": lambda: b"FLAGS " + self.flags(uid).encode(),
                "MODSEQ": lambda: b"MODSEQ (%d)" % self.box.modseq[uid],
                "RFC822.SIZE": lambda: b"RFC822.SIZE %d" % len(mail.body),
                "INTERNALDATE": lambda: b'INTERNALDATE "%s"' %
                imap_date(mail.when).encode(),
                "X-GM-MSGID": lambda: b"X-GM-MSGID %d" % mail.number,
                "EMAILID": lambda: b"EMAILID (M%d)" % mail.number,
            }.get(word, lambda: self.body(mail, item))())
        head = b"* %d UIDFETCH (" % uid
        if "UIDONLY" not in self.enabled:
            head = b"* %d FETCH (" % (
                numbers[uid] if numbers else list(self.seen).index(uid) + 1)
        self.line(head + b" ".join(parts) + b")")

    def do_uid_search(self, tag, words):
        back = words[0] == b"RETURN"
        if back and "ESEARCH" not in self.caps.split():
            raise No("BAD what is RETURN?")
        words = words[2:] if back else words
        if words[0] != b"UID":
            raise No("BAD search by UID only")
        uids = self.named(words[1])
        if back:
            self.line("* ESEARCH (TAG \"%s\") UID%s" % (
                tag.decode(), " ALL " + format_set(uids) if uids else ""))
        else:
            self.line(" ".join(["* SEARCH"] + ["%d" % u for u in uids]))

    def do_uid_store(self, tag, words):
        uids, modified = self.named(words[0], True), []
        words = words[1:]
        if isinstance(words[0], list):
            since = int(words.pop(0)[1])
            modified = [u for u in uids if self.box.modseq[u] > since]
        what = words[0].decode().upper()
        if what not in ("+FLAGS.SILENT", "-FLAGS.SILENT", "+FLAGS", "-FLAGS"):
            raise No("BAD never %s" % what)
        flags = [f.decode() for f in words[1]]
        for uid in uids:
            if uid in modified:
                continue
            changed = self.store.set_flags(
                self.box, uid, *((flags,) if what[0] == "+" else
                                 ((), flags)))
            if changed:
                self.seen[uid] = self.box.modseq[uid]
            if not what.endswith(".SILENT"):
                self.fetched(uid, "UID %d FLAGS %s" % (uid, self.flags(uid)))
            elif changed and "CONDSTORE" in self.enabled:
                self.fetched(uid, "UID %d" % uid)
        if modified:
            self.code = "[MODIFIED %s]" % format_set(modified)

    def do_uid_expunge(self, tag, words):
        for uid in self.named(words[0], True):
            if "\\Deleted" in self.box.mail[uid].flags:
                self.store.expunge(self.box, uid)

    def do_uid_copy(self, tag, words, move=False):
        target = self.find(words[1], "TRYCREATE")
        uids = self.named(words[0], move)
        act = self.store.move if move else self.store.copy
        pairs = [(u, act(self.box, u, target)) for u in uids]
        if not pairs:
            return
        code = self.persona.copyuid(
            target.uidvalidity, ",".join("%d" % a for a, _ in pairs),
            ",".join("%d" % b for _, b in pairs))
        if move and not self.persona.copyuid_tagged:
            self.line("* OK %s moved" % code)
        elif not self.code:
            self.code = code

    def do_uid_move(self, tag, words):
        if "MOVE" not in self.caps.split():
            raise No("BAD what is MOVE?")
        self.do_uid_copy(tag, words, True)

    def do_append(self, tag, words):
        box = self.find(words.pop(0), "TRYCREATE")
        data, flags, when = words.pop(), (), None
        for w in words:
            if isinstance(w, list):
                flags = [f.decode() for f in w]
            else:
                when = parse_date(w.decode())
        if self.persona.needs_crlf and not data.endswith(b"\r\n"):
            raise No("BAD [CLIENTBUG] APPEND Additional arguments")
        if self.persona.append_limit and len(data) > self.persona.append_limit:
            raise No("NO [TOOBIG] over the limit")
        flags = [f for f in flags
                 if "\\*" in box.permanent or f in box.permanent]
        uid = next((u for u, m in box.mail.items() if m.body == data), None) \
            if self.persona.merges else None
        if uid is None:
            uid = self.store.append(box, data, flags, when)
        if "UIDPLUS" in self.caps.split():
            self.code = "[APPENDUID %d %d]" % (box.uidvalidity, uid)
