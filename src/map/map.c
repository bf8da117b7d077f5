/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - creating maps, and what user space does with them.
 *
 * The checks here are those Linux makes for every type in its system call; the
 * type's own are in its descriptor. User space gets copies: a value is read out
 * of the map as a program's lookup finds it.
 */
#include "map/map.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "map/special.h"
#include "map/types.h"

/* --- types --- */

static const struct map_type *const types[] = {
	&map_hash, &map_percpu_hash, &map_lru_hash, &map_lru_percpu_hash, &map_array,
	&map_percpu_array, &map_prog_array, &map_ringbuf, &map_perf_event_array, &map_lpm_trie,
	&map_array_of_maps, &map_hash_of_maps, &map_queue, &map_stack, &map_stack_trace,
	&map_bloom_filter, &map_devmap, &map_devmap_hash, &map_cpumap, &map_xskmap,
	&map_insn_array, &map_cgroup_array,
};

enum { TYPE_COUNT = __MAX_BPF_MAP_TYPE };

/* Rows by number; filled in once, with the same addresses whoever does it. */
static const struct map_type *by_id[TYPE_COUNT];

static void types_index(void)
{
	for (const struct map_type *type = map_others; type->name; type++)
		__atomic_store_n(&by_id[type->id], type, __ATOMIC_RELEASE);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		__atomic_store_n(&by_id[types[i]->id], types[i], __ATOMIC_RELEASE);
}

const struct map_type *map_type(uint32_t id)
{
	if (id >= TYPE_COUNT)
		return NULL;
	if (__builtin_expect(!__atomic_load_n(&by_id[id], __ATOMIC_ACQUIRE), 0))
		types_index();
	return by_id[id];
}

const struct map_type *map_type_by_name(const char *name)
{
	for (uint32_t id = 0; id < TYPE_COUNT; id++)
		if (strcmp(map_type(id)->name, name) == 0)
			return map_type(id);
	return NULL;
}

/* --- creation --- */

static int map_check_flags(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct map_type *type = map_type(spec->type);
	const uint32_t programs = BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
	const uint32_t users = BPF_F_RDONLY | BPF_F_WRONLY;

	if (spec->flags & ~type->flags)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': %s does not take flags %#x",
				 spec->name, type->name, spec->flags & ~type->flags);
	if ((spec->flags & programs) == programs || (spec->flags & users) == users)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s' is both read-only and write-only", spec->name);
	if (spec->extra != 0 && type->id != BPF_MAP_TYPE_BLOOM_FILTER &&
	    type->id != BPF_MAP_TYPE_ARENA)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': %s takes no map_extra",
				 spec->name, type->name);
	return 0;
}

bool map_prog_rdonly(const struct map_spec *spec)
{
	return (spec->flags & BPF_F_RDONLY_PROG) || map_type(spec->type)->prog_rdonly;
}

int map_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct map_type *type = map_type(spec->type);
	int error;

	if (!type)
		return skep_fail(diag, SKEP_MAP_TYPE, NULL, "map '%s': type %u is not known",
				 spec->name, spec->type);
	if (type->size_first && type->check(spec, NULL) == -E2BIG)
		return type->check(spec, diag);
	error = map_check_flags(spec, diag);
	return error < 0 ? error : type->check(spec, diag);
}

static void map_describe(struct map *map, const struct map_spec *spec, struct memory *memory,
			 struct vcpu_set *vcpus)
{
	map->type_id = spec->type;
	map->key_size = spec->key_size;
	map->value_size = spec->value_size;
	map->max_entries = spec->max_entries;
	map->flags = spec->flags | (map_prog_rdonly(spec) ? BPF_F_RDONLY_PROG : 0);
	map->extra = spec->extra;
	map->cpus = vcpu_count(vcpus);
	map->value_stride = (spec->value_size + 7) & ~7u;
	map->memory = memory;
	map->vcpus = vcpus;
	map->refs = 1;
	map->lock_off = -1;
	memcpy(map->name, spec->name, sizeof(map->name) - 1);
	map->name[sizeof(map->name) - 1] = '\0';
	special_find(map, spec);
}

struct map *map_new(const struct map_spec *spec, struct memory *memory, struct vcpu_set *vcpus,
		    int *error)
{
	const struct map_type *type = map_type(spec->type);
	struct map *map = NULL;

	*error = map_check(spec, NULL);
	if (*error < 0)
		return NULL;
	if (!type->init) {
		*error = -EOPNOTSUPP;
		return NULL;
	}
	map = memory_alloc(memory, sizeof(*map), 64);
	if (!map) {
		*error = -ENOMEM;
		return NULL;
	}
	map_describe(map, spec, memory, vcpus);
	*error = type->init(map, spec);
	if (*error < 0) {
		map_free(map);
		return NULL;
	}
	return map;
}

static bool map_describes(const struct map *map, struct memory *memory, struct vcpu_set *vcpus)
{
	const struct map_type *type = map_type(map->type_id);

	if (!type || !type->init || map->memory != memory || map->vcpus != vcpus ||
	    map->cpus != vcpu_count(vcpus) || map->value_stride != ((map->value_size + 7) & ~7u) ||
	    (map->lock_off != -1 &&
	     (map->lock_off < 0 || map->lock_off > (int64_t)map->value_size - 4)) ||
	    map->special_count > MAP_SPECIALS || map->name[sizeof(map->name) - 1])
		return false;
	for (uint32_t i = 0; i < map->special_count; i++)
		if (map->special[i].size > map->value_size ||
		    map->special[i].off > map->value_size - map->special[i].size)
			return false;
	return true;
}

bool map_sound(const struct map *map, struct memory *memory, struct vcpu_set *vcpus)
{
	const struct map_type *type;

	if (!memory_contains(memory, map, sizeof(*map), 64) ||
	    !map_describes(map, memory, vcpus))
		return false;
	if (map->inner && (!memory_contains(memory, map->inner, sizeof(*map), 64) ||
			   !map_type(map->inner->type_id)))
		return false;
	type = map_type(map->type_id);
	return memory_contains(memory, map->impl, 8, 8) && (!type->sound || type->sound(map));
}

void map_free(struct map *map)
{
	const struct map_type *type;

	if (!map)
		return;
	type = map_type(map->type_id);
	if (type->done)
		type->done(map);
	memory_release(map->memory, map, sizeof(*map));
}

struct map *map_ref(struct map *map)
{
	__atomic_fetch_add(&map->refs, 1, __ATOMIC_RELAXED);
	return map;
}

void map_unref(struct map *map)
{
	if (map && __atomic_fetch_sub(&map->refs, 1, __ATOMIC_ACQ_REL) == 1)
		memory_retire_map(map->memory, map);
}

size_t map_user_value_size(const struct map *map)
{
	const struct map_type *type = map_type(map->type_id);

	if (type->holds_maps || type->holds_progs)
		return sizeof(void *);
	return type->per_cpu ? (size_t)map->value_stride * map->cpus : map->value_size;
}

/* --- user space --- */

/* Flags that name CPUs: only for per-CPU maps, and then alone. */
static int map_check_cpu_flags(const struct map *map, uint64_t flags)
{
	if (!(flags & (BPF_F_CPU | BPF_F_ALL_CPUS)))
		return flags >> 32 ? -EINVAL : 0;
	if (!map_type(map->type_id)->per_cpu || (flags & BPF_F_LOCK))
		return -EINVAL;
	if ((flags & BPF_F_CPU) && (flags & BPF_F_ALL_CPUS))
		return -EINVAL;
	if (!(flags & BPF_F_CPU))
		return flags >> 32 ? -EINVAL : 0;
	return flags >> 32 < map->cpus ? 0 : -ERANGE;
}

static int map_lookup_all_cpus(struct map *map, const void *key, char *value, uint64_t flags)
{
	const struct map_type *type = map_type(map->type_id);
	uint32_t first = flags & BPF_F_CPU ? (uint32_t)(flags >> 32) : 0;
	uint32_t last = flags & BPF_F_CPU ? first : map->cpus - 1;

	for (uint32_t cpu = first; cpu <= last; cpu++) {
		const void *at = type->lookup_percpu(map, key, cpu);

		if (!at)
			return -ENOENT;
		memcpy(value, at, flags & BPF_F_CPU ? map->value_size : map->value_stride);
		value += map->value_stride;
	}
	return 0;
}

int map_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	const struct map_type *type = map_type(map->type_id);
	int error = map_check_cpu_flags(map, flags);
	void *at;

	if ((uint32_t)flags & ~(uint32_t)(BPF_F_LOCK | BPF_F_CPU))
		return -EINVAL;
	if (error < 0)
		return error;
	if ((flags & BPF_F_LOCK) && !special_has_lock(map))
		return -EINVAL;
	if (type->user_lookup)
		return type->user_lookup(map, key, value, flags);
	if (type->per_cpu)
		return map_lookup_all_cpus(map, key, value, flags);
	if (!type->lookup)
		return -ENOTSUPP;
	at = type->lookup(map, key, NULL);
	if (!at)
		return -ENOENT;
	if (flags & BPF_F_LOCK)
		return special_read_locked(map, value, at);
	special_fill(map, value, at);
	return 0;
}

int map_user_update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	const struct map_type *type = map_type(map->type_id);
	int error = map_check_cpu_flags(map, flags);

	if (__atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE))
		return -EPERM;
	if ((flags & BPF_F_LOCK) && !special_has_lock(map))
		return -EINVAL;
	if (error < 0)
		return error;
	if (type->user_update) {
		if ((uint32_t)flags & ~31u)
			return -EINVAL;
		return type->user_update(map, key, value, flags);
	}
	return type->update ? (int)type->update(map, key, value, flags, NULL) : -ENOTSUPP;
}

int map_user_remove(struct map *map, const void *key)
{
	const struct map_type *type = map_type(map->type_id);

	if (__atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE))
		return -EPERM;
	if (type->user_remove)
		return type->user_remove(map, key);
	return type->remove ? (int)type->remove(map, key, NULL) : -ENOTSUPP;
}

int map_user_next_key(struct map *map, const void *key, void *next)
{
	const struct map_type *type = map_type(map->type_id);

	return type->next_key ? type->next_key(map, key, next) : -ENOTSUPP;
}

int map_user_take(struct map *map, const void *key, void *value, uint64_t flags)
{
	const struct map_type *type = map_type(map->type_id);
	int error;

	if (__atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE))
		return -EPERM;
	if ((flags & ~(uint64_t)BPF_F_LOCK) || ((flags & BPF_F_LOCK) && !special_has_lock(map)))
		return -EINVAL;
	if (type->pop)
		return (int)type->pop(map, value);
	if (!type->takes)
		return -ENOTSUPP;
	error = map_user_lookup(map, key, value, flags);
	return error < 0 ? error : map_user_remove(map, key);
}
