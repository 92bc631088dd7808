"""The parts of the bench that can be wrong without being noticed."""

import socket
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import accounts  # noqa: E402
import check  # noqa: E402
import line  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import speed  # noqa: E402
from deeds import spread  # noqa: E402
from peers import Mbsync  # noqa: E402


def test_line_keeps_order_and_delays_all_alike():
    # SystemExit when an octet is early, lost or out of order
    assert speed.small_writes(50, 1000, 64) < 2
    assert speed.small_writes(50, 13000, 500) < 4


def test_line_carries_much_without_loss():
    speed.stream(0, 1 << 27)
    speed.stream(10, 1 << 27)


def test_line_counts_round_trips():
    assert 49 < speed.ping(50, 5) < 500


def test_line_passes_the_end_of_one_direction_on():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = line.Line(listener.getsockname()[1], 20)
        client, server = speed.pair(way, listener)
        client.sendall(b"all I have")
        client.shutdown(socket.SHUT_WR)
        assert server.makefile("rb").read() == b"all I have"
        server.sendall(b"the answer")
        server.close()
        assert client.makefile("rb").read() == b"the answer"
        client.close()
        counts = way.close()
    assert (counts["up"], counts["down"]) == (10, 10)
    assert counts["connections"] == 1 and counts["trips"] == 0


def test_line_lets_the_sender_wait_when_it_is_full():
    """Octets that nobody reads are not heaped up without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = line.Line(listener.getsockname()[1], 0)
        client, server = speed.pair(way, listener)
        server.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 16 * line.WINDOW:
                sent += server.send(bytes(line.CHUNK))
        got = Counter()

        def read():
            while more := len(client.recv(1 << 20)):
                got["octets"] += more

        thread = threading.Thread(target=read)
        thread.start()
        server.close()
        thread.join(20)
        assert got["octets"] == sent
        client.close()
        way.close()


def test_letters_are_the_same_each_time_and_all_different():
    one, two = (list(accounts.letters("x", 300, 6650, 1.2, 100, 300000))
                for _ in range(2))
    assert one == two
    assert len({data for _, data in one}) == 300
    assert sum(len(data) >= 300000 for _, data in one) == 3
    for _, data in one:
        assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    mean = sum(len(data) for _, data in
               accounts.letters("y", 3000, 6650, 1.2)) / 3000
    assert 6000 < mean < 7500


def test_spread_takes_each_once():
    pairs = [(i % 7, i) for i in range(100)]
    assert len(set(spread(pairs, 100))) == 100
    with pytest.raises(SystemExit):
        spread(pairs, 101)


def test_original_takes_out_the_mark_in_the_head_alone():
    data = b"From: a\nTo: b\n\nX-TUID: in the body\n"
    marked = b"From: a\nTo: b\nX-TUID: abcdefghijkl\n\nX-TUID: in the body\n"
    assert Mbsync.original(marked) == data
    assert Mbsync.original(data) == data


class OneBox:
    """As much of a peer as check.equal() asks for."""

    name, users = "peer", ["user"]

    def __init__(self, base):
        self.base = base
        for side in ("here/INBOX", "there"):
            for sub in ("cur", "new"):
                (base / side / sub).mkdir(parents=True)

    def root(self, _):
        return self.base / "here"

    def there(self, _):
        return self.base / "there"

    @staticmethod
    def original(data):
        return data


def test_check_sees_what_differs(tmp_path):
    peer = OneBox(tmp_path)
    here = tmp_path / "here/INBOX/cur/a:2,S"
    here.write_bytes(b"one\n")
    there = tmp_path / "there/cur/b,S=5:2,S"
    there.write_bytes(b"one\r\n")
    check.equal(peer, ["INBOX"], True)
    here.write_bytes(b"two\n")
    check.equal(peer, ["INBOX"], False)
    with pytest.raises(SystemExit):
        check.equal(peer, ["INBOX"], True)
    here.write_bytes(b"one\n")
    here.rename(here.with_name("a:2,"))
    with pytest.raises(SystemExit):
        check.equal(peer, ["INBOX"], False)


def result(work, delay, ours, theirs, over=False):
    def row(seconds, stopped):
        return {"seconds": seconds, "cpu": 0.1, "peak_kib": 9000, "trips": 4,
                "connections": 1, "up": 500, "down": 1500, "over": stopped}
    rows = {"mochila": row(ours, False), "mbsync": row(theirs, over)}
    return {"work": work, "delay_ms": delay, "median": rows,
            "runs": {name: [r] for name, r in rows.items()}}


def test_plot_is_xml_with_a_bar_for_each_work():
    text = plot.svg([result("a <b> & c", 0, 1, 0.4),
                     result("d", 50, 1, 600, True)])
    bars = [x for x in ElementTree.fromstring(text).iter()
            if x.tag.endswith("rect")]
    assert [x.get("class") for x in bars] == ["slower", "faster"]
    assert "&gt; 600" in text


def test_table_says_what_was_cut_short():
    row = report.table([result("d", 50, 1, 600, True)])[-1]
    assert "| > 600 | 1.00 / > 600 |" in row


def test_targets_are_judged():
    found = report.Targets([
        result("nothing to do, 200 mailboxes", 50, 0.5, 30),
        result("1,000 flags there", 50, 1, 2)], accounts.Full).all()
    assert [(t["value"], t["met"]) for t in found] == [
        (4, True), (60, True), (2, False)]


def about(only):
    return {"date": "2026-01-01", "tier": "full", "repeat": 1, "only": only,
            "mochila": "m", "mbsync": "i", "dovecot": "d", "system": "s",
            "cores": 2, "filesystem": "tmpfs", "load": 0.5,
            "relay": {"stream_mb_per_s": 900, "round_trip_50ms_ms": 50.2}}


def test_docs_keep_what_was_not_measured_again(tmp_path):
    doc = tmp_path / "performance.md"
    doc.write_text("head\n%s\nold\n%s\ntail\n" % (report.BEGIN, report.END))
    report.write_docs({"about": about(None), "works": [
        result("a", 0, 1, 2), result("b", 0, 1, 3)]}, tmp_path, accounts.Full)
    report.write_docs({"about": about("b"), "works": [
        result("b", 0, 1, 5)]}, tmp_path, accounts.Full)
    text = doc.read_text()
    assert text.startswith("head\n") and text.endswith("tail\n")
    assert "old" not in text
    assert "| a | 0 ms | 2.00 |" in text and "| b | 0 ms | 5.00 |" in text
