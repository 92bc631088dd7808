/* fuzz-sources: src/journal/codec.c */
/*
 * Rows of the journal: any bytes decode or do not; what decodes is written
 * as the same bytes again, or, where the layout is an old one, as those of
 * the new one that stand for the same.  The first byte says what the rest is.
 */
#include <stdlib.h>

#include "journal/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const struct buf *b, struct span value)
{
	if (!span_eq(buf_span(b), value))
		abort();
}

static void
same_hold(const struct buf *b, const struct jhold *h, struct arena *mem)
{
	struct jhold k;

	if (!codec_get_hold(mem, buf_span(b), &k) || k.kind != h->kind ||
	    k.tries != h->tries || k.next != h->next || k.size != h->size ||
	    k.idate != h->idate || !span_eq(k.why, h->why))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s, base;
	struct arena mem;
	struct pair p;
	struct jbox box;
	struct jhold h;
	struct buf b;
	uint64_t id, n;
	uint32_t uid;

	if (size < 1)
		return 0;
	s = span_of((const char *)data + 1, size - 1);
	arena_init(&mem);
	buf_init(&b, 1u << 20);
	switch (data[0] % 8) {
	case 0:
		if (codec_get_pair(&mem, s, &p)) {
			codec_put_pair(&b, &p);
			same(&b, s);
			if (!codec_get_pair_size(s, &n) || n != p.size)
				abort();
		}
		break;
	case 1:
		if (codec_get_box(&mem, s, &box)) {
			codec_put_box(&b, &box);
			same(&b, s);
		}
		break;
	case 2:
		if (codec_get_hold(&mem, s, &h)) {
			codec_put_hold(&b, &h);
			same_hold(&b, &h, &mem);
			if (s.p[0] == 2)
				same(&b, s);
		}
		break;
	case 3:
		if (codec_get_key_pair(s, &id, &uid)) {
			codec_key_pair(&b, id, uid);
			same(&b, s);
		}
		break;
	case 4:
		if (codec_get_key_hold(s, &id, &uid, &base)) {
			codec_key_hold(&b, id, uid, base);
			same(&b, s);
		}
		break;
	case 5:
		if (codec_get_key_box(s, &id)) {
			codec_key_box(&b, id);
			same(&b, s);
		}
		break;
	case 6:
		if (codec_get_key_size(s, &n, &id, &uid)) {
			codec_key_size(&b, n, id, uid);
			same(&b, s);
		}
		break;
	default:
		if (codec_get_u64(s, &id)) {
			codec_put_u64(&b, id);
			same(&b, s);
		}
	}
	buf_release(&b);
	arena_release(&mem);
	return 0;
}
