"""What may come out of a sync: for each message a set of allowed outcomes.

An outcome is the multiset of (mailbox, flags) of the copies that both sides
hold afterwards, written as a sorted tuple.  The rules are those of
doc/merge-table.md: a delete wins over a flag change, a move wins over a
delete, of two different moves the server's wins, flags merge one by one.
"""

from collections import Counter

NONE = ()


def one(box, flags):
    return ((box, tuple(sorted(flags))),)


def both(a, b):
    return tuple(sorted(a + b))


def is_keyword(flag):
    return not flag.startswith("\\") and flag != "$Forwarded"


def keywords_of(flags, other):
    """FLAGS, but with the keywords of OTHER: letters belong to a mailbox, so
    a file that was moved may say nothing about them."""
    return frozenset(f for f in flags if not is_keyword(f)) | frozenset(
        f for f in other if is_keyword(f))


def merge_flags(b, l, s):
    """Each flag that a side changed changes."""
    return b ^ ((l ^ b) | (s ^ b))


def unknown(l, s):
    """Nothing was agreed on before: what is there, stays."""
    if l is None and s is None:
        return {NONE}
    if s is None:
        return {one(*l)}
    if l is None:
        return {one(*s)}
    if l[0] == s[0]:
        return {one(l[0], l[1] | s[1])}
    # a file that waited, as an answer was lost, counts as a copy by then
    return {both(one(*l), one(*s)),
            both(one(l[0], keywords_of(l[1], s[1])), one(*s))}


def strict(b, l, s, moves=True):
    """B, L, S: (mailbox, flags), or None where it is not.  MOVES: false for
    a program that takes a move for a new message and a deleted one."""
    if b is None:
        return unknown(l, s)
    box = b[0]
    if l is None and s is None:
        return {NONE}
    if s is None:  # deleted there
        return {NONE} if l[0] == box else {one(*l)}
    if l is None:
        return {NONE} if s[0] == box else {one(*s)}
    flags = merge_flags(b[1], l[1], s[1])
    if l[0] != box:
        theirs = one(l[0] if s[0] == box else s[0],
                     keywords_of(flags, s[1]))
    if l[0] == s[0]:
        allowed = {one(l[0], flags)}
        if l[0] != box:
            allowed.add(theirs)
            if not moves:
                allowed.add(one(l[0], l[1] | s[1]))
        return allowed
    if s[0] == box:
        allowed, mover = {one(l[0], flags)}, l
    elif l[0] == box:
        allowed, mover = {one(s[0], flags)}, s
    else:
        allowed, mover = {one(s[0], flags)}, None
    if l[0] != box:
        allowed.add(theirs)
    if not moves:
        allowed.add(one(*mover) if mover else both(one(*l), one(*s)))
    return allowed


class Changes:
    """What happened since both sides last agreed, as far as it loosens what
    may come out."""

    def __init__(self):
        self.lost = False       # the journal is gone
        self.doubt = set()      # mailboxes whose numbers mean less now
        self.back = False       # the numbers of one of them went back
        self.wiped = set()      # UIDVALIDITY of such mailboxes
        self.renames = set()    # (old, new), on either side
        self.removed = set()    # mailboxes removed on either side
        self.deleted_boxes = set()  # of these, not by a rename
        self.made = set()       # mailboxes made on either side
        self.deleted = set()    # tokens that somebody deleted
        self.bases = []         # {token: state} after a run that failed
        self.faulted = False

    def aliases(self, outcomes):
        """Mailboxes that were renamed may have either name."""
        outcomes = set(outcomes)
        for _ in range(3):
            for old, new in self.renames:
                for x, y in ((old, new), (new, old)):
                    outcomes |= {
                        tuple(sorted((rename(box, x, y), f)
                                     for box, f in o)) for o in outcomes}
        return outcomes

    def named_anew(self, bases):
        """A mailbox that was renamed is the same mailbox."""
        bases = set(bases)
        for old, new in self.renames:
            bases |= {(rename(b[0], old, new), b[1]) for b in bases if b}
        return bases

    def met(self, l, s):
        """New on both sides of a mailbox that has two names meanwhile."""
        return {outcome for pair in self.renames if l and s
                for x, y in (pair, pair[::-1])
                if rename(l[0], x, y) == s[0]
                for outcome in unknown((s[0], l[1]), s)}

    def allowed(self, b, l, s, moves, again=False):
        """B: all states that may be in the journal; the first is from before
        it was lost.  AGAIN: the server's copy is not the one that was agreed
        on, so it was moved, be it there and back."""
        # a draft is fetched, not recognised
        moves = moves and not any(x and "\\Draft" in x[1]
                                  for x in [l, s, *b])
        outcomes = unknown(l, s) if self.lost else set()
        for base in self.named_anew(b[1 if self.lost else 0:]):
            outcomes |= strict(base, l, s, moves)
            if base is None:
                outcomes |= self.met(l, s)
            if again and s and base:
                outcomes |= strict(("", base[1]), l, s, moves)
                if l and l[0] != s[0]:
                    # of a large one not all octets are compared
                    outcomes |= unknown(l, s)
                if not moves:
                    # a draft comes as another message, and its old one goes
                    outcomes.add(one(*s))
            if base and base[0] in self.doubt:
                outcomes |= unknown(l, s)
                if s:
                    # a flag that new numbers do not show was not removed
                    outcomes |= strict(base, l, (s[0], s[1] | base[1]), moves)
            if base and base[0] in self.removed:
                # the mailbox went, and a message of it was moved away
                outcomes.add(NONE)
                if base[0] in self.deleted_boxes and any(
                        old == base[0] for old, _ in self.renames):
                    # deleted on one side and renamed on the other: new there
                    outcomes |= unknown(l, s)
                if self.back:
                    # a restored server never knew it: it is made there again
                    outcomes |= unknown(l, s)
        return self.aliases(outcomes)


def rename(box, old, new):
    if box == old or box.startswith(old + "/"):
        return new + box[len(old):]
    return box


def bounds(rows, here, there, changes):
    """For a message of which there are several copies: how many there may be
    in the end.  Which is which nobody can say: what neither side let go of
    stays, what is new on one side may be what is new on the other.  ROWS:
    pairs (copy here, copy there) that were agreed on.  Returns (least, most,
    least per mailbox, most per mailbox)."""
    files = Counter(c.box for c in here)
    agreed = Counter(a.box for a, _ in rows)
    uids = {(c.box, c.place) for c in there}
    known = {(b.box, b.place) for _, b in rows}
    gone = Counter(box for box, _ in known - uids)
    new_s = Counter(box for box, _ in uids - known)
    boxes = set(files) | set(agreed) | set(new_s)
    if changes.lost or changes.renames or changes.removed or \
            boxes & changes.doubt:
        return (0 if changes.deleted else 1), \
            len(here) + len(there), {}, None
    at_least, at_most, new_l = {}, {}, {}
    for box in boxes:
        n, s = agreed[box], gone[box]
        l = max(0, n - files[box])
        new_l[box] = max(0, files[box] - n)
        at_least[box] = max(0, n - l - s)
        at_most[box] = n - max(l, s) + new_l[box] + new_s[box]
    least = sum(at_least.values()) + max(sum(new_l.values()),
                                         sum(new_s.values()))
    return least, sum(at_most.values()), at_least, at_most
