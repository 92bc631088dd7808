#include "wire/resp.h"

#include "wire/text.h"

/* Ranges in one VANISHED, SEARCH or response code. */
#define SET_MAX (1u << 20)

void
resp_init(struct resp *r)
{
	memset(r, 0, sizeof *r);
	uidset_init(&r->set);
}

void
resp_release(struct resp *r)
{
	uidset_release(&r->set);
	resp_init(r);
}

struct word {
	const char *word;
	uint32_t value;
};

static bool
word_value(const struct word *w, size_t n, const struct wire_node *node,
    uint32_t *v_r)
{
	for (size_t i = 0; i < n; i++) {
		if (wire_is_atom(node, w[i].word)) {
			*v_r = w[i].value;
			return true;
		}
	}
	return false;
}
#define WORD_VALUE(table, node, v_r)                                           \
	word_value((table), sizeof(table) / sizeof *(table), (node), (v_r))

static const struct wire_node *
list_items(const struct wire_node *n)
{
	return n && n->kind == WIRE_LIST ? n->child : NULL;
}

/* "* OK [CODE words] text", from the condition on. */
static bool
parse_status(const struct wire_node *n, struct resp *r)
{
	static const struct word conds[] = {{"OK", COND_OK}, {"NO", COND_NO},
	    {"BAD", COND_BAD}, {"BYE", COND_BYE}, {"PREAUTH", COND_PREAUTH}};
	uint32_t cond;

	if (!WORD_VALUE(conds, n, &cond))
		return false;
	r->type = RESP_STATUS;
	r->cond = (enum resp_cond)cond;
	n = n->next;
	if (n && n->kind == WIRE_CODE) {
		if (wire_astring(n->child, &r->code))
			r->args = n->child->next;
		n = n->next;
	}
	if (n && n->kind == WIRE_TEXT)
		r->text = n->s;
	return true;
}

/* A mailbox's delimiter; NIL and "" mean a flat namespace. */
static bool
parse_delim(const struct wire_node *n, char *delim_r)
{
	struct span s;

	if (wire_is_nil(n)) {
		*delim_r = 0;
		return true;
	}
	if (!wire_astring(n, &s) || s.n > 1)
		return false;
	*delim_r = s.n ? s.p[0] : 0;
	return true;
}

/*
 * What may follow the name is a list of tags with their values (RFC 5258 §6).
 * Anything else belongs to a name with blanks that was not quoted, and cannot
 * be told from other names.
 */
static bool
is_extended(const struct wire_node *n)
{
	const struct wire_node *tag = list_items(n);

	return n->kind == WIRE_LIST && !n->next && (!tag || tag->next);
}

/* The lexer could not read the line to its end. */
static bool
ends_in_text(const struct wire_node *n)
{
	while (n->next)
		n = n->next;
	return n->kind == WIRE_TEXT;
}

static void
parse_list(const struct wire_node *n, struct resp *r)
{
	static const struct word attrs[] = {
	    {"\\Noinferiors", ATTR_NOINFERIORS},
	    {"\\Noselect", ATTR_NOSELECT},
	    {"\\NonExistent", ATTR_NONEXISTENT | ATTR_NOSELECT},
	    {"\\Marked", ATTR_MARKED}, {"\\HasChildren", ATTR_HASCHILDREN},
	    {"\\HasNoChildren", ATTR_HASNOCHILDREN},
	    {"\\Subscribed", ATTR_SUBSCRIBED}, {"\\All", ATTR_ALL},
	    {"\\Archive", ATTR_ARCHIVE}, {"\\Drafts", ATTR_DRAFTS},
	    {"\\Flagged", ATTR_FLAGGED}, {"\\Junk", ATTR_JUNK},
	    {"\\Sent", ATTR_SENT}, {"\\Trash", ATTR_TRASH},
	    {"\\Important", ATTR_IMPORTANT}};
	uint32_t bit;

	/*
	 * Also when it cannot be read this is a line of the listing: the
	 * caller must know that a mailbox is missing from what it has.
	 */
	r->type = RESP_LIST;
	for (const struct wire_node *a = list_items(n); a; a = a->next)
		if (WORD_VALUE(attrs, a, &bit))
			r->attrs |= bit;
	if (!n || !n->next || !parse_delim(n->next, &r->delim))
		return;
	n = n->next->next;
	if (n && n->next && !is_extended(n->next) &&
	    (n->kind == WIRE_ATOM || ends_in_text(n)))
		return;
	if (!wire_astring(n, &r->mailbox))
		r->mailbox = SPAN_NONE;
}

/* RFC 8474 §7 objectid; one server shows garbage, which must not count. */
static bool
is_objectid(struct span s)
{
	if (s.n == 0 || s.n > 255)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}

static void
parse_mbstatus(const struct wire_node *n, struct resp *r)
{
	struct span id;

	if (!wire_astring(n, &r->mailbox) || !n->next ||
	    n->next->kind != WIRE_LIST)
		return;
	r->type = RESP_MBSTATUS;
	for (n = n->next->child; n && n->next; n = n->next->next) {
		const struct wire_node *v = n->next;

		if (wire_is_atom(n, "MESSAGES") && wire_u32(v, &r->messages))
			r->has |= HAS_MESSAGES;
		else if (wire_is_atom(n, "UIDNEXT") &&
		    wire_u32(v, &r->uidnext))
			r->has |= HAS_UIDNEXT;
		else if (wire_is_atom(n, "UIDVALIDITY") &&
		    wire_u32(v, &r->uidvalidity))
			r->has |= HAS_UIDVALIDITY;
		else if (wire_is_atom(n, "UNSEEN") && wire_u32(v, &r->unseen))
			r->has |= HAS_UNSEEN;
		else if (wire_is_atom(n, "HIGHESTMODSEQ") &&
		    wire_u64(v, &r->highestmodseq))
			r->has |= HAS_HIGHESTMODSEQ;
		else if (wire_is_atom(n, "MAILBOXID") &&
		    wire_astring(list_items(v), &id) && is_objectid(id)) {
			r->mailboxid = id;
			r->has |= HAS_MAILBOXID;
		}
	}
}

/* "BODY[section]<origin>" and its value. */
static void
parse_body(const struct wire_node *n, const struct wire_node *v,
    struct resp *r)
{
	size_t open = span_index(n->s, '['), close = n->s.n;

	while (close > open && n->s.p[close - 1] != ']')
		close--;
	if (close == open)
		return;
	if (wire_is_nil(v)) {
		r->has |= HAS_BODY_NIL;
		return;
	}
	if (v->kind != WIRE_QUOTED && v->kind != WIRE_LITERAL &&
	    v->kind != WIRE_STREAMED)
		return;
	r->has |= HAS_BODY;
	if (r->nbody == RESP_MAX_BODIES)
		return;
	struct span tail = span_of(n->s.p + close, n->s.n - close);
	r->body[r->nbody].section =
	    span_of(n->s.p + open + 1, close - open - 2);
	if (tail.n > 2 && tail.p[0] == '<' && tail.p[tail.n - 1] == '>')
		r->body[r->nbody].has_origin =
		    span_u64(span_of(tail.p + 1, tail.n - 2),
			&r->body[r->nbody].origin);
	r->body[r->nbody].value = v;
	r->nbody++;
}

/* "X-GM-MSGID 12", "EMAILID (M1)"; NIL, and what is garbage, is none. */
static bool
parse_gid(const struct wire_node *n, const struct wire_node *v,
    struct span *gid_r)
{
	uint64_t number;
	struct span id;

	if (wire_is_atom(n, "X-GM-MSGID") && wire_u64(v, &number)) {
		*gid_r = v->s;
		return true;
	}
	if (!wire_is_atom(n, "EMAILID") || !wire_astring(list_items(v), &id) ||
	    !is_objectid(id))
		return false;
	*gid_r = id;
	return true;
}

static void
parse_fetch(const struct wire_node *n, struct resp *r)
{
	struct span s;
	uint32_t uid;

	r->type = RESP_FETCH;
	for (n = list_items(n); n && n->next; n = n->next->next) {
		const struct wire_node *v = n->next;

		if (n->kind != WIRE_ATOM)
			continue;
		if (wire_is_atom(n, "UID") && wire_u32(v, &uid)) {
			if (uid) {
				r->uid = uid;
				r->has |= HAS_UID;
			}
		} else if (wire_is_atom(n, "FLAGS") && v->kind == WIRE_LIST) {
			r->flags = v->child;
			r->has |= HAS_FLAGS;
		} else if (wire_is_atom(n, "MODSEQ") &&
		    wire_u64(list_items(v), &r->modseq)) {
			r->has |= HAS_MODSEQ;
		} else if (wire_is_atom(n, "RFC822.SIZE") &&
		    wire_u64(v, &r->size)) {
			r->has |= HAS_SIZE;
		} else if (wire_is_atom(n, "INTERNALDATE") &&
		    wire_string(v, &s) && wire_date_parse(s, &r->idate)) {
			r->has |= HAS_DATE;
		} else if (parse_gid(n, v, &r->gid)) {
			r->has |= HAS_GID;
		} else if (span_index(n->s, '[') < n->s.n) {
			parse_body(n, v, r);
		}
	}
}

static void
parse_vanished(const struct wire_node *n, struct resp *r)
{
	if (n && n->kind == WIRE_LIST) {
		r->earlier = wire_is_atom(n->child, "EARLIER");
		n = n->next;
	}
	if (n && n->kind == WIRE_ATOM && uidset_parse(n->s, SET_MAX, &r->set))
		r->type = RESP_VANISHED;
}

/* Numbers, and behind them, maybe, "(MODSEQ 12)" (RFC 7162 §3.1.5). */
static void
parse_search(const struct wire_node *n, struct resp *r)
{
	struct uidset_bulk bulk = {.set = &r->set};
	struct span s = n ? span_of(n->s.p, span_index(n->s, '(')) : SPAN_NONE;
	uint32_t uid;

	r->type = RESP_SEARCH;
	while (s.n > 0) {
		size_t end = span_index(s, ' ');

		if (span_u32(span_of(s.p, end), &uid) && uid)
			uidset_bulk_add(&bulk, uid, uid);
		end += end < s.n;
		s = span_of(s.p + end, s.n - end);
	}
	uidset_bulk_end(&bulk);
}

/* RFC 4731 §3.1: "(TAG "x") UID ALL 1:3 COUNT 3 ..." */
static void
parse_esearch(const struct wire_node *n, struct resp *r)
{
	r->type = RESP_SEARCH;
	if (n && n->kind == WIRE_LIST)
		n = n->next;
	if (wire_is_atom(n, "UID"))
		n = n->next;
	for (; n && n->next; n = n->next->next)
		if (wire_is_atom(n, "ALL") && n->next->kind == WIRE_ATOM &&
		    !uidset_parse(n->next->s, SET_MAX, &r->set))
			r->type = RESP_OTHER;
}

/* RFC 2342 §6: the first personal namespace is where mailboxes are made. */
static void
parse_namespace(const struct wire_node *n, struct resp *r)
{
	const struct wire_node *first = list_items(list_items(n));

	r->type = RESP_NAMESPACE;
	if (wire_string(first, &r->ns_prefix))
		r->has_ns = parse_delim(first->next, &r->ns_delim);
}

static void
parse_numbered(const struct wire_node *n, struct resp *r)
{
	static const struct word words[] = {{"EXISTS", RESP_EXISTS},
	    {"RECENT", RESP_RECENT}, {"EXPUNGE", RESP_EXPUNGE}};
	uint32_t type;

	if (wire_is_atom(n, "FETCH")) {
		parse_fetch(n->next, r);
	} else if (wire_is_atom(n, "UIDFETCH") && r->num) {
		/* RFC 9586 §3.3: the number is the UID. */
		r->uid = r->num;
		r->has |= HAS_UID;
		r->num = 0;
		parse_fetch(n->next, r);
	} else if (WORD_VALUE(words, n, &type)) {
		r->type = (enum resp_type)type;
	}
}

static void
parse_untagged(const struct wire_node *n, struct resp *r)
{
	if (wire_u32(n, &r->num)) {
		parse_numbered(n->next, r);
	} else if (parse_status(n, r)) {
		return;
	} else if (wire_is_atom(n, "CAPABILITY")) {
		r->type = RESP_CAPABILITY;
		r->words = n->next;
	} else if (wire_is_atom(n, "ENABLED")) {
		r->type = RESP_ENABLED;
		r->words = n->next;
	} else if (wire_is_atom(n, "FLAGS")) {
		r->type = RESP_FLAGS;
		r->words = list_items(n->next);
	} else if (wire_is_atom(n, "LIST") || wire_is_atom(n, "LSUB")) {
		parse_list(n->next, r);
	} else if (wire_is_atom(n, "STATUS")) {
		parse_mbstatus(n->next, r);
	} else if (wire_is_atom(n, "VANISHED")) {
		parse_vanished(n->next, r);
	} else if (wire_is_atom(n, "SEARCH")) {
		parse_search(n->next, r);
	} else if (wire_is_atom(n, "ESEARCH")) {
		parse_esearch(n->next, r);
	} else if (wire_is_atom(n, "NAMESPACE")) {
		parse_namespace(n->next, r);
	}
}

void
resp_parse(const struct wire_node *root, struct resp *r)
{
	resp_release(r);
	if (!root || root->kind != WIRE_ATOM)
		return;
	if (wire_is_atom(root, "*")) {
		parse_untagged(root->next, r);
	} else if (wire_is_atom(root, "+")) {
		r->type = RESP_CONT;
		if (root->next && root->next->kind == WIRE_TEXT)
			r->text = root->next->s;
	} else {
		r->tag = root->s;
		(void)parse_status(root->next, r);
	}
}

bool
resp_code_is(const struct resp *r, const char *code)
{
	return r->code.n && span_eq_case(r->code, span_str(code));
}

bool
resp_appenduid(const struct resp *r, uint32_t *uidvalidity_r,
    struct uidset *uids_r)
{
	uint32_t v;

	if (!resp_code_is(r, "APPENDUID") || !wire_u32(r->args, &v) || !v ||
	    !r->args->next || r->args->next->kind != WIRE_ATOM ||
	    !uidset_parse(r->args->next->s, SET_MAX, uids_r))
		return false;
	*uidvalidity_r = v;
	return true;
}

/*
 * The UIDs of a set in written order; false when malformed or over MAX.
 * (uidset_parse() sorts, and the order is what pairs them.)
 */
static bool
written_uids(struct span s, size_t max, uint32_t *v, size_t *n_r)
{
	size_t n = 0;

	for (;;) {
		size_t comma = span_index(s, ',');
		struct span part = span_of(s.p, comma);
		size_t colon = span_index(part, ':');
		uint32_t lo, hi;

		if (!span_u32(span_of(part.p, colon), &lo) || !lo)
			return false;
		hi = lo;
		if (colon < part.n &&
		    (!span_u32(span_of(part.p + colon + 1, part.n - colon - 1),
			 &hi) || !hi))
			return false;
		/* RFC 4315 §3: a range always stands for ascending UIDs. */
		if (lo > hi) {
			uint32_t swap = lo;

			lo = hi;
			hi = swap;
		}
		if ((uint64_t)hi - lo + 1 > max - n)
			return false;
		for (uint64_t u = lo; u <= hi; u++)
			v[n++] = (uint32_t)u;
		if (comma == s.n)
			break;
		s = span_of(s.p + comma + 1, s.n - comma - 1);
	}
	*n_r = n;
	return true;
}

bool
resp_copyuid(struct arena *mem, const struct resp *r, size_t max,
    uint32_t *uidvalidity_r, uint32_t **from_r, uint32_t **to_r, size_t *n_r)
{
	const struct wire_node *n = r->args;
	uint32_t v, *from, *to;
	size_t nfrom, nto;

	if (!resp_code_is(r, "COPYUID") || !wire_u32(n, &v) || !v ||
	    !n->next || n->next->kind != WIRE_ATOM || !n->next->next ||
	    n->next->next->kind != WIRE_ATOM)
		return false;
	from = arena_array(mem, max, sizeof *from);
	to = arena_array(mem, max, sizeof *to);
	if (!written_uids(n->next->s, max, from, &nfrom) ||
	    !written_uids(n->next->next->s, max, to, &nto) || nfrom != nto)
		return false;
	*uidvalidity_r = v;
	*from_r = from;
	*to_r = to;
	*n_r = nfrom;
	return true;
}

bool
resp_code_u64(const struct resp *r, uint64_t *v_r)
{
	return wire_u64(r->args, v_r);
}

bool
resp_code_set(const struct resp *r, struct uidset *set_r)
{
	return r->args && r->args->kind == WIRE_ATOM &&
	    uidset_parse(r->args->s, SET_MAX, set_r);
}
