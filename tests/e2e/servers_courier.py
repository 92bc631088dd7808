"""A private Courier, from unpacked packages (tests/packages.sh).

Its imapd is made for a server that has logged the user in: this front end
does that, without Courier's own authentication daemon (whose socket has a
fixed place), and then imapd has the connection.  Only its greeting is kept
from the client.
"""

import base64
import os
import re
import signal
import socket
import subprocess
import threading

from servers import (PASSWORD, Kind, Missing, library_path, ordinary_user,
                     unpacked)

CAPABILITY = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE IDLE"
WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')
LOGIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def read_line(sock):
    """Octet by octet: what comes after the login is not ours."""
    line = b""
    while not line.endswith(b"\n"):
        octet = sock.recv(1)
        if not octet:
            raise ConnectionError("end of file")
        line += octet
    return line.rstrip(b"\r\n")


class Courier(Kind):
    name = "Courier"
    prefix, delimiter = "INBOX.", "."
    modseq = False
    # after an EXAMINE, its APPEND to the same mailbox is refused
    examine = False
    uidvalidity_s = 1

    def __init__(self, base):
        self.root, self.versions = unpacked("courier")
        self.base = base
        (base / "mail").mkdir(parents=True)
        self.entry, become = ordinary_user(base)
        imapd = self.root / "usr" / "bin" / "imapd"
        if become and subprocess.run(
                become + ["test", "-x", str(imapd)]).returncode:
            raise Missing("%s cannot reach %s" % (self.entry.pw_name, imapd))
        self.sessions = set()
        self.log = open(base / "imapd.log", "ab")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        # names the file watcher that imapd starts for itself
        self.watcher = "mochila-test-%d" % self.port
        threading.Thread(target=self.accept, daemon=True).start()

    def version(self):
        return self.versions["courier-imap"].split("+")[0]

    def maildir(self, user):
        return self.base / "mail" / user / "Maildir"

    def new_uidvalidity(self, user, wire):
        """"1 UIDVALIDITY UIDNEXT", then a line for each message."""
        path = self.maildir(user) / wire[len("INBOX"):] / "courierimapuiddb"
        one, _, rest = path.read_text().split(" ", 2)
        path.write_text("%s 4242 %s" % (one, rest))
        return True

    def env(self, user):
        return {
            "HOME": str(self.base / "mail" / user), "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": library_path(self.root),
            "AUTHENTICATED": user, "TCPREMOTEIP": "127.0.0.1",
            "TCPREMOTEPORT": "1", "IMAP_CAPABILITY": CAPABILITY,
            "IMAP_KEYWORDS": "1", "IMAP_USELOCKS": "1", "IMAP_ACL": "0",
            "IMAP_UMASK": "022", "IMAP_TRASHFOLDERNAME": "Trash",
            "GAM_CLIENT_ID": self.watcher, "GAMIN_DEBUG_SERVER": str(
                self.root / "usr" / "libexec" / "gam_server")}

    def spawn(self, program, *args, **more):
        user = args[0]
        if os.geteuid() == 0:
            more.update(user=self.entry.pw_uid, group=self.entry.pw_gid,
                        extra_groups=[])
        return subprocess.Popen(
            [str(self.root / "usr" / "bin" / program), "Maildir"],
            cwd=self.base / "mail" / user, env=self.env(user),
            stderr=self.log, **more)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        with sock:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                user, tag = self.log_in(sock)
                if user:
                    self.session(sock, user, tag)
            except OSError:
                pass

    def log_in(self, sock):
        """The user's name and the tag that waits for its OK."""
        sock.sendall(b"* OK [CAPABILITY %s] ready\r\n" % CAPABILITY.encode())
        while True:
            tag, _, rest = read_line(sock).partition(b" ")
            command, _, args = rest.partition(b" ")
            command = command.upper()
            name = secret = None
            if command == b"LOGIN":
                words = [re.sub(rb"\\(.)", rb"\1", quoted) or plain
                         for quoted, plain in WORD.findall(args)]
                if len(words) == 2:
                    name, secret = words
            elif command == b"AUTHENTICATE" and args.upper() == b"PLAIN":
                sock.sendall(b"+ \r\n")
                parts = base64.b64decode(read_line(sock)).split(b"\0")
                if len(parts) == 3:
                    _, name, secret = parts
            elif command == b"CAPABILITY":
                sock.sendall(b"* CAPABILITY %s\r\n" % CAPABILITY.encode())
            elif command == b"LOGOUT":
                sock.sendall(b"* BYE bye\r\n%s OK done\r\n" % tag)
                return None, None
            elif command != b"NOOP":
                sock.sendall(tag + b" NO not before the login\r\n")
                continue
            if command in (b"LOGIN", b"AUTHENTICATE"):
                if secret == PASSWORD.encode() and \
                        LOGIN_NAME.fullmatch(name.decode()):
                    return name.decode(), tag
                sock.sendall(tag + b" NO Login failed.\r\n")
            else:
                sock.sendall(tag + b" OK done\r\n")

    def session(self, sock, user, tag):
        if not self.maildir(user).is_dir():
            home = self.maildir(user).parent
            home.mkdir()
            os.chown(home, self.entry.pw_uid, self.entry.pw_gid)
            self.spawn("maildirmake.courier", user).wait()
        ours, its = socket.socketpair()
        with ours:
            with its:
                imapd = self.spawn("imapd", user, stdin=sock, stdout=its)
            self.sessions.add(imapd)
            line = read_line(ours)
            while not line.startswith(b"* PREAUTH"):
                sock.sendall(line + b"\r\n")
                line = read_line(ours)
            sock.sendall(tag + b" OK LOGIN Ok.\r\n")
            try:
                while data := ours.recv(65536):
                    sock.sendall(data)
            finally:
                sock.shutdown(socket.SHUT_RDWR)
                imapd.wait()
                self.sessions.discard(imapd)

    def stop(self):
        self.listener.close()
        for imapd in list(self.sessions):
            imapd.terminate()
            imapd.wait()
        self.log.close()
        mark = b"GAM_CLIENT_ID=%s" % self.watcher.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if mark in f.read().split(b"\0"):
                        os.kill(int(pid), signal.SIGTERM)
            except OSError:
                continue
