"""A TCP relay between the program and its server, for tests that interfere."""

import socket
import threading


class Relay:
    """Passes both directions on to PORT, each through a pump of its own;
    where one of them ends, both connections do."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.create_connection(("127.0.0.1", self.target))
            for x, y, down in ((a, b, False), (b, a, True)):
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
        self.listener.close()
