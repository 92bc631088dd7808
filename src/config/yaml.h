/*
 * yaml: the plain part of YAML, as a tree with positions.
 *
 * One document of mappings, lists and scalars; no anchors, aliases, tags or
 * tabs.  Internal to config/.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/arena.h"
#include "base/err.h"

enum ynode_kind { YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode {
	enum ynode_kind kind;
	unsigned line, col; /* from 1; characters, not bytes */
	struct span text;   /* scalar: UTF-8, NUL-terminated in the arena */
	bool plain;	    /* scalar without quotes */
	struct ynode *key;  /* map: n keys (scalars, all different) */
	struct ynode *item; /* list, map: n values */
	size_t n;
};

/*
 * TEXT as a tree in MEM.  ERR_CONFIG, scope RUN, "FILE:LINE:COLUMN: ...".
 * An empty document is an error as well.
 */
int yaml_read(struct span text, const char *file, struct arena *mem,
    struct ynode *root_r, struct err *e);

/* ERR_CONFIG, scope RUN, "FILE:LINE:COLUMN: ..." at the place of N. */
int yaml_error(const char *file, const struct ynode *n, struct err *e,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
