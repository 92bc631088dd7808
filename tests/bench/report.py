"""What the bench says: lines while it runs, a table in Markdown, targets,
JSON, and all of that in doc/."""

import json
import re

import plot

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
FIELDS = ("seconds", "cpu", "peak_kib", "trips", "connections", "up", "down")


def octets(row):
    return row["up"] + row["down"]


def megabytes(row):
    return row["peak_kib"] * 1024 / 1e6


def faster(result):
    """How many times mochila is faster than mbsync; None without either."""
    rows = result["median"]
    if not ("mochila" in rows and "mbsync" in rows):
        return None
    return rows["mbsync"]["seconds"] / rows["mochila"]["seconds"]


def number(x):
    if x >= 100:
        return "{:,.0f}".format(x)
    return "%.1f" % x if x >= 10 else "%.2f" % x


def seconds(row):
    return ("> " if row["over"] else "") + number(row["seconds"])


def times(result):
    ratio = faster(result)
    if ratio is None:
        return "-"
    return ("> " if result["median"]["mbsync"]["over"] else "") + \
        number(ratio)


def setting(about):
    """Where and how it was measured, in words."""
    line, n = about["relay"], about["repeat"]
    return ("%s, %s, Dovecot %s; %s, %d cores, load %.1f at the beginning, "
            "%s below. %s, tier \"%s\", %s. The relay itself: %d MB/s, and a "
            "round trip of 50 ms takes %.1f ms." % (
                about["mochila"], about["mbsync"], about["dovecot"],
                about["system"], about["cores"], about["load"],
                about["filesystem"],
                "Single runs" if n == 1 else "Medians of %d" % n,
                about["tier"], about["date"], line["stream_mb_per_s"],
                line["round_trip_50ms_ms"]))


HEADINGS = ("work", "delay", "program", "runs", "seconds", "faster", "trips",
            "kB", "CPU s", "peak MB")
FORM = "%-34s %5s %-8s %4s %9s %8s %7s %11s %8s %8s"


def print_head(about):
    print(setting(about) + "\n")
    print(FORM % HEADINGS, flush=True)


def print_result(result):
    for name, row in result["median"].items():
        print(FORM % (
            result["work"], "%d ms" % result["delay_ms"], name,
            len(result["runs"][name]), seconds(row),
            times(result) if name == "mochila" else "",
            "{:,.0f}".format(row["trips"]),
            "{:,.1f}".format(octets(row) / 1000), number(row["cpu"]),
            "%.1f" % megabytes(row) if row["peak_kib"] else ""), flush=True)
    disk = result.get("disk")
    if disk:
        print("    the same octets to disk: %s s as one file, %s s as a file "
              "each" % (number(disk["one_file"]),
                        number(disk["many_files"])), flush=True)


# the table of the documentation

def cell(result, form):
    """mochila / mbsync"""
    rows = result["median"]
    return " / ".join(form(rows[name]) if name in rows else "-"
                      for name in ("mochila", "mbsync"))


def table(results):
    lines = [
        "| Work | Delay | Times faster | Seconds | Raw stream, s "
        "| Round trips | kB on the wire | CPU s | Peak MB | Runs |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for r in results:
        raw = r["median"].get("raw")
        lines.append("| %s |" % " | ".join((
            r["work"], "%d ms" % r["delay_ms"], times(r), cell(r, seconds),
            number(raw["seconds"]) if raw else "",
            cell(r, lambda x: "{:,.0f}".format(x["trips"])),
            cell(r, lambda x: number(octets(x) / 1000)),
            cell(r, lambda x: number(x["cpu"])),
            cell(r, lambda x: number(megabytes(x))),
            " / ".join(str(len(r["runs"][n])) if n in r["runs"] else "-"
                       for n in ("mochila", "mbsync")))))
    return lines


# targets

class Targets:
    """Which hold, of those whose works were measured."""

    def __init__(self, results, tier):
        self.results, self.tier, self.found = results, tier, []

    def of(self, pattern, delay=None):
        return [r for r in self.results if re.match(pattern + "$", r["work"])
                and delay in (None, r["delay_ms"])
                and "mochila" in r["median"]]

    def add(self, text, value, limit, least=False, mbsync=None):
        self.found.append({
            "target": text, "value": value, "limit": limit,
            "at": "least" if least else "most", "mbsync": mbsync,
            "met": value >= limit if least else value <= limit})

    def each_faster(self, pattern, limit, delay=None):
        for r in self.of(pattern, delay):
            if faster(r) is not None:
                self.add("%s, %d ms: times faster than mbsync"
                         % (r["work"], r["delay_ms"]), faster(r), limit, True)

    def nothing_to_do(self):
        found = self.of("nothing to do, .* mailbox(es)?", 50)
        for r in found:
            self.add("%s, 50 ms: round trips" % r["work"],
                     r["median"]["mochila"]["trips"], 7,
                     mbsync=r["median"].get("mbsync", {}).get("trips"))
        few = "{:,}".format(self.tier.mailboxes[0])
        self.each_faster("nothing to do, %s mailboxes" % few, 50, 50)

    def first_sync(self):
        name = "first sync, {:,} messages".format(self.tier.first)
        self.each_faster(name, 4)
        for r in self.of(name):
            if "disk" not in r:
                continue
            raw = r["median"]["raw"]["seconds"]
            for words, key in (("one file and one fsync", "one_file"),
                               ("a file each and one syncfs", "many_files")):
                floor = raw + r["disk"][key]
                self.add("%s, %d ms: times (raw stream + %s)"
                         % (r["work"], r["delay_ms"], words),
                         r["median"]["mochila"]["seconds"] / floor, 3,
                         mbsync=self.by(r, "mbsync", floor))

    @staticmethod
    def by(result, name, floor):
        row = result["median"].get(name)
        return row["seconds"] / floor if row else None

    def changes(self):
        for r in self.of(".* moves of .*"):
            rows = r["median"]
            if "mbsync" in rows:
                self.add("%s: times fewer octets than mbsync" % r["work"],
                         octets(rows["mbsync"]) / octets(rows["mochila"]),
                         50, True)
        self.each_faster(".* flags (there|here)", 5, 50)
        self.each_faster("1 flag (there|here) in each of .*", 5, 50)

    def among(self):
        small, large = ("{:,}".format(n) for n in self.tier.among)
        for side in ("there", "here"):
            for delay in (0, 50):
                a = self.of("1 flag %s among %s" % (side, small), delay)
                b = self.of("1 flag %s among %s" % (side, large), delay)
                if a and b:
                    self.grown(side, delay, a[0]["median"], b[0]["median"])

    def grown(self, side, delay, few, many):
        large, small = self.tier.among[1], self.tier.among[0]
        for what, get in (("seconds", lambda r: r["seconds"]),
                          ("CPU seconds", lambda r: r["cpu"]),
                          ("octets", octets)):
            ratio = {n: get(many[n]) / max(get(few[n]), 1e-3)
                     for n in ("mochila", "mbsync") if n in few and n in many}
            self.add("1 flag %s, %d ms: %s among %s by those among %s" % (
                side, delay, what, "{:,}".format(large),
                "{:,}".format(small)), ratio["mochila"], 2,
                mbsync=ratio.get("mbsync"))

    def memory(self):
        large = "{:,}".format(self.tier.among[1])
        for pattern, limit in ((".*%s( small messages)?" % large, 100),
                               (".*[0-9] accounts", 300)):
            found = self.of(pattern)
            if found:
                top = max(found,
                          key=lambda r: r["median"]["mochila"]["peak_kib"])
                row = top["median"].get("mbsync")
                self.add("%s, %d ms: peak MB" % (top["work"],
                                                 top["delay_ms"]),
                         megabytes(top["median"]["mochila"]), limit,
                         mbsync=megabytes(row) if row else None)

    def all(self):
        self.nothing_to_do()
        self.first_sync()
        self.changes()
        self.among()
        self.memory()
        return self.found


def target_lines(targets):
    lines = ["| Target | At | mochila | mbsync | Met |",
             "|---|---|--:|--:|---|"]
    for t in targets:
        lines.append("| %s | %s %s | %s | %s | %s |" % (
            t["target"], t["at"], t["limit"], number(t["value"]),
            "" if t["mbsync"] is None else number(t["mbsync"]),
            "yes" if t["met"] else "**no**"))
    return lines


def print_targets(targets, tier):
    print("\ntargets" + (" (they are meant for the full sizes)"
                         if tier.name != "full" else ""))
    for t in targets:
        print("%-4s %-76s %9s, at %s %d%s" % (
            "yes" if t["met"] else "NO", t["target"], number(t["value"]),
            t["at"], t["limit"], "" if t["mbsync"] is None
            else " (mbsync %s)" % number(t["mbsync"])))


# doc/

def merged(document, path):
    """What a run of some works leaves in doc/: the others stay."""
    if not document["about"]["only"] or not path.exists():
        return document
    old = json.loads(path.read_text())
    if old["about"]["tier"] != document["about"]["tier"]:
        return document
    new = {(r["work"], r["delay_ms"]): r for r in document["works"]}
    works = [new.pop((r["work"], r["delay_ms"]), r) for r in old["works"]]
    return {**document, "works": works + list(new.values())}


def write_docs(document, doc, tier):
    path = doc / "performance.json"
    document = merged(document, path)
    document["targets"] = Targets(document["works"], tier).all()
    path.write_text(json.dumps(document, indent=1) + "\n")
    (doc / "performance.svg").write_text(plot.svg(document["works"]))
    text = (doc / "performance.md").read_text()
    before, rest = text.split(BEGIN + "\n")
    after = rest.split(END + "\n")[1]
    lines = [setting(document["about"]), ""] + \
        target_lines(document["targets"]) + [""] + table(document["works"])
    (doc / "performance.md").write_text(
        before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + "\n" + after)
