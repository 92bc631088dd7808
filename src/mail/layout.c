#include "mail/layout.h"

#include "base/buf.h"
#include "mail/digest.h"
#include "mail/utf7.h"

enum {
	COMPONENT_MAX = 240, /* rule 5; well under NAME_MAX */
	CUT_HASH = 16,       /* hex digits */
	LEVELS_MAX = 60      /* rule 5; fewer than maildir_list() follows */
};

/*
 * Levels: for (levels_init(&l, s, delim); levels_next(&l, &level);)  There is
 * always one, if only "".
 */
struct levels {
	struct span rest;
	char delim; /* 0: none, all is one level */
	bool end;
	size_t n; /* given out */
};

static void
levels_init(struct levels *l, struct span s, char delim)
{
	*l = (struct levels){s, delim, false, 0};
}

static bool
levels_next(struct levels *l, struct span *level_r)
{
	size_t at;

	if (l->end)
		return false;
	at = l->delim ? span_index(l->rest, l->delim) : l->rest.n;
	*level_r = span_of(l->rest.p, at);
	l->end = at == l->rest.n;
	if (!l->end)
		l->rest = span_of(l->rest.p + at + 1, l->rest.n - at - 1);
	l->n++;
	return true;
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
is_inbox(struct span level)
{
	return span_eq_case(level, SPAN("INBOX"));
}

static void
add_escaped(struct buf *b, char c)
{
	buf_addf(b, "%%%02X", (unsigned)(unsigned char)c);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Does S begin with %XX?  Then the byte. */
static bool
escape_at(struct span s, char *c_r)
{
	int hi, lo;

	if (s.n < 3 || s.p[0] != '%')
		return false;
	hi = hex_value(s.p[1]);
	lo = hex_value(s.p[2]);
	if (hi < 0 || lo < 0)
		return false;
	*c_r = (char)(hi << 4 | lo);
	return true;
}

/* "%49NBOX" of rule 3: the wire level in *c_r and the four bytes behind. */
static bool
is_escaped_inbox(struct span level, char *c_r)
{
	char c;

	if (level.n != 7 || !escape_at(level, &c) || (c != 'I' && c != 'i') ||
	    !span_eq_case(span_of(level.p + 3, 4), SPAN("NBOX")))
		return false;
	*c_r = c;
	return true;
}

/* U+0000 to U+001F and U+007F to U+009F, in valid UTF-8. */
static bool
holds_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_control(c))
			return true;
		if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

/* A level from wire to name: rules 1 and 2. */
static void
level_to_name(struct span level, struct buf *out)
{
	struct buf text;
	bool raw;

	buf_init(&text, 3 * level.n);
	raw = !utf7_decode(level, &text) || holds_control(buf_span(&text));
	if (!raw)
		level = buf_span(&text);
	for (size_t i = 0; i < level.n; i++) {
		char c = level.p[i];

		if (c == '%' || c == '/' ||
		    (raw && (c == '&' || is_control((unsigned char)c) ||
				(unsigned char)c >= 0x80)))
			add_escaped(out, c);
		else
			buf_addc(out, c);
	}
	buf_release(&text);
}

/*
 * A level from name to wire; false, with something in OUT, when it is not
 * what level_to_name() makes of any wire level.
 */
static bool
level_to_wire(struct span level, struct buf *out)
{
	struct buf text, again;
	size_t before = out->n;
	bool raw = false, ok = true;

	if (level.n == 0)
		return true;
	buf_init(&text, level.n);
	buf_init(&again, level.n);
	for (size_t i = 0; i < level.n && ok; i++) {
		char c = level.p[i];

		if (c == '%') {
			ok = escape_at(span_of(level.p + i, level.n - i), &c);
			raw |= c == '&' || is_control((unsigned char)c) ||
			    (unsigned char)c >= 0x80;
			i += 2;
		}
		buf_addc(&text, c);
	}
	if (ok && raw)
		buf_add_span(out, buf_span(&text));
	else if (ok)
		ok = utf7_encode(buf_span(&text), out);
	if (ok) {
		level_to_name(span_of(out->p + before, out->n - before),
		    &again);
		ok = !again.toobig && span_eq(buf_span(&again), level);
	}
	buf_release(&again);
	buf_release(&text);
	return ok;
}

/* Copy into the arena and release B. */
static struct span
keep(struct arena *mem, struct buf *b)
{
	struct span s = arena_span(mem, buf_span(b));

	buf_release(b);
	return s;
}

/* Does WIRE begin with PREFIX, where an INBOX in front has no case? */
static bool
has_prefix(struct span wire, struct span prefix, char delim)
{
	size_t n = 0;

	if (prefix.n == 0 || wire.n < prefix.n)
		return false;
	if (prefix.n >= 6 && is_inbox(span_of(prefix.p, 5)) &&
	    prefix.p[5] == delim)
		n = 5;
	return span_eq_case(span_of(wire.p, n), span_of(prefix.p, n)) &&
	    memcmp(wire.p + n, prefix.p + n, prefix.n - n) == 0;
}

struct span
layout_name(struct arena *mem, struct span wire, char delim,
    struct span prefix)
{
	bool dropped = !is_inbox(wire) && has_prefix(wire, prefix, delim);
	struct levels l;
	struct span level;
	struct buf b;

	if (dropped)
		wire = span_of(wire.p + prefix.n, wire.n - prefix.n);
	buf_init(&b, 3 * wire.n);
	for (levels_init(&l, wire, delim); levels_next(&l, &level);) {
		if (l.n > 1) {
			buf_addc(&b, '/');
			level_to_name(level, &b);
		} else if (!is_inbox(level)) {
			level_to_name(level, &b);
		} else if (dropped) {
			add_escaped(&b, level.p[0]);
			buf_add(&b, level.p + 1, 4);
		} else {
			buf_add_str(&b, "INBOX");
		}
	}
	return keep(mem, &b);
}

bool
layout_wire(struct arena *mem, struct span name, char delim,
    struct span prefix, struct span *wire_r)
{
	struct levels l;
	struct span level, wire;
	struct buf b;
	bool ok = true;
	char c;

	buf_init(&b, 5 * name.n + prefix.n);
	levels_init(&l, name, '/');
	while (ok && levels_next(&l, &level)) {
		bool first = l.n == 1;

		if (!first)
			buf_addc(&b, delim);
		if (first && span_eq(level, SPAN("INBOX"))) {
			buf_add_span(&b, level);
			continue;
		}
		if (first)
			buf_add_span(&b, prefix);
		if (first && is_escaped_inbox(level, &c)) {
			buf_addc(&b, c);
			buf_add(&b, level.p + 3, 4);
			continue;
		}
		ok = level.n > 0 && (first || delim) &&
		    level_to_wire(level, &b);
	}
	wire = keep(mem, &b);
	/*
	 * The name that we would be told: catches a level that holds DELIM and
	 * whatever else would make this another mailbox.
	 */
	if (!ok || !span_eq(layout_name(mem, wire, delim, prefix), name))
		return false;
	*wire_r = wire;
	return true;
}

/* Length of the next piece that must not be cut: %XX or a character. */
static size_t
piece(struct span s)
{
	size_t n;
	char c;

	if (escape_at(s, &c))
		return 3;
	n = utf8_char(s);
	return n ? n : 1;
}

/* What stands for TEXT, or for the end of it. */
static void
add_hash(struct buf *out, struct span text)
{
	struct content hash;
	struct digest *d = digest_new();
	struct buf hex;

	digest_feed(d, text.p, text.n);
	digest_finish(d, &hash);
	digest_free(&d);
	buf_init(&hex, 2 * DIGEST_LEN);
	digest_hex(hash.sha, &hex);
	buf_add_str(out, "%~");
	buf_add(out, hex.p, CUT_HASH);
	buf_release(&hex);
}

/*
 * Rule 5 for the component of OUT that begins at FROM; TEXT is what is
 * hashed.
 */
static void
cut_component(struct buf *out, size_t from, struct span text)
{
	const size_t room = COMPONENT_MAX - 2 - CUT_HASH;
	struct span rest;
	size_t n, len = 0;

	if (out->n - from <= COMPONENT_MAX)
		return;
	rest = span_of(out->p + from, out->n - from);
	while (len + (n = piece(rest)) <= room) {
		len += n;
		rest = span_of(rest.p + n, rest.n - n);
	}
	out->n = from + len;
	add_hash(out, text);
}

static bool
is_maildir_dir(struct span level)
{
	return span_eq(level, SPAN("cur")) || span_eq(level, SPAN("new")) ||
	    span_eq(level, SPAN("tmp"));
}

/* Rule 4.  Bytes that no name holds are escaped too, to be safe. */
static void
level_to_path(struct span level, enum layout layout, struct buf *out)
{
	size_t n;

	if (level.n == 0)
		buf_addc(out, '%');
	for (size_t i = 0; i < level.n; i += n) {
		char c = level.p[i];

		n = piece(span_of(level.p + i, level.n - i));
		if ((c == '.' && (i == 0 || layout == LAYOUT_MAILDIRPP)) ||
		    (i == 0 && layout == LAYOUT_NESTED &&
			is_maildir_dir(level)) ||
		    is_control((unsigned char)c) ||
		    (n == 1 && (unsigned char)c >= 0x80))
			add_escaped(out, c);
		else
			buf_add(out, level.p + i, n);
	}
}

struct span
layout_path(struct arena *mem, struct span name, enum layout layout)
{
	struct levels l;
	struct span level;
	struct buf b;

	if (layout == LAYOUT_MAILDIRPP && span_eq(name, SPAN("INBOX")))
		return arena_span(mem, SPAN(""));
	buf_init(&b, 3 * name.n + COMPONENT_MAX);
	for (levels_init(&l, name, '/'); levels_next(&l, &level);) {
		size_t from;

		if (layout == LAYOUT_MAILDIRPP)
			buf_addc(&b, '.');
		else if (l.n > 1)
			buf_addc(&b, '/');
		from = b.n;
		if (layout == LAYOUT_NESTED && l.n == LEVELS_MAX && !l.end) {
			add_hash(&b, span_of(level.p,
			    (size_t)(name.p + name.n - level.p)));
			break;
		}
		level_to_path(level, layout, &b);
		if (layout == LAYOUT_NESTED)
			cut_component(&b, from, level);
	}
	if (layout == LAYOUT_MAILDIRPP)
		cut_component(&b, 0, name);
	return keep(mem, &b);
}

/* Undo rule 4; what could not have been made is found by the caller. */
static void
level_of_path(struct span level, enum layout layout, struct buf *out)
{
	size_t n;
	char c;

	if (span_eq(level, SPAN("%")))
		return;
	for (size_t i = 0; i < level.n; i += n) {
		struct span rest = span_of(level.p + i, level.n - i);

		n = piece(rest);
		if (escape_at(rest, &c) &&
		    ((c == '.' && (i == 0 || layout == LAYOUT_MAILDIRPP)) ||
			(i == 0 && layout == LAYOUT_NESTED && rest.n == 5 &&
			    memchr("cnt", c, 3))))
			buf_addc(out, c);
		else
			buf_add(out, rest.p, n);
	}
}

/* Can layout_name() give NAME? */
static bool
name_ok(struct span name)
{
	struct levels l;
	struct span level;
	bool ok = true;
	char c;

	levels_init(&l, name, '/');
	while (ok && levels_next(&l, &level)) {
		struct buf wire;

		if (l.n == 1 && is_inbox(level)) {
			ok = span_eq(level, SPAN("INBOX"));
			continue;
		}
		if (l.n == 1 && is_escaped_inbox(level, &c))
			continue;
		buf_init(&wire, 5 * level.n);
		ok = level_to_wire(level, &wire);
		buf_release(&wire);
	}
	return ok;
}

bool
layout_name_of_path(struct arena *mem, struct span path, enum layout layout,
    struct span *name_r)
{
	struct span level, name, rest = path;
	char delim = layout == LAYOUT_MAILDIRPP ? '.' : '/';
	struct levels l;
	struct buf b;

	if (layout == LAYOUT_MAILDIRPP) {
		if (path.n == 0) {
			*name_r = arena_span(mem, SPAN("INBOX"));
			return true;
		}
		if (path.p[0] != '.')
			return false;
		rest = span_of(path.p + 1, path.n - 1);
	}
	buf_init(&b, rest.n);
	for (levels_init(&l, rest, delim); levels_next(&l, &level);) {
		if (l.n > 1)
			buf_addc(&b, '/');
		level_of_path(level, layout, &b);
	}
	name = keep(mem, &b);
	if (!name_ok(name) || !span_eq(layout_path(mem, name, layout), path))
		return false;
	*name_r = name;
	return true;
}

bool
layout_says(struct span name, struct span word)
{
	size_t at = 0;

	for (size_t i = 0; i < name.n; i++) {
		struct span rest = span_of(name.p + i, name.n - i);
		char c = name.p[i];

		if (escape_at(rest, &c))
			i += 2;
		if (at == word.n || word.p[at++] != c)
			return false;
	}
	return at == word.n;
}

static bool
byte_matches(struct span name, size_t at, size_t nocase, char c)
{
	return at < nocase ? span_eq_case(span_of(name.p + at, 1),
				 span_of(&c, 1))
			   : name.p[at] == c;
}

/*
 * Glob with backtracking to the last "*" and to the last "%" behind it: an
 * earlier one need not be tried again, for what stands between two of them
 * was matched as far to the left as can be.  The first NOCASE bytes of the
 * name match in any case.
 */
static bool
glob(struct span pat, struct span name, size_t nocase)
{
	const size_t none = (size_t)-1;
	size_t p = 0, n = 0, star = none, star_n = 0, pct = none, pct_n = 0;

	for (;;) {
		if (p < pat.n && pat.p[p] == '*') {
			star = p++;
			star_n = n;
			pct = none;
		} else if (p < pat.n && pat.p[p] == '%') {
			pct = p++;
			pct_n = n;
		} else if (p < pat.n && n < name.n &&
		    byte_matches(name, n, nocase, pat.p[p])) {
			p++;
			n++;
		} else if (p == pat.n && n == name.n) {
			return true;
		} else if (pct != none && pct_n < name.n &&
		    name.p[pct_n] != '/') {
			p = pct + 1;
			n = ++pct_n;
		} else if (star != none && star_n < name.n) {
			p = star + 1;
			n = ++star_n;
			pct = none;
		} else {
			return false;
		}
	}
}

bool
layout_match(struct span name, const struct span *patterns, size_t n)
{
	size_t first = span_index(name, '/');
	size_t nocase = is_inbox(span_of(name.p, first)) ? first : 0;
	bool yes = true;

	for (size_t i = 0; i < n; i++) {
		struct span pat = patterns[i];
		bool include = pat.n == 0 || pat.p[0] != '!';

		if (i == 0)
			yes = !include;
		if (!include)
			pat = span_of(pat.p + 1, pat.n - 1);
		if (glob(pat, name, nocase))
			yes = include;
	}
	return yes;
}
