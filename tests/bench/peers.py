"""The programs that are compared: how each is configured, started, watched
and stopped.  A peer syncs one account or many, each into a Maildir tree of
its own, in one run of the program."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from line import Line
from servers import PASSWORD
from world import ServerSide


def processes(pid):
    """PID and what it started, as long as they are there."""
    yield pid
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return
    for task in tasks:
        try:
            text = Path("/proc/%d/task/%s/children" % (pid, task)).read_text()
        except OSError:
            continue
        for child in text.split():
            yield from processes(int(child))


def resident(pid):
    """(now, at most until now), in KiB."""
    try:
        text = Path("/proc/%d/status" % pid).read_text()
    except OSError:
        return 0, 0
    return tuple(int(m.group(1)) if m else 0 for m in (
        re.search(key + r":\s+(\d+)", text) for key in ("VmRSS", "VmHWM")))


class Peak(threading.Thread):
    """The most memory that a tree of processes had at one time."""

    PERIOD = 0.004

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kib, self.ended = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(self.PERIOD):
            now, most = 0, 0
            for pid in processes(self.pid):
                rss, high = resident(pid)
                now += rss
                most = max(most, high)
            self.kib = max(self.kib, now, most)

    def stop(self, usage, ours):
        """USAGE of the ended process fills in for the time after the last
        look, unless it may be what was handed on from us through fork."""
        self.ended.set()
        self.join()
        if usage.ru_maxrss > ours:
            self.kib = max(self.kib, usage.ru_maxrss)
        return self.kib


class Peer:
    """SCENE is what its accounts are called after; USERS how many there
    are."""

    def __init__(self, base, dovecot, scene, users=1):
        self.base, self.dovecot = base / (self.name + "-" + scene), dovecot
        self.users = ["%s-%s-%d" % (self.name, scene, i)
                      for i in range(users)]
        self.server = ServerSide(dovecot.port, self.users[0])
        self.forget()

    def there(self, user=None):
        return self.dovecot.maildir(user or self.users[0])

    def root(self, user=None):
        return self.base / "Mail" / (user or self.users[0])

    def box(self, name):
        return self.root() / name

    def forget(self):
        """As before the first sync."""
        shutil.rmtree(self.base, ignore_errors=True)
        for user in self.users:
            self.root(user).mkdir(parents=True)

    def run(self, delay):
        """What one run took; SystemExit when it failed.  After the peer's
        limit it is stopped, and "over" is set."""
        self.server.close()
        line = Line(self.dovecot.port, delay)
        self.configure(line.port)
        log = self.base / "output"
        with open(log, "wb") as out:
            status, found = watch(
                self.command(), out, self.limit,
                {"HOME": str(self.base), "PATH": os.environ["PATH"]})
        counts = line.close()
        if status != 0 and not found["over"]:
            raise SystemExit("%s: %d\n%s" % (
                self.name, status, log.read_text(errors="replace")[-4000:]))
        return {**found, **counts}

    @staticmethod
    def without_uid(name):
        return name

    @staticmethod
    def original(data):
        """A message as it was before the peer put anything into it."""
        return data


def stop(pid, over):
    over.set()
    os.killpg(pid, signal.SIGKILL)


def watch(command, out, limit, env):
    """Runs it to its end, LIMIT seconds at most: its status, and what it
    took."""
    ours = max(resident(os.getpid())[1],
               resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    begin = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=out, start_new_session=True, env=env)
    peak, over = Peak(child.pid), threading.Event()
    timer = threading.Timer(limit, stop, (child.pid, over))
    timer.start()
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, {
        "seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kib": peak.stop(usage, ours), "over": over.is_set()}


class Mochila(Peer):
    name, limit = "mochila", 3600

    def configure(self, port):
        path = self.base / "config.yaml"
        path.write_text(json.dumps({
            "state_dir": str(self.base / "state"),
            "accounts": {"a%d" % i: {
                "host": "127.0.0.1", "port": port, "tls": "none",
                "user": user, "password": PASSWORD,
                "maildir": str(self.root(user))}
                for i, user in enumerate(self.users)}}))
        path.chmod(0o600)

    def command(self):
        words = [program(), "-c", str(self.base / "config.yaml"), "sync",
                 "--allow-deletes"]
        if len(self.users) > 1 and has_jobs():
            words += ["--jobs", str(len(self.users))]
        return words


def program():
    return os.environ["MOCHILA"]


def has_jobs():
    done = subprocess.run([program(), "sync", "--help"], capture_output=True,
                          text=True, check=False)
    return "--jobs" in done.stdout + done.stderr


class Mbsync(Peer):
    name, limit = "mbsync", 600

    def configure(self, port):
        text = []
        for i, user in enumerate(self.users):
            root = self.root(user)
            text += [
                "IMAPAccount a%d" % i, "Host 127.0.0.1", "Port %d" % port,
                "User " + user, "Pass " + PASSWORD, "SSLType None",
                "AuthMechs LOGIN", "", "IMAPStore r%d" % i,
                "Account a%d" % i, "", "MaildirStore l%d" % i,
                "Path %s/" % root, "Inbox %s/INBOX" % root,
                "SubFolders Verbatim", "", "Channel c%d" % i,
                "Far :r%d:" % i, "Near :l%d:" % i, "Patterns *",
                "Create Both", "Expunge Both", "SyncState *", ""]
        (self.base / "rc").write_text("\n".join(text))

    def command(self):
        return ["mbsync", "-q", "-c", str(self.base / "rc"), "-a"]

    @staticmethod
    def without_uid(name):
        """Its manual asks that of those who move files."""
        return re.sub(r",U=\d+", "", name)

    @staticmethod
    def original(data):
        """It leaves a mark in the head of each message that it carried."""
        head, gap, body = data.partition(b"\n\n")
        return re.sub(rb"(^|\n)X-TUID: [^\n]*(?=\n|$)", b"", head) + gap + body

    def pretend(self, uidvalidity, messages):
        """INBOX here as mbsync itself would have left it after a first sync
        of MESSAGES, whose UIDs are 1 and so on.  (That first sync would take
        longer than all else together.)"""
        inbox = self.box("INBOX")
        for sub in ("cur", "new", "tmp"):
            (inbox / sub).mkdir(parents=True)
        count, cur = 0, str(inbox / "cur")
        for count, (_, data) in enumerate(messages, 1):
            with open("%s/1700000000.1_%d.bench,U=%d:2,"
                      % (cur, count, count), "wb") as f:
                f.write(data.replace(b"\r\n", b"\n"))
        (inbox / ".uidvalidity").write_text("1700000000\n%d\n" % count)
        with open(inbox / ".mbsyncstate", "w", encoding="ascii") as f:
            f.write("FarUidValidity %d\nNearUidValidity 1700000000\n"
                    "MaxPulledUid %d\nMaxPushedUid %d\n\n"
                    % (uidvalidity, count, count))
            f.writelines("%d %d \n" % (i, i) for i in range(1, count + 1))
