"""Faults at random, one after the other, for MOCHILA_SOAK_SECONDS."""

import os
import time

import pytest

import campaign
from conftest import STORIES, TIER
from faultat import Fault

MODES = ["kill", "killafter", "short", "full"] + [
    how + ":" + name for how in ("errno", "errno-from")
    for name in ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EMFILE", "ECONNRESET")]


def chain(scene, rng):
    """Faults in up to four runs, each of which recovers from the last."""
    calls = len(scene.calls())
    faults = [Fault(rng.choice(MODES), rng.randint(1, calls))
              for _ in range(rng.randint(1, 4))]
    scene.restore()
    try:
        wrong = []
        for fault in faults:
            wrong += scene.check_a(scene.run(fault))
        return " then ".join(map(str, faults)), wrong + scene.settle()
    finally:
        scene.drop()


def bad_line(scene, rng):
    kind = rng.choice(campaign.CUTS + campaign.BYES)
    trials = kind.trials(scene)
    words, run = rng.choice(trials)
    return words, run()


@pytest.mark.skipif(TIER != "soak", reason="only in the soak tier")
def test_random_faults(scene, rng):
    end = time.monotonic() + float(os.environ.get("MOCHILA_SOAK_SECONDS", 60))
    tried, bad = 0, []
    while time.monotonic() < end:
        story = rng.choice(STORIES)
        words, wrong = rng.choice([chain, chain, bad_line])(scene(story), rng)
        tried += 1
        bad += ["%s, %s: %s" % (story, words, text) for text in wrong]
    assert not bad, "%d tried\n%s" % (tried, "\n".join(bad))
    print("%d tried" % tried)
