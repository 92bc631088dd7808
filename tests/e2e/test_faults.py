"""Random changes on both sides, runs that are killed or cut off in between;
one good run then brings both sides to what the model says."""

import os
import random
import re
import subprocess
import time

import pytest

from relay import Cut
from world import message

TOKEN = re.compile(rb"^Subject: message (\S+)", re.M)


class Model:
    """What people do, and which messages there must be in the end."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.count = 0
        self.alive = {}  # token -> mailbox
        self.synced = set()
        self.boxes = ["INBOX", "a", "a/b", "Entw\u00fcrfe"]

    def wire(self, box):
        return box.replace("\u00fc", "&APw-")

    def token(self, box):
        self.count += 1
        token = "t%d" % self.count
        self.alive[token] = box
        return token

    def body(self, token):
        return message(token, size=self.rng.choice([0, 500, 3000, 40000]))

    def new_there(self, box):
        self.world.server.append(self.wire(box), self.body(self.token(box)),
                                 self.rng.choice([(), ("\\Seen",),
                                                  ("work", "\\Flagged")]))

    def new_here(self, box):
        data = self.body(self.token(box))
        self.world.local.add(box, data.replace(b"\r\n", b"\n"),
                             "%d.model.host" % self.count,
                             self.rng.choice(["new", "cur"]))

    def new_both(self, box):
        data = self.body(self.token(box))
        self.world.server.append(self.wire(box), data)
        self.world.local.add(box, data.replace(b"\r\n", b"\n"),
                             "%d.model.host" % self.count)

    def delete_there(self, box):
        found = {TOKEN.search(m["body"]).group(1).decode(): uid for uid, m
                 in self.world.server.messages(self.wire(box)).items()}
        known = sorted(set(found) & self.synced & set(self.alive))
        if known:
            token = self.rng.choice(known)
            self.world.server.expunge(self.wire(box), [found[token]])
            del self.alive[token]

    def delete_here(self, box):
        found = {}
        for _, _, path in self.world.local.files(box):
            found[TOKEN.search(path.read_bytes()).group(1).decode()] = path
        known = sorted(set(found) & self.synced & set(self.alive))
        if known:
            token = self.rng.choice(known)
            os.unlink(found[token])
            del self.alive[token]

    def flags_there(self, box):
        uids = sorted(self.world.server.messages(self.wire(box),
                                                 bodies=False))
        if uids:
            self.world.server.store(
                self.wire(box), self.rng.choice(uids),
                self.rng.choice(["+FLAGS", "-FLAGS"]),
                [self.rng.choice(["\\Seen", "\\Flagged", "home"])])

    def flags_here(self, box):
        files = self.world.local.files(box)
        if files:
            _, _, path = self.rng.choice(files)
            base, _, info = path.name.partition(":2,")
            info = "".join(sorted(set(info) ^ {self.rng.choice("SRF")}))
            os.rename(path, self.world.root / box / "cur" /
                      (base + ":2," + info))

    def people(self, n):
        for _ in range(n):
            box = self.rng.choice(self.boxes)
            self.rng.choice([
                self.new_there, self.new_here, self.new_both,
                self.delete_there, self.delete_here,
                self.flags_there, self.flags_here])(box)
        self.world.server.close()

    def check(self):
        there, here = [], []
        for box in self.boxes:
            there += [(TOKEN.search(m["body"]).group(1).decode(), box)
                      for m in self.world.server.messages(
                          self.wire(box)).values()]
            here += [(TOKEN.search(p.read_bytes()).group(1).decode(), box)
                     for _, _, p in self.world.local.files(box)]
        want = sorted(self.alive.items())
        assert sorted(there) == want
        assert sorted(here) == want
        self.synced = set(self.alive)


def start(world, rng):
    model = Model(world, rng)
    world.wire = model.wire
    world.wire_of_name = model.wire
    for box in model.boxes[1:]:
        world.server.create(model.wire(box))
    for box in model.boxes:
        for _ in range(6):
            model.new_there(box)
    world.sync()
    model.check()
    world.assert_settled()
    return model


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_moment(world, seed):
    rng = random.Random(seed)
    model = start(world, rng)
    for _ in range(4):
        model.people(14)
        for _ in range(3):
            p = world.start("sync", "-q", stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.12)
            p.kill()
            p.wait()
        world.sync()
        model.check()
        world.assert_settled()


@pytest.mark.parametrize("seed", range(3))
def test_cuts_at_any_octet(world, seed):
    rng = random.Random(100 + seed)
    model = start(world, rng)
    line = Cut(world.options["port"])
    whole = world.options["port"]
    for _ in range(4):
        model.people(14)
        world.write_config(port=line.port)
        for _ in range(4):
            line.down = rng.random() < 0.6
            line.limit = int(10 ** (2 + rng.random() * 3))
            done = world.sync("-q", status=None)
            assert done.returncode in (0, 65, 69, 75), done.err
        world.write_config(port=whole)
        world.sync()
        model.check()
        world.assert_settled()
    line.close()


@pytest.fixture
def small_disk(world):
    """A file system with room for 3 MB, mounted where WORLD is told."""
    mounts = []

    def mount(path):
        path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)],
            capture_output=True)
        if done.returncode:
            pytest.skip("cannot mount a small file system here")
        mounts.append(path)

    yield mount
    for path in mounts:
        subprocess.run(["umount", "-l", str(path)], check=False)


def grow(path):
    subprocess.run(["mount", "-o", "remount,size=64m", str(path)], check=True)


# "begun": the journal can be, and not much more; "map": nor has what LMDB maps
# beside it room, but for a page, or none.
@pytest.mark.parametrize("what, filler", [
    ("root", 0), ("state", 3040), ("state", 3068), ("state", 3072)],
    ids=["root", "begun", "half a map", "no map"])
def test_full_disk(world, small_disk, what, filler):
    path = getattr(world, what)
    small_disk(path)
    (path / "filler").write_bytes(b"x" * (filler << 10))
    for n in range(40):
        world.server.append("INBOX", message("m%d" % n, size=100_000))
    world.local.add("here", b"Subject: message up\n\nx\n", "1.x.host")
    world.server.close()
    for _ in range(2):
        done = world.sync(status=None)
        assert done.returncode in (65, 75, 78), (done.returncode, done.err)
        assert done.err and "Traceback" not in done.err
        world.server.close()
    (path / "filler").unlink(missing_ok=True)
    grow(path)
    world.sync()
    assert len(world.local.files("INBOX")) == 40
    world.assert_settled()
