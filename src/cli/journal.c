#include "cli/internal.h"

#include "journal/journal.h"
#include "sync/sync.h"

static void
dump_row(struct arena *mem, const struct jbox *b, const struct pair *p,
    const struct kwtab *kw)
{
	json_t *o = json_object();
	struct span file = span_str(arena_printf(mem, "%.*s%s%.*s",
	    SPAN_ARG(b->path), b->path.n ? "/" : "", SPAN_ARG(p->file)));

	cli_json_add(o, "mailbox", cli_json_span(b->name));
	cli_json_add(o, "uid", json_integer(p->uid));
	cli_json_add(o, "file", cli_json_span(file));
	/* A name that is no UTF-8 has no place in JSON: its bytes as well. */
	if (!cli_json_exact(file))
		cli_json_add(o, "file_hex", cli_json_hex(file));
	cli_json_flags(o, kw, flags_or(mem, p->l, p->r));
	/* 63 bits do not fit the numbers of many JSON readers. */
	cli_json_add(o, "modseq",
	    json_string(
		arena_printf(mem, "%llu", (unsigned long long)p->modseq)));
	cli_json_add(o, "size", json_integer((json_int_t)p->size));
	cli_json_add(o, "sha256",
	    cli_json_hex(span_of((const char *)p->sha, sizeof(p->sha))));
	cli_json_line(stdout, o);
}

static int
dump(const struct cli *c, struct journal *j, struct kwtab *kw, struct err *e)
{
	struct arena mem, rows;
	struct jbox *v;
	size_t n;
	int rc;

	arena_init(&mem);
	rc = journal_boxes(j, &mem, &v, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct pairs p;

		arena_init(&rows);
		rc = journal_pairs(j, v[i].id, &rows, &p, e);
		/* a run may have added some, for these rows */
		if (rc == 0)
			rc = journal_keywords(j, kw, e);
		for (size_t k = 0; rc == 0 && k < p.n; k++) {
			dump_row(&rows, &v[i], &p.v[k], kw);
			rc = cancel_check(c->cancel, e);
		}
		arena_release(&rows);
	}
	arena_release(&mem);
	return rc;
}

int
cli_journal_dump(struct cli *c)
{
	const struct config_account *a = NULL;
	AUTO(journal) j = NULL;
	struct kwtab *kw;
	struct err e;
	int rc;

	if (cli_account(c, span_str(c->args.arg[0]), &a, &e) < 0)
		return cli_fail(c, NULL, &e);
	kw = kwtab_new();
	rc = journal_open(a->state_dir, JOURNAL_READ, &j, &e);
	if (rc == 0)
		rc = dump(c, j, kw, &e);
	kwtab_free(&kw);
	return rc < 0 ? cli_fail(c, a->name, &e) : CLI_OK;
}

int
cli_journal_verify(struct cli *c)
{
	const struct config_account *a = NULL;
	const struct sync_options o = {
	    .cancel = c->cancel, .log = c->log, .trace = c->trace,
	    .called = c->called};
	struct buf out;
	struct err e;
	uint64_t n = 0;
	int rc;

	if (cli_account(c, span_str(c->args.arg[0]), &a, &e) < 0)
		return cli_fail(c, NULL, &e);
	buf_init(&out, 256u << 20);
	rc = sync_verify(c->conf, a, c->args.remote, &o, &out, &n, &e);
	if (rc == 0 && n > 0)
		(void)fputs(buf_cstr(&out), stdout);
	buf_release(&out);
	if (rc < 0)
		return cli_fail(c, a->name, &e);
	if (!c->args.quiet)
		(void)printf("%s: %llu finding%s\n", a->name,
		    (unsigned long long)n, cli_text_s(n));
	return n > 0 ? CLI_FINDINGS : CLI_OK;
}
