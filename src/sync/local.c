/*
 * local: what changed in the directory of one mailbox since the journal.
 *
 * A directory whose times are those of the journal is not read.  One that is
 * read is held against the names of the rows, of which only hashes are kept
 * (mail/nameset.h): so memory follows what changed, and 21 octets a row.
 *
 * Of such a delta (lview.delta) is known:
 *  1. l_gone: rows whose file is not there under its name.  All other rows have
 *     theirs, as it was.
 *  2. l_look: those; rows whose file shows other flags than they say, which is
 *     how a row stands that was moved, or that letters got another meaning;
 *     and rows that have their base in common with a file that is not known,
 *     or with a hold, which ends when its file is gone.
 *     They are at hand, and those that the server's side speaks of.
 *  3. For each row at hand whose file is there, the view has that file
 *     (local_fill).  So what the view lacks is gone, and what no row at hand
 *     has is new, as if the view and the rows were complete.
 *
 * --full wants to look at every file, and gets all of them.  Else a file is
 * looked at whose message is gone on the server: what was written into it since
 * it was agreed on is nowhere else (case 20).
 *
 * Dovecot shows a letter in names first, and says later what it means; no
 * directory changes then.  So the journal has the letters that were seen
 * without a meaning, and where there are any, dovecot-keywords is read in each
 * run.
 *
 * What we write ourselves changes the directory's times, too.  It is not read
 * again for that where it can be told that nobody else changed it meanwhile
 * (maildir/watch.c): then what was seen and what we did is what there is.
 */
#include "sync/internal.h"

#include "base/map.h"

/* Flags that were looked at. */
#define SCRATCH_OCTETS 65536

static bool
looks_at_all(const struct run *r, const struct sbox *b)
{
	return r->o->full || b->look_all;
}

/*
 * As far as size, time and inode tell.  (A Maildir that was copied has other
 * inodes: then the content does, once.)
 */
static bool
is_as_row(struct run *r, const struct lmsg *m, const struct pair *row)
{
	return m->fsize == row->fsize && m->mtime_ns == row->mtime_ns &&
	       (m->ino == row->ino || row->ino == 0 ||
		   !maildir_inodes_stay(r->m));
}

/* Other content in another file: it may be that of another row. */
static bool
is_another(const struct lmsg *m, const struct pair *row)
{
	return m->ino != row->ino && row->ino != 0 &&
	       memcmp(m->content.sha, row->sha, sizeof row->sha) != 0;
}

/* A file whose stat or content must be looked at, though a row names it. */
static int
recheck_file(struct run *r, struct sbox *b, struct lmsg *m,
    const struct pair *row, struct err *e)
{
	int rc = maildir_stat(r->m, b->j.path, m, e);

	if (rc != 0)
		return rc;
	if (is_as_row(r, m, row)) {
		m->content.size = row->size;
		memcpy(m->content.sha, row->sha, sizeof row->sha);
		m->has_content = true;
		return 0;
	}
	return maildir_digest(r->m, b->j.path, m, r->o->cancel, e);
}

/* Its file would go to the bin, or to another mailbox. */
static bool
is_gone_there(const struct sbox *b, const struct pair *row)
{
	return row->file.n > 4 && !b->r.same && !b->r.renumbered &&
	       !b->r.doubt &&
	       (uidset_has(&b->r.vanished, row->uid) ||
		   (b->r.complete && !rview_find(&b->r, row->uid)));
}

/*
 * Files of one base: names do not tell which of them is whose row's, but what
 * is known of them (plan_match).
 */
static int
stat_twins(struct run *r, struct sbox *b, bool *any_r, struct err *e)
{
	struct lview *l = &b->l;
	struct map bases;
	int rc = 0;

	*any_r = false;
	map_init(&bases);
	for (size_t i = 0; i < l->n && b->base.n > 0 && rc == 0; i++) {
		uint64_t first;

		if (map_add(&bases, l->v[i].base, i))
			continue;
		*any_r = true;
		(void)map_get(&bases, l->v[i].base, &first);
		if (!l->v[first].has_stat)
			rc = maildir_stat(r->m, b->j.path, &l->v[first], e);
		if (rc == 0)
			rc = maildir_stat(r->m, b->j.path, &l->v[i], e);
		if (rc == 0 || e->scope > ERR_SCOPE_MSG)
			continue;
		err_clear(e); /* whoever needs it will tell */
		rc = 0;
	}
	map_release(&bases);
	return rc;
}

static bool
is_on_its_way(const struct run *r, const struct jhold *h)
{
	return h && h->uid == 0 &&
	       (h->kind == JHOLD_SUSPECT ||
		   (h->kind == JHOLD_RETRY && holds_is_due(r, h)));
}

/* Some row is to be held against its file; what is kept here needs not. */
static bool
has_rows_to_check(const struct run *r, const struct sbox *b)
{
	size_t i = 0;

	if (looks_at_all(r, b))
		return !b->l.same;
	for (size_t k = 0; k < b->nhold; k++)
		if (is_on_its_way(r, &b->hold[k]))
			return true;
	if (r->a->keep || r->a->direction == CONFIG_PUSH)
		return false;
	while (i < b->base.n && !is_gone_there(b, &b->base.v[i]))
		i++;
	return i < b->base.n;
}

bool
local_was_edited(struct run *r, const struct sbox *b)
{
	struct err e = {0};

	if (!b->l.same || !has_rows_to_check(r, b))
		return false;
	for (size_t i = 0; i < b->base.n; i++) {
		const struct pair *row = &b->base.v[i];
		struct lmsg m = {.file = row->file};

		if (!is_gone_there(b, row))
			continue;
		if (maildir_stat(r->m, b->j.path, &m, &e) == 0 &&
		    !is_as_row(r, &m, row))
			return true;
		err_clear(&e);
	}
	return false;
}

/* ROW: the one that M is taken for, or NULL.  Twins have been looked for. */
static bool
is_to_check(const struct run *r, const struct sbox *b, const struct lmsg *m,
    const struct pair *row)
{
	if (m->has_stat || !row)
		return m->has_stat;
	return looks_at_all(r, b) || is_gone_there(b, row) ||
	       is_on_its_way(r, holds_find(b, 0, m->base));
}

int
local_recheck(struct run *r, struct sbox *b, struct err *e)
{
	const size_t *row_of;
	bool twins;
	int rc;

	if (b->l.same)
		return 0;
	rc = stat_twins(r, b, &twins, e);
	if (rc != 0 || (!twins && !has_rows_to_check(r, b)))
		return rc;
	row_of = plan_row_of(&r->pass, &b->base, &b->l);
	for (size_t i = 0; i < b->l.n && rc == 0; i++) {
		struct lmsg *m = &b->l.v[i];
		const struct pair *row =
		    row_of[i] == SIZE_MAX ? NULL : &b->base.v[row_of[i]];

		if (!is_to_check(r, b, m, row))
			continue;
		/* a twin that is new: else it took the row of an edited one */
		rc = observe_keep(r, e);
		if (rc == 0)
			rc = row ? recheck_file(r, b, m, row, e)
				 : maildir_digest(
				       r->m, b->j.path, m, r->o->cancel, e);
		b->look_all |= rc == 0 && row && is_another(m, row);
		if (rc == 0 || e->scope > ERR_SCOPE_MSG)
			continue;
		/* with its new time in the row, nobody would look again */
		m->has_stat = false;
		b->rescan |= rc == ERR_STALE;
		if (rc != ERR_STALE && row)
			report_failed(r, b, 0, m->file, e->text);
		err_clear(e);
		rc = 0;
	}
	return rc;
}

int
local_still(struct run *r, const struct sbox *b, struct span file,
    const struct pair *row, struct err *e)
{
	struct lmsg m = {.file = file};
	int rc = maildir_stat(r->m, b->j.path, &m, e);

	if (rc == 0 && !is_as_row(r, &m, row))
		rc = err_set(e, ERR_STALE, ERR_SCOPE_MSG, ERR_RETRY_LATER,
		    "'%.*s' is not what it was", SPAN_ARG(file));
	return rc;
}

/* Letters of the mailbox: the file rules; the journal mends what it lost. */
static int
load_letters(struct run *r, struct sbox *b, struct err *e)
{
	bool exists = true;
	int rc;

	memset(&b->letters, 0, sizeof b->letters);
	b->letters_lost = false;
	if (!b->local_missing) {
		rc = maildir_letters_load(
		    r->m, b->j.path, r->kw, &b->letters, &exists, e);
		if (rc != 0)
			return rc;
	}
	for (int i = 0; i < 26; i++) {
		bool taken = b->letters.id[i] != 0;

		for (int k = 0; k < 26 && !taken; k++)
			taken = b->j.letters.id[i] != 0 &&
				b->letters.id[k] == b->j.letters.id[i];
		if (!taken) {
			b->letters.id[i] = b->j.letters.id[i];
			b->letters_lost |= b->j.letters.id[i] != 0;
		}
	}
	b->letters_gone = b->letters_lost && !exists;
	b->j.letters = b->letters;
	return 0;
}

/* Has a letter that files show without a meaning got one in NOW? */
static bool
got_meaning(const struct sbox *b, const struct kwletters *now)
{
	for (int i = 0; i < 26; i++)
		if ((b->j.letters_seen >> i & 1) && now->id[i] != 0)
			return true;
	return false;
}

bool
local_named(struct run *r, const struct sbox *b)
{
	struct kwletters now;
	struct err e = {0};
	bool exists;

	return b->j.letters_seen != 0 &&
	       maildir_letters_load(
		   r->m, b->j.path, r->kw, &now, &exists, &e) == 0 &&
	       got_meaning(b, &now);
}

/* The names of all rows; of some more than that has to be looked at. */
static int
know_rows(struct run *r, struct sbox *b, struct nameset *known, struct err *e)
{
	struct journal_files *w = NULL;
	struct arena mem;
	struct jfile f;
	int rc = journal_files_begin(r->j, b->j.id, &w, e);

	arena_init(&mem);
	while (rc == 0 && (rc = journal_files_next(w, &mem, &f, e)) > 0) {
		struct lmsg m;

		rc = 0;
		if (f.file.n <= 4) {
			uidset_add(&b->l_gone, f.uid);
			continue;
		}
		nameset_add(known, f.file, f.uid);
		m = maildir_named(&mem, f.file, &b->letters, &b->letters_seen);
		if (!flags_eq(m.flags, f.l))
			uidset_add(&b->l_look, f.uid);
		if (mem.used > SCRATCH_OCTETS)
			arena_clear(&mem);
	}
	journal_files_end(&w);
	arena_release(&mem);
	return rc;
}

/* Where nothing changed no file was looked at, but the rows name them all. */
int
local_letters(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_files *w = NULL;
	struct arena mem;
	struct jfile f;
	int rc;

	if (b->letters_known || !b->j.id)
		return 0;
	rc = journal_files_begin(r->j, b->j.id, &w, e);
	arena_init(&mem);
	while (rc == 0 && (rc = journal_files_next(w, &mem, &f, e)) > 0) {
		rc = 0;
		if (f.file.n > 4)
			(void)maildir_named(
			    &mem, f.file, &b->letters, &b->letters_seen);
		if (mem.used > SCRATCH_OCTETS)
			arena_clear(&mem);
	}
	journal_files_end(&w);
	arena_release(&mem);
	b->letters_known = rc == 0;
	return rc;
}

/* Only what is not as the rows say. */
static int
scan_delta(struct run *r, struct sbox *b, struct err *e)
{
	struct nameset known;
	uint32_t letters = 0;
	int rc;

	nameset_init(&known);
	nameset_reserve(&known, b->j.rows);
	rc = know_rows(r, b, &known, e);
	if (rc == 0)
		rc = maildir_scan_rest(r->m, b->j.path, &b->letters, &known,
		    &r->pass, &b->l, &b->stamp, &letters, e);
	b->letters_seen |= letters;
	if (rc == 0 && b->l.delta) {
		nameset_unseen(&known, &b->l_gone);
		uidset_add_set(&b->l_look, &b->l_gone);
		for (size_t i = 0; i < b->l.n; i++)
			nameset_of_base(&known, b->l.v[i].base, &b->l_look);
		for (size_t i = 0; i < b->nhold; i++)
			if (b->hold[i].uid == 0)
				nameset_of_base(
				    &known, b->hold[i].base, &b->l_look);
	}
	nameset_release(&known);
	return rc;
}

int
local_unknown(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	b->l = (struct lview){0};
	if (b->j.id && b->j.rows > 0)
		rc = scan_delta(r, b, e);
	else
		rc = maildir_scan(r->m, b->j.path, &b->letters, &r->pass, &b->l,
		    &b->stamp, &b->letters_seen, e);
	for (size_t i = 0; i < b->l.n && rc == 0; i++)
		if (!b->l.v[i].has_stat &&
		    maildir_stat(r->m, b->j.path, &b->l.v[i], e) != 0)
			err_clear(e); /* of any size, then */
	uidset_release(&b->l_gone);
	uidset_release(&b->l_look);
	if (rc != 0)
		b->l = (struct lview){0};
	return rc;
}

int
local_observe(struct run *r, struct sbox *b, struct err *e)
{
	struct maildir_stamp before = MAILDIR_STAMP_NONE;
	bool named;
	int rc;

	b->l = (struct lview){.same = true};
	uidset_clear(&b->l_gone);
	uidset_clear(&b->l_look);
	rc = load_letters(r, b, e);
	if (rc != 0)
		return rc;
	named = got_meaning(b, &b->letters);
	b->dirty_l |= named;
	b->letters_known = b->dirty_l;
	b->letters_seen = b->dirty_l ? 0 : b->j.letters_seen;
	if (!b->dirty_l)
		return 0;
	if (b->local_missing) {
		/* seen to be gone, by a complete listing of the root */
		b->l = (struct lview){.complete = true};
		return 0;
	}
	b->stamp_coarse = maildir_stamp(r->m, b->j.path, &before, e) != 0 ||
			  !maildir_stamp_settle(&before, r->o->cancel);
	err_clear(e);
	b->l = (struct lview){0};
	if (b->j.id && b->j.rows > 0 && !looks_at_all(r, b))
		rc = scan_delta(r, b, e);
	else
		rc = maildir_scan(r->m, b->j.path, &b->letters, &r->pass, &b->l,
		    &b->stamp, &b->letters_seen, e);
	if (rc != 0)
		return rc;
	if (!b->l.complete && !b->l.damaged)
		b->rescan = true;
	b->seen = b->l.complete && !b->l.damaged ? before : MAILDIR_STAMP_NONE;
	/* whoever changed it need not have made that durable */
	b->undurable |= !b->l.damaged && (b->l.n > 0 || b->l_gone.n > 0);
	b->l.replaced = maildir_is_another(
	    r->m, b->j.path, &b->j.stamp, journal_written_ns(r->j));
	/* What this changes is not done yet, and no directory tells of it. */
	if (named && !b->l.replaced)
		b->j.stamp = MAILDIR_STAMP_NONE;
	return 0;
}

int
local_make(struct run *r, struct sbox *b, struct err *e)
{
	struct journal_batch *batch;
	int rc;

	if (!b->local_missing)
		return 0;
	if (tree_may_make(b, e) != 0)
		return e->code;
	/*
	 * Another directory, which no stranger puts there (BRAKE_REPLACED);
	 * recorded before it is there, as this run may end at any point.
	 */
	b->j.stamp = MAILDIR_STAMP_NONE;
	batch = record_begin(r, b);
	rc = record_commit(r, b, &batch, e);
	if (rc == 0)
		rc = maildir_create(r->m, b->j.path, e);
	if (rc == 0)
		b->local_missing = false;
	return rc;
}

int
local_fill(struct run *r, struct sbox *b, struct err *e)
{
	uint32_t letters = 0;

	if (!b->l.delta)
		return 0;
	for (size_t i = 0; i < b->base.n; i++) {
		const struct pair *row = &b->base.v[i];

		if (row->file.n > 4 && !uidset_has(&b->l_gone, row->uid))
			lview_add(&r->pass, &b->l,
			    maildir_named(
				&r->pass, row->file, &b->letters, &letters));
	}
	return maildir_drop_moved(r->m, b->j.path, &b->l, e);
}

/* What the files of B were when they were looked at; NONE: not known. */
static struct maildir_stamp
seen_stamp(const struct sbox *b)
{
	if (b->l.same)
		return b->j.stamp;
	return b->l.complete && !b->l.damaged && !b->stamp_coarse
		   ? b->stamp
		   : MAILDIR_STAMP_NONE;
}

static void
watch(struct run *r, struct sbox *b)
{
	struct maildir_stamp seen = seen_stamp(b);

	if (b->observed && !b->failed && !b->rescan && !b->local_missing &&
	    !b->remote_missing)
		b->watched = maildir_watch(r->m, b->j.path, &seen);
}

static bool
writes_here(enum op_kind kind)
{
	return kind == OP_PULL || kind == OP_LCOPY || kind == OP_LMOVE ||
	       kind == OP_LFLAGS || kind == OP_LDELETE;
}

void
local_watch(struct run *r)
{
	for (size_t i = 0; i < r->nbox; i++)
		r->box[i].writes_l = r->box[i].watched = r->box[i].reread =
		    false;
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];

		if (op->held || !writes_here(op->kind))
			continue;
		r->box[op->box].writes_l = true;
		if (op->kind == OP_LMOVE)
			r->box[op->from].writes_l = true;
	}
	for (size_t i = 0; i < r->nbox; i++)
		if (r->box[i].writes_l)
			watch(r, &r->box[i]);
}

bool
local_untouched(struct run *r, struct sbox *b, struct maildir_stamp *stamp_r)
{
	return b->watched &&
	       maildir_watched(r->m, b->j.path, r->o->cancel, stamp_r) &&
	       !b->reread;
}

int
local_clean(struct run *r, struct sbox *b, struct err *e)
{
	bool all = true;
	uint32_t n = 0;
	int rc;

	if (r->o->dry_run || b->local_missing)
		return 0;
	rc = maildir_clean_tmp(r->m, b->j.path, &n, &all, e);
	b->littered = !all;
	/* the directories' times may be others now */
	b->rescan |= n > 0 && !b->l.same;
	if (n > 0)
		log_debug(r->o->log, "%s: %.*s: %u unfinished files removed",
		    r->a->name, SPAN_ARG(b->j.name), n);
	return rc;
}

/*
 * Without their table the letters in names mean nothing to other programs, and
 * one of these might give them another meaning.
 */
int
local_mend_letters(struct run *r, struct sbox *b, struct err *e)
{
	int rc;

	if (!b->letters_lost || !(b->letters_gone || r->o->full) ||
	    b->local_missing || b->remote_missing || b->l.damaged ||
	    b->l.replaced || r->a->direction == CONFIG_PUSH)
		return 0;
	rc = maildir_letters_save(r->m, b->j.path, r->kw, &b->letters, e);
	if (rc == 0) {
		b->letters_lost = b->letters_gone = false;
	} else if (e->scope > ERR_SCOPE_BOX) {
		return rc;
	} else if (rc == ERR_STALE) {
		/* somebody else wrote one meanwhile */
		b->rescan = true;
	} else {
		/* what cannot go on without it will fail */
		log_warn(r->o->log, "%s: %.*s: %s", r->a->name,
		    SPAN_ARG(b->j.name), e->text);
	}
	err_clear(e);
	return 0;
}
