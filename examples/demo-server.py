#!/usr/bin/python3
"""A private Dovecot for quickstart.sh: start, change, show, stop."""

import email
import imaplib
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/e2e"))
import servers  # noqa: E402

servers.PASSWORD = "secret"

MAIL = {
    "INBOX": ["Welcome", "Lunch on Friday?", "Invoice 17"],
    "Lists/mutt": ["[mutt] 2.2 is out", "Re: [mutt] 2.2 is out"],
    "Sent": ["Re: Lunch on Friday?"],
}


def text(subject, n):
    return ("From: Bo <bo@example.org>\r\nTo: ana@example.org\r\n"
            "Subject: %s\r\nMessage-ID: <%d.%d@example.org>\r\n"
            "Date: Mon, 23 Nov 2026 08:%02d:00 +0000\r\n\r\n"
            "This is message %d.\r\n"
            % (subject, n, len(subject), n, n)).encode()


def login(base):
    imap = imaplib.IMAP4("127.0.0.1", int((base / "port").read_text()))
    imap.login("ana", "secret")
    return imap


def start(base):
    server = servers.Dovecot(base / "dovecot")
    (base / "port").write_text("%d" % server.port)
    imap, n = login(base), 0
    for box, subjects in MAIL.items():
        imap.create(box)
        for subject in subjects:
            n += 1
            imap.append(box, "", imaplib.Time2Internaldate(1795423500 + n),
                        text(subject, n))
    imap.logout()


def change(base):
    imap = login(base)
    imap.append("INBOX", "", None, text("News from the server", 50))
    imap.select('"Lists/mutt"')
    imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    imap.uid("EXPUNGE", "1")
    imap.select("INBOX")
    imap.uid("MOVE", "3", "Sent")
    imap.logout()


def show(base):
    imap = login(base)
    for line in sorted(imap.list()[1]):
        box = line.decode().split(' "/" ')[1].strip('"')
        typ, count = imap.select('"%s"' % box, readonly=True)
        if typ != "OK" or count[0] == b"0":
            continue
        for part in imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER])")[1]:
            if isinstance(part, tuple):
                subject = email.message_from_bytes(part[1])["Subject"]
                flags = part[0].decode().split("FLAGS (")[1].split(")")[0]
                print("  server  %-12s %-26s %s" % (box, subject, flags))
    imap.logout()
    for path in sorted((base / "Mail").rglob("*")):
        if path.is_file() and path.parent.name in ("new", "cur"):
            subject = email.message_from_bytes(path.read_bytes())["Subject"]
            box = path.parent.parent.relative_to(base / "Mail")
            info = path.name.partition(":2,")[2]
            print("  here    %-12s %-26s %s" % (box, subject, info))


def stop(base):
    pid_file = base / "dovecot/run/master.pid"
    if pid_file.exists():
        servers.stop_pid(int(pid_file.read_text()))


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]).resolve())
