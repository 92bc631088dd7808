#include "wire/cmd.h"

#include "wire/text.h"

/* Longer strings are sent as literals: some servers cut quoted ones. */
#define QUOTED_MAX 1024

void
wire_cmd_init(struct wire_cmd *c, size_t max, bool literal_plus)
{
	memset(c, 0, sizeof *c);
	buf_init(&c->b, max);
	c->literal_plus = literal_plus;
}

void
wire_cmd_release(struct wire_cmd *c)
{
	buf_wipe(&c->b);
}

void
wire_cmd_begin(struct wire_cmd *c, struct span tag)
{
	if (c->nsecret)
		buf_wipe(&c->b);
	buf_clear(&c->b);
	c->nwait = c->nsecret = 0;
	c->bad = false;
	buf_add_span(&c->b, tag);
	buf_addc(&c->b, ' ');
}

void
wire_cmd_raw(struct wire_cmd *c, const char *text)
{
	buf_add_str(&c->b, text);
}

void
wire_cmd_span(struct wire_cmd *c, struct span text)
{
	buf_add_span(&c->b, text);
}

void
wire_cmd_u64(struct wire_cmd *c, uint64_t v)
{
	buf_add_u64(&c->b, v);
}

static void
add_quoted(struct wire_cmd *c, struct span s)
{
	buf_addc(&c->b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(&c->b, '\\');
		buf_addc(&c->b, s.p[i]);
	}
	buf_addc(&c->b, '"');
}

static void
add_literal(struct wire_cmd *c, struct span s)
{
	buf_addf(&c->b, "{%zu%s}\r\n", s.n, c->literal_plus ? "+" : "");
	if (!c->literal_plus) {
		if (c->nwait == WIRE_MAX_WAITS)
			c->bad = true;
		else
			c->wait[c->nwait++] = c->b.n;
	}
	buf_add_span(&c->b, s);
}

void
wire_cmd_astring(struct wire_cmd *c, struct span s)
{
	bool quoted = s.n <= QUOTED_MAX;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch == '\0')
			c->bad = true;
		if (ch == '\r' || ch == '\n' || ch >= 0x80)
			quoted = false;
	}
	if (quoted)
		add_quoted(c, s);
	else
		add_literal(c, s);
}

void
wire_cmd_secret(struct wire_cmd *c, struct span s, bool quote)
{
	size_t from = c->b.n;

	if (quote)
		wire_cmd_astring(c, s);
	else
		buf_add_span(&c->b, s);
	if (c->nsecret == WIRE_MAX_SECRETS) {
		c->bad = true;
		return;
	}
	c->secret[c->nsecret].from = from;
	c->secret[c->nsecret].to = c->b.n;
	c->nsecret++;
}

void
wire_cmd_flags(struct wire_cmd *c, const struct kwtab *t, struct flags f)
{
	buf_addc(&c->b, '(');
	flags_format(t, f, &c->b);
	buf_addc(&c->b, ')');
}

void
wire_cmd_date(struct wire_cmd *c, int64_t wall_s)
{
	buf_addc(&c->b, '"');
	wire_date_format(wall_s, &c->b);
	buf_addc(&c->b, '"');
}

void
wire_cmd_end(struct wire_cmd *c)
{
	buf_add_str(&c->b, "\r\n");
}
