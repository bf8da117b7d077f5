/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redirect.c - where packets can be sent: devices, CPUs, AF_XDP sockets. [runtime]
 *
 * A value is a target and a program that goes on with the packet there:
 *
 *   | target, 4 bytes | program, 4 bytes |   devices: ifindex; CPUs: queue size
 *
 * A target of 0 is no entry. A target is one word, changed by one store, so
 * readers need no lock and see an entry or none; devmap_hash is hash.c's table.
 *
 * Ports are virtual here, so any ifindex but 0 names one, where Linux refuses
 * those no interface has. There are no descriptors of programs and of sockets:
 * a value that names one is refused, as Linux refuses a number that is none. So
 * the program reads as 0, none, and a map of sockets is always empty.
 */
#include <errno.h>

#include "map/array.h"
#include "map/hash.h"
#include "map/types.h"

enum { CPU_QUEUE_MAX = 16384, CPU_COUNT_MAX = 8192 };

struct target {
	uint32_t to;
	uint32_t prog;
};

/* --- creation --- */

static int redirect_check(const struct map_spec *spec, struct skep_diag *diag)
{
	bool wide = spec->type != BPF_MAP_TYPE_XSKMAP;

	if (spec->key_size != 4 || (spec->value_size != 4 && !(wide && spec->value_size == 8)) ||
	    spec->max_entries == 0)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': a %s map takes a key_size of 4, a value_size of %s, "
				 "and max_entries that are not 0",
				 spec->name, map_type(spec->type)->name, wide ? "4 or 8" : "4");
	if (spec->type == BPF_MAP_TYPE_CPUMAP && spec->max_entries > CPU_COUNT_MAX)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': more CPUs than there can be",
				 spec->name);
	if (spec->type == BPF_MAP_TYPE_DEVMAP_HASH && spec->max_entries > 1u << 31)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': too many entries",
				 spec->name);
	return 0;
}

static int redirect_init(struct map *map, const struct map_spec *spec)
{
	(void)spec;
	map->impl = memory_alloc(map->memory, (size_t)map->max_entries * sizeof(struct target), 64);
	return map->impl ? 0 : -ENOMEM;
}

static void redirect_done(struct map *map)
{
	memory_release(map->memory, map->impl, 0);
	map->impl = NULL;
}

/* --- entries by index --- */

static struct target *redirect_at(const struct map *map, uint32_t index)
{
	return (struct target *)map->impl + index;
}

static void *redirect_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	uint32_t index = array_index(key);
	struct target *target;

	(void)cpu;
	if (index >= map->max_entries)
		return NULL;
	target = redirect_at(map, index);
	return __atomic_load_n(&target->to, __ATOMIC_ACQUIRE) ? target : NULL;
}

/* A value as user space gives it, 4 or 8 bytes. */
static struct target target_read(const struct map *map, const void *value)
{
	struct target target = { 0 };

	memcpy(&target, value, map->value_size);
	return target;
}

static int64_t redirect_check_update(const struct map *map, uint32_t index, uint64_t flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	return flags == BPF_NOEXIST ? -EEXIST : 0;
}

static int64_t devmap_update(struct map *map, const void *key, const void *value, uint64_t flags,
			     struct vcpu *cpu)
{
	struct target target = target_read(map, value);
	int64_t error = redirect_check_update(map, array_index(key), flags);

	(void)cpu;
	if (error < 0)
		return error;
	if ((int32_t)target.prog > 0)
		return -EINVAL;
	__atomic_store_n(&redirect_at(map, array_index(key))->to, target.to, __ATOMIC_RELEASE);
	return 0;
}

static int64_t cpumap_update(struct map *map, const void *key, const void *value, uint64_t flags,
			     struct vcpu *cpu)
{
	struct target target = target_read(map, value);
	int64_t error = redirect_check_update(map, array_index(key), flags);

	(void)cpu;
	if (error < 0)
		return error;
	if (target.to > CPU_QUEUE_MAX)
		return -EOVERFLOW;
	if (array_index(key) >= map->cpus)
		return -ENODEV;
	if (target.to && (int32_t)target.prog > 0)
		return -EINVAL;
	__atomic_store_n(&redirect_at(map, array_index(key))->to, target.to, __ATOMIC_RELEASE);
	return 0;
}

/* As on Linux, an index with no entry may be deleted, and one out of range is EINVAL. */
static int64_t redirect_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	uint32_t index = array_index(key);

	(void)cpu;
	if (index >= map->max_entries)
		return -EINVAL;
	__atomic_store_n(&redirect_at(map, index)->to, 0, __ATOMIC_RELEASE);
	return 0;
}

const struct map_type map_devmap = {
	.id = BPF_MAP_TYPE_DEVMAP,
	.needs = NEEDS_NET_ADMIN,
	.name = "devmap",
	.doc = "Network devices to redirect packets to, by index.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.no_btf = true,
	.prog_rdonly = true,
	.check = redirect_check,
	.init = redirect_init,
	.done = redirect_done,
	.lookup = redirect_lookup,
	.update = devmap_update,
	.remove = redirect_remove,
	.next_key = array_next_key,
};

const struct map_type map_cpumap = {
	.id = BPF_MAP_TYPE_CPUMAP,
	.needs = NEEDS_BPF,
	.name = "cpumap",
	.doc = "CPUs to go on with a packet on, by index.",
	.flags = BPF_F_NUMA_NODE,
	.no_btf = true,
	.check = redirect_check,
	.init = redirect_init,
	.done = redirect_done,
	.lookup = redirect_lookup,
	.update = cpumap_update,
	.remove = redirect_remove,
	.next_key = array_next_key,
};

/* --- devices by any number --- */

static int64_t devmap_hash_update(struct map *map, const void *key, const void *value,
				  uint64_t flags, struct vcpu *cpu)
{
	struct target target = target_read(map, value);

	if (flags > BPF_EXIST || target.to == 0)
		return -EINVAL;
	if (flags == BPF_NOEXIST && hash_lookup(map, key, cpu))
		return -EEXIST;
	if ((int32_t)target.prog > 0)
		return -EINVAL;
	target.prog = 0;
	/* Linux does not ask that an entry be there for BPF_EXIST. */
	return hash_update(map, key, &target, flags == BPF_EXIST ? BPF_ANY : flags, cpu);
}

const struct map_type map_devmap_hash = {
	.id = BPF_MAP_TYPE_DEVMAP_HASH,
	.needs = NEEDS_NET_ADMIN,
	.name = "devmap_hash",
	.doc = "Network devices to redirect packets to, by any number.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.no_btf = true,
	.prog_rdonly = true,
	.check = redirect_check,
	.init = hash_init,
	.done = hash_pool_done,
	.lookup = hash_lookup,
	.update = devmap_hash_update,
	.remove = hash_remove,
	.next_key = hash_next_key,
};

/* --- sockets: there are none --- */

static int xskmap_init(struct map *map, const struct map_spec *spec)
{
	(void)map, (void)spec;
	return 0;
}

static void *xskmap_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	(void)map, (void)key, (void)cpu;
	return NULL;
}

static int xskmap_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	(void)map, (void)key, (void)value, (void)flags;
	return -EOPNOTSUPP;
}

static int64_t xskmap_update(struct map *map, const void *key, const void *value, uint64_t flags,
			     struct vcpu *cpu)
{
	uint32_t index = array_index(key);

	(void)value, (void)cpu;
	if (flags > BPF_EXIST)
		return -EINVAL;
	return index >= map->max_entries ? -E2BIG : -EBADF;
}

static int64_t xskmap_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	(void)cpu;
	return array_index(key) >= map->max_entries ? -EINVAL : 0;
}

const struct map_type map_xskmap = {
	.id = BPF_MAP_TYPE_XSKMAP,
	.needs = NEEDS_NET_ADMIN,
	.name = "xskmap",
	.doc = "AF_XDP sockets to redirect packets to.",
	.flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY,
	.no_btf = true,
	.check = redirect_check,
	.init = xskmap_init,
	.lookup = xskmap_lookup,
	.user_lookup = xskmap_user_lookup,
	.update = xskmap_update,
	.remove = xskmap_remove,
	.next_key = array_next_key,
};
