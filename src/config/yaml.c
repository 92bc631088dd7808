/*
 * yaml: a walk over libyaml's events into a tree.
 *
 * Invariants:
 *  1. Every node knows where it stands, so that every later complaint can
 *     name line and column.
 *  2. Depth is bounded before libyaml's own stacks grow: the walk stops at
 *     the first event that is too deep.
 *  3. What would give a value another meaning than its letters (alias,
 *     anchor, tag) is refused, because "*" and "!" begin mailbox patterns.
 */
#include "config/yaml.h"

#include "base/alloc.h"
#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#define YAML_DEPTH 8

struct walk {
	const char *file;
	struct arena *mem;
	yaml_parser_t parser;
};

static int
fail_at(
    const char *file, size_t line, size_t col, struct err *e, const char *what)
{
	return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_NEVER,
	    "%s:%zu:%zu: %s", file, line, col, what);
}

int
yaml_error(const char *file, const struct ynode *n, struct err *e,
    const char *fmt, ...)
{
	char what[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return fail_at(file, n->line, n->col, e, what);
}

/*
 * A tab in the indentation is what libyaml explains worst.  Tabs behind the
 * first other byte of a line are left to YAML.
 */
static int
check_tabs(struct span text, const char *file, struct err *e)
{
	size_t line = 1, col = 1;
	bool indent = true;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\n') {
			line++;
			col = 1;
			indent = true;
			continue;
		}
		if (indent && c == '\t')
			return fail_at(file, line, col, e,
			    "tab in the indentation; use blanks");
		if (c != ' ')
			indent = false;
		col++;
	}
	return 0;
}

static const char *
quote_hint(const char *context)
{
	if (!context)
		return NULL;
	if (strstr(context, "alias"))
		return "an unquoted * begins a YAML alias; put the value in "
		       "quotes, as in \"*\"";
	if (strstr(context, "anchor"))
		return "an unquoted & begins a YAML anchor; put the value in "
		       "quotes";
	if (strstr(context, "tag"))
		return "an unquoted ! begins a YAML tag; put the value in "
		       "quotes, as in \"!Spam\"";
	return NULL;
}

static int
parser_error(struct walk *w, struct err *e)
{
	const yaml_parser_t *p = &w->parser;
	const char *problem = p->problem ? p->problem : "cannot be read";
	char what[200];
	const char *hint;

	if (p->error == YAML_READER_ERROR) {
		const char *text = (const char *)p->input.string.start;
		size_t line = 1, n;

		n = (size_t)(p->input.string.end - p->input.string.start);
		if (p->problem_offset < n)
			n = p->problem_offset;
		for (size_t i = 0; i < n; i++)
			line += text[i] == '\n';
		(void)snprintf(
		    what, sizeof(what), "%s; the file must be UTF-8", problem);
		return fail_at(w->file, line, 1, e, what);
	}
	hint = quote_hint(p->context);
	if (!hint && strstr(problem, "tag"))
		hint = quote_hint(problem);
	/* where it begins, and not at the end of the file */
	if (!hint && strstr(problem, "end of stream") && p->context &&
	    strstr(p->context, "quoted"))
		hint = "this quote has no end";
	if (hint)
		return fail_at(w->file, p->context_mark.line + 1,
		    p->context_mark.column + 1, e, hint);
	if (strstr(problem, "cannot start any token"))
		(void)snprintf(what, sizeof(what),
		    "this character cannot begin a value; put the value in "
		    "quotes");
	else if (strstr(problem, "mapping values are not allowed"))
		(void)snprintf(what, sizeof(what),
		    "a second \": \" in one line, or a line that is not "
		    "indented as its like; put the value in quotes, or mend the "
		    "indentation");
	else if (p->context)
		(void)snprintf(
		    what, sizeof(what), "%s (%s)", problem, p->context);
	else
		(void)snprintf(what, sizeof(what), "%s", problem);
	return fail_at(w->file, p->problem_mark.line + 1,
	    p->problem_mark.column + 1, e, what);
}

static int
next_event(struct walk *w, yaml_event_t *ev_r, struct err *e)
{
	yaml_event_t ev;

	if (!yaml_parser_parse(&w->parser, &ev))
		return parser_error(w, e);
	*ev_r = ev;
	return 0;
}

static int
refuse(const struct walk *w, const yaml_event_t *ev, struct err *e,
    const char *context)
{
	return fail_at(w->file, ev->start_mark.line + 1,
	    ev->start_mark.column + 1, e, quote_hint(context));
}

/* Invariant 3. */
static int
check_plain(const struct walk *w, const yaml_event_t *ev, struct err *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return refuse(w, ev, e, "alias");
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return refuse(w, ev, e, "anchor");
	if (tag)
		return refuse(w, ev, e, "tag");
	return 0;
}

static int read_node(struct walk *w, const yaml_event_t *ev, unsigned depth,
    struct ynode *n_r, struct err *e);

/* A growing pair of arrays, copied into the arena when it is complete. */
struct children {
	struct ynode *key, *item;
	size_t n, cap;
};

static int
add_key(struct walk *w, const yaml_event_t *ev, struct map *seen,
    struct children *c, unsigned depth, struct err *e)
{
	uint64_t first;
	struct ynode *key = &c->key[c->n];
	int rc;

	rc = read_node(w, ev, depth, key, e);
	if (rc)
		return rc;
	if (key->kind != YNODE_SCALAR)
		return yaml_error(w->file, key, e, "a key must be one word");
	if (!map_get(seen, key->text, &first)) {
		(void)map_set(seen, key->text, c->n);
		return 0;
	}
	return yaml_error(w->file, key, e,
	    "duplicate key '%s'; it stands first on line %u", key->text.p,
	    c->key[first].line);
}

static int
read_children(struct walk *w, unsigned depth, struct map *seen,
    struct children *c, struct ynode *n, struct err *e)
{
	bool is_map = n->kind == YNODE_MAP;
	yaml_event_t ev;
	int rc;

	for (;;) {
		rc = next_event(w, &ev, e);
		if (rc)
			return rc;
		if (ev.type == YAML_SEQUENCE_END_EVENT ||
		    ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		if (c->n == c->cap) {
			c->cap = c->cap ? c->cap * 2 : 8;
			c->key = xrealloc(c->key, c->cap, sizeof(*c->key));
			c->item = xrealloc(c->item, c->cap, sizeof(*c->item));
		}
		if (is_map) {
			rc = add_key(w, &ev, seen, c, depth + 1, e);
			yaml_event_delete(&ev);
			if (!rc)
				rc = next_event(w, &ev, e);
			if (rc)
				return rc;
		}
		rc = read_node(w, &ev, depth + 1, &c->item[c->n], e);
		yaml_event_delete(&ev);
		if (rc)
			return rc;
		c->n++;
	}
}

static struct ynode *
keep(struct arena *mem, const struct ynode *v, size_t n)
{
	struct ynode *copy = arena_array(mem, n + 1, sizeof(*copy));

	if (n)
		memcpy(copy, v, n * sizeof(*copy));
	return copy;
}

static int
read_collection(struct walk *w, unsigned depth, struct ynode *n, struct err *e)
{
	struct children c = {0};
	struct map seen;
	int rc;

	map_init(&seen);
	rc = read_children(w, depth, &seen, &c, n, e);
	if (rc == 0) {
		n->n = c.n;
		n->item = keep(w->mem, c.item, c.n);
		if (n->kind == YNODE_MAP)
			n->key = keep(w->mem, c.key, c.n);
	}
	map_release(&seen);
	xfree(c.key);
	xfree(c.item);
	return rc;
}

static int
read_node(struct walk *w, const yaml_event_t *ev, unsigned depth,
    struct ynode *n_r, struct err *e)
{
	struct ynode n = {
	    .line = (unsigned)ev->start_mark.line + 1,
	    .col = (unsigned)ev->start_mark.column + 1,
	};
	int rc;

	rc = check_plain(w, ev, e);
	if (rc)
		return rc;
	if (depth > YAML_DEPTH)
		return yaml_error(w->file, &n, e, "nested too deeply");
	if (ev->type == YAML_SCALAR_EVENT) {
		n.kind = YNODE_SCALAR;
		n.plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n.text = arena_span(
		    w->mem, span_of((const char *)ev->data.scalar.value,
				ev->data.scalar.length));
	} else {
		n.kind = ev->type == YAML_MAPPING_START_EVENT ? YNODE_MAP
							      : YNODE_LIST;
		rc = read_collection(w, depth, &n, e);
	}
	if (rc == 0)
		*n_r = n;
	return rc;
}

static int
read_document(struct walk *w, struct ynode *root_r, struct err *e)
{
	struct ynode root = {0};
	bool have = false;
	yaml_event_t ev;
	int rc;

	for (;;) {
		yaml_event_type_t type;

		rc = next_event(w, &ev, e);
		if (rc)
			return rc;
		type = ev.type;
		switch (type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_STREAM_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (have)
				rc = fail_at(w->file, ev.start_mark.line + 1, 1,
				    e, "a second document; one is enough");
			break;
		default:
			rc = read_node(w, &ev, 1, &root, e);
			have = true;
		}
		yaml_event_delete(&ev);
		if (rc)
			return rc;
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	if (!have)
		return fail_at(
		    w->file, 1, 1, e, "the file is empty; it needs 'accounts'");
	*root_r = root;
	return 0;
}

int
yaml_read(struct span text, const char *file, struct arena *mem,
    struct ynode *root_r, struct err *e)
{
	struct walk w = {.file = file, .mem = mem};
	int rc;

	rc = check_tabs(text, file, e);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&w.parser))
		return err_set(e, ERR_CONFIG, ERR_SCOPE_RUN, ERR_RETRY_LATER,
		    "%s: out of memory", file);
	/* Not UTF-16, which a byte order mark would else switch on. */
	yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &w.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	rc = read_document(&w, root_r, e);
	yaml_parser_delete(&w.parser);
	return rc;
}
