/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_in_map.c - arrays and hashes of maps. [runtime]
 *
 * A program's lookup gives the inner map, not the address of a value. The
 * verifier judged the program by the template, map->inner; so only maps like it
 * may be put in. The outer map holds a reference to each inner one. Only user
 * space writes, under the machine's lock; programs look up without any.
 *
 * An array's impl is an array of pointers. A hash's impl is a plain hash map
 * whose values are the pointers.
 */
#include <errno.h>

#include "map/array.h"
#include "map/hash.h"
#include "map/types.h"

/* --- the template --- */

/* Types Linux lets be inner maps: those whose likeness it can tell. */
static bool may_be_inner(const struct map_type *type)
{
	return !type->holds_maps && !type->holds_progs &&
	       type->id != BPF_MAP_TYPE_CGROUP_STORAGE &&
	       type->id != BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE &&
	       type->id != BPF_MAP_TYPE_STRUCT_OPS && type->id != BPF_MAP_TYPE_USER_RINGBUF;
}

static int inner_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct map_type *inner = spec->inner ? map_type(spec->inner->type) : NULL;

	if (spec->value_size != 4)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': value_size must be 4",
				 spec->name);
	if (!inner)
		return skep_fail(diag, SKEP_MAP_INNER, NULL, "map '%s' does not say what it holds",
				 spec->name);
	if (inner->holds_maps)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': a map of maps cannot hold maps of maps", spec->name);
	if (!may_be_inner(inner)) {
		skep_report(diag, SKEP_MAP_ATTR, NULL, "map '%s': a %s cannot be an inner map",
			    spec->name, inner->name);
		return -ENOTSUPP;
	}
	return map_check(spec->inner, diag);
}

static int inner_init(struct map *map, const struct map_spec *spec)
{
	struct map *inner = memory_alloc(map->memory, sizeof(*inner), 64);

	if (!inner)
		return -ENOMEM;
	inner->type_id = spec->inner->type;
	inner->key_size = spec->inner->key_size;
	inner->value_size = spec->inner->value_size;
	inner->max_entries = spec->inner->max_entries;
	inner->flags = spec->inner->flags;
	inner->extra = spec->inner->extra;
	map->inner = inner;
	return 0;
}

/* Whether a program checked with the template would be right with map. */
static bool inner_is_like(const struct map *inner, const struct map *map)
{
	if (inner->type_id != map->type_id || inner->key_size != map->key_size ||
	    inner->value_size != map->value_size || inner->flags != map->flags ||
	    inner->extra != map->extra)
		return false;
	return inner->type_id != BPF_MAP_TYPE_ARRAY || (inner->flags & BPF_F_INNER_MAP) ||
	       inner->max_entries == map->max_entries;
}

static struct map *map_from(const void *value)
{
	struct map *map;

	memcpy(&map, value, sizeof(map));
	return map;
}

/* --- arrays --- */

static int array_of_maps_check(const struct map_spec *spec, struct skep_diag *diag)
{
	int error = array_check(spec, diag);

	return error < 0 ? error : inner_check(spec, diag);
}

static int array_of_maps_init(struct map *map, const struct map_spec *spec)
{
	map->impl = memory_alloc(map->memory, (size_t)map->max_entries * sizeof(void *), 64);
	return map->impl ? inner_init(map, spec) : -ENOMEM;
}

static void array_of_maps_done(struct map *map)
{
	struct map **slot = map->impl;

	for (uint32_t i = 0; slot && i < map->max_entries; i++)
		map_unref(slot[i]);
	memory_release(map->memory, slot, 0);
	memory_release(map->memory, map->inner, 0);
	map->impl = map->inner = NULL;
}

static void *array_of_maps_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct map **slot = map->impl;
	uint32_t index = array_index(key);

	(void)cpu;
	return index < map->max_entries ? __atomic_load_n(&slot[index], __ATOMIC_ACQUIRE) : NULL;
}

static int inner_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	void *inner = map_type(map->type_id)->lookup(map, key, NULL);

	(void)flags;
	if (!inner)
		return -ENOENT;
	memcpy(value, &inner, sizeof(inner));
	return 0;
}

static int array_of_maps_user_update(struct map *map, const void *key, const void *value,
				     uint64_t flags)
{
	struct map **slot = map->impl, *inner = map_from(value);
	uint32_t index = array_index(key);

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (!inner_is_like(map->inner, inner))
		return -EINVAL;
	map_unref(__atomic_exchange_n(&slot[index], map_ref(inner), __ATOMIC_ACQ_REL));
	return 0;
}

static int array_of_maps_user_remove(struct map *map, const void *key)
{
	struct map **slot = map->impl, *old;
	uint32_t index = array_index(key);

	if (index >= map->max_entries)
		return -E2BIG;
	old = __atomic_exchange_n(&slot[index], NULL, __ATOMIC_ACQ_REL);
	map_unref(old);
	return old ? 0 : -ENOENT;
}

/* --- hashes --- */

static int hash_of_maps_check(const struct map_spec *spec, struct skep_diag *diag)
{
	int error = hash_check(spec, diag);

	return error < 0 ? error : inner_check(spec, diag);
}

static int hash_of_maps_init(struct map *map, const struct map_spec *spec)
{
	struct map_spec table = *spec;
	int error = 0;

	table.type = BPF_MAP_TYPE_HASH;
	table.value_size = sizeof(struct map *);
	table.inner = NULL;
	map->impl = map_new(&table, map->memory, map->vcpus, &error);
	return map->impl ? inner_init(map, spec) : error;
}

static int64_t unref_each(void *arg, struct map *table, const void *key, void *value)
{
	(void)arg, (void)table, (void)key;
	map_unref(map_from(value));
	return 0;
}

static void hash_of_maps_done(struct map *map)
{
	if (map->impl)
		map_hash.each(map->impl, unref_each, NULL, NULL);
	map_free(map->impl);
	memory_release(map->memory, map->inner, 0);
	map->impl = map->inner = NULL;
}

static void *hash_of_maps_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct map *table = map->impl, *inner;
	const struct hash *hash = table->impl;
	char *value;

	/* An element replaced between finding and reading it may be another key's by
	 * now; a map that a key once had stays there for as long as this program runs. */
	do {
		value = map_hash.lookup(table, key, cpu);
		if (!value)
			return NULL;
		inner = __atomic_load_n((struct map **)(void *)value, __ATOMIC_ACQUIRE);
	} while (!key_equal(value - hash->value_off + hash->key_off, key, table->key_size));
	return inner;
}

static int hash_of_maps_user_update(struct map *map, const void *key, const void *value,
				    uint64_t flags)
{
	struct map *inner = map_from(value);
	struct map *old = hash_of_maps_lookup(map, key, NULL);
	int error;

	if (!inner_is_like(map->inner, inner))
		return -EINVAL;
	map_ref(inner);
	error = (int)map_hash.update(map->impl, key, &inner, flags, NULL);
	map_unref(error < 0 ? inner : old);
	return error;
}

static int hash_of_maps_user_remove(struct map *map, const void *key)
{
	struct map *old = hash_of_maps_lookup(map, key, NULL);
	int error = (int)map_hash.remove(map->impl, key, NULL);

	if (error == 0)
		map_unref(old);
	return error;
}

static int hash_of_maps_next_key(struct map *map, const void *key, void *next)
{
	return map_hash.next_key(map->impl, key, next);
}

const struct map_type map_array_of_maps = {
	.id = BPF_MAP_TYPE_ARRAY_OF_MAPS,
	.name = "array_of_maps",
	.doc = "Maps by index.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.holds_maps = true,
	.no_btf = true,
	.check = array_of_maps_check,
	.init = array_of_maps_init,
	.done = array_of_maps_done,
	.lookup = array_of_maps_lookup,
	.user_lookup = inner_user_lookup,
	.user_update = array_of_maps_user_update,
	.user_remove = array_of_maps_user_remove,
	.next_key = array_next_key,
};

const struct map_type map_hash_of_maps = {
	.id = BPF_MAP_TYPE_HASH_OF_MAPS,
	.name = "hash_of_maps",
	.doc = "Maps under keys of any bytes.",
	.flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS | BPF_F_ZERO_SEED,
	.holds_maps = true,
	.no_btf = true,
	.check = hash_of_maps_check,
	.init = hash_of_maps_init,
	.done = hash_of_maps_done,
	.lookup = hash_of_maps_lookup,
	.user_lookup = inner_user_lookup,
	.user_update = hash_of_maps_user_update,
	.user_remove = hash_of_maps_user_remove,
	.next_key = hash_of_maps_next_key,
};
