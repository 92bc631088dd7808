"""A server that says that too much is asked of it, at any command."""

import os

import pytest

from relay import Relay
from world import message


class Busy(Relay):
    """Answers the first command that has WORD in it by itself, with a NO, and
    passes on nothing more."""

    def __init__(self, port, word):
        self.word, self.said = word, False
        super().__init__(port)

    def pump(self, a, b, down):
        while True:
            data = a.recv(65536)
            if not data:
                return
            for line in [] if down or self.said else data.split(b"\r\n"):
                if self.word in line:
                    self.said = True
                    a.sendall(line.split(b" ")[0] + b" NO Request is "
                              b"throttled. Suggested Backoff Time: 4200 "
                              b"milliseconds\r\n")
                    break
            if down or not self.said:
                b.sendall(data)


def change_all(world):
    """Something of every kind to do, on both sides."""
    uids = sorted(world.server.messages("INBOX", bodies=False))
    rows = {r["uid"]: r["file"] for r in world.dump()}
    world.server.append("INBOX", message("down"))
    world.server.store("INBOX", uids[0], "+FLAGS", ["\\Flagged"])
    world.server.expunge("INBOX", [uids[1]])
    world.local.add("INBOX", message("up"), "1.up.host")
    os.unlink(world.root / rows[uids[2]])
    seen = world.root / rows[uids[3]]
    os.rename(seen, world.root / "INBOX" / "cur" /
              (seen.name.split(":2,")[0] + ":2,S"))
    world.local.make("box")
    world.local.add("box", message("folder"), "2.up.host")


@pytest.mark.parametrize("word", [
    b"LIST ", b"SELECT ", b"UID FETCH ", b"BODY.PEEK", b"APPEND ",
    b"UID STORE ", b"UID EXPUNGE ", b"CREATE "])
def test_the_run_ends_and_the_next_one_does_the_rest(world, word):
    for i in range(5):
        world.server.append("INBOX", message("m%d" % i))
    world.sync()
    change_all(world)
    whole = world.options["port"]
    line = Busy(whole, word)
    world.write_config(port=line.port)
    done = world.sync(status=75)
    assert line.said
    assert "after 5 seconds" in done.err, done.err
    line.close()
    world.write_config(port=whole)
    world.sync()
    world.assert_equal()
    world.assert_settled()
    # one from here, one from there, one deleted on either side
    assert len(world.server.messages("INBOX", bodies=False)) == 5


@pytest.mark.parametrize("word", [b"LOGIN ", b"AUTHENTICATE "])
def test_a_login_put_off_is_not_a_login_refused(world, word):
    whole = world.options["port"]
    line = Busy(whole, word)
    world.write_config(port=line.port, auth=[
        "login" if word == b"LOGIN " else "plain"])
    done = world.sync(status=75)
    assert line.said
    assert "after 5 seconds" in done.err, done.err
    line.close()
