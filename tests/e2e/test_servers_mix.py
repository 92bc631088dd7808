"""Many changes at random on each of the servers, and in each tier."""

import os
import random
import shutil

import pytest

from servers_mix import Mix
from world import World


def begin(world):
    seed = int(os.environ.get("MOCHILA_SEED", "20261124"))
    print("MOCHILA_SEED=%d" % seed)
    mix = Mix(world, random.Random(seed))
    mix.begin(25)
    world.sync()
    mix.check()
    return mix


def test_three_hundred_changes(any_world):
    """300 changes at random on both sides, in two runs"""
    mix = begin(any_world)
    for _ in range(2):
        mix.change(150)
        any_world.sync()
        mix.check()
        any_world.assert_settled()


TIERS = {"qresync": [], "condstore": ["qresync"],
         "plain": ["qresync", "condstore"]}


@pytest.fixture
def copies(world, scratch, dovecot, binary):
    """copy(name, OPTIONS): the same world again, for another user."""
    made = []

    def copy(name, **options):
        user = "%s-%s" % (world.user, name)
        other = World(scratch / user, dovecot, user, binary)
        made.append(other)
        for old, new in ((world.root, other.root),
                         (world.state, other.state),
                         (dovecot.maildir(world.user).parent,
                          dovecot.maildir(user).parent)):
            shutil.copytree(old, new, symlinks=True)
        for top, dirs, files in os.walk(dovecot.maildir(user).parent):
            for path in [top] + [os.path.join(top, f) for f in files]:
                st = os.lstat(dovecot.maildir(world.user))
                os.chown(path, st.st_uid, st.st_gid)
        other.write_config(**options)
        return other

    yield copy
    for other in made:
        other.server.close()


def test_tiers_give_the_same(world, copies):
    """From one start, each tier of mod-sequences gives the same end."""
    mix = begin(world)
    mix.change(150)
    for name, disabled in TIERS.items():
        mix.world = copies(name, disable_extensions=disabled)
        mix.server = mix.world.server
        mix.world.sync("--trace", str(mix.world.trace))
        sent = b"\n".join(mix.world.commands())
        assert (b"(QRESYNC (" in sent) == (name == "qresync")
        assert (b"(CHANGEDSINCE " in sent) == (name == "condstore")
        mix.check()
        mix.world.assert_settled()
