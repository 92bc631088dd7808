/*
 * lex: from bytes to the tree of one IMAP response (RFC 3501 §9).
 *
 * A push parser: feed it bytes as they come, cut anywhere.  It answers
 *   WIRE_MORE    all bytes taken, the response goes on
 *   WIRE_DONE    one whole response is in root; the rest was not taken
 *   WIRE_STREAM  a body literal begins right behind the taken bytes: read
 *                wire_lex_stream_left() octets yourself, then call
 *                wire_lex_streamed() and go on feeding.  root holds what came
 *                before it, so the items of this FETCH that are already known
 *                can be looked at.
 *   WIRE_BAD     not IMAP, or a ceiling was passed; error says which.
 *                The connection is of no more use.
 *
 * A line of LIST, LSUB or STATUS that is not IMAP is no WIRE_BAD: it is skipped
 * to its end, and a WIRE_TEXT node ends the tree.
 *
 * Ceilings (all set at init): octets of one response without streamed
 * literals, octets of its tree, depth of parentheses.  What is in memory of one
 * response are these two together at most.  Literal sizes are 64-bit
 * (RFC 9051 §9 number64); "{12+}" from a server is taken as "{12}".
 *
 * A literal is streamed when it is the value of BODY[...] or BINARY[...] in
 * a FETCH response and longer than STREAM_MIN octets; all others are kept in
 * the tree.
 *
 * The text of "* OK [CODE ...] text" is not tokens: code arguments are, up
 * to "]", the rest is one WIRE_TEXT node.  So is the text of "+ ...", and that
 * of "* SEARCH ...": a node for each of a million numbers would take 64 MB.
 * Pure; one thread.
 */
#ifndef WIRE_LEX_H
#define WIRE_LEX_H

#include "base/arena.h"
#include "base/buf.h"

enum wire_kind {
	WIRE_ATOM,    /* also numbers, flags, "\Seen", "BODY[HEADER]<0>" */
	WIRE_QUOTED,  /* s: unescaped */
	WIRE_LITERAL, /* s: the octets */
	WIRE_STREAMED,/* size only: the octets went elsewhere */
	WIRE_LIST,    /* child: first of the parenthesised items, or NULL */
	WIRE_CODE,    /* "[...]" of a status response; child: its words */
	WIRE_TEXT     /* rest of the line */
};

struct wire_node {
	enum wire_kind kind;
	struct span s;  /* in the parser's arena */
	uint64_t size;  /* of a literal */
	struct wire_node *child, *next;
};

enum wire_more { WIRE_MORE, WIRE_DONE, WIRE_STREAM, WIRE_BAD };

struct wire_limits {
	size_t max_octets; /* of a response, without what is streamed */
	size_t max_tree;   /* octets */
	unsigned max_depth;
	uint64_t stream_min; /* octets; shorter bodies stay in the tree */
};

struct wire_lex;

struct wire_lex *wire_lex_new(const struct wire_limits *lim);
void wire_lex_free(struct wire_lex **x);

/* *used_r: how many of the N bytes were taken. */
enum wire_more wire_lex_feed(struct wire_lex *x, const char *p, size_t n,
    size_t *used_r);
/* Valid after WIRE_STREAM. */
uint64_t wire_lex_stream_left(const struct wire_lex *x);
void wire_lex_streamed(struct wire_lex *x);

/*
 * The top-level items (tag or "*" first): valid after WIRE_DONE and
 * WIRE_STREAM, until wire_lex_next() or the free.
 */
const struct wire_node *wire_lex_root(const struct wire_lex *x);
const char *wire_lex_error(const struct wire_lex *x); /* after WIRE_BAD */
void wire_lex_next(struct wire_lex *x); /* forget it; ready for the next */

/* Typed access; false when the node is of another kind. NIL: see below. */
bool wire_is_nil(const struct wire_node *n);  /* the atom NIL, any case */
bool wire_is_atom(const struct wire_node *n, const char *word); /* any case */
bool wire_string(const struct wire_node *n, struct span *s_r); /* q/literal */
bool wire_astring(const struct wire_node *n, struct span *s_r); /* or atom */
bool wire_u32(const struct wire_node *n, uint32_t *v_r);
/* OK NO BAD BYE PREAUTH */
bool wire_is_cond(const struct wire_node *n);
/* "* LIST", "* LSUB", "* STATUS" */
bool wire_is_listing(const struct wire_node *root);
/* "* 1 FETCH", "* 1 UIDFETCH" */
bool wire_is_fetch(const struct wire_node *root);
/* "BODY", "BINARY": what is before "[" */
bool wire_names_body(struct span s);
/* Lenient (servers send "-1", "9.37e+06"): those give false, no harm. */
bool wire_u64(const struct wire_node *n, uint64_t *v_r);

#endif
