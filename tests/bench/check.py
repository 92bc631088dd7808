"""Are both sides equal?  Times of a work after which they are not would mean
nothing: then the bench ends.

The witness is the file system, on both sides: Dovecot's Maildir++ there, the
peer's Maildir here.  An mdbox is asked through imaplib."""

import hashlib
import os
import re
from collections import Counter

from accounts import directory_of

FLAGS = set("DFRST")


def flags_of(name):
    """The flags in a file name that mean the same everywhere."""
    return "".join(sorted(set(name.partition(":2,")[2]) & FLAGS))


def digest(data):
    """Of a message with any line ends."""
    return hashlib.blake2b(data.replace(b"\r\n", b"\n"),
                           digest_size=16).digest()


def look(directory, original):
    """A count of (flags, digest) of what is in a Maildir; ORIGINAL undoes
    what the peer did to a message, and is None when flags are enough."""
    seen = Counter()
    for sub in ("cur", "new"):
        for entry in os.scandir(directory / sub):
            what = flags_of(entry.name)
            if original:
                with open(entry.path, "rb") as f:
                    what = what, digest(original(f.read()))
            seen[what] += 1
    return seen


def equal(peer, boxes, whole):
    """SystemExit unless it is so, for each of the peer's accounts.  WHOLE:
    every octet, else the number of messages with each set of flags."""
    original = peer.original if whole else None
    for user in peer.users:
        for box in boxes:
            here = look(peer.root(user) / box, original)
            there = look(directory_of(peer.there(user), box), original)
            if here != there:
                raise SystemExit(
                    "%s: %s of %s differs: %d messages here and %d there, "
                    "%d of them only here, %d only there" % (
                        peer.name, box, user, here.total(), there.total(),
                        (here - there).total(), (there - here).total()))


def equal_mdbox(peer, messages, whole):
    """The same for INBOX of an mdbox whose Nth letter has UID N.  WHOLE: of
    MESSAGES files here also the octets."""
    names = [(sub, entry.name) for sub in ("cur", "new")
             for entry in os.scandir(peer.box("INBOX") / sub)]
    flagged = [x for x in names if "F" in flags_of(x[1])]
    there = peer.server.select("INBOX", readonly=True)
    marked = len(peer.server.do("uid", "SEARCH", "FLAGGED")[0].split())
    if (there, marked) != (len(names), len(flagged)):
        raise SystemExit(
            "%s: %d messages here, %d there; flagged: %d here, %d there"
            % (peer.name, len(names), there, len(flagged), marked))
    if whole:
        names.sort(key=lambda x: x[1])
        for sub, name in flagged + names[::-(-len(names) // messages)]:
            one_of_mdbox(peer, sub, name)


def one_of_mdbox(peer, sub, name):
    here = (peer.box("INBOX") / sub / name).read_bytes()
    number = re.search(rb"\nSubject: message among-(\d+)\r?\n", here).group(1)
    uid = str(int(number) + 1)
    head, there = peer.server.do("uid", "FETCH", uid,
                                 "(FLAGS BODY.PEEK[])")[0]
    if (digest(peer.original(here)) != digest(there) or
            (rb"\Flagged" in head) != ("F" in flags_of(name))):
        raise SystemExit("%s: the message with UID %s differs"
                         % (peer.name, uid))
