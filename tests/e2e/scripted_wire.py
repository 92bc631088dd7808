"""Words of IMAP as a scripted server reads and writes them."""

import calendar
import re
import time
import zlib

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def imap_date(when):
    t = time.gmtime(when)
    return "%2d-%s-%d %02d:%02d:%02d +0000" % (
        t.tm_mday, MONTHS[t.tm_mon - 1], t.tm_year, *t[3:6])


def parse_date(text):
    m = re.match(r" ?(\d+)-(\w+)-(\d+) (\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d)$",
                 text)
    d, mon, y, h, mi, s = m.group(1, 2, 3, 4, 5, 6)
    offset = int(m.group(8)) * 3600 + int(m.group(9)) * 60
    at = calendar.timegm((int(y), MONTHS.index(mon) + 1, int(d), int(h),
                          int(mi), int(s)))
    return at - offset if m.group(7) == "+" else at + offset


def tokens(text):
    """Words of a command; literals are in it as they came."""
    stack, at = [[]], 0
    while at < len(text):
        c = text[at:at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            stack.append([])
            at += 1
        elif c == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif c == b'"':
            m = re.compile(rb'"((?:[^"\\]|\\.)*)"').match(text, at)
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", m.group(1)))
            at = m.end()
        elif c == b"{":
            m = re.compile(rb"\{(\d+)\+?\}\r\n").match(text, at)
            n = int(m.group(1))
            stack[-1].append(text[m.end():m.end() + n])
            at = m.end() + n
        else:
            m = re.compile(rb"(?:BODY(?:\.PEEK)?\[[^]]*\](?:<[\d.]+>)?"
                           rb"|[^ ()])+", re.I).match(text, at)
            stack[-1].append(m.group(0))
            at = m.end()
    return stack[0]


def in_set(text, uids):
    """Those of UIDS (ascending) that the sequence-set TEXT names."""
    last = uids[-1] if uids else 0
    ranges = []
    for part in text.decode().split(","):
        a, _, b = part.partition(":")
        lo = last if a == "*" else int(a)
        hi = lo if not b else last if b == "*" else int(b)
        ranges.append((min(lo, hi), max(lo, hi)))
    return [u for u in uids if any(lo <= u <= hi for lo, hi in ranges)]


def format_set(uids):
    parts = []
    for u in uids:
        if parts and parts[-1][1] == u - 1:
            parts[-1][1] = u
        else:
            parts.append([u, u])
    return ",".join("%d" % a if a == b else "%d:%d" % (a, b)
                    for a, b in parts)


def quoted(name):
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


class Inflated:
    """What a socket brings as raw DEFLATE, with the methods of a file that a
    session uses."""

    def __init__(self, file):
        self.file, self.inflate = file, zlib.decompressobj(-15)
        self.data = b""

    def more(self):
        packed = self.file.read1(65536)
        self.data += self.inflate.decompress(packed)
        return bool(packed)

    def take(self, n):
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def readline(self):
        while b"\n" not in self.data:
            if not self.more():
                return self.take(len(self.data))
        return self.take(self.data.index(b"\n") + 1)

    def read(self, size):
        while len(self.data) < size and self.more():
            pass
        return self.take(size)

    def close(self):
        self.file.close()
