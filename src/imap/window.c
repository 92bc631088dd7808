#include "imap/internal.h"

void
imap_window_open(struct imap_window *w, struct imap *s,
    const struct uidset *set, unsigned size)
{
	*w = (struct imap_window){.s = s, .set = set, .size = size,
	    .room = IMAP_SET_OCTETS, .more = true};
	buf_init(&w->line, IMAP_SET_OCTETS + 64);
}

bool
imap_window_next(struct imap_window *w, struct uidset *uids)
{
	buf_clear(&w->line);
	if (w->s->broken)
		return false;
	if (w->more && w->out < w->size)
		w->more = uidset_slice(w->set, &w->pos, w->room,
		    w->s->message_limit, &w->line, uids);
	return w->line.n > 0 || w->out > 0;
}

void
imap_window_did(struct imap_window *w, int rc, const struct err *e)
{
	if (rc == 0)
		return;
	w->more = false;
	if (w->first.code == 0)
		w->first = *e;
}

int
imap_window_close(struct imap_window *w, struct err *e)
{
	buf_release(&w->line);
	if (w->first.code == 0)
		return 0;
	if (!w->s->broken)
		*e = w->first;
	return e->code;
}
