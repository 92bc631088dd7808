"""Servers that people have, as far as they differ for a synchronizer."""


class Persona:
    """How a kind of server differs from one that can everything."""
    caps = ("IMAP4rev1 SASL-IR ENABLE ID NAMESPACE UNSELECT UIDPLUS MOVE "
            "CONDSTORE QRESYNC ESEARCH LIST-EXTENDED LIST-STATUS LITERAL+ "
            "SPECIAL-USE")
    before_login = "IMAP4rev1 SASL-IR AUTH=PLAIN"
    inbox = "INBOX"
    enabled_line = True     # ENABLE is answered with ENABLED
    copyuid_tagged = False  # COPYUID of MOVE in the tagged OK
    vanished = staticmethod(lambda text: text)
    message_limit = 0
    append_limit = 0
    needs_crlf = False
    merges = False          # what is there already is not stored once more
    line_limit = 0
    labels = False

    def copyuid(self, validity, source, target):
        return "[COPYUID %d %s %s]" % (validity, source, target)

    def fill(self, store):
        pass


class Gmail(Persona):
    """Mailboxes are labels of messages; no QRESYNC; an expunge takes the
    label away, and moves to the trash delete."""
    caps = ("IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN "
            "X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH "
            "UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE "
            "APPENDLIMIT=35651584")
    copyuid_tagged = True
    append_limit = 35651584
    labels = True

    def fill(self, store):
        store.create("[Gmail]", select=False)
        for name, attr in (("All Mail", "\\All"), ("Drafts", "\\Drafts"),
                           ("Important", "\\Important"),
                           ("Sent Mail", "\\Sent"), ("Spam", "\\Junk"),
                           ("Starred", "\\Flagged"), ("Trash", "\\Trash")):
            store.create("[Gmail]/" + name, [attr])


class Outlook(Persona):
    """Little is offered, COPYUID is malformed, keywords do not stick."""
    caps = ("IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID "
            "UNSELECT CLIENTACCESSRULES CHILDREN IDLE NAMESPACE LITERAL+")
    line_limit = 10240

    def copyuid(self, validity, source, target):
        return "[COPYUID %d  ]" % validity

    def fill(self, store):
        for name in ("Drafts", "Sent Items", "Deleted Items"):
            store.create(name)
        for box in store.boxes.values():
            box.permanent = ["\\Seen", "\\Answered", "\\Flagged",
                             "\\Deleted", "\\Draft", "$MDNSent"]


class Yahoo(Persona):
    """UIDs only, so many messages for a command, and the final CRLF."""
    caps = ("IMAP4rev1 SASL-IR NAMESPACE ENABLE ID OBJECTID CONDSTORE QRESYNC "
            "UIDONLY PARTIAL MESSAGELIMIT=5 UIDPLUS MOVE UNSELECT CHILDREN "
            "LITERAL+")
    inbox = "Inbox"
    message_limit = 5
    needs_crlf = True
    line_limit = 1000

    def fill(self, store):
        for name in ("Archive", "Bulk", "Draft", "Sent", "Trash"):
            store.create(name)


class Icloud(Persona):
    """ENABLE works and says nothing; VANISHED is not to be trusted."""
    caps = ("IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN CONDSTORE ENABLE QRESYNC "
            "LIST-STATUS IDLE ESEARCH ID NAMESPACE UIDPLUS UNSELECT CHILDREN "
            "XAPPLEPUSHSERVICE")
    enabled_line = False
    vanished = staticmethod(lambda text: text.replace(",", " "))

    def fill(self, store):
        for name in ("Archive", "Deleted Messages", "Drafts", "Junk",
                     "Sent Messages"):
            store.create(name)
