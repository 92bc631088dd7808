"""Labels: one message in several mailboxes, and an expunge that takes only the
label away."""

from personas import Gmail
from world import message

ALL, TRASH = "[Gmail]/All Mail", "[Gmail]/Trash"


class Small(Gmail):
    caps = Gmail.caps.replace("35651584", "20000")
    append_limit = 20000


def settle(world):
    # what we do in one mailbox shows in others afterwards
    for _ in range(3):
        world.sync()
    world.assert_settled()


def start(scripted, kind=Gmail, n=4):
    world = scripted(kind)
    # by name: what shows the messages of others is left out otherwise
    world.write_config(mailboxes=["*", ALL, "[Gmail]/Important",
                                  "[Gmail]/Starred"])
    world.server.create("work")
    for i in range(n):
        world.server.append("INBOX", message("m%d" % i))
    settle(world)
    assert world.tokens(ALL)[1] == ["m%d" % i for i in range(n)]
    return world


def label(world, token, name):
    with world.script.store.lock:
        inbox, box = (world.script.store.find(b) for b in ("INBOX", name))
        uid = next(u for u, m in inbox.mail.items()
                   if b"message %s\r\n" % token.encode() in m.body)
        return world.script.store.copy(inbox, uid, box)


def unlabel(world, box):
    """Its only message goes, here."""
    (_, _, path), = world.local.files(box)
    path.unlink()


def test_a_message_deleted_here_is_in_the_trash(scripted):
    world = start(scripted)
    world.file_of("m1").unlink()
    settle(world)
    assert world.tokens("INBOX")[0] == ["m0", "m2", "m3"]
    assert world.tokens(TRASH) == (["m1"], ["m1"])
    assert world.tokens(ALL) == (["m0", "m2", "m3"], ["m0", "m2", "m3"])


def test_a_label_given_and_taken_there(scripted):
    world = start(scripted)
    uid = label(world, "m2", "work")
    settle(world)
    assert world.tokens("work") == (["m2"], ["m2"])
    assert len(world.tokens("INBOX")[1]) == 4
    world.server.expunge("work", [uid])
    settle(world)
    assert world.tokens("work") == ([], [])
    assert world.tokens(ALL)[1] == ["m0", "m1", "m2", "m3"]
    assert world.tokens(TRASH) == ([], [])


def test_a_label_taken_here(scripted):
    """The message keeps its other label: no trash, which would take both."""
    world = start(scripted)
    label(world, "m2", "work")
    settle(world)
    unlabel(world, "work")
    settle(world)
    assert world.tokens("work") == ([], [])
    assert len(world.tokens("INBOX")[1]) == 4
    assert world.tokens(TRASH) == ([], [])
    # the last one goes, and so does the message
    world.file_of("m2").unlink()
    settle(world)
    assert world.tokens("INBOX")[0] == ["m0", "m1", "m3"]
    assert world.tokens(TRASH) == (["m2"], ["m2"])


def test_all_labels_taken_here_at_once(scripted):
    world = start(scripted)
    label(world, "m2", "work")
    settle(world)
    unlabel(world, "work")
    world.file_of("m2").unlink()
    settle(world)
    assert world.tokens("INBOX")[0] == ["m0", "m1", "m3"]
    assert world.tokens("work") == ([], [])
    assert world.tokens(TRASH) == (["m2"], ["m2"])


def test_two_of_three_labels_taken_here_at_once(scripted):
    world = start(scripted)
    world.server.create("zeta")
    label(world, "m2", "work")
    label(world, "m2", "zeta")
    settle(world)
    unlabel(world, "work")
    world.file_of("m2").unlink()
    settle(world)
    assert world.tokens("INBOX")[0] == ["m0", "m1", "m3"]
    assert world.tokens("work") == ([], [])
    assert world.tokens("zeta") == (["m2"], ["m2"])
    assert world.tokens(TRASH) == ([], [])
    unlabel(world, "zeta")
    settle(world)
    assert world.tokens(TRASH) == (["m2"], ["m2"])


def test_a_label_is_taken_from_one_of_very_many_of_its_size(scripted):
    """Where the other label is cannot be looked up with so many."""
    world = scripted(Gmail)
    world.server.create("work")
    tokens = ["m%03d" % i for i in range(256)]
    for token in tokens:
        world.server.append("INBOX", message(token))
    world.sync()
    label(world, "m200", "work")
    world.sync()
    world.file_of("m200").unlink()
    world.sync()
    assert "m200" not in world.tokens("INBOX")[0]
    assert world.tokens("work") == (["m200"], ["m200"])
    assert world.tokens(TRASH) == ([], [])


def test_a_message_moved_here_between_labels(scripted):
    world = start(scripted)
    path = world.file_of("m3")
    path.rename(world.root / "work/cur" / (path.name.split(":")[0] + ":2,S"))
    settle(world)
    assert world.tokens("work") == (["m3"], ["m3"])
    assert world.tokens("INBOX") == (["m0", "m1", "m2"], ["m0", "m1", "m2"])
    # one message, and not in the trash
    assert world.tokens(ALL)[0] == ["m0", "m1", "m2", "m3"]
    assert world.tokens(TRASH)[0] == []


def test_flags_are_those_of_all_labels(scripted):
    world = start(scripted)
    label(world, "m0", "work")
    settle(world)
    world.set_letters("m0", "FS")
    settle(world)
    for box in ("INBOX", "work", ALL):
        flags = [m["flags"] for m in world.server.messages(box).values()
                 if b"message m0\r\n" in m["body"]]
        assert flags == [{"\\Seen", "\\Flagged"}]


def test_what_is_over_the_limit_is_not_sent(scripted):
    world = start(scripted, Small)
    world.local.add("INBOX", message("huge", size=30000), "1.huge.host")
    world.local.add("INBOX", message("middling", size=15000), "2.mid.host")
    done = world.sync(status=65)
    assert "1.huge.host" in done.err
    there, here = world.tokens()
    assert "huge" not in there and "huge" in here
    assert "middling" in there
