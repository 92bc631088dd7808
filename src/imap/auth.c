/*
 * Rules of this file:
 *  1. One attempt: a refused login is not repeated with anything else, so
 *     that nobody is locked out (pointless retries are what does it).
 *  2. The password is never traced, logged or put into an error, nor what is
 *     made of it; not when the server repeats it, either.
 *  3. A mechanism that proves the server to us counts only with the proof.
 */
#include "imap/internal.h"

#include "wire/text.h"

#include <gsasl.h>

/* Best first; what "auth: auto" tries. */
static const char *const preferred[] = {"SCRAM-SHA-256", "SCRAM-SHA-1",
    "PLAIN", "LOGIN", "CRAM-MD5", NULL};

#define CHALLENGE_MAX 65536

static bool
accepted(const struct imap *s)
{
	return s->resp.type == RESP_STATUS && s->resp.cond == COND_OK;
}

static int
refused(struct imap *s, const char *how, struct err *e)
{
	const struct resp *r = &s->resp;

	if (r->type != RESP_STATUS)
		return imap_check_ok(s, ERR_SCOPE_CONN, e, "login (%s)", how);
	err_set(e, ERR_AUTH, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "login of '%s' at %s refused (%s): %s%.*s%s%.*s", s->conf->user,
	    s->conf->net.host, how, r->code.n ? "[" : "", SPAN_ARG(r->code),
	    r->code.n ? "] " : "", SPAN_ARG(r->text));
	/* RFC 5530: not now is not never. */
	if (resp_code_is(r, "UNAVAILABLE") || resp_code_is(r, "INUSE") ||
	    resp_code_is(r, "SERVERBUG") || resp_code_is(r, "LIMIT")) {
		e->code = ERR_NO;
		e->retry = ERR_RETRY_LATER;
	}
	imap_check_busy(s, e);
	return e->code;
}

/* Not to be shown, in whatever form it was sent (rule 2). */
static void
note_secret(struct imap *s, struct span secret)
{
	if (secret.n == 0)
		return;
	buf_add_span(&s->secrets, secret);
	buf_addc(&s->secrets, '\0');
}

static void
note_secret_line(struct imap *s, const char *line)
{
	/* "", "=" and "*" are none */
	if (strlen(line) >= 4)
		note_secret(s, span_str(line));
}

static bool
offered(const struct imap *s, const char *mech)
{
	return wire_word_in(buf_span(&s->mechs), span_str(mech));
}

/* The password of the command, with its backslashes. */
static void
note_quoted(struct imap *s)
{
	const struct wire_cmd *c = &s->cmd;
	size_t from = c->secret[0].from;

	if (c->b.p[from] == '"')
		note_secret(s, span_of(c->b.p + from + 1, c->b.n - from - 2));
}

/* RFC 3501 §6.2.3. */
static int
login_command(struct imap *s, struct err *e)
{
	int rc;

	imap_begin(s, "LOGIN ");
	s->cmd.literal_plus = s->caps & IMAP_CAP_LITERAL_PLUS;
	wire_cmd_astring(&s->cmd, span_str(s->conf->user));
	wire_cmd_raw(&s->cmd, " ");
	wire_cmd_secret(&s->cmd, s->conf->password, true);
	note_quoted(s);
	imap_forget_caps(s);
	rc = imap_send(s, e);
	wire_cmd_begin(&s->cmd, SPAN("")); /* forgets the password */
	if (rc == 0)
		rc = imap_wait(s, s->tag, e);
	if (rc < 0)
		return rc;
	return accepted(s) ? 0 : refused(s, "LOGIN", e);
}

static int
sasl_failed(const char *mech, int rc, struct err *e)
{
	return err_set(e, ERR_AUTH, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "login with %s: %s", mech, gsasl_strerror(rc));
}

/* One line of the exchange, base64 already, masked in the trace. */
static int
sasl_line(struct imap *s, const char *line, struct err *e)
{
	struct wire_cmd *c = &s->cmd;

	note_secret_line(s, line);
	wire_cmd_begin(c, SPAN(""));
	buf_clear(&c->b);
	wire_cmd_secret(c, span_str(line), false);
	wire_cmd_end(c);
	imap_trace_out(s, c);
	if (stream_write(s->st, c->b.p, c->b.n, e) < 0)
		return imap_break(s, e);
	wire_cmd_begin(c, SPAN(""));
	return 0;
}

/* The command, with the first message when the server takes it (RFC 4959). */
static int
sasl_begin(struct imap *s, const char *mech, const char *first, struct err *e)
{
	int rc;

	imap_begin(s, "AUTHENTICATE ");
	wire_cmd_raw(&s->cmd, mech);
	if (first) {
		note_secret_line(s, first);
		wire_cmd_raw(&s->cmd, " ");
		wire_cmd_secret(&s->cmd, span_str(*first ? first : "="), false);
	}
	rc = imap_send(s, e);
	wire_cmd_begin(&s->cmd, SPAN(""));
	return rc;
}

/*
 * Challenges and answers until the tagged answer.  FIRST: a message of ours
 * that waits for an empty challenge; NULL: it went with the command, or we
 * speak second.  *done: the mechanism is satisfied.
 */
static int
sasl_exchange(struct imap *s, Gsasl_session *g, const char *mech, char *first,
    bool *done, struct err *e)
{
	uint32_t tag = s->tag;

	for (;;) {
		char *answer = NULL;
		int rc = imap_next(s, e);

		if (rc < 0)
			return rc;
		if (imap_tag_number(s) == tag)
			return 0;
		if (s->resp.type != RESP_CONT)
			continue;
		if (s->resp.text.n > CHALLENGE_MAX)
			return err_set(e, ERR_PROTO, ERR_SCOPE_ACCOUNT,
			    ERR_RETRY_NEVER,
			    "login with %s: challenge too long", mech);
		if (first) {
			rc = sasl_line(s, first, e);
			first = NULL;
			if (rc < 0)
				return rc;
			continue;
		}
		AUTO_STR text = xstrndup(s->resp.text.p, s->resp.text.n);
		int step = gsasl_step64(g, text, &answer);
		if (step != GSASL_OK && step != GSASL_NEEDS_MORE) {
			/* "*" ends it (RFC 3501 §6.2.2); the answer is a NO. */
			(void)sasl_line(s, "*", e);
			return sasl_failed(mech, step, e);
		}
		*done = step == GSASL_OK;
		rc = sasl_line(s, answer ? answer : "", e);
		gsasl_free(answer);
		if (rc < 0)
			return rc;
	}
}

static int
sasl_session(struct imap *s, Gsasl *ctx, const char *mech, struct err *e)
{
	Gsasl_session *g = NULL;
	struct buf password;
	char *first = NULL;
	bool done = false, speak_first;
	int rc = gsasl_client_start(ctx, mech, &g);

	if (rc != GSASL_OK)
		return sasl_failed(mech, rc, e);
	buf_init(&password, 1u << 16);
	buf_add_span(&password, s->conf->password);
	gsasl_property_set(g, GSASL_AUTHID, s->conf->user);
	gsasl_property_set(g, GSASL_PASSWORD, buf_cstr(&password));
	gsasl_property_set(g, GSASL_SERVICE, "imap");
	gsasl_property_set(g, GSASL_HOSTNAME, s->conf->net.host);
	buf_wipe(&password);

	/* LOGIN and CRAM-MD5 begin with a challenge of the server. */
	speak_first = strcmp(mech, "LOGIN") != 0 &&
	    strcmp(mech, "CRAM-MD5") != 0;
	rc = speak_first ? gsasl_step64(g, NULL, &first) : GSASL_NEEDS_MORE;
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		sasl_failed(mech, rc, e);
		goto out;
	}
	done = rc == GSASL_OK;
	bool with_command = first && (s->caps & IMAP_CAP_SASL_IR);
	imap_forget_caps(s);
	rc = sasl_begin(s, mech, with_command ? first : NULL, e);
	if (rc == 0)
		rc = sasl_exchange(s, g, mech, with_command ? NULL : first,
		    &done, e);
	if (rc < 0)
		goto out;
	if (!accepted(s))
		rc = refused(s, mech, e);
	else if (!done && strncmp(mech, "SCRAM-", 6) == 0)
		rc = err_set(e, ERR_AUTH, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "login with %s: the server did not prove that it knows "
		    "the password",
		    mech);
	goto finish;
out:
	rc = e->code;
finish:
	gsasl_free(first);
	gsasl_finish(g);
	return rc;
}

static int
login_sasl(struct imap *s, const char *mech, struct err *e)
{
	Gsasl *ctx = NULL;
	int rc = gsasl_init(&ctx);

	if (rc != GSASL_OK)
		return sasl_failed(mech, rc, e);
	rc = sasl_session(s, ctx, mech, e);
	gsasl_done(ctx);
	return rc;
}

/*
 * The first of WANT that the server offers.  NULL: none.  LOGIN stands for
 * the command as well, which needs no announcement.
 */
static const char *
choose(const struct imap *s, const char *const *want)
{
	for (; *want; want++) {
		/* As we name them; the configuration has lower case. */
		for (const char *const *p = preferred; *p; p++) {
			if (!span_eq_case(span_str(*want), span_str(*p)))
				continue;
			if (offered(s, *p))
				return *p;
			if (strcmp(*p, "LOGIN") == 0 &&
			    !(s->caps & IMAP_CAP_LOGINDISABLED))
				return *p;
		}
	}
	return NULL;
}

int
imap_login(struct imap *s, struct err *e)
{
	const char *mech =
	    choose(s, s->conf->auth ? s->conf->auth : preferred);
	struct span p = s->conf->password;
	int rc;

	if (!mech)
		return err_set(e, ERR_AUTH, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER,
		    "%s offers no way to log in that we may use%s%s%s",
		    s->conf->net.host, s->mechs.n ? "; it has: " : "",
		    buf_cstr(&s->mechs),
		    s->conf->net.tls == NET_TLS_NONE &&
			    (s->caps & IMAP_CAP_STARTTLS) &&
			    (s->caps & IMAP_CAP_LOGINDISABLED)
			? "; it may with 'tls: starttls'"
			: "");
	if (p.n && memchr(p.p, '\0', p.n))
		return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_NEVER, "the password holds a NUL byte");
	note_secret(s, p);
	rc = strcmp(mech, "LOGIN") == 0 && !(s->caps & IMAP_CAP_LOGINDISABLED)
	    ? login_command(s, e)
	    : login_sasl(s, mech, e);
	buf_wipe(&s->secrets);
	return rc;
}
