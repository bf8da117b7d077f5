/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn_array.c - places in a program, to jump to. [runtime]
 *
 * To user space an element is struct insn_place: the instruction it stands for.
 * To programs the map is one row of addresses, eight bytes each; an address
 * is what gotox takes, and that is the instruction's number.
 *
 * map->impl is the addresses, then the elements.
 */
#include <errno.h>
#include <string.h>

#include "map/array.h"

/* Linux's struct bpf_insn_array_value. */
struct insn_place {
	uint32_t original, translated, native, pad;
};

static uint64_t *addresses(const struct map *map)
{
	return map->impl;
}

static struct insn_place *places(const struct map *map)
{
	return (struct insn_place *)(void *)(addresses(map) + map->max_entries + map->max_entries % 2);
}

static int insn_array_check(const struct map_spec *spec, struct skep_diag *diag)
{
	if (spec->key_size == 4 && spec->value_size == sizeof(struct insn_place) &&
	    spec->max_entries)
		return 0;
	return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': an instruction array has keys of 4 "
			 "bytes, values of 16, and entries", spec->name);
}

static void set_place(struct map *map, uint32_t index, uint32_t insn)
{
	places(map)[index] = (struct insn_place){ .original = insn, .translated = insn };
	addresses(map)[index] = insn;
}

/* The table of a program has its places from the start. */
static int insn_array_init(struct map *map, const struct map_spec *spec)
{
	size_t each = sizeof(uint64_t) + sizeof(struct insn_place);

	map->impl = memory_alloc(map->memory, each * ((size_t)map->max_entries + 1), 64);
	if (!map->impl)
		return -ENOMEM;
	for (uint32_t i = 0; spec->targets && i < map->max_entries; i++)
		set_place(map, i, spec->targets[i]);
	if (spec->targets)
		map->frozen = 1;
	return 0;
}

static void insn_array_done(struct map *map)
{
	memory_release(map->memory, map->impl, 0);
	map->impl = NULL;
}

static int insn_array_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	uint32_t index = array_index(key);

	if (flags)
		return -EINVAL;
	if (index >= map->max_entries)
		return -ENOENT;
	memcpy(value, &places(map)[index], sizeof(struct insn_place));
	return 0;
}

/* Where the instruction went is not for user space to say. */
static int insn_array_user_update(struct map *map, const void *key, const void *value,
				  uint64_t flags)
{
	struct insn_place place;
	int error;

	memcpy(&place, value, sizeof(place));
	error = array_check_update(map, array_index(key), flags);
	if (error < 0)
		return error;
	if ((flags & BPF_F_LOCK) || place.translated || place.native)
		return -EINVAL;
	set_place(map, array_index(key), place.original);
	places(map)[array_index(key)].translated = 0;
	return 0;
}

static int insn_array_direct_value(struct map *map, uint64_t *address, uint32_t off)
{
	if (off / sizeof(uint64_t) >= map->max_entries)
		return -EACCES;
	*address = (uint64_t)(uintptr_t)map->impl + off;
	return 0;
}

const struct map_type map_insn_array = {
	.id = BPF_MAP_TYPE_INSN_ARRAY,
	.name = "insn_array",
	.doc = "Places in a program, to jump to.",
	.needs = NEEDS_BPF,
	.prog_rdonly = true,
	.check = insn_array_check,
	.init = insn_array_init,
	.done = insn_array_done,
	.remove = array_remove,
	.next_key = array_next_key,
	.user_lookup = insn_array_user_lookup,
	.user_update = insn_array_user_update,
	.direct_value = insn_array_direct_value,
};
