/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_trace.c - call stacks, each once, by number. [runtime]
 *
 * A stack's hash chooses its place, which is its id. A place has room for two
 * stacks, so that a new one is written beside the old and published by one
 * store of the state word; readers copy and see whether that word changed.
 *
 *   state:  63    32 31     10 9          2 1      0
 *           | hash  | version | addresses  | half | used
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "map/map.h"
#include "map/owner.h"

enum { STACK_DEPTH_MAX = 127 };

struct stack_place {
	uint64_t state;
	uint64_t lock; /* of writers: an owner word */
};

struct stacks {
	struct stack_place *place;
	uint64_t *ips; /* two halves for each place */
	uint32_t count;
	uint32_t depth;
};

static int stacks_check(const struct map_spec *spec, struct skep_diag *diag)
{
	uint32_t item = spec->flags & BPF_F_STACK_BUILD_ID ? 32 : 8;

	if (spec->max_entries == 0 || spec->key_size != 4 || spec->value_size < 8 ||
	    spec->value_size % item || spec->value_size / item > STACK_DEPTH_MAX)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': key_size must be 4, value_size 1 to %d times %u, "
				 "max_entries not 0",
				 spec->name, STACK_DEPTH_MAX, item);
	if (spec->max_entries > 1u << 31)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': too many entries",
				 spec->name);
	return 0;
}

static int stacks_init(struct map *map, const struct map_spec *spec)
{
	struct stacks *stacks = memory_alloc(map->memory, sizeof(*stacks), 64);
	size_t count = 1;

	map->impl = stacks;
	if (!stacks)
		return -ENOMEM;
	while (count < spec->max_entries)
		count <<= 1;
	stacks->count = (uint32_t)count;
	stacks->depth = spec->value_size / 8;
	stacks->place = memory_alloc(map->memory, count * sizeof(*stacks->place), 64);
	stacks->ips = memory_alloc(map->memory, count * 2 * spec->value_size, 64);
	return stacks->place && stacks->ips ? 0 : -ENOMEM;
}

static void stacks_done(struct map *map)
{
	struct stacks *stacks = map->impl;

	if (!stacks)
		return;
	memory_release(map->memory, stacks->place, 0);
	memory_release(map->memory, stacks->ips, 0);
	memory_release(map->memory, stacks, 0);
	map->impl = NULL;
}

static uint64_t *stacks_ips(const struct stacks *stacks, uint32_t id, uint64_t state)
{
	return stacks->ips + ((size_t)id * 2 + (state >> 1 & 1)) * stacks->depth;
}

static uint32_t state_count(uint64_t state)
{
	return (uint32_t)(state >> 2 & 0xff);
}

/* The place is locked: writes the stack beside the one there is. */
static void stacks_write(struct stacks *stacks, uint32_t id, uint32_t hash, const uint64_t *ips,
			 uint32_t count)
{
	struct stack_place *place = &stacks->place[id];
	uint64_t old = place->state, version = (old >> 10) + 1;
	uint64_t state = (uint64_t)hash << 32 | (version & 0x3fffff) << 10 | count << 2 |
			 (~old & 2) | 1;

	memcpy(stacks_ips(stacks, id, state), ips, count * sizeof(*ips));
	__atomic_store_n(&place->state, state, __ATOMIC_RELEASE);
}

int64_t stack_trace_put(struct map *map, const uint64_t *ips, uint32_t count, uint64_t flags)
{
	struct stacks *stacks = map->impl;
	struct owner_table *owners = memory_owners(map->memory);
	uint32_t hash, id;
	uint64_t state;

	count = MIN(count, stacks->depth);
	hash = (uint32_t)hash_bytes(ips, count * sizeof(*ips), 0);
	id = hash & (stacks->count - 1);
	state = __atomic_load_n(&stacks->place[id].state, __ATOMIC_ACQUIRE);
	if ((state & 1) && state >> 32 == hash &&
	    ((flags & BPF_F_FAST_STACK_CMP) ||
	     (state_count(state) == count &&
	      memcmp(stacks_ips(stacks, id, state), ips, count * sizeof(*ips)) == 0)))
		return id;
	if ((state & 1) && !(flags & BPF_F_REUSE_STACKID))
		return -EEXIST;
	if (owner_lock(owners, &stacks->place[id].lock, owner_self(owners)) < 0)
		return -EBUSY;
	stacks_write(stacks, id, hash, ips, count);
	owner_unlock(&stacks->place[id].lock);
	return id;
}

static int stacks_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	struct stacks *stacks = map->impl;
	uint64_t state;
	uint32_t id;

	(void)flags;
	memcpy(&id, key, sizeof(id));
	if (id >= stacks->count)
		return -ENOENT;
	do {
		state = __atomic_load_n(&stacks->place[id].state, __ATOMIC_ACQUIRE);
		if (!(state & 1))
			return -ENOENT;
		memset(value, 0, map->value_size);
		memcpy(value, stacks_ips(stacks, id, state), state_count(state) * 8);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&stacks->place[id].state, __ATOMIC_RELAXED) != state);
	return 0;
}

static int stacks_user_update(struct map *map, const void *key, const void *value,
			      uint64_t flags)
{
	(void)map, (void)key, (void)value, (void)flags;
	return -EINVAL;
}

static int64_t stacks_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	struct stacks *stacks = map->impl;
	uint64_t state;
	uint32_t id;

	(void)cpu;
	memcpy(&id, key, sizeof(id));
	if (id >= stacks->count)
		return -E2BIG;
	/* Half and version stay, for readers on it. */
	state = __atomic_fetch_and(&stacks->place[id].state, ~1ull, __ATOMIC_ACQ_REL);
	return state & 1 ? 0 : -ENOENT;
}

static int stacks_next_key(struct map *map, const void *key, void *next)
{
	struct stacks *stacks = map->impl;
	uint32_t id = 0;

	if (key) {
		memcpy(&id, key, sizeof(id));
		id = id >= stacks->count || !(stacks->place[id].state & 1) ? 0 : id + 1;
	}
	for (; id < stacks->count; id++) {
		if (!(__atomic_load_n(&stacks->place[id].state, __ATOMIC_ACQUIRE) & 1))
			continue;
		memcpy(next, &id, sizeof(id));
		return 0;
	}
	return -ENOENT;
}

const struct map_type map_stack_trace = {
	.id = BPF_MAP_TYPE_STACK_TRACE,
	.needs = NEEDS_BPF,
	.name = "stack_trace",
	.doc = "Call stacks by number.",
	.flags = BPF_F_NUMA_NODE | BPF_F_STACK_BUILD_ID,
	.no_btf = true,
	.takes = true,
	.check = stacks_check,
	.init = stacks_init,
	.done = stacks_done,
	.remove = stacks_remove,
	.user_lookup = stacks_user_lookup,
	.user_update = stacks_user_update,
	.next_key = stacks_next_key,
};
