"""The mail of the bench: how much of it, what it looks like, and how an
account on the server is filled with it.

The same SEED makes the same octets; nothing here looks at the clock or at the
machine.  Maildir++ accounts are filled as a delivery agent does it, mdbox
accounts by MULTIAPPEND (RFC 3502), a thousand messages a command.
"""

import math
import os
import random
import shutil
import socket

from servers import PASSWORD

SEED = "mochila-bench-1"
MDBOX = "mail_location = mdbox:~/mdbox\nmail_fsync = never\n"
# a login process serves one connection, and a hundred come at once
CROWD = "default_process_limit = 1000\ndefault_client_limit = 4000\n"


class Full:
    """What the works are made of."""

    name = "full"
    first = 20000              # messages in the one mailbox
    mean, sigma = 6650, 1.2    # of their log-normal sizes, in octets
    every, large = 2500, 2 << 20  # one of EVERY has LARGE octets
    changes, deletes = 1000, 100
    moved, moved_size = 1000, 50000
    mailboxes = (200, 2000)
    few = {200: 50, 2000: 5}   # messages in each of so many mailboxes
    among = (1000, 1000000)
    accounts, in_account = 100, {"INBOX": 100, "archive": 20}


class Quick(Full):
    """The same works, small."""

    name = "quick"
    first, every = 1000, 500
    changes, deletes, moved = 50, 10, 50
    mailboxes, few = (20, 100), {20: 10, 100: 2}
    among = (500, 20000)
    accounts, in_account = 8, {"INBOX": 20, "archive": 5}


WORDS = ("the of and to in mail that is was for it with as his on be at by "
         "had not are but from or have an they which one you were all her "
         "she there would their we him been has when who will no more if "
         "out so up said what its about than into them can only other time "
         "new some could these two may first then do any like my now over "
         "such our man me even most made after also did many off before"
         ).split()


def text_pool():
    """A megabyte of lines that end with CRLF."""
    rng, lines, size = random.Random(SEED), [], 0
    while size < 1 << 20:
        line = (" ".join(rng.choices(WORDS, k=12)) +
                " %x" % rng.getrandbits(32))[:74]
        lines.append(line.encode() + b"\r\n")
        size += len(lines[-1])
    return b"".join(lines)


POOL = text_pool()


def letter(token, size, rng):
    """A message of about SIZE octets that no other TOKEN has."""
    head = ("From: Ana <ana@example.org>\r\nTo: bo@example.org\r\n"
            "Subject: message %s\r\nMessage-ID: <%s@example.org>\r\n"
            "Date: Mon, 23 Nov 2026 08:45:59 +0000\r\n\r\n%s\r\n"
            % (token, token, token)).encode()
    left, parts = size - len(head), [head]
    while left > 0:
        begin = POOL.index(b"\r\n", rng.randrange(len(POOL) // 2)) + 2
        end = POOL.find(b"\r\n", begin + left)
        end = len(POOL) if end < 0 else end + 2
        parts.append(POOL[begin:end])
        left -= end - begin
    return b"".join(parts)


def letters(what, n, mean, sigma, every=0, large=0):
    """N pairs of token and message; sizes are log-normal of MEAN, and one of
    EVERY is of LARGE octets."""
    rng = random.Random(SEED + what)
    mu = math.log(mean) - sigma ** 2 / 2
    for i in range(n):
        token = "%s-%d" % (what, i)
        size = int(rng.lognormvariate(mu, sigma))
        if every and i % every == every // 2:
            size = large
        yield token, letter(token, size, rng)


def tiny(what, n):
    """N messages of some 300 octets."""
    return letters(what, n, 320, 0.1)


def directory_of(maildir, box):
    return maildir if box == "INBOX" else maildir / ("." + box)


def deliver(maildir, box, mail, begin=1700000000):
    """As a delivery agent does it, but without its fsync.  The names are in
    order of time, so that the UIDs are in order of MAIL."""
    new = directory_of(maildir, box) / "new"
    owner = new.stat()
    for i, (token, data) in enumerate(mail):
        lf = data.replace(b"\r\n", b"\n")
        path = new / ("%d.M1P1.%s,S=%d,W=%d" % (begin + i, token, len(lf),
                                                len(data)))
        path.write_bytes(lf)
        os.chown(path, owner.st_uid, owner.st_gid)


def fill(dovecot, server, mail):
    """MAIL is messages by mailbox; SERVER is an account's ServerSide."""
    for box in mail:
        if box != "INBOX":
            server.create(box)
        server.select(box)
    server.close()
    for box, messages in mail.items():
        deliver(dovecot.maildir(server.user), box, messages)
    for box in mail:
        server.select(box)
    server.close()


def expect(stream, tag):
    """What was answered before the OK of TAG."""
    before = []
    while True:
        line = stream.readline()
        if line.startswith(tag + b" "):
            if not line.startswith(tag + b" OK"):
                raise SystemExit("the server said: %r" % line)
            return before
        if not line:
            raise SystemExit("the server hung up")
        before.append(line)


def fill_mdbox(dovecot, user, messages):
    """INBOX of USER, so that UIDs are in order of MESSAGES."""
    with socket.create_connection(("127.0.0.1", dovecot.port)) as sock:
        stream = sock.makefile("rb")
        stream.readline()
        sock.sendall(b"a LOGIN %s %s\r\n" % (user.encode(),
                                            PASSWORD.encode()))
        expect(stream, b"a")
        messages, more = iter(messages), True
        while more:
            parts = [b"b APPEND INBOX"]
            for _, data in messages:
                parts.append(b" {%d+}\r\n%s" % (len(data), data))
                if len(parts) > 1000:
                    break
            more = len(parts) > 1
            if more:
                sock.sendall(b"".join(parts) + b"\r\n")
                expect(stream, b"b")
        sock.sendall(b"c LOGOUT\r\n")
        expect(stream, b"c")


def copy(dovecot, user, other):
    """A new account OTHER, with all that USER has, and with its UIDs."""
    top = dovecot.base / "mail"
    shutil.copytree(top / user, top / other, copy_function=shutil.copy2)
    owner = (top / user).stat()
    for where, _, names in os.walk(top / other):
        os.chown(where, owner.st_uid, owner.st_gid)
        for name in names:
            os.chown(os.path.join(where, name), owner.st_uid, owner.st_gid)


def remove(dovecot, user):
    shutil.rmtree(dovecot.base / "mail" / user, ignore_errors=True)
