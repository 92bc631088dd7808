"""Three hundred changes on both sides, and what must come of them.

A message is changed on one side only between two runs, so the outcome is
known exactly: which messages, in which mailboxes, with which flags.
"""

import os

from servers_people import People, crlf_to_lf, token_of
from world import message, quote

FLAGS = {"S": "\\Seen", "F": "\\Flagged", "R": "\\Answered",
         "D": "\\Draft", "P": "$Forwarded"}
WORDS = ["word1", "word2", "word3"]
BOXES = ["INBOX", "one", "one/deep", "Entw\u00fcrfe", "two"]


class Mix(People):
    def __init__(self, world, rng):
        super().__init__(world)
        self.rng = rng
        self.state = {}  # (token, mailbox) -> flags
        self.boxes = list(BOXES)
        self.uid_of, self.path_of, self.touched = {}, {}, set()

    def wire(self, box):
        return self.world.wire(box)

    def token(self):
        self.count += 1
        return "t%d" % self.count

    def some_flags(self):
        return {f for f in FLAGS.values() if self.rng.random() < 0.25}

    def begin(self, n):
        """N messages for each mailbox."""
        for box in BOXES[1:]:
            self.server.create(self.wire(box))
        for box in BOXES:
            for _ in range(n):
                self.new_there(box)

    # what is where, as it is agreed after a run

    def seen_there(self):
        seen = {}
        for box in self.boxes:
            for uid, m in self.server.messages(self.wire(box)).items():
                at = token_of(m["body"]), box
                assert at not in seen
                seen[at] = m["flags"]
                self.uid_of[at] = uid
        return seen

    def seen_here(self):
        seen = {}
        for box in self.boxes:
            for _, flags, path in self.world.local.files(box):
                at = token_of(path.read_bytes()), box
                assert at not in seen
                seen[at] = flags
                self.path_of[at] = path
        return seen

    def check(self):
        there, here = self.seen_there(), self.seen_here()
        for name, side in (("there", there), ("here", here)):
            wrong = {at: (side.get(at), self.state.get(at))
                     for at in side.keys() | self.state.keys()
                     if side.get(at) != self.state.get(at)}
            assert not wrong, (name, wrong)
        assert sorted(self.world.local.mailboxes()) == sorted(self.boxes)
        self.touched = set()

    def pick(self, words=True):
        """A message that nobody changed since the last run."""
        free = [at for at in sorted(self.state) if at[0] not in self.touched
                and (words or not self.state[at] & set(WORDS))]
        if not free:
            return None
        at = self.rng.choice(free)
        self.touched.add(at[0])
        return at

    def other_box(self, at):
        return self.rng.choice([b for b in BOXES
                                if b != at[1] and (at[0], b)
                                not in self.state])

    # changes

    def new_there(self, box=None):
        box = box or self.rng.choice(BOXES)
        token, flags = self.token(), self.some_flags()
        if self.rng.random() < 0.3:
            flags.add(self.rng.choice(WORDS))
        size = self.rng.choice([0, 0, 900, 6000])
        self.server.append(self.wire(box), message(token, size=size),
                           sorted(flags))
        self.state[token, box] = flags
        self.touched.add(token)

    def new_here(self, box=None):
        box = box or self.rng.choice(BOXES)
        token, flags = self.token(), self.some_flags()
        info = "".join(sorted(k for k, v in FLAGS.items() if v in flags))
        name = "%s.mix.host" % token + (":2," + info if flags else "")
        size = self.rng.choice([0, 0, 900, 6000])
        self.world.local.add(box, crlf_to_lf(message(token, size=size)),
                             name, "cur" if flags else "new")
        self.state[token, box] = flags
        self.touched.add(token)

    def flag_there(self):
        at = self.pick()
        if at:
            flag = self.rng.choice(list(FLAGS.values()) + WORDS)
            have = flag in self.state[at]
            self.server.store(self.wire(at[1]), self.uid_of[at],
                              "-FLAGS" if have else "+FLAGS", [flag])
            self.state[at] = self.state[at] ^ {flag}

    def flag_here(self):
        at = self.pick()
        if at:
            letters = dict(FLAGS)
            letters.update({k: v for k, v in self.world.local.letters(
                at[1]).items() if v in WORDS})
            letter = self.rng.choice(sorted(letters))
            path = self.path_of[at]
            base, _, info = path.name.partition(":2,")
            info = "".join(sorted(set(info) ^ {letter}))
            os.rename(path, self.world.root / at[1] / "cur" /
                      (base + ":2," + info))
            self.state[at] = self.state[at] ^ {letters[letter]}

    def delete_there(self):
        at = self.pick()
        if at:
            self.server.expunge(self.wire(at[1]), [self.uid_of[at]])
            del self.state[at]

    def delete_here(self):
        at = self.pick()
        if at:
            os.unlink(self.path_of[at])
            del self.state[at]

    def carry_there(self, move):
        at = self.pick()
        if not at:
            return
        to = self.other_box(at)
        if move and "MOVE" in self.server.connect().capabilities:
            self.server.select(self.wire(at[1]))
            self.server.do("uid", "MOVE", str(self.uid_of[at]),
                           quote(self.wire(to)))
        else:
            self.server.select(self.wire(at[1]))
            self.server.do("uid", "COPY", str(self.uid_of[at]),
                           quote(self.wire(to)))
            if move:
                self.server.expunge(self.wire(at[1]), [self.uid_of[at]])
        self.state[at[0], to] = self.state[at]
        if move:
            del self.state[at]

    def carry_here(self, move):
        # whoever moves a file by hand does not translate its keywords
        at = self.pick(words=False)
        if not at:
            return
        to = self.other_box(at)
        path = self.path_of[at]
        base, colon, info = path.name.partition(":2,")
        if not move or self.rng.random() < 0.5:
            base = "%s.%s.carried" % (at[0], to.replace("/", "."))
        name = base + colon + info
        if move:
            os.rename(path, self.world.root / to / path.parent.name / name)
        else:
            self.world.local.add(to, path.read_bytes(), name,
                                 path.parent.name)
        self.state[at[0], to] = self.state[at]
        if move:
            del self.state[at]

    def box_there(self):
        box = "made-there%d" % self.count
        self.server.create(self.wire(box))
        self.boxes.append(box)
        self.new_there(box)

    def box_here(self):
        box = "made-here%d" % self.count
        self.boxes.append(box)
        self.new_here(box)

    def box_gone(self, here):
        """A mailbox with what is in it, if nobody touched that."""
        for box in self.boxes:
            inside = [at for at in self.state if at[1] == box]
            if box in BOXES or any(at[0] in self.touched for at in inside):
                continue
            if here:
                os.rename(self.world.root / box,
                          self.world.base / ("gone-" + box))
            else:
                self.server.select("INBOX")
                self.server.do("delete", quote(self.wire(box)))
            for at in inside:
                self.touched.add(at[0])
                del self.state[at]
            self.boxes.remove(box)
            return

    def change(self, n):
        deeds = [(self.new_there, 12), (self.new_here, 12),
                 (self.flag_there, 20), (self.flag_here, 20),
                 (self.delete_there, 6), (self.delete_here, 6),
                 (lambda: self.carry_there(True), 7),
                 (lambda: self.carry_here(True), 7),
                 (lambda: self.carry_there(False), 3),
                 (lambda: self.carry_here(False), 3),
                 (self.box_there, 1), (self.box_here, 1),
                 (lambda: self.box_gone(True), 1),
                 (lambda: self.box_gone(False), 1)]
        for _ in range(n):
            deed, = self.rng.choices([d for d, _ in deeds],
                                     [w for _, w in deeds])
            deed()
        self.server.close()
