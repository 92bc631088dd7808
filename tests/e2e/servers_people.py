"""What people and their other programs do, on either side, by message."""

import os
import re
import shutil

from world import message

TOKEN = re.compile(rb"^Subject: message (\S+)", re.M)


def token_of(data):
    return TOKEN.search(data).group(1).decode()


def crlf_to_lf(data):
    return data.replace(b"\r\n", b"\n")


def lose_journal(world):
    shutil.rmtree(world.state / "home" / "journal")


class People:
    """Works on WORLD; mailboxes have the names of their directories."""

    def __init__(self, world):
        self.world, self.server = world, world.server
        self.count = 0

    # there

    def fill_there(self, box, tokens, flags=(), size=0):
        if box != "INBOX" and \
                self.world.wire(box) not in self.server.mailboxes():
            self.server.create(self.world.wire(box))
        for token in tokens:
            self.server.append(self.world.wire(box),
                               message(token, size=size), flags)

    def there(self, box):
        """{token: UID}; no token may be there twice."""
        found = {}
        messages = self.server.messages(self.world.wire(box))
        for uid, m in messages.items():
            found[token_of(m["body"])] = uid
        assert len(found) == len(messages)
        return found

    def flags_there(self, box, token):
        uid = self.there(box)[token]
        return self.server.messages(self.world.wire(box),
                                    bodies=False)[uid]["flags"]

    def store(self, box, token, what, *flags):
        self.server.store(self.world.wire(box), self.there(box)[token],
                          what, flags)

    def expunge(self, box, *tokens):
        uids = self.there(box)
        self.server.expunge(self.world.wire(box), [uids[t] for t in tokens])

    def copy_there(self, box, token, to):
        uid = self.there(box)[token]
        self.server.do("uid", "COPY", str(uid),
                       '"%s"' % self.world.wire(to))

    def move_there(self, box, token, to):
        """MOVE where the server has it, else as RFC 6851 says it is meant."""
        uid = self.there(box)[token]
        if "MOVE" in self.server.connect().capabilities:
            self.server.select(self.world.wire(box))
            self.server.do("uid", "MOVE", str(uid),
                           '"%s"' % self.world.wire(to))
        else:
            self.copy_there(box, token, to)
            self.server.expunge(self.world.wire(box), [uid])

    # here

    def add_here(self, box, token, info=None, size=0):
        self.count += 1
        name = "%d.people.host" % self.count
        if info is not None:
            name += ":2," + info
        return self.world.local.add(
            box, crlf_to_lf(message(token, size=size)), name,
            "new" if info is None else "cur")

    def here(self, box):
        """{token: path}."""
        found = {}
        files = self.world.local.files(box)
        for _, _, path in files:
            found[token_of(path.read_bytes())] = path
        assert len(found) == len(files)
        return found

    def flags_here(self, box, token):
        path = self.here(box)[token]
        return [flags for _, flags, p in self.world.local.files(box)
                if p == path][0]

    def set_here(self, box, token, change):
        """CHANGE makes a set of letters into another."""
        path = self.here(box)[token]
        base, _, info = path.name.partition(":2,")
        info = "".join(sorted(change(set(info))))
        os.rename(path, self.world.root / box / "cur" /
                  (base + ":2," + info))

    def letter(self, box, keyword):
        letters = self.world.local.letters(box)
        return {v: k for k, v in letters.items()}[keyword]

    def move_here(self, box, token, to, new_name=False):
        """As most programs do, or as mu4e does: with a new base name."""
        path = self.here(box)[token]
        base, colon, info = path.name.partition(":2,")
        if new_name:
            self.count += 1
            base = "%d.moved.host" % self.count
        self.world.local.make(to)
        os.rename(path, self.world.root / to / path.parent.name /
                  (base + colon + info))

    def copy_here(self, box, token, to):
        path = self.here(box)[token]
        _, colon, info = path.name.partition(":2,")
        self.count += 1
        self.world.local.add(to, path.read_bytes(), "%d.copied.host%s%s" % (
            self.count, colon, info), path.parent.name)

    # both

    def content(self):
        """{mailbox: sorted tokens}, the same on both sides."""
        found = {}
        for box in self.world.local.mailboxes():
            found[box] = sorted(self.here(box))
            assert sorted(self.there(box)) == found[box], box
        self.server.close()
        return found
