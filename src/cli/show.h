/* SPDX-License-Identifier: BSD-2-Clause */
/* show.h - what programs leave behind, for people and as JSON: events and maps. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/cli.h"
#include "cli/world.h"
#include <skep/stacks.h>

struct show {
	struct skep_object *object;   /* borrowed: its maps and types */
	const struct world *world;    /* borrowed: what they are in */
	const struct list *event_types; /* --event [MAP=]TYPE; may be empty */
	bool json, all;               /* all: every row of every map */
	uint64_t lost;                /* events, so far */
	struct skep_stacks *stacks;   /* takes records with stacks, which are not printed; or NULL */
};

/* Print all pending events; if there are none, wait so long for some. */
void show_events(struct show *show, int milliseconds);
/* Is every --event a type of the object? Reports the first that is not. */
bool show_check_types(const struct show *show, struct skep_diag *diag);
/* Print every map the object's author wrote, as a table or log2 histogram. */
void show_maps(struct show *show);
/* Print all elements of one map, in a table; false with the reason in diag. */
bool show_elements(struct show *show, const struct world_map *map, struct skep_diag *diag);
/* Print the element of a key (NULL where there are no keys). Negative errno. */
int show_element(struct show *show, const struct world_map *map, const uint8_t *key);
/* A log2 histogram of counts per slot: slot n holds values of [2^(n-1), 2^n). */
void show_histogram(const uint64_t *slots, size_t count, FILE *out);

#endif
