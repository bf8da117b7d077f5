/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fields.c - what a map value (or an allocated object) holds besides bytes:
 * locks, timers, kernel pointers, list heads.
 *
 * They are found in the value's BTF by the name of a member's type, or by the
 * tag on a pointer. Programs may not touch them as bytes; kernel pointers may be
 * loaded and stored whole.
 */
#include "verify/call.h"

static const struct {
	const char *name;
	uint32_t type, size;
} kinds[] = {
	{ "bpf_spin_lock", MAP_FIELD_SPIN_LOCK, 4 },
	{ "bpf_res_spin_lock", MAP_FIELD_RES_SPIN_LOCK, 4 },
	{ "bpf_timer", MAP_FIELD_TIMER, 16 },
	{ "bpf_wq", MAP_FIELD_WORKQUEUE, 16 },
	{ "bpf_list_head", MAP_FIELD_LIST_HEAD, 16 },
	{ "bpf_list_node", MAP_FIELD_LIST_NODE, 24 },
	{ "bpf_rb_root", MAP_FIELD_RB_ROOT, 16 },
	{ "bpf_rb_node", MAP_FIELD_RB_NODE, 32 },
	{ "bpf_refcount", MAP_FIELD_REFCOUNT, 4 },
	{ "bpf_task_work", MAP_FIELD_TASK_WORK, 8 },
};

static const struct {
	const char *tag;
	uint32_t type;
} pointer_tags[] = {
	{ "kptr_untrusted", MAP_FIELD_KPTR_UNREF },
	{ "kptr", MAP_FIELD_KPTR_REF },
	{ "percpu_kptr", MAP_FIELD_KPTR_PERCPU },
	{ "uptr", MAP_FIELD_UPTR },
};

const char *field_type_name(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].name;
	if (type & MAP_FIELD_KPTR)
		return type == MAP_FIELD_KPTR_PERCPU ? "percpu_kptr" : "kptr";
	return type == MAP_FIELD_UPTR ? "uptr" : "unknown";
}

static void add_field(struct map_fields *fields, uint32_t type, uint32_t off, uint32_t size,
		      const struct skep_btf *btf, uint32_t id)
{
	if (fields->count == ARRAY_SIZE(fields->field)) {
		fields->problem = "too many special fields";
		return;
	}
	fields->field[fields->count++] = (struct map_field){
		.type = type, .off = off, .size = size, .btf = btf, .btf_id = id,
	};
	fields->mask |= type;
}

/* A pointer: the tag before its target says what may be stored in it. */
static void add_pointer(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
			const struct btf_type *pointer, uint32_t off)
{
	const struct btf_type *tag = btf_type(btf, pointer->type), *target;
	uint32_t type = 0, id, kernel_id = 0;

	if (btf_kind(tag) != BTF_TYPE_TAG)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(pointer_tags); i++)
		if (strcmp(btf_name(btf, tag), pointer_tags[i].tag) == 0)
			type = pointer_tags[i].type;
	if (!type)
		return;
	id = btf_skip_mods(btf, tag->type);
	target = btf_type(btf, id);
	if (btf_kind(target) != BTF_STRUCT && btf_kind(target) != BTF_FWD)
		return;
	if (env->kernel_btf)
		kernel_id = skep_btf_find(env->kernel_btf, btf_name(btf, target), BTF_STRUCT);
	if (kernel_id)
		add_field(fields, type, off, 8, env->kernel_btf, kernel_id);
	else
		add_field(fields, type, off, 8, btf, id);
}

#define NESTING_MAX 8
#define LOOK_MAX 100000

static void find_in(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
		    uint32_t id, uint32_t off, unsigned depth);

static void find_in_array(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
			  const struct btf_type *type, uint32_t off, unsigned depth)
{
	const struct btf_array *array = btf_data(type);
	int64_t size = skep_btf_size(btf, array->type);

	/* An element without fields has none anywhere. */
	for (uint32_t i = 0; size > 0 && i < array->nelems && !fields->problem; i++) {
		uint32_t count = fields->count;

		find_in(env, fields, btf, array->type, off + i * (uint32_t)size, depth);
		if (fields->count == count)
			break;
	}
}

static void find_in(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
		    uint32_t id, uint32_t off, unsigned depth)
{
	const struct btf_type *type;

	/* Types can nest so that there is no end to looking. */
	if (fields->problem || ++fields->looked > LOOK_MAX) {
		fields->problem = "its type is too complex";
		return;
	}
	id = btf_skip_mods_and_typedefs(btf, id);
	type = btf_type(btf, id);
	if (btf_kind(type) == BTF_PTR) {
		add_pointer(env, fields, btf, type, off);
	} else if (btf_kind(type) == BTF_ARRAY && depth) {
		find_in_array(env, fields, btf, type, off, depth - 1);
	} else if (btf_kind(type) == BTF_STRUCT && depth) {
		const struct btf_member *member = btf_data(type);

		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (strcmp(btf_name(btf, type), kinds[i].name) != 0 ||
			    type->size != kinds[i].size)
				continue;
			add_field(fields, kinds[i].type, off, kinds[i].size, NULL, 0);
			return;
		}
		for (uint32_t i = 0; i < btf_vlen(type); i++)
			if (btf_member_bit_off(type, i) % 8 == 0 && !btf_member_bit_size(type, i))
				find_in(env, fields, btf, member[i].type,
					off + btf_member_bit_off(type, i) / 8, depth - 1);
	} else if (btf_kind(type) == BTF_DATASEC) {
		const struct btf_secinfo *info = btf_data(type);

		for (uint32_t i = 0; i < btf_vlen(type); i++)
			find_in(env, fields, btf, btf_type(btf, info[i].type)->type,
				info[i].offset, depth);
	}
}

/* --- remembered per environment --- */

struct cached {
	struct cached *next;
	const void *owner;       /* the map, or the BTF */
	uint32_t id;
	struct map_fields fields;
};

static const struct map_fields *cached_fields(struct env *env, const void *owner,
					      const struct skep_btf *btf, uint32_t id)
{
	struct cached *entry = (struct cached *)env->call_private;

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
	if (btf)
		find_in(env, &entry->fields, btf, id, 0, NESTING_MAX);
	return &entry->fields;
}

const struct map_fields *map_fields(struct env *env, const struct map_spec *map)
{
	if (!map->btf || !map->value_type)
		return cached_fields(env, map, NULL, 0);
	return cached_fields(env, map, map->btf, map->value_type);
}

const struct map_fields *record_fields(struct env *env, const struct skep_btf *btf, uint32_t id)
{
	return cached_fields(env, btf, btf, id);
}

const struct map_field *map_field_of(struct env *env, const struct map_spec *map, uint32_t type)
{
	const struct map_fields *fields = map_fields(env, map);

	for (uint32_t i = 0; fields && fields->mask & type && i < fields->count; i++)
		if (fields->field[i].type & type)
			return &fields->field[i];
	return NULL;
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
