"""Changes made here in many mailboxes: the SELECT of the next one goes out
behind the changes in this one, and nothing that changes ever goes out behind
a SELECT that has not been answered."""

import re

import pytest

from personas import Persona
from relay import Line
from test_pipeline import TIERS, Bare, at, end, filled, refuse, second
from world import message

BOXES = ["INBOX", "a", "b", "c", "d"]
CHANGES = re.compile(rb"(?:UID )?(?:STORE|EXPUNGE|MOVE|COPY)\b")


class InOrder(Line):
    """Notes what goes up and which answers come down, as they pass."""

    def __init__(self, port):
        self.seen = []
        super().__init__(port)

    def serve(self, client, server):
        self.seen.append((False, b"", b"begin"))
        super().serve(client, server)

    def pass_on(self, to, data, down):
        for line in data.split(b"\r\n"):
            tag, _, rest = line.partition(b" ")
            if re.fullmatch(rb"m\d+", tag):
                self.seen.append((down, tag, rest))
        super().pass_on(to, data, down)

    def check(self):
        """How often a SELECT went up beside a change that was not answered;
        no change may go up behind a SELECT that was not."""
        waits, changes, beside = set(), set(), 0
        for down, tag, rest in self.seen:
            if rest == b"begin":
                waits, changes = set(), set()
            elif down:
                waits.discard(tag)
                changes.discard(tag)
            elif rest.startswith((b"SELECT", b"EXAMINE")):
                waits.add(tag)
                beside += bool(changes)
            elif CHANGES.match(rest):
                assert not waits, (tag, rest)
                changes.add(tag)
        return beside


@pytest.fixture
def ordered(scripted):
    """filled() and synced, through a line that notes the order; at the end
    the order is checked."""
    lines = []

    def make(kind=Persona, n=3):
        world = filled(scripted, kind, n)
        lines.append(InOrder(world.script.port))
        world.write_config(port=lines[-1].port)
        world.sync()
        lines[-1].seen.clear()
        return world

    make.beside = lambda: lines[-1].check()
    yield make
    for line in lines:
        line.check()
        line.close()


def read_here(world, boxes=BOXES):
    """The second message of each mailbox is read."""
    for box in boxes:
        world.set_letters("%s-1" % box, "S", box)


def delete_here(world, boxes=BOXES):
    for box in boxes:
        world.file_of("%s-1" % box, box).unlink()


def marked(world, flag):
    """The messages there that have FLAG, by what distinguishes them."""
    return sorted(re.search(rb"message (\S+)", m["body"]).group(1).decode()
                  for box in world.server.mailboxes()
                  for m in world.server.messages(box).values()
                  if flag in m["flags"])


def there(world):
    return sorted(token for box in BOXES for token in world.tokens(box)[0])


ALL = sorted("%s-%d" % (box, i) for box in BOXES for i in range(3))
SECOND = sorted("%s-1" % box for box in BOXES)


def but(tokens, *without):
    return [t for t in tokens if t not in without]


def renumber(world, box):
    """BOX is replaced, and each of its UIDs is another message now."""
    def act(session, tag):
        with world.script.store.lock:
            b = world.server.held.find(box)
            b.mail = dict(zip(b.mail, list(b.mail.values())[::-1]))
            b.mail[99] = b.mail.pop(2)
            b.uidnext, b.uidvalidity = 100, next(world.server.held.validity)
            b.mail = {2: b.mail[1], 3: b.mail[3], 99: b.mail[99]}
            b.modseq = {u: 1 for u in b.mail}
            b.highest, b.expunged = 1, []
        return False
    return act


def for_changes(kind, box, act, times=1):
    """For server.answer: ACT when BOX is opened to be changed.  (Without
    mod-sequences it was opened before, to list it.)"""
    if kind is Bare:
        return at(box, second(act), times + 1)
    return at(box, act, times)


# flags

@pytest.mark.parametrize("kind", TIERS)
def test_flags_of_all(ordered, kind):
    world = ordered(kind)
    read_here(world)
    world.sync()
    assert marked(world, "\\Seen") == SECOND
    assert ordered.beside() == len(BOXES) - 1
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
def test_a_mailbox_is_refused_between_flags(ordered, kind):
    world = ordered(kind)
    read_here(world)
    world.script.answer = {b"SELECT": for_changes(kind, "b", refuse, 9)}
    done = world.sync(status=65)
    assert "b:" in done.err and "UNAVAILABLE" in done.err
    assert marked(world, "\\Seen") == but(SECOND, "b-1")
    world.assert_recovers()
    assert marked(world, "\\Seen") == SECOND


@pytest.mark.parametrize("kind", TIERS)
def test_another_generation_between_flags(ordered, kind):
    world = ordered(kind)
    read_here(world)
    world.script.answer = {b"SELECT": for_changes(
        kind, "b", renumber(world, "b"))}
    world.sync(status=65)
    # UID 2 of b, which had to be marked, is another message
    assert marked(world, "\\Seen") == but(SECOND, "b-1")
    world.assert_recovers()
    assert marked(world, "\\Seen") in (SECOND, but(SECOND, "b-1"))


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("said", [b"NO [CANNOT] not this one",
                                  b"BAD what is that?"])
def test_one_store_is_refused(ordered, kind, said):
    world = ordered(kind)
    read_here(world)

    def answer(session, tag, words):
        if session.box.name != "b":
            return False
        session.line(tag + b" " + said)
        return True

    world.script.answer = {b"UID STORE": answer}
    done = world.sync(status=65)
    assert done.err.count("refuses the change") == 1
    assert marked(world, "\\Seen") == but(SECOND, "b-1")
    world.assert_recovers()
    assert marked(world, "\\Seen") == SECOND


@pytest.mark.parametrize("kind", TIERS)
def test_refused_in_company(ordered, kind):
    world = ordered(kind, n=6)
    for box in BOXES:
        for i in range(6):
            world.set_letters("%s-%d" % (box, i), "S", box)

    def answer(session, tag, words):
        if session.box.name != "b" or 4 not in session.named(words[0], True):
            return False
        session.line(tag + b" NO [CANNOT] not this one")
        return True

    world.script.answer = {b"UID STORE": answer}
    done = world.sync(status=65)
    assert done.err.count("refuses the change") == 1
    assert marked(world, "\\Seen") == sorted(
        "%s-%d" % (box, i) for box in BOXES for i in range(6)
        if (box, i) != ("b", 3))
    world.assert_recovers()


@pytest.mark.parametrize("kind", TIERS)
def test_added_and_removed_at_once(ordered, kind):
    """Two rounds of STORE; the next mailbox is opened behind the second."""
    world = ordered(kind)
    for box in BOXES:
        world.server.flag(box, 2, ["\\Flagged"])
    world.sync()
    read_here(world)
    world.sync()
    assert marked(world, "\\Seen") == SECOND
    assert marked(world, "\\Flagged") == []
    assert ordered.beside() == len(BOXES) - 1
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("when", ["select", "store"])
def test_the_server_goes_away_between_flags(ordered, kind, when):
    world = ordered(kind)
    read_here(world)

    def store(session, tag, words):
        return session.box.name == "c" and end(session, tag)

    world.script.answer = (
        {b"SELECT": for_changes(kind, "c", end)} if when == "select" else
        {b"UID STORE": store})
    done = world.sync(status=69)
    assert "overloaded" in done.err
    assert marked(world, "\\Seen") == ["INBOX-1", "a-1", "b-1"]
    world.script.well()
    world.script.commands.clear()
    world.sync()
    # what was answered is recorded, and is not told again
    assert sum(b"UID STORE" in c for c in world.script.commands) == 2
    assert marked(world, "\\Seen") == SECOND
    world.assert_settled()


def test_a_select_is_answered_before_its_turn(ordered):
    """Nothing that came can be understood then."""
    world = ordered()
    read_here(world)
    early = []

    def rewrite(session, line):
        # the answer to the STORE in a is kept until that to SELECT b came
        if b" OK " in line and session.box and session.box.name == "a" and \
                world.script.commands[-1].startswith(b"UID STORE"):
            early.append(line)
            return []
        if early and re.match(rb"m\d+ OK \[READ-", line):
            return [line, early.pop()]
        return [line]

    world.script.rewrite = rewrite
    done = world.sync(status=None)
    assert done.returncode in (69, 76), done.err
    assert "another order" in done.err
    world.assert_recovers()
    assert marked(world, "\\Seen") == SECOND


# deletes

@pytest.mark.parametrize("kind", TIERS)
def test_deletes_of_all(ordered, kind):
    world = ordered(kind)
    delete_here(world)
    world.sync()
    assert there(world) == but(ALL, *SECOND)
    assert ordered.beside() == len(BOXES) - 1
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
def test_a_mailbox_is_refused_between_deletes(ordered, kind):
    world = ordered(kind)
    delete_here(world)
    world.script.answer = {b"SELECT": for_changes(kind, "b", refuse, 9)}
    world.sync(status=65)
    assert there(world) == but(ALL, *but(SECOND, "b-1"))
    world.assert_recovers()
    assert there(world) == but(ALL, *SECOND)


@pytest.mark.parametrize("kind", TIERS)
def test_another_generation_between_deletes(ordered, kind):
    world = ordered(kind)
    delete_here(world)
    world.script.answer = {b"SELECT": for_changes(
        kind, "b", renumber(world, "b"))}
    world.sync(status=65)
    # UID 2 of b was to go, and is another message now
    assert there(world) == but(ALL, *but(SECOND, "b-1"))
    assert marked(world, "\\Deleted") == []
    world.assert_recovers()
    assert there(world) == but(ALL, *but(SECOND, "b-1"))


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("word", [b"UID STORE", b"UID EXPUNGE"])
def test_one_expunge_is_refused(ordered, kind, word):
    world = ordered(kind)
    delete_here(world)

    def answer(session, tag, words):
        if session.box.name != "b":
            return False
        session.line(tag + b" NO [NOPERM] no")
        return True

    world.script.answer = {word: answer}
    done = world.sync(status=65)
    assert "NOPERM" in done.err
    assert there(world) == but(ALL, *but(SECOND, "b-1"))
    world.assert_recovers()
    assert there(world) == but(ALL, *SECOND)


@pytest.mark.parametrize("kind", TIERS)
def test_the_server_goes_away_between_deletes(ordered, kind):
    world = ordered(kind)
    delete_here(world)

    world.script.answer = {b"SELECT": for_changes(kind, "c", end)}
    world.sync(status=69)
    assert there(world) == but(ALL, "INBOX-1", "a-1", "b-1")
    world.script.well()
    world.script.commands.clear()
    world.sync()
    assert sum(b"UID EXPUNGE" in c for c in world.script.commands) == 2
    assert there(world) == but(ALL, *SECOND)
    world.assert_settled()


@pytest.mark.parametrize("move", [True, False])
def test_deletes_that_go_to_the_trash(scripted, move):
    class Kind(Persona):
        caps = Persona.caps if move else Persona.caps.replace("MOVE ", "")

    world = filled(scripted, Kind)
    world.server.create("Trash")
    line = InOrder(world.script.port)
    world.write_config(port=line.port, on_local_delete="trash", trash="Trash")
    world.sync()
    line.seen.clear()
    delete_here(world)
    world.sync()
    assert there(world) == but(ALL, *SECOND)
    assert world.tokens("Trash")[0] == SECOND
    assert line.check() == len(BOXES) - 1
    world.assert_settled()
    line.close()


def with_trash(scripted):
    """Without MOVE a message is copied to the trash, and expunged then."""
    class Kind(Persona):
        caps = Persona.caps.replace("MOVE ", "")

    world = scripted(Kind, on_local_delete="trash", trash="Trash")
    world.server.create("Trash")
    world.fill(3)
    return world


@pytest.mark.parametrize("refused", [b"UID STORE", b"UID EXPUNGE"])
def test_what_cannot_be_expunged_goes_to_the_trash_once(scripted, refused):
    world = with_trash(scripted)
    world.file_of("m1").unlink()
    world.script.answer[refused] = b"NO [NOPERM] not you"
    for _ in range(3):
        world.sync(status=65)
    assert world.tokens("Trash") == (["m1"],) * 2
    world.script.well()
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("Trash") == (["m1"],) * 2
    world.assert_settled()


def test_what_was_cut_off_goes_to_the_trash_once(scripted):
    world = with_trash(scripted)
    world.file_of("m1").unlink()
    world.script.answer[b"UID STORE"] = [lambda s, tag, words: end(s, tag)]
    world.sync(status=69)
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("Trash") == (["m1"],) * 2
    world.assert_settled()


def test_what_leaves_the_trash_now_is_not_in_it(scripted):
    """Its like goes to the trash while the older one is expunged there."""
    world = with_trash(scripted)
    world.server.append("Trash", message("m1"))
    world.sync()
    world.file_of("m1").unlink()
    world.file_of("m1", "Trash").unlink()
    world.sync()
    assert world.tokens() == (["m0", "m2"],) * 2
    assert world.tokens("Trash") == (["m1"],) * 2
    world.assert_settled()


@pytest.mark.parametrize("move", [True, False])
def test_moves_out_of_many_mailboxes(ordered, move):
    class Kind(Persona):
        caps = Persona.caps if move else Persona.caps.replace("MOVE ", "")

    world = ordered(Kind)
    for box in BOXES[:-1]:
        path = world.file_of("%s-1" % box, box)
        path.rename(world.root / "d" / "cur" / path.name)
    world.sync()
    assert there(world) == ALL
    assert world.tokens("d")[0] == sorted(but(SECOND, "d-1") + [
        "d-0", "d-1", "d-2"])
    assert ordered.beside() == len(BOXES) - 2
    world.assert_settled()


# new messages

def new_here(world, n=2):
    for box in BOXES:
        for i in range(n):
            world.local.add(box, message("%s-new%d" % (box, i)),
                            "%d.new.host" % i)


NEW = sorted("%s-new%d" % (box, i) for box in BOXES for i in range(2))


def of(tokens, box):
    return [t for t in tokens if t.startswith(box + "-")]


@pytest.mark.parametrize("kind", TIERS)
def test_new_messages_in_all(ordered, kind):
    world = ordered(kind)
    new_here(world)
    trips = world.summary()["round_trips"]
    assert there(world) == sorted(ALL + NEW)
    # as many as one mailbox costs, where the next pass asks all at once
    for i in range(2):
        world.local.add("a", message("more%d" % i), "%d.more.host" % i)
    again = world.summary()["round_trips"]
    assert again == trips if kind is Persona else again < trips
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize("said", [b"NO [TRYCREATE] no", b"NO [NOPERM] no",
                                  b"BAD what is that?"])
def test_appends_into_one_mailbox_are_refused(ordered, kind, said):
    world = ordered(kind)
    new_here(world)

    def answer(session, tag, words):
        if words[0] != b"b":
            return False
        session.line(tag + b" " + said)
        return True

    world.script.answer = {b"APPEND": answer}
    done = world.sync(status=65)
    assert "b:" in done.err
    assert there(world) == sorted(ALL + but(NEW, *of(NEW, "b")))
    world.script.well()
    if b"TRYCREATE" not in said:
        return  # they are tried again later
    world.sync()
    assert there(world) == sorted(ALL + NEW)
    world.assert_settled()


@pytest.mark.parametrize("kind", TIERS)
def test_the_server_goes_away_between_appends(ordered, kind):
    world = ordered(kind)
    new_here(world)

    def answer(session, tag, words):
        return words[0] == b"c" and end(session, tag)

    world.script.answer = {b"APPEND": answer}
    world.sync(status=69)
    came = of(NEW, "INBOX") + of(NEW, "a") + of(NEW, "b")
    assert there(world) == sorted(ALL + came)
    world.script.well()
    world.script.commands.clear()
    world.sync()
    assert sum(c.startswith(b"APPEND") for c in world.script.commands) == 4
    assert there(world) == sorted(ALL + NEW)
    world.assert_settled()


def test_many_into_a_mailbox_among_others(ordered):
    """It is opened for them, which waits for those before."""
    world = ordered()
    new_here(world)
    for i in range(20):
        world.local.add("b", message("b-many%d" % i), "%d.many.host" % i)
    world.sync()
    assert there(world) == sorted(
        ALL + NEW + ["b-many%d" % i for i in range(20)])
    assert len(world.dump()) == len(ALL) + len(NEW) + 20
    assert sum(c.startswith(b"APPEND") for c in world.script.commands) == \
        len(NEW) + 20
    world.assert_settled()


def test_one_mailbox_cannot_be_read_here(ordered):
    world = ordered()
    new_here(world)
    path = world.root / "b" / "new" / "0.new.host"
    path.write_bytes(path.read_bytes() + b"\0")
    done = world.sync(status=65)
    assert "NUL" in done.err
    assert there(world) == sorted(ALL + but(NEW, "b-new0"))


def test_one_mailbox_more_is_one_round_trip_more(scripted):
    """The changes of one and the SELECT of the next share it."""
    costs = []
    for n in (2, 12):
        world = scripted()
        for i in range(n):
            world.server.create("box%02d" % i)
            for k in range(2):
                world.server.append("box%02d" % i, message(
                    "box%02d-%d" % (i, k)))
        world.sync()
        boxes = ["box%02d" % i for i in range(n)]
        read_here(world, boxes)
        flags = world.summary()["round_trips"]
        delete_here(world, boxes)
        costs.append((flags, world.summary("--allow-deletes")["round_trips"]))
        world.assert_settled()
    assert [b - a for a, b in zip(*costs)] == [10, 10]
