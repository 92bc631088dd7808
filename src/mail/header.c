#include "mail/header.h"

#define VALUE_MAX 1000

/* Up to and with the next LF; what is left of HEAD without one is cut off. */
static bool
next_line(struct span *head, struct span *line_r)
{
	size_t n = span_index(*head, '\n');

	if (n == head->n)
		return false;
	*line_r = span_of(head->p, n);
	*head = span_of(head->p + n + 1, head->n - n - 1);
	if (line_r->n && line_r->p[line_r->n - 1] == '\r')
		line_r->n--;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Is LINE "NAME:"?  Blanks before the colon: RFC 5322 §4.5.8. */
static bool
begins_field(struct span line, const char *name, struct span *rest_r)
{
	size_t colon = span_index(line, ':');
	size_t n = colon;

	if (colon == line.n)
		return false;
	while (n && is_blank(line.p[n - 1]))
		n--;
	if (!span_eq_case(span_of(line.p, n), span_str(name)))
		return false;
	*rest_r = span_of(line.p + colon + 1, line.n - colon - 1);
	return true;
}

/* Blanks in front are not kept, so that the ceiling counts what is. */
static void
add(char *to, size_t *n, struct span s)
{
	if (*n == 0)
		while (s.n && is_blank(s.p[0]))
			s = span_of(s.p + 1, s.n - 1);
	if (s.n > VALUE_MAX - *n)
		s.n = VALUE_MAX - *n;
	if (s.n)
		memcpy(to + *n, s.p, s.n);
	*n += s.n;
}

bool
header_field(struct arena *mem, struct span head, const char *name,
    struct span *value_r)
{
	char value[VALUE_MAX];
	struct span line, rest;
	size_t n = 0;

	do {
		if (!next_line(&head, &line) || line.n == 0)
			return false;
	} while (!begins_field(line, name, &rest));
	add(value, &n, rest);
	/* Only what follows its line tells that the field has ended. */
	while (head.n && is_blank(head.p[0])) {
		if (!next_line(&head, &line))
			return false;
		add(value, &n, line);
	}
	if (head.n == 0)
		return false;
	while (n && is_blank(value[n - 1]))
		n--;
	*value_r = arena_span(mem, span_of(value, n));
	return true;
}
