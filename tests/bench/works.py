"""The works: what is measured, on what mail.

A scene is one setting of accounts; its works follow one another on the same
accounts.  A scene of which no work is wanted is never set up, and when one
is over its accounts are removed."""

import os
import re
import shutil

import accounts
import check
import deeds
from floor import disk, raw_fetch
from peers import Mbsync, Mochila
from servers import Dovecot
from world import ServerSide


class Work:
    """DEED comes before each run, to N messages.  FRESH: each run starts from
    nothing.  FLOOR: the raw client, too.  SETTLE: another run, not measured,
    takes what is left over.  ONCE: peers that run once; WITHOUT: not at
    all."""

    def __init__(self, name, delay, deed=None, n=0, *, fresh=False,
                 floor=False, settle=True, once=(), without=()):
        self.name, self.delay, self.deed, self.n = name, delay, deed, n
        self.fresh, self.floor = fresh, floor
        self.settle = settle and deed is not None
        self.once, self.without = once, without


class Scene:
    """NAME is part of the users' names."""

    extra = ""
    users = 1
    boxes = ("INBOX",)
    peers_wanted = (Mochila, Mbsync)

    def __init__(self, base, tier, everything):
        self.base = base / self.name
        self.tier, self.everything = tier, everything
        self.peers, self.dovecot = [], None

    def works(self):
        raise NotImplementedError

    def mail(self):
        """Messages by mailbox."""
        raise NotImplementedError

    def set_up(self):
        """One account is filled, and is copied for each peer: the UIDs are
        the same, too."""
        self.base.mkdir()
        self.dovecot = Dovecot(self.base / "server", self.extra)
        self.peers = [kind(self.base, self.dovecot, self.name, self.users)
                      for kind in self.peers_wanted]
        self.fill()
        for peer in self.peers:
            for user in peer.users:
                accounts.copy(self.dovecot, "template", user)
        accounts.remove(self.dovecot, "template")

    def fill(self):
        accounts.fill(self.dovecot,
                      ServerSide(self.dovecot.port, "template"), self.mail())

    def first(self):
        """The works that need it find both sides equal."""
        for peer in self.peers:
            peer.run(0)
            self.check(peer, True)

    def before(self, work):
        """What WORK needs, and the works before it did not."""

    def check(self, peer, whole):
        check.equal(peer, self.boxes, whole)

    def close(self):
        for peer in self.peers:
            peer.server.close()
        if self.dovecot:
            self.dovecot.stop()
        shutil.rmtree(self.base, ignore_errors=True)


class Synced(Scene):
    """One that was synced once when its first work that is no first sync
    comes."""

    synced = False

    def before(self, work):
        if work.fresh:
            self.synced = False
        elif not self.synced:
            for peer in self.peers:
                peer.forget()
            self.first()
            self.synced = True


class OneMailbox(Synced):
    name = "one"

    def mail(self):
        t = self.tier
        return {"INBOX": accounts.letters("first", t.first, t.mean, t.sigma,
                                          t.every, t.large)}

    def works(self):
        t = self.tier
        first = "first sync, %s messages" % thousands(t.first)
        yield Work(first, 0, fresh=True, floor=True)
        yield Work(first, 50, fresh=True, floor=True)
        for delay in (0, 50):
            yield Work("nothing to do, 1 mailbox", delay)


class Changes(Synced):
    """All that people do to a mailbox, at 50 ms."""

    name = "changes"
    boxes = ("INBOX", "archive")
    mail_of = OneMailbox.mail

    def mail(self):
        return {**self.mail_of(), "archive": []}

    def works(self):
        t = self.tier
        for words, n, there, here in (
                ("flags", t.changes, deeds.flags_there, deeds.flags_here),
                ("new messages", t.changes, deeds.new_there, deeds.new_here),
                ("moves", t.changes, deeds.moves_there, deeds.moves_here),
                ("deletes", t.deletes, deeds.deletes_there,
                 deeds.deletes_here)):
            for side, deed in (("there", there), ("here", here)):
                yield Work("%s %s %s" % (thousands(n), words, side), 50, deed,
                           n)


class LargeMoves(Synced):
    """For the octets of a move."""

    name = "large"
    boxes = ("INBOX", "archive")

    def mail(self):
        t = self.tier
        return {"INBOX": accounts.letters("large", t.moved + t.moved // 4,
                                          t.moved_size, 0), "archive": []}

    def works(self):
        n = self.tier.moved
        for side, deed in (("there", deeds.moves_there),
                           ("here", deeds.moves_here)):
            yield Work("%s moves of %d kB %s" % (
                thousands(n), self.tier.moved_size // 1000, side), 50, deed,
                n)


class Mailboxes(Synced):
    """COUNT mailboxes.  A run of mbsync over hundreds of them at 50 ms takes
    most of a minute: where something is to be carried it has one.  Over
    thousands it takes minutes: --all has it, once."""

    def __init__(self, count, *args):
        self.count, self.name = count, "boxes%d" % count
        super().__init__(*args)
        self.boxes = ("INBOX",) + tuple("box%04d" % i
                                        for i in range(1, count))

    def mail(self):
        t = self.tier
        return {box: accounts.letters("few-" + box, t.few[self.count],
                                      t.mean, t.sigma) for box in self.boxes}

    def works(self):
        what = "%s mailboxes" % thousands(self.count)
        many = self.count > 1000
        yield Work("first sync, " + what, 0, fresh=True, floor=not many,
                   once=("mochila", "mbsync") if many else ())
        if not many:
            yield Work("first sync, " + what, 50, fresh=True,
                       once=("mbsync",))
        yield Work("nothing to do, " + what, 0)
        yield Work("nothing to do, " + what, 50,
                   once=("mbsync",) if many else (),
                   without=("mbsync",) if many and not self.everything
                   else ())
        if not many:
            yield from self.one_each(what)

    def one_each(self, what):
        """What people have who sort their mail: a little in many places."""
        some = self.count // 10
        for words, n, there, here in (
                ("1 flag", some, deeds.flag_each_there, deeds.flag_each_here),
                ("1 flag", self.count, deeds.flag_each_there,
                 deeds.flag_each_here),
                ("1 new message", some, deeds.new_each_there,
                 deeds.new_each_here),
                ("1 delete", some, deeds.delete_each_there,
                 deeds.delete_each_here)):
            for side, deed in (("there", there), ("here", here)):
                yield Work("%s %s in each of %d of %s" % (
                    words, side, n, what), 50, deed, n, once=("mbsync",))


class Among(Synced):
    """One change among COUNT messages, in an mdbox: Dovecot's own cost of
    one change is about the same for any number of them."""

    boxes = ("INBOX",)
    extra = accounts.MDBOX
    sample = 200

    def __init__(self, count, *args):
        self.count, self.name = count, "among%d" % count
        self.uidvalidity = 0
        super().__init__(*args)

    def letters(self):
        return accounts.tiny("among", self.count)

    def fill(self):
        need_room(self.base, 2 * self.count)
        accounts.fill_mdbox(self.dovecot, "template", self.letters())

    def set_up(self):
        super().set_up()
        for peer in self.peers:
            line = peer.server.status("INBOX").decode()
            peer.server.close()
            self.uidvalidity = int(re.search(r"UIDVALIDITY (\d+)",
                                             line).group(1))

    def before(self, work):
        if work.fresh:
            self.synced = False
        elif not self.synced:
            for peer in self.peers:
                if isinstance(peer, Mbsync):
                    peer.forget()
                    peer.pretend(self.uidvalidity, self.letters())
                elif not (peer.base / "state").exists():
                    peer.run(0)
                self.check(peer, True)
            self.synced = True

    def check(self, peer, whole):
        check.equal_mdbox(peer, self.sample, whole)
        peer.server.close()

    def works(self):
        what = "among %s" % thousands(self.count)
        once = ("mochila", "mbsync") if self.count > 100000 else ()
        yield Work("first sync, %s small messages" % thousands(self.count), 0,
                   fresh=True, once=once, without=("mbsync",) if once else ())
        for delay in (0, 50):
            for side, deed in (("there", deeds.one_flag_there),
                               ("here", deeds.one_flag_here)):
                yield Work("1 flag %s %s" % (side, what), delay, deed, 1,
                           settle=False)


class Accounts(Synced):
    """Many accounts in one configuration."""

    name = "accounts"
    boxes = ("INBOX", "archive")
    extra = accounts.CROWD

    def __init__(self, *args):
        super().__init__(*args)
        self.users = self.tier.accounts

    def mail(self):
        t = self.tier
        return {box: accounts.letters("account-" + box, n, t.mean, t.sigma)
                for box, n in t.in_account.items()}

    def works(self):
        what = "%d accounts" % self.users
        yield Work("first sync, " + what, 0, fresh=True)
        yield Work("nothing to do, " + what, 0)
        yield Work("nothing to do, " + what, 50, once=("mbsync",))


def scenes(base, tier, everything):
    """In the order of the table.  EVERYTHING: also what takes long."""
    rest = (base, tier, everything)
    yield OneMailbox(*rest)
    yield Changes(*rest)
    yield LargeMoves(*rest)
    for count in tier.mailboxes:
        yield Mailboxes(count, *rest)
    for count in tier.among:
        if everything or count < 1000000:
            yield Among(count, *rest)
    yield Accounts(*rest)


def thousands(n):
    return "{:,}".format(n)


def need_room(base, files):
    """Half of a million files too late is an unkind time to say so."""
    free = os.statvfs(base)
    if free.f_files and free.f_favail < files * 1.1:
        raise SystemExit("this takes %d files, and %d are free there: set "
                         "TMPDIR" % (files, free.f_favail))
    if free.f_bavail * free.f_frsize < files * 6000:
        raise SystemExit("this takes %d MB, and %d are free there: set TMPDIR"
                         % (files * 6000 >> 20,
                            free.f_bavail * free.f_frsize >> 20))


def measured_floor(scene, work):
    """One pass of the raw client and of the disk."""
    peer = scene.peers[0]
    run = raw_fetch(scene.dovecot, peer.users[0], scene.boxes, work.delay)
    run["one_file"], run["many_files"] = disk(scene.base, peer.there())
    return run
