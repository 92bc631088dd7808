#include "net/trust.h"

#include "net/internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>

/* What was read from one file. */
struct source {
	struct source *next;
	char *file;	   /* owned; NULL: the system's store */
	X509_STORE *store; /* owned */
};

struct net_trust {
	pthread_mutex_t lock;	/* guards the list, also while one is read */
	struct source *sources; /* nothing leaves it before the end */
};

struct net_trust *
net_trust_new(void)
{
	struct net_trust *t = xcalloc(1, sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
net_trust_free(struct net_trust **t)
{
	if (!*t)
		return;
	for (struct source *s = (*t)->sources, *next; s; s = next) {
		next = s->next;
		X509_STORE_free(s->store);
		xfree(s->file);
		xfree(s);
	}
	pthread_mutex_destroy(&(*t)->lock);
	xfree(*t);
	*t = NULL;
}

/*
 * OpenSSL decodes the extensions of a certificate when they are first asked
 * for.  Here that is before another thread can see it.
 */
static void
decode_extensions(X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *v = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(v); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(v, i));

		if (x)
			(void)X509_check_purpose(x, -1, 0);
	}
}

/*
 * Why FILE (NULL: the system's store) gave no store.  Of a failed system call
 * OpenSSL's first error has the errno, and none of them has its text.  A file
 * with nothing in it that looks like PEM leaves no error behind.
 */
static int
not_read(const char *file, struct err *e)
{
	const char *what = file ? file : "the system's store";
	unsigned long first = ERR_peek_error();

	if (ERR_SYSTEM_ERROR(first)) {
		err_sys(e, ERR_SCOPE_ACCOUNT, ERR_GET_REASON(first),
		    "cannot read certificates from %s", what);
		e->code = ERR_CONFIG;
		e->retry = ERR_RETRY_NEVER;
	} else {
		err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "cannot read certificates from %s: %s", what,
		    first ? net_tls_reason() : "no certificate in it");
	}
	ERR_clear_error();
	return e->code;
}

int
net_trust_read(const char *file, X509_STORE **store_r, struct err *e)
{
	X509_STORE *store = X509_STORE_new();

	if (store && (file ? X509_STORE_load_file(store, file)
			   : X509_STORE_set_default_paths(store)) == 1) {
		decode_extensions(store);
		*store_r = store;
		return 0;
	}
	X509_STORE_free(store);
	return not_read(file, e);
}

static const struct source *
find(const struct net_trust *t, const char *file)
{
	const struct source *s = t->sources;

	while (s && (!s->file != !file || (file && strcmp(s->file, file) != 0)))
		s = s->next;
	return s;
}

static int
add(struct net_trust *t, const char *file, const struct source **s_r,
    struct err *e)
{
	X509_STORE *store;
	struct source *s;
	int rc = net_trust_read(file, &store, e);

	if (rc < 0)
		return rc;
	s = xcalloc(1, sizeof *s);
	s->file = file ? xasprintf("%s", file) : NULL;
	s->store = store;
	s->next = t->sources;
	t->sources = s;
	*s_r = s;
	return 0;
}

int
net_trust_get(
    struct net_trust *t, const char *file, X509_STORE **store_r, struct err *e)
{
	const struct source *s;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	s = find(t, file);
	if (!s)
		rc = add(t, file, &s, e);
	if (rc == 0 && X509_STORE_up_ref(s->store) == 1)
		*store_r = s->store;
	else if (rc == 0)
		rc = err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
		    "TLS: %s", net_tls_reason());
	pthread_mutex_unlock(&t->lock);
	return rc;
}
