/*
 * Rules of this file:
 *  1. TLS 1.2 or later (RFC 9325); the chain ends in the system's store, or
 *     in tls_ca and nothing else.
 *  2. The name is the configured host, against subjectAltName only
 *     (RFC 9525 §6.3); an address literal against iPAddress.
 *  3. Nothing is read or written before the handshake is verified.
 */
#include "net/internal.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

struct net_tls_session {
	const struct net_conf *conf;
	SSL_CTX *ctx;
	SSL *ssl;
	bool broken; /* no goodbye after a fatal error */
};

void
net_tls_free(struct net_tls_session **t)
{
	if (!*t)
		return;
	if ((*t)->ssl && !(*t)->broken && SSL_is_init_finished((*t)->ssl))
		(void)SSL_shutdown((*t)->ssl);
	ERR_clear_error();
	SSL_free((*t)->ssl);
	SSL_CTX_free((*t)->ctx);
	xfree(*t);
	*t = NULL;
}

const char *
net_tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	return text ? text : "protocol error";
}

static int
setup_error(const char *what, struct err *e)
{
	err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER, "TLS: %s: %s",
	    what, net_tls_reason());
	ERR_clear_error();
	return e->code;
}

static bool
is_address(const char *host)
{
	unsigned char b[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, b) == 1 ||
	    inet_pton(AF_INET6, host, b) == 1;
}

static int
setup(struct net_tls_session *t, int fd, struct err *e)
{
	const struct net_conf *conf = t->conf;
	X509_VERIFY_PARAM *param;
	X509_STORE *store;

	t->ctx = SSL_CTX_new(TLS_client_method());
	if (!t->ctx)
		return setup_error("no context", e);
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	if ((conf->trust ? net_trust_get(conf->trust, conf->tls_ca, &store, e)
			 : net_trust_read(conf->tls_ca, &store, e)) < 0)
		return e->code;
	SSL_CTX_set_cert_store(t->ctx, store); /* takes the reference */
	t->ssl = SSL_new(t->ctx);
	if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1)
		return setup_error("no session", e);
	param = SSL_get0_param(t->ssl);
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(conf->host)) {
		if (X509_VERIFY_PARAM_set1_ip_asc(param, conf->host) != 1)
			return setup_error(conf->host, e);
	} else if (X509_VERIFY_PARAM_set1_host(param, conf->host, 0) != 1 ||
	    SSL_set_tlsext_host_name(t->ssl, conf->host) != 1) {
		return setup_error(conf->host, e);
	}
	return 0;
}

/* *events_r when SSL_get_error() says that it is only a matter of waiting. */
static bool
wants(int code, short *events_r)
{
	if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE)
		return false;
	*events_r = code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	return true;
}

static int
handshake_error(struct net_tls_session *t, int code, int sys, struct err *e)
{
	const struct net_conf *conf = t->conf;
	long verify = SSL_get_verify_result(t->ssl);

	if (verify != X509_V_OK)
		err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "%s port %u: certificate not accepted: %s; check host, or "
		    "set tls_ca to the authority that signed it",
		    conf->host, conf->port,
		    X509_verify_cert_error_string(verify));
	else if (code == SSL_ERROR_SYSCALL && sys != 0) {
		err_sys(e, ERR_SCOPE_ACCOUNT, sys, "%s port %u: TLS handshake",
		    conf->host, conf->port);
		e->code = ERR_NET;
	} else
		err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
		    "%s port %u: TLS handshake: %s; does this port speak TLS?",
		    conf->host, conf->port, net_tls_reason());
	ERR_clear_error();
	return e->code;
}

int
net_tls_open(const struct net_conf *conf, int fd, int64_t deadline,
    struct net_tls_session **t_r, struct err *e)
{
	struct net_tls_session *t = xcalloc(1, sizeof *t);

	t->conf = conf;
	ERR_clear_error();
	if (setup(t, fd, e) < 0)
		goto out;
	for (;;) {
		short events;

		ERR_clear_error();
		errno = 0;
		int rc = SSL_connect(t->ssl);
		int sys = errno;
		if (rc == 1)
			break;
		int code = SSL_get_error(t->ssl, rc);
		if (!wants(code, &events)) {
			handshake_error(t, code, sys, e);
			goto out;
		}
		if (net_wait(conf, fd, events, deadline, "TLS handshake",
			e) < 0) {
			e->scope = ERR_SCOPE_ACCOUNT;
			goto out;
		}
	}
	*t_r = t;
	return 0;
out:
	t->broken = true;
	net_tls_free(&t);
	return e->code;
}

static enum net_io
io_result(struct net_tls_session *t, int rc, int sys, short *events_r,
    struct err *e)
{
	int code = SSL_get_error(t->ssl, rc);

	if (wants(code, events_r))
		return NET_IO_AGAIN;
	t->broken = code != SSL_ERROR_ZERO_RETURN;
	if (code == SSL_ERROR_ZERO_RETURN ||
	    (code == SSL_ERROR_SYSCALL && sys == 0) ||
	    ERR_GET_REASON(ERR_peek_error()) ==
		SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return NET_IO_END;
	}
	if (code == SSL_ERROR_SYSCALL) {
		err_sys(e, ERR_SCOPE_CONN, sys, "%s port %u", t->conf->host,
		    t->conf->port);
		e->code = ERR_NET;
	} else {
		err_set(e, ERR_TLS, ERR_SCOPE_CONN, ERR_RETRY_LATER,
		    "%s port %u: TLS: %s", t->conf->host, t->conf->port,
		    net_tls_reason());
	}
	ERR_clear_error();
	return NET_IO_FAILED;
}

enum net_io
net_tls_read(struct net_tls_session *t, char *p, size_t n, size_t *n_r,
    short *events_r, struct err *e)
{
	ERR_clear_error();
	errno = 0;
	int rc = SSL_read(t->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
	if (rc <= 0)
		return io_result(t, rc, errno, events_r, e);
	*n_r = (size_t)rc;
	return NET_IO_DONE;
}

enum net_io
net_tls_write(struct net_tls_session *t, const char *p, size_t n, size_t *n_r,
    short *events_r, struct err *e)
{
	ERR_clear_error();
	errno = 0;
	int rc = SSL_write(t->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
	if (rc <= 0)
		return io_result(t, rc, errno, events_r, e);
	*n_r = (size_t)rc;
	return NET_IO_DONE;
}

void
net_thread_end(void)
{
	OPENSSL_thread_stop();
}
