/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * other.c - map types that Skep checks but cannot create yet.
 *
 * Their rows have no init. Each row's rule says what Linux wants of a map of
 * the type, so that an object file that uses one is judged like any other.
 */
#include <errno.h>

#include "base/base.h"
#include "map/types.h"

enum { MAX_ANY, MAX_NONZERO, MAX_ZERO, MAX_RING, MAX_ONE };

struct rule {
	uint32_t type;
	int32_t key;          /* bytes; -1: any but 0; -2: a cgroup storage key */
	int32_t value[2];     /* bytes, either; -1: any but 0 */
	int max;              /* MAX_* */
	uint32_t needs;       /* flags that must be set */
	uint32_t value_limit; /* 0: none */
};

static const struct rule rules[] = {
	{ BPF_MAP_TYPE_SOCKMAP, 4, { 4, 8 }, MAX_NONZERO, 0, 0 },
	{ BPF_MAP_TYPE_SOCKHASH, -1, { 4, 8 }, MAX_NONZERO, 0, 0 },
	{ BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, { 4, 8 }, MAX_NONZERO, 0, 0 },
	{ BPF_MAP_TYPE_CGROUP_STORAGE, -2, { -1, -1 }, MAX_ZERO, 0, (4u << 20) - 128 },
	{ BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, -2, { -1, -1 }, MAX_ZERO, 0, 32768 },
	{ BPF_MAP_TYPE_SK_STORAGE, 4, { -1, -1 }, MAX_ZERO, BPF_F_NO_PREALLOC, 65408 },
	{ BPF_MAP_TYPE_INODE_STORAGE, 4, { -1, -1 }, MAX_ZERO, BPF_F_NO_PREALLOC, 65408 },
	{ BPF_MAP_TYPE_TASK_STORAGE, 4, { -1, -1 }, MAX_ZERO, BPF_F_NO_PREALLOC, 65408 },
	{ BPF_MAP_TYPE_CGRP_STORAGE, 4, { -1, -1 }, MAX_ZERO, BPF_F_NO_PREALLOC, 65408 },
	{ BPF_MAP_TYPE_STRUCT_OPS, 4, { -1, -1 }, MAX_ONE, 0, 0 },
	{ BPF_MAP_TYPE_USER_RINGBUF, 0, { 0, 0 }, MAX_RING, 0, 0 },
	{ BPF_MAP_TYPE_ARENA, 0, { 0, 0 }, MAX_NONZERO, BPF_F_MMAPABLE, 0 },
	{ BPF_MAP_TYPE_RHASH, -1, { -1, -1 }, MAX_NONZERO, 0, 0 },
};

static bool rule_key_fits(const struct rule *rule, uint32_t key)
{
	if (rule->key == -2)
		return key == 8 || key == 16;
	return rule->key == -1 ? key != 0 : key == (uint32_t)rule->key;
}

static bool rule_value_fits(const struct rule *rule, uint32_t value)
{
	if (rule->value[0] == -1)
		return value != 0;
	return value == (uint32_t)rule->value[0] || value == (uint32_t)rule->value[1];
}

static bool rule_max_fits(const struct rule *rule, uint32_t max)
{
	switch (rule->max) {
	case MAX_NONZERO:
		return max != 0;
	case MAX_ZERO:
		return max == 0;
	case MAX_ONE:
		return max == 1;
	case MAX_RING:
		return max != 0 && !(max & (max - 1)) && max % 4096 == 0;
	default:
		return true;
	}
}

static int other_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct rule *rule = rules;
	const char *what = NULL;

	while (rule->type != spec->type)
		rule++; /* every row below has a rule; a test sees to it */
	if (!rule_key_fits(rule, spec->key_size))
		what = "key_size";
	else if (!rule_value_fits(rule, spec->value_size))
		what = "value_size";
	else if (rule->value_limit && spec->value_size > rule->value_limit)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': a value of %u bytes",
				 spec->name, spec->value_size);
	else if (!rule_max_fits(rule, spec->max_entries))
		what = "max_entries";
	else if ((spec->flags & rule->needs) != rule->needs)
		what = "map_flags";
	if (what)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s': a %s map does not take this %s",
				 spec->name, map_type(spec->type)->name, what);
	if (rule->type == BPF_MAP_TYPE_SOCKHASH && spec->key_size > 512)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': a key of %u bytes",
				 spec->name, spec->key_size);
	return 0;
}

static int unspec_check(const struct map_spec *spec, struct skep_diag *diag)
{
	return skep_fail(diag, SKEP_MAP_ATTR, NULL, "map '%s' has no type", spec->name);
}

#define STORAGE_FLAGS (BPF_F_NO_PREALLOC | BPF_F_CLONE)
#define SOCK_FLAGS (BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY)

const struct map_type map_others[] = {
	{ .id = BPF_MAP_TYPE_UNSPEC, .name = "unspec", .doc = "No map.", .check = unspec_check },
	{ .id = BPF_MAP_TYPE_SOCKMAP, .name = "sockmap", .needs = NEEDS_NET_ADMIN, .check = other_check,
	  .flags = SOCK_FLAGS, .no_btf = true, .doc = "Sockets by index." },
	{ .id = BPF_MAP_TYPE_SOCKHASH, .name = "sockhash", .needs = NEEDS_NET_ADMIN, .check = other_check,
	  .flags = SOCK_FLAGS, .no_btf = true, .doc = "Sockets under keys of any bytes." },
	{ .id = BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, .name = "reuseport_sockarray", .needs = NEEDS_BPF,
	  .check = other_check, .flags = BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS, .no_btf = true,
	  .doc = "Sockets of a reuseport group, to choose one for a packet." },
	{ .id = BPF_MAP_TYPE_CGROUP_STORAGE, .name = "cgroup_storage", .size_first = true, .check = other_check,
	  .flags = BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS,
	  .doc = "A value for each attachment of a program to a cgroup." },
	{ .id = BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, .name = "percpu_cgroup_storage", .size_first = true,
	  .check = other_check, .flags = BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS, .per_cpu = true,
	  .doc = "A per-CPU value for each attachment of a program to a cgroup." },
	{ .id = BPF_MAP_TYPE_SK_STORAGE, .name = "sk_storage", .needs = NEEDS_BPF, .check = other_check,
	  .flags = STORAGE_FLAGS, .doc = "A value for each socket." },
	{ .id = BPF_MAP_TYPE_INODE_STORAGE, .name = "inode_storage", .needs = NEEDS_BPF, .check = other_check,
	  .flags = STORAGE_FLAGS, .doc = "A value for each inode." },
	{ .id = BPF_MAP_TYPE_TASK_STORAGE, .name = "task_storage", .needs = NEEDS_BPF, .check = other_check,
	  .flags = STORAGE_FLAGS, .doc = "A value for each task." },
	{ .id = BPF_MAP_TYPE_CGRP_STORAGE, .name = "cgrp_storage", .needs = NEEDS_BPF, .check = other_check,
	  .flags = STORAGE_FLAGS, .doc = "A value for each cgroup." },
	{ .id = BPF_MAP_TYPE_STRUCT_OPS, .name = "struct_ops", .needs = NEEDS_BPF, .check = other_check,
	  .flags = BPF_F_VTYPE_BTF_OBJ_FD | BPF_F_LINK,
	  .doc = "A kernel structure of function pointers, filled with programs." },
	{ .id = BPF_MAP_TYPE_USER_RINGBUF, .name = "user_ringbuf", .check = other_check,
	  .flags = BPF_F_NUMA_NODE, .doc = "Records from user space to programs." },
	{ .id = BPF_MAP_TYPE_ARENA, .name = "arena", .needs = NEEDS_BPF, .check = other_check,
	  .flags = BPF_F_SEGV_ON_FAULT | BPF_F_MMAPABLE | BPF_F_NO_USER_CONV,
	  .doc = "Memory with the same pointers in programs and user space." },
	{ .id = BPF_MAP_TYPE_RHASH, .name = "rhash", .needs = NEEDS_BPF, .check = other_check,
	  .flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS,
	  .doc = "A hash that grows with its contents." },
	{ .name = NULL },
};
