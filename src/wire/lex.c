/*
 * Rules of this file:
 *  1. Every byte is looked at once; no byte is kept but in the tree.
 *  2. Every size that the server names is checked against what is left of
 *     max_octets and max_tree before a byte is allocated for it.
 *  3. After WIRE_BAD the object answers nothing but WIRE_BAD.
 *  4. A line of a listing that is not IMAP is one mailbox, and no reason to
 *     lose the others: it is read to its end, and marked by a WIRE_TEXT behind
 *     what was understood.  Not so where it may end in a literal: octets of a
 *     literal must never pass for a response.
 *
 * Where servers are known to be lax we read what they mean: bare LF as line
 * end, atoms with any byte in them that does not end one, "[" without "]" in
 * a status line, blanks in a row, empty lines.
 */
#include "wire/lex.h"

#include "base/alloc.h"

/* A token that was longer gives its memory back. */
#define TOKEN_KEEP 65536

enum state {
	ST_ITEM,      /* between items */
	ST_ATOM,
	ST_SECTION,   /* within the brackets of BODY[...] */
	ST_QUOTED,
	ST_ESCAPE,    /* behind a backslash in a quoted string */
	ST_LITERAL,   /* within "{...}" */
	ST_LITERAL_CR,/* behind "}" */
	ST_LITERAL_LF,
	ST_OCTETS,
	ST_STREAM,
	ST_TEXT_BEGIN,/* before the text or the code of a status line */
	ST_TEXT,
	ST_SKIP,      /* rule 4 */
	ST_CR,        /* a CR was taken; LF must follow */
	ST_DONE,
	ST_BAD
};

struct frame {
	struct wire_node *first, *last;
	bool code; /* ended by "]" rather than ")" */
};

struct wire_lex {
	struct wire_limits lim;
	struct arena mem;
	struct buf token;
	struct frame *frame; /* owned; [0] is the top level */
	unsigned depth;      /* index of the open one */
	size_t octets;
	enum state state;
	uint64_t size;       /* of the literal being read */
	size_t digits;
	struct wire_node *literal;
	size_t literal_have;
	char before;         /* ST_SKIP: the last byte that was no CR */
	const char *error;
};

struct wire_lex *
wire_lex_new(const struct wire_limits *lim)
{
	struct wire_lex *x = xcalloc(1, sizeof *x);

	x->lim = *lim;
	arena_init(&x->mem);
	buf_init(&x->token, lim->max_octets);
	x->frame = xcalloc((size_t)lim->max_depth + 1, sizeof *x->frame);
	return x;
}

void
wire_lex_free(struct wire_lex **x)
{
	if (!*x)
		return;
	arena_release(&(*x)->mem);
	buf_release(&(*x)->token);
	xfree((*x)->frame);
	xfree(*x);
	*x = NULL;
}

static void
clear_token(struct wire_lex *x)
{
	if (x->token.cap > TOKEN_KEEP)
		buf_release(&x->token);
	else
		buf_clear(&x->token);
}

void
wire_lex_next(struct wire_lex *x)
{
	if (x->state == ST_BAD)
		return;
	arena_clear(&x->mem);
	clear_token(x);
	x->frame[0] = (struct frame){0};
	x->depth = 0;
	x->octets = 0;
	x->literal = NULL;
	x->state = ST_ITEM;
}

static enum wire_more
bad(struct wire_lex *x, const char *why)
{
	x->state = ST_BAD;
	x->error = why;
	return WIRE_BAD;
}

/* Rule 4; what was taken of the line ends with LAST. */
static enum wire_more
malformed(struct wire_lex *x, const char *why, char last)
{
	if (!wire_is_listing(x->frame[0].first))
		return bad(x, why);
	buf_clear(&x->token);
	x->error = why;
	x->before = last;
	x->state = ST_SKIP;
	return WIRE_MORE;
}

/* Behind the last one of the open frame, with OCTETS of its own; or NULL. */
static struct wire_node *
add_node(struct wire_lex *x, enum wire_kind kind, size_t octets)
{
	struct frame *f = &x->frame[x->depth];
	struct wire_node *n;

	if (x->mem.used + sizeof *n + octets > x->lim.max_tree) {
		(void)bad(x, "response with too many items");
		return NULL;
	}
	n = arena_alloc(&x->mem, sizeof *n);
	n->kind = kind;
	if (f->last)
		f->last->next = n;
	else
		f->first = n;
	f->last = n;
	/* A list shows its items also before it is closed (WIRE_STREAM). */
	if (x->depth > 0 && f->first == n)
		x->frame[x->depth - 1].last->child = n;
	return n;
}

static enum wire_more
open_list(struct wire_lex *x, enum wire_kind kind)
{
	if (x->depth + 1 > x->lim.max_depth)
		return malformed(x, "response nested too deep", '(');
	if (!add_node(x, kind, 0))
		return WIRE_BAD;
	x->depth++;
	x->frame[x->depth] = (struct frame){.code = kind == WIRE_CODE};
	return WIRE_MORE;
}

static struct wire_node *
add_token(struct wire_lex *x, enum wire_kind kind)
{
	struct wire_node *n = add_node(x, kind, x->token.n);

	if (!n)
		return NULL;
	n->s = arena_span(&x->mem, buf_span(&x->token));
	clear_token(x);
	return n;
}

static bool
in_code(const struct wire_lex *x)
{
	for (unsigned i = x->depth; i > 0; i--)
		if (x->frame[i].code)
			return true;
	return false;
}

/* Leave the code, and whatever was left open in it. */
static void
close_code(struct wire_lex *x)
{
	while (!x->frame[x->depth].code)
		x->depth--;
	x->depth--;
}

/* What an atom at the top level says about what follows on its line. */
static enum state
state_after_atom(const struct wire_lex *x)
{
	const struct wire_node *first = x->frame[0].first;

	if (x->depth != 0)
		return ST_ITEM;
	if (x->frame[0].last == first)
		return wire_is_atom(first, "+") ? ST_TEXT_BEGIN : ST_ITEM;
	if (first->next == x->frame[0].last &&
	    (wire_is_cond(first->next) || wire_is_atom(first->next, "SEARCH")))
		return ST_TEXT_BEGIN;
	return ST_ITEM;
}

/* "* 12 FETCH (... BODY[...] {n}": is the literal that begins a body? */
static bool
is_body(const struct wire_lex *x)
{
	const struct wire_node *item = x->frame[x->depth].last;

	return x->depth == 1 && item && item->kind == WIRE_ATOM &&
	    wire_is_fetch(x->frame[0].first) &&
	    span_index(item->s, '[') < item->s.n &&
	    wire_names_body(span_of(item->s.p, span_index(item->s, '[')));
}

/* The head of a literal is complete. */
static enum wire_more
begin_literal(struct wire_lex *x)
{
	bool stream = x->size > x->lim.stream_min && is_body(x);
	struct wire_node *n;

	if (!stream && x->size > x->lim.max_octets - x->octets)
		return bad(x, "literal too long");
	n = add_node(x, stream ? WIRE_STREAMED : WIRE_LITERAL,
	    stream ? 0 : (size_t)x->size);
	if (!n)
		return WIRE_BAD;
	n->size = x->size;
	if (stream) {
		x->state = ST_STREAM;
		return WIRE_STREAM;
	}
	x->literal = n;
	x->literal_have = 0;
	n->s = span_of(arena_alloc(&x->mem, (size_t)x->size + 1),
	    (size_t)x->size);
	x->state = x->size ? ST_OCTETS : ST_ITEM;
	return WIRE_MORE;
}

static enum wire_more
done(struct wire_lex *x)
{
	x->state = ST_DONE;
	return WIRE_DONE;
}

/* The end of a line by rule 4. */
static enum wire_more
end_skipped(struct wire_lex *x)
{
	x->depth = 0;
	return add_token(x, WIRE_TEXT) ? done(x) : WIRE_BAD;
}

static enum wire_more
skip_byte(struct wire_lex *x, char c)
{
	if (c == '\n' && x->before == '}')
		return bad(x, x->error);
	if (c == '\n')
		return end_skipped(x);
	if (c != '\r')
		x->before = c;
	return WIRE_MORE;
}

static enum wire_more
end_line(struct wire_lex *x)
{
	if (in_code(x))
		close_code(x); /* "[" without "]" */
	if (x->depth == 0)
		return done(x);
	return wire_is_listing(x->frame[0].first) ? end_skipped(x)
			     : bad(x, "line ends within parentheses");
}

/* One byte between items. */
static enum wire_more
item_byte(struct wire_lex *x, char c)
{
	switch (c) {
	case ' ':
		return WIRE_MORE;
	case '\r':
		x->state = ST_CR;
		return WIRE_MORE;
	case '\n':
		return end_line(x);
	case '(':
		return open_list(x, WIRE_LIST);
	case ')':
		if (x->depth == 0 || x->frame[x->depth].code)
			return malformed(x,
			    "closing parenthesis without an opening one", c);
		x->depth--;
		return WIRE_MORE;
	case '"':
		x->state = ST_QUOTED;
		return WIRE_MORE;
	case '{':
		x->state = ST_LITERAL;
		x->size = 0;
		x->digits = 0;
		return WIRE_MORE;
	case ']':
		if (in_code(x)) {
			close_code(x);
			x->state = ST_TEXT_BEGIN;
			return WIRE_MORE;
		}
		break;
	case '\0':
		return malformed(x, "NUL outside a literal", c);
	default:
		break;
	}
	buf_addc(&x->token, c);
	x->state = ST_ATOM;
	return WIRE_MORE;
}

/*
 * Bytes of an atom.  *i is left at the first byte that is not part of it.
 */
static enum wire_more
atom_bytes(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	bool code = in_code(x);
	size_t from = *i;
	char c = 0;

	while (*i < n) {
		c = p[*i];
		if (c == ' ' || c == '(' || c == ')' || c == '\r' ||
		    c == '\n' || c == '[' || c == '\0' || (c == ']' && code))
			break;
		if (c == '{' && *i == from && x->token.n == 1 &&
		    x->token.p[0] == '~')
			break;
		++*i;
	}
	buf_add(&x->token, p + from, *i - from);
	if (*i == n)
		return WIRE_MORE;
	switch (c) {
	case '\0':
		return malformed(x, "NUL outside a literal", c);
	case '[':
		if (x->depth == 1 && wire_names_body(buf_span(&x->token)))
			x->state = ST_SECTION;
		buf_addc(&x->token, c);
		++*i;
		return WIRE_MORE;
	case '{': /* "~{n}": a literal8 (RFC 3516) */
		buf_clear(&x->token);
		x->state = ST_ITEM;
		return WIRE_MORE;
	default:
		if (!add_token(x, WIRE_ATOM))
			return WIRE_BAD;
		x->state = state_after_atom(x);
		return WIRE_MORE;
	}
}

static enum wire_more
section_bytes(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	size_t from = *i;

	while (*i < n && p[*i] != ']' && p[*i] != '\n' && p[*i] != '\0')
		++*i;
	buf_add(&x->token, p + from, *i - from);
	if (*i == n)
		return WIRE_MORE;
	if (p[*i] != ']')
		return bad(x, "section without an end");
	buf_addc(&x->token, ']');
	++*i;
	x->state = ST_ATOM;
	return WIRE_MORE;
}

static enum wire_more
quoted_bytes(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	size_t from = *i;

	while (*i < n && p[*i] != '"' && p[*i] != '\\' && p[*i] != '\r' &&
	    p[*i] != '\n' && p[*i] != '\0')
		++*i;
	buf_add(&x->token, p + from, *i - from);
	if (*i == n)
		return WIRE_MORE;
	switch (p[*i]) {
	case '"':
		if (!add_token(x, WIRE_QUOTED))
			return WIRE_BAD;
		x->state = ST_ITEM;
		break;
	case '\\':
		x->state = ST_ESCAPE;
		break;
	default:
		return malformed(x, "quoted string without an end",
		    x->token.n ? x->token.p[x->token.n - 1] : '"');
	}
	++*i;
	return WIRE_MORE;
}

static enum wire_more
literal_head_byte(struct wire_lex *x, char c)
{
	if (x->state == ST_LITERAL && c >= '0' && c <= '9') {
		/* 18 digits always fit (RFC 9051 §4.3: 63 bits). */
		if (++x->digits > 18)
			return bad(x, "literal too long");
		x->size = x->size * 10 + (uint64_t)(c - '0');
		return WIRE_MORE;
	}
	if (x->state == ST_LITERAL && x->digits && (c == '+' || c == '-'))
		return WIRE_MORE;
	if (x->state == ST_LITERAL && x->digits && c == '}') {
		x->state = ST_LITERAL_CR;
		return WIRE_MORE;
	}
	if (x->state == ST_LITERAL_CR && c == '\r') {
		x->state = ST_LITERAL_LF;
		return WIRE_MORE;
	}
	if (x->state != ST_LITERAL && c == '\n')
		return begin_literal(x);
	return bad(x, "malformed literal");
}

static void
octet_bytes(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	size_t want = (size_t)x->literal->size - x->literal_have;
	size_t have = n - *i < want ? n - *i : want;
	/* The node's bytes are ours until the literal is complete. */
	char *to = (char *)(uintptr_t)x->literal->s.p;

	memcpy(to + x->literal_have, p + *i, have);
	x->literal_have += have;
	*i += have;
	if (have == want)
		x->state = ST_ITEM;
}

static enum wire_more
text_begin_byte(struct wire_lex *x, char c, size_t *i)
{
	struct wire_node *last = x->frame[0].last;

	if (c == ' ') {
		++*i;
		return WIRE_MORE;
	}
	if (c == '[' && wire_is_cond(last)) {
		++*i;
		x->state = ST_ITEM;
		return open_list(x, WIRE_CODE);
	}
	x->state = ST_TEXT;
	return WIRE_MORE;
}

static enum wire_more
text_bytes(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	size_t from = *i;

	while (*i < n && p[*i] != '\n')
		++*i;
	buf_add(&x->token, p + from, *i - from);
	if (*i == n)
		return WIRE_MORE;
	++*i;
	if (x->token.n && x->token.p[x->token.n - 1] == '\r')
		x->token.n--;
	if (x->token.n && x->token.p[x->token.n - 1] == '}' &&
	    wire_is_atom(x->frame[0].last, "SEARCH"))
		return bad(x, "literal in a SEARCH");
	if (!add_token(x, WIRE_TEXT))
		return WIRE_BAD;
	return end_line(x);
}

/* One step: at least one byte, or a change of state. */
static enum wire_more
step(struct wire_lex *x, const char *p, size_t n, size_t *i)
{
	char c = p[*i];

	switch (x->state) {
	case ST_ITEM:
		++*i;
		return item_byte(x, c);
	case ST_ATOM:
		return atom_bytes(x, p, n, i);
	case ST_SECTION:
		return section_bytes(x, p, n, i);
	case ST_QUOTED:
		return quoted_bytes(x, p, n, i);
	case ST_ESCAPE:
		if (c == '\r' || c == '\n' || c == '\0')
			return malformed(x, "quoted string without an end",
			    '\\');
		buf_addc(&x->token, c);
		++*i;
		x->state = ST_QUOTED;
		return WIRE_MORE;
	case ST_LITERAL:
	case ST_LITERAL_CR:
	case ST_LITERAL_LF:
		++*i;
		return literal_head_byte(x, c);
	case ST_OCTETS:
		octet_bytes(x, p, n, i);
		return WIRE_MORE;
	case ST_TEXT_BEGIN:
		return text_begin_byte(x, c, i);
	case ST_TEXT:
		return text_bytes(x, p, n, i);
	case ST_CR:
		++*i;
		return c == '\n' ? end_line(x)
				 : malformed(x, "CR without LF", c);
	case ST_SKIP:
		++*i;
		return skip_byte(x, c);
	case ST_STREAM:
	case ST_DONE:
	case ST_BAD:
		break;
	}
	return bad(x, "fed without having been read");
}

enum wire_more
wire_lex_feed(struct wire_lex *x, const char *p, size_t n, size_t *used_r)
{
	enum wire_more more = WIRE_MORE;
	size_t i = 0;

	if (x->state == ST_BAD) {
		*used_r = 0;
		return WIRE_BAD;
	}
	while (i < n && more == WIRE_MORE) {
		size_t before = i;

		more = step(x, p, n, &i);
		x->octets += i - before;
		/* Also when the step ended in a fault behind the ceiling. */
		if (x->octets > x->lim.max_octets)
			more = bad(x, "response too long");
	}
	*used_r = i;
	return more;
}

uint64_t
wire_lex_stream_left(const struct wire_lex *x)
{
	return x->size;
}

void
wire_lex_streamed(struct wire_lex *x)
{
	if (x->state == ST_STREAM)
		x->state = ST_ITEM;
}

const struct wire_node *
wire_lex_root(const struct wire_lex *x)
{
	return x->frame[0].first;
}

const char *
wire_lex_error(const struct wire_lex *x)
{
	return x->error ? x->error : "";
}
