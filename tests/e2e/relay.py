"""A TCP relay between the program and its server, for tests that interfere."""

import re
import select
import socket
import struct
import threading

# IMAP commands, as a client sends them: tag, and the words of the command
COMMAND = re.compile(rb"(?:^|\r\n)([A-Za-z0-9.]+) ((?:UID )?[A-Z]+)(?=[ \r])")


class Relay:
    """Passes both directions on to PORT, each through a pump of its own;
    where one of them ends, both connections do."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.create_connection(("127.0.0.1", self.target))
            self.serve(a, b)

    def serve(self, client, server):
        for x, y, down in ((client, server, False), (server, client, True)):
            threading.Thread(target=self.relay, args=(x, y, down),
                             daemon=True).start()

    def relay(self, a, b, down):
        try:
            self.pump(a, b, down)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        # a thread that still waits could take the next relay's connections
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Cut(Relay):
    """Hangs up after LIMIT octets in one direction; None: never."""

    def __init__(self, port, down=True, limit=None):
        self.down, self.limit = down, limit
        super().__init__(port)

    def pump(self, a, b, down):
        left = self.limit if down == self.down else None
        while True:
            data = a.recv(4096)
            if left is not None:
                data, left = data[:left], left - len(data[:left])
            if data:
                b.sendall(data)
            if not data or left == 0:
                return


class HangUp(Exception):
    """The line goes dead now."""


class Line(Relay):
    """A bad line.  What may go wrong, at most one of:

    cut=N, stall=N   after N octets in the direction DOWN (from the server)
                     the connection ends, or nothing passes any more
    piece=N          everything comes in pieces of N octets
    bye=N            before the server's Nth line it says BYE, and hangs up
    lose=(W, N)      the Nth command W reaches the server, and is carried
                     out; of its answer nothing arrives from the tagged
                     line on, or, with MORE, from its first line on
    edit=(RE, TO)    each line of the server in which RE is found is changed

    RST: the client's end is reset instead of closed.  The server always sees
    an orderly end, and is given the time to carry out what it has got."""

    def __init__(self, port, cut=None, stall=None, down=True, piece=None,
                 bye=None, lose=None, more=False, edit=None, rst=False):
        self.cut, self.stall, self.down = cut, stall, down
        self.piece, self.bye, self.rst = piece, bye, rst
        self.lose, self.more, self.edit = lose, more, edit
        self.octets = {True: 0, False: 0}  # passed, by direction
        self.lines = 0  # of the server
        self.commands = []  # (tag, words), as they were sent
        self.hit = False  # did it happen?
        self.tag = None  # of the command whose answer gets lost
        self.tail = b""  # of the client, for commands in two pieces
        self.kept = b""  # of the server, a line that is not complete
        self.ended = threading.Event()
        super().__init__(port)

    def serve(self, client, server):
        """One thread for both directions: what is closed is closed."""
        self.ended.clear()
        threading.Thread(target=self.between, args=(client, server),
                         daemon=True).start()

    def between(self, client, server):
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                for s in select.select([client, server], [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        raise HangUp
                    down = s is server
                    self.pass_on(client if down else server, data, down)
        except (OSError, HangUp):
            pass
        if self.rst and self.hit:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        client.close()
        try:
            # until it is through with what it has got
            server.shutdown(socket.SHUT_WR)
            server.settimeout(10)
            while server.recv(65536):
                pass
        except OSError:
            pass
        server.close()
        self.ended.set()

    def wait(self):
        """Until the server's side of the last connection has ended."""
        self.ended.wait(15)

    def pass_on(self, to, data, down):
        if not down:
            self.note_commands(data)
        if self.cut is not None and down == self.down:
            left = self.cut - self.octets[down]
            if len(data) >= left:
                self.send(to, data[:left], down)
                self.hit = True
                raise HangUp
        if self.stall is not None and down == self.down:
            left = self.stall - self.octets[down]
            if len(data) >= left:
                self.send(to, data[:max(left, 0)], down)
                self.hit = True
                return
        if down and (self.bye is not None or self.tag or self.edit):
            self.pass_lines(to, data)
        else:
            self.send(to, data, down)

    def send(self, to, data, down):
        self.octets[down] += len(data)
        self.lines += data.count(b"\r\n") if down else 0
        if not self.piece:
            to.sendall(data)
            return
        for at in range(0, len(data), self.piece):
            to.sendall(data[at:at + self.piece])

    def note_commands(self, data):
        text = self.tail + data
        for m in COMMAND.finditer(text):
            if m.end() <= len(self.tail):
                continue
            words = m.group(2).decode().replace("UID ", "")
            self.commands.append((m.group(1), words))
            if self.lose and self.tag is None and words == self.lose[0] and \
                    self.count(words) == self.lose[1]:
                self.tag = m.group(1)
        self.tail = text[-100:]

    def count(self, words):
        return sum(w == words for _, w in self.commands)

    def pass_lines(self, to, data):
        data = self.kept + data
        at = data.rfind(b"\r\n") + 2 if b"\r\n" in data else 0
        self.kept = data[at:]
        for line in data[:at].splitlines(keepends=True):
            self.pass_line(to, line)
        if not self.tag and not self.edit:
            self.send(to, self.kept, True)
            self.kept = b""

    def pass_line(self, to, line):
        if self.bye is not None and self.lines + 1 >= self.bye:
            self.hit = True
            self.send(to, b"* BYE the server goes down\r\n", True)
            raise HangUp
        if self.tag and line.startswith(self.tag + b" "):
            self.hit = True
            raise HangUp
        if self.tag and self.more and not line.startswith(b"+ "):
            return
        if self.edit and re.search(self.edit[0], line):
            self.hit = True
            line = re.sub(self.edit[0], self.edit[1], line)
        self.send(to, line, True)


class CutBefore(Line):
    """Ends before the command WORDS is passed on."""

    def __init__(self, port, words):
        self.words = words
        super().__init__(port)

    def send(self, to, data, down):
        if not down and self.count(self.words):
            self.hit = True
            raise HangUp
        super().send(to, data, down)


class Meddler(Relay):
    """When the client first sends WORD, does DEED on the side and only then
    passes it on."""

    def __init__(self, port, word, deed):
        self.word, self.deed = word, deed
        self.done = False
        super().__init__(port)

    def pump(self, a, b, down):
        while True:
            data = a.recv(65536)
            if not down and self.word in data and not self.done:
                self.done = True
                self.deed()
            if not data:
                return
            b.sendall(data)
