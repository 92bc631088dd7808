import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import faultat  # noqa: E402
import stories  # noqa: E402
from scene import Scene  # noqa: E402
from servers import Dovecot  # noqa: E402
from subjects import Mochila  # noqa: E402

STORIES = ["First", "Changes", "Lost", "Moves", "Again"]
# "fast": a sample of each kind of fault; "full": all; "soak": a sample, and
# then at random
TIER = os.environ.get("MOCHILA_TIER", "fast")
SEED = int(os.environ.get("MOCHILA_SEED") or random.SystemRandom().randrange(
    1 << 32))


def pytest_report_header():
    return "tier %s, MOCHILA_SEED=%d" % (TIER, SEED)


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("MOCHILA") or str(HERE.parents[1] / "mochila")
    assert os.access(path, os.X_OK), "build first, or set MOCHILA"
    return path


@pytest.fixture(scope="session")
def scratch():
    """In memory where that is possible: faults are many, disks are slow."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    base = Path(tempfile.mkdtemp(prefix="mochila-", dir=memory))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot(scratch):
    server = Dovecot(scratch / "dovecot")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def library(scratch):
    return faultat.build(scratch)


_made = {}


@pytest.fixture
def scene(scratch, dovecot, library, binary):
    """scene("Changes"): the scene of that story, put up once."""

    def get(name):
        if name not in _made:
            _made[name] = Scene(scratch / name, dovecot, Mochila(binary),
                                getattr(stories, name)(), library)
        return _made[name]

    return get


@pytest.fixture
def attempt(rng):
    """Make the trials, of a campaign, or in the fast tier some of them."""

    def make(trials, some=1):
        if TIER != "full" and len(trials) > some:
            trials = rng.sample(trials, some)
        wrong = ["%s: %s" % (words, text)
                 for words, run in trials for text in run()]
        assert not wrong, "\n".join(wrong)

    return make


@pytest.fixture
def rng(request):
    """Random numbers that repeat with MOCHILA_SEED."""
    return random.Random("%d %s" % (SEED, request.node.name))
