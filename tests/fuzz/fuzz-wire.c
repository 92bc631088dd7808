/* fuzz-sources: src/wire/lex.c src/wire/node.c src/wire/resp.c src/wire/text.c */
/* fuzz-max-len: 2000 */
/*
 * The lexer and the response parser: whatever comes, cut anywhere, gives the
 * same tree; nothing is read or written beyond; ceilings hold.
 *
 * The first byte says how the rest is cut, and whether the ceilings are low
 * enough to be met.
 */
#include <stdlib.h>

#include "mail/flags.h"
#include "wire/resp.h"
#include "wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
show(const struct wire_node *n, struct buf *out)
{
	for (; n; n = n->next) {
		buf_addf(out, "%d:%zu:%llu ", (int)n->kind, n->s.n,
		    (unsigned long long)n->size);
		buf_add_span(out, n->s);
		if (n->child) {
			buf_addc(out, '(');
			show(n->child, out);
			buf_addc(out, ')');
		}
	}
}

/* The words of CAPABILITY, ENABLED or FLAGS, and the flags of a message. */
static void
touch_words(const struct wire_node *n, struct buf *out)
{
	struct flags f = FLAGS_NONE;
	struct arena mem;
	struct kwtab *kw;
	struct span s;

	if (!n)
		return;
	kw = kwtab_new();
	arena_init(&mem);
	for (; n; n = n->next)
		if (wire_astring(n, &s))
			f = flags_add_name(&mem, kw, f, s);
	flags_format(kw, f, out);
	kwtab_free(&kw);
	arena_release(&mem);
}

static void
touch_bodies(const struct resp *r, struct buf *out)
{
	check(r->nbody <= RESP_MAX_BODIES);
	check(r->nbody == 0 || (r->has & HAS_BODY));
	for (unsigned i = 0; i < r->nbody; i++) {
		buf_add_span(out, r->body[i].section);
		buf_addf(out, "<%llu>",
		    r->body[i].has_origin
			? (unsigned long long)r->body[i].origin : 0);
		check(r->body[i].value->kind == WIRE_QUOTED ||
		    r->body[i].value->kind == WIRE_LITERAL ||
		    r->body[i].value->kind == WIRE_STREAMED);
	}
}

/* Use what a response says, so that wrong pointers are seen. */
static void
touch(const struct resp *r, struct buf *out)
{
	uint32_t v, *from, *to;
	uint64_t big;
	size_t n;
	struct uidset set;
	struct arena mem;
	struct span s;

	uidset_init(&set);
	arena_init(&mem);
	buf_addf(out, "%d %d %u %llu ", (int)r->type, (int)r->cond, r->has,
	    (unsigned long long)uidset_count(&r->set));
	buf_add_span(out, r->tag);
	buf_add_span(out, r->code);
	buf_add_span(out, r->text);
	buf_add_span(out, r->mailbox);
	buf_add_span(out, r->mailboxid);
	buf_add_span(out, r->ns_prefix);
	buf_add_span(out, r->gid);
	touch_bodies(r, out);
	touch_words(r->words, out);
	touch_words(r->flags, out);
	check(!(r->has & HAS_UID) || r->uid);
	check(!(r->has & HAS_GID) || r->gid.n);
	check(!(r->has & HAS_MAILBOXID) || r->mailboxid.n);
	if (resp_appenduid(r, &v, &set))
		check(v && uidset_count(&set) > 0);
	if (resp_copyuid(&mem, r, 1000, &v, &from, &to, &n)) {
		check(v && n > 0 && n <= 1000);
		for (size_t i = 0; i < n; i++)
			check(from[i] && to[i]);
	}
	if (resp_code_is(r, "HIGHESTMODSEQ"))
		(void)resp_code_u64(r, &big);
	if (resp_code_is(r, "MODIFIED") && resp_code_set(r, &set))
		check(uidset_count(&set) > 0);
	/* As IDs and capabilities are read: "LITERAL-", "APPENDLIMIT=12". */
	for (const struct wire_node *w = r->args; w; w = w->next)
		if (wire_astring(w, &s) && s.n)
			buf_add_span(out, s);
	if (wire_throttled(r->text, &big))
		buf_add_u64(out, big);
	uidset_release(&set);
	arena_release(&mem);
}

/* Feed in pieces of STEP bytes (0: all at once), and write down the trees. */
static void
run(const char *p, size_t size, const struct wire_limits *lim, size_t step,
    struct buf *out)
{
	struct wire_lex *x = wire_lex_new(lim);
	struct resp r;
	size_t at = 0;
	uint64_t skip = 0;

	resp_init(&r);
	while (at < size) {
		size_t n = step && step < size - at ? step : size - at, used;

		if (skip) {
			if (n > skip)
				n = (size_t)skip;
			at += n;
			skip -= n;
			if (!skip)
				wire_lex_streamed(x);
			continue;
		}
		enum wire_more more = wire_lex_feed(x, p + at, n, &used);
		if (used > n)
			abort();
		at += used;
		if (more == WIRE_BAD) {
			buf_add_str(out, wire_lex_error(x));
			wire_lex_next(x);
			check(wire_lex_feed(x, "\n", 1, &used) == WIRE_BAD);
			break;
		}
		if (more == WIRE_MORE && used != n)
			abort();
		if (more == WIRE_STREAM) {
			skip = wire_lex_stream_left(x);
			if (skip == 0)
				abort();
		}
		if (more == WIRE_MORE)
			continue;
		show(wire_lex_root(x), out);
		resp_parse(wire_lex_root(x), &r);
		touch(&r, out);
		buf_addc(out, '\n');
		if (more == WIRE_DONE) {
			resp_release(&r);
			wire_lex_next(x);
		}
	}
	resp_release(&r);
	wire_lex_free(&x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wire_limits wide = {.max_octets = 65536,
	    .max_tree = 1u << 18, .max_depth = 12, .stream_min = 8};
	static const struct wire_limits low = {.max_octets = 300,
	    .max_tree = 1800, .max_depth = 3, .stream_min = 8};
	const struct wire_limits *lim;
	struct buf whole, cut;

	if (size < 1)
		return 0;
	lim = data[0] & 16 ? &low : &wide;
	buf_init(&whole, 64u << 20);
	buf_init(&cut, 64u << 20);
	run((const char *)data + 1, size - 1, lim, 0, &whole);
	run((const char *)data + 1, size - 1, lim, 1 + data[0] % 16, &cut);
	if (!span_eq(buf_span(&whole), buf_span(&cut)))
		abort();
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
