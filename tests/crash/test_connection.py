"""A bad line, and answers that never come."""

import time

import pytest

from conftest import TIER
from relay import Line

STORIES = ["First", "Changes", "Lost"]
FAST = 4
FULL = 400  # cuts in each direction


def over(scene, **trouble):
    """One trial of SCENE over a line with TROUBLE: (line, what was wrong)."""
    scene.restore()
    line = Line(scene.port, **trouble)
    try:
        scene.configure(scene.world.user, line.port)
        begin = time.monotonic()
        done = scene.run()
        line.seconds = time.monotonic() - begin
        line.wait()
        line.close()
        line.status = done.returncode
        scene.configure(scene.world.user)
        return line, scene.check_a(done) + scene.settle()
    finally:
        scene.drop()


def whole(scene):
    line, wrong = over(scene)
    assert wrong == [] and line.status == 0
    return line


def campaign(scene, troubles):
    wrong, missed = [], 0
    for trouble in troubles:
        line, bad = over(scene, **trouble)
        missed += not line.hit
        wrong += ["%s: %s" % (trouble, text) for text in bad]
    assert not wrong, "\n".join(wrong)
    return missed


def places(rng, end):
    """Of 1 to END: FAST of them, or FULL, evenly, and at random in a cell."""
    if TIER == "fast":
        return rng.sample(range(1, end + 1), min(FAST, end))
    step = max(1, end // FULL)
    return [min(end, at + rng.randrange(step))
            for at in range(1, end + 1, step)]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_cut(scene, rng, story, down):
    s = scene(story)
    end = whole(s).octets[down]
    campaign(s, [{"cut": n, "down": down, "rst": bool(n % 2)}
                 for n in places(rng, end)])


@pytest.mark.parametrize("story", STORIES)
def test_bye(scene, rng, story):
    s = scene(story)
    end = whole(s).lines
    ats = range(1, end + 1) if TIER != "fast" else rng.sample(
        range(1, end + 1), FAST)
    campaign(s, [{"bye": n} for n in ats])


@pytest.mark.parametrize("down", [True, False], ids=["down", "up"])
def test_stall(scene, rng, down):
    s = scene("Changes")
    end = whole(s).octets[down]
    ats = [rng.randrange(1, end)] if TIER == "fast" else [
        end * n // 12 for n in range(1, 12)]
    try:
        s.options = {"timeout": 5}
        for at in ats:
            line, wrong = over(s, stall=at, down=down)
            assert wrong == [] and line.hit
            # it ends by itself, and says that it was not able to
            assert line.status != 0 and 4 < line.seconds < 15, at
    finally:
        s.options = {}


def test_octet_by_octet(scene):
    line, wrong = over(scene("Changes"), piece=1)
    assert wrong == [] and line.status == 0


MUST = {"APPEND", "STORE", "EXPUNGE", "CREATE", "DELETE"}
MAY = {"MOVE", "COPY", "RENAME"}


@pytest.mark.parametrize("more", [False, True], ids=["tagged", "all"])
def test_answer_lost(scene, rng, more):
    """Done there, not known here: found out, and not done twice."""
    s = scene("Changes")
    sent = [words for _, words in whole(s).commands]
    assert MUST <= set(sent), sent
    troubles = [{"lose": (words, n), "more": more}
                for words in sorted(MUST | MAY)
                for n in range(1, sent.count(words) + 1)]
    if TIER == "fast":
        troubles = rng.sample(troubles, FAST)
    campaign(s, troubles)
