#include "sync/internal.h"

static void
send_event(struct run *r, struct sync_event *ev, const struct sbox *b)
{
	if (!r->o->sink)
		return;
	ev->account = r->a->name;
	if (b)
		ev->mailbox = b->j.name;
	r->o->sink->event(r->o->sink, ev);
}

/* TAIL: of the text, what is known of OP beside the plan. */
static void
send_op(struct run *r, const struct sbox *b, const struct op *op,
    const char *tail)
{
	struct buf text;
	struct sync_event ev = {
	    .kind = r->o->dry_run ? SYNC_EVENT_PLAN : SYNC_EVENT_OP,
	    .op = plan_kind_word(op->kind),
	    .case_number = (int)op->why,
	    .uid = op->uid ? op->uid : op->old_uid,
	    .file = op->file,
	};

	if (op_is_transfer(op)) {
		ev.from = r->box[op->from].j.name;
		ev.from_uid = op->from_uid;
	}
	if (!r->o->dry_run) {
		switch (op->kind) {
		case OP_PULL:
			r->rep->pulled++;
			break;
		case OP_PUSH:
			r->rep->pushed++;
			break;
		case OP_ADOPT:
			r->rep->adopted++;
			break;
		case OP_LFLAGS:
		case OP_RFLAGS:
			r->rep->flags++;
			break;
		case OP_LDELETE:
			r->rep->deleted_local++;
			break;
		case OP_RDELETE:
			r->rep->deleted_remote++;
			break;
		case OP_LMOVE:
		case OP_RMOVE:
			r->rep->moved++;
			break;
		case OP_LCOPY:
		case OP_RCOPY:
			r->rep->copied++;
			break;
		case OP_RECORD:
		case OP_FORGET:
		case OP_KEEP:
		case OP_SKIP:
		case OP_LATER:
		case OP_WAIT:
			break;
		}
	}
	buf_init(&text, 8192);
	plan_print_op(op, b->j.name, r->box[op->from].j.name, r->kw, &text);
	buf_add_str(&text, tail);
	ev.text = buf_cstr(&text);
	send_event(r, &ev, b);
	buf_release(&text);
}

void
report_op(struct run *r, const struct sbox *b, const struct op *op)
{
	send_op(r, b, op, "");
}

void
report_delete_there(
    struct run *r, const struct sbox *b, const struct op *op, bool to_trash)
{
	send_op(r, b, op, to_trash ? ", to the trash" : "");
}

void
report_plan(struct run *r)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct op *op = &r->plan.op[i];
		const struct sbox *b = &r->box[op->box];

		if (op->held)
			continue;
		if (op->kind == OP_RDELETE)
			report_delete_there(r, b, op, trash_takes(r, b, op));
		else
			report_op(r, b, op);
	}
	for (size_t i = 0; i < r->nbox; i++)
		tree_tell_deleted(r, &r->box[i]);
}

void
report_box(struct run *r, const struct sbox *b, const char *op, int case_number,
    const char *text)
{
	struct sync_event ev = {
	    .kind = r->o->dry_run ? SYNC_EVENT_PLAN : SYNC_EVENT_OP,
	    .op = op,
	    .case_number = case_number,
	    .text = text,
	};

	send_event(r, &ev, b);
}

/* A pass may fail at what the pass before it failed at. */
static bool
told_already(struct run *r, const struct sbox *b, uint32_t uid,
    struct span file, const char *text)
{
	const char *key = arena_printf(&r->mem, "%.*s\n%u %.*s\n%s",
	    SPAN_ARG(b ? b->j.name : SPAN("")), uid, SPAN_ARG(file), text);

	return !map_add(&r->told, span_str(key), 1);
}

void
report_failed(struct run *r, const struct sbox *b, uint32_t uid,
    struct span file, const char *text)
{
	struct sync_event ev = {
	    .kind = SYNC_EVENT_FAILED,
	    .op = "",
	    .uid = uid,
	    .file = file,
	    .text = text,
	};

	if (told_already(r, b, uid, file, text))
		return;
	r->rep->failed++;
	send_event(r, &ev, b);
}

void
report_left_until(struct run *r, const struct sbox *b, const char *text)
{
	struct sync_event ev = {
	    .kind = SYNC_EVENT_LEFT,
	    .op = "",
	    .text = text,
	};

	r->rep->left++;
	send_event(r, &ev, b);
}

void
report_left(struct run *r, const struct sbox *b, const char *what)
{
	char *text = xasprintf("%s; the next run takes it up", what);

	report_left_until(r, b, text);
	xfree(text);
}

/*
 * Where nothing says why, it is told as such; unless something else was told,
 * which it may wait for, or the command line left out what it waits for.
 */
void
report_undone(struct run *r)
{
	const struct sync_report *rep = r->rep;
	bool told = rep->failed > 0 || rep->waiting > 0 || rep->held > 0 ||
		    rep->unsettled;

	for (size_t i = 0; i < r->nbox; i++)
		told |= r->box[i].left_out;
	for (size_t i = 0; i < r->nbox; i++) {
		const struct sbox *b = &r->box[i];

		if (b->failed || b->gone || !b->undone)
			continue;
		if (b->left)
			report_left(r, b, b->left);
		else if (!told)
			report_left(r, b, "not all of it could be done");
	}
}

static void
send_held(struct run *r, const struct sbox *b, struct held n, const char *why,
    const char *advice)
{
	uint64_t all = n.here + n.there;
	char *text = xasprintf("%llu delete%s%s held back: %s%s",
	    (unsigned long long)all, all == 1 ? "" : "s",
	    n.here == 0	   ? " on the server"
		: n.there == 0 ? " here"
			       : " on both sides",
	    why, advice);
	struct sync_event ev = {
	    .kind = SYNC_EVENT_HELD,
	    .op = "",
	    .total = all,
	    .text = text,
	};

	r->rep->held += all;
	send_event(r, &ev, b);
	xfree(text);
}

/* What the next run does not take for a delete any more, and why. */
static const char *
way_back(const struct run *r, struct held n)
{
	bool both = r->a->direction == CONFIG_BOTH;

	if (n.here > 0 && n.there > 0)
		return "put the messages back on both sides";
	if (n.there > 0)
		return both ? "put the files back, or remove the account's "
			      "journal, and all is fetched again"
			    : "put the files back";
	return both ? "put the messages back on the server, or remove the "
		      "account's journal, and what is only here goes up again"
		    : "put the messages back on the server";
}

void
report_held(struct run *r, const struct sbox *b, struct held n, const char *why,
    bool says_way_back)
{
	struct buf advice;

	buf_init(&advice, 65536);
	buf_addf(&advice, "; if the deletes are meant, run %s sync "
	    "--allow-deletes ", r->o->called ? r->o->called : "mochila");
	if (b)
		buf_add_shell(&advice, span_str(arena_printf(&r->mem, "%s:%.*s",
		    r->a->name, SPAN_ARG(b->j.name))));
	else
		buf_add_shell(&advice, span_str(r->a->name));
	if (!says_way_back)
		buf_addf(&advice, "; if not, %s", way_back(r, n));
	send_held(r, b, n, why, buf_cstr(&advice));
	buf_release(&advice);
}

void
report_held_always(
    struct run *r, const struct sbox *b, struct held n, const char *why)
{
	send_held(r, b, n, why, "");
}

void
report_progress(
    struct run *r, const struct sbox *b, uint64_t done, uint64_t total)
{
	struct sync_event ev = {
	    .kind = SYNC_EVENT_PROGRESS,
	    .op = "",
	    .done = done,
	    .total = total,
	    .text = "",
	};
	struct stream_stats st;

	if (b->slice.on && total <= b->slice.all - b->slice.left) {
		ev.done += b->slice.all - b->slice.left - total;
		ev.total = b->slice.all;
	}
	if (r->imap) {
		st = imap_stats(r->imap);
		ev.bytes = st.bytes_in + st.bytes_out;
	}
	send_event(r, &ev, b);
}

int
report_contain(struct run *r, struct sbox *b, struct err *e)
{
	if (e->scope > ERR_SCOPE_BOX)
		return e->code;
	b->failed = true;
	report_failed(r, b, 0, SPAN_NONE, e->text);
	/* else the run would report it as its own once more */
	err_clear(e);
	return 0;
}

int
report_refused(struct run *r, struct sbox *b, struct err *e)
{
	if (e->code != ERR_NO && e->code != ERR_BAD)
		return report_contain(r, b, e);
	if (report_contain(r, b, e) != 0)
		return e->code;
	b->refused = true;
	b->failed = false;
	return 0;
}

int
report_contain_many(
    struct run *r, struct sbox *const *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct err each = *e;

		v[i]->undone = true;
		if (e->scope <= ERR_SCOPE_BOX)
			(void)report_contain(r, v[i], &each);
	}
	if (e->scope > ERR_SCOPE_BOX)
		return e->code;
	err_clear(e);
	return 0;
}
