/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.c - what a program is attached to, where its section does not say or another is wanted.
 *
 * A place is written as a section, "uprobe/bash:readline", or as what its own section would
 * have behind the prefix, "bash:readline". Only what the program was judged as can be meant:
 * a kprobe may be attached as a uprobe, whose programs are of the same type.
 */
#include "object/object.h"

int object_prog_place(const struct skep_object_prog *prog, const char *place,
		      struct section_match *match, struct skep_diag *diag)
{
	struct skep_where where = object_where(prog->object, prog->section, skep_object_prog_name(prog));

	*match = prog->match;
	if (!place)
		return 0;
	if (!section_match(place, match)) {
		*match = prog->match;
		match->target = place;
		return 0;
	}
	if (match->type == prog->match.type && match->attach == prog->match.attach)
		return 0;
	return skep_fail(diag, SKEP_ATTACH_PLACE, &where, "a program of section '%s' cannot be attached "
			 "as one of '%s'", prog->section, place);
}
