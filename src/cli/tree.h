/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.h - who was seen by programs in targets, and what was missed. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <skep/link.h>
#include <skep/target.h>

#include "cli/cli.h"

/* A program of the object that is not attached. */
struct unattached {
	const char *program, *section; /* the object's */
	char reason[256];
};

/* The processes since then (CLOCK_MONOTONIC) as a tree, those that are not followed with the reason. */
void show_targets(struct skep_machine *machine, uint64_t since_ns, bool json);
/* Events that programs of the object missed, faults; nothing where there is nothing to tell. */
void show_missed(struct skep_machine *machine, const struct skep_object *object, bool json);
void show_unattached(const struct unattached *list, size_t count, bool json);

#endif
