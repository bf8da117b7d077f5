/* SPDX-License-Identifier: BSD-2-Clause */
/* flame.h - stacks of names merged into a tree, and the tree as text and as an image. */
#ifndef HOOK_FLAME_H
#define HOOK_FLAME_H

#include "base/base.h"

/* A function, called from its parent's. */
struct flame {
	const char *name;        /* borrowed */
	uint64_t own, total;     /* samples in it, and in it and what it called */
	struct flame **children; /* owned; unsorted until flame_sort() */
	size_t count, size;
};

/* The child of that name, made if there is none; NULL when out of memory. */
struct flame *flame_child(struct flame *parent, const char *name);
/* Children by name; totals. To be called once, when everything is in. */
void flame_sort(struct flame *root);
/* What hangs below. */
void flame_done(struct flame *root);

/* Of a sorted tree, whose root has no name. */
void flame_folded(const struct flame *root, struct skep_text *text);
void flame_svg(const struct flame *root, const char *title, struct skep_text *text);

#endif
