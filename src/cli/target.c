/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.c - --target OBJECT[:PROGRAM]: the programs that others attach to.
 *
 * An extension attaches to the first program named that has the function which
 * its section names. So does fentry and fexit; where none has it, that is a
 * function of the kernel.
 */
#include "cli/object.h"

#include <stdlib.h>
#include <string.h>

struct target {
	struct object_arg arg;
	struct skep_object *object;
};

struct targets {
	size_t count;
	struct target items[];
};

struct targets *targets_open(const struct list *names, struct skep_diag *diag)
{
	struct targets *targets = calloc(1, sizeof(*targets) + names->count * sizeof(struct target));

	if (!targets) {
		skep_report(diag, SKEP_OOM, NULL, "--target");
		return NULL;
	}
	for (size_t i = 0; i < names->count; i++) {
		struct target *target = &targets->items[targets->count++];
		bool found = false;

		target->object = object_arg_open(&target->arg, names->items[i], diag);
		for (size_t n = 0; target->object && n < skep_object_prog_count(target->object); n++)
			found |= object_arg_selects(&target->arg,
						    skep_object_prog_at(target->object, n));
		if (found)
			continue;
		if (target->object)
			no_such_program(target->object, target->arg.program, diag);
		targets_close(targets);
		return NULL;
	}
	return targets;
}

void targets_close(struct targets *targets)
{
	if (!targets)
		return;
	for (size_t i = 0; i < targets->count; i++) {
		skep_object_free(targets->items[i].object);
		object_arg_done(&targets->items[i].arg);
	}
	free(targets);
}

/* name NULL: any program will do. */
static struct skep_object_prog *find(const struct targets *targets, const char *name)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->items[i];

		for (size_t n = 0; n < skep_object_prog_count(target->object); n++) {
			struct skep_object_prog *prog = skep_object_prog_at(target->object, n);

			if (object_arg_selects(&target->arg, prog) &&
			    (!name || skep_object_prog_has_function(prog, name)))
				return prog;
		}
	}
	return NULL;
}

/* By its attach type's name: does it look at a function as it is called? */
static bool watches(const struct skep_object_prog *prog)
{
	static const char *const names[] = { "trace_fentry", "trace_fexit", "trace_fsession",
					     "modify_return" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(skep_object_prog_attach(prog), names[i]) == 0)
			return true;
	return false;
}

int targets_aim(const struct targets *targets, struct skep_object_prog *prog,
		struct skep_diag *diag)
{
	bool extends = strcmp(skep_object_prog_type(prog), "ext") == 0;
	struct skep_object_prog *target;

	if (!targets || !targets->count || (!extends && !watches(prog)))
		return 0;
	target = find(targets, skep_object_prog_target(prog));
	if (!target && extends)
		target = find(targets, NULL);
	return target ? skep_object_prog_set_target(prog, target, NULL, diag) : 0;
}
