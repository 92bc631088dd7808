#include "config/nearest.h"

#define WORD_MAX 32

static size_t
min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ASCII only, whatever the locale. */
static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool
same(struct span a, size_t i, struct span b, size_t j)
{
	return lower(a.p[i]) == lower(b.p[j]);
}

/* Optimal string alignment; three rows of the matrix are enough. */
static size_t
distance(struct span a, struct span b)
{
	size_t row[3][WORD_MAX + 1];
	size_t *before = row[0], *above = row[1], *here = row[2];

	for (size_t j = 0; j <= b.n; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *spare = before;

		here[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t d = above[j - 1] + !same(a, i - 1, b, j - 1);

			d = min2(d, min2(above[j], here[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a, i - 1, b, j - 2) &&
			    same(a, i - 2, b, j - 1))
				d = min2(d, before[j - 2] + 1);
			here[j] = d;
		}
		before = above;
		above = here;
		here = spare;
	}
	return above[b.n];
}

const char *
config_nearest(struct span word, const char *const *list)
{
	const char *best = NULL;
	size_t best_d = 0;

	if (word.n == 0 || word.n > WORD_MAX)
		return NULL;
	for (; *list; list++) {
		struct span s = span_str(*list);
		size_t longer = s.n > word.n ? s.n : word.n;
		size_t d;

		if (s.n > WORD_MAX)
			continue;
		d = distance(word, s);
		if (d > (longer < 6 ? 1 : longer / 3))
			continue;
		if (!best || d < best_d) {
			best = *list;
			best_d = d;
		}
	}
	return best;
}
