/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_struct.c - reading a map itself, as the kernel's structure.
 *
 * Programs see struct bpf_array, bpf_htab ... of the kernel's types, all of which
 * begin with a struct bpf_map. Maps here are another structure, so that a load runs
 * only if what it reads is in both: then it goes to where that really is.
 *
 *   struct bpf_map   | ops | ... | map_type | key_size | value_size | ...
 *                                      |          '------.
 *   struct map       | type_id | id | key_size | ...  <--'
 *
 * Any other load is as good for the verifier, but the engines refuse the program.
 */
#include "verify/passes.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "btf/btf.h"
#include "map/map.h"

/* What Linux calls the structure of a map type. */
static const char *map_struct_name(uint32_t type)
{
	static const char *const names[__MAX_BPF_MAP_TYPE] = {
		[BPF_MAP_TYPE_HASH] = "bpf_htab",
		[BPF_MAP_TYPE_PERCPU_HASH] = "bpf_htab",
		[BPF_MAP_TYPE_LRU_HASH] = "bpf_htab",
		[BPF_MAP_TYPE_LRU_PERCPU_HASH] = "bpf_htab",
		[BPF_MAP_TYPE_HASH_OF_MAPS] = "bpf_htab",
		[BPF_MAP_TYPE_ARRAY] = "bpf_array",
		[BPF_MAP_TYPE_PROG_ARRAY] = "bpf_array",
		[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = "bpf_array",
		[BPF_MAP_TYPE_PERCPU_ARRAY] = "bpf_array",
		[BPF_MAP_TYPE_CGROUP_ARRAY] = "bpf_array",
		[BPF_MAP_TYPE_ARRAY_OF_MAPS] = "bpf_array",
		[BPF_MAP_TYPE_STACK_TRACE] = "bpf_stack_map",
		[BPF_MAP_TYPE_LPM_TRIE] = "lpm_trie",
		[BPF_MAP_TYPE_DEVMAP] = "bpf_dtab",
		[BPF_MAP_TYPE_DEVMAP_HASH] = "bpf_dtab",
		[BPF_MAP_TYPE_SOCKMAP] = "bpf_stab",
		[BPF_MAP_TYPE_SOCKHASH] = "bpf_shtab",
		[BPF_MAP_TYPE_CPUMAP] = "bpf_cpu_map",
		[BPF_MAP_TYPE_XSKMAP] = "xsk_map",
		[BPF_MAP_TYPE_REUSEPORT_SOCKARRAY] = "reuseport_array",
		[BPF_MAP_TYPE_QUEUE] = "bpf_queue_stack",
		[BPF_MAP_TYPE_STACK] = "bpf_queue_stack",
		[BPF_MAP_TYPE_RINGBUF] = "bpf_ringbuf_map",
		[BPF_MAP_TYPE_SK_STORAGE] = "bpf_local_storage_map",
		[BPF_MAP_TYPE_INODE_STORAGE] = "bpf_local_storage_map",
		[BPF_MAP_TYPE_TASK_STORAGE] = "bpf_local_storage_map",
		[BPF_MAP_TYPE_CGRP_STORAGE] = "bpf_local_storage_map",
		[BPF_MAP_TYPE_BLOOM_FILTER] = "bpf_bloom_filter",
		[BPF_MAP_TYPE_USER_RINGBUF] = "bpf_ringbuf_map",
		[BPF_MAP_TYPE_STRUCT_OPS] = "bpf_struct_ops_map",
		[BPF_MAP_TYPE_ARENA] = "bpf_arena",
		[BPF_MAP_TYPE_INSN_ARRAY] = "bpf_insn_array",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "bpf_map";
}

/* What is in both structures. */
static const struct shared_field {
	const char *name;        /* in struct bpf_map */
	uint32_t at, size;       /* in struct map */
} shared_fields[] = {
	{ "map_type", offsetof(struct map, type_id), sizeof(uint32_t) },
	{ "key_size", offsetof(struct map, key_size), sizeof(uint32_t) },
	{ "value_size", offsetof(struct map, value_size), sizeof(uint32_t) },
	{ "max_entries", offsetof(struct map, max_entries), sizeof(uint32_t) },
	{ "map_extra", offsetof(struct map, extra), sizeof(uint64_t) },
	{ "map_flags", offsetof(struct map, flags), sizeof(uint32_t) },
	{ "id", offsetof(struct map, id), sizeof(uint32_t) },
};

static const struct shared_field *shared_field(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared_fields); i++)
		if (strcmp(shared_fields[i].name, name) == 0)
			return &shared_fields[i];
	return NULL;
}

/* Whether [off, off + size) is in a field that maps here have, and how far that one is away. */
static bool find_shared(const struct skep_btf *btf, uint32_t off, uint32_t size, int32_t *shift)
{
	const struct btf_type *t = btf_type(btf, skep_btf_find(btf, "bpf_map", BTF_STRUCT));
	const struct btf_member *member = t ? btf_data(t) : NULL;

	for (uint32_t i = 0; t && i < btf_vlen(t); i++) {
		const struct shared_field *field = shared_field(btf_str(btf, member[i].name_off));
		uint32_t start = btf_member_bit_off(t, i) / 8;

		if (!field || off < start || off + size > start + field->size)
			continue;
		*shift = (int32_t)field->at - (int32_t)start;
		return true;
	}
	return false;
}

static void note_load(struct env *env, uint32_t pc, uint32_t off, uint32_t size)
{
	struct insn_info *info = &env->info[pc];
	int32_t shift = 0;

	if (find_shared(env->kernel_btf, off, size, &shift))
		info->map_shift = shift;
	else
		info->map_beyond = true;
	info->map_field = true;
}

int check_map_struct(struct env *env, uint32_t pc, int regno, int32_t at, uint32_t size,
		     enum access access, int value_regno)
{
	struct reg *reg = &state_regs(env->cur)[regno], kept = *reg;
	const char *name = map_struct_name(reg->map->type);
	uint32_t id = env->kernel_btf ? skep_btf_find(env->kernel_btf, name, BTF_STRUCT) : 0;
	int64_t off = (int64_t)reg->off + at;
	int err;

	if (!id)
		return reject(env, -EACCES, "R%d invalid mem access '%s'", regno,
			      reg_type_text(reg));
	if (!env->cap_perfmon)
		return reject_as(env, SKEP_VERIFY_CAPS, -EPERM,
				 "'struct %s' access is allowed only to CAP_PERFMON and "
				 "CAP_SYS_ADMIN", name);
	if (off < 0)
		return reject(env, -EACCES, "R%d is %s invalid negative access: off=%" PRId64,
			      regno, name, off);
	if (access & ACCESS_WRITE)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "only read from %s is supported", name);
	reg->type = REG_BTF;
	reg->flags = REG_UNTRUSTED;
	reg->btf = env->kernel_btf;
	reg->btf_id = id;
	err = check_btf_access(env, pc, regno, at, size, access, value_regno);
	if (value_regno != regno)
		*reg = kept;
	if (err < 0)
		return err;
	note_load(env, pc, (uint32_t)off, size);
	return 0;
}
