/* fuzz-sources: src/imap/append.c src/imap/auth.c src/imap/body.c src/imap/change.c src/imap/compress.c src/imap/connect.c src/imap/copy.c src/imap/fetch.c src/imap/folder.c src/imap/list.c src/imap/msgid.c src/imap/search.c src/imap/select.c src/imap/session.c src/imap/survey.c src/imap/trace.c src/imap/window.c src/wire/cmd.c src/wire/lex.c src/wire/node.c src/wire/resp.c src/wire/text.c src/plan/view.c */
/* fuzz-libs: -lgsasl */
/* fuzz-max-len: 2500 */
/* fuzz-counters: 0 */
/*
 * A session with a server that says anything.  Input: a byte that says what is
 * asked for, one for how, then all that the server ever sends; an octet 1 in it
 * stands for 4200 x, so that bodies get long enough to be streamed.
 *
 * The stream is a text in memory, and what we write goes nowhere: tags are
 * numbered, so that an answer may come before its command.  Each call ends, its
 * error is told if and only if it fails, and what it hands out can be used.
 */
#include <stdlib.h>

#include "imap/imap.h"
#include "wire/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONG = 4200, STEP = 700, SENT_MAX = 1u << 24 };

enum {
	HOW_STARTTLS = 1 << 0,
	HOW_COMPRESS = 1 << 1,
	HOW_CURSOR = 1 << 2,
	HOW_READ_ONLY = 1 << 3,
	HOW_STEPS = 1 << 4, /* short pieces */
	HOW_NEXT = 1 << 5,  /* a SELECT behind the last command */
	HOW_ALONE = 1 << 6  /* of the selected mailbox, or nothing else */
};

struct stream {
	struct span in; /* to come, as in the input */
	unsigned how;
	struct buf got;
	size_t start, sent;
	bool tls;
};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* In place of src/net: tls_ca leads to what the server says. */
int
stream_open(const struct net_conf *conf, struct stream **s_r, struct err *e)
{
	struct stream *s = xcalloc(1, sizeof *s);

	(void)e;
	memcpy(&s->in, conf->tls_ca, sizeof s->in);
	s->how = conf->port;
	buf_init(&s->got, 64u << 20);
	*s_r = s;
	return 0;
}

void
stream_free(struct stream **s)
{
	if (!*s)
		return;
	buf_release(&(*s)->got);
	xfree(*s);
	*s = NULL;
}

int
stream_starttls(struct stream *s, struct err *e)
{
	(void)e;
	s->tls = true;
	return 0;
}

int
stream_compress(struct stream *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

bool
stream_may_compress(const struct stream *s)
{
	return s->how & HOW_COMPRESS;
}

int
stream_write(struct stream *s, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	s->sent += n;
	check(s->sent < SENT_MAX); /* asked for the same for ever */
	return 0;
}

int
stream_flush(struct stream *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

struct span
stream_peek(const struct stream *s)
{
	return span_of(s->got.p ? s->got.p + s->start : NULL,
	    s->got.n - s->start);
}

void
stream_consume(struct stream *s, size_t n)
{
	check(n <= s->got.n - s->start);
	s->start += n;
}

int
stream_fill(struct stream *s, struct err *e)
{
	size_t step = s->how & HOW_STEPS ? 7 : STEP;

	if (s->start == s->got.n) {
		buf_clear(&s->got);
		s->start = 0;
	}
	if (s->in.n == 0)
		return err_set(e, ERR_NET, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "closed by the server");
	for (; step && s->in.n; step--) {
		char c = *s->in.p;

		s->in = span_of(s->in.p + 1, s->in.n - 1);
		if (c == 1)
			memset(buf_reserve(&s->got, LONG), 'x', LONG);
		if (c == 1)
			s->got.n += LONG;
		else
			buf_addc(&s->got, c);
	}
	return 0;
}

void
stream_set_deadline(struct stream *s, int64_t ms)
{
	(void)s;
	(void)ms;
}

struct stream_stats
stream_stats(const struct stream *s)
{
	(void)s;
	return (struct stream_stats){0};
}

bool
stream_is_tls(const struct stream *s)
{
	return s->tls;
}

bool
stream_is_loopback(const struct stream *s)
{
	(void)s;
	return true;
}

struct test {
	struct imap *s;
	struct arena mem;
	struct rview r;
	struct uidset set;
	struct err e;
	unsigned how;
};

/* RC of a call; true when the session can go on. */
static bool
went_on(struct test *t, int rc)
{
	check((rc < 0) == (t->e.code != 0));
	if (rc < 0) {
		check(t->e.text[0] != '\0');
		if (t->e.scope >= ERR_SCOPE_CONN)
			return false;
	}
	err_clear(&t->e);
	return true;
}

static void
touch(struct span s)
{
	uint64_t x = 0;

	for (size_t i = 0; i < s.n; i++)
		x += (unsigned char)s.p[i];
	check(x <= 255 * s.n);
}

static void
check_view(struct test *t)
{
	for (size_t i = 0; i < t->r.n; i++)
		check(t->r.v[i].uid > 0);
	(void)uidset_count(&t->r.vanished);
}

static void
do_list(struct test *t)
{
	struct imap_listing l;
	bool exists;

	if (imap_list(t->s, &t->mem, &l, &t->e) == 0) {
		for (size_t i = 0; i < l.n; i++) {
			check(l.v[i].wire.n > 0);
			touch(l.v[i].wire);
			touch(l.v[i].mailboxid);
			for (size_t k = 0; k < i; k++)
				check(!span_eq(l.v[i].wire, l.v[k].wire));
		}
		touch(l.prefix);
		if (t->how & HOW_NEXT)
			(void)imap_subscribed(t->s, &t->mem, &l, &t->e);
	}
	if (went_on(t, t->e.code))
		(void)went_on(t,
		    imap_exists(t->s, SPAN("a"), &exists, &t->e));
}

static void
do_bodies(struct test *t)
{
	static const uint32_t uids[] = {4, 5};
	struct imap_source v[] = {
	    {.wire = SPAN("INBOX"), .uidvalidity = 9, .uids = uids, .n = 2},
	    {.wire = SPAN("b"), .uidvalidity = 8, .uids = uids, .n = 2,
		.read_only = true, .modseqs = true}};
	const struct imap_failed *bad;
	struct imap_fetch *f = NULL;
	struct rmsg m;
	struct span chunk;
	size_t n, source = 0;
	uint32_t uid;
	int rc = t->how & HOW_ALONE
	    ? imap_fetch_begin(t->s, uids, NULL, 2, &t->mem, &f, &t->e)
	    : imap_fetch_from(t->s, v, 2, &t->mem, &f, &t->e);

	if (rc < 0)
		return;
	while ((rc = imap_fetch_next(f, &m, &t->e)) > 0) {
		while ((rc = imap_fetch_read(f, &chunk, &t->e)) > 0)
			touch(chunk);
		if (rc == 0)
			rc = imap_fetch_done(f, &m, &t->e);
		if (rc < 0)
			break;
		check(m.uid == 0 || ((m.uid == 4 || m.uid == 5) &&
		    imap_fetch_source(f) < 2));
	}
	check((rc < 0) == (t->e.code != 0));
	uid = imap_fetch_pending(f, &source);
	check((uid == 0 || uid == 4 || uid == 5) && source < 2);
	n = imap_fetch_failed(f, &bad);
	for (size_t i = 0; i < n; i++)
		touch(bad[i].why);
	imap_fetch_end(&f);
}

static void
do_append(struct test *t)
{
	struct imap_appended res;
	struct imap_append *a = NULL;
	int rc;

	if (imap_append_begin(t->s, &a, &t->e) < 0)
		return;
	for (uint64_t i = 0; i < 3; i++) {
		rc = imap_append_send(a, SPAN("b"), i,
		    (struct flags){.sys = FLAG_SEEN}, 86400, 3, &t->e);
		if (rc == 0)
			rc = imap_append_data(a, "abc", 3, &t->e);
		else if (rc > 0)
			continue;
		if (rc == 0)
			rc = imap_append_finish(a, &t->e);
		if (rc < 0)
			break;
	}
	if (t->e.code == 0)
		while ((rc = imap_append_result(a, true, &res, &t->e)) > 0)
			check(res.cookie < 3 && (res.ok || !res.uid));
	check((rc < 0) == (t->e.code != 0));
	imap_append_end(&a);
}

static void
do_survey(struct test *t)
{
	struct imap_ask a = {.wire = SPAN("INBOX"), .messages = 2,
	    .uidnext = 9, .all = true, .with_size = true, .modseqs = true},
	    b = {.wire = SPAN("b"), .messages = 3, .uidnext = 9,
	    .changed = true, .modseqs = true, .uidvalidity = 9,
	    .modseq = 4, .fresh_from = 7};
	struct imap_ask *v[] = {&a, &b};

	for (size_t i = 0; i < 2; i++) {
		uidset_init(&v[i]->opened.vanished);
		uidset_init(&v[i]->listed.vanished);
		uidset_init(&v[i]->fresh.vanished);
	}
	(void)went_on(t, imap_survey(t->s, v, 2, &t->mem, &t->e));
	for (size_t i = 0; i < 2; i++) {
		check(v[i]->state != IMAP_ASKED_REFUSED || v[i]->err.code);
		imap_ask_release(v[i]);
	}
}

/* The SELECT of "b" that goes out behind what is to come; and its answer. */
static void
select_next(struct test *t)
{
	if (t->how & HOW_NEXT)
		imap_select_next(t->s, SPAN("b"), t->how & HOW_READ_ONLY);
}

static void
do_select_next(struct test *t)
{
	struct imap_selected sel;

	if (t->how & HOW_NEXT)
		(void)went_on(t, imap_select(t->s, SPAN("b"),
		    t->how & HOW_READ_ONLY, 0, 0, &t->mem, &sel, &t->r,
		    &t->e));
}

static bool
do_select(struct test *t)
{
	bool cursor = t->how & HOW_CURSOR;
	struct imap_selected sel;
	int rc = imap_select(t->s, SPAN("INBOX"), t->how & HOW_READ_ONLY,
	    cursor ? 9 : 0, cursor ? 4 : 0, &t->mem, &sel, &t->r, &t->e);

	return went_on(t, rc) && rc == 0;
}

static void
do_fetch(struct test *t)
{
	struct imap_sample v[] = {{.uid = 4, .len = 3},
	    {.uid = 5, .off = 100, .len = 8000}};
	struct imap_msgid *id;
	size_t n;

	if (!went_on(t, imap_fetch_meta(t->s, &t->set,
		t->how & HOW_CURSOR, true, &t->mem, &t->r, &t->e)))
		return;
	check_view(t);
	int rc = imap_fetch_samples(t->s, &t->mem, v, 2, &t->e);
	uint32_t uid = imap_pending(t->s);
	check(uid == 0 || uid == 4 || uid == 5);
	if (!went_on(t, rc))
		return;
	for (size_t i = 0; i < 2; i++) {
		check(v[i].got.n <= v[i].len);
		touch(v[i].got);
	}
	if (imap_fetch_msgids(t->s, &t->set, &t->mem, &id, &n, &t->e) == 0) {
		for (size_t i = 0; i < n; i++) {
			check(uidset_has(&t->set, id[i].uid));
			check(i == 0 || id[i].uid > id[i - 1].uid);
			touch(id[i].id);
		}
	}
	uid = imap_pending(t->s);
	check(uid == 0 || uidset_has(&t->set, uid));
	(void)went_on(t, t->e.code);
}

static void
do_search(struct test *t)
{
	struct uidset got;
	bool said;

	uidset_init(&got);
	if (went_on(t, imap_search_uids(t->s, &got, &t->e)) &&
	    went_on(t, imap_search_range(t->s, 4, 9, &got, &said, &t->e)) &&
	    went_on(t, imap_fetch_changed(t->s, 4, &t->mem, &t->r, &t->e)))
		check_view(t);
	uidset_release(&got);
}

static void
do_store(struct test *t)
{
	struct imap_store v[] = {{.uids = t->set, .add = true,
	    .flags = {.sys = FLAG_SEEN}, .unchangedsince = 4},
	    {.uids = t->set, .flags = {.sys = FLAG_FLAGGED}}};
	struct uidset modified, failed;
	struct err said = {0};

	uidset_init(&modified);
	uidset_init(&failed);
	if (t->how & HOW_ALONE)
		select_next(t);
	if (went_on(t, imap_store(t->s, v, 2, &t->mem, &t->r, &modified,
		&failed, &said, &t->e)))
		check_view(t);
	else
		goto out;
	if (!(t->how & HOW_ALONE)) {
		select_next(t);
		if (went_on(t, imap_expunge(t->s, &t->set, &t->mem, &t->r,
			&t->e)))
			check_view(t);
		else
			goto out;
	}
	do_select_next(t);
out:
	uidset_release(&modified);
	uidset_release(&failed);
}

static void
check_copied(const struct imap_copied *c)
{
	for (size_t i = 0; i < c->n; i++)
		check(c->v[i].from && c->v[i].to && c->uidvalidity);
}

static void
do_copy(struct test *t)
{
	struct imap_copied c = {0}, d = {0};

	if (!went_on(t, imap_copy(t->s, &t->set, SPAN("b"), &t->mem, &c,
		&t->e)))
		return;
	check_copied(&c);
	select_next(t);
	if (!went_on(t, imap_move(t->s, &t->set, SPAN("b"), &t->mem, &t->r, &d,
		&t->e)))
		return;
	check_copied(&d);
	do_select_next(t);
}

static void
do_folders(struct test *t)
{
	bool was;

	if (went_on(t, imap_create(t->s, SPAN("c"), &was, &t->e)) &&
	    went_on(t, imap_rename(t->s, SPAN("c"), SPAN("d"), &t->e)) &&
	    went_on(t, imap_subscribe(t->s, SPAN("e"), SPAN("d"), &t->e)) &&
	    went_on(t, imap_unselect(t->s, &t->e)))
		(void)went_on(t, imap_delete(t->s, SPAN("d"), &t->e));
}

static void
ask(struct test *t, unsigned what)
{
	if (!went_on(t, imap_expect(t->s, 1u << 24, &t->e)))
		return;
	switch (what % 9) {
	case 0:
		do_list(t);
		return;
	case 1:
		if (!(t->how & HOW_ALONE) || do_select(t))
			do_bodies(t);
		return;
	case 2:
		do_append(t);
		return;
	case 3:
		do_survey(t);
		return;
	default:
		break;
	}
	if (!do_select(t))
		return;
	check_view(t);
	switch (what % 9) {
	case 4:
		do_fetch(t);
		break;
	case 5:
		do_search(t);
		break;
	case 6:
		do_store(t);
		break;
	case 7:
		do_copy(t);
		break;
	default:
		do_folders(t);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_conf conf = {.user = "ana", .password = SPAN("s3cret"),
	    .net = {.host = "h", .tls = NET_TLS_NONE}};
	struct test t = {0};
	struct span in;

	if (size < 2)
		return 0;
	in = span_of((const char *)data + 2, size - 2);
	t.how = data[1];
	conf.net.tls_ca = (const char *)&in;
	conf.net.port = data[1];
	if (t.how & HOW_STARTTLS)
		conf.net.tls = NET_TLS_STARTTLS;
	conf.kw = kwtab_new();
	arena_init(&t.mem);
	uidset_init(&t.r.vanished);
	uidset_init(&t.set);
	uidset_add_range(&t.set, 4, 6);
	if (imap_open(&conf, &t.s, &t.e) == 0) {
		ask(&t, data[0]);
		imap_logout(t.s);
	} else {
		check(t.e.code && t.e.text[0]);
	}
	imap_free(&t.s);
	uidset_release(&t.r.vanished);
	uidset_release(&t.set);
	arena_release(&t.mem);
	kwtab_free(&conf.kw);
	return 0;
}
