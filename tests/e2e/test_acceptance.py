"""200 mailboxes, 10,000 messages, 300 random changes on both sides."""

import os
import random
import shutil

from world import message

BOXES, EACH, CHANGES = 200, 50, 300
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded"]
LETTERS = "SRFDP"


def change_server(world, rng, boxes, n):
    box = rng.choice(boxes)
    what = rng.choice(["new", "flag", "keyword", "delete", "box"])
    uids = sorted(world.server.messages(box, bodies=False))
    if what == "new" or (what != "box" and not uids):
        world.server.append(box, message("server-%d" % n),
                            rng.sample(FLAGS, rng.randrange(3)))
    elif what == "flag":
        world.server.store(box, rng.choice(uids),
                           rng.choice(["+FLAGS", "-FLAGS"]),
                           [rng.choice(FLAGS)])
    elif what == "keyword":
        world.server.store(box, rng.choice(uids),
                           rng.choice(["+FLAGS", "-FLAGS"]),
                           ["word%d" % rng.randrange(12)])
    elif what == "delete":
        world.server.expunge(box, [rng.choice(uids)])
    else:
        world.server.create("made/server%d" % n)
        world.server.append("made/server%d" % n, message("made-%d" % n))


def change_local(world, rng, boxes, n):
    box = rng.choice(boxes)
    what = rng.choice(["new", "flag", "keyword", "delete", "box"])
    files = world.local.files(box)
    if what == "new" or (what != "box" and not files):
        world.local.add(box, message("local-%d" % n),
                        "%d.local.host" % n, rng.choice(["new", "cur"]))
    elif what in ("flag", "keyword"):
        name, _, path = rng.choice(files)
        base, _, info = path.name.partition(":2,")
        words = sorted(world.local.letters(box))
        letter = rng.choice(words if what == "keyword" and words
                            else LETTERS)
        letters = "".join(sorted(set(info) ^ {letter}))
        os.rename(path, world.root / box / "cur" /
                  (base + ":2," + letters))
    elif what == "delete":
        os.unlink(rng.choice(files)[2])
    else:
        world.local.add("made/local%d" % n, message("made-l-%d" % n),
                        "%d.box.host" % n)


def test_ten_thousand_messages_and_three_hundred_changes(world):
    seed = int(os.environ.get("MOCHILA_SEED", "20261123"))
    print("seed", seed)
    rng = random.Random(seed)
    boxes = ["INBOX"] + ["group%d/box%03d" % (b % 9, b)
                         for b in range(1, BOXES)]
    for box in boxes:
        if box != "INBOX":
            world.server.create(box)
        for n in range(EACH):
            world.server.append(box, message("%s-%d" % (box, n)),
                                rng.sample(FLAGS, rng.randrange(3)) +
                                (["word1"] if n % 10 == 0 else []))
    world.sync()
    world.assert_settled()
    for n in range(CHANGES):
        (change_server if n % 2 else change_local)(world, rng, boxes, n)
    world.server.close()
    world.sync()
    world.assert_settled()
    shutil.rmtree(world.state / "home" / "journal")
    s = world.summary()
    assert (s["pulled"], s["pushed"], s["deleted_local"],
            s["deleted_remote"], s["failed"]) == (0, 0, 0, 0, 0)
    world.assert_settled()
