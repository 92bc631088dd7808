"""Faults in the calls of a program, by the library of faultat.c."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build(directory):
    """Compile the library below DIRECTORY; returns its path."""
    path = Path(directory) / "faultat.so"
    if not path.exists():
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=c11", "-O2", "-shared",
             "-fPIC", "-o", str(path), str(HERE / "faultat.c"), "-ldl"],
            check=True)
    return path


class Fault:
    """What is to happen to the AT-th call of SET.  Without a mode: count."""

    def __init__(self, mode=None, at=0, calls=None, path=None):
        self.mode, self.at, self.calls, self.path = mode, at, calls, path

    def __str__(self):
        if self.mode is None:
            return "no fault"
        return "%s at call %d%s" % (
            self.mode, self.at, " of " + self.calls if self.calls else "")

    def env(self, library, log=None):
        env = {"LD_PRELOAD": str(library), "FAULT_AT": str(self.at)}
        for name, value in (("FAULT_MODE", self.mode),
                            ("FAULT_SET", self.calls),
                            ("FAULT_PATH", self.path), ("FAULT_LOG", log)):
            if value is not None:
                env[name] = str(value)
        return env


def read_log(path):
    """[(name of the call, what it was made on)]; the first is call 1."""
    calls = []
    for line in Path(path).read_text(errors="replace").splitlines():
        number, name, what = (line + " ").split(" ", 2)
        calls.append((name, what.strip()))
    return calls
