/*
 * progress: one line on a terminal that is written over and over.
 *
 * It is erased before anything else is printed: by the log (log_set_erase)
 * and by the sink (cli_progress_erase).  The log may write from another thread
 * at any time, so it erases from before the line is drawn until after it is
 * gone.
 *
 * Several accounts at work have one line: how many they are, and the sum of
 * what each of them says of its present mailbox.
 */
#include "cli/internal.h"

#include <unistd.h>

#define PROGRESS_MS 100
#define ESTIMATE_MS 1000 /* no time left is told before */
#define ERASE "\r\033[K"

void
cli_progress_format(struct buf *out, struct span what, uint64_t done,
    uint64_t total, uint64_t here, uint64_t bytes, uint64_t elapsed_ms,
    size_t width)
{
	struct buf tail;
	size_t room = 0;

	buf_init(&tail, 200);
	buf_addf(&tail, " %llu/%llu", (unsigned long long)done,
	    (unsigned long long)total);
	if (elapsed_ms >= ESTIMATE_MS) {
		unsigned long long tenths = bytes / (elapsed_ms * 100);

		buf_addf(&tail, "  %llu.%llu MB/s", tenths / 10, tenths % 10);
		if (here > 0 && done < total) {
			/* In doubles: the product may pass 64 bits. */
			double left = (double)elapsed_ms / 1000.0 *
				      (double)(total - done) / (double)here;

			buf_add_str(&tail, "  ");
			cli_text_duration(
			    &tail, left < 1e9 ? (uint64_t)left : 1000000000);
			buf_add_str(&tail, " left");
		}
	}
	if (width > 0 && tail.n >= width) {
		/* A very narrow terminal: the numbers, from the left. */
		(void)cli_text_add(out, span_of(tail.p + 1, tail.n - 1), width);
	} else {
		if (width > 0)
			room = width - tail.n;
		(void)cli_text_add(out, what, room);
		buf_add_span(out, buf_span(&tail));
	}
	buf_release(&tail);
}

bool
cli_progress_note(struct cli_progress *p, struct span what, uint64_t done,
    uint64_t total, uint64_t bytes, int64_t now_ms)
{
	size_t n = what.n < sizeof(p->box) ? what.n : sizeof(p->box) - 1;

	if (!p->begun || total != p->total || done < p->begin_done ||
	    bytes < p->begin_bytes ||
	    !span_eq(span_str(p->box), span_of(what.p, n))) {
		memset(p->box, 0, sizeof(p->box));
		if (n)
			memcpy(p->box, what.p, n);
		p->begun = true;
		p->begin_ms = now_ms;
		p->begin_done = done;
		p->begin_bytes = bytes;
		p->total = total;
	} else if (now_ms - p->last_ms < PROGRESS_MS) {
		return false;
	}
	p->last_ms = now_ms;
	return true;
}

void
cli_progress_share(
    struct cli_progress *p, struct cli_share *share, struct cli_share now)
{
	p->working += (unsigned)now.at_work - (unsigned)share->at_work;
	p->sum.done += now.done - share->done;
	p->sum.total += now.total - share->total;
	p->sum.bytes += now.bytes - share->bytes;
	*share = now;
}

static void
draw_line(struct cli_progress *p, struct span what, int64_t now_ms)
{
	const struct cli_share *sum = &p->sum;
	unsigned width;
	struct buf line;

	if (!cli_progress_note(
		p, what, sum->done, sum->total, sum->bytes, now_ms))
		return;
	width = cli_width(p->fd);
	buf_init(&line, 4096);
	buf_add_str(&line, ERASE);
	/* The last column stays free: some terminals wrap when it is used. */
	cli_progress_format(&line, what, sum->done, sum->total,
	    sum->done - p->begin_done, sum->bytes - p->begin_bytes,
	    (uint64_t)(now_ms - p->begin_ms), (width ? width : 80) - 1);
	if (!line.toobig) {
		if (!p->drawn)
			log_set_erase(p->log, ERASE);
		p->drawn = true;
		(void)!write(p->fd, line.p, line.n);
	}
	buf_release(&line);
}

void
cli_progress_draw(struct cli_progress *p, struct span what, int64_t now_ms)
{
	struct buf several;

	if (!p->on)
		return;
	buf_init(&several, 64);
	if (p->working > 1) {
		buf_addf(&several, "%u accounts", p->working);
		what = buf_span(&several);
	}
	draw_line(p, what, now_ms);
	buf_release(&several);
}

void
cli_progress_erase(struct cli_progress *p)
{
	if (!p->drawn)
		return;
	(void)!write(p->fd, ERASE, sizeof(ERASE) - 1);
	p->drawn = false;
	log_set_erase(p->log, NULL);
}
