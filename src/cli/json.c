#include "cli/internal.h"

#include "mail/utf7.h"

static const struct {
	uint32_t bit;
	const char *name;
} system_flag[] = {{FLAG_SEEN, "\\Seen"}, {FLAG_ANSWERED, "\\Answered"},
    {FLAG_FLAGGED, "\\Flagged"}, {FLAG_DELETED, "\\Deleted"},
    {FLAG_DRAFT, "\\Draft"}};

bool
cli_json_exact(struct span s)
{
	while (s.n > 0) {
		size_t n = utf8_char(s);

		if (n == 0)
			return false;
		s = span_of(s.p + n, s.n - n);
	}
	return true;
}

json_t *
cli_json_span(struct span s)
{
	struct buf text;
	json_t *v;

	if (cli_json_exact(s))
		return json_stringn(s.n ? s.p : "", s.n);
	buf_init(&text, s.n * 3 + 1);
	while (s.n > 0) {
		size_t n = utf8_char(s);

		if (n > 0)
			buf_add(&text, s.p, n);
		else
			buf_add_str(&text, "\xef\xbf\xbd");
		n += n == 0;
		s = span_of(s.p + n, s.n - n);
	}
	v = json_stringn(text.p, text.n);
	buf_release(&text);
	return v;
}

json_t *
cli_json_hex(struct span s)
{
	static const char digit[] = "0123456789abcdef";
	struct buf text;
	json_t *v;

	buf_init(&text, s.n * 2 + 1);
	for (size_t i = 0; i < s.n; i++) {
		buf_addc(&text, digit[(unsigned char)s.p[i] >> 4]);
		buf_addc(&text, digit[(unsigned char)s.p[i] & 15]);
	}
	v = json_stringn(buf_cstr(&text), text.n);
	buf_release(&text);
	return v;
}

void
cli_json_add(json_t *object, const char *key, json_t *value)
{
	/* Memory cannot run out here: jansson uses xalloc (cli.c). */
	(void)json_object_set_new(object, key, value);
}

void
cli_json_line(FILE *f, json_t *v)
{
	(void)json_dumpf(v, f, JSON_COMPACT | JSON_REAL_PRECISION(9));
	(void)fputc('\n', f);
	json_decref(v);
}

void
cli_json_flags(json_t *o, const struct kwtab *kw, struct flags f)
{
	json_t *flags = json_array(), *keywords = json_array();

	for (size_t i = 0; i < sizeof(system_flag) / sizeof(*system_flag); i++)
		if (f.sys & system_flag[i].bit)
			(void)json_array_append_new(
			    flags, json_string(system_flag[i].name));
	if (f.sys & FLAG_PASSED)
		(void)json_array_append_new(
		    keywords, json_string("$Forwarded"));
	for (uint32_t i = 0; i < f.n; i++)
		(void)json_array_append_new(
		    keywords, cli_json_span(kwtab_name(kw, f.kw[i])));
	cli_json_add(o, "flags", flags);
	cli_json_add(o, "keywords", keywords);
}
