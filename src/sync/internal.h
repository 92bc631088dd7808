/*
 * internal: what the files of sync/ share.
 *
 * One run of one account, in one thread:
 *
 *	run.c      sync_account: lock, open, passes, close
 *	late.c     what the server may still be storing
 *	whose.c    is the journal that of this configuration
 *	tree.c     which mailboxes there are to be, and what comes of each
 *	lists.c    the three lists of them
 *	patterns.c which of them the configuration has
 *	rename.c   those that got another name
 *	create.c   those that are new
 *	gone.c     those that one side has deleted
 *	survey.c   the first questions to the server about all of them
 *	observe.c  what changed on each side of one mailbox
 *	local.c    of that, the Maildir's side
 *	slice.c    of very many new messages there a part at a time
 *	sizes.c    sizes of new messages, and one that the server cannot tell
 *	delta.c    whether to believe what the server says of changes
 *	adopt.c    which new messages of both sides are the same
 *	compare.c  octets of the server's, held against files
 *	moves.c    which new messages are in another mailbox already
 *	identify.c octets of those, held against files
 *	putoff.c   what waits: what could not be read, and others at work
 *	renumber.c what else waits where a mailbox has new numbers
 *	brake.c    which deletes are held back
 *	apply.c    carry out a plan: rows, flags here, deletes
 *	flags.c    flags on the server
 *	trash.c    deletes that go to the trash
 *	transfer.c copies and moves between mailboxes
 *	pull.c     messages down, of all mailboxes in one stream
 *	batch.c    what has come: durable, and recorded
 *	committer.c  a thread that waits for the disk
 *	push.c     messages up
 *	sent.c     those of which nobody knows as what they went up
 *	record.c   what is agreed now, into the journal
 *	holds.c    what is not carried over, and why
 *	left.c     what the configuration left undone, and does not any more
 *	report.c   events and counters
 *
 * Beside it:
 *
 *	explain.c  what is known of one message, and would be done with it
 *	undo.c     what went to the bin: put back, or thrown away in the end
 *	verify.c   the journal, held against the Maildir and the server
 *
 * Invariants:
 *  1. A row is put into the journal only after its effects on both sides are
 *     durable; a message whose ops did not all succeed keeps its old row (or
 *     none), and the next observation decides again.  What others did here is
 *     made durable, too, before a row has it: they may not have done so, and a
 *     power cut that takes back a file or a name would look like a person who
 *     removes the message or its flag.
 *  2. The cursor recorded is the HIGHESTMODSEQ of the SELECT that began the
 *     observation, and only when every effect of that observation is done or
 *     on hold.  Changes that we make ourselves lie beyond it; the pass that
 *     follows sees them, finds them equal to the rows, and moves the cursor
 *     on.
 *  3. A directory stamp is recorded only for a scan whose every difference is
 *     done; a stamp is taken only once the clock has left its tick.  What we
 *     change ourselves after a scan (or after stamp and journal agreed) needs
 *     none where nobody else was seen to change anything, and every change of
 *     ours is in the rows.  Beside it stand the letters that the scan saw
 *     without a meaning (local.c).
 *  4. Deletes come last, after everything that brings messages to a side has
 *     been recorded for all mailboxes.  A move is no delete: its row goes from
 *     one mailbox to the other in one transaction.
 *  5. A delete, and what else takes something away, also waits until all that
 *     is new on the server has been looked at (slice.c).
 *  6. What is not here is gone only if no mailbox has changed here since it was
 *     looked at (putoff.c): a message that was moved meanwhile is in one that
 *     was looked at before that.
 *  7. What finds nothing to do writes nothing.
 *  8. What the configuration leaves out is done, as to marks; so they go when
 *     it does not leave it out any more (left_judge).
 */
#ifndef SYNC_INTERNAL_H
#define SYNC_INTERNAL_H

#include "sync/state.h"

/* run.c: lock (unless dry), journal, Maildir, connection. */
int run_open(struct run *r, bool remote, struct err *e);
/* Mailboxes are opened with EXAMINE. */
bool run_is_reader(const struct run *r);
/* What is marked as deleted on both sides goes (case 19). */
bool run_takes_marked(const struct run *r);
void run_close(struct run *r); /* copes with half-open */
/* max_age: INTERNALDATE before which nothing is pulled; 0: no such limit */
int64_t run_not_before(const struct run *r);

/* brake.c */
/* For people. */
const char *brake_words(enum brake why);
/* What deletes are measured by, as this run has left it by now. */
int brake_measure(struct run *r, struct plan_policy *policy, struct err *e);
void brake_judge(struct run *r, const struct plan_policy *policy);
void brake_report(struct run *r);
/*
 * What is held, on which side, goes into the records of the mailboxes, once,
 * and before anything else is done: no later pass or run lets it go of itself.
 * record_mark() takes it off when none are left.
 */
int brake_note(struct run *r, struct err *e);
/* The same of B, whose own deletion is held: SIDES are JBOX_HELD_*; */
int brake_note_box(
    struct run *r, struct sbox *b, uint32_t sides, struct err *e);
/* and of all mailboxes, V: none is here any more. */
int brake_note_all(struct run *r, struct jbox *v, size_t n, struct err *e);

/* tree.c, gone.c */
int tree_prepare(struct run *r, struct err *e);
int tree_finish_deleted(struct run *r, struct sbox *b, struct err *e);
/* In a dry run: would it be deleted, as far as can be told from the plan? */
void tree_tell_deleted(struct run *r, const struct sbox *b);
/* Before B is made where it is gone; ERR_CONFIG, scope BOX: it is displaced. */
int tree_may_make(const struct sbox *b, struct err *e);

/*
 * survey.c: before the mailboxes of a pass are observed.  Their answers stay
 * until survey_end().
 */
int survey_boxes(struct run *r, struct err *e);
void survey_end(struct run *r);
/*
 * What was asked ahead, into b->r, as if it were asked now.  False: it was not,
 * or is of no use.
 */
bool survey_opened(struct sbox *b);
bool survey_listed(struct sbox *b, bool with_size);
bool survey_searched(struct sbox *b, struct uidset *there);
bool survey_changed(struct run *r, struct sbox *b);
/* Sizes and dates of those of FRESH, which loses them. */
void survey_fresh(struct run *r, struct sbox *b, struct uidset *fresh);

/* observe.c */
int observe_box(struct run *r, struct sbox *b, struct err *e);
/* E ended the connection when B was to be opened. */
void observe_ended(struct run *r, struct sbox *b, struct err *e);
/* What the session has selected now; WIRE "": nothing. */
void observe_selected(
    struct run *r, struct span wire, const struct imap_selected *sel);
/* SELECT (or EXAMINE) unless it is selected already, to go on asking; ERR_STALE
 * as below. */
int observe_reopen(struct run *r, struct sbox *b, struct err *e);
/* The same, to change something; ERR_STALE, scope BOX, when UIDVALIDITY is not
 * what was observed. */
int observe_reselect(struct run *r, struct sbox *b, struct err *e);
/* The same, to take messages out of it; MOVES: by MOVE, where there is that.
 * ERR_NO, scope BOX, where a server would say OK and let them stay. */
int observe_to_delete(struct run *r, struct sbox *b, bool moves, struct err *e);
/*
 * Between files, which may take long, while no command is under way: the
 * session is kept, unless the run is cancelled.
 */
int observe_keep(struct run *r, struct err *e);
/* B (NULL: none) will be opened next, once what is now asked for is answered:
 * see imap_select_next(). */
void observe_next(struct run *r, const struct sbox *b);
/* Those of SET that the selected mailbox still has stay in it. */
int observe_there(struct run *r, struct uidset *set, struct err *e);

/* local.c: the files of B, which takes no part, that no row knows: only l */
int local_unknown(struct run *r, struct sbox *b, struct err *e);
/* l, stamp, letters; without the files of rows that are as they say */
int local_observe(struct run *r, struct sbox *b, struct err *e);
/* A mailbox whose directories did not change: has a letter got its meaning? */
bool local_named(struct run *r, const struct sbox *b);
/* The directory of B, if it was deleted here: something comes into it. */
int local_make(struct run *r, struct sbox *b, struct err *e);
/* Once the rows are at hand: their files, too. */
int local_fill(struct run *r, struct sbox *b, struct err *e);
/* Before a letter gets a meaning: all that files show without one. */
int local_letters(struct run *r, struct sbox *b, struct err *e);
/* dovecot-keywords, if it was lost, as the journal has it. */
int local_mend_letters(struct run *r, struct sbox *b, struct err *e);
/*
 * Compare files with their rows: with --full each, else where the message is
 * gone there, where the name leaves it open which file it is, and where an
 * edited one is on its way (holds_put_edited).
 */
int local_recheck(struct run *r, struct sbox *b, struct err *e);
/* The same of B, whose directories did not change: are they to be read? */
bool local_was_edited(struct run *r, const struct sbox *b);
/* ERR_STALE: FILE of B is gone, or it is not what ROW says. */
int local_still(struct run *r, const struct sbox *b, struct span file,
    const struct pair *row, struct err *e);
/* Before a pass writes into directories: who else does? */
void local_watch(struct run *r);
/* B's part of the pass is done and recorded; *stamp_r: nobody else was there,
 * and this is what it left. */
bool local_untouched(
    struct run *r, struct sbox *b, struct maildir_stamp *stamp_r);
/* What a killed run of ours left in tmp/; we hold the lock. */
int local_clean(struct run *r, struct sbox *b, struct err *e);

/*
 * slice.c: instead of observe_box() while b->slice.on.
 */
int slice_observe(struct run *r, struct sbox *b, struct err *e);
/* For rview.most. */
size_t slice_most(const struct run *r);
/* After a delta that is believed: r.more has only UIDs without a row then. */
int slice_more(struct run *r, struct sbox *b, struct err *e);
/*
 * Where nothing, or no delta that adds up, tells what is new: if that is much,
 * find it.  *ok_r: the view has what there is to know of rows, and UIDs of what
 * is new in r.more; else all is to be listed.  DELTA: a delta was asked for.
 */
int slice_search(
    struct run *r, struct sbox *b, bool delta, bool *ok_r, struct err *e);
/* FRESH, of which nothing is known but the UID, and r.more: those that this
 * pass looks at stay in it. */
void slice_cut(struct run *r, struct sbox *b, struct uidset *fresh);
/* FETCH answers that came for others than rows at hand and ASKED. */
void slice_drop_strays(struct sbox *b, const struct uidset *asked);
/* What has to wait for later slices leaves the plan; sets r->slicing. */
void slice_defer(struct run *r);
/* The cursor, when the pass is over and slices are left. */
void slice_mark(struct sbox *b);
/* At the end of a pass: is there a next slice of B? */
bool slice_next(struct run *r, struct sbox *b);
void slice_release(struct sbox *b);

/*
 * sizes.c: sizes and dates of SET, which B has, into VIEW; nothing is asked for
 * an empty one.
 */
int sizes_fetch(struct run *r, struct sbox *b, const struct uidset *set,
    struct rview *view, struct err *e);
/* All that B has, which is selected, into r; sizes and dates, if WITH_SIZE. */
int sizes_fetch_all(
    struct run *r, struct sbox *b, bool with_size, struct err *e);
/* Are there some that are not to be asked for along with others? */
bool sizes_apart(const struct sbox *b);
/* Where there are: of all but these, in r, which is listed without sizes. */
int sizes_listed(struct run *r, struct sbox *b, struct err *e);
/* E ended the connection when the size of UID (0: none) was to come. */
void sizes_ended(
    struct run *r, struct sbox *b, uint32_t uid, struct err *e);

/* delta.c: after a SELECT with a cursor; !*ok_r: list all instead. */
int delta_judge(struct run *r, struct sbox *b, bool *ok_r, struct err *e);
/* Does the server agree, when asked again, that what vanished is gone? */
int delta_confirm(struct run *r, struct sbox *b, bool *ok_r, struct err *e);

/* Refusals and nonsense that concern one question: the next one may do. */
bool delta_no_answer(int rc, const struct err *e);

/* adopt.c */
/* May a file of B that is kept (case 28) be new on the server again? */
bool adopt_wants_kept(const struct sbox *b);
int adopt_box(struct run *r, struct sbox *b, struct err *e);

/* moves.c: plan_moves(), once the plan has what all mailboxes gave */
int moves_find(struct run *r, struct err *e);

/* putoff.c: M, a new file, is not in the plan; AGAIN: the next pass tries; */
void putoff_note_unread(struct run *r, const struct lmsg *m, bool again);
/* what is new here, and may be in a mailbox there that was not looked at, or
 * have left one of these, which have rows of the digests UNSEEN, once the moves
 * are known; */
void putoff_unseen(struct run *r, const struct map *unseen);
/* what may be a file that was noted, then; */
void putoff_unread(struct run *r);
/* what is gone here while others are at work in the Maildir; */
void putoff_gone(struct run *r);
/* what is gone there, and was changed here, while others move mail there; */
int putoff_gone_there(struct run *r, struct err *e);
/* with direction: pull, what may be in a mailbox that was not looked at here; */
void putoff_unlooked(struct run *r);
/* moves into mailboxes that the server has not got any more; */
void putoff_into_missing(struct run *r);
/* those UIDs of mailbox number BOX, to be pulled, that are there; */
int putoff_untold(
    struct run *r, uint32_t box, struct uidset *untold, struct err *e);
/* PULL may be a file of mailbox number BOX that has another name by now; */
void putoff_unsampled(struct run *r, struct op *pull, uint32_t box);
/*
 * what may be a message of SIZE octets: until the next pass (AGAIN) or run.  A
 * mailbox that is numbered anew loses its rows, and with them what tells that a
 * file of it is no new one: it takes no part at all;
 */
void putoff_like(struct run *r, uint64_t size, bool again);
/* what may be a message at which the connection ended as it was compared; */
void putoff_suspects(struct run *r);
/* OP. */
void putoff_op(struct run *r, struct op *op);

/*
 * renumber.c: what would go up again waits, for what waits on the server and
 * may be it;
 */
int renumber_held(struct run *r, struct err *e);
/* for mailboxes that are not looked at; */
void renumber_unseen(struct run *r);
/* and what may be of a mailbox that takes no part for such a reason waits. */
int renumber_cut_off(struct run *r, struct err *e);

/*
 * transfer.c: between mailboxes; after apply_rows() of all of them, but for
 * files that are to be moved before that.
 */
int transfer_early(struct run *r, struct err *e);
int apply_transfers(struct run *r, struct err *e);
/*
 * The Message-ID of FILE in B, in the pass's arena; "" when there is none, or
 * when it cannot be read: then an error is returned.
 */
int transfer_message_id(struct run *r, const struct sbox *b, struct span file,
    struct span *id_r, struct err *e);
/* OP is not done: both of its mailboxes are looked at again. */
void transfer_undone(struct run *r, const struct op *op);

/* letters.c */
/*
 * Give each keyword of F a letter where one is free; saves the table.
 * ERR_STALE, scope MSG: another program named letters meanwhile, look again.
 */
int letters_give(struct run *r, struct sbox *b, struct flags f, struct err *e);
/* LFLAGS; what the name has no room for is reported, and not recorded. */
int letters_set(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op, struct err *e);

/* apply.c: rows and flags */
int apply_rows(struct run *r, struct err *e);
/* Tells the session what the bodies will come to, so that it may compress. */
int apply_expect(struct run *r, struct err *e);
int apply_deletes(struct run *r, struct sbox *b, struct err *e);

/*
 * An op of round 1 is done, or not; the last one records the row and ends the
 * holds of its message.
 */
void apply_done(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op);
/* The same, where there is nothing to show for it. */
void apply_silent(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op);
void apply_undone(struct run *r, struct sbox *b, const struct op *op);
/*
 * The row UID of B stays, if there is one, and has no file any more: what it is
 * of is to go on the server.  False: there is none.
 */
bool apply_lose_file(
    struct sbox *b, struct journal_batch *batch, uint32_t uid);
/*
 * Case 20: the new content is there, and OP's file is that message's alone.
 * Only a row without a file lets the old message go.
 */
void apply_replaced(
    struct sbox *b, struct journal_batch *batch, const struct op *op);

/* The mailbox behind B that has an op of KIND next; NULL: none has. */
const struct sbox *apply_next(
    const struct run *r, const struct sbox *b, enum op_kind kind);

/* STATE/bin/RUN into r->bin_fd, made when the first thing goes there. */
int apply_open_bin(struct run *r, struct err *e);

/* The ops of one kind in B's round 1, as an array in the pass's arena. */
size_t apply_ops(struct run *r, const struct sbox *b, enum op_kind kind,
    struct op ***v_r);

/* flags.c: N ops RFLAGS */
int flags_there(struct run *r, struct sbox *b, struct journal_batch *batch,
    struct op **v, size_t n, struct err *e);
/*
 * The flags F of a row without the keywords among those that were SENT: a
 * server may take a keyword and keep it not.  Only what it shows, to the next
 * pass, can be missed there later.
 */
struct flags flags_unproven(struct run *r, struct flags f, struct flags sent);
/*
 * Of the flags that were SENT with a message to B, those that the row may say
 * it has there: a server drops without a word what it does not keep.
 */
struct flags flags_appended(
    struct run *r, const struct sbox *b, struct flags sent);

/* trash.c: does RDELETE op go to the trash instead of being expunged? */
bool trash_takes(struct run *r, const struct sbox *b, const struct op *op);
/*
 * SET of the selected mailbox into the trash; what did not go there is taken
 * out of SET.  Only a server that tells what became of a COPY, or that can
 * MOVE, is asked: else each run would put another copy there.
 */
int trash_move(
    struct run *r, struct uidset *set, struct rview *back, struct err *e);

/* undo.c: runs older than bin_days go for good. */
int bin_expire(const struct config_account *a, int64_t now,
    const struct cancel *cancel, uint32_t *n_r, struct err *e);

/* pull.c: of all mailboxes that were observed */
int pull_all(struct run *r, struct err *e);

/*
 * batch.c: messages that have come, of any mailboxes.  Rows of many make one
 * transaction, files of many become durable at once.  One that fails for a
 * mailbox is reported, that mailbox fails, and the others go on.
 */
struct batch;
struct batch *batch_new(struct run *r);
/* D, which is finished, is the batch's from here on. */
void batch_add(struct batch *x, struct sbox *b, struct op *op,
    struct maildir_delivery *d, const struct content *c, int64_t idate);
bool batch_is_full(const struct batch *x);
/* It is full: it becomes durable while more comes.  Recorded: later. */
int batch_step(struct batch *x, struct err *e);
/* All of it durable, under its names, and recorded. */
int batch_end(struct batch *x, struct err *e);
void batch_free(struct batch **x); /* what is in it, too */

/* committer.c: a thread that calls maildir_disks_sync() */
struct committer;
struct committer *committer_new(void);
/* DISKS is the committer's from here on; no other job may be under way. */
void committer_start(struct committer *c, const struct maildir_disks *disks);
/* How the job ended, once; 0 when there was none. */
int committer_wait(struct committer *c, struct err *e);
void committer_free(struct committer **c); /* waits */

/* push.c: of all mailboxes that were observed */
int push_all(struct run *r, struct err *e);

/* record.c */
/* A batch for B: the mailbox has an id afterwards. */
struct journal_batch *record_begin(struct run *r, struct sbox *b);
/* A row of B, to be committed, has FILE, which others wrote. */
void record_theirs(struct run *r, const struct sbox *b, struct span file);
/*
 * Commits what was put, and B's record when it changed, once what others did
 * here is durable; an empty batch writes nothing.  Frees the batch.
 */
int record_commit(
    struct run *r, struct sbox *b, struct journal_batch **batch, struct err *e);
/* A batch of several mailboxes: each joins it, before it is put into. */
void record_join(struct run *r, struct sbox *b, struct journal_batch *batch);
int record_commit_many(struct run *r, struct sbox *const *v, size_t n,
    struct journal_batch **batch, struct err *e);
/* Has B's own record changed since it was committed? */
bool record_differs(const struct sbox *b);
/* Files lose their rows: the next run reads the directory, though nobody will
 * have done anything in it, should this one not get to record_mark(). */
void record_look_again(struct jbox *j);
/* Cursor and stamp into B's record, as far as invariants 2 and 3 allow. */
void record_mark(struct run *r, struct sbox *b);
/* The records of V that changed, in one transaction; V is used up. */
int record_marks(struct run *r, struct sbox **v, size_t n, struct err *e);

/* holds.c */
void holds_put_uid(struct run *r, struct sbox *b, struct journal_batch *batch,
    uint32_t uid, struct span why);
/* E ended the run, maybe the connection, when B was opened: so it is the last
 * to be, next time (next_level). */
void holds_ended_opening(struct run *r, struct sbox *b, const struct err *e);
/* E ended the run, maybe the connection, when UID was to come; 0: none was. */
void holds_ended_at(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e);
/* The same where it was compared: what is as large waits as well (putoff.c). */
void holds_ended_comparing(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e);
/* The same where its size was asked for, which nobody knows. */
void holds_ended_measuring(
    struct run *r, struct sbox *b, uint32_t uid, const struct err *e);
void holds_put_file(struct run *r, struct sbox *b,
    struct journal_batch *batch, struct span base, struct span why);
/* The file of ROW went up; which UID it has there is not known (sent.c). */
void holds_put_sent(struct run *r, struct sbox *b,
    struct journal_batch *batch, const struct pair *row);
/*
 * The file of ROW was sent, and the run ends without an answer.  E: how it
 * ended, if the file may be to blame; else NULL.
 */
void holds_put_unanswered(struct run *r, struct sbox *b,
    struct journal_batch *batch, const struct pair *row, const struct err *e);
/*
 * Case 20: the file with BASE is about to go up, and its row is that of what it
 * was.  As long as this hold is there, it is looked at without --full, too.
 */
void holds_put_edited(struct run *r, struct sbox *b,
    struct journal_batch *batch, struct span base);
/* B's as they are in the journal now. */
int holds_read(struct run *r, struct sbox *b, struct err *e);
/* Noted once: not carried over, by policy (OP_KEEP, OP_SKIP). */
void holds_put_policy(struct run *r, struct sbox *b, struct journal_batch *batch,
    const struct op *op);
/* Is it to be looked at again in this run? */
bool holds_is_due(const struct run *r, const struct jhold *h);
/* The message of a hold is carried over, or gone. */
void holds_drop(struct run *r, struct sbox *b,
    struct journal_batch *batch, const struct jhold *h);
/* Those of what is not there any more, and of what is no edit any more. */
void holds_drop_old(
    struct run *r, struct sbox *b, struct journal_batch *batch);
const struct jhold *holds_find(
    const struct sbox *b, uint32_t uid, struct span base);
bool holds_any(const struct sbox *b, bool (*is_one)(const struct jhold *));
/* Is there a hold of what deletes: keep has left here (case 28)? */
bool holds_has_kept(const struct sbox *b);

/* sent.c */

/* Is there a file of B that went up, or may have, and has no row? */
bool sent_awaits(const struct sbox *b);
/* The UIDs of SET in the selected mailbox, by Message-ID; 0: of several.
 * *without_r: how many have none, or none is told. */
int sent_ids_there(struct run *r, const struct uidset *set,
    struct map *uid_of, uint64_t *without_r, struct err *e);
/* Those of B that this pass has looked for in vain are named, once. */
void sent_tell(struct run *r, struct sbox *b, struct journal_batch *batch);

/* late.c */

/*
 * Before each thing that the server is to store, and as long as its answers
 * come.
 */
void late_sending(struct run *r);
/* ANSWERED: nothing of that is under way any more. */
void late_over(struct run *r, bool answered);
/* Before anything is listed: until it has done what an earlier run sent. */
int late_wait(struct run *r, struct err *e);

/* whose.c */

/* ERR_CONFIG: the journal has its directories in another layout. */
int whose_layout(struct run *r, struct err *e);
/* ERR_CONFIG: it is that of another Maildir, which is still there. */
int whose_maildir(struct run *r, struct err *e);
/* ERR_CONFIG: it is another account's, as its mail on the server shows. */
int whose_account(struct run *r, struct err *e);
/* Without a journal: said when there seem to be mailboxes of another layout. */
void whose_other_layout(struct run *r);

/* left.c */
/*
 * Before the mailboxes are listed: what the marks are worth.  Those that passed
 * over what a direction, deletes: keep or the lack of expunge: yes left out,
 * and the configuration does not any more, are no marks: of that side all is
 * looked at once more.
 */
int left_judge(struct run *r, struct err *e);
/* Mailboxes have the names by now that a direction kept them from. */
void left_names_done(struct run *r, struct journal_batch *batch);
void left_unmark(const struct run *r, struct jbox *j);

/* report.c */
void report_op(struct run *r, const struct sbox *b, const struct op *op);
/* OP_RDELETE. */
void report_delete_there(
    struct run *r, const struct sbox *b, const struct op *op, bool to_trash);
/* Of a dry run: what is not held back, and mailboxes that would go. */
void report_plan(struct run *r);
void report_box(struct run *r, const struct sbox *b, const char *op,
    int case_number, const char *text);
void report_failed(struct run *r, const struct sbox *b, uint32_t uid,
    struct span file, const char *text);
/* WHAT of B is left to the next run; TEXT: until something else is settled. */
void report_left(struct run *r, const struct sbox *b, const char *what);
void report_left_until(struct run *r, const struct sbox *b, const char *text);
/* At the end: what no pass has done, and is left to the next run. */
void report_undone(struct run *r);
/* Deletes in the Maildir, and on the server. */
struct held {
	uint64_t here, there;
};
/*
 * N deletes of B (NULL: of the account) that --allow-deletes would let go.  WHY
 * may say as well what to do when they are not meant.
 */
void report_held(struct run *r, const struct sbox *b, struct held n,
    const char *why, bool says_way_back);
/* N that nothing lets go; WHY says what to do instead. */
void report_held_always(
    struct run *r, const struct sbox *b, struct held n, const char *why);
void report_progress(
    struct run *r, const struct sbox *b, uint64_t done, uint64_t total);
/* A BOX or MSG error of B: reported, B fails, 0.  Wider: returns it. */
int report_contain(struct run *r, struct sbox *b, struct err *e);
/* The server refused to move something: B fails at the end of this pass. */
int report_refused(struct run *r, struct sbox *b, struct err *e);
/* The same of what concerns all of V; their work is undone. */
int report_contain_many(
    struct run *r, struct sbox *const *v, size_t n, struct err *e);

#endif
