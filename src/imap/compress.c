/*
 * compress: COMPRESS=DEFLATE (RFC 4978), once it pays.
 *
 * Rules of this file:
 *  1. The command goes out alone: nothing is under way before it, and nothing
 *     follows until it is answered (§3).  So it costs a round trip, and a run
 *     with little to do does without.
 *  2. Never before the login: no password is ever packed (net/deflate.c says
 *     why that matters).
 *  3. A server that refuses is not asked again, and loses nothing.
 */
#include "imap/internal.h"

/*
 * While TCP's window grows (ten segments at first, RFC 6928, and twice as much
 * with each round trip) so many octets take five round trips, and half of them
 * take four: that is where the one that we spend has come back, on a line of
 * whatever speed.  On a slow line it comes back earlier.  Mail becomes half as
 * long or less; attachments in base64 lose a quarter.
 */
#define PAYS_FROM (256u << 10)

int
imap_expect(struct imap *s, uint64_t octets, struct err *e)
{
	bool quiet = uidset_count(&s->answered) == s->tag;
	int rc;

	s->expected += octets < PAYS_FROM ? octets : PAYS_FROM;
	if (s->expected < PAYS_FROM || s->broken || !quiet || !s->logged_in ||
	    !(s->caps & IMAP_CAP_COMPRESS) || !stream_may_compress(s->st))
		return 0;
	s->caps &= ~(uint32_t)IMAP_CAP_COMPRESS;
	s->dropped |= IMAP_CAP_COMPRESS;
	imap_begin(s, "COMPRESS DEFLATE");
	rc = imap_run(s, ERR_SCOPE_CONN, "COMPRESS", e);
	if (rc == ERR_NO || rc == ERR_BAD) {
		err_clear(e);
		return 0;
	}
	if (rc == ERR_NET)
		return err_wrap(e, "at COMPRESS (if that happens each time, "
				   "set compress: off)");
	if (rc < 0)
		return rc;
	if (stream_compress(s->st, e) < 0)
		return imap_break(s, e);
	imap_trace_note(s, '*', "compressed from here on");
	return 0;
}
