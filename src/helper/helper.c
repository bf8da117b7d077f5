/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper.c - finding a helper's descriptor. [runtime]
 *
 * One table of pointers in the order of ids, expanded from list.def; variants
 * of an id stand next to each other.
 */
#include "helper/list.h"

#include <string.h>

static const struct helper *const helpers[] = {
#define HELPER(name) &helper_##name,
#include "helper/list.def"
};

enum { HELPER_COUNT = sizeof(helpers) / sizeof(helpers[0]) };

/* The index of the first descriptor of id, or HELPER_COUNT. */
static unsigned helper_first(uint32_t id)
{
	unsigned low = 0, high = HELPER_COUNT;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (helpers[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < HELPER_COUNT && helpers[low]->id == id ? low : HELPER_COUNT;
}

const struct helper *helper_by_id(uint32_t id)
{
	unsigned first = helper_first(id);

	return first < HELPER_COUNT ? helpers[first] : NULL;
}

const struct helper *helper_get(uint32_t id, uint32_t prog_type, uint32_t attach)
{
	for (unsigned i = helper_first(id); i < HELPER_COUNT && helpers[i]->id == id; i++) {
		const struct helper *h = helpers[i];

		if (prog_type >= 64 || !(h->types >> prog_type & 1))
			continue;
		if (!h->attaches || (attach < 64 && (h->attaches >> attach & 1)))
			return h;
	}
	return NULL;
}

const struct helper *helper_by_name(const char *name)
{
	for (unsigned i = 0; i < HELPER_COUNT; i++)
		if (strcmp(helpers[i]->name, name) == 0)
			return helpers[i];
	return NULL;
}
