/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fields.c - what a map value (or an allocated object) holds besides bytes:
 * locks, timers, kernel pointers, list heads.
 *
 * record.c finds them in a type; here is which of them a map may have, and what
 * programs may do with them. Programs may not touch them as bytes; kernel
 * pointers may be loaded and stored whole.
 */
#include "verify/call.h"

/* --- remembered per environment --- */

struct cached {
	struct cached *next;
	const void *owner;       /* the map, or the BTF */
	uint32_t id;
	struct map_fields fields;
};

/* The entry of an owner, new if there was none; NULL: no memory. */
static struct map_fields *cached_fields(struct env *env, const void *owner, uint32_t id,
					bool *fresh)
{
	struct cached *entry = (struct cached *)env->call_private;

	*fresh = false;
	for (; entry; entry = entry->next)
		if (entry->owner == owner && entry->id == id)
			return &entry->fields;
	entry = env_alloc(env, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->owner = owner;
	entry->id = id;
	entry->next = (struct cached *)env->call_private;
	env->call_private = entry;
	*fresh = true;
	return &entry->fields;
}

/* --- which map may have which --- */

#define MAP(name) (UINT64_C(1) << BPF_MAP_TYPE_##name)
#define STORAGES (MAP(SK_STORAGE) | MAP(INODE_STORAGE) | MAP(TASK_STORAGE) | MAP(CGRP_STORAGE))

static const struct {
	uint32_t fields;
	uint64_t maps;           /* 1 << BPF_MAP_TYPE_* */
} allowed[] = {
	{ MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK,
	  MAP(HASH) | MAP(ARRAY) | MAP(CGROUP_STORAGE) | STORAGES },
	{ MAP_FIELD_TIMER | MAP_FIELD_WORKQUEUE | MAP_FIELD_TASK_WORK,
	  MAP(HASH) | MAP(LRU_HASH) | MAP(ARRAY) },
	{ MAP_FIELD_KPTR | MAP_FIELD_REFCOUNT,
	  MAP(HASH) | MAP(PERCPU_HASH) | MAP(LRU_HASH) | MAP(LRU_PERCPU_HASH) | MAP(ARRAY) |
	  MAP(PERCPU_ARRAY) | STORAGES },
	{ MAP_FIELD_UPTR, MAP(TASK_STORAGE) },
	{ MAP_FIELD_GRAPH_ROOT, MAP(HASH) | MAP(LRU_HASH) | MAP(ARRAY) },
};

static void check_map_type(const struct map_spec *map, struct map_fields *fields)
{
	if (!fields->mask)
		return;
	if (map->flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) {
		fields->error = -EACCES;
		fields->problem = "special fields do not go with a map that programs may not "
				  "read and write";
	}
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (!(fields->mask & allowed[i].fields) ||
		    (map->type < 64 && allowed[i].maps >> map->type & 1))
			continue;
		fields->error = -EOPNOTSUPP;
		fields->problem = "maps of its type cannot have such a special field";
	}
	if (fields->problem) {
		fields->count = fields->mask = 0;
		fields->no_types = true;
	}
}

/* One structure that makes no sense, and Linux refuses all the types of the program. */
static void check_types(struct env *env, const struct skep_btf *btf, struct map_fields *fields)
{
	bool fresh;
	struct map_fields *first;

	first = cached_fields(env, btf, 0, &fresh);
	if (first && fresh)
		find_refused(env, first, btf);
	if (!first || first->problem)
		*fields = (struct map_fields){
			.problem = first ? first->problem : "out of memory",
			.error = first ? first->error : -ENOMEM,
			.of = first ? first->of : NULL,
			.no_types = true,
		};
}

const struct map_fields *map_fields(struct env *env, const struct map_spec *map)
{
	bool fresh;
	struct map_fields *fields = cached_fields(env, map, 0, &fresh);

	if (!fields || !fresh || !map->btf || !map->value_type)
		return fields;
	find_fields(env, fields, map->btf, map->value_type, true);
	if (fields->mask || fields->problem)
		check_types(env, map->btf, fields);
	check_map_type(map, fields);
	return fields;
}

const struct map_fields *record_fields(struct env *env, const struct skep_btf *btf, uint32_t id)
{
	bool fresh;
	struct map_fields *fields = cached_fields(env, btf, id, &fresh);

	if (fields && fresh && btf != env->kernel_btf) {
		find_fields(env, fields, btf, id, false);
		check_types(env, btf, fields);
	}
	return fields;
}

const struct map_fields *reg_fields(struct env *env, const struct reg *reg)
{
	if (reg->type == REG_MAP_VALUE)
		return map_fields(env, reg->map);
	if (reg->type == REG_BTF && reg->flags & REG_ALLOC)
		return record_fields(env, reg->btf, reg->btf_id);
	return NULL;
}

const struct map_field *field_of(const struct map_fields *fields, uint32_t type)
{
	for (uint32_t i = fields ? fields->count : 0; i-- > 0;)
		if (fields->field[i].type & type)
			return &fields->field[i];
	return NULL;
}

const struct map_field *map_field_of(struct env *env, const struct map_spec *map, uint32_t type)
{
	return field_of(map_fields(env, map), type);
}

const struct map_field *map_field_at(struct env *env, const struct map_spec *map, uint32_t off)
{
	const struct map_fields *fields = map_fields(env, map);

	for (uint32_t i = 0; fields && i < fields->count; i++)
		if (fields->field[i].off == off)
			return &fields->field[i];
	return NULL;
}

/* Without memory to look, as if it had: ids are kept for nothing. */
bool map_has_lock(struct env *env, const struct map_spec *map)
{
	const struct map_fields *fields = map_fields(env, map);

	return !fields || fields->mask & (MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK);
}

/* A map whose types Linux refuses is made without them. */
bool map_has_types(struct env *env, const struct map_spec *map)
{
	const struct map_fields *fields = map_fields(env, map);

	if (map->btf && fields && fields->problem && fields->of)
		explain(env, "struct %s is why there are no types: %s (%d)", fields->of,
			fields->problem, fields->error);
	else if (map->btf && fields && fields->problem)
		explain(env, "map '%s' cannot have its value's type: %s (%d)", map->name,
			fields->problem, fields->error);
	return map->btf && fields && !fields->no_types;
}

int check_field_arg(struct env *env, int regno, uint32_t type, const struct map_field **field)
{
	const struct reg *reg = call_arg(env, regno);
	const char *name = field_type_name(type), *map = reg->map->name;
	uint64_t off = (uint64_t)reg->off + reg->var.umin;

	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
				 "R%d doesn't have constant offset. %s has to be at the constant "
				 "offset", regno, name);
	if (!map_has_types(env, reg->map))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "map '%s' has to have BTF in order to use %s", map, name);
	*field = map_field_of(env, reg->map, type);
	if (!*field)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "map '%s' has no valid %s", map,
				 name);
	if ((*field)->off != off)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "off %llu doesn't point to 'struct %s' that is at %u",
				 (unsigned long long)off, name, (*field)->off);
	return 0;
}

/* --- kernel pointers in map values --- */

/* Objects that stay valid until the RCU section ends, once seen in it. */
static bool is_rcu_safe(const struct env *env, const struct map_field *field)
{
	static const char *const names[] = {
		"cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx", "prog_test_ref_kfunc",
	};
	const char *name = skep_btf_type_name(field->btf, field->btf_id);

	if (field->type == MAP_FIELD_KPTR_PERCPU)
		return true;
	if (field->type != MAP_FIELD_KPTR_REF)
		return false;
	if (field->btf != env->kernel_btf)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void load_pointer(struct env *env, const struct map_field *field, int value_regno)
{
	struct reg *reg = &state_regs(env->cur)[value_regno];
	uint32_t flags = REG_MAYBE_NULL | REG_UNTRUSTED;

	if (field->type == MAP_FIELD_UPTR) {
		int64_t size = skep_btf_size(field->btf, field->btf_id);

		reg_set_pointer(reg, REG_MEM, REG_MAYBE_NULL);
		reg->mem_size = size > 0 ? (uint32_t)size : 0;
		reg->id = new_id(env);
		return;
	}
	if (is_rcu_safe(env, field) && in_rcu_section(env)) {
		flags = REG_MAYBE_NULL | REG_RCU;
		if (field->type == MAP_FIELD_KPTR_PERCPU)
			flags |= REG_PERCPU;
		else if (field->btf != env->kernel_btf)
			flags |= REG_ALLOC;
	}
	reg_set_pointer(reg, REG_BTF, flags);
	reg->btf = field->btf;
	reg->btf_id = field->btf_id;
	reg->id = new_id(env);
}

static int store_pointer(struct env *env, const struct map_field *field, int value_regno)
{
	const struct reg *reg = &state_regs(env->cur)[value_regno];
	uint32_t fine = REG_MAYBE_NULL | REG_TRUSTED | REG_RCU | REG_UNTRUSTED;

	if (reg_is_zero(reg))
		return 0;
	if (reg->type == REG_BTF && !(reg->flags & ~fine) &&
	    btf_types_match(reg->btf, reg->btf_id, reg->off, field->btf, field->btf_id, false))
		return check_ptr_off(env, reg, value_regno, true);
	return reject(env, -EACCES, "invalid kptr access, R%d type=%s%s expected=%s%s or %s%s",
		      value_regno, reg_type_text(reg),
		      reg->type == REG_BTF ? skep_btf_type_name(reg->btf, reg->btf_id) : "",
		      "ptr_", skep_btf_type_name(field->btf, field->btf_id), "untrusted_ptr_",
		      skep_btf_type_name(field->btf, field->btf_id));
}

static int check_pointer_access(struct env *env, uint32_t pc, const struct map_field *field,
				int value_regno)
{
	const struct insn *insn = &env->insns[pc];

	if (insn->kind == INSN_LOAD) {
		if (value_regno >= 0)
			load_pointer(env, field, value_regno);
		return 1;
	}
	if (insn->kind != INSN_STORE)
		return reject(env, -EACCES,
			      "kptr in map can only be accessed using BPF_MEM instruction mode");
	if (field->type != MAP_FIELD_KPTR_UNREF)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES, "store to %s disallowed",
				 field->type == MAP_FIELD_UPTR ? "uptr" : "referenced kptr");
	if (insn->source_is_imm) {
		if (insn->imm)
			return reject(env, -EACCES,
				      "BPF_ST imm must be 0 when storing to kptr at off=%u", field->off);
		return 1;
	}
	{
		int error = store_pointer(env, field, insn->src);

		return error < 0 ? error : 1;
	}
}

/* The access touches this field: may it? 1: it is the field, whole. */
static int check_field(struct env *env, uint32_t pc, const struct reg *reg,
		       const struct map_field *field, int32_t off, uint32_t size, int value_regno)
{
	const char *name = field_type_name(field->type);

	if (!(field->type & (MAP_FIELD_KPTR | MAP_FIELD_UPTR)))
		return reject(env, -EACCES, "%s cannot be accessed directly by load/store", name);
	if (env->insns[pc].kind == INSN_CALL)
		return reject(env, -EACCES, "%s cannot be accessed indirectly by helper", name);
	if (!scalar_is_const(reg->var))
		return reject(env, -EACCES, "%s access cannot have variable offset", name);
	if ((int64_t)field->off != reg->off + off + (int64_t)reg->var.umin)
		return reject_as(env, SKEP_VERIFY_ALIGN, -EACCES,
				 "%s access misaligned expected=%u off=%lld", name, field->off,
				 (long long)(reg->off + off + (int64_t)reg->var.umin));
	if (size != 8)
		return reject(env, -EACCES, "%s access size must be BPF_DW", name);
	return check_pointer_access(env, pc, field, value_regno);
}

int check_map_fields(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		     enum access access, int value_regno)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	const struct map_fields *fields = map_fields(env, reg->map);
	int64_t first = (int64_t)reg->off + off + reg->var.smin;
	int64_t last = (int64_t)reg->off + off + (int64_t)reg->var.umax + size;

	(void)access;
	if (!fields)
		return -ENOMEM;
	for (uint32_t i = 0; i < fields->count; i++) {
		const struct map_field *field = &fields->field[i];

		if (first < (int64_t)field->off + field->size && field->off < last)
			return check_field(env, pc, reg, field, off, size, value_regno);
	}
	return 0;
}
