"""Random histories; those that once failed; and the ways to the same end.

MOCHILA_TIER: fast (default), full, or soak; MOCHILA_SOAK_SECONDS is how long
the last may take.  MOCHILA_SEED is the first of the seeds (0; in the soak the
time): a test that fails names its own, and
    MOCHILA_SEED=SEED pytest test_model.py
begins with it, while
    model.py --seeds SEED
makes its list short and keeps it.
"""

import json
import os
import time
from pathlib import Path

import pytest

from model import Bench, Generator, TIERS

TIER = os.environ.get("MOCHILA_TIER", "fast")
SEED = os.environ.get("MOCHILA_SEED")
FIRST = int(SEED or 0)
SEEDS = range(FIRST, FIRST + {"fast": 3, "full": 200, "soak": 200}[TIER])
PATHS = range(FIRST, FIRST + {"fast": 1, "full": 30, "soak": 30}[TIER])
KEPT = sorted((Path(__file__).parent / "seeds").glob("*.json"))


@pytest.fixture(scope="module")
def bench(scratch, dovecot, binary):
    return Bench(scratch, dovecot, binary)


@pytest.mark.parametrize("kept", KEPT, ids=[p.stem for p in KEPT])
def test_kept(bench, kept):
    e, _ = bench.trial(json.loads(kept.read_text())["ops"])
    assert e is None, str(e)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_history(bench, seed):
    e, _ = bench.trial(Generator(seed).ops(40))
    assert e is None, "MOCHILA_SEED=%d: %s" % (seed, e)


def plain(op):
    return ["sync", {}] if op[0] == "sync" else op


def with_options(**options):
    return lambda op: ["sync", options] if op[0] == "sync" else op


WAYS = {"full": with_options(full=True),
        **{"without " + " ".join(t): with_options(tier=n)
           for n, t in enumerate(TIERS) if t}}


@pytest.mark.parametrize("seed", PATHS)
def test_every_way_ends_alike(bench, seed):
    """Looking at everything, and servers that can do less, give what the
    quick way gives."""
    ops = Generator("ways %d" % seed, odd=False).ops(24)
    e, end = bench.trial(ops, plain)
    assert e is None, "MOCHILA_SEED=%d: %s" % (seed, e)
    for way, change in WAYS.items():
        e, other = bench.trial(ops, change)
        assert e is None, "MOCHILA_SEED=%d, %s: %s" % (seed, way, e)
        assert other == end, "MOCHILA_SEED=%d, %s: %s, not %s" % (
            seed, way, other - end, end - other)


@pytest.mark.skipif(TIER != "soak", reason="only in the soak tier")
def test_soak(bench):
    end = time.monotonic() + float(os.environ.get("MOCHILA_SOAK_SECONDS",
                                                  "3600"))
    seed = int(SEED or time.time())
    while time.monotonic() < end:
        e, _ = bench.trial(Generator(seed).ops(60))
        assert e is None, "MOCHILA_SEED=%d, 60 operations: %s" % (seed, e)
        seed += 1
