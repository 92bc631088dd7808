#include "mail/digest.h"

#include "base/buf.h"
#include "mail/eol.h"

#include <openssl/evp.h>

enum { CHUNK = 16384 };

struct digest {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	EVP_MD_CTX *bare; /* the same without X-TUID, from the first one on */
	struct eol_canon canon;
	struct buf out; /* canonical form of one chunk */
	uint64_t size, raw;
	uint64_t tuids;	      /* octets of such lines */
	bool head;	      /* the empty line has not come yet */
	bool in_line;	      /* of the header, and it is no X-TUID */
	char line[TUID_LINE]; /* held back: the beginning of one that may be */
	size_t nline;
	bool has_nul;
};

static void
must(int ok)
{
	if (!ok)
		xgiveup("SHA-256 of libcrypto failed; out of memory?");
}

struct digest *
digest_new(void)
{
	struct digest *d = xcalloc(1, sizeof *d);

	d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->ctx = EVP_MD_CTX_new();
	d->bare = EVP_MD_CTX_new();
	must(d->md && d->ctx && d->bare);
	buf_init(&d->out, 2 * CHUNK);
	digest_reset(d);
	return d;
}

void
digest_free(struct digest **d)
{
	if (!*d)
		return;
	EVP_MD_CTX_free((*d)->ctx);
	EVP_MD_CTX_free((*d)->bare);
	EVP_MD_free((*d)->md);
	buf_release(&(*d)->out);
	xfree(*d);
	*d = NULL;
}

void
digest_reset(struct digest *d)
{
	must(EVP_DigestInit_ex2(d->ctx, d->md, NULL));
	eol_canon_init(&d->canon);
	d->size = d->raw = d->tuids = 0;
	d->head = true;
	d->in_line = d->has_nul = false;
	d->nline = 0;
}

static void
update(struct digest *d, const char *p, size_t n)
{
	must(EVP_DigestUpdate(d->ctx, p, n));
	if (d->tuids)
		must(EVP_DigestUpdate(d->bare, p, n));
	d->size += n;
}

/* May octet number I of an X-TUID be C? */
static bool
is_tuid(size_t i, char c)
{
	static const char name[] = "X-TUID: ";

	if (i < sizeof name - 1)
		return c == name[i];
	if (i >= TUID_LINE - 2)
		return c == "\r\n"[i - (TUID_LINE - 2)];
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static void
take_tuid(struct digest *d)
{
	if (!d->tuids)
		must(EVP_MD_CTX_copy_ex(d->bare, d->ctx));
	must(EVP_DigestUpdate(d->ctx, d->line, TUID_LINE));
	d->size += TUID_LINE;
	d->tuids += TUID_LINE;
	d->nline = 0;
}

/* One octet at the beginning of a line of the header, which is held back. */
static void
take_begin(struct digest *d, char c)
{
	size_t i = d->nline++;

	d->line[i] = c;
	if ((i == 0 || d->line[0] != '\r') && is_tuid(i, c)) {
		if (d->nline == TUID_LINE)
			take_tuid(d);
		return;
	}
	if (i == 0 && c == '\r')
		return;
	d->head = !(i == 1 && d->line[0] == '\r' && c == '\n');
	d->in_line = c != '\n';
	update(d, d->line, d->nline);
	d->nline = 0;
}

/* How many octets of P the header goes on for. */
static size_t
feed_head(struct digest *d, const char *p, size_t n)
{
	size_t at = 0;

	while (at < n && d->head) {
		const char *lf;
		size_t k;

		if (!d->in_line) {
			take_begin(d, p[at++]);
			continue;
		}
		lf = memchr(p + at, '\n', n - at);
		k = lf ? (size_t)(lf - p) + 1 - at : n - at;
		update(d, p + at, k);
		d->in_line = lf == NULL;
		at += k;
	}
	return at;
}

void
digest_feed(struct digest *d, const void *data, size_t n)
{
	const char *p = data;

	if (n == 0)
		return;
	d->raw += n;
	if (!d->has_nul && memchr(p, '\0', n))
		d->has_nul = true;
	while (n) {
		size_t k = n < CHUNK ? n : CHUNK, head;

		buf_clear(&d->out);
		eol_canon_feed(&d->canon, p, k, &d->out);
		head = feed_head(d, d->out.p, d->out.n);
		update(d, d->out.p + head, d->out.n - head);
		p += k;
		n -= k;
	}
}

static void
end_sha(EVP_MD_CTX *ctx, uint8_t sha[DIGEST_LEN])
{
	unsigned len = 0;

	must(EVP_DigestFinal_ex(ctx, sha, &len));
	must(len == DIGEST_LEN);
}

void
digest_finish(struct digest *d, struct content *c_r)
{
	update(d, d->line, d->nline);
	end_sha(d->ctx, c_r->sha);
	c_r->has_tuid = d->tuids > 0;
	if (c_r->has_tuid)
		end_sha(d->bare, c_r->bare_sha);
	else
		memcpy(c_r->bare_sha, c_r->sha, DIGEST_LEN);
	c_r->bare_size = d->size - d->tuids;
	c_r->size = d->size;
	c_r->raw = d->raw;
	c_r->has_nul = d->has_nul;
	digest_reset(d);
}

void
digest_hex(const uint8_t sha[DIGEST_LEN], struct buf *b)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		buf_addc(b, hex[sha[i] >> 4]);
		buf_addc(b, hex[sha[i] & 15]);
	}
}
