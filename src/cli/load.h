/* SPDX-License-Identifier: BSD-2-Clause */
/* load.h - an object in a machine of its own or in the kernel, for the verbs that run programs. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "cli/object.h"
#include "cli/world.h"

struct loaded {
	struct object_arg arg;
	struct skep_object *object;
	struct skep_btf *kernel;     /* or NULL: the running kernel's */
	struct world world;
	const char *join;            /* a named machine to load into; NULL: one of its own */
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
/* Makes the machine, which targets may join if it is shared. */
bool loaded_machine(struct loaded *loaded, bool interpret, bool shared, struct skep_diag *diag);
/* The same into the running kernel; count 0: all that are set to load. */
bool loaded_load_linux(struct loaded *loaded, struct skep_object_prog *const *chosen, size_t count,
		       const struct skep_linux_opts *opts, struct skep_diag *diag);
void loaded_done(struct loaded *loaded);

#endif
