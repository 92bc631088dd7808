#include "journal/codec.h"

#define LAYOUT 1
#define BOX_LAYOUT 3 /* only of what ended a connection, or: */
#define HELD_LAYOUT 2 /* only of what is held: else as ever, 1 */
#define HOLD_LAYOUT 2
#define BASE_MAX 300 /* a key has room for 511 bytes */
#define KEYWORDS_MAX 100000
/* In place of a keyword's number, of a letter that files show without one. */
#define LETTER_SEEN (KW_PASSED - 1)
#define WHY_MAX 200

/* Writing. */

static void
put_be(struct buf *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		buf_addc(b, (char)(v >> (8 * i) & 0xff));
}

static void
put_u(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)((v & 0x7f) | 0x80));
	buf_addc(b, (char)v);
}

static void
put_i(struct buf *b, int64_t v)
{
	put_u(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void
put_span(struct buf *b, struct span s)
{
	put_u(b, s.n);
	buf_add_span(b, s);
}

static void
put_flags(struct buf *b, struct flags f)
{
	uint32_t last = 0;

	put_u(b, f.sys);
	put_u(b, f.n);
	for (uint32_t i = 0; i < f.n; i++) {
		put_u(b, f.kw[i] - last);
		last = f.kw[i];
	}
}

/* Reading: the first failure sticks. */

struct in {
	struct span s;
	bool bad;
};

static uint64_t
get_u(struct in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && in->s.n; shift += 7) {
		uint64_t c = (unsigned char)*in->s.p;

		in->s = span_of(in->s.p + 1, in->s.n - 1);
		if (shift == 63 && c > 1)
			break;
		v |= (c & 0x7f) << shift;
		if (!(c & 0x80)) {
			/* one way to write a number */
			if (c == 0 && shift > 0)
				break;
			return v;
		}
	}
	in->bad = true;
	return 0;
}

static uint32_t
get_u32(struct in *in)
{
	uint64_t v = get_u(in);

	if (v > UINT32_MAX)
		in->bad = true;
	return (uint32_t)v;
}

static int64_t
get_i(struct in *in)
{
	uint64_t v = get_u(in);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static struct span
get_bytes(struct in *in, uint64_t n)
{
	struct span s = SPAN("");

	if (n > in->s.n) {
		in->bad = true;
		return s;
	}
	s = span_of(in->s.p, (size_t)n);
	in->s = span_of(in->s.p + n, in->s.n - (size_t)n);
	return s;
}

static struct span
get_span(struct in *in, struct arena *mem)
{
	return arena_span(mem, get_bytes(in, get_u(in)));
}

static struct flags
get_flags(struct in *in, struct arena *mem)
{
	struct flags f = {.sys = get_u32(in)};
	uint64_t n = get_u(in), id = 0;
	uint32_t *kw;

	/* Each takes a byte at least: no more than there are. */
	if ((f.sys & ~(uint32_t)FLAG_ALL) || n > in->s.n || n > KEYWORDS_MAX)
		in->bad = true;
	if (in->bad || n == 0)
		return f;
	kw = arena_array(mem, (size_t)n, sizeof *kw);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t step = get_u(in);

		id += step;
		if (step == 0 || step > UINT32_MAX || id > UINT32_MAX)
			in->bad = true;
		kw[i] = (uint32_t)id;
	}
	f.kw = kw;
	f.n = (uint32_t)n;
	return f;
}

/* *layout_r: 1 to NEWEST, else the value is bad. */
static struct in
begin(struct span value, uint64_t newest, uint64_t *layout_r)
{
	struct in in = {.s = value};

	*layout_r = get_u(&in);
	if (*layout_r == 0 || *layout_r > newest)
		in.bad = true;
	return in;
}

static bool
finished(const struct in *in)
{
	return !in->bad && in->s.n == 0;
}

static uint64_t
get_be(struct in *in, unsigned bytes)
{
	struct span s = get_bytes(in, bytes);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (unsigned char)s.p[i];
	return v;
}

/* Keys. */

void
codec_key_box(struct buf *b, uint64_t box)
{
	put_be(b, box, 8);
}

void
codec_key_pair(struct buf *b, uint64_t box, uint32_t uid)
{
	put_be(b, box, 8);
	put_be(b, uid, 4);
}

void
codec_key_hold(struct buf *b, uint64_t box, uint32_t uid, struct span base)
{
	put_be(b, box, 8);
	if (uid) {
		buf_addc(b, 'R');
		put_be(b, uid, 4);
	} else {
		buf_addc(b, 'L');
		buf_add(b, base.p, base.n < BASE_MAX ? base.n : BASE_MAX);
	}
}

bool
codec_get_key_box(struct span key, uint64_t *box_r)
{
	struct in in = {.s = key};
	uint64_t box = get_be(&in, 8);

	if (!finished(&in) || box == 0)
		return false;
	*box_r = box;
	return true;
}

bool
codec_get_key_pair(struct span key, uint64_t *box_r, uint32_t *uid_r)
{
	struct in in = {.s = key};
	uint64_t box = get_be(&in, 8);
	uint32_t uid = (uint32_t)get_be(&in, 4);

	if (!finished(&in) || box == 0 || uid == 0)
		return false;
	*box_r = box;
	*uid_r = uid;
	return true;
}

bool
codec_get_key_hold(struct span key, uint64_t *box_r, uint32_t *uid_r,
    struct span *base_r)
{
	struct in in = {.s = key};
	uint64_t box = get_be(&in, 8);
	struct span kind = get_bytes(&in, 1), base = SPAN("");
	uint32_t uid = 0;

	if (span_eq(kind, SPAN("R"))) {
		uid = (uint32_t)get_be(&in, 4);
		if (uid == 0)
			return false;
	} else if (span_eq(kind, SPAN("L"))) {
		base = get_bytes(&in, in.s.n);
		if (base.n == 0 || base.n > BASE_MAX)
			return false;
	} else {
		return false;
	}
	if (!finished(&in) || box == 0)
		return false;
	*box_r = box;
	*uid_r = uid;
	*base_r = base;
	return true;
}

void
codec_key_size(struct buf *b, uint64_t size, uint64_t box, uint32_t uid)
{
	put_be(b, size, 8);
	codec_key_pair(b, box, uid);
}

bool
codec_get_key_size(struct span key, uint64_t *size_r, uint64_t *box_r,
    uint32_t *uid_r)
{
	struct in in = {.s = key};
	uint64_t size = get_be(&in, 8);

	if (in.bad || !codec_get_key_pair(in.s, box_r, uid_r))
		return false;
	*size_r = size;
	return true;
}

/* Values. */

void
codec_put_u64(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

bool
codec_get_u64(struct span value, uint64_t *v_r)
{
	struct in in = {.s = value};
	uint64_t v = get_be(&in, 8);

	if (!finished(&in))
		return false;
	*v_r = v;
	return true;
}

void
codec_put_box(struct buf *b, const struct jbox *box)
{
	put_u(b, box->ended ? BOX_LAYOUT : box->held ? HELD_LAYOUT : LAYOUT);
	put_span(b, box->wire);
	put_span(b, box->name);
	put_span(b, box->path);
	buf_addc(b, box->delim);
	put_u(b, box->uidvalidity);
	put_u(b, box->uidnext);
	put_u(b, box->highestmodseq);
	put_u(b, box->messages);
	put_i(b, box->stamp.cur_mtime_ns);
	put_i(b, box->stamp.new_mtime_ns);
	put_u(b, box->stamp.cur_ino);
	put_u(b, box->stamp.new_ino);
	for (int i = 0; i < 26; i++) {
		bool seen = box->letters_seen >> i & 1;
		uint32_t id = box->letters.id[i];

		put_u(b, id == 0 && seen ? LETTER_SEEN : id);
	}
	put_i(b, box->synced);
	put_span(b, box->mailboxid);
	if (box->held || box->ended)
		put_u(b, box->held);
	if (box->ended)
		put_u(b, box->ended);
}

bool
codec_get_box(struct arena *mem, struct span value, struct jbox *box_r)
{
	uint64_t layout;
	struct in in = begin(value, BOX_LAYOUT, &layout);
	struct jbox x = {0};
	struct span delim;

	x.wire = get_span(&in, mem);
	x.name = get_span(&in, mem);
	x.path = get_span(&in, mem);
	delim = get_bytes(&in, 1);
	x.delim = delim.n ? delim.p[0] : 0;
	x.uidvalidity = get_u32(&in);
	x.uidnext = get_u32(&in);
	x.highestmodseq = get_u(&in);
	x.messages = get_u32(&in);
	x.stamp.cur_mtime_ns = get_i(&in);
	x.stamp.new_mtime_ns = get_i(&in);
	x.stamp.cur_ino = get_u(&in);
	x.stamp.new_ino = get_u(&in);
	for (int i = 0; i < 26; i++) {
		uint32_t id = get_u32(&in);

		if (id == LETTER_SEEN)
			x.letters_seen |= 1u << i;
		else
			x.letters.id[i] = id;
	}
	x.synced = get_i(&in);
	x.mailboxid = get_span(&in, mem);
	if (layout >= HELD_LAYOUT) {
		x.held = get_u32(&in);
		in.bad |= x.held & ~(uint32_t)JBOX_HELD_ALL;
	}
	if (layout == BOX_LAYOUT)
		x.ended = get_u32(&in);
	in.bad |= layout > LAYOUT && x.held == 0 && x.ended == 0;
	in.bad |= layout == BOX_LAYOUT && x.ended == 0;
	if (!finished(&in) || x.wire.n == 0 || x.name.n == 0)
		return false;
	*box_r = x;
	return true;
}

void
codec_put_pair(struct buf *b, const struct pair *p)
{
	put_u(b, LAYOUT);
	put_span(b, p->file);
	put_flags(b, p->l);
	put_flags(b, p->r);
	put_u(b, p->modseq);
	put_u(b, p->size);
	put_i(b, p->idate);
	put_u(b, p->ino);
	put_u(b, p->fsize);
	put_i(b, p->mtime_ns);
	buf_add(b, p->sha, sizeof p->sha);
}

bool
codec_get_pair(struct arena *mem, struct span value, struct pair *p_r)
{
	uint64_t layout;
	struct in in = begin(value, LAYOUT, &layout);
	struct pair p = {0};
	struct span sha;

	p.file = get_span(&in, mem);
	p.l = get_flags(&in, mem);
	p.r = get_flags(&in, mem);
	p.modseq = get_u(&in);
	p.size = get_u(&in);
	p.idate = get_i(&in);
	p.ino = get_u(&in);
	p.fsize = get_u(&in);
	p.mtime_ns = get_i(&in);
	sha = get_bytes(&in, sizeof p.sha);
	if (!finished(&in))
		return false;
	memcpy(p.sha, sha.p, sizeof p.sha);
	*p_r = p;
	return true;
}

bool
codec_get_pair_file(struct arena *mem, struct span value, struct span *file_r,
    struct flags *l_r)
{
	uint64_t layout;
	struct in in = begin(value, LAYOUT, &layout);
	struct span file = get_bytes(&in, get_u(&in));
	struct flags l = get_flags(&in, mem);

	if (in.bad)
		return false;
	*file_r = file;
	*l_r = l;
	return true;
}

bool
codec_get_pair_size(struct span value, uint64_t *size_r)
{
	uint64_t layout, size;
	struct in in = begin(value, LAYOUT, &layout);

	(void)get_bytes(&in, get_u(&in)); /* file */
	for (int side = 0; side < 2; side++) {
		(void)get_u(&in);
		for (uint64_t n = get_u(&in); n > 0 && !in.bad; n--)
			(void)get_u(&in);
	}
	(void)get_u(&in); /* modseq */
	size = get_u(&in);
	if (in.bad)
		return false;
	*size_r = size;
	return true;
}

void
codec_put_hold(struct buf *b, const struct jhold *h)
{
	struct span why = h->why;

	if (why.n > WHY_MAX)
		why.n = WHY_MAX;
	put_u(b, HOLD_LAYOUT);
	put_u(b, h->kind);
	put_u(b, h->tries);
	put_i(b, h->next);
	put_u(b, h->size);
	put_i(b, h->idate);
	put_span(b, why);
}

static enum jhold_kind
get_kind(struct in *in)
{
	uint64_t kind = get_u(in);

	switch (kind) {
	case JHOLD_RETRY:
	case JHOLD_KEPT:
	case JHOLD_SKIPPED:
	case JHOLD_SUSPECT:
	case JHOLD_SENT:
		return (enum jhold_kind)kind;
	default:
		in->bad = true;
		return JHOLD_RETRY;
	}
}

bool
codec_get_hold(struct arena *mem, struct span value, struct jhold *h_r)
{
	uint64_t layout;
	struct in in = begin(value, HOLD_LAYOUT, &layout);
	struct jhold h = {.kind = JHOLD_RETRY};

	if (layout > 1)
		h.kind = get_kind(&in);
	h.tries = get_u32(&in);
	h.next = get_i(&in);
	if (layout > 1) {
		h.size = get_u(&in);
		h.idate = get_i(&in);
	}
	h.why = get_span(&in, mem);
	if (!finished(&in) || h.why.n > WHY_MAX)
		return false;
	*h_r = h;
	return true;
}
