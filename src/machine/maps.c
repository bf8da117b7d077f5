/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - maps as user space sees them.
 *
 * What a map of maps or a program array holds reads as an id, and is changed
 * by functions that take the thing itself.
 */
#include "machine/machine.h"

void skep_map_info(const struct skep_map *map, struct skep_map_info *info)
{
	const struct map *raw = map->map;

	*info = (struct skep_map_info){
		.name = map->name,
		.type_name = map_type(raw->type_id)->name,
		.type = raw->type_id,
		.key_size = raw->key_size,
		.value_size = raw->value_size,
		.max_entries = raw->max_entries,
		.flags = raw->flags,
		.extra = raw->extra,
		.id = raw->id,
		.btf = map->btf,
		.key_type = map->key_type,
		.value_type = map->value_type,
		.internal = map->internal,
	};
}

static bool holds(const struct skep_map *map)
{
	const struct map_type *type = map_type(map->map->type_id);

	return type->holds_maps || type->holds_progs;
}

size_t skep_map_user_value_size(const struct skep_map *map)
{
	return holds(map) ? sizeof(uint32_t) : map_user_value_size(map->map);
}

static int lookup_held(struct skep_map *map, const void *key, void *value)
{
	const void *held = NULL;
	int error = map_user_lookup(map->map, key, &held, 0);
	uint32_t id;

	if (error < 0)
		return error;
	if (!held)
		return -ENOENT;
	id = map_type(map->map->type_id)->holds_maps ? ((const struct map *)held)->id
						     : ((const struct prog_ref *)held)->code->id;
	memcpy(value, &id, sizeof(id));
	return 0;
}

int skep_map_lookup(struct skep_map *map, const void *key, void *value)
{
	return holds(map) ? lookup_held(map, key, value) : map_user_lookup(map->map, key, value, 0);
}

int skep_map_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	return holds(map) ? -EOPNOTSUPP : map_user_update(map->map, key, value, flags);
}

int skep_map_delete(struct skep_map *map, const void *key)
{
	int error;

	if (!holds(map))
		return map_user_remove(map->map, key);
	error = machine_lock(map->machine, NULL);
	if (error < 0)
		return error;
	error = map_user_remove(map->map, key);
	machine_unlock(map->machine);
	return error;
}

int skep_map_next_key(struct skep_map *map, const void *key, void *next)
{
	return map_user_next_key(map->map, key, next);
}

static int update_held(struct skep_map *map, const void *key, const void *held)
{
	int error = machine_lock(map->machine, NULL);

	if (error < 0)
		return error;
	error = map_user_update(map->map, key, &held, BPF_ANY);
	machine_unlock(map->machine);
	return error;
}

int skep_map_update_prog(struct skep_map *map, const void *key, struct skep_prog *prog)
{
	if (!map_type(map->map->type_id)->holds_progs || prog->machine != map->machine)
		return -EINVAL;
	return update_held(map, key, prog->ref);
}

int skep_map_update_map(struct skep_map *map, const void *key, struct skep_map *inner)
{
	if (!map_type(map->map->type_id)->holds_maps || inner->machine != map->machine)
		return -EINVAL;
	return update_held(map, key, inner->map);
}
