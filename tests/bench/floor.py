"""What no program can be faster than, measured in the same run: to read the
FETCH stream of a first sync and throw it away, and to put the same octets on
the same disk and wait for it."""

import ctypes
import multiprocessing
import os
import re
import shutil
import socket
import time
from concurrent.futures import ProcessPoolExecutor

from line import Line
from servers import PASSWORD

ROOM, TAIL = 1 << 20, 4096


def command(sock, tag, text, room):
    """Sends it and reads up to its OK; returns the octets of the answer."""
    sock.sendall(b"%s %s\r\n" % (tag, text))
    done = re.compile(rb"(?:^|\r\n)%s (\w+)[^\r\n]*\r\n$" % tag)
    got, tail = 0, b""
    while True:
        n = sock.recv_into(room)
        if n == 0:
            raise SystemExit("the server hung up")
        got += n
        tail = (tail + bytes(room[max(0, n - TAIL):n]))[-TAIL:]
        end = done.search(tail) if tail.endswith(b"\r\n") else None
        if end and end.group(1) != b"OK":
            raise SystemExit("the server said: %r" % tail)
        if end:
            return got


def raw_fetch(dovecot, user, boxes, delay):
    """Each mailbox with all that a first sync must know of a message."""
    line, room = Line(dovecot.port, delay), memoryview(bytearray(ROOM))
    begin, cpu = time.monotonic(), time.process_time()
    with socket.create_connection(("127.0.0.1", line.port), 120) as sock:
        sock.recv_into(room)
        command(sock, b"a1", b"LOGIN %s %s" % (user.encode(),
                                              PASSWORD.encode()), room)
        for box in boxes:
            command(sock, b"a2", b"SELECT " + box.encode(), room)
            command(sock, b"a3", b"UID FETCH 1:* (UID FLAGS INTERNALDATE "
                                 b"BODY.PEEK[])", room)
        seconds = time.monotonic() - begin
        cpu = time.process_time() - cpu
        command(sock, b"a4", b"LOGOUT", room)
    return {"seconds": seconds, "cpu": cpu, "peak_kib": 0, **line.close(),
            "over": False}


def contents(maildir):
    """All messages of an account on the server."""
    for top, _, names in os.walk(maildir):
        if os.path.basename(top) in ("cur", "new"):
            for name in names:
                with open(os.path.join(top, name), "rb") as f:
                    yield f.read()


def wait_for_disk(path):
    """syncfs(2)"""
    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(path))
    finally:
        os.close(fd)


def settled(base):
    """What others wrote is no part of what follows."""
    wait_for_disk(base)
    return time.monotonic()


def one_file(base, messages):
    """Seconds to write the octets into one file, with one fsync."""
    path, begin = base / "floor", settled(base)
    with open(path, "wb") as f:
        for data in messages:
            f.write(data)
        f.flush()
        os.fsync(f.fileno())
    seconds = time.monotonic() - begin
    path.unlink()
    return seconds


def many_files(base, messages):
    """Seconds to write a file for each message, with one syncfs."""
    path = base / "floor"
    path.mkdir()
    begin = settled(base)
    for i, data in enumerate(messages):
        fd = os.open("%s/%d" % (path, i),
                     os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, data)
        os.close(fd)
    wait_for_disk(path)
    seconds = time.monotonic() - begin
    shutil.rmtree(path)
    return seconds


def both(base, maildir):
    messages = list(contents(maildir))
    return one_file(base, messages), many_files(base, messages)


def disk(base, maildir):
    """Seconds for one file, and for a file each.  In another process: what
    ours once had in memory would hide what its children have (peers.py)."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        return pool.submit(both, base, maildir).result()
