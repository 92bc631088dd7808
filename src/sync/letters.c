/*
 * letters: flags here, in the names of files.
 *
 *  1. Keyword letters are on disk before a file name uses them.
 *  2. A row says what the file shows, not what it was to show.
 */
#include "sync/internal.h"

/* Has each keyword of F a letter? */
static bool
shows_all(struct flags f, const struct kwletters *letters)
{
	uint32_t shown = 0;

	for (uint32_t k = 0; k < f.n; k++)
		for (unsigned i = 0; i < 26; i++)
			shown += letters->id[i] == f.kw[k];
	return shown == f.n;
}

static bool
letter_taken(const struct sbox *b, unsigned i)
{
	return b->letters.id[i] != 0 || (b->letters_seen & (1u << i)) != 0;
}

int
letters_give(struct run *r, struct sbox *b, struct flags f, struct err *e)
{
	struct kwletters next = b->letters;
	bool changed = b->letters_lost && f.n > 0;
	int rc = 0;

	if (!shows_all(f, &next))
		rc = local_letters(r, b, e);
	if (rc != 0)
		return rc;
	for (uint32_t k = 0; k < f.n; k++) {
		unsigned slot = 26;

		for (unsigned i = 0; i < 26; i++) {
			if (next.id[i] == f.kw[k]) {
				slot = 26;
				break;
			}
			if (slot == 26 && next.id[i] == 0 &&
			    !letter_taken(b, i))
				slot = i;
		}
		if (slot < 26) {
			next.id[slot] = f.kw[k];
			changed = true;
		}
	}
	if (!changed)
		return 0;
	rc = maildir_letters_save(r->m, b->j.path, r->kw, &next, e);
	if (rc == 0) {
		b->letters = next;
		b->j.letters = next;
		b->letters_lost = false;
	}
	return rc;
}

/* Of WANT what its name does not show, though there are letters for it. */
static struct flags
no_room(struct run *r, const struct sbox *b, struct flags want,
    struct flags shown)
{
	struct flags missing = flags_minus(&r->pass, want, shown);
	struct flags lost = {.sys = missing.sys};

	for (unsigned i = 0; i < 26; i++)
		if (flags_has_kw(missing, b->letters.id[i]))
			lost = flags_with_kw(&r->pass, lost, b->letters.id[i]);
	return lost;
}

/*
 * A name that is too long for all of its letters.  What it does not show is
 * not agreed on, so that each run tells it, until it has a shorter one.
 */
static void
flags_lost(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op, struct flags lost)
{
	struct group *g = &r->group[op->group];
	struct op done = *op;

	report_failed(r, b, op->uid, g->row->file,
	    "the name of this file is too long to show all its flags; give it "
	    "a shorter one");
	b->undone = true;
	g->row->r = flags_minus(&r->pass, g->row->r, lost);
	done.add = flags_minus(&r->pass, op->add, lost);
	if (flags_empty(done.add) && flags_empty(op->del))
		apply_silent(r, b, batch, &done);
	else
		apply_done(r, b, batch, &done);
}

int
letters_set(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op, struct err *e)
{
	struct group *g = &r->group[op->group];
	struct flags shown, lost;
	struct span file;
	int rc;

	rc = letters_give(r, b, g->row->l, e);
	if (rc == 0)
		rc = maildir_set_flags(r->m, &r->pass, b->j.path, op->file,
		    g->row->l, &b->letters, &shown, &file, e);
	if (rc == 0) {
		lost = no_room(r, b, g->row->l, shown);
		g->row->l = shown;
		g->row->file = file;
		if (!span_eq(file, op->file))
			b->wrote_l = b->undurable = true;
		if (flags_empty(lost))
			apply_done(r, b, batch, op);
		else
			flags_lost(r, b, batch, op, lost);
		return 0;
	}
	if (e->scope > ERR_SCOPE_MSG)
		return rc;
	if (rc != ERR_STALE)
		report_failed(r, b, op->uid, op->file, e->text);
	apply_undone(r, b, op);
	err_clear(e);
	return 0;
}
