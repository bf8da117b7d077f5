/* SPDX-License-Identifier: BSD-2-Clause */
/* load.h - an object in a machine of its own, for the verbs that run programs. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include <skep/machine.h>

#include "cli/object.h"

struct loaded {
	struct object_arg arg;
	struct skep_object *object;
	struct skep_btf *kernel;     /* or NULL: the running kernel's */
	struct skep_machine *machine;
};

/*
 * In this order: open the object (and kernel types, NULL: default), choose
 * programs, set globals, then load. Each returns false with the reason in diag;
 * loaded_done() accepts any state.
 */
bool loaded_open(struct loaded *loaded, const char *operand, const char *btf,
		 struct skep_diag *diag);
/* "name=value" for each item. */
bool loaded_set(struct loaded *loaded, const struct list *settings, struct skep_diag *diag);
/* Load only programs of the chosen ones' types: others may need hooks that are not here. */
bool loaded_load(struct loaded *loaded, struct skep_object_prog *const *chosen, size_t count,
		 bool interpret, struct skep_diag *diag);
void loaded_done(struct loaded *loaded);

#endif
