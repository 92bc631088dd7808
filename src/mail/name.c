#include "mail/name.h"

#include <inttypes.h>

enum { MADE_LEN_MAX = 200 };

/* In ASCII order, as the letters stand in a name. */
static const struct {
	char letter;
	uint32_t bit;
} sys_letters[] = {
	{'D', FLAG_DRAFT},
	{'F', FLAG_FLAGGED},
	{'P', FLAG_PASSED},
	{'R', FLAG_ANSWERED},
	{'S', FLAG_SEEN},
	{'T', FLAG_DELETED},
};

enum { NSYS_LETTERS = sizeof sys_letters / sizeof sys_letters[0] };

struct name
name_split(struct span file)
{
	struct name name = {file, SPAN(""), false};
	const char *p = file.n ? memrchr(file.p, ':', file.n) : NULL;
	size_t at = p ? (size_t)(p - file.p) : 0;

	if (at == 0 || file.n - at < 3 || p[1] != '2' || p[2] != ',')
		return name;
	name.base.n = at;
	name.info = span_of(p + 3, file.n - at - 3);
	name.has_info = true;
	return name;
}

bool
name_is_message(struct span file)
{
	return file.n > 0 && file.p[0] != '.';
}

/* What LETTER shows: a system bit, or a keyword id, or neither. */
static uint32_t
letter_meaning(char letter, const struct kwletters *letters, uint32_t *id_r)
{
	uint32_t id;

	*id_r = 0;
	for (size_t i = 0; i < NSYS_LETTERS; i++)
		if (sys_letters[i].letter == letter)
			return sys_letters[i].bit;
	if (!letters || letter < 'a' || letter > 'z')
		return 0;
	id = letters->id[letter - 'a'];
	if (id == KW_PASSED)
		return FLAG_PASSED;
	*id_r = id;
	return 0;
}

/* The letters of INFO, without what follows a ",". */
static struct span
head(struct span info)
{
	return span_of(info.p, span_index(info, ','));
}

struct flags
name_flags(struct arena *mem, struct span info,
    const struct kwletters *letters, uint32_t *unknown_r)
{
	struct span in = head(info);
	struct flags f = FLAGS_NONE;
	uint32_t unknown = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		uint32_t id, bit = letter_meaning(c, letters, &id);

		f.sys |= bit;
		f = flags_with_kw(mem, f, id);
		if (!bit && !id && c >= 'a' && c <= 'z')
			unknown |= 1U << (c - 'a');
	}
	if (unknown_r)
		*unknown_r = unknown;
	return f;
}

static bool
has(struct flags f, uint32_t bit, uint32_t id)
{
	return bit ? (f.sys & bit) != 0 : flags_has_kw(f, id);
}

/*
 * Change SET, the letters of a name, so that it shows F in place of OLD.  LEN
 * is the length of the whole name, which may grow to MAX.  What is new is
 * shown by every letter that means it ($Forwarded may have two).  Returns
 * whether anything changed.
 */
static bool
change_letters(bool set[256], struct flags old, struct flags f,
    const struct kwletters *letters, size_t len, size_t max)
{
	bool changed = false;

	for (int c = 1; c < 256; c++) {
		uint32_t id, bit = letter_meaning((char)c, letters, &id);

		if (set[c] && (bit || id) && !has(f, bit, id)) {
			set[c] = false;
			changed = true;
			len--;
		}
	}
	for (int c = 1; c < 256 && len < max; c++) {
		uint32_t id, bit = letter_meaning((char)c, letters, &id);

		if (!set[c] && (bit || id) && has(f, bit, id) &&
		    !has(old, bit, id)) {
			set[c] = true;
			changed = true;
			len++;
		}
	}
	return changed;
}

/* "BASE:2,", the letters of SET in order, REST: in MEM. */
static struct span
join(struct arena *mem, struct span base, const bool set[256], struct span rest)
{
	char *start = arena_alloc(mem, base.n + 3 + 256 + rest.n + 1);
	char *p = start;

	if (base.n)
		memcpy(p, base.p, base.n);
	p += base.n;
	memcpy(p, ":2,", 3);
	p += 3;
	for (int c = 0; c < 256; c++)
		if (set[c])
			*p++ = (char)c;
	if (rest.n)
		memcpy(p, rest.p, rest.n);
	return span_of(start, (size_t)(p - start) + rest.n);
}

struct span
name_with_flags(struct arena *mem, struct span file, struct flags f,
    const struct kwletters *letters, bool in_new, struct flags *shown_r)
{
	struct name name = name_split(file);
	struct span in = head(name.info), out = file;
	struct span rest = span_of(name.info.p + in.n, name.info.n - in.n);
	struct flags old = name_flags(mem, name.info, letters, NULL);
	bool set[256] = {false}, changed;
	size_t len = name.base.n + 3 + rest.n;

	for (size_t i = 0; i < in.n; i++) {
		len += !set[(unsigned char)in.p[i]];
		set[(unsigned char)in.p[i]] = true;
	}
	changed = change_letters(set, old, f, letters, len, NAME_LEN_MAX);
	if (!name.has_info && !changed && !in_new)
		changed = len <= NAME_LEN_MAX;
	if (changed)
		out = join(mem, name.base, set, rest);
	if (shown_r)
		*shown_r = name_flags(mem, name_split(out).info, letters,
		    NULL);
	return out;
}

struct span
name_elsewhere(struct arena *mem, struct span file, struct span base,
    bool keywords)
{
	struct name name = name_split(file);
	struct span in = head(name.info), out;
	size_t rest = name.info.n - in.n, n = 0;
	char *p;

	if (base.n == 0)
		base = name.base;
	if (!name.has_info)
		return base;
	p = arena_alloc(mem, base.n + 3 + name.info.n + 1);
	out.p = p;
	memcpy(p, base.p, base.n);
	memcpy(p + base.n, ":2,", 3);
	p += base.n + 3;
	for (size_t i = 0; i < in.n; i++)
		if (keywords || in.p[i] < 'a' || in.p[i] > 'z')
			p[n++] = in.p[i];
	if (rest)
		memcpy(p + n, in.p + in.n, rest);
	out.n = base.n + 3 + n + rest;
	if (out.n > NAME_LEN_MAX && base.n + 3 <= NAME_LEN_MAX)
		out.n = base.n + 3;
	return out;
}

struct span
name_undeleted(struct arena *mem, struct span file, const char as[26])
{
	struct name name = name_split(file);
	struct span in = head(name.info);
	bool set[256] = {false}, changed = false;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i], to = c;

		if (c == 'T')
			to = 0;
		else if (c >= 'a' && c <= 'z')
			to = as[c - 'a'];
		changed |= to != c;
		set[(unsigned char)to] |= to != 0;
	}
	return changed ? join(mem, name.base, set,
			     span_of(in.p + in.n, name.info.n - in.n))
		       : file;
}

struct span
name_make(struct arena *mem, int64_t wall_ns, uint32_t pid, uint64_t seq,
    uint64_t random, struct span host)
{
	uint64_t ns = wall_ns > 0 ? (uint64_t)wall_ns : 0;
	struct buf b;
	struct span made;

	if (host.n == 0)
		host = SPAN("localhost");
	buf_init(&b, MADE_LEN_MAX);
	buf_addf(&b, "%" PRIu64 ".M%" PRIu64 "P%" PRIu32 "Q%" PRIu64
	    "R%" PRIx64 ".", ns / 1000000000, ns / 1000 % 1000000, pid, seq,
	    random);
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || (c && strchr(".-_", c));

		if (b.n + (plain ? 1 : 4) > MADE_LEN_MAX)
			break;
		if (plain)
			buf_addc(&b, (char)c);
		else
			buf_addf(&b, "\\%03o", c);
	}
	made = arena_span(mem, buf_span(&b));
	buf_release(&b);
	return made;
}
