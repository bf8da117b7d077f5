/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_array.c - programs to tail-call, by index. [runtime]
 *
 * map->impl is an array of pointers, each changed by one store. The caller of
 * an update or removal, who holds the machine's lock, owns the references: it
 * looks up what a slot holds before, and lets go of that after, by
 * memory_retire(), since a program may be about to jump to it.
 */
#include <errno.h>

#include "map/array.h"

static int prog_array_init(struct map *map, const struct map_spec *spec)
{
	(void)spec;
	map->impl = memory_alloc(map->memory, (size_t)map->max_entries * sizeof(void *), 64);
	return map->impl ? 0 : -ENOMEM;
}

static void prog_array_done(struct map *map)
{
	memory_release(map->memory, map->impl, 0);
	map->impl = NULL;
}

struct prog_ref *prog_array_at(struct map *map, uint32_t index)
{
	struct prog_ref **slot = map->impl;

	return index < map->max_entries ? __atomic_load_n(&slot[index], __ATOMIC_ACQUIRE) : NULL;
}

static int prog_array_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	struct prog_ref *ref = prog_array_at(map, array_index(key));

	(void)flags;
	if (!ref)
		return -ENOENT;
	memcpy(value, &ref, sizeof(ref));
	return 0;
}

static int prog_array_user_update(struct map *map, const void *key, const void *value,
				  uint64_t flags)
{
	uint32_t index = array_index(key);
	struct prog_ref **slot = map->impl, *ref;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	memcpy(&ref, value, sizeof(ref));
	__atomic_store_n(&slot[index], ref, __ATOMIC_RELEASE);
	return 0;
}

static int prog_array_user_remove(struct map *map, const void *key)
{
	uint32_t index = array_index(key);
	struct prog_ref **slot = map->impl;

	if (index >= map->max_entries)
		return -E2BIG;
	return __atomic_exchange_n(&slot[index], NULL, __ATOMIC_ACQ_REL) ? 0 : -ENOENT;
}

const struct map_type map_prog_array = {
	.id = BPF_MAP_TYPE_PROG_ARRAY,
	.name = "prog_array",
	.doc = "Programs that others continue in, by index.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.holds_progs = true,
	.no_btf = true,
	.check = array_check_fds,
	.init = prog_array_init,
	.done = prog_array_done,
	.user_lookup = prog_array_user_lookup,
	.user_update = prog_array_user_update,
	.user_remove = prog_array_user_remove,
	.next_key = array_next_key,
};
