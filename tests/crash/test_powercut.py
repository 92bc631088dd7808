"""The power fails before and after every call that changes something."""

import pytest

import stories
from campaign import POWER
from conftest import STORIES
from faultat import Fault
from image import Image, NoImage
from scene import Scene
from subjects import Mochila


@pytest.fixture(scope="module", params=STORIES)
def island(request, scratch, dovecot, library, binary):
    """The scene of a story on a disk of its own."""
    base = scratch / ("Cut" + request.param)
    try:
        place = Image(base)
    except (NoImage, OSError) as e:
        pytest.skip("no file system whose power can be cut: %s" % e)
    try:
        yield Scene(base, dovecot, Mochila(binary),
                    getattr(stories, request.param)(), library, place)
    finally:
        place.close()


@pytest.mark.parametrize("kind", POWER, ids=lambda kind: kind.name)
def test_power_cut(island, attempt, kind):
    attempt(kind.trials(island))


def test_power_cut_after_the_end(island):
    """What a run that ended well has done is on the disk."""
    assert island.trial(Fault(), island.place.cut) == []


def test_it_would_be_noticed(island):
    """When nothing is made durable a cut undoes what was reported as done:
    these tests can fail."""
    wrong = island.trial(
        Fault("lie-from", 1, "fsync,fdatasync,syncfs,msync"),
        island.place.cut)
    assert any("exit status 0, but not done" in text for text in wrong)
