/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * array.h - what types with keys 0 to max_entries-1 share. [runtime]
 */
#ifndef MAP_ARRAY_H
#define MAP_ARRAY_H

#include <string.h>

#include "map/map.h"

static inline uint32_t array_index(const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index;
}

/* The key after this one: the first if it is out of range or there is none. */
int array_next_key(struct map *map, const void *key, void *next);
/* The creation checks common to all types with an array's keys. */
int array_check(const struct map_spec *spec, struct skep_diag *diag);
/* The same for those whose values user space gives as descriptors. */
int array_check_fds(const struct map_spec *spec, struct skep_diag *diag);
int64_t array_remove(struct map *map, const void *key, struct vcpu *cpu);
/* 0, or why an update of this index with these flags is refused. */
int array_check_update(const struct map *map, uint32_t index, uint64_t flags);

#endif
