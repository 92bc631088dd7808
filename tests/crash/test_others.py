"""Kills and bad lines with other servers than Dovecot."""

import random
from collections import Counter

import pytest

import stories
from campaign import BYES, CUTS, KILLS, LOST, OCTETS, SPARE
from conftest import SEED, TIER
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


@pytest.fixture(scope="module")
def made():
    """The scenes that were needed: each is put up once."""
    return {}


# (Courier sleeps for two seconds in each DELETE and RENAME of a mailbox.  What
# takes longest stands last, here and in faults(): run.sh begins at the end.)
TOLD = {Courier: ["First", "NoDelete", "NoRename"],
        Cyrus: ["First", "Moves", "Again", "Changes"]}
ALL = [(kind, story) for kind, stories in TOLD.items() for story in stories]


def words(pair):
    return "%s-%s" % (pair[0].name, pair[1])


def faults():
    """Each kind of fault in each of the stories; in the fast tier in one of
    them, with each server."""
    chosen = random.Random(SEED)
    for server, told in TOLD.items():
        for kind in LOST + KILLS + BYES + CUTS:
            for story in (told if TIER == "full" else [chosen.choice(told)]):
                yield pytest.param((server, story), kind, id="%s-%s" % (
                    words((server, story)), kind.name))


@pytest.fixture
def scene(request, scratch, running, made, library, binary):
    kind, story = request.param
    if kind not in running:
        try:
            running[kind] = kind(scratch / kind.__name__)
        except Missing as e:
            running[kind] = e
    if isinstance(running[kind], Missing):
        pytest.skip(str(running[kind]))
    if request.param not in made:
        made[request.param] = Elsewhere(
            scratch / (kind.name + story), running[kind], Mochila(binary),
            getattr(stories, story)(), library)
    return made[request.param]


@pytest.mark.parametrize("scene", ALL, indirect=True, ids=words)
def test_without_a_fault(scene):
    for side in scene.expected:
        assert {box: Counter((t, frozenset(f.split())) for t, f in messages)
                for box, messages in scene.story.END.items()} == side


@pytest.mark.parametrize("scene, kind", faults(), indirect=["scene"])
def test_fault(scene, attempt, kind):
    attempt(kind.trials(scene))


@pytest.mark.parametrize("scene", [(Cyrus, "Small"), (Courier, "Small")],
                         ids=words, indirect=True)
@pytest.mark.parametrize("kind", OCTETS, ids=lambda kind: kind.name)
def test_cut_after_each_octet(scene, attempt, kind):
    attempt(kind.trials(scene), 2)
    assert kind.missed <= SPARE
