"""A fault at every call that changes something."""

from collections import Counter

import pytest

from campaign import EMFILE, ERRORS, KILLS, SENDS, SHORT
from conftest import STORIES
from faultat import Fault


@pytest.mark.parametrize("story", STORIES)
def test_without_a_fault(scene, story):
    """What the other tests compare with, against what people would say."""
    s = scene(story)
    for side in s.expected:
        assert {box: Counter((t, frozenset(f.split())) for t, f in messages)
                for box, messages in s.story.END.items()} == side
    kinds = {name for name, _ in s.calls()}
    assert {"openat", "write", "renameat2", "fsync", "fdatasync", "pwrite",
            "send", "connect"} <= kinds, kinds
    assert s.trial(Fault()) == []


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", KILLS + SHORT + ERRORS + EMFILE + SENDS,
                         ids=lambda kind: kind.name)
def test_fault(scene, attempt, story, kind):
    attempt(kind.trials(scene(story)))


@pytest.mark.parametrize("kind", EMFILE[:1] + ERRORS[:1],
                         ids=lambda kind: kind.name)
def test_a_file_whose_message_id_cannot_be_read(scene, kind):
    """All else being equal, it may be the new message, or may not."""
    s = scene("Alike")
    wrong = ["%s: %s" % (words, text) for words, run in kind.trials(s)
             if "Mail/still" in words for text in run()]
    assert not wrong, "\n".join(wrong)
