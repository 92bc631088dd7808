#include "mail/digest.h"

#include "base/buf.h"
#include "mail/eol.h"

#include <openssl/evp.h>

enum { CHUNK = 16384 };

struct digest {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	struct eol_canon canon;
	struct buf out; /* canonical form of one chunk */
	uint64_t size, raw;
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
	must(d->md && d->ctx);
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
	d->size = d->raw = 0;
	d->has_nul = false;
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
		size_t k = n < CHUNK ? n : CHUNK;

		buf_clear(&d->out);
		eol_canon_feed(&d->canon, p, k, &d->out);
		must(EVP_DigestUpdate(d->ctx, d->out.p, d->out.n));
		d->size += d->out.n;
		p += k;
		n -= k;
	}
}

void
digest_finish(struct digest *d, struct content *c_r)
{
	unsigned len = 0;

	must(EVP_DigestFinal_ex(d->ctx, c_r->sha, &len));
	must(len == DIGEST_LEN);
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
