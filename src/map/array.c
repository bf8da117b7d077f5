/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * array.c - values at indices, all there from the start. [runtime]
 *
 * map->impl is the values: value i lies at i * value_stride. A map of
 * BPF_F_MMAPABLE starts on a page of its own.
 */
#include "map/array.h"

#include <errno.h>

#include "map/special.h"

int array_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct map_type *type = map_type(spec->type);

	if (spec->max_entries == 0 || spec->key_size != 4 || spec->value_size == 0)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': key_size must be 4, max_entries and value_size not 0",
				 spec->name);
	if (type->per_cpu && (spec->flags & BPF_F_NUMA_NODE))
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': a per-CPU map takes no NUMA node", spec->name);
	if (spec->value_size > INT32_MAX ||
	    (type->per_cpu && spec->value_size > MAP_PER_CPU_VALUE_MAX))
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': a value of %u bytes",
				 spec->name, spec->value_size);
	return 0;
}

int array_check_fds(const struct map_spec *spec, struct skep_diag *diag)
{
	int error = array_check(spec, diag);

	if (error < 0)
		return error;
	if (spec->value_size != 4)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': value_size must be 4",
				 spec->name);
	return 0;
}

static int array_init(struct map *map, const struct map_spec *spec)
{
	size_t align = spec->flags & BPF_F_MMAPABLE ? 4096 : 64;

	map->impl = memory_alloc(map->memory, (size_t)map->value_stride * map->max_entries, align);
	return map->impl ? 0 : -ENOMEM;
}

static void array_done(struct map *map)
{
	memory_release(map->memory, map->impl, 0);
	map->impl = NULL;
}

static void *array_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	uint32_t index = array_index(key);

	(void)cpu;
	if (index >= map->max_entries)
		return NULL;
	return (char *)map->impl + (size_t)index * map->value_stride;
}

int array_check_update(const struct map *map, uint32_t index, uint64_t flags)
{
	uint64_t how = flags & ~(uint64_t)BPF_F_LOCK;

	if (how > BPF_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (how == BPF_NOEXIST)
		return -EEXIST;
	return (flags & BPF_F_LOCK) && !special_has_lock(map) ? -EINVAL : 0;
}

static int64_t array_update(struct map *map, const void *key, const void *value, uint64_t flags,
			    struct vcpu *cpu)
{
	uint32_t index = array_index(key);
	int error = array_check_update(map, index, flags);
	void *at = (char *)map->impl + (size_t)index * map->value_stride;

	if (error < 0)
		return error;
	if (flags & BPF_F_LOCK)
		return special_write_locked(map, at, value, cpu);
	special_copy(map, at, value);
	return 0;
}

int64_t array_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	(void)map, (void)key, (void)cpu;
	return -EINVAL;
}

int array_next_key(struct map *map, const void *key, void *next)
{
	uint32_t index = key ? array_index(key) : UINT32_MAX;

	if (index >= map->max_entries)
		index = 0;
	else if (index == map->max_entries - 1)
		return -ENOENT;
	else
		index++;
	memcpy(next, &index, sizeof(index));
	return 0;
}

static int64_t array_each(struct map *map, map_each_fn *fn, void *arg, struct vcpu *cpu)
{
	(void)cpu;
	for (uint32_t i = 0; i < map->max_entries; i++)
		if (fn(arg, map, &i, (char *)map->impl + (size_t)i * map->value_stride) != 0)
			return (int64_t)i + 1;
	return map->max_entries;
}

static int array_direct_value(struct map *map, uint64_t *address, uint32_t off)
{
	if (map->max_entries != 1)
		return -ENOTSUPP;
	if (off >= map->value_size)
		return -EINVAL;
	*address = (uint64_t)(uintptr_t)map->impl + off;
	return 0;
}

const struct map_type map_array = {
	.id = BPF_MAP_TYPE_ARRAY,
	.name = "array",
	.doc = "Values at indices 0 to max_entries-1, all present from the start.",
	.flags = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | MAP_ACCESS_FLAGS | BPF_F_INNER_MAP,
	.check = array_check,
	.init = array_init,
	.done = array_done,
	.lookup = array_lookup,
	.update = array_update,
	.remove = array_remove,
	.each = array_each,
	.next_key = array_next_key,
	.direct_value = array_direct_value,
};
