"""Kills and bad lines with other servers than Dovecot."""

from collections import Counter

import pytest

import stories
from campaign import BYES, CUTS, KILLS, LOST, OCTETS, SPARE
from scene import Elsewhere
from servers import Missing
from servers_courier import Courier
from servers_cyrus import Cyrus
from subjects import Mochila


@pytest.fixture(scope="module")
def running(scratch):
    """The servers that were needed, by class; or why there is none."""
    running = {}
    yield running
    for server in running.values():
        if not isinstance(server, Missing):
            server.stop()


def words(pair):
    return "%s-%s" % (pair[0].name, pair[1])


# (Courier sleeps for two seconds in each DELETE and RENAME of a mailbox)
@pytest.fixture(scope="module", params=[
    (Cyrus, "First"), (Cyrus, "Changes"), (Cyrus, "Moves"),
    (Courier, "First"), (Courier, "NoDelete"), (Courier, "NoRename")],
    ids=words)
def scene(request, scratch, running, library, binary):
    kind, story = request.param
    if kind not in running:
        try:
            running[kind] = kind(scratch / kind.__name__)
        except Missing as e:
            running[kind] = e
    if isinstance(running[kind], Missing):
        pytest.skip(str(running[kind]))
    return Elsewhere(scratch / (kind.name + story), running[kind],
                     Mochila(binary), getattr(stories, story)(), library)


def test_without_a_fault(scene):
    for side in scene.expected:
        assert {box: Counter((t, frozenset(f.split())) for t, f in messages)
                for box, messages in scene.story.END.items()} == side


@pytest.mark.parametrize("kind", KILLS + CUTS + BYES + LOST,
                         ids=lambda kind: kind.name)
def test_fault(scene, attempt, kind):
    attempt(kind.trials(scene))


@pytest.mark.parametrize("scene", [(Cyrus, "Small"), (Courier, "Small")],
                         ids=words, indirect=True, scope="module")
@pytest.mark.parametrize("kind", OCTETS, ids=lambda kind: kind.name)
def test_cut_after_each_octet(scene, attempt, kind):
    attempt(kind.trials(scene), 2)
    assert kind.missed <= SPARE
