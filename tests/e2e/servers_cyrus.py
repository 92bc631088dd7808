"""A private Cyrus, from unpacked packages (tests/packages.sh)."""

import os
import subprocess
from pathlib import Path

from servers import (Kind, Missing, free_port, library_path, ordinary_user,
                     stop_group, unpacked, wait_for_port)

IMAPD_CONF = """
configdirectory: {base}/conf
partition-default: {base}/data
defaultpartition: default
cyrus_user: {user}
admins: admin
servername: cyrus.test
virtdomains: off
altnamespace: yes
unixhierarchysep: yes
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
autocreate_quota: 0
expunge_mode: delayed
delete_mode: immediate
duplicatesuppression: no
maxlogins_per_user: 0
maxlogins_per_host: 0
sievedir: {base}/conf/sieve
proc_path: {base}/conf/proc
mboxname_lockpath: {base}/conf/lock
temp_path: {base}/run
idlesocket: {base}/conf/socket/idle
lmtpsocket: {base}/conf/socket/lmtp
notifysocket: {base}/conf/socket/notify
"""

CYRUS_CONF = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {base}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {base}/imapd.conf" listen="127.0.0.1:{port}" \
prefork=1
}}
DAEMON {{
  idled cmd="{bin}/idled -C {base}/imapd.conf -d"
}}
"""

DIRECTORIES = ["run", "log", "data"] + ["conf/" + name for name in (
    "db", "socket", "proc", "lock", "ptclient", "log", "msg", "sieve",
    "quota", "user", "backup")]


class Cyrus(Kind):
    """Any password is right; INBOX is made at the first login."""

    name = "Cyrus"
    has_maildir = False
    makes_parents = True
    deletes_parents = False

    def __init__(self, base):
        root, self.versions = unpacked("cyrus")
        self.base = base
        self.port = free_port()
        programs = root / "usr" / "lib" / "cyrus" / "bin"
        for name in DIRECTORIES:
            (base / name).mkdir(parents=True, exist_ok=True)
        entry, become = ordinary_user(base)
        if become and subprocess.run(become + [
                "test", "-x", str(programs / "master")]).returncode:
            raise Missing("%s cannot reach %s" % (entry.pw_name, programs))
        words = {"base": base, "user": entry.pw_name, "port": self.port,
                 "bin": programs}
        (base / "imapd.conf").write_text(IMAPD_CONF.format(**words))
        (base / "cyrus.conf").write_text(CYRUS_CONF.format(**words))
        plugins = [str(p / "sasl2") for p in (
            *sorted((root / "usr" / "lib").glob("*-linux-gnu*")),
            *sorted(Path("/usr/lib").glob("*-linux-gnu*")))]
        env = {"PATH": os.environ["PATH"], "CYRUS_USER": entry.pw_name,
               "LD_LIBRARY_PATH": library_path(root),
               "SASL_PATH": ":".join(plugins)}
        with open(base / "log" / "out", "ab") as log:
            self.master = subprocess.Popen(
                become + [str(programs / "master"),
                          "-C", str(base / "imapd.conf"),
                          "-M", str(base / "cyrus.conf"),
                          "-p", str(base / "run" / "master.pid")],
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        try:
            wait_for_port(self.port)
        except RuntimeError:
            self.stop()
            raise

    def version(self):
        return self.versions["cyrus-imapd"].split("-")[0]

    def stop(self):
        stop_group(self.master)
