#!/usr/bin/python3
"""mochila beside mbsync, on the same server, in the same run.

    MOCHILA=./mochila tests/bench/bench.py [--quick | --all] [--repeat 5]
        [--only REGEX] [--list] [--json FILE] [--write-docs]

Needs dovecot-imapd and isync.  Each work is done by both in turn, --repeat
times, each on accounts of its own with the same mail; the table shows the
medians.  All goes through a relay that counts.  doc/performance.md says what
the works are.  It gates nothing; but a work after which the two sides are
not equal ends it, for its times would mean nothing.

    accounts.py   the mail, and how accounts are filled
    peers.py      mochila and mbsync
    floor.py      the raw client and the disk
    line.py       the relay;  speed.py  how fast it is itself
    works.py      the works;  deeds.py  what people do in them
    check.py      are both sides equal?
    report.py     lines, table, targets, JSON;  plot.py  the plot
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import report  # noqa: E402
import speed  # noqa: E402
import works  # noqa: E402
from accounts import Full, Quick  # noqa: E402
from servers import Dovecot  # noqa: E402


def take_part(work, scene, stopped, i):
    """The peers of round I."""
    return [p for p in scene.peers if p.name not in stopped and
            p.name not in work.without and
            not (i > 0 and p.name in work.once)]


def prepare(work, peers, i):
    """What is between two runs.  mbsync waits for the end of the second in
    which a directory changed; people are not so quick, so we wait."""
    for peer in peers:
        if work.fresh:
            peer.forget()
        if work.deed:
            work.deed(peer, i, work.n)
    if not work.fresh and (work.deed or i == 0):
        time.sleep(1.1)


def one_run(work, scene, peer, last):
    run = peer.run(work.delay)
    if run["over"]:
        return run
    scene.check(peer, last or peer.name in work.once)
    if work.settle:
        peer.run(0)
    return run


def measure(work, scene, stopped, repeat):
    """The result of WORK.  A peer that had to be stopped joins STOPPED: what
    it left behind is no state to measure from."""
    runs = {"raw": [], **{p.name: [] for p in scene.peers}}
    scene.before(work)
    for i in range(repeat):
        if work.floor:
            runs["raw"].append(works.measured_floor(scene, work))
        peers = take_part(work, scene, stopped, i)
        prepare(work, peers, i)
        for peer in peers:
            run = one_run(work, scene, peer, i == repeat - 1)
            runs[peer.name].append(run)
            if run["over"]:
                stopped.add(peer.name)
    runs = {name: seen for name, seen in runs.items() if seen}
    result = {"work": work.name, "delay_ms": work.delay, "median": {},
              "runs": runs}
    for name, seen in runs.items():
        result["median"][name] = {
            **{k: statistics.median(r[k] for r in seen)
               for k in report.FIELDS}, "over": seen[-1]["over"]}
    if work.floor:
        result["disk"] = {k: statistics.median(r[k] for r in runs["raw"])
                          for k in ("one_file", "many_files")}
    return result


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).split("\n")[0].strip()


def about(args, tier, base):
    """Where it was measured, without a name of a machine or a directory."""
    kind = first_line("findmnt", "-n", "-o", "FSTYPE", "-T", str(base))
    return {"date": time.strftime("%Y-%m-%d"), "tier": tier.name,
            "all": args.all, "repeat": args.repeat, "only": args.only,
            "mochila": first_line(os.environ["MOCHILA"], "--version"),
            "mbsync": first_line("mbsync", "--version"),
            "dovecot": first_line(Dovecot.binary(), "--version").split()[0],
            "system": "%s %s" % (platform.system(), platform.machine()),
            "cores": os.cpu_count(), "filesystem": kind,
            "load": round(os.getloadavg()[0], 1),
            "relay": speed.measure()}


def wanted(scene, only):
    return [w for w in scene.works() if not only or re.search(only, w.name)]


def run_all(args, tier, base):
    results = []
    for scene in works.scenes(base, tier, args.all or args.quick):
        chosen, stopped = wanted(scene, args.only), set()
        if not chosen:
            continue
        try:
            scene.set_up()
            for work in chosen:
                results.append(measure(work, scene, stopped, args.repeat))
                report.print_result(results[-1])
        finally:
            scene.close()
    return results


def arguments():
    args = argparse.ArgumentParser()
    args.add_argument("--quick", action="store_true",
                      help="every work in small, once")
    args.add_argument("--all", action="store_true",
                      help="a million messages, too (an hour)")
    args.add_argument("--repeat", type=int, choices=range(1, 10))
    args.add_argument("--only", metavar="REGEX", help="of the works' names")
    args.add_argument("--list", action="store_true",
                      help="print the works' names, and end")
    args.add_argument("--json", metavar="FILE")
    args.add_argument("--write-docs", action="store_true",
                      help="performance.json, .svg and .md in doc/")
    args = args.parse_args()
    args.repeat = args.repeat or (1 if args.quick else 5)
    return args


def main():
    args = arguments()
    tier = Quick if args.quick else Full
    if args.list:
        for scene in works.scenes(Path("."), tier, args.all or args.quick):
            for work in wanted(scene, args.only):
                print("%s, %d ms" % (work.name, work.delay))
        return
    os.environ["MOCHILA"] = os.path.abspath(
        os.environ.get("MOCHILA", "mochila"))
    # what was started is stopped also when we are told to stop
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    base = Path(tempfile.mkdtemp(prefix="mochila-bench-"))
    base.chmod(0o755)
    try:
        document = {"about": about(args, tier, base)}
        report.print_head(document["about"])
        document["works"] = run_all(args, tier, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    document["targets"] = report.Targets(document["works"], tier).all()
    report.print_targets(document["targets"], tier)
    if args.json:
        Path(args.json).write_text(json.dumps(document, indent=1) + "\n")
    if args.write_docs:
        report.write_docs(document, HERE.parent.parent / "doc", tier)


if __name__ == "__main__":
    main()
