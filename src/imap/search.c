/*
 * Rules of this file:
 *  1. A search is over only with a tagged OK without MESSAGELIMIT (RFC 9738);
 *     until then it goes on below what was looked at.
 *  2. What names fewer messages than EXISTS counted is not what there is; what
 *     arrived since then (from UIDNEXT on) does not make up for it.
 *  3. SEARCH and ESEARCH are taken, whichever was asked for: servers mix them.
 *  4. An OK behind no answer, or behind one that cannot be read, names nothing;
 *     that is not to say that nothing is there.
 */
#include "imap/internal.h"

int
imap_send_search(struct imap *s, uint32_t lo, uint32_t hi, const char *key,
    struct err *e)
{
	imap_begin(s, s->caps & IMAP_CAP_ESEARCH
		? "UID SEARCH RETURN (ALL) UID "
		: "UID SEARCH UID ");
	wire_cmd_u64(&s->cmd, lo);
	wire_cmd_raw(&s->cmd, ":");
	/* "*" is the last message, and no UID at all in UIDONLY mode. */
	if (hi == UINT32_MAX && !(s->caps & IMAP_CAP_UIDONLY))
		wire_cmd_raw(&s->cmd, "*");
	else
		wire_cmd_u64(&s->cmd, hi);
	wire_cmd_raw(&s->cmd, key);
	return imap_send(s, e);
}

/* Its answer; the UIDs are added to SET.  *said: unless there is none. */
static int
take_search(struct imap *s, struct uidset *set, bool *said, struct err *e)
{
	bool any = false;

	for (;;) {
		int rc = imap_next(s, e);

		if (rc == IMAP_GOT_STREAM) {
			rc = imap_stream_drop(s, e);
		} else if (rc == 0 && s->resp.type == RESP_SEARCH) {
			uidset_add_set(set, &s->resp.set);
			any = true;
		}
		if (rc < 0)
			return rc;
		*said &= any || imap_tag_number(s) != s->tag;
		if (imap_tag_number(s) == s->tag)
			return imap_check_ok(s, ERR_SCOPE_BOX, e,
			    "UID SEARCH");
	}
}

static int
search(struct imap *s, uint32_t lo, uint32_t hi, const char *key,
    struct uidset *set, bool *said_r, struct err *e)
{
	*said_r = true;
	uidset_clear(set);
	for (;;) {
		uint32_t low;
		int rc = imap_send_search(s, lo, hi, key, e);

		if (rc == 0)
			rc = take_search(s, set, said_r, e);
		if (rc < 0)
			return rc;
		low = imap_limited(s);
		if (low == 0 || low <= lo)
			break;
		if (low > hi)
			return err_set(e, ERR_PROTO, ERR_SCOPE_BOX,
			    ERR_RETRY_LATER,
			    "UID SEARCH: the server does not get on below "
			    "UID %u",
			    low);
		hi = low - 1;
	}
	/* "100:*" names the last message also where that one is below. */
	if (lo > 1)
		uidset_remove_range(set, 1, lo - 1);
	return 0;
}

int
imap_search_range(struct imap *s, uint32_t lo, uint32_t hi,
    struct uidset *set, bool *said_r, struct err *e)
{
	return search(s, lo, hi, "", set, said_r, e);
}

int
imap_search_deleted(struct imap *s, struct uidset *set, struct err *e)
{
	bool said;

	return search(s, 1, UINT32_MAX, " DELETED", set, &said, e);
}

/* Rule 2. */
bool
imap_found_all(const struct imap *s, const struct uidset *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct uidrange *r = &set->v[i];

		if (s->uidnext == 0 || r->hi < s->uidnext)
			n += (uint64_t)r->hi - r->lo + 1;
		else if (r->lo < s->uidnext)
			n += s->uidnext - r->lo;
	}
	return n + s->expunged >= s->due;
}

int
imap_search_uids(struct imap *s, struct uidset *set, struct err *e)
{
	uint64_t due = s->exists + s->expunged;
	uint64_t n;
	bool said;
	int rc;

	/* Also where EXISTS is 0: that is what may have to be settled. */
	rc = imap_search_range(s, 1, UINT32_MAX, set, &said, e);
	if (rc < 0)
		return rc;
	n = uidset_count(set);
	if (n + s->expunged < due || !imap_found_all(s, set))
		return err_set(e, ERR_PROTO, ERR_SCOPE_BOX, ERR_RETRY_LATER,
		    "UID SEARCH: %llu messages, of %u that the server counts",
		    (unsigned long long)n, s->exists);
	return 0;
}
