#include "imap/internal.h"

static int
send_on(struct imap *s, const char *words, struct span wire, struct err *e)
{
	imap_begin(s, words);
	wire_cmd_mailbox(&s->cmd, wire);
	return imap_send(s, e);
}

/*
 * WORDS[0] on mailbox WIRE, and in the same flight WORDS[1], whose refusal
 * does not matter.  CODE in a NO, or the mailbox being there (WANT) after any
 * other NO, is success all the same.
 */
static int
change_folder(struct imap *s, const char *const words[2], struct span wire,
    const char *code, bool want, struct err *e)
{
	uint32_t tag[2];
	bool exists;
	struct err said[2];
	int rc = send_on(s, words[0], wire, e);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		tag[0] = s->tag;
		rc = send_on(s, words[1], wire, e);
		tag[1] = s->tag;
		if (rc == 0)
			rc = imap_wait_two(s, tag, words, ERR_SCOPE_BOX, said,
			    e);
		if (rc < 0)
			return rc;
	} else { /* refused before the literal of its name */
		err_clear(&said[0]);
		(void)imap_check_ok(s, ERR_SCOPE_BOX, &said[0], "%s", words[0]);
	}
	if (said[0].code == 0 || strcmp(said[0].resp, code) == 0)
		return 0;
	/* Old servers give no code. */
	if (imap_exists(s, wire, &exists, e) < 0)
		return e->code;
	if (exists == want)
		return 0;
	*e = said[0];
	return e->code;
}

int
imap_create(struct imap *s, struct span wire, struct err *e)
{
	static const char *const words[2] = {"CREATE ", "SUBSCRIBE "};

	return change_folder(s, words, wire, "ALREADYEXISTS", true, e);
}

int
imap_delete(struct imap *s, struct span wire, struct err *e)
{
	static const char *const words[2] = {"DELETE ", "UNSUBSCRIBE "};

	return change_folder(s, words, wire, "NONEXISTENT", false, e);
}
