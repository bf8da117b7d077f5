/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - maps as programs use them. [runtime]
 *
 * The verifier has proved a map argument a map, a key readable for the map's key
 * size and a value for its value size; an operation a map type lacks is NULL.
 */
#include "helper/list.h"

#include <errno.h>

static struct map *map_arg(uint64_t arg) { return (struct map *)(uintptr_t)arg; }

static uint64_t map_lookup_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	if (!type->lookup)
		return 0;
	return (uintptr_t)type->lookup(map, (const void *)(uintptr_t)arg[1], vm->cpu);
}

const struct helper helper_map_lookup_elem = {
	.id = 1,
	.name = "map_lookup_elem",
	.prototype = "void *bpf_map_lookup_elem(struct bpf_map *map, const void *key)",
	.doc = "Returns the address of the value stored under a key, or NULL if there is none.",
	.types = TYPES_ALL,
	.packet_access = true,
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY } },
	.call = map_lookup_elem,
};

static uint64_t map_update_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	if (!type->update)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)type->update(map, (const void *)(uintptr_t)arg[1],
				      (const void *)(uintptr_t)arg[2], arg[3], vm->cpu);
}

const struct helper helper_map_update_elem = {
	.id = 2,
	.name = "map_update_elem",
	.prototype = "long bpf_map_update_elem(struct bpf_map *map, const void *key, "
	             "const void *value, u64 flags)",
	.doc = "Stores a copy of a value under a key; flags say whether the "
	       "key may or must exist.",
	.types = TYPES_ALL,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_MAP_VALUE }, { ARG_ANYTHING } },
	.call = map_update_elem,
};

static uint64_t map_delete_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	if (!type->remove)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)type->remove(map, (const void *)(uintptr_t)arg[1], vm->cpu);
}

const struct helper helper_map_delete_elem = {
	.id = 3,
	.name = "map_delete_elem",
	.prototype = "long bpf_map_delete_elem(struct bpf_map *map, const void *key)",
	.doc = "Removes a key and its value.",
	.types = TYPES_ALL,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY } },
	.call = map_delete_elem,
};

static uint64_t map_push_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	(void)vm;
	if (!type->push)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)type->push(map, (const void *)(uintptr_t)arg[1], arg[2]);
}

const struct helper helper_map_push_elem = {
	.id = 87,
	.name = "map_push_elem",
	.prototype = "long bpf_map_push_elem(struct bpf_map *map, const void *value, "
	             "u64 flags)",
	.doc = "Adds a value to a queue, stack or Bloom filter.",
	.types = TYPES_ALL,
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_VALUE }, { ARG_ANYTHING } },
	.call = map_push_elem,
};

static uint64_t map_pop_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	(void)vm;
	if (!type->pop)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)type->pop(map, (void *)(uintptr_t)arg[1]);
}

const struct helper helper_map_pop_elem = {
	.id = 88,
	.name = "map_pop_elem",
	.prototype = "long bpf_map_pop_elem(struct bpf_map *map, void *value)",
	.doc = "Takes the next value off a queue or stack.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_VALUE, ARG_UNINIT } },
	.call = map_pop_elem,
};

static uint64_t map_peek_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	(void)vm;
	if (!type->peek)
		return (uint64_t)-EOPNOTSUPP;
	return (uint64_t)type->peek(map, (void *)(uintptr_t)arg[1]);
}

const struct helper helper_map_peek_elem = {
	.id = 89,
	.name = "map_peek_elem",
	.prototype = "long bpf_map_peek_elem(struct bpf_map *map, void *value)",
	.doc = "Copies the next value of a queue or stack, or asks a Bloom filter for one.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_VALUE, ARG_UNINIT } },
	.call = map_peek_elem,
};

static uint64_t map_lookup_percpu_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);

	(void)vm;
	if (!type->lookup_percpu || (uint32_t)arg[2] >= map->cpus)
		return 0;
	return (uintptr_t)type->lookup_percpu(map, (const void *)(uintptr_t)arg[1],
					      (uint32_t)arg[2]);
}

const struct helper helper_map_lookup_percpu_elem = {
	.id = 195,
	.name = "map_lookup_percpu_elem",
	.prototype = "void *bpf_map_lookup_percpu_elem(struct bpf_map *map, const "
	             "void *key, u32 cpu)",
	.doc = "Returns the address of a value's copy for a given CPU, or NULL.",
	.types = TYPES_BASE,
	.packet_access = true,
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
	.call = map_lookup_percpu_elem,
};

struct each {
	struct vm *vm;
	uint64_t fn, ctx;
};

static int64_t each_call(void *arg, struct map *map, const void *key, void *value)
{
	struct each *each = arg;

	return (int64_t)each->vm->callback(each->vm, each->fn, (uintptr_t)map, (uintptr_t)key,
					   (uintptr_t)value, each->ctx, 0);
}

static uint64_t for_each_map_elem(struct vm *vm, const uint64_t arg[5])
{
	struct map *map = map_arg(arg[0]);
	const struct map_type *type = map_type(map->type_id);
	struct each each = { .vm = vm, .fn = arg[1], .ctx = arg[2] };

	if (!type->each || arg[3])
		return (uint64_t)-EINVAL;
	return (uint64_t)type->each(map, each_call, &each, vm->cpu);
}

const struct helper helper_for_each_map_elem = {
	.id = 164,
	.name = "for_each_map_elem",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_for_each_map_elem(struct bpf_map *map, void "
	             "*callback_fn, void *callback_ctx, u64 flags)",
	.doc = "Calls a function for each element of a map.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_FUNC },
		{ ARG_PTR_TO_STACK, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
	.call = for_each_map_elem,
};
