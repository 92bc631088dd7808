/* What the tests of maildir/ share. */
#ifndef TESTS_MAILDIR_H
#define TESTS_MAILDIR_H

#include "base/alloc.h"
#include "maildir/maildir.h"
#include "tempdir.h"

struct fixture {
	char dir[64];
	struct maildir *m;
	struct arena mem;
	struct kwtab *kw;
	struct kwletters letters;
};

static inline int
setup_layout(void **state, enum layout layout)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	struct err e;

	tempdir_make(f->dir);
	arena_init(&f->mem);
	f->kw = kwtab_new();
	f->letters.id[0] = kwtab_intern(f->kw, SPAN("work"));
	assert_int_equal(0, maildir_open(&f->m, f->dir, layout, &e));
	if (layout == LAYOUT_NESTED)
		assert_int_equal(0, maildir_create(f->m, SPAN("box"), &e));
	*state = f;
	return 0;
}

static inline int
setup(void **state)
{
	return setup_layout(state, LAYOUT_NESTED);
}

static inline int
setup_maildirpp(void **state)
{
	return setup_layout(state, LAYOUT_MAILDIRPP);
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	maildir_free(&f->m);
	kwtab_free(&f->kw);
	arena_release(&f->mem);
	tempdir_remove(f->dir);
	xfree(f);
	return 0;
}

static inline void
put(struct fixture *f, const char *name, const char *text)
{
	tempdir_write(f->dir, name, text, strlen(text));
}

static inline struct lview
scan(struct fixture *f, const char *path)
{
	struct maildir_stamp stamp;
	struct lview v;
	struct err e;

	if (maildir_scan(f->m, span_str(path), &f->letters, &f->mem, &v,
		&stamp, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return v;
}

static inline const struct lmsg *
find(const struct lview *v, const char *file)
{
	for (size_t i = 0; i < v->n; i++)
		if (span_eq(v->v[i].file, span_str(file)))
			return &v->v[i];
	return NULL;
}

static inline void
assert_content(struct fixture *f, const char *name, const char *want,
    size_t n)
{
	char *text;
	ssize_t got = tempdir_read(f->dir, name, &text);

	assert_int_equal(got, n);
	assert_memory_equal(text, want, n);
	free(text);
}

#endif
