"""Private IMAP servers on loopback, one per test session: Dovecot; the others
are in servers_cyrus.py and servers_courier.py.

Each server runs as an ordinary user, keeps everything below one directory,
listens on free ports of 127.0.0.1 and is stopped with all that it started.
Any login name is a new account; the password is "test".
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PASSWORD = "test"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as s:
            s.settimeout(0.5)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("nothing listens on port %d" % port)


def stop_pid(pid):
    os.kill(pid, signal.SIGTERM)
    for _ in range(100):
        if not os.path.exists("/proc/%d" % pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def stop_group(leader):
    """LEADER, a Popen with a session of its own, and what it started."""
    os.killpg(leader.pid, signal.SIGTERM)
    try:
        leader.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()


def make_certificate(directory, name="localhost"):
    """A CA and a certificate for NAME; returns (ca, cert, key) paths."""
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    cert, key = directory / "cert.pem", directory / "cert.key"
    csr, ext = directory / "cert.csr", directory / "cert.ext"

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", "/CN=test authority", "-keyout", str(ca_key),
            "-out", str(ca))
    openssl("req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
            "-keyout", str(key), "-out", str(csr))
    ext.write_text("subjectAltName=DNS:%s\n" % name)
    openssl("x509", "-req", "-in", str(csr), "-CA", str(ca), "-CAkey",
            str(ca_key), "-CAcreateserial", "-days", "30", "-extfile",
            str(ext), "-out", str(cert))
    return ca, cert, key


class Missing(Exception):
    """This server cannot be had here; says why."""


def unpacked(name):
    """Where unpack_servers of tests/packages.sh put NAME, and its versions
    by package."""
    top = os.environ.get("MOCHILA_SERVERS")
    if not top and os.geteuid() == 0:
        top = "/var/cache/mochila-tests"
    elif not top:
        top = os.path.join(os.environ.get("XDG_CACHE_HOME") or
                           os.path.expanduser("~/.cache"), "mochila-tests")
    base = Path(top) / name
    try:
        lines = (base / "versions").read_text().splitlines()
    except OSError:
        raise Missing("%s is not unpacked in %s (unpack_servers of "
                      "tests/packages.sh does it)" % (name, top)) from None
    return base / "root", dict(line.split("\t") for line in lines)


def library_path(root):
    """LD_LIBRARY_PATH for the programs below ROOT."""
    found = []
    for top in (root / "usr" / "lib", root / "lib"):
        if top.is_dir():
            found += sorted(top.glob("*-linux-gnu*")) + [top]
    return ":".join(map(str, found))


class Kind:
    """What the tests have to know of a server's ways."""

    name = "?"
    prefix, delimiter = "", "/"
    # STATUS knows a HIGHESTMODSEQ that means something
    modseq = True
    # the witness may open mailboxes read-only and append to them afterwards
    examine = True
    # maildir(user) is the account's own Maildir
    has_maildir = True
    # CREATE a/b makes a as well
    makes_parents = False
    # a mailbox with children can be deleted
    deletes_parents = True
    # so many seconds have to pass between two mailboxes, or both get one
    # UIDVALIDITY
    uidvalidity_s = 0
    # LIST goes on showing a mailbox that was deleted and has children
    lists_ghosts = False

    def version(self):
        raise NotImplementedError

    def new_uidvalidity(self, user, wire):
        """As after a restore; False when it has no means for that."""
        return False


def ordinary_user(base):
    """The account that a server below BASE runs as; when we are root, all of
    BASE is given to it.  Returns its entry and the command that becomes it."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()), []
    entry = pwd.getpwnam("nobody")
    for top, dirs, files in os.walk(base):
        for name in dirs + files + ["."]:
            os.chown(os.path.join(top, name), entry.pw_uid, entry.pw_gid)
    # the directories above must let the server's user pass
    for parent in base.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid == 0:
            parent.chmod(mode | 0o011)
    return entry, ["setpriv", "--reuid=%d" % entry.pw_uid,
                   "--regid=%d" % entry.pw_gid, "--clear-groups", "--"]


CONF = """{first}
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log/dovecot.log
instance_name = mochila-test-{port}
protocols = imap
listen = 127.0.0.1
ssl = yes
auth_mechanisms = plain login
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
mail_max_userip_connections = 0
mailbox_list_index = yes
maildir_very_dirty_syncs = no
namespace inbox {{
  inbox = yes
  separator = /
}}
{last}
{extra}
"""

# What 2.4 (Debian 13) calls by other names: before and behind CONF.  Processes
# serve one session after the other, since to begin one is most of what a short
# session costs.
FIRST_24 = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0"""
LAST_23 = """
service imap {{
  service_count = 1000
}}
service imap-login {{
  service_count = 0
}}
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%u
}}
mail_location = maildir:~/Maildir
"""
LAST_24 = """
service imap {{
  restart_request_count = 1000
}}
service imap-login {{
  restart_request_count = unlimited
}}
ssl_server_cert_file = {cert}
ssl_server_key_file = {key}
auth_allow_cleartext = yes
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {base}/mail/%{{user}}
  }}
}}
mail_driver = maildir
mail_path = ~/Maildir
"""


class Dovecot(Kind):
    """Dovecot 2.3 or 2.4 with QRESYNC; EXTRA is more configuration."""

    name = "Dovecot"
    lists_ghosts = True

    def __init__(self, base, extra=""):
        self.base = base
        self.port, self.tls_port = free_port(), free_port()
        for name in ("run", "state", "log", "mail"):
            (base / name).mkdir(parents=True, exist_ok=True)
        self.ca, cert, key = make_certificate(base)
        self.conf = base / "dovecot.conf"
        self.conf.touch()
        entry, become = ordinary_user(base)
        values = {
            "base": base, "port": self.port, "tls_port": self.tls_port,
            "cert": cert, "key": key, "user": entry.pw_name,
            "group": grp.getgrgid(entry.pw_gid).gr_name,
            "uid": entry.pw_uid, "gid": entry.pw_gid, "password": PASSWORD}
        first, last = (FIRST_24, LAST_24) if self.is_24() else ("", LAST_23)
        self.conf.write_text(CONF.format(
            first=first, last=last.format(**values), extra=extra, **values))
        with open(base / "log" / "out", "ab") as log:
            self.master = subprocess.Popen(
                become + [self.binary(), "-F", "-c", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        wait_for_port(self.port)
        wait_for_port(self.tls_port)

    @staticmethod
    def binary():
        return shutil.which("dovecot") or "/usr/sbin/dovecot"

    @classmethod
    def version(cls):
        done = subprocess.run([cls.binary(), "--version"], check=True,
                              capture_output=True, text=True)
        return done.stdout.split()[0]

    @classmethod
    def is_24(cls):
        return not cls.version().startswith("2.3")

    def maildir(self, user):
        return self.base / "mail" / user / "Maildir"

    def doveadm(self, *args):
        return subprocess.run(["doveadm", "-c", str(self.conf), *args],
                              check=True, capture_output=True, text=True)

    def new_uidvalidity(self, user, wire):
        self.doveadm("mailbox", "update", "-u", user, "--uid-validity",
                     "4242", wire)
        return True

    def stop(self):
        stop_group(self.master)


class DovecotFew(Dovecot):
    """What is left of it with two extensions, and with short lines."""

    name = "Dovecot, few extensions"
    modseq = False

    def __init__(self, base):
        super().__init__(base, "imap_capability = IMAP4rev1 UIDPLUS\n"
                               "imap_max_line_length = 1000\n")


class DovecotNomodseq(Dovecot):
    """Mod-sequences that do not last: NOMODSEQ at each SELECT."""

    name = "Dovecot, NOMODSEQ"
    modseq = False

    def __init__(self, base):
        super().__init__(base, "mail_index_path = MEMORY\n" if self.is_24()
                         else "mail_location = maildir:~/Maildir:"
                              "INDEX=MEMORY\n")


class DovecotDeflate(Dovecot):
    """It offers COMPRESS=DEFLATE."""

    name = "Dovecot, COMPRESS"

    def __init__(self, base):
        super().__init__(base, "" if self.is_24() else
                         "protocol imap {\n  mail_plugins = imap_zlib\n}\n")
