"""A fault at every call that changes something."""

import pytest
from collections import Counter

from conftest import TIER
from faultat import Fault

STORIES = ["First", "Changes", "Lost"]
# how many points of each kind the fast tier tries in each story
FAST = 3

WRITES = "write,pwrite,writev"


def in_words(scene, fault, calls):
    """What call it was: numbers alone say little in another run."""
    at = fault.at - 1
    return "%s (%s)" % (fault, " ".join(calls[at])
                        if at < len(calls) else "beyond the end")


def campaign(scene, rng, faults, calls):
    """Try each of FAULTS, or a sample; all that was wrong, as lines."""
    if TIER == "fast" and len(faults) > FAST:
        faults = rng.sample(faults, FAST)
    wrong = []
    for fault in faults:
        for text in scene.trial(fault):
            wrong.append("%s: %s" % (in_words(scene, fault, calls), text))
    assert not wrong, "%d of %d\n%s" % (
        len({w.split(":")[0] for w in wrong}), len(faults), "\n".join(wrong))


def all_of(mode, calls, names=None):
    return [Fault(mode, n, names) for n in range(1, len(calls) + 1)]


@pytest.mark.parametrize("story", STORIES)
def test_without_a_fault(scene, story):
    """What the other tests compare with, against what people would say."""
    s = scene(story)
    for side in s.expected:
        assert {box: Counter((t, frozenset(f.split())) for t, f in messages)
                for box, messages in s.story.END.items()} == side
    calls = s.calls()
    kinds = {name for name, _ in calls}
    assert {"openat", "write", "renameat2", "fsync", "fdatasync", "pwrite",
            "send", "connect"} <= kinds, kinds
    assert s.trial(Fault()) == []


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("mode", ["kill", "killafter"])
def test_kill(scene, rng, story, mode):
    s = scene(story)
    calls = s.calls()
    campaign(s, rng, all_of(mode, calls), calls)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("mode", ["short", "full"])
def test_short_writes(scene, rng, story, mode):
    s = scene(story)
    calls = s.calls(Fault(calls=WRITES))
    campaign(s, rng, all_of(mode, calls, WRITES), calls)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("how", ["errno", "errno-from"])
@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EDQUOT", "EROFS"])
def test_disk_errors(scene, rng, story, how, name):
    s = scene(story)
    calls = s.calls(Fault(calls="file"))
    campaign(s, rng, all_of("%s:%s" % (how, name), calls, "file"), calls)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("how", ["errno", "errno-from"])
def test_no_descriptor_left(scene, rng, story, how):
    s = scene(story)
    calls = s.calls(Fault(calls="descriptor"))
    campaign(s, rng, all_of(how + ":EMFILE", calls, "descriptor"), calls)


@pytest.mark.parametrize("story", STORIES)
def test_send_fails(scene, rng, story):
    s = scene(story)
    calls = s.calls(Fault(calls="net"))
    campaign(s, rng, all_of("errno:EPIPE", calls, "net") +
             all_of("errno-from:ECONNRESET", calls, "net"), calls)
