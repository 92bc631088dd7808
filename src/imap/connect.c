#include "imap/internal.h"

#include "base/clock.h"

/*
 * Of one response, without streamed bodies: what a million numbers of ten
 * digits take twice, and some 300,000 words.
 */
#define RESPONSE_MAX (24u << 20)
#define RESPONSE_TREE (32u << 20)
#define RESPONSE_DEPTH 40
#define COMMAND_MAX (1u << 20)
#define LOGOUT_MS 2000

struct cap {
	const char *word;
	uint32_t bit;
};

static const struct cap caps[] = {
    {"CONDSTORE", IMAP_CAP_CONDSTORE},
    {"UIDPLUS", IMAP_CAP_UIDPLUS},
    {"MOVE", IMAP_CAP_MOVE},
    {"LITERAL+", IMAP_CAP_LITERAL_PLUS},
    {"LITERAL-", IMAP_CAP_LITERAL_MINUS},
    {"LIST-STATUS", IMAP_CAP_LIST_STATUS},
    {"LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED},
    {"NAMESPACE", IMAP_CAP_NAMESPACE},
    {"UNSELECT", IMAP_CAP_UNSELECT},
    {"ESEARCH", IMAP_CAP_ESEARCH},
    {"ENABLE", IMAP_CAP_ENABLE},
    {"SASL-IR", IMAP_CAP_SASL_IR},
    {"OBJECTID", IMAP_CAP_OBJECTID},
    {"SPECIAL-USE", IMAP_CAP_SPECIAL_USE},
    {"ID", IMAP_CAP_ID},
    {"MULTIAPPEND", IMAP_CAP_MULTIAPPEND},
    {"STARTTLS", IMAP_CAP_STARTTLS},
    {"LOGINDISABLED", IMAP_CAP_LOGINDISABLED},
    {"COMPRESS=DEFLATE", IMAP_CAP_COMPRESS},
    {"X-GM-EXT-1", IMAP_CAP_GMAIL},
};

static bool
disabled(const struct imap *s, struct span word)
{
	const char *const *v = s->conf->disable;

	for (; v && *v; v++)
		if (span_eq_case(span_str(*v), word))
			return true;
	return false;
}

/* RFC 9738: "MESSAGELIMIT=N". */
static void
note_message_limit(struct imap *s, struct span w)
{
	const struct span name = SPAN("MESSAGELIMIT=");
	uint32_t limit;

	if (w.n > name.n && span_eq_case(span_of(w.p, name.n), name) &&
	    span_u32(span_of(w.p + name.n, w.n - name.n), &limit))
		s->message_limit = limit;
}

/* RFC 7889 §3: "APPENDLIMIT=N"; without a number each mailbox has its own. */
static void
note_append_limit(struct imap *s, struct span w)
{
	const struct span name = SPAN("APPENDLIMIT");
	uint64_t limit;

	if (w.n < name.n || !span_eq_case(span_of(w.p, name.n), name) ||
	    disabled(s, name))
		return;
	if (w.n == name.n) {
		s->caps |= IMAP_CAP_APPENDLIMIT;
	} else if (w.p[name.n] == '=' &&
	    span_u64(span_of(w.p + name.n + 1, w.n - name.n - 1), &limit)) {
		s->caps |= IMAP_CAP_APPENDLIMIT;
		s->append_limit = limit;
	}
}

void
imap_note_caps(struct imap *s, const struct wire_node *words)
{
	/* ENABLE is for the session (RFC 5161 §3.1). */
	uint32_t enabled = s->caps & (IMAP_CAP_QRESYNC | IMAP_CAP_UIDONLY);
	struct span w;

	s->knows_caps = true;
	s->caps = enabled;
	s->offers_qresync = s->offers_uidonly = false;
	s->message_limit = 0;
	s->append_limit = 0;
	buf_clear(&s->mechs);
	for (; words; words = words->next) {
		if (!wire_astring(words, &w) || disabled(s, w))
			continue;
		for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
			if (span_eq_case(w, span_str(caps[i].word)))
				s->caps |= caps[i].bit;
		if (span_eq_case(w, SPAN("QRESYNC"))) {
			/* RFC 7162 §3.2.3: QRESYNC includes CONDSTORE. */
			s->offers_qresync = !disabled(s, SPAN("CONDSTORE"));
			if (s->offers_qresync)
				s->caps |= IMAP_CAP_CONDSTORE;
		} else if (w.n > 5 &&
		    span_eq_case(span_of(w.p, 5), SPAN("AUTH="))) {
			if (s->mechs.n)
				buf_addc(&s->mechs, ' ');
			buf_add(&s->mechs, w.p + 5, w.n - 5);
		} else if (span_eq_case(w, SPAN("UIDONLY"))) {
			s->offers_uidonly = true;
		} else {
			note_message_limit(s, w);
			note_append_limit(s, w);
		}
	}
	s->caps &= ~s->dropped;
}

void
imap_forget_caps(struct imap *s)
{
	s->knows_caps = s->offers_qresync = s->offers_uidonly = false;
	s->caps = 0;
	s->append_limit = 0;
	buf_clear(&s->mechs);
}

static int
ask_caps(struct imap *s, struct err *e)
{
	imap_begin(s, "CAPABILITY");
	return imap_run(s, ERR_SCOPE_ACCOUNT, "CAPABILITY", e);
}

/* Where TLS is spoken from the first octet the server waits, as we do. */
static int
no_greeting(const struct imap *s, struct err *e)
{
	return err_set(e, ERR_TIMEOUT, ERR_SCOPE_ACCOUNT, ERR_RETRY_LATER,
	    "%s port %u: no greeting in time%s", s->conf->net.host,
	    s->conf->net.port,
	    stream_is_tls(s->st) ? ""
				 : "; does this port want 'tls: implicit'?");
}

static int
greeting(struct imap *s, bool *preauth_r, struct err *e)
{
	int rc = imap_next(s, e);

	if (rc == ERR_TIMEOUT)
		return no_greeting(s, e);
	if (rc < 0) {
		/* BYE to begin with: the server does not want us now. */
		e->scope = ERR_SCOPE_ACCOUNT;
		/* errors of the stream name the host themselves */
		if (rc == ERR_NET || rc == ERR_TLS)
			return rc;
		return err_wrap(e, "%s port %u", s->conf->net.host,
		    s->conf->net.port);
	}
	if (rc != IMAP_GOT_RESPONSE || s->resp.type != RESP_STATUS ||
	    s->resp.tag.n ||
	    (s->resp.cond != COND_OK && s->resp.cond != COND_PREAUTH))
		return err_set(e, ERR_PROTO, ERR_SCOPE_ACCOUNT,
		    ERR_RETRY_LATER,
		    "%s port %u: this does not greet like an IMAP server",
		    s->conf->net.host, s->conf->net.port);
	*preauth_r = s->resp.cond == COND_PREAUTH;
	return 0;
}

static int
starttls(struct imap *s, bool preauth, struct err *e)
{
	/* RFC 9051 §11.1: a PREAUTH greeting would skip the TLS. */
	if (preauth)
		return err_set(e, ERR_TLS, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
		    "%s port %u: the server wants no login and so no STARTTLS; "
		    "set tls: implicit",
		    s->conf->net.host, s->conf->net.port);
	imap_begin(s, "STARTTLS");
	if (imap_run(s, ERR_SCOPE_ACCOUNT, "STARTTLS", e) < 0)
		return e->code;
	if (stream_starttls(s->st, e) < 0)
		return imap_break(s, e);
	/* RFC 3501 §6.2.1: what was said in clear does not count. */
	imap_forget_caps(s);
	return 0;
}

static int
refuse_clear(const struct imap *s, struct err *e)
{
	if (stream_is_tls(s->st) || stream_is_loopback(s->st) ||
	    s->conf->allow_plaintext)
		return 0;
	return err_set(e, ERR_CONFIG, ERR_SCOPE_ACCOUNT, ERR_RETRY_NEVER,
	    "the password would go to %s in clear; set tls: implicit (or "
	    "starttls), or allow_plaintext: true",
	    s->conf->net.host);
}

/*
 * RFC 5161; RFC 7162 §3.2.3.  Only sent: the answer comes with that of what is
 * asked next (session.c, rule 4).
 */
static int
enable(struct imap *s, struct err *e)
{
	if (!(s->caps & IMAP_CAP_ENABLE) ||
	    !(s->offers_qresync || s->offers_uidonly))
		return 0;
	imap_begin(s, "ENABLE");
	if (s->offers_qresync)
		wire_cmd_raw(&s->cmd, " QRESYNC");
	/* All else we do goes by UID, so it costs nothing (RFC 9586 §3). */
	if (s->offers_uidonly)
		wire_cmd_raw(&s->cmd, " UIDONLY");
	s->enable_tag = s->tag;
	return imap_send(s, e);
}

static int
begin_session(struct imap *s, struct err *e)
{
	bool preauth = false;

	if (greeting(s, &preauth, e) < 0)
		return e->code;
	if (s->conf->net.tls == NET_TLS_STARTTLS && starttls(s, preauth, e) < 0)
		return e->code;
	if (!preauth) {
		if (refuse_clear(s, e) < 0)
			return e->code;
		if (!s->knows_caps && ask_caps(s, e) < 0)
			return e->code;
		/* What is offered after the login is another matter. */
		if (imap_login(s, e) < 0)
			return e->code;
	}
	s->logged_in = true;
	if (!s->knows_caps && ask_caps(s, e) < 0)
		return e->code;
	return enable(s, e);
}

int
imap_open(const struct imap_conf *conf, struct imap **s_r, struct err *e)
{
	static const struct wire_limits limits = {.max_octets = RESPONSE_MAX,
	    .max_tree = RESPONSE_TREE, .max_depth = RESPONSE_DEPTH,
	    .stream_min = IMAP_STREAM_MIN};
	struct imap *s = xcalloc(1, sizeof *s);

	s->conf = conf;
	s->lex = wire_lex_new(&limits);
	resp_init(&s->resp);
	uidset_init(&s->answered);
	wire_cmd_init(&s->cmd, COMMAND_MAX, false);
	buf_init(&s->mechs, 4096);
	buf_init(&s->in_line, 8192);
	buf_init(&s->secrets, COMMAND_MAX);
	buf_init(&s->masked, 3 * RESPONSE_MAX);
	s->session = imap_trace_session(conf->trace);
	imap_trace_note(s, '*', "connect %s port %u", conf->net.host,
	    conf->net.port);
	if (stream_open(&conf->net, &s->st, e) < 0 ||
	    begin_session(s, e) < 0) {
		imap_trace_note(s, '*', "%s", e->text);
		imap_free(&s);
		return e->code;
	}
	s->cmd.literal_plus = s->caps & IMAP_CAP_LITERAL_PLUS;
	*s_r = s;
	return 0;
}

void
imap_logout(struct imap *s)
{
	struct err e;
	uint32_t tag = 0;

	if (s->broken)
		return;
	s->leaving = true;
	stream_set_deadline(s->st, LOGOUT_MS);
	imap_begin(s, "LOGOUT");
	if (imap_send(s, &e) != 0)
		return;
	/* Some say BYE and hang up, some say it twice (RFC 3501 §6.1.3). */
	while (tag != s->tag)
		if (imap_next_tagged(s, &tag, &e) < 0)
			return;
}

int
imap_keep(struct imap *s, int64_t ms, struct err *e)
{
	int rc;

	if (clock_mono_ms() - s->answered_ms < ms)
		return 0;
	s->pending = 0;
	imap_begin(s, "NOOP");
	rc = imap_run(s, ERR_SCOPE_MSG, "NOOP", e);
	if (rc == 0 || e->scope > ERR_SCOPE_MSG)
		return rc;
	err_clear(e);
	return 0;
}

void
imap_free(struct imap **s)
{
	struct imap *x = *s;

	if (!x)
		return;
	stream_free(&x->st);
	resp_release(&x->resp);
	uidset_release(&x->answered);
	wire_lex_free(&x->lex);
	wire_cmd_release(&x->cmd);
	buf_release(&x->mechs);
	buf_release(&x->in_line);
	buf_wipe(&x->secrets);
	buf_release(&x->masked);
	xfree(x);
	*s = NULL;
}

uint32_t
imap_caps(const struct imap *s)
{
	return s->caps;
}

uint64_t
imap_append_limit(const struct imap *s)
{
	return s->append_limit;
}

bool
imap_is_near(const struct imap *s)
{
	return stream_is_loopback(s->st);
}

struct stream_stats
imap_stats(const struct imap *s)
{
	return stream_stats(s->st);
}
