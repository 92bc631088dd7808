"""A relay that changes what passes, for servers that are not as they should
be."""

from relay import Relay


class Rewriter(Relay):
    """Passes whole lines through UP and DOWN, functions of bytes."""

    def __init__(self, port, up=None, down=None):
        self.up, self.down = up, down
        super().__init__(port)

    def pump(self, a, b, down):
        change = (self.down if down else self.up) or (lambda data: data)
        held = b""
        while True:
            data = a.recv(65536)
            if not data:
                b.sendall(held)
                return
            lines, end, held = (held + data).rpartition(b"\n")
            if end:
                b.sendall(change(lines + end))
