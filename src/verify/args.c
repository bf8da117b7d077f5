/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * args.c - is a register what a helper's argument must be?
 *
 * Each kind of argument accepts a list of register types (the table below, in
 * the order messages name them). A register of a right type is then checked for
 * what the kind adds: readable or writable memory of a size, a kernel object of
 * a type, a lock, a dynptr.
 */
#include "verify/call.h"

#include <stdio.h>

struct accepted {
	uint8_t type;            /* enum reg_type */
	uint32_t flags;          /* enum reg_flag */
};

#define MEM_TYPES                                                                       \
	{ REG_STACK, 0 }, { REG_PACKET, 0 }, { REG_PACKET_META, 0 }, { REG_MAP_KEY, 0 },  \
	{ REG_MAP_VALUE, 0 }, { REG_MEM, 0 }, { REG_MEM, REG_RINGBUF }, { REG_BUF, 0 },  \
	{ REG_BTF, REG_TRUSTED }, { REG_CTX, 0 }
#define SOCK_TYPES                                                                      \
	{ REG_SOCK_COMMON, 0 }, { REG_SOCKET, 0 }, { REG_TCP_SOCK, 0 }, { REG_XDP_SOCK, 0 }

#define ACCEPTED_MAX 10

/* A row that is empty accepts anything. REG_NOT_INIT ends a row. */
static const struct accepted accepted[ARG_KIND_COUNT][ACCEPTED_MAX + 1] = {
	[ARG_CONST_MAP_PTR] = { { REG_MAP, 0 } },
	[ARG_MAP_KEY] = { MEM_TYPES },
	[ARG_MAP_VALUE] = { MEM_TYPES },
	[ARG_MEM] = { MEM_TYPES },
	[ARG_MEM_SIZE] = { { REG_SCALAR, 0 } },
	[ARG_MEM_SIZE_OR_ZERO] = { { REG_SCALAR, 0 } },
	[ARG_CONST_ALLOC_SIZE_OR_ZERO] = { { REG_SCALAR, 0 } },
	[ARG_SCALAR] = { { REG_SCALAR, 0 } },
	[ARG_PTR_TO_CTX] = { { REG_CTX, 0 } },
	[ARG_PTR_TO_BTF_ID] = { { REG_BTF, 0 }, { REG_BTF, REG_TRUSTED }, { REG_BTF, REG_RCU } },
	[ARG_PTR_TO_BTF_ID_SOCK_COMMON] = {
		SOCK_TYPES, { REG_BTF, 0 }, { REG_BTF, REG_TRUSTED },
	},
	[ARG_PTR_TO_SOCK_COMMON] = { SOCK_TYPES },
	[ARG_PTR_TO_SOCKET] = { { REG_SOCKET, 0 } },
	[ARG_PTR_TO_SPIN_LOCK] = { { REG_MAP_VALUE, 0 }, { REG_BTF, REG_ALLOC } },
	[ARG_PTR_TO_RES_SPIN_LOCK] = { { REG_MAP_VALUE, 0 }, { REG_BTF, REG_ALLOC } },
	[ARG_PTR_TO_TIMER] = { { REG_MAP_VALUE, 0 } },
	[ARG_PTR_TO_FUNC] = { { REG_FUNC, 0 } },
	[ARG_PTR_TO_STACK] = { { REG_STACK, 0 } },
	[ARG_PTR_TO_CONST_STR] = { { REG_MAP_VALUE, 0 } },
	[ARG_PTR_TO_DYNPTR] = { { REG_STACK, 0 }, { REG_DYNPTR, 0 } },
	[ARG_PTR_TO_PERCPU_BTF_ID] = {
		{ REG_BTF, REG_PERCPU }, { REG_BTF, REG_PERCPU | REG_RCU },
		{ REG_BTF, REG_PERCPU | REG_TRUSTED },
	},
	[ARG_RINGBUF_MEM] = { { REG_MEM, REG_RINGBUF } },
	[ARG_KPTR_XCHG_DEST] = { { REG_MAP_VALUE, 0 }, { REG_BTF, REG_ALLOC } },
};

bool reg_is_trusted(const struct reg *reg)
{
	if (reg->ref_id)
		return true;
	switch (reg->type) {
	case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_XDP_SOCK:
	case REG_MAP:
		return !(reg->flags & REG_UNTRUSTED);
	default:
		break;
	}
	return reg->type == REG_BTF && (reg->flags & (REG_TRUSTED | REG_ALLOC)) &&
	       !(reg->flags & (REG_UNTRUSTED | REG_RCU));
}

bool reg_is_rcu(const struct reg *reg)
{
	return reg->flags & REG_RCU;
}

uint32_t reg_kernel_type(const struct env *env, const struct reg *reg)
{
	const char *name = NULL;

	switch (reg->type) {
	case REG_BTF:
		return reg->btf_id;
	case REG_SOCKET:
		name = "sock";
		break;
	case REG_SOCK_COMMON:
		name = "sock_common";
		break;
	case REG_TCP_SOCK:
		name = "tcp_sock";
		break;
	case REG_XDP_SOCK:
		name = "xdp_sock";
		break;
	case REG_MAP:
		name = "bpf_map";
		break;
	default:
		return 0;
	}
	return env->kernel_btf ? skep_btf_find(env->kernel_btf, name, BTF_STRUCT) : 0;
}

/* --- kernel types: a structure begins with the ones it holds at offset 0 --- */

/* The structure that begins exactly at off in structure id; 0: none. */
static uint32_t struct_at(const struct skep_btf *btf, uint32_t id, uint32_t off)
{
	const struct btf_type *type = btf_type(btf, id);
	const struct btf_member *member = btf_data(type);

	if (btf_kind(type) != BTF_STRUCT && btf_kind(type) != BTF_UNION)
		return 0;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint32_t at = btf_member_bit_off(type, i), inner;
		const struct btf_type *inner_type;

		if (at % 8 || btf_member_bit_size(type, i))
			continue;
		at /= 8;
		inner = btf_skip_mods_and_typedefs(btf, member[i].type);
		inner_type = btf_type(btf, inner);
		if (btf_kind(inner_type) == BTF_ARRAY) {
			const struct btf_array *array = btf_data(inner_type);
			int64_t size;

			inner = btf_skip_mods_and_typedefs(btf, array->type);
			inner_type = btf_type(btf, inner);
			size = skep_btf_size(btf, inner);
			if (size <= 0 || off < at || off - at >= (uint64_t)size * array->nelems)
				continue;
			at += (off - at) / (uint32_t)size * (uint32_t)size;
		}
		if (btf_kind(inner_type) != BTF_STRUCT && btf_kind(inner_type) != BTF_UNION)
			continue;
		if (off < at || off - at >= inner_type->size)
			continue;
		if (off == at && btf_kind(inner_type) == BTF_STRUCT)
			return inner;
		return struct_at(btf, inner, off - at);
	}
	return 0;
}

bool btf_types_match(const struct skep_btf *btf, uint32_t id, int32_t off,
		     const struct skep_btf *want, uint32_t want_id, bool strict)
{
	/* Each turn goes one structure deeper; BTF has no endless nesting. */
	for (;;) {
		if (btf == want && id == want_id && off == 0)
			return true;
		if (strict || off < 0)
			return false;
		id = struct_at(btf, id, (uint32_t)off);
		off = 0;
		if (!id)
			return false;
	}
}

/* --- types --- */

/* What the argument's flags let pass is not compared. */
static uint32_t flags_compared(const struct reg *reg, const struct call_check *call,
			       const struct arg *arg, int regno)
{
	uint32_t flags = reg->flags;

	if (arg->kind == ARG_PTR_TO_DYNPTR)
		flags &= ~(uint32_t)(REG_RDONLY | REG_DYNPTR_KINDS);
	if (arg->flags & ARG_RDONLY)
		flags &= ~(uint32_t)REG_RDONLY;
	if (arg->flags & ARG_MAYBE_NULL)
		flags &= ~(uint32_t)REG_MAYBE_NULL;
	if (arg->kind == ARG_MEM)
		flags &= ~(uint32_t)REG_DYNPTR_KINDS;
	if (call->fn && call->fn->id == BPF_FUNC_kptr_xchg && regno == 2)
		flags &= ~(uint32_t)(REG_ALLOC | REG_PERCPU);
	if (arg->kind == ARG_KPTR_XCHG_DEST)
		flags &= ~(uint32_t)(REG_RCU | REG_NON_OWN_REF);
	return flags;
}

static int reject_type(struct env *env, int regno, const struct reg *reg,
		       const struct accepted *row)
{
	char text[200] = "";
	size_t used = 0;

	for (; row->type != REG_NOT_INIT && used < sizeof(text); row++) {
		if (row->type == REG_CTX && used && !env_can(env, ABILITY_CTX_REGION))
			continue; /* as memory, that is */
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
					 used ? ", " : "", reg_type_name(row->type, row->flags));
	}
	return reject_as(env, misfit_code(reg), -EACCES, "R%d type=%s expected=%s", regno,
			 reg_type_text(reg), text);
}

/* One of the types named in "a|b". */
static bool matches_named(const struct env *env, const struct reg *reg, uint32_t id,
			  const char *names, bool strict)
{
	while (names && *names) {
		size_t len = strcspn(names, "|");
		char name[64];
		uint32_t want;

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		want = env->kernel_btf ? skep_btf_find(env->kernel_btf, name, BTF_STRUCT) : 0;
		if (want && btf_types_match(reg->btf, id, reg->off, env->kernel_btf, want, strict))
			return true;
		names += len + (names[len] == '|');
	}
	return false;
}

static int check_object_type(struct env *env, const struct call_check *call, int regno,
			     const struct arg *arg, const struct reg *reg)
{
	const char *names = arg->kind == ARG_PTR_TO_BTF_ID_SOCK_COMMON ? "sock_common" : arg->btf;
	bool release = arg->flags & ARG_RELEASE;

	if (reg_maybe_null(reg) && (!(arg->flags & ARG_MAYBE_NULL) || release))
		return reject_as(env, SKEP_VERIFY_NULL, -EACCES,
				 "Possibly NULL pointer passed to helper R%d", regno);
	if (call->fn && call->fn->id == BPF_FUNC_kptr_xchg) {
		if (!call->kptr || (reg->btf == call->kptr->btf &&
				    btf_types_match(reg->btf, reg->btf_id, reg->off, call->kptr->btf,
						    call->kptr->btf_id, true)))
			return 0;
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "invalid kptr access, R%d type=%s%s expected=ptr_%s", regno,
				 reg_type_text(reg), skep_btf_type_name(reg->btf, reg->btf_id),
				 skep_btf_type_name(call->kptr->btf, call->kptr->btf_id));
	}
	if (!names || matches_named(env, reg, reg->btf_id, names, release && call->fn->id != BPF_FUNC_sk_release))
		return 0;
	return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
			 "R%d is of type %s but %.*s is expected", regno,
			 skep_btf_type_name(reg->btf, reg->btf_id), (int)strcspn(names, "|"),
			 names);
}

static int check_type(struct env *env, const struct call_check *call, int regno, const struct arg *arg)
{
	const struct reg *reg = call_arg(env, regno);
	const struct accepted *row = accepted[arg->kind];
	uint32_t flags = flags_compared(reg, call, arg, regno);

	if (row->type == REG_NOT_INIT)
		return 0;
	while (row->type != REG_NOT_INIT && (row->type != reg->type || row->flags != flags))
		row++;
	if (row->type == REG_NOT_INIT ||
	    (arg->kind == ARG_MAP_KEY && (reg->type == REG_MEM || reg->type == REG_BUF) &&
	     !env_can(env, ABILITY_MEMORY_KEY)) ||
	    (arg->kind != ARG_PTR_TO_CTX && reg->type == REG_CTX &&
	     !env_can(env, ABILITY_CTX_REGION)))
		return reject_type(env, regno, reg, accepted[arg->kind]);
	if (reg->type != REG_BTF)
		return 0;
	if (arg->kind == ARG_MEM || arg->kind == ARG_MAP_KEY || arg->kind == ARG_MAP_VALUE) {
		if (flags_compared(reg, call, arg, regno) & REG_RDONLY || arg->flags & ARG_RDONLY ||
		    arg->kind == ARG_MAP_KEY ||
		    (arg->kind == ARG_MAP_VALUE && !(arg->flags & ARG_UNINIT)))
			return 0;
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "bpf_%s() may write into memory pointed by R%d type=%s",
				 call->fn->name, regno, reg_type_text(reg));
	}
	if (reg->flags & (REG_PERCPU | REG_ALLOC) && arg->kind != ARG_PTR_TO_BTF_ID)
		return 0;
	return check_object_type(env, call, regno, arg, reg);
}

/* Most contexts are no memory that a helper can use. */
static int refuse_ctx_memory(struct env *env, const struct reg *reg, int regno)
{
	int error = check_ptr_off(env, reg, regno, false);

	return error < 0 ? error : reject_as(env, SKEP_VERIFY_ARG, -EACCES,
					     "R%d type=ctx expected=fp", regno);
}

/* Which pointers may come with an offset. */
static int check_offset(struct env *env, int regno, const struct arg *arg)
{
	const struct reg *reg = call_arg(env, regno);

	if (arg->flags & ARG_RELEASE) {
		if (arg->kind == ARG_PTR_TO_DYNPTR && reg->type == REG_STACK)
			return 0;
		if (reg->off)
			return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
					 "R%d must have zero offset when passed to release "
					 "func or trusted arg to kfunc", regno);
		return check_ptr_off(env, reg, regno, false);
	}
	switch ((enum reg_type)reg->type) {
	case REG_STACK: case REG_PACKET: case REG_PACKET_META: case REG_MAP_KEY:
	case REG_MAP_VALUE: case REG_MEM: case REG_BUF: case REG_ARENA: case REG_SCALAR:
		return 0;
	case REG_BTF:
		return check_ptr_off(env, reg, regno, !(reg->flags & REG_UNTRUSTED));
	case REG_CTX:
		if (arg->kind == ARG_PTR_TO_CTX)
			break;
		return ctx_is_region(env) ? 0 : refuse_ctx_memory(env, reg, regno);
	case REG_NOT_INIT: case REG_MAP: case REG_PACKET_END: case REG_FLOW_KEYS:
	case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_TP_BUFFER:
	case REG_XDP_SOCK: case REG_FUNC: case REG_DYNPTR: case REG_INSN: case REG_TYPE_COUNT:
		break;
	}
	return check_ptr_off(env, reg, regno, false);
}

/* --- references --- */

static int check_release(struct env *env, struct call_check *call, int regno, const struct arg *arg)
{
	const struct reg *reg = call_arg(env, regno);

	if (arg->kind == ARG_PTR_TO_DYNPTR) {
		/* One on the stack of the right kind has a reference: see check_dynptr_arg(). */
		if (reg->type == REG_DYNPTR)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "CONST_PTR_TO_DYNPTR cannot be released");
	} else if (!reg->ref_id && !reg_is_zero(reg)) {
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "release helper bpf_%s expects referenced PTR_TO_BTF_ID passed to "
				 "R%d", call->fn->name, regno);
	}
	call->release_reg = regno;
	return 0;
}

/* --- memory --- */

/* The most a helper may write is remembered for what it returns. */
static int check_size(struct env *env, struct call_check *call, int regno, bool zero_ok)
{
	const struct arg *mem = &call->fn->arg[regno - 2];
	const struct reg *size = call_arg(env, regno);
	struct mem_use use = {
		.writes = mem->flags & (ARG_UNINIT | ARG_WRITE),
		.uninit = mem->flags & ARG_UNINIT,
		.zero_size_ok = zero_ok,
		.nullable = mem->flags & ARG_MAYBE_NULL,
	};

	call->size_max = size->var.umax;
	return check_mem_size_reg(env, regno - 1, regno, use);
}

static int check_fixed(struct env *env, int regno, const struct arg *arg)
{
	struct mem_use use = {
		.writes = arg->flags & (ARG_UNINIT | ARG_WRITE),
		.uninit = arg->flags & ARG_UNINIT,
	};

	int error = check_helper_mem(env, regno, arg->size, use);

	if (error == 0 && arg->flags & ARG_ALIGNED)
		error = check_alignment(env, regno, 0, arg->size, true);
	return error;
}

static int check_map_key(struct env *env, struct call_check *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	int error;

	if (!call->map)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "invalid map_ptr to access map->key");
	error = check_helper_mem(env, regno, call->map->key_size, (struct mem_use){ 0 });
	if (error < 0)
		return error;
	call->key_reg = (uint32_t)regno;
	if (reg->type != REG_STACK || (call->map->type != BPF_MAP_TYPE_ARRAY &&
				       call->map->type != BPF_MAP_TYPE_PERCPU_ARRAY))
		return 0;
	call->key_known = stack_const(env, reg, call->map->key_size, &call->key);
	if (!call->key_known)
		return 0;
	/* What it is decides whether the result may be NULL. */
	return mark_precise_slot(env, reg->frameno,
				 (uint32_t)slot_of((int32_t)(reg->off + (int64_t)reg->var.umin)));
}

static int check_map_value(struct env *env, const struct call_check *call, int regno,
			   const struct arg *arg)
{
	struct mem_use use = { .writes = arg->flags & ARG_UNINIT, .uninit = arg->flags & ARG_UNINIT };

	if (!call->map)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "invalid map_ptr to access map->value");
	return check_helper_mem(env, regno, call->map->value_size, use);
}

int check_const_string(struct env *env, int regno, const char **text, size_t *room)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_spec *map = reg->map;
	const char *start;
	uint64_t off;
	int error;

	if (reg->type != REG_MAP_VALUE)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is not a const string",
				 regno);
	if (map->type == BPF_MAP_TYPE_INSN_ARRAY)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "R%d points to insn_array map which cannot be used as const "
				 "string", regno);
	if (!(map->flags & BPF_F_RDONLY_PROG) || !map->frozen)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "R%d does not point to a readonly map'", regno);
	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "R%d is not a constant address'", regno);
	off = (uint64_t)reg->off + reg->var.umin;
	error = check_map_access(env, regno, 0, 1, false, ACCESS_READ);
	if (error < 0)
		return error;
	if (off >= map->value_size)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "R%d is not a constant address'", regno);
	start = (const char *)map->frozen + off;
	if (!memchr(start, 0, map->value_size - off))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "string is not zero-terminated");
	*text = start;
	*room = map->value_size - off;
	return 0;
}

/* --- timers, kernel pointers --- */

static int check_timer(struct env *env, struct call_check *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_field *field;
	int error = check_field_arg(env, regno, MAP_FIELD_TIMER, &field);

	if (error < 0)
		return error;
	call->map = reg->map;
	call->map_index = reg->map_index;
	call->map_uid = reg->map_uid;
	return 0;
}

static int check_kptr_dest(struct env *env, struct call_check *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_fields *fields = NULL;
	uint64_t off = (uint64_t)reg->off + reg->var.umin;

	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
				 "R%d doesn't have constant offset. kptr has to be at the "
				 "constant offset", regno);
	if (reg->type == REG_MAP_VALUE && !map_has_types(env, reg->map))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "map '%s' has to have BTF in order to use bpf_kptr_xchg",
				 reg->map->name);
	fields = reg_fields(env, reg);
	if (!fields || !(fields->mask & MAP_FIELD_KPTR))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d has no valid kptr", regno);
	for (uint32_t i = 0; i < fields->count && !call->kptr; i++)
		if (fields->field[i].off == off && fields->field[i].type & MAP_FIELD_KPTR)
			call->kptr = &fields->field[i];
	if (!call->kptr)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "off=%llu doesn't point to kptr", (unsigned long long)off);
	if (call->kptr->type == MAP_FIELD_KPTR_UNREF)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "off=%llu kptr isn't referenced kptr",
				 (unsigned long long)off);
	call->ret_btf = call->kptr->btf;
	call->ret_btf_id = call->kptr->btf_id;
	return 0;
}

static int check_map_ptr(struct env *env, struct call_check *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);

	/* A timer and the map it is in. */
	if (call->map && (call->map != reg->map || call->map_uid != reg->map_uid))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "timer pointer in R1 map_uid=%u doesn't match map pointer in R2 "
				 "map_uid=%u", call->map_uid, reg->map_uid);
	call->map = reg->map;
	call->map_index = reg->map_index;
	call->map_uid = reg->map_uid;
	return 0;
}

static enum dynptr_kind dynptr_kind_of(const struct arg *arg)
{
	if (arg->flags & ARG_DYNPTR_LOCAL)
		return DYNPTR_LOCAL;
	if (arg->flags & ARG_DYNPTR_RINGBUF)
		return DYNPTR_RINGBUF;
	if (arg->flags & ARG_DYNPTR_SKB)
		return DYNPTR_SKB;
	return arg->flags & ARG_DYNPTR_XDP ? DYNPTR_XDP : DYNPTR_NONE;
}

/* What the kind asks for beyond the type. */
static int check_kind(struct env *env, struct call_check *call, int regno, const struct arg *arg)
{
	const struct reg *reg = call_arg(env, regno);
	const char *text;
	size_t room;

	switch ((enum arg_kind)arg->kind) {
	case ARG_CONST_MAP_PTR:
		return check_map_ptr(env, call, regno);
	case ARG_MAP_KEY:
		return check_map_key(env, call, regno);
	case ARG_MAP_VALUE:
		if (arg->flags & ARG_MAYBE_NULL && reg_is_zero(reg))
			return 0;
		return check_map_value(env, call, regno, arg);
	case ARG_MEM:
		return arg->flags & ARG_FIXED_SIZE ? check_fixed(env, regno, arg) : 0;
	case ARG_MEM_SIZE:
		return check_size(env, call, regno, false);
	case ARG_MEM_SIZE_OR_ZERO:
		return check_size(env, call, regno, true);
	case ARG_CONST_ALLOC_SIZE_OR_ZERO:
		if (!scalar_is_const(reg->var))
			return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
					 "R%d is not a const", regno);
		call->alloc_size = reg->var.umin;
		return mark_precise(env, regno);
	case ARG_PTR_TO_PERCPU_BTF_ID:
		if (!reg->btf_id)
			return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
					 "Helper has invalid btf_id in R%d", regno);
		call->ret_btf = reg->btf;
		call->ret_btf_id = reg->btf_id;
		call->ret_own = reg->flags & REG_RCU;
		return 0;
	case ARG_PTR_TO_SPIN_LOCK:
		return check_lock(env, regno, REF_LOCK, call->fn->id == BPF_FUNC_spin_lock);
	case ARG_PTR_TO_TIMER:
		return check_timer(env, call, regno);
	case ARG_PTR_TO_FUNC:
		call->subprog = reg->subprog;
		return 0;
	case ARG_PTR_TO_CONST_STR:
		return check_const_string(env, regno, &text, &room);
	case ARG_PTR_TO_DYNPTR:
		return check_dynptr_arg(env, call, regno, arg->flags & ARG_UNINIT,
					dynptr_kind_of(arg), 0);
	case ARG_KPTR_XCHG_DEST:
		return check_kptr_dest(env, call, regno);
	case ARG_NONE: case ARG_ANYTHING: case ARG_PTR_TO_CTX: case ARG_PTR_TO_BTF_ID:
	case ARG_PTR_TO_BTF_ID_SOCK_COMMON: case ARG_PTR_TO_SOCK_COMMON: case ARG_PTR_TO_SOCKET:
	case ARG_PTR_TO_RES_SPIN_LOCK: case ARG_PTR_TO_STACK: case ARG_RINGBUF_MEM:
	case ARG_SCALAR: case ARG_KIND_COUNT:
		break;
	}
	return 0;
}

/* Values of maps of sockets are sockets; Bloom filters peek what they are asked for. */
static int resolve(struct env *env, const struct call_check *call, struct arg *arg)
{
	if (arg->kind != ARG_MAP_VALUE || !call->map)
		return 0;
	if (call->map->type == BPF_MAP_TYPE_SOCKMAP || call->map->type == BPF_MAP_TYPE_SOCKHASH) {
		if (arg->flags)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "invalid arg_type for sockmap/sockhash");
		*arg = (struct arg){ .kind = ARG_PTR_TO_BTF_ID_SOCK_COMMON };
	}
	if (call->map->type == BPF_MAP_TYPE_BLOOM_FILTER && call->fn->id == BPF_FUNC_map_peek_elem)
		arg->flags &= (uint16_t)~ARG_UNINIT;
	return 0;
}

static bool packet_arg_ok(const struct env *env, const struct call_check *call)
{
	/* What sock_ops sees of a packet it reads itself only. */
	return call->fn->packet_access && env->spec->type->direct_packet_read &&
	       env->spec->type->id != BPF_PROG_TYPE_SOCK_OPS;
}

int check_arg(struct env *env, struct call_check *call, int regno, const struct arg *given)
{
	struct arg arg = *given;
	const struct reg *reg;
	int error;

	if (arg.kind == ARG_NONE)
		return 0;
	error = check_reg_read(env, regno);
	if (error < 0)
		return error;
	reg = call_arg(env, regno);
	if (arg.kind == ARG_ANYTHING) {
		if (!may_leak(env, reg))
			return reject_as(env, SKEP_VERIFY_LEAK, -EACCES,
					 "R%d leaks addr into helper function", regno);
		return 0;
	}
	if (reg_is_packet(reg) && !packet_arg_ok(env, call))
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "helper access to the packet is not allowed");
	error = resolve(env, call, &arg);
	if (error < 0)
		return error;
	if (!(reg_is_zero(reg) && arg.flags & ARG_MAYBE_NULL)) {
		error = check_type(env, call, regno, &arg);
		if (error == 0)
			error = check_offset(env, regno, &arg);
		if (error < 0)
			return error;
	}
	if (arg.flags & ARG_RELEASE) {
		error = check_release(env, call, regno, &arg);
		if (error < 0)
			return error;
	}
	if (reg->ref_id && arg.kind != ARG_KPTR_XCHG_DEST) {
		if (call->ref_id)
			return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
					 "more than one arg with ref_obj_id R%d %u %u", regno,
					 reg->ref_id, call->ref_id);
		call->ref_id = reg->ref_id;
	}
	return check_kind(env, call, regno, &arg);
}
