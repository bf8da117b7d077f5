/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * btf_access.c - loads through pointers to kernel objects.
 *
 * The object's BTF says what lies at an offset: a number, or a pointer to
 * another object. How far the result can be trusted follows from how far the
 * first pointer could, and from tags and lists in the kernel's BTF: a pointer
 * that was walked to is by default good for loads (which cannot fault, see
 * fault_zero) but not as an argument.
 */
#include "verify/call.h"

#include <stdio.h>

#define WALK_DEPTH_MAX 32

enum walk { WALK_SCALAR, WALK_POINTER, WALK_LEAF_POINTER };

struct step_to {
	uint32_t id;             /* WALK_POINTER: the structure pointed to */
	uint32_t flags;          /* enum reg_flag */
	const char *member;
};

static bool is_record(const struct btf_type *type)
{
	return btf_kind(type) == BTF_STRUCT || btf_kind(type) == BTF_UNION;
}

static const char *type_name(const struct skep_btf *btf, const struct btf_type *type)
{
	return btf_name(btf, type);
}

/* A pointer member: what its tags and target say. */
static enum walk walk_pointer(const struct skep_btf *btf, const struct btf_type *pointer,
			      struct step_to *to)
{
	const struct btf_type *target = btf_type(btf, pointer->type);

	if (btf_kind(target) == BTF_TYPE_TAG) {
		const char *tag = btf_name(btf, target);

		if (strcmp(tag, "user") == 0)
			to->flags |= REG_USER;
		else if (strcmp(tag, "percpu") == 0)
			to->flags |= REG_PERCPU;
		else if (strcmp(tag, "rcu") == 0)
			to->flags |= REG_RCU;
	}
	to->id = btf_skip_mods_and_typedefs(btf, pointer->type);
	target = btf_type(btf, to->id);
	if (btf_kind(target) == BTF_STRUCT || btf_kind(target) == BTF_UNION)
		return WALK_POINTER;
	return WALK_LEAF_POINTER;
}

/* The end of a structure is a flexible array: its elements go on. */
static const struct btf_type *flexible_end(const struct skep_btf *btf, const struct btf_type *type,
					   uint32_t *off)
{
	const struct btf_member *member = btf_data(type);
	const struct btf_type *last, *element;
	const struct btf_array *array;
	uint32_t count = btf_vlen(type), at;

	if (btf_kind(type) == BTF_UNION || !count)
		return NULL;
	at = btf_member_bit_off(type, count - 1) / 8;
	last = btf_type(btf, btf_skip_mods_and_typedefs(btf, member[count - 1].type));
	if (btf_kind(last) != BTF_ARRAY || *off < at)
		return NULL;
	array = btf_data(last);
	element = btf_type(btf, btf_skip_mods_and_typedefs(btf, array->type));
	if (array->nelems || !is_record(element) || !element->size)
		return NULL;
	*off = (*off - at) % element->size;
	return element;
}

/*
 * What size bytes at off of a structure are. Goes into the member that holds
 * them until it is no structure.
 */
static int walk(struct env *env, const struct skep_btf *btf, uint32_t id, uint32_t off,
		uint32_t size, struct step_to *to)
{
	const struct btf_type *type = btf_type(btf, id);
	unsigned depth = 0;

	if (btf_kind(type) == BTF_UNION && btf_vlen(type) != 1)
		to->flags |= REG_UNTRUSTED;
again:
	if (off + size > type->size) {
		const struct btf_type *element = flexible_end(btf, type, &off);

		/* Elements that end in such an array themselves could go on for ever. */
		if (!element || depth++ == WALK_DEPTH_MAX)
			return reject(env, -EACCES, "access beyond struct %s at off %u size %u",
				      type_name(btf, type), off, size);
		type = element;
		goto again;
	}
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = (const struct btf_member *)btf_data(type) + i;
		uint32_t bit = btf_member_bit_off(type, i), bits = btf_member_bit_size(type, i);
		uint32_t at = bit / 8, end, length;
		const struct btf_type *inner;

		if (bits) {
			if (off <= at && (bit + bits + 7) / 8 <= off + size)
				return WALK_SCALAR;
			continue;
		}
		if (off < at)
			break;
		inner = btf_type(btf, btf_skip_mods_and_typedefs(btf, member->type));
		length = (uint32_t)MAX(0, skep_btf_size(btf, member->type));
		end = at + length;
		if (off >= end)
			continue;
		while (btf_kind(inner) == BTF_ARRAY) {
			const struct btf_array *array = btf_data(inner);

			inner = btf_type(btf, btf_skip_mods_and_typedefs(btf, array->type));
			length = (uint32_t)MAX(0, skep_btf_size(btf, array->type));
			if (!length)
				break;
			at += (off - at) / length * length;
		}
		if (is_record(inner)) {
			/* Which member of a union is meant nobody knows. */
			if (btf_kind(inner) == BTF_UNION && btf_vlen(inner) != 1)
				to->flags |= REG_UNTRUSTED;
			off -= at;
			type = inner;
			goto again;
		}
		to->member = btf_str(btf, member->name_off);
		if (btf_kind(inner) == BTF_PTR) {
			if (length != size || off != at)
				return reject(env, -EACCES, "cannot access ptr member %s with moff %u "
					      "in struct %s with off %u size %u", to->member, at,
					      type_name(btf, type), off, size);
			return walk_pointer(btf, inner, to);
		}
		if (off + size > end && !(to->flags & REG_UNTRUSTED))
			return reject(env, -EACCES, "access beyond the end of member %s (mend:%u) in "
				      "struct %s with off %u size %u", to->member, end,
				      type_name(btf, type), off, size);
		return WALK_SCALAR;
	}
	return reject(env, -EINVAL, "struct %s doesn't have field at offset %u",
		      type_name(btf, type), off);
}

/* --- trust --- */

/*
 * The kernel's BTF lists members that are as good as the object they are read
 * from, in structures named after it: "task_struct__safe_rcu".
 */
static bool is_listed(const struct skep_btf *btf, uint32_t id, const char *suffix,
		      const struct step_to *to)
{
	char name[128];
	uint32_t list;
	const struct btf_type *type;
	const struct btf_member *member;

	if (!to->member || snprintf(name, sizeof(name), "%s%s", skep_btf_type_name(btf, id),
				    suffix) >= (int)sizeof(name))
		return false;
	list = skep_btf_find(btf, name, BTF_STRUCT);
	if (!list)
		return false;
	type = btf_type(btf, list);
	member = btf_data(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (strcmp(btf_str(btf, member[i].name_off), to->member) == 0)
			return true;
	return false;
}

/* The flags of a pointer walked to from reg. */
static uint32_t walked_flags(const struct env *env, const struct reg *reg,
			     const struct step_to *to)
{
	uint32_t plain = to->flags & ~(uint32_t)(REG_TRUSTED | REG_RCU);

	if (reg->flags & REG_UNTRUSTED)
		return (to->flags & (REG_PERCPU | REG_USER)) | REG_UNTRUSTED;
	if (!reg_is_trusted(reg) && !reg_is_rcu(reg))
		return plain;
	if (is_listed(reg->btf, reg->btf_id, "__safe_trusted", to))
		return to->flags | REG_TRUSTED;
	if (is_listed(reg->btf, reg->btf_id, "__safe_trusted_or_null", to))
		return to->flags | REG_TRUSTED | REG_MAYBE_NULL;
	if (in_rcu_section(env) && !reg_maybe_null(reg)) {
		if (is_listed(reg->btf, reg->btf_id, "__safe_rcu", to))
			return to->flags | REG_RCU;
		if (to->flags & REG_RCU ||
		    is_listed(reg->btf, reg->btf_id, "__safe_rcu_or_null", to))
			return to->flags | REG_RCU | REG_MAYBE_NULL;
		if (to->flags & (REG_PERCPU | REG_USER))
			return to->flags;
		return plain;
	}
	return REG_UNTRUSTED | plain;
}

/* --- the access --- */

static int check_pointer(struct env *env, const struct reg *reg, int regno, int32_t off,
			 enum access access)
{
	const char *name = skep_btf_type_name(reg->btf, reg->btf_id);

	if (!env->cap_perfmon)
		return reject_as(env, SKEP_VERIFY_CAPS, -EPERM,
				 "'struct %s' access is allowed only to CAP_PERFMON and "
				 "CAP_SYS_ADMIN", name);
	if (!env->gpl && reg->btf == env->kernel_btf)
		return reject_as(env, SKEP_VERIFY_GPL, -EINVAL,
				 "Cannot access kernel 'struct %s' from non-GPL compatible "
				 "program", name);
	if (!scalar_is(reg->var, 0))
		return reject(env, -EACCES, "R%d is ptr_%s invalid variable offset: off=%d, "
			      "var_off=(0x%llx; 0x%llx)", regno, name, off,
			      (unsigned long long)reg->var.bits.value,
			      (unsigned long long)reg->var.bits.mask);
	if (reg->off + off < 0)
		return reject(env, -EACCES, "R%d is ptr_%s invalid negative access: off=%d", regno,
			      name, reg->off + off);
	if (reg->flags & REG_USER)
		return reject(env, -EACCES, "R%d is ptr_%s access user memory: off=%d", regno, name,
			      reg->off + off);
	if (reg->flags & REG_PERCPU)
		return reject(env, -EACCES, "R%d is ptr_%s access percpu memory: off=%d", regno, name,
			      reg->off + off);
	if (access != ACCESS_READ && !(reg->flags & REG_ALLOC))
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES, "only read is supported");
	return 0;
}

/* What programs of some types may write in kernel objects. */
static bool may_write(const struct env *env, const struct reg *reg, const char *member)
{
	static const struct {
		uint32_t type;
		const char *record, *member;
	} writable[] = {
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "snd_cwnd" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "snd_cwnd_cnt" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "snd_cwnd_stamp" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "snd_ssthresh" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "ecn_flags" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "app_limited" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "sk_pacing_rate" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "sk_pacing_status" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "icsk_ca_priv" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "tcp_sock", "pending" },
		{ BPF_PROG_TYPE_STRUCT_OPS, "bpf_dummy_ops_state", "val" },
		{ BPF_PROG_TYPE_SCHED_CLS, "nf_conn", "mark" },
		{ BPF_PROG_TYPE_XDP, "nf_conn", "mark" },
	};
	const char *name = skep_btf_type_name(reg->btf, reg->btf_id);

	for (size_t i = 0; member && i < ARRAY_SIZE(writable); i++)
		if (env->spec->type->id == writable[i].type &&
		    strcmp(name, writable[i].record) == 0 && strcmp(member, writable[i].member) == 0)
			return true;
	return false;
}

/* Objects of the program's own: anything but their special fields. */
static int check_own_object(struct env *env, const struct reg *reg, int32_t off, uint32_t size)
{
	const struct map_fields *fields = record_fields(env, reg->btf, reg->btf_id);
	uint32_t at = (uint32_t)(reg->off + off);

	for (uint32_t i = 0; fields && i < fields->count; i++)
		if (at < fields->field[i].off + fields->field[i].size &&
		    fields->field[i].off < at + size)
			return reject(env, -EACCES, "direct access to %s is disallowed",
				      field_type_name(fields->field[i].type));
	return 0;
}

static void set_loaded(struct env *env, struct reg *out, enum walk kind, const struct reg *from,
		       const struct step_to *to)
{
	struct reg base = *from;

	if (kind == WALK_SCALAR || (base.flags & REG_ALLOC && base.btf != env->kernel_btf)) {
		reg_set_unknown(env, out);
		return;
	}
	if (kind == WALK_LEAF_POINTER) {
		/* Bytes at an address nobody vouches for: loads give 0 where it faults. */
		reg_set_pointer(out, REG_MEM, REG_RDONLY | REG_UNTRUSTED);
		out->mem_size = 0;
		return;
	}
	reg_set_pointer(out, REG_BTF, walked_flags(env, &base, to));
	out->btf = base.btf;
	out->btf_id = to->id;
	if (reg_maybe_null(out))
		out->id = new_id(env);
}

int check_btf_access(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		     enum access access, int value_regno)
{
	struct reg *regs = state_regs(env->cur);
	struct step_to to = { 0 };
	int kind, error = 0;
	bool own = regs[regno].flags & REG_ALLOC;

	(void)pc;
	/* Which writes are allowed depends on the member, so walk first. */
	if (access != ACCESS_READ && !own && env->gpl && scalar_is(regs[regno].var, 0) &&
	    regs[regno].off + off >= 0 && env->spec->type->id != BPF_PROG_TYPE_TRACING) {
		kind = walk(env, regs[regno].btf, regs[regno].btf_id,
			    (uint32_t)(regs[regno].off + off), size, &to);
		if (kind < 0)
			return kind;
		if (may_write(env, &regs[regno], to.member))
			return 0;
	}
	error = check_pointer(env, &regs[regno], regno, off, access);
	if (error == 0 && own)
		error = check_own_object(env, &regs[regno], off, size);
	if (error < 0)
		return error;
	to = (struct step_to){ 0 };
	kind = walk(env, regs[regno].btf, regs[regno].btf_id, (uint32_t)(regs[regno].off + off), size,
		    &to);
	if (kind < 0)
		return kind;
	if (access == ACCESS_READ && value_regno >= 0)
		set_loaded(env, &regs[value_regno], (enum walk)kind, &regs[regno], &to);
	return 0;
}

/* --- kernel variables --- */

static bool is_percpu(const struct skep_btf *btf, uint32_t var)
{
	uint32_t id = skep_btf_find(btf, ".data..percpu", BTF_DATASEC);
	const struct btf_type *section = btf_type(btf, id);
	const struct btf_secinfo *info = btf_data(section);

	for (uint32_t i = 0; id && i < btf_vlen(section); i++)
		if (info[i].type == var)
			return true;
	return false;
}

int check_ld_btf_id(struct env *env, uint32_t pc, struct reg *dst)
{
	uint32_t id = (uint32_t)env->insns[pc].imm, target;
	const struct skep_btf *btf = env->kernel_btf;
	const struct btf_type *type;
	int64_t size;

	if (!btf || id == 0 || id > skep_btf_count(btf))
		return reject(env, -ENOENT, "ldimm64 insn specifies invalid btf_id %u.", id);
	type = btf_type(btf, id);
	if (btf_kind(type) == BTF_FUNC) {
		reg_set_pointer(dst, REG_MEM, REG_RDONLY);
		dst->mem_size = 0;
		return 0;
	}
	target = btf_skip_mods_and_typedefs(btf, type->type);
	if (is_percpu(btf, id) || btf_kind(btf_type(btf, target)) == BTF_STRUCT) {
		reg_set_pointer(dst, REG_BTF, is_percpu(btf, id) ? REG_PERCPU : 0);
		dst->btf = btf;
		dst->btf_id = is_percpu(btf, id) ? type->type : target;
		return 0;
	}
	size = skep_btf_size(btf, target);
	if (size < 0)
		return reject(env, -EINVAL, "ldimm64 unable to resolve the size of type '%s'",
			      skep_btf_type_name(btf, target));
	reg_set_pointer(dst, REG_MEM, REG_RDONLY);
	dst->mem_size = (uint32_t)size;
	return 0;
}
