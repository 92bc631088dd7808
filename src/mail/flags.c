#include "mail/flags.h"

#include "base/alloc.h"
#include "base/map.h"

enum { KEYWORD_LEN_MAX = 255 };

static const struct {
	uint32_t bit;
	struct span name;
} wire_names[] = {
	{FLAG_SEEN, {"\\Seen", 5}},
	{FLAG_ANSWERED, {"\\Answered", 9}},
	{FLAG_FLAGGED, {"\\Flagged", 8}},
	{FLAG_DELETED, {"\\Deleted", 8}},
	{FLAG_DRAFT, {"\\Draft", 6}},
	{FLAG_PASSED, {"$Forwarded", 10}},
};

enum { NWIRE_NAMES = sizeof wire_names / sizeof wire_names[0] };

bool
flags_eq(struct flags a, struct flags b)
{
	return a.sys == b.sys && a.n == b.n &&
	    (a.n == 0 || memcmp(a.kw, b.kw, a.n * sizeof *a.kw) == 0);
}

bool
flags_empty(struct flags a)
{
	return a.sys == 0 && a.n == 0;
}

bool
flags_has_kw(struct flags a, uint32_t id)
{
	size_t lo = 0, hi = a.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (a.kw[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < a.n && a.kw[lo] == id;
}

/*
 * One walk over both arrays: keep ids that are only in A, only in B, or in
 * both, as asked.
 */
static struct flags
combine(struct arena *mem, struct flags a, struct flags b, bool only_a,
    bool only_b, bool both)
{
	uint32_t *kw = arena_array(mem, (size_t)a.n + b.n, sizeof *kw);
	uint32_t i = 0, k = 0, n = 0;

	while (i < a.n || k < b.n) {
		if (k == b.n || (i < a.n && a.kw[i] < b.kw[k])) {
			if (only_a)
				kw[n++] = a.kw[i];
			i++;
		} else if (i == a.n || b.kw[k] < a.kw[i]) {
			if (only_b)
				kw[n++] = b.kw[k];
			k++;
		} else {
			if (both)
				kw[n++] = a.kw[i];
			i++;
			k++;
		}
	}
	return (struct flags){0, n, n ? kw : NULL};
}

struct flags
flags_or(struct arena *mem, struct flags a, struct flags b)
{
	struct flags f;

	if (a.n == 0)
		f = b;
	else if (b.n == 0)
		f = a;
	else
		f = combine(mem, a, b, true, true, true);
	f.sys = a.sys | b.sys;
	return f;
}

struct flags
flags_and(struct arena *mem, struct flags a, struct flags b)
{
	struct flags f = FLAGS_NONE;

	if (a.n && b.n)
		f = combine(mem, a, b, false, false, true);
	f.sys = a.sys & b.sys;
	return f;
}

struct flags
flags_minus(struct arena *mem, struct flags a, struct flags b)
{
	struct flags f = a;

	if (a.n && b.n)
		f = combine(mem, a, b, true, false, false);
	f.sys = a.sys & ~b.sys;
	return f;
}

struct flags
flags_with_kw(struct arena *mem, struct flags a, uint32_t id)
{
	uint32_t *one;

	if (id == 0)
		return a;
	if (id == KW_PASSED) {
		a.sys |= FLAG_PASSED;
		return a;
	}
	if (flags_has_kw(a, id))
		return a;
	one = arena_array(mem, 1, sizeof *one);
	*one = id;
	return flags_or(mem, a, (struct flags){0, 1, one});
}

struct flags
flags_copy(struct arena *mem, struct flags a)
{
	uint32_t *kw;

	if (a.n == 0) {
		a.kw = NULL;
		return a;
	}
	kw = arena_array(mem, a.n, sizeof *kw);
	memcpy(kw, a.kw, a.n * sizeof *kw);
	a.kw = kw;
	return a;
}

struct kwtab {
	struct arena mem;  /* names, as spelled and in lower case */
	struct span *name; /* [id - 1]; owned */
	size_t n, cap;
	struct map ids; /* lower-case name -> id */
};

struct kwtab *
kwtab_new(void)
{
	struct kwtab *t = xcalloc(1, sizeof *t);

	arena_init(&t->mem);
	map_init(&t->ids);
	return t;
}

void
kwtab_free(struct kwtab **t)
{
	if (!*t)
		return;
	map_release(&(*t)->ids);
	arena_release(&(*t)->mem);
	xfree((*t)->name);
	xfree(*t);
	*t = NULL;
}

/* NAME, a legal keyword, in lower case; in OUT. */
static struct span
fold(struct span name, char out[KEYWORD_LEN_MAX])
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return span_of(out, name.n);
}

/* The bit of a name that stands for one, or 0. */
static uint32_t
bit_of(struct span name)
{
	for (size_t i = 0; i < NWIRE_NAMES; i++)
		if (span_eq_case(name, wire_names[i].name))
			return wire_names[i].bit;
	return 0;
}

uint32_t
kwtab_find(const struct kwtab *t, struct span name)
{
	char low[KEYWORD_LEN_MAX];
	uint64_t id;

	if (!flags_keyword_ok(name))
		return 0;
	if (bit_of(name) == FLAG_PASSED)
		return KW_PASSED;
	return map_get(&t->ids, fold(name, low), &id) ? (uint32_t)id : 0;
}

uint32_t
kwtab_intern(struct kwtab *t, struct span name)
{
	char low[KEYWORD_LEN_MAX];
	uint32_t id = kwtab_find(t, name);

	if (id || !flags_keyword_ok(name) || t->n >= KW_MAX)
		return id;
	VEC_GROW(t->name, t->n, t->cap);
	t->name[t->n++] = arena_span(&t->mem, name);
	id = (uint32_t)t->n;
	map_set(&t->ids, arena_span(&t->mem, fold(name, low)), id);
	return id;
}

struct span
kwtab_name(const struct kwtab *t, uint32_t id)
{
	if (id == KW_PASSED)
		return SPAN("$Forwarded");
	if (id == 0 || id > t->n)
		return SPAN_NONE;
	return t->name[id - 1];
}

uint32_t
kwtab_count(const struct kwtab *t)
{
	return (uint32_t)t->n;
}

struct flags
flags_add_name(struct arena *mem, struct kwtab *t, struct flags f,
    struct span name)
{
	uint32_t bit = bit_of(name);

	if (bit) {
		f.sys |= bit;
		return f;
	}
	return flags_with_kw(mem, f, kwtab_intern(t, name));
}

void
flags_format(const struct kwtab *t, struct flags f, struct buf *b)
{
	const char *sep = "";

	for (size_t i = 0; i < NWIRE_NAMES; i++) {
		if (!(f.sys & wire_names[i].bit))
			continue;
		buf_add_str(b, sep);
		buf_add_span(b, wire_names[i].name);
		sep = " ";
	}
	for (uint32_t i = 0; i < f.n; i++) {
		buf_add_str(b, sep);
		buf_add_span(b, kwtab_name(t, f.kw[i]));
		sep = " ";
	}
}

bool
flags_keyword_ok(struct span name)
{
	if (name.n == 0 || name.n > KEYWORD_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		/* RFC 3501 §9: atom-specials, and what is not CHAR */
		if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c))
			return false;
	}
	return true;
}
