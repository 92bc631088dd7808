"""The power fails before and after every call that changes something."""

import shutil

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


@pytest.fixture(params=["one disk", "two disks"])
def sudden(request, scratch, dovecot, library, binary):
    """A scene in which people do things right before the run, and do not make
    them durable; the journal is on the same disk as the Maildir, or not."""
    base = scratch / ("CutSudden%d" % request.param_index)
    try:
        place = Image(base)
    except (NoImage, OSError) as e:
        pytest.skip("no file system whose power can be cut: %s" % e)
    try:
        s = Scene(base, dovecot, Mochila(binary), stories.Sudden(), library,
                  place)
        s.restore()
        if request.param == "two disks":
            shutil.copytree(s.world.state, base / "state")
            s.world.state = base / "state"
            s.configure(s.world.user)
            s.must_run()  # the journal is another file now
            place.flush()
        yield s
    finally:
        place.close()


def test_power_cut_after_people_were_there(sudden):
    """What a row says is here is on the disk, whoever put it here: else the
    cut would look like a person who removes it."""
    s = sudden
    for files in 1, 20:
        s.story.suddenly(s.world, files)
        s.must_run()
        there, here = s.look()
        assert there == here
        assert sum(there["INBOX"].values()) == 3 + s.story.came
        s.place.cut()
        s.must_run()
        assert s.look() == (there, here)


def test_it_would_be_noticed(island):
    """When nothing is made durable a cut undoes what was reported as done:
    these tests can fail."""
    wrong = island.trial(
        Fault("lie-from", 1, "fsync,fdatasync,syncfs,msync"),
        island.place.cut)
    assert any("exit status 0, but not done" in text for text in wrong)
