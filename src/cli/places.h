/* SPDX-License-Identifier: BSD-2-Clause */
/* places.h - --attach PROGRAM=PLACE (places.c). */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "cli/object.h"

/* Is every item PROGRAM=PLACE, with a program of the object? */
bool places_check(const struct list *attach, const struct skep_object *object,
		  struct skep_diag *diag);
/* Is the program named in the list? */
bool places_name(const struct list *attach, const struct skep_object_prog *prog);

/* Returns 0, or a negative errno, at which places_each() ends and which it returns. */
typedef int place_fn(void *arg, const struct skep_object_prog *prog, const char *place);
/* Each place of the program; NULL, once, when the list names none: its section's. */
int places_each(const struct list *attach, const struct skep_object_prog *prog, place_fn *call,
		void *arg);

#endif
