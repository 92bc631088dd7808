"""A TCP line with a length in milliseconds, which counts what passes."""

import socket
import threading
import time


class Line:
    """A relay to PORT in which each octet arrives half of DELAY milliseconds
    after it was sent.  UP and DOWN are the octets of each direction; TRIPS
    how often the client spoke after it had heard something."""

    def __init__(self, port, delay=0):
        self.target, self.seconds = port, delay / 2000
        self.lock = threading.Lock()
        self.reset()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.up = self.down = self.trips = self.connections = 0

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            state = {"heard": False}
            for a, b, up in ((client, server, True), (server, client, False)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pump = self.delayed if self.seconds else self.direct
                threading.Thread(target=pump, args=(a, b, up, state),
                                 daemon=True).start()

    def count(self, n, up, state):
        with self.lock:
            if not up:
                self.down += n
                state["heard"] = True
                return
            self.up += n
            if state["heard"]:
                self.trips += 1
                state["heard"] = False

    def receive(self, a, up, state):
        try:
            data = a.recv(1 << 18)
        except OSError:
            data = b""
        if up:
            self.count(len(data), True, state)
        return data

    def deliver(self, b, data, up, state):
        """False when that was all."""
        try:
            if not data:
                b.shutdown(socket.SHUT_WR)
                return False
            if not up:
                self.count(len(data), False, state)
            b.sendall(data)
        except OSError:
            return False
        return True

    def direct(self, a, b, up, state):
        while self.deliver(b, self.receive(a, up, state), up, state):
            pass

    def delayed(self, a, b, up, state):
        queue, ready = [], threading.Condition()

        def send():
            while True:
                with ready:
                    while not queue:
                        ready.wait()
                    when, data = queue.pop(0)
                time.sleep(max(0, when - time.monotonic()))
                if not self.deliver(b, data, up, state):
                    return

        threading.Thread(target=send, daemon=True).start()
        while True:
            data = self.receive(a, up, state)
            with ready:
                queue.append((time.monotonic() + self.seconds, data))
                ready.notify()
            if not data:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
