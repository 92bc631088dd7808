/* fuzz-sources: src/wire/lex.c src/wire/node.c src/wire/text.c src/wire/cmd.c */
/* fuzz-max-len: 1200 */
/*
 * The small encodings of the wire, and what is sent.  The first byte says
 * which: what is read is written, and read again, as the same; a string of a
 * command is read by our own lexer as what it was.
 */
#include <stdlib.h>

#include "base/uidset.h"
#include "wire/cmd.h"
#include "wire/lex.h"
#include "wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1u << 20 };

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* What is written is read as the same, but for years not 1 to 9999. */
static void
check_time(int64_t t)
{
	const int64_t first = -62135596800, last = 253402300799;
	int64_t again;
	struct buf b;

	buf_init(&b, MAX);
	wire_date_format(t, &b);
	check(wire_date_parse(buf_span(&b), &again));
	check(again == (t < first ? first : t > last ? last : t));
	buf_release(&b);
}

static void
check_date(struct span s)
{
	int64_t t = 0;

	if (wire_date_parse(s, &t))
		check_time(t);
	if (s.n < sizeof t)
		return;
	memcpy(&t, s.p, sizeof t);
	check_time(t);
	check_time(t >> 26); /* near our time */
}

static void
check_set(struct span s)
{
	struct uidset set, again, slice, all;
	uint64_t pos = 0;
	struct buf b;

	uidset_init(&set);
	uidset_init(&again);
	uidset_init(&slice);
	uidset_init(&all);
	buf_init(&b, MAX);
	if (uidset_parse(s, 100, &set)) {
		check(uidset_first(&set) != 0);
		uidset_format(&set, &b);
		check(uidset_parse(buf_span(&b), 100, &again));
		check(uidset_eq(&set, &again));
		for (;;) {
			buf_clear(&b);
			if (!uidset_slice(&set, &pos, 50, 0, &b, &slice))
				break;
			check(b.n <= 50);
			check(uidset_parse(buf_span(&b), 100, &again));
			check(uidset_eq(&slice, &again));
			uidset_add_set(&all, &slice);
		}
		check(uidset_eq(&set, &all));
	} else {
		check(set.n == 0);
	}
	buf_release(&b);
	uidset_release(&set);
	uidset_release(&again);
	uidset_release(&slice);
	uidset_release(&all);
}

static void
check_words(struct span s)
{
	size_t n = span_index(s, ' ');
	uint64_t ms = 1;

	(void)wire_throttled(s, &ms);
	(void)wire_denies(s);
	check(wire_word_in(s, span_of(s.p, n)) == (s.n > 0));
}

/* PLUS: with LITERAL+; else the line stops at each literal. */
static void
check_command(struct span s, bool plus)
{
	static const struct wire_limits lim = {.max_octets = 65536,
	    .max_tree = 8192, .max_depth = 4, .stream_min = 8};
	struct wire_lex *x = wire_lex_new(&lim);
	const struct wire_node *n;
	struct wire_cmd c;
	struct span got;
	size_t used;

	wire_cmd_init(&c, MAX, plus);
	wire_cmd_begin(&c, SPAN("m1"));
	wire_cmd_raw(&c, "LOGIN ");
	wire_cmd_astring(&c, s);
	wire_cmd_raw(&c, " ");
	wire_cmd_secret(&c, s, true);
	wire_cmd_end(&c);
	check(c.bad == (span_index(s, '\0') < s.n));
	if (c.bad)
		goto out;
	check(c.nsecret == 1 && c.secret[0].to <= c.b.n);
	check(!plus || c.nwait == 0);
	for (unsigned i = 0; i < c.nwait; i++)
		check(memcmp(c.b.p + c.wait[i] - 3, "}\r\n", 3) == 0);
	check(wire_lex_feed(x, c.b.p, c.b.n, &used) == WIRE_DONE);
	check(used == c.b.n);
	n = wire_lex_root(x);
	check(n && n->next && wire_is_atom(n->next, "LOGIN"));
	n = n->next->next;
	check(wire_string(n, &got) && span_eq(got, s));
	check(wire_string(n->next, &got) && span_eq(got, s));
	check(!n->next->next);
out:
	wire_cmd_release(&c);
	wire_lex_free(&x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s;

	if (size < 1)
		return 0;
	s = span_of((const char *)data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		check_date(s);
		break;
	case 2:
		check_set(s);
		break;
	case 3:
		check_words(s);
		break;
	default:
		check_command(s, data[0] & 0x80);
	}
	return 0;
}
