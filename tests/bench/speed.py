"""How fast the relay of line.py is itself, and that it keeps its promises:
SystemExit where octets are lost, early or out of order."""

import socket
import threading
import time

import line


def pair(way, listener):
    client = socket.create_connection(("127.0.0.1", way.port))
    server, _ = listener.accept()
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def receive(sock, n):
    """The N octets that come."""
    room, got = memoryview(bytearray(n)), 0
    while got < n:
        more = sock.recv_into(room[got:])
        if not more:
            raise SystemExit("the relay lost octets")
        got += more
    return bytes(room)


def stream(delay, n):
    """Octets a second of N octets that come down."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = line.Line(listener.getsockname()[1], delay)
        client, server = pair(way, listener)
        block = bytes(line.CHUNK)

        def send():
            for _ in range(n // line.CHUNK):
                server.sendall(block)
            server.close()

        thread = threading.Thread(target=send, daemon=True)
        begin = time.monotonic()
        thread.start()
        room, got = bytearray(1 << 20), 0
        while True:
            more = client.recv_into(room)
            if not more:
                break
            got += more
        seconds = time.monotonic() - begin - delay / 2000
        client.close()
        counts = way.close()
        if got != n or counts["down"] != n:
            raise SystemExit("the relay lost octets")
        return n / seconds


def small_writes(delay, n, size):
    """Seconds until N small writes, one after the other, are all there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = line.Line(listener.getsockname()[1], delay)
        client, server = pair(way, listener)
        parts = [(b"%06d" % i).ljust(size, b".") for i in range(n)]

        def send():
            for part in parts:
                client.sendall(part)

        thread = threading.Thread(target=send, daemon=True)
        begin = time.monotonic()
        thread.start()
        data = receive(server, n * size)
        seconds = time.monotonic() - begin
        if data != b"".join(parts):
            raise SystemExit("the relay changed the order")
        if seconds < delay / 2000:
            raise SystemExit("the relay was early")
        client.close()
        server.close()
        way.close()
        return seconds


def ping(delay, n):
    """Milliseconds of a round trip, the middle one of N."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = line.Line(listener.getsockname()[1], delay)
        client, server = pair(way, listener)
        seen = []
        for _ in range(n):
            begin = time.monotonic()
            client.sendall(b"x")
            receive(server, 1)
            server.sendall(b"y")
            receive(client, 1)
            seen.append(time.monotonic() - begin)
        client.close()
        server.close()
        if way.close()["trips"] != n - 1:
            raise SystemExit("the relay counts badly")
        return sorted(seen)[n // 2] * 1000


def measure():
    """What the results of the bench say of the line they came through."""
    return {
        "stream_mb_per_s": round(stream(0, 1 << 30) / 1e6),
        "stream_50ms_mb_per_s": round(stream(50, 1 << 29) / 1e6),
        "round_trip_50ms_ms": round(ping(50, 11), 2),
        "small_writes_50ms_ms": round(small_writes(50, 1000, 64) * 1000, 1),
        "upload_6500kb_in_500b_50ms_ms":
            round(small_writes(50, 13000, 500) * 1000, 1),
    }
