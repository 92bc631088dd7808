#include "config/value.h"

#include <limits.h>
#include <stdlib.h>

/*
 * PATH with symbolic links resolved as far as it exists, so that two names
 * of one directory are seen to be one.
 */
static const char *
resolve(struct arena *mem, const char *path)
{
	char real[PATH_MAX];
	char *head = arena_str(mem, path);
	size_t n = strlen(head);

	while (n > 1) {
		head[n] = '\0';
		if (realpath(head, real))
			return arena_printf(mem, "%s%s",
			    strcmp(real, "/") ? real : "", path + n);
		while (n > 1 && head[n - 1] != '/')
			n--;
		if (n > 1)
			n--;
	}
	return path;
}

/* INNER is OUTER, or below it. */
static bool
is_within(const char *outer, const char *inner)
{
	size_t n = strlen(outer);

	if (n == 1)
		return true; /* "/" */
	return strncmp(outer, inner, n) == 0 &&
	       (inner[n] == '\0' || inner[n] == '/');
}

static bool
overlap(const char *a, const char *b)
{
	return is_within(a, b) || is_within(b, a);
}

int
dirs_check(const struct load *l, const struct config *c,
    const struct ynode *names, struct err *e)
{
	const char *all_state = resolve(l->mem, c->state_dir);
	const char **mail = arena_array(l->mem, c->naccounts, sizeof(*mail));
	const char **state = arena_array(l->mem, c->naccounts, sizeof(*state));

	for (size_t i = 0; i < c->naccounts; i++) {
		const struct config_account *a = &c->account[i];
		const struct ynode *at = &names[i];

		mail[i] = resolve(l->mem, a->maildir);
		state[i] = resolve(l->mem, a->state_dir);
		if (is_within(all_state, mail[i]) ||
		    is_within(state[i], mail[i]))
			return yaml_error(l->file, at, e,
			    "account '%s': its maildir lies in the state "
			    "directory, %s",
			    a->name, c->state_dir);
		if (is_within(mail[i], all_state) ||
		    is_within(mail[i], state[i]))
			return yaml_error(l->file, at, e,
			    "account '%s': the state directory, %s, lies in "
			    "its maildir; set 'state_dir'",
			    a->name, c->state_dir);
		for (size_t k = 0; k < i; k++) {
			if (overlap(mail[i], mail[k]))
				return yaml_error(l->file, at, e,
				    "account '%s': its maildir is, or lies in "
				    "or around, that of '%s' (line %u)",
				    a->name, c->account[k].name,
				    c->account[k].line);
			/* Only symbolic links can bring these together. */
			if (overlap(state[i], state[k]) ||
			    overlap(state[i], mail[k]) ||
			    overlap(mail[i], state[k]))
				return yaml_error(l->file, at, e,
				    "account '%s': its directories overlap "
				    "with those of '%s' (line %u)",
				    a->name, c->account[k].name,
				    c->account[k].line);
		}
	}
	return 0;
}
