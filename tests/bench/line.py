#!/usr/bin/python3
"""A TCP line with a length in milliseconds, which counts what passes.

    line.py PORT DELAY

is a relay to PORT on a port that it prints, until its standard input ends:
then it prints what it counted.  It is a process of its own, so that it shares
no interpreter with what measures; Line below starts and asks it.

What it promises:
1. Each octet arrives DELAY/2 milliseconds after it came, never before, and
   in order.  Nothing waits for another one's arrival: a thousand small writes
   take as long as one.  (The delay is the same for all, so one queue for all
   connections is in order of time.)
2. The line holds WINDOW octets at most in each direction; then the sender has
   to wait, as on a real one.
3. TRIPS is how often a client spoke after it had heard something, summed over
   the connections; UP and DOWN are octets.
"""

import collections
import json
import select
import socket
import subprocess
import sys
import time

CHUNK, WINDOW = 1 << 18, 1 << 24
# epoll knows whole milliseconds only
TICK = 0.001


class Half:
    """One direction of a connection: from SOURCE to SINK."""

    def __init__(self, source, sink, up, state):
        self.source, self.sink, self.up, self.state = source, sink, up, state
        self.due = collections.deque()  # arrived, and not yet taken
        self.held = 0                   # octets under way
        self.ended = self.shut = False


class Relay:
    def __init__(self, target, delay):
        self.target, self.seconds = target, delay / 2000
        self.epoll = select.epoll()
        self.room = memoryview(bytearray(CHUNK))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.epoll.register(self.listener, select.EPOLLIN)
        self.epoll.register(sys.stdin, select.EPOLLIN)
        self.reads, self.writes = {}, {}  # by descriptor: Half
        self.watched = set()
        self.queue = collections.deque()  # (when, Half, octets)
        self.up = self.down = self.trips = self.connections = 0

    def counts(self):
        return {"trips": self.trips, "connections": self.connections,
                "up": self.up, "down": self.down}

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.target))
        self.connections += 1
        state = {"heard": False}
        for a, b, up in ((client, server, True), (server, client, False)):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            a.setblocking(False)
            half = Half(a, b, up, state)
            self.reads[a.fileno()] = self.writes[b.fileno()] = half
        self.watch(client)
        self.watch(server)

    def watch(self, sock):
        """What SOCK is asked for follows from the two halves that use it.
        One that is asked for nothing is not watched: that it hung up would
        be told for ever."""
        events, fd = 0, sock.fileno()
        if fd < 0:
            return
        reader, writer = self.reads[fd], self.writes[fd]
        if not reader.ended and reader.held < WINDOW:
            events |= select.EPOLLIN
        if writer.due:
            events |= select.EPOLLOUT
        if events and fd in self.watched:
            self.epoll.modify(fd, events)
        elif events:
            self.epoll.register(fd, events)
            self.watched.add(fd)
        elif fd in self.watched:
            self.epoll.unregister(fd)
            self.watched.remove(fd)

    def read(self, half):
        try:
            n = half.source.recv_into(self.room)
        except BlockingIOError:
            return
        except OSError:
            n = 0
        data = self.room[:n]
        half.held += n
        if half.up and data:
            self.up += len(data)
            if half.state["heard"]:
                self.trips += 1
                half.state["heard"] = False
        half.ended = not data
        if self.seconds:
            when = time.monotonic() + self.seconds
            self.queue.append((when, half, bytes(data)))
        else:
            self.arrive(half, data)
            if half.due:  # it has to be kept, and the room is used again
                half.due[-1] = bytes(half.due[-1])
        if half.ended or half.held >= WINDOW:
            self.watch(half.source)

    def arrive(self, half, data):
        half.due.append(data)
        if len(half.due) == 1:
            self.write(half)

    def write(self, half):
        """As much as the sink takes."""
        waiting = half.held >= WINDOW
        try:
            while half.due:
                data = half.due[0]
                if not data:
                    self.shut(half)
                    break
                if not half.up:
                    half.state["heard"] = True
                sent = half.sink.send(data)
                half.held -= sent
                if not half.up:
                    self.down += sent
                if sent < len(data):
                    half.due[0] = memoryview(data)[sent:]
                    break
                half.due.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.drop(half)
            return
        if half.shut:
            return
        self.watch(half.sink)
        if waiting and half.held < WINDOW:
            self.watch(half.source)

    def shut(self, half):
        half.due.clear()
        half.shut = True
        try:
            half.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if self.reads[half.sink.fileno()].shut:
            self.drop(half)
        else:
            self.watch(half.sink)

    def drop(self, half):
        for sock in (half.source, half.sink):
            gone = self.reads.pop(sock.fileno())
            gone.ended = gone.shut = True
            gone.due.clear()
            del self.writes[sock.fileno()]
            if sock.fileno() in self.watched:
                self.epoll.unregister(sock)
                self.watched.remove(sock.fileno())
            sock.close()

    def wait(self):
        """The events of the next moment, not later than the first arrival.
        What the clock of epoll is too coarse for is slept."""
        if not self.queue:
            return self.epoll.poll()
        left = self.queue[0][0] - time.monotonic()
        if 0 < left < TICK:
            time.sleep(left)
            left = 0
        return self.epoll.poll(max(0, int(left / TICK) * TICK - TICK / 2))

    def run(self):
        while True:
            for fd, event in self.wait():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd == sys.stdin.fileno():
                    return
                else:
                    self.serve(fd, event)
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, half, data = self.queue.popleft()
                if not half.shut:
                    self.arrive(half, data)

    def serve(self, fd, event):
        half = self.writes.get(fd)
        if half and half.due and event & ~select.EPOLLIN:
            self.write(half)
        half = self.reads.get(fd)
        if half and not half.ended and event & ~select.EPOLLOUT:
            self.read(half)


class Line:
    """A relay in a process of its own."""

    def __init__(self, target, delay=0):
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(target), str(delay)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def close(self):
        """What it counted."""
        self.process.stdin.close()
        text = self.process.stdout.read()
        self.process.stdout.close()
        if self.process.wait() != 0:
            raise SystemExit("the relay failed")
        return json.loads(text)


def relay(target, delay):
    one = Relay(target, delay)
    print(one.port, flush=True)
    one.run()
    print(json.dumps(one.counts()))


if __name__ == "__main__":
    relay(int(sys.argv[1]), float(sys.argv[2]))
