/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.c - --attach PROGRAM=PLACE: programs attached elsewhere than their sections say.
 *
 * A program that is named there is attached to those places, each time it is named, and not
 * to what its section says.
 */
#include "cli/places.h"

#include <string.h>

static bool names(const char *item, const struct skep_object_prog *prog)
{
	const char *name = skep_object_prog_name(prog);
	size_t len = strlen(name);

	return strncmp(item, name, len) == 0 && item[len] == '=';
}

bool places_name(const struct list *attach, const struct skep_object_prog *prog)
{
	for (size_t i = 0; i < attach->count; i++)
		if (names(attach->items[i], prog))
			return true;
	return false;
}

int places_each(const struct list *attach, const struct skep_object_prog *prog, place_fn *call,
		void *arg)
{
	bool named = false;
	int error = 0;

	for (size_t i = 0; i < attach->count && !error; i++) {
		if (!names(attach->items[i], prog))
			continue;
		named = true;
		error = call(arg, prog, strchr(attach->items[i], '=') + 1);
	}
	return named ? error : call(arg, prog, NULL);
}

bool places_check(const struct list *attach, const struct skep_object *object,
		  struct skep_diag *diag)
{
	char name[128];

	for (size_t i = 0; i < attach->count; i++) {
		const char *item = attach->items[i];
		size_t len = strcspn(item, "=");

		if (!item[len] || !item[len + 1] || len >= sizeof(name)) {
			skep_report(diag, SKEP_ARG, NULL, "--attach '%s' is not PROGRAM=PLACE", item);
			skep_help(diag, "--attach %s=uprobe/bash:readline",
				  skep_object_prog_name(skep_object_prog_at(object, 0)));
			return false;
		}
		memcpy(name, item, len);
		name[len] = '\0';
		if (!skep_object_prog_find(object, name)) {
			no_such_program(object, name, diag);
			return false;
		}
	}
	return true;
}
