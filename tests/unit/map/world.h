/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - an arena with virtual CPUs and maps in it, for the tests of this folder.
 */
#ifndef TEST_MAP_WORLD_H
#define TEST_MAP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "map/map.h"

struct world {
	struct memory *memory;
	struct vcpu_set *vcpus;
};

static inline struct world world_new(unsigned cpus)
{
	struct world world = { .memory = memory_new(0) };

	assert_non_null(world.memory);
	world.vcpus = vcpu_set_new(world.memory, cpus);
	assert_non_null(world.vcpus);
	return world;
}

static inline struct map *world_map(struct world *world, uint32_t type, uint32_t key_size,
				    uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	struct map_spec spec = { .name = "test", .type = type, .key_size = key_size,
				 .value_size = value_size, .max_entries = max_entries,
				 .flags = flags };
	int error = 0;
	struct map *map = map_new(&spec, world->memory, world->vcpus, &error);

	if (!map)
		fail_msg("map_new: type %u: %d", type, error);
	return map;
}

static inline void world_free(struct world *world)
{
	memory_free(world->memory);
}

#endif
