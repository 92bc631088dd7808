#!/usr/bin/python3
"""Every point of every kind of fault, for mochila and for mbsync: the table
of doc/reliability.md.

	table.py MOCHILA [--mbsync] [--story NAME]... [--only KIND]...
	         [--every N] [--part I/N] [--count]

A line for each kind goes to the standard output, and one for each thing that
was wrong to the standard error.  --every N tries every Nth point, --part I/N
makes the Ith of N parts of the work (for several at once), --count says how
many points there are and tries none.
"""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import campaign  # noqa: E402
import faultat  # noqa: E402
import stories  # noqa: E402
from image import Image, NoImage  # noqa: E402
from scene import Scene  # noqa: E402
from servers import Dovecot  # noqa: E402
from subjects import Mbsync, Mochila  # noqa: E402

KINDS = {"kill": campaign.KILLS, "short": campaign.SHORT,
         "errors": campaign.ERRORS, "emfile": campaign.EMFILE,
         "sends": campaign.SENDS, "cuts": campaign.CUTS,
         "bye": campaign.BYES, "lost": campaign.LOST,
         "power": campaign.POWER}
STORIES = ["First", "Changes", "Lost", "Moves", "Again"]


# what was wrong, in the words of the table; the first that fits counts
CLASSES = (("lost or torn", r"A: .*(is lost|not whole)"),
           ("not said", r"A: exit status 0"),
           ("broken", r"A: "),
           ("not mended", r"(B: |\w+Error|\w+Expired)"),
           ("left over", r"C: left over"),
           ("never idle", r"C: "))


def class_of(text):
    return next(name for name, fits in CLASSES if re.match(fits, text))


def run(scene, kind, args, name):
    trials = kind.trials(scene)[::args.every]
    if args.count:
        print("%s | %s | %d" % (name, kind.name, len(trials)), flush=True)
        return
    bad, begin = Counter(), time.monotonic()
    for words, trial in trials:
        wrong = trial()
        bad.update({class_of(text) for text in wrong})
        for text in wrong:
            print("%s, %s, %s: %s" % (name, kind.name, words, text),
                  file=sys.stderr, flush=True)
    print("%s | %s | %d | %s | %.0f s" % (
        name, kind.name, len(trials),
        ", ".join("%d %s" % (bad[c], c) for c, _ in CLASSES if bad[c]) or "0",
        time.monotonic() - begin), flush=True)


def scenes(base, args, server, library, power):
    for story in args.story or STORIES:
        where = base / ("%s%s" % ("Cut" if power else "", story))
        subject = Mbsync() if args.mbsync else Mochila(args.binary)
        what = getattr(stories, story)()
        what.keywords = not args.mbsync  # it does not know them
        place = Image(where) if power else None
        try:
            yield "%s %s" % (subject.name, story), Scene(
                where, server, subject, what, library, place)
        finally:
            if place:
                place.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--mbsync", action="store_true")
    parser.add_argument("--only", action="append", choices=sorted(KINDS))
    parser.add_argument("--story", action="append", choices=STORIES)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--count", action="store_true")
    args = parser.parse_args()
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, lambda *_: sys.exit(1))
    part, parts = map(int, args.part.split("/"))
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    base = Path(tempfile.mkdtemp(prefix="mochila-", dir=memory))
    base.chmod(0o755)
    server = Dovecot(base / "dovecot")
    try:
        library = faultat.build(base)
        number = 0
        for power in False, True:
            kinds = [kind for group in args.only or sorted(KINDS)
                     if (group == "power") == power for kind in KINDS[group]]
            for name, scene in kinds and scenes(base, args, server, library, power):
                for kind in kinds:
                    number += 1
                    if number % parts == part % parts:
                        run(scene, kind, args, name)
    except NoImage as e:
        sys.exit("no power cuts here: %s" % e)
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
