/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * percpu_array.c - an array with a copy of each value for each virtual CPU. [runtime]
 *
 * A CPU's values lie together, on pages of their own, so that CPUs do not share
 * cache lines:  | CPU 0: value 0, 1, ... | CPU 1: value 0, 1, ... | ...
 */
#include "map/array.h"

#include <errno.h>

struct percpu_array {
	char *values;
	uint64_t area; /* bytes from one CPU's values to the next's */
};

static int percpu_array_init(struct map *map, const struct map_spec *spec)
{
	struct percpu_array *array = memory_alloc(map->memory, sizeof(*array), 8);

	(void)spec;
	map->impl = array;
	if (!array)
		return -ENOMEM;
	array->area = ((uint64_t)map->value_stride * map->max_entries + 4095) & ~4095ull;
	array->values = memory_alloc(map->memory, array->area * map->cpus, 4096);
	return array->values ? 0 : -ENOMEM;
}

static void percpu_array_done(struct map *map)
{
	struct percpu_array *array = map->impl;

	if (!array)
		return;
	memory_release(map->memory, array->values, 0);
	memory_release(map->memory, array, 0);
	map->impl = NULL;
}

static inline void *percpu_array_at(const struct map *map, uint32_t index, uint32_t cpu)
{
	const struct percpu_array *array = map->impl;

	return array->values + cpu * array->area + (size_t)index * map->value_stride;
}

static void *percpu_array_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	uint32_t index = array_index(key);

	return index < map->max_entries ? percpu_array_at(map, index, cpu ? cpu->id : 0) : NULL;
}

static void *percpu_array_lookup_percpu(struct map *map, const void *key, uint32_t cpu)
{
	uint32_t index = array_index(key);

	if (index >= map->max_entries || cpu >= map->cpus)
		return NULL;
	return percpu_array_at(map, index, cpu);
}

static int64_t percpu_array_update(struct map *map, const void *key, const void *value,
				   uint64_t flags, struct vcpu *cpu)
{
	uint32_t index = array_index(key);
	int error = flags & BPF_F_LOCK ? -EINVAL : array_check_update(map, index, flags);

	if (error < 0)
		return error;
	memcpy(percpu_array_at(map, index, cpu ? cpu->id : 0), value, map->value_size);
	return 0;
}

static int percpu_array_user_update(struct map *map, const void *key, const void *value,
				    uint64_t flags)
{
	uint32_t index = array_index(key);
	int error = array_check_update(map, index, flags & 3);

	for (uint32_t i = 0; error == 0 && i < map->cpus; i++) {
		const char *from = value;

		if ((flags & BPF_F_CPU) && i != flags >> 32)
			continue;
		if (!(flags & (BPF_F_CPU | BPF_F_ALL_CPUS)))
			from += (size_t)i * map->value_stride;
		/* As Linux, with the padding, which a lookup gives back. */
		memcpy(percpu_array_at(map, index, i), from,
		       flags & (BPF_F_CPU | BPF_F_ALL_CPUS) ? map->value_size : map->value_stride);
	}
	return error;
}

static int64_t percpu_array_each(struct map *map, map_each_fn *fn, void *arg, struct vcpu *cpu)
{
	for (uint32_t i = 0; i < map->max_entries; i++)
		if (fn(arg, map, &i, percpu_array_at(map, i, cpu ? cpu->id : 0)) != 0)
			return (int64_t)i + 1;
	return map->max_entries;
}

const struct map_type map_percpu_array = {
	.id = BPF_MAP_TYPE_PERCPU_ARRAY,
	.name = "percpu_array",
	.doc = "An array with a value for each virtual CPU at every index.",
	.flags = BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS,
	.per_cpu = true,
	.check = array_check,
	.init = percpu_array_init,
	.done = percpu_array_done,
	.lookup = percpu_array_lookup,
	.lookup_percpu = percpu_array_lookup_percpu,
	.update = percpu_array_update,
	.remove = array_remove,
	.each = percpu_array_each,
	.user_update = percpu_array_user_update,
	.next_key = array_next_key,
};
