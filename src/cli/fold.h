/* SPDX-License-Identifier: BSD-2-Clause */
/* fold.h - stacks that programs counted, for --folded and --flame. */
#ifndef CLI_FOLD_H
#define CLI_FOLD_H

#include <skep/stacks.h>

#include "cli/show.h"

/*
 * A record with pid, comm and arrays of addresses ("user_stack", "kernel_stack"): one sample.
 * False if it is none.
 */
bool fold_record(struct skep_stacks *stacks, const struct skep_btf *btf, uint32_t type,
		 const struct world_event *event);
/*
 * Take the stacks out of the object's maps: of each hash with the number of a stack in
 * its key. Negative errno with the reason in diag; ENOENT: no map counts stacks,
 * and no record had one.
 */
int fold_maps(const struct show *show, struct skep_stacks *stacks, struct skep_diag *diag);
/* Both, for a command (its words are the image's title) or without one (NULL). */
int fold_end(const struct show *show, struct skep_stacks *stacks, char *const *command,
	     const char *folded, const char *flame, struct skep_diag *diag);
/* Write what was asked for; either file may be NULL. Negative errno with the reason in diag. */
int fold_write(struct skep_stacks *stacks, const char *title, const char *folded,
	       const char *flame, struct skep_diag *diag);

#endif
