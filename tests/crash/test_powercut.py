"""The power fails before and after every call that changes something."""

import pytest

import stories
from conftest import TIER
from faultat import Fault
from image import Image, NoImage
from scene import Scene
from subjects import Mochila

FAST = 4


@pytest.fixture(scope="module", params=["First", "Changes", "Lost"])
def island(request, scratch, dovecot, library, binary):
    """The scene of a story on a disk of its own."""
    base = scratch / ("Cut" + request.param)
    try:
        place = Image(base)
        place.cut()
    except (NoImage, OSError) as e:
        pytest.skip("no file system whose power can be cut: %s" % e)
    try:
        yield Scene(base, dovecot, Mochila(binary),
                    getattr(stories, request.param)(), library, place)
    finally:
        place.close()


def sample(rng, calls, *modes):
    faults = [Fault(mode, n) for n in range(1, len(calls) + 1)
              for mode in modes]
    return faults if TIER != "fast" else rng.sample(faults, FAST)


def test_power_cut(island, rng):
    calls = island.calls()
    wrong = []
    for fault in sample(rng, calls, "kill", "killafter"):
        for text in island.cut_trial(fault):
            wrong.append("%s (%s): %s" % (
                fault, " ".join(calls[min(fault.at, len(calls)) - 1]), text))
    assert not wrong, "\n".join(wrong)


def test_power_cut_after_the_end(island):
    """What a run that ended well has done is on the disk."""
    assert island.cut_trial(Fault()) == []


def test_it_would_be_noticed(island):
    """When nothing is made durable a cut undoes what was reported as done:
    these tests can fail."""
    wrong = island.cut_trial(
        Fault("lie-from", 1, "fsync,fdatasync,syncfs,msync"))
    assert any("exit status 0, but not done" in text for text in wrong)
