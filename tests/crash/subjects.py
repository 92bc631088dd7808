"""The programs that are put to the test: mochila, and mbsync to compare."""

from servers import PASSWORD


class Mochila:
    name = "mochila"
    state = "state"

    def __init__(self, binary):
        self.binary = binary

    def configure(self, world, port, user, **options):
        world.user = world.server.user = user
        world.write_config(**{
            "port": port, "user": user, "host": "127.0.0.1",
            "maildir": str(world.root), "timeout": 20, **options})

    def argv(self, world, trace=None):
        more = ["--trace", str(trace)] if trace else []
        return [self.binary, "-c", str(world.config), "sync", "-q", *more]

    def may_write(self, top, name):
        """In a run with nothing to do."""
        return False

    def look_after(self, world):
        """What is wrong with its own records, whatever happened before."""
        done = world.run("journal", "verify", "-q", "home", status=None)
        if done.returncode not in (0, 65):
            return ["journal verify: %d %s" % (done.returncode, done.err)]
        return []

    def look_closely(self, world):
        """The same, after a run that had time to finish."""
        try:
            world.assert_journal()
        except AssertionError as e:
            return ["journal: not one row for each message %s" % e]
        done = world.run("journal", "verify", "--remote", "home", status=None)
        if done.returncode:
            return ["journal verify: %s" % (done.out + done.err)]
        return []


MBSYNC = """
IMAPAccount a
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account a

MaildirStore near
Path {root}/
Inbox {root}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState {state}/
"""


class Mbsync:
    name = "mbsync"
    state = "state"

    def __init__(self, binary="mbsync"):
        self.binary = binary

    def configure(self, world, port, user, **options):
        world.user = world.server.user = user
        world.state.mkdir(exist_ok=True)
        world.root.mkdir(exist_ok=True)
        world.config.write_text(MBSYNC.format(
            port=port, user=user, password=PASSWORD, root=world.root,
            state=world.state))

    def argv(self, world, trace=None):
        return [self.binary, "-q", "-q", "-c", str(world.config), "c"]

    def may_write(self, top, name):
        """It locks each mailbox by a file, and may rewrite its records."""
        return "state" in (name, *top.split("/")) or name == ".uidvalidity"

    def look_after(self, world):
        return []

    def look_closely(self, world):
        return []
