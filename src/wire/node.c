/*
 * Typed access to the nodes of a response (lex.h); NULL is of no kind.
 */
#include "wire/lex.h"

bool
wire_is_atom(const struct wire_node *n, const char *word)
{
	return n && n->kind == WIRE_ATOM && span_eq_case(n->s, span_str(word));
}

bool
wire_is_nil(const struct wire_node *n)
{
	return wire_is_atom(n, "NIL");
}

bool
wire_string(const struct wire_node *n, struct span *s_r)
{
	if (!n || (n->kind != WIRE_QUOTED && n->kind != WIRE_LITERAL))
		return false;
	*s_r = n->s;
	return true;
}

bool
wire_astring(const struct wire_node *n, struct span *s_r)
{
	if (n && n->kind == WIRE_ATOM) {
		*s_r = n->s;
		return true;
	}
	return wire_string(n, s_r);
}

bool
wire_u32(const struct wire_node *n, uint32_t *v_r)
{
	return n && n->kind == WIRE_ATOM && span_u32(n->s, v_r);
}

bool
wire_u64(const struct wire_node *n, uint64_t *v_r)
{
	return n && n->kind == WIRE_ATOM && span_u64(n->s, v_r);
}

bool
wire_is_cond(const struct wire_node *n)
{
	static const char *const word[] = {"OK", "NO", "BAD", "BYE",
	    "PREAUTH"};

	for (size_t i = 0; i < sizeof word / sizeof *word; i++)
		if (wire_is_atom(n, word[i]))
			return true;
	return false;
}

bool
wire_is_listing(const struct wire_node *root)
{
	static const char *const word[] = {"LIST", "LSUB", "STATUS"};

	if (!wire_is_atom(root, "*"))
		return false;
	for (size_t i = 0; i < sizeof word / sizeof *word; i++)
		if (wire_is_atom(root->next, word[i]))
			return true;
	return false;
}

bool
wire_is_fetch(const struct wire_node *root)
{
	return root && root->next &&
	    (wire_is_atom(root->next->next, "FETCH") ||
		wire_is_atom(root->next->next, "UIDFETCH"));
}

bool
wire_names_body(struct span s)
{
	return span_eq_case(s, SPAN("BODY")) || span_eq_case(s, SPAN("BINARY"));
}
