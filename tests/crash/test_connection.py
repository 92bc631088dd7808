"""A bad line, and answers that never come."""

import time

import pytest

from campaign import BYES, CUTS, LOST, OCTETS, SPARE, over
from conftest import STORIES, TIER


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", CUTS + BYES, ids=lambda kind: kind.name)
def test_cut(scene, attempt, story, kind):
    attempt(kind.trials(scene(story)))


@pytest.mark.parametrize("kind", OCTETS, ids=lambda kind: kind.name)
def test_cut_after_each_octet(scene, attempt, kind):
    """Of a small dialogue; where the others are cut is no choice of theirs."""
    attempt(kind.trials(scene("Small")), 4)
    assert kind.missed <= SPARE


def test_answer_lost(scene, attempt):
    """Done there, not known here: found out, and not done twice."""
    trials = LOST[0].trials(scene("Changes"))
    for words in "APPEND", "CREATE", "DELETE", "EXPUNGE", "MOVE", "STORE":
        assert any(words in what for what, _ in trials), words
    attempt(trials)


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_stall(scene, rng, down):
    s = scene("Changes")
    end = over(s)[0].octets[down]
    ats = [rng.randrange(1, end)] if TIER != "full" else [
        end * n // 12 for n in range(1, 12)]
    try:
        s.options = {"timeout": 5}
        for at in ats:
            begin = time.monotonic()
            line, wrong, status = over(s, stall=at, down=down)
            assert wrong == [] and line.hit, at
            # it ends by itself, and says that it was not able to
            assert status != 0 and time.monotonic() - begin < 30, at
    finally:
        s.options = {}


def test_octet_by_octet(scene):
    line, wrong, status = over(scene("Changes"), piece=1)
    assert wrong == [] and status == 0
