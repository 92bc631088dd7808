#include "mailbox.h"

#include "base/cancel.h"

static struct lmsg
msg(const char *file)
{
	return (struct lmsg){.file = span_str(file)};
}

/* The canonical form of N octets, and what its identity is. */
static void
canon(const char *p, size_t n, struct buf *out, struct content *c)
{
	AUTO(digest) d = digest_new();

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			buf_addc(out, '\r');
		buf_addc(out, p[i]);
	}
	digest_feed(d, p, n);
	digest_finish(d, c);
}

/* LF, CR LF, CR; over several of the pieces that are read at a time. */
static char *
long_text(struct arena *mem, size_t n)
{
	static const char parts[] = "line\nwire\r\ncr\r.\n\n\r\r\n";
	char *p = arena_alloc(mem, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = parts[i % (sizeof parts - 1)];
	return p;
}

static void
stat_tells_identity_size_and_time(void **state)
{
	struct env *v = *state;
	struct lmsg m = msg("cur/x:2,S");
	struct stat st;

	mkbox(v, "a");
	put(v, "a/cur/x:2,S", "hello\n");
	age(v, "a/cur/x:2,S", 1234567890, 123);
	assert_int_equal(fstatat(v->fd, "a/cur/x:2,S", &st, 0), 0);
	assert_int_equal(maildir_stat(v->m, SPAN("a"), &m, &v->e), 0);
	assert_true(m.has_stat);
	assert_false(m.has_content);
	assert_int_equal(m.ino, st.st_ino);
	assert_int_equal(m.fsize, 6);
	assert_int_equal(m.mtime_ns, 1234567890000000123);
}

static void
what_is_gone_is_stale(void **state)
{
	static const char *const file[] = {"cur/gone", "new/gone", "cur/",
	    "cur", "", "tmp/x", "x", "cur/../new/x", "cur/..", "/etc/passwd",
	    "new/.hidden"};
	struct env *v = *state;
	struct maildir_reader *r = NULL;
	struct buf out;

	buf_init(&out, 100);
	mkbox(v, "a");
	put(v, "a/new/x", "1");
	put(v, "a/new/.hidden", "1");
	put(v, "a/tmp/x", "1");
	put(v, "a/x", "1");
	for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
		struct lmsg m = msg(file[i]);

		assert_int_equal(
		    maildir_stat(v->m, SPAN("a"), &m, &v->e), ERR_STALE);
		assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
		assert_int_equal(
		    maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e),
		    ERR_STALE);
		assert_int_equal(
		    maildir_read_open(v->m, SPAN("a"), m.file, &r, &v->e),
		    ERR_STALE);
		assert_int_equal(maildir_sample(v->m, SPAN("a"), m.file, 0, 9,
				     &out, &v->e),
		    ERR_STALE);
		assert_false(m.has_stat);
		assert_false(m.has_content);
		assert_null(r);
	}
	assert_int_equal(out.n, 0);
	buf_release(&out);
}

static void
a_symlink_is_not_followed(void **state)
{
	struct env *v = *state;
	struct lmsg m = msg("cur/x");

	mkbox(v, "a");
	put(v, "secret", "1");
	assert_int_equal(symlinkat("../../secret", v->fd, "a/cur/x"), 0);
	assert_true(maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e) < 0);
	assert_int_equal(v->e.scope, ERR_SCOPE_MSG);
	assert_false(m.has_content);
	assert_int_equal(symlinkat("a", v->fd, "b"), 0);
	put(v, "a/cur/y", "1");
	m = msg("cur/y");
	assert_int_equal(
	    maildir_digest(v->m, SPAN("b"), &m, NULL, &v->e), ERR_STALE);
}

static void
digest_is_that_of_the_canonical_form(void **state)
{
	static const char *const text[] = {
	    "", "\n", "\r\n", "a\nb\n", "a\r\nb\n", "no end", "\r"};
	struct env *v = *state;

	mkbox(v, "a");
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		struct lmsg m = msg("cur/x");
		struct content want;
		struct buf c;

		buf_init(&c, 100);
		canon(text[i], strlen(text[i]), &c, &want);
		put(v, "a/cur/x", text[i]);
		assert_int_equal(
		    maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e), 0);
		assert_true(m.has_stat && m.has_content);
		assert_int_equal(m.fsize, strlen(text[i]));
		assert_int_equal(m.content.raw, strlen(text[i]));
		assert_int_equal(m.content.size, c.n);
		assert_memory_equal(m.content.sha, want.sha, DIGEST_LEN);
		assert_int_equal(unlinkat(v->fd, "a/cur/x", 0), 0);
		buf_release(&c);
	}
}

static void
digest_sees_a_nul_and_can_be_canceled(void **state)
{
	struct env *v = *state;
	struct lmsg m = msg("cur/x");
	AUTO(cancel) c = NULL;

	mkbox(v, "a");
	put_at(v->fd, "a/cur/x", "a\0b", 3);
	assert_int_equal(cancel_new(&c, &v->e), 0);
	assert_int_equal(maildir_digest(v->m, SPAN("a"), &m, c, &v->e), 0);
	assert_true(m.content.has_nul);
	m = msg("cur/x");
	cancel_raise(c);
	assert_int_equal(
	    maildir_digest(v->m, SPAN("a"), &m, c, &v->e), ERR_CANCELED);
	assert_false(m.has_content);
	/* what was given up does not get into the next one */
	assert_int_equal(maildir_digest(v->m, SPAN("a"), &m, NULL, &v->e), 0);
	assert_int_equal(m.content.size, 3);
}

static void
reading_gives_the_canonical_form_in_pieces(void **state)
{
	const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
	struct env *v = *state;

	mkbox(v, "a");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO(maildir_reader) r = NULL;
		char *text = long_text(&v->mem, sizes[i]);
		struct buf want, all, piece;
		struct content c;
		int rc;

		buf_init(&want, 1u << 20);
		buf_init(&all, 1u << 20);
		buf_init(&piece, 1u << 18);
		canon(text, sizes[i], &want, &c);
		put_at(v->fd, "a/new/x", text, sizes[i]);
		assert_int_equal(maildir_read_open(v->m, SPAN("a"),
				     SPAN("new/x"), &r, &v->e),
		    0);
		while ((rc = maildir_read(r, &piece, &v->e)) > 0) {
			assert_int_equal(rc, piece.n);
			buf_add_span(&all, buf_span(&piece));
		}
		assert_int_equal(rc, 0);
		assert_int_equal(maildir_read(r, &piece, &v->e), 0);
		assert_true(span_eq(buf_span(&all), buf_span(&want)));
		assert_int_equal(unlinkat(v->fd, "a/new/x", 0), 0);
		buf_release(&want);
		buf_release(&all);
		buf_release(&piece);
	}
}

static void
reading_goes_on_when_the_file_is_renamed(void **state)
{
	AUTO(maildir_reader) r = NULL;
	struct env *v = *state;
	struct buf b;

	buf_init(&b, 1u << 18);
	mkbox(v, "a");
	put(v, "a/new/x", "text");
	assert_int_equal(
	    maildir_read_open(v->m, SPAN("a"), SPAN("new/x"), &r, &v->e), 0);
	assert_int_equal(
	    renameat(v->fd, "a/new/x", v->fd, "a/cur/x:2,S"), 0);
	assert_int_equal(maildir_read(r, &b, &v->e), 4);
	buf_release(&b);
}

/* All offsets and lengths of a small text. */
static void
sample_every(struct env *v, const struct buf *want)
{
	for (size_t off = 0; off <= want->n + 2; off++)
		for (size_t n = 0; n <= want->n + 2; n++) {
			size_t left = off < want->n ? want->n - off : 0;
			size_t len = n < left ? n : left;
			struct buf out;

			buf_init(&out, 100);
			buf_addc(&out, '>');
			assert_int_equal(
			    maildir_sample(v->m, SPAN("a"), SPAN("cur/x"), off,
				n, &out, &v->e),
			    0);
			assert_int_equal(out.n, 1 + len);
			if (len)
				assert_memory_equal(
				    out.p + 1, want->p + off, len);
			buf_release(&out);
		}
}

static void
samples_are_of_the_canonical_form(void **state)
{
	static const char text[] = "a\nb\r\n\nend";
	struct env *v = *state;
	struct content c;
	struct buf want;

	buf_init(&want, 100);
	mkbox(v, "a");
	put(v, "a/cur/x", text);
	canon(text, strlen(text), &want, &c);
	sample_every(v, &want);
	buf_release(&want);
}

static void
samples_of_a_long_message_cross_the_pieces(void **state)
{
	const size_t n = 300000;
	struct env *v = *state;
	char *text = long_text(&v->mem, n);
	struct content c;
	struct buf want, out;

	buf_init(&want, 1u << 20);
	mkbox(v, "a");
	put_at(v->fd, "a/cur/x", text, n);
	canon(text, n, &want, &c);
	for (size_t off = 0; off < want.n; off += 29989) {
		size_t len = want.n - off < 70000 ? want.n - off : 70000;

		buf_init(&out, 1u << 20);
		assert_int_equal(maildir_sample(v->m, SPAN("a"), SPAN("cur/x"),
				     off, 70000, &out, &v->e),
		    0);
		assert_int_equal(out.n, len);
		assert_memory_equal(out.p, want.p + off, len);
		buf_release(&out);
	}
	buf_init(&out, 10);
	assert_int_equal(maildir_sample(v->m, SPAN("a"), SPAN("cur/x"), 0, 11,
			     &out, &v->e),
	    ERR_TOOBIG);
	buf_release(&out);
	buf_release(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(stat_tells_identity_size_and_time),
	    TEST(what_is_gone_is_stale),
	    TEST(a_symlink_is_not_followed),
	    TEST(digest_is_that_of_the_canonical_form),
	    TEST(digest_sees_a_nul_and_can_be_canceled),
	    TEST(reading_gives_the_canonical_form_in_pieces),
	    TEST(reading_goes_on_when_the_file_is_renamed),
	    TEST(samples_are_of_the_canonical_form),
	    TEST(samples_of_a_long_message_cross_the_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
