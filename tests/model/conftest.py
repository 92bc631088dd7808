"""The fixtures of the whole-program tests serve here too."""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))

from servers import Dovecot  # noqa: E402

_spec = importlib.util.spec_from_file_location("e2e_conftest",
                                               E2E / "conftest.py")
_e2e = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_e2e)

binary, world = _e2e.binary, _e2e.world


@pytest.fixture(scope="session")
def scratch():
    """In memory where that is possible: runs are many, disks are slow."""
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
