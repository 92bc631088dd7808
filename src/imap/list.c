#include <config.h>

#include "imap/internal.h"

#include "base/map.h"
#include "wire/text.h"

/* STATUS commands under way at once, where LIST-STATUS is missing. */
#define STATUS_WINDOW 64
/* Mailboxes of one account. */
#define BOXES_MAX 100000

struct listing {
	struct arena *mem;
	struct imap_box *v;
	size_t n, cap;
	struct map by_wire;
	uint32_t unread;
	struct span prefix;
	char delim;
	bool has_ns;
	bool subscribed;
};

/* A copy of SPAN, unless WAS is one: lines may come again without end. */
static struct span
keep(struct listing *l, struct span was, struct span span)
{
	return was.p && span_eq(was, span) ? was : arena_span(l->mem, span);
}

/* INBOX is one mailbox in any case (RFC 3501 §5.1). */
static struct span
key_of(struct span wire)
{
	return span_eq_case(wire, SPAN("INBOX")) ? SPAN("INBOX") : wire;
}

static int
add_box(struct listing *l, const struct resp *r, struct err *e)
{
	struct imap_box box = {.delim = r->delim, .attrs = r->attrs};
	uint64_t at;

	if (r->mailbox.n == 0) {
		/* The root of all, as some list it, is no mailbox. */
		l->unread += !(r->attrs & ATTR_NOSELECT);
		return 0;
	}
	/* RFC 3501 §9: no string has a NUL; nothing could be asked about it. */
	if (span_index(r->mailbox, '\0') < r->mailbox.n) {
		l->unread++;
		return 0;
	}
	if (map_get(&l->by_wire, key_of(r->mailbox), &at))
		return 0;
	if (l->n >= BOXES_MAX)
		return err_set(e, ERR_TOOBIG, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER, "LIST: more than %d mailboxes",
		    BOXES_MAX);
	box.wire = arena_span(l->mem, key_of(r->mailbox));
	map_set(&l->by_wire, box.wire, l->n);
	l->v = arena_grow(l->mem, l->v, l->n, &l->cap, sizeof *l->v);
	l->v[l->n++] = box;
	return 0;
}

static void
add_status(struct listing *l, const struct resp *r)
{
	struct imap_box *b;
	uint64_t at;

	if (!map_get(&l->by_wire, key_of(r->mailbox), &at))
		return;
	b = &l->v[at];
	b->has |= r->has;
	if (r->has & HAS_MESSAGES)
		b->messages = r->messages;
	if (r->has & HAS_UIDNEXT)
		b->uidnext = r->uidnext;
	if (r->has & HAS_UIDVALIDITY)
		b->uidvalidity = r->uidvalidity;
	if (r->has & HAS_HIGHESTMODSEQ)
		b->highestmodseq = r->highestmodseq;
	if (r->has & HAS_MAILBOXID)
		b->mailboxid = keep(l, b->mailboxid, r->mailboxid);
}

/* Read up to the answer of command TAG, taking down what belongs to L. */
static int
read_listing(struct imap *s, struct listing *l, uint32_t tag, struct err *e)
{
	for (;;) {
		const struct resp *r = &s->resp;
		int rc = imap_next(s, e);

		if (rc == IMAP_GOT_STREAM)
			rc = imap_stream_drop(s, e);
		else if (rc == 0 && r->type == RESP_LIST)
			rc = add_box(l, r, e);
		else if (rc == 0 && r->type == RESP_MBSTATUS)
			add_status(l, r);
		else if (rc == 0 && r->type == RESP_NAMESPACE && r->has_ns) {
			l->has_ns = true;
			l->prefix = keep(l, l->prefix, r->ns_prefix);
			l->delim = r->ns_delim;
		}
		if (rc < 0)
			return imap_break(s, e);
		if (imap_tag_number(s) == tag)
			return 0;
	}
}

static void
add_items(struct imap *s)
{
	wire_cmd_raw(&s->cmd, "(MESSAGES UIDNEXT UIDVALIDITY");
	if (s->caps & IMAP_CAP_CONDSTORE)
		wire_cmd_raw(&s->cmd, " HIGHESTMODSEQ");
	wire_cmd_raw(&s->cmd, ")");
}

/*
 * The ids of RFC 8474, by themselves: in the answer to a STATUS of several
 * items, Cyrus 3.6 gives octets of its memory for MAILBOXID.
 */
#define ID_ITEM "(MAILBOXID)"

/* Tags of STATUS commands whose answers are to be read; FIRST 0: none. */
struct asked {
	struct listing *l;
	uint32_t first, last;
};

static int
read_asked(struct imap *s, struct asked *a, struct err *e)
{
	if (a->first == 0)
		return 0;
	a->first = 0;
	return read_listing(s, a->l, a->last, e);
}

static int
ask_status(struct imap *s, struct asked *a, struct span wire, bool id,
    struct err *e)
{
	int rc;

	imap_begin(s, "STATUS ");
	wire_cmd_astring(&s->cmd, wire);
	wire_cmd_raw(&s->cmd, " ");
	if (id)
		wire_cmd_raw(&s->cmd, ID_ITEM);
	else
		add_items(s);
	/* A name that waits for "+" waits alone: imap_send() knows no others. */
	if (s->cmd.nwait && read_asked(s, a, e) < 0)
		return e->code;
	rc = imap_send(s, e);
	if (rc != 0) /* 1: it was refused at its name, and that is read */
		return rc < 0 ? rc : 0;
	a->last = s->tag;
	if (a->first == 0)
		a->first = a->last;
	return 0;
}

/* One STATUS for each mailbox that has no numbers yet, in a window. */
static int
ask_each(struct imap *s, struct listing *l, struct err *e)
{
	struct asked a = {.l = l};
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		if ((l->v[i].attrs & ATTR_NOSELECT) ||
		    (l->v[i].has & HAS_MESSAGES))
			continue;
		rc = ask_status(s, &a, l->v[i].wire, false, e);
		if (rc == 0 && (s->caps & IMAP_CAP_OBJECTID))
			rc = ask_status(s, &a, l->v[i].wire, true, e);
		/* NO concerns that mailbox alone: SELECT will say what it is. */
		if (rc == 0 && a.first && a.last - a.first >= STATUS_WINDOW)
			rc = read_asked(s, &a, e);
	}
	return rc == 0 ? read_asked(s, &a, e) : rc;
}

static void
add_returns(struct imap *s)
{
	bool extended = (s->caps & IMAP_CAP_LIST_EXTENDED) != 0;
	bool numbers = (s->caps & IMAP_CAP_LIST_STATUS) != 0;

	if (!extended && !numbers)
		return;
	wire_cmd_raw(&s->cmd, " RETURN (");
	if (extended) {
		wire_cmd_raw(&s->cmd, "SUBSCRIBED");
		/* RFC 6154 §2: not in an extended LIST unless asked for */
		if (s->caps & IMAP_CAP_SPECIAL_USE)
			wire_cmd_raw(&s->cmd, " SPECIAL-USE");
	}
	if (numbers) {
		wire_cmd_raw(&s->cmd, extended ? " STATUS " : "STATUS ");
		add_items(s);
	}
	wire_cmd_raw(&s->cmd, ")");
}

/* RFC 5530; there are servers that say TRYCREATE. */
static bool
code_says_absent(const struct err *no)
{
	return strcmp(no->resp, "NONEXISTENT") == 0 ||
	    strcmp(no->resp, "TRYCREATE") == 0;
}

static bool
has_children(const struct listing *l, const struct imap_box *b)
{
	for (size_t i = 0; b->delim && i < l->n; i++) {
		struct span wire = l->v[i].wire;

		if (wire.n > b->wire.n && wire.p[b->wire.n] == b->delim &&
		    span_starts(wire, b->wire))
			return true;
	}
	return false;
}

/*
 * Can it be opened?  NO is returned.  What BAD means, and a refusal to close it
 * again, is left to the SELECT.
 */
static int
try_open(struct imap *s, struct span wire, struct err *e)
{
	int rc;

	imap_begin(s, "EXAMINE ");
	wire_cmd_astring(&s->cmd, wire);
	rc = imap_run(s, ERR_SCOPE_BOX, "EXAMINE", e);
	s->selected = rc == 0;
	if (rc == ERR_NO || s->broken)
		return rc;
	if (rc == 0)
		rc = imap_unselect(s, e);
	if ((rc == ERR_NO || rc == ERR_BAD) && !s->broken) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/*
 * Dovecot goes on listing a mailbox that was deleted while it had children.
 * What neither STATUS nor EXAMINE finds does not exist, whatever LIST says.
 * A server that cannot open a mailbox just now says NO as well: without a code
 * it has to be such a mailbox, and the text to say so.  All else is left to the
 * SELECT.
 */
static int
mark_ghosts(struct imap *s, struct listing *l, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		struct imap_box *b = &l->v[i];

		if ((b->attrs & (ATTR_NOSELECT | ATTR_NONEXISTENT)) ||
		    (b->has & HAS_MESSAGES) ||
		    span_eq_case(b->wire, SPAN("INBOX")))
			continue;
		rc = try_open(s, b->wire, e);
		if (rc != ERR_NO)
			continue;
		if (code_says_absent(e) ||
		    (!e->resp[0] && wire_denies(s->resp.text) &&
			has_children(l, b)))
			b->attrs |= ATTR_NONEXISTENT;
		err_clear(e);
		rc = 0;
	}
	return rc;
}

/*
 * RFC 2971, RFC 2342 §5: their answers come with that of LIST, which does not
 * depend on them.
 */
static int
send_ahead(struct imap *s, struct err *e)
{
	int rc = 0;

	if ((s->caps & IMAP_CAP_ID) && !s->said_id) {
		s->said_id = true;
		imap_begin(s,
		    "ID (\"name\" \"mochila\" \"version\" \"" PACKAGE_VERSION
		    "\")");
		rc = imap_send(s, e);
	}
	if (rc == 0 && (s->caps & IMAP_CAP_NAMESPACE)) {
		imap_begin(s, "NAMESPACE");
		rc = imap_send(s, e);
	}
	return rc;
}

static int
list_once(struct imap *s, struct listing *l, bool with_return, struct err *e)
{
	uint32_t list;
	int rc;

	imap_begin(s, "LIST \"\" \"*\"");
	l->subscribed = with_return && (s->caps & IMAP_CAP_LIST_EXTENDED);
	if (with_return)
		add_returns(s);
	rc = imap_send(s, e);
	list = s->tag;
	if (rc == 0 && with_return && (s->caps & IMAP_CAP_LIST_STATUS) &&
	    (s->caps & IMAP_CAP_OBJECTID)) {
		imap_begin(s, "LIST \"\" \"*\" RETURN (STATUS " ID_ITEM ")");
		rc = imap_send(s, e);
	}
	if (rc == 0)
		rc = read_listing(s, l, list, e);
	if (rc == 0)
		rc = imap_check_ok(s, ERR_SCOPE_ACCOUNT, e, "LIST");
	/* Without the ids it is a listing all the same. */
	if (s->tag != list && !s->broken) {
		struct err late = {0};
		uint32_t unread = l->unread;
		int ids;

		/* the same lines once more */
		l->unread = 0;
		ids = read_listing(s, l, s->tag, rc == 0 ? e : &late);
		l->unread = l->unread > unread ? l->unread : unread;
		rc = rc == 0 ? ids : rc;
	}
	return rc;
}

static int
list_all(struct imap *s, struct listing *l, struct err *e)
{
	bool with_return =
	    s->caps & (IMAP_CAP_LIST_STATUS | IMAP_CAP_LIST_EXTENDED);
	int rc = send_ahead(s, e);

	if (rc == 0)
		rc = list_once(s, l, with_return, e);
	/* Some know the word and not the command; one says OK and nothing. */
	if (with_return && !s->broken &&
	    (rc == ERR_NO || rc == ERR_BAD ||
		(rc == 0 && l->n == 0 && l->unread == 0))) {
		err_clear(e);
		l->unread = 0;
		rc = list_once(s, l, false, e);
	}
	/* RFC 5819 §2: a server may leave out single ones. */
	if (rc == 0)
		rc = ask_each(s, l, e);
	return rc < 0 ? rc : mark_ghosts(s, l, e);
}

int
imap_list(struct imap *s, struct arena *mem, struct imap_listing *l_r,
    struct err *e)
{
	struct listing l = {.mem = mem};
	int rc;

	map_init(&l.by_wire);
	rc = list_all(s, &l, e);
	map_release(&l.by_wire);
	if (rc < 0)
		return rc;
	/* Without NAMESPACE the delimiter of INBOX is that of all. */
	for (size_t i = 0; i < l.n && !l.has_ns; i++)
		if (l.v[i].delim)
			l.delim = l.v[i].delim;
	*l_r = (struct imap_listing){.v = l.v, .n = l.n, .unread = l.unread,
	    .prefix = l.prefix, .delim = l.delim, .subscribed = l.subscribed};
	return 0;
}

/* RFC 3501 §6.3.9: \Noselect is what only has others below it. */
int
imap_subscriptions(struct imap *s, struct arena *mem, struct map *names,
    struct err *e)
{
	struct listing subs = {.mem = mem};
	int rc;

	map_init(&subs.by_wire);
	imap_begin(s, "LSUB \"\" \"*\"");
	rc = imap_send(s, e);
	if (rc == 0)
		rc = read_listing(s, &subs, s->tag, e);
	if (rc == 0)
		rc = imap_check_ok(s, ERR_SCOPE_BOX, e, "LSUB");
	for (size_t i = 0; i < subs.n && rc == 0; i++)
		if (!(subs.v[i].attrs & ATTR_NOSELECT))
			map_add(names, subs.v[i].wire, 1);
	map_release(&subs.by_wire);
	return rc;
}

int
imap_subscribed(struct imap *s, struct arena *mem, struct imap_listing *l,
    struct err *e)
{
	struct map names;
	uint64_t one;
	int rc;

	if (l->subscribed)
		return 0;
	map_init(&names);
	rc = imap_subscriptions(s, mem, &names, e);
	for (size_t i = 0; i < l->n && rc == 0; i++)
		if (map_get(&names, key_of(l->v[i].wire), &one))
			l->v[i].attrs |= ATTR_SUBSCRIBED;
	map_release(&names);
	if (rc == ERR_NO || rc == ERR_BAD) {
		err_clear(e);
		rc = 0;
	}
	l->subscribed = rc == 0;
	return rc;
}

int
imap_exists(struct imap *s, struct span wire, bool *exists_r, struct err *e)
{
	int rc;

	imap_begin(s, "STATUS ");
	wire_cmd_astring(&s->cmd, wire);
	wire_cmd_raw(&s->cmd, " (MESSAGES)");
	rc = imap_run(s, ERR_SCOPE_BOX, "STATUS", e);
	/* Old servers give no code. */
	if (rc == ERR_NO && (!e->resp[0] || code_says_absent(e))) {
		err_clear(e);
		*exists_r = false;
		return 0;
	}
	if (rc == 0)
		*exists_r = true;
	return rc;
}
