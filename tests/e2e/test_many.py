"""A hundred accounts at once, in less than 300 MB.  Not with a sanitizer, whose
memory is not the program's."""

import re
import subprocess
import time
from collections import Counter

import pytest

from servers import Dovecot, ordinary_user
from test_jobs import Family, summaries_of
from world import canonical, digest, message

ACCOUNTS, MESSAGES = 100, 200
MOST = 300_000_000
LIMITS = "default_process_limit = 1000\ndefault_client_limit = 4000\n"


@pytest.fixture
def crowd(scratch, binary):
    server = Dovecot(scratch / "many", LIMITS)
    try:
        yield Family(scratch / "crowd", server, binary, ACCOUNTS, True)
    finally:
        server.stop()


def fill(f):
    """Straight into the server's Maildirs; digests by account."""
    want = {}
    for m in f.members:
        root = f.dovecot.maildir(m.user)
        for sub in ("cur", "new", "tmp"):
            (root / sub).mkdir(parents=True)
        want[m.account] = Counter()
        for i in range(MESSAGES):
            # some 7 kB each, up to 60
            data = message("%s.%d" % (m.account, i),
                           size=60_000 // (1 + i % 31))
            (root / "cur" / ("%d.M%dP1.host:2,S" % (1700000000 + i, i))
             ).write_bytes(data)
            want[m.account][digest(data)] += 1
    ordinary_user(f.dovecot.base)
    return want


def watched(command, env):
    """Runs it; its output, and the most memory it had, in octets."""
    most = 0
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as p:
        with open("/proc/%d/status" % p.pid) as status:
            while p.poll() is None:
                status.seek(0)
                m = re.search(r"VmHWM:\s+(\d+) kB", status.read())
                most = max(most, int(m.group(1)) * 1024 if m else 0)
                time.sleep(0.02)
        out, err = p.stdout.read(), p.stderr.read()
    assert (p.returncode, err) == (0, "")
    return out, most


def test_a_hundred_accounts_at_once(crowd):
    f = crowd
    want = fill(f)
    command = f.command("--json", "--jobs", str(ACCOUNTS))
    quiet = [word for word in command if word != "--json"]
    # standard output goes through a pipe, which must not fill
    out, most = watched(["sh", "-c", 'exec "$@" >"$0"',
                         str(f.base / "out"), *command], f.members[0].env())
    done = summaries_of((f.base / "out").read_text())
    assert len(done) == ACCOUNTS and out == ""
    assert all(s["pulled"] == MESSAGES and s["status"] == 0 for s in done)
    print("at most %.1f MB" % (most / 1e6))
    assert 10_000_000 < most < MOST
    for m in f.members:
        assert Counter(digest(canonical(path.read_bytes())) for _, _, path
                       in m.local.files("INBOX")) == want[m.account]
    before = [(m.local.snapshot(), m.txnid()) for m in f.members]
    out, most = watched(quiet, f.members[0].env())
    assert out == "" and most < MOST
    assert before == [(m.local.snapshot(), m.txnid()) for m in f.members]
