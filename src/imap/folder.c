#include "imap/internal.h"

static int
send_on(struct imap *s, const char *words, struct span wire, struct err *e)
{
	imap_begin(s, words);
	wire_cmd_raw(&s->cmd, " ");
	wire_cmd_astring(&s->cmd, wire);
	return imap_send(s, e);
}

/*
 * The answer to what was just sent (SENT is what imap_send() gave) goes to
 * *said_r, with what WORDS call it.
 */
static int
take_answer(struct imap *s, int sent, const char *words, struct err *said_r,
    struct err *e)
{
	if (sent == 0)
		sent = imap_wait(s, s->tag, e);
	if (sent < 0)
		return sent;
	err_clear(said_r);
	(void)imap_check_ok(s, ERR_SCOPE_BOX, said_r, "%s", words);
	return 0;
}

/* WORDS[0] and WORDS[1] on mailbox WIRE, in one flight when that can be. */
static int
run_two(struct imap *s, const char *const words[2], struct span wire,
    struct err said[2], struct err *e)
{
	uint32_t tag[2];
	int rc = send_on(s, words[0], wire, e);

	tag[0] = s->tag;
	if (rc == 0 && s->cmd.nwait == 0) {
		rc = send_on(s, words[1], wire, e);
		tag[1] = s->tag;
		if (rc == 0)
			rc = imap_wait_two(s, tag, words, ERR_SCOPE_BOX, said,
			    e);
		return rc;
	}
	/* A name that waits for "+" waits alone, as imap_send() asks. */
	if (take_answer(s, rc, words[0], &said[0], e) < 0)
		return e->code;
	return take_answer(s, send_on(s, words[1], wire, e), words[1],
	    &said[1], e);
}

/*
 * NO, of a CREATE or DELETE of WIRE, is no error (code 0 neither) when the
 * mailbox is, or is not, there (WANT): CODE says so.
 */
static int
judge_no(struct imap *s, struct span wire, const struct err *no,
    const char *code, bool want, struct err *e)
{
	bool exists = !want;

	if (no->code == 0 || strcmp(no->resp, code) == 0)
		return 0;
	/* Old servers give no code. */
	if (!no->resp[0] && imap_exists(s, wire, &exists, e) < 0)
		return e->code;
	if (exists == want)
		return 0;
	*e = *no;
	return e->code;
}

int
imap_create(struct imap *s, struct span wire, bool *was_r, struct err *e)
{
	static const char *const words[2] = {"CREATE", "SUBSCRIBE"};
	struct err said[2];

	if (run_two(s, words, wire, said, e) < 0)
		return e->code;
	if (judge_no(s, wire, &said[0], "ALREADYEXISTS", true, e) < 0)
		return e->code;
	*was_r = said[0].code != 0;
	return 0;
}

/* The subscription stays with what is not deleted. */
int
imap_delete(struct imap *s, struct span wire, struct err *e)
{
	struct err no;

	if (take_answer(s, send_on(s, "DELETE", wire, e), "DELETE", &no, e) < 0)
		return e->code;
	if (judge_no(s, wire, &no, "NONEXISTENT", false, e) < 0)
		return e->code;
	return take_answer(s, send_on(s, "UNSUBSCRIBE", wire, e),
	    "UNSUBSCRIBE", &no, e);
}

/* Is a RENAME refused because the mailboxes are not as they were observed? */
static int
is_stale(struct imap *s, struct span from, struct span to,
    const struct err *no, bool *stale_r, struct err *e)
{
	bool has_from = true, has_to = false;

	if (strcmp(no->resp, "NONEXISTENT") == 0 ||
	    strcmp(no->resp, "ALREADYEXISTS") == 0) {
		*stale_r = true;
		return 0;
	}
	/* Old servers give no code. */
	if (no->resp[0] == '\0' &&
	    (imap_exists(s, from, &has_from, e) < 0 ||
		imap_exists(s, to, &has_to, e) < 0))
		return e->code;
	*stale_r = !has_from || has_to;
	return 0;
}

/*
 * Subscriptions are names: a server leaves them where they were (RFC 3501
 * §6.3.6).  The new one first.
 */
int
imap_subscribe(struct imap *s, struct span to, struct span from, struct err *e)
{
	struct err no;
	int rc;

	rc = take_answer(s, send_on(s, "SUBSCRIBE", to, e), "SUBSCRIBE", &no,
	    e);
	if (rc == 0)
		rc = take_answer(s, send_on(s, "UNSUBSCRIBE", from, e),
		    "UNSUBSCRIBE", &no, e);
	return rc;
}

int
imap_rename(struct imap *s, struct span from, struct span to, struct err *e)
{
	struct err no;
	bool stale = false;

	imap_begin(s, "RENAME ");
	wire_cmd_astring(&s->cmd, from);
	wire_cmd_raw(&s->cmd, " ");
	wire_cmd_astring(&s->cmd, to);
	if (take_answer(s, imap_send(s, e), "RENAME", &no, e) < 0)
		return e->code;
	if (no.code == 0)
		return 0;
	if (is_stale(s, from, to, &no, &stale, e) < 0)
		return e->code;
	*e = no;
	if (stale) {
		e->code = ERR_STALE;
		e->retry = ERR_RETRY_LATER;
	}
	return e->code;
}
