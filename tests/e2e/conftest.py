import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from servers import Dovecot  # noqa: E402
from world import World  # noqa: E402

TOP = Path(__file__).resolve().parents[2]


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


_count = [0]


@pytest.fixture
def world(scratch, dovecot, binary):
    _count[0] += 1
    user = "u%d" % _count[0]
    w = World(scratch / user, dovecot, user, binary)
    yield w
    w.server.close()


@pytest.fixture
def tls_world(scratch, dovecot, binary):
    _count[0] += 1
    user = "u%d" % _count[0]
    w = World(scratch / user, dovecot, user, binary, tls=True)
    yield w
    w.server.close()
