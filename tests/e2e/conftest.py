import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from servers import (Dovecot, DovecotFew, DovecotNomodseq,  # noqa: E402
                     Missing)
from servers_courier import Courier  # noqa: E402
from servers_cyrus import Cyrus  # noqa: E402
from servers_people import People  # noqa: E402
from personas import Persona  # noqa: E402
from scripted import Server  # noqa: E402
from scripted_world import ScriptedWorld  # noqa: E402
from world import World  # noqa: E402

TOP = Path(__file__).resolve().parents[2]


# what is marked "some" is run as a sample, but in the full tier
TIER = os.environ.get("MOCHILA_TIER", "fast")
SEED = int(os.environ.get("MOCHILA_SEED") or random.SystemRandom().randrange(
    1 << 32))


def pytest_report_header():
    return "tier %s, MOCHILA_SEED=%d" % (TIER, SEED)


def pytest_collection_modifyitems(config, items):
    marked = {}
    for item in items:
        mark = item.get_closest_marker("some")
        if mark:
            marked.setdefault(id(mark), (mark, []))[1].append(item)
    rng, out = random.Random(SEED), set()
    for mark, group in marked.values():
        left_out = len(group) - mark.args[0]
        if TIER != "full" and left_out > 0:
            out.update(rng.sample(group, left_out))
    config.hook.pytest_deselected(items=[i for i in items if i in out])
    items[:] = [i for i in items if i not in out]


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("MOCHILA") or str(TOP / "mochila")
    assert os.access(path, os.X_OK), "build first, or set MOCHILA"
    return path


@pytest.fixture(scope="session")
def scratch():
    """Below /tmp, passable for the server's user."""
    base = Path(tempfile.mkdtemp(prefix="mochila-"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot(scratch):
    server = Dovecot(scratch / "dovecot")
    yield server
    server.stop()


class Others:
    """The servers beside the one that all tests use: each is started by the
    first test that needs it."""

    def __init__(self, scratch):
        self.scratch, self.running, self.missing = scratch, {}, {}

    def get(self, kind):
        if kind not in self.running and kind not in self.missing:
            try:
                self.running[kind] = kind(self.scratch / kind.__name__)
            except Missing as e:
                self.missing[kind] = str(e)
        if kind in self.missing:
            pytest.skip(self.missing[kind])
        return self.running[kind]


@pytest.fixture(scope="session")
def others(scratch):
    others = Others(scratch)
    yield others
    for server in others.running.values():
        server.stop()


_count = [0]


def account(scratch, server, binary, **options):
    """A new one on SERVER, for a fixture."""
    _count[0] += 1
    user = "u%d" % _count[0]
    w = World(scratch / user, server, user, binary, **options)
    yield w
    w.server.close()


@pytest.fixture
def world(scratch, dovecot, binary):
    yield from account(scratch, dovecot, binary)


@pytest.fixture
def tls_world(scratch, dovecot, binary):
    yield from account(scratch, dovecot, binary, tls=True)


# The table of doc/servers.md is made of what the tests gave.

VERSIONS, RESULTS = pytest.StashKey(), pytest.StashKey()
BEGIN, END = "<!-- begin of the table -->\n", "<!-- end of the table -->\n"


def pytest_addoption(parser):
    parser.addoption("--servers-table", metavar="FILE", help="write the "
                     "results of test_servers_*.py into the table of FILE")


def pytest_configure(config):
    config.addinivalue_line("markers", "some(n): of all that have this mark, "
                            "N are run, at random; in the full tier all")
    config.stash[VERSIONS], config.stash[RESULTS] = {}, {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if "any_world" not in item.fixturenames:
        return
    row = item.function.__doc__.splitlines()[0]
    cells = item.config.stash[RESULTS].setdefault(row, {})
    kind = item.callspec.params["any_world"]
    if report.outcome != "passed" or report.when == "call":
        cells[kind] = report.outcome


def pytest_sessionfinish(session):
    path = session.config.getoption("--servers-table")
    if not path:
        return
    versions = session.config.stash[VERSIONS]
    lines = ["| | " + " | ".join(versions.values()) + " |",
             "|---" * (len(versions) + 1) + "|"]
    for row, cells in session.config.stash[RESULTS].items():
        lines.append("| %s | " % row + " | ".join(
            cells.get(kind, "-") for kind in versions) + " |")
    text = Path(path).read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    Path(path).write_text(
        before + BEGIN + "\n".join(lines) + "\n" + END + after)


KINDS = {"dovecot": Dovecot, "few": DovecotFew, "nomodseq": DovecotNomodseq,
         "cyrus": Cyrus, "courier": Courier}


@pytest.fixture(params=list(KINDS))
def any_world(request, scratch, binary, others):
    """A new account on each of the servers in turn."""
    if request.param == "dovecot":
        server = request.getfixturevalue("dovecot")
    else:
        server = others.get(KINDS[request.param])
    request.config.stash[VERSIONS][request.param] = "%s %s" % (
        server.name.split(",")[0], server.version()) + "".join(
            "," + more for more in server.name.split(",")[1:])
    yield from account(scratch, server, binary)


@pytest.fixture
def people(any_world):
    """Those who work on both sides of it."""
    return People(any_world)


@pytest.fixture
def scripted(scratch, binary):
    """Makes worlds with a server of the given kind (personas.py)."""
    made = []

    def make(kind=Persona, **options):
        _count[0] += 1
        world = ScriptedWorld(scratch / ("s%d" % _count[0]), Server(kind()),
                              binary)
        world.write_config(**options)
        made.append(world)
        return world

    yield make
    for world in made:
        world.script.stop()
        assert world.script.errors == []
