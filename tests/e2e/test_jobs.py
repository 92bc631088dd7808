"""Many accounts in one run: sync --jobs."""

import collections
import fcntl
import json
import os
import signal
import socket
import subprocess

import pytest

from servers import PASSWORD, free_port
from world import CHANGING, World, message


class Member(World):
    """One account of several: a World whose state lies with the others'."""

    def __init__(self, family, name, tls):
        self.account = name
        super().__init__(family.base / name, family.dovecot,
                         "%s-%s" % (family.base.name, name), family.binary,
                         tls)
        self.state = family.base / "state"
        self.write_config()

    def fill(self, n):
        """N messages there, and one here."""
        for i in range(n):
            self.server.append(
                "INBOX", message("%s%d" % (self.account, i), size=500))
        self.local.add("Work", message(self.account + "here"), "1.here.host")


class Family:
    def __init__(self, base, dovecot, binary, n, tls):
        self.base, self.dovecot, self.binary = base, dovecot, binary
        self.config = base / "config.yaml"
        self.trace = base / "trace"
        base.mkdir()
        self.members = [Member(self, "a%d" % i, tls) for i in range(n)]
        self.write_config()

    def write_config(self):
        """That of all, made of those of each."""
        lines = ["state_dir: %s" % json.dumps(str(self.base / "state")),
                 "accounts:"]
        for m in self.members:
            lines += m.config.read_text().splitlines()[2:]
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def change(self, i, **options):
        self.members[i].write_config(**options)
        self.write_config()

    def command(self, *args):
        for m in self.members:
            m.server.close()
        return [self.binary, "-c", str(self.config), "sync", *args]

    def sync(self, *args, status=0):
        done = subprocess.run(
            self.command(*args), env=self.members[0].env(),
            capture_output=True, text=True, timeout=300)
        assert status is None or done.returncode == status, (
            args, done.returncode, done.stdout, done.stderr)
        return done

    def summaries(self, *args, status=0):
        """In the order in which they came."""
        return summaries_of(self.sync("--json", *args, status=status).stdout)

    def assert_settled(self):
        """Both sides of all accounts are equal, and a run for all of them
        writes nothing."""
        for m in self.members:
            m.assert_equal()
            m.assert_journal()
        before = [self.written(i) for i in range(len(self.members))]
        if self.trace.exists():
            self.trace.unlink()
        done = self.sync("--trace", str(self.trace))
        assert done.stdout == "" and done.stderr == ""
        commands = [line.split(" ", 4)[-1] for line in
                    self.trace.read_text("latin-1").splitlines()
                    if " > " in line]
        assert commands
        assert [c for c in commands if CHANGING.match(c.encode())] == []
        assert before == [self.written(i) for i in range(len(self.members))]

    def written(self, i):
        m = self.members[i]
        seen = m.local.snapshot(), m.txnid(), m.server.numbers()
        m.server.close()
        return seen


def summaries_of(text):
    events = [json.loads(line) for line in text.splitlines()]
    assert all(e["account"] for e in events)
    return [e for e in events if e["event"] == "summary"]


@pytest.fixture
def family(scratch, dovecot, binary, request):
    made = []

    def make(n, tls=False):
        made.append(Family(scratch / ("f%d" % id(request)), dovecot, binary,
                           n, tls))
        return made[0]

    yield make
    for f in made:
        for m in f.members:
            m.server.close()


@pytest.fixture
def silent():
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as s:
        yield s.getsockname()[1]


def assert_carried(f, summaries, *but):
    """All accounts but some have a summary, and their messages."""
    done = {s["account"]: s for s in summaries}
    assert len(done) == len(summaries) == len(f.members)
    for i, m in enumerate(f.members):
        if i not in but:
            assert done[m.account]["status"] == 0, done[m.account]
            assert done[m.account]["pushed"] == 1
            assert done[m.account]["pulled"] == m.there


def fill(f, *but):
    for i, m in enumerate(f.members):
        m.there = 0 if i in but else 3 + i
        if i not in but:
            m.fill(m.there)


@pytest.mark.parametrize("jobs", [None, 1, 4, 50])
def test_all_accounts_are_synced_and_the_next_run_writes_nothing(family, jobs):
    f = family(6)
    fill(f)
    args = () if jobs is None else ("--jobs", str(jobs))
    summaries = f.summaries(*args)
    assert_carried(f, summaries)
    if jobs == 1:
        assert [s["account"] for s in summaries] == [
            m.account for m in f.members]
    f.assert_settled()


def test_several_with_tls(family):
    f = family(8, tls=True)
    fill(f)
    assert_carried(f, f.summaries("--jobs", "8"))
    f.assert_settled()


def test_a_server_that_hangs_holds_nobody(family, silent):
    """Order, not time: the account that comes first ends last."""
    f = family(5)
    fill(f, 0)
    f.change(0, port=silent, timeout=5)
    summaries = f.summaries("--jobs", "2", status=69)
    assert [s["account"] for s in summaries] == ["a1", "a2", "a3", "a4", "a0"]
    assert summaries[-1]["status"] == 69
    assert_carried(f, summaries, 0)
    # one after the other, all wait for it
    summaries = f.summaries("--jobs", "1", status=69)
    assert [s["account"] for s in summaries] == ["a0", "a1", "a2", "a3", "a4"]


TROUBLE = {"login": 77, "unreachable": 69, "locked": 75, "config": 78}


@pytest.fixture
def trouble():
    """Puts account I of a family into trouble."""
    files = []

    def make(f, i, kind):
        m = f.members[i]
        if kind == "login":
            m.write_config(password_file=None, password="wrong")
        elif kind == "unreachable":
            m.write_config(port=free_port())
        elif kind == "config":
            (m.base / "password").chmod(0o644)
        else:
            (m.state / m.account).mkdir(parents=True, exist_ok=True)
            files.append(open(m.state / m.account / "lock", "w"))
            fcntl.lockf(files[-1], fcntl.LOCK_EX)
        f.write_config()

    yield make
    for file in files:
        file.close()


@pytest.mark.parametrize("kind", TROUBLE)
def test_one_account_in_trouble_leaves_the_others_alone(family, trouble, kind):
    f = family(4)
    fill(f, 1)
    trouble(f, 1, kind)
    done = f.sync("--json", status=TROUBLE[kind])
    summaries = summaries_of(done.stdout)
    assert_carried(f, summaries, 1)
    bad, = [s for s in summaries if s["account"] == "a1"]
    assert bad["status"] == TROUBLE[kind] and bad["error"]
    line, = done.stderr.splitlines()
    assert line.startswith("mochila: a1: "), line


def test_of_several_in_trouble_the_gravest_status_counts(family, trouble):
    f = family(8)
    kinds = list(TROUBLE)
    fill(f, *range(4))
    for i, kind in enumerate(kinds):
        trouble(f, i, kind)
    done = f.sync("--json", "--jobs", "8", status=78)
    summaries = summaries_of(done.stdout)
    assert_carried(f, summaries, *range(4))
    assert {s["account"]: s["status"] for s in summaries} == {
        "a%d" % i: TROUBLE[kind] if i < 4 else 0
        for i, kind in enumerate(kinds + [None] * 4)}
    # a line each, whole, on standard error
    assert sorted(line.split(": ")[1] for line in done.stderr.splitlines()
                  ) == ["a0", "a1", "a2", "a3"]
    assert all(line.startswith("mochila: a")
               for line in done.stderr.splitlines())


def test_lines_for_people_name_their_account_and_are_whole(family):
    f = family(8)
    fill(f)
    plan = f.sync("--dry-run", "--jobs", "8").stdout.splitlines()
    done = f.sync("-v", "--jobs", "8").stdout.splitlines()
    for lines, verb in ((plan, "pull "), (done, "pull ")):
        accounts = [line.split(": ")[0] for line in lines]
        assert set(accounts) == {m.account for m in f.members}, lines
        pulls = collections.Counter(
            line.split(": ")[0] for line in lines
            if line.split(": ", 1)[1].startswith(verb))
        assert pulls == {m.account: m.there for m in f.members}
    for m in f.members:
        assert sum("%s: " % m.account in line and "round trip" in line
                   for line in done) == 1


def ended(*args, **kw):
    """Starts a run; what it says is read until SIGNAL is to be sent."""
    return subprocess.Popen(*args, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **kw)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_accounts_and_the_next_run_settles(
        family, silent, sig):
    f = family(6)
    fill(f, 0, 1)
    for i in (0, 1):
        f.change(i, port=silent)
    p = ended(f.command("--json", "--jobs", "3"), env=f.members[0].env())
    # two workers hang, the third is at work
    first = p.stdout.readline()
    assert json.loads(first)["account"] == "a2"
    p.send_signal(sig)
    out, err = p.communicate(timeout=30)
    assert p.returncode == 75, (p.returncode, err)
    summaries = summaries_of(first + out)
    status = {s["account"]: s["status"] for s in summaries}
    assert status["a0"] == status["a1"] == 75
    # that one was not begun
    last, = [s for s in summaries if s["account"] == "a5"]
    assert (last["status"], last["error"]) == (75, "interrupted")
    assert last["round_trips"] == 0
    # nobody is left behind who holds a lock
    for i in (0, 1):
        f.change(i, port=f.dovecot.port)
    f.sync()
    f.assert_settled()


def test_a_killed_run_settles(family):
    f = family(6)
    fill(f)
    p = ended(f.command("--json", "--jobs", "6"), env=f.members[0].env())
    p.stdout.readline()
    p.kill()
    p.communicate()
    f.sync()
    f.assert_settled()


def journal(m):
    return m.state / m.account / "journal"


def test_journals_that_were_not_left_in_order_are_looked_at(family):
    """As after a crash: there is no mark, and pages are read first."""
    f = family(6)
    fill(f)
    f.sync()
    for m in f.members:
        (journal(m) / "sound").unlink()
    data = journal(f.members[3]) / "data.mdb"
    good = data.read_bytes()
    bad = bytearray(good)
    for at in range(2 * 4096, len(bad), 4096):
        bad[at:at + 4096] = os.urandom(4096)
    data.write_bytes(bad)
    done = f.sync("--json", "--jobs", "6", status=78)
    assert {s["account"]: s["status"] for s in summaries_of(done.stdout)} == {
        "a%d" % i: 78 if i == 3 else 0 for i in range(6)}
    assert "damaged" in done.stderr and len(done.stderr.splitlines()) == 1
    assert data.read_bytes() == bad
    assert all((journal(m) / "sound").exists() == (m is not f.members[3])
               for m in f.members)
    data.write_bytes(good)
    f.sync("--jobs", "6")
    f.assert_settled()


def test_password_commands_run_one_at_a_time(family):
    f = family(8)
    fill(f)
    busy = f.base / "busy"
    for m in f.members:
        m.write_config(password_file=None, password_command=[
            "sh", "-c", "mkdir %s && sleep 0.05 && rmdir %s && echo %s"
            % (busy, busy, PASSWORD)])
    f.write_config()
    assert_carried(f, f.summaries("--jobs", "8"))


def test_with_few_descriptors_fewer_are_at_work_and_none_fails(family):
    f = family(20)
    fill(f)
    command = ["prlimit", "--nofile=64:64",
               *f.command("--json", "--jobs", "20")]
    done = subprocess.run(command, env=f.members[0].env(), text=True,
                          capture_output=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert_carried(f, summaries_of(done.stdout))


@pytest.mark.parametrize("n", ["0", "-1", "257", "four", "", "4 "])
def test_a_bad_number_is_one_clear_line(family, n):
    done = family(1).sync("--jobs", n, status=64)
    line, = done.stderr.splitlines()
    assert "--jobs" in line and "1 to 256" in line and repr(n) in line
    assert done.stdout == ""


def test_deletes_are_allowed_to_all_but_not_where_nothing_is_left(family):
    """A disk that is not mounted is meant only when its account is named."""
    f = family(2)
    for m in f.members:
        m.fill(3)
    f.sync()
    os.rename(f.members[0].root, f.base / "unmounted")
    f.members[0].root.mkdir()
    for _, _, path in f.members[1].local.files("INBOX")[:1]:
        path.unlink()
    done = f.sync("--allow-deletes", status=3)
    assert "sync --allow-deletes a0" in done.stderr
    assert len(f.members[0].server.messages("INBOX")) == 3
    assert len(f.members[1].server.messages("INBOX")) == 2
    f.sync("--allow-deletes", "a0")
    assert f.members[0].server.messages("INBOX") == {}
