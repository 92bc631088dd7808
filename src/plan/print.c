#include "plan/plan.h"

const char *
plan_kind_word(enum op_kind kind)
{
	switch (kind) {
	case OP_RECORD:
		return "record";
	case OP_ADOPT:
		return "adopt";
	case OP_FORGET:
		return "forget";
	case OP_PULL:
		return "pull";
	case OP_PUSH:
		return "push";
	case OP_LCOPY:
		return "copy here";
	case OP_RCOPY:
		return "copy on server";
	case OP_LMOVE:
		return "move here";
	case OP_RMOVE:
		return "move on server";
	case OP_KEEP:
		return "keep";
	case OP_SKIP:
		return "skip";
	case OP_LATER:
		return "copy later";
	case OP_LFLAGS:
		return "flags here";
	case OP_RFLAGS:
		return "flags on server";
	case OP_LDELETE:
		return "delete here";
	case OP_RDELETE:
		return "delete on server";
	case OP_WAIT:
		return "wait";
	}
	return "?";
}

const char *
plan_case_words(enum plan_case why)
{
	switch (why) {
	case CASE_SAME:
		return "unchanged, only the name or number is new";
	case CASE_L_FLAGS:
		return "flags changed here";
	case CASE_R_FLAGS:
		return "flags changed on the server";
	case CASE_LR_FLAGS:
		return "flags changed on both sides";
	case CASE_L_GONE:
		return "deleted here";
	case CASE_L_GONE_R_FLAGS:
		return "deleted here, flags changed on the server";
	case CASE_R_GONE:
		return "deleted on the server";
	case CASE_R_GONE_L_FLAGS:
		return "deleted on the server, flags changed here";
	case CASE_LR_GONE:
		return "gone on both sides";
	case CASE_L_NEW:
		return "new here";
	case CASE_R_NEW:
		return "new on the server";
	case CASE_LR_NEW_EQUAL:
		return "the same message on both sides";
	case CASE_L_HOLD:
		return "could not be uploaded, waits";
	case CASE_R_HOLD:
		return "could not be fetched, tried again later";
	case CASE_RENUM_EQUAL:
		return "the server renumbered it";
	case CASE_RENUM_L_ONLY:
		return "the server renumbered the mailbox and lacks it";
	case CASE_RENUM_L_GONE:
		return "the server renumbered the mailbox, gone here";
	case CASE_DOUBT_R_GONE:
		return "the server went back to an older state and lacks it";
	case CASE_EXPUNGE:
		return "marked as deleted on both sides";
	case CASE_L_REPLACED:
		return "other content under the same file name";
	case CASE_L_MOVED:
		return "moved here";
	case CASE_R_MOVED:
		return "moved on the server";
	case CASE_L_COPIED:
		return "copied here";
	case CASE_R_COPIED:
		return "copied on the server";
	case CASE_R_NEW_UID:
		return "the server gave it another UID";
	case CASE_LR_MOVED:
		return "moved on both sides, the server's mailbox counts";
	case CASE_R_TWIN:
		return "the same message is being fetched into another mailbox";
	case CASE_KEPT:
		return "gone on the server, kept here";
	case CASE_SKIPPED:
		return "too large or too old for max_size and max_age";
	}
	return "?";
}

static void
print_flags(const char *sign, struct flags f,
    const struct kwtab *kw, struct buf *out)
{
	if (flags_empty(f))
		return;
	buf_add_str(out, sign);
	flags_format(kw, f, out);
	buf_addc(out, ')');
}

void
plan_print_op(const struct op *op, struct span mailbox, struct span from,
    const struct kwtab *kw, struct buf *out)
{
	uint32_t uid = op->uid ? op->uid : op->old_uid;

	buf_addf(out, "%s %.*s", plan_kind_word(op->kind), SPAN_ARG(mailbox));
	if (uid)
		buf_addf(out, " uid %u", uid);
	if (op_is_transfer(op)) {
		buf_addf(out, " from %.*s", SPAN_ARG(from));
		if (op->from_uid)
			buf_addf(out, " uid %u", op->from_uid);
	}
	if (op->file.n)
		buf_addf(out, " %.*s", SPAN_ARG(op->file));
	print_flags(" +(", op->add, kw, out);
	print_flags(" -(", op->del, kw, out);
	buf_addf(out, " (case %d: %s)", (int)op->why, plan_case_words(op->why));
}
