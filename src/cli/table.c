#include "cli/internal.h"

#include "base/alloc.h"

#define FIRST_MIN 8
#define GAP 2

void
cli_table_init(struct cli_table *t, struct arena *mem,
    const struct cli_column *column, size_t columns)
{
	*t = (struct cli_table){
	    .mem = mem, .column = column, .columns = columns};
}

void
cli_table_release(struct cli_table *t)
{
	xfree(t->cell);
	t->cell = NULL;
	t->n = t->cap = 0;
}

void
cli_table_cell(struct cli_table *t, struct span s)
{
	VEC_GROW(t->cell, t->n, t->cap);
	t->cell[t->n++] = arena_span(t->mem, s);
}

static void
add_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_addc(out, ' ');
}

static void
print_cell(const struct cli_table *t, size_t column, struct span s,
    size_t width, struct buf *out)
{
	size_t used = cli_text_width(s);

	if (used > width)
		used = width;
	if (t->column[column].right)
		add_blanks(out, width - used);
	used = cli_text_add(out, s, width);
	if (!t->column[column].right && column + 1 < t->columns)
		add_blanks(out, width - used);
	if (column + 1 < t->columns)
		add_blanks(out, GAP);
	else
		buf_addc(out, '\n');
}

void
cli_table_print(const struct cli_table *t, size_t width, struct buf *out)
{
	size_t *w = arena_array(t->mem, t->columns, sizeof(*w));
	size_t all = GAP * (t->columns - 1);

	for (size_t c = 0; c < t->columns; c++)
		w[c] = cli_text_width(span_str(t->column[c].head));
	for (size_t i = 0; i < t->n; i++) {
		size_t cell = cli_text_width(t->cell[i]);

		if (cell > w[i % t->columns])
			w[i % t->columns] = cell;
	}
	for (size_t c = 0; c < t->columns; c++)
		all += w[c];
	if (width > 0 && all > width) {
		size_t rest = all - w[0];
		size_t least = w[0] < FIRST_MIN ? w[0] : FIRST_MIN;

		w[0] = width > rest + least ? width - rest : least;
	}
	for (size_t c = 0; c < t->columns; c++)
		print_cell(t, c, span_str(t->column[c].head), w[c], out);
	for (size_t i = 0; i < t->n; i++)
		print_cell(
		    t, i % t->columns, t->cell[i], w[i % t->columns], out);
}
