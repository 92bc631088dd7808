"""What people do between two runs: DEED(peer, i, n) in round I, to N
messages.  For both peers it is the same mail, in the same order.

Which messages: those of a mailbox in order of size, at steps of a prime, so
that large and small ones are taken alike on both sides and by both peers."""

import os
import re

from accounts import deliver, letters

STEP = 7919


def spread(sized, n):
    """N of the pairs of size and object."""
    order = sorted(sized, key=lambda pair: pair[0])
    if n > len(order):
        raise SystemExit("only %d messages are left" % len(order))
    step = STEP if len(order) % STEP else 1
    return [order[k * step % len(order)][1] for k in range(n)]


def uids(peer, box, n, criterion="ALL"):
    """As a set of IMAP."""
    peer.server.select(box)
    found = {int(x) for x in
             peer.server.do("uid", "SEARCH", criterion)[0].split()}
    sizes = []
    for line in peer.server.do("uid", "FETCH", "1:*", "(RFC822.SIZE)"):
        numbers = dict(re.findall(rb"(UID|RFC822\.SIZE) (\d+)", line))
        if int(numbers[b"UID"]) in found:
            sizes.append((int(numbers[b"RFC822.SIZE"]), int(numbers[b"UID"])))
    return ",".join(map(str, sorted(spread(sizes, n))))


def files(peer, box, n, without=""):
    """Paths of N files that do not have the flag WITHOUT."""
    found = []
    for sub in ("cur", "new"):
        for entry in os.scandir(peer.box(box) / sub):
            if not without or without not in entry.name.partition(":2,")[2]:
                found.append((entry.stat().st_size, entry.name, sub))
    found.sort()
    picked = spread([(size, (sub, name)) for size, name, sub in found], n)
    return [peer.box(box) / sub / name for sub, name in picked]


def flags_there(peer, _, n):
    peer.server.do("uid", "STORE", uids(peer, "INBOX", n, "UNFLAGGED"),
                   "+FLAGS.SILENT", "(\\Flagged)")


def flags_here(peer, _, n):
    for path in files(peer, "INBOX", n, "R"):
        base, _, info = path.name.partition(":2,")
        path.rename(peer.box("INBOX") / "cur" /
                    (base + ":2," + "".join(sorted(info + "R"))))


def new_there(peer, i, n):
    deliver(peer.there(), "INBOX",
            letters("there%d" % i, n, 6650, 1.2), 1750000000 + i * n)


def new_here(peer, i, n):
    for token, data in letters("here%d" % i, n, 6650, 1.2):
        (peer.box("INBOX") / "new" / (token + ".desk")).write_bytes(
            data.replace(b"\r\n", b"\n"))


def way(peer):
    """From the fuller mailbox, so that no round wants for messages."""
    full = [sum(len(os.listdir(peer.box(box) / sub)) for sub in ("cur", "new"))
            for box in ("INBOX", "archive")]
    return ("INBOX", "archive") if full[0] > full[1] else ("archive", "INBOX")


def moves_there(peer, _, n):
    source, target = way(peer)
    peer.server.do("uid", "MOVE", uids(peer, source, n), target)


def moves_here(peer, _, n):
    source, target = way(peer)
    for path in files(peer, source, n):
        base, _, info = peer.without_uid(path.name).partition(":2,")
        path.rename(peer.box(target) / "cur" / (base + ":2," + info))


def deletes_there(peer, _, n):
    gone = uids(peer, "INBOX", n)
    peer.server.do("uid", "STORE", gone, "+FLAGS.SILENT", "(\\Deleted)")
    peer.server.do("uid", "EXPUNGE", gone)


def deletes_here(peer, _, n):
    for path in files(peer, "INBOX", n):
        path.unlink()


# One message in each of N of the mailboxes, at even steps.

def some(peer, n):
    boxes = sorted(path.name for path in peer.root().iterdir()
                   if (path / "cur").is_dir())
    return [boxes[i * len(boxes) // n] for i in range(n)]


def flag_each_there(peer, _, n):
    for box in some(peer, n):
        peer.server.select(box)
        found = peer.server.do("uid", "SEARCH", "UNFLAGGED")[0].split()
        peer.server.do("uid", "STORE", found[0].decode(), "+FLAGS.SILENT",
                       "(\\Flagged)")


def flag_each_here(peer, _, n):
    for box in some(peer, n):
        path = files(peer, box, 1, "R")[0]
        base, _, info = path.name.partition(":2,")
        path.rename(peer.box(box) / "cur" /
                    (base + ":2," + "".join(sorted(info + "R"))))


def new_each_there(peer, i, n):
    for k, box in enumerate(some(peer, n)):
        deliver(peer.there(), box, letters("each%d-%d" % (i, k), 1, 6650, 1.2),
                1750000000 + i)


def new_each_here(peer, i, n):
    for k, box in enumerate(some(peer, n)):
        for token, data in letters("here%d-%d" % (i, k), 1, 6650, 1.2):
            (peer.box(box) / "new" / (token + ".desk")).write_bytes(
                data.replace(b"\r\n", b"\n"))


def delete_each_there(peer, _, n):
    for box in some(peer, n):
        gone = uids(peer, box, 1)
        peer.server.do("uid", "STORE", gone, "+FLAGS.SILENT", "(\\Deleted)")
        peer.server.do("uid", "EXPUNGE", gone)


def delete_each_here(peer, _, n):
    for box in some(peer, n):
        files(peer, box, 1)[0].unlink()


# One message among very many: UIDs are 1 and so on, and a path made for each
# would cost more than the work.

def one_flag_there(peer, _, __):
    peer.server.select("INBOX")
    plain = peer.server.do("uid", "SEARCH", "UID", "100:399", "UNFLAGGED")
    peer.server.do("uid", "STORE", plain[0].split()[0].decode(),
                   "+FLAGS.SILENT", "(\\Flagged)")


def one_flag_here(peer, _, __):
    names = [(sub, entry.name) for sub in ("cur", "new")
             for entry in os.scandir(peer.box("INBOX") / sub)
             if "F" not in entry.name.partition(":2,")[2]]
    sub, name = min(names, key=lambda x: x[1])
    base, _, info = name.partition(":2,")
    os.rename(peer.box("INBOX") / sub / name, peer.box("INBOX") / "cur" /
              (base + ":2," + "".join(sorted(info + "F"))))
