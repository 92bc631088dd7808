"""Kinds of trials: what is tried, at which points, and how one is made.

A campaign has a name, and trials(scene) -> [(words, function)]: the function
makes one trial and returns what was wrong, as a list of lines."""

import subprocess

from faultat import Fault
from relay import Line

WRITES = "write,pwrite,writev"


class Calls:
    """A fault in each call of a set.  CUT: and then the power fails."""

    def __init__(self, name, modes, calls="file,net", cut=False):
        self.name, self.modes, self.calls, self.cut = name, modes, calls, cut

    def trials(self, scene):
        log = scene.calls(self.calls)
        then = scene.place.cut if self.cut else None
        return [("%s (%s)" % (fault, " ".join(log[fault.at - 1])),
                 lambda fault=fault: scene.trial(fault, then))
                for mode in self.modes
                for fault in (Fault(mode, n, self.calls)
                              for n in range(1, len(log) + 1))]


class Lines:
    """A line that is bad in a place.  Every STEPth of its places is tried.
    MISSED: how many of the last trials ended before they came to theirs."""

    def __init__(self, name, what, step=1):
        self.name, self.what, self.step = name, what, step

    def trials(self, scene):
        self.missed = 0
        if "line" not in scene.logs:
            scene.logs["line"], wrong, status = over(scene)
            assert wrong == [] and status == 0, (wrong, status)
        line = scene.logs["line"]
        return [(str(trouble), lambda trouble=trouble: self.trial(
            scene, trouble)) for trouble in self.what(line, self.step)]

    def trial(self, scene, trouble):
        try:
            line, wrong, _ = over(scene, **trouble)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            return ["%s: %s" % (type(e).__name__, e)]
        self.missed += not line.hit
        return wrong


def over(scene, then=None, **trouble):
    """One trial of SCENE over a line with TROUBLE:
    (line, what was wrong, exit status)."""
    scene.restore()
    line = Line(scene.port, **trouble)
    try:
        scene.configure(scene.world.user, line.port)
        done = scene.run()
        line.wait()
        line.close()
        scene.configure(scene.world.user)
        return line, scene.check_a(done) + scene.settle(), done.returncode
    finally:
        scene.drop()


def cuts(down):
    return lambda line, step: [
        {"cut": n, "down": down, "rst": bool(n // step % 2)}
        for n in range(1, line.octets[down] + 1, step)]


def byes(line, step):
    return [{"bye": n} for n in range(1, line.lines + 1, step)]


# what a server must have been asked for that its answers can be lost
ASKED = ("APPEND", "COPY", "CREATE", "DELETE", "EXPUNGE", "MOVE", "RENAME",
         "STORE")


def lost(line, step):
    sent = [words for _, words in line.commands]
    return [{"lose": (words, n), "more": more}
            for words in ASKED for more in (False, True)
            for n in range(1, sent.count(words) + 1)]


DISK = ("ENOSPC", "EIO", "EDQUOT", "EROFS")

KILLS = [Calls("SIGKILL before each call", ["kill"]),
         Calls("SIGKILL after each call", ["killafter"])]
SHORT = [Calls("short write, once", ["short"], WRITES),
         Calls("short write, then the disk is full", ["full"], WRITES)]
ERRORS = [Calls("%s, %s" % (name, words), ["%s:%s" % (how, name)], "file")
          for name in DISK
          for how, words in (("errno", "once"), ("errno-from", "from then on"))]
EMFILE = [Calls("EMFILE, once", ["errno:EMFILE"], "descriptor"),
          Calls("EMFILE, from then on", ["errno-from:EMFILE"], "descriptor")]
SENDS = [Calls("sending fails", ["errno:EPIPE", "errno-from:ECONNRESET"],
               "net")]
CUTS = [Lines("connection cut, from the server", cuts(True), 37),
        Lines("connection cut, to the server", cuts(False), 11)]
# how many octets shorter a dialogue may be than another of the same things:
# Dovecot says how long it took, in more figures or fewer
SPARE = 40
OCTETS = [Lines("connection cut, after each octet from the server",
                cuts(True)),
          Lines("connection cut, after each octet to the server", cuts(False))]
BYES = [Lines("BYE before each line of the server", byes)]
LOST = [Lines("answer lost", lost)]
POWER = [Calls("power cut before each call", ["kill"], cut=True),
         Calls("power cut after each call", ["killafter"], cut=True)]
