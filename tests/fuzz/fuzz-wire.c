/* fuzz-sources: src/wire/lex.c src/wire/node.c src/wire/resp.c src/wire/text.c */
/*
 * The lexer and the response parser: whatever comes, cut anywhere, gives the
 * same tree; nothing is read or written beyond; ceilings hold.
 *
 * The first byte says how the rest is cut.
 */
#include <stdlib.h>

#include "wire/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Use what a response says, so that wrong pointers are seen. */
static void
touch(const struct resp *r, struct buf *out)
{
	uint32_t v, *from, *to;
	uint64_t big;
	size_t n;
	struct uidset set;
	struct arena mem;

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
	for (unsigned i = 0; i < r->nbody; i++)
		buf_add_span(out, r->body[i].section);
	(void)resp_appenduid(r, &v, &set);
	(void)resp_copyuid(&mem, r, 1000, &v, &from, &to, &n);
	(void)resp_code_u64(r, &big);
	(void)resp_code_set(r, &set);
	uidset_release(&set);
	arena_release(&mem);
}

/* Feed in pieces of STEP bytes (0: all at once), and write down the trees. */
static void
run(const char *p, size_t size, size_t step, struct buf *out)
{
	static const struct wire_limits lim = {.max_octets = 65536,
	    .max_nodes = 4096, .max_depth = 12, .stream_min = 8};
	struct wire_lex *x = wire_lex_new(&lim);
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
	struct buf whole, cut;

	if (size < 1)
		return 0;
	buf_init(&whole, 64u << 20);
	buf_init(&cut, 64u << 20);
	run((const char *)data + 1, size - 1, 0, &whole);
	run((const char *)data + 1, size - 1, 1 + data[0] % 16, &cut);
	if (!span_eq(buf_span(&whole), buf_span(&cut)))
		abort();
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
